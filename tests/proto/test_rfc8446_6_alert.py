"""RFC 8446 6: alerts that come, and the HS-14 to HS-18 cases of raw peers."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import ForgeClient, bend
from tests.forge.victim import (
    APPLICATION,
    CLEAR,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    SIDES,
    UNEXPECTED,
    Case,
    Victim,
    check,
    connected,
    dead,
    make,
    refused,
    server,
    table,
    works,
)

ALERT, NO_RENEGOTIATION = 21, 100
FIRST = {False: "encrypted_extensions", True: "finished"}
HELLO = {False: "server_hello", True: "client_hello"}
PLACES = pytest.mark.parametrize("place", ["clear", "sealed", "connected"])

# Every number of RFC 8446 6 and some that nobody has defined.
FATAL = [
    10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60,
    70, 71, 80, 86, 100, 109, 110, 111, 112, 113, 114, 115, 116, 120, 1, 9,
    99, 121, 200, 255,
]  # fmt: skip


def told(
    as_server: bool, place: str, act: Callable[[Any], None]
) -> tuple[Victim, links.Outcome]:
    """Let the forge act at a place; gives what came of it."""
    if place == "connected":
        victim = connected(as_server=as_server)
        act(victim.forge)
        return victim, victim.read()[1]
    name = (HELLO if place == "clear" else FIRST)[as_server]
    case = Case(
        "6",
        place,
        # Nothing follows a message that never went out.
        bend.on(name, lambda _found: [act, lambda peer: peer.mute()]),
    )
    victim = make(case, as_server=as_server)
    return victim, victim.handshake()


def send(*octets: int) -> Callable[[Any], None]:
    """Send an alert record of any content."""
    return lambda peer: peer.record(ALERT, bytes(octets))


@SIDES
@PLACES
@pytest.mark.parametrize("level", [1, 2])
@clause("RFC 8446 6", "RFC 8446 6.2", "HS-15", "HS-22", "HS-23", "ERR-20")
@clause("RW-10", "RW-33")
def test_received_error_alert_is_fatal_whatever_its_level(
    as_server: bool, place: str, level: int
) -> None:
    for alert in FATAL:
        victim, result = told(as_server, place, send(level, alert))
        assert result == (-1, p.SSL_ERROR_SSL), alert
        assert links.reasons() == [(p.ERR_LIB_SSL, 1000 + alert)], alert
        assert p.SSL_get_shutdown(victim.ssl) & p.SSL_RECEIVED_SHUTDOWN
        assert victim.forge.alerts == []
        dead(victim.peer)


@SIDES
@PLACES
@pytest.mark.parametrize("level", [1, 2])
@clause("RFC 8446 6.1", "HS-14", "RW-6")
def test_received_close_notify_ends_in_order(
    as_server: bool, place: str, level: int
) -> None:
    victim, result = told(as_server, place, send(level, 0))
    assert result == (0, p.SSL_ERROR_ZERO_RETURN)
    assert links.reasons() == []
    assert p.SSL_get_shutdown(victim.ssl) & p.SSL_RECEIVED_SHUTDOWN
    assert victim.forge.alerts == []
    for _ in range(2):
        again = victim.peer.read()
        assert again == (0, p.SSL_ERROR_ZERO_RETURN)
        if place != "connected":
            assert victim.peer.handshake() == again
    assert victim.peer.sent() == b""


@SIDES
@clause("RFC 8446 6.1", "RW-7")
def test_data_behind_close_notify_is_ignored(as_server: bool) -> None:
    def act(forge: Any) -> None:
        forge.write(b"before")
        forge.alert(0, level=1)
        forge.write(b"behind")
        forge.raw(b"garbage")

    victim = connected(as_server=as_server)
    forge = victim.forge
    act(forge)
    data, result = victim.read()
    assert data == b"before"
    assert result == (0, p.SSL_ERROR_ZERO_RETURN)


@SIDES
@PLACES
@clause("RFC 8446 6.1", "HS-14")
def test_user_canceled_then_close_notify_ends_in_order(
    as_server: bool, place: str
) -> None:
    def act(peer: Any) -> None:
        peer.record(ALERT, b"\1\x5a")
        peer.record(ALERT, b"\1\0")

    victim, result = told(as_server, place, act)
    assert result == (0, p.SSL_ERROR_ZERO_RETURN)
    assert links.reasons() == []
    assert victim.forge.alerts == []


@SIDES
@table(
    [
        Case("6.1", f"user_canceled of level {n}",
             lambda f, n=n: f.before("finished", lambda q: q.alert(90, n)))
        for n in (1, 2)
    ]
)  # fmt: skip
def test_user_canceled_alone_changes_nothing(
    case: Case, as_server: bool
) -> None:
    check(case, as_server=as_server)


@SIDES
@clause("RFC 8446 6.1", "HS-18")
def test_user_canceled_does_not_last_for_ever(as_server: bool) -> None:
    def many(peer: Any) -> None:
        for _ in range(1000):
            peer.alert(90, level=1)

    check(
        Case(
            "6.1",
            "many",
            lambda forge: forge.before("finished", many),
            UNEXPECTED,
            None,
            APPLICATION if as_server else HANDSHAKE,
        ),
        as_server=as_server,
    )


SHAPES = [
    *(
        (f"level {level} of alert {alert}", (level, alert), ILLEGAL, 246)
        for level in (0, 3, 255)
        for alert in (0, 40, 90, 200)
    ),
    ("one octet", (2,), (UNEXPECTED, DECODE), p.SSL_R_INVALID_ALERT),
    ("one octet of value 1", (1,), (10, 50), p.SSL_R_INVALID_ALERT),
    ("three octets", (2, 40, 0), (10, 50), p.SSL_R_INVALID_ALERT),
    ("two alerts", (1, 90, 1, 0), (10, 50), p.SSL_R_INVALID_ALERT),
    ("no octet", (), (10, 50), None),
    ("many octets", (2,) * 1000, (10, 50), p.SSL_R_INVALID_ALERT),
]


@SIDES
@PLACES
@table(
    Case(
        "5.1" if reason != 246 else "6",
        name,
        None,
        alert,
        reason,
        late=send(*octets),
    )
    for name, octets, alert, reason in SHAPES
)
def test_alert_of_a_wrong_shape_is_refused(
    case: Case, as_server: bool, place: str
) -> None:
    epoch = APPLICATION
    if place != "connected":
        act = case.late
        name = (HELLO if place == "clear" else FIRST)[as_server]
        order: Any = lambda forge: forge.before(name, act)  # noqa: E731
        case = dataclasses.replace(case, late=None, bend=order)
        epoch = APPLICATION if as_server else HANDSHAKE
    if place == "clear":
        epoch = CLEAR
    check(dataclasses.replace(case, epoch=epoch), as_server=as_server)


@clause("RFC 8446 6.2", "HS-15")
def test_server_told_in_the_clear_that_its_flight_is_useless() -> None:
    # A client that could not use the ServerHello has no keys to tell it with.
    forge = ForgeClient()
    victim = server(forge)
    forge.start()
    victim.deliver()
    result = victim.peer.handshake()
    assert result == (-1, p.SSL_ERROR_WANT_READ)
    victim.peer.feed(b"\x15\3\3\0\2\2\x2f")
    assert victim.peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons() == [(p.ERR_LIB_SSL, 1047)]


@SIDES
@clause("RFC 8446 6.2", "HS-18")
def test_connection_goes_on_until_the_first_fault(as_server: bool) -> None:
    victim = connected(as_server=as_server)
    forge = victim.forge
    works(victim)
    forge.data.clear()
    forge.record(99, b"")
    _, result = victim.read()
    assert result == (-1, p.SSL_ERROR_SSL)
    links.reasons()
    assert [a.description for a in forge.alerts] == [UNEXPECTED]
    dead(victim.peer)


# ---- raw peers: HS-14 to HS-18 -------------------------------------------


def raw(as_server: bool) -> links.RawPeer:
    """Make one SSL; the client has sent its ClientHello."""
    peer = links.raw_server() if as_server else links.raw_client()
    assert peer.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    assert (peer.sent() == b"") == as_server
    return peer


@SIDES
@clause("HS-14")
def test_close_notify_before_anything_gives_zero(as_server: bool) -> None:
    peer = raw(as_server)
    peer.feed("15 03 03 00 02 01 00")
    for _ in range(3):
        assert peer.handshake() == (0, p.SSL_ERROR_ZERO_RETURN)
        assert links.reasons() == []
    assert p.SSL_get_shutdown(peer.ssl) & p.SSL_RECEIVED_SHUTDOWN
    assert peer.sent() == b""


@SIDES
@clause("HS-15", "HS-22", "HS-23", "HS-24")
def test_fatal_alert_before_anything_is_final(as_server: bool) -> None:
    peer = raw(as_server)
    peer.feed("15 03 03 00 02 02 28")
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)  # HS-23: still queued
    assert links.reasons() == [(p.ERR_LIB_SSL, 1040)]
    assert peer.sent() == b""
    dead(peer)


@SIDES
@clause("HS-15", "RFC 5246 7.2.2")
def test_warnings_are_ignored_while_the_version_is_open(
    as_server: bool,
) -> None:
    for alert in FATAL:
        peer = raw(as_server)
        peer.feed(bytes([ALERT, 3, 3, 0, 2, 1, alert]))
        result = peer.handshake()
        if alert == NO_RENEGOTIATION:
            assert result == (-1, p.SSL_ERROR_SSL)
            assert links.reasons() == [(p.ERR_LIB_SSL, 339)]
            continue
        assert result == (-1, p.SSL_ERROR_WANT_READ), alert
        assert links.reasons() == []
        assert peer.sent() == b""
        # The same as an error is fatal.
        peer.feed(bytes([ALERT, 3, 3, 0, 2, 2, alert]))
        assert peer.handshake() == (-1, p.SSL_ERROR_SSL), alert
        assert links.reasons() == [(p.ERR_LIB_SSL, 1000 + alert)]
        assert peer.sent() == b""
        dead(peer)


@SIDES
@clause("HS-16", "HS-22")
@pytest.mark.parametrize(
    "data", ["", "16", "16 03 03 00", "16 03 03 00 10", "16 03 03 00 10 02 00"]
)
def test_transport_end_is_unexpected_eof(as_server: bool, data: str) -> None:
    peer = raw(as_server)
    peer.feed(data)
    peer.end()
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons() == [(p.ERR_LIB_SSL, 294)]
    assert peer.sent() == b""
    dead(peer)


@SIDES
@clause("HS-16", "HS-14")
def test_transport_end_taken_as_close_when_wished(as_server: bool) -> None:
    peer = raw(as_server)
    p.SSL_set_options(peer.ssl, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    peer.end()
    for _ in range(2):
        assert peer.handshake() == (0, p.SSL_ERROR_ZERO_RETURN)
    assert links.reasons() == []


@SIDES
@clause("HS-17")
@pytest.mark.parametrize("answer", [0, -1])
def test_transport_failure_is_syscall_and_not_final(
    as_server: bool, answer: int
) -> None:
    bio = links.PyBio()
    ssl = links.make_ends()[1 if as_server else 0]
    p.SSL_set_bio(ssl, bio.bio, bio.bio)
    first = links.outcome(ssl, p.SSL_do_handshake(ssl))
    assert first == (-1, p.SSL_ERROR_WANT_READ)
    for _ in range(2):
        bio.tell("read", links.Answer(answer))
        failed = links.outcome(ssl, p.SSL_do_handshake(ssl))
        assert failed == (-1, p.SSL_ERROR_SYSCALL)
        assert links.reasons() == []
    again = links.outcome(ssl, p.SSL_do_handshake(ssl))
    assert again == (-1, p.SSL_ERROR_WANT_READ)


@clause("HS-18")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 156),
        (b"POST / HTTP/1.1\r\n", 156),
        (b"HEAD / HTTP/1.1\r\n", 156),
        (b"PUT / HTTP/1.1\r\n", 156),
        (b"CONNECT host:1 HTTP/1.1\r\n", 155),
        (b"SSH-2.0-OpenSSH\r\n", 267),
        (b"\x80\x2e\x01\x00\x02", 267),
        (bytes(5), 267),
        (b"\x16\x04\x00\x00\x05", 267),
        (b"\x16\x02\x00\x00\x05", 267),
        (b"\xff" * 5, 267),
    ],
)
def test_server_given_no_tls_says_nothing(data: bytes, reason: int) -> None:
    peer = raw(True)
    peer.feed(data)
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, reason)
    assert peer.sent() == b""
    dead(peer)


@clause("HS-18")
@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad\r\n", b"GET / HTTP/1.0\r\n", bytes(5)]
)
def test_client_given_no_tls_says_nothing(data: bytes) -> None:
    peer = raw(False)
    peer.feed(data)
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, 267)
    assert peer.sent() == b""
    dead(peer)


@clause("HS-18", "HS-37")
def test_server_without_certificate_has_no_shared_cipher() -> None:
    ctx = p.SSL_CTX_new(p.TLS_method())
    ssl = p.SSL_new(ctx)
    p.SSL_set_accept_state(ssl)
    forge = ForgeClient()
    victim = Victim(ssl, forge)
    assert victim.peer.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, 193)
    assert [(a.level, a.description) for a in forge.alerts] == [(2, 40)]
    dead(victim.peer)


@clause("HS-18", "VER-2", "VER-3")
@pytest.mark.parametrize("as_server", [False, True], ids=["client", "server"])
@pytest.mark.parametrize("how", ["options", "range"])
def test_no_version_left_fails_without_a_byte(
    as_server: bool, how: str
) -> None:
    ssl = links.make_ends()[1 if as_server else 0]
    if how == "options":
        p.SSL_set_options(ssl, p.SSL_OP_NO_TLSv1_3 | p.SSL_OP_NO_TLSv1_2)
    else:
        assert p.SSL_set_min_proto_version(ssl, p.TLS1_3_VERSION) == 1
        assert p.SSL_set_max_proto_version(ssl, p.TLS1_2_VERSION) == 1
    peer = links.RawPeer(ssl)
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, 191)
    assert p.SSL_want(ssl) == p.SSL_NOTHING
    assert peer.sent() == b""


@SIDES
@clause("HS-18")
@pytest.mark.parametrize("answer", [-1, 0])
def test_alert_that_cannot_leave_changes_nothing(
    as_server: bool, answer: int
) -> None:
    bio = links.PyBio()
    ssl = links.make_ends()[1 if as_server else 0]
    p.SSL_set_bio(ssl, bio.bio, bio.bio)
    first = links.outcome(ssl, p.SSL_do_handshake(ssl))
    assert first == (-1, p.SSL_ERROR_WANT_READ)
    written = bio.count("write")
    bio.incoming += b"\x16\3\3\0\4\x14\0\0\0"
    bio.tell("write", links.Answer(answer))
    failed = links.outcome(ssl, p.SSL_do_handshake(ssl))
    assert failed == (-1, p.SSL_ERROR_SSL)
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, p.SSL_R_UNEXPECTED_MESSAGE)
    # One attempt (HS-18), and none later (HS-22).
    assert bio.count("write") == written + 1
    again = links.outcome(ssl, p.SSL_do_handshake(ssl))
    assert again == (-1, p.SSL_ERROR_SYSCALL)
    assert bio.count("write") == written + 1


@clause("HS-18", "SNI-3")
@pytest.mark.parametrize("alert", [112, 40])
def test_server_name_callback_that_refuses_ends_the_handshake(
    alert: int,
) -> None:
    forge = ForgeClient()
    victim = server(forge)
    ctx = p.SSL_get_SSL_CTX(victim.ssl)

    def refuse(ssl: p.SSL, cell: Any, arg: Any) -> int:
        if alert != 112:
            cell[0] = alert
        return p.SSL_TLSEXT_ERR_ALERT_FATAL

    p.SSL_CTX_set_tlsext_servername_callback(ctx, refuse)
    forge.start()
    victim.deliver()
    result = victim.handshake()
    refused(victim, result, alert, p.SSL_R_CALLBACK_FAILED, CLEAR)
