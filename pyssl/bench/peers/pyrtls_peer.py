"""pyrtls: rustls' own interface of bytes in and bytes out."""

from __future__ import annotations

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

_ROOM = 1 << 16  # bytes that are moved at a time


def _parts(chain: str) -> list[str]:
    """Split PEM text into its certificates."""
    end = "-----END CERTIFICATE-----\n"
    return [part + end for part in chain.split(end) if part]


class _PyrtlsEnd(PipeEnd):
    __slots__ = ("_buffer", "_conn", "_heard", "_said")

    def __init__(self, conn: Any, ways: Pipes) -> None:
        super().__init__(*ways)
        self._conn = conn
        self._buffer = bytearray(_ROOM)
        self._heard = self._said = 0

    def _feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            taken = self._conn.read_tls(bytes(view))
            view = view[taken:]
            self._conn.process_new_packets()

    def _drain(self) -> None:
        while self._conn.writable():
            n = self._conn.write_tls_into(self._buffer)
            self._outbox.append(bytes(self._buffer[:n]))

    def _send(self, data: bytes) -> int:
        return int(self._conn.write(data))

    def _receive(self, buffer: bytearray) -> int:
        return int(self._conn.read_into(buffer))

    def shake(self) -> bool:
        """Do the next part of the handshake.

        The package does not tell when it is over: the side that has said
        all it had and heard twice is done, as each side of a full
        handshake of TLS 1.3 is.
        """
        self._heard += bool(self._inbox)
        try:
            self._take()
        except Exception as e:
            raise FailedError(str(e)) from e
        before = len(self._outbox)
        self._drain()
        self._said += len(self._outbox) > before
        return self._heard > 0 and self._heard + self._said >= 3

    def facts(self) -> Facts:
        """Tell what is known: its rustls prefers one version and suite."""
        return Facts("TLSv1.3", "", "")


class _PyrtlsStage(Stage):
    """One configuration a side."""

    def __init__(self, tls: Any, setup: Setup) -> None:
        self._tls = tls
        self._client = tls.ClientConfig(
            platform_verifier=False, custom_roots=[pki.root(setup.cert)]
        )
        ours = pki.server(setup.cert, setup.chain)
        self._server = tls.ServerConfig(_parts(ours.chain), ours.key)

    def link(self) -> Pipes:
        """Make both directions."""
        return [], []

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        del session
        down, up = link
        conn = self._tls.ClientConnection(self._client, host)
        return _PyrtlsEnd(conn, (down, up))

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        conn = self._tls.ServerConnection(self._server)
        return _PyrtlsEnd(conn, (up, down))


class PyrtlsPeer(Peer):
    """pyrtls, on rustls."""

    name = "pyrtls"

    def __init__(self) -> None:
        """Find the package."""
        self._tls = import_module("pyrtls")

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {"pyrtls": version("pyrtls")}

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(setup.version == "1.3", "the package cannot be told a version")
        only(not setup.mutual, "the package has no client certificates")
        only(not setup.resumed, "the package keeps no sessions")
        only(
            setup.group == Setup().group and not setup.retry,
            "the package cannot be told a group",
        )
        return _PyrtlsStage(self._tls, setup)
