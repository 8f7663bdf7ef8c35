"""RFC 5746 and RFC 5246 7.4.1.1: renegotiation, which is never had."""

from __future__ import annotations

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import bend, messages as m, messages12 as m12
from tests.forge.keys12 import RENEGOTIATION_SCSV
from tests.forge.peer import HANDSHAKE
from tests.forge.victim import (
    FAILURE,
    NO_RENEGOTIATION,
    SEALED,
    SIDES,
    UNEXPECTED,
    Case12,
    Victim,
    check,
    connected,
    refused,
    works,
)

LEGACY = p.SSL_OP_LEGACY_SERVER_CONNECT
UNSAFE = p.SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED


def hello(info: bytes, suites: tuple[int, ...] = (0xC02B,)) -> bytes:
    """A ClientHello with this content of renegotiation_info."""
    found = m.ClientHello(suites=list(suites))
    found.put(m12.RENEGOTIATION_INFO, info)
    return bytes(found)


def attempts(victim: Victim) -> dict[str, bytes]:
    """Ways of a client to ask for another handshake (RFC 5746 3.5, 3.7)."""
    right = victim.forge.finished_sent
    return {
        "right verify_data": hello(m.vec(1, right)),
        "wrong verify_data": hello(m.vec(1, bytes(12))),
        "empty info": hello(b"\0"),
        "suite": hello(b"\0", (0xC02B, RENEGOTIATION_SCSV)),
        "nothing": bytes(m.ClientHello(suites=[0xC02B])),
        "TLS 1.3": bytes(
            m.ClientHello(extensions=[(m.SUPPORTED_VERSIONS, b"\2\3\4")])
        ),
        "rubbish": bytes(m.Raw(m.CLIENT_HELLO, b"x")),
    }


def asked(victim: Victim, message: bytes) -> None:
    """Ask for another handshake; the answer is a warning, no more."""
    victim.forge.record(HANDSHAKE, message)
    data, result = victim.read()
    assert (data, result) == (b"", (-1, p.SSL_ERROR_WANT_READ))
    found = [(a.level, a.description, a.epoch) for a in victim.forge.alerts]
    assert found == [(1, NO_RENEGOTIATION, SEALED)]
    victim.forge.alerts.clear()
    assert links.reasons() == []
    works(victim)


@clause("RFC 5746 4.5", "RFC 5746 3.7", "RFC 5246 7.2.2", "RW-28")
@pytest.mark.parametrize(
    "name",
    [
        *("right verify_data", "wrong verify_data", "empty info", "suite"),
        *("nothing", "TLS 1.3", "rubbish"),
    ],
)
def test_server12_asked_to_renegotiate_declines_and_goes_on(name: str) -> None:
    victim = connected(as_server=True, old=True)
    for _ in range(2):
        victim.forge.data.clear()
        asked(victim, attempts(victim)[name])


@clause("RFC 5246 7.4.1.1", "RFC 5746 4.2", "RW-28")
def test_client12_asked_to_renegotiate_declines_and_goes_on() -> None:
    victim = connected(as_server=False, old=True)
    for _ in range(2):
        victim.forge.data.clear()
        asked(victim, bytes(4))


@SIDES
@clause("RW-28", "RFC 5246 7.4.1.1")
def test_end12_asked_to_renegotiate_for_ever_gives_up(as_server: bool) -> None:
    message = hello(b"\0") if as_server else bytes(4)
    victim = connected(as_server=as_server, old=True)
    for _ in range(33):
        victim.forge.record(HANDSHAKE, message)
        _, result = victim.read()
    assert result == (-1, p.SSL_ERROR_SSL)
    assert links.reasons()[-1] == (p.ERR_LIB_SSL, p.SSL_R_NO_RENEGOTIATION)
    assert victim.forge.alerts[-1].description == FAILURE


@SIDES
@clause("RW-28", "RFC 5246 7.2.2")
def test_end12_refused_what_it_never_asked_for_aborts(as_server: bool) -> None:
    victim = connected(as_server=as_server, old=True)
    victim.forge.alert(NO_RENEGOTIATION, level=1)
    _, result = victim.read()
    reason = p.SSL_R_NO_RENEGOTIATION
    refused(victim, result, FAILURE, reason, SEALED)


@clause("RFC 5746 3.7", "RFC 5246 7.4.1.2")
def test_server12_asked_to_renegotiate_within_the_handshake_aborts() -> None:
    order = bend.then_record("ccs", HANDSHAKE, hello(b"\0"))
    check(Case12("5746 3.7", "within", order, UNEXPECTED), as_server=True)


# ---- SSL_OP_LEGACY_SERVER_CONNECT (RFC 5746 4.1) ----------------------------


@clause("RFC 5746 4.1", "RFC 5746 3.4")
@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@pytest.mark.parametrize("version", [0, p.TLS1_2_VERSION])
@pytest.mark.parametrize("allowed", [True, False])
def test_client12_of_a_server_without_renegotiation_info(
    allowed: bool, version: int, extended: bool
) -> None:
    case = Case12("5746 4.1", "legacy")
    case.forge = {"secure": False, "extended": extended}
    case.wishes = {"version": version}
    if allowed:
        case.prepare = lambda ssl: p.SSL_set_options(ssl, LEGACY)
    else:
        case.alert, case.reason = FAILURE, UNSAFE
        case.prepare = lambda ssl: p.SSL_clear_options(ssl, LEGACY)
    check(case, as_server=False)


@clause("RFC 5746 4.1")
def test_client12_legacy_connect_is_off_until_it_is_set() -> None:
    ctx = p.SSL_CTX_new(p.TLS_method())
    assert ctx is not None
    assert p.SSL_CTX_get_options(ctx) & LEGACY == 0
    p.SSL_CTX_set_options(ctx, LEGACY)
    assert p.SSL_get_options(links.new_ssl(ctx)) & LEGACY == LEGACY
    p.SSL_CTX_clear_options(ctx, LEGACY)
    assert p.SSL_get_options(links.new_ssl(ctx)) & LEGACY == 0


@clause("RFC 5746 4.1", "RFC 5246 7.4.1.1")
def test_client12_of_a_legacy_server_does_not_renegotiate_either() -> None:
    case = Case12("5746 4.1", "legacy", forge={"secure": False})
    case.prepare = lambda ssl: p.SSL_set_options(ssl, LEGACY)
    victim = check(case, as_server=False)
    victim.forge.data.clear()
    asked(victim, bytes(4))


@clause("RFC 5746 4.3", "RFC 5746 3.6")
def test_server12_of_a_client_without_renegotiation_info_goes_on() -> None:
    case = Case12("5746 4.3", "legacy", forge={"secure": False})
    victim = check(case, as_server=True)
    assert not victim.forge.answer.has(m12.RENEGOTIATION_INFO)
    victim.forge.data.clear()
    asked(victim, bytes(m.ClientHello(suites=[0xC02B])))
