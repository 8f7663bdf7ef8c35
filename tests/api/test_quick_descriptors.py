"""Reads and writes on descriptors in C (csrc/quick/data.c).

There a call may wait, so it has the direction's lock and leaves Python's.
What it ends with is the same as on any other way.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.api.links import (
    SockLink,
    in_thread,
    make_ends,
    outcome,
    reasons,
)
from tests.api.test_quick_methods import needs_c
from tests.clauses import clause

SECONDS = 30.0


@pytest.fixture
def polled() -> Iterator[Any]:
    with SockLink(*make_ends(tickets=0), blocking=False) as link:
        yield link.established()


@pytest.fixture
def blocking() -> Iterator[Any]:
    with SockLink(*make_ends(tickets=0)) as link:
        yield link.established()


def said() -> list[int]:
    """Give the reasons in the queue, and empty it."""
    return [reason for _, reason in reasons()]


def ended(thread: threading.Thread, found: list[Any]) -> Any:
    thread.join(SECONDS)
    assert not thread.is_alive()
    return found[0]


def is_inside(ssl: Any, reading: bool) -> bool:
    return bool(ssl._reader if reading else ssl._writer)


def wait_inside(ssl: Any, *, reading: bool = True) -> None:
    """Wait until a thread is in a read or write, and then some."""
    end = time.monotonic() + SECONDS
    while not is_inside(ssl, reading):
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(0.05)


# ---- data ------------------------------------------------------------------


@clause("RW-1", "RW-18")
@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_every_buffer_goes_both_ways(polled: Any, form: Any) -> None:
    for ssl, peer in (
        (polled.client, polled.server),
        (polled.server, polled.client),
    ):
        for text in (b"x", b"some bytes", bytes(range(256)) * 70):
            assert ssl.write(form(text)) == len(text)
            got = b""
            while len(got) < len(text):
                buf = bytearray(5000)
                into = memoryview(buf) if form is memoryview else buf
                n = peer.read(into)
                assert n > 0
                got += buf[:n]
            assert got == text
        assert ssl.write(data=form(b"some bytes"), num=4) == 4
        buf = bytearray(8)
        assert peer.read(buf=buf, num=2) == 2
        assert peer.read(buf, 8) == 2
        assert buf == b"me\0\0\0\0\0\0"
        numbers = array("H", [1, 2, 3])
        assert ssl.write(numbers) == 6
        others = array("H", [0, 0, 0])
        assert peer.read(others) == 6
        assert others == numbers


@clause("RW-3", "ERR-1")
def test_nothing_to_read_is_no_error(polled: Any) -> None:
    for _ in range(3):
        ret = polled.client.read(bytearray(9))
        assert (ret, polled.client.get_error(ret)) == (-1, 2)
        assert polled.client.want() == p.SSL_READING
        assert reasons() == []
        polled.send(polled.server, b"then some")
        assert polled.client.want() == p.SSL_NOTHING


@clause("RW-20", "RW-21")
def test_full_socket_wants_the_same_write_again(polled: Any) -> None:
    text = bytes(60_000)
    total = 0
    while polled.client.write(text) > 0:
        total += len(text)
    ret = -1
    assert polled.client.get_error(ret) == p.SSL_ERROR_WANT_WRITE
    assert polled.client.want() == p.SSL_WRITING
    for wrong, why in (
        (bytes(bytearray(text)), p.SSL_R_BAD_WRITE_RETRY),
        (b"shorter", p.SSL_R_BAD_LENGTH),
    ):
        assert outcome(polled.client, polled.client.write(wrong))[1] == 1
        assert said() == [why]
    got, sent = 0, False
    buf = bytearray(1 << 16)
    while got < total + len(text):
        got += max(polled.server.read(buf), 0)
        sent = sent or polled.client.write(text) == len(text)
    assert polled.client.write(b"end") == 3
    assert got == total + len(text)
    assert links.read(polled.server) == b"end"


@clause("RW-2")
@pytest.mark.parametrize("num", [-1, 10, 1 << 70, "4", 1.0])
def test_counts_that_cannot_be_are_refused(polled: Any, num: Any) -> None:
    ssl = polled.client
    for call, buffer in ((ssl.read, bytearray(9)), (ssl.write, bytes(9))):
        if num == -1:
            ret = call(buffer, num)
            assert outcome(ssl, ret) == (-1, p.SSL_ERROR_SSL)
            assert said() == [p.SSL_R_BAD_LENGTH]
        else:
            with pytest.raises((TypeError, ValueError)):
                call(buffer, num)
    for wrong in (None, 1, "text", [b"x"]):
        for call in (ssl.read, ssl.write):
            with pytest.raises(TypeError):
                call(wrong)
    with pytest.raises(TypeError):
        ssl.read(b"constant")
    polled.send(ssl, b"as before")


# ---- threads ---------------------------------------------------------------


@pytest.mark.threads
@clause("CV-8")
def test_reader_that_waits_keeps_nobody_from_writing(blocking: Any) -> None:
    ssl, peer = blocking.client, blocking.server
    buf = bytearray(100)
    thread, found = in_thread(lambda: ssl.read(buf))
    wait_inside(ssl)
    for _ in range(20):
        blocking.send(ssl, b"meanwhile")
    assert ssl.version() == p.TLS1_3_VERSION
    assert not found
    assert peer.write(b"at last") == 7
    assert ended(thread, found) == 7
    assert buf[:7] == b"at last"


@clause("CV-8")
def test_buffer_of_a_reader_that_waits_cannot_be_resized(
    blocking: Any,
) -> None:
    buf = bytearray(100)
    thread, found = in_thread(lambda: blocking.client.read(buf))
    wait_inside(blocking.client)
    with pytest.raises(BufferError):
        buf.extend(bytes(1 << 20))
    blocking.server.write(b"done")
    assert ended(thread, found) == 4
    buf.extend(b"now it can")


@pytest.mark.threads
@clause("CV-8", "CTX-4")
def test_free_waits_for_the_reader(blocking: Any) -> None:
    ssl = blocking.client
    thread, found = in_thread(lambda: ssl.read(bytearray(9)))
    wait_inside(ssl)
    freeing, freed = in_thread(ssl.free)
    time.sleep(0.05)
    assert not freed
    blocking.server.write(b"x")
    assert ended(thread, found) == 1
    assert ended(freeing, freed) is None
    with pytest.raises(ValueError, match="freed"):
        ssl.read(bytearray(9))


@pytest.mark.threads
@clause("CV-8")
def test_second_reader_waits_for_the_first(blocking: Any) -> None:
    ssl = blocking.client
    calls = [in_thread(lambda: bytes(_one(ssl))) for _ in range(4)]
    wait_inside(ssl)
    for i in range(4):
        blocking.server.write(b"%d" % i)
    assert sorted(ended(*call) for call in calls) == [b"0", b"1", b"2", b"3"]


def _one(ssl: Any) -> bytearray:
    buf = bytearray(1)
    assert ssl.read(buf) == 1
    return buf


@pytest.mark.threads
@clause("CV-8")
def test_both_ways_at_once_with_many_sizes(blocking: Any) -> None:
    rounds = 300
    texts = [os.urandom(1 + 977 * i % 9000) for i in range(rounds)]
    total = sum(map(len, texts))

    def write(ssl: Any) -> int:
        return sum(ssl.write(text) for text in texts)

    def read(ssl: Any) -> bytes:
        got, buf = bytearray(), bytearray(4000)
        while len(got) < total:
            n = ssl.read(buf)
            assert n > 0
            got += buf[:n]
        return bytes(got)

    calls = [
        in_thread(lambda ssl=ssl, call=call: call(ssl))
        for ssl in (blocking.client, blocking.server)
        for call in (write, read)
    ]
    results = [ended(*call) for call in calls]
    assert results == [total, b"".join(texts)] * 2


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timer of this system"
)
def test_signal_is_handled_while_a_read_waits(blocking: Any) -> None:
    heard = []

    def handler(number: int, frame: Any) -> None:
        heard.append(number)
        blocking.server.write(b"woken")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        buf = bytearray(9)
        n = -1
        while n < 0:  # a call that a signal ends wants to be made again
            n = blocking.client.read(buf)
            assert n > 0 or blocking.client.get_error(n) == 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (n, heard) == (5, [signal.SIGALRM])


# ---- what a call ends with -------------------------------------------------


@clause("RW-8", "RW-10")
def test_end_of_the_transport_is_told(polled: Any) -> None:
    polled.server_sock.close()
    ret = polled.client.read(bytearray(9))
    assert outcome(polled.client, ret) == (0, p.SSL_ERROR_SSL)
    assert p.SSL_R_UNEXPECTED_EOF_WHILE_READING in said()
    assert outcome(polled.client, polled.client.write(b"x"))[0] == -1
    reasons()


@clause("SD-5")
def test_close_notify_is_told(polled: Any) -> None:
    polled.server.shutdown()
    ret = polled.client.read(bytearray(9))
    assert outcome(polled.client, ret) == (0, p.SSL_ERROR_ZERO_RETURN)


@clause("CV-9", "RW-11")
def test_errno_of_a_broken_connection_is_told() -> None:
    link: Any = SockLink(
        *make_ends(tickets=0), blocking=False, family=socket.AF_INET
    )
    with link:
        link.established()
        linger = (1).to_bytes(4, sys.byteorder) + bytes(4)
        link.server_sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        link.server_sock.close()
        select.select([link.client_sock], [], [], SECONDS)
        ret = link.client.read(bytearray(9))
        assert outcome(link.client, ret) == (-1, p.SSL_ERROR_SYSCALL)
        assert link.client.last_errno() != 0
        reasons()


@clause("RW-10")
def test_alert_of_a_read_that_fails_goes_out(polled: Any) -> None:
    polled.server_sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    ret = polled.client.read(bytearray(9))
    assert outcome(polled.client, ret) == (-1, p.SSL_ERROR_SSL)
    reasons()
    ret = polled.server.read(bytearray(9))
    assert outcome(polled.server, ret) == (-1, p.SSL_ERROR_SSL)
    assert p.SSL_R_SSLV3_ALERT_BAD_RECORD_MAC in said()


@clause("RW-29")
def test_key_update_is_answered_by_the_next_write(polled: Any) -> None:
    for ssl in (polled.client, polled.server):
        assert ssl.key_update(p.SSL_KEY_UPDATE_REQUESTED) == 1
        polled.send(ssl, b"new keys")
        polled.send(polled.peer_of(ssl), b"new keys, too")
        polled.send(ssl, b"and on")


@clause("HS-22", "RW-4")
def test_read_does_the_handshake_first() -> None:
    with SockLink(*make_ends(tickets=0)) as link:
        buf = bytearray(9)
        thread, found = in_thread(lambda: link.server.read(buf))
        assert link.client.write(b"hello") == 5
        assert ended(thread, found) == 5
        assert buf[:5] == b"hello"


@needs_c
@clause("CV-8")
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("writing", [0, 1])
def test_end_of_a_call_is_told_before_another_begins(
    monkeypatch: pytest.MonkeyPatch, polled: Any, writing: int, fails: bool
) -> None:
    """Its lock is held until then, and given back whatever happens."""
    ssl = polled.client
    name = ("_read", "_write")[writing]
    told = getattr(p.SSL, name)
    held = []

    def tell(self: Any, *given: Any) -> int:
        held.append(self._writer if writing else self._reader)
        if fails:
            raise KeyboardInterrupt
        return int(told(self, *given))

    monkeypatch.setattr(p.SSL, name, tell)
    polled.server_sock.close()
    call = (lambda: ssl.write(b"x")) if writing else lambda: ssl.read(buf)
    buf = bytearray(9)
    if fails:
        with pytest.raises(KeyboardInterrupt):
            call()
    else:
        assert call() <= 0
    assert held == [threading.get_ident()]
    assert ssl._reader == ssl._writer == 0
    for direction in (0, 1):
        assert ssl._try_take(direction)
        ssl._give(direction)
    reasons()


# ---- who is to hear of it --------------------------------------------------


@clause("INFO-1", "MSG-1")
def test_callbacks_hear_of_records_all_the_same(polled: Any) -> None:
    heard: list[int] = []
    polled.client.set_msg_callback(lambda *given: heard.append(given[2]))
    polled.send(polled.client, b"one")
    polled.send(polled.server, b"two")
    assert p.SSL3_RT_HEADER in heard


@clause("BIO-12")
def test_bio_with_a_callback_is_asked_all_the_same(polled: Any) -> None:
    heard: list[int] = []

    def hear(bio: Any, oper: int, *rest: Any) -> int:
        heard.append(oper)
        return rest[-2]

    for sends in (True, False):
        polled.send(polled.client, b"before")
        bio = polled.client.get_wbio()
        bio.set_callback_ex(hear if sends else None)
        polled.send(polled.client, b"after")
        polled.send(polled.server, b"after")
    assert p.BIO_CB_WRITE in heard
    assert p.BIO_CB_READ in heard
