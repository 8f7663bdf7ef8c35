"""External PSKs under every schedule: cuts, retries, ends, lack of memory.

Splits and ends are tried at every byte with a key of a callback; with a
session as the key, and after a retry, at every third.
"""

from __future__ import annotations

import functools
from typing import Callable

import pytest

import pyssl as p
from tests.api.sessions import TLS12, TLS13
from tests.api.test_psk import NAME, contexts, session_of, with_sessions
from tests.clauses import clause
from tests.core import sweeps
from tests.core.sweeps import Scenario


def proves(ssl_reused: int) -> Callable[[p.SSL, p.SSL], None]:
    """Make what asserts that the key was used, as a session or not."""

    def prove(client: p.SSL, server: p.SSL) -> None:
        for ssl in (client, server):
            assert p.SSL_get_psk_identity(ssl) == NAME
            assert p.SSL_session_reused(ssl) == ssl_reused
            assert p.SSL_get_peer_certificate(ssl) is None

    return prove


@functools.cache
def scenario(name: str) -> Scenario:
    """Make the scenario of a name."""
    if name == "1.2":
        pair, _ = contexts(TLS12)
        assert p.SSL_CTX_use_psk_identity_hint(pair[1], b"a hint") == 1
        return Scenario(pair, proves(0), host=None)
    if name == "1.3 session":
        pair = with_sessions(session_of(0x1302), session_of(0x1302))
    else:
        pair, _ = contexts(TLS13)
    if name == "1.3 retry":
        assert p.SSL_CTX_set1_groups_list(pair[1], "P-256") == 1
    return Scenario(pair, proves(1), host=None)


STRIDES = {"1.2": 1, "1.3": 1, "1.3 session": 3, "1.3 retry": 3}
EACH = pytest.mark.parametrize("name", STRIDES)


@EACH
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
@clause("PSK-1", "PSK-2", "PSK-4", "HS-9", "HS-10")
def test_psk_when_reads_and_writes_are_cut_works(name: str, step: int) -> None:
    sweeps.cut(scenario(name), step)


@EACH
@clause("PSK-1", "PSK-2", "PSK-4", "HS-10")
def test_psk_when_a_stream_is_split_at_each_byte_works(name: str) -> None:
    sweeps.split(scenario(name), STRIDES[name])


@EACH
@clause("PSK-1", "PSK-2", "PSK-4", "HS-6", "HS-7", "HS-12")
def test_psk_when_the_nth_operation_retries_works(name: str) -> None:
    sweeps.retried(scenario(name), 1)


@EACH
@clause("PSK-1", "PSK-2", "PSK-4", "HS-16", "HS-22")
def test_psk_when_a_stream_ends_at_each_byte_fails(name: str) -> None:
    sweeps.ended(scenario(name), STRIDES[name])


@EACH
@clause("PSK-1", "PSK-2", "PSK-4", "RFC 8446 6.2", "CV-6")
def test_psk_when_the_nth_allocation_fails_fails_cleanly(name: str) -> None:
    sweeps.starved(scenario(name))
