"""RFC 8446 4.1.1, 4.1.2: a server and the ClientHellos it must refuse."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import ForgeClient, bend, keys, messages as m
from tests.forge.victim import (
    APPLICATION,
    CLEAR,
    DECODE,
    FAILURE,
    ILLEGAL,
    MISSING,
    UNEXPECTED,
    VERSION,
    Case,
    check,
    refused,
    server,
    table,
)

CH, CH2 = "client_hello", "client_hello_2"
AGAIN: dict[str, Any] = {"shares": []}


def bad(rfc: str, name: str, how: Any, *rest: Any, **more: Any) -> Case:
    """Give a row whose alert goes out in the clear."""
    alert, reason = (*rest, None, None)[:2]
    return Case(rfc, name, how, alert or ILLEGAL, reason, CLEAR, **more)


def no_block(found: m.ClientHello) -> list[m.Raw]:
    """Leave the extension block out altogether."""
    body = found.body()
    size = len(m.block(found.extensions))
    return [m.Raw(m.CLIENT_HELLO, body[:-size])]


def odd_suites(found: m.ClientHello) -> list[m.Raw]:
    """Make the list of suites odd."""
    body = found.body()
    at = 2 + 32 + 1 + len(found.session_id)
    size = 2 * len(found.suites)
    changed = m.vec(2, body[at + 2 : at + 2 + size] + b"\x13")
    return [m.Raw(m.CLIENT_HELLO, body[:at] + changed + body[at + 2 + size :])]


def versions(data: bytes) -> Any:
    """Put another supported_versions in."""
    return bend.put(CH, m.SUPPORTED_VERSIONS, data)


def offered(public: bytes, group: int = keys.X25519) -> Any:
    """Offer one share."""
    return bend.put(CH, m.KEY_SHARE, m.client_shares([(group, public)]))


def unknown_groups(forge: Any) -> None:
    """Offer a group and a share that nobody knows, first."""

    def change(_peer: Any, hello: m.ClientHello) -> None:
        hello.put(m.SUPPORTED_GROUPS, b"\0\x04\x1a\x1a\0\x1d")
        shares = [(0x1A1A, b"x"), *hello.shares()]
        hello.put(m.KEY_SHARE, m.client_shares(shares))

    forge.on(CH, change)


HELLOS = [
    *(
        bad(
            "4.1.2",
            f"compression methods {methods.hex()}",
            bend.fields(CH, compression=methods),
        )
        for methods in (b"\x01", b"\x00\x01", b"\x01\x00", b"\x00\x00")
    ),
    bad(
        "4.1.2",
        "no compression method",
        bend.fields(CH, compression=b""),
        (ILLEGAL, DECODE),
    ),
    bad(
        "4.1.2",
        "session id of 33 octets",
        bend.fields(CH, session_id=bytes(33)),
        DECODE,
    ),
    bad(
        "4.1.2",
        "session id of 255 octets",
        bend.fields(CH, session_id=bytes(255)),
        DECODE,
    ),
    bad("4.1.2", "no suites", bend.fields(CH, suites=[]), DECODE),
    bad("4.1.2", "odd list of suites", bend.on(CH, odd_suites), DECODE),
    bad(
        "4.1.1",
        "no common suite",
        bend.fields(CH, suites=[0x1304, 0xC02B, 0x1A1A]),
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
    ),
    bad("4.1.2", "octet behind the body", bend.trailing(CH), DECODE),
    bad(
        "4.1.2",
        "empty",
        bend.swap(CH, m.CLIENT_HELLO, b""),
        DECODE,
        p.SSL_R_LENGTH_TOO_SHORT,
    ),
    bad(
        "4.2.1",
        "no extension block",
        bend.on(CH, no_block),
        VERSION,
        p.SSL_R_UNSUPPORTED_PROTOCOL,
    ),
    bad(
        "4.2.1",
        "no supported_versions",
        bend.drop(CH, m.SUPPORTED_VERSIONS),
        VERSION,
        p.SSL_R_UNSUPPORTED_PROTOCOL,
    ),
    bad(
        "4.2.1",
        "no supported_versions and legacy_version 0x0304",
        bend.both(
            bend.drop(CH, m.SUPPORTED_VERSIONS),
            bend.fields(CH, version=0x0304),
        ),
        VERSION,
    ),
    bad(
        "4.2.1",
        "TLS 1.2 only",
        versions(b"\x02\x03\x03"),
        VERSION,
        p.SSL_R_UNSUPPORTED_PROTOCOL,
    ),
    bad(
        "4.2.1",
        "unknown versions only",
        versions(b"\x06\x1a\x1a\x03\x05\x7f\x1c"),
        VERSION,
        p.SSL_R_UNSUPPORTED_PROTOCOL,
    ),
    bad("D.5", "SSL 3.0", bend.fields(CH, version=0x0300), VERSION),
    *(
        bad(
            "4.2.1",
            f"supported_versions {data.hex() or 'empty'}",
            versions(data),
            DECODE,
        )
        for data in (
            b"",
            b"\0",
            b"\x01\x03",
            b"\x03\x03\x04\x03",
            b"\x02\x03\x04\0",
            b"\x04\x03\x04",
        )
    ),
    *(
        bad("4.2", f"extension {kind} twice", bend.double(CH, kind))
        for kind in (
            m.SERVER_NAME,
            m.SUPPORTED_VERSIONS,
            m.SUPPORTED_GROUPS,
            m.SIGNATURE_ALGORITHMS,
            m.KEY_SHARE,
        )
    ),
    bad(
        "4.2",
        "unknown extension twice",
        bend.both(bend.put(CH, 0x1234, b""), bend.double(CH, 0x1234)),
    ),
    bad(
        "4.2",
        "far apart unknown extensions twice",
        bend.on(
            CH,
            lambda h: h.extensions.extend(
                [(0x2000 + i, b"") for i in range(300)] + [(0x2000, b"")]
            ),
        ),
    ),
    bad(
        "4.2.2",
        "cookie that nobody gave",
        bend.put(CH, m.COOKIE, b"\0\x01x"),
        ILLEGAL,
        p.SSL_R_COOKIE_MISMATCH,
    ),
    *(
        bad(
            "4.2.2",
            f"cookie {data.hex() or 'empty'}",
            bend.put(CH, m.COOKIE, data),
            DECODE,
        )
        for data in (b"", b"\0\0", b"\0\x02x")
    ),
    *(
        bad(
            "4.2",
            f"server_name {data.hex() or 'empty'}",
            bend.put(CH, m.SERVER_NAME, data),
            (DECODE, ILLEGAL),
        )
        for data in (
            b"",
            b"\0\0",
            b"\0\x03\0\0\0",
            b"\0\x04\0\0\x02x",
            b"\0\x04\0\0\x01x\0",
            b"\0\x02\0\0",
            b"\0\x04\x01\0\x01x",
            b"\0\x08" + b"\0\0\x01x" * 2,
        )
    ),
    *(
        # RFC 6066 3: a name that cannot be one.
        bad(
            "4.2",
            f"server_name {name}",
            bend.put(CH, m.SERVER_NAME, m.server_name(data)),
            (DECODE, ILLEGAL, 112),
        )
        for name, data in (("with a zero", b"a\0b"), ("long", b"a" * 256))
    ),
    *(
        bad(
            "4.2",
            f"ALPN {data.hex() or 'empty'}",
            bend.put(CH, m.ALPN, data),
            DECODE,
        )
        for data in (
            b"",
            b"\0\0",
            b"\0\x01\0",
            b"\0\x03\x03h2",
            b"\0\x03\x02h2\0",
            b"\0\x04\x02h2\0",
        )
    ),
    *(
        bad(
            "4.2.4",
            f"certificate_authorities {data.hex() or 'empty'}",
            bend.put(CH, m.CERTIFICATE_AUTHORITIES, data),
            DECODE,
        )
        for data in (b"", b"\0\0", b"\0\x02\0\0", b"\0\x03\0\x01x\0")
    ),
    bad("4.2.5", "oid_filters", bend.put(CH, m.OID_FILTERS, b"\0\0")),
    bad(
        "4.2.3",
        "no signature_algorithms",
        bend.drop(CH, m.SIGNATURE_ALGORITHMS),
        MISSING,
        p.SSL_R_MISSING_SIGALGS_EXTENSION,
    ),
    bad(
        "4.2.3",
        "no common scheme",
        bend.put(CH, m.SIGNATURE_ALGORITHMS, b"\0\x04\x1a\x1a\x08\x04"),
        FAILURE,
        p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
    ),
    bad(
        "4.4.3",
        "PKCS1 and SHA-1 schemes only",
        bend.put(CH, m.SIGNATURE_ALGORITHMS, b"\0\x04\x04\x01\x02\x01"),
        FAILURE,
        p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
        wishes={"kind": "rsa"},
    ),
    *(
        bad(
            "4.2.3",
            f"signature_algorithms {data.hex() or 'empty'}",
            bend.put(CH, m.SIGNATURE_ALGORITHMS, data),
            DECODE,
        )
        for data in (b"", b"\0\0", b"\0\x01\x04", b"\0\x02\x04\x03\0")
    ),
    *(
        bad(
            "4.2.3",
            f"signature_algorithms_cert {data.hex() or 'empty'}",
            bend.put(CH, m.SIGNATURE_ALGORITHMS_CERT, data),
            DECODE,
        )
        for data in (b"", b"\0\0", b"\0\x01\x04", b"\0\x02\x04\x03\0")
    ),
    bad(
        "9.2",
        "no supported_groups",
        bend.drop(CH, m.SUPPORTED_GROUPS),
        MISSING,
    ),
    bad("9.2", "no key_share", bend.drop(CH, m.KEY_SHARE), MISSING),
    bad(
        "9.2",
        "neither supported_groups nor key_share",
        bend.drop(CH, m.SUPPORTED_GROUPS, m.KEY_SHARE),
        MISSING,
    ),
    bad(
        "4.1.1",
        "no common group",
        bend.both(
            bend.put(CH, m.SUPPORTED_GROUPS, b"\0\x04\x1a\x1a\x01\0"),
            bend.put(CH, m.KEY_SHARE, b"\0\0"),
        ),
        FAILURE,
        p.SSL_R_NO_SUITABLE_KEY_SHARE,
    ),
    bad(
        "4.1.1",
        "no common group but a share",
        bend.both(
            bend.put(CH, m.SUPPORTED_GROUPS, b"\0\x02\x01\0"),
            bend.put(CH, m.KEY_SHARE, m.client_shares([(0x0100, b"x" * 256)])),
        ),
        FAILURE,
        p.SSL_R_NO_SUITABLE_KEY_SHARE,
    ),
    *(
        bad(
            "4.2.7",
            f"supported_groups {data.hex() or 'empty'}",
            bend.put(CH, m.SUPPORTED_GROUPS, data),
            DECODE,
        )
        for data in (b"", b"\0\0", b"\0\x01\0", b"\0\x02\0\x1d\0")
    ),
    bad(
        "4.2.8",
        "two shares of one group",
        bend.on(
            CH, lambda h: h.put(m.KEY_SHARE, m.client_shares(h.shares() * 2))
        ),
    ),
    bad(
        "4.2.8",
        "share of a group not listed",
        bend.put(CH, m.SUPPORTED_GROUPS, b"\0\x02\0\x17"),
    ),
    bad("4.2.8", "empty share", offered(b""), DECODE),
    *(
        bad(
            "4.2.8.2",
            f"X25519 share of {size} octets",
            offered(b"\x09" * size),
        )
        for size in (1, 31, 33, 64)
    ),
    bad("7.4.2", "X25519 share of zeros", offered(bytes(32))),
    bad(
        "7.4.2",
        "X25519 share of order two",
        offered(b"\x01" + bytes(31)),
    ),
    *(
        bad(
            "4.2.8",
            f"key_share {data.hex() or 'empty'}",
            bend.put(CH, m.KEY_SHARE, data),
            DECODE,
        )
        for data in (
            b"",
            b"\0",
            b"\0\x01\0",
            b"\0\0\0",
            b"\0\x04\0\x1d\0\x01",
            b"\0\x02\0\x1d",
            b"\0\x1d",
        )
    ),
]


def points() -> list[Case]:
    """Give rows of shares for P-256 that are no valid points."""
    good = keys.Share(keys.P256).public
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    wrong = bytearray(good)
    wrong[-1] ^= 1
    shares = {
        "off the curve": bytes(wrong),
        "infinity": b"\0",
        "infinity padded": bytes(65),
        "compressed": bytes([2 + (good[-1] & 1)]) + good[1:33],
        "hybrid": bytes([6 + (good[-1] & 1)]) + good[1:],
        "without form octet": good[1:],
        "cut": good[:-1],
        "long": good + b"\0",
        "y of p": good[:33] + prime.to_bytes(32, "big"),
        "zeros": b"\x04" + bytes(64),
    }
    return [
        bad(
            "4.2.8.2",
            f"P-256 point {name}",
            bend.both(
                bend.put(CH, m.SUPPORTED_GROUPS, b"\0\x02\0\x17"),
                offered(share, keys.P256),
            ),
        )
        for name, share in shares.items()
    ]


@table([*HELLOS, *points()])
def test_server_given_a_wrong_client_hello_aborts_in_the_clear(
    case: Case,
) -> None:
    check(case, as_server=True)


@table(
    [
        Case(
            "4.2.1",
            "legacy_version 0x0304",
            bend.fields(CH, version=0x0304),
        ),
        Case(
            "4.2.1",
            "legacy_version 0x0301",
            bend.fields(CH, version=0x0301),
        ),
        Case(
            "4.2.1",
            "unknown versions too",
            versions(b"\x08\x1a\x1a\x03\x05\x03\x04\x03\x03"),
        ),
        Case("4.1.2", "empty session id", bend.fields(CH, session_id=b"")),
        Case("4.1.2", "short session id", bend.fields(CH, session_id=b"x")),
        Case(
            "4.1.2",
            "unknown suites too",
            bend.on(
                CH,
                lambda h: h.suites.__setitem__(slice(0, 0), [0x1A1A, 0x00FF]),
            ),
        ),
        Case(
            "4.1.2",
            "unknown extensions",
            bend.on(
                CH,
                lambda h: h.extensions.__setitem__(
                    slice(0, 0), [(0x1A1A, b""), (0xFFFF, b"x" * 999)]
                ),
            ),
        ),
        Case(
            "4.4.2.1",
            "status_request_v2",
            bend.put(CH, 17, b"\0\x07\x02\0\x04\0\0\0\0"),
        ),
        Case(
            "4.2.7",
            "unknown groups and shares too",
            unknown_groups,
        ),
        Case("4.2.8", "no shares", forge=AGAIN),
        Case("4.2.8", "several shares", forge={"shares": [0x1D, 0x17, 0x18]}),
    ]
)
def test_server_given_an_unusual_client_hello_completes(case: Case) -> None:
    check(case, as_server=True)


@clause("RFC 8446 6", "HS-18", "HS-22")
@pytest.mark.parametrize("name", [CH, CH2])
def test_server_given_a_client_hello_cut_anywhere_is_decode_error(
    name: str,
) -> None:
    order: dict[str, Any] = {"shares": []} if name == CH2 else {}

    def ready() -> ForgeClient:
        return ForgeClient(**order)

    forge = ready()
    probe = server(forge)

    def run() -> None:
        forge.start()
        probe.deliver()
        probe.handshake()

    size = bend.size_of(name, forge, run)
    before_extensions = size - len(m.block(forge.hello.extensions))
    for at in range(size):
        forge = ready()
        bend.cut(name, at)(forge)
        victim = server(forge)
        forge.start()
        victim.deliver()
        result = victim.handshake()
        alert: Any = DECODE
        if at == before_extensions:
            # Without extensions it offers TLS 1.2 (4.1.2); the second hello
            # then is not the first either.
            alert = VERSION if name == CH else (VERSION, ILLEGAL, MISSING)
        refused(victim, result, alert, None, CLEAR)


@clause("RFC 8446 4.1.2", "HS-18")
def test_server_given_a_client_hello_once_connected_aborts() -> None:
    # TLS 1.3 has no renegotiation.
    case = Case(
        "4.1.2",
        "second hello",
        alert=UNEXPECTED,
        reason=p.SSL_R_UNEXPECTED_MESSAGE,
        epoch=APPLICATION,
        late=lambda forge: forge.send(bytes(forge.hello)),
    )
    check(case, as_server=True)
