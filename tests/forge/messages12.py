"""Messages of TLS 1.2 that differ from TLS 1.3's.

RFC 5246 7.4, RFC 8422, and RFC 5489 for those with a PSK.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tests.forge import messages as m
from tests.forge.messages import Message, Reader, u16, u16s, vec

POINT_FORMATS, EXTENDED_MASTER_SECRET = 11, 23
RENEGOTIATION_INFO = 0xFF01
NAMED_CURVE = 3
RSA_SIGN, ECDSA_SIGN = 1, 64


def server_hello(body: bytes) -> m.ServerHello:
    """Read a ServerHello, whose extensions may be missing (7.4.1.3)."""
    r = Reader(body)
    fixed = (r.number(2), r.take(32), r.vec(1), r.number(2), r.number(1))
    found = m.ServerHello(*fixed, r.extensions() if r.more() else [])
    r.end()
    return found


@dataclass
class Certificate(Message):
    """RFC 5246 7.4.2."""

    kind: ClassVar[int] = m.CERTIFICATE
    chain: list[bytes] = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        return vec(3, b"".join(vec(3, der) for der in self.chain))

    @classmethod
    def parse(cls, body: bytes) -> Certificate:
        """Read a body."""
        r = Reader(body)
        inner, chain = Reader(r.vec(3)), []
        r.end()
        while inner.more():
            chain.append(inner.vec(3))
        return cls(chain)


@dataclass
class ServerKeyExchange(Message):
    """RFC 8422 5.4."""

    kind: ClassVar[int] = m.SERVER_KEY_EXCHANGE
    curve_type: int = NAMED_CURVE
    group: int = 0
    public: bytes = b""
    scheme: int = 0
    signature: bytes = b""

    def params(self) -> bytes:
        """The part that is signed."""
        head = bytes([self.curve_type]) + u16(self.group)
        return head + vec(1, self.public)

    def body(self) -> bytes:
        """Give the body."""
        return self.params() + u16(self.scheme) + vec(2, self.signature)

    @classmethod
    def parse(cls, body: bytes) -> ServerKeyExchange:
        """Read a body."""
        r = Reader(body)
        found = cls(r.number(1), r.number(2), r.vec(1), r.number(2), r.vec(2))
        r.end()
        return found


@dataclass
class CertificateRequest(Message):
    """RFC 5246 7.4.4."""

    kind: ClassVar[int] = m.CERTIFICATE_REQUEST
    types: bytes = bytes([RSA_SIGN, ECDSA_SIGN])
    schemes: list[int] = field(default_factory=list)
    authorities: list[bytes] = field(default_factory=list)

    def body(self) -> bytes:
        """Give the body."""
        names = b"".join(vec(2, name) for name in self.authorities)
        return vec(1, self.types) + vec(2, u16s(self.schemes)) + vec(2, names)

    @classmethod
    def parse(cls, body: bytes) -> CertificateRequest:
        """Read a body."""
        r = Reader(body)
        types, schemes = r.vec(1), m.numbers(r.vec(2))
        inner, names = Reader(r.vec(2)), []
        r.end()
        while inner.more():
            names.append(inner.vec(2))
        return cls(types, schemes, names)


@dataclass
class ServerHelloDone(Message):
    """RFC 5246 7.4.5."""

    kind: ClassVar[int] = m.SERVER_HELLO_DONE

    def body(self) -> bytes:
        """Give the body."""
        return b""


@dataclass
class ClientKeyExchange(Message):
    """RFC 8422 5.7."""

    kind: ClassVar[int] = m.CLIENT_KEY_EXCHANGE
    public: bytes = b""

    def body(self) -> bytes:
        """Give the body."""
        return vec(1, self.public)

    @classmethod
    def parse(cls, body: bytes) -> ClientKeyExchange:
        """Read a body."""
        r = Reader(body)
        found = cls(r.vec(1))
        r.end()
        return found


@dataclass
class PskServerKeyExchange(Message):
    """RFC 5489 2: a hint before the share, and no signature."""

    kind: ClassVar[int] = m.SERVER_KEY_EXCHANGE
    hint: bytes = b""
    curve_type: int = NAMED_CURVE
    group: int = 0
    public: bytes = b""

    def body(self) -> bytes:
        """Give the body."""
        share = u16(self.group) + vec(1, self.public)
        return vec(2, self.hint) + bytes([self.curve_type]) + share

    @classmethod
    def parse(cls, body: bytes) -> PskServerKeyExchange:
        """Read a body."""
        r = Reader(body)
        found = cls(r.vec(2), r.number(1), r.number(2), r.vec(1))
        r.end()
        return found


@dataclass
class PskClientKeyExchange(Message):
    """RFC 5489 2: an identity before the share."""

    kind: ClassVar[int] = m.CLIENT_KEY_EXCHANGE
    identity: bytes = b""
    public: bytes = b""

    def body(self) -> bytes:
        """Give the body."""
        return vec(2, self.identity) + vec(1, self.public)

    @classmethod
    def parse(cls, body: bytes) -> PskClientKeyExchange:
        """Read a body."""
        r = Reader(body)
        found = cls(r.vec(2), r.vec(1))
        r.end()
        return found


@dataclass
class NewSessionTicket(Message):
    """RFC 5077 3.3."""

    kind: ClassVar[int] = m.NEW_SESSION_TICKET
    lifetime: int = 7200
    ticket: bytes = b"ticket"

    def body(self) -> bytes:
        """Give the body."""
        return self.lifetime.to_bytes(4, "big") + vec(2, self.ticket)

    @classmethod
    def parse(cls, body: bytes) -> NewSessionTicket:
        """Read a body."""
        r = Reader(body)
        found = cls(r.number(4), r.vec(2))
        r.end()
        return found


@dataclass
class ChangeCipherSpec:
    """RFC 5246 7.1: a record of its own, sent like a message."""

    content: bytes = b"\x01"
