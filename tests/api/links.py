"""The test vocabulary of contract section 0: ways to tie two ends together.

    link = make_link()                 # two SSLs on memory BIOs
    assert link.handshake() == [(-1, 2), (-1, 2), (1, 0), (1, 0)]
    link.send(link.client, b"hello")   # write, move, read, compare

- `make_contexts` gives a client and a server context that trust each other
  as far as the arguments say; `make_ends` two SSL objects of them with roles
  and names set, without BIOs.
- `MemLink`: each side has its own read and write memory BIO and the test
  moves the bytes. `PairLink`: both sides on the two halves of one BIO pair,
  or each on a pair of its own. `SockLink`: a socket pair, blocking with two
  threads or not blocking with poll.
- `RawPeer`: one SSL, and the test plays the other side with literal bytes.
- `PyBio`: a BIO_METHOD written in Python that records every call and answers
  what it is told.
- `outcome(ssl, ret)` is (ret, SSL_get_error); `reasons()` empties the
  thread's queue and gives (library, reason) of each entry, oldest first.

Everything here goes through the C-named functions of `pyssl`.
"""

from __future__ import annotations

import collections
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

import pyssl as p
from tests.pki import ca

Outcome = tuple[int, int]

HOST = "localhost"


def outcome(ssl: p.SSL, ret: int) -> Outcome:
    """Give the return value of a call with its SSL_get_error code."""
    return ret, p.SSL_get_error(ssl, ret)


def reasons() -> list[tuple[int, int]]:
    """Empty the thread's error queue: (library, reason), oldest first."""
    found: list[tuple[int, int]] = []
    while True:
        code = p.ERR_get_error()
        if code == 0:
            return found
        found.append((p.ERR_GET_LIB(code), p.ERR_GET_REASON(code)))


def ssl_reasons() -> list[int]:
    """Empty the queue and give the reasons of library SSL alone."""
    return [reason for lib, reason in reasons() if lib == p.ERR_LIB_SSL]


# ---- contexts and ends ----------------------------------------------------


def use_identity(holder: Any, identity: ca.Identity) -> None:
    """Give an SSL_CTX a certificate chain and its key."""
    chain, key = identity.chain_pem, identity.key_der
    assert p.SSL_CTX_use_certificate_chain_mem(holder, chain) == 1
    assert p.SSL_CTX_use_PrivateKey_ASN1(0, holder, key) == 1
    assert p.SSL_CTX_check_private_key(holder) == 1


def make_contexts(
    kind: str = "p256",
    verify: bool = True,
    client_auth: bool = False,
    client_kind: Optional[str] = None,
    server: Optional[ca.Identity] = None,
    client: Optional[ca.Identity] = None,
    tickets: Optional[int] = None,
    version: int = 0,
    level: int = 2,
) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make a client context and a server context, both of any role.

    Args:
        kind: Type of the server's key, one of `ca.KINDS`.
        verify: The client verifies the server (SSL_VERIFY_PEER).
        client_auth: The server demands a certificate, and the client has
            one.
        client_kind: Type of the client's key; `kind` if left out.
        server, client: Identities other than `ca.leaf(kind)`.
        tickets: How many a server of TLS 1.3 sends, if not two.
        version: The only version of both; 0 for all.
        level: Security level of the server.
    """
    theirs = server or ca.leaf(kind)
    client_ctx = p.SSL_CTX_new(p.TLS_method())
    server_ctx = p.SSL_CTX_new(p.TLS_method())
    assert client_ctx is not None
    assert server_ctx is not None
    p.SSL_CTX_set_security_level(server_ctx, level)
    use_identity(server_ctx, theirs)
    if verify:
        assert p.SSL_CTX_load_verify_mem(client_ctx, theirs.ca_pem) == 1
        p.SSL_CTX_set_verify(client_ctx, p.SSL_VERIFY_PEER, None)
    if client_auth:
        ours = client or ca.leaf(client_kind or kind, key_label="client")
        use_identity(client_ctx, ours)
        assert p.SSL_CTX_load_verify_mem(server_ctx, ours.ca_pem) == 1
        mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        p.SSL_CTX_set_verify(server_ctx, mode, None)
    if tickets is not None:
        assert p.SSL_CTX_set_num_tickets(server_ctx, tickets) == 1
    for ctx in (client_ctx, server_ctx):
        assert p.SSL_CTX_set_min_proto_version(ctx, version) == 1
        assert p.SSL_CTX_set_max_proto_version(ctx, version) == 1
    return client_ctx, server_ctx


def make_ends(
    client_ctx: Optional[p.SSL_CTX] = None,
    server_ctx: Optional[p.SSL_CTX] = None,
    host: Optional[str] = HOST,
    **wishes: Any,
) -> tuple[p.SSL, p.SSL]:
    """Make a client SSL and a server SSL with roles, without BIOs.

    Args:
        client_ctx, server_ctx: Contexts; missing ones come from
            `make_contexts(**wishes)`.
        host: Name the client sends and verifies; None for neither.
    """
    if client_ctx is None or server_ctx is None:
        made = make_contexts(**wishes)
        client_ctx = client_ctx or made[0]
        server_ctx = server_ctx or made[1]
    client, server = new_ssl(client_ctx), new_ssl(server_ctx)
    p.SSL_set_connect_state(client)
    p.SSL_set_accept_state(server)
    if host is not None:
        assert p.SSL_set_tlsext_host_name(client, host) == 1
        assert p.SSL_set1_host(client, host) == 1
    return client, server


def new_ssl(ctx: p.SSL_CTX) -> p.SSL:
    """Make an SSL without role."""
    ssl = p.SSL_new(ctx)
    assert ssl is not None
    return ssl


# ---- moving bytes ---------------------------------------------------------


def take(bio: p.BIO, limit: Optional[int] = None) -> bytes:
    """Take what a BIO holds, at most limit bytes."""
    waiting = p.BIO_ctrl_pending(bio)
    size = waiting if limit is None else min(limit, waiting)
    if size == 0:
        return b""
    buf = bytearray(size)
    got = p.BIO_read(bio, buf)
    return bytes(buf[:got])


def put(bio: p.BIO, data: bytes) -> None:
    """Give bytes to a BIO that must take them all."""
    if data:
        assert p.BIO_write(bio, data) == len(data)


def read(ssl: p.SSL, size: int = 16384) -> bytes:
    """Read once; the call must give data."""
    buf = bytearray(size)
    got = p.SSL_read(ssl, buf)
    assert got > 0, (outcome(ssl, got), reasons())
    return bytes(buf[:got])


class _Link:
    """What all links share: two ends and the handshake between them."""

    client: p.SSL
    server: p.SSL

    def move(self) -> tuple[int, int]:
        """Carry bytes over: how many to the server, how many back."""
        raise NotImplementedError

    def _turns(self) -> Iterator[p.SSL]:
        """Give client and server in turn, for ever."""
        while True:
            yield self.client
            yield self.server

    def step(self) -> tuple[Outcome, Outcome]:
        """Call the client, move, call the server, move."""
        first = outcome(self.client, p.SSL_do_handshake(self.client))
        self.move()
        second = outcome(self.server, p.SSL_do_handshake(self.server))
        self.move()
        return first, second

    def handshake(self, limit: int = 100_000) -> list[Outcome]:
        """Call client and server in turn until both are done or one fails.

        Returns:
            The outcome of each call. A finished side is not called again;
            a failed one ends the list after its peer heard of it.
        """
        results: list[Outcome] = []
        done: set[int] = set()
        for ssl in self._turns():
            if id(ssl) in done:
                continue
            results.append(outcome(ssl, p.SSL_do_handshake(ssl)))
            self.move()
            if results[-1][1] not in (2, 3):
                done.add(id(ssl))
            if len(done) == 2:
                return results
            assert len(results) < limit, results[-4:]
        raise AssertionError("unreachable")

    def established(self) -> _Link:
        """Complete the handshake, or fail with the evidence."""
        results = self.handshake()
        assert results[-1] == (1, 0), (results[-4:], reasons())
        assert p.SSL_is_init_finished(self.client), reasons()
        assert p.SSL_is_init_finished(self.server), reasons()
        return self

    def peer_of(self, ssl: p.SSL) -> p.SSL:
        """Give the other end."""
        return self.server if ssl is self.client else self.client

    def send(self, ssl: p.SSL, data: bytes) -> None:
        """Write data at one end; the other must read just that."""
        assert p.SSL_write(ssl, data) == len(data), reasons()
        self.move()
        got = b""
        while len(got) < len(data):
            got += read(self.peer_of(ssl))
        assert got == data


class MemLink(_Link):
    """Two SSLs, each with its own read and write memory BIO."""

    def __init__(self, client: p.SSL, server: p.SSL) -> None:
        self.client, self.server = client, server
        self.attach()

    def attach(self) -> None:
        """Put fresh memory BIOs under both ends."""
        self.client_in, self.client_out = mem(), mem()
        self.server_in, self.server_out = mem(), mem()
        p.SSL_set_bio(self.client, self.client_in, self.client_out)
        p.SSL_set_bio(self.server, self.server_in, self.server_out)

    def move(self, limit: Optional[int] = None) -> tuple[int, int]:
        """Carry what was written, at most limit bytes each way."""
        there = take(self.client_out, limit)
        put(self.server_in, there)
        back = take(self.server_out, limit)
        put(self.client_in, back)
        return len(there), len(back)

    def end(self, ssl: p.SSL) -> None:
        """Make one end see EOF once what it was given is read."""
        bio = self.client_in if ssl is self.client else self.server_in
        assert p.BIO_set_mem_eof_return(bio, 0) == 1


def new_bio(method: p.BIO_METHOD) -> p.BIO:
    """Make a BIO that must come to be."""
    bio = p.BIO_new(method)
    assert bio is not None
    return bio


def mem() -> p.BIO:
    """Make a memory BIO."""
    return new_bio(p.BIO_s_mem())


def bio_pair(size: int = 0) -> tuple[p.BIO, p.BIO]:
    """Make two halves that hold so many bytes; 0 for the default."""
    first, second = p.BIO_new_bio_pair(size, size)
    assert first is not None
    assert second is not None
    return first, second


def make_link(**wishes: Any) -> MemLink:
    """Make a mem link of `make_ends(**wishes)`, no handshake done."""
    return MemLink(*make_ends(**wishes))


def connected(**wishes: Any) -> MemLink:
    """Make a mem link whose handshake is done; tickets are not yet read."""
    link = make_link(**wishes)
    link.established()
    return link


class PairLink(_Link):
    """Two SSLs on BIO pairs.

    Args:
        size: Bytes that each half can hold; 0 for the default.
        direct: Both SSLs on the two halves of one pair, so nothing is to be
            moved. Else each has a pair of its own and `move` carries bytes
            between the network halves.
    """

    def __init__(
        self,
        client: p.SSL,
        server: p.SSL,
        size: int = 0,
        direct: bool = True,
    ) -> None:
        self.client, self.server = client, server
        self.direct = direct
        if direct:
            self.client_bio, self.server_bio = bio_pair(size)
            self.client_net, self.server_net = (
                self.server_bio,
                self.client_bio,
            )
        else:
            self.client_bio, self.client_net = bio_pair(size)
            self.server_bio, self.server_net = bio_pair(size)
        p.SSL_set_bio(client, self.client_bio, self.client_bio)
        p.SSL_set_bio(server, self.server_bio, self.server_bio)

    def move(self) -> tuple[int, int]:
        """Carry as much as the other network half takes, both ways."""
        if self.direct:
            return 0, 0
        return (
            _pour(self.client_net, self.server_net),
            _pour(self.server_net, self.client_net),
        )


def _pour(source: p.BIO, sink: p.BIO) -> int:
    moved = 0
    while True:
        data = take(source, p.BIO_ctrl_get_write_guarantee(sink))
        if not data:
            return moved
        put(sink, data)
        moved += len(data)


class SockLink(_Link):
    """Two SSLs on a socket pair.

    Blocking: `handshake` runs the server in a second thread. Not blocking:
    poll between the calls.
    """

    def __init__(
        self,
        client: p.SSL,
        server: p.SSL,
        blocking: bool = True,
        family: socket.AddressFamily = socket.AF_UNIX,
    ) -> None:
        self.client, self.server = client, server
        self.blocking = blocking
        self.client_sock, self.server_sock = _sockets(family)
        self.client_sock.setblocking(blocking)
        self.server_sock.setblocking(blocking)
        assert p.SSL_set_fd(client, self.client_sock.fileno()) == 1
        assert p.SSL_set_fd(server, self.server_sock.fileno()) == 1

    def __enter__(self) -> SockLink:  # noqa: PYI034 - no Self before 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both sockets."""
        self.client_sock.close()
        self.server_sock.close()

    def move(self) -> tuple[int, int]:
        """Do nothing: the kernel moves the bytes."""
        return 0, 0

    def wait(self, ssl: p.SSL, code: int, seconds: float = 10.0) -> None:
        """Wait for what a 2 or 3 of SSL_get_error asks for."""
        events = {2: select.POLLIN, 3: select.POLLOUT}[code]
        poll = select.poll()
        poll.register(p.SSL_get_fd(ssl), events)
        assert poll.poll(seconds * 1000), "nothing came"

    def handshake(self, limit: int = 100_000) -> list[Outcome]:
        """Complete the handshake: client's outcomes, then server's."""
        if not self.blocking:
            return super().handshake(limit)
        end, found = in_thread(
            lambda: outcome(self.server, p.SSL_do_handshake(self.server))
        )
        mine = outcome(self.client, p.SSL_do_handshake(self.client))
        end.join(30)
        assert not end.is_alive(), "server hangs"
        return [mine, found[0]]


def _sockets(
    family: socket.AddressFamily,
) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        return socket.socketpair(family, socket.SOCK_STREAM)
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run work in a thread; its result, or exception, is the list's item."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as e:  # noqa: BLE001 - handed to the test
            found.append(e)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


class RawPeer:
    """One SSL on memory BIOs; the test is the other side."""

    def __init__(self, ssl: p.SSL) -> None:
        self.ssl = ssl
        self.attach()

    def attach(self) -> None:
        """Put fresh memory BIOs under the SSL."""
        self.bio_in, self.bio_out = mem(), mem()
        p.SSL_set_bio(self.ssl, self.bio_in, self.bio_out)

    def feed(self, data: Union[bytes, str]) -> None:
        """Give the SSL bytes to read; text is hex."""
        raw = bytes.fromhex(data) if isinstance(data, str) else data
        put(self.bio_in, raw)

    def end(self) -> None:
        """Let the SSL see EOF behind what it was fed."""
        assert p.BIO_set_mem_eof_return(self.bio_in, 0) == 1

    def sent(self) -> bytes:
        """Take what the SSL has written."""
        return take(self.bio_out)

    def handshake(self) -> Outcome:
        """Call SSL_do_handshake once."""
        return outcome(self.ssl, p.SSL_do_handshake(self.ssl))

    def read(self, size: int = 16384) -> Outcome:
        """Call SSL_read once."""
        return outcome(self.ssl, p.SSL_read(self.ssl, bytearray(size)))

    def write(self, data: bytes) -> Outcome:
        """Call SSL_write once."""
        return outcome(self.ssl, p.SSL_write(self.ssl, data))

    def shutdown(self) -> Outcome:
        """Call SSL_shutdown once."""
        return outcome(self.ssl, p.SSL_shutdown(self.ssl))


def raw_client(**wishes: Any) -> RawPeer:
    """Make a client whose server is the test."""
    return RawPeer(make_ends(**wishes)[0])


def raw_server(**wishes: Any) -> RawPeer:
    """Make a server whose client is the test."""
    return RawPeer(make_ends(**wishes)[1])


# ---- a BIO in Python ------------------------------------------------------


@dataclass
class Answer:
    """What a `PyBio` is told to answer once.

    ret is the operation's result; data, if given, is what a read yields
    instead. flags are BIO_FLAGS_ bits to set, reason the one of a special
    retry.
    """

    ret: int = -1
    data: Optional[bytes] = None
    flags: int = 0
    reason: int = 0
    error: Optional[BaseException] = None


RETRY_READ = 9
RETRY_WRITE = 10
RETRY_SPECIAL = 12


class PyBio:
    """A BIO_METHOD written in Python.

    Without orders it is a memory BIO that asks for a retry when `incoming`
    is empty, or reports EOF once `ended` is set, and gathers what is written
    in `outgoing`. `tell("read", Answer(...), ...)` queues answers that come
    first. `calls` lists (operation, argument) as they came: ("read", n),
    ("write", n), ("ctrl", cmd), ("create", 0), ("destroy", 0).
    """

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.ended = False
        self.calls: list[tuple[str, int]] = []
        self._orders: dict[str, collections.deque[Answer]] = {}
        self.flush = 1
        self.method = p.BIO_meth_new(0x400 | 129, "test")
        p.BIO_meth_set_read(self.method, self._read)
        p.BIO_meth_set_write(self.method, self._write)
        p.BIO_meth_set_ctrl(self.method, self._ctrl)
        p.BIO_meth_set_create(self.method, self._create)
        p.BIO_meth_set_destroy(self.method, self._destroy)
        made = p.BIO_new(self.method)
        assert made is not None
        self.bio: p.BIO = made

    def tell(self, operation: str, *answers: Answer) -> None:
        """Queue answers to the next calls of "read", "write" or "flush"."""
        orders = self._orders.setdefault(operation, collections.deque())
        orders.extend(answers)

    def count(self, operation: str, argument: Optional[int] = None) -> int:
        """Count the calls of an operation, with one argument or any."""
        return sum(
            1
            for name, value in self.calls
            if name == operation and argument in (None, value)
        )

    @property
    def n_destroyed(self) -> int:
        """How often destroy has run."""
        return self.count("destroy")

    def _ordered(self, b: p.BIO, operation: str) -> Optional[Answer]:
        orders = self._orders.get(operation)
        if not orders:
            return None
        answer = orders.popleft()
        if answer.flags:
            p.BIO_set_flags(b, answer.flags)
        if answer.flags & p.BIO_FLAGS_IO_SPECIAL:
            p.BIO_set_retry_reason(b, answer.reason)
        if answer.error is not None:
            raise answer.error
        return answer

    def _create(self, b: p.BIO) -> int:
        self.calls.append(("create", 0))
        p.BIO_set_init(b, 1)
        return 1

    def _destroy(self, b: p.BIO) -> int:
        del b
        self.calls.append(("destroy", 0))
        return 1

    def _read(self, b: p.BIO, n: int) -> Union[bytes, int]:
        self.calls.append(("read", n))
        p.BIO_clear_retry_flags(b)
        answer = self._ordered(b, "read")
        if answer is not None:
            return answer.ret if answer.data is None else answer.data
        if not self.incoming:
            if self.ended:
                return 0
            p.BIO_set_retry_read(b)
            return -1
        data = bytes(self.incoming[:n])
        del self.incoming[:n]
        return data

    def _write(self, b: p.BIO, view: memoryview) -> int:
        self.calls.append(("write", len(view)))
        p.BIO_clear_retry_flags(b)
        answer = self._ordered(b, "write")
        if answer is not None:
            if answer.ret > 0:
                self.outgoing += view[: answer.ret]
            return answer.ret
        self.outgoing += view
        return len(view)

    def _ctrl(self, b: p.BIO, cmd: int, larg: int, parg: object) -> int:
        del larg, parg
        self.calls.append(("ctrl", cmd))
        if cmd == p.BIO_CTRL_FLUSH:
            answer = self._ordered(b, "flush")
            return self.flush if answer is None else answer.ret
        if cmd == p.BIO_CTRL_EOF:
            return int(self.ended and not self.incoming)
        return 0


def py_end(server: bool) -> tuple[p.SSL, PyBio]:
    """Make a client or a server on one Python BIO; the test is its peer."""
    ssl, py = make_ends()[server], PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    return ssl, py


class PyLink(_Link):
    """Two SSLs, each on one Python BIO for both directions."""

    def __init__(self, client: p.SSL, server: p.SSL) -> None:
        self.client, self.server = client, server
        self.client_py, self.server_py = PyBio(), PyBio()
        p.SSL_set_bio(client, self.client_py.bio, self.client_py.bio)
        p.SSL_set_bio(server, self.server_py.bio, self.server_py.bio)

    def move(self) -> tuple[int, int]:
        """Carry what each side has written to the other."""
        there, back = self.client_py.outgoing, self.server_py.outgoing
        moved = len(there), len(back)
        self.server_py.incoming += there
        self.client_py.incoming += back
        there.clear()
        back.clear()
        return moved
