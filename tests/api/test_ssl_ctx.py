"""Contexts: contract sections 6.1 to 6.3, 6.8 and 6.18."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    reasons,
    ssl_reasons,
    use_identity,
)
from tests.clauses import clause
from tests.pki import ca

METHODS = [p.TLS_method, p.TLS_client_method, p.TLS_server_method]
NO_12, NO_13 = p.SSL_OP_NO_TLSv1_2, p.SSL_OP_NO_TLSv1_3


@pytest.fixture(name="ctx")
def make_ctx() -> p.SSL_CTX:
    return p.SSL_CTX(p.TLS_method())


# ---- objects --------------------------------------------------------------


@clause("CTX-1")
def test_context_begins_with_the_defaults_of_the_contract(
    ctx: p.SSL_CTX,
) -> None:
    assert ctx.get_min_proto_version() == 0
    assert ctx.get_max_proto_version() == 0
    assert ctx.get_verify_mode() == p.SSL_VERIFY_NONE
    assert ctx.get_verify_depth() == -1
    assert ctx.get_verify_callback() is None
    assert ctx.get_mode() == p.SSL_MODE_AUTO_RETRY
    assert ctx.get_options() == 0x120000
    assert ctx.get_read_ahead() == 0
    assert ctx.get_quiet_shutdown() == 0
    assert ctx.get_security_level() == 2


@clause("CTX-1")
def test_making_without_a_method_or_context_gives_none_and_an_entry() -> None:
    assert p.SSL_CTX_new(None) is None
    assert reasons() == [(20, 196)]
    assert p.SSL_new(None) is None
    assert reasons() == [(20, 195)]


@clause("CTX-1", "CV-3")
def test_context_lives_for_as_many_frees_as_references(
    ctx: p.SSL_CTX,
) -> None:
    assert p.SSL_CTX_up_ref(ctx) == 1
    p.SSL_CTX_free(ctx)
    assert ctx.get_mode() == p.SSL_MODE_AUTO_RETRY

    p.SSL_CTX_free(ctx)

    for use in (
        ctx.get_mode,
        ctx.free,
        ctx.up_ref,
        ctx.get_cert_store,
        ctx.get_keylog_callback,
        lambda: ctx.set_options(1),
        lambda: ctx.set_alpn_select_cb(None),
        lambda: ctx.get_ex_data(0),
        lambda: p.SSL_new(ctx),
    ):
        with pytest.raises(ValueError, match="freed"):
            use()


@clause("CTX-2", "HS-55")
@pytest.mark.parametrize("method", METHODS)
def test_methods_tell_the_role_only_before_one_is_set(method: Any) -> None:
    assert method() is method()
    ssl = p.SSL(p.SSL_CTX(method()))

    assert ssl.is_server() == int(method is not p.TLS_client_method)

    ssl.set_connect_state()
    assert ssl.is_server() == 0
    ssl.set_accept_state()
    assert ssl.is_server() == 1


@clause("CTX-2", "HS-33", "HS-36")
@pytest.mark.parametrize(
    ("method", "call"),
    [
        (p.TLS_server_method, p.SSL.connect),
        (p.TLS_client_method, p.SSL.accept),
    ],
)
def test_method_of_the_other_role_refuses_to_shake_hands(
    method: Any, call: Any
) -> None:
    ssl = p.SSL(p.SSL_CTX(method()))
    out = p.BIO(p.BIO_s_mem())
    ssl.set_bio(p.BIO(p.BIO_s_mem()), out)

    assert outcome(ssl, call(ssl)) == (-1, p.SSL_ERROR_SSL)
    assert reasons() == [(20, p.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED)]
    assert out.ctrl_pending() == 0
    assert ssl.in_before() == 1

    (ssl.set_connect_state if ssl.is_server() else ssl.set_accept_state)()
    assert outcome(ssl, ssl.do_handshake()) == (-1, p.SSL_ERROR_SSL)
    assert reasons() == [(20, p.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED)]
    assert out.ctrl_pending() == 0


@clause("CTX-3")
def test_connection_keeps_what_its_context_had_when_it_was_made(
    ctx: p.SSL_CTX,
) -> None:
    ctx.set_options(p.SSL_OP_NO_TICKET)
    ctx.set_verify(p.SSL_VERIFY_PEER)
    ctx.set_alpn_protos(b"\x02h2")
    ssl = p.SSL(ctx)

    ctx.clear_options(p.SSL_OP_NO_TICKET)
    ctx.set_verify(p.SSL_VERIFY_NONE)
    ctx.set_alpn_protos(b"")
    ctx.set_quiet_shutdown(1)
    ctx.set_max_proto_version(p.TLS1_2_VERSION)

    assert ssl.get_options() & p.SSL_OP_NO_TICKET
    assert ssl.get_verify_mode() == p.SSL_VERIFY_PEER
    assert ssl.get_alpn_protos() == b"\x02h2"
    assert ssl.get_quiet_shutdown() == 0
    assert ssl.get_max_proto_version() == 0


@clause("CTX-3")
def test_settings_of_a_connection_do_not_reach_its_context(
    ctx: p.SSL_CTX,
) -> None:
    ssl, other = p.SSL(ctx), p.SSL(ctx)

    ssl.set_verify(p.SSL_VERIFY_PEER)
    ssl.set_mode(p.SSL_MODE_ENABLE_PARTIAL_WRITE)

    for untouched in (ctx, other):
        assert untouched.get_verify_mode() == p.SSL_VERIFY_NONE
        assert untouched.get_mode() == p.SSL_MODE_AUTO_RETRY


@clause("CTX-3")
def test_certificates_set_later_do_not_reach_older_connections() -> None:
    client_ctx, _ = make_contexts()
    bare = p.SSL_CTX(p.TLS_server_method())
    client, early = make_ends(client_ctx, bare)
    use_identity(bare, ca.leaf())

    assert MemLink(client, early).handshake()[1][0] == -1
    late = MemLink(*make_ends(client_ctx, bare))
    late.established()


@clause("CTX-3", "ALPN-2", "SNI-4", "KLOG-1")
def test_looked_up_callbacks_set_later_reach_older_connections() -> None:
    client_ctx, server_ctx = make_contexts()
    client_ctx.set_alpn_protos(b"\x02h2")
    link = MemLink(*make_ends(client_ctx, server_ctx))
    lines: list[str] = []
    names: list[Any] = []

    def take_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        names.append(ssl.get_servername())
        return p.SSL_TLSEXT_ERR_OK

    server_ctx.set_alpn_select_cb(lambda *_: (p.SSL_TLSEXT_ERR_OK, b"h2"))
    assert server_ctx.set_tlsext_servername_callback(take_name) == 1
    server_ctx.set_keylog_callback(lambda ssl, line: lines.append(line))
    link.established()

    assert link.client.get0_alpn_selected() == b"h2"
    assert names == ["localhost"]
    assert len(lines) == 5


@clause("CTX-3")
def test_copied_callbacks_set_later_do_not_reach_older_connections() -> None:
    client_ctx, server_ctx = make_contexts()
    link = MemLink(*make_ends(client_ctx, server_ctx))
    server_ctx.set_cert_cb(lambda ssl, arg: 0)
    server_ctx.set_client_hello_cb(lambda ssl, alert, arg: 0)

    link.established()

    with pytest.raises(AssertionError):
        MemLink(*make_ends(client_ctx, server_ctx)).established()


@clause("CTX-4")
def test_connection_keeps_its_context_alive() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    ssl = p.SSL(ctx)
    seen = weakref.ref(ctx)
    del ctx
    gc.collect()
    assert ssl.get_SSL_CTX() is seen()

    del ssl
    gc.collect()
    assert seen() is None


@clause("CTX-4")
def test_freeing_the_context_leaves_its_connections_working() -> None:
    client_ctx, server_ctx = make_contexts()
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_CTX_free(client_ctx)
    p.SSL_CTX_free(server_ctx)

    link.established()
    link.send(link.client, b"after the context")


@clause("CTX-4", "CV-3", "OWN-2")
def test_freed_connection_raises_whatever_is_called() -> None:
    link = connected()
    ssl = link.client
    p.SSL_free(ssl)

    for use in (
        ssl.do_handshake,
        lambda: ssl.read(bytearray(1)),
        lambda: ssl.write(b"x"),
        ssl.shutdown,
        ssl.clear,
        ssl.pending,
        ssl.state_string,
        ssl.get_peer_certificate,
        ssl.get_options,
        ssl.get_rbio,
        ssl.report,
        ssl.want,
        lambda: ssl.get_error(-1),
        lambda: ssl.set_bio(None, None),
        lambda: ssl.set_verify(0),
        ssl.free,
    ):
        with pytest.raises(ValueError, match="freed"):
            use()
    assert "freed" in repr(ssl)


@clause("CV-3")
def test_cycle_of_callbacks_contexts_and_connections_is_collected() -> None:
    def tie() -> list[weakref.ref[Any]]:
        link = make_link()
        ssl, ctx = link.client, link.client.get_SSL_CTX()
        owners = [ssl, link]
        ctx.set_keylog_callback(lambda s, line: owners.append(line))
        ctx.set_ex_data(0, ssl)
        ssl.set_ex_data(0, ssl)
        return [weakref.ref(it) for it in (ssl, ctx, link.client_in)]

    seen = tie()
    gc.collect()

    assert [ref() for ref in seen] == [None, None, None]


# ---- versions -------------------------------------------------------------


@clause("VER-1")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@pytest.mark.parametrize(
    ("version", "as_min", "as_max"),
    [
        (0, 0, 0),
        (0x0303, 0x0303, 0x0303),
        (0x0304, 0x0304, 0x0304),
        (0x0301, 0x0303, None),
        (0x0302, 0x0303, None),
        (0x0305, None, None),
        (0x0399, None, None),
        (0x0300, None, None),
    ],
)
def test_version_limits_take_what_can_be_negotiated(
    ctx: p.SSL_CTX,
    holder: str,
    version: int,
    as_min: int | None,
    as_max: int | None,
) -> None:
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    it.set_min_proto_version(0x0304)
    it.set_max_proto_version(0x0303)

    assert it.set_min_proto_version(version) == int(as_min is not None)
    assert it.set_max_proto_version(version) == int(as_max is not None)

    assert it.get_min_proto_version() == (0x0304 if as_min is None else as_min)
    assert it.get_max_proto_version() == (0x0303 if as_max is None else as_max)
    assert reasons() == []


@clause("VER-2", "VER-3", "HS-18")
@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize(
    "limits",
    [
        {"min": 0x0304, "max": 0x0303},
        {"options": NO_12 | NO_13},
    ],
)
def test_empty_range_of_versions_fails_without_a_byte(
    server: bool, limits: dict[str, int]
) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert ctx.set_min_proto_version(limits.get("min", 0)) == 1
    assert ctx.set_max_proto_version(limits.get("max", 0)) == 1
    ctx.set_options(limits.get("options", 0))
    ssl = p.SSL(ctx)
    out = p.BIO(p.BIO_s_mem())
    ssl.set_bio(p.BIO(p.BIO_s_mem()), out)
    (ssl.set_accept_state if server else ssl.set_connect_state)()

    assert outcome(ssl, ssl.do_handshake()) == (-1, 1)
    assert ssl.want() == 1
    assert ssl_reasons() == [191]
    assert out.ctrl_pending() == 0


@clause("VER-4", "CIPH-6")
def test_version_and_cipher_are_told_after_the_handshake() -> None:
    link = make_link()
    assert link.client.get_current_cipher() is None
    assert link.client.get_cipher_name() == "(NONE)"

    link.established()

    for ssl in (link.client, link.server):
        assert ssl.version() == 0x0304
        assert ssl.get_version() == "TLSv1.3"
        cipher = ssl.get_current_cipher()
        assert cipher is not None
        assert cipher.get_name() == ssl.get_cipher_name()
        assert cipher.get_version() == "TLSv1.3"
        assert ssl.get_cipher_version() == "TLSv1.3"
        assert ssl.get_cipher_bits() == cipher.get_bits() == (256, 256)


# ---- options and modes ----------------------------------------------------


@clause("OPT-1", "OPT-3")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_options_are_set_cleared_and_kept_even_if_unknown(
    ctx: p.SSL_CTX, holder: str
) -> None:
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    unknown = 1 << 40

    assert it.set_options(unknown | 0x80) == 0x120080 | unknown
    assert it.get_options() == 0x120080 | unknown
    assert it.clear_options(0x20000) == 0x100080 | unknown
    assert it.get_options() == 0x100080 | unknown


@clause("OPT-1", "CLR-1")
def test_clearing_a_connection_leaves_its_options() -> None:
    link = connected()
    link.client.set_options(p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    before = link.client.get_options()

    assert link.client.clear() == 1

    assert link.client.get_options() == before


@clause("OPT-4")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_modes_are_set_and_cleared(ctx: p.SSL_CTX, holder: str) -> None:
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)

    assert it.set_mode(p.SSL_MODE_ENABLE_PARTIAL_WRITE) == 5
    assert it.set_mode(p.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) == 7
    assert it.clear_mode(p.SSL_MODE_AUTO_RETRY) == 3
    assert it.get_mode() == 3


@clause("OPT-2")
def test_middlebox_compatibility_puts_a_dummy_record_on_the_wire() -> None:
    sent = []
    for on in (True, False):
        client, server = make_ends()
        for ssl in (client, server):
            if not on:
                ssl.clear_options(p.SSL_OP_ENABLE_MIDDLEBOX_COMPAT)
        link = MemLink(client, server)
        client.do_handshake()
        link.move()
        server.do_handshake()
        sent.append(
            b"\x14\x03\x03\x00\x01\x01" in link.server_out.get_mem_data()
        )
    assert sent == [True, False]


@clause("OPT-2", "HS-16")
def test_ignoring_an_unexpected_eof_takes_it_as_the_end() -> None:
    link = make_link()
    link.client.set_options(p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    link.client.do_handshake()
    link.end(link.client)

    assert outcome(link.client, link.client.do_handshake()) == (0, 6)
    assert reasons() == []


@clause("OPT-2")
def test_server_preference_decides_the_suite() -> None:
    aes, chacha = "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"
    chosen = []
    for options in (0, p.SSL_OP_CIPHER_SERVER_PREFERENCE):
        client, server = make_ends()
        assert client.set_ciphersuites(f"{aes}:{chacha}") == 1
        assert server.set_ciphersuites(f"{chacha}:{aes}") == 1
        server.set_options(options)
        MemLink(client, server).established()
        chosen.append(client.get_cipher_name())
    assert chosen == [aes, chacha]


# ---- application data -----------------------------------------------------

CLASSES = [p.SSL, p.SSL_CTX]


def owner_of(kind: Any) -> Any:
    ctx = p.SSL_CTX(p.TLS_method())
    return ctx if kind is p.SSL_CTX else p.SSL(ctx)


@clause("EXD-1")
@pytest.mark.parametrize("kind", CLASSES)
def test_indices_grow_and_unknown_ones_are_refused(kind: Any) -> None:
    first = kind.get_ex_new_index()
    second = kind.get_ex_new_index(0, None, None, None, None)
    it, other = owner_of(kind), owner_of(kind)

    assert 1 <= first < second
    assert it.get_ex_data(first) is None
    assert it.set_ex_data(0, "app data") == 1
    assert it.set_ex_data(first, "first") == 1
    assert it.set_ex_data(second, it) == 1
    assert it.get_ex_data(0) == "app data"
    assert it.get_ex_data(first) == "first"
    assert it.get_ex_data(second) is it
    assert other.get_ex_data(first) is None
    assert reasons() == []

    for unknown in (-1, second + 100):
        assert it.get_ex_data(unknown) is None
        assert it.set_ex_data(unknown, 1) == 0
        assert len(reasons()) == 1


@clause("EXD-2")
@pytest.mark.parametrize("kind", CLASSES)
def test_new_and_free_callbacks_run_in_the_order_of_indices(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()  # what other tests left
    monkeypatch.setattr(kind, "_registry", type(kind._registry)())
    calls: list[Any] = []

    def make(what: str) -> Any:
        return lambda _owner, value, index, argl, argp: calls.append(
            (what, value, index, argl, argp)
        )

    for argl, argp in ((7, "a"), (8, "b")):
        kind.get_ex_new_index(argl, argp, make("new"), None, make("free"))
    it = owner_of(kind)
    it.set_ex_data(2, "kept")
    del it
    gc.collect()

    assert calls == [
        ("new", None, 1, 7, "a"),
        ("new", None, 2, 8, "b"),
        ("free", None, 1, 7, "a"),
        ("free", "kept", 2, 8, "b"),
    ]


@clause("EXD-2")
@pytest.mark.parametrize("kind", CLASSES)
def test_stored_objects_live_as_long_as_their_owner(kind: Any) -> None:
    class Thing:
        pass

    it, thing = owner_of(kind), Thing()
    seen = weakref.ref(thing)
    it.set_ex_data(0, thing)
    del thing
    gc.collect()
    assert seen() is not None

    del it
    gc.collect()
    assert seen() is None
