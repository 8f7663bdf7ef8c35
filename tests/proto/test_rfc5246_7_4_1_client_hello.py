"""RFC 5246 7.4.1.2 and its kin: what a server of TLS 1.2 makes of a hello."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import ForgeClient12, bend, messages as m, messages12 as m12
from tests.forge.keys12 import FALLBACK_SCSV, RENEGOTIATION_SCSV, SUITES
from tests.forge.victim import (
    DECODE,
    FAILURE,
    FALLBACK,
    ILLEGAL,
    UNEXPECTED,
    VERSION,
    Case12,
    check,
    make,
    refused,
    table,
)

CH = "client_hello"


def fields(**values: Any) -> Any:
    """Give fields of the hello other values."""
    return bend.fields(CH, **values)


def put(kind: int, data: bytes) -> Any:
    """Give the hello an extension, or another content of it."""
    return bend.put(CH, kind, data)


def suites(*more: int) -> Any:
    """Offer more suites."""
    return bend.on(CH, lambda found: found.suites.extend(more))


def without_block(found: Any) -> Any:
    """End the hello before its extensions."""
    found.extensions = None


VERSIONS = [
    *(
        Case12(
            "5246 E.1",
            f"version {version:#06x}",
            fields(version=version),
            VERSION,
            p.SSL_R_UNSUPPORTED_PROTOCOL,
        )
        for version in (0x0302, 0x0301, 0x0300, 0x0200, 0x0002, 0x0000)
    ),
    Case12(
        "7507 3",
        "fallback from TLS 1.3",
        suites(FALLBACK_SCSV),
        FALLBACK,
        p.SSL_R_INAPPROPRIATE_FALLBACK,
        wishes={"version": 0},
    ),
]

SHAPES = [
    Case12(
        "5246 7.4.1.2",
        "session id of 33",
        fields(session_id=bytes(33)),
        DECODE,
    ),
    Case12("5246 7.4.1.2", "no suites", fields(suites=[]), DECODE),
    Case12("5246 7.4.1.2", "no compression", fields(compression=b""), DECODE),
    Case12(
        "5246 7.4.1.2",
        "no null compression",
        fields(compression=b"\x01"),
        ILLEGAL,
        p.SSL_R_INVALID_COMPRESSION_ALGORITHM,
    ),
    Case12(
        "5246 7.4.1.2", "octet behind the block", bend.trailing(CH), DECODE
    ),
    Case12(
        "5246 7.4.1.2",
        "odd length of suites",
        bend.body(CH, lambda b: b[:35] + b"\0\x03\xc0\x2b\xc0\x01\0"),
        DECODE,
    ),
    Case12(
        "5246 7.4.1.4",
        "extension twice",
        bend.double(CH, m.SUPPORTED_GROUPS),
        ILLEGAL,
        p.SSL_R_BAD_EXTENSION,
    ),
    Case12(
        "5246 7.4.1.4",
        "unknown extension twice",
        bend.both(
            put(0x1234, b""), bend.on(CH, lambda found: found.double(0x1234))
        ),
        ILLEGAL,
        p.SSL_R_BAD_EXTENSION,
    ),
    Case12(
        "5246 7.4.1.4.1", "empty list of schemes", put(13, b"\0\0"), DECODE
    ),
    Case12(
        "5246 7.4.1.4.1",
        "odd list of schemes",
        put(13, b"\0\x03\4\3\4"),
        DECODE,
    ),
    Case12(
        "5246 7.4.1.4.1",
        "short list of schemes",
        put(13, b"\0\x04\4\3"),
        DECODE,
    ),
    Case12("5246 7.4.1.4.1", "no octets of schemes", put(13, b""), DECODE),
    Case12("8422 5.1.1", "empty list of groups", put(10, b"\0\0"), DECODE),
    Case12(
        "8422 5.1.1", "odd list of groups", put(10, b"\0\x03\0\x1d\0"), DECODE
    ),
    Case12("8422 5.1.1", "no octets of groups", put(10, b""), DECODE),
    Case12("8422 5.1.2", "no octets of formats", put(11, b""), DECODE),
    Case12("8422 5.1.2", "empty list of formats", put(11, b"\0"), DECODE),
    Case12("8422 5.1.2", "octet behind formats", put(11, b"\x01\0\0"), DECODE),
    Case12("8422 5.1.2", "short list of formats", put(11, b"\x02\0"), DECODE),
    Case12(
        "8422 5.1.2",
        "formats without the uncompressed",
        put(11, b"\x02\x01\x02"),
        ILLEGAL,
        p.SSL_R_TLS_INVALID_ECPOINTFORMAT_LIST,
    ),
    Case12(
        "7627 5.1", "extended_master_secret not empty", put(23, b"\0"), DECODE
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
        "5746 3.2", "short renegotiation_info", put(0xFF01, b"\x02\0"), DECODE
    ),
    Case12(
        "5746 3.6",
        "renegotiation_info not empty",
        put(0xFF01, b"\x0c" + bytes(12)),
        FAILURE,
        p.SSL_R_RENEGOTIATION_MISMATCH,
    ),
    Case12(
        "5746 3.6",
        "renegotiation_info not empty beside the suite",
        bend.both(
            put(0xFF01, b"\x0c" + bytes(12)), suites(RENEGOTIATION_SCSV)
        ),
        FAILURE,
        p.SSL_R_RENEGOTIATION_MISMATCH,
    ),
    Case12("6066 3", "empty list of names", put(0, b"\0\0"), DECODE),
    Case12("6066 3", "empty name", put(0, b"\0\x03\0\0\0"), DECODE),
    Case12("7301 3.1", "empty list of protocols", put(16, b"\0\0"), DECODE),
    Case12("7301 3.1", "empty protocol", put(16, b"\0\x01\0"), DECODE),
]

NOTHING_SHARED = [
    Case12(
        "5246 7.4.1.3",
        "no common suite",
        fields(suites=[0x002F, 0xC013]),
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
    ),
    Case12(
        "5246 7.4.1.3",
        "suites of TLS 1.3 alone",
        fields(suites=[0x1301, 0x1302, 0x1303]),
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
    ),
    Case12(
        "5246 7.4.2",
        "suites of RSA alone for a key of ECDSA",
        fields(suites=[n for n, one in SUITES.items() if one.rsa]),
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
    ),
    Case12(
        "5246 7.4.2",
        "suites of ECDSA alone for a key of RSA",
        fields(suites=[n for n, one in SUITES.items() if not one.rsa]),
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
        wishes={"kind": "rsa"},
    ),
    Case12(
        "5246 7.4.1.4.1",
        "no common scheme",
        put(13, b"\0\x02\x02\x03"),
        FAILURE,
    ),
    Case12(
        "5246 7.4.1.4.1",
        "schemes of RSA alone for a key of ECDSA",
        put(13, b"\0\x02\x04\x01"),
        FAILURE,
    ),
    Case12(
        "5246 7.4.1.4.1",
        "no schemes, which means SHA-1",
        bend.drop(CH, 13),
        FAILURE,
    ),
    Case12(
        "5246 7.4.1.2", "no extensions", bend.on(CH, without_block), FAILURE
    ),
    Case12(
        "8422 4",
        "no common group",
        put(10, b"\0\x02\0\x0e"),
        FAILURE,
    ),
    Case12(
        "8422 5.1.1",
        "curve of the certificate not among the groups",
        put(10, b"\0\x02\0\x1d"),
        FAILURE,
    ),
]


@table([*VERSIONS, *SHAPES, *NOTHING_SHARED])
def test_server12_given_a_wrong_client_hello_aborts(case: Case12) -> None:
    check(case, as_server=True)


COMPLETES = [
    *(
        Case12("5246 E.1", f"version {version:#06x}", fields(version=version))
        for version in (0x0304, 0x0305, 0x03FF)
    ),
    Case12("7507 3", "fallback to the best version", suites(FALLBACK_SCSV)),
    Case12("5246 7.4.1.2", "more compression", fields(compression=b"\1\0\2")),
    Case12("5246 7.4.1.2", "unknown suites", suites(0x0A0A, 0xFFFE, 0)),
    Case12("5246 7.4.1.4", "unknown extension", put(0x1234, b"any")),
    Case12("8422 5.1.2", "no formats", bend.drop(CH, 11)),
    Case12("8422 5.1.2", "more formats", put(11, b"\x03\x02\x01\0")),
    Case12("8422 4", "no groups", bend.drop(CH, 10)),
    Case12("5746 3.6", "no renegotiation_info", bend.drop(CH, 0xFF01)),
    Case12("5746 3.6", "suite and extension", suites(RENEGOTIATION_SCSV)),
    Case12(
        "5746 3.6",
        "suite alone",
        bend.both(bend.drop(CH, 0xFF01), suites(RENEGOTIATION_SCSV)),
    ),
    Case12("7627 5.2", "no extended_master_secret", forge={"extended": False}),
    Case12("5077 3.4", "ticket that nobody gave", forge={"ticket": b"t" * 99}),
    Case12(
        "5246 7.4.1.2",
        "session id that nobody knows",
        fields(session_id=b"s" * 32),
    ),
]


@table(COMPLETES)
def test_server12_given_an_odd_client_hello_completes(case: Case12) -> None:
    forge = check(case, as_server=True).forge
    secure = (
        forge.hello.has(0xFF01) or RENEGOTIATION_SCSV in forge.hello.suites
    )
    assert forge.answer.has(m12.RENEGOTIATION_INFO) == secure
    assert forge.extended == forge.hello.has(m12.EXTENDED_MASTER_SECRET)
    assert forge.answer.has(m12.POINT_FORMATS) == forge.hello.has(11)
    assert not forge.resumed


@clause("RFC 5246 7.4.1.2")
@pytest.mark.parametrize("with_block", [True, False])
def test_server12_given_a_client_hello_cut_anywhere_is_decode_error(
    with_block: bool,
) -> None:
    def shape(forge: Any) -> None:
        if not with_block:
            forge.on(CH, lambda _peer, found: without_block(found))

    size = len(ForgeClient12().hello.body())
    if not with_block:
        size = 34 + 1 + 2 + 2 * len(SUITES) + 2
    ends = range(size)
    for at in ends:
        if with_block and at == 34 + 1 + 2 + 2 * len(SUITES) + 2:
            continue  # a hello without extensions
        case = Case12(
            "5246 7.4.1.2",
            "cut",
            bend.both(shape, bend.cut(CH, at)),
            DECODE,
        )
        victim = make(case, as_server=True)
        refused(victim, victim.handshake(), DECODE, epoch="clear")


@clause("RFC 8446 4.1.3")
@pytest.mark.parametrize("version", [0, p.TLS1_2_VERSION])
def test_server12_marks_its_random_if_it_knows_tls13(version: int) -> None:
    case = Case12("8446 4.1.3", "mark", wishes={"version": version})
    forge = check(case, as_server=True).forge
    marked = forge.answer.random[24:] == m.DOWNGRADE_12
    assert marked == (version == 0)
    assert forge.answer.random[24:] != m.DOWNGRADE_11


@clause("RFC 5246 7.4.1.3", "RFC 8422 5.2")
def test_server12_answers_what_was_asked_and_nothing_else() -> None:
    asked = Case12("5246 7.4.1.3", "plain", forge={"ticket": b""})
    answer = check(asked, as_server=True).forge.answer
    kinds = [kind for kind, _ in answer.extensions]
    assert sorted(kinds) == [11, 23, 35, 0xFF01]
    assert answer.get(11) == b"\x01\0"
    assert answer.get(0xFF01) == b"\0"
    assert answer.get(23) == answer.get(35) == b""
    assert (answer.version, answer.compression) == (0x0303, 0)
    forge = {"extended": False, "secure": False}
    bare = Case12(
        "5246 7.4.1.3", "bare", bend.drop(CH, 0, 11), None, forge=forge
    )
    answer = check(bare, as_server=True).forge.answer
    assert answer.extensions == []


@clause("RFC 5246 7.4.1.2", "RFC 5246 7.2.2")
def test_server12_given_a_second_client_hello_in_the_handshake_aborts() -> (
    None
):
    case = Case12(
        "5246 7.4.1.2",
        "again",
        bend.on(
            "client_key_exchange",
            lambda found: [m.ClientHello(suites=[0xC02B])],
        ),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    )
    check(case, as_server=True)
    assert links.reasons() == []


@clause("RFC 7627 5.2")
def test_server12_with_the_option_takes_no_extended_master_secret() -> None:
    case = Case12("7627 5.2", "option")
    case.prepare = lambda ssl: p.SSL_set_options(
        ssl, p.SSL_OP_NO_EXTENDED_MASTER_SECRET
    )
    forge = check(case, as_server=True).forge
    assert forge.hello.has(m12.EXTENDED_MASTER_SECRET)
    assert not forge.answer.has(m12.EXTENDED_MASTER_SECRET)
