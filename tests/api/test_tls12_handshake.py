"""What is different in TLS 1.2: states, warnings, renegotiation, exporter."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import wire
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    outcome,
    put,
    raw_client,
    raw_server,
    reasons,
    take,
)
from tests.api.opened import hello_of, log_of
from tests.api.sessions import TLS12, TLS13, contexts, link_of, visit
from tests.clauses import clause
from tests.forge import messages

SIDES = pytest.mark.parametrize("server", [False, True], ids=["C", "S"])
SUITES = {
    "ECDHE-ECDSA-AES256-GCM-SHA384": 29,
    "ECDHE-ECDSA-CHACHA20-POLY1305": 21,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 29,
    "ECDHE-RSA-AES256-GCM-SHA384": 29,
    "ECDHE-RSA-CHACHA20-POLY1305": 21,
    "ECDHE-RSA-AES128-GCM-SHA256": 29,
}


def link12(**wishes: Any) -> MemLink:
    """Make an established link of TLS 1.2."""
    return connected(version=TLS12, **wishes)


# ---- steps and states -------------------------------------------------------


@pytest.mark.parametrize("client_auth", [False, True])
@clause("HS-26", "HS-13", "VER-4", "RFC 5246 7.3")
def test_full_handshake_ends_with_the_client(client_auth: bool) -> None:
    link = MemLink(*make_ends(version=TLS12, client_auth=client_auth))
    assert link.handshake() == [(-1, 2), (-1, 2), (-1, 2), (1, 0), (1, 0)]
    for ssl in (link.client, link.server):
        assert p.SSL_version(ssl) == TLS12
        assert p.SSL_get_version(ssl) == "TLSv1.2"
        assert p.SSL_get_cipher_version(ssl) == "TLSv1.2"
    assert (p.SSL_get_peer_certificate(link.server) is None) != client_auth
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")


LONG = {
    "PINIT": "before SSL initialization",
    "TWCH": "SSLv3/TLS write client hello",
    "TWSD": "SSLv3/TLS write server done",
    "TWFIN": "SSLv3/TLS write finished",
    "SSLOK": "SSL negotiation finished successfully",
}


@clause("HS-51", "HS-52")
def test_states_name_the_last_step_completed() -> None:
    link = MemLink(*make_ends(version=TLS12))
    seen = []
    for ssl in (link.client, link.server) * 2 + (link.client,):
        p.SSL_do_handshake(ssl)
        link.move()
        brief = p.SSL_state_string(ssl)
        assert p.SSL_state_string_long(ssl) == LONG[brief]
        seen.append(brief)
    assert seen == ["TWCH", "TWSD", "TWFIN", "SSLOK", "SSLOK"]


@clause("HS-52")
def test_server_without_a_whole_hello_is_before_it() -> None:
    link = MemLink(*make_ends(version=TLS12))
    p.SSL_do_handshake(link.client)
    put(link.server_in, take(link.client_out)[:20])
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 2)
    assert p.SSL_state_string(link.server) == "PINIT"


@pytest.mark.parametrize("suite", SUITES)
@clause("RW-27", "CIPH-6")
def test_record_has_what_its_cipher_adds(suite: str) -> None:
    kind = "rsa" if "RSA" in suite and "ECDSA" not in suite else "p256"
    pair = make_contexts(version=TLS12, kind=kind)
    p.SSL_CTX_set_cipher_list(pair[0], suite)
    link = MemLink(*make_ends(*pair))
    link.established()
    assert p.SSL_get_cipher_name(link.server) == suite
    for size in (1, 100, 16384):
        assert p.SSL_write(link.client, bytes(size)) == size
        assert p.BIO_ctrl_pending(link.client_out) == size + SUITES[suite]
        take(link.client_out)
    assert p.SSL_write(link.client, bytes(40000)) == 40000
    total = 40000 + 3 * SUITES[suite]
    assert p.BIO_ctrl_pending(link.client_out) == total


# ---- alerts -----------------------------------------------------------------


@SIDES
@clause("HS-15", "RFC 5246 7.2.2")
def test_four_warnings_are_ignored_and_the_fifth_is_fatal(
    server: bool,
) -> None:
    peer = (raw_server if server else raw_client)(version=TLS12)
    peer.handshake()
    peer.sent()
    for _ in range(4):
        peer.feed("15 03 03 00 02 01 70")
        assert peer.handshake() == (-1, 2)
        assert reasons() == []
    peer.feed("15 03 03 00 02 01 70")
    assert peer.handshake() == (-1, 1)
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_TOO_MANY_WARN_ALERTS)]


@SIDES
@clause("HS-15", "ERR-20")
def test_fatal_alert_is_fatal(server: bool) -> None:
    peer = (raw_server if server else raw_client)(version=TLS12)
    peer.handshake()
    peer.sent()
    peer.feed("15 03 03 00 02 02 28")
    assert peer.handshake() == (-1, 1)
    assert reasons() == [(p.ERR_LIB_SSL, 1040)]
    assert p.SSL_get_shutdown(peer.ssl) == p.SSL_RECEIVED_SHUTDOWN


@clause("VFY-1", "HS-18")
def test_missing_client_certificate_is_alert_40() -> None:
    pair = make_contexts(version=TLS12)
    p.SSL_CTX_set_verify(pair[1], 3, None)
    link = MemLink(*make_ends(*pair))
    assert link.handshake()[-2:] == [(-1, 1), (-1, 1)]
    assert reasons() == [(p.ERR_LIB_SSL, 1040)]
    assert link.server.report().reason == 199


# ---- renegotiation ----------------------------------------------------------


@clause("RW-28")
def test_renegotiation_is_not_begun() -> None:
    link = link12()
    for ssl in (link.client, link.server):
        assert p.SSL_renegotiate(ssl) == 0
        assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_NO_RENEGOTIATION)]
        assert p.SSL_renegotiate_pending(ssl) == 0
    link.send(link.client, b"still here")
    link = connected(version=TLS13)
    assert p.SSL_renegotiate(link.client) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_WRONG_SSL_VERSION)]


@clause("RW-29")
def test_key_update_is_not_of_tls12() -> None:
    link = link12()
    for update in (0, 1):
        assert p.SSL_key_update(link.client, update) == 0
        assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_WRONG_SSL_VERSION)]
    link.send(link.client, b"still here")


# ---- key log and exporter ---------------------------------------------------


@clause("KLOG-1", "KLOG-2")
def test_key_log_has_the_master_secret_once() -> None:
    pair = contexts(TLS12)
    logs = [log_of(ctx) for ctx in pair]
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 2
    for line in logs[0]:
        label, random, secret = line.split(" ")
        assert label == "CLIENT_RANDOM"
        assert (len(random), len(secret)) == (64, 96)
        assert line == label + line[len(label) :].lower()
    secrets = {line.split(" ")[2] for line in logs[0]}
    assert secrets == {p.SSL_SESSION_get_master_key(session).hex()}


def export(ssl: p.SSL, *arguments: Any) -> bytes:
    """Export 32 bytes."""
    out = bytearray(32)
    assert p.SSL_export_keying_material(ssl, out, *arguments) == 1
    return bytes(out)


@clause("EKM-1", "EKM-2", "RFC 5705 4")
def test_exporter_tells_an_empty_context_from_none() -> None:
    link = link12()
    both = (link.client, link.server)
    none, empty, some = (
        {export(ssl, "EXPORTER-x", *rest) for ssl in both}
        for rest in ((), (b"",), (b"some",))
    )
    assert len(none) == len(empty) == len(some) == 1
    assert len(none | empty | some) == 3
    assert {export(s, "EXPORTER-x", bytearray()) for s in both} == empty
    assert {export(s, "EXPORTER-x", None, 1) for s in both} == empty
    assert {export(s, "EXPORTER-x", b"some", 0) for s in both} == none
    link = connected(version=TLS13)
    assert export(link.client, "EXPORTER-x") == export(
        link.server, "EXPORTER-x", b""
    )


LABELS = [
    "client finished",
    "server finished",
    "master secret",
    "extended master secret",
    "key expansion",
]


@pytest.mark.parametrize("label", LABELS)
@clause("EKM-2")
def test_exporter_refuses_labels_of_the_key_schedule(label: str) -> None:
    out = bytearray(32)
    link = link12()
    for ssl in (link.client, link.server):
        assert p.SSL_export_keying_material(ssl, out, label) == 0
        assert reasons() == [
            (p.ERR_LIB_SSL, p.SSL_R_TLS_ILLEGAL_EXPORTER_LABEL)
        ]
    assert out == bytearray(32)
    link = connected(version=TLS13)
    assert p.SSL_export_keying_material(link.client, out, label) == 1


# ---- options ----------------------------------------------------------------


@pytest.mark.parametrize("who", ["none", "client", "server", "both"])
@clause("OPT-2", "RFC 7627 5.1", "RFC 7627 5.2")
def test_extended_master_secret_unless_one_side_has_it_off(who: str) -> None:
    pair = make_contexts(version=TLS12)
    for ctx, name in zip(pair, ("client", "server")):
        if who in (name, "both"):
            p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    link = MemLink(*make_ends(*pair))
    for ssl in (link.client, link.server):
        assert p.SSL_get_extms_support(ssl) == -1
    link.established()
    for ssl in (link.client, link.server):
        assert p.SSL_get_extms_support(ssl) == int(who == "none")
    link.send(link.client, b"ping")


@clause("RFC 8446 D all TLS 1.3 is extended")
def test_tls13_counts_as_extended() -> None:
    link = connected(version=TLS13)
    assert p.SSL_get_extms_support(link.client) == 1


@clause("SESS-3", "RFC 7627 5.3", "OPT-2")
def test_extended_session_is_not_resumed_without_the_extension() -> None:
    pair = contexts(TLS12)
    session, _ = visit(pair)
    p.SSL_CTX_set_options(pair[0], p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    link = link_of(pair, session)
    assert link.handshake()[-1] == (-1, 1)
    assert link.server.report().reason == p.SSL_R_INCONSISTENT_EXTMS


@clause("SESS-3", "RFC 7627 5.3", "OPT-2")
def test_plain_session_leads_to_a_full_handshake_with_the_extension() -> None:
    pair = contexts(TLS12)
    p.SSL_CTX_set_options(pair[0], p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    p.SSL_CTX_clear_options(pair[0], p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    assert not visit(pair, session)[1]


@clause("OPT-4", "RFC 7507 3", "HS-18")
def test_fallback_that_was_not_needed_is_refused() -> None:
    pair = make_contexts()
    p.SSL_CTX_set_max_proto_version(pair[0], TLS12)
    p.SSL_CTX_set_mode(pair[0], p.SSL_MODE_SEND_FALLBACK_SCSV)
    link = MemLink(*make_ends(*pair))
    assert link.handshake()[-2:] == [(-1, 1), (-1, 1)]
    assert reasons() == [(p.ERR_LIB_SSL, 1086)]
    assert link.server.report().reason == p.SSL_R_INAPPROPRIATE_FALLBACK
    p.SSL_CTX_set_max_proto_version(pair[1], TLS12)
    MemLink(*make_ends(*pair)).established()


@clause("VER-3", "VER-4", "OPT-2")
@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("option", ["NO_TLSv1_2", "NO_TLSv1_3"])
def test_option_takes_a_version_out(where: int, option: str) -> None:
    pair = make_contexts()
    p.SSL_CTX_set_options(pair[where], getattr(p, f"SSL_OP_{option}"))
    link = MemLink(*make_ends(*pair))
    link.established()
    expected = TLS12 if option == "NO_TLSv1_3" else TLS13
    assert p.SSL_version(link.client) == expected
    assert p.SSL_version(link.server) == expected


@clause("VER-3")
def test_client_of_tls12_alone_says_nothing_of_tls13() -> None:
    link = MemLink(*make_ends(version=TLS12))
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    for kind in (
        messages.SUPPORTED_VERSIONS,
        messages.KEY_SHARE,
        45,
    ):
        assert not hello.has(kind)


@clause("SD-6", "RW-6")
def test_shutdown_is_as_in_tls13() -> None:
    link = link12()
    assert p.SSL_shutdown(link.client) == 0
    link.move()
    assert wire.read(link.server) == wire.CLOSED
    assert p.SSL_shutdown(link.server) == 1
    link.move()
    assert p.SSL_shutdown(link.client) == 1
