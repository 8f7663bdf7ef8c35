"""The ticket key callback under every schedule.

Full handshakes whose tickets it seals, and resumed ones whose ticket it opens
and renews. Splits and ends are tried at every fifth byte: the handshake
around the tickets is the one of `test_schedules`, and reads of one byte go
through every place as well.
"""

from __future__ import annotations

import functools

import pytest

import pyssl as p
from tests.api.sessions import TLS12, TLS13, visit
from tests.api.test_ticket_key_cb import Keys, pair_of, sealed
from tests.clauses import clause
from tests.core import sweeps
from tests.core.sweeps import Scenario


@functools.cache
def scenario(version: int, resumed: bool) -> Scenario:
    """Make the scenario of a full or of a resumed handshake."""
    keys = Keys()
    pair = pair_of(version, keys, kind="ed25519")
    session = None
    if resumed:
        session, _ = visit(pair)
        keys.open = 2

    def ready(client: p.SSL, server: p.SSL) -> None:
        del server
        keys.drain()
        if session is not None:
            assert p.SSL_set_session(client, session.dup()) == 1

    def prove(client: p.SSL, server: p.SSL) -> None:
        for ssl in (client, server):
            assert p.SSL_session_reused(ssl) == int(resumed)
        found = p.SSL_get_session(client)
        assert found is not None
        assert p.SSL_SESSION_get0_ticket(found).startswith(keys.name)
        assert keys.drain() == ([0, 1] if resumed else sealed(version))

    return Scenario(pair, prove, ready)


EACH = pytest.mark.parametrize(
    ("version", "resumed"),
    [(TLS12, False), (TLS12, True), (TLS13, False), (TLS13, True)],
    ids=["1.2 sealed", "1.2 renewed", "1.3 sealed", "1.3 renewed"],
)


@EACH
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
@clause("TKT-2", "HS-9", "HS-10")
def test_ticket_when_reads_and_writes_are_cut_is_good(
    version: int, resumed: bool, step: int
) -> None:
    sweeps.cut(scenario(version, resumed), step)


@EACH
@clause("TKT-2", "HS-10")
def test_ticket_when_a_stream_is_split_is_good(
    version: int, resumed: bool
) -> None:
    sweeps.split(scenario(version, resumed), 5)


@EACH
@clause("TKT-2", "HS-6", "HS-7", "HS-12")
def test_ticket_when_the_nth_operation_retries_is_good(
    version: int, resumed: bool
) -> None:
    sweeps.retried(scenario(version, resumed), 1)


@EACH
@clause("TKT-2", "HS-16", "HS-22", "RW-8")
def test_ticket_when_a_stream_ends_fails(version: int, resumed: bool) -> None:
    sweeps.ended(scenario(version, resumed), 5)


@EACH
@clause("TKT-2", "RFC 8446 6.2", "CV-6")
def test_ticket_when_the_nth_allocation_fails_fails_cleanly(
    version: int, resumed: bool
) -> None:
    sweeps.starved(scenario(version, resumed))
