"""The session layer of the core for tests, through the hooks of pys_test.h.

`session` makes one of what its keywords say, `view` reads one back; `to_der`
and `from_der` are i2d and d2i.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from pyssl._ffi import bytes_of, ffi, lib, own
from tests.pki.core import Fault, cert_der, new_cert

TLS12, TLS13 = 0x0303, 0x0304
AES_256_13, AES_256_12 = 0x1302, 0xC02C

STATM = Path("/proc/self/statm")
# A sanitizer keeps freed memory for a while.
needs_memory_figures = pytest.mark.skipif(
    not STATM.exists() or "PYSSL_TEST_CORE" in os.environ,
    reason="memory in use cannot be told",
)

NUMBERS = {
    "version": "VERSION",
    "suite": "SUITE",
    "max_early_data": "MAX_EARLY_DATA",
    "verify_result": "VERIFY_RESULT",
    "time": "TIME",
    "timeout": "LIFE",
}
BYTES = {
    "id": "ID",
    "id_context": "ID_CONTEXT",
    "secret": "SECRET",
    "name": "NAME",
    "alpn": "ALPN",
    "ticket": "TICKET",
}
FACTS = (
    "group",
    "extended",
    "not_resumable",
    "made_ms",
    "lifetime",
    "age_add",
)

# One of each version with everything in it.
FULL13: dict[str, Any] = {
    "version": TLS13,
    "suite": AES_256_13,
    "secret": bytes(range(48)),
    "id": b"i" * 32,
    "id_context": b"context",
    "ticket": b"t" * 200,
    "name": b"www.example.com",
    "alpn": b"h2",
    "time": 1_700_000_000,
    "timeout": 7200,
    "made_ms": 1_700_000_000_000,
    "lifetime": 86400,
    "age_add": 0xDC61CE4F,
    "max_early_data": 16384,
    "verify_result": 18,
    "group": 0x001D,
}
FULL12: dict[str, Any] = {
    **FULL13,
    "version": TLS12,
    "suite": AES_256_12,
    "extended": True,
    "age_add": 0,
    "max_early_data": 0,
}


def number(handle: Any, name: str) -> int:
    """Read a number of a session."""
    return int(lib.pys_session_number(handle, constant(name)))


def constant(name: str) -> int:
    """Give the value of an enumeration's PYS_SESSION_ member."""
    return int(getattr(lib, f"PYS_SESSION_{name}"))


def octets(handle: Any, name: str) -> bytes:
    """Copy bytes of a session."""
    size = ffi.new("size_t *")
    found = lib.pys_session_bytes(handle, constant(name), size)
    return bytes_of(found, size[0])


def fill(handle: Any, chain: Sequence[bytes] = (), **wish: Any) -> bool:
    """Set what the keywords say; false if memory was short."""
    for name, value in wish.items():
        done = True
        if name in NUMBERS:
            kind = constant(NUMBERS[name])
            done = lib.pys_session_set_number(handle, kind, value)
        elif name in BYTES:
            kind = constant(BYTES[name])
            done = lib.pys_session_set_bytes(handle, kind, value, len(value))
        elif name not in FACTS:
            raise TypeError(name)
        if not done:
            return False
    certs = [new_cert(der) for der in chain]
    kept = ffi.new("pys_cert *[]", certs)
    facts = {name: wish[name] for name in FACTS if name in wish}
    facts |= {"chain": kept, "n_chain": len(certs)}
    given = ffi.new("pys_test_session *", facts)
    return bool(lib.pys_test_session_fill(handle, given))


def session(**wish: Any) -> Any:
    """Make a session."""
    handle = own(lib.pys_session_new(), lib.pys_session_free)
    assert fill(handle, **wish)
    return handle


def view(handle: Any) -> dict[str, Any]:
    """Read everything of a session."""
    facts = lib.pys_test_session_facts(handle)
    seen: dict[str, Any] = {name: getattr(facts, name) for name in FACTS}
    seen |= {name: number(handle, NUMBERS[name]) for name in NUMBERS}
    seen |= {name: octets(handle, BYTES[name]) for name in BYTES}
    chain = facts.chain[0 : facts.n_chain] if facts.n_chain else []
    return {**seen, "chain": [cert_der(cert) for cert in chain]}


def refs(handle: Any) -> int:
    """Count the references to a session."""
    return int(lib.pys_test_session_facts(handle).refs)


def adopt(handle: Any) -> Any:
    """Own a session that C gave; None for NULL."""
    if handle == ffi.NULL:
        return None
    return own(handle, lib.pys_session_free)


def collect(call: Callable[[Any, int], int]) -> bytes:
    """Ask for the length, then for the bytes; empty if there are none."""
    size = call(ffi.NULL, 0)
    if size == 0:
        return b""
    room = ffi.new("uint8_t[]", size)
    return bytes_of(room, size) if call(room, size) == size else b""


def to_der(handle: Any) -> bytes:
    """Encode a session; empty if that failed."""
    return collect(lambda out, n: lib.pys_session_der(handle, out, n))


def from_der(data: bytes) -> tuple[Any, int, list[tuple[int, int]]]:
    """Decode a session: it or None, the bytes used, the entries.

    The bytes lie at the end of a block of their own, so that a sanitizer
    sees a read behind them.
    """
    block = ffi.new("uint8_t[]", len(data) or 1)
    ffi.memmove(block, data, len(data))
    fault = Fault()
    used = ffi.new("size_t *")
    handle = lib.pys_session_from_der_bytes(block, len(data), used, fault.c)
    return adopt(handle), used[0], fault.codes


def decoded(data: bytes) -> Any:
    """Decode a session that must be good."""
    handle, used, codes = from_der(data)
    assert handle is not None, codes
    assert (used, codes) == (len(data), [])
    return handle


def fails_at_each_allocation(run: Callable[[], Optional[bool]]) -> int:
    """Let each allocation of a call fail in turn.

    Args:
        run: does everything anew; a true answer says that all was well.

    Returns:
        How many allocations the call makes.
    """
    lib.pys_test_fail_alloc(0)
    assert run()
    asked = int(lib.pys_test_n_alloc())
    for n in range(1, asked + 1):
        lib.pys_test_fail_alloc(n)
        good = run()
        lib.pys_test_fail_alloc(0)
        assert not good, f"allocation {n} of {asked} was not missed"
    return asked


def growth(work: Callable[[], None]) -> int:
    """Tell how many bytes more the process holds after doing work again.

    The first rounds fill what is kept for later.
    """
    size = os.sysconf("SC_PAGE_SIZE")
    for _ in range(3):
        work()
    before = int(STATM.read_text("ascii").split()[1])
    for _ in range(10):
        work()
    return size * (int(STATM.read_text("ascii").split()[1]) - before)
