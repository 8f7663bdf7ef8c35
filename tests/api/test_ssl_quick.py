"""Reads and writes that leave the lock of their direction alone (CV-8).

On memory BIOs and pairs, the usual read or write takes a turn inside the core
and no lock; whoever has the lock keeps such calls out. From the outside none
of it may be seen.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

import pyssl as p
from pyssl import _ffi
from tests.api import links, wire
from tests.api.links import MemLink, PairLink, make_ends, reasons
from tests.clauses import clause

pytestmark = pytest.mark.threads

SECONDS = 60.0
QUICK = 2  # conn_base.QUICK: the turn is open
NEVER = not _ffi.AT_FIRST  # without csrc/quick every call takes the lock


def is_quick(ssl: Any) -> tuple[bool, bool]:
    """Tell whether the next read, and the next write, leave the lock."""
    return ssl._quick_read == QUICK, ssl._quick_write == QUICK


def warm(link: Any) -> Any:
    """Send data both ways, so that the next calls are quick ones."""
    link.send(link.client, b"one")
    link.send(link.server, b"two")
    for ssl in (link.client, link.server):
        assert is_quick(ssl) == (not NEVER, not NEVER)
    return link


MADE = [
    pytest.param(lambda: MemLink(*make_ends(tickets=0)), id="mem"),
    pytest.param(lambda: PairLink(*make_ends(tickets=0)), id="pair"),
]


class Gated(p.SSL):
    """Lets something happen just before it releases its writer's lock."""

    then: Callable[[], Any] | None = None
    passed = 0

    def _give(self, writing: int) -> None:
        if writing and self.then is not None:
            self.passed += 1
            if self.passed == 1:
                self.then()
        super()._give(writing)


def gated(kind: type[Any]) -> Any:
    """Give an established connection whose client is Gated."""
    client_ctx, server_ctx = links.make_contexts(tickets=0)
    link = kind(Gated(client_ctx), p.SSL(server_ctx))
    p.SSL_set_connect_state(link.client)
    p.SSL_set_accept_state(link.server)
    return link.established()


def elsewhere(work: Callable[[], Any]) -> Any:
    """Run work in another thread, to its end."""
    thread, found = links.in_thread(work)
    thread.join(SECONDS)
    assert not thread.is_alive(), "it waits"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


# ---- what is kept out, and what goes on as before ------------------------


@clause("CV-8")
@pytest.mark.parametrize("make", MADE)
def test_data_goes_both_ways_whatever_comes_in_between(
    make: Callable[[], Any],
) -> None:
    link = warm(make().established())
    between: list[Callable[[Any], Any]] = [
        p.SSL_has_pending,
        p.SSL_get_version,
        p.SSL_do_handshake,
        lambda ssl: p.SSL_set_mode(ssl, p.SSL_MODE_AUTO_RETRY),
        lambda ssl: p.SSL_key_update(ssl, 1),
        lambda ssl: p.SSL_peek(ssl, bytearray(1)),
        lambda ssl: p.SSL_set_msg_callback(ssl, lambda *_: None),
        lambda ssl: p.SSL_set_msg_callback(ssl, None),
    ]
    for other in between:
        for ssl in (link.client, link.server):
            other(ssl)
            link.send(ssl, b"to")
            link.send(link.peer_of(ssl), b"and fro")
            link.send(ssl, bytes(5_000))
    p.ERR_clear_error()


@clause("CV-8", "RW-1", "RW-3")
def test_quick_read_may_find_nothing_part_or_more() -> None:
    link = warm(MemLink(*make_ends(tickets=0)).established())
    assert wire.read(link.client) == wire.WANT_READ
    assert p.SSL_want(link.client) == p.SSL_READING
    raw = wire.sealed(link, b"whole", b"", b"second")
    assert is_quick(link.client)[0] or NEVER
    links.put(link.client_in, raw[:10])
    assert wire.read(link.client) == wire.WANT_READ
    links.put(link.client_in, raw[10:])
    assert links.read(link.client, 3) == b"who"
    assert p.SSL_pending(link.client) == 2
    assert links.read(link.client) == b"le"
    assert links.read(link.client) == b"second"
    assert is_quick(link.client)[0] or NEVER
    assert p.SSL_want(link.client) == p.SSL_NOTHING


@clause("CV-8", "RW-10")
def test_quick_read_finds_a_fault_and_its_alert_goes_out() -> None:
    link = warm(MemLink(*make_ends(tickets=0)).established())
    links.put(link.client_in, b"\x17\x03\x03\x00\x20" + bytes(32))
    assert wire.read(link.client) == wire.FAILED
    assert reasons() == [(20, 281)]
    link.move()
    assert wire.read(link.server) == wire.FAILED
    assert reasons() == [(20, 1020)]
    assert wire.read(link.client)[0] == -1
    assert p.SSL_write(link.client, b"x") == -1


@clause("CV-8", "RW-18", "RW-20")
def test_quick_write_that_is_cut_short_is_repeated_with_the_lock() -> None:
    link = warm(PairLink(*make_ends(tickets=0), size=2000).established())
    data = bytes(range(250)) * 20
    assert p.SSL_write(link.client, data) == -1
    assert p.SSL_get_error(link.client, -1) == p.SSL_ERROR_WANT_WRITE
    assert p.SSL_write(link.client, bytes(data[:1]) * 5000) == -1
    assert reasons() == [(20, 127)]
    got = b""
    n = -1
    while n < 0:
        buf = bytearray(9000)
        k = p.SSL_read(link.server, buf)
        got += bytes(buf[: max(k, 0)])
        n = p.SSL_write(link.client, data)
    assert n == len(data)
    while len(got) < len(data):
        got += links.read(link.server)
    assert got == data


@clause("CV-8")
def test_callback_on_the_bio_is_heard_at_once() -> None:
    link = warm(MemLink(*make_ends(tickets=0)).established())
    heard: list[int] = []

    def note(b: Any, oper: int, *rest: Any) -> int:
        heard.append(oper & 0x7F)
        return int(rest[-2])

    p.BIO_set_callback_ex(link.client_out, note)
    p.BIO_set_callback_ex(link.client_in, note)
    assert p.SSL_write(link.client, b"out") == 3
    assert p.BIO_CB_WRITE in heard
    wire.deliver(link, b"in")
    heard.clear()
    assert links.read(link.client) == b"in"
    assert p.BIO_CB_READ in heard


@clause("CV-8")
def test_callback_may_not_use_the_quick_call_of_the_other_direction() -> None:
    link = warm(MemLink(*make_ends(tickets=0)).established())
    py = links.PyBio()
    found: list[BaseException] = []

    def read(b: p.BIO, n: int) -> int:
        for use in (
            lambda: p.SSL_write(link.client, b"x"),
            lambda: p.SSL_read(link.client, bytearray(1)),
        ):
            with pytest.raises(RuntimeError) as raised:
                use()
            found.append(raised.value)
        p.BIO_set_retry_read(b)
        return -1

    p.BIO_meth_set_read(py.method, read)
    p.SSL_set0_rbio(link.client, py.bio)
    assert p.SSL_write(link.client, b"one") == 3
    assert is_quick(link.client)[1] or NEVER
    assert wire.read(link.client) == wire.WANT_READ
    assert len(found) == 2


@clause("CTX-4")
def test_freed_and_bad_arguments_are_refused_as_before() -> None:
    link = warm(MemLink(*make_ends(tickets=0)).established())
    wire.deliver(link, b"data")
    for bad in (b"bytes", "text", None, memoryview(b"x")):
        with pytest.raises(TypeError):
            p.SSL_read(link.client, bad)
    for bad in ("text", None, 1):
        with pytest.raises(TypeError):
            p.SSL_write(link.client, bad)
    assert p.SSL_read(link.client, bytearray()) == 0
    assert links.read(link.client) == b"data"
    p.SSL_free(link.client)
    with pytest.raises(ValueError):
        p.SSL_read(link.client, bytearray(1))
    with pytest.raises(ValueError):
        p.SSL_write(link.client, b"x")


# ---- threads --------------------------------------------------------------


@clause("CV-8")
@pytest.mark.parametrize("make", MADE)
def test_quick_calls_of_many_threads_are_put_in_a_row(
    make: Callable[[], Any],
) -> None:
    link = warm(make().established())
    n_threads, n_each, size = 3, 60, 64
    total = n_threads * n_each
    got: list[bytes] = []
    over = threading.Event()

    def write(mark: int) -> int:
        for i in range(n_each):
            data = bytes([mark, i]) * (size // 2)
            while p.SSL_write(link.client, data) != size:
                assert not over.is_set()
        return 1

    def take() -> int:
        buf = bytearray(size)
        while len(got) < total and not over.is_set():
            if p.SSL_read(link.server, buf) == size:
                got.append(bytes(buf))
            p.ERR_clear_error()
        return 1

    def carry() -> int:
        while len(got) < total and not over.is_set():
            link.move()
        return 1

    def ask() -> int:
        while len(got) < total and not over.is_set():
            for ssl in (link.client, link.server):
                p.SSL_has_pending(ssl)
                p.SSL_get_version(ssl)
                p.SSL_set_mode(ssl, p.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        return 1

    works: list[Callable[[], Any]] = [take, ask]
    works += [functools.partial(write, mark) for mark in range(n_threads)]
    if isinstance(link, MemLink):
        works.append(carry)
    running = [links.in_thread(work) for work in works]
    for thread, _ in running:
        thread.join(SECONDS)
    over.set()
    assert [found for _, found in running] == [[1]] * len(works)
    assert sorted(got) == sorted(
        bytes([mark, i]) * (size // 2)
        for mark in range(n_threads)
        for i in range(n_each)
    )


@clause("CV-8", "GE-4")
def test_want_after_quick_calls_is_each_threads_own() -> None:
    link = warm(MemLink(*make_ends(tickets=0)).established())
    ssl = link.client
    assert wire.read(ssl) == wire.WANT_READ
    assert is_quick(ssl)[1] or NEVER

    def write() -> tuple[int, int]:
        return p.SSL_write(ssl, b"x"), p.SSL_want(ssl)

    assert elsewhere(write) == (1, p.SSL_NOTHING)
    assert p.SSL_want(ssl) == p.SSL_READING
    assert p.SSL_get_error(ssl, -1) == p.SSL_ERROR_WANT_READ
    assert write() == (1, p.SSL_NOTHING)
    assert p.SSL_want(ssl) == p.SSL_NOTHING
    wire.deliver(link, b"one", b"two")
    assert links.read(ssl) == b"one"
    assert elsewhere(lambda: links.read(ssl)) == b"two"
    assert elsewhere(lambda: p.SSL_want(ssl)) == p.SSL_NOTHING


@clause("CV-8", "RW-33")
@pytest.mark.parametrize("call", ["write", "shutdown", "facts", "update"])
def test_alert_of_the_reader_is_not_missed_by_a_call_that_ends(
    call: str,
) -> None:
    link = gated(MemLink)
    ssl: Any = link.client
    buf = bytearray(10)

    def fail() -> None:
        links.put(link.client_in, b"\x17\x03\x03\x00\x20" + bytes(32))
        assert elsewhere(lambda: p.SSL_read(ssl, buf)) == -1

    ssl.then = fail
    ends: dict[str, Callable[[], Any]] = {
        "write": lambda: p.SSL_write(ssl, b"last"),
        "shutdown": lambda: p.SSL_shutdown(ssl),
        "update": lambda: p.SSL_key_update(ssl, 0),
        # In C the locks are released without a word: while they are held.
        "facts": lambda: ssl._facts(lambda _: fail()),
    }
    ends[call]()
    assert ssl.passed >= 1 or call == "facts"
    kinds = [raw[0] for raw in wire.records(links.take(link.client_out))]
    # close_notify is the last thing that is ever sent.
    assert len(kinds) == {"write": 2, "shutdown": 2}.get(call, 1)
    p.ERR_clear_error()


@clause("CV-8", "RW-20")
def test_write_to_a_python_bio_is_not_interrupted_by_another() -> None:
    link = gated(links.PyLink)
    ssl: Any = link.client
    second: list[Any] = []

    def then() -> None:
        thread, found = links.in_thread(lambda: p.SSL_write(ssl, b"second"))
        second.append((thread, found))
        thread.join(0.2)

    ssl.then = then
    assert p.SSL_write(ssl, b"first") == 5
    second[0][0].join(SECONDS)
    assert second[0][1] == [6]
    assert ssl.passed == 2
    link.move()
    assert links.read(link.server) == b"first"
    assert links.read(link.server) == b"second"
