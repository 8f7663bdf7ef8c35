"""Our side of a case of the interop matrix."""

from __future__ import annotations

import functools
import re
from typing import Any, Callable, Optional

import pyssl as p
from tests.api import links
from tests.peer.openssl_cli import connect
from tests.peer.peers.base import Peer
from tests.peer.peers.cases import EARLY, PAYLOAD, Case
from tests.peer.talk import REQUIRED, End
from tests.pki import ca

VERSIONS = {"1.2": p.TLS1_2_VERSION, "1.3": p.TLS1_3_VERSION}

# ServerHello.random of a HelloRetryRequest (RFC 8446 4.1.3).
RETRY = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)


def unable(case: Case) -> Optional[str]:
    """Say why we cannot take part in a case; None if we can."""
    if not has_group(case.group):
        return f"this libcrypto has no {case.group}"
    return None


@functools.cache
def has_group(name: str) -> bool:
    """Tell whether our libcrypto has a group."""
    ctx = p.SSL_CTX_new(p.TLS_method())
    found = p.SSL_CTX_set1_groups_list(ctx, name) == 1
    p.ERR_clear_error()
    return found


def context(case: Case) -> p.SSL_CTX:
    """Make our context: one version, one suite, one group."""
    client = case.role == "client"
    method = p.TLS_client_method() if client else p.TLS_server_method()
    ctx = p.SSL_CTX_new(method)
    if case.scenario == "early" and not client:
        # More than comes, because tstclnt waits for ever at the limit.
        assert p.SSL_CTX_set_max_early_data(ctx, 2 * len(PAYLOAD)) == 1
        assert p.SSL_CTX_set_recv_max_early_data(ctx, 2 * len(PAYLOAD)) == 1
    number = VERSIONS[case.version]
    assert p.SSL_CTX_set_min_proto_version(ctx, number) == 1
    assert p.SSL_CTX_set_max_proto_version(ctx, number) == 1
    if case.version == "1.3":
        assert p.SSL_CTX_set_ciphersuites(ctx, case.suite) == 1
    else:
        assert p.SSL_CTX_set_cipher_list(ctx, case.suite) == 1
    groups = case.groups if client else (case.group,)
    assert p.SSL_CTX_set1_groups_list(ctx, ":".join(groups)) == 1
    root = ca.authority().ca_pem
    if client:
        assert p.SSL_CTX_load_verify_mem(ctx, root) == 1
        p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
        if case.scenario == "client-auth":
            links.use_identity(ctx, case.client)
    else:
        links.use_identity(ctx, case.server)
        if case.scenario == "client-auth":
            assert p.SSL_CTX_load_verify_mem(ctx, root) == 1
            p.SSL_CTX_set_verify(ctx, REQUIRED, None)
    return ctx


class Wire:
    """Watches the bytes below an end for a HelloRetryRequest."""

    def __init__(self, end: End) -> None:
        self._seen = bytearray()
        bio = p.SSL_get_rbio(end.ssl)
        assert bio is not None
        p.BIO_set_callback_ex(bio, self._watch)

    def _watch(self, b: p.BIO, oper: int, data: Any, *rest: Any) -> Any:
        """Keep what was read or written (BIO_set_callback_ex(3))."""
        del b
        _, _, _, ret, processed = rest
        if oper == p.BIO_CB_READ | p.BIO_CB_RETURN and ret > 0:
            self._seen += bytes(data[:processed])
        if oper == p.BIO_CB_WRITE:
            self._seen += bytes(data)
        return ret

    @property
    def retried(self) -> bool:
        """A HelloRetryRequest has passed."""
        return RETRY in self._seen


def agreed(end: End, case: Case, turn: int) -> None:
    """See that the handshake came to what the case says."""
    ssl = end.ssl
    assert p.SSL_get_version(ssl) == f"TLSv{case.version}"
    assert p.SSL_get_cipher_name(ssl) == case.suite
    assert p.SSL_get0_group_name(ssl) == case.group or turn > 0
    assert p.SSL_session_reused(ssl) == int(turn > 0), f"turn {turn}"
    other = case.server if case.role == "client" else case.client
    shows = case.role == "client" or case.scenario == "client-auth"
    leaf = p.SSL_get_peer_certificate(ssl)
    if not shows:
        assert leaf is None
    else:
        assert leaf is not None
        assert leaf.der == other.cert_der
    assert p.SSL_get_verify_result(ssl) == p.X509_V_OK


def send(end: End, data: bytes, updates: bool) -> None:
    """Write in two parts; new keys, and a wish for new ones, between."""
    half = len(data) // 2
    end.write(data[:half])
    if updates:
        assert p.SSL_key_update(end.ssl, 1) == 1
    end.write(data[half:])


def read_exactly(end: End, size: int) -> bytes:
    """Read until so many bytes came."""
    got = b""
    while len(got) < size:
        got += end.read()
    return got


# ---- as client ------------------------------------------------------------


def echo(end: End, updates: bool, style: str) -> None:
    """Send the payload and get it back."""
    send(end, PAYLOAD, updates)
    wanted = PAYLOAD
    if style == "reverse":
        lines = PAYLOAD.split(b"\n")
        wanted = b"\n".join(line[::-1] for line in lines)
    assert read_exactly(end, len(wanted)) == wanted


def request(style: str) -> bytes:
    """Give a request that posts the payload, or asks for it."""
    if style == "http":
        head = (
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n"
        )
        return head % len(PAYLOAD) + PAYLOAD
    return b"GET payload HTTP/1.0\r\nX: " + PAYLOAD[:1000] + b"\r\n\r\n"


def ask(end: End, updates: bool, style: str, sent: int = 0) -> None:
    """Send a request but for what was sent; the answer is the payload."""
    send(end, request(style)[sent:], updates)
    got = b""
    while b"\r\n\r\n" not in got:
        got += end.read()
    answer, body = got.split(b"\r\n\r\n", 1)
    assert re.match(rb"HTTP/1\.[01] 200 ", answer), answer
    body += read_exactly(end, len(PAYLOAD) - len(body))
    assert body == PAYLOAD


def send_early(end: End, peer: Peer) -> int:
    """Send early data; give how much of the request it was."""
    data = EARLY
    if peer.early == "stream":
        data = request(peer.style)[:60]
    result = p.SSL_write_early_data(end.ssl, data)
    assert result == (1, len(data)), links.reasons()
    return len(data) if peer.early == "stream" else 0


def run_client(
    case: Case, port: int, peer: Peer, ready: Callable[[], None]
) -> None:
    """Be the client of a case.

    Args:
        case: What to do.
        port: Where the peer listens.
        peer: Whom it is with.
        ready: Called between connections.
    """
    ctx = context(case)
    session: Optional[p.SSL_SESSION] = None
    for turn in range(case.connections):
        if turn > 0:
            ready()
        ssl = p.SSL_new(ctx)
        p.SSL_set_connect_state(ssl)
        p.SSL_set_tlsext_host_name(ssl, links.HOST)
        p.SSL_set1_host(ssl, links.HOST)
        if session is not None:
            assert p.SSL_set_session(ssl, session) == 1
        with End(ssl, connect(port)) as end:
            wire = Wire(end) if case.scenario == "retry" else None
            sent = 0
            if case.scenario == "early" and turn > 0:
                sent = send_early(end, peer)
            end.establish()
            agreed(end, case, turn)
            assert wire is None or wire.retried
            if case.scenario == "early" and turn > 0:
                status = p.SSL_get_early_data_status(ssl)
                wanted = p.SSL_EARLY_DATA_ACCEPTED
                if peer.refuses_early:
                    wanted = p.SSL_EARLY_DATA_REJECTED
                    sent = 0
                assert status == wanted
            updates = peer.updates and case.version == "1.3"
            web = peer.style in ("http", "page")
            if web:
                ask(end, updates, peer.style, sent)
            else:
                echo(end, updates, peer.style)
            session = p.SSL_get1_session(ssl)
            if web:  # the server has closed
                end.answer_close()
            else:
                end.close()


# ---- as server ------------------------------------------------------------


def read_early(end: End) -> bytes:
    """Read all early data there is."""
    got, buf = b"", bytearray(16384)
    while True:
        result, n = p.SSL_read_early_data(end.ssl, buf)
        if result == p.SSL_READ_EARLY_DATA_FINISH:
            return got
        assert result == p.SSL_READ_EARLY_DATA_SUCCESS, links.outcome(
            end.ssl, 0
        )
        got += buf[:n]


def send_back(end: End, updates: bool, come: bytes) -> None:
    """Give back as much as a client of the style "echo" sends.

    Args:
        end: Ours.
        updates: The peer follows a KeyUpdate.
        come: What came as early data and belongs to it.
    """
    rest = read_exactly(end, len(PAYLOAD) - len(come))
    send(end, come + rest, updates)


def answer(end: End, updates: bool, come: bytes) -> None:
    """Answer a POST with its body."""
    got = come
    while b"\r\n\r\n" not in got:
        got += end.read()
    head, body = got.split(b"\r\n\r\n", 1)
    if b"100-continue" in head:
        end.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body += read_exactly(end, len(PAYLOAD) - len(body))
    assert body == PAYLOAD
    words = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
    send(end, words + b"%d\r\n\r\n" % len(body) + body, updates)


def run_server(
    case: Case,
    accept: Callable[[], Any],
    peer: Peer,
    ready: Callable[[], None],
) -> None:
    """Be the server of a case.

    Args:
        case: What to do.
        accept: Gives the next TCP connection.
        peer: Whom it is with.
        ready: Called between connections.
    """
    ctx = context(case)
    for turn in range(case.connections):
        if turn > 0:
            ready()
        ssl = p.SSL_new(ctx)
        p.SSL_set_accept_state(ssl)
        with End(ssl, accept()) as end:
            wire = Wire(end) if case.scenario == "retry" else None
            come = b""
            if case.scenario == "early":
                come = read_early(end)
            end.establish()
            agreed(end, case, turn)
            assert wire is None or wire.retried
            if case.scenario == "early":
                names = (p.SSL_EARLY_DATA_NOT_SENT, p.SSL_EARLY_DATA_ACCEPTED)
                assert p.SSL_get_early_data_status(ssl) == names[turn]
            if case.scenario == "early" and peer.early == "apart":
                assert come == (EARLY if turn > 0 else b"")
                come = b""
            updates = peer.updates and case.version == "1.3"
            talk = answer if peer.style == "http" else send_back
            if not (peer.mute and turn == 0 and case.connections > 1):
                talk(end, updates, come)
            if peer.closes:
                end.answer_close()
            else:
                end.close()
