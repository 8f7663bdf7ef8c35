"""What a BIO does: operations with their callbacks, and the core's questions.

The pump of the core asks a foreign BIO to read, to write, for the end or to
flush; `_answer` does it as the user's call would, and stores what came of
it for the core to take.
"""

from __future__ import annotations

from typing import Any

from pyssl import err
from pyssl._ffi import ffi, lib, source
from pyssl.bio_life import (
    NEITHER,
    READING,
    RETRY_BITS,
    WRITING,
    BioLife,
    descriptor,
    result,
)
from pyssl.const import ERR_LIB_BIO
from pyssl.const_bio import (
    BIO_C_DESTROY_BIO_PAIR,
    BIO_C_GET_READ_REQUEST,
    BIO_C_GET_WRITE_BUF_SIZE,
    BIO_C_GET_WRITE_GUARANTEE,
    BIO_C_MAKE_BIO_PAIR,
    BIO_C_SET_FD,
    BIO_C_SET_WRITE_BUF_SIZE,
    BIO_CB_CTRL,
    BIO_CB_READ,
    BIO_CB_RETURN,
    BIO_CB_WRITE,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_GET_CLOSE,
    BIO_CTRL_PENDING,
    BIO_CTRL_WPENDING,
    BIO_R_INVALID_ARGUMENT,
    BIO_R_UNINITIALIZED,
    BIO_R_UNSUPPORTED_METHOD,
)

_MALLOC_FAILURE = 0xC0100

_DIRECTIONS = {BIO_CTRL_EOF: READING, BIO_CTRL_FLUSH: WRITING}

# Commands that only ask, and leave the views of a pair valid.
_QUERIES = frozenset(
    {
        BIO_CTRL_EOF,
        BIO_CTRL_GET_CLOSE,
        BIO_CTRL_PENDING,
        BIO_CTRL_WPENDING,
        BIO_CTRL_FLUSH,
        BIO_C_GET_WRITE_BUF_SIZE,
        BIO_C_GET_WRITE_GUARANTEE,
        BIO_C_GET_READ_REQUEST,
    }
)


def _moved(value: Any, n: int, what: str) -> tuple[int, bytes]:
    """Check what a Python read or gets returned: bytes, or an int <= 0."""
    if isinstance(value, int):
        if value > 0:
            raise TypeError(f"{what} must return bytes or an int <= 0")
        return result(value, what), b""
    data = bytes(source(value))
    if len(data) > n:
        raise ValueError(f"{what} returned more than {n} bytes")
    return len(data), data


class BioCore(BioLife):
    """What a BIO is without its man-page methods."""

    __slots__ = ()

    def _tell(self, cmd: int, parg: Any) -> None:
        """Send a notice that a type may do without."""
        if self._native_kind or self._method._ctrl is not None:
            self._ctrl(cmd, 0, parg)

    def _notify(self, cmd: int) -> None:
        """Send BIO_CTRL_PUSH or _POP for an SSL; exceptions are parked."""
        if self._plain:  # nobody hears it (BIO-9)
            return
        try:
            self._tell(cmd, None)  # it is not this BIO that is popped
        except BaseException as e:  # noqa: BLE001 (raised by its taker)
            self._park(e)

    # ---- operations, with callbacks ------------------------------------

    def _fault(self, writing: int) -> None:
        """Queue the reason that the core left, if it left one."""
        reason = lib.pys_bio_fault(self._source(), writing)
        if reason != 0:
            err.put(ERR_LIB_BIO, reason)

    def _get(self, oper: int, n: int) -> tuple[int, bytes]:
        """Do a read or gets of n bytes.

        Returns:
            The page's result, and the bytes if it is positive.
        """
        operate = self._op_read if oper == BIO_CB_READ else self._op_gets
        if self._callback_ex is None and self._callback is None:
            before = self._enter(READING)
            try:
                return operate(n)
            finally:
                self._leave(before)
        room = bytearray(n)
        before = self._enter(READING)
        try:
            argp = memoryview(room)
            ret, _ = self._call(oper, argp, n, 0, 0, 1, None)
            if ret <= 0:
                return ret, b""
            ret, data = operate(n)
            room[: len(data)] = data
            done = BIO_CB_RETURN | oper
            ret = min(ret, 1)
            ret, count = self._call(done, argp, n, 0, 0, ret, len(data))
            if ret <= 0:
                return ret, b""
            if not 0 <= count <= n:
                raise ValueError("a BIO callback counts bytes out of range")
            return count, bytes(room[:count])
        finally:
            self._leave(before)

    def _op_read(self, n: int) -> tuple[int, bytes]:
        """Read without callbacks."""
        if self._native_kind:
            return self._native_get(lib.pys_bio_read, n)
        if not self._init:
            return self._refuse(-1, BIO_R_UNINITIALIZED), b""
        read = self._method._read
        if read is None:
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD), b""
        ret, data = _moved(read(self, n), n, "read")
        lib.pys_bio_add_count(self._source(), READING, len(data))
        return ret, data

    def _op_gets(self, n: int) -> tuple[int, bytes]:
        """Read a line without callbacks."""
        if self._native_kind:
            return self._native_get(lib.pys_bio_gets, n)
        if not self._init:
            return self._refuse(-1, BIO_R_UNINITIALIZED), b""
        gets = self._method._gets
        if gets is None:
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD), b""
        return _moved(gets(self, n), max(n - 1, 0), "gets")

    def _native_get(self, get: Any, n: int) -> tuple[int, bytes]:
        """Read or read a line by means of the core."""
        room = bytearray(n)
        ret = int(get(self._source(), ffi.from_buffer("uint8_t[]", room), n))
        if ret <= 0:
            self._fault(READING)
        self._sync(READING)
        return ret, bytes(room[: max(ret, 0)])

    def _put(self, oper: int, data: Any, n: int) -> int:
        """Do a write or puts of the first n bytes of data."""
        operate = self._op_write if oper == BIO_CB_WRITE else self._op_puts
        argp = memoryview(data)
        if argp.ndim != 1 or argp.format != "B":
            argp = argp.cast("B")
        argp = argp[:n].toreadonly()
        length = n if oper == BIO_CB_WRITE else 0
        before = self._enter(WRITING)
        try:
            ret, _ = self._call(oper, argp, length, 0, 0, 1, None)
            if ret <= 0:
                return ret
            ret = operate(argp)
            count = max(ret, 0)
            done = BIO_CB_RETURN | oper
            called = self._callback_ex is not None
            if not called and self._callback is None:
                return ret
            ret = min(ret, 1)
            ret, count = self._call(done, argp, length, 0, 0, ret, count)
            if ret <= 0:
                return ret
            if not 0 <= count <= n:
                raise ValueError("a BIO callback counts bytes out of range")
            return count
        finally:
            self._leave(before)

    def _op_write(self, view: memoryview) -> int:
        """Write without callbacks."""
        if self._native_kind:
            return self._native_put(view)
        return self._custom_put(self._method._write, view, "write")

    def _op_puts(self, view: memoryview) -> int:
        """Write a string without callbacks."""
        if self._native_kind:
            return self._native_put(view)
        return self._custom_put(self._method._puts, view, "puts")

    def _native_put(self, view: memoryview) -> int:
        """Write by means of the core."""
        if not view:
            return 0
        data = ffi.from_buffer("uint8_t[]", view)
        ret = int(lib.pys_bio_write(self._source(), data, len(view)))
        if ret <= 0:
            self._fault(WRITING)
        self._sync(WRITING)
        return ret

    def _custom_put(self, put: Any, view: memoryview, what: str) -> int:
        """Write by means of a Python operation."""
        if not self._init:
            return self._refuse(-1, BIO_R_UNINITIALIZED)
        if put is None:
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        given = bytes(view) if what == "puts" else view
        ret = result(put(self, given), what)
        if ret > len(view):
            raise ValueError(f"{what} took more than it was given")
        lib.pys_bio_add_count(self._source(), WRITING, max(ret, 0))
        return ret

    def _refuse(self, ret: int, reason: int) -> int:
        """Queue why an operation is not possible."""
        err.put(ERR_LIB_BIO, reason)
        return ret

    def _has(self, operation: Any) -> bool:
        """Tell whether the type has an operation, for a custom type."""
        return self._native_kind or operation is not None

    def _ctrl(self, cmd: int, larg: int, parg: Any) -> int:
        """Do a command."""
        if not self._has(self._method._ctrl):
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        if self._views and cmd not in _QUERIES:
            self._drop_views()
        if self._plain:
            return self._op_ctrl(cmd, larg, parg)
        before = self._enter(_DIRECTIONS.get(cmd, NEITHER))
        try:
            ret, _ = self._call(BIO_CB_CTRL, parg, 0, cmd, larg, 1, None)
            if ret <= 0:
                return ret
            if self._native_kind:
                ret = self._op_ctrl(cmd, larg, parg)
                self._sync(NEITHER)
            else:
                ctrl: Any = self._method._ctrl
                ret = result(ctrl(self, cmd, larg, parg), "ctrl")
            done = BIO_CB_RETURN | BIO_CB_CTRL
            return self._call(done, parg, 0, cmd, larg, ret, None)[0]
        finally:
            self._leave(before)

    def _op_ctrl(self, cmd: int, larg: int, parg: Any) -> int:
        """Do a command of a native BIO, without callbacks."""
        c = self._source()
        if cmd == BIO_C_SET_FD:
            if not self._duplex:
                return 0
            lib.pys_bio_set_fd(c, descriptor(parg), int(larg != 0))
            return 1
        if cmd == BIO_C_MAKE_BIO_PAIR:
            return self._make_pair(parg)
        ret = int(lib.pys_bio_ctrl(c, cmd, larg))
        if ret <= 0 and cmd == BIO_C_SET_WRITE_BUF_SIZE:
            self._fault(WRITING)
        if cmd == BIO_C_DESTROY_BIO_PAIR and self._views is not None:
            self._views = []
        return ret

    def _make_pair(self, other: Any) -> int:
        """Tie two halves together."""
        if self._views is None:
            return 0
        if not isinstance(other, BioCore):
            raise TypeError("a BIO is needed")
        if other._views is None:
            return self._refuse(0, BIO_R_INVALID_ARGUMENT)
        ret = int(lib.pys_bio_make_pair(self._source(), other._source()))
        if ret <= 0:
            self._fault(WRITING)
            return ret
        self._drop_views()
        other._drop_views()
        self._views = other._views = []
        return ret

    # ---- for the pump --------------------------------------------------

    def _native(self) -> Any:
        """Give the C object that the pump works with.

        It changes at most once in the life of a BIO, and `_epoch` with it.
        The caller holds the BIO (`_hold`) while C knows the pointer.
        """
        native = self._mirror or self._c
        return self._source() if native is None else native

    def _answer(self, writing: int) -> None:
        """Do what the pump asks of a foreign BIO in one direction.

        An exception of the operation counts as -1 without a retry, and is
        parked for `_take_exception` (METH-8).
        """
        c = self._native()
        asked = lib.pys_bio_asked(c, writing)
        op, n = asked.op, asked.n
        ret, data = -1, b""
        self._hold()
        try:
            if op == lib.PYS_BIO_OP_READ:
                ret, data = self._asked_read(n)
            elif op == lib.PYS_BIO_OP_WRITE:
                ret = self._asked_write(c, n)
            elif op == lib.PYS_BIO_OP_EOF:
                ret = self._asked_ctrl(BIO_CTRL_EOF)
            elif op == lib.PYS_BIO_OP_FLUSH:
                ret = self._asked_ctrl(BIO_CTRL_FLUSH)
            self._pass_errno(c, writing)
        except BaseException as e:  # noqa: BLE001 (raised by its taker)
            self._park(e)
            ret, data = -1, b""
            lib.pys_bio_side_flags(c, writing, 0, RETRY_BITS)
        finally:
            if op != lib.PYS_BIO_OP_NONE and not lib.pys_bio_answer(
                c, writing, ret, data or ffi.NULL
            ):
                err.put(ERR_LIB_BIO, _MALLOC_FAILURE)
            self._release()

    def _asked_read(self, n: int) -> tuple[int, bytes]:
        """Read for the pump."""
        if not self._has(self._method._read):
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD), b""
        if self._views:
            self._drop_views()
        return self._get(BIO_CB_READ, n)

    def _asked_write(self, c: Any, n: int) -> int:
        """Write for the pump."""
        data = bytearray(n)
        into = ffi.from_buffer("uint8_t[]", data)
        n = lib.pys_bio_asked_data(c, WRITING, into, n)
        if not self._has(self._method._write):
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        if self._views:
            self._drop_views()
        return self._put(BIO_CB_WRITE, bytes(data[:n]), n)

    def _asked_ctrl(self, cmd: int) -> int:
        """Ask for the end, or flush, for the pump."""
        return self._ctrl(cmd, 0, None)

    def _pass_errno(self, c: Any, writing: int) -> None:
        """Show the errno of the source at the chain's end (CV-9)."""
        end = self._last()
        if end is not self:
            errno = lib.pys_bio_errno(end._source(), writing)
            lib.pys_bio_side_errno(c, writing, errno)
