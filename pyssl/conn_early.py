"""The part of SSL that is about early data (0-RTT, RFC 8446 2.3).

Early data travels with the first flight of a resumed handshake. It has no
forward secrecy, and only the server's anti-replay keeps it from counting
twice (RFC 8446 8, E.5): send requests alone that do no harm when repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, cast

from pyssl import asks
from pyssl._ffi import ffi, lib, number, room, source
from pyssl.conn_session import Resumption
from pyssl.const import (
    SSL_R_BAD_LENGTH,
    SSL_READ_EARLY_DATA_ERROR,
    SSL_READ_EARLY_DATA_FINISH,
    SSL_READ_EARLY_DATA_SUCCESS,
)
from pyssl.ctx import EarlyDataCallback, paired

if TYPE_CHECKING:
    from pyssl.conn import SSL

_DONE = lib.PYS_IO_DONE
_RETRIES = (lib.PYS_IO_WANT_WRITE, lib.PYS_IO_SYSCALL)
_TURNS = (lib.PYS_IO_BIO, lib.PYS_IO_NEWS)
_NOTHING = lib.PYS_NOTHING
_WRITING = lib.PYS_WRITING


def _count(num: int | None, size: int) -> int:
    """Check how many bytes of a buffer are meant; all if None."""
    if num is None:
        return size
    if number(num, "num") > size:
        raise ValueError(f"{num} bytes of a buffer of {size}")
    return num


class Early(Resumption):
    """Early data of a connection."""

    __slots__ = ()

    # What SSL has for all calls that do I/O.

    def _serve(self, writing: int) -> None:
        raise NotImplementedError

    def _ended(self, conn: Any, io: int, writing: int) -> int:
        raise NotImplementedError

    def _prepare(self, conn: Any) -> None:
        raise NotImplementedError

    def _misfit(self, role: int) -> bool:
        raise NotImplementedError

    def _set_role(self, conn: Any, role: int) -> None:
        raise NotImplementedError

    def _stale(self) -> bool:
        raise NotImplementedError

    def _pass_bios(self, conn: Any) -> None:
        raise NotImplementedError

    # ---- writing -----------------------------------------------------------

    def write_early_data(
        self, data: Any, num: int | None = None
    ) -> tuple[int, int]:
        """Write early data as client, or data before the end as server.

        On a client it comes before any other I/O and sends the ClientHello
        first; the session set must have come with a limit for early data,
        and all calls together stay within it. Afterwards `do_handshake`
        completes the handshake, and `get_early_data_status` tells whether
        the server took the data: if not, write it again.

        On a server it may be called from the first success of
        `read_early_data` on: the client has proven nothing yet.

        Args:
            data: Contiguous, bytes-like. After a call that wants to be
                repeated, the same again, before anything else is called.
            num: How many bytes of it; all if left out.

        Returns:
            (1, bytes written), or (0, 0), and `get_error` tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.
            SSL_ERROR_SSL: ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED for the wrong
                moment or session; fatal are SSL_R_TOO_MUCH_EARLY_DATA, and
                SSL_R_INCONSISTENT_EARLY_DATA_SNI and _ALPN for a session of
                another server name or protocol.

        Source: SSL_write_early_data(3); contract ED-2, ED-6.
        """
        view = source(data)
        num = _count(num, len(view))
        if num < 0:
            self._refuse(SSL_R_BAD_LENGTH, 1)
            return 0, 0
        n = self._alone(self._write_early, data, view, num)
        self._raise_parked()
        return (0, 0) if n < 0 else (1, n)

    def _write_early(self, conn: Any, data: Any, view: Any, num: int) -> int:
        """Write; gives the bytes, or -1."""
        client = lib.PYS_CLIENT
        if self._role == lib.PYS_NO_ROLE and not self._misfit(client):
            self._set_role(conn, client)
        written = 0

        def call() -> int:
            nonlocal written
            n = int(lib.pys_conn_write_early(conn, view, num))
            written = max(n, 0)
            return _DONE if n >= 0 else -n

        io = self._early(conn, call)
        self._unsent = data if io in _RETRIES else None
        return written if io == _DONE else -1

    # ---- reading -----------------------------------------------------------

    def read_early_data(
        self, buf: Any, num: int | None = None
    ) -> tuple[int, int]:
        """Read early data, as server, instead of a first `do_handshake`.

        Call it until it gives SSL_READ_EARLY_DATA_FINISH, then complete the
        handshake with `do_handshake`. A server that begins with
        `do_handshake` refuses early data.

        Args:
            buf: Writable, contiguous, bytes-like.
            num: Bytes to read at most; all of buf if left out.

        Returns:
            (SSL_READ_EARLY_DATA_SUCCESS, bytes read),
            (SSL_READ_EARLY_DATA_FINISH, 0) if there is none or no more, or
            (SSL_READ_EARLY_DATA_ERROR, 0), and `get_error` tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.
            SSL_ERROR_SSL: ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED on a client,
                or once another call has begun the handshake; or fatal.

        Source: SSL_read_early_data(3); contract ED-3.
        """
        into = room(buf)
        num = _count(num, len(into))
        if num < 0:
            self._refuse(SSL_R_BAD_LENGTH, 0)
            return SSL_READ_EARLY_DATA_ERROR, 0
        result = self._alone(self._read_early, into, num)
        self._raise_parked()
        return result

    def _read_early(self, conn: Any, into: Any, num: int) -> tuple[int, int]:
        n, ended = ffi.new("size_t *"), ffi.new("bool *")

        def call() -> int:
            n[0] = num
            return int(lib.pys_conn_read_early(conn, into, n, ended))

        if self._early(conn, call) != _DONE:
            return SSL_READ_EARLY_DATA_ERROR, 0
        if not ended[0]:
            return SSL_READ_EARLY_DATA_SUCCESS, int(n[0])
        return SSL_READ_EARLY_DATA_FINISH, 0

    def _early(self, conn: Any, call: Callable[[], int]) -> int:
        """Run a call of the core until it is done, or must be repeated."""
        ssl = cast("SSL", self)
        phase = lib.pys_conn_phase(conn)
        if phase in (lib.PYS_BEFORE, lib.PYS_RUNNING):
            self._prepare(conn)
        elif self._stale():
            self._pass_bios(conn)
        while True:
            io = call()
            if lib.pys_conn_told(conn):
                self._tell(conn)
            if io in _TURNS:
                self._serve(0)
                self._serve(1)
            elif io != lib.PYS_IO_ASK or not asks.answer(ssl, conn):
                break
        if io == _DONE:
            self._both_note(_NOTHING)
            return io
        writing = int(lib.pys_conn_want(conn, 1) == _WRITING)
        self._ended(conn, io, writing)
        self._both_note(self._write_want if writing else self._read_want)
        return io

    # ---- what came of it ---------------------------------------------------

    def get_early_data_status(self) -> int:
        """Tell what became of the client's early data.

        Returns:
            SSL_EARLY_DATA_NOT_SENT; SSL_EARLY_DATA_ACCEPTED;
            SSL_EARLY_DATA_REJECTED, which on a client also stands for: no
            answer yet.

        Source: SSL_get_early_data_status(3); contract ED-5.
        """
        return int(self._facts(lib.pys_conn_early_status))

    def set_allow_early_data_cb(
        self, cb: EarlyDataCallback | None, arg: Any = None
    ) -> None:
        """Set who may refuse early data of this connection.

        Args:
            cb: As for `SSL_CTX.set_allow_early_data_cb`.
            arg: Handed to the callback.

        Source: SSL_set_allow_early_data_cb(3).
        """
        self._keep_copied(early=paired(cb, arg))

    def export_keying_material_early(
        self, out: Any, label: str | bytes, context: Any = None
    ) -> int:
        """Fill a buffer with bytes that belong to the early data.

        Not forward secret, and the same again if the ClientHello is
        replayed.

        Args:
            out: Writable, contiguous, bytes-like; its size is how much.
            label: Who the bytes are for (RFC 5705 4), ASCII.
            context: Bytes-like; None is no bytes.

        Returns:
            1; 0 if no early data was sent, or a server did not accept it,
            or for more bytes than there can be.

        Source: SSL_export_keying_material_early(3); RFC 8446 7.5.
        """
        into = room(out)
        name = label.encode("ascii") if isinstance(label, str) else label
        if not isinstance(name, bytes):
            raise TypeError("a label is text or bytes")
        data = source(b"" if context is None else context)

        def do(conn: Any) -> int:
            return int(
                lib.pys_conn_export_early(
                    conn, into, len(into), name, len(name), data, len(data)
                )
            )

        return self._facts(do)
