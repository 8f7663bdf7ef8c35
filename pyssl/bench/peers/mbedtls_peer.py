"""python-mbedtls: the buffers of its PEP 543 interface; TLS 1.2 alone."""

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


class _MbedtlsEnd(PipeEnd):
    __slots__ = ("_buffer", "_tls")

    def __init__(self, tls: Any, buffer: Any, ways: Pipes) -> None:
        super().__init__(*ways)
        self._tls = tls
        self._buffer = buffer

    def _feed(self, data: bytes) -> None:
        self._buffer.receive_from_network(data)

    def _drain(self) -> None:
        data = self._buffer.peek_outgoing(_ROOM)
        while data:
            self._outbox.append(data)
            self._buffer.consume_outgoing(len(data))
            data = self._buffer.peek_outgoing(_ROOM)

    def _send(self, data: bytes) -> int:
        # It tells the size of the record, not of what is in it.
        return len(data) if self._buffer.write(data) >= len(data) else 0

    def _receive(self, buffer: bytearray) -> int:
        return int(self._buffer.readinto(buffer, len(buffer)))

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        self._take()
        while self._step():
            said = len(self._outbox)
            self._drain()
            if len(self._outbox) == said:
                return False
        self._drain()
        over = self._tls.HandshakeStep.HANDSHAKE_OVER
        return self._buffer._handshake_state is over

    def _step(self) -> bool:
        """Go on; True if it wants to be drained before more."""
        over = self._tls.HandshakeStep.HANDSHAKE_OVER
        try:
            while self._buffer._handshake_state is not over:
                self._buffer.do_handshake()
        except self._tls.WantWriteError:
            return True
        except self._tls.WantReadError:
            return False
        except Exception as e:
            self._drain()
            raise FailedError(str(e)) from e
        return False

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return Facts("TLSv1.2", str(self._buffer.cipher()), "")


class _MbedtlsStage(Stage):
    """One context a side."""

    def __init__(self, tls: Any, setup: Setup) -> None:
        x509, keys = import_module("mbedtls.x509"), import_module("mbedtls.pk")
        self._tls = tls
        store = tls.TrustStore()
        root = x509.CRT.from_PEM(pki.root(setup.cert))
        store.add(root)

        def configured(who: pki.Identity, careful: bool) -> Any:
            first = x509.CRT.from_PEM(who.chain)
            kind = keys.ECC if setup.cert == "p256" else keys.RSA
            key = kind.from_PEM(who.key)
            return tls.TLSConfiguration(
                trust_store=store,
                certificate_chain=([first], key),
                validate_certificates=careful,
            )

        plain = tls.TLSConfiguration(
            trust_store=store, validate_certificates=True
        )
        ours = pki.server(setup.cert)
        if setup.mutual:
            plain = configured(pki.client(setup.cert), True)
        self._client = tls.ClientContext(plain)
        self._server = tls.ServerContext(configured(ours, setup.mutual))

    def link(self) -> Pipes:
        """Make both directions."""
        return [], []

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        del session
        down, up = link
        buffer = self._client.wrap_buffers(host)
        return _MbedtlsEnd(self._tls, buffer, (down, up))

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        buffer = self._server.wrap_buffers()
        return _MbedtlsEnd(self._tls, buffer, (up, down))


class MbedtlsPeer(Peer):
    """python-mbedtls, on mbed TLS 2.28."""

    name = "mbedtls"
    note = "bytes in memory are copied from one end to the other"

    def __init__(self) -> None:
        """Find the package."""
        self._tls = import_module("mbedtls.tls")

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        library = import_module("mbedtls.version").version
        return {
            "python-mbedtls": version("python-mbedtls"),
            "on": str(library),
        }

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(setup.version == "1.2", "its mbed TLS has no TLS 1.3")
        only(not setup.resumed, "the package has no calls for sessions")
        only(setup.group == Setup().group, "the package is told no group")
        only(setup.chain == 1, "the package sends one certificate")
        only(setup.cert != "ed25519", "its mbed TLS has no Ed25519")
        return _MbedtlsStage(self._tls, setup)

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file."""
        store = self._tls.TrustStore.from_pem_file(path)
        return self._tls.ClientContext(
            self._tls.TLSConfiguration(
                trust_store=store, validate_certificates=True
            )
        )
