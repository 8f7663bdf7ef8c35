"""SSL_shutdown(3), SSL_set_shutdown(3): contract 5.4, 5.5."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import pyssl as p
from pyssl._ffi import ffi, lib
from tests.api import links, wire
from tests.api.links import Answer, reasons
from tests.api.wire import BROKEN, CLOSED, FAILED, WANT_READ, WANT_WRITE
from tests.clauses import clause
from tests.forge import messages as m
from tests.forge.victim import SIDES, Victim, connected, dead

Ends = tuple[links.MemLink, p.SSL, p.SSL]

HALF = (0, p.SSL_ERROR_SYSCALL)  # ours is sent, the peer's is to come
BOTH = (1, p.SSL_ERROR_NONE)
SENT, RECEIVED = p.SSL_SENT_SHUTDOWN, p.SSL_RECEIVED_SHUTDOWN
CLOSE_NOTIFY = [(23, 19)]


def bits(ssl: p.SSL) -> int:
    """Give SSL_get_shutdown."""
    return p.SSL_get_shutdown(ssl)


def step(ssl: p.SSL, wanted: links.Outcome, after: int) -> None:
    """Call SSL_shutdown: its outcome, the bits after it, a clean queue."""
    assert (wire.shutdown(ssl), bits(ssl)) == (wanted, after)
    assert reasons() == []


@pytest.fixture(params=["client", "server"])
def ends(request: pytest.FixtureRequest) -> Ends:
    """An established link, the end that closes, and the other one."""
    link = links.connected()
    ssl = link.client if request.param == "client" else link.server
    return link, ssl, link.peer_of(ssl)


def tight(half_size: int = 10) -> tuple[links.MemLink, p.BIO]:
    """A link whose client writes into a pair half; and the other half."""
    link = links.connected()
    half, net = links.bio_pair(half_size)
    p.SSL_set0_wbio(link.client, half)
    return link, net


# ---- the rows of the table -----------------------------------------------


@clause("SD-1", "SD-2", "SD-4", "SD-6")
def test_shutdown_first_sends_close_notify_and_is_0(ends: Ends) -> None:
    link, ssl, peer = ends
    step(ssl, HALF, SENT)
    assert p.SSL_want(ssl) == p.SSL_NOTHING
    out = link.client_out if ssl is link.client else link.server_out
    octets = links.take(out)
    assert wire.records(octets) == CLOSE_NOTIFY
    links.put(link.server_in if ssl is link.client else link.client_in, octets)
    assert wire.read(peer) == CLOSED


@clause("SD-1", "SD-6")
def test_shutdown_first_after_the_peer_closed_is_1(ends: Ends) -> None:
    link, ssl, peer = ends
    step(peer, HALF, SENT)
    link.move()
    assert wire.read(ssl) == CLOSED
    assert bits(ssl) == RECEIVED
    step(ssl, BOTH, SENT | RECEIVED)
    link.move()
    step(peer, BOTH, SENT | RECEIVED)


@clause("SD-1", "SD-2")
def test_shutdown_first_does_not_look_into_the_bio(ends: Ends) -> None:
    link, ssl, peer = ends
    step(peer, HALF, SENT)
    link.move()
    step(ssl, HALF, SENT)
    step(ssl, BOTH, SENT | RECEIVED)


@clause("SD-1", "SD-3")
def test_shutdown_first_when_the_bio_is_full_wants_write() -> None:
    link, net = tight()
    assert wire.shutdown(link.client) == WANT_WRITE
    assert p.SSL_want(link.client) == p.SSL_WRITING
    assert bits(link.client) == SENT
    assert p.BIO_ctrl_pending(net) == 10


@clause("SD-1", "SD-3")
def test_shutdown_second_goes_on_sending_what_is_left() -> None:
    link, net = tight()
    octets = b""
    results = [wire.shutdown(link.client)]
    while results[-1] == WANT_WRITE:
        assert wire.shutdown(link.client) == WANT_WRITE  # no room yet
        octets += links.take(net, 9)
        results.append(wire.shutdown(link.client))
        assert bits(link.client) == SENT
    octets += links.take(net)
    assert results == [WANT_WRITE, WANT_WRITE, HALF]
    assert wire.records(octets) == CLOSE_NOTIFY
    links.put(link.server_in, octets)
    assert wire.read(link.server) == CLOSED
    step(link.server, BOTH, SENT | RECEIVED)


@clause("SD-2", "SD-3")
def test_shutdown_second_without_an_answer_wants_read(ends: Ends) -> None:
    link, ssl, _ = ends
    step(ssl, HALF, SENT)
    link.move()
    for _ in range(2):
        step(ssl, WANT_READ, SENT)
        assert p.SSL_want(ssl) == p.SSL_READING
    # Nothing was sent twice.
    assert link.move() == (0, 0)


@clause("SD-2", "SD-6")
def test_shutdown_second_with_the_answer_is_1(ends: Ends) -> None:
    link, ssl, peer = ends
    step(ssl, HALF, SENT)
    link.move()
    step(ssl, WANT_READ, SENT)
    assert wire.read(peer) == CLOSED
    step(peer, BOTH, SENT | RECEIVED)
    link.move()
    step(ssl, BOTH, SENT | RECEIVED)


@clause("SD-2", "HS-10")
def test_shutdown_second_takes_the_answer_byte_by_byte() -> None:
    link = links.connected()
    step(link.client, HALF, SENT)
    step(link.server, HALF, SENT)
    octets = links.take(link.server_out)
    for at in range(len(octets)):
        step(link.client, WANT_READ, SENT)
        links.put(link.client_in, octets[at : at + 1])
    step(link.client, BOTH, SENT | RECEIVED)


@clause("SD-2", "HS-16")
@pytest.mark.parametrize("part", [0, 1, 6])
def test_shutdown_second_at_the_end_of_the_transport_is_294(
    part: int,
) -> None:
    link = links.connected()
    step(link.client, HALF, SENT)
    step(link.server, HALF, SENT)
    links.put(link.client_in, links.take(link.server_out)[:part])
    link.end(link.client)
    assert wire.shutdown(link.client) == FAILED
    assert reasons() == [(20, p.SSL_R_UNEXPECTED_EOF_WHILE_READING)]
    assert bits(link.client) == SENT
    dead(links.RawPeer(link.client))


@clause("SD-2", "RW-8")
def test_shutdown_second_at_an_end_that_is_ignored_is_1() -> None:
    link = links.connected()
    p.SSL_set_options(link.client, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    step(link.client, HALF, SENT)
    link.end(link.client)
    step(link.client, BOTH, SENT | RECEIVED)


@clause("SD-5")
@pytest.mark.parametrize("buffered", [False, True])
def test_shutdown_second_with_data_under_way_is_291(buffered: bool) -> None:
    link = links.connected()
    wire.deliver(link, b"under way")
    if buffered:
        assert links.read(link.client, 1) == b"u"
    step(link.client, HALF, SENT)
    links.take(link.client_out)
    assert wire.shutdown(link.client) == FAILED
    reason = p.SSL_R_APPLICATION_DATA_AFTER_CLOSE_NOTIFY
    assert reasons() == [(20, reason)]
    assert bits(link.client) == SENT
    assert p.BIO_ctrl_pending(link.client_out) == 0
    dead(links.RawPeer(link.client))


@clause("SD-1", "SD-13")
def test_shutdown_when_both_are_done_is_1_without_io() -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    for ssl in (link.client, link.server):
        assert wire.shutdown(ssl) == HALF
        link.move()
    assert wire.shutdown(link.client) == BOTH
    link.client_py.calls.clear()
    for _ in range(3):
        step(link.client, BOTH, SENT | RECEIVED)
    assert link.client_py.calls == []


@clause("SD-15")
def test_shutdown_when_quiet_sends_nothing_and_is_1(ends: Ends) -> None:
    link, ssl, peer = ends
    p.SSL_set_quiet_shutdown(ssl, 1)
    for _ in range(2):
        step(ssl, BOTH, SENT | RECEIVED)
    assert link.move() == (0, 0)
    assert wire.read(peer) == WANT_READ


@clause("SD-9", "GE-6")
def test_shutdown_during_the_handshake_is_407_and_leaves_it(
    ends: Ends,
) -> None:
    del ends
    link = links.make_link()
    for turn in range(4):
        ssl = (link.client, link.server)[turn % 2]
        assert wire.shutdown(ssl) == FAILED
        assert reasons() == [(20, p.SSL_R_SHUTDOWN_WHILE_IN_INIT)]
        assert bits(ssl) == 0
        assert link.move() == (0, 0)
        ret = p.SSL_do_handshake(ssl)
        wanted = WANT_READ if turn < 2 else (1, 0)
        assert links.outcome(ssl, ret) == wanted
        link.move()
    link.send(link.client, b"and it is complete")


@clause("SD-9", "RW-33")
@SIDES
def test_shutdown_of_a_dead_object_is_407(as_server: bool) -> None:
    victim = connected(as_server=as_server)
    victim.forge.alert(40)
    victim.deliver()
    assert victim.peer.read() == FAILED
    reasons()
    for _ in range(2):
        assert victim.peer.shutdown() == FAILED
        assert reasons() == [(20, p.SSL_R_SHUTDOWN_WHILE_IN_INIT)]
        assert bits(victim.ssl) == RECEIVED
    assert victim.peer.sent() == b""


@clause("RW-34", "SD-9")
@pytest.mark.parametrize("quiet", [0, 1])
def test_shutdown_without_role_is_uninitialized(quiet: int) -> None:
    ssl = links.new_ssl(links.make_contexts()[0])
    p.SSL_set_quiet_shutdown(ssl, quiet)
    peer = links.RawPeer(ssl)
    assert peer.shutdown() == FAILED
    assert reasons() == [(20, p.SSL_R_UNINITIALIZED)]
    assert bits(ssl) == 0
    assert peer.sent() == b""


# ---- the rest of 5.4 -----------------------------------------------------


@clause("SD-1", "HS-17")
def test_shutdown_first_whose_write_fails_has_set_the_bit_all_the_same() -> (
    None
):
    link = links.PyLink(*links.make_ends())
    link.established()
    link.client_py.tell("write", Answer(-1), Answer(-1))
    assert wire.shutdown(link.client) == BROKEN
    assert bits(link.client) == SENT
    assert wire.shutdown(link.client) == BROKEN
    # The transport may have recovered.
    assert wire.shutdown(link.client) == HALF
    octets = bytes(link.client_py.outgoing)
    assert wire.records(octets) == CLOSE_NOTIFY


@clause("SD-3")
def test_shutdown_of_a_blocking_bio_waits_for_the_answer() -> None:
    with links.SockLink(*links.make_ends()) as link:
        link.handshake()
        assert wire.shutdown(link.client) == HALF
        closer, found = links.in_thread(lambda: wire.shutdown(link.client))
        closer.join(0.05)
        assert found == []
        assert wire.read(link.server) == CLOSED
        assert wire.shutdown(link.server) == BOTH
        closer.join(10)
        assert found == [BOTH]


@clause("SD-3")
def test_shutdown_of_a_non_blocking_socket_is_repeated() -> None:
    with links.SockLink(*links.make_ends(), blocking=False) as link:
        link.established()
        assert wire.shutdown(link.client) == HALF
        assert wire.shutdown(link.client) == WANT_READ
        link.wait(link.server, 2)
        assert wire.read(link.server) == CLOSED
        assert wire.shutdown(link.server) == BOTH
        link.wait(link.client, 2)
        assert wire.shutdown(link.client) == BOTH


@clause("SD-4", "GE-8")
def test_error_after_0_is_syscall_with_an_empty_queue() -> None:
    link = links.connected()
    assert p.SSL_shutdown(link.client) == 0
    for _ in range(2):
        assert p.SSL_get_error(link.client, 0) == p.SSL_ERROR_SYSCALL
    assert reasons() == []
    assert p.SSL_is_init_finished(link.client)


@clause("SD-5", "RW-7")
def test_read_after_the_first_call_fetches_what_is_under_way() -> None:
    link = links.connected()
    wire.deliver(link, b"under way", b"and more")
    assert links.read(link.client, 1) == b"u"
    step(link.client, HALF, SENT)
    assert links.read(link.client) == b"nder way"
    assert wire.peeked(link.client) == b"and more"
    assert links.read(link.client) == b"and more"
    assert wire.read(link.client) == WANT_READ
    step(link.client, WANT_READ, SENT)
    link.move()
    assert wire.read(link.server) == CLOSED
    step(link.server, BOTH, SENT | RECEIVED)
    link.move()
    assert wire.read(link.client) == CLOSED
    step(link.client, BOTH, SENT | RECEIVED)


@clause("SD-6")
@pytest.mark.parametrize("auto_retry", [False, True])
def test_shutdown_second_passes_over_post_handshake_messages(
    auto_retry: bool,
) -> None:
    victim = connected(as_server=False)
    if not auto_retry:
        p.SSL_clear_mode(victim.ssl, p.SSL_MODE_AUTO_RETRY)
    assert victim.peer.shutdown() == HALF
    for _ in range(2):
        victim.forge.record(wire.HANDSHAKE, bytes(m.NewSessionTicket()) * 2)
        victim.forge.update(1)
    victim.forge.record(wire.DATA, b"")
    victim.deliver()
    assert victim.peer.shutdown() == WANT_READ
    victim.forge.alert(0, level=1)
    victim.deliver()
    assert victim.peer.shutdown() == BOTH
    assert bits(victim.ssl) == SENT | RECEIVED


@clause("SD-6", "SESS-7", "CV-7")
@pytest.mark.parametrize("auto_retry", [False, True])
def test_shutdown_second_hands_on_each_ticket_as_it_comes(
    auto_retry: bool,
) -> None:
    client, server = links.make_contexts(tickets=5, version=p.TLS1_3_VERSION)
    came: list[p.SSL] = []

    def on_session(ssl: p.SSL, session: p.SSL_SESSION) -> int:
        came.append(ssl)
        if len(came) == 2:
            raise KeyError("the second")
        return 0

    p.SSL_CTX_set_session_cache_mode(client, p.SSL_SESS_CACHE_CLIENT)
    p.SSL_CTX_sess_set_new_cb(client, on_session)
    link = links.MemLink(*links.make_ends(client, server))
    if not auto_retry:
        p.SSL_clear_mode(link.client, p.SSL_MODE_AUTO_RETRY)
    link.established()
    step(link.server, HALF, SENT)
    link.move()
    step(link.client, HALF, SENT)
    with pytest.raises(KeyError, match="the second"):
        p.SSL_shutdown(link.client)
    assert came == [link.client] * 5
    step(link.client, BOTH, SENT | RECEIVED)


@clause("RFC 8446 4.6.1")
def test_shutdown_second_lets_no_tickets_gather() -> None:
    victim = connected(as_server=False)
    victim.ssl._set_number(lib.PYS_CACHE_MODE, p.SSL_SESS_CACHE_CLIENT)
    assert victim.peer.shutdown() == HALF
    victim.forge.record(wire.HANDSHAKE, bytes(m.NewSessionTicket()) * 9)
    victim.deliver()
    conn = victim.ssl._conn
    for _ in range(9):
        assert lib.pys_conn_shutdown_read(conn) == lib.PYS_IO_NEWS
        kept = [lib.pys_conn_fresh_session(conn) for _ in range(2)]
        assert kept[0] != ffi.NULL
        assert kept[1] == ffi.NULL
        lib.pys_session_free(kept[0])
    assert lib.pys_conn_shutdown_read(conn) == lib.PYS_IO_WANT_READ


@clause("SD-7", "RW-10", "HS-15")
@SIDES
@pytest.mark.parametrize("alert", [10, 40, 80])
def test_shutdown_second_with_a_fatal_alert_fails(
    as_server: bool, alert: int
) -> None:
    victim = connected(as_server=as_server)
    assert victim.peer.shutdown() == HALF
    victim.forge.alert(alert)
    victim.deliver()
    assert victim.peer.shutdown() == FAILED
    assert reasons() == [(20, 1000 + alert)]
    assert bits(victim.ssl) == SENT | RECEIVED
    dead(victim.peer)


@clause("SD-7")
def test_shutdown_second_is_not_ended_by_user_canceled() -> None:
    victim = connected(as_server=False)
    assert victim.peer.shutdown() == HALF
    victim.forge.alert(90, level=1)
    victim.deliver()
    assert victim.peer.shutdown() == WANT_READ
    victim.forge.alert(0, level=1)
    victim.deliver()
    assert victim.peer.shutdown() == BOTH


@clause("SD-7", "HS-18")
def test_shutdown_second_with_a_forged_record_fails() -> None:
    victim = connected(as_server=False)
    assert victim.peer.shutdown() == HALF
    victim.forge.alert(0, level=1)
    octets = bytearray(victim.forge.take())
    octets[-1] ^= 1
    victim.peer.feed(bytes(octets))
    assert victim.peer.shutdown() == FAILED
    assert reasons() == [(20, p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)]
    assert bits(victim.ssl) == SENT


@clause("SD-8", "RW-23")
def test_shutdown_first_sends_the_sealed_rest_of_a_write_before() -> None:
    link, net = tight(2000)
    data = wire.pattern(5000)
    assert wire.write(link.client, data) == WANT_WRITE
    octets = b""
    for _ in range(2):
        assert wire.shutdown(link.client) == WANT_WRITE
        assert bits(link.client) == SENT
        octets += links.take(net)
    assert wire.shutdown(link.client) == HALF
    octets += links.take(net)
    assert wire.records(octets) == [(23, 5017), *CLOSE_NOTIFY]
    links.put(link.server_in, octets)
    assert links.read(link.server) == data
    assert wire.read(link.server) == CLOSED
    assert wire.write(link.client, data) == FAILED
    assert reasons() == [(20, p.SSL_R_PROTOCOL_IS_SHUTDOWN)]


@clause("SD-8")
def test_shutdown_first_cuts_a_write_off_after_its_sealed_records() -> None:
    link, net = tight(2000)
    data = wire.pattern(200_000)
    assert wire.write(link.client, data) == WANT_WRITE
    octets = b""
    while wire.shutdown(link.client) == WANT_WRITE:
        octets += links.take(net)
    octets += links.take(net)
    links.put(link.server_in, octets)
    got = b""
    while bits(link.server) == 0:
        buf = bytearray(20000)
        n = p.SSL_read(link.server, buf)
        got += buf[: max(n, 0)]
    assert 0 < len(got) < len(data)
    assert data.startswith(got)
    assert links.outcome(link.server, n) == CLOSED


@clause("SD-8", "SD-13")
def test_shutdown_ends_a_pending_write_for_good() -> None:
    link, net = tight(2000)
    assert wire.write(link.client, wire.pattern(5000)) == WANT_WRITE
    while wire.shutdown(link.client) == WANT_WRITE:
        links.take(net)
    links.take(net)
    p.SSL_set_shutdown(link.client, 0)
    # A new write, not the repetition of the old one.
    assert wire.write(link.client, b"another") == (7, 0)
    assert wire.records(links.take(net)) == [(23, 24)]


@clause("HS-19")
def test_handshake_after_shutdown_is_1_without_io(ends: Ends) -> None:
    link, ssl, _ = ends
    step(ssl, HALF, SENT)
    link.move()
    assert links.outcome(ssl, p.SSL_do_handshake(ssl)) == (1, 0)
    assert link.move() == (0, 0)
    assert p.SSL_is_init_finished(ssl)


@clause("GE-2")
def test_shutdown_neither_minds_nor_clears_older_entries() -> None:
    link = links.connected()
    assert p.BIO_write(links.new_bio(p.BIO_s_bio()), b"x") == -1
    assert p.SSL_shutdown(link.client) == 0
    assert p.SSL_shutdown(link.client) == -1
    assert p.SSL_get_error(link.client, -1) == p.SSL_ERROR_SSL
    assert p.SSL_want(link.client) == p.SSL_READING
    assert reasons() == [(32, 120)]


# ---- 5.5 -----------------------------------------------------------------


@clause("SD-12")
def test_get_shutdown_follows_both_directions(ends: Ends) -> None:
    link, ssl, peer = ends
    assert p.SSL_get_shutdown(links.make_ends()[0]) == 0
    assert (bits(ssl), bits(peer)) == (0, 0)
    step(ssl, HALF, SENT)
    link.move()
    assert bits(peer) == 0  # not before it is read
    assert wire.peek(peer) == CLOSED
    assert bits(peer) == RECEIVED
    step(peer, BOTH, SENT | RECEIVED)
    link.move()
    assert wire.read(ssl) == CLOSED
    assert bits(ssl) == SENT | RECEIVED


@clause("SD-12", "HS-15")
def test_get_shutdown_after_a_fatal_alert_has_received() -> None:
    peer = links.raw_client()
    peer.feed("15 03 03 00 02 02 28")
    assert peer.handshake() == FAILED
    assert bits(peer.ssl) == RECEIVED


@clause("SD-12")
@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_set_shutdown_overwrites_without_io(mode: int) -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    link.client_py.calls.clear()
    for first in (3, 0):
        p.SSL_set_shutdown(link.client, first)
        assert bits(link.client) == first
        p.SSL_set_shutdown(link.client, mode)
        assert bits(link.client) == mode
    assert link.client_py.calls == []
    assert reasons() == []


def _reading(link: links.MemLink) -> links.Outcome:
    return wire.read(link.client)


def _writing(link: links.MemLink) -> links.Outcome:
    return wire.write(link.client, b"x")


@clause("SD-13", "RW-6", "RW-23")
@pytest.mark.parametrize(
    ("mode", "reading", "writing"),
    [
        (0, WANT_READ, (1, 0)),
        (SENT, WANT_READ, FAILED),
        (RECEIVED, CLOSED, (1, 0)),
        (SENT | RECEIVED, CLOSED, FAILED),
    ],
)
def test_set_shutdown_steers_reads_and_writes(
    mode: int, reading: Any, writing: Any
) -> None:
    link = links.connected()
    p.SSL_set_shutdown(link.client, mode)
    tries: list[tuple[Callable[..., Any], Any]] = [
        (_reading, reading),
        (_writing, writing),
    ]
    for call, wanted in tries:
        assert call(link) == wanted
        refused = [(20, p.SSL_R_PROTOCOL_IS_SHUTDOWN)]
        assert reasons() == (refused if wanted == FAILED else [])
    # Clearing both undoes it.
    p.SSL_set_shutdown(link.client, 0)
    assert _reading(link) == WANT_READ
    assert _writing(link) == (1, 0)
    link.send(link.server, b"both ways")


@clause("SD-13")
def test_set_shutdown_received_hides_data_until_it_is_cleared() -> None:
    link = links.connected()
    wire.deliver(link, b"data")
    assert links.read(link.client, 1) == b"d"
    p.SSL_set_shutdown(link.client, RECEIVED)
    assert wire.read(link.client) == CLOSED
    p.SSL_set_shutdown(link.client, 0)
    assert links.read(link.client) == b"ata"


@clause("SD-13")
def test_shutdown_with_3_set_sends_nothing(ends: Ends) -> None:
    link, ssl, _ = ends
    p.SSL_set_shutdown(ssl, SENT | RECEIVED)
    step(ssl, BOTH, SENT | RECEIVED)
    assert link.move() == (0, 0)


@clause("SD-13", "SD-2")
def test_shutdown_with_received_set_sends_and_is_1(ends: Ends) -> None:
    link, ssl, peer = ends
    p.SSL_set_shutdown(ssl, RECEIVED)
    step(ssl, BOTH, SENT | RECEIVED)
    link.move()
    assert wire.read(peer) == CLOSED


@clause("SD-15")
def test_quiet_shutdown_is_copied_from_the_context() -> None:
    ctx = links.make_contexts()[0]
    assert p.SSL_CTX_get_quiet_shutdown(ctx) == 0
    before = links.new_ssl(ctx)
    p.SSL_CTX_set_quiet_shutdown(ctx, 1)
    assert p.SSL_CTX_get_quiet_shutdown(ctx) == 1
    after = links.new_ssl(ctx)
    p.SSL_CTX_set_quiet_shutdown(ctx, 0)
    assert p.SSL_get_quiet_shutdown(before) == 0
    assert p.SSL_get_quiet_shutdown(after) == 1
    p.SSL_set_connect_state(after)
    assert p.SSL_clear(after) == 1
    assert p.SSL_get_quiet_shutdown(after) == 1
    p.SSL_set_quiet_shutdown(after, 0)
    assert p.SSL_get_quiet_shutdown(after) == 0


@clause("SD-15")
def test_quiet_shutdown_taken_back_sends_again(ends: Ends) -> None:
    link, ssl, peer = ends
    p.SSL_set_quiet_shutdown(ssl, 1)
    step(ssl, BOTH, SENT | RECEIVED)
    p.SSL_set_quiet_shutdown(ssl, 0)
    p.SSL_set_shutdown(ssl, 0)
    step(ssl, HALF, SENT)
    link.move()
    assert wire.read(peer) == CLOSED


def _established(victim: Victim) -> bool:
    return bool(p.SSL_is_init_finished(victim.ssl))


@clause("SD-12", "RW-24")
@SIDES
def test_close_notify_of_the_peer_leaves_the_connection_open(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    victim.forge.alert(0, level=2)  # the level does not matter
    assert victim.read() == (b"", CLOSED)
    assert bits(victim.ssl) == RECEIVED
    assert _established(victim)
