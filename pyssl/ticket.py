"""Tickets under keys of the application (contract TKT-2).

SSL_CTX_set_tlsext_ticket_key_cb(3) gives its callback two empty contexts to
set up. Here they only keep what was put in; the core seals and opens, as
RFC 5077 4 recommends: AES-CBC, then HMAC, which is checked first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from pyssl._ffi import bytes_of, ffi, lib, number, source

if TYPE_CHECKING:
    from pyssl.conn import SSL

NAME_LEN = IV_LEN = 16
MAC_KEY_MAX = 64

_CIPHERS = {"AES-128-CBC": 16, "AES-256-CBC": 32}
_DIGESTS = {"SHA256": False, "SHA384": True}


def _known(table: dict[str, Any], name: Any) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"a name is needed, not {name!r}")
    found = table.get(name.upper())
    if found is None:
        raise ValueError(f"{name!r} is none of {', '.join(table)}")
    return found


class EVP_CIPHER_CTX:
    """The cipher of one ticket, to be set up by the callback."""

    __slots__ = ("_iv", "_key")

    def __init__(self) -> None:
        """Begin empty."""
        self._key = self._iv = b""

    def init(self, cipher: str, key: Any, iv: Any) -> int:
        """Set the cipher up: 1.

        Args:
            cipher: "AES-128-CBC" or "AES-256-CBC".
            key: 16 or 32 bytes, bytes-like.
            iv: 16 bytes: what the callback put into, or found in, its iv.

        Errors:
            ValueError: another cipher, or a wrong length.

        Source: EVP_EncryptInit(3), EVP_DecryptInit(3).
        """
        length = _known(_CIPHERS, cipher)
        key, iv = bytes(source(key)), bytes(source(iv))
        if len(key) != length or len(iv) != IV_LEN:
            raise ValueError(f"{cipher}: key of {len(key)}, iv of {len(iv)}")
        self._key, self._iv = key, iv
        return 1


class HMAC_CTX:
    """The HMAC of one ticket, to be set up by the callback."""

    __slots__ = ("_key", "_sha384")

    def __init__(self) -> None:
        """Begin empty."""
        self._key = b""
        self._sha384 = False

    def init(self, key: Any, md: str = "SHA256") -> int:
        """Set the HMAC up: 1.

        Args:
            key: 1 to 64 bytes, bytes-like.
            md: "SHA256" or "SHA384".

        Errors:
            ValueError: another hash, or a wrong length.

        Source: HMAC_Init_ex(3).
        """
        sha384 = _known(_DIGESTS, md)
        key = bytes(source(key))
        if not 1 <= len(key) <= MAC_KEY_MAX:
            raise ValueError(f"a key of {len(key)} bytes")
        self._key, self._sha384 = key, sha384
        return 1


# cb(ssl, key_name, iv, cipher_ctx, hmac_ctx, enc): 1, 2, 0 or negative.
TicketKeyCallback = Callable[
    ["SSL", Any, Any, EVP_CIPHER_CTX, HMAC_CTX, int], int
]


def _give(
    conn: Any,
    name: bytes,
    iv: bytes,
    contexts: tuple[EVP_CIPHER_CTX, HMAC_CTX],
    renew: bool,
) -> None:
    """Hand over what the callback has set up."""
    who = "ticket key callback"
    cipher, mac = contexts
    if len(name) != NAME_LEN or len(iv) != IV_LEN:
        raise ValueError(f"{who}: name and iv have 16 bytes")
    if not cipher._key or not mac._key:
        raise ValueError(f"{who}: both contexts must be set up")
    if cipher._iv != iv:
        raise ValueError(f"{who}: the cipher has another iv")
    setup = ffi.new("pys_ticket_setup *")
    try:
        ffi.memmove(setup.name, name, len(name))
        ffi.memmove(setup.iv, iv, len(iv))
        ffi.memmove(setup.key, cipher._key, len(cipher._key))
        ffi.memmove(setup.mac_key, mac._key, len(mac._key))
        setup.n_key = len(cipher._key)
        setup.n_mac_key = len(mac._key)
        setup.sha384 = mac._sha384
        if not lib.pys_conn_answer_ticket(conn, setup, renew):
            raise MemoryError
    finally:
        ffi.buffer(setup)[:] = bytes(ffi.sizeof("pys_ticket_setup"))


def seal(ssl: SSL, conn: Any) -> int:
    """Ask for the keys of a new ticket: the callback's result."""
    callback = ssl._session_ctx._ticket_key
    if callback is None:
        return 0
    name, iv = bytearray(NAME_LEN), bytearray(IV_LEN)
    contexts = EVP_CIPHER_CTX(), HMAC_CTX()
    result = number(
        callback(ssl, name, iv, *contexts, 1), "ticket key callback"
    )
    if result > 0:
        _give(conn, bytes(name), bytes(iv), contexts, False)
    return result


def unseal(ssl: SSL, conn: Any) -> int:
    """Ask for the keys of the client's ticket: the callback's result."""
    callback = ssl._session_ctx._ticket_key
    if callback is None:
        return 0
    head = bytes_of(lib.pys_conn_asked_ticket(conn), NAME_LEN + IV_LEN)
    name, iv = head[:NAME_LEN], head[NAME_LEN:]
    contexts = EVP_CIPHER_CTX(), HMAC_CTX()
    result = number(
        callback(ssl, name, iv, *contexts, 0), "ticket key callback"
    )
    if result > 0:
        _give(conn, name, iv, contexts, result == 2)
    return result
