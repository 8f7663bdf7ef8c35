"""What every part of an SSL rests on: its state and its life.

How calls get in stands in _quick.py, and in csrc/quick, which takes its place:
two locks, one for each direction. A call takes what it needs, reading before
writing: an established connection is read under the one and written under the
other, and everything else takes both (contract CV-8).
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from collections.abc import Iterable
from functools import partial
from typing import Any, Callable, TypeVar

from pyssl import err
from pyssl._ffi import AT_FIRST, Conn, ffi, lib, own, release_plain, text_of
from pyssl.bio import BIO
from pyssl.const import BIO_CTRL_POP, ERR_LIB_SSL
from pyssl.ctx import SSL_CTX, Copied
from pyssl.exdata import ExCallback, Registry
from pyssl.identity import Identities
from pyssl.notices import Told
from pyssl.session import SSL_SESSION, wrap
from pyssl.settings import copy_settings

T = TypeVar("T")

# For counts of references; held for moments.
_COUNTING = allocate_lock()

# Calls that never wait do without the lock of their direction (below). It
# begins with _ffi.AT_FIRST: UNTRIED, or USELESS where there are none.
USELESS, UNTRIED, QUICK = 0, 1, 2

_cast = ffi.cast
_ADDRESS = ffi.typeof("uintptr_t")
_new = lib.pys_conn_new
_free = lib.pys_conn_free
_retire = lib.pys_conn_retire
_NO_ROLE = lib.PYS_NO_ROLE
_NOTHING = lib.PYS_NOTHING
_SESSIONS = SSL_SESSION._registry

_ROLES = {
    lib.PYS_CLIENT: "client",
    lib.PYS_SERVER: "server",
    lib.PYS_NO_ROLE: "without role",
}


class ConnBase(Identities, Conn):
    """The state of an SSL, and who may touch it."""

    __slots__ = ("__weakref__",)

    # What they are stands in __init__ of the type below, and in _make.
    _ctx: SSL_CTX
    _session_ctx: SSL_CTX
    _copied: Copied
    _rbio: BIO | None
    _wbio: BIO | None
    _ex: dict[int, Any] | None
    _told: Told | None
    _parked: BaseException | None

    # For cffi: a pointer of an address, and what owns it.
    _pointer = staticmethod(partial(ffi.cast, ffi.typeof("pys_conn *")))
    _owned = staticmethod(partial(ffi.gc, destructor=lib.pys_conn_free))

    _registry = Registry()

    def _make(self, ctx: SSL_CTX) -> None:
        """Make a connection with the settings that ctx has now.

        Errors:
            TypeError: not a context.
            ValueError: a context that was freed.
            RuntimeError: made anew, by one of its own callbacks.
        """
        if self._conn is not None:
            raise_parked(self._alone(self._begin_anew))
        if not isinstance(ctx, SSL_CTX):
            raise TypeError("an SSL_CTX is needed")
        settings = ctx._snapshot()
        self._rbio = self._wbio = None
        self._read_epoch = self._write_epoch = 0
        self._ex = None
        self._ctx = self._session_ctx = ctx
        self._copied = ctx._copied
        self._live = ctx.live_asks  # what _asks is made of
        self._asks = self._live | self._copied.asks
        self._settings = settings
        self._ca_names = ctx._ca_names
        conn = own(_new(self._settings), _free)
        self._keep(conn, int(_cast(_ADDRESS, conn)))
        self._role = _NO_ROLE
        self._refs = 1
        self._parked = None
        self._told = None  # nobody
        if ctx._tells:
            self._inform(Told(ctx._hooks))
        self._unsent = None
        if self._registry.watched:
            self._registry.made(self)

    def _begin_anew(self, _conn: Any) -> tuple[BIO, ...]:
        """Take leave of what it was; both locks are held."""
        released = self._part()
        self._quick_read = self._quick_write = AT_FIRST
        self._read_want = self._write_want = _NOTHING
        self._fits = False
        return released

    def _end(self) -> None:
        """Let go of the BIOs and run the free callbacks: nobody has it."""
        conn = self._conn
        if conn is None:  # it was freed, or never made
            return
        if _retire(conn, False):
            self._retired(conn)
        if self._registry.watched or not release_plain(self._rbio, self._wbio):
            raise_parked(self._part())
        else:
            self._keep(None, 0)
            self._settings = self._rbio = self._wbio = None

    def __repr__(self) -> str:
        """Show role and state."""
        if self._conn is None:
            return "<SSL freed>"
        state = text_of(lib.pys_conn_state_text(self._conn, False))
        return f"<SSL {_ROLES[self._role]} {state}>"

    def up_ref(self) -> int:
        """Add a reference, to be given up by one more `free`."""
        self._alive()
        with _COUNTING:
            self._refs += 1
        return 1

    def free(self) -> None:
        """Give up a reference; with the last one the BIOs are released.

        Errors:
            RuntimeError: called from a callback or BIO operation of it.
            ValueError: it was freed before.

        Source: SSL_free(3); contract CTX-4.
        """
        released = self._alone(self._drop_one)
        self._raise_parked()
        raise_parked(released)

    def _drop_one(self, conn: Any) -> tuple[BIO, ...]:
        """End a reference; both locks are held."""
        with _COUNTING:
            self._refs -= 1
            last = self._refs == 0
        if not last:
            return ()
        self._retire_session(conn, anyway=False)
        return self._part()

    def _part(self) -> tuple[BIO, ...]:
        """Take leave of everything; whoever is inside ends without BIOs."""
        conn, self._settings = self._conn, None
        self._keep(None, 0)
        lib.pys_conn_set_bio(conn, ffi.NULL, ffi.NULL)
        rbio, self._rbio = self._rbio, None
        wbio, self._wbio = self._wbio, None
        if self._registry.watched:
            self._registry.gone(self, self._ex)
        released = tuple(bio for bio in (rbio, wbio) if bio is not None)
        for bio in released[:1] if rbio is wbio else released:
            if not bio._dying:  # the collector may have come to it first
                bio._notify(BIO_CTRL_POP)
        for bio in released:
            bio._release()
        self._unsent = None
        return released

    def _retire_session(self, conn: Any, *, anyway: bool = True) -> bool:
        """Give up the session of a connection that ended badly (SD-14).

        Args:
            conn: The core's connection.
            anyway: However it ended.

        Returns:
            Whether there was a session to be given up.
        """
        given_up = bool(_retire(conn, anyway))
        if given_up:
            self._retired(conn)
        return given_up

    def _retired(self, conn: Any) -> None:
        """Tell who wants to hear of it that the session is given up."""
        if self._session_ctx._remove_session is None and not _SESSIONS.watched:
            return
        session = wrap(lib.pys_conn_session(conn))
        if session is not None:
            self._guarded(self._session_ctx._tell_removed, session)

    def _guarded(self, call: Any, *arguments: Any) -> None:
        """Call what calls back; keep what it raises for later (CV-7)."""
        try:
            call(*arguments)
        except BaseException as e:  # noqa: BLE001 - raised when C has unwound
            if self._parked is None:
                self._parked = e

    # ---- telling -----------------------------------------------------------

    def _inform(self, told: Told) -> None:
        """Begin to tell what happens; nobody else is inside."""
        told.bits = told.wanted()
        if not lib.pys_conn_watch(self._conn, told.bits):
            raise MemoryError
        self._told = told

    # ---- without a lock ----------------------------------------------------

    # The core has a turn for each direction, beside the lock. While it is
    # open, reads and writes that never wait take it and leave the lock alone;
    # whoever has the lock and does more shuts it, which waits for moments.

    def _shut_quick(self, reading: bool = True, writing: bool = True) -> None:
        """Keep quick calls out; the locks of these directions are held."""
        if reading and self._quick_read == QUICK:
            lib.pys_conn_shut_quick(self._conn, 0)
            self._quick_read = UNTRIED
        if writing and self._quick_write == QUICK:
            lib.pys_conn_shut_quick(self._conn, 1)
            self._quick_write = UNTRIED

    def _open_read(self, conn: Any) -> None:
        """Let quick calls in as the last act of a read."""
        self._quick_read = QUICK
        if not lib.pys_conn_open_quick(conn, 0):
            self._quick_read = USELESS

    def _open_write(self, conn: Any) -> None:
        """Let quick calls in as the last act of a write."""
        self._quick_write = QUICK
        if not lib.pys_conn_open_quick(conn, 1):
            self._quick_write = USELESS

    def _change(self, change: Callable[[Any], T]) -> T:
        def do(conn: Any) -> T:
            fresh = copy_settings(self._snapshot())
            result = change(fresh)
            if result:
                lib.pys_conn_set_settings(conn, fresh)
                self._settings = fresh
            return result

        return self._exclusive(do)

    def _keep_ca_names(self, found: tuple[bytes, ...]) -> None:
        self._ca_names = found

    def _passphrase(self) -> tuple[Any, Any]:
        return self._ctx._passphrase()

    # ---- what a call ended with --------------------------------------------

    def _note(self, want: int, writing: int) -> None:
        """Remember what this thread's call ended with (SSL_want(3))."""
        if writing:
            self._write_want = want
            self._writing_thread = get_ident()
        else:
            self._read_want = want
            self._reading_thread = get_ident()
        self._last = writing

    def _refuse(self, reason: int, writing: int) -> int:
        """Push an entry for a call that does nothing; -1."""
        err.put(ERR_LIB_SSL, reason)
        self._note(_NOTHING, writing)
        return -1

    def _raise_parked(self) -> None:
        """Raise what a callback or a BIO operation raised (CV-7)."""
        rbio, wbio = self._rbio, self._wbio
        if (
            self._parked is None
            and (rbio is None or rbio._parked is None)
            and (wbio is None or wbio._parked is None)
        ):
            return
        parked, self._parked = self._parked, None
        for bio in (rbio, wbio):
            raised = None if bio is None else bio._take_exception()
            parked = parked or raised
        if parked is not None:
            raise parked

    def _both_note(self, want: int) -> None:
        """Remember an outcome that is about both directions."""
        self._read_want = self._write_want = want
        self._reading_thread = self._writing_thread = get_ident()

    def last_errno(self) -> int:
        """Give the errno of this thread's last transport failure (CV-9)."""
        self._alive()
        return err.thread_state().errno

    def want(self) -> int:
        """Tell what this thread's last call here waits for: SSL_READING ...

        Source: SSL_want(3); contract 2.2.
        """
        self._alive()
        return self._wanted()

    def _wanted(self) -> int:
        """As `want`, of an object that is in use."""
        me = get_ident()
        reading = self._reading_thread == me
        writing = self._writing_thread == me
        mine = writing and not reading
        if self._last:
            mine = writing or not reading
        return self._write_want if mine else self._read_want

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

        Source: SSL_get_ex_new_index(3); contract EXD-1, EXD-2.
        """
        return cls._registry.new_index(
            argl, argp, new_func, dup_func, free_func
        )

    def set_ex_data(self, index: int, value: Any) -> int:
        """Store an object: 1, or 0 with an entry for an unknown index."""
        self._alive()
        if self._ex is None:
            self._ex = {}
        return self._registry.set(self._ex, index, value)

    def get_ex_data(self, index: int) -> Any:
        """Give what was stored, or None."""
        self._alive()
        return self._registry.get(self._ex, index)


def raise_parked(bios: Iterable[BIO]) -> None:
    """Raise what the operations of BIOs raised; the first one counts."""
    raised = [bio._take_exception() for bio in bios]
    for one in raised:
        if one is not None:
            raise one
