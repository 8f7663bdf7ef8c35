"""Methods of SSL that are written in C (csrc/quick), and their stand-in.

From the outside they are as the Python ones were: bad use is refused in
words, nobody's subclass is passed over, and nothing can make them crash.
"""

from __future__ import annotations

import copy
import gc
import importlib.util
import inspect
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from array import array
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pyssl as p
from pyssl import _ffi
from tests.api import links, wire
from tests.api.links import MemLink, PairLink, make_ends
from tests.clauses import clause

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
QUICK = 2  # conn_base.QUICK: the turn is open
BRIEF = 4096  # csrc/quick/data.c: more is done without the GIL

IN_C = type(_ffi.Conn.read) is not type(lambda: None)
needs_c = pytest.mark.skipif(not IN_C, reason="the methods are not in C")


def stand_in() -> ModuleType:
    """Load _quick.py, whoever has its place."""
    path = Path(p.__file__).with_name("_quick.py")
    spec = importlib.util.spec_from_file_location("quick_stand_in", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def warm(link: Any) -> Any:
    """Send data both ways, so that the next calls are quick ones."""
    link.established()
    link.send(link.client, b"one")
    link.send(link.server, b"two")
    if IN_C:
        for ssl in (link.client, link.server):
            assert (ssl._quick_read, ssl._quick_write) == (QUICK, QUICK)
    return link


def mem() -> MemLink:
    return warm(MemLink(*make_ends(tickets=0)))


NO_PLUGINS = ("-p", "no:cacheprovider", "-p", "no:xdist")

LINKS = [
    pytest.param(mem, id="mem"),
    pytest.param(
        lambda: warm(PairLink(*make_ends(tickets=0), size=70_000)), id="pair"
    ),
]


# ---- C and its stand-in ----------------------------------------------------


def test_this_python_has_the_methods_in_c() -> None:
    usual = (
        sys.implementation.name == "cpython"
        and getattr(sys, "_is_gil_enabled", lambda: True)() is not False
    )
    left_out = "0" in (
        os.environ.get("PYSSL_QUICK"),
        os.environ.get("PYSSL_TEST_QUICK"),
    )

    assert IN_C is (usual and not left_out)


# What only a class written in Python has.
OF_PYTHON = {
    *("__slots__", "__annotations__", "__new__", "__del__", "_locks"),
    *("__static_attributes__", "__firstlineno__"),
    *("__annotate_func__", "__annotations_cache__", "__annotate__"),
}


@needs_c
@pytest.mark.parametrize(
    ("name", "whole"), [("Conn", p.SSL), ("Ctx", p.SSL_CTX)]
)
def test_stand_in_has_the_same_names_and_says_the_same(
    name: str, whole: type
) -> None:
    in_c, other = getattr(_ffi, name), getattr(stand_in(), name)
    more = set(vars(other)) - set(vars(in_c)) - OF_PYTHON

    assert set(vars(in_c)) - set(vars(other)) <= {"__new__"}
    for left in more:  # to a class that is built on it
        assert left in {n for c in whole.__mro__ for n in vars(c)}
    assert inspect.getdoc(in_c) == inspect.getdoc(other)
    for method in [n for n in vars(in_c) if not n.startswith("_")]:
        mine, theirs = getattr(in_c, method), getattr(other, method)
        if callable(mine):
            assert inspect.getdoc(mine) == inspect.getdoc(theirs)
            assert list(inspect.signature(mine).parameters) == list(
                inspect.signature(theirs).parameters
            )


def test_package_works_without_the_methods_in_c() -> None:
    files = [
        f"tests/api/test_{name}.py"
        for name in (
            "ex_data",
            "quick_bio",
            "quick_methods",
            "quick_session",
            "session_object",
            "ssl_do_handshake",
            "ssl_get_error",
            "ssl_quick",
            "ssl_read",
            "ssl_want",
            "ssl_write",
        )
    ]
    if os.environ.get("PYSSL_TEST_QUICK") == "0":
        pytest.skip("this is that run")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *NO_PLUGINS, *files],
        cwd=ROOT,
        env={**os.environ, "PYSSL_TEST_QUICK": "0"},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


# ---- arguments -------------------------------------------------------------


@clause("RW-1", "RW-18")
@pytest.mark.parametrize("make", LINKS)
@pytest.mark.parametrize("size", [1, 64, BRIEF, BRIEF + 1, 16384, 65_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_data_of_all_sizes_and_kinds_come_out_as_they_were(
    make: Callable[[], Any], size: int, kind: Callable[[bytes], Any]
) -> None:
    link = make()
    data = bytes(i % 251 for i in range(size))
    for ssl in (link.client, link.server):
        other = link.peer_of(ssl)
        for num in (None, size):
            assert p.SSL_write(ssl, kind(data), num) == size
            link.move()
            got = b""
            buf = bytearray(size + 10)
            into = memoryview(buf) if kind is memoryview else buf
            while len(got) < size:
                n = p.SSL_read(other, into)
                assert n > 0, links.reasons()
                got += buf[:n]
            assert got == data
            assert p.SSL_want(ssl) == p.SSL_want(other) == p.SSL_NOTHING


@needs_c
@clause("RW-1", "RW-18")
@pytest.mark.parametrize("size", [64, BRIEF + 1])
def test_usual_buffers_are_not_left_to_python(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = mem()
    data = bytes(size)
    for _ in range(2):  # the first call opens the quick way
        assert p.SSL_write(link.client, data) == size
        link.move()
        assert p.SSL_read(link.server, bytearray(size)) == size
        monkeypatch.setattr(p.SSL, "_read", None)
        monkeypatch.setattr(p.SSL, "_write", None)
    for form in (bytes, bytearray, memoryview):
        assert p.SSL_write(link.client, form(data)) == size
        link.move()
        buf = bytearray(size)
        into = memoryview(buf) if form is memoryview else buf
        assert p.SSL_read(link.server, into) == size


@clause("RW-1", "RW-18")
def test_num_and_names_of_arguments_count() -> None:
    link = mem()
    client: Any = link.client
    server: Any = link.server
    buf = bytearray(100)
    for num in (5, True, 4):
        assert client.write(data=b"abcdefgh", num=num) == int(num)
        link.move()
        assert server.read(buf=buf, num=3) == min(int(num), 3)
        assert server.pending() == max(int(num) - 3, 0)
        rest = server.pending()
        assert rest == 0 or server.read(num=rest, buf=buf) == rest
    assert client.write(b"abc", 0) == 0
    assert client.write(b"", None) == 0
    assert client.write(b"abc", -1) == server.read(buf, -1) == -1
    assert links.reasons() == [(20, 271), (20, 271)]
    for bad in (4, 1 << 70):
        with pytest.raises(ValueError, match="bytes"):
            client.write(b"abc", bad)
        with pytest.raises(ValueError, match="bytes"):
            server.read(bytearray(3), bad)


@clause("CV-2")
@pytest.mark.parametrize(
    "call",
    [
        lambda ssl: ssl.read(),
        lambda ssl: ssl.write(),
        lambda ssl: ssl.read(bytearray(1), 1, 1),
        lambda ssl: ssl.write(b"x", 1, 1),
        lambda ssl: ssl.read(bytearray(1), peek=True),
        lambda ssl: ssl.write(b"x", n=1),
        lambda ssl: ssl.write(b"x", data=b"x"),
        lambda ssl: ssl.read(bytearray(1), "1"),
        lambda ssl: ssl.write(b"x", 1.0),
        lambda ssl: ssl.read(b"bytes"),
        lambda ssl: ssl.read(memoryview(b"bytes")),
        lambda ssl: ssl.read(memoryview(bytearray(9))[::2]),
        lambda ssl: ssl.read(None),
        lambda ssl: ssl.write(None),
        lambda ssl: ssl.write("text"),
        lambda ssl: ssl.write(memoryview(b"bytes")[::2]),
        lambda ssl: type(ssl).read(),
        lambda ssl: type(ssl).write(),
    ],
)
def test_bad_arguments_are_a_type_error(call: Callable[[Any], Any]) -> None:
    link = mem()
    wire.deliver(link, b"data")

    with pytest.raises(TypeError):
        call(link.client)
    assert links.read(link.client) == b"data"
    assert p.SSL_write(link.client, b"x") == 1


@needs_c
@pytest.mark.parametrize("bad", [None, 1, "text", object(), _ffi.Conn])
def test_methods_of_c_take_no_other_object(bad: Any) -> None:
    with pytest.raises(TypeError):
        p.SSL.read(bad, bytearray(1))
    with pytest.raises(TypeError):
        p.SSL.write(bad, b"x")


def test_subclass_of_bytearray_and_one_that_is_exported_are_read_into() -> (
    None
):
    class Mine(bytearray):
        pass

    link = mem()
    for size in (10, 10_000):
        wire.deliver(link, bytes(size))
        mine = Mine(b"x" * size)
        with memoryview(mine) as view:
            assert p.SSL_read(link.client, mine) == size
            assert not any(view)


@clause("RW-1", "RW-18")
@pytest.mark.parametrize("items", [4, 4000])
def test_views_count_in_bytes_whatever_their_items_are(items: int) -> None:
    link = mem()
    wire.deliver(link, bytes(4 * items))
    numbers = array("i", [1] * items)
    with memoryview(numbers) as view:
        assert p.SSL_read(link.client, view) == 4 * items
        assert not any(numbers)
        square = view.cast("B").cast("B", (4, items))
        assert p.SSL_write(link.client, square) == 4 * items
    link.move()
    assert p.SSL_read(link.server, bytearray(4 * items)) == 4 * items


@clause("RW-1", "RW-18")
@pytest.mark.parametrize("size", [9, BRIEF + 9])
def test_released_and_read_only_views_are_refused(size: int) -> None:
    link = mem()
    wire.deliver(link, bytes(size))
    view = memoryview(bytearray(size))
    view.release()
    with pytest.raises(ValueError, match="released"):
        p.SSL_read(link.client, view)
    with pytest.raises(ValueError, match="released"):
        p.SSL_write(link.client, view)
    with pytest.raises((TypeError, BufferError)):
        p.SSL_read(link.client, memoryview(bytes(size)))
    assert p.SSL_read(link.client, bytearray(size)) == size


# ---- the object ------------------------------------------------------------


@needs_c
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("_conn", 1),
        ("_conn", None),
        ("_last", "x"),
        ("_quick_read", None),
        ("_quick_write", 1 << 70),
        ("_read_want", "x"),
        ("_write_want", b""),
        ("_reader", "x"),
        ("_writer", ()),
        ("_reading_thread", 1 << 70),
        ("_writing_thread", ()),
        ("_fits", 1),
        ("_rest", None),
    ],
)
def test_parts_of_the_object_keep_their_type(name: str, bad: Any) -> None:
    link = mem()
    ssl: Any = link.client
    before = getattr(ssl, name)

    with pytest.raises((TypeError, AttributeError, OverflowError)):
        delattr(ssl, name)
    with pytest.raises((TypeError, AttributeError, OverflowError)):
        setattr(ssl, name, bad)
    if name != "_conn":  # whoever writes a number there gets a number
        setattr(ssl, name, before)
    assert getattr(ssl, name) == before
    link.send(ssl, b"as before")


def test_an_object_without_a_connection_is_refused_in_words() -> None:
    for make in (p.SSL.__new__, _ffi.Conn.__new__):
        bare: Any = make(p.SSL if make is p.SSL.__new__ else _ffi.Conn)
        assert bare._conn is None
        for call in (
            lambda ssl: ssl.read(bytearray(1)),
            lambda ssl: ssl.write(b"x"),
            lambda ssl: ssl.do_handshake(),
            lambda ssl: ssl.get_error(-1),
            lambda ssl: ssl._alone(print),
            lambda ssl: ssl._exclusive(print),
            lambda ssl: ssl._facts(print),
            lambda ssl: ssl._enter(),
        ):
            with pytest.raises((ValueError, AttributeError, TypeError)) as e:
                call(bare)
            assert "freed" in str(e.value) or isinstance(
                e.value, (AttributeError, NotImplementedError)
            )


def test_connection_is_kept_once_and_with_its_owner() -> None:
    bare: Any = _ffi.Conn.__new__(_ffi.Conn)
    ssl: Any = mem().client
    for target, owner, address in (
        (bare, None, 1),
        (bare, "owner", 0),
        (ssl, "owner", 1),
    ):
        with pytest.raises(RuntimeError):
            target._keep(owner, address)
    assert bare._keep(None, 0) is None
    if IN_C:
        for bad in ((), (None,), (None, "x"), (None, 1, 2)):
            with pytest.raises(TypeError):
                bare._keep(*bad)
    assert bare._conn is None
    assert p.SSL_write(ssl, b"x") == 1


@clause("CV-3")
def test_copies_and_pickles_are_refused() -> None:
    ssl = mem().client
    for make in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            make(ssl)
    if IN_C:
        with pytest.raises(TypeError):
            pickle.dumps(_ffi.Conn.__new__(_ffi.Conn))


@clause("CV-3", "CV-8")
def test_second_init_waits_for_others_and_is_refused_from_within() -> None:
    link = mem()
    ssl: Any = link.client
    ctx = p.SSL_get_SSL_CTX(ssl)
    with pytest.raises(RuntimeError):
        ssl._alone(lambda _: ssl.__init__(ctx))
    link.send(ssl, b"as before")
    ssl._take(1)
    thread, found = links.in_thread(lambda: ssl.__init__(ctx))
    thread.join(0.1)
    assert thread.is_alive()
    ssl._give(1)
    thread.join(SECONDS)
    assert found == [None]
    assert p.SSL_get_rbio(ssl) is None
    assert ssl.write(b"x") == -1
    assert ssl.do_handshake() == -1


def test_subclass_is_asked_first_and_may_ask_us() -> None:
    calls: list[str] = []

    class Mine(p.SSL):
        extra: int

        def read(self, buf: Any, num: int | None = None) -> int:
            calls.append("read")
            self.extra = 1
            return super().read(buf, num)

        def write(self, data: Any, num: int | None = None) -> int:
            calls.append("write")
            return super().write(data, num=num)

    client_ctx, server_ctx = links.make_contexts(tickets=0)
    link: Any = MemLink(Mine(client_ctx), p.SSL(server_ctx))
    p.SSL_set_connect_state(link.client)
    p.SSL_set_accept_state(link.server)
    warm(link)
    calls.clear()
    assert link.client.write_ex(b"data") == (1, 4)
    wire.deliver(link, b"back")
    assert link.client.read(bytearray(9)) == 4
    assert calls == ["write", "read"]
    assert link.client.extra == 1


def test_object_in_a_circle_is_collected_and_its_type_stays_counted() -> None:
    index = p.SSL.get_ex_new_index()
    kind = type("Mine", (p.SSL,), {})
    ctx = p.SSL_CTX(p.TLS_client_method())
    before = sys.getrefcount(kind)
    seen = []
    for _ in range(10):
        ssl = kind(ctx)
        ssl.set_ex_data(index, ssl)
        ssl.mine = ssl
        seen.append(weakref.ref(ssl))
    del ssl
    gc.collect()

    assert [one() for one in seen] == [None] * 10
    assert sys.getrefcount(kind) == before


# ---- getting in ------------------------------------------------------------


@clause("CV-2", "CTX-4")
def test_get_error_takes_what_it_took_and_refuses_the_rest() -> None:
    ssl: Any = mem().client
    for ret in (1, True, 1 << 100):
        assert ssl.get_error(ret) == ssl.get_error(ret=ret) == 0
    assert ssl.read(bytearray(1)) == -1
    for ret in (-1, 0, -(1 << 100)):
        assert ssl.get_error(ret) == ssl.get_error(ret=ret) == 2
    bad: list[Callable[[], Any]] = [
        ssl.get_error,
        lambda: ssl.get_error(None),
        lambda: ssl.get_error("1"),
        lambda: ssl.get_error(1, 2),
        lambda: ssl.get_error(1, ret=2),
        lambda: ssl.get_error(number=2),
        lambda: ssl.do_handshake(1),
        lambda: p.SSL.do_handshake(None),
        ssl._alone,
        lambda: ssl._take(None),
        ssl._facts,
        lambda: ssl._facts(None),
        lambda: ssl._alone(None),
        lambda: ssl._exclusive(1),
    ]
    for call in bad:
        with pytest.raises((TypeError, AttributeError)):
            call()
    if IN_C:
        with pytest.raises(TypeError):
            ssl._alone(print, 1, 2, 3, 4, 5)
        with pytest.raises(TypeError):
            ssl._exclusive()
    p.SSL_free(ssl)
    for call in (ssl.do_handshake, lambda: ssl.get_error(-1)):
        with pytest.raises(ValueError, match="was freed"):
            call()


@clause("GE-2", "ERR-1")
def test_entries_of_a_thread_count_in_that_thread_alone() -> None:
    ssl: Any = mem().client
    assert ssl.read(bytearray(1)) == -1
    assert ssl.get_error(-1) == p.SSL_ERROR_WANT_READ
    takes: list[Callable[[], Any]] = [
        p.ERR_get_error,
        p.ERR_clear_error,
        p.ERR_remove_thread_state,
        p.ERR_pop_to_mark,
        lambda: p.ERR_print_errors_cb(lambda *_: 1),
        lambda: [p.ERR_get_error_all(), p.ERR_get_error_line()],
    ]
    for take in takes:
        for _ in range(2):
            p.ERR_put_error(20, 0, 1, "file", 1)
        assert p.ERR_get_error() != 0
        assert ssl.get_error(-1) == p.SSL_ERROR_SSL

        def other() -> tuple[int, int]:
            ssl.read(bytearray(1))
            found = ssl.get_error(-1)
            p.ERR_put_error(20, 0, 1, "file", 1)
            return found, ssl.get_error(-1)

        thread, found = links.in_thread(other)
        thread.join(SECONDS)
        assert found == [(p.SSL_ERROR_WANT_READ, p.SSL_ERROR_SSL)]
        ssl.read(bytearray(1))
        assert ssl.get_error(-1) == p.SSL_ERROR_SSL
        take()
        assert ssl.get_error(-1) == p.SSL_ERROR_WANT_READ


@clause("HS-4")
def test_handshake_clears_the_queue_if_there_is_something_to_do() -> None:
    link = MemLink(*make_ends(tickets=0))
    for ssl in (link.client, link.server, link.client):
        p.ERR_put_error(20, 0, 1, "file", 1)
        assert p.SSL_do_handshake(ssl) in (1, -1)
        assert p.ERR_peek_error() == 0
        link.move()
    p.ERR_put_error(20, 0, 1, "file", 1)
    assert p.SSL_do_handshake(link.client) == 1
    assert p.ERR_get_error() != 0


@clause("CTX-3")
def test_callback_set_on_the_context_later_is_heard_by_the_next_call() -> None:
    client_ctx, server_ctx = links.make_contexts(tickets=0)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    asked: list[Any] = []

    def name(ssl: Any, alert: Any, arg: Any) -> int:
        asked.append(ssl)
        return p.SSL_TLSEXT_ERR_NOACK

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, name)
    assert p.SSL_do_handshake(link.server) == -1
    assert asked == [link.server]


@clause("CV-8")
@pytest.mark.threads
def test_locks_are_waited_for_and_released_by_whoever_has_them() -> None:
    ssl: Any = mem().client
    for writing in (0, 1):
        assert ssl._try_take(writing)
        assert not ssl._try_take(writing)
        ssl._give(writing)
        with pytest.raises(RuntimeError):
            ssl._give(writing)
    for bad in (-3, 2, 1 << 70):
        for call in (ssl._take, ssl._try_take, ssl._give):
            with pytest.raises((ValueError, IndexError, OverflowError)):
                call(bad)
    inside: list[int] = []
    most: list[int] = []

    def work() -> int:
        for _ in range(200):
            ssl._take(1)
            inside.append(1)
            most.append(len(inside))
            p.SSL_pending(ssl)  # without the GIL for a moment
            inside.pop()
            ssl._give(1)
            assert ssl._facts(lambda _: 5) == 5
            assert ssl._alone(lambda _, *rest: rest, 1, 2) == (1, 2)
        return 1

    ssl._take(1)
    running = [links.in_thread(work) for _ in range(4)]
    running[0][0].join(0.1)
    assert all(thread.is_alive() for thread, _ in running)
    ssl._give(1)
    for thread, found in running:
        thread.join(SECONDS)
        assert found == [1]
    assert max(most) == 1


class StopError(Exception):
    """What the handler of a signal raises."""


@clause("CV-8")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals")
@pytest.mark.parametrize("writing", [0, 1])
def test_who_waits_for_a_lock_can_be_interrupted(writing: int) -> None:
    link = mem()
    ssl: Any = link.client

    def stop(*_: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGUSR1, stop)
    main = threading.get_ident()
    ssl._take(writing)
    timer = threading.Timer(
        0.1, lambda: signal.pthread_kill(main, signal.SIGUSR1)
    )
    timer.start()
    try:
        with pytest.raises(StopError):
            ssl._alone(lambda _: None)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
        ssl._give(writing)
    assert ssl._reader == ssl._writer == 0
    link.send(ssl, b"as before")


@clause("CV-7")
def test_exception_inside_releases_the_locks_and_comes_out() -> None:
    link = mem()
    ssl: Any = link.client
    for call in (ssl._alone, ssl._exclusive, ssl._facts):
        with pytest.raises(ZeroDivisionError):
            call(lambda _: 1 // 0)
    again = ssl._alone(lambda _: ssl._exclusive(lambda _, one: one, 7))
    assert again == 7
    with pytest.raises(RuntimeError):
        ssl._alone(lambda _: ssl._alone(print))
    assert ssl._alone(lambda _: ssl._facts(lambda _: 8)) == 8
    link.send(ssl, b"as before")


# ---- threads ---------------------------------------------------------------


@clause("CV-8", "CTX-4")
@pytest.mark.threads
@pytest.mark.parametrize("size", [64, 16384])
def test_freed_under_the_calls_of_other_threads_is_an_exception(
    size: int,
) -> None:
    for _ in range(20):
        link = mem()
        ssl: Any = link.client
        wire.deliver(link, *[bytes(size)] * 30)
        begun = threading.Barrier(3)

        def read(ssl: Any = ssl, begun: Any = begun) -> Any:
            buf = bytearray(size)
            begun.wait(SECONDS)
            while ssl.read(buf) >= -1:
                p.ERR_clear_error()

        def write(ssl: Any = ssl, begun: Any = begun) -> Any:
            data = bytes(size)
            begun.wait(SECONDS)
            while ssl.write(data) >= -1:
                pass

        running = [links.in_thread(read), links.in_thread(write)]
        begun.wait(SECONDS)
        p.SSL_free(ssl)
        for thread, found in running:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a thread hangs"
            assert isinstance(found[0], ValueError), found


@clause("CV-8")
@pytest.mark.threads
def test_buffer_keeps_its_size_while_another_thread_reads_into_it() -> None:
    link = mem()
    ssl: Any = link.client
    buf = bytearray(16384)
    over = threading.Event()

    def resize() -> int:
        refused = 0
        while not over.is_set():
            try:
                buf.extend(b"x")
                del buf[16384:]
            except BufferError:
                refused += 1
        return refused

    thread, found = links.in_thread(resize)
    for i in range(300):
        wire.deliver(link, bytes([i & 255]) * 16000)
        assert ssl.read(buf) == 16000
        assert buf[:16000] == bytes([i & 255]) * 16000
    over.set()
    thread.join(SECONDS)
    assert isinstance(found[0], int)
