"""RFC 8446 6: no octet of a message can be changed into an internal error.

The forge keeps the changed message in its own transcript, so a change that
means nothing (a random octet) must not matter; every other must be refused
in the one way that HS-18 allows.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import (
    ForgeClient,
    ForgeError,
    ForgeServer,
    bend,
    keys,
    messages as m,
)
from tests.forge.victim import (
    APPLICATION,
    CLEAR,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    Case,
    Victim,
    check,
    client,
    dead,
    refused,
    server,
    table,
)
from tests.pki import ca

# Anything but internal_error and the closure alerts.
ALERTS = (10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 50, 51, 70, 109, 110)
MASKS = (0x01, 0x80, 0xFF)
LONG = 200


def ready(as_server: bool, name: str) -> Victim:
    """Make a victim whose handshake has a message of that name."""
    if as_server:
        with_share = name != "client_hello_2"
        forge: Any = ForgeClient(ca.leaf(), shares=None if with_share else [])
        victim = server(forge, client_auth=True)
    else:
        forge = ForgeServer(
            ca.leaf(),
            suite=keys.AES_128,
            request=[0x0403],
            retry=keys.P384 if name == "retry" else None,
            cookie=b"cookie" if name == "retry" else b"",
        )
        victim = client(forge)
    return victim


def run(as_server: bool, victim: Victim) -> links.Outcome:
    """Drive a handshake and one read."""
    if as_server:
        victim.forge.start()
        victim.deliver()
    result = victim.handshake()
    if result == (1, 0) and victim.forge.done:
        _, result = victim.read()
    return result


def mutants(as_server: bool, name: str) -> Any:
    """Give a victim for each octet of a message and each change of it.

    In a long message each octet has one of the changes.
    """
    probe = ready(as_server, name)
    size = bend.size_of(name, probe.forge, lambda: run(as_server, probe))
    for at in range(size):
        for mask in MASKS if size < LONG else (MASKS[at % len(MASKS)],):
            victim = ready(as_server, name)

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
    epochs = (CLEAR, HANDSHAKE, APPLICATION)
    refused(victim, result, ALERTS, None, epochs)


CLIENT = [
    "server_hello",
    "retry",
    "encrypted_extensions",
    "certificate_request",
    "certificate",
    "certificate_verify",
    "finished",
]
SERVER = [
    "client_hello",
    "client_hello_2",
    "certificate",
    "certificate_verify",
    "finished",
]


@pytest.mark.parametrize("name", CLIENT)
@clause("RFC 8446 6", "HS-18", "HS-22", "RW-33")
def test_client_given_a_message_with_an_octet_changed_is_never_confused(
    name: str,
) -> None:
    for what, victim in mutants(False, name):
        try:
            result = run(False, victim)
        except (KeyError, ForgeError):
            # A changed retry: the second hello is not what the forge wants.
            # A changed share: both sides have keys of their own.
            if name == "server_hello":
                queue = links.reasons()
                assert queue == [(p.ERR_LIB_SSL, 281)], (what, queue)
                dead(victim.peer)
            else:
                assert name == "retry", what
            continue
        judged(what, victim, result)


@pytest.mark.parametrize("name", SERVER)
@clause("RFC 8446 6", "HS-18", "HS-22", "RW-33")
def test_server_given_a_message_with_an_octet_changed_is_never_confused(
    name: str,
) -> None:
    for what, victim in mutants(True, name):
        try:
            result = run(True, victim)
        except (KeyError, ForgeError):
            # A changed hello: the answer is not what the forge offered.
            assert name.startswith("client_hello"), what
            continue
        judged(what, victim, result)


@table(
    Case(
        "4",
        f"{name} of 2^24 - 1 octets",
        bend.on(
            name,
            lambda found: [m.Raw(found.kind, found.body(), 0xFFFFFF)],
        ),
        (ILLEGAL, DECODE),
        p.SSL_R_EXCESSIVE_MESSAGE_SIZE,
        forge={"request": [0x0403]},
    )
    for name in CLIENT[2:]
)
def test_client_told_of_a_message_longer_than_any_does_not_wait_for_it(
    case: Case,
) -> None:
    check(case, as_server=False)


@table(
    Case(
        "4",
        f"{name} of 2^24 - 1 octets",
        bend.on(
            name,
            lambda found: [m.Raw(found.kind, found.body(), 0xFFFFFF)],
        ),
        (ILLEGAL, DECODE),
        p.SSL_R_EXCESSIVE_MESSAGE_SIZE,
        APPLICATION,
        forge={"identity": ca.leaf()},
        wishes={"client_auth": True},
    )
    for name in SERVER[2:]
)
def test_server_told_of_a_message_longer_than_any_does_not_wait_for_it(
    case: Case,
) -> None:
    check(case, as_server=True)


# ---- records at random ----------------------------------------------------

KINDS = (20, 21, 22, 22, 22, 23, 23, 24, 0, 255)
HEADS = tuple(bytes([kind]) for kind in range(26))


def noise(chance: random.Random) -> list[tuple[bool, int, bytes]]:
    """Make a few records: in the clear or not, type, content."""
    found = []
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice(KINDS)
        content = chance.randbytes(chance.choice((0, 1, 2, 3, 5, 40, 700)))
        if kind == 22 and content:
            content = chance.choice(HEADS) + b"\0\0" + content
        if kind == 21:
            content = bytes([chance.choice((1, 2, 3)), *content[:1]])
        found.append((chance.random() < 0.3, kind, content))
    return found


def disturb(victim: Victim, chance: random.Random, names: list[str]) -> None:
    """Put the noise before one of the messages."""
    records = noise(chance)

    def act(peer: Any) -> None:
        for in_clear, kind, content in records:
            (peer.clear if in_clear else peer.record)(kind, content)

    victim.forge.before(chance.choice(names), act)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("as_server", [False, True], ids=["client", "server"])
@clause("RFC 8446 5", "RFC 8446 6", "HS-18", "HS-22")
def test_random_records_are_refused_or_mean_nothing(
    as_server: bool, seed: int
) -> None:
    names = SERVER if as_server else CLIENT
    for i in range(20):
        chance = random.Random(f"{seed} {i}")
        victim = ready(as_server, chance.choice(names))
        disturb(victim, chance, names)
        try:
            result = run(as_server, victim)
        except ForgeError as e:
            raise AssertionError(f"{seed} {i}") from e
        queue = links.reasons()
        alerts = victim.forge.alerts
        what = (seed, i, result, queue, alerts)
        if result[1] in (p.SSL_ERROR_WANT_READ, p.SSL_ERROR_ZERO_RETURN):
            assert queue == [], what
            assert alerts == [], what
            continue
        assert result == (-1, p.SSL_ERROR_SSL), what
        received = queue[-1][1] > 1000
        assert [a.level for a in alerts] == ([] if received else [2]), what
        assert received or alerts[0].description in ALERTS, what
        dead(victim.peer)
