"""pyOpenSSL: Connection without a socket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket
from typing import Any, Optional

from pyssl.bench import pki
from pyssl.bench.peers.base import (
    SMALL_12,
    SMALL_13,
    End,
    Facts,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
    only,
)
from pyssl.bench.peers.pipes import PipeEnd, Pipes
from pyssl.bench.peers.wires import Wire, WiredStage, unless

_ROOM = 1 << 16  # bytes that are moved at a time
_VERSIONS = {"1.2": "TLS1_2_VERSION", "1.3": "TLS1_3_VERSION"}


def _facts(stage: _PyOpenSSLStage, conn: Any) -> Facts:
    """Tell what a connection agreed on."""
    # Told by pyOpenSSL 25.1 and later.
    group = getattr(conn, "get_group_name", str)
    return Facts(
        conn.get_protocol_version_name(),
        conn.get_cipher_name() or "",
        group() or "",
        stage.binding.SSL_session_reused(conn._ssl) == 1,
    )


class _PyOpenSSLEnd(PipeEnd):
    """An end that also carries its bytes over the link.

    pyOpenSSL keeps its two memory BIOs to itself, so they cannot be shared
    by both ends.
    """

    __slots__ = ("_conn", "_ssl", "_stage")

    def __init__(self, stage: _PyOpenSSLStage, conn: Any, ways: Pipes) -> None:
        super().__init__(*ways)
        self._ssl = stage.ssl
        self._stage = stage
        self._conn = conn

    def _feed(self, data: bytes) -> None:
        self._conn.bio_write(data)

    def _drain(self) -> None:
        with suppress(self._ssl.WantReadError):
            while True:
                self._outbox.append(self._conn.bio_read(_ROOM))

    def _send(self, data: bytes) -> int:
        return int(self._conn.send(data))

    def _receive(self, buffer: bytearray) -> int:
        return int(self._conn.recv_into(buffer))

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        self._take()
        try:
            self._conn.do_handshake()
        except self._ssl.WantReadError:
            return False
        except self._ssl.Error as e:
            raise FailedError(str(e)) from e
        finally:
            self._drain()
        return True

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._stage, self._conn)

    def session(self) -> Any:
        """Give the session, as of a connection that ends well."""
        ssl = self._ssl
        self._conn.set_shutdown(ssl.SENT_SHUTDOWN | ssl.RECEIVED_SHUTDOWN)
        return self._conn.get_session()


class _PyOpenSSLWire(Wire):
    __slots__ = ("_conn", "_ssl", "_stage")

    def __init__(
        self, stage: _PyOpenSSLStage, conn: Any, sock: socket
    ) -> None:
        self._stage = stage
        self._ssl = stage.ssl
        self._conn = conn
        self.sock = sock

    def shake(self) -> int:
        """Do what can be done of the handshake."""
        try:
            self._conn.do_handshake()
        except self._ssl.WantReadError:
            return EVENT_READ
        except self._ssl.WantWriteError:
            return EVENT_WRITE
        except (self._ssl.Error, OSError) as e:
            raise FailedError(str(e)) from e
        return 0

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._stage, self._conn)

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._conn.send
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._conn.recv_into, buffer)

    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads, or finds that nothing came."""
        return unless(self.receiver(buffer), self._ssl.WantReadError)


class _PyOpenSSLStage(WiredStage):
    """One Context a side.

    Groups and the host name have no call of their own, and are set through
    the binding below.
    """

    def __init__(self, ssl: Any, binding: Any, setup: Setup) -> None:
        self.ssl = ssl
        self.binding = binding
        client = ssl.Context(ssl.TLS_CLIENT_METHOD)
        server = ssl.Context(ssl.TLS_SERVER_METHOD)
        number = getattr(ssl, _VERSIONS[setup.version])
        for ctx in (client, server):
            ctx.set_min_proto_version(number)
            ctx.set_max_proto_version(number)
            if setup.small:
                ctx.set_cipher_list(SMALL_12.encode("ascii"))
                # Told by pyOpenSSL 25.2 and later.
                tell = getattr(ctx, "set_tls13_ciphersuites", None)
                if tell is not None:
                    tell(SMALL_13.encode("ascii"))
        client.set_verify(ssl.VERIFY_PEER)
        with pki.as_files(setup.cert, setup.chain) as files:
            client.load_verify_locations(files.root)
            server.use_certificate_chain_file(files.server)
            server.use_privatekey_file(files.server_key)
            if setup.mutual:
                client.use_certificate_chain_file(files.client)
                client.use_privatekey_file(files.client_key)
                server.load_verify_locations(files.root)
                must = ssl.VERIFY_PEER | ssl.VERIFY_FAIL_IF_NO_PEER_CERT
                server.set_verify(must)
        server.set_session_id(b"benchmark")
        if not setup.resumed:
            server.set_options(ssl.OP_NO_TICKET)
            server.set_session_cache_mode(ssl.SESS_CACHE_OFF)
        self._choose(client, server, setup)
        self._client, self._server = client, server

    def _choose(self, client: Any, server: Any, setup: Setup) -> None:
        """Let both ends agree on the group."""
        choose = getattr(self.binding, "SSL_CTX_set1_curves_list", None)
        if choose is None:
            plain = setup.group == Setup().group and not setup.retry
            only(plain, "the binding cannot be told a group")
            return
        group = setup.group
        first = f"X25519:{group}" if setup.retry else group
        if setup.version == "1.2" and "P-256" not in first:
            first = group = f"{group}:P-256"  # for certificates too, there
        for ctx, names in ((client, first), (server, group)):
            if choose(ctx._context, names.encode("ascii")) != 1:
                raise SkipError(f"its libssl has no {group}")

    def link(self) -> Pipes:
        """Make both directions."""
        return [], []

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        down, up = link
        conn = self._caller(None, host)
        if session is not None:
            conn.set_session(session)
        return _PyOpenSSLEnd(self, conn, (down, up))

    def _caller(self, sock: Optional[socket], host: str) -> Any:
        """Make a client that asks for a host."""
        conn = self.ssl.Connection(self._client, sock)
        name = host.encode("ascii")
        conn.set_tlsext_host_name(name)
        checks = self.binding.SSL_get0_param(conn._ssl)
        set_host = self.binding.X509_VERIFY_PARAM_set1_host
        if set_host(checks, name, len(name)) != 1:
            raise FailedError("the host name cannot be set")
        conn.set_connect_state()
        return conn

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        conn = self.ssl.Connection(self._server, None)
        conn.set_accept_state()
        return _PyOpenSSLEnd(self, conn, (up, down))

    def wire(self, sock: socket, host: Optional[str]) -> Wire:
        """Put an end on a socket."""
        if host is not None:
            conn = self._caller(sock, host)
        else:
            conn = self.ssl.Connection(self._server, sock)
            conn.set_accept_state()
        return _PyOpenSSLWire(self, conn, sock)


class PyOpenSSLPeer(Peer):
    """pyOpenSSL, on the OpenSSL that cryptography ships."""

    name = "pyopenssl"
    note = "bytes in memory are copied from one end to the other"

    def __init__(self) -> None:
        """Find the package."""
        self._ssl = import_module("OpenSSL.SSL")
        self._binding = import_module("OpenSSL._util").lib

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        version = self._ssl.SSLeay_version(self._ssl.SSLEAY_VERSION)
        return {
            "pyOpenSSL": import_module("OpenSSL").__version__,
            "libssl": version.decode("ascii"),
        }

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.early, "the package has no calls for early data")
        try:
            return _PyOpenSSLStage(self._ssl, self._binding, setup)
        except self._ssl.Error as e:
            raise FailedError(str(e)) from e

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file."""
        ctx = self._ssl.Context(self._ssl.TLS_CLIENT_METHOD)
        ctx.load_verify_locations(path)
        return ctx
