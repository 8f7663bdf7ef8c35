"""What tests see of an SSL's octets: records, and calls that fail."""

from __future__ import annotations

from typing import Callable

import pyssl as p
from tests.api import links

HANDSHAKE, DATA, ALERT, CCS = 22, 23, 21, 20
HEADER = 5
# What a TLS 1.3 record has besides its data: header, type octet, tag.
EXTRA = 22

WANT_READ = (-1, p.SSL_ERROR_WANT_READ)
WANT_WRITE = (-1, p.SSL_ERROR_WANT_WRITE)
FAILED = (-1, p.SSL_ERROR_SSL)
BROKEN = (-1, p.SSL_ERROR_SYSCALL)
CLOSED = (0, p.SSL_ERROR_ZERO_RETURN)


def records(raw: bytes) -> list[tuple[int, int]]:
    """Cut octets into records: (type on the wire, length of the body)."""
    found = []
    while raw:
        size = int.from_bytes(raw[3:5], "big")
        assert len(raw) >= HEADER + size, "half a record"
        found.append((raw[0], size))
        raw = raw[HEADER + size :]
    return found


def read(ssl: p.SSL, size: int = 16384) -> links.Outcome:
    """Call SSL_read once."""
    return links.outcome(ssl, p.SSL_read(ssl, bytearray(size)))


def peek(ssl: p.SSL, size: int = 16384) -> links.Outcome:
    """Call SSL_peek once."""
    return links.outcome(ssl, p.SSL_peek(ssl, bytearray(size)))


def write(ssl: p.SSL, data: bytes) -> links.Outcome:
    """Call SSL_write once."""
    return links.outcome(ssl, p.SSL_write(ssl, data))


def shutdown(ssl: p.SSL) -> links.Outcome:
    """Call SSL_shutdown once."""
    return links.outcome(ssl, p.SSL_shutdown(ssl))


def peeked(ssl: p.SSL, size: int = 16384) -> bytes:
    """Peek once; the call must give data."""
    buf = bytearray(size)
    got = p.SSL_peek(ssl, buf)
    assert got > 0, (links.outcome(ssl, got), links.reasons())
    return bytes(buf[:got])


# The three calls that run a handshake when there was none.
IO: dict[str, Callable[[p.SSL], links.Outcome]] = {
    "read": read,
    "peek": peek,
    "write": lambda ssl: write(ssl, b"x"),
}


def pattern(size: int) -> bytes:
    """Make data whose every part is recognised."""
    return b"".join(i.to_bytes(4, "big") for i in range(size // 4 + 1))[:size]


def sealed(link: links.MemLink, *data: bytes) -> bytes:
    """Let the server seal one record for each of data; give the octets."""
    for one in data:
        assert p.SSL_write(link.server, one) == len(one)
    return links.take(link.server_out)


def deliver(link: links.MemLink, *data: bytes) -> None:
    """Let the server send one record for each of data to the client."""
    links.put(link.client_in, sealed(link, *data))
