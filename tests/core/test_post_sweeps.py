"""Authentication after the handshake under every schedule.

A server asks once connected; the client answers within a read, with a
certificate that it has, with one that its callback brings later, or with
none. Splits and ends are tried at every seventh byte of the whole stream;
reads of one byte go through every place as well.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

import pyssl as p
from tests.api.test_post_handshake import PEER, POST, contexts, peer_of
from tests.clauses import clause
from tests.core import sweeps
from tests.core.sweeps import PING, PONG, Scenario, Turns
from tests.pki import ca

OURS = ca.leaf("ed25519", key_label="client")


def asks(ssl: p.SSL) -> Turns:
    """What the server does."""
    yield from sweeps.shake(ssl)
    yield from sweeps.until(
        ssl, lambda: p.SSL_verify_client_post_handshake(ssl)
    )
    yield from sweeps.say(ssl, PONG)
    yield from sweeps.hear(ssl, PING)


def answers(ssl: p.SSL) -> Turns:
    """What the client does: it answers before it speaks."""
    yield from sweeps.shake(ssl)
    yield from sweeps.hear(ssl, PONG)
    yield from sweeps.say(ssl, PING)


class Later:
    """Callbacks that have no answer yet when they are first asked."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def first(self, what: str) -> bool:
        self.calls[what] = self.calls.get(what, 0) + 1
        return self.calls[what] == 1

    def bring(self, ssl: p.SSL, arg: object) -> int:
        """The client's certificate callback."""
        if self.first("certificate"):
            return -1
        return int(
            p.SSL_use_certificate_ASN1(ssl, OURS.cert_der)
            and p.SSL_use_PrivateKey_ASN1(0, ssl, OURS.key_der)
        )

    def judge(self, ctx: p.X509_STORE_CTX, arg: object) -> int:
        """The server's verify callback."""
        if self.first("verdict"):
            index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
            p.SSL_set_retry_verify(p.X509_STORE_CTX_get_ex_data(ctx, index))
        return 1


@functools.cache
def scenario(name: str) -> Scenario:
    """Make the scenario of a name."""
    own = OURS if name == "certificate" else None
    wishes: dict[str, Any] = {"kind": "ed25519"}
    pair = contexts(PEER | POST, own, **wishes)
    assert p.SSL_CTX_load_verify_mem(pair[1], OURS.ca_pem) == 1
    later = Later()
    if name == "later":
        p.SSL_CTX_set_cert_cb(pair[0], later.bring, None)
        p.SSL_CTX_set_cert_verify_callback(pair[1], later.judge, None)

    def ready(client: p.SSL, server: p.SSL) -> None:
        later.calls.clear()

    def prove(client: p.SSL, server: p.SSL) -> None:
        assert peer_of(server) == (None if name == "none" else OURS.cert_der)
        assert p.SSL_get_verify_result(server) == p.X509_V_OK
        if name == "later":
            assert later.calls == {"certificate": 2, "verdict": 2}

    return Scenario(pair, prove, ready, answers, asks, waits=(4, 12))


EACH = pytest.mark.parametrize("name", ["certificate", "later", "none"])


@EACH
@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
@clause("VFY-21", "RFC 8446 4.6.2", "HS-9", "HS-10")
def test_answer_when_reads_and_writes_are_cut_is_good(
    name: str, step: int
) -> None:
    sweeps.cut(scenario(name), step)


@EACH
@clause("VFY-21", "RFC 8446 4.6.2", "HS-10")
def test_answer_when_a_stream_is_split_is_good(name: str) -> None:
    sweeps.split(scenario(name), 7)


@EACH
@clause("VFY-21", "RFC 8446 4.6.2", "HS-6", "HS-7", "RW-29")
def test_answer_when_the_nth_operation_retries_is_good(name: str) -> None:
    sweeps.retried(scenario(name), 1)


@EACH
@clause("VFY-21", "RFC 8446 4.6.2", "HS-16", "RW-8", "RW-33")
def test_answer_when_a_stream_ends_fails(name: str) -> None:
    sweeps.ended(scenario(name), 7)


@EACH
@clause("VFY-21", "RFC 8446 4.6.2", "RFC 8446 6.2", "CV-6")
def test_answer_when_the_nth_allocation_fails_fails_cleanly(name: str) -> None:
    sweeps.starved(scenario(name))
