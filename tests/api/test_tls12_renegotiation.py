"""A peer that wants to renegotiate (contract RW-28): forged records."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import pyssl as p
from tests.api import links, wire
from tests.api.links import MemLink, make_contexts, make_ends, put, reasons
from tests.api.opened import log_of
from tests.api.sessions import TLS12
from tests.clauses import clause

ALERT, HANDSHAKE, DATA = 21, 22, 23
NO_RENEGOTIATION = b"\x01\x64"
SUITE = "ECDHE-ECDSA-AES128-GCM-SHA256"

SIDES = pytest.mark.parametrize("server", [False, True], ids=["C", "S"])


def prf(secret: bytes, seed: bytes, size: int) -> bytes:
    """Expand a secret (RFC 5246 5, with SHA-256)."""
    out, a = b"", seed
    while len(out) < size:
        a = hmac.new(secret, a, hashlib.sha256).digest()
        out += hmac.new(secret, a + seed, hashlib.sha256).digest()
    return out[:size]


class Half:
    """Seals or opens the records of one direction (RFC 5288 3)."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self.aead, self.salt = AESGCM(key), salt
        self.seq = 1  # Finished was the first

    def _bound(self, kind: int, size: int) -> bytes:
        head = bytes([kind, 3, 3]) + size.to_bytes(2, "big")
        return self.seq.to_bytes(8, "big") + head

    def seal(self, kind: int, data: bytes) -> bytes:
        """Make a record."""
        nonce = self.seq.to_bytes(8, "big")
        bound = self._bound(kind, len(data))
        body = nonce + self.aead.encrypt(self.salt + nonce, data, bound)
        self.seq += 1
        return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body

    def open(self, record: bytes) -> tuple[int, bytes]:
        """Give type and content of a record."""
        nonce, body = record[5:13], record[13:]
        bound = self._bound(record[0], len(body) - 16)
        self.seq += 1
        data = self.aead.decrypt(self.salt + nonce, body, bound)
        return record[0], data


class Forged:
    """An established end, and the keys to play its peer."""

    def __init__(self, server: bool) -> None:
        pair = make_contexts(version=TLS12)
        p.SSL_CTX_set_cipher_list(pair[0], SUITE)
        lines = log_of(pair[0])
        link = MemLink(*make_ends(*pair))
        p.SSL_do_handshake(link.client)
        link.move()
        p.SSL_do_handshake(link.server)
        # Header of record and message, version, random.
        flight = p.BIO_get_mem_data(link.server_out)
        theirs = bytes(flight)[11:43]
        link.move()
        link.established()
        _, ours, master = lines[0].split(" ")
        block = prf(
            bytes.fromhex(master),
            b"key expansion" + theirs + bytes.fromhex(ours),
            40,
        )
        client = Half(block[:16], block[32:36])
        of_server = Half(block[16:32], block[36:40])
        self.link = link
        self.ssl = link.server if server else link.client
        self.bio_in = link.server_in if server else link.client_in
        self.bio_out = link.server_out if server else link.client_out
        self.sealer, self.opener = (
            (client, of_server) if server else (of_server, client)
        )

    def feed(self, kind: int, data: bytes) -> None:
        """Give the end a record of its peer."""
        put(self.bio_in, self.sealer.seal(kind, data))

    def sent(self) -> list[tuple[int, bytes]]:
        """Open what the end has sent."""
        raw, found = links.take(self.bio_out), []
        while raw:
            size = 5 + int.from_bytes(raw[3:5], "big")
            found.append(self.opener.open(raw[:size]))
            raw = raw[size:]
        return found


def request(server: bool) -> bytes:
    """Give the message that asks for another handshake."""
    if not server:
        return bytes(4)  # HelloRequest
    body = b"\x03\x03" + bytes(32) + b"\0\0\x02\xc0\x2b\x01\0"
    return b"\x01" + len(body).to_bytes(3, "big") + body


@SIDES
@clause("RW-28", "RFC 5246 7.4.1.1", "RFC 5746 4.5")
def test_request_to_renegotiate_is_answered_with_a_warning(
    server: bool,
) -> None:
    it = Forged(server)
    it.feed(HANDSHAKE, request(server))
    assert wire.read(it.ssl) == wire.WANT_READ
    assert it.sent() == [(ALERT, NO_RENEGOTIATION)]
    it.feed(DATA, b"go on")
    assert links.read(it.ssl) == b"go on"
    assert p.SSL_write(it.ssl, b"I do") == 4
    assert it.sent() == [(DATA, b"I do")]
    assert reasons() == []


@SIDES
@clause("RW-28")
def test_data_behind_a_request_is_read_in_the_same_call(server: bool) -> None:
    it = Forged(server)
    it.feed(HANDSHAKE, request(server))
    it.feed(DATA, b"data")
    assert links.read(it.ssl) == b"data"
    assert it.sent() == [(ALERT, NO_RENEGOTIATION)]


@SIDES
@clause("RW-28", "RW-12")
def test_request_without_auto_retry_ends_the_read(server: bool) -> None:
    it = Forged(server)
    p.SSL_clear_mode(it.ssl, p.SSL_MODE_AUTO_RETRY)
    it.feed(HANDSHAKE, request(server))
    it.feed(DATA, b"data")
    assert wire.read(it.ssl) == wire.WANT_READ
    assert it.sent() == [(ALERT, NO_RENEGOTIATION)]
    assert links.read(it.ssl) == b"data"


@SIDES
@clause("RW-28", "SD-5")
def test_no_refusal_behind_close_notify(server: bool) -> None:
    it = Forged(server)
    assert p.SSL_shutdown(it.ssl) == 0
    assert it.sent() == [(ALERT, b"\x01\x00")]
    it.feed(HANDSHAKE, request(server))
    assert wire.shutdown(it.ssl) == wire.WANT_READ
    it.feed(ALERT, b"\x01\x00")
    assert p.SSL_shutdown(it.ssl) == 1
    assert it.sent() == []


@SIDES
@clause("RW-28")
def test_endless_requests_are_fatal(server: bool) -> None:
    it = Forged(server)
    for _ in range(32):
        it.feed(HANDSHAKE, request(server))
        assert wire.read(it.ssl) == wire.WANT_READ
    it.feed(HANDSHAKE, request(server))
    assert wire.read(it.ssl) == wire.FAILED
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_NO_RENEGOTIATION)]


@SIDES
@clause("RW-28")
def test_refusal_that_nobody_asked_for_is_fatal(server: bool) -> None:
    it = Forged(server)
    it.feed(ALERT, NO_RENEGOTIATION)
    assert wire.read(it.ssl) == wire.FAILED
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_NO_RENEGOTIATION)]


@SIDES
@clause("RW-28", "HS-18")
def test_other_handshake_message_is_fatal(server: bool) -> None:
    it = Forged(server)
    it.feed(HANDSHAKE, request(not server))
    assert wire.read(it.ssl) == wire.FAILED
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_UNEXPECTED_MESSAGE)]
    assert it.sent() == [(ALERT, b"\x02\x0a")]


@SIDES
@clause("HS-15")
def test_fifth_warning_in_a_row_is_fatal(server: bool) -> None:
    it = Forged(server)
    for _ in range(2):
        for _ in range(4):
            it.feed(ALERT, b"\x01\x70")
            assert wire.read(it.ssl) == wire.WANT_READ
        it.feed(DATA, b"x")
        assert links.read(it.ssl) == b"x"
    for _ in range(5):
        it.feed(ALERT, b"\x01\x70")
    assert wire.read(it.ssl) == wire.FAILED
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_TOO_MANY_WARN_ALERTS)]
