"""SSL_key_update(3): contract RW-29."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import links, wire
from tests.api.links import reasons
from tests.api.wire import BROKEN, FAILED, WANT_READ
from tests.clauses import clause
from tests.forge.victim import SIDES, Victim, connected

ASKED, NOT_ASKED = p.SSL_KEY_UPDATE_REQUESTED, p.SSL_KEY_UPDATE_NOT_REQUESTED
UPDATE_BODY = 1 + 4 + 17


def updates(victim: Victim) -> list[int]:
    """Give the requests of the KeyUpdates that the forge was sent."""
    return [body[0] for kind, body in victim.forge.seen if kind == 24]


@clause("RW-29")
@SIDES
@pytest.mark.parametrize("request_", [NOT_ASKED, ASKED])
def test_key_update_takes_effect_with_the_next_write(
    as_server: bool, request_: int
) -> None:
    victim = connected(as_server=as_server)
    assert p.SSL_key_update(victim.ssl, request_) == 1
    assert victim.peer.sent() == b""
    assert victim.peer.write(b"new keys") == (8, 0)
    octets = victim.peer.sent()
    assert wire.records(octets) == [(23, UPDATE_BODY), (23, 25)]
    victim.forge.feed(octets)
    assert updates(victim) == [request_]
    assert bytes(victim.forge.data) == b"new keys"
    # Only once.
    assert victim.peer.write(b"again") == (5, 0)
    assert wire.records(victim.peer.sent()) == [(23, 22)]


@clause("RW-29")
def test_key_update_between_two_of_us_changes_both_directions() -> None:
    link = links.connected()
    for ssl in (link.client, link.server, link.client):
        for request in (NOT_ASKED, ASKED):
            assert p.SSL_key_update(ssl, request) == 1
            link.send(ssl, b"under new keys")
            peer = link.peer_of(ssl)
            assert wire.write(peer, b"answer") == (6, 0)
            out = link.server_out if peer is link.server else link.client_out
            wanted = [(23, UPDATE_BODY)] * request + [(23, 23)]
            octets = links.take(out)
            assert wire.records(octets) == wanted
            into = link.client_in if peer is link.server else link.server_in
            links.put(into, octets)
            assert links.read(ssl) == b"answer"


@clause("RW-29")
@SIDES
def test_key_update_requested_by_the_peer_is_answered_by_a_write(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    for _ in range(3):
        victim.forge.update(1)
    victim.forge.write(b"data")
    victim.peer.feed(victim.forge.take())
    assert wire.read(victim.ssl) == (4, 0)
    # The read itself sends nothing.
    assert victim.peer.sent() == b""
    assert victim.peer.write(b"reply") == (5, 0)
    victim.deliver()
    # RFC 8446 4.6.3: one answer may do for several.
    assert updates(victim) == [0]
    assert bytes(victim.forge.data) == b"reply"


@clause("RW-29")
@SIDES
@pytest.mark.parametrize("io", [wire.read, wire.peek])
def test_key_update_of_the_peer_is_honoured_in_any_read(
    as_server: bool, io: Any
) -> None:
    victim = connected(as_server=as_server)
    victim.forge.update(0)
    victim.forge.write(b"data")
    victim.peer.feed(victim.forge.take())
    assert io(victim.ssl) == (4, 0)
    assert victim.peer.write(b"x") == (1, 0)
    victim.deliver()
    assert updates(victim) == []


@clause("RW-29", "SD-6")
@SIDES
def test_key_update_of_the_peer_is_honoured_while_closing(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    assert victim.peer.shutdown() == (0, p.SSL_ERROR_SYSCALL)
    victim.forge.update(1)
    victim.forge.alert(0, level=1)
    victim.deliver()
    assert victim.peer.shutdown() == (1, 0)
    assert updates(victim) == []


@clause("RW-29", "RW-18")
def test_key_update_during_a_pending_write_waits_for_the_next_record() -> None:
    link = links.connected()
    half, net = links.bio_pair(2000)
    p.SSL_set0_wbio(link.client, half)
    data = wire.pattern(100_000)
    assert wire.write(link.client, data) == wire.WANT_WRITE
    assert p.SSL_key_update(link.client, NOT_ASKED) == 1
    octets = b""
    while True:
        octets += links.take(net)
        ret = p.SSL_write(link.client, data)
        if ret > 0:
            break
        assert links.outcome(link.client, ret) == wire.WANT_WRITE
    octets += links.take(net)
    bodies = [body for _, body in wire.records(octets)]
    assert bodies.count(UPDATE_BODY) == 1
    assert bodies.index(UPDATE_BODY) > 0
    links.put(link.server_in, octets)
    got = b""
    while len(got) < len(data):
        got += links.read(link.server)
    assert got == data


@clause("RW-29", "GE-6")
@pytest.mark.parametrize("kind", [p.SSL_KEY_UPDATE_NONE, 2, -2, 255, 1 << 40])
def test_key_update_of_another_type_is_refused(kind: int) -> None:
    link = links.connected()
    assert p.SSL_key_update(link.client, kind) == 0
    assert reasons() == [(20, p.SSL_R_INVALID_KEY_UPDATE_TYPE)]
    assert wire.write(link.client, b"x") == (1, 0)
    assert wire.records(links.take(link.client_out)) == [(23, 18)]


@clause("RW-29")
def test_key_update_before_the_handshake_is_over_is_refused() -> None:
    link = links.make_link()
    for _ in range(2):
        assert p.SSL_key_update(link.client, ASKED) == 0
        assert reasons() == [(20, p.SSL_R_STILL_IN_INIT)]
        assert p.SSL_do_handshake(link.client) == -1
    link.established()


@clause("RW-29", "RW-23")
def test_key_update_after_our_close_notify_is_refused() -> None:
    link = links.connected()
    assert p.SSL_shutdown(link.client) == 0
    assert p.SSL_key_update(link.client, ASKED) == 0
    assert reasons() == [(20, p.SSL_R_PROTOCOL_IS_SHUTDOWN)]


@clause("RW-29")
@SIDES
@pytest.mark.parametrize("request_", [0, 1])
def test_key_updates_up_to_32_in_a_row_are_obeyed(
    as_server: bool, request_: int
) -> None:
    victim = connected(as_server=as_server)
    for _ in range(3):
        for _ in range(32):
            victim.forge.update(request_)
        victim.forge.write(b"data")
    assert victim.read() == (b"data" * 3, WANT_READ)


@clause("RW-29", "HS-18", "RW-33")
@SIDES
def test_key_updates_more_than_32_in_a_row_are_too_many(
    as_server: bool,
) -> None:
    victim = connected(as_server=as_server)
    victim.forge.write(b"data")
    for _ in range(33):
        victim.forge.update(0)
    victim.forge.write(b"never seen")
    assert victim.read() == (b"data", FAILED)
    assert reasons() == [(20, p.SSL_R_TOO_MANY_KEY_UPDATES)]
    victim.deliver()
    assert len(victim.forge.alerts) == 1
    assert wire.read(victim.ssl) == BROKEN
