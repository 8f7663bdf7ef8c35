"""An SSL on memory BIOs, BIO pairs and BIOs written in Python.

Contract MEM-3, PAIR-15 to PAIR-19, METH-7, METH-8.
"""

from __future__ import annotations

from typing import Any, Callable

import pytest

import pyssl as p
from tests.api import links, wire
from tests.api.links import Answer, reasons
from tests.api.wire import BROKEN, FAILED, WANT_READ, WANT_WRITE
from tests.clauses import clause

SIZES = [1, 100, 0]
EOF = p.SSL_R_UNEXPECTED_EOF_WHILE_READING


class Oops(Exception):
    """What a BIO operation raises."""


# ---- memory BIOs ---------------------------------------------------------


@clause("MEM-3", "HS-6", "HS-16")
def test_handshake_on_an_empty_memory_bio_waits_until_told_of_the_end() -> (
    None
):
    peer = links.raw_client()
    for _ in range(2):
        assert peer.handshake() == WANT_READ
    assert reasons() == []
    assert p.BIO_set_mem_eof_return(peer.bio_in, 0) == 1
    assert peer.handshake() == FAILED
    assert reasons() == [(20, EOF)]


@clause("MEM-3", "RW-8")
def test_read_on_an_empty_memory_bio_waits_until_told_of_the_end() -> None:
    link = links.connected()
    for _ in range(2):
        assert wire.read(link.client) == WANT_READ
    assert p.BIO_set_mem_eof_return(link.client_in, 0) == 1
    assert wire.read(link.client) == (0, p.SSL_ERROR_SSL)
    assert reasons() == [(20, EOF)]


@clause("MEM-3")
def test_read_on_an_empty_memory_bio_may_be_told_otherwise_again() -> None:
    link = links.connected()
    for value in (-7, 0, -1):
        assert p.BIO_set_mem_eof_return(link.client_in, value) == 1
        if value:
            assert wire.read(link.client) == WANT_READ
    link.send(link.server, b"not the end")


@clause("MEM-3", "HS-16")
def test_handshake_on_a_read_only_memory_bio_ends_with_it() -> None:
    peer = links.raw_client()
    p.SSL_set0_rbio(peer.ssl, p.BIO_new_mem_buf(b"\x16\x03\x03"))
    assert peer.handshake() == FAILED
    assert reasons() == [(20, EOF)]


# ---- pairs ---------------------------------------------------------------


@clause("PAIR-15", "HS-9")
def test_pair_has_octets_to_send_whatever_the_call_returned() -> None:
    link = links.PairLink(*links.make_ends(), direct=False)
    returned = {}
    waiting = {}

    def note(name: str, ret: int) -> None:
        returned[name] = ret
        waiting[name] = p.BIO_ctrl_pending(link.client_net)
        link.move()

    note("hello", p.SSL_do_handshake(link.client))
    p.SSL_do_handshake(link.server)
    link.move()
    note("finished", p.SSL_do_handshake(link.client))
    assert p.SSL_do_handshake(link.server) == 1
    note("data", p.SSL_write(link.client, b"data"))
    note("close", p.SSL_shutdown(link.client))
    assert returned == {"hello": -1, "finished": 1, "data": 4, "close": 0}
    assert all(waiting.values())

    # Also the alert of a failure.
    peer = links.PairLink(*links.make_ends(), direct=False)
    links.put(peer.server_net, bytes.fromhex("16 03 01 00 04 01 00 00 00"))
    assert p.SSL_do_handshake(peer.server) == -1
    assert p.SSL_get_error(peer.server, -1) == p.SSL_ERROR_SSL
    assert links.take(peer.server_net)[:5] == b"\x15\x03\x03\0\2"


@clause("PAIR-16", "HS-9", "HS-7")
def test_pair_that_is_full_wants_write_and_shows_what_fitted() -> None:
    link = links.PairLink(*links.make_ends(tickets=0), size=100, direct=False)
    ssl, net = link.client, link.client_net

    def hello() -> links.Outcome:
        return links.outcome(ssl, p.SSL_do_handshake(ssl))

    octets = b""
    results = [hello()]
    while results[-1] == WANT_WRITE:
        assert p.BIO_get_write_guarantee(link.client_bio) == 0
        assert p.BIO_ctrl_pending(net) == 100
        assert hello() == WANT_WRITE  # no room, no progress
        # Some of it is enough to go on.
        taken = links.take(net, 60)
        octets += taken
        before = p.BIO_ctrl_pending(net)
        results.append(hello())
        assert p.BIO_ctrl_pending(net) > before
    assert len(results) > 2
    assert results[-1] == WANT_READ
    # Wanting to read does not mean that all was taken.
    assert p.BIO_ctrl_pending(net) > 0
    octets += links.take(net)
    assert len(wire.records(octets)) == 1
    assert octets[5] == 1


@clause("PAIR-16")
def test_pair_of_100_bytes_carries_a_handshake_in_rounds() -> None:
    link = links.PairLink(*links.make_ends(tickets=0), size=100, direct=False)
    results = link.handshake()
    assert WANT_WRITE in results
    assert results[-1] == (1, 0)
    assert set(results) == {WANT_WRITE, WANT_READ, (1, 0)}
    assert results.count((1, 0)) == 2
    assert len(results) < 100


@clause("PAIR-17", "HS-10", "RW-3")
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_pair_of_any_size_carries_handshake_data_and_close(
    size: int, direct: bool
) -> None:
    link = links.PairLink(
        *links.make_ends(tickets=0), size=size, direct=direct
    )
    link.established()
    assert p.SSL_get_verify_result(link.client) == p.X509_V_OK
    data = wire.pattern(300)
    for ssl in (link.client, link.server):
        _send(link, ssl, data)
    assert _until(link, link.client, wire.shutdown) == (0, 5)
    assert _until(link, link.server, wire.read) == wire.CLOSED
    assert _until(link, link.server, wire.shutdown) == (1, 0)
    assert _until(link, link.client, wire.shutdown) == (1, 0)
    assert reasons() == []


def _until(
    link: links.PairLink,
    ssl: p.SSL,
    call: Callable[[p.SSL], links.Outcome],
) -> links.Outcome:
    """Repeat a call; in between the other end takes what it can."""
    other = link.peer_of(ssl)
    for _ in range(2000):
        result = call(ssl)
        link.move()
        if result not in (WANT_READ, WANT_WRITE):
            return result
        # It reads no data: half a record at most.
        assert wire.peek(other) in (WANT_READ, wire.CLOSED)
        link.move()
    raise AssertionError("no end")


def _send(link: links.PairLink, ssl: p.SSL, data: bytes) -> None:
    """Write at one end and read at the other, a little at a time."""
    other, got, sent = link.peer_of(ssl), b"", 0
    for _ in range(4000):
        if sent == 0:
            ret = p.SSL_write(ssl, data)
            sent = max(ret, 0)
            if ret < 0:
                assert links.outcome(ssl, ret) == WANT_WRITE
        link.move()
        buf = bytearray(64)
        n = p.SSL_read(other, buf)
        if n < 0:
            assert links.outcome(other, n) == WANT_READ
        got += buf[: max(n, 0)]
        if len(got) == len(data):
            break
    assert sent == len(data)
    assert got == data


@clause("PAIR-17", "RW-5")
@pytest.mark.parametrize("size", [100, 0])
def test_pair_of_any_size_carries_records_of_full_length(size: int) -> None:
    link = links.PairLink(*links.make_ends(tickets=0), size=size, direct=False)
    link.established()
    data = wire.pattern(20000)
    got = b""
    ret = -1
    while len(got) < len(data):
        if ret < 0:
            ret = p.SSL_write(link.client, data)
        link.move()
        buf = bytearray(20000)
        n = p.SSL_read(link.server, buf)
        got += buf[: max(n, 0)]
    assert ret == len(data)
    assert got == data


@clause("PAIR-18", "HS-11", "HS-26")
def test_pair_between_two_ssls_needs_no_help() -> None:
    link = links.PairLink(*links.make_ends())
    seen = []
    for ssl, far in (
        (link.client, link.server_bio),
        (link.server, link.client_bio),
    ) * 2:
        ret, code = links.outcome(ssl, p.SSL_do_handshake(ssl))
        seen.append(code if ret < 0 else ret)
        if (ret, code) == WANT_READ:
            assert p.BIO_get_read_request(far) == 5
    assert seen == [2, 2, 1, 1]
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")


@clause("PAIR-18", "HS-11")
def test_pair_tells_how_much_of_the_record_is_missing() -> None:
    link = links.PairLink(*links.make_ends(), direct=False)
    link.established()
    assert wire.read(link.client) == WANT_READ
    assert p.BIO_get_read_request(link.client_net) == 5
    assert p.SSL_write(link.server, bytes(100)) == 100
    octets = links.take(link.server_net)
    links.put(link.client_net, octets[:25])
    assert p.BIO_get_read_request(link.client_net) == 0
    assert wire.read(link.client) == WANT_READ
    assert p.BIO_get_read_request(link.client_net) == len(octets) - 25
    links.put(link.client_net, octets[25:])
    assert len(links.read(link.client)) == 100


@clause("PAIR-19", "HS-16")
@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x03\x00"])
def test_pair_shut_down_during_the_handshake_is_the_end(
    octets: bytes,
) -> None:
    link = links.PairLink(*links.make_ends(), direct=False)
    ssl = link.client
    links.put(link.client_net, octets)
    assert links.outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    assert p.BIO_shutdown_wr(link.client_net) == 1
    assert links.outcome(ssl, p.SSL_do_handshake(ssl)) == FAILED
    assert reasons() == [(20, EOF)]


@clause("PAIR-19", "RW-8")
def test_pair_shut_down_is_the_end_after_the_bytes_before_it() -> None:
    link = links.PairLink(*links.make_ends(), direct=False)
    link.established()
    assert p.SSL_write(link.server, b"before") == 6
    link.move()
    assert p.BIO_shutdown_wr(link.client_net) == 1
    assert links.read(link.client) == b"before"
    # The other direction goes on.
    assert p.SSL_write(link.client, b"answer") == 6
    link.move()
    assert links.read(link.server) == b"answer"
    assert wire.read(link.client) == (0, p.SSL_ERROR_SSL)
    assert reasons() == [(20, EOF)]


@clause("PAIR-19", "GE-3")
def test_pair_destroyed_under_an_ssl_is_bio_uninitialized() -> None:
    uninitialized = [(p.ERR_LIB_BIO, p.BIO_R_UNINITIALIZED)]

    link = links.PairLink(*links.make_ends(), direct=False)
    assert p.BIO_destroy_bio_pair(link.client_bio) == 1
    ret = p.SSL_do_handshake(link.client)
    assert links.outcome(link.client, ret) == FAILED
    assert reasons() == uninitialized

    link = links.PairLink(*links.make_ends(), direct=False)
    link.established()
    assert p.BIO_destroy_bio_pair(link.client_bio) == 1
    for call in (wire.read, wire.peek):
        assert call(link.client) == FAILED
        assert reasons() == uninitialized
    assert wire.write(link.client, b"x") == FAILED
    assert reasons() == uninitialized
    assert wire.shutdown(link.client) == FAILED
    assert reasons() == uninitialized


@clause("PAIR-19", "RW-18", "GE-6")
def test_pair_destroyed_and_made_again_goes_on() -> None:
    link = links.PairLink(*links.make_ends(), direct=False)
    link.established()
    assert p.BIO_destroy_bio_pair(link.client_bio) == 1
    data = b"sealed once"
    assert wire.write(link.client, data) == FAILED
    reasons()
    assert p.BIO_make_bio_pair(link.client_bio, link.client_net) == 1
    assert wire.write(link.client, data) == (11, 0)
    link.move()
    assert links.read(link.server) == data


# ---- BIOs in Python ------------------------------------------------------

PUSH, POP = ("ctrl", p.BIO_CTRL_PUSH), ("ctrl", p.BIO_CTRL_POP)
FLUSH, END = ("ctrl", p.BIO_CTRL_FLUSH), ("ctrl", p.BIO_CTRL_EOF)


def _calls(py: links.PyBio) -> list[Any]:
    """Take the calls so far; of reads and writes only the name."""
    found = [
        call if call[0] == "ctrl" else call[0]
        for call in py.calls
        if call != ("create", 0)
    ]
    py.calls.clear()
    return found


@clause("METH-7")
def test_ssl_sends_push_and_pop_around_attaching_and_detaching() -> None:
    ssl, one, two = links.make_ends()[0], links.PyBio(), links.PyBio()
    p.SSL_set_bio(ssl, one.bio, one.bio)
    assert _calls(one) == [PUSH]
    p.SSL_set_bio(ssl, one.bio, one.bio)
    assert _calls(one) == []
    p.SSL_set0_wbio(ssl, two.bio)
    assert (_calls(one), _calls(two)) == ([], [PUSH])
    p.SSL_set0_rbio(ssl, None)
    assert (_calls(one), _calls(two)) == ([POP], [])
    p.SSL_set_bio(ssl, one.bio, None)
    assert (_calls(one), _calls(two)) == ([PUSH], [POP])
    p.SSL_free(ssl)
    assert (_calls(one), _calls(two)) == ([POP], [])


@clause("METH-7", "METH-5")
def test_ssl_freed_pops_before_it_destroys() -> None:
    ssl, py = links.make_ends()[0], links.PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    p.BIO_free(py.bio)
    p.SSL_free(ssl)
    assert _calls(py) == [PUSH, POP, "destroy"]


@clause("METH-7", "HS-12", "HS-11")
def test_ssl_sends_flush_after_a_flight_and_eof_after_no_retry() -> None:
    link = links.PyLink(*links.make_ends())
    client, server = link.client_py, link.server_py
    for py in (client, server):
        assert _calls(py) == [PUSH]

    p.SSL_do_handshake(link.client)
    assert _calls(client) == ["write", FLUSH, "read"]
    link.move()
    p.SSL_do_handshake(link.server)
    hello, flight = ["read", "read"], ["write", FLUSH]
    found = _calls(server)
    assert found[: len(hello) + len(flight)] == hello + flight
    assert set(found[4:]) == {"read"}
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    found = _calls(client)
    assert found[-2:] == ["write", FLUSH]
    assert set(found[:-2]) == {"read"}
    link.move()
    assert p.SSL_do_handshake(link.server) == 1
    _calls(server)

    assert p.SSL_write(link.client, b"x") == 1
    assert _calls(client) == ["write", FLUSH]
    assert wire.read(link.server) == WANT_READ
    assert _calls(server) == ["read"]
    link.move()
    assert wire.read(link.server) == (1, 0)
    assert _calls(server) == ["read", "read"]
    assert p.SSL_shutdown(link.client) == 0
    assert _calls(client) == ["write", FLUSH]
    server.ended = True
    server.incoming.clear()
    assert wire.read(link.server) == (0, p.SSL_ERROR_SSL)
    assert _calls(server)[:2] == ["read", END]


@clause("METH-7")
def test_ssl_does_without_a_ctrl_operation_when_attaching() -> None:
    method = p.BIO_meth_new(0x400 | 140, "bare")
    bio = links.new_bio(method)
    ssl = links.make_ends()[0]
    p.SSL_set_bio(ssl, bio, bio)
    p.SSL_set_bio(ssl, None, None)
    assert reasons() == []


@clause("METH-7", "HS-12")
@pytest.mark.parametrize("answer", [0, -1])
def test_flush_that_answers_no_fails_the_call(answer: int) -> None:
    link = links.PyLink(*links.make_ends())
    link.client_py.flush = answer
    for _ in range(2):
        ret = p.SSL_do_handshake(link.client)
        assert links.outcome(link.client, ret) == BROKEN
        assert p.SSL_want(link.client) == p.SSL_WRITING
        assert reasons() == []
    link.client_py.flush = 1
    link.established()
    # The hello went out once.
    assert link.client_py.count("ctrl", p.BIO_CTRL_FLUSH) >= 3


@clause("METH-7", "HS-12")
def test_flush_that_asks_for_a_retry_wants_write() -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    link.client_py.tell("flush", Answer(-1, flags=links.RETRY_WRITE))
    assert wire.write(link.client, b"x") == WANT_WRITE
    assert p.SSL_want(link.client) == p.SSL_WRITING
    assert reasons() == []
    assert wire.write(link.client, b"x") == (1, 0)
    assert wire.records(bytes(link.client_py.outgoing)) == [(23, 18)]


@clause("METH-8", "CV-7")
@pytest.mark.parametrize("operation", ["read", "write", "flush"])
def test_handshake_whose_bio_raises_raises_and_can_go_on(
    operation: str,
) -> None:
    link = links.PyLink(*links.make_ends())
    link.client_py.tell(operation, Answer(error=Oops(operation)))
    with pytest.raises(Oops, match=operation):
        p.SSL_do_handshake(link.client)
    # It counted as -1 without a retry.
    assert p.SSL_get_error(link.client, -1) == p.SSL_ERROR_SYSCALL
    assert reasons() == []
    link.established()
    link.send(link.client, b"ping")


@clause("METH-8", "CV-7")
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("read", wire.read),
        ("read", wire.peek),
        ("write", lambda ssl: wire.write(ssl, b"x")),
        ("flush", lambda ssl: wire.write(ssl, b"x")),
        ("write", wire.shutdown),
        ("flush", wire.shutdown),
    ],
)
def test_call_whose_bio_raises_raises(operation: str, call: Any) -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    retry = links.RETRY_WRITE if operation == "write" else links.RETRY_READ
    link.client_py.tell(operation, Answer(flags=retry, error=Oops()))
    with pytest.raises(Oops):
        call(link.client)
    # The flags it had set do not count.
    assert p.SSL_get_error(link.client, -1) == p.SSL_ERROR_SYSCALL
    assert not p.BIO_should_retry(link.client_py.bio)
    assert reasons() == []
    assert p.SSL_is_init_finished(link.client)


@clause("METH-8", "CV-7", "SD-3")
def test_shutdown_waiting_for_the_answer_raises_what_the_bio_raises() -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    assert p.SSL_shutdown(link.client) == 0
    link.client_py.tell("read", Answer(error=Oops()))
    with pytest.raises(Oops):
        p.SSL_shutdown(link.client)
    assert wire.shutdown(link.client) == WANT_READ


@clause("METH-8", "CV-7", "METH-1")
@pytest.mark.parametrize("wrong", [None, "text", 1.5, bytes(99), 7])
def test_read_whose_bio_answers_nonsense_raises(wrong: Any) -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    p.BIO_meth_set_read(link.client_py.method, lambda b, n: wrong)
    with pytest.raises((TypeError, ValueError)):
        p.SSL_read(link.client, bytearray(9))
    assert p.SSL_get_error(link.client, -1) == p.SSL_ERROR_SYSCALL
    p.BIO_meth_set_read(link.client_py.method, link.client_py._read)
    link.send(link.server, b"and on it goes")


def _detach(ssl: p.SSL) -> None:
    p.SSL_set_bio(ssl, None, None)


@clause("METH-8", "CV-7")
def test_bio_that_raises_when_detached_raises_from_set_bio() -> None:
    for last in (False, True):
        ssl, method = links.make_ends()[0], p.BIO_meth_new(0x400 | 141, "x")

        def ctrl(b: p.BIO, cmd: int, larg: int, parg: object) -> int:
            if cmd == p.BIO_CTRL_POP:
                raise Oops
            return 1

        p.BIO_meth_set_ctrl(method, ctrl)
        bio = links.new_bio(method)
        p.SSL_set_bio(ssl, bio, bio)
        leave = p.SSL_free if last else _detach
        with pytest.raises(Oops):
            leave(ssl)
        if not last:
            assert p.SSL_get_rbio(ssl) is None


@clause("METH-8", "CV-7")
@pytest.mark.parametrize("io", ["read", "handshake"])
def test_bio_that_uses_its_own_ssl_is_a_runtime_error(io: str) -> None:
    link = links.PyLink(*links.make_ends())
    if io == "read":
        link.established()

    def read(b: p.BIO, n: int) -> bytes:
        p.SSL_read(link.client, bytearray(9))
        return b""

    p.BIO_meth_set_read(link.client_py.method, read)
    call = wire.read if io == "read" else p.SSL_do_handshake
    with pytest.raises(RuntimeError):
        call(link.client)
