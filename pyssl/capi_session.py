"""The man pages' functions by their C names: sessions.

See `capi_ssl` for how they are made.
"""

from __future__ import annotations

from typing import Any

from pyssl.capi import c_name_of
from pyssl.conn import SSL
from pyssl.ctx import SSL_CTX
from pyssl.session import SSL_SESSION

_ctx = c_name_of(SSL_CTX)
_ssl = c_name_of(SSL)
_session = c_name_of(SSL_SESSION)


def SSL_SESSION_new() -> SSL_SESSION:
    """Make an empty session. Source: SSL_SESSION_new(3)."""
    return SSL_SESSION()


def SSL_SESSION_free(session: SSL_SESSION | None) -> None:
    """Give up a reference to a session; nothing for None.

    Source: SSL_SESSION_free(3).
    """
    if session is not None:
        _checked(session).free()


def i2d_SSL_SESSION(session: SSL_SESSION | None) -> bytes | int:
    """Give the DER form of a session; 0 for None (SESS-10).

    Source: i2d_SSL_SESSION(3).
    """
    return 0 if session is None else _checked(session).i2d()


def d2i_SSL_SESSION(data: Any) -> SSL_SESSION | None:
    """Read a session from its DER form; None with entries (SESS-10).

    Source: d2i_SSL_SESSION(3).
    """
    return SSL_SESSION.d2i(data)


def _checked(session: Any) -> SSL_SESSION:
    if not isinstance(session, SSL_SESSION):
        raise TypeError(f"an SSL_SESSION is needed, not {session!r}")
    return session


SSL_SESSION_get_ex_new_index = SSL_SESSION.get_ex_new_index

SSL_SESSION_up_ref = _session(SSL_SESSION.up_ref, "SSL_SESSION_up_ref")
SSL_SESSION_dup = _session(SSL_SESSION.dup, "SSL_SESSION_dup")
SSL_SESSION_get_time = _session(SSL_SESSION.get_time, "SSL_SESSION_get_time")
SSL_SESSION_set_time = _session(SSL_SESSION.set_time, "SSL_SESSION_set_time")
SSL_SESSION_get_timeout = _session(
    SSL_SESSION.get_timeout, "SSL_SESSION_get_timeout"
)
SSL_SESSION_set_timeout = _session(
    SSL_SESSION.set_timeout, "SSL_SESSION_set_timeout"
)
SSL_SESSION_is_resumable = _session(
    SSL_SESSION.is_resumable, "SSL_SESSION_is_resumable"
)
SSL_SESSION_get_id = _session(SSL_SESSION.get_id, "SSL_SESSION_get_id")
SSL_SESSION_get0_id_context = _session(
    SSL_SESSION.get0_id_context, "SSL_SESSION_get0_id_context"
)
SSL_SESSION_get_protocol_version = _session(
    SSL_SESSION.get_protocol_version, "SSL_SESSION_get_protocol_version"
)
SSL_SESSION_get0_cipher = _session(
    SSL_SESSION.get0_cipher, "SSL_SESSION_get0_cipher"
)
SSL_SESSION_get_master_key = _session(
    SSL_SESSION.get_master_key, "SSL_SESSION_get_master_key"
)
SSL_SESSION_has_ticket = _session(
    SSL_SESSION.has_ticket, "SSL_SESSION_has_ticket"
)
SSL_SESSION_get0_ticket = _session(
    SSL_SESSION.get0_ticket, "SSL_SESSION_get0_ticket"
)
SSL_SESSION_get_ticket_lifetime_hint = _session(
    SSL_SESSION.get_ticket_lifetime_hint,
    "SSL_SESSION_get_ticket_lifetime_hint",
)
SSL_SESSION_get_max_early_data = _session(
    SSL_SESSION.get_max_early_data, "SSL_SESSION_get_max_early_data"
)
SSL_SESSION_get0_peer = _session(
    SSL_SESSION.get0_peer, "SSL_SESSION_get0_peer"
)
SSL_SESSION_get0_hostname = _session(
    SSL_SESSION.get0_hostname, "SSL_SESSION_get0_hostname"
)
SSL_SESSION_get0_alpn_selected = _session(
    SSL_SESSION.get0_alpn_selected, "SSL_SESSION_get0_alpn_selected"
)
SSL_SESSION_set_protocol_version = _session(
    SSL_SESSION.set_protocol_version, "SSL_SESSION_set_protocol_version"
)
SSL_SESSION_set_cipher = _session(
    SSL_SESSION.set_cipher, "SSL_SESSION_set_cipher"
)
SSL_SESSION_set1_master_key = _session(
    SSL_SESSION.set1_master_key, "SSL_SESSION_set1_master_key"
)
SSL_SESSION_set1_id = _session(SSL_SESSION.set1_id, "SSL_SESSION_set1_id")
SSL_SESSION_set1_id_context = _session(
    SSL_SESSION.set1_id_context, "SSL_SESSION_set1_id_context"
)
SSL_SESSION_set_ex_data = _session(
    SSL_SESSION.set_ex_data, "SSL_SESSION_set_ex_data"
)
SSL_SESSION_get_ex_data = _session(
    SSL_SESSION.get_ex_data, "SSL_SESSION_get_ex_data"
)

# ---- SSL_CTX: sessions -----------------------------------------------------

SSL_CTX_set_session_cache_mode = _ctx(
    SSL_CTX.set_session_cache_mode, "SSL_CTX_set_session_cache_mode"
)
SSL_CTX_get_session_cache_mode = _ctx(
    SSL_CTX.get_session_cache_mode, "SSL_CTX_get_session_cache_mode"
)
SSL_CTX_sess_set_cache_size = _ctx(
    SSL_CTX.sess_set_cache_size, "SSL_CTX_sess_set_cache_size"
)
SSL_CTX_sess_get_cache_size = _ctx(
    SSL_CTX.sess_get_cache_size, "SSL_CTX_sess_get_cache_size"
)
SSL_CTX_set_timeout = _ctx(SSL_CTX.set_timeout, "SSL_CTX_set_timeout")
SSL_CTX_get_timeout = _ctx(SSL_CTX.get_timeout, "SSL_CTX_get_timeout")
SSL_CTX_set_session_id_context = _ctx(
    SSL_CTX.set_session_id_context, "SSL_CTX_set_session_id_context"
)
SSL_CTX_set_num_tickets = _ctx(
    SSL_CTX.set_num_tickets, "SSL_CTX_set_num_tickets"
)
SSL_CTX_get_num_tickets = _ctx(
    SSL_CTX.get_num_tickets, "SSL_CTX_get_num_tickets"
)
SSL_CTX_sess_set_new_cb = _ctx(
    SSL_CTX.sess_set_new_cb, "SSL_CTX_sess_set_new_cb"
)
SSL_CTX_sess_get_new_cb = _ctx(
    SSL_CTX.sess_get_new_cb, "SSL_CTX_sess_get_new_cb"
)
SSL_CTX_sess_set_remove_cb = _ctx(
    SSL_CTX.sess_set_remove_cb, "SSL_CTX_sess_set_remove_cb"
)
SSL_CTX_sess_get_remove_cb = _ctx(
    SSL_CTX.sess_get_remove_cb, "SSL_CTX_sess_get_remove_cb"
)
SSL_CTX_sess_set_get_cb = _ctx(
    SSL_CTX.sess_set_get_cb, "SSL_CTX_sess_set_get_cb"
)
SSL_CTX_sess_get_get_cb = _ctx(
    SSL_CTX.sess_get_get_cb, "SSL_CTX_sess_get_get_cb"
)
SSL_CTX_add_session = _ctx(SSL_CTX.add_session, "SSL_CTX_add_session")
SSL_CTX_remove_session = _ctx(SSL_CTX.remove_session, "SSL_CTX_remove_session")
SSL_CTX_flush_sessions = _ctx(SSL_CTX.flush_sessions, "SSL_CTX_flush_sessions")
SSL_CTX_set_tlsext_ticket_keys = _ctx(
    SSL_CTX.set_tlsext_ticket_keys, "SSL_CTX_set_tlsext_ticket_keys"
)
SSL_CTX_get_tlsext_ticket_keys = _ctx(
    SSL_CTX.get_tlsext_ticket_keys, "SSL_CTX_get_tlsext_ticket_keys"
)
SSL_CTX_sess_number = _ctx(SSL_CTX.sess_number, "SSL_CTX_sess_number")
SSL_CTX_sess_connect = _ctx(SSL_CTX.sess_connect, "SSL_CTX_sess_connect")
SSL_CTX_sess_connect_good = _ctx(
    SSL_CTX.sess_connect_good, "SSL_CTX_sess_connect_good"
)
SSL_CTX_sess_connect_renegotiate = _ctx(
    SSL_CTX.sess_connect_renegotiate, "SSL_CTX_sess_connect_renegotiate"
)
SSL_CTX_sess_accept = _ctx(SSL_CTX.sess_accept, "SSL_CTX_sess_accept")
SSL_CTX_sess_accept_good = _ctx(
    SSL_CTX.sess_accept_good, "SSL_CTX_sess_accept_good"
)
SSL_CTX_sess_accept_renegotiate = _ctx(
    SSL_CTX.sess_accept_renegotiate, "SSL_CTX_sess_accept_renegotiate"
)
SSL_CTX_sess_hits = _ctx(SSL_CTX.sess_hits, "SSL_CTX_sess_hits")
SSL_CTX_sess_cb_hits = _ctx(SSL_CTX.sess_cb_hits, "SSL_CTX_sess_cb_hits")
SSL_CTX_sess_misses = _ctx(SSL_CTX.sess_misses, "SSL_CTX_sess_misses")
SSL_CTX_sess_timeouts = _ctx(SSL_CTX.sess_timeouts, "SSL_CTX_sess_timeouts")
SSL_CTX_sess_cache_full = _ctx(
    SSL_CTX.sess_cache_full, "SSL_CTX_sess_cache_full"
)

# ---- SSL: sessions ---------------------------------------------------------

SSL_set_session = _ssl(SSL.set_session, "SSL_set_session")
SSL_get_session = _ssl(SSL.get_session, "SSL_get_session")
SSL_get0_session = _ssl(SSL.get_session, "SSL_get0_session")
SSL_get1_session = _ssl(SSL.get1_session, "SSL_get1_session")
SSL_session_reused = _ssl(SSL.session_reused, "SSL_session_reused")
SSL_set_session_id_context = _ssl(
    SSL.set_session_id_context, "SSL_set_session_id_context"
)
SSL_set_num_tickets = _ssl(SSL.set_num_tickets, "SSL_set_num_tickets")
SSL_get_num_tickets = _ssl(SSL.get_num_tickets, "SSL_get_num_tickets")
SSL_get_extms_support = _ssl(SSL.get_extms_support, "SSL_get_extms_support")

# ---- external PSKs ----------------------------------------------------------

SSL_CTX_set_psk_client_callback = _ctx(
    SSL_CTX.set_psk_client_callback, "SSL_CTX_set_psk_client_callback"
)
SSL_set_psk_client_callback = _ssl(
    SSL.set_psk_client_callback, "SSL_set_psk_client_callback"
)
SSL_CTX_set_psk_server_callback = _ctx(
    SSL_CTX.set_psk_server_callback, "SSL_CTX_set_psk_server_callback"
)
SSL_set_psk_server_callback = _ssl(
    SSL.set_psk_server_callback, "SSL_set_psk_server_callback"
)
SSL_CTX_set_psk_use_session_callback = _ctx(
    SSL_CTX.set_psk_use_session_callback,
    "SSL_CTX_set_psk_use_session_callback",
)
SSL_set_psk_use_session_callback = _ssl(
    SSL.set_psk_use_session_callback, "SSL_set_psk_use_session_callback"
)
SSL_CTX_set_psk_find_session_callback = _ctx(
    SSL_CTX.set_psk_find_session_callback,
    "SSL_CTX_set_psk_find_session_callback",
)
SSL_set_psk_find_session_callback = _ssl(
    SSL.set_psk_find_session_callback, "SSL_set_psk_find_session_callback"
)
SSL_CTX_use_psk_identity_hint = _ctx(
    SSL_CTX.use_psk_identity_hint, "SSL_CTX_use_psk_identity_hint"
)
SSL_use_psk_identity_hint = _ssl(
    SSL.use_psk_identity_hint, "SSL_use_psk_identity_hint"
)
SSL_get_psk_identity = _ssl(SSL.get_psk_identity, "SSL_get_psk_identity")
SSL_get_psk_identity_hint = _ssl(
    SSL.get_psk_identity_hint, "SSL_get_psk_identity_hint"
)

SSL_CTX_set_tlsext_ticket_key_cb = _ctx(
    SSL_CTX.set_tlsext_ticket_key_cb, "SSL_CTX_set_tlsext_ticket_key_cb"
)
