"""Padding of records that the application chooses.

The core lets a protected record of TLS 1.3 wait until its padding is known;
`answer` asks the callback. It runs while the caller writes, handshakes or
closes, with the lock of the writing half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

from pyssl._ffi import ffi, lib, number

if TYPE_CHECKING:
    from pyssl.conn import SSL

# cb(ssl, type, length, arg) -> bytes of padding.
PaddingCallback = Callable[["SSL", int, int, Any], int]
# Who is asked, and the last argument. Set once, it stays a pair.
Padding = tuple[Optional[PaddingCallback], Any]

_MOST = 1 << 14  # more than any record has room for
_asked = lib.pys_conn_pad_asked


def _checked(answer: Any) -> int:
    """Give an answer as a number of bytes, or raise."""
    zeros = number(answer, "padding callback")
    if zeros < 0:
        raise ValueError(f"padding callback: {zeros} bytes")
    return zeros


def answer(ssl: Any, conn: Any) -> None:
    """Answer for the record that waits, if one does.

    Args:
        ssl: The SSL, with a pair as its padding.
        conn: The core's connection; the caller may write.
    """
    n = ffi.new("size_t *")
    type_ = _asked(conn, n)
    if type_ < 0:
        return
    callback, arg = ssl._copied.padding
    if callback is None:  # taken away meanwhile
        lib.pys_conn_pad(conn, 0)
        return
    try:
        zeros = _checked(callback(ssl, type_, n[0], arg))
    except BaseException as e:  # noqa: BLE001 - raised when C has unwound
        if ssl._parked is None:
            ssl._parked = e
        lib.pys_conn_pad_failed(conn)
        return
    lib.pys_conn_pad(conn, min(zeros, _MOST))
