"""pyOpenSSL: Connection without a socket."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pyssl.bench import pki
from pyssl.bench.peers.base import End, Facts, FailedError, Peer

_ROOM = 1 << 16  # bytes that are moved at a time


class _PyOpenSSLEnd(End):
    """An end that also carries its bytes over the link.

    pyOpenSSL keeps its two memory BIOs to itself, so they cannot be shared
    by both ends.
    """

    __slots__ = ("_conn", "_inbox", "_outbox", "_ssl")

    def __init__(
        self, ssl: Any, conn: Any, inbox: list[bytes], outbox: list[bytes]
    ) -> None:
        self._ssl = ssl
        self._conn = conn
        self._inbox = inbox
        self._outbox = outbox

    def _take(self) -> None:
        while self._inbox:
            self._conn.bio_write(self._inbox.pop(0))

    def _pass_on(self) -> None:
        try:
            while True:
                self._outbox.append(self._conn.bio_read(_ROOM))
        except self._ssl.WantReadError:
            return

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
            self._pass_on()
        return True

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""

        def send(data: bytes) -> int:
            sent = int(self._conn.send(data))
            self._pass_on()
            return sent

        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""

        def receive() -> int:
            self._take()
            return int(self._conn.recv_into(buffer))

        return receive

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        # Told by pyOpenSSL 25.1 and later.
        group = getattr(self._conn, "get_group_name", str)
        return Facts(
            self._conn.get_protocol_version_name(),
            self._conn.get_cipher_name() or "",
            group() or "",
        )


class PyOpenSSLPeer(Peer):
    """One Context a side.

    Groups, tickets and the host name have no call of their own: the groups
    are libssl's defaults, two tickets are sent, and the host name is set
    through the binding below.
    """

    name = "pyopenssl"
    note = "default groups, sends two session tickets, bytes are copied over"

    def __init__(self) -> None:
        """Make the contexts."""
        self._ssl = import_module("OpenSSL.SSL")
        self._binding = import_module("OpenSSL._util").lib
        self._client = self._ssl.Context(self._ssl.TLS_CLIENT_METHOD)
        self._client.set_verify(self._ssl.VERIFY_PEER)
        self._server = self._ssl.Context(self._ssl.TLS_SERVER_METHOD)
        with pki.as_files() as (ca, server):
            self._client.load_verify_locations(ca)
            self._server.use_certificate_chain_file(server)
            self._server.use_privatekey_file(server)

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        version = self._ssl.SSLeay_version(self._ssl.SSLEAY_VERSION)
        return {
            "pyOpenSSL": import_module("OpenSSL").__version__,
            "libssl": version.decode("ascii"),
        }

    def link(self) -> tuple[list[bytes], list[bytes]]:
        """Make both directions."""
        return [], []

    def client(self, link: Any, host: str) -> End:
        """Put a client on the link."""
        down, up = link
        conn = self._ssl.Connection(self._client, None)
        name = host.encode("ascii")
        conn.set_tlsext_host_name(name)
        checks = self._binding.SSL_get0_param(conn._ssl)
        set_host = self._binding.X509_VERIFY_PARAM_set1_host
        if set_host(checks, name, len(name)) != 1:
            raise FailedError("the host name cannot be set")
        conn.set_connect_state()
        return _PyOpenSSLEnd(self._ssl, conn, down, up)

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        conn = self._ssl.Connection(self._server, None)
        conn.set_accept_state()
        return _PyOpenSSLEnd(self._ssl, conn, up, down)
