"""What the types of the package that are written in Python share.

Their operations run between `_enter` and `_leave` of their BIO, which know
the direction; flags, reason and errno are set for that direction alone, as
one thread may read while another writes.
"""

from __future__ import annotations

from typing import Any, Optional

from pyssl._ffi import ffi, lib, source
from pyssl.bio_life import NEITHER, READING, RETRY_BITS, WRITING, BioLife
from pyssl.const_bio import (
    BIO_FLAGS_IO_SPECIAL,
    BIO_FLAGS_SHOULD_RETRY,
    BIO_R_AMBIGUOUS_HOST_OR_SERVICE,
    BIO_R_MALFORMED_HOST_OR_SERVICE,
)

SPECIAL = BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

# Most bytes that one read of such a BIO asks for.
CHUNK = 65536

_BOTH = (READING, WRITING)


def sides(writing: int) -> tuple[int, ...]:
    """Give the directions that an operation is about."""
    return _BOTH if writing == NEITHER else (writing,)


def begin(b: BioLife, writing: int) -> Any:
    """Clear what the last operation of a direction left (BIO-22).

    Returns:
        The C object.
    """
    c = b._source()
    for side in sides(writing):
        lib.pys_bio_side_flags(c, side, 0, RETRY_BITS)
        lib.pys_bio_side_errno(c, side, 0)
    return c


def ask_again(
    b: BioLife, writing: int, reason: int, errno: int, flags: int = SPECIAL
) -> int:
    """Ask for a retry, for a special reason; -1."""
    c = b._source()
    for side in sides(writing):
        lib.pys_bio_side_flags(c, side, flags, 0)
        if flags & BIO_FLAGS_IO_SPECIAL:
            lib.pys_bio_side_reason(c, side, reason)
        lib.pys_bio_side_errno(c, side, errno)
    return -1


def keep_errno(b: BioLife, writing: int, errno: int) -> None:
    """Leave the errno of a failure (CV-9)."""
    c = b._source()
    for side in sides(writing):
        lib.pys_bio_side_errno(c, side, errno)


def mirror(b: BioLife, other: BioLife, writing: int) -> None:
    """Add the retry flags, reason and errno of the BIO that did the work."""
    c, theirs = b._source(), other._source()
    for side in sides(writing):
        if writing == NEITHER:
            flags = lib.pys_bio_flags(theirs) & RETRY_BITS
        else:
            flags = lib.pys_bio_retry(theirs, side)
        if flags:
            lib.pys_bio_side_flags(c, side, flags, 0)
        if flags & BIO_FLAGS_IO_SPECIAL:
            reason = lib.pys_bio_reason(theirs, side)
            lib.pys_bio_side_reason(c, side, reason)
        errno = lib.pys_bio_errno(theirs, side)
        lib.pys_bio_side_errno(c, side, errno)


def native_read(b: BioLife, inner: BioLife, n: int) -> bytes | int:
    """Read from a BIO of the core for b; the flags become those of b."""
    room = bytearray(min(n, CHUNK))
    into = ffi.from_buffer("uint8_t[]", room)
    got = int(lib.pys_bio_read(inner._source(), into, len(room)))
    mirror(b, inner, READING)
    return bytes(room[:got]) if got > 0 else got


def native_write(b: BioLife, inner: BioLife, view: memoryview) -> int:
    """Write to a BIO of the core for b; the flags become those of b."""
    if not view:
        return 0
    data = ffi.from_buffer("uint8_t[]", view)
    put = int(lib.pys_bio_write(inner._source(), data, len(view)))
    mirror(b, inner, WRITING)
    return put


def answer_with(parg: Any, value: Any) -> int:
    """Put an object into the list that a command brought: 1, or 0."""
    if not isinstance(parg, list) or not parg:
        return 0
    parg[0] = value
    return 1


def words(value: Any, what: str) -> str:
    """Check a string of the application, str or bytes-like."""
    if isinstance(value, str):
        text = value
    elif value is None or isinstance(value, int):
        raise TypeError(f"{what}: a string is needed, not {value!r}")
    else:
        text = bytes(source(value)).decode("utf-8")
    if "\0" in text:
        raise ValueError(f"{what}: a string has no NUL in it")
    return text


# A host and a service, and whether the string named a service at all.
HostService = tuple[Optional[str], Optional[str], bool]


class HostServiceError(Exception):
    """A string that names no host and service; the reason is BIO_R_."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


def host_service(text: str, prefer_host: bool) -> HostService:
    """Take "host:service" apart; "*" and nothing stand for any, None.

    Args:
        text: an IPv6 address in it stands in brackets.
        prefer_host: a string without a colon is a host, not a service.

    Errors:
        HostServiceError: too many colons, or brackets that do not match.
    """
    named = True
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and rest[0] != ":"):
            raise HostServiceError(BIO_R_MALFORMED_HOST_OR_SERVICE)
        named, service = bool(rest), rest[1:]
    elif ":" in text:
        host, _, service = text.partition(":")
    else:
        named = not prefer_host
        host, service = (text, "") if prefer_host else ("", text)
    if ":" in service:
        raise HostServiceError(BIO_R_AMBIGUOUS_HOST_OR_SERVICE)
    any_host, any_service = host in {"", "*"}, service in {"", "*"}
    return (
        None if any_host else host,
        None if any_service else service,
        named,
    )
