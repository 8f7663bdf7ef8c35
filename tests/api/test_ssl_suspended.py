"""A handshake that a callback suspends: HS-25, GE-12, GE-13."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    outcome,
    reasons,
)
from tests.clauses import clause
from tests.pki import ca


@clause("HS-25", "GE-12", "CERT-20", "WANT-3")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_certificate_callback_suspends_and_is_called_again(
    server: bool,
) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    answers = [-1, -1, 1]
    calls = []

    def choose(ssl: p.SSL, arg: object) -> int:
        calls.append(ssl)
        return answers[len(calls) - 1]

    ctx = server_ctx if server else client_ctx
    p.SSL_CTX_set_cert_cb(ctx, choose, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    ssl = link.server if server else link.client
    results = link.step()
    if not server:
        results = (outcome(ssl, p.SSL_do_handshake(ssl)), results[1])
    mine = results[1] if server else results[0]
    assert mine == (-1, 4)
    assert link.move() == (0, 0)
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 4)
    assert p.SSL_want(ssl) == p.SSL_X509_LOOKUP
    assert p.SSL_want_x509_lookup(ssl) == 1
    assert reasons() == []
    assert calls == [ssl, ssl]

    link.established()
    assert len(calls) == 3


@clause("HS-25", "GE-12", "CERT-18")
@pytest.mark.parametrize("then", ["certificate", "none", "removed"])
def test_client_certificate_callback_suspends_and_may_change_its_mind(
    then: str,
) -> None:
    ours = ca.leaf(key_label="client")
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_load_verify_mem(server_ctx, ours.ca_pem) == 1
    p.SSL_CTX_set_verify(server_ctx, p.SSL_VERIFY_PEER, None)
    answers: list[Any] = [-1]
    p.SSL_CTX_set_client_cert_cb(client_ctx, lambda _: answers[0])
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()
    for _ in range(2):
        got = outcome(link.client, p.SSL_do_handshake(link.client))
        assert got == (-1, 4)
        assert p.SSL_want(link.client) == 4

    if then == "certificate":
        key = p.EVP_PKEY.from_der(ours.key_der)
        answers[0] = (1, p.X509.from_der(ours.cert_der), key)
    elif then == "none":
        answers[0] = 0
    else:
        p.SSL_CTX_set_client_cert_cb(client_ctx, None)
    link.established()
    seen = p.SSL_get_peer_certificate(link.server)
    assert (seen is not None) == (then == "certificate")


@clause("HS-25", "GE-13", "SNI-9", "WANT-3")
def test_hello_callback_suspends_and_is_called_again() -> None:
    client_ctx, server_ctx = make_contexts()
    answers = [-1, -1, -1, 1]
    calls = []

    def hello(ssl: p.SSL, alert: list[int], arg: object) -> int:
        calls.append(ssl)
        return answers[len(calls) - 1]

    p.SSL_CTX_set_client_hello_cb(server_ctx, hello, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_do_handshake(link.client)
    link.move()
    for _ in range(3):
        got = outcome(link.server, p.SSL_do_handshake(link.server))
        assert got == (-1, 11)
        assert p.SSL_want(link.server) == p.SSL_CLIENT_HELLO_CB == 7
        assert link.move() == (0, 0)
    link.established()
    assert len(calls) == 4
