"""Types of BIO: the ones the core has, and the ones written in Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Optional

from pyssl._ffi import Method, lib
from pyssl.const_bio import (
    BIO_TYPE_BIO,
    BIO_TYPE_FD,
    BIO_TYPE_MEM,
    BIO_TYPE_NULL,
    BIO_TYPE_SOCKET,
    BIO_TYPE_START,
)

# An operation of a type: it gets the BIO first, as BIO_meth_new(3) has it.
Operation = Optional[Callable[..., Any]]
# Ends a BIO; told whether the garbage collector found it.
Finish = Callable[[Any, bool], None]

_LAST_INDEX = 255
_indices = itertools.count(BIO_TYPE_START + 1)


def BIO_get_new_index() -> int:
    """Take the next free number for a type.

    Returns:
        129 at first, 255 at last, then -1. To be combined with
        BIO_TYPE_SOURCE_SINK or BIO_TYPE_FILTER, and BIO_TYPE_DESCRIPTOR.

    Source: BIO_get_new_index(3) RETURN VALUES.
    """
    index = next(_indices)
    return index if index <= _LAST_INDEX else -1


class BIO_METHOD(Method):
    """A type of BIO, made of the operations that it has.

    Each operation is a callable, or None if the type does not have it:
    read(b, n) and gets(b, n) return bytes or an int <= 0; write(b, view),
    puts(b, bytes), ctrl(b, cmd, larg, parg) and callback_ctrl(b, cmd, cb)
    return an int; create(b) and destroy(b) a truth value. A change counts
    for the BIOs that exist, too.

    Args:
        type_: number of the type, class bits included.
        name: words for people.

    Source: BIO_meth_new(3).
    """

    __slots__ = (
        "_callback_ctrl",
        "_create",
        "_ctrl",
        "_destroy",
        "_finish",
        "_freed",
        "_gets",
        "_puts",
        "_read",
        "_sealed",
        "_write",
        "name",
        "type",
    )

    def __init__(self, type_: int, name: str | bytes) -> None:
        if not isinstance(type_, int):
            raise TypeError("the type of a BIO is an int")
        if isinstance(name, bytes):
            name = name.decode("utf-8", "replace")
        if not isinstance(name, str):
            raise TypeError("the name of a type is a str")
        self.type = type_
        self.name = name
        self._freed = False
        self._sealed = False  # built in
        self._finish: Finish | None = None  # destroy, of types built in
        self._write: Operation = None
        self._read: Operation = None
        self._puts: Operation = None
        self._gets: Operation = None
        self._ctrl: Operation = None
        self._create: Operation = None
        self._destroy: Operation = None
        self._callback_ctrl: Operation = None

    def __repr__(self) -> str:
        return f"<BIO_METHOD {self.type:#x} {self.name!r}>"

    def _set(self, which: str, operation: Operation) -> int:
        """Store an operation, after a look at who asks for what."""
        self._check()
        if self._sealed:
            raise TypeError("a built-in type cannot be changed")
        if operation is not None and not callable(operation):
            raise TypeError("an operation is a callable or None")
        setattr(self, which, operation)
        return 1

    def _get(self, which: str) -> Operation:
        """Give an operation that was set."""
        self._check()
        operation: Operation = getattr(self, which)
        return operation

    def _check(self) -> None:
        """Refuse a type that was given up."""
        if self._freed:
            raise ValueError("this BIO_METHOD was freed")

    def set_write(self, write: Operation) -> int:
        """Set write(b, view) -> int. Returns 1."""
        return self._set("_write", write)

    def set_read(self, read: Operation) -> int:
        """Set read(b, n) -> bytes or an int <= 0. Returns 1."""
        return self._set("_read", read)

    def set_puts(self, puts: Operation) -> int:
        """Set puts(b, bytes) -> int. Returns 1."""
        return self._set("_puts", puts)

    def set_gets(self, gets: Operation) -> int:
        """Set gets(b, n) -> bytes, at most n - 1, or an int <= 0.

        Returns 1.
        """
        return self._set("_gets", gets)

    def set_ctrl(self, ctrl: Operation) -> int:
        """Set ctrl(b, cmd, larg, parg) -> int. Returns 1."""
        return self._set("_ctrl", ctrl)

    def set_create(self, create: Operation) -> int:
        """Set create(b) -> truth; it must call b.set_init(1). Returns 1."""
        return self._set("_create", create)

    def set_destroy(self, destroy: Operation) -> int:
        """Set destroy(b), which runs once, at the very end. Returns 1."""
        return self._set("_destroy", destroy)

    def set_callback_ctrl(self, callback_ctrl: Operation) -> int:
        """Set callback_ctrl(b, cmd, cb) -> int. Returns 1."""
        return self._set("_callback_ctrl", callback_ctrl)

    def get_write(self) -> Operation:
        """Give what set_write set, or None."""
        return self._get("_write")

    def get_read(self) -> Operation:
        """Give what set_read set, or None."""
        return self._get("_read")

    def get_puts(self) -> Operation:
        """Give what set_puts set, or None."""
        return self._get("_puts")

    def get_gets(self) -> Operation:
        """Give what set_gets set, or None."""
        return self._get("_gets")

    def get_ctrl(self) -> Operation:
        """Give what set_ctrl set, or None."""
        return self._get("_ctrl")

    def get_create(self) -> Operation:
        """Give what set_create set, or None."""
        return self._get("_create")

    def get_destroy(self) -> Operation:
        """Give what set_destroy set, or None."""
        return self._get("_destroy")

    def get_callback_ctrl(self) -> Operation:
        """Give what set_callback_ctrl set, or None."""
        return self._get("_callback_ctrl")

    def free(self) -> None:
        """Give the type up; BIOs of this type go on working."""
        self._check()
        if not self._sealed:
            self._freed = True


def BIO_meth_new(type_: int, name: str | bytes) -> BIO_METHOD:
    """Make a type without operations.

    Args:
        type_: its number, class bits included; see BIO_get_new_index.
        name: words for people.

    Source: BIO_meth_new(3).
    """
    return BIO_METHOD(type_, name)


def _built_in(kind: int, type_: int, name: str) -> BIO_METHOD:
    """Describe a type that the core has."""
    method = BIO_METHOD(type_, name)
    method._kind = kind
    method._sealed = True
    return method


def built_of(type_: int, name: str, **operations: Any) -> BIO_METHOD:
    """Make a type of the package that is written in Python.

    Args:
        type_: its number.
        name: words for people.
        operations: as the setters of a type have them, and finish(b,
            collected) in place of destroy.
    """
    method = BIO_METHOD(type_, name)
    for which, operation in operations.items():
        setattr(method, "_" + which, operation)
    method._sealed = True
    return method


_MEM = _built_in(lib.PYS_BIO_MEM, BIO_TYPE_MEM, "memory buffer")
_PAIR = _built_in(lib.PYS_BIO_PAIR, BIO_TYPE_BIO, "BIO pair")
_SOCKET = _built_in(lib.PYS_BIO_SOCKET, BIO_TYPE_SOCKET, "socket")
_FD = _built_in(lib.PYS_BIO_FD, BIO_TYPE_FD, "file descriptor")
_NULL = _built_in(lib.PYS_BIO_NULL, BIO_TYPE_NULL, "NULL")


def BIO_s_mem() -> BIO_METHOD:
    """Give the type of memory BIOs. Source: BIO_s_mem(3)."""
    return _MEM


def BIO_s_bio() -> BIO_METHOD:
    """Give the type of halves of BIO pairs. Source: BIO_s_bio(3)."""
    return _PAIR


def BIO_s_socket() -> BIO_METHOD:
    """Give the type of socket BIOs. Source: BIO_s_socket(3)."""
    return _SOCKET


def BIO_s_fd() -> BIO_METHOD:
    """Give the type of descriptor BIOs. Source: BIO_s_fd(3)."""
    return _FD


def BIO_s_null() -> BIO_METHOD:
    """Give the type of BIOs that swallow all. Source: BIO_s_null(3)."""
    return _NULL
