"""RFC 8446 4.3: EncryptedExtensions and CertificateRequests to a client."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import ForgeServer, bend, messages as m
from tests.forge.victim import (
    DECODE,
    ILLEGAL,
    MISSING,
    UNSUPPORTED,
    Case,
    check,
    client,
    refused,
    table,
)
from tests.pki import ca

EE, CR = "encrypted_extensions", "certificate_request"
REQUEST: dict[str, Any] = {"request": [0x0403, 0x0804]}


def speak(*names: bytes) -> Any:
    """Let the client offer protocols."""
    wire = b"".join(m.vec(1, name) for name in names)
    return lambda ssl: p.SSL_set_alpn_protos(ssl, wire)


ENCRYPTED = [
    Case(
        "4.2",
        "unknown extension",
        bend.put(EE, 0x1234, b""),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
    ),
    *(
        Case(
            "4.2",
            f"extension {kind} not offered",
            bend.put(EE, kind, data),
            UNSUPPORTED,
            p.SSL_R_UNSOLICITED_EXTENSION,
        )
        for kind, data in (
            (1, b"\x01"),
            (m.ALPN, m.protocols([b"h2"])),
            (m.EARLY_DATA, b""),
        )
    ),
    *(
        # Offered, so only its place is wrong.
        Case(
            "4.3.1",
            f"extension {kind} of another message",
            bend.put(EE, kind, data),
            ILLEGAL,
        )
        for kind, data in (
            (m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03"),
            (m.SUPPORTED_VERSIONS, b"\x03\x04"),
            (m.KEY_SHARE, b"\0\x1d"),
        )
    ),
    *(
        # Neither offered nor in its place: the table of 4.2 comes first.
        Case(
            "4.3.1",
            f"forbidden extension {kind}",
            bend.put(EE, kind, data),
            ILLEGAL,
        )
        for kind, data in (
            (m.STATUS_REQUEST, b""),
            (m.SCT, b""),
            (m.PADDING, b""),
            (m.PRE_SHARED_KEY, b"\0\0"),
            (m.COOKIE, b"\0\x01x"),
            (m.PSK_MODES, b"\x01\x01"),
            (m.CERTIFICATE_AUTHORITIES, b"\0\0"),
            (m.OID_FILTERS, b"\0\0"),
            (m.POST_HANDSHAKE_AUTH, b""),
            (m.SIGNATURE_ALGORITHMS_CERT, b"\0\x02\x04\x03"),
        )
    ),
    Case(
        "4.2",
        "server_name twice",
        bend.both(
            bend.put(EE, m.SERVER_NAME, b""),
            bend.double(EE, m.SERVER_NAME),
        ),
        ILLEGAL,
    ),
    Case(
        "4.2",
        "server_name not offered",
        bend.put(EE, m.SERVER_NAME, b""),
        UNSUPPORTED,
        p.SSL_R_UNSOLICITED_EXTENSION,
        prepare=lambda ssl: p.SSL_set_tlsext_host_name(ssl, None),
    ),
    Case(
        "4.3.1",
        "server_name not empty",
        bend.put(EE, m.SERVER_NAME, b"\0"),
        DECODE,
    ),
    Case("4.3.1", "octet behind the body", bend.trailing(EE), DECODE),
    Case("4.3.1", "empty", bend.swap(EE, 8, b""), DECODE),
    Case("4.3.1", "block too long", bend.swap(EE, 8, b"\0\1"), DECODE),
    Case(
        "4.3.1",
        "protocol not offered",
        bend.put(EE, m.ALPN, m.protocols([b"h3"])),
        ILLEGAL,
        p.SSL_R_BAD_EXTENSION,
        prepare=speak(b"h2", b"http/1.1"),
        ids=("ALPN-3",),
    ),
    Case(
        "4.3.1",
        "part of a protocol offered",
        bend.put(EE, m.ALPN, m.protocols([b"h"])),
        ILLEGAL,
        p.SSL_R_BAD_EXTENSION,
        prepare=speak(b"h2"),
        ids=("ALPN-3",),
    ),
    *(
        Case(
            "4.3.1",
            f"protocols {data.hex() or 'empty'}",
            bend.put(EE, m.ALPN, data),
            (DECODE, ILLEGAL),
            prepare=speak(b"h2"),
        )
        for data in (
            b"",
            b"\0\0",
            b"\0\x01\0",
            b"\0\x03\x02h",
            b"\0\x03\x02h2\0",
            m.protocols([b"h2", b"h2"]),
        )
    ),
    *(
        Case(
            "4.2.7",
            f"supported_groups {data.hex() or 'empty'}",
            bend.put(EE, m.SUPPORTED_GROUPS, data),
            DECODE,
        )
        for data in (b"", b"\0\x01\0", b"\0\x02\0\x1d\0")
    ),
]


@table(ENCRYPTED)
def test_client_given_wrong_encrypted_extensions_aborts(case: Case) -> None:
    check(case, as_server=False)


@table(
    [
        Case("4.3.1", "server_name", bend.put(EE, m.SERVER_NAME, b"")),
        # RFC 8446 4.2.7: allowed, and not acted upon.
        Case(
            "4.2.7",
            "supported_groups",
            bend.put(EE, m.SUPPORTED_GROUPS, b"\0\x04\0\x18\x1a\x1a"),
        ),
        Case(
            "4.3.1",
            "protocol offered",
            bend.put(EE, m.ALPN, m.protocols([b"h2"])),
            prepare=speak(b"h3", b"h2"),
        ),
    ]
)
def test_client_given_allowed_encrypted_extensions_completes(
    case: Case,
) -> None:
    check(case, as_server=False)


REQUESTS = [
    Case(
        "4.3.2",
        "no signature_algorithms",
        bend.drop(CR, m.SIGNATURE_ALGORITHMS),
        MISSING,
    ),
    Case(
        "4.3.2",
        "context",
        bend.fields(CR, context=b"x"),
        ILLEGAL,
    ),
    *(
        Case(
            "4.2.3",
            f"signature_algorithms {data.hex() or 'empty'}",
            bend.put(CR, m.SIGNATURE_ALGORITHMS, data),
            DECODE,
        )
        for data in (b"", b"\0\0", b"\0\x01\x04", b"\0\x02\x04\x03\0")
    ),
    *(
        Case(
            "4.2.4",
            f"certificate_authorities {data.hex() or 'empty'}",
            bend.put(CR, m.CERTIFICATE_AUTHORITIES, data),
            DECODE,
        )
        for data in (
            b"",
            b"\0\0",
            b"\0\x02\0\0",
            b"\0\x03\0\x02x",
            b"\0\x03\0\x01x\0",
        )
    ),
    *(
        Case(
            "4.2",
            f"extension {kind} of another message",
            bend.put(CR, kind, data),
            ILLEGAL,
        )
        for kind, data in (
            (m.SERVER_NAME, b""),
            (m.SUPPORTED_GROUPS, b"\0\x02\0\x1d"),
            (m.ALPN, m.protocols([b"h2"])),
            (m.KEY_SHARE, b"\0\x1d"),
            (m.SUPPORTED_VERSIONS, b"\x03\x04"),
            (m.COOKIE, b"\0\x01x"),
            (m.EARLY_DATA, b""),
            (m.PRE_SHARED_KEY, b"\0\0"),
        )
    ),
    Case(
        "4.2",
        "signature_algorithms twice",
        bend.double(CR, m.SIGNATURE_ALGORITHMS),
        ILLEGAL,
    ),
    Case(
        "4.2",
        "unknown extension twice",
        bend.both(bend.put(CR, 0x1234, b""), bend.double(CR, 0x1234)),
        ILLEGAL,
    ),
    Case("4.3.2", "octet behind the body", bend.trailing(CR), DECODE),
    Case("4.3.2", "empty", bend.swap(CR, 13, b""), DECODE),
    Case(
        "4.3.2",
        "empty block",
        bend.swap(CR, 13, b"\0\0\0"),
        (DECODE, MISSING),
    ),
]
for case in REQUESTS:
    case.forge = REQUEST


@table(REQUESTS)
def test_client_given_a_wrong_certificate_request_aborts(case: Case) -> None:
    check(case, as_server=False)


@table(
    [
        Case(
            "4.3.2",
            "unknown extension",
            bend.put(CR, 0x1234, b"x"),
            forge=REQUEST,
        ),
        Case(
            "4.2.5",
            "oid_filters",
            bend.put(CR, m.OID_FILTERS, b"\0\0"),
            forge=REQUEST,
        ),
        Case(
            "4.4.2.1",
            "status_request and SCT",
            bend.both(bend.put(CR, 5, b""), bend.put(CR, 18, b"")),
            forge=REQUEST,
        ),
        Case(
            "4.2.4",
            "certificate_authorities",
            bend.put(CR, m.CERTIFICATE_AUTHORITIES, b"\0\x04\0\x02\x30\0"),
            forge=REQUEST,
        ),
        # The client cannot serve it, and says so with an empty message.
        Case("4.4.2.3", "no common scheme", forge={"request": [0x1A1A]}),
    ]
)
def test_client_given_an_unusual_certificate_request_completes(
    case: Case,
) -> None:
    victim = check(case, as_server=False)
    assert victim.forge.peer_chain == []


@clause("RFC 8446 6", "HS-18", "HS-22")
@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        (EE, m.SUPPORTED_GROUPS, b"\0\x02\0\x18"),
        (CR, m.CERTIFICATE_AUTHORITIES, b"\0\x04\0\x02\x30\0"),
    ],
)
def test_client_given_parameters_cut_anywhere_is_decode_error(
    name: str, kind: int, data: bytes
) -> None:
    forge = ForgeServer(ca.leaf(), **REQUEST)
    bend.put(name, kind, data)(forge)
    for at in range(bend.size_of(name, forge, client(forge).handshake)):
        forge = ForgeServer(ca.leaf(), **REQUEST)
        bend.put(name, kind, data)(forge)
        bend.cut(name, at)(forge)
        victim = client(forge)
        refused(victim, victim.handshake(), DECODE)


@clause("RFC 8446 4.4.2", "RFC 8446 4.3.2")
def test_client_with_a_certificate_answers_a_request() -> None:
    forge = ForgeServer(ca.leaf(), request=[0x0804])
    ours = ca.leaf("rsa", key_label="client")
    victim = client(forge, client_auth=True, client=ours)
    assert victim.handshake() == (1, 0)
    assert forge.peer_chain[0] == ours.cert_der
