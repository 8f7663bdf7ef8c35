"""RFC 7627 5.3, RFC 5246 7.3, RFC 5077 3: resumption against the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.api.sessions import CONTEXT, TLS12
from tests.clauses import clause
from tests.forge import (
    ForgeClient12,
    ForgeError,
    ForgeServer12,
    Session12,
    bend,
    messages as m,
    messages12 as m12,
)
from tests.forge.peer import CCS
from tests.forge.victim import (
    CLEAR,
    DECODE,
    DECRYPT,
    FAILURE,
    ILLEGAL,
    SEALED,
    UNEXPECTED,
    Case12,
    Victim,
    check,
    refused,
    table,
    works,
)
from tests.pki import ca

WAYS = pytest.mark.parametrize("tickets", [False, True], ids=["id", "ticket"])
SH, CH = "server_hello", "client_hello"


@dataclass
class Met:
    """A victim that may come back, and what its peer remembers.

    Attributes:
        ctx: the victim's context.
        session: of the forge; None before the first handshake.
        own: the client's session.
    """

    ctx: p.SSL_CTX
    tickets: bool
    session: Optional[Session12] = None
    own: Optional[p.SSL_SESSION] = None


def server_context(
    tickets: bool, extended: bool = True, version: int = TLS12
) -> p.SSL_CTX:
    """Make a context for servers that resume one way."""
    _, ctx = links.make_contexts(version=version)
    assert p.SSL_CTX_set_session_id_context(ctx, CONTEXT) == 1
    if not tickets:
        p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_TICKET)
    if not extended:
        p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    return ctx


def to_server(ctx: p.SSL_CTX, forge: ForgeClient12) -> Victim:
    """Tie a server of the context to the forge, which has begun."""
    ssl = links.new_ssl(ctx)
    p.SSL_set_accept_state(ssl)
    victim = Victim(ssl, forge)
    forge.start()
    victim.deliver()
    return victim


def met_server(tickets: bool, version: int = TLS12, **forge: Any) -> Met:
    """Let a server and a forge meet for the first time."""
    met = Met(server_context(tickets, version=version), tickets)
    first = ForgeClient12(ticket=b"" if tickets else None, **forge)
    victim = to_server(met.ctx, first)
    assert victim.handshake() == (1, 0), links.reasons()
    works(victim)
    met.session = first.session
    assert bool(met.session.ticket) == tickets
    assert len(met.session.id) == (0 if tickets else 32)
    close(victim)
    return met


def close(victim: Victim) -> None:
    """End in good order: nobody forgets the session."""
    assert p.SSL_shutdown(victim.ssl) == 0
    victim.deliver()
    victim.forge.alert(0, level=1)
    victim.deliver()
    assert p.SSL_shutdown(victim.ssl) == 1


def back_to_server(met: Met, order: Any = None, **forge: Any) -> Victim:
    """Come back with what is remembered."""
    asks = b"" if met.tickets else None
    again = ForgeClient12(resume=met.session, ticket=asks, **forge)
    if order is not None:
        order(again)
    return to_server(met.ctx, again)


def to_client(met: Met, forge: ForgeServer12) -> Victim:
    """Tie a client of the context to the forge."""
    ssl = links.new_ssl(met.ctx)
    p.SSL_set_connect_state(ssl)
    assert p.SSL_set_tlsext_host_name(ssl, links.HOST) == 1
    if met.own is not None:
        assert p.SSL_set_session(ssl, met.own) == 1
    return Victim(ssl, forge)


def met_client(tickets: bool, version: int = TLS12, **forge: Any) -> Met:
    """Let a client and a forge meet for the first time."""
    ctx, _ = links.make_contexts(version=version)
    met = Met(ctx, tickets)
    session_id = b"" if tickets else b"i" * 32
    first = ForgeServer12(
        ca.leaf(), tickets=tickets, session_id=session_id, **forge
    )
    victim = to_client(met, first)
    assert victim.handshake() == (1, 0), links.reasons()
    works(victim)
    met.own = p.SSL_get1_session(victim.ssl)
    assert met.own is not None
    assert p.SSL_SESSION_is_resumable(met.own)
    met.session = first.session
    close(victim)
    return met


def back_to_client(met: Met, order: Any = None, **forge: Any) -> Victim:
    """Let the client come back."""
    again = ForgeServer12(ca.leaf(), resume=met.session, **forge)
    if order is not None:
        order(again)
    return to_client(met, again)


def resumed(victim: Victim) -> bool:
    """Complete; was it a resumption, for both?"""
    assert victim.handshake() == (1, 0), links.reasons()
    works(victim)
    short = bool(p.SSL_session_reused(victim.ssl))
    assert victim.forge.resumed == short
    return short


# ---- what should work -------------------------------------------------------


@WAYS
@pytest.mark.parametrize("version", [TLS12, 0], ids=["1.2", "both"])
@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@clause("RFC 5246 7.3", "RFC 7627 5.3", "RFC 5077 3.1")
def test_session12_is_resumed_with_the_forge(
    tickets: bool, extended: bool, version: int
) -> None:
    met = met_server(tickets, version, extended=extended)
    for _ in range(3):
        victim = back_to_server(met, extended=extended)
        assert resumed(victim)
        close(victim)
    met = met_client(tickets, version, extended=extended)
    for _ in range(3):
        victim = back_to_client(met)
        assert resumed(victim)
        close(victim)


@WAYS
@clause("RFC 5077 3.4", "RFC 5246 7.3")
def test_client12_whose_session_is_not_known_starts_anew(
    tickets: bool,
) -> None:
    met = met_client(tickets)
    met.session = None
    assert not resumed(back_to_client(met))
    assert not resumed(back_to_client(met, session_id=b"n" * 32))


# ---- RFC 7627 5.3 -----------------------------------------------------------


@WAYS
@clause("RFC 7627 5.3")
def test_server12_offered_a_session_without_the_extension_it_had_aborts(
    tickets: bool,
) -> None:
    met = met_server(tickets)
    victim = back_to_server(met, extended=False)
    reason = p.SSL_R_INCONSISTENT_EXTMS
    refused(victim, victim.handshake(), FAILURE, reason, CLEAR)


@WAYS
@clause("RFC 7627 5.3")
def test_server12_offered_a_session_that_lacks_the_extension_starts_anew(
    tickets: bool,
) -> None:
    met = met_server(tickets, extended=False)
    victim = back_to_server(met, extended=True)
    assert not resumed(victim)
    assert victim.forge.extended


def says(kind: int, there: bool) -> Any:
    """Put an extension into the ServerHello, or take it out."""
    return bend.put(SH, kind, b"") if there else bend.drop(SH, kind)


@WAYS
@pytest.mark.parametrize("had", [True, False], ids=["EMS", "no-EMS"])
@clause("RFC 7627 5.3")
def test_client12_resumed_with_another_extension_aborts(
    tickets: bool, had: bool
) -> None:
    met = met_client(tickets, extended=had)
    victim = back_to_client(met, says(m12.EXTENDED_MASTER_SECRET, not had))
    reason = p.SSL_R_INCONSISTENT_EXTMS
    refused(victim, victim.handshake(), FAILURE, reason, CLEAR)


# ---- the hellos -------------------------------------------------------------

WRONG_HELLOS = [
    Case12(
        "5246 7.4.1.3",
        "another suite",
        bend.fields(SH, suite=0xC02B),
        ILLEGAL,
        p.SSL_R_OLD_SESSION_CIPHER_NOT_RETURNED,
    ),
    Case12(
        "5246 7.4.1.3",
        "suite not offered",
        bend.fields(SH, suite=0x002F),
        ILLEGAL,
        p.SSL_R_WRONG_CIPHER_RETURNED,
    ),
    Case12(
        "5746 3.4",
        "no renegotiation_info",
        bend.drop(SH, m12.RENEGOTIATION_INFO),
        FAILURE,
        p.SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
    ),
    Case12(
        "5746 3.4",
        "renegotiation_info not empty",
        bend.put(SH, m12.RENEGOTIATION_INFO, b"\x01x"),
        FAILURE,
        p.SSL_R_RENEGOTIATION_MISMATCH,
    ),
    Case12("5246 E.1", "version", bend.fields(SH, version=0x0302), 70),
    Case12(
        "5246 7.4.1.3", "compression", bend.fields(SH, compression=1), ILLEGAL
    ),
    Case12(
        "5246 7.3",
        "Certificate behind it",
        bend.on(
            "ccs", lambda found: [m12.Certificate(list(ca.leaf().chain_der))]
        ),
        UNEXPECTED,
    ),
    Case12(
        "5246 7.4.9",
        "wrong Finished",
        bend.fields("finished", verify_data=bytes(12)),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    Case12(
        "5246 7.4.9",
        "Finished of 13",
        bend.fields("finished", verify_data=bytes(13)),
        DECODE,
    ),
    Case12(
        "5246 7.1",
        "no change_cipher_spec",
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
        "change_cipher_spec before it",
        bend.then_record(SH, CCS, b"\x01"),
        UNEXPECTED,
        p.SSL_R_CCS_RECEIVED_EARLY,
    ),
    Case12(
        "5077 3.3",
        "ticket not announced",
        bend.ahead("ccs", m12.NewSessionTicket()),
        UNEXPECTED,
    ),
    Case12(
        "5077 3.3",
        "ticket announced and left out",
        says(m.SESSION_TICKET, there=True),
        UNEXPECTED,
    ),
]


@WAYS
@pytest.mark.parametrize("version", [TLS12, 0], ids=["1.2", "both"])
@table(WRONG_HELLOS)
def test_client12_resumed_wrongly_aborts(
    case: Case12, tickets: bool, version: int
) -> None:
    victim = back_to_client(met_client(tickets, version), case.bend)
    result = victim.handshake()
    refused(victim, result, case.alert or 0, case.reason, CLEAR)


@WAYS
@clause("RFC 8446 4.1.3")
def test_resumption12_has_the_downgrade_mark_too(tickets: bool) -> None:
    victim = back_to_server(met_server(tickets, 0))
    assert resumed(victim)
    assert victim.forge.answer.random[24:] == m.DOWNGRADE_12
    for mark in (m.DOWNGRADE_12, m.DOWNGRADE_11):
        order = bend.fields(SH, random=bytes(24) + mark)
        victim = back_to_client(met_client(tickets, 0), order)
        reason = p.SSL_R_INAPPROPRIATE_FALLBACK
        refused(victim, victim.handshake(), ILLEGAL, reason, CLEAR)


# A server has sent its Finished by then.
WRONG_ENDS = [
    Case12(
        "5246 7.4.9",
        "wrong Finished",
        bend.fields("finished", verify_data=bytes(12)),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    Case12(
        "5246 7.4.9",
        "Finished of 11",
        bend.fields("finished", verify_data=bytes(11)),
        DECODE,
    ),
    Case12(
        "5246 7.1",
        "no change_cipher_spec",
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
        "5246 7.3",
        "ClientKeyExchange though resumed",
        bend.ahead("ccs", m12.ClientKeyExchange(b"\x04" * 65)),
        UNEXPECTED,
    ),
]


@WAYS
@table(WRONG_ENDS)
def test_server12_whose_resumption_ends_wrongly_aborts(
    case: Case12, tickets: bool
) -> None:
    victim = back_to_server(met_server(tickets), case.bend)
    result = victim.handshake()
    refused(victim, result, case.alert or 0, case.reason, SEALED)


@WAYS
@clause("RFC 5246 7.4.1.2", "RFC 5246 7.4.1.3")
def test_server12_not_offered_the_old_suite_starts_anew(tickets: bool) -> None:
    met = met_server(tickets, suites=[0xC02B])
    victim = back_to_server(met, suites=[0xC02C])
    assert not resumed(victim)
    assert victim.forge.schedule.suite.number == 0xC02C


@WAYS
@clause("RFC 6066 3")
def test_server12_asked_for_another_name_starts_anew(tickets: bool) -> None:
    met = met_server(tickets)
    assert not resumed(back_to_server(met, host=b"other.test"))


@clause("RFC 5246 F.1.4", "RFC 5246 7.2.2")
def test_server12_forgets_a_session_whose_connection_failed() -> None:
    met = met_server(tickets=False)
    victim = back_to_server(met)
    assert victim.handshake() == (1, 0)
    victim.forge.sealer.seq += 1
    victim.forge.write(b"x")
    _, result = victim.read()
    refused(victim, result, 20, epoch=SEALED)
    assert not resumed(back_to_server(met))


@WAYS
@clause("RFC 5246 7.2.2", "RFC 5077 3.4")
def test_server12_given_a_wrong_secret_for_a_session_aborts(
    tickets: bool,
) -> None:
    met = met_server(tickets)
    assert met.session is not None
    met.session.master = bytes(48)
    victim = back_to_server(met)
    # The forge cannot open what the server sends, and neither can the
    # server open what the forge would send.
    with pytest.raises(ForgeError):
        victim.handshake()
    forge = victim.forge
    forge.take()
    forge.change()
    forge.record(22, bytes(m.Finished(bytes(12))))
    victim.peer.feed(forge.take())
    assert victim.peer.handshake() == (-1, p.SSL_ERROR_SSL)
    reason = p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    assert links.reasons() == [(p.ERR_LIB_SSL, reason)]


# ---- RFC 5077 ---------------------------------------------------------------


def cut_tickets(ticket: bytes) -> list[bytes]:
    """Tickets that are none, made of one."""
    n = len(ticket)
    bad = [ticket[:-1], ticket + b"\0", ticket[:16], b"\0", b"x" * 5000]
    for at in (0, 8, 16, 20, n // 2, n - 1):
        one = bytearray(ticket)
        one[at] ^= 1
        bad.append(bytes(one))
    return bad


@clause("RFC 5077 3.1", "RFC 5077 4")
def test_server12_given_a_ticket_it_did_not_make_starts_anew() -> None:
    met = met_server(tickets=True)
    assert met.session is not None
    good = met.session
    for ticket in cut_tickets(good.ticket):
        met.session = Session12(
            b"", ticket, good.master, good.suite, good.extended
        )
        victim = back_to_server(met)
        assert not resumed(victim)
        assert victim.forge.ticket not in {b"", ticket}


@clause("RFC 5077 3.4")
def test_server12_that_takes_a_ticket_echoes_the_id() -> None:
    met = met_server(tickets=True)
    for session_id in (b"i", b"i" * 32):
        victim = back_to_server(met, session_id=session_id)
        assert resumed(victim)
        assert victim.forge.answer.session_id == session_id


TICKETS = [
    Case12(
        "5077 3.3",
        "octet behind",
        bend.trailing("ticket"),
        DECODE,
        forge={"tickets": True},
    ),
    Case12(
        "5077 3.3",
        "empty message",
        bend.swap("ticket", 4, b""),
        DECODE,
        forge={"tickets": True},
    ),
    Case12(
        "5077 3.3",
        "shorter than it says",
        bend.swap("ticket", 4, b"\0\0\0\1\0\x02x"),
        DECODE,
        forge={"tickets": True},
    ),
    Case12(
        "5077 3.3",
        "form of TLS 1.3",
        bend.on("ticket", lambda _found: [m.NewSessionTicket()]),
        DECODE,
        forge={"tickets": True},
    ),
    Case12(
        "5077 3.3",
        "not announced",
        bend.ahead("ccs", m12.NewSessionTicket()),
        UNEXPECTED,
    ),
    Case12(
        "5077 3.3",
        "announced and left out",
        bend.leave("ticket"),
        UNEXPECTED,
        forge={"tickets": True},
    ),
    Case12(
        "5077 3.3",
        "before the client is done",
        bend.ahead("server_hello_done", m12.NewSessionTicket()),
        UNEXPECTED,
        epoch=CLEAR,
        forge={"tickets": True},
    ),
]


@table(TICKETS)
def test_client12_given_a_wrong_ticket_aborts(case: Case12) -> None:
    epoch = CLEAR if case.name.startswith("before") else SEALED
    check(Case12(**{**vars(case), "epoch": epoch}), as_server=False)


@clause("RFC 5077 3.3")
def test_client12_given_an_empty_ticket_has_none() -> None:
    case = Case12("5077 3.3", "empty", bend.fields("ticket", ticket=b""))
    case.forge = {"tickets": True}
    victim = check(case, as_server=False)
    session = p.SSL_get1_session(victim.ssl)
    assert session is not None
    assert not p.SSL_SESSION_has_ticket(session)
    assert not p.SSL_SESSION_is_resumable(session)


@clause("RFC 5077 3.3")
def test_server12_sends_no_ticket_to_who_did_not_ask() -> None:
    ctx = server_context(tickets=True)
    victim = to_server(ctx, ForgeClient12())
    assert not resumed(victim)
    assert 4 not in [kind for kind, _ in victim.forge.seen]
    victim = to_server(ctx, ForgeClient12(ticket=b""))
    assert not resumed(victim)
    assert [kind for kind, _ in victim.forge.seen].count(4) == 1
    assert 0 < victim.forge.lifetime <= 7 * 24 * 3600


@WAYS
@clause("RFC 5246 F.1.4")
def test_server12_session_is_none_for_another_context(tickets: bool) -> None:
    met = met_server(tickets)
    met.ctx = server_context(tickets)
    assert not resumed(back_to_server(met))
