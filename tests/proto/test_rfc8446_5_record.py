"""RFC 8446 5: records that a peer must not send, to both sides."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api import links
from tests.clauses import clause
from tests.forge import ForgeClient, bend, messages as m
from tests.forge.victim import (
    APPLICATION,
    BAD_MAC,
    CLEAR,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    OVERFLOW,
    SIDES,
    UNEXPECTED,
    Case,
    check,
    connected,
    make,
    refused,
    table,
    works,
)

CCS, ALERT, RECORD, DATA = 20, 21, 22, 23
MESSAGE = p.SSL_R_UNEXPECTED_MESSAGE
MAC = p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
LONG_CLEAR = p.SSL_R_PACKET_LENGTH_TOO_LONG
LONG_SEALED = p.SSL_R_ENCRYPTED_LENGTH_TOO_LONG
MIXED = p.SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA
BOUNDARY = p.SSL_R_NOT_ON_RECORD_BOUNDARY

# Where the forge's own protected messages begin, for either side under test.
FIRST = {False: "encrypted_extensions", True: "finished"}
HELLO = {False: "server_hello", True: "client_hello"}


def record(kind: int, data: bytes) -> Any:
    """Send a record as the state has it."""
    return lambda peer: peer.record(kind, data)


def clear(kind: int, data: bytes = b"x", **header: Any) -> Any:
    """Send a record in the clear."""
    return lambda peer: peer.clear(kind, data, **header)


def inner(octets: bytes, **header: Any) -> Any:
    """Seal a whole TLSInnerPlaintext."""
    return lambda peer: peer.sealed(octets, **header)


def mangled(change: Any) -> Any:
    """Seal a handshake record and change its octets."""

    def act(peer: Any) -> None:
        whole = peer.sealer.seal(b"\x08\0\0\x02\0\0" + bytes([RECORD]))
        peer.raw(change(whole))

    return act


def cut_to(size: int) -> Any:
    """Cut the body of a sealed record and tell so in its header."""

    def change(whole: bytes) -> bytes:
        return whole[:3] + size.to_bytes(2, "big") + whole[5 : 5 + size]

    return mangled(change)


def skipped(peer: Any) -> None:
    """Leave out one sequence number."""
    peer.sealer.seq += 1
    peer.record(DATA, b"x")


def repeated(peer: Any) -> None:
    """Send one record twice."""
    whole = peer.sealer.seal(b"\x18\0\0\x01\0" + bytes([DATA]))
    peer.raw(whole * 2)


def wrong_key(peer: Any) -> None:
    """Take the key of the next generation."""
    peer.sealer = peer.sealer.updated()
    peer.record(DATA, b"x")


def inside(kind: int, data: bytes) -> Any:
    """Send a record between the fragments of a message that fits."""

    def act(peer: Any) -> None:
        begin = m.ENCRYPTED_EXTENSIONS if peer.server else m.FINISHED
        if peer.done or peer.sealer.epoch == "application":
            begin = m.KEY_UPDATE
        peer.record(RECORD, bytes([begin]))
        peer.record(kind, data)

    return act


# What goes out before a side's first protected message: (rfc, name, action,
# alert, reason).
SEALED = [
    ("5", "unknown inner type 24", record(24, b"x"), UNEXPECTED, None),
    ("5", "unknown inner type 99", record(99, b"x"), UNEXPECTED, None),
    ("5", "unknown inner type 255", record(255, b""), UNEXPECTED, None),
    ("5", "protected dummy", record(CCS, b"\1"), UNEXPECTED, None),
    ("5", "protected dummy 2", record(CCS, b"\2"), UNEXPECTED, None),
    ("5", "unknown type in the clear", clear(99), UNEXPECTED, None),
    ("5", "type 0 in the clear", clear(0), UNEXPECTED, None),
    ("5", "dummy of value 2", clear(CCS, b"\2"), UNEXPECTED, None),
    ("5", "dummy of value 0", clear(CCS, b"\0"), UNEXPECTED, None),
    ("5", "dummy of two octets", clear(CCS, b"\1\1"), UNEXPECTED, None),
    ("5", "dummy of no octet", clear(CCS, b""), UNEXPECTED, None),
    (
        "5.1",
        "handshake in the clear",
        clear(RECORD, b"\x08\0\0\x02\0\0"),
        UNEXPECTED,
        MESSAGE,
    ),
    (
        "4.4.4",
        "application data too early",
        record(DATA, b"x"),
        UNEXPECTED,
        MESSAGE,
    ),
    (
        "4.4.4",
        "empty application data too early",
        record(DATA, b""),
        UNEXPECTED,
        MESSAGE,
    ),
    ("5.4", "empty handshake record", record(RECORD, b""), UNEXPECTED, None),
    (
        "5.4",
        "empty handshake record with padding",
        inner(bytes([RECORD]) + bytes(100)),
        UNEXPECTED,
        None,
    ),
    ("5.4", "one zero", inner(b"\0"), UNEXPECTED, None),
    ("5.4", "zeros", inner(bytes(500)), UNEXPECTED, None),
    ("5.4", "largest record of zeros", inner(bytes(16385)), UNEXPECTED, None),
    ("5.1", "data inside a message", inside(DATA, b"x"), UNEXPECTED, MIXED),
    ("5.1", "alert inside a message", inside(ALERT, b"\1Z"), 10, MIXED),
    ("5.1", "dummy inside a message", inside(CCS, b"\1"), UNEXPECTED, MIXED),
    (
        "5.1",
        "dummy in the clear inside a message",
        lambda peer: (inside(RECORD, b"\0")(peer), peer.ccs()),
        UNEXPECTED,
        None,
    ),
    (
        "5.2",
        "plaintext of 2^14 + 2",
        inner(bytes([RECORD]) * 16386),
        OVERFLOW,
        None,
    ),
    (
        "5.2",
        "padding up to 2^14 + 2",
        inner(bytes([RECORD]) * 9 + bytes(16386 - 9)),
        OVERFLOW,
        None,
    ),
    (
        "5.2",
        "ciphertext of 2^14 + 256",
        inner(bytes([RECORD]) * (16384 + 240)),
        OVERFLOW,
        None,
    ),
    (
        "5.2",
        "ciphertext of 2^14 + 257",
        inner(bytes([RECORD]) * (16384 + 241)),
        OVERFLOW,
        LONG_SEALED,
    ),
    (
        "5.2",
        "header that announces 65535",
        lambda peer: peer.raw(b"\x17\3\3\xff\xff"),
        OVERFLOW,
        LONG_SEALED,
    ),
    (
        "5.1",
        "header in the clear that announces 2^14 + 1",
        lambda peer: peer.raw(b"\x16\3\3\x40\x01"),
        OVERFLOW,
        LONG_CLEAR,
    ),
    *(
        (
            "5.2",
            f"octet {at} changed",
            mangled(
                lambda w, at=at: w[:at] + bytes([w[at] ^ 1]) + w[at + 1 :]
            ),
            BAD_MAC,
            MAC,
        )
        for at in (5, 10, 12, 27)
    ),
    (
        "5.2",
        "version in the header changed",
        mangled(lambda w: w[:2] + b"\1" + w[3:]),
        BAD_MAC,
        MAC,
    ),
    *(
        ("5.2", f"{n} octets", cut_to(n), BAD_MAC, MAC)
        for n in (0, 1, 15, 16, 17, 22)
    ),
    ("5.2", "sequence number left out", skipped, BAD_MAC, MAC),
    ("5.2", "wrong key", wrong_key, BAD_MAC, MAC),
]


def before_first(rows: Any, *, as_server: bool) -> list[Case]:
    """Send each before the first protected message."""
    return [
        Case(
            rfc,
            name,
            lambda forge, act=act: forge.before(FIRST[as_server], act),
            alert,
            reason,
            APPLICATION if as_server else HANDSHAKE,
        )
        for rfc, name, act, alert, reason in rows
    ]


# A server that could not be understood may answer so before it has keys; a
# client that has them takes no alert in the clear.
CLIENT_ONLY = [
    ("6", "alert in the clear", clear(ALERT, b"\2\x28"), UNEXPECTED, MESSAGE),
    ("6.1", "close_notify in the clear", clear(ALERT, b"\1\0"), 10, MESSAGE),
]


@table(before_first([*SEALED, *CLIENT_ONLY], as_server=False))
def test_client_given_a_wrong_protected_record_aborts(case: Case) -> None:
    check(case, as_server=False)


@table(before_first(SEALED, as_server=True))
def test_server_given_a_wrong_protected_record_aborts(case: Case) -> None:
    check(case, as_server=True)


CONNECTED = [
    *(
        (rfc, name, act, alert, reason)
        for rfc, name, act, alert, reason in SEALED
        if rfc != "4.4.4"
    ),
    ("5.2", "one record twice", repeated, BAD_MAC, None),
    ("5", "dummy after the handshake", clear(CCS, b"\1"), UNEXPECTED, None),
    (
        "6",
        "alert in the clear",
        clear(ALERT, b"\2\x28"),
        UNEXPECTED,
        MESSAGE,
    ),
    (
        "6.1",
        "close_notify in the clear",
        clear(ALERT, b"\1\0"),
        UNEXPECTED,
        MESSAGE,
    ),
]


@SIDES
@table(
    Case(rfc, name, None, alert, reason, APPLICATION, late=act)
    for rfc, name, act, alert, reason in CONNECTED
)
def test_connection_given_a_wrong_record_aborts(
    case: Case, as_server: bool
) -> None:
    check(case, as_server=as_server)


# Records in the clear, before any key.
FIRST_RECORDS = [
    ("5", "unknown type 24", clear(24), UNEXPECTED, None),
    ("5", "unknown type 99", clear(99), UNEXPECTED, None),
    ("5", "type 0", clear(0), UNEXPECTED, None),
    ("5", "type 255", clear(255), UNEXPECTED, None),
    ("5.1", "application data", clear(DATA), UNEXPECTED, MESSAGE),
    ("5.1", "empty handshake", clear(RECORD, b""), UNEXPECTED, None),
    ("5", "dummy of value 2", clear(CCS, b"\2"), UNEXPECTED, None),
    ("5", "dummy of two octets", clear(CCS, b"\1\1"), UNEXPECTED, None),
    ("5", "dummy of no octet", clear(CCS, b""), UNEXPECTED, None),
    (
        "5.1",
        "2^14 + 1 octets",
        clear(RECORD, bytes(16385)),
        OVERFLOW,
        LONG_CLEAR,
    ),
    (
        "5.1",
        "header that announces 65535",
        lambda peer: peer.raw(b"\x16\3\3\xff\xff"),
        OVERFLOW,
        LONG_CLEAR,
    ),
    (
        "5.1",
        "alert inside a message",
        lambda peer: (peer.clear(RECORD, b"\2\0"), peer.clear(ALERT, b"\1Z")),
        UNEXPECTED,
        MIXED,
    ),
    (
        "5.1",
        "dummy inside a message",
        lambda peer: (peer.clear(RECORD, b"\2\0"), peer.clear(CCS, b"\1")),
        UNEXPECTED,
        None,
    ),
    (
        "5.1",
        "empty fragment inside a message",
        lambda peer: (peer.clear(RECORD, b"\2\0"), peer.clear(RECORD, b"")),
        UNEXPECTED,
        None,
    ),
]


def before_hello(*, as_server: bool) -> list[Case]:
    """Send each before the hello; a message begins with the right type."""

    def fitting(act: Any) -> Any:
        if not as_server:
            return act
        return lambda peer: act(_AsClient(peer))

    return [
        Case(
            rfc,
            name,
            lambda forge, act=act: forge.before(
                HELLO[as_server], fitting(act)
            ),
            alert,
            reason,
            CLEAR,
        )
        for rfc, name, act, alert, reason in FIRST_RECORDS
    ]


class _AsClient:
    """Turns the first octets of a ServerHello into a ClientHello's."""

    def __init__(self, peer: ForgeClient) -> None:
        self.peer = peer

    def clear(self, kind: int, data: bytes, **header: Any) -> None:
        """Send a record in the clear."""
        if data == b"\2\0":
            data = b"\1\0"
        self.peer.clear(kind, data, **header)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.peer.raw(data)


@table(before_hello(as_server=False))
def test_client_given_a_wrong_first_record_aborts(case: Case) -> None:
    check(case, as_server=False)


@table(before_hello(as_server=True))
def test_server_given_a_wrong_first_record_aborts(case: Case) -> None:
    check(case, as_server=True)


@clause("RFC 8446 5", "HS-18")
def test_server_given_a_dummy_before_any_hello_aborts() -> None:
    check(
        Case(
            "5",
            "too early",
            lambda f: f.before("client_hello", clear(CCS, b"\1")),
            UNEXPECTED,
            None,
            CLEAR,
        ),
        as_server=True,
    )


# ---- what is allowed -----------------------------------------------------


def shaped(**shape: Any) -> Any:
    """Set how the forge cuts its records."""

    def bend_it(forge: Any) -> None:
        for name, value in shape.items():
            setattr(forge, name, value)

    return bend_it


def versioned(version: int) -> Any:
    """Put another version into the header of the hello's record."""

    def send(peer: Any, found: Any) -> list[Any]:
        whole = bytes(found)
        peer.schedule.add(whole)
        return [lambda q: q.clear(RECORD, whole, version=version)]

    return lambda forge: forge.on(HELLO[not forge.server], send)


def sealed_version(forge: Any) -> None:
    """Put another version into the headers of protected records."""
    plain = type(forge).sealed

    def sealed(octets: bytes, **header: Any) -> None:
        plain(forge, octets, **{"version": 0x0301, **header})

    forge.sealed = sealed


def dummies(forge: Any) -> None:
    """Send dummies at every place where one may stand."""
    for name in (
        "server_hello",
        "encrypted_extensions",
        "certificate",
        "certificate_verify",
        "finished",
    ):
        forge.before(name, lambda peer: peer.ccs())


ALLOWED = [
    Case("5.1", "all in few records", shaped(coalesce=True)),
    Case("5.1", "an octet a record", shaped(fragment=1)),
    Case("5.1", "cut in sevens", shaped(fragment=7, coalesce=True)),
    Case("5.4", "padding", shaped(padding=300)),
    Case(
        "5.4",
        "an octet a record with padding",
        shaped(fragment=1, padding=3),
    ),
    Case("5", "dummies", dummies),
    *(
        Case("5.1", f"hello in a record of version {v:04x}", versioned(v))
        for v in (0x0301, 0x0302, 0x0304, 0x03FF)
    ),
    Case("5.2", "protected records of version 0301", sealed_version),
]


@SIDES
@table(ALLOWED)
def test_handshake_in_unusual_records_completes(
    case: Case, as_server: bool
) -> None:
    check(case, as_server=as_server)


@SIDES
@clause("RFC 8446 5.4", "RW-5")
def test_data_with_padding_and_empty_records_arrives(as_server: bool) -> None:
    victim = connected(as_server=as_server)
    forge = victim.forge
    forge.record(DATA, b"")
    forge.record(DATA, b"a", padding=100)
    forge.record(DATA, b"", padding=16384)
    forge.record(DATA, b"b" * 16384)
    forge.record(DATA, b"c" * 84, padding=16300)
    data, result = victim.read()
    assert data == b"a" + b"b" * 16384 + b"c" * 84
    assert result == (-1, p.SSL_ERROR_WANT_READ)
    works(victim)


@SIDES
@clause("RFC 8446 5.1", "RW-5")
def test_empty_records_do_not_last_for_ever(as_server: bool) -> None:
    # They are allowed; a peer that sends nothing else is held off.
    victim = connected(as_server=as_server)
    for _ in range(30):
        victim.forge.record(DATA, b"")
    victim.forge.record(DATA, b"x")
    data, _ = victim.read()
    assert data == b"x"
    for _ in range(1000):
        victim.forge.record(DATA, b"")
    _, result = victim.read()
    refused(victim, result, UNEXPECTED, None, APPLICATION)


@SIDES
@clause("RFC 8446 D.4")
def test_dummies_do_not_last_for_ever(as_server: bool) -> None:
    def many(peer: Any) -> None:
        for _ in range(1000):
            peer.ccs()

    check(
        Case(
            "D.4",
            "many",
            lambda forge: forge.before(FIRST[as_server], many),
            UNEXPECTED,
            None,
            APPLICATION if as_server else HANDSHAKE,
        ),
        as_server=as_server,
    )


# ---- key changes ---------------------------------------------------------


def with_more(name: str, more: bytes) -> Any:
    """Put octets behind a message in its record, under its keys."""

    def send(peer: Any, found: Any) -> list[Any]:
        whole = bytes(found)
        peer.schedule.add(whole)
        return [lambda q: q.record(RECORD, whole + more)]

    return lambda forge: forge.on(name, send)


TICKET = bytes(m.NewSessionTicket())


@table(
    [
        Case(
            "5.1",
            f"{name} behind finished",
            with_more("finished", more),
            UNEXPECTED,
            BOUNDARY,
            (HANDSHAKE, APPLICATION),
        )
        for name, more in (
            ("a ticket", TICKET),
            ("an octet", TICKET[:1]),
            ("a key update", bytes(m.KeyUpdate(0))),
        )
    ]
)
def test_client_given_octets_behind_finished_in_its_record_aborts(
    case: Case,
) -> None:
    check(case, as_server=False)


@table(
    [
        *(
            Case(
                "5.1",
                f"{name} behind client_hello",
                with_more("client_hello", more),
                UNEXPECTED,
                (BOUNDARY, MESSAGE),
                (CLEAR, HANDSHAKE, APPLICATION),
            )
            for name, more in (
                ("an octet", b"\x14"),
                ("a finished", bytes(m.Finished(bytes(32)))),
                ("a hello", bytes(ForgeClient().hello)),
            )
        ),
        *(
            Case(
                "5.1",
                f"{name} behind finished",
                with_more("finished", more),
                UNEXPECTED,
                BOUNDARY,
                APPLICATION,
            )
            for name, more in (
                ("an octet", b"\x18"),
                ("a key update", bytes(m.KeyUpdate(0))),
            )
        ),
    ]
)
def test_server_given_octets_behind_a_message_before_new_keys_aborts(
    case: Case,
) -> None:
    check(case, as_server=True)


@SIDES
@clause("RFC 8446 5.1", "HS-18")
def test_second_finished_under_handshake_keys_does_not_open(
    as_server: bool,
) -> None:
    # Its second copy does not count for the forge's own keys either.
    def again(peer: Any, found: Any) -> list[Any]:
        return [found, lambda q: q.record(RECORD, bytes(found))]

    case = Case("5.1", "twice", lambda forge: forge.on("finished", again))
    victim = make(case, as_server=as_server)
    assert victim.handshake() == (1, 0)
    _, result = victim.read()
    refused(victim, result, BAD_MAC, MAC, APPLICATION)


@SIDES
@clause("RFC 8446 5.1", "HS-18")
@pytest.mark.parametrize("size", [200000, 0xFFFFFF])
def test_hello_longer_than_any_is_refused_before_it_came(
    as_server: bool, size: int
) -> None:
    name = HELLO[as_server]
    check(
        Case(
            "5.1",
            "long",
            bend.on(
                name,
                lambda found: [m.Raw(found.kind, found.body(), size)],
            ),
            (ILLEGAL, DECODE),
            p.SSL_R_EXCESSIVE_MESSAGE_SIZE,
            CLEAR,
        ),
        as_server=as_server,
    )


# ---- the end of the numbers -------------------------------------------------

LAST = (1 << 64) - 1
AES_LIMIT = 1 << 24  # records of AES-GCM under one key, rounded down


@SIDES
@clause("RFC 8446 5.3")
def test_record_at_the_end_of_its_numbers_is_not_sent(as_server: bool) -> None:
    victim = connected(as_server=as_server)
    lib.pys_test_set_seq(victim.ssl._conn, 1, LAST)
    assert victim.peer.write(b"x") == (-1, p.SSL_ERROR_SSL)
    assert victim.peer.sent() == b""
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, p.ERR_R_INTERNAL_ERROR)


@SIDES
@clause("RFC 8446 5.3")
def test_record_at_the_end_of_its_numbers_is_not_read(as_server: bool) -> None:
    victim = connected(as_server=as_server)
    victim.deliver()
    lib.pys_test_set_seq(victim.ssl._conn, 0, LAST)
    victim.forge.sealer.seq = LAST
    victim.forge.write(b"x")
    assert victim.read() == (b"", (-1, p.SSL_ERROR_SSL))
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, p.ERR_R_INTERNAL_ERROR)
    assert [a.description for a in victim.forge.alerts] == [80]


@SIDES
@clause("RFC 8446 5.3", "RFC 8446 5.5", "RFC 8446 4.6.3")
def test_keys_are_renewed_long_before_the_end_of_their_numbers(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    victim.deliver()
    sent = len(victim.forge.seen)
    lib.pys_test_set_seq(victim.ssl._conn, 1, AES_LIMIT // 2)
    victim.forge.opener.seq = AES_LIMIT // 2
    assert victim.peer.write(b"x") == (1, 0)
    victim.deliver()
    assert [kind for kind, _ in victim.forge.seen[sent:]] == [m.KEY_UPDATE]
    assert victim.forge.opener.seq == 1
    assert bytes(victim.forge.data) == b"x"
