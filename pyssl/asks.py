"""What the core asks the application, answered by its callbacks.

The core stops the handshake with a question. `answer` calls whoever was
registered and passes the answer on. An exception counts as the callback's
failure value and is raised once the core's work is unwound (CV-7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from pyssl import notices, psk, ticket
from pyssl._ffi import bytes_of, ffi, lib, number, text_of
from pyssl.const import (
    SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE,
    SSL_AD_INTERNAL_ERROR,
    SSL_AD_NO_APPLICATION_PROTOCOL,
    SSL_AD_UNRECOGNIZED_NAME,
    SSL_TLSEXT_ERR_ALERT_FATAL,
    SSL_TLSEXT_ERR_NOACK,
    SSL_TLSEXT_ERR_OK,
)
from pyssl.pkey import EVP_PKEY
from pyssl.session import SSL_SESSION
from pyssl.verify import judge
from pyssl.x509 import X509

if TYPE_CHECKING:
    from pyssl.conn import SSL


class _Reply(NamedTuple):
    """An answer as the core takes it."""

    answer: int
    alert: int = 0
    data: bytes = b""


_LONGEST = 1024  # PYS_SIG_MAX
_GO_ON = _Reply(lib.PYS_GO_ON)
_DECLINE = _Reply(lib.PYS_DECLINE)
_SUSPEND = _Reply(lib.PYS_SUSPEND)
_INTERNAL = _Reply(lib.PYS_REFUSE, SSL_AD_INTERNAL_ERROR)
_BAD_STATUS = _Reply(lib.PYS_REFUSE, SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE)


def _alert_in(cell: list[int], who: str) -> int:
    """Check the alert that a callback left in its cell."""
    if len(cell) != 1:
        raise ValueError(f"{who}: the alert cell holds one number")
    alert = number(cell[0], who)
    if not 0 <= alert <= 255:
        raise ValueError(f"{who}: no alert {alert}")
    return alert


def _client_hello(ssl: SSL, conn: Any) -> _Reply:
    """The ClientHello callback (SNI-9, GE-13)."""
    del conn
    if ssl._copied.hello is None:
        return _GO_ON
    callback, arg = ssl._copied.hello
    cell = [SSL_AD_INTERNAL_ERROR]
    who = "ClientHello callback"
    result = number(callback(ssl, cell, arg), who)
    if result > 0:
        return _GO_ON
    if result < 0:
        return _SUSPEND
    return _Reply(lib.PYS_REFUSE, _alert_in(cell, who))


def _server_name(ssl: SSL, conn: Any) -> _Reply:
    """The server name callback (SNI-3)."""
    del conn
    ctx = ssl._ctx
    if ctx._sni is None:  # SNI-4
        ctx = ssl._session_ctx
    if ctx._sni is None:
        return _DECLINE
    cell = [SSL_AD_UNRECOGNIZED_NAME]
    who = "server name callback"
    result = number(ctx._sni(ssl, cell, ctx._sni_arg), who)
    if result == SSL_TLSEXT_ERR_OK:
        return _GO_ON
    if result == SSL_TLSEXT_ERR_ALERT_FATAL:
        return _Reply(lib.PYS_REFUSE, _alert_in(cell, who))
    return _DECLINE


def _alpn(ssl: SSL, conn: Any) -> _Reply:
    """The protocol selection callback (ALPN-2)."""
    if ssl._ctx._alpn is None:
        return _DECLINE
    callback, arg = ssl._ctx._alpn
    n = ffi.new("size_t *")
    offered = bytes_of(
        lib.pys_conn_peer_offer(conn, lib.PYS_OFFER_ALPN, n), n[0]
    )
    result: Any = callback(ssl, offered, arg)
    chosen: Any = None
    if isinstance(result, tuple) and len(result) == 2:
        result, chosen = result
    who = "ALPN callback"
    result = number(result, who)
    if result == SSL_TLSEXT_ERR_NOACK:
        return _DECLINE
    if result != SSL_TLSEXT_ERR_OK:
        return _Reply(lib.PYS_REFUSE, SSL_AD_NO_APPLICATION_PROTOCOL)
    if not isinstance(chosen, bytes):
        raise TypeError(f"{who}: the protocol is bytes, not {chosen!r}")
    if not 1 <= len(chosen) <= 255:
        raise ValueError(f"{who}: a protocol has 1 to 255 bytes")
    return _Reply(lib.PYS_GO_ON, 0, chosen)


def _session(ssl: SSL, conn: Any) -> _Reply:
    """The callback for sessions by id (SESS-8)."""
    callback = ssl._session_ctx._get_session
    if callback is None:
        return _DECLINE
    n = ffi.new("size_t *")
    found = callback(ssl, bytes_of(lib.pys_conn_asked_id(conn, n), n[0]))
    if found is None:
        return _DECLINE
    if not isinstance(found, SSL_SESSION):
        raise TypeError(f"session callback: no SSL_SESSION: {found!r}")
    found._share()
    lib.pys_conn_give_session(conn, found._native())
    return _GO_ON


def _status(ssl: SSL, conn: Any) -> _Reply:
    """The OCSP response callback (OCSP-2, OCSP-3)."""
    del conn
    callback = ssl._ctx._status
    if callback is None:
        return _DECLINE
    result = number(callback(ssl, ssl._ctx._status_arg), "status callback")
    if ssl._role == lib.PYS_CLIENT:
        if result > 0:
            return _GO_ON
        return _INTERNAL if result < 0 else _BAD_STATUS
    if result == SSL_TLSEXT_ERR_OK:
        return _GO_ON
    return _DECLINE if result == SSL_TLSEXT_ERR_NOACK else _INTERNAL


def _certificate(ssl: SSL, conn: Any) -> _Reply:
    """The certificate callbacks (CERT-20, then CERT-18; GE-12)."""
    del conn
    if ssl._copied.cert is not None:
        callback, arg = ssl._copied.cert
        result = number(callback(ssl, arg), "certificate callback")
        if result < 0:
            return _SUSPEND
        if result == 0:
            return _INTERNAL
    client = ssl._ctx._client_cert
    if client is None or ssl._role != lib.PYS_CLIENT:
        return _GO_ON
    if lib.pys_settings_cert(ssl._settings) != ffi.NULL:
        return _GO_ON
    return _client_certificate(ssl, client(ssl))


def _client_certificate(ssl: SSL, result: Any) -> _Reply:
    """Install what the client certificate callback gave."""
    who = "client certificate callback"
    if not isinstance(result, tuple):
        verdict = number(result, who)
        if verdict > 0:
            raise TypeError(f"{who}: 1 comes with certificate and key")
        return _SUSPEND if verdict < 0 else _GO_ON
    if len(result) != 3:
        raise TypeError(f"{who}: (1, certificate, key) is needed")
    verdict, certificate, key = result
    if number(verdict, who) <= 0:
        return _SUSPEND if verdict < 0 else _GO_ON
    if not isinstance(certificate, X509) or not isinstance(key, EVP_PKEY):
        raise TypeError(f"{who}: (1, certificate, key) is needed")
    if not ssl.use_certificate(certificate) or not ssl.use_PrivateKey(key):
        return _INTERNAL
    return _GO_ON


def _sign(ssl: SSL, conn: Any) -> _Reply:
    """Have something signed with a key that is elsewhere (CERT-21)."""
    n, scheme = ffi.new("size_t *"), ffi.new("unsigned *")
    signer = ffi.new("unsigned *")
    raw = lib.pys_conn_to_sign(conn, n, scheme, signer)
    sign = (ssl._copied.signers or {})[signer[0]]
    signature = sign(ssl, scheme[0], bytes_of(raw, n[0]))
    if signature is None:
        return _SUSPEND
    if not isinstance(signature, (bytes, bytearray, memoryview)):
        raise TypeError(f"a signature is bytes, not {signature!r}")
    data = bytes(signature)
    # The core compares it; what is longer than any fits none.
    return _Reply(lib.PYS_GO_ON, 0, data if len(data) <= _LONGEST else b"")


def _peer(ssl: SSL, conn: Any) -> _Reply:
    """The verification callbacks (VFY-3, VFY-15, VFY-20)."""
    passed = judge(ssl, conn)
    if passed is None:
        return _SUSPEND
    return _GO_ON if passed else _INTERNAL


def _early_data(ssl: SSL, conn: Any) -> _Reply:
    """The callback that may refuse early data."""
    del conn
    if ssl._copied.early is None:
        return _GO_ON
    callback, arg = ssl._copied.early
    allowed = number(callback(ssl, arg), "early data callback")
    return _GO_ON if allowed != 0 else _DECLINE


def _first_use(ssl: SSL, conn: Any) -> _Reply:
    """Who knows the tickets that were used (ED-7, RFC 8446 8.1)."""
    callback = ssl._session_ctx._anti_replay
    if callback is None:
        return _DECLINE
    expires = ffi.new("int64_t *")
    ticket = bytes_of(lib.pys_conn_early_ticket(conn, expires), 32)
    first = callback(ssl, ticket, int(expires[0]))
    if not isinstance(first, bool):
        raise TypeError(f"anti-replay callback: a bool is needed: {first!r}")
    return _GO_ON if first else _DECLINE


def _psk(ask: Callable[[SSL, Any], bool]) -> Callable[[SSL, Any], _Reply]:
    """The callbacks for external PSKs (PSK-1, PSK-2, PSK-4)."""
    return lambda ssl, conn: _GO_ON if ask(ssl, conn) else _INTERNAL


def _ticket(ask: Callable[[SSL, Any], int]) -> Callable[[SSL, Any], _Reply]:
    """The callback for keys of tickets (TKT-2)."""

    def reply(ssl: SSL, conn: Any) -> _Reply:
        result = ask(ssl, conn)
        if result > 0:
            return _GO_ON
        return _INTERNAL if result < 0 else _DECLINE

    return reply


_HANDLERS: dict[int, tuple[Callable[[SSL, Any], _Reply], _Reply]] = {
    lib.PYS_ASK_CLIENT_HELLO: (_client_hello, _INTERNAL),
    lib.PYS_ASK_SERVER_NAME: (
        _server_name,
        _Reply(lib.PYS_REFUSE, SSL_AD_UNRECOGNIZED_NAME),
    ),
    lib.PYS_ASK_CERT: (_certificate, _INTERNAL),
    lib.PYS_ASK_SESSION: (_session, _DECLINE),
    lib.PYS_ASK_EARLY_DATA: (_early_data, _DECLINE),
    lib.PYS_ASK_FIRST_USE: (_first_use, _DECLINE),
    lib.PYS_ASK_TICKET_SEAL: (_ticket(ticket.seal), _INTERNAL),
    lib.PYS_ASK_TICKET_OPEN: (_ticket(ticket.unseal), _INTERNAL),
    lib.PYS_ASK_PSK_OFFER: (_psk(psk.offer), _INTERNAL),
    lib.PYS_ASK_PSK_LOOKUP: (_psk(psk.lookup), _INTERNAL),
    lib.PYS_ASK_PSK_CLIENT: (_psk(psk.client_key), _INTERNAL),
    lib.PYS_ASK_PSK_SERVER: (_psk(psk.server_key), _INTERNAL),
    lib.PYS_ASK_SIGN: (_sign, _INTERNAL),
    lib.PYS_ASK_VERIFY: (_peer, _INTERNAL),
    lib.PYS_ASK_JUDGE: (_peer, _INTERNAL),
    lib.PYS_ASK_STATUS: (_status, _INTERNAL),
    lib.PYS_ASK_ALPN: (
        _alpn,
        _Reply(lib.PYS_REFUSE, SSL_AD_NO_APPLICATION_PROTOCOL),
    ),
}


def answer(ssl: SSL, conn: Any) -> bool:
    """Answer the core's question.

    Returns:
        True to go on with the handshake; False if it is suspended.
    """
    handler, failure = _HANDLERS[lib.pys_conn_asked(conn)]
    try:
        reply = handler(ssl, conn)
    except BaseException as e:  # noqa: BLE001 - raised when C has unwound
        if ssl._parked is None:
            ssl._parked = e
        reply = failure
    if reply.answer == lib.PYS_SUSPEND:
        notices.suspended(ssl)
        return False
    lib.pys_conn_answer(
        conn, reply.answer, reply.alert, reply.data, len(reply.data)
    )
    return True


def deliver_keylog(ssl: SSL, conn: Any) -> None:
    """Hand the key log lines that have gathered to the callback (KLOG-1)."""
    while True:
        line = text_of(lib.pys_conn_next_keylog(conn))
        if line is None:
            return
        callback = ssl._ctx._keylog
        if callback is not None:
            notices.guarded(callback, ssl, line)
