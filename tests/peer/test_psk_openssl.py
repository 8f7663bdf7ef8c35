"""External PSKs with `openssl s_server` and `openssl s_client`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.api.sessions import TLS12, TLS13, VERSIONS
from tests.clauses import clause
from tests.forge import ForgeClient12, ForgeServer12
from tests.peer import openssl_cli
from tests.peer.openssl_cli import Client, Listener, Server
from tests.peer.talk import ALERT, End

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)
BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
FLAGS = {TLS12: "-tls1_2", TLS13: "-tls1_3"}
# What s_server says of a wrong key.
REASONS = {TLS12: 20, TLS13: 47}
SUITE = "ECDHE-PSK-CHACHA20-POLY1305"
KEY = bytes(range(32))


def options(version: int, key: bytes = KEY) -> list[str]:
    """Give the options of the other side."""
    own = [FLAGS[version], "-psk", key.hex(), "-psk_identity", "someone"]
    return own if version == TLS13 else [*own, "-cipher", SUITE]


class Ours:
    """A context with a key, on one side."""

    def __init__(self, version: int, key: bytes = KEY) -> None:
        self.ctx = p.SSL_CTX(p.TLS_method())
        p.SSL_CTX_set_min_proto_version(self.ctx, version)
        p.SSL_CTX_set_max_proto_version(self.ctx, version)
        p.SSL_CTX_set_session_id_context(self.ctx, b"tests")
        self.hints: list[Optional[bytes]] = []
        self.names: list[bytes] = []

        def client(_: p.SSL, hint: Optional[bytes], *__: int) -> Any:
            self.hints.append(hint)
            return b"someone", key

        def server(_: p.SSL, name: bytes, __: int) -> bytes:
            self.names.append(name)
            return key if name == b"someone" else b""

        p.SSL_CTX_set_psk_client_callback(self.ctx, client)
        p.SSL_CTX_set_psk_server_callback(self.ctx, server)

    def ssl(
        self, server: bool, session: Optional[p.SSL_SESSION] = None
    ) -> p.SSL:
        """Make a connection."""
        ssl = links.new_ssl(self.ctx)
        if server:
            p.SSL_set_accept_state(ssl)
        else:
            p.SSL_set_connect_state(ssl)
            p.SSL_set_session(ssl, session)
        return ssl


@contextlib.contextmanager
def client_end(
    ours: Ours, server: Server, session: Optional[p.SSL_SESSION] = None
) -> Iterator[End]:
    """Connect to s_server and say a line."""
    with End(ours.ssl(False, session), server.connect()) as end:
        end.establish()
        end.write(b"stressed\n")
        assert end.read_line() == b"desserts\n"
        yield end
        end.close()


@BOTH
@clause("PSK-1", "PSK-3", "RFC 8446 4.2.11", "RFC 5489 2", "RFC 7905 2")
def test_client_shares_a_key_with_s_server(version: int) -> None:
    ours = Ours(version)
    hint = ["-psk_hint", "who?"] if version == TLS12 else []
    session: Optional[p.SSL_SESSION] = None
    with Server(None, *options(version), *hint, "-rev") as server:
        for turn in range(3):
            with client_end(ours, server, session) as end:
                assert p.SSL_get_peer_certificate(end.ssl) is None
                reused = p.SSL_session_reused(end.ssl)
                assert reused == int(version == TLS13 or turn > 0)
                assert p.SSL_get_psk_identity(end.ssl) == b"someone"
                session = p.SSL_get1_session(end.ssl)
                if version == TLS12:
                    assert p.SSL_get_cipher_name(end.ssl) == SUITE
    if version == TLS12:
        # Resumed, nobody is asked.
        assert ours.hints == [b"who?"]
    else:
        assert ours.hints == [None] * 3


@BOTH
@clause("PSK-2", "PSK-3", "RFC 8446 4.2.11", "RFC 5489 2", "RFC 7905 2")
def test_s_client_shares_a_key_with_our_server(
    version: int, tmp_path: Any
) -> None:
    ours = Ours(version)
    assert p.SSL_CTX_use_psk_identity_hint(ours.ctx, b"who?") == 1
    saved = str(tmp_path / "session.pem")
    with Listener() as listener:
        for more in ("-sess_out", "-sess_in"):
            with (
                Client(
                    listener.port, *options(version), "-ign_eof", more, saved
                ) as client,
                End(ours.ssl(True), listener.accept()) as end,
            ):
                end.establish()
                client.send("stressed")
                assert end.read_line() == b"stressed\n"
                end.write(b"desserts\n")
                client.expect("desserts")
                identity = p.SSL_get_psk_identity(end.ssl)
                assert identity == b"someone"
                assert p.SSL_get_peer_certificate(end.ssl) is None
                if version == TLS12:
                    assert p.SSL_get_cipher_name(end.ssl) == SUITE
                    resumed = more == "-sess_in"
                    assert p.SSL_session_reused(end.ssl) == int(resumed)
                end.close()
    # In TLS 1.3 the second hello had a ticket and the key.
    assert ours.names.count(b"someone") == 1


@BOTH
@clause("PSK-1", "RFC 8446 4.2.11", "RFC 4279 2")
def test_client_with_a_wrong_key_is_refused_by_s_server(version: int) -> None:
    ours = Ours(version, b"wrong")
    with (
        Server(None, *options(version), "-rev") as server,
        End(ours.ssl(False), server.connect()) as end,
    ):
        # In TLS 1.3 the binder is wrong, in TLS 1.2 the Finished.
        assert end.fail() == ALERT + (REASONS[version])


@BOTH
@clause("PSK-2", "RFC 8446 4.2.11", "RFC 4279 2")
def test_s_client_with_a_wrong_key_is_refused(version: int) -> None:
    ours = Ours(version)
    with (
        Listener() as listener,
        Client(listener.port, *options(version, b"wrong")) as client,
        End(ours.ssl(True), listener.accept()) as end,
    ):
        assert p.SSL_do_handshake(end.ssl) == -1
        word = "decrypt error" if version == TLS13 else "bad record mac"
        client.expect(word)


@BOTH
@clause("PSK-2", "RFC 8446 4.2.11", "RFC 4279 2")
def test_s_client_that_nobody_knows_is_refused(version: int) -> None:
    ours = Ours(version)
    theirs = [*options(version), "-psk_identity", "stranger"]
    with (
        Listener() as listener,
        Client(listener.port, *theirs) as client,
        End(ours.ssl(True), listener.accept()) as end,
    ):
        assert p.SSL_do_handshake(end.ssl) == -1
        if version == TLS12:
            client.expect("unknown psk identity")
        else:
            client.expect("handshake failure")
        assert ours.names == [b"stranger"]


# ---- the forge with a PSK, of whose honesty this is the proof ---------------


def talk(forge: Any, sock: Any, said: bytes) -> None:
    """Carry bytes both ways until these data have come."""
    with sock:
        while bytes(forge.data) != said:
            sock.sendall(forge.take())
            data = sock.recv(65536)
            assert data, "the peer has closed"
            forge.feed(data)


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@clause("RFC 5489 2", "RFC 4279 2", "RFC 7905 2", "RFC 7627 4")
def test_forge12_client_shares_a_key_with_s_server(extended: bool) -> None:
    forge = ForgeClient12(psk=(b"someone", KEY), extended=extended)
    hint = ["-psk_hint", "who?"]
    with Server(None, *options(TLS12), *hint, "-rev") as server:
        sock = server.connect()
        forge.start()
        while not forge.done:
            sock.sendall(forge.take())
            forge.feed(sock.recv(65536))
        forge.write(b"stressed\n")
        talk(forge, sock, b"desserts\n")
    assert forge.extended == extended
    assert forge.exchange is not None
    assert forge.exchange.body().startswith(b"\0\4who?")
    assert forge.alerts == []


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@clause("RFC 5489 2", "RFC 4279 2", "RFC 7905 2", "RFC 7627 4")
def test_forge12_server_shares_a_key_with_s_client(extended: bool) -> None:
    forge = ForgeServer12(
        None, psks={b"someone": KEY}, hint=b"who?", extended=extended
    )
    with (
        Listener() as listener,
        Client(listener.port, *options(TLS12), "-ign_eof") as client,
    ):
        client.send("stressed")
        talk(forge, listener.accept(), b"stressed\n")
        client.expect("who\\?")
    assert forge.client_identity == b"someone"
    assert forge.extended == extended
    assert forge.alerts == []
