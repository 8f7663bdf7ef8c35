"""Which of several certificates is shown to the openssl command."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.peer import openssl_cli
from tests.peer.openssl_cli import Client, Listener, Server, file_of
from tests.peer.talk import client_end, server_end
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)
VERSIONS = pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
KINDS = pytest.mark.parametrize(
    ("schemes", "kind"),
    [
        ("rsa_pss_rsae_sha256", "rsa"),
        ("ecdsa_secp256r1_sha256", "p256"),
        ("ed25519", "ed25519"),
    ],
)


def load(ssl: p.SSL, label: str) -> None:
    """Give an SSL of both versions one certificate of each kind."""
    assert p.SSL_set_min_proto_version(ssl, p.TLS1_2_VERSION) == 1
    for kind in ("rsa", "p256", "ed25519"):
        one = ca.leaf(kind, key_label=label)
        assert ssl.use_certificate_chain_mem(one.chain_pem) == 1
        assert ssl.use_PrivateKey_ASN1(0, one.key_der) == 1


def subject_key(said: Any, label: str) -> str:
    """Tell which kind the certificate is that a peer printed."""
    text = said[0]
    for kind in ("rsa", "p256", "ed25519"):
        one = ca.leaf(kind, key_label=label)
        if one.cert_pem.decode().split("\n")[1] in text:
            return kind
    raise AssertionError(text)


@VERSIONS
@KINDS
@clause("CERT-3", "RFC 8446 4.4.2.2", "RFC 5246 7.4.2")
def test_s_client_gets_the_one_that_it_can_verify(
    flag: str, schemes: str, kind: str
) -> None:
    with (
        Listener() as listener,
        Client(listener.port, flag, "-sigalgs", schemes) as client,
        server_end(listener.accept(), None) as end,
    ):
        load(end.ssl, "leaf")
        end.establish()
        said = client.expect(r"(?s)-----BEGIN CERT.*-----END CERT")
        assert subject_key(said, "leaf") == kind


@VERSIONS
@KINDS
@clause("CERT-3", "RFC 8446 4.4.2.3", "RFC 5246 7.4.6")
def test_s_server_gets_the_one_that_it_can_verify(
    flag: str, schemes: str, kind: str
) -> None:
    ours = ca.leaf(kind, key_label="client")
    options = ("-verify", "3", "-client_sigalgs", schemes, "-rev")
    with (
        Server(
            ca.leaf(), flag, *options, "-CAfile", file_of(ours.ca_pem)
        ) as server,
        client_end(server.connect(), ca.leaf()) as end,
    ):
        load(end.ssl, "client")
        end.establish()
        end.write(b"abc\n")
        assert end.read_line() == b"cba\n"
        assert p.SSL_get0_signature_name(end.ssl) == schemes
