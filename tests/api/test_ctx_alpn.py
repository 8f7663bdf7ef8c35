"""ALPN: what is offered, chosen and sent (contract 6.7)."""

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
from tests.forge import messages, victim
from tests.forge.peer import ForgeServer
from tests.pki import ca

H2, H11, BOTH = b"\x02h2", b"\x08http/1.1", b"\x02h2\x08http/1.1"
LONG = b"\xff" + b"x" * 255


# ---- ALPN-1: lists --------------------------------------------------------


@clause("ALPN-1", "RFC 7301 3.1")
@pytest.mark.parametrize(
    ("on_ctx", "on_ssl", "offered"),
    [
        (None, None, None),
        (BOTH, None, BOTH),
        (None, H2, H2),
        (BOTH, H11, H11),
        (BOTH, b"", None),
        (LONG * 3, None, LONG * 3),
        (b"\x01\x00\x01\xff", None, b"\x01\x00\x01\xff"),
    ],
)
def test_list_of_the_connection_wins_and_is_sent_as_it_is(
    on_ctx: Optional[bytes], on_ssl: Optional[bytes], offered: Optional[bytes]
) -> None:
    client_ctx, server_ctx = make_contexts()
    if on_ctx is not None:
        assert p.SSL_CTX_set_alpn_protos(client_ctx, on_ctx) == 0
    peer = raw_client(client_ctx=client_ctx, server_ctx=server_ctx)
    if on_ssl is not None:
        assert p.SSL_set_alpn_protos(peer.ssl, on_ssl) == 0
    peer.handshake()

    hello = hello_of(peer.sent())

    if offered is None:
        assert not hello.has(messages.ALPN)
    else:
        assert hello.get(messages.ALPN) == messages.vec(2, offered)


@clause("ALPN-1")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@pytest.mark.parametrize(
    "bad", [b"\x00", H2 + b"\x00", b"\x00" + H2, b"\x03h2", b"\x01", H2 + b"x"]
)
def test_malformed_list_is_not_zero_and_leaves_the_old_one(
    holder: str, bad: bytes
) -> None:
    client_ctx, server_ctx = make_contexts()
    peer = raw_client(client_ctx=client_ctx, server_ctx=server_ctx)
    if holder == "ctx":
        assert p.SSL_CTX_set_alpn_protos(client_ctx, H2) == 0
        assert p.SSL_CTX_set_alpn_protos(client_ctx, bad) == 1
        peer = raw_client(client_ctx=client_ctx, server_ctx=server_ctx)
    else:
        assert p.SSL_set_alpn_protos(peer.ssl, H2) == 0
        assert p.SSL_set_alpn_protos(peer.ssl, bad) == 1
    assert reasons() == []

    peer.handshake()
    assert hello_of(peer.sent()).get(messages.ALPN) == messages.vec(2, H2)


# ---- ALPN-2, ALPN-5: the choice -------------------------------------------

CHOICES: list[tuple[Any, Optional[bytes]]] = [
    ((0, b"h2"), b"h2"),
    ((0, b"http/1.1"), b"http/1.1"),
    (3, b""),
    ((3, None), b""),
    ((1, b"h2"), None),
    ((2, b"h2"), None),
    ((4, b"h2"), None),
    (-1, None),
    (None, b""),
]


@clause("ALPN-2", "ALPN-5", "HS-18")
@pytest.mark.parametrize("offer", [BOTH, b""])
@pytest.mark.parametrize(("answer", "chosen"), CHOICES)
def test_offer_by_answer_gives_protocol_or_refusal(
    offer: bytes, answer: Any, chosen: Optional[bytes]
) -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set_alpn_protos(client_ctx, offer) == 0
    asked: list[bytes] = []

    def select(ssl: p.SSL, offered: bytes, arg: object) -> Any:
        asked.append(offered)
        return answer

    if answer is not None:
        p.SSL_CTX_set_alpn_select_cb(server_ctx, select, None)
    capture = Capture(client_ctx, server_ctx)
    client, server = capture.link.client, capture.link.server

    if chosen is None and offer:
        capture.step("client")
        assert capture.step("server") == (-1, 1)
        assert ssl_reasons() == [235]
        assert capture.step("client") == (-1, 1)
        assert ssl_reasons() == [1120]
        for ssl in (client, server):
            assert p.SSL_get0_alpn_selected(ssl) == b""
        return

    capture.run()
    name = chosen if offer and chosen else b""
    for ssl in (client, server):
        assert p.SSL_get0_alpn_selected(ssl) == name
    assert asked == ([offer] if offer and answer is not None else [])
    found = capture.extensions().get(messages.ALPN)
    wanted = messages.protocols([name]) if name else None
    assert found == wanted


@clause("ALPN-5")
def test_protocol_is_empty_before_and_forgotten_by_a_clear() -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set_alpn_protos(client_ctx, H2) == 0
    p.SSL_CTX_set_alpn_select_cb(server_ctx, lambda *_: (0, b"h2"), None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    for ssl in (link.client, link.server):
        assert p.SSL_get0_alpn_selected(ssl) == b""
    link.established()
    for ssl in (link.client, link.server):
        assert p.SSL_get0_alpn_selected(ssl) == b"h2"

        assert p.SSL_clear(ssl) == 1

        assert p.SSL_get0_alpn_selected(ssl) == b""


@clause("ALPN-2", "SNI-3")
@pytest.mark.parametrize("name", ["h2.test", "old.test", "none.test"])
def test_protocol_may_depend_on_the_name_which_comes_first(name: str) -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set_alpn_protos(client_ctx, BOTH) == 0
    said: dict[p.SSL, Any] = {}

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        said[ssl] = p.SSL_get_servername(ssl, 0)
        return 0

    def select(ssl: p.SSL, offered: bytes, arg: Any) -> Any:
        return arg.get(said[ssl], p.SSL_TLSEXT_ERR_NOACK)

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, on_name)
    table = {"h2.test": (0, b"h2"), "old.test": (0, b"http/1.1")}
    p.SSL_CTX_set_alpn_select_cb(server_ctx, select, table)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    p.SSL_set_tlsext_host_name(link.client, name)
    link.established()

    wanted = {"h2.test": b"h2", "old.test": b"http/1.1"}.get(name, b"")
    assert p.SSL_get0_alpn_selected(link.client) == wanted


# ---- ALPN-3: answers of a server that does as it likes --------------------


@clause("ALPN-3", "RFC 7301 3.1")
@pytest.mark.parametrize("offer", [H2, BOTH])
@pytest.mark.parametrize("answer", [b"h3", b"h", b"h2\0", b"H2"])
def test_client_refuses_what_it_did_not_offer(
    offer: bytes, answer: bytes
) -> None:
    forge = ForgeServer(
        ca.leaf(),
        extensions=[(messages.ALPN, messages.protocols([answer]))],
    )
    it = victim.client(forge, lambda ssl: p.SSL_set_alpn_protos(ssl, offer))

    assert it.handshake() == (-1, 1)
    assert ssl_reasons() == [110]
    assert p.SSL_get0_alpn_selected(it.ssl) == b""
    it.deliver()
    assert [alert.description for alert in forge.alerts] == [47]


@clause("ALPN-3")
@pytest.mark.parametrize("answer", [b"h2", b"http/1.1"])
def test_client_takes_what_it_offered(answer: bytes) -> None:
    forge = ForgeServer(
        ca.leaf(),
        extensions=[(messages.ALPN, messages.protocols([answer]))],
    )
    it = victim.client(forge, lambda ssl: p.SSL_set_alpn_protos(ssl, BOTH))

    assert it.handshake() == (1, 0)
    assert p.SSL_get0_alpn_selected(it.ssl) == answer


# ---- ALPN-4: the helper ---------------------------------------------------


@clause("ALPN-4")
@pytest.mark.parametrize(
    ("server", "client", "found"),
    [
        (BOTH, BOTH, (1, b"h2")),
        (BOTH, H11 + H2, (1, b"h2")),
        (H11 + H2, BOTH, (1, b"http/1.1")),
        (H2, H11, (2, b"http/1.1")),
        (b"\x02h3" + H11, H2 + H11, (1, b"http/1.1")),
        (b"\x01h", H2, (2, b"h2")),
        (b"\x02H2", H2, (2, b"h2")),
        (LONG, LONG, (1, b"x" * 255)),
    ],
)
def test_first_of_the_first_list_that_the_second_has_is_chosen(
    server: bytes, client: bytes, found: tuple[int, bytes]
) -> None:
    assert p.SSL_select_next_proto(server, client) == found
    assert p.OPENSSL_NPN_NEGOTIATED == 1
    assert p.OPENSSL_NPN_NO_OVERLAP == 2


@clause("ALPN-2", "ALPN-4")
@pytest.mark.parametrize(
    ("ours", "chosen"), [(H11 + H2, b"http/1.1"), (b"\x02h3", None)]
)
def test_helper_serves_inside_the_callback(
    ours: bytes, chosen: Optional[bytes]
) -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set_alpn_protos(client_ctx, BOTH) == 0

    def select(ssl: p.SSL, offered: bytes, arg: object) -> Any:
        found, name = p.SSL_select_next_proto(ours, offered)
        if found != p.OPENSSL_NPN_NEGOTIATED:
            return p.SSL_TLSEXT_ERR_ALERT_FATAL
        return p.SSL_TLSEXT_ERR_OK, name

    p.SSL_CTX_set_alpn_select_cb(server_ctx, select, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    if chosen is not None:
        link.established()
        assert p.SSL_get0_alpn_selected(link.client) == chosen
        return
    p.SSL_do_handshake(link.client)
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert ssl_reasons() == [235]
