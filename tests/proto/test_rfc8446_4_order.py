"""RFC 8446 4: each message, in each state in which it has no place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pyssl as p
from tests.forge import ForgeClient, bend, keys, messages as m
from tests.forge.victim import (
    APPLICATION,
    CLEAR,
    HANDSHAKE,
    UNEXPECTED,
    Case,
    check,
    table,
)
from tests.pki import ca

REASON = p.SSL_R_UNEXPECTED_MESSAGE

NAMES = {
    m.HELLO_REQUEST: "hello_request",
    m.CLIENT_HELLO: "client_hello",
    m.SERVER_HELLO: "server_hello",
    3: "hello_verify_request",
    m.NEW_SESSION_TICKET: "new_session_ticket",
    m.END_OF_EARLY_DATA: "end_of_early_data",
    m.ENCRYPTED_EXTENSIONS: "encrypted_extensions",
    m.CERTIFICATE: "certificate",
    m.SERVER_KEY_EXCHANGE: "server_key_exchange",
    m.CERTIFICATE_REQUEST: "certificate_request",
    m.SERVER_HELLO_DONE: "server_hello_done",
    m.CERTIFICATE_VERIFY: "certificate_verify",
    m.CLIENT_KEY_EXCHANGE: "client_key_exchange",
    m.FINISHED: "finished",
    m.CERTIFICATE_STATUS: "certificate_status",
    m.KEY_UPDATE: "key_update",
    99: "unknown",
    m.MESSAGE_HASH: "message_hash",
}


def sample(kind: int) -> bytes:
    """Give a message of a type; its body is well formed."""
    if kind == m.CLIENT_HELLO:
        return bytes(ForgeClient().hello)
    bodies: dict[int, Callable[[], bytes]] = {
        m.SERVER_HELLO: lambda: m.ServerHello(
            extensions=[
                (m.SUPPORTED_VERSIONS, b"\x03\x04"),
                (
                    m.KEY_SHARE,
                    m.server_share(
                        keys.X25519, keys.Share(keys.X25519).public
                    ),
                ),
            ]
        ).body(),
        m.NEW_SESSION_TICKET: lambda: m.NewSessionTicket().body(),
        m.ENCRYPTED_EXTENSIONS: lambda: m.EncryptedExtensions().body(),
        m.CERTIFICATE: lambda: m.Certificate(
            b"", [(ca.leaf().cert_der, [])]
        ).body(),
        m.CERTIFICATE_REQUEST: lambda: m.CertificateRequest(
            b"", [(m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03")]
        ).body(),
        m.CERTIFICATE_VERIFY: lambda: m.CertificateVerify(
            0x0403, bytes(70)
        ).body(),
        m.FINISHED: lambda: bytes(32),
        m.KEY_UPDATE: lambda: b"\0",
        m.MESSAGE_HASH: lambda: bytes(32),
    }
    return bytes(m.Raw(kind, bodies.get(kind, bytes)()))


def rows(
    state: str,
    name: str,
    allowed: tuple[int, ...],
    epoch: str,
    **more: Any,
) -> Iterator[Case]:
    """Give a row for each message that a state does not allow.

    name is the message in whose place the wrong one goes.
    """
    for kind, text in NAMES.items():
        if kind in allowed:
            continue
        wrong = sample(kind)
        yield Case(
            "4",
            f"{text} while waiting for {state}",
            bend.on(name, lambda _found, wrong=wrong: [wrong]),
            UNEXPECTED,
            REASON,
            epoch,
            **more,
        )


def late_rows(allowed: tuple[int, ...], **more: Any) -> Iterator[Case]:
    """Give a row for each message that has no place after the handshake."""
    for kind, text in NAMES.items():
        if kind in allowed:
            continue
        wrong = sample(kind)
        yield Case(
            "4.6",
            f"{text} once connected",
            None,
            UNEXPECTED,
            REASON,
            APPLICATION,
            late=lambda forge, wrong=wrong: (
                forge.send(wrong),
                forge.flush(),
            ),
            **more,
        )


RETRY = {"retry": keys.P384}
REQUEST = {"request": [0x0403]}
CLIENT = [
    *rows("server_hello", "server_hello", (2,), CLEAR),
    *rows("the second server_hello", "server_hello", (2,), CLEAR, forge=RETRY),
    *rows("encrypted_extensions", "encrypted_extensions", (8,), HANDSHAKE),
    *rows("certificate or request", "certificate", (11, 13), HANDSHAKE),
    *rows("certificate", "certificate", (11,), HANDSHAKE, forge=REQUEST),
    *rows("certificate_verify", "certificate_verify", (15,), HANDSHAKE),
    *rows("finished", "finished", (20,), HANDSHAKE),
    *late_rows((m.NEW_SESSION_TICKET, m.KEY_UPDATE)),
]

OWN = {"identity": ca.leaf()}
AUTH = {"client_auth": True}


def optional(ssl: p.SSL) -> None:
    """Let the server take a client without a certificate."""
    p.SSL_set_verify(ssl, p.SSL_VERIFY_PEER, None)


SERVER = [
    *rows("client_hello", "client_hello", (1,), CLEAR),
    *rows(
        "the second client_hello",
        "client_hello_2",
        (1,),
        CLEAR,
        forge={"shares": []},
    ),
    *rows(
        "certificate",
        "certificate",
        (11,),
        APPLICATION,
        forge=OWN,
        wishes=AUTH,
    ),
    *rows(
        "certificate_verify",
        "certificate_verify",
        (15,),
        APPLICATION,
        forge=OWN,
        wishes=AUTH,
    ),
    *rows("finished", "finished", (20,), APPLICATION),
    *rows(
        "finished behind certificate_verify",
        "finished",
        (20,),
        APPLICATION,
        forge=OWN,
        wishes=AUTH,
    ),
    *rows(
        "finished behind an empty certificate",
        "finished",
        (20,),
        APPLICATION,
        wishes=AUTH,
        prepare=optional,
    ),
    *late_rows((m.KEY_UPDATE,)),
]


@table(CLIENT)
def test_client_given_a_message_out_of_order_is_unexpected_message(
    case: Case,
) -> None:
    check(case, as_server=False)


@table(SERVER)
def test_server_given_a_message_out_of_order_is_unexpected_message(
    case: Case,
) -> None:
    check(case, as_server=True)


NOTHING_WRONG = [
    Case("4", "plain"),
    Case("4", "retry", forge=RETRY),
    Case("4", "certificate request", forge=REQUEST),
]


@table(NOTHING_WRONG)
def test_client_given_all_messages_in_order_completes(case: Case) -> None:
    check(case, as_server=False)


@table(
    [
        Case("4", "plain"),
        Case("4", "retry", forge={"shares": []}),
        Case("4", "certificate", forge=OWN, wishes=AUTH),
        Case("4", "no certificate", wishes=AUTH, prepare=optional),
    ]
)
def test_server_given_all_messages_in_order_completes(case: Case) -> None:
    check(case, as_server=True)


OMITTED = [
    Case(
        "4.3.1",
        "no encrypted_extensions",
        bend.on("encrypted_extensions", lambda _: []),
        UNEXPECTED,
        REASON,
    ),
    Case(
        "4.4.2",
        "no certificate",
        bend.on("certificate", lambda _: []),
        UNEXPECTED,
        REASON,
    ),
    Case(
        "4.4.3",
        "no certificate_verify",
        bend.on("certificate_verify", lambda _: []),
        UNEXPECTED,
        REASON,
    ),
    Case(
        "4.4.2",
        "neither certificate nor certificate_verify",
        bend.both(
            bend.on("certificate", lambda _: []),
            bend.on("certificate_verify", lambda _: []),
        ),
        UNEXPECTED,
        REASON,
    ),
    Case(
        "4.3.2",
        "two certificate_requests",
        bend.twice("certificate_request"),
        UNEXPECTED,
        REASON,
        forge=REQUEST,
    ),
    Case("4.4.2", "two certificates", bend.twice("certificate"), 10, REASON),
    Case(
        "4.4.3",
        "two certificate_verifies",
        bend.twice("certificate_verify"),
        UNEXPECTED,
        REASON,
    ),
    Case(
        "4.3.1",
        "two encrypted_extensions",
        bend.twice("encrypted_extensions"),
        UNEXPECTED,
        REASON,
    ),
]


@table(OMITTED)
def test_client_given_a_message_left_out_or_doubled_is_unexpected_message(
    case: Case,
) -> None:
    check(case, as_server=False)


@table(
    [
        Case(
            "4.4.3",
            "no certificate_verify",
            bend.on("certificate_verify", lambda _: []),
            UNEXPECTED,
            REASON,
            APPLICATION,
            forge=OWN,
            wishes=AUTH,
        ),
        Case(
            "4.4.2",
            "certificate not asked for",
            bend.on(
                "finished",
                lambda found: [sample(m.CERTIFICATE), found],
            ),
            UNEXPECTED,
            REASON,
            APPLICATION,
        ),
        Case(
            "4.4.2",
            "neither certificate nor certificate_verify",
            bend.both(
                bend.on("certificate", lambda _: []),
                bend.on("certificate_verify", lambda _: []),
            ),
            UNEXPECTED,
            REASON,
            APPLICATION,
            forge=OWN,
            wishes=AUTH,
        ),
        Case(
            "4.4.2",
            "two certificates",
            bend.twice("certificate"),
            UNEXPECTED,
            REASON,
            APPLICATION,
            forge=OWN,
            wishes=AUTH,
        ),
    ]
)
def test_server_given_a_message_left_out_or_doubled_is_unexpected_message(
    case: Case,
) -> None:
    check(case, as_server=True)
