"""Ends whose package gives and takes bytes: they carry them themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from pyssl.bench.peers.base import End

# The two directions of a connection, each a list of pieces.
Pipes = tuple[list[bytes], list[bytes]]


class PipeEnd(End):
    """An end that takes from one list and appends to another."""

    __slots__ = ("_inbox", "_outbox")

    def __init__(self, inbox: list[bytes], outbox: list[bytes]) -> None:
        self._inbox = inbox
        self._outbox = outbox

    @abstractmethod
    def _feed(self, data: bytes) -> None:
        """Give bytes from the peer to the package."""

    @abstractmethod
    def _drain(self) -> None:
        """Move what the package has for the peer to the outbox."""

    @abstractmethod
    def _send(self, data: bytes) -> int:
        """Write; gives how much was taken."""

    @abstractmethod
    def _receive(self, buffer: bytearray) -> int:
        """Read into the buffer; gives how much."""

    def _take(self) -> None:
        """Feed all that came."""
        while self._inbox:
            self._feed(self._inbox.pop(0))

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""

        def send(data: bytes) -> int:
            sent = self._send(data)
            self._drain()
            return sent

        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""

        def receive() -> int:
            self._take()
            return self._receive(buffer)

        return receive
