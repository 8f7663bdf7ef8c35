"""Certificates for tests: roots, intermediates, leaves and their flaws.

    from tests.pki.ca import authority, intermediate, leaf, revocations

    root = authority()                    # P-256 root "pyssl test root"
    server = leaf()                       # P-256, signed by authority()
    deep = leaf(kind="rsa", issuer=intermediate())
    old = leaf(expired=True)

Each call gives an `Identity`: `cert_pem`, `cert_der`, `key_pem`, `key_der`
(PKCS#8), `chain_pem` (leaf, then intermediates), `chain_der` (the same as a
tuple), `ca_pem` (the root that ends its chain) and `cert` (the parsed
certificate). The same arguments give the same object, and keys are made once
a process for each kind and `key_label`, because RSA keys are slow to make.

Kinds: `KINDS` = rsa (2048 bits), rsapss (the key itself is RSASSA-PSS), p256,
p384, p521, ed25519, ed448; besides these rsaNNNN for another size (rsa1024 is
weak) and k256 (a curve TLS 1.3 has no scheme for).

Flaws, keyword arguments of every maker:

    expired, not_yet_valid   validity a day in the past or in the future
    self_signed              signed with its own key (leaf only)
    bad_signature            one bit of the signature is wrong
    eku                      extended key usage: names of `EKU`, () for none
                             (a leaf has server and client, a CA none)
    key_usage                names of `KEY_USAGE`, () for no extension
    ca                       basicConstraints CA flag; None: no extension
    path_length              of basicConstraints
    hash                     sha256, sha384, sha512, sha1
    pss                      the issuer signs with RSASSA-PSS (RSA issuers)
    common_name              subject CN; "" for an empty subject
    key_label                another label gives another key
    serial                   serial number

A wrong host is `leaf(names=("other.test",), ips=())`.
`revocations(issuer, [serial, ...])` is the issuer's CRL as PEM.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Optional, Union

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KINDS = ("rsa", "rsapss", "p256", "p384", "p521", "ed25519", "ed448")

CURVES: dict[str, ec.EllipticCurve] = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
    "k256": ec.SECP256K1(),
}

HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

EKU = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code": ExtendedKeyUsageOID.CODE_SIGNING,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}

KEY_USAGE = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

Key = Union[
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
]

# AlgorithmIdentifiers of an RSA key: rsaEncryption, and RSASSA-PSS without
# parameters, which leaves hash and salt free (RFC 4055 1.2, 3.1).
RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
PSS_ALGORITHM = bytes.fromhex("300b06092a864886f70d01010a")
# Contents of the AlgorithmIdentifiers of signatures over SHA-1.
SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d0101050500")
MD5_WITH_RSA = bytes.fromhex("06092a864886f70d0101040500")
SHA1_WITH_ECDSA = bytes.fromhex("06072a8648ce3d0401")
# With RSA; of ECDSA there is SHA-1 alone.
BROKEN = {"md5": MD5_WITH_RSA, "sha1": SHA1_WITH_RSA}


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key and the way up to its root."""

    kind: str
    cert_der: bytes
    key_der: bytes
    key: Key
    issuer: Optional[Identity]

    @property
    def cert(self) -> x509.Certificate:
        """The certificate, parsed by another implementation."""
        return x509.load_der_x509_certificate(self.cert_der)

    @property
    def cert_pem(self) -> bytes:
        """The certificate alone."""
        return pem("CERTIFICATE", self.cert_der)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS#8, not encrypted."""
        return pem("PRIVATE KEY", self.key_der)

    @property
    def chain_der(self) -> tuple[bytes, ...]:
        """The certificate and its intermediates, without the root."""
        found = [self.cert_der]
        above = self.issuer
        while above is not None and above.issuer is not None:
            found.append(above.cert_der)
            above = above.issuer
        return tuple(found)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and its intermediates, without the root."""
        return b"".join(pem("CERTIFICATE", der) for der in self.chain_der)

    @property
    def root(self) -> Identity:
        """The end of the chain: itself, if it has no issuer."""
        return self if self.issuer is None else self.issuer.root

    @property
    def ca_pem(self) -> bytes:
        """The root's certificate."""
        return self.root.cert_pem

    @property
    def ca_der(self) -> bytes:
        """The root's certificate."""
        return self.root.cert_der

    def encrypted_key_pem(
        self, passphrase: bytes, traditional: bool = False
    ) -> bytes:
        """The private key encrypted: PKCS#8, or the older form."""
        form = serialization.PrivateFormat
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            form.TraditionalOpenSSL if traditional else form.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )

    def traditional_key_pem(self) -> bytes:
        """The private key as RSA PRIVATE KEY or EC PRIVATE KEY."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )


def pem(label: str, der: bytes) -> bytes:
    """Wrap DER in PEM lines (RFC 7468)."""
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(
        [f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]
    ).encode()


def der_item(tag: int, content: bytes) -> bytes:
    """Encode one DER item."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    count = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | count]) + size.to_bytes(count, "big") + content


def der_items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split DER into its items: tag and content."""
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        yield tag, data[at : at + size]
        at += size


@functools.cache
def private_key(kind: str, label: str = "") -> Key:
    """Give the key of a kind; another label gives another key."""
    del label
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    if not kind.startswith("rsa"):
        raise ValueError(f"no kind of key {kind!r}")
    bits = kind[3:]
    return rsa.generate_private_key(
        65537, int(bits) if bits.isdigit() else 2048
    )


def authority(
    kind: str = "p256", name: str = "pyssl test root", **flaws: Any
) -> Identity:
    """Give a root certificate, signed by itself."""
    return _made(kind, "root", (), (), None, _frozen(flaws, name))


def intermediate(
    kind: str = "p256",
    name: str = "pyssl test intermediate",
    issuer: Optional[Identity] = None,
    **flaws: Any,
) -> Identity:
    """Give a certificate of a CA below issuer (`authority()`)."""
    above = issuer or authority()
    return _made(kind, "middle", (), (), above, _frozen(flaws, name))


def leaf(
    kind: str = "p256",
    names: Iterable[str] = ("localhost",),
    ips: Iterable[str] = ("127.0.0.1",),
    issuer: Optional[Identity] = None,
    **flaws: Any,
) -> Identity:
    """Give an end-entity certificate below issuer (`authority()`)."""
    names, ips = tuple(names), tuple(ips)
    above = None
    if not flaws.pop("self_signed", False):
        above = issuer or authority()
    first = names[0] if names else "pyssl test leaf"
    return _made(kind, "leaf", names, ips, above, _frozen(flaws, first))


def revocations(
    issuer: Identity, serials: Iterable[int] = (), expired: bool = False
) -> bytes:
    """Give the issuer's CRL as PEM, naming the serial numbers."""
    now = dt.datetime.now(dt.timezone.utc)
    day = dt.timedelta(days=1)
    begin = now - 3 * day if expired else now - day
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.cert.subject)
        .last_update(begin)
        .next_update(begin + 2 * day)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(now - day)
            .build()
        )
    crl = builder.sign(
        issuer.key,
        _digest(issuer.key, "sha256"),  # type: ignore[arg-type]
    )
    return crl.public_bytes(serialization.Encoding.PEM)


def _frozen(flaws: dict[str, Any], name: str) -> tuple[tuple[str, Any], ...]:
    """Make keyword arguments hashable, the subject among them."""
    flaws.setdefault("common_name", name)
    unknown = set(flaws) - FLAWS
    if unknown:
        raise TypeError(f"unknown flaws: {sorted(unknown)}")
    return tuple(
        (k, tuple(v) if isinstance(v, (list, set)) else v)
        for k, v in sorted(flaws.items())
    )


FLAWS = {
    "expired",
    "not_yet_valid",
    "bad_signature",
    "eku",
    "key_usage",
    "ca",
    "path_length",
    "hash",
    "pss",
    "common_name",
    "key_label",
    "serial",
}


@functools.cache
def _made(
    kind: str,
    role: str,
    names: tuple[str, ...],
    ips: tuple[str, ...],
    issuer: Optional[Identity],
    flaws: tuple[tuple[str, Any], ...],
) -> Identity:
    """Make what the arguments describe, once."""
    wish = dict(flaws)
    key = private_key(kind, wish.get("key_label", role))
    builder = _subject(wish, key, issuer)
    builder = _extensions(builder, wish, role, names, ips)
    signer = issuer.key if issuer is not None else key
    if (issuer.kind if issuer is not None else kind) == "rsapss":
        wish["pss"] = True  # such a key can sign in no other way
    broken = wish.get("hash") in BROKEN
    usual = "sha256" if broken else wish.get("hash")
    cert = builder.sign(
        signer,
        _digest(signer, usual or "sha256"),  # type: ignore[arg-type]
        rsa_padding=_padding(wish, usual or "sha256"),
    )
    cert_der = cert.public_bytes(serialization.Encoding.DER)
    if kind == "rsapss" or broken:
        cert_der = _rewritten(cert, kind, signer, wish)
    key_der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    if kind == "rsapss":
        key_der = _key_as_pss(key_der)
    if wish.get("bad_signature"):
        cert_der = cert_der[:-1] + bytes([cert_der[-1] ^ 1])
    return Identity(kind, cert_der, key_der, key, issuer)


def _subject(
    wish: dict[str, Any], key: Key, issuer: Optional[Identity]
) -> x509.CertificateBuilder:
    """Begin a certificate: names, key, serial number, validity."""
    common = wish["common_name"]
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else []
    )
    now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    day = dt.timedelta(days=1)
    begin, end = now - day, now + 365 * day
    if wish.get("expired"):
        begin, end = now - 30 * day, now - day
    if wish.get("not_yet_valid"):
        begin, end = now + day, now + 30 * day
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.cert.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(wish.get("serial") or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _extensions(
    builder: x509.CertificateBuilder,
    wish: dict[str, Any],
    role: str,
    names: tuple[str, ...],
    ips: tuple[str, ...],
) -> x509.CertificateBuilder:
    """Add what RFC 5280 asks for, unless a flaw says otherwise."""
    is_leaf = role == "leaf"
    ca = wish.get("ca", not is_leaf)
    if ca is not None:
        builder = builder.add_extension(
            x509.BasicConstraints(ca, wish.get("path_length")), critical=True
        )
    usage = wish.get(
        "key_usage",
        ("digital_signature",) if is_leaf else ("key_cert_sign", "crl_sign"),
    )
    if usage:
        builder = builder.add_extension(
            x509.KeyUsage(**{name: name in usage for name in KEY_USAGE}),
            critical=True,
        )
    eku = wish.get("eku", ("server", "client") if is_leaf else ())
    if eku:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([EKU[name] for name in eku]), critical=False
        )
    alt: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alt += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    if alt:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(alt),
            critical=not wish["common_name"],
        )
    return builder


def _digest(signer: Key, name: str) -> Optional[hashes.HashAlgorithm]:
    """Give the hash a signer needs; Edwards curves need none."""
    if isinstance(signer, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return None
    return HASHES[name]


def _padding(wish: dict[str, Any], name: str) -> Optional[padding.PSS]:
    """Give PSS with the salt that TLS wants, if it is wished for."""
    if not wish.get("pss"):
        return None
    used = HASHES[name]
    return padding.PSS(padding.MGF1(used), used.digest_size)


def _rewritten(
    cert: x509.Certificate, kind: str, signer: Key, wish: dict[str, Any]
) -> bytes:
    """Make of a certificate what its builder refuses, and sign it again.

    That is a key marked as RSASSA-PSS, or a signature over SHA-1 or MD5.
    """
    ((_, whole),) = der_items(cert.public_bytes(serialization.Encoding.DER))
    (_, tbs), (_, algorithm), _ = der_items(whole)
    items = list(der_items(tbs))
    if kind == "rsapss":
        (_, old), (tag, bits) = der_items(items[6][1])
        assert der_item(0x30, old) == RSA_ALGORITHM
        items[6] = (0x30, PSS_ALGORITHM + der_item(tag, bits))
    if wish.get("hash") in BROKEN:
        is_rsa = isinstance(signer, rsa.RSAPrivateKey)
        algorithm = BROKEN[wish["hash"]] if is_rsa else SHA1_WITH_ECDSA
        items[2] = (0x30, algorithm)
    body = der_item(0x30, b"".join(der_item(t, v) for t, v in items))
    signature = der_item(0x03, b"\0" + _sign(signer, body, wish))
    return der_item(0x30, body + der_item(0x30, algorithm) + signature)


def _sign(signer: Key, body: bytes, wish: dict[str, Any]) -> bytes:
    """Sign a certificate body the way the builder does."""
    name = wish.get("hash", "sha256")
    used = HASHES[name]
    if isinstance(signer, rsa.RSAPrivateKey):
        how = _padding(wish, name) or padding.PKCS1v15()
        return signer.sign(body, how, used)
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signer.sign(body, ec.ECDSA(used))
    return signer.sign(body)


def _key_as_pss(der: bytes) -> bytes:
    """Rewrite a PKCS#8 RSA key as an RSASSA-PSS key."""
    ((_, whole),) = der_items(der)
    items = list(der_items(whole))
    rest = b"".join(der_item(t, v) for t, v in items[2:])
    return der_item(0x30, der_item(*items[0]) + PSS_ALGORITHM + rest)
