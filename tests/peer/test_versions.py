"""Which version is agreed with the standard library, and how none is."""

from __future__ import annotations

import ssl
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer.test_stdlib import Mixed, their_client, their_server
from tests.pki import ca

TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
RANGES = {
    "1.2": (TLS12, TLS12),
    "1.3": (TLS13, TLS13),
    "both": (TLS12, TLS13),
    "any": (0, 0),
}
NAMES = {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}
PROTOCOL_VERSION = 70
MATRIX = [
    pytest.param(ours, theirs, id=f"{ours}-{theirs}")
    for ours in RANGES
    for theirs in RANGES
]


def agreed(ours: str, theirs: str) -> Optional[int]:
    """The best version of both; None if there is none."""
    a, b = RANGES[ours], RANGES[theirs]
    high = min(a[1] or TLS13, b[1] or TLS13)
    low = max(a[0] or TLS12, b[0] or TLS12)
    return high if high >= low else None


def limit(ctx: ssl.SSLContext, name: str) -> ssl.SSLContext:
    """Give a context of the module its range."""
    low, high = RANGES[name]
    if low:
        ctx.minimum_version = ssl.TLSVersion(low)
        ctx.maximum_version = ssl.TLSVersion(high)
    return ctx


def our_end(name: str, server: bool, by_options: bool = False) -> p.SSL:
    """Make one of our ends with its range."""
    pair = links.make_contexts()
    low, high = RANGES[name]
    for ctx in pair:
        if by_options:
            if high == TLS12:
                p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_TLSv1_3)
            if low == TLS13:
                p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_TLSv1_2)
            continue
        assert p.SSL_CTX_set_min_proto_version(ctx, low) == 1
        assert p.SSL_CTX_set_max_proto_version(ctx, high) == 1
    return links.make_ends(*pair)[server]


def run(mixed: Mixed) -> list[links.Outcome]:
    """Handshake until both have ended; our outcomes."""
    results: list[links.Outcome] = []
    theirs = False
    for _ in range(10):
        if not results or results[-1][1] == p.SSL_ERROR_WANT_READ:
            results.append(mixed.ours.handshake())
        mixed.move()
        theirs = theirs or mixed.their_handshake()
        mixed.move()
        if theirs and results[-1][1] != p.SSL_ERROR_WANT_READ:
            return results
    raise AssertionError(results)


def tell(result: links.Outcome, mixed: Mixed) -> tuple[Any, ...]:
    """What both say about a failure."""
    fault = mixed.fault
    return result, links.reasons(), fault and fault.reason


@clause("VER-1", "VER-4", "HS-18", "RFC 8446 4.2.1", "RFC 5246 E.1")
@pytest.mark.parametrize("by_options", [False, True], ids=["range", "options"])
@pytest.mark.parametrize(("ours", "theirs"), MATRIX)
def test_client_and_a_server_of_the_module(
    ours: str, theirs: str, by_options: bool
) -> None:
    other = limit(their_server(ca.leaf()), theirs)
    mixed = Mixed(our_end(ours, False, by_options), other)
    result = run(mixed)[-1]
    check(mixed, result, ours, theirs, alert_from_us=False)


@clause("VER-1", "VER-4", "HS-18", "RFC 8446 4.2.1", "RFC 5246 E.1")
@pytest.mark.parametrize("by_options", [False, True], ids=["range", "options"])
@pytest.mark.parametrize(("ours", "theirs"), MATRIX)
def test_server_and_a_client_of_the_module(
    ours: str, theirs: str, by_options: bool
) -> None:
    other = limit(their_client(ca.leaf()), theirs)
    mixed = Mixed(our_end(ours, True, by_options), other)
    result = run(mixed)[-1]
    check(mixed, result, ours, theirs, alert_from_us=True)


def check(
    mixed: Mixed,
    result: links.Outcome,
    ours: str,
    theirs: str,
    alert_from_us: bool,
) -> None:
    """The version is the best of both, or the failure is as HS-18 has it."""
    version = agreed(ours, theirs)
    if version is not None:
        assert result == (1, 0), tell(result, mixed)
        assert p.SSL_version(mixed.ours.ssl) == version
        assert p.SSL_get_version(mixed.ours.ssl) == NAMES[version]
        assert mixed.theirs.version() == NAMES[version]
        assert mixed.fault is None
        return
    assert result == (-1, p.SSL_ERROR_SSL)
    assert mixed.fault is not None
    queue = links.reasons()
    if alert_from_us:
        reason = p.SSL_R_UNSUPPORTED_PROTOCOL
        assert queue == [(p.ERR_LIB_SSL, reason)]
        assert mixed.fault.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert mixed.ours.ssl.report().alert_sent == PROTOCOL_VERSION
    else:
        alert = 1000 + PROTOCOL_VERSION
        assert queue == [(p.ERR_LIB_SSL, alert)]
        assert mixed.fault.reason == "UNSUPPORTED_PROTOCOL"


@clause("VER-3", "VER-2", "RFC 8446 4.1.3")
@pytest.mark.parametrize("server", [False, True], ids=["C", "S"])
def test_end_with_no_version_says_so(server: bool) -> None:
    ssl_ = our_end("any", server)
    p.SSL_set_options(ssl_, p.SSL_OP_NO_TLSv1_2 | p.SSL_OP_NO_TLSv1_3)
    context = their_client(ca.leaf()) if server else their_server(ca.leaf())
    mixed = Mixed(ssl_, context)
    if server:
        mixed.their_handshake()
        mixed.move()
    assert mixed.ours.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.ssl_reasons()[-1] in {
        p.SSL_R_NO_PROTOCOLS_AVAILABLE,
        p.SSL_R_UNSUPPORTED_PROTOCOL,
    }


@clause("RFC 8446 4.1.3", "RFC 7507 3")
def test_client_that_is_talked_down_notices() -> None:
    # Somebody between takes TLS 1.3 out of the hello of a client of both.
    mixed = Mixed(our_end("both", False), their_server(ca.leaf()))
    assert mixed.ours.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    hello = bytearray(mixed.ours.sent())
    at = hello.index(bytes.fromhex("002b0005040304"))
    hello[at + 5 : at + 9] = bytes.fromhex("03030303")
    mixed.incoming.write(hello)
    mixed.their_handshake()
    mixed.ours.feed(mixed.outgoing.read())
    assert mixed.ours.handshake() == (-1, p.SSL_ERROR_SSL)
    reason = p.SSL_R_INAPPROPRIATE_FALLBACK
    assert links.reasons() == [(p.ERR_LIB_SSL, reason)]
    assert mixed.ours.sent() == bytes.fromhex("1503030002022f")


@clause("RFC 8446 4.1.3")
def test_client_of_the_module_that_is_talked_down_notices() -> None:
    mixed = Mixed(our_end("both", True), their_client(ca.leaf()))
    mixed.their_handshake()
    hello = bytearray(mixed.outgoing.read())
    at = hello.index(bytes.fromhex("002b0005040304"))
    hello[at + 5 : at + 9] = bytes.fromhex("03030303")
    mixed.ours.feed(bytes(hello))
    assert mixed.ours.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    mixed.move()
    assert mixed.their_handshake()
    assert mixed.fault is not None
    assert mixed.fault.reason == "INAPPROPRIATE_FALLBACK"
