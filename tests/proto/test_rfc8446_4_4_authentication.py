"""RFC 8446 4.4: Certificate, CertificateVerify, Finished, to both sides."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import ForgeClient, ForgeServer, bend, keys, messages as m
from tests.forge.victim import (
    APPLICATION,
    BAD_CERT,
    DECODE,
    DECRYPT,
    HANDSHAKE,
    ILLEGAL,
    UNSUPPORTED,
    Case,
    check,
    client,
    refused,
    server,
    table,
)
from tests.pki import ca

CT, CV, FIN = "certificate", "certificate_verify", "finished"


def entries(change: Any) -> Any:
    """Change the list of a Certificate message in place."""
    return bend.on(CT, lambda found: change(found.entries))


def only(der: bytes, extensions: Any = ()) -> Any:
    """Send one certificate."""
    return bend.fields(CT, entries=[(der, list(extensions))])


def with_extension(kind: int, data: bytes = b"") -> Any:
    """Give the first certificate an extension."""
    return entries(lambda e: e[0][1].append((kind, data)))


LEAF = ca.leaf().cert_der
GARBAGE = {
    "octet": b"\0",
    "text": b"certificate",
    "sequence": b"\x30\x03\x02\x01\x01",
    "cut": LEAF[:-1],
    "indefinite": b"\x30\x80\0\0",
}

# Rows for both sides.
CERTIFICATES = [
    Case("4.4.2", "context", bend.fields(CT, context=b"x"), ILLEGAL),
    Case("4.4.2", "no octets of a certificate", only(b""), DECODE),
    Case(
        "4.4.2",
        "no octets of the second certificate",
        entries(lambda e: e.append((b"", []))),
        DECODE,
    ),
    *(
        Case(
            "4.4.2",
            f"bad DER {name}",
            only(der),
            (BAD_CERT, DECODE),
        )
        for name, der in GARBAGE.items()
    ),
    Case(
        "4.4.2",
        "octet behind the DER",
        only(LEAF + b"\0"),
        (BAD_CERT, DECODE),
    ),
    Case(
        "4.4.2",
        "bad DER second",
        entries(lambda e: e.append((b"\0", []))),
        (BAD_CERT, DECODE),
    ),
    Case(
        "4.4.2",
        "unknown extension",
        with_extension(0x1234),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    Case(
        "4.4.2",
        "unknown extension of the second certificate",
        entries(lambda e: e.append((LEAF, [(0x1234, b"")]))),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    Case(
        "4.4.2.1",
        "OCSP response not asked for",
        with_extension(m.STATUS_REQUEST, b"\x01\0\0\x01\0"),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    Case(
        "4.4.2.1",
        "SCT not asked for",
        with_extension(m.SCT, b"\0\x03\0\x01x"),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    *(
        Case(
            "4.2",
            f"extension {kind} of another message",
            with_extension(kind, data),
            ILLEGAL,
        )
        for kind, data in (
            (m.SERVER_NAME, b""),
            (m.SUPPORTED_GROUPS, b"\0\x02\0\x1d"),
            (m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03"),
            (m.KEY_SHARE, b"\0\x1d"),
            (m.SUPPORTED_VERSIONS, b"\x03\x04"),
        )
    ),
    Case("4.4.2", "octet behind the body", bend.trailing(CT), DECODE),
    Case("4.4.2", "empty", bend.swap(CT, m.CERTIFICATE, b""), DECODE),
    Case(
        "4.4.2",
        "list too long",
        bend.body(CT, lambda b: b[:3] + bytes([b[3] + 1]) + b[4:]),
        DECODE,
    ),
    Case(
        "4.4.2",
        "entry too long",
        bend.body(CT, lambda b: b[:4] + b"\xff" + b[5:]),
        DECODE,
    ),
    Case(
        "4.4.2",
        "entry without extension block",
        bend.body(
            CT,
            lambda b: b"\0" + m.vec(3, m.vec(3, LEAF)),
        ),
        DECODE,
    ),
]


def signed_by(change: Any) -> Any:
    """Replace the CertificateVerify by what change(peer) gives."""

    def bend_it(forge: Any) -> None:
        forge.on(CV, lambda peer, _found: [change(peer)])

    return bend_it


def flipped(found: m.CertificateVerify) -> None:
    """Change one bit of the signature's middle."""
    wrong = bytearray(found.signature)
    wrong[len(wrong) // 2] ^= 1
    found.signature = bytes(wrong)


def by_other_key(peer: Any) -> m.CertificateVerify:
    """Sign with a key that is not the certificate's."""
    data = keys.covered(peer.schedule.hash, peer.server)
    other = ca.leaf("p256", key_label="other")
    return m.CertificateVerify(0x0403, keys.sign(other.key, 0x0403, data))


def over(change: Any) -> Any:
    """Sign other octets than the ones of RFC 8446 4.4.3."""

    def make(peer: Any) -> m.CertificateVerify:
        data = keys.covered(peer.schedule.hash, peer.server)
        key = peer.identity.key
        scheme = keys.scheme_for(key)
        return m.CertificateVerify(
            scheme, keys.sign(key, scheme, change(data))
        )

    return signed_by(make)


def scheme_only(scheme: int) -> Any:
    """Name another scheme over an unchanged signature."""
    return bend.fields(CV, scheme=scheme)


def really(scheme: int) -> Any:
    """Sign with another scheme, correctly."""
    return signed_by(lambda peer: peer.signed(scheme))


def short_salt(peer: Any) -> m.CertificateVerify:
    """Sign with RSA-PSS and a salt that is too short."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    data = keys.covered(peer.schedule.hash, peer.server)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 20)
    signature = peer.identity.key.sign(data, pss, hashes.SHA256())
    return m.CertificateVerify(0x0804, signature)


WRONG = (DECRYPT, p.SSL_R_BAD_SIGNATURE)
SIGNATURES = [
    Case("4.4.3", "bit changed", bend.on(CV, flipped), *WRONG),
    Case("4.4.3", "no octets", bend.fields(CV, signature=b""), *WRONG),
    Case("4.4.3", "garbage", bend.fields(CV, signature=b"x" * 70), *WRONG),
    Case(
        "4.4.3",
        "octet behind the signature value",
        bend.on(CV, lambda v: setattr(v, "signature", v.signature + b"\0")),
        *WRONG,
    ),
    Case("4.4.3", "another key", signed_by(by_other_key), *WRONG),
    Case(
        "4.4.3",
        "context of the other side",
        signed_by(lambda peer: peer.signed(0x0403, as_server=not peer.server)),
        *WRONG,
    ),
    Case("4.4.3", "no padding", over(lambda data: data[64:]), *WRONG),
    Case("4.4.3", "no separator", over(lambda d: d[:97] + d[98:]), *WRONG),
    Case("4.4.3", "transcript only", over(lambda d: d[98:]), *WRONG),
    *(
        Case("4.4.3", f"scheme {scheme:04x} named", scheme_only(scheme), 47)
        for scheme in (
            0x0000,
            0x0201,
            0x0203,
            0x0401,
            0x0503,
            0x0603,
            0x0804,
            0x0807,
            0x0809,
            0x1A1A,
        )
    ),
    Case(
        "4.4.3",
        "ECDSA with SHA-1",
        really(0x0203),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
    ),
    Case(
        "4.4.3",
        "P-256 key with SHA-384",
        signed_by(
            lambda peer: m.CertificateVerify(
                0x0503,
                keys.sign(
                    peer.identity.key,
                    0x0503,
                    keys.covered(peer.schedule.hash, peer.server),
                ),
            )
        ),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
    ),
    Case("4.4.3", "octet behind the body", bend.trailing(CV), DECODE),
    Case("4.4.3", "empty", bend.swap(CV, m.CERTIFICATE_VERIFY, b""), DECODE),
]

RSA = {"identity": ca.leaf("rsa")}
RSA_SIGNATURES = [
    *(
        Case(
            "4.4.3",
            f"RSA PKCS1 scheme {scheme:04x}",
            really(scheme),
            ILLEGAL,
            p.SSL_R_WRONG_SIGNATURE_TYPE,
            forge=RSA,
        )
        for scheme in (0x0201, 0x0401)
    ),
    Case(
        "4.2.3",
        "RSA key with an rsa_pss_pss scheme",
        really(0x0809),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
        forge=RSA,
    ),
    Case(
        "4.2.3",
        "RSA-PSS key with an rsa_pss_rsae scheme",
        really(0x0804),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
        forge={"identity": ca.leaf("rsapss")},
    ),
    Case(
        "4.2.3",
        "RSA-PSS with a short salt",
        signed_by(short_salt),
        *WRONG,
        forge=RSA,
    ),
    Case(
        "4.2.3",
        "RSA-PSS as PKCS1",
        bend.both(really(0x0401), scheme_only(0x0804)),
        (ILLEGAL, DECRYPT),
        forge=RSA,
    ),
]

FINISHED = [
    *(
        Case(
            "4.4.4",
            f"bit {bit} changed",
            bend.on(
                FIN,
                lambda f, bit=bit: setattr(
                    f,
                    "verify_data",
                    (
                        int.from_bytes(f.verify_data, "big") ^ (1 << bit)
                    ).to_bytes(len(f.verify_data), "big"),
                ),
            ),
            DECRYPT,
            p.SSL_R_DIGEST_CHECK_FAILED,
        )
        for bit in (0, 100, 255)
    ),
    Case(
        "4.4.4",
        "zeros",
        bend.on(
            FIN,
            lambda f: setattr(f, "verify_data", bytes(len(f.verify_data))),
        ),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    Case("4.4.4", "empty", bend.fields(FIN, verify_data=b""), DECODE),
    Case("4.4.4", "octet more", bend.trailing(FIN), DECODE),
    Case("4.4.4", "twelve octets", bend.cut(FIN, 12), DECODE),
]


def sided(cases: list[Case], *, as_server: bool) -> list[Case]:
    """Fit rows to a side: the server's alerts have application keys."""
    found = []
    for case in cases:
        forge = dict(case.forge)
        wishes = dict(case.wishes)
        if as_server and case.rfc != "4.4.4":
            forge.setdefault("identity", ca.leaf())
            wishes["client_auth"] = True
        epoch = APPLICATION if as_server else HANDSHAKE
        found.append(
            Case(
                case.rfc,
                case.name,
                case.bend,
                case.alert,
                case.reason,
                epoch,
                forge=forge,
                wishes=wishes,
            )
        )
    return found


BOTH = [*CERTIFICATES, *SIGNATURES, *RSA_SIGNATURES, *FINISHED]


@table(sided(BOTH, as_server=False))
def test_client_given_wrong_authentication_aborts(case: Case) -> None:
    check(case, as_server=False)


@table(sided(BOTH, as_server=True))
def test_server_given_wrong_authentication_aborts(case: Case) -> None:
    check(case, as_server=True)


@table(
    [
        Case(
            "4.4.2.4",
            "empty list",
            bend.fields(CT, entries=[]),
            DECODE,
        ),
        Case(
            "4.4.2.4",
            "unknown authority",
            None,
            48,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            forge={"identity": ca.leaf(issuer=ca.authority(name="unknown"))},
            wishes={"server": ca.leaf()},
        ),
        Case(
            "4.4.2.4",
            "expired",
            None,
            45,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            forge={"identity": ca.leaf(expired=True)},
        ),
        Case(
            "4.4.2.4",
            "SHA-1 signature",
            None,
            BAD_CERT,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            forge={"identity": ca.leaf(hash="sha1")},
        ),
        Case(
            "4.4.2.2",
            "key usage without digitalSignature",
            None,
            (42, 43, 46, ILLEGAL),
            forge={
                "identity": ca.leaf(key_usage=("key_agreement",)),
            },
        ),
        Case(
            "4.4.2.2",
            "extended key usage for clients",
            None,
            43,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            forge={"identity": ca.leaf(eku=("client",))},
        ),
        Case(
            "4.4.2.4",
            "certificate of another key",
            only(ca.leaf("p256", key_label="other").cert_der),
            *WRONG,
        ),
        Case(
            "4.2.3",
            "ECDSA certificate and RSA signature",
            only(LEAF),
            ILLEGAL,
            p.SSL_R_WRONG_SIGNATURE_TYPE,
            forge=RSA,
            wishes={"server": ca.leaf()},
        ),
    ]
)
def test_client_given_a_certificate_it_cannot_accept_aborts(
    case: Case,
) -> None:
    check(case, as_server=False)


def optional(ssl: p.SSL) -> None:
    """Let the server take a client without a certificate."""
    p.SSL_set_verify(ssl, p.SSL_VERIFY_PEER, None)


@table(
    [
        Case(
            "4.4.2.4",
            "none though required",
            None,
            116,
            p.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
            APPLICATION,
            wishes={"client_auth": True},
            ids=("VFY-1",),
        ),
        Case(
            "4.4.2.4",
            "unknown authority",
            None,
            48,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            APPLICATION,
            forge={"identity": ca.leaf(issuer=ca.authority(name="unknown"))},
            wishes={"client_auth": True, "client": ca.leaf()},
        ),
        Case(
            "4.4.2.4",
            "unknown authority though none is required",
            None,
            48,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            APPLICATION,
            forge={"identity": ca.leaf(issuer=ca.authority(name="unknown"))},
            wishes={"client_auth": True, "client": ca.leaf()},
            prepare=optional,
        ),
        Case(
            "4.4.2",
            "context of an empty list",
            bend.fields(CT, context=b"x"),
            ILLEGAL,
            None,
            APPLICATION,
            wishes={"client_auth": True},
            prepare=optional,
        ),
        Case(
            "4.4.3",
            "scheme not asked for",
            None,
            ILLEGAL,
            p.SSL_R_WRONG_SIGNATURE_TYPE,
            APPLICATION,
            forge={"identity": ca.leaf("p384")},
            wishes={"client_auth": True},
            prepare=lambda ssl: p.SSL_set1_sigalgs_list(
                ssl, "ECDSA+SHA256:rsa_pss_rsae_sha256"
            ),
        ),
    ]
)
def test_server_given_a_certificate_it_cannot_accept_aborts(
    case: Case,
) -> None:
    check(case, as_server=True)


@clause("RFC 8446 4.4.3", "HS-18")
def test_client_given_a_scheme_it_did_not_offer_aborts() -> None:
    case = Case(
        "4.4.3",
        "not offered",
        None,
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
        forge={"identity": ca.leaf("p384")},
        prepare=lambda ssl: p.SSL_set1_sigalgs_list(ssl, "ECDSA+SHA256"),
    )
    check(case, as_server=False)


@clause("RFC 8446 6", "HS-18", "HS-22")
@pytest.mark.parametrize("name", [CT, CV, FIN])
@pytest.mark.parametrize("as_server", [False, True], ids=["client", "server"])
def test_authentication_cut_anywhere_is_decode_error(
    name: str, as_server: bool
) -> None:
    def ready() -> Any:
        if not as_server:
            return ForgeServer(ca.leaf())
        return ForgeClient(ca.leaf())

    def run(forge: Any) -> Any:
        if not as_server:
            victim = client(forge)
        else:
            victim = server(forge, client_auth=True)
            forge.start()
            victim.deliver()
        return victim, victim.handshake()

    forge = ready()
    size = bend.size_of(name, forge, lambda: run(forge))
    # Counted from the end: signatures vary in length.
    for less in range(1, size + 1):
        forge = ready()
        bend.body(name, lambda b, n=less: b[: max(len(b) - n, 0)])(forge)
        victim, result = run(forge)
        epoch = APPLICATION if as_server else HANDSHAKE
        refused(victim, result, DECODE, None, epoch)


@clause("RFC 8446 4.4.2", "RFC 8446 4.4.2.4")
@pytest.mark.parametrize("extra", ["root", "stranger", "twice"])
def test_client_given_certificates_it_does_not_need_completes(
    extra: str,
) -> None:
    more = {
        "root": ca.authority().cert_der,
        "stranger": ca.authority(name="stranger").cert_der,
        "twice": LEAF,
    }[extra]
    check(
        Case("4.4.2", extra, entries(lambda e: e.append((more, [])))),
        as_server=False,
    )
