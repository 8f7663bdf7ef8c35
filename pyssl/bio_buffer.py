"""BIO_f_buffer(3): a filter that gathers writes, and reads by lines."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from pyssl import err
from pyssl._ffi import source
from pyssl.bio_built import begin, mirror
from pyssl.bio_life import NEITHER, READING, WRITING
from pyssl.bio_method import BIO_METHOD, built_of
from pyssl.const import ERR_LIB_BIO
from pyssl.const_bio import (
    BIO_C_DO_STATE_MACHINE,
    BIO_C_GET_BUFF_NUM_LINES,
    BIO_C_GET_FD,
    BIO_C_SET_BUFF_READ_DATA,
    BIO_C_SET_BUFF_SIZE,
    BIO_CTRL_DUP,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_GET_CALLBACK,
    BIO_CTRL_INFO,
    BIO_CTRL_PENDING,
    BIO_CTRL_RESET,
    BIO_CTRL_WPENDING,
    BIO_R_UNSUPPORTED_METHOD,
    BIO_TYPE_BUFFER,
    BIO_TYPE_DESCRIPTOR,
)

if TYPE_CHECKING:
    from pyssl.bio import BIO

_SIZE = 4096
_LIMIT = (1 << 31) - 1
_NEWLINE = 10


class _Side:
    """Bytes on their way in one direction, in a room of fixed size.

    The room stays where it is: an SSL behind wants a write that it could
    not do repeated from the same place (RW-20).
    """

    __slots__ = ("end", "lock", "room", "start")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.resize(_SIZE)

    def resize(self, size: int) -> None:
        """Take a new room, without what was in the old one."""
        self.room = bytearray(size)
        self.start = self.end = 0

    def count(self) -> int:
        """Give how many bytes are in."""
        return self.end - self.start

    def drop(self) -> None:
        """Forget the bytes."""
        self.start = self.end = 0

    def move_into(self, out: memoryview) -> int:
        """Take bytes out; gives how many."""
        n = min(self.count(), len(out))
        out[:n] = memoryview(self.room)[self.start : self.start + n]
        self.start += n
        return n


class _Buffer:
    """The two directions of a buffer BIO."""

    __slots__ = ("got", "put")

    def __init__(self) -> None:
        self.got = _Side()
        self.put = _Side()


def _create(b: BIO) -> int:
    b._keep = _Buffer()
    b._init = 1
    return 1


def _after(b: BIO) -> Any:
    """Give the next BIO, or None."""
    return b._next


def _fill(b: BIO, side: _Side) -> int:
    """Read from the next BIO into an empty room; its result."""
    after = _after(b)
    if after is None:
        return 0
    side.drop()
    got = int(after.read(side.room))
    if got > 0:
        side.end = got
    else:
        mirror(b, after, READING)
    return got


def _would_wait(b: BIO) -> bool:
    """Tell whether asking the next BIO for more may block the thread.

    That is so for a descriptor in blocking mode at the end of the chain,
    unless a BIO before it holds bytes; nothing else ever waits.
    """
    after = _after(b)
    step = after
    while step is not None:
        if step._method.type & BIO_TYPE_DESCRIPTOR:
            known = step._has(step._method._ctrl)
            fd = step._ctrl(BIO_C_GET_FD, 0, None) if known else 0
            if fd < 0 or not _blocks(fd):
                return False
            return bool(after._ctrl(BIO_CTRL_PENDING, 0, None) <= 0)
        step = step._next
    return False


def _blocks(fd: int) -> bool:
    """Tell whether a descriptor is in blocking mode, as far as known."""
    try:
        return os.get_blocking(fd)
    except (AttributeError, OSError):  # a system that cannot tell
        return True


def _read(b: BIO, n: int) -> bytes | int:
    """Give what there is, and go on while that costs no waiting (BUF-2)."""
    begin(b, READING)
    after = _after(b)
    if after is None:
        return 0
    side: _Side = b._keep.got
    with side.lock:
        if side.count() >= n:
            out = bytes(memoryview(side.room)[side.start : side.start + n])
            side.start += n
            return out
        room = bytearray(n)
        into = memoryview(room)
        have = side.move_into(into)
        got = 0
        while have < n and (have == 0 or not _would_wait(b)):
            if n - have > len(side.room):
                got = int(after.read(into[have:]))
                if got <= 0:
                    mirror(b, after, READING)
                have += max(got, 0)
            else:
                got = _fill(b, side)
                have += side.move_into(into[have:])
            if got <= 0:
                break
    return bytes(into[:have]) if have else got


def _gets(b: BIO, n: int) -> bytes | int:
    """Give a line, or what there is of it (BUF-3)."""
    begin(b, READING)
    side: _Side = b._keep.got
    line = bytearray()
    most = n - 1
    with side.lock:
        while len(line) < most:
            if side.count() == 0:
                got = _fill(b, side)
                if got <= 0:
                    return bytes(line) if line else got
            limit = min(side.end, side.start + most - len(line))
            at = side.room.find(_NEWLINE, side.start, limit)
            stop = limit if at < 0 else at + 1
            line += memoryview(side.room)[side.start : stop]
            side.start = stop
            if at >= 0:
                break
    return bytes(line)


def _pass_on(b: BIO, side: _Side) -> int:
    """Write all that was gathered: 1, or the next BIO's result."""
    after = _after(b)
    while side.count():
        if after is None:
            return 0
        view = memoryview(side.room)[side.start : side.end]
        put = int(after.write(view))
        if put <= 0:
            mirror(b, after, WRITING)
            return put
        side.start += put
    side.drop()
    return 1


def _gather(side: _Side, view: memoryview) -> int:
    """Put in what fits; gives how many bytes."""
    n = min(len(view), len(side.room) - side.end)
    side.room[side.end : side.end + n] = view[:n]
    side.end += n
    return n


def _write(b: BIO, view: memoryview) -> int:
    """Gather; pass on what is too much (BUF-1)."""
    begin(b, WRITING)
    after = _after(b)
    if after is None or not view:
        return 0
    side: _Side = b._keep.put
    with side.lock:
        if len(view) <= len(side.room) - side.end:
            return _gather(side, view)
        done = 0
        if side.count():
            done = _gather(side, view)
            ret = _pass_on(b, side)
            if ret <= 0:
                return done or ret
        while len(view) - done >= len(side.room):
            put = int(after.write(view[done:]))
            if put <= 0:
                mirror(b, after, WRITING)
                return done or put
            done += put
        return done + _gather(side, view[done:])


def _puts(b: BIO, data: bytes) -> int:
    return _write(b, memoryview(data))


def _flush(b: BIO) -> int:
    """Pass on, then flush the next BIO."""
    begin(b, WRITING)
    after = _after(b)
    if after is None:
        return 0
    side: _Side = b._keep.put
    with side.lock:
        ret = _pass_on(b, side)
    if ret > 0:
        ret = int(after._ctrl(BIO_CTRL_FLUSH, 0, None))
        mirror(b, after, WRITING)
    return ret


def _reset(b: BIO) -> None:
    for side in (b._keep.got, b._keep.put):
        with side.lock:
            side.drop()


def _resize(b: BIO, size: int, which: Any) -> int:
    """Change a room, or both for None (BUF-5)."""
    if size > _LIMIT:
        return 0
    both = (b._keep.got, b._keep.put)
    if which is not None:
        if not isinstance(which, int):
            raise TypeError("0 for reading or 1 for writing is needed")
        both = (both[which != 0],) * 2
    for side in both:
        with side.lock:
            if size > _SIZE and size != len(side.room):
                side.resize(size)
    return 1


def _preset(b: BIO, data: Any) -> int:
    """Take bytes that are to be read first."""
    given = bytes(source(data))
    side: _Side = b._keep.got
    with side.lock:
        if len(given) > len(side.room):
            side.resize(len(given))
        side.drop()
        side.end = len(given)
        side.room[: side.end] = given
    return 1


def _lines(b: BIO) -> int:
    side: _Side = b._keep.got
    with side.lock:
        return side.room.count(_NEWLINE, side.start, side.end)


def _copy(b: BIO, other: Any) -> int:
    """Give another buffer BIO the sizes of this one."""
    if not isinstance(getattr(other, "_keep", None), _Buffer):
        return 0
    other._keep.got.resize(len(b._keep.got.room))
    other._keep.put.resize(len(b._keep.put.room))
    return 1


def _ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
    keep: _Buffer = b._keep
    if cmd == BIO_CTRL_FLUSH:
        return _flush(b)
    if cmd == BIO_CTRL_WPENDING and keep.put.count():
        return keep.put.count()
    if cmd == BIO_CTRL_PENDING and keep.got.count():
        return keep.got.count()
    if cmd == BIO_CTRL_EOF and keep.got.count():
        return 0
    if cmd == BIO_CTRL_INFO:
        return keep.put.count()
    if cmd == BIO_C_GET_BUFF_NUM_LINES:
        return _lines(b)
    if cmd == BIO_C_SET_BUFF_SIZE:
        return _resize(b, larg, parg)
    if cmd == BIO_C_SET_BUFF_READ_DATA:
        return _preset(b, parg)
    if cmd == BIO_CTRL_DUP:
        return _copy(b, parg)
    if cmd == BIO_CTRL_RESET:
        _reset(b)
    if cmd == BIO_CTRL_GET_CALLBACK:
        return _ask_callback(b, larg, parg)
    after = _after(b)
    if cmd == BIO_C_DO_STATE_MACHINE:
        begin(b, NEITHER)
    if after is None:
        return 0
    ret = int(after._ctrl(cmd, larg, parg))
    if cmd == BIO_C_DO_STATE_MACHINE:
        mirror(b, after, NEITHER)
    return ret


def _lacking() -> int:
    """Queue that nobody here takes callbacks (BIO-27)."""
    err.put(ERR_LIB_BIO, BIO_R_UNSUPPORTED_METHOD)
    return -2


def _ask_callback(b: BIO, larg: int, parg: Any) -> int:
    after = _after(b)
    if after is None or after._method._callback_ctrl is None:
        return _lacking()
    return int(after._ctrl(BIO_CTRL_GET_CALLBACK, larg, parg))


def _callback_ctrl(b: BIO, cmd: int, cb: Any) -> int:
    """Let the chain behind have the callback."""
    after = _after(b)
    return _lacking() if after is None else int(after.callback_ctrl(cmd, cb))


_BUFFER = built_of(
    BIO_TYPE_BUFFER,
    "buffer",
    create=_create,
    read=_read,
    gets=_gets,
    write=_write,
    puts=_puts,
    ctrl=_ctrl,
    callback_ctrl=_callback_ctrl,
)


def BIO_f_buffer() -> BIO_METHOD:
    """Give the type of buffering filters. Source: BIO_f_buffer(3)."""
    return _BUFFER
