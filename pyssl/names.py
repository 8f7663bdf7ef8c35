"""Control strings: names of suites, groups and schemes, ALPN lists.

A function gives None for what the man page refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyssl._ffi import lib, text_of

# libcrypto's numbers of the groups, and what marks the others.
_NIDS = {
    415: "P-256",
    715: "P-384",
    716: "P-521",
    1034: "X25519",
    1035: "X448",
}
_NID_UNKNOWN = 0x1000000

_TLS13 = 0x13  # high byte of its suites (RFC 8446 B.4)


def libcrypto() -> str:
    """Give the name and version of the libcrypto at work."""
    return text_of(lib.pys_libcrypto_text()) or ""


def primitives() -> str:
    """Give the name and version of the library that the primitives are of.

    That is libcrypto itself, unless the core was built with AWS-LC beside
    it: then "AWS-LC 5.12.0", say.
    """
    return text_of(lib.pys_primitives_text()) or ""


def id_of(kind: int, name: str) -> int:
    """Give the code point of a name, 0 if it is unknown."""
    try:
        raw = name.encode("ascii")
    except UnicodeEncodeError:
        return 0
    return 0 if b"\0" in raw else int(lib.pys_id_of(kind, raw))


def name_of(kind: int, id: int) -> str:
    """Give the name of a code point, or the number as 0x1234."""
    return text_of(lib.pys_name_of(kind, id)) or f"{id:#06x}"


def suites(text: str) -> list[int] | None:
    """Parse a list of TLS 1.3 suites (CIPH-3): unknown names are skipped."""
    if text == "":
        return []
    found: list[int] = []
    for name in _split(text):
        id = id_of(lib.PYS_KIND_SUITE, name)
        if id >> 8 == _TLS13 and id not in found:
            found.append(id)
    return found or None


def groups(text: str) -> list[int] | None:
    """Parse a list of groups (CIPH-4): each name once, all known."""
    return _strict(id_of(lib.PYS_KIND_GROUP, n) for n in _split(text))


def groups_of_nids(nids: Sequence[int]) -> list[int] | None:
    """Turn libcrypto's numbers into code points, under the same rules."""
    return _strict(
        id_of(lib.PYS_KIND_GROUP, _NIDS.get(nid, "")) for nid in nids
    )


def nid_of_group(id: int) -> int:
    """Give libcrypto's number of a code point."""
    name = name_of(lib.PYS_KIND_GROUP, id)
    for nid, known in _NIDS.items():
        if known == name:
            return nid
    return _NID_UNKNOWN | id


def schemes(text: str) -> list[int] | None:
    """Parse a list of signature schemes (CIPH-5)."""
    return _strict(id_of(lib.PYS_KIND_SCHEME, n) for n in _split(text))


def _split(text: str) -> list[str]:
    if not isinstance(text, str):
        raise TypeError(f"a text is needed, not {text!r}")
    return [name.strip() for name in text.split(":")]


def _strict(ids: Iterator[int]) -> list[int] | None:
    """Refuse unknown ones, repetitions, none at all and too many."""
    found: list[int] = []
    for id in ids:
        if id == 0 or id in found:
            return None
        found.append(id)
    return found if 0 < len(found) <= lib.PYS_LIST_MAX else None


def split_protos(wire: bytes) -> list[bytes] | None:
    """Split an ALPN list in wire format (RFC 7301 3.1)."""
    found: list[bytes] = []
    at = 0
    while at < len(wire):
        size = wire[at]
        at += 1
        if size == 0 or at + size > len(wire):
            return None
        found.append(wire[at : at + size])
        at += size
    return found


def X509_verify_cert_error_string(n: int) -> str:
    """Give libcrypto's words for an X509_V_ code.

    Source: X509_STORE_CTX_get_error(3).
    """
    return text_of(lib.pys_verify_text(n)) or ""


def split_ca_names(wire: bytes) -> list[bytes]:
    """Split names of CAs, each with a 16-bit length (RFC 8446 4.2.4)."""
    found: list[bytes] = []
    at = 0
    while at + 2 <= len(wire):
        size = int.from_bytes(wire[at : at + 2], "big")
        found.append(wire[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def SSL_select_next_proto(server: bytes, client: bytes) -> tuple[int, bytes]:
    """Find the first of the server's protocols that the client has too.

    Args:
        server: The list in wire format that decides.
        client: The list in wire format that must have it too.

    Returns:
        OPENSSL_NPN_NEGOTIATED (1) and the protocol; else
        OPENSSL_NPN_NO_OVERLAP (2) and the client's first, which is not to
        be used by a server.

    Errors:
        ValueError: a malformed list.

    Source: SSL_select_next_proto(3); contract ALPN-4.
    """
    ours = split_protos(bytes(server))
    theirs = split_protos(bytes(client))
    if ours is None or theirs is None:
        raise ValueError("malformed list of protocols")
    for proto in ours:
        if proto in theirs:
            return 1, proto
    return 2, theirs[0] if theirs else b""
