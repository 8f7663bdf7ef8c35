"""The man pages' functions by their C names: verification by callbacks.

See `pyssl.capi_ssl` for the conventions.
"""

from __future__ import annotations

from typing import Any

from pyssl.capi import c_name_of
from pyssl.conn import SSL
from pyssl.ctx import SSL_CTX
from pyssl.verify import X509_STORE_CTX

_ctx = c_name_of(SSL_CTX)
_ssl = c_name_of(SSL)
_store = c_name_of(X509_STORE_CTX)

SSL_CTX_set_cert_verify_callback = _ctx(
    SSL_CTX.set_cert_verify_callback, "SSL_CTX_set_cert_verify_callback"
)
SSL_CTX_set_post_handshake_auth = _ctx(
    SSL_CTX.set_post_handshake_auth, "SSL_CTX_set_post_handshake_auth"
)
SSL_set_post_handshake_auth = _ssl(
    SSL.set_post_handshake_auth, "SSL_set_post_handshake_auth"
)
SSL_verify_client_post_handshake = _ssl(
    SSL.verify_client_post_handshake, "SSL_verify_client_post_handshake"
)
SSL_want_async = _ssl(SSL.want_async, "SSL_want_async")
SSL_set_retry_verify = _ssl(SSL.set_retry_verify, "SSL_set_retry_verify")

X509_verify_cert = _store(X509_STORE_CTX.verify_cert, "X509_verify_cert")
X509_STORE_CTX_get_error = _store(
    X509_STORE_CTX.get_error, "X509_STORE_CTX_get_error"
)
X509_STORE_CTX_set_error = _store(
    X509_STORE_CTX.set_error, "X509_STORE_CTX_set_error"
)
X509_STORE_CTX_get_error_depth = _store(
    X509_STORE_CTX.get_error_depth, "X509_STORE_CTX_get_error_depth"
)
X509_STORE_CTX_set_error_depth = _store(
    X509_STORE_CTX.set_error_depth, "X509_STORE_CTX_set_error_depth"
)
X509_STORE_CTX_get_current_cert = _store(
    X509_STORE_CTX.get_current_cert, "X509_STORE_CTX_get_current_cert"
)
X509_STORE_CTX_get0_cert = _store(
    X509_STORE_CTX.get0_cert, "X509_STORE_CTX_get0_cert"
)
X509_STORE_CTX_get0_untrusted = _store(
    X509_STORE_CTX.get0_untrusted, "X509_STORE_CTX_get0_untrusted"
)
X509_STORE_CTX_get0_chain = _store(
    X509_STORE_CTX.get0_chain, "X509_STORE_CTX_get0_chain"
)
X509_STORE_CTX_get1_chain = _store(
    X509_STORE_CTX.get1_chain, "X509_STORE_CTX_get1_chain"
)
X509_STORE_CTX_set_ex_data = _store(
    X509_STORE_CTX.set_ex_data, "X509_STORE_CTX_set_ex_data"
)
X509_STORE_CTX_get_ex_data = _store(
    X509_STORE_CTX.get_ex_data, "X509_STORE_CTX_get_ex_data"
)


def X509_STORE_CTX_get_ex_new_index(
    argl: int = 0, argp: Any = None, *callbacks: Any
) -> int:
    """Give a new index for application data of verifications.

    Source: X509_STORE_CTX_get_ex_new_index(3); contract EXD-1.
    """
    return X509_STORE_CTX.get_ex_new_index(argl, argp, *callbacks)


def SSL_get_ex_data_X509_STORE_CTX_idx() -> int:
    """Give the index under which a verification holds its SSL.

    Source: SSL_get_ex_data_X509_STORE_CTX_idx(3); contract EXD-3.
    """
    return X509_STORE_CTX.ssl_index
