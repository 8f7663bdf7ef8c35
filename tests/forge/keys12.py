"""Cryptography of the forge's TLS 1.2: PRF, key block, records.

Written from RFC 5246, 5288, 5489, 7627 and 7905 over hmac and the
`cryptography` package; it shares no line with the core that it tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
)
from cryptography.hazmat.primitives.ciphers.aead import (
    AESGCM,
    ChaCha20Poly1305,
)

from tests.forge import keys
from tests.forge.keys import ForgeError, Suite

ECDSA_AES_128, ECDSA_AES_256, ECDSA_CHACHA = 0xC02B, 0xC02C, 0xCCA9
RSA_AES_128, RSA_AES_256, RSA_CHACHA = 0xC02F, 0xC030, 0xCCA8
PSK_AES_128, PSK_AES_256, PSK_CHACHA = 0xD001, 0xD002, 0xCCAC
FALLBACK_SCSV, RENEGOTIATION_SCSV = 0x5600, 0x00FF
GROUPS = (keys.X25519, keys.P256, keys.P384, keys.P521)
SEALED = "sealed"


@dataclass(frozen=True)
class Suite12(Suite):
    """A cipher suite of TLS 1.2 (RFC 5289 3.2, RFC 7905 2, RFC 8442 3).

    Attributes:
        rsa: needs an RSA certificate; else one for ECDSA or EdDSA.
        salt: octets of a nonce that the key block gives; the rest of the
            twelve stands in the record.
        psk: needs no certificate but a key that both have.
    """

    rsa: bool = False
    salt: int = 4
    psk: bool = False


SUITES = {
    one.number: one
    for one in (
        Suite12(ECDSA_AES_128, "sha256", 16, AESGCM),
        Suite12(ECDSA_AES_256, "sha384", 32, AESGCM),
        Suite12(ECDSA_CHACHA, "sha256", 32, ChaCha20Poly1305, False, 12),
        Suite12(RSA_AES_128, "sha256", 16, AESGCM, True),
        Suite12(RSA_AES_256, "sha384", 32, AESGCM, True),
        Suite12(RSA_CHACHA, "sha256", 32, ChaCha20Poly1305, True, 12),
    )
}

# RFC 8442 3, RFC 7905 2: apart, as only who has a key offers them.
PSK_SUITES = {
    one.number: one
    for one in (
        Suite12(PSK_AES_128, "sha256", 16, AESGCM, psk=True),
        Suite12(PSK_AES_256, "sha384", 32, AESGCM, psk=True),
        Suite12(PSK_CHACHA, "sha256", 32, ChaCha20Poly1305, salt=12, psk=True),
    )
}
ALL_SUITES = {**SUITES, **PSK_SUITES}


def psk_premaster(shared: bytes, psk: bytes) -> bytes:
    """The ECDH secret, then the PSK, each with its length (RFC 5489 2)."""
    parts = (len(one).to_bytes(2, "big") + one for one in (shared, psk))
    return b"".join(parts)


def prf(
    suite: Suite, secret: bytes, label: bytes, seed: bytes, size: int
) -> bytes:
    """PRF(secret, label, seed) (RFC 5246 5)."""
    seed = label + seed
    block, out = seed, b""
    while len(out) < size:
        block = suite.mac(secret, block)
        out += suite.mac(secret, block + seed)
    return out[:size]


class Protection12:
    """One direction of record protection (RFC 5246 6.2.3.3)."""

    epoch = SEALED

    def __init__(self, suite: Suite12, key: bytes, salt: bytes) -> None:
        self.suite, self.key, self.salt = suite, key, salt
        self.aead: Union[AESGCM, ChaCha20Poly1305] = suite.aead(key)
        self.seq = 0

    def _nonce(self, explicit: bytes) -> bytes:
        if self.suite.salt == 4:
            return self.salt + explicit
        count = self.seq.to_bytes(12, "big")
        return bytes(a ^ b for a, b in zip(self.salt, count))

    def _bound(self, kind: int, version: int, size: int) -> bytes:
        head = bytes([kind]) + version.to_bytes(2, "big")
        return self.seq.to_bytes(8, "big") + head + size.to_bytes(2, "big")

    def seal(
        self,
        kind: int,
        data: bytes,
        version: int = 0x0303,
        explicit: Optional[bytes] = None,
        size: Optional[int] = None,
    ) -> bytes:
        """Seal a record.

        Args:
            explicit: the part of the nonce in an AES-GCM record, which the
                sender may choose (RFC 5288 3).
            size: length that the additional data tells.
        """
        part = b""
        if self.suite.salt == 4:
            part = (
                self.seq.to_bytes(8, "big") if explicit is None else explicit
            )
        length = len(data) if size is None else size
        bound = self._bound(kind, version, length)
        body = part + self.aead.encrypt(self._nonce(part), data, bound)
        self.seq += 1
        head = bytes([kind]) + version.to_bytes(2, "big")
        return head + len(body).to_bytes(2, "big") + body

    def open(self, record: bytes) -> tuple[int, bytes]:
        """Open a record; gives its type and content."""
        cut = 5 + 12 - self.suite.salt
        part, body = record[5:cut], record[cut:]
        version = int.from_bytes(record[1:3], "big")
        bound = self._bound(record[0], version, len(body) - 16)
        data = self.aead.decrypt(self._nonce(part), body, bound)
        self.seq += 1
        return record[0], data


@dataclass
class Session12:
    """What a connection leaves behind to be resumed."""

    id: bytes
    ticket: bytes
    master: bytes
    suite: int
    extended: bool


class Schedule12(keys.Schedule):
    """Transcript, master secret and what comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.suite: Suite12 = SUITES[ECDSA_AES_128]
        self.client_random = b""
        self.server_random = b""
        self.master = b""

    def derive(self, premaster: bytes, extended: bool) -> None:
        """Make the master secret (RFC 5246 8.1, RFC 7627 4)."""
        if extended:
            label, seed = b"extended master secret", self.hash
        else:
            label = b"master secret"
            seed = self.client_random + self.server_random
        self.master = prf(self.suite, premaster, label, seed, 48)

    def protections(self) -> tuple[Protection12, Protection12]:
        """The client's and the server's (RFC 5246 6.3)."""
        n, salt = self.suite.key_length, self.suite.salt
        seed = self.server_random + self.client_random
        size = 2 * (n + salt)
        block = prf(self.suite, self.master, b"key expansion", seed, size)
        ivs = block[2 * n :]
        return (
            Protection12(self.suite, block[:n], ivs[:salt]),
            Protection12(self.suite, block[n : 2 * n], ivs[salt:]),
        )

    def finished(self, server: bool) -> bytes:
        """What a Finished must hold now (RFC 5246 7.4.9)."""
        label = b"server finished" if server else b"client finished"
        return prf(self.suite, self.master, label, self.hash, 12)


def fits(suite: int, key: keys.PrivateKey) -> bool:
    """Does the key sign for this suite (RFC 8422 2.1, 2.2, 5.10)?"""
    other = isinstance(
        key,
        (
            ec.EllipticCurvePrivateKey,
            ed25519.Ed25519PrivateKey,
            ed448.Ed448PrivateKey,
        ),
    )
    return SUITES[suite].rsa != other


def checked(group: int) -> int:
    """Give the group back; ForgeError if TLS 1.2 has none of it."""
    if group not in GROUPS:
        raise ForgeError(f"group {group:#06x}")
    return group
