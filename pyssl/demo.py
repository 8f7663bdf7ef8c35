"""What pyssl does, on a page: a handshake over each kind of BIO.

    python -m pyssl.demo [--peer openssl | pyssl]

A client talks to a real server over a blocking socket, a non-blocking
socket, memory BIOs, a BIO pair, a BIO written in Python and a BIO that makes
the connection itself. The page shows each call with what it returned, what
was agreed, and a line of text that the server sent back reversed. The exit
code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import socket
import sys
from typing import Callable, Optional, TextIO, TypeVar

import pyssl as p
from pyssl import demo_peer

T = TypeVar("T")

_WIDTH = 44  # of the column with the calls
_PAIR_SIZE = 200  # less than a ClientHello, to show WANT_WRITE

_CODES = {
    p.SSL_ERROR_NONE: "",
    p.SSL_ERROR_SSL: "SSL_ERROR_SSL",
    p.SSL_ERROR_WANT_READ: "WANT_READ",
    p.SSL_ERROR_WANT_WRITE: "WANT_WRITE",
    p.SSL_ERROR_SYSCALL: "SSL_ERROR_SYSCALL",
    p.SSL_ERROR_ZERO_RETURN: "ZERO_RETURN",
    p.SSL_ERROR_WANT_CONNECT: "WANT_CONNECT",
}
_REPEATED = (
    p.SSL_ERROR_WANT_READ,
    p.SSL_ERROR_WANT_WRITE,
    p.SSL_ERROR_WANT_CONNECT,
)


class DemoError(Exception):
    """A call did not return what it should have."""


class Page:
    """Writes lines for people; in colour on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colour = out.isatty() and "NO_COLOR" not in os.environ

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line; style is the number of a terminal's colour."""
        if style and self._colour:
            text = f"\033[{style}m{text}\033[0m"
        self._out.write(text + "\n")

    def title(self, text: str) -> None:
        """Begin a part of the page."""
        self.line()
        self.line(text, "1")

    def note(self, text: str) -> None:
        """Say what stands behind the calls that follow."""
        self.line(f"  {text}", "2")

    def call(self, what: str, ret: int, meaning: str = "") -> None:
        """Show a call and what it returned."""
        text = f"  {what:<{_WIDTH}} -> {ret:<4} {meaning}".rstrip()
        self.line(text, "32" if ret > 0 else "")

    def fact(self, name: str, value: str) -> None:
        """Show something that is known now."""
        self.line(f"  {name:<14} {value}")


class Client:
    """One SSL over one connection, told call by call.

    A subclass puts its kind of BIO under the SSL and says what to do when a
    call wants to read or to write.
    """

    title = ""

    def __init__(self, page: Page, sock: socket.socket, ssl: p.SSL) -> None:
        self.page = page
        self.sock = sock
        self.ssl = ssl
        self.attach()

    def attach(self) -> None:
        """Put BIOs under the SSL."""
        raise NotImplementedError

    def wait(self, code: int) -> None:
        """Make it worthwhile to repeat a call that gave WANT_...."""
        raise DemoError(f"a blocking BIO gave {_CODES[code]}")

    def flush(self) -> None:
        """Send what a call has left in the BIO."""

    def sum_up(self) -> None:
        """Say more about the BIO when all is done."""

    def repeat(self, name: str, call: Callable[[], int]) -> int:
        """Make a call until it is done, and show each attempt.

        Errors:
            DemoError: it failed; the text of the queue's oldest entry.
        """
        while True:
            ret = call()
            code = p.SSL_get_error(self.ssl, ret)
            self.page.call(name, ret, _CODES.get(code, str(code)))
            if code not in _REPEATED:
                self.flush()
                break
            self.wait(code)
        if ret <= 0:
            why = p.ERR_error_string(p.ERR_get_error())
            raise DemoError(f"{name}: {why}")
        return ret

    def run(self) -> None:
        """Shake hands, have a line sent back, close."""
        ssl = self.ssl
        self.repeat("SSL_do_handshake(ssl)", lambda: p.SSL_do_handshake(ssl))
        self._show_agreement()
        line = f"over {self.title[0].lower()}{self.title[1:]}"
        data = line.encode() + b"\n"
        self.repeat("SSL_write(ssl, line)", lambda: p.SSL_write(ssl, data))
        buf = bytearray(256)
        n = self.repeat("SSL_read(ssl, buf)", lambda: p.SSL_read(ssl, buf))
        answer = buf[:n].decode().rstrip("\n")
        self.page.fact("sent", line)
        self.page.fact("came back", answer)
        if answer != line[::-1]:
            raise DemoError("the line came back changed")
        self._close()
        self.sum_up()

    def _show_agreement(self) -> None:
        """Show what the handshake has found out."""
        ssl = self.ssl
        agreed = (
            p.SSL_get_version(ssl),
            p.SSL_get_cipher_name(ssl),
            p.SSL_get0_group_name(ssl),
        )
        self.page.fact("agreed", ", ".join(str(one) for one in agreed))
        certificate = _must(p.SSL_get_peer_certificate(ssl))
        verdict = p.X509_verify_cert_error_string(p.SSL_get_verify_result(ssl))
        self.page.fact("certificate", certificate.subject)
        self.page.fact("verification", verdict)

    def _close(self) -> None:
        """Close both directions: 0 after ours, 1 after the server's."""
        ret = p.SSL_shutdown(self.ssl)
        self.page.call("SSL_shutdown(ssl)", ret, "ours is sent")
        self.flush()
        if ret != 0:
            raise DemoError("close_notify could not be sent")
        self.repeat("SSL_shutdown(ssl)", lambda: p.SSL_shutdown(self.ssl))
        both = p.SSL_SENT_SHUTDOWN | p.SSL_RECEIVED_SHUTDOWN
        if p.SSL_get_shutdown(self.ssl) != both:
            raise DemoError("the connection is not closed")


class Blocking(Client):
    """A blocking socket: each call returns when it is done."""

    title = "A blocking socket"

    def attach(self) -> None:
        """Let the SSL read and write the descriptor."""
        ret = p.SSL_set_fd(self.ssl, self.sock.fileno())
        self.page.call("SSL_set_fd(ssl, fd)", ret)


class NonBlocking(Client):
    """A non-blocking socket: a call returns when the kernel has no more."""

    title = "A non-blocking socket"

    def attach(self) -> None:
        """Put a socket BIO for both directions under the SSL."""
        self.sock.setblocking(False)
        bio = _must(p.BIO_new_socket(self.sock.fileno(), p.BIO_NOCLOSE))
        p.SSL_set_bio(self.ssl, bio, bio)
        self.page.note("bio = BIO_new_socket(fd, BIO_NOCLOSE)")
        self.page.note("SSL_set_bio(ssl, bio, bio)")

    def wait(self, code: int) -> None:
        """Wait in select for what the code says."""
        name, ret = _select(self.sock, code)
        self.page.call(f"  select({name})", ret)


class Memory(Client):
    """Memory BIOs: the program carries the bytes."""

    title = "Two memory BIOs"

    def attach(self) -> None:
        """Put one BIO for each direction under the SSL."""
        self.rbio = _must(p.BIO_new(p.BIO_s_mem()))
        self.wbio = _must(p.BIO_new(p.BIO_s_mem()))
        p.SSL_set_bio(self.ssl, self.rbio, self.wbio)
        self.page.note("rbio, wbio = BIO_new(BIO_s_mem()), twice")
        self.page.note("SSL_set_bio(ssl, rbio, wbio)")

    def wait(self, code: int) -> None:
        """Carry bytes over, first those that go out."""
        self.flush()
        if code == p.SSL_ERROR_WANT_READ:
            data = _received(self.sock, 65536)
            ret = p.BIO_write(self.rbio, data)
            self.page.call("  BIO_write(rbio, received)", ret)

    def flush(self) -> None:
        """Send what waits in the BIO for writing."""
        while p.BIO_ctrl_pending(self.wbio):
            buf = bytearray(p.BIO_ctrl_pending(self.wbio))
            ret = p.BIO_read(self.wbio, buf)
            self.page.call("  BIO_read(wbio, to_send)", ret)
            self.sock.sendall(buf[:ret])


class Pair(Client):
    """A BIO pair: the program stands at the other half."""

    title = "A BIO pair"

    def attach(self) -> None:
        """Put one half under the SSL and keep the other."""
        halves = p.BIO_new_bio_pair(_PAIR_SIZE, _PAIR_SIZE)
        self.inner, self.outer = (_must(half) for half in halves)
        p.SSL_set_bio(self.ssl, self.inner, self.inner)
        self.page.note(
            f"inner, outer = BIO_new_bio_pair({_PAIR_SIZE}, {_PAIR_SIZE})"
        )
        self.page.note("SSL_set_bio(ssl, inner, inner)")

    def wait(self, code: int) -> None:
        """Carry bytes over, as many as the pair has room for."""
        self.flush()
        room = p.BIO_ctrl_get_write_guarantee(self.outer)
        if code == p.SSL_ERROR_WANT_READ and room > 0:
            data = _received(self.sock, room)
            ret = p.BIO_write(self.outer, data)
            self.page.call("  BIO_write(outer, received)", ret)

    def flush(self) -> None:
        """Send what the SSL wrote to its half."""
        while p.BIO_ctrl_pending(self.outer):
            buf = bytearray(p.BIO_ctrl_pending(self.outer))
            ret = p.BIO_read(self.outer, buf)
            self.page.call("  BIO_read(outer, to_send)", ret)
            self.sock.sendall(buf[:ret])


class Python(Client):
    """A BIO written in Python, over a non-blocking socket."""

    title = "A BIO written in Python"

    def attach(self) -> None:
        """Make a BIO whose operations are methods of this object."""
        self.sock.setblocking(False)
        self.ended = False
        self.n_reads = self.n_writes = self.n_flushes = 0
        kind = p.BIO_get_new_index() | p.BIO_TYPE_SOURCE_SINK
        method = p.BIO_meth_new(kind, "demonstration")
        p.BIO_meth_set_read(method, self.read)
        p.BIO_meth_set_write(method, self.write)
        p.BIO_meth_set_ctrl(method, self.ctrl)
        bio = _must(p.BIO_new(method))
        p.SSL_set_bio(self.ssl, bio, bio)
        self.page.note('method = BIO_meth_new(type, "demonstration")')
        self.page.note("BIO_meth_set_read(method, read) ... write, ctrl")
        self.page.note("bio = BIO_new(method); SSL_set_bio(ssl, bio, bio)")

    def read(self, bio: p.BIO, n: int) -> bytes | int:
        """Give up to n bytes, or -1 and the wish to be asked again."""
        self.n_reads += 1
        p.BIO_clear_retry_flags(bio)
        try:
            data = self.sock.recv(n)
        except BlockingIOError:
            p.BIO_set_retry_read(bio)
            return -1
        self.ended = not data
        return data or 0

    def write(self, bio: p.BIO, data: memoryview) -> int:
        """Take bytes, or give -1 and the wish to be asked again."""
        self.n_writes += 1
        p.BIO_clear_retry_flags(bio)
        try:
            return self.sock.send(data)
        except BlockingIOError:
            p.BIO_set_retry_write(bio)
            return -1

    def ctrl(self, _bio: p.BIO, cmd: int, _larg: int, _parg: object) -> int:
        """Answer that all is flushed, and whether the peer has gone."""
        if cmd == p.BIO_CTRL_FLUSH:
            self.n_flushes += 1
            return 1
        return int(cmd == p.BIO_CTRL_EOF and self.ended)

    def wait(self, code: int) -> None:
        """Wait in select for what the code says."""
        name, ret = _select(self.sock, code)
        self.page.call(f"  select({name})", ret)

    def sum_up(self) -> None:
        """Say how often the operations were called."""
        self.page.fact(
            "in Python",
            f"read was called {self.n_reads} times, write {self.n_writes},"
            f" flush {self.n_flushes}",
        )


class Connecting(Client):
    """A BIO that makes a connection of its own."""

    title = "A BIO that connects"

    def attach(self) -> None:
        """Give up the connection that is there; the BIO makes another."""
        host, port = self.sock.getpeername()
        self.sock.close()
        bio = _must(p.BIO_new_connect(f"{host}:{port}"))
        p.BIO_set_nbio(bio, 1)
        p.SSL_set_bio(self.ssl, bio, bio)
        self.page.note(f'bio = BIO_new_connect("{host}:{port}")')
        self.page.note("BIO_set_nbio(bio, 1); SSL_set_bio(ssl, bio, bio)")

    def wait(self, code: int) -> None:
        """Wait in select for what the code says."""
        name, ret = _select(p.SSL_get_fd(self.ssl), code)
        self.page.call(f"  select({name})", ret)


_KINDS: tuple[type[Client], ...] = (
    Blocking,
    NonBlocking,
    Memory,
    Pair,
    Python,
    Connecting,
)


def _must(made: Optional[T]) -> T:
    """Pass on what a constructor gave, unless it is None."""
    if made is None:
        raise DemoError(p.ERR_error_string(p.ERR_get_error()))
    return made


def _select(sock: socket.socket | int, code: int) -> tuple[str, int]:
    """Wait until a socket is ready: what for, and how many were."""
    limit = demo_peer.PATIENCE
    if code == p.SSL_ERROR_WANT_READ:
        name, ready = "readable", select.select([sock], [], [], limit)[0]
    else:
        name, ready = "writable", select.select([], [sock], [], limit)[1]
    if not ready:
        raise DemoError("the peer is silent")
    return name, len(ready)


def _received(sock: socket.socket, n: int) -> bytes:
    """Receive 1 to n bytes."""
    try:
        data = sock.recv(n)
    except BlockingIOError:
        raise DemoError("the peer is silent") from None
    if not data:
        raise DemoError("the peer closed the connection")
    return data


def _context(peer: demo_peer.Peer) -> p.SSL_CTX:
    """Make a client's context that trusts the peer's certificate alone."""
    ctx = _must(p.SSL_CTX_new(p.TLS_client_method()))
    if p.SSL_CTX_load_verify_mem(ctx, peer.certificate) != 1:
        raise DemoError(p.ERR_error_string(p.ERR_get_error()))
    p.SSL_CTX_set_verify(ctx, p.SSL_VERIFY_PEER, None)
    return ctx


def _show(
    page: Page, peer: demo_peer.Peer, ctx: p.SSL_CTX, kind: type[Client]
) -> bool:
    """Show one kind of BIO; False if it failed."""
    p.ERR_clear_error()
    try:
        with peer.connect() as sock:
            ssl = _must(p.SSL_new(ctx))
            p.SSL_set_connect_state(ssl)
            p.SSL_set_tlsext_host_name(ssl, demo_peer.HOST)
            p.SSL_set1_host(ssl, demo_peer.HOST)
            kind(page, sock, ssl).run()
    except (DemoError, OSError) as e:
        page.line(f"  FAILED: {e}", "31")
        return False
    return True


def show_all(page: Page, peer: demo_peer.Peer) -> bool:
    """Show every kind of BIO; False if one failed."""
    page.line(f"pyssl {p.__version__}: a handshake over each kind of BIO", "1")
    page.line()
    page.line(f"The server is {peer.name}, on port {peer.port}.")
    page.line(
        "It sends each line back reversed. A call that is to be repeated"
    )
    page.line("returns -1, and behind that stands what SSL_get_error said.")
    ctx = _context(peer)
    good = 0
    for number, kind in enumerate(_KINDS, 1):
        page.title(f"{number}. {kind.title}")
        good += _show(page, peer, ctx, kind)
    page.line()
    page.line(
        f"{good} of {len(_KINDS)} kinds of BIO: handshake, data and close"
        " as they should be.",
        "1",
    )
    return good == len(_KINDS)


def main(arguments: Optional[list[str]] = None) -> int:
    """Write the page; 0 if all went well."""
    parser = argparse.ArgumentParser(
        prog="python -m pyssl.demo",
        description="A handshake over each kind of BIO, told step by step.",
    )
    parser.add_argument(
        "--peer",
        choices=sorted(_PEERS),
        help="who the server is; if left out, openssl where it is installed",
    )
    given = parser.parse_args(arguments)
    page = Page(sys.stdout)
    with contextlib.ExitStack() as stack:
        try:
            peer = _start(page, given.peer, stack)
            return 0 if show_all(page, peer) else 1
        except (DemoError, demo_peer.PeerError, OSError) as e:
            page.line(f"The demonstration cannot be given: {e}", "31")
            return 1


_PEERS = {"openssl": demo_peer.openssl_peer, "pyssl": demo_peer.own_peer}


def _start(
    page: Page, name: Optional[str], stack: contextlib.ExitStack
) -> demo_peer.Peer:
    """Start the server asked for, or else the best that there is."""
    if name is None and demo_peer.has_openssl():
        try:
            return stack.enter_context(demo_peer.openssl_peer())
        except demo_peer.PeerError as e:
            page.line(f"openssl is no help, so pyssl is the server: {e}")
    return stack.enter_context(_PEERS[name or "pyssl"]())


if __name__ == "__main__":
    sys.exit(main())
