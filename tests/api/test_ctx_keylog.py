"""The key log opens what it was written for (contract section 6.11)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    outcome,
    ssl_reasons,
)
from tests.api.opened import (
    ALERT,
    DATA,
    Capture,
    hello_of,
    log_of,
    secrets_of,
    suite_of,
)
from tests.clauses import clause
from tests.forge import keys, messages
from tests.pki import ca

HANDSHAKE_LABELS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
}
LABELS = HANDSHAKE_LABELS | {
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
}
SUITES = {
    "TLS_AES_256_GCM_SHA384": 48,
    "TLS_CHACHA20_POLY1305_SHA256": 32,
    "TLS_AES_128_GCM_SHA256": 32,
}
RETRY = ("X25519:P-384", "P-384")


def contexts(
    suite: str, groups: tuple[str, ...] = (), **wishes: Any
) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    made = make_contexts(**wishes)
    assert p.SSL_CTX_set_ciphersuites(made[0], suite) == 1
    for ctx, text in zip(made, groups):
        assert p.SSL_CTX_set1_groups_list(ctx, text) == 1
    return made


@clause("KLOG-1", "KLOG-2")
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("groups", [(), RETRY], ids=["direct", "retry"])
@pytest.mark.parametrize("client_auth", [False, True])
def test_recorded_handshake_opens_with_the_lines(
    suite: str, groups: tuple[str, ...], client_auth: bool
) -> None:
    made = contexts(suite, groups, client_auth=client_auth)
    capture = Capture(*made).run()

    assert sorted(capture.lines) == sorted(capture.server_lines)
    random = hello_of(capture.sent["client"]).random.hex()
    for line in capture.lines:
        label, shown, secret = line.split(" ")
        assert line == f"{label} {shown} {secret}".rstrip("\n")
        assert shown == random
        assert len(secret) == 2 * SUITES[suite]
        assert secret == secret.lower()
    assert secrets_of(capture.lines).keys() == LABELS

    hellos = 1 + bool(groups)
    server = [kind for kind, _ in capture.messages("server")]
    asked = [messages.CERTIFICATE_REQUEST] * client_auth
    assert server[: hellos + 4 + client_auth] == [
        *[messages.SERVER_HELLO] * hellos,
        messages.ENCRYPTED_EXTENSIONS,
        *asked,
        messages.CERTIFICATE,
        messages.CERTIFICATE_VERIFY,
        messages.FINISHED,
    ]
    own = [messages.CERTIFICATE, messages.CERTIFICATE_VERIFY] * client_auth
    assert [kind for kind, _ in capture.messages("client")] == [
        *[messages.CLIENT_HELLO] * hellos,
        *own,
        messages.FINISHED,
    ]


@clause("KLOG-2", "RFC 8446 4.4.4")
@pytest.mark.parametrize("suite", SUITES)
def test_secrets_make_the_finished_messages_of_both_sides(suite: str) -> None:
    capture = Capture(*contexts(suite)).run()
    found = secrets_of(capture.lines)
    used = suite_of(capture.link.client)
    schedule = keys.Schedule()
    schedule.suite = used
    flow = [
        *capture.messages("client")[:1],
        *capture.messages("server")[:5],
        *capture.messages("client")[1:],
    ]
    sides = ["SERVER", "CLIENT"]
    for kind, body in flow:
        if kind == messages.FINISHED:
            traffic = found[f"{sides.pop(0)}_HANDSHAKE_TRAFFIC_SECRET"]
            assert body == schedule.verify_data(traffic)
        schedule.add(bytes([kind]) + len(body).to_bytes(3, "big") + body)
    assert sides == []
    assert used.length == hashlib.new(used.hash).digest_size


@clause("KLOG-2")
@pytest.mark.parametrize("suite", SUITES)
def test_application_data_opens_with_the_traffic_secrets(suite: str) -> None:
    capture = Capture(*contexts(suite)).run()
    client, server = capture.link.client, capture.link.server
    for ssl, side in ((client, "client"), (server, "server")):
        assert p.SSL_write(ssl, f"said by {side}".encode()) > 0
        capture.carry(side)
        p.SSL_shutdown(ssl)
        capture.carry(side)

    for side in ("client", "server"):
        last = list(capture.records(side))[-2:]
        said = f"said by {side}".encode()
        assert last == [(DATA, said), (ALERT, b"\x01\x00")]


@clause("KLOG-2")
def test_lines_come_as_soon_as_their_secrets_are_used() -> None:
    client_ctx, server_ctx = make_contexts()
    capture = Capture(client_ctx, server_ctx)
    capture.step("client")
    assert capture.lines == []
    capture.step("server")
    assert secrets_of(capture.server_lines).keys() >= HANDSHAKE_LABELS
    capture.step("client")
    assert secrets_of(capture.lines).keys() == LABELS
    capture.step("server")
    assert secrets_of(capture.server_lines).keys() == LABELS

    p.SSL_write(capture.link.client, b"more")
    p.SSL_key_update(capture.link.client, 0)
    p.SSL_write(capture.link.client, b"yet more")
    assert len(capture.lines) == len(LABELS)


@clause("KLOG-1", "KLOG-2")
def test_failed_handshake_can_still_be_opened() -> None:
    client_ctx, server_ctx = make_contexts(server=ca.leaf(expired=True))
    capture = Capture(client_ctx, server_ctx)
    capture.step("client")
    capture.step("server")
    assert capture.step("client") == (-1, 1)
    assert ssl_reasons()[-1] == 134

    assert secrets_of(capture.lines).keys() >= HANDSHAKE_LABELS
    *_, (kind, alert) = capture.records("client")
    assert (kind, alert) == (ALERT, b"\x02\x2d")


@clause("KLOG-1")
def test_callback_is_given_back_and_may_be_another_for_each_context() -> None:
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_get_keylog_callback(client_ctx) is None
    said: list[tuple[p.SSL, str]] = []

    def keep(ssl: p.SSL, line: str) -> None:
        said.append((ssl, line))

    p.SSL_CTX_set_keylog_callback(client_ctx, keep)
    assert p.SSL_CTX_get_keylog_callback(client_ctx) is keep
    assert p.SSL_CTX_get_keylog_callback(server_ctx) is None
    lines = log_of(server_ctx)
    links = [MemLink(*make_ends(client_ctx, server_ctx)) for _ in range(2)]
    for link in links:
        link.established()

    assert {ssl for ssl, _ in said} == {link.client for link in links}
    assert sorted(lines) == sorted(line for _, line in said)
    assert len(set(lines)) == 2 * len(LABELS)

    p.SSL_CTX_set_keylog_callback(client_ctx, None)
    assert p.SSL_CTX_get_keylog_callback(client_ctx) is None
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    assert len(said) == 2 * len(LABELS)


@clause("KLOG-1", "CV-2")
def test_what_cannot_be_called_is_no_callback() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    wrongs: list[Any] = ["file", 1, b""]
    for wrong in wrongs:
        with pytest.raises(TypeError):
            p.SSL_CTX_set_keylog_callback(ctx, wrong)
    assert p.SSL_CTX_get_keylog_callback(ctx) is None


@clause("KLOG-2")
def test_two_handshakes_of_one_object_have_secrets_of_their_own() -> None:
    client_ctx, server_ctx = make_contexts()
    lines = log_of(client_ctx)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    for ssl in (link.client, link.server):
        assert p.SSL_clear(ssl) == 1
    link.attach()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 2)
    link.move()
    link.established()

    assert len(set(lines)) == 2 * len(LABELS)
    assert len({line.split(" ")[1] for line in lines}) == 2
