"""Early data under every I/O schedule: cuts, retries, ends, lack of memory."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from pyssl._ffi import ffi, lib
from tests.clauses import clause
from tests.core.raw import (
    UNEXPECTED_EOF,
    End,
    Pair,
    Schedule,
    make_settings,
)

DONE = lib.PYS_IO_DONE
AGAIN = (lib.PYS_IO_WANT_READ, lib.PYS_IO_WANT_WRITE)
EARLY = bytes(range(256)) * 2
LIMIT = 60000
NO_ANTI_REPLAY = 0x1000000
ACCEPTED = 2


NOW = int(time.time() * 1000)


@pytest.fixture(autouse=True)
def _clock_stands_still() -> Iterator[None]:
    """Let no ticket grow too old for early data while a machine is slow."""
    lib.pys_test_set_now(NOW)
    yield
    lib.pys_test_set_now(-1)


def early_settings() -> tuple[Any, Any]:
    """Make settings of client and server with early data."""
    client, server = make_settings(False), make_settings(True)
    for which in (lib.PYS_MAX_EARLY_DATA, lib.PYS_RECV_MAX_EARLY_DATA):
        lib.pys_settings_set_number(server, which, LIMIT)
    options = lib.pys_settings_number(server, lib.PYS_OPTIONS)
    lib.pys_settings_set_number(
        server, lib.PYS_OPTIONS, options | NO_ANTI_REPLAY
    )
    return client, server


@functools.cache
def shared() -> tuple[tuple[Any, Any], Any]:
    """Give settings, and a session to be copied for each use."""
    settings = early_settings()
    pair = Pair(settings=settings)
    assert pair.handshake() == (DONE, DONE)
    pair.exchange(b"behind the tickets")
    session = lib.pys_conn_session(pair.client.conn)
    return settings, ffi.gc(session, lib.pys_session_free)


class Writer:
    """A client that sends early data, then completes."""

    def __init__(self, end: End, data: bytes) -> None:
        self.end, self.data = end, data
        self.raw = ffi.from_buffer(data)
        self.written = False

    def turn(self) -> int:
        if not self.written:
            n = self.end.call(
                lib.pys_conn_write_early, self.raw, len(self.data)
            )
            if n < 0:
                return -n
            assert n == len(self.data)
            self.written = True
        return self.end.handshake()


class Reader:
    """A server that reads early data to its end, then completes."""

    def __init__(self, end: End, early: bool = True) -> None:
        self.end = end
        self.got = b""
        self.ended = not early
        self.out = ffi.new("uint8_t[]", 200)
        self.n, self.last = ffi.new("size_t *"), ffi.new("bool *")

    def read(self, conn: Any) -> int:
        self.n[0] = 200
        return int(lib.pys_conn_read_early(conn, self.out, self.n, self.last))

    def turn(self) -> int:
        while not self.ended:
            io = self.end.call(self.read)
            if io != DONE:
                return io
            self.ended = bool(self.last[0])
            if not self.ended:
                self.got += bytes(ffi.buffer(self.out, self.n[0]))
        return self.end.handshake()


class EarlyPair(Pair):
    """A pair whose client resumes with early data."""

    def __init__(
        self,
        client: Optional[Schedule] = None,
        server: Optional[Schedule] = None,
        early: bool = True,
        data: bytes = EARLY,
    ) -> None:
        settings, session = shared()
        super().__init__(client, server, settings=settings)
        copy = lib.pys_session_copy(session)
        if copy == ffi.NULL:
            raise MemoryError
        lib.pys_conn_set_session(self.client.conn, copy)
        lib.pys_session_free(copy)
        self.writer = Writer(self.client, data)
        self.reader = Reader(self.server, early)

    def _progress(self) -> list[int]:
        """Count what was sent, and what was taken."""
        ends = (self.client, self.server)
        return [n for e in ends for n in (e.taken, len(e.inbox))]

    def run(self, most: int = 100_000) -> tuple[int, int]:
        """Let both go on until both have ended; give the outcomes."""
        mine = theirs = AGAIN[0]
        idle = 0
        for _ in range(most):
            before = self._progress()
            if mine in AGAIN:
                mine = self.writer.turn()
            if theirs in AGAIN:
                theirs = self.reader.turn()
            if mine not in AGAIN and theirs not in AGAIN:
                return mine, theirs
            idle = 0 if before != self._progress() else idle + 1
            if idle > 4:
                return mine, theirs
        raise AssertionError("the handshake goes on for ever")

    def completes(self, status: int = ACCEPTED) -> None:
        """All of it works, and both know what came of the early data."""
        assert self.run() == (DONE, DONE)
        assert self.reader.got == (EARLY if status == ACCEPTED else b"")
        for end in (self.client, self.server):
            assert lib.pys_conn_early_status(end.conn) == status
        self.exchange(b"goes on")


def _lengths() -> tuple[int, int]:
    """Bytes that client and server receive."""
    pair = EarlyPair()
    pair.completes()
    pair = EarlyPair()
    pair.run()
    return pair.client.taken, pair.server.taken


@clause("ED-2", "ED-3", "ED-4", "HS-10")
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
@pytest.mark.parametrize("early", [True, False])
def test_early_data_when_reads_are_cut_arrives(step: int, early: bool) -> None:
    pair = EarlyPair(Schedule(step), Schedule(step), early)
    pair.completes(ACCEPTED if early else 1)


@clause("ED-2", "ED-3", "ED-4", "HS-9")
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
@pytest.mark.parametrize("early", [True, False])
def test_early_data_when_writes_are_cut_arrives(
    step: int, early: bool
) -> None:
    pair = EarlyPair(Schedule(write_max=step), Schedule(write_max=step), early)
    pair.completes(ACCEPTED if early else 1)


@clause("ED-2", "ED-3", "HS-6", "HS-7")
def test_early_data_when_every_second_call_retries_arrives() -> None:
    EarlyPair(
        Schedule(1, 1, retry_at=0), Schedule(1, 1, retry_at=0)
    ).completes()


@clause("ED-3", "HS-10")
@pytest.mark.parametrize("early", [True, False])
def test_early_data_when_the_flight_is_split_at_each_byte_arrives(
    early: bool,
) -> None:
    _, to_server = _lengths()
    for at in range(1, to_server):
        pair = EarlyPair(early=early)
        assert pair.writer.turn() == lib.PYS_IO_WANT_READ
        rest = bytes(pair.server.inbox[at:])
        del pair.server.inbox[at:]
        pair.reader.turn()
        pair.server.inbox += rest
        pair.completes(ACCEPTED if early else 1)


@clause("ED-2", "HS-10")
def test_answer_to_early_data_when_split_at_each_byte_arrives() -> None:
    to_client, _ = _lengths()
    for at in range(1, to_client):
        pair = EarlyPair()
        assert pair.writer.turn() == lib.PYS_IO_WANT_READ
        assert pair.reader.turn() == lib.PYS_IO_WANT_READ
        rest = bytes(pair.client.inbox[at:])
        del pair.client.inbox[at:]
        pair.writer.turn()
        pair.client.inbox += rest
        pair.completes()


@clause("ED-2", "ED-3", "HS-6", "HS-7", "HS-12")
@pytest.mark.parametrize("side", ["client", "server"])
def test_early_data_when_the_nth_operation_retries_arrives(side: str) -> None:
    counted = EarlyPair()
    counted.run()
    for at in range(1, getattr(counted, side).how.count + 1):
        how = Schedule(retry_at=at)
        pair = EarlyPair(
            how if side == "client" else None,
            how if side == "server" else None,
        )
        pair.completes()


@clause("ED-3", "HS-16", "HS-22")
@pytest.mark.parametrize("side", ["client", "server"])
def test_early_data_when_the_stream_ends_at_each_byte_fails(
    side: str,
) -> None:
    whole = _lengths()[side == "server"]
    for at in range(whole):
        how = Schedule(eof_at=at)
        pair = EarlyPair(
            how if side == "client" else None,
            how if side == "server" else None,
        )
        io = pair.run()[side == "server"]
        end = getattr(pair, side)
        assert io == lib.PYS_IO_FAULT, at
        assert end.reasons == [UNEXPECTED_EOF], at
        assert end.dead
        assert end.handshake() == lib.PYS_IO_DEAD


@clause("ED-2", "ED-3")
@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_early_data_of_many_records_arrives(step: int) -> None:
    data = EARLY * 100
    pair = EarlyPair(Schedule(write_max=step), Schedule(step), data=data)
    assert pair.run(10**6) == (DONE, DONE)
    assert pair.reader.got == data


@clause("RFC 8446 6.2", "CV-6")
def test_every_allocation_that_fails_ends_in_a_clean_failure() -> None:
    shared()
    n = 1
    while True:
        lib.pys_test_fail_alloc(n)
        try:
            pair = EarlyPair()
            pair.run()
            for end in (pair.client, pair.server):
                if end.dead:
                    assert end.reasons, n
                    assert end.handshake() == lib.PYS_IO_DEAD
        except MemoryError:
            pass
        seen = lib.pys_test_n_alloc()
        lib.pys_test_fail_alloc(0)
        if seen < n:
            break
        n += 1
        assert n < 2000
    assert n > 50


@clause("RFC 8446 5.5", "ED-6")
def test_early_data_is_no_longer_sent_under_worn_keys() -> None:
    pair = EarlyPair()
    assert pair.writer.turn() == lib.PYS_IO_WANT_READ
    lib.pys_test_set_seq(pair.client.conn, 1, (1 << 23) - 1)
    raw = ffi.from_buffer(b"x")
    call = pair.client.call
    assert call(lib.pys_conn_write_early, raw, 1) == 1
    assert call(lib.pys_conn_write_early, raw, 1) == -lib.PYS_IO_FAULT
    assert pair.client.reasons == [164]
