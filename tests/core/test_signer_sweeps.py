"""Keys behind a function under every schedule, with "not yet" in between.

The key of either side, in both versions, and a client's after the handshake.
Splits and ends are tried at every eleventh byte; reads of one byte go through
every place as well.
"""

from __future__ import annotations

import functools

import pytest

import pyssl as p
from tests.api.links import make_contexts
from tests.api.test_post_handshake import PEER, POST, peer_of
from tests.api.test_private_key_method import Token
from tests.clauses import clause
from tests.core import sweeps
from tests.core.sweeps import Pair, Scenario
from tests.core.test_post_sweeps import answers, asks
from tests.pki import ca

DELAYS = 2
OURS = ca.leaf("ed25519", key_label="token")


def contexts(side: str, version: int, token: Token) -> Pair:
    """Make contexts one side of which has its key in a token."""
    client, server = make_contexts("ed25519", version=version)
    own, other = (server, client) if side == "server" else (client, server)
    assert own.use_private_key_method(OURS.chain_pem, token) == 1
    assert p.SSL_CTX_load_verify_mem(other, OURS.ca_pem) == 1
    if side == "post":
        p.SSL_CTX_set_post_handshake_auth(client, 1)
        p.SSL_CTX_set_verify(server, PEER | POST, None)
    elif side == "client":
        mode = PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        p.SSL_CTX_set_verify(server, mode, None)
    return client, server


@functools.cache
def scenario(side: str, version: int) -> Scenario:
    """Make the scenario of the side that signs."""
    token = Token(OURS, DELAYS)
    pair = contexts(side, version, token)

    def ready(client: p.SSL, server: p.SSL) -> None:
        token.asked.clear()

    def prove(client: p.SSL, server: p.SSL) -> None:
        assert peer_of(client if side == "server" else server) == OURS.cert_der
        assert len(token.asked) == DELAYS + 1
        assert len({data for _, _, data in token.asked}) == 1
        token.asked.clear()  # it holds the SSL

    made = Scenario(pair, prove, ready, waits=(p.SSL_ERROR_WANT_ASYNC,))
    if side == "post":
        made.client, made.server = answers, asks
    return made


EACH = pytest.mark.parametrize(
    ("side", "version"),
    [
        ("server", p.TLS1_2_VERSION),
        ("client", p.TLS1_2_VERSION),
        ("server", p.TLS1_3_VERSION),
        ("client", p.TLS1_3_VERSION),
        ("post", p.TLS1_3_VERSION),
    ],
    ids=["1.2 server", "1.2 client", "1.3 server", "1.3 client", "1.3 post"],
)


@EACH
@pytest.mark.parametrize("step", [1, 2, 7, 64, 1000])
@clause("CERT-21", "HS-9", "HS-10", "HS-25")
def test_signer_when_reads_and_writes_are_cut_is_asked_on(
    side: str, version: int, step: int
) -> None:
    sweeps.cut(scenario(side, version), step)


@EACH
@clause("CERT-21", "HS-10", "HS-25")
def test_signer_when_a_stream_is_split_is_asked_on(
    side: str, version: int
) -> None:
    sweeps.split(scenario(side, version), 11)


@EACH
@clause("CERT-21", "HS-6", "HS-7", "HS-12", "HS-25")
def test_signer_when_the_nth_operation_retries_is_asked_on(
    side: str, version: int
) -> None:
    sweeps.retried(scenario(side, version), 1)


@EACH
@clause("CERT-21", "HS-16", "HS-22", "RW-8")
def test_signer_when_a_stream_ends_fails(side: str, version: int) -> None:
    sweeps.ended(scenario(side, version), 11)


@EACH
@clause("CERT-21", "RFC 8446 6.2", "CV-6")
def test_signer_when_the_nth_allocation_fails_fails_cleanly(
    side: str, version: int
) -> None:
    sweeps.starved(scenario(side, version))
