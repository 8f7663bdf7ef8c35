"""BIO_s_connect(3): a source that makes its own connection.

The states are those of the C libraries, one function each, and the loop in
`_advance` goes from one to the next. Names are looked up, and the connection
made, without any lock but that of this one BIO's connecting. Once connected
a socket BIO of the core does the I/O.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
from collections.abc import Callable, Iterator
from threading import get_ident
from typing import Any, Optional

from pyssl import err
from pyssl._ffi import lib
from pyssl.bio import BIO, BIO_new, BIO_new_socket
from pyssl.bio_built import (
    HostServiceError,
    answer_with,
    ask_again,
    begin,
    host_service,
    keep_errno,
    native_read,
    native_write,
    words,
)
from pyssl.bio_life import NEITHER, READING, WRITING, result
from pyssl.bio_method import BIO_METHOD, built_of
from pyssl.const import ERR_LIB_BIO, ERR_R_SYS_LIB
from pyssl.const_bio import (
    BIO_C_DO_STATE_MACHINE,
    BIO_C_GET_CONNECT,
    BIO_C_GET_FD,
    BIO_C_SET_CONNECT,
    BIO_C_SET_NBIO,
    BIO_CLOSE,
    BIO_CONN_S_BEFORE,
    BIO_CONN_S_BLOCKED_CONNECT,
    BIO_CONN_S_CONNECT,
    BIO_CONN_S_CONNECT_ERROR,
    BIO_CONN_S_CREATE_SOCKET,
    BIO_CONN_S_GET_ADDR,
    BIO_CONN_S_OK,
    BIO_CTRL_DUP,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_GET_CALLBACK,
    BIO_CTRL_GET_CLOSE,
    BIO_CTRL_RESET,
    BIO_CTRL_SET_CLOSE,
    BIO_R_CONNECT_ERROR,
    BIO_R_INVALID_ARGUMENT,
    BIO_R_NBIO_CONNECT_ERROR,
    BIO_R_NO_HOSTNAME_OR_SERVICE_SPECIFIED,
    BIO_R_NO_PORT_DEFINED,
    BIO_R_UNABLE_TO_CREATE_SOCKET,
    BIO_RR_CONNECT,
    BIO_TYPE_CONNECT,
)

# cb(b, state, ret) -> ret; 0 stops.
InfoCallback = Callable[[Any, int, int], int]
# Family, type, protocol, name, address.
_Address = tuple[Any, Any, int, str, Any]

_LAST_PORT = 0xFFFF
_TURN = 0.01  # seconds between two tries to wake somebody


class _Connect:
    """What a connect BIO knows and has."""

    __slots__ = (
        "addresses",
        "busy",
        "callback",
        "host",
        "inner",
        "lock",
        "nonblocking",
        "port",
        "sock",
        "state",
    )

    def __init__(self) -> None:
        self.host: Optional[str] = None
        self.port: Optional[str] = None
        self.nonblocking = False
        self.callback: Optional[InfoCallback] = None
        self.state = BIO_CONN_S_BEFORE
        self.addresses: list[_Address] = []  # not tried yet
        self.sock: Optional[socket.socket] = None  # until it is connected
        self.inner: Optional[BIO] = None  # from then on
        self.lock = threading.Lock()  # for whoever connects
        self.busy = 0  # the thread that does


def _create(b: BIO) -> int:
    b._keep = _Connect()
    return 1


# ---- connecting -------------------------------------------------------------


def _establish(b: BIO, writing: int) -> int:
    """Connect as far as it goes: 1, or <= 0 with flags or entries."""
    keep: _Connect = b._keep
    if keep.inner is not None:
        return 1
    with _at_work(keep):
        try:
            return _advance(b, keep, writing)
        except BaseException:
            _hang_up(keep)
            raise


@contextlib.contextmanager
def _at_work(keep: _Connect, *, wake: bool = False) -> Iterator[None]:
    """Be the one thread that connects or disconnects.

    Args:
        keep: what the thread works with.
        wake: whoever waits for a connection is to give up. It may be about
            to begin only, so that is said more than once.
    """
    me = get_ident()
    if keep.busy == me:
        raise RuntimeError("a callback may not use the BIO that it is about")
    while not keep.lock.acquire(timeout=_TURN if wake else -1):
        sock = keep.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
    try:
        keep.busy = me
        yield
    finally:
        keep.busy = 0
        keep.lock.release()


def _advance(b: BIO, keep: _Connect, writing: int) -> int:
    """Go from state to state until something has to be waited for."""
    tell = keep.callback
    while True:
        before = keep.state
        ret = _STATES[before](b, keep, writing)
        if ret is not None:
            return ret if tell is None else _tell(b, keep, tell, ret)
        if tell is not None and _tell(b, keep, tell, -1) == 0:
            return 0


def _tell(b: BIO, keep: _Connect, tell: InfoCallback, ret: int) -> int:
    """Ask the info callback what it makes of a state and a result."""
    return result(tell(b, keep.state, ret), "an info callback")


def _fail(reason: int, text: str | None = None) -> int:
    err.put(ERR_LIB_BIO, reason, text)
    return -1


def _where(keep: _Connect) -> str:
    return f"host={keep.host} port={keep.port}"


def _start(b: BIO, keep: _Connect, writing: int) -> int | None:
    del b, writing
    if keep.host is None:
        return _fail(BIO_R_NO_HOSTNAME_OR_SERVICE_SPECIFIED, _where(keep))
    if keep.port is None:
        return _fail(BIO_R_NO_PORT_DEFINED, _where(keep))
    if keep.port.isdecimal() and int(keep.port) > _LAST_PORT:
        return _fail(BIO_R_INVALID_ARGUMENT, _where(keep))
    keep.state = BIO_CONN_S_GET_ADDR
    return None


def _look_up(b: BIO, keep: _Connect, writing: int) -> int | None:
    del b, writing
    try:
        keep.addresses = socket.getaddrinfo(
            keep.host, keep.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as e:
        keep.state = BIO_CONN_S_BEFORE
        return _fail(ERR_R_SYS_LIB, f"{_where(keep)}: {e}")
    keep.state = BIO_CONN_S_CREATE_SOCKET
    return None


def _make_socket(b: BIO, keep: _Connect, writing: int) -> int | None:
    family, kind, protocol, _, _ = keep.addresses[0]
    try:
        keep.sock = socket.socket(family, kind, protocol)
        keep.sock.setblocking(not keep.nonblocking)
    except OSError as e:
        number = e.errno or errno.EINVAL
        return _missed(b, keep, writing, number, BIO_R_UNABLE_TO_CREATE_SOCKET)
    with contextlib.suppress(OSError):
        keep.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    keep.state = BIO_CONN_S_CONNECT
    return None


def _socket(keep: _Connect) -> socket.socket:
    """Give the socket, which is there from its state to the next."""
    sock = keep.sock
    if sock is None:
        raise RuntimeError("a connect BIO without its socket")
    return sock


def _call(b: BIO, keep: _Connect, writing: int) -> int | None:
    try:
        number = _socket(keep).connect_ex(keep.addresses[0][4])
    except OSError as e:  # an address that this system cannot have
        number = e.errno or errno.EINVAL
    if number in {0, errno.EISCONN}:
        keep.state = BIO_CONN_S_OK
        return None
    if lib.pys_bio_fd_non_fatal(number):
        keep.state = BIO_CONN_S_BLOCKED_CONNECT
        return ask_again(b, writing, BIO_RR_CONNECT, number)
    return _missed(b, keep, writing, number, BIO_R_CONNECT_ERROR)


def _look_again(b: BIO, keep: _Connect, writing: int) -> int | None:
    sock = _socket(keep)
    if not _is_writable(sock):
        return ask_again(b, writing, BIO_RR_CONNECT, errno.EINPROGRESS)
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number == 0:
        try:
            sock.getpeername()
        except OSError as e:
            number = e.errno or errno.ENOTCONN
    if number == 0:
        keep.state = BIO_CONN_S_OK
        return None
    return _missed(b, keep, writing, number, BIO_R_NBIO_CONNECT_ERROR)


def _missed(
    b: BIO, keep: _Connect, writing: int, number: int, reason: int
) -> int | None:
    """Go on with the next address, or give up after the last one."""
    _drop_socket(keep)
    del keep.addresses[0]
    if keep.addresses:
        keep.state = BIO_CONN_S_CREATE_SOCKET
        return None
    keep.state = BIO_CONN_S_CONNECT_ERROR
    keep_errno(b, writing, number)
    err.put_sys(number, "calling connect()")
    return _fail(reason, _where(keep))


def _take_over(b: BIO, keep: _Connect, writing: int) -> int:
    """Let a socket BIO have the connection."""
    del b, writing
    if keep.inner is None:
        fd = _socket(keep).detach()
        keep.sock = None
        keep.addresses = []
        keep.inner = BIO_new_socket(fd, BIO_CLOSE)
    return 1


def _stay_down(b: BIO, keep: _Connect, writing: int) -> int:
    """Say again that it failed, until it is reset."""
    del b, writing
    return _fail(BIO_R_CONNECT_ERROR, _where(keep))


_STATES: dict[int, Callable[[BIO, _Connect, int], Optional[int]]] = {
    BIO_CONN_S_BEFORE: _start,
    BIO_CONN_S_GET_ADDR: _look_up,
    BIO_CONN_S_CREATE_SOCKET: _make_socket,
    BIO_CONN_S_CONNECT: _call,
    BIO_CONN_S_BLOCKED_CONNECT: _look_again,
    BIO_CONN_S_OK: _take_over,
    BIO_CONN_S_CONNECT_ERROR: _stay_down,
}


def _is_writable(sock: socket.socket) -> bool:
    """Tell whether a connection is made or has failed."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        return bool(poll.poll(0))
    return any(select.select([], [sock], [sock], 0))


# ---- disconnecting ----------------------------------------------------------


def _wake(fd: int) -> None:
    """End a connection for whoever waits in it; the descriptor stays."""
    sock = socket.socket(fileno=fd)
    try:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    finally:
        sock.detach()


def _drop_socket(keep: _Connect) -> None:
    sock, keep.sock = keep.sock, None
    if sock is not None:
        sock.close()


def _hang_up(keep: _Connect) -> None:
    """Go back to before the connection.

    Its descriptor is closed once no other thread reads or writes it.
    """
    _drop_socket(keep)
    inner, keep.inner = keep.inner, None
    keep.addresses = []
    keep.state = BIO_CONN_S_BEFORE
    if inner is not None:
        with contextlib.suppress(OSError):
            _wake(inner.get_fd())


def _finish(b: BIO, collected: bool) -> None:
    """Close what there is, unless the close flag says no (BIO-5)."""
    del collected
    keep: _Connect = b._keep
    inner, sock = keep.inner, keep.sock
    keep.inner = keep.sock = keep.callback = None
    if sock is not None:
        if b._shutdown:
            sock.close()
        else:
            sock.detach()
    if inner is not None and inner._c is not None and not b._shutdown:
        lib.pys_bio_ctrl(inner._c, BIO_CTRL_SET_CLOSE, 0)


# ---- operations -------------------------------------------------------------


def _read(b: BIO, n: int) -> bytes | int:
    begin(b, READING)
    ret = _establish(b, READING)
    inner = b._keep.inner
    if ret <= 0 or inner is None:  # None: reset by another thread
        return min(ret, 0)
    return native_read(b, inner, n)


def _write(b: BIO, view: memoryview) -> int:
    begin(b, WRITING)
    ret = _establish(b, WRITING)
    inner = b._keep.inner
    if ret <= 0 or inner is None:
        return min(ret, 0)
    return native_write(b, inner, view)


def _puts(b: BIO, data: bytes) -> int:
    return _write(b, memoryview(data))


def _set(b: BIO, which: int, value: Any) -> int:
    """Set host or port; they count from the next connection on."""
    keep: _Connect = b._keep
    if which == 0:
        try:
            found = host_service(words(value, "a host"), prefer_host=True)
        except HostServiceError as e:
            _fail(e.reason)
            return 0
        keep.host, port, named = found
        if named:
            keep.port = port
    elif which == 1:
        keep.port = words(value, "a port") or None
    else:
        return 0
    if keep.state == BIO_CONN_S_CONNECT_ERROR:
        keep.state = BIO_CONN_S_BEFORE
    b._init = 1
    return 1


def _get(b: BIO, which: int, parg: Any) -> int:
    keep: _Connect = b._keep
    if which not in {0, 1}:
        return 0
    return answer_with(parg, keep.port if which else keep.host)


def _descriptor(b: BIO) -> int:
    """Give the descriptor, also while it connects; -1 if there is none."""
    keep: _Connect = b._keep
    inner, sock = keep.inner, keep.sock
    if inner is not None:
        return inner.get_fd()
    return -1 if sock is None else sock.fileno()


def _copy(b: BIO, other: Any) -> int:
    """Give another connect BIO the settings of this one."""
    theirs = getattr(other, "_keep", None)
    if not isinstance(theirs, _Connect):
        return 0
    keep: _Connect = b._keep
    theirs.host, theirs.port = keep.host, keep.port
    theirs.nonblocking = keep.nonblocking
    theirs.callback = keep.callback
    return 1


def _reset(b: BIO) -> int:
    keep: _Connect = b._keep
    with _at_work(keep, wake=True):
        _hang_up(keep)
    begin(b, NEITHER)
    return 0


def _ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
    keep: _Connect = b._keep
    ret = 0
    if cmd == BIO_C_DO_STATE_MACHINE:
        begin(b, NEITHER)
        ret = _establish(b, NEITHER)
    elif cmd == BIO_CTRL_RESET:
        ret = _reset(b)
    elif cmd == BIO_C_SET_CONNECT:
        ret = _set(b, larg, parg)
    elif cmd == BIO_C_GET_CONNECT:
        ret = _get(b, larg, parg)
    elif cmd == BIO_C_SET_NBIO:
        keep.nonblocking = larg != 0
        ret = 1
    elif cmd == BIO_C_GET_FD:
        ret = _descriptor(b)
    elif cmd == BIO_CTRL_GET_CLOSE:
        ret = int(b._shutdown != 0)
    elif cmd == BIO_CTRL_SET_CLOSE:
        b._shutdown = int(larg != 0)
        ret = 1
    elif cmd == BIO_CTRL_FLUSH:
        ret = 1
    elif cmd == BIO_CTRL_EOF:
        inner = keep.inner
        ret = 0 if inner is None else inner._ctrl(cmd, 0, None)
    elif cmd == BIO_CTRL_DUP:
        ret = _copy(b, parg)
    elif cmd == BIO_CTRL_GET_CALLBACK:
        ret = answer_with(parg, keep.callback)
    return ret


def _callback_ctrl(b: BIO, cmd: int, cb: Optional[InfoCallback]) -> int:
    del cmd
    b._keep.callback = cb
    return 1


_CONNECT = built_of(
    BIO_TYPE_CONNECT,
    "socket connect",
    create=_create,
    finish=_finish,
    read=_read,
    write=_write,
    puts=_puts,
    ctrl=_ctrl,
    callback_ctrl=_callback_ctrl,
)


def BIO_s_connect() -> BIO_METHOD:
    """Give the type of connect BIOs. Source: BIO_s_connect(3)."""
    return _CONNECT


def BIO_new_connect(name: Any) -> BIO | None:
    """Make a connect BIO; the connection is made by `do_connect` or I/O.

    Args:
        name: "host:port" or "[IPv6 address]:port"; see
            `BIO.set_conn_hostname`.

    Returns:
        The BIO, or None with an entry if this is no name.

    Source: BIO_new_connect(3).
    """
    bio = BIO_new(_CONNECT)
    if bio is None or not bio.set_conn_hostname(name):
        return None
    return bio
