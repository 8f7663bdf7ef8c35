"""EVP_PKEY: a private key."""

from __future__ import annotations

from typing import Any

from pyssl import err
from pyssl._ffi import ffi, lib, own, source

# What a passphrase callback may give at most, as in libcrypto (CERT-15).
PASSPHRASE_MAX = 1024


class EVP_PKEY:
    """A private key: RSA, RSA-PSS, EC, Ed25519 or Ed448."""

    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        """Wrap a handle; programs use `from_der` and `from_pem`."""
        self._key = own(key, lib.pys_key_free)

    @classmethod
    def from_der(cls, data: Any) -> EVP_PKEY:
        """Read PKCS#8 or a traditional form from DER.

        Errors:
            Error: no such key.
        """
        fault = ffi.new("pys_fault *")
        key = cls._from_der(data, fault)
        if key is None:
            err.raise_fault(fault, "EVP_PKEY.from_der")
        return key

    @classmethod
    def from_pem(cls, data: Any, passphrase: bytes | None = None) -> EVP_PKEY:
        """Read the first private key of PEM text.

        Args:
            data: Bytes-like PEM text.
            passphrase: For an encrypted key.

        Errors:
            Error: no key, or another passphrase.
        """
        fault = ffi.new("pys_fault *")
        key = cls._from_pem(data, passphrase, fault)
        if key is None:
            err.raise_fault(fault, "EVP_PKEY.from_pem")
        return key

    @classmethod
    def _from_der(cls, data: Any, fault: Any) -> EVP_PKEY | None:
        """Read a key, or leave codes in fault."""
        view = source(data)
        key = lib.pys_key_from_der(view, len(view), fault)
        return None if key == ffi.NULL else cls(key)

    @classmethod
    def _from_pem(
        cls, data: Any, passphrase: bytes | None, fault: Any
    ) -> EVP_PKEY | None:
        """Read a key, or leave codes in fault."""
        view = source(data)
        word = ffi.NULL if passphrase is None else passphrase
        n_word = 0 if passphrase is None else len(passphrase)
        key = lib.pys_key_from_pem(view, len(view), word, n_word, fault)
        return None if key == ffi.NULL else cls(key)

    def _native(self) -> Any:
        """Give the C handle, borrowed."""
        return self._key


def is_encrypted(data: Any) -> bool:
    """Tell whether the first private key of PEM text needs a passphrase."""
    view = source(data)
    return bool(lib.pys_pem_key_encrypted(view, len(view)) == 1)
