"""What every peer of the interop matrix looks like to the tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Optional

from tests.peer.peers.cases import Case

# What a peer tells of one connection, as far as it knows it. Keys: "version"
# ("TLSv1.3"), "suite" (a name or number), "reused" (bool), "shown" (the
# certificate it was shown, DER in hex), "echo" (all data came as it should),
# "closed" (our close_notify was seen), "early" (early data was taken).
Facts = dict[str, Any]


class Conversation:
    """A peer at work on a case.

    Attributes:
        port: Where it listens, if it is a server.
    """

    port = 0

    def again(self) -> None:
        """Start the next connection, if the peer does not by itself."""

    def finish(self) -> list[Facts]:
        """Wait for its end; give the facts of each connection."""
        raise NotImplementedError

    def evidence(self) -> str:
        """Give what the peer has to say of a case that failed."""
        raise NotImplementedError


class Peer:
    """Another implementation of TLS, driven from here.

    Attributes:
        name: In the table.
        style: What it does with our data as a server: "echo" sends it back,
            "reverse" sends each line back reversed, "http" gives back what
            is posted to it, "page" has the payload in a file. As client it
            sends the payload and awaits it; for "http" it posts it.
        updates: It follows a KeyUpdate.
        slow: Even when all is run, a set that covers all pairs will do.
        closes: As client it closes first; if not, it waits for us.
        mute: The first connection as client, the one a second resumes, has
            no data.
        early: What it takes early data for: "apart" for a message of its
            own, "stream" for the beginning of what comes later; "" if it has
            none.
        refuses_early: As server it refuses early data, and says so.
    """

    name = ""
    style = "echo"
    updates = True
    slow = False
    closes = True
    mute = False
    early = ""
    refuses_early = False

    def absent(self) -> Optional[str]:
        """Say why the peer is not there; None if it is."""
        raise NotImplementedError

    def version(self) -> str:
        """Give the words of the peer on its version."""
        raise NotImplementedError

    def can(self, case: Case) -> Optional[str]:
        """Say why the peer cannot take part in a case; None if it can."""
        raise NotImplementedError

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Let the peer be the server of a case."""
        raise NotImplementedError
        yield  # pragma: no cover

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let the peer be the client of a case, with our server at port."""
        raise NotImplementedError
        yield  # pragma: no cover

    def stop(self) -> None:
        """End what the peer keeps running between cases."""


def wish(table: dict[str, str], value: str, what: str) -> Optional[str]:
    """Say that a value is missing in a peer's table of names."""
    return None if value in table else f"has no {what} {value}"
