"""BIO and BIO_METHOD on their types in C (csrc/quick), and on the stand-in."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest

import pyssl as p
from pyssl import _ffi
from tests.api.test_quick_methods import needs_c, stand_in
from tests.clauses import clause


@needs_c
@pytest.mark.parametrize("name", ["Bio", "Method"])
def test_stand_in_has_all_that_the_type_has(name: str) -> None:
    mine, theirs = getattr(_ffi, name), getattr(stand_in(), name)
    more = set(vars(theirs)) - set(vars(mine))

    assert set(vars(mine)) - set(vars(theirs)) <= {"__new__", "__init__"}
    assert more <= {
        *("__slots__", "__annotations__", "_begin_end", "_check_user"),
        *("_collected", "_make", "__static_attributes__"),
        *("__firstlineno__", "__annotate_func__", "__annotations_cache__"),
    }
    assert inspect.getdoc(mine) == inspect.getdoc(theirs)


def test_a_bio_says_what_it_is_made_of() -> None:
    assert list(inspect.signature(p.BIO).parameters) == ["method"]
    assert p.BIO(method=p.BIO_s_mem()).write(b"x") == 1
    for bad in ((), (None,), (1,), (p.BIO_METHOD,), (p.BIO_s_mem(), 1)):
        with pytest.raises(TypeError):
            p.BIO(*bad)
    with pytest.raises(TypeError):
        p.BIO(p.BIO_s_mem(), method=p.BIO_s_mem())


@clause("BIO-2")
@pytest.mark.parametrize(
    "make", [p.BIO_s_mem, p.BIO_s_bio, p.BIO_s_socket, p.BIO_s_fd]
)
def test_a_bio_is_made_only_once(make: Any) -> None:
    bio: Any = p.BIO(make())
    ssl = p.SSL(p.SSL_CTX(p.TLS_client_method()))
    ssl.set_bio(bio, bio)
    for method in (p.BIO_s_mem(), p.BIO_meth_new(1, "mine")):
        with pytest.raises(RuntimeError, match="once"):
            bio.__init__(method)
    assert bio.method_type() == make().type
    bio.free()
    with pytest.raises(RuntimeError, match="once"):
        bio.__init__(p.BIO_s_mem())


def test_a_bio_that_was_never_made_is_refused() -> None:
    bio: Any = p.BIO.__new__(p.BIO)
    ssl = p.SSL(p.SSL_CTX(p.TLS_client_method()))
    for call in (
        lambda: bio.read(bytearray(1)),
        lambda: bio.write(b"x"),
        bio.up_ref,
        bio.free,
        lambda: ssl.set_bio(bio, bio),
    ):
        with pytest.raises(ValueError, match="freed"):
            call()
    assert ssl.get_rbio() is None
    bio.__init__(p.BIO_s_mem())
    assert bio.write(b"x") == bio.free() == 1


@clause("BIO-3")
def test_a_bio_that_its_last_callback_gives_away_stays_for_the_ssl() -> None:
    ssl = p.SSL(p.SSL_CTX(p.TLS_client_method()))
    ssl.set_connect_state()
    sent: list[bytes] = []

    def note(b: p.BIO, oper: int, argp: Any, *more: Any) -> int:
        if oper == p.BIO_CB_FREE:
            ssl.set_bio(b, b)
        if oper == p.BIO_CB_WRITE:
            sent.append(bytes(argp))
        return int(more[-2])

    bio = p.BIO(p.BIO_s_mem())
    bio.set_callback_ex(note)
    assert bio.free() == 1
    del bio

    assert ssl.do_handshake() == -1  # it reads what it wrote
    assert sent
    assert sent[0][:1] == b"\x16"
    ssl.free()


def test_threads_that_ask_at_once_get_the_same_c_object() -> None:
    for _ in range(50):
        bio: Any = p.BIO(p.BIO_s_mem())
        begin = threading.Barrier(3)
        found: list[Any] = []

        def ask(
            bio: Any = bio, begin: Any = begin, found: Any = found
        ) -> None:
            begin.wait()
            found.append(bio._c)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 3
        assert all(one is bio._c for one in found)
