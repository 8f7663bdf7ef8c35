"""Early data, with `openssl s_server` and `s_client` as the other side."""

from __future__ import annotations

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer import openssl_cli
from tests.peer.openssl_cli import Client, Listener, Server, trust_options
from tests.peer.talk import SUITES, End
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)

NAME = ("-servername", "localhost")
LIMIT = 20000


def read_to_the_end(ssl: p.SSL) -> bytes:
    """Read early data until there is no more."""
    got = b""
    while True:
        buf = bytearray(3000)
        ret, n = p.SSL_read_early_data(ssl, buf)
        assert ret != p.SSL_READ_EARLY_DATA_ERROR, links.reasons()
        if ret == p.SSL_READ_EARLY_DATA_FINISH:
            return got
        got += buf[:n]


# ---- our client ------------------------------------------------------------


def client_ctx(suite: str) -> p.SSL_CTX:
    """Make a context for a client that trusts the server."""
    ctx = p.SSL_CTX(p.TLS_client_method())
    assert p.SSL_CTX_load_verify_mem(ctx, ca.leaf().ca_pem) == 1
    p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
    assert p.SSL_CTX_set_ciphersuites(ctx, suite) == 1
    return ctx


def client_end(ctx: p.SSL_CTX, server: Server) -> End:
    """Connect a client, no handshake done."""
    ssl = p.SSL(ctx)
    p.SSL_set_connect_state(ssl)
    assert p.SSL_set_tlsext_host_name(ssl, links.HOST) == 1
    assert p.SSL_set1_host(ssl, links.HOST) == 1
    return End(ssl, server.connect())


def session_from(ctx: p.SSL_CTX, server: Server) -> p.SSL_SESSION:
    """Connect once and take the session."""
    with client_end(ctx, server) as end:
        end.establish()
        end.write(b"first visit\n")
        server.expect("first visit$")
        server.send("hello")
        assert end.read_line() == b"hello\n"
        session = p.SSL_get1_session(end.ssl)
        assert session is not None
        end.close()
        server.expect("^DONE$")
    return session


@clause("ED-1", "ED-2", "ED-4", "ED-5", "RFC 8446 2.3")
@pytest.mark.parametrize("suite", SUITES)
def test_server_takes_the_early_data_of_our_client(suite: str) -> None:
    with Server(ca.leaf(), "-early_data") as server:
        ctx = client_ctx(suite)
        session = session_from(ctx, server)
        assert p.SSL_SESSION_get_max_early_data(session) == 16384
        copy = p.SSL_SESSION_dup(session)
        with client_end(ctx, server) as end:
            assert p.SSL_set_session(end.ssl, session) == 1
            first, second = b"early bird\n", b"second worm\n"
            for part in (first, second):
                found = p.SSL_write_early_data(end.ssl, part)
                assert found == (1, len(part)), links.reasons()
            end.establish()
            status = p.SSL_get_early_data_status(end.ssl)
            assert status == p.SSL_EARLY_DATA_ACCEPTED
            assert p.SSL_session_reused(end.ssl) == 1
            server.expect("^early bird$")
            server.expect("^second worm$")
            end.write(b"behind it\n")
            server.expect("^behind it$")
            server.send("answer")
            assert end.read_line() == b"answer\n"
            end.close()
            server.expect("^DONE$")
        # A second use of the ticket: the server remembers it.
        with client_end(ctx, server) as end:
            assert p.SSL_set_session(end.ssl, copy) == 1
            assert p.SSL_write_early_data(end.ssl, b"again\n") == (1, 6)
            end.establish()
            status = p.SSL_get_early_data_status(end.ssl)
            assert status == p.SSL_EARLY_DATA_REJECTED
            end.write(b"again\n")
            server.expect("^again$")


@clause("ED-5", "RFC 8446 4.1.4", "RFC 8446 4.2.10")
def test_server_that_asks_for_another_group_refuses_our_early_data() -> None:
    with Server(ca.leaf(), "-early_data", "-groups", "P-384") as server:
        ctx = client_ctx(SUITES[0])
        session = session_from(ctx, server)
        with client_end(ctx, server) as end:
            assert p.SSL_set_session(end.ssl, session) == 1
            assert p.SSL_write_early_data(end.ssl, b"early\n") == (1, 6)
            end.establish()
            status = p.SSL_get_early_data_status(end.ssl)
            assert status == p.SSL_EARLY_DATA_REJECTED
            end.write(b"late\n")
            server.expect("^late$")


# ---- our server ------------------------------------------------------------


@pytest.fixture
def server_ctx() -> p.SSL_CTX:
    """Give the context of a server whose tickets allow early data."""
    ctx = p.SSL_CTX(p.TLS_server_method())
    links.use_identity(ctx, ca.leaf())
    assert p.SSL_CTX_set_max_early_data(ctx, LIMIT) == 1
    assert p.SSL_CTX_set_recv_max_early_data(ctx, LIMIT) == 1
    return ctx


def server_end(ctx: p.SSL_CTX, listener: Listener) -> End:
    """Take a connection, no handshake done."""
    ssl = p.SSL(ctx)
    p.SSL_set_accept_state(ssl)
    return End(ssl, listener.accept())


def save_session(
    ctx: p.SSL_CTX, listener: Listener, path: str, suite: str
) -> None:
    """Let s_client connect once and save its session."""
    options = ("-sess_out", path, "-ciphersuites", suite)
    with (
        Client(
            listener.port, *trust_options(ca.leaf()), *NAME, *options
        ) as client,
        server_end(ctx, listener) as end,
    ):
        end.establish()
        end.write(b"behind the tickets\n")
        client.expect("^behind the tickets$")


@clause("ED-1", "ED-2", "ED-3", "ED-4", "ED-5", "ED-7", "RFC 8446 2.3")
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("size", [1, 16385, LIMIT])
def test_our_server_takes_the_early_data_of_a_client(
    server_ctx: p.SSL_CTX, tmp_path, suite: str, size: int
) -> None:
    saved, early = tmp_path / "session.pem", tmp_path / "early"
    data = b"e" * size
    early.write_bytes(data)
    resume = ("-sess_in", str(saved), "-early_data", str(early))
    resume += ("-ciphersuites", suite)
    with Listener() as listener:
        save_session(server_ctx, listener, str(saved), suite)
        for wanted in (data, b""):
            with (
                Client(
                    listener.port, *trust_options(ca.leaf()), *NAME, *resume
                ) as client,
                server_end(server_ctx, listener) as end,
            ):
                assert read_to_the_end(end.ssl) == wanted
                found = p.SSL_write_early_data(end.ssl, b"half an answer\n")
                assert found == (1, 15)
                end.establish()
                assert p.SSL_session_reused(end.ssl) == 1
                word = "accepted" if wanted else "rejected"
                client.expect(f"^Early data was {word}$")
                client.expect("^half an answer$")
                client.send("late")
                assert end.read_line() == b"late\n"
