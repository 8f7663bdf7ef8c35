"""SSL_set_bio(3): who owns the BIOs of an SSL (contract 4.1)."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable, Optional

import pytest

import pyssl as p
from tests.api import links, wire
from tests.api.bios import FILTER
from tests.clauses import clause

# A row of OWN-3: (read, write) held before, the call, what is held after.
# The BIOs that only the first pair names are to be destroyed by the call.
Held = tuple[Optional[str], Optional[str]]
Row = tuple[Held, str, tuple[Optional[str], ...], Held]

ROWS: list[Row] = [
    # The same again releases nothing.
    (("a", "b"), "set_bio", ("a", "b"), ("a", "b")),
    (("a", "a"), "set_bio", ("a", "a"), ("a", "a")),
    ((None, None), "set_bio", (None, None), (None, None)),
    # (x, y) or none, then (a, a).
    (("x", "y"), "set_bio", ("a", "a"), ("a", "a")),
    (("x", "x"), "set_bio", ("a", "a"), ("a", "a")),
    (("x", "a"), "set_bio", ("a", "a"), ("a", "a")),
    ((None, None), "set_bio", ("a", "a"), ("a", "a")),
    # (a, y), then (a, a).
    (("a", "y"), "set_bio", ("a", "a"), ("a", "a")),
    (("a", None), "set_bio", ("a", "a"), ("a", "a")),
    # None or (x, y), then (a, b).
    ((None, None), "set_bio", ("a", "b"), ("a", "b")),
    (("x", "y"), "set_bio", ("a", "b"), ("a", "b")),
    (("x", "x"), "set_bio", ("a", "b"), ("a", "b")),
    # (a, y) or (a, a), then (a, b).
    (("a", "y"), "set_bio", ("a", "b"), ("a", "b")),
    (("a", "a"), "set_bio", ("a", "b"), ("a", "b")),
    # (x, b), then (a, b).
    (("x", "b"), "set_bio", ("a", "b"), ("a", "b")),
    # (b, b), then (a, b).
    (("b", "b"), "set_bio", ("a", "b"), ("a", "b")),
    # The two exchanged.
    (("b", "a"), "set_bio", ("a", "b"), ("a", "b")),
    # One direction.
    (("x", "y"), "set0_rbio", ("a",), ("a", "y")),
    (("x", "y"), "set0_wbio", ("b",), ("x", "b")),
    (("x", "x"), "set0_rbio", ("a",), ("a", "x")),
    (("x", "x"), "set0_wbio", ("b",), ("x", "b")),
    (("a", "y"), "set0_rbio", ("a",), ("a", "y")),
    (("x", "a"), "set0_rbio", ("a",), ("a", "a")),
    ((None, None), "set0_rbio", ("a",), ("a", None)),
    ((None, None), "set0_wbio", ("b",), (None, "b")),
    (("x", "y"), "set0_rbio", (None,), (None, "y")),
    (("x", "y"), "set0_wbio", (None,), ("x", None)),
    # Nothing any more.
    (("x", "y"), "set_bio", (None, None), (None, None)),
    (("x", "x"), "set_bio", (None, None), (None, None)),
]

CALLS: dict[str, Callable[..., None]] = {
    "set_bio": p.SSL_set_bio,
    "set0_rbio": p.SSL_set0_rbio,
    "set0_wbio": p.SSL_set0_wbio,
}


def _row_id(row: Row) -> str:
    held, call, given, _ = row
    return "-".join(str(one) for one in (*held, call, *given))


def _new() -> p.SSL:
    return links.make_ends()[0]


def _bios(*names: Optional[str]) -> dict[str, links.PyBio]:
    return {name: links.PyBio() for name in names if name is not None}


class _Scene:
    """The state before and after the call of a row."""

    def __init__(self, row: Row) -> None:
        held, self.call, given, self.after = row
        self.ssl = _new()
        self.py = _bios(*held, *given)
        self.given = tuple(self._bio(name) for name in given)
        p.SSL_set_bio(self.ssl, self._bio(held[0]), self._bio(held[1]))
        # What the test does not pass again belongs to the SSL alone.
        self.mine = {name for name in given if name is not None}
        for name, py in self.py.items():
            if name not in self.mine:
                p.BIO_free(py.bio)

    def _bio(self, name: Optional[str]) -> Optional[p.BIO]:
        return None if name is None else self.py[name].bio

    def run(self) -> None:
        CALLS[self.call](self.ssl, *self.given)

    def destroyed(self) -> dict[str, int]:
        """Give how often each BIO was destroyed."""
        return {name: py.n_destroyed for name, py in self.py.items()}

    def expected(self) -> dict[str, int]:
        """Give the same as OWN-3 has it after the call."""
        kept = {*self.after, *self.mine}
        return {name: int(name not in kept) for name in self.py}

    def check_held(self) -> None:
        assert p.SSL_get_rbio(self.ssl) is self._bio(self.after[0])
        assert p.SSL_get_wbio(self.ssl) is self._bio(self.after[1])


@clause("OWN-2", "OWN-3", "OWN-4", "OWN-5", "METH-5")
@pytest.mark.parametrize("row", ROWS, ids=_row_id)
def test_set_bio_releases_what_it_replaces_at_once(row: Row) -> None:
    scene = _Scene(row)
    assert set(scene.destroyed().values()) <= {0}

    scene.run()

    assert scene.destroyed() == scene.expected()
    scene.check_held()
    # The caller's wrappers are as good as before.
    for name in scene.mine:
        assert p.BIO_write(scene.py[name].bio, b"x") == 1
        assert p.BIO_free(scene.py[name].bio) == 1
    # Now only the SSL has any.
    assert scene.destroyed() == {
        name: int(name not in scene.after) for name in scene.py
    }
    p.SSL_free(scene.ssl)
    assert scene.destroyed() == dict.fromkeys(scene.py, 1)


@clause("OWN-2", "OWN-3", "OWN-4", "METH-5")
@pytest.mark.parametrize("row", ROWS, ids=_row_id)
def test_bios_outlive_the_ssl_while_the_caller_has_them(row: Row) -> None:
    scene = _Scene(row)
    scene.run()

    p.SSL_free(scene.ssl)

    assert scene.destroyed() == {
        name: int(name not in scene.mine) for name in scene.py
    }
    for name in scene.mine:
        assert p.BIO_write(scene.py[name].bio, b"x") == 1
        assert p.BIO_free(scene.py[name].bio) == 1
    assert scene.destroyed() == dict.fromkeys(scene.py, 1)


@clause("OWN-3", "OWN-4", "CV-3")
@pytest.mark.parametrize("row", ROWS, ids=_row_id)
def test_bios_under_garbage_collection_are_destroyed_once(row: Row) -> None:
    scene = _Scene(row)
    gc.collect()
    scene.run()
    gc.collect()
    expected = scene.expected()
    assert scene.destroyed() == expected
    scene.check_held()

    # The lists of calls live on; the rest goes without any free.
    calls = {name: one.calls for name, one in scene.py.items()}
    del scene
    for _ in range(3):
        gc.collect()

    assert {
        name: sum(call == ("destroy", 0) for call in made)
        for name, made in calls.items()
    } == dict.fromkeys(calls, 1)


def _noting(gone: list[str], what: str) -> Callable[[p.BIO], int]:
    def destroy(_: p.BIO) -> int:
        gone.append(what)
        return 1

    return destroy


@clause("OWN-2")
def test_free_releases_the_whole_chain_of_each_direction() -> None:
    gone: list[str] = []

    def chain(name: str) -> p.BIO:
        found = []
        for part, kind in (("head", FILTER), ("tail", 0x400 | 200)):
            method = p.BIO_meth_new(kind, part)
            p.BIO_meth_set_destroy(method, _noting(gone, f"{name} {part}"))
            found.append(links.new_bio(method))
        assert p.BIO_push(found[0], found[1]) is found[0]
        p.BIO_free(found[1])
        return found[0]

    ssl, rbio, wbio = _new(), chain("read"), chain("write")
    p.SSL_set_bio(ssl, rbio, wbio)
    p.BIO_free(rbio)
    p.BIO_free(wbio)
    assert gone == []
    p.SSL_set0_rbio(ssl, None)
    assert gone == ["read head", "read tail"]
    p.SSL_free(ssl)
    assert gone == ["read head", "read tail", "write head", "write tail"]


@clause("OWN-2", "OWN-4")
def test_bio_given_to_two_ssls_stays_until_both_let_go() -> None:
    py, first, second = links.PyBio(), _new(), _new()
    p.SSL_set_bio(first, py.bio, py.bio)
    p.SSL_set_bio(second, py.bio, py.bio)
    p.BIO_free(py.bio)
    p.SSL_free(first)
    assert py.n_destroyed == 0
    p.SSL_free(second)
    assert py.n_destroyed == 1


@clause("OWN-4", "CV-3")
def test_set_bio_when_the_bio_was_given_up_is_a_value_error() -> None:
    ssl, py, other = _new(), links.PyBio(), links.PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    p.BIO_free(py.bio)
    tries: list[Callable[[], None]] = [
        lambda: p.SSL_set_bio(ssl, py.bio, other.bio),
        lambda: p.SSL_set_bio(ssl, other.bio, py.bio),
        lambda: p.SSL_set0_rbio(ssl, py.bio),
        lambda: p.SSL_set0_wbio(ssl, py.bio),
    ]
    for refused in tries:
        with pytest.raises(ValueError):
            refused()
        assert p.SSL_get_rbio(ssl) is py.bio
        assert p.SSL_get_wbio(ssl) is py.bio
        assert (py.n_destroyed, other.n_destroyed) == (0, 0)


@clause("OWN-3", "OWN-4")
def test_set0_when_the_other_bio_was_given_up_keeps_it() -> None:
    link = links.make_link()
    assert p.BIO_free(link.client_in) == 1
    fresh = links.mem()
    p.SSL_set0_wbio(link.client, fresh)
    assert p.SSL_get_rbio(link.client) is link.client_in
    assert p.SSL_get_wbio(link.client) is fresh

    link = links.make_link()
    assert p.BIO_free(link.client_out) == 1
    p.SSL_set0_rbio(link.client, fresh)
    assert p.SSL_get_rbio(link.client) is fresh
    assert p.SSL_get_wbio(link.client) is link.client_out


@clause("OWN-4")
@pytest.mark.parametrize("bad", [b"bytes", 3, object()])
def test_set_bio_when_given_no_bio_changes_nothing(bad: Any) -> None:
    ssl, py = _new(), links.PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    tries: list[Callable[[], None]] = [
        lambda: p.SSL_set_bio(ssl, bad, None),
        lambda: p.SSL_set_bio(ssl, None, bad),
        lambda: p.SSL_set0_rbio(ssl, bad),
        lambda: p.SSL_set0_wbio(ssl, bad),
    ]
    for refused in tries:
        with pytest.raises(TypeError):
            refused()
        assert p.SSL_get_rbio(ssl) is py.bio
        assert p.SSL_get_wbio(ssl) is py.bio


@clause("OWN-1")
def test_ssl_reads_one_bio_and_writes_the_other() -> None:
    link = links.connected(tickets=0)
    link.client_in.read(bytearray(9999))
    before = [
        (p.BIO_number_read(bio), p.BIO_number_written(bio))
        for bio in (link.client_in, link.client_out)
    ]
    assert p.SSL_write(link.client, b"ping") == 4
    assert p.BIO_number_read(link.client_in) == before[0][0]
    assert p.BIO_number_written(link.client_in) == before[0][1]
    assert p.BIO_ctrl_pending(link.client_out) == 26
    link.move()
    assert links.read(link.server) == b"ping"
    assert p.SSL_write(link.server, b"pong") == 4
    link.move()
    assert links.read(link.client) == b"pong"
    assert p.BIO_number_read(link.client_in) > before[0][0]


@clause("OWN-1")
def test_ssl_with_one_bio_for_both_directions_works() -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")
    assert link.client_py.count("read") > 0
    assert link.client_py.count("write") > 0


@clause("OWN-1", "HS-5")
def test_ssl_blocks_exactly_as_its_bio_does() -> None:
    with links.SockLink(*links.make_ends(), blocking=False) as link:
        link.established()
        buf = bytearray(9)
        got = p.SSL_read(link.server, buf)
        assert links.outcome(link.server, got) == (-1, 2)
        # The descriptor's mode is the only switch.
        link.server_sock.setblocking(True)
        reader, found = links.in_thread(lambda: p.SSL_read(link.server, buf))
        assert p.SSL_write(link.client, b"ping") == 4
        reader.join(10)
        assert found == [4]
        assert buf[:4] == b"ping"


@clause("OWN-5")
def test_get_bio_gives_the_object_that_was_set() -> None:
    ssl = _new()
    assert p.SSL_get_rbio(ssl) is None
    assert p.SSL_get_wbio(ssl) is None
    rbio, wbio = links.mem(), links.mem()
    p.SSL_set_bio(ssl, rbio, wbio)
    assert p.SSL_get_rbio(ssl) is rbio
    assert p.SSL_get_wbio(ssl) is wbio
    # Nothing was handed over: giving one up is the caller's own.
    p.SSL_get_rbio(ssl)
    assert p.BIO_free(rbio) == 1
    with pytest.raises(ValueError):
        p.BIO_free(rbio)


@clause("OWN-5")
def test_get_wbio_during_the_handshake_shows_no_other_bio() -> None:
    link = links.make_link()
    for _ in range(2):
        link.step()
        for ssl, rbio, wbio in (
            (link.client, link.client_in, link.client_out),
            (link.server, link.server_in, link.server_out),
        ):
            assert p.SSL_get_rbio(ssl) is rbio
            assert p.SSL_get_wbio(ssl) is wbio
            assert p.BIO_next(wbio) is None
    assert p.SSL_is_init_finished(link.client)


@clause("OWN-6", "HS-21")
def test_set_bio_between_handshake_calls_goes_on_over_the_new_ones() -> None:
    link = links.make_link()
    results = []
    for _ in range(2):
        for ssl in (link.client, link.server):
            results.append(links.outcome(ssl, p.SSL_do_handshake(ssl)))
            link.move()
            waiting = [links.take(link.client_in), links.take(link.server_in)]
            link.attach()
            links.put(link.client_in, waiting[0])
            links.put(link.server_in, waiting[1])
    assert results == [(-1, 2), (-1, 2), (1, 0), (1, 0)]
    link.send(link.client, b"ping")


@clause("OWN-6")
def test_set_bio_leaves_the_bytes_of_the_old_bio_where_they_are() -> None:
    link = links.connected()
    assert p.SSL_write(link.server, b"late") == 4
    link.move()
    old_in, old_out = link.client_in, link.client_out
    waiting = p.BIO_ctrl_pending(old_in)
    assert p.SSL_write(link.client, b"unsent") == 6
    unsent = p.BIO_ctrl_pending(old_out)
    link.attach()
    assert p.BIO_ctrl_pending(old_in) == waiting
    assert p.BIO_ctrl_pending(old_out) == unsent
    assert p.BIO_ctrl_pending(link.client_in) == 0
    assert p.BIO_ctrl_pending(link.client_out) == 0
    got = p.SSL_read(link.client, bytearray(9))
    assert links.outcome(link.client, got) == (-1, 2)
    # Back again, nothing is lost.
    p.SSL_set_bio(link.client, old_in, old_out)
    assert links.read(link.client) == b"late"


@clause("OWN-6", "OWN-2")
def test_set_bio_within_a_record_goes_on_over_the_new_one() -> None:
    link = links.connected()
    assert p.SSL_write(link.server, b"in two parts") == 12
    wire = links.take(link.server_out)
    links.put(link.client_in, wire[:20])
    got = p.SSL_read(link.client, bytearray(99))
    assert links.outcome(link.client, got) == (-1, 2)
    link.attach()
    links.put(link.client_in, wire[20:])
    assert links.read(link.client) == b"in two parts"


@clause("OWN-6", "HS-3")
@pytest.mark.parametrize("missing", ["both", "read", "write"])
def test_set_bio_none_leaves_an_ssl_without_bio(missing: str) -> None:
    link = links.make_link()
    rbio, wbio = link.client_in, link.client_out
    none: dict[str, Callable[[], None]] = {
        "both": lambda: p.SSL_set_bio(link.client, None, None),
        "read": lambda: p.SSL_set0_rbio(link.client, None),
        "write": lambda: p.SSL_set0_wbio(link.client, None),
    }
    none[missing]()
    for _ in range(2):
        ret = p.SSL_do_handshake(link.client)
        assert links.outcome(link.client, ret) == (-1, 1)
        assert links.reasons() == [(20, p.SSL_R_BIO_NOT_SET)]
    assert p.BIO_ctrl_pending(wbio) == 0
    p.SSL_set_bio(link.client, rbio, wbio)
    link.established()


@clause("OWN-6")
def test_set_bio_none_when_established_refuses_and_stays_usable() -> None:
    link = links.connected()
    rbio, wbio = link.client_in, link.client_out
    p.SSL_set_bio(link.client, None, None)
    for operate in (*wire.IO.values(), wire.shutdown):
        assert operate(link.client) == (-1, 1)
        assert links.reasons() == [(20, p.SSL_R_BIO_NOT_SET)]
    assert p.SSL_get_shutdown(link.client) == 0
    p.SSL_set_bio(link.client, rbio, wbio)
    link.send(link.client, b"still here")
    link.send(link.server, b"and here")


@clause("OWN-6", "HS-21", "RW-18")
def test_set_bio_within_a_write_sends_the_rest_over_the_new_one() -> None:
    link = links.connected()
    half, net = links.bio_pair(100)
    data = wire.pattern(5000)
    p.SSL_set0_wbio(link.client, half)
    assert wire.write(link.client, data) == wire.WANT_WRITE
    octets = links.take(net)
    fresh = links.mem()
    p.SSL_set0_wbio(link.client, fresh)
    assert wire.write(link.client, data) == (5000, 0)
    octets += links.take(fresh)
    assert wire.records(octets) == [(23, 5017)]
    links.put(link.server_in, octets)
    assert links.read(link.server) == data


@clause("OWN-7")
def test_set_bio_leaves_the_error_queue_alone() -> None:
    ssl, py = _new(), links.PyBio()
    mem = links.mem()
    for stale in (False, True):
        if stale:
            assert p.BIO_write(links.new_bio(p.BIO_s_bio()), b"x") == -1
        before = p.ERR_peek_error()
        assert bool(before) is stale
        calls: list[Callable[[], object]] = [
            lambda: p.SSL_set_bio(ssl, py.bio, mem),
            lambda: p.SSL_set_bio(ssl, py.bio, mem),
            lambda: p.SSL_set0_rbio(ssl, mem),
            lambda: p.SSL_set0_wbio(ssl, py.bio),
            lambda: p.SSL_set0_wbio(ssl, None),
            lambda: p.SSL_set_bio(ssl, None, None),
        ]
        for call in calls:
            assert call() is None
            p.SSL_get_rbio(ssl)
            p.SSL_get_wbio(ssl)
            assert p.ERR_peek_error() == before
    assert links.reasons() == [(32, 120)]


@clause("OWN-4", "CV-3")
def test_ssl_and_bio_in_a_circle_are_collected() -> None:
    ssl, py = _new(), links.PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    p.BIO_set_data(py.bio, ssl)
    calls, gone = py.calls, weakref.ref(ssl)
    del ssl, py
    for _ in range(3):
        gc.collect()
    assert gone() is None
    assert calls.count(("destroy", 0)) == 1
