"""Resumption over the API: contract section 6.9."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import pyssl as p
from tests.api.links import MemLink, make_contexts, outcome, reasons
from tests.api.sessions import (
    TLS12,
    TLS13,
    VERSIONS,
    close,
    contexts,
    link_of,
    reads_nothing,
    visit,
)
from tests.clauses import clause

BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
# By ticket, and by an id or handle in the server's cache.
WAYS = pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "id"])


def pair_of(
    version: int, ticket: bool = True, **wishes: Any
) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make contexts that resume by ticket or by the server's cache."""
    made = contexts(version, **wishes)
    if not ticket:
        p.SSL_CTX_set_options(made[1], p.SSL_OP_NO_TICKET)
    return made


@BOTH
@WAYS
@clause("SESS-2", "SESS-3", "SESS-12", "RFC 5246 7.3", "RFC 5077 3.1")
def test_session_that_is_set_is_resumed(version: int, ticket: bool) -> None:
    pair = pair_of(version, ticket)
    session, reused = visit(pair)
    assert not reused
    assert p.SSL_SESSION_is_resumable(session) == 1
    assert p.SSL_CTX_sess_number(pair[1]) == (
        0 if ticket else 1 if version == TLS12 else 2
    )

    for _ in range(3):
        session, reused = visit(pair, session)
        assert reused
    assert reasons() == []


@BOTH
@clause("SESS-2", "SESS-3")
def test_client_offers_nothing_by_itself(version: int) -> None:
    pair = pair_of(version)
    session, _ = visit(pair)
    assert not visit(pair)[1]
    link = link_of(pair, session)
    assert p.SSL_set_session(link.client, None) == 1
    assert p.SSL_get_session(link.client) is None
    link.established()
    assert p.SSL_session_reused(link.client) == 0


@BOTH
@clause("SESS-4")
def test_current_session_before_and_after_the_handshake(version: int) -> None:
    link = link_of(contexts(version))
    for ssl in (link.client, link.server):
        assert p.SSL_get_session(ssl) is None
        assert p.SSL_get1_session(ssl) is None
    link.established()
    before = p.SSL_get_session(link.client)
    assert before is not None
    assert p.SSL_SESSION_is_resumable(before) == int(version == TLS12)
    assert p.SSL_SESSION_get_protocol_version(before) == version
    reads_nothing(link.client)
    after = p.SSL_get_session(link.client)
    assert after is not None
    assert p.SSL_SESSION_is_resumable(after) == 1
    assert (before == after) == (version == TLS12)
    again = p.SSL_get1_session(link.client)
    assert again == after
    assert hash(again) == hash(after)
    assert p.SSL_get_session(link.server) is not None
    assert p.SSL_get0_session(link.client) == after


@clause("SESS-4", "SESS-11")
def test_each_ticket_of_tls13_is_a_session_of_its_own() -> None:
    pair = contexts(TLS13, tickets=3)
    p.SSL_CTX_set_session_cache_mode(pair[0], p.SSL_SESS_CACHE_BOTH)
    seen: list[p.SSL_SESSION] = []
    p.SSL_CTX_sess_set_new_cb(pair[0], lambda _, s: seen.append(s) or 1)
    link = link_of(pair)
    link.established()
    assert seen == []
    reads_nothing(link.client)
    assert len(seen) == len(set(seen)) == 3
    assert len({p.SSL_SESSION_get_id(s) for s in seen}) == 3
    assert len({p.SSL_SESSION_get_master_key(s) for s in seen}) == 3
    assert p.SSL_get_session(link.client) == seen[-1]
    close(link)
    for session in seen[:3]:
        assert visit(pair, session)[1]


@BOTH
@clause("SESS-4")
def test_get1_session_outlives_the_connection(version: int) -> None:
    pair = contexts(version)
    session, _ = visit(pair)
    assert p.SSL_SESSION_free(session) is None
    with pytest.raises(ValueError, match="freed"):
        p.SSL_SESSION_get_id(session)
    link = link_of(pair)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_set_session(link.client, session)


@BOTH
@WAYS
@clause("SESS-5", "VFY-13", "VFY-14")
def test_resumption_restores_the_certificates(
    version: int, ticket: bool
) -> None:
    pair = pair_of(version, ticket, client_auth=True)
    asked: list[str] = []
    session, _ = visit(pair)
    p.SSL_CTX_set_client_cert_cb(pair[0], lambda _: asked.append("c") or 0)

    link = link_of(pair, session)
    link.established()
    assert p.SSL_session_reused(link.client) == 1
    for ssl in (link.client, link.server):
        cert = p.SSL_get_peer_certificate(ssl)
        assert cert is not None
        assert p.SSL_get_verify_result(ssl) == p.X509_V_OK
    assert asked == []


@BOTH
@clause("SESS-5", "VFY-13")
def test_resumption_keeps_the_verdict_of_the_first_handshake(
    version: int,
) -> None:
    pair = contexts(version, verify=False)
    first = link_of(pair)
    first.established()
    reads_nothing(first.client)
    verdict = p.SSL_get_verify_result(first.client)
    assert verdict != p.X509_V_OK
    session = p.SSL_get1_session(first.client)
    close(first)
    link = link_of(pair, session)
    link.established()
    assert p.SSL_session_reused(link.client) == 1
    assert p.SSL_get_verify_result(link.client) == verdict


# ---- what leads to a full handshake -----------------------------------------


def _other_keys(pair: Any) -> None:
    assert p.SSL_CTX_set_tlsext_ticket_keys(pair[1], bytes(80)) == 1


def _other_context(pair: Any) -> None:
    assert p.SSL_CTX_set_session_id_context(pair[1], b"elsewhere") == 1


def _other_suite(pair: Any) -> None:
    assert p.SSL_CTX_set_cipher_list(pair[1], "CHACHA20") == 1
    assert p.SSL_CTX_set_ciphersuites(pair[1], "TLS_AES_128_GCM_SHA256") == 1


def _other_version(pair: Any) -> None:
    now = p.SSL_CTX_get_min_proto_version(pair[0])
    other = TLS12 if now == TLS13 else TLS13
    for ctx in pair:
        p.SSL_CTX_set_min_proto_version(ctx, other)
        p.SSL_CTX_set_max_proto_version(ctx, other)


@BOTH
@pytest.mark.parametrize(
    "change", [_other_keys, _other_context, _other_suite, _other_version]
)
@clause("SESS-3", "SESS-9", "TKT-1")
def test_session_that_does_not_fit_leads_to_a_full_handshake(
    version: int, change: Callable[[Any], None]
) -> None:
    pair = contexts(version)
    session, _ = visit(pair)
    change(pair)
    assert not visit(pair, session)[1]
    assert reasons() == []


@BOTH
@clause("SESS-3", "RFC 8446 4.6.1", "RFC 6066 3")
def test_session_of_another_server_name_is_not_resumed(version: int) -> None:
    pair = contexts(version)
    session, _ = visit(pair)
    assert not visit(pair, session, host=None)[1]


@BOTH
@WAYS
@clause("SESS-6", "SESS-3")
def test_server_refuses_what_has_expired(version: int, ticket: bool) -> None:
    pair = pair_of(version, ticket)
    assert p.SSL_CTX_set_timeout(pair[1], 100) == 7200
    assert p.SSL_CTX_get_timeout(pair[1]) == 100
    session, _ = visit(pair)
    from pyssl._ffi import lib

    now = time.time()
    lib.pys_test_set_now(int((now + 90) * 1000))
    session, reused = visit(pair, session)
    assert reused
    lib.pys_test_set_now(int((now + 300) * 1000))
    assert not visit(pair, session)[1]
    expected = 1 if version == TLS12 and not ticket else 0
    if not ticket:
        assert p.SSL_CTX_sess_timeouts(pair[1]) >= expected


@clause("SESS-6")
def test_own_timeout_of_a_client_is_not_consulted() -> None:
    pair = contexts(TLS12)
    session, _ = visit(pair)
    assert p.SSL_SESSION_set_timeout(session, 1) == 1
    assert p.SSL_SESSION_set_time(session, 1000) == 1
    assert visit(pair, session)[1]


@clause("SESS-6")
def test_timeout_is_assigned_at_creation() -> None:
    pair = contexts(TLS12)
    assert p.SSL_CTX_set_timeout(pair[0], 33) == 7200
    session, _ = visit(pair)
    assert p.SSL_SESSION_get_timeout(session) == 33
    assert p.SSL_SESSION_set_timeout(session, 44) == 1
    assert p.SSL_SESSION_get_timeout(session) == 44
    assert abs(p.SSL_SESSION_get_time(session) - time.time()) < 60
    assert p.SSL_CTX_set_timeout(pair[0], 0) == 33
    with pytest.raises(ValueError, match="timeout"):
        p.SSL_CTX_set_timeout(pair[0], -1)


# ---- id context -------------------------------------------------------------


@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@clause("SESS-9")
def test_id_context_has_32_bytes_at_most(holder: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    assert it.set_session_id_context(bytes(32)) == 1
    assert it.set_session_id_context(b"") == 1
    assert it.set_session_id_context(bytes(33)) == 0
    assert reasons() == [
        (p.ERR_LIB_SSL, p.SSL_R_SSL_SESSION_ID_CONTEXT_TOO_LONG)
    ]


@BOTH
@WAYS
@clause("SESS-9")
def test_resumption_without_a_context_is_fatal_if_clients_are_verified(
    version: int, ticket: bool
) -> None:
    pair = make_contexts(version=version)
    p.SSL_CTX_set_verify(pair[1], p.SSL_VERIFY_PEER, None)
    if not ticket:
        p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    session, _ = visit(pair)
    link = link_of(pair, session)
    assert link.handshake()[-1] == (-1, p.SSL_ERROR_SSL)
    assert (
        p.ERR_LIB_SSL,
        p.SSL_R_SESSION_ID_CONTEXT_UNINITIALIZED,
    ) in reasons() or link.server.report().reason == 277


@BOTH
@clause("SESS-9", "SESS-3")
def test_session_unknown_to_a_server_that_verifies_is_passed_over(
    version: int,
) -> None:
    pair = make_contexts(version=version)
    p.SSL_CTX_set_verify(pair[1], p.SSL_VERIFY_PEER, None)
    session, _ = visit(pair)
    _other_keys(pair)
    assert not visit(pair, session)[1]


@clause("SESS-9")
def test_connection_may_have_a_context_of_its_own() -> None:
    pair = contexts(TLS12)
    session, _ = visit(pair)
    link = link_of(pair, session)
    assert p.SSL_set_session_id_context(link.server, b"mine") == 1
    link.established()
    assert p.SSL_session_reused(link.server) == 0
    session = p.SSL_get_session(link.server)
    assert session is not None
    assert p.SSL_SESSION_get0_id_context(session) == b"mine"


# ---- tickets ----------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@clause("SESS-11", "HS-13", "CTX-3")
def test_server_sends_as_many_tickets_as_it_was_told(n: int) -> None:
    pair = contexts(TLS13)
    assert p.SSL_CTX_get_num_tickets(pair[1]) == 2
    assert p.SSL_CTX_set_num_tickets(pair[1], n) == 1
    assert p.SSL_CTX_get_num_tickets(pair[1]) == n
    p.SSL_CTX_set_session_cache_mode(pair[0], p.SSL_SESS_CACHE_CLIENT)
    seen: list[p.SSL_SESSION] = []
    p.SSL_CTX_sess_set_new_cb(pair[0], lambda _, s: seen.append(s) or 0)
    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    assert len(seen) == n
    session = p.SSL_get_session(link.client)
    assert session is not None
    assert p.SSL_SESSION_is_resumable(session) == int(n > 0)
    close(link)
    seen.clear()

    link = link_of(pair, session)
    link.established()
    reads_nothing(link.client)
    assert p.SSL_session_reused(link.client) == int(n > 0)
    assert len(seen) == (1 if n else 0)


@clause("SESS-11")
def test_number_of_tickets_has_a_getter_on_both_objects() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    ssl = p.SSL_new(ctx)
    assert ssl is not None
    assert p.SSL_set_num_tickets(ssl, 7) == 1
    assert p.SSL_get_num_tickets(ssl) == 7
    assert p.SSL_CTX_get_num_tickets(ctx) == 2
    for bad in (-1, 1 << 16):
        with pytest.raises(ValueError, match="tickets"):
            p.SSL_set_num_tickets(ssl, bad)


@BOTH
@clause("SESS-12")
def test_without_tickets_and_cache_nothing_is_resumed(version: int) -> None:
    pair = pair_of(version, ticket=False)
    p.SSL_CTX_set_session_cache_mode(pair[1], p.SSL_SESS_CACHE_OFF)
    session, _ = visit(pair)
    assert p.SSL_SESSION_is_resumable(session) == 0
    assert not visit(pair, session)[1]
    assert p.SSL_CTX_sess_number(pair[1]) == 0


@clause("SESS-12", "OPT-2")
def test_client_without_tickets_resumes_by_id() -> None:
    pair = contexts(TLS12)
    p.SSL_CTX_set_options(pair[0], p.SSL_OP_NO_TICKET)
    session, _ = visit(pair)
    assert p.SSL_SESSION_has_ticket(session) == 0
    assert len(p.SSL_SESSION_get_id(session)) == 32
    assert visit(pair, session)[1]


@clause("RFC 8446 C.4 a ticket is used once")
def test_client_uses_a_ticket_of_tls13_once() -> None:
    pair = contexts(TLS13)
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    assert p.SSL_SESSION_is_resumable(session) == 0
    assert not visit(pair, session)[1]


@clause("RFC 5246 F.1.4")
def test_client_uses_a_session_of_tls12_again_and_again() -> None:
    pair = contexts(TLS12)
    session, _ = visit(pair)
    for _ in range(3):
        assert visit(pair, session)[1]


@BOTH
@clause("TKT-1")
def test_ticket_keys_have_80_bytes(version: int) -> None:
    pair = contexts(version)
    assert p.SSL_CTX_set_tlsext_ticket_keys(pair[1], None) == 80
    first = p.SSL_CTX_get_tlsext_ticket_keys(pair[1])
    assert len(first) == 80
    assert first != p.SSL_CTX_get_tlsext_ticket_keys(pair[0])
    for size in (0, 16, 48, 79, 81, 160):
        keys = bytes(size)
        assert p.SSL_CTX_set_tlsext_ticket_keys(pair[1], keys) == 0
        assert reasons() == [
            (p.ERR_LIB_SSL, p.SSL_R_INVALID_TICKET_KEYS_LENGTH)
        ]
    assert p.SSL_CTX_get_tlsext_ticket_keys(pair[1]) == first
    session, _ = visit(pair)
    fresh = bytes(range(80))
    assert p.SSL_CTX_set_tlsext_ticket_keys(pair[1], bytearray(fresh)) == 1
    assert p.SSL_CTX_get_tlsext_ticket_keys(pair[1]) == fresh
    assert not visit(pair, session)[1]


@BOTH
@clause("TKT-1", "SESS-3")
def test_two_servers_with_the_same_keys_resume_each_other(
    version: int,
) -> None:
    pair, other = contexts(version), contexts(version)
    assert not visit(other, visit(pair)[0])[1]
    keys = p.SSL_CTX_get_tlsext_ticket_keys(pair[1])
    assert other[1].set_ticket_keys([keys]) == 1
    session, _ = visit(pair)
    assert visit((pair[0], other[1]), session)[1]


@BOTH
@clause("TKT-1")
def test_ticket_keys_rotate(version: int) -> None:
    pair = contexts(version)
    keys = [bytes([i]) * 80 for i in range(3)]
    assert pair[1].set_ticket_keys(keys[:1]) == 1
    session, _ = visit(pair)
    assert pair[1].set_ticket_keys([keys[1], keys[0]]) == 1
    renewed, reused = visit(pair, session)
    assert reused
    # A ticket of an older key is renewed under the first one.
    assert p.SSL_SESSION_get0_ticket(renewed)[:16] == keys[1][:16]
    assert pair[1].set_ticket_keys([keys[2], keys[1]]) == 1
    assert visit(pair, renewed)[1]
    assert not visit(pair, session)[1]
    for bad in ([], [bytes(80)] * 17):
        with pytest.raises(ValueError, match="keys"):
            pair[1].set_ticket_keys(bad)
    assert pair[1].set_ticket_keys([bytes(80), bytes(79)]) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_INVALID_TICKET_KEYS_LENGTH)]


@clause("TKT-1")
def test_ticket_that_was_changed_is_not_taken() -> None:
    pair = contexts(TLS12)
    session, _ = visit(pair)
    ticket = p.SSL_SESSION_get0_ticket(session)
    der = p.i2d_SSL_SESSION(session)
    assert isinstance(der, bytes)
    assert der.count(ticket) == 1
    for at in range(0, len(ticket), 7):
        bad = bytearray(ticket)
        bad[at] ^= 1
        changed = p.d2i_SSL_SESSION(der.replace(ticket, bytes(bad)))
        assert changed is not None
        assert not visit(pair, changed)[1]
    assert visit(pair, p.d2i_SSL_SESSION(der))[1]


# ---- step counts ------------------------------------------------------------


@BOTH
@WAYS
@clause("HS-26")
def test_resumed_handshake_takes_two_calls_a_side(
    version: int, ticket: bool
) -> None:
    pair = pair_of(version, ticket)
    session, _ = visit(pair)
    assert link_of(pair, session).handshake() == [
        (-1, 2),
        (-1, 2),
        (1, 0),
        (1, 0),
    ]


@clause("SESS-3", "RFC 8446 4.1.4")
def test_resumption_survives_a_retry() -> None:
    pair = contexts(TLS13)
    session, _ = visit(pair)
    p.SSL_CTX_set1_groups_list(pair[0], "X25519:P-384")
    p.SSL_CTX_set1_groups_list(pair[1], "P-384")
    link = link_of(pair, session)
    link.established()
    assert link.client.hello_retried()
    assert p.SSL_session_reused(link.client) == 1
    assert p.SSL_session_reused(link.server) == 1


@BOTH
@clause("CLR-1", "CLR-2", "SESS-2")
def test_cleared_client_comes_back_with_its_session(version: int) -> None:
    pair = contexts(version)
    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    close(link)
    session = p.SSL_get_session(link.client)
    for ssl in (link.client, link.server):
        assert p.SSL_clear(ssl) == 1
    assert p.SSL_get_session(link.client) == session
    again = MemLink(link.client, link.server)
    again.established()
    assert p.SSL_session_reused(link.client) == 1


@BOTH
@clause("CLR-2", "SD-14")
def test_client_cleared_without_closing_has_lost_its_session(
    version: int,
) -> None:
    link = link_of(contexts(version))
    link.established()
    reads_nothing(link.client)
    session = p.SSL_get1_session(link.client)
    assert session is not None
    assert p.SSL_clear(link.client) == 1
    assert p.SSL_get_session(link.client) is None
    assert p.SSL_SESSION_is_resumable(session) == 0


@BOTH
@WAYS
@clause("SD-14", "HS-15")
def test_fatal_alert_ends_the_session(version: int, ticket: bool) -> None:
    pair = pair_of(version, ticket)
    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    session = p.SSL_get1_session(link.client)
    assert session is not None
    wire = bytes.fromhex("17 03 03 00 20") + bytes(32)
    assert p.BIO_write(link.client_in, wire) == len(wire)
    assert outcome(link.client, p.SSL_read(link.client, bytearray(9))) == (
        -1,
        1,
    )
    assert p.SSL_SESSION_is_resumable(session) == 0
