"""The state of a BIO that its user sees and sets, and its own data."""

from __future__ import annotations

from typing import Any

from pyssl._ffi import lib
from pyssl.bio_core import BioCore
from pyssl.bio_life import BioLife, Callback, CallbackEx, descriptor, number
from pyssl.const_bio import (
    BIO_CTRL_GET_CLOSE,
    BIO_CTRL_SET_CLOSE,
    BIO_FLAGS_IO_SPECIAL,
    BIO_FLAGS_READ,
    BIO_FLAGS_RWS,
    BIO_FLAGS_SHOULD_RETRY,
    BIO_FLAGS_WRITE,
)
from pyssl.exdata import ExCallback

_INT_LIMIT = 1 << 31
_RETRY_FLAGS = BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY


def _flags(flags: int) -> int:
    """Check a number of flags."""
    if not isinstance(flags, int):
        raise TypeError("flags are an int")
    if not 0 <= flags < _INT_LIMIT:
        raise ValueError("flags out of range")
    return flags


def _callback(cb: Any) -> Any:
    """Check an argument that must be a callable or None."""
    if cb is not None and not callable(cb):
        raise TypeError("a callback is a callable or None")
    return cb


class BioState(BioCore):
    """The methods about retries, callbacks, and the type's own data."""

    __slots__ = ()

    # ---- BIO_should_retry(3) -------------------------------------------

    def get_flags(self) -> int:
        """Give all flags."""
        self._usable()
        return int(lib.pys_bio_flags(self._source()))

    def set_flags(self, flags: int) -> None:
        """Set flags in addition."""
        self._usable()
        self._change_flags(_flags(flags), 0)

    def clear_flags(self, flags: int) -> None:
        """Clear flags."""
        self._usable()
        self._change_flags(0, _flags(flags))

    def test_flags(self, flags: int) -> int:
        """Give those of the flags that are set."""
        return self.get_flags() & _flags(flags)

    def should_retry(self) -> bool:
        """Tell whether the last operation is to be repeated later."""
        return self.test_flags(BIO_FLAGS_SHOULD_RETRY) != 0

    def should_read(self) -> bool:
        """Tell whether it waits for bytes to read."""
        return self.test_flags(BIO_FLAGS_READ) != 0

    def should_write(self) -> bool:
        """Tell whether it waits for room to write."""
        return self.test_flags(BIO_FLAGS_WRITE) != 0

    def should_io_special(self) -> bool:
        """Tell whether it waits for what `get_retry_reason` says."""
        return self.test_flags(BIO_FLAGS_IO_SPECIAL) != 0

    def retry_type(self) -> int:
        """Give the flags of read, write and special."""
        return self.test_flags(BIO_FLAGS_RWS)

    def get_retry_flags(self) -> int:
        """Give the retry flags."""
        return self.test_flags(_RETRY_FLAGS)

    def set_retry_read(self) -> None:
        """Ask for a retry when there are bytes to read."""
        self.set_flags(BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)

    def set_retry_write(self) -> None:
        """Ask for a retry when there is room to write."""
        self.set_flags(BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)

    def set_retry_special(self) -> None:
        """Ask for a retry for the reason set by `set_retry_reason`."""
        self.set_flags(BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY)

    def clear_retry_flags(self) -> None:
        """Clear the retry flags."""
        self.clear_flags(_RETRY_FLAGS)

    def copy_next_retry(self) -> None:
        """Add the retry flags and the reason of the next BIO."""
        self._usable()
        after = self._next
        if after is not None:
            c = after._source()
            self._change_flags(lib.pys_bio_flags(c) & _RETRY_FLAGS, 0)
            self._change_reason(lib.pys_bio_reason(c, -1))

    def get_retry_BIO(self) -> tuple[BioLife, int]:
        """Find the BIO that asked for a retry.

        Returns:
            The last BIO of those that ask for one from here on, this one if
            none does, and the reason of a special retry or 0.

        Source: BIO_get_retry_BIO(3).
        """
        self._usable()
        last: BioLife = self
        bio: BioLife | None = self
        while bio is not None:
            flags = lib.pys_bio_flags(bio._source())
            if not flags & BIO_FLAGS_SHOULD_RETRY:
                break
            last, bio = bio, bio._next
        c = last._source()
        special = lib.pys_bio_flags(c) & BIO_FLAGS_IO_SPECIAL
        return last, lib.pys_bio_reason(c, -1) if special else 0

    def get_retry_reason(self) -> int:
        """Give the reason set last; it outlives the flags."""
        self._usable()
        return int(lib.pys_bio_reason(self._source(), -1))

    def set_retry_reason(self, reason: int) -> None:
        """Set the reason of a special retry."""
        self._usable()
        self._change_reason(descriptor(reason))

    def last_errno(self) -> int:
        """Give the errno that the last read or write left, or 0 (CV-9)."""
        self._usable()
        return int(lib.pys_bio_errno(self._source(), -1))

    # ---- BIO_set_callback_ex(3) ----------------------------------------

    def set_callback_ex(self, cb: CallbackEx | None) -> None:
        """Set a callback around each operation.

        Args:
            cb: cb(b, oper, argp, len, argi, argl, ret, processed), to
                return ret, or ret and processed as a pair; None for none.
                processed is None before an operation and around ctrl.

        Source: BIO_set_callback_ex(3).
        """
        self._usable()
        self._callback_ex = _callback(cb)
        self._retune()

    def get_callback_ex(self) -> CallbackEx | None:
        """Give what set_callback_ex set."""
        self._usable()
        return self._callback_ex

    def set_callback(self, cb: Callback | None) -> None:
        """Set an old-style callback, used when there is no new one.

        Args:
            cb: cb(b, oper, argp, argi, argl, ret) -> ret; None for none.

        Source: BIO_set_callback(3).
        """
        self._usable()
        self._callback = _callback(cb)
        self._retune()

    def get_callback(self) -> Callback | None:
        """Give what set_callback set."""
        self._usable()
        return self._callback

    def set_callback_arg(self, arg: Any) -> None:
        """Store any object."""
        self._usable()
        self._callback_arg = arg

    def get_callback_arg(self) -> Any:
        """Give what set_callback_arg stored."""
        self._usable()
        return self._callback_arg

    # ---- BIO_get_data(3) -----------------------------------------------

    def set_data(self, data: Any) -> None:
        """Store any object, for the operations of a type in Python."""
        self._usable()
        self._data = data

    def get_data(self) -> Any:
        """Give what set_data stored."""
        self._usable()
        return self._data

    # ---- BIO_get_ex_new_index(3) ---------------------------------------

    @classmethod
    def get_ex_new_index(
        cls,
        argl: int = 0,
        argp: Any = None,
        new_func: ExCallback | None = None,
        dup_func: ExCallback | None = None,
        free_func: ExCallback | None = None,
    ) -> int:
        """Give a new index for application data.

        Source: BIO_get_ex_new_index(3); contract EXD-1, EXD-2.
        """
        return cls._registry.new_index(
            argl, argp, new_func, dup_func, free_func
        )

    def set_ex_data(self, index: int, value: Any) -> int:
        """Store an object: 1, or 0 with an entry for an unknown index."""
        self._usable()
        if self._ex is None:
            self._ex = {}
        return self._registry.set(self._ex, index, value)

    def get_ex_data(self, index: int) -> Any:
        """Give what was stored, or None."""
        self._usable()
        return None if self._ex is None else self._ex.get(index)

    # ---- what a type in Python keeps ------------------------------------

    def set_init(self, init: int) -> None:
        """Say whether the BIO is ready for I/O."""
        self._usable()
        self._init = number(init, "init")
        if self._native_kind:
            lib.pys_bio_set_ready(self._source(), self._init != 0)

    def get_init(self) -> int:
        """Tell whether the BIO is ready for I/O."""
        self._usable()
        if self._native_kind:
            return int(lib.pys_bio_ready(self._source()))
        return self._init

    def set_shutdown(self, shutdown: int) -> None:
        """Set the close flag, without a command."""
        self._usable()
        self._shutdown = number(shutdown, "shutdown")
        if self._native_kind:
            lib.pys_bio_ctrl(
                self._source(), BIO_CTRL_SET_CLOSE, int(shutdown != 0)
            )

    def get_shutdown(self) -> int:
        """Give the close flag, without a command."""
        self._usable()
        if self._native_kind:
            c = self._source()
            return int(lib.pys_bio_ctrl(c, BIO_CTRL_GET_CLOSE, 0))
        return self._shutdown
