"""One of our SSLs over a TCP connection to another stack.

    with client_end(server.connect(), identity, groups="P-384") as end:
        end.establish()
        end.write(b"hello\n")
        assert end.read_line() == b"olleh\n"
        end.close()

An end blocks, with the time limit of its socket, so every call gives its
final outcome. `establish` and `fail` assert the outcome of a handshake.
"""

from __future__ import annotations

import socket
from typing import Any, Optional

import pyssl as p
from tests.api import links
from tests.pki import ca

SUITES = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
GROUPS = ("X25519", "P-256", "P-384", "P-521")

# What each kind of key signs a handshake with (RFC 8446 4.2.3).
SCHEMES = {
    "rsa": "rsa_pss_rsae_sha",
    "rsapss": "rsa_pss_pss_sha",
    "p256": "ecdsa_secp256r1_sha256",
    "p384": "ecdsa_secp384r1_sha384",
    "p521": "ecdsa_secp521r1_sha512",
    "ed25519": "ed25519",
    "ed448": "ed448",
}

# Modes of SSL_CTX_set_verify.
OPTIONAL = p.SSL_VERIFY_PEER
REQUIRED = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT

ALERT = 1000  # what is added to the number of a received alert


class End:
    """An SSL and the socket below it."""

    def __init__(self, ssl: p.SSL, sock: socket.socket) -> None:
        self.ssl = ssl
        self.sock = sock
        assert p.SSL_set_fd(ssl, sock.fileno()) == 1

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def handshake(self) -> links.Outcome:
        """Call SSL_do_handshake once."""
        return links.outcome(self.ssl, p.SSL_do_handshake(self.ssl))

    def establish(self) -> End:
        """Complete the handshake, or fail with the evidence."""
        assert self.handshake() == (1, 0), self.ssl.report()
        return self

    def fail(self) -> int:
        """See the handshake fail; give the reason."""
        assert self.handshake() == (-1, p.SSL_ERROR_SSL), self.ssl.report()
        return links.ssl_reasons()[-1]

    def read(self, size: int = 16384) -> bytes:
        """Read once; the call must give data."""
        return links.read(self.ssl, size)

    def read_line(self) -> bytes:
        """Read until a newline came; nothing may come behind it."""
        got = self.read()
        while b"\n" not in got:
            got += self.read()
        assert got.index(b"\n") == len(got) - 1
        return got

    def read_end(self) -> links.Outcome:
        """Read once where no data can come."""
        return links.outcome(self.ssl, p.SSL_read(self.ssl, bytearray(99)))

    def write(self, data: bytes) -> None:
        """Write; the call must take all."""
        ret = p.SSL_write(self.ssl, data)
        assert ret == len(data), links.outcome(self.ssl, ret)

    def close(self) -> None:
        """Send close_notify and wait for the peer's."""
        assert p.SSL_shutdown(self.ssl) == 0
        assert p.SSL_shutdown(self.ssl) == 1, links.reasons()
        both = p.SSL_SENT_SHUTDOWN | p.SSL_RECEIVED_SHUTDOWN
        assert p.SSL_get_shutdown(self.ssl) == both

    def answer_close(self) -> None:
        """See the peer's close_notify, then send ours."""
        assert self.read_end() == (0, p.SSL_ERROR_ZERO_RETURN)
        assert p.SSL_shutdown(self.ssl) == 1, links.reasons()

    @property
    def agreed(self) -> tuple[str, str, str]:
        """Version, suite and group."""
        return (
            p.SSL_get_version(self.ssl),
            p.SSL_get_cipher_name(self.ssl),
            p.SSL_get0_group_name(self.ssl),
        )

    @property
    def scheme(self) -> str:
        """The peer's signature scheme."""
        name: str = p.SSL_get0_peer_signature_name(self.ssl)
        return name


def client_end(
    sock: socket.socket,
    trust: Optional[ca.Identity],
    host: Optional[str] = links.HOST,
    own: Optional[ca.Identity] = None,
    **wishes: Any,
) -> End:
    """Make a client on a connected socket, no handshake done.

    Args:
        sock: TCP connection; closed with the end.
        trust: Its root is trusted and the peer verified; None for no
            verification.
        host: Name to send and verify; None for neither.
        own: The client's certificate.
        wishes: As `wish`.
    """
    ctx = p.SSL_CTX_new(p.TLS_client_method())
    if trust is not None:
        assert p.SSL_CTX_load_verify_mem(ctx, trust.ca_pem) == 1
        p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
    if own is not None:
        links.use_identity(ctx, own)
    wish(ctx, **wishes)
    ssl = p.SSL_new(ctx)
    p.SSL_set_connect_state(ssl)
    if host is not None:
        assert p.SSL_set_tlsext_host_name(ssl, host) == 1
        assert p.SSL_set1_host(ssl, host) == 1
    return End(ssl, sock)


def server_end(
    sock: socket.socket,
    own: Optional[ca.Identity],
    clients: Optional[ca.Identity] = None,
    mode: int = REQUIRED,
    **wishes: Any,
) -> End:
    """Make a server on an accepted socket, no handshake done.

    Args:
        sock: TCP connection; closed with the end.
        own: The server's certificate.
        clients: Its root is trusted for client certificates, and one is
            asked for.
        mode: How much it is asked for.
        wishes: As `wish`.
    """
    ctx = p.SSL_CTX_new(p.TLS_server_method())
    if own is not None:
        links.use_identity(ctx, own)
    if clients is not None:
        assert p.SSL_CTX_load_verify_mem(ctx, clients.ca_pem) == 1
        p.SSL_CTX_set_verify(ctx, mode, None)
    wish(ctx, **wishes)
    ssl = p.SSL_new(ctx)
    p.SSL_set_accept_state(ssl)
    return End(ssl, sock)


def wish(
    ctx: p.SSL_CTX,
    suites: Optional[str] = None,
    groups: Optional[str] = None,
    schemes: Optional[str] = None,
    alpn: tuple[bytes, ...] = (),
    alpn_choice: Any = None,
    store: Optional[p.TrustStore] = None,
) -> None:
    """Set what a context offers or accepts.

    Args:
        ctx: The context; it does TLS 1.3 only.
        suites, groups, schemes: Lists as the man pages have them.
        alpn: Protocols a client offers.
        alpn_choice: A server's protocols, best first: it refuses a client
            that has none of them.
        store: What to trust, in place of a root.
    """
    assert p.SSL_CTX_set_min_proto_version(ctx, p.TLS1_3_VERSION) == 1
    if suites is not None:
        assert p.SSL_CTX_set_ciphersuites(ctx, suites) == 1
    if groups is not None:
        assert p.SSL_CTX_set1_groups_list(ctx, groups) == 1
    if schemes is not None:
        assert p.SSL_CTX_set1_sigalgs_list(ctx, schemes) == 1
    if store is not None:
        p.SSL_CTX_set_cert_store(ctx, store)
        p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
    if alpn:
        assert p.SSL_CTX_set_alpn_protos(ctx, wire(alpn)) == 0
    if alpn_choice is not None:
        p.SSL_CTX_set_alpn_select_cb(ctx, _choose, wire(alpn_choice))


def _choose(ssl: p.SSL, offered: bytes, ours: bytes) -> tuple[int, bytes]:
    """Pick the first of our protocols that the client has."""
    del ssl
    found, name = p.SSL_select_next_proto(ours, offered)
    if found != p.OPENSSL_NPN_NEGOTIATED:
        return p.SSL_TLSEXT_ERR_ALERT_FATAL, b""
    return p.SSL_TLSEXT_ERR_OK, name


def wire(protocols: tuple[bytes, ...]) -> bytes:
    """Write a list of protocols as RFC 7301 3.1 has it."""
    return b"".join(bytes([len(name)]) + name for name in protocols)


def other_root() -> ca.Identity:
    """Give a root that is not the one of other identities."""
    return ca.authority(name="another root", key_label="another")
