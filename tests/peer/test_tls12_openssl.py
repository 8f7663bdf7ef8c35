"""TLS 1.2, and resumption of both versions, against another implementation.

The peers are the openssl command, s_server and s_client, and the standard
library's ssl module.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl as stdlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.api.sessions import TLS12, TLS13, VERSIONS, contexts
from tests.clauses import clause
from tests.pki import ca

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="there is no openssl command"
)
BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
FLAGS = {TLS12: "-tls1_2", TLS13: "-tls1_3"}
PATIENCE = 20

ECDSA = ("AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-GCM-SHA256")
# Each suite with each kind of certificate that goes with it.
MATRIX = [
    (f"ECDHE-{auth}-{rest}", kind)
    for auth, kinds in (
        ("ECDSA", ("p256", "p384", "p521", "ed25519", "ed448")),
        ("RSA", ("rsa", "rsapss")),
    )
    for rest in ECDSA
    for kind in kinds
]


class Files:
    """An identity as files."""

    def __init__(self, folder: Path, identity: ca.Identity) -> None:
        self.cert = folder / "cert.pem"
        self.key = folder / "key.pem"
        self.ca = folder / "ca.pem"
        self.cert.write_bytes(identity.chain_pem)
        self.key.write_bytes(identity.key_pem)
        self.ca.write_bytes(identity.ca_pem)


@contextlib.contextmanager
def s_server(files: Files, *options: str) -> Iterator[int]:
    """Run s_server, which sends lines back reversed; give its port."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-rev"]
    command += ["-cert", str(files.cert), "-key", str(files.key)]
    command += ["-cert_chain", str(files.cert), *options]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith(b"ACCEPT"):
                yield int(line.rsplit(b":", 1)[1])
                return
        raise AssertionError("s_server did not start")
    finally:
        server.kill()
        server.communicate()


def connect(
    ctx: p.SSL_CTX, port: int, session: Optional[p.SSL_SESSION] = None
) -> tuple[p.SSL, p.SSL_SESSION]:
    """Connect as client, let a line be reversed, close; the SSL stays."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.setblocking(True)
        ssl = p.SSL_new(ctx)
        assert ssl is not None
        p.SSL_set_tlsext_host_name(ssl, links.HOST)
        p.SSL_set1_host(ssl, links.HOST)
        p.SSL_set_session(ssl, session)
        p.SSL_set_fd(ssl, sock.fileno())
        assert p.SSL_connect(ssl) == 1, links.reasons()
        assert p.SSL_write(ssl, b"stressed\n") == 9
        assert links.read(ssl) == b"desserts\n"
        found = p.SSL_get1_session(ssl)
        assert found is not None
        p.SSL_shutdown(ssl)
        return ssl, found


@contextlib.contextmanager
def our_server(ctx: p.SSL_CTX, served: list[p.SSL]) -> Iterator[int]:
    """Run a server of ours that reverses one line a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def run() -> None:
            while True:
                sock, _ = listener.accept()
                with sock:
                    if stop.is_set():
                        return
                    serve_one(ctx, sock, served)

        thread, found = links.in_thread(run)
        port: int = listener.getsockname()[1]
        try:
            yield port
        finally:
            stop.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join(PATIENCE)
        assert found == [None], found


def serve_one(
    ctx: p.SSL_CTX, sock: socket.socket, served: list[p.SSL]
) -> None:
    """Serve one connection."""
    ssl = p.SSL_new(ctx)
    assert ssl is not None
    p.SSL_set_fd(ssl, sock.fileno())
    assert p.SSL_accept(ssl) == 1, links.reasons()
    line = b""
    while not line.endswith(b"\n"):
        line += links.read(ssl)
    p.SSL_write(ssl, line[-2::-1] + b"\n")
    served.append(ssl)
    p.SSL_shutdown(ssl)
    # The peer may close the socket before or after its close_notify.
    p.SSL_read(ssl, bytearray(1))
    p.ERR_clear_error()


def _talk(client: subprocess.Popen[bytes]) -> bytes:
    """Let s_client send a line and wait for the answer; what it says."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(b"stressed\n")
    client.stdin.flush()
    said = b""
    for line in client.stdout:
        said += line
        if line == b"desserts\n":
            break
    client.stdin.close()
    said += client.stdout.read()
    assert client.wait() == 0, said.decode()
    return said


def s_client(port: int, *options: str) -> str:
    """Run s_client for one line; give what it says."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]
    command += ["-servername", links.HOST, "-verify_hostname", links.HOST]
    command += ["-verify_return_error", *options]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        timer = threading.Timer(PATIENCE, client.kill)
        timer.start()
        try:
            said = _talk(client)
        finally:
            timer.cancel()
            client.kill()
    text = said.decode()
    assert "desserts\n" in text, text
    return text


# ---- suites and certificates ------------------------------------------------


@needs_openssl
@pytest.mark.parametrize(("suite", "kind"), MATRIX)
@clause("CIPH-6", "CERT-3", "RFC 5246 7.3", "RFC 8422 5")
def test_client_against_s_server(
    tmp_path: Path, suite: str, kind: str
) -> None:
    files = Files(tmp_path, ca.leaf(kind))
    ctx, _ = links.make_contexts(kind=kind, version=TLS12)
    with s_server(files, "-tls1_2", "-cipher", suite) as port:
        ssl, _ = connect(ctx, port)
    assert p.SSL_get_cipher_name(ssl) == suite
    assert p.SSL_get_version(ssl) == "TLSv1.2"


@needs_openssl
@pytest.mark.parametrize(("suite", "kind"), MATRIX)
@clause("CIPH-6", "CERT-3", "RFC 5246 7.3", "RFC 8422 5")
def test_server_against_s_client(
    tmp_path: Path, suite: str, kind: str
) -> None:
    files = Files(tmp_path, ca.leaf(kind))
    _, ctx = links.make_contexts(kind=kind, version=TLS12)
    served: list[p.SSL] = []
    options = ["-tls1_2", "-cipher", suite, "-CAfile", str(files.ca)]
    with our_server(ctx, served) as port:
        said = s_client(port, *options)
    assert suite in said
    assert "Extended master secret: yes" in said
    assert p.SSL_get_cipher_name(served[0]) == suite


@needs_openssl
@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
@clause("VFY-1", "RFC 5246 7.4.8")
def test_client_shows_its_certificate_to_s_server(
    tmp_path: Path, kind: str
) -> None:
    files = Files(tmp_path, ca.leaf("p256"))
    mine = ca.leaf(kind, key_label="client")
    (tmp_path / "mine.pem").write_bytes(mine.ca_pem)
    ctx, _ = links.make_contexts(version=TLS12, client_auth=True, client=mine)
    trust = str(tmp_path / "mine.pem")
    strict = ["-Verify", "3", "-verify_return_error", "-CAfile", trust]
    with s_server(files, "-tls1_2", *strict) as port:
        connect(ctx, port)


@needs_openssl
@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
@clause("VFY-1", "RFC 5246 7.4.8")
def test_s_client_shows_its_certificate(tmp_path: Path, kind: str) -> None:
    mine = ca.leaf(kind, key_label="client")
    files = Files(tmp_path, mine)
    _, ctx = links.make_contexts(version=TLS12, client_auth=True, client=mine)
    (tmp_path / "server-ca.pem").write_bytes(ca.leaf("p256").ca_pem)
    served: list[p.SSL] = []
    with our_server(ctx, served) as port:
        s_client(
            port,
            "-tls1_2",
            "-CAfile",
            str(tmp_path / "server-ca.pem"),
            "-cert",
            str(files.cert),
            "-key",
            str(files.key),
        )
    peer = p.SSL_get_peer_certificate(served[0])
    assert peer is not None
    assert peer.der == mine.cert_der


# ---- resumption -------------------------------------------------------------


@needs_openssl
@BOTH
@pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "id"])
@clause("SESS-3", "SESS-4", "SESS-12", "RFC 5077 3.1")
def test_client_resumes_with_s_server(
    tmp_path: Path, version: int, ticket: bool
) -> None:
    files = Files(tmp_path, ca.leaf("p256"))
    ctx, _ = contexts(version)
    options = [] if ticket else ["-no_ticket"]
    with s_server(files, FLAGS[version], *options) as port:
        ssl, session = connect(ctx, port)
        assert p.SSL_session_reused(ssl) == 0
        assert p.SSL_SESSION_has_ticket(session) == int(
            ticket or version == TLS13
        )
        for _ in range(2):
            ssl, session = connect(ctx, port, session)
            assert p.SSL_session_reused(ssl) == 1
        copy = p.d2i_SSL_SESSION(p.i2d_SSL_SESSION(session))
        ssl, _ = connect(ctx, port, copy)
        assert p.SSL_session_reused(ssl) == 1


@needs_openssl
@BOTH
@pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "id"])
@clause("SESS-3", "SESS-10", "SESS-12")
def test_s_client_resumes_with_our_server(
    tmp_path: Path, version: int, ticket: bool
) -> None:
    files = Files(tmp_path, ca.leaf("p256"))
    _, ctx = contexts(version)
    if not ticket:
        p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_TICKET)
    saved = str(tmp_path / "session.pem")
    served: list[p.SSL] = []
    common = [FLAGS[version], "-CAfile", str(files.ca)]
    with our_server(ctx, served) as port:
        first = s_client(port, *common, "-sess_out", saved)
        second = s_client(port, *common, "-sess_in", saved)
    assert "New, TLSv1." in first
    assert "Reused, TLSv1." in second
    assert [p.SSL_session_reused(ssl) for ssl in served] == [0, 1]


@needs_openssl
@BOTH
@clause("SESS-10", "SESS-3")
def test_session_saved_by_s_client_is_resumed_by_us(
    tmp_path: Path, version: int
) -> None:
    files = Files(tmp_path, ca.leaf("p256"))
    saved = tmp_path / "session.pem"
    ctx, _ = contexts(version)
    with s_server(files, FLAGS[version]) as port:
        s_client(
            port,
            FLAGS[version],
            "-CAfile",
            str(files.ca),
            "-sess_out",
            str(saved),
        )
        der = subprocess.run(
            ["openssl", "sess_id", "-in", str(saved), "-outform", "DER"],
            check=True,
            capture_output=True,
        ).stdout
        session = p.d2i_SSL_SESSION(der)
        assert session is not None, links.reasons()
        ssl, _ = connect(ctx, port, session)
    assert p.SSL_session_reused(ssl) == 1


# ---- the standard library ---------------------------------------------------


def std_client(identity: ca.Identity, version: int) -> stdlib.SSLContext:
    """Make a client context of the standard library."""
    ctx = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    ctx.load_verify_locations(cadata=identity.ca_pem.decode())
    _limit(ctx, version)
    return ctx


def _limit(ctx: stdlib.SSLContext, version: int) -> None:
    only = (
        stdlib.TLSVersion.TLSv1_2
        if version == TLS12
        else stdlib.TLSVersion.TLSv1_3
    )
    ctx.minimum_version = ctx.maximum_version = only


@BOTH
@pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "id"])
@clause("SESS-3", "SESS-12", "RFC 8446 2.2")
def test_client_of_the_standard_library_resumes_with_us(
    version: int, ticket: bool
) -> None:
    identity = ca.leaf("p256")
    theirs = std_client(identity, version)
    _, ctx = contexts(version)
    if not ticket:
        p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_TICKET)
    served: list[p.SSL] = []
    session: Any = None
    with our_server(ctx, served) as port:
        for turn in range(3):
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
            with theirs.wrap_socket(
                sock, server_hostname=links.HOST, session=session
            ) as wrapped:
                wrapped.sendall(b"stressed\n")
                assert wrapped.recv(99) == b"desserts\n"
                assert wrapped.session_reused is (turn > 0)
                session = wrapped.session
                with contextlib.suppress(OSError):
                    wrapped.unwrap()
    assert [p.SSL_session_reused(ssl) for ssl in served] == [0, 1, 1]


def std_server(folder: Path, version: int) -> stdlib.SSLContext:
    """Make a server context of the standard library."""
    files = Files(folder, ca.leaf("p256"))
    ctx = stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(files.cert, files.key)
    _limit(ctx, version)
    return ctx


@BOTH
@pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "id"])
@clause("SESS-3", "SESS-4", "RFC 8446 2.2")
def test_we_resume_with_a_server_of_the_standard_library(
    tmp_path: Path, version: int, ticket: bool
) -> None:
    theirs = std_server(tmp_path, version)
    if not ticket:
        theirs.options |= stdlib.OP_NO_TICKET
    ctx, _ = contexts(version)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> list[Any]:
            reused = []
            for _ in range(3):
                sock, _ = listener.accept()
                with theirs.wrap_socket(sock, server_side=True) as wrapped:
                    line = wrapped.recv(99)
                    wrapped.sendall(line[-2::-1] + b"\n")
                    reused.append(wrapped.session_reused)
                    with contextlib.suppress(OSError):
                        wrapped.unwrap()
            return reused

        thread, found = links.in_thread(run)
        session: Optional[p.SSL_SESSION] = None
        port = listener.getsockname()[1]
        for turn in range(3):
            ssl, session = connect(ctx, port, session)
            assert p.SSL_session_reused(ssl) == int(turn > 0)
        thread.join(PATIENCE)
        assert found == [[False, True, True]]
