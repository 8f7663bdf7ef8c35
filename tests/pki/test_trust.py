"""Trust stores: what they take in, and issuers found in them."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pyssl._ffi import ffi, lib, own
from tests.clauses import clause
from tests.pki.ca import (
    Identity,
    authority,
    intermediate,
    leaf,
    pem,
    revocations,
)
from tests.pki.core import (
    ASN1,
    PEM,
    X509,
    Fault,
    cert_der,
    new_cert,
    new_trust,
    verify,
)

NOTHING_FOUND = 136


def add_pem(trust: Any, text: bytes) -> tuple[bool, list[tuple[int, int]]]:
    """Add PEM text: whether it worked, and the entries."""
    fault = Fault()
    return lib.pys_trust_add_pem(trust, text, len(text), fault.c), fault.codes


def issuers(trust: Any, made: Identity, room: int = 8) -> list[bytes]:
    """Give the issuers that a store has for a leaf."""
    out = ffi.new("pys_cert *[]", room + 1)
    n = ffi.new("size_t *")
    handle = ffi.NULL if trust is None else trust
    cert = new_cert(made.cert_der)
    assert lib.pys_test_issuers(handle, cert, out, room, n)
    found = [own(out[i], lib.pys_cert_free) for i in range(n[0])]
    assert out[n[0]] == ffi.NULL
    return [cert_der(one) for one in found]


@clause("VFY-7", "VFY-9")
def test_trust_of_pem_takes_all_certificates_between_text() -> None:
    text = (
        b"roots:\n"
        + authority().cert_pem
        + b"-- and --\n"
        + authority("rsa").cert_pem
        + pem("PUBLIC KEY", b"\x30\0")
        + authority("ed25519").cert_pem
        + b"end"
    )
    trust = new_trust(text)

    assert lib.pys_trust_count(trust) == 3
    for kind in ("p256", "rsa", "ed25519"):
        made = leaf(issuer=authority(kind))
        assert verify(made.chain_der, trust).result == 0


def test_trust_given_the_same_certificate_twice_holds_one() -> None:
    trust = new_trust(authority().cert_pem * 2)
    fault = Fault()

    assert lib.pys_trust_add_cert(
        trust, new_cert(authority().cert_der), fault.c
    )
    assert lib.pys_trust_count(trust) == 1


def test_trust_given_a_certificate_object_trusts_it() -> None:
    trust = new_trust()
    fault = Fault()
    assert lib.pys_trust_count(trust) == 0
    assert lib.pys_trust_add_cert(
        trust, new_cert(authority().cert_der), fault.c
    )

    assert fault.codes == []
    assert verify(leaf().chain_der, trust).result == 0


def test_trust_of_a_trusted_certificate_keeps_its_settings() -> None:
    def settings(purpose: str) -> bytes:
        return subprocess.run(
            ["openssl", "x509", "-trustout", "-addreject", purpose],
            input=authority().cert_pem,
            check=True,
            capture_output=True,
        ).stdout

    for purpose, result in (("clientAuth", 0), ("serverAuth", 28)):
        trust = new_trust(settings(purpose))
        assert verify(leaf().chain_der, trust).result == result


@clause("VFY-7")
@pytest.mark.parametrize(
    "text", [b"", b"nothing", leaf().key_pem, pem("PUBLIC KEY", b"\x30\0")]
)
def test_trust_of_pem_without_certificates_says_136(text: bytes) -> None:
    trust = new_trust()

    assert add_pem(trust, text) == (False, [(X509, NOTHING_FOUND)])
    assert lib.pys_trust_count(trust) == 0


@pytest.mark.parametrize(
    ("broken", "library"),
    [
        (pem("CERTIFICATE", authority("rsa").cert_der[:-1]), ASN1),
        (pem("X509 CRL", b"\x30\0"), ASN1),
        (authority("rsa").cert_pem[:-40], PEM),
        (authority("rsa").cert_pem.replace(b"MI", b"!!", 1), PEM),
    ],
)
def test_trust_of_pem_with_something_broken_takes_nothing(
    broken: bytes, library: int
) -> None:
    trust = new_trust()

    ok, codes = add_pem(trust, authority().cert_pem + broken)
    assert not ok
    assert library in [found for found, _ in codes]
    assert lib.pys_trust_count(trust) == 0
    assert verify(leaf().chain_der, trust).result == 20


def test_trust_of_an_encrypted_block_asks_nobody() -> None:
    lines = authority().cert_pem.split(b"\n")
    head = [b"Proc-Type: 4,ENCRYPTED", b"DEK-Info: AES-128-CBC," + b"0" * 32]
    text = b"\n".join([lines[0], *head, b"", *lines[1:]])

    ok, codes = add_pem(new_trust(), text)
    assert not ok
    assert (PEM, 104) in codes


def test_trust_takes_revocation_lists_alone() -> None:
    trust = new_trust(revocations(authority()))

    assert lib.pys_trust_count(trust) == 0
    assert add_pem(trust, authority().cert_pem)[0]
    assert verify(leaf().chain_der, trust).result == 0


@clause("VFY-7")
def test_trust_in_a_directory_is_looked_at_on_demand(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    trust = new_trust()
    fault = Fault()
    assert lib.pys_trust_add_dir(trust, bytes(folder), fault.c)
    assert fault.codes == []
    assert verify(leaf().chain_der, trust).result == 20

    folder.mkdir()
    (folder / "root.pem").write_bytes(authority().cert_pem)
    subprocess.run(
        ["openssl", "rehash", str(folder)], check=True, capture_output=True
    )
    assert verify(leaf().chain_der, trust).result == 0


def test_trust_in_no_directory_is_refused() -> None:
    fault = Fault()

    assert not lib.pys_trust_add_dir(new_trust(), b"", fault.c)
    assert fault.codes == [(X509, 113)]  # invalid directory


@clause("VFY-8")
@pytest.mark.skipif(
    lib.pys_libcrypto_static(), reason="no files belong to this libcrypto"
)
def test_trust_defaults_are_those_of_libcrypto() -> None:
    found = subprocess.run(
        ["openssl", "version", "-d"],
        check=True,
        capture_output=True,
        text=True,
    )
    folder = found.stdout.split('"')[1]

    assert ffi.string(lib.pys_trust_default_dir()).decode() == (
        f"{folder}/certs"
    )
    assert ffi.string(lib.pys_trust_default_file()).decode() == (
        f"{folder}/cert.pem"
    )


def large_bundle() -> bytes:
    """Give 140 roots, more than what is remembered has to have."""
    return b"".join(
        authority(name=f"root {n}", key_label=f"root {n % 4}").cert_pem
        for n in range(140)
    )


def allocations(trust: Any, text: bytes) -> int:
    """Add PEM text and count what the core allocated for it."""
    lib.pys_test_fail_alloc(0)
    assert add_pem(trust, text) == (True, [])
    return int(lib.pys_test_n_alloc())


def test_trust_of_a_large_bundle_is_quick() -> None:
    text = large_bundle()
    lib.pys_test_forget_certs()
    began = time.perf_counter()
    trust = new_trust(text)
    took = time.perf_counter() - began

    assert lib.pys_trust_count(trust) == 140
    assert took < 1  # some 20 ms; quadratic work would be seen


def test_trust_of_a_large_bundle_loaded_again_is_not_decoded_again() -> None:
    text = large_bundle()
    lib.pys_test_forget_certs()
    first, second = new_trust(), new_trust()
    cold = allocations(first, text)
    warm = allocations(second, bytes(bytearray(text)))

    assert warm < cold
    assert lib.pys_trust_count(second) == 140
    made = leaf(issuer=authority(name="root 77", key_label="root 1"))
    for trust in (first, second):
        assert verify(made.chain_der, trust).result == 0

    assert add_pem(first, authority("rsa").cert_pem) == (True, [])
    assert lib.pys_trust_count(first) == 141
    assert lib.pys_trust_count(second) == 140


def test_trust_of_a_bundle_that_differs_in_one_byte_is_another() -> None:
    text = large_bundle()
    new_trust(text)
    changed = text.replace(b"MI", b"!!", 1)
    shorter = text[: -len(authority(name="root 139").cert_pem) // 2]

    for _ in range(2):
        assert not add_pem(new_trust(), changed)[0]
        assert not add_pem(new_trust(), shorter)[0]
    assert lib.pys_trust_count(new_trust(text)) == 140


def test_trust_forgets_bundles_under_pressure() -> None:
    texts = [large_bundle() + b"%d" % n for n in range(5)]
    lib.pys_test_forget_certs()
    cold = allocations(new_trust(), texts[0])
    held = [new_trust(text) for text in texts[1:]]

    assert allocations(new_trust(), texts[0]) == cold
    assert [lib.pys_trust_count(trust) for trust in held] == [140] * 4


def test_trust_when_memory_is_short_takes_nothing() -> None:
    text = large_bundle()

    for n in range(1, 10):
        lib.pys_test_forget_certs()
        trust = new_trust()
        lib.pys_test_fail_alloc(n)
        ok, codes = add_pem(trust, text)
        failed = lib.pys_test_n_alloc() >= n
        lib.pys_test_fail_alloc(0)
        assert ok == (codes == [])
        assert lib.pys_trust_count(trust) == (140 if ok else 0)
        if not failed:
            return
    pytest.fail("it fails for ever")


def test_trust_of_pem_with_private_keys_takes_the_certificates() -> None:
    made = leaf("rsa")
    text = (
        made.key_pem
        + made.ca_pem
        + made.encrypted_key_pem(b"x", traditional=True)
        + made.encrypted_key_pem(b"x")
    )

    assert lib.pys_trust_count(new_trust(text)) == 1


# ---- issuers ----------------------------------------------------------------


@clause("CERT-12")
def test_issuers_in_the_store_are_found_up_to_the_root() -> None:
    made = leaf(issuer=intermediate())
    both = new_trust(made.ca_pem + intermediate().cert_pem)

    assert issuers(both, made) == [intermediate().cert_der, made.ca_der]
    assert issuers(new_trust(made.ca_pem), leaf()) == [made.ca_der]
    assert issuers(new_trust(made.ca_pem), made) == []
    assert issuers(both, made, room=1) == [intermediate().cert_der]
    assert issuers(both, made, room=0) == []


@clause("CERT-12")
def test_issuers_of_a_root_or_without_a_store_are_none() -> None:
    assert issuers(None, leaf()) == []
    assert issuers(new_trust(), leaf()) == []
    assert issuers(new_trust(authority().cert_pem), authority()) == []


def test_issuers_that_issue_each_other_are_listed_once() -> None:
    one = intermediate(name="one", key_label="one")
    two = intermediate(name="two", key_label="two", issuer=one)
    back = intermediate(name="one", key_label="one", issuer=two)
    trust = new_trust(two.cert_pem + back.cert_pem)

    assert issuers(trust, leaf(issuer=two)) == [two.cert_der, back.cert_der]


def test_issuers_when_memory_is_short_are_none_at_all() -> None:
    made = leaf(issuer=intermediate())
    trust = new_trust(made.ca_pem + intermediate().cert_pem)
    cert = new_cert(made.cert_der)
    out, n = ffi.new("pys_cert *[]", 4), ffi.new("size_t *")

    for k in range(1, 20):
        lib.pys_test_fail_alloc(k)
        ok = lib.pys_test_issuers(trust, cert, out, 4, n)
        lib.pys_test_fail_alloc(0)
        assert n[0] == (2 if ok else 0)
        if ok:
            assert k > 1
            for i in range(2):
                lib.pys_cert_free(out[i])
            return
    pytest.fail("it fails for ever")


# ---- threads ----------------------------------------------------------------


@pytest.mark.threads
def test_trust_serves_many_threads_at_once() -> None:
    made = leaf(issuer=intermediate())
    trust = new_trust(made.ca_pem)
    bundle = large_bundle()
    results: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(25):
            lib.pys_test_forget_certs()
            verdict = verify(made.chain_der, trust, hosts=["localhost"])
            results.append(verdict.result)
            new_trust(bundle)
            more = authority(name=f"thread {threading.get_ident()}")
            add_pem(trust, more.cert_pem)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * 100
