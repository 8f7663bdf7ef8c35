"""What csrc/quick is, where that cannot be: on PyPy, without the GIL.

`_ffi` loads the C module of this name if the extension has it; else this one
is imported, and every call goes the long way: the same, but slower. What
stands here is all that the C module has.
"""

from __future__ import annotations

from typing import Any

__all__ = ["AT_FIRST", "Conn"]

# What conn_base.USELESS is: no call here leaves the lock alone.
AT_FIRST = 0


class Conn:
    """The part of an SSL that its most frequent calls need."""

    __slots__ = (
        "_conn",
        "_last",
        "_quick_read",
        "_quick_write",
        "_read_want",
        "_reader",
        "_reading_thread",
        "_write_want",
        "_writer",
        "_writing_thread",
    )

    _conn: Any
    _last: int
    _quick_read: int
    _quick_write: int
    _read_want: int
    _reader: int
    _reading_thread: int
    _write_want: int
    _writer: int
    _writing_thread: int

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin with nothing."""
        self = super().__new__(cls)
        self._conn = None
        self._last = self._read_want = self._write_want = 0
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

    def _read(self, buf: Any, num: int | None, peek: bool, n: int = 0) -> int:
        raise NotImplementedError

    def _write(self, data: Any, num: int | None, n: int = 0) -> int:
        raise NotImplementedError

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
