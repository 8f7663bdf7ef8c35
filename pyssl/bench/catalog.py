"""All the scenarios, in the order of a report."""

from __future__ import annotations

from functools import partial
from typing import Any

from pyssl.bench import blocking, loops, scenarios, sockets, threads
from pyssl.bench.peers.base import End, Peer, Setup, Stage
from pyssl.bench.scenarios import Prepared, Scenario, handshakes, prove


class _Paired(Stage):
    """A stage whose links are two tied halves."""

    def __init__(self, inner: Stage) -> None:
        self._inner = inner
        self.verifies = inner.verifies  # type: ignore[misc]

    def link(self) -> Any:
        """Make a pair."""
        return self._inner.pair()

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        return self._inner.client(link, host, session)

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        return self._inner.server(link)


def _pairs(setup: Setup, peer: Peer) -> Prepared:
    """Make contexts for handshakes over BIO pairs."""
    inner = peer.stage(setup)
    stage = _Paired(inner)
    facts = prove(stage, setup)._replace(over=inner.pairs)
    return Prepared(facts, partial(handshakes, stage, setup))


SCENARIOS: tuple[Scenario, ...] = (
    *scenarios.SCENARIOS,
    Scenario(
        "biopair",
        "full TLS 1.3 handshakes over a BIO pair, or the memory that a "
        "package has instead",
        "pairs/s",
        1,
        Setup(),
        _pairs,
    ),
    *blocking.SCENARIOS,
    *loops.SCENARIOS,
    *sockets.SCENARIOS,
    *threads.SCENARIOS,
)
