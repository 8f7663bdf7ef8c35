"""The part of SSL that is about the info and the message callback."""

from __future__ import annotations

from _thread import get_ident
from typing import Any

from pyssl._ffi import lib
from pyssl.conn_early import Early
from pyssl.notices import NOBODY, InfoCallback, MsgCallback, Told, callback


class Notices(Early):
    """Whom a connection tells what happens on it.

    Callbacks run when the call that they are about has done its work, in
    the thread that called. They may ask the SSL anything, but no I/O on it:
    that is a RuntimeError. What they raise goes to sys.unraisablehook.
    """

    __slots__ = ()

    def set_info_callback(self, cb: InfoCallback | None) -> None:
        """Set who is told of states and alerts.

        Args:
            cb: `cb(ssl, where, ret)`, with SSL_CB_ bits in where. None: the
                one that the context had when this object was made.

        Source: SSL_set_info_callback(3); contract INFO-1 to INFO-8.
        """
        self._alive()
        told = self._teller()
        told.info = callback(cb)
        self._watch_kinds(told)

    def get_info_callback(self) -> InfoCallback | None:
        """Give what was set for this object."""
        self._alive()
        return None if self._told is None else self._told.info

    def set_msg_callback(self, cb: MsgCallback | None) -> None:
        """Set who is told of protocol messages.

        Args:
            cb: `cb(write_p, version, content_type, buf, ssl, arg)` with 1
                for what was sent and 0 for what was received, the
                SSL3_RT_ type and the whole message as bytes. None: nobody.

        Source: SSL_set_msg_callback(3); contract MSG-1 to MSG-3.
        """
        self._alive()
        told = self._teller()
        told.msg = callback(cb)
        self._watch_kinds(told)

    def set_msg_callback_arg(self, arg: Any) -> None:
        """Set what the message callback gets as its arg."""
        self._alive()
        self._teller().msg_arg = arg

    def _teller(self) -> Told:
        told = self._told
        if told is None:
            told = self._told = Told(NOBODY)
        return told

    def _watch_kinds(self, told: Told) -> None:
        """Let the core keep what somebody wants to hear."""
        bits = told.wanted()
        if bits == told.bits:
            return
        me = get_ident()
        if bits & ~told.bits == 0 and me in (self._reader, self._writer):
            return  # inside a callback: what comes is passed over
        if not self._exclusive(lib.pys_conn_watch, bits):
            raise MemoryError
        told.bits = bits
