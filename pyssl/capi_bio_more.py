"""The man pages' functions by their C names: filters and connections.

BIO_f_buffer(3), BIO_s_connect(3), BIO_s_accept(3), BIO_f_ssl(3); the
convention is that of `capi_ssl`. A getter gives None where C gives NULL.
"""

from __future__ import annotations

from pyssl.bio import BIO
from pyssl.capi import c_name_of

_bio = c_name_of(BIO)

# ---- BIO_f_buffer(3) -------------------------------------------------------

BIO_set_buffer_size = _bio(BIO.set_buffer_size, "BIO_set_buffer_size")
BIO_set_read_buffer_size = _bio(
    BIO.set_read_buffer_size, "BIO_set_read_buffer_size"
)
BIO_set_write_buffer_size = _bio(
    BIO.set_write_buffer_size, "BIO_set_write_buffer_size"
)
BIO_set_buffer_read_data = _bio(
    BIO.set_buffer_read_data, "BIO_set_buffer_read_data"
)
BIO_get_buffer_num_lines = _bio(
    BIO.get_buffer_num_lines, "BIO_get_buffer_num_lines"
)

# ---- BIO_s_connect(3) ----------------------------------------------------

BIO_set_conn_hostname = _bio(BIO.set_conn_hostname, "BIO_set_conn_hostname")
BIO_set_conn_port = _bio(BIO.set_conn_port, "BIO_set_conn_port")
BIO_get_conn_hostname = _bio(BIO.get_conn_hostname, "BIO_get_conn_hostname")
BIO_get_conn_port = _bio(BIO.get_conn_port, "BIO_get_conn_port")
BIO_set_nbio = _bio(BIO.set_nbio, "BIO_set_nbio")
BIO_do_connect = _bio(BIO.do_connect, "BIO_do_connect")

# ---- BIO_s_accept(3) -----------------------------------------------------

BIO_set_accept_name = _bio(BIO.set_accept_name, "BIO_set_accept_name")
BIO_set_accept_port = _bio(BIO.set_accept_port, "BIO_set_accept_port")
BIO_get_accept_name = _bio(BIO.get_accept_name, "BIO_get_accept_name")
BIO_get_accept_port = _bio(BIO.get_accept_port, "BIO_get_accept_port")
BIO_get_peer_name = _bio(BIO.get_peer_name, "BIO_get_peer_name")
BIO_get_peer_port = _bio(BIO.get_peer_port, "BIO_get_peer_port")
BIO_set_nbio_accept = _bio(BIO.set_nbio_accept, "BIO_set_nbio_accept")
BIO_set_accept_bios = _bio(BIO.set_accept_bios, "BIO_set_accept_bios")
BIO_set_bind_mode = _bio(BIO.set_bind_mode, "BIO_set_bind_mode")
BIO_get_bind_mode = _bio(BIO.get_bind_mode, "BIO_get_bind_mode")
BIO_do_accept = _bio(BIO.do_accept, "BIO_do_accept")

# ---- BIO_f_ssl(3) --------------------------------------------------------

BIO_set_ssl = _bio(BIO.set_ssl, "BIO_set_ssl")
BIO_get_ssl = _bio(BIO.get_ssl, "BIO_get_ssl")
BIO_set_ssl_mode = _bio(BIO.set_ssl_mode, "BIO_set_ssl_mode")
BIO_do_handshake = _bio(BIO.do_handshake, "BIO_do_handshake")
BIO_set_ssl_renegotiate_bytes = _bio(
    BIO.set_ssl_renegotiate_bytes, "BIO_set_ssl_renegotiate_bytes"
)
BIO_set_ssl_renegotiate_timeout = _bio(
    BIO.set_ssl_renegotiate_timeout, "BIO_set_ssl_renegotiate_timeout"
)
BIO_get_num_renegotiates = _bio(
    BIO.get_num_renegotiates, "BIO_get_num_renegotiates"
)
