"""BIO_meth_new(3), BIO_get_data(3): types of BIO in Python."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pyssl import bio_method
from pyssl.bio import (
    BIO,
    BIO_get_new_index,
    BIO_meth_new,
    BIO_new,
    BIO_s_mem,
)
from pyssl.err import drain
from tests.api.bios import FILTER, SOURCE, UNSUPPORTED, custom, new, read
from tests.clauses import clause

OPERATIONS = [
    "write",
    "read",
    "puts",
    "gets",
    "ctrl",
    "create",
    "destroy",
    "callback_ctrl",
]


@clause("METH-1")
def test_operations_get_what_the_caller_gave() -> None:
    seen: list[Any] = []

    def take(b: BIO, n: int) -> bytes:
        seen.append(("read", b, n))
        return b"abc"

    def put(b: BIO, view: Any) -> int:
        seen.append(("write", b, bytes(view), type(view), view.readonly))
        return 2

    def puts(b: BIO, data: Any) -> int:
        seen.append(("puts", b, data))
        return 1

    bio = custom(read=take, write=put, puts=puts)
    assert read(bio, 5) == (3, b"abc")
    assert bio.write(bytearray(b"wxyz"), 3) == 2
    assert bio.puts("text") == 1
    assert seen == [
        ("read", bio, 5),
        ("write", bio, b"wxy", memoryview, True),
        ("puts", bio, b"text"),
    ]


@clause("METH-1")
@pytest.mark.parametrize(
    ("given", "want"),
    [
        (b"ab", (2, b"ab")),
        (bytearray(b"ab"), (2, b"ab")),
        (memoryview(b"ab"), (2, b"ab")),
        (b"", (0, b"")),
        (0, (0, b"")),
        (-1, (-1, b"")),
        (-2, (-2, b"")),
    ],
)
def test_read_may_return_bytes_or_a_number(given: Any, want: Any) -> None:
    assert read(custom(read=lambda b, n: given), 2) == want
    gets = custom(gets=lambda b, n: given).gets(3)
    assert gets == (want[1] or want[0])
    assert drain() == []


@clause("METH-1", "METH-8")
@pytest.mark.parametrize("bad", [None, "ab", 3, 1.5, b"abc", [1]])
def test_read_with_a_wrong_result_is_an_error(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        custom(read=lambda b, n: bad).read(bytearray(2))
    with pytest.raises((TypeError, ValueError)):
        custom(gets=lambda b, n: bad).gets(3)


@clause("METH-1", "METH-8")
@pytest.mark.parametrize("bad", [None, "1", b"x", 1.0, 4, 1 << 40])
def test_write_with_a_wrong_result_is_an_error(bad: Any) -> None:
    for call in ("write", "puts"):
        bio = custom(**{call: lambda b, data: bad})
        with pytest.raises((TypeError, ValueError)):
            getattr(bio, call)(b"abc")
    with pytest.raises((TypeError, ValueError)):
        custom(ctrl=lambda *args: None).ctrl(1)


@clause("METH-2")
def test_new_index_counts_from_129_to_255(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bio_method, "_indices", itertools.count(129))
    found = [BIO_get_new_index() for _ in range(127)]
    assert found == list(range(129, 256))
    assert [BIO_get_new_index() for _ in range(3)] == [-1, -1, -1]


@clause("METH-2")
def test_new_index_is_new_each_time() -> None:
    first = BIO_get_new_index()
    assert 129 <= first < 255
    assert BIO_get_new_index() == first + 1
    bio = new(BIO_meth_new(0x400 | 0x100 | first, "mine"))
    assert bio.method_type() == 0x500 | first
    assert bio.method_name() == "mine"


@clause("METH-3")
@pytest.mark.parametrize("name", OPERATIONS)
def test_setters_and_getters(name: str) -> None:
    method = BIO_meth_new(SOURCE, "test")
    setter = getattr(method, "set_" + name)
    getter = getattr(method, "get_" + name)
    assert getter() is None
    assert setter(print) == 1
    assert getter() is print
    assert setter(None) == 1
    assert getter() is None
    with pytest.raises(TypeError):
        setter("print")
    assert getattr(BIO_s_mem(), "get_" + name)() is None
    with pytest.raises(TypeError):
        getattr(BIO_s_mem(), "set_" + name)(print)


@clause("METH-3", "BIO-18")
def test_operation_taken_back_is_missing_at_once() -> None:
    bio = custom(read=lambda b, n: b"x")
    assert read(bio, 5) == (1, b"x")
    bio._method.set_read(None)
    assert read(bio, 5) == (-2, b"")
    assert drain() == [UNSUPPORTED]


@clause("METH-3")
def test_method_when_freed_makes_no_more_bios() -> None:
    method = BIO_meth_new(SOURCE, b"test")
    method.set_read(lambda b, n: b"x")
    bio = new(method)
    method.free()
    with pytest.raises(ValueError):
        BIO_new(method)
    with pytest.raises(ValueError):
        method.get_read()
    with pytest.raises(ValueError):
        method.free()
    assert read(bio, 5) == (1, b"x")
    for bad in ((None, "x"), (1, None), ("1", "x")):
        with pytest.raises(TypeError):
            BIO_meth_new(*bad)


@clause("METH-4")
def test_create_must_set_init() -> None:
    method = BIO_meth_new(SOURCE, "test")
    method.set_read(lambda b, n: b"x")
    assert new(method).get_init() == 1
    method.set_create(lambda b: 1)
    bio = new(method)
    assert (bio.get_init(), read(bio, 1)[0]) == (0, -1)
    assert drain() == [32 << 23 | 120]

    def create(b: BIO) -> bool:
        b.set_init(1)
        b.set_data("made")
        return True

    method.set_create(create)
    bio = new(method)
    assert (bio.get_init(), bio.get_data()) == (1, "made")
    assert read(bio, 1) == (1, b"x")


@clause("METH-4", "CV-7")
def test_create_that_raises_is_heard_and_leaves_nothing() -> None:
    gone: list[Any] = []

    def create(b: BIO) -> bool:
        raise LookupError("create")

    method = BIO_meth_new(SOURCE, "test")
    method.set_create(create)
    method.set_destroy(gone.append)
    with pytest.raises(LookupError):
        BIO_new(method)
    assert gone == []


@clause("METH-8", "CV-7")
def test_exception_of_an_operation_is_raised_by_the_call() -> None:
    def fail(*args: Any) -> Any:
        raise LookupError("operation")

    bio = custom(read=fail, write=fail, puts=fail, gets=fail, ctrl=fail)
    calls: list[tuple[Any, Any]] = [
        (bio.read, bytearray(1)),
        (bio.write, b"x"),
        (bio.puts, b"x"),
        (bio.gets, 9),
        (bio.ctrl, 1),
    ]
    head = custom(FILTER, read=lambda b, n: read(b.next(), n)[1])
    head.push(custom(read=fail))
    calls.append((head.read, bytearray(1)))
    for call, argument in calls:
        with pytest.raises(LookupError):
            call(argument)
    assert drain() == []


@clause("METH-9")
def test_accessors_store_and_return() -> None:
    bio = custom()
    what = object()
    bio.set_data(what)
    assert bio.get_data() is what
    for value in (0, 1, 7):
        bio.set_init(value)
        bio.set_shutdown(value)
        assert (bio.get_init(), bio.get_shutdown()) == (value, value)
    with pytest.raises(TypeError):
        bio.set_init("1")  # type: ignore[arg-type]


@clause("METH-9")
def test_shutdown_of_a_built_in_type_is_its_close_flag() -> None:
    mem = new(BIO_s_mem())
    assert mem.get_shutdown() == 1
    mem.set_shutdown(0)
    assert (mem.get_shutdown(), mem.get_close()) == (0, 0)
    mem.set_data("data")
    assert mem.get_data() == "data"
