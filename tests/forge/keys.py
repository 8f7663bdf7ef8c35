"""Cryptography of the forge: key schedule, records, shares, signatures.

Written from RFC 8446 over the `cryptography` package and hmac; it shares no
line with the core that it tests.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import os
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
    x25519,
)
from cryptography.hazmat.primitives.ciphers.aead import (
    AESGCM,
    ChaCha20Poly1305,
)

X25519, P256, P384, P521 = 0x001D, 0x0017, 0x0018, 0x0019
HYBRID = 0x11EC  # X25519MLKEM768
AES_128, AES_256, CHACHA = 0x1301, 0x1302, 0x1303

MLKEM = "cryptography.hazmat.primitives.asymmetric.mlkem"

# Octets of ML-KEM-768 (FIPS 203 8): what each half of the hybrid begins with.
ENCAPSULATION_KEY, CIPHERTEXT = 1184, 1088

CURVES: dict[int, ec.EllipticCurve] = {
    P256: ec.SECP256R1(),
    P384: ec.SECP384R1(),
    P521: ec.SECP521R1(),
}

PrivateKey = Union[
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
]


class ForgeError(Exception):
    """The peer did what a correct peer never does."""


@dataclass(frozen=True)
class Suite:
    """A cipher suite (RFC 8446 B.4)."""

    number: int
    hash: str
    key_length: int
    aead: Callable[[bytes], Union[AESGCM, ChaCha20Poly1305]]

    def digest(self, data: bytes) -> bytes:
        """Hash data."""
        return hashlib.new(self.hash, data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """Give HMAC of data."""
        return hmac.new(key, data, self.hash).digest()

    @property
    def length(self) -> int:
        """Octets of a hash."""
        return hashlib.new(self.hash).digest_size


SUITES = {
    AES_128: Suite(AES_128, "sha256", 16, AESGCM),
    AES_256: Suite(AES_256, "sha384", 32, AESGCM),
    CHACHA: Suite(CHACHA, "sha256", 32, ChaCha20Poly1305),
}


def expand_label(
    suite: Suite, secret: bytes, label: str, context: bytes, size: int
) -> bytes:
    """HKDF-Expand-Label (RFC 8446 7.1)."""
    full = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full
    info += bytes([len(context)]) + context
    block, out, count = b"", b"", 1
    while len(out) < size:
        block = suite.mac(secret, block + info + bytes([count]))
        out += block
        count += 1
    return out[:size]


def derive_secret(
    suite: Suite, secret: bytes, label: str, transcript: bytes
) -> bytes:
    """Derive-Secret over messages already hashed (RFC 8446 7.1)."""
    return expand_label(suite, secret, label, transcript, suite.length)


class Protection:
    """One direction of record protection (RFC 8446 5.2)."""

    def __init__(self, suite: Suite, secret: bytes, epoch: str) -> None:
        self.suite, self.secret, self.epoch = suite, secret, epoch
        self.seq = 0
        self.key = expand_label(suite, secret, "key", b"", suite.key_length)
        self.iv = expand_label(suite, secret, "iv", b"", 12)

    def updated(self) -> Protection:
        """The next generation (RFC 8446 7.2)."""
        return Protection(
            self.suite,
            expand_label(
                self.suite,
                self.secret,
                "traffic upd",
                b"",
                self.suite.length,
            ),
            self.epoch,
        )

    def _nonce(self) -> bytes:
        count = self.seq.to_bytes(12, "big")
        return bytes(a ^ b for a, b in zip(self.iv, count))

    def seal(
        self,
        inner: bytes,
        outer: int = 23,
        version: int = 0x0303,
        length: Optional[int] = None,
    ) -> bytes:
        """Seal a whole TLSInnerPlaintext: content, type and padding.

        length overrides the length in the header, and so in the data that
        is authenticated.
        """
        size = len(inner) + 16 if length is None else length
        head = bytes([outer]) + version.to_bytes(2, "big")
        head += size.to_bytes(2, "big")
        body = self.suite.aead(self.key).encrypt(self._nonce(), inner, head)
        self.seq += 1
        return head + body

    def open(self, record: bytes) -> tuple[int, bytes]:
        """Open a record; gives its inner type and content."""
        aead = self.suite.aead(self.key)
        inner = aead.decrypt(self._nonce(), record[5:], record[:5])
        self.seq += 1
        content = inner.rstrip(b"\0")
        if not content:
            raise ForgeError("a record of zeros")
        return content[-1], content[:-1]


class Schedule:
    """The key schedule and the transcript (RFC 8446 7.1, 4.4.1)."""

    def __init__(self) -> None:
        self.suite = SUITES[AES_128]
        self.messages = b""
        self.handshake = b""
        self.master = b""
        self.psk = b""  # none: zeros

    def add(self, message: bytes) -> None:
        """Put a message, with its header, into the transcript."""
        self.messages += message

    def fold(self) -> None:
        """Replace the first ClientHello by its hash (RFC 8446 4.4.1)."""
        hashed = self.suite.digest(self.messages)
        self.messages = b"\xfe\0\0" + bytes([len(hashed)]) + hashed

    @property
    def hash(self) -> bytes:
        """Transcript hash of all messages so far."""
        return self.suite.digest(self.messages)

    @property
    def early(self) -> bytes:
        """The early secret."""
        zero = bytes(self.suite.length)
        return self.suite.mac(zero, self.psk or zero)

    def early_traffic(self) -> bytes:
        """The client's early traffic secret, behind its hello."""
        return derive_secret(self.suite, self.early, "c e traffic", self.hash)

    def binder(self, prefix: bytes) -> bytes:
        """A binder for a ClientHello up to there (RFC 8446 4.2.11.2)."""
        suite = self.suite
        empty = suite.digest(b"")
        base = derive_secret(suite, self.early, "res binder", empty)
        key = expand_label(suite, base, "finished", b"", suite.length)
        return suite.mac(key, suite.digest(self.messages + prefix))

    def secrets(self, shared: bytes) -> tuple[bytes, bytes]:
        """Handshake traffic secrets: client's and server's."""
        suite = self.suite
        empty = suite.digest(b"")
        zero = bytes(suite.length)
        salt = derive_secret(suite, self.early, "derived", empty)
        self.handshake = suite.mac(salt, shared)
        salt = derive_secret(suite, self.handshake, "derived", empty)
        self.master = suite.mac(salt, zero)
        return (
            derive_secret(suite, self.handshake, "c hs traffic", self.hash),
            derive_secret(suite, self.handshake, "s hs traffic", self.hash),
        )

    def application(self) -> tuple[bytes, bytes]:
        """Application traffic secrets: client's and server's."""
        return (
            derive_secret(self.suite, self.master, "c ap traffic", self.hash),
            derive_secret(self.suite, self.master, "s ap traffic", self.hash),
        )

    def external_binder(self, psk: bytes, hello: bytes) -> bytes:
        """The binder of an external PSK over a cut hello."""
        suite = self.suite
        early = suite.mac(bytes(suite.length), psk)
        empty = suite.digest(b"")
        base = derive_secret(suite, early, "ext binder", empty)
        key = expand_label(suite, base, "finished", b"", suite.length)
        return suite.mac(key, suite.digest(self.messages + hello))

    def verify_data(self, traffic: bytes) -> bytes:
        """What a Finished must hold now (RFC 8446 4.4.4)."""
        size = self.suite.length
        key = expand_label(self.suite, traffic, "finished", b"", size)
        return self.suite.mac(key, self.hash)


def has_hybrid() -> bool:
    """Tell whether `cryptography` is new enough for ML-KEM."""
    return importlib.util.find_spec(MLKEM) is not None


def _mlkem() -> Any:
    """Load ML-KEM, which not every Python's `cryptography` has."""
    return importlib.import_module(MLKEM)


class Share:
    """A key pair of a group (RFC 8446 4.2.8)."""

    def __init__(self, group: int) -> None:
        self.group = group
        self._x: Optional[x25519.X25519PrivateKey] = None
        self._p: Optional[ec.EllipticCurvePrivateKey] = None
        self._kem: Any = None
        self.public = b""
        if group == HYBRID:
            self._kem = _mlkem().MLKEM768PrivateKey.generate()
            self.public = self._kem.public_key().public_bytes_raw()
        if group in (X25519, HYBRID):
            self._x = x25519.X25519PrivateKey.generate()
            self.public += self._x.public_key().public_bytes_raw()
        else:
            self._p = ec.generate_private_key(CURVES[group])
            self.public = self._p.public_key().public_bytes(
                serialization.Encoding.X962,
                serialization.PublicFormat.UncompressedPoint,
            )

    def secret(self, public: bytes) -> bytes:
        """The shared secret with the peer's share; a hybrid's client's."""
        if self._kem is not None:
            text, public = public[:CIPHERTEXT], public[CIPHERTEXT:]
            return self._kem.decapsulate(text) + self._exchange(public)
        return self._exchange(public)

    def answer(self, public: bytes) -> tuple[bytes, bytes]:
        """Give a server's share, and the secret with the client's."""
        if self._kem is None:
            return self.public, self._exchange(public)
        key, public = public[:ENCAPSULATION_KEY], public[ENCAPSULATION_KEY:]
        theirs = _mlkem().MLKEM768PublicKey.from_public_bytes(key)
        secret, text = theirs.encapsulate()
        own = self.public[ENCAPSULATION_KEY:]
        return text + own, secret + self._exchange(public)

    def _exchange(self, public: bytes) -> bytes:
        """The Diffie-Hellman half, which is all but for the hybrid."""
        if self._x is not None:
            peer = x25519.X25519PublicKey.from_public_bytes(public)
            return self._x.exchange(peer)
        assert self._p is not None
        point = ec.EllipticCurvePublicKey.from_encoded_point(
            CURVES[self.group], public
        )
        return self._p.exchange(ec.ECDH(), point)


_HASHES: dict[int, hashes.HashAlgorithm] = {
    0x0201: hashes.SHA1(),
    0x0203: hashes.SHA1(),
    0x0401: hashes.SHA256(),
    0x0501: hashes.SHA384(),
    0x0601: hashes.SHA512(),
    0x0403: hashes.SHA256(),
    0x0503: hashes.SHA384(),
    0x0603: hashes.SHA512(),
    0x0804: hashes.SHA256(),
    0x0805: hashes.SHA384(),
    0x0806: hashes.SHA512(),
    0x0809: hashes.SHA256(),
    0x080A: hashes.SHA384(),
    0x080B: hashes.SHA512(),
}
_PKCS1 = (0x0201, 0x0401, 0x0501, 0x0601)


def scheme_for(key: PrivateKey) -> int:
    """The natural TLS 1.3 scheme of a key (RFC 8446 4.2.3)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {256: 0x0403, 384: 0x0503, 521: 0x0603}[key.curve.key_size]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return 0x0807
    if isinstance(key, ed448.Ed448PrivateKey):
        return 0x0808
    return 0x0804


def covered(transcript: bytes, server: bool) -> bytes:
    """What a CertificateVerify signs (RFC 8446 4.4.3)."""
    side = b"server" if server else b"client"
    context = b"TLS 1.3, " + side + b" CertificateVerify"
    return b" " * 64 + context + b"\0" + transcript


def sign(key: PrivateKey, scheme: int, data: bytes) -> bytes:
    """Sign as a scheme says, whether TLS 1.3 allows it or not."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_HASHES[scheme]))
    if isinstance(key, rsa.RSAPrivateKey):
        if scheme in _PKCS1:
            return key.sign(data, padding.PKCS1v15(), _HASHES[scheme])
        used = _HASHES[scheme]
        pss = padding.PSS(padding.MGF1(used), used.digest_size)
        return key.sign(data, pss, used)
    return key.sign(data)


def verify(
    der: bytes,
    scheme: int,
    signature: bytes,
    data: bytes,
    pkcs1: bool = False,
) -> None:
    """Check a signature made with the key of a certificate.

    pkcs1: the schemes of RFC 8446 4.2.3 that TLS 1.2 alone has will do.
    """
    key = x509.load_der_x509_certificate(der).public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_HASHES[scheme]))
        elif isinstance(key, rsa.RSAPublicKey) and scheme in _PKCS1:
            if not pkcs1:
                raise ForgeError("a scheme that TLS 1.3 does not have")
            key.verify(signature, data, padding.PKCS1v15(), _HASHES[scheme])
        elif isinstance(key, rsa.RSAPublicKey):
            used = _HASHES[scheme]
            pss = padding.PSS(padding.MGF1(used), used.digest_size)
            key.verify(signature, data, pss, used)
        elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
            key.verify(signature, data)
        else:
            raise ForgeError("a key of an unknown kind")
    except InvalidSignature:
        raise ForgeError("the peer's signature is wrong") from None


def random_bytes(size: int) -> bytes:
    """Octets for randoms, session identifiers and the like."""
    return os.urandom(size)
