"""Runs `openssl s_server` and `openssl s_client` as peers on loopback.

    with Server(identity, "-rev") as server:
        sock = server.connect()            # a TCP connection to it
        ...
        server.expect("CONNECTION ESTABLISHED")

    with Listener() as listener:
        client = Client(listener.port, "-brief")
        sock = listener.accept()

A peer is a child process whose output is read as it comes. `expect` waits
for a pattern in what was not looked at yet and moves behind it; `send` types
a line. Nothing sleeps: a server says on which port it listens, and every
wait has a limit, sockets included.

PYSSL_PEER_OPENSSL names another openssl than the one of the search path, so
the same tests prove us against every version that is at hand.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Optional, Union

from tests.pki import ca

OPENSSL = os.environ.get("PYSSL_PEER_OPENSSL") or "openssl"
FOUND = shutil.which(OPENSSL) is not None

# Longest wait for anything, in seconds; only a failing test meets it. The
# sanitizer builds are slow.
PATIENCE = 60.0 if os.environ.get("PYSSL_TEST_CORE") else 20.0

LOOPBACK = "127.0.0.1"


def environment() -> dict[str, str]:
    """Give the environment of peers: no sanitizer, English."""
    ours = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    return {**ours, "LC_ALL": "C"}


class NothingCameError(AssertionError):
    """A peer did not say what it was expected to say."""


class Peer:
    """A child process, and what it said so far on both its outputs.

    Args:
        arguments: Of the command line.
        command: Another program than openssl.
        folder: Where it runs, if not here.
    """

    def __init__(
        self,
        *arguments: str,
        command: str = OPENSSL,
        folder: Optional[str] = None,
    ) -> None:
        self.arguments = arguments
        self._said = ""
        self._looked = 0
        self._ended = False
        self._news = threading.Condition()
        self._child = subprocess.Popen(
            [command, *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listen(self) -> None:
        """Gather what the child says until it closes its outputs."""
        out = self._child.stdout
        assert out is not None
        while True:
            piece = os.read(out.fileno(), 65536)
            with self._news:
                self._said += piece.decode("utf-8", "replace")
                self._ended = not piece
                self._news.notify_all()
            if not piece:
                return

    @property
    def said(self) -> str:
        """All that was said so far."""
        with self._news:
            return self._said

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait for a pattern behind the last one that was found.

        Errors:
            NothingCameError: the child ended or took too long.
        """
        compiled = re.compile(pattern, re.MULTILINE)

        def found() -> Optional[re.Match[str]]:
            return compiled.search(self._said, self._looked)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, PATIENCE)
            match = found()
            if match is None:
                state = "ended" if self._ended else "is silent"
                raise NothingCameError(
                    f"{pattern!r}: the peer {state}; it said\n{self._said}"
                )
            self._looked = match.end()
            return match

    def send(self, line: Union[str, bytes]) -> None:
        """Type a line; the newline is added."""
        raw = line.encode() if isinstance(line, str) else line
        assert self._child.stdin is not None
        self._child.stdin.write(raw + b"\n")
        self._child.stdin.flush()

    def hang_up(self) -> None:
        """Close its input."""
        assert self._child.stdin is not None
        self._child.stdin.close()

    def wait(self) -> int:
        """Wait until the child ends by itself; give its exit code."""
        code = self._child.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def kill(self) -> None:
        """End the child at once: its sockets close without a word."""
        self._child.kill()
        self.wait()

    def stop(self) -> None:
        """End the child and free what belongs to it; may be repeated."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                # A line may have been typed that nobody reads any more.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Server(Peer):
    """`openssl s_server` on a free port, ready when the call returns.

    Args:
        identity: Its certificate, chain and key; None for none.
        options: More of the command line, for example "-rev".
    """

    def __init__(self, identity: Optional[ca.Identity], *options: str) -> None:
        own = ["-nocert"] if identity is None else own_options(identity)
        super().__init__(
            "s_server", "-accept", f"{LOOPBACK}:0", *own, *options
        )
        try:
            self.port = int(self.expect(r"^ACCEPT \S*:(\d+)$")[1])
        except NothingCameError:
            self.stop()
            raise

    def connect(self) -> socket.socket:
        """Open a TCP connection to it: blocking, with a time limit."""
        return connect(self.port)


class Client(Peer):
    """`openssl s_client` that connects to a port on loopback."""

    def __init__(self, port: int, *options: str) -> None:
        super().__init__(
            "s_client", "-connect", f"{LOOPBACK}:{port}", *options
        )


class Listener:
    """A listening TCP socket on a free port of loopback."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.listen(16)
        patient(self._socket)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def accept(self) -> socket.socket:
        """Take the next connection: blocking, with a time limit."""
        return patient(self._socket.accept()[0])


def connect(port: int) -> socket.socket:
    """Open a TCP connection to loopback: blocking, with a time limit."""
    return patient(socket.create_connection((LOOPBACK, port)))


def patient(sock: socket.socket) -> socket.socket:
    """Let system calls on a blocking socket end after PATIENCE.

    The limit is the kernel's, because a timeout of the socket object would
    make the descriptor non-blocking. A call that meets it fails with EAGAIN,
    and so a test that hangs fails with WANT_READ.
    """
    sock.setblocking(True)
    limit = struct.pack("ll", int(PATIENCE), 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return sock


# ---- files for the command line -------------------------------------------


@functools.cache
def _folder() -> Path:
    """Give a folder that goes when the process does."""
    made = tempfile.TemporaryDirectory(prefix="pyssl-peer-")
    atexit.register(made.cleanup)
    return Path(made.name)


@functools.cache
def file_of(content: bytes) -> str:
    """Write bytes to a file, once; give its path."""
    path = _folder() / f"{len(list(_folder().iterdir()))}.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def own_options(identity: ca.Identity, second: bool = False) -> list[str]:
    """Say which certificate, chain and key a peer shall use.

    Args:
        identity: Where they come from.
        second: They are for the name given with -servername (s_server).
    """
    mark = "2" if second else ""
    found = [f"-cert{mark}", file_of(identity.cert_pem)]
    found += [f"-key{mark}", file_of(identity.key_pem)]
    above = identity.chain_der[1:]
    if above:
        chain = b"".join(ca.pem("CERTIFICATE", der) for der in above)
        found += ["-cert_chain", file_of(chain)]
    return found


def trust_options(identity: ca.Identity) -> list[str]:
    """Say that a peer shall trust the root of an identity, and insist."""
    return ["-CAfile", file_of(identity.ca_pem), "-verify_return_error"]


@functools.cache
def version() -> str:
    """Give the words of `openssl version`."""
    done = subprocess.run(
        [OPENSSL, "version"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
