"""How the certificates of a chain are signed, and what the peer listed."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    Outcome,
    make_contexts,
    make_ends,
    outcome,
    reasons,
    ssl_reasons,
)
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
ONLY = "ecdsa_secp256r1_sha256"
ONLY_CODE, SHA1_ECDSA, SHA1_RSA = 0x0403, 0x0203, 0x0201
SHA256_RSA, SHA512_P521 = 0x0401, 0x0603
TOO_WEAK = p.X509_V_ERR_CA_MD_TOO_WEAK
HANDSHAKE_FAILURE = p.SSL_AD_HANDSHAKE_FAILURE


def by_rsa(**wishes: Any) -> ca.Identity:
    """A leaf of P-256 under a root of RSA."""
    return ca.leaf(issuer=ca.authority("rsa", name="rsa root"), **wishes)


def below(hash_: str) -> ca.Identity:
    """A good leaf under an issuer that is signed over this hash."""
    root = ca.authority("rsa", name="rsa root")
    return ca.leaf(
        issuer=ca.intermediate(name="weak", issuer=root, hash=hash_)
    )


def load(holder: Any, *identities: ca.Identity) -> None:
    """Give an SSL_CTX or an SSL certificates that no level forbids."""
    p_level = holder.get_security_level()
    holder.set_security_level(0)
    for one in identities:
        assert holder.use_certificate_chain_mem(one.chain_pem) == 1
        assert holder.use_PrivateKey_ASN1(0, one.key_der) == 1
    assert p_level == 2


# ---- received ---------------------------------------------------------------


@VERSIONS
@clause("VFY-22", "RFC 8446 4.4.2.4", "RFC 5246 7.4.2")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_chain_signed_as_was_not_listed_is_accepted(
    version: int, kind: str
) -> None:
    """The key signs as listed, the issuer of the leaf does not."""
    root = ca.authority("p521", name="p521 root")
    odd = ca.leaf(kind, issuer=root, hash="sha512", key_label="client")
    pair = make_contexts(
        version=version, server=odd, client=odd, client_auth=True
    )
    listed = ONLY if kind == "p256" else "rsa_pss_rsae_sha256"
    for ctx in pair:
        assert p.SSL_CTX_set1_sigalgs_list(ctx, listed) == 1
    link = MemLink(*make_ends(*pair))
    link.established()
    for end in (link.client, link.server):
        assert p.SSL_get_verify_result(end) == p.X509_V_OK
        found = p.SSL_get_peer_certificate(end)
        assert found is not None
        assert found.der == odd.cert_der


def received(
    identity: ca.Identity, version: int, level: int
) -> tuple[Outcome, Any]:
    """Let a client of this level meet a forged server; outcome, report."""
    forge: Any = (ForgeServer12 if version == TLS12 else ForgeServer)(identity)
    victim = victim_client(
        forge,
        lambda ssl: p.SSL_set_security_level(ssl, level),
        version=version,
        server=identity,
    )
    return victim.handshake(), victim.ssl.report()


WEAK = {
    "leaf": lambda hash_: by_rsa(hash=hash_),
    "issuer": below,
}


@VERSIONS
@clause("VFY-22", "RFC 8446 4.4.2.4")
@pytest.mark.parametrize("hash_", ["sha1", "md5"])
@pytest.mark.parametrize("where", sorted(WEAK))
@pytest.mark.parametrize("level", [0, 1, 2])
def test_weak_hashes_in_a_path_are_refused_by_level(
    version: int, where: str, hash_: str, level: int
) -> None:
    got, report = received(WEAK[where](hash_), version, level)
    if level == 0 and hash_ == "sha1":
        assert got == (1, 0), reasons()
        assert report.verify_result == p.X509_V_OK
        return
    assert got == (-1, p.SSL_ERROR_SSL)
    assert report.verify_result == TOO_WEAK
    assert report.failing_depth == (where == "issuer")
    assert report.alert_sent == p.SSL_AD_BAD_CERTIFICATE
    assert ssl_reasons() == [p.SSL_R_CERTIFICATE_VERIFY_FAILED]


@VERSIONS
@clause("VFY-22", "RFC 8446 4.4.2.4")
@pytest.mark.parametrize("hash_", ["sha1", "md5"])
@pytest.mark.parametrize("level", [0, 2])
def test_weak_hashes_of_a_client_are_refused_by_level(
    version: int, hash_: str, level: int
) -> None:
    own = by_rsa(hash=hash_, key_label="client")
    forge: Any = (ForgeClient12 if version == TLS12 else ForgeClient)(own)
    victim = victim_server(
        forge,
        version=version,
        client_auth=True,
        client=by_rsa(),  # of the same root
        level=level,
    )
    forge.start()
    victim.deliver()
    got = victim.handshake()
    if level == 0 and hash_ == "sha1":
        assert got == (1, 0), reasons()
        return
    assert got == (-1, p.SSL_ERROR_SSL)
    report = victim.ssl.report()
    assert report.verify_result == TOO_WEAK
    assert report.alert_sent == p.SSL_AD_BAD_CERTIFICATE
    assert ssl_reasons() == [p.SSL_R_CERTIFICATE_VERIFY_FAILED]


@clause("VFY-22", "RFC 8446 4.4.2.2")
@pytest.mark.parametrize("hash_", ["sha1", "md5"])
def test_what_an_anchor_is_signed_with_does_not_matter(hash_: str) -> None:
    root = ca.authority("rsa", name="old root", hash=hash_)
    got, report = received(ca.leaf(issuer=root), TLS13, 0)
    assert got == (1, 0), reasons()
    assert report.verify_result == p.X509_V_OK


@clause("VFY-22")
def test_md5_is_told_to_who_does_not_verify_and_to_callbacks() -> None:
    identity = by_rsa(hash="md5")
    seen: list[tuple[int, int, int]] = []

    def accept(ok: int, store: Any) -> int:
        seen.append((ok, store.get_error(), store.get_error_depth()))
        return 1

    for callback, mode in ((None, p.SSL_VERIFY_NONE), (accept, 1)):
        forge = ForgeServer(identity)

        def prepare(
            ssl: p.SSL, callback: Any = callback, mode: int = mode
        ) -> None:
            p.SSL_set_security_level(ssl, 0)
            p.SSL_set_verify(ssl, mode, callback)

        victim = victim_client(forge, prepare, server=identity)
        assert victim.handshake() == (1, 0), reasons()
        if callback is None:
            assert p.SSL_get_verify_result(victim.ssl) == TOO_WEAK
    assert (0, TOO_WEAK, 0) in seen


# ---- shown ------------------------------------------------------------------


def asked_server(
    identity: ca.Identity, version: int, schemes: tuple[int, ...], cert: bool
) -> tuple[Outcome, Any, Any]:
    """Let a forged client list schemes; outcome, report, the client."""
    forge: Any = ForgeClient12() if version == TLS12 else ForgeClient()
    listed = m.vec(2, m.u16s(schemes))
    number = 50 if cert else 13
    forge.on("client_hello", lambda _, found: found.put(number, listed))
    victim = victim_server(forge, version=version, server=identity, level=0)
    forge.start()
    victim.deliver()
    return victim.handshake(), victim.ssl.report(), forge


@VERSIONS
@clause("CERT-22", "RFC 8446 4.4.2.2", "RFC 5246 7.4.2")
@pytest.mark.parametrize("cert", [False, True])
def test_server_without_a_better_chain_shows_what_it_has(
    version: int, cert: bool
) -> None:
    got, _, forge = asked_server(by_rsa(), version, (ONLY_CODE,), cert)
    assert got == (1, 0), ssl_reasons()
    assert forge.peer_chain[0] == by_rsa().cert_der


@VERSIONS
@clause("CERT-22", "RFC 8446 4.4.2.2", "RFC 5246 7.4.2")
@pytest.mark.parametrize("where", ["leaf", "issuer"])
@pytest.mark.parametrize("cert", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_server_shows_sha1_only_to_who_lists_it(
    version: int, where: str, cert: bool, listed: bool
) -> None:
    identity = WEAK[where]("sha1")
    schemes = (ONLY_CODE, *((SHA1_RSA,) if listed else ()))
    got, report, forge = asked_server(identity, version, schemes, cert)
    if listed:
        assert got == (1, 0), ssl_reasons()
        assert tuple(forge.peer_chain) == identity.chain_der
        return
    assert got == (-1, p.SSL_ERROR_SSL)
    assert report.alert_sent == HANDSHAKE_FAILURE
    assert report.reason == (
        p.SSL_R_NO_SHARED_CIPHER
        if version == TLS12
        else p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
    )
    reasons()


@VERSIONS
@clause("CERT-22", "RFC 8446 4.4.2.2")
def test_server_shows_md5_to_nobody(version: int) -> None:
    schemes = (ONLY_CODE, SHA1_RSA, 0x0101)
    got, report, _ = asked_server(by_rsa(hash="md5"), version, schemes, True)
    assert got == (-1, p.SSL_ERROR_SSL)
    assert report.alert_sent == HANDSHAKE_FAILURE
    reasons()


@VERSIONS
@clause("CERT-22", "RFC 8446 4.4.2.2")
def test_self_signed_leaf_is_shown_however_it_is_signed(version: int) -> None:
    identity = ca.leaf(self_signed=True, hash="sha1")
    got, _, forge = asked_server(identity, version, (ONLY_CODE,), False)
    assert got == (1, 0), ssl_reasons()
    assert forge.peer_chain[0] == identity.cert_der


@clause("CERT-22", "CERT-12")
def test_issuer_of_the_store_that_was_not_asked_for_stays_there() -> None:
    identity = below("sha1")
    ctx = p.SSL_CTX()
    ctx.set_security_level(0)
    assert ctx.use_certificate_chain_mem(identity.cert_pem) == 1
    assert ctx.use_PrivateKey_ASN1(0, identity.key_der) == 1
    above = ca.pem("CERTIFICATE", identity.chain_der[1])
    assert p.SSL_CTX_load_verify_mem(ctx, above) == 1
    client = make_contexts(version=TLS13, verify=False)[0]
    link = MemLink(*make_ends(client, ctx))
    link.established()
    chain = p.SSL_get_peer_cert_chain(link.client)
    assert chain is not None
    assert [one.der for one in chain] == [identity.cert_der]


def asked_client(
    identity: ca.Identity,
    schemes: tuple[int, ...],
    cert: Optional[tuple[int, ...]] = None,
) -> Any:
    """Let a forged server of TLS 1.3 ask for a certificate."""
    forge = ForgeServer(ca.leaf(), request=list(schemes))
    if cert is not None:
        listed = m.vec(2, m.u16s(cert))
        forge.on("certificate_request", lambda _, found: found.put(50, listed))
    victim = victim_client(forge, lambda ssl: load(ssl, identity))
    assert victim.handshake() == (1, 0), ssl_reasons()
    return forge


@clause("CERT-22", "RFC 8446 4.4.2.3")
def test_client_without_a_better_chain_shows_what_it_has() -> None:
    own = by_rsa(key_label="client")
    assert asked_client(own, (ONLY_CODE,)).peer_chain[0] == own.cert_der


@clause("CERT-22", "RFC 8446 4.4.2.3")
@pytest.mark.parametrize(
    ("cert", "fits"),
    [((SHA256_RSA,), True), ((ONLY_CODE, SHA512_P521), False)],
)
def test_client_keeps_to_the_list_for_certificates(
    cert: tuple[int, ...], fits: bool
) -> None:
    own = by_rsa(key_label="client")
    forge = asked_client(own, (ONLY_CODE,), cert)
    assert list(forge.peer_chain) == ([own.cert_der] if fits else [])


@clause("CERT-22", "RFC 8446 4.4.2.3")
@pytest.mark.parametrize("fits", [False, True])
def test_list_for_certificates_is_about_issuers_too(fits: bool) -> None:
    own = below("sha256")  # root by RSA, the issuer's key is of P-256
    listed = (ONLY_CODE, SHA256_RSA) if fits else (ONLY_CODE,)
    forge = asked_client(own, (ONLY_CODE,), listed)
    assert tuple(forge.peer_chain) == (own.chain_der if fits else ())


@clause("CERT-22", "RFC 8446 4.4.2.3", "RFC 5246 7.4.6")
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_client_shows_sha1_only_to_who_lists_it(
    version: int, listed: bool
) -> None:
    own = by_rsa(hash="sha1", key_label="client")
    schemes = [ONLY_CODE, *([SHA1_RSA] if listed else [])]
    if version == TLS13:
        forge: Any = ForgeServer(ca.leaf(), request=schemes)
    else:
        forge = ForgeServer12(ca.leaf(), request=schemes)
    victim = victim_client(forge, lambda ssl: load(ssl, own), version=version)
    assert victim.handshake() == (1, 0), ssl_reasons()
    assert list(forge.peer_chain) == ([own.cert_der] if listed else [])


@clause("CERT-22", "CERT-3")
def test_better_of_two_is_shown_where_the_other_must_not_be() -> None:
    client = make_contexts(version=TLS13, verify=False)[0]
    server = p.SSL_CTX()
    good = ca.leaf("rsa")
    for order in ((by_rsa(hash="sha1"), good), (good, by_rsa(hash="sha1"))):
        server = p.SSL_CTX()
        load(server, *order)
        link = MemLink(*make_ends(client, server))
        link.established()
        found = p.SSL_get_peer_certificate(link.client)
        assert found is not None
        assert found.der == good.cert_der
    assert outcome(link.client, 1) == (1, 0)
