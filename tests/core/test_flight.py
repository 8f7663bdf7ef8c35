"""The table of steps against the orders of RFC 8446, written by hand."""

from __future__ import annotations

from tests import flight
from tests.clauses import clause

SERVER_FLIGHT = [
    "server Certificate",
    "server CertificateVerify",
    "server Finished",
]
HELLOS = ["ClientHello", "ServerHello", "EncryptedExtensions"]
RETRY = [
    "ClientHello",
    "HelloRetryRequest",
    "ClientHello (second)",
    "ServerHello",
    "EncryptedExtensions",
]
ASKED = ["CertificateRequest", *SERVER_FLIGHT, "client Certificate"]
END = ["client Finished"]

# RFC 8446 2, figures 1 to 3, and appendix A.
BY_HAND = {
    (): [*HELLOS, *SERVER_FLIGHT, *END],
    ("client auth",): [*HELLOS, *ASKED, *END],
    ("client auth", "client certificate"): [
        *HELLOS,
        *ASKED,
        "client CertificateVerify",
        *END,
    ],
    ("PSK",): [*HELLOS, "server Finished", *END],
    # RFC 8446 2.3, figure 4.
    ("PSK", "early data"): [
        *HELLOS,
        "server Finished",
        "EndOfEarlyData",
        *END,
    ],
    ("retry",): [*RETRY, *SERVER_FLIGHT, *END],
    ("retry", "client auth"): [*RETRY, *ASKED, *END],
    ("retry", "client auth", "client certificate"): [
        *RETRY,
        *ASKED,
        "client CertificateVerify",
        *END,
    ],
    ("retry", "PSK"): [*RETRY, "server Finished", *END],
}

# RFC 8446 B.3.
TYPES = {
    "ClientHello": 1,
    "ClientHello (second)": 1,
    "ServerHello": 2,
    "HelloRetryRequest": 2,
    "EncryptedExtensions": 8,
    "CertificateRequest": 13,
    "server Certificate": 11,
    "client Certificate": 11,
    "server CertificateVerify": 15,
    "client CertificateVerify": 15,
    "server Finished": 20,
    "client Finished": 20,
    "EndOfEarlyData": 5,
    "NewSessionTicket": 4,
}

# RFC 5246 7.3, RFC 5077 3.1. The ServerHello of the other list comes first.
CCS = "change_cipher_spec"
BEGIN = ["ServerHello", "server Certificate", "ServerKeyExchange"]
CLIENT_END = [f"client {CCS}", "client Finished"]
SERVER_END = [f"server {CCS}", "server Finished"]
NST = ["NewSessionTicket"]
BY_HAND_12 = {
    (): [
        *BEGIN,
        "ServerHelloDone",
        "ClientKeyExchange",
        *CLIENT_END,
        *SERVER_END,
    ],
    ("client auth",): [
        *BEGIN,
        "CertificateRequest",
        "ServerHelloDone",
        "client Certificate",
        "ClientKeyExchange",
        *CLIENT_END,
        *SERVER_END,
    ],
    ("client auth", "client certificate"): [
        *BEGIN,
        "CertificateRequest",
        "ServerHelloDone",
        "client Certificate",
        "ClientKeyExchange",
        "client CertificateVerify",
        *CLIENT_END,
        *SERVER_END,
    ],
    # RFC 5489 2.
    ("PSK",): [
        "ServerHello",
        "ServerKeyExchange",
        "ServerHelloDone",
        "ClientKeyExchange",
        *CLIENT_END,
        *SERVER_END,
    ],
    ("resumed",): ["ServerHello", *SERVER_END, *CLIENT_END],
    ("resumed", "ticket"): ["ServerHello", *NST, *SERVER_END, *CLIENT_END],
}


@clause("RFC 8446 2", "RFC 8446 4", "RFC 8446 A")
def test_steps_when_expanded_give_the_orders_of_the_rfc() -> None:
    assert flight.every_order(flight.TLS13) == BY_HAND


@clause("RFC 5246 7.3", "RFC 5077 3.1", "RFC 6066 8")
def test_steps_of_tls12_when_expanded_give_the_orders_of_the_rfc() -> None:
    found = flight.every_order(flight.TLS12)

    for facts, names in list(BY_HAND_12.items()):
        if "resumed" not in facts:
            with_ticket = [*names[:-2], *NST, *names[-2:]]
            BY_HAND_12[(*facts, "ticket")] = with_ticket
    # RFC 6066 8: behind the Certificate, so not where there is none.
    for facts, names in list(BY_HAND_12.items()):
        shown = "resumed" not in facts and "PSK" not in facts
        at = 2 if shown else len(names)
        status = ["CertificateStatus"] if shown else []
        BY_HAND_12[(*facts, "status")] = [*names[:at], *status, *names[at:]]
    assert found == BY_HAND_12


@clause("RFC 8446 4.6.2")
def test_steps_of_an_authentication_give_the_orders_of_the_rfc() -> None:
    begin, end = ["CertificateRequest", "client Certificate"], END

    assert flight.every_order(flight.POST) == {
        (): [*begin, *end],
        ("client certificate",): [
            *begin,
            "client CertificateVerify",
            *end,
        ],
    }


@clause("RFC 8446 B.3")
def test_steps_have_the_message_types_of_the_rfc() -> None:
    assert {s.name: s.type for s in flight.steps()} == TYPES


@clause("RFC 8446 A")
def test_steps_are_sent_by_the_side_the_rfc_names() -> None:
    by_client = {s.name for s in flight.steps() if s.sender == flight.CLIENT}

    assert by_client == {
        "ClientHello",
        "ClientHello (second)",
        "client Certificate",
        "client CertificateVerify",
        "EndOfEarlyData",
        "client Finished",
    }
