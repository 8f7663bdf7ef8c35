"""SNI, ALPN, ClientHello callback, key log, exporter: contract 6.6 to 6.14."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    PyBio,
    connected,
    in_thread,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    read,
    reasons,
    ssl_reasons,
)
from tests.clauses import clause


def begun(client_ctx: p.SSL_CTX, server_ctx: p.SSL_CTX) -> MemLink:
    """Make a link whose server has the ClientHello before it."""
    link = MemLink(*make_ends(client_ctx, server_ctx))
    assert outcome(link.client, link.client.do_handshake()) == (-1, 2)
    link.move()
    return link


class Oops(Exception):
    """What callbacks of these tests raise."""


# ---- SNI ------------------------------------------------------------------


@clause("SNI-1")
@pytest.mark.parametrize("name", ["", "x" * 256, b""])
def test_name_of_impossible_length_is_refused(name: Any) -> None:
    ssl = make_link(host=None).client

    assert ssl.set_tlsext_host_name(name) == 0
    assert reasons() == [(20, 319)]
    assert ssl.get_servername() is None


@clause("SNI-1", "SNI-2")
def test_name_is_seen_on_both_sides_and_none_clears_it() -> None:
    for name in ("localhost", b"localhost", "x" * 255):
        link = make_link(host=None)
        assert link.client.set_tlsext_host_name(name) == 1
        shown = name.decode() if isinstance(name, bytes) else name
        assert link.client.get_servername(0) == shown
        assert link.client.get_servername_type() == 0
        assert link.server.get_servername() is None
        assert link.server.get_servername_type() == -1
        link.established()
        assert link.server.get_servername() == shown
        assert link.server.get_servername_type() == 0
        assert link.server.get_servername(1) is None

    link = make_link()
    assert link.client.set_tlsext_host_name(None) == 1
    link.established()
    for ssl in (link.client, link.server):
        assert ssl.get_servername() is None
        assert ssl.get_servername_type() == -1


@clause("SNI-1", "CV-2")
@pytest.mark.parametrize(
    ("name", "error"),
    [(7, TypeError), ("a\0b", ValueError), ("\xfc", ValueError)],
)
def test_name_of_a_wrong_kind_is_raised(
    name: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        make_link().client.set_tlsext_host_name(name)


@clause("SNI-3")
@pytest.mark.parametrize("host", ["localhost", None])
@pytest.mark.parametrize("result", [0, 1, 3])
def test_name_callback_that_lets_pass_runs_once_before_alpn(
    host: str | None, result: int
) -> None:
    client_ctx, server_ctx = make_contexts()
    calls: list[Any] = []

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        calls.append((ssl.get_servername(), list(alert), arg))
        return result

    def on_alpn(ssl: p.SSL, protos: bytes, arg: object) -> Any:
        calls.append("alpn")
        return 0, b"h2"

    client_ctx.set_alpn_protos(b"\x02h2")
    assert server_ctx.set_tlsext_servername_callback(on_name) == 1
    assert server_ctx.set_tlsext_servername_arg("arg") == 1
    server_ctx.set_alpn_select_cb(on_alpn)
    MemLink(*make_ends(client_ctx, server_ctx, host=host)).established()

    assert calls == [(host, [112], "arg"), "alpn"]


@clause("SNI-3", "HS-18")
@pytest.mark.parametrize("alert", [None, 40, 80])
def test_name_callback_that_refuses_sends_its_alert(alert: int | None) -> None:
    client_ctx, server_ctx = make_contexts()

    def refuse(ssl: p.SSL, cell: list[int], arg: object) -> int:
        if alert is not None:
            cell[0] = alert
        return p.SSL_TLSEXT_ERR_ALERT_FATAL

    server_ctx.set_tlsext_servername_callback(refuse)
    link = begun(client_ctx, server_ctx)

    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [234]
    link.move()
    assert outcome(link.client, link.client.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [1000 + (alert or 112)]


@clause("SNI-3", "CV-7")
@pytest.mark.parametrize("bad", ["raise", "type", "cell", "alert"])
def test_name_callback_that_goes_wrong_refuses_and_raises(bad: str) -> None:
    client_ctx, server_ctx = make_contexts()

    def wrong(ssl: p.SSL, cell: list[int], arg: object) -> Any:
        if bad == "raise":
            raise Oops
        if bad == "cell":
            cell.clear()
        if bad == "alert":
            cell[0] = 256
        return "2" if bad == "type" else 2

    server_ctx.set_tlsext_servername_callback(wrong)
    link = begun(client_ctx, server_ctx)

    with pytest.raises((Oops, TypeError, ValueError)):
        link.server.do_handshake()
    assert link.server.get_error(-1) == 1
    assert ssl_reasons() == [234]
    assert outcome(link.server, link.server.do_handshake()) == (-1, 5)


@clause("SNI-4")
def test_no_name_callback_ignores_the_name() -> None:
    client_ctx, server_ctx = make_contexts()
    server_ctx.set_tlsext_servername_callback(lambda *_: 2)
    assert server_ctx.set_tlsext_servername_callback(None) == 1
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    with pytest.raises(TypeError):
        server_ctx.set_tlsext_servername_callback(
            "no"  # type: ignore[arg-type]
        )


@clause("SNI-9", "GE-13", "HS-25")
def test_client_hello_callback_suspends_goes_on_and_comes_first() -> None:
    client_ctx, server_ctx = make_contexts()
    calls: list[Any] = []

    def hello(ssl: p.SSL, alert: list[int], arg: object) -> int:
        calls.append(arg)
        return (
            p.SSL_CLIENT_HELLO_RETRY
            if len(calls) < 3
            else p.SSL_CLIENT_HELLO_SUCCESS
        )

    server_ctx.set_client_hello_cb(hello, "arg")
    server_ctx.set_tlsext_servername_callback(
        lambda *_: calls.append("name") or 0
    )
    link = begun(client_ctx, server_ctx)
    for _ in range(2):
        assert outcome(link.server, link.server.do_handshake()) == (-1, 11)
        assert link.server.want() == p.SSL_CLIENT_HELLO_CB
        assert link.server.want_client_hello_cb() == 1
        assert link.server.in_init() == 1
        assert link.server_out.ctrl_pending() == 0
    link.established()
    assert calls == ["arg", "arg", "arg", "name"]


@clause("SNI-9")
@pytest.mark.parametrize("alert", [None, 70])
def test_client_hello_callback_fails_with_its_alert(alert: int | None) -> None:
    client_ctx, server_ctx = make_contexts()

    def refuse(ssl: p.SSL, cell: list[int], arg: object) -> int:
        if alert is not None:
            cell[0] = alert
        return p.SSL_CLIENT_HELLO_ERROR

    server_ctx.set_client_hello_cb(refuse)
    link = begun(client_ctx, server_ctx)
    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [234]
    link.move()
    link.client.do_handshake()
    assert ssl_reasons() == [1000 + (alert or 80)]


# ---- ALPN -----------------------------------------------------------------


@clause("ALPN-1")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@pytest.mark.parametrize(
    ("wire", "ret"),
    [
        (b"\x02h2\x08http/1.1", 0),
        (b"\xff" + b"x" * 255, 0),
        (b"", 0),
        (b"\x00", 1),
        (b"\x02h2\x00", 1),
        (b"\x03h2", 1),
        (b"\x02h2\x05http", 1),
    ],
)
def test_protocols_are_in_wire_format(
    holder: str, wire: bytes, ret: int
) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    assert it.set_alpn_protos(b"\x01a") == 0

    assert it.set_alpn_protos(bytearray(wire)) == ret
    assert it.get_alpn_protos() == (wire if ret == 0 else b"\x01a")
    assert it.set_alpn_protos(None) == 0
    assert it.get_alpn_protos() == b""
    with pytest.raises(TypeError):
        it.set_alpn_protos("h2")


@clause("ALPN-2", "ALPN-5")
@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ((0, b"http/1.1"), b"http/1.1"),
        ((0, b"h2"), b"h2"),
        (3, b""),
        ((3, b"h2"), b""),
    ],
)
def test_server_chooses_a_protocol_or_none(answer: Any, chosen: bytes) -> None:
    client_ctx, server_ctx = make_contexts()
    client_ctx.set_alpn_protos(b"\x02h2\x08http/1.1")
    calls: list[Any] = []

    def select(ssl: p.SSL, protos: bytes, arg: object) -> Any:
        calls.append((protos, arg))
        return answer

    server_ctx.set_alpn_select_cb(select, "arg")
    link = MemLink(*make_ends(client_ctx, server_ctx))
    assert link.client.get0_alpn_selected() == b""
    link.established()

    assert calls == [(b"\x02h2\x08http/1.1", "arg")]
    for ssl in (link.client, link.server):
        assert ssl.get0_alpn_selected() == chosen


@clause("ALPN-2", "HS-18")
@pytest.mark.parametrize("answer", [1, 2, 7, (2, b"h2"), -1])
def test_server_refuses_all_protocols(answer: Any) -> None:
    client_ctx, server_ctx = make_contexts()
    client_ctx.set_alpn_protos(b"\x02h2")
    server_ctx.set_alpn_select_cb(lambda *_: answer)
    link = begun(client_ctx, server_ctx)

    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [235]
    link.move()
    assert outcome(link.client, link.client.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [1120]


@clause("ALPN-2")
def test_protocol_callback_is_for_clients_that_offer_some() -> None:
    client_ctx, server_ctx = make_contexts()
    server_ctx.set_alpn_select_cb(lambda *_: pytest.fail("asked"))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    client_ctx.set_alpn_protos(b"\x02h2")
    server_ctx.set_alpn_select_cb(None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert link.client.get0_alpn_selected() == b""


@clause("ALPN-2", "CV-7")
@pytest.mark.parametrize(
    "answer",
    [Oops(), None, "h2", (0, "h2"), (0, None), (0, b""), (0, b"x" * 256)],
)
def test_protocol_callback_that_goes_wrong_refuses_and_raises(
    answer: Any,
) -> None:
    def select(*_: Any) -> Any:
        if isinstance(answer, Oops):
            raise answer
        return answer

    client_ctx, server_ctx = make_contexts()
    client_ctx.set_alpn_protos(b"\x02h2")
    server_ctx.set_alpn_select_cb(select)
    link = begun(client_ctx, server_ctx)

    with pytest.raises((Oops, TypeError, ValueError)):
        link.server.do_handshake()
    assert ssl_reasons() == [235]
    link.move()
    link.client.do_handshake()
    assert ssl_reasons() == [1120]


@clause("ALPN-3")
def test_client_refuses_a_protocol_that_it_did_not_offer() -> None:
    client_ctx, server_ctx = make_contexts()
    client_ctx.set_alpn_protos(b"\x02h2")
    server_ctx.set_alpn_select_cb(lambda *_: (0, b"h3"))
    link = begun(client_ctx, server_ctx)
    link.server.do_handshake()
    link.move()

    assert outcome(link.client, link.client.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [110]


@clause("ALPN-4")
@pytest.mark.parametrize(
    ("server", "client", "found"),
    [
        (b"\x01a\x01b", b"\x01b\x01a", (1, b"a")),
        (b"\x01c\x01b", b"\x01a\x01b", (1, b"b")),
        (b"\x01c", b"\x01a\x01b", (2, b"a")),
        (b"", b"\x01a", (2, b"a")),
        (b"\x01a", b"", (2, b"")),
    ],
)
def test_select_next_proto_gives_the_first_that_both_have(
    server: bytes, client: bytes, found: tuple[int, bytes]
) -> None:
    assert p.SSL_select_next_proto(server, client) == found
    with pytest.raises(ValueError, match="malformed"):
        p.SSL_select_next_proto(server, b"\x05a")


# ---- key log --------------------------------------------------------------

LABELS = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
]


@clause("KLOG-1", "KLOG-2")
@pytest.mark.parametrize(
    ("suite", "size"),
    [("TLS_AES_256_GCM_SHA384", 96), ("TLS_AES_128_GCM_SHA256", 64)],
)
def test_both_sides_log_the_same_secrets(suite: str, size: int) -> None:
    client_ctx, server_ctx = make_contexts()
    client_ctx.set_ciphersuites(suite)
    logs: list[list[tuple[p.SSL, str]]] = [[], []]

    def keep(ssl: p.SSL, line: str) -> None:
        logs[ssl.is_server()].append((ssl, line))

    for ctx in (client_ctx, server_ctx):
        assert ctx.get_keylog_callback() is None
        ctx.set_keylog_callback(keep)
        assert ctx.get_keylog_callback() is keep
    link = begun(client_ctx, server_ctx)
    hello = bytes(link.server_in.get_mem_data())
    link.established()

    lines = [sorted(line for _, line in log) for log in logs]
    assert lines[0] == lines[1]
    assert {ssl for ssl, _ in logs[0]} == {link.client}
    assert [line.split()[0] for line in lines[0]] == LABELS
    for line in lines[0]:
        _, random, secret = line.split(" ")
        assert random == hello[11:43].hex()
        assert len(secret) == size
        assert secret == bytes.fromhex(secret).hex()


@clause("KLOG-1", "CV-7")
def test_key_log_callback_that_raises_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client_ctx, server_ctx = make_contexts()
    raised: list[Any] = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda it: raised.append(it.exc_type)
    )

    def bad(ssl: p.SSL, line: str) -> None:
        raise Oops

    client_ctx.set_keylog_callback(bad)
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    assert raised == [Oops] * 5

    client_ctx.set_keylog_callback(None)
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    assert raised == [Oops] * 5


# ---- exporter -------------------------------------------------------------


def export(ssl: p.SSL, *arguments: Any, size: int = 40) -> tuple[int, bytes]:
    out = bytearray(size)
    ret = p.SSL_export_keying_material(ssl, out, *arguments)
    return ret, bytes(out)


@clause("EKM-1", "EKM-2")
def test_exporter_agrees_on_both_sides_and_depends_on_its_input() -> None:
    link = make_link()
    assert export(link.client, "EXPORTER-x") == (-1, bytes(40))
    link.established()

    inputs = [
        ("EXPORTER-x",),
        ("EXPORTER-y",),
        ("EXPORTER-x", b"context"),
        (b"EXPORTER-x", bytearray(b"other"), 1),
    ]
    seen = set()
    for one in inputs:
        ret, out = export(link.client, *one)
        assert ret == 1
        assert export(link.server, *one) == (1, out)
        seen.add(out)
    assert len(seen) == len(inputs)
    # TLS 1.3: no context and an empty one are the same.
    plain = export(link.client, "EXPORTER-x")
    assert export(link.server, "EXPORTER-x", b"", 1) == plain
    assert export(link.server, "EXPORTER-x", b"ignored", 0) == plain

    link.client.shutdown()
    assert export(link.client, "EXPORTER-x") == plain
    assert export(link.client, "EXPORTER-x", size=48 * 255 + 1)[0] == 0
    with pytest.raises(TypeError):
        link.client.export_keying_material(bytes(4), "EXPORTER-x")
    with pytest.raises(TypeError):
        link.client.export_keying_material(
            bytearray(4),
            7,  # type: ignore[arg-type]
        )


# ---- inside a callback ----------------------------------------------------


@clause("CV-8")
@pytest.mark.parametrize(
    "use",
    [
        lambda ssl: ssl.do_handshake(),
        lambda ssl: ssl.read(bytearray(1)),
        lambda ssl: ssl.peek(bytearray(1)),
        lambda ssl: ssl.write(b"x"),
        lambda ssl: ssl.shutdown(),
        lambda ssl: ssl.clear(),
        lambda ssl: ssl.set_accept_state(),
        lambda ssl: ssl.free(),
        lambda ssl: ssl.set_bio(None, None),
        lambda ssl: ssl.key_update(0),
    ],
)
def test_io_on_the_same_object_inside_a_callback_is_an_error(
    use: Any,
) -> None:
    client_ctx, server_ctx = make_contexts()
    found: list[Any] = []

    def callback(ssl: p.SSL, *_: Any) -> int:
        assert ssl.state_string()
        with pytest.raises(RuntimeError):
            use(ssl)
        found.append(ssl.get_servername())
        ssl.set_mode(p.SSL_MODE_ENABLE_PARTIAL_WRITE)
        return 0

    server_ctx.set_tlsext_servername_callback(callback)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert found == ["localhost"]
    assert link.server.get_mode() & p.SSL_MODE_ENABLE_PARTIAL_WRITE


@clause("METH-8")
def test_io_on_the_same_object_inside_a_bio_operation_is_an_error() -> None:
    client, _ = make_ends()
    py = PyBio()
    raised: list[Any] = []
    inner = p.BIO_meth_get_write(py.method)

    def write(b: p.BIO, view: memoryview) -> int:
        with pytest.raises(RuntimeError) as caught:
            client.write(b"inside")
        raised.append(caught.value)
        return int(inner(b, view))

    p.BIO_meth_set_write(py.method, write)
    client.set_bio(py.bio, py.bio)

    assert outcome(client, client.do_handshake()) == (-1, 2)
    assert len(raised) == 1


# ---- threads --------------------------------------------------------------


@clause("CV-8")
def test_facts_and_writes_do_not_wait_for_a_blocked_reader() -> None:
    from tests.api.links import SockLink

    with SockLink(*make_ends()) as link:
        assert link.handshake() == [(1, 0), (1, 0)]
        buf = bytearray(100)
        reader, got = in_thread(lambda: link.client.read(buf))

        def ask() -> None:
            assert link.client.get_peer_certificate() is not None
            assert link.client.get_cipher_name()
            assert link.client.get_options()
            assert link.client.pending() == 0
            assert link.client.has_pending() == 0
            assert link.client.write(b"ping") == 4

        asker, asked = in_thread(ask)
        asker.join(20)
        assert not asker.is_alive()
        assert asked == [None]
        assert read(link.server) == b"ping"
        assert link.server.write(b"pong") == 4
        reader.join(20)
        assert got == [4]
        assert buf[:4] == b"pong"


@clause("GE-4", "CV-8", "WANT-2")
def test_want_is_the_one_of_the_threads_own_last_call() -> None:
    link = connected()
    ssl = link.client
    assert outcome(ssl, ssl.read(bytearray(1))) == (-1, 2)

    def write() -> Any:
        ret = ssl.write(b"x")
        return outcome(ssl, ret), ssl.want(), threading.get_ident()

    thread, found = in_thread(write)
    thread.join(20)

    assert found[0][:2] == ((1, 0), p.SSL_NOTHING)
    assert ssl.want() == p.SSL_READING
    assert ssl.get_error(-1) == 2
