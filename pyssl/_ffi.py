"""The only module that touches the extension.

Here it is loaded, checked against the package and started; here Python's
buffers become pointers and C's pointers get their owner.
"""

from __future__ import annotations

from typing import Any

from pyssl._pyssl import ffi, lib

__all__ = [
    "VERSION",
    "bytes_of",
    "ffi",
    "lib",
    "own",
    "room",
    "source",
    "text_of",
]

VERSION = "0.1.0"

_BYTES = ffi.typeof("uint8_t[]")
_NULL = ffi.NULL


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


def own(handle: Any, free: Any) -> Any:
    """Give a new C object its owner.

    Args:
        handle: what a `pys_..._new` or `..._up_ref` call gave.
        free: the matching `pys_..._free`, called once when the owner goes.

    Errors:
        MemoryError: the handle is NULL.
    """
    if handle == _NULL:
        raise MemoryError
    return ffi.gc(handle, free)


def bytes_of(pointer: Any, n: int) -> bytes:
    """Copy n bytes out of C; none for NULL."""
    return b"" if pointer == _NULL else bytes(ffi.buffer(pointer, n))


def text_of(pointer: Any) -> str | None:
    """Copy a NUL-ended text out of C; None for NULL."""
    if pointer == _NULL:
        return None
    return str(ffi.string(pointer), "utf-8", "replace")
