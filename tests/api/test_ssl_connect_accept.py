"""SSL_connect(3), SSL_accept(3), SSL_set_connect_state(3).

Contract sections 1.2 to 1.4.
"""

from __future__ import annotations

from typing import Any, Callable

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    PyBio,
    PyLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    put,
    read,
    reasons,
    take,
    use_identity,
)
from tests.clauses import clause
from tests.pki import ca

WANT_READ = (-1, 2)
FOREIGN = (77, 5)
REFUSED = (p.ERR_LIB_SSL, p.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED)

STATES = [p.SSL_set_connect_state, p.SSL_set_accept_state]


def fresh(method: Callable[[], Any] = p.TLS_method) -> tuple[p.SSL, PyBio]:
    """Give an SSL without role, with a certificate, on a Python BIO."""
    ctx = p.SSL_CTX(method())
    use_identity(ctx, ca.leaf())
    ssl, py = p.SSL(ctx), PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    py.calls.clear()
    return ssl, py


def without_roles() -> MemLink:
    """Give a mem link whose ends have no role."""
    client_ctx, server_ctx = make_contexts()
    return MemLink(p.SSL(client_ctx), p.SSL(server_ctx))


# ---- SSL_connect, SSL_accept ----------------------------------------------


@clause("HS-30", "HS-40", "HS-56")
@pytest.mark.parametrize("method", [p.TLS_method, p.TLS_client_method])
def test_connect_without_role_begins_as_client(method: Any) -> None:
    ssl, py = fresh(method)

    assert outcome(ssl, p.SSL_connect(ssl)) == WANT_READ
    assert py.outgoing[5] == 1  # ClientHello
    assert p.SSL_is_server(ssl) == 0
    assert p.SSL_in_connect_init(ssl)
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    assert py.count("write") == 1


@clause("HS-35", "HS-40", "HS-56")
@pytest.mark.parametrize("method", [p.TLS_method, p.TLS_server_method])
def test_accept_without_role_waits_for_a_client(method: Any) -> None:
    ssl, py = fresh(method)

    for _ in range(2):
        assert outcome(ssl, p.SSL_accept(ssl)) == WANT_READ
        assert py.outgoing == b""
        assert p.SSL_is_server(ssl) == 1
        assert p.SSL_in_accept_init(ssl)
    client = make_link().client
    mine = PyBio()
    p.SSL_set_bio(client, mine.bio, mine.bio)
    p.SSL_do_handshake(client)
    py.incoming += mine.outgoing
    assert outcome(ssl, p.SSL_accept(ssl)) == WANT_READ
    assert py.outgoing[5] == 2  # ServerHello


@clause("HS-30", "HS-35", "HS-13")
def test_connect_and_accept_alone_complete_a_connection() -> None:
    link = without_roles()
    results = []
    for _ in range(2):
        results.append(outcome(link.client, p.SSL_connect(link.client)))
        link.move()
        results.append(outcome(link.server, p.SSL_accept(link.server)))
        link.move()

    assert results == [WANT_READ, WANT_READ, (1, 0), (1, 0)]
    link.send(link.client, b"there")
    link.send(link.server, b"back")


@clause("HS-30", "HS-36", "HS-14", "HS-16")
@pytest.mark.parametrize("call", [p.SSL_connect, p.SSL_accept])
@pytest.mark.parametrize(
    ("fed", "ended", "expected", "queued"),
    [
        (b"\x15\x03\x03\x00\x02\x01\x00", False, (0, 6), []),
        (b"\x15\x03\x03\x00\x02\x02\x28", False, (-1, 1), [(20, 1040)]),
        (b"", True, (-1, 1), [(20, 294)]),
        (b"\x17\x03\x03\x00\x01x", False, (-1, 1), [(20, 244)]),
        (b"", False, (-1, 2), []),
    ],
    ids=["closed", "alert", "end", "unexpected", "nothing"],
)
def test_connect_and_accept_answer_as_do_handshake(
    call: Any, fed: bytes, ended: bool, expected: Any, queued: Any
) -> None:
    ssl, py = fresh()
    py.incoming += fed
    py.ended = ended

    assert outcome(ssl, call(ssl)) == expected
    assert reasons() == queued


@clause("HS-31", "HS-36", "HS-3", "HS-56")
@pytest.mark.parametrize("call", [p.SSL_connect, p.SSL_accept])
def test_connect_and_accept_need_a_channel(call: Any) -> None:
    link = without_roles()
    ssl = link.client if call is p.SSL_connect else link.server
    p.SSL_set_bio(ssl, None, None)
    p.ERR_raise(*FOREIGN)

    assert outcome(ssl, call(ssl)) == (-1, 1)
    assert reasons() == [FOREIGN, (20, 128)]
    # The role counts at once, even though the call failed.
    assert p.SSL_is_server(ssl) == int(call is p.SSL_accept)
    link.attach()
    for _ in range(3):
        p.SSL_connect(link.client)
        link.move()
        p.SSL_accept(link.server)
        link.move()
    assert p.SSL_is_init_finished(ssl)


@clause("HS-32")
def test_connect_after_set_accept_state_goes_on_as_server() -> None:
    ssl, py = fresh()
    p.SSL_set_accept_state(ssl)

    assert outcome(ssl, p.SSL_connect(ssl)) == WANT_READ
    assert py.outgoing == b""
    assert p.SSL_is_server(ssl) == 1


@clause("HS-36", "HS-32")
def test_accept_after_set_connect_state_goes_on_as_client() -> None:
    ssl, py = fresh()
    p.SSL_set_connect_state(ssl)

    assert outcome(ssl, p.SSL_accept(ssl)) == WANT_READ
    assert py.outgoing[5] == 1
    assert p.SSL_is_server(ssl) == 0


@clause("HS-32", "HS-36", "HS-20")
def test_swapped_calls_complete_in_the_roles_that_were_set() -> None:
    link = make_link()
    for _ in range(2):
        client = outcome(link.client, p.SSL_accept(link.client))
        link.move()
        server = outcome(link.server, p.SSL_connect(link.server))
        link.move()

    assert client == server == (1, 0)
    assert p.SSL_is_server(link.server) == 1
    assert p.SSL_is_server(link.client) == 0


@clause("HS-33", "HS-36", "GE-6")
@pytest.mark.parametrize("role", ["none", "fitting"])
@pytest.mark.parametrize(
    ("method", "wrong", "right"),
    [
        (p.TLS_server_method, p.SSL_connect, p.SSL_accept),
        (p.TLS_client_method, p.SSL_accept, p.SSL_connect),
    ],
)
def test_call_that_the_method_forbids_is_refused(
    method: Any, wrong: Any, right: Any, role: str
) -> None:
    ssl, py = fresh(method)
    if role == "fitting":
        # HS-32: a role that is set decides, not the name of the call.
        p.SSL_set_accept_state(ssl)
        if method is p.TLS_client_method:
            p.SSL_set_connect_state(ssl)
        assert outcome(ssl, wrong(ssl)) == WANT_READ
        return
    p.ERR_raise(*FOREIGN)

    assert outcome(ssl, wrong(ssl)) == (-1, 1)
    assert reasons() == [FOREIGN, REFUSED]
    assert py.calls == []
    assert p.SSL_in_before(ssl)
    assert outcome(ssl, right(ssl)) == WANT_READ


@clause("HS-33", "HS-36")
@pytest.mark.parametrize(
    ("method", "state"),
    [
        (p.TLS_server_method, p.SSL_set_connect_state),
        (p.TLS_client_method, p.SSL_set_accept_state),
    ],
)
def test_role_that_the_method_forbids_is_refused_by_the_calls(
    method: Any, state: Any
) -> None:
    ssl, py = fresh(method)
    state(ssl)

    for call in (p.SSL_do_handshake, p.SSL_connect, p.SSL_accept):
        assert outcome(ssl, call(ssl)) == (-1, 1)
        assert reasons() == [REFUSED]
    assert py.calls == []


@clause("HS-37")
def test_accept_without_certificate_waits_for_the_hello() -> None:
    client, server = make_ends(server_ctx=p.SSL_CTX(p.TLS_method()))
    link = PyLink(client, server)
    for _ in range(2):
        assert outcome(server, p.SSL_accept(server)) == WANT_READ
    p.SSL_connect(client)
    link.move()

    assert outcome(server, p.SSL_accept(server)) == (-1, 1)
    assert reasons() == [(20, 193)]
    assert bytes(link.server_py.outgoing) == b"\x15\x03\x03\x00\x02\x02\x28"


# ---- SSL_set_connect_state, SSL_set_accept_state --------------------------


@clause("HS-40", "HS-41", "HS-46")
@pytest.mark.parametrize("method", [p.TLS_method, p.TLS_client_method])
def test_setting_a_role_does_nothing_but_that(method: Any) -> None:
    ssl, py = fresh(method)
    p.ERR_raise(*FOREIGN)

    for state, server in zip(STATES * 2, (0, 1) * 2):
        assert state(ssl) is None
        assert p.SSL_is_server(ssl) == server
        assert p.SSL_in_before(ssl)
        assert p.SSL_state_string(ssl) == "PINIT"
        assert p.SSL_get_shutdown(ssl) == 0
        assert p.SSL_want(ssl) == p.SSL_NOTHING
    assert py.calls == []
    assert reasons() == [FOREIGN]


@clause("HS-40", "RW-34")
@pytest.mark.parametrize(
    "call",
    [
        lambda ssl: p.SSL_read(ssl, bytearray(4)),
        lambda ssl: p.SSL_peek(ssl, bytearray(4)),
        lambda ssl: p.SSL_write(ssl, b"data"),
    ],
    ids=["read", "peek", "write"],
)
@pytest.mark.parametrize(
    "method", [p.TLS_method, p.TLS_client_method, p.TLS_server_method]
)
def test_hidden_handshake_needs_a_role(method: Any, call: Any) -> None:
    ssl, py = fresh(method)

    assert outcome(ssl, call(ssl)) == (-1, 1)
    assert reasons() == [(20, 276)]
    assert py.calls == []
    if method is not p.TLS_client_method:
        p.SSL_set_accept_state(ssl)
    else:
        p.SSL_set_connect_state(ssl)
    assert outcome(ssl, call(ssl)) == WANT_READ


@clause("HS-43")
def test_last_role_set_before_a_handshake_wins() -> None:
    link = without_roles()
    for server, ssl in enumerate((link.client, link.server)):
        wanted, other = STATES[server], STATES[1 - server]
        for state in (wanted, wanted, other, other, wanted):
            state(ssl)

    link.established()


@clause("HS-41", "HS-42", "HS-43")
def test_accept_state_in_a_client_handshake_begins_anew() -> None:
    generic = p.SSL_CTX(p.TLS_method())
    link = MemLink(*make_ends(client_ctx=generic))
    link.step()  # the server's flight is on its way to the client
    p.ERR_raise(*FOREIGN)
    p.SSL_set_accept_state(link.client)

    assert reasons() == [FOREIGN]
    assert p.SSL_is_server(link.client) == 1
    assert p.SSL_in_before(link.client)
    assert p.SSL_state_string(link.client) == "PINIT"
    assert take(link.client_in)
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == WANT_READ
    assert take(link.client_out) == b""


@clause("HS-41", "HS-42", "SD-12")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_role_set_on_an_established_connection_begins_anew(
    server: bool,
) -> None:
    link = connected()
    ssl = link.server if server else link.client
    p.SSL_write(link.peer_of(ssl), b"sealed under the old keys")
    link.move()
    p.SSL_set_shutdown(ssl, 3)
    STATES[server](ssl)

    assert p.SSL_get_shutdown(ssl) == 0
    assert p.SSL_in_before(ssl)
    assert not p.SSL_is_init_finished(ssl)
    assert p.SSL_pending(ssl) == 0
    # What comes under the old keys is nothing to a new handshake.
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 1)
    assert reasons() == [(20, 244)]


@clause("HS-42", "GE-6")
def test_peer_in_the_old_connection_fails() -> None:
    link = connected(tickets=0)
    p.SSL_set_connect_state(link.client)
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == WANT_READ
    link.move()

    got = p.SSL_read(link.server, bytearray(10))
    assert outcome(link.server, got) == (-1, 1)
    assert reasons() == [(20, 244)]
    link.move()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert reasons()[-1][0] == p.ERR_LIB_SSL


@clause("HS-42", "HS-41", "CLR-1")
def test_role_set_anew_with_fresh_transport_connects_again() -> None:
    link = connected()
    for _ in range(3):
        for server, ssl in enumerate((link.client, link.server)):
            assert p.SSL_clear(ssl) == 1
            STATES[server](ssl)
        link.attach()
        link.established()
        link.send(link.server, b"again")


@clause("HS-41", "HS-42")
def test_ends_may_swap_their_roles() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    use_identity(ctx, ca.leaf())
    one, other = p.SSL(ctx), p.SSL(ctx)
    for client, server in ((one, other), (other, one)):
        p.SSL_set_connect_state(client)
        p.SSL_set_accept_state(server)
        link = MemLink(client, server)
        link.established()
        link.send(client, b"my turn")


@clause("HS-41")
def test_setting_a_role_drops_a_handshake_in_progress() -> None:
    link = make_link()
    p.SSL_do_handshake(link.client)
    first = take(link.client_out)
    p.SSL_set_connect_state(link.client)
    p.SSL_do_handshake(link.client)
    second = take(link.client_out)

    assert first[:6] == second[:6]
    assert first[11:43] != second[11:43]  # another random
    put(link.server_in, second)
    p.SSL_do_handshake(link.server)
    link.move()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)
    assert p.SSL_write(link.client, b"x") == 1
    link.move()
    assert read(link.server) == b"x"
