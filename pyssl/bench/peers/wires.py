"""Ends over a socket: a package's own way, or bytes that are carried for it.

A loop asks an end to shake hands and is told what it waits for. The mode of
the socket decides whether the end returns or blocks where it would wait. What
writes and reads afterwards is the package's own, as with ends in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, socket, socketpair
from typing import Any, Optional

from pyssl.bench.peers.base import (
    End,
    Facts,
    FailedError,
    SkipError,
    Stage,
)

_ROOM = 1 << 16  # bytes that are moved at a time


def tied() -> tuple[socket, socket]:
    """Make two sockets that are tied to each other and do not block.

    Each takes some records before the other reads, on every system.
    """
    pair = socketpair()
    for one in pair:
        one.setblocking(False)
        for kind in (SO_SNDBUF, SO_RCVBUF):
            if one.getsockopt(SOL_SOCKET, kind) < _ROOM:
                one.setsockopt(SOL_SOCKET, kind, _ROOM)
    return pair


class Wire(ABC):
    """One end of a connection over a socket.

    Attributes:
        sock: The socket; the end's own, once it was given.
    """

    __slots__ = ("sock",)

    sock: socket

    @abstractmethod
    def shake(self) -> int:
        """Do as much of the handshake as can be done.

        Returns:
            0 once it is complete, else EVENT_READ or EVENT_WRITE: what the
            socket is to be ready for.

        Errors:
            FailedError: it failed.
        """

    @abstractmethod
    def facts(self) -> Facts:
        """Tell what was agreed on."""

    @abstractmethod
    def sender(self) -> Callable[[bytes], int]:
        """Give what writes a message and answers how much was written."""

    @abstractmethod
    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads into the buffer and answers how much was read."""

    @abstractmethod
    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads, too, but answers 0 where nothing has come.

        It is for sockets that do not block, and does what an event loop
        does until it knows that the socket is to be waited for.

        Errors:
            SkipError: it is not the package that reads the socket.
        """

    def close(self) -> None:
        """Close the socket; no more is said."""
        self.sock.close()


def unless(
    read: Callable[[], int], nothing: type[BaseException]
) -> Callable[[], int]:
    """Give what reads, and answers 0 where that raises `nothing`."""

    def look() -> int:
        try:
            return read()
        except nothing:
            return 0

    return look


class WiredStage(Stage):
    """Contexts of a package that works on sockets by itself."""

    @abstractmethod
    def wire(self, sock: socket, host: Optional[str]) -> Wire:
        """Put an end on a connected socket, which becomes its own.

        Args:
            sock: The socket.
            host: What a client's certificate must be for; None for a server.
        """


class Carried(Wire):
    """An end in memory whose bytes are moved here.

    Each end has a link to itself. A link's directions are lists of bytes, or
    have the calls of a memory BIO.
    """

    __slots__ = ("_done", "_end", "_in", "_left", "_out")

    def __init__(
        self, stage: Stage, sock: socket, host: Optional[str]
    ) -> None:
        link = stage.link()
        down, up = link
        self._end: End
        if host is None:
            self._end, self._in, self._out = stage.server(link), up, down
        else:
            self._end, self._in, self._out = stage.client(link, host), down, up
        self.sock = sock
        self._left = b""
        self._done = False

    def shake(self) -> int:
        """Do the next part, and move bytes until one way is blocked."""
        while True:
            if not self._done:
                self._done = self._end.shake()
            self._left += _drained(self._out)
            try:
                while self._left:
                    self._left = self._left[self.sock.send(self._left) :]
            except BlockingIOError:
                return EVENT_WRITE
            except OSError as e:
                raise FailedError(str(e)) from e
            if self._done:
                return 0
            try:
                data = self.sock.recv(_ROOM)
            except BlockingIOError:
                return EVENT_READ
            except OSError as e:
                raise FailedError(str(e)) from e
            if not data:
                raise FailedError("the other end went away")
            _feed(self._in, data)

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return self._end.facts()

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes, and sends what that leaves."""
        write, send, way = self._end.sender(), self.sock.send, self._out

        def carry(data: bytes) -> int:
            written = write(data)
            left = _drained(way)
            if send(left) != len(left):
                raise FailedError("the socket took a part")
            return written

        return carry

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what takes in what came, and reads."""
        read, receive, way = (
            self._end.receiver(buffer),
            self.sock.recv,
            self._in,
        )

        def carry() -> int:
            _feed(way, receive(_ROOM))
            return read()

        return carry

    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Refuse: where nothing came the end is not asked."""
        del buffer
        raise SkipError("the harness reads the socket")


def _drained(way: Any) -> bytes:
    """Take all that is in a direction of a link."""
    if not isinstance(way, list):
        data: bytes = way.read()
        return data
    data = b"".join(way)
    way.clear()
    return data


def _feed(way: Any, data: bytes) -> None:
    """Put bytes into a direction of a link."""
    if isinstance(way, list):
        way.append(data)
    else:
        way.write(data)


def over(stage: Stage, sock: socket, host: Optional[str]) -> Wire:
    """Put an end on a connected socket; see WiredStage.wire."""
    if isinstance(stage, WiredStage):
        return stage.wire(sock, host)
    return Carried(stage, sock, host)


def way(stage: Stage) -> str:
    """Say who moves the bytes between a stage's ends and a socket."""
    if isinstance(stage, WiredStage):
        return ""
    return "bytes moved by the harness"
