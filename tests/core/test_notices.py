"""The queue of notices: what it costs, and what it may hold."""

from __future__ import annotations

from pyssl._ffi import bytes_of, lib
from tests.clauses import clause
from tests.core.raw import End, Pair

INFO, MSG, LOST = lib.PYS_WATCH_INFO, lib.PYS_WATCH_MSG, lib.PYS_WATCH_LOST
HEADER = 256
# As much as may wait before a call returns, and one turn more.
MUCH = (1 << 16) + (1 << 12)
A_NOTICE = 40


def drain(end: End, writing: int = 0) -> list[tuple[int, int, bytes]]:
    """Take what waits: kind, where or type, bytes."""
    found = []
    while True:
        notice = lib.pys_conn_next_notice(end.conn, writing)
        if not notice:
            return found
        what = notice.type if notice.kind == MSG else notice.where
        found.append((notice.kind, what, bytes_of(notice.p, notice.n)))


def watched(bits: int) -> Pair:
    """A pair whose both sides are watched."""
    pair = Pair()
    for end in (pair.client, pair.server):
        assert lib.pys_conn_watch(end.conn, bits)
    return pair


def size(found: list[tuple[int, int, bytes]]) -> int:
    """Give the least that notices take in memory."""
    return sum(A_NOTICE + len(data) for _, _, data in found)


@clause("MSG-1", "RFC 8446 5.1")
def test_handshake_returns_before_much_has_gathered() -> None:
    pair = watched(MSG)
    server = pair.server
    whole = b"\x01\x00\x27\x10"  # of a hello of 10000 bytes, most to come
    whole += b"\x03\x03" + bytes(9000)
    for i in range(len(whole)):
        server.inbox += b"\x16\x03\x01\x00\x01" + whole[i : i + 1]
    total = calls = 0
    while True:
        io = server.handshake()
        found = drain(server)
        assert size(found) <= MUCH
        total += len([one for one in found if one[1] == HEADER])
        calls += 1
        if io != lib.PYS_IO_NEWS:
            break
    assert io == lib.PYS_IO_WANT_READ
    assert total == len(whole)
    assert calls > len(whole) * (A_NOTICE + 5) // MUCH > 4


@clause("MSG-2")
def test_read_returns_after_each_record_that_is_told() -> None:
    pair = watched(0)
    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.client.read()  # tickets
    assert lib.pys_conn_watch(pair.client.conn, MSG | INFO)
    for data in (b"one", b"two"):
        assert pair.server.write(data) == lib.PYS_IO_DONE
        assert pair.client.read()[0] == lib.PYS_IO_NEWS
        assert [one[1:] for one in drain(pair.client)][1:] == [(257, b"\x17")]
        assert pair.client.read() == (lib.PYS_IO_DONE, data)


@clause("MSG-2")
def test_write_returns_after_each_batch_that_is_told() -> None:
    pair = watched(0)
    pair.handshake()
    assert lib.pys_conn_watch(pair.client.conn, MSG)
    data = bytes(1 << 20)
    told = 0
    while True:
        io = pair.client.write(data)
        found = drain(pair.client, 1)
        assert len(found) <= 8
        told += len(found)
        if io != lib.PYS_IO_NEWS:
            break
    assert io == lib.PYS_IO_DONE
    assert told == 2 * 64
    got = b""
    while len(got) < len(data):
        io, part = pair.server.read()
        assert io == lib.PYS_IO_DONE
        got += part
    assert got == data


def test_connection_outlives_notices_that_memory_is_short_for() -> None:
    pair = watched(INFO)
    server = pair.server
    assert server.handshake() == lib.PYS_IO_WANT_READ
    assert {one[0] for one in drain(server)} == {INFO}
    lib.pys_test_fail_alloc(2)  # the first is room for the record's header
    assert server.handshake() == lib.PYS_IO_WANT_READ
    lib.pys_test_fail_alloc(0)
    assert [one[0] for one in drain(server)] == [LOST]
    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    assert {one[0] for one in drain(server)} == {INFO}


def test_watching_fails_where_memory_is_short() -> None:
    pair = Pair()
    lib.pys_test_fail_alloc(1)
    assert not lib.pys_conn_watch(pair.client.conn, INFO)
    lib.pys_test_fail_alloc(0)
    assert drain(pair.client) == []
