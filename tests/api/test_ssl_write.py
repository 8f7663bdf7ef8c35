"""SSL_write(3): contract 5.2."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links, wire
from tests.api.links import Answer, reasons
from tests.api.wire import BROKEN, CLOSED, FAILED, WANT_READ, WANT_WRITE
from tests.clauses import clause
from tests.forge.victim import SIDES, connected, dead

PARTIAL = p.SSL_MODE_ENABLE_PARTIAL_WRITE
MOVING = p.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER


class Tight:
    """A client whose write BIO is a pair half of 2000 bytes.

    `drain` carries what is in the half to the server, all of it or less.
    """

    def __init__(self, mode: int = 0) -> None:
        client_ctx, server_ctx = links.make_contexts()
        p.SSL_CTX_set_mode(client_ctx, mode)
        self.link = links.connected(
            client_ctx=client_ctx, server_ctx=server_ctx
        )
        self.client, self.server = self.link.client, self.link.server
        half, self.net = links.bio_pair(2000)
        p.SSL_set0_wbio(self.client, half)
        self.wire = b""

    def write(self, data: Any, num: Optional[int] = None) -> links.Outcome:
        ret = p.SSL_write(self.client, data, num)
        return links.outcome(self.client, ret)

    def drain(self, limit: Optional[int] = None) -> int:
        """Take octets out of the half."""
        found = links.take(self.net, limit)
        self.wire += found
        return len(found)

    def finish(self, data: Any) -> int:
        """Repeat the write until it is done; give what it returned."""
        for _ in range(200):
            self.drain()
            ret, code = self.write(data)
            if ret > 0:
                self.drain()
                return ret
            assert (ret, code) == WANT_WRITE, reasons()
        raise AssertionError("the write does not end")

    def received(self) -> bytes:
        """Let the server read all that was drained."""
        links.put(self.link.server_in, self.wire)
        self.wire = b""
        data = b""
        buf = bytearray(20000)
        while True:
            got = p.SSL_read(self.server, buf)
            if got <= 0:
                assert links.outcome(self.server, got) == WANT_READ
                return data
            data += buf[:got]


def refused(tight: Tight, data: Any, reason: int, num: Any = None) -> None:
    """The repeated write is refused without harm."""
    before = p.BIO_ctrl_pending(tight.net)
    assert tight.write(data, num) == FAILED
    assert reasons() == [(p.ERR_LIB_SSL, reason)]
    assert p.BIO_ctrl_pending(tight.net) == before
    assert p.SSL_is_init_finished(tight.client)


# ---- whole writes --------------------------------------------------------


@clause("RW-15", "RW-27")
@pytest.mark.parametrize(
    ("size", "bodies"),
    [
        (1, [18]),
        (16384, [16401]),
        (16385, [16401, 18]),
        (40000, [16401, 16401, 7249]),
        (16384 * 6, [16401] * 6),
    ],
)
def test_write_hands_over_all_of_it_in_full_records(
    size: int, bodies: list[int]
) -> None:
    link = links.connected()
    data = wire.pattern(size)
    assert wire.write(link.client, data) == (size, 0)
    assert p.SSL_want(link.client) == p.SSL_NOTHING
    octets = links.take(link.client_out)
    assert wire.records(octets) == [(wire.DATA, body) for body in bodies]
    assert len(octets) == size + wire.EXTRA * len(bodies)
    links.put(link.server_in, octets)
    got = b"".join(links.read(link.server) for _ in bodies)
    assert got == data


@clause("RW-27")
@pytest.mark.parametrize(
    "suite",
    [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ],
)
def test_write_of_40000_bytes_is_40066_octets(suite: str) -> None:
    client_ctx, server_ctx = links.make_contexts()
    assert p.SSL_CTX_set_ciphersuites(client_ctx, suite) == 1
    link = links.connected(client_ctx=client_ctx, server_ctx=server_ctx)
    assert p.SSL_get_cipher_name(link.client) == suite
    for ssl, out in (
        (link.client, link.client_out),
        (link.server, link.server_out),
    ):
        assert wire.write(ssl, bytes(40000)) == (40000, 0)
        assert p.BIO_ctrl_pending(out) == 40066


@clause("RW-15", "CV-2")
@pytest.mark.parametrize(
    "data",
    [b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"xabc")[1:]],
)
def test_write_takes_any_contiguous_buffer(data: Any) -> None:
    link = links.connected()
    assert p.SSL_write(link.client, data) == 3
    assert p.SSL_write(link.client, data, 2) == 2
    link.move()
    assert links.read(link.server) == b"abc"
    assert links.read(link.server) == b"ab"


@clause("CV-2")
@pytest.mark.parametrize("data", [None, "text", 3, [b"x"]])
def test_write_of_no_bytes_like_object_is_a_type_error(data: Any) -> None:
    link = links.connected()
    with pytest.raises(TypeError):
        p.SSL_write(link.client, data)
    with pytest.raises((TypeError, ValueError, BufferError)):
        p.SSL_write(link.client, memoryview(b"abcdef")[::2])
    with pytest.raises(ValueError):
        p.SSL_write(link.client, b"abc", 4)
    assert p.BIO_ctrl_pending(link.client_out) == 0
    link.send(link.client, b"fine")


@clause("RW-16", "RW-26")
def test_write_of_nothing_sends_nothing() -> None:
    link = links.connected()
    for data, num in ((b"", None), (b"abc", 0)):
        ret = p.SSL_write(link.client, data, num)
        assert links.outcome(link.client, ret) == (0, p.SSL_ERROR_SYSCALL)
        assert p.SSL_write_ex(link.client, data, num) == (1, 0)
        assert reasons() == []
    assert p.BIO_ctrl_pending(link.client_out) == 0
    link.send(link.client, b"fine")


@clause("RW-16", "RW-17", "RW-2")
def test_write_of_nothing_runs_the_handshake_all_the_same() -> None:
    link = links.make_link()
    assert wire.write(link.client, b"") == WANT_READ
    assert p.SSL_write_ex(link.server, b"") == (0, 0)
    link.established()


@clause("RW-17", "RW-3", "RW-26")
def test_write_whose_handshake_must_read_wants_read() -> None:
    link = links.make_link()
    assert p.SSL_write_ex(link.client, b"hello") == (0, 0)
    assert p.SSL_get_error(link.client, 0) == p.SSL_ERROR_WANT_READ
    assert wire.write(link.client, b"hello") == WANT_READ
    link.move()
    assert wire.write(link.server, b"answer") == WANT_READ
    link.move()
    assert p.SSL_write_ex(link.client, b"hello") == (1, 5)
    assert p.SSL_get_error(link.client, 1) == p.SSL_ERROR_NONE
    link.move()
    assert links.read(link.server) == b"hello"


@clause("RW-17")
def test_write_to_a_blocking_bio_waits() -> None:
    with links.SockLink(*links.make_ends()) as link:
        link.handshake()
        data = wire.pattern(3_000_000)
        writer, found = links.in_thread(lambda: wire.write(link.client, data))
        writer.join(0.05)
        assert found == []
        got = bytearray()
        while len(got) < len(data):
            got += links.read(link.server)
        writer.join(10)
        assert found == [(len(data), 0)]
        assert got == data


# ---- retries -------------------------------------------------------------


@clause("RW-15", "RW-17", "RW-18")
def test_write_into_a_small_half_wants_write_until_all_is_out() -> None:
    tight = Tight()
    data = wire.pattern(40000)
    assert tight.write(data) == WANT_WRITE
    assert p.SSL_want(tight.client) == p.SSL_WRITING
    assert p.BIO_ctrl_pending(tight.net) == 2000
    # Without room nothing changes.
    assert tight.write(data) == WANT_WRITE
    assert p.BIO_ctrl_pending(tight.net) == 2000
    assert tight.finish(data) == 40000
    # Nothing was sealed twice.
    assert wire.records(tight.wire) == [
        (wire.DATA, 16401),
        (wire.DATA, 16401),
        (wire.DATA, 7249),
    ]
    assert tight.received() == data


@clause("RW-18")
@pytest.mark.parametrize("room", [1, 7, 1999])
def test_write_repeated_makes_progress_whatever_the_room(room: int) -> None:
    tight = Tight()
    data = wire.pattern(4000)
    assert tight.write(data) == WANT_WRITE
    while tight.write(data) == WANT_WRITE:
        assert tight.drain(room) == room
    tight.drain()
    assert wire.records(tight.wire) == [(wire.DATA, 4017)]
    assert tight.received() == data


@clause("RW-18")
def test_write_repeated_with_more_bytes_sends_them_all() -> None:
    tight = Tight()
    data = wire.pattern(5000)
    assert tight.write(data, 3000) == WANT_WRITE
    tight.drain()
    assert tight.write(data, 5000) == WANT_WRITE
    assert tight.finish(data) == 5000
    assert tight.received() == data


@clause("RW-18")
@pytest.mark.parametrize("size", [16384 * 4, 16384 * 9 + 5])
def test_write_longer_than_a_batch_is_sent_in_order(size: int) -> None:
    tight = Tight()
    data = wire.pattern(size)
    assert tight.write(data) == WANT_WRITE
    assert tight.finish(data) == size
    assert tight.received() == data


@clause("RW-18", "RW-15")
def test_write_ex_repeated_gives_the_count_at_the_end() -> None:
    tight = Tight()
    data = wire.pattern(3000)
    assert p.SSL_write_ex(tight.client, data) == (0, 0)
    assert p.SSL_get_error(tight.client, 0) == p.SSL_ERROR_WANT_WRITE
    tight.drain()
    assert p.SSL_write_ex(tight.client, data) == (1, 3000)


@clause("RW-19")
def test_partial_write_takes_one_record_even_if_there_is_room() -> None:
    link = links.connected()
    p.SSL_set_mode(link.client, PARTIAL)
    data = wire.pattern(40000)
    sent = 0
    for size in (16384, 16384, 7232):
        assert wire.write(link.client, data[sent:]) == (size, 0)
        sent += size
        octets = links.take(link.client_out)
        assert wire.records(octets) == [(wire.DATA, size + 17)]
        links.put(link.server_in, octets)
    assert b"".join(links.read(link.server) for _ in range(3)) == data
    assert p.SSL_write_ex(link.client, data) == (1, 16384)


@clause("RW-19")
def test_partial_write_returns_when_one_record_is_out() -> None:
    tight = Tight(PARTIAL)
    data = wire.pattern(40000)
    assert tight.write(data) == WANT_WRITE
    assert tight.finish(data) == 16384
    assert wire.records(tight.wire) == [(wire.DATA, 16401)]
    # The rest is a new write: any buffer will do.
    assert tight.write(b"another") == (7, 0)
    tight.drain()
    assert tight.received() == data[:16384] + b"another"


@clause("RW-20", "GE-6")
def test_write_repeated_with_another_buffer_is_bad_write_retry() -> None:
    tight = Tight()
    data = wire.pattern(4000)
    same = bytes(bytearray(data))
    assert same is not data
    assert tight.write(data) == WANT_WRITE
    for other in (same, bytearray(data), same + b"x", bytes(4000)):
        refused(tight, other, p.SSL_R_BAD_WRITE_RETRY)
    # Nothing else may come in between, either.
    assert tight.finish(data) == 4000
    assert tight.write(same[:9]) == (9, 0)
    tight.drain()
    assert tight.received() == data + data[:9]


@clause("RW-20")
def test_write_repeated_after_the_buffer_went_away_is_refused() -> None:
    tight = Tight()
    assert tight.write(bytearray(4000)) == WANT_WRITE
    for _ in range(20):
        # None of these gets the address of the first.
        refused(tight, bytearray(4000), p.SSL_R_BAD_WRITE_RETRY)


@clause("RW-20")
def test_write_repeated_with_a_view_of_the_same_memory_goes_on() -> None:
    tight = Tight()
    data = bytearray(wire.pattern(4000))
    assert tight.write(data) == WANT_WRITE
    tight.drain()
    assert tight.write(memoryview(data)) == WANT_WRITE
    assert tight.finish(memoryview(data).toreadonly()) == 4000


@clause("RW-21", "GE-6")
def test_write_repeated_with_less_than_committed_is_bad_length() -> None:
    tight = Tight()
    data = wire.pattern(4000)
    assert tight.write(data) == WANT_WRITE
    for num in (3999, 1, 0):
        refused(tight, data, p.SSL_R_BAD_LENGTH, num)
    assert tight.finish(data) == 4000
    assert tight.received() == data


@clause("RW-21", "RW-18")
def test_write_repeated_with_less_but_all_that_is_committed_is_done() -> None:
    tight = Tight()
    data = wire.pattern(200_000)
    assert tight.write(data) == WANT_WRITE
    assert tight.write(data, 100_000) == WANT_WRITE
    for _ in range(100):
        tight.drain()
        ret, code = tight.write(data, 100_000)
        if ret > 0:
            break
        assert (ret, code) == WANT_WRITE
    assert ret == 100_000
    tight.drain()
    assert tight.received() == data[:100_000]


@clause("RW-21", "GE-6")
@pytest.mark.parametrize("pending", [False, True])
def test_write_of_less_than_nothing_is_bad_length(pending: bool) -> None:
    tight = Tight()
    data = wire.pattern(4000)
    if pending:
        assert tight.write(data) == WANT_WRITE
    for num in (-1, -(1 << 31)):
        refused(tight, data, p.SSL_R_BAD_LENGTH, num)
    assert tight.finish(data) == 4000
    assert tight.received() == data


@clause("RW-21", "RW-22")
def test_moving_buffer_does_not_lift_the_test_of_the_length() -> None:
    tight = Tight(MOVING)
    data = wire.pattern(4000)
    assert tight.write(data) == WANT_WRITE
    refused(tight, data[:3999], p.SSL_R_BAD_LENGTH)
    assert tight.finish(data) == 4000


@clause("RW-22")
def test_moving_buffer_lets_any_equal_buffer_finish() -> None:
    tight = Tight(MOVING)
    data = wire.pattern(40000)
    assert tight.write(data) == WANT_WRITE
    for _ in range(40):
        tight.drain()
        ret, code = tight.write(bytes(bytearray(data)))
        if ret > 0:
            break
        assert (ret, code) == WANT_WRITE
    assert ret == 40000
    tight.drain()
    assert tight.received() == data


@clause("RW-25")
def test_reads_between_two_attempts_of_a_write_give_data() -> None:
    tight = Tight()
    data = wire.pattern(4000)
    assert tight.write(data) == WANT_WRITE
    assert p.SSL_write(tight.server, b"under way") == 9
    links.put(tight.link.client_in, links.take(tight.link.server_out))
    assert wire.peek(tight.client, 3) == (3, 0)
    assert p.SSL_pending(tight.client) == 9
    assert links.read(tight.client) == b"under way"
    assert wire.read(tight.client) == WANT_READ
    assert p.SSL_pending(tight.client) == 0
    assert tight.finish(data) == 4000
    assert tight.received() == data


# ---- BIOs that move nothing ----------------------------------------------


@clause("RW-3", "RW-17", "HS-17", "GE-10")
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(-1, flags=links.RETRY_WRITE), p.SSL_ERROR_WANT_WRITE),
        (Answer(0, flags=links.RETRY_WRITE), p.SSL_ERROR_WANT_WRITE),
        (Answer(-1, flags=links.RETRY_READ), p.SSL_ERROR_WANT_READ),
        (
            Answer(-1, flags=links.RETRY_SPECIAL, reason=p.BIO_RR_CONNECT),
            p.SSL_ERROR_WANT_CONNECT,
        ),
        (Answer(-1), p.SSL_ERROR_SYSCALL),
        (Answer(0), p.SSL_ERROR_SYSCALL),
    ],
)
@pytest.mark.parametrize("operation", ["write", "flush"])
def test_write_when_the_bio_moves_nothing(
    operation: str, answer: Answer, code: int
) -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    data = b"sealed once"
    link.client_py.tell(operation, answer)
    assert wire.write(link.client, data) == (-1, code)
    assert reasons() == []
    # Not dead: the same call completes it.
    assert wire.write(link.client, data) == (11, 0)
    octets = bytes(link.client_py.outgoing)
    assert wire.records(octets) == [(wire.DATA, 28)]
    link.move()
    assert links.read(link.server) == data


@clause("RW-18", "RW-20", "HS-17")
def test_write_after_a_transport_failure_must_be_repeated_too() -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    data = b"sealed once"
    link.client_py.tell("write", Answer(4), Answer(-1))
    assert wire.write(link.client, data) == BROKEN
    assert wire.write(link.client, bytes(bytearray(data))) == FAILED
    assert reasons() == [(20, p.SSL_R_BAD_WRITE_RETRY)]
    assert wire.write(link.client, data) == (11, 0)
    assert wire.records(bytes(link.client_py.outgoing)) == [(wire.DATA, 28)]


@clause("HS-17", "CV-9", "FD-2")
def test_write_to_a_closed_socket_fails_with_epipe() -> None:
    with links.SockLink(*links.make_ends()) as link:
        link.handshake()
        link.server_sock.close()
        assert wire.write(link.client, b"x") == BROKEN
        assert link.client.last_errno() == 32
        assert reasons() == []


# ---- after close_notify --------------------------------------------------


@clause("RW-23", "GE-6")
def test_write_after_our_close_notify_is_refused() -> None:
    link = links.connected()
    assert p.SSL_shutdown(link.client) == 0
    before = p.BIO_ctrl_pending(link.client_out)
    for data in (b"x", b"", wire.pattern(40000)):
        assert wire.write(link.client, data) == FAILED
        assert reasons() == [(20, p.SSL_R_PROTOCOL_IS_SHUTDOWN)]
    assert p.BIO_ctrl_pending(link.client_out) == before
    assert p.SSL_is_init_finished(link.client)
    link.send(link.server, b"but it reads")


@clause("RW-24")
@SIDES
def test_write_after_the_close_notify_of_the_peer_is_allowed(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    victim.forge.alert(0, level=1)
    assert victim.read() == (b"", CLOSED)
    assert victim.peer.write(b"last words") == (10, 0)
    victim.deliver()
    assert bytes(victim.forge.data) == b"last words"


@clause("GE-2", "RW-15")
def test_write_neither_minds_nor_clears_older_entries() -> None:
    link = links.connected()
    assert p.BIO_write(links.new_bio(p.BIO_s_bio()), b"x") == -1
    assert wire.write(link.client, b"data") == (4, 0)
    assert reasons() == [(32, 120)]


@clause("RW-33")
def test_write_of_a_dead_object_sends_nothing() -> None:
    victim = connected(as_server=False)
    victim.forge.alert(40)
    victim.deliver()
    assert victim.peer.read() == FAILED
    reasons()
    for data in (b"x", b"", wire.pattern(40000)):
        assert victim.peer.write(data) == BROKEN
    assert p.SSL_write_ex(victim.ssl, b"x") == (0, 0)
    dead(victim.peer)


@clause("RW-28")
def test_renegotiation_is_refused() -> None:
    for link in (links.make_link(), links.connected()):
        for ssl in (link.client, link.server):
            assert p.SSL_renegotiate_pending(ssl) == 0
    for ssl in (link.client, link.server):
        assert p.SSL_renegotiate(ssl) == 0
        assert reasons() == [(20, p.SSL_R_WRONG_SSL_VERSION)]
        assert p.SSL_renegotiate_pending(ssl) == 0
    link.send(link.client, b"and carries on")


@clause("RW-28", "RFC 8446 4.1.2")
@SIDES
@pytest.mark.parametrize("kind", [0, 1])
def test_renegotiation_that_the_peer_begins_is_unexpected(
    as_server: bool, kind: int
) -> None:
    # TLS 1.3 has none: a HelloRequest or a second ClientHello has no place.
    victim = connected(as_server=as_server)
    victim.forge.record(wire.HANDSHAKE, bytes([kind, 0, 0, 0]))
    assert victim.read() == (b"", FAILED)
    assert reasons() == [(20, p.SSL_R_UNEXPECTED_MESSAGE)]
    assert [alert.description for alert in victim.forge.alerts] == [10]
