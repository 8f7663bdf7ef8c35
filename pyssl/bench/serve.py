"""A server to be loaded: python -m pyssl.bench.serve.

One thread and no call that waits: a selector says which connections can move
on. It shakes hands, gives back what it reads, and closes when its client
does. The first line says where it listens; SIGINT or SIGTERM ends it, and
the last line says in JSON what it did.
"""

from __future__ import annotations

import argparse
import json
import selectors
import signal
import socket
import sys
from collections import Counter, OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple, Optional, Union

import pyssl
from pyssl.bench import pki
from pyssl.bench.ends import VERSIONS, LoadError, limit, must, reason

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_WANTS = {
    pyssl.SSL_ERROR_WANT_READ: _READ,
    pyssl.SSL_ERROR_WANT_WRITE: _WRITE,
}

# Steps of a connection, and connections taken, before others have a turn.
_STEPS = 16
_TAKEN = 64
_BACKLOG = 1024

# Seconds before the next try where none could be taken.
_PAUSE = 0.1


class Identity(NamedTuple):
    """Files of a certificate chain and its key, PEM."""

    chain: str
    key: str


class _Link:
    """A connection."""

    __slots__ = ("mask", "pending", "shaken", "socket", "ssl", "until")

    def __init__(self, ctx: pyssl.SSL_CTX, sock: socket.socket) -> None:
        self.socket = sock
        self.ssl = pyssl.SSL(ctx)
        self.ssl.set_fd(sock.fileno())
        self.ssl.set_accept_state()
        self.pending = b""
        self.shaken = False
        self.mask = _READ
        self.until = 0.0


def context(
    who: Union[str, Identity],
    version: str = "",
    groups: str = "",
    tickets: int = 2,
) -> pyssl.SSL_CTX:
    """Make a server's context.

    Args:
        who: A kind of `pki`, for the benchmark's certificates; or files.
        version: "1.2" or "1.3"; "" for both.
        groups: Names parted by colons; "" for the defaults.
        tickets: How many a client of TLS 1.3 is sent; 0 turns resumption
            off in TLS 1.2 also.

    Errors:
        LoadError: something is refused; a file cannot be read.
    """
    ctx = pyssl.SSL_CTX(pyssl.TLS_server_method())
    form = pyssl.SSL_FILETYPE_PEM
    if isinstance(who, Identity):
        must("certificate", ctx.use_certificate_chain_file(who.chain))
        must("key", ctx.use_PrivateKey_file(who.key, form))
    else:
        ours = pki.server(who)
        must("certificate", ctx.use_certificate_chain_mem(ours.chain.encode()))
        must("key", ctx.use_PrivateKey_mem(ours.key.encode(), form))
    limit(ctx, version, groups)
    must("tickets", ctx.set_num_tickets(tickets))
    if tickets == 0:
        ctx.set_options(pyssl.SSL_OP_NO_TICKET)
    ctx.set_session_cache_mode(pyssl.SSL_SESS_CACHE_OFF)
    return ctx


class Server:
    """Serves all connections of a listener in one thread.

    Attributes:
        counts: What happened: "full" and "resumed" handshakes, "bytes" given
            back, "idle" closed for saying nothing; else a failure's reason.
    """

    def __init__(
        self,
        ctx: pyssl.SSL_CTX,
        place: tuple[str, int] = ("127.0.0.1", 0),
        most: int = 10000,
        idle: float = 30.0,
    ) -> None:
        """Listen.

        Args:
            ctx: The server's context.
            place: Address and port; 0 for a free one.
            most: Connections at a time; more wait to be accepted.
            idle: Seconds in which a connection must move.

        Errors:
            OSError: it cannot listen there.
        """
        self._ctx, self._most, self._idle = ctx, most, idle
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self._listener = socket.create_server(
            place, family=family, backlog=_BACKLOG
        )
        self._listener.setblocking(False)
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, _READ)
        self._links: OrderedDict[_Link, None] = OrderedDict()
        self._ready: list[_Link] = []
        self._room = bytearray(16384)
        self._listening = self._stopped = False
        self._paused = 0.0
        self.counts: Counter[str] = Counter()

    @property
    def address(self) -> tuple[str, int]:
        """Give address and port that it listens at."""
        name = self._listener.getsockname()
        return str(name[0]), int(name[1])

    def stop(self) -> None:
        """End `run` soon, from any thread or a signal handler."""
        self._stopped = True
        try:
            self._waker.send(b"!")
        except OSError:  # it has as many as it can take, or is over
            return

    def run(self, seconds: Optional[float] = None) -> Counter[str]:
        """Serve until `stop`, once; then close all.

        Args:
            seconds: Or until that time is over.

        Returns:
            The counts.
        """
        end = None if seconds is None else monotonic() + seconds
        try:
            while not self._stopped:
                now = monotonic()
                if end is not None and now >= end:
                    break
                self._expire(now)
                room = len(self._links) < self._most
                self._listen(room and now >= self._paused)
                left = 1.0 if end is None else min(end - now, 1.0)
                self._turn(0 if self._ready else left)
        finally:
            self._close()
        return self.counts

    def _turn(self, seconds: float) -> None:
        """Move each connection that can move."""
        found = self._selector.select(seconds)
        again, self._ready = self._ready, []
        for link in again:
            self._move(link)
        for key, _ in found:
            if isinstance(key.data, _Link):
                if key.data in self._links and key.data not in self._ready:
                    self._move(key.data)
            elif key.fileobj is self._listener:
                self._accept()

    def _listen(self, wish: bool) -> None:
        """Accept connections, or leave them waiting."""
        if wish and not self._listening:
            self._selector.register(self._listener, _READ)
        elif self._listening and not wish:
            self._selector.unregister(self._listener)
        self._listening = wish

    def _accept(self) -> None:
        """Take what waits, up to a number."""
        for _ in range(min(_TAKEN, self._most - len(self._links))):
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as e:
                # The client has gone, or there is no descriptor left.
                self.counts[f"accept: {e.strerror}"] += 1
                self._paused = monotonic() + _PAUSE
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(self._ctx, sock)
            self._selector.register(sock, link.mask, link)
            self._links[link] = None
            self._move(link)

    def _expire(self, now: float) -> None:
        """Drop those that have not moved for too long."""
        while self._links:
            link = next(iter(self._links))
            if link.until > now:
                return
            self.counts["idle"] += 1
            self._drop(link)

    def _move(self, link: _Link) -> None:
        """Let a connection do what it can."""
        link.until = monotonic() + self._idle
        self._links.move_to_end(link)
        mask = self._step(link)
        if mask == 0:
            self._drop(link)
        elif mask != link.mask:
            self._selector.modify(link.socket, mask, link)
            link.mask = mask

    def _step(self, link: _Link) -> int:
        """Do so much of a connection; give what it waits for, 0 for none."""
        ssl = link.ssl
        if not link.shaken:
            ret = ssl.do_handshake()
            if ret != 1:
                return self._wanted(link, ret)
            link.shaken = True
            self.counts["resumed" if ssl.session_reused() else "full"] += 1
        for _ in range(_STEPS):
            if link.pending:
                ret = ssl.write(link.pending)
                if ret <= 0:
                    return self._wanted(link, ret)
                self.counts["bytes"] += ret
                link.pending = b""
            ret = ssl.read(self._room)
            if ret <= 0:
                return self._wanted(link, ret)
            link.pending = bytes(memoryview(self._room)[:ret])
        self._ready.append(link)  # more may be read than the socket tells
        return link.mask

    def _wanted(self, link: _Link, ret: int) -> int:
        """Tell what a connection waits for; 0 once it is over."""
        error = link.ssl.get_error(ret)
        if error in _WANTS:
            return _WANTS[error]
        if error == pyssl.SSL_ERROR_ZERO_RETURN:
            link.ssl.shutdown()
            pyssl.ERR_clear_error()
        else:
            self.counts[reason(link.ssl, error)] += 1
        return 0

    def _drop(self, link: _Link) -> None:
        """Close a connection."""
        del self._links[link]
        if link in self._ready:
            self._ready.remove(link)
        self._selector.unregister(link.socket)
        link.socket.close()

    def _close(self) -> None:
        """Say goodbye to all, and close."""
        self._listener.close()
        for link in list(self._links):
            if link.shaken:
                link.ssl.shutdown()
                pyssl.ERR_clear_error()
            self._drop(link)
        self._selector.close()
        self._wake.close()
        self._waker.close()


def _parser() -> argparse.ArgumentParser:
    """Describe the options."""
    parser = argparse.ArgumentParser(
        prog="python -m pyssl.bench.serve",
        description="Serves TLS connections in one thread, to be loaded.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    add("--port", type=int, default=0, help="its port (a free one)")
    add("--cert", choices=pki.KINDS, default="p256", help="own kind (p256)")
    add("--files", nargs=2, metavar=("CHAIN", "KEY"), help="or PEM files")
    add("--version", choices=list(VERSIONS), default="", help="the only one")
    add("--groups", default="", help="as X25519:P-256, best first")
    add("--tickets", type=int, default=2, help="sent to each client (2)")
    add("--most", type=int, default=10000, help="connections (10000)")
    add("--idle", type=float, default=30.0, help="seconds of patience (30)")
    add("--seconds", type=float, help="ends by itself after that")
    return parser


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Serve as the command line says.

    Returns:
        0; 1 if it cannot.
    """
    options = _parser().parse_args(argv)
    who = Identity(*options.files) if options.files else options.cert
    more = (options.version, options.groups, options.tickets)
    place = (options.host, options.port)
    try:
        ctx = context(who, *more)
        server = Server(ctx, place, options.most, options.idle)
    except (LoadError, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    host, port = server.address
    host = f"[{host}]" if ":" in host else host
    print(f"serving at {host}:{port}", flush=True)
    print(json.dumps(server.run(options.seconds)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
