"""Keys and signatures against another implementation."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
    x25519,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import Core

DATA = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32)
RSA, RSA_PSS, P256, P384, P521, ED25519, ED448, OTHER = range(8)
HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}

# Scheme, type of its key, bits of its hash, padding.
ECDSA = {0x0403: (P256, 256), 0x0503: (P384, 384), 0x0603: (P521, 512)}
PSS_RSAE = {0x0804: 256, 0x0805: 384, 0x0806: 512}
PSS_PSS = {0x0809: 256, 0x080A: 384, 0x080B: 512}
PKCS1 = {0x0401: 256, 0x0501: 384, 0x0601: 512}
EDDSA = {0x0807: ED25519, 0x0808: ED448}
ALL = [*ECDSA, *PSS_RSAE, *PSS_PSS, *PKCS1, *EDDSA]


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


def _der(key: Any) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _public_der(key: Any) -> bytes:
    return key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(
        ["openssl", *arguments], check=True, capture_output=True
    ).stdout


def _pss_der(*options: str) -> bytes:
    """Make an RSA-PSS key, which the other implementation cannot."""
    given = [part for option in options for part in ("-pkeyopt", option)]
    given += ["-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"]
    return _openssl("genpkey", "-quiet", "-algorithm", "RSA-PSS", *given)


@pytest.fixture(scope="module")
def ders() -> dict[int, bytes]:
    return {
        RSA: _der(rsa.generate_private_key(65537, 2048)),
        RSA_PSS: _pss_der(),
        P256: _der(ec.generate_private_key(ec.SECP256R1())),
        P384: _der(ec.generate_private_key(ec.SECP384R1())),
        P521: _der(ec.generate_private_key(ec.SECP521R1())),
        ED25519: _der(ed25519.Ed25519PrivateKey.generate()),
        ED448: _der(ed448.Ed448PrivateKey.generate()),
    }


@pytest.fixture(scope="module")
def keys(core, ders) -> dict[int, Any]:
    return {kind: core.key(der) for kind, der in ders.items()}


def _type_of(scheme: int) -> int:
    if scheme in ECDSA:
        return ECDSA[scheme][0]
    if scheme in PSS_PSS:
        return RSA_PSS
    return EDDSA.get(scheme, RSA)


def _padding(scheme: int) -> Any:
    if scheme in PKCS1:
        return padding.PKCS1v15(), HASHES[PKCS1[scheme]]
    md = HASHES[{**PSS_RSAE, **PSS_PSS}[scheme]]
    return padding.PSS(padding.MGF1(md), md.digest_size), md


def _rsa_of(der: bytes) -> Any:
    """Load an RSA key of either kind as a plain one."""
    return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)


def _their_check(scheme: int, der: bytes, sig: bytes) -> None:
    key = _rsa_of(der).public_key()
    if scheme in ECDSA:
        key.verify(sig, DATA, ec.ECDSA(HASHES[ECDSA[scheme][1]]))
    elif scheme in EDDSA:
        key.verify(sig, DATA)
    else:
        key.verify(sig, DATA, *_padding(scheme))


def _their_signature(scheme: int, der: bytes) -> bytes:
    key = _rsa_of(der)
    if scheme in ECDSA:
        return key.sign(DATA, ec.ECDSA(HASHES[ECDSA[scheme][1]]))
    if scheme in EDDSA:
        return key.sign(DATA)
    return key.sign(DATA, *_padding(scheme))


@clause("RFC 8446 4.2.3")
@pytest.mark.parametrize("scheme", ALL, ids=hex)
def test_signature_of_each_scheme_is_good_for_others(
    core, ders, keys, scheme
) -> None:
    sig = core.sign(keys[_type_of(scheme)], scheme, DATA)

    _their_check(scheme, ders[_type_of(scheme)], sig)
    with pytest.raises(InvalidSignature):
        _their_check(scheme, ders[_type_of(scheme)], sig[:-1] + b"\0\0")


@clause("RFC 8446 4.2.3", "RFC 8446 4.4.3")
@pytest.mark.parametrize("scheme", ALL, ids=hex)
def test_signature_that_others_made_verifies_until_a_bit_changes(
    core, ders, scheme
) -> None:
    der = ders[_type_of(scheme)]
    key = core.key(der)
    sig = _their_signature(scheme, der)

    assert core.verify(key, scheme, DATA, sig)
    assert not core.verify(key, scheme, DATA + b"x", sig)
    for bit in range(0, 8 * len(sig), 61):
        bad = bytearray(sig)
        bad[bit // 8] ^= 1 << bit % 8
        assert not core.verify(key, scheme, DATA, bytes(bad))


@clause("RFC 8446 4.4.3")
@pytest.mark.parametrize("scheme", ALL, ids=hex)
def test_signature_of_a_wrong_length_does_not_verify(
    core, keys, scheme
) -> None:
    key = keys[_type_of(scheme)]
    sig = core.sign(key, scheme, DATA)
    for bad in (b"", sig[:1], sig[:-1], sig + b"\0", bytes(len(sig))):
        assert not core.verify(key, scheme, DATA, bad)


@clause("RFC 8446 4.2.3", "a signature is good for its own scheme alone")
@pytest.mark.parametrize("scheme", ALL, ids=hex)
def test_signature_under_another_scheme_does_not_verify(
    core, keys, scheme
) -> None:
    key = keys[_type_of(scheme)]
    sig = core.sign(key, scheme, DATA)
    for other in ALL:
        assert core.verify(key, other, DATA, sig) == (other == scheme)


@clause("RFC 8446 4.2.3", "each scheme binds type, curve and hash")
@pytest.mark.parametrize("scheme", ALL, ids=hex)
def test_scheme_fits_its_own_type_of_key_alone(core, keys, scheme) -> None:
    for kind, key in keys.items():
        fits = kind == _type_of(scheme) and scheme not in PKCS1
        assert core.fits(scheme, key) == fits


@pytest.mark.parametrize("scheme", ALL, ids=hex)
def test_key_of_another_kind_neither_signs_nor_verifies(
    core, keys, scheme
) -> None:
    curves = {P256, P384, P521}
    for kind, key in keys.items():
        same = {kind, _type_of(scheme)} <= curves or kind == _type_of(scheme)
        if not same:
            assert core.sign(key, scheme, DATA) is None
            assert not core.verify(key, scheme, DATA, bytes(64))


def test_scheme_that_is_not_ours_neither_signs_nor_verifies(
    core, keys
) -> None:
    for scheme in (0, 0x0201, 0x0203, 0x0402, 0x0303, 0xFFFF):
        assert core.lib.pys_scheme_find(scheme) == core.ffi.NULL
        assert core.sign(keys[RSA], scheme, DATA) is None
        assert not core.verify(keys[RSA], scheme, DATA, bytes(256))


@clause("RFC 8446 4.2.3", "the salt is as long as the hash")
@pytest.mark.parametrize("scheme", [*PSS_RSAE, *PSS_PSS], ids=hex)
def test_pss_with_another_salt_or_mask_does_not_verify(
    core, ders, keys, scheme
) -> None:
    kind = _type_of(scheme)
    theirs = _rsa_of(ders[kind])
    md = HASHES[{**PSS_RSAE, **PSS_PSS}[scheme]]
    size = md.digest_size
    assert core.verify(
        keys[kind], scheme, DATA, _their_signature(scheme, ders[kind])
    )
    for salt in (0, 20, size - 1, size + 1, padding.PSS.MAX_LENGTH):
        pad = padding.PSS(padding.MGF1(md), salt)
        bad = theirs.sign(DATA, pad, md)
        assert not core.verify(keys[kind], scheme, DATA, bad)
    other = HASHES[256 if size > 32 else 384]
    bad = theirs.sign(DATA, padding.PSS(padding.MGF1(other), size), md)
    assert not core.verify(keys[kind], scheme, DATA, bad)


@clause("RFC 8017 9.1.1")
@pytest.mark.parametrize(
    ("bits", "fitting"),
    [(1024, [256, 384]), (1033, [256, 384]), (1034, [256, 384, 512])],
)
def test_rsa_key_too_short_for_the_pss_hash_does_not_fit(
    core, bits, fitting
) -> None:
    size = f"rsa_keygen_bits:{bits}"
    der = _openssl(
        *("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", size),
        *("-outform", "DER"),
    )
    key = core.key(der)

    assert core.lib.pys_key_bits(key) == bits
    for scheme, md in PSS_RSAE.items():
        fits = md in fitting
        assert core.fits(scheme, key) == fits
        sig = core.sign(key, scheme, DATA)
        assert (sig is not None) == fits
        if sig is not None:
            assert core.verify(key, scheme, DATA, sig)


@clause("RFC 8446 4.2.3", "parameters of an RSASSA-PSS key hold")
def test_pss_key_restricted_to_a_hash_refuses_the_others(core) -> None:
    key = core.key(
        _pss_der(
            "rsa_pss_keygen_md:sha384",
            "rsa_pss_keygen_mgf1_md:sha384",
            "rsa_pss_keygen_saltlen:48",
        )
    )

    assert core.lib.pys_key_type(key) == RSA_PSS
    for scheme, md in PSS_PSS.items():
        sig = core.sign(key, scheme, DATA)
        assert (sig is not None) == (md == 384)
        assert core.verify(key, scheme, DATA, sig or bytes(256)) == (md == 384)


def test_pss_key_with_another_mask_or_a_long_salt_does_not_sign(
    core,
) -> None:
    mask = core.key(
        _pss_der(
            "rsa_pss_keygen_md:sha256",
            "rsa_pss_keygen_mgf1_md:sha1",
            "rsa_pss_keygen_saltlen:32",
        )
    )
    salt = core.key(
        _pss_der(
            "rsa_pss_keygen_md:sha256",
            "rsa_pss_keygen_mgf1_md:sha256",
            "rsa_pss_keygen_saltlen:64",
        )
    )

    assert core.sign(mask, 0x0809, DATA) is None
    assert core.sign(salt, 0x0809, DATA) is None


def test_key_says_its_type_bits_and_strength(core, keys) -> None:
    lib = core.lib
    want = {
        RSA: (2048, 112),
        RSA_PSS: (2048, 112),
        P256: (256, 128),
        P384: (384, 192),
        P521: (521, 256),
    }
    strength = {ED25519: 128, ED448: 224}
    for kind, key in keys.items():
        assert lib.pys_key_type(key) == kind
        bits = lib.pys_key_bits(key)
        if kind in strength:
            assert lib.pys_key_strength(key) == strength[kind]
        else:
            assert (bits, lib.pys_key_strength(key)) == want[kind]


def test_what_succeeds_leaves_libcryptos_queue_empty(core, ders) -> None:
    lib = core.lib
    lib.test_drop_errors()
    for der in ders.values():
        key = lib.test_private_key(der, len(der))
        assert lib.test_drop_errors() == 0
        lib.pys_key_free(key)
    for scheme in ALL:
        kind = _type_of(scheme)
        key = core.ffi.gc(
            lib.test_private_key(ders[kind], len(ders[kind])),
            lib.pys_key_free,
        )
        sig, n = core.ffi.new("uint8_t[1024]"), core.ffi.new("size_t *")
        data = core.rd(DATA)
        assert lib.pys_sign(key, scheme, data.rd, sig, n)
        made = core.ffi.new("pys_rd *", {"p": sig, "n": n[0]})[0]
        assert lib.pys_verify(key, scheme, data.rd, made)
        assert lib.test_drop_errors() == 0


@clause("RFC 5480 2.1.1")
def test_key_with_a_written_out_curve_is_of_no_type(core) -> None:
    named = _openssl(
        *("genpkey", "-quiet", "-algorithm", "EC", "-outform", "DER"),
        *("-pkeyopt", "ec_paramgen_curve:P-256"),
    )
    written = _openssl(
        *("genpkey", "-quiet", "-algorithm", "EC", "-outform", "DER"),
        *("-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-pkeyopt", "ec_param_enc:explicit"),
    )

    assert core.lib.pys_key_type(core.key(named)) == P256
    assert core.lib.pys_key_type(core.key(written)) == OTHER
    assert not core.fits(0x0403, core.key(written))


def test_keys_that_cannot_sign_for_tls_are_of_no_type(core) -> None:
    for key in (
        x25519.X25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
    ):
        own = core.key(_der(key))
        assert core.lib.pys_key_type(own) == OTHER
        for scheme in ALL:
            assert not core.fits(scheme, own)
            assert core.sign(own, scheme, DATA) is None


@pytest.mark.parametrize(
    "scheme", [*ECDSA, *PSS_RSAE, *PKCS1, *EDDSA], ids=hex
)
def test_public_key_verifies_and_matches_its_private_one(
    core, ders, keys, scheme
) -> None:
    kind = _type_of(scheme)
    public = core.public_key(_public_der(_rsa_of(ders[kind])))

    assert core.lib.pys_key_type(public) == kind
    assert core.lib.pys_key_match(public, keys[kind])
    sig = core.sign(keys[kind], scheme, DATA)
    assert core.verify(public, scheme, DATA, sig)
    assert core.sign(public, scheme, DATA) is None


def test_keys_match_only_with_the_same_public_part(core, ders, keys) -> None:
    fresh = core.key(_der(ec.generate_private_key(ec.SECP256R1())))
    for kind, der in ders.items():
        again = core.key(der)
        for other, key in keys.items():
            assert core.lib.pys_key_match(again, key) == (kind == other)
    assert not core.lib.pys_key_match(fresh, keys[P256])


def test_key_lives_as_long_as_its_last_reference(core, ders) -> None:
    lib = core.lib
    raw = lib.test_private_key(ders[P256], len(ders[P256]))

    assert lib.pys_key_up_ref(raw) == raw
    lib.pys_key_free(raw)
    assert core.sign(raw, 0x0403, DATA) is not None
    lib.pys_key_free(raw)
    lib.pys_key_free(core.ffi.NULL)
    assert lib.pys_key_up_ref(core.ffi.NULL) == core.ffi.NULL


@pytest.mark.parametrize("kind", [RSA, P256, ED25519])
def test_key_serves_several_threads_and_schemes_at_once(
    core, keys, kind
) -> None:
    """What a key keeps ready for a scheme is lent to one at a time."""
    schemes = [s for s in ALL if _type_of(s) == kind]

    def both(n: int) -> bool:
        scheme, data = schemes[n % len(schemes)], DATA + bytes([n])
        sig = core.sign(keys[kind], scheme, data)
        assert sig is not None
        other = core.verify(keys[kind], scheme, DATA, sig)
        return core.verify(keys[kind], scheme, data, sig) and not other

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(both, range(200)))


def test_rsa_key_too_large_for_a_signature_buffer_does_not_sign(
    core,
) -> None:
    # The numbers need not be a real key: the size is looked at first.
    n = (1 << 8200) + 1
    public = rsa.RSAPublicNumbers(65537, n).public_key()
    key = core.public_key(
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )

    assert core.lib.pys_key_bits(key) == 8201
    assert core.sign(key, 0x0804, DATA) is None
