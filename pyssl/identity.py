"""Own certificates and keys, for SSL_CTX and SSL alike (contract 6.4)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any, Callable, Union

from pyssl import err
from pyssl._ffi import ffi, lib, number, own, source
from pyssl.const import (
    ERR_LIB_BIO,
    ERR_LIB_PEM,
    ERR_LIB_SSL,
    ERR_LIB_X509,
    ERR_R_ASN1_LIB,
    ERR_R_PASSED_NULL_PARAMETER,
    ERR_R_PEM_LIB,
    ERR_R_SYS_LIB,
    SSL_FILETYPE_ASN1,
    SSL_FILETYPE_PEM,
    SSL_R_BAD_SSL_FILETYPE,
)
from pyssl.pkey import EVP_PKEY, PASSPHRASE_MAX, is_encrypted
from pyssl.psk import PskCalls
from pyssl.settings import new_fault
from pyssl.x509 import X509

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

# cb(size, rwflag, userdata): the passphrase, or a negative number.
PassphraseCallback = Callable[[int, int, Any], Union[bytes, str, int]]

# sign(ssl, scheme, data): the signature, or None for not yet.
SignCallback = Callable[[Any, int, bytes], Union[bytes, None]]

# A leaf, a chain with the leaf first, or PEM text of either.
Chain = Union[X509, Sequence[X509], bytes, str]

_signers = itertools.count(1)

_BIO_R_NO_SUCH_FILE = 128
_PEM_R_NO_START_LINE = 108
_PEM_R_BAD_PASSWORD_READ = 104


def read_file(path: Path, library: int) -> bytes | None:
    """Read a whole file; None with entries that say why not (CERT-2).

    Args:
        path: The file.
        library: Whose "system lib" entry comes last.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as e:
        err.put_sys(e.errno or 0, f"calling fopen({name!r}, r)")
        # Only where trust is loaded has a missing file a reason of its own.
        missing = library == ERR_LIB_X509 and isinstance(e, FileNotFoundError)
        err.put(ERR_LIB_BIO, _BIO_R_NO_SUCH_FILE if missing else ERR_R_SYS_LIB)
        err.put(library, ERR_R_SYS_LIB)
        return None


def parse_chain(data: Any, fault: Any) -> list[Any]:
    """Parse every certificate of PEM text.

    Returns:
        Handles with owners; none, with codes in fault, if there is none or
        one is broken.
    """
    view = source(data)
    used = ffi.new("size_t *")
    found: list[Any] = []
    while True:
        handle = lib.pys_cert_from_pem(view, len(view), used, fault)
        if handle == ffi.NULL:
            break
        found.append(own(handle, lib.pys_cert_free))
    code = fault.codes[0] if fault.n_codes else 0
    ended = err.ERR_GET_LIB(code) == ERR_LIB_PEM
    if ended and err.ERR_GET_REASON(code) == _PEM_R_NO_START_LINE:
        return found
    return []


class Identities(PskCalls):
    """Loading and checking of certificates, chains and keys.

    Every method returns 1, or 0 with entries in the queue (CERT-1).

    There is room for one certificate of each type of key (CERT-3). The peer
    gets one whose key can sign with a scheme that it offered; in TLS 1.2 it
    also fits the suite or the types that the peer takes, and its curve is
    known there. Of several, in this order: one whose key may sign and whose
    chain is signed with schemes that the peer knows
    (signature_algorithms_cert, else signature_algorithms); one that a CA
    named by the peer has issued; one whose scheme comes first in the peer's
    list, or in ours with SSL_OP_CIPHER_SERVER_PREFERENCE. In TLS 1.2 a server
    takes the suite first, among those that go with the best certificate.

    A key or signature that the security level forbids is refused when it is
    loaded, and again before it is sent.
    """

    __slots__ = ()

    def _passphrase(self) -> tuple[PassphraseCallback | None, Any]:
        """Give the passphrase callback and its userdata."""
        raise NotImplementedError

    # ---- certificates ------------------------------------------------------

    def use_certificate(self, x: X509 | None) -> int:
        """Take a certificate as our own.

        Source: SSL_CTX_use_certificate(3).
        """
        if x is None:
            return _refuse(ERR_R_PASSED_NULL_PARAMETER)
        return self._try(lib.pys_settings_use_cert, handle_of(x))

    def use_certificate_ASN1(self, d: Any, len: int | None = None) -> int:
        """Take a certificate in DER as our own.

        Args:
            d: Bytes-like.
            len: How many bytes of it count; all if left out.

        Source: SSL_CTX_use_certificate(3).
        """
        return self._use_cert_of(_part(d, len), SSL_FILETYPE_ASN1)

    def use_certificate_file(self, file: Path, type: int) -> int:
        """Take the first certificate of a file, PEM (1) or DER (2).

        Source: SSL_CTX_use_certificate(3); contract CERT-2.
        """
        self._snapshot()
        number(type, "type")
        data = read_file(file, ERR_LIB_SSL)
        return 0 if data is None else self._use_cert_of(data, type)

    def use_certificate_mem(self, data: Any, type: int) -> int:
        """As `use_certificate_file`, with the file's bytes."""
        return self._use_cert_of(_part(data, None), type)

    def _use_cert_of(self, data: bytes, type: int) -> int:
        fault = new_fault()
        if number(type, "type") == SSL_FILETYPE_PEM:
            used = ffi.new("size_t *")
            handle = lib.pys_cert_from_pem(data, len(data), used, fault)
            also = ERR_R_PEM_LIB
        elif type == SSL_FILETYPE_ASN1:
            handle = lib.pys_cert_from_der(data, len(data), fault)
            also = ERR_R_ASN1_LIB
        else:
            return _refuse(SSL_R_BAD_SSL_FILETYPE)
        if handle == ffi.NULL:
            err.put_fault(fault)
            return _refuse(also)
        certificate = own(handle, lib.pys_cert_free)
        return self._try(lib.pys_settings_use_cert, certificate)

    def use_certificate_chain_file(self, file: Path) -> int:
        """Take the leaf and its chain from a PEM file, leaf first.

        Source: SSL_CTX_use_certificate(3); contract CERT-6.
        """
        self._snapshot()
        data = read_file(file, ERR_LIB_SSL)
        return 0 if data is None else self.use_certificate_chain_mem(data)

    def use_certificate_chain_mem(self, data: Any) -> int:
        """Take the leaf and its chain from PEM text, leaf first.

        Args:
            data: Bytes-like.

        Source: SSL_CTX_use_certificate(3); contract CERT-6.
        """
        fault = new_fault()
        chain = parse_chain(data, fault)
        if not chain:
            err.put_fault(fault)
            return _refuse(ERR_R_PEM_LIB)
        return self._try(_use_chain, chain)

    def add1_chain_cert(self, x: X509 | None) -> int:
        """Append to the chain of the certificate loaded last.

        Source: SSL_CTX_add1_chain_cert(3); contract CERT-10.
        """
        if x is None:
            return _refuse(ERR_R_PASSED_NULL_PARAMETER)
        return self._try(lib.pys_settings_add_chain, handle_of(x))

    def clear_chain_certs(self) -> int:
        """Empty the chain of the certificate loaded last.

        Source: SSL_CTX_add1_chain_cert(3).
        """
        return self._try(lib.pys_settings_clear_chain)

    def get_certificate(self) -> X509 | None:
        """Give our certificate loaded last, or None.

        Source: SSL_get_certificate(3).
        """
        handle = lib.pys_settings_cert(self._snapshot())
        return None if handle == ffi.NULL else X509(handle)

    # ---- keys --------------------------------------------------------------

    def use_PrivateKey(self, pkey: EVP_PKEY | None) -> int:
        """Take the key for the certificate loaded before.

        Source: SSL_CTX_use_certificate(3); contract CERT-4.
        """
        if pkey is None:
            return _refuse(ERR_R_PASSED_NULL_PARAMETER)
        if not isinstance(pkey, EVP_PKEY):
            raise TypeError(f"an EVP_PKEY is needed, not {pkey!r}")
        return self._try(lib.pys_settings_use_key, pkey._native())

    def use_private_key_method(
        self, certificate: Chain, sign: SignCallback
    ) -> int:
        """Take a certificate whose key is elsewhere: an HSM, an agent.

        Args:
            certificate: The leaf, the chain with the leaf first, or the PEM
                text of either. The kind of its key says which signature
                schemes can be chosen.
            sign: `sign(ssl, scheme, data)` gives the signature as bytes, or
                None if it is not ready: the call then ends with
                SSL_ERROR_WANT_ASYNC, and the next one asks again for the
                same. scheme is a number of RFC 8446 4.2.3; data is what is
                to be signed, not its hash. A signature that does not verify
                with the certificate is not sent; the handshake fails with
                SSL_R_PRIVATE_KEY_MISMATCH.

        Returns:
            1, or 0 with an entry.

        Source: RFC 8446 4.4.3, RFC 5246 4.7; contract CERT-21.
        """
        self._snapshot()
        if not callable(sign):
            raise TypeError(f"a callable is needed, not {sign!r}")
        fault = new_fault()
        chain = _handles(certificate, fault)
        if not chain:
            err.put_fault(fault)
            return _refuse(ERR_R_PEM_LIB)
        signer = next(_signers)
        # Known before a connection can meet the number.
        self._keep_signer(signer, sign)
        return self._try(_use_signer, chain, signer)

    def _keep_signer(self, signer: int, sign: SignCallback) -> None:
        raise NotImplementedError

    def use_PrivateKey_ASN1(
        self, pk: int, d: Any, len: int | None = None
    ) -> int:
        """Take a key in DER, PKCS#8 or traditional.

        Args:
            pk: A hint of the key's type; what is in the bytes counts.
            d: Bytes-like.
            len: How many bytes of it count; all if left out.

        Source: SSL_CTX_use_certificate(3).
        """
        number(pk, "pk")
        return self._use_key_of(_part(d, len), SSL_FILETYPE_ASN1)

    def use_PrivateKey_file(self, file: Path, type: int) -> int:
        """Take the first key of a file, PEM (1) or DER (2).

        Source: SSL_CTX_use_certificate(3); contract CERT-2, CERT-15.
        """
        self._snapshot()
        number(type, "type")
        data = read_file(file, ERR_LIB_SSL)
        return 0 if data is None else self._use_key_of(data, type)

    def use_PrivateKey_mem(self, data: Any, type: int) -> int:
        """As `use_PrivateKey_file`, with the file's bytes."""
        return self._use_key_of(_part(data, None), type)

    def _use_key_of(self, data: bytes, type: int) -> int:
        fault = new_fault()
        if number(type, "type") == SSL_FILETYPE_PEM:
            if not is_encrypted(data):
                key = EVP_PKEY._from_pem(data, None, fault)
            else:
                key = self._decrypt(data, fault)
            also = ERR_R_PEM_LIB
        elif type == SSL_FILETYPE_ASN1:
            key = EVP_PKEY._from_der(data, fault)
            also = ERR_R_ASN1_LIB
        else:
            return _refuse(SSL_R_BAD_SSL_FILETYPE)
        if key is None:
            err.put_fault(fault)
            return _refuse(also)
        return self.use_PrivateKey(key)

    def _decrypt(self, data: bytes, fault: Any) -> EVP_PKEY | None:
        """Read an encrypted key with what the callback gives (CERT-15).

        Errors:
            Whatever the callback raises; TypeError or ValueError for an
            answer that is no passphrase.
        """
        callback, userdata = self._passphrase()
        try:
            word = _ask_passphrase(callback, userdata)
        except BaseException:
            err.put(ERR_LIB_PEM, _PEM_R_BAD_PASSWORD_READ)
            _refuse(ERR_R_PEM_LIB)
            raise
        if word is None and callback is not None:
            err.put(ERR_LIB_PEM, _PEM_R_BAD_PASSWORD_READ)
            return None
        return EVP_PKEY._from_pem(data, word, fault)

    def check_private_key(self) -> int:
        """Check that the current certificate and key belong together.

        Source: SSL_CTX_use_certificate(3); contract CERT-5.
        """
        fault = new_fault()
        if lib.pys_settings_check_key(self._snapshot(), fault):
            return 1
        err.put_fault(fault)
        return 0


def handle_of(x: X509) -> Any:
    """Give the core's certificate."""
    if not isinstance(x, X509):
        raise TypeError(f"an X509 is needed, not {x!r}")
    return x._handle


def _refuse(reason: int) -> int:
    """Push an entry of library SSL and give 0."""
    err.put(ERR_LIB_SSL, reason)
    return 0


def _part(data: Any, size: int | None) -> bytes:
    """Copy the bytes of a buffer that count."""
    raw = memoryview(data).tobytes()
    if size is None:
        return raw
    if not 0 <= size <= len(raw):
        raise ValueError(f"{size} bytes of {len(raw)}")
    return raw[:size]


def _use_chain(settings: Any, chain: list[Any], fault: Any) -> bool:
    """Put a leaf and its chain in place of older ones."""
    if not lib.pys_settings_use_cert(settings, chain[0], fault):
        return False
    if not lib.pys_settings_clear_chain(settings, fault):
        return False
    return all(
        lib.pys_settings_add_chain(settings, certificate, fault)
        for certificate in chain[1:]
    )


def _handles(certificate: Chain, fault: Any) -> list[Any]:
    """Give the core's certificates; none with codes in fault."""
    if isinstance(certificate, str):
        certificate = certificate.encode()
    if isinstance(certificate, (bytes, bytearray, memoryview)):
        return parse_chain(certificate, fault)
    if isinstance(certificate, X509):
        certificate = [certificate]
    chain = [handle_of(one) for one in certificate]
    if not chain:
        raise ValueError("a chain has at least a leaf")
    return chain


def _use_signer(
    settings: Any, chain: list[Any], signer: int, fault: Any
) -> bool:
    """Put a chain in place of older ones, and who signs for it."""
    return _use_chain(settings, chain, fault) and bool(
        lib.pys_settings_use_signer(settings, signer, fault)
    )


def _ask_passphrase(
    callback: PassphraseCallback | None, userdata: Any
) -> bytes | None:
    """Get the passphrase; None if there is none."""
    if callback is None:
        word = userdata
        if word is None:
            return None
    else:
        word = callback(PASSPHRASE_MAX, 0, userdata)
    if isinstance(word, str):
        word = word.encode()
    if isinstance(word, int) and not isinstance(word, bool) and word <= 0:
        return None if word < 0 else b""
    if not isinstance(word, (bytes, bytearray)):
        raise TypeError("a passphrase is bytes or text")
    if len(word) > PASSPHRASE_MAX:
        raise ValueError(f"a passphrase has at most {PASSPHRASE_MAX} bytes")
    return bytes(word)
