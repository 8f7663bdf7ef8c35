"""SSL_CIPHER: a cipher suite and what is to be said of it."""

from __future__ import annotations

import functools

from pyssl._ffi import lib, text_of


class SSL_CIPHER:
    """A cipher suite; one object for each, so `is` compares.

    Source: SSL_get_current_cipher(3), SSL_CIPHER_get_name(3).
    """

    __slots__ = ("_id",)

    def __init__(self, id: int) -> None:
        """Use `find`; a code point without a name is a ValueError."""
        if text_of(lib.pys_name_of(lib.PYS_KIND_SUITE, id)) is None:
            raise ValueError(f"no cipher suite {id:#06x}")
        self._id = id

    @staticmethod
    def find(id: int) -> SSL_CIPHER | None:
        """Give the suite of a 16-bit code point, or None if unknown."""
        return _find(id)

    def get_name(self) -> str:
        """Give the name, as "TLS_AES_128_GCM_SHA256"."""
        return text_of(lib.pys_name_of(lib.PYS_KIND_SUITE, self._id)) or ""

    def standard_name(self) -> str:
        """Give the name that the RFC uses."""
        return text_of(lib.pys_suite_standard_name(self._id)) or ""

    def get_bits(self) -> tuple[int, int]:
        """Give the secret bits, and the bits of the algorithm."""
        bits = int(lib.pys_suite_bits(self._id))
        return bits, bits

    def get_version(self) -> str:
        """Give the protocol that the suite is for: "TLSv1.3"."""
        return "TLSv1.3" if self._id >> 8 == 0x13 else "TLSv1.2"

    def get_id(self) -> int:
        """Give the number under which OpenSSL files the suite."""
        return 0x03000000 | self._id

    def get_protocol_id(self) -> int:
        """Give the code point on the wire (RFC 8446 B.4)."""
        return self._id

    def description(self) -> str:
        """Give a line on key exchange, authentication and encryption."""
        return text_of(lib.pys_suite_description(self._id)) or ""

    def __repr__(self) -> str:
        """Show the name."""
        return f"<SSL_CIPHER {self.get_name()}>"


@functools.lru_cache(maxsize=64)
def _find(id: int) -> SSL_CIPHER | None:
    try:
        return SSL_CIPHER(id)
    except ValueError:
        return None
