"""Authentication after the handshake, with Python's own ssl."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer.test_stdlib import (
    Mixed,
    our_client,
    our_server,
    their_client,
    their_server,
)
from tests.pki import ca

SERVER = ca.leaf()
POST = p.SSL_VERIFY_POST_HANDSHAKE
PEER = p.SSL_VERIFY_PEER


def asked_by_them(own: Optional[ca.Identity], required: bool = False) -> Mixed:
    """Make a client of ours, established with a server that may ask."""
    theirs = their_server(SERVER, clients=ca.leaf(), required=required)
    theirs.post_handshake_auth = True
    client = our_client(SERVER, own=own)
    p.SSL_set_post_handshake_auth(client, 1)
    return Mixed(client, theirs).established()


def asking_them(own: Optional[ca.Identity], mode: int = PEER) -> Mixed:
    """Make a server of ours, established with a client that may be asked."""
    theirs = their_client(SERVER, own)
    theirs.post_handshake_auth = True
    clients = own or ca.leaf()
    server = our_server(SERVER, clients=clients, mode=mode | POST)
    return Mixed(server, theirs).established()


def their_read(mixed: Mixed, size: int = 100) -> Any:
    """Let them read: data, None if there is none, or the failure."""
    try:
        return mixed.theirs.read(size)
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as e:
        return e


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "ed25519"])
def test_their_server_takes_our_answer(kind: str) -> None:
    own = ca.leaf(kind, key_label="client")
    theirs = their_server(SERVER, clients=own, required=False)
    theirs.post_handshake_auth = True
    client = our_client(SERVER, own=own)
    p.SSL_set_post_handshake_auth(client, 1)
    mixed = Mixed(client, theirs).established()
    assert mixed.theirs.getpeercert() is None
    for _ in range(3):
        mixed.theirs.verify_client_post_handshake()
        mixed.theirs.write(b"asked")
        mixed.move()
        assert links.read(mixed.ours.ssl) == b"asked"
        assert p.SSL_write(mixed.ours.ssl, b"told") == 4
        mixed.move()
        assert their_read(mixed) == b"told"
        assert mixed.theirs.getpeercert(True) == own.cert_der
    mixed.theirs.write(b"tickets are passed over")
    mixed.move()
    assert links.read(mixed.ours.ssl) == b"tickets are passed over"
    assert links.reasons() == []


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("required", [False, True])
def test_their_server_hears_that_we_have_none(required: bool) -> None:
    mixed = asked_by_them(None, required)
    mixed.theirs.verify_client_post_handshake()
    mixed.theirs.write(b"asked")
    mixed.move()
    assert links.read(mixed.ours.ssl) == b"asked"
    mixed.move()
    got = their_read(mixed)
    mixed.move()

    if not required:
        assert got is None
        assert mixed.theirs.getpeercert() is None
        return
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(got)
    assert mixed.ours.read() == (-1, 1)
    assert links.ssl_reasons() == [1116]


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "ed25519"])
def test_their_client_answers_our_request(kind: str) -> None:
    own = ca.leaf(kind, key_label="client")
    mixed = asking_them(own)
    server = mixed.ours.ssl
    for _ in range(3):
        assert p.SSL_verify_client_post_handshake(server) == 1
        assert p.SSL_write(server, b"asked") == 5
        mixed.move()
        assert their_read(mixed) == b"asked"
        mixed.theirs.write(b"told")
        mixed.move()
        assert links.read(server) == b"told"
        found = p.SSL_get_peer_certificate(server)
        assert found is not None
        assert found.der == own.cert_der
    assert p.SSL_write(server, b"and tickets") == 11
    mixed.move()
    assert their_read(mixed) == b"and tickets"
    assert links.reasons() == []


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("demand", [False, True])
def test_their_client_without_a_certificate(demand: bool) -> None:
    mode = PEER | (p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT if demand else 0)
    mixed = asking_them(None, mode)
    server = mixed.ours.ssl
    assert p.SSL_verify_client_post_handshake(server) == 1
    assert p.SSL_do_handshake(server) == 1
    mixed.move()
    assert their_read(mixed) is None
    mixed.move()
    got = mixed.ours.read()
    mixed.move()

    assert got == ((-1, 1) if demand else (-1, 2))
    if demand:
        assert links.ssl_reasons() == [199]
        assert "CERTIFICATE_REQUIRED" in str(their_read(mixed)).upper()


@clause("RFC 8446 4.6.2", "RFC 8446 4.2.6")
def test_their_client_that_offers_nothing_is_not_asked() -> None:
    server = our_server(SERVER, clients=ca.leaf(), mode=PEER | POST)
    mixed = Mixed(server, their_client(SERVER)).established()

    assert p.SSL_verify_client_post_handshake(mixed.ours.ssl) == 0
    assert links.ssl_reasons() == [279]


@clause("VFY-21", "RFC 8446 4.6.2")
def test_exchange_over_blocking_sockets() -> None:
    own = ca.leaf(key_label="client")
    theirs = their_client(SERVER, own)
    theirs.post_handshake_auth = True
    server = our_server(SERVER, clients=own, mode=PEER | POST)
    near, far = socket.socketpair()
    far.settimeout(20)
    assert p.SSL_set_fd(server, near.fileno()) == 1

    def serve() -> bytes:
        assert p.SSL_do_handshake(server) == 1
        assert links.read(server) == b"GET /secret"
        assert p.SSL_verify_client_post_handshake(server) == 1
        assert p.SSL_do_handshake(server) == 1
        assert p.SSL_write(server, b"who?") == 4
        assert links.read(server) == b"me"
        found = p.SSL_get_peer_certificate(server)
        assert found is not None
        return found.der

    thread, served = links.in_thread(serve)
    with near, theirs.wrap_socket(far, server_hostname=links.HOST) as sock:
        sock.sendall(b"GET /secret")
        assert sock.recv(10) == b"who?"
        sock.sendall(b"me")
        thread.join(20)
    assert served == [own.cert_der]
