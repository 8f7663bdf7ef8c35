"""The part of SSL that is about proofs beside a certificate."""

from __future__ import annotations

from typing import Any

from pyssl import err
from pyssl._ffi import bytes_of, ffi, lib, number
from pyssl.conn_base import ConnBase
from pyssl.const import (
    ERR_LIB_SSL,
    ERR_R_PASSED_INVALID_ARGUMENT,
    TLSEXT_STATUSTYPE_ocsp,
)
from pyssl.proofs import ProofSettings

_SERVER = lib.PYS_SERVER
_RESPONSE_MAX = lib.PYS_RESPONSE_MAX


class Stapling(ConnBase, ProofSettings):
    """OCSP response and timestamps of a connection."""

    __slots__ = ()

    def get_tlsext_status_type(self) -> int:
        """Give TLSEXT_STATUSTYPE_ocsp, or -1.

        Returns:
            On a client whether it asks for an OCSP response, on a server
            whether the client did.

        Source: SSL_CTX_set_tlsext_status_cb(3); contract OCSP-1.
        """
        if self._role != _SERVER:
            return super().get_tlsext_status_type()
        asked = self._facts(lib.pys_conn_status_asked)
        return TLSEXT_STATUSTYPE_ocsp if asked else -1

    def set_tlsext_status_ocsp_resp(
        self,
        resp: bytes | bytearray | memoryview | None,
        len: int | None = None,
    ) -> int:
        """Set the OCSP response that a server staples.

        It stays for later handshakes; whether it goes out is for the
        callback of the context to say.

        Args:
            resp: The response in DER, bytes-like and not looked into; None
                for none.
            len: How many bytes of it count; all if left out.

        Returns:
            1; 0 with an entry for more than 53248 bytes, as a certificate's
            extensions hold little more (RFC 8446 4.4.2).

        Source: SSL_CTX_set_tlsext_status_cb(3); contract OCSP-2.
        """
        raw = b"" if resp is None else memoryview(resp).tobytes()
        if len is not None:
            if not 0 <= number(len, "len") <= raw.__len__():
                raise ValueError(f"{len} bytes of {raw.__len__()}")
            raw = raw[:len]
        n = raw.__len__()
        self._alive()
        if n > _RESPONSE_MAX:
            err.put(ERR_LIB_SSL, ERR_R_PASSED_INVALID_ARGUMENT)
            return 0
        if not self._exclusive(lib.pys_conn_set_status, raw, n):
            raise MemoryError
        return 1

    def get_tlsext_status_ocsp_resp(self) -> tuple[int, bytes | None]:
        """Give the OCSP response: a client's as received.

        Returns:
            Its length and its bytes; -1 and None if there is none.

        Source: SSL_CTX_set_tlsext_status_cb(3); contract OCSP-4.
        """
        resp = self._proof(lib.pys_conn_status)
        return (-1, None) if resp is None else (len(resp), resp)

    def get_sct_list(self) -> bytes | None:
        """Give the timestamps that came with the server's certificate.

        Returns:
            A SignedCertificateTimestampList as received: a 16-bit length,
            then each timestamp behind its own. Its lengths are right, its
            content is not looked into. None if none came.

        Source: RFC 6962 3.3.
        """
        return self._proof(lib.pys_conn_scts)

    def _proof(self, get: Any) -> bytes | None:
        def read(conn: Any) -> bytes | None:
            n = ffi.new("size_t *")
            found = get(conn, n)
            return None if found == ffi.NULL else bytes_of(found, n[0])

        return self._facts(read)
