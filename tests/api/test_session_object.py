"""SSL_SESSION objects: contract section 6.9, SESS-10, and 6.18."""

from __future__ import annotations

import gc
import shutil
import subprocess
import time
import weakref
from typing import Any

import pytest

import pyssl as p
from tests.api.links import connected, reasons
from tests.api.sessions import TLS12, TLS13, VERSIONS, contexts, visit
from tests.clauses import clause

BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])


def _session(version: int, **wishes: Any) -> p.SSL_SESSION:
    return visit(contexts(version, **wishes))[0]


@BOTH
@clause("SESS-4", "SESS-5")
def test_session_says_what_was_agreed(version: int) -> None:
    pair = contexts(version)
    p.SSL_CTX_set_alpn_protos(pair[0], b"\x02h2")
    p.SSL_CTX_set_alpn_select_cb(pair[1], lambda *_: (0, b"h2"))
    session, _ = visit(pair)

    assert p.SSL_SESSION_get_protocol_version(session) == version
    cipher = p.SSL_SESSION_get0_cipher(session)
    assert cipher is not None
    assert p.SSL_CIPHER_get_version(cipher) == (
        "TLSv1.2" if version == TLS12 else "TLSv1.3"
    )
    assert len(p.SSL_SESSION_get_master_key(session)) == 48
    assert len(p.SSL_SESSION_get_id(session)) == 32
    assert p.SSL_SESSION_has_ticket(session) == 1
    assert p.SSL_SESSION_get0_ticket(session) != b""
    assert p.SSL_SESSION_get_ticket_lifetime_hint(session) == 7200
    assert p.SSL_SESSION_get_max_early_data(session) == 0
    assert p.SSL_SESSION_get0_hostname(session) == "localhost"
    assert p.SSL_SESSION_get0_alpn_selected(session) == b"h2"
    peer = p.SSL_SESSION_get0_peer(session)
    assert peer is not None
    assert ("DNS", "localhost") in peer.subject_alt_names
    assert p.SSL_SESSION_get_timeout(session) == 7200
    assert abs(p.SSL_SESSION_get_time(session) - time.time()) < 60
    secret = p.SSL_SESSION_get_master_key(session).hex()
    assert secret not in repr(session)


@BOTH
@clause("SESS-4", "SESS-9")
def test_server_has_the_session_too(version: int) -> None:
    link = connected(
        client_ctx=(pair := contexts(version, client_auth=True))[0],
        server_ctx=pair[1],
    )
    session = p.SSL_get_session(link.server)
    assert session is not None
    assert p.SSL_SESSION_get_protocol_version(session) == version
    assert p.SSL_SESSION_get0_id_context(session) == b"tests"
    assert p.SSL_SESSION_get0_hostname(session) == "localhost"
    assert p.SSL_SESSION_get0_peer(session) is not None


@BOTH
@clause("SESS-10")
def test_session_survives_its_der_form(version: int) -> None:
    pair = contexts(version)
    session, _ = visit(pair)
    der = p.i2d_SSL_SESSION(session)
    assert isinstance(der, bytes)
    copy = p.d2i_SSL_SESSION(der + b"more")
    assert copy is not None
    assert copy != session
    assert p.i2d_SSL_SESSION(copy) == der
    assert p.SSL_SESSION.d2i_front(der + b"more")[1] == len(der)
    for get in (
        p.SSL_SESSION_get_protocol_version,
        p.SSL_SESSION_get0_cipher,
        p.SSL_SESSION_get_master_key,
        p.SSL_SESSION_get_id,
        p.SSL_SESSION_get0_ticket,
        p.SSL_SESSION_get_ticket_lifetime_hint,
        p.SSL_SESSION_get0_hostname,
        p.SSL_SESSION_get0_peer,
        p.SSL_SESSION_get_time,
        p.SSL_SESSION_get_timeout,
        p.SSL_SESSION_is_resumable,
    ):
        assert get(copy) == get(session), get.__name__
    assert visit(pair, copy)[1]
    assert reasons() == []


@clause("SESS-10", "CV-2")
def test_der_of_nothing() -> None:
    assert p.i2d_SSL_SESSION(None) == 0
    assert p.i2d_SSL_SESSION(p.SSL_SESSION_new()) == b""
    for data in (b"", b"\x30\x00", b"junk", bytes(40)):
        assert p.d2i_SSL_SESSION(data) is None
        assert {lib for lib, _ in reasons()} == {p.ERR_LIB_ASN1}
    with pytest.raises(TypeError):
        p.d2i_SSL_SESSION("text")
    with pytest.raises(TypeError):
        p.i2d_SSL_SESSION(b"der")


@BOTH
@clause("SESS-10")
def test_der_cut_short_is_refused(version: int) -> None:
    der = p.i2d_SSL_SESSION(_session(version))
    assert isinstance(der, bytes)
    for size in range(len(der)):
        assert p.d2i_SSL_SESSION(der[:size]) is None
        assert reasons() != []


@BOTH
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
@clause("SESS-10")
def test_der_is_read_by_another_implementation(version: int) -> None:
    session = _session(version)
    der = p.i2d_SSL_SESSION(session)
    assert isinstance(der, bytes)
    text = subprocess.run(
        ["openssl", "sess_id", "-inform", "DER", "-text", "-noout"],
        input=der,
        check=True,
        capture_output=True,
    ).stdout.decode()
    cipher = p.SSL_SESSION_get0_cipher(session)
    assert cipher is not None
    assert cipher.get_name() in text
    assert p.SSL_SESSION_get_master_key(session).hex().upper() in text
    assert p.SSL_SESSION_get_id(session).hex().upper() in text
    assert ("TLSv1.2" if version == TLS12 else "TLSv1.3") in text


# ---- life -------------------------------------------------------------------


@clause("CV-2", "CV-3")
def test_references_are_counted() -> None:
    session = p.SSL_SESSION_new()
    assert p.SSL_SESSION_up_ref(session) == 1
    p.SSL_SESSION_free(session)
    assert p.SSL_SESSION_get_id(session) == b""
    p.SSL_SESSION_free(session)
    for use in (
        p.SSL_SESSION_get_id,
        p.SSL_SESSION_free,
        p.SSL_SESSION_up_ref,
        p.SSL_SESSION_dup,
        p.i2d_SSL_SESSION,
    ):
        with pytest.raises(ValueError, match="freed"):
            use(session)
    assert "freed" in repr(session)
    p.SSL_SESSION_free(None)


@clause("CV-3")
def test_objects_of_one_session_are_freed_apart() -> None:
    link = connected(
        client_ctx=(pair := contexts(TLS12))[0], server_ctx=pair[1]
    )
    first, second = (p.SSL_get1_session(link.client) for _ in range(2))
    assert first == second
    p.SSL_SESSION_free(first)
    assert second is not None
    assert p.SSL_SESSION_is_resumable(second) == 1
    assert p.SSL_get_session(link.client) == second
    assert first != second


@clause("CV-2")
@pytest.mark.parametrize("value", [None, b"", 3, "s"])
def test_what_is_no_session_is_a_type_error(value: Any) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    for use in (
        p.SSL_SESSION_get_id,
        p.SSL_SESSION_up_ref,
        lambda s: p.SSL_CTX_add_session(ctx, s),
        lambda s: p.SSL_CTX_remove_session(ctx, s),
    ):
        with pytest.raises(TypeError):
            use(value)
    if value is not None:
        with pytest.raises(TypeError):
            p.SSL_set_session(p.SSL(ctx), value)


@clause("SESS-6")
def test_numbers_are_checked() -> None:
    session = p.SSL_SESSION_new()
    for setter in (p.SSL_SESSION_set_time, p.SSL_SESSION_set_timeout):
        with pytest.raises(TypeError):
            setter(session, "1")
        with pytest.raises(ValueError, match="range"):
            setter(session, 1 << 63)


@clause("SESS-10")
def test_session_made_by_hand() -> None:
    session = p.SSL_SESSION_new()
    cipher = p.SSL_CIPHER.find(0x1301)
    assert cipher is not None
    assert p.SSL_SESSION_get0_cipher(session) is None
    assert p.SSL_SESSION_set_protocol_version(session, TLS13) == 1
    assert p.SSL_SESSION_set_protocol_version(session, 0x0301) == 0
    assert p.SSL_SESSION_set_cipher(session, cipher) == 1
    assert p.SSL_SESSION_set1_master_key(session, b"k" * 32) == 1
    assert p.SSL_SESSION_set1_master_key(session, b"k" * 513) == 0
    assert p.SSL_SESSION_set1_id(session, b"i" * 32) == 1
    assert p.SSL_SESSION_set1_id(session, b"i" * 33) == 0
    assert p.SSL_SESSION_set1_id_context(session, b"c" * 32) == 1
    assert p.SSL_SESSION_set1_id_context(session, b"c" * 33) == 0
    assert p.SSL_SESSION_get_protocol_version(session) == TLS13
    assert p.SSL_SESSION_get0_cipher(session) is cipher
    assert p.SSL_SESSION_get_master_key(session) == b"k" * 32
    assert p.SSL_SESSION_get_id(session) == b"i" * 32
    assert p.SSL_SESSION_get0_id_context(session) == b"c" * 32
    with pytest.raises(TypeError):
        p.SSL_SESSION_set_cipher(session, 0x1301)


@clause("CV-3")
def test_session_in_use_cannot_be_rewritten() -> None:
    session = _session(TLS12)
    for change in (
        lambda s: p.SSL_SESSION_set1_id(s, b"x"),
        lambda s: p.SSL_SESSION_set1_master_key(s, b"x"),
        lambda s: p.SSL_SESSION_set_protocol_version(s, TLS13),
    ):
        with pytest.raises(ValueError, match="in use"):
            change(session)
    copy = p.SSL_SESSION_dup(session)
    assert p.SSL_SESSION_set1_id(copy, b"x") == 1
    assert p.SSL_SESSION_get_id(session) != b"x"


# ---- application data -------------------------------------------------------


class Thing:
    """Something that weak references may point to."""


@clause("EXD-1", "EXD-2")
def test_application_data_of_a_session() -> None:
    index = p.SSL_SESSION_get_ex_new_index(0, None)
    assert index >= 1
    assert p.SSL_SESSION_get_ex_new_index(0, None) == index + 1
    link = connected(
        client_ctx=(pair := contexts(TLS12))[0], server_ctx=pair[1]
    )
    session = p.SSL_get_session(link.client)
    assert session is not None
    assert p.SSL_SESSION_get_ex_data(session, index) is None
    thing = Thing()
    assert p.SSL_SESSION_set_ex_data(session, index, thing) == 1
    assert p.SSL_SESSION_set_ex_data(session, 9999, thing) == 0
    assert p.SSL_SESSION_get_ex_data(session, -1) is None
    assert len(reasons()) == 1
    # It belongs to the session, not to the Python object.
    seen = weakref.ref(thing)
    del session, thing
    gc.collect()
    again = p.SSL_get_session(link.client)
    assert again is not None
    assert p.SSL_SESSION_get_ex_data(again, index) is seen()
    assert seen() is not None
    del again, link
    gc.collect()
    assert seen() is None


@clause("EXD-2")
def test_copy_of_a_session_gets_a_copy_of_its_data() -> None:
    calls: list[Any] = []
    listening = [True]  # an index, and its callbacks, stay for ever

    def heard(*call: Any) -> None:
        if listening:
            calls.append(call)

    def new(owner: Any, *rest: Any) -> None:
        heard("new", *rest)

    def dup(owner: Any, value: Any, *rest: Any) -> Any:
        heard("dup", value, *rest)
        return None if value is None else value + 1

    def free(owner: Any, value: Any, *rest: Any) -> None:
        heard("free", value, *rest)

    gc.collect()  # what earlier tests left would be heard, too
    index = p.SSL_SESSION_get_ex_new_index(7, "p", new, dup, free)
    session = p.SSL_SESSION_new()
    assert calls == [("new", None, index, 7, "p")]
    assert p.SSL_SESSION_set_ex_data(session, index, 10) == 1
    calls.clear()
    copy = p.SSL_SESSION_dup(session)
    assert calls == [("new", None, index, 7, "p"), ("dup", 10, index, 7, "p")]
    assert p.SSL_SESSION_get_ex_data(copy, index) == 11
    assert p.SSL_SESSION_get_ex_data(session, index) == 10
    calls.clear()
    p.SSL_SESSION_free(copy)
    listening.clear()
    assert calls.count(("free", 11, index, 7, "p")) == 1
