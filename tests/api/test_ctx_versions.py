"""Which version comes out of two ranges: contract section 6.2."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    RawPeer,
    make_contexts,
    make_ends,
    outcome,
    raw_server,
    reasons,
    ssl_reasons,
)
from tests.api.opened import hello_of
from tests.clauses import clause
from tests.forge import messages

NO_12, NO_13 = p.SSL_OP_NO_TLSv1_2, p.SSL_OP_NO_TLSv1_3
TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION


class Range(NamedTuple):
    """Limits and options, and the versions that they leave."""

    low: int
    high: int
    options: int
    versions: set[int]

    def put(self, ctx: p.SSL_CTX) -> None:
        """Set them."""
        assert p.SSL_CTX_set_min_proto_version(ctx, self.low) == 1
        assert p.SSL_CTX_set_max_proto_version(ctx, self.high) == 1
        p.SSL_CTX_set_options(ctx, self.options)


RANGES = [
    Range(0, 0, 0, {TLS12, TLS13}),
    Range(TLS12, TLS13, 0, {TLS12, TLS13}),
    Range(p.TLS1_VERSION, 0, 0, {TLS12, TLS13}),
    Range(TLS13, 0, 0, {TLS13}),
    Range(0, 0, NO_12, {TLS13}),
    Range(TLS12, 0, NO_12, {TLS13}),
    Range(0, TLS12, 0, {TLS12}),
    Range(0, 0, NO_13, {TLS12}),
    Range(TLS13, TLS12, 0, set()),
    Range(0, 0, NO_12 | NO_13, set()),
    Range(TLS13, 0, NO_13, set()),
    Range(0, TLS12, NO_12, set()),
]


@clause("VER-1", "VER-2", "VER-3", "VER-4", "HS-18")
@pytest.mark.parametrize(
    ("ours", "theirs"), list(itertools.product(RANGES, RANGES)), ids=str
)
def test_two_ranges_meet_at_the_highest_version_or_fail_as_listed(
    ours: Range, theirs: Range
) -> None:
    client_ctx, server_ctx = make_contexts()
    ours.put(client_ctx)
    theirs.put(server_ctx)
    link = MemLink(*make_ends(client_ctx, server_ctx))

    first = outcome(link.client, p.SSL_do_handshake(link.client))
    if not ours.versions:
        assert first == (-1, 1)
        assert p.SSL_want(link.client) == p.SSL_NOTHING
        assert ssl_reasons() == [191]
        assert p.BIO_ctrl_pending(link.client_out) == 0
        return
    assert first == (-1, 2)
    link.move()
    if not theirs.versions:
        assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
        assert p.SSL_want(link.server) == p.SSL_NOTHING
        assert ssl_reasons() == [191]
        assert p.BIO_ctrl_pending(link.server_out) == 0
        return

    if not ours.versions & theirs.versions:
        assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
        assert ssl_reasons() == [258]
        link.move()
        assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
        assert ssl_reasons() == [1070]
        return

    link.established()
    highest = max(ours.versions & theirs.versions)
    words = {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}
    for ssl in (link.client, link.server):
        assert p.SSL_version(ssl) == highest
        assert p.SSL_get_version(ssl) == words[highest]
    assert reasons() == []


@clause("VER-3")
@pytest.mark.parametrize(
    "ours", [r for r in RANGES if r.versions], ids=lambda r: str(tuple(r))
)
def test_client_offers_the_versions_of_its_range_and_no_others(
    ours: Range,
) -> None:
    client_ctx, server_ctx = make_contexts()
    ours.put(client_ctx)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))

    assert hello.version == TLS12  # RFC 8446 4.1.2: legacy_version
    if ours.versions == {TLS12}:
        assert not hello.has(messages.SUPPORTED_VERSIONS)
        return
    wire = hello.get(messages.SUPPORTED_VERSIONS)
    offered = messages.numbers(wire[1:])
    assert offered == sorted(ours.versions, reverse=True)


def hello_with(versions: bytes | None, legacy: int = TLS12) -> bytes:
    """Give a ClientHello record of ours with other versions in it."""
    link = MemLink(*make_ends())
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    hello.version = legacy
    if versions is None:
        hello.drop(messages.SUPPORTED_VERSIONS)
    else:
        hello.put(messages.SUPPORTED_VERSIONS, versions)
    body = bytes(hello)
    return b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body


@clause("VER-1", "HS-18", "CV-4")
@pytest.mark.parametrize(
    ("versions", "legacy"),
    [
        (b"\x02\x03\x03", TLS12),
        (b"\x04\x03\x02\x03\x01", TLS12),
        (b"\x02\x03\x05", TLS12),
        (b"\x02\x7f\x1c", TLS12),
        (None, TLS12),
        (None, 0x0301),
        (None, 0x0300),
    ],
)
def test_server_refuses_a_peer_below_its_minimum(
    versions: bytes | None, legacy: int
) -> None:
    _, server_ctx = make_contexts()
    p.SSL_CTX_set_min_proto_version(server_ctx, TLS13)
    peer = raw_server(server_ctx=server_ctx)
    peer.feed(hello_with(versions, legacy))

    assert peer.handshake() == (-1, 1)
    assert ssl_reasons() == [258]
    assert peer.sent() == bytes.fromhex("15 0303 0002 02 46")
    assert peer.ssl.report().alert_sent == p.SSL_AD_PROTOCOL_VERSION


@clause("VER-1", "HS-15")
def test_client_hears_that_its_versions_are_too_old() -> None:
    link = MemLink(*make_ends())
    p.SSL_do_handshake(link.client)
    assert p.BIO_write(link.client_in, b"\x15\x03\x03\x00\x02\x02\x46") == 7

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [1070]


@clause("VER-3")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_options_taken_back_bring_the_versions_back(holder: str) -> None:
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_options(client_ctx, NO_12 | NO_13)
    if holder == "ctx":
        p.SSL_CTX_clear_options(client_ctx, NO_12 | NO_13)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    if holder == "ssl":
        p.SSL_clear_options(link.client, NO_12 | NO_13)

    link.established()

    assert p.SSL_version(link.client) == TLS13


# ---- a version needs a suite ------------------------------------------------


@clause("CIPH-3", "VER-3", "RFC 8446 4.2.1")
def test_client_without_suites_of_tls13_offers_tls12_alone() -> None:
    link = MemLink(*make_ends(*make_contexts()))
    assert p.SSL_set_ciphersuites(link.client, "") == 1

    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    for kind in (
        messages.SUPPORTED_VERSIONS,
        messages.KEY_SHARE,
        messages.PSK_MODES,
    ):
        assert not hello.has(kind)
    assert all(suite >> 8 != 0x13 for suite in hello.suites)
    link.move()
    link.established()
    assert p.SSL_version(link.client) == TLS12
    assert p.SSL_version(link.server) == TLS12


@clause("CIPH-3", "VER-3", "RFC 8446 4.2.1")
def test_server_without_suites_of_tls13_chooses_tls12() -> None:
    link = MemLink(*make_ends(*make_contexts()))
    assert p.SSL_set_ciphersuites(link.server, "") == 1

    link.established()
    assert p.SSL_version(link.client) == TLS12


@clause("CIPH-3", "HS-18")
@pytest.mark.parametrize("server", [False, True])
def test_nobody_begins_without_any_suite(server: bool) -> None:
    ssl = make_ends(*make_contexts(version=TLS13))[server]
    peer = RawPeer(ssl)
    assert p.SSL_set_ciphersuites(ssl, "") == 1

    assert peer.handshake() == (-1, 1)
    assert ssl_reasons() == [p.SSL_R_NO_CIPHERS_AVAILABLE]
    assert p.SSL_want(ssl) == p.SSL_NOTHING
    assert peer.sent() == b""
