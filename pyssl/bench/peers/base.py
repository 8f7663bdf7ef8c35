"""What a peer is: a TLS package behind one face.

Each has a small file of its own here. A peer makes a stage for a setup: its
contexts. A scenario asks the stage for a link, puts a client and a server on
its ends, and lets them shake hands and talk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Optional


class FailedError(Exception):
    """A peer did not do its work; the text says what it said."""


class SkipError(FailedError):
    """A peer has not what a scenario asks for; the text says what."""


class Setup(NamedTuple):
    """What both ends are to be.

    Attributes:
        version: "1.3" or "1.2", the only one of both ends.
        group: The one to agree on, where a package lets itself be asked.
        cert: Kind of all keys and certificates, one of `pki.KINDS`.
        chain: Certificates that the server sends.
        mutual: The server demands a certificate, and the client has one.
        resumed: Sessions are given out, and taken up again.
        retry: The client's first share is of another group.
        early: The client sends data with its first message.
        small: AES-128-GCM it is to be, which every package has; else each
            agrees on what it prefers.
    """

    version: str = "1.3"
    group: str = "X25519"
    cert: str = "p256"
    chain: int = 1
    mutual: bool = False
    resumed: bool = False
    retry: bool = False
    early: bool = False
    small: bool = False


# What Setup.small asks for.
SMALL_13 = "TLS_AES_128_GCM_SHA256"
SMALL_12 = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"


class Facts(NamedTuple):
    """What a handshake agreed on; "" or None for what is not told.

    Attributes:
        over: What carried it, where peers differ in that.
    """

    version: str
    suite: str
    group: str
    reused: Optional[bool] = None
    over: str = ""


class End(ABC):
    """One end of a connection."""

    __slots__ = ()

    @abstractmethod
    def shake(self) -> bool:
        """Do the next part of the handshake.

        Returns:
            True once it is complete, False when the other end is to move.

        Errors:
            FailedError: it failed.
        """

    @abstractmethod
    def sender(self) -> Callable[[bytes], int]:
        """Give what writes a message and answers how much was written."""

    @abstractmethod
    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads into the buffer and answers how much was read."""

    @abstractmethod
    def facts(self) -> Facts:
        """Tell what was agreed on."""

    def session(self) -> Any:
        """Give a client's session, once it has read something."""
        raise SkipError("the package keeps no sessions")

    def early(self, data: bytes) -> None:
        """Send data before the handshake, as a client."""
        del data
        raise SkipError("the package sends no early data")


class Stage(ABC):
    """The contexts of a setup.

    The client trusts the root of `pki` alone and insists on a verified
    chain and the host's name; the server has the leaf. Session tickets are
    sent only where sessions are to be resumed, if the package can leave
    them out.
    """

    # The package verifies chain and name; else its figures are less work.
    verifies: ClassVar[bool] = True

    # What `pair` gives.
    pairs: ClassVar[str] = "memory"

    @abstractmethod
    def link(self) -> Any:
        """Make the two directions of a connection, in memory."""

    def pair(self) -> Any:
        """Make a link of two tied halves; of memory if there are none."""
        return self.link()

    @abstractmethod
    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on a link; the certificate must be for host."""

    @abstractmethod
    def server(self, link: Any) -> End:
        """Put a server on the other end of a link."""


class Peer(ABC):
    """A TLS package.

    Errors:
        ImportError: the package is not installed.
    """

    name: ClassVar[str]
    note: ClassVar[str] = ""  # what it does otherwise than the rest
    handshakes_only: ClassVar[bool] = False  # another peer's in all else

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Name the libraries at work, with their versions."""

    @abstractmethod
    def stage(self, setup: Setup) -> Stage:
        """Make the contexts of a setup.

        Errors:
            SkipError: the package has not what the setup asks for.
        """

    def prepare(self, scenario: Any) -> Any:
        """Make the peer ready for a scenario.

        Returns:
            What the scenario's `prepare` gives.

        Errors:
            SkipError: the package has not what the scenario asks for.
            FailedError: it does not do the work.
        """
        return scenario.prepare(scenario.setup, self)

    def limits(self) -> dict[str, Any]:
        """Give limits of its own for what was prepared, by name."""
        return {}

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file of certificates."""
        del path
        raise SkipError("the package reads no file of many certificates")


def only(condition: bool, reason: str) -> None:
    """Skip unless the condition holds."""
    if not condition:
        raise SkipError(reason)
