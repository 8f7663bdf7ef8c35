"""RFC 8446 4.1.3, 4.1.4: a client and the ServerHellos it must refuse."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import ForgeServer, bend, keys, messages as m
from tests.forge.victim import (
    CLEAR,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    MISSING,
    SEALED,
    UNEXPECTED,
    VERSION,
    Case,
    check,
    client,
    connected,
    refused,
    table,
    works,
)
from tests.pki import ca

SH, HRR = "server_hello", "retry"
RETRY: dict[str, Any] = {"retry": keys.P384}
COOKIE: dict[str, Any] = {"cookie": b"cookie"}


def bad(rfc: str, name: str, how: Any, *rest: Any, **more: Any) -> Case:
    """Give a row whose alert goes out in the clear."""
    alert, reason = (*rest, None, None)[:2]
    return Case(rfc, name, how, alert or ILLEGAL, reason, CLEAR, **more)


def old(random_end: bytes = b"") -> Any:
    """Make a ServerHello of TLS 1.2, with the last octets of random."""

    def change(found: m.ServerHello) -> None:
        found.extensions = [(0xFF01, b"\0")]
        found.suite = 0xC02B
        if random_end:
            found.random = found.random[: -len(random_end)] + random_end

    return bend.on(SH, change)


def no_block(found: m.ServerHello) -> list[m.Raw]:
    """Leave the extension block out altogether."""
    body = found.body()
    size = len(m.block(found.extensions))
    return [m.Raw(m.SERVER_HELLO, body[:-size])]


def other_share(group: int, public: bytes) -> Any:
    """Put another share into the ServerHello."""
    return bend.put(SH, m.KEY_SHARE, m.server_share(group, public))


SERVER_HELLOS = [
    bad(
        "4.1.3",
        "session id not echoed",
        bend.fields(SH, session_id=b"x" * 32),
        ILLEGAL,
        p.SSL_R_INVALID_SESSION_ID,
    ),
    bad("4.1.3", "session id left out", bend.fields(SH, session_id=b"")),
    bad(
        "4.1.3",
        "session id cut",
        bend.on(SH, lambda s: setattr(s, "session_id", s.session_id[:-1])),
    ),
    bad(
        "4.1.3",
        "session id of 33 octets",
        bend.fields(SH, session_id=bytes(33)),
        (DECODE, ILLEGAL),
    ),
    *(
        bad(
            "4.1.3",
            f"suite {suite:04x} not offered",
            bend.fields(SH, suite=suite),
            ILLEGAL,
            p.SSL_R_WRONG_CIPHER_RETURNED,
        )
        for suite in (0, 0x00FF, 0x1304, 0x1A1A, 0xC02B, 0xFFFF)
    ),
    bad(
        "4.1.3",
        "suite known but not offered",
        bend.fields(SH, suite=keys.CHACHA),
        ILLEGAL,
        p.SSL_R_WRONG_CIPHER_RETURNED,
        prepare=lambda ssl: p.SSL_set_ciphersuites(
            ssl, "TLS_AES_128_GCM_SHA256"
        ),
    ),
    *(
        bad(
            "4.1.3",
            f"compression {method}",
            bend.fields(SH, compression=method),
        )
        for method in (1, 64, 255)
    ),
    bad("4.1.3", "TLS 1.2", old(), VERSION),
    bad("4.1.3", "no extension block", bend.on(SH, no_block), VERSION),
    bad(
        "4.1.3",
        "downgrade marker of TLS 1.2",
        old(m.DOWNGRADE_12),
        ILLEGAL,
        p.SSL_R_INAPPROPRIATE_FALLBACK,
    ),
    bad(
        "4.1.3",
        "downgrade marker of TLS 1.1",
        old(m.DOWNGRADE_11),
        ILLEGAL,
        p.SSL_R_INAPPROPRIATE_FALLBACK,
    ),
    bad(
        "4.1.3",
        "downgrade marker and TLS 1.0",
        bend.both(old(m.DOWNGRADE_11), bend.fields(SH, version=0x0301)),
        ILLEGAL,
        p.SSL_R_INAPPROPRIATE_FALLBACK,
    ),
    bad(
        "4.1.3",
        "TLS 1.1",
        bend.both(old(), bend.fields(SH, version=0x0302)),
        VERSION,
    ),
    bad(
        "D.5",
        "SSL 3.0",
        bend.both(old(), bend.fields(SH, version=0x0300)),
        VERSION,
    ),
    bad("4.1.3", "octet behind the body", bend.trailing(SH), DECODE),
    bad("4.1.3", "empty", bend.swap(SH, m.SERVER_HELLO, b""), DECODE),
    *(
        bad(
            "4.2.1",
            f"version {version.hex()} selected",
            bend.put(SH, m.SUPPORTED_VERSIONS, version),
        )
        for version in (
            b"\x03\x00",
            b"\x03\x03",
            b"\x03\x05",
            b"\x7f\x1c",
            b"\x1a\x1a",
        )
    ),
    *(
        bad(
            "4.2.1",
            f"supported_versions {data.hex() or 'empty'}",
            bend.put(SH, m.SUPPORTED_VERSIONS, data),
            DECODE,
        )
        for data in (b"", b"\x03", b"\x03\x04\0")
    ),
    bad(
        "4.2.8",
        "no key_share",
        bend.drop(SH, m.KEY_SHARE),
        MISSING,
    ),
    bad(
        "4.2.8",
        "share of a group offered without share",
        other_share(keys.P256, keys.Share(keys.P256).public),
    ),
    bad(
        "4.2.8",
        "share of a group not offered",
        other_share(keys.P384, keys.Share(keys.P384).public),
        prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "X25519:P-256"),
    ),
    bad("4.2.8", "share of an unknown group", other_share(0x1A1A, b"x")),
    bad("4.2.8", "share of group 0", other_share(0, bytes(32))),
    bad("4.2.8", "empty share", other_share(keys.X25519, b""), DECODE),
    *(
        bad(
            "4.2.8.2",
            f"X25519 share of {size} octets",
            other_share(keys.X25519, b"\x09" * size),
        )
        for size in (1, 31, 33, 64)
    ),
    bad(
        "7.4.2",
        "X25519 share of zeros",
        other_share(keys.X25519, bytes(32)),
    ),
    bad(
        "7.4.2",
        "X25519 share of order two",
        other_share(keys.X25519, b"\x01" + bytes(31)),
    ),
    bad(
        "4.2.8",
        "list of shares",
        bend.on(
            SH,
            lambda s: s.put(m.KEY_SHARE, m.vec(2, s.get(m.KEY_SHARE))),
        ),
        (DECODE, ILLEGAL),
    ),
    bad(
        "4.2.8",
        "share as in a retry",
        bend.put(SH, m.KEY_SHARE, m.u16(keys.X25519)),
        DECODE,
    ),
    bad(
        "4.2.8",
        "octet behind the share",
        bend.on(SH, lambda s: s.put(m.KEY_SHARE, s.get(m.KEY_SHARE) + b"\0")),
        DECODE,
    ),
]


def invalid_points() -> list[tuple[str, bytes]]:
    """Give shares for P-256 that are no valid points."""
    good = keys.Share(keys.P256).public
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    wrong = bytearray(good)
    wrong[-1] ^= 1
    return [
        ("off the curve", bytes(wrong)),
        ("infinity", b"\0"),
        ("infinity padded", bytes(65)),
        ("compressed", bytes([2 + (good[-1] & 1)]) + good[1:33]),
        ("hybrid", bytes([6 + (good[-1] & 1)]) + good[1:]),
        ("without form octet", good[1:]),
        ("cut", good[:-1]),
        ("long", good + b"\0"),
        ("x of p", b"\x04" + prime.to_bytes(32, "big") + good[33:]),
        ("zeros", b"\x04" + bytes(64)),
        ("form alone", b"\x04"),
    ]


POINTS = [
    bad(
        "4.2.8.2",
        f"P-256 point {name}",
        other_share(keys.P256, point),
        prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "P-256"),
    )
    for name, point in invalid_points()
]


@table([*SERVER_HELLOS, *POINTS])
def test_client_given_a_wrong_server_hello_aborts_in_the_clear(
    case: Case,
) -> None:
    check(case, as_server=False)


@table(
    [
        # RFC 8446 4.2.1: with supported_versions the field is ignored.
        Case(
            "4.2.1",
            "legacy_version 0x0304",
            bend.fields(SH, version=0x0304),
        ),
        Case(
            "4.2.1",
            "legacy_version 0x0301",
            bend.fields(SH, version=0x0301),
        ),
        # RFC 8446 4.1.3: the marker counts for TLS 1.2 and older only.
        Case(
            "4.1.3",
            "downgrade marker and TLS 1.3",
            bend.on(
                SH,
                lambda s: setattr(s, "random", s.random[:24] + m.DOWNGRADE_12),
            ),
        ),
        Case(
            "4.2",
            "extensions in another order",
            bend.on(SH, lambda s: s.extensions.reverse()),
        ),
        Case(
            "4.1.2",
            "empty session id",
            prepare=lambda ssl: p.SSL_clear_options(
                ssl, p.SSL_OP_ENABLE_MIDDLEBOX_COMPAT
            ),
        ),
    ]
)
def test_client_given_an_unusual_server_hello_completes(case: Case) -> None:
    check(case, as_server=False)


EXTENSIONS = [
    bad(
        "4.2",
        "unknown extension",
        bend.put(SH, 0x1234, b""),
        110,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    bad("4.2", "GREASE extension", bend.put(SH, 0x1A1A, b"x"), 110),
    *(
        bad(
            "4.2",
            f"extension {kind} of another message",
            bend.put(SH, kind, data),
        )
        for kind, data in (
            (m.SERVER_NAME, b""),
            (m.SUPPORTED_GROUPS, b"\0\x02\0\x1d"),
            (m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03"),
        )
    ),
    *(
        # Known, of another message, and not offered: either rule applies.
        bad(
            "4.2",
            f"extension {kind} not offered",
            bend.put(SH, kind, data),
            (110, ILLEGAL),
        )
        for kind, data in (
            (m.STATUS_REQUEST, b""),
            (m.ALPN, m.protocols([b"h2"])),
            (m.PRE_SHARED_KEY, b"\0\0"),
            (m.EARLY_DATA, b""),
            (m.COOKIE, b"\0\x01x"),
            (m.PSK_MODES, b"\x01\x01"),
            (m.CERTIFICATE_AUTHORITIES, b"\0\0"),
            (m.POST_HANDSHAKE_AUTH, b""),
        )
    ),
    bad(
        "4.2",
        "supported_versions twice",
        bend.double(SH, m.SUPPORTED_VERSIONS),
    ),
    bad("4.2", "key_share twice", bend.double(SH, m.KEY_SHARE)),
    bad(
        "4.2",
        "extension longer than the block",
        bend.body(SH, lambda body: body[:-38] + b"\0\xff" + body[-36:]),
        DECODE,
    ),
]


@table(EXTENSIONS)
def test_client_given_wrong_extensions_in_a_server_hello_aborts(
    case: Case,
) -> None:
    check(case, as_server=False)


@clause("RFC 8446 5.1", "HS-18")
@pytest.mark.parametrize("more", [b"\x08\0\0\x02\0\0", b"\x08", b"\x14\0\0"])
def test_client_given_octets_behind_server_hello_in_its_record_aborts(
    more: bytes,
) -> None:
    case = Case(
        "5.1",
        "not aligned",
        bend.on(
            SH,
            lambda s: [
                lambda peer: (
                    peer.schedule.add(bytes(s)),
                    peer.clear(22, bytes(s) + more),
                )
            ],
        ),
        UNEXPECTED,
        p.SSL_R_NOT_ON_RECORD_BOUNDARY,
        (CLEAR, HANDSHAKE),
    )
    check(case, as_server=False)


@clause("RFC 8446 6", "HS-18", "HS-22")
def test_client_given_a_server_hello_cut_anywhere_is_decode_error() -> None:
    forge = ForgeServer(ca.leaf())
    size = bend.size_of(SH, forge, client(forge).handshake)
    before_extensions = 2 + 32 + 1 + 32 + 2 + 1
    for at in range(size):
        forge = ForgeServer(ca.leaf())
        bend.cut(SH, at)(forge)
        victim = client(forge)
        result = victim.handshake()
        # Without extensions it is a TLS 1.2 ServerHello (4.1.3).
        alert = VERSION if at == before_extensions else DECODE
        refused(victim, result, alert, None, CLEAR)


# ---- HelloRetryRequest -------------------------------------------------


def again(forge: Any) -> None:
    """Ask for another ClientHello once more."""

    def second(peer: Any, _hello: m.ServerHello) -> list[m.ServerHello]:
        return [
            m.ServerHello(
                random=m.RETRY_RANDOM,
                session_id=peer.hellos[-1].session_id,
                suite=peer.schedule.suite.number,
                extensions=[
                    (m.SUPPORTED_VERSIONS, b"\x03\x04"),
                    (m.COOKIE, b"\0\x01x"),
                ],
            )
        ]

    forge.on(SH, second)


def retried(rfc: str, name: str, how: Any, *rest: Any, **more: Any) -> Case:
    """Give a row with a HelloRetryRequest that names P-384."""
    return bad(rfc, name, how, *rest, forge={**RETRY, **more})


RETRIES = [
    retried(
        "4.1.4",
        "second retry",
        again,
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
    retried(
        "4.1.4",
        "no change asked for",
        bend.drop(HRR, m.KEY_SHARE),
        ILLEGAL,
        p.SSL_R_NO_CHANGE_FOLLOWING_HRR,
    ),
    retried(
        "4.2.8",
        "group whose share was sent",
        bend.put(HRR, m.KEY_SHARE, m.u16(keys.X25519)),
    ),
    retried(
        "4.2.8",
        "unknown group",
        bend.put(HRR, m.KEY_SHARE, m.u16(0x1A1A)),
    ),
    bad(
        "4.2.8",
        "group known but not offered",
        bend.put(HRR, m.KEY_SHARE, m.u16(keys.P521)),
        forge=RETRY,
        prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "X25519:P-384"),
    ),
    *(
        retried(
            "4.2.8",
            f"key_share of {len(data)} octets",
            bend.put(HRR, m.KEY_SHARE, data),
            DECODE,
        )
        for data in (b"", b"\0", b"\0\x18\0", b"\0\x18\0\x01x")
    ),
    retried(
        "4.1.4",
        "unknown extension",
        bend.put(HRR, 0x1234, b""),
        110,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    *(
        retried(
            "4.2",
            f"extension {kind} of another message",
            bend.put(HRR, kind, data),
        )
        for kind, data in (
            (m.SERVER_NAME, b""),
            (m.SUPPORTED_GROUPS, b"\0\x02\0\x18"),
            (m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03"),
        )
    ),
    retried(
        "4.2",
        "extension not offered",
        bend.put(HRR, m.EARLY_DATA, b""),
        (110, ILLEGAL),
    ),
    retried("4.2", "key_share twice", bend.double(HRR, m.KEY_SHARE)),
    retried(
        "4.2",
        "cookie twice",
        bend.double(HRR, m.COOKIE),
        cookie=b"cookie",
    ),
    retried(
        "4.2",
        "supported_versions twice",
        bend.double(HRR, m.SUPPORTED_VERSIONS),
    ),
    retried(
        "4.1.4",
        "no supported_versions",
        bend.drop(HRR, m.SUPPORTED_VERSIONS),
        (MISSING, VERSION, ILLEGAL),
    ),
    *(
        retried(
            "4.2.1",
            f"version {version.hex()} selected",
            bend.put(HRR, m.SUPPORTED_VERSIONS, version),
        )
        for version in (b"\x03\x03", b"\x03\x05")
    ),
    retried(
        "4.1.4",
        "session id not echoed",
        bend.fields(HRR, session_id=b"x" * 32),
    ),
    *(
        retried(
            "4.1.4",
            f"suite {suite:04x} not offered",
            bend.fields(HRR, suite=suite),
            ILLEGAL,
            p.SSL_R_WRONG_CIPHER_RETURNED,
        )
        for suite in (0x1304, 0xC02B)
    ),
    retried("4.1.4", "compression", bend.fields(HRR, compression=1)),
    retried("4.2.2", "empty cookie", bend.put(HRR, m.COOKIE, b"\0\0"), DECODE),
    retried("4.2.2", "cookie cut", bend.put(HRR, m.COOKIE, b"\0\x02x"), 50),
    retried(
        "4.2.2",
        "octet behind the cookie",
        bend.put(HRR, m.COOKIE, b"\0\x01xy"),
        DECODE,
    ),
    retried("4.1.4", "octet behind the body", bend.trailing(HRR), DECODE),
    retried(
        "4.1.4",
        "another suite in the server_hello",
        bend.fields(SH, suite=keys.AES_256),
        ILLEGAL,
        suite=keys.AES_128,
    ),
    retried(
        "4.1.4",
        "another version in the server_hello",
        bend.put(SH, m.SUPPORTED_VERSIONS, b"\x03\x03"),
    ),
    retried(
        "4.2.8",
        "share of the first group in the server_hello",
        other_share(keys.X25519, keys.Share(keys.X25519).public),
    ),
    retried(
        "4.2.8",
        "share of a third group in the server_hello",
        other_share(keys.P256, keys.Share(keys.P256).public),
    ),
    retried(
        "4.1.3",
        "session id not echoed by the server_hello",
        bend.fields(SH, session_id=b"x" * 32),
    ),
    retried(
        "4.2",
        "cookie in the server_hello",
        bend.put(SH, m.COOKIE, b"\0\x01x"),
        (ILLEGAL, 110),
    ),
]


@table(RETRIES)
def test_client_given_a_wrong_retry_aborts(case: Case) -> None:
    check(case, as_server=False)


@clause("RFC 8446 6", "HS-18", "HS-22")
def test_client_given_a_retry_cut_anywhere_is_decode_error() -> None:
    order = {**RETRY, **COOKIE}
    forge = ForgeServer(ca.leaf(), **order)
    size = bend.size_of(HRR, forge, client(forge).handshake)
    before_extensions = 2 + 32 + 1 + 32 + 2 + 1
    for at in range(size):
        forge = ForgeServer(ca.leaf(), **order)
        bend.cut(HRR, at)(forge)
        victim = client(forge)
        result = victim.handshake()
        # A retry without supported_versions breaks two rules at once.
        choice = (DECODE, VERSION, MISSING, ILLEGAL)
        alert = choice if at == before_extensions else DECODE
        refused(victim, result, alert, None, CLEAR)


@clause("RFC 8446 4.1.2", "RFC 8446 4.2.2", "RFC 8446 4.2.8")
@pytest.mark.parametrize(
    ("group", "cookie"),
    [
        (keys.P256, b""),
        (keys.P384, b""),
        (keys.P521, b"c"),
        (keys.P256, b"c" * 4000),
        (None, b"c" * 200),
    ],
)
def test_client_asked_to_retry_changes_only_what_it_may(
    group: int | None, cookie: bytes
) -> None:
    forge = ForgeServer(ca.leaf(), retry=group, cookie=cookie)
    victim = client(forge)
    assert victim.handshake() == (1, 0)
    works(victim)

    first, second = forge.hellos
    expected = [e for e in first.extensions if e[0] != m.KEY_SHARE]
    found = [
        e
        for e in second.extensions
        if e[0] not in (m.KEY_SHARE, m.COOKIE, m.PADDING)
    ]
    assert found == [e for e in expected if e[0] != m.PADDING]
    assert second.random == first.random
    assert second.session_id == first.session_id
    assert second.suites == first.suites
    assert second.compression == first.compression == b"\0"
    assert not first.has(m.COOKIE)
    assert second.has(m.COOKIE) == bool(cookie)
    if cookie:
        assert second.get(m.COOKIE) == m.vec(2, cookie)
    wanted = [group] if group else [g for g, _ in first.shares()]
    assert [g for g, _ in second.shares()] == wanted


@table(
    [
        Case(
            "4.1.4",
            "legacy_version",
            bend.fields(HRR, version=0x0301),
            forge=RETRY,
        ),
        Case("5", "no change_cipher_spec", forge={**RETRY, **COOKIE}),
    ]
)
def test_client_given_an_unusual_retry_completes(case: Case) -> None:
    check(case, as_server=False)


@clause("RFC 8446 4.1.3", "RFC 5246 7.3", "RW-28")
@pytest.mark.parametrize("version", [0x0304, 0x0303])
def test_client12_once_connected_given_a_server_hello_aborts(
    version: int,
) -> None:
    # Nobody renegotiates, so it is astray whatever version it chooses.
    victim = connected(as_server=False, old=True)
    hello = m.ServerHello(suite=keys.AES_128)
    hello.put(m.SUPPORTED_VERSIONS, m.u16(version))
    public = keys.Share(keys.X25519).public
    hello.put(m.KEY_SHARE, m.server_share(keys.X25519, public))
    victim.forge.send(bytes(hello))
    victim.forge.flush()
    _, result = victim.read()
    reason = p.SSL_R_UNEXPECTED_MESSAGE
    refused(victim, result, UNEXPECTED, reason, SEALED)
