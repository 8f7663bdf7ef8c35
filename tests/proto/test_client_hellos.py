"""Real ClientHellos (tests/vectors/client_hellos.json) and our server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import messages as m

_FILE = Path(__file__).parent.parent / "vectors" / "client_hellos.json"
HELLOS: dict[str, dict[str, Any]] = {
    one["id"]: one
    for one in json.loads(_FILE.read_text("utf-8"))["client_hellos"]
}

TLS13 = "0304"
# Ours of TLS 1.2, by the certificate that they need.
SUITES12 = {
    "p256": {0xC02B, 0xC02C, 0xCCA9},
    "rsa": {0xC02F, 0xC030, 0xCCA8},
}
RENEGOTIATION, RENEGOTIATION_SCSV, EXTENDED_MASTER = 0xFF01, 0x00FF, 23
NAMED_CURVE = 3
PROTOCOL_VERSION = b"\x15\x03\x03\x00\x02\x02\x46"
HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"
WANT_READ = (-1, p.SSL_ERROR_WANT_READ)
CURVES = {"X25519": "001d", "P-256": "0017", "P-384": "0018", "P-521": "0019"}

NEW = sorted(
    name
    for name, one in HELLOS.items()
    if TLS13 in one["summary"]["supported_versions"]
)
OLD = sorted(HELLOS.keys() - set(NEW))

each = pytest.mark.parametrize("name", NEW)


def record(name: str) -> bytes:
    """Give the hello in its record; as it was sent where that is known."""
    one = HELLOS[name]
    if one["record"]:
        return bytes.fromhex(one["record"])
    message = bytes.fromhex(one["handshake"])
    return b"\x16\x03\x01" + m.vec(2, message)


def sent(name: str) -> m.ClientHello:
    """Give the hello as the forge reads it."""
    return m.ClientHello.parse(bytes.fromhex(HELLOS[name]["handshake"])[4:])


def make_server(groups: Optional[str] = None, **wishes: Any) -> links.RawPeer:
    """Make a server on memory BIOs."""
    server = links.raw_server(**wishes)
    if groups is not None:
        assert p.SSL_set1_groups_list(server.ssl, groups) == 1
    return server


def answer_to(server: links.RawPeer, data: bytes) -> bytes:
    """Feed octets that the server must take; give what it writes."""
    server.feed(data)
    assert server.handshake() == WANT_READ, links.reasons()
    assert links.reasons() == []
    return server.sent()


def first_message(flight: bytes) -> m.ServerHello:
    """Read the message in the first record, which must hold just one."""
    assert flight[:3] == b"\x16\x03\x03"
    size = int.from_bytes(flight[3:5], "big")
    messages = list(m.split(flight[5 : 5 + size]))
    assert [kind for kind, _ in messages] == [m.SERVER_HELLO]
    return m.ServerHello.parse(messages[0][1])


def check_common(hello: m.ServerHello, name: str) -> None:
    """What a ServerHello and a retry owe to the ClientHello."""
    asked = sent(name)
    assert hello.version == 0x0303
    assert hello.session_id == asked.session_id
    assert hello.suite in asked.suites
    assert hello.suite in (0x1301, 0x1302, 0x1303)
    assert hello.compression == 0
    assert hello.get(m.SUPPORTED_VERSIONS) == b"\x03\x04"


def test_the_vectors_hold_what_these_tests_expect() -> None:
    assert len(HELLOS) == 47
    assert len(NEW) >= 25
    assert len(OLD) >= 10


@clause("RFC 8446 4.1.1", "RFC 8446 4.1.2", "RFC 8446 4.1.3")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
@each
def test_server_given_a_real_tls13_hello_answers_with_a_server_hello(
    name: str, kind: str
) -> None:
    hello = first_message(answer_to(make_server(kind=kind), record(name)))

    check_common(hello, name)
    assert hello.random != m.RETRY_RANDOM
    assert [kind for kind, _ in hello.extensions] == [
        m.KEY_SHARE,
        m.SUPPORTED_VERSIONS,
    ]
    group = int.from_bytes(hello.get(m.KEY_SHARE)[:2], "big")
    assert group in [one for one, _ in sent(name).shares()]


def refusal(data: bytes, reason: int, **wishes: Any) -> bytes:
    """Feed octets that a server must refuse; give what it writes."""
    server = make_server(**wishes)
    server.feed(data)
    assert server.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons() == [(p.ERR_LIB_SSL, reason)]
    return server.sent()


def changed(hello: m.ClientHello) -> bytes:
    """Give a hello in a record."""
    return b"\x16\x03\x01" + m.vec(2, bytes(hello))


def flight_of(stream: bytes) -> list[tuple[int, bytes]]:
    """Read the messages of a stream of plain handshake records."""
    data = b""
    while stream:
        assert stream[:3] == b"\x16\x03\x03"
        size = int.from_bytes(stream[3:5], "big")
        data += stream[5 : 5 + size]
        stream = stream[5 + size :]
    return list(m.split(data))


def check_server_hello_12(hello: m.ServerHello, name: str, kind: str) -> None:
    """What a ServerHello of TLS 1.2 owes to the ClientHello."""
    asked = sent(name)
    kinds = [one for one, _ in asked.extensions]
    assert hello.version == 0x0303
    assert hello.suite == next(s for s in asked.suites if s in SUITES12[kind])
    assert hello.compression == 0
    # It resumes nothing, and says that it knows TLS 1.3.
    assert hello.session_id == b"" or hello.session_id != asked.session_id
    assert hello.random[24:] == m.DOWNGRADE_12
    answered = [one for one, _ in hello.extensions]
    assert len(answered) == len(set(answered))
    secure = RENEGOTIATION in kinds or RENEGOTIATION_SCSV in asked.suites
    assert (RENEGOTIATION in answered) == secure
    assert set(answered) - {RENEGOTIATION} <= set(kinds)
    assert m.SUPPORTED_VERSIONS not in answered
    assert (EXTENDED_MASTER in answered) == (EXTENDED_MASTER in kinds)


@clause("RFC 8446 4.1.3", "RFC 8446 4.2.1", "RFC 5246 7.4.1.3")
@clause("RFC 5246 7.4.3", "RFC 5746 3.6", "RFC 7627 5.1", "RFC 8422 5.4")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("name", OLD)
def test_server_given_a_real_hello_without_tls13_answers_in_tls12(
    name: str, kind: str
) -> None:
    stream = answer_to(make_server(kind=kind), record(name))
    messages = flight_of(stream)

    assert [one for one, _ in messages] == [
        m.SERVER_HELLO,
        m.CERTIFICATE,
        m.SERVER_KEY_EXCHANGE,
        m.SERVER_HELLO_DONE,
    ]
    check_server_hello_12(m.ServerHello.parse(messages[0][1]), name, kind)
    summary = HELLOS[name]["summary"]
    params = m.Reader(messages[2][1])
    assert params.number(1) == NAMED_CURVE
    assert params.take(2).hex() in summary["supported_groups"]
    assert params.vec(1)
    assert params.take(2).hex() in summary["signature_algorithms"]
    assert params.vec(2)
    params.end()
    assert messages[3][1] == b""


@clause("RFC 8446 4.2.1", "HS-18")
@pytest.mark.parametrize("name", OLD)
def test_server_of_tls13_alone_given_a_real_hello_without_it_refuses(
    name: str,
) -> None:
    reason = p.SSL_R_UNSUPPORTED_PROTOCOL
    alert = refusal(record(name), reason, version=p.TLS1_3_VERSION)

    assert alert == PROTOCOL_VERSION


@clause("RFC 8446 4.2.1", "RFC 5246 E.1", "HS-18")
@pytest.mark.parametrize("name", OLD)
def test_server_given_a_real_hello_below_tls12_sends_protocol_version(
    name: str,
) -> None:
    hello = sent(name)
    if HELLOS[name]["summary"]["supported_versions"]:
        # RFC 8446 4.2.1: the list alone counts.
        hello.put(m.SUPPORTED_VERSIONS, b"\4\3\2\3\1")
    else:
        hello.version = 0x0302

    alert = refusal(changed(hello), p.SSL_R_UNSUPPORTED_PROTOCOL)

    assert alert == PROTOCOL_VERSION


@clause("RFC 5246 7.4.1.3", "RFC 8422 5.1", "HS-18")
@pytest.mark.parametrize("lacks", ["suite", "certificate", "scheme", "group"])
@pytest.mark.parametrize("name", OLD)
def test_server_given_a_real_hello_with_nothing_in_common_fails(
    name: str, lacks: str
) -> None:
    hello = sent(name)
    if lacks == "suite":
        ours = SUITES12["p256"] | SUITES12["rsa"]
        hello.suites = [s for s in hello.suites if s not in ours]
    elif lacks == "certificate":
        drop = SUITES12["p256"]
        hello.suites = [s for s in hello.suites if s not in drop]
    elif lacks == "scheme":
        hello.put(m.SIGNATURE_ALGORITHMS, b"\0\4\2\1\2\3")
    else:
        hello.put(m.SUPPORTED_GROUPS, b"\0\2\1\0")
        # RFC 8446 4.2.8: no share of a group that is not listed.
        hello.extensions = [
            one for one in hello.extensions if one[0] != m.KEY_SHARE
        ]

    alert = refusal(changed(hello), p.SSL_R_NO_SHARED_CIPHER)

    assert alert == HANDSHAKE_FAILURE


@clause("RFC 8446 4.1.1", "RFC 8446 4.1.4", "RFC 8446 4.2.8", "HS-18")
@pytest.mark.parametrize("curve", sorted(CURVES))
@each
def test_server_with_one_group_answers_retries_or_refuses_a_real_hello(
    name: str, curve: str
) -> None:
    server = make_server(curve)
    group = CURVES[curve]
    summary = HELLOS[name]["summary"]

    server.feed(record(name))
    result = server.handshake()
    flight = server.sent()

    if group not in summary["supported_groups"]:
        assert result == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons()[-1] == p.SSL_R_NO_SUITABLE_KEY_SHARE
        assert flight == HANDSHAKE_FAILURE
        return
    assert result == WANT_READ, links.reasons()
    hello = first_message(flight)
    check_common(hello, name)
    share = hello.get(m.KEY_SHARE)
    assert share[:2].hex() == group
    if group in [one for one, _ in summary["key_shares"]]:
        assert hello.random != m.RETRY_RANDOM
        assert len(share) > 4
    else:
        assert hello.random == m.RETRY_RANDOM
        assert len(share) == 2


@clause("RFC 8446 4.1.2", "RFC 8446 4.1.4")
def test_server_given_both_hellos_of_a_real_retry_answers_the_second() -> None:
    server = make_server("P-256")
    first, second = "openssl-s_client-go-hrr-1", "openssl-s_client-go-hrr-2"

    retry = first_message(answer_to(server, record(first)))
    check_common(retry, first)
    assert retry.random == m.RETRY_RANDOM
    assert retry.get(m.KEY_SHARE) == b"\0\x17"

    hello = first_message(answer_to(server, record(second)))
    check_common(hello, second)
    assert hello.random != m.RETRY_RANDOM
    assert hello.suite == retry.suite
    assert hello.get(m.KEY_SHARE)[:2] == b"\0\x17"


@clause("RFC 8446 4.1.2", "HS-18")
def test_server_given_the_hello_of_another_client_after_a_retry_refuses() -> (
    None
):
    server = make_server("P-256")
    answer_to(server, record("openssl-s_client-go-hrr-1"))

    server.feed(record("openjdk-17.0.15"))

    assert server.handshake() == (-1, p.SSL_ERROR_SSL)
    assert server.sent() == b"\x15\x03\x03\x00\x02\x02\x2f"


@clause("HS-10", "RFC 8446 5.1")
@each
def test_server_given_a_real_hello_octet_by_octet_answers_after_the_last(
    name: str,
) -> None:
    server = make_server()
    data = record(name)

    for at in range(len(data) - 1):
        assert answer_to(server, data[at : at + 1]) == b""
    flight = answer_to(server, data[-1:])

    check_common(first_message(flight), name)


@clause("SNI-2", "SNI-3", "ALPN-2")
@each
def test_server_given_a_real_hello_sees_its_name_and_protocols(
    name: str,
) -> None:
    summary = HELLOS[name]["summary"]
    names: list[Optional[str]] = []
    offers: list[bytes] = []

    def on_name(ssl: p.SSL, _alert: Any, _arg: Any) -> int:
        names.append(p.SSL_get_servername(ssl, 0))
        return 0

    def on_protocols(_ssl: p.SSL, offer: bytes, _arg: Any) -> Any:
        offers.append(bytes(offer))
        return 0, offer[1 : 1 + offer[0]]

    context = links.make_contexts()[1]
    p.SSL_CTX_set_tlsext_servername_callback(context, on_name)
    p.SSL_CTX_set_alpn_select_cb(context, on_protocols, None)
    server = links.raw_server(server_ctx=context)

    answer_to(server, record(name))

    assert names == [summary["server_name"]]
    wire = b"".join(m.vec(1, one.encode()) for one in summary["alpn"])
    assert offers == ([wire] if wire else [])
    first = summary["alpn"][0].encode() if wire else b""
    assert p.SSL_get0_alpn_selected(server.ssl) == first


@clause("RFC 8446 4.1.2", "HS-18", "HS-22")
@pytest.mark.parametrize(
    ("version", "refused"),
    [(0, HANDSHAKE_FAILURE), (p.TLS1_3_VERSION, PROTOCOL_VERSION)],
    ids=["all", "tls13"],
)
@pytest.mark.parametrize("name", ["firefox-2021-psk", "go-crypto-tls"])
def test_server_given_a_real_hello_cut_short_never_answers_it(
    name: str, version: int, refused: bytes
) -> None:
    message = bytes.fromhex(HELLOS[name]["handshake"])
    body = message[4:]
    without_extensions = len(body) - len(m.block(sent(name).extensions))

    for size in range(len(body)):
        server = make_server(version=version)
        cut = m.CLIENT_HELLO.to_bytes(1, "big") + m.vec(3, body[:size])
        server.feed(b"\x16\x03\x01" + m.vec(2, cut))
        assert server.handshake() == (-1, p.SSL_ERROR_SSL), size
        alert = server.sent()
        # Hellos older than TLS 1.3 may have no extensions at all; one of TLS
        # 1.2 then means SHA-1 (RFC 5246 7.4.1.4.1), which we do not sign with.
        if size == without_extensions:
            assert alert == refused
        else:
            assert alert == b"\x15\x03\x03\x00\x02\x02\x32", size
        links.reasons()
