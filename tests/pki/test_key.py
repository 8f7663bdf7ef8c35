"""Loading private keys: forms, passphrases, entries."""

from __future__ import annotations

import base64

import pytest

from pyssl._ffi import lib
from tests.clauses import clause
from tests.pki.ca import KINDS, leaf, pem
from tests.pki.core import ASN1, PEM, load_key, new_cert

BAD_DECRYPT, BAD_PASSWORD_READ, NO_START_LINE = 100, 104, 108

# Order of enum pys_key_type.
TYPES = ("rsa", "rsapss", "p256", "p384", "p521", "ed25519", "ed448")
OTHER = len(TYPES)


@clause("CERT-1", "CERT-3")
@pytest.mark.parametrize("kind", [*KINDS, "k256"])
def test_key_of_every_kind_loads_from_pem_and_der(kind: str) -> None:
    made = leaf(kind)
    cert = new_cert(made.cert_der)

    for key, codes in (
        load_key(made.key_pem),
        load_key(made.key_der, der=True),
        load_key(b"text\n" + made.cert_pem + made.key_pem + b"more"),
    ):
        assert codes == []
        assert lib.pys_test_key_fits(key, cert)
        wanted = TYPES.index(kind) if kind in TYPES else OTHER
        assert lib.pys_test_key_type(key) == wanted


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384", "p521"])
def test_key_in_the_older_form_loads_from_pem_and_der(kind: str) -> None:
    made = leaf(kind)
    text = made.traditional_key_pem()
    assert b"BEGIN PRIVATE" not in text
    der = base64.b64decode(b"".join(text.split(b"\n")[1:-2]))

    for key, codes in (load_key(text), load_key(der, der=True)):
        assert codes == []
        assert lib.pys_test_key_fits(key, new_cert(made.cert_der))


def test_key_after_ec_parameters_loads() -> None:
    made = leaf("p256")
    text = pem("EC PARAMETERS", bytes.fromhex("06082a8648ce3d030107"))

    key, codes = load_key(text + made.traditional_key_pem())
    assert codes == []
    assert lib.pys_test_key_type(key) == TYPES.index("p256")


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize("kind", ["rsa", "p256"])
class TestEncrypted:
    """A key that needs a passphrase, in both forms."""

    @clause("CERT-15")
    def test_encrypted_key_with_its_passphrase_loads(
        self, kind: str, traditional: bool
    ) -> None:
        text = leaf(kind).encrypted_key_pem(b"secret", traditional)

        assert lib.pys_pem_key_encrypted(text, len(text)) == 1
        key, codes = load_key(text, b"secret")
        assert codes == []
        assert lib.pys_test_key_fits(key, new_cert(leaf(kind).cert_der))

    @clause("CERT-15")
    @pytest.mark.parametrize("phrase", [b"", b"wrong", b"secre", b"secret "])
    def test_encrypted_key_with_a_wrong_passphrase_is_bad_decrypt(
        self, kind: str, traditional: bool, phrase: bytes
    ) -> None:
        # One time in 256 the padding looks right, and then the content is
        # broken; the salt is new each time.
        refused: set[int] = set()
        for _ in range(6):
            text = leaf(kind).encrypted_key_pem(b"secret", traditional)
            key, codes = load_key(text, phrase)
            assert key is None
            assert codes
            refused.update(reason for _, reason in codes)
        assert BAD_DECRYPT in refused

    @clause("CERT-15")
    def test_encrypted_key_without_a_passphrase_is_bad_password_read(
        self, kind: str, traditional: bool
    ) -> None:
        text = leaf(kind).encrypted_key_pem(b"secret", traditional)

        key, codes = load_key(text)
        assert key is None
        assert codes == [(PEM, BAD_PASSWORD_READ)]

    def test_encrypted_key_with_an_overlong_passphrase_is_refused(
        self, kind: str, traditional: bool
    ) -> None:
        text = leaf(kind).encrypted_key_pem(b"secret", traditional)

        key, codes = load_key(text, b"x" * 1025)
        assert key is None
        assert codes == [(PEM, BAD_PASSWORD_READ)]


@clause("CERT-15")
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nothing",
        leaf().cert_pem,
        leaf().key_pem,
        leaf("rsa").traditional_key_pem(),
        leaf().key_pem + leaf().encrypted_key_pem(b"x"),
        pem("ENCRYPTED PRIVATE KEY", b"\x30\0")[:-9],
    ],
)
def test_pem_whose_first_key_is_plain_or_missing_is_not_encrypted(
    text: bytes,
) -> None:
    assert lib.pys_pem_key_encrypted(text, len(text)) == 0


@clause("CERT-2")
@pytest.mark.parametrize("text", [b"", b"nothing", leaf().cert_pem])
def test_key_from_pem_without_one_says_no_start_line(text: bytes) -> None:
    assert load_key(text) == (None, [(PEM, NO_START_LINE)])


@clause("CERT-2")
@pytest.mark.parametrize(
    "der", [b"", b"garbage", b"\x30\0", leaf().cert_der, leaf("rsa").cert_der]
)
def test_key_from_der_that_is_none_leaves_asn1_entries(der: bytes) -> None:
    key, codes = load_key(der, der=True)

    assert key is None
    assert ASN1 in [library for library, _ in codes]


def test_key_from_der_that_is_encrypted_fails_and_asks_nobody() -> None:
    text = leaf().encrypted_key_pem(b"secret")
    der = base64.b64decode(b"".join(text.split(b"\n")[1:-2]))

    key, codes = load_key(der, der=True)
    assert key is None
    assert codes


@pytest.mark.parametrize("kind", KINDS)
def test_key_cut_at_any_byte_is_refused(kind: str) -> None:
    der = leaf(kind).key_der
    step = 1 if len(der) < 400 else 7

    for n in range(0, len(der), step):
        key, codes = load_key(der[:n], der=True)
        assert key is None
        assert codes


def test_key_with_bytes_behind_it_is_refused() -> None:
    for kind in KINDS:
        key, codes = load_key(leaf(kind).key_der + b"\0", der=True)
        assert key is None
        assert codes
        key, codes = load_key(pem("PRIVATE KEY", leaf(kind).key_der + b"\0"))
        assert key is None
        assert codes


def test_key_when_memory_is_short_fails_with_an_entry() -> None:
    for n in range(1, 10):
        lib.pys_test_fail_alloc(n)
        key, codes = load_key(leaf().key_pem)
        lib.pys_test_fail_alloc(0)
        if key is not None:
            assert n > 1
            return
        assert codes
    pytest.fail("it fails for ever")
