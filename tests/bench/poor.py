"""Peers of the benchmark that do not do what they should."""

from __future__ import annotations

import socket
from typing import Any, Optional

from pyssl.bench.peers import find_peers
from pyssl.bench.peers.base import End, Peer, Setup, Stage
from pyssl.bench.peers.wires import Wire, WiredStage, over


def ours() -> Stage:
    return find_peers(["pyssl"])[0][0].stage(Setup())


class Other(WiredStage):
    """A stage of pyssl whose ends over sockets are made worse."""

    def __init__(self) -> None:
        self.inner = ours()
        self.made = 0

    def link(self) -> Any:
        return self.inner.link()

    def client(self, link: Any, host: str, session: Any = None) -> End:
        return self.inner.client(link, host, session)

    def server(self, link: Any) -> End:
        return self.inner.server(link)

    def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
        return over(self.inner, sock, host)


class Poor(Peer):
    """A peer of one such stage."""

    name = "poor"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def versions(self) -> dict[str, str]:
        return {}

    def stage(self, setup: Setup) -> Stage:
        del setup
        return self._stage
