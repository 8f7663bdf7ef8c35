"""tlslite-ng: TLS in Python alone, driven by its generators."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

from pyssl.bench import pki
from pyssl.bench.peers.base import (
    End,
    Facts,
    FailedError,
    Peer,
    Setup,
    Stage,
    only,
)
from pyssl.bench.peers.pipes import PipeEnd, Pipes

_VERSIONS = {"1.2": (3, 3), "1.3": (3, 4)}
_GROUPS = {"X25519": "x25519", "P-256": "secp256r1"}


class _Wire:
    """The socket that the package sees."""

    def __init__(self, outbox: list[bytes]) -> None:
        self._come = bytearray()
        self._outbox = outbox

    def feed(self, data: bytes) -> None:
        """Take bytes of the peer."""
        self._come += data

    def recv(self, n: int) -> bytes:
        """Give what came, as a socket that does not block."""
        if not self._come:
            raise OSError(errno.EWOULDBLOCK, "nothing came")
        data = bytes(self._come[:n])
        del self._come[:n]
        return data

    def send(self, data: bytes) -> int:
        """Pass bytes on."""
        self._outbox.append(bytes(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Pass bytes on."""
        self.send(data)

    def close(self) -> None:
        """Do nothing; what it fails with is to be told, not this."""


class _TlsliteEnd(PipeEnd):
    __slots__ = ("_conn", "_steps", "_wire")

    def __init__(
        self, conn: Any, wire: _Wire, steps: Iterator[int], ways: Pipes
    ) -> None:
        super().__init__(*ways)
        self._conn = conn
        self._wire = wire
        self._steps = steps

    def _feed(self, data: bytes) -> None:
        self._wire.feed(data)

    def _drain(self) -> None:
        """Do nothing: the wire has passed it on."""

    def _send(self, data: bytes) -> int:
        self._conn.write(data)
        return len(data)

    def _receive(self, buffer: bytearray) -> int:
        # A read for no bytes takes in what only the handshake layer wants.
        for result in self._conn.readAsync(max=len(buffer), min=1):
            if isinstance(result, int):
                raise FailedError("a message is missing")
            buffer[: len(result)] = result
            return len(result)
        raise FailedError("a read gave nothing")

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        self._take()
        try:
            for wish in self._steps:
                if wish == 0:
                    return False
        except Exception as e:
            raise FailedError(str(e) or type(e).__name__) from e
        return True

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return Facts(
            f"TLSv1.{self._conn.version[1] - 1}",
            str(self._conn.getCipherName()),
            "",
            bool(self._conn.resumed),
        )

    def session(self) -> Any:
        """Give the session."""
        return self._conn.session


class _TlsliteStage(Stage):
    """The settings of each side."""

    verifies = False

    def __init__(self, api: Any, setup: Setup) -> None:
        self._api = api
        self._mutual = setup.mutual
        self._server = self._settings(setup, server=True)
        self._client = self._settings(setup, server=False)
        if setup.resumed:
            self._server.ticketKeys = [os.urandom(32)]
        self._theirs = self._identity(pki.server(setup.cert, setup.chain))
        self._ours: tuple[Any, Any] = (None, None)
        if setup.mutual:
            self._ours = self._identity(pki.client(setup.cert))
        self._cache = api.SessionCache() if setup.resumed else None

    def _settings(self, setup: Setup, server: bool) -> Any:
        settings = self._api.HandshakeSettings()
        number = _VERSIONS[setup.version]
        settings.minVersion = settings.maxVersion = number
        # Clients send it compressed to servers that did not ask.
        settings.certificate_compression_send = []
        settings.certificate_compression_receive = []
        if setup.small:
            settings.cipherNames = ["aes128gcm"]
        group = _GROUPS[setup.group]
        # Curves of certificates are chosen from these too.
        settings.eccCurves = [group]
        settings.keyShares = [group]
        settings.defaultCurve = group
        if setup.retry and not server:
            settings.eccCurves = ["x25519", group]
            settings.keyShares = ["x25519"]
        if setup.cert == "p256" and "secp256r1" not in settings.eccCurves:
            settings.eccCurves = [*settings.eccCurves, "secp256r1"]
        return settings

    def _identity(self, who: pki.Identity) -> tuple[Any, Any]:
        chain = self._api.X509CertChain()
        chain.parsePemList(who.chain)
        return chain, self._api.parsePEMKey(who.key, private=True)

    def link(self) -> Pipes:
        """Make both directions."""
        return [], []

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        down, up = link
        wire = _Wire(up)
        conn = self._api.TLSConnection(wire)
        chain, key = self._ours
        steps = conn.handshakeClientCert(
            chain,
            key,
            session=session,
            settings=self._client,
            serverName=host,
            async_=True,
        )
        return _TlsliteEnd(conn, wire, steps, (down, up))

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        wire = _Wire(down)
        conn = self._api.TLSConnection(wire)
        chain, key = self._theirs
        steps = conn.handshakeServerAsync(
            certChain=chain,
            privateKey=key,
            reqCert=self._mutual,
            sessionCache=self._cache,
            settings=self._server,
        )
        return _TlsliteEnd(conn, wire, steps, (up, down))


class TlslitePeer(Peer):
    """tlslite-ng; it verifies neither chain nor name."""

    name = "tlslite"
    note = "verifies neither chain nor name, which is less work"

    def __init__(self) -> None:
        """Find the package."""
        with warnings.catch_warnings():
            # It asks for asyncore, which warns where it still exists.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._api = import_module("tlslite.api")

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {"tlslite-ng": version("tlslite-ng")}

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.early, "the package has no early data")
        only(setup.group in _GROUPS, "needs another package for the group")
        return _TlsliteStage(self._api, setup)
