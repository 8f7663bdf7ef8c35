"""Certificates as Python objects.

An `X509` is immutable: it holds the decoded certificate of the core, and
compares, hashes and pickles by its DER. It says what a certificate claims;
whether that is true is what a verification says.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from pyssl._ffi import bytes_of, ffi, lib, own, source
from pyssl.const import ERR_LIB_PEM
from pyssl.err import ERR_GET_LIB, ERR_GET_REASON, raise_fault

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PEM_R_NO_START_LINE = 108
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SHOWN = 80


class X509:
    """One certificate (X509_new(3) and its family, RFC 5280 4.1)."""

    __slots__ = ("_der", "_handle")

    def __init__(self, handle: Any) -> None:
        """Take over a reference of the core.

        Programs use `from_der`, `from_pem` or `list_from_pem`.

        Args:
            handle: a `pys_cert *` whose reference now belongs to the object.

        Errors:
            MemoryError: the handle is NULL.
            TypeError: it is no handle.
        """
        self._handle = own(handle, lib.pys_cert_free)
        size = ffi.new("size_t *")
        self._der = bytes_of(lib.pys_cert_der(self._handle, size), size[0])

    @classmethod
    def from_der(cls, data: Any) -> X509:
        """Decode a certificate.

        Args:
            data: the DER, bytes-like; exactly one certificate.

        Errors:
            Error: the bytes are no certificate, or more than one.
            TypeError: not bytes-like.

        Source: d2i_X509(3), RFC 5280 4.1.
        """
        given = source(data)
        fault = ffi.new("pys_fault *")
        handle = lib.pys_cert_from_der(given, len(given), fault)
        if handle == ffi.NULL:
            raise_fault(fault, "X509.from_der")
        return cls(handle)

    @classmethod
    def from_pem(cls, text: Any) -> X509:
        """Decode the first certificate of a PEM text.

        Args:
            text: str or bytes-like; what is no certificate is passed over.

        Errors:
            Error: there is none (PEM, no start line), or it is broken.
            TypeError: neither str nor bytes-like.

        Source: PEM_read_bio_X509(3), RFC 7468.
        """
        given = source(_as_bytes(text))
        fault = ffi.new("pys_fault *")
        handle = lib.pys_cert_from_pem(
            given, len(given), ffi.new("size_t *"), fault
        )
        if handle == ffi.NULL:
            raise_fault(fault, "X509.from_pem")
        return cls(handle)

    @classmethod
    def list_from_pem(cls, text: Any) -> list[X509]:
        """Decode all certificates of a PEM text, in its order.

        Args:
            text: as for `from_pem`.

        Returns:
            At least one certificate.

        Errors:
            Error: there is none, or one of them is broken.
            TypeError: neither str nor bytes-like.
        """
        given = source(_as_bytes(text))
        used = ffi.new("size_t *")
        found: list[X509] = []
        while True:
            fault = ffi.new("pys_fault *")
            handle = lib.pys_cert_from_pem(given, len(given), used, fault)
            if handle != ffi.NULL:
                found.append(cls(handle))
            elif found and _is_end(fault):
                return found
            else:
                raise_fault(fault, "X509.list_from_pem")

    @property
    def der(self) -> bytes:
        """The encoding, exactly as it came."""
        return self._der

    @property
    def pem(self) -> str:
        """The encoding as PEM text, lines of 64 characters (RFC 7468 2)."""
        body = base64.b64encode(self._der).decode()
        lines = [body[i : i + 64] for i in range(0, len(body), 64)]
        return "\n".join(
            [
                "-----BEGIN CERTIFICATE-----",
                *lines,
                "-----END CERTIFICATE-----",
                "",
            ]
        )

    @property
    def subject(self) -> str:
        """The subject's name (RFC 2253 form: last part first)."""
        return self._text(lib.PYS_CERT_SUBJECT)

    @property
    def issuer(self) -> str:
        """The issuer's name (RFC 2253 form: last part first)."""
        return self._text(lib.PYS_CERT_ISSUER)

    @property
    def subject_der(self) -> bytes:
        """The subject's encoded Name, as CA lists of TLS carry it."""
        size = ffi.new("size_t *")
        return bytes_of(lib.pys_cert_subject_der(self._handle, size), size[0])

    @property
    def issuer_der(self) -> bytes:
        """The issuer's encoded Name."""
        size = ffi.new("size_t *")
        return bytes_of(lib.pys_cert_issuer_der(self._handle, size), size[0])

    @property
    def serial_number(self) -> int:
        """The serial number that the issuer gave."""
        return int(self._text(lib.PYS_CERT_SERIAL) or "0", 16)

    @property
    def subject_alt_names(self) -> tuple[tuple[str, str], ...]:
        r"""The names in the subjectAltName extension (RFC 5280 4.2.1.6).

        Pairs of kind and value, in the certificate's order; the kinds are
        DNS, IP, email, URI, DirName, RID and other (of no readable kind,
        value empty). Bytes that a name of its kind cannot have are shown as
        `\xHH`. Empty without the extension, or if it cannot be read.
        """
        return tuple(
            _alt_name(line)
            for line in self._text(lib.PYS_CERT_ALT_NAMES).split("\n")[:-1]
        )

    @property
    def not_before(self) -> datetime:
        """The first second of its validity, in UTC.

        Errors:
            ValueError: the field is no time.
        """
        return self._validity()[0]

    @property
    def not_after(self) -> datetime:
        """The last second of its validity, in UTC.

        Errors:
            ValueError: the field is no time.
        """
        return self._validity()[1]

    def fingerprint(self, hash: str = "sha256") -> str:
        """Hash the DER.

        Args:
            hash: a name that `hashlib.new` knows.

        Returns:
            Lower-case hexadecimal digits.

        Errors:
            ValueError: no such hash.
        """
        return hashlib.new(hash, self._der).hexdigest()

    def text(self) -> str:
        """Describe the whole certificate in lines for people.

        Source: X509_print_ex(3).
        """
        return _grown(
            lambda out, size: lib.pys_cert_print(self._handle, out, size)
        )

    def to_cryptography(self) -> Certificate:
        """Give the same certificate as an object of `cryptography`.

        Errors:
            ImportError: that package is not installed.
        """
        try:
            from cryptography import x509
        except ImportError as e:
            raise ImportError(
                "X509.to_cryptography needs the package cryptography: "
                "pip install cryptography"
            ) from e
        return x509.load_der_x509_certificate(self._der)

    def __eq__(self, other: object) -> bool:
        """Compare the encodings."""
        if not isinstance(other, X509):
            return NotImplemented
        return self._der == other._der

    def __hash__(self) -> int:
        """Hash the encoding."""
        return hash(self._der)

    def __repr__(self) -> str:
        """Name the subject, not the contents."""
        subject = self.subject
        if len(subject) > _SHOWN:
            subject = subject[:_SHOWN] + "..."
        return f"<X509 {subject!r} serial={self.serial_number:#x}>"

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        """Pickle and copy by the encoding."""
        return (type(self).from_der, (self._der,))

    def _text(self, what: int) -> str:
        """Read one of the core's text fields."""
        return _grown(
            lambda out, size: lib.pys_cert_text(self._handle, what, out, size)
        )

    def _validity(self) -> tuple[datetime, datetime]:
        """Read both ends."""
        begin, end = ffi.new("int64_t *"), ffi.new("int64_t *")
        if not lib.pys_cert_validity(self._handle, begin, end):
            raise ValueError("the validity of the certificate is no time")
        try:
            return (
                _EPOCH + timedelta(seconds=begin[0]),
                _EPOCH + timedelta(seconds=end[0]),
            )
        except OverflowError:
            raise ValueError(
                "the validity of the certificate is out of range"
            ) from None


def _as_bytes(text: Any) -> Any:
    """Accept str beside bytes-like objects; PEM is ASCII (RFC 7468 2)."""
    return text.encode("utf-8") if isinstance(text, str) else text


def _is_end(fault: Any) -> bool:
    """Tell the end of a PEM text from a broken certificate."""
    if fault.n_codes != 1:
        return False
    code = fault.codes[0]
    return (
        ERR_GET_LIB(code) == ERR_LIB_PEM
        and ERR_GET_REASON(code) == _PEM_R_NO_START_LINE
    )


def _grown(fill: Any) -> str:
    """Call fill with as much room as it says it needs."""
    size = 1024
    while True:
        out = ffi.new("char[]", size)
        need = fill(out, size)
        if need <= size:
            return str(bytes_of(out, need), "utf-8", "replace")
        size = need


def _alt_name(line: str) -> tuple[str, str]:
    """Split a line of the core; addresses get their usual form."""
    kind, _, value = line.partition(":")
    if kind == "IP":
        try:
            return kind, str(ipaddress.ip_address(value))
        except ValueError:  # neither 4 nor 16 bytes: "#" and hex digits
            return kind, value
    return kind, value
