"""Python's own ssl as the peer, in memory and on sockets."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer.openssl_cli import file_of, patient
from tests.peer.talk import (
    ALERT,
    GROUPS,
    OPTIONAL,
    REQUIRED,
    client_end,
    other_root,
    server_end,
    wire,
    wish,
)
from tests.pki import ca

# The module's names of groups.
CURVES = {
    "X25519": "X25519",
    "P-256": "prime256v1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
}


# ---- its contexts ---------------------------------------------------------


def their_server(
    own: ca.Identity,
    clients: Optional[ca.Identity] = None,
    required: bool = True,
) -> ssl.SSLContext:
    """Make a context of the module for servers."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(file_of(own.chain_pem + own.key_pem))
    if clients is not None:
        ctx.load_verify_locations(cadata=clients.ca_pem.decode())
        ctx.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return ctx


def their_client(
    trust: ca.Identity, own: Optional[ca.Identity] = None
) -> ssl.SSLContext:
    """Make a context of the module for clients."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.load_verify_locations(cadata=trust.ca_pem.decode())
    if own is not None:
        ctx.load_cert_chain(file_of(own.chain_pem + own.key_pem))
    return ctx


def our_client(trust: ca.Identity, **wishes: Any) -> p.SSL:
    """Make a client of ours that verifies, without BIOs."""
    made, _ = links.make_ends(server=trust)
    ctx = p.SSL_get_SSL_CTX(made)
    own = wishes.pop("own", None)
    if own is not None:
        links.use_identity(ctx, own)
    wish(ctx, **wishes)
    return links.make_ends(ctx, ctx)[0]


def our_server(own: ca.Identity, **wishes: Any) -> p.SSL:
    """Make a server of ours, without BIOs."""
    clients = wishes.pop("clients", None)
    mode = wishes.pop("mode", REQUIRED)
    _, ctx = links.make_contexts(server=own)
    if clients is not None:
        assert p.SSL_CTX_load_verify_mem(ctx, clients.ca_pem) == 1
        p.SSL_CTX_set_verify(ctx, mode, None)
    wish(ctx, **wishes)
    return links.make_ends(ctx, ctx)[1]


class Mixed:
    """One of our SSLs and one of theirs, both on memory BIOs.

    Args:
        ours: In one role.
        theirs: The context for the other role.
    """

    def __init__(self, ours: p.SSL, theirs: ssl.SSLContext) -> None:
        self.ours = links.RawPeer(ours)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        is_server = not p.SSL_is_server(ours)
        self.theirs = theirs.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=is_server,
            server_hostname=None if is_server else links.HOST,
        )
        self.fault: Optional[ssl.SSLError] = None

    def move(self) -> None:
        """Carry what both sides have written."""
        self.incoming.write(self.ours.sent())
        self.ours.feed(self.outgoing.read())

    def their_handshake(self) -> bool:
        """Let them step; True when they are done or have failed."""
        try:
            self.theirs.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as e:
            self.fault = e
        return True

    def handshake(self) -> links.Outcome:
        """Let both step in turn; give our last outcome."""
        result, ended = (-1, p.SSL_ERROR_WANT_READ), False
        for _ in range(10):
            if result[1] == p.SSL_ERROR_WANT_READ:
                result = self.ours.handshake()
            self.move()
            ended = ended or self.their_handshake()
            self.move()
            if ended and result[1] != p.SSL_ERROR_WANT_READ:
                break
        return result

    def established(self) -> Mixed:
        """Complete the handshake, or fail with the evidence."""
        result = self.handshake()
        assert result == (1, 0), (self.ours.ssl.report(), self.fault)
        assert self.fault is None
        return self

    def failed(self) -> int:
        """See our handshake fail; give the reason."""
        assert self.handshake() == (-1, p.SSL_ERROR_SSL)
        return links.ssl_reasons()[-1]

    def exchange(self) -> None:
        """Send data both ways, then close both ways."""
        for size in (1, 100, 16384, 40000):
            data = bytes(range(256)) * (size // 256 + 1)
            data = data[:size]
            assert self.ours.write(data) == (size, 0)
            self.move()
            assert self._their_read(size) == data
            assert self.theirs.write(data) == size
            self.move()
            assert self._our_read(size) == data
        assert self.ours.shutdown()[0] == 0
        self.move()
        assert self.theirs.read(1) == b""
        self._their_unwrap()
        self.move()
        assert self.ours.shutdown() == (1, 0)

    def _their_read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += self.theirs.read(size)
        return got

    def _our_read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += links.read(self.ours.ssl)
        return got

    def _their_unwrap(self) -> None:
        """Close their half; ours is closed, so one call does it."""
        self.theirs.unwrap()


# ---- in memory ------------------------------------------------------------


@clause("HS-1", "HS-9", "HS-13", "RW-15", "SD-1")
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", ca.KINDS)
def test_client_in_memory_talks_to_their_server(kind, group):
    theirs = their_server(ca.leaf(kind))

    both = Mixed(our_client(ca.leaf(kind), groups=group), theirs)

    both.established()
    assert p.SSL_get0_group_name(both.ours.ssl) == group
    suite = p.SSL_get_cipher_name(both.ours.ssl)
    assert both.theirs.cipher()[:2] == (suite, "TLSv1.3")
    both.exchange()


@clause("HS-1", "HS-9", "HS-13", "RW-15", "SD-1")
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", ca.KINDS)
def test_server_in_memory_talks_to_their_client(kind, group):
    theirs = their_client(ca.leaf(kind))

    both = Mixed(our_server(ca.leaf(kind), groups=group), theirs)

    both.established()
    assert p.SSL_get0_group_name(both.ours.ssl) == group
    suite = p.SSL_get_cipher_name(both.ours.ssl)
    assert both.theirs.cipher()[:2] == (suite, "TLSv1.3")
    assert both.theirs.getpeercert()["subject"] == (
        (("commonName", "localhost"),),
    )
    both.exchange()


@clause("HS-26", "RFC 8446 4.1.4")
@pytest.mark.parametrize("group", ["P-256", "P-384", "P-521"])
def test_client_in_memory_answers_a_retry_of_their_server(group):
    theirs = their_server(ca.leaf())
    theirs.set_ecdh_curve(CURVES[group])
    ours = our_client(ca.leaf(), groups=f"X25519:{group}")
    both = Mixed(ours, theirs)

    outcomes = []
    for _ in range(3):
        outcomes.append(both.ours.handshake())
        both.move()
        both.their_handshake()
        both.move()

    retry = (-1, p.SSL_ERROR_WANT_READ)
    assert outcomes == [retry, retry, (1, 0)]
    assert p.SSL_get0_group_name(ours) == group
    both.exchange()


@clause("HS-26", "RFC 8446 4.1.4")
@pytest.mark.parametrize("group", ["P-256", "P-384", "P-521"])
def test_server_in_memory_asks_their_client_again(group):
    ours = our_server(ca.leaf(), groups=group)
    both = Mixed(ours, their_client(ca.leaf()))

    outcomes = []
    for _ in range(3):
        both.their_handshake()
        both.move()
        outcomes.append(both.ours.handshake())
        both.move()

    retry = (-1, p.SSL_ERROR_WANT_READ)
    assert outcomes == [retry, retry, (1, 0)]
    assert p.SSL_get0_group_name(ours) == group
    both.exchange()


@clause("VFY-1", "RFC 8446 4.4.3")
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("kind", ca.KINDS)
def test_client_in_memory_shows_its_certificate(kind, required):
    own = ca.leaf(kind, names=("client",), key_label="client")
    theirs = their_server(ca.leaf(), ca.authority(), required)

    both = Mixed(our_client(ca.leaf(), own=own), theirs).established()

    subject = both.theirs.getpeercert()["subject"]
    assert subject == ((("commonName", "client"),),)
    both.exchange()


@clause("VFY-1", "VFY-14")
@pytest.mark.parametrize("mode", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize("kind", ca.KINDS)
def test_server_in_memory_sees_their_certificate(kind, mode):
    own = ca.leaf(kind, names=("client",), key_label="client")
    ours = our_server(ca.leaf(), clients=ca.authority(), mode=mode)

    both = Mixed(ours, their_client(ca.leaf(), own)).established()

    leaf = p.SSL_get_peer_certificate(ours)
    assert leaf.der == own.cert_der
    both.exchange()


@clause("VFY-1", "VFY-13")
def test_server_in_memory_takes_a_client_without_certificate():
    ours = our_server(ca.leaf(), clients=ca.authority(), mode=OPTIONAL)

    both = Mixed(ours, their_client(ca.leaf())).established()

    assert p.SSL_get_peer_certificate(ours) is None
    both.exchange()


@clause("VFY-1", "HS-18")
def test_server_in_memory_refuses_a_client_without_certificate():
    ours = our_server(ca.leaf(), clients=ca.authority())
    both = Mixed(ours, their_client(ca.leaf()))

    reason = p.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
    assert both.failed() == reason
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        both.theirs.read(1)


@clause("VFY-1", "HS-13", "RW-10")
def test_client_in_memory_hears_that_its_certificate_is_refused():
    own = ca.leaf(issuer=other_root(), key_label="client")
    both = Mixed(
        our_client(ca.leaf(), own=own),
        their_server(ca.leaf(), ca.authority()),
    )

    assert both.handshake() == (1, 0)
    assert both.fault is not None
    assert both.ours.read() == (-1, p.SSL_ERROR_SSL)
    assert links.ssl_reasons() == [ALERT + p.SSL_AD_UNKNOWN_CA]


@clause("VFY-16", "HS-18")
def test_client_in_memory_refusing_their_certificate_tells_them():
    stranger = ca.leaf(issuer=other_root())
    both = Mixed(our_client(ca.leaf()), their_server(stranger))

    assert both.failed() == p.SSL_R_CERTIFICATE_VERIFY_FAILED
    assert both.fault is not None
    assert both.fault.reason == "TLSV1_ALERT_UNKNOWN_CA"


@clause("HS-15", "ERR-20")
def test_server_in_memory_hears_that_its_certificate_is_refused():
    stranger = ca.leaf(issuer=other_root())
    both = Mixed(our_server(stranger), their_client(ca.leaf()))

    assert both.failed() == ALERT + p.SSL_AD_UNKNOWN_CA
    assert isinstance(both.fault, ssl.SSLCertVerificationError)


@clause("ALPN-1", "ALPN-5")
def test_client_in_memory_agrees_on_a_protocol_of_their_server():
    theirs = their_server(ca.leaf())
    theirs.set_alpn_protocols(["http/1.1", "h2"])
    ours = our_client(ca.leaf(), alpn=(b"h2", b"http/1.1"))

    both = Mixed(ours, theirs).established()

    chosen = both.theirs.selected_alpn_protocol()
    assert chosen == "http/1.1"
    assert p.SSL_get0_alpn_selected(ours) == chosen.encode()


@clause("ALPN-2", "ALPN-5")
def test_server_in_memory_agrees_on_a_protocol_of_their_client():
    theirs = their_client(ca.leaf())
    theirs.set_alpn_protocols(["h2", "http/1.1"])
    heard = []

    def choose(conn, offered, arg):
        heard.append((offered, arg))
        return p.SSL_TLSEXT_ERR_OK, b"http/1.1"

    ours = our_server(ca.leaf())
    ctx = p.SSL_get_SSL_CTX(ours)
    p.SSL_CTX_set_alpn_select_cb(ctx, choose, 7)

    both = Mixed(ours, theirs).established()

    assert heard == [(wire((b"h2", b"http/1.1")), 7)]
    assert both.theirs.selected_alpn_protocol() == "http/1.1"
    assert p.SSL_get0_alpn_selected(ours) == b"http/1.1"


@clause("SNI-1", "SNI-2")
def test_client_in_memory_sends_the_name_to_their_server():
    heard = []
    theirs = their_server(ca.leaf())
    theirs.sni_callback = lambda conn, name, ctx: heard.append(name)

    Mixed(our_client(ca.leaf()), theirs).established()

    assert heard == ["localhost"]


@clause("HS-15", "VER-1")
def test_client_in_memory_of_tls13_only_is_refused_by_their_tls12():
    theirs = their_server(ca.leaf())
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    both = Mixed(our_client(ca.leaf()), theirs)

    assert both.failed() == ALERT + p.SSL_AD_PROTOCOL_VERSION


@clause("HS-18", "VER-1", "RFC 8446 4.2.1")
def test_server_in_memory_of_tls13_only_refuses_their_tls12():
    theirs = their_client(ca.leaf())
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    both = Mixed(our_server(ca.leaf()), theirs)

    assert both.failed() == p.SSL_R_UNSUPPORTED_PROTOCOL
    assert both.fault is not None
    assert both.fault.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@clause("HS-10", "HS-7")
@pytest.mark.parametrize("role", ["client", "server"])
def test_bytes_of_their_stack_may_come_one_at_a_time(role):
    if role == "client":
        both = Mixed(our_client(ca.leaf()), their_server(ca.leaf()))
    else:
        both = Mixed(our_server(ca.leaf()), their_client(ca.leaf()))
    wants = (-1, p.SSL_ERROR_WANT_READ)
    results, ended = [both.ours.handshake()], False

    while not ended or results[-1] == wants:
        both.incoming.write(both.ours.sent())
        ended = ended or both.their_handshake()
        for byte in both.outgoing.read():
            both.ours.feed(bytes([byte]))
            if results[-1] == wants:
                results.append(both.ours.handshake())

    assert results == [wants] * (len(results) - 1) + [(1, 0)]
    assert len(results) > 200
    assert both.fault is None


# ---- on sockets -----------------------------------------------------------


@clause("CV-8", "HS-5")
@pytest.mark.threads
@pytest.mark.parametrize("kind", ca.KINDS)
def test_client_on_a_socket_talks_to_their_server_in_a_thread(kind):
    near, far = socket.socketpair()
    theirs = their_server(ca.leaf(kind))

    def serve():
        with theirs.wrap_socket(patient(far), server_side=True) as conn:
            heard = conn.recv(100)
            conn.sendall(heard.upper())
            conn.unwrap().close()
            return heard

    thread, found = links.in_thread(serve)
    with client_end(patient(near), ca.leaf(kind)) as end:
        end.establish()
        end.write(b"hello")
        assert end.read() == b"HELLO"
        end.answer_close()
        thread.join(20)
    assert found == [b"hello"]


@clause("CV-8", "HS-5")
@pytest.mark.threads
@pytest.mark.parametrize("kind", ca.KINDS)
def test_server_on_a_socket_talks_to_their_client_in_a_thread(kind):
    near, far = socket.socketpair()
    theirs = their_client(ca.leaf(kind))

    def ask():
        with theirs.wrap_socket(
            patient(far), server_hostname="localhost"
        ) as conn:
            conn.sendall(b"hello")
            heard = conn.recv(100)
            conn.unwrap().close()
            return heard

    thread, found = links.in_thread(ask)
    with server_end(patient(near), ca.leaf(kind)) as end:
        end.establish()
        assert end.read() == b"hello"
        end.write(b"HELLO")
        end.answer_close()
        thread.join(20)
    assert found == [b"HELLO"]
