"""The part of SSL_CTX that is about who is told: states, messages, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from pyssl.ctx_status import StatusCalls
from pyssl.keylog import KeylogFile, Path, both, named_by_environment
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

    _hooks: Hooks  # whom connections made from now on tell

    # _keylog is who gets the lines: the callback, the file, or both.
    __slots__ = ("_keylog", "_keylog_cb", "_keylog_file")

    def __init__(self) -> None:
        """Begin without callbacks."""
        self._hooks = NOBODY
        self._tells = False
        self._keylog: KeylogCallback | None = None
        self._keylog_cb: KeylogCallback | None = None
        self._keylog_file: KeylogFile | None = None
        super().__init__()

    def _put_hooks(self, **hooks: Any) -> None:
        """Exchange some of those that are told."""
        with self._lock:
            self._hooks = self._hooks._replace(**hooks)
            self._tells = True

    def set_info_callback(self, cb: InfoCallback | None) -> None:
        """Set who is told of states and alerts.

        Args:
            cb: `cb(ssl, where, ret)`, with SSL_CB_ bits in where; what it
                raises goes to sys.unraisablehook. None: nobody.

        Source: SSL_CTX_set_info_callback(3); contract INFO-1.
        """
        self._snapshot()
        callback(cb)
        self._put_hooks(info=cb)

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
        self._put_hooks(msg=cb)

    def set_msg_callback_arg(self, arg: Any) -> None:
        """Set what the message callback gets as its arg."""
        self._snapshot()
        self._put_hooks(msg_arg=arg)

    # ---- key log -----------------------------------------------------------

    def set_keylog_callback(self, cb: KeylogCallback | None) -> None:
        """Set who gets the secrets of connections, as key log lines.

        Args:
            cb: `cb(ssl, line)`; what it raises goes to sys.unraisablehook.
                None: nobody.

        Source: SSL_CTX_set_keylog_callback(3); contract KLOG-1.
        """
        self._snapshot()
        callback(cb)
        with self._lock:
            self._keylog_cb = cb
            self._join_keylogs()

    def get_keylog_callback(self) -> KeylogCallback | None:
        """Give the key log callback."""
        self._snapshot()
        return self._keylog_cb

    def set_keylog_file(self, path: Path | None) -> None:
        """Append the secrets of connections to a file, beside the callback.

        Args:
            path: In NSS's format. What is there stays; a new file can be
                read by its owner alone. None: no file any more.

        Errors:
            OSError: it cannot be opened; the file so far stays in use. What
                fails later, at a line, goes to sys.unraisablehook.
            TypeError: not a path.
        """
        self._snapshot()
        file = None if path is None else KeylogFile(path)
        with self._lock:
            self._keylog_file = file
            self._join_keylogs()

    def get_keylog_file(self) -> str | None:
        """Give the path of the key log file, or None."""
        self._snapshot()
        file = self._keylog_file
        return None if file is None else file.path

    def use_keylog_environment(self) -> bool:
        """Let the variable SSLKEYLOGFILE name the key log file.

        Nothing else in this package looks at it. An interpreter that was
        told to ignore the environment (-E) has none.

        Returns:
            Whether it is set; if not, nothing is changed.

        Errors:
            OSError: as `set_keylog_file`.
        """
        self._snapshot()
        path = named_by_environment()
        if path is None:
            return False
        self.set_keylog_file(path)
        return True

    def _join_keylogs(self) -> None:
        """Work out who gets lines: callback, file, or both."""
        file, cb = self._keylog_file, self._keylog_cb
        if file is not None and cb is not None:
            self._keylog = both(file, cb)
        else:
            self._keylog = file or cb
        self._update_asks()
