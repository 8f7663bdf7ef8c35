"""The man pages' functions by their C names: hellos, and what answers them.

See `capi_ssl` for how they are made.
"""

from __future__ import annotations

from pyssl.capi import c_name_of
from pyssl.conn import SSL
from pyssl.ctx import SSL_CTX

_ctx = c_name_of(SSL_CTX)
_ssl = c_name_of(SSL)

# ---- OCSP stapling ---------------------------------------------------------

SSL_CTX_set_tlsext_status_type = _ctx(
    SSL_CTX.set_tlsext_status_type, "SSL_CTX_set_tlsext_status_type"
)
SSL_CTX_get_tlsext_status_type = _ctx(
    SSL_CTX.get_tlsext_status_type, "SSL_CTX_get_tlsext_status_type"
)
SSL_CTX_set_tlsext_status_cb = _ctx(
    SSL_CTX.set_tlsext_status_cb, "SSL_CTX_set_tlsext_status_cb"
)
SSL_CTX_get_tlsext_status_cb = _ctx(
    SSL_CTX.get_tlsext_status_cb, "SSL_CTX_get_tlsext_status_cb"
)
SSL_CTX_set_tlsext_status_arg = _ctx(
    SSL_CTX.set_tlsext_status_arg, "SSL_CTX_set_tlsext_status_arg"
)
SSL_CTX_get_tlsext_status_arg = _ctx(
    SSL_CTX.get_tlsext_status_arg, "SSL_CTX_get_tlsext_status_arg"
)
SSL_set_tlsext_status_type = _ssl(
    SSL.set_tlsext_status_type, "SSL_set_tlsext_status_type"
)
SSL_get_tlsext_status_type = _ssl(
    SSL.get_tlsext_status_type, "SSL_get_tlsext_status_type"
)
SSL_set_tlsext_status_ocsp_resp = _ssl(
    SSL.set_tlsext_status_ocsp_resp, "SSL_set_tlsext_status_ocsp_resp"
)
SSL_get_tlsext_status_ocsp_resp = _ssl(
    SSL.get_tlsext_status_ocsp_resp, "SSL_get_tlsext_status_ocsp_resp"
)

# ---- the ClientHello -------------------------------------------------------

SSL_client_hello_isv2 = _ssl(SSL.client_hello_isv2, "SSL_client_hello_isv2")
SSL_client_hello_get0_legacy_version = _ssl(
    SSL.client_hello_get0_legacy_version,
    "SSL_client_hello_get0_legacy_version",
)
SSL_client_hello_get0_random = _ssl(
    SSL.client_hello_get0_random, "SSL_client_hello_get0_random"
)
SSL_client_hello_get0_session_id = _ssl(
    SSL.client_hello_get0_session_id, "SSL_client_hello_get0_session_id"
)
SSL_client_hello_get0_ciphers = _ssl(
    SSL.client_hello_get0_ciphers, "SSL_client_hello_get0_ciphers"
)
SSL_client_hello_get0_compression_methods = _ssl(
    SSL.client_hello_get0_compression_methods,
    "SSL_client_hello_get0_compression_methods",
)
SSL_client_hello_get0_ext = _ssl(
    SSL.client_hello_get0_ext, "SSL_client_hello_get0_ext"
)
SSL_client_hello_get1_extensions_present = _ssl(
    SSL.client_hello_get1_extensions_present,
    "SSL_client_hello_get1_extensions_present",
)

# ---- another context -------------------------------------------------------

SSL_set_SSL_CTX = _ssl(SSL.set_SSL_CTX, "SSL_set_SSL_CTX")
