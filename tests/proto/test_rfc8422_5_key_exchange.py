"""RFC 8422 5.4, 5.7, 5.11: shares of TLS 1.2 that must be refused."""

from __future__ import annotations

from typing import Any

import pyssl as p
from tests.clauses import clause
from tests.forge import bend, keys, messages12 as m12
from tests.forge.victim import (
    DECODE,
    DECRYPT,
    ILLEGAL,
    UNSUPPORTED_CERT,
    Case12,
    check,
    make,
    refused,
    table,
)
from tests.pki import ca

SKE, CKE = "server_key_exchange", "client_key_exchange"


def changed(**values: Any) -> Any:
    """Change the parameters, then sign them as they are."""

    def hook(peer: Any, found: m12.ServerKeyExchange) -> None:
        for name, value in values.items():
            setattr(found, name, value)
        peer.resign(found)

    return lambda forge: forge.on(SKE, hook)


def signed_with(scheme: int, key_kind: str = "") -> Any:
    """Sign with a scheme, perhaps with another key."""

    def hook(peer: Any, found: m12.ServerKeyExchange) -> None:
        used = peer.schedule
        data = used.client_random + used.server_random + found.params()
        key = ca.private_key(key_kind) if key_kind else peer.identity.key
        found.scheme = scheme
        found.signature = keys.sign(key, scheme, data)

    return lambda forge: forge.on(SKE, hook)


def other_randoms(peer: Any, found: m12.ServerKeyExchange) -> None:
    """Sign the randoms in the wrong order."""
    used = peer.schedule
    data = used.server_random + used.client_random + found.params()
    found.signature = keys.sign(peer.identity.key, found.scheme, data)


def without_randoms(peer: Any, found: m12.ServerKeyExchange) -> None:
    """Sign the parameters alone."""
    data = found.params()
    found.signature = keys.sign(peer.identity.key, found.scheme, data)


def flip(data: bytes, at: int = -1) -> bytes:
    """Change one bit."""
    out = bytearray(data)
    out[at] ^= 1
    return bytes(out)


P256 = keys.Share(keys.P256).public
X25519 = keys.Share(keys.X25519).public
P = {
    keys.P256: 2**256 - 2**224 + 2**192 + 2**96 - 1,
    keys.P384: 2**384 - 2**128 - 2**96 + 2**32 - 1,
    keys.P521: 2**521 - 1,
}


def bad_points(group: int) -> dict[str, bytes]:
    """Points of a curve that nobody may take."""
    good = keys.Share(group).public
    n = (len(good) - 1) // 2
    return {
        "compressed": bytes([2 + (good[-1] & 1)]) + good[1 : 1 + n],
        "hybrid": bytes([6 + (good[-1] & 1)]) + good[1:],
        "of form 5": b"\x05" + good[1:],
        "off the curve": flip(good),
        "at infinity": b"\0",
        "at infinity in full": b"\0" + good[1:],
        "too short": good[:-1],
        "too long": good + b"\0",
        "of zeros": b"\x04" + bytes(2 * n),
        "out of range": b"\x04" + P[group].to_bytes(n, "big") + good[1 + n :],
        "of form 4 alone": b"\x04",
    }


NIDS = {keys.P256: 415, keys.P384: 715, keys.P521: 716, keys.X25519: 1034}
NAMES = {keys.P256: "P-256", keys.P384: "P-384", keys.P521: "P-521"}
POINTS = [
    *(
        (group, f"{NAMES[group]} point {name}", point)
        for group in NAMES
        for name, point in bad_points(group).items()
    ),
    (keys.X25519, "X25519 share of zeros", bytes(32)),
    (keys.X25519, "X25519 share of order 2", b"\x01" + bytes(31)),
    (keys.X25519, "X25519 share too short", X25519[:31]),
    (keys.X25519, "X25519 share too long", X25519 + b"\0"),
    (keys.X25519, "X25519 share with a form", b"\x04" + X25519),
]


LONGEST = 133  # an uncompressed point of P-521

SERVER_POINTS = [
    Case12(
        "8422 5.11",
        name,
        changed(public=point),
        ILLEGAL if len(point) <= LONGEST else DECODE,
        p.SSL_R_BAD_ECPOINT if len(point) <= LONGEST else None,
        forge={"group": group},
    )
    for group, name, point in POINTS
]


@table(SERVER_POINTS)
def test_client12_given_a_bad_point_aborts(case: Case12) -> None:
    check(case, as_server=False)


CLIENT_POINTS = [
    Case12(
        "8422 5.11",
        name,
        bend.fields(CKE, public=point),
        ILLEGAL,
        p.SSL_R_BAD_ECPOINT,
        forge={"groups": [group]},
        wishes={"kind": "rsa"},
    )
    for group, name, point in POINTS
]


@table(CLIENT_POINTS)
def test_server12_given_a_bad_point_aborts(case: Case12) -> None:
    check(case, as_server=True)


PARAMETERS = [
    *(
        Case12(
            "8422 5.4",
            f"curve type {one}",
            changed(curve_type=one),
            ILLEGAL,
            p.SSL_R_WRONG_CURVE,
        )
        for one in (0, 1, 2, 4, 255)
    ),
    *(
        Case12(
            "8422 5.4",
            f"group {group:#06x} not offered",
            changed(group=group),
            ILLEGAL,
            p.SSL_R_WRONG_CURVE,
        )
        for group in (0, 1, 14, 22, 30, 0x0100, 0x11EC, 0xFF01, 0xFFFF)
    ),
    Case12(
        "8422 5.4",
        "known group not offered",
        None,
        ILLEGAL,
        p.SSL_R_WRONG_CURVE,
        forge={"group": keys.P384},
        prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "P-256"),
    ),
    Case12("8422 5.4", "no point", changed(public=b""), DECODE),
    Case12("8422 5.4", "octet behind", bend.trailing(SKE), DECODE),
    Case12("8422 5.4", "empty message", bend.body(SKE, lambda b: b""), DECODE),
    Case12("8422 5.4", "point of 255", changed(public=b"\x04" * 255), DECODE),
]

SIGNATURES = [
    Case12(
        "8422 5.4",
        "bit of the signature",
        bend.on(
            SKE,
            lambda found: setattr(found, "signature", flip(found.signature)),
        ),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "empty signature",
        bend.fields(SKE, signature=b""),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "long signature",
        bend.fields(SKE, signature=b"s" * 5000),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "octet behind the signature",
        bend.on(
            SKE,
            lambda found: setattr(found, "signature", found.signature + b"\0"),
        ),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "randoms in the wrong order",
        lambda forge: forge.on(SKE, other_randoms),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "without the randoms",
        lambda forge: forge.on(SKE, without_randoms),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "point changed behind the signature",
        bend.fields(SKE, group=keys.P256, public=P256),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "8422 5.4",
        "another key",
        signed_with(0x0403, "p384"),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "5246 7.4.3",
        "hash is not the one it tells",
        bend.fields(SKE, scheme=0x0503),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    *(
        Case12(
            "5246 7.4.3",
            f"scheme {scheme:#06x} for a key of ECDSA",
            bend.fields(SKE, scheme=scheme),
            ILLEGAL,
            p.SSL_R_WRONG_SIGNATURE_TYPE,
        )
        for scheme in (
            *(0, 0x0101, 0x0201, 0x0203, 0x0303, 0x0401, 0x0402),
            *(0x0804, 0x0807, 0x0809, 0xFFFF),
        )
    ),
    *(
        Case12(
            "5246 7.4.3",
            f"scheme {scheme:#06x} for a key of RSA",
            bend.fields(SKE, scheme=scheme),
            ILLEGAL,
            p.SSL_R_WRONG_SIGNATURE_TYPE,
            forge={"identity": ca.leaf("rsa")},
        )
        for scheme in (0x0201, 0x0301, 0x0403, 0x0807, 0x0809)
    ),
    Case12(
        "5246 7.4.3",
        "SHA-1",
        signed_with(0x0203),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
    ),
    Case12(
        "5246 7.4.3",
        "scheme not offered",
        signed_with(0x0503),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
        prepare=lambda ssl: p.SSL_set1_sigalgs_list(
            ssl, "ecdsa_secp256r1_sha256"
        ),
    ),
    Case12(
        "8446 4.2.3",
        "RSAE for a key of RSASSA-PSS",
        signed_with(0x0804),
        ILLEGAL,
        p.SSL_R_WRONG_SIGNATURE_TYPE,
        forge={"identity": ca.leaf("rsapss")},
    ),
    Case12(
        "5280 4.2.1.3",
        "certificate that may not sign",
        None,
        UNSUPPORTED_CERT,
        p.SSL_R_WRONG_CERTIFICATE_TYPE,
        forge={"identity": ca.leaf(key_usage=("key_agreement",))},
    ),
    Case12(
        "5280 4.2.1.3",
        "certificate of RSA for encryption alone",
        None,
        UNSUPPORTED_CERT,
        p.SSL_R_WRONG_CERTIFICATE_TYPE,
        forge={"identity": ca.leaf("rsa", key_usage=("key_encipherment",))},
    ),
]


@table([*PARAMETERS, *SIGNATURES])
def test_client12_given_a_wrong_key_exchange_aborts(case: Case12) -> None:
    check(case, as_server=False)


COMPLETES = [
    # RFC 8422 5.10: the curve of a key is not bound to a hash.
    *(
        Case12(
            "8422 5.10",
            f"{kind} with {scheme:#06x}",
            forge={"identity": ca.leaf(kind), "scheme": scheme},
        )
        for kind, scheme in (
            ("p256", 0x0503),
            ("p384", 0x0403),
            ("p521", 0x0503),
            ("rsa", 0x0401),
            ("rsa", 0x0601),
            ("rsa", 0x0806),
            ("rsapss", 0x0809),
            ("ed25519", 0x0807),
            ("ed448", 0x0808),
        )
    ),
    *(
        Case12("8422 5.4", f"group {group:#06x}", forge={"group": group})
        for group in (keys.X25519, keys.P256, keys.P384, keys.P521)
    ),
]


@table(COMPLETES)
def test_client12_takes_each_scheme_and_group(case: Case12) -> None:
    victim = check(case, as_server=False)
    if "group" in case.forge:
        named = p.SSL_get_negotiated_group(victim.ssl)
        assert named == NIDS[case.forge["group"]]


CLIENT_KX = [
    Case12("8422 5.7", "no point", bend.fields(CKE, public=b""), DECODE),
    Case12("8422 5.7", "octet behind", bend.trailing(CKE), DECODE),
    Case12("8422 5.7", "empty message", bend.swap(CKE, 16, b""), DECODE),
    Case12(
        "8422 5.7",
        "longer than any point",
        bend.swap(CKE, 16, b"\xff" + bytes(1000)),
        DECODE,
    ),
    Case12(
        "8422 5.7",
        "premaster of RSA",
        bend.swap(CKE, 16, b"\1\0" + bytes(256)),
        DECODE,
    ),
]


@table(CLIENT_KX)
def test_server12_given_a_wrong_key_exchange_aborts(case: Case12) -> None:
    check(case, as_server=True)


@clause("RFC 8422 5.4")
def test_client12_given_a_key_exchange_cut_anywhere_is_decode_error() -> None:
    size = len(
        m12.ServerKeyExchange(3, 0x1D, X25519, 0x0403, b"s" * 60).body()
    )
    for at in range(size):
        cut = bend.cut(SKE, at)
        case = Case12("8422 5.4", "cut", cut, DECODE)
        victim = make(case, as_server=False)
        refused(victim, victim.handshake(), DECODE, epoch="clear")


@clause("RFC 8422 5.7")
def test_server12_given_a_key_exchange_cut_anywhere_is_decode_error() -> None:
    for at in range(33):
        cut = bend.cut(CKE, at)
        case = Case12("8422 5.7", "cut", cut, DECODE)
        case.forge = {"groups": [keys.X25519, keys.P256]}
        victim = make(case, as_server=True)
        refused(victim, victim.handshake(), DECODE, epoch="clear")
