"""How an SSL begins and ends in C (csrc/quick), and what it is told there.

What is out of the ordinary is left to Python; these tests hold the two ways
together. One that must not see the callbacks that other tests have set runs
in a process of its own.
"""

from __future__ import annotations

import gc
import inspect
import sys
import threading
import weakref
from typing import Any

import pytest

import pyssl as p
from pyssl import _ffi
from tests.api.alone import alone, counts_memory, grows
from tests.api.links import MemLink, make_ends
from tests.clauses import clause

IN_C = type(_ffi.Conn.read) is not type(lambda: None)
needs_c = pytest.mark.skipif(not IN_C, reason="the methods are not in C")


def client() -> Any:
    ctx = p.SSL_CTX(p.TLS_client_method())
    return p.SSL(ctx)


# ---- begin -----------------------------------------------------------------


@clause("CV-2", "CV-3")
def test_context_of_another_kind_or_freed_is_refused() -> None:
    freed = p.SSL_CTX()
    freed.free()
    for wrong in (None, 0, object(), p.SSL_CTX, p.TLS_method(), (freed,)):
        with pytest.raises(TypeError):
            p.SSL(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="SSL_CTX was freed"):
        p.SSL(freed)
    with pytest.raises(ValueError, match="SSL_CTX was freed"):
        p.SSL(p.SSL_CTX.__new__(p.SSL_CTX))
    for arguments in ((), (p.SSL_CTX(), 1)):
        with pytest.raises(TypeError):
            p.SSL(*arguments)
    with pytest.raises(TypeError):
        p.SSL(contex=p.SSL_CTX())  # type: ignore[call-arg]
    assert isinstance(p.SSL(ctx=p.SSL_CTX()), p.SSL)


@clause("CV-3")
def test_object_that_was_never_made_is_as_one_that_was_freed() -> None:
    never: Any = p.SSL.__new__(p.SSL)
    calls = (
        never.set_connect_state,
        never.set_accept_state,
        lambda: never.set_bio(None, None),
        lambda: never.set_bio(p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem())),
        lambda: never.set1_host("a"),
        lambda: never.set_tlsext_host_name("a"),
        lambda: never.set_shutdown(0),
        never.free,
        never.do_handshake,
    )
    for call in calls:
        with pytest.raises(ValueError, match="freed"):
            call()
    assert repr(never) == "<SSL freed>"


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason="Python 3.9 forgets it of types in C"
)
def test_an_ssl_says_what_it_is_made_of() -> None:
    assert list(inspect.signature(p.SSL).parameters) == ["ctx"]


@clause("CTX-3")
def test_connection_takes_what_the_context_has_now() -> None:
    ctx = p.SSL_CTX(p.TLS_client_method())
    before: Any = p.SSL(ctx)
    ctx.set_verify(p.SSL_VERIFY_PEER, lambda ok, store: ok)
    ctx.set_options(p.SSL_OP_NO_TICKET)
    ctx.set_keylog_callback(lambda ssl, line: None)
    after: Any = p.SSL(ctx)

    assert after._live != before._live
    assert after._asks != before._asks
    assert after._asks == after._live | after._copied.asks
    assert after.get_options() & p.SSL_OP_NO_TICKET
    assert not before.get_options() & p.SSL_OP_NO_TICKET
    assert after.get_verify_callback() is not None
    assert before.get_verify_callback() is None


@clause("INFO-1")
def test_context_that_tells_makes_connections_that_tell() -> None:
    heard = []
    ctx = p.SSL_CTX(p.TLS_client_method())
    ctx.set_info_callback(lambda ssl, where, ret: heard.append(where))
    ssl = p.SSL(ctx)
    ssl.set_connect_state()
    ssl.set_bio(p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem()))
    assert ssl.do_handshake() == -1
    assert heard[0] == p.SSL_CB_HANDSHAKE_START


def test_heir_may_have_arguments_and_an_end_of_its_own() -> None:
    ends = []

    class Heir(p.SSL):
        def __init__(self, name: str) -> None:
            super().__init__(p.SSL_CTX(p.TLS_client_method()))
            self.set_tlsext_host_name(name)
            self.name = name

        def __del__(self) -> None:
            super().__del__()  # type: ignore[misc]
            ends.append(repr(self))

    heir = Heir("localhost")
    link = weakref.ref(heir)
    assert heir.get_servername() == "localhost"
    heir.set_bio(p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem()))
    del heir
    gc.collect()
    assert link() is None
    assert ends == ["<SSL freed>"]


# ---- the core's connection, as cffi knows it ------------------------------


def test_connection_of_the_core_is_the_same_whoever_asks() -> None:
    ssl = client()
    assert ssl._conn is ssl._conn is ssl._alive() is ssl._enter()
    ssl.free()
    assert ssl._conn is None


@needs_c
def test_core_outlives_an_ssl_that_is_freed_while_it_is_asked() -> None:
    ssl = client()
    conn = ssl._conn
    ssl.set_connect_state()
    ssl.free()
    # It has parted with its SSL; who asked for it may still look.
    assert _ffi.lib.pys_conn_role(conn) == _ffi.lib.PYS_CLIENT


@clause("CV-8")
def test_threads_that_ask_at_once_get_one_connection() -> None:
    for _ in range(50):
        ssl = client()
        start = threading.Barrier(4)
        found: list[Any] = []

        def ask(
            ssl: Any = ssl, start: Any = start, found: list[Any] = found
        ) -> None:
            start.wait()
            found.append(ssl._conn)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len({id(conn) for conn in found}) == 1


# ---- what it is told -------------------------------------------------------


@clause("CV-2")
def test_tuples_are_arguments_as_any_other() -> None:
    ssl = client()
    for wrong in ((), (1,), ("a",), ("a", "b")):
        for call in (
            *(ssl.set1_host, ssl.set_tlsext_host_name),
            *(ssl.set_shutdown, ssl.get_error),
        ):
            with pytest.raises(TypeError):
                call(wrong)


@clause("SNI-1", "VFY-10")
@pytest.mark.parametrize("how", [str, str.encode])
def test_names_are_taken_as_text_and_as_bytes(how: Any) -> None:
    ssl = client()
    assert ssl.set_tlsext_host_name(name=how("a.example")) == 1
    assert ssl.get_servername() == "a.example"
    assert ssl.set_tlsext_host_name(how("a" * 255)) == 1
    assert ssl.get_servername() == "a" * 255
    for wrong in ("", "a" * 256):
        assert ssl.set_tlsext_host_name(how(wrong)) == 0
        reason = p.ERR_GET_REASON(p.ERR_get_error())
        assert reason == p.SSL_R_SSL3_EXT_INVALID_SERVERNAME
    for call in (ssl.set_tlsext_host_name, ssl.set1_host):
        with pytest.raises(ValueError, match="NUL"):
            call(how("a\0b"))
    with pytest.raises(UnicodeEncodeError):
        ssl.set1_host("\u00e9")
    assert ssl.set1_host(how("a" * 256)) == 0
    assert ssl.set1_host(how("")) == ssl.set1_host(None) == 1
    assert ssl.set_tlsext_host_name(None) == 1
    assert ssl.get_servername() is None


@clause("SD-12")
@pytest.mark.parametrize(
    ("mode", "kept"), [(0, 0), (3, 3), (-1, 3), (True, 1), (1 << 80 | 2, 2)]
)
def test_shutdown_state_has_two_bits(mode: int, kept: int) -> None:
    ssl = client()
    ssl.set_shutdown(mode=mode)
    assert ssl.get_shutdown() == kept


@clause("HS-33")
def test_role_is_measured_against_the_method() -> None:
    for method, client_fits, server_fits in (
        (p.TLS_method(), True, True),
        (p.TLS_client_method(), True, False),
        (p.TLS_server_method(), False, True),
    ):
        ssl: Any = p.SSL(p.SSL_CTX(method))
        ssl.set_connect_state()
        assert (ssl._fits, ssl.is_server()) == (client_fits, 0)
        ssl.set_accept_state()
        assert (ssl._fits, ssl.is_server()) == (server_fits, 1)


@clause("CV-8")
def test_wishes_wait_for_the_thread_that_is_inside() -> None:
    link = MemLink(*make_ends(tickets=0))
    ssl: Any = link.client
    for writing in (0, 1):
        done = threading.Event()

        def begin_anew(done: Any = done) -> None:
            ssl.set_connect_state()
            done.set()

        ssl._take(writing)
        thread = threading.Thread(target=begin_anew)
        thread.start()
        assert not done.wait(0.1)
        ssl._give(writing)
        thread.join()
        assert done.is_set()
    link.established()


@clause("CV-7")
def test_wishes_from_a_callback_go_the_long_way() -> None:
    seen = []

    def verify(ok: int, store: Any) -> int:
        ssl = store.get_ssl() if hasattr(store, "get_ssl") else link.client
        with pytest.raises(RuntimeError):
            ssl.set_connect_state()
        with pytest.raises(RuntimeError):
            ssl.set_bio(p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem()))
        seen.append(ssl.set_tlsext_host_name("later.example"))
        seen.append(ssl.set1_host(None))
        ssl.set_shutdown(0)
        return ok

    link = MemLink(*make_ends(tickets=0))
    link.client.set_verify(p.SSL_VERIFY_PEER, verify)
    link.established()
    assert seen[:2] == [1, 1]


# ---- end -------------------------------------------------------------------


@clause("OWN-4")
def test_bios_are_let_go_by_an_ssl_that_ends() -> None:
    rbio, wbio = p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem())
    for _ in range(3):
        ssl = client()
        ssl.set_bio(rbio, wbio)
        assert (rbio._holds, wbio._holds) == (1, 1)
        del ssl
        gc.collect()
        assert (rbio._holds, wbio._holds) == (0, 0)
    assert p.BIO_write(rbio, b"x") == 1


@clause("OWN-4")
def test_one_bio_may_be_both() -> None:
    bio = p.BIO(p.BIO_s_mem())
    ssl = client()
    ssl.set_bio(bio, bio)
    assert ssl.get_rbio() is ssl.get_wbio() is bio
    ssl.set_bio(bio, bio)
    assert p.BIO_free(bio) == 1
    del ssl
    gc.collect()
    with pytest.raises(ValueError, match="freed"):
        p.BIO_write(bio, b"x")


def test_ssl_and_what_points_at_it_go_together() -> None:
    ssl = client()
    link = weakref.ref(ssl)
    ssl.set_bio(p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem()))
    ssl.set_ex_data(0, [ssl])
    ssl.get_rbio().set_ex_data(0, ssl)
    del ssl
    gc.collect()
    assert link() is None


def test_what_goes_with_a_context_may_still_use_it() -> None:
    made = []

    class Last:
        def __del__(self) -> None:
            try:
                made.append(p.SSL(self.ctx).get_options())
            except ValueError as e:
                made.append(str(e))

    for _ in range(20):
        ctx = p.SSL_CTX(p.TLS_client_method())
        last: Any = Last()
        last.ctx = ctx
        ctx.set_ex_data(0, last)
        link = weakref.ref(last)
        del ctx, last
        gc.collect()
        assert link() is None
    assert len(made) == 20
    assert all(
        isinstance(one, int) or "SSL_CTX was freed" in one for one in made
    )


@clause("SD-14", "SESS-7")
@pytest.mark.parametrize("told", [False, True])
def test_session_of_an_ssl_that_ends_badly_is_given_up(told: bool) -> None:
    gone: list[Any] = []
    for well in (True, False):
        link = MemLink(*make_ends(tickets=1))
        link.client.set_max_proto_version(p.TLS1_2_VERSION)
        link.established()
        if told:
            link.client.get_SSL_CTX().sess_set_remove_cb(
                lambda ctx, session: gone.append(session)
            )
        session = link.client.get1_session()
        assert session.is_resumable() == 1
        link.client.set_shutdown(p.SSL_SENT_SHUTDOWN if well else 0)
        del link
        gc.collect()
        assert session.is_resumable() == int(well)
        assert gone == ([session] if told and not well else [])


@clause("EXD-2")
def test_end_is_told_to_who_wants_to_hear_of_it() -> None:
    out = alone("""
import gc, pyssl as p
ctx = p.SSL_CTX(p.TLS_client_method())
early = p.SSL(ctx)
said = []
index = p.SSL.get_ex_new_index(
    new_func=lambda owner, *rest: said.append(("new", owner)),
    free_func=lambda owner, value, *rest: said.append(("free", value)),
)
late = p.SSL(ctx)
assert said == [("new", late)], said
late.set_ex_data(index, 1)
early.set_ex_data(index, 2)
said.clear()
del late
gc.collect()
assert said == [("free", 1)], said
del early
gc.collect()
assert said == [("free", 1), ("free", 2)], said
print("told")
""")
    assert out == "told\n"


@counts_memory
def test_many_lives_leave_nothing_behind() -> None:
    assert not grows("""
import pyssl as p
ctx = p.SSL_CTX(p.TLS_client_method())
mem = p.BIO_s_mem()
def live(n):
    for i in range(n):
        ssl = p.SSL(ctx)
        ssl.set_tlsext_host_name("localhost")
        ssl.set1_host("localhost")
        ssl.set_bio(p.BIO(mem), p.BIO(mem))
        ssl.set_connect_state()
        if i % 2:
            ssl._conn
        if i % 3 == 0:
            ssl.do_handshake()
        ssl.set_shutdown(3)
""")
