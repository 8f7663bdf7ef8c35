"""Application data under an index: contract section 6.18."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import Any, Callable, NamedTuple

import pytest

import pyssl as p
from tests.api.links import connected, reasons
from tests.clauses import clause


class Kind(NamedTuple):
    """A class with application data, by its C-named functions."""

    cls: Any
    make: Callable[[], Any]
    new_index: Callable[..., int]
    put: Callable[[Any, int, Any], int]
    get: Callable[[Any, int], Any]


def make_ssl() -> p.SSL:
    return p.SSL(p.SSL_CTX(p.TLS_method()))


KINDS = [
    Kind(
        p.SSL_CTX,
        lambda: p.SSL_CTX(p.TLS_method()),
        p.SSL_CTX_get_ex_new_index,
        p.SSL_CTX_set_ex_data,
        p.SSL_CTX_get_ex_data,
    ),
    Kind(
        p.SSL,
        make_ssl,
        p.SSL_get_ex_new_index,
        p.SSL_set_ex_data,
        p.SSL_get_ex_data,
    ),
    Kind(
        p.BIO,
        lambda: p.BIO_new(p.BIO_s_mem()),
        p.BIO_get_ex_new_index,
        p.BIO_set_ex_data,
        p.BIO_get_ex_data,
    ),
]


class Thing:
    """What can be referred to weakly."""


@pytest.fixture(
    name="kind", params=KINDS, ids=lambda kind: str(kind.cls.__name__)
)
def make_kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(name="fresh")
def make_fresh(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Give the kind with no index taken yet."""
    gc.collect()
    registry = type(kind.cls._registry)()
    monkeypatch.setattr(kind.cls, "_registry", registry)
    return kind


# ---- EXD-1: indices -------------------------------------------------------


@clause("EXD-1")
def test_indices_begin_with_one_and_grow_by_class(fresh: Kind) -> None:
    assert [fresh.new_index() for _ in range(5)] == [1, 2, 3, 4, 5]
    others = [kind for kind in KINDS if kind is not fresh]
    for other in others:
        before = other.new_index()
        fresh.new_index()
        assert other.new_index() == before + 1


@clause("EXD-1")
@pytest.mark.parametrize("value", [7, "text", b"", [], None, Thing, 0])
def test_any_object_comes_back_as_it_is(kind: Kind, value: Any) -> None:
    index, it = kind.new_index(), kind.make()
    for place in (0, index):
        assert kind.get(it, place) is None
        assert kind.put(it, place, value) == 1
        assert kind.get(it, place) is value
        assert kind.put(it, place, None) == 1
        assert kind.get(it, place) is None


@clause("EXD-1")
def test_values_belong_to_one_object_and_one_index(kind: Kind) -> None:
    first, second = kind.new_index(), kind.new_index()
    a, b = kind.make(), kind.make()
    for it, index, value in (
        (a, first, "a1"),
        (a, second, "a2"),
        (b, first, "b1"),
    ):
        assert kind.put(it, index, value) == 1

    assert kind.get(a, first) == "a1"
    assert kind.get(a, second) == "a2"
    assert kind.get(b, first) == "b1"
    assert kind.get(b, second) is None
    assert kind.get(a, 0) is kind.get(b, 0) is None


@clause("EXD-1")
@pytest.mark.parametrize("index", [-1, -100, 1, 2, 1 << 40])
def test_unknown_index_has_nothing_and_takes_nothing(
    fresh: Kind, index: int
) -> None:
    it = fresh.make()
    assert fresh.get(it, index) is None
    assert reasons() == []

    assert fresh.put(it, index, "x") == 0
    assert len(reasons()) == 1
    assert fresh.get(it, index) is None


@clause("EXD-1")
def test_index_made_later_serves_objects_made_before(kind: Kind) -> None:
    it = kind.make()
    index = kind.new_index()
    assert kind.put(it, index, "later") == 1
    assert kind.get(it, index) == "later"


@clause("EXD-1", "CV-8")
def test_threads_never_get_the_same_index(kind: Kind) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: found.extend(kind.new_index() for _ in range(40))
        )
        for _ in range(8)
    ]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert len(set(found)) == len(found) == 320


# ---- EXD-2: lives and callbacks -------------------------------------------


@clause("EXD-2")
def test_stored_object_goes_with_its_owner_or_its_successor(
    kind: Kind,
) -> None:
    index, it = kind.new_index(), kind.make()
    first, second = Thing(), Thing()
    seen = [weakref.ref(first), weakref.ref(second)]
    kind.put(it, index, first)
    del first
    gc.collect()
    assert seen[0]() is not None

    kind.put(it, index, second)
    del second
    gc.collect()
    assert seen[0]() is None
    assert seen[1]() is not None

    del it
    gc.collect()
    assert seen[1]() is None


@clause("EXD-2")
def test_owner_stored_in_itself_is_collected(kind: Kind) -> None:
    it = kind.make()
    seen = weakref.ref(it)
    kind.put(it, 0, it)
    del it
    gc.collect()
    assert seen() is None


@clause("EXD-2")
def test_callbacks_run_in_index_order_at_both_ends(fresh: Kind) -> None:
    calls: list[Any] = []

    def note(what: str) -> Any:
        def callback(
            owner: Any, value: Any, index: int, argl: int, argp: Any
        ) -> None:
            calls.append((what, type(owner), value, index, argl, argp))

        return callback

    for argl, argp in ((10, "x"), (20, "y"), (30, "z")):
        fresh.new_index(argl, argp, note("new"), None, note("free"))
    it = fresh.make()
    cls = fresh.cls
    assert calls == [
        ("new", cls, None, 1, 10, "x"),
        ("new", cls, None, 2, 20, "y"),
        ("new", cls, None, 3, 30, "z"),
    ]
    calls.clear()
    fresh.put(it, 1, "one")
    fresh.put(it, 3, "three")
    assert calls == []

    del it
    gc.collect()

    assert calls == [
        ("free", cls, "one", 1, 10, "x"),
        ("free", cls, None, 2, 20, "y"),
        ("free", cls, "three", 3, 30, "z"),
    ]


@clause("EXD-2")
def test_free_callback_runs_once_although_freed_and_collected(
    fresh: Kind,
) -> None:
    calls: list[Any] = []
    fresh.new_index(0, None, None, None, lambda *a: calls.append(a[1]))
    it = fresh.make()
    fresh.put(it, 1, "value")
    it.free()
    del it
    gc.collect()

    assert calls == ["value"]


@clause("EXD-2")
@pytest.mark.parametrize("how", ["no", "raise"])
def test_bio_that_was_not_made_gives_its_data_up(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(p.BIO, "_registry", type(p.BIO._registry)())
    calls: list[Any] = []
    p.BIO_get_ex_new_index(
        0,
        None,
        lambda owner, *_: calls.append("new"),
        None,
        lambda owner, value, *_: calls.append(("free", value)),
    )

    def create(b: p.BIO) -> int:
        assert p.BIO_set_ex_data(b, 1, "value") == 1
        if how == "raise":
            raise ZeroDivisionError
        return 0

    method = p.BIO_meth_new(p.BIO_get_new_index() | 0x400, "fails")
    p.BIO_meth_set_create(method, create)
    if how == "raise":
        with pytest.raises(ZeroDivisionError):
            p.BIO_new(method)
    else:
        assert p.BIO_new(method) is None

    assert calls == ["new", ("free", "value")]


@clause("EXD-2")
def test_data_of_a_bio_lives_as_long_as_its_last_holder() -> None:
    link = connected()
    thing = Thing()
    seen = weakref.ref(thing)
    bio = link.client_in
    assert p.BIO_set_ex_data(bio, 0, thing) == 1
    del thing
    assert p.BIO_free(bio) == 1
    gc.collect()
    assert seen() is not None
    with pytest.raises(ValueError, match="freed"):
        p.BIO_get_ex_data(bio, 0)

    p.SSL_free(link.client)
    gc.collect()
    assert seen() is None


@clause("EXD-2", "CLR-1")
def test_clearing_a_connection_leaves_its_data() -> None:
    link = connected()
    index = p.SSL_get_ex_new_index(0, None, None, None, None)
    assert p.SSL_set_ex_data(link.client, index, "kept") == 1
    assert p.SSL_clear(link.client) == 1
    assert p.SSL_get_ex_data(link.client, index) == "kept"


@clause("EXD-1", "CV-3")
@pytest.mark.parametrize("cls", [p.SSL, p.SSL_CTX])
def test_freed_object_has_no_data(cls: Any) -> None:
    (kind,) = [kind for kind in KINDS if kind.cls is cls]
    it = kind.make()
    it.free()
    with pytest.raises(ValueError, match="freed"):
        kind.get(it, 0)
    with pytest.raises(ValueError, match="freed"):
        kind.put(it, 0, 1)
