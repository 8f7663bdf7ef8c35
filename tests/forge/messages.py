"""Handshake messages as structures that a test may change at will.

`bytes(message)` is the message with its header. Nothing is checked when
writing: any field may hold what no correct peer would send. `Raw` is a
message of any type with any body; `length` overrides a header's length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Optional

from tests.forge.keys import AES_128, ForgeError, random_bytes

Extensions = list[tuple[int, bytes]]

HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO = 0, 1, 2
NEW_SESSION_TICKET, END_OF_EARLY_DATA, ENCRYPTED_EXTENSIONS = 4, 5, 8
CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST = 11, 12, 13
SERVER_HELLO_DONE, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE = 14, 15, 16
FINISHED, CERTIFICATE_URL, CERTIFICATE_STATUS = 20, 21, 22
KEY_UPDATE, MESSAGE_HASH = 24, 254

SERVER_NAME, STATUS_REQUEST, SUPPORTED_GROUPS = 0, 5, 10
SIGNATURE_ALGORITHMS, ALPN, SCT, PADDING = 13, 16, 18, 21
SESSION_TICKET = 35
PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS, COOKIE = 41, 42, 43, 44
PSK_MODES, CERTIFICATE_AUTHORITIES, OID_FILTERS = 45, 47, 48
POST_HANDSHAKE_AUTH, SIGNATURE_ALGORITHMS_CERT, KEY_SHARE = 49, 50, 51

RETRY_RANDOM = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
DOWNGRADE_12 = b"DOWNGRD\x01"
DOWNGRADE_11 = b"DOWNGRD\x00"


def u16(value: int) -> bytes:
    """Give a 16-bit number."""
    return value.to_bytes(2, "big")


def u16s(values: list[int]) -> bytes:
    """Give 16-bit numbers."""
    return b"".join(map(u16, values))


def vec(width: int, content: bytes) -> bytes:
    """Give a vector whose length field has that many octets."""
    return len(content).to_bytes(width, "big") + content


def block(extensions: Optional[Extensions]) -> bytes:
    """Give an extension block with its length; None is no block."""
    if extensions is None:
        return b""
    items = (u16(kind) + vec(2, data) for kind, data in extensions)
    return vec(2, b"".join(items))


class Reader:
    """Reads wire bytes; running short is the peer's fault."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Take that many octets."""
        if self.at + size > len(self.data):
            raise ForgeError("a truncated message")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, width: int) -> int:
        """Take a number."""
        return int.from_bytes(self.take(width), "big")

    def vec(self, width: int) -> bytes:
        """Take a vector."""
        return self.take(self.number(width))

    def extensions(self) -> Extensions:
        """Take an extension block."""
        inner, found = Reader(self.vec(2)), []
        while inner.more():
            found.append((inner.number(2), inner.vec(2)))
        return found

    def more(self) -> bool:
        """Is anything left?"""
        return self.at < len(self.data)

    def end(self) -> None:
        """Nothing may be left."""
        if self.more():
            raise ForgeError("octets behind a message")


def numbers(data: bytes) -> list[int]:
    """Split octets into 16-bit numbers."""
    return [
        int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)
    ]


class Message:
    """A handshake message: a type and a body."""

    kind: ClassVar[int]

    def body(self) -> bytes:
        """Give the body."""
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        return bytes([self.kind]) + vec(3, self.body())


@dataclass
class Raw(Message):
    """A message of any type, with any body and any length field."""

    type: int
    content: bytes = b""
    length: Optional[int] = None

    def body(self) -> bytes:
        """Give the body."""
        return self.content

    def __bytes__(self) -> bytes:
        size = len(self.content) if self.length is None else self.length
        return bytes([self.type]) + size.to_bytes(3, "big") + self.content


class WithExtensions:
    """What messages with one extension block have in common."""

    extensions: Extensions

    def get(self, kind: int) -> bytes:
        """The content of an extension; KeyError if there is none."""
        for found, data in self.extensions:
            if found == kind:
                return data
        raise KeyError(kind)

    def has(self, kind: int) -> bool:
        """Is this extension there?"""
        return any(found == kind for found, _ in self.extensions)

    def put(self, kind: int, data: bytes) -> None:
        """Replace the content of an extension, or append it."""
        for i, (found, _) in enumerate(self.extensions):
            if found == kind:
                self.extensions[i] = (kind, data)
                return
        self.extensions.append((kind, data))

    def drop(self, kind: int) -> None:
        """Take an extension out."""
        self.extensions[:] = [e for e in self.extensions if e[0] != kind]

    def double(self, kind: int) -> None:
        """Repeat an extension at the end."""
        self.extensions.append((kind, self.get(kind)))


@dataclass
class ClientHello(Message, WithExtensions):
    """RFC 8446 4.1.2."""

    kind: ClassVar[int] = CLIENT_HELLO
    version: int = 0x0303
    random: bytes = field(default_factory=lambda: random_bytes(32))
    session_id: bytes = field(default_factory=lambda: random_bytes(32))
    suites: list[int] = field(default_factory=list)
    compression: bytes = b"\0"
    extensions: Extensions = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        return (
            u16(self.version)
            + self.random
            + vec(1, self.session_id)
            + vec(2, u16s(self.suites))
            + vec(1, self.compression)
            + block(self.extensions)
        )

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        """Read a body."""
        r = Reader(body)
        hello = cls(
            r.number(2),
            r.take(32),
            r.vec(1),
            numbers(r.vec(2)),
            r.vec(1),
            r.extensions(),
        )
        r.end()
        return hello

    def shares(self) -> list[tuple[int, bytes]]:
        """The key shares offered."""
        inner, found = Reader(Reader(self.get(KEY_SHARE)).vec(2)), []
        while inner.more():
            found.append((inner.number(2), inner.vec(2)))
        return found


@dataclass
class ServerHello(Message, WithExtensions):
    """RFC 8446 4.1.3; a HelloRetryRequest too (4.1.4)."""

    kind: ClassVar[int] = SERVER_HELLO
    version: int = 0x0303
    random: bytes = field(default_factory=lambda: random_bytes(32))
    session_id: bytes = b""
    suite: int = AES_128
    compression: int = 0
    extensions: Extensions = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        return (
            u16(self.version)
            + self.random
            + vec(1, self.session_id)
            + u16(self.suite)
            + bytes([self.compression])
            + block(self.extensions)
        )

    @classmethod
    def parse(cls, body: bytes) -> ServerHello:
        """Read a body."""
        r = Reader(body)
        hello = cls(
            r.number(2),
            r.take(32),
            r.vec(1),
            r.number(2),
            r.number(1),
            r.extensions(),
        )
        r.end()
        return hello


@dataclass
class EncryptedExtensions(Message, WithExtensions):
    """RFC 8446 4.3.1."""

    kind: ClassVar[int] = ENCRYPTED_EXTENSIONS
    extensions: Extensions = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        return block(self.extensions)

    @classmethod
    def parse(cls, body: bytes) -> EncryptedExtensions:
        """Read a body."""
        r = Reader(body)
        found = cls(r.extensions())
        r.end()
        return found


@dataclass
class CertificateRequest(Message, WithExtensions):
    """RFC 8446 4.3.2."""

    kind: ClassVar[int] = CERTIFICATE_REQUEST
    context: bytes = b""
    extensions: Extensions = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        return vec(1, self.context) + block(self.extensions)

    @classmethod
    def parse(cls, body: bytes) -> CertificateRequest:
        """Read a body."""
        r = Reader(body)
        found = cls(r.vec(1), r.extensions())
        r.end()
        return found


@dataclass
class Certificate(Message):
    """RFC 8446 4.4.2: entries are DER and extensions."""

    kind: ClassVar[int] = CERTIFICATE
    context: bytes = b""
    entries: list[tuple[bytes, Extensions]] = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        items = (vec(3, der) + block(exts) for der, exts in self.entries)
        return vec(1, self.context) + vec(3, b"".join(items))

    @classmethod
    def parse(cls, body: bytes) -> Certificate:
        """Read a body."""
        r = Reader(body)
        context, inner = r.vec(1), Reader(r.vec(3))
        r.end()
        entries = []
        while inner.more():
            entries.append((inner.vec(3), inner.extensions()))
        return cls(context, entries)


@dataclass
class CertificateVerify(Message):
    """RFC 8446 4.4.3."""

    kind: ClassVar[int] = CERTIFICATE_VERIFY
    scheme: int = 0
    signature: bytes = b""

    def body(self) -> bytes:
        """Give the body."""
        return u16(self.scheme) + vec(2, self.signature)

    @classmethod
    def parse(cls, body: bytes) -> CertificateVerify:
        """Read a body."""
        r = Reader(body)
        found = cls(r.number(2), r.vec(2))
        r.end()
        return found


@dataclass
class Finished(Message):
    """RFC 8446 4.4.4."""

    kind: ClassVar[int] = FINISHED
    verify_data: bytes = b""

    def body(self) -> bytes:
        """Give the body."""
        return self.verify_data


@dataclass
class NewSessionTicket(Message, WithExtensions):
    """RFC 8446 4.6.1."""

    kind: ClassVar[int] = NEW_SESSION_TICKET
    lifetime: int = 7200
    age_add: int = 1
    nonce: bytes = b"\0"
    ticket: bytes = b"ticket"
    extensions: Extensions = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        return (
            self.lifetime.to_bytes(4, "big")
            + self.age_add.to_bytes(4, "big")
            + vec(1, self.nonce)
            + vec(2, self.ticket)
            + block(self.extensions)
        )


@dataclass
class KeyUpdate(Message):
    """RFC 8446 4.6.3."""

    kind: ClassVar[int] = KEY_UPDATE
    request: int = 0

    def body(self) -> bytes:
        """Give the body."""
        return bytes([self.request])


def server_share(group: int, public: bytes) -> bytes:
    """The key_share of a ServerHello (RFC 8446 4.2.8)."""
    return u16(group) + vec(2, public)


def client_shares(shares: list[tuple[int, bytes]]) -> bytes:
    """The key_share of a ClientHello (RFC 8446 4.2.8)."""
    return vec(2, b"".join(server_share(g, p) for g, p in shares))


def server_name(name: bytes) -> bytes:
    """The server_name of a ClientHello (RFC 6066 3)."""
    return vec(2, b"\0" + vec(2, name))


def protocols(names: list[bytes]) -> bytes:
    """The ALPN list of either hello (RFC 7301 3.1)."""
    return vec(2, b"".join(vec(1, name) for name in names))


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split whole messages: type and body."""
    r = Reader(data)
    while r.more():
        yield r.number(1), r.vec(3)
