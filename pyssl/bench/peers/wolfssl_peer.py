"""wolfssl: its SSLSocket, over a pair of sockets where others use memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket, socketpair
from typing import Any, Optional

from pyssl.bench import pki
from pyssl.bench.peers.base import (
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

# AES-128-GCM, as wolfSSL calls it.
_SMALL_13 = "TLS13-AES128-GCM-SHA256"
_SMALL_12 = {"rsa2048": "ECDHE-RSA-AES128-GCM-SHA256"}
_SMALL_12_EC = "ECDHE-ECDSA-AES128-GCM-SHA256"


class _Half(socket):
    """A socket of a pair, which is closed when nobody has it any more."""

    __slots__ = ()

    def __init__(self, made: socket) -> None:
        kind = made.family, made.type, made.proto
        super().__init__(*kind, fileno=made.detach())
        self.setblocking(False)

    def __del__(self) -> None:
        """Close it; no more is said."""
        self.close()


class _WolfsslEnd(End):
    __slots__ = ("_facts", "_ssl", "_tls")

    def __init__(self, stage: _WolfsslStage, tls: Any) -> None:
        self._ssl = stage.ssl
        self._facts = stage.facts
        self._tls = tls

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        try:
            self._tls.do_handshake()
        except self._ssl.SSLWantReadError:
            return False
        except OSError as e:
            raise FailedError(str(e)) from e
        return True

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._tls.write
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._tls.recv_into, buffer)

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return self._facts(self._tls)


class _WolfsslWire(Wire):
    __slots__ = ("_facts", "_ssl", "_tls")

    def __init__(self, stage: _WolfsslStage, tls: Any, sock: socket) -> None:
        self._ssl = stage.ssl
        self._facts = stage.facts
        self._tls = tls
        self.sock = sock

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
        return self._facts(self._tls)

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        send: Callable[[bytes], int] = self._tls.write
        return send

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._tls.recv_into, buffer)

    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads, or finds that nothing came."""
        return unless(self.receiver(buffer), self._ssl.SSLWantReadError)


class _WolfsslStage(WiredStage):
    """One SSLContext a side."""

    pairs = "socketpair"

    def __init__(self, ssl: Any, setup: Setup) -> None:
        self.ssl = ssl
        kinds = {"1.2": ssl.PROTOCOL_TLSv1_2, "1.3": ssl.PROTOCOL_TLSv1_3}
        client = ssl.SSLContext(kinds[setup.version], server_side=False)
        server = ssl.SSLContext(kinds[setup.version], server_side=True)
        # What was agreed on is not told, but they have no other.
        self._suite = ""
        if setup.small:
            old = _SMALL_12.get(setup.cert, _SMALL_12_EC)
            self._suite = old if setup.version == "1.2" else _SMALL_13
            client.set_ciphers(self._suite)
            server.set_ciphers(self._suite)
        client.verify_mode = ssl.CERT_REQUIRED
        client.check_hostname = True
        client.load_verify_locations(cadata=pki.root(setup.cert))
        with pki.as_files(setup.cert, setup.chain) as files:
            server.load_cert_chain(files.server, files.server_key)
            if setup.mutual:
                client.load_cert_chain(files.client, files.client_key)
                server.load_verify_locations(cadata=pki.root(setup.cert))
                server.verify_mode = ssl.CERT_REQUIRED
        self._client, self._server = client, server

    def facts(self, tls: Any) -> Facts:
        """Tell what a connection agreed on."""
        return Facts(tls.version(), self._suite, "", False)

    def link(self) -> tuple[socket, socket]:
        """Make two sockets that are tied to each other."""
        try:
            one, other = socketpair()
        except OSError as e:
            raise SkipError(f"the package needs a socket an end: {e}") from e
        return _Half(one), _Half(other)

    def _wrapped(self, sock: socket, host: Optional[str]) -> Any:
        """Put the package's socket around one."""
        ctx = self._server if host is None else self._client
        return ctx.wrap_socket(
            sock, do_handshake_on_connect=False, server_hostname=host
        )

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        del session
        return _WolfsslEnd(self, self._wrapped(link[0], host))

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        return _WolfsslEnd(self, self._wrapped(link[1], None))

    def wire(self, sock: socket, host: Optional[str]) -> Wire:
        """Put an end on a socket."""
        return _WolfsslWire(self, self._wrapped(sock, host), sock)


class WolfsslPeer(Peer):
    """wolfssl, on wolfSSL."""

    name = "wolfssl"
    note = (
        "has sockets alone: bytes in memory go over a socketpair; "
        "chooses the group itself and does not tell it"
    )

    def __init__(self) -> None:
        """Find the package."""
        self._ssl = import_module("wolfssl")
        if not hasattr(self._ssl.SSLSocket, "version"):
            raise ImportError("this wolfssl is too old to tell the version")
        # It imports without its extension too, and fails later.
        import_module("wolfssl._ffi")

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {"wolfssl": version("wolfssl")}

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.early, "the package has no calls for early data")
        only(not setup.resumed, "the package has no calls for sessions")
        only(
            setup.group == Setup().group and not setup.retry,
            "the package is told no group",
        )
        try:
            return _WolfsslStage(self._ssl, setup)
        except OSError as e:
            raise FailedError(str(e)) from e

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file."""
        ctx = self._ssl.SSLContext(self._ssl.PROTOCOL_TLS, server_side=False)
        ctx.load_verify_locations(path)
        return ctx
