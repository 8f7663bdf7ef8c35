"""SSL_SESSION, and how an SSL gives and takes it, in C and on the stand-in.

All objects of a session share a part: it is found as long as somebody has it,
by whatever way the session comes back from the core.
"""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
import threading
import weakref
from typing import Any

import pytest

import pyssl as p
from pyssl import _ffi
from pyssl._ffi import ffi, lib
from pyssl.session import TYPES
from tests.api import links
from tests.api.sessions import TLS12, TLS13, contexts, link_of
from tests.api.test_quick_methods import IN_C, needs_c, stand_in
from tests.clauses import clause
from tests.session.core import growth, needs_memory_figures

SECONDS = 60.0


class Thing:
    """What can be referred to weakly."""


@pytest.fixture(name="link")
def make_link() -> links.MemLink:
    link = link_of(contexts(TLS12))
    link.established()
    return link


@pytest.fixture(name="ssl")
def make_ssl(link: links.MemLink) -> Any:
    return link.client


@pytest.fixture(name="registry")
def make_registry(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give sessions no index yet."""
    gc.collect()
    registry = type(p.SSL_SESSION._registry)()
    monkeypatch.setattr(p.SSL_SESSION, "_registry", registry)
    return registry


def session_of(ssl: Any) -> Any:
    found = ssl.get1_session()
    assert found is not None
    return found


def alone(ssl: Any) -> Any:
    """Give a connection's session, whose part the connection lets go."""
    session = session_of(ssl)
    ssl._session_part = None
    return session


# ---- C and its stand-in ----------------------------------------------------


@needs_c
@pytest.mark.parametrize("name", ["Part", "Session"])
def test_stand_in_has_all_that_the_type_has(name: str) -> None:
    mine, theirs = getattr(_ffi, name), getattr(stand_in(), name)
    more = set(vars(theirs)) - set(vars(mine))

    assert set(vars(mine)) - set(vars(theirs)) <= {"__new__"}
    assert more <= {
        *("__slots__", "__weakref__", "__annotations__", "__new__", "__del__"),
        *("_gone", "_made", "__static_attributes__"),
        *("__firstlineno__", "__annotate_func__", "__annotations_cache__"),
    }
    assert inspect.getdoc(mine) == inspect.getdoc(theirs)


@needs_c
@pytest.mark.parametrize(
    "name", ["get_session", "get1_session", "set_session"]
)
def test_method_says_what_its_stand_in_says(name: str) -> None:
    mine, theirs = getattr(_ffi.Conn, name), getattr(stand_in().Conn, name)

    assert inspect.getdoc(mine) == inspect.getdoc(theirs)
    assert list(inspect.signature(mine).parameters) == list(
        inspect.signature(theirs).parameters
    )


# ---- one part for a session ------------------------------------------------


@clause("SESS-4")
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_every_object_of_a_session_has_the_same_part(version: int) -> None:
    pair = contexts(version)
    given: list[Any] = []
    mode = p.SSL_SESS_CACHE_CLIENT
    p.SSL_CTX_set_session_cache_mode(pair[0], mode)
    p.SSL_CTX_sess_set_new_cb(pair[0], lambda _, s: given.append(s) or 1)
    link = link_of(pair)
    link.established()
    link.send(link.server, b"pong")
    ssl: Any = link.client
    again = [given[-1], ssl.get_session(), ssl.get1_session()]

    assert len({id(one) for one in again}) == 3
    assert len({id(one._shared) for one in again}) == 1
    assert again[0] == again[1] == again[2]
    assert len(set(again)) == 1
    assert ssl._session_part is again[0]._shared
    assert again[0] != again[0].dup()


def test_part_goes_with_the_last_who_has_it(ssl: Any) -> None:
    session = alone(ssl)
    session.set_ex_data(0, "data")
    other = session_of(ssl)
    assert other.get_ex_data(0) == "data"
    ssl._session_part = None
    del session
    assert session_of(ssl).get_ex_data(0) == "data"
    ssl._session_part = None
    del other
    gc.collect()

    assert session_of(ssl).get_ex_data(0) is None


@clause("EXD-2", "SESS-2")
def test_ssl_keeps_the_data_of_the_session_that_it_was_given() -> None:
    ssl: Any = links.new_ssl(p.SSL_CTX(p.TLS_client_method()))
    assert ssl.get_session() is ssl.get1_session() is None
    session, thing = p.SSL_SESSION(), Thing()
    seen = weakref.ref(thing)
    session.set_ex_data(0, thing)
    assert ssl.set_session(session) == 1
    del session, thing
    gc.collect()
    assert session_of(ssl).get_ex_data(0) is seen()
    assert seen() is not None

    assert ssl.set_session(session=None) == 1
    gc.collect()
    assert seen() is None
    assert ssl.get_session() is None
    assert ssl._session_part is None


@clause("CV-3")
def test_session_that_a_connection_took_is_nobodys_alone() -> None:
    ssl: Any = links.new_ssl(p.SSL_CTX(p.TLS_client_method()))
    session = p.SSL_SESSION()
    assert session.set1_id(b"mine") == 1
    assert ssl.set_session(session) == 1
    with pytest.raises(ValueError, match="in use"):
        session.set1_id(b"ours")
    with pytest.raises(ValueError, match="in use"):
        session_of(ssl).set1_id(b"ours")
    assert session_of(ssl).get_id() == b"mine"


def test_handle_outlives_the_part_and_is_made_once(ssl: Any) -> None:
    session = alone(ssl)
    handle = session._shared.handle
    assert session._shared.handle is handle
    assert session_of(ssl)._shared.handle is handle
    ssl.free()
    del session, ssl
    gc.collect()

    assert lib.pys_session_number(handle, lib.PYS_SESSION_VERSION) == TLS12


# ---- who is inside ---------------------------------------------------------


@clause("CV-8", "SESS-4")
def test_session_is_given_while_one_direction_is_taken(ssl: Any) -> None:
    before = session_of(ssl)
    for writing in (0, 1):
        ssl._take(writing)
        try:
            thread, found = links.in_thread(ssl.get_session)
            thread.join(SECONDS)
        finally:
            ssl._give(writing)
        assert found == [before]


@clause("CV-8", "SESS-4")
def test_session_waits_for_who_is_in_both_directions(ssl: Any) -> None:
    before = session_of(ssl)
    ssl._take(0)
    ssl._take(1)
    thread, found = links.in_thread(ssl.get1_session)
    thread.join(0.1)
    assert thread.is_alive()
    ssl._give(1)
    ssl._give(0)
    thread.join(SECONDS)

    assert found == [before]


@clause("CV-8", "SESS-2")
@pytest.mark.parametrize("writing", [0, 1])
def test_setting_a_session_waits_for_both_directions(
    ssl: Any, writing: int
) -> None:
    session = p.SSL_SESSION()
    ssl._take(writing)
    thread, found = links.in_thread(lambda: ssl.set_session(session))
    thread.join(0.1)
    assert thread.is_alive()
    ssl._give(writing)
    thread.join(SECONDS)

    assert found == [1]
    assert session_of(ssl) == session


@clause("CV-8", "SESS-2", "SESS-4")
def test_callback_gets_and_sets_sessions_of_its_own_ssl() -> None:
    link = link_of(contexts(TLS12))
    session = p.SSL_SESSION()
    found: list[Any] = []

    def tell(ssl: Any, where: int, ret: int) -> None:
        if where == p.SSL_CB_HANDSHAKE_DONE:
            found.append(ssl.get_session())
            found.append(ssl.set_session(session))
            found.append(ssl.get_session())

    p.SSL_set_info_callback(link.client, tell)
    link.established()

    assert found[0].get_protocol_version() == TLS12
    assert found[1] == 1
    assert found[2] == session


def test_quick_calls_go_on_after_a_session_was_set(
    link: links.MemLink,
) -> None:
    for _ in range(3):
        link.send(link.client, b"one")
        link.send(link.server, b"two")
        assert p.SSL_set_session(link.client, None) == 1
        assert p.SSL_set_session(link.server, p.SSL_SESSION()) == 1


# ---- bad use ---------------------------------------------------------------


@clause("CV-3", "CV-10")
def test_what_is_no_session_is_refused(ssl: Any) -> None:
    before = session_of(ssl)
    for bad in (1, "x", object(), p.SSL_SESSION, before._shared, ssl):
        with pytest.raises(TypeError):
            ssl.set_session(bad)
    for arguments in ((), (None, None)):
        with pytest.raises(TypeError):
            ssl.set_session(*arguments)
    with pytest.raises(TypeError):
        ssl.set_session(sess=None)
    with pytest.raises(TypeError):
        ssl.get_session(1)
    assert session_of(ssl) == before


@clause("CV-3")
def test_freed_objects_are_refused(ssl: Any) -> None:
    session = session_of(ssl)
    freed = session_of(ssl)
    freed.free()
    with pytest.raises(ValueError, match="SESSION was freed"):
        ssl.set_session(freed)
    assert session_of(ssl) == session
    ssl.free()
    for call in (
        ssl.get_session,
        ssl.get1_session,
        lambda: ssl.set_session(session),
        lambda: ssl.set_session(None),
    ):
        with pytest.raises(ValueError, match="SSL was freed"):
            call()
    with pytest.raises(TypeError):
        ssl.set_session(1)
    with pytest.raises(ValueError, match="freed"):
        p.SSL.__new__(p.SSL).get_session()


@clause("CV-3")
def test_spoilt_objects_do_no_harm(ssl: Any) -> None:
    before = session_of(ssl)
    spoilt = session_of(ssl)
    for junk in (object(), 1, ssl, TYPES[1].__new__(TYPES[1])):
        spoilt._shared = junk
        with pytest.raises(AttributeError):
            ssl.set_session(spoilt)
    del spoilt._shared
    with pytest.raises((ValueError, AttributeError)):
        ssl.set_session(spoilt)
    with pytest.raises(ValueError, match="freed"):
        ssl.set_session(p.SSL_SESSION.__new__(p.SSL_SESSION))
    with pytest.raises(AttributeError):
        _ = TYPES[1].__new__(TYPES[1]).handle
    assert session_of(ssl) == before


@needs_c
@pytest.mark.parametrize(
    "types", [(), (int, int), (1, 2), (TYPES[1], TYPES[0]), None]
)
def test_types_that_are_not_ours_are_refused(types: Any) -> None:
    class Odd(p.SSL):
        _session_types = types

    ssl = Odd(p.SSL_CTX(p.TLS_client_method()))
    assert ssl.set_session(p.SSL_SESSION()) == 1
    wrong = (TypeError, IndexError, SystemError)
    with pytest.raises(wrong):
        ssl.get_session()
    address = int(ffi.cast("uintptr_t", lib.pys_session_new()))
    with pytest.raises(wrong):
        _ffi.wrapped(types, address, True)
    for bad in ((), (TYPES,), (TYPES, "x", True)):
        with pytest.raises(TypeError):
            _ffi.wrapped(*bad)  # type: ignore[call-arg]


def test_no_session_is_none() -> None:
    assert _ffi.wrapped(TYPES, 0, True) is None


def test_subclasses_are_sessions_too(ssl: Any) -> None:
    class Plain(p.SSL_SESSION):
        def __init__(self, sid: bytes) -> None:
            super().__init__()
            self.set1_id(sid)

    class Made(p.SSL_SESSION):
        def __new__(cls) -> Any:
            made.append(1)
            return super().__new__(cls)

    made: list[int] = []
    for session in (Plain(b"plain"), Made()):
        assert ssl.set_session(session) == 1
        assert session_of(ssl) == session
        assert type(session_of(ssl)) is p.SSL_SESSION
    assert made == [1]


@clause("CV-3")
def test_copies_and_pickles_of_sessions_are_refused(ssl: Any) -> None:
    session = session_of(ssl)
    for make in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            make(session)


# ---- ends ------------------------------------------------------------------


@clause("EXD-2")
def test_callbacks_hear_of_a_session_once(ssl: Any, registry: Any) -> None:
    heard: list[Any] = []
    p.SSL_SESSION_get_ex_new_index(
        0,
        None,
        lambda owner, *_: heard.append(("new", owner.get_id())),
        None,
        lambda owner, value, *_: heard.append(("free", owner.get_id(), value)),
    )
    assert registry.watched
    ssl._session_part = None
    session = session_of(ssl)
    sid = session.get_id()
    assert [session_of(ssl) for _ in range(3)] == [session] * 3
    session.set_ex_data(1, "value")
    assert heard == [("new", sid)]
    ssl._session_part = None
    del session
    gc.collect()

    assert heard == [("new", sid), ("free", sid, "value")]


@clause("EXD-2", "CV-7")
def test_what_callbacks_raise_is_raised_or_told(
    ssl: Any, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    fails = [True]

    def callback(*_: Any) -> None:
        if fails:
            raise ZeroDivisionError

    p.SSL_SESSION_get_ex_new_index(0, None, callback, None, callback)
    ssl._session_part = None
    with pytest.raises(ZeroDivisionError):
        ssl.get_session()
    gc.collect()
    assert [one.exc_type for one in told] == [ZeroDivisionError]
    told.clear()
    fails.clear()
    assert session_of(ssl).get_protocol_version() == TLS12
    assert told == []


@clause("EXD-2")
def test_part_that_its_last_callback_keeps_is_found_again(
    ssl: Any, registry: Any
) -> None:
    kept: list[Any] = []
    p.SSL_SESSION_get_ex_new_index(
        0, None, None, None, lambda owner, *_: kept.append(owner)
    )
    session = alone(ssl)
    session.set_ex_data(1, "value")
    part = id(session._shared)
    del session
    gc.collect()
    assert len(kept) == 1
    assert kept[0].get_ex_data(1) == "value"
    assert kept[0].get_id() == session_of(ssl).get_id()
    if IN_C:
        assert id(session_of(ssl)._shared) == part
    ssl._session_part = None
    del kept[:]
    gc.collect()

    assert session_of(ssl).get_protocol_version() == TLS12


@clause("CV-3")
def test_session_stored_in_itself_is_collected(ssl: Any) -> None:
    session, thing = alone(ssl), Thing()
    seen = weakref.ref(thing)
    session.set_ex_data(0, [session, thing])
    del session, thing
    gc.collect()

    assert seen() is None
    assert session_of(ssl).get_ex_data(0) is None


def test_session_that_is_found_while_it_is_collected_lives_on(
    ssl: Any,
) -> None:
    found: list[Any] = []

    class Late:
        def __del__(self) -> None:
            found.append(ssl.get_session())

    session = alone(ssl)
    sid = session.get_id()
    session.set_ex_data(0, [session, Late()])
    del session
    gc.collect()

    assert [one.get_id() for one in found] == [sid]
    if IN_C:  # weak references are gone by then
        assert found[0].get_ex_data(0)[0] == found[0]
    found[0].set_ex_data(0, None)
    assert found[0] == session_of(ssl)


def test_part_that_waits_for_its_end_is_not_found(ssl: Any) -> None:
    # Deep down objects are put aside, to be freed when all above them are.
    found: list[Any] = []

    class Asker:
        def __del__(self) -> None:
            found.append(ssl.get_session())

    sid = session_of(ssl).get_id()
    for depth in range(1, 120):
        del found[:]
        chain: Any = [alone(ssl)]
        for _ in range(depth):
            chain = [Asker(), chain]
        del chain
        gc.collect()
        assert [one.get_id() for one in found] == [sid] * depth
        assert set(found) == {session_of(ssl)}


# ---- threads, memory -------------------------------------------------------


@pytest.mark.threads
def test_threads_find_and_drop_the_parts_of_one_session(ssl: Any) -> None:
    sid = session_of(ssl).get_id()
    wrong: list[Any] = []

    def work() -> None:
        for n in range(400):
            one = ssl.get_session()
            if n % 3 == 0:
                ssl._session_part = None
            two = ssl.get1_session()
            if n % 5 == 0:
                ssl.set_session(two)
            if (one.get_id(), two.get_id()) != (sid, sid) or one != two:
                wrong.append((one, two))

    threads = [threading.Thread(target=work) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    finally:
        sys.setswitchinterval(before)

    assert wrong == []
    assert session_of(ssl).get_id() == sid


@pytest.mark.threads
def test_threads_that_ask_at_once_get_the_same_handle(ssl: Any) -> None:
    for _ in range(50):
        session = ssl.get_session().dup()
        begin = threading.Barrier(3)

        def ask(session: Any = session, begin: Any = begin) -> Any:
            begin.wait()
            return session._shared.handle

        running = [links.in_thread(ask) for _ in range(3)]
        for thread, _ in running:
            thread.join(SECONDS)
        handles = [found[0] for _, found in running]
        assert all(one is session._shared.handle for one in handles)


@needs_memory_figures
def test_sessions_leave_no_memory_behind(ssl: Any) -> None:
    kinds = (*TYPES, _ffi.Part, _ffi.Session)

    def work() -> None:
        for n in range(1000):
            session = ssl.get1_session()
            ssl.set_session(session.dup() if n % 2 else session)
            ssl.get_session().set_ex_data(0, session)
            assert session._shared.handle
            p.SSL_SESSION().set_ex_data(0, bytes(100))

    gc.collect()
    before = [sys.getrefcount(kind) for kind in kinds]

    assert growth(work) < 2**20
    gc.collect()
    after = [sys.getrefcount(kind) for kind in kinds]
    assert all(abs(x - y) < 50 for x, y in zip(before, after))
