"""TrustStore: certificates that a verification trusts (X509_STORE(3)).

A store is parsed once and shared by every context that it is set in; what
is added later counts for them all.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pyssl import err
from pyssl._ffi import ffi, lib, own, source, text_of
from pyssl.const import ERR_LIB_X509
from pyssl.identity import Path, handle_of, read_file
from pyssl.settings import new_fault
from pyssl.x509 import X509

# Where systems keep the bundle of their trust anchors.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, CentOS
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, OpenBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)

_NO_TRUST = (
    "no certificates of the system were found, so every peer will be "
    "refused: install the system's package (ca-certificates) or certifi, "
    "name a bundle in SSL_CERT_FILE, or load one with load_verify_locations"
)


class TrustStore:
    """Trust anchors and revocation lists.

    Every method that adds returns 1, or 0 with entries in the queue.
    """

    __slots__ = ("__weakref__", "_trust")

    def __init__(self) -> None:
        """Make an empty store, which trusts nothing."""
        self._trust = own(lib.pys_trust_new(), lib.pys_trust_free)

    def add_cert(self, x: X509) -> int:
        """Trust a certificate. Source: X509_STORE_add_cert(3)."""
        return self._did(lib.pys_trust_add_cert, handle_of(x))

    def load_mem(self, data: Any) -> int:
        """Trust every certificate, and take every CRL, of PEM text.

        Args:
            data: Bytes-like; text between the blocks is passed over.
        """
        view = source(data)
        return self._did(lib.pys_trust_add_pem, view, len(view))

    def load_file(self, path: Path) -> int:
        """As `load_mem`, from a file.

        Source: SSL_CTX_load_verify_locations(3); contract VFY-7.
        """
        data = read_file(path, ERR_LIB_X509)
        return 0 if data is None else self.load_mem(data)

    def load_path(self, path: Path) -> int:
        """Look in a folder with hashed names when a name is needed.

        The folder need not exist yet.

        Source: SSL_CTX_load_verify_locations(3); contract VFY-7.
        """
        return self._did(lib.pys_trust_add_dir, os.fsencode(path))

    def load_default(self) -> None:
        """Take what the environment or the system names.

        The first of these that is there: SSL_CERT_FILE and SSL_CERT_DIR of
        the environment, each in place of libcrypto's own file and folder;
        where libcrypto's own are missing (it is inside the wheel), the
        system's bundle, then that of the certifi package. Errors in a file
        are passed over, as the page says.

        Errors:
            RuntimeWarning: nothing was found, so every peer will be
                refused; the text says what to do.

        Source: SSL_CTX_set_default_verify_paths(3); contract VFY-8.
        """
        named = "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ
        file = os.environ.get("SSL_CERT_FILE") or text_of(
            lib.pys_trust_default_file()
        )
        folders = os.environ.get("SSL_CERT_DIR") or text_of(
            lib.pys_trust_default_dir()
        )
        there = [
            folder
            for folder in (folders or "").split(os.pathsep)
            if folder and (named or os.path.isdir(folder))
        ]
        if not named and not there and not os.path.isfile(file or ""):
            file = _bundle()
            if file is None:
                warnings.warn(_NO_TRUST, RuntimeWarning, stacklevel=4)
        if file:
            self._add_file(file)
        for folder in there:
            name = os.fsencode(folder)
            lib.pys_trust_add_dir(self._trust, name, new_fault())

    def _add_file(self, path: str) -> None:
        """Trust what a file has, if it can be read."""
        try:
            with open(path, "rb") as opened:
                data = opened.read()
        except OSError:
            return
        if data:
            lib.pys_trust_add_pem(self._trust, data, len(data), new_fault())

    def set_flags(self, flags: int) -> int:
        """Set X509_V_FLAG_ bits for later verifications.

        Source: X509_STORE_set_flags(3).
        """
        return int(lib.pys_trust_set_flags(self._trust, flags))

    def __len__(self) -> int:
        """Count the certificates in memory."""
        return int(lib.pys_trust_count(self._trust))

    def __bool__(self) -> bool:
        """Be true, also when empty."""
        return True

    def _did(self, call: Any, *arguments: Any) -> int:
        fault = ffi.new("pys_fault *")
        if call(self._trust, *arguments, fault):
            return 1
        err.put_fault(fault)
        return 0


def _bundle() -> str | None:
    """Find the system's bundle, or certifi's; None if there is none."""
    for path in _BUNDLES:
        if os.path.isfile(path):
            return path
    if find_spec("certifi") is None:
        return None
    path = str(import_module("certifi").where())
    return path if os.path.isfile(path) else None
