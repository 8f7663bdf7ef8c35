"""A server's sessions by id, and the tickets already used."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Optional

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from pyssl._ffi import ffi, lib, own
from tests.clauses import clause
from tests.session.core import (
    adopt,
    growth,
    needs_memory_figures,
    octets,
    refs,
    session,
)

NOW_MS, WINDOW = 1_800_000_000_000, 10_000


class Cache:
    """The core's cache, with sessions that free themselves."""

    def __init__(self, size: Optional[int] = None) -> None:
        """Make one, with the default size or this one."""
        self.c = own(lib.pys_cache_new(), lib.pys_cache_free)
        if size is not None:
            lib.pys_cache_set_size(self.c, size)

    def __len__(self) -> int:
        return int(lib.pys_cache_count(self.c))

    def add(self, made: Any) -> tuple[bool, Any]:
        """Add a session: whether it went in, and what had to go."""
        dropped = ffi.new("pys_session **")
        done = bool(lib.pys_cache_add(self.c, made, dropped))
        return done, adopt(dropped[0])

    def find(self, id: bytes) -> Any:
        """Look an id up."""
        return adopt(lib.pys_test_cache_find(self.c, id, len(id)))

    def remove(self, made: Any) -> Any:
        """Take a session out."""
        return adopt(lib.pys_cache_remove(self.c, made))

    def excess(self) -> Iterator[Any]:
        """Take out what is too much."""
        while (gone := adopt(lib.pys_cache_excess(self.c))) is not None:
            yield gone

    def expire(self, now: int) -> list[Any]:
        """Take out all that have expired."""
        gone = []
        while (one := adopt(lib.pys_cache_expire(self.c, now))) is not None:
            gone.append(one)
        return gone

    def first(
        self,
        id: bytes,
        now: int = NOW_MS,
        window: int = WINDOW,
        life: int = 0,
    ) -> bool:
        """Ask whether an id is used for the first time."""
        assert len(id) == 32
        return bool(lib.pys_cache_first_use(self.c, id, now, window, life))


def entry(n: int, **wish: Any) -> Any:
    """Make a session with an id of its own."""
    return session(id=name(n), version=0x0303, suite=0xC02C, **wish)


def name(n: int) -> bytes:
    return hashlib.sha256(str(n).encode()).digest()


# ---- in and out -------------------------------------------------------------


@clause("SESS-14")
def test_cache_finds_what_was_added_by_its_id() -> None:
    cache = Cache()
    made = entry(1)

    assert cache.add(made) == (True, None)
    found = cache.find(name(1))

    assert found == made
    assert refs(made) == 3  # ours, the cache's, the one found
    assert len(cache) == 1


@clause("SESS-14")
def test_cache_takes_the_same_object_once() -> None:
    cache = Cache()
    made = entry(1)

    assert cache.add(made) == (True, None)
    assert cache.add(made) == (False, None)
    assert (len(cache), refs(made)) == (1, 2)


@clause("SESS-14")
def test_cache_removes_once_and_gives_its_reference_back() -> None:
    cache = Cache()
    made = entry(1)
    cache.add(made)

    assert cache.remove(made) == made
    assert cache.remove(made) is None
    assert cache.find(name(1)) is None
    assert (len(cache), refs(made)) == (0, 1)


def test_cache_replaces_a_session_of_the_same_id() -> None:
    cache = Cache()
    first, second = entry(1), entry(1)
    cache.add(first)

    assert cache.add(second) == (True, first)
    assert cache.find(name(1)) == second
    assert len(cache) == 1


def test_cache_removes_by_id_what_another_object_names() -> None:
    cache = Cache()
    first, second = entry(1), entry(1)
    cache.add(first)

    assert cache.remove(second) == first
    assert len(cache) == 0


@pytest.mark.parametrize("id", [b"", b"i" * 31, b"i" * 33, b"i" * 64])
def test_cache_does_not_find_an_id_of_another_length(id: bytes) -> None:
    cache = Cache()
    cache.add(session(id=b"i" * 32))
    cache.add(session())

    assert cache.find(id) is None
    assert cache.find(b"i" * 32) is not None


def test_cache_tells_ids_with_zeros_at_the_end_apart() -> None:
    cache = Cache()
    made = [session(id=b"\1" + bytes(n)) for n in range(32)]
    for one in made:
        assert cache.add(one) == (True, None)

    assert [cache.find(octets(one, "ID")) for one in made] == made


def test_cache_keeps_sessions_without_an_id_apart() -> None:
    cache = Cache()
    made = [session() for _ in range(100)]
    for one in made:
        assert cache.add(one) == (True, None)

    assert cache.add(made[0]) == (False, None)
    assert cache.remove(made[50]) == made[50]
    assert cache.remove(made[50]) is None
    assert len(cache) == 99


def test_cache_freed_gives_up_its_sessions() -> None:
    cache = Cache(0)
    made = [entry(n) for n in range(500)]
    for one in made:
        cache.add(one)
    second = own(lib.pys_cache_up_ref(cache.c), lib.pys_cache_free)
    del cache

    assert {refs(one) for one in made} == {2}
    del second
    assert {refs(one) for one in made} == {1}
    assert lib.pys_cache_up_ref(ffi.NULL) == ffi.NULL
    lib.pys_cache_free(ffi.NULL)


# ---- the bound --------------------------------------------------------------


@clause("SESS-13")
def test_cache_has_the_size_of_the_page_until_set() -> None:
    cache = Cache()

    assert lib.pys_cache_size(cache.c) == 20480
    lib.pys_cache_set_size(cache.c, 7)
    assert lib.pys_cache_size(cache.c) == 7


@clause("SESS-13")
def test_cache_when_full_drops_the_least_lately_used() -> None:
    cache = Cache(3)
    made = [entry(n) for n in range(6)]
    for one in made[:3]:
        assert cache.add(one) == (True, None)

    assert cache.find(name(0)) == made[0]
    assert cache.add(made[3]) == (True, made[1])
    assert cache.add(made[4]) == (True, made[2])
    assert cache.add(made[5]) == (True, made[0])
    assert len(cache) == 3


def test_cache_made_smaller_gives_up_the_rest_when_asked() -> None:
    cache = Cache()
    made = [entry(n) for n in range(10)]
    for one in made:
        cache.add(one)
    lib.pys_cache_set_size(cache.c, 4)

    assert len(cache) == 10
    assert list(cache.excess()) == made[:6]
    assert len(cache) == 4
    lib.pys_cache_set_size(cache.c, 0)
    assert list(cache.excess()) == []


def test_cache_without_a_bound_keeps_and_finds_everything() -> None:
    cache = Cache(0)
    made = [entry(n) for n in range(30_000)]
    for one in made:
        assert cache.add(one) == (True, None)

    assert len(cache) == len(made)
    for n, one in enumerate(made):
        assert cache.find(name(n)) == one
    for one in made[::2]:
        assert cache.remove(one) == one
    for n, one in enumerate(made):
        assert cache.find(name(n)) == (one if n % 2 else None)
    assert len(cache.expire(0)) == len(made) // 2


# ---- time -------------------------------------------------------------------


@clause("SESS-14", "SESS-6")
def test_cache_expires_what_is_over_and_nothing_else() -> None:
    cache = Cache()
    made = [entry(n, time=1000, timeout=100 + n % 3) for n in range(300)]
    for one in made:
        cache.add(one)

    assert cache.expire(1099) == []
    assert cache.expire(900) == []
    assert set(cache.expire(1100)) == set(made[0::3])
    assert cache.expire(1100) == []
    assert set(cache.expire(1102)) == set(made[1::3] + made[2::3])
    assert len(cache) == 0


@clause("SESS-14")
def test_cache_expires_by_the_time_that_a_session_has_now() -> None:
    cache = Cache()
    made = entry(1, time=1000, timeout=100)
    cache.add(made)

    lib.pys_session_set_number(made, lib.PYS_SESSION_TIME, 500)
    assert cache.expire(1050) == [made]


@clause("SESS-14")
def test_cache_expires_all_at_time_0() -> None:
    cache = Cache()
    forever = (2**63 - 1) // 2000
    made = [entry(n, time=2_000_000_000, timeout=forever) for n in range(1000)]
    for one in made:
        cache.add(one)

    assert cache.expire(-1) == []
    assert set(cache.expire(0)) == set(made)
    assert len(cache) == 0


def test_cache_expires_those_before_the_place_of_the_last_find() -> None:
    cache = Cache()
    made = [entry(n, time=1000, timeout=100) for n in range(200)]
    for one in made:
        cache.add(one)
    first = [adopt(lib.pys_cache_expire(cache.c, 2000)) for _ in range(150)]
    late = [entry(1000 + n, time=1000, timeout=100) for n in range(200)]
    for one in late:
        cache.add(one)

    gone = cache.expire(2000)

    assert {*first, *gone} == {*made, *late}
    assert len(gone) == 250


# ---- as a model -------------------------------------------------------------


class CacheModel(RuleBasedStateMachine):
    """Any calls in any order, against an ordered dictionary."""

    def __init__(self) -> None:
        """Begin with an empty small cache."""
        super().__init__()
        self.size = 8
        self.cache = Cache(self.size)
        self.model: OrderedDict[bytes, Any] = OrderedDict()
        self.made: list[Any] = []

    @rule(n=st.integers(0, 200), timeout=st.integers(0, 9))
    def make_and_add(self, n: int, timeout: int) -> None:
        one = entry(n, time=100, timeout=timeout)
        self.made.append(one)
        wanted = self.model.pop(name(n), None)
        self.model[name(n)] = one
        if wanted is None and self.size and len(self.model) > self.size:
            _, wanted = self.model.popitem(last=False)
        assert self.cache.add(one) == (True, wanted)

    @rule(n=st.integers(0, 200), count=st.integers(1, 150))
    def add_many(self, n: int, count: int) -> None:
        for i in range(n, n + count):
            self.make_and_add(i % 201, i % 10)

    @rule(n=st.integers(0, 200))
    def find(self, n: int) -> None:
        wanted = self.model.get(name(n))
        assert self.cache.find(name(n)) == wanted
        if wanted is not None:
            self.model.move_to_end(name(n))

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def add_again_or_remove(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.made))
        id = octets(one, "ID")
        if self.model.get(id) == one:
            assert self.cache.add(one) == (False, None)
        assert self.cache.remove(one) == self.model.pop(id, None)

    @rule(now=st.integers(99, 110))
    def expire(self, now: int) -> None:
        timeout = lib.PYS_SESSION_LIFE
        over = {
            id: one
            for id, one in self.model.items()
            if now >= 100 and lib.pys_session_number(one, timeout) <= now - 100
        }
        assert set(self.cache.expire(now)) == set(over.values())
        for id in over:
            del self.model[id]

    @rule(size=st.sampled_from([0, 1, 8, 100]))
    def resize(self, size: int) -> None:
        self.size = size
        lib.pys_cache_set_size(self.cache.c, size)
        gone = []
        while size and len(self.model) > size:
            gone.append(self.model.popitem(last=False)[1])
        assert list(self.cache.excess()) == gone

    @invariant()
    def counts(self) -> None:
        assert len(self.cache) == len(self.model)

    def teardown(self) -> None:
        del self.cache
        self.model.clear()
        assert {refs(one) for one in self.made} <= {1}


CacheModel.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestCacheModel = CacheModel.TestCase


# ---- shortage ---------------------------------------------------------------


def test_cache_without_memory_takes_nothing_in() -> None:
    cache = Cache()
    made = entry(1)

    lib.pys_test_fail_alloc(1)
    assert cache.add(made) == (False, None)
    assert (len(cache), refs(made)) == (0, 1)
    assert cache.add(made) == (True, None)
    lib.pys_test_fail_alloc(1)
    assert lib.pys_cache_new() == ffi.NULL


def test_cache_that_gets_no_memory_to_grow_works_on() -> None:
    cache = Cache(0)
    made = [entry(n) for n in range(2000)]
    for n, one in enumerate(made):
        # The second allocation of a call is the one for buckets.
        lib.pys_test_fail_alloc(2)
        assert cache.add(one) == (True, None), n
    lib.pys_test_fail_alloc(0)

    assert [cache.find(name(n)) for n in range(2000)] == made
    assert cache.add(entry(5000)) == (True, None)  # grows now
    assert [cache.find(name(n)) for n in range(2000)] == made
    assert len(cache.expire(0)) == 2001


@needs_memory_figures
def test_cache_used_many_times_leaves_no_memory_behind() -> None:
    cache = Cache(100)
    made = [entry(n, time=1000) for n in range(150)]

    def work() -> None:
        for _ in range(60):
            for n, one in enumerate(made):
                cache.add(one)
                cache.add(one)
                cache.find(name(n))
                cache.first(name(n))
            cache.remove(made[-1])
            cache.expire(2000)

    assert growth(work) < 2**20


# ---- anti-replay ------------------------------------------------------------


@clause("RFC 8446 8.1")
def test_replay_is_told_from_the_first_use_within_the_window() -> None:
    cache = Cache()

    assert cache.first(name(1))
    assert not cache.first(name(1))
    assert cache.first(name(2))
    assert not cache.first(name(1), NOW_MS + WINDOW - 1)
    assert cache.first(name(1), NOW_MS + WINDOW)
    assert not cache.first(name(1), NOW_MS + WINDOW)


def test_replay_is_told_by_every_byte() -> None:
    cache = Cache()

    assert cache.first(bytes(32))
    for place in range(32):
        for bit in range(8):
            id = bytearray(32)
            id[place] = 1 << bit
            assert cache.first(bytes(id))
            assert not cache.first(bytes(id))


def test_replay_is_still_told_when_the_clock_is_set_back() -> None:
    cache = Cache()

    assert cache.first(name(1))
    assert not cache.first(name(1), NOW_MS - 1_000_000)
    assert not cache.first(name(1), 0)


@pytest.mark.parametrize(
    ("now", "window"), [(NOW_MS, 0), (NOW_MS, -1), (-1, WINDOW)]
)
def test_replay_without_window_or_clock_is_never_a_first_use(
    now: int, window: int
) -> None:
    assert not Cache().first(name(1), now, window)


def test_replay_with_a_window_without_end_is_remembered() -> None:
    cache = Cache()

    assert cache.first(name(1), NOW_MS, 2**63 - 1)
    assert not cache.first(name(1), 2**62)


@clause("RFC 8446 8.1", "ED-7")
def test_replay_is_told_for_a_whole_life_while_there_is_room() -> None:
    cache = Cache()
    life = 100 * WINDOW

    assert cache.first(name(1), life=life)
    assert not cache.first(name(1), NOW_MS + life - 1)
    assert cache.first(name(1), NOW_MS + life)


@clause("RFC 8446 8.1", "ED-7")
def test_replay_table_when_full_gives_up_what_is_past_its_window() -> None:
    cache = Cache()
    life = 100 * WINDOW
    for n in range(70_000):
        cache.first(name(n), life=life)

    later = NOW_MS + WINDOW
    assert all(cache.first(name(n), later) for n in range(70_000, 90_000))
    late = range(55_000, 60_000)  # the oldest give way first
    known = sum(not cache.first(name(n), later) for n in late)
    assert known > 0


@clause("RFC 8446 8.2")
def test_cache_covers_what_was_made_since_or_a_window_has_passed() -> None:
    lib.pys_test_set_now(NOW_MS)
    cache = Cache()
    covers = lib.pys_cache_covers

    assert covers(cache.c, NOW_MS, NOW_MS, WINDOW)
    assert covers(cache.c, NOW_MS + 5, NOW_MS + 5, WINDOW)
    assert not covers(cache.c, NOW_MS - 1, NOW_MS, WINDOW)
    assert not covers(cache.c, 0, NOW_MS + WINDOW, WINDOW)
    assert covers(cache.c, 0, NOW_MS + WINDOW + 1, WINDOW)


@clause("RFC 8446 8.1")
def test_replay_table_when_full_refuses_and_forgets_nothing() -> None:
    cache = Cache()
    taken = []
    refused = 0
    for n in range(70_000):
        id = name(n)
        if cache.first(id):
            taken.append(id)
        else:
            refused += 1
            if refused == 1:
                assert n > 40_000

    assert 60_000 < len(taken) <= 65_536
    assert refused == 70_000 - len(taken)
    assert not any(cache.first(id) for id in taken)
    later = NOW_MS + WINDOW
    assert all(cache.first(name(n), later) for n in range(30_000))


def test_replay_table_without_memory_says_no() -> None:
    cache = Cache()

    lib.pys_test_fail_alloc(1)
    assert not cache.first(name(1))
    assert cache.first(name(1))


# ---- threads ----------------------------------------------------------------


def run(*targets: Any) -> None:
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.threads
def test_cache_shared_by_threads_loses_no_reference() -> None:
    cache = Cache(200)
    made = [entry(n, time=1000, timeout=n % 5) for n in range(600)]
    wrong: list[Any] = []

    def work(start: int) -> None:
        for i in range(2000):
            n = (start + 7 * i) % 600
            cache.add(made[n])
            found = cache.find(name(n))
            if found is not None and found != made[n]:
                wrong.append(found)
            if i % 5 == 0:
                cache.remove(made[(n + 300) % 600])
            if i % 100 == 0:
                cache.expire(1000 + i % 5)

    run(*(lambda start=start: work(start) for start in (0, 150, 450)))

    assert wrong == []
    assert 0 < len(cache) <= 200
    cache.expire(0)
    assert len(cache) == 0
    assert {refs(one) for one in made} == {1}


@pytest.mark.threads
def test_replay_is_a_first_use_for_one_thread_alone() -> None:
    cache = Cache()
    won: list[list[int]] = [[], [], []]

    def work(mine: list[int]) -> None:
        mine.extend(n for n in range(2000) if cache.first(name(n)))

    run(*(lambda mine=mine: work(mine) for mine in won))

    assert sorted(n for mine in won for n in mine) == [*range(2000)]
