"""The end of a failed handshake: its alert, and HS-22 to HS-24, CV-6."""

from __future__ import annotations

import pytest

import pyssl as p
from tests.api.links import (
    RETRY_WRITE,
    Answer,
    RawPeer,
    connected,
    make_link,
    outcome,
    py_end,
    raw_client,
    raw_server,
    reasons,
)
from tests.clauses import clause
from tests.forge.victim import dead

FAILED = (-1, 1)

SIDES = pytest.mark.parametrize(
    "server", [False, True], ids=["client", "server"]
)


def raw(server: bool) -> RawPeer:
    """Give one end whose peer is the test."""
    return raw_server() if server else raw_client()


def alert(number: int) -> bytes:
    """Give a fatal alert record in the clear."""
    return b"\x15\x03\x03\x00\x02\x02" + bytes([number])


@pytest.mark.parametrize(
    "told",
    [
        ("write", Answer(0)),
        ("write", Answer(-1)),
        ("write", Answer(-1, flags=RETRY_WRITE)),
        ("write", Answer(3)),
        ("flush", Answer(0)),
        ("flush", Answer(-1, flags=RETRY_WRITE)),
    ],
    ids=["zero", "fails", "retry", "part", "no_flush", "flush_retry"],
)
@clause("HS-18", "HS-22")
def test_alert_that_cannot_leave_changes_nothing(
    told: tuple[str, Answer],
) -> None:
    ssl, py = py_end(True)
    py.incoming += b"\x17\x03\x03\x00\x01x"
    rest = Answer(-1, flags=RETRY_WRITE)
    py.tell(told[0], told[1], rest, rest)
    py.calls.clear()

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == FAILED
    assert reasons() == [(20, 244)]
    assert py.count("write") <= 2
    py.calls.clear()
    for _ in range(2):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)
    assert py.calls == []


@clause("HS-18")
def test_alert_is_written_and_flushed_before_the_call_returns() -> None:
    ssl, py = py_end(True)
    py.incoming += b"\x17\x03\x03\x00\x01x"
    py.calls.clear()

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == FAILED
    assert bytes(py.outgoing) == alert(10)
    assert py.calls[-2:] == [("write", 7), ("ctrl", p.BIO_CTRL_FLUSH)]


@SIDES
@clause("HS-22", "HS-23", "HS-4", "CV-6")
def test_call_on_a_dead_object_leaves_the_queue_alone(server: bool) -> None:
    peer = raw(server)
    peer.handshake()
    peer.feed(alert(40))

    assert peer.handshake() == FAILED
    assert peer.handshake() == FAILED  # the first entry is still there
    assert reasons() == [(20, 1040)]
    assert peer.handshake() == (-1, 5)
    p.ERR_raise(77, 5)
    assert peer.handshake() == (-1, 1)
    assert reasons() == [(77, 5)]


@clause("HS-24", "HS-22", "CV-6")
def test_established_connection_that_dies_reports_an_error_state() -> None:
    link = connected()
    p.BIO_write(link.client_in, b"\x17\x03\x03\x00\x20" + bytes(32))
    assert p.SSL_read(link.client, bytearray(9)) == -1
    assert reasons() == [(20, 281)]

    dead(RawPeer(link.client))
    assert p.SSL_in_connect_init(link.client)


@SIDES
@clause("CV-6", "CLR-1")
def test_only_clear_brings_a_dead_object_back(server: bool) -> None:
    link = make_link()
    ssl = link.server if server else link.client
    peer = RawPeer(ssl)
    peer.handshake()
    peer.feed(alert(40))
    assert peer.handshake() == FAILED
    reasons()
    link.attach()
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)

    assert p.SSL_clear(ssl) == 1
    assert p.SSL_in_before(ssl)
    link.established()
    link.send(ssl, b"alive")
