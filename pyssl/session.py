"""SSL_SESSION: what two peers share, so that the next handshake is short."""

from __future__ import annotations

from functools import partial
from threading import RLock
from typing import Any

from pyssl import err
from pyssl._ffi import (
    Owner,
    Part,
    Session,
    bytes_of,
    ffi,
    lib,
    source,
    wrapped,
)
from pyssl.cipher import SSL_CIPHER
from pyssl.exdata import ExCallback, Registry
from pyssl.x509 import X509

# For counts of references; held for moments. The garbage collector may come
# in between and free a session.
_COUNTING = RLock()

_ADDRESS = ffi.typeof("uintptr_t")
_SIZE = ffi.typeof("size_t *")
_bytes = lib.pys_session_bytes
_cast = ffi.cast
_new = ffi.new
_number = lib.pys_session_number


class _Shared(Part):
    """What all wrappers of one session of the core have in common.

    It lives as long as a wrapper, or a connection that uses the session.
    Its members are in `_quick.Part`.
    """

    __slots__ = ()

    # For cffi: a pointer of an address, and what owns it.
    _pointer = staticmethod(partial(ffi.cast, ffi.typeof("pys_session *")))
    _owned = staticmethod(partial(ffi.gc, destructor=lib.pys_session_free))

    def _gone(self) -> None:
        """Run the free callbacks of application data."""
        registry = SSL_SESSION._registry
        if registry.watched:
            registry.gone(_wrapper(self), self.ex)


def wrap(handle: Any) -> SSL_SESSION | None:
    """Make an object of a `pys_session *` whose reference is handed over.

    NULL becomes None.
    """
    return wrapped(TYPES, int(_cast(_ADDRESS, handle)), False)


def made(handle: Any) -> SSL_SESSION:
    """Make an object of a session that nobody else has.

    Errors:
        MemoryError: NULL.
    """
    session = wrapped(TYPES, int(_cast(_ADDRESS, handle)), True)
    if session is None:
        raise MemoryError
    return session


def _wrapper(shared: _Shared) -> SSL_SESSION:
    session = SSL_SESSION.__new__(SSL_SESSION)
    session._shared = shared
    return session


class SSL_SESSION(Session, Owner):
    """A session: SSL_get1_session(3) gives one, SSL_set_session(3) takes it.

    Objects that stand for the same session compare equal.

    Source: SSL_SESSION_new(3) and its family; contract 6.9.
    """

    __slots__ = ()

    _registry = Registry()
    _shared: _Shared | None

    def __init__(self) -> None:
        """Make an empty session. Source: SSL_SESSION_new(3)."""
        self._shared = made(lib.pys_session_new())._shared
        self._refs = 1

    def _made(self) -> None:
        """Run the new callbacks of application data."""
        if self._registry.watched:
            self._registry.made(self)

    def _body(self) -> _Shared:
        """Give the shared part.

        Errors:
            ValueError: the object was freed (CV-3).
        """
        if self._shared is None:
            raise ValueError("this SSL_SESSION was freed")
        return self._shared

    def _native(self) -> Any:
        """Give the C handle, borrowed."""
        shared = self._shared
        if shared is None:
            shared = self._body()  # which refuses
        return shared.handle

    def _own(self) -> Any:
        """Give the C handle of a session that nobody else has yet.

        Errors:
            ValueError: a connection or a cache has it.
        """
        shared = self._body()
        if not shared.alone:
            raise ValueError("the session is in use: make a copy with dup")
        return shared.handle

    def _share(self) -> _Shared:
        """Give what is kept by who takes the session."""
        shared = self._body()
        shared.alone = False
        return shared

    def __eq__(self, other: object) -> bool:
        """Tell whether both stand for the same session of the core."""
        if not isinstance(other, SSL_SESSION):
            return NotImplemented
        return self._shared is other._shared

    def __hash__(self) -> int:
        """Hash which session of the core it stands for."""
        return hash(id(self._shared))

    def __repr__(self) -> str:
        """Show version and id, no secret."""
        if self._shared is None:
            return "<SSL_SESSION freed>"
        version = self.get_protocol_version()
        return f"<SSL_SESSION {version:#06x} {self.get_id().hex()[:16]}>"

    # ---- life --------------------------------------------------------------

    def up_ref(self) -> int:
        """Add a reference, to be given up by one more `free`."""
        self._native()
        with _COUNTING:
            self._refs += 1
        return 1

    def free(self) -> None:
        """Give up a reference; with the last one the object is unusable.

        Source: SSL_SESSION_free(3).
        """
        self._native()
        with _COUNTING:
            self._refs -= 1
            if self._refs == 0:
                self._shared = None

    def dup(self) -> SSL_SESSION:
        """Make a copy. Source: SSL_SESSION_dup(3)."""
        copy = made(lib.pys_session_copy(self._native()))
        ex = self._registry.copied(copy, self._body().ex)
        copy._body().ex = ex
        return copy

    # ---- encoding ----------------------------------------------------------

    def i2d(self) -> bytes:
        """Give the DER form, b"" for a session without a cipher suite.

        Source: i2d_SSL_SESSION(3); contract SESS-10.
        """
        handle = self._native()
        size = lib.pys_session_der(handle, ffi.NULL, 0)
        while True:
            out = ffi.new("uint8_t[]", max(size, 1))
            need = lib.pys_session_der(handle, out, size)
            if need <= size:
                return bytes_of(out, need)
            size = need

    @classmethod
    def d2i(cls, data: Any) -> SSL_SESSION | None:
        """Read a session from the front of its DER form.

        Args:
            data: Bytes-like; what stands behind the session is left alone.

        Returns:
            The session, or None with entries.

        Source: d2i_SSL_SESSION(3); contract SESS-10.
        """
        return cls.d2i_front(data)[0]

    @classmethod
    def d2i_front(cls, data: Any) -> tuple[SSL_SESSION | None, int]:
        """As `d2i`, and say how many bytes the session has."""
        view = source(data)
        used = ffi.new("size_t *")
        fault = ffi.new("pys_fault *")
        handle = lib.pys_session_from_der_bytes(view, len(view), used, fault)
        if handle == ffi.NULL:
            err.put_fault(fault)
            return None, 0
        return made(handle), int(used[0])

    # ---- times -------------------------------------------------------------

    def get_time(self) -> int:
        """Give when it was made, in seconds since the epoch.

        Source: SSL_SESSION_get_time(3); contract SESS-6.
        """
        return self._number(lib.PYS_SESSION_TIME)

    def set_time(self, tm: int) -> int:
        """Set when it was made: 1. Source: SSL_SESSION_get_time(3)."""
        return self._set_number(lib.PYS_SESSION_TIME, tm)

    def get_timeout(self) -> int:
        """Give how long it may be resumed, in seconds."""
        return self._number(lib.PYS_SESSION_LIFE)

    def set_timeout(self, tm: int) -> int:
        """Set how long it may be resumed: 1."""
        return self._set_number(lib.PYS_SESSION_LIFE, tm)

    def is_resumable(self) -> int:
        """Tell whether it can be offered to a server.

        Source: SSL_SESSION_is_resumable(3); contract SESS-4.
        """
        return int(lib.pys_session_resumable(self._native()))

    # ---- what it says ------------------------------------------------------

    def get_id(self) -> bytes:
        """Give its id: at most 32 bytes. Source: SSL_SESSION_get_id(3)."""
        return self._bytes(lib.PYS_SESSION_ID)

    def get0_id_context(self) -> bytes:
        """Give the context in which it counts (SESS-9)."""
        return self._bytes(lib.PYS_SESSION_ID_CONTEXT)

    def get_protocol_version(self) -> int:
        """Give the version: 0x0303 or 0x0304, 0 while there is none."""
        return self._number(lib.PYS_SESSION_VERSION)

    def get0_cipher(self) -> SSL_CIPHER | None:
        """Give the cipher suite, or None."""
        return SSL_CIPHER.find(self._number(lib.PYS_SESSION_SUITE))

    def get_master_key(self) -> bytes:
        """Give the secret: whoever has it can read or resume.

        Source: SSL_SESSION_get_master_key(3).
        """
        return self._bytes(lib.PYS_SESSION_SECRET)

    def has_ticket(self) -> int:
        """Tell whether it has a ticket.

        Source: SSL_SESSION_has_ticket(3).
        """
        return int(self._bytes(lib.PYS_SESSION_TICKET) != b"")

    def get0_ticket(self) -> bytes:
        """Give the ticket, b"" for none."""
        return self._bytes(lib.PYS_SESSION_TICKET)

    def get_ticket_lifetime_hint(self) -> int:
        """Give how long the server keeps the ticket, in seconds."""
        return self._number(lib.PYS_SESSION_LIFETIME_HINT)

    def get_max_early_data(self) -> int:
        """Give how many bytes of early data the server takes."""
        return self._number(lib.PYS_SESSION_MAX_EARLY_DATA)

    def set_max_early_data(self, max_early_data: int) -> int:
        """Set how many bytes of early data the server takes: 1.

        Source: SSL_SESSION_set_max_early_data(3).
        """
        return self._set_number(lib.PYS_SESSION_MAX_EARLY_DATA, max_early_data)

    def get0_peer(self) -> X509 | None:
        """Give the peer's certificate, or None.

        Source: SSL_SESSION_get0_peer(3).
        """
        handle = lib.pys_session_peer_cert(self._native(), 0)
        return None if handle == ffi.NULL else X509(handle)

    def get0_hostname(self) -> str | None:
        """Give the server name that was sent, or None.

        Source: SSL_SESSION_get0_hostname(3).
        """
        name = self._bytes(lib.PYS_SESSION_NAME)
        return name.decode("ascii", "backslashreplace") or None

    def get0_alpn_selected(self) -> bytes:
        """Give the ALPN protocol, b"" for none."""
        return self._bytes(lib.PYS_SESSION_ALPN)

    # ---- sessions made by hand ---------------------------------------------

    def set_protocol_version(self, version: int) -> int:
        """Set the version: 1, or 0 for one that is not spoken.

        Source: SSL_SESSION_set_protocol_version(3).
        """
        self._own()
        return self._set_number(lib.PYS_SESSION_VERSION, version)

    def set_cipher(self, cipher: SSL_CIPHER) -> int:
        """Set the cipher suite: 1. Source: SSL_SESSION_set_cipher(3)."""
        self._own()
        if not isinstance(cipher, SSL_CIPHER):
            raise TypeError("an SSL_CIPHER is needed")
        return self._set_number(
            lib.PYS_SESSION_SUITE, cipher.get_protocol_id()
        )

    def set1_master_key(self, key: Any) -> int:
        """Set the secret: 1, or 0 for more than 512 bytes."""
        return self._set_bytes(lib.PYS_SESSION_SECRET, key)

    def set1_id(self, sid: Any) -> int:
        """Set the id: 1, or 0 for more than 32 bytes."""
        return self._set_bytes(lib.PYS_SESSION_ID, sid)

    def set1_id_context(self, sid_ctx: Any) -> int:
        """Set the context: 1, or 0 for more than 32 bytes."""
        return self._set_bytes(lib.PYS_SESSION_ID_CONTEXT, sid_ctx)

    def _number(self, which: int) -> int:
        return int(_number(self._native(), which))

    def _set_number(self, which: int, value: int) -> int:
        if not isinstance(value, int):
            raise TypeError(f"a number is needed, not {value!r}")
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"{value} is out of range")
        return int(lib.pys_session_set_number(self._native(), which, value))

    def _bytes(self, which: int) -> bytes:
        n = _new(_SIZE)
        found = _bytes(self._native(), which, n)
        return bytes_of(found, n[0])

    def _set_bytes(self, which: int, value: Any) -> int:
        view = source(value)
        return int(
            lib.pys_session_set_bytes(self._own(), which, view, len(view))
        )

    # ---- application data --------------------------------------------------

    @classmethod
    def get_ex_new_index(
        cls,
        argl: int = 0,
        argp: Any = None,
        new_func: ExCallback | None = None,
        dup_func: ExCallback | None = None,
        free_func: ExCallback | None = None,
    ) -> int:
        """Give a new index for application data.

        Source: SSL_SESSION_get_ex_new_index(3); contract EXD-1, EXD-2.
        """
        return cls._registry.new_index(
            argl, argp, new_func, dup_func, free_func
        )

    def set_ex_data(self, index: int, value: Any) -> int:
        """Store an object: 1, or 0 with an entry for an unknown index.

        It lives as long as an object of this session, or a connection that
        uses it.
        """
        shared = self._body()
        if shared.ex is None:
            shared.ex = {}
        return self._registry.set(shared.ex, index, value)

    def get_ex_data(self, index: int) -> Any:
        """Give what was stored, or None."""
        values = self._body().ex
        return None if values is None else values.get(index)


# What the objects of a session of the core are made of.
TYPES = (SSL_SESSION, _Shared)
