"""The core without the objects above it: a pair of connections whose bytes
a schedule moves.

    pair = Pair()
    pair.handshake()
    assert pair.client.open and pair.server.open

An `End` has a foreign BIO: each operation that the core asks for is answered
by the end's schedule, which may cut reads and writes, ask for a retry at any
operation, or end the stream at any byte.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional

from pyssl._ffi import ffi, lib
from tests.pki import ca

RETRY, READ, WRITE = 8, 1, 2
UNEXPECTED_EOF = 294
HOST = b"localhost"
BIG = 1 << 20
# What these give is a number of bytes, or minus an outcome.
COUNTING = (lib.pys_conn_read, lib.pys_conn_write, lib.pys_conn_write_early)


def reasons(fault: Any) -> list[int]:
    """Give the reasons recorded in a fault, oldest first."""
    return [fault.codes[i] & 0x7FFFFF for i in range(fault.n_codes)]


def _check(ok: Any) -> None:
    """Fail where the core refused to set something up."""
    if not ok:
        raise MemoryError


def load(settings: Any, identity: ca.Identity) -> None:
    """Put a certificate and its key into settings."""
    f = ffi.new("pys_fault *")
    der, key_der = identity.cert_der, identity.key_der
    cert = ffi.gc(
        lib.pys_cert_from_der(ffi.from_buffer(der), len(der), f),
        lib.pys_cert_free,
    )
    _check(cert)
    key = ffi.gc(
        lib.pys_key_from_der(ffi.from_buffer(key_der), len(key_der), f),
        lib.pys_key_free,
    )
    _check(key)
    _check(lib.pys_settings_use_cert(settings, cert, f))
    _check(lib.pys_settings_use_key(settings, key, f))


def trust(settings: Any, pem: bytes) -> None:
    """Put trust anchors into settings."""
    f = ffi.new("pys_fault *")
    store = ffi.gc(lib.pys_trust_new(), lib.pys_trust_free)
    _check(store)
    _check(lib.pys_trust_add_pem(store, ffi.from_buffer(pem), len(pem), f))
    lib.pys_settings_set_trust(settings, store)


def make_settings(server: bool, client_auth: bool = False) -> Any:
    """Settings of one side of an ordinary verified handshake."""
    identity = ca.leaf("p256", names=(HOST.decode(),))
    s = ffi.gc(lib.pys_settings_new(), lib.pys_settings_free)
    _check(s)
    trust(s, identity.ca_pem)
    if server or client_auth:
        load(s, identity)
    if not server or client_auth:
        lib.pys_settings_set_number(s, lib.PYS_VERIFY_MODE, 3)
    return s


@functools.cache
def shared_settings(server: bool, client_auth: bool = False) -> Any:
    """Give the same settings to every test that changes nothing in them."""
    return make_settings(server, client_auth)


class Schedule:
    """How one end's transport behaves.

    Args:
        read_max, write_max: most bytes of one operation.
        retry_at: the operation (counted from 1) that asks for a retry
            before it works; None for none, 0 for every second one.
        eof_at: bytes after which the stream to this end has ended.
    """

    def __init__(
        self,
        read_max: int = BIG,
        write_max: int = BIG,
        retry_at: Optional[int] = None,
        eof_at: Optional[int] = None,
    ) -> None:
        self.read_max = read_max
        self.write_max = write_max
        self.retry_at = retry_at
        self.eof_at = eof_at
        self.count = 0
        self._just_retried = False

    def retries(self) -> bool:
        """Tell whether this operation asks for a retry."""
        self.count += 1
        if self.retry_at == 0:
            self._just_retried = not self._just_retried
            return self._just_retried
        return self.count == self.retry_at


class End:
    """One connection on a foreign BIO."""

    def __init__(self, settings: Any, server: bool, how: Schedule) -> None:
        self.how = how
        self.inbox = bytearray()
        self.taken = 0
        self.peer: End = self
        self.reads: list[int] = []
        self.flushes = 0
        self.pads = 0  # the answer, if the settings ask for padding
        self.padded: list[tuple[int, int]] = []
        self.bio = ffi.gc(
            lib.pys_bio_new(lib.PYS_BIO_FOREIGN), lib.pys_bio_free
        )
        _check(self.bio)
        self.conn = ffi.gc(lib.pys_conn_new(settings), lib.pys_conn_free)
        _check(self.conn)
        lib.pys_conn_set_bio(self.conn, self.bio, self.bio)
        lib.pys_conn_set_role(
            self.conn, lib.PYS_SERVER if server else lib.PYS_CLIENT
        )
        if not server:
            n = len(HOST)
            _check(lib.pys_conn_set_server_name(self.conn, HOST, n))
            _check(lib.pys_conn_add_host(self.conn, HOST, n))

    @property
    def open(self) -> bool:
        return bool(lib.pys_conn_phase(self.conn) == lib.PYS_OPEN)

    @property
    def dead(self) -> bool:
        return bool(lib.pys_conn_phase(self.conn) == lib.PYS_DEAD)

    @property
    def reasons(self) -> list[int]:
        return reasons(lib.pys_conn_fault(self.conn))

    def call(self, function: Callable[..., int], *args: Any) -> int:
        """Call the core, answering its questions, until it says more."""
        while True:
            io = function(self.conn, *args)
            counts = function in COUNTING
            if io != (-lib.PYS_IO_BIO if counts else lib.PYS_IO_BIO):
                return int(io)
            self._pad()
            for writing in (0, 1):
                asked = lib.pys_bio_asked(self.bio, writing)
                if asked.op != lib.PYS_BIO_OP_NONE:
                    self._answer(writing, asked)

    def _pad(self) -> None:
        """Say how a record that waits is padded."""
        n = ffi.new("size_t *")
        kind = lib.pys_conn_pad_asked(self.conn, n)
        if kind >= 0:
            self.padded.append((kind, n[0]))
            lib.pys_conn_pad(self.conn, self.pads)

    def _answer(self, writing: int, asked: Any) -> None:
        lib.pys_bio_clear_flags(self.bio, RETRY | READ | WRITE)
        if asked.op == lib.PYS_BIO_OP_EOF:
            self._reply(writing, int(self._ended()))
        elif self.how.retries():
            lib.pys_bio_set_flags(
                self.bio, RETRY | (WRITE if writing else READ)
            )
            self._reply(writing, -1)
        elif asked.op == lib.PYS_BIO_OP_FLUSH:
            self.flushes += 1
            self._reply(writing, 1)
        elif asked.op == lib.PYS_BIO_OP_WRITE:
            n = min(asked.n, self.how.write_max)
            self.peer.inbox += ffi.buffer(asked.data, n)
            self._reply(writing, n)
        else:
            self._read(asked.n)

    def _ended(self) -> bool:
        return self.how.eof_at is not None and self.taken >= self.how.eof_at

    def _read(self, n: int) -> None:
        self.reads.append(n)
        n = min(n, self.how.read_max, len(self.inbox))
        if self.how.eof_at is not None:
            n = min(n, self.how.eof_at - self.taken)
        if n == 0 and self._ended():
            self._reply(0, 0)
        elif n == 0:
            lib.pys_bio_set_flags(self.bio, RETRY | READ)
            self._reply(0, -1)
        else:
            data = bytes(self.inbox[:n])
            del self.inbox[:n]
            self.taken += n
            self._reply(0, n, data)

    def _reply(self, writing: int, ret: int, data: bytes = b"") -> None:
        raw = ffi.from_buffer(data) if data else ffi.NULL
        _check(lib.pys_bio_answer(self.bio, writing, ret, raw))

    def handshake(self) -> int:
        return self.call(lib.pys_conn_handshake)

    def write(self, data: bytes) -> int:
        """Write all of data; give the last outcome."""
        raw = ffi.from_buffer(data)
        while True:
            n = self.call(lib.pys_conn_write, raw, len(data))
            if n != -lib.PYS_IO_WANT_WRITE:
                return int(lib.PYS_IO_DONE) if n >= 0 else -n

    def read(self, n: int = 20000) -> tuple[int, bytes]:
        """Read once; give the outcome and the bytes."""
        out = ffi.new("uint8_t[]", n)
        got = self.call(lib.pys_conn_read, out, n, False)
        if got < 0:
            return -got, b""
        return int(lib.PYS_IO_DONE), bytes(ffi.buffer(out, got))


class Pair:
    """A client and a server that feed each other."""

    def __init__(
        self,
        client: Optional[Schedule] = None,
        server: Optional[Schedule] = None,
        client_auth: bool = False,
        settings: Optional[tuple[Any, Any]] = None,
    ) -> None:
        mine, theirs = settings or (
            shared_settings(False, client_auth),
            shared_settings(True, client_auth),
        )
        self.client = End(mine, False, client or Schedule())
        self.server = End(theirs, True, server or Schedule())
        self.client.peer = self.server
        self.server.peer = self.client

    def handshake(self, most: int = 100_000) -> tuple[int, int]:
        """Call both in turn until both have ended; give the outcomes."""
        again = (lib.PYS_IO_WANT_READ, lib.PYS_IO_WANT_WRITE)
        mine = theirs = lib.PYS_IO_WANT_READ
        idle = 0
        for _ in range(most):
            before = self._progress()
            if mine in again:
                mine = self.client.handshake()
            if theirs in again:
                theirs = self.server.handshake()
            if mine not in again and theirs not in again:
                return mine, theirs
            moved = before != self._progress()
            idle = 0 if moved else idle + 1
            if idle > 4:
                return mine, theirs
        raise AssertionError("the handshake goes on for ever")

    def _progress(self) -> list[int]:
        """Count what was taken, and what waits to be."""
        ends = (self.client, self.server)
        return [end.taken + len(end.inbox) for end in ends]

    def exchange(self, data: bytes) -> None:
        """Send data both ways and compare."""
        for a, b in ((self.client, self.server), (self.server, self.client)):
            assert a.write(data) == lib.PYS_IO_DONE
            got = b""
            while len(got) < len(data):
                io, part = b.read()
                assert io in (lib.PYS_IO_DONE, lib.PYS_IO_WANT_READ)
                got += part
            assert got == data
