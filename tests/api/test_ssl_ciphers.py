"""Suites, groups and signature schemes: contract section 6.8."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_ends,
    outcome,
    raw_server,
    reasons,
    ssl_reasons,
)
from tests.clauses import clause


@pytest.fixture(name="ctx")
def make_ctx() -> p.SSL_CTX:
    return p.SSL_CTX(p.TLS_method())


SUITES = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
]


def names(it: Any) -> list[str]:
    """Give the suites of TLS 1.3."""
    return [
        cipher.get_name()
        for cipher in it.get_ciphers()
        if cipher.get_version() == "TLSv1.3"
    ]


@clause("CIPH-3")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_ciphersuites_are_taken_in_order_and_unknown_ones_skipped(
    ctx: p.SSL_CTX, holder: str
) -> None:
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    assert names(it) == SUITES

    assert it.set_ciphersuites(f"{SUITES[2]}:NO_SUCH:{SUITES[0]}") == 1
    assert names(it) == [SUITES[2], SUITES[0]]

    assert it.set_ciphersuites("NO_SUCH:tls_aes_128_gcm_sha256") == 0
    assert reasons() == [(20, 185)]
    assert names(it) == [SUITES[2], SUITES[0]]

    assert it.set_ciphersuites("") == 1
    assert names(it) == []


@clause("CIPH-3", "HS-18")
def test_suites_that_do_not_meet_end_the_handshake() -> None:
    client, server = make_ends()
    client.set_ciphersuites(SUITES[0])
    server.set_ciphersuites(SUITES[1])
    link = MemLink(client, server)
    client.do_handshake()
    link.move()

    assert outcome(server, server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [193]
    link.move()
    assert outcome(client, client.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [1040]


@clause("CIPH-3", "CIPH-6")
@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_carries_a_connection(suite: str) -> None:
    client, server = make_ends()
    client.set_ciphersuites(suite)
    link = MemLink(client, server)
    link.established()
    link.send(client, b"c" * 20000)
    link.send(server, b"s" * 20000)

    for ssl in (client, server):
        assert ssl.get_cipher_name() == suite


@clause("CIPH-4")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("X25519", ["X25519"]),
        ("P-256:X25519", ["P-256", "X25519"]),
        ("prime256v1:P-384:P-521", ["P-256", "P-384", "P-521"]),
        ("secp384r1:secp521r1", ["P-384", "P-521"]),
        ("", None),
        ("X25519:", None),
        ("X25519:NO_SUCH", None),
        ("P-256:prime256v1", None),
        ("X25519:X25519", None),
        ("X25519\0", None),
        ("Gr\xfcn", None),
    ],
)
def test_groups_are_known_and_unrepeated_names(
    ctx: p.SSL_CTX, holder: str, text: str, found: list[str] | None
) -> None:
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    before = it.get_groups()

    assert it.set1_groups_list(text) == int(found is not None)
    assert it.get_groups() == (before if found is None else found)
    assert reasons() == []


@clause("CIPH-4")
def test_groups_by_number_are_those_of_libcrypto(ctx: p.SSL_CTX) -> None:
    assert ctx.set1_groups([415, 1034]) == 1
    assert ctx.get_groups() == ["P-256", "X25519"]
    for wrong in ([], [1], [415, 415]):
        assert ctx.set1_groups(wrong) == 0
    assert p.SSL_CTX_set1_curves_list(ctx, "P-384") == 1
    assert p.SSL_CTX_set1_curves(ctx, [716]) == 1
    assert ctx.get_groups() == ["P-521"]


@clause("CIPH-4", "CIPH-6")
@pytest.mark.parametrize(
    ("group", "nid"),
    [("X25519", 1034), ("P-256", 415), ("P-384", 715), ("P-521", 716)],
)
def test_first_group_is_the_share_that_is_used(group: str, nid: int) -> None:
    client, server = make_ends()
    assert client.get0_group_name() is None
    assert client.get_negotiated_group() == 0
    assert client.set1_groups_list(group) == 1
    MemLink(client, server).established()

    for ssl in (client, server):
        assert ssl.get0_group_name() == group
        assert ssl.get_negotiated_group() == nid
        assert not ssl.hello_retried()


@clause("CIPH-4", "CIPH-6")
def test_group_that_only_the_second_place_shares_takes_a_retry() -> None:
    client, server = make_ends()
    client.set1_groups_list("X25519:P-384")
    server.set1_groups_list("P-384")
    MemLink(client, server).established()

    assert client.get0_group_name() == "P-384"
    assert client.hello_retried()
    assert server.hello_retried()


@clause("CIPH-4", "CIPH-6", "HS-18")
def test_groups_that_do_not_meet_end_the_handshake() -> None:
    client, server = make_ends()
    client.set1_groups_list("X25519")
    server.set1_groups_list("P-384")
    link = MemLink(client, server)
    client.do_handshake()
    link.move()

    assert outcome(server, server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [101]
    assert server.report().alert_sent == 40


@clause("CIPH-5")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ECDSA+SHA256", ["ecdsa_secp256r1_sha256"]),
        (
            "rsa_pss_rsae_sha256:ECDSA+SHA384",
            ["rsa_pss_rsae_sha256", "ecdsa_secp384r1_sha384"],
        ),
        ("RSA+SHA512:ed25519", ["rsa_pkcs1_sha512", "ed25519"]),
        ("", None),
        ("ECDSA+SHA256:ecdsa_secp256r1_sha256", None),
        ("ECDSA+MD5", None),
    ],
)
def test_schemes_are_known_and_unrepeated_names(
    ctx: p.SSL_CTX, holder: str, text: str, found: list[str] | None
) -> None:
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    before = it.get_sigalgs()

    assert it.set1_sigalgs_list(text) == int(found is not None)
    assert it.get_sigalgs() == (before if found is None else found)
    assert reasons() == []


@clause("CIPH-5", "CIPH-6")
def test_schemes_decide_what_is_signed_with() -> None:
    client, server = make_ends(kind="rsa")
    client.set1_sigalgs_list("rsa_pss_rsae_sha512:RSA+SHA256")
    assert client.get0_peer_signature_name() is None
    MemLink(client, server).established()

    assert client.get0_peer_signature_name() == "rsa_pss_rsae_sha512"
    assert server.get0_signature_name() == "rsa_pss_rsae_sha512"
    assert server.get0_peer_signature_name() is None


@clause("CIPH-5", "CIPH-6", "HS-18")
def test_schemes_that_do_not_meet_end_the_handshake() -> None:
    client, server = make_ends(verify=False)
    client.set1_sigalgs_list("rsa_pss_rsae_sha256")
    link = MemLink(client, server)
    client.do_handshake()
    link.move()

    assert outcome(server, server.do_handshake()) == (-1, 1)
    assert ssl_reasons()[-1] == 118
    assert server.report().alert_sent == 40


@clause("CIPH-6")
def test_cipher_objects_tell_what_openssl_tells() -> None:
    cipher = p.SSL_CIPHER.find(0x1301)
    assert cipher is not None
    assert p.SSL_CIPHER.find(0x1301) is cipher
    assert p.SSL_CIPHER.find(0x0001) is None
    assert p.SSL_CIPHER_get_name(cipher) == SUITES[2]
    assert p.SSL_CIPHER_get_name(None) == "(NONE)"
    assert p.SSL_CIPHER_standard_name(cipher) == SUITES[2]
    assert p.SSL_CIPHER_get_bits(cipher) == (128, 128)
    assert p.SSL_CIPHER_get_version(cipher) == "TLSv1.3"
    assert p.SSL_CIPHER_get_id(cipher) == 0x03001301
    assert p.SSL_CIPHER_get_protocol_id(cipher) == 0x1301
    assert p.SSL_CIPHER_description(cipher).startswith(SUITES[2])


def test_cipher_list_by_place_ends_with_none() -> None:
    ssl = raw_server().ssl
    assert [ssl.get_cipher_list(n) for n in (0, 2, 3, 12, -1)] == [
        SUITES[0],
        SUITES[2],
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        None,
        None,
    ]
