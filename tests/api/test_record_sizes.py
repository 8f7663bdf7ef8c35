"""How long records are: SSL_CTX_set_max_send_fragment(3),
SSL_CTX_set_split_send_fragment(3), SSL_CTX_set_block_padding(3)."""

from __future__ import annotations

import contextlib
import ssl
from typing import Any, Callable

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api import told
from tests.api.links import (
    MemLink,
    RawPeer,
    make_contexts,
    make_ends,
    new_ssl,
    take,
)
from tests.api.opened import split_records
from tests.api.sessions import TLS12, TLS13, VERSIONS
from tests.api.told import Ear
from tests.clauses import clause
from tests.pki import ca

BOTH = pytest.mark.parametrize("version", VERSIONS)
HEADER, TAG, MAX = 5, 16, 16384
SUITE12 = "CHACHA20"  # no explicit nonce
Lengths = list[int]


def made(version: int, set_up: Callable[[Any], object], **wishes: Any) -> Any:
    """Make a link whose two contexts are set up alike."""
    pair = make_contexts(version=version, tickets=0, **wishes)
    for ctx in pair:
        p.SSL_CTX_set_cipher_list(ctx, SUITE12)
        set_up(ctx)
    return MemLink(*make_ends(*pair))


def lengths(link: MemLink, data: bytes) -> Lengths:
    """Write data as client: lengths of what each record protects."""
    assert p.SSL_write(link.client, data) == len(data)
    raw = take(link.client_out)
    p.BIO_write(link.server_in, raw)
    got = b""
    while len(got) < len(data):
        buf = bytearray(20000)
        n = p.SSL_read(link.server, buf)
        assert n > 0
        got += buf[:n]
    assert got == data
    return [len(one) - HEADER - TAG for one in split_records(raw)]


def limit(settings: Any, value: int) -> None:
    """Ask the peer for short records (RFC 8449)."""
    settings._set_number(lib.PYS_RECORD_LIMIT, value)


# ---- max_send_fragment ------------------------------------------------------


@clause("RFC 8446 5.1", "RFC 5246 6.2.1")
@BOTH
@pytest.mark.parametrize("m", [512, 1000, 16383, 16384])
def test_no_record_holds_more_than_max_send_fragment(
    version: int, m: int
) -> None:
    link = made(version, lambda ctx: p.SSL_CTX_set_max_send_fragment(ctx, m))
    flights = []
    while not p.SSL_is_init_finished(link.server):
        for end, out, inn in (
            (link.client, link.client_out, link.server_in),
            (link.server, link.server_out, link.client_in),
        ):
            p.SSL_do_handshake(end)
            raw = take(out)
            flights += split_records(raw)
            if raw:
                p.BIO_write(inn, raw)
    extra = HEADER + TAG + (version == TLS13)
    assert max(map(len, flights)) <= m + extra
    link.established()
    kind = version == TLS13
    data = bytes(range(256)) * 200
    whole, rest = divmod(len(data), m)
    expected = [m + kind] * whole + [rest + kind] * (rest != 0)
    assert lengths(link, data) == expected
    assert lengths(link, data[:m]) == [m + kind]


@clause("RFC 8446 5.1")
def test_certificate_goes_out_in_short_records() -> None:
    link = made(
        TLS12,
        lambda ctx: p.SSL_CTX_set_max_send_fragment(ctx, 512),
        server=ca.leaf("rsa", issuer=ca.intermediate("rsa")),
    )
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    raw = bytes(p.BIO_get_mem_data(link.server_out))
    sizes = [len(one) - HEADER for one in split_records(raw)]
    assert len(sizes) > 2
    assert set(sizes[:-1]) == {512}
    link.move()
    link.established()


@clause("RFC 8449 4")
@BOTH
def test_shorter_one_of_limit_and_peer_counts(version: int) -> None:
    kind = version == TLS13
    for asked, m, content in (
        (700, 512, 512),
        (600, 1000, 600 - kind),
        (64, 512, 64 - kind),
    ):
        pair = make_contexts(version=version, tickets=0)
        for ctx in pair:
            p.SSL_CTX_set_cipher_list(ctx, SUITE12)
            limit(ctx, asked)
        p.SSL_CTX_set_max_send_fragment(pair[0], m)
        link = MemLink(*make_ends(*pair)).established()
        sizes = lengths(link, bytes(1500))
        assert sizes[0] == content + kind
        assert max(sizes) == sizes[0]


@BOTH
def test_limit_of_an_ssl_counts_at_once(version: int) -> None:
    link = made(version, lambda ctx: 1).established()
    kind = version == TLS13
    assert lengths(link, bytes(3000)) == [3000 + kind]
    assert p.SSL_set_max_send_fragment(link.client, 1000) == 1
    assert lengths(link, bytes(3000)) == [1000 + kind] * 3
    assert p.SSL_set_max_send_fragment(link.client, MAX) == 1
    # The split stays where the limit brought it.
    assert lengths(link, bytes(3000)) == [1000 + kind] * 3
    assert p.SSL_set_split_send_fragment(link.client, MAX) == 1
    assert lengths(link, bytes(3000)) == [3000 + kind]


def test_fragments_out_of_range_change_nothing() -> None:
    ctx = make_contexts()[0]
    one: Any
    for one in (ctx, new_ssl(ctx)):
        assert one.set_max_send_fragment(1000) == 1
        for wrong in (511, 16385, 0, -1, 1 << 70):
            assert one.set_max_send_fragment(wrong) == 0
        assert one._number(lib.PYS_SEND_FRAGMENT) == 1000
        assert one.set_split_send_fragment(900) == 1
        for wrong in (0, -1, 1001, 1 << 70):
            assert one.set_split_send_fragment(wrong) == 0
        assert one._number(lib.PYS_SPLIT_FRAGMENT) == 900
        for name in ("set_max_send_fragment", "set_split_send_fragment"):
            with pytest.raises(TypeError):
                getattr(one, name)("1000")
        one.free()
        with pytest.raises(ValueError, match="freed"):
            one.set_max_send_fragment(0)
        with pytest.raises(ValueError, match="freed"):
            one.set_split_send_fragment(600)
    assert p.ERR_peek_error() == 0


# ---- split_send_fragment ----------------------------------------------------


@BOTH
def test_split_is_about_data_alone(version: int) -> None:
    def set_up(ctx: Any) -> None:
        assert p.SSL_CTX_set_split_send_fragment(ctx, 100) == 1

    link = made(version, set_up)
    ear = Ear().of(link.server)
    link.established()
    longest = max(
        int(n[4][6:], 16)
        for n in ear.heard
        if n[0] == "msg" and n[3] == told.HEADER and n[1] == 1
    )
    assert longest > 300
    kind = version == TLS13
    assert lengths(link, bytes(250)) == [100 + kind, 100 + kind, 50 + kind]


@clause("RW-19")
def test_partial_write_takes_one_short_record() -> None:
    link = made(TLS13, lambda ctx: p.SSL_CTX_set_split_send_fragment(ctx, 10))
    link.established()
    p.SSL_set_mode(link.client, p.SSL_MODE_ENABLE_PARTIAL_WRITE)
    assert p.SSL_write(link.client, bytes(100)) == 10


# ---- padding ----------------------------------------------------------------


@clause("RFC 8446 5.4")
@pytest.mark.parametrize("block", [2, 64, 100, 512, 1000, 4096, MAX])
@pytest.mark.parametrize("n", [1, 63, 64, 511, 5000, 16383, 16384])
def test_padded_record_is_a_multiple_within_the_limit(
    block: int, n: int
) -> None:
    link = made(TLS13, lambda ctx: p.SSL_CTX_set_block_padding(ctx, block))
    link.established()
    (size,) = lengths(link, bytes(n))
    inner = n + 1
    wanted = -(-inner // block) * block
    assert size == max(inner, min(wanted, MAX + 1))
    assert size <= MAX + 1


@clause("RFC 8446 5.4")
def test_messages_and_alerts_are_padded_too() -> None:
    link = made(TLS13, lambda ctx: p.SSL_CTX_set_block_padding(ctx, 256))
    sizes = []
    for _ in range(2):
        for end, out, inn in (
            (link.client, link.client_out, link.server_in),
            (link.server, link.server_out, link.client_in),
        ):
            if not p.SSL_is_init_finished(end):
                p.SSL_do_handshake(end)
            raw = take(out)
            sizes += [len(r) for r in split_records(raw) if r[0] == 23]
            if raw:
                p.BIO_write(inn, raw)
    link.established()
    p.SSL_shutdown(link.client)
    (alert,) = split_records(take(link.client_out))
    sizes.append(len(alert))
    assert len(sizes) == 3
    assert {(size - HEADER - TAG) % 256 for size in sizes} == {0}


@clause("RFC 8446 5.4")
def test_two_block_sizes_are_for_data_and_for_the_rest() -> None:
    link = made(
        TLS13, lambda ctx: p.SSL_CTX_set_block_padding_ex(ctx, 128, 0)
    ).established()
    assert lengths(link, b"x") == [128]
    p.SSL_shutdown(link.client)
    (alert,) = split_records(take(link.client_out))
    assert len(alert) - HEADER - TAG == 3

    link = made(
        TLS13, lambda ctx: p.SSL_CTX_set_block_padding_ex(ctx, 1, 128)
    ).established()
    assert lengths(link, b"x") == [2]
    p.SSL_shutdown(link.client)
    (alert,) = split_records(take(link.client_out))
    assert len(alert) - HEADER - TAG == 128


@clause("RFC 8446 5.4", "RFC 8449 4")
@pytest.mark.parametrize("asked", [64, 100, 1000])
def test_padding_counts_for_the_limit_of_the_peer(asked: int) -> None:
    pair = make_contexts(version=TLS13, tickets=1)
    for ctx in pair:
        limit(ctx, asked)
        p.SSL_CTX_set_block_padding(ctx, 4096)
    link = MemLink(*make_ends(*pair)).established()
    for n in (1, asked - 2, asked - 1, asked, 3 * asked):
        assert set(lengths(link, bytes(n))) == {asked}


@clause("RFC 8446 5.4")
def test_padding_stays_below_an_own_limit() -> None:
    def set_up(ctx: Any) -> None:
        p.SSL_CTX_set_max_send_fragment(ctx, 512)
        p.SSL_CTX_set_block_padding(ctx, 4096)

    link = made(TLS13, set_up).established()
    assert lengths(link, bytes(1000)) == [513, 513]


def test_version_12_is_not_padded() -> None:
    link = made(TLS12, lambda ctx: p.SSL_CTX_set_block_padding(ctx, 512))
    link.established()
    assert lengths(link, b"x" * 10) == [10]


def test_block_sizes_out_of_range_change_nothing() -> None:
    ctx = make_contexts()[0]
    one: Any
    for one in (ctx, new_ssl(ctx)):
        assert one.set_block_padding(512) == 1
        for wrong in (-1, MAX + 1, 1 << 70):
            assert one.set_block_padding(wrong) == 0
            assert one.set_block_padding_ex(0, wrong) == 0
            assert one.set_block_padding_ex(wrong, 0) == 0
        assert one._number(lib.PYS_PAD_DATA) == 512
        assert one._number(lib.PYS_PAD_OTHER) == 512
        assert one.set_block_padding(1) == 1
        assert one._number(lib.PYS_PAD_DATA) == 0
        wrong_type: Any = None
        with pytest.raises(TypeError):
            one.set_block_padding(wrong_type)
        one.free()
        with pytest.raises(ValueError, match="freed"):
            one.set_block_padding(-1)
    assert p.ERR_peek_error() == 0


@clause("RFC 8446 5.4")
@pytest.mark.parametrize(
    "suite",
    [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ],
)
def test_padding_opens_with_every_suite(suite: str) -> None:
    def set_up(ctx: Any) -> None:
        assert p.SSL_CTX_set_ciphersuites(ctx, suite) == 1
        p.SSL_CTX_set_block_padding(ctx, 1000)

    link = made(TLS13, set_up).established()
    for n in (1, 15, 16, 17, 998, 999, 1000, 9001):
        link.send(link.client, bytes(range(256)) * (n // 256) + bytes(n % 256))
        link.send(link.server, b"s" * n)


# ---- the standard library reads it ------------------------------------------


@clause("RFC 8446 5.4", "RFC 8446 5.1")
@BOTH
@pytest.mark.parametrize(("block", "m"), [(4096, MAX), (100, 512), (0, 700)])
def test_standard_library_reads_short_and_padded_records(
    version: int, block: int, m: int
) -> None:
    ctx = make_contexts(version=version)[1]
    p.SSL_CTX_set_block_padding(ctx, block)
    p.SSL_CTX_set_max_send_fragment(ctx, m)
    end = new_ssl(ctx)
    p.SSL_set_accept_state(end)
    raw = RawPeer(end)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.verify_mode = ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = theirs.wrap_bio(there, back)
    for _ in range(3):
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        raw.feed(back.read())
        p.SSL_do_handshake(end)
        there.write(raw.sent())
    assert p.SSL_is_init_finished(end)
    data = bytes(range(256)) * 80
    assert p.SSL_write(end, data) == len(data)
    assert p.SSL_shutdown(end) == 0
    there.write(raw.sent())
    got = b""
    while part := peer.read(20000):
        got += part
    assert got == data
