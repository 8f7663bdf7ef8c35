"""The key schedule and the records of TLS 1.2 in Python's terms."""

from __future__ import annotations

from typing import Any, NamedTuple, final

from tests.core.crypto_core import Core, Writer

MASTER_LEN = 48


class Block(NamedTuple):
    """What is cut from a key block, whole fields of the core."""

    client_key: bytes
    server_key: bytes
    client_iv: bytes
    server_iv: bytes


class Opened(NamedTuple):
    """Content of a record, or the alert against it."""

    kind: int
    content: bytes
    alert: int = -1
    reason: int = 0


def _kept(core: Core, data: bytes) -> Any:
    """Give bytes in memory of exactly their length."""
    return core.ffi.new("uint8_t[]", data)


def prf(
    core: Core, alg: int, secret: bytes, label: bytes, seed: bytes, n: int
) -> bytes | None:
    """RFC 5246 5."""
    parts = [core.rd(secret), core.rd(label), core.rd(seed)]
    what = core.ffi.new("pys_prf *", [alg, *(part.rd for part in parts)])
    out = core.ffi.new("uint8_t[]", max(n, 1))
    ok = core.lib.pys_prf_run(core.scratch, what, out, n)
    return bytes(core.ffi.buffer(out, n)) if ok else None


def master(core: Core, alg: int, premaster: bytes, randoms: bytes) -> bytes:
    """RFC 5246 8.1."""
    secret, both = core.rd(premaster), _kept(core, randoms)
    out = core.ffi.new("uint8_t[]", MASTER_LEN)
    assert core.lib.pys_keys12_master(core.scratch, alg, secret.rd, both, out)
    return bytes(core.ffi.buffer(out))


def extended(core: Core, alg: int, premaster: bytes, digest: bytes) -> bytes:
    """RFC 7627 4."""
    secret, seen = core.rd(premaster), _kept(core, digest)
    out = core.ffi.new("uint8_t[]", MASTER_LEN)
    assert core.lib.pys_keys12_extended(
        core.scratch, alg, secret.rd, seen, out
    )
    return bytes(core.ffi.buffer(out))


def finished(
    core: Core, alg: int, secret: bytes, server: bool, digest: bytes
) -> bytes:
    """RFC 5246 7.4.9."""
    kept, seen = _kept(core, secret), _kept(core, digest)
    out = core.ffi.new("uint8_t[12]")
    assert core.lib.pys_keys12_finished(
        core.scratch, alg, kept, server, seen, out
    )
    return bytes(core.ffi.buffer(out))


def block(core: Core, suite: int, secret: bytes, randoms: bytes) -> Block:
    """RFC 5246 6.3; keys and IVs are cut to what the suite has."""
    row = core.lib.pys_suite_find(suite)
    kept, both = _kept(core, secret), _kept(core, randoms)
    out = core.ffi.new("pys_keys12 *")
    assert core.lib.pys_keys12_block(core.scratch, row, kept, both, out)
    n_key = core.lib.pys_aead_key_len(row.aead)
    n_iv = core.lib.pys_keys12_iv_len(row)
    cut = core.ffi.buffer
    return Block(
        bytes(cut(out.client_key))[:n_key],
        bytes(cut(out.server_key))[:n_key],
        bytes(cut(out.client_iv))[:n_iv],
        bytes(cut(out.server_iv))[:n_iv],
    )


@final
class Direction:
    """One direction of record protection."""

    def __init__(
        self, core: Core, suite: int, key: bytes, iv: bytes, *, sealing: bool
    ):
        self.core = core
        self.raw = core.ffi.gc(
            core.ffi.new("pys_protect *"), core.lib.pys_protect_wipe
        )
        row = core.lib.pys_suite_find(suite)
        kept, fixed = _kept(core, key), _kept(core, iv)
        assert core.lib.pys_protect_install12(
            self.raw, row, kept, fixed, sealing
        )

    def at(self, number: int) -> Direction:
        """Go to a sequence number."""
        self.raw.seq = number
        return self

    def open(self, record: bytes) -> Opened:
        """Open a record in place, as the engine does."""
        core = self.core
        kept = _kept(core, record)
        whole = core.ffi.new("pys_rd *", {"p": kept, "n": len(record)})[0]
        head, fault = core.ffi.new("pys_head *"), core.ffi.new("pys_fault *")
        fault.alert = -1
        out = kept + 5 + core.lib.pys_record_explicit(self.raw)
        room = len(record)
        if not core.lib.pys_record_open(
            self.raw, whole, out, room, head, fault
        ):
            return Opened(-1, b"", fault.alert, fault.codes[0] & 0x7FFFFF)
        return Opened(head.type, bytes(core.ffi.buffer(out, head.len)))

    def seal(self, kind: int, data: bytes) -> bytes:
        """Seal a record."""
        content = self.core.rd(data)
        with Writer(self.core, 20000) as out:
            assert self.core.lib.pys_record_seal(
                self.raw, kind, content.rd, 0, out.buf
            )
            return out.bytes()


def transcript(core: Core, alg: int, messages: list[bytes]) -> bytes:
    """Hash messages as a handshake does."""
    t = core.ffi.gc(
        core.ffi.new("pys_transcript *"), core.lib.pys_transcript_wipe
    )
    assert core.lib.pys_transcript_init(t)
    for i, message in enumerate(messages):
        kept = core.rd(message)
        assert core.lib.pys_transcript_add(t, kept.rd)
        if i == 1:  # the suite is known from ServerHello on
            assert core.lib.pys_transcript_start(t, alg)
    out = core.ffi.new("uint8_t[48]")
    assert core.lib.pys_transcript_now(t, out)
    return bytes(core.ffi.buffer(out, core.hash_len(alg)))
