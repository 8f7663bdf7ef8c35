"""RFC 8446 4.6: tickets and key updates, after the handshake and before."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import bend, messages as m
from tests.forge.peer import HANDSHAKE as HANDSHAKE_RECORD
from tests.forge.victim import (
    APPLICATION,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    SIDES,
    UNEXPECTED,
    Case,
    check,
    connected,
    refused,
    table,
    works,
)
from tests.pki import ca


def send(message: Any) -> Any:
    """Send one more message."""
    return lambda forge: forge.send(bytes(message))


def ticket(**fields: Any) -> m.NewSessionTicket:
    """Make a ticket."""
    return m.NewSessionTicket(**fields)


def late(rfc: str, name: str, how: Any, *rest: Any) -> Case:
    """Give a row that begins when the handshake is over."""
    alert, reason = (*rest, None, None)[:2]
    return Case(rfc, name, None, alert, reason, APPLICATION, late=how)


@table(
    [
        late("4.6.1", "ticket", send(ticket())),
        late("4.6.1", "lifetime 0", send(ticket(lifetime=0))),
        late("4.6.1", "seven days", send(ticket(lifetime=604800))),
        late("4.6.1", "no nonce", send(ticket(nonce=b""))),
        late("4.6.1", "long", send(ticket(ticket=b"t" * 60000))),
        late(
            "4.6.1",
            "unknown extension",
            send(ticket(extensions=[(0x1234, b"x"), (0x1A1A, b"")])),
        ),
        late(
            "4.6.1",
            "early_data",
            send(ticket(extensions=[(m.EARLY_DATA, bytes(4))])),
        ),
        late(
            "4.6.1",
            "forty in one record",
            lambda forge: forge.record(22, bytes(ticket()) * 40),
        ),
        Case("4.6.1", "two at once", forge={"tickets": 2}),
    ]
)
def test_client_given_a_ticket_goes_on(case: Case) -> None:
    check(case, as_server=False)


@table(
    [
        late(
            "4.6.1",
            "more than seven days",
            send(ticket(lifetime=604801)),
            ILLEGAL,
        ),
        late(
            "4.6.1",
            "lifetime of all ones",
            send(ticket(lifetime=0xFFFFFFFF)),
            ILLEGAL,
        ),
        late("4.6.1", "empty ticket", send(ticket(ticket=b"")), DECODE),
        late(
            "4.6.1",
            "octet behind the body",
            send(m.Raw(4, ticket().body() + b"\0")),
            DECODE,
        ),
        late("4.6.1", "no body", send(m.Raw(4, b"")), DECODE),
        late(
            "4.6.1",
            "extension too long",
            send(m.Raw(4, ticket().body()[:-2] + b"\0\4\x12\x34\0\1")),
            DECODE,
        ),
        late(
            "4.2",
            "unknown extension twice",
            send(ticket(extensions=[(0x1234, b""), (0x1234, b"")])),
            ILLEGAL,
        ),
        late(
            "4.2",
            "early_data twice",
            send(ticket(extensions=[(m.EARLY_DATA, bytes(4))] * 2)),
            ILLEGAL,
        ),
        *(
            late(
                "4.2",
                f"extension {kind} of another message",
                send(ticket(extensions=[(kind, data)])),
                ILLEGAL,
            )
            for kind, data in (
                (m.SERVER_NAME, b""),
                (m.ALPN, m.protocols([b"h2"])),
                (m.KEY_SHARE, b"\0\x1d"),
                (m.SUPPORTED_VERSIONS, b"\x03\x04"),
            )
        ),
        *(
            late(
                "4.2.10",
                f"early_data of {size} octets",
                send(ticket(extensions=[(m.EARLY_DATA, bytes(size))])),
                DECODE,
            )
            for size in (0, 3, 5)
        ),
    ]
)
def test_client_given_a_wrong_ticket_aborts(case: Case) -> None:
    check(case, as_server=False)


@clause("RFC 8446 6", "HS-18", "HS-22")
def test_client_given_a_ticket_cut_anywhere_is_decode_error() -> None:
    body = ticket(extensions=[(0x1234, b"xy")]).body()
    for at in range(len(body)):
        check(
            late("4.6.1", "cut", send(m.Raw(4, body[:at])), DECODE),
            as_server=False,
        )


@clause("RFC 8446 4.6.1", "HS-18")
def test_server_given_a_ticket_is_unexpected_message() -> None:
    check(
        late(
            "4.6.1",
            "to a server",
            send(ticket()),
            UNEXPECTED,
            p.SSL_R_UNEXPECTED_MESSAGE,
        ),
        as_server=True,
    )


@clause("RFC 8446 4.6.2", "HS-18")
def test_client_given_a_late_certificate_request_is_unexpected() -> None:
    # The client has not offered post_handshake_auth.
    request = m.CertificateRequest(
        b"ctx", [(m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03")]
    )
    check(
        late(
            "4.6.2",
            "not offered",
            send(request),
            UNEXPECTED,
            p.SSL_R_UNEXPECTED_MESSAGE,
        ),
        as_server=False,
    )


# ---- KeyUpdate -----------------------------------------------------------


def update(value: bytes) -> m.Raw:
    """Make a KeyUpdate of any content."""
    return m.Raw(m.KEY_UPDATE, value)


def behind(more: bytes) -> Any:
    """Put octets behind a KeyUpdate in its record."""
    return lambda forge: forge.record(
        HANDSHAKE_RECORD, bytes(m.KeyUpdate(0)) + more
    )


def old_keys(forge: Any) -> None:
    """Go on under the old keys after a KeyUpdate."""
    forge.send(bytes(m.KeyUpdate(0)))
    forge.write(b"old")


def new_keys(forge: Any) -> None:
    """Change keys without a KeyUpdate."""
    forge.sealer = forge.sealer.updated()
    forge.write(b"new")


def flood(count: int) -> Any:
    """Send many KeyUpdates."""

    def act(forge: Any) -> None:
        for _ in range(count):
            forge.update()

    return act


def with_data(forge: Any) -> None:
    """Send many KeyUpdates with data between them."""
    for _ in range(80):
        forge.update()
        forge.write(b"x")


UPDATES = [
    *(
        late(
            "4.6.3",
            f"value {value}",
            send(update(bytes([value]))),
            ILLEGAL,
            p.SSL_R_BAD_KEY_UPDATE,
        )
        for value in (2, 3, 127, 255)
    ),
    late("4.6.3", "no body", send(update(b"")), DECODE),
    late("4.6.3", "two octets", send(update(b"\0\0")), DECODE),
    late("4.6.3", "two octets and asking", send(update(b"\1\0")), DECODE),
    *(
        late(
            "5.1",
            f"{name} behind an update",
            behind(more),
            UNEXPECTED,
            p.SSL_R_NOT_ON_RECORD_BOUNDARY,
        )
        for name, more in (
            ("an update", bytes(m.KeyUpdate(0))),
            ("an octet", b"\x18"),
            ("a ticket", bytes(ticket())),
        )
    ),
    late("4.6.3", "old keys", old_keys, 20, 281),
    late("4.6.3", "new keys without an update", new_keys, 20, 281),
    late(
        "4.6.3",
        "thirty-three updates",
        flood(33),
        (UNEXPECTED, ILLEGAL),
        p.SSL_R_TOO_MANY_KEY_UPDATES,
    ),
]
for case in UPDATES:
    case.ids = ("RW-29",)


@SIDES
@table(UPDATES)
def test_wrong_key_update_aborts(case: Case, as_server: bool) -> None:
    check(case, as_server=as_server)


@SIDES
@table(
    [
        late("4.6.3", "one update", flood(1)),
        late("4.6.3", "thirty-two updates", flood(32)),
    ]
)
def test_key_update_is_obeyed(case: Case, as_server: bool) -> None:
    check(case, as_server=as_server)


@SIDES
@clause("RFC 8446 4.6.3", "RW-29")
def test_key_updates_with_data_between_them_have_no_limit(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    with_data(victim.forge)
    data, _ = victim.read()
    assert data == b"x" * 80
    works(victim)


@SIDES
@clause("RFC 8446 4.6.3", "RW-29")
def test_key_update_that_asks_is_answered_once_before_data(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    forge = victim.forge
    before = len(forge.seen)
    for _ in range(3):
        forge.update(1)
    data, _ = victim.read()
    assert data == b""
    assert victim.peer.write(b"answer") == (6, 0)
    victim.deliver()
    assert bytes(forge.data) == b"answer"
    # One answer, which asks for none, under the old keys: it did open.
    assert forge.seen[before:] == [(m.KEY_UPDATE, b"\0")]
    forge.data.clear()
    works(victim)


@clause("RFC 8446 4.6.3", "HS-18")
@SIDES
@pytest.mark.parametrize(
    "name", ["encrypted_extensions", "certificate", "finished"]
)
def test_key_update_before_finished_is_unexpected_message(
    as_server: bool, name: str
) -> None:
    case = Case(
        "4.6.3",
        "early",
        bend.on(name, lambda found: [m.KeyUpdate(0), found]),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
        HANDSHAKE,
    )
    if as_server:
        case.epoch = APPLICATION
        if name == "encrypted_extensions":
            name = "certificate_verify"
            case.bend = bend.on(name, lambda found: [m.KeyUpdate(0), found])
        if name != "finished":
            case.forge = {"identity": ca.leaf()}
            case.wishes = {"client_auth": True}
    check(case, as_server=as_server)


@SIDES
@clause("RFC 8446 4.6", "HS-18")
@pytest.mark.parametrize("size", [0x020000 + 70000, 0xFFFFFF])
def test_message_longer_than_any_is_refused_before_it_came(
    as_server: bool, size: int
) -> None:
    victim = connected(as_server=as_server)
    kind = m.KEY_UPDATE if as_server else m.NEW_SESSION_TICKET
    victim.forge.record(22, bytes(m.Raw(kind, bytes(1000), size)))
    _, result = victim.read()
    refused(
        victim,
        result,
        (ILLEGAL, DECODE),
        p.SSL_R_EXCESSIVE_MESSAGE_SIZE,
        APPLICATION,
    )
