"""Limits that no test can reach by sending: RFC 8446 5.3 and 5.5."""

from __future__ import annotations

import pytest

from pyssl._ffi import lib
from tests.clauses import clause
from tests.core.raw import Pair

INTERNAL = 0xC0103
LAST = (1 << 64) - 1
GCM_LIMIT = 1 << 24


def _records(stream: bytearray) -> list[int]:
    """Give the length of each record of a stream."""
    found = []
    at = 0
    while at < len(stream):
        n = int.from_bytes(stream[at + 3 : at + 5], "big")
        found.append(n)
        at += 5 + n
    return found


def _open_at(seq: int) -> Pair:
    """A pair whose client has sent, and server received, seq records."""
    pair = Pair()
    pair.handshake()
    lib.pys_test_set_seq(pair.client.conn, 1, seq)
    lib.pys_test_set_seq(pair.server.conn, 0, seq)
    return pair


@clause("RFC 8446 5.5", "RW-29")
def test_write_before_half_the_limit_sends_no_key_update() -> None:
    pair = _open_at(GCM_LIMIT // 2 - 1)

    pair.client.write(b"x")

    assert _records(pair.server.inbox) == [1 + 17]
    assert pair.server.read() == (lib.PYS_IO_DONE, b"x")


@clause("RFC 8446 5.5", "RFC 8446 4.6.3", "RW-29")
def test_write_at_half_the_limit_sends_a_key_update_first() -> None:
    pair = _open_at(GCM_LIMIT // 2)

    pair.client.write(b"x")

    assert _records(pair.server.inbox) == [5 + 17, 1 + 17]
    assert pair.server.read() == (lib.PYS_IO_DONE, b"x")
    pair.exchange(b"goes on")


@clause("RFC 8446 5.5")
def test_write_of_many_records_over_half_the_limit_arrives_whole() -> None:
    pair = _open_at(GCM_LIMIT // 2 - 2)

    pair.exchange(bytes(range(256)) * 600)


@clause("RFC 8446 5.3")
@pytest.mark.parametrize("writing", [0, 1])
def test_sequence_number_never_wraps(writing: int) -> None:
    pair = Pair()
    pair.handshake()
    end = pair.client
    lib.pys_test_set_seq(end.conn, writing, LAST)
    pair.server.write(b"x")

    if writing:
        # Half the limit has long passed: the update itself does not fit.
        assert end.write(b"x") == lib.PYS_IO_FAULT
    else:
        assert end.read()[0] == lib.PYS_IO_FAULT

    assert end.reasons[-1] == INTERNAL
    assert end.dead
