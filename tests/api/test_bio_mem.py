"""BIO_s_mem(3): memory BIOs that can be written, and views of a buffer."""

from __future__ import annotations

import pytest

from pyssl.bio import BIO, BIO_new_mem_buf, BIO_s_mem
from pyssl.const import BIO_CLOSE, BIO_FLAGS_MEM_RDONLY, BIO_NOCLOSE
from pyssl.err import drain
from tests.api.bios import INVALID_ARGUMENT, READ_ONLY, new, read
from tests.clauses import clause


@pytest.fixture
def mem() -> BIO:
    return new(BIO_s_mem())


def view(data: bytes) -> BIO:
    bio = BIO_new_mem_buf(data)
    assert bio is not None
    return bio


@clause("MEM-1")
def test_mem_when_written_and_read_keeps_order_and_removes(mem: BIO) -> None:
    assert mem.write(b"one") == 3
    assert mem.write(bytearray(b"two")) == 3
    assert read(mem, 4) == (4, b"onet")
    assert mem.write(b"three") == 5
    assert read(mem, 100) == (7, b"wothree")
    assert mem.pending() == 0


@clause("MEM-1")
def test_mem_with_many_sizes_moves_every_byte(mem: BIO) -> None:
    sent, got = bytearray(), bytearray()
    for i in range(400):
        part = bytes((i + k) % 251 for k in range(i * 7 % 613))
        assert mem.write(part) == len(part)
        sent += part
        got += read(mem, i * 11 % 503 + 1)[1]
    got += read(mem, len(sent) + 1)[1]
    assert got == sent


@clause("MEM-1", "BIO-16")
def test_mem_when_memory_is_short_fails_and_keeps_its_bytes(
    mem: BIO,
) -> None:
    from pyssl._ffi import lib

    assert mem.write(b"kept") == 4
    lib.pys_test_fail_alloc(1)
    assert mem.write(bytes(10_000)) == -1
    lib.pys_test_fail_alloc(0)
    assert not mem.should_retry()
    assert drain() == [32 << 23 | 0xC0100]
    assert read(mem, 10) == (4, b"kept")


@clause("MEM-2")
@pytest.mark.parametrize(("v", "flags"), [(-1, 9), (0, 0), (-7, 9)])
def test_mem_when_empty_returns_what_was_set(
    mem: BIO, v: int, flags: int
) -> None:
    assert read(mem, 5) == (-1, b"")
    assert mem.set_mem_eof_return(v) == 1
    assert read(mem, 5) == (v, b"")
    assert mem.get_retry_flags() == flags
    assert drain() == []


@clause("MEM-4")
@pytest.mark.parametrize("v", [-1, 0])
def test_mem_eof_is_one_exactly_when_empty(mem: BIO, v: int) -> None:
    mem.set_mem_eof_return(v)
    assert mem.eof() == 1
    mem.write(b"xy")
    assert mem.eof() == 0
    read(mem, 1)
    assert mem.eof() == 0
    read(mem, 1)
    assert mem.eof() == 1


@clause("MEM-5")
def test_mem_pending_flush_and_reset(mem: BIO) -> None:
    mem.write(b"12345")
    assert (mem.pending(), mem.wpending(), mem.flush()) == (5, 0, 1)
    assert mem.reset() == 1
    assert (mem.pending(), mem.eof()) == (0, 1)
    assert read(mem, 1) == (-1, b"")


@clause("MEM-6")
def test_mem_gets_takes_lines(mem: BIO) -> None:
    mem.write(b"line\nlonger line\n\nrest")
    assert mem.gets(100) == b"line\n"
    assert mem.gets(7) == b"longer"
    assert mem.gets(6) == b" line"
    assert mem.gets(100) == b"\n"
    assert mem.gets(100) == b"\n"
    assert mem.gets(100) == b"rest"
    assert mem.gets(100) == 0
    assert mem.get_retry_flags() == 0


@clause("MEM-6")
def test_mem_gets_with_small_sizes(mem: BIO) -> None:
    mem.write(b"x\n")
    assert mem.gets(1) == 0
    assert mem.gets(0) == 0
    assert drain() == []
    assert mem.gets(-1) == -1
    assert drain() == [INVALID_ARGUMENT]
    assert mem.gets(2) == b"x"


@clause("MEM-7")
def test_mem_data_is_shown_without_being_taken(mem: BIO) -> None:
    assert mem.get_mem_data() == b""
    mem.write(b"abcdef")
    read(mem, 2)
    assert mem.get_mem_data() == b"cdef"
    assert mem.get_mem_data() == b"cdef"
    assert mem.pending() == 4
    assert view(b"seen").get_mem_data() == b"seen"


@clause("MEM-8")
def test_view_does_not_copy_and_locks_its_buffer() -> None:
    data = bytearray(b"abc")
    bio = BIO_new_mem_buf(data)
    assert bio is not None
    data[0] = ord("x")
    with pytest.raises(BufferError):
        data.append(1)
    assert read(bio, 10) == (3, b"xbc")
    assert bio.test_flags(BIO_FLAGS_MEM_RDONLY) == 0x200
    bio.free()
    data.append(1)


@clause("MEM-8")
@pytest.mark.parametrize(
    ("data", "length", "want"),
    [
        (b"ab\0cd", None, b"ab\0cd"),
        (b"ab\0cd", -1, b"ab"),
        (b"abcd", -1, b"abcd"),
        (b"abcd", 2, b"ab"),
        (b"abcd", 0, b""),
    ],
)
def test_view_length(data: bytes, length: int | None, want: bytes) -> None:
    bio = BIO_new_mem_buf(data, length)
    assert bio is not None
    assert bio.get_mem_data() == want


@clause("MEM-8")
def test_view_with_a_negative_length_is_none() -> None:
    assert BIO_new_mem_buf(b"abc", -2) is None
    assert drain() == [INVALID_ARGUMENT]
    with pytest.raises(ValueError):
        BIO_new_mem_buf(b"abc", 4)
    with pytest.raises(TypeError):
        BIO_new_mem_buf("abc")
    assert drain() == []


@clause("MEM-9")
def test_view_cannot_be_written() -> None:
    bio = view(b"abc")
    assert bio.write(b"x") == -1
    assert drain() == [READ_ONLY]
    assert bio.puts(b"x") == -1
    assert drain() == [READ_ONLY]
    assert bio.get_retry_flags() == 0
    assert bio.pending() == 3


@clause("MEM-9")
def test_view_reads_to_the_end_and_rewinds() -> None:
    bio = view(b"ab\ncd")
    assert read(bio, 2) == (2, b"ab")
    assert bio.gets(9) == b"\n"
    assert read(bio, 9) == (2, b"cd")
    assert read(bio, 9) == (0, b"")
    assert (bio.get_retry_flags(), bio.eof()) == (0, 1)
    assert bio.reset() == 1
    assert bio.get_mem_data() == b"ab\ncd"
    assert drain() == []


@clause("MEM-10")
@pytest.mark.parametrize("flag", [BIO_CLOSE, BIO_NOCLOSE])
def test_mem_data_outlives_the_bio(mem: BIO, flag: int) -> None:
    assert mem.get_close() == BIO_CLOSE
    assert mem.set_close(flag) == 1
    assert mem.get_close() == flag
    mem.write(b"taken out")
    data = mem.get_mem_data()
    assert mem.free() == 1
    assert data == b"taken out"


@clause("MEM-1")
def test_mem_keeps_the_block_of_a_stream_until_it_pauses(mem: BIO) -> None:
    from pyssl._ffi import lib

    record = bytes(16406)
    lib.pys_test_fail_alloc(0)
    for _ in range(10):
        assert mem.write(record) == len(record)
        assert read(mem, len(record))[0] == len(record)
    assert lib.pys_test_n_alloc() == 1
    assert read(mem, 1)[0] == -1
    mem.write(record)
    assert lib.pys_test_n_alloc() == 2
