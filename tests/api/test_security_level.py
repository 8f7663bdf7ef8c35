"""SSL_CTX_set_security_level: what each level forbids, as OpenSSL has it."""

from __future__ import annotations

import ssl as stdlib
import warnings
from pathlib import Path
from typing import Any, Callable

import pytest

import pyssl as p
from pyssl.hello import ClientHello
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    new_ssl,
    outcome,
    raw_client,
    reasons,
    ssl_reasons,
)
from tests.api.opened import split_records
from tests.api.sessions import contexts, visit
from tests.clauses import clause
from tests.pki import ca

LEVELS = pytest.mark.parametrize("level", range(6))
VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)


def rsa_root() -> ca.Identity:
    return ca.authority("rsa")


MADE: dict[str, Callable[[], ca.Identity]] = {
    "p256": ca.leaf,
    "p384": lambda: ca.leaf("p384", issuer=ca.authority("p384")),
    "p384 sha384": lambda: ca.leaf(
        "p384", issuer=ca.authority("p384"), hash="sha384"
    ),
    "p521 sha512": lambda: ca.leaf(
        "p521", issuer=ca.authority("p521"), hash="sha512"
    ),
    "rsa1024": lambda: ca.leaf("rsa1024", issuer=rsa_root()),
    "rsa2048": lambda: ca.leaf("rsa", issuer=rsa_root()),
    "rsa3072": lambda: ca.leaf("rsa3072", issuer=rsa_root()),
    "rsapss": lambda: ca.leaf("rsapss"),
    "ed25519": lambda: ca.leaf("ed25519"),
    "ed448": lambda: ca.leaf("ed448"),
    "by ed448": lambda: ca.leaf("ed448", issuer=ca.authority("ed448")),
    "sha1": lambda: ca.leaf(hash="sha1"),
    "sha1, by itself": lambda: ca.leaf(self_signed=True, hash="sha1"),
    "small issuer": lambda: ca.leaf(
        issuer=ca.intermediate("rsa1024", issuer=rsa_root())
    ),
    "issuer of sha1": lambda: ca.leaf(
        issuer=ca.intermediate("rsa", issuer=rsa_root(), hash="sha1")
    ),
}
REASONS = {
    "EE_KEY_TOO_SMALL": p.SSL_R_EE_KEY_TOO_SMALL,
    "CA_KEY_TOO_SMALL": p.SSL_R_CA_KEY_TOO_SMALL,
    "CA_MD_TOO_WEAK": p.SSL_R_CA_MD_TOO_WEAK,
}


def other(level: int, server: bool) -> stdlib.SSLContext:
    """Make a context of the standard library with this level."""
    kind = stdlib.PROTOCOL_TLS_SERVER if server else stdlib.PROTOCOL_TLS_CLIENT
    made = stdlib.SSLContext(kind)
    made.set_ciphers(f"DEFAULT:@SECLEVEL={level}")
    made.minimum_version = stdlib.TLSVersion.TLSv1_2
    return made


# ---- own certificates -----------------------------------------------------


@LEVELS
@clause("CIPH-1")
@pytest.mark.parametrize("name", sorted(MADE))
def test_own_certificate_is_taken_or_refused_as_by_openssl(
    name: str, level: int, tmp_path: Path
) -> None:
    identity = MADE[name]()
    path = tmp_path / "own.pem"
    path.write_bytes(identity.chain_pem + identity.key_pem)
    want = []
    try:
        other(level, True).load_cert_chain(path)
    except stdlib.SSLError as e:
        want = [(p.ERR_LIB_SSL, REASONS[str(e.reason)])]

    ctx = p.SSL_CTX()
    p.SSL_CTX_set_security_level(ctx, level)
    for holder in (ctx, new_ssl(ctx)):
        done = holder.use_certificate_chain_mem(identity.chain_pem)
        assert (done, reasons()) == (int(not want), want)


@clause("CIPH-1", "CERT-10")
def test_each_way_to_load_is_watched() -> None:
    weak, above = MADE["rsa1024"](), ca.intermediate("rsa1024", name="small")
    ctx = p.SSL_CTX()
    certificate = p.X509.from_der(weak.cert_der)
    too_small = [p.SSL_R_EE_KEY_TOO_SMALL]
    assert p.SSL_CTX_use_certificate(ctx, certificate) == 0
    assert ssl_reasons() == too_small
    assert p.SSL_CTX_use_certificate_ASN1(ctx, weak.cert_der) == 0
    assert ssl_reasons() == too_small
    assert ctx.use_certificate_mem(weak.cert_pem, p.SSL_FILETYPE_PEM) == 0
    assert ssl_reasons() == too_small
    assert ctx.get_certificate() is None
    assert ctx.use_certificate_chain_mem(ca.leaf().chain_pem) == 1
    small = p.X509.from_der(above.cert_der)
    assert p.SSL_CTX_add1_chain_cert(ctx, small) == 0
    assert ssl_reasons() == [p.SSL_R_CA_KEY_TOO_SMALL]
    p.SSL_CTX_set_security_level(ctx, 1)
    assert p.SSL_CTX_use_certificate(ctx, certificate) == 1
    assert p.SSL_CTX_add1_chain_cert(ctx, small) == 1


@VERSIONS
@clause("CIPH-1", "HS-18")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rsa1024", p.SSL_R_EE_KEY_TOO_SMALL),
        ("small issuer", p.SSL_R_CA_KEY_TOO_SMALL),
        ("sha1", p.SSL_R_CA_MD_TOO_WEAK),
        ("issuer of sha1", p.SSL_R_CA_MD_TOO_WEAK),
    ],
)
def test_certificate_is_not_shown_once_the_level_has_risen(
    version: int, name: str, reason: int
) -> None:
    client, server = make_contexts(verify=False, version=version)
    p.SSL_CTX_set_security_level(server, 0)
    identity = MADE[name]()
    assert server.use_certificate_chain_mem(identity.chain_pem) == 1
    assert server.use_PrivateKey_ASN1(0, identity.key_der) == 1
    if name == "rsa1024":  # the suite of 1.2 is for it
        client.set1_sigalgs_list("rsa_pss_rsae_sha256")
    ends = make_ends(client, server)
    p.SSL_set_security_level(ends[1], 2)
    link = MemLink(*ends)
    link.step()

    report = link.server.report()
    assert (report.reason, report.alert_sent) == (reason, 80)
    reasons()
    again = MemLink(*make_ends(client, server))
    if "sha1" not in name:
        again.established()
        return
    # At no level without being asked for (CERT-22).
    again.step()
    assert again.server.report().alert_sent == p.SSL_AD_HANDSHAKE_FAILURE
    reasons()


@VERSIONS
@clause("CIPH-1", "CERT-12")
def test_weak_issuer_from_the_store_is_not_shown(version: int) -> None:
    weak = ca.intermediate("rsa1024", name="weak above", issuer=rsa_root())
    identity = ca.leaf(issuer=weak)
    client, server = make_contexts(
        verify=False, version=version, server=ca.leaf("rsa")
    )
    assert server.use_certificate_chain_mem(identity.cert_pem) == 1
    assert server.use_PrivateKey_ASN1(0, identity.key_der) == 1
    assert p.SSL_CTX_load_verify_mem(server, weak.cert_pem) == 1
    client.set1_sigalgs_list("ECDSA+SHA256")
    link = MemLink(*make_ends(client, server))
    link.step()

    assert link.server.report().reason == p.SSL_R_CA_KEY_TOO_SMALL
    reasons()


# ---- algorithms -----------------------------------------------------------


def theirs(level: int) -> ClientHello:
    """The hello of the standard library."""
    bio = stdlib.MemoryBIO()
    ctx = other(level, False)
    ctx.check_hostname = False
    with pytest.raises(stdlib.SSLWantReadError):
        ctx.wrap_bio(stdlib.MemoryBIO(), bio).do_handshake()
    return ClientHello.parse_message(bio.read()[5:])


def ours(level: int) -> ClientHello:
    """Our hello."""
    peer = raw_client()
    p.SSL_set_security_level(peer.ssl, level)
    peer.handshake()
    return ClientHello.parse_message(split_records(peer.sent())[0][5:])


@LEVELS
@clause("CIPH-1")
def test_hello_offers_what_openssl_would_of_ours(level: int) -> None:
    full, mine, his = ours(0), ours(level), theirs(level)
    hybrid = 0x11EC  # not known to every OpenSSL

    for name in ("cipher_suites", "groups", "signature_algorithms"):
        known = set(getattr(his, name))
        want = [
            one
            for one in getattr(full, name)
            if one in known or (one == hybrid and level <= 4)
        ]
        assert list(getattr(mine, name)) == want, name
    assert (mine.session_ticket is None) == (his.session_ticket is None)
    assert mine.key_share_groups


@clause("CIPH-1")
@pytest.mark.parametrize(
    ("level", "as_if"), [(-1, 0), (6, 5), (1 << 40, 5), (-(1 << 40), 0)]
)
def test_levels_out_of_range_are_the_nearest_one(
    level: int, as_if: int
) -> None:
    mine, want = ours(level), ours(as_if)
    assert mine.cipher_suites == want.cipher_suites
    assert mine.groups == want.groups


@clause("CIPH-1")
@pytest.mark.parametrize(
    ("what", "text", "reason"),
    [
        (
            "ciphersuites",
            "TLS_AES_128_GCM_SHA256",
            p.SSL_R_NO_CIPHERS_AVAILABLE,
        ),
        ("groups", "X25519:P-256", p.SSL_R_NO_SUITABLE_GROUPS),
        (
            "sigalgs",
            "ed25519:rsa_pss_rsae_sha256",
            p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
        ),
    ],
)
def test_client_with_nothing_left_says_so(
    what: str, text: str, reason: int
) -> None:
    peer = raw_client(version=p.TLS1_3_VERSION)
    setters: dict[str, Any] = {
        "ciphersuites": p.SSL_set_ciphersuites,
        "groups": p.SSL_set1_groups_list,
        "sigalgs": p.SSL_set1_sigalgs_list,
    }
    assert setters[what](peer.ssl, text) == 1
    p.SSL_set_security_level(peer.ssl, 4)

    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [reason]
    assert peer.sent() == b""


@VERSIONS
@clause("CIPH-1", "HS-18")
@pytest.mark.parametrize("what", ["groups", "sigalgs"])
def test_server_refuses_what_its_level_forbids(
    version: int, what: str
) -> None:
    identity = MADE["p521 sha512"]()
    client, server = make_contexts(version=version, server=identity)
    p.SSL_CTX_set_security_level(server, 4)
    if what == "groups":
        assert p.SSL_CTX_set1_groups_list(client, "X25519:P-256") == 1
    else:
        assert p.SSL_CTX_set1_sigalgs_list(client, "ECDSA+SHA256") == 1
    link = MemLink(*make_ends(client, server))
    link.step()

    assert link.server.report().alert_sent == 40
    want = {
        "groups": p.SSL_R_NO_SUITABLE_KEY_SHARE,
        "sigalgs": p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
    }[what]
    if version == p.TLS1_2_VERSION:
        want = p.SSL_R_NO_SHARED_CIPHER
    assert ssl_reasons()[-1] == want


@VERSIONS
@clause("CIPH-1")
def test_highest_level_works_with_what_is_strong_enough(version: int) -> None:
    identity = MADE["p521 sha512"]()
    client, server = make_contexts(version=version, server=identity)
    for ctx in (client, server):
        p.SSL_CTX_set_security_level(ctx, 5)
    link = MemLink(*make_ends(client, server))
    link.established()

    assert p.SSL_get0_group_name(link.client) == "P-521"
    assert p.SSL_get_cipher_bits(link.client)[0] == 256
    link.send(link.client, b"strong")


@VERSIONS
@clause("CIPH-1", "SESS-12")
@pytest.mark.parametrize("level", [2, 3])
def test_tickets_hold_no_session_from_level_3_on(
    version: int, level: int
) -> None:
    identity = ca.leaf()
    client, server = contexts(version, server=identity)
    p.SSL_CTX_set_security_level(server, level)
    pair = (client, server)
    session, _ = visit(pair)

    # In TLS 1.3 it is a handle for the cache then, as with NO_TICKET.
    if version == p.TLS1_2_VERSION:
        assert bool(p.SSL_SESSION_has_ticket(session)) == (level < 3)
    kept = p.SSL_CTX_sess_number(server)
    assert (kept > 0) == (level >= 3)
    assert visit(pair, session)[1]


@clause("CIPH-1", "VFY-13")
def test_peers_weak_key_is_found_by_the_verification() -> None:
    identity = MADE["rsa1024"]()
    client, server = make_contexts()
    p.SSL_CTX_set_security_level(server, 0)
    assert server.use_certificate_chain_mem(identity.chain_pem) == 1
    assert server.use_PrivateKey_ASN1(0, identity.key_der) == 1
    assert p.SSL_CTX_load_verify_mem(client, identity.ca_pem) == 1
    assert p.SSL_CTX_set1_sigalgs_list(client, "rsa_pss_rsae_sha256") == 1
    link = MemLink(*make_ends(client, server))
    link.step()

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [p.SSL_R_CERTIFICATE_VERIFY_FAILED]
    report = link.client.report()
    assert report.verify_result == p.X509_V_ERR_EE_KEY_TOO_SMALL


def test_standard_library_is_asked_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert theirs(2).groups
