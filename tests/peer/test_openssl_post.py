"""Authentication after the handshake, with `openssl s_client -enable_pha`
and with the command c of `openssl s_server`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Optional

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
from tests.peer.talk import (
    ALERT,
    REQUIRED,
    End,
    client_end,
    other_root,
    server_end,
)
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)

KINDS = ("p256", "p384", "rsa", "rsapss", "ed25519")
POST = p.SSL_VERIFY_POST_HANDSHAKE
FAIL = p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
SAID = r"^<<< TLS 1\.3, Handshake .*, "  # what -msg shows of a message


# ---- their server, our client -----------------------------------------------


@contextlib.contextmanager
def asked(
    own: Optional[ca.Identity], offer: bool = True
) -> Iterator[tuple[Any, End]]:
    """Connect a client of ours to a server that may type a c.

    Args:
        own: What the client can show.
        offer: Whether it says that it may be asked.
    """
    with Server(ca.leaf(), *trust_options(ca.leaf()), "-msg") as server:
        sock = server.connect()
        with client_end(sock, ca.leaf(), own=own) as end:
            p.SSL_set_post_handshake_auth(end.ssl, int(offer))
            end.establish()
            server.expect("^CIPHER is ")
            yield server, end


def demand(server: Any, end: End, line: bytes = b"behind it") -> None:
    """Have the server ask; the client answers as it reads what follows."""
    server.send("c")
    server.expect(r"^>>> TLS 1\.3, .*, CertificateRequest$")
    server.send(line)
    assert end.read_line() == line + b"\n"


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("kind", KINDS)
def test_server_asking_later_takes_our_certificate(kind: str) -> None:
    with asked(ca.leaf(kind, key_label="client")) as (server, end):
        for line in ("first", "second"):
            demand(server, end)
            end.write(line.encode() + b"\n")
            for message in ("Certificate", "CertificateVerify", "Finished"):
                server.expect(f"{SAID}{message}$")
            server.expect(f"^{line}$")
        assert links.reasons() == []


@clause("VFY-21", "RFC 8446 4.6.2")
def test_server_asking_later_hears_that_there_is_no_certificate() -> None:
    with asked(None) as (server, end):
        demand(server, end)
        end.write(b"nobody\n")
        # Header, context and an empty list; then Finished at once.
        server.expect(
            r"^<<< TLS 1\.3, Handshake \[length 0028\], Certificate$"
        )
        server.expect(f"{SAID}Finished$")
        server.expect("^nobody$")
        assert "CertificateVerify" not in server.said.split("Request\n")[-1]


@clause("VFY-21", "RFC 8446 4.2.6")
def test_server_cannot_ask_a_client_that_did_not_offer_it() -> None:
    with asked(ca.leaf(key_label="client"), offer=False) as (server, end):
        server.send("c")
        server.expect("extension not received")
        server.send("as before")
        assert end.read_line() == b"as before\n"
        end.write(b"and back\n")
        server.expect("^and back$")


@clause("VFY-21", "RFC 8446 4.4.2.4")
def test_server_refuses_the_certificate_of_a_stranger_later() -> None:
    stranger = ca.leaf(issuer=other_root(), key_label="client")
    with asked(stranger) as (server, end):
        demand(server, end)
        end.write(b"hello?\n")
        server.expect("verify failed|unable to get local issuer")
        assert end.read_end() == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [ALERT + p.SSL_AD_UNKNOWN_CA]


# ---- their client, our server -----------------------------------------------


@contextlib.contextmanager
def asking(
    *options: str, own: Optional[ca.Identity] = None, mode: int = REQUIRED
) -> Iterator[tuple[Any, End]]:
    """Let s_client connect to a server of ours that may ask later."""
    mine = () if own is None else own_options(own)
    with Listener() as listener:
        trusted = trust_options(ca.leaf())
        client = Client(listener.port, "-brief", *trusted, *mine, *options)
        with (
            client,
            server_end(
                listener.accept(),
                ca.leaf(),
                clients=ca.leaf(),
                mode=mode | POST,
            ) as end,
        ):
            end.establish()
            client.expect("^Verification: OK$")
            yield client, end


def request(end: End) -> None:
    """Send the request; the answer comes with what is read next."""
    assert p.SSL_verify_client_post_handshake(end.ssl) == 1, links.reasons()
    assert end.handshake() == (1, 0)
    end.write(b"who is it?\n")


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("kind", KINDS)
def test_client_with_pha_answers_our_request(kind: str) -> None:
    own = ca.leaf(kind, key_label="client")
    with asking("-enable_pha", own=own) as (client, end):
        assert p.SSL_get_peer_certificate(end.ssl) is None
        for line in ("first", "second"):
            request(end)
            client.expect(r"^who is it\?$")
            client.send(line)
            assert end.read_line() == line.encode() + b"\n"
            found = p.SSL_get_peer_certificate(end.ssl)
            assert found is not None
            assert found.der == own.cert_der
            assert p.SSL_get_verify_result(end.ssl) == p.X509_V_OK
        end.write(b"with new tickets\n")
        client.expect("^with new tickets$")
        client.send("Q")
        end.answer_close()


@clause("VFY-21", "RFC 8446 4.2.6")
def test_client_without_pha_cannot_be_asked() -> None:
    with asking(own=ca.leaf(key_label="client")) as (client, end):
        assert p.SSL_verify_client_post_handshake(end.ssl) == 0
        assert links.ssl_reasons() == [p.SSL_R_EXTENSION_NOT_RECEIVED]
        end.write(b"never mind\n")
        client.expect("^never mind$")


@clause("VFY-21", "RFC 8446 4.4.2.4")
@pytest.mark.parametrize("required", [False, True])
def test_client_with_pha_and_no_certificate(required: bool) -> None:
    mode = p.SSL_VERIFY_PEER | (FAIL if required else 0)
    with asking("-enable_pha", mode=mode) as (client, end):
        request(end)
        client.expect(r"^who is it\?$")
        client.send("nobody")
        if not required:
            assert end.read_line() == b"nobody\n"
            assert p.SSL_get_peer_certificate(end.ssl) is None
            return
        assert end.read_end() == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [
            p.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
        ]
        client.expect("SSL alert number 116$")


@clause("VFY-21", "RFC 8446 4.4.2.4")
def test_client_with_pha_and_a_certificate_of_nobody_is_refused() -> None:
    stranger = ca.leaf(issuer=other_root(), key_label="client")
    with asking("-enable_pha", own=stranger) as (client, end):
        request(end)
        client.expect(r"^who is it\?$")
        client.send("somebody")
        assert end.read_end() == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [p.SSL_R_CERTIFICATE_VERIFY_FAILED]
        client.expect("SSL alert number 48$")
