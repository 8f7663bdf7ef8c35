"""SNI: callback results by what is on the wire, and retries (contract 6.6)."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    outcome,
    raw_client,
    reasons,
    ssl_reasons,
)
from tests.api.opened import Capture, hello_of
from tests.clauses import clause
from tests.forge import messages
from tests.pki import ca

RETRY = ("X25519:P-384", "P-384")


def contexts(*groups: str) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make contexts; with groups, ones that take a HelloRetryRequest."""
    made = make_contexts()
    for ctx, text in zip(made, groups):
        assert p.SSL_CTX_set1_groups_list(ctx, text) == 1
    return made


# ---- SNI-1, SNI-2: the name -----------------------------------------------


@clause("SNI-1", "RFC 8446 4.1.2")
@pytest.mark.parametrize(
    "name", ["localhost", "a", "x" * 255, "WWW.Example.ORG", "xn--bcher-kva"]
)
def test_name_goes_out_as_a_host_name_entry(name: str) -> None:
    peer = raw_client(host=None)
    assert p.SSL_set_tlsext_host_name(peer.ssl, name) == 1
    peer.handshake()

    found = hello_of(peer.sent()).get(messages.SERVER_NAME)

    assert found == messages.server_name(name.encode())


@clause("SNI-1", "SNI-2")
def test_cleared_or_refused_name_is_not_sent() -> None:
    peer = raw_client(host=None)
    assert p.SSL_set_tlsext_host_name(peer.ssl, "first.test") == 1
    assert p.SSL_set_tlsext_host_name(peer.ssl, "x" * 256) == 0
    assert reasons() == [(p.ERR_LIB_SSL, 319)]
    assert p.SSL_get_servername(peer.ssl, 0) == "first.test"
    assert p.SSL_set_tlsext_host_name(peer.ssl, None) == 1
    assert p.SSL_get_servername(peer.ssl, 0) is None
    assert p.SSL_get_servername_type(peer.ssl) == -1
    peer.handshake()

    assert not hello_of(peer.sent()).has(messages.SERVER_NAME)


@clause("SNI-1", "VFY-12")
def test_name_sent_is_not_the_name_verified() -> None:
    client, server = make_ends(host=None)
    assert p.SSL_set_tlsext_host_name(client, "not.in.the.certificate") == 1
    MemLink(client, server).established()

    assert p.SSL_get0_peername(client) is None
    assert p.SSL_get_servername(server, 0) == "not.in.the.certificate"


@clause("SNI-2")
@pytest.mark.parametrize("type", [-1, 1, 255])
def test_only_host_names_have_a_type(type: int) -> None:
    client, server = make_ends()
    MemLink(client, server).established()
    for ssl in (client, server):
        assert p.SSL_get_servername(ssl, type) is None
        assert p.SSL_get_servername(ssl, 0) == "localhost"
        assert p.SSL_get_servername_type(ssl) == 0


# ---- SNI-3: the callback --------------------------------------------------


@clause("SNI-3", "SNI-4")
@pytest.mark.parametrize(
    ("result", "acknowledged"),
    [(None, False), (0, True), (1, False), (3, False)],
)
@pytest.mark.parametrize("host", ["localhost", None])
def test_name_is_acknowledged_if_it_was_sent_and_accepted(
    result: Optional[int], acknowledged: bool, host: Optional[str]
) -> None:
    client_ctx, server_ctx = contexts()
    if result is not None:
        done = p.SSL_CTX_set_tlsext_servername_callback(
            server_ctx, lambda *_: result
        )
        assert done == 1
    capture = Capture(client_ctx, server_ctx)
    name = None if host is None else host
    assert p.SSL_set_tlsext_host_name(capture.link.client, name) == 1
    capture.run()

    found = capture.extensions()
    if acknowledged and host is not None:
        assert found[messages.SERVER_NAME] == b""  # RFC 6066 3
    else:
        assert messages.SERVER_NAME not in found
    assert p.SSL_is_init_finished(capture.link.server)


@clause("SNI-3")
@pytest.mark.parametrize("groups", [(), RETRY], ids=["direct", "retry"])
@pytest.mark.parametrize("host", ["localhost", None])
def test_callback_runs_once_for_each_client_hello(
    groups: tuple[str, ...], host: Optional[str]
) -> None:
    client_ctx, server_ctx = contexts(*groups)
    calls: list[Any] = []

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        calls.append((ssl, p.SSL_get_servername(ssl, 0), list(alert), arg))
        return 0

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, on_name)
    assert p.SSL_CTX_set_tlsext_servername_arg(server_ctx, 7) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx, host=host))
    link.established()

    hellos = 2 if groups else 1
    assert calls == [(link.server, host, [112], 7)] * hellos
    assert link.client.hello_retried() == bool(groups)


@clause("SNI-3", "HS-18")
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("alert", [112, 40, 49, 116])
def test_refusal_at_either_hello_ends_with_the_alert_of_the_cell(
    at: int, alert: int
) -> None:
    client_ctx, server_ctx = contexts(*RETRY)
    calls: list[int] = []

    def on_name(ssl: p.SSL, cell: list[int], arg: object) -> int:
        calls.append(cell[0])
        if len(calls) < at:
            return p.SSL_TLSEXT_ERR_OK
        cell[0] = alert
        return p.SSL_TLSEXT_ERR_ALERT_FATAL

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, on_name)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    for _ in range(at):
        p.SSL_do_handshake(link.client)
        link.move()
        last = outcome(link.server, p.SSL_do_handshake(link.server))
        link.move()

    assert last == (-1, 1)
    assert calls == [112] * at
    assert ssl_reasons() == [234]
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [1000 + alert]


@clause("SNI-3")
@pytest.mark.parametrize("name", ["a.test", "b.test", "c.test"])
def test_callback_may_choose_the_certificate_by_the_name(name: str) -> None:
    leaves = {n: ca.leaf(names=(n,)) for n in ("a.test", "b.test")}
    client_ctx, server_ctx = make_contexts()

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        leaf = leaves.get(p.SSL_get_servername(ssl, 0) or "")
        if leaf is None:
            return p.SSL_TLSEXT_ERR_NOACK
        assert p.SSL_use_certificate_ASN1(ssl, leaf.cert_der) == 1
        assert p.SSL_use_PrivateKey_ASN1(0, ssl, leaf.key_der) == 1
        return p.SSL_TLSEXT_ERR_OK

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, on_name)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    assert p.SSL_set_tlsext_host_name(link.client, name) == 1
    link.established()

    found = p.SSL_get_peer_certificate(link.client)
    wanted = leaves.get(name, ca.leaf())
    assert found == p.X509.from_der(wanted.cert_der)


@clause("SNI-3", "SNI-9", "ALPN-2")
def test_clients_are_asked_nothing() -> None:
    client_ctx, server_ctx = make_contexts()

    def never(*_: Any) -> Any:
        pytest.fail("asked")

    p.SSL_CTX_set_tlsext_servername_callback(client_ctx, never)
    p.SSL_CTX_set_client_hello_cb(client_ctx, never)
    p.SSL_CTX_set_alpn_select_cb(client_ctx, never)
    MemLink(*make_ends(client_ctx, server_ctx)).established()


# ---- SNI-9: the first hook ------------------------------------------------


@clause("SNI-9", "CERT-20")
def test_client_hello_callback_comes_before_all_others() -> None:
    client_ctx, server_ctx = contexts()
    p.SSL_CTX_set_alpn_protos(client_ctx, b"\x02h2")
    calls: list[str] = []

    def note(name: str, result: Any) -> Any:
        def callback(*_: Any) -> Any:
            calls.append(name)
            return result

        return callback

    p.SSL_CTX_set_alpn_select_cb(server_ctx, note("alpn", (0, b"h2")))
    p.SSL_CTX_set_cert_cb(server_ctx, note("cert", 1))
    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, note("name", 0))
    p.SSL_CTX_set_client_hello_cb(server_ctx, note("hello", 1))
    MemLink(*make_ends(client_ctx, server_ctx)).established()

    assert calls == ["hello", "name", "cert", "alpn"]


@clause("SNI-9", "HS-18")
@pytest.mark.parametrize("alert", [40, 70, 80, 112])
def test_client_hello_callback_that_fails_stops_the_others(
    alert: int,
) -> None:
    client_ctx, server_ctx = contexts()

    def never(*_: Any) -> Any:
        pytest.fail("asked")

    def refuse(ssl: p.SSL, cell: list[int], arg: object) -> int:
        cell[0] = alert
        return p.SSL_CLIENT_HELLO_ERROR

    p.SSL_CTX_set_client_hello_cb(server_ctx, refuse)
    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, never)
    p.SSL_CTX_set_cert_cb(server_ctx, never)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_do_handshake(link.client)
    link.move()

    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert ssl_reasons() == [234]
    assert link.server.report().alert_sent == alert
    link.move()
    p.SSL_do_handshake(link.client)
    assert ssl_reasons() == [1000 + alert]
