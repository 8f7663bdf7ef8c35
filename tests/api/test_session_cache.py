"""The cache of sessions, its callbacks and counters: contract 6.9."""

from __future__ import annotations

import gc
import time
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import MemLink, outcome, put, reasons, take
from tests.api.sessions import (
    TLS12,
    TLS13,
    VERSIONS,
    close,
    contexts,
    link_of,
    reads_nothing,
    visit,
)
from tests.clauses import clause

BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
Pair = tuple[p.SSL_CTX, p.SSL_CTX]

OFF, CLIENT, SERVER, BOTH_SIDES = (
    p.SSL_SESS_CACHE_OFF,
    p.SSL_SESS_CACHE_CLIENT,
    p.SSL_SESS_CACHE_SERVER,
    p.SSL_SESS_CACHE_BOTH,
)
NO_LOOKUP = p.SSL_SESS_CACHE_NO_INTERNAL_LOOKUP
NO_STORE = p.SSL_SESS_CACHE_NO_INTERNAL_STORE


def by_id(version: int = TLS12) -> Pair:
    """Make contexts whose server gives ids, not tickets."""
    pair = contexts(version)
    p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    return pair


@clause("SESS-1", "CTX-1")
def test_cache_mode_is_exchanged_for_the_old_one() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert p.SSL_CTX_get_session_cache_mode(ctx) == SERVER == 2
    assert (OFF, CLIENT, BOTH_SIDES) == (0, 1, 3)
    assert p.SSL_SESS_CACHE_NO_AUTO_CLEAR == 0x80
    assert (NO_LOOKUP, NO_STORE) == (0x100, 0x200)
    assert p.SSL_SESS_CACHE_NO_INTERNAL == 0x300
    assert p.SSL_CTX_set_session_cache_mode(ctx, CLIENT | NO_STORE) == SERVER
    assert p.SSL_CTX_set_session_cache_mode(ctx, OFF) == CLIENT | NO_STORE
    assert p.SSL_CTX_get_session_cache_mode(ctx) == OFF


@clause("CTX-1", "SESS-1")
def test_cache_size_is_exchanged_for_the_old_one() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert p.SSL_CTX_sess_get_cache_size(ctx) == 20480
    assert p.SSL_CTX_sess_set_cache_size(ctx, 3) == 20480
    assert p.SSL_CTX_sess_get_cache_size(ctx) == 3
    assert p.SSL_CTX_sess_set_cache_size(ctx, 0) == 3
    with pytest.raises(ValueError, match="cache"):
        p.SSL_CTX_sess_set_cache_size(ctx, -1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("mode", "kept", "resumed"),
    [
        (SERVER, True, True),
        (BOTH_SIDES, True, True),
        (OFF, False, False),
        (CLIENT, False, False),
        (SERVER | NO_STORE, False, False),
        (SERVER | NO_LOOKUP, True, False),
    ],
)
@clause("SESS-1", "SESS-3", "SESS-12")
def test_cache_mode_rules_what_a_server_keeps(
    version: int, mode: int, kept: bool, resumed: bool
) -> None:
    pair = by_id(version)
    p.SSL_CTX_set_session_cache_mode(pair[1], mode)
    session, _ = visit(pair)
    assert (p.SSL_CTX_sess_number(pair[1]) > 0) is kept
    assert visit(pair, session)[1] is resumed


# ---- new_cb -----------------------------------------------------------------


class Heard:
    """What session callbacks heard."""

    def __init__(self, ctx: p.SSL_CTX, mode: Optional[int] = None) -> None:
        if mode is not None:
            p.SSL_CTX_set_session_cache_mode(ctx, mode)
        self.new: list[tuple[p.SSL, p.SSL_SESSION]] = []
        self.removed: list[tuple[p.SSL_CTX, p.SSL_SESSION]] = []
        p.SSL_CTX_sess_set_new_cb(ctx, self._new)
        p.SSL_CTX_sess_set_remove_cb(ctx, self._remove)

    def _new(self, ssl: p.SSL, session: p.SSL_SESSION) -> int:
        assert p.SSL_get_session(ssl) is not None
        self.new.append((ssl, session))
        return 1

    def _remove(self, ctx: p.SSL_CTX, session: p.SSL_SESSION) -> None:
        self.removed.append((ctx, session))

    @property
    def gone(self) -> list[p.SSL_SESSION]:
        """The sessions that were removed."""
        return [session for _, session in self.removed]


@BOTH
@clause("SESS-7", "CTX-3")
def test_new_callback_of_a_client_hears_of_each_session(version: int) -> None:
    pair = contexts(version)
    link = link_of(pair)
    link.established()
    # Looked up when it is needed, not when the connection was made.
    heard = Heard(pair[0])
    reads_nothing(link.client)
    assert len(heard.new) == 0, "the mode of this connection says no"

    p.SSL_CTX_set_session_cache_mode(pair[0], CLIENT)
    link = link_of(pair)
    p.SSL_CTX_sess_set_new_cb(pair[0], None)
    link.established()
    p.SSL_CTX_sess_set_new_cb(pair[0], heard._new)
    assert p.SSL_CTX_sess_get_new_cb(pair[0]) == heard._new
    reads_nothing(link.client)
    assert len(heard.new) == (0 if version == TLS12 else 2)
    heard.new.clear()

    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    assert len(heard.new) == (1 if version == TLS12 else 2)
    assert all(ssl is link.client for ssl, _ in heard.new)
    assert p.SSL_get_session(link.client) == heard.new[-1][1]


@BOTH
@pytest.mark.parametrize("ticket", [True, False])
@clause("SESS-7")
def test_new_callback_of_a_server(version: int, ticket: bool) -> None:
    pair = contexts(version) if ticket else by_id(version)
    heard = Heard(pair[1])
    link = link_of(pair)
    link.established()
    expected = 2 if version == TLS13 else 0 if ticket else 1
    assert len(heard.new) == expected
    assert all(ssl is link.server for ssl, _ in heard.new)


@BOTH
@clause("SESS-7")
def test_new_callback_is_not_called_for_a_resumption_without_a_ticket(
    version: int,
) -> None:
    pair = by_id(version)
    session, _ = visit(pair)
    heard, theirs = Heard(pair[1]), Heard(pair[0], BOTH_SIDES)
    assert visit(pair, session)[1]
    expected = 1 if version == TLS13 else 0  # its one new ticket
    assert len(heard.new) == len(theirs.new) == expected


@BOTH
@pytest.mark.parametrize("mode", [OFF, CLIENT, SERVER])
@clause("SESS-7")
def test_new_callback_needs_the_bit_of_its_side(
    version: int, mode: int
) -> None:
    pair = contexts(version)
    client, server = Heard(pair[0], mode), Heard(pair[1], mode)
    visit(pair)
    assert bool(client.new) == (mode == CLIENT)
    assert bool(server.new) == (mode == SERVER and version == TLS13)


@BOTH
@pytest.mark.parametrize("bad", [RuntimeError("mine"), None, "text"])
@clause("SESS-7", "CV-7")
def test_what_a_new_callback_raises_comes_out(version: int, bad: Any) -> None:
    pair = contexts(version)
    p.SSL_CTX_set_session_cache_mode(pair[0], CLIENT)
    calls = []

    def fails(ssl: p.SSL, session: p.SSL_SESSION) -> Any:
        calls.append(session)
        if isinstance(bad, RuntimeError):
            raise bad
        return bad

    p.SSL_CTX_sess_set_new_cb(pair[0], fails)
    expected = RuntimeError if isinstance(bad, RuntimeError) else TypeError
    link = link_of(pair)

    def run() -> None:
        link.established()
        link.send(link.server, b"with the tickets")

    with pytest.raises(expected):
        run()
    assert len(calls) == 1
    assert p.SSL_is_init_finished(link.client) == 1
    p.SSL_CTX_sess_set_new_cb(pair[0], None)
    for _ in range(2):
        put(link.client_in, take(link.server_out))
        link.handshake()
    if version == TLS13:
        # Nothing was lost with the exception.
        assert p.SSL_read(link.client, bytearray(99)) == 16


@clause("SESS-7", "CV-7")
def test_io_inside_a_session_callback_is_an_error() -> None:
    pair = contexts(TLS13)
    p.SSL_CTX_set_session_cache_mode(pair[0], CLIENT)
    p.SSL_CTX_sess_set_new_cb(
        pair[0], lambda ssl, _: p.SSL_read(ssl, bytearray(1))
    )
    link = link_of(pair)
    link.established()
    with pytest.raises(RuntimeError, match="callback"):
        p.SSL_read(link.client, bytearray(1))


# ---- the client's part of the cache -----------------------------------------


@BOTH
@clause("SESS-1", "SESS-13")
def test_client_stores_its_sessions_if_it_is_told(version: int) -> None:
    pair = contexts(version)
    p.SSL_CTX_set_session_cache_mode(pair[0], CLIENT)
    session, _ = visit(pair)
    n = 1 if version == TLS12 else 2
    assert p.SSL_CTX_sess_number(pair[0]) == n
    assert p.SSL_CTX_remove_session(pair[0], session) == 1
    assert p.SSL_CTX_sess_number(pair[0]) == n - 1
    p.SSL_CTX_set_session_cache_mode(pair[0], CLIENT | NO_STORE)
    visit(pair)
    assert p.SSL_CTX_sess_number(pair[0]) == n - 1


# ---- add, remove, flush -----------------------------------------------------


@clause("SESS-14")
def test_session_is_added_once_and_removed_once() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    heard = Heard(ctx)
    session, _ = visit(contexts(TLS12))
    assert p.SSL_CTX_sess_number(ctx) == 0
    assert p.SSL_CTX_remove_session(ctx, session) == 0
    session, _ = visit(contexts(TLS12))
    heard.removed.clear()
    assert p.SSL_CTX_add_session(ctx, session) == 1
    assert p.SSL_CTX_add_session(ctx, session) == 0
    assert p.SSL_CTX_sess_number(ctx) == 1
    assert p.SSL_CTX_remove_session(ctx, session) == 1
    assert heard.removed == [(ctx, session)]
    assert p.SSL_CTX_sess_number(ctx) == 0
    assert p.SSL_CTX_remove_session(ctx, session) == 0
    assert p.SSL_SESSION_is_resumable(session) == 0
    assert reasons() == []


@clause("SESS-14", "SESS-8")
def test_flush_drops_what_has_expired_then() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    heard = Heard(ctx)
    sessions = [visit(contexts(TLS12))[0] for _ in range(3)]
    now = int(time.time())
    for i, session in enumerate(sessions):
        p.SSL_SESSION_set_time(session, now)
        p.SSL_SESSION_set_timeout(session, 100 * (i + 1))
        assert p.SSL_CTX_add_session(ctx, session) == 1
    p.SSL_CTX_flush_sessions(ctx, now + 50)
    assert heard.gone == []
    p.SSL_CTX_flush_sessions(ctx, now + 250)
    assert set(heard.gone) == set(sessions[:2])
    assert p.SSL_CTX_sess_number(ctx) == 1
    p.SSL_CTX_flush_sessions(ctx, 0)
    assert set(heard.gone) == set(sessions)
    assert p.SSL_CTX_sess_number(ctx) == 0
    with pytest.raises(TypeError):
        p.SSL_CTX_flush_sessions(ctx, None)


@clause("SESS-8", "CV-7")
def test_flush_goes_on_behind_a_callback_that_raises() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    for _ in range(3):
        p.SSL_CTX_add_session(ctx, visit(contexts(TLS12))[0])
    calls = []

    def fails(_: p.SSL_CTX, session: p.SSL_SESSION) -> None:
        calls.append(session)
        raise RuntimeError("mine")

    p.SSL_CTX_sess_set_remove_cb(ctx, fails)
    assert p.SSL_CTX_sess_get_remove_cb(ctx) is fails
    with pytest.raises(RuntimeError, match="mine"):
        p.SSL_CTX_flush_sessions(ctx, 0)
    assert len(calls) == 3
    assert p.SSL_CTX_sess_number(ctx) == 0


@clause("SESS-13", "SESS-14")
def test_full_cache_drops_the_oldest() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    heard = Heard(ctx)
    sessions = [visit(contexts(TLS12))[0] for _ in range(4)]
    assert p.SSL_CTX_sess_set_cache_size(ctx, 2) == 20480
    for session in sessions:
        assert p.SSL_CTX_add_session(ctx, session) == 1
    assert p.SSL_CTX_sess_number(ctx) == 2
    assert p.SSL_CTX_sess_cache_full(ctx) == 2
    assert heard.gone == sessions[:2]
    p.SSL_CTX_sess_set_cache_size(ctx, 1)
    assert p.SSL_CTX_sess_number(ctx) == 1
    assert heard.gone == sessions[:3]


@clause("SESS-13")
def test_cache_of_a_server_is_bounded() -> None:
    pair = by_id()
    p.SSL_CTX_sess_set_cache_size(pair[1], 2)
    heard = Heard(pair[1])
    sessions = [visit(pair)[0] for _ in range(4)]
    assert p.SSL_CTX_sess_number(pair[1]) == 2
    assert p.SSL_CTX_sess_cache_full(pair[1]) == 2
    assert len(heard.gone) == 2
    assert not visit(pair, sessions[0])[1]
    assert visit(pair, sessions[3])[1]


# ---- remove_cb --------------------------------------------------------------


@clause("SESS-8", "CTX-4")
@pytest.mark.parametrize("settings_first", [True, False])
def test_context_in_a_cycle_tells_what_its_cache_had(
    settings_first: bool,
) -> None:
    """The collector may free the core's settings before the context."""
    gone: list[Any] = []
    session = visit(contexts(TLS12))[0]
    gc.collect()
    ctx = p.SSL_CTX(p.TLS_method())
    p.SSL_CTX_sess_set_remove_cb(ctx, lambda _, s: gone.append(s))
    assert p.SSL_CTX_add_session(ctx, session) == 1
    index = p.SSL_CTX_get_ex_new_index(0, None, None, None, None)
    p.SSL_CTX_set_ex_data(ctx, index, [ctx])
    # What is collected last goes to the end of the collector's list.
    handle = ctx._settings
    box = [ctx if settings_first else handle]
    if settings_first:
        del ctx
        gc.collect()
        del handle
    else:
        gc.collect()
        del handle, ctx
    box.clear()
    gc.collect()

    assert [s.get_id() for s in gone] == [session.get_id()]


@pytest.mark.parametrize("how", ["free", "collect"])
@clause("SESS-8", "CTX-4")
def test_remove_callback_hears_of_all_when_the_context_goes(how: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    gone: list[p.SSL_SESSION] = []
    p.SSL_CTX_sess_set_remove_cb(ctx, lambda _, s: gone.append(s))
    sessions = {visit(contexts(TLS12))[0] for _ in range(3)}
    for session in sessions:
        p.SSL_CTX_add_session(ctx, session)
    if how == "free":
        p.SSL_CTX_free(ctx)
    else:
        del ctx
        gc.collect()
    assert set(gone) == sessions
    assert len(gone) == 3


@BOTH
@pytest.mark.parametrize("how", ["free", "clear", "collect"])
@clause("SESS-8", "SD-14")
def test_unclean_close_removes_the_session(version: int, how: str) -> None:
    pair = by_id(version)
    heard = Heard(pair[1])
    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    session = p.SSL_get1_session(link.client)
    p.SSL_shutdown(link.client)
    before = p.SSL_CTX_sess_number(pair[1])
    heard.new.clear()
    if how == "free":
        p.SSL_free(link.server)
    elif how == "clear":
        p.SSL_clear(link.server)
    else:
        del link
        gc.collect()
    assert p.SSL_CTX_sess_number(pair[1]) == before - 1
    assert len(heard.removed) == 1
    assert heard.removed[0][0] is pair[1]
    assert not visit(pair, session)[1]


@BOTH
@pytest.mark.parametrize("how", ["free", "clear", "collect"])
@clause("SD-14")
def test_unclean_close_that_nobody_watches_removes_the_session(
    version: int, how: str
) -> None:
    pair = by_id(version)
    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    session = p.SSL_get1_session(link.client)
    p.SSL_shutdown(link.client)
    before = p.SSL_CTX_sess_number(pair[1])
    if how == "free":
        p.SSL_free(link.server)
    elif how == "clear":
        p.SSL_clear(link.server)
    else:
        del link
        gc.collect()
    assert p.SSL_CTX_sess_number(pair[1]) == before - 1
    assert not visit(pair, session)[1]


@BOTH
@clause("SD-1", "SD-14")
def test_clean_close_keeps_the_session(version: int) -> None:
    pair = by_id(version)
    heard = Heard(pair[1])
    session, _ = visit(pair)
    gc.collect()
    assert heard.removed == []
    assert visit(pair, session)[1]


@clause("SESS-8", "SESS-13")
def test_expired_session_that_is_asked_for_is_removed() -> None:
    from pyssl._ffi import lib

    pair = by_id()
    p.SSL_CTX_set_timeout(pair[1], 10)
    heard = Heard(pair[1])
    session, _ = visit(pair)
    lib.pys_test_set_now(int((time.time() + 60) * 1000))
    assert not visit(pair, session)[1]
    assert len(heard.removed) == 1
    assert p.SSL_CTX_sess_timeouts(pair[1]) == 1
    assert p.SSL_CTX_sess_misses(pair[1]) == 1


@pytest.mark.parametrize("clear", [True, False])
@clause("SESS-1", "SESS-8")
def test_cache_is_cleared_now_and_then(clear: bool) -> None:
    pair = by_id()
    if not clear:
        p.SSL_CTX_set_session_cache_mode(
            pair[1], SERVER | p.SSL_SESS_CACHE_NO_AUTO_CLEAR
        )
    old, _ = visit(contexts(TLS12))
    p.SSL_SESSION_set_time(old, 1000)
    p.SSL_CTX_add_session(pair[1], old)
    session, _ = visit(pair)
    for _ in range(253):
        assert visit(pair, session)[1]
    assert p.SSL_CTX_sess_number(pair[1]) == 2
    visit(pair, session)
    assert p.SSL_CTX_sess_accept_good(pair[1]) == 255
    assert p.SSL_CTX_sess_number(pair[1]) == (1 if clear else 2)


# ---- get_cb -----------------------------------------------------------------


class Store:
    """A cache of the application's own."""

    def __init__(self, ctx: p.SSL_CTX, mode: int) -> None:
        p.SSL_CTX_set_session_cache_mode(ctx, mode)
        self.kept: dict[bytes, bytes] = {}
        self.asked: list[bytes] = []
        p.SSL_CTX_sess_set_new_cb(ctx, self._new)
        p.SSL_CTX_sess_set_get_cb(ctx, self._get)

    def _new(self, ssl: p.SSL, session: p.SSL_SESSION) -> int:
        del ssl
        der = p.i2d_SSL_SESSION(session)
        assert isinstance(der, bytes)
        self.kept[p.SSL_SESSION_get_id(session)] = der
        return 0

    def _get(self, ssl: p.SSL, id: bytes) -> Optional[p.SSL_SESSION]:
        assert p.SSL_is_server(ssl)
        self.asked.append(id)
        der = self.kept.get(id)
        return None if der is None else p.d2i_SSL_SESSION(der)


@clause("SESS-8", "SESS-13")
def test_application_may_keep_the_sessions_itself() -> None:
    pair = by_id()
    store = Store(pair[1], SERVER | p.SSL_SESS_CACHE_NO_INTERNAL)
    session, _ = visit(pair)
    assert list(store.kept) == [p.SSL_SESSION_get_id(session)]
    assert p.SSL_CTX_sess_number(pair[1]) == 0
    assert visit(pair, session)[1]
    assert store.asked == [p.SSL_SESSION_get_id(session)]
    assert p.SSL_CTX_sess_cb_hits(pair[1]) == 1
    store.kept.clear()
    assert not visit(pair, session)[1]
    assert p.SSL_CTX_sess_misses(pair[1]) == 1


@clause("SESS-8")
def test_get_callback_is_asked_only_for_what_is_not_in_the_cache() -> None:
    pair = by_id()
    store = Store(pair[1], SERVER)
    assert p.SSL_CTX_sess_get_get_cb(pair[1]) == store._get
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    assert store.asked == []
    p.SSL_CTX_flush_sessions(pair[1], 0)
    assert visit(pair, session)[1]
    assert len(store.asked) == 1


@clause("SESS-8")
def test_get_callback_is_asked_even_if_the_cache_is_off() -> None:
    pair = by_id()
    store = Store(pair[1], SERVER)
    session, _ = visit(pair)
    p.SSL_CTX_set_session_cache_mode(pair[1], OFF)
    assert visit(pair, session)[1]
    assert len(store.asked) == 1


@clause("SESS-8", "SESS-3")
def test_get_callback_may_give_a_session_that_does_not_fit() -> None:
    pair = by_id()
    store = Store(pair[1], SERVER | p.SSL_SESS_CACHE_NO_INTERNAL)
    session, _ = visit(pair)
    p.SSL_CTX_set_session_id_context(pair[1], b"another")
    assert not visit(pair, session)[1]
    assert len(store.asked) == 1


@pytest.mark.parametrize("bad", [RuntimeError("mine"), b"der", 1])
@clause("SESS-8", "CV-7")
def test_what_a_get_callback_raises_comes_out(bad: Any) -> None:
    pair = by_id()
    session, _ = visit(pair)
    p.SSL_CTX_set_session_cache_mode(pair[1], OFF)

    def fails(ssl: p.SSL, id: bytes) -> Any:
        if isinstance(bad, RuntimeError):
            raise bad
        return bad

    p.SSL_CTX_sess_set_get_cb(pair[1], fails)
    link = link_of(pair, session)
    p.SSL_do_handshake(link.client)
    link.move()
    expected = RuntimeError if isinstance(bad, RuntimeError) else TypeError
    with pytest.raises(expected):
        p.SSL_do_handshake(link.server)
    # It counted as no session: the handshake goes on in full.
    link.move()
    link.established()
    assert p.SSL_session_reused(link.server) == 0


@clause("SESS-7", "SESS-8")
@pytest.mark.parametrize(
    "setter",
    [
        p.SSL_CTX_sess_set_new_cb,
        p.SSL_CTX_sess_set_get_cb,
        p.SSL_CTX_sess_set_remove_cb,
    ],
)
def test_callback_that_cannot_be_called_is_a_type_error(setter: Any) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    with pytest.raises(TypeError):
        setter(ctx, 3)
    assert setter(ctx, None) is None


# ---- counters ---------------------------------------------------------------


@BOTH
@clause("SESS-13")
def test_counters_after_one_full_and_one_resumed_handshake(
    version: int,
) -> None:
    pair = contexts(version)
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    client, server = pair
    assert p.SSL_CTX_sess_connect(client) == 2
    assert p.SSL_CTX_sess_connect_good(client) == 2
    assert p.SSL_CTX_sess_hits(client) == 1
    assert p.SSL_CTX_sess_accept(server) == 2
    assert p.SSL_CTX_sess_accept_good(server) == 2
    assert p.SSL_CTX_sess_hits(server) == 1
    for ctx in pair:
        for count in (
            p.SSL_CTX_sess_connect_renegotiate,
            p.SSL_CTX_sess_accept_renegotiate,
            p.SSL_CTX_sess_misses,
            p.SSL_CTX_sess_timeouts,
            p.SSL_CTX_sess_cb_hits,
            p.SSL_CTX_sess_cache_full,
        ):
            assert count(ctx) == 0
    assert p.SSL_CTX_sess_accept(client) == 0
    assert p.SSL_CTX_sess_connect(server) == 0


@clause("SESS-13")
def test_handshake_that_fails_counts_as_begun_only() -> None:
    pair = contexts(TLS12)
    link = MemLink(*(p.SSL_new(ctx) for ctx in pair))  # type: ignore[misc]
    assert outcome(link.client, p.SSL_connect(link.client)) == (-1, 2)
    assert outcome(link.client, p.SSL_connect(link.client)) == (-1, 2)
    put(link.client_in, bytes.fromhex("15 03 03 00 02 02 28"))
    assert outcome(link.client, p.SSL_connect(link.client)) == (-1, 1)
    assert p.SSL_CTX_sess_connect(pair[0]) == 1
    assert p.SSL_CTX_sess_connect_good(pair[0]) == 0


@clause("SESS-13", "SESS-3")
def test_unknown_id_is_a_miss() -> None:
    pair = by_id()
    session, _ = visit(pair)
    p.SSL_CTX_flush_sessions(pair[1], 0)
    assert not visit(pair, session)[1]
    assert p.SSL_CTX_sess_misses(pair[1]) == 1
    assert p.SSL_CTX_sess_hits(pair[1]) == 0


@clause("CTX-4", "SESS-8")
def test_connections_outlive_their_context_with_its_sessions() -> None:
    pair = by_id()
    heard = Heard(pair[1])
    link = link_of(pair)
    for ctx in pair:
        p.SSL_CTX_free(ctx)
    link.established()
    link.send(link.client, b"ping")
    assert len(heard.new) == 1
    close(link)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_CTX_sess_number(pair[1])


@clause("SESS-13", "HS-19")
def test_handshake_is_counted_once_however_often_it_is_called() -> None:
    pair = contexts(TLS13)
    link = link_of(pair).established()
    for end in (link.client, link.server):
        for _ in range(3):
            assert p.SSL_do_handshake(end) == 1
    assert p.SSL_CTX_sess_connect(pair[0]) == 1
    assert p.SSL_CTX_sess_connect_good(pair[0]) == 1
    assert p.SSL_CTX_sess_accept(pair[1]) == 1
    assert p.SSL_CTX_sess_accept_good(pair[1]) == 1


@clause("SESS-8", "SESS-13")
@pytest.mark.parametrize("tickets", [3, 5])
def test_each_session_that_a_handshake_drops_is_heard_of(tickets: int) -> None:
    pair = contexts(TLS13, tickets=tickets)
    p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    p.SSL_CTX_sess_set_cache_size(pair[1], 1)
    heard = Heard(pair[1])

    visit(pair)
    assert p.SSL_CTX_sess_number(pair[1]) == 1
    assert len(heard.gone) == len(set(heard.gone)) == tickets - 1
    assert p.SSL_CTX_sess_cache_full(pair[1]) == tickets - 1


@clause("SESS-8", "CV-7")
def test_each_session_is_heard_of_though_the_callback_raises() -> None:
    pair = contexts(TLS13, tickets=3)
    p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    p.SSL_CTX_sess_set_cache_size(pair[1], 1)
    gone: list[p.SSL_SESSION] = []

    def fails(_: p.SSL_CTX, session: p.SSL_SESSION) -> None:
        gone.append(session)
        raise RuntimeError("mine")

    p.SSL_CTX_sess_set_remove_cb(pair[1], fails)
    link = link_of(pair)
    with pytest.raises(RuntimeError, match="mine"):
        link.established()
    assert len(gone) == 2
    assert p.SSL_is_init_finished(link.server)
    p.SSL_CTX_sess_set_remove_cb(pair[1], None)
