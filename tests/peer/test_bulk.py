"""Much data both ways at once, and many handshakes in one process.

PYSSL_BULK_MIB and PYSSL_LEAK_ROUNDS change how much: 64 MiB each way and
10,000 handshakes unless they say so.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer.openssl_cli import PATIENCE, file_of, patient
from tests.peer.talk import SUITES, End, client_end, server_end
from tests.pki import ca

# The sanitizer builds are slow, and their allocators keep what was freed.
SANITIZED = "PYSSL_TEST_CORE" in os.environ

MIB = int(os.environ.get("PYSSL_BULK_MIB", "4" if SANITIZED else "64"))
SIZE = MIB << 20
ROUNDS = int(os.environ.get("PYSSL_LEAK_ROUNDS", "10000"))

# Bytes to send are slices of this.
STOCK = random.Random(8446).randbytes(1 << 20)


class Chunks:
    """SIZE bytes in chunks of random size; their hash in the end.

    Args:
        seed: Another seed gives other sizes and other bytes.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        left = SIZE
        while left:
            size = min(left, any_size(self._random))
            start = self._random.randrange(len(STOCK) - size)
            chunk = STOCK[start : start + size]
            self._hash.update(chunk)
            left -= size
            yield chunk

    def digest(self) -> bytes:
        """Give the hash of what was handed out."""
        return self._hash.digest()


def any_size(source: random.Random) -> int:
    """Draw a size: few tiny ones, many around a record, some large ones."""
    return source.randint(1, source.choice((99, 16385, 40000, 40000, 99999)))


def send_all(end: End, seed: int) -> bytes:
    """Write chunks to the end, then close_notify; give their hash."""
    chunks = Chunks(seed)
    for chunk in chunks:
        end.write(chunk)
    assert p.SSL_shutdown(end.ssl) in (0, 1)
    return chunks.digest()


def receive_all(end: End, seed: int) -> bytes:
    """Read pieces until close_notify comes; give the hash of all."""
    sizes, found = random.Random(seed), hashlib.sha256()
    buf = bytearray(100_000)
    while True:
        n = p.SSL_read(end.ssl, buf, any_size(sizes))
        if n <= 0:
            break
        found.update(memoryview(buf)[:n])
    outcome = links.outcome(end.ssl, n)
    assert outcome == (0, p.SSL_ERROR_ZERO_RETURN), outcome
    return found.digest()


def theirs_both_ways(conn: ssl.SSLSocket, seed: int) -> tuple[bytes, bytes]:
    """Send and receive with the module's non-blocking socket at once.

    Returns:
        The hash of what was sent and of what came.
    """
    sizes, came = random.Random(seed + 1), hashlib.sha256()
    chunks = Chunks(seed)
    supply = iter(chunks)
    chunk, got = next(supply, b""), 0
    while chunk or got < SIZE:
        try:
            while got < SIZE:
                piece = conn.recv(any_size(sizes))
                assert piece, "the end came early"
                came.update(piece)
                got += len(piece)
        except ssl.SSLWantReadError:
            pass
        try:
            if chunk:
                chunk = chunk[conn.send(chunk) :] or next(supply, b"")
        except ssl.SSLWantWriteError:
            pass
        else:
            if chunk:
                continue
        writers = [conn] if chunk else []
        ready = select.select([conn], writers, [], PATIENCE)
        assert any(ready) or got == SIZE, "nothing moves"
    return chunks.digest(), came.digest()


def ended(thread, found):
    """Wait for a thread; give its result or raise its exception."""
    thread.join(PATIENCE * 5)
    assert found, "the thread hangs"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@clause("CV-8", "RW-1", "RW-15", "RW-7")
@pytest.mark.threads
@pytest.mark.parametrize("suite", SUITES)
def test_bulk_between_two_of_us_arrives_both_ways_at_once(suite):
    near, far = (patient(sock) for sock in socket.socketpair())
    client = client_end(near, ca.leaf(), suites=suite)
    server = server_end(far, ca.leaf(), suites=suite)
    with client, server:
        accepting = links.in_thread(server.establish)
        client.establish()
        ended(*accepting)

        work = [
            links.in_thread(lambda: send_all(client, 1)),
            links.in_thread(lambda: receive_all(server, 2)),
            links.in_thread(lambda: send_all(server, 3)),
            links.in_thread(lambda: receive_all(client, 4)),
        ]
        up, up_came, down, down_came = (ended(*one) for one in work)

    assert up_came == up
    assert down_came == down
    assert up != down


@clause("CV-8", "RW-1", "RW-15", "RW-7", "RFC 8446 5.1")
@pytest.mark.threads
@pytest.mark.parametrize("role", ["client", "server"])
def test_bulk_with_their_stack_arrives_both_ways_at_once(role):
    near, far = (patient(sock) for sock in socket.socketpair())
    if role == "client":
        ours = client_end(near, ca.leaf())
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own = ca.leaf().chain_pem + ca.leaf().key_pem
        ctx.load_cert_chain(file_of(own))
    else:
        ours = server_end(near, ca.leaf())
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.load_verify_locations(cadata=ca.leaf().ca_pem.decode())

    def talk():
        name = None if role == "client" else links.HOST
        with ctx.wrap_socket(
            far, server_side=role == "client", server_hostname=name
        ) as conn:
            conn.setblocking(False)
            hashes = theirs_both_ways(conn, 5)
            conn.setblocking(True)
            conn.unwrap().close()
            return hashes

    with ours:
        talking = links.in_thread(talk)
        ours.establish()
        sending = links.in_thread(lambda: send_all(ours, 7))
        came = receive_all(ours, 8)
        sent = ended(*sending)
        their_sent, their_came = ended(*talking)

    assert their_came == sent
    assert came == their_sent


# ---- memory ---------------------------------------------------------------


def resident() -> int:
    """Give the bytes of memory that this process has in use."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def shake_hands(
    contexts: tuple[p.SSL_CTX, p.SSL_CTX], host: str, count: int
) -> None:
    """Make, use and drop pairs of SSLs; they fail if the host is wrong."""
    for _ in range(count):
        client, server = links.make_ends(*contexts, host=host)
        link = links.MemLink(client, server)
        if host == links.HOST:
            link.established()
            link.send(client, b"there")
            link.send(server, b"back")
        else:
            assert link.handshake()[-1] == (-1, p.SSL_ERROR_SSL)
        p.ERR_clear_error()


@clause("CV-3", "OWN-2")
@pytest.mark.skipif(SANITIZED, reason="this allocator keeps what was freed")
@pytest.mark.parametrize("host", [links.HOST, "other.test"])
def test_memory_after_many_handshakes_is_what_it_was(host):
    rounds = ROUNDS if host == links.HOST else ROUNDS // 5
    contexts = links.make_contexts(client_auth=True)
    shake_hands(contexts, host, 300)
    before = resident()

    shake_hands(contexts, host, rounds)

    assert resident() - before < 512 << 10
