"""Memory that runs short while proofs and certificates are chosen."""

from __future__ import annotations

import contextlib

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api.links import (
    MemLink,
    SockLink,
    make_contexts,
    make_ends,
    reasons,
)
from tests.clauses import clause
from tests.pki import ca

STATUS = b"a response that nobody parses"
SCTS = bytes.fromhex("000500030a0b0c")


def contexts(version: int) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """A client that asks for all; a server that passes on to another."""
    client, server = make_contexts(version=version)
    assert p.SSL_CTX_set_tlsext_status_type(client, 1) == 1
    client.enable_sct()
    other = make_contexts(kind="rsa")[1]
    own = ca.leaf("ed25519")
    assert other.use_certificate_chain_mem(own.chain_pem) == 1
    assert other.use_PrivateKey_ASN1(0, own.key_der) == 1
    other.set_sct_list(SCTS)

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        assert ssl.client_hello() is not None
        p.SSL_set_SSL_CTX(ssl, other)
        return p.SSL_TLSEXT_ERR_OK

    def on_status(ssl: p.SSL, arg: object) -> int:
        assert p.SSL_set_tlsext_status_ocsp_resp(ssl, STATUS) == 1
        return p.SSL_TLSEXT_ERR_OK

    p.SSL_CTX_set_tlsext_servername_callback(server, on_name)
    p.SSL_CTX_set_tlsext_status_cb(other, on_status)
    return client, server


def proved(pair: tuple[p.SSL_CTX, p.SSL_CTX]) -> None:
    """A handshake in which all of it arrives."""
    link = MemLink(*make_ends(*pair))
    link.established()
    assert p.SSL_get_tlsext_status_ocsp_resp(link.client)[1] == STATUS
    assert link.client.get_sct_list() == SCTS


@pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)
@clause("RFC 8446 6.2", "CTX-5", "OCSP-2")
def test_every_allocation_that_fails_ends_in_a_clean_failure(
    version: int,
) -> None:
    pair = contexts(version)
    proved(pair)
    n = 1
    while True:
        # Sockets, so that what is on its way needs no memory of ours.
        with SockLink(*make_ends(*pair), blocking=False) as link:
            lib.pys_test_fail_alloc(n)
            try:
                with contextlib.suppress(MemoryError):
                    link.handshake(100)
            finally:
                seen = lib.pys_test_n_alloc()
                lib.pys_test_fail_alloc(0)
            done = p.SSL_is_init_finished(link.client)
        reasons()
        if seen < n:
            break
        n += 1
        assert n < 2000
    assert n > 50
    assert done
    proved(pair)
