"""RFC 5246 7.2.2: no octet of a message makes an internal error of itself.

What `test_rfc8446_6_mutation` does for TLS 1.3. The forge keeps the changed
message in its transcript, so that a change which means nothing must not
matter; every other must be refused in the one way that HS-18 allows.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import ForgeClient12, ForgeError, ForgeServer12, bend, keys12
from tests.forge.victim import (
    CLEAR,
    DECODE,
    ILLEGAL,
    SEALED,
    SIDES,
    Case12,
    Victim,
    check,
    client,
    dead,
    refused,
    server,
)
from tests.pki import ca
from tests.proto.test_rfc8446_6_mutation import ALERTS, MASKS, noise, run

FROM_SERVER = [
    *("server_hello", "certificate", "server_key_exchange"),
    *("certificate_request", "ticket", "finished"),
]
FROM_CLIENT = [
    *("client_hello", "certificate", "client_key_exchange"),
    *("certificate_verify", "finished"),
]
LONG = 200


def ready(as_server: bool) -> Victim:
    """Make a victim whose handshake has every message."""
    version = p.TLS1_2_VERSION
    if as_server:
        # No key pair of the forge's server is at stake: one suite, one group.
        forge: Any = ForgeClient12(
            ca.leaf(), suites=[keys12.ECDSA_AES_128], ticket=b""
        )
        return server(forge, client_auth=True, version=version)
    forge = ForgeServer12(ca.leaf(), request=[0x0403], tickets=True)
    return client(forge, version=version)


def mutants(as_server: bool, name: str) -> Any:
    """Give a victim for each octet of a message and each change of it."""
    probe = ready(as_server)
    size = bend.size_of(name, probe.forge, lambda: run(as_server, probe))
    for at in range(size):
        for mask in MASKS if size < LONG else (MASKS[at % len(MASKS)],):
            victim = ready(as_server)

            def change(body: bytes, at: int = at, mask: int = mask) -> bytes:
                if at >= len(body):
                    return body
                return body[:at] + bytes([body[at] ^ mask]) + body[at + 1 :]

            bend.body(name, change)(victim.forge)
            yield f"octet {at} ^ {mask:02x}", victim


def judged(what: str, victim: Victim, result: links.Outcome) -> None:
    """Nothing happened, or a proper refusal."""
    if result[1] == p.SSL_ERROR_WANT_READ:
        assert links.reasons() == [], what
        assert victim.forge.alerts == [], what
        return
    refused(victim, result, ALERTS, None, (CLEAR, SEALED))


@pytest.mark.parametrize("name", FROM_SERVER)
@clause("RFC 5246 7.2.2", "HS-18", "HS-22", "RW-33")
def test_client12_given_a_message_with_an_octet_changed_is_never_confused(
    name: str,
) -> None:
    for what, victim in mutants(False, name):
        judged(what, victim, run(False, victim))


@pytest.mark.parametrize("name", FROM_CLIENT)
@clause("RFC 5246 7.2.2", "HS-18", "HS-22", "RW-33")
def test_server12_given_a_message_with_an_octet_changed_is_never_confused(
    name: str,
) -> None:
    for what, victim in mutants(True, name):
        try:
            result = run(True, victim)
        except (KeyError, ForgeError):
            # A changed hello: the answer is not what the forge offered.
            assert name == "client_hello", what
            continue
        judged(what, victim, result)


@SIDES
@clause("RFC 5246 7.4", "RFC 5246 7.2.2")
def test_end12_told_of_a_message_longer_than_any_does_not_wait_for_it(
    as_server: bool,
) -> None:
    for name in (FROM_CLIENT if as_server else FROM_SERVER)[1:]:
        order = bend.on(name, longer)
        row = Case12("5246 7.4", name, order, (ILLEGAL, DECODE))
        row.reason, row.epoch = p.SSL_R_EXCESSIVE_MESSAGE_SIZE, (CLEAR, SEALED)
        if as_server:
            row.forge = {"identity": ca.leaf()}
            row.wishes = {"client_auth": True}
        else:
            row.forge = {"request": [0x0403], "tickets": True}
        check(row, as_server=as_server)


def longer(found: Any) -> list[bytes]:
    """Tell of the longest message, and send what there is of it."""
    return [bytes([found.kind]) + b"\xff\xff\xff" + found.body()]


@SIDES
@pytest.mark.parametrize("seed", range(20))
@clause("RFC 5246 6", "RFC 5246 7.2.2", "HS-18", "HS-22")
def test_random_records12_are_refused_or_mean_nothing(
    as_server: bool, seed: int
) -> None:
    names = [*(FROM_CLIENT if as_server else FROM_SERVER), "ccs"]
    for i in range(20):
        chance = random.Random(f"{seed} {i}")
        victim = ready(as_server)
        records = noise(chance)

        def act(peer: Any, records: Any = records) -> None:
            for in_clear, kind, content in records:
                (peer.clear if in_clear else peer.record)(kind, content)

        victim.forge.before(chance.choice(names), act)
        try:
            result = run(as_server, victim)
        except ForgeError as e:
            raise AssertionError(f"{seed} {i} {records}") from e
        queue, alerts = links.reasons(), victim.forge.alerts
        what = (seed, i, result, queue, alerts)
        if result[1] in {p.SSL_ERROR_WANT_READ, p.SSL_ERROR_ZERO_RETURN}:
            assert queue == [], what
            assert alerts == [], what
            continue
        assert result == (-1, p.SSL_ERROR_SSL), what
        received = queue[-1][1] > 1000
        assert [a.level for a in alerts] == ([] if received else [2]), what
        assert received or alerts[0].description in ALERTS, what
        dead(victim.peer)
