"""curl against our server."""

from __future__ import annotations

import contextlib
import shutil
import subprocess

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer.openssl_cli import (
    LOOPBACK,
    PATIENCE,
    Listener,
    environment,
    file_of,
)
from tests.peer.talk import (
    ALERT,
    GROUPS,
    SUITES,
    other_root,
    server_end,
)
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="the peer is not installed"
)

CURVES = {
    "X25519": "X25519",
    "P-256": "prime256v1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
}

# Exit codes, from curl's manual.
CONNECT_ERROR = 35
BAD_CERTIFICATE = 60


@contextlib.contextmanager
def asking(listener, *options, scheme="https", own=None, **wishes):
    """Let curl fetch a page of our server; no handshake is done yet.

    Args:
        listener: Where the server listens.
        options: More of the command line.
        scheme: Of the address.
        own: The server's identity.
        wishes: As `server_end`.
    """
    port = listener.port
    child = subprocess.Popen(
        [
            *("curl", "--silent", "--show-error", "--tlsv1.3"),
            *("--noproxy", "*", "--max-time", str(int(PATIENCE))),
            *("--resolve", f"localhost:{port}:{LOOPBACK}"),
            *("--cacert", file_of(ca.authority().cert_pem)),
            *options,
            f"{scheme}://localhost:{port}/page?7",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with child:
        try:
            sock = listener.accept()
            with server_end(sock, own or ca.leaf(), **wishes) as end:
                yield child, end
        finally:
            child.kill()


def answer(end, body: bytes) -> bytes:
    """Read a request, send an HTTP answer, close; give the request."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += end.read()
    end.write(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    end.write(body)
    assert p.SSL_shutdown(end.ssl) == 0
    return request


@pytest.fixture(scope="module")
def listener():
    with Listener() as made:
        yield made


@clause("HS-1", "HS-5", "SD-2")
@pytest.mark.parametrize("kind", ca.KINDS)
def test_curl_fetches_a_page_with_each_kind_of_certificate(listener, kind):
    body = "the same for every kind of key\n" * 3000

    with asking(listener, own=ca.leaf(kind)) as (curl, end):
        end.establish()
        request = answer(end, body.encode())
        out, err = curl.communicate(timeout=PATIENCE)
    assert (curl.returncode, out, err) == (0, body, "")
    assert request.startswith(b"GET /page?7 HTTP/1.1\r\n")


@clause("CIPH-3", "CIPH-4")
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("suite", SUITES)
def test_curl_may_choose_suite_and_group(listener, suite, group):
    choice = ("--tls13-ciphers", suite, "--curves", CURVES[group])

    with asking(listener, *choice) as (curl, end):
        end.establish()
        assert end.agreed == ("TLSv1.3", suite, group)
        answer(end, b"chosen")
        out, err = curl.communicate(timeout=PATIENCE)
    assert (curl.returncode, out, err) == (0, "chosen", "")


@clause("ALPN-2", "SNI-2")
def test_curl_offers_http2_and_takes_http1(listener):
    wishes = {"alpn_choice": (b"http/1.1",)}
    with asking(listener, **wishes) as (curl, end):
        end.establish()
        assert p.SSL_get0_alpn_selected(end.ssl) == b"http/1.1"
        assert p.SSL_get_servername(end.ssl) == "localhost"
        answer(end, b"plain")
        out, err = curl.communicate(timeout=PATIENCE)
    assert (curl.returncode, out, err) == (0, "plain", "")


@clause("VFY-1", "VFY-14")
def test_curl_with_a_certificate_is_known_to_the_server(listener):
    own = ca.leaf("rsa", names=("curl",), key_label="client")
    shows = ("--cert", file_of(own.cert_pem), "--key", file_of(own.key_pem))

    with asking(listener, *shows, clients=ca.authority()) as (curl, end):
        end.establish()
        leaf = p.SSL_get_peer_certificate(end.ssl)
        answer(end, leaf.subject.encode())
        out, err = curl.communicate(timeout=PATIENCE)
    assert (curl.returncode, out, err) == (0, "CN=curl", "")


@clause("VFY-1", "HS-18")
def test_curl_without_the_certificate_demanded_is_refused(listener):
    with asking(listener, clients=ca.authority()) as (curl, end):
        reason = p.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
        assert end.fail() == reason
        _, err = curl.communicate(timeout=PATIENCE)
    assert curl.returncode != 0
    assert "alert" in err


@clause("HS-15", "ERR-20")
def test_curl_refusing_our_certificate_is_heard(listener):
    stranger = ca.leaf(issuer=other_root())

    with asking(listener, own=stranger) as (curl, end):
        assert end.handshake() == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [ALERT + p.SSL_AD_UNKNOWN_CA]
        curl.communicate(timeout=PATIENCE)
    assert curl.returncode == BAD_CERTIFICATE


@clause("HS-18", "VER-1", "RFC 8446 4.2.1")
def test_curl_of_tls12_only_is_refused_by_a_server_of_tls13(listener):
    old = ("--tlsv1.2", "--tls-max", "1.2")

    with asking(listener, *old) as (curl, end):
        assert end.fail() == p.SSL_R_UNSUPPORTED_PROTOCOL
        _, err = curl.communicate(timeout=PATIENCE)
    assert curl.returncode == CONNECT_ERROR
    assert "protocol version" in err


@clause("HS-18")
def test_curl_speaking_http_without_tls_is_recognised(listener):
    with asking(listener, scheme="http") as (_, end):
        assert end.fail() == p.SSL_R_HTTP_REQUEST
        assert end.ssl.report().alert_sent is None
