"""OCSP responses and timestamps against the openssl command."""

from __future__ import annotations

import datetime as dt
from typing import Optional

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import pyssl as p
from tests.clauses import clause
from tests.peer import openssl_cli
from tests.peer.openssl_cli import Client, Listener, Server, file_of
from tests.peer.talk import End, client_end, server_end
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)
LOGS = b"enabled_logs =\n"  # of which s_client must have a list
VERSIONS = pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])


def either(end: End) -> End:
    """Let an end speak both versions."""
    assert p.SSL_set_min_proto_version(end.ssl, p.TLS1_2_VERSION) == 1
    return end


def response(identity: ca.Identity) -> bytes:
    """Make a good OCSP response for a certificate, signed by its issuer."""
    above = identity.issuer
    assert above is not None
    now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    made = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            identity.cert,
            above.cert,
            hashes.SHA256(),
            ocsp.OCSPCertStatus.GOOD,
            now - dt.timedelta(hours=1),
            now + dt.timedelta(days=1),
            None,
            None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, above.cert)
        .sign(above.key, hashes.SHA256())  # type: ignore[arg-type]
    )
    return made.public_bytes(serialization.Encoding.DER)


@VERSIONS
@clause("OCSP-1", "OCSP-3", "OCSP-4", "RFC 6066 8")
@pytest.mark.parametrize("staples", [True, False])
def test_our_client_gets_the_response_of_s_server(
    flag: str, staples: bool
) -> None:
    identity = ca.leaf()
    der = response(identity)
    options = ["-status_file", file_of(der)] if staples else []
    found: list[tuple[int, Optional[bytes]]] = []

    def on_status(ssl: p.SSL, arg: object) -> int:
        assert arg is None
        found.append(p.SSL_get_tlsext_status_ocsp_resp(ssl))
        return 1

    with (
        Server(identity, flag, "-rev", *options) as server,
        either(client_end(server.connect(), identity)) as end,
    ):
        ctx = p.SSL_get_SSL_CTX(end.ssl)
        assert p.SSL_CTX_set_tlsext_status_cb(ctx, on_status) == 1
        assert p.SSL_set_tlsext_status_type(end.ssl, 1) == 1
        end.ssl.enable_sct()
        end.establish()
        end.write(b"hello\n")
        assert end.read_line() == b"olleh\n"
        assert end.ssl.get_sct_list() is None
    want = (len(der), der) if staples else (-1, None)
    assert found == [want]
    if staples:
        got = ocsp.load_der_ocsp_response(found[0][1] or b"")
        assert got.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert got.serial_number == identity.cert.serial_number


@VERSIONS
@clause("OCSP-2", "RFC 6066 8", "RFC 8446 4.4.2.1")
@pytest.mark.parametrize("staples", [True, False])
def test_s_client_gets_our_response(flag: str, staples: bool) -> None:
    identity = ca.leaf()
    der = response(identity)

    def on_status(ssl: p.SSL, arg: object) -> int:
        assert arg is None
        assert p.SSL_get_tlsext_status_type(ssl) == 1
        if staples:
            assert p.SSL_set_tlsext_status_ocsp_resp(ssl, der) == 1
        return p.SSL_TLSEXT_ERR_OK

    with (
        Listener() as listener,
        Client(listener.port, flag, "-status") as client,
        either(server_end(listener.accept(), identity)) as end,
    ):
        ctx = p.SSL_get_SSL_CTX(end.ssl)
        assert p.SSL_CTX_set_tlsext_status_cb(ctx, on_status) == 1
        end.establish()
        if staples:
            client.expect("OCSP Response Status: successful")
            client.expect("Cert Status: good")
        else:
            client.expect("OCSP response: no response sent")


@VERSIONS
@clause("RFC 6962 3.3", "RFC 8446 4.4.2")
def test_s_client_takes_our_timestamps(flag: str) -> None:
    identity = ca.leaf()
    sct = bytes([9]) + bytes(range(40))  # a version that nobody knows
    scts = (42 + 1).to_bytes(2, "big") + (41).to_bytes(2, "big") + sct
    with (
        Listener() as listener,
        Client(
            listener.port, flag, "-ct", "-ctlogfile", file_of(LOGS)
        ) as client,
        either(server_end(listener.accept(), identity)) as end,
    ):
        end.ssl.set_sct_list(scts)
        end.establish()
        client.expect(r"SCTs present \(1\)")


# What libcrypto parses of a response, for a sanity check of the helper.
def test_response_is_what_it_says() -> None:
    identity = ca.leaf()
    got = ocsp.load_der_ocsp_response(response(identity))
    assert got.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    assert isinstance(identity.cert, x509.Certificate)
