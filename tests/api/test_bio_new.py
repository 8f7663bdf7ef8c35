"""BIO_new(3), BIO_push(3), BIO_find_type(3): life and chains."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from pyssl.bio import (
    BIO,
    BIO_meth_new,
    BIO_new,
    BIO_new_bio_pair,
    BIO_s_bio,
    BIO_s_fd,
    BIO_s_mem,
    BIO_s_null,
    BIO_s_socket,
)
from pyssl.const import (
    BIO_CB_FREE,
    BIO_CTRL_POP,
    BIO_CTRL_PUSH,
    BIO_TYPE_ACCEPT,
    BIO_TYPE_BIO,
    BIO_TYPE_BUFFER,
    BIO_TYPE_CONNECT,
    BIO_TYPE_DESCRIPTOR,
    BIO_TYPE_FD,
    BIO_TYPE_FILE,
    BIO_TYPE_FILTER,
    BIO_TYPE_MEM,
    BIO_TYPE_NULL,
    BIO_TYPE_SOCKET,
    BIO_TYPE_SOURCE_SINK,
    BIO_TYPE_SSL,
)
from pyssl.err import drain
from tests.api.bios import FILTER, SOURCE, custom, new, read
from tests.clauses import clause


class Recorder:
    """Makes BIOs that say when they are destroyed."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    def new(self, name: str, type_: int = FILTER) -> BIO:
        gone = self.gone
        bio = custom(type_, destroy=lambda b: gone.append(b.get_data()))
        bio.set_data(name)
        return bio


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


# ---- life -----------------------------------------------------------------


@clause("BIO-1")
@pytest.mark.parametrize(
    ("method", "close"),
    [(BIO_s_mem, 1), (BIO_s_bio, 1), (BIO_s_socket, 1), (BIO_s_null, 0)],
)
def test_new_bio_is_fresh(method, close: int) -> None:
    bio = new(method())
    assert bio.get_close() == close
    assert (bio.number_read(), bio.number_written()) == (0, 0)
    assert bio.next() is None
    assert (bio.get_retry_flags(), bio.get_retry_reason()) == (0, 0)
    assert bio.get_data() is None
    assert bio.free() == 1


@clause("BIO-1")
def test_new_with_a_create_function_that_fails_is_none() -> None:
    gone: list[Any] = []
    method = BIO_meth_new(SOURCE, "fails")
    method.set_create(lambda b: 0)
    method.set_destroy(gone.append)
    assert BIO_new(method) is None
    with pytest.raises(ValueError):
        BIO(method)
    gc.collect()
    assert gone == []
    for bad in (None, "mem", BIO_s_mem):
        with pytest.raises(TypeError):
            BIO_new(bad)


@clause("BIO-2", "BIO-3", "METH-5")
def test_free_destroys_at_the_last_reference(recorder: Recorder) -> None:
    bio = recorder.new("x")
    assert bio.up_ref() == 1
    assert bio.up_ref() == 1
    for _ in range(2):
        assert bio.free() == 1
        assert recorder.gone == []
        assert bio.get_data() == "x"
    assert bio.free() == 1
    assert recorder.gone == ["x"]
    del bio
    gc.collect()
    assert recorder.gone == ["x"]


@clause("BIO-3", "CV-3")
def test_freed_bio_raises_and_never_crashes(recorder: Recorder) -> None:
    a, b = BIO_new_bio_pair(10, 10)
    assert a is not None
    assert b is not None
    mem = new(BIO_s_mem())
    for bio in (a, mem, recorder.new("x")):
        assert bio.free() == 1
        calls: list[Any] = [
            lambda bio=bio: bio.read(bytearray(1)),
            lambda bio=bio: bio.write(b"x"),
            lambda bio=bio: bio.puts("x"),
            lambda bio=bio: bio.gets(5),
            lambda bio=bio: bio.ctrl(1),
            lambda bio=bio: bio.push(None),
            lambda bio=bio: b.push(bio),
            lambda bio=bio: bio.get_mem_data(),
            lambda bio=bio: bio.nread0(),
            lambda bio=bio: bio.make_bio_pair(b),
            lambda bio=bio: b.make_bio_pair(bio),
            *(
                getattr(bio, name)
                for name in [
                    "up_ref",
                    "free",
                    "vfree",
                    "free_all",
                    "pop",
                    "next",
                    "method_type",
                    "method_name",
                    "number_read",
                    "number_written",
                    "reset",
                    "eof",
                    "get_flags",
                    "should_retry",
                    "set_retry_read",
                    "copy_next_retry",
                    "get_retry_BIO",
                    "get_retry_reason",
                    "last_errno",
                    "get_data",
                    "get_init",
                    "get_shutdown",
                    "get_callback_ex",
                    "get_callback",
                    "get_callback_arg",
                    "get_info_callback",
                ]
            ),
        ]
        for call in calls:
            with pytest.raises(ValueError):
                call()
    assert drain() == []


@clause("BIO-3")
@pytest.mark.parametrize("veto", [0, -1, -7])
def test_free_callback_may_stop_the_destruction(
    recorder: Recorder, veto: int
) -> None:
    bio = recorder.new("x")
    calls: list[Any] = []

    def callback(b: BIO, oper: int, *rest: Any) -> int:
        calls.append((oper, recorder.gone[:]))
        return veto

    bio.set_callback_ex(callback)
    assert bio.free() == veto
    assert calls == [(BIO_CB_FREE, [])]
    assert recorder.gone == []
    bio.set_callback_ex(None)
    assert bio.free() == 1
    assert recorder.gone == ["x"]


@clause("BIO-3")
def test_vfree_is_free_without_a_result(recorder: Recorder) -> None:
    bio = recorder.new("x")
    assert bio.vfree() is None
    assert recorder.gone == ["x"]


@clause("BIO-3", "BIO-4")
def test_free_releases_one_and_free_all_the_chain(recorder: Recorder) -> None:
    a, b, c = (recorder.new(name) for name in "abc")
    a.push(b).push(c)
    assert a.free() == 1
    assert recorder.gone == ["a"]
    assert b.next() is c
    b.free_all()
    assert recorder.gone == ["a", "b", "c"]
    with pytest.raises(ValueError):
        c.get_data()


@clause("BIO-4")
def test_free_all_stops_behind_a_shared_bio(recorder: Recorder) -> None:
    a, b, c = (recorder.new(name) for name in "abc")
    a.push(b).push(c)
    b.up_ref()
    a.free_all()
    assert recorder.gone == ["a"]
    assert b.next() is c
    assert c.get_data() == "c"
    b.free_all()
    assert recorder.gone == ["a", "b", "c"]


@clause("BIO-4")
def test_free_all_of_a_single_bio_is_vfree(recorder: Recorder) -> None:
    a, b = recorder.new("a"), recorder.new("b")
    b.up_ref()
    a.free_all()
    b.free_all()
    assert recorder.gone == ["a"]
    b.free_all()
    assert recorder.gone == ["a", "b"]


@clause("OWN-4", "CV-3", "METH-5")
def test_bio_given_up_lives_on_in_its_chain(recorder: Recorder) -> None:
    def read_on(b: BIO, n: int) -> bytes:
        return b"<" + read(b.next(), n - 1)[1]

    head, mem = custom(FILTER, read=read_on), new(BIO_s_mem())
    mem.write(b"data")
    head.push(mem)
    assert mem.free() == 1
    with pytest.raises(ValueError):
        mem.pending()
    assert read(head, 9) == (5, b"<data")
    mark = recorder.new("mark")
    head.push(mark)
    mark.free()
    assert recorder.gone == []
    head.free()
    assert recorder.gone == ["mark"]


@clause("METH-5", "CV-3")
def test_garbage_collection_destroys_once(recorder: Recorder) -> None:
    a, b = recorder.new("a"), recorder.new("b")
    a.push(b)
    del a
    gc.collect()
    assert recorder.gone == ["a"]
    assert b.get_data() == "b"
    b.set_data([b])  # a cycle
    recorder.gone.clear()
    watch = weakref.ref(b)
    del b
    gc.collect()
    gc.collect()
    assert watch() is None
    assert len(recorder.gone) == 1


@clause("METH-5")
def test_holder_keeps_a_bio_until_it_lets_go(recorder: Recorder) -> None:
    bio = recorder.new("x")
    bio._hold()
    bio._hold()
    assert bio.free() == 1
    with pytest.raises(ValueError):
        bio.get_data()
    bio._release()
    assert recorder.gone == []
    bio._release()
    assert recorder.gone == ["x"]
    assert bio._take_exception() is None


@clause("METH-5", "CV-7")
def test_exception_of_destroy_is_raised_after_the_work() -> None:
    def destroy(b: BIO) -> None:
        raise RuntimeError("destroy")

    chain = [custom(FILTER, destroy=destroy) for _ in range(3)]
    chain[0].push(chain[1]).push(chain[2])
    with pytest.raises(RuntimeError):
        chain[0].free_all()
    for bio in chain:
        with pytest.raises(ValueError):
            bio.next()
    held = custom(FILTER, destroy=destroy)
    held._hold()
    held.free()
    held._release()
    assert isinstance(held._take_exception(), RuntimeError)
    assert held._take_exception() is None


@clause("CV-3")
def test_bio_freed_by_its_own_operation_ends_after_it(
    recorder: Recorder,
) -> None:
    bio = recorder.new("x")

    def suicide(b: BIO, n: int) -> bytes:
        assert b.free() == 1
        assert recorder.gone == []
        b.set_retry_read()
        return b"last"

    bio._method.set_read(suicide)
    assert read(bio, 9) == (4, b"last")
    assert recorder.gone == ["x"]
    with pytest.raises(ValueError):
        bio.get_data()


@clause("CV-3", "CV-8")
@pytest.mark.threads
def test_free_while_other_threads_use_a_bio_never_crashes() -> None:
    for _ in range(40):
        a, b = BIO_new_bio_pair(16, 16)
        assert a is not None
        assert b is not None
        begin = threading.Barrier(4)

        def use(bio: BIO, begin=begin) -> None:
            begin.wait()
            try:
                for _ in range(60):
                    bio.write(b"0123456789")
                    bio.read(bytearray(7))
                    bio.nread0()
                    bio.get_flags()
            except ValueError:
                pass

        def end(bio: BIO, begin=begin) -> None:
            begin.wait()
            for _ in range(20):
                bio.pending()
            bio.free()

        threads = [
            threading.Thread(target=run, args=(bio,))
            for run, bio in ((use, a), (use, b), (use, a), (end, a))
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


@clause("CV-8")
@pytest.mark.threads
def test_memory_shared_by_threads_loses_nothing() -> None:
    mem = new(BIO_s_mem())
    total = 4 * 500 * 10
    got: list[int] = []

    def write() -> None:
        for _ in range(500):
            assert mem.write(b"0123456789") == 10

    def take() -> None:
        buf = bytearray(64)
        while sum(got) < total:
            ret = mem.read(buf)
            if ret > 0:
                got.append(ret)

    threads = [threading.Thread(target=write) for _ in range(4)]
    threads.append(threading.Thread(target=take))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(got) == total
    assert (mem.number_read(), mem.number_written()) == (total, total)


# ---- chains ---------------------------------------------------------------


def chain_of(head: BIO) -> list[BIO]:
    out = [head]
    while (after := out[-1].next()) is not None:
        out.append(after)
    return out


def linked(*bios: BIO) -> BIO:
    for bio in bios[1:]:
        assert bios[0].push(bio) is bios[0]
    return bios[0]


@pytest.fixture
def row() -> list[BIO]:
    return [custom(FILTER) for _ in range(6)]


@clause("BIO-8", "BIO-12")
def test_push_appends_a_whole_chain(row: list[BIO]) -> None:
    a, b, c, d, *_ = row
    linked(a, b)
    linked(c, d)
    assert a.push(c) is a
    assert chain_of(a) == [a, b, c, d]
    assert a.push(None) is a
    assert chain_of(a) == [a, b, c, d]
    assert d.next() is None


@clause("BIO-8")
def test_push_of_a_middle_cuts_off_what_stood_before(row: list[BIO]) -> None:
    a, b, c, d, e, f = row
    linked(a, b, c, d)
    linked(e, f)
    e.push(c)
    assert chain_of(a) == [a, b]
    assert chain_of(e) == [e, f, c, d]


@clause("BIO-8", "BIO-9")
def test_push_and_pop_send_their_commands() -> None:
    seen: list[Any] = []

    def ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
        seen.append((b, cmd, parg))
        return 0

    a, b = custom(FILTER, ctrl=ctrl), custom(FILTER, ctrl=ctrl)
    c = custom(FILTER)
    a.push(b)
    a.push(c)
    assert b.pop() is c
    c.pop()
    assert seen == [
        (a, BIO_CTRL_PUSH, a),
        (a, BIO_CTRL_PUSH, b),
        (b, BIO_CTRL_POP, b),
    ]
    assert drain() == []


@clause("BIO-9")
def test_pop_takes_out_first_middle_and_last(row: list[BIO]) -> None:
    a, b, c, d, *_ = row
    linked(a, b, c, d)
    assert b.pop() is c
    assert (chain_of(a), chain_of(b)) == ([a, c, d], [b])
    assert d.pop() is None
    assert (chain_of(a), chain_of(d)) == ([a, c], [d])
    assert a.pop() is c
    assert (chain_of(a), chain_of(c)) == ([a], [c])
    assert a.pop() is None


@clause("BIO-9", "CV-3")
def test_pop_of_a_bio_that_was_given_up_destroys_it(
    recorder: Recorder,
) -> None:
    a, b, c = (recorder.new(name) for name in "abc")
    linked(a, b, c)
    b.free()
    assert recorder.gone == []
    assert a.pop() is b
    assert recorder.gone == ["b"]
    assert chain_of(c) == [c]


@clause("BIO-10")
def test_set_next_links_and_cuts_without_a_command(row: list[BIO]) -> None:
    seen: list[Any] = []
    a, b, c, d, e, f = row
    for bio in row:
        bio._method.set_ctrl(lambda *args: seen.append(args) or 0)
    linked(a, b, c)
    linked(d, e, f)
    seen.clear()
    a.set_next(e)
    assert [chain_of(x) for x in (a, b, d)] == [[a, e, f], [b, c], [d]]
    a.set_next(e)
    assert chain_of(a) == [a, e, f]
    a.set_next(f)
    assert [chain_of(x) for x in (a, e)] == [[a, f], [e]]
    a.set_next(None)
    assert [chain_of(x) for x in (a, f)] == [[a], [f]]
    assert seen == []


@clause("BIO-11")
def test_circle_is_refused(row: list[BIO]) -> None:
    a, b, c, *_ = row
    linked(a, b, c)
    for head, tail in ((a, a), (a, b), (a, c), (b, a), (c, a), (c, c)):
        with pytest.raises(ValueError):
            head.push(tail)
    for head, tail in ((a, a), (c, a), (c, b), (b, a)):
        with pytest.raises(ValueError):
            head.set_next(tail)
    assert chain_of(a) == [a, b, c]
    for bad in ("x", 5, BIO_s_mem()):
        with pytest.raises(TypeError):
            a.push(bad)  # type: ignore[arg-type]


@clause("BIO-12")
def test_find_type_by_type_and_by_class(row: list[BIO]) -> None:
    a, b, *_ = row
    mem, sock = new(BIO_s_mem()), new(BIO_s_socket())
    linked(a, b, mem, sock)
    assert a.find_type(BIO_TYPE_MEM) is mem
    assert a.find_type(BIO_TYPE_SOCKET) is sock
    assert a.find_type(FILTER) is a
    assert b.find_type(BIO_TYPE_FILTER) is b
    assert a.find_type(BIO_TYPE_SOURCE_SINK) is mem
    assert a.find_type(BIO_TYPE_DESCRIPTOR) is sock
    assert a.find_type(BIO_TYPE_FILTER | BIO_TYPE_DESCRIPTOR) is a
    assert a.find_type(BIO_TYPE_NULL) is None
    assert mem.find_type(BIO_TYPE_FILTER) is None
    assert a.find_type(0) is None


@clause("BIO-13")
@pytest.mark.parametrize(
    ("method", "type_", "value", "name"),
    [
        (BIO_s_mem, BIO_TYPE_MEM, 0x401, "memory buffer"),
        (BIO_s_fd, BIO_TYPE_FD, 0x504, "file descriptor"),
        (BIO_s_null, BIO_TYPE_NULL, 0x406, "NULL"),
        (BIO_s_bio, BIO_TYPE_BIO, 0x413, "BIO pair"),
        (BIO_s_socket, BIO_TYPE_SOCKET, 0x505, "socket"),
    ],
)
def test_types_and_names(method, type_: int, value: int, name: str) -> None:
    bio = new(method())
    assert (bio.method_type(), type_) == (value, value)
    assert (bio.method_name(), method().name) == (name, name)


@clause("BIO-13")
def test_numbers_of_other_types() -> None:
    assert (BIO_TYPE_CONNECT, BIO_TYPE_ACCEPT) == (0x50C, 0x50D)
    assert (BIO_TYPE_SSL, BIO_TYPE_BUFFER) == (0x207, 0x209)
    assert BIO_TYPE_FILE == 0x402
