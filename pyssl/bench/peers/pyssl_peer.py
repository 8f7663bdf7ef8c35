"""pyssl: the man pages' objects, as a program uses them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket
from typing import Any, Optional

import pyssl
from pyssl import names
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
from pyssl.bench.peers.wires import Wire, WiredStage

_VERSIONS = {"1.2": pyssl.TLS1_2_VERSION, "1.3": pyssl.TLS1_3_VERSION}
_MUST = pyssl.SSL_VERIFY_PEER | pyssl.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
_CLOSED = pyssl.SSL_SENT_SHUTDOWN | pyssl.SSL_RECEIVED_SHUTDOWN
_EARLY_MAX = 16384

# What the client reads from and writes to, and the server.
_Link = tuple[tuple[pyssl.BIO, pyssl.BIO], tuple[pyssl.BIO, pyssl.BIO]]


def _did(what: str, result: int) -> None:
    """Refuse a result other than 1."""
    if result != 1:
        raise FailedError(f"{what}: {_why()}")


def _why() -> str:
    """Give the text of the newest entry of the error queue."""
    code = pyssl.ERR_peek_last_error()
    pyssl.ERR_clear_error()
    return pyssl.ERR_error_string(code)


def _facts(ssl: pyssl.SSL) -> Facts:
    """Tell what a connection agreed on."""
    return Facts(
        ssl.get_version(),
        ssl.get_cipher_name(),
        ssl.get0_group_name() or "",
        ssl.session_reused() == 1,
    )


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
        return _facts(self._ssl)

    def session(self) -> Any:
        """Give the session, as of a connection that ends well."""
        self._ssl.set_shutdown(_CLOSED)
        return self._ssl.get1_session()

    def early(self, data: bytes) -> None:
        """Send early data."""
        if self._ssl.write_early_data(data) != (1, len(data)):
            raise FailedError(f"early data: {_why()}")


class _EarlyServer(_PysslEnd):
    """A server that reads early data before anything else."""

    __slots__ = ("_buffer", "_got", "_over")

    def __init__(self, ssl: pyssl.SSL) -> None:
        super().__init__(ssl)
        self._buffer = bytearray(_EARLY_MAX)
        self._over = False

    def shake(self) -> bool:
        """Read what comes early, then go on."""
        while not self._over:
            result, _ = self._ssl.read_early_data(self._buffer)
            if result == pyssl.SSL_READ_EARLY_DATA_FINISH:
                self._over = True
            elif result == pyssl.SSL_READ_EARLY_DATA_ERROR:
                error = self._ssl.get_error(0)
                if error != pyssl.SSL_ERROR_WANT_READ:
                    raise FailedError(_why())
                return False
        return super().shake()


# What a socket is to be ready for.
_WAITS = {
    pyssl.SSL_ERROR_WANT_READ: EVENT_READ,
    pyssl.SSL_ERROR_WANT_WRITE: EVENT_WRITE,
}


class _PysslWire(Wire):
    __slots__ = ("_ssl",)

    def __init__(self, ssl: pyssl.SSL, sock: socket) -> None:
        _did("socket", ssl.set_fd(sock.fileno()))
        self._ssl = ssl
        self.sock = sock

    def shake(self) -> int:
        """Do what can be done of the handshake."""
        ret = self._ssl.do_handshake()
        if ret == 1:
            return 0
        wait = _WAITS.get(self._ssl.get_error(ret))
        if wait is None:
            raise FailedError(_why())
        return wait

    def facts(self) -> Facts:
        """Tell what was agreed on."""
        return _facts(self._ssl)

    def sender(self) -> Callable[[bytes], int]:
        """Give what writes."""
        return self._ssl.write

    def receiver(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads."""
        return partial(self._ssl.read, buffer)

    def waiter(self, buffer: bytearray) -> Callable[[], int]:
        """Give what reads, or finds that nothing came."""
        read, error_of = self._ssl.read, self._ssl.get_error

        def look() -> int:
            ret = read(buffer)
            if ret > 0:
                return ret
            if error_of(ret) != pyssl.SSL_ERROR_WANT_READ:
                raise FailedError(_why())
            return 0

        return look


class _PysslStage(WiredStage):
    """One SSL_CTX a side."""

    pairs = "BIO pair"

    def __init__(self, setup: Setup, remember: bool) -> None:
        self._early = setup.early
        client = pyssl.SSL_CTX(pyssl.TLS_client_method())
        server = pyssl.SSL_CTX(pyssl.TLS_server_method())
        root = pki.root(setup.cert).encode()
        _did("trust", client.load_verify_mem(root))
        client.set_verify(pyssl.SSL_VERIFY_PEER)
        self._identify(server, pki.server(setup.cert, setup.chain))
        if setup.mutual:
            self._identify(client, pki.client(setup.cert))
            _did("trust", server.load_verify_mem(root))
            server.set_verify(_MUST)
        group = setup.group
        first = f"X25519:{group}" if setup.retry else group
        if setup.version == "1.2" and "P-256" not in first:
            first = group = f"{group}:P-256"  # for certificates too, there
        number = _VERSIONS[setup.version]
        for ctx, groups in ((client, first), (server, group)):
            ctx.set_remember_chains(remember)
            _did("version", ctx.set_min_proto_version(number))
            _did("version", ctx.set_max_proto_version(number))
            if ctx.set1_groups_list(groups) != 1:
                pyssl.ERR_clear_error()
                raise SkipError(f"this libcrypto has no {group}")
            if setup.small:
                _did("suite", ctx.set_ciphersuites(SMALL_13))
                _did("suite", ctx.set_cipher_list(SMALL_12))
        _did("tickets", server.set_num_tickets(int(setup.resumed)))
        if not setup.resumed:
            server.set_options(pyssl.SSL_OP_NO_TICKET)
            server.set_session_cache_mode(pyssl.SSL_SESS_CACHE_OFF)
        if setup.early:
            _did("early data", server.set_max_early_data(_EARLY_MAX))
            _did("early data", server.set_recv_max_early_data(_EARLY_MAX))
        self._client, self._server = client, server

    def _identify(self, ctx: pyssl.SSL_CTX, who: pki.Identity) -> None:
        chain, key = who.chain.encode(), who.key.encode()
        _did("certificate", ctx.use_certificate_chain_mem(chain))
        form = pyssl.SSL_FILETYPE_PEM
        _did("key", ctx.use_PrivateKey_mem(key, form))

    def link(self) -> _Link:
        """Make both directions."""
        method = pyssl.BIO_s_mem()
        down, up = pyssl.BIO(method), pyssl.BIO(method)
        return (down, up), (up, down)

    def pair(self) -> _Link:
        """Make a BIO pair."""
        mine, theirs = pyssl.BIO_new_bio_pair()
        if mine is None or theirs is None:
            raise FailedError(_why())
        return (mine, mine), (theirs, theirs)

    def client(self, link: Any, host: str, session: Any = None) -> End:
        """Put a client on the link."""
        ssl = self._caller(host)
        if session is not None:
            _did("session", ssl.set_session(session))
        ssl.set_bio(*link[0])
        ssl.set_connect_state()
        return _PysslEnd(ssl)

    def _caller(self, host: str) -> pyssl.SSL:
        """Make a client that asks for a host."""
        ssl = pyssl.SSL(self._client)
        ssl.set_tlsext_host_name(host)
        ssl.set1_host(host)
        return ssl

    def server(self, link: Any) -> End:
        """Put a server on the other end."""
        ssl = pyssl.SSL(self._server)
        ssl.set_bio(*link[1])
        ssl.set_accept_state()
        return _EarlyServer(ssl) if self._early else _PysslEnd(ssl)

    def wire(self, sock: socket, host: Optional[str]) -> Wire:
        """Put an end on a socket."""
        if host is None:
            ssl = pyssl.SSL(self._server)
            ssl.set_accept_state()
        else:
            ssl = self._caller(host)
            ssl.set_connect_state()
        return _PysslWire(ssl, sock)


def _supply() -> dict[str, str]:
    """Name where the primitives come from, if that is not libcrypto."""
    if names.primitives() == names.libcrypto():
        return {}
    return {"primitives": names.primitives()}


class PysslPeer(Peer):
    """pyssl with its defaults."""

    name = "pyssl"
    note = "remembers verified chains, as by default"

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return {
            "pyssl": pyssl.__version__,
            "libcrypto": names.libcrypto(),
            **_supply(),
        }

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        return _PysslStage(setup, remember=True)

    def trust(self, path: str) -> Any:
        """Make a client context that trusts a file."""
        ctx = pyssl.SSL_CTX(pyssl.TLS_client_method())
        _did("trust", ctx.load_verify_locations(path))
        return ctx


class ForgetfulPeer(PysslPeer):
    """pyssl with set_remember_chains(False)."""

    name = "pyssl-forgetful"
    note = "verifies each chain anew; the same as pyssl in all else"
    handshakes_only = True

    def stage(self, setup: Setup) -> Stage:
        """Make the contexts."""
        only(not setup.resumed, "no chain is verified here: the same as pyssl")
        return _PysslStage(setup, remember=False)

    def trust(self, path: str) -> Any:
        """Leave it to the other."""
        del path
        raise SkipError("no chain is verified here: the same as pyssl")
