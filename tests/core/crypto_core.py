"""The crypto layer in Python's terms: bytes in, bytes or None out."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple, final

from tests.core import crypto_build

VECTORS = Path(__file__).resolve().parent.parent / "vectors"

SHA256, SHA384 = range(2)
HASH_NAMES = {"sha256": SHA256, "sha384": SHA384}
AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305 = range(3)
SUITE, GROUP, SCHEME = range(3)
X25519, P256, P384, P521 = 0x1D, 0x17, 0x18, 0x19
X25519MLKEM768 = 0x11EC
SECRET_MAX = 66
TAG_LEN = 16


def supply() -> str:
    """Name the library of the primitives, or "" if it is libcrypto."""
    return str(crypto_build.build_core.recipe.crypto().supply)


def vectors(name: str) -> Any:
    """Read one file of tests/vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def unhex(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn the values of a vector that are hex into bytes."""
    made: dict[str, Any] = {}
    for key, value in fields.items():
        try:
            made[key] = bytes.fromhex(value)
        except (TypeError, ValueError):
            made[key] = value
    return made


class Agreed(NamedTuple):
    """What a key exchange came to."""

    secret: bytes | None
    internal: bool
    share: bytes = b""


class Aead:
    """One direction of an AEAD."""

    def __init__(self, core: Core, alg: int, key: bytes, sealing: bool):
        self.core = core
        self.raw = core.ffi.gc(
            core.lib.pys_aead_new(alg, key, sealing), core.lib.pys_aead_free
        )

    def rekey(self, key: bytes) -> bool:
        return bool(self.core.lib.pys_aead_rekey(self.raw, key))

    def seal(
        self, nonce: bytes, ad: bytes, text: bytes, tail: bytes = b""
    ) -> bytes | None:
        """Seal in place, as the record layer does."""
        n = len(text) + len(tail)
        out = self.core.ffi.new("uint8_t[]", text + bytes(n - len(text) + 16))
        head = self.core.ffi.new("pys_rd *", {"p": out, "n": len(text)})[0]
        a, end = self.core.rd(ad), self.core.rd(tail)
        if not self.core.lib.pys_aead_seal(
            self.raw, nonce, a.rd, head, end.rd, out
        ):
            return None
        return bytes(self.core.ffi.buffer(out, n + TAG_LEN))

    def seal_beside(
        self, nonce: bytes, ad: bytes, text: bytes, tail: bytes
    ) -> bytes | None:
        """Seal from elsewhere, with the tail in its place."""
        n = len(text) + len(tail)
        out = self.core.ffi.new(
            "uint8_t[]", bytes(len(text)) + tail + bytes(16)
        )
        end = self.core.ffi.new(
            "pys_rd *", {"p": out + len(text), "n": len(tail)}
        )[0]
        a, head = self.core.rd(ad), self.core.rd(text)
        if not self.core.lib.pys_aead_seal(
            self.raw, nonce, a.rd, head.rd, end, out
        ):
            return None
        return bytes(self.core.ffi.buffer(out, n + TAG_LEN))

    def open(self, nonce: bytes, ad: bytes, sealed: bytes) -> bytes | None:
        """Open in place; what does not verify must leave zeros behind."""
        out = self.core.ffi.new("uint8_t[]", sealed + b"\0")
        rd = self.core.ffi.new("pys_rd *", {"p": out, "n": len(sealed)})[0]
        a = self.core.rd(ad)
        n = max(len(sealed) - TAG_LEN, 0)
        ok = self.core.lib.pys_aead_open(
            self.raw, nonce, a.rd, rd, out, self.core.ffi.NULL
        )
        text = bytes(self.core.ffi.buffer(out, n))
        if not ok:
            assert text == bytes(n)
            return None
        return text

    def open_apart(
        self, nonce: bytes, ad: bytes, sealed: bytes
    ) -> bytes | None:
        """Open beside, the last byte apart; there is no room for it."""
        ffi = self.core.ffi
        n = max(len(sealed) - TAG_LEN, 0)
        out = ffi.new("uint8_t[]", b"\xaa" * (n + 1))
        last = ffi.new("uint8_t *", 0xAA)
        a, rd = self.core.rd(ad), self.core.rd(sealed)
        ok = self.core.lib.pys_aead_open(
            self.raw, nonce, a.rd, rd.rd, out, last
        )
        kept = max(n - 1, 0)
        text = bytes(ffi.buffer(out, kept))
        assert bytes(ffi.buffer(out, n + 1))[kept:] == b"\xaa" * (n + 1 - kept)
        if not ok:
            assert (text, last[0]) == (bytes(kept), 0)
            return None
        return text + bytes(last[0:1]) if n != 0 else text


class Share:
    """Our half of a key exchange."""

    def __init__(self, core: Core, raw: Any):
        self.core = core
        self.raw = core.ffi.gc(raw, core.lib.pys_share_free)

    @property
    def group(self) -> int:
        return int(self.core.lib.pys_share_group(self.raw))

    def public(self, room: int = 4096) -> bytes | None:
        with Writer(self.core, room) as out:
            ok = self.core.lib.pys_share_public(self.raw, out.wr)
            return out.bytes() if ok else None

    def derive(self, peer: bytes, *, keep_errors: bool = False) -> Agreed:
        core = self.core
        secret = core.ffi.new("uint8_t[]", b"\xa5" * SECRET_MAX)
        n = core.ffi.new("size_t *")
        internal = core.ffi.new("bool *")
        value = core.rd(peer)
        ok = core.lib.pys_share_derive(self.raw, value.rd, secret, n, internal)
        if not keep_errors:
            core.lib.test_drop_errors()
        return core.agreed(ok, secret, n, internal)


@final
class Writer:
    """A pys_wr over a buffer of its own."""

    def __init__(self, core: Core, room: int):
        self.core = core
        self.buf = core.ffi.new("pys_buf *")
        core.lib.pys_buf_init(self.buf, room)
        self.wr = core.ffi.new("pys_wr *", {"buf": self.buf})

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.core.lib.pys_buf_wipe(self.buf)

    def bytes(self) -> bytes:
        if self.buf.data == self.core.ffi.NULL:
            return b""
        at = self.buf.data + self.buf.off
        return bytes(self.core.ffi.buffer(at, self.buf.len - self.buf.off))


class Rd:
    """Bytes as the core reads them, kept alive; the copy is exact."""

    def __init__(self, ffi: Any, data: bytes):
        self.data = ffi.new("uint8_t[]", data) if data else ffi.NULL
        self.rd = ffi.new("pys_rd *", {"p": self.data, "n": len(data)})[0]


class Core:
    """The functions of crypto/, keeping what they borrow alive."""

    def __init__(self) -> None:
        module = crypto_build.load()
        self.ffi = module.ffi
        self.lib = module.lib
        self.scratch = self.ffi.gc(
            self.lib.pys_hash_new(), self.lib.pys_hash_free
        )

    def rd(self, data: bytes) -> Rd:
        return Rd(self.ffi, data)

    def has(self, group: int) -> bool:
        return bool(self.lib.pys_share_has(group))

    def _out(self, ok: bool, out: Any, n: int) -> bytes | None:
        return bytes(self.ffi.buffer(out, n)) if ok else None

    def hash_len(self, alg: int) -> int:
        return int(self.lib.pys_hash_len(alg))

    def hmac(self, alg: int, key: bytes, data: bytes) -> bytes | None:
        out = self.ffi.new("uint8_t[48]")
        k, d = self.rd(key), self.rd(data)
        ok = self.lib.pys_hmac(self.scratch, alg, k.rd, d.rd, out)
        return self._out(ok, out, self.hash_len(alg))

    def save(self, alg: int, key: bytes) -> bytes | None:
        """Give what the scratch kept of a key."""
        state = self.ffi.new("uint8_t[]", self.lib.PYS_HMAC_STATE_LEN)
        k = self.rd(key)
        ok = self.lib.pys_hmac_save(self.scratch, alg, k.rd, state)
        return self._out(ok, state, len(state))

    def load(self, alg: int, key: bytes, state: bytes) -> None:
        k = self.rd(key)
        self.lib.pys_hmac_load(self.scratch, alg, k.rd, state)

    def extract(self, alg: int, salt: bytes, ikm: bytes) -> bytes | None:
        out = self.ffi.new("uint8_t[48]")
        s, i = self.rd(salt), self.rd(ikm)
        ok = self.lib.pys_hkdf_extract(self.scratch, alg, s.rd, i.rd, out)
        return self._out(ok, out, self.hash_len(alg))

    def expand(
        self, alg: int, prk: bytes, info: bytes, n: int, room: int = 1 << 16
    ) -> bytes | None:
        with Writer(self, room) as out:
            i = self.rd(info)
            ok = self.lib.pys_hkdf_expand(
                self.scratch, alg, prk, i.rd, out.buf, n
            )
            return out.bytes() if ok else None

    def expand_label(
        self, alg: int, secret: bytes, label: bytes, context: bytes, n: int
    ) -> bytes | None:
        """HKDF-Expand-Label; the label without its prefix."""
        kept = self.ffi.new("uint8_t[]", secret)
        text = self.ffi.new("char[]", label)
        c = self.rd(context)
        what = self.ffi.new(
            "pys_label *",
            {
                "alg": alg,
                "secret": kept,
                "label": text,
                "n_label": len(label),
                "context": c.rd,
            },
        )
        out = self.ffi.new("uint8_t[]", n + 1)
        ok = self.lib.pys_expand_label(self.scratch, what, out, n)
        return self._out(ok, out, n)

    def finished(self, alg: int, base: bytes, seen: bytes) -> bytes | None:
        out = self.ffi.new("uint8_t[48]")
        ok = self.lib.pys_keys13_finished(self.scratch, alg, base, seen, out)
        return self._out(ok, out, self.hash_len(alg))

    def traffic(
        self, alg: int, secret: bytes, n_key: int
    ) -> tuple[bytes, bytes] | None:
        key = self.ffi.new("uint8_t[]", n_key)
        iv = self.ffi.new("uint8_t[12]")
        if not self.lib.pys_keys13_traffic(
            self.scratch, alg, secret, key, n_key, iv
        ):
            return None
        return bytes(self.ffi.buffer(key)), bytes(self.ffi.buffer(iv))

    def export(
        self, alg: int, secret: bytes, label: bytes, context: bytes, n: int
    ) -> bytes | None:
        name, about = self.rd(label), self.rd(context)
        out = self.ffi.new("uint8_t[]", n + 1)
        ok = self.lib.pys_keys13_export(
            self.scratch, alg, secret, name.rd, about.rd, out, n
        )
        return self._out(ok, out, n)

    def aead(self, alg: int, key: bytes, sealing: bool) -> Aead:
        return Aead(self, alg, key, sealing)

    def fix_share(self, group: int, private: bytes) -> None:
        self.lib.pys_test_put_share(group, private, len(private))

    def share(self, group: int) -> Share | None:
        raw = self.lib.pys_share_new(group)
        return None if raw == self.ffi.NULL else Share(self, raw)

    def respond(
        self,
        group: int,
        peer: bytes,
        room: int = 4096,
        *,
        keep_errors: bool = False,
    ) -> Agreed:
        secret = self.ffi.new("uint8_t[]", b"\xa5" * SECRET_MAX)
        n = self.ffi.new("size_t *")
        internal = self.ffi.new("bool *")
        value = self.rd(peer)
        with Writer(self, room) as out:
            ok = self.lib.pys_share_respond(
                group, value.rd, out.wr, secret, n, internal
            )
            made = out.bytes()
        if not keep_errors:
            self.lib.test_drop_errors()
        return self.agreed(ok, secret, n, internal, made)

    def agreed(
        self, ok: bool, secret: Any, n: Any, internal: Any, share: bytes = b""
    ) -> Agreed:
        """Read the outputs; a failure must leave no secret behind."""
        whole = bytes(self.ffi.buffer(secret, SECRET_MAX))
        if not ok:
            assert whole in (bytes(SECRET_MAX), b"\xa5" * SECRET_MAX)
            assert n[0] == 0
            return Agreed(None, bool(internal[0]))
        assert not internal[0]
        return Agreed(whole[: n[0]], False, share)

    def key(self, der: bytes) -> Any:
        """Load a private key, PKCS #8 or traditional."""
        raw = self.lib.test_private_key(der, len(der))
        assert raw != self.ffi.NULL
        return self.ffi.gc(raw, self.lib.pys_key_free)

    def public_key(self, der: bytes) -> Any:
        """Load a SubjectPublicKeyInfo."""
        raw = self.lib.test_public_key(der, len(der))
        assert raw != self.ffi.NULL
        return self.ffi.gc(raw, self.lib.pys_key_free)

    def sign(self, key: Any, scheme: int, data: bytes) -> bytes | None:
        sig = self.ffi.new("uint8_t[1024]")
        n = self.ffi.new("size_t *")
        d = self.rd(data)
        ok = self.lib.pys_sign(key, scheme, d.rd, sig, n)
        self.lib.test_drop_errors()
        return self._out(ok, sig, n[0])

    def verify(self, key: Any, scheme: int, data: bytes, sig: bytes) -> bool:
        d, s = self.rd(data), self.rd(sig)
        ok = bool(self.lib.pys_verify(key, scheme, d.rd, s.rd))
        self.lib.test_drop_errors()
        return ok

    def fits(self, scheme: int, key: Any) -> bool:
        row = self.lib.pys_scheme_find(scheme)
        return bool(self.lib.pys_scheme_fits(row, key))

    def text(self, raw: Any) -> str | None:
        if raw == self.ffi.NULL:
            return None
        return bytes(self.ffi.string(raw)).decode("ascii")


@functools.cache
def core() -> Core:
    """Give the one core of this run."""
    return Core()
