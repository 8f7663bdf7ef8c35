"""RFC 5246 7.4.1.3 and its kin: what a client makes of a ServerHello."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import ForgeServer12, bend, messages as m
from tests.forge.keys import random_bytes
from tests.forge.victim import (
    DECODE,
    FAILURE,
    ILLEGAL,
    UNSUPPORTED,
    VERSION,
    Case12,
    check,
    client,
    make,
    refused,
    table,
)
from tests.pki import ca

SH = "server_hello"
BOTH = {"version": 0}


def fields(**values: Any) -> Any:
    """Give fields of the hello other values."""
    return bend.fields(SH, **values)


def put(kind: int, data: bytes) -> Any:
    """Give the hello an extension, or another content of it."""
    return bend.put(SH, kind, data)


def without_block(found: Any) -> Any:
    """End the hello before its extensions."""
    found.extensions = None


def echo(forge: Any) -> None:
    """Say that a session is resumed which nobody has."""
    forge.on(
        SH,
        lambda peer, found: setattr(
            found, "session_id", peer.hello.session_id
        ),
    )


def legacy_connect(ssl: p.SSL) -> None:
    """Allow servers without secure renegotiation."""
    p.SSL_set_options(ssl, p.SSL_OP_LEGACY_SERVER_CONNECT)


def no_tickets(ssl: p.SSL) -> None:
    """Do not ask for tickets."""
    p.SSL_set_options(ssl, p.SSL_OP_NO_TICKET)


def not_extended(ssl: p.SSL) -> None:
    """Do without the extended master secret."""
    p.SSL_set_options(ssl, p.SSL_OP_NO_EXTENDED_MASTER_SECRET)


def alpn(ssl: p.SSL) -> None:
    """Offer two protocols."""
    assert p.SSL_set_alpn_protos(ssl, b"\x02h2\x03foo") == 0


FIXED = [
    *(
        Case12(
            "5246 E.1",
            f"version {version:#06x}",
            fields(version=version),
            VERSION,
            p.SSL_R_UNSUPPORTED_PROTOCOL,
        )
        for version in (0x0302, 0x0301, 0x0300, 0x0000, 0x0304, 0x0305)
    ),
    *(
        Case12(
            "5246 E.1",
            f"version {version:#06x} to a client of both",
            fields(version=version),
            VERSION,
            p.SSL_R_UNSUPPORTED_PROTOCOL,
            wishes=BOTH,
        )
        for version in (0x0302, 0x0304)
    ),
    Case12(
        "5246 7.4.1.3",
        "session id of 33",
        fields(session_id=bytes(33)),
        DECODE,
    ),
    Case12(
        "8446 D.4",
        "made-up session id echoed",
        echo,
        ILLEGAL,
        p.SSL_R_INVALID_SESSION_ID,
        wishes=BOTH,
    ),
    *(
        Case12(
            "5246 7.4.1.3",
            f"suite {suite:#06x} not offered",
            fields(suite=suite),
            ILLEGAL,
            p.SSL_R_WRONG_CIPHER_RETURNED,
        )
        for suite in (0x0000, 0x002F, 0xC009, 0x009C, 0x1301, 0x00FF, 0x5600)
    ),
    Case12(
        "5246 7.4.1.3",
        "suite of TLS 1.3",
        fields(suite=0x1301),
        ILLEGAL,
        p.SSL_R_WRONG_CIPHER_RETURNED,
        wishes=BOTH,
    ),
    *(
        Case12(
            "5246 7.4.1.3",
            f"compression {one}",
            fields(compression=one),
            ILLEGAL,
            p.SSL_R_INVALID_COMPRESSION_ALGORITHM,
        )
        for one in (1, 64, 255)
    ),
    Case12(
        "5246 7.4.1.3", "octet behind the block", bend.trailing(SH), DECODE
    ),
    *(
        Case12(
            "8446 4.1.3",
            f"downgrade mark {mark[7]}",
            fields(random=random_bytes(24) + mark),
            ILLEGAL,
            p.SSL_R_INAPPROPRIATE_FALLBACK,
            wishes=BOTH,
        )
        for mark in (m.DOWNGRADE_11, m.DOWNGRADE_12)
    ),
]

EXTENSIONS = [
    *(
        Case12(
            "5246 7.4.1.4",
            f"extension {kind} not asked for",
            put(kind, data),
            UNSUPPORTED,
            p.SSL_R_UNSOLICITED_EXTENSION,
        )
        for kind, data in (
            (1, b"\x01"),
            (5, b""),
            (15, b"\x01"),
            (16, b"\0\x03\x02h2"),
            (18, b"\0\x03\0\x01x"),
            (41, b"\0\0"),
            (44, b"\0\x01x"),
            (0x1234, b""),
            (13172, b""),
        )
    ),
    Case12(
        "7627 5.1",
        "extended_master_secret not asked for",
        put(23, b""),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
        prepare=not_extended,
    ),
    Case12(
        "5077 3.2",
        "session_ticket not asked for",
        put(35, b""),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
        prepare=no_tickets,
    ),
    *(
        Case12(
            "8446 4.2",
            f"extension {kind} of another message",
            put(kind, data),
            ILLEGAL,
            p.SSL_R_BAD_EXTENSION,
            wishes=BOTH,
        )
        for kind, data in (
            (13, b"\0\x02\4\3"),
            (45, b"\x01\x01"),
            (51, b"\0\x1d"),
        )
    ),
    *(
        Case12(
            "5246 7.4.1.4",
            f"extension {kind} twice",
            bend.double(SH, kind),
            ILLEGAL,
            p.SSL_R_BAD_EXTENSION,
        )
        for kind in (11, 23, 0xFF01)
    ),
    Case12("8422 5.2", "empty list of formats", put(11, b"\0"), DECODE),
    Case12("8422 5.2", "no octets of formats", put(11, b""), DECODE),
    Case12("8422 5.2", "octet behind formats", put(11, b"\x01\0\0"), DECODE),
    Case12(
        "8422 5.1.2",
        "formats without the uncompressed",
        put(11, b"\x01\x01"),
        ILLEGAL,
        p.SSL_R_TLS_INVALID_ECPOINTFORMAT_LIST,
    ),
    Case12(
        "7627 5.1", "extended_master_secret not empty", put(23, b"\0"), DECODE
    ),
    Case12("5077 3.2", "session_ticket not empty", put(35, b"t"), DECODE),
    Case12("6066 3", "server_name not empty", put(0, b"\0"), DECODE),
    Case12(
        "5746 3.4",
        "no renegotiation_info",
        bend.drop(SH, 0xFF01),
        FAILURE,
        p.SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
    ),
    Case12(
        "5746 3.4",
        "no extensions",
        bend.on(SH, without_block),
        FAILURE,
        p.SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
    ),
    Case12(
        "5746 3.4",
        "renegotiation_info not empty",
        put(0xFF01, b"\x18" + bytes(24)),
        FAILURE,
        p.SSL_R_RENEGOTIATION_MISMATCH,
    ),
    Case12(
        "5746 3.4",
        "renegotiation_info not empty under the option",
        put(0xFF01, b"\x01\0"),
        FAILURE,
        p.SSL_R_RENEGOTIATION_MISMATCH,
        prepare=legacy_connect,
    ),
    Case12(
        "5746 3.2", "no octets of renegotiation_info", put(0xFF01, b""), DECODE
    ),
    Case12(
        "5746 3.2",
        "octet behind renegotiation_info",
        put(0xFF01, b"\0\0"),
        DECODE,
    ),
    Case12(
        "7301 3.1",
        "two protocols",
        put(16, b"\0\x07\x02h2\x03foo"),
        ILLEGAL,
        p.SSL_R_BAD_EXTENSION,
        prepare=alpn,
    ),
    Case12(
        "7301 3.1",
        "protocol not offered",
        put(16, b"\0\x04\x03bar"),
        ILLEGAL,
        p.SSL_R_BAD_EXTENSION,
        prepare=alpn,
    ),
    Case12(
        "7301 3.1",
        "empty protocol",
        put(16, b"\0\x01\0"),
        DECODE,
        prepare=alpn,
    ),
    Case12("7301 3.1", "no protocol", put(16, b"\0\0"), DECODE, prepare=alpn),
]


@table([*FIXED, *EXTENSIONS])
def test_client12_given_a_wrong_server_hello_aborts(case: Case12) -> None:
    check(case, as_server=False)


COMPLETES = [
    Case12(
        "5746 4.1",
        "no renegotiation_info under the option",
        bend.drop(SH, 0xFF01),
        prepare=legacy_connect,
    ),
    Case12(
        "5746 4.1",
        "no extensions under the option",
        bend.on(SH, without_block),
        prepare=legacy_connect,
        forge={"extended": False},
    ),
    Case12("7627 5.2", "no extended_master_secret", forge={"extended": False}),
    Case12("7627 5.2", "option against it", prepare=not_extended),
    Case12("8422 5.2", "no formats", bend.drop(SH, 11)),
    Case12("8422 5.2", "more formats", put(11, b"\x03\x01\x02\0")),
    Case12("8422 4", "groups echoed", put(10, b"\0\x02\0\x17")),
    Case12("5246 7.4.1.3", "session id of 1", fields(session_id=b"i")),
    Case12(
        "8446 4.1.3",
        "mark to a client of TLS 1.2",
        fields(random=random_bytes(24) + m.DOWNGRADE_12),
    ),
    Case12("8446 4.1.3", "no mark to a client of both", wishes=BOTH),
    Case12("7301 3.2", "protocol", put(16, b"\0\x03\x02h2"), prepare=alpn),
]


@table(COMPLETES)
def test_client12_given_an_odd_server_hello_completes(case: Case12) -> None:
    victim = check(case, as_server=False)
    assert p.SSL_version(victim.ssl) == p.TLS1_2_VERSION


@clause("RFC 5246 7.4.1.3")
def test_client12_given_a_server_hello_cut_anywhere_is_decode_error() -> None:
    forge = ForgeServer12(ca.leaf(), session_id=b"i" * 32)
    size = bend.size_of(
        SH, forge, client(forge, version=p.TLS1_2_VERSION).handshake
    )
    for at in range(size):
        if at == 2 + 32 + 1 + 32 + 2 + 1:
            continue  # a hello without extensions
        case = Case12(
            "5246 7.4.1.3",
            "cut",
            bend.cut(SH, at),
            forge={"session_id": b"i" * 32},
        )
        victim = make(case, as_server=False)
        refused(victim, victim.handshake(), DECODE, epoch="clear")


@clause("RFC 5246 7.4.1.2", "RFC 7627 5.1", "RFC 5746 3.4", "RFC 8422 4")
@pytest.mark.parametrize("version", [p.TLS1_2_VERSION, 0])
def test_client12_hello_is_as_the_rfcs_want_it(version: int) -> None:
    forge = ForgeServer12(ca.leaf())
    victim = client(forge, version=version)
    assert victim.handshake() == (1, 0), links.reasons()
    hello = forge.hello
    kinds = [kind for kind, _ in hello.extensions]
    assert len(kinds) == len(set(kinds))
    assert hello.version == 0x0303
    assert hello.compression == b"\0"
    assert hello.get(23) == b""
    assert hello.get(35) == b""
    assert hello.get(11) == b"\x01\0"
    assert hello.get(0xFF01) == b"\0"
    schemes = m.numbers(hello.get(13)[2:])
    assert not {0x0101, 0x0201, 0x0203, 0x0202} & set(schemes)
    assert m.numbers(hello.get(10)[2:])
    assert (hello.session_id == b"") == (version != 0)
    assert (0x002B in kinds) == (version == 0)


@clause("RFC 7507 4")
@pytest.mark.parametrize("fallback", [False, True])
def test_client12_says_that_it_falls_back(fallback: bool) -> None:
    def prepare(ssl: p.SSL) -> None:
        if fallback:
            p.SSL_set_mode(ssl, p.SSL_MODE_SEND_FALLBACK_SCSV)

    forge = ForgeServer12(ca.leaf())
    victim = client(forge, prepare, version=p.TLS1_2_VERSION)
    assert victim.handshake() == (1, 0), links.reasons()
    assert (0x5600 in forge.hello.suites) == fallback
