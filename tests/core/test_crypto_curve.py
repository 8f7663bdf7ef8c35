"""Keys on curves, whichever library makes and checks their signatures.

Where the primitives come from AWS-LC, a key of libcrypto is handed over at
its first use, and all that one of them refuses the other must refuse too.
"""

from __future__ import annotations

import subprocess
import threading
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import Core

DATA = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + bytes(32)
CURVES: dict[int, Any] = {
    0x0403: ec.SECP256R1(),
    0x0503: ec.SECP384R1(),
    0x0603: ec.SECP521R1(),
}
MDS: dict[int, Any] = {
    0x0403: hashes.SHA256(),
    0x0503: hashes.SHA384(),
    0x0603: hashes.SHA512(),
}
ORDERS = {
    0x0403: int(
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        16,
    ),
    0x0503: int(
        "ffffffffffffffffffffffffffffffffffffffffffffffff"
        "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        16,
    ),
    0x0603: int(
        "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
        "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        16,
    ),
}
ED25519 = 0x0807
ED_P = 2**255 - 19
ED_L = 2**252 + 27742317777372353535851937790883648493
# The y of the points of small order on edwards25519 (orders 1, 2, 4 and 8).
ED_SMALL = [
    1,
    ED_P - 1,
    0,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
]


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


def _der(key: Any) -> bytes:
    return bytes(
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    )


def _public_der(key: Any) -> bytes:
    return bytes(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def _length(n: int) -> bytes:
    return bytes([n]) if n < 128 else bytes([0x81, n])


def _integer(value: int, *, more: int = 0) -> bytes:
    """Write a DER INTEGER; more says how many octets it has too many."""
    n = (value.bit_length() if value >= 0 else (-value - 1).bit_length()) // 8
    raw = value.to_bytes(n + 1 + more, "big", signed=True)
    return b"\x02" + _length(len(raw)) + raw


def _sequence(*parts: bytes, tag: int = 0x30) -> bytes:
    body = b"".join(parts)
    return bytes([tag]) + _length(len(body)) + body


def _long_form(sig: bytes) -> bytes:
    """Write the outer length in one octet more than it needs."""
    if sig[1] == 0x81:
        return b"\x30\x82\0" + sig[2:]
    return b"\x30\x81" + sig[1:]


def _malformed(sig: bytes, order: int) -> dict[str, bytes]:
    """Spell a good signature in all the ways that are none."""
    r, s = decode_dss_signature(sig)
    i, seq = _integer, _sequence
    assert seq(i(r), i(s)) == sig
    return {
        "leading zero in r": seq(i(r, more=1), i(s)),
        "leading zero in s": seq(i(r), i(s, more=1)),
        "long length": _long_form(sig),
        "no definite length": b"\x30\x80" + i(r) + i(s) + b"\0\0",
        "negative r": seq(i(-r), i(s)),
        "negative s": seq(i(r), i(-s)),
        "r less the order": seq(i(r - order), i(s)),
        "r beyond the order": seq(i(r + order), i(s)),
        "s beyond the order": seq(i(r), i(s + order)),
        "r of zero": seq(i(0), i(s)),
        "s of zero": seq(i(r), i(0)),
        "both zero": seq(i(0), i(0)),
        "r of the order": seq(i(order), i(s)),
        "s of the order": seq(i(r), i(order)),
        "r alone": seq(i(r)),
        "third number": seq(i(r), i(s), i(1)),
        "bytes behind": sig + b"\0",
        "bytes inside": seq(i(r), i(s), b"\5\0"),
        "empty r": seq(b"\2\0", i(s)),
        "set for sequence": seq(i(r), i(s), tag=0x31),
        "octets for number": seq(b"\4" + i(r)[1:], i(s)),
        "bare numbers": i(r) + i(s),
        "swapped": seq(i(s), i(r)),
        "empty sequence": b"\x30\0",
        "huge length": b"\x30\x84\xff\xff\xff\xff" + sig[2:],
    }


@clause("RFC 8446 4.2.3", "RFC 3279 2.2.3: DER of two positive integers")
@pytest.mark.parametrize("scheme", CURVES, ids=hex)
def test_ecdsa_signature_in_another_spelling_is_refused(core, scheme) -> None:
    key = ec.generate_private_key(CURVES[scheme])
    public = core.public_key(_public_der(key.public_key()))
    sig = key.sign(DATA, ec.ECDSA(MDS[scheme]))
    assert core.verify(public, scheme, DATA, sig)

    for name, bad in _malformed(sig, ORDERS[scheme]).items():
        assert not core.verify(public, scheme, DATA, bad), name
        with pytest.raises(InvalidSignature):
            key.public_key().verify(bad, DATA, ec.ECDSA(MDS[scheme]))


@clause("RFC 8446 4.2.3")
@pytest.mark.parametrize("scheme", CURVES, ids=hex)
def test_ecdsa_signature_with_the_negated_s_is_as_good(core, scheme) -> None:
    """RFC 6979 and FIPS 186-5 know no smaller half; TLS asks for none."""
    key = ec.generate_private_key(CURVES[scheme])
    public = core.public_key(_public_der(key.public_key()))
    r, s = decode_dss_signature(key.sign(DATA, ec.ECDSA(MDS[scheme])))
    other = _sequence(_integer(r), _integer(ORDERS[scheme] - s))

    assert core.verify(public, scheme, DATA, other)


@clause("RFC 8422 5.4", "RFC 8446 4.2.3: in TLS 1.2 any hash with any curve")
@pytest.mark.parametrize("curve", CURVES.values(), ids=lambda c: c.name)
@pytest.mark.parametrize("scheme", CURVES, ids=hex)
def test_hash_and_curve_of_different_sizes_go_together(
    core, curve, scheme
) -> None:
    key = ec.generate_private_key(curve)
    own = core.key(_der(key))
    algorithm = ec.ECDSA(MDS[scheme])

    sig = core.sign(own, scheme, DATA)
    theirs = key.sign(DATA, algorithm)

    key.public_key().verify(sig, DATA, algorithm)
    assert core.verify(own, scheme, DATA, theirs)
    for other in CURVES:
        assert core.verify(own, other, DATA, theirs) == (other == scheme)


@clause("RFC 5480 2.2")
@pytest.mark.parametrize("form", ["compressed", "uncompressed", "hybrid"])
@pytest.mark.parametrize("scheme", CURVES, ids=hex)
def test_public_key_in_each_form_of_a_point_verifies(
    core, scheme, form
) -> None:
    key = ec.generate_private_key(CURVES[scheme])
    der = subprocess.run(
        [
            *("openssl", "pkey", "-pubin", "-inform", "DER", "-pubout"),
            *("-outform", "DER", "-ec_conv_form", form),
        ],
        input=_public_der(key.public_key()),
        check=True,
        capture_output=True,
    ).stdout
    public = core.public_key(der)
    sig = key.sign(DATA, ec.ECDSA(MDS[scheme]))

    assert core.verify(public, scheme, DATA, sig)
    assert not core.verify(public, scheme, DATA + b"x", sig)


@pytest.mark.parametrize("scheme", [*CURVES, ED25519], ids=hex)
def test_link_of_a_chain_is_checked_with_the_same_outcome(
    core, scheme
) -> None:
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if scheme == ED25519
        else ec.generate_private_key(CURVES[scheme])
    )
    own, data = core.key(_der(key)), core.rd(DATA)
    sig = core.sign(own, scheme, DATA)

    for given, good in ((sig, True), (sig[:-1] + bytes([sig[-1] ^ 1]), False)):
        bits = core.rd(given)
        ok = core.lib.pys_verify_link(own, scheme, data.rd, bits.rd)
        core.lib.test_drop_errors()
        assert bool(ok) == good == core.verify(own, scheme, DATA, given)
    bits = core.rd(sig)
    assert not core.lib.pys_verify_link(own, 0x0804, data.rd, bits.rd)
    assert not core.lib.pys_verify_link(own, 0xFFFF, data.rd, bits.rd)


@clause("RFC 8446 4.2.3")
@pytest.mark.parametrize("scheme", CURVES, ids=hex)
@pytest.mark.parametrize("number", [1, 2, 255, -1])
def test_private_number_at_the_edge_of_its_range_signs(
    core, scheme, number
) -> None:
    key = ec.derive_private_key(number % ORDERS[scheme], CURVES[scheme])

    sig = core.sign(core.key(_der(key)), scheme, DATA)

    key.public_key().verify(sig, DATA, ec.ECDSA(MDS[scheme]))


@clause("RFC 8032 5.1.6")
def test_ed25519_signature_is_the_one_that_others_make(core) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    own = core.key(_der(key))

    for data in (b"", b"x", DATA, bytes(5000)):
        assert core.sign(own, ED25519, data) == key.sign(data)


@clause("RFC 8032 5.1.7", "S is below the order of the group")
def test_ed25519_signature_with_a_large_s_is_refused(core) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = core.public_key(_public_der(key.public_key()))
    sig = key.sign(DATA)
    s = int.from_bytes(sig[32:], "little")
    assert core.verify(public, ED25519, DATA, sig)

    for times in range(1, 16):
        more = s + times * ED_L
        if more < 1 << 256:
            bad = sig[:32] + more.to_bytes(32, "little")
            assert not core.verify(public, ED25519, DATA, bad)


def _ed_verdict(raw: bytes, data: bytes, sig: bytes) -> bool:
    """Ask the other implementation."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(sig, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ed_odd_points() -> list[bytes]:
    """List encodings of small order and such that are not canonical."""
    ys = [*ED_SMALL, *(ED_P + i for i in range(19)), ED_P - 2, 2, 3]
    return [
        (y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)
    ]


@clause("RFC 8032 5.1.7")
@pytest.mark.parametrize("raw", _ed_odd_points(), ids=bytes.hex)
def test_ed25519_key_of_an_odd_kind_is_judged_as_by_libcrypto(
    core, raw
) -> None:
    """S = 0 and an R of small order fit some keys of small order."""
    head = bytes.fromhex("302a300506032b6570032100")
    public = core.public_key(head + raw)
    fitted = 0
    for n in range(8):
        data = DATA + bytes([n])
        for r in _ed_odd_points()[:10]:
            sig = r + bytes(32)
            want = _ed_verdict(raw, data, sig)
            fitted += want
            assert core.verify(public, ED25519, data, sig) == want

    if raw == (1).to_bytes(32, "little"):
        assert fitted == 8  # [0]B - [k]A is A whatever k is


@pytest.mark.parametrize("scheme", [*CURVES, ED25519], ids=hex)
def test_refusal_leaves_no_reason_in_the_other_librarys_queue(
    core, scheme
) -> None:
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if scheme == ED25519
        else ec.generate_private_key(CURVES[scheme])
    )
    own = core.key(_der(key))
    sig = core.sign(own, scheme, DATA)
    assert core.lib.test_n_errors_beside() == 0

    for bad in (b"", b"\x30", sig[:-1], bytes(len(sig)), b"\xff" * len(sig)):
        assert not core.verify(own, scheme, DATA, bad)
    assert not core.verify(own, scheme, DATA + b"x", sig)

    assert core.lib.test_n_errors_beside() == 0


def test_refused_share_leaves_no_reason_in_the_other_librarys_queue(
    core,
) -> None:
    curves = [crypto_core.P256, crypto_core.P384, crypto_core.P521]
    for group in [crypto_core.X25519, *curves, crypto_core.X25519MLKEM768]:
        if not core.has(group):
            continue
        row = core.lib.pys_group_find(group)
        share = core.share(group)
        head = b"\4" if group in curves else b""

        zeros = head + bytes(row.client_len - len(head))
        assert core.respond(group, zeros).secret is None
        zeros = head + bytes(row.server_len - len(head))
        assert share.derive(zeros).secret is None
        if group != crypto_core.X25519:  # which takes any other value
            ones = head + b"\xff" * (row.client_len - len(head))
            assert core.respond(group, ones).secret is None
        assert share.public(room=1) is None
    assert core.lib.test_n_errors_beside() == 0


def _held(core: Core, der: bytes) -> Any:
    raw = core.lib.test_held_key(der, len(der))
    assert raw != core.ffi.NULL
    return core.ffi.gc(raw, core.lib.pys_key_free)


@clause("RFC 8446 4.4.3")
def test_key_whose_private_half_is_held_elsewhere_signs_there(core) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = _held(core, _der(key))
    before = core.lib.test_n_held()

    for n in range(1, 4):
        sig = core.sign(own, 0x0403, DATA)
        key.public_key().verify(sig, DATA, ec.ECDSA(hashes.SHA256()))
        assert core.verify(own, 0x0403, DATA, sig)
        assert not core.verify(own, 0x0403, DATA + b"x", sig)
        assert core.lib.test_n_held() == before + n


@pytest.mark.parametrize("scheme", [*CURVES, ED25519], ids=hex)
def test_public_key_signs_for_nobody_before_and_after_a_check(
    core, scheme
) -> None:
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if scheme == ED25519
        else ec.generate_private_key(CURVES[scheme])
    )
    public = core.public_key(_public_der(key.public_key()))
    sig = core.sign(core.key(_der(key)), scheme, DATA)

    assert core.sign(public, scheme, DATA) is None
    assert core.verify(public, scheme, DATA, sig)
    assert core.sign(public, scheme, DATA) is None


@pytest.mark.threads
@pytest.mark.parametrize("scheme", [*CURVES, ED25519], ids=hex)
def test_threads_that_use_a_fresh_key_at_once_all_succeed(
    core, scheme
) -> None:
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if scheme == ED25519
        else ec.generate_private_key(CURVES[scheme])
    )
    private, public = _der(key), _public_der(key.public_key())
    good = core.sign(core.key(private), scheme, DATA)
    failures: list[str] = []

    def work(ready: threading.Barrier, own: Any, theirs: Any) -> None:
        ready.wait()
        sig = core.sign(own, scheme, DATA)
        if sig is None or not core.verify(theirs, scheme, DATA, sig):
            failures.append("own")
        if not core.verify(own, scheme, DATA, good):
            failures.append("other")

    for _ in range(10):
        ready = threading.Barrier(4)
        given = ready, core.key(private), core.public_key(public)
        threads = [threading.Thread(target=work, args=given) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
