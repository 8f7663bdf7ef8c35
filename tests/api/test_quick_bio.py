"""BIO and BIO_METHOD on their types in C (csrc/quick), and on the stand-in."""

from __future__ import annotations

import inspect
import sys
import threading
from typing import Any

import pytest

import pyssl as p
from pyssl import _ffi
from tests.api.alone import alone, counts_memory, grows
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
        *(
            "_collected",
            "_free",
            "_make",
            "_make_bio_pair",
            "_pending",
            "_read",
            "_write",
        ),
        *("_usable_inside", "__static_attributes__", "__firstlineno__"),
        *("__annotate_func__", "__annotations_cache__"),
    }
    assert inspect.getdoc(mine) == inspect.getdoc(theirs)
    calls = ["read", "write", "pending", "free", "make_bio_pair"]
    for call in calls if name == "Bio" else ():
        quick, other = getattr(mine, call), getattr(theirs, call)
        assert inspect.getdoc(quick) == inspect.getdoc(other)
        assert list(inspect.signature(quick).parameters) == list(
            inspect.signature(other).parameters
        )


@needs_c
@pytest.mark.skipif(
    sys.version_info < (3, 10), reason="Python 3.9 forgets it of types in C"
)
def test_a_bio_says_what_it_is_made_of() -> None:
    assert list(inspect.signature(p.BIO).parameters) == ["method"]


def test_a_bio_is_made_of_a_type() -> None:
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


# ---- read, write, pending, free --------------------------------------------


def pair() -> tuple[Any, Any]:
    one, other = p.BIO_new_bio_pair(70_000, 70_000)
    return one, other


def mem() -> tuple[Any, Any]:
    bio = p.BIO(p.BIO_s_mem())
    return bio, bio


KINDS = [pytest.param(mem, id="mem"), pytest.param(pair, id="pair")]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("size", [1, 100, 32768, 32769, 65_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_all_sizes_come_out_as_they_went_in(
    make: Any, size: int, kind: Any
) -> None:
    here, there = make()
    data = bytes(i % 251 for i in range(size))
    for n in (None, size):
        assert here.write(data=kind(data), n=n) == size
        assert there.pending() == size
        buf = bytearray(size + 5)
        into = memoryview(buf) if kind is memoryview else buf
        assert there.read(buf=into, n=n) == size
        assert buf == data + bytes(5)
        assert there.pending() == 0
    assert here.number_written() == there.number_read() == 2 * size


@needs_c
@pytest.mark.parametrize("make", KINDS)
def test_usual_calls_are_not_left_to_python(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = make()
    for name in ("_read", "_write", "_pending", "_owned"):
        monkeypatch.setattr(p.BIO, name, None)
    for form in (bytes, bytearray, memoryview):
        assert p.BIO_write(here, form(b"data"), 3) == 3
        assert p.BIO_pending(there) == p.BIO_ctrl_pending(there) == 3
        assert p.BIO_read(there, bytearray(9)) == 3
        assert p.BIO_read(there, bytearray(9)) == -1


@clause("PAIR-4")
def test_halves_are_tied_once_and_to_halves_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two, three = (p.BIO(p.BIO_s_bio()) for _ in range(3))
    if type(p.BIO.make_bio_pair) is not type(lambda: None):
        monkeypatch.setattr(p.BIO, "_make_bio_pair", None)
    assert one.make_bio_pair(one) == 0
    assert p.ERR_GET_REASON(p.ERR_get_error()) == 125
    assert one.make_bio_pair(other=two) == 1
    assert one._views is two._views == []
    for first, second in ((one, three), (three, two)):
        assert first.make_bio_pair(second) == 0
        assert p.ERR_GET_REASON(p.ERR_get_error()) == 123
    monkeypatch.undo()
    assert two.destroy_bio_pair() == 1
    assert two.make_bio_pair(three) == 1
    assert three.write(b"abc") == 3
    n, view = two.nread0()
    assert n == 3
    assert view is not None
    assert two.make_bio_pair(three) == 0
    bad: Any
    for bad in (None, 1, p.BIO_s_bio(), p.BIO):
        with pytest.raises(TypeError):
            one.make_bio_pair(bad)
    assert one.make_bio_pair(p.BIO(p.BIO_s_mem())) == 0
    assert p.BIO(p.BIO_s_mem()).make_bio_pair(one) == 0
    three.free()
    with pytest.raises(ValueError, match="freed"):
        one.make_bio_pair(three)
    with pytest.raises(ValueError, match="freed"):
        three.make_bio_pair(one)


@pytest.mark.parametrize("make", KINDS)
def test_unusual_calls_say_what_python_says(make: Any) -> None:
    here, there = make()
    assert here.write(b"abcdef") == 6
    for n in (0, -1, -(1 << 70)):
        assert there.read(bytearray(4), n) == here.write(b"x", n) == 0
    for n in (5, 1 << 70):
        with pytest.raises(ValueError, match="4 bytes"):
            there.read(bytearray(4), n)
        with pytest.raises(ValueError, match="4 bytes"):
            here.write(b"1234", n)
    for bad in (None, 1, "text", memoryview(b"12345")[::2]):
        with pytest.raises((TypeError, BufferError)):
            there.read(bad)
        with pytest.raises(TypeError):
            here.write(bad)
    for call in (
        there.read,
        lambda: there.read(bytearray(1), 1.0),
        lambda: there.read(bytearray(1), size=1),
        lambda: there.read(b"bytes"),
        lambda: here.write(b"x", 1, 1),
        lambda: there.pending(1),
        lambda: there.free(1),
    ):
        with pytest.raises(TypeError):
            call()
    assert there.read(bytearray(4), True) == 1
    assert there.pending() == 5


@pytest.mark.parametrize("name", ["read", "write", "pending", "free"])
@pytest.mark.parametrize("bad", [None, 1, object(), p.BIO_s_mem()])
def test_methods_of_a_bio_take_no_other_object(name: str, bad: Any) -> None:
    arguments = [bytearray(1)] if name in {"read", "write"} else []
    with pytest.raises((TypeError, AttributeError)):
        getattr(p.BIO, name)(bad, *arguments)


@clause("MEM-5")
def test_reasons_of_quick_calls_are_in_the_queue() -> None:
    view = p.BIO_new_mem_buf(b"abc")
    assert view is not None
    p.ERR_clear_error()
    assert view.write(b"x") == -1
    assert p.ERR_GET_REASON(p.ERR_get_error()) == 126
    assert view.read(bytearray(9)) == 3
    assert view.read(bytearray(9)) == 0
    assert p.ERR_get_error() == 0
    here, there = pair()
    there.shutdown_wr()
    here.destroy_bio_pair()
    assert here.write(b"x") == -1
    assert p.ERR_get_error() != 0
    view.free()
    for call in (
        lambda: view.read(bytearray(1)),
        lambda: view.write(b"x"),
        view.pending,
        view.free,
    ):
        with pytest.raises(ValueError, match="freed"):
            call()


@clause("PAIR-14")
def test_quick_calls_of_a_pair_make_its_views_invalid() -> None:
    here, there = pair()
    here.write(b"abc")
    for call in (
        lambda: there.read(bytearray(1)),
        lambda: there.write(b"x"),
        there.free,
    ):
        n, view = there.nread0()
        assert n > 0
        assert there.pending() == n
        assert bytes(view[:1]) in {b"a", b"b"}
        assert call() == 1
        with pytest.raises(ValueError, match="released"):
            bytes(view)


@clause("BIO-1", "BIO-2")
def test_the_end_of_a_bio_lets_go_of_what_it_kept() -> None:
    data = bytearray(b"abc")
    bio: Any = p.BIO_new_mem_buf(data)
    bio.up_ref()
    assert bio.free() == 1
    with pytest.raises(BufferError):
        data.append(1)
    assert bio.free() == 1
    data.append(1)
    assert bio._c is None


# ---- the end ---------------------------------------------------------------


@clause("BIO-3", "EXD-2")
def test_ends_are_heard_of_by_who_wants_to_hear() -> None:
    out = alone("""
import gc, pyssl as p
early = p.BIO(p.BIO_s_mem())
said = []
index = p.BIO.get_ex_new_index(
    new_func=lambda owner, *rest: said.append(("new", owner)),
    free_func=lambda owner, value, *rest: said.append(("free", value)),
)
late = p.BIO(p.BIO_s_bio())
other = p.BIO_new(p.BIO_s_mem())
assert said == [("new", late), ("new", other)], said
late.set_ex_data(index, 1)
early.set_ex_data(index, 2)
other.set_ex_data(index, 3)
said.clear()
del late
gc.collect()
assert said == [("free", 1)], said
del early
gc.collect()
assert other.free() == 1
assert said == [("free", 1), ("free", 2), ("free", 3)], said
print("told")
""")
    assert out == "told\n"


@clause("BIO-3")
def test_end_of_a_bio_in_use_keeps_the_rest_of_the_world_as_it_was() -> None:
    out = alone("""
import gc, sys, weakref, pyssl as p
heard = []
sys.unraisablehook = lambda what: heard.append(type(what.exc_value))

def angry(*arguments):
    raise LookupError("no")

bio = p.BIO(p.BIO_s_mem())
bio.set_callback_ex(angry)
try:
    try:
        raise KeyError("mine")
    finally:
        del bio
except KeyError:
    pass
assert heard == [LookupError], heard

# A chain: the head's end lets go of the rest.
head, tail = p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem())
head.push(tail)
gone = weakref.ref(head)
del head
assert gone() is None
assert tail._prev is None and tail._holds == 0
assert tail.write(b"x") == 1

# What the collector finds with an SSL goes, and nothing dangles.
for kind in p.BIO_s_mem, p.BIO_s_bio:
    for free in True, False:
        ssl = p.SSL(p.SSL_CTX(p.TLS_client_method()))
        ssl.set_connect_state()
        rbio, wbio = p.BIO(kind()), p.BIO(p.BIO_s_mem())
        ssl.set_bio(rbio, wbio)
        rbio.set_data((ssl, wbio))
        wbio.set_data(wbio)
        assert ssl.do_handshake() == -1
        if free:
            rbio.free()
        gone = [weakref.ref(one) for one in (ssl, rbio, wbio)]
        del ssl, rbio, wbio
        gc.collect()
        assert not any(one() for one in gone), (kind, free)

# One that comes back is as one that was freed.
class Back:
    def __init__(self, bio):
        self.bio = bio
        bio.set_data(self)

    def __del__(self):
        kept.append(self.bio)

kept = []
Back(p.BIO(p.BIO_s_mem()))
gc.collect()
[back] = kept
try:
    back.write(b"x")
except ValueError:
    print("freed")
del back, kept[:]
gc.collect()
""")
    assert out == "freed\n"


def test_heirs_may_have_arguments_and_an_end_of_their_own() -> None:
    out = alone("""
import gc, pyssl as p
said = []

class Named(p.BIO):
    def __init__(self, name, method):
        super().__init__(method)
        self.name = name

    def __del__(self):
        said.append(self.name)
        super().__del__()

class Other(p.BIO):
    def __new__(cls, method):
        return super().__new__(cls, method)

    def read(self, buf, n=None):
        return 7

    def free(self):
        said.append("free")
        return super().free()

one, two = Named("one", p.BIO_s_mem()), Other(p.BIO_s_mem())
assert one.write(b"abc") == two.write(b"abc") == 3
assert two.read(bytearray(9)) == 7
assert p.BIO_read(one, bytearray(9)) == 3
ssl = p.SSL(p.SSL_CTX(p.TLS_client_method()))
ssl.set_bio(one, two)
assert ssl.get_rbio() is one and ssl.get_wbio() is two
assert one._holds == two._holds == 1
ssl.free()
assert one._holds == two._holds == 0
two.free()
del one, two
gc.collect()
assert said == ["free", "one"], said
print("said")
""")
    assert out == "said\n"


@clause("BIO-2")
def test_threads_count_without_losing_one() -> None:
    bio: Any = p.BIO(p.BIO_s_mem())
    ctx = p.SSL_CTX(p.TLS_client_method())
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work() -> None:
        for _ in range(300):
            bio.up_ref()
            ssl = p.SSL(ctx)
            ssl.set_bio(bio, bio)
            bio._hold()
            bio._release()
            ssl.free()
            bio.free()

    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(before)
    assert (bio._refs, bio._holds) == (1, 0)
    assert bio.free() == 1


@counts_memory
def test_many_bios_leave_nothing_behind() -> None:
    assert not grows("""
import pyssl as p
def live(n):
    for i in range(n):
        bio = p.BIO(p.BIO_s_mem())
        bio.write(bytes(300))
        if i % 2:
            bio._c
        if i % 3 == 0:
            bio.free()
        if i % 5 == 0:
            bio = p.BIO_new_bio_pair()
            bio[0].write(b"x")
        if i % 7 == 0:
            bio = p.BIO(p.BIO_s_mem())
            bio.set_data(bio)
        view = p.BIO_new_mem_buf(bytes(300))
        view.read(bytearray(5))
""")


@clause("CV-8")
def test_threads_that_free_a_bio_that_others_take_crash_nothing() -> None:
    out = alone("""
import random, sys, threading
import pyssl as p
sys.setswitchinterval(1e-6)
ctx = p.SSL_CTX(p.TLS_client_method())

def some(r):
    return r.choice([
        lambda: p.BIO(p.BIO_s_mem()),
        lambda: p.BIO_new_bio_pair()[0],
        lambda: p.BIO_new_mem_buf(bytearray(70_000)),
    ])()

pool = [some(random) for _ in range(3)]
said = set()

def work(seed):
    r = random.Random(seed)
    ssl = p.SSL(ctx)
    ssl.set_connect_state()
    for _ in range(1500):
        i, other = r.randrange(3), pool[r.randrange(3)]
        bio = pool[i]
        try:
            r.choice([
                bio.free,
                bio.up_ref,
                lambda: pool.__setitem__(i, some(r)),
                lambda: bio.write(bytes(r.choice((1, 40_000)))),
                lambda: bio.read(bytearray(r.choice((1, 70_000)))),
                lambda: ssl.set_bio(bio, other),
                ssl.do_handshake,
                ssl.clear,
                lambda: bio.make_bio_pair(other),
                lambda: bio.set_callback_ex(lambda *a: a[6]),
            ])()
        except ValueError as e:
            said.add(str(e))
        p.ERR_clear_error()

threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*said)
""")
    assert out == "this BIO was freed\n"


@clause("CV-8")
def test_threads_that_set_callbacks_at_once_get_one_mirror() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            bio: Any = p.BIO(p.BIO_s_mem())
            begin = threading.Barrier(3)
            found: list[Any] = []

            def work(
                bio: Any = bio, begin: Any = begin, found: Any = found
            ) -> None:
                begin.wait()
                bio.set_callback_ex(lambda *a: a[6])
                found.append(bio._native())

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert len(found) == 3
            assert all(one is found[0] for one in found)
            assert bio._epoch == 1
    finally:
        sys.setswitchinterval(before)


@needs_c
def test_ends_in_one_garbage_find_the_bios_as_they_were() -> None:
    out = alone("""
import gc
import pyssl as p
ctx = p.SSL_CTX(p.TLS_client_method())
done = []

class User:
    def __del__(self):
        for call in (
            self.ssl.do_handshake,
            lambda: self.ssl.read(bytearray(9)),
            lambda: self.rbio.read(bytearray(9)),
            lambda: self.wbio.write(b"x"),
        ):
            try:
                done.append(call())
            except ValueError as e:
                done.append(str(e))

def make(k):
    user = User()
    user.wbio = p.BIO(p.BIO_s_mem())
    user.ssl = p.SSL(ctx)
    user.rbio = p.BIO(p.BIO_s_mem())
    user.ssl.set_connect_state()
    user.ssl.set_bio(user.rbio, user.wbio)
    if k & 1:
        user.rbio._c, user.wbio._c
    if k & 2:
        user.ssl._conn
    if k & 4:
        user.rbio.set_callback_ex(lambda *a: a[6])
    assert user.ssl.do_handshake() == -1
    for one in (user.rbio, user.wbio):
        one.set_data(user)
    user.ssl.set_ex_data(0, user)

for k in range(80):
    make(k)
gc.collect()
assert len(done) == 4 * 80, len(done)
print("all")
""")
    assert out == "all\n"


@clause("MEM-8")
def test_a_buffer_stays_until_the_last_reader_is_done() -> None:
    data = bytearray(b"abc")
    bio: Any = p.BIO_new_mem_buf(data)
    reader = bio._c  # what a read of another thread holds
    bio.free()
    with pytest.raises(BufferError):
        data.append(1)
    del reader
    data.append(1)
