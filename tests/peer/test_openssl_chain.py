"""Chains that are signed in other ways than the peer has listed, with the
openssl program: nobody minds, but for SHA-1."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer import openssl_cli
from tests.peer.openssl_cli import (
    Client,
    Listener,
    Server,
    own_options,
    trust_options,
)
from tests.peer.talk import End
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)

VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)
ONLY = "ECDSA+SHA256"
LEVEL_0 = ("-cipher", "DEFAULT:@SECLEVEL=0")


def by_rsa(**wishes: Any) -> ca.Identity:
    """A leaf of P-256 under an issuer of RSA."""
    return ca.leaf(issuer=ca.intermediate("rsa"), **wishes)


def only(version: int, sock: Any, ctx: p.SSL_CTX) -> End:
    """Make an end of one version."""
    p.SSL_CTX_set_min_proto_version(ctx, version)
    p.SSL_CTX_set_max_proto_version(ctx, version)
    return End(links.new_ssl(ctx), sock)


@VERSIONS
@clause("VFY-22")
def test_chain_of_their_server_need_not_fit_our_list(version: int) -> None:
    ctx = p.SSL_CTX()
    p.SSL_CTX_load_verify_mem(ctx, by_rsa().ca_pem)
    p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
    assert p.SSL_CTX_set1_sigalgs_list(ctx, ONLY) == 1
    with (
        Server(by_rsa(), "-rev") as server,
        only(version, server.connect(), ctx) as end,
    ):
        p.SSL_set_connect_state(end.ssl)
        end.establish()
        assert p.SSL_get_verify_result(end.ssl) == p.X509_V_OK
        assert end.scheme == "ecdsa_secp256r1_sha256"


@VERSIONS
@clause("CERT-22")
def test_our_chain_that_does_not_fit_their_list_is_taken(
    version: int,
) -> None:
    ctx = p.SSL_CTX()
    links.use_identity(ctx, by_rsa())
    options = ("-brief", "-sigalgs", ONLY, *trust_options(by_rsa()))
    with (
        Listener() as listener,
        Client(listener.port, *options) as client,
        only(version, listener.accept(), ctx) as end,
    ):
        p.SSL_set_accept_state(end.ssl)
        end.establish()
        client.expect("^Verification: OK$")


@VERSIONS
@clause("CERT-22")
@pytest.mark.parametrize("option", ["-sigalgs", "-client_sigalgs"])
def test_our_client_shows_a_chain_that_does_not_fit(
    version: int, option: str
) -> None:
    own = by_rsa(key_label="client")
    ctx = p.SSL_CTX()
    links.use_identity(ctx, own)
    options = ("-rev", "-Verify", "3", option, ONLY, *trust_options(own))
    with (
        Server(ca.leaf(), *options) as server,
        only(version, server.connect(), ctx) as end,
    ):
        p.SSL_set_connect_state(end.ssl)
        end.establish()
        end.write(b"abc\n")
        assert end.read_line() == b"cba\n"


@VERSIONS
@clause("VFY-22")
def test_their_client_may_show_us_a_chain_that_does_not_fit(
    version: int,
) -> None:
    own = by_rsa(key_label="client")
    ctx = p.SSL_CTX()
    links.use_identity(ctx, ca.leaf())
    p.SSL_CTX_load_verify_mem(ctx, own.ca_pem)
    mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    p.SSL_CTX_set_verify(ctx, mode, None)
    assert p.SSL_CTX_set1_sigalgs_list(ctx, ONLY) == 1
    with (
        Listener() as listener,
        Client(listener.port, "-brief", *own_options(own)),
        only(version, listener.accept(), ctx) as end,
    ):
        p.SSL_set_accept_state(end.ssl)
        end.establish()
        found = p.SSL_get_peer_certificate(end.ssl)
        assert found is not None
        assert found.der == own.cert_der


@VERSIONS
@clause("CERT-22", "RFC 8446 4.4.2.2")
@pytest.mark.parametrize("listed", [True, False])
def test_sha1_is_shown_to_who_lists_it(version: int, listed: bool) -> None:
    old = ca.leaf(hash="sha1")
    ctx = p.SSL_CTX()
    p.SSL_CTX_set_security_level(ctx, 0)
    links.use_identity(ctx, old)
    schemes = ONLY + (":ECDSA+SHA1" if listed else "")
    options = (*LEVEL_0, "-brief", "-sigalgs", schemes, *trust_options(old))
    with (
        Listener() as listener,
        Client(listener.port, *options) as client,
        only(version, listener.accept(), ctx) as end,
    ):
        p.SSL_set_accept_state(end.ssl)
        if listed:
            end.establish()
            client.expect("^Verification: OK$")
            return
        wanted = (
            p.SSL_R_NO_SHARED_CIPHER
            if version == p.TLS1_2_VERSION
            else p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
        )
        assert end.fail() == wanted
        client.expect(f"SSL alert number {p.SSL_AD_HANDSHAKE_FAILURE}$")


@VERSIONS
@clause("VFY-22", "RFC 8446 4.4.2.4")
@pytest.mark.parametrize("level", [0, 1])
def test_sha1_of_their_server_passes_at_level_0_alone(
    version: int, level: int
) -> None:
    old = ca.leaf(hash="sha1")
    ctx = p.SSL_CTX()
    p.SSL_CTX_set_security_level(ctx, level)
    p.SSL_CTX_load_verify_mem(ctx, old.ca_pem)
    p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
    with (
        Server(old, "-rev", *LEVEL_0) as server,
        only(version, server.connect(), ctx) as end,
    ):
        p.SSL_set_connect_state(end.ssl)
        if level == 0:
            end.establish()
            return
        assert end.fail() == p.SSL_R_CERTIFICATE_VERIFY_FAILED
        result = p.SSL_get_verify_result(end.ssl)
        assert result == p.X509_V_ERR_CA_MD_TOO_WEAK
        server.expect(f"SSL alert number {p.SSL_AD_BAD_CERTIFICATE}$")
