"""Settings about what a server shows beside its certificate.

An OCSP response says that the certificate is not revoked (RFC 6066 8), signed
certificate timestamps that it was logged (RFC 6962 3.3). A client must ask
for either.
"""

from __future__ import annotations

from typing import Any

from pyssl._ffi import lib, number
from pyssl.const import TLSEXT_STATUSTYPE_ocsp
from pyssl.settings import Settings


class ProofSettings(Settings):
    """What SSL_CTX and SSL share of it."""

    __slots__ = ()

    def set_tlsext_status_type(self, type: int) -> int:
        """Let a client ask for an OCSP response.

        Args:
            type: TLSEXT_STATUSTYPE_ocsp; there is no other.

        Returns:
            1; 0 for another type, with nothing changed.

        Source: SSL_CTX_set_tlsext_status_cb(3); contract OCSP-1.
        """
        self._snapshot()
        if number(type, "type") != TLSEXT_STATUSTYPE_ocsp:
            return 0
        self._set_number(lib.PYS_STATUS_TYPE, type)
        return 1

    def get_tlsext_status_type(self) -> int:
        """Give TLSEXT_STATUSTYPE_ocsp if that is asked for, else -1.

        Source: SSL_CTX_set_tlsext_status_cb(3); contract OCSP-1.
        """
        return self._number(lib.PYS_STATUS_TYPE) or -1

    def enable_sct(self, yes: bool = True) -> None:
        """Let a client ask for signed certificate timestamps.

        What comes is given by `SSL.get_sct_list`; it is not verified.

        Source: RFC 6962 3.3.1.
        """
        self._set_number(lib.PYS_ASK_SCTS, int(number(yes, "yes") != 0))

    def sct_enabled(self) -> bool:
        """Tell whether a client asks for timestamps."""
        return self._number(lib.PYS_ASK_SCTS) != 0

    def set_sct_list(
        self, scts: bytes | bytearray | memoryview | None
    ) -> None:
        """Set the timestamps that a server shows to clients that ask.

        Args:
            scts: A SignedCertificateTimestampList, bytes-like: a 16-bit
                length, then each timestamp behind its own 16-bit length; at
                most 8192 bytes. None or empty for none.

        Errors:
            ValueError: bytes that are no such list.

        Source: RFC 6962 3.3; RFC 8446 4.4.2.1.
        """
        raw = b"" if scts is None else memoryview(scts).tobytes()

        def change(fresh: Any) -> bool:
            return bool(lib.pys_settings_set_scts(fresh, raw, len(raw)))

        if not self._change(change):
            raise ValueError("no list of signed certificate timestamps")
