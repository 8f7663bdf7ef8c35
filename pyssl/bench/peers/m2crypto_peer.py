"""M2Crypto: its Connection over the two halves of a BIO pair."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket
from typing import Any, Optional

from pyssl.bench import pki
from pyssl.bench.peers.base import (
    SMALL_12,
    End,
    Facts,
    FailedError,
    Peer,
    Setup,
    Stage,
    only,
)
from pyssl.bench.peers.wires import Wire, WiredStage

_DEPTH = 10  # certificates of a chain, at most
_NO_TICKET = 1 << 14  # SSL_OP_NO_TICKET, which the package has no name for


class _Nowhere:
    """What a Connection in memory has for a socket, to open none."""

    def fileno(self) -> int:
        """Give no descriptor."""
        return -1

    def gettimeout(self) -> Optional[float]:
        """Wait for ever, which an end in memory never does."""
        return None

    def close(self) -> None:
        """Do nothing."""


_NOWHERE = _Nowhere()


def _facts(m2: Any, conn: Any, reused: Optional[bool]) -> Facts:
    """Tell what a connection agreed on."""
    cipher = conn.get_cipher()
    return Facts(
        m2.ssl_get_version(conn.ssl),
        "" if cipher is None else cipher.name(),
        "",
        reused,
    )


def _receiver(conn: Any, buffer: bytearray) -> Callable[[], int]:
    """Give what reads; recv_into would change the buffer's size."""
    read, room = conn.read, len(buffer)

    def receive() -> int:
        data = read(room)
        if data is None:
            return 0  # nothing came, and the socket does not block
        buffer[: len(data)] = data
        return len(data)

    return receive


class _M2CryptoEnd(End):
    __slots__ = ("_conn", "_offered", "_reused", "_shake", "_stage")

    def __init__(
        self, stage: _M2CryptoStage, conn: Any, shake: Any, offered: Any
    ) -> None:
        """Hold a connection.

        Args:
            stage: Where it is from.
            conn: The connection.
            shake: Its call for the handshake.
            offered: The session that a client has; None for a new one.
        """
        self._stage = stage
        self._conn = conn
        self._shake = shake
        self._offered = offered
        self._reused = False

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        try:
            done: bool = self._shake() == 1
        except self._stage.ssl.SSLError as e:
            raise FailedError(str(e)) from e
        if done and self._offered is not None:
            # Nothing says so, but a session that is not taken up gives way
            # to another; one that is stays until a ticket comes.
            now = self._stage.m2.ssl_get_session(self._conn.ssl)
            self._reused = int(now) == int(self._offered.session)
        return done

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._conn.write
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return _receiver(self._conn, buffer)

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._stage.m2, self._conn, self._reused)

    def session(self) -> Any:
        """Give the session.

        The connection's get_session would free one that it only borrows.
        """
        stage = self._stage
        return stage.session(stage.m2.ssl_get1_session(self._conn.ssl), 1)


class _M2CryptoWire(Wire):
    __slots__ = ("_conn", "_shake", "_stage")

    def __init__(
        self, stage: _M2CryptoStage, conn: Any, shake: Any, sock: socket
    ) -> None:
        self._stage = stage
        self._conn = conn
        self._shake = shake
        self.sock = sock

    def shake(self) -> int:
        """Do what can be done of the handshake."""
        try:
            if self._shake() == 1:
                return 0
        except (self._stage.ssl.SSLError, OSError) as e:
            raise FailedError(str(e)) from e
        wish = self._conn.ssl_get_error(-1)
        if wish == self._stage.m2.ssl_error_want_write:
            return EVENT_WRITE
        return EVENT_READ

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._stage.m2, self._conn, False)

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._conn.write
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return _receiver(self._conn, buffer)

    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads: it says by itself that nothing came."""
        return _receiver(self._conn, buffer)

    def close(self) -> None:
        """Close the socket; else the end would write when it is dropped."""
        m2 = self._stage.m2
        self._conn.set_shutdown(
            m2.SSL_SENT_SHUTDOWN | m2.SSL_RECEIVED_SHUTDOWN
        )
        self._conn.close()


class _M2CryptoStage(WiredStage):
    """One Context a side."""

    pairs = "BIO pair"

    def __init__(self, ssl: Any, m2: Any, setup: Setup) -> None:
        self.ssl = ssl
        self.m2 = m2
        self.session = import_module("M2Crypto.SSL.Session").Session
        other = {"1.2": m2.SSL_OP_NO_TLSv1_3, "1.3": m2.SSL_OP_NO_TLSv1_2}
        client, server = ssl.Context("tls"), ssl.Context("tls")
        for ctx in (client, server):
            ctx.set_options(other[setup.version])
            if setup.small and ctx.set_cipher_list(SMALL_12) != 1:
                raise FailedError("the suites cannot be set")
        client.set_verify(m2.SSL_VERIFY_PEER, _DEPTH)
        with pki.as_files(setup.cert, setup.chain) as files:
            self._trust(client, files.root)
            self._identify(server, files.server, files.server_key)
            if setup.mutual:
                self._identify(client, files.client, files.client_key)
                self._trust(server, files.root)
                must = m2.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                server.set_verify(m2.SSL_VERIFY_PEER | must, _DEPTH)
        server.set_session_id_ctx(b"benchmark")
        if not setup.resumed:
            server.set_options(_NO_TICKET)
            server.set_session_cache_mode(m2.SSL_SESS_CACHE_OFF)
        self._client, self._server = client, server

    def _trust(self, ctx: Any, path: str) -> None:
        if ctx.load_verify_locations(path) != 1:
            raise FailedError("the root cannot be read")

    def _identify(self, ctx: Any, chain: str, key: str) -> None:
        # The context's load_cert_chain looks for the key in the chain.
        self.m2.ssl_ctx_use_cert_chain(ctx.ctx, chain)
        self.m2.ssl_ctx_use_privkey(ctx.ctx, key)

    def link(self) -> tuple[Any, Any]:
        """Make a BIO pair; each half is of the end that takes it."""
        m2 = self.m2
        one, other = m2.bio_new(m2.bio_s_bio()), m2.bio_new(m2.bio_s_bio())
        if m2.bio_make_bio_pair(one, other) != 1:
            raise FailedError("no BIO pair can be made")
        return one, other

    def _caller(self, sock: Any, host: str) -> Any:
        """Make a client that asks for a host."""
        conn = self.ssl.Connection(self._client, sock)
        self.m2.ssl_set_tlsext_host_name(conn.ssl, host)
        self.m2.ssl_set1_host(conn.ssl, host)
        return conn

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        conn = self._caller(_NOWHERE, host)
        self.m2.ssl_set_bio(conn.ssl, link[0], link[0])
        if session is not None:
            conn.set_session(session)
        return _M2CryptoEnd(self, conn, conn.connect_ssl, session)

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        conn = self.ssl.Connection(self._server, _NOWHERE)
        self.m2.ssl_set_bio(conn.ssl, link[1], link[1])
        return _M2CryptoEnd(self, conn, conn.accept_ssl, None)

    def wire(self, sock: socket, host: Optional[str]) -> Wire:
        """Put an end on a socket."""
        if host is not None:
            conn = self._caller(sock, host)
            shake = conn.connect_ssl
        else:
            conn = self.ssl.Connection(self._server, sock)
            shake = conn.accept_ssl
        conn.setup_ssl()
        return _M2CryptoWire(self, conn, shake, sock)


class M2CryptoPeer(Peer):
    """M2Crypto, on the system's OpenSSL."""

    name = "m2crypto"
    note = "bytes in memory go over a BIO pair"

    def __init__(self) -> None:
        """Find the package."""
        self._ssl = import_module("M2Crypto.SSL")
        self._m2: Any = import_module("M2Crypto").m2
        if not hasattr(self._m2, "ssl_set1_host"):
            raise ImportError("this M2Crypto verifies no names by itself")

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {
            "M2Crypto": version("M2Crypto"),
            "built with": str(self._m2.OPENSSL_VERSION_TEXT),
        }

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.early, "the package has no calls for early data")
        only(
            setup.group == Setup().group and not setup.retry,
            "the package is told no group",
        )
        try:
            return _M2CryptoStage(self._ssl, self._m2, setup)
        except self._ssl.SSLError as e:
            raise FailedError(str(e)) from e

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file."""
        ctx = self._ssl.Context("tls")
        if ctx.load_verify_locations(path) != 1:
            raise FailedError("the file cannot be read")
        return ctx
