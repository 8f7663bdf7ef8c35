"""CBC of the crypto layer against another implementation."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import Core

IV = bytes(range(16))
KEYS = [bytes([7]) * 16, bytes([9]) * 32]
LENGTHS = [*range(50), 4095, 4096]


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


def _run(core: Core, name: str, key: bytes, text: bytes) -> bytes | None:
    """Seal or open behind bytes that are there already."""
    with crypto_core.Writer(core, 1 << 14) as out:
        assert core.lib.pys_buf_add(out.buf, b"front", 5)
        k, t = core.rd(key), core.rd(text)
        ok = getattr(core.lib, name)(k.rd, IV, t.rd, out.buf)
        core.lib.test_drop_errors()
        assert core.lib.test_n_errors_beside() == 0
        made = out.bytes()
        assert made[:5] == b"front"
        assert ok or made == b"front"
        return made[5:] if ok else None


def _seal(core: Core, key: bytes, text: bytes) -> bytes | None:
    return _run(core, "pys_cbc_seal", key, text)


def _open(core: Core, key: bytes, text: bytes) -> bytes | None:
    return _run(core, "pys_cbc_open", key, text)


def _blocks(key: bytes, blocks: bytes) -> bytes:
    """Encrypt whole blocks, whatever they end with."""
    run = Cipher(algorithms.AES(key), modes.CBC(IV)).encryptor()
    return run.update(blocks) + run.finalize()


def _padded(text: bytes) -> bytes:
    n = 16 - len(text) % 16
    return text + bytes([n]) * n


@clause("RFC 5652 6.3")
@pytest.mark.parametrize("key", KEYS)
def test_text_is_padded_sealed_and_opened(core, key) -> None:
    for n in LENGTHS:
        text = bytes(i & 255 for i in range(n))
        sealed = _seal(core, key, text)
        assert sealed == _blocks(key, _padded(text))
        assert _open(core, key, sealed) == text


@clause("RFC 5652 6.3")
@pytest.mark.parametrize("key", KEYS)
def test_every_last_byte_that_is_no_padding_is_refused(core, key) -> None:
    for last in range(256):
        for front in (b"text of a ticket", b""):
            blocks = front + bytes([last]) * 16
            opened = _open(core, key, _blocks(key, blocks))
            want = blocks[:-last] if 1 <= last <= 16 else None
            assert opened == want, last


@clause("RFC 5652 6.3")
@pytest.mark.parametrize("key", KEYS)
def test_padding_with_any_byte_of_it_wrong_is_refused(core, key) -> None:
    for n in range(1, 17):
        good = bytes(range(100, 132 - n)) + bytes([n]) * n
        assert _open(core, key, _blocks(key, good)) == good[:-n]
        for at in range(32 - n, 31):
            bad = bytearray(good)
            bad[at] ^= 0x80
            assert _open(core, key, _blocks(key, bytes(bad))) is None
        # What stands in front of the padding is free.
        if n < 16:
            free = bytearray(good)
            free[31 - n] = n
            assert _open(core, key, _blocks(key, bytes(free))) is not None


@pytest.mark.parametrize("key", KEYS)
def test_what_is_not_whole_blocks_is_refused(core, key) -> None:
    sealed = _seal(core, key, bytes(40))
    assert sealed is not None
    for n in [0, 1, 15, 17, 31, 33, 47]:
        assert _open(core, key, sealed[:n]) is None


def test_key_of_another_length_is_refused(core) -> None:
    for n in [0, 1, 15, 17, 24, 31, 33, 64]:
        assert _seal(core, bytes(n), b"text") is None
        assert _open(core, bytes(n), bytes(32)) is None


def test_no_room_is_told(core) -> None:
    k, t = core.rd(KEYS[0]), core.rd(bytes(32))
    with crypto_core.Writer(core, 40) as out:
        assert not core.lib.pys_cbc_seal(k.rd, IV, t.rd, out.buf)
        assert out.bytes() == b""
