"""The part of SSL_CTX that is about who is told: states, messages, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from pyssl.ctx_status import StatusCalls
from pyssl.notices import NOBODY, Hooks, InfoCallback, MsgCallback, callback

if TYPE_CHECKING:
    from pyssl.conn import SSL

# cb(ssl, line).
KeylogCallback = Callable[["SSL", str], None]


class NoticeCalls(StatusCalls):
    """Whom the connections of a context tell what happens.

    Source: SSL_CTX_set_info_callback(3), SSL_CTX_set_msg_callback(3),
    SSL_CTX_set_keylog_callback(3).
    """

    __slots__ = ("_hooks", "_keylog")

    def __init__(self) -> None:
        """Begin without callbacks."""
        self._hooks: Hooks = NOBODY
        self._keylog: KeylogCallback | None = None
        super().__init__()

    def set_info_callback(self, cb: InfoCallback | None) -> None:
        """Set who is told of states and alerts.

        Args:
            cb: `cb(ssl, where, ret)`, with SSL_CB_ bits in where; what it
                raises goes to sys.unraisablehook. None: nobody.

        Source: SSL_CTX_set_info_callback(3); contract INFO-1.
        """
        self._snapshot()
        callback(cb)
        with self._lock:
            self._hooks = self._hooks._replace(info=cb)

    def get_info_callback(self) -> InfoCallback | None:
        """Give the info callback."""
        self._snapshot()
        return self._hooks.info

    def set_msg_callback(self, cb: MsgCallback | None) -> None:
        """Set who is told of protocol messages.

        Args:
            cb: `cb(write_p, version, content_type, buf, ssl, arg)`; what it
                raises goes to sys.unraisablehook. None: nobody.

        Source: SSL_CTX_set_msg_callback(3); contract MSG-1, MSG-3.
        """
        self._snapshot()
        callback(cb)
        with self._lock:
            self._hooks = self._hooks._replace(msg=cb)

    def set_msg_callback_arg(self, arg: Any) -> None:
        """Set what the message callback gets as its arg."""
        self._snapshot()
        with self._lock:
            self._hooks = self._hooks._replace(msg_arg=arg)

    # ---- key log -----------------------------------------------------------

    def set_keylog_callback(self, cb: KeylogCallback | None) -> None:
        """Set who gets the secrets of connections, as key log lines.

        Args:
            cb: `cb(ssl, line)`; what it raises goes to sys.unraisablehook.
                None: nobody.

        Source: SSL_CTX_set_keylog_callback(3); contract KLOG-1.
        """
        self._snapshot()
        self._keylog = callback(cb)

    def get_keylog_callback(self) -> KeylogCallback | None:
        """Give the key log callback."""
        self._snapshot()
        return self._keylog
