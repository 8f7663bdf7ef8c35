"""The certificate object: decoding, fields, identity, hostile contents."""

from __future__ import annotations

import copy
import datetime as dt
import ipaddress
import pickle
import subprocess
import sys

import pytest
from cryptography import x509 as other
from cryptography.hazmat.primitives import hashes, serialization

from pyssl.err import ERR_GET_LIB, Error
from pyssl.x509 import X509
from tests.clauses import clause
from tests.pki.ca import (
    KINDS,
    authority,
    der_item,
    der_items,
    intermediate,
    leaf,
    pem,
    private_key,
)

ASN1, PEM, NO_START_LINE = 13, 9, 108


def with_names(*names: other.GeneralName, subject: int = 0) -> X509:
    """Make a certificate with these names; subject counts long OUs."""
    unit = other.NameAttribute(
        other.NameOID.ORGANIZATIONAL_UNIT_NAME, "\N{SNOWMAN}" * 21
    )
    now = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)
    key = private_key("p256", "leaf")
    cert = (
        other.CertificateBuilder()
        .subject_name(other.Name([unit] * subject))
        .issuer_name(other.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(other.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    return X509.from_der(cert.public_bytes(serialization.Encoding.DER))


@pytest.mark.parametrize("kind", [*KINDS, "k256", "rsa1024"])
def test_x509_from_der_says_what_another_parser_says(kind: str) -> None:
    made = leaf(kind, names=("a.test", "b.test"), ips=("192.0.2.7", "::1"))
    ours, theirs = X509.from_der(made.cert_der), made.cert

    assert ours.der == made.cert_der
    assert ours.subject == theirs.subject.rfc4514_string() == "CN=a.test"
    assert ours.issuer == theirs.issuer.rfc4514_string()
    assert ours.serial_number == theirs.serial_number
    begin = theirs.not_valid_before_utc
    assert ours.not_before == begin
    assert ours.not_after == theirs.not_valid_after_utc
    assert ours.not_before.tzinfo is dt.timezone.utc
    assert ours.fingerprint() == theirs.fingerprint(hashes.SHA256()).hex()
    assert ours.fingerprint("sha1") == theirs.fingerprint(hashes.SHA1()).hex()
    assert ours.subject_der == theirs.subject.public_bytes()
    assert ours.issuer_der == theirs.issuer.public_bytes()
    assert ours.subject_alt_names == (
        ("DNS", "a.test"),
        ("DNS", "b.test"),
        ("IP", "192.0.2.7"),
        ("IP", "::1"),
    )


def test_x509_from_der_takes_every_kind_of_buffer() -> None:
    der = leaf().cert_der

    for data in (bytearray(der), memoryview(der)):
        assert X509.from_der(data) == X509.from_der(der)


@pytest.mark.parametrize("bad", ["text", 7, None, [1, 2]])
def test_x509_from_der_of_no_buffer_is_a_type_error(bad: object) -> None:
    with pytest.raises(TypeError):
        X509.from_der(bad)


@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_x509_cut_at_any_byte_is_refused_with_asn1_entries(kind: str) -> None:
    der = leaf(kind).cert_der

    for n in range(len(der)):
        with pytest.raises(Error) as e:
            X509.from_der(der[:n])
        assert ERR_GET_LIB(e.value.codes[0]) == ASN1


@clause("RFC 8446 4.4.2", "a certificate is exactly one")
@pytest.mark.parametrize("extra", [b"\0", b"\x30\0", b"0" * 100])
def test_x509_with_bytes_behind_it_is_refused(extra: bytes) -> None:
    with pytest.raises(Error) as e:
        X509.from_der(leaf().cert_der + extra)
    assert ERR_GET_LIB(e.value.codes[0]) == ASN1
    assert X509.from_der(leaf().cert_der)  # and the good one still passes


def test_x509_with_any_bit_changed_is_refused_or_another() -> None:
    der = leaf().cert_der

    for at in range(len(der)):
        changed = bytearray(der)
        changed[at] ^= 1 << at % 8
        try:
            cert = X509.from_der(changed)
        except Error:
            continue
        assert cert.der == changed
        assert cert != X509.from_der(der)
        assert isinstance(cert.subject + cert.issuer + cert.text(), str)
        assert isinstance(cert.subject_alt_names, tuple)
        assert isinstance(repr(cert), str)


def test_x509_with_an_unreadable_key_decodes_and_has_none() -> None:
    ((_, whole),) = der_items(leaf().cert_der)
    tbs, algorithm, signature = der_items(whole)
    parts = list(der_items(tbs[1]))
    parts[6] = (0x30, der_item(0x30, b"\x06\x03\x2a\x03\x04") + b"\x03\x01\0")
    body = b"".join(der_item(t, v) for t, v in parts)
    der = der_item(
        0x30,
        der_item(tbs[0], body) + der_item(*algorithm) + der_item(*signature),
    )

    assert X509.from_der(der).subject == "CN=localhost"


# ---- PEM --------------------------------------------------------------------


@clause("CERT-6", "VFY-9")
def test_x509_list_from_pem_keeps_the_order_and_passes_text_over() -> None:
    made = leaf(issuer=intermediate())
    text = (
        b"a leaf\r\n\r\n"
        + made.cert_pem
        + made.key_pem
        + b"its issuer: -----BEGIN nothing\n"
        + intermediate().cert_pem.replace(b"\n", b"\r\n")
        + authority().cert_pem
        + b"the end"
    )
    want = [made.cert_der, intermediate().cert_der, authority().cert_der]

    assert [c.der for c in X509.list_from_pem(text)] == want
    assert X509.from_pem(text).der == want[0]
    assert X509.from_pem(text.decode()).der == want[0]


@clause("CERT-2")
@pytest.mark.parametrize(
    "text", [b"", "", b"nothing", pem("PUBLIC KEY", b"\x30\0")]
)
def test_x509_from_pem_without_one_says_no_start_line(
    text: bytes | str,
) -> None:
    for load in (X509.from_pem, X509.list_from_pem):
        with pytest.raises(Error) as e:
            load(text)
        assert ERR_GET_LIB(e.value.codes[0]) == PEM
        assert e.value.reason == NO_START_LINE


@pytest.mark.parametrize(
    "broken",
    [
        pem("CERTIFICATE", leaf().cert_der[:-1]),
        pem("CERTIFICATE", leaf().cert_der + b"\0"),
        pem("CERTIFICATE", b"\x30\0"),
        leaf().cert_pem.replace(b"-----END", b"-----END X"),
        leaf().cert_pem[:-40],
        leaf().cert_pem.replace(b"MI", b"!!", 1),
    ],
)
def test_x509_list_from_pem_with_a_broken_one_is_refused(
    broken: bytes,
) -> None:
    with pytest.raises(Error):
        X509.from_pem(broken)
    with pytest.raises(Error):
        X509.list_from_pem(authority().cert_pem + broken)


def test_x509_from_pem_encrypted_fails_and_asks_nobody() -> None:
    lines = leaf().cert_pem.split(b"\n")
    head = [b"Proc-Type: 4,ENCRYPTED", b"DEK-Info: AES-128-CBC," + b"0" * 32]
    text = b"\n".join([lines[0], *head, b"", *lines[1:]])

    with pytest.raises(Error) as e:
        X509.from_pem(text)
    assert ERR_GET_LIB(e.value.codes[0]) == PEM
    assert e.value.reason == 104  # bad password read


def test_x509_from_trusted_pem_leaves_the_trust_settings_out() -> None:
    done = subprocess.run(
        ["openssl", "x509", "-trustout", "-addtrust", "serverAuth"],
        input=leaf().cert_pem,
        check=True,
        capture_output=True,
    )
    assert b"BEGIN TRUSTED CERTIFICATE" in done.stdout

    assert X509.from_pem(done.stdout).der == leaf().cert_der


def test_x509_pem_reads_back_in_another_parser() -> None:
    cert = X509.from_der(leaf("rsa").cert_der)

    assert cert.pem.encode() == leaf("rsa").cert_pem
    assert other.load_pem_x509_certificate(cert.pem.encode()) == (
        leaf("rsa").cert
    )


# ---- fields -----------------------------------------------------------------


def test_x509_names_of_every_kind_are_shown() -> None:
    tricky = other.NameAttribute(other.NameOID.COMMON_NAME, "\u2028x\nDNS:y")
    cert = with_names(
        other.RFC822Name("someone@example.test"),
        other.UniformResourceIdentifier("https://example.test/a"),
        other.RegisteredID(other.ObjectIdentifier("1.2.3.4")),
        other.DirectoryName(other.Name([tricky])),
        other.OtherName(other.ObjectIdentifier("1.2.3"), b"\x05\0"),
        other.DNSName("*.example.test"),
        other.IPAddress(ipaddress.ip_address("2001:db8::1")),
    )

    assert cert.subject_alt_names == (
        ("email", "someone@example.test"),
        ("URI", "https://example.test/a"),
        ("RID", "1.2.3.4"),
        ("DirName", "CN=\u2028x\\0ADNS:y"),
        ("other", ""),
        ("DNS", "*.example.test"),
        ("IP", "2001:db8::1"),
    )
    assert cert.subject == ""


def test_x509_name_with_control_bytes_cannot_forge_another() -> None:
    good = with_names(other.DNSName("good.test.evil.test"))
    der = good.der.replace(b"good.test.evil.test", b"good.test\0\nDNS:e\\il")

    assert X509.from_der(der).subject_alt_names == (
        ("DNS", "good.test\\x00\\x0aDNS:e\\x5cil"),
    )


def test_x509_address_of_a_wrong_length_is_shown_in_hex() -> None:
    good = with_names(other.DNSName("abcde"))
    der = good.der.replace(b"\x82\x05abcde", b"\x87\x05abcde")

    assert X509.from_der(der).subject_alt_names == (("IP", "#6162636465"),)


def test_x509_with_broken_alt_names_has_none() -> None:
    good = with_names(other.DNSName("abcde"))
    der = good.der.replace(b"\x82\x05abcde", b"\x82\x06abcde")

    assert X509.from_der(der).subject_alt_names == ()


def test_x509_validity_that_is_no_time_is_a_value_error() -> None:
    good = with_names(other.DNSName("a"))
    der = good.der.replace(b"300101000000Z", b"309901000000Z")
    assert der != good.der

    with pytest.raises(ValueError, match="no time"):
        _ = X509.from_der(der).not_before


def test_x509_validity_beyond_2050_is_read() -> None:
    good = with_names(other.DNSName("a"))
    assert good.not_before == dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)
    utc, general = b"\x17\x0d300102000000Z", b"\x18\x0f99991231235959Z"
    ((_, whole),) = der_items(good.der)
    tbs, *rest = der_items(whole)
    parts = list(der_items(tbs[1]))
    parts[4] = (parts[4][0], parts[4][1].replace(utc, general))
    body = b"".join(der_item(t, v) for t, v in parts)
    tail = b"".join(der_item(t, v) for t, v in rest)
    cert = X509.from_der(der_item(0x30, der_item(tbs[0], body) + tail))

    assert cert.not_after == dt.datetime(
        9999, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc
    )


def test_x509_text_describes_the_certificate() -> None:
    text = X509.from_der(leaf().cert_der).text()

    for part in ("Certificate:", "CN = localhost", "DNS:localhost", "P-256"):
        assert part in text


def test_x509_with_many_names_is_read_whole() -> None:
    names = tuple(f"host{i:04}.example.test" for i in range(500))
    cert = X509.from_der(leaf(names=names, ips=()).cert_der)

    assert cert.subject_alt_names == tuple(("DNS", name) for name in names)


# ---- as a Python object -----------------------------------------------------


def test_x509_compares_hashes_copies_and_pickles_by_der() -> None:
    a, b = X509.from_der(leaf().cert_der), X509.from_der(leaf().cert_der)

    assert a == b
    assert hash(a) == hash(b)
    assert a != X509.from_der(authority().cert_der)
    assert a != leaf().cert_der
    assert len({a, b}) == 1
    assert copy.copy(a) == a
    assert pickle.loads(pickle.dumps(a)) == a


def test_x509_repr_names_the_subject_and_stays_short() -> None:
    cert = X509.from_der(leaf(common_name="x" * 60, serial=255).cert_der)

    assert repr(cert) == f"<X509 'CN={'x' * 60}' serial=0xff>"
    long = with_names(other.DNSName("a"), subject=9)
    assert len(long.subject) == 9 * len("OU=+") - 1 + 9 * 21
    assert len(repr(long)) < 120


def test_x509_to_cryptography_is_the_same_certificate() -> None:
    assert X509.from_der(leaf().cert_der).to_cryptography() == leaf().cert


def test_x509_to_cryptography_without_the_package_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(ImportError, match="needs the package cryptography"):
        X509.from_der(leaf().cert_der).to_cryptography()


@pytest.mark.parametrize("bad", [None, 7, b""])
def test_x509_made_of_no_handle_is_a_type_error(bad: object) -> None:
    with pytest.raises(TypeError):
        X509(bad)
