"""What the pump of the core sees of a BIO that Python answers for.

The test plays the pump: it calls the core's functions with the C object of a
BIO, lets Python answer, and calls again.
"""

from __future__ import annotations

import errno
import gc
import socket
from typing import Any

import pytest

from pyssl._ffi import ffi, lib
from pyssl.bio import (
    BIO,
    BIO_new_bio_pair,
    BIO_new_mem_buf,
    BIO_new_socket,
    BIO_s_mem,
    BIO_s_null,
)
from pyssl.const import BIO_CTRL_EOF, BIO_CTRL_FLUSH, BIO_CTRL_PUSH
from pyssl.err import drain
from tests.api.bios import FILTER, READ_ONLY, UNSUPPORTED, custom, new, read
from tests.clauses import clause

PENDING = -1000
OP_READ, OP_EOF, OP_WRITE, OP_FLUSH = 1, 2, 3, 4


def pump(bio: BIO, writing: int, call: Any) -> int:
    """Call until there is an answer."""
    ret = int(call())
    if ret == PENDING:
        bio._answer(writing)
        ret = int(call())
        assert ret != PENDING
    return ret


def pump_read(bio: BIO, n: int) -> tuple[int, bytes]:
    room = ffi.new("uint8_t[]", n)
    c = bio._native()
    ret = pump(bio, 0, lambda: lib.pys_bio_read(c, room, n))
    return ret, bytes(ffi.buffer(room, max(ret, 0)))


def pump_write(bio: BIO, data: bytes) -> int:
    c = bio._native()
    return pump(bio, 1, lambda: lib.pys_bio_write(c, data, len(data)))


def pump_ctrl(bio: BIO, cmd: int, writing: int) -> int:
    c = bio._native()
    return pump(bio, writing, lambda: lib.pys_bio_ctrl(c, cmd, 0))


@clause("METH-1")
def test_question_waits_for_its_answer() -> None:
    bio = custom(write=lambda b, v: len(v))
    c = bio._native()
    assert lib.pys_bio_asked(c, 0).op == 0
    assert not lib.pys_bio_answer(c, 0, 5, b"stale")
    room = ffi.new("uint8_t[]", 10)
    assert lib.pys_bio_read(c, room, 10) == PENDING
    assert lib.pys_bio_read(c, room, 10) == PENDING
    data = ffi.new("uint8_t[]", b"offered")
    assert lib.pys_bio_write(c, data, 7) == PENDING
    data[0] = 0  # the question keeps its own bytes
    asked = [lib.pys_bio_asked(c, w) for w in (0, 1)]
    assert [(q.op, q.n) for q in asked] == [(OP_READ, 10), (OP_WRITE, 7)]
    assert bytes(ffi.buffer(asked[1].data, 7)) == b"offered"
    assert lib.pys_bio_answer(c, 0, 6, b"abcdef")
    assert lib.pys_bio_answer(c, 1, 7, ffi.NULL)
    assert lib.pys_bio_write(c, data, 7) == 7
    assert lib.pys_bio_read(c, room, 4) == 4
    assert lib.pys_bio_read(c, room, 4) == 2
    assert bytes(ffi.buffer(room, 2)) == b"ef"
    assert lib.pys_bio_read(c, room, 4) == PENDING


@clause("METH-1")
def test_answer_that_is_not_possible_counts_as_failure() -> None:
    bio = custom()
    c = bio._native()
    room = ffi.new("uint8_t[]", 4)
    for ret, data in ((5, b"abcde"), (3, ffi.NULL)):
        assert lib.pys_bio_read(c, room, 4) == PENDING
        assert not lib.pys_bio_answer(c, 0, ret, data)
        assert lib.pys_bio_read(c, room, 4) == -1
    assert lib.pys_bio_read(c, room, 4) == PENDING
    assert lib.pys_bio_answer(c, 0, PENDING, ffi.NULL)
    assert lib.pys_bio_read(c, room, 4) == -1
    assert lib.pys_bio_write(c, b"abcd", 4) == PENDING
    assert not lib.pys_bio_answer(c, 1, 5, ffi.NULL)
    assert lib.pys_bio_write(c, b"abcd", 4) == -1
    assert lib.pys_bio_ctrl(c, 99, 0) == 0


@clause("METH-1")
def test_question_and_answer_when_memory_is_short() -> None:
    bio = custom(read=lambda b, n: b"abc")
    c = bio._native()
    bio.set_retry_write()
    lib.pys_test_fail_alloc(1)
    assert lib.pys_bio_write(c, b"abcd", 4) == -1
    assert lib.pys_bio_fault(c, 1) == 0xC0100
    assert lib.pys_bio_retry(c, 1) == 0
    room = ffi.new("uint8_t[]", 4)
    assert lib.pys_bio_read(c, room, 4) == PENDING
    lib.pys_test_fail_alloc(1)
    bio._answer(0)
    assert lib.pys_bio_read(c, room, 4) == -1
    assert drain() == [32 << 23 | 0xC0100]


@clause("METH-6")
def test_python_type_is_worked_by_questions() -> None:
    held = bytearray(b"incoming")
    commands: list[int] = []

    def take(b: BIO, n: int) -> Any:
        b.clear_retry_flags()
        data = bytes(held[:n])
        del held[:n]
        if not data:
            b.set_retry_read()
        return data or -1

    def ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
        commands.append(cmd)
        return 1

    out = bytearray()
    bio = custom(
        read=take, write=lambda b, v: out.extend(v) or len(v), ctrl=ctrl
    )
    assert pump_read(bio, 5) == (5, b"incom")
    assert pump_write(bio, b"outgoing") == 8
    assert pump_read(bio, 9) == (3, b"ing")
    assert pump_read(bio, 9) == (-1, b"")
    c = bio._native()
    assert (lib.pys_bio_retry(c, 0), lib.pys_bio_retry(c, 1)) == (9, 0)
    assert pump_ctrl(bio, BIO_CTRL_EOF, 0) == 1
    assert pump_ctrl(bio, BIO_CTRL_FLUSH, 1) == 1
    assert commands == [BIO_CTRL_EOF, BIO_CTRL_FLUSH]
    assert out == b"outgoing"
    assert (bio.number_read(), bio.number_written()) == (8, 8)
    assert bio._take_exception() is None


@clause("METH-6", "BIO-31")
def test_directions_of_a_python_type_keep_their_flags() -> None:
    def take(b: BIO, n: int) -> int:
        b.clear_retry_flags()
        b.set_retry_special()
        b.set_retry_reason(2)
        return -1

    def put(b: BIO, view: Any) -> int:
        b.clear_retry_flags()
        b.set_retry_read()  # as a BIO over TLS may have to
        return -1

    bio = custom(read=take, write=put)
    c = bio._native()
    assert pump_read(bio, 5)[0] == -1
    assert pump_write(bio, b"x") == -1
    assert (lib.pys_bio_retry(c, 0), lib.pys_bio_retry(c, 1)) == (12, 9)
    assert (lib.pys_bio_reason(c, 0), lib.pys_bio_reason(c, 1)) == (2, 0)
    assert bio.get_retry_flags() == 9
    bio.clear_retry_flags()
    assert (lib.pys_bio_retry(c, 0), lib.pys_bio_retry(c, 1)) == (0, 0)
    bio.set_retry_write()
    assert (lib.pys_bio_retry(c, 0), lib.pys_bio_retry(c, 1)) == (10, 10)


@clause("METH-8", "CV-7")
@pytest.mark.parametrize("raised", [LookupError, KeyboardInterrupt])
def test_exception_is_parked_and_counts_as_failure(raised: Any) -> None:
    def fail(b: BIO, *args: Any) -> int:
        b.set_retry_read()
        raise raised

    bio = custom(read=fail, write=fail, ctrl=fail)
    c = bio._native()
    calls: list[tuple[int, Any]] = [
        (0, lambda: pump_read(bio, 5)[0]),
        (1, lambda: pump_write(bio, b"x")),
        (0, lambda: pump_ctrl(bio, BIO_CTRL_EOF, 0)),
        (1, lambda: pump_ctrl(bio, BIO_CTRL_FLUSH, 1)),
    ]
    for writing, call in calls:
        assert call() == -1
        assert lib.pys_bio_retry(c, writing) == 0
        assert isinstance(bio._take_exception(), raised)
        assert bio._take_exception() is None


@clause("METH-8", "METH-1")
@pytest.mark.parametrize("bad", [None, "x", 5, b"too long"])
def test_wrong_result_is_parked(bad: Any) -> None:
    bio = custom(read=lambda b, n: bad, write=lambda b, v: "1")
    assert pump_read(bio, 3) == (-1, b"")
    assert isinstance(bio._take_exception(), (TypeError, ValueError))
    assert pump_write(bio, b"x") == -1
    assert isinstance(bio._take_exception(), TypeError)


@clause("METH-3")
def test_missing_operation_fails_with_its_reason() -> None:
    bio = custom()
    assert pump_read(bio, 3) == (-2, b"")
    assert drain() == [UNSUPPORTED]
    assert pump_write(bio, b"x") == -2
    assert drain() == [UNSUPPORTED]
    assert pump_ctrl(bio, BIO_CTRL_FLUSH, 1) == -2
    assert drain() == [UNSUPPORTED]
    bio._notify(BIO_CTRL_PUSH)
    assert drain() == []


@clause("METH-1")
def test_view_of_a_write_may_be_kept() -> None:
    kept: list[memoryview] = []
    bio = custom(write=lambda b, v: kept.append(v) or len(v))
    assert pump_write(bio, b"kept") == 4
    del bio
    gc.collect()
    assert bytes(kept[0]) == b"kept"


@clause("BIO-37")
def test_native_type_with_a_callback_is_answered_by_python() -> None:
    calls: list[int] = []

    def callback(b: BIO, oper: int, *rest: Any) -> int:
        calls.append(oper)
        return rest[4]

    mem = new(BIO_s_mem())
    native, epoch = mem._native(), mem._epoch
    assert pump_write(mem, b"before") == 6
    mem.set_callback_ex(callback)
    assert mem._epoch != epoch
    assert mem._native() != native
    assert pump_write(mem, b"after") == 5
    assert pump_read(mem, 99) == (11, b"beforeafter")
    assert pump_read(mem, 99) == (-1, b"")
    assert pump_ctrl(mem, BIO_CTRL_EOF, 0) == 1
    assert calls == [3, 0x83, 2, 0x82, 2, 0x82, 6, 0x86]
    c = mem._native()
    assert lib.pys_bio_retry(c, 0) == 9
    mem.write(b"fed")  # GE-4: the retry is gone
    assert lib.pys_bio_retry(c, 0) == 0
    epoch = mem._epoch
    mem.set_callback_ex(None)
    assert (mem._epoch, mem._native()) == (epoch, c)
    assert pump_read(mem, 99) == (3, b"fed")
    assert (mem.number_read(), mem.number_written()) == (14, 14)


@clause("CV-9")
def test_errno_of_a_source_reaches_the_pump() -> None:
    a, b = socket.socketpair()
    with a:
        a.setblocking(False)
        plain = BIO_new_socket(a.fileno(), 0)
        plain.set_callback_ex(lambda b, *rest: rest[5])
        head = custom(FILTER, write=lambda b, v: b.next().write(v))
        head.push(BIO_new_socket(a.fileno(), 0))
        assert pump_read(plain, 5)[0] == -1
        c = plain._native()
        assert lib.pys_bio_errno(c, 0) == errno.EAGAIN
        assert lib.pys_bio_retry(c, 0) == 9
        b.close()
        for bio in (plain, head):
            assert pump_write(bio, b"x") == -1
            c = bio._native()
            assert lib.pys_bio_errno(c, 1) == errno.EPIPE
            assert lib.pys_bio_retry(c, 1) == 0
        assert lib.pys_bio_errno(plain._native(), 0) == errno.EAGAIN
        assert drain() == []


@clause("MEM-9")
def test_fault_of_a_source_is_queued_once() -> None:
    view = BIO_new_mem_buf(b"abc")
    assert view is not None
    assert pump_write(view, b"x") == -1
    assert lib.pys_bio_fault(view._native(), 1) == 126
    assert drain() == []
    view.set_callback_ex(lambda b, *rest: rest[5])
    assert pump_write(view, b"x") == -1
    assert lib.pys_bio_fault(view._native(), 1) == 0
    assert drain() == [READ_ONLY]


@clause("OWN-4", "CV-3")
def test_given_up_bio_goes_on_for_its_holder() -> None:
    def take(b: BIO, n: int) -> bytes:
        b.clear_retry_flags()
        return bytes(b.get_data()[:n])

    bio = custom(read=take)
    bio.set_data(b"data")
    bio._hold()
    bio.free()
    with pytest.raises(ValueError):
        read(bio, 2)
    assert pump_read(bio, 2) == (2, b"da")
    assert bio._take_exception() is None
    bio._release()
    with pytest.raises(ValueError):
        bio._native()


@clause("PAIR-14")
def test_pump_of_a_half_with_a_callback_ends_views() -> None:
    a, b = BIO_new_bio_pair(10, 10)
    assert a is not None
    assert b is not None
    for half in (a, b):
        half.set_callback_ex(lambda b, *rest: rest[5])
    assert pump_write(a, b"abc") == 3
    _, view = b.nread0()
    assert view is not None
    assert pump_write(a, b"def") == 3
    with pytest.raises(ValueError):
        view[0]
    _, view = b.nread0()
    assert view is not None
    assert pump_read(b, 2) == (2, b"ab")
    with pytest.raises(ValueError):
        view[0]
    assert pump_read(b, 9) == (4, b"cdef")


@clause("BIO-1")
def test_native_types_never_ask() -> None:
    null = new(BIO_s_null())
    c = null._native()
    assert lib.pys_bio_write(c, b"abc", 3) == 3
    assert lib.pys_bio_asked(c, 1).op == 0
    assert not lib.pys_bio_answer(c, 1, 3, ffi.NULL)
    assert null._epoch == 0
