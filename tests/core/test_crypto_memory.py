"""The crypto layer when memory is short, and with several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.core import crypto_core
from tests.core.crypto_core import P256, P384, P521, X25519, Core, Writer

Scenario = Callable[[Core], bool]
KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
)
# What a peer would send, made with memory to spare.
HELLOS: dict[int, bytes] = {}


@pytest.fixture(scope="module")
def core() -> Core:
    made = crypto_core.core()
    for group in (X25519, P256, P384, P521):
        share = made.share(group)
        assert share is not None
        HELLOS[group] = share.public() or b""
    return made


def _made(core: Core, raw: Any, free: Any) -> bool:
    """Free what was made; tell whether it was."""
    if raw == core.ffi.NULL:
        return False
    free(raw)
    return True


def _hash(core: Core) -> bool:
    return _made(core, core.lib.pys_hash_new(), core.lib.pys_hash_free)


def _aead(core: Core) -> bool:
    raw = core.lib.pys_aead_new(crypto_core.AES_128_GCM, bytes(16), True)
    return _made(core, raw, core.lib.pys_aead_free)


def _key(core: Core) -> bool:
    raw = core.lib.test_private_key(KEY, len(KEY))
    return _made(core, raw, core.lib.pys_key_free)


def _transcript(core: Core) -> bool:
    lib = core.lib
    seen = core.ffi.new("pys_transcript *")
    message = core.rd(bytes(1000))
    ok = (
        lib.pys_transcript_init(seen)
        and lib.pys_transcript_add(seen, message.rd)
        and lib.pys_transcript_add(seen, message.rd)
        and lib.pys_transcript_start(seen, crypto_core.SHA256)
        and lib.pys_transcript_retry(seen)
    )
    lib.pys_transcript_wipe(seen)
    return bool(ok)


def _expand(core: Core) -> bool:
    made = core.expand(crypto_core.SHA256, bytes(32), b"", 2000)
    return made is not None


def _exchange(group: int) -> Scenario:
    def run(core: Core) -> bool:
        share = core.share(group)
        if share is None:
            return False
        hello = share.public()
        if hello is None:
            return False
        made = core.respond(group, HELLOS[group])
        assert made.internal == (made.secret is None)
        return made.secret is not None

    return run


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "hash": (_hash, 1),
    "aead": (_aead, 1),
    "key": (_key, 1),
    "transcript": (_transcript, 5),
    "expand": (_expand, 2),
    "x25519": (_exchange(X25519), 3),
    "p256": (_exchange(P256), 3),
    "p384": (_exchange(P384), 3),
    "p521": (_exchange(P521), 3),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nth_allocation_failing_makes_the_whole_fail_cleanly(
    core, name
) -> None:
    scenario, allocations = SCENARIOS[name]
    lib = core.lib
    lib.pys_test_fail_alloc(0)
    assert scenario(core)
    assert lib.pys_test_n_alloc() == allocations
    try:
        for n in range(1, allocations + 1):
            lib.pys_test_fail_alloc(n)
            assert not scenario(core), n
        lib.pys_test_fail_alloc(allocations + 1)
        assert scenario(core)
    finally:
        lib.pys_test_fail_alloc(0)


def test_labels_and_hmac_and_signatures_do_not_allocate(core) -> None:
    key = core.key(KEY)
    schedule = core.ffi.new("pys_keys13 *")
    nothing = core.rd(b"")
    core.lib.pys_test_fail_alloc(0)

    assert core.hmac(crypto_core.SHA384, b"key", b"data")
    assert core.expand_label(0, bytes(32), b"key", bytes(32), 32)
    assert core.lib.pys_keys13_early(schedule, core.scratch, 0, nothing.rd)
    assert core.sign(key, 0x0403, b"data")

    assert core.lib.pys_test_n_alloc() == 0


def test_wiped_and_freed_nothing_is_fine(core) -> None:
    lib, null = core.lib, core.ffi.NULL
    lib.pys_hash_free(null)
    lib.pys_aead_free(null)
    lib.pys_share_free(null)
    seen = core.ffi.new("pys_transcript *")

    assert lib.pys_transcript_init(seen)
    lib.pys_transcript_wipe(seen)
    lib.pys_transcript_wipe(seen)

    assert seen.hash == null


def test_threads_share_the_fetched_algorithms(core) -> None:
    key = core.key(KEY)
    failures: list[str] = []
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        ready.wait()
        for i in range(30):
            group = (X25519, P256)[(number + i) % 2]
            share = core.share(group)
            assert share is not None
            made = core.respond(group, share.public() or b"")
            if share.derive(made.share).secret != made.secret:
                failures.append(f"share {number} {i}")
            data = bytes([number, i])
            sig = core.sign(key, 0x0403, data)
            if sig is None or not core.verify(key, 0x0403, data, sig):
                failures.append(f"signature {number} {i}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_start_from_many_threads_is_one_start(core) -> None:
    answers: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(bool(core.lib.pys_start()))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [True] * 8


def test_writer_without_room_is_seen_at_the_end(core) -> None:
    with Writer(core, 0) as out:
        assert core.lib.pys_wr_room(out.wr, 1) == core.ffi.NULL
        assert not core.lib.pys_wr_ok(out.wr)
