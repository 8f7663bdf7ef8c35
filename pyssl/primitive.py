"""What the primitives cost by themselves, for the benchmark."""

from __future__ import annotations

from pyssl._ffi import ffi, lib
from pyssl.pkey import EVP_PKEY

# Names of what can be measured.
_KINDS = {
    "share": lib.PYS_BENCH_SHARE,
    "respond": lib.PYS_BENCH_RESPOND,
    "sign": lib.PYS_BENCH_SIGN,
    "verify": lib.PYS_BENCH_VERIFY,
    "check": lib.PYS_BENCH_CHECK,
    "hash": lib.PYS_BENCH_HASH,
    "hmac": lib.PYS_BENCH_HMAC,
    "key": lib.PYS_BENCH_KEY,
    "seal": lib.PYS_BENCH_SEAL,
    "open": lib.PYS_BENCH_OPEN,
}
_IDS = {
    "share": lib.PYS_KIND_GROUP,
    "respond": lib.PYS_KIND_GROUP,
    "sign": lib.PYS_KIND_SCHEME,
    "verify": lib.PYS_KIND_SCHEME,
    "check": lib.PYS_KIND_SCHEME,
}


def spent_ns(
    kind: str,
    name: str,
    size: int = 0,
    times: int = 1,
    key: EVP_PKEY | None = None,
) -> int | None:
    """Measure a primitive, by the library that does it for the core.

    Args:
        kind: "share" (a client's half of a key exchange), "respond" (a
            server's), "sign", "verify", "check" (a link of a chain is
            verified, always by libcrypto), "hash", "hmac", "key" (an AEAD
            gets another), "seal" or "open".
        name: Of the group, of the signature scheme, or else of a suite.
        size: Bytes to work on, at most 16384.
        times: How often.
        key: For "sign", "verify" and "check".

    Returns:
        CPU time of this thread in nanoseconds; None if the library has
        it not, or it failed.

    Errors:
        KeyError: another kind.
    """
    what = _KINDS[kind]
    kind_of_id = _IDS.get(kind, lib.PYS_KIND_SUITE)
    id = lib.pys_id_of(kind_of_id, name.encode("ascii"))
    native = ffi.NULL if key is None else key._native()
    spent = int(lib.pys_bench(what, id, native, size, times))
    return None if spent < 0 else spent
