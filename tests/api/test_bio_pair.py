"""BIO_s_bio(3): pairs, and their memory against a model of bytes."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from pyssl.bio import BIO, BIO_new_bio_pair, BIO_s_bio, BIO_s_mem
from pyssl.err import drain
from tests.api.bios import (
    BROKEN_PIPE,
    IN_USE,
    INVALID_ARGUMENT,
    UNINITIALIZED,
    UNSUPPORTED,
    new,
    read,
)
from tests.clauses import clause

READ_RETRY, WRITE_RETRY = 9, 10


def pair(n1: int = 0, n2: int = 0) -> tuple[BIO, BIO]:
    a, b = BIO_new_bio_pair(n1, n2)
    assert a is not None
    assert b is not None
    return a, b


@clause("PAIR-1")
@pytest.mark.parametrize("size", [10, 30])
def test_pair_keeps_order_around_the_end_of_its_ring(size: int) -> None:
    a, b = pair(size, size)
    sent, got = bytearray(), bytearray()
    for i in range(300):
        part = bytes((i * 7 + k) % 256 for k in range(i % 9 + 1))
        sent += part[: max(a.write(part), 0)]
        got += read(b, i % 6 + 1)[1]
    while b.pending():
        got += read(b, 7)[1]
    assert got == sent
    assert len(sent) > 10 * size
    drain()


@clause("PAIR-2", "BIO-18")
def test_half_when_fresh_is_not_initialised() -> None:
    a = new(BIO_s_bio())
    assert (a.get_init(), a.pending(), a.wpending()) == (0, 0, 0)
    assert (a.get_write_guarantee(), a.eof()) == (0, 1)
    for operate in (lambda: read(a, 3)[0], lambda: a.write(b"x")):
        assert operate() == -1
        assert (a.get_retry_flags(), drain()) == (0, [UNINITIALIZED])
    for expose in (a.nread0, a.nwrite0):
        assert expose() == (-1, None)
        assert drain() == [UNINITIALIZED]


@clause("PAIR-3")
def test_write_buf_size() -> None:
    a, b = new(BIO_s_bio()), new(BIO_s_bio())
    assert a.get_write_buf_size() == 17408
    assert a.set_write_buf_size(0) == 0
    assert drain() == [INVALID_ARGUMENT]
    assert a.set_write_buf_size(-5) == 0
    assert drain() == [INVALID_ARGUMENT]
    assert a.set_write_buf_size(12) == 1
    assert a.make_bio_pair(b) == 1
    assert a.set_write_buf_size(13) == 0
    assert drain() == [IN_USE]
    assert (a.get_write_buf_size(), b.get_write_buf_size()) == (12, 17408)
    assert a.get_write_guarantee() == 12


@clause("PAIR-4")
def test_make_pair_of_a_half_in_use_fails() -> None:
    a, b = pair()
    c = new(BIO_s_bio())
    for first, second in ((a, c), (c, a), (a, b)):
        assert first.make_bio_pair(second) == 0
        assert drain() == [IN_USE]
    assert c.get_init() == 0
    assert a.write(b"still") == 5
    assert read(b, 9) == (5, b"still")


@clause("PAIR-4")
def test_make_pair_of_what_is_no_half_fails() -> None:
    a, mem = new(BIO_s_bio()), new(BIO_s_mem())
    assert a.make_bio_pair(a) == 0
    assert drain() == [INVALID_ARGUMENT]
    assert a.make_bio_pair(mem) == 0
    assert drain() == [INVALID_ARGUMENT]
    assert mem.make_bio_pair(a) == 0
    assert drain() == []
    with pytest.raises(TypeError):
        a.make_bio_pair(None)  # type: ignore[arg-type]


@clause("PAIR-4")
def test_new_pair_has_sizes_or_fails_whole() -> None:
    a, b = pair(5, 0)
    assert (a.get_write_guarantee(), b.get_write_guarantee()) == (5, 17408)
    assert (a.get_init(), b.get_init()) == (1, 1)
    assert BIO_new_bio_pair(1 << 40, 1) == (None, None)
    assert len(drain()) == 1
    with pytest.raises(ValueError):
        BIO_new_bio_pair(-1, 5)


@clause("PAIR-4")
def test_new_pair_when_memory_is_short_gives_none() -> None:
    from pyssl._ffi import lib

    for first_short in (1, 2, 3):
        lib.pys_test_fail_alloc(first_short)
        try:
            assert BIO_new_bio_pair(10, 10) == (None, None)
        except MemoryError:
            assert first_short < 3
        lib.pys_test_fail_alloc(0)
    assert drain() == [32 << 23 | 0xC0100]


@clause("PAIR-5")
def test_write_takes_what_fits() -> None:
    a, b = pair(10, 30)
    assert a.write(b"123456") == 6
    assert a.write(b"7890ab") == 4
    assert a.get_retry_flags() == 0
    assert a.write(b"x") == -1
    assert (a.get_retry_flags(), drain()) == (WRITE_RETRY, [])
    assert a.write(b"") == 0
    assert a.get_retry_flags() == WRITE_RETRY
    assert read(b, 20) == (10, b"1234567890")


@clause("PAIR-6")
def test_read_when_nothing_is_there() -> None:
    a, b = pair(10, 30)
    assert read(b, 3) == (-1, b"")
    assert (b.get_retry_flags(), drain()) == (READ_RETRY, [])
    a.write(b"abc")
    assert read(b, 2) == (2, b"ab")
    assert b.get_retry_flags() == 0
    a.shutdown_wr()
    assert read(b, 2) == (1, b"c")
    assert read(b, 2) == (0, b"")
    assert (b.get_retry_flags(), drain()) == (0, [])


@clause("PAIR-7", "PAIR-8")
def test_pending_and_guarantee() -> None:
    a, b = pair(10, 30)
    a.write(b"1234")
    assert (a.pending(), a.wpending(), a.get_write_guarantee()) == (0, 4, 6)
    assert (b.pending(), b.wpending(), b.get_write_guarantee()) == (4, 0, 30)
    assert (a.ctrl_wpending(), b.ctrl_pending()) == (4, 4)
    assert a.ctrl_get_write_guarantee() == 6
    assert a.write(b"x" * a.get_write_guarantee()) == 6
    assert a.get_write_guarantee() == 0
    read(b, 3)
    assert a.get_write_guarantee() == 3
    b.shutdown_wr()
    assert b.get_write_guarantee() == 0


@clause("PAIR-9")
def test_read_request() -> None:
    a, b = pair(10, 30)
    assert a.get_read_request() == 0
    read(b, 4)
    assert a.get_read_request() == 4
    read(b, 100)
    assert a.get_read_request() == 10
    assert a.write(b"xy") == 2
    assert a.get_read_request() == 0
    read(b, 9)
    assert a.get_read_request() == 0
    read(b, 9)
    assert a.ctrl_get_read_request() == 9
    assert a.ctrl_reset_read_request() == 1
    assert a.get_read_request() == 0
    read(b, 9)
    a.shutdown_wr()
    assert a.get_read_request() == 0


@clause("PAIR-10")
def test_shutdown_wr_ends_one_direction() -> None:
    a, b = pair(10, 30)
    a.write(b"rest")
    assert a.shutdown_wr() == 1
    assert a.write(b"x") == -1
    assert (a.get_retry_flags(), drain()) == (0, [BROKEN_PIPE])
    assert read(b, 9) == (4, b"rest")
    assert read(b, 9) == (0, b"")
    assert b.write(b"back") == 4
    assert read(a, 9) == (4, b"back")


@clause("PAIR-11")
def test_eof_is_seen_when_the_rest_is_read() -> None:
    a, b = pair(10, 30)
    assert (a.eof(), b.eof()) == (0, 0)
    a.write(b"x")
    a.shutdown_wr()
    assert b.eof() == 0
    read(b, 1)
    assert (b.eof(), a.eof()) == (1, 0)


@clause("PAIR-12", "BIO-19")
def test_other_commands_of_a_pair() -> None:
    a, b = pair(10, 30)
    a.write(b"lost")
    b.write(b"kept")
    assert a.reset() == 0
    assert (b.pending(), a.pending()) == (0, 4)
    assert (a.flush(), a.seek(0), a.tell()) == (1, 0, 0)
    assert a.gets(5) == -2
    assert drain() == [UNSUPPORTED]
    assert a.puts("puts") == 4
    assert read(b, 9) == (4, b"puts")


@clause("PAIR-13")
def test_destroy_pair_unties_both() -> None:
    a, b = pair(10, 30)
    a.write(b"lost")
    assert a.destroy_bio_pair() == 1
    assert a.destroy_bio_pair() == 1
    assert b.destroy_bio_pair() == 1
    for half in (a, b):
        assert (half.get_init(), half.pending(), half.eof()) == (0, 0, 1)
        assert read(half, 1)[0] == -1
        assert drain() == [UNINITIALIZED]
    assert b.make_bio_pair(a) == 1
    assert (a.get_write_buf_size(), b.get_write_buf_size()) == (10, 30)
    assert (a.pending(), b.pending()) == (0, 0)
    assert b.write(b"anew") == 4
    assert read(a, 9) == (4, b"anew")


@clause("PAIR-13")
@pytest.mark.parametrize("explicit", [True, False])
def test_free_of_one_half_unties_the_other(explicit: bool) -> None:
    a, b = pair(10, 30)
    a.write(b"lost")
    if explicit:
        a.free()
    else:
        del a
        gc.collect()
    assert (b.get_init(), b.pending(), b.wpending(), b.eof()) == (0, 0, 0, 1)
    assert b.write(b"x") == -1
    assert drain() == [UNINITIALIZED]
    c = new(BIO_s_bio())
    assert b.make_bio_pair(c) == 1
    assert b.free() == 1


@clause("PAIR-14")
def test_zero_copy_read() -> None:
    a, b = pair(10, 30)
    assert b.nread0() == (-1, None)
    assert b.get_retry_flags() == READ_RETRY
    a.write(b"abcdef")
    ret, view = b.nread0()
    assert (ret, bytes(view or b"")) == (6, b"abcdef")
    assert b.pending() == 6
    ret, view = b.nread(4)
    assert (ret, bytes(view or b"")) == (4, b"abcd")
    assert b.pending() == 2
    assert view is not None
    assert view.readonly
    a.write(b"ghijklmn")
    ret, view = b.nread(100)
    assert (ret, bytes(view or b"")) == (6, b"efghij")
    ret, view = b.nread(100)
    assert (ret, bytes(view or b"")) == (4, b"klmn")
    a.shutdown_wr()
    assert b.nread0() == (0, None)
    assert (b.get_retry_flags(), drain()) == (0, [])


@clause("PAIR-14")
def test_zero_copy_write() -> None:
    a, b = pair(10, 30)
    ret, view = a.nwrite0()
    assert (ret, a.wpending()) == (10, 0)
    ret, view = a.nwrite(4)
    assert view is not None
    view[:] = b"abcd"
    assert (ret, a.wpending()) == (4, 4)
    read(b, 3)
    assert a.nwrite0()[0] == 6
    ret, view = a.nwrite(100)
    assert view is not None
    view[:] = b"efghij"
    assert a.nwrite(100)[0] == 3
    assert a.nwrite0() == (-1, None)
    assert (a.get_retry_flags(), drain()) == (WRITE_RETRY, [])
    assert read(b, 7) == (7, b"defghij")
    a.shutdown_wr()
    assert a.nwrite(1) == (-1, None)
    assert (a.get_retry_flags(), drain()) == (0, [BROKEN_PIPE])


@clause("PAIR-14")
@pytest.mark.parametrize(
    "operate",
    [
        lambda a, b: a.write(b"x"),
        lambda a, b: b.read(bytearray(1)),
        lambda a, b: b.write(b"x"),
        lambda a, b: a.puts(b"x"),
        lambda a, b: a.nwrite0(),
        lambda a, b: b.nread(1),
        lambda a, b: a.reset(),
        lambda a, b: b.destroy_bio_pair(),
        lambda a, b: a.free(),
    ],
)
def test_zero_copy_view_ends_with_the_next_operation(operate) -> None:
    a, b = pair(10, 30)
    a.write(b"abc")
    _, view = b.nread0()
    assert view is not None
    part = view[1:]
    assert (a.wpending(), b.pending(), b.eof()) == (3, 3, 0)
    assert bytes(view) == b"abc"
    operate(a, b)
    with pytest.raises(ValueError):
        view[0]
    del a, b
    gc.collect()
    assert len(bytes(part)) == 2  # the memory lives as long as a part


@clause("PAIR-14")
def test_zero_copy_of_what_is_no_pair_is_unsupported() -> None:
    mem = new(BIO_s_mem())
    for expose in (mem.nread0, mem.nwrite0, lambda: mem.nread(3)):
        assert expose() == (-2, None)
        assert drain() == [UNSUPPORTED]


class PairMachine(RuleBasedStateMachine):
    """A pair against two byte strings."""

    @initialize(n1=st.integers(1, 12), n2=st.integers(1, 12))
    def begin(self, n1: int, n2: int) -> None:
        self.halves = pair(n1, n2)
        self.sizes = (n1, n2)
        self.written = [b"", b""]
        self.asked = [0, 0]
        self.closed = [False, False]

    @rule(i=st.integers(0, 1), data=st.binary(min_size=1, max_size=15))
    def write(self, i: int, data: bytes) -> None:
        ret = self.halves[i].write(data)
        self.asked[i] = 0
        if self.closed[i]:
            assert (ret, drain()) == (-1, [BROKEN_PIPE])
            return
        room = self.sizes[i] - len(self.written[i])
        assert ret == (min(room, len(data)) or -1)
        flags = 0 if room else WRITE_RETRY
        assert self.halves[i].get_retry_flags() == flags
        self.written[i] += data[: max(ret, 0)]

    @rule(i=st.integers(0, 1), n=st.integers(1, 15))
    def read(self, i: int, n: int) -> None:
        there = self.written[1 - i]
        ret, data = read(self.halves[i], n)
        if there:
            self.asked[1 - i] = 0
            assert (ret, data) == (len(there[:n]), there[:n])
        elif self.closed[1 - i]:
            assert ret == 0
        else:
            assert ret == -1
            assert self.halves[i].get_retry_flags() == READ_RETRY
            self.asked[1 - i] = min(n, self.sizes[1 - i])
        self.written[1 - i] = there[n:]

    @rule(i=st.integers(0, 1), n=st.integers(1, 15))
    def nread(self, i: int, n: int) -> None:
        there = self.written[1 - i]
        ret, view = self.halves[i].nread(n)
        if not there:
            assert (ret, view) == (0 if self.closed[1 - i] else -1, None)
            self.asked[1 - i] = int(not self.closed[1 - i])
            return
        self.asked[1 - i] = 0
        assert view is not None
        assert 1 <= ret <= n
        assert bytes(view) == there[:ret]
        self.written[1 - i] = there[ret:]

    @rule(i=st.integers(0, 1), data=st.binary(min_size=1, max_size=15))
    def nwrite(self, i: int, data: bytes) -> None:
        room = self.sizes[i] - len(self.written[i])
        ret, view = self.halves[i].nwrite(len(data))
        self.asked[i] = 0
        if self.closed[i]:
            assert (ret, view, drain()) == (-1, None, [BROKEN_PIPE])
        elif room == 0:
            assert (ret, view) == (-1, None)
        else:
            assert view is not None
            assert 1 <= ret <= min(room, len(data))
            view[:] = data[:ret]
            self.written[i] += data[:ret]

    @rule(i=st.integers(0, 1))
    def reset(self, i: int) -> None:
        assert self.halves[i].reset() == 0
        self.written[i] = b""

    @rule(i=st.integers(0, 1))
    def shutdown(self, i: int) -> None:
        assert self.halves[i].shutdown_wr() == 1
        self.closed[i] = True

    @rule()
    def tie_again(self) -> None:
        a, b = self.halves
        assert a.destroy_bio_pair() == 1
        assert a.make_bio_pair(b) == 1
        self.written = [b"", b""]
        self.asked = [0, 0]
        self.closed = [False, False]

    @invariant()
    def numbers_agree(self) -> None:
        if not hasattr(self, "halves"):
            return
        for i, half in enumerate(self.halves):
            unread = len(self.written[i])
            room = 0 if self.closed[i] else self.sizes[i] - unread
            assert half.wpending() == unread
            assert self.halves[1 - i].pending() == unread
            assert half.get_write_guarantee() == room
            assert half.get_read_request() == min(self.asked[i], room)
            at_end = self.closed[i] and unread == 0
            assert self.halves[1 - i].eof() == int(at_end)
        assert drain() == []


PairMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
TestPairMachine = clause("PAIR-1", "PAIR-5", "PAIR-6")(PairMachine.TestCase)
