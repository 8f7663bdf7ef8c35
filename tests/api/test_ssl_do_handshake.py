"""SSL_do_handshake(3): contract section 1.1, but for its failures.

Those are in test_ssl_handshake_fails.py, suspension by a callback in
test_ssl_suspended.py.
"""

from __future__ import annotations

import queue
import time
from typing import Any, Callable

import pytest

import pyssl as p
from tests.api.links import (
    RETRY_READ,
    RETRY_WRITE,
    Answer,
    MemLink,
    PairLink,
    PyBio,
    PyLink,
    SockLink,
    connected,
    in_thread,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    put,
    py_end,
    raw_client,
    raw_server,
    read,
    reasons,
    take,
)
from tests.clauses import clause
from tests.pki import ca

FOREIGN = (77, 5)
WANT_READ, WANT_WRITE = (-1, 2), (-1, 3)

METHODS = pytest.mark.parametrize(
    "method",
    [p.TLS_method, p.TLS_client_method, p.TLS_server_method],
    ids=["generic", "client", "server"],
)


def hello_of_a_client() -> bytes:
    """Give the record that a client begins with."""
    peer = raw_client()
    assert peer.handshake() == WANT_READ
    return peer.sent()


def stale() -> None:
    """Put a foreign entry in the thread's queue."""
    p.ERR_raise(*FOREIGN)


# ---- who begins, and what must be there -----------------------------------


@clause("HS-1")
def test_client_writes_its_hello_unprompted() -> None:
    peer = raw_client()

    assert peer.handshake() == WANT_READ
    sent = peer.sent()

    assert sent[0] == 22
    assert sent[5] == 1  # ClientHello
    assert len(sent) == 5 + int.from_bytes(sent[3:5], "big")


@clause("HS-1", "HS-35")
def test_server_writes_nothing_until_the_hello_is_whole() -> None:
    hello = hello_of_a_client()
    peer = raw_server()

    for i in range(len(hello)):
        assert peer.handshake() == WANT_READ
        assert peer.sent() == b""
        assert p.SSL_state_string(peer.ssl) == "PINIT"
        peer.feed(hello[i : i + 1])
    assert peer.handshake() == WANT_READ
    assert peer.sent()[5] == 2  # ServerHello


@METHODS
@clause("HS-2", "HS-4", "HS-40", "GE-6")
def test_handshake_without_role_is_refused_and_then_works(method: Any) -> None:
    ctx = p.SSL_CTX(method())
    ssl, py = p.SSL(ctx), PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    py.calls.clear()

    for _ in range(2):
        stale()
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 1)
        assert p.SSL_want(ssl) == p.SSL_NOTHING
        assert reasons() == [FOREIGN, (20, 144)]
        assert p.SSL_in_before(ssl)
        assert p.SSL_state_string(ssl) == "PINIT"
        assert py.calls == []

    if method is p.TLS_server_method:
        p.SSL_set_accept_state(ssl)
    else:
        p.SSL_set_connect_state(ssl)
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    assert reasons() == []


@clause("HS-2")
def test_both_ends_complete_after_a_call_without_role() -> None:
    client_ctx, server_ctx = make_contexts()
    client, server = p.SSL(client_ctx), p.SSL(server_ctx)
    link = MemLink(client, server)
    for ssl in (client, server):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 1)
        assert reasons() == [(20, 144)]
    p.SSL_set_connect_state(client)
    p.SSL_set_accept_state(server)

    link.established()
    link.send(client, b"after all")


@clause("HS-3", "HS-4", "HS-31", "HS-36", "GE-6", "OWN-6")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
@pytest.mark.parametrize("has", ["none", "read", "write"])
def test_handshake_without_a_bio_is_refused_and_then_works(
    server: bool, has: str
) -> None:
    client_end, server_end = make_ends()
    link = MemLink(client_end, server_end)
    ssl = server_end if server else client_end
    py = PyBio()
    p.SSL_set_bio(
        ssl,
        py.bio if has == "read" else None,
        py.bio if has == "write" else None,
    )
    py.calls.clear()
    own = p.SSL_accept if server else p.SSL_connect

    for call in (p.SSL_do_handshake, own, p.SSL_do_handshake):
        stale()
        assert outcome(ssl, call(ssl)) == (-1, 1)
        assert reasons() == [FOREIGN, (20, 128)]
        assert p.SSL_in_before(ssl)
        assert py.calls == []

    link.attach()
    link.established()
    assert reasons() == []


@clause("HS-4", "GE-2")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_handshake_with_work_to_do_empties_the_queue(server: bool) -> None:
    ssl, _ = py_end(server)
    for _ in range(3):
        stale()
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
        assert reasons() == []


@clause("HS-4", "HS-19", "HS-13", "GE-5")
def test_finishing_call_answers_1_though_an_entry_was_queued() -> None:
    link = make_link()
    link.step()
    stale()

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)
    assert reasons() == []


# ---- blocking and not -----------------------------------------------------


@clause("HS-5", "CV-8")
@pytest.mark.threads
def test_blocking_call_returns_when_it_is_complete() -> None:
    with SockLink(*make_ends()) as link:
        thread, found = in_thread(
            lambda: outcome(link.client, p.SSL_do_handshake(link.client))
        )
        thread.join(0.05)
        assert thread.is_alive()  # it waits for the server
        mine = outcome(link.server, p.SSL_do_handshake(link.server))
        thread.join(30)

        assert (found, mine) == ([(1, 0)], (1, 0))


@clause("HS-5")
def test_blocking_call_asks_its_bio_as_often_as_there_are_pieces() -> None:
    link = PyLink(*make_ends())
    waiting: queue.Queue[bytes] = queue.Queue()
    py = link.client_py

    def block(b: p.BIO, n: int) -> bytes:
        py.calls.append(("read", n))
        if not py.incoming:
            py.incoming += waiting.get(timeout=30)
        data = bytes(py.incoming[:n])
        del py.incoming[:n]
        return data

    p.BIO_meth_set_read(py.method, block)
    thread, found = in_thread(lambda: p.SSL_do_handshake(link.client))
    deadline = time.monotonic() + 30
    while not py.count("read"):
        assert time.monotonic() < deadline
        thread.join(0.001)
    link.server_py.incoming += py.outgoing
    py.outgoing.clear()
    assert p.SSL_do_handshake(link.server) == -1
    flight = bytes(link.server_py.outgoing)
    waiting.put(flight)
    thread.join(30)

    assert found == [1]
    assert py.count("read") == 2 * len(records_of(flight))


def records_of(data: bytes) -> list[bytes]:
    """Cut bytes into records."""
    found = []
    while data:
        size = 5 + int.from_bytes(data[3:5], "big")
        found.append(data[:size])
        data = data[size:]
    return found


@clause("HS-6", "WANT-2")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_read_bio_with_nothing_is_want_read(server: bool) -> None:
    ssl, _ = py_end(server)

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    assert p.SSL_want(ssl) == p.SSL_READING
    assert reasons() == []


@clause("HS-6", "HS-7", "WANT-2")
@pytest.mark.parametrize("taken", [-1, 1, 100])
def test_write_bio_that_takes_no_more_is_want_write(taken: int) -> None:
    ssl, py = py_end(False)
    full = Answer(-1, flags=RETRY_WRITE)
    if taken > 0:
        py.tell("write", Answer(taken))
    py.tell("write", full, full)

    for _ in range(2):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_WRITE
        assert p.SSL_want(ssl) == p.SSL_WRITING
        assert reasons() == []
        assert len(py.outgoing) == max(taken, 0)
        assert py.count("read") == 0
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    (hello,) = records_of(bytes(py.outgoing))
    assert hello[5] == 1


@clause("HS-7", "HS-46")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_repeat_without_news_changes_nothing(server: bool) -> None:
    link = PyLink(*make_ends())
    link.step()
    ssl = link.server if server else link.client
    py = link.server_py if server else link.client_py
    if not server:
        py.incoming.clear()
    p.SSL_do_handshake(ssl)
    py.outgoing.clear()
    state = p.SSL_state_string(ssl)

    for _ in range(3):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
        assert py.outgoing == b""
        assert p.SSL_state_string(ssl) == state


@clause("HS-8")
@pytest.mark.threads
def test_non_blocking_socket_needs_nothing_but_poll() -> None:
    with SockLink(*make_ends(), blocking=False) as link:
        pending = {link.client, link.server}
        codes = set()
        while pending:
            for ssl in list(pending):
                ret, code = outcome(ssl, p.SSL_do_handshake(ssl))
                codes.add((ret, code))
                if code == 0:
                    pending.remove(ssl)
                elif pending == {ssl}:
                    link.wait(ssl, code)
        assert codes == {WANT_READ, (1, 0)}
        link.send(link.client, b"x" * 1000)


@clause("HS-9", "HS-6", "PAIR-17")
def test_small_pair_wants_write_until_the_rest_fits() -> None:
    size = len(hello_of_a_client())
    link = PairLink(*make_ends(tickets=0), size=100, direct=False)
    moved = []
    for _ in range(size // 100):
        got = outcome(link.client, p.SSL_do_handshake(link.client))
        assert got == WANT_WRITE
        assert p.BIO_ctrl_get_write_guarantee(link.client_bio) == 0
        moved.append(take(link.client_net))

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == WANT_READ
    rest = size % 100
    assert p.BIO_ctrl_pending(link.client_net) == rest
    assert p.BIO_ctrl_get_write_guarantee(link.client_bio) == 100 - rest
    moved.append(take(link.client_net))
    assert [len(part) for part in moved] == [100] * (size // 100) + [rest]
    assert len(records_of(b"".join(moved))) == 1
    for part in moved:  # the server takes them over its own small pair
        put(link.server_net, part)
        got = outcome(link.server, p.SSL_do_handshake(link.server))
    assert got == WANT_WRITE
    link.established()


@clause("HS-9")
def test_want_read_does_not_mean_that_nothing_is_to_be_sent() -> None:
    link = make_link()

    for _ in range(3):  # neither side's bytes are moved
        for ssl in (link.client, link.server):
            assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
        assert p.BIO_ctrl_pending(link.client_out) > 0
    link.established()


@clause("HS-10")
def test_flights_byte_by_byte_complete() -> None:
    link = make_link(client_auth=True)

    def feed(ssl: p.SSL, sink: p.BIO, data: bytes) -> list[Any]:
        found = []
        for i in range(len(data)):
            put(sink, data[i : i + 1])
            found.append(outcome(ssl, p.SSL_do_handshake(ssl)))
        return found

    assert p.SSL_do_handshake(link.client) == -1
    hello = take(link.client_out)
    assert set(feed(link.server, link.server_in, hello)) == {WANT_READ}
    flight = take(link.server_out)
    assert len(records_of(flight)) > 1
    got = feed(link.client, link.client_in, flight)
    assert got == [WANT_READ] * (len(flight) - 1) + [(1, 0)]
    answer = take(link.client_out)
    got = feed(link.server, link.server_in, answer)
    assert got == [WANT_READ] * (len(answer) - 1) + [(1, 0)]


@clause("HS-10")
def test_records_of_several_flights_may_come_in_one_call() -> None:
    link = make_link(client_auth=True)
    link.step()
    assert p.SSL_do_handshake(link.client) == 1
    assert p.SSL_write(link.client, b"at once") == 7
    link.move()

    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (1, 0)
    assert read(link.server) == b"at once"


@clause("HS-11", "PAIR-9")
def test_handshake_asks_for_a_header_and_then_for_the_body() -> None:
    hello = hello_of_a_client()
    ssl, py = py_end(True)
    p.SSL_do_handshake(ssl)
    py.incoming += hello[:5]
    p.SSL_do_handshake(ssl)
    py.incoming += hello[5:15]
    p.SSL_do_handshake(ssl)
    py.incoming += hello[15:]
    p.SSL_do_handshake(ssl)

    body = len(hello) - 5
    asked = [n for name, n in py.calls if name == "read"]
    assert asked == [5, 5, body, body, body - 10, body - 10, 5]


@clause("HS-11", "PAIR-9")
@pytest.mark.parametrize(("fed", "size"), [(0, 0), (3, 0), (5, 0), (9, 64)])
def test_want_read_on_a_pair_leaves_a_read_request(
    fed: int, size: int
) -> None:
    hello = hello_of_a_client()
    ssl = make_ends()[1]
    bio, net = p.BIO_new_bio_pair(size, size)
    assert bio is not None
    assert net is not None
    p.SSL_set_bio(ssl, bio, bio)
    put(net, hello[:fed])

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    missing = 5 - fed if fed < 5 else len(hello) - fed
    assert p.BIO_ctrl_get_read_request(net) == (
        min(missing, size) if size else missing
    )


@clause("HS-12", "HS-26")
def test_each_flight_is_one_write_and_one_flush() -> None:
    link = PyLink(*make_ends(client_auth=True))
    for py in (link.client_py, link.server_py):
        py.calls.clear()
    link.established()

    def written(py: PyBio) -> list[str]:
        flush = ("ctrl", p.BIO_CTRL_FLUSH)
        return [
            name
            for name, value in py.calls
            if name == "write" or (name, value) == flush
        ]

    assert written(link.client_py) == ["write", "ctrl"] * 2
    assert written(link.server_py) == ["write", "ctrl"] * 2  # the tickets


@clause("HS-12", "WANT-4", "METH-7")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_flush_that_fails_is_a_transport_failure(server: bool) -> None:
    link = PyLink(*make_ends())
    if server:
        p.SSL_do_handshake(link.client)
        link.move()
    ssl = link.server if server else link.client
    py = link.server_py if server else link.client_py
    py.tell("flush", Answer(0), Answer(-1))

    for _ in range(2):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)
        assert p.SSL_want(ssl) == p.SSL_WRITING
        assert reasons() == []
        assert p.SSL_state_string(ssl) != "SSLERR"
    assert py.count("write") == 1
    link.established()


@clause("HS-12", "HS-6")
def test_flush_that_wants_a_retry_is_want_write() -> None:
    link = PyLink(*make_ends())
    py = link.client_py
    py.tell("flush", Answer(0, flags=RETRY_WRITE))

    got = outcome(link.client, p.SSL_do_handshake(link.client))
    assert got == WANT_WRITE
    assert p.SSL_want(link.client) == p.SSL_WRITING
    link.established()
    assert py.count("write") == 2


@clause("HS-6", "GE-7")
def test_write_bio_that_waits_for_reading_is_want_read() -> None:
    ssl, py = py_end(False)
    py.tell("write", Answer(-1, flags=RETRY_READ))

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    assert p.SSL_want(ssl) == p.SSL_WRITING
    assert py.count("read") == 0


# ---- complete -------------------------------------------------------------


@clause("HS-13", "WANT-2", "GE-5")
def test_finishing_call_leaves_everything_quiet() -> None:
    link = connected()

    for ssl in (link.client, link.server):
        assert p.SSL_get_error(ssl, 1) == 0
        assert p.SSL_want(ssl) == p.SSL_NOTHING
        assert p.SSL_is_init_finished(ssl)
        assert p.SSL_get_shutdown(ssl) == 0
    assert reasons() == []


@clause("HS-13", "GE-7")
def test_client_is_through_before_the_verdict_on_its_certificate() -> None:
    # The server does not know who signed the client's certificate.
    stranger = ca.leaf(self_signed=True, key_label="stranger")
    client_ctx, server_ctx = make_contexts(client_auth=True)
    assert p.SSL_CTX_use_certificate_ASN1(client_ctx, stranger.cert_der) == 1
    assert p.SSL_CTX_use_PrivateKey_ASN1(0, client_ctx, stranger.key_der) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)
    assert p.SSL_is_init_finished(link.client)
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert reasons()[-1] == (20, 134)
    link.move()
    got = p.SSL_read(link.client, bytearray(1))
    assert outcome(link.client, got) == (-1, 1)
    assert reasons() == [(20, 1048)]  # unknown_ca


# ---- calling again --------------------------------------------------------


@clause("HS-19", "HS-4")
@pytest.mark.parametrize("closed", [False, True], ids=["open", "shut"])
def test_call_after_completion_is_1_without_io(closed: bool) -> None:
    link = PyLink(*make_ends())
    link.established()
    if closed:
        assert p.SSL_shutdown(link.client) == 0
    link.client_py.incoming += b"not looked at"
    for py in (link.client_py, link.server_py):
        py.calls.clear()
    stale()

    for call in (p.SSL_do_handshake, p.SSL_connect, p.SSL_accept):
        for ssl in (link.client, link.server):
            assert outcome(ssl, call(ssl)) == (1, 0)
            assert p.SSL_want(ssl) == p.SSL_NOTHING
    assert reasons() == [FOREIGN]
    assert link.client_py.calls == link.server_py.calls == []


@clause("HS-19")
def test_call_after_the_peer_closed_is_still_1() -> None:
    link = connected()
    p.SSL_shutdown(link.server)
    link.move()
    got = p.SSL_read(link.client, bytearray(1))
    assert outcome(link.client, got) == (0, 6)

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)


CARRIERS: list[Callable[[p.SSL], int]] = [
    p.SSL_do_handshake,
    p.SSL_connect,
    p.SSL_accept,
    lambda ssl: p.SSL_read(ssl, bytearray(10)),
    lambda ssl: p.SSL_peek(ssl, bytearray(10)),
    lambda ssl: p.SSL_write(ssl, b"0123456789"),
]


@clause("HS-20", "HS-40", "GE-7")
@pytest.mark.parametrize("offset", range(len(CARRIERS)))
def test_any_io_call_carries_the_handshake_on(offset: int) -> None:
    # Tickets would not fit, and nobody reads them here.
    link = PairLink(*make_ends(tickets=0), size=40)
    used = set()
    for i in range(1000):
        ssl = (link.client, link.server)[i % 2]
        if p.SSL_is_init_finished(ssl):
            break
        at = (offset + i) % len(CARRIERS)
        used.add(at)
        _, code = outcome(ssl, CARRIERS[at](ssl))
        assert code in (0, 2, 3)
        assert reasons() == []
    assert used == set(range(len(CARRIERS)))
    for _ in range(1000):
        done = [
            outcome(ssl, p.SSL_do_handshake(ssl))[1] == 0
            for ssl in (link.client, link.server)
        ]
        if all(done):
            return
    raise AssertionError("it does not end")


@clause("HS-20", "HS-26")
@pytest.mark.parametrize("at", [3, 4, 5], ids=["read", "peek", "write"])
def test_hidden_handshake_begins_and_completes(at: int) -> None:
    link = make_link()
    for _ in range(2):
        for ssl in (link.client, link.server):
            last = outcome(ssl, CARRIERS[at](ssl))
            assert last in (WANT_READ, (10, 0))
            link.move()
    assert p.SSL_is_init_finished(link.client)
    assert p.SSL_is_init_finished(link.server)


@clause("HS-21", "OWN-6")
def test_bios_may_be_exchanged_between_calls() -> None:
    link = make_link(client_auth=True)
    results = []
    done: set[p.SSL] = set()
    while len(done) < 2:
        for ssl in (link.client, link.server):
            if ssl in done:
                continue
            results.append(outcome(ssl, p.SSL_do_handshake(ssl)))
            if results[-1][1] == 0:
                done.add(ssl)
            there, back = take(link.client_out), take(link.server_out)
            link.attach()
            put(link.server_in, there)
            put(link.client_in, back)
    assert results == [WANT_READ, WANT_READ, (1, 0), (1, 0)]
    link.send(link.server, b"over the last BIOs")


@clause("HS-21")
def test_bios_may_be_exchanged_in_the_middle_of_a_record() -> None:
    hello = hello_of_a_client()
    peer = raw_server()
    for i in range(0, len(hello), 50):
        peer.feed(hello[i : i + 50])
        assert peer.handshake() == WANT_READ
        sent = peer.sent()
        peer.attach()
    assert sent[5] == 2


@clause("HS-26", "WANT-2")
def test_full_handshake_takes_two_calls_of_each() -> None:
    link = make_link()

    assert link.handshake() == [WANT_READ, WANT_READ, (1, 0), (1, 0)]


@clause("HS-26", "WANT-2")
def test_retried_handshake_takes_three_calls_of_each() -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set1_groups_list(client_ctx, "X25519:P-384") == 1
    assert p.SSL_CTX_set1_groups_list(server_ctx, "P-384") == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))

    assert link.handshake() == [WANT_READ] * 4 + [(1, 0)] * 2
    assert link.client.hello_retried()


@clause("HS-27", "RW-28")
def test_established_connection_has_no_second_handshake() -> None:
    link = connected()

    for ssl in (link.client, link.server):
        assert p.SSL_renegotiate(ssl) == 0
        assert reasons() == [(20, 266)]
        assert p.SSL_renegotiate_pending(ssl) == 0
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (1, 0)
    assert link.move() == (0, 0)
    link.send(link.client, b"goes on")
