"""Hash, HMAC, HKDF and random bytes of the crypto layer."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given, settings, strategies as st

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import SHA256, SHA384, Core, unhex

ALGS = {SHA256: "sha256", SHA384: "sha384"}
HKDF = [
    unhex(v)
    for v in crypto_core.vectors("hkdf")["vectors"]
    if v["hash"] in crypto_core.HASH_NAMES
]


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


@clause("RFC 5869 2.2", "RFC 5869 2.3")
@pytest.mark.parametrize("vector", HKDF, ids=lambda v: v["id"])
def test_hkdf_gives_the_values_of_the_rfc(core, vector) -> None:
    alg = crypto_core.HASH_NAMES[vector["hash"]]

    prk = core.extract(alg, vector["salt"] or b"", vector["ikm"])
    okm = core.expand(alg, prk, vector["info"], vector["length"])

    assert prk == vector["prk"]
    assert okm == vector["okm"]


@clause("RFC 2104 2")
@settings(max_examples=200, deadline=None)
@given(
    alg=st.sampled_from(sorted(ALGS)),
    key=st.binary(max_size=300),
    data=st.binary(max_size=600),
)
def test_hmac_of_any_lengths_equals_the_standard_librarys(
    alg, key, data
) -> None:
    made = crypto_core.core().hmac(alg, key, data)

    assert made == hmac.new(key, data, ALGS[alg]).digest()


@clause("RFC 2104 2")
@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("n", [0, 63, 64, 65, 127, 128, 129])
def test_hmac_with_a_key_about_a_block_long_hashes_it_only_above(
    core, alg, n
) -> None:
    key = bytes(range(n))

    assert core.hmac(alg, key, b"x") == hmac.new(key, b"x", ALGS[alg]).digest()


@clause("RFC 2104 2")
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(ALGS)),
            st.sampled_from([0, 1, 32, 33, 48, 64, 65, 128, 129]),
            st.sampled_from([b"\0", b"k", b"q"]),
        ),
        max_size=12,
    )
)
def test_hmac_with_keys_in_turn_is_of_the_key_given(turns) -> None:
    core = crypto_core.core()
    for alg, n, byte in turns:
        # Keys of one length differ in the last byte alone.
        key = (b"k" * n)[:-1] + byte if n else b""

        made = core.hmac(alg, key, b"data")

        assert made == hmac.new(key, b"data", ALGS[alg]).digest()


@pytest.mark.parametrize("alg", ALGS)
def test_hmac_after_hashing_with_its_scratch_is_the_same(core, alg) -> None:
    lib = core.lib
    h = core.ffi.gc(lib.pys_hash_new(), lib.pys_hash_free)
    out = core.ffi.new("uint8_t[48]")
    want = hmac.new(b"key", b"data", ALGS[alg]).digest()
    assert core.hmac(alg, b"key", b"data") == want

    for other in ALGS:
        assert lib.pys_hash_begin(h, other)
        assert lib.pys_hash_peek(h, core.scratch, out)
        assert core.hmac(alg, b"key", b"data") == want
        assert lib.pys_hash_begin(core.scratch, other)
        assert core.hmac(alg, b"key", b"data") == want


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("n", [0, 48, 64])
def test_hmac_from_a_saved_state_is_that_of_the_key(core, alg, n) -> None:
    key = b"k" * n
    want = hmac.new(key, b"data", ALGS[alg]).digest()
    assert core.hmac(alg, key, b"other") is not None
    state = core.save(alg, key)
    assert (state is not None) == core.lib.test_shows_hmac()
    # Where there is none, whatever is loaded must not be used.
    for one in ALGS:
        assert core.hmac(one, b"another", b"data") is not None

    core.load(alg, key, state or bytes(128))

    assert core.hmac(alg, key, b"data") == want
    assert core.save(alg, key) == state


@pytest.mark.parametrize("alg", ALGS)
def test_hmac_state_is_of_the_last_key_alone(core, alg) -> None:
    other = SHA256 if alg == SHA384 else SHA384
    assert core.hmac(alg, b"key", b"data") is not None

    assert core.save(alg, b"kez") is None
    assert core.save(alg, b"key\0") is None
    assert core.save(other, b"key") is None
    assert (core.save(alg, b"key") is None) != core.lib.test_shows_hmac()


@pytest.mark.parametrize("alg", ALGS)
def test_hash_of_nothing_is_that_of_no_bytes(core, alg) -> None:
    n = core.hash_len(alg)

    made = core.ffi.buffer(core.lib.pys_hash_of_nothing(alg), n)

    assert bytes(made) == getattr(hashlib, ALGS[alg])().digest()


@clause("RFC 5869 2.3", "L is at most 255 hashes")
@pytest.mark.parametrize("alg", ALGS)
def test_hkdf_expand_past_255_hashes_is_refused(core, alg) -> None:
    n = core.hash_len(alg)

    most = core.expand(alg, bytes(n), b"", 255 * n)

    assert most is not None
    assert len(most) == 255 * n
    assert core.expand(alg, bytes(n), b"", 255 * n + 1) is None


def test_hkdf_expand_into_a_full_buffer_fails_and_adds_nothing(core) -> None:
    assert core.expand(SHA256, bytes(32), b"", 33, room=32) is None


def test_hkdf_expand_appends_to_what_the_buffer_holds(core) -> None:
    with crypto_core.Writer(core, 100) as out:
        assert core.lib.pys_buf_add(out.buf, b"head", 4)
        info = core.rd(b"")
        assert core.lib.pys_hkdf_expand(
            core.scratch, SHA256, bytes(32), info.rd, out.buf, 8
        )
        made = out.bytes()

    assert made == b"head" + core.expand(SHA256, bytes(32), b"", 8)


def _by_hand(alg: int, secret: bytes, label: bytes, ctx: bytes, n: int):
    """RFC 8446 7.1, spelled with the standard library."""
    full = b"tls13 " + label
    info = n.to_bytes(2, "big") + bytes([len(full)]) + full
    info += bytes([len(ctx)]) + ctx
    made, last, i = b"", b"", 1
    while len(made) < n:
        last = hmac.new(secret, last + info + bytes([i]), ALGS[alg]).digest()
        made += last
        i += 1
    return made[:n]


@clause("RFC 8446 7.1")
@settings(max_examples=100, deadline=None)
@given(
    alg=st.sampled_from(sorted(ALGS)),
    label=st.binary(max_size=249),
    context=st.binary(max_size=255),
    n=st.integers(min_value=0, max_value=2000),
)
def test_expand_label_of_any_shape_equals_the_rfcs_formula(
    alg, label, context, n
) -> None:
    core = crypto_core.core()
    secret = bytes(range(core.hash_len(alg)))

    made = core.expand_label(alg, secret, label, context, n)

    assert made == _by_hand(alg, secret, label, context, n)


@clause("RFC 8446 7.1", "the label is opaque<7..255>, the context <0..255>")
@pytest.mark.parametrize(
    ("n_label", "n_context", "n"),
    [(250, 0, 32), (1, 256, 32), (1, 0, 255 * 32 + 1), (1, 0, 65536)],
)
def test_expand_label_beyond_its_limits_is_refused(
    core, n_label, n_context, n
) -> None:
    label, context = b"l" * n_label, bytes(n_context)

    assert core.expand_label(SHA256, bytes(32), label, context, n) is None


@pytest.mark.parametrize("alg", ALGS)
def test_hash_peek_leaves_the_hash_running(core, alg) -> None:
    lib, n = core.lib, core.hash_len(alg)
    h = core.ffi.gc(lib.pys_hash_new(), lib.pys_hash_free)
    out = core.ffi.new("uint8_t[48]")
    digest = getattr(hashlib, ALGS[alg])
    data = bytes(range(200))

    assert lib.pys_hash_begin(h, alg)
    for end in range(0, len(data), 50):
        part = core.rd(data[end : end + 50])
        assert lib.pys_hash_peek(h, core.scratch, out)
        assert bytes(out)[:n] == digest(data[:end]).digest()
        assert lib.pys_hash_add(h, part.rd)
    assert lib.pys_hash_end(h, out)

    assert bytes(out)[:n] == digest(data).digest()


def test_hash_begun_again_with_the_other_algorithm_starts_anew(core) -> None:
    out = core.ffi.new("uint8_t[48]")
    data = core.rd(b"abc")
    for alg in (SHA384, SHA256, SHA384):
        assert core.lib.pys_hash_begin(core.scratch, alg)
        assert core.lib.pys_hash_add(core.scratch, data.rd)
        assert core.lib.pys_hash_end(core.scratch, out)
        want = getattr(hashlib, ALGS[alg])(b"abc").digest()
        assert bytes(out)[: len(want)] == want


def test_random_takes_what_a_test_put_and_then_goes_on_by_itself(
    core,
) -> None:
    out = core.ffi.new("uint8_t[64]")
    core.lib.pys_test_put_random(b"\x01" * 40, 40)

    assert core.lib.pys_random(out, 24)
    assert bytes(out)[:24] == b"\x01" * 24
    assert core.lib.pys_random(out, 64)

    assert bytes(out)[:16] == b"\x01" * 16
    assert bytes(out)[16:48] != b"\x01" * 32


def test_random_put_back_to_nothing_is_random_again(core) -> None:
    out = core.ffi.new("uint8_t[32]")
    core.lib.pys_test_put_random(b"\x01" * 40, 40)
    core.lib.pys_test_put_random(core.ffi.NULL, 0)

    assert core.lib.pys_random(out, 32)

    assert bytes(out) != b"\x01" * 32


def test_random_gives_other_bytes_each_time(core) -> None:
    out = core.ffi.new("uint8_t[32]")
    seen = set()
    for _ in range(20):
        assert core.lib.pys_random(out, 32)
        seen.add(bytes(out))

    assert len(seen) == 20
    assert core.lib.pys_random(out, 0)


def test_library_says_its_version_and_libcryptos(core) -> None:
    number = core.lib.pys_libcrypto_number()
    text = core.text(core.lib.pys_libcrypto_text())
    version = core.text(core.lib.pys_version())

    assert version == crypto_core.crypto_build.build_core.recipe.version()
    assert number >= 0x30000000
    assert text.startswith("OpenSSL ")
    assert f" {number >> 28}.{number >> 20 & 0xFF}." in text


def test_words_for_a_code_are_libcryptos_or_none(core) -> None:
    # ERR_LIB_PEM (9) and PEM_R_NO_START_LINE (108), then a gap.
    code = 9 << 23 | 108

    assert core.text(core.lib.pys_code_library(code)) == "PEM routines"
    assert core.text(core.lib.pys_code_reason(code)) == "no start line"
    assert core.text(core.lib.pys_code_reason(9 << 23 | 9999)) is None
    assert core.text(core.lib.pys_code_library(200 << 23 | 1)) is None
