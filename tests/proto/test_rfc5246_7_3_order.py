"""RFC 5246 7.1, 7.3, 7.4: messages out of order, change_cipher_spec astray."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import bend, messages as m, messages12 as m12
from tests.forge.peer import APPLICATION_DATA, CCS
from tests.forge.victim import (
    CLEAR,
    DECODE,
    ILLEGAL,
    SEALED,
    SIDES,
    UNEXPECTED,
    Case12,
    check,
    make,
    table,
)
from tests.pki import ca

EARLY = p.SSL_R_CCS_RECEIVED_EARLY
REQUEST = {"request": [0x0403]}
AUTHENTICATES = {"identity": ca.leaf()}
DEMANDS = {"client_auth": True, "client": ca.leaf()}

# What each side sends in a full handshake with client authentication and a
# ticket, and the other side's orders to get there.
FROM_SERVER = (
    *("server_hello", "certificate", "server_key_exchange"),
    *("certificate_request", "server_hello_done", "ticket", "ccs"),
    "finished",
)
FROM_CLIENT = (
    *("client_hello", "certificate", "client_key_exchange"),
    *("certificate_verify", "ccs", "finished"),
)


def of_server(**more: Any) -> dict[str, Any]:
    """Arguments of a forged server that sends every message."""
    return {**REQUEST, "tickets": True, **more}


def behind_keys(name: str) -> str:
    """Which keys the victim's alert has once the forge is at this message."""
    return SEALED if name in {"ticket", "ccs", "finished"} else CLEAR


def case_of(
    server: bool, name: str, what: str, order: Any, alert: Any = UNEXPECTED
) -> Case12:
    """Make a row for a client (the forge is the server) or a server."""
    row = Case12("5246 7.3", f"{name} {what}", order, alert)
    if server:
        row.forge, row.wishes = AUTHENTICATES, DEMANDS
    else:
        row.forge, row.epoch = of_server(), behind_keys(name)
    return row


# Left out. Without the request the client has nothing to answer, so all is
# well; without ServerHelloDone or Finished the other side waits.
LEFT_OUT_C = [
    case_of(False, name, "left out", bend.leave(name))
    for name in FROM_SERVER
    if name not in {"certificate_request", "server_hello_done", "finished"}
]
LEFT_OUT_S = [
    case_of(True, name, "left out", bend.leave(name))
    for name in FROM_CLIENT
    if name not in {"client_hello", "finished", "ccs"}
]
# A second change_cipher_spec is read under the keys that the first one set.
TWICE = {"ccs": 20}
DOUBLED_C = [
    case_of(
        False,
        name,
        "doubled",
        bend.twice(name),
        TWICE.get(name, UNEXPECTED),
    )
    for name in FROM_SERVER
    if name not in {"server_hello_done", "ticket", "finished"}
]
DOUBLED_S = [
    case_of(
        True,
        name,
        "doubled",
        bend.twice(name),
        TWICE.get(name, UNEXPECTED),
    )
    for name in FROM_CLIENT
    if name != "finished"
]


@table([*LEFT_OUT_C, *DOUBLED_C])
def test_client12_missing_or_given_twice_a_message_aborts(
    case: Case12,
) -> None:
    check(case, as_server=False)


@table([*LEFT_OUT_S, *DOUBLED_S])
def test_server12_missing_or_given_twice_a_message_aborts(
    case: Case12,
) -> None:
    check(case, as_server=True)


@clause("RFC 5246 7.3")
def test_client12_given_server_hello_done_twice_aborts() -> None:
    def order(forge: Any) -> None:
        forge.after(
            "server_hello_done", lambda peer: peer.record(22, b"\x0e\0\0\0")
        )

    row = Case12("5246 7.3", "again", order, UNEXPECTED, epoch=SEALED)
    check(row, as_server=False)


@SIDES
@pytest.mark.parametrize("name", ["server_hello_done", "finished"])
@clause("RFC 5246 7.3")
def test_end12_that_waits_for_the_end_of_a_flight_reads(
    name: str, as_server: bool
) -> None:
    if name == "server_hello_done" and as_server:
        name = "ccs"
    row = Case12("5246 7.3", "wait", lambda forge: forge.on(name, stop))
    victim = make(row, as_server=as_server)
    assert victim.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    assert victim.forge.alerts == []


def stop(peer: Any, _found: object) -> list[Any]:
    """Send nothing from here on."""
    peer.mute()
    return []


# Messages that may not come there. A client passes over a HelloRequest.
STRANGERS = {
    "client_hello": m.ClientHello(suites=[0xC02B]),
    "server_hello": m.ServerHello(suite=0xC02B),
    "end_of_early_data": m.Raw(m.END_OF_EARLY_DATA),
    "encrypted_extensions": m.EncryptedExtensions(),
    "key_update": m.KeyUpdate(),
    "certificate_url": m.Raw(m.CERTIFICATE_URL, b"\0\0\0"),
    "certificate_status": m.Raw(m.CERTIFICATE_STATUS, b"\x01\0\0\x01x"),
    "hello_verify_request": m.Raw(3, b"\xfe\xff\0"),
    "supplemental_data": m.Raw(23, b"\0\0\0"),
    "message_hash": m.Raw(m.MESSAGE_HASH, bytes(32)),
    "finished": m.Finished(bytes(12)),
    "unknown": m.Raw(99, b"x"),
}


def strangers(server: bool, names: tuple[str, ...]) -> list[Case12]:
    """Rows: each stranger before each message."""
    rows = []
    for name in names:
        for who, message in STRANGERS.items():
            if who == name:
                continue  # it comes at its place
            order = bend.ahead(name, message)
            row = case_of(server, name, f"behind {who}", order)
            if name == "finished":
                row.epoch = CLEAR if server else SEALED
                if who == "finished":
                    continue
            rows.append(row)
    return rows


@table(strangers(False, ("server_hello", *FROM_SERVER[1:5], "ticket", "ccs")))
def test_client12_given_a_strange_message_aborts(case: Case12) -> None:
    check(case, as_server=False)


@table(strangers(True, FROM_CLIENT[1:5]))
def test_server12_given_a_strange_message_aborts(case: Case12) -> None:
    check(case, as_server=True)


@pytest.mark.parametrize("who", [w for w in STRANGERS if w != "finished"])
@SIDES
@clause("RFC 5246 7.4.9")
def test_message12_between_ccs_and_finished_is_unexpected(
    who: str, as_server: bool
) -> None:
    order = bend.ahead("finished", STRANGERS[who])
    row = Case12("5246 7.4.9", who, order, UNEXPECTED)
    row.epoch = CLEAR if as_server else SEALED
    check(row, as_server=as_server)


# ---- HelloRequest -----------------------------------------------------------


@clause("RFC 5246 7.4.1.1")
@pytest.mark.parametrize("name", FROM_SERVER[1:7])
def test_client12_passes_over_a_hello_request(name: str) -> None:
    def order(forge: Any) -> None:
        # RFC 5246 7.4.1.1: no part of the transcript.
        forge.before(name, lambda peer: peer.record(22, bytes(4)))

    row = Case12("5246 7.4.1.1", "passed over", order, forge=of_server())
    check(row, as_server=False)


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("name", [*FROM_SERVER[1:6], "ccs"])
@clause("RFC 5246 7.4.1.1", "RFC 5246 6.2.1")
def test_client12_passes_over_a_hello_request_in_two_records(
    name: str, at: int
) -> None:
    def order(forge: Any) -> None:
        def halves(peer: Any) -> None:
            peer.record(22, bytes(at))
            peer.record(22, bytes(4 - at))

        forge.before(name, halves)

    row = Case12("5246 7.4.1.1", "in two records", order, forge=of_server())
    check(row, as_server=False)


def requests(count: int) -> bend.Bend:
    """Send HelloRequests, each in a record of its own."""

    def send(peer: Any) -> None:
        for _ in range(count):
            peer.record(22, bytes(4))

    return lambda forge: forge.before("certificate", send)


HELLO_REQUESTS = [
    Case12("5246 7.4.1.1", "one by one", requests(5), UNEXPECTED),
    Case12(
        "5246 7.4.1.1",
        "half of one, then another message",
        bend.then_record("certificate", 22, bytes(2)),
        UNEXPECTED,
    ),
    Case12(
        "5246 7.4.1.1",
        "many",
        lambda forge: forge.before(
            "certificate", lambda peer: peer.record(22, bytes(4 * 100))
        ),
        UNEXPECTED,
    ),
    Case12(
        "5246 7.4.1.1",
        "not empty",
        bend.ahead("certificate", m.Raw(m.HELLO_REQUEST, b"x")),
        UNEXPECTED,
    ),
]


@clause("RFC 5246 7.4.1.1")
def test_client12_passes_over_some_hello_requests() -> None:
    row = Case12("5246 7.4.1.1", "some", requests(4), forge=of_server())
    check(row, as_server=False)


@table(HELLO_REQUESTS)
def test_client12_given_wrong_hello_requests_aborts(case: Case12) -> None:
    check(case, as_server=False)


@clause("RFC 5246 7.4.1.1")
@pytest.mark.parametrize("name", FROM_CLIENT[:5])
def test_server12_given_a_hello_request_aborts(name: str) -> None:
    order = bend.ahead(name, m.Raw(m.HELLO_REQUEST))
    check(case_of(True, name, "hello_request", order), as_server=True)


# ---- change_cipher_spec -----------------------------------------------------


def ccs_before(name: str, content: bytes = b"\x01") -> bend.Bend:
    """Send change_cipher_spec before a message, without new keys."""
    return bend.then_record(name, CCS, content)


CCS_C = [
    Case12(
        "5246 7.1",
        f"before {name}",
        ccs_before(name),
        UNEXPECTED,
        # Before the version is known it may be the dummy of TLS 1.3; it is
        # held against the server once that turns out not to be so.
        EARLY,
        forge=of_server(),
        epoch=behind_keys(name),
    )
    for name in FROM_SERVER[:5]
]
CCS_S = [
    Case12(
        "5246 7.1",
        f"before {name}",
        ccs_before(name),
        UNEXPECTED,
        EARLY if name != "client_hello" else None,
        forge=AUTHENTICATES,
        wishes=DEMANDS,
    )
    for name in FROM_CLIENT[:4]
]


@table(CCS_C)
def test_client12_given_an_early_ccs_aborts(case: Case12) -> None:
    check(case, as_server=False)


@table(CCS_S)
def test_server12_given_an_early_ccs_aborts(case: Case12) -> None:
    check(case, as_server=True)


@clause("RFC 5246 7.1", "RFC 5246 7.3")
@pytest.mark.parametrize("version", [0, p.TLS1_2_VERSION])
def test_client12_of_both_versions_given_an_early_ccs_aborts(
    version: int,
) -> None:
    for name in ("server_hello", "certificate", "server_hello_done"):
        row = Case12("5246 7.1", name, ccs_before(name), UNEXPECTED, EARLY)
        row.wishes = {"version": version}
        check(row, as_server=False)
        links.reasons()


CCS_WRONG = [
    *(
        Case12(
            "5246 7.1",
            f"of {content.hex() or 'nothing'}",
            bend.on("ccs", lambda _f, c=content: [m12.ChangeCipherSpec(c)]),
            ILLEGAL,
            p.SSL_R_BAD_CHANGE_CIPHER_SPEC,
        )
        for content in (b"", b"\0", b"\x02", b"\xff", b"\x01\x01", bytes(100))
    ),
    Case12(
        "5246 7.1",
        "left out, Finished in the clear",
        bend.both(
            bend.leave("ccs"),
            lambda forge: forge.before(
                "finished", lambda peer: setattr(peer, "sealer", None)
            ),
        ),
        UNEXPECTED,
        p.SSL_R_GOT_A_FIN_BEFORE_A_CCS,
    ),
    Case12(
        "5246 7.1",
        "behind half a message",
        bend.then_record("ccs", 22, b"\x14\0\0\x0c"),
        UNEXPECTED,
    ),
    Case12(
        "5246 7.1",
        "behind an octet of a message",
        bend.then_record("ccs", 22, b"\x14"),
        UNEXPECTED,
    ),
    Case12(
        "5246 7.1",
        "twice",
        lambda forge: forge.after("ccs", lambda peer: peer.clear(CCS, b"\1")),
        (UNEXPECTED, 20),
    ),
]


@SIDES
@table(CCS_WRONG)
def test_ccs12_that_is_wrong_aborts(case: Case12, as_server: bool) -> None:
    epoch = CLEAR if as_server else SEALED
    check(Case12(**{**vars(case), "epoch": epoch}), as_server=as_server)


@SIDES
@table(
    [
        Case12(
            "5246 7.1",
            "once connected",
            None,
            UNEXPECTED,
            EARLY,
            SEALED,
            lambda forge: forge.record(CCS, b"\x01"),
        ),
        Case12(
            "5246 7.1",
            "empty once connected",
            None,
            UNEXPECTED,
            EARLY,
            SEALED,
            lambda forge: forge.record(CCS, b""),
        ),
    ]
)
def test_ccs12_once_connected_aborts(case: Case12, as_server: bool) -> None:
    check(case, as_server=as_server)


# ---- application data, messages behind the handshake ------------------------


DATA = [
    Case12(
        "5246 7.4.9",
        "in the clear",
        bend.then_clear("ccs", APPLICATION_DATA, b"data"),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
    Case12(
        "5246 7.4.9",
        "before Finished",
        bend.then_record("finished", APPLICATION_DATA, b"data"),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
    Case12(
        "5246 7.4.9",
        "empty before Finished",
        bend.then_record("finished", APPLICATION_DATA, b""),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
]


@SIDES
@table(DATA)
def test_data12_before_the_end_aborts(case: Case12, as_server: bool) -> None:
    epoch = CLEAR if as_server else SEALED
    check(Case12(**{**vars(case), "epoch": epoch}), as_server=as_server)


AFTERWARDS = [
    Case12(
        "5246 7.3",
        f"{name} once connected",
        None,
        alert,
        None,
        SEALED,
        lambda forge, message=message: (
            forge.send(bytes(message)),
            forge.flush(),
        ),
    )
    for name, message, alert in (
        ("Finished", m.Finished(bytes(12)), UNEXPECTED),
        ("Certificate", m12.Certificate([]), UNEXPECTED),
        ("KeyUpdate", m.KeyUpdate(), UNEXPECTED),
        ("ticket", m12.NewSessionTicket(), UNEXPECTED),
        ("unknown", m.Raw(99), UNEXPECTED),
        ("ServerHello", m.ServerHello(suite=0xC02B), UNEXPECTED),
    )
]


@SIDES
@table(AFTERWARDS)
def test_message12_once_connected_aborts(
    case: Case12, as_server: bool
) -> None:
    check(case, as_server=as_server)


@table(
    [
        Case12(
            "5246 7.4.1.1",
            "HelloRequest that is not empty",
            None,
            DECODE,
            None,
            SEALED,
            lambda forge: forge.record(22, b"\0\0\0\x01x"),
        )
    ]
)
def test_client12_once_connected_given_a_wrong_hello_request_aborts(
    case: Case12,
) -> None:
    check(case, as_server=False)
