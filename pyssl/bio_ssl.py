"""BIO_f_ssl(3): a filter that speaks TLS through the BIOs behind it."""

from __future__ import annotations

from typing import Any, Optional

from pyssl import err
from pyssl._ffi import lib
from pyssl.bio import BIO, BIO_new
from pyssl.bio_buffer import BIO_f_buffer
from pyssl.bio_built import answer_with, ask_again, begin, mirror
from pyssl.bio_connect import BIO_s_connect
from pyssl.bio_life import NEITHER, READING, WRITING
from pyssl.bio_method import BIO_METHOD, built_of
from pyssl.conn import SSL
from pyssl.const import (
    ERR_LIB_BIO,
    SSL_ERROR_WANT_ACCEPT,
    SSL_ERROR_WANT_CONNECT,
    SSL_ERROR_WANT_READ,
    SSL_ERROR_WANT_WRITE,
    SSL_ERROR_WANT_X509_LOOKUP,
    SSL_RECEIVED_SHUTDOWN,
    SSL_SENT_SHUTDOWN,
)
from pyssl.const_bio import (
    BIO_C_DO_STATE_MACHINE,
    BIO_C_GET_SSL,
    BIO_C_GET_SSL_NUM_RENEGOTIATES,
    BIO_C_SET_SSL,
    BIO_C_SET_SSL_RENEGOTIATE_BYTES,
    BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT,
    BIO_C_SSL_MODE,
    BIO_CLOSE,
    BIO_CTRL_DUP,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_GET_CALLBACK,
    BIO_CTRL_GET_CLOSE,
    BIO_CTRL_INFO,
    BIO_CTRL_PENDING,
    BIO_CTRL_POP,
    BIO_CTRL_PUSH,
    BIO_CTRL_RESET,
    BIO_CTRL_SET_CLOSE,
    BIO_CTRL_WPENDING,
    BIO_FLAGS_READ,
    BIO_FLAGS_SHOULD_RETRY,
    BIO_FLAGS_WRITE,
    BIO_R_UNINITIALIZED,
    BIO_RR_ACCEPT,
    BIO_RR_CONNECT,
    BIO_RR_SSL_X509_LOOKUP,
    BIO_TYPE_SSL,
)
from pyssl.ctx import SSL_CTX

# FSSL-2: what SSL_get_error(3) said, as flags and a reason.
_RETRIES = {
    SSL_ERROR_WANT_READ: BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY,
    SSL_ERROR_WANT_WRITE: BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY,
}
_REASONS = {
    SSL_ERROR_WANT_X509_LOOKUP: BIO_RR_SSL_X509_LOOKUP,
    SSL_ERROR_WANT_CONNECT: BIO_RR_CONNECT,
    SSL_ERROR_WANT_ACCEPT: BIO_RR_ACCEPT,
}

# One record; a read gives no more.
_RECORD = 16384
_FEWEST_BYTES = 512
_FEWEST_SECONDS, _SECONDS_FOR_FEWER = 60, 5

_OPEN = lib.PYS_OPEN


class _Filter:
    """What an SSL BIO knows and has."""

    __slots__ = ("bytes", "owned", "seconds", "ssl", "unsent")

    def __init__(self) -> None:
        self.ssl: Optional[SSL] = None
        self.owned = False  # a reference of the SSL is ours
        self.unsent: Optional[bytes] = None  # a write to be repeated
        self.bytes = self.seconds = 0  # FSSL-9


def _create(b: BIO) -> int:
    b._keep = _Filter()
    return 1


def _mark(b: BIO, ssl: SSL, ret: int, writing: int) -> int:
    """Let the flags say what SSL_get_error says of a result."""
    code = ssl.get_error(ret)
    if code in _RETRIES:
        errno = ssl.last_errno()
        ask_again(b, writing, 0, errno, _RETRIES[code])
    elif code in _REASONS:
        ask_again(b, writing, _REASONS[code], ssl.last_errno())
    return ret


# ---- moving bytes -----------------------------------------------------------


def _none(b: BIO) -> int:
    """Queue that there is no SSL (BIO-18)."""
    del b
    err.put(ERR_LIB_BIO, BIO_R_UNINITIALIZED)
    return -1


def _read(b: BIO, n: int) -> bytes | int:
    begin(b, READING)
    ssl: Optional[SSL] = b._keep.ssl
    if ssl is None:
        return _none(b)
    room = bytearray(min(n, _RECORD))
    got = ssl.read(room)
    if got > 0:
        return bytes(room[:got])
    return _mark(b, ssl, got, READING)


def _write(b: BIO, view: memoryview) -> int:
    """Write; a repeated write is made with the object of the first."""
    begin(b, WRITING)
    keep: _Filter = b._keep
    ssl = keep.ssl
    if ssl is None:
        return _none(b)
    data, keep.unsent = keep.unsent, None
    if data is None or view[: len(data)] != data:
        data = bytes(view)
    put = ssl.write(data)
    if put > 0:
        return put
    _mark(b, ssl, put, WRITING)
    keep.unsent = data
    return put


def _puts(b: BIO, data: bytes) -> int:
    return _write(b, memoryview(data))


# ---- the SSL ----------------------------------------------------------------


def _goodbye(ssl: SSL) -> None:
    """Try once to close a connection, unless somebody is at work with it.

    What is queued by that is taken off again.
    """
    conn = ssl._conn
    if conn is None or lib.pys_conn_phase(conn) != _OPEN:
        return
    if lib.pys_conn_get_shutdown(conn) & SSL_SENT_SHUTDOWN:
        return
    wbio = ssl._wbio
    if wbio is None or wbio._dying or not _is_idle(ssl):
        return
    had = err.ERR_set_mark()
    try:
        ssl.shutdown()
    finally:
        if had:
            err.ERR_pop_to_mark()
        else:
            err.clear()


def _is_idle(ssl: SSL) -> bool:
    """Tell whether no thread, this one included, is inside an SSL."""
    for writing in (0, 1):
        if not ssl._try_take(writing):
            return False
        ssl._give(writing)
    if ssl._rest:
        ssl._send_rest()
    return True


def _own(keep: _Filter, ssl: SSL) -> None:
    """Take a reference, which goes with the BIO."""
    ssl.up_ref()
    keep.owned = True


def _disown(keep: _Filter) -> None:
    """Leave the reference to the application, if it has no other."""
    ssl = keep.ssl
    if keep.owned and ssl is not None and ssl._refs > 1:
        ssl.free()
    keep.owned = False


def _let_go(b: BIO, collected: bool) -> None:
    """Take leave of the SSL (FSSL-6).

    If the garbage collector found the BIO, the SSL ends with its last
    Python object.
    """
    keep: _Filter = b._keep
    ssl, keep.ssl = keep.ssl, None
    owned, keep.owned = keep.owned, False
    keep.unsent = None
    if ssl is None:
        return
    try:
        _goodbye(ssl)
    finally:
        if owned and not collected and ssl._conn is not None:
            ssl.free()


def _set_ssl(b: BIO, close: int, ssl: Any) -> int:
    """Take an SSL, and the BIO that it reads into the chain."""
    if not isinstance(ssl, SSL):
        raise TypeError(f"an SSL is needed, not {ssl!r}")
    ssl._alive()
    fresh = _Filter()
    if close:
        _own(fresh, ssl)
    _let_go(b, False)
    fresh.ssl = ssl
    b._keep = fresh
    b._shutdown = int(close != 0)
    b._init = 1
    rbio, after = ssl.get_rbio(), b._next
    if rbio is None:
        _attach(b)
    elif rbio is not after:
        if after is not None:
            rbio._link(rbio._last(), after)
        b._link(b, rbio)
    return 1


def _attach(b: BIO) -> int:
    """Let the SSL use the BIO that was pushed behind (FSSL-1)."""
    ssl, after = b._keep.ssl, b._next
    if ssl is not None and after is not None and ssl._rbio is not after:
        ssl.set_bio(after, after)
    return 1


def _detach(b: BIO, popped: Any) -> int:
    """Take the BIO away from the SSL when this one is popped (FSSL-8)."""
    ssl = b._keep.ssl
    if popped is b and ssl is not None:
        ssl.set_bio(None, None)
    return 1


def _set_mode(ssl: SSL, client: int) -> int:
    if client:
        ssl.set_connect_state()
    else:
        ssl.set_accept_state()
    return 1


def _shake_hands(b: BIO, ssl: SSL) -> int:
    begin(b, NEITHER)
    return _mark(b, ssl, ssl.do_handshake(), NEITHER)


def _reset(b: BIO, ssl: SSL) -> int:
    """Close, and begin anew in the same role (FSSL-5)."""
    _goodbye(ssl)
    b._keep.unsent = None
    if ssl._role == lib.PYS_CLIENT:
        ssl.set_connect_state()
    elif ssl._role == lib.PYS_SERVER:
        ssl.set_accept_state()
    ssl.clear()
    begin(b, NEITHER)
    after: Any = b._next or ssl._rbio
    return 1 if after is None else int(after._ctrl(BIO_CTRL_RESET, 0, None))


def _set_close(b: BIO, flag: int) -> int:
    keep: _Filter = b._keep
    if keep.ssl is not None and flag and not keep.owned:
        _own(keep, keep.ssl)
    elif not flag:
        _disown(keep)
    b._shutdown = int(flag != 0)
    return 1


def _copy(ssl: SSL, other: Any) -> int:
    """Give another SSL BIO an SSL with the settings of this one's.

    What belongs to one connection is not copied: session, server name,
    application data.
    """
    theirs = getattr(other, "_keep", None)
    if not isinstance(theirs, _Filter):
        return 0
    fresh = SSL(ssl._ctx)
    settings = ssl._snapshot()
    lib.pys_conn_set_settings(fresh._conn, settings)
    fresh._settings = settings
    fresh._session_ctx = ssl._session_ctx
    fresh._copied = ssl._copied
    fresh._asks, fresh._live = ssl._asks, ssl._live
    fresh._ca_names = ssl._ca_names
    if ssl._role != lib.PYS_NO_ROLE:
        _set_mode(fresh, int(ssl._role == lib.PYS_CLIENT))
    other._keep = copy = _Filter()
    copy.ssl, copy.owned = fresh, True
    copy.bytes, copy.seconds = theirs.bytes, theirs.seconds
    other._shutdown = BIO_CLOSE
    other._init = 1
    return 1


def _note(keep: _Filter, cmd: int, num: int) -> int:
    """Note when to renegotiate, which does not happen (FSSL-9)."""
    if cmd == BIO_C_SET_SSL_RENEGOTIATE_BYTES:
        before = keep.bytes
        if num >= _FEWEST_BYTES:
            keep.bytes = num
        return before
    before = keep.seconds
    keep.seconds = num if num >= _FEWEST_SECONDS else _SECONDS_FOR_FEWER
    return before


def _ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
    keep: _Filter = b._keep
    if cmd == BIO_C_SET_SSL:
        return _set_ssl(b, larg, parg)
    ssl = keep.ssl
    if ssl is None:
        return 0
    if cmd == BIO_C_DO_STATE_MACHINE:
        return _shake_hands(b, ssl)
    if cmd == BIO_CTRL_PUSH:
        return _attach(b)
    if cmd == BIO_CTRL_POP:
        return _detach(b, parg)
    if cmd == BIO_CTRL_RESET:
        return _reset(b, ssl)
    if cmd == BIO_CTRL_SET_CLOSE:
        return _set_close(b, larg)
    if cmd == BIO_CTRL_DUP:
        return _copy(ssl, parg)
    if cmd == BIO_C_GET_SSL:
        return answer_with(parg, ssl)
    if cmd == BIO_C_SSL_MODE:
        return _set_mode(ssl, larg)
    return _ask(b, ssl, cmd, larg, parg)


def _ask(b: BIO, ssl: SSL, cmd: int, larg: int, parg: Any) -> int:
    """Do a command that changes nothing here, or is for another BIO."""
    if cmd == BIO_CTRL_GET_CLOSE:
        return int(b._shutdown != 0)
    if cmd == BIO_CTRL_GET_CALLBACK:
        return answer_with(parg, ssl.get_info_callback())
    if cmd in {BIO_CTRL_INFO, BIO_C_GET_SSL_NUM_RENEGOTIATES}:
        return 0
    if cmd in {
        BIO_C_SET_SSL_RENEGOTIATE_BYTES,
        BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT,
    }:
        return _note(b._keep, cmd, larg)
    if cmd == BIO_CTRL_PENDING:
        waiting = ssl.pending()
        if waiting > 0:
            return waiting
    if cmd == BIO_CTRL_EOF and ssl.get_shutdown() & SSL_RECEIVED_SHUTDOWN:
        return int(ssl.pending() == 0)
    writes = cmd in {BIO_CTRL_FLUSH, BIO_CTRL_WPENDING}
    other: Any = ssl._wbio if writes else ssl._rbio
    if other is None:
        return 0
    if cmd == BIO_CTRL_FLUSH:
        begin(b, WRITING)
    ret = int(other._ctrl(cmd, larg, parg))
    if cmd == BIO_CTRL_FLUSH:
        mirror(b, other, WRITING)
    return ret


def _callback_ctrl(b: BIO, cmd: int, cb: Any) -> int:
    """Set the info callback of the SSL; 0 if there is none."""
    del cmd
    ssl: Optional[SSL] = b._keep.ssl
    if ssl is None:
        return 0
    ssl.set_info_callback(cb)
    return 1


_SSL = built_of(
    BIO_TYPE_SSL,
    "ssl",
    create=_create,
    finish=_let_go,
    read=_read,
    write=_write,
    puts=_puts,
    ctrl=_ctrl,
    callback_ctrl=_callback_ctrl,
)


def BIO_f_ssl() -> BIO_METHOD:
    """Give the type of SSL filters. Source: BIO_f_ssl(3)."""
    return _SSL


def BIO_new_ssl(ctx: SSL_CTX, client: int) -> BIO | None:
    """Make an SSL BIO with an SSL of its own.

    Args:
        ctx: What the SSL is made of.
        client: 1 for a client, 0 for a server.

    Source: BIO_new_ssl(3).
    """
    ssl = SSL(ctx)
    _set_mode(ssl, client)
    bio = BIO_new(_SSL)
    if bio is None:
        return None
    bio._keep.ssl, bio._keep.owned = ssl, True
    bio._shutdown = BIO_CLOSE
    bio._init = 1
    return bio


def BIO_new_ssl_connect(ctx: SSL_CTX) -> BIO | None:
    """Make a client's SSL BIO with a connect BIO behind it.

    Source: BIO_new_ssl_connect(3).
    """
    bio = BIO_new_ssl(ctx, 1)
    after = BIO_new(BIO_s_connect())
    if bio is None or after is None:
        return None
    return bio.push(after)


def BIO_new_buffer_ssl_connect(ctx: SSL_CTX) -> BIO | None:
    """As `BIO_new_ssl_connect`, with a buffer BIO in front.

    Source: BIO_new_buffer_ssl_connect(3).
    """
    bio = BIO_new(BIO_f_buffer())
    after = BIO_new_ssl_connect(ctx)
    if bio is None or after is None:
        return None
    return bio.push(after)


def _ssls(bio: Any) -> list[SSL]:
    """Give the SSLs of a chain of BIOs."""
    if not isinstance(bio, BIO):
        raise TypeError(f"a BIO is needed, not {bio!r}")
    bio._usable()
    found = []
    step: Any = bio
    while step is not None:
        if isinstance(step._keep, _Filter) and step._keep.ssl is not None:
            found.append(step._keep.ssl)
        step = step._next
    return found


def BIO_ssl_copy_session_id(to: BIO, from_: BIO) -> int:
    """Let one SSL BIO offer the session of another.

    Args:
        to: a chain with the SSL BIO that gets it.
        from_: a chain with the SSL BIO that has it.

    Returns:
        1, or 0 if a chain has no SSL BIO with an SSL.

    Source: BIO_ssl_copy_session_id(3).
    """
    ours, theirs = _ssls(to), _ssls(from_)
    if not ours or not theirs:
        return 0
    return ours[0].set_session(theirs[0].get1_session())


def BIO_ssl_shutdown(bio: BIO) -> None:
    """Call SSL_shutdown for each SSL BIO of a chain.

    Source: BIO_ssl_shutdown(3).
    """
    for ssl in _ssls(bio):
        ssl.shutdown()
