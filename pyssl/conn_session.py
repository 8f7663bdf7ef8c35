"""The part of SSL that is about resumption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pyssl import err
from pyssl._ffi import bytes_of, ffi, lib, number
from pyssl.asks import deliver_keylog
from pyssl.conn_info import Info
from pyssl.const import (
    ERR_LIB_SSL,
    SSL_R_NO_RENEGOTIATION,
    SSL_R_WRONG_SSL_VERSION,
    TLS1_3_VERSION,
)
from pyssl.notices import deliver
from pyssl.session import SSL_SESSION, TYPES, wrap

if TYPE_CHECKING:
    from pyssl.conn import SSL


class Resumption(Info):
    """The session of a connection, and what happens to it."""

    __slots__ = ()

    _session_types = TYPES

    def _set_session(self, session: SSL_SESSION | None) -> int:
        """Do what set_session does, whatever it is given."""
        if session is not None and not isinstance(session, SSL_SESSION):
            raise TypeError(f"an SSL_SESSION is needed, not {session!r}")
        return self._exclusive(
            self._offer, None if session is None else session._share()
        )

    def _offer(self, conn: Any, shared: Any) -> int:
        handle = ffi.NULL if shared is None else shared.handle
        lib.pys_conn_set_session(conn, handle)
        self._session_part = shared
        return 1

    def _get_session(self) -> SSL_SESSION | None:
        """Do what get_session does, whoever is inside."""
        session = wrap(self._facts(lib.pys_conn_session))
        if session is not None:
            self._session_part = session._shared
        return session

    def session_reused(self) -> int:
        """Tell whether the handshake resumed a session.

        Source: SSL_session_reused(3); contract SESS-3.
        """
        return int(self._facts(lib.pys_conn_resumed))

    def get_psk_identity(self) -> bytes | None:
        """Give whose external PSK is behind the connection, or None.

        It is known once the handshake is complete, and again after a
        resumption.

        Source: SSL_get_psk_identity(3); contract PSK-3.
        """

        def get(conn: Any) -> bytes | None:
            session = wrap(lib.pys_conn_session(conn))
            if session is None:
                return None
            return session._bytes(lib.PYS_SESSION_PSK_IDENTITY) or None

        return self._facts(get)

    def get_psk_identity_hint(self) -> bytes | None:
        """Give the hint that a server of TLS 1.2 gives, or None.

        A server's is what was set, a client's what was received.

        Source: SSL_get_psk_identity_hint(3); contract PSK-1.
        """
        n = ffi.new("size_t *")

        def get(conn: Any) -> bytes | None:
            if self._role == lib.PYS_CLIENT:
                found = lib.pys_conn_psk_hint(conn, n)
            else:
                found = lib.pys_settings_psk_hint(self._settings, n)
            return bytes_of(found, n[0]) or None

        return self._facts(get)

    def get_extms_support(self) -> int:
        """Tell whether the master secret is an extended one (RFC 7627).

        Returns:
            1 or 0; always 1 in TLS 1.3 (RFC 8446 appendix D); -1 before
            the handshake is complete.

        Source: SSL_get_extms_support(3).
        """
        if not self.is_init_finished():
            return -1
        return int(self._facts(lib.pys_conn_extended))

    def key_update(self, updatetype: int) -> int:
        """Send new keys with the next write.

        Args:
            updatetype: SSL_KEY_UPDATE_NOT_REQUESTED, or
                SSL_KEY_UPDATE_REQUESTED for new keys of the peer too.

        Returns:
            1, or 0 with an entry.

        Source: SSL_key_update(3); contract RW-29.
        """
        number(updatetype, "updatetype")
        known = updatetype if updatetype in (0, 1) else -1
        conn = self._enter()
        self._take(1)
        try:
            done = lib.pys_conn_key_update(conn, known) == lib.PYS_IO_DONE
            if not done:
                err.put(ERR_LIB_SSL, lib.pys_conn_misuse(conn))
        finally:
            self._give(1)
        if self._rest:
            self._send_rest()
        return int(done)

    def verify_client_post_handshake(self) -> int:
        """Ask the client for its certificate, on an open connection.

        The next handshake call, read or write sends the request; reading
        takes the answer, which is verified as in a handshake. Until then
        the peer's certificate is the one known before.

        Returns:
            1, or 0 with an entry.

        Errors:
            SSL_R_WRONG_SSL_VERSION: not TLS 1.3.
            SSL_R_NOT_SERVER: on a client.
            SSL_R_STILL_IN_INIT: the handshake is not complete, or a request
                is still to be sent.
            SSL_R_EXTENSION_NOT_RECEIVED: the client did not offer it.
            SSL_R_REQUEST_SENT: the last request has no answer yet.
            SSL_R_INVALID_CONFIG: without SSL_VERIFY_PEER, or with
                SSL_VERIFY_CLIENT_ONCE for the second time.

        Source: SSL_verify_client_post_handshake(3); RFC 8446 4.6.2.
        """
        return self._alone(self._ask_auth)

    def _ask_auth(self, conn: Any) -> int:
        if lib.pys_conn_ask_auth(conn) == lib.PYS_IO_DONE:
            return 1
        err.put(ERR_LIB_SSL, lib.pys_conn_misuse(conn))
        return 0

    def renegotiate(self) -> int:
        """Refuse: 0 with an entry.

        Errors:
            SSL_R_NO_RENEGOTIATION; in TLS 1.3 SSL_R_WRONG_SSL_VERSION.

        Source: SSL_renegotiate(3); contract RW-28.
        """
        is_13 = self._facts(lib.pys_conn_version) == TLS1_3_VERSION
        err.put(
            ERR_LIB_SSL,
            SSL_R_WRONG_SSL_VERSION if is_13 else SSL_R_NO_RENEGOTIATION,
        )
        return 0

    def renegotiate_pending(self) -> int:
        """Give 0: there is no renegotiation (contract RW-28)."""
        self._alive()
        return 0

    # ---- what the core did -------------------------------------------------

    def _tell(self, conn: Any) -> None:
        """Hand on what the core has to tell after a part of a handshake.

        What happened comes first: a ticket is read before it is a session.
        """
        deliver_keylog(cast("SSL", self), conn)
        if self._told is not None:
            deliver(self, conn, 0)
            deliver(self, conn, 1)
        ctx = self._session_ctx
        while True:
            dropped = lib.pys_conn_dropped_session(conn)
            if dropped == ffi.NULL:
                break
            self._guarded(ctx._gone, dropped)
        self._tell_sessions(conn)
        if lib.pys_conn_clear_due(conn):
            self._guarded(ctx._clean, self._settings)

    def _tell_sessions(self, conn: Any) -> None:
        """Hand on the sessions that have come to be (SESS-7)."""
        if self._told is not None:
            deliver(self, conn, 0)
        server = self._role == lib.PYS_SERVER
        while True:
            session = wrap(lib.pys_conn_fresh_session(conn))
            if session is None:
                return
            self._session_part = session._shared
            self._guarded(self._session_ctx._fresh, self, session, server)
