"""RFC 6066 8, RFC 6962 3.3: proofs that come as they should not."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import (
    ForgeClient,
    ForgeClient12,
    ForgeServer,
    ForgeServer12,
    messages as m,
)
from tests.forge.victim import Victim, client, server
from tests.pki import ca

UNEXPECTED, ILLEGAL, DECODE, UNSUPPORTED = 10, 47, 50, 110
TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
STATUS = bytes.fromhex("01000003414243")
SCTS = bytes.fromhex("000300010a")


def asks(ssl: p.SSL) -> None:
    """Let a client ask for both."""
    assert p.SSL_set_tlsext_status_type(ssl, 1) == 1
    ssl.enable_sct()


def ended(victim: Victim, alert: Optional[int]) -> None:
    """The handshake ended with this alert; None: with none, complete."""
    result = victim.handshake()
    sent = [one.description for one in victim.forge.alerts]
    if alert is None:
        assert (result, sent) == ((1, 0), []), links.reasons()
    else:
        assert (result[1], sent) == (1, [alert]), links.reasons()
        assert links.reasons()


# ---- TLS 1.3: extensions of the certificate -------------------------------


def entry(*exts: tuple[int, bytes], issuer: bool = False) -> Any:
    """Put extensions behind the leaf, or behind a second certificate."""

    def change(_: Any, message: Any) -> None:
        der, _old = message.entries[0]
        if issuer:
            message.entries = [(der, []), (ca.authority().cert_der, [*exts])]
        else:
            message.entries = [(der, [*exts])]

    return change


@clause("RFC 8446 4.4.2.1", "RFC 6066 8", "RFC 6962 3.3")
@pytest.mark.parametrize(
    ("kind", "content", "alert"),
    [
        (5, STATUS, None),
        (5, b"", DECODE),
        (5, bytes.fromhex("0200000141"), DECODE),
        (5, bytes.fromhex("01000000"), DECODE),
        (5, bytes.fromhex("0100000241"), DECODE),
        (5, STATUS + b"x", DECODE),
        (18, SCTS, None),
        (18, b"", DECODE),
        (18, bytes.fromhex("0000"), DECODE),
        (18, bytes.fromhex("00020000"), DECODE),
        (18, SCTS + b"x", DECODE),
    ],
)
@pytest.mark.parametrize("issuer", [False, True], ids=["leaf", "issuer"])
def test_proof_in_a_certificate(
    kind: int, content: bytes, alert: Optional[int], issuer: bool
) -> None:
    forge = ForgeServer(ca.leaf())
    forge.on("certificate", entry((kind, content), issuer=issuer))
    victim = client(forge, asks)
    ended(victim, alert)

    # RFC 8446 4.4.2.1: what stands by the leaf is about the leaf.
    mine = alert is None and not issuer
    got = p.SSL_get_tlsext_status_ocsp_resp(victim.ssl)
    assert got == ((3, b"ABC") if mine and kind == 5 else (-1, None))
    scts = victim.ssl.get_sct_list()
    assert scts == (SCTS if mine and kind == 18 else None)


@clause("RFC 8446 4.2", "RFC 8446 4.4.2")
@pytest.mark.parametrize(("kind", "content"), [(5, STATUS), (18, SCTS)])
def test_proof_that_was_not_asked_for_is_refused(
    kind: int, content: bytes
) -> None:
    forge = ForgeServer(ca.leaf())
    forge.on("certificate", entry((kind, content)))
    ended(client(forge), UNSUPPORTED)


@clause("RFC 8446 4.2")
@pytest.mark.parametrize(("kind", "content"), [(5, b""), (18, SCTS)])
@pytest.mark.parametrize("name", ["encrypted_extensions", "server_hello"])
def test_proof_in_a_wrong_message_is_refused(
    name: str, kind: int, content: bytes
) -> None:
    forge = ForgeServer(ca.leaf())
    forge.on(name, lambda _, found: found.put(kind, content))
    victim = client(forge, asks)
    result = victim.handshake()

    # TLS 1.2's place for both is its ServerHello: this one is TLS 1.3's.
    assert result[1] == 1
    assert forge.alerts[0].description == ILLEGAL


# ---- TLS 1.2: ServerHello and CertificateStatus ----------------------------


def forge12(*exts: tuple[int, bytes]) -> ForgeServer12:
    """A server whose ServerHello has more extensions."""
    return ForgeServer12(ca.leaf(), extensions=[*exts])


def follow(
    forge: ForgeServer12, body: bytes, name: str = "certificate"
) -> None:
    """Send a CertificateStatus behind a message."""
    forge.on(name, lambda _, found: [found, m.Raw(22, body)])


@clause("RFC 6066 8")
@pytest.mark.parametrize("body", [STATUS, None], ids=["sent", "left out"])
def test_status_message_may_follow(body: Optional[bytes]) -> None:
    forge = forge12((5, b""))
    if body is not None:
        follow(forge, body)
    victim = client(forge, asks, version=TLS12)
    ended(victim, None)

    got = p.SSL_get_tlsext_status_ocsp_resp(victim.ssl)
    assert got == ((3, b"ABC") if body else (-1, None))


@clause("RFC 6066 8")
@pytest.mark.parametrize(
    ("body", "alert"),
    [
        (b"", DECODE),
        (bytes.fromhex("0200000141"), DECODE),
        (bytes.fromhex("01000000"), DECODE),
        (STATUS + b"x", DECODE),
        (bytes.fromhex("01010000") + bytes(65536), DECODE),
    ],
)
def test_malformed_status_message_is_refused(body: bytes, alert: int) -> None:
    forge = forge12((5, b""))
    follow(forge, body)
    ended(client(forge, asks, version=TLS12), alert)


@clause("RFC 6066 8", "RFC 5246 7.4")
@pytest.mark.parametrize("exts", [(), ((5, b""),)], ids=["silent", "said"])
@pytest.mark.parametrize(
    "name", ["server_hello", "certificate", "server_key_exchange"]
)
def test_status_message_comes_where_it_was_said_and_once(
    name: str, exts: tuple[tuple[int, bytes], ...]
) -> None:
    forge = forge12(*exts)
    follow(forge, STATUS, name)
    allowed = bool(exts) and name == "certificate"
    victim = client(forge, asks, version=TLS12)
    ended(victim, None if allowed else UNEXPECTED)

    if allowed:
        forge = forge12(*exts)
        follow(forge, STATUS)
        follow(forge, STATUS)
        forge.on("certificate", lambda _, c: [c, *[m.Raw(22, STATUS)] * 2])
        ended(client(forge, asks, version=TLS12), UNEXPECTED)


@clause("RFC 6066 8", "RFC 6962 3.3.1")
@pytest.mark.parametrize(
    ("exts", "prepare", "alert"),
    [
        (((5, b"x"),), asks, DECODE),
        (((5, b""),), None, UNSUPPORTED),
        (((18, SCTS),), asks, None),
        (((18, SCTS),), None, UNSUPPORTED),
        (((18, b""),), asks, DECODE),
        (((18, SCTS + b"x"),), asks, DECODE),
    ],
)
def test_proof_in_a_server_hello_of_tls12(
    exts: tuple[tuple[int, bytes], ...],
    prepare: Optional[Callable[[p.SSL], None]],
    alert: Optional[int],
) -> None:
    victim = client(forge12(*exts), prepare, version=TLS12)
    ended(victim, alert)
    assert victim.ssl.get_sct_list() == (None if alert else SCTS)


# ---- questions ------------------------------------------------------------

QUESTIONS = [
    (5, "0100000000", None, 1),
    # One responder, one extension.
    (5, "010004000261620003060000", None, 1),
    (5, "02", None, -1),  # RFC 6066 8: another type, not known
    (5, "02ffffff", None, -1),
    (5, "", DECODE, -1),
    (5, "01", DECODE, -1),
    (5, "010000", DECODE, -1),
    (5, "0100000000ff", DECODE, -1),
    (5, "01000200000000", DECODE, -1),  # an empty responder
    (5, "01000300026100", DECODE, -1),
    (18, "", None, -1),
    (18, "00", DECODE, -1),
]


@clause("RFC 6066 8", "RFC 6962 3.3.1", "OCSP-1")
@pytest.mark.parametrize(("kind", "content", "alert", "type"), QUESTIONS)
@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_question_to_a_server(
    version: int, kind: int, content: str, alert: Optional[int], type: int
) -> None:
    forge: Any = ForgeClient12() if version == TLS12 else ForgeClient()
    data = bytes.fromhex(content)
    forge.on("client_hello", lambda _, found: found.put(kind, data))

    victim = server(forge, version=version)
    forge.start()
    victim.deliver()
    ended(victim, alert)

    if alert is None:
        assert p.SSL_get_tlsext_status_type(victim.ssl) == type
