"""The standard library's ssl, and modules with its interface.

utls stands on BoringSSL, rtls on rustls. All are SSLObject over MemoryBIO.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket
from typing import Any, ClassVar, Optional

from pyssl.bench import pki
from pyssl.bench.peers.base import (
    SMALL_12,
    End,
    Facts,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
    only,
)
from pyssl.bench.peers.wires import Wire, WiredStage, unless

# The name of a curve for set_ecdh_curve, where it is another.
_CURVES = {"P-256": "prime256v1"}
_VERSIONS = {"1.2": "TLSv1_2", "1.3": "TLSv1_3"}


def _facts(tls: Any, group: str) -> Facts:
    """Tell what a connection agreed on."""
    suite = tls.cipher()
    return Facts(
        tls.version() or "",
        "" if suite is None else suite[0],
        group,
        getattr(tls, "session_reused", None),
    )


class _SslEnd(End):
    __slots__ = ("_group", "_ssl", "_tls")

    def __init__(self, ssl: Any, tls: Any, group: str) -> None:
        self._ssl = ssl
        self._tls = tls
        self._group = group

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        try:
            self._tls.do_handshake()
        except self._ssl.SSLWantReadError:
            return False
        except self._ssl.SSLError as e:
            raise FailedError(str(e)) from e
        return True

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._tls.write
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._tls.read, len(buffer), buffer)

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._tls, self._group)

    def session(self) -> Any:
        """Give the session."""
        return self._tls.session


class _SslStage(Stage):
    """One SSLContext a side."""

    def __init__(
        self, ssl: Any, setup: Setup, told: bool, tickets: bool
    ) -> None:
        """Make the contexts.

        Args:
            ssl: The module.
            setup: What they are to be.
            told: The module can be told a group.
            tickets: The module can be told how many to send.
        """
        self._ssl = ssl
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        number = getattr(ssl.TLSVersion, _VERSIONS[setup.version])
        for ctx in (client, server):
            ctx.minimum_version = ctx.maximum_version = number
            if setup.small and setup.version == "1.2":
                ctx.set_ciphers(SMALL_12)
        client.load_verify_locations(cadata=pki.root(setup.cert))
        with pki.as_files(setup.cert, setup.chain) as files:
            server.load_cert_chain(files.server, files.server_key)
            if setup.mutual:
                client.load_cert_chain(files.client, files.client_key)
                server.load_verify_locations(cadata=pki.root(setup.cert))
                server.verify_mode = ssl.CERT_REQUIRED
        if not setup.resumed:
            server.options |= ssl.OP_NO_TICKET
        if tickets:
            server.num_tickets = int(setup.resumed)
        self._group = self._choose(client, server, setup) if told else ""
        self._client, self._server = client, server

    def _choose(self, client: Any, server: Any, setup: Setup) -> str:
        """Let both ends agree on the group; give it if they surely will.

        A module can be told one group only, and in TLS 1.2 it takes no
        other for the peer's certificate either. So there the server is
        told, which reads none; with client certificates nobody is.
        """
        old = setup.version == "1.2"
        if old and setup.mutual and setup.group == Setup().group:
            return ""  # libssl's own first choice
        end = server if setup.retry or old else client
        try:
            end.set_ecdh_curve(_CURVES.get(setup.group, setup.group))
        except (ValueError, self._ssl.SSLError) as e:
            if setup.group != Setup().group:
                raise SkipError(f"no {setup.group}: {e}") from e
            return ""  # libssl's own first choice
        return setup.group

    def link(self) -> tuple[Any, Any]:
        """Make both directions."""
        return self._ssl.MemoryBIO(), self._ssl.MemoryBIO()

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        down, up = link
        more = {} if session is None else {"session": session}
        tls = self._client.wrap_bio(down, up, server_hostname=host, **more)
        return _SslEnd(self._ssl, tls, self._group)

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        tls = self._server.wrap_bio(up, down, server_side=True)
        return _SslEnd(self._ssl, tls, self._group)


class _StdlibWire(Wire):
    """An SSLSocket; it takes the descriptor of the socket it is made of."""

    __slots__ = ("_group", "_ssl", "_tls")

    def __init__(self, ssl: Any, tls: Any, group: str) -> None:
        self._ssl = ssl
        self._tls = self.sock = tls
        self._group = group

    def shake(self) -> int:
        """Do what can be done of the handshake."""
        try:
            self._tls.do_handshake()
        except self._ssl.SSLWantReadError:
            return EVENT_READ
        except self._ssl.SSLWantWriteError:
            return EVENT_WRITE
        except OSError as e:
            raise FailedError(str(e)) from e
        return 0

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._tls, self._group)

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._tls.write
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._tls.read, len(buffer), buffer)

    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads, or finds that nothing came."""
        return unless(self.receiver(buffer), self._ssl.SSLWantReadError)


class _StdlibStage(_SslStage, WiredStage):
    """The module itself also wraps sockets."""

    pairs = "MemoryBIO"

    def wire(self, sock: socket, host: Optional[str]) -> Wire:
        """Put an end on a socket."""
        ctx = self._server if host is None else self._client
        tls = ctx.wrap_socket(
            sock,
            server_side=host is None,
            do_handshake_on_connect=False,
            server_hostname=host,
        )
        return _StdlibWire(self._ssl, tls, self._group)


class _SslPeer(Peer):
    """A module with the interface of ssl."""

    module: ClassVar[str]
    told: ClassVar[bool] = True
    tickets: ClassVar[bool] = True
    stages: ClassVar[type[_SslStage]] = _SslStage

    def __init__(self) -> None:
        """Find the module."""
        self._ssl = import_module(self.module)

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {
            self.module: version(self.module),
            "on": str(self._ssl.OPENSSL_VERSION),
        }

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.early, "the module has no calls for early data")
        try:
            return self.stages(self._ssl, setup, self.told, self.tickets)
        except self._ssl.SSLError as e:
            raise FailedError(str(e)) from e

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file."""
        ctx = self._ssl.SSLContext(self._ssl.PROTOCOL_TLS_CLIENT)
        ctx.load_verify_locations(path)
        return ctx


class StdlibPeer(_SslPeer):
    """The standard library."""

    name = "stdlib"
    module = "ssl"
    stages = _StdlibStage

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {
            "ssl": f"of {platform.python_version()}",
            "libssl": str(self._ssl.OPENSSL_VERSION),
        }


class UtlsPeer(_SslPeer):
    """utls, on BoringSSL."""

    name = "utls"
    module = "utls"

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(
            setup.cert != "ed25519",
            "offers no signature scheme for Ed25519",
        )
        only(
            not setup.resumed or setup.version == "1.2",
            "its sessions of TLS 1.3 cannot be resumed",
        )
        return super().stage(setup)


class RtlsPeer(_SslPeer):
    """rtls, on rustls."""

    name = "rtls"
    module = "rtls"
    told = False
    tickets = False

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.resumed, "the module keeps no sessions")
        only(
            setup.group == Setup().group and not setup.retry,
            "the module cannot be told a group",
        )
        return super().stage(setup)
