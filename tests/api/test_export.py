"""The exporter against RFC 8446 7.5, worked out apart (contract 6.14)."""

from __future__ import annotations

from typing import Any, Optional, Union

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    SockLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    reasons,
)
from tests.api.opened import log_of, secrets_of, suite_of
from tests.clauses import clause
from tests.forge import keys

SUITES = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
]


def export(
    ssl: p.SSL,
    size: int,
    label: Union[str, bytes],
    context: Any = None,
    use_context: Optional[int] = None,
) -> tuple[int, bytes]:
    """Export into a fresh buffer."""
    out = bytearray(size)
    if use_context is None:
        ret = p.SSL_export_keying_material(ssl, out, label, context)
    else:
        ret = p.SSL_export_keying_material(
            ssl, out, label, context, use_context
        )
    return ret, bytes(out)


def worked_out(
    suite: keys.Suite, secret: bytes, label: str, context: bytes, size: int
) -> bytes:
    """TLS-Exporter of RFC 8446 7.5."""
    empty, hashed = suite.digest(b""), suite.digest(context)
    derived = keys.derive_secret(suite, secret, label, empty)
    return keys.expand_label(suite, derived, "exporter", hashed, size)


@clause("EKM-1", "EKM-2", "RFC 8446 7.5")
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("label", "context", "size"),
    [
        ("EXPORTER-Channel-Binding", b"", 32),
        ("EXTRACTOR-dtls_srtp", None, 60),
        ("EXPERIMENTAL label", b"\0", 1),
        ("EXPERIMENTAL label", bytes(range(256)) * 300, 33),
        ("client EAP encryption", None, 128),
        ("x" * 249, b"context", 64),
        ("", None, 16),
        ("x", None, 255 * 32),
    ],
)
def test_exported_bytes_are_those_of_the_rfc_on_both_sides(
    suite: str, label: str, context: Optional[bytes], size: int
) -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_set_ciphersuites(client_ctx, suite) == 1
    lines = log_of(client_ctx)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    secret = secrets_of(lines)["EXPORTER_SECRET"]

    wanted = worked_out(
        suite_of(link.client), secret, label, context or b"", size
    )

    for ssl in (link.client, link.server):
        assert export(ssl, size, label, context) == (1, wanted)
    assert reasons() == []


@clause("EKM-2")
@pytest.mark.parametrize(
    ("context", "use_context", "alike"),
    [
        (None, None, True),
        (None, 0, True),
        (None, 1, True),
        (b"", None, True),
        (b"", 0, True),
        (b"", 1, True),
        (b"x", 0, True),
        (b"x", None, False),
        (b"x", 1, False),
        (bytearray(b"x"), 1, False),
        (memoryview(b"x"), 1, False),
    ],
)
def test_empty_context_is_no_context(
    context: Any, use_context: Optional[int], alike: bool
) -> None:
    link = connected()
    none = export(link.client, 32, "label")

    got = export(link.server, 32, "label", context, use_context)

    assert none[0] == got[0] == 1
    assert (got == none) == alike
    if not alike:
        assert got == export(link.client, 32, "label", b"x", 1)


@clause("EKM-1")
def test_length_is_part_of_the_derivation() -> None:
    link = connected()
    found = [export(link.client, n, "label")[1] for n in (16, 32, 33)]
    assert found[1][:16] != found[0]
    assert found[2][:32] != found[1]


@clause("EKM-1")
def test_label_as_bytes_is_the_label_as_text() -> None:
    link = connected()
    assert export(link.client, 32, "label") == export(
        link.server, 32, b"label"
    )


@clause("EKM-1")
@pytest.mark.parametrize("state", ["new", "client hello", "server flight"])
def test_before_the_end_of_the_handshake_nothing_is_exported(
    state: str,
) -> None:
    link = make_link()
    if state != "new":
        p.SSL_do_handshake(link.client)
        link.move()
    if state == "server flight":
        p.SSL_do_handshake(link.server)
        link.move()
    for ssl in (link.client, link.server):
        assert export(ssl, 8, "label") == (-1, bytes(8))

    link.established()
    assert export(link.client, 8, "label") == export(link.server, 8, "label")


@clause("EKM-1")
@pytest.mark.parametrize(
    ("suite", "size", "label", "ret"),
    [
        (SUITES[0], 255 * 48, "x", 1),
        (SUITES[0], 255 * 48 + 1, "x", 0),
        (SUITES[2], 255 * 32, "x", 1),
        (SUITES[2], 255 * 32 + 1, "x", 0),
        (SUITES[0], 32, "x" * 249, 1),
        (SUITES[0], 32, "x" * 250, 0),
        (SUITES[0], 32, "x" * 70000, 0),
    ],
)
def test_more_than_can_be_derived_gives_zero_and_no_bytes(
    suite: str, size: int, label: str, ret: int
) -> None:
    client, server = make_ends()
    assert p.SSL_set_ciphersuites(client, suite) == 1
    MemLink(client, server).established()

    got, out = export(server, size, label)

    assert got == ret
    assert any(out) == bool(ret)


@clause("EKM-1")
def test_it_works_after_shutdown_and_key_updates_do_not_change_it() -> None:
    link = connected()
    before = export(link.client, 32, "label")
    assert p.SSL_key_update(link.client, 1) == 1
    link.send(link.client, b"new keys")
    assert export(link.client, 32, "label") == before
    assert export(link.server, 32, "label") == before

    assert p.SSL_shutdown(link.client) == 0
    link.move()
    assert p.SSL_shutdown(link.server) == 0
    link.move()
    assert p.SSL_shutdown(link.client) == 1

    assert export(link.client, 32, "label") == before
    assert export(link.server, 32, "label") == before


@clause("EKM-1")
def test_connections_have_material_of_their_own() -> None:
    found = {export(connected().client, 32, "label") for _ in range(3)}
    assert len(found) == 3


@clause("EKM-1", "CV-2")
@pytest.mark.parametrize(
    ("out", "label", "error"),
    [
        (bytes(8), "x", TypeError),
        ("text", "x", TypeError),
        (8, "x", TypeError),
        (bytearray(8), 8, TypeError),
        (bytearray(8), None, TypeError),
        (bytearray(8), "\xfc", ValueError),
    ],
)
def test_wrong_types_are_raised(
    out: Any, label: Any, error: type[Exception]
) -> None:
    link = connected()
    with pytest.raises(error):
        p.SSL_export_keying_material(link.client, out, label)


@clause("EKM-1")
def test_material_agrees_over_sockets_too() -> None:
    with SockLink(*make_ends()) as link:
        assert link.handshake() == [(1, 0), (1, 0)]
        assert export(link.client, 32, "x") == export(link.server, 32, "x")
