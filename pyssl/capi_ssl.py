"""The man pages' functions by their C names: SSL_CTX, SSL, SSL_CIPHER.

Arguments stand in C order. A pair of buffer and length is a buffer and an
optional length, what is only an out-parameter is returned, NULL is None, and
the numbers returned are the page's. Each function is the method of the same
name; another type than the page's is a TypeError before anything happens.
"""

from __future__ import annotations

from typing import Any

from pyssl import err
from pyssl.capi import c_name_of
from pyssl.cipher import SSL_CIPHER
from pyssl.conn import SSL
from pyssl.const import (
    ERR_LIB_SSL,
    SSL_R_NULL_SSL_CTX,
    SSL_R_NULL_SSL_METHOD_PASSED,
)
from pyssl.ctx import SSL_CTX, SSL_METHOD

_ctx = c_name_of(SSL_CTX)
_ssl = c_name_of(SSL)
_cipher = c_name_of(SSL_CIPHER)

# ---- making and freeing -----------------------------------------------------


def SSL_CTX_new(method: SSL_METHOD | None) -> SSL_CTX | None:
    """Make a context; None with an entry for no method (CTX-1).

    Source: SSL_CTX_new(3).
    """
    if method is None:
        err.put(ERR_LIB_SSL, SSL_R_NULL_SSL_METHOD_PASSED)
        return None
    return SSL_CTX(method)


def SSL_CTX_free(ctx: SSL_CTX | None) -> None:
    """Give up a reference to a context; nothing for None.

    Source: SSL_CTX_free(3).
    """
    if ctx is not None:
        _checked(ctx, SSL_CTX).free()


def SSL_new(ctx: SSL_CTX | None) -> SSL | None:
    """Make a connection; None with an entry for no context (CTX-1).

    Source: SSL_new(3).
    """
    if ctx is None:
        err.put(ERR_LIB_SSL, SSL_R_NULL_SSL_CTX)
        return None
    return SSL(ctx)


def SSL_free(ssl: SSL | None) -> None:
    """Give up a reference to a connection; nothing for None.

    Source: SSL_free(3).
    """
    if ssl is not None:
        _checked(ssl, SSL).free()


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {kind.__name__} is needed, not {value!r}")
    return value


# ---- where the order of arguments is its own --------------------------------


def SSL_CTX_use_PrivateKey_ASN1(
    pk: int, ctx: SSL_CTX, d: Any, len: int | None = None
) -> int:
    """Take a key in DER. Source: SSL_CTX_use_certificate(3)."""
    made: SSL_CTX = _checked(ctx, SSL_CTX)
    return made.use_PrivateKey_ASN1(pk, d, len)


def SSL_use_PrivateKey_ASN1(
    pk: int, ssl: SSL, d: Any, len: int | None = None
) -> int:
    """Take a key in DER. Source: SSL_CTX_use_certificate(3)."""
    made: SSL = _checked(ssl, SSL)
    return made.use_PrivateKey_ASN1(pk, d, len)


# ---- ciphers, results, indices ----------------------------------------------


def SSL_CIPHER_get_name(cipher: SSL_CIPHER | None) -> str:
    """Give a suite's name; "(NONE)" for None.

    Source: SSL_CIPHER_get_name(3).
    """
    if cipher is None:
        return "(NONE)"
    found: SSL_CIPHER = _checked(cipher, SSL_CIPHER)
    return found.get_name()


SSL_get_ex_new_index = SSL.get_ex_new_index
SSL_CTX_get_ex_new_index = SSL_CTX.get_ex_new_index

SSL_CIPHER_get_bits = _cipher(SSL_CIPHER.get_bits, "SSL_CIPHER_get_bits")
SSL_CIPHER_get_version = _cipher(
    SSL_CIPHER.get_version, "SSL_CIPHER_get_version"
)
SSL_CIPHER_get_id = _cipher(SSL_CIPHER.get_id, "SSL_CIPHER_get_id")
SSL_CIPHER_get_protocol_id = _cipher(
    SSL_CIPHER.get_protocol_id, "SSL_CIPHER_get_protocol_id"
)
SSL_CIPHER_standard_name = _cipher(
    SSL_CIPHER.standard_name, "SSL_CIPHER_standard_name"
)
SSL_CIPHER_description = _cipher(
    SSL_CIPHER.description, "SSL_CIPHER_description"
)

# ---- SSL_CTX: life ---------------------------------------------------------

SSL_CTX_up_ref = _ctx(SSL_CTX.up_ref, "SSL_CTX_up_ref")

# ---- SSL_CTX: settings -----------------------------------------------------

SSL_CTX_set_options = _ctx(SSL_CTX.set_options, "SSL_CTX_set_options")
SSL_CTX_clear_options = _ctx(SSL_CTX.clear_options, "SSL_CTX_clear_options")
SSL_CTX_get_options = _ctx(SSL_CTX.get_options, "SSL_CTX_get_options")
SSL_CTX_set_mode = _ctx(SSL_CTX.set_mode, "SSL_CTX_set_mode")
SSL_CTX_clear_mode = _ctx(SSL_CTX.clear_mode, "SSL_CTX_clear_mode")
SSL_CTX_get_mode = _ctx(SSL_CTX.get_mode, "SSL_CTX_get_mode")
SSL_CTX_set_min_proto_version = _ctx(
    SSL_CTX.set_min_proto_version, "SSL_CTX_set_min_proto_version"
)
SSL_CTX_get_min_proto_version = _ctx(
    SSL_CTX.get_min_proto_version, "SSL_CTX_get_min_proto_version"
)
SSL_CTX_set_max_proto_version = _ctx(
    SSL_CTX.set_max_proto_version, "SSL_CTX_set_max_proto_version"
)
SSL_CTX_get_max_proto_version = _ctx(
    SSL_CTX.get_max_proto_version, "SSL_CTX_get_max_proto_version"
)
SSL_CTX_set_read_ahead = _ctx(SSL_CTX.set_read_ahead, "SSL_CTX_set_read_ahead")
SSL_CTX_get_read_ahead = _ctx(SSL_CTX.get_read_ahead, "SSL_CTX_get_read_ahead")
SSL_CTX_set_quiet_shutdown = _ctx(
    SSL_CTX.set_quiet_shutdown, "SSL_CTX_set_quiet_shutdown"
)
SSL_CTX_get_quiet_shutdown = _ctx(
    SSL_CTX.get_quiet_shutdown, "SSL_CTX_get_quiet_shutdown"
)
SSL_CTX_set_security_level = _ctx(
    SSL_CTX.set_security_level, "SSL_CTX_set_security_level"
)
SSL_CTX_get_security_level = _ctx(
    SSL_CTX.get_security_level, "SSL_CTX_get_security_level"
)

SSL_CTX_set_max_send_fragment = _ctx(
    SSL_CTX.set_max_send_fragment, "SSL_CTX_set_max_send_fragment"
)
SSL_CTX_set_split_send_fragment = _ctx(
    SSL_CTX.set_split_send_fragment, "SSL_CTX_set_split_send_fragment"
)
SSL_CTX_set_block_padding = _ctx(
    SSL_CTX.set_block_padding, "SSL_CTX_set_block_padding"
)
SSL_CTX_set_block_padding_ex = _ctx(
    SSL_CTX.set_block_padding_ex, "SSL_CTX_set_block_padding_ex"
)
SSL_CTX_set_record_padding_callback = _ctx(
    SSL_CTX.set_record_padding_callback, "SSL_CTX_set_record_padding_callback"
)
SSL_CTX_set_record_padding_callback_arg = _ctx(
    SSL_CTX.set_record_padding_callback_arg,
    "SSL_CTX_set_record_padding_callback_arg",
)
SSL_CTX_get_record_padding_callback_arg = _ctx(
    SSL_CTX.get_record_padding_callback_arg,
    "SSL_CTX_get_record_padding_callback_arg",
)

# ---- SSL_CTX: verification -------------------------------------------------

SSL_CTX_set_verify = _ctx(SSL_CTX.set_verify, "SSL_CTX_set_verify")
SSL_CTX_get_verify_mode = _ctx(
    SSL_CTX.get_verify_mode, "SSL_CTX_get_verify_mode"
)
SSL_CTX_get_verify_callback = _ctx(
    SSL_CTX.get_verify_callback, "SSL_CTX_get_verify_callback"
)
SSL_CTX_set_verify_depth = _ctx(
    SSL_CTX.set_verify_depth, "SSL_CTX_set_verify_depth"
)
SSL_CTX_get_verify_depth = _ctx(
    SSL_CTX.get_verify_depth, "SSL_CTX_get_verify_depth"
)
SSL_CTX_load_verify_locations = _ctx(
    SSL_CTX.load_verify_locations, "SSL_CTX_load_verify_locations"
)
SSL_CTX_load_verify_mem = _ctx(
    SSL_CTX.load_verify_mem, "SSL_CTX_load_verify_mem"
)
SSL_CTX_set_default_verify_paths = _ctx(
    SSL_CTX.set_default_verify_paths, "SSL_CTX_set_default_verify_paths"
)
SSL_CTX_set_cert_store = _ctx(SSL_CTX.set_cert_store, "SSL_CTX_set_cert_store")
SSL_CTX_get_cert_store = _ctx(SSL_CTX.get_cert_store, "SSL_CTX_get_cert_store")

# ---- SSL_CTX: algorithms ---------------------------------------------------

SSL_CTX_set_ciphersuites = _ctx(
    SSL_CTX.set_ciphersuites, "SSL_CTX_set_ciphersuites"
)
SSL_CTX_set_cipher_list = _ctx(
    SSL_CTX.set_cipher_list, "SSL_CTX_set_cipher_list"
)
SSL_CTX_get_ciphers = _ctx(SSL_CTX.get_ciphers, "SSL_CTX_get_ciphers")
SSL_CTX_set1_groups = _ctx(SSL_CTX.set1_groups, "SSL_CTX_set1_groups")
SSL_CTX_set1_groups_list = _ctx(
    SSL_CTX.set1_groups_list, "SSL_CTX_set1_groups_list"
)
SSL_CTX_set1_curves = _ctx(SSL_CTX.set1_groups, "SSL_CTX_set1_curves")
SSL_CTX_set1_curves_list = _ctx(
    SSL_CTX.set1_groups_list, "SSL_CTX_set1_curves_list"
)
SSL_CTX_set1_sigalgs_list = _ctx(
    SSL_CTX.set1_sigalgs_list, "SSL_CTX_set1_sigalgs_list"
)

# ---- SSL_CTX: certificates and keys ----------------------------------------

SSL_CTX_use_certificate = _ctx(
    SSL_CTX.use_certificate, "SSL_CTX_use_certificate"
)
SSL_CTX_use_certificate_ASN1 = _ctx(
    SSL_CTX.use_certificate_ASN1, "SSL_CTX_use_certificate_ASN1"
)
SSL_CTX_use_certificate_file = _ctx(
    SSL_CTX.use_certificate_file, "SSL_CTX_use_certificate_file"
)
SSL_CTX_use_certificate_mem = _ctx(
    SSL_CTX.use_certificate_mem, "SSL_CTX_use_certificate_mem"
)
SSL_CTX_use_certificate_chain_file = _ctx(
    SSL_CTX.use_certificate_chain_file, "SSL_CTX_use_certificate_chain_file"
)
SSL_CTX_use_certificate_chain_mem = _ctx(
    SSL_CTX.use_certificate_chain_mem, "SSL_CTX_use_certificate_chain_mem"
)
SSL_CTX_use_PrivateKey = _ctx(SSL_CTX.use_PrivateKey, "SSL_CTX_use_PrivateKey")
SSL_CTX_use_PrivateKey_file = _ctx(
    SSL_CTX.use_PrivateKey_file, "SSL_CTX_use_PrivateKey_file"
)
SSL_CTX_use_PrivateKey_mem = _ctx(
    SSL_CTX.use_PrivateKey_mem, "SSL_CTX_use_PrivateKey_mem"
)
SSL_CTX_check_private_key = _ctx(
    SSL_CTX.check_private_key, "SSL_CTX_check_private_key"
)
SSL_CTX_add1_chain_cert = _ctx(
    SSL_CTX.add1_chain_cert, "SSL_CTX_add1_chain_cert"
)
SSL_CTX_clear_chain_certs = _ctx(
    SSL_CTX.clear_chain_certs, "SSL_CTX_clear_chain_certs"
)
SSL_CTX_get0_certificate = _ctx(
    SSL_CTX.get_certificate, "SSL_CTX_get0_certificate"
)
SSL_CTX_add_extra_chain_cert = _ctx(
    SSL_CTX.add_extra_chain_cert, "SSL_CTX_add_extra_chain_cert"
)
SSL_CTX_set_default_passwd_cb = _ctx(
    SSL_CTX.set_default_passwd_cb, "SSL_CTX_set_default_passwd_cb"
)
SSL_CTX_get_default_passwd_cb = _ctx(
    SSL_CTX.get_default_passwd_cb, "SSL_CTX_get_default_passwd_cb"
)
SSL_CTX_set_default_passwd_cb_userdata = _ctx(
    SSL_CTX.set_default_passwd_cb_userdata,
    "SSL_CTX_set_default_passwd_cb_userdata",
)
SSL_CTX_get_default_passwd_cb_userdata = _ctx(
    SSL_CTX.get_default_passwd_cb_userdata,
    "SSL_CTX_get_default_passwd_cb_userdata",
)
SSL_CTX_set_cert_cb = _ctx(SSL_CTX.set_cert_cb, "SSL_CTX_set_cert_cb")
SSL_CTX_set_client_cert_cb = _ctx(
    SSL_CTX.set_client_cert_cb, "SSL_CTX_set_client_cert_cb"
)
SSL_CTX_get_client_cert_cb = _ctx(
    SSL_CTX.get_client_cert_cb, "SSL_CTX_get_client_cert_cb"
)

# ---- SSL_CTX: names of CAs -------------------------------------------------

SSL_CTX_set_client_CA_list = _ctx(
    SSL_CTX.set_client_CA_list, "SSL_CTX_set_client_CA_list"
)
SSL_CTX_get_client_CA_list = _ctx(
    SSL_CTX.get_client_CA_list, "SSL_CTX_get_client_CA_list"
)
SSL_CTX_add_client_CA = _ctx(SSL_CTX.add_client_CA, "SSL_CTX_add_client_CA")

# ---- SSL_CTX: ALPN ---------------------------------------------------------

SSL_CTX_set_alpn_protos = _ctx(
    SSL_CTX.set_alpn_protos, "SSL_CTX_set_alpn_protos"
)
SSL_CTX_set_alpn_select_cb = _ctx(
    SSL_CTX.set_alpn_select_cb, "SSL_CTX_set_alpn_select_cb"
)

# ---- SSL_CTX: what the client says first -----------------------------------

SSL_CTX_set_tlsext_servername_callback = _ctx(
    SSL_CTX.set_tlsext_servername_callback,
    "SSL_CTX_set_tlsext_servername_callback",
)
SSL_CTX_set_tlsext_servername_arg = _ctx(
    SSL_CTX.set_tlsext_servername_arg, "SSL_CTX_set_tlsext_servername_arg"
)
SSL_CTX_set_client_hello_cb = _ctx(
    SSL_CTX.set_client_hello_cb, "SSL_CTX_set_client_hello_cb"
)

# ---- SSL_CTX: key log ------------------------------------------------------

SSL_CTX_set_keylog_callback = _ctx(
    SSL_CTX.set_keylog_callback, "SSL_CTX_set_keylog_callback"
)
SSL_CTX_get_keylog_callback = _ctx(
    SSL_CTX.get_keylog_callback, "SSL_CTX_get_keylog_callback"
)

# ---- SSL_CTX: states and messages -------------------------------------------

SSL_CTX_set_info_callback = _ctx(
    SSL_CTX.set_info_callback, "SSL_CTX_set_info_callback"
)
SSL_CTX_get_info_callback = _ctx(
    SSL_CTX.get_info_callback, "SSL_CTX_get_info_callback"
)
SSL_CTX_set_msg_callback = _ctx(
    SSL_CTX.set_msg_callback, "SSL_CTX_set_msg_callback"
)
SSL_CTX_set_msg_callback_arg = _ctx(
    SSL_CTX.set_msg_callback_arg, "SSL_CTX_set_msg_callback_arg"
)

# ---- SSL_CTX: application data ---------------------------------------------

SSL_CTX_set_ex_data = _ctx(SSL_CTX.set_ex_data, "SSL_CTX_set_ex_data")
SSL_CTX_get_ex_data = _ctx(SSL_CTX.get_ex_data, "SSL_CTX_get_ex_data")

# ---- SSL: life -------------------------------------------------------------

SSL_up_ref = _ssl(SSL.up_ref, "SSL_up_ref")
SSL_get_SSL_CTX = _ssl(SSL.get_SSL_CTX, "SSL_get_SSL_CTX")

# ---- SSL: I/O --------------------------------------------------------------

SSL_do_handshake = _ssl(SSL.do_handshake, "SSL_do_handshake")
SSL_connect = _ssl(SSL.connect, "SSL_connect")
SSL_accept = _ssl(SSL.accept, "SSL_accept")
SSL_set_connect_state = _ssl(SSL.set_connect_state, "SSL_set_connect_state")
SSL_set_accept_state = _ssl(SSL.set_accept_state, "SSL_set_accept_state")
SSL_read = _ssl(SSL.read, "SSL_read")
SSL_read_ex = _ssl(SSL.read_ex, "SSL_read_ex")
SSL_peek = _ssl(SSL.peek, "SSL_peek")
SSL_peek_ex = _ssl(SSL.peek_ex, "SSL_peek_ex")
SSL_write = _ssl(SSL.write, "SSL_write")
SSL_write_ex = _ssl(SSL.write_ex, "SSL_write_ex")
SSL_shutdown = _ssl(SSL.shutdown, "SSL_shutdown")
SSL_clear = _ssl(SSL.clear, "SSL_clear")
SSL_key_update = _ssl(SSL.key_update, "SSL_key_update")
SSL_renegotiate = _ssl(SSL.renegotiate, "SSL_renegotiate")
SSL_renegotiate_pending = _ssl(
    SSL.renegotiate_pending, "SSL_renegotiate_pending"
)
SSL_get_error = _ssl(SSL.get_error, "SSL_get_error")

# ---- SSL: BIOs -------------------------------------------------------------

SSL_set_bio = _ssl(SSL.set_bio, "SSL_set_bio")
SSL_set0_rbio = _ssl(SSL.set0_rbio, "SSL_set0_rbio")
SSL_set0_wbio = _ssl(SSL.set0_wbio, "SSL_set0_wbio")
SSL_get_rbio = _ssl(SSL.get_rbio, "SSL_get_rbio")
SSL_get_wbio = _ssl(SSL.get_wbio, "SSL_get_wbio")
SSL_set_fd = _ssl(SSL.set_fd, "SSL_set_fd")
SSL_set_rfd = _ssl(SSL.set_rfd, "SSL_set_rfd")
SSL_set_wfd = _ssl(SSL.set_wfd, "SSL_set_wfd")
SSL_get_fd = _ssl(SSL.get_fd, "SSL_get_fd")
SSL_get_rfd = _ssl(SSL.get_rfd, "SSL_get_rfd")
SSL_get_wfd = _ssl(SSL.get_wfd, "SSL_get_wfd")

# ---- SSL: state ------------------------------------------------------------

SSL_is_server = _ssl(SSL.is_server, "SSL_is_server")
SSL_in_init = _ssl(SSL.in_init, "SSL_in_init")
SSL_in_before = _ssl(SSL.in_before, "SSL_in_before")
SSL_is_init_finished = _ssl(SSL.is_init_finished, "SSL_is_init_finished")
SSL_in_connect_init = _ssl(SSL.in_connect_init, "SSL_in_connect_init")
SSL_in_accept_init = _ssl(SSL.in_accept_init, "SSL_in_accept_init")
SSL_get_state = _ssl(SSL.get_state, "SSL_get_state")
SSL_state = _ssl(SSL.get_state, "SSL_state")
SSL_state_string = _ssl(SSL.state_string, "SSL_state_string")
SSL_state_string_long = _ssl(SSL.state_string_long, "SSL_state_string_long")
SSL_want = _ssl(SSL.want, "SSL_want")
SSL_want_nothing = _ssl(SSL.want_nothing, "SSL_want_nothing")
SSL_want_read = _ssl(SSL.want_read, "SSL_want_read")
SSL_want_write = _ssl(SSL.want_write, "SSL_want_write")
SSL_want_x509_lookup = _ssl(SSL.want_x509_lookup, "SSL_want_x509_lookup")
SSL_want_client_hello_cb = _ssl(
    SSL.want_client_hello_cb, "SSL_want_client_hello_cb"
)
SSL_want_retry_verify = _ssl(SSL.want_retry_verify, "SSL_want_retry_verify")
SSL_pending = _ssl(SSL.pending, "SSL_pending")
SSL_has_pending = _ssl(SSL.has_pending, "SSL_has_pending")
SSL_get_shutdown = _ssl(SSL.get_shutdown, "SSL_get_shutdown")
SSL_set_shutdown = _ssl(SSL.set_shutdown, "SSL_set_shutdown")

SSL_set_info_callback = _ssl(SSL.set_info_callback, "SSL_set_info_callback")
SSL_get_info_callback = _ssl(SSL.get_info_callback, "SSL_get_info_callback")
SSL_set_msg_callback = _ssl(SSL.set_msg_callback, "SSL_set_msg_callback")
SSL_set_msg_callback_arg = _ssl(
    SSL.set_msg_callback_arg, "SSL_set_msg_callback_arg"
)

# ---- SSL: settings ---------------------------------------------------------

SSL_set_options = _ssl(SSL.set_options, "SSL_set_options")
SSL_clear_options = _ssl(SSL.clear_options, "SSL_clear_options")
SSL_get_options = _ssl(SSL.get_options, "SSL_get_options")
SSL_set_mode = _ssl(SSL.set_mode, "SSL_set_mode")
SSL_clear_mode = _ssl(SSL.clear_mode, "SSL_clear_mode")
SSL_get_mode = _ssl(SSL.get_mode, "SSL_get_mode")
SSL_set_min_proto_version = _ssl(
    SSL.set_min_proto_version, "SSL_set_min_proto_version"
)
SSL_get_min_proto_version = _ssl(
    SSL.get_min_proto_version, "SSL_get_min_proto_version"
)
SSL_set_max_proto_version = _ssl(
    SSL.set_max_proto_version, "SSL_set_max_proto_version"
)
SSL_get_max_proto_version = _ssl(
    SSL.get_max_proto_version, "SSL_get_max_proto_version"
)
SSL_set_read_ahead = _ssl(SSL.set_read_ahead, "SSL_set_read_ahead")
SSL_get_read_ahead = _ssl(SSL.get_read_ahead, "SSL_get_read_ahead")
SSL_set_quiet_shutdown = _ssl(SSL.set_quiet_shutdown, "SSL_set_quiet_shutdown")
SSL_get_quiet_shutdown = _ssl(SSL.get_quiet_shutdown, "SSL_get_quiet_shutdown")
SSL_set_security_level = _ssl(SSL.set_security_level, "SSL_set_security_level")
SSL_get_security_level = _ssl(SSL.get_security_level, "SSL_get_security_level")

SSL_set_max_send_fragment = _ssl(
    SSL.set_max_send_fragment, "SSL_set_max_send_fragment"
)
SSL_set_split_send_fragment = _ssl(
    SSL.set_split_send_fragment, "SSL_set_split_send_fragment"
)
SSL_set_block_padding = _ssl(SSL.set_block_padding, "SSL_set_block_padding")
SSL_set_block_padding_ex = _ssl(
    SSL.set_block_padding_ex, "SSL_set_block_padding_ex"
)
SSL_set_record_padding_callback = _ssl(
    SSL.set_record_padding_callback, "SSL_set_record_padding_callback"
)
SSL_set_record_padding_callback_arg = _ssl(
    SSL.set_record_padding_callback_arg, "SSL_set_record_padding_callback_arg"
)
SSL_get_record_padding_callback_arg = _ssl(
    SSL.get_record_padding_callback_arg, "SSL_get_record_padding_callback_arg"
)

# ---- SSL: verification -----------------------------------------------------

SSL_set_verify = _ssl(SSL.set_verify, "SSL_set_verify")
SSL_get_verify_mode = _ssl(SSL.get_verify_mode, "SSL_get_verify_mode")
SSL_get_verify_callback = _ssl(
    SSL.get_verify_callback, "SSL_get_verify_callback"
)
SSL_set_verify_depth = _ssl(SSL.set_verify_depth, "SSL_set_verify_depth")
SSL_get_verify_depth = _ssl(SSL.get_verify_depth, "SSL_get_verify_depth")
SSL_get_verify_result = _ssl(SSL.get_verify_result, "SSL_get_verify_result")
SSL_set_verify_result = _ssl(SSL.set_verify_result, "SSL_set_verify_result")
SSL_set1_host = _ssl(SSL.set1_host, "SSL_set1_host")
SSL_add1_host = _ssl(SSL.add1_host, "SSL_add1_host")
SSL_set_hostflags = _ssl(SSL.set_hostflags, "SSL_set_hostflags")
SSL_get0_peername = _ssl(SSL.get0_peername, "SSL_get0_peername")
SSL_get_peer_certificate = _ssl(
    SSL.get_peer_certificate, "SSL_get_peer_certificate"
)
SSL_get_peer_cert_chain = _ssl(
    SSL.get_peer_cert_chain, "SSL_get_peer_cert_chain"
)
SSL_get1_peer_certificate = _ssl(
    SSL.get_peer_certificate, "SSL_get1_peer_certificate"
)

# ---- SSL: algorithms -------------------------------------------------------

SSL_set_ciphersuites = _ssl(SSL.set_ciphersuites, "SSL_set_ciphersuites")
SSL_set_cipher_list = _ssl(SSL.set_cipher_list, "SSL_set_cipher_list")
SSL_get_ciphers = _ssl(SSL.get_ciphers, "SSL_get_ciphers")
SSL_set1_groups = _ssl(SSL.set1_groups, "SSL_set1_groups")
SSL_set1_groups_list = _ssl(SSL.set1_groups_list, "SSL_set1_groups_list")
SSL_set1_curves = _ssl(SSL.set1_groups, "SSL_set1_curves")
SSL_set1_curves_list = _ssl(SSL.set1_groups_list, "SSL_set1_curves_list")
SSL_set1_sigalgs_list = _ssl(SSL.set1_sigalgs_list, "SSL_set1_sigalgs_list")
SSL_get_cipher_list = _ssl(SSL.get_cipher_list, "SSL_get_cipher_list")
SSL_version = _ssl(SSL.version, "SSL_version")
SSL_get_version = _ssl(SSL.get_version, "SSL_get_version")
SSL_get_current_cipher = _ssl(SSL.get_current_cipher, "SSL_get_current_cipher")
SSL_get_cipher_name = _ssl(SSL.get_cipher_name, "SSL_get_cipher_name")
SSL_get_cipher_bits = _ssl(SSL.get_cipher_bits, "SSL_get_cipher_bits")
SSL_get_cipher_version = _ssl(SSL.get_cipher_version, "SSL_get_cipher_version")
SSL_get_negotiated_group = _ssl(
    SSL.get_negotiated_group, "SSL_get_negotiated_group"
)
SSL_get0_group_name = _ssl(SSL.get0_group_name, "SSL_get0_group_name")
SSL_get0_signature_name = _ssl(
    SSL.get0_signature_name, "SSL_get0_signature_name"
)
SSL_get0_peer_signature_name = _ssl(
    SSL.get0_peer_signature_name, "SSL_get0_peer_signature_name"
)
SSL_get_cipher = _ssl(SSL.get_cipher_name, "SSL_get_cipher")

# ---- SSL: certificates and keys --------------------------------------------

SSL_use_certificate = _ssl(SSL.use_certificate, "SSL_use_certificate")
SSL_use_certificate_ASN1 = _ssl(
    SSL.use_certificate_ASN1, "SSL_use_certificate_ASN1"
)
SSL_use_certificate_file = _ssl(
    SSL.use_certificate_file, "SSL_use_certificate_file"
)
SSL_use_certificate_mem = _ssl(
    SSL.use_certificate_mem, "SSL_use_certificate_mem"
)
SSL_use_certificate_chain_file = _ssl(
    SSL.use_certificate_chain_file, "SSL_use_certificate_chain_file"
)
SSL_use_certificate_chain_mem = _ssl(
    SSL.use_certificate_chain_mem, "SSL_use_certificate_chain_mem"
)
SSL_use_PrivateKey = _ssl(SSL.use_PrivateKey, "SSL_use_PrivateKey")
SSL_use_PrivateKey_file = _ssl(
    SSL.use_PrivateKey_file, "SSL_use_PrivateKey_file"
)
SSL_use_PrivateKey_mem = _ssl(SSL.use_PrivateKey_mem, "SSL_use_PrivateKey_mem")
SSL_check_private_key = _ssl(SSL.check_private_key, "SSL_check_private_key")
SSL_add1_chain_cert = _ssl(SSL.add1_chain_cert, "SSL_add1_chain_cert")
SSL_clear_chain_certs = _ssl(SSL.clear_chain_certs, "SSL_clear_chain_certs")
SSL_get_certificate = _ssl(SSL.get_certificate, "SSL_get_certificate")
SSL_set_cert_cb = _ssl(SSL.set_cert_cb, "SSL_set_cert_cb")

# ---- SSL: names of CAs -----------------------------------------------------

SSL_set_client_CA_list = _ssl(SSL.set_client_CA_list, "SSL_set_client_CA_list")
SSL_get_client_CA_list = _ssl(SSL.get_client_CA_list, "SSL_get_client_CA_list")
SSL_add_client_CA = _ssl(SSL.add_client_CA, "SSL_add_client_CA")

# ---- SSL: names, protocols, exporter ---------------------------------------

SSL_set_alpn_protos = _ssl(SSL.set_alpn_protos, "SSL_set_alpn_protos")
SSL_get0_alpn_selected = _ssl(SSL.get0_alpn_selected, "SSL_get0_alpn_selected")
SSL_set_tlsext_host_name = _ssl(
    SSL.set_tlsext_host_name, "SSL_set_tlsext_host_name"
)
SSL_get_servername = _ssl(SSL.get_servername, "SSL_get_servername")
SSL_get_servername_type = _ssl(
    SSL.get_servername_type, "SSL_get_servername_type"
)
SSL_export_keying_material = _ssl(
    SSL.export_keying_material, "SSL_export_keying_material"
)

SSL_get_finished = _ssl(SSL.get_finished, "SSL_get_finished")
SSL_get_peer_finished = _ssl(SSL.get_peer_finished, "SSL_get_peer_finished")

# ---- SSL: application data -------------------------------------------------

SSL_set_ex_data = _ssl(SSL.set_ex_data, "SSL_set_ex_data")
SSL_get_ex_data = _ssl(SSL.get_ex_data, "SSL_get_ex_data")
