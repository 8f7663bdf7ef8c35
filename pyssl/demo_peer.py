"""Servers for the demonstration: they send each line back reversed.

`openssl s_server -rev` if there is an openssl command, else pyssl itself in
a thread. Both listen on a free port of loopback.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyssl as p

LOOPBACK = "127.0.0.1"
HOST = "localhost"  # the name in the certificate
PATIENCE = 10  # seconds that a blocking call may take

# For the peer without openssl. All the world knows this key: it is good for
# a demonstration on loopback and for nothing else.
_KNOWN_IDENTITY = b"""\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtfIvqvaTuAQAbQZD
CSJNflpDjdULpP06dGiQJFNgmRmhRANCAAStB3pel8TdK85lMmD7jhbOiSMPMRl+
GA8GVEQ4Im7YYmbvX/b0grKOyzXAJU8/KU0X/6HVNYx1QXEfYXJXf1SW
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBaDCCAQ+gAwIBAgIBATAKBggqhkjOPQQDAjApMRMwEQYDVQQKDApweXNzbCBk
ZW1vMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx
MDEwMDAwMDBaMCkxEzARBgNVBAoMCnB5c3NsIGRlbW8xEjAQBgNVBAMMCWxvY2Fs
aG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABK0Hel6XxN0rzmUyYPuOFs6J
Iw8xGX4YDwZURDgibthiZu9f9vSCso7LNcAlTz8pTRf/odU1jHVBcR9hcld/VJaj
JjAkMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAMBgNVHRMBAf8EAjAAMAoGCCqGSM49
BAMCA0cAMEQCIFui5QtGvZ2ohMw9fI99CnMMFRKHBRe8sj/nRfxUmgpIAiBeueTM
e8X4OIzvXnx37wTw6FKTKji4QSnYiF22UtfBkw==
-----END CERTIFICATE-----
"""


class PeerError(Exception):
    """The peer could not be started."""


@dataclass(frozen=True)
class Peer:
    """A server that is running.

    Attributes:
        name: For people.
        port: Where it listens, on loopback.
        certificate: What a client is to trust, PEM.
    """

    name: str
    port: int
    certificate: bytes

    def connect(self) -> socket.socket:
        """Open a TCP connection that blocks, but not for ever."""
        return patient(socket.create_connection((LOOPBACK, self.port)))


def patient(sock: socket.socket) -> socket.socket:
    """Let the kernel end each blocking call after PATIENCE.

    A timeout of the socket object would make the descriptor non-blocking.
    """
    sock.setblocking(True)
    limit = struct.pack("ll", PATIENCE, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return sock


def has_openssl() -> bool:
    """Tell whether there is an openssl command."""
    return shutil.which("openssl") is not None


@contextlib.contextmanager
def openssl_peer() -> Iterator[Peer]:
    """Run `openssl s_server -rev` with a certificate made for it.

    Errors:
        PeerError: openssl refused; its words are in the text.
    """
    with tempfile.TemporaryDirectory(prefix="pyssl-demo-") as name:
        folder = Path(name)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        _make_certificate(key, certificate)
        log = folder / "log"
        with log.open("wb") as words:
            child = subprocess.Popen(
                [
                    *("openssl", "s_server", "-rev"),
                    *("-accept", f"{LOOPBACK}:0"),
                    *("-key", str(key), "-cert", str(certificate)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
            )
        with child:
            try:
                port = _port_of(child)
                if port is None:
                    raise PeerError(log.read_text("utf-8", "replace"))
                yield Peer(
                    f"openssl s_server -rev, of {_openssl_version()}",
                    port,
                    certificate.read_bytes(),
                )
            finally:
                child.kill()


def _make_certificate(key: Path, certificate: Path) -> None:
    """Let openssl make a key and a certificate signed by itself."""
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/O=pyssl demo/CN={HOST}", "-days", "2"),
            *("-addext", f"subjectAltName=DNS:{HOST}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise PeerError(done.stderr)


def _openssl_version() -> str:
    done = subprocess.run(
        ["openssl", "version"], check=True, capture_output=True, text=True
    )
    return " ".join(done.stdout.split()[:2])


def _port_of(child: subprocess.Popen[bytes]) -> int | None:
    """Wait until the server says where it listens; None if it ended."""
    if child.stdout is None:
        return None
    for line in child.stdout:
        if line.startswith(b"ACCEPT "):
            return int(line.rpartition(b":")[2])
    return None


@contextlib.contextmanager
def own_peer() -> Iterator[Peer]:
    """Run a pyssl server in a thread, one connection after another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener,), daemon=True)
        thread.start()
        yield Peer("pyssl itself", listener.getsockname()[1], _KNOWN_IDENTITY)
        # This wakes up the thread, and it ends.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def _serve(listener: socket.socket) -> None:
    """Answer connections until the listener is shut down."""
    ctx = p.SSL_CTX(p.TLS_server_method())
    identity = _KNOWN_IDENTITY
    ctx.use_certificate_mem(identity, p.SSL_FILETYPE_PEM)
    ctx.use_PrivateKey_mem(identity, p.SSL_FILETYPE_PEM)
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with patient(sock):
            _reverse_lines(ctx, sock)


def _reverse_lines(ctx: p.SSL_CTX, sock: socket.socket) -> None:
    """Send back each line of one client; it notices if this fails."""
    ssl = p.SSL(ctx)
    ssl.set_fd(sock.fileno())
    if ssl.accept() != 1:
        return
    held, buf = b"", bytearray(4096)
    while True:
        n = ssl.read(buf)
        if n <= 0:
            break
        held += buf[:n]
        while b"\n" in held:
            line, _, held = held.partition(b"\n")
            ssl.write(line[::-1] + b"\n")
    if ssl.get_shutdown() & p.SSL_RECEIVED_SHUTDOWN:
        ssl.shutdown()
