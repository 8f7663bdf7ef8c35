"""What csrc/quick is, where that cannot be: on PyPy, without the GIL.

`_ffi` loads the C module of this name if the extension has it; else this one
is imported, and every call goes the long way: the same, but slower. What
stands here is all that the C module has.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from threading import RLock
from typing import TYPE_CHECKING, Any, Callable, TypeVar
from weakref import WeakValueDictionary

from pyssl._quick_bio import Bio, Method, hold_plain, release_plain

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyssl.session import SSL_SESSION, _Shared

__all__ = [
    "AT_FIRST",
    "Bio",
    "Conn",
    "Ctx",
    "Method",
    "Part",
    "Session",
    "asks_changed",
    "hold_plain",
    "queued",
    "release_plain",
    "watch",
    "wrapped",
]

T = TypeVar("T")

# What conn_base.USELESS is: no call here leaves the lock alone.
AT_FIRST = 0


def asks_changed() -> None:
    """Hear that a context asks the application something else now."""


def queued(full: bool, /) -> None:
    """Hear that an error queue of this thread got, or lost, its entries."""


def watch() -> None:
    """Hear that somebody is to be told of objects made and dropped."""


class Ctx:
    """The part of an SSL_CTX that a new SSL looks at."""

    __slots__ = (
        "_ca_names",
        "_copied",
        "_for_role",
        "_hooks",
        "_remove_session",
        "_settings",
        "_tells",
        "live_asks",
    )

    _ca_names: tuple[bytes, ...]
    _copied: Any  # the callbacks that a connection takes along
    _for_role: int  # of its method
    _hooks: Any
    _remove_session: Any  # who hears of sessions that are given up
    _settings: Any  # the snapshot, None once it was freed
    _tells: bool  # somebody is to be told of events
    live_asks: int  # what it is asked itself, as PYS_ASKS bits

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin with nothing."""
        self = super().__new__(cls)
        self._settings = self._hooks = self._copied = None
        self._tells = False
        self.live_asks = 0
        return self

    def _publish(self, owner: Any, address: int) -> None:
        """Exchange the settings.

        Args:
            owner: What frees them in the end, or None for none.
            address: Of the settings; 0 for none.

        Errors:
            RuntimeError: one without the other.
        """
        if (owner is None) is (address != 0):
            raise RuntimeError("an owner and an address, or no")
        self._settings = owner


# The parts of the sessions, by the core's address, and for finding them: the
# garbage collector may come in between and free a connection.
_known: WeakValueDictionary[int, _Shared] = WeakValueDictionary()
_finding = RLock()


class Part:
    """What all objects of one session have in common."""

    __slots__ = ("__weakref__", "alone", "ex", "handle", "known")

    alone: bool  # nobody else has it, so that all of it may be set
    ex: dict[int, Any] | None  # application data
    handle: Any  # the core's session
    known: bool  # it is, or was, among the parts that are found

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin with nothing."""
        self = super().__new__(cls)
        self.alone = self.known = False
        self.ex = None
        return self

    def __del__(self) -> None:
        """Run the callbacks of application data."""
        if self.known:
            self._gone()

    def _gone(self) -> None:
        raise NotImplementedError


class Session:
    """An object that stands for a session."""

    __slots__ = ("_refs", "_shared")

    _refs: int
    _shared: Any  # a part; None once it was freed

    def __new__(cls, *_arguments: Any, **_named: Any) -> Self:
        """Begin with one reference."""
        self = super().__new__(cls)
        self._refs = 1
        self._shared = None
        return self

    def _made(self) -> None:
        raise NotImplementedError


def wrapped(
    types: tuple[type[SSL_SESSION], type[_Shared]],
    address: int,
    alone: bool,
    /,
) -> SSL_SESSION | None:
    """Make an object of a session of the core.

    Args:
        types: What to make it of.
        address: Of the session, whose reference is handed over; or 0.
        alone: Nobody else has it.

    Returns:
        The object; None for 0.
    """
    if address == 0:
        return None
    mine: _Shared = types[1]()
    mine.handle = mine._owned(mine._pointer(address))
    mine.alone = alone
    with _finding:
        part = _known.setdefault(address, mine)
    session = types[0].__new__(types[0])
    session._shared = part
    if part is mine:
        mine.known = True
        session._made()
    return session


class Conn:
    """The part of an SSL that its most frequent calls need."""

    __slots__ = (
        "_asks",
        "_ca_names",
        "_conn",
        "_copied",
        "_ctx",
        "_ex",
        "_fits",
        "_last",
        "_live",
        "_locks",
        "_parked",
        "_quick_read",
        "_quick_write",
        "_rbio",
        "_read_epoch",
        "_read_want",
        "_reader",
        "_reading_thread",
        "_refs",
        "_rest",
        "_role",
        "_session_ctx",
        "_session_part",
        "_settings",
        "_told",
        "_unsent",
        "_wbio",
        "_write_epoch",
        "_write_want",
        "_writer",
        "_writing_thread",
    )

    _asks: int  # what is asked at all, as PYS_ASKS bits
    _ca_names: tuple[bytes, ...]
    _conn: Any  # the core's connection, or None
    _copied: Any  # the callbacks that it took along
    _ctx: Any
    _ex: Any  # application data
    _fits: bool  # there is a role, and the method of the context has it
    _last: int  # the direction of the last call
    _live: int  # what its context was asked when it was looked at
    _locks: tuple[Any, Any]
    _parked: Any  # an exception, until it can be raised
    _quick_read: int
    _quick_write: int
    _rbio: Any
    _read_epoch: int
    _read_want: int
    _reader: int
    _reading_thread: int
    _refs: int
    _rest: bool  # reading left something that is to be sent
    _role: int
    _session_ctx: Any  # the context that it was made from
    _session_part: Any  # keeps the application data of its session
    _settings: Any
    _told: Any  # who is to be told of events, or None
    _unsent: Any  # what a write is to be repeated with
    _wbio: Any
    _write_epoch: int
    _write_want: int
    _writer: int  # the thread that is inside; 0 for none
    _writing_thread: int  # the thread whose call was the last one

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin with nothing."""
        self = super().__new__(cls)
        self._conn = self._settings = self._rbio = self._wbio = None
        self._parked = self._told = self._ex = self._unsent = None
        self._session_part = None
        self._role = 2  # conn.py: _NO_ROLE
        self._fits = self._rest = False
        self._last = 0
        self._locks = allocate_lock(), allocate_lock()
        self._read_want = self._write_want = 1  # SSL_NOTHING
        self._quick_read = self._quick_write = AT_FIRST
        self._reader = self._writer = 0
        self._reading_thread = self._writing_thread = 0
        return self

    def _keep(self, owner: Any, address: int) -> None:
        """Exchange the core's connection.

        Args:
            owner: What frees it in the end, or None for none.
            address: Of the connection; 0 for none.

        Errors:
            RuntimeError: there is one already.
        """
        if (owner is None) is (address != 0) or (
            owner is not None and self._conn is not None
        ):
            raise RuntimeError("it has a connection, or none")
        self._conn = owner

    def _heard(self) -> None:
        """Hear that what the context asks is known to this connection."""

    # ---- getting in --------------------------------------------------------

    def _take(self, writing: int, /) -> None:
        """Take the lock of a direction: 0 for reading, 1 for writing."""
        self._locks[writing].acquire()

    def _try_take(self, writing: int, /) -> bool:
        """Take a lock if it is free."""
        return bool(self._locks[writing].acquire(False))

    def _give(self, writing: int, /) -> None:
        """Release a lock."""
        self._locks[writing].release()

    def _alive(self) -> Any:
        """Give the core's connection, or raise for a freed object."""
        conn = self._conn
        if conn is None:
            raise ValueError("this SSL was freed")
        return conn

    def _enter(self) -> Any:
        """Give the core's connection to a call that is to do I/O."""
        me = get_ident()
        if self._reader == me or self._writer == me:
            raise RuntimeError(
                "a callback or BIO operation may not use its own SSL for I/O"
            )
        return self._alive()

    def _alone(self, do: Callable[..., T], /, *arguments: Any) -> T:
        """Run do(conn, *arguments) with both locks; not from a callback."""
        self._enter()
        try:
            with self._locks[0], self._locks[1]:
                conn = self._alive()
                self._reader = self._writer = get_ident()
                try:
                    return do(conn, *arguments)
                finally:
                    self._reader = self._writer = 0
        finally:
            if self._rest:
                self._send_rest()

    def _exclusive(self, do: Callable[..., T], /, *arguments: Any) -> T:
        """As _alone, or inside a callback that has both locks."""
        me = get_ident()
        if self._reader == me and self._writer == me:
            return do(self._alive(), *arguments)
        return self._alone(do, *arguments)

    def _facts(self, get: Callable[[Any], T], /) -> T:
        """Run get while nothing can change what was agreed.

        That happens under both locks, so whichever is free will do: a
        reader that waits for its peer keeps nobody from asking.
        """
        conn = self._alive()
        me = get_ident()
        if self._reader == me or self._writer == me:
            return get(conn)
        lock = self._locks[1]
        if not lock.acquire(False):
            if self._locks[0].acquire(False):
                lock = self._locks[0]
            else:
                lock.acquire()
        try:
            return get(conn)
        finally:
            lock.release()
            if self._rest:
                self._send_rest()

    # ---- left to SSL -------------------------------------------------------

    def _make(self, ctx: Any) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _be(self, role: int) -> None:
        raise NotImplementedError

    def _set_bio(self, rbio: Any, wbio: Any) -> None:
        raise NotImplementedError

    def _set_name(self, name: Any) -> int:
        raise NotImplementedError

    def _set_host(self, name: Any) -> int:
        raise NotImplementedError

    def _set_shutdown(self, mode: int) -> None:
        raise NotImplementedError

    def _send_rest(self) -> None:
        raise NotImplementedError

    def _shake_hands(self, role: int, hidden: bool) -> int:
        raise NotImplementedError

    def _get_error(self, ret: int) -> int:
        raise NotImplementedError

    def _read(self, buf: Any, num: int | None, peek: bool, n: int = 0) -> int:
        raise NotImplementedError

    def _write(self, data: Any, num: int | None, n: int = 0) -> int:
        raise NotImplementedError

    def _get_session(self) -> SSL_SESSION | None:
        raise NotImplementedError

    def _set_session(self, session: SSL_SESSION | None) -> int:
        raise NotImplementedError

    # ---- life --------------------------------------------------------------

    def __init__(self, ctx: Any) -> None:
        """Make a connection with the settings that a context has now.

        Errors:
            TypeError: not a context.
            ValueError: a context that was freed.
            RuntimeError: made anew, by one of its own callbacks.
        """
        self._make(ctx)

    def __del__(self) -> None:
        """Let go of the BIOs."""
        if self._conn is not None:
            self._end()

    # ---- wishes ------------------------------------------------------------

    def set_connect_state(self) -> None:
        """Take the client role and begin anew.

        Source: SSL_set_connect_state(3); contract 1.4.
        """
        self._be(0)

    def set_accept_state(self) -> None:
        """Take the server role and begin anew.

        Source: SSL_set_accept_state(3); contract 1.4.
        """
        self._be(1)

    def set_bio(self, rbio: Any, wbio: Any) -> None:
        """Read from one BIO and write to another, or the same.

        The BIOs given stay valid for the caller; those held before are let
        go.

        Source: SSL_set_bio(3); contract 4.1.
        """
        self._set_bio(rbio, wbio)

    def set_tlsext_host_name(self, name: str | bytes | None) -> int:
        """Set the server name that a client sends; None for none.

        Args:
            name: 1 to 255 bytes, ASCII.

        Returns:
            1; 0 with SSL_R_SSL3_EXT_INVALID_SERVERNAME for another length.

        Source: SSL_set_tlsext_host_name(3); contract SNI-1.
        """
        return self._set_name(name)

    def set1_host(self, name: str | bytes | None) -> int:
        """Set the name that the peer's certificate must match.

        Args:
            name: Host name or IP address, in place of earlier ones; None or
                empty for any certificate.

        Returns:
            1, or 0 for a name that is too long.

        Source: SSL_set1_host(3); contract VFY-10.
        """
        return self._set_host(name)

    def set_shutdown(self, mode: int) -> None:
        """Overwrite what was sent and received, without I/O.

        Source: SSL_set_shutdown(3); contract SD-12, SD-13.
        """
        self._set_shutdown(mode)

    # ---- the calls ---------------------------------------------------------

    def do_handshake(self) -> int:
        """Start or continue the handshake, in the role that was set.

        Returns:
            1 once it is complete; 0 if the peer closed before; -1
            otherwise, and `get_error` tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: move the BIO's bytes,
                call again.
            SSL_ERROR_WANT_X509_LOOKUP, SSL_ERROR_WANT_CLIENT_HELLO_CB: a
                callback suspended the handshake; call again.
            SSL_ERROR_SSL: it failed; a retry does not help.
            SSL_ERROR_SYSCALL: the transport failed.

        Source: SSL_do_handshake(3); contract 1.1.
        """
        return self._shake_hands(2, False)  # conn.py: _NO_ROLE

    def get_error(self, ret: int) -> int:
        """Say what a return value of this thread's last call here means.

        Args:
            ret: The value that the I/O call returned.

        Returns:
            An SSL_ERROR_ constant.

        Source: SSL_get_error(3); contract 2.1.
        """
        return self._get_error(ret)

    def read(self, buf: Any, num: int | None = None) -> int:
        """Read application data, of one record at most.

        Args:
            buf: Writable, contiguous, bytes-like.
            num: Bytes to read at most; all of buf if left out.

        Returns:
            How many bytes were read; 0 or -1 if none were, and `get_error`
            tells why.

        Errors:
            SSL_ERROR_ZERO_RETURN: the peer closed.
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.
            SSL_ERROR_SSL: fatal, also the end of the transport.
            SSL_ERROR_SYSCALL: the transport failed.

        Source: SSL_read(3); contract 5.1.
        """
        return self._read(buf, num, False)

    def write(self, data: Any, num: int | None = None) -> int:
        """Write application data, all of it unless partial writes are on.

        Args:
            data: Contiguous, bytes-like. After a call that wants to be
                repeated, the very same object with the same bytes, unless
                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER is set.
            num: How many bytes of it; all if left out.

        Returns:
            How many bytes were written; 0 for no bytes; -1 otherwise, and
            `get_error` tells why.

        Errors:
            SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.
            SSL_ERROR_SSL: fatal, or wrong use.
            SSL_ERROR_SYSCALL: the transport failed.

        Source: SSL_write(3); contract 5.2.
        """
        return self._write(data, num)

    def set_session(self, session: SSL_SESSION | None) -> int:
        """Set the session that the next handshake, as client, offers.

        Args:
            session: None for none. One that cannot be resumed is not
                offered.

        Returns:
            1.

        Source: SSL_set_session(3); contract SESS-2.
        """
        return self._set_session(session)

    def get_session(self) -> SSL_SESSION | None:
        """Give the session in use or to be offered, or None.

        Source: SSL_get_session(3); contract SESS-4.
        """
        return self._get_session()

    def get1_session(self) -> SSL_SESSION | None:
        """As `get_session`: every object has a reference of its own."""
        return self._get_session()
