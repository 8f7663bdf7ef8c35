"""Resumption without end does not make the process grow.

    PYSSL_RESUMPTIONS=100000 python -m pytest tests/peer/test_growth.py -s

One pair of contexts, connection after connection, each with the session
that the last one left. The first part warms caches and the allocator; from
then on the resident memory must stay where it is.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyssl as p
from tests.api.sessions import TLS12, TLS13, close, contexts, link_of
from tests.clauses import clause

COUNT = int(os.environ.get("PYSSL_RESUMPTIONS", "3000"))
# One object that is kept for every connection would be more than this.
SLACK = 1 << 20
PER_CONNECTION = 64
CACHE = 64

WAYS = {
    "1.2 by ticket": (TLS12, True),
    "1.2 by id": (TLS12, False),
    "1.3 by ticket": (TLS13, True),
    "1.3 by cache": (TLS13, False),
}


def resident() -> int:
    """Give the resident bytes, once what is free has been given back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def pair_of(version: int, tickets: bool) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make a pair of contexts that resume one way."""
    pair = contexts(version, tickets=1 if version == TLS13 else None)
    if not tickets:
        p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    p.SSL_CTX_sess_set_cache_size(pair[1], CACHE)
    return pair


def visits(pair: tuple[p.SSL_CTX, p.SSL_CTX]) -> Iterator[bool]:
    """Connect for ever; was it a resumption?"""
    session = None
    while True:
        link = link_of(pair, session)
        link.established()
        link.send(link.server, b"pong")
        reused = p.SSL_session_reused(link.client)
        assert reused == p.SSL_session_reused(link.server)
        session = p.SSL_get1_session(link.client)
        close(link)
        yield bool(reused)


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists()
    or "asan" in os.environ.get("PYSSL_TEST_CORE", "")
    or "tsan" in os.environ.get("PYSSL_TEST_CORE", ""),
    reason="needs the resident size of an ordinary process",
)
@clause("RFC 5246 7.3", "RFC 5077 3.1", "RFC 8446 2.2")
@pytest.mark.parametrize("way", WAYS)
def test_resumption_without_end_does_not_grow(way: str) -> None:
    pair = pair_of(*WAYS[way])
    end = visits(pair)
    assert next(end) is False
    for _ in range(500):
        assert next(end) is True
    before, begun = resident(), time.perf_counter()
    for _ in range(COUNT):
        assert next(end) is True
    spent = time.perf_counter() - begun
    grown = resident() - before
    print(
        f"\n{way}: {COUNT} resumptions in {spent:.1f} s, resident "
        f"{before / 2**20:.1f} MiB, grown by {grown / 1024:.0f} KiB"
    )
    assert grown < SLACK + PER_CONNECTION * min(COUNT, 5000)
    assert p.SSL_CTX_sess_number(pair[1]) <= CACHE
    assert p.SSL_CTX_sess_number(pair[0]) == 0
