"""Our own certificates, keys and chains: slots and their rules."""

from __future__ import annotations

from typing import Any

import pytest

from pyssl._ffi import ffi, lib, own
from tests.clauses import clause
from tests.pki.ca import KINDS, Identity, authority, intermediate, leaf
from tests.pki.core import SSL, X509, Fault, cert_der, new_cert, new_key

NO_CERTIFICATE, NO_KEY, UNKNOWN_TYPE, TOO_LARGE = 177, 190, 247, 152
VALUES_MISMATCH = 116
CHAIN_MAX = 32
SLOTS = {kind: slot for slot, kind in enumerate(KINDS)}


class Identities:
    """A set of identities; each call gives the entries of its failure."""

    def __init__(self, handle: Any = None) -> None:
        """Make an empty one, or own the handle."""
        made = lib.pys_test_ids_new() if handle is None else handle
        self.c = own(made, lib.pys_test_ids_free)

    def __getattr__(self, name: str) -> Any:
        """Call a hook with a fault at the end."""

        def call(*args: Any) -> list[tuple[int, int]]:
            fault = Fault()
            hook = getattr(lib, f"pys_test_ids_{name}")
            good = hook(self.c, *args, fault.c)
            assert good == (fault.codes == [])
            return fault.codes

        return call

    def load(self, made: Identity) -> None:
        """Load a certificate and its key, in this order."""
        assert self.use_cert(new_cert(made.cert_der)) == []
        assert self.use_key(new_key(made.key_pem)) == []

    def slot(self, kind: str) -> Any:
        """Give a slot."""
        return lib.pys_test_ids_slot(self.c, SLOTS[kind])

    def leaf(self, kind: str) -> bytes:
        """Give the DER in a slot."""
        return cert_der(self.slot(kind).leaf)

    def chain(self, kind: str) -> list[bytes]:
        """Give the chain of a slot."""
        slot = self.slot(kind)
        return [cert_der(slot.chain[i]) for i in range(slot.n_chain)]

    @property
    def extra(self) -> list[bytes]:
        """Give the certificates for leaves without a chain."""
        slot = self.slot("rsa")
        return [cert_der(slot.extra[i]) for i in range(slot.n_extra)]

    @property
    def current(self) -> int:
        """Give the number of the slot loaded last."""
        return int(self.slot("rsa").current)


@clause("CERT-3", "CERT-5")
@pytest.mark.parametrize("kind", KINDS)
def test_identity_of_every_kind_fits(kind: str) -> None:
    ids = Identities()
    ids.load(leaf(kind))

    assert ids.check() == []
    assert ids.current == SLOTS[kind]
    assert ids.leaf(kind) == leaf(kind).cert_der
    assert ids.slot(kind).key != ffi.NULL


@clause("CERT-3")
def test_identities_of_different_types_live_side_by_side() -> None:
    ids = Identities()
    for kind in ("rsa", "rsapss", "p256", "ed25519", "ed448"):
        ids.load(leaf(kind))

    for kind in ("rsa", "rsapss", "p256", "ed25519", "ed448"):
        assert ids.leaf(kind) == leaf(kind).cert_der
    assert ids.current == SLOTS["ed448"]


@clause("CERT-3")
def test_identity_loaded_again_replaces_its_slot() -> None:
    ids = Identities()
    ids.load(leaf("rsa"))
    other = leaf("rsa", names=("other.test",))
    ids.load(leaf())
    ids.load(other)

    assert ids.leaf("rsa") == other.cert_der
    assert ids.leaf("p256") == leaf().cert_der
    assert ids.current == SLOTS["rsa"]


@clause("CERT-3")
def test_identity_of_another_curve_replaces_the_one_ecdsa_slot() -> None:
    ids = Identities()
    ids.load(leaf("p256"))
    assert ids.add_chain(new_cert(intermediate().cert_der)) == []
    ids.load(leaf("p384"))

    assert ids.leaf("p256") == b""
    assert ids.slot("p256").key == ffi.NULL
    assert ids.leaf("p384") == leaf("p384").cert_der
    assert ids.chain("p256") == []
    assert ids.chain("p384") == [intermediate().cert_der]
    assert ids.check() == []


@clause("CERT-4")
@pytest.mark.parametrize("kind", KINDS)
def test_key_that_does_not_fit_is_refused_and_the_old_one_stays(
    kind: str,
) -> None:
    ids = Identities()
    ids.load(leaf(kind))
    old = ids.slot(kind).key
    other = leaf(kind, key_label="another")

    assert ids.use_key(new_key(other.key_pem)) == [(X509, VALUES_MISMATCH)]
    assert ids.slot(kind).key == old
    assert ids.check() == []


@clause("CERT-4")
def test_key_on_another_curve_than_the_certificate_is_refused() -> None:
    ids = Identities()
    ids.load(leaf("p256"))

    for kind in ("p384", "p521"):
        codes = ids.use_key(new_key(leaf(kind).key_pem))
        assert codes == [(X509, VALUES_MISMATCH)]
    assert ids.check() == []


@clause("CERT-4")
@pytest.mark.parametrize("kind", KINDS)
def test_certificate_that_does_not_fit_drops_the_key(kind: str) -> None:
    ids = Identities()
    assert ids.use_key(new_key(leaf(kind).key_pem)) == []
    other = leaf(kind, key_label="another")

    assert ids.use_cert(new_cert(other.cert_der)) == []
    assert ids.slot(kind).key == ffi.NULL
    assert ids.check() == [(SSL, NO_KEY)]


@clause("CERT-4")
def test_certificate_on_another_curve_drops_the_key() -> None:
    ids = Identities()
    assert ids.use_key(new_key(leaf("p256").key_pem)) == []
    assert ids.use_cert(new_cert(leaf("p521").cert_der)) == []

    assert ids.slot("p256").key == ffi.NULL
    assert ids.check() == [(SSL, NO_KEY)]


@clause("CERT-4")
def test_key_first_and_then_its_certificate_fit() -> None:
    ids = Identities()
    assert ids.use_key(new_key(leaf().key_pem)) == []
    assert ids.use_cert(new_cert(leaf().cert_der)) == []

    assert ids.check() == []


@clause("CERT-5")
def test_check_without_a_certificate_or_key_names_what_is_missing() -> None:
    ids = Identities()
    assert ids.check() == [(SSL, NO_CERTIFICATE)]
    assert ids.use_cert(new_cert(leaf().cert_der)) == []
    assert ids.check() == [(SSL, NO_KEY)]
    assert ids.use_key(new_key(leaf("rsa").key_pem)) == []
    assert ids.check() == [(SSL, NO_CERTIFICATE)]


def test_identity_of_a_key_type_without_a_scheme_is_refused() -> None:
    ids = Identities()

    made = leaf("k256")
    assert ids.use_cert(new_cert(made.cert_der)) == [(SSL, UNKNOWN_TYPE)]
    assert ids.use_key(new_key(made.key_pem)) == [(SSL, UNKNOWN_TYPE)]
    assert ids.current == -1


@clause("CERT-6", "CERT-10")
def test_chain_belongs_to_the_current_leaf_in_its_order() -> None:
    ids = Identities()
    ids.load(leaf("rsa"))
    first, second = intermediate(), authority()
    assert ids.add_chain(new_cert(first.cert_der)) == []
    assert ids.add_chain(new_cert(second.cert_der)) == []
    ids.load(leaf("ed25519"))
    assert ids.add_chain(new_cert(second.cert_der)) == []

    assert ids.chain("rsa") == [first.cert_der, second.cert_der]
    assert ids.chain("ed25519") == [second.cert_der]
    assert ids.clear_chain() == []
    assert ids.chain("ed25519") == []
    assert ids.chain("rsa") == [first.cert_der, second.cert_der]


def test_chain_without_a_certificate_is_refused() -> None:
    ids = Identities()

    assert ids.add_chain(new_cert(authority().cert_der)) == [
        (SSL, NO_CERTIFICATE)
    ]
    assert ids.clear_chain() == [(SSL, NO_CERTIFICATE)]


@clause("CERT-10")
def test_extra_certificates_belong_to_no_leaf() -> None:
    ids = Identities()
    assert ids.add_extra(new_cert(intermediate().cert_der)) == []
    ids.load(leaf())

    assert ids.extra == [intermediate().cert_der]
    assert ids.chain("p256") == []


def test_chain_longer_than_its_limit_is_refused() -> None:
    ids = Identities()
    ids.load(leaf())
    cert = new_cert(intermediate().cert_der)
    for _ in range(CHAIN_MAX):
        assert ids.add_chain(cert) == []
        assert ids.add_extra(cert) == []

    assert ids.add_chain(cert) == [(SSL, TOO_LARGE)]
    assert ids.add_extra(cert) == [(SSL, TOO_LARGE)]
    assert len(ids.chain("p256")) == len(ids.extra) == CHAIN_MAX


def filled() -> Identities:
    """Give identities with something everywhere."""
    ids = Identities()
    for kind in ("rsa", "ed448"):
        ids.load(leaf(kind))
        assert ids.add_chain(new_cert(intermediate().cert_der)) == []
    assert ids.add_extra(new_cert(authority().cert_der)) == []
    return ids


@clause("CERT-10")
def test_copy_of_identities_does_not_follow_the_original() -> None:
    ids = filled()
    copy = Identities(lib.pys_test_ids_copy(ids.c))
    ids.load(leaf())
    ids.load(leaf("rsa", names=("other.test",)))
    assert ids.clear_chain() == []

    assert copy.current == SLOTS["ed448"]
    assert copy.leaf("p256") == b""
    assert copy.leaf("rsa") == leaf("rsa").cert_der
    assert copy.chain("rsa") == [intermediate().cert_der]
    assert copy.extra == [authority().cert_der]
    del ids
    assert copy.check() == []


def test_copy_of_identities_when_memory_is_short_is_refused_whole() -> None:
    ids = filled()

    for n in range(1, 20):
        lib.pys_test_fail_alloc(n)
        handle = lib.pys_test_ids_copy(ids.c)
        lib.pys_test_fail_alloc(0)
        if handle != ffi.NULL:
            assert n == 5  # the set, two chains, the extra ones
            assert Identities(handle).extra == [authority().cert_der]
            return
    pytest.fail("it fails for ever")


def test_chain_when_memory_is_short_is_refused_and_stays() -> None:
    ids = filled()
    cert = new_cert(authority().cert_der)
    fault = Fault()

    lib.pys_test_fail_alloc(1)
    assert not lib.pys_test_ids_add_chain(ids.c, cert, fault.c)
    assert fault.codes == [(SSL, 0xC0100)]
    assert ids.chain("ed448") == [intermediate().cert_der]
