"""BIO, the man pages' stream of bytes.

The methods are the functions of the pages without prefix and first argument.
A BIO given to another function stays the caller's: who keeps it takes a
reference of its own (contract, CV-3 and OWN-4).
"""

from __future__ import annotations

from typing import Any, Optional, Union, cast

from pyssl import err
from pyssl._ffi import ffi, lib, room, source
from pyssl.bio_kinds import BioKinds
from pyssl.bio_life import (
    LOCK,
    READING,
    WRITING,
    BioLife,
    checked,
    descriptor,
    let_all_go,
    number,
)
from pyssl.bio_method import (
    BIO_METHOD,
    BIO_get_new_index,
    BIO_meth_new,
    BIO_s_bio,
    BIO_s_fd,
    BIO_s_mem,
    BIO_s_null,
    BIO_s_socket,
)
from pyssl.const import ERR_LIB_BIO
from pyssl.const_bio import (
    BIO_CB_GETS,
    BIO_CB_PUTS,
    BIO_CB_READ,
    BIO_CB_WRITE,
    BIO_CTRL_POP,
    BIO_CTRL_PUSH,
    BIO_R_INVALID_ARGUMENT,
    BIO_R_UNSUPPORTED_METHOD,
)

__all__ = [
    "BIO",
    "BIO_METHOD",
    "BIO_fd_non_fatal_error",
    "BIO_fd_should_retry",
    "BIO_get_new_index",
    "BIO_meth_new",
    "BIO_new",
    "BIO_new_bio_pair",
    "BIO_new_fd",
    "BIO_new_mem_buf",
    "BIO_new_socket",
    "BIO_s_bio",
    "BIO_s_fd",
    "BIO_s_mem",
    "BIO_s_null",
    "BIO_s_socket",
]

_INT_LIMIT = 1 << 31


def _length(n: int | None, size: int) -> int:
    """Check the length given with a buffer of size bytes."""
    if n is None:
        return size
    if not isinstance(n, int):
        raise TypeError("a length is an int")
    if n > size:
        raise ValueError(f"length {n} for a buffer of {size} bytes")
    return n


class BIO(BioKinds):
    """A source, sink or filter of bytes.

    Args:
        method: its type.

    Errors:
        ValueError: the type's create function failed.

    Source: BIO_new(3).
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<BIO {self._method.name!r} at {id(self):#x}>"

    # ---- BIO_new(3) ----------------------------------------------------

    def up_ref(self) -> int:
        """Add a reference. Returns 1."""
        self._usable()
        self._add_user()
        return 1

    def _free(self) -> int:
        """As `free`, in all its cases."""
        self._usable()
        return self._drop_user()

    def vfree(self) -> None:
        """Give up one reference, without a result."""
        self.free()

    def free_all(self) -> None:
        """Give up the chain from here on.

        It ends behind the first BIO that someone else keeps as well, which
        keeps its link to the rest.

        Source: BIO_free_all(3).
        """
        self._usable()
        chain: list[BioLife] = []
        bio: BioLife | None = self
        while bio is not None:
            chain.append(bio)
            bio = bio._next
        raised: BaseException | None = None
        for one in chain:
            with LOCK:
                kept = one._count() - int(one._prev is not None)
            try:
                if one._refs > 0:
                    one._drop_user()
            except BaseException as e:  # noqa: BLE001 (raised below)
                raised = raised or e
            if kept > 1:
                break
        if raised is not None:
            raise raised

    # ---- BIO_push(3), BIO_find_type(3) ---------------------------------

    def push(self, tail: BIO | None) -> BIO:
        """Append the chain at tail to this chain.

        What stood before tail becomes a chain of its own.

        Errors:
            ValueError: the chain would become a circle.

        Source: BIO_push(3).
        """
        self._usable()
        end = self._last()
        if tail is not None:
            self._link(end, checked(tail))
        self._tell(BIO_CTRL_PUSH, end)
        return self

    def pop(self) -> BIO | None:
        """Take this BIO out of its chain.

        Returns:
            The BIO that followed, or None.

        Source: BIO_pop(3).
        """
        self._usable()
        self._tell(BIO_CTRL_POP, self)
        loose: list[BioLife | None] = []
        with LOCK:
            before = self._before()
            after = self._cut()
            loose.append(after)
            if before is not None:
                loose.append(before._cut())
                if after is not None:
                    before._join(after)
        let_all_go(loose)
        return cast("Optional[BIO]", after)

    def set_next(self, tail: BIO | None) -> None:
        """Link tail behind this BIO, or cut off what follows for None.

        Errors:
            ValueError: the chain would become a circle.

        Source: BIO_set_next(3).
        """
        self._usable()
        self._link(self, None if tail is None else checked(tail))

    def next(self) -> BIO | None:
        """Give the BIO that follows, or None."""
        self._usable()
        return cast("Optional[BIO]", self._next)

    def find_type(self, type_: int) -> BIO | None:
        """Find a BIO in the chain from here on.

        Args:
            type_: a type, or class bits (the low byte zero) of which one
                is enough.

        Source: BIO_find_type(3).
        """
        self._usable()
        if not isinstance(type_, int):
            raise TypeError("the type of a BIO is an int")
        bio: BioLife | None = self
        while bio is not None:
            own = bio._method.type
            if own == type_ or (not type_ & 0xFF and own & type_):
                return cast("BIO", bio)
            bio = bio._next
        return None

    def method_type(self) -> int:
        """Give the number of the type."""
        self._usable()
        return self._method.type

    def method_name(self) -> str:
        """Give the name of the type."""
        self._usable()
        return self._method.name

    # ---- BIO_read(3) ---------------------------------------------------

    def _read(self, buf: Any, n: int | None) -> int:
        """As `read`, in all its cases."""
        self._usable()
        out = room(buf)
        n = _length(n, len(out))
        if n <= 0:
            return 0
        if self._views:
            self._drop_views()
        if self._plain:
            ret = int(lib.pys_bio_read(self._source(), out, n))
            if ret <= 0:
                self._fault(READING)
            return ret
        if not self._has(self._method._read):
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        ret, data = self._get(BIO_CB_READ, n)
        if ret > 0:
            ffi.memmove(out, data, len(data))
        return ret

    def _write(self, data: Any, n: int | None) -> int:
        """As `write`, in all its cases."""
        self._usable()
        given = source(data)
        n = _length(n, len(given))
        if n <= 0:
            return 0
        if self._views:
            self._drop_views()
        if self._plain:
            ret = int(lib.pys_bio_write(self._source(), given, n))
            if ret <= 0:
                self._fault(WRITING)
            return ret
        if not self._has(self._method._write):
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        return self._put(BIO_CB_WRITE, data, n)

    def gets(self, size: int) -> Union[bytes, int]:
        """Read a line.

        Args:
            size: one more than the most bytes to read.

        Returns:
            The line with its newline, or what there was; else the page's
            result: 0 or -1, or -2 if the type does not read lines.

        Errors:
            BIO_R_UNSUPPORTED_METHOD; BIO_R_INVALID_ARGUMENT for size < 0.

        Source: BIO_gets(3) RETURN VALUES.
        """
        self._usable()
        size = number(size, "a size")
        known = self._native_kind or self._method._gets is not None
        if known and size < 0:
            return self._refuse(-1, BIO_R_INVALID_ARGUMENT)
        if not known or self._lineless():
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        if size > _INT_LIMIT:
            raise ValueError("a size: out of range")
        ret, line = self._get(BIO_CB_GETS, size)
        return line if ret > 0 else ret

    def _lineless(self) -> bool:
        """Tell whether this is a type of the core without gets."""
        return self._duplex or self._views is not None

    def puts(self, data: Any) -> int:
        """Write a string.

        Args:
            data: a str, which goes out in UTF-8, or a bytes-like object;
                without a NUL in it.

        Returns:
            As `write`.

        Source: BIO_puts(3) RETURN VALUES.
        """
        self._usable()
        given = data.encode() if isinstance(data, str) else bytes(source(data))
        if b"\0" in given:
            raise ValueError("a string has no NUL in it")
        if self._views:
            self._drop_views()
        if not self._has(self._method._puts):
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        return self._put(BIO_CB_PUTS, given, len(given))

    def number_read(self) -> int:
        """Give the bytes that all reads moved; gets does not count."""
        self._usable()
        return int(lib.pys_bio_count(self._source(), READING))

    def number_written(self) -> int:
        """Give the bytes that all writes and puts moved."""
        self._usable()
        return int(lib.pys_bio_count(self._source(), WRITING))


def BIO_new(method: BIO_METHOD) -> BIO | None:
    """Make a BIO.

    Returns:
        The BIO, or None if the type's create function failed.

    Source: BIO_new(3).
    """
    if not isinstance(method, BIO_METHOD) or method._create is None:
        return BIO(method)
    bio: BIO = BIO.__new__(BIO)
    return bio if bio._begin(method) else None


def BIO_new_mem_buf(data: Any, length: int | None = None) -> BIO | None:
    """Make a read-only memory BIO over a buffer, without a copy.

    Args:
        data: C-contiguous bytes-like object; it is kept, and cannot be
            resized meanwhile.
        length: bytes of it that count; all if not given; -1 for those
            before the first NUL.

    Returns:
        The BIO, or None with BIO_R_INVALID_ARGUMENT for a length < -1.

    Source: BIO_new_mem_buf(3).
    """
    kept = source(data)
    if isinstance(kept, bytes):
        kept = ffi.from_buffer("uint8_t[]", kept)
    if length == -1:
        length = len(bytes(ffi.buffer(kept)).partition(b"\0")[0])
    n = _length(length, len(kept))
    if n < 0:
        err.put(ERR_LIB_BIO, BIO_R_INVALID_ARGUMENT)
        return None
    bio: BIO = BIO.__new__(BIO)

    def free(view: Any, _kept: Any = kept) -> None:
        """Keep the bytes as long as someone reads them."""
        lib.pys_bio_free(view)

    bio._begin(BIO_s_mem(), lib.pys_bio_new_view(kept, n), free)
    return bio


def BIO_new_socket(fd: int, close: int) -> BIO:
    """Make a socket BIO on a descriptor. Source: BIO_new_socket(3)."""
    bio = BIO(BIO_s_socket())
    bio.set_fd(fd, close)
    return bio


def BIO_new_fd(fd: int, close: int) -> BIO:
    """Make a descriptor BIO. Source: BIO_new_fd(3)."""
    bio = BIO(BIO_s_fd())
    bio.set_fd(fd, close)
    return bio


def BIO_new_bio_pair(
    writebuf1: int = 0, writebuf2: int = 0
) -> tuple[Optional[BIO], Optional[BIO]]:
    """Make two halves that are tied together.

    Args:
        writebuf1: room for what the first half writes, in bytes; 0 for the
            default.
        writebuf2: the same for the second half.

    Returns:
        The two, or None twice with an entry in the queue.

    Source: BIO_new_bio_pair(3) RETURN VALUES.
    """
    sizes = number(writebuf1, "writebuf1"), number(writebuf2, "writebuf2")
    if min(sizes) < 0:
        raise ValueError("the size of a buffer is not negative")
    first, second = BIO(BIO_s_bio()), BIO(BIO_s_bio())
    for bio, size in zip((first, second), sizes):
        if size != 0 and not bio.set_write_buf_size(size):
            return None, None
    if not first.make_bio_pair(second):
        return None, None
    return first, second


def BIO_fd_non_fatal_error(errno: int) -> int:
    """Tell whether an errno asks for a retry: 1 or 0.

    Source: BIO_fd_non_fatal_error(3).
    """
    return int(lib.pys_bio_fd_non_fatal(descriptor(errno)))


def BIO_fd_should_retry(ret: int) -> int:
    """Tell whether a result of this thread's last BIO call asks for a retry.

    Args:
        ret: what the call returned.

    Returns:
        1 if ret is 0 or -1 and errno asks for it, else 0.

    Source: BIO_fd_should_retry(3).
    """
    if number(ret, "ret") not in {0, -1}:
        return 0
    return BIO_fd_non_fatal_error(ffi.errno)
