"""The thread's error queue, and the one translation of a C outcome.

The core records a fault and touches no queue. Here a fault becomes entries,
and entries become text or an exception (contract, section 7). Each thread
has a queue of its own; the sixteenth entry drives out the first (ERR-3).
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import Any, Callable, NoReturn, Protocol

from pyssl import const_reason
from pyssl._ffi import lib, queued, text_of
from pyssl.const import (
    ERR_LIB_BIO,
    ERR_LIB_SSL,
    ERR_LIB_SYS,
    ERR_LIB_X509,
    ERR_TXT_STRING,
    SSL_ERROR_SSL,
    SSL_ERROR_SYSCALL,
    SSL_ERROR_WANT_READ,
    SSL_ERROR_WANT_WRITE,
    SSL_ERROR_WANT_X509_LOOKUP,
    SSL_ERROR_ZERO_RETURN,
)

# Entries kept: libcrypto's ring has 16 places, of which one stays empty.
ROOM = 15

_SYSTEM = 0x80000000
_REASON = 0x7FFFFF
_FATAL = 1 << 18

# What libcrypto may not know: it holds no texts when built without them.
_LIBRARIES = {
    ERR_LIB_SYS: "system library",
    ERR_LIB_X509: "x509 certificate routines",
    ERR_LIB_SSL: "SSL routines",
    ERR_LIB_BIO: "BIO routines",
}


class Entry:
    """One entry of the queue."""

    __slots__ = ("code", "file", "func", "line", "marks", "text")

    def __init__(
        self,
        code: int,
        text: str = "",
        file: str = "",
        line: int = 0,
        func: str = "",
    ) -> None:
        """Make an entry without a mark."""
        self.code = code
        self.text = text
        self.file = file
        self.line = line
        self.func = func
        self.marks = 0

    @property
    def flags(self) -> int:
        """ERR_TXT_STRING if there is a text, else 0."""
        return ERR_TXT_STRING if self.text else 0


class ThreadState:
    """What a thread keeps between two calls.

    `want_serial` is the serial number of the connection that the last I/O
    call of this thread was for, `want` and `writing` what it ended with,
    `errno` the system error that it left (CV-9). The calls in C want to hear
    whether there are entries, so whoever changes the queue calls `tell`.
    """

    __slots__ = ("errno", "full", "queue", "want", "want_serial", "writing")

    def __init__(self) -> None:
        """Start with an empty queue (ERR-1)."""
        self.queue: deque[Entry] = deque(maxlen=ROOM)
        self.full = False
        self.want_serial = 0
        self.want = 0
        self.writing = 0
        self.errno = 0

    def push(self, entry: Entry) -> None:
        """Add an entry."""
        self.queue.append(entry)
        self.tell()

    def tell(self) -> None:
        """Say if the queue came to hold entries, or none."""
        full = bool(self.queue)
        if full is not self.full:
            self.full = full
            queued(full)


class _Local(threading.local):
    """Makes a state the first time that a thread looks."""

    def __init__(self) -> None:
        self.state = ThreadState()


local = _Local()


def thread_state() -> ThreadState:
    """Give the calling thread's state; it ends with the thread."""
    return local.state


# ---- for the other modules -------------------------------------------------


def put(library: int, reason: int, text: str | None = None) -> None:
    """Push one entry; for ERR_LIB_SYS the reason is an errno."""
    if library == ERR_LIB_SYS:
        put_sys(reason, text)
    else:
        put_code(ERR_PACK(library, 0, reason), text)


def put_code(code: int, text: str | None = None) -> None:
    """Push one packed code."""
    local.state.push(Entry(code, text or ""))


def put_sys(errno: int, text: str | None = None) -> None:
    """Push a system error."""
    put_code(_SYSTEM | errno, text)


def put_fault(fault: Any) -> None:
    """Push the codes of a C fault, oldest first (ERR-6)."""
    state = local.state
    for code in fault.codes[0 : fault.n_codes]:
        state.push(Entry(code))


def clear() -> None:
    """Empty the queue; cheap if it is empty already."""
    state = local.state
    if state.queue:
        state.queue.clear()
        state.tell()


def drain() -> list[int]:
    """Empty the queue and give its codes, oldest first."""
    codes = [entry.code for entry in local.state.queue]
    clear()
    return codes


def raise_fault(fault: Any, what: str) -> NoReturn:
    """Push a C fault and raise what the queue then holds.

    Args:
        fault: a `pys_fault`, or a pointer to one.
        what: the call that failed, for the text.

    Errors:
        Error: always; a retry does not help.
    """
    put_fault(fault)
    raise make_error(what, 0, SSL_ERROR_SSL)


# ---- exceptions ------------------------------------------------------------


class Error(Exception):
    """A call that failed, with everything the C interface would tell (CV-1).

    Attributes:
        ret: the value that the page's function returned.
        ssl_error: what SSL_get_error(3) said, an SSL_ERROR_ constant.
        codes: the queue's codes, oldest first; the queue is empty now.
        errno: the system error of the transport, or 0.
    """

    def __init__(
        self,
        what: str = "",
        ret: int = -1,
        ssl_error: int = SSL_ERROR_SSL,
        codes: tuple[int, ...] = (),
        errno: int = 0,
    ) -> None:
        """Keep the facts; the text is made from them when asked for."""
        super().__init__(what, ret, ssl_error, codes, errno)
        self.what = what
        self.ret = ret
        self.ssl_error = ssl_error
        self.codes = codes
        self.errno = errno

    @property
    def library(self) -> int:
        """The library of the newest code, or 0."""
        return ERR_GET_LIB(self.codes[-1]) if self.codes else 0

    @property
    def reason(self) -> int:
        """The reason of the newest code, which names the cause, or 0."""
        return ERR_GET_REASON(self.codes[-1]) if self.codes else 0

    def __str__(self) -> str:
        """Say what failed and why, newest code first."""
        whys = [ERR_error_string(code) for code in reversed(self.codes)]
        if not whys and self.errno:
            whys = [os.strerror(self.errno)]
        if not whys:
            whys = [_OUTCOMES.get(self.ssl_error, "failed")]
        why = "; ".join(whys)
        return f"{self.what}: {why}" if self.what else why


class WantReadError(Error):
    """The read BIO had nothing: call again when it may have."""


class WantWriteError(Error):
    """The write BIO took not everything: call again when it has room."""


class WantX509LookupError(Error):
    """A certificate callback asked to be called again."""


class ZeroReturnError(Error):
    """The peer closed cleanly with close_notify."""


class SyscallError(Error):
    """The transport failed; `errno` says how."""


_OUTCOMES = {
    SSL_ERROR_WANT_READ: "wants to read",
    SSL_ERROR_WANT_WRITE: "wants to write",
    SSL_ERROR_WANT_X509_LOOKUP: "wants a certificate",
    SSL_ERROR_SYSCALL: "the transport failed",
    SSL_ERROR_ZERO_RETURN: "the peer closed the connection",
}

_CLASSES: dict[int, type[Error]] = {
    SSL_ERROR_WANT_READ: WantReadError,
    SSL_ERROR_WANT_WRITE: WantWriteError,
    SSL_ERROR_WANT_X509_LOOKUP: WantX509LookupError,
    SSL_ERROR_SYSCALL: SyscallError,
    SSL_ERROR_ZERO_RETURN: ZeroReturnError,
}


def make_error(what: str, ret: int, ssl_error: int, errno: int = 0) -> Error:
    """Make the exception for an outcome, draining the thread's queue.

    Args:
        what: the call that failed, for the text.
        ret: what the page's function returned.
        ssl_error: what SSL_get_error(3) says about it.
        errno: the system error of the transport, or 0.

    Returns:
        An exception of the class that fits `ssl_error`, not raised.
    """
    kind = _CLASSES.get(ssl_error, Error)
    return kind(what, ret, ssl_error, tuple(drain()), errno)


# ---- codes -----------------------------------------------------------------


def ERR_PACK(library: int, _func: int, reason: int) -> int:
    """Pack a library and a reason; the function between counts nothing.

    Source: ERR_PACK(3); contract ERR-10, ERR-11.
    """
    return (library & 0xFF) << 23 | (reason & _REASON)


def ERR_SYSTEM_ERROR(code: int) -> int:
    """Tell whether a code is a system error (bit 31)."""
    return 1 if code & _SYSTEM else 0


def ERR_GET_LIB(code: int) -> int:
    """Give the library of a code.

    Source: ERR_GET_LIB(3).
    """
    return ERR_LIB_SYS if code & _SYSTEM else code >> 23 & 0xFF


def ERR_GET_REASON(code: int) -> int:
    """Give the reason of a code, an errno for a system error.

    Source: ERR_GET_REASON(3).
    """
    return code & (0x7FFFFFFF if code & _SYSTEM else _REASON)


def ERR_GET_FUNC(code: int) -> int:
    """Give 0: codes name no function (ERR-10)."""
    return code & 0


def ERR_FATAL_ERROR(code: int) -> int:
    """Tell whether the reason is marked as fatal, which no errno is."""
    return 1 if code & _FATAL and not code & _SYSTEM else 0


# ---- text ------------------------------------------------------------------


def _ssl_reasons() -> dict[int, str]:
    """Make the texts of our reasons from the constants' names (ERR-17)."""
    prefix = "SSL_R_"
    return {
        number: name[len(prefix) :].lower().replace("_", " ")
        for name, number in vars(const_reason).items()
        if name.startswith(prefix)
    }


_reasons = _ssl_reasons()


def ERR_lib_error_string(code: int) -> str | None:
    """Give the library's name, or None if it is unknown.

    Source: ERR_lib_error_string(3).
    """
    library = ERR_GET_LIB(code)
    return _LIBRARIES.get(library) or text_of(
        lib.pys_code_library(ERR_PACK(library, 0, 0))
    )


def ERR_func_error_string(code: int) -> None:
    """Give None: codes name no function.

    Source: ERR_func_error_string(3).
    """
    ERR_GET_FUNC(code)


def ERR_reason_error_string(code: int) -> str | None:
    """Give the reason's text; None if unknown, and for a system error.

    Source: ERR_reason_error_string(3); contract ERR-17.
    """
    reason = ERR_GET_REASON(code)
    if code & _SYSTEM or reason == 0:
        return None
    if ERR_GET_LIB(code) == ERR_LIB_SSL and reason in _reasons:
        return _reasons[reason]
    return text_of(lib.pys_code_reason(ERR_PACK(ERR_GET_LIB(code), 0, reason)))


def ERR_error_string(code: int) -> str:
    """Give `error:<code>:<library>::<reason>` for a code.

    Source: ERR_error_string(3); contract ERR-15, ERR-16.
    """
    library = ERR_lib_error_string(code) or f"lib({ERR_GET_LIB(code)})"
    if code & _SYSTEM:
        reason = os.strerror(ERR_GET_REASON(code))
    else:
        reason = (
            ERR_reason_error_string(code) or f"reason({ERR_GET_REASON(code)})"
        )
    return f"error:{code & 0xFFFFFFFF:08X}:{library}::{reason}"


def ERR_error_string_n(
    code: int, buf: Any = None, n: int | None = None
) -> str:
    """Write the text of a code to a buffer, and give the whole text.

    Args:
        code: the code.
        buf: a writable bytes-like object, or None for none.
        n: bytes that may be written, NUL included; at most (and without
            it) the size of the buffer. Longer text is cut.

    Errors:
        TypeError: the buffer is not writable.

    Source: ERR_error_string_n(3); contract ERR-18.
    """
    text = ERR_error_string(code)
    if buf is None:
        return text
    with memoryview(buf) as view:
        if view.readonly:
            raise TypeError("a writable buffer is needed")
        with view.cast("B") as room:
            size = room.nbytes if n is None else min(n, room.nbytes)
            if size > 0:
                cut = text.encode("utf-8", "replace")[: size - 1] + b"\0"
                room[: len(cut)] = cut
    return text


# ---- the queue -------------------------------------------------------------

_NOTHING = Entry(0)


def _look(take: bool, last: bool = False) -> Entry:
    """Give an entry of the queue, or one with code 0 if it is empty."""
    state = local.state
    queue = state.queue
    if not queue:
        return _NOTHING
    if take:
        entry = queue.popleft()
        state.tell()
        return entry
    return queue[-1 if last else 0]


def _line(entry: Entry) -> tuple[int, str, int]:
    return entry.code, entry.file, entry.line


def _line_data(entry: Entry) -> tuple[int, str, int, str, int]:
    return entry.code, entry.file, entry.line, entry.text, entry.flags


def _all(entry: Entry) -> tuple[int, str, int, str, str, int]:
    return (
        entry.code,
        entry.file,
        entry.line,
        entry.func,
        entry.text,
        entry.flags,
    )


def ERR_get_error() -> int:
    """Take the oldest entry and give its code, 0 if there is none.

    Source: ERR_get_error(3); contract ERR-2.
    """
    return _look(take=True).code


def ERR_peek_error() -> int:
    """Give the code of the oldest entry, which stays.

    Source: ERR_peek_error(3).
    """
    return _look(take=False).code


def ERR_peek_last_error() -> int:
    """Give the code of the newest entry, which stays.

    Source: ERR_peek_last_error(3).
    """
    return _look(take=False, last=True).code


def ERR_get_error_line() -> tuple[int, str, int]:
    """Take the oldest entry: code, file, line."""
    return _line(_look(take=True))


def ERR_peek_error_line() -> tuple[int, str, int]:
    """Show the oldest entry: code, file, line."""
    return _line(_look(take=False))


def ERR_peek_last_error_line() -> tuple[int, str, int]:
    """Show the newest entry: code, file, line."""
    return _line(_look(take=False, last=True))


def ERR_get_error_line_data() -> tuple[int, str, int, str, int]:
    """Take the oldest entry: code, file, line, text, flags.

    The text counts if the flags hold ERR_TXT_STRING.
    """
    return _line_data(_look(take=True))


def ERR_peek_error_line_data() -> tuple[int, str, int, str, int]:
    """Show the oldest entry: code, file, line, text, flags."""
    return _line_data(_look(take=False))


def ERR_peek_last_error_line_data() -> tuple[int, str, int, str, int]:
    """Show the newest entry: code, file, line, text, flags."""
    return _line_data(_look(take=False, last=True))


def ERR_get_error_all() -> tuple[int, str, int, str, str, int]:
    """Take the oldest entry: code, file, line, function, text, flags."""
    return _all(_look(take=True))


def ERR_peek_error_all() -> tuple[int, str, int, str, str, int]:
    """Show the oldest entry: code, file, line, function, text, flags."""
    return _all(_look(take=False))


def ERR_peek_last_error_all() -> tuple[int, str, int, str, str, int]:
    """Show the newest entry: code, file, line, function, text, flags."""
    return _all(_look(take=False, last=True))


def ERR_clear_error() -> None:
    """Empty the calling thread's queue.

    Source: ERR_clear_error(3).
    """
    clear()


def ERR_put_error(
    library: int, func: int, reason: int, file: str, line: int
) -> None:
    """Push an entry that names its place in a source file.

    Source: ERR_put_error(3).
    """
    _push(library, func, reason, Entry(0, "", file, line))


def ERR_raise(library: int, reason: int) -> None:
    """Push an entry with the caller's file, line and function.

    Source: ERR_raise(3).
    """
    _push(library, 0, reason, _here(""))


def ERR_raise_data(library: int, reason: int, text: str) -> None:
    """Push an entry with the caller's place and a text.

    Source: ERR_raise_data(3).
    """
    _push(library, 0, reason, _here(text))


def _here(text: str) -> Entry:
    """Make an entry for the caller of our caller."""
    frame = sys._getframe(2)
    code = frame.f_code
    return Entry(0, text, code.co_filename, frame.f_lineno, code.co_name)


def _push(library: int, func: int, reason: int, entry: Entry) -> None:
    """Give an entry its code and push it."""
    if library == ERR_LIB_SYS:
        entry.code = _SYSTEM | reason
    else:
        entry.code = ERR_PACK(library, func, reason)
    local.state.push(entry)


def ERR_set_mark() -> int:
    """Mark the newest entry.

    Returns:
        1, or 0 if the queue is empty.

    Source: ERR_set_mark(3); contract ERR-8.
    """
    queue = local.state.queue
    if not queue:
        return 0
    queue[-1].marks += 1
    return 1


def ERR_pop_to_mark() -> int:
    """Drop the entries newer than the last mark, and the mark.

    Returns:
        1, or 0 with an empty queue if there was no mark.

    Source: ERR_pop_to_mark(3); contract ERR-8.
    """
    state = local.state
    queue = state.queue
    while queue and queue[-1].marks == 0:
        queue.pop()
    state.tell()
    if not queue:
        return 0
    queue[-1].marks -= 1
    return 1


class _Writer(Protocol):
    """A BIO, or a file opened for bytes."""

    def write(self, data: bytes, /) -> Any: ...


class _TextWriter(Protocol):
    """A file opened for text."""

    def write(self, data: str, /) -> Any: ...


def ERR_print_errors_cb(cb: Callable[[str, Any], int], u: Any = None) -> None:
    """Call back with a line for each entry, taking it from the queue.

    Args:
        cb: called with the line and `u`; a result of 0 or less stops.
        u: anything.

    Source: ERR_print_errors_cb(3); contract ERR-9.
    """
    while local.state.queue:
        entry = _look(take=True)
        line = (
            f"{threading.get_ident():X}:{ERR_error_string(entry.code)}:"
            f"{entry.file}:{entry.line}:{entry.text}\n"
        )
        if cb(line, u) <= 0:
            break


def ERR_print_errors(bp: _Writer) -> None:
    """Write each entry as a line to a BIO, and empty the queue.

    Source: ERR_print_errors(3); contract ERR-9.
    """

    def to_bio(line: str, bio: _Writer) -> int:
        bio.write(line.encode("utf-8", "backslashreplace"))
        return 1

    ERR_print_errors_cb(to_bio, bp)


def ERR_print_errors_fp(fp: _TextWriter) -> None:
    """Write each entry as a line to a text file, and empty the queue.

    Source: ERR_print_errors_fp(3).
    """

    def to_file(line: str, file: _TextWriter) -> int:
        file.write(line)
        return 1

    ERR_print_errors_cb(to_file, fp)


def ERR_remove_thread_state(tid: None = None) -> None:
    """Give up the calling thread's queue; the next use begins a new one.

    Source: ERR_remove_thread_state(3).
    """
    if tid is not None:
        raise TypeError("only the calling thread's state can be removed")
    clear()
    local.state = ThreadState()
