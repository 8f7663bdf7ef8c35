"""Every I/O schedule: cut reads and writes, retries, ends, lack of memory."""

from __future__ import annotations

import pytest

from pyssl._ffi import ffi, lib
from tests.clauses import clause
from tests.core.raw import (
    UNEXPECTED_EOF,
    Pair,
    Schedule,
    make_settings,
)

INTERNAL = 0xC0103
DATA = bytes(range(256)) * 150  # 38,400 bytes: three records


def _lengths() -> tuple[int, int]:
    """Bytes that client and server receive in an ordinary handshake."""
    pair = Pair(client_auth=True)
    pair.handshake()
    return pair.client.taken, pair.server.taken


TO_CLIENT, TO_SERVER = _lengths()


@clause("HS-10", "HS-20", "RW-3")
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
def test_handshake_when_reads_are_cut_completes(step: int) -> None:
    pair = Pair(Schedule(read_max=step), Schedule(read_max=step), True)

    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.exchange(DATA[:500])


@clause("HS-9", "RW-18", "PAIR-17")
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
def test_handshake_when_writes_are_cut_completes(step: int) -> None:
    pair = Pair(Schedule(write_max=step), Schedule(write_max=step), True)

    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.exchange(DATA[:500])


@clause("HS-6", "HS-7")
def test_handshake_when_every_second_call_retries_completes() -> None:
    pair = Pair(Schedule(1, 1, retry_at=0), Schedule(1, 1, retry_at=0), True)

    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.exchange(DATA[:100])


@clause("HS-10")
def test_handshake_when_split_at_each_byte_of_the_flight_completes() -> None:
    for at in range(1, TO_CLIENT):
        pair = Pair(client_auth=True)
        assert pair.client.handshake() == lib.PYS_IO_WANT_READ
        assert pair.server.handshake() == lib.PYS_IO_WANT_READ
        rest = bytes(pair.client.inbox[at:])
        del pair.client.inbox[at:]
        pair.client.handshake()
        pair.client.inbox += rest
        assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE), at


@clause("HS-6", "HS-7", "HS-12")
@pytest.mark.parametrize("side", ["client", "server"])
def test_handshake_when_the_nth_operation_retries_completes(
    side: str,
) -> None:
    counted = Pair(client_auth=True)
    counted.handshake()
    n = getattr(counted, side).how.count

    for at in range(1, n + 1):
        pair = Pair(**{side: Schedule(retry_at=at)}, client_auth=True)
        assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE), at
        pair.exchange(b"x")


@clause("HS-16", "HS-22")
@pytest.mark.parametrize("side", ["client", "server"])
def test_handshake_when_the_stream_ends_at_each_byte_fails_with_294(
    side: str,
) -> None:
    whole = TO_CLIENT if side == "client" else TO_SERVER
    for at in range(whole):
        pair = Pair(**{side: Schedule(eof_at=at)}, client_auth=True)
        end = getattr(pair, side)
        mine, theirs = pair.handshake()
        io = mine if side == "client" else theirs
        if io == lib.PYS_IO_DONE:
            # ECDSA signatures differ in length: this stream was shorter.
            assert at >= end.taken >= whole - 8
            continue
        assert io == lib.PYS_IO_FAULT, at
        assert end.reasons == [UNEXPECTED_EOF], at
        assert end.dead
        assert end.handshake() == lib.PYS_IO_DEAD


@clause("RW-8", "RW-7")
def test_read_when_the_stream_ends_at_each_byte_fails_with_294() -> None:
    pair = Pair()
    pair.handshake()
    assert pair.server.write(b"whole") == lib.PYS_IO_DONE
    record = len(pair.client.inbox)

    for at in range(record + 1):
        pair = Pair()
        pair.handshake()
        end = pair.client
        end.how.eof_at = end.taken + at
        assert pair.server.write(b"whole") == lib.PYS_IO_DONE
        io, data = end.read()
        if at == record:
            assert (io, data) == (lib.PYS_IO_DONE, b"whole")
            io, data = end.read()
        assert (io, data) == (lib.PYS_IO_EOF, b"")
        assert end.reasons == [UNEXPECTED_EOF]
        assert end.read() == (lib.PYS_IO_DEAD, b"")


@clause("HS-11")
def test_reads_ask_for_a_header_then_for_the_rest_of_the_record() -> None:
    pair = Pair()
    pair.client.handshake()
    hello = len(pair.server.inbox)
    pair.server.handshake()

    assert pair.server.reads[:2] == [5, hello - 5]


@clause("HS-12")
def test_each_flight_is_flushed_once() -> None:
    pair = Pair()
    pair.handshake()

    assert pair.client.flushes == 2
    assert pair.server.flushes == 2  # the second one after its tickets


def _with_failing_allocation(n: int) -> tuple[bool, int]:
    """Run a handshake and an exchange whose n-th allocation fails.

    Gives whether an allocation was refused, and how many there were.
    """
    lib.pys_test_fail_alloc(n)
    try:
        settings = make_settings(False, True), make_settings(True, True)
        pair = Pair(settings=settings)
        outcomes = pair.handshake()
        if outcomes == (lib.PYS_IO_DONE, lib.PYS_IO_DONE):
            done = pair.client.write(DATA)
            if done == lib.PYS_IO_DONE:
                pair.server.read()
        for end in (pair.client, pair.server):
            if end.dead:
                assert end.reasons, n
                assert end.handshake() == lib.PYS_IO_DEAD
    except MemoryError:
        pass
    seen = lib.pys_test_n_alloc()
    lib.pys_test_fail_alloc(0)
    return seen >= n, seen


@clause("RFC 8446 6.2", "CV-6")
def test_every_allocation_that_fails_ends_in_a_clean_failure() -> None:
    n = 1
    while True:
        failed, _ = _with_failing_allocation(n)
        if not failed:
            break
        n += 1
        assert n < 2000
    assert n > 50


def test_pair_when_nothing_fails_gives_every_result() -> None:
    pair = Pair(client_auth=True)

    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.exchange(DATA)
    for end in (pair.client, pair.server):
        assert lib.pys_conn_version(end.conn) == 0x0304
        assert lib.pys_conn_suite(end.conn) == 0x1302
        assert lib.pys_conn_verify_result(end.conn) == 0
        assert lib.pys_conn_n_peer_certs(end.conn) >= 1
    name = lib.pys_conn_peername(pair.client.conn)
    assert ffi.string(name) == b"localhost"


# ---- padding that somebody is asked for -------------------------------------


def _padding() -> Pair:
    """Make a pair of which both ends ask how to pad."""
    made = make_settings(False, True), make_settings(True, True)
    for settings in made:
        lib.pys_settings_set_number(settings, lib.PYS_PAD_ASKED, 1)
    pair = Pair(settings=made)
    pair.client.pads, pair.server.pads = 33, 444
    return pair


@clause("PAD-2", "HS-6", "HS-7")
@pytest.mark.parametrize("side", ["client", "server"])
def test_padded_handshake_when_the_nth_operation_retries_completes(
    side: str,
) -> None:
    counted = _padding()
    counted.handshake()
    n = getattr(counted, side).how.count
    asked = [kind for kind, _ in getattr(counted, side).padded]
    assert asked

    for at in range(1, n + 2):
        pair = _padding()
        end = getattr(pair, side)
        end.how.retry_at = at
        assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE), at
        # Once for each record, however often the call is repeated.
        assert [kind for kind, _ in end.padded] == asked
        pair.exchange(b"x")


@clause("PAD-2")
@pytest.mark.parametrize("step", [1, 3, 64])
def test_padded_handshake_when_reads_and_writes_are_cut_completes(
    step: int,
) -> None:
    pair = _padding()
    for end in (pair.client, pair.server):
        end.how.read_max = end.how.write_max = step

    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.exchange(DATA[:500])


@clause("PAD-3")
def test_padding_when_the_nth_allocation_fails_ends_cleanly() -> None:
    n = failures = 0
    while True:
        n += 1
        pair = _padding()
        for end in (pair.client, pair.server):
            settings = lib.pys_conn_settings(end.conn)
            lib.pys_settings_set_number(settings, lib.PYS_SEND_FRAGMENT, 512)
        lib.pys_test_fail_alloc(n)
        try:
            outcomes = pair.handshake()
            io = lib.PYS_IO_DONE
            if outcomes == (io, io):
                io = pair.client.write(DATA[:2000])
        except MemoryError:  # of the transport
            pass
        finally:
            seen = lib.pys_test_n_alloc()
            lib.pys_test_fail_alloc(0)
        if seen < n:
            assert outcomes == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
            assert io == lib.PYS_IO_DONE
            break
        failures += 1
        ends = (pair.client, pair.server)
        for end in ends:
            if end.dead:
                assert end.reasons
                assert end.handshake() == lib.PYS_IO_DEAD
    assert failures > 50


@clause("PAD-2")
def test_answer_that_nobody_asked_for_changes_nothing() -> None:
    pair = Pair()
    n = ffi.new("size_t *")
    for act in (
        lambda: lib.pys_conn_pad(pair.client.conn, 5),
        lambda: lib.pys_conn_pad_failed(pair.client.conn),
    ):
        act()
        assert lib.pys_conn_pad_asked(pair.client.conn, n) == -1
    pair = _padding()
    pair.handshake()
    lib.pys_conn_pad(pair.client.conn, 5)
    lib.pys_conn_pad_failed(pair.client.conn)
    pair.exchange(DATA[:100])
