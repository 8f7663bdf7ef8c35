"""BIO_set_callback_ex(3) and its old style."""

from __future__ import annotations

import array
from typing import Any

import pytest

from pyssl.bio import BIO, BIO_new_mem_buf, BIO_s_bio, BIO_s_mem
from pyssl.const import BIO_CTRL_PENDING, BIO_CTRL_SET_CLOSE
from pyssl.err import drain
from tests.api.bios import UNINITIALIZED, UNSUPPORTED, custom, new, read
from tests.clauses import clause


class Recorder:
    """A new-style callback that notes its calls and changes nothing."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, b: BIO, *args: Any) -> int:
        oper, _, length, argi, argl, ret, processed = args
        self.calls.append((oper, length, argi, argl, ret, processed))
        return ret

    def take(self) -> list[tuple[Any, ...]]:
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def mem() -> BIO:
    return new(BIO_s_mem())


@pytest.fixture(params=["native", "python"])
def either(request: pytest.FixtureRequest) -> BIO:
    """A memory BIO of the core, and one in Python."""
    if request.param == "native":
        return new(BIO_s_mem())
    held = bytearray()

    def take(b: BIO, n: int) -> Any:
        data = bytes(held[:n])
        del held[:n]
        b.clear_retry_flags()
        if not data:
            b.set_retry_read()
        return data or -1

    def put(b: BIO, data: bytes) -> int:
        held.extend(data)
        return len(data)

    def line(b: BIO, n: int) -> bytes:
        data, _, _ = bytes(held).partition(b"\n")
        data = (data + b"\n")[: min(len(held), n - 1)]
        del held[: len(data)]
        return data

    def ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
        return len(held) if cmd == BIO_CTRL_PENDING else 1

    return custom(read=take, write=put, puts=put, gets=line, ctrl=ctrl)


@clause("BIO-37")
def test_callback_is_called_around_operations(either: BIO) -> None:
    bio, seen = either, Recorder()
    bio.set_callback_ex(seen)
    assert bio.write(b"hello") == 5
    assert seen.take() == [
        (0x03, 5, 0, 0, 1, None),
        (0x83, 5, 0, 0, 1, 5),
    ]
    assert bio.puts("li\nne") == 5
    assert seen.take() == [
        (0x04, 0, 0, 0, 1, None),
        (0x84, 0, 0, 0, 1, 5),
    ]
    assert read(bio, 5) == (5, b"hello")
    assert seen.take() == [
        (0x02, 5, 0, 0, 1, None),
        (0x82, 5, 0, 0, 1, 5),
    ]
    assert bio.gets(10) == b"li\n"
    assert seen.take() == [
        (0x05, 10, 0, 0, 1, None),
        (0x85, 10, 0, 0, 1, 3),
    ]
    assert bio.pending() == 2
    assert seen.take() == [
        (0x06, 0, 10, 0, 1, None),
        (0x86, 0, 10, 0, 2, None),
    ]
    assert bio.ctrl(BIO_CTRL_SET_CLOSE, 1) == 1
    assert seen.take() == [
        (0x06, 0, 9, 1, 1, None),
        (0x86, 0, 9, 1, 1, None),
    ]
    assert read(bio, 9) == (2, b"ne")
    seen.take()
    assert read(bio, 9) == (-1, b"")
    assert bio.should_read()
    assert seen.take() == [
        (0x02, 9, 0, 0, 1, None),
        (0x82, 9, 0, 0, -1, 0),
    ]
    assert bio.free() == 1
    assert seen.take() == [(0x01, 0, 0, 0, 1, None)]
    assert drain() == []


@clause("BIO-37")
def test_callback_sees_the_bytes(mem: BIO) -> None:
    seen: list[tuple[int, bytes]] = []

    def callback(b: BIO, oper: int, argp: Any, *rest: Any) -> int:
        assert b is mem
        if argp is not None:
            seen.append((oper, bytes(argp)))
        return rest[3]

    mem.set_callback_ex(callback)
    mem.write(b"abc!", 3)
    mem.puts("d\n")
    read(mem, 2)
    mem.gets(4)
    assert seen == [
        (0x03, b"abc"),
        (0x83, b"abc"),
        (0x04, b"d\n"),
        (0x84, b"d\n"),
        (0x02, b"\0\0"),
        (0x82, b"ab"),
        (0x05, b"\0\0\0\0"),
        (0x85, b"cd\n\0"),
    ]


@clause("BIO-37", "BIO-18")
def test_callback_and_operations_that_are_not_possible() -> None:
    seen = Recorder()
    half = new(BIO_s_bio())
    half.set_callback_ex(seen)
    assert half.gets(5) == -2
    assert drain() == [UNSUPPORTED]
    assert seen.take() == []
    assert half.write(b"x") == -1
    assert drain() == [UNINITIALIZED]
    assert [call[0] for call in seen.take()] == [0x03, 0x83]
    bare = custom()
    bare.set_callback_ex(seen)
    assert bare.write(b"x") == -2
    assert bare.ctrl(1) == -2
    assert seen.take() == []
    drain()


@clause("BIO-38")
@pytest.mark.parametrize("result", [-3, -1, 0])
def test_callback_before_may_abort(either: BIO, result: int) -> None:
    either.write(b"data")
    calls: list[int] = []

    def callback(b: BIO, oper: int, *rest: Any) -> int:
        calls.append(oper)
        return result

    either.set_callback_ex(callback)
    assert either.write(b"more") == result
    assert either.puts("more") == result
    assert read(either, 9) == (result, b"")
    assert either.gets(9) == result
    assert either.ctrl(BIO_CTRL_PENDING) == result
    assert calls == [3, 4, 2, 5, 6]
    either.set_callback_ex(None)
    assert either.pending() == 4
    assert drain() == []


@clause("BIO-39")
def test_callback_after_replaces_the_result(either: BIO) -> None:
    answer: Any = None

    def callback(b: BIO, oper: int, *rest: Any) -> Any:
        return answer if oper & 0x80 else 1

    either.set_callback_ex(callback)
    answer = -5
    assert either.write(b"written") == -5
    answer = (1, 3)
    assert either.write(b"again") == 3
    assert read(either, 10) == (3, b"wri")
    answer = (1, 0)
    assert either.puts("x") == 0
    answer = 77
    assert either.pending() == 77
    answer = 0
    assert read(either, 1) == (0, b"")
    answer = (1, 11)
    with pytest.raises(ValueError):
        either.read(bytearray(10))


@clause("BIO-39")
def test_callback_after_may_change_the_bytes(mem: BIO) -> None:
    def callback(b: BIO, oper: int, argp: Any, *rest: Any) -> int:
        if oper == 0x82:
            argp[:2] = b"XY"
        return rest[3]

    mem.write(b"abcd")
    mem.set_callback_ex(callback)
    assert read(mem, 4) == (4, b"XYcd")


@clause("BIO-40")
def test_old_style_callback(either: BIO) -> None:
    calls: list[tuple[Any, ...]] = []

    def callback(
        b: BIO, oper: int, argp: Any, argi: int, argl: int, ret: int
    ) -> int:
        calls.append((oper, argi, argl, ret))
        return ret

    either.set_callback(callback)
    assert either.get_callback() is callback
    assert either.write(b"hello") == 5
    assert read(either, 9) == (5, b"hello")
    assert read(either, 9) == (-1, b"")
    assert either.ctrl(BIO_CTRL_SET_CLOSE, 1) == 1
    assert calls == [
        (0x03, 5, 0, 1),
        (0x83, 5, 0, 5),
        (0x02, 9, 0, 1),
        (0x82, 9, 0, 5),
        (0x02, 9, 0, 1),
        (0x82, 9, 0, -1),
        (0x06, 9, 1, 1),
        (0x86, 9, 1, 1),
    ]
    assert either.free() == 1
    assert calls[-1] == (0x01, 0, 0, 1)


@clause("BIO-40")
def test_old_style_callback_gives_the_count(either: BIO) -> None:
    either.set_callback(lambda b, oper, *rest: 2 if oper & 0x80 else 1)
    assert either.write(b"hello") == 2
    assert read(either, 5) == (2, b"he")


@clause("BIO-40")
def test_old_style_callback_yields_to_the_new_one(mem: BIO) -> None:
    calls: list[str] = []
    mem.set_callback(lambda b, *rest: calls.append("old") or rest[-1])
    mem.set_callback_ex(lambda b, *rest: calls.append("new") or rest[-2])
    mem.write(b"x")
    assert calls == ["new", "new"]
    mem.set_callback_ex(None)
    assert mem.get_callback_ex() is None
    mem.write(b"x")
    assert calls == ["new", "new", "old", "old"]
    mem.set_callback(None)
    mem.write(b"x")
    assert len(calls) == 4


@clause("BIO-41")
def test_callback_arg_is_only_stored(mem: BIO) -> None:
    what = object()
    assert mem.get_callback_arg() is None
    mem.set_callback_arg(what)
    assert mem.get_callback_arg() is what
    seen: list[Any] = []
    mem.set_callback_ex(lambda *args: seen.extend(args) or 1)
    mem.write(b"x")
    assert all(arg is not what for arg in seen)


@clause("CV-7", "METH-8")
@pytest.mark.parametrize("bad", ["1", None, 1 << 40, (1, "2")])
def test_callback_with_a_wrong_result_is_an_error(mem: BIO, bad: Any) -> None:
    mem.set_callback_ex(lambda *args: bad)
    with pytest.raises((TypeError, ValueError)):
        mem.write(b"x")
    with pytest.raises((TypeError, ValueError)):
        mem.free()
    mem.set_callback_ex(None)
    assert mem.pending() == 0
    assert mem.free() == 1
    for setter in (mem.set_callback_ex, mem.set_callback):
        with pytest.raises((TypeError, ValueError)):
            setter(5)  # type: ignore[arg-type]


@clause("CV-7")
def test_callback_that_raises_is_heard(mem: BIO) -> None:
    def callback(b: BIO, oper: int, *rest: Any) -> int:
        if oper == 0x83:
            raise KeyError("after")
        return 1

    mem.set_callback_ex(callback)
    with pytest.raises(KeyError):
        mem.write(b"x")
    assert mem.pending() == 1


@clause("BIO-37")
def test_callback_on_a_view_keeps_its_failures() -> None:
    seen = Recorder()
    bio = BIO_new_mem_buf(b"abc")
    assert bio is not None
    bio.set_callback_ex(seen)
    assert bio.write(b"x") == -1
    assert len(drain()) == 1
    assert seen.take()[1] == (0x83, 1, 0, 0, -1, 0)


@clause("BIO-37", "CV-2")
def test_callback_and_buffers_of_many_shapes(either: BIO) -> None:
    either.set_callback_ex(Recorder())
    words = memoryview(b"abcdefgh").cast("H", shape=[2, 2])
    assert either.write(words) == 8
    into = array.array("I", [0, 0])
    assert either.read(into) == 8
    assert into.tobytes() == b"abcdefgh"


@clause("BIO-39")
@pytest.mark.parametrize("count", [-1, 6])
def test_callback_with_an_impossible_count_is_an_error(
    either: BIO, count: int
) -> None:
    either.set_callback_ex(
        lambda b, oper, *rest: (1, count) if oper & 0x80 else 1
    )
    with pytest.raises(ValueError):
        either.write(b"12345")
    with pytest.raises(ValueError):
        either.read(bytearray(5))


@clause("BIO-18", "BIO-37")
def test_callback_may_take_an_operation_away() -> None:
    def callback(b: BIO, *rest: Any) -> int:
        for name in ("read", "write", "puts", "gets"):
            getattr(b._method, "set_" + name)(None)
        return rest[5]

    for name, argument in (
        ("read", bytearray(1)),
        ("write", b"x"),
        ("puts", b"x"),
        ("gets", 5),
    ):
        bio = custom(**{name: lambda b, what: b"x"})
        bio.set_callback_ex(callback)
        assert getattr(bio, name)(argument) == -2
        assert drain() == [UNSUPPORTED]
