"""What a peer is: a TLS package behind one face.

Each has a small file of its own here. A scenario asks for a link, puts a
client and a server on its ends, and lets them shake hands and talk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

# The group that every peer is asked for, where it lets itself be asked.
GROUP = "X25519"


class FailedError(Exception):
    """A peer did not do its work; the text says what it said."""


class Facts(NamedTuple):
    """What a handshake agreed on; "" for what the package does not tell."""

    version: str
    suite: str
    group: str


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


class Peer(ABC):
    """A TLS package, with a context for clients and one for servers.

    The client context trusts the CA of `pki` alone and insists on a
    verified chain; the server has the leaf. No session tickets are sent if
    the package can leave them out.

    Errors:
        ImportError: the package is not installed.
    """

    name: ClassVar[str]
    note: ClassVar[str] = ""  # what it does otherwise than the rest

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Name the libraries at work, with their versions."""

    @abstractmethod
    def link(self) -> Any:
        """Make the two directions of a connection, in memory."""

    @abstractmethod
    def client(self, link: Any, host: str) -> End:
        """Put a client on a link; the certificate must be for host."""

    @abstractmethod
    def server(self, link: Any) -> End:
        """Put a server on the other end of a link."""
