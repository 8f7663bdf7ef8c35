"""OCSP stapling and timestamps between two of ours (contract 6.15)."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    reasons,
    ssl_reasons,
    take,
)
from tests.api.opened import hello_of
from tests.api.sessions import contexts, visit
from tests.clauses import clause
from tests.forge import messages as m
from tests.pki import ca

VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)
RESPONSE = bytes(range(256)) * 3
SCTS = bytes.fromhex("000900036162630002ffee")


def ends(
    version: int = p.TLS1_3_VERSION, asks: bool = True
) -> tuple[p.SSL_CTX, p.SSL_CTX, list[Any]]:
    """Make contexts; the client asks. What the callbacks saw is the list."""
    client, server = make_contexts(version=version)
    if asks:
        assert p.SSL_CTX_set_tlsext_status_type(client, 1) == 1
    return client, server, []


def staples(
    ctx: p.SSL_CTX, response: Optional[bytes] = RESPONSE, result: int = 0
) -> list[p.SSL]:
    """Let a server staple; whom its callback was called for is the list."""
    calls: list[p.SSL] = []

    def on_status(ssl: p.SSL, arg: object) -> int:
        calls.append(ssl)
        assert arg == "server"
        if response is not None:
            assert p.SSL_set_tlsext_status_ocsp_resp(ssl, response) == 1
        return result

    assert p.SSL_CTX_set_tlsext_status_cb(ctx, on_status) == 1
    assert p.SSL_CTX_set_tlsext_status_arg(ctx, "server") == 1
    return calls


def judges(ctx: p.SSL_CTX, result: int = 1) -> list[Any]:
    """Let a client judge; what its callback found is the list."""
    found: list[Any] = []

    def on_status(ssl: p.SSL, arg: object) -> int:
        del arg
        found.append(p.SSL_get_tlsext_status_ocsp_resp(ssl))
        return result

    assert p.SSL_CTX_set_tlsext_status_cb(ctx, on_status) == 1
    return found


# ---- OCSP-1: asking -------------------------------------------------------


@clause("OCSP-1")
@pytest.mark.parametrize("type", [-1, 0, 2, 255])
def test_other_types_change_nothing(type: int) -> None:
    ctx, _, _ = ends(asks=False)
    ssl = p.SSL_new(ctx)
    assert ssl is not None
    for holder, set_type, get_type in (
        (
            ctx,
            p.SSL_CTX_set_tlsext_status_type,
            p.SSL_CTX_get_tlsext_status_type,
        ),
        (ssl, p.SSL_set_tlsext_status_type, p.SSL_get_tlsext_status_type),
    ):
        assert set_type(holder, type) == 0
        assert get_type(holder) == -1
        assert set_type(holder, 1) == 1
        assert set_type(holder, type) == 0
        assert get_type(holder) == 1
    assert reasons() == []


@clause("OCSP-1", "CTX-3")
def test_context_wish_is_copied_and_may_be_set_for_one_ssl() -> None:
    client, _, _ = ends()
    first = p.SSL_new(client)
    other = p.SSL_new(make_contexts()[0])
    assert first is not None
    assert other is not None
    assert p.SSL_get_tlsext_status_type(first) == 1
    assert p.SSL_get_tlsext_status_type(other) == -1
    assert p.SSL_set_tlsext_status_type(other, 1) == 1
    assert p.SSL_get_tlsext_status_type(other) == 1


@VERSIONS
@clause("OCSP-1", "RFC 6066 8")
@pytest.mark.parametrize("asks", [True, False])
def test_server_knows_whether_the_client_asked(
    version: int, asks: bool
) -> None:
    client, server, _ = ends(version, asks)
    link = MemLink(*make_ends(client, server))
    assert p.SSL_get_tlsext_status_type(link.server) == -1
    link.established()

    assert p.SSL_get_tlsext_status_type(link.server) == (1 if asks else -1)
    assert p.SSL_get_tlsext_status_type(link.client) == (1 if asks else -1)
    assert p.SSL_clear(link.server) == 1
    assert p.SSL_get_tlsext_status_type(link.server) == -1


@clause("OCSP-1", "RFC 6066 8", "RFC 6962 3.3.1")
def test_questions_on_the_wire() -> None:
    client, server, _ = ends()
    client.enable_sct()
    assert client.sct_enabled()
    link = MemLink(*make_ends(client, server))
    outcome(link.client, p.SSL_do_handshake(link.client))
    hello = hello_of(take(link.client_out))

    assert hello.get(m.STATUS_REQUEST) == bytes.fromhex("0100000000")
    assert hello.get(m.SCT) == b""


def test_nothing_is_asked_by_default() -> None:
    link = make_link()
    outcome(link.client, p.SSL_do_handshake(link.client))
    hello = hello_of(take(link.client_out))

    assert not hello.has(m.STATUS_REQUEST)
    assert not hello.has(m.SCT)


# ---- OCSP-2: the server's callback ----------------------------------------


@VERSIONS
@clause("OCSP-2", "OCSP-3", "OCSP-4", "RFC 6066 8", "RFC 8446 4.4.2.1")
def test_stapled_response_arrives(version: int) -> None:
    client, server, _ = ends(version)
    calls, found = staples(server), judges(client)
    link = MemLink(*make_ends(client, server))
    assert p.SSL_get_tlsext_status_ocsp_resp(link.client) == (-1, None)
    link.established()

    assert calls == [link.server]
    assert found == [(len(RESPONSE), RESPONSE)]
    assert p.SSL_get_tlsext_status_ocsp_resp(link.client) == found[0]
    assert p.SSL_get_tlsext_status_ocsp_resp(link.server) == found[0]
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")


@VERSIONS
@clause("OCSP-3", "OCSP-4", "RFC 6066 8", "RFC 8446 4.4.2.1")
def test_response_for_the_leaf_of_a_longer_chain_arrives(version: int) -> None:
    below = ca.leaf(issuer=ca.intermediate())
    client, server = make_contexts(version=version, server=below)
    assert p.SSL_CTX_set_tlsext_status_type(client, 1) == 1
    staples(server)
    found = judges(client)
    link = MemLink(*make_ends(client, server))
    link.established()

    assert len(p.SSL_get_peer_cert_chain(link.client) or ()) == 2
    assert found == [(len(RESPONSE), RESPONSE)]
    assert p.SSL_get_tlsext_status_ocsp_resp(link.client) == found[0]


@VERSIONS
@clause("OCSP-2", "OCSP-4")
@pytest.mark.parametrize(
    ("response", "result"),
    [(RESPONSE, p.SSL_TLSEXT_ERR_NOACK), (None, p.SSL_TLSEXT_ERR_OK)],
    ids=["NOACK", "nothing set"],
)
def test_nothing_is_stapled(
    version: int, response: Optional[bytes], result: int
) -> None:
    client, server, _ = ends(version)
    calls, found = staples(server, response, result), judges(client)
    link = MemLink(*make_ends(client, server))
    link.established()

    assert calls == [link.server]
    assert found == [(-1, None)]  # OCSP-3: asked all the same
    assert p.SSL_get_tlsext_status_ocsp_resp(link.client) == (-1, None)


@VERSIONS
@clause("OCSP-2")
def test_server_is_not_asked_if_the_client_did_not(version: int) -> None:
    client, server, _ = ends(version, asks=False)
    calls, found = staples(server), judges(client)
    MemLink(*make_ends(client, server)).established()

    assert (calls, found) == ([], [])


@VERSIONS
@clause("OCSP-2")
def test_without_a_callback_a_response_is_not_stapled(version: int) -> None:
    client, server, _ = ends(version)
    found = judges(client)
    link = MemLink(*make_ends(client, server))
    assert p.SSL_set_tlsext_status_ocsp_resp(link.server, RESPONSE) == 1
    link.established()

    assert found == [(-1, None)]


@VERSIONS
@clause("OCSP-2", "HS-18")
@pytest.mark.parametrize("result", [p.SSL_TLSEXT_ERR_ALERT_FATAL, 1, -1, 9])
def test_server_callback_that_fails_ends_it(version: int, result: int) -> None:
    client, server, _ = ends(version)
    staples(server, result=result)
    link = MemLink(*make_ends(client, server))
    link.step()

    assert link.server.report().alert_sent == 80
    assert ssl_reasons()[-1:] == [p.SSL_R_CLIENTHELLO_TLSEXT]
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert link.client.report().alert_received == 80


@VERSIONS
@clause("OCSP-2")
def test_callback_may_use_a_response_set_before(version: int) -> None:
    client, server, _ = ends(version)
    staples(server, None)
    found = judges(client)
    first, second = make_ends(client, server)
    assert p.SSL_set_tlsext_status_ocsp_resp(second, RESPONSE, 7) == 1
    MemLink(first, second).established()
    assert found == [(7, RESPONSE[:7])]

    # It stays for the next handshake; what a client received does not.
    for ssl in (first, second):
        assert p.SSL_clear(ssl) == 1
    assert p.SSL_get_tlsext_status_ocsp_resp(first) == (-1, None)
    assert p.SSL_get_tlsext_status_ocsp_resp(second) == (7, RESPONSE[:7])
    assert p.SSL_set_session(first, None) == 1
    MemLink(first, second).established()
    assert found[1:] == found[:1]


@clause("OCSP-2", "OCSP-4", "CV-2")
def test_response_that_is_set_is_checked() -> None:
    ssl = p.SSL_new(ends()[1])
    assert ssl is not None
    assert p.SSL_set_tlsext_status_ocsp_resp(ssl, bytearray(b"abc")) == 1
    assert p.SSL_get_tlsext_status_ocsp_resp(ssl) == (3, b"abc")
    assert p.SSL_set_tlsext_status_ocsp_resp(ssl, bytes(0xD001)) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.ERR_R_PASSED_INVALID_ARGUMENT)]
    assert p.SSL_get_tlsext_status_ocsp_resp(ssl) == (3, b"abc")
    for bad in (4, -1):
        with pytest.raises(ValueError, match="of 3"):
            p.SSL_set_tlsext_status_ocsp_resp(ssl, b"abc", bad)
    with pytest.raises(TypeError):
        p.SSL_set_tlsext_status_ocsp_resp(ssl, "abc")
    assert p.SSL_set_tlsext_status_ocsp_resp(ssl, None) == 1
    assert p.SSL_get_tlsext_status_ocsp_resp(ssl) == (-1, None)


@VERSIONS
@clause("OCSP-2")
def test_longest_proofs_arrive(version: int) -> None:
    client, server, _ = ends(version)
    long = b"\x30" * 0xD000
    scts = bytes.fromhex("1ffe1ffc") + bytes(0x1FFC)
    server.set_sct_list(scts)
    with pytest.raises(ValueError, match="no list"):
        server.set_sct_list(bytes.fromhex("1fff1ffd") + bytes(0x1FFD))
    client.enable_sct()
    staples(server, long)
    found = judges(client)
    link = MemLink(*make_ends(client, server))
    link.established()

    assert found == [(len(long), long)]
    assert link.client.get_sct_list() == scts


# ---- OCSP-3: the client's callback ----------------------------------------


@VERSIONS
@clause("OCSP-3", "HS-18", "HS-22")
@pytest.mark.parametrize("response", [RESPONSE, None], ids=["some", "none"])
@pytest.mark.parametrize(
    ("result", "alert", "reason"),
    [
        (0, 113, p.SSL_R_INVALID_STATUS_RESPONSE),
        (-1, 80, p.SSL_R_OCSP_CALLBACK_FAILURE),
    ],
)
def test_client_callback_that_refuses_ends_it(
    version: int,
    response: Optional[bytes],
    result: int,
    alert: int,
    reason: int,
) -> None:
    client, server, _ = ends(version)
    staples(server, response)
    found = judges(client, result)
    link = MemLink(*make_ends(client, server))
    link.step()

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [reason]
    assert len(found) == 1
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert link.server.report().alert_received == alert


@VERSIONS
@clause("OCSP-3", "SESS-5")
def test_no_callback_runs_on_resumption(version: int) -> None:
    client, server = contexts(version)
    server.set_sct_list(SCTS)
    client.enable_sct()
    assert p.SSL_CTX_set_tlsext_status_type(client, 1) == 1
    calls, found = staples(server), judges(client)
    session, _ = visit((client, server))
    assert (len(calls), len(found)) == (1, 1)

    link = MemLink(*make_ends(client, server))
    assert p.SSL_set_session(link.client, session) == 1
    link.established()

    assert p.SSL_session_reused(link.client) == 1
    assert (len(calls), len(found)) == (1, 1)
    assert p.SSL_get_tlsext_status_ocsp_resp(link.client) == (-1, None)
    assert link.client.get_sct_list() is None


@clause("OCSP-3")
def test_callback_runs_once_after_a_retry() -> None:
    client, server, _ = ends()
    assert p.SSL_CTX_set1_groups_list(client, "X25519:P-384") == 1
    assert p.SSL_CTX_set1_groups_list(server, "P-384") == 1
    calls, found = staples(server), judges(client)
    link = MemLink(*make_ends(client, server))
    link.established()

    assert link.client.hello_retried()
    assert (len(calls), found) == (1, [(len(RESPONSE), RESPONSE)])


@VERSIONS
@clause("OCSP-3", "CV-7")
@pytest.mark.parametrize("at_server", [True, False])
def test_callback_that_raises_ends_it(version: int, at_server: bool) -> None:
    client, server, _ = ends(version)
    staples(server)

    def bad(ssl: p.SSL, arg: object) -> int:
        raise KeyError("mine")

    p.SSL_CTX_set_tlsext_status_cb(server if at_server else client, bad)
    link = MemLink(*make_ends(client, server))

    with pytest.raises(KeyError, match="mine"):
        link.handshake()
    ssl = link.server if at_server else link.client
    assert ssl.report().alert_sent == 80
    want = (
        p.SSL_R_CLIENTHELLO_TLSEXT
        if at_server
        else p.SSL_R_OCSP_CALLBACK_FAILURE
    )
    assert ssl.report().reason == want


@clause("CTX-3", "CV-2")
def test_callback_and_argument_can_be_asked_for() -> None:
    _, ctx, _ = ends()
    assert p.SSL_CTX_get_tlsext_status_cb(ctx) is None
    assert p.SSL_CTX_get_tlsext_status_arg(ctx) is None

    def cb(ssl: p.SSL, arg: object) -> int:
        raise AssertionError

    assert p.SSL_CTX_set_tlsext_status_cb(ctx, cb) == 1
    assert p.SSL_CTX_set_tlsext_status_arg(ctx, 7) == 1
    assert p.SSL_CTX_get_tlsext_status_cb(ctx) is cb
    assert p.SSL_CTX_get_tlsext_status_arg(ctx) == 7
    with pytest.raises(TypeError):
        p.SSL_CTX_set_tlsext_status_cb(ctx, 7)  # type: ignore[arg-type]


@VERSIONS
@clause("OCSP-2", "OCSP-3")
def test_server_that_asks_a_client_for_a_certificate_is_not_stapled_to(
    version: int,
) -> None:
    link = connected(version=version, client_auth=True)
    for ssl in (link.client, link.server):
        assert p.SSL_get_tlsext_status_ocsp_resp(ssl) == (-1, None)


# ---- timestamps -----------------------------------------------------------


@VERSIONS
@clause("RFC 6962 3.3", "RFC 8446 4.4.2")
@pytest.mark.parametrize("asks", [True, False])
def test_timestamps_come_to_a_client_that_asks(
    version: int, asks: bool
) -> None:
    client, server = make_contexts(version=version)
    server.set_sct_list(bytearray(SCTS))
    client.enable_sct(asks)
    link = MemLink(*make_ends(client, server))
    assert link.client.get_sct_list() is None
    link.established()

    assert link.client.get_sct_list() == (SCTS if asks else None)
    assert link.server.get_sct_list() is None
    assert p.SSL_clear(link.client) == 1
    assert link.client.get_sct_list() is None


@VERSIONS
@clause("RFC 6962 3.3", "CTX-3")
def test_timestamps_are_copied_with_the_settings(version: int) -> None:
    client, server = make_contexts(version=version)
    client.enable_sct()
    server.set_sct_list(SCTS)
    link = MemLink(*make_ends(client, server))
    server.set_sct_list(None)
    again = MemLink(*make_ends(client, server))
    link.established()
    again.established()

    assert link.client.get_sct_list() == SCTS
    assert again.client.get_sct_list() is None


@clause("RFC 6962 3.3")
@pytest.mark.parametrize(
    "bad",
    [
        "0000",
        "00",
        "0003000161ff",
        "00030002",
        "00020000",
        "000300016161",
        "000500016100",
    ],
)
def test_malformed_list_is_a_value_error(bad: str) -> None:
    ctx = p.SSL_CTX()
    with pytest.raises(ValueError, match="no list"):
        ctx.set_sct_list(bytes.fromhex(bad))
    ctx.set_sct_list(SCTS)
    with pytest.raises(TypeError):
        ctx.set_sct_list("abc")
