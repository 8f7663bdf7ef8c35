"""Application data under an index (CRYPTO_set_ex_data(3), contract 6.18)."""

from __future__ import annotations

from _thread import allocate_lock
from typing import Any, Callable, NamedTuple

from pyssl import err
from pyssl._ffi import number, watch
from pyssl.const import (
    ERR_LIB_CRYPTO,
    ERR_R_PASSED_INVALID_ARGUMENT,
)

ExCallback = Callable[[Any, Any, int, int, Any], Any]


class _Index(NamedTuple):
    """What came with an index: arguments, callbacks."""

    argl: int
    argp: Any
    new: ExCallback | None
    dup: ExCallback | None
    free: ExCallback | None


class Registry:
    """The indices of one class; 0 is the application's (EXD-1)."""

    def __init__(self) -> None:
        """Begin with index 0 alone."""
        self._indices = [_Index(0, None, None, None, None)]
        self._lock = allocate_lock()
        self.watched = False

    def new_index(
        self,
        argl: int = 0,
        argp: Any = None,
        new: ExCallback | None = None,
        dup: ExCallback | None = None,
        free: ExCallback | None = None,
    ) -> int:
        """Give the next index, at least 1.

        Args:
            argl: Handed to the callbacks.
            argp: Handed to the callbacks.
            new: Called as `(owner, value, index, argl, argp)` when an owner
                is made, in index order.
            dup: Called so for a copy, with the value of what is copied, and
                gives the copy's value; only sessions are ever copied.
            free: Called so when an owner goes.
        """
        watched = new is not None or free is not None
        with self._lock:
            self._indices.append(_Index(argl, argp, new, dup, free))
            if watched:
                self.watched = True
                watch()
            return len(self._indices) - 1

    def set(self, values: dict[int, Any], index: int, value: Any) -> int:
        """Store a value: 1, or 0 with an entry for an unknown index."""
        if not 0 <= number(index, "index") < len(self._indices):
            err.put(ERR_LIB_CRYPTO, ERR_R_PASSED_INVALID_ARGUMENT)
            return 0
        values[index] = value
        return 1

    def get(self, values: dict[int, Any] | None, index: int) -> Any:
        """Give what was stored, or None."""
        number(index, "index")
        return None if values is None else values.get(index)

    def made(self, owner: Any) -> None:
        """Run the new callbacks for an owner."""
        for index, entry in enumerate(self._indices):
            if entry.new is not None:
                entry.new(owner, None, index, entry.argl, entry.argp)

    def copied(
        self, owner: Any, values: dict[int, Any] | None
    ) -> dict[int, Any] | None:
        """Copy values to a new owner; a dup callback gives what to store."""
        if not values:
            return None
        found: dict[int, Any] = {}
        for index, entry in enumerate(self._indices):
            if index not in values:
                continue
            value = values[index]
            if entry.dup is not None:
                value = entry.dup(owner, value, index, entry.argl, entry.argp)
            found[index] = value
        return found

    def gone(self, owner: Any, values: dict[int, Any] | None) -> None:
        """Run the free callbacks for an owner."""
        for index, entry in enumerate(self._indices):
            if entry.free is not None:
                value = values.get(index) if values else None
                entry.free(owner, value, index, entry.argl, entry.argp)
