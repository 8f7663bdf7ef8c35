"""pyssl: the man pages' objects, as a program uses them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pyssl
from pyssl import names
from pyssl.bench import pki
from pyssl.bench.peers.base import GROUP, End, Facts, FailedError, Peer


def _did(what: str, result: int) -> None:
    """Refuse a result other than 1."""
    if result != 1:
        raise FailedError(f"{what}: {_why()}")


def _why() -> str:
    """Give the text of the newest entry of the error queue."""
    code = pyssl.ERR_peek_last_error()
    pyssl.ERR_clear_error()
    return pyssl.ERR_error_string(code)


class _PysslEnd(End):
    __slots__ = ("_ssl",)

    def __init__(self, ssl: pyssl.SSL) -> None:
        self._ssl = ssl

    def shake(self) -> bool:
        """Do the next part of the handshake."""
        ret = self._ssl.do_handshake()
        if ret == 1:
            return True
        if self._ssl.get_error(ret) != pyssl.SSL_ERROR_WANT_READ:
            raise FailedError(_why())
        return False

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        return self._ssl.write

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._ssl.read, buffer)

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return Facts(
            self._ssl.get_version(),
            self._ssl.get_cipher_name(),
            self._ssl.get0_group_name() or "",
        )


class PysslPeer(Peer):
    """One SSL_CTX a side."""

    name = "pyssl"

    def __init__(self) -> None:
        """Make the contexts."""
        client = pyssl.SSL_CTX(pyssl.TLS_client_method())
        _did("trust", client.load_verify_mem(pki.CA_PEM.encode()))
        _did("group", client.set1_groups_list(GROUP))
        client.set_verify(pyssl.SSL_VERIFY_PEER)
        server = pyssl.SSL_CTX(pyssl.TLS_server_method())
        leaf, key = pki.LEAF_PEM.encode(), pki.LEAF_KEY_PEM.encode()
        _did("certificate", server.use_certificate_chain_mem(leaf))
        form = pyssl.SSL_FILETYPE_PEM
        _did("key", server.use_PrivateKey_mem(key, form))
        # As the other peers: no tickets, which nobody here would use.
        _did("tickets", server.set_num_tickets(0))
        self._client, self._server = client, server

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {
            "pyssl": pyssl.__version__,
            "libcrypto": names.libcrypto(),
        }

    def link(self) -> tuple[pyssl.BIO, pyssl.BIO]:
        """Make both directions."""
        method = pyssl.BIO_s_mem()
        return pyssl.BIO(method), pyssl.BIO(method)

    def client(self, link: Any, host: str) -> End:
        """Put a client on the link."""
        down, up = link
        ssl = pyssl.SSL(self._client)
        ssl.set_tlsext_host_name(host)
        ssl.set1_host(host)
        ssl.set_bio(down, up)
        ssl.set_connect_state()
        return _PysslEnd(ssl)

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        down, up = link
        ssl = pyssl.SSL(self._server)
        ssl.set_bio(up, down)
        ssl.set_accept_state()
        return _PysslEnd(ssl)
