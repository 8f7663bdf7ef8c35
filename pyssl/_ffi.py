"""The only module that touches the extension.

Here it is loaded, checked against the package and started; here Python's
buffers become pointers and C's pointers get their owner.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, NoReturn

try:
    from pyssl._pyssl import ffi, lib
except ImportError as e:
    if "subinterpreter" not in str(e):
        raise
    raise ImportError(
        "pyssl cannot be used in a sub-interpreter with a GIL of its own: "
        "cffi's part of the extension allows those that share the main "
        "interpreter's GIL only"
    ) from e

__all__ = [
    "AT_FIRST",
    "VERSION",
    "Bio",
    "Conn",
    "Ctx",
    "Method",
    "Owner",
    "Part",
    "Session",
    "asks_changed",
    "bytes_of",
    "ffi",
    "hold_plain",
    "lib",
    "number",
    "number64",
    "own",
    "queued",
    "release_plain",
    "room",
    "source",
    "text_of",
    "watch",
    "wrapped",
]

VERSION = "0.1.0"

_BYTES = ffi.typeof("uint8_t[]")
_NULL = ffi.NULL
_gc = ffi.gc


def _start() -> None:
    """Refuse an extension of another version, and a libcrypto too poor."""
    built = ffi.string(lib.pys_version()).decode()
    if built != VERSION:
        raise ImportError(
            f"the extension was built for pyssl {built}, this is pyssl "
            f"{VERSION}: build or install it again"
        )
    if not lib.pys_start():
        found = ffi.string(lib.pys_libcrypto_text()).decode()
        raise ImportError(
            f"libcrypto ({found}) lacks an algorithm that TLS 1.3 needs"
        )


_start()


def _load_quick() -> None:
    """Put the extension's second module in the place of _quick.py.

    It is not there on PyPy and on a Python without the GIL, and of no use
    where threads are not the system's (gevent's patches).
    """
    name = "pyssl._quick"
    path = sys.modules["pyssl._pyssl"].__file__
    loader = ExtensionFileLoader(name, str(path))
    spec = spec_from_file_location(name, path, loader=loader)
    if sys.implementation.name != "cpython" or spec is None:
        return
    try:
        module = module_from_spec(spec)
    except ImportError:  # it lacks an entry point of this name
        return
    loader.exec_module(module)
    if module.thread() == get_ident():
        sys.modules[name] = module


_load_quick()
from pyssl._quick import (  # noqa: E402
    AT_FIRST,
    Bio,
    Conn,
    Ctx,
    Method,
    Part,
    Session,
    asks_changed,
    hold_plain,
    queued,
    release_plain,
    watch,
    wrapped,
)


def number(value: Any, what: str) -> int:
    """Check that a caller's argument is an int.

    Errors:
        TypeError: it is something else.
    """
    if not isinstance(value, int):
        raise TypeError(f"{what}: a number is needed, not {value!r}")
    return value


def number64(value: Any, what: str) -> int:
    """Check that a caller's argument is an int of 64 bits.

    Errors:
        TypeError: it is something else.
        ValueError: it has more bits.
    """
    if not -(1 << 63) <= number(value, what) < 1 << 63:
        raise ValueError(f"{what}: {value} is out of range")
    return int(value)


def source(data: Any) -> Any:
    """Borrow the bytes of an input buffer for one call.

    Args:
        data: a C-contiguous bytes-like object.

    Returns:
        Something whose `len` is the number of bytes and that C takes as a
        `const uint8_t *`. It keeps the buffer from being resized while it
        lives.

    Errors:
        TypeError: not such an object.
    """
    if type(data) is bytes:
        return data
    try:
        return ffi.from_buffer(_BYTES, data)
    except BufferError as e:
        raise TypeError(f"a contiguous buffer is needed: {e}") from None


def room(buffer: Any) -> Any:
    """Borrow the bytes of an output buffer for one call.

    Args:
        buffer: a writable C-contiguous bytes-like object.

    Returns:
        As `source`, for a `uint8_t *`.

    Errors:
        TypeError: not such an object.
    """
    if type(buffer) is bytes:
        raise TypeError("a writable buffer is needed, not bytes")
    try:
        return ffi.from_buffer(_BYTES, buffer, require_writable=True)
    except BufferError as e:
        raise TypeError(
            f"a writable contiguous buffer is needed: {e}"
        ) from None


class Owner:
    """What owns C objects and counts references: there are no copies."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled (contract CV-3)."""
        raise TypeError(f"{type(self).__name__} objects cannot be copied")


def own(handle: Any, free: Any) -> Any:
    """Give a new C object its owner.

    Args:
        handle: what a `pys_..._new` or `..._up_ref` call gave.
        free: the matching `pys_..._free`, called once when the owner goes.

    Errors:
        MemoryError: the handle is NULL.
        TypeError: it is no C object.
    """
    if handle == _NULL:
        raise MemoryError
    return _gc(handle, free)


def bytes_of(pointer: Any, n: int) -> bytes:
    """Copy n bytes out of C; none for NULL."""
    return b"" if pointer == _NULL else bytes(ffi.buffer(pointer, n))


def text_of(pointer: Any) -> str | None:
    """Copy a NUL-ended text out of C; None for NULL."""
    if pointer == _NULL:
        return None
    return str(ffi.string(pointer), "utf-8", "replace")
