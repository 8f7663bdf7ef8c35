"""Keys that two peers share beforehand (external PSKs; contract 6.17).

In TLS 1.3 they stand beside the keys of tickets (RFC 8446 2.2, 4.2.11), in
TLS 1.2 they take the place of certificates in the ECDHE-PSK suites (RFC
5489). The core asks for them; who has an answer is kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar, Union

from pyssl import err
from pyssl._ffi import bytes_of, ffi, lib, number, own, source
from pyssl.const import (
    ERR_LIB_SSL,
    PSK_MAX_IDENTITY_LEN,
    PSK_MAX_PSK_LEN,
    SSL_R_DATA_LENGTH_TOO_LONG,
    TLS1_3_VERSION,
)
from pyssl.session import SSL_SESSION
from pyssl.settings_record import RecordSettings

if TYPE_CHECKING:
    from pyssl.conn import SSL

T = TypeVar("T")

# cb(ssl, hint, max_identity, max_psk): identity and key.
PskClientCallback = Callable[
    ["SSL", Union[bytes, None], int, int], "tuple[Any, Any]"
]
# cb(ssl, identity, max_psk): the key.
PskServerCallback = Callable[["SSL", bytes, int], Any]
# cb(ssl, md): 0, or 1 with identity and session, or with None twice.
PskUseCallback = Callable[["SSL", None], "int | tuple[int, Any, Any]"]
# cb(ssl, identity): 0, or 1 with a session or None.
PskFindCallback = Callable[["SSL", bytes], "int | tuple[int, Any]"]

_AES_128_GCM_SHA256 = 0x1301  # keys of callbacks are bound to its hash

_OFFER = 1 << lib.PYS_ASK_PSK_OFFER
_LOOKUP = 1 << lib.PYS_ASK_PSK_LOOKUP
_CLIENT = 1 << lib.PYS_ASK_PSK_CLIENT
_SERVER = 1 << lib.PYS_ASK_PSK_SERVER


class PskCallbacks(NamedTuple):
    """Who is asked for keys.

    Attributes:
        client: as client, in both versions.
        server: as server, in both versions.
        use: as client of TLS 1.3, before `client`.
        find: as server of TLS 1.3, before `server`.
    """

    client: PskClientCallback | None = None
    server: PskServerCallback | None = None
    use: PskUseCallback | None = None
    find: PskFindCallback | None = None

    @property
    def asks(self) -> int:
        """Give the questions that they answer, as PYS_ASKS bits."""
        found = 0
        if self.client is not None:
            found |= _OFFER | _CLIENT
        if self.server is not None:
            found |= _LOOKUP | _SERVER
        if self.use is not None:
            found |= _OFFER
        if self.find is not None:
            found |= _LOOKUP
        return found


NO_PSK = PskCallbacks()


class PskCalls(RecordSettings):
    """The setters of SSL_CTX and SSL that are about external PSKs.

    Connections copy the callbacks of their context when they are made.
    """

    __slots__ = ()

    def _psk(self) -> PskCallbacks:
        raise NotImplementedError

    def _keep_psk(self, psk: PskCallbacks) -> None:
        raise NotImplementedError

    def _put_psk(self, which: str, cb: Any) -> None:
        self._snapshot()
        if cb is not None and not callable(cb):
            raise TypeError(f"a callable or None is needed, not {cb!r}")
        self._keep_psk(self._psk()._replace(**{which: cb}))

    def set_psk_client_callback(self, cb: PskClientCallback | None) -> None:
        """Set who gives a client its identity and key.

        With it the ECDHE-PSK suites of the cipher list are offered in TLS
        1.2, and a PSK of SHA-256 in TLS 1.3.

        Args:
            cb: `cb(ssl, hint, max_identity, max_psk)` gives `(identity,
                key)`: bytes-like or text of at most max_identity bytes, and
                bytes-like of at most max_psk bytes. An empty key: none. The
                hint is the server's, None without one and in TLS 1.3.

        Source: SSL_CTX_set_psk_client_callback(3); contract PSK-1.
        """
        self._put_psk("client", cb)

    def set_psk_server_callback(self, cb: PskServerCallback | None) -> None:
        """Set who gives a server the key of an identity.

        Args:
            cb: `cb(ssl, identity, max_psk)` gives the key, bytes-like of at
                most max_psk bytes; empty for an unknown identity. In TLS 1.3
                identities of tickets come here, too.

        Source: SSL_CTX_set_psk_server_callback(3); contract PSK-2.
        """
        self._put_psk("server", cb)

    def set_psk_use_session_callback(self, cb: PskUseCallback | None) -> None:
        """Set who gives a client of TLS 1.3 a PSK of any hash.

        Args:
            cb: `cb(ssl, md)` gives `(1, identity, session)`, `(1, None,
                None)` for none, or 0 to fail. The session has a version, a
                cipher and a master key (SSL_SESSION_new(3)). md is None:
                the question comes once, before the hash is settled; a PSK
                of another hash is not offered again after a retry.

        Source: SSL_CTX_set_psk_use_session_callback(3); contract PSK-4.
        """
        self._put_psk("use", cb)

    def set_psk_find_session_callback(
        self, cb: PskFindCallback | None
    ) -> None:
        """Set who gives a server of TLS 1.3 the PSK of an identity.

        Args:
            cb: `cb(ssl, identity)` gives `(1, session)`, `(1, None)` for an
                identity that is not known, or 0 to fail.

        Source: SSL_CTX_set_psk_find_session_callback(3); contract PSK-4.
        """
        self._put_psk("find", cb)

    def use_psk_identity_hint(self, hint: Any | None) -> int:
        """Set what a server of TLS 1.2 tells clients before they choose.

        Args:
            hint: Bytes-like or text of at most 256 bytes; None for none.

        Returns:
            1; 0 with SSL_R_DATA_LENGTH_TOO_LONG.

        Source: SSL_CTX_use_psk_identity_hint(3); contract PSK-4.
        """
        self._snapshot()
        raw = b"" if hint is None else _raw(hint)
        if len(raw) > PSK_MAX_IDENTITY_LEN:
            err.put(ERR_LIB_SSL, SSL_R_DATA_LENGTH_TOO_LONG)
            return 0
        if not self._change(
            lambda fresh: bool(
                lib.pys_settings_set_psk_hint(fresh, raw, len(raw))
            )
        ):
            raise MemoryError
        return 1


def _raw(data: Any) -> bytes:
    """Give text or bytes-like as bytes."""
    return data.encode() if isinstance(data, str) else bytes(source(data))


def _identity(data: Any, who: str) -> bytes:
    raw = _raw(data)
    if len(raw) > PSK_MAX_IDENTITY_LEN:
        raise ValueError(f"{who}: an identity of {len(raw)} bytes")
    return raw


def _key(data: Any, who: str) -> bytes:
    if isinstance(data, str):
        raise TypeError(f"{who}: a key is bytes, not text")
    raw = bytes(source(data))
    if len(raw) > PSK_MAX_PSK_LEN:
        raise ValueError(f"{who}: a key of {len(raw)} bytes")
    return raw


def _guarded(ssl: SSL, otherwise: T, ask: Callable[..., T], *args: Any) -> T:
    """Ask a callback; what it raises stands for its failure (CV-7)."""
    try:
        return ask(*args)
    except BaseException as e:  # noqa: BLE001 - raised when C has unwound
        if ssl._parked is None:
            ssl._parked = e
        return otherwise


def _asked(conn: Any) -> bytes:
    n = ffi.new("size_t *")
    return bytes_of(lib.pys_conn_asked_psk(conn, n), n[0])


def _give(conn: Any, session: Any, identity: bytes) -> None:
    """Hand a PSK over.

    Args:
        conn: The core's connection.
        session: A `pys_session *`.
        identity: Of the client; b"" for servers.
    """
    if not lib.pys_conn_give_psk(conn, session, identity, len(identity)):
        raise MemoryError


def _give_key(conn: Any, key: bytes, identity: bytes) -> None:
    """Hand over a key, bound to SHA-256 in TLS 1.3 (PSK-3)."""
    session = own(lib.pys_session_new(), lib.pys_session_free)
    lib.pys_session_set_number(
        session, lib.PYS_SESSION_VERSION, TLS1_3_VERSION
    )
    lib.pys_session_set_number(
        session, lib.PYS_SESSION_SUITE, _AES_128_GCM_SHA256
    )
    if not lib.pys_session_set_bytes(
        session, lib.PYS_SESSION_SECRET, key, len(key)
    ):
        raise MemoryError
    _give(conn, session, identity)


def _checked_session(session: Any, who: str) -> SSL_SESSION:
    """Check that a session can be a PSK of TLS 1.3."""
    if not isinstance(session, SSL_SESSION):
        raise TypeError(f"{who}: an SSL_SESSION is needed, not {session!r}")
    cipher = session.get0_cipher()
    if (
        session.get_protocol_version() != TLS1_3_VERSION
        or cipher is None
        or cipher.get_version() != "TLSv1.3"
        or not session.get_master_key()
    ):
        raise ValueError(
            f"{who}: version, cipher and master key of TLS 1.3 are needed"
        )
    return session


# ---- the client ------------------------------------------------------------


def _ask_client(
    ssl: SSL, callback: PskClientCallback, hint: bytes | None
) -> tuple[bytes, bytes]:
    who = "PSK client callback"
    result = callback(ssl, hint, PSK_MAX_IDENTITY_LEN, PSK_MAX_PSK_LEN)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"{who}: (identity, key) is needed")
    identity, key = result
    raw = b"" if identity is None else _identity(identity, who)
    return raw, _key(key, who)


def _ask_use(
    ssl: SSL, callback: PskUseCallback
) -> tuple[bool, bytes, SSL_SESSION | None]:
    """Give whether to go on, and identity and session if there are any."""
    who = "PSK use session callback"
    result = callback(ssl, None)
    if not isinstance(result, tuple):
        if number(result, who) != 0:
            raise TypeError(f"{who}: (1, identity, session) is needed")
        return False, b"", None
    if len(result) != 3:
        raise TypeError(f"{who}: (1, identity, session) is needed")
    verdict, identity, session = result
    if number(verdict, who) != 1:
        return False, b"", None
    if session is None:
        return True, b"", None
    raw = _identity(identity, who)
    if not raw:
        raise ValueError(f"{who}: an empty identity")
    return True, raw, _checked_session(session, who)


def offer(ssl: SSL, conn: Any) -> bool:
    """Give a client of TLS 1.3 its external PSK; False to fail."""
    psk = ssl._psk()
    if psk.use is not None:
        no: tuple[bool, bytes, SSL_SESSION | None] = (False, b"", None)
        on, identity, session = _guarded(ssl, no, _ask_use, ssl, psk.use)
        if not on:
            return False
        if session is not None:
            _give(conn, session._native(), identity)
            return True
    if psk.client is not None:
        identity, key = _guarded(
            ssl, (b"", b""), _ask_client, ssl, psk.client, None
        )
        if key:
            _give_key(conn, key, identity)
    return True


def client_key(ssl: SSL, conn: Any) -> bool:
    """Give a client of TLS 1.2 identity and key, for the server's hint."""
    callback = ssl._psk().client
    if callback is not None:
        hint = _asked(conn) or None
        identity, key = _guarded(
            ssl, (b"", b""), _ask_client, ssl, callback, hint
        )
        _give_key(conn, key, identity)
    return True


# ---- the server ------------------------------------------------------------


def _ask_server(
    ssl: SSL, callback: PskServerCallback, identity: bytes
) -> bytes:
    return _key(
        callback(ssl, identity, PSK_MAX_PSK_LEN), "PSK server callback"
    )


def _ask_find(
    ssl: SSL, callback: PskFindCallback, identity: bytes
) -> tuple[bool, SSL_SESSION | None]:
    """Give whether to go on, and the session if there is one."""
    who = "PSK find session callback"
    result = callback(ssl, identity)
    if not isinstance(result, tuple):
        if number(result, who) != 0:
            raise TypeError(f"{who}: (1, session) is needed")
        return False, None
    if len(result) != 2:
        raise TypeError(f"{who}: (1, session) is needed")
    verdict, session = result
    if number(verdict, who) != 1:
        return False, None
    return True, None if session is None else _checked_session(session, who)


def lookup(ssl: SSL, conn: Any) -> bool:
    """Give a server of TLS 1.3 the PSK of an identity; False to fail."""
    psk = ssl._psk()
    identity = _asked(conn)
    if psk.find is not None:
        no: tuple[bool, SSL_SESSION | None] = (False, None)
        on, session = _guarded(ssl, no, _ask_find, ssl, psk.find, identity)
        if not on:
            return False
        if session is not None:
            _give(conn, session._native(), b"")
            return True
    if psk.server is not None and len(identity) <= PSK_MAX_IDENTITY_LEN:
        key = _guarded(ssl, b"", _ask_server, ssl, psk.server, identity)
        if key:
            _give_key(conn, key, b"")
    return True


def server_key(ssl: SSL, conn: Any) -> bool:
    """Give a server of TLS 1.2 the key of the client's identity."""
    callback = ssl._psk().server
    if callback is not None:
        key = _guarded(ssl, b"", _ask_server, ssl, callback, _asked(conn))
        _give_key(conn, key, b"")
    return True
