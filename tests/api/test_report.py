"""Failure with evidence: what SSL.report() says of each kind of end."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    raw_client,
    reasons,
)
from tests.clauses import clause
from tests.pki import ca

MIDDLE = ca.intermediate()
A128 = "TLS_AES_128_GCM_SHA256"
CHACHA = "TLS_CHACHA20_POLY1305_SHA256"


def codes_of(report: p.Report) -> list[tuple[int, int]]:
    """Give library and reason of each code."""
    return [(p.ERR_GET_LIB(c), p.ERR_GET_REASON(c)) for c in report.codes]


def offers_agree(link: MemLink) -> None:
    """What one side says it offered, the other says it was offered."""
    client, server = link.client.report(), link.server.report()
    for name in ("versions", "suites", "groups", "schemes", "alpn"):
        mine = getattr(client.own_offer, name)
        assert getattr(server.peer_offer, name) == mine, name


# ---- before, and when all is well -----------------------------------------


def test_report_of_a_new_connection_knows_nothing() -> None:
    for method in (p.TLS_method, p.TLS_client_method):
        report = p.SSL(p.SSL_CTX(method())).report()
        assert report.role == ""
        assert not report.failed
        assert not report.established
        assert (report.alert_sent, report.alert_received) == (None, None)
        assert report.alert_sent_text is report.alert_received_text is None
        assert (report.reason, report.codes, report.reason_text) == (0, (), "")
        assert report.verify_result == 0
        assert report.failing_depth is None
        assert report.failing_cert is None
        assert report.peer_chain == ()
        assert report.version is report.suite is report.group is None
        assert report.alpn == b""
        assert report.peer_offer == type(report.peer_offer)()


@pytest.mark.parametrize("client_auth", [False, True])
def test_report_of_an_established_connection_tells_what_was_agreed(
    client_auth: bool,
) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=client_auth)
    for ctx in (client_ctx, server_ctx):
        p.SSL_CTX_set_mode(ctx, p.SSL_MODE_NO_AUTO_CHAIN)
    p.SSL_CTX_set_ciphersuites(client_ctx, A128)
    p.SSL_CTX_set1_groups_list(client_ctx, "X25519:P-384")
    p.SSL_CTX_set1_groups_list(server_ctx, "P-384")
    p.SSL_CTX_set_alpn_protos(client_ctx, b"\x02h2\x02h3")
    p.SSL_CTX_set_alpn_select_cb(server_ctx, lambda *_: (0, b"h3"))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    for ssl, role in ((link.client, "client"), (link.server, "server")):
        report = ssl.report()
        assert report.role == role
        assert report.established
        assert not report.failed
        assert report.alert_sent is report.alert_received is None
        assert report.version == "TLSv1.3"
        assert report.suite == A128
        assert report.group == "P-384"
        assert report.alpn == b"h3"
        assert report.state == p.SSL_state_string_long(ssl)
        assert f"{role}: established" in str(report)
    mine = link.client.report()
    assert [one.der for one in mine.peer_chain] == [ca.leaf().cert_der]
    theirs = link.server.report().peer_chain
    assert len(theirs) == int(client_auth)


def test_report_on_the_way_shows_both_offers() -> None:
    link = make_link(version=p.TLS1_3_VERSION)
    p.SSL_set_ciphersuites(link.client, A128)
    p.SSL_set1_groups_list(link.client, "X25519:P-384")
    p.SSL_set1_sigalgs_list(link.client, "ed25519:ECDSA+SHA256")
    p.SSL_set_alpn_protos(link.client, b"\x02h2\x02h3")
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)

    mine = link.client.report()

    assert not mine.failed
    assert not mine.established
    assert mine.own_offer.versions == ("TLSv1.3",)
    assert mine.own_offer.suites == (A128,)
    assert mine.own_offer.groups == ("X25519", "P-384")
    assert mine.own_offer.schemes == ("ed25519", "ecdsa_secp256r1_sha256")
    assert mine.own_offer.alpn == (b"h2", b"h3")
    offers_agree(link)


def test_report_is_a_frozen_picture_of_the_moment() -> None:
    link = make_link()
    before = link.client.report()
    link.established()
    p.SSL_shutdown(link.client)
    after = link.client.report()

    assert not before.established
    assert after.established
    assert before != after
    assert after == link.client.report()
    with pytest.raises(dataclasses.FrozenInstanceError):
        after.reason = 1  # type: ignore[misc]


# ---- failures -------------------------------------------------------------


def set_suites(link: MemLink) -> None:
    p.SSL_set_ciphersuites(link.client, A128)
    p.SSL_set_ciphersuites(link.server, CHACHA)


def set_groups(link: MemLink) -> None:
    p.SSL_set1_groups_list(link.client, "X25519")
    p.SSL_set1_groups_list(link.server, "P-521")


def set_schemes(link: MemLink) -> None:
    p.SSL_set1_sigalgs_list(link.client, "ed25519")


def set_alpn(link: MemLink) -> None:
    p.SSL_set_alpn_protos(link.client, b"\x03foo")
    p.SSL_CTX_set_alpn_select_cb(p.SSL_get_SSL_CTX(link.server), lambda *_: 2)


def set_name(link: MemLink) -> None:
    p.SSL_CTX_set_tlsext_servername_callback(
        p.SSL_get_SSL_CTX(link.server), lambda *_: 2
    )


def set_cert_cb(link: MemLink) -> None:
    p.SSL_set_cert_cb(link.server, lambda *_: 0)


REFUSALS: list[tuple[Callable[[MemLink], None], int, int, str]] = [
    (set_suites, 193, 40, "handshake failure"),
    (set_groups, 101, 40, "handshake failure"),
    (set_schemes, 118, 40, "handshake failure"),
    (set_alpn, 235, 120, "no application protocol"),
    (set_name, 234, 112, "unrecognized name"),
    (set_cert_cb, 377, 80, "internal error"),
]


@clause("HS-18", "HS-15")
@pytest.mark.parametrize(("spoil", "reason", "alert", "words"), REFUSALS)
def test_report_of_a_refusal_names_alert_and_reason_on_both_sides(
    spoil: Callable[[MemLink], None], reason: int, alert: int, words: str
) -> None:
    link = make_link()
    spoil(link)
    p.SSL_do_handshake(link.client)
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    queued = reasons()
    ours = link.server.report()
    link.move()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)

    assert ours.failed
    assert not ours.established
    assert ours.reason == reason
    assert codes_of(ours) == queued
    assert ours.alert_sent == alert
    assert ours.alert_received is None
    assert ours.alert_sent_text == words
    assert ours.reason_text in str(ours)
    assert words in str(ours)
    theirs = link.client.report()
    assert theirs.alert_sent is None
    assert theirs.alert_received == alert
    assert theirs.alert_received_text == words
    assert theirs.reason == 1000 + alert
    offers_agree(link)


def test_report_shows_why_the_offers_did_not_meet() -> None:
    link = make_link(version=p.TLS1_3_VERSION)
    p.SSL_set_alpn_protos(link.client, b"\x02h2")
    set_suites(link)
    set_groups(link)
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)

    report = link.server.report()

    assert report.peer_offer.suites == (A128,)
    assert report.own_offer.suites == (CHACHA,)
    assert report.peer_offer.groups == ("X25519",)
    assert report.own_offer.groups == ("P-521",)
    assert report.peer_offer.versions == ("TLSv1.3",)
    assert report.own_offer.versions == ("TLSv1.3",)
    assert report.peer_offer.alpn == (b"h2",)
    assert "ecdsa_secp256r1_sha256" in report.peer_offer.schemes
    shown = str(report)
    for part in (A128, CHACHA, "X25519", "P-521", "TLSv1.3", "h2"):
        assert part in shown


CHAINS = [
    (ca.leaf(issuer=MIDDLE, expired=True), None, 0, 10, 45),
    (
        ca.leaf(issuer=ca.intermediate(name="old", expired=True)),
        None,
        1,
        10,
        45,
    ),
    (ca.leaf(issuer=MIDDLE), b"", 1, 20, 48),
    (ca.leaf(self_signed=True, key_label="own"), b"", 0, 18, 48),
]


@clause("VFY-14", "VFY-16")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(("leaf", "trust", "depth", "result", "alert"), CHAINS)
def test_report_of_a_bad_chain_holds_it_and_points_at_the_place(
    side: str,
    leaf: ca.Identity,
    trust: Optional[bytes],
    depth: int,
    result: int,
    alert: int,
) -> None:
    client_ctx, server_ctx = make_contexts(
        server=leaf if side == "client" else None,
        client=leaf if side == "server" else None,
        client_auth=side == "server",
    )
    judge = client_ctx if side == "client" else server_ctx
    for ctx in (client_ctx, server_ctx):
        p.SSL_CTX_set_mode(ctx, p.SSL_MODE_NO_AUTO_CHAIN)
    if trust is not None:
        p.SSL_CTX_set_cert_store(judge, p.TrustStore())
    link = MemLink(*make_ends(client_ctx, server_ctx))
    ends = link.handshake() if side == "client" else None
    if ends is None:
        link.step()
        assert p.SSL_do_handshake(link.client) == 1
        link.move()
        assert p.SSL_do_handshake(link.server) == -1
        link.move()
        assert p.SSL_read(link.client, bytearray(1)) == -1

    ssl = getattr(link, side)
    report = ssl.report()

    assert report.verify_result == p.SSL_get_verify_result(ssl) == result
    assert report.failing_depth == depth
    assert report.failing_cert is not None
    assert report.failing_cert.der == leaf.chain_der[depth]
    assert tuple(x.der for x in report.peer_chain) == leaf.chain_der
    assert report.alert_sent == alert
    assert report.reason == 134
    assert report.verify_text == p.X509_verify_cert_error_string(result)
    assert f"at depth {depth}" in str(report)
    assert report.verify_text in str(report)
    other = link.peer_of(ssl).report()
    assert other.alert_received == alert
    assert other.failing_depth is None
    assert other.peer_chain == () or side == "server"


def test_report_under_mode_none_keeps_the_verdict_without_a_failure() -> None:
    client_ctx, server_ctx = make_contexts(
        server=ca.leaf(expired=True), verify=False
    )
    assert p.SSL_CTX_load_verify_mem(client_ctx, ca.leaf().ca_pem) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    report = link.client.report()

    assert report.established
    assert not report.failed
    assert report.verify_result == 10
    assert report.failing_depth == 0
    assert report.failing_cert is not None


# ---- other ends -----------------------------------------------------------

ENDS: list[tuple[bytes, int, Optional[int], Optional[int]]] = [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", 267, None, None),
    (b"\x15\x03\x03\x00\x02\x02\x28", 1040, None, 40),
    (b"\x15\x03\x03\x00\x02\x02\x46", 1070, None, 70),
    (b"\x17\x03\x03\x00\x02ab", 244, 10, None),
]


@clause("HS-15", "HS-18")
@pytest.mark.parametrize(("fed", "reason", "sent", "received"), ENDS)
def test_report_tells_alerts_sent_from_alerts_received(
    fed: bytes, reason: int, sent: Optional[int], received: Optional[int]
) -> None:
    peer = raw_client()
    peer.handshake()
    peer.feed(fed)
    assert peer.handshake() == (-1, 1)

    report = peer.ssl.report()

    assert report.reason == reason
    assert report.alert_sent == sent
    assert report.alert_received == received
    assert report.state == "error"


@clause("HS-16", "HS-22")
def test_report_outlives_the_queue_and_further_calls() -> None:
    link = make_link()
    p.SSL_do_handshake(link.client)
    link.end(link.client)
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    before = link.client.report()
    assert before.reason == 294
    assert codes_of(before) == reasons() == [(p.ERR_LIB_SSL, 294)]

    p.ERR_clear_error()
    assert p.SSL_do_handshake(link.client) == -1

    assert link.client.report() == before
    assert reasons() == []


@clause("CLR-1")
def test_report_is_new_after_a_clear() -> None:
    link = make_link()
    set_suites(link)
    p.SSL_do_handshake(link.client)
    link.move()
    assert p.SSL_do_handshake(link.server) == -1
    assert link.server.report().failed

    assert p.SSL_clear(link.server) == 1

    report = link.server.report()
    assert not report.failed
    assert report.alert_sent is None
    assert report.peer_offer == type(report.peer_offer)()


def test_report_of_damage_after_the_handshake() -> None:
    link = connected()
    assert p.SSL_write(link.server, b"data") == 4
    data = bytearray(100)
    size = p.BIO_read(link.server_out, data)
    data[size - 1] ^= 1
    p.BIO_write(link.client_in, bytes(data[:size]))
    assert outcome(link.client, p.SSL_read(link.client, data)) == (-1, 1)

    report = link.client.report()

    assert report.failed
    assert not report.established
    assert report.reason == 281
    assert report.alert_sent == 20
    assert report.version == "TLSv1.3"
    assert report.suite == p.SSL_get_cipher_name(link.client)


@clause("CV-8")
def test_report_may_be_asked_for_inside_a_callback() -> None:
    client_ctx, server_ctx = make_contexts(version=p.TLS1_3_VERSION)
    p.SSL_CTX_set_ciphersuites(client_ctx, A128)
    seen: list[Any] = []

    def on_name(ssl: p.SSL, *_: Any) -> int:
        seen.append(ssl.report())
        return 0

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, on_name)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    (report,) = seen
    assert report.role == "server"
    assert not report.established
    assert report.peer_offer.suites == (A128,)
