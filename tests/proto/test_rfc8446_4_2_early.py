"""RFC 8446 2.3, 4.2.10, 4.5: early data from, and to, a wrong peer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api import links
from tests.api.sessions import TLS13, contexts, link_of, visit
from tests.clauses import clause
from tests.forge import bend, keys, messages as m
from tests.forge.early import EarlyClient, EarlyServer, Ticket
from tests.forge.victim import (
    APPLICATION,
    CLEAR,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    UNEXPECTED,
    Victim,
    refused,
    works,
)
from tests.pki import ca

LIMIT = 1000
ACCEPTED, REJECTED = p.SSL_EARLY_DATA_ACCEPTED, p.SSL_EARLY_DATA_REJECTED
NAME_128 = "TLS_AES_128_GCM_SHA256"
NAME_CHACHA = "TLS_CHACHA20_POLY1305_SHA256"
BAD_MAC, DECRYPT_ERROR, UNSUPPORTED, VERSION = 20, 51, 110, 70
TOO_MUCH = p.SSL_R_TOO_MUCH_EARLY_DATA
CH, CH2, SH = "client_hello", "client_hello_2", "server_hello"
EE, EOED, FIN = "encrypted_extensions", "end_of_early_data", "finished"
DATA = 23


def ticket_of(session: p.SSL_SESSION) -> Ticket:
    """Give the forge what a session holds."""
    native = session._native()
    return Ticket(
        p.SSL_SESSION_get0_ticket(session),
        p.SSL_SESSION_get_master_key(session),
        int(lib.pys_session_number(native, lib.PYS_SESSION_AGE_ADD)),
        int(lib.pys_session_number(native, lib.PYS_SESSION_SUITE)),
    )


@dataclass
class Early:
    """One rule of RFC 8446: how the forge is bent, and what must follow.

    Attributes:
        rfc: The section.
        name: Unique within a table.
        bend: Orders to the forge.
        alert: What the victim sends; None if the handshake completes.
        status: What the victim says of the early data then.
        reason: The newest code's SSL_R_ number.
        epoch: The keys of the alert.
        forge: Arguments of the forge.
        prepare: What is done to the contexts before the session is used.
    """

    rfc: str
    name: str
    bend: Optional[Callable[[Any], object]] = None
    alert: Union[int, tuple[int, ...], None] = None
    status: int = ACCEPTED
    reason: Optional[int] = None
    epoch: Union[str, tuple[str, ...]] = APPLICATION
    forge: dict[str, Any] = field(default_factory=dict)
    prepare: Optional[Callable[[Any, Any], object]] = None


def table(*cases: Early) -> pytest.MarkDecorator:
    """Turn rows into the parameter `case` of a test."""
    params = [
        pytest.param(
            case,
            id=f"{case.rfc}-{case.name}".replace(" ", "_"),
            marks=clause(f"RFC 8446 {case.rfc}"),
        )
        for case in cases
    ]
    return pytest.mark.parametrize("case", params)


def resumable() -> tuple[Any, Any, p.SSL_SESSION]:
    """Make contexts and a session that allows early data."""
    client_ctx, server_ctx = contexts(TLS13)
    p.SSL_CTX_set_ciphersuites(server_ctx, NAME_128)
    p.SSL_CTX_set_max_early_data(server_ctx, LIMIT)
    session, _ = visit((client_ctx, server_ctx))
    return client_ctx, server_ctx, session


# ---- a server under test ---------------------------------------------------


def take_early(victim: Victim) -> tuple[bytes, links.Outcome]:
    """Read early data to its end, then complete: data and last outcome."""
    got = b""
    for _ in range(100):
        buf = bytearray(16384)
        ret, n = p.SSL_read_early_data(victim.ssl, buf)
        code = p.SSL_get_error(victim.ssl, ret)
        got += buf[:n]
        moved = victim.deliver()
        if ret == p.SSL_READ_EARLY_DATA_FINISH:
            return got, victim.handshake()
        if ret == 0 and (code != p.SSL_ERROR_WANT_READ or not moved):
            return got, (-1, code)
    raise AssertionError("reading does not end")


def run_server(case: Early) -> tuple[Victim, bytes]:
    """Run a case with `pyssl` as the server."""
    client_ctx, server_ctx, session = resumable()
    ticket = ticket_of(session)
    if case.prepare is not None:
        case.prepare(client_ctx, server_ctx)
    forge = EarlyClient(ticket, **case.forge)
    if case.bend is not None:
        case.bend(forge)
    ssl = links.make_ends(client_ctx, server_ctx)[1]
    victim = Victim(ssl, forge)
    forge.start()
    victim.deliver()
    got, result = take_early(victim)
    if case.alert is None:
        assert result == (1, 0), (result, links.reasons())
        assert p.SSL_get_early_data_status(ssl) == case.status
        works(victim)
    else:
        refused(victim, result, case.alert, case.reason, case.epoch)
    return victim, got


def with_chacha(client_ctx: p.SSL_CTX, server_ctx: p.SSL_CTX) -> None:
    """Let the server choose another suite of the same hash."""
    del client_ctx
    p.SSL_CTX_set_ciphersuites(server_ctx, NAME_CHACHA)


def with_p384(client_ctx: p.SSL_CTX, server_ctx: p.SSL_CTX) -> None:
    """Let the server ask for another share."""
    del client_ctx
    p.SSL_CTX_set1_groups_list(server_ctx, "P-384")


def limit_10(client_ctx: p.SSL_CTX, server_ctx: p.SSL_CTX) -> None:
    """Let the server take ten bytes."""
    del client_ctx
    p.SSL_CTX_set_recv_max_early_data(server_ctx, 10)


FOREIGN = m.vec(2, b"of somebody else") + bytes(4)
# An external PSK that a client offers behind its ticket.
NAME, KEY = b"someone", b"\x05" * 20


def with_external(client_ctx: p.SSL_CTX, server_ctx: p.SSL_CTX) -> None:
    """Let the client offer a second identity."""
    del server_ctx
    p.SSL_CTX_set_psk_client_callback(client_ctx, lambda *_: (NAME, KEY))


def take_second(forge: Any) -> None:
    """Take the second identity, with its key."""
    forge.schedule.psk = KEY
    bend.put(SH, m.PRE_SHARED_KEY, b"\0\1")(forge)


@table(
    Early("4.2.10", "one record"),
    Early("4.2.10", "no record", forge={"early": ()}),
    Early("4.2.10", "as much as allowed", forge={"early": (b"e" * LIMIT,)}),
    Early("4.2.10", "some empty records", forge={"early": (b"",) * 30}),
    Early(
        "D.4",
        "without a session id",
        forge={"session_id": b""},
    ),
    Early(
        "5.1",
        "end of early data in two records",
        bend.on(
            EOED,
            lambda found: [
                lambda peer: setattr(peer, "fragment", 2),
                found,
                lambda peer: setattr(peer, "fragment", 16384),
            ],
        ),
    ),
)
def test_server_sent_early_data_accepts(case: Early) -> None:
    _, got = run_server(case)
    sent = case.forge.get("early", (b"early",))
    assert got == b"".join(sent)


@table(
    Early("8.3", "age a minute too high", forge={"age": 60000}),
    Early("8.3", "age a minute too low", forge={"age": -60000}),
    Early("4.2.10", "another suite", prepare=with_chacha),
    Early("4.2.10", "another name", forge={"host": b"other.test"}),
    Early(
        "4.2.10",
        "not the first identity",
        forge={"before": (FOREIGN,)},
    ),
    Early("4.1.4", "retry", prepare=with_p384),
    Early(
        "4.1.4",
        "retry, long records",
        prepare=with_p384,
        forge={"early": (bytes(16384),)},
    ),
    Early(
        "4.2.10",
        "many records",
        forge={"early": (b"e" * 100,) * 50, "age": 60000},
    ),
    Early(
        "4.2.10",
        "a protocol that was not chosen before",
        prepare=lambda _, ctx: p.SSL_CTX_set_alpn_select_cb(
            ctx, lambda *_: (p.SSL_TLSEXT_ERR_OK, b"h2")
        ),
        forge={"extensions": [(m.ALPN, m.protocols([b"h2"]))]},
    ),
)
def test_server_that_cannot_take_early_data_passes_over_it(
    case: Early,
) -> None:
    case.status = REJECTED
    victim, got = run_server(case)
    assert got == b""
    assert not victim.forge.accepted()


def seal_corrupt(peer: Any) -> None:
    """Send early data whose tag is wrong."""
    whole = peer.sealer.seal(b"early\x17")
    peer.raw(whole[:-1] + bytes([whole[-1] ^ 1]))


def finish_early(peer: Any) -> None:
    """Send Finished under the early keys, without EndOfEarlyData."""
    made = peer.schedule.verify_data(peer.traffic)
    peer.send(bytes(m.Finished(made)))


def end_with(*more: bytes) -> Callable[[Any], Any]:
    """Put messages into the record of EndOfEarlyData."""

    def change(found: Any) -> list[Any]:
        whole = bytes(found) + b"".join(more)
        return [lambda peer: peer.record(22, whole)]

    return bend.on(EOED, change)


@table(
    Early(
        "4.5",
        "end of early data left out",
        bend.on(EOED, lambda _: []),
        BAD_MAC,
    ),
    Early(
        "4.5",
        "Finished in its place",
        bend.on(EOED, lambda _: [finish_early]),
        UNEXPECTED,
    ),
    Early(
        "4.5",
        "end of early data twice",
        lambda forge: forge.before(FIN, lambda peer: peer.send(b"\5\0\0\0")),
        UNEXPECTED,
    ),
    Early(
        "4.5",
        "end of early data twice in a record",
        end_with(b"\5\0\0\0"),
        UNEXPECTED,
        reason=p.SSL_R_NOT_ON_RECORD_BOUNDARY,
    ),
    Early(
        "5.1",
        "octet behind end of early data",
        end_with(b"\x14"),
        UNEXPECTED,
        reason=p.SSL_R_NOT_ON_RECORD_BOUNDARY,
    ),
    Early(
        "4.5",
        "end of early data under handshake keys",
        bend.on(
            EOED,
            lambda found: [
                lambda peer: setattr(peer, "sealer", peer._handshake),
                found,
            ],
        ),
        BAD_MAC,
    ),
    Early(
        "4.5",
        "end of early data with a body",
        bend.on(EOED, lambda _: [m.Raw(5, b"\0")]),
        DECODE,
    ),
    Early(
        "4.5",
        "early data behind its end",
        lambda forge: forge.after(EOED, lambda peer: peer.write(b"late")),
        BAD_MAC,
    ),
    Early(
        "4.5",
        "application data behind its end",
        lambda forge: forge.before(FIN, lambda peer: peer.write(b"late")),
        UNEXPECTED,
    ),
    *(
        Early(
            "4.5",
            f"message {kind} among early data",
            lambda forge, kind=kind: forge.before(
                EOED, lambda peer: peer.send(bytes(m.Raw(kind, b"\0")))
            ),
            UNEXPECTED,
            reason=p.SSL_R_UNEXPECTED_MESSAGE,
        )
        for kind in (0, 1, 2, 4, 8, 11, 13, 15, 20, 24, 99, 254)
    ),
    Early(
        "4.2.10",
        "record that does not open",
        lambda forge: forge.before(EOED, seal_corrupt),
        BAD_MAC,
    ),
    Early(
        "4.2.10",
        "early data in the clear",
        lambda forge: forge.before(EOED, lambda peer: peer.clear(23, b"x")),
        (UNEXPECTED, BAD_MAC),
    ),
    Early(
        "4.6.1",
        "more than the ticket allows",
        None,
        UNEXPECTED,
        reason=TOO_MUCH,
        forge={"early": (b"e" * LIMIT, b"e")},
    ),
    Early(
        "4.6.1",
        "more than is taken",
        None,
        UNEXPECTED,
        reason=TOO_MUCH,
        prepare=limit_10,
        forge={"early": (b"e" * 11,)},
    ),
    Early(
        "5.4",
        "empty records without end",
        None,
        UNEXPECTED,
        forge={"early": (b"",) * 40},
    ),
    Early(
        "5.1",
        "early data inside a message",
        bend.on(
            EOED,
            lambda _: [
                lambda peer: peer.record(22, b"\5\0"),
                lambda peer: peer.write(b"x"),
            ],
        ),
        UNEXPECTED,
    ),
    Early(
        "4.2.10",
        "too much that was not taken",
        None,
        UNEXPECTED,
        reason=TOO_MUCH,
        forge={"early": (bytes(16384),) * 4, "age": 60000},
    ),
)
def test_server_given_wrong_early_data_aborts(case: Early) -> None:
    run_server(case)


@table(
    Early(
        "4.2.11",
        "wrong binder",
        lambda forge: setattr(forge, "bad_binder", True),
        DECRYPT_ERROR,
        epoch=CLEAR,
    ),
    Early(
        "4.2.10",
        "early data in the second hello",
        bend.on(
            CH2, lambda hello: hello.extensions.insert(0, (m.EARLY_DATA, b""))
        ),
        ILLEGAL,
        epoch=CLEAR,
        prepare=with_p384,
    ),
    Early(
        "4.2.10",
        "extension not empty",
        bend.on(CH, lambda hello: hello.put(m.EARLY_DATA, b"\0")),
        DECODE,
        epoch=CLEAR,
    ),
    Early(
        "4.1.4",
        "early data without end before the second hello",
        None,
        UNEXPECTED,
        reason=TOO_MUCH,
        epoch=CLEAR,
        prepare=with_p384,
        forge={"early": (bytes(16384),) * 4},
    ),
)
def test_server_given_a_wrong_offer_of_early_data_aborts(case: Early) -> None:
    run_server(case)


@clause("RFC 8446 4.5", "RFC 8446 4.2.10")
def test_server_that_refused_takes_no_end_of_early_data() -> None:
    run_server(
        Early(
            "4.5",
            "end without acceptance",
            lambda forge: forge.before(
                FIN, lambda peer: peer.send(b"\5\0\0\0")
            ),
            UNEXPECTED,
            forge={"age": 60000},
        )
    )


@clause("RFC 8446 6", "ED-3")
@pytest.mark.parametrize("alert", [80, 40, 0, 90])
def test_server_heeds_an_alert_among_early_data(alert: int) -> None:
    client_ctx, server_ctx, session = resumable()
    forge = EarlyClient(ticket_of(session))
    victim = Victim(links.make_ends(client_ctx, server_ctx)[1], forge)
    forge.start()
    forge.alert(alert, 1 if alert in (0, 90) else 2)
    victim.deliver()
    got, result = take_early(victim)
    assert got == b"early"
    if alert == 90:  # user_canceled says nothing by itself
        assert result == (1, 0)
    elif alert == 0:
        assert result == (-1, p.SSL_ERROR_ZERO_RETURN)
    else:
        assert result == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [1000 + alert]


@clause("RFC 8446 4.2.10", "ED-5")
@pytest.mark.parametrize("retry", [False, True])
def test_server_given_early_data_without_a_session_passes_over_it(
    retry: bool,
) -> None:
    _, server_ctx, session = resumable()
    ticket = ticket_of(session)
    unknown = Ticket(b"unknown", ticket.psk, 0, ticket.suite)
    forge = EarlyClient(unknown, shares=[] if retry else None)
    victim = Victim(links.make_ends(server_ctx=server_ctx)[1], forge)
    forge.start()
    victim.deliver()
    got, result = take_early(victim)
    assert (got, result) == (b"", (1, 0)), links.reasons()
    works(victim)


# ---- a client under test ---------------------------------------------------


def run_client(case: Early, early: bytes = b"early") -> Victim:
    """Run a case with `pyssl` as the client."""
    client_ctx, server_ctx, session = resumable()
    wishes = {"identity": ca.leaf(), **case.forge}
    forge = EarlyServer(ticket_of(session), **wishes)
    if case.prepare is not None:
        case.prepare(client_ctx, server_ctx)
    if case.bend is not None:
        case.bend(forge)
    ssl = links.make_ends(client_ctx, server_ctx)[0]
    p.SSL_set_session(ssl, session)
    victim = Victim(ssl, forge)
    assert p.SSL_write_early_data(ssl, early) == (1, len(early))
    result = victim.handshake()
    if case.alert is None:
        assert result == (1, 0), (result, links.reasons())
        assert p.SSL_get_early_data_status(ssl) == case.status
        works(victim)
    else:
        refused(victim, result, case.alert, case.reason, case.epoch)
    return victim


@clause("RFC 8446 2.3", "RFC 8446 4.5", "ED-2")
@pytest.mark.parametrize("size", [1, LIMIT])
def test_client_sends_early_data_and_its_end(size: int) -> None:
    victim = run_client(Early("2.3", "accepted"), b"e" * size)
    forge = victim.forge
    assert bytes(forge.early) == b"e" * size
    # Early data, its end, Finished, and what `works` sent.
    epochs = [r.epoch for r in forge.records]
    assert epochs == ["clear"] * 2 + ["early"] * 2 + [
        "handshake",
        "application",
    ]
    assert [kind for kind, _ in forge.seen] == [1, 5, 20]


@table(
    Early("4.2.10", "resumed", forge={"accept": False}),
    Early(
        "4.2.10",
        "full handshake",
        forge={"accept": False, "resume": False},
    ),
    Early(
        "4.1.4",
        "retry",
        forge={"accept": False, "retry": keys.P256},
    ),
    Early(
        "4.1.4",
        "retry with a cookie",
        forge={"accept": False, "cookie": b"cookie"},
    ),
    Early(
        "4.2.10",
        "full handshake with another suite",
        forge={"accept": False, "resume": False, "suite": keys.CHACHA},
    ),
    Early(
        "4.2.10",
        "another identity",
        take_second,
        forge={"accept": False},
        prepare=with_external,
    ),
    Early(
        "4.2.10",
        "full handshake with another hash",
        forge={"accept": False, "resume": False, "suite": keys.AES_256},
    ),
)
def test_client_whose_early_data_is_refused_completes(case: Early) -> None:
    case.status = REJECTED
    victim = run_client(case)
    hellos = victim.forge.hellos
    assert hellos[0].has(m.EARLY_DATA)
    for second in hellos[1:]:
        assert not second.has(m.EARLY_DATA)
    assert len(hellos) == 2 - (case.rfc == "4.2.10")


@table(
    Early(
        "4.2.10",
        "accepted with another suite",
        None,
        ILLEGAL,
        forge={"suite": keys.CHACHA},
        epoch=(HANDSHAKE, "early"),
    ),
    Early(
        "4.2.10",
        "accepted with another protocol",
        bend.put(EE, m.ALPN, m.protocols([b"h2"])),
        ILLEGAL,
        epoch="early",
        prepare=lambda ctx, _: p.SSL_CTX_set_alpn_protos(ctx, b"\x02h2"),
    ),
    # RFC 8446 4.2.11: the selected identity must be 0 then.
    Early(
        "4.2.11",
        "accepted with another identity",
        take_second,
        ILLEGAL,
        reason=p.SSL_R_BAD_EXTENSION,
        epoch="early",
        prepare=with_external,
    ),
    Early(
        "4.2.10",
        "extension not empty",
        bend.put(EE, m.EARLY_DATA, b"\0"),
        DECODE,
        epoch="early",
    ),
    Early(
        "4.2.10",
        "extension twice",
        bend.double(EE, m.EARLY_DATA),
        ILLEGAL,
        epoch="early",
    ),
    Early(
        "4.3.2",
        "certificate request in a PSK handshake",
        lambda forge: forge.before(
            FIN,
            lambda peer: peer.send(
                bytes(
                    m.CertificateRequest(
                        b"", [(m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03")]
                    )
                )
            ),
        ),
        UNEXPECTED,
        epoch="early",
    ),
    Early(
        "4.5",
        "end of early data from a server",
        lambda forge: forge.before(FIN, lambda peer: peer.send(b"\5\0\0\0")),
        UNEXPECTED,
        epoch="early",
    ),
    Early(
        "4.4.4",
        "wrong Finished",
        bend.body(FIN, lambda body: bytes(len(body))),
        DECRYPT_ERROR,
        epoch="early",
    ),
)
def test_client_given_a_wrong_answer_to_early_data_aborts(
    case: Early,
) -> None:
    run_client(case)


def broken_by(case: Early, forge: EarlyServer) -> None:
    """The client fails; its alert may be under keys that are gone."""
    client_ctx, server_ctx, session = resumable()
    forge.ticket = ticket_of(session)
    if forge.resume:
        forge.schedule.psk = forge.ticket.psk
    if case.prepare is not None:
        case.prepare(client_ctx, server_ctx)
    assert case.bend is not None
    case.bend(forge)
    ssl = links.make_ends(client_ctx)[0]
    p.SSL_set_session(ssl, session)
    peer = links.RawPeer(ssl)
    assert p.SSL_write_early_data(ssl, b"early") == (1, 5)
    flight = peer.sent()
    head = 5 + int.from_bytes(flight[3:5], "big")
    forge.feed(flight[:head])
    peer.feed(forge.take())
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert ssl.report().alert_sent == case.alert, links.reasons()


BLANK = Ticket(b"", b"", 0, keys.AES_128)


@clause("RFC 8446 4.2.11", "RFC 8446 4.2.10")
def test_client_given_early_data_without_its_session_aborts() -> None:
    forge = EarlyServer(BLANK, resume=False, identity=ca.leaf())
    broken_by(Early("4.2.10", "", lambda _: None, ILLEGAL), forge)


@clause("RFC 8446 4.2.11")
@pytest.mark.parametrize("offered", [1, 2])
@pytest.mark.parametrize("accept", [True, False])
def test_client_given_an_identity_it_did_not_offer_aborts(
    offered: int, accept: bool
) -> None:
    case = Early(
        "4.2.11",
        "",
        bend.put(SH, m.PRE_SHARED_KEY, m.u16(offered)),
        ILLEGAL,
        prepare=with_external if offered == 2 else None,
    )
    broken_by(case, EarlyServer(BLANK, accept=accept, identity=ca.leaf()))
    assert links.reasons() == [(p.ERR_LIB_SSL, p.SSL_R_BAD_PSK_IDENTITY)]


@clause("RFC 8446 4.1.4", "RFC 8446 4.2.10")
def test_client_given_early_data_after_a_retry_aborts() -> None:
    client_ctx, _, session = resumable()
    forge = EarlyServer(
        ticket_of(session),
        accept=False,
        identity=ca.leaf(),
        retry=keys.P256,
        extensions=[(m.EARLY_DATA, b"")],
    )
    ssl = links.make_ends(client_ctx)[0]
    p.SSL_set_session(ssl, session)
    victim = Victim(ssl, forge)
    assert p.SSL_write_early_data(ssl, b"early") == (1, 5)
    refused(victim, victim.handshake(), UNSUPPORTED)


@clause("RFC 8446 D.3")
@pytest.mark.parametrize("version", [0, p.TLS1_3_VERSION])
def test_client_that_sent_early_data_takes_no_lower_version(
    version: int,
) -> None:
    client_ctx, _, session = resumable()
    p.SSL_CTX_set_min_proto_version(client_ctx, version)
    p.SSL_CTX_set_max_proto_version(client_ctx, version)
    forge = EarlyServer(
        ticket_of(session), accept=False, resume=False, identity=ca.leaf()
    )

    def older(hello: m.ServerHello) -> None:
        hello.drop(m.SUPPORTED_VERSIONS)
        hello.drop(m.KEY_SHARE)
        hello.suite = 0xC02B

    bend.on(SH, older)(forge)
    ssl = links.make_ends(client_ctx)[0]
    p.SSL_set_session(ssl, session)
    peer = links.RawPeer(ssl)
    assert p.SSL_write_early_data(ssl, b"early") == (1, 5)
    flight = peer.sent()
    forge.feed(flight[: 5 + int.from_bytes(flight[3:5], "big")])
    peer.feed(forge.take())
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert ssl.report().alert_sent == VERSION
    assert not ssl.report().established


@clause("RFC 8446 4.2.10", "RFC 8446 4.2.11.1")
def test_client_offers_early_data_with_the_session_and_its_age() -> None:
    client_ctx, _, session = resumable()
    ticket = ticket_of(session)
    forge = EarlyServer(ticket, identity=ca.leaf())
    link = link_of((client_ctx, client_ctx), session)
    victim = Victim(link.client, forge)
    assert p.SSL_write_early_data(victim.ssl, b"early") == (1, 5)
    assert victim.handshake() == (1, 0)
    hello = forge.hellos[0]
    assert [kind for kind, _ in hello.extensions][-2:] == [
        m.EARLY_DATA,
        m.PRE_SHARED_KEY,
    ]
    assert hello.get(m.EARLY_DATA) == b""
    r = m.Reader(hello.get(m.PRE_SHARED_KEY))
    offered = m.Reader(r.vec(2))
    assert offered.vec(2) == ticket.ticket
    age = (offered.number(4) - ticket.age_add) % 2**32
    assert age < 60000
    assert not offered.more()
