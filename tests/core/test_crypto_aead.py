"""AEAD of the crypto layer against another implementation."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import aead as other
from hypothesis import given, settings, strategies as st

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import (
    AES_128_GCM,
    AES_256_GCM,
    CHACHA20_POLY1305,
    Core,
)

KINDS = {
    AES_128_GCM: (16, other.AESGCM),
    AES_256_GCM: (32, other.AESGCM),
    CHACHA20_POLY1305: (32, other.ChaCha20Poly1305),
}
NONCE = bytes(range(12))
HEAD = b"\x17\x03\x03\x00\x20"
TEXT = b"some text of a record"


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


def _key(alg: int, fill: int = 7) -> bytes:
    return bytes([fill]) * KINDS[alg][0]


@pytest.mark.parametrize("alg", KINDS)
def test_aead_key_length_is_the_algorithms(core, alg) -> None:
    assert core.lib.pys_aead_key_len(alg) == KINDS[alg][0]


@clause("RFC 8446 5.2")
@settings(max_examples=200, deadline=None)
@given(
    alg=st.sampled_from(sorted(KINDS)),
    nonce=st.binary(min_size=12, max_size=12),
    ad=st.binary(max_size=40),
    text=st.binary(max_size=400),
    tail=st.binary(max_size=40),
)
def test_seal_of_text_and_tail_is_one_aead_call(
    alg, nonce, ad, text, tail
) -> None:
    core = crypto_core.core()
    key = _key(alg)

    sealed = core.aead(alg, key, True).seal(nonce, ad, text, tail)

    assert sealed == KINDS[alg][1](key).encrypt(nonce, text + tail, ad)
    assert core.aead(alg, key, False).open(nonce, ad, sealed) == text + tail


@clause("RFC 8446 5.2", "the inner type is none of the caller's")
@pytest.mark.parametrize("alg", KINDS)
def test_last_byte_is_opened_apart(core, alg) -> None:
    sealer = core.aead(alg, _key(alg), True)
    opener = core.aead(alg, _key(alg), False)

    for n in [*range(70), 1000, 1 << 14, (1 << 14) + 1]:
        text = bytes(i & 255 for i in range(n))
        sealed = sealer.seal(NONCE, HEAD, text)
        assert opener.open_apart(NONCE, HEAD, sealed) == text
        bad = sealed[:-1] + bytes([sealed[-1] ^ 1])
        assert opener.open_apart(NONCE, HEAD, bad) is None
        assert opener.open(NONCE, HEAD, sealed) == text


@clause("RFC 8446 5.4")
@pytest.mark.parametrize("alg", KINDS)
@pytest.mark.parametrize("n", [0, 1, 15, 1007, 1008, 1009, 2048, 9000])
@pytest.mark.parametrize("pad", [1, 2, 16, 17, 300, 5000])
def test_tail_may_stand_where_its_ciphertext_comes(core, alg, n, pad) -> None:
    text, tail = bytes(range(256)) * 36, b"\x17" + bytes(pad - 1)
    sealer = core.aead(alg, _key(alg), True)

    sealed = sealer.seal_beside(NONCE, HEAD, text[:n], tail)

    fresh = KINDS[alg][1](_key(alg))
    assert sealed == fresh.encrypt(NONCE, text[:n] + tail, HEAD)


@clause("RFC 8446 5.2")
@pytest.mark.parametrize("alg", KINDS)
def test_record_of_the_largest_size_is_sealed_and_opened(core, alg) -> None:
    text = bytes(1 << 14)

    sealed = core.aead(alg, _key(alg), True).seal(NONCE, HEAD, text, b"\x17")

    assert core.aead(alg, _key(alg), False).open(NONCE, HEAD, sealed) == (
        text + b"\x17"
    )


@pytest.mark.parametrize("alg", KINDS)
def test_one_context_serves_many_records_with_their_own_nonces(
    core, alg
) -> None:
    sealer = core.aead(alg, _key(alg), True)
    opener = core.aead(alg, _key(alg), False)
    for i in range(30):
        nonce = i.to_bytes(12, "big")
        text = bytes(range(i))
        sealed = sealer.seal(nonce, HEAD, text)
        assert sealed == KINDS[alg][1](_key(alg)).encrypt(nonce, text, HEAD)
        assert opener.open(nonce, HEAD, sealed) == text


@clause("RFC 8446 5.2", "what does not verify is refused")
@pytest.mark.parametrize("alg", KINDS)
def test_open_of_a_record_with_any_bit_changed_fails_and_wipes(
    core, alg
) -> None:
    sealed = core.aead(alg, _key(alg), True).seal(NONCE, HEAD, TEXT)
    opener = core.aead(alg, _key(alg), False)

    for bit in range(8 * len(sealed)):
        bad = bytearray(sealed)
        bad[bit // 8] ^= 1 << bit % 8
        assert opener.open(NONCE, HEAD, bytes(bad)) is None
    assert core.lib.test_n_errors_beside() == 0

    assert opener.open(NONCE, HEAD, sealed) == TEXT


@clause("RFC 8446 5.2", "the header is authenticated")
@pytest.mark.parametrize("alg", KINDS)
def test_open_with_another_header_or_nonce_or_key_fails(core, alg) -> None:
    sealed = core.aead(alg, _key(alg), True).seal(NONCE, HEAD, TEXT)
    opener = core.aead(alg, _key(alg), False)

    assert opener.open(NONCE, b"\x17\x03\x03\x00\x21", sealed) is None
    assert opener.open(NONCE, b"", sealed) is None
    assert opener.open(NONCE[::-1], HEAD, sealed) is None
    other_key = core.aead(alg, _key(alg, 8), False)
    assert other_key.open(NONCE, HEAD, sealed) is None


@clause("RFC 8446 5.2", "too short to hold a tag")
@pytest.mark.parametrize("alg", KINDS)
def test_open_of_less_than_a_tag_fails(core, alg) -> None:
    opener = core.aead(alg, _key(alg), False)
    for n in range(16):
        assert opener.open(NONCE, HEAD, bytes(n)) is None

    empty = core.aead(alg, _key(alg), True).seal(NONCE, HEAD, b"")

    assert len(empty) == 16
    assert opener.open(NONCE, HEAD, empty) == b""
    assert opener.open(NONCE, HEAD, empty[:-1]) is None


@clause("RFC 8446 7.2")
@pytest.mark.parametrize("alg", KINDS)
def test_rekeyed_context_is_as_a_new_one(core, alg) -> None:
    sealer = core.aead(alg, _key(alg), True)
    opener = core.aead(alg, _key(alg), False)
    old = sealer.seal(NONCE, HEAD, TEXT)

    assert sealer.rekey(_key(alg, 9))
    assert opener.rekey(_key(alg, 9))
    sealed = sealer.seal(NONCE, HEAD, TEXT)

    fresh = KINDS[alg][1](_key(alg, 9))
    assert sealed == fresh.encrypt(NONCE, TEXT, HEAD)
    assert opener.open(NONCE, HEAD, sealed) == TEXT
    assert opener.open(NONCE, HEAD, old) is None


@pytest.mark.parametrize("alg", KINDS)
def test_context_rekeyed_after_a_failure_works(core, alg) -> None:
    opener = core.aead(alg, _key(alg), False)
    assert opener.open(NONCE, HEAD, bytes(40)) is None

    assert opener.rekey(_key(alg, 3))

    sealed = KINDS[alg][1](_key(alg, 3)).encrypt(NONCE, TEXT, HEAD)
    assert opener.open(NONCE, HEAD, sealed) == TEXT


@pytest.mark.parametrize("alg", KINDS)
def test_seal_from_elsewhere_equals_seal_in_place(core, alg) -> None:
    sealer = core.aead(alg, _key(alg), True)
    out = core.ffi.new("uint8_t[]", len(TEXT) + 1 + 16)
    text, ad, tail = core.rd(TEXT), core.rd(HEAD), core.rd(b"\x17")

    assert core.lib.pys_aead_seal(
        sealer.raw, NONCE, ad.rd, text.rd, tail.rd, out
    )

    assert bytes(out) == sealer.seal(NONCE, HEAD, TEXT, b"\x17")
    assert bytes(text.data)[: len(TEXT)] == TEXT
