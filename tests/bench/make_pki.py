"""Writes pyssl/bench/pki_data.py: the benchmark's certificates.

    python -m tests.bench.make_pki > pyssl/bench/pki_data.py

For each kind of key there is a root, two intermediate CAs below it, leaves
under each of the three, and a client's certificate under the root.
"""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
UNTIL = dt.datetime(2126, 1, 1, tzinfo=dt.timezone.utc)
KEYS: dict[str, Any] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


class Issuer:
    """Issues certificates of one kind of key."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number = 0

    def key(self) -> Any:
        """Make a key."""
        return KEYS[self.kind]()

    def cert(self, name: str, key: Any, by: tuple[str, Any], ca: bool) -> str:
        """Issue a certificate.

        Args:
            name: Of the subject.
            key: Of the subject.
            by: Name and key of the issuer.
            ca: It is a CA's.
        """
        self.number += 1
        public = key.public_key()
        build = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(by[0]))
            .public_key(public)
            .serial_number(self.number)
            .not_valid_before(SINCE)
            .not_valid_after(UNTIL)
            .add_extension(x509.BasicConstraints(ca, None), True)
            .add_extension(usage(ca), True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public), False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    by[1].public_key()
                ),
                False,
            )
        )
        if not ca:
            purpose = ExtendedKeyUsageOID.SERVER_AUTH
            if name == "client":
                purpose = ExtendedKeyUsageOID.CLIENT_AUTH
            build = build.add_extension(
                x509.ExtendedKeyUsage([purpose]), False
            ).add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name)]), False
            )
        digest = None if self.kind == "ed25519" else hashes.SHA256()
        made = build.sign(by[1], digest)
        return made.public_bytes(form.Encoding.PEM).decode()


def named(name: str) -> x509.Name:
    """Make a name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def usage(ca: bool) -> x509.KeyUsage:
    """Say what a key is for."""
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def pem_of(key: Any) -> str:
    """Give a private key as PEM."""
    return key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    ).decode()


def one_kind(kind: str) -> dict[str, str]:
    """Make everything of one kind."""
    issuer = Issuer(kind)
    names = [f"pyssl benchmark {what}" for what in ("root", "CA 1", "CA 2")]
    keys = [issuer.key() for _ in names]
    leaf, client = issuer.key(), issuer.key()
    above = list(zip(names, keys))
    return {
        "root": issuer.cert(*above[0], above[0], True),
        "ca1": issuer.cert(*above[1], above[0], True),
        "ca2": issuer.cert(*above[2], above[1], True),
        "leaf1": issuer.cert("localhost", leaf, above[0], False),
        "leaf2": issuer.cert("localhost", leaf, above[1], False),
        "leaf3": issuer.cert("localhost", leaf, above[2], False),
        "key": pem_of(leaf),
        "client": issuer.cert("client", client, above[0], False),
        "client_key": pem_of(client),
    }


def main() -> None:
    """Write the module."""
    out = sys.stdout.write
    out('"""The benchmark\'s certificates: see tests/bench/make_pki.py.\n\n')
    out("The keys are published here and protect nothing.\n")
    out('"""\n\nfrom __future__ import annotations\n\n')
    out("DATA: dict[str, dict[str, str]] = {\n")
    for kind in KEYS:
        out(f'    "{kind}": {{\n')
        for name, pem in one_kind(kind).items():
            out(f'        "{name}": """\\\n{pem}""",\n')
        out("    },\n")
    out("}\n")


if __name__ == "__main__":
    main()
