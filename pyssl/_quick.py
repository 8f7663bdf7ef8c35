"""What csrc/quick is, where that cannot be: on PyPy, without the GIL.

`_ffi` loads the C module of this name if the extension has it; else this one
is imported, and every call goes the long way: the same, but slower. What
stands here is all that the C module has.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from typing import Any, Callable, TypeVar

__all__ = ["AT_FIRST", "Conn", "asks_changed", "queued", "watch"]

T = TypeVar("T")

# What conn_base.USELESS is: no call here leaves the lock alone.
AT_FIRST = 0


def asks_changed() -> None:
    """Hear that a context asks the application something else now."""


def queued(full: bool, /) -> None:
    """Hear that an error queue of this thread got, or lost, its entries."""


def watch() -> None:
    """Hear that somebody is to be told of objects made and dropped."""


class Conn:
    """The part of an SSL that its most frequent calls need."""

    __slots__ = (
        "_conn",
        "_fits",
        "_last",
        "_locks",
        "_quick_read",
        "_quick_write",
        "_read_want",
        "_reader",
        "_reading_thread",
        "_rest",
        "_write_want",
        "_writer",
        "_writing_thread",
    )

    _conn: Any  # the core's connection, or None
    _fits: bool  # there is a role, and the method of the context has it
    _last: int  # the direction of the last call
    _locks: tuple[Any, Any]
    _quick_read: int
    _quick_write: int
    _read_want: int
    _reader: int
    _reading_thread: int
    _rest: bool  # reading left something that is to be sent
    _write_want: int
    _writer: int  # the thread that is inside; 0 for none
    _writing_thread: int  # the thread whose call was the last one

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin with nothing."""
        self = super().__new__(cls)
        self._conn = None
        self._fits = self._rest = False
        self._last = 0
        self._locks = allocate_lock(), allocate_lock()
        self._read_want = self._write_want = 1  # SSL_NOTHING
        self._quick_read = self._quick_write = AT_FIRST
        self._reader = self._writer = 0
        self._reading_thread = self._writing_thread = 0
        return self

    def _keep(self, owner: Any, address: int) -> None:
        """Exchange the core's connection.

        Args:
            owner: What frees it in the end, or None for none.
            address: Of the connection; 0 for none.

        Errors:
            RuntimeError: there is one already.
        """
        if (owner is None) is (address != 0) or (
            owner is not None and self._conn is not None
        ):
            raise RuntimeError("it has a connection, or none")
        self._conn = owner

    def _heard(self) -> None:
        """Hear that what the context asks is known to this connection."""

    # ---- getting in --------------------------------------------------------

    def _take(self, writing: int, /) -> None:
        """Take the lock of a direction: 0 for reading, 1 for writing."""
        self._locks[writing].acquire()

    def _try_take(self, writing: int, /) -> bool:
        """Take a lock if it is free."""
        return bool(self._locks[writing].acquire(False))

    def _give(self, writing: int, /) -> None:
        """Release a lock."""
        self._locks[writing].release()

    def _alive(self) -> Any:
        """Give the core's connection, or raise for a freed object."""
        conn = self._conn
        if conn is None:
            raise ValueError("this SSL was freed")
        return conn

    def _enter(self) -> Any:
        """Give the core's connection to a call that is to do I/O."""
        me = get_ident()
        if self._reader == me or self._writer == me:
            raise RuntimeError(
                "a callback or BIO operation may not use its own SSL for I/O"
            )
        return self._alive()

    def _alone(self, do: Callable[..., T], /, *arguments: Any) -> T:
        """Run do(conn, *arguments) with both locks; not from a callback."""
        self._enter()
        try:
            with self._locks[0], self._locks[1]:
                conn = self._alive()
                self._reader = self._writer = get_ident()
                try:
                    return do(conn, *arguments)
                finally:
                    self._reader = self._writer = 0
        finally:
            if self._rest:
                self._send_rest()

    def _exclusive(self, do: Callable[..., T], /, *arguments: Any) -> T:
        """As _alone, or inside a callback that has both locks."""
        me = get_ident()
        if self._reader == me and self._writer == me:
            return do(self._alive(), *arguments)
        return self._alone(do, *arguments)

    def _facts(self, get: Callable[[Any], T], /) -> T:
        """Run get while nothing can change what was agreed.

        That happens under both locks, so whichever is free will do: a
        reader that waits for its peer keeps nobody from asking.
        """
        conn = self._alive()
        me = get_ident()
        if self._reader == me or self._writer == me:
            return get(conn)
        lock = self._locks[1]
        if not lock.acquire(False):
            if self._locks[0].acquire(False):
                lock = self._locks[0]
            else:
                lock.acquire()
        try:
            return get(conn)
        finally:
            lock.release()
            if self._rest:
                self._send_rest()

    # ---- left to SSL -------------------------------------------------------

    def _send_rest(self) -> None:
        raise NotImplementedError

    def _shake_hands(self, role: int, hidden: bool) -> int:
        raise NotImplementedError

    def _get_error(self, ret: int) -> int:
        raise NotImplementedError

    def _read(self, buf: Any, num: int | None, peek: bool, n: int = 0) -> int:
        raise NotImplementedError

    def _write(self, data: Any, num: int | None, n: int = 0) -> int:
        raise NotImplementedError

    # ---- the calls ---------------------------------------------------------

    def do_handshake(self) -> int:
        """Start or continue the handshake, in the role that was set.

        Returns:
            1 once it is complete; 0 if the peer closed before; -1
            otherwise, and `get_error` tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: move the BIO's bytes,
                call again.
            SSL_ERROR_WANT_X509_LOOKUP, SSL_ERROR_WANT_CLIENT_HELLO_CB: a
                callback suspended the handshake; call again.
            SSL_ERROR_SSL: it failed; a retry does not help.
            SSL_ERROR_SYSCALL: the transport failed.

        Source: SSL_do_handshake(3); contract 1.1.
        """
        return self._shake_hands(2, False)  # conn.py: _NO_ROLE

    def get_error(self, ret: int) -> int:
        """Say what a return value of this thread's last call here means.

        Args:
            ret: The value that the I/O call returned.

        Returns:
            An SSL_ERROR_ constant.

        Source: SSL_get_error(3); contract 2.1.
        """
        return self._get_error(ret)

    def read(self, buf: Any, num: int | None = None) -> int:
        """Read application data, of one record at most.

        Args:
            buf: Writable, contiguous, bytes-like.
            num: Bytes to read at most; all of buf if left out.

        Returns:
            How many bytes were read; 0 or -1 if none were, and `get_error`
            tells why.

        Errors:
            SSL_ERROR_ZERO_RETURN: the peer closed.
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.
            SSL_ERROR_SSL: fatal, also the end of the transport.
            SSL_ERROR_SYSCALL: the transport failed.

        Source: SSL_read(3); contract 5.1.
        """
        return self._read(buf, num, False)

    def write(self, data: Any, num: int | None = None) -> int:
        """Write application data, all of it unless partial writes are on.

        Args:
            data: Contiguous, bytes-like. After a call that wants to be
                repeated, the very same object with the same bytes, unless
                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER is set.
            num: How many bytes of it; all if left out.

        Returns:
            How many bytes were written; 0 for no bytes; -1 otherwise, and
            `get_error` tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.
            SSL_ERROR_SSL: fatal, or wrong use.
            SSL_ERROR_SYSCALL: the transport failed.

        Source: SSL_write(3); contract 5.2.
        """
        return self._write(data, num)
