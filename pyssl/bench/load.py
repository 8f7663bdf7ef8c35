"""Load on a real server, from many machines: a user of locust.

    pip install 'pyssl-tls[load]'
    python -m pyssl.bench.load --host example.test:443 -u 200 -t 60s --headless
    python -m pyssl.bench.load --host ... --master --expect-workers 8
    python -m pyssl.bench.load --worker --master-host ...   # on each machine

Why locust: what this needs is users that arrive at a rate, pause, fail and
are counted while they run, merged from all machines into percentiles and
shown live, and that is the whole of locust, whose user class is all we
write. Dask and Ray spread a computation and gather its results: ramping up,
pacing, live statistics and a time to stop would all be ours to write on
top, and tasks of a millisecond are what their schedulers cost the most for.
Their strengths, data that moves between workers and work that is rescheduled
when one dies, are of no use to load, which must not be repeated.

Locust runs its users as greenlets of gevent, on one thread. A call into our C
core that waits on a socket would stop them all. So sockets do not block, the
core reads and writes them itself (SSL_set_fd), and where it wants to wait,
gevent's hub does (`locustfile.wait`). Memory BIOs between the core and
gevent's sockets would do as well, but every record would be copied through
Python, by a generator whose own cost must stay small beside the server's.

Here is all that needs no locust; `locustfile` joins the two. A user connects,
shakes hands, sends and reads if told to, and says goodbye, again and again.
What locust hears of: TCP `connect`, TLS `handshake (full)`, `handshake
(resumed)` as it turned out to be, and `exchange`, in milliseconds. A failure
carries the words of the error queue. Times include what a busy generator
itself takes: add workers while locust warns of its CPU.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, ClassVar, NamedTuple, Optional, TypeVar

import pyssl
from pyssl.bench import pki
from pyssl.bench.ends import VERSIONS, LoadError, limit, must, reason

T = TypeVar("T")

# What to wait for, and who waits: (descriptor, a sum of these, seconds) gives
# False once that time is over.
READ, WRITE = 1, 2
Wait = Callable[[int, int, float], bool]

# So long is the peer's close awaited, in seconds; tickets come before it.
_FAREWELL = 1.0

# A closing that leaves no TIME_WAIT: of ports a generator would run out.
_AT_ONCE = struct.pack("ii", 1, 0)

_WANTS = {
    pyssl.SSL_ERROR_WANT_READ: READ,
    pyssl.SSL_ERROR_WANT_WRITE: WRITE,
}


class Options(NamedTuple):
    """What a user does.

    Attributes:
        host: Whom to load: "host:port", port 443 if left out.
        name: Server name, also to be verified; "" for the host's.
        version: "1.2" or "1.3"; "" for either.
        groups: Names parted by colons, best first; "" for the defaults.
        ca: A file of trusted certificates, or a kind of `pki` for the
            benchmark's own root; "" for what the system trusts.
        resume: Each handshake after the first offers the last session.
        message: Bytes to send after each handshake.
        answer: Bytes to read after each handshake.
        timeout: Seconds for all of it.
        pause: Seconds from one to the next.
    """

    host: str = "localhost:443"
    name: str = ""
    version: str = ""
    groups: str = ""
    ca: str = ""
    resume: bool = False
    message: bytes = b""
    answer: int = 0
    timeout: float = 10.0
    pause: float = 0.0


def address(text: str) -> tuple[str, int]:
    """Read "host", "host:port" or "[v6]:port", also behind a scheme.

    Errors:
        LoadError: it is none.
    """
    bare = text.partition("://")[2] or text
    bare = bare.rstrip("/")
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]"):
        host, port = bare, "443"
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise LoadError(f"{text} is no host:port")
    return host, int(port)


@lru_cache(maxsize=16)
def context(options: Options) -> pyssl.SSL_CTX:
    """Make the context of all users of a process that do the same.

    Errors:
        LoadError: an option is refused; a file cannot be read.
    """
    ctx = pyssl.SSL_CTX(pyssl.TLS_client_method())
    ctx.set_verify(pyssl.SSL_VERIFY_PEER)
    ctx.set_mode(pyssl.SSL_MODE_ENABLE_PARTIAL_WRITE)
    limit(ctx, options.version, options.groups)
    if options.ca in pki.KINDS:
        root = pki.root(options.ca).encode()
        done = ctx.load_verify_mem(root)
    elif options.ca:
        done = ctx.load_verify_locations(options.ca)
    else:
        done = ctx.set_default_verify_paths()
    must(f"trust in {options.ca}", done)
    return ctx


def wait(descriptor: int, mask: int, seconds: float) -> bool:
    """Wait as a thread does; False if nothing came."""
    poll = select.poll()
    wish = bool(mask & READ) * select.POLLIN
    poll.register(descriptor, wish | bool(mask & WRITE) * select.POLLOUT)
    return bool(poll.poll(max(seconds, 0) * 1000))


class Caller:
    """One user's connections, one after the other."""

    def __init__(self, options: Options, events: Any, wait: Wait) -> None:
        """Find the host.

        Args:
            options: What to do.
            events: Locust's; `events.request.fire` hears of all.
            wait: What waits for a socket.

        Errors:
            LoadError: no such host, or an option is refused.
        """
        host, port = address(options.host)
        self._options = options
        self._ctx = context(options)
        self._name = options.name or host
        self._fire = events.request.fire
        self._wait = wait
        self._session: Optional[pyssl.SSL_SESSION] = None
        try:
            self._places = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except OSError as e:
            raise LoadError(f"{host}: {e.strerror}") from e

    def call(self) -> None:
        """Connect once and do all that is to be done; failures are told."""
        until = monotonic() + self._options.timeout
        sock = self._told("TCP", "connect", lambda: self._connect(until))
        if sock is None:
            return
        with sock:
            talk = self._shake(sock, until)
            if talk is None:
                return
            message, answer = self._options.message, self._options.answer
            if message or answer:
                done = self._told(
                    "TLS",
                    "exchange",
                    lambda: talk.exchange(message, answer),
                    answer,
                )
                if not done:
                    return
            if talk.farewell():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            if self._options.resume:
                session = talk.ssl.get_session()
                if session is not None and session.is_resumable():
                    self._session = session

    def _told(
        self, kind: str, name: str, do: Callable[[], T], size: int = 0
    ) -> Optional[T]:
        """Do something, and tell how long it took; None if it failed."""
        begun, result, failure = perf_counter(), None, None
        try:
            result = do()
        except LoadError as e:
            failure = e
        self._tell(kind, name, begun, failure, size)
        return result

    def _tell(
        self,
        kind: str,
        name: str,
        begun: float,
        failure: Optional[LoadError],
        size: int = 0,
    ) -> None:
        self._fire(
            request_type=kind,
            name=name,
            response_time=(perf_counter() - begun) * 1000,
            response_length=0 if failure else size,
            exception=failure,
            context={},
        )

    def _connect(self, until: float) -> socket.socket:
        """Open a connection that does not block, to the first that answers."""
        error = OSError(0, "no address")
        for family, kind, number, _, place in self._places:
            sock = socket.socket(family, kind, number)
            try:
                sock.settimeout(max(until - monotonic(), 0.001))
                sock.connect(place)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setblocking(False)
            except OSError as e:
                sock.close()
                error = e
            except BaseException:  # the user is stopped
                sock.close()
                raise
            else:
                return sock
        raise LoadError(error.strerror or str(error))

    def _ssl(self, sock: socket.socket) -> pyssl.SSL:
        """Put a client on a connection.

        Errors:
            LoadError: the name is no name.
        """
        ssl, name = pyssl.SSL(self._ctx), self._name
        if not _is_address(name):  # of which there is none, RFC 6066 3
            must(f"name {name}", ssl.set_tlsext_host_name(name))
        must(f"name {name}", ssl.set1_host(name))
        must("socket", ssl.set_fd(sock.fileno()))
        ssl.set_connect_state()
        if self._session is not None:
            must("session", ssl.set_session(self._session))
        return ssl

    def _shake(self, sock: socket.socket, until: float) -> Optional[_Talk]:
        """Do the handshake, and tell of it by what it turned out to be."""
        resumed, failure, talk = self._session is not None, None, None
        begun = perf_counter()
        try:
            ssl = self._ssl(sock)
            self._session = None  # a ticket is used once (RFC 8446 C.4)
            fresh = _Talk(ssl, sock, self._wait, until)
            fresh.repeat("handshake", ssl.do_handshake)
            resumed, talk = ssl.session_reused() == 1, fresh
        except LoadError as e:
            failure = e
        name = f"handshake ({'resumed' if resumed else 'full'})"
        self._tell("TLS", name, begun, failure)
        return talk


def _is_address(name: str) -> bool:
    """Tell an address from a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class _Talk:
    """What is said on a connection, with a time by which it must be over."""

    def __init__(
        self,
        ssl: pyssl.SSL,
        sock: socket.socket,
        wait: Wait,
        until: float,
    ) -> None:
        self.ssl = ssl
        self._socket = sock.fileno()
        self._wait = wait
        self._until = until

    def repeat(self, what: str, do: Callable[[], int]) -> int:
        """Call until it has worked.

        Errors:
            LoadError: it failed, or the time is over.
        """
        while (ret := do()) <= 0:
            self._rest(what, self._wanted(what, ret))
        return ret

    def _wanted(self, what: str, ret: int) -> int:
        """Tell what a call wants to wait for."""
        error = self.ssl.get_error(ret)
        if error not in _WANTS:
            raise LoadError(f"{what}: {reason(self.ssl, error)}")
        return _WANTS[error]

    def _rest(self, what: str, mask: int) -> None:
        """Wait."""
        left = self._until - monotonic()
        if left <= 0 or not self._wait(self._socket, mask, left):
            raise LoadError(f"{what}: timed out")

    def exchange(self, message: bytes, answer: int) -> bool:
        """Send a message while an answer of so many bytes is read.

        Errors:
            LoadError: it failed, or the time is over.
        """
        rest, room = memoryview(message), bytearray(16384)
        ssl, what = self.ssl, "exchange"
        while rest or answer > 0:
            wanted, moved = 0, False
            if rest:
                ret = ssl.write(rest)
                if ret > 0:
                    rest, moved = rest[ret:], True
                else:
                    wanted = self._wanted(what, ret)
            if answer > 0:
                ret = ssl.read(room)
                if ret > 0:
                    answer, moved = answer - ret, True
                else:
                    wanted |= self._wanted(what, ret)
            if not moved:
                self._rest(what, wanted)
        return True

    def farewell(self) -> bool:
        """Close, and await the peer's close for a while.

        Returns:
            Whether both have closed.
        """
        self._until = min(self._until, monotonic() + _FAREWELL)
        try:
            while (ret := self.ssl.shutdown()) != 1:
                if ret < 0:
                    self._rest("close", self._wanted("close", ret))
        except LoadError:
            return False
        return True


class TlsLoad:
    """A user without locust: what `locustfile.TlsUser` is besides.

    Attributes:
        tls: What it does; None for what the command line says.
        environment: Locust's.
        host: Locust's --host.
    """

    tls: ClassVar[Optional[Options]] = None
    environment: Any
    host: Optional[str]

    def on_start(self) -> None:
        """Make ready what the user connects with.

        Errors:
            LoadError: an option is refused.
        """
        options = self.tls
        if options is None:
            options = options_of(self.environment.parsed_options, self.host)
        self._pause = options.pause
        events = self.environment.events
        self._caller = Caller(options, events, self.wait_for)

    wait_for = staticmethod(wait)

    def wait_time(self) -> float:
        """Give the seconds from one connection to the next."""
        return self._pause

    def connect(self) -> None:
        """Connect once."""
        self._caller.call()

    tasks: ClassVar[list[Callable[[Any], None]]] = [connect]


def add_options(parser: Any) -> None:
    """Describe a user's options to locust's parser."""
    add = parser.add_argument_group("TLS").add_argument
    add("--tls-name", default="", help="server name, if not the host's")
    add("--tls-version", default="", choices=["", *VERSIONS])
    add("--tls-groups", default="", help="as X25519:P-256, best first")
    add(
        "--tls-ca",
        default="",
        help="file of trusted certificates; or one of "
        f"{', '.join(pki.KINDS)} for the benchmark's own",
    )
    add("--tls-resume", action="store_true", help="offer the last session")
    add("--tls-send", default="", help=r"bytes to send, as 'GET /\r\n'")
    add("--tls-read", type=int, default=0, help="bytes to read then")
    add("--tls-timeout", type=float, default=10.0, help="seconds for all")
    add("--tls-pause", type=float, default=0.0, help="seconds between two")


def options_of(parsed: Any, host: Optional[str]) -> Options:
    """Read what the command line said.

    Errors:
        LoadError: the bytes to send are not written as Python writes them.
    """
    try:
        raw = parsed.tls_send.encode("latin-1")
        message = raw.decode("unicode_escape").encode("latin-1")
    except ValueError as e:
        raise LoadError(f"--tls-send: {e}") from e
    return Options(
        host or Options().host,
        parsed.tls_name,
        parsed.tls_version,
        parsed.tls_groups,
        parsed.tls_ca,
        parsed.tls_resume,
        message,
        parsed.tls_read,
        parsed.tls_timeout,
        parsed.tls_pause,
    )


def main(arguments: Sequence[str]) -> int:
    """Run locust with our user in place of this process.

    Args:
        arguments: Locust's own, and those of `add_options`.

    Returns:
        1 if locust is not installed.
    """
    if find_spec("locust") is not None:
        file = str(Path(__file__).with_name("locustfile.py"))
        command = [sys.executable, "-m", "locust", "-f", file, *arguments]
        os.execv(sys.executable, command)  # noqa: S606
    words = "locust is missing: pip install 'pyssl-tls[load]'"
    print(words, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
