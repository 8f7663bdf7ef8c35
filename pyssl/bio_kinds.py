"""What single types of BIO can do: memory, pairs, descriptors."""

from __future__ import annotations

from typing import Any, Optional

from pyssl._ffi import ffi, lib
from pyssl.bio_core import BioCore
from pyssl.bio_life import READING, WRITING, checked, descriptor, number
from pyssl.bio_macros import BioMacros
from pyssl.const_bio import (
    BIO_C_DESTROY_BIO_PAIR,
    BIO_C_GET_FD,
    BIO_C_GET_READ_REQUEST,
    BIO_C_GET_WRITE_BUF_SIZE,
    BIO_C_GET_WRITE_GUARANTEE,
    BIO_C_MAKE_BIO_PAIR,
    BIO_C_RESET_READ_REQUEST,
    BIO_C_SET_BUF_MEM_EOF_RETURN,
    BIO_C_SET_FD,
    BIO_C_SET_WRITE_BUF_SIZE,
    BIO_C_SHUTDOWN_WR,
)

# What a zero-copy call gives: the page's result and a view, or None.
Exposed = tuple[int, Optional[memoryview]]


class BioKinds(BioMacros):
    """The methods of BIO_s_mem(3), BIO_s_bio(3) and BIO_s_fd(3)."""

    __slots__ = ()

    # ---- BIO_s_mem(3) --------------------------------------------------

    def set_mem_eof_return(self, v: int) -> int:
        """Set what reading an empty memory BIO returns.

        Args:
            v: 0 for the end; -1 to ask for a retry.

        Returns:
            1.
        """
        return self.ctrl(BIO_C_SET_BUF_MEM_EOF_RETURN, v)

    def get_mem_data(self) -> bytes:
        """Give the unread bytes of a memory BIO, without taking them."""
        self._usable()
        c = self._source()
        data = bytearray(lib.pys_bio_mem_peek(c, ffi.NULL, 0))
        n = lib.pys_bio_mem_peek(c, ffi.from_buffer(data), len(data))
        return bytes(data[:n])

    # ---- BIO_s_bio(3) --------------------------------------------------

    def _make_bio_pair(self, other: BioCore) -> int:
        """As `make_bio_pair`, in all its cases."""
        return self.ctrl(BIO_C_MAKE_BIO_PAIR, 0, checked(other))

    def destroy_bio_pair(self) -> int:
        """Untie the halves; both lose their bytes. Returns 1."""
        return self.ctrl(BIO_C_DESTROY_BIO_PAIR)

    def shutdown_wr(self) -> int:
        """End what this half writes. Returns 1."""
        return self.ctrl(BIO_C_SHUTDOWN_WR)

    def set_write_buf_size(self, n: int) -> int:
        """Set the room for what this half writes, in bytes.

        Returns:
            1; 0 with BIO_R_INVALID_ARGUMENT for n < 1, with BIO_R_IN_USE
            while the half is tied.
        """
        return self.ctrl(BIO_C_SET_WRITE_BUF_SIZE, n)

    def get_write_buf_size(self) -> int:
        """Give the room for what this half writes, in bytes."""
        return self.ctrl(BIO_C_GET_WRITE_BUF_SIZE)

    def get_write_guarantee(self) -> int:
        """Give how many bytes a write takes whole."""
        return self.ctrl(BIO_C_GET_WRITE_GUARANTEE)

    def get_read_request(self) -> int:
        """Give how many bytes the other half asked for in vain."""
        return self.ctrl(BIO_C_GET_READ_REQUEST)

    def ctrl_get_write_guarantee(self) -> int:
        """Give `get_write_guarantee`, never negative."""
        return max(self.get_write_guarantee(), 0)

    def ctrl_get_read_request(self) -> int:
        """Give `get_read_request`, never negative."""
        return max(self.get_read_request(), 0)

    def ctrl_reset_read_request(self) -> int:
        """Forget what the other half asked for. Returns 1, 0 if no pair."""
        return self.ctrl(BIO_C_RESET_READ_REQUEST)

    def nread0(self) -> Exposed:
        """Expose the bytes that can be read in one piece, and keep them.

        Returns:
            Their number and a view of them; or 0 or -1, as `read`, and
            None. The view becomes invalid with the next operation on the
            pair.

        Source: BIO_nread0 of OpenSSL's BIO_s_bio(3).
        """
        return self._expose(READING, lib.pys_bio_nread0)

    def nread(self, n: int) -> Exposed:
        """Take up to n bytes in one piece, as `nread0`."""
        n = number(n, "n")
        return self._expose(READING, lib.pys_bio_nread, n)

    def nwrite0(self) -> Exposed:
        """Expose the room that can be written in one piece.

        Returns:
            Its size in bytes and a writable view; or -1, as `write`, and
            None.
        """
        return self._expose(WRITING, lib.pys_bio_nwrite0)

    def nwrite(self, n: int) -> Exposed:
        """Reserve up to n bytes of room; they count as written at once."""
        n = number(n, "n")
        return self._expose(WRITING, lib.pys_bio_nwrite, n)

    def _expose(self, writing: int, call: Any, *n: int) -> Exposed:
        """Make a view of a pair's memory, which lives as long as it."""
        self._usable()
        if n and n[0] <= 0:
            return 0, None
        self._drop_views()
        c = self._source()
        at = ffi.new("uint8_t **")
        link = lib.pys_bio_link(c)
        ret = int(call(c, at, *n))
        if ret > 0 and not _still(c, link):
            ret = -1  # untied by another thread
        if ret <= 0:
            lib.pys_link_free(link)
            self._fault(writing)
            return ret, None
        pointer = ffi.gc(at[0], lambda _: lib.pys_link_free(link))
        view = memoryview(ffi.buffer(pointer, ret))
        if writing == READING:
            view = view.toreadonly()
        if self._views is not None:
            self._views.append(view)
        return ret, view

    # ---- BIO_s_socket(3), BIO_s_fd(3) ----------------------------------

    def set_fd(self, fd: int, close: int) -> int:
        """Set the descriptor; BIO_CLOSE lets the BIO close it. Returns 1."""
        return self.ctrl(BIO_C_SET_FD, close, descriptor(fd))

    def get_fd(self) -> int:
        """Give the descriptor, or -1 if none was set."""
        return self.ctrl(BIO_C_GET_FD)


def _still(c: Any, link: Any) -> bool:
    """Tell whether a half is tied as it was."""
    now = lib.pys_bio_link(c)
    lib.pys_link_free(now)
    return bool(now == link)
