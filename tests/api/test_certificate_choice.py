"""Which of several certificates is shown: what the peer can verify."""

from __future__ import annotations

import itertools
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import MemLink, make_contexts, make_ends, ssl_reasons
from tests.clauses import clause
from tests.forge import (
    ForgeClient,
    ForgeClient12,
    ForgeServer,
    ForgeServer12,
    messages as m,
)
from tests.forge.victim import client as victim_client, server as victim_server
from tests.pki import ca

TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
VERSIONS = pytest.mark.parametrize(
    "version", [TLS12, TLS13], ids=["1.2", "1.3"]
)
# What each kind signs with in either version.
SCHEMES = {
    "rsa": "rsa_pss_rsae_sha256",
    "rsapss": "rsa_pss_pss_sha256",
    "p256": "ecdsa_secp256r1_sha256",
    "p384": "ecdsa_secp384r1_sha384",
    "ed25519": "ed25519",
    "ed448": "ed448",
}
CODES = {
    "rsa": 0x0804,
    "rsapss": 0x0809,
    "p256": 0x0403,
    "p384": 0x0503,
    "ed25519": 0x0807,
    "ed448": 0x0808,
}
# CERT-3: one slot for ECDSA, so the two curves are no pair.
PAIRS = [
    (a, b)
    for a, b in itertools.permutations(SCHEMES, 2)
    if {a, b} != {"p256", "p384"}
]
SIGNED = "ecdsa_secp256r1_sha256"  # how the test root signs


def load(holder: Any, *identities: ca.Identity) -> None:
    """Give an SSL_CTX or an SSL certificates."""
    for one in identities:
        assert holder.use_certificate_chain_mem(one.chain_pem) == 1
        assert holder.use_PrivateKey_ASN1(0, one.key_der) == 1


def server_of(*identities: ca.Identity, version: int = 0) -> p.SSL_CTX:
    """Make a server context with these certificates."""
    ctx = p.SSL_CTX(p.TLS_server_method())
    load(ctx, *identities)
    assert p.SSL_CTX_set_max_proto_version(ctx, version) == 1
    return ctx


def shown(server: p.SSL_CTX, schemes: str, version: int) -> Optional[bytes]:
    """Connect with these schemes; give the certificate that came."""
    client = make_contexts(version=version, verify=False)[0]
    assert p.SSL_CTX_set1_sigalgs_list(client, schemes) == 1
    link = MemLink(*make_ends(client, server))
    link.handshake()
    found = p.SSL_get_peer_certificate(link.client)
    return None if found is None else found.der


# ---- by scheme ------------------------------------------------------------


@VERSIONS
@clause("CERT-3", "RFC 8446 4.4.2.2", "RFC 5246 7.4.2")
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_one_of_two_is_picked_by_the_schemes_of_the_client(
    version: int, first: str, second: str
) -> None:
    server = server_of(ca.leaf(first), ca.leaf(second))

    for kind in (first, second):
        schemes = SCHEMES[kind]
        assert shown(server, schemes, version) == ca.leaf(kind).cert_der


@VERSIONS
@clause("CERT-3", "RFC 8446 4.4.3", "HS-18")
@pytest.mark.parametrize(("first", "second"), PAIRS[::2])
def test_none_of_two_is_a_handshake_failure(
    version: int, first: str, second: str
) -> None:
    server = server_of(ca.leaf(first), ca.leaf(second))
    ecdsa = {"p256", "p384"}
    out = {first, second}
    if version == TLS12 and out & ecdsa:
        out |= ecdsa  # there a hash is not bound to a curve
    third = next(kind for kind in SCHEMES if kind not in out)
    client = make_contexts(version=version, verify=False)[0]
    assert p.SSL_CTX_set1_sigalgs_list(client, SCHEMES[third]) == 1
    link = MemLink(*make_ends(client, server))
    link.step()

    report = link.server.report()
    assert report.alert_sent == 40
    assert report.reason == (
        p.SSL_R_NO_SHARED_CIPHER
        if version == TLS12
        else p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
    )
    # And the evidence says what there was to choose from.
    assert report.peer_offer.schemes == (SCHEMES[third],)
    assert ssl_reasons()


@VERSIONS
@clause("CERT-3", "RFC 8446 4.2.3")
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_if_both_do_the_order_of_schemes_decides(
    version: int, first: str, second: str
) -> None:
    server = server_of(ca.leaf(first), ca.leaf(second))
    names = [SCHEMES[first], SCHEMES[second]]
    # So that the client can verify either, and prefers these two.
    schemes = ":".join(dict.fromkeys([*names, SIGNED]))
    family = {first, second} <= {"rsa", "rsapss"} or not (
        {first, second} & {"rsa", "rsapss"}
    )

    found = shown(server, schemes, version)
    if version == TLS13 or family:
        assert found == ca.leaf(first).cert_der
    else:
        # TLS 1.2: the suite comes first, and with it the kind of key.
        assert found in {ca.leaf(k).cert_der for k in (first, second)}

    p.SSL_CTX_set_options(server, p.SSL_OP_CIPHER_SERVER_PREFERENCE)
    own = ":".join([SCHEMES[second], SCHEMES[first]])
    assert p.SSL_CTX_set1_sigalgs_list(server, own) == 1
    if version == TLS13 or family:
        assert shown(server, schemes, version) == ca.leaf(second).cert_der


@clause("RFC 8422 5.1", "CERT-3", "CIPH-1")
@pytest.mark.parametrize(
    ("suite", "kind"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "ed25519"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "rsa"),
    ],
)
def test_in_tls12_the_suite_decides_the_kind(suite: str, kind: str) -> None:
    server = server_of(ca.leaf("rsa"), ca.leaf("ed25519"))
    client = make_contexts(version=TLS12, verify=False)[0]
    assert p.SSL_CTX_set_cipher_list(client, suite) == 1
    link = MemLink(*make_ends(client, server))
    link.established()

    found = p.SSL_get_peer_certificate(link.client)
    assert found is not None
    assert found.der == ca.leaf(kind).cert_der


@clause("RFC 8422 5.1.1", "CERT-3")
def test_in_tls12_the_curve_must_be_known() -> None:
    server = server_of(ca.leaf("rsa"), ca.leaf("p384"))
    client = make_contexts(version=TLS12, verify=False)[0]
    assert p.SSL_CTX_set1_groups_list(client, "X25519:P-256") == 1
    link = MemLink(*make_ends(client, server))
    link.established()

    found = p.SSL_get_peer_certificate(link.client)
    assert found is not None
    assert found.der == ca.leaf("rsa").cert_der


# ---- by how the chain is signed -------------------------------------------


def by_p521(kind: str, **wishes: Any) -> ca.Identity:
    """A chain signed with ecdsa_secp521r1_sha512 (0x0603)."""
    root = ca.authority("p521", name="p521 root")
    return ca.leaf(kind, issuer=root, hash="sha512", **wishes)


UNKNOWN = [
    ("leaf", lambda: by_p521("p256")),
    (
        "issuer",
        lambda: ca.leaf(
            issuer=ca.intermediate(
                issuer=ca.authority("p521", name="p521 root"), hash="sha512"
            )
        ),
    ),
    ("key usage", lambda: ca.leaf(key_usage=("key_agreement",))),
]


@VERSIONS
@clause("RFC 8446 4.4.2.2", "RFC 5246 7.4.2")
@pytest.mark.parametrize(("_", "make"), UNKNOWN, ids=[n for n, _ in UNKNOWN])
def test_chain_that_the_client_cannot_verify_is_second_choice(
    version: int, _: str, make: Any
) -> None:
    odd, good = make(), ca.leaf("rsa")
    schemes = f"{SIGNED}:rsa_pss_rsae_sha256"

    for order in ((odd, good), (good, odd)):
        server = server_of(*order)
        assert shown(server, schemes, version) == good.cert_der
        p.SSL_CTX_set_options(server, p.SSL_OP_CIPHER_SERVER_PREFERENCE)
        assert shown(server, schemes, version) == good.cert_der
    # RFC 8446 4.4.2.2: with no other, it is sent all the same.
    assert shown(server_of(odd), schemes, version) == odd.cert_der
    assert shown(server_of(odd, good), SIGNED, version) == odd.cert_der


@clause("RFC 5246 7.4.2", "RFC 8422 5.1")
def test_in_tls12_a_common_suite_goes_before_a_better_chain() -> None:
    server = server_of(by_p521("p256"), ca.leaf("rsa"))
    client = make_contexts(version=TLS12, verify=False)[0]
    assert p.SSL_CTX_set_cipher_list(client, "ECDHE+ECDSA") == 1
    assert p.SSL_CTX_set1_sigalgs_list(client, SIGNED) == 1
    link = MemLink(*make_ends(client, server))
    link.established()

    found = p.SSL_get_peer_certificate(link.client)
    assert found is not None
    assert found.der == by_p521("p256").cert_der


@VERSIONS
@clause("RFC 8446 4.2.3", "RFC 8446 4.4.2.2")
@pytest.mark.parametrize(
    ("schemes", "kind"), [((0x0603,), "p256"), ((0x0403,), "rsa")]
)
def test_list_for_certificates_counts_if_it_is_sent(
    version: int, schemes: tuple[int, ...], kind: str
) -> None:
    forge: Any = ForgeClient12() if version == TLS12 else ForgeClient()
    listed = m.vec(2, m.u16s(schemes))
    forge.on("client_hello", lambda _, found: found.put(50, listed))
    both = {"p256": by_p521("p256"), "rsa": ca.leaf("rsa")}
    victim = victim_server(
        forge,
        lambda ssl: load(ssl, *both.values()),
        version=version,
        server=ca.leaf("rsa"),
    )
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0), ssl_reasons()

    assert forge.peer_chain[0] == both[kind].cert_der


@clause("RFC 8446 4.2.4")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("leaf", [True, False], ids=["leaf", "issuer"])
def test_authorities_that_a_client_names_are_preferred(
    kind: str, leaf: bool
) -> None:
    roots = {k: ca.authority(name=f"root of {k}") for k in ("p256", "rsa")}
    above = {
        k: root if leaf else ca.intermediate(name=f"ca {k}", issuer=root)
        for k, root in roots.items()
    }
    both = {k: ca.leaf(k, issuer=one) for k, one in above.items()}
    name = roots[kind].cert.subject.public_bytes()
    forge = ForgeClient()
    names = m.vec(2, m.vec(2, b"0\0") + m.vec(2, name))
    forge.on("client_hello", lambda _, found: found.put(47, names))
    victim = victim_server(
        forge,
        lambda ssl: load(ssl, *both.values()),
        server=ca.leaf("rsa"),
    )
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0), ssl_reasons()

    assert forge.peer_chain[0] == both[kind].cert_der


@clause("RFC 8446 4.2.4", "RFC 8446 4.4.2.2")
def test_to_be_verified_goes_before_to_be_named() -> None:
    odd = by_p521("p256")
    forge = ForgeClient()
    name = odd.root.cert.subject.public_bytes()
    names, listed = m.vec(2, m.vec(2, name)), m.vec(2, m.u16s([0x0403]))
    forge.on("client_hello", lambda _, found: found.put(47, names))
    forge.on("client_hello", lambda _, found: found.put(50, listed))
    victim = victim_server(
        forge,
        lambda ssl: load(ssl, odd, ca.leaf("rsa")),
        server=ca.leaf("rsa"),
    )
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0), ssl_reasons()

    assert forge.peer_chain[0] == ca.leaf("rsa").cert_der


# ---- clients --------------------------------------------------------------


def client_shows(
    server: p.SSL_CTX, *identities: ca.Identity, version: int
) -> Optional[bytes]:
    """Connect with these certificates; give the one that a server got."""
    client = make_contexts(version=version, verify=False)[0]
    load(client, *identities)
    link = MemLink(*make_ends(client, server))
    link.established()
    found = p.SSL_get_peer_certificate(link.server)
    return None if found is None else found.der


def asking(version: int, *others: ca.Identity) -> p.SSL_CTX:
    """Make a server that asks for a certificate and takes any."""
    server = make_contexts(version=version)[1]
    p.SSL_CTX_set_verify(server, p.SSL_VERIFY_PEER, None)
    for one in (ca.leaf(), *others):
        assert p.SSL_CTX_load_verify_mem(server, one.ca_pem) == 1
    return server


@VERSIONS
@clause("RFC 8446 4.4.2.3", "RFC 5246 7.4.6", "CERT-3")
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_client_picks_by_the_schemes_of_the_server(
    version: int, first: str, second: str
) -> None:
    own = [ca.leaf(first), ca.leaf(second)]
    for kind, identity in zip((first, second), own):
        server = asking(version)
        load(server, ca.leaf(kind))
        assert p.SSL_CTX_set1_sigalgs_list(server, SCHEMES[kind]) == 1
        assert client_shows(server, *own, version=version) == identity.cert_der


@VERSIONS
@clause("RFC 8446 4.2.4", "RFC 5246 7.4.4", "CCA-1")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_client_picks_by_the_names_of_the_server(
    version: int, kind: str
) -> None:
    own = {
        k: ca.leaf(k, issuer=ca.authority(name=f"client root {k}"))
        for k in ("p256", "rsa")
    }
    server = asking(version, *own.values())
    name = own[kind].root.cert.subject.public_bytes()
    p.SSL_CTX_set_client_CA_list(server, [name])

    found = client_shows(server, *own.values(), version=version)
    assert found == own[kind].cert_der


@VERSIONS
@clause("RFC 8446 4.4.2.3", "RFC 5246 7.4.6")
def test_client_with_nothing_named_shows_what_it_has(version: int) -> None:
    server = asking(version)
    name = ca.authority(name="nobody's").cert.subject.public_bytes()
    p.SSL_CTX_set_client_CA_list(server, [name])

    found = client_shows(server, ca.leaf(), version=version)
    assert found == ca.leaf().cert_der


@clause("RFC 5246 7.4.4", "RFC 8422 5.5")
@pytest.mark.parametrize(
    ("types", "kinds"),
    [
        (b"\x01", {"rsa"}),
        (b"\x40", {"p256"}),
        (b"\x01\x40", {"p256", "rsa"}),
        (b"\x02\x03", set()),
        (b"\x05\x40", {"p256"}),
    ],
)
def test_client_picks_by_the_types_of_the_server(
    types: bytes, kinds: set[str]
) -> None:
    both = {kind: ca.leaf(kind, key_label="client") for kind in CODES}
    forge = ForgeServer12(ca.leaf(), request=[0x0403, 0x0804])
    forge.set("certificate_request", types=types)
    victim = victim_client(
        forge,
        lambda ssl: load(ssl, both["rsa"], both["p256"]),
        version=TLS12,
    )
    assert victim.handshake() == (1, 0), ssl_reasons()

    if not kinds:
        assert forge.peer_chain == []
    else:
        assert forge.peer_chain[0] in {both[k].cert_der for k in kinds}


@clause("RFC 8446 4.2.3", "RFC 8446 4.4.2.3")
@pytest.mark.parametrize(
    ("schemes", "kind"), [((0x0603,), "p256"), ((0x0403,), "rsa")]
)
def test_client_heeds_the_list_for_certificates(
    schemes: tuple[int, ...], kind: str
) -> None:
    both = {"p256": by_p521("p256"), "rsa": ca.leaf("rsa")}
    forge = ForgeServer(ca.leaf(), request=[0x0403, 0x0804])
    listed = m.vec(2, m.u16s(schemes))
    forge.on("certificate_request", lambda _, found: found.put(50, listed))
    victim = victim_client(forge, lambda ssl: load(ssl, *both.values()))
    assert victim.handshake() == (1, 0), ssl_reasons()

    assert forge.peer_chain[0] == both[kind].cert_der
