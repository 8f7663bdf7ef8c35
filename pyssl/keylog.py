"""A file that gets the secrets of connections, for tools that read along.

The format is NSS's: a line for each secret, as SSL_CTX_set_keylog_callback(3)
describes it. Wireshark and others take it.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from typing import Any, Callable, Union

# What names a file.
Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
# cb(ssl, line).
LineCallback = Callable[[Any, str], Any]

_VARIABLE = "SSLKEYLOGFILE"
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_MODE = 0o600


class KeylogFile:
    """A file open for key log lines; closed when nobody holds it."""

    __slots__ = ("_fd", "_lock", "path")

    def __init__(self, path: Path) -> None:
        """Open a file at its end; a new one is for its owner alone.

        Errors:
            OSError: it cannot be opened for writing.
            TypeError: not a path.
        """
        self._fd = -1
        self.path: str = os.fsdecode(path)
        self._lock = allocate_lock()
        self._fd = os.open(self.path, _FLAGS, _MODE)

    def __del__(self) -> None:
        """Close the file."""
        fd, self._fd = getattr(self, "_fd", -1), -1
        if fd >= 0:
            os.close(fd)

    def __call__(self, ssl: Any, line: str) -> None:
        """Append a line, with one write if the system takes it whole.

        Errors:
            OSError: it could not be written.
        """
        del ssl
        rest = line.encode("ascii") + b"\n"
        with self._lock:
            while rest:
                rest = rest[os.write(self._fd, rest) :]


def both(first: LineCallback, second: LineCallback) -> LineCallback:
    """Give a callback that calls two; the second one even if one raises."""

    def call(ssl: Any, line: str) -> None:
        try:
            first(ssl, line)
        finally:
            second(ssl, line)

    return call


def named_by_environment() -> str | None:
    """Give what SSLKEYLOGFILE names, unless the interpreter ignores it."""
    if sys.flags.ignore_environment:
        return None
    return os.environ.get(_VARIABLE) or None
