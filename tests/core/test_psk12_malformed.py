"""Messages of a PSK in TLS 1.2 that no honest peer sends."""

from __future__ import annotations

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api.links import make_contexts, ssl_reasons, take
from tests.api.sessions import TLS12
from tests.api.test_psk import NAME, Keys, contexts, link_of
from tests.clauses import clause
from tests.forge import messages as m

X25519 = 0x001D
PSK_SUITES = (0xCCAC, 0xD001, 0xD002)
HANDSHAKE_FAILURE, ILLEGAL, DECODE, UNKNOWN = 40, 47, 50, 115
MISMATCH, TOO_SHORT, TOO_LONG = 159, 160, 146
NOT_FOUND, WRONG_CURVE = 223, 378
BAD_POINT, WRONG_CIPHER = 306, 261
POINT = m.vec(1, b"\x09" + bytes(31))  # the base point
CURVE = bytes([3]) + m.u16(X25519)


def shown(value: object) -> str:
    """Name a case briefly."""
    if isinstance(value, bytes):
        return f"{len(value)}-{value[:8].hex()}"
    return str(value)


def refused(
    pair: tuple[p.SSL_CTX, p.SSL_CTX], kind: int, body: bytes
) -> tuple[int, list[int]]:
    """The alert and the reasons of who gets the body in a message."""
    whole = bytes([kind]) + len(body).to_bytes(3, "big") + body
    link = link_of(pair)
    at_server = kind == m.CLIENT_KEY_EXCHANGE
    ssl = link.server if at_server else link.client
    out = link.server_out if at_server else link.client_out
    lib.pys_test_put_message(kind, whole, len(whole))
    for _ in range(4):
        for end in (link.client, link.server):
            p.ERR_clear_error()
            ret = p.SSL_do_handshake(end)
            if end is ssl and p.SSL_get_error(ssl, ret) == p.SSL_ERROR_SSL:
                found = ssl_reasons()
                sent = take(out)
                assert p.SSL_do_handshake(ssl) == -1
                assert sent[:6] == b"\x15\3\3\0\2\2"
                return sent[6], found
            link.move()
    raise AssertionError("nobody minds")


@pytest.mark.parametrize(
    ("body", "alert", "reason"),
    [
        (m.vec(2, b"h" * 257) + CURVE + POINT, HANDSHAKE_FAILURE, TOO_LONG),
        (m.vec(2, b"h" * 65535) + CURVE + POINT, HANDSHAKE_FAILURE, TOO_LONG),
        (b"", DECODE, TOO_SHORT),
        (b"\0", DECODE, MISMATCH),
        (b"\0\5hint", DECODE, MISMATCH),
        (m.vec(2, b"hint"), DECODE, MISMATCH),
        (m.vec(2, b"hint") + CURVE, DECODE, MISMATCH),
        (m.vec(2, b"hint") + CURVE + b"\0", DECODE, MISMATCH),
        (m.vec(2, b"hint") + CURVE + POINT[:-1], DECODE, MISMATCH),
        (m.vec(2, b"hint") + CURVE + POINT + b"\0", DECODE, MISMATCH),
        (CURVE + POINT, DECODE, MISMATCH),
        (m.vec(2, b"") + b"\1" + CURVE[1:] + POINT, ILLEGAL, WRONG_CURVE),
        (m.vec(2, b"") + b"\3\x11\xec" + POINT, ILLEGAL, WRONG_CURVE),
        (m.vec(2, b"") + CURVE + m.vec(1, b"\2" * 31), ILLEGAL, BAD_POINT),
        (m.vec(2, b"") + CURVE + m.vec(1, bytes(32)), ILLEGAL, BAD_POINT),
    ],
    ids=shown,
)
@clause("RFC 5489 2", "RFC 4279 5.3", "RFC 8422 5.4", "RFC 8422 5.11")
def test_client_refuses_a_key_exchange_that_is_none(
    body: bytes, alert: int, reason: int
) -> None:
    pair, _ = contexts(TLS12)
    got = refused(pair, m.SERVER_KEY_EXCHANGE, body)
    assert got == (alert, [reason])


@pytest.mark.parametrize(
    ("body", "alert", "reason"),
    [
        (m.vec(2, b"i" * 257) + POINT, HANDSHAKE_FAILURE, TOO_LONG),
        (m.vec(2, b"i" * 65535) + POINT, HANDSHAKE_FAILURE, TOO_LONG),
        (m.vec(2, b"i" * 256) + POINT, UNKNOWN, NOT_FOUND),
        (m.vec(2, b"") + POINT, UNKNOWN, NOT_FOUND),
        (b"", DECODE, TOO_SHORT),
        (b"\0", DECODE, MISMATCH),
        (b"\0\7short", DECODE, MISMATCH),
        (m.vec(2, NAME), DECODE, MISMATCH),
        (m.vec(2, NAME) + b"\0", DECODE, MISMATCH),
        (m.vec(2, NAME) + POINT[:-1], DECODE, MISMATCH),
        (m.vec(2, NAME) + POINT + b"\0", DECODE, MISMATCH),
        (m.vec(2, NAME) + m.vec(1, b"\2" * 31), ILLEGAL, BAD_POINT),
        (m.vec(2, NAME) + m.vec(1, bytes(32)), ILLEGAL, BAD_POINT),
    ],
    ids=shown,
)
@clause("RFC 5489 2", "RFC 4279 2", "RFC 4279 5.3", "RFC 8422 5.11")
def test_server_refuses_a_key_exchange_that_is_none(
    body: bytes, alert: int, reason: int
) -> None:
    pair, _ = contexts(TLS12)
    for ctx in pair:
        assert p.SSL_CTX_set1_groups_list(ctx, "X25519") == 1
    got = refused(pair, m.CLIENT_KEY_EXCHANGE, body)
    assert got == (alert, [reason])


@pytest.mark.parametrize("suite", PSK_SUITES)
@pytest.mark.parametrize("keys", [False, True], ids=["no-key", "not-listed"])
@clause("RFC 8442 2", "RFC 5246 7.4.1.3")
def test_client_refuses_a_suite_with_a_key_that_it_did_not_offer(
    suite: int, keys: bool
) -> None:
    pair = make_contexts(version=TLS12, verify=False)
    if keys:
        p.SSL_CTX_set_psk_client_callback(pair[0], Keys().client)
        listed = "ECDHE-ECDSA-AES128-GCM-SHA256"
        assert p.SSL_CTX_set_cipher_list(pair[0], listed) == 1
    hello = m.ServerHello(suite=suite).body()
    got = refused(pair, m.SERVER_HELLO, hello)
    assert got == (ILLEGAL, [WRONG_CIPHER])
