"""Commands: BIO_ctrl(3) and the functions that stand for one command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyssl.bio_life import number
from pyssl.bio_state import BioState
from pyssl.const_bio import (
    BIO_C_FILE_SEEK,
    BIO_C_FILE_TELL,
    BIO_CB_CTRL,
    BIO_CB_RETURN,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_CTRL_GET_CALLBACK,
    BIO_CTRL_GET_CLOSE,
    BIO_CTRL_PENDING,
    BIO_CTRL_RESET,
    BIO_CTRL_SET_CALLBACK,
    BIO_CTRL_SET_CLOSE,
    BIO_CTRL_WPENDING,
    BIO_R_UNSUPPORTED_METHOD,
)

_INT_LIMIT = 1 << 31


class BioCommands(BioState):
    """The methods of BIO_ctrl(3)."""

    __slots__ = ()

    # ---- BIO_ctrl(3) ---------------------------------------------------

    def ctrl(self, cmd: int, larg: int = 0, parg: Any = None) -> int:
        """Send a command.

        Args:
            cmd: BIO_CTRL_ or BIO_C_.
            larg: a number for the command.
            parg: an object for the command: an int for BIO_C_SET_FD, a BIO
                for BIO_C_MAKE_BIO_PAIR, a list for what `ptr_ctrl` asks.

        Returns:
            By the command; 0 for an unknown one; -2: the type knows none.

        Source: BIO_ctrl(3).
        """
        self._usable()
        cmd = number(cmd, "a command")
        if not -_INT_LIMIT <= cmd < _INT_LIMIT:
            raise ValueError("a command: out of range")
        return self._ctrl(cmd, number(larg, "larg"), parg)

    def int_ctrl(self, cmd: int, larg: int, iarg: int) -> int:
        """Send a command with a second number."""
        return self.ctrl(cmd, larg, number(iarg, "iarg"))

    def ptr_ctrl(self, cmd: int, larg: int) -> Any:
        """Send a command that answers with an object.

        Returns:
            What the type put into the list that it got as parg, if it
            answered > 0; else None.
        """
        out: list[Any] = [None]
        return out[0] if self.ctrl(cmd, larg, out) > 0 else None

    def callback_ctrl(self, cmd: int, cb: Any) -> int:
        """Send BIO_CTRL_SET_CALLBACK to a type that takes callbacks.

        Returns:
            By the type; -2 for any other command or type, with
            BIO_R_UNSUPPORTED_METHOD.

        Source: BIO_callback_ctrl(3).
        """
        self._usable()
        if cb is not None and not callable(cb):
            raise TypeError("a callback is a callable or None")
        operation = self._method._callback_ctrl
        if operation is None or cmd != BIO_CTRL_SET_CALLBACK:
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD)
        before = self._enter(-1)
        try:
            ret, _ = self._call(BIO_CB_CTRL, cb, 0, cmd, 0, 1, None)
            if ret <= 0:
                return ret
            ret = number(operation(self, cmd, cb), "callback_ctrl")
            done = BIO_CB_RETURN | BIO_CB_CTRL
            return self._call(done, cb, 0, cmd, 0, ret, None)[0]
        finally:
            self._leave(before)

    def set_info_callback(self, cb: Callable[..., Any] | None) -> int:
        """Set a callback for the state of a connection. Returns 1 or -2."""
        return self.callback_ctrl(BIO_CTRL_SET_CALLBACK, cb)

    def get_info_callback(self) -> tuple[int, Any]:
        """Give 1 and the callback set, None if none; or -2 and None."""
        self._usable()
        if self._method._callback_ctrl is None:
            return self._refuse(-2, BIO_R_UNSUPPORTED_METHOD), None
        out: list[Any] = [None]
        return self.ctrl(BIO_CTRL_GET_CALLBACK, 0, out), out[0]

    def reset(self) -> int:
        """Go back to the beginning.

        Returns:
            1, or 0 for a pair, a socket and a descriptor; 0 or -1: failed.
        """
        return self.ctrl(BIO_CTRL_RESET)

    def seek(self, offset: int) -> int:
        """Go to a place. Returns it, -1 on failure, 0 if unsupported."""
        return self.ctrl(BIO_C_FILE_SEEK, offset)

    def tell(self) -> int:
        """Give the place. Returns -1 on failure, 0 if unsupported."""
        return self.ctrl(BIO_C_FILE_TELL)

    def flush(self) -> int:
        """Pass on what was gathered. Returns 1; 0 or -1: failed, or retry."""
        return self.ctrl(BIO_CTRL_FLUSH)

    def eof(self) -> int:
        """Return 1 at the end, else 0."""
        return self.ctrl(BIO_CTRL_EOF)

    def set_close(self, flag: int) -> int:
        """Set BIO_CLOSE or BIO_NOCLOSE. Returns 1."""
        return self.ctrl(BIO_CTRL_SET_CLOSE, flag)

    def get_close(self) -> int:
        """Give the close flag."""
        return self.ctrl(BIO_CTRL_GET_CLOSE)

    def _pending(self) -> int:
        """As `pending`, in all its cases."""
        return self.ctrl(BIO_CTRL_PENDING)

    def wpending(self) -> int:
        """Give the bytes written and not yet passed on."""
        return self.ctrl(BIO_CTRL_WPENDING)

    def ctrl_pending(self) -> int:
        """Give `pending`, and 0 where that is negative."""
        return max(self.pending(), 0)

    def ctrl_wpending(self) -> int:
        """Give `wpending`, and 0 where that is negative."""
        return max(self.wpending(), 0)
