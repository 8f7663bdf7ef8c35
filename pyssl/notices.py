"""What happened on a connection, told to the application's callbacks.

The core keeps notices in order; after each of its calls `deliver` hands
them to the info and message callbacks. While one runs, the connection shows
the state that it had when the thing happened. These callbacks cannot fail:
what they raise goes to `sys.unraisablehook` (CV-7).
"""

from __future__ import annotations

from _thread import get_ident
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar

from pyssl._ffi import bytes_of, lib
from pyssl.const import SSL_CB_EXIT, SSL_ST_ACCEPT, SSL_ST_CONNECT

if TYPE_CHECKING:
    from pyssl.conn import SSL
    from pyssl.conn_base import ConnBase

F = TypeVar("F")

# cb(ssl, where, ret).
InfoCallback = Callable[["SSL", int, int], Any]
# cb(write_p, version, content_type, buf, ssl, arg).
MsgCallback = Callable[[int, int, int, bytes, "SSL", Any], Any]

_INFO = lib.PYS_WATCH_INFO
_MSG = lib.PYS_WATCH_MSG
_next_notice = lib.pys_conn_next_notice


def callback(cb: F) -> F:
    """Check an argument that must be a callable or None."""
    if cb is not None and not callable(cb):
        raise TypeError(f"a callable or None is needed, not {cb!r}")
    return cb


class Hooks(NamedTuple):
    """Whom a context wants its connections to tell."""

    info: InfoCallback | None = None
    msg: MsgCallback | None = None
    msg_arg: Any = None


NOBODY = Hooks()


class Told:
    """Whom one connection tells.

    Attributes:
        info: The callback set for this connection alone.
        shared: The one it got from its context, for want of another.
        msg, msg_arg: The message callback and its argument.
        bits: What the core keeps for them, PYS_WATCH_ bits.
        states: What state a callback is told about: of the reading half,
            and of the other; None while none runs.
    """

    __slots__ = ("bits", "info", "msg", "msg_arg", "shared", "states")

    def __init__(self, hooks: Hooks) -> None:
        """Begin with the callbacks of the context."""
        self.info: InfoCallback | None = None
        self.shared = hooks.info
        self.msg = hooks.msg
        self.msg_arg = hooks.msg_arg
        self.bits = 0
        self.states: list[int | None] = [None, None]

    def wanted(self) -> int:
        """Give the PYS_WATCH_ bits of the callbacks that there are."""
        bits = 0 if (self.info or self.shared) is None else _INFO
        return bits | (0 if self.msg is None else _MSG)

    def state_for(self, ssl: ConnBase) -> int | None:
        """Give the state to show to a callback of this thread, if it is."""
        me = get_ident()
        if ssl._reader == me and self.states[0] is not None:
            return self.states[0]
        return self.states[1] if ssl._writer == me else None


class _Unraisable:
    """Hands an exception to sys.unraisablehook, by going away."""

    __slots__ = ("_raised",)

    def __init__(self, raised: BaseException) -> None:
        self._raised = raised

    def __del__(self) -> None:
        raise self._raised


def guarded(call: Callable[..., Any], *arguments: Any) -> None:
    """Call what cannot fail (CV-7)."""
    try:
        call(*arguments)
    except BaseException as e:  # noqa: BLE001 - it cannot fail
        _Unraisable(e)


def deliver(ssl: Any, conn: Any, writing: int) -> None:
    """Tell what has gathered in one half of a connection.

    Args:
        ssl: The SSL; nothing happens if it tells nobody.
        conn: The core's connection.
        writing: 0 for the reading half, with the handshake; 1 for the
            other. The caller holds that half's lock.
    """
    told = ssl._told
    if told is None:
        return
    while True:
        notice = _next_notice(conn, writing)
        if not notice:
            return
        kind, where, ret = notice.kind, notice.where, notice.ret
        type_, data = notice.type, bytes_of(notice.p, notice.n)
        told.states[writing] = notice.state
        try:
            if kind == _INFO:
                _tell_info(ssl, told, where, ret)
            elif kind == _MSG:
                if told.msg is not None:
                    arg = told.msg_arg
                    guarded(told.msg, where, ret, type_, data, ssl, arg)
            else:
                _Unraisable(MemoryError("notices of an SSL were lost"))
        finally:
            told.states[writing] = None


def _tell_info(ssl: Any, told: Told, where: int, ret: int) -> None:
    call = told.info or told.shared
    if call is not None:
        guarded(call, ssl, where, ret)


def suspended(ssl: Any) -> None:
    """Tell that a handshake call ends as a callback suspended it (INFO-4)."""
    told = ssl._told
    if told is not None:
        server = ssl._role == lib.PYS_SERVER
        side = SSL_ST_ACCEPT if server else SSL_ST_CONNECT
        _tell_info(ssl, told, SSL_CB_EXIT | side, -1)
