"""SSL: one connection, and the calls that do I/O on it.

The core never calls Python. When it needs a BIO written in Python, or a
decision of the application, it returns, and the call here does what is
wanted and goes on with the same function. `_ended` is the one place where an
outcome of the core becomes the man page's return value.
"""

from __future__ import annotations

from _thread import get_ident
from typing import Any

from pyssl import asks, err, padding
from pyssl._ffi import ffi, lib, number, room, source
from pyssl.conn_base import QUICK, UNTRIED
from pyssl.conn_binding import Bindings
from pyssl.conn_bio import Attached
from pyssl.conn_hello import Hellos
from pyssl.conn_outcome import Outcomes
from pyssl.conn_status import Stapling
from pyssl.const import (
    ERR_LIB_BIO,
    ERR_LIB_SSL,
    ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED,
    SSL_R_BAD_LENGTH,
    SSL_R_UNINITIALIZED,
)
from pyssl.notices import deliver

# Bound here because every read and write uses them.
_shake = lib.pys_conn_shake
_do_read = lib.pys_conn_read
_do_write = lib.pys_conn_write
_phase = lib.pys_conn_phase
_set_role = lib.pys_conn_set_role
_from_buffer = ffi.from_buffer
_BYTES = ffi.typeof("uint8_t[]")

_DONE = lib.PYS_IO_DONE
_TOLD = lib.PYS_TOLD
_WANT_READ = lib.PYS_IO_WANT_READ
_WANT_WRITE = lib.PYS_IO_WANT_WRITE
_ASK = lib.PYS_IO_ASK
_BIO = lib.PYS_IO_BIO
_CLOSED = lib.PYS_IO_CLOSED
_FAULT = lib.PYS_IO_FAULT
_DEAD_BEFORE = lib.PYS_IO_DEAD
_EOF = lib.PYS_IO_EOF
_SYSCALL = lib.PYS_IO_SYSCALL
_MISUSE = lib.PYS_IO_MISUSE
_MOVED = lib.PYS_IO_MOVED
_NEWS = lib.PYS_IO_NEWS
_TURNS = (_BIO, _NEWS)  # something is to be done, then the same call again
_NOT_OPEN = lib.PYS_IO_NOT_OPEN

_OPEN = lib.PYS_OPEN
_DEAD = lib.PYS_DEAD
_NO_ROLE = lib.PYS_NO_ROLE
_CLIENT = lib.PYS_CLIENT
_SERVER = lib.PYS_SERVER

_NOTHING = lib.PYS_NOTHING
_WRITING = lib.PYS_WRITING
_READING = lib.PYS_READING

_RECEIVED = 2  # SSL_RECEIVED_SHUTDOWN


class SSL(Attached, Stapling, Hellos, Bindings, Outcomes):
    """A TLS connection (SSL_new(3)).

    One thread may read while another writes; any other use by several
    threads is put in a row. Calling an I/O function of the same object from
    one of its callbacks or BIO operations is a RuntimeError.

    The I/O methods return what the man page's function returns and leave
    the reason to `get_error` and the thread's error queue.

    Args:
        ctx: An SSL_CTX; the connection begins with the settings that it has
            now.

    Errors:
        TypeError: not a context.
        ValueError: a context that was freed.
        RuntimeError: made anew, by one of its own callbacks.
    """

    __slots__ = ()

    # ---- the pump ----------------------------------------------------------

    def _serve(self, writing: int) -> None:
        """Do what the core asks of a BIO that Python answers for."""
        if self._told is not None:
            deliver(self, self._conn, writing)
        if writing and self._copied.padding is not None:
            padding.answer(self, self._conn)
        bio = self._wbio if writing else self._rbio
        if bio is None:
            return
        if lib.pys_bio_asked(bio._native(), writing).op != 0:
            bio._answer(writing)

    def _ended(self, conn: Any, io: int, writing: int) -> int:
        """Turn an outcome into a return value, entries and SSL_want.

        Args:
            conn: The core's connection.
            io: The outcome.
            writing: The direction it is about.
        """
        if self._told is not None:
            deliver(self, conn, writing)
        want = _NOTHING
        ret = -1
        if io == _DONE:
            ret = 1
        elif io in (_WANT_READ, _MOVED):
            want = _READING
        elif io == _WANT_WRITE:
            want = _WRITING
        elif io == _CLOSED:
            ret = 0
        elif io == _ASK:
            want = lib.pys_conn_want(conn, 0)
        elif io in (_FAULT, _EOF):
            err.put_fault(lib.pys_conn_fault(conn))
            if io == _FAULT:
                self._retire_session(conn)
        elif io == _SYSCALL:
            want = lib.pys_conn_want(conn, writing)
            err.thread_state().errno = lib.pys_conn_errno(conn, writing)
            reason = lib.pys_conn_bio_fault(conn, writing)
            if reason != 0:
                err.put(ERR_LIB_BIO, reason)
        elif io == _MISUSE:
            err.put(ERR_LIB_SSL, lib.pys_conn_misuse(conn))
        self._note(want, writing)
        return ret

    def _turn(self, conn: Any, io: int) -> None:
        """Do what a read has to wait for."""
        if io == _BIO:
            self._serve(0)
            return
        self._tell_sessions(conn)
        self._send_rest()

    def _send_rest(self) -> None:
        """Try once to send the alert or refusal that reading left behind.

        Whoever writes now is not waited for: it looks for a rest after it
        has released the lock, so one of the two always sends it.
        """
        self._rest = True
        while self._rest and self._try_take(1):
            self._writer = get_ident()
            try:
                self._rest = False
                conn = self._conn
                if conn is None:
                    return
                self._shut_quick(reading=False)
                while lib.pys_conn_flush(conn) == _BIO:
                    self._serve(1)
                if self._told is not None:
                    deliver(self, conn, 1)
            finally:
                self._writer = 0
                self._give(1)

    # ---- handshake ---------------------------------------------------------

    def connect(self) -> int:
        """As `do_handshake`, in client role if none was set.

        Source: SSL_connect(3); contract 1.2.
        """
        return self._shake_hands(_CLIENT, False)

    def accept(self) -> int:
        """As `do_handshake`, in server role if none was set.

        Source: SSL_accept(3); contract 1.3.
        """
        return self._shake_hands(_SERVER, False)

    def _shake_hands(self, role: int, hidden: bool) -> int:
        """Run the handshake with both locks.

        Args:
            role: What to be if no role was set.
            hidden: It is part of a read or a write.
        """
        ret = self._alone(self._handshake, role, hidden)
        if ret <= 0 or self._parked is not None:
            self._raise_parked()
        return ret

    def _misfit(self, role: int) -> bool:
        """Tell whether the method of the context forbids a role."""
        return self._session_ctx._method.role not in (_NO_ROLE, role)

    def _handshake(self, conn: Any, role: int, hidden: bool) -> int:
        """Do the next part of the handshake; both locks are held."""
        if self._role != _NO_ROLE:
            role = self._role
        elif hidden:
            return self._refuse(SSL_R_UNINITIALIZED, 0)
        elif role != _NO_ROLE and not self._misfit(role):
            self._set_role(conn, role)
        phase = _phase(conn)
        if phase in (_OPEN, _DEAD):  # HS-19, HS-22
            self._both_note(_NOTHING)
            return 1 if phase == _OPEN else -1
        if role != _NO_ROLE and self._misfit(role):  # HS-33
            self._both_note(_NOTHING)
            return self._refuse(ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED, 0)
        self._prepare(conn)
        return self._go_on(conn, _shake(conn))

    def _go_on(self, conn: Any, io: int) -> int:
        """Go on with a handshake until it is done or waits."""
        while True:
            if io & _TOLD:
                self._tell(conn)
                io ^= _TOLD
            if io in (_DONE, _WANT_READ):  # the usual ends, in short
                self._both_note(_NOTHING if io == _DONE else _READING)
                return 1 if io == _DONE else -1
            if io in _TURNS:
                self._serve(0)
                self._serve(1)
            elif io != _ASK or not asks.answer(self, conn):
                break
            io = _shake(conn)
        writing = int(lib.pys_conn_want(conn, 1) == _WRITING)
        ret = self._ended(conn, io, writing)
        self._both_note(self._write_want if writing else self._read_want)
        return ret

    def _prepare(self, conn: Any) -> None:
        """Look up what is looked up at each call (CTX-3), clear the queue.

        The queue is cleared only if there is something to do (HS-4).
        """
        ctx = self._ctx
        self._heard()
        if self._live != ctx.live_asks:
            self._live = ctx.live_asks
            wanted = self._live & self._copied.only | self._copied.asks
            if wanted != self._asks:
                self._set_number(lib.PYS_ASKS, wanted)
                self._asks = wanted
        rbio, wbio = self._rbio, self._wbio
        if self._role == _NO_ROLE or rbio is None or wbio is None:
            return
        if rbio._epoch != self._read_epoch or wbio._epoch != self._write_epoch:
            self._pass_bios(conn)
        if (
            err.thread_state().queue
            and not lib.pys_conn_get_shutdown(conn) & _RECEIVED
        ):
            err.clear()

    def _be(self, role: int) -> None:
        """Take a role and begin anew (contract 1.4)."""
        self._alone(self._set_role, role)

    def _set_role(self, conn: Any, role: int) -> None:
        _set_role(conn, role)
        self._role = role
        self._fits = not self._misfit(role)
        self._unsent = None
        self._read_want = self._write_want = _NOTHING
        self._reading_thread = self._writing_thread = self._writer  # is us

    def clear(self) -> int:
        """Make the object ready for another connection; settings stay.

        Returns:
            1.

        Source: SSL_clear(3); contract 5.6.
        """

        def do(conn: Any) -> int:
            if self._retire_session(conn, anyway=False):
                lib.pys_conn_set_session(conn, ffi.NULL)
            lib.pys_conn_clear(conn)
            self._unsent = None
            self._both_note(_NOTHING)
            return 1

        done = self._alone(do)
        self._raise_parked()
        return done

    # ---- reading -----------------------------------------------------------

    def peek(self, buf: Any, num: int | None = None) -> int:
        """As `read`, but the bytes stay.

        Source: SSL_peek(3); contract RW-14.
        """
        return self._read(buf, num, True)

    def read_ex(self, buf: Any, num: int | None = None) -> tuple[int, int]:
        """As `read`: (1, bytes read), or (0, 0).

        Source: SSL_read_ex(3); contract RW-13.
        """
        got = self._read(buf, num, False)
        return (1, got) if got > 0 else (0, 0)

    def peek_ex(self, buf: Any, num: int | None = None) -> tuple[int, int]:
        """As `peek`: (1, bytes read), or (0, 0)."""
        got = self._read(buf, num, True)
        return (1, got) if got > 0 else (0, 0)

    def _read(self, buf: Any, num: int | None, peek: bool, n: int = 0) -> int:
        """Read with the lock; n is what a quick call ended with.

        One on a descriptor has the lock, and leaves it to be given back.
        """
        if type(buf) is bytearray:
            into = _from_buffer(_BYTES, buf, True)
        else:
            into = room(buf)
        if num is None:
            num = len(into)
        elif number(num, "num") > len(into):
            raise ValueError(f"{num} bytes into a buffer of {len(into)}")
        me = get_ident()
        conn = self._conn
        held = n != 0 and self._reader == me
        if not held and (
            conn is None or self._reader == me or self._writer == me
        ):
            conn = self._enter()  # which refuses
        if num < 0:
            return self._refuse(SSL_R_BAD_LENGTH, 0)
        bio = None if held else self._rbio
        if bio is not None and bio._epoch != self._read_epoch:
            self._exclusive(self._pass_bios)
        while True:
            if not held:
                self._take(0)
            held = False
            self._reader = me
            try:
                if self._quick_read == QUICK:
                    self._shut_quick(writing=False)
                n = n or _do_read(conn, into, num, peek)
                while n < 0 and -n in _TURNS and self._parked is None:
                    self._turn(conn, -n)
                    n = _do_read(conn, into, num, peek)
                if n >= 0:
                    self._read_want = _NOTHING
                    self._reading_thread = me
                    self._last = 0
                    if self._quick_read == UNTRIED:
                        self._open_read(conn)
                    return n
                if n != -_NOT_OPEN:
                    ret = self._read_ended(conn, -n)
                    break
            finally:
                self._reader = 0
                self._give(0)
            ret = self._shake_hands(_NO_ROLE, True)
            if ret <= 0:
                return ret
            n = 0
        self._raise_parked()
        return ret

    def _read_ended(self, conn: Any, io: int) -> int:
        """As `_ended`, for a read that gave nothing; 0 for an end (RW-8)."""
        if io == _MOVED:
            self._turn(conn, io)
        ret = self._ended(conn, io, 0)
        if io == _FAULT:
            self._send_rest()
        return 0 if io == _EOF else ret

    # ---- writing -----------------------------------------------------------

    def _write(self, data: Any, num: int | None, n: int = 0) -> int:
        """Write with the lock; n is what a quick call ended with.

        One on a descriptor has the lock, and leaves it to be given back.
        """
        view = data if type(data) is bytes else source(data)
        if num is None:
            num = len(view)
        elif number(num, "num") > len(view):
            raise ValueError(f"{num} bytes from a buffer of {len(view)}")
        me = get_ident()
        conn = self._conn
        held = n != 0 and self._writer == me
        if not held and (
            conn is None or self._reader == me or self._writer == me
        ):
            conn = self._enter()  # which refuses
        if num < 0:
            return self._refuse(SSL_R_BAD_LENGTH, 1)
        bio = None if held else self._wbio
        if bio is not None and bio._epoch != self._write_epoch:
            self._exclusive(self._pass_bios)
        while True:
            if not held:
                self._take(1)
            held = False
            self._writer = me
            try:
                if self._quick_write == QUICK:
                    self._shut_quick(reading=False)
                n = n or _do_write(conn, view, num)
                while n < 0 and -n in _TURNS:
                    self._serve(1)
                    n = _do_write(conn, view, num)
                if n >= 0:
                    self._write_want = _NOTHING
                    self._writing_thread = me
                    self._last = 1
                    self._unsent = None
                    if self._quick_write == UNTRIED:
                        self._open_write(conn)
                    return n
                if n != -_NOT_OPEN:
                    ret = self._write_ended(conn, -n, data)
                    break
            finally:
                self._writer = 0
                self._give(1)
                if self._rest:
                    self._send_rest()
            ret = self._shake_hands(_NO_ROLE, True)
            if ret <= 0:
                return ret
            n = 0
        self._raise_parked()
        return ret

    def _write_ended(self, conn: Any, io: int, data: Any) -> int:
        """As `_ended`, for a write; keeps what must be given again."""
        if io in (_WANT_WRITE, _SYSCALL):
            # So that nothing else gets its address (RW-20).
            self._unsent = data
        return self._ended(conn, io, 1)

    def write_ex(self, data: Any, num: int | None = None) -> tuple[int, int]:
        """As `write`: (1, bytes written), or (0, 0).

        Source: SSL_write_ex(3); contract RW-26.
        """
        n = self.write(data, num)
        # 0 is no bytes written, or a close before the handshake was over.
        if n > 0 or (n == 0 and self.is_init_finished()):
            return 1, n
        return 0, 0

    # ---- closing -----------------------------------------------------------

    def shutdown(self) -> int:
        """Send close_notify, or finish a shutdown already begun.

        Returns:
            1 once both close_notify alerts have passed; 0 when ours is sent
            and the peer's is still to come; -1 otherwise, and `get_error`
            tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: move the BIO, call
                again.
            SSL_ERROR_SSL: the handshake is not over
                (SSL_R_SHUTDOWN_WHILE_IN_INIT), or fatal.

        Source: SSL_shutdown(3); contract 5.4.
        """
        conn = self._enter()
        if self._stale():
            self._exclusive(self._pass_bios)
        self._take(1)
        self._writer = get_ident()
        try:
            self._shut_quick(reading=False)
            self._unsent = None
            io = lib.pys_conn_shutdown(conn)
            while io == _BIO:
                self._serve(1)
                io = lib.pys_conn_shutdown(conn)
            if self._told is not None:
                deliver(self, conn, 1)
            ret = 0
            if io == _MOVED:  # ours is out, the peer's is to come
                self._note(_NOTHING, 1)
            elif io != _WANT_READ:
                ret = self._ended(conn, io, 1)
        finally:
            self._writer = 0
            self._give(1)
        if self._rest:
            self._send_rest()
        if io == _MOVED:
            return ret
        if io == _WANT_READ:
            ret = self._await_close(conn)
        self._raise_parked()
        return ret

    def _await_close(self, conn: Any) -> int:
        """Read until the peer's close_notify."""
        self._take(0)
        self._reader = get_ident()
        try:
            self._shut_quick(writing=False)
            io = _DEAD_BEFORE
            if _phase(conn) == _OPEN:
                io = lib.pys_conn_shutdown_read(conn)
            while io in _TURNS:
                self._turn(conn, io)
                io = _DEAD_BEFORE
                if _phase(conn) == _OPEN:
                    io = lib.pys_conn_shutdown_read(conn)
            ret = self._ended(conn, io, 0)
            if io == _FAULT:
                self._send_rest()
            return ret
        finally:
            self._reader = 0
            self._give(0)
