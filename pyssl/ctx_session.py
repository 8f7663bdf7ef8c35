"""The part of SSL_CTX that is about sessions: cache, tickets, counters.

The core keeps the cache of a server and looks into it; what it found out is
counted here, and here the application's callbacks are called.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Callable

from pyssl import err
from pyssl._ffi import Ctx, bytes_of, ffi, lib, own, source
from pyssl.const import (
    ERR_LIB_SSL,
    SSL_R_INVALID_TICKET_KEYS_LENGTH,
    SSL_SESS_CACHE_CLIENT,
    SSL_SESS_CACHE_NO_INTERNAL_STORE,
    SSL_SESS_CACHE_SERVER,
)
from pyssl.identity import Identities
from pyssl.session import SSL_SESSION, wrap
from pyssl.ticket import TicketKeyCallback

if TYPE_CHECKING:
    from pyssl.conn import SSL

# cb(ssl, session): 1 if the callback keeps the session.
NewSessionCallback = Callable[["SSL", SSL_SESSION], int]
# cb(ctx, session).
RemoveSessionCallback = Callable[[Any, SSL_SESSION], Any]
# cb(ssl, id): the session, or None.
GetSessionCallback = Callable[["SSL", bytes], "SSL_SESSION | None"]

TICKET_KEY_LEN = 80
TICKET_KEYS_MAX = 16


class SessionCalls(Identities, Ctx):
    """Sessions of a context.

    Source: SSL_CTX_set_session_cache_mode(3) and the pages it names.
    """

    __slots__ = (
        "_get_session",
        "_kept_cache",
        "_new_session",
        "_ticket_key",
    )

    _lock: Any  # SSL_CTX has it
    _remove_session: RemoveSessionCallback | None

    def __init__(self) -> None:
        """Begin without callbacks."""
        self._new_session: NewSessionCallback | None = None
        self._remove_session = None
        # A counted reference that no collector frees before __del__ ran.
        self._kept_cache: Any = None
        self._get_session: GetSessionCallback | None = None
        self._ticket_key: TicketKeyCallback | None = None

    def _update_asks(self) -> None:
        raise NotImplementedError

    # ---- the cache ---------------------------------------------------------

    def set_session_cache_mode(self, mode: int) -> int:
        """Set the SSL_SESS_CACHE_ bits and give the old ones.

        Source: SSL_CTX_set_session_cache_mode(3); contract SESS-1.
        """
        with self._lock:
            old = self.get_session_cache_mode()
            self._set_number(lib.PYS_CACHE_MODE, mode)
            return old

    def get_session_cache_mode(self) -> int:
        """Give the SSL_SESS_CACHE_ bits."""
        return self._number(lib.PYS_CACHE_MODE)

    def _cache(self) -> Any:
        """Give the core's cache, which is made when first needed."""
        with self._lock:
            cache = lib.pys_settings_cache(self._snapshot())
            if cache == ffi.NULL:
                self._make_cache()
                cache = lib.pys_settings_cache(self._snapshot())
            return cache

    def _make_cache(self) -> None:
        def change(fresh: Any) -> bool:
            return bool(lib.pys_settings_set_ticket_keys(fresh, ffi.NULL, 0))

        if not self._change(change):
            raise MemoryError

    def sess_set_cache_size(self, t: int) -> int:
        """Set how many sessions the cache holds and give the old number.

        Args:
            t: At least 0; 0 for no limit. What is too much goes now.

        Source: SSL_CTX_sess_set_cache_size(3).
        """
        self._snapshot()
        if not isinstance(t, int):
            raise TypeError("a number is needed")
        if not 0 <= t < 1 << 63:
            raise ValueError(f"a cache of {t} sessions")
        cache = self._cache()
        old = int(lib.pys_cache_size(cache))
        lib.pys_cache_set_size(cache, t)
        self._drop_all(lambda: lib.pys_cache_excess(cache))
        return old

    def sess_get_cache_size(self) -> int:
        """Give how many sessions the cache holds."""
        return int(lib.pys_cache_size(self._cache()))

    def add_session(self, session: SSL_SESSION) -> int:
        """Put a session into the cache.

        Returns:
            1; 0 if that very session is in it already.

        Source: SSL_CTX_add_session(3); contract SESS-14.
        """
        self._snapshot()
        _checked(session)
        session._share()
        dropped = ffi.new("pys_session **")
        added = lib.pys_cache_add(self._cache(), session._native(), dropped)
        if dropped[0] != ffi.NULL:
            settings = self._snapshot()
            lib.pys_settings_add_count(settings, lib.PYS_COUNT_CACHE_FULL)
            self._gone(dropped[0])
        return int(added)

    def remove_session(self, session: SSL_SESSION) -> int:
        """Take a session out of the cache; it is not resumed any more.

        Returns:
            1; 0 if it was not in the cache.

        Source: SSL_CTX_add_session(3); contract SESS-14.
        """
        settings = self._snapshot()
        _checked(session)
        return self._retire(session, settings)

    def _retire(self, session: SSL_SESSION, settings: Any) -> int:
        """Remove a session and tell whoever caches it, too (SESS-8)."""
        handle = session._native()
        lib.pys_session_retire(handle)
        cache = lib.pys_settings_cache(settings)
        if cache != ffi.NULL:
            found = lib.pys_cache_remove(cache, handle)
            if found != ffi.NULL:
                own(found, lib.pys_session_free)
                self._tell_removed(session)
                return 1
        self._tell_removed(session)
        return 0

    def flush_sessions(self, tm: int) -> None:
        """Drop the sessions that have expired at a time.

        Args:
            tm: Seconds since the epoch; 0 drops all.

        Source: SSL_CTX_flush_sessions(3); contract SESS-14.
        """
        settings = self._snapshot()
        if not isinstance(tm, int):
            raise TypeError("a time is a number of seconds")
        if not -(1 << 63) <= tm < 1 << 63:
            raise ValueError(f"{tm} is out of range")
        self._flush(settings, tm)

    def _flush(self, settings: Any, tm: int) -> None:
        self._flush_cache(lib.pys_settings_cache(settings), tm)

    def _flush_cache(self, cache: Any, tm: int) -> None:
        if cache != ffi.NULL:
            self._drop_all(lambda: lib.pys_cache_expire(cache, tm))

    def _give_up_cache(self, flush: bool) -> None:
        """Tell of what the cache has, and drop the kept reference."""
        cache, self._kept_cache = self._kept_cache, None
        if cache is None:
            return
        try:
            if flush and self._remove_session is not None:
                self._flush_cache(cache, 0)
        finally:
            lib.pys_cache_free(cache)

    def _drop_all(self, take: Callable[[], Any]) -> None:
        """Let go of what take gives, whatever the callback raises."""
        raised: BaseException | None = None
        going = True
        while going:
            handle = take()
            going = handle != ffi.NULL
            try:
                self._gone(handle)
            except BaseException as e:  # noqa: BLE001 - raised at the end
                raised = raised or e
        if raised is not None:
            raise raised

    def _gone(self, handle: Any) -> None:
        """Tell of a session that the cache has let go of, if any."""
        session = wrap(handle)
        if session is not None:
            lib.pys_session_retire(session._native())
            self._tell_removed(session)

    def _tell_removed(self, session: SSL_SESSION) -> None:
        if self._remove_session is not None:
            self._remove_session(self, session)

    # ---- times, tickets, context -------------------------------------------

    def set_timeout(self, t: int) -> int:
        """Set how long new sessions may be resumed and give the old value.

        Args:
            t: Seconds, at least 0.

        Source: SSL_CTX_set_timeout(3); contract SESS-6.
        """
        if isinstance(t, int) and t < 0:
            raise ValueError(f"a timeout of {t} seconds")
        with self._lock:
            old = self.get_timeout()
            self._set_number(lib.PYS_SESSION_TIMEOUT, t)
            return old

    def get_timeout(self) -> int:
        """Give how long new sessions may be resumed, in seconds."""
        return self._number(lib.PYS_SESSION_TIMEOUT)

    def set_tlsext_ticket_keys(self, keys: Any | None) -> int:
        """Set the key that seals and opens tickets.

        Args:
            keys: 80 bytes, bytes-like: a name of 16, then key material.
                None for the size that they have.

        Returns:
            1; 0 with SSL_R_INVALID_TICKET_KEYS_LENGTH; for None, 80.

        Source: SSL_CTX_set_tlsext_ticket_keys(3); contract TKT-1.
        """
        if keys is None:
            self._snapshot()
            return TICKET_KEY_LEN
        return self.set_ticket_keys([keys])

    def get_tlsext_ticket_keys(self) -> bytes:
        """Give the 80 bytes of the key that seals tickets."""
        self._cache()
        out = ffi.new("uint8_t[]", TICKET_KEY_LEN)
        if not lib.pys_settings_ticket_key(self._snapshot(), out):
            raise MemoryError
        return bytes_of(out, TICKET_KEY_LEN)

    def set_ticket_keys(self, keys: Iterable[Any]) -> int:
        """Set the keys of tickets: the first one seals, all of them open.

        Servers that share them resume each other's sessions. To rotate, put
        a fresh key in front now and then and drop the last one; connections
        that exist follow. A ticket of a later key is renewed.

        Args:
            keys: 1 to 16 keys of 80 bytes.

        Returns:
            1; 0 with SSL_R_INVALID_TICKET_KEYS_LENGTH.

        Errors:
            ValueError: no key, or more than 16.
        """
        parts = [bytes(source(key)) for key in keys]
        if not 1 <= len(parts) <= TICKET_KEYS_MAX:
            raise ValueError(f"1 to {TICKET_KEYS_MAX} keys, not {len(parts)}")
        if any(len(part) != TICKET_KEY_LEN for part in parts):
            self._snapshot()
            err.put(ERR_LIB_SSL, SSL_R_INVALID_TICKET_KEYS_LENGTH)
            return 0
        joined = b"".join(parts)

        def change(fresh: Any) -> bool:
            return bool(
                lib.pys_settings_set_ticket_keys(fresh, joined, len(parts))
            )

        if not self._change(change):
            raise MemoryError
        return 1

    def set_tlsext_ticket_key_cb(self, cb: TicketKeyCallback | None) -> int:
        """Set who has the keys of tickets, in place of the built-in ones.

        Args:
            cb: `cb(ssl, key_name, iv, cipher_ctx, hmac_ctx, enc)`. With enc
                1 it fills in key_name and iv, bytearrays of 16 bytes, sets
                both contexts up by their `init` and gives 1; or 0 for no
                ticket. With enc 0 key_name and iv are the ticket's; it sets
                the contexts up and gives 1, 2 if the ticket is to be
                replaced, or 0 if it is not usable. A negative number fails.
                None: the built-in keys.

        Returns:
            1.

        Source: SSL_CTX_set_tlsext_ticket_key_cb(3); contract TKT-2.
        """
        with self._lock:
            self._snapshot()
            self._ticket_key = _callback(cb)
            self._update_asks()
            if cb is not None:
                self._cache()  # without a certificate, too
        return 1

    # ---- callbacks ---------------------------------------------------------

    def sess_set_new_cb(self, cb: NewSessionCallback | None) -> None:
        """Set who hears of new sessions that could be resumed.

        Args:
            cb: `cb(ssl, session)` gives 1 if it keeps the session, else 0.
                None: nobody.

        Source: SSL_CTX_sess_set_get_cb(3); contract SESS-7.
        """
        with self._lock:
            self._snapshot()
            self._new_session = _callback(cb)
            self._update_asks()

    def sess_get_new_cb(self) -> NewSessionCallback | None:
        """Give who hears of new sessions."""
        self._snapshot()
        return self._new_session

    def sess_set_remove_cb(self, cb: RemoveSessionCallback | None) -> None:
        """Set who hears of sessions that shall not be resumed any more.

        Args:
            cb: `cb(ctx, session)`. None: nobody.

        Source: SSL_CTX_sess_set_get_cb(3); contract SESS-8.
        """
        self._snapshot()
        told = _callback(cb)
        with self._lock:
            if told is not None and self._kept_cache is None:
                self._kept_cache = lib.pys_cache_up_ref(self._cache())
            self._remove_session = told

    def sess_get_remove_cb(self) -> RemoveSessionCallback | None:
        """Give who hears of sessions that go."""
        self._snapshot()
        return self._remove_session

    def sess_set_get_cb(self, cb: GetSessionCallback | None) -> None:
        """Set who is asked for a session by its id, on servers.

        Args:
            cb: `cb(ssl, id)` gives the session, or None. None: nobody.

        Source: SSL_CTX_sess_set_get_cb(3); contract SESS-8.
        """
        with self._lock:
            self._snapshot()
            self._get_session = _callback(cb)
            self._update_asks()

    def sess_get_get_cb(self) -> GetSessionCallback | None:
        """Give who is asked for sessions."""
        self._snapshot()
        return self._get_session

    def _fresh(self, ssl: SSL, session: SSL_SESSION, server: bool) -> None:
        """Store and announce a session that a connection has made."""
        mode = ssl._number(lib.PYS_CACHE_MODE)
        side = SSL_SESS_CACHE_SERVER if server else SSL_SESS_CACHE_CLIENT
        if not mode & side:
            return
        stored = server or mode & SSL_SESS_CACHE_NO_INTERNAL_STORE
        if not stored and self._settings is not None:
            self.add_session(session)
        if self._new_session is None:
            return
        kept = self._new_session(ssl, session)
        if not isinstance(kept, int):
            raise TypeError(f"new session callback: 0 or 1, not {kept!r}")

    # ---- counters ----------------------------------------------------------

    def _counted(self, what: int) -> int:
        return int(lib.pys_settings_count(self._snapshot(), what))

    def _clean(self, settings: Any) -> None:
        """Drop what has expired; the core says when (SESS-1)."""
        self._flush(settings, int(time.time()))

    def sess_number(self) -> int:
        """Give the sessions in the cache.

        Source: SSL_CTX_sess_number(3); contract SESS-13.
        """
        cache = lib.pys_settings_cache(self._snapshot())
        return 0 if cache == ffi.NULL else int(lib.pys_cache_count(cache))

    def sess_connect(self) -> int:
        """Give the handshakes begun as client."""
        return self._counted(lib.PYS_COUNT_CONNECT)

    def sess_connect_good(self) -> int:
        """Give the handshakes completed as client."""
        return self._counted(lib.PYS_COUNT_CONNECT_GOOD)

    def sess_connect_renegotiate(self) -> int:
        """Give 0: nobody renegotiates."""
        self._snapshot()
        return 0

    def sess_accept(self) -> int:
        """Give the handshakes begun as server."""
        return self._counted(lib.PYS_COUNT_ACCEPT)

    def sess_accept_good(self) -> int:
        """Give the handshakes completed as server."""
        return self._counted(lib.PYS_COUNT_ACCEPT_GOOD)

    def sess_accept_renegotiate(self) -> int:
        """Give 0: nobody renegotiates."""
        self._snapshot()
        return 0

    def sess_hits(self) -> int:
        """Give the handshakes that resumed a session."""
        return self._counted(lib.PYS_COUNT_HITS)

    def sess_cb_hits(self) -> int:
        """Give the sessions that the callback has found."""
        return self._counted(lib.PYS_COUNT_CB_HITS)

    def sess_misses(self) -> int:
        """Give the ids that clients asked for and nobody knew."""
        return self._counted(lib.PYS_COUNT_MISSES)

    def sess_timeouts(self) -> int:
        """Give the sessions that clients asked for after they expired."""
        return self._counted(lib.PYS_COUNT_TIMEOUTS)

    def sess_cache_full(self) -> int:
        """Give the sessions that had to go because the cache was full."""
        return self._counted(lib.PYS_COUNT_CACHE_FULL)


def _callback(cb: Any) -> Any:
    if cb is not None and not callable(cb):
        raise TypeError(f"a callable or None is needed, not {cb!r}")
    return cb


def _checked(session: Any) -> None:
    if not isinstance(session, SSL_SESSION):
        raise TypeError(f"an SSL_SESSION is needed, not {session!r}")
