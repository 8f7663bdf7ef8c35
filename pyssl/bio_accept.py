"""BIO_s_accept(3): a source that waits for connections.

The first `do_accept` listens; each further one waits for a connection and
puts a socket BIO for it behind the accept BIO, with a copy of the chain of
`set_accept_bios` before it.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Iterator
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
    mirror,
    words,
)
from pyssl.bio_life import NEITHER, READING, WRITING
from pyssl.bio_method import BIO_METHOD, built_of
from pyssl.const import ERR_LIB_BIO, ERR_R_SYS_LIB
from pyssl.const_bio import (
    BIO_BIND_NORMAL,
    BIO_BIND_REUSEADDR,
    BIO_C_DO_STATE_MACHINE,
    BIO_C_GET_ACCEPT,
    BIO_C_GET_BIND_MODE,
    BIO_C_GET_FD,
    BIO_C_SET_ACCEPT,
    BIO_C_SET_BIND_MODE,
    BIO_C_SET_NBIO,
    BIO_CLOSE,
    BIO_CTRL_DUP,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_GET_CLOSE,
    BIO_CTRL_PENDING,
    BIO_CTRL_RESET,
    BIO_CTRL_SET_CLOSE,
    BIO_CTRL_WPENDING,
    BIO_R_ACCEPT_ERROR,
    BIO_R_INVALID_ARGUMENT,
    BIO_R_NO_ACCEPT_ADDR_OR_SERVICE_SPECIFIED,
    BIO_R_UNABLE_TO_BIND_SOCKET,
    BIO_R_UNABLE_TO_CREATE_SOCKET,
    BIO_R_UNABLE_TO_LISTEN_SOCKET,
    BIO_R_UNSUPPORTED_METHOD,
    BIO_RR_ACCEPT,
    BIO_TYPE_ACCEPT,
)

_LAST_PORT = 0xFFFF
# Commands for the connection, where there is one.
_PASSED_ON = {
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_PENDING,
    BIO_CTRL_WPENDING,
}


class _Accept:
    """What an accept BIO knows and has."""

    __slots__ = (
        "bios",
        "busy",
        "host",
        "listener",
        "lock",
        "mode",
        "nonblocking",
        "peer",
        "port",
        "wait",
    )

    def __init__(self) -> None:
        self.host: Optional[str] = None
        self.port: Optional[str] = None
        self.mode = BIO_BIND_NORMAL
        self.wait = True  # for a connection
        self.nonblocking = False  # the connections
        self.bios: Optional[BIO] = None  # held
        self.listener: Optional[socket.socket] = None
        self.peer: tuple[Optional[str], Optional[str]] = (None, None)
        self.lock = threading.Lock()  # for whoever listens or accepts
        self.busy = 0  # the thread that does


def _create(b: BIO) -> int:
    b._keep = _Accept()
    return 1


def _fail(reason: int, text: str | None = None) -> int:
    err.put(ERR_LIB_BIO, reason, text)
    return -1


def _fail_system(b: BIO, writing: int, e: OSError, reason: int) -> int:
    """Queue a system error and what could not be done for it."""
    number = e.errno or errno.EINVAL
    keep_errno(b, writing, number)
    err.put_sys(number)
    return _fail(reason, _where(b._keep))


def _where(keep: _Accept) -> str:
    return f"host={keep.host or '*'} port={keep.port}"


@contextlib.contextmanager
def _at_work(keep: _Accept) -> Iterator[None]:
    """Be the one thread that listens, accepts or closes."""
    me = get_ident()
    if keep.busy == me:
        raise RuntimeError("a callback may not use the BIO that it is about")
    with keep.lock:
        keep.busy = me
        try:
            yield
        finally:
            keep.busy = 0


# ---- listening --------------------------------------------------------------


def _listen(b: BIO, keep: _Accept, writing: int) -> int:
    """Bind and listen, at the first address that lets us: 1 or -1."""
    if keep.port is None:
        reason = BIO_R_NO_ACCEPT_ADDR_OR_SERVICE_SPECIFIED
        return _fail(reason, _where(keep))
    if keep.port.isdecimal() and int(keep.port) > _LAST_PORT:
        return _fail(BIO_R_INVALID_ARGUMENT, _where(keep))
    try:
        addresses = socket.getaddrinfo(
            keep.host,
            keep.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as e:
        return _fail(ERR_R_SYS_LIB, f"{_where(keep)}: {e}")
    failed = OSError(errno.EADDRNOTAVAIL, ""), BIO_R_UNABLE_TO_BIND_SOCKET
    for family, kind, protocol, _, address in addresses:
        reason = BIO_R_UNABLE_TO_CREATE_SOCKET
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as e:
            failed = e, reason
            continue
        try:
            sock.setblocking(keep.wait)
            reason = BIO_R_UNABLE_TO_BIND_SOCKET
            if keep.mode != BIO_BIND_NORMAL:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            reason = BIO_R_UNABLE_TO_LISTEN_SOCKET
            sock.listen()
        except OSError as e:
            sock.close()
            failed = e, reason
            continue
        keep.listener = sock
        return 1
    return _fail_system(b, writing, *failed)


def _name_of(address: Any) -> tuple[str, str]:
    """Give host and port of a socket's address, in numbers."""
    return str(address[0]), str(address[1])


# ---- accepting --------------------------------------------------------------


def _accept(b: BIO, keep: _Accept, writing: int) -> int:
    """Take one connection and put its BIO behind: 1 or -1."""
    if b._next is not None or keep.listener is None:  # another thread's
        return 1
    try:
        sock, address = keep.listener.accept()
    except OSError as e:
        number = e.errno or errno.EINVAL
        gone = number == errno.ECONNABORTED  # before we came to it
        if gone or lib.pys_bio_fd_non_fatal(number):
            return ask_again(b, writing, BIO_RR_ACCEPT, number)
        return _fail_system(b, writing, e, BIO_R_ACCEPT_ERROR)
    with contextlib.ExitStack() as undo:
        undo.callback(sock.close)
        sock.setblocking(not keep.nonblocking)
        front = None
        if keep.bios is not None:
            front = _duplicate(keep.bios)
            if front is None:
                return -1
        end = BIO_new_socket(sock.fileno(), BIO_CLOSE)
        sock.detach()
        undo.pop_all()
    end.set_callback_ex(b._callback_ex)
    end.set_callback(b._callback)
    end.set_callback_arg(b._callback_arg)
    b.push(end if front is None else front.push(end))
    keep.peer = _name_of(address)
    return 1


def _step(b: BIO, writing: int, *, once: bool) -> int:
    """Listen, then accept; only one of the two if it is asked once."""
    keep: _Accept = b._keep
    if b._next is not None:
        return 1
    with _at_work(keep):
        if keep.listener is None:
            ret = _listen(b, keep, writing)
            if ret <= 0 or once:
                return ret
        return _accept(b, keep, writing)


def BIO_dup_chain(bio: BIO | None) -> BIO | None:
    """Copy a chain: BIOs of the same types with the same settings.

    Args:
        bio: its head; all its types must know BIO_CTRL_DUP, as filters and
            the types that connect and accept do. None: nothing to copy.

    Returns:
        The head of the copy, or None with BIO_R_UNSUPPORTED_METHOD.

    Source: BIO_dup_chain(3).
    """
    if bio is None:
        return None
    if not isinstance(bio, BIO):
        raise TypeError(f"a BIO is needed, not {bio!r}")
    bio._usable()
    return _duplicate(bio)


def _duplicate(bio: BIO) -> BIO | None:
    """As `BIO_dup_chain`, also of a chain that its user gave up."""
    head: BIO | None = None
    step: Any = bio
    while step is not None:
        made = BIO_new(step._method)
        if made is None:
            return None
        made._init, made._shutdown = step._init, step._shutdown
        if step._ctrl(BIO_CTRL_DUP, 0, made) <= 0:
            _fail(BIO_R_UNSUPPORTED_METHOD)
            return None
        made.set_callback_ex(step._callback_ex)
        made.set_callback(step._callback)
        made.set_callback_arg(step._callback_arg)
        if head is None:
            head = made
        else:
            head._link(head._last(), made)
        step = step._next
    return head


# ---- operations -------------------------------------------------------------


def _read(b: BIO, n: int) -> bytes | int:
    begin(b, READING)
    ret = _step(b, READING, once=False)
    after: Any = b._next
    if ret <= 0 or after is None:  # None: popped by another thread
        return min(ret, 0)
    room = bytearray(n)
    got = int(after.read(room))
    mirror(b, after, READING)
    return bytes(room[:got]) if got > 0 else got


def _write(b: BIO, view: memoryview) -> int:
    begin(b, WRITING)
    ret = _step(b, WRITING, once=False)
    after: Any = b._next
    if ret <= 0 or after is None:
        return min(ret, 0)
    put = int(after.write(view))
    mirror(b, after, WRITING)
    return put


def _puts(b: BIO, data: bytes) -> int:
    return _write(b, memoryview(data))


def _set_name(keep: _Accept, value: Any) -> int:
    try:
        found = host_service(words(value, "a name"), prefer_host=False)
    except HostServiceError as e:
        _fail(e.reason)
        return 0
    host, port, _ = found
    if host is not None or ":" in value or "[" in value:
        keep.host = host
    keep.port = port
    return 1


def _set(b: BIO, which: int, value: Any) -> int:
    keep: _Accept = b._keep
    if which in {0, 1}:
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = words(value, "a name")
        ret = _set_name(keep, value)
        b._init = ret or b._init
        return ret
    if which == 2:
        keep.wait = value is None
        if keep.listener is not None:
            keep.listener.setblocking(keep.wait)
    elif which == 3:
        if value is not None and not isinstance(value, BIO):
            raise TypeError("a BIO or None is needed")
        if value is not None:
            value._hold()
        old, keep.bios = keep.bios, value
        if old is not None:
            old._let_go()
    else:
        return 0
    return 1


def _get(b: BIO, which: int, parg: Any) -> int:
    """Give where it listens (0, 1), or who was accepted (2, 3)."""
    keep: _Accept = b._keep
    listener = keep.listener
    names: tuple[Optional[str], Optional[str]] = keep.host, keep.port
    if listener is not None:
        names = _name_of(listener.getsockname())
    found = (*names, *keep.peer)
    return answer_with(parg, found[which]) if 0 <= which < len(found) else 0


def _close(keep: _Accept) -> None:
    listener, keep.listener = keep.listener, None
    if listener is not None:
        listener.close()


def _reset(b: BIO) -> int:
    """Stop listening; whoever waits for a connection fails."""
    keep: _Accept = b._keep
    listener = keep.listener
    if listener is not None and keep.busy not in {0, get_ident()}:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    with _at_work(keep):
        _close(keep)
    begin(b, NEITHER)
    return 0


def _copy(b: BIO, other: Any) -> int:
    """Give another accept BIO the settings of this one."""
    theirs = getattr(other, "_keep", None)
    if not isinstance(theirs, _Accept):
        return 0
    keep: _Accept = b._keep
    theirs.host, theirs.port, theirs.mode = keep.host, keep.port, keep.mode
    theirs.wait, theirs.nonblocking = keep.wait, keep.nonblocking
    return _set(other, 3, keep.bios)


def _ctrl(b: BIO, cmd: int, larg: int, parg: Any) -> int:
    keep: _Accept = b._keep
    after: Any = b._next
    if cmd in _PASSED_ON and after is not None:
        ret = int(after._ctrl(cmd, larg, parg))
        if cmd == BIO_CTRL_FLUSH:
            begin(b, WRITING)
            mirror(b, after, WRITING)
        return ret
    ret = int(cmd == BIO_CTRL_FLUSH)
    if cmd == BIO_C_DO_STATE_MACHINE:
        begin(b, NEITHER)
        ret = _step(b, NEITHER, once=True)
    elif cmd == BIO_CTRL_RESET:
        ret = _reset(b)
    elif cmd == BIO_C_SET_ACCEPT:
        ret = _set(b, larg, parg)
    elif cmd == BIO_C_GET_ACCEPT:
        ret = _get(b, larg, parg)
    elif cmd == BIO_C_SET_NBIO:
        keep.nonblocking = larg != 0
        ret = 1
    elif cmd == BIO_C_GET_FD:
        listener = keep.listener
        ret = -1 if listener is None else listener.fileno()
    elif cmd == BIO_C_SET_BIND_MODE:
        if larg in {BIO_BIND_NORMAL, BIO_BIND_REUSEADDR}:
            keep.mode = larg
            ret = 1
    elif cmd == BIO_C_GET_BIND_MODE:
        ret = keep.mode
    elif cmd == BIO_CTRL_GET_CLOSE:
        ret = int(b._shutdown != 0)
    elif cmd == BIO_CTRL_SET_CLOSE:
        b._shutdown = int(larg != 0)
        ret = 1
    elif cmd == BIO_CTRL_DUP:
        ret = _copy(b, parg)
    return ret


def _finish(b: BIO, collected: bool) -> None:
    """Close what listens, unless the close flag says no (BIO-5)."""
    del collected
    keep: _Accept = b._keep
    listener, keep.listener = keep.listener, None
    if listener is not None:
        if b._shutdown:
            listener.close()
        else:
            listener.detach()
    bios, keep.bios = keep.bios, None
    if bios is not None:
        bios._let_go()


_ACCEPT = built_of(
    BIO_TYPE_ACCEPT,
    "socket accept",
    create=_create,
    finish=_finish,
    read=_read,
    write=_write,
    puts=_puts,
    ctrl=_ctrl,
)


def BIO_s_accept() -> BIO_METHOD:
    """Give the type of accept BIOs. Source: BIO_s_accept(3)."""
    return _ACCEPT


def BIO_new_accept(name: Any) -> BIO | None:
    """Make an accept BIO.

    Args:
        name: "host:port" or "port"; see `BIO.set_accept_name`.

    Returns:
        The BIO, or None with an entry if this is no name.

    Source: BIO_new_accept(3).
    """
    bio = BIO_new(_ACCEPT)
    if bio is None or not bio.set_accept_name(name):
        return None
    return bio
