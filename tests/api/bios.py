"""What the BIO tests share: types in Python, and a look at the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyssl.bio import BIO, BIO_METHOD, BIO_meth_new, BIO_new
from pyssl.err import drain

SOURCE = 0x400 | 200
FILTER = 0x200 | 201


def bio_reason(n: int) -> int:
    """Pack a reason of the BIO library."""
    return 32 << 23 | n


UNINITIALIZED = bio_reason(120)
UNSUPPORTED = bio_reason(121)
IN_USE = bio_reason(123)
BROKEN_PIPE = bio_reason(124)
INVALID_ARGUMENT = bio_reason(125)
READ_ONLY = bio_reason(126)


def new(method: BIO_METHOD) -> BIO:
    """Make a BIO that must come to be."""
    bio = BIO_new(method)
    assert bio is not None
    return bio


def custom(type_: int = SOURCE, **operations: Callable[..., Any]) -> BIO:
    """Make a BIO with operations in Python, without a create function."""
    method = BIO_meth_new(type_, "test")
    for name, operation in operations.items():
        assert getattr(method, "set_" + name)(operation) == 1
    return new(method)


def read(bio: BIO, n: int) -> tuple[int, bytes]:
    """Read into a buffer of n bytes; the result and the bytes."""
    buf = bytearray(n)
    ret = bio.read(buf)
    return ret, bytes(buf[: max(ret, 0)])


def state(bio: BIO) -> tuple[int, int, list[int]]:
    """Give flags of retry, reason and the queue, which is emptied."""
    return bio.get_retry_flags(), bio.get_retry_reason(), drain()


__all__ = [
    "BROKEN_PIPE",
    "FILTER",
    "INVALID_ARGUMENT",
    "IN_USE",
    "READ_ONLY",
    "SOURCE",
    "UNINITIALIZED",
    "UNSUPPORTED",
    "bio_reason",
    "custom",
    "new",
    "read",
    "state",
]
