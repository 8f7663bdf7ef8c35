"""BIO_f_buffer(3)."""

from __future__ import annotations

import errno
import gc
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

import pyssl as p
from tests.api.bios import UNSUPPORTED, bio_reason, custom, read
from tests.clauses import clause

READ_RETRY, WRITE_RETRY, SPECIAL_RETRY = 9, 10, 12


def new(method: p.BIO_METHOD) -> p.BIO:
    made = p.BIO_new(method)
    assert made is not None
    return made


def drain() -> list[int]:
    found = []
    while code := p.ERR_get_error():
        found.append(code)
    return found


def over(after: p.BIO) -> p.BIO:
    """Make a buffer BIO in front of another."""
    bio = new(p.BIO_f_buffer())
    assert p.BIO_push(bio, after) is bio
    return bio


def memory() -> tuple[p.BIO, p.BIO]:
    mem = new(p.BIO_s_mem())
    return over(mem), mem


def pending(*bios: p.BIO) -> list[int]:
    return [p.BIO_pending(bio) for bio in bios]


class Sink:
    """A BIO that takes as many bytes as it is told."""

    def __init__(self) -> None:
        self.takes: list[int] = []
        self.got = b""
        self.flushes = 0
        self.bio = custom(write=self.write, ctrl=self.ctrl, read=self.read)
        self.gives: list[Any] = []

    def write(self, bio: p.BIO, view: memoryview) -> int:
        p.BIO_clear_retry_flags(bio)
        take = self.takes.pop(0) if self.takes else len(view)
        if take < 0:
            p.BIO_set_retry_write(bio)
            return -1
        self.got += bytes(view[:take])
        return min(take, len(view))

    def read(self, bio: p.BIO, n: int) -> Any:
        p.BIO_clear_retry_flags(bio)
        given = self.gives.pop(0) if self.gives else -1
        if isinstance(given, int) and given < 0:
            p.BIO_set_retry_read(bio)
        return given

    def ctrl(self, bio: p.BIO, cmd: int, larg: int, parg: object) -> int:
        self.flushes += cmd == p.BIO_CTRL_FLUSH
        return int(cmd in (p.BIO_CTRL_FLUSH, p.BIO_CTRL_RESET))


# ---- writing ---------------------------------------------------------------


@clause("BUF-1", "BUF-4")
def test_writes_gather_until_the_buffer_is_full_or_flushed() -> None:
    bio, mem = memory()
    seen = []
    for n in (8, 5000, 10):
        assert p.BIO_write(bio, b"x" * n) == n
        seen.append((p.BIO_pending(mem), p.BIO_wpending(bio)))
    # As OpenSSL 3.0 does: one full buffer goes, the rest waits.
    assert seen == [(0, 8), (4096, 912), (4096, 922)]
    assert (p.BIO_flush(bio), p.BIO_pending(mem)) == (1, 5018)
    assert (p.BIO_wpending(bio), drain()) == (0, [])


@clause("BUF-1")
def test_writes_keep_their_order_through_the_buffer() -> None:
    bio, mem = memory()
    sent = bytes(range(256)) * 100
    at = 0
    for n in (1, 4095, 1, 4096, 4097, 5000, 3, 8193):
        assert p.BIO_write(bio, sent[at : at + n]) == n
        at += n
    assert p.BIO_flush(bio) == 1
    assert read(mem, at + 1) == (at, sent[:at])
    assert p.BIO_number_written(bio) == at


@clause("BUF-1")
def test_write_longer_than_an_empty_buffer_goes_through() -> None:
    sink = Sink()
    bio = over(sink.bio)
    assert p.BIO_write(bio, b"a" * 4096) == 4096
    assert (len(sink.got), p.BIO_wpending(bio)) == (0, 4096)
    assert p.BIO_flush(bio) == 1
    assert p.BIO_write(bio, b"b" * 10000) == 10000
    assert (len(sink.got), p.BIO_wpending(bio)) == (14096, 0)


@clause("BUF-1")
def test_puts_gathers_as_write_does() -> None:
    bio, mem = memory()
    assert p.BIO_puts(bio, "line\n") == 5
    assert pending(mem) == [0]
    assert p.BIO_flush(bio) == 1
    assert read(mem, 9) == (5, b"line\n")


@clause("BUF-6", "BIO-32", "BIO-33")
def test_flush_into_a_full_sink_asks_for_a_retry_and_loses_nothing() -> None:
    sink = Sink()
    bio = over(sink.bio)
    assert p.BIO_write(bio, b"0123456789") == 10
    sink.takes = [3, -1]
    assert p.BIO_flush(bio) == -1
    assert p.BIO_get_retry_flags(bio) == WRITE_RETRY
    assert p.BIO_get_retry_BIO(bio) == (sink.bio, 0)
    assert (p.BIO_wpending(bio), sink.flushes) == (7, 0)
    assert (p.BIO_flush(bio), sink.got) == (1, b"0123456789")
    assert (p.BIO_get_retry_flags(bio), sink.flushes) == (0, 1)


@clause("BUF-1", "BIO-22")
def test_write_into_a_full_sink_says_how_much_it_took() -> None:
    sink = Sink()
    bio = over(sink.bio)
    assert p.BIO_write(bio, b"a" * 4090) == 4090
    sink.takes = [-1]
    assert p.BIO_write(bio, b"b" * 20) == 6  # what fitted
    assert p.BIO_get_retry_flags(bio) == WRITE_RETRY
    sink.takes = [-1]
    assert p.BIO_write(bio, b"c" * 20) == -1
    assert p.BIO_get_retry_flags(bio) == WRITE_RETRY
    assert p.BIO_write(bio, b"c" * 5000) == 5000
    assert (p.BIO_get_retry_flags(bio), p.BIO_flush(bio)) == (0, 1)
    assert sink.got == b"a" * 4090 + b"b" * 6 + b"c" * 5000
    sink.takes = [4000, -1]
    assert p.BIO_write(bio, b"d" * 9000) == 4000
    assert p.BIO_get_retry_flags(bio) == WRITE_RETRY
    sink.takes = [0]
    assert p.BIO_write(bio, b"d" * 9000) == 0
    assert p.BIO_get_retry_flags(bio) == 0


@clause("BUF-6", "BIO-9")
def test_popping_the_buffer_does_not_flush() -> None:
    bio, mem = memory()
    assert p.BIO_write(bio, b"kept") == 4
    assert p.BIO_pop(bio) is mem
    assert (p.BIO_wpending(bio), p.BIO_pending(mem)) == (4, 0)
    assert p.BIO_push(bio, mem) is bio
    assert (p.BIO_flush(bio), p.BIO_pending(mem)) == (1, 4)


# ---- reading ---------------------------------------------------------------


@clause("BUF-2", "BUF-4")
def test_read_fills_the_buffer_from_the_next_bio() -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"abc\ndef\ngh") == 10
    assert pending(bio, mem) == [10, 10]  # the next one's
    assert read(bio, 2) == (2, b"ab")
    assert p.BIO_get_retry_flags(bio) == 0
    assert pending(bio, mem) == [8, 0]
    assert p.BIO_get_buffer_num_lines(bio) == 2
    assert (p.BIO_eof(bio), p.BIO_eof(mem)) == (0, 1)


@clause("BUF-2", "BIO-34")
def test_read_gives_what_it_has_with_the_flags_of_the_next_bio() -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"abc\ndef\ngh") == 10
    assert read(bio, 2) == (2, b"ab")
    assert read(bio, 20) == (8, b"c\ndef\ngh")
    assert p.BIO_get_retry_flags(bio) == READ_RETRY
    assert read(bio, 20) == (-1, b"")
    assert p.BIO_get_retry_flags(bio) == READ_RETRY
    assert p.BIO_set_mem_eof_return(mem, 0) == 1
    assert read(bio, 20) == (0, b"")
    assert (p.BIO_get_retry_flags(bio), p.BIO_eof(bio)) == (0, 1)


@clause("BUF-2", "BIO-32")
def test_read_takes_over_a_special_retry_and_its_reason() -> None:
    def read_op(b: p.BIO, n: int) -> int:
        p.BIO_set_retry_special(b)
        p.BIO_set_retry_reason(b, p.BIO_RR_CONNECT)
        return -1

    bio = over(custom(read=read_op))
    assert read(bio, 3) == (-1, b"")
    assert p.BIO_get_retry_flags(bio) == SPECIAL_RETRY
    assert p.BIO_get_retry_reason(bio) == p.BIO_RR_CONNECT


@clause("BUF-2")
def test_large_read_does_not_pass_through_the_buffer() -> None:
    bio, mem = memory()
    data = bytes(range(256)) * 40
    assert p.BIO_write(mem, data) == 10240
    assert read(bio, 10) == (10, data[:10])
    assert read(bio, 10000) == (10000, data[10:10010])
    assert p.BIO_get_retry_flags(bio) == 0
    assert read(bio, 10000) == (230, data[10010:])
    assert p.BIO_get_retry_flags(bio) == READ_RETRY
    assert p.BIO_number_read(bio) == 10240


@clause("BUF-2", "CV-9")
@pytest.mark.parametrize("blocking", [True, False])
def test_read_from_a_socket_does_not_wait_for_more(blocking: bool) -> None:
    a, b = socket.socketpair()
    with a, b:
        a.setblocking(blocking)
        bio = over(p.BIO_new_socket(a.fileno(), p.BIO_NOCLOSE))
        b.sendall(b"0123456789")
        assert read(bio, 4) == (4, b"0123")
        assert read(bio, 100) == (6, b"456789")  # the rest of the buffer
        b.sendall(b"x" * 10)
        assert read(bio, 9000) == (10, b"x" * 10)  # past the buffer
        want = 0 if blocking else READ_RETRY
        assert p.BIO_get_retry_flags(bio) == want
        if not blocking:
            assert bio.last_errno() == errno.EAGAIN


@clause("BUF-3", "BIO-19")
def test_gets_gives_lines_as_the_page_says() -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"abc\ndef\ngh") == 10
    assert p.BIO_gets(bio, 10) == b"abc\n"
    assert p.BIO_gets(bio, 3) == b"de"
    assert p.BIO_gets(bio, 10) == b"f\n"
    assert p.BIO_get_retry_flags(bio) == 0
    assert p.BIO_gets(bio, 10) == b"gh"
    assert p.BIO_get_retry_flags(bio) == READ_RETRY
    assert p.BIO_gets(bio, 10) == -1
    assert p.BIO_get_retry_flags(bio) == READ_RETRY
    assert (p.BIO_gets(bio, 1), p.BIO_gets(bio, 0)) == (0, 0)
    assert p.BIO_gets(bio, -1) == -1
    assert drain() == [bio_reason(125)]
    assert p.BIO_number_read(bio) == 0


@clause("BUF-3", "BIO-19")
def test_gets_reads_lines_longer_than_the_buffer() -> None:
    bio, mem = memory()
    line = b"x" * 9000 + b"\n"
    assert p.BIO_write(mem, line + b"y\n" + b"z" * 5000) == 14003
    assert p.BIO_gets(bio, 20000) == line
    assert p.BIO_gets(bio, 20000) == b"y\n"
    assert p.BIO_gets(bio, 4097) == b"z" * 4096
    assert p.BIO_gets(bio, 4097) == b"z" * 904


@clause("BUF-3", "BIO-19")
@pytest.mark.parametrize("kind", ["pair", "socket"])
def test_buffer_gives_lines_where_the_type_has_none(kind: str) -> None:
    a, b = socket.socketpair()
    with a, b:
        if kind == "pair":
            inner, outer = p.BIO_new_bio_pair(0, 0)
            assert inner is not None
            assert outer is not None
        else:
            inner = p.BIO_new_socket(a.fileno(), p.BIO_NOCLOSE)
            outer = p.BIO_new_socket(b.fileno(), p.BIO_NOCLOSE)
        assert p.BIO_gets(inner, 10) == -2
        assert drain() == [UNSUPPORTED]
        assert p.BIO_write(outer, b"one\ntwo\n") == 8
        bio = over(inner)
        lines = [p.BIO_gets(bio, 10), p.BIO_gets(bio, 10)]
        assert lines == [b"one\n", b"two\n"]


@clause("BUF-4")
def test_preset_bytes_are_read_first() -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"after") == 5
    assert p.BIO_set_buffer_read_data(bio, b"a\nb\nrest", 4) == 1
    assert p.BIO_get_buffer_num_lines(bio) == 2
    assert read(bio, 99) == (9, b"a\nb\nafter")
    assert p.BIO_set_buffer_read_data(bio, b"x" * 9000) == 1
    assert (p.BIO_pending(bio), read(bio, 9000)[0]) == (9000, 9000)
    with pytest.raises(ValueError, match="5 bytes"):
        p.BIO_set_buffer_read_data(bio, b"four", 5)
    with pytest.raises(TypeError):
        p.BIO_set_buffer_read_data(bio, "text")


# ---- commands --------------------------------------------------------------


@clause("BUF-5")
def test_reset_drops_both_buffers_and_resets_the_next_bio() -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"abc") == 3
    assert read(bio, 1) == (1, b"a")
    assert p.BIO_write(mem, b"more") == 4
    assert p.BIO_write(bio, b"zz") == 2
    assert p.BIO_reset(bio) == 1
    assert pending(bio, mem) == [0, 0]
    assert p.BIO_wpending(bio) == 0
    assert p.BIO_flush(bio) == 1
    assert p.BIO_pending(mem) == 0


@clause("BUF-5")
@pytest.mark.parametrize(
    ("resize", "drops"),
    [
        (lambda b: p.BIO_set_buffer_size(b, 5000), (1, 1)),
        (lambda b: p.BIO_set_read_buffer_size(b, 5000), (1, 0)),
        (lambda b: p.BIO_set_write_buffer_size(b, 5000), (0, 1)),
        (lambda b: p.BIO_set_buffer_size(b, 4096), (0, 0)),
        (lambda b: p.BIO_set_buffer_size(b, 100), (0, 0)),
        (lambda b: p.BIO_set_read_buffer_size(b, -1), (0, 0)),
        (lambda b: p.BIO_set_write_buffer_size(b, 0), (0, 0)),
    ],
)
def test_resizing_drops_what_is_in_the_buffer(
    resize: Callable[[p.BIO], int], drops: tuple[int, int]
) -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"abc") == 3
    assert read(bio, 1) == (1, b"a")
    assert p.BIO_write(bio, b"zz") == 2
    assert resize(bio) == 1
    left = (p.BIO_pending(bio), p.BIO_wpending(bio))
    assert left == (0 if drops[0] else 2, 0 if drops[1] else 2)


@clause("BUF-1", "BUF-5")
def test_size_of_a_buffer_says_when_it_is_full() -> None:
    bio, mem = memory()
    assert p.BIO_set_write_buffer_size(bio, 10000) == 1
    assert p.BIO_write(bio, b"x" * 10000) == 10000
    assert p.BIO_pending(mem) == 0
    assert p.BIO_write(bio, b"y") == 1
    assert (p.BIO_pending(mem), p.BIO_wpending(bio)) == (10000, 1)
    assert p.BIO_write(mem, b"z" * 20000) == 20000
    assert p.BIO_set_read_buffer_size(bio, 6000) == 1
    assert read(bio, 1) == (1, b"x")
    assert pending(bio, mem) == [5999, 24000]


@clause("BUF-6")
def test_buffer_without_next_bio_does_nothing() -> None:
    bio = new(p.BIO_f_buffer())
    assert p.BIO_write(bio, b"x") == 0
    assert read(bio, 3) == (0, b"")
    assert p.BIO_gets(bio, 3) == 0
    assert (p.BIO_flush(bio), p.BIO_reset(bio)) == (0, 0)
    assert (p.BIO_pending(bio), p.BIO_wpending(bio)) == (0, 0)
    for cmd in (999, p.BIO_C_DO_STATE_MACHINE):
        assert p.BIO_ctrl(bio, cmd, 0, None) == 0
    assert (p.BIO_get_retry_flags(bio), drain()) == (0, [])


@clause("BIO-13", "BIO-12")
def test_type_and_name_and_how_they_are_found() -> None:
    mem = new(p.BIO_s_mem())
    middle = over(mem)
    first = over(middle)
    assert p.BIO_method_type(first) == p.BIO_TYPE_BUFFER == 0x209
    assert p.BIO_method_name(first) == "buffer"
    assert p.BIO_find_type(first, p.BIO_TYPE_BUFFER) is first
    assert p.BIO_find_type(first, p.BIO_TYPE_FILTER) is first
    assert p.BIO_find_type(first, p.BIO_TYPE_MEM) is mem
    assert p.BIO_pop(middle) is mem
    assert (p.BIO_next(first), p.BIO_next(middle)) == (mem, None)


@clause("BIO-25", "BIO-27", "BIO-28")
def test_commands_go_on_to_the_next_bio() -> None:
    bio, mem = memory()
    assert p.BIO_set_mem_eof_return(bio, 0) == 1
    assert read(mem, 1) == (0, b"")
    assert (p.BIO_get_close(bio), p.BIO_set_close(bio, 0)) == (1, 1)
    assert p.BIO_get_close(mem) == 0
    for alone in (bio, new(p.BIO_f_buffer())):
        assert p.BIO_set_info_callback(alone, print) == -2
        assert drain() == [UNSUPPORTED]
        assert p.BIO_get_info_callback(alone) == (-2, None)
        assert drain() == [UNSUPPORTED]


@clause("BIO-37", "BIO-38", "BIO-39")
def test_callback_stands_around_the_operations_of_a_buffer() -> None:
    bio, _ = memory()
    seen: list[tuple[Any, ...]] = []

    def callback(*a: Any) -> int:
        _, oper, _, length, argi, _, ret, _ = a
        seen.append((oper, length, argi, ret))
        return -3 if stop else ret

    stop = False
    p.BIO_set_callback_ex(bio, callback)
    assert p.BIO_write(bio, b"abc") == 3
    assert p.BIO_flush(bio) == 1
    assert p.BIO_gets(bio, 9) == b"abc"
    assert seen == [
        (3, 3, 0, 1),
        (0x83, 3, 0, 1),
        (6, 0, 11, 1),
        (0x86, 0, 11, 1),
        (5, 9, 0, 1),
        (0x85, 9, 0, 1),
    ]
    stop = True
    assert p.BIO_write(bio, b"abc") == -3
    stop = False
    assert p.BIO_wpending(bio) == 0
    assert p.BIO_free(bio) == 1
    assert seen[-1] == (1, 0, 0, 1)


@clause("METH-3", "CV-3")
def test_built_in_type_cannot_be_changed_or_given_up() -> None:
    method = p.BIO_f_buffer()
    with pytest.raises(TypeError, match="built-in"):
        p.BIO_meth_set_write(method, print)
    p.BIO_meth_free(method)
    assert new(p.BIO_f_buffer()) is not None


# ---- life ------------------------------------------------------------------


@clause("BIO-3", "BIO-4", "CV-3")
def test_chain_is_freed_from_its_head() -> None:
    gone: list[str] = []
    end = custom(destroy=lambda b: gone.append("end") or 1)
    bio = over(end)
    p.BIO_free_all(bio)
    assert gone == ["end"]
    with pytest.raises(ValueError, match="freed"):
        p.BIO_write(bio, b"x")
    with pytest.raises(ValueError, match="freed"):
        p.BIO_write(end, b"x")


@clause("CV-3", "BIO-3")
def test_buffer_works_on_with_a_bio_that_its_user_gave_up() -> None:
    bio, mem = memory()
    assert p.BIO_write(mem, b"in") == 2
    assert p.BIO_free(mem) == 1
    assert read(bio, 9) == (2, b"in")
    assert (p.BIO_write(bio, b"x"), p.BIO_flush(bio)) == (1, 1)
    assert p.BIO_free(bio) == 1


@clause("CV-3", "METH-5")
def test_chain_that_nobody_has_is_collected() -> None:
    gone: list[int] = []
    bio = over(over(custom(destroy=lambda b: gone.append(1) or 1)))
    p.BIO_set_data(bio, bio)
    del bio
    gc.collect()
    assert gone == [1]


@clause("METH-8", "CV-7")
def test_exception_of_the_next_bio_is_raised_and_loses_nothing() -> None:
    def fail(b: p.BIO, view: memoryview) -> int:
        raise OSError("no")

    end = custom(write=fail)
    bio = over(end)
    assert p.BIO_write(bio, b"abc") == 3
    with pytest.raises(OSError, match="no"):
        p.BIO_flush(bio)
    mem = new(p.BIO_s_mem())
    assert p.BIO_pop(bio) is end
    p.BIO_push(bio, mem)
    assert p.BIO_flush(bio) == 1
    assert read(mem, 9) == (3, b"abc")


@clause("CV-8")
def test_one_thread_reads_while_another_writes() -> None:
    a, b = socket.socketpair()
    with a, b:
        bio = over(p.BIO_new_socket(a.fileno(), p.BIO_NOCLOSE))
        lines: list[Any] = []

        def reader() -> None:
            while isinstance(line := p.BIO_gets(bio, 100), bytes):
                lines.append(line)

        thread = threading.Thread(target=reader)
        thread.start()
        sent = [b"%d\n" % i for i in range(2000)]
        for one in sent:
            assert p.BIO_write(bio, one) == len(one)
        assert p.BIO_flush(bio) == 1
        total = sum(map(len, sent))
        got = b""
        while len(got) < total:
            got += b.recv(65536)
        assert got == b"".join(sent)
        b.sendall(got)
        b.shutdown(socket.SHUT_RDWR)
        thread.join(20)
        assert lines == sent


@clause("BUF-1", "BUF-2", "OWN-1")
def test_buffer_under_an_ssl_carries_a_handshake() -> None:
    from tests.api import links

    client, server = links.make_ends()
    halves = p.BIO_new_bio_pair(0, 0)
    for ssl, half in zip((client, server), halves):
        assert half is not None
        bio = over(half)
        p.SSL_set_bio(ssl, bio, bio)
    done: set[int] = set()
    for _ in range(20):
        for i, ssl in enumerate((client, server)):
            if p.SSL_do_handshake(ssl) == 1:
                done.add(i)
    assert done == {0, 1}
    assert p.SSL_write(client, b"x" * 12000) == 12000
    assert links.read(server) == b"x" * 12000
