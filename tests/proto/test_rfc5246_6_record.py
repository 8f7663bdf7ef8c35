"""RFC 5246 6.2 and 7.2, RFC 5288 3, RFC 7905 2: records and alerts."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api import links
from tests.clauses import clause
from tests.forge import bend, messages as m
from tests.forge.peer import ALERT, APPLICATION_DATA, CCS, HANDSHAKE
from tests.forge.victim import (
    BAD_MAC,
    CLEAR,
    DECODE,
    ILLEGAL,
    OVERFLOW,
    SEALED,
    SIDES,
    UNEXPECTED,
    VERSION,
    Case12,
    Victim,
    check,
    connected,
    dead,
    make,
    table,
    works,
)
from tests.pki import ca

MAC = p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
SUITES = {
    0xC02B: "p256",
    0xC02C: "p256",
    0xCCA9: "p256",
    0xC02F: "rsa",
    0xC030: "rsa",
    0xCCA8: "rsa",
}
GCM, CHACHA = 0xC02B, 0xCCA9


def with_suite(suite: int, as_server: bool, **more: Any) -> dict[str, Any]:
    """Fields of a case that comes to use a suite."""
    own = ca.leaf(SUITES[suite])
    if as_server:
        return {
            "forge": {"suites": [suite]},
            "wishes": {"kind": SUITES[suite]},
            **more,
        }
    return {"forge": {"identity": own, "suite": suite}, **more}


# The first message of the forge behind which all is in the clear.
FIRST = {True: "client_key_exchange", False: "certificate"}


def sealed_row(
    name: str, late: Any, alert: Any, reason: Any = None, rfc: str = "6.2"
) -> Case12:
    """A row for an established connection."""
    return Case12(f"5246 {rfc}", name, None, alert, reason, SEALED, late)


# ---- types ------------------------------------------------------------------

STRANGE = (0, 1, 19, 24, 25, 26, 99, 128, 255)


@SIDES
@pytest.mark.parametrize("kind", STRANGE)
@clause("RFC 5246 6")
def test_record12_of_unknown_type_is_unexpected_message(
    kind: int, as_server: bool
) -> None:
    order = bend.then_record(FIRST[as_server], kind, b"x")
    check(Case12("5246 6", "type", order, UNEXPECTED), as_server=as_server)
    row = sealed_row(
        "type", lambda forge: forge.record(kind, b"x"), UNEXPECTED
    )
    check(row, as_server=as_server)


# ---- versions ---------------------------------------------------------------


@SIDES
@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0304, 0x03FF])
@clause("RFC 5246 6.2.1", "RFC 5246 E.1")
def test_record12_of_another_version_is_refused(
    version: int, as_server: bool
) -> None:
    # Once it is agreed; before, any will do.
    def order(forge: Any) -> None:
        forge.before(
            FIRST[as_server],
            lambda peer: peer.clear(HANDSHAKE, b"\x0b", version=version),
        )

    row = Case12("5246 6.2.1", "clear", order, VERSION)
    row.reason = p.SSL_R_WRONG_VERSION_NUMBER
    check(row, as_server=as_server)
    row = sealed_row(
        "sealed",
        lambda forge: forge.raw(
            forge.sealer.seal(APPLICATION_DATA, b"data", version=version)
        ),
        VERSION,
        p.SSL_R_WRONG_VERSION_NUMBER,
    )
    check(row, as_server=as_server)


@SIDES
@clause("RFC 5246 6.2.3.3")
def test_record12_with_its_version_tampered_with_is_refused(
    as_server: bool,
) -> None:
    def late(forge: Any) -> None:
        record = bytearray(forge.sealer.seal(APPLICATION_DATA, b"data"))
        record[2] = 1
        forge.raw(bytes(record))

    check(sealed_row("tampered", late, VERSION), as_server=as_server)


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0304, 0x03FF])
@clause("RFC 5246 E.1")
def test_server12_takes_a_hello_in_a_record_of_any_version(
    version: int,
) -> None:
    def order(forge: Any) -> None:
        forge.on("client_hello", in_clear)

    def in_clear(peer: Any, found: Any) -> list[Any]:
        peer.schedule.add(bytes(found))
        peer.clear(HANDSHAKE, bytes(found), version=version)
        return []

    check(Case12("5246 E.1", "any", order), as_server=True)


@SIDES
@pytest.mark.parametrize("version", [0x0300, 0x0301])
@clause("RFC 5246 7.2", "HS-15")
def test_alert12_in_the_clear_of_an_older_version_is_heard(
    version: int, as_server: bool
) -> None:
    def order(forge: Any) -> None:
        forge.before(
            FIRST[as_server],
            lambda peer: peer.clear(ALERT, b"\x02\x46", version=version),
        )

    victim = make(Case12("5246 7.2", "old", order), as_server=as_server)
    assert victim.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons() == [(p.ERR_LIB_SSL, 1070)]
    assert victim.forge.alerts == []


# ---- lengths ----------------------------------------------------------------


def zeros(kind: int, size: int, **header: Any) -> Any:
    """Send a record of zeros in the clear."""
    return lambda peer: peer.clear(kind, bytes(size), **header)


@SIDES
@pytest.mark.parametrize("size", [16385, 18432, 65535])
@clause("RFC 5246 6.2.1")
def test_record12_in_the_clear_over_the_limit_is_record_overflow(
    size: int, as_server: bool
) -> None:
    def order(forge: Any) -> None:
        forge.before(FIRST[as_server], zeros(HANDSHAKE, size))

    row = Case12("5246 6.2.1", "long", order, OVERFLOW)
    check(row, as_server=as_server)


@SIDES
@clause("RFC 5246 6.2.1")
def test_record12_of_whole_length_is_taken(as_server: bool) -> None:
    for suite in SUITES:
        row = Case12("5246 6.2.1", "full", **with_suite(suite, as_server))
        victim = check(row, as_server=as_server)
        victim.forge.write(b"d" * 16384)
        assert victim.read()[0] == b"d" * 16384
        victim.forge.write(b"")
        victim.forge.write(b"x")
        assert victim.read()[0] == b"x"


@SIDES
@pytest.mark.parametrize("suite", SUITES)
@clause("RFC 5246 6.2.3", "RFC 5246 6.2.1")
def test_record12_sealed_over_the_limit_is_record_overflow(
    suite: int, as_server: bool
) -> None:
    # One octet of content too many; one octet of ciphertext too many.
    more = 2**14 + 2048 + 1 - (24 if suite not in {0xCCA8, 0xCCA9} else 16)
    for size in (16385, 2**14 + 500, more):
        row = sealed_row(
            "long",
            lambda forge, n=size: forge.write(bytes(n)),
            OVERFLOW,
        )
        fields = {**vars(row), **with_suite(suite, as_server)}
        check(Case12(**fields), as_server=as_server)


@SIDES
@pytest.mark.parametrize("suite", [GCM, CHACHA])
@clause("RFC 5246 6.2.3.3", "RFC 5288 3")
def test_record12_shorter_than_its_tag_is_bad_record_mac(
    suite: int, as_server: bool
) -> None:
    for size in (0, 1, 7, 8, 15, 16, 23):
        row = sealed_row(
            "short",
            lambda forge, n=size: forge.clear(APPLICATION_DATA, bytes(n)),
            BAD_MAC,
            MAC,
        )
        fields = {**vars(row), **with_suite(suite, as_server)}
        check(Case12(**fields), as_server=as_server)


@SIDES
@clause("RFC 5246 6.2.1")
def test_handshake_record12_that_is_empty_is_unexpected(
    as_server: bool,
) -> None:
    order = bend.then_record(FIRST[as_server], HANDSHAKE, b"")
    check(
        Case12("5246 6.2.1", "empty", order, UNEXPECTED), as_server=as_server
    )


@SIDES
@clause("RFC 5246 6.2.1")
def test_empty_data12_without_end_is_unexpected(as_server: bool) -> None:
    row = sealed_row(
        "empty",
        lambda forge: [forge.write(b"") for _ in range(33)],
        UNEXPECTED,
    )
    check(row, as_server=as_server)
    victim = connected(as_server=as_server, old=True)
    for _ in range(4):
        for _ in range(32):
            victim.forge.write(b"")
        victim.forge.write(b"x")
    assert victim.read()[0] == b"xxxx"


# ---- protection -------------------------------------------------------------


def flipped(at: int) -> Any:
    """Send a record with one bit changed."""

    def late(forge: Any) -> None:
        record = bytearray(forge.sealer.seal(APPLICATION_DATA, b"some data"))
        record[at] ^= 1
        forge.raw(bytes(record))

    return late


@SIDES
@pytest.mark.parametrize("suite", SUITES)
@clause("RFC 5246 6.2.3.3", "RFC 5288 3", "RFC 7905 2")
def test_record12_with_any_bit_changed_is_bad_record_mac(
    suite: int, as_server: bool
) -> None:
    explicit = 0 if suite in {0xCCA8, 0xCCA9} else 8
    for at in range(5, 5 + explicit + 9 + 16):
        if suite not in {GCM, CHACHA} and at % 7 != 0:
            continue
        row = sealed_row("bit", flipped(at), BAD_MAC, MAC)
        fields = {**vars(row), **with_suite(suite, as_server)}
        check(Case12(**fields), as_server=as_server)


def as_type(kind: int) -> Any:
    """Send a record sealed as data under another type."""

    def late(forge: Any) -> None:
        record = bytearray(forge.sealer.seal(APPLICATION_DATA, b"\x01\x00"))
        record[0] = kind
        forge.raw(bytes(record))

    return late


def skipped(forge: Any) -> None:
    """Leave a number out."""
    forge.sealer.seq += 1
    forge.write(b"data")


def replayed(forge: Any) -> None:
    """Send a record twice."""
    record = forge.sealer.seal(APPLICATION_DATA, b"data")
    forge.raw(record + record)


def swapped(forge: Any) -> None:
    """Send two records in the other order."""
    first = forge.sealer.seal(APPLICATION_DATA, b"one")
    forge.raw(forge.sealer.seal(APPLICATION_DATA, b"two") + first)


def reflected(forge: Any) -> None:
    """Send under the keys of the other direction."""
    forge.sealer.key, forge.sealer.salt = forge.opener.key, forge.opener.salt
    forge.sealer.aead = forge.opener.aead
    forge.write(b"data")


def in_the_clear(forge: Any) -> None:
    """Send data without protection."""
    forge.clear(APPLICATION_DATA, b"d" * 64)


def other_length(forge: Any) -> None:
    """Tell another length in the additional data."""
    forge.raw(forge.sealer.seal(APPLICATION_DATA, b"data", size=20))


NOT_OPENING = [
    *(
        sealed_row(
            f"type {kind} instead", as_type(kind), BAD_MAC, MAC, "6.2.3.3"
        )
        for kind in (CCS, ALERT, HANDSHAKE, 99)
    ),
    sealed_row("number left out", skipped, BAD_MAC, MAC, "6.1"),
    sealed_row("record twice", replayed, BAD_MAC, MAC, "6.1"),
    sealed_row("records in the other order", swapped, BAD_MAC, MAC, "6.1"),
    sealed_row("keys of the other direction", reflected, BAD_MAC, MAC, "6.3"),
    sealed_row("in the clear", in_the_clear, BAD_MAC, MAC, "6.2.3"),
    sealed_row("alert in the clear", zeros(ALERT, 2), BAD_MAC, MAC, "6.2.3"),
    sealed_row("length", other_length, BAD_MAC, MAC, "6.2.3.3"),
]


@SIDES
@pytest.mark.parametrize("suite", [GCM, CHACHA])
@table(NOT_OPENING)
def test_record12_that_does_not_open_is_bad_record_mac(
    case: Case12, suite: int, as_server: bool
) -> None:
    fields = {**vars(case), **with_suite(suite, as_server)}
    check(Case12(**fields), as_server=as_server)


@SIDES
@clause("RFC 5246 7.4.9", "RFC 5246 6.2.3.3")
def test_finished12_that_does_not_open_is_bad_record_mac(
    as_server: bool,
) -> None:
    def order(forge: Any) -> None:
        forge.after("ccs", lambda peer: setattr(peer, "mine", wrong(peer)))

    def wrong(peer: Any) -> Any:
        key = bytes(len(peer.mine.key))
        return type(peer.mine)(peer.mine.suite, key, peer.mine.salt)

    row = Case12("5246 6.2.3.3", "key", order, BAD_MAC, MAC)
    row.epoch = CLEAR if as_server else SEALED
    check(row, as_server=as_server)


@SIDES
@clause("RFC 5288 3")
def test_record12_with_any_explicit_nonce_opens(as_server: bool) -> None:
    victim = connected(as_server=as_server, old=True)
    for part in (b"\xff" * 8, b"nonce777", b"\0" * 8):
        record = victim.forge.sealer.seal(
            APPLICATION_DATA, part, explicit=part
        )
        victim.forge.raw(record)
    assert victim.read()[0] == b"\xff" * 8 + b"nonce777" + bytes(8)
    works(victim)


@SIDES
@pytest.mark.parametrize("suite", [GCM, CHACHA])
@clause("RFC 5288 3", "RFC 5246 6.1")
def test_record12_of_ours_never_repeats_a_nonce(
    suite: int, as_server: bool
) -> None:
    victim = check(
        Case12("5288 3", "nonces", **with_suite(suite, as_server)),
        as_server=as_server,
    )
    seen: list[bytes] = []
    for _ in range(50):
        assert victim.peer.write(b"data") == (4, 0)
        record = victim.peer.sent()
        seen.append(record[5:13])
        victim.forge.feed(record)
        assert victim.forge.records[-1].version == 0x0303
    assert bytes(victim.forge.data).endswith(b"data" * 50)
    assert suite == CHACHA or len(set(seen)) == 50
    assert {r.version for r in victim.forge.records[1:]} == {0x0303}


@SIDES
@pytest.mark.parametrize(
    ("suite", "limit"), [(GCM, 1 << 24), (CHACHA, 1 << 36)]
)
@clause("RFC 5246 6.1", "RFC 8446 5.5")
def test_record12_at_the_end_of_its_numbers_is_not_sent(
    suite: int, limit: int, as_server: bool
) -> None:
    # No other key can be had, so the last number is what the cipher bears.
    plain = Case12("5246 6.1", "numbers", **with_suite(suite, as_server))
    victim = check(plain, as_server=as_server)
    lib.pys_test_set_seq(victim.ssl._conn, 1, limit - 1)
    victim.forge.opener.seq = limit - 1
    assert victim.peer.write(b"last") == (4, 0)
    victim.deliver()
    assert bytes(victim.forge.data).endswith(b"last")
    assert victim.peer.write(b"more") == (-1, p.SSL_ERROR_SSL)
    assert victim.peer.sent() == b""
    assert links.reasons()[-1][1] == p.ERR_R_INTERNAL_ERROR


@SIDES
@clause("RFC 5246 6.1")
def test_record12_at_the_end_of_its_numbers_is_not_read(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server, old=True)
    last = (1 << 64) - 1
    lib.pys_test_set_seq(victim.ssl._conn, 0, last)
    victim.forge.sealer.seq = last
    victim.forge.raw(victim.forge.sealer.seal(APPLICATION_DATA, b"x"))
    data, result = victim.read()
    assert (data, result) == (b"", (-1, p.SSL_ERROR_SSL))
    assert links.reasons()[-1][1] == p.ERR_R_INTERNAL_ERROR


# ---- fragments --------------------------------------------------------------


@SIDES
@pytest.mark.parametrize("fragment", [1, 3, 4, 5, 100])
@clause("RFC 5246 6.2.1")
def test_messages12_cut_in_any_way_are_put_together(
    fragment: int, as_server: bool
) -> None:
    def order(forge: Any) -> None:
        forge.fragment = fragment

    check(Case12("5246 6.2.1", "cut", order), as_server=as_server)


@SIDES
@clause("RFC 5246 6.2.1")
def test_messages12_joined_in_one_record_are_taken_apart(
    as_server: bool,
) -> None:
    def order(forge: Any) -> None:
        forge.coalesce = True

    check(Case12("5246 6.2.1", "joined", order), as_server=as_server)


HALVES = [
    Case12(
        "5246 6.2.1",
        f"{name} in between",
        None,
        UNEXPECTED,
        p.SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA,
    )
    for name in ("alert", "data", "ccs")
]
KINDS = {
    "alert": (ALERT, b"\x01\x5a"),
    "data": (APPLICATION_DATA, b"x"),
    "ccs": (CCS, b"\x01"),
}


@SIDES
@table(HALVES)
def test_record12_between_halves_of_a_message_is_unexpected(
    case: Case12, as_server: bool
) -> None:
    kind, content = KINDS[case.name.split(" ", maxsplit=1)[0]]

    def between(peer: Any) -> None:
        peer.clear(HANDSHAKE, b"\x10\0" if as_server else b"\x0b\0")
        peer.clear(kind, content)

    def order(forge: Any) -> None:
        forge.before(FIRST[as_server], between)

    check(Case12(**{**vars(case), "bend": order}), as_server=as_server)


@SIDES
@pytest.mark.parametrize("size", [0xFFFFFF, 0x100000])
@clause("RFC 5246 7.4", "RFC 5246 7.2.2")
def test_message12_that_is_longer_than_any_is_refused(
    size: int, as_server: bool
) -> None:
    kind = m.CLIENT_KEY_EXCHANGE if as_server else m.CERTIFICATE
    order = bend.on(
        FIRST[as_server], lambda _found: [m.Raw(kind, b"x" * 20, size)]
    )
    row = Case12("5246 7.4", "long", order, (DECODE, ILLEGAL))
    row.reason = p.SSL_R_EXCESSIVE_MESSAGE_SIZE
    check(row, as_server=as_server)


# ---- alerts -----------------------------------------------------------------

ALERTS = [
    *(
        Case12("5246 7.2", f"of {content.hex() or 'nothing'}", None, alert)
        for content, alert in (
            (b"", DECODE),
            (b"\x02", DECODE),
            (b"\x02\x28\0", DECODE),
            (b"\x01\0\x01\0", DECODE),
            (b"\0\x28", ILLEGAL),
            (b"\x03\x28", ILLEGAL),
            (b"\xff\0", ILLEGAL),
        )
    )
]


@SIDES
@table(ALERTS)
def test_alert12_that_is_malformed_aborts(
    case: Case12, as_server: bool
) -> None:
    content = b""
    if not case.name.endswith("nothing"):
        content = bytes.fromhex(case.name.split(" ")[1])
    order = bend.then_record(FIRST[as_server], ALERT, content)
    check(Case12(**{**vars(case), "bend": order}), as_server=as_server)
    row = sealed_row(
        "late", lambda forge: forge.record(ALERT, content), case.alert
    )
    check(row, as_server=as_server)


KNOWN = (
    *(10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51),
    *(60, 70, 71, 80, 86, 90, 100, 110, 111, 112, 113, 114, 115, 120, 255),
)


@SIDES
@clause("RFC 5246 7.2", "HS-15", "ERR-20")
def test_alert12_that_is_fatal_ends_the_connection(as_server: bool) -> None:
    for number in KNOWN:
        victim = connected(as_server=as_server, old=True)
        victim.forge.alert(number)
        assert victim.read() == (b"", (-1, p.SSL_ERROR_SSL))
        assert links.reasons() == [(p.ERR_LIB_SSL, 1000 + number)]
        assert victim.forge.alerts == []
        dead(victim.peer)


@SIDES
@clause("RFC 5246 7.2.2", "HS-15")
def test_alert12_that_warns_is_passed_over(as_server: bool) -> None:
    for number in (41, 90, 110, 112, 200):
        victim = connected(as_server=as_server, old=True)
        victim.forge.alert(number, level=1)
        works(victim)
    order = bend.then_record(FIRST[as_server], ALERT, b"\x01\x70")
    check(Case12("5246 7.2.2", "warn", order), as_server=as_server)


@SIDES
@clause("RFC 5246 7.2.1")
def test_close_notify12_ends_reading_only(as_server: bool) -> None:
    victim: Victim = connected(as_server=as_server, old=True)
    victim.forge.write(b"last")
    victim.forge.alert(0, level=1)
    assert victim.read() == (b"last", (0, p.SSL_ERROR_ZERO_RETURN))
    assert p.SSL_get_shutdown(victim.ssl) == p.SSL_RECEIVED_SHUTDOWN
    assert victim.peer.write(b"still") == (5, 0)
    assert p.SSL_shutdown(victim.ssl) == 1
    victim.deliver()
    assert bytes(victim.forge.data) == b"still"
    assert [(a.level, a.description) for a in victim.forge.alerts] == [(1, 0)]
