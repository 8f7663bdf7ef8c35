"""What TLS asks of a certificate, and the cache of decoded ones."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pyssl._ffi import ffi, lib
from tests.clauses import clause
from tests.pki.ca import KINDS, authority, intermediate, leaf
from tests.pki.core import Fault, cert_der, new_cert

TYPES = {kind: n for n, kind in enumerate(KINDS)}


def facts(der: bytes) -> Any:
    """Ask the core about a certificate."""
    return lib.pys_test_cert_facts(new_cert(der))


@pytest.mark.parametrize("kind", KINDS)
def test_cert_of_every_kind_has_its_key_type(kind: str) -> None:
    assert facts(leaf(kind).cert_der).key_type == TYPES[kind]


def test_cert_on_an_unknown_curve_has_a_key_of_no_type() -> None:
    assert facts(leaf("k256").cert_der).key_type == len(KINDS)


@clause("RFC 8446 4.4.2.2", "RFC 8446 4.4.2.4")
def test_cert_may_sign_unless_its_key_usage_forbids_it() -> None:
    assert facts(leaf().cert_der).may_sign
    assert facts(leaf(key_usage=()).cert_der).may_sign
    both = ("digital_signature", "key_agreement")
    assert facts(leaf(key_usage=both).cert_der).may_sign
    assert not facts(leaf(key_usage=("key_agreement",)).cert_der).may_sign
    assert not facts(authority().cert_der).may_sign


def test_cert_with_broken_key_usage_may_not_sign() -> None:
    der = leaf().cert_der
    usage = bytes.fromhex("0603551d0f0101ff040403020780")
    assert usage in der
    broken = der.replace(usage, bytes.fromhex("0603551d0f0101ff040404020780"))

    assert not facts(broken).may_sign


@clause("RFC 8446 4.2.3")
@pytest.mark.parametrize(
    ("issuer", "flaws", "scheme"),
    [
        ("rsa", {}, 0x0401),
        ("rsa", {"hash": "sha384"}, 0x0501),
        ("rsa", {"hash": "sha512"}, 0x0601),
        ("rsa", {"hash": "sha1"}, 0x0201),
        ("rsa", {"pss": True}, 0x0804),
        ("rsa", {"pss": True, "hash": "sha384"}, 0x0805),
        ("rsa", {"pss": True, "hash": "sha512"}, 0x0806),
        ("p256", {}, 0x0403),
        ("p384", {"hash": "sha384"}, 0x0503),
        ("p521", {"hash": "sha512"}, 0x0603),
        ("ed25519", {}, 0x0807),
        ("ed448", {}, 0x0808),
    ],
)
def test_cert_names_the_scheme_that_signed_it(
    issuer: str, flaws: dict[str, Any], scheme: int
) -> None:
    made = leaf(issuer=authority(issuer), **flaws)

    assert facts(made.cert_der).signed_with == scheme


def test_cert_signed_in_a_way_without_a_name_has_none() -> None:
    der = leaf().cert_der
    ecdsa = bytes.fromhex("2a8648ce3d040302")
    unknown = bytes.fromhex("2a8648ce3d04037f")
    assert der.count(ecdsa) == 2

    assert facts(der.replace(ecdsa, unknown)).signed_with == 0


def test_cert_is_self_issued_if_both_names_are_the_same() -> None:
    assert facts(authority().cert_der).self_issued
    assert facts(leaf(self_signed=True).cert_der).self_issued
    assert not facts(leaf().cert_der).self_issued
    assert not facts(intermediate().cert_der).self_issued


# ---- the cache --------------------------------------------------------------


def test_cert_decoded_again_is_the_same_object() -> None:
    lib.pys_test_forget_certs()
    first, second = (new_cert(leaf().cert_der) for _ in range(2))
    assert first == second

    lib.pys_test_forget_certs()
    third = new_cert(leaf().cert_der)
    assert third != first
    assert cert_der(third) == cert_der(first) == leaf().cert_der


def test_cert_that_differs_in_one_byte_is_not_the_same() -> None:
    der = leaf().cert_der
    new_cert(der)
    forged = der.replace(b"localhost", b"evilhosts")
    assert forged[-8:] == der[-8:]  # where the cache looks first

    assert cert_der(new_cert(forged)) == forged
    assert cert_der(new_cert(der)) == der


def test_cert_cache_forgets_under_pressure_and_frees_nothing_held() -> None:
    first = new_cert(leaf().cert_der)
    made = [leaf(serial=10_000 + n) for n in range(300)]
    held = [new_cert(one.cert_der) for one in made]

    assert [cert_der(one) for one in held] == [one.cert_der for one in made]
    del held
    assert cert_der(first) == leaf().cert_der
    assert cert_der(new_cert(leaf().cert_der)) == leaf().cert_der


def test_cert_refused_once_is_refused_again() -> None:
    bad = leaf().cert_der + b"\0"

    for _ in range(3):
        fault = Fault()
        assert lib.pys_cert_from_der(bad, len(bad), fault.c) == ffi.NULL
        assert fault.codes


def test_cert_when_memory_is_short_is_refused_with_an_entry() -> None:
    der = leaf().cert_der
    lib.pys_test_forget_certs()

    for n in range(1, 10):
        fault = Fault()
        lib.pys_test_fail_alloc(n)
        handle = lib.pys_cert_from_der(der, len(der), fault.c)
        lib.pys_test_fail_alloc(0)
        if handle != ffi.NULL:
            assert n == 4  # the certificate, its DER, its key
            lib.pys_cert_free(handle)
            return
        assert fault.codes
    pytest.fail("it fails for ever")


@pytest.mark.threads
def test_cert_cache_serves_many_threads_at_once() -> None:
    made = [leaf(serial=20_000 + n) for n in range(12)]
    wrong: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for n in range(400):
            der = made[n % len(made)].cert_der
            if cert_der(new_cert(der)) != der:
                wrong.append(n)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
