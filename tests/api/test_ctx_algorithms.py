"""Suites, groups and schemes: lists by what is on the wire (contract 6.8)."""

from __future__ import annotations

import itertools
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    outcome,
    raw_client,
    reasons,
    ssl_reasons,
    use_identity,
)
from tests.api.opened import hello_of
from tests.clauses import clause
from tests.forge import messages
from tests.pki import ca

A256 = "TLS_AES_256_GCM_SHA384"
CHACHA = "TLS_CHACHA20_POLY1305_SHA256"
A128 = "TLS_AES_128_GCM_SHA256"
SUITES = {A256: 0x1302, CHACHA: 0x1303, A128: 0x1301}
GROUPS = {"X25519": 0x1D, "P-256": 0x17, "P-384": 0x18, "P-521": 0x19}
NO_MATCH = [(p.ERR_LIB_SSL, 185)]


def holder_of(kind: str) -> Any:
    ctx = p.SSL_CTX(p.TLS_method())
    return ctx if kind == "ctx" else p.SSL(ctx)


def failed(link: MemLink, reason: int, alert: int) -> None:
    """Let the server refuse what the client offers."""
    p.SSL_do_handshake(link.client)
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert ssl_reasons()[-1] == reason
    link.move()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [1000 + alert]


def names13(it: Any) -> list[str]:
    """Give the names of the suites of TLS 1.3."""
    return [
        p.SSL_CIPHER_get_name(c)
        for c in it.get_ciphers()
        if p.SSL_CIPHER_get_version(c) == "TLSv1.3"
    ]


# ---- CIPH-3: suites -------------------------------------------------------


@clause("CIPH-3")
@pytest.mark.parametrize("kind", ["ctx", "ssl"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (A256, [A256]),
        (f"{A128}:{CHACHA}:{A256}", [A128, CHACHA, A256]),
        (f"{A128}:NO_SUCH:{A256}", [A128, A256]),
        (f" {A128} :\t{A256} ", [A128, A256]),
        (f"TLS_AES_128_CCM_SHA256:{CHACHA}", [CHACHA]),
        (f"{A128}:", [A128]),
        (f":{A128}", [A128]),
        (f"{A128}:{A256}:{A128}", [A128, A256]),
        ("", []),
        ("NO_SUCH", None),
        (":", None),
        (A128.lower(), None),
        ("ECDHE-RSA-AES128-GCM-SHA256", None),
        (f"{A128},{A256}", None),
        ("TLS13-AES-128-GCM-SHA256", None),
        ("DEFAULT", None),
    ],
)
def test_names_give_a_list_or_leave_the_old_one(
    kind: str, text: str, found: Optional[list[str]]
) -> None:
    it = holder_of(kind)
    assert names13(it) == [*SUITES]
    assert it.set_ciphersuites(f"{CHACHA}:{A128}") == 1

    assert it.set_ciphersuites(text) == int(found is not None)

    assert reasons() == ([] if found is not None else NO_MATCH)
    wanted = [CHACHA, A128] if found is None else found
    assert names13(it) == wanted


@clause("CIPH-3")
@pytest.mark.parametrize("order", list(itertools.permutations(SUITES)))
def test_suites_go_out_in_the_order_set(order: tuple[str, ...]) -> None:
    peer = raw_client()
    assert p.SSL_set_ciphersuites(peer.ssl, ":".join(order)) == 1
    peer.handshake()

    offered = hello_of(peer.sent()).suites

    assert [s for s in offered if s >> 8 == 0x13] == [SUITES[n] for n in order]


@clause("CIPH-3", "CIPH-6", "HS-18")
@pytest.mark.parametrize(
    ("client", "server", "chosen"),
    [
        ([A128], [A128], A128),
        ([A256, A128], [A128, A256], A256),
        ([CHACHA, A256], [A256], A256),
        ([A128], [A256, CHACHA], None),
        ([CHACHA], [A128], None),
    ],
)
def test_first_of_the_client_that_the_server_has_is_chosen(
    client: list[str], server: list[str], chosen: Optional[str]
) -> None:
    ends = make_ends()
    assert p.SSL_set_ciphersuites(ends[0], ":".join(client)) == 1
    assert p.SSL_set_ciphersuites(ends[1], ":".join(server)) == 1
    link = MemLink(*ends)
    if chosen is None:
        failed(link, 193, 40)
        return
    link.established()
    for ssl in ends:
        assert p.SSL_get_cipher_name(ssl) == chosen


@clause("CIPH-3", "VER-3")
def test_client_without_suites_offers_no_handshake() -> None:
    peer = raw_client(version=p.TLS1_3_VERSION)
    assert p.SSL_set_ciphersuites(peer.ssl, "") == 1

    assert peer.handshake() == (-1, 1)
    assert len(ssl_reasons()) == 1
    assert peer.sent() == b""


@clause("CIPH-6")
@pytest.mark.parametrize(
    ("name", "bits"), [(A256, 256), (CHACHA, 256), (A128, 128)]
)
def test_current_cipher_has_the_words_of_openssl(name: str, bits: int) -> None:
    client, server = make_ends()
    for ssl in (client, server):
        assert p.SSL_get_current_cipher(ssl) is None
        assert p.SSL_get_cipher_name(ssl) == "(NONE)"
        assert p.SSL_get_cipher_version(ssl) == "(NONE)"
        assert p.SSL_get_cipher_bits(ssl) == (0, 0)
    assert p.SSL_set_ciphersuites(client, name) == 1
    MemLink(client, server).established()

    for ssl in (client, server):
        cipher = p.SSL_get_current_cipher(ssl)
        assert cipher is not None
        assert p.SSL_CIPHER_get_name(cipher) == name
        assert p.SSL_CIPHER_get_version(cipher) == "TLSv1.3"
        assert p.SSL_CIPHER_get_bits(cipher) == (bits, bits)
        assert p.SSL_CIPHER_get_protocol_id(cipher) == SUITES[name]
        assert p.SSL_CIPHER_get_id(cipher) == 0x03000000 | SUITES[name]
        assert p.SSL_get_cipher_version(ssl) == "TLSv1.3"
        assert p.SSL_get_cipher_bits(ssl) == (bits, bits)


# ---- CIPH-4: groups -------------------------------------------------------


@clause("CIPH-4")
@pytest.mark.parametrize("kind", ["ctx", "ssl"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("X25519", ["X25519"]),
        ("x25519", ["X25519"]),
        ("prime256v1", ["P-256"]),
        (" P-384 : P-256", ["P-384", "P-256"]),
        ("secp256r1:secp384r1:secp521r1", ["P-256", "P-384", "P-521"]),
        ("P-521:P-384:P-256:X25519", ["P-521", "P-384", "P-256", "X25519"]),
        ("", None),
        (":", None),
        ("X25519:", None),
        (":X25519", None),
        ("X25519:NO_SUCH", None),
        ("X25519:X25519", None),
        ("P-256:prime256v1", None),
        ("X25519,P-256", None),
        ("X25519;P-256", None),
    ],
)
def test_group_names_give_a_list_or_leave_the_old_one(
    kind: str, text: str, found: Optional[list[str]]
) -> None:
    it = holder_of(kind)
    prefix = "SSL_CTX_" if kind == "ctx" else "SSL_"
    before = it.get_groups()
    for name in ("set1_groups_list", "set1_curves_list"):
        call = getattr(p, prefix + name)
        assert call(it, text) == int(found is not None)
        assert it.get_groups() == (before if found is None else found)


@clause("CIPH-4")
@pytest.mark.parametrize(
    "order", [o for n in (1, 2, 4) for o in itertools.permutations(GROUPS, n)]
)
def test_first_group_is_the_key_share_and_all_are_offered(
    order: tuple[str, ...],
) -> None:
    peer = raw_client()
    assert p.SSL_set1_groups_list(peer.ssl, ":".join(order)) == 1
    peer.handshake()
    hello = hello_of(peer.sent())

    offered = messages.numbers(hello.get(messages.SUPPORTED_GROUPS)[2:])
    assert offered == [GROUPS[name] for name in order]
    assert [group for group, _ in hello.shares()] == [GROUPS[order[0]]]


@clause("CIPH-4", "CIPH-6", "HS-18", "HS-26")
@pytest.mark.parametrize(
    ("client", "server", "chosen"),
    [
        ("X25519", "X25519", "X25519"),
        ("X25519:P-256", "P-256:X25519", "X25519"),
        ("X25519:P-384", "P-384", "P-384"),
        ("P-521:P-256:X25519", "X25519:P-256", "X25519"),
        ("P-384", "X25519:P-256:P-384", "P-384"),
        ("X25519", "P-256", None),
        ("P-256:P-384", "X25519:P-521", None),
    ],
)
def test_groups_meet_at_once_after_a_retry_or_never(
    client: str, server: str, chosen: Optional[str]
) -> None:
    ends = make_ends()
    assert p.SSL_set1_groups_list(ends[0], client) == 1
    assert p.SSL_set1_groups_list(ends[1], server) == 1
    link = MemLink(*ends)
    if chosen is None:
        failed(link, 101, 40)
        return

    steps = link.handshake()

    retried = chosen != client.split(":", maxsplit=1)[0]
    # Without a share that it takes, the server asks for the first of its own
    # list that was offered.
    waits = [(-1, 2)] * (4 if retried else 2)
    assert steps == [*waits, (1, 0), (1, 0)]
    for ssl in ends:
        assert p.SSL_get0_group_name(ssl) == chosen
        assert ssl.hello_retried() == retried


# ---- CIPH-5: schemes ------------------------------------------------------

SCHEMES = {
    "ecdsa_secp256r1_sha256": (0x0403, "ECDSA+SHA256", "p256"),
    "ecdsa_secp384r1_sha384": (0x0503, "ECDSA+SHA384", "p384"),
    "ecdsa_secp521r1_sha512": (0x0603, "ECDSA+SHA512", "p521"),
    "ed25519": (0x0807, "ed25519", "ed25519"),
    "rsa_pss_rsae_sha256": (0x0804, "RSA-PSS+SHA256", "rsa"),
    "rsa_pss_rsae_sha384": (0x0805, "RSA-PSS+SHA384", "rsa"),
    "rsa_pss_rsae_sha512": (0x0806, "PSS+SHA512", "rsa"),
    "rsa_pss_pss_sha256": (0x0809, "rsa_pss_pss_sha256", "rsapss"),
}


@clause("CIPH-5")
@pytest.mark.parametrize("kind", ["ctx", "ssl"])
@pytest.mark.parametrize("name", SCHEMES)
def test_scheme_is_known_in_both_forms(kind: str, name: str) -> None:
    it = holder_of(kind)
    for form in (name, SCHEMES[name][1]):
        assert it.set1_sigalgs_list(form) == 1
        assert it.get_sigalgs() == [name]


@clause("CIPH-5")
@pytest.mark.parametrize("kind", ["ctx", "ssl"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "NO_SUCH",
        "ECDSA",
        "ECDSA+",
        "+SHA256",
        "RSA+MD5",
        "ECDSA+SHA256:",
        "ECDSA+SHA256:NO_SUCH",
        "ECDSA+SHA256:ECDSA+SHA256",
        "ECDSA+SHA256:ecdsa_secp256r1_sha256",
        "ed25519,ed448",
    ],
)
def test_unknown_or_repeated_scheme_leaves_the_old_list(
    kind: str, text: str
) -> None:
    it = holder_of(kind)
    before = it.get_sigalgs()

    assert it.set1_sigalgs_list(text) == 0
    assert it.get_sigalgs() == before


@clause("CIPH-5", "CIPH-6", "CERT-3")
@pytest.mark.parametrize("name", SCHEMES)
def test_scheme_offered_alone_picks_certificate_and_signature(
    name: str,
) -> None:
    number, _, kind = SCHEMES[name]
    client_ctx, server_ctx = make_contexts(verify=False)
    for one in ("p384", "p521", "ed25519", "rsa", "rsapss", "p256"):
        use_identity(server_ctx, ca.leaf(one))
    if kind in ("p384", "p521"):  # one slot for all curves (CERT-3)
        use_identity(server_ctx, ca.leaf(kind))
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    assert p.SSL_set1_sigalgs_list(link.client, name) == 1
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    wire = hello.get(messages.SIGNATURE_ALGORITHMS)
    assert messages.numbers(wire[2:]) == [number]
    link.established()

    peer = p.SSL_get_peer_certificate(link.client)
    assert peer == p.X509.from_der(ca.leaf(kind).cert_der)
    assert p.SSL_get0_peer_signature_name(link.client) == name
    assert p.SSL_get0_signature_name(link.server) == name


@clause("CIPH-5", "CIPH-6", "HS-18")
@pytest.mark.parametrize(
    ("kind", "schemes"),
    [
        ("p256", "ed25519:rsa_pss_rsae_sha256"),
        ("p256", "ECDSA+SHA384"),
        ("rsa", "ECDSA+SHA256:rsa_pss_pss_sha256"),
        ("rsa", "RSA+SHA256"),  # for certificates alone (RFC 8446 4.2.3)
        ("ed25519", "ECDSA+SHA256"),
    ],
)
def test_no_common_scheme_ends_the_handshake(kind: str, schemes: str) -> None:
    ends = make_ends(kind=kind, verify=False)
    assert p.SSL_set1_sigalgs_list(ends[0], schemes) == 1
    failed(MemLink(*ends), 118, 40)


@clause("CIPH-5", "CIPH-6")
@pytest.mark.parametrize(
    ("client", "server", "chosen"),
    [
        (
            "RSA-PSS+SHA512:RSA-PSS+SHA256",
            "RSA-PSS+SHA256:RSA-PSS+SHA512",
            "rsa_pss_rsae_sha512",
        ),
        (
            "RSA-PSS+SHA384:RSA-PSS+SHA512",
            "RSA-PSS+SHA512:RSA-PSS+SHA384:RSA-PSS+SHA256",
            "rsa_pss_rsae_sha384",
        ),
    ],
)
def test_order_of_the_verifying_side_counts_for_schemes(
    client: str, server: str, chosen: str
) -> None:
    ends = make_ends(kind="rsa", verify=False)
    assert p.SSL_set1_sigalgs_list(ends[0], client) == 1
    assert p.SSL_set1_sigalgs_list(ends[1], server) == 1
    MemLink(*ends).established()
    assert p.SSL_get0_peer_signature_name(ends[0]) == chosen
