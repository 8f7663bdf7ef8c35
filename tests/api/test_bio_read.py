"""BIO_read(3) and BIO_ctrl(3), for all types together."""

from __future__ import annotations

import array
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import pyssl as p
from pyssl.bio import (
    BIO,
    BIO_new_bio_pair,
    BIO_new_fd,
    BIO_new_mem_buf,
    BIO_new_socket,
    BIO_s_bio,
    BIO_s_mem,
    BIO_s_null,
)
from pyssl.const import (
    BIO_CLOSE,
    BIO_CTRL_DUP,
    BIO_CTRL_PENDING,
    BIO_CTRL_POP,
    BIO_CTRL_PUSH,
    BIO_CTRL_SET_CALLBACK,
    BIO_NOCLOSE,
)
from pyssl.err import drain
from tests.api.bios import (
    FILTER,
    INVALID_ARGUMENT,
    UNINITIALIZED,
    UNSUPPORTED,
    custom,
    new,
    read,
)
from tests.clauses import clause

TYPES = ["mem", "view", "pair", "socket", "fd", "null"]


class Bios:
    """One of each built-in type, with bytes that can be read."""

    def __init__(self) -> None:
        self.sockets = socket.socketpair()
        self.mem = new(BIO_s_mem())
        self.mem.write(b"in\n")
        self.view = BIO_new_mem_buf(b"in\n")
        self.pair, self.other = BIO_new_bio_pair(64, 64)
        assert self.other is not None
        self.other.write(b"in\n")
        fds = [s.fileno() for s in self.sockets]
        self.socket = BIO_new_socket(fds[0], BIO_NOCLOSE)
        self.fd = BIO_new_fd(fds[1], BIO_NOCLOSE)
        for one in self.sockets:
            one.setblocking(False)
            one.send(b"in\n")
        self.null = new(BIO_s_null())

    def __getitem__(self, name: str) -> BIO:
        bio: BIO = getattr(self, name)
        return bio


@pytest.fixture
def bios() -> Iterator[Bios]:
    made = Bios()
    yield made
    for one in made.sockets:
        one.close()


@clause("BIO-16", "BIO-20")
@pytest.mark.parametrize(
    ("name", "got", "put"),
    [
        ("mem", (3, b"in\n"), 4),
        ("view", (3, b"in\n"), -1),
        ("pair", (3, b"in\n"), 4),
        ("socket", (3, b"in\n"), 4),
        ("fd", (3, b"in\n"), 4),
        ("null", (0, b""), 4),
    ],
)
def test_read_write_and_puts_of_each_type(
    bios: Bios, name: str, got: tuple[int, bytes], put: int
) -> None:
    bio = bios[name]
    assert read(bio, 10) == got
    assert bio.write(b"data") == put
    assert bio.puts("puts") == put
    assert bio.get_retry_flags() == 0
    queue = drain()
    assert len(queue) == (0 if put > 0 else 2)


@clause("BIO-16")
def test_missing_operations_of_a_type_give_minus_two() -> None:
    bio = custom()
    calls: list[tuple[Any, Any]] = [
        (bio.read, bytearray(3)),
        (bio.write, b"x"),
        (bio.puts, b"x"),
        (bio.gets, 5),
        (bio.ctrl, BIO_CTRL_PENDING),
    ]
    for call, argument in calls:
        assert call(argument) == -2
        assert drain() == [UNSUPPORTED]


@clause("BIO-17")
@pytest.mark.parametrize("name", TYPES)
def test_length_zero_moves_nothing_and_leaves_flags(
    bios: Bios, name: str
) -> None:
    bio = bios[name]
    bio.set_retry_special()
    assert bio.read(bytearray(0)) == 0
    assert bio.read(bytearray(5), 0) == 0
    assert bio.read(bytearray(5), -3) == 0
    assert bio.write(b"") == 0
    assert bio.write(b"abc", -1) == 0
    assert bio.get_retry_flags() == 12
    assert drain() == []


@clause("BIO-17")
def test_length_zero_does_not_reach_the_type() -> None:
    calls: list[Any] = []
    bio = custom(read=lambda b, n: calls.append(n))
    assert bio.read(bytearray(0)) == 0
    assert calls == []


@clause("BIO-18")
def test_type_that_is_not_initialised_gives_minus_one() -> None:
    bio = custom(
        read=lambda b, n: b"x",
        write=lambda b, v: 1,
        puts=lambda b, v: 1,
        gets=lambda b, n: b"x",
    )
    bio.set_init(0)
    calls: list[tuple[Any, Any]] = [
        (bio.read, bytearray(1)),
        (bio.write, b"x"),
        (bio.puts, b"x"),
        (bio.gets, 9),
    ]
    for call, argument in calls:
        assert call(argument) == -1
        assert drain() == [UNINITIALIZED]
    bio.set_init(1)
    assert bio.gets(9) == b"x"


@clause("BIO-18")
def test_built_in_type_can_be_said_to_be_not_initialised(bios: Bios) -> None:
    mem = bios.mem
    mem.set_init(0)
    assert (mem.get_init(), mem.gets(9)) == (0, -1)
    assert drain() == [UNINITIALIZED]
    mem.set_init(1)
    assert mem.gets(9) == b"in\n"


@clause("BIO-19")
@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("mem", b"in\n"),
        ("view", b"in\n"),
        ("null", 0),
        ("pair", -2),
        ("socket", -2),
        ("fd", -2),
    ],
)
def test_gets_of_each_type(bios: Bios, name: str, want: Any) -> None:
    assert bios[name].gets(10) == want
    assert drain() == ([UNSUPPORTED] if want == -2 else [])


@clause("BIO-19")
def test_gets_of_a_python_type_keeps_to_its_size() -> None:
    bio = custom(gets=lambda b, n: b"abcdef"[: n - 1])
    assert bio.gets(4) == b"abc"
    assert bio.gets(-1) == -1
    assert drain() == [INVALID_ARGUMENT]
    bad = custom(gets=lambda b, n: b"abcdef"[:n])
    with pytest.raises(ValueError):
        bad.gets(4)


@clause("BIO-20")
def test_puts_takes_text_and_bytes_without_nul(bios: Bios) -> None:
    mem = new(BIO_s_mem())
    assert mem.puts("text\u00e9") == 6
    assert mem.puts(b"bytes") == 5
    assert mem.puts("") == 0
    for bad in ("a\0b", b"a\0"):
        with pytest.raises(ValueError):
            mem.puts(bad)
    assert mem.get_mem_data() == b"text\xc3\xa9bytes"


@clause("BIO-21", "BIO-1")
def test_counters_add_up(bios: Bios) -> None:
    mem = new(BIO_s_mem())
    assert (mem.number_read(), mem.number_written()) == (0, 0)
    mem.write(b"12345")
    mem.puts("678\n9")
    read(mem, 3)
    assert mem.gets(10) == b"45678\n"
    read(mem, 9)
    read(mem, 9)
    assert (mem.number_read(), mem.number_written()) == (4, 10)


@clause("BIO-21")
def test_counters_of_a_python_type() -> None:
    bio = custom(
        read=lambda b, n: b"abc"[:n],
        write=lambda b, v: len(v) - 1,
        puts=lambda b, v: len(v),
        gets=lambda b, n: b"line"[: n - 1],
    )
    read(bio, 2)
    read(bio, 9)
    bio.gets(9)
    bio.write(b"1234")
    bio.puts(b"56")
    assert (bio.number_read(), bio.number_written()) == (5, 5)


@clause("BIO-22")
@pytest.mark.parametrize("name", TYPES)
def test_each_operation_clears_old_retry_flags(bios: Bios, name: str) -> None:
    bio = bios[name]
    calls: list[tuple[Any, Any]] = [
        (bio.read, bytearray(2)),
        (bio.write, b"x"),
        (bio.puts, b"x"),
    ]
    if name in {"mem", "view", "null"}:
        calls.append((bio.gets, 9))
    for call, argument in calls:
        bio.set_retry_special()
        bio.set_retry_write()
        call(argument)
        assert bio.get_retry_flags() == 0
    drain()


@clause("BIO-22")
def test_write_to_memory_clears_the_retry_of_a_read() -> None:
    mem = new(BIO_s_mem())
    assert read(mem, 1) == (-1, b"")
    assert mem.should_read()
    mem.write(b"x")
    assert not mem.should_retry()


@clause("CV-2")
@pytest.mark.parametrize(
    "buffer", [None, "text", 5, b"read-only", memoryview(b"abcd")[::2]]
)
def test_buffer_of_the_wrong_kind_is_refused(bios: Bios, buffer: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        bios.mem.read(buffer)
    if not isinstance(buffer, bytes):
        with pytest.raises((TypeError, ValueError)):
            bios.mem.write(buffer)
    assert bios.mem.get_mem_data() == b"in\n"
    assert drain() == []


@clause("CV-2")
def test_buffer_may_be_any_contiguous_bytes_like_object() -> None:
    mem = new(BIO_s_mem())
    numbers = array.array("I", [1, 2, 3])
    assert mem.write(numbers) == 4 * 3
    assert mem.write(memoryview(b"abcdef")[2:4]) == 2
    into = array.array("I", [0, 0, 0])
    assert mem.read(into) == 12
    assert into == numbers
    part = bytearray(5)
    assert mem.read(memoryview(part)[1:3]) == 2
    assert part == b"\0cd\0\0"
    with pytest.raises(ValueError):
        mem.read(bytearray(3), 4)
    with pytest.raises(ValueError):
        mem.write(b"abc", 4)


CTRL = [
    # type, reset, flush, eof, pending, wpending, close, seek, tell
    ("mem", 1, 1, 0, 3, 0, 1, 0, 0),
    ("view", 1, 1, 0, 3, 0, 1, 0, 0),
    ("pair", 0, 1, 0, 3, 0, 1, 0, 0),
    ("socket", 0, 1, 0, 0, 0, 0, 0, 0),
    ("fd", -1, 1, 0, 0, 0, 0, -1, -1),
    ("null", 1, 1, 1, 0, 0, 0, 0, 0),
]


@clause("BIO-26")
@pytest.mark.parametrize("row", CTRL, ids=[row[0] for row in CTRL])
def test_commands_of_each_type(bios: Bios, row: tuple[Any, ...]) -> None:
    name, reset, flush, eof, pending, wpending, close, seek, tell = row
    bio = bios[name]
    assert bio.flush() == flush
    assert bio.eof() == eof
    assert (bio.pending(), bio.ctrl_pending()) == (pending, pending)
    assert (bio.wpending(), bio.ctrl_wpending()) == (wpending, wpending)
    assert bio.get_close() == close
    assert bio.set_close(BIO_CLOSE) == 1
    assert bio.get_close() == (0 if name == "null" else 1)
    assert bio.set_close(BIO_NOCLOSE) == 1
    assert bio.get_close() == 0
    assert (bio.seek(1), bio.tell()) == (seek, tell)
    assert bio.reset() == reset
    assert drain() == []


@clause("BIO-26")
def test_pending_of_the_ctrl_kind_is_never_negative() -> None:
    bio = custom(ctrl=lambda b, cmd, larg, parg: -1)
    assert (bio.pending(), bio.wpending()) == (-1, -1)
    assert (bio.ctrl_pending(), bio.ctrl_wpending()) == (0, 0)
    bio = custom()
    assert bio.ctrl_pending() == 0
    assert drain() == [UNSUPPORTED]


@clause("BIO-25")
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    "cmd", [BIO_CTRL_PUSH, BIO_CTRL_POP, BIO_CTRL_DUP, 73, 76, 9999, -4]
)
def test_unknown_commands_give_zero(bios: Bios, name: str, cmd: int) -> None:
    assert bios[name].ctrl(cmd, 1, None) == 0
    assert bios[name].int_ctrl(cmd, 1, 2) == 0
    assert bios[name].ptr_ctrl(cmd, 1) is None
    assert drain() == []


@clause("BIO-25")
def test_command_to_the_head_of_a_chain_is_passed_on() -> None:
    def pass_on(b: BIO, cmd: int, larg: int, parg: Any) -> int:
        after = b.next()
        return 0 if after is None else after.ctrl(cmd, larg, parg)

    head, mem = custom(FILTER, ctrl=pass_on), new(BIO_s_mem())
    assert head.pending() == 0
    head.push(mem)
    mem.write(b"1234")
    assert head.pending() == 4
    assert head.set_mem_eof_return(0) == 1
    read(mem, 4)
    assert read(mem, 4) == (0, b"")


@clause("BIO-25")
def test_arguments_of_a_command_reach_a_python_type() -> None:
    seen: list[Any] = []

    def ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
        seen.append((cmd, larg, parg))
        if isinstance(parg, list):
            parg[0] = "answer"
        return cmd

    bio = custom(ctrl=ctrl)
    what = object()
    assert bio.ctrl(77, 1 << 40, what) == 77
    assert bio.int_ctrl(78, 5, 6) == 78
    assert bio.ptr_ctrl(79, 7) == "answer"
    assert seen[0] == (77, 1 << 40, what)
    assert seen[1] == (78, 5, 6)
    assert seen[2][:2] == (79, 7)
    for bad in ("x", None, 1.5):
        with pytest.raises(TypeError):
            bio.ctrl(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        bio.ctrl(1, 1 << 70)


@clause("BIO-27", "BIO-28")
@pytest.mark.parametrize("name", TYPES)
def test_info_callback_is_not_for_these_types(bios: Bios, name: str) -> None:
    bio = bios[name]
    assert bio.callback_ctrl(BIO_CTRL_SET_CALLBACK, print) == -2
    assert drain() == [UNSUPPORTED]
    assert bio.set_info_callback(print) == -2
    assert drain() == [UNSUPPORTED]
    assert bio.get_info_callback() == (-2, None)
    assert drain() == [UNSUPPORTED]


@clause("BIO-27", "BIO-28")
def test_info_callback_of_a_python_type() -> None:
    stored: list[Any] = [None]

    def callback_ctrl(b: BIO, cmd: int, cb: Any) -> int:
        assert cmd == BIO_CTRL_SET_CALLBACK
        stored[0] = cb
        return 1

    def ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
        if cmd != 15:
            return 0
        parg[0] = stored[0]
        return 1

    bio = custom(callback_ctrl=callback_ctrl, ctrl=ctrl)
    assert bio.get_info_callback() == (1, None)
    assert bio.set_info_callback(print) == 1
    assert bio.get_info_callback() == (1, print)
    assert bio.callback_ctrl(99, print) == -2
    assert drain() == [UNSUPPORTED]
    assert new(BIO_s_bio()).ctrl(BIO_CTRL_SET_CALLBACK) == 0


@clause("BIO-28", "CV-2")
def test_info_callback_of_no_bio_is_0() -> None:
    assert p.BIO_set_info_callback(None, print) == 0
    assert p.BIO_get_info_callback(None) == (0, None)
    assert drain() == []
