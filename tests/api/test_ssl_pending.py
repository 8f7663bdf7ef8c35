"""SSL_pending(3), SSL_set_read_ahead(3): contract 5.3, RW-30 to RW-32."""

from __future__ import annotations

import pytest

import pyssl as p
from tests.api import links, wire
from tests.api.wire import WANT_READ, deliver, sealed
from tests.clauses import clause


@clause("RW-30")
def test_pending_counts_what_is_left_of_the_record() -> None:
    link = links.connected()
    assert p.SSL_pending(link.client) == 0
    deliver(link, b"first", b"second")
    # Undecrypted bytes do not count.
    assert p.SSL_pending(link.client) == 0
    assert links.read(link.client, 2) == b"fi"
    assert p.SSL_pending(link.client) == 3
    assert links.read(link.client, 3) == b"rst"
    assert p.SSL_pending(link.client) == 0
    assert wire.peeked(link.client, 1) == b"s"
    assert p.SSL_pending(link.client) == 6


@clause("RW-30")
def test_pending_is_0_in_every_other_state() -> None:
    link = links.make_link()
    assert p.SSL_pending(link.client) == 0
    while not p.SSL_is_init_finished(link.server):
        link.step()
        assert p.SSL_pending(link.client) == 0
        assert p.SSL_pending(link.server) == 0
    deliver(link, b"data")
    assert links.read(link.client, 1) == b"d"
    assert p.SSL_clear(link.client) == 1
    assert p.SSL_pending(link.client) == 0


@clause("RW-31", "RW-32")
def test_has_pending_sees_what_read_ahead_took() -> None:
    link = links.connected()
    p.SSL_set_read_ahead(link.client, 1)
    assert p.SSL_has_pending(link.client) == 0
    deliver(link, b"first", b"second")
    assert p.SSL_has_pending(link.client) == 0
    assert links.read(link.client) == b"first"
    # The BIO is empty: a poll would block.
    assert p.BIO_ctrl_pending(link.client_in) == 0
    assert p.SSL_pending(link.client) == 0
    assert p.SSL_has_pending(link.client) == 1
    assert links.read(link.client) == b"second"
    assert p.SSL_has_pending(link.client) == 0


@clause("RW-31")
def test_has_pending_without_read_ahead() -> None:
    link = links.connected()
    octets = sealed(link, b"first", b"second")
    links.put(link.client_in, octets)
    assert links.read(link.client, 2) == b"fi"
    assert p.SSL_has_pending(link.client) == 1
    assert links.read(link.client) == b"rst"
    assert p.SSL_has_pending(link.client) == 0
    assert links.read(link.client) == b"second"
    # Half a record is inside, too.
    links.put(link.client_in, sealed(link, b"third")[:9])
    assert wire.read(link.client) == WANT_READ
    assert p.SSL_pending(link.client) == 0
    assert p.SSL_has_pending(link.client) == 1


@clause("RW-32")
@pytest.mark.parametrize("on", [0, 1])
def test_read_ahead_asks_for_all_that_the_bio_has(on: int) -> None:
    client_ctx, server_ctx = links.make_contexts(tickets=0)
    assert p.SSL_CTX_get_read_ahead(client_ctx) == 0
    p.SSL_CTX_set_read_ahead(client_ctx, on)
    link = links.PyLink(*links.make_ends(client_ctx, server_ctx))
    assert p.SSL_get_read_ahead(link.client) == on
    link.established()
    for data in (b"first", b"second"):
        assert p.SSL_write(link.server, data) == len(data)
    link.move()
    link.client_py.calls.clear()
    assert links.read(link.client) == b"first"
    asked = [n for name, n in link.client_py.calls if name == "read"]
    assert bool(link.client_py.incoming) is not bool(on)
    if on:
        assert len(asked) == 1
        assert asked[0] > 16384
    else:
        assert asked == [5, 22]
    assert links.read(link.client) == b"second"


@clause("RW-32")
def test_read_ahead_carries_a_handshake_and_any_split() -> None:
    link = links.make_link()
    for ssl in (link.client, link.server):
        p.SSL_set_read_ahead(ssl, 1)
    link.established()
    data = wire.pattern(70000)
    octets = sealed(link, data)
    got = b""
    for at in range(0, len(octets), 1000):
        links.put(link.client_in, octets[at : at + 1000])
        buf = bytearray(20000)
        while True:
            n = p.SSL_read(link.client, buf)
            if n <= 0:
                assert links.outcome(link.client, n) == WANT_READ
                break
            got += buf[:n]
    assert got == data
