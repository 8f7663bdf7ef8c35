"""The man pages' functions by their C names: early data.

As `capi_ssl`; the pages are SSL_read_early_data(3) and those that it names.
"""

from __future__ import annotations

from pyssl.capi import c_name_of
from pyssl.conn import SSL
from pyssl.ctx import SSL_CTX
from pyssl.session import SSL_SESSION

_ctx = c_name_of(SSL_CTX)
_ssl = c_name_of(SSL)
_session = c_name_of(SSL_SESSION)

SSL_CTX_set_max_early_data = _ctx(
    SSL_CTX.set_max_early_data, "SSL_CTX_set_max_early_data"
)
SSL_CTX_get_max_early_data = _ctx(
    SSL_CTX.get_max_early_data, "SSL_CTX_get_max_early_data"
)
SSL_CTX_set_recv_max_early_data = _ctx(
    SSL_CTX.set_recv_max_early_data, "SSL_CTX_set_recv_max_early_data"
)
SSL_CTX_get_recv_max_early_data = _ctx(
    SSL_CTX.get_recv_max_early_data, "SSL_CTX_get_recv_max_early_data"
)
SSL_CTX_set_allow_early_data_cb = _ctx(
    SSL_CTX.set_allow_early_data_cb, "SSL_CTX_set_allow_early_data_cb"
)
SSL_set_max_early_data = _ssl(SSL.set_max_early_data, "SSL_set_max_early_data")
SSL_get_max_early_data = _ssl(SSL.get_max_early_data, "SSL_get_max_early_data")
SSL_set_recv_max_early_data = _ssl(
    SSL.set_recv_max_early_data, "SSL_set_recv_max_early_data"
)
SSL_get_recv_max_early_data = _ssl(
    SSL.get_recv_max_early_data, "SSL_get_recv_max_early_data"
)
SSL_set_allow_early_data_cb = _ssl(
    SSL.set_allow_early_data_cb, "SSL_set_allow_early_data_cb"
)
SSL_write_early_data = _ssl(SSL.write_early_data, "SSL_write_early_data")
SSL_read_early_data = _ssl(SSL.read_early_data, "SSL_read_early_data")
SSL_get_early_data_status = _ssl(
    SSL.get_early_data_status, "SSL_get_early_data_status"
)
SSL_export_keying_material_early = _ssl(
    SSL.export_keying_material_early, "SSL_export_keying_material_early"
)
SSL_SESSION_set_max_early_data = _session(
    SSL_SESSION.set_max_early_data, "SSL_SESSION_set_max_early_data"
)
