"""SSL_read(3), SSL_peek(3): contract 5.1."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api import links, wire
from tests.api.links import Answer, reasons
from tests.api.wire import (
    BROKEN,
    CLOSED,
    FAILED,
    IO,
    WANT_READ,
    WANT_WRITE,
    deliver,
    sealed,
)
from tests.clauses import clause
from tests.forge import ForgeServer, messages as m
from tests.forge.victim import SIDES, client, connected, dead
from tests.pki import ca

# ---- data ----------------------------------------------------------------


@clause("RW-1")
@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 100, 16384])
def test_read_gives_at_most_num_bytes_and_keeps_the_rest(size: int) -> None:
    link = links.connected()
    deliver(link, b"0123456")
    got = [links.read(link.client, size) for _ in range(-(-7 // size))]
    assert b"".join(got) == b"0123456"
    assert {len(one) for one in got[:-1]} <= {size}
    assert wire.read(link.client, size) == WANT_READ


@clause("RW-1")
@pytest.mark.parametrize("size", [4, 5, 6, 9, 21, 22, 500])
@pytest.mark.parametrize("version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION])
def test_buffers_of_any_size_take_what_was_sent_and_no_more(
    version: int, size: int
) -> None:
    link = links.connected(version=version, tickets=0)
    for text in (b"data", b"tum"):
        deliver(link, text)
        buf = bytearray(b"." * size)
        assert p.SSL_read(link.client, buf) == len(text)
        assert buf == text.ljust(size, b".")


@clause("RW-1")
@pytest.mark.parametrize("size", [1, 3, 4, 5, 20, 21, 100])
@pytest.mark.parametrize("block", [0, 2, 8])
def test_buffers_of_any_size_take_padded_records(
    block: int, size: int
) -> None:
    made = links.make_contexts(version=p.TLS1_3_VERSION, tickets=0)
    assert p.SSL_CTX_set_block_padding(made[1], block) == 1
    link = links.MemLink(*links.make_ends(*made)).established()
    for text in (b"data", b"datum", b"\0\0\0\0"):
        deliver(link, text)
        got = b""
        while len(got) < len(text):
            got += links.read(link.client, size)
        assert got == text


@clause("RW-1")
def test_read_leaves_the_rest_of_the_buffer_alone() -> None:
    link = links.connected()
    deliver(link, b"data")
    buf = bytearray(b"." * 9)
    assert p.SSL_read(link.client, buf) == 4
    assert buf == b"data....."
    deliver(link, b"datum")
    assert p.SSL_read(link.client, buf, 2) == 2
    assert buf == b"data....."
    assert p.SSL_read(link.client, memoryview(buf)[5:]) == 3
    assert buf == b"data.tum."
    with pytest.raises(ValueError):
        p.SSL_read(link.client, buf, 10)
    with pytest.raises((TypeError, BufferError, ValueError)):
        p.SSL_read(link.client, b"not writable")


@clause("RW-1", "RW-5")
def test_read_gives_data_of_one_record_only() -> None:
    link = links.connected()
    deliver(link, b"first", b"second")
    assert links.read(link.client, 3) == b"fir"
    assert links.read(link.client, 9) == b"st"
    assert links.read(link.client, 9) == b"second"


@clause("RW-5", "RW-15")
def test_read_of_40000_bytes_takes_three_calls() -> None:
    link = links.connected()
    data = wire.pattern(40000)
    deliver(link, data)
    got = [links.read(link.client, 50000) for _ in range(3)]
    assert [len(one) for one in got] == [16384, 16384, 7232]
    assert b"".join(got) == data
    assert wire.read(link.client) == WANT_READ


@clause("RW-5")
@SIDES
def test_read_skips_empty_records(as_server: bool) -> None:
    victim = connected(as_server=as_server)
    for _ in range(5):
        victim.forge.record(wire.DATA, b"")
    victim.forge.write(b"data")
    victim.forge.record(wire.DATA, b"")
    assert victim.read() == (b"data", WANT_READ)


@clause("RW-1", "RW-3", "HS-10")
def test_read_of_a_record_cut_anywhere_waits_for_all_of_it() -> None:
    link = links.connected()
    octets = sealed(link, b"whole")
    again = octets
    for cut in range(1, len(octets)):
        links.put(link.client_in, again[:cut])
        for _ in range(2):
            assert wire.read(link.client) == WANT_READ
            assert p.SSL_pending(link.client) == 0
        links.put(link.client_in, again[cut:])
        assert links.read(link.client) == b"whole"
        again = sealed(link, b"whole")


@clause("RW-3", "HS-10")
def test_read_of_one_byte_at_a_time_is_data_after_the_last() -> None:
    link = links.connected()
    octets = sealed(link, b"slow", b"and slower")
    found = []
    for at in range(len(octets)):
        links.put(link.client_in, octets[at : at + 1])
        buf = bytearray(99)
        got = p.SSL_read(link.client, buf)
        if got > 0:
            found.append((at, bytes(buf[:got])))
        else:
            assert links.outcome(link.client, got) == WANT_READ
    assert found == [(25, b"slow"), (25 + 32, b"and slower")]


@clause("RW-1", "HS-18", "RW-33")
def test_read_of_a_forged_record_gives_none_of_it() -> None:
    for at in (*range(5), 5, 8, 10, 26):
        link = links.connected()
        octets = bytearray(sealed(link, b"whole"))
        octets[at] ^= 1
        peer = links.RawPeer(link.client)
        peer.feed(bytes(octets) + sealed(link, b"more" * 9000))
        buf = bytearray(99)
        got = p.SSL_read(link.client, buf)
        # A version is not looked at, but it is authenticated.
        assert links.outcome(link.client, got) == FAILED, at
        assert buf == bytes(99)
        assert peer.sent() != b""
        assert len(reasons()) == 1
        dead(peer)


@clause("RW-1", "HS-18")
def test_read_of_a_flipped_bit_is_281_and_alert_20() -> None:
    victim = connected(as_server=False)
    victim.forge.write(b"data")
    octets = bytearray(victim.forge.take())
    octets[7] ^= 0x80
    victim.peer.feed(bytes(octets))
    assert victim.peer.read() == FAILED
    assert reasons() == [(20, p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)]
    victim.deliver()
    assert [alert.description for alert in victim.forge.alerts] == [20]


@clause("HS-18", "RW-33")
@pytest.mark.parametrize("room", [0, 5])
def test_read_of_a_forged_record_tries_once_to_send_the_alert(
    room: int,
) -> None:
    link = links.connected()
    half, net = links.bio_pair(10)
    links.put(half, bytes(10 - room))
    p.SSL_set0_wbio(link.client, half)
    octets = bytearray(sealed(link, b"whole"))
    octets[-1] ^= 1
    links.put(link.client_in, bytes(octets))
    assert wire.read(link.client) == FAILED
    assert reasons() == [(20, p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)]
    assert len(links.take(net)) == 10
    for io in (*IO.values(), wire.shutdown):
        assert io(link.client)[0] == -1
        assert p.BIO_ctrl_pending(net) == 0


# ---- the handshake inside ------------------------------------------------


@clause("RW-2", "HS-20", "HS-26", "RW-17")
@pytest.mark.parametrize("name", IO)
def test_io_without_handshake_runs_it_first(name: str) -> None:
    link, io = links.make_link(), IO[name]
    done = (1, 0) if name == "write" else WANT_READ
    for ssl in (link.client, link.server):
        assert io(ssl) == WANT_READ
        assert not p.SSL_is_init_finished(ssl)
        link.move()
    for ssl in (link.client, link.server):
        assert io(ssl) == done
        assert p.SSL_is_init_finished(ssl)
        link.move()
    if name == "write":
        assert links.read(link.client) == b"x"
        assert links.read(link.server) == b"x"
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")


@clause("RW-2", "HS-20")
def test_handshake_begun_by_one_call_is_ended_by_another() -> None:
    link = links.make_link()
    assert wire.read(link.client) == WANT_READ
    link.move()
    ret = p.SSL_do_handshake(link.server)
    assert links.outcome(link.server, ret) == WANT_READ
    link.move()
    assert wire.write(link.client, b"early bird") == (10, 0)
    link.move()
    assert wire.peek(link.server) == (10, 0)
    assert links.read(link.server) == b"early bird"


@clause("RW-2", "HS-14")
@pytest.mark.parametrize("name", IO)
def test_io_when_closed_before_the_handshake_is_0(name: str) -> None:
    peer = links.raw_client()
    peer.feed("15 03 03 00 02 01 00")
    for _ in range(2):
        assert IO[name](peer.ssl) == CLOSED
    assert reasons() == []
    assert p.SSL_get_shutdown(peer.ssl) == 2


@clause("RW-2", "HS-16", "HS-18", "HS-15")
@pytest.mark.parametrize("name", IO)
@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("", p.SSL_R_UNEXPECTED_EOF_WHILE_READING),
        ("16 03", p.SSL_R_UNEXPECTED_EOF_WHILE_READING),
        ("15 03 03 00 02 02 28", 1040),
        (b"HTTP/1.0 400".hex(), p.SSL_R_WRONG_VERSION_NUMBER),
    ],
)
def test_io_when_the_handshake_fails_fails(
    name: str, octets: str, reason: int
) -> None:
    peer = links.raw_client()
    peer.feed(octets)
    peer.end()
    assert IO[name](peer.ssl) == FAILED
    assert reasons() == [(20, reason)]
    peer.sent()
    for again in IO.values():
        assert again(peer.ssl) == BROKEN
    assert reasons() == []
    assert peer.sent() == b""


def _by_certificate(ctx: p.SSL_CTX, answers: list[int]) -> int:
    p.SSL_CTX_set_cert_cb(ctx, lambda *_: answers.pop(0), None)
    return p.SSL_ERROR_WANT_X509_LOOKUP


def _by_client_hello(ctx: p.SSL_CTX, answers: list[int]) -> int:
    p.SSL_CTX_set_client_hello_cb(ctx, lambda *_: answers.pop(0), None)
    return p.SSL_ERROR_WANT_CLIENT_HELLO_CB


@clause("RW-2", "RW-4", "HS-25")
@pytest.mark.parametrize("suspend", [_by_certificate, _by_client_hello])
@pytest.mark.parametrize("name", IO)
def test_io_when_a_callback_suspends_says_so(name: str, suspend: Any) -> None:
    client_ctx, server_ctx = links.make_contexts()
    code = suspend(server_ctx, [-1, -1, 1])
    link = links.make_link(client_ctx=client_ctx, server_ctx=server_ctx)
    assert wire.read(link.client) == WANT_READ
    link.move()
    assert IO[name](link.server) == (-1, code)
    assert IO[name](link.server) == (-1, code)
    assert IO[name](link.server) == WANT_READ
    link.move()
    link.established()


@clause("RW-3", "RW-4", "GE-7")
def test_read_whose_handshake_cannot_write_wants_write() -> None:
    link = links.PairLink(*links.make_ends(), size=100, direct=False)
    assert wire.read(link.client) == WANT_WRITE
    assert p.SSL_want(link.client) == p.SSL_WRITING


@clause("RW-3", "HS-5")
def test_read_of_a_blocking_bio_waits() -> None:
    with links.SockLink(*links.make_ends()) as link:
        link.handshake()
        reader, found = links.in_thread(lambda: wire.read(link.client, 99))
        reader.join(0.05)
        assert found == []
        assert p.SSL_write(link.server, b"at last") == 7
        reader.join(10)
        assert found == [(7, 0)]


@clause("RW-3", "HS-11")
def test_read_asks_for_a_header_then_for_the_rest_of_the_record() -> None:
    link = links.PyLink(*links.make_ends(tickets=0))
    link.established()
    py = link.client_py
    py.calls.clear()
    assert wire.read(link.client) == WANT_READ
    assert py.calls == [("read", 5)]
    assert p.SSL_write(link.server, b"0123456789") == 10
    octets = bytes(link.server_py.outgoing)
    py.incoming += octets[:5]
    py.calls.clear()
    assert wire.read(link.client) == WANT_READ
    assert py.calls == [("read", 5), ("read", 27)]
    py.incoming += octets[5:12]
    py.calls.clear()
    assert wire.read(link.client) == WANT_READ
    assert py.calls == [("read", 27), ("read", 20)]
    py.incoming += octets[12:]
    assert links.read(link.client) == b"0123456789"


# ---- what a return value means -------------------------------------------


@clause("RW-4", "GE-10", "GE-11", "HS-17")
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(-1, flags=links.RETRY_READ), p.SSL_ERROR_WANT_READ),
        (Answer(0, flags=links.RETRY_READ), p.SSL_ERROR_WANT_READ),
        (Answer(-1, flags=links.RETRY_WRITE), p.SSL_ERROR_WANT_WRITE),
        (
            Answer(-1, flags=links.RETRY_SPECIAL, reason=p.BIO_RR_CONNECT),
            p.SSL_ERROR_WANT_CONNECT,
        ),
        (
            Answer(-1, flags=links.RETRY_SPECIAL, reason=p.BIO_RR_ACCEPT),
            p.SSL_ERROR_WANT_ACCEPT,
        ),
        (
            Answer(-1, flags=links.RETRY_SPECIAL, reason=1),
            p.SSL_ERROR_SYSCALL,
        ),
        (Answer(-1), p.SSL_ERROR_SYSCALL),
        (Answer(0), p.SSL_ERROR_SYSCALL),
    ],
)
def test_read_when_the_bio_moves_nothing(answer: Answer, code: int) -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    for io in (wire.read, wire.peek):
        link.client_py.tell("read", answer)
        assert io(link.client) == (-1, code)
        assert reasons() == []
    link.send(link.server, b"and on it goes")


@clause("RW-6", "RW-4", "GE-9")
@pytest.mark.parametrize("io", [wire.read, wire.peek])
def test_read_after_close_notify_is_0_without_io(io: Any) -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    assert p.SSL_get_shutdown(link.client) == 0
    assert p.SSL_shutdown(link.server) == 0
    link.move()
    assert io(link.client) == CLOSED
    assert p.SSL_get_shutdown(link.client) == 2
    link.client_py.calls.clear()
    for again in (wire.read, wire.peek, io):
        assert again(link.client) == CLOSED
    assert link.client_py.calls == []
    assert p.SSL_read_ex(link.client, bytearray(9)) == (0, 0)
    assert p.SSL_get_error(link.client, 0) == p.SSL_ERROR_ZERO_RETURN
    assert reasons() == []


@clause("RW-6")
def test_read_after_close_notify_leaves_the_transport_open() -> None:
    with links.SockLink(*links.make_ends()) as link:
        link.handshake()
        assert p.SSL_shutdown(link.server) == 0
        assert wire.read(link.client) == CLOSED
        link.server_sock.send(b"plain")
        assert link.client_sock.recv(9) == b"plain"


@clause("RW-7")
def test_read_gives_what_came_before_close_notify() -> None:
    link = links.connected()
    octets = sealed(link, b"one", b"two")
    assert p.SSL_shutdown(link.server) == 0
    links.put(link.client_in, octets + links.take(link.server_out))
    assert links.read(link.client, 2) == b"on"
    assert links.read(link.client) == b"e"
    assert links.read(link.client) == b"two"
    assert wire.read(link.client) == CLOSED


@clause("RW-7")
@SIDES
def test_read_never_gives_what_came_after_close_notify(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    victim.forge.write(b"before")
    victim.forge.alert(0, level=1)
    victim.forge.write(b"after")
    assert victim.read() == (b"before", CLOSED)
    assert wire.peek(victim.ssl) == CLOSED
    assert p.SSL_pending(victim.ssl) == 0
    assert wire.read(victim.ssl) == CLOSED


@clause("RW-8", "HS-22", "HS-23", "RW-33")
@pytest.mark.parametrize("io", [wire.read, wire.peek])
@pytest.mark.parametrize("part", [0, 1, 5, 6, 25])
def test_read_at_the_end_of_the_transport_is_0_and_294(
    io: Any, part: int
) -> None:
    link = links.connected()
    links.put(link.client_in, sealed(link, b"data")[:part])
    link.end(link.client)
    assert io(link.client) == (0, p.SSL_ERROR_SSL)
    assert reasons() == [(20, p.SSL_R_UNEXPECTED_EOF_WHILE_READING)]
    assert p.SSL_get_shutdown(link.client) == 0
    peer = links.RawPeer(link.client)
    dead(peer)


@clause("RW-8")
def test_read_ex_at_the_end_of_the_transport_is_0_and_294() -> None:
    link = links.connected()
    link.end(link.client)
    assert p.SSL_read_ex(link.client, bytearray(9)) == (0, 0)
    assert p.SSL_get_error(link.client, 0) == p.SSL_ERROR_SSL
    assert reasons() == [(20, p.SSL_R_UNEXPECTED_EOF_WHILE_READING)]


@clause("RW-8", "RW-7")
def test_read_gives_what_came_before_the_end() -> None:
    link = links.connected()
    deliver(link, b"one", b"two")
    link.end(link.client)
    assert links.read(link.client) == b"one"
    assert links.read(link.client) == b"two"
    assert wire.read(link.client) == (0, p.SSL_ERROR_SSL)
    assert reasons() == [(20, p.SSL_R_UNEXPECTED_EOF_WHILE_READING)]


@clause("RW-8")
@pytest.mark.parametrize("part", [0, 6])
def test_read_at_the_end_when_that_is_ignored_is_closed(part: int) -> None:
    link = links.connected()
    p.SSL_set_options(link.client, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    links.put(link.client_in, sealed(link, b"data")[:part])
    link.end(link.client)
    for _ in range(2):
        assert wire.read(link.client) == CLOSED
    assert reasons() == []
    assert p.SSL_get_shutdown(link.client) == 2
    assert p.SSL_is_init_finished(link.client)
    link.send(link.client, b"not dead")


@clause("RW-9")
def test_read_of_no_bytes_takes_nothing() -> None:
    link = links.connected()
    assert wire.read(link.client, 0) == WANT_READ
    assert wire.peek(link.client, 0) == WANT_READ
    deliver(link, b"data")
    for io in (wire.read, wire.peek, wire.read):
        assert io(link.client, 0) == (0, p.SSL_ERROR_SYSCALL)
        assert reasons() == []
    assert p.SSL_pending(link.client) == 4
    assert links.read(link.client) == b"data"
    assert wire.read(link.client, 0) == WANT_READ


@clause("RW-10", "HS-15", "RW-33")
@SIDES
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("alert", [10, 20, 40, 42, 46, 80, 116])
def test_read_of_a_fatal_alert_is_its_reason(
    as_server: bool, level: int, alert: int
) -> None:
    victim = connected(as_server=as_server)
    victim.forge.write(b"before")
    victim.forge.alert(alert, level=level)
    assert victim.read() == (b"before", FAILED)
    assert reasons() == [(20, 1000 + alert)]
    assert p.SSL_get_shutdown(victim.ssl) == 2
    assert victim.forge.alerts == []
    dead(victim.peer)


@clause("RW-11", "GE-6")
@pytest.mark.parametrize("num", [-1, -(1 << 31)])
def test_read_of_less_than_nothing_is_bad_length(num: int) -> None:
    link = links.connected()
    deliver(link, b"data")
    buf = bytearray(9)
    for call in (p.SSL_read, p.SSL_peek):
        ret = call(link.client, buf, num)
        assert links.outcome(link.client, ret) == FAILED
        assert reasons() == [(20, p.SSL_R_BAD_LENGTH)]
    assert buf == bytes(9)
    assert links.read(link.client) == b"data"


@clause("RW-11")
def test_read_of_less_than_nothing_begins_no_handshake() -> None:
    peer = links.raw_client()
    assert p.SSL_read(peer.ssl, bytearray(9), -1) == -1
    assert reasons() == [(20, p.SSL_R_BAD_LENGTH)]
    assert p.SSL_in_before(peer.ssl)
    assert peer.sent() == b""


# ---- messages on the way -------------------------------------------------


def _tickets(forge: Any, count: int, together: bool) -> None:
    ticket = bytes(m.NewSessionTicket())
    if together:
        forge.record(wire.HANDSHAKE, ticket * count)
        return
    for _ in range(count):
        forge.record(wire.HANDSHAKE, ticket)


@clause("RW-12")
@pytest.mark.parametrize("together", [False, True])
def test_read_passes_over_tickets(together: bool) -> None:
    victim = connected(as_server=False)
    _tickets(victim.forge, 2, together)
    victim.forge.write(b"x")
    victim.peer.feed(victim.forge.take())
    assert victim.peer.read() == (1, 0)
    assert p.SSL_CTX_get_mode(p.SSL_get_SSL_CTX(victim.ssl)) & (
        p.SSL_MODE_AUTO_RETRY
    )


@clause("RW-12")
@pytest.mark.parametrize("there", [False, True])
def test_ticket_is_not_left_in_the_callers_buffer(there: bool) -> None:
    victim = connected(as_server=False)
    ssl = victim.ssl
    if not there:
        ssl._set_number(lib.PYS_READ_AHEAD, 1)
    buf = bytearray(16384)
    for marked in (b"first one", b"second"):  # the second read is a quick one
        ticket = bytes(m.NewSessionTicket(ticket=marked * 9))
        victim.forge.write(b"x")
        victim.forge.record(wire.HANDSHAKE, ticket)
        victim.peer.feed(victim.forge.take())
        assert p.SSL_read(ssl, buf) == 1
        assert links.outcome(ssl, p.SSL_read(ssl, buf)) == WANT_READ
        assert marked not in buf


@clause("RW-12", "GE-7")
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("io", [wire.read, wire.peek])
def test_read_without_auto_retry_returns_after_each_message(
    io: Any, together: bool
) -> None:
    victim = connected(as_server=False)
    p.SSL_clear_mode(victim.ssl, p.SSL_MODE_AUTO_RETRY)
    _tickets(victim.forge, 2, together)
    victim.forge.write(b"x")
    victim.peer.feed(victim.forge.take())
    for _ in range(2):
        assert io(victim.ssl) == WANT_READ
        assert p.SSL_want(victim.ssl) == p.SSL_READING
        assert p.SSL_pending(victim.ssl) == 0
    assert io(victim.ssl) == (1, 0)
    assert reasons() == []


@clause("RW-12", "RW-29")
@SIDES
def test_read_without_auto_retry_returns_after_a_key_update(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    p.SSL_clear_mode(victim.ssl, p.SSL_MODE_AUTO_RETRY)
    victim.forge.update()
    victim.forge.write(b"x")
    victim.peer.feed(victim.forge.take())
    assert wire.read(victim.ssl) == WANT_READ
    assert p.SSL_want(victim.ssl) == p.SSL_READING
    assert wire.read(victim.ssl) == (1, 0)


# ---- the other forms -----------------------------------------------------


@clause("RW-13", "RW-26")
def test_read_ex_gives_1_and_the_count_or_0() -> None:
    link = links.connected()
    buf = bytearray(3)
    assert p.SSL_read_ex(link.client, buf) == (0, 0)
    assert p.SSL_get_error(link.client, 0) == p.SSL_ERROR_WANT_READ
    assert p.SSL_peek_ex(link.client, buf) == (0, 0)
    assert p.SSL_get_error(link.client, 0) == p.SSL_ERROR_WANT_READ
    deliver(link, b"data")
    assert p.SSL_peek_ex(link.client, buf) == (1, 3)
    assert p.SSL_read_ex(link.client, buf, 2) == (1, 2)
    assert buf == b"dat"
    assert p.SSL_get_error(link.client, 1) == p.SSL_ERROR_NONE
    assert p.SSL_read_ex(link.client, buf) == (1, 2)
    assert buf == b"tat"


@clause("RW-14")
def test_peek_shows_the_same_bytes_again_and_leaves_them() -> None:
    link = links.connected()
    deliver(link, b"first", b"second")
    for size in (99, 2, 99, 5):
        assert wire.peeked(link.client, size) == b"first"[:size]
    assert links.read(link.client, 2) == b"fi"
    # Not more than the rest of the record.
    for _ in range(2):
        assert wire.peeked(link.client, 99) == b"rst"
    assert links.read(link.client, 99) == b"rst"
    assert wire.peeked(link.client, 3) == b"sec"
    assert links.read(link.client, 99) == b"second"
    assert wire.peek(link.client) == WANT_READ


# ---- without role, dead, stale -------------------------------------------


@clause("RW-34", "GE-6")
def test_io_without_role_is_uninitialized() -> None:
    ssl = links.new_ssl(links.make_contexts()[0])
    peer = links.RawPeer(ssl)
    for io in (*IO.values(), wire.shutdown):
        assert io(ssl) == FAILED
        assert reasons() == [(20, p.SSL_R_UNINITIALIZED)]
    assert p.SSL_in_before(ssl)
    assert p.SSL_get_shutdown(ssl) == 0
    assert peer.sent() == b""
    p.SSL_set_connect_state(ssl)
    assert wire.read(ssl) == WANT_READ
    assert peer.sent() != b""


@clause("RW-33", "HS-23")
def test_io_of_a_dead_object_leaves_the_queue() -> None:
    victim = connected(as_server=False)
    victim.forge.alert(40)
    victim.deliver()
    assert victim.peer.read() == FAILED
    before = p.ERR_peek_error()
    for io in IO.values():
        assert io(victim.ssl) == FAILED  # the first failure is still queued
        assert p.ERR_peek_error() == before
    assert reasons() == [(20, 1040)]
    dead(victim.peer)


@clause("GE-2", "RW-3")
def test_read_neither_minds_nor_clears_older_entries() -> None:
    link = links.connected()
    assert p.BIO_write(links.new_bio(p.BIO_s_bio()), b"x") == -1
    deliver(link, b"data")
    assert wire.read(link.client) == (4, 0)
    # Now it disguises what is merely a lack of data.
    assert wire.read(link.client) == FAILED
    assert wire.peek(link.client) == FAILED
    assert p.SSL_want(link.client) == p.SSL_READING
    assert reasons() == [(32, 120)]
    assert wire.read(link.client) == WANT_READ


@clause("RW-2", "RW-12")
def test_client_reads_what_the_server_sends_with_its_flight() -> None:
    victim = client(ForgeServer(ca.leaf(), tickets=2))
    assert victim.handshake() == (1, 0)
    victim.forge.write(b"welcome")
    assert victim.read() == (b"welcome", WANT_READ)
