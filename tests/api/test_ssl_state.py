"""Where an SSL stands: contract sections 1.5 to 1.7."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    PyBio,
    RawPeer,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    put,
    raw_client,
    raw_server,
    reasons,
    take,
)
from tests.clauses import clause
from tests.forge import ForgeServer
from tests.forge.victim import client as forged_client
from tests.pki import ca

WANT_READ = (-1, 2)

SIDES = pytest.mark.parametrize(
    "server", [False, True], ids=["client", "server"]
)

# in_init, in_before, is_init_finished, in_connect_init, in_accept_init
NEW = (1, 1, 0, 0, 0)
BEFORE = {False: (1, 1, 0, 1, 0), True: (1, 1, 0, 0, 1)}
RUNNING = {False: (1, 0, 0, 1, 0), True: (1, 0, 0, 0, 1)}
OPEN = (0, 0, 1, 0, 0)
DEAD = RUNNING

QUERIES = (
    p.SSL_in_init,
    p.SSL_in_before,
    p.SSL_is_init_finished,
    p.SSL_in_connect_init,
    p.SSL_in_accept_init,
)

OK_STATE, BEFORE_STATE = 1, 0


def sample(ssl: p.SSL) -> tuple[int, ...]:
    """Ask the five queries, and check that the state agrees (HS-48)."""
    found = tuple(int(bool(query(ssl))) for query in QUERIES)
    state = p.SSL_get_state(ssl)
    assert p.SSL_state(ssl) == state
    assert (state == OK_STATE) == bool(found[2])
    assert (state == BEFORE_STATE) == bool(found[1])
    return found


def words(ssl: p.SSL) -> tuple[str, str]:
    """Give both state strings, checked for their form."""
    brief, full = p.SSL_state_string(ssl), p.SSL_state_string_long(ssl)
    assert isinstance(brief, str)
    assert isinstance(full, str)
    assert 1 <= len(brief) <= 6
    assert brief.isascii()
    assert brief.isalpha()
    assert len(full) > 4
    return brief, full


LONG = {
    "PINIT": "before SSL initialization",
    "SSLOK": "SSL negotiation finished successfully",
    "SSLERR": "error",
    "TED": "TLSv1.3 early data",
    "TWCH": "SSLv3/TLS write client hello",
    "TRCH": "SSLv3/TLS read client hello",
    "TRSH": "SSLv3/TLS read server hello",
    "TWSH": "SSLv3/TLS write server hello",
    "TREE": "TLSv1.3 read encrypted extensions",
    "TRCR": "SSLv3/TLS read server certificate request",
    "TRSC": "SSLv3/TLS read server certificate",
    "TRSCV": "TLSv1.3 read server certificate verify",
    "TRCC": "SSLv3/TLS read client certificate",
    "TRCV": "SSLv3/TLS read certificate verify",
    "TWCCS": "SSLv3/TLS write change cipher spec",
    "TWSD": "SSLv3/TLS write server done",
    "TWFIN": "SSLv3/TLS write finished",
}


def state_of(ssl: p.SSL) -> str:
    """Give the short state, whose long form must be the table's (HS-51)."""
    brief, full = words(ssl)
    assert LONG[brief] == full
    return brief


# ---- the five queries -----------------------------------------------------


@clause("HS-45", "HS-48")
@pytest.mark.parametrize(
    "method", [p.TLS_method, p.TLS_client_method, p.TLS_server_method]
)
def test_new_object_is_before_any_handshake(method: Any) -> None:
    ssl = p.SSL(p.SSL_CTX(method()))

    assert sample(ssl) == NEW
    p.SSL_set_connect_state(ssl)
    assert sample(ssl) == BEFORE[False]
    p.SSL_set_accept_state(ssl)
    assert sample(ssl) == BEFORE[True]


@clause("HS-45", "HS-48", "HS-52", "HS-51", "HS-26")
def test_states_of_a_handshake_step_by_step() -> None:
    link = make_link()
    client, server = link.client, link.server
    seen = []

    def look() -> None:
        link.move()
        seen.append(
            (
                sample(client),
                state_of(client),
                sample(server),
                state_of(server),
            )
        )

    look()
    for ssl in (client, server, client, server):
        p.SSL_do_handshake(ssl)
        look()

    mine, theirs = RUNNING[False], RUNNING[True]
    assert seen == [
        (BEFORE[False], "PINIT", BEFORE[True], "PINIT"),
        (mine, "TWCH", BEFORE[True], "PINIT"),
        (mine, "TWCH", theirs, "TED"),
        (OPEN, "SSLOK", theirs, "TED"),
        (OPEN, "SSLOK", OPEN, "SSLOK"),
    ]


@clause("HS-45", "HS-52")
def test_states_of_a_retried_handshake() -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set1_groups_list(client_ctx, "X25519:P-384") == 1
    assert p.SSL_CTX_set1_groups_list(server_ctx, "P-384") == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    for _ in range(2):
        link.step()
        assert sample(link.client) == RUNNING[False]
        assert sample(link.server) == RUNNING[True]
        assert state_of(link.client) == "TWCH"
        state_of(link.server)
    assert state_of(link.server) == "TED"
    link.established()


@clause("HS-45")
@pytest.mark.parametrize("both", [False, True])
def test_shutdown_leaves_it_established(both: bool) -> None:
    link = connected()
    p.SSL_shutdown(link.client)
    link.move()
    if both:
        p.SSL_shutdown(link.server)
        link.move()
        assert p.SSL_shutdown(link.client) == 1

    for ssl in (link.client, link.server):
        assert sample(ssl) == OPEN
        assert state_of(ssl) == "SSLOK"


FAILURES = {
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "unexpected": b"\x17\x03\x03\x00\x01x",
    "not TLS": b"220 mail.test ESMTP\r\n",
    "end": b"",
}


@SIDES
@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("established", [False, True])
@clause("HS-45", "HS-24", "HS-48", "HS-51")
def test_dead_object_is_in_init_again(
    server: bool, how: str, established: bool
) -> None:
    if established:
        link = connected()
        peer = RawPeer(link.server if server else link.client)
    else:
        peer = raw_server() if server else raw_client()
        peer.handshake()
    peer.feed(FAILURES[how])
    if how == "end" or (how == "not TLS" and established):
        peer.end()
    p.SSL_read(peer.ssl, bytearray(1))

    assert sample(peer.ssl) == DEAD[server]
    assert state_of(peer.ssl) == "SSLERR"
    reasons()


@SIDES
@pytest.mark.parametrize("close", [False, True], ids=["failure", "closed"])
@clause("HS-45", "HS-14", "HS-17")
def test_transport_trouble_leaves_the_handshake_running(
    server: bool, close: bool
) -> None:
    link = make_link()
    ssl = link.server if server else link.client
    link.step()
    if close:
        sink = link.server_in if server else link.client_in
        take(sink)
        # In the clear, before any protected record, to the server only.
        put(sink, b"\x15\x03\x03\x00\x02\x01\x00")
        if not server:
            ssl = raw_client().ssl
            peer = RawPeer(ssl)
            peer.handshake()
            peer.feed(b"\x15\x03\x03\x00\x02\x01\x00")
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (0, 6)
    else:
        py = PyBio()
        p.BIO_meth_set_read(py.method, lambda b, n: -1)
        p.SSL_set_bio(ssl, py.bio, py.bio)
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)

    assert sample(ssl) == RUNNING[server]


@clause("HS-45", "HS-25")
def test_suspended_handshake_is_running() -> None:
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_cert_cb(server_ctx, lambda *_: -1, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    _, got = link.step()

    assert got == (-1, 4)
    assert sample(link.server) == RUNNING[True]
    assert state_of(link.server) == "TRCH"


@clause("HS-46", "HS-50", "GE-1", "WANT-1")
@pytest.mark.parametrize("steps", range(5))
def test_queries_do_no_io_and_change_nothing(steps: int) -> None:
    ends = make_ends()
    bios = [PyBio(), PyBio()]
    for ssl, py in zip(ends, bios):
        p.SSL_set_bio(ssl, py.bio, py.bio)
    for i in range(steps):
        p.SSL_do_handshake(ends[i % 2])
        bios[(i + 1) % 2].incoming += bios[i % 2].outgoing
        bios[i % 2].outgoing.clear()
    p.ERR_raise(77, 5)
    for py in bios:
        py.calls.clear()

    every = [
        [
            *(query(ssl) for query in QUERIES),
            p.SSL_get_state(ssl),
            p.SSL_state_string(ssl),
            p.SSL_state_string_long(ssl),
            p.SSL_is_server(ssl),
            p.SSL_want(ssl),
            p.SSL_get_error(ssl, -1),
            p.SSL_get_shutdown(ssl),
        ]
        for _ in range(3)
        for ssl in ends
    ]

    assert every[:2] == every[2:4] == every[4:]
    assert bios[0].calls == bios[1].calls == []
    assert reasons() == [(77, 5)]


@clause("HS-48")
def test_constants_of_the_state_are_there() -> None:
    assert p.SSL_ST_OK == p.TLS_ST_OK == OK_STATE
    assert p.TLS_ST_BEFORE == BEFORE_STATE
    assert p.SSL_ST_CONNECT == 0x1000
    assert p.SSL_ST_ACCEPT == 0x2000


@clause("HS-48")
def test_state_numbers_differ_where_the_states_do() -> None:
    link = make_link()
    found: dict[str, set[int]] = {}
    for _ in range(3):
        for ssl in (link.client, link.server):
            state = p.SSL_get_state(ssl)
            found.setdefault(p.SSL_state_string(ssl), set()).add(state)
            p.SSL_do_handshake(ssl)
            link.move()
    assert all(len(numbers) == 1 for numbers in found.values())
    assert len({min(n) for n in found.values()}) == len(found) == 4


# ---- the strings ----------------------------------------------------------


@clause("HS-51", "HS-52", "HS-50")
@pytest.mark.parametrize("request_cert", [False, True])
def test_client_states_message_by_message(request_cert: bool) -> None:
    forge = ForgeServer(ca.leaf(), request=[0x0403] if request_cert else None)
    forge.fragment = 16384
    victim = forged_client(forge)
    seen = [state_of(victim.ssl)]
    assert victim.peer.handshake() == WANT_READ
    seen.append(state_of(victim.ssl))
    forge.feed(victim.peer.sent())
    rest = forge.take()
    while rest:
        size = 5 + int.from_bytes(rest[3:5], "big")
        victim.peer.feed(rest[:size])
        rest = rest[size:]
        got = victim.peer.handshake()
        state = state_of(victim.ssl)
        if state != seen[-1]:
            seen.append(state)

    assert got == (1, 0)
    asked = ["TRCR"] if request_cert else []
    assert seen == [
        "PINIT",
        "TWCH",
        "TRSH",
        "TREE",
        *asked,
        "TRSC",
        "TRSCV",
        "SSLOK",
    ]


@clause("HS-51", "HS-52")
def test_server_states_message_by_message() -> None:
    link = make_link(client_auth=True)
    link.step()
    assert state_of(link.server) == "TED"
    p.SSL_do_handshake(link.client)
    # The client sends its flight as one record: cut it by its messages.
    whole = take(link.client_out)
    seen = ["TED"]
    for i in range(len(whole)):
        put(link.server_in, whole[i : i + 1])
        p.SSL_do_handshake(link.server)
        state = state_of(link.server)
        if state != seen[-1]:
            seen.append(state)
    assert seen[-1] == "SSLOK"
    assert set(seen) <= {"TED", "TRCC", "TRCV", "SSLOK"}


@clause("HS-50", "HS-51")
def test_strings_inside_the_callbacks_of_a_handshake() -> None:
    client_ctx, server_ctx = make_contexts()
    seen: list[tuple[str, str]] = []

    def note(who: str, answer: Any) -> Any:
        def callback(ssl: p.SSL, *_: Any) -> Any:
            seen.append((who, state_of(ssl)))
            assert sample(ssl) == RUNNING[True]
            return answer

        return callback

    p.SSL_CTX_set_client_hello_cb(server_ctx, note("hello", 1), None)
    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, note("name", 0))
    p.SSL_CTX_set_cert_cb(server_ctx, note("cert", 1), None)
    MemLink(*make_ends(client_ctx, server_ctx)).established()

    assert [who for who, _ in seen] == ["hello", "name", "cert"]
    assert seen[-1] == ("cert", "TRCH")


# ---- SSL_is_server --------------------------------------------------------


@clause("HS-55")
@pytest.mark.parametrize(
    ("method", "alone"),
    [
        (p.TLS_method, 1),
        (p.TLS_server_method, 1),
        (p.TLS_client_method, 0),
    ],
)
def test_is_server_by_role_else_by_method(method: Any, alone: int) -> None:
    ssl = p.SSL(p.SSL_CTX(method()))

    assert p.SSL_is_server(ssl) == alone
    p.SSL_set_connect_state(ssl)
    assert p.SSL_is_server(ssl) == 0
    p.SSL_set_accept_state(ssl)
    assert p.SSL_is_server(ssl) == 1


@clause("HS-56", "HS-55")
@pytest.mark.parametrize("call", [p.SSL_connect, p.SSL_accept])
@pytest.mark.parametrize("fails", [False, True])
def test_role_of_a_call_counts_at_once_and_outlives_clear(
    call: Any, fails: bool
) -> None:
    ssl = p.SSL(p.SSL_CTX(p.TLS_method()))
    expected = int(call is p.SSL_accept)
    if not fails:
        py = PyBio()
        p.SSL_set_bio(ssl, py.bio, py.bio)

    assert outcome(ssl, call(ssl)) == ((-1, 1) if fails else WANT_READ)
    assert p.SSL_is_server(ssl) == expected
    assert p.SSL_clear(ssl) == 1
    assert p.SSL_is_server(ssl) == expected
    assert sample(ssl) == BEFORE[bool(expected)]
    reasons()


@clause("HS-56", "CLR-1")
def test_role_survives_clear_on_an_established_connection() -> None:
    link = connected()

    for server, ssl in enumerate((link.client, link.server)):
        assert p.SSL_clear(ssl) == 1
        assert p.SSL_is_server(ssl) == server
    link.attach()
    link.established()
