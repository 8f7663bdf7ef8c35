"""Options and modes: contract section 6.3, and what each is seen to do."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    PairLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    raw_client,
    read,
    reasons,
    ssl_reasons,
    take,
)
from tests.api.opened import hello_of, split_records
from tests.clauses import clause

AES, CHACHA = "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"
OPTIONS = sorted(name for name in dir(p) if name.startswith("SSL_OP_"))
MODES = sorted(name for name in dir(p) if name.startswith("SSL_MODE_"))
HOLDERS = ["ctx", "ssl"]


def holder_of(kind: str) -> Any:
    """Give a fresh context, or a connection of one."""
    ctx = p.SSL_CTX(p.TLS_method())
    return ctx if kind == "ctx" else p.SSL(ctx)


# ---- the masks ------------------------------------------------------------


@clause("OPT-1", "OPT-2")
@pytest.mark.parametrize("kind", HOLDERS)
@pytest.mark.parametrize("name", OPTIONS)
def test_option_is_ored_in_and_taken_out_alone(kind: str, name: str) -> None:
    it, bits = holder_of(kind), getattr(p, name)

    assert it.set_options(bits) == 0x120000 | bits
    assert it.set_options(bits) == 0x120000 | bits
    assert it.get_options() == 0x120000 | bits
    assert it.clear_options(bits) == 0x120000 & ~bits
    assert it.clear_options(bits) == 0x120000 & ~bits
    assert it.get_options() == 0x120000 & ~bits


@clause("OPT-1", "OPT-4")
@pytest.mark.parametrize("kind", HOLDERS)
@pytest.mark.parametrize("name", MODES)
def test_mode_is_ored_in_and_taken_out_alone(kind: str, name: str) -> None:
    it, bits = holder_of(kind), getattr(p, name)

    assert it.set_mode(bits) == 4 | bits
    assert it.get_mode() == 4 | bits
    assert it.clear_mode(bits) == 4 & ~bits
    assert it.get_mode() == 4 & ~bits


@clause("OPT-3")
@pytest.mark.parametrize("bit", [9, 19, 28, 33, 47, 61, 62])
def test_unknown_option_is_kept_copied_and_without_effect(bit: int) -> None:
    client_ctx, server_ctx = make_contexts()
    for ctx in (client_ctx, server_ctx):
        assert p.SSL_CTX_set_options(ctx, 1 << bit) == 0x120000 | 1 << bit
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    link.send(link.client, b"as ever")

    for ssl in (link.client, link.server):
        assert p.SSL_get_options(ssl) == 0x120000 | 1 << bit


@clause("OPT-1")
def test_clearing_the_connection_leaves_options_and_modes() -> None:
    link = connected()
    p.SSL_set_options(link.client, p.SSL_OP_NO_TICKET)
    p.SSL_set_mode(link.client, p.SSL_MODE_RELEASE_BUFFERS)
    p.SSL_clear_options(link.client, p.SSL_OP_NO_COMPRESSION)

    assert p.SSL_clear(link.client) == 1

    assert p.SSL_get_options(link.client) == 0x104000
    assert p.SSL_get_mode(link.client) == 0x14


@clause("OPT-1", "CV-2")
@pytest.mark.parametrize("kind", HOLDERS)
@pytest.mark.parametrize("call", ["set", "clear"])
@pytest.mark.parametrize("what", ["options", "mode"])
def test_bits_are_numbers(kind: str, call: str, what: str) -> None:
    it = holder_of(kind)
    before = getattr(it, f"get_{what}")()
    for wrong in ("1", None, 1.0):
        with pytest.raises(TypeError):
            getattr(it, f"{call}_{what}")(wrong)
    assert getattr(it, f"get_{what}")() == before


# ---- what is seen of each option ------------------------------------------

QUIET = [
    "SSL_OP_ALL",
    "SSL_OP_LEGACY_SERVER_CONNECT",
    "SSL_OP_NO_EXTENDED_MASTER_SECRET",
    "SSL_OP_ALLOW_NO_DHE_KEX",
    "SSL_OP_NO_TICKET",
    "SSL_OP_NO_COMPRESSION",
    "SSL_OP_NO_ANTI_REPLAY",
    "SSL_OP_NO_RENEGOTIATION",
    "SSL_OP_NO_TLSv1_2",
    "SSL_OP_NO_TLSv1_1",
    "SSL_OP_NO_TLSv1",
    "SSL_OP_NO_SSLv3",
]


@clause("OPT-2")
@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("on", [True, False])
def test_option_that_concerns_no_full_handshake_disturbs_none(
    name: str, on: bool
) -> None:
    client, server = make_ends(client_auth=True)
    for ssl in (client, server):
        change = p.SSL_set_options if on else p.SSL_clear_options
        change(ssl, getattr(p, name))
    link = MemLink(client, server)

    assert link.handshake() == [(-1, 2), (-1, 2), (1, 0), (1, 0)]
    link.send(client, b"there")
    link.send(server, b"back")
    assert reasons() == []


@clause("OPT-2", "RFC 8446 4.1.2", "RFC 8446 D.4")
@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("theirs", [True, False])
def test_middlebox_mode_is_the_clients_choice(
    ours: bool, theirs: bool
) -> None:
    client, server = make_ends()
    for ssl, on in ((client, ours), (server, theirs)):
        if not on:
            p.SSL_clear_options(ssl, p.SSL_OP_ENABLE_MIDDLEBOX_COMPAT)
    link = MemLink(client, server)
    p.SSL_do_handshake(client)
    hello = take(link.client_out)
    p.BIO_write(link.server_in, hello)
    p.SSL_do_handshake(server)
    flight = take(link.server_out)
    p.BIO_write(link.client_in, flight)
    assert p.SSL_do_handshake(client) == 1
    last = take(link.client_out)

    def dummies(data: bytes) -> int:
        records = split_records(data)
        return records.count(bytes.fromhex("140303000101"))

    assert len(hello_of(hello).session_id) == (32 if ours else 0)
    assert (dummies(hello), dummies(last)) == (0, int(ours))
    assert dummies(flight) == int(ours)  # RFC 8446 D.4: it must
    p.BIO_write(link.server_in, last)
    assert p.SSL_do_handshake(server) == 1


@clause("OPT-2")
@pytest.mark.parametrize("clear", [False, True])
def test_compression_is_never_offered(clear: bool) -> None:
    peer = raw_client()
    if clear:
        p.SSL_clear_options(peer.ssl, p.SSL_OP_NO_COMPRESSION)
    peer.handshake()
    assert hello_of(peer.sent()).compression == b"\0"


SERVER_FIRST = p.SSL_OP_CIPHER_SERVER_PREFERENCE
CHACHA_FIRST = p.SSL_OP_PRIORITIZE_CHACHA


@clause("OPT-2")
@pytest.mark.parametrize(
    ("options", "client", "server", "chosen"),
    [
        (0, [AES, CHACHA], [CHACHA, AES], AES),
        (0, [CHACHA, AES], [AES, CHACHA], CHACHA),
        (SERVER_FIRST, [AES, CHACHA], [CHACHA, AES], CHACHA),
        (SERVER_FIRST, [CHACHA, AES], [AES, CHACHA], AES),
        (CHACHA_FIRST, [AES, CHACHA], [CHACHA, AES], AES),
        (SERVER_FIRST | CHACHA_FIRST, [CHACHA, AES], [AES, CHACHA], CHACHA),
        (SERVER_FIRST | CHACHA_FIRST, [AES, CHACHA], [AES, CHACHA], AES),
        (SERVER_FIRST | CHACHA_FIRST, [CHACHA, AES], [AES], AES),
    ],
)
def test_preference_options_decide_the_suite(
    options: int, client: list[str], server: list[str], chosen: str
) -> None:
    ends = make_ends()
    assert p.SSL_set_ciphersuites(ends[0], ":".join(client)) == 1
    assert p.SSL_set_ciphersuites(ends[1], ":".join(server)) == 1
    p.SSL_set_options(ends[1], options)
    link = MemLink(*ends)
    link.established()

    for ssl in ends:
        assert p.SSL_get_cipher_name(ssl) == chosen


@clause("OPT-2", "RW-8")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("ignore", [True, False])
def test_end_without_close_notify_is_an_error_unless_ignored(
    side: str, ignore: bool
) -> None:
    link = connected()
    ssl = getattr(link, side)
    if ignore:
        p.SSL_set_options(ssl, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    link.end(ssl)

    got = outcome(ssl, p.SSL_read(ssl, bytearray(10)))

    assert got == ((0, 6) if ignore else (0, 1))
    assert ssl_reasons() == ([] if ignore else [294])
    if ignore:
        assert p.SSL_get_shutdown(ssl) & p.SSL_RECEIVED_SHUTDOWN
        assert p.SSL_write(ssl, b"not dead") == 8


@clause("OPT-2", "RW-28")
@pytest.mark.parametrize("option", [0, p.SSL_OP_NO_RENEGOTIATION])
@pytest.mark.parametrize("side", ["client", "server"])
def test_renegotiation_is_refused_whatever_the_option(
    option: int, side: str
) -> None:
    link = connected()
    ssl = getattr(link, side)
    p.SSL_set_options(ssl, option)

    assert p.SSL_renegotiate(ssl) == 0
    assert len(ssl_reasons()) == 1
    link.send(ssl, b"goes on")


# ---- what is seen of each mode --------------------------------------------


@clause("OPT-4", "RW-19")
@pytest.mark.parametrize("partial", [True, False])
def test_partial_write_reports_the_first_record(partial: bool) -> None:
    client, server = make_ends()
    link = PairLink(client, server, size=17000, direct=False)
    link.established()
    if partial:
        p.SSL_set_mode(client, p.SSL_MODE_ENABLE_PARTIAL_WRITE)

    got = outcome(client, p.SSL_write(client, bytes(40000)))

    assert got == ((16384, 0) if partial else (-1, 3))


@clause("OPT-4", "RW-22")
@pytest.mark.parametrize("moving", [True, False])
def test_moving_write_buffer_is_taken_only_if_accepted(moving: bool) -> None:
    client, server = make_ends()
    link = PairLink(client, server, size=1000, direct=False)
    link.established()
    if moving:
        p.SSL_set_mode(client, p.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
    first, second = bytearray(b"x" * 4000), bytearray(b"x" * 4000)
    assert outcome(client, p.SSL_write(client, first)) == (-1, 3)

    link.move()
    got = outcome(client, p.SSL_write(client, second))

    assert got == ((-1, 3) if moving else (-1, 1))
    assert ssl_reasons() == ([] if moving else [127])


@clause("OPT-4", "RW-12")
@pytest.mark.parametrize("retry", [True, False])
def test_read_goes_on_behind_other_messages_if_retry_is_automatic(
    retry: bool,
) -> None:
    link = connected(tickets=0)
    if not retry:
        p.SSL_clear_mode(link.client, p.SSL_MODE_AUTO_RETRY)
    assert p.SSL_key_update(link.server, 0) == 1
    assert p.SSL_write(link.server, b"data") == 4
    link.move()

    if not retry:
        buf = bytearray(10)
        got = outcome(link.client, p.SSL_read(link.client, buf))
        assert got == (-1, 2)
    assert read(link.client) == b"data"


@clause("OPT-4")
def test_released_buffers_are_not_missed() -> None:
    link = make_link()
    for ssl in (link.client, link.server):
        p.SSL_set_mode(ssl, p.SSL_MODE_RELEASE_BUFFERS)
    link.established()
    for size in (1, 16384, 50000):
        link.send(link.client, b"c" * size)
        link.send(link.server, b"s" * size)
