"""The first inputs of the corpora, from the published vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.build_core import load

PKI = load("pyssl/bench/pki_data.py").DATA["p256"]

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"

_HEX = re.compile(r"(?:[0-9a-f]{2}){4,}")

# tests/fuzz/fuzz.h.
SERVER, TLS12, AUTH, RESUME, RETRY, VERIFY, EARLY, RAW = (
    1 << i for i in range(8)
)
PSK, POST, PROOFS, SIGN, TICKET, LIMIT, PAD, ASKS = (
    1 << i for i in range(8, 16)
)

# Ways to shake hands that differ in the messages they have.
WAYS = [
    0,
    VERIFY,
    AUTH,
    RETRY,
    RESUME,
    RESUME | EARLY,
    RESUME | EARLY | RETRY,
    AUTH | RETRY,
    TLS12,
    TLS12 | AUTH,
    TLS12 | RESUME,
    TLS12 | VERIFY,
    PSK,
    PSK | RETRY,
    PSK | RESUME,
    PSK | TLS12,
    POST,
    POST | AUTH | SIGN,
    POST | PAD | TICKET,
    PROOFS | VERIFY,
    PROOFS | TLS12 | VERIFY,
    SIGN,
    SIGN | TLS12 | AUTH,
    TICKET | RESUME,
    TICKET | RESUME | TLS12,
    LIMIT,
    LIMIT | TLS12 | AUTH,
    PAD | RESUME | EARLY,
    PAD | LIMIT | AUTH | RETRY,
    ASKS | VERIFY | AUTH,
    ASKS | TLS12 | VERIFY | AUTH,
    ASKS | RESUME | EARLY,
    ASKS | RESUME | TLS12,
]
# Answers of the application: two bits for each of four questions.
YES, DECLINE_SECOND, WAIT_FIRST, REFUSE_THIRD = 0, 1 << 2, 2, 3 << 4
# Parts of tests/fuzz/parts.c.
SESSION_DER, COMPACT, TICKET, RECORD, CERTIFICATE, PEM = range(6)


def vectors(name: str) -> Any:
    """Read a file of vectors."""
    return json.loads((VECTORS / name).read_text("utf-8"))


def octets(found: Any) -> Iterator[bytes]:
    """Find every text of hexadecimal octets in a tree."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list):
        for one in found:
            yield from octets(one)
    elif isinstance(found, str) and _HEX.fullmatch(found):
        yield bytes.fromhex(found)


def messages() -> Iterator[bytes]:
    """Give handshake messages of the traces, header included."""
    for name in ("rfc8448.json", "tls13_sha384_trace.json"):
        yield from filter(is_message, octets(vectors(name)))
    yield from filter(is_message, octets(vectors("tls12_handshakes.json")))


def is_message(text: bytes) -> bool:
    """Tell whether these octets are one handshake message."""
    kinds = {0, 1, 2, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 22, 24}
    return (
        len(text) > 4
        and text[0] in kinds
        and int.from_bytes(text[1:4], "big") == len(text) - 4
    )


def records() -> Iterator[bytes]:
    """Give records of the traces."""
    for name in ("rfc8448.json", "tls12_handshakes.json"):
        for text in octets(vectors(name)):
            if text[0] in range(20, 24) and text[1:2] == b"\x03":
                yield text


def hellos() -> Iterator[bytes]:
    """Give the real ClientHellos, header included."""
    for text in octets(vectors("client_hellos.json")):
        if is_message(text):
            yield text


def der(pem: str) -> bytes:
    """Give the DER inside PEM."""
    inner = "".join(pem.splitlines()[1:-1])
    return base64.b64decode(inner)


def head(way: int, answers: int = YES) -> bytes:
    """Give the head of an input."""
    return way.to_bytes(2, "little") + bytes([answers])


def connections() -> Iterator[bytes]:
    """Handshakes left alone, one byte changed in some, and hellos."""
    for way in WAYS:
        for victim in (0, SERVER):
            yield head(way | victim)
            yield head(way | victim) + bytes([60, 1, 1, 200, 1, 0x80])
        if way & (PSK | SIGN | TICKET | ASKS | PROOFS | PAD):
            for answers in (DECLINE_SECOND, WAIT_FIRST, REFUSE_THIRD):
                yield head(way, answers)
    # A ticket whose time overflowed: found by fuzzing.
    yield head(SERVER | RESUME | EARLY) + bytes.fromhex("990101c80180")
    for text in list(hellos())[::3]:
        start = b"\x16\x03\x01" + len(text).to_bytes(2, "big")
        yield head(RAW | SERVER) + start + text
    for text in list(records())[::3]:
        yield head(RAW) + text


def message_inputs() -> Iterator[bytes]:
    """Give messages with a way to shake hands in which they come."""
    for text in messages():
        way = TLS12 if text[0] in (12, 14, 16) else AUTH
        yield head(way) + text[:1] + text[4:]
    for text in list(hellos())[::6]:
        yield head(0) + text[:1] + text[4:]
    for kind in (4, 5, 20, 22, 24):
        yield head(RESUME | EARLY) + bytes([kind, *bytes(36)])
    # What is asked for after the handshake, and what PSKs bring.
    for kind in (8, 11, 13, 15, 20, 22):
        yield head(POST | PROOFS) + bytes([kind, *bytes(36)])
    for kind in (1, 2, 12, 16):
        yield head(PSK | TLS12) + bytes([kind, *bytes(36)])


def parts() -> Iterator[bytes]:
    """Give what is read without a connection."""
    for text in (PKI["root"], PKI["leaf1"]):
        yield bytes([CERTIFICATE]) + der(text)
        yield bytes([PEM]) + text.encode()
    yield bytes([PEM]) + PKI["key"].encode()
    for text in list(records())[:12]:
        yield bytes([RECORD, 0]) + text
        yield bytes([RECORD, 1]) + text
    yield bytes([TICKET]) + bytes(160)
    yield bytes([COMPACT]) + bytes(120)
    # SSL_SESSION: version, number, suite, id, secret (ssl_asn1.c's shape).
    yield bytes([SESSION_DER]) + bytes.fromhex(
        "3081" + "52" + "020101" + "02020304" + "04021301" + "0400"
        "0430" + "11" * 48 + "a106" + "02045f000000" + "a204" + "02021c20"
    )


def write(corpus: Path) -> None:
    """Write the inputs, named by their digest; what is there stays."""
    found = {
        "connection": connections(),
        "message": message_inputs(),
        "parts": parts(),
    }
    for name, inputs in found.items():
        folder = corpus / name
        folder.mkdir(parents=True, exist_ok=True)
        for one in inputs:
            if len(one) <= 4096:
                digest = hashlib.sha1(one, usedforsecurity=False).hexdigest()
                (folder / digest).write_bytes(one)
