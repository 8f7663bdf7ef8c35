"""Failure with evidence: `SSL.report()`."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    raw_client,
    raw_server,
    reasons,
)
from tests.clauses import ROOT, clause
from tests.pki import ca


def test_report_of_a_fresh_object_knows_nothing() -> None:
    report = p.SSL(p.SSL_CTX(p.TLS_method())).report()

    assert report.role == ""
    assert not report.failed
    assert not report.established
    assert report.alert_sent is report.alert_received is None
    assert report.alert_sent_text is None
    assert report.reason_text == ""
    assert report.peer_chain == ()
    assert report.own_offer == report.peer_offer == p.Offer()
    assert "before SSL initialization" in str(report)


def test_report_of_an_established_connection_says_what_was_agreed() -> None:
    report = connected().client.report()

    assert report.role == "client"
    assert report.established
    assert not report.failed
    assert report.version == "TLSv1.3"
    assert report.suite == "TLS_AES_256_GCM_SHA384"
    assert report.group is not None
    assert [x.der for x in report.peer_chain] == [ca.leaf().cert_der]
    assert "established" in str(report)


@clause("VFY-16", "CV-1")
def test_report_of_a_refused_certificate_names_it_and_its_depth() -> None:
    middle = ca.intermediate(expired=True)
    deep = ca.leaf(issuer=middle)
    link = MemLink(*make_ends(*make_contexts(server=deep)))
    link.step()
    assert link.client.do_handshake() == -1
    link.move()
    assert link.server.do_handshake() == -1

    report = link.client.report()
    assert report.failed
    assert not report.established
    assert report.alert_sent == 45
    assert report.alert_sent_text == "certificate expired"
    assert report.alert_received is None
    assert report.reason == 134
    assert report.reason_text == "certificate verify failed"
    assert report.codes[-1] == 0x0A000086
    assert report.verify_result == 10
    assert report.verify_text == "certificate has expired"
    assert report.failing_depth == 1
    assert report.failing_cert is not None
    assert report.failing_cert.der == middle.cert_der
    assert [x.der for x in report.peer_chain] == list(deep.chain_der)
    for word in ("expired", "45", "depth 1", "CN=localhost"):
        assert word in str(report)

    other = link.server.report()
    assert other.role == "server"
    assert other.alert_received == 45
    assert other.alert_received_text == "certificate expired"
    assert other.alert_sent is None
    assert other.reason == 1045


def test_report_of_a_failed_negotiation_has_both_offers() -> None:
    client, server = make_ends(version=p.TLS1_3_VERSION)
    client.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    client.set1_groups_list("P-256:X25519")
    client.set1_sigalgs_list("ecdsa_secp256r1_sha256:ed25519")
    client.set_alpn_protos(b"\x02h2\x08http/1.1")
    server.set_ciphersuites("TLS_AES_256_GCM_SHA384")
    link = MemLink(client, server)
    client.do_handshake()
    link.move()
    assert server.do_handshake() == -1
    link.move()
    assert client.do_handshake() == -1

    offered = p.Offer(
        versions=("TLSv1.3",),
        suites=("TLS_AES_128_GCM_SHA256",),
        groups=("P-256", "X25519"),
        schemes=("ecdsa_secp256r1_sha256", "ed25519"),
        alpn=(b"h2", b"http/1.1"),
    )
    report = server.report()
    assert report.peer_offer == offered
    assert report.own_offer.suites == ("TLS_AES_256_GCM_SHA384",)
    assert report.alert_sent == 40
    assert report.reason == 193
    assert client.report().own_offer == offered
    assert "TLS_AES_128_GCM_SHA256" in str(report)


@clause("HS-18", "HS-15")
def test_report_tells_a_fault_of_ours_from_an_alert_received() -> None:
    got = raw_client()
    got.handshake()
    got.feed("15 03 03 00 02 02 28")
    got.handshake()
    report = got.ssl.report()
    assert (report.alert_sent, report.alert_received) == (None, 40)

    bad = raw_server()
    bad.feed(b"GET / HTTP/1.0\r\n\r\n")
    bad.handshake()
    report = bad.ssl.report()
    assert (report.alert_sent, report.alert_received) == (None, None)
    assert report.reason == 156


def hellos_with_grease() -> list[dict[str, Any]]:
    """Real ClientHellos that offer TLS 1.3 and numbers of RFC 8701."""
    path = ROOT / "tests" / "vectors" / "client_hellos.json"
    found = json.loads(path.read_text())["client_hellos"]
    return [
        hello
        for hello in found
        if "0304" in hello["summary"].get("supported_versions", ())
        and any(s[1::2] == "aa" for s in hello["summary"]["cipher_suites"])
    ]


@pytest.mark.parametrize("hello", hellos_with_grease(), ids=lambda h: h["id"])
def test_numbers_without_a_name_are_kept(hello: dict[str, Any]) -> None:
    peer = raw_server(verify=False)
    assert peer.ssl.set_ciphersuites("") == 1
    peer.feed(hello["record"])
    assert peer.handshake()[0] == -1

    wanted = [int(suite, 16) for suite in hello["summary"]["cipher_suites"]]
    offered = peer.ssl.report().peer_offer.suites
    assert len(offered) == len(wanted)
    for shown, suite in zip(offered, wanted):
        known = p.SSL_CIPHER.find(suite)
        assert shown == (known.get_name() if known else f"{suite:#06x}")
    assert any(shown.endswith("a") for shown in offered)
    reasons()


def test_report_is_cleared_with_the_connection() -> None:
    link = make_link()
    link.client.do_handshake()
    link.end(link.client)
    assert link.client.do_handshake() == -1
    assert link.client.report().reason == 294

    link.client.clear()

    assert not link.client.report().failed
    with pytest.raises(AttributeError):
        link.client.report().reason = 1  # type: ignore[misc]
