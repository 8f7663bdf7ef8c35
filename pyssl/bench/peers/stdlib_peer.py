"""The standard library's ssl module: SSLObject over MemoryBIO."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from pyssl.bench import pki
from pyssl.bench.peers.base import GROUP, End, Facts, FailedError, Peer


class _StdlibEnd(End):
    __slots__ = ("_group", "_tls")

    def __init__(self, tls: ssl.SSLObject, group: str) -> None:
        self._tls = tls
        self._group = group

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as e:
            raise FailedError(str(e)) from e
        return True

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        return self._tls.write

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        read: Any = self._tls.read  # gives bytes, or a count with a buffer
        return partial(read, len(buffer), buffer)

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        suite = self._tls.cipher()
        return Facts(
            self._tls.version() or "",
            "" if suite is None else suite[0],
            self._group,
        )


class StdlibPeer(Peer):
    """One SSLContext a side, with its defaults."""

    name = "stdlib"

    def __init__(self) -> None:
        """Make the contexts."""
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.load_verify_locations(cadata=pki.CA_PEM)
        # A client with one group cannot agree on another. Older Pythons do
        # not know the name: then libssl's first is used, and it is not told.
        self._group = ""
        with suppress(ValueError, ssl.SSLError):
            self._client.set_ecdh_curve(GROUP)
            self._group = GROUP
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.num_tickets = 0
        with pki.as_files() as (_, server):
            self._server.load_cert_chain(server)

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {
            "ssl": f"of {platform.python_version()}",
            "libssl": ssl.OPENSSL_VERSION,
        }

    def link(self) -> tuple[ssl.MemoryBIO, ssl.MemoryBIO]:
        """Make both directions."""
        return ssl.MemoryBIO(), ssl.MemoryBIO()

    def client(self, link: Any, host: str) -> End:
        """Put a client on the link."""
        down, up = link
        tls = self._client.wrap_bio(down, up, server_hostname=host)
        return _StdlibEnd(tls, self._group)

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        tls = self._server.wrap_bio(up, down, server_side=True)
        return _StdlibEnd(tls, self._group)
