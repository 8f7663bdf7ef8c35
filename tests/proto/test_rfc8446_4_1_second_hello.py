"""RFC 8446 4.1.2, 4.1.4: a server and the hello that answers its retry."""

from __future__ import annotations

from typing import Any

from tests.clauses import clause
from tests.forge import ForgeClient, bend, keys, messages as m
from tests.forge.victim import (
    CLEAR,
    DECODE,
    FAILURE,
    ILLEGAL,
    MISSING,
    VERSION,
    Case,
    check,
    server,
    table,
)

CH2 = "client_hello_2"
AGAIN: dict[str, Any] = {"shares": []}


def other(rfc: str, name: str, how: Any, *rest: Any) -> Case:
    """Give a row about the answer to a HelloRetryRequest."""
    alert, reason = (*rest, None, None)[:2]
    return Case(rfc, name, how, alert or ILLEGAL, reason, CLEAR, forge=AGAIN)


SECOND = [
    other("4.1.2", "another random", bend.fields(CH2, random=b"r" * 32)),
    other(
        "4.1.2",
        "another session id",
        bend.fields(CH2, session_id=b"s" * 32),
    ),
    other("4.1.2", "no session id", bend.fields(CH2, session_id=b"")),
    other(
        "4.1.2",
        "fewer suites",
        bend.on(CH2, lambda h: h.suites.__delitem__(-1)),
    ),
    other(
        "4.1.2",
        "more suites",
        bend.on(CH2, lambda h: h.suites.append(0x1304)),
    ),
    other(
        "4.1.4",
        "without the suite chosen",
        bend.fields(CH2, suites=[0x1304]),
        (ILLEGAL, FAILURE),
    ),
    other("4.1.2", "compression", bend.fields(CH2, compression=b"\0\x01")),
    other(
        "4.1.2",
        "another legacy_version",
        bend.fields(CH2, version=0x0302),
    ),
    other(
        "4.1.2",
        "another server_name",
        bend.put(CH2, m.SERVER_NAME, m.server_name(b"other.test")),
    ),
    other(
        "4.1.2",
        "server_name left out",
        bend.drop(CH2, m.SERVER_NAME),
    ),
    other(
        "4.1.2",
        "more groups",
        bend.put(CH2, m.SUPPORTED_GROUPS, b"\0\x08\0\x1d\0\x17\0\x18\0\x19"),
    ),
    other(
        "4.1.2",
        "other schemes",
        bend.put(CH2, m.SIGNATURE_ALGORITHMS, b"\0\x02\x04\x03"),
    ),
    other(
        "4.1.2",
        "schemes left out",
        bend.drop(CH2, m.SIGNATURE_ALGORITHMS),
        (ILLEGAL, MISSING),
    ),
    other(
        "4.1.2",
        "one extension more",
        bend.put(CH2, m.ALPN, m.protocols([b"h2"])),
    ),
    other(
        "4.1.2",
        "one unknown extension more",
        bend.put(CH2, 0x1234, b""),
    ),
    other(
        "4.1.2",
        "an extension in the place of another one",
        bend.both(
            bend.drop(CH2, m.SIGNATURE_ALGORITHMS), bend.put(CH2, 0x1234, b"")
        ),
        (ILLEGAL, MISSING),
    ),
    other(
        "4.1.2",
        "another order and another content",
        bend.both(
            bend.put(CH2, m.SUPPORTED_VERSIONS, b"\x04\x03\x04\x03\x03"),
            bend.on(CH2, lambda h: h.extensions.reverse()),
        ),
    ),
    # What it costs to compare is bounded.
    Case(
        "4.1.2",
        "very many extensions in another order",
        bend.on(CH2, lambda h: h.extensions.reverse()),
        ILLEGAL,
        None,
        CLEAR,
        forge={
            **AGAIN,
            "extensions": [(0x4000 + i, b"") for i in range(5000)],
        },
    ),
    other(
        "4.1.2",
        "another supported_versions",
        bend.put(CH2, m.SUPPORTED_VERSIONS, b"\x04\x03\x04\x03\x03"),
    ),
    other(
        "4.1.2",
        "TLS 1.2",
        bend.put(CH2, m.SUPPORTED_VERSIONS, b"\x02\x03\x03"),
        (ILLEGAL, VERSION),
    ),
    other("4.2.8", "no share again", bend.put(CH2, m.KEY_SHARE, b"\0\0")),
    other(
        "4.2.8",
        "share of another group",
        bend.put(
            CH2,
            m.KEY_SHARE,
            m.client_shares([(0x18, keys.Share(0x18).public)]),
        ),
    ),
    other(
        "4.2.8",
        "share of another group too",
        bend.on(
            CH2,
            lambda h: h.put(
                m.KEY_SHARE,
                m.client_shares(
                    [*h.shares(), (0x18, keys.Share(0x18).public)]
                ),
            ),
        ),
    ),
    other(
        "4.2.8.2",
        "share of zeros",
        bend.put(CH2, m.KEY_SHARE, m.client_shares([(0x1D, bytes(32))])),
    ),
    other(
        "4.2.8",
        "empty share",
        bend.put(CH2, m.KEY_SHARE, m.client_shares([(0x1D, b"")])),
        DECODE,
    ),
    other(
        "4.2.2",
        "cookie that nobody gave",
        bend.put(CH2, m.COOKIE, b"\0\x01x"),
    ),
    other(
        "4.2.11",
        "pre_shared_key not sent before",
        bend.put(
            CH2,
            m.PRE_SHARED_KEY,
            m.vec(2, b"\0\x01t" + bytes(4)) + m.vec(2, m.vec(1, bytes(32))),
        ),
    ),
    other(
        "9.2",
        "key_share left out",
        bend.drop(CH2, m.KEY_SHARE),
        (ILLEGAL, MISSING),
    ),
    other("4.1.2", "octet behind the body", bend.trailing(CH2), DECODE),
    other(
        "4.2.10",
        "early_data not sent before",
        bend.put(CH2, m.EARLY_DATA, b""),
    ),
]


@table(SECOND)
def test_server_given_another_second_client_hello_aborts(case: Case) -> None:
    check(case, as_server=True)


@table(
    [
        # RFC 8446 4.2: any order; seen of wolfSSL 5.5.
        Case(
            "4.2",
            "extensions in another order",
            bend.on(CH2, lambda h: h.extensions.reverse()),
            forge=AGAIN,
        ),
        Case(
            "4.2",
            "extensions beginning elsewhere",
            bend.on(CH2, lambda h: h.extensions.append(h.extensions.pop(0))),
            forge=AGAIN,
        ),
        Case(
            "4.2",
            "many extensions in the same order",
            bend.on(CH2, lambda h: None),
            forge={
                **AGAIN,
                "extensions": [(0x4000 + i, b"") for i in range(2000)],
            },
        ),
        Case(
            "4.1.2",
            "padding added",
            bend.put(CH2, m.PADDING, bytes(99)),
            forge=AGAIN,
        ),
        Case(
            "4.1.2",
            "padding taken out",
            bend.drop(CH2, m.PADDING),
            forge={**AGAIN, "extensions": [(m.PADDING, bytes(9))]},
        ),
        Case(
            "4.1.2",
            "padding of another length",
            bend.put(CH2, m.PADDING, bytes(5)),
            forge={**AGAIN, "extensions": [(m.PADDING, bytes(9))]},
        ),
        Case(
            "4.2.10",
            "early_data taken out",
            bend.drop(CH2, m.EARLY_DATA),
            forge={**AGAIN, "extensions": [(m.EARLY_DATA, b"")]},
        ),
    ]
)
def test_server_given_a_second_client_hello_changed_as_allowed_completes(
    case: Case,
) -> None:
    check(case, as_server=True)


@clause("RFC 8446 4.2.2")
def test_server_retry_echoes_session_and_names_the_group() -> None:
    forge = ForgeClient(**AGAIN)
    victim = server(forge)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0)
    assert forge.retry is not None
    assert forge.answer is not None
    assert forge.retry.version == 0x0303
    assert forge.retry.compression == 0
    assert forge.retry.suite == forge.answer.suite
    assert forge.retry.get(m.KEY_SHARE) == m.u16(keys.X25519)
    group = forge.answer.get(m.KEY_SHARE)[:2]
    assert group == m.u16(keys.X25519)
    allowed = {m.SUPPORTED_VERSIONS, m.KEY_SHARE, m.COOKIE}
    assert {kind for kind, _ in forge.retry.extensions} <= allowed
