"""Memory that runs short while settings are made: who fails says so."""

from __future__ import annotations

import gc
from typing import Any, Callable

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api.links import reasons
from tests.clauses import clause
from tests.pki import ca

OWN = ca.leaf("ed25519")
ROOT = p.X509.from_der(OWN.ca_der)
# What is called, and what it gives if it is done.
SETTERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "certificate": (lambda it: it.use_certificate_ASN1(OWN.cert_der), 1),
    "chain": (lambda it: it.use_certificate_chain_mem(OWN.chain_pem), 1),
    "key": (lambda it: it.use_PrivateKey_ASN1(0, OWN.key_der), 1),
    "signer": (
        lambda it: it.use_private_key_method(OWN.chain_pem, lambda *_: None),
        1,
    ),
    "psk hint": (lambda it: it.use_psk_identity_hint(b"h" * 256), 1),
    "id context": (lambda it: it.set_session_id_context(b"here"), 1),
    "alpn": (lambda it: it.set_alpn_protos(b"\2h2"), 0),
    "CA name": (lambda it: it.add_client_CA(ROOT), 1),
    "groups": (lambda it: it.set1_groups_list("P-256"), 1),
}
CTX_SETTERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "ticket keys": (lambda it: it.set_ticket_keys([bytes(80)] * 3), 1),
    "trust": (lambda it: it.load_verify_mem(OWN.ca_pem), 1),
}
ROWS = [
    *(("ctx", name) for name in (*SETTERS, *CTX_SETTERS)),
    *(("ssl", name) for name in SETTERS),
]


def _starve(
    holder: str, call: Callable[[Any], Any], good: Any, n: int
) -> bool:
    """Set with a failing n-th allocation; False if there is no n-th."""
    ctx = p.SSL_CTX(p.TLS_method())
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    lib.pys_test_forget_certs()
    lib.pys_test_fail_alloc(n)
    try:
        got = call(it)
    except MemoryError:
        got = None
    finally:
        seen = lib.pys_test_n_alloc()
        lib.pys_test_fail_alloc(0)
    said = reasons()
    if got is not None:
        assert (got == good) == (said == []), (n, got, said)
    assert seen >= n or got == good
    # The object is as good as new.
    assert call(it) == good, n
    assert reasons() == []
    return bool(seen >= n)


@pytest.mark.parametrize(("holder", "name"), ROWS)
@clause("ERR-5", "CV-2")
def test_setter_when_the_nth_allocation_fails_says_so(
    holder: str, name: str
) -> None:
    call, good = {**SETTERS, **CTX_SETTERS}[name]

    def live() -> int:
        lib.pys_test_forget_certs()
        gc.collect()
        return int(lib.pys_test_n_live())

    _starve(holder, call, good, 1000)
    before = live()
    n = 1
    while _starve(holder, call, good, n):
        n += 1
        assert n < 200
    assert n > 1
    assert live() == before
