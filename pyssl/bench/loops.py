"""Handshakes over sockets that do not block, with their latencies.

A wave is a number of connections whose handshakes go on at the same time in
one thread: both ends of all of them hang on one selector. The sockets are
connected before it begins. A connection's latency is the time from its
client's making until both of its ends are complete.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from selectors import (
    EVENT_READ,
    BaseSelector,
    DefaultSelector,
    SelectSelector,
)
from time import perf_counter_ns, process_time_ns
from typing import Any, NamedTuple, Optional

from pyssl.bench import latency, pki
from pyssl.bench.peers.base import (
    Facts,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
)
from pyssl.bench.peers.wires import Wire, over, way
from pyssl.bench.scenarios import Prepared, Sample, Scenario, prove

# A peer that takes more CPU time for a handshake, in ns, is left out of waves.
_SLOWEST = 6_000_000

# A wave is given up when it takes this much longer than that, and when
# nothing happens for so long.
_PATIENCE = 5
_SILENCE = 10.0

# Connections of the wave that shows how slow a peer is.
_TRIAL = 10

# Descriptors that are left for others, and connections that may wait to be
# accepted: every system has a queue of that length.
_SPARE = 32
_QUEUE = 128


# ---- sockets ---------------------------------------------------------------


class Batch(NamedTuple):
    """Connected sockets.

    Attributes:
        clients: Theirs.
        servers: Of those that were accepted; the others wait.
        names: Addresses of the clients.
        listener: Where those wait that were not accepted.
    """

    clients: list[socket.socket]
    servers: list[socket.socket]
    names: list[Any]
    listener: Optional[socket.socket] = None

    def close(self) -> None:
        """Close all that are not in other hands."""
        for one in (*self.clients, *self.servers):
            one.close()
        if self.listener is not None:
            self.listener.close()


def descriptors() -> int:
    """Let this process open as many as it may, and say how many are free."""
    try:
        resource = import_module("resource")
    except ImportError:
        return 512 - _SPARE  # what select takes on Windows
    kind = resource.RLIMIT_NOFILE
    soft, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 1 << 16)
    if soft != resource.RLIM_INFINITY and soft < hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (hard, resource.getrlimit(kind)[1]))
    soft = resource.getrlimit(kind)[0]
    if soft == resource.RLIM_INFINITY:
        soft = hard
    return int(soft) - _open() - _SPARE


def _open() -> int:
    """Count the descriptors that are open."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return len(os.listdir(folder))
    return _SPARE


def _room(count: int) -> int:
    """Say how many of so many connections can be accepted at once.

    Errors:
        SkipError: too few.
    """
    free = descriptors()
    waiting = max(0, 2 * count - free)
    if waiting > min(_QUEUE, count - 1):
        raise SkipError(
            f"{2 * count:,} descriptors are needed, {max(free, 0):,} are free"
        )
    return count - waiting


def open_tcp(count: int) -> Batch:
    """Connect sockets over the loopback.

    Where descriptors are short by a few, the last connections wait in the
    listener's queue until others are closed.

    Errors:
        SkipError: the process may not have so many.
    """
    room = _room(count)
    batch = Batch([], [], [], socket.create_server(("127.0.0.1", 0)))
    try:
        for number in range(count):
            client = socket.socket()
            batch.clients.append(client)
            client.connect(_listener(batch).getsockname())
            batch.names.append(client.getsockname())
            _prepare(client)
            if number < room:
                batch.servers.append(_accept(batch))
    except BaseException:
        batch.close()
        raise
    return batch


def _listener(batch: Batch) -> socket.socket:
    """Give the listener that a batch has."""
    if batch.listener is None:
        raise FailedError("nobody listens")
    return batch.listener


def _accept(batch: Batch) -> socket.socket:
    """Accept the connection of the next client; drop strangers."""
    wanted = batch.names[len(batch.servers)]
    while True:
        sock, name = _listener(batch).accept()
        if name == wanted:
            _prepare(sock)
            return sock
        sock.close()


def _prepare(sock: socket.socket) -> None:
    """Do not block, send at once, leave no port behind when closed."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def open_pairs(count: int) -> Batch:
    """Make socket pairs that do not block."""
    batch = Batch([], [], [])
    for _ in range(count):
        client, server = socket.socketpair()
        batch.clients.append(client)
        batch.servers.append(server)
        client.setblocking(False)
        server.setblocking(False)
    return batch


# ---- a wave ----------------------------------------------------------------


class _Slot:
    """An end, and what the selector knows of it."""

    __slots__ = ("client", "fd", "number", "waits", "wire")

    def __init__(self, number: int, client: bool, wire: Wire) -> None:
        self.number = number
        self.client = client
        self.wire = wire
        self.fd = wire.sock.fileno()
        self.waits = 0  # what for; 0 if it is not in the selector


class Wave:
    """Handshakes of a batch, all at a time in one thread.

    Attributes:
        spent: Nanoseconds in calls of clients and of servers.
        delays: A latency for each connection that was complete.
        failed: Connections that failed, and what the first of them said.
    """

    def __init__(
        self, stage: Stage, batch: Batch, selector: BaseSelector, host: str
    ) -> None:
        self.spent = {"client": 0, "server": 0}
        self.delays: list[int] = []
        self.failed: list[str] = []
        self._stage = stage
        self._batch = batch
        self._host = host
        self._selector = selector
        count = len(batch.clients)
        self._begun = [0] * count
        self._left = [2] * count
        self._slots: list[list[_Slot]] = [[] for _ in range(count)]
        self._open = count
        limit = count * _SLOWEST * _PATIENCE + int(_SILENCE * 1e9)
        self._until = perf_counter_ns() + limit

    def run(self) -> None:
        """Do it; the sockets stay open, unless others wait for them.

        Errors:
            FailedError: it takes too long.
        """
        batch = self._batch
        for number, sock in enumerate(batch.clients):
            self._begun[number] = perf_counter_ns()
            self._begin(number, sock, self._host)
            if number < len(batch.servers) and self._left[number]:
                self._begin(number, batch.servers[number], None)
        while self._open:
            events = self._selector.select(_SILENCE)
            if not events:
                raise self._late("nothing happens")
            for key, _ in events:
                slot = key.data
                if slot.waits:  # else gone with its other end
                    self._step(slot)

    def facts(self) -> Facts:
        """Tell what the first client agreed on."""
        return self._slots[0][0].wire.facts()

    def close(self) -> None:
        """Close what is open."""
        for slots in self._slots:
            _shut(slots)
        self._batch.close()

    def _late(self, words: str) -> FailedError:
        """Say how far it came."""
        count = len(self._left)
        done = count - self._open
        return FailedError(f"{words}: {done:,} of {count:,} are done")

    def _begin(
        self, number: int, sock: socket.socket, host: Optional[str]
    ) -> None:
        """Put an end on a socket; a client speaks first."""
        before = perf_counter_ns()
        try:
            wire = over(self._stage, sock, host)
        except SkipError:
            raise
        except Exception as e:  # noqa: BLE001 - whatever a peer raises
            self._fail(number, e)
            return
        slot = _Slot(number, host is not None, wire)
        self._slots[number].append(slot)
        side = "client" if slot.client else "server"
        self.spent[side] += perf_counter_ns() - before
        if slot.client:
            self._step(slot)
        else:
            self._wait(slot, EVENT_READ)

    def _step(self, slot: _Slot) -> None:
        """Let an end go on."""
        before = perf_counter_ns()
        try:
            waits = slot.wire.shake()
        except Exception as e:  # noqa: BLE001 - whatever a peer raises
            self._fail(slot.number, e)
            return
        now = perf_counter_ns()
        self.spent["client" if slot.client else "server"] += now - before
        if now > self._until:
            raise self._late("it takes too long")
        self._wait(slot, waits)
        if waits:
            return
        number = slot.number
        self._left[number] -= 1
        if not self._left[number]:
            self.delays.append(now - self._begun[number])
            self._over(number)

    def _wait(self, slot: _Slot, waits: int) -> None:
        """Tell the selector what an end waits for, if that is news."""
        if waits == slot.waits:
            return
        if not slot.waits:
            self._selector.register(slot.fd, waits, slot)
        elif waits:
            self._selector.modify(slot.fd, waits, slot)
        else:
            self._selector.unregister(slot.fd)
        slot.waits = waits

    def _fail(self, number: int, e: Exception) -> None:
        """Give a connection up, with both ends."""
        self.failed.append(str(e) or type(e).__name__)
        for slot in self._slots[number]:
            self._wait(slot, 0)
        self._left[number] = 0
        self._over(number)

    def _over(self, number: int) -> None:
        """Count a connection that is done with; let in one that waits."""
        self._open -= 1
        batch = self._batch
        after = len(batch.servers)
        if batch.listener is None or after == len(batch.clients):
            return
        _shut(self._slots[number])
        batch.servers.append(_accept(batch))
        if self._left[after]:
            self._begin(after, batch.servers[after], None)


def _shut(slots: list[_Slot]) -> None:
    """Close ends."""
    for slot in slots:
        slot.wire.close()


# ---- scenarios of waves ----------------------------------------------------


class _Kind(NamedTuple):
    """How waves are opened.

    Attributes:
        open: Gives connected sockets.
        many: Connections in a wave.
        selector: What they hang on.
    """

    open: Callable[[int], Batch]
    many: int
    selector: Callable[[], BaseSelector] = DefaultSelector


def _poll() -> BaseSelector:
    """Give a selector on poll, or on select where there is none."""
    selectors: Any = import_module("selectors")
    made: BaseSelector = getattr(selectors, "PollSelector", SelectSelector)()
    return made


def _ended(
    stage: Stage, batch: Batch, selector: BaseSelector, host: str
) -> Wave:
    """Run a wave; it is to be closed.

    Errors:
        FailedError: some failed; the text says how many.
    """
    wave = Wave(stage, batch, selector, host)
    try:
        wave.run()
    except BaseException:
        wave.close()
        raise
    if wave.failed:
        wave.close()
        count = f"{len(wave.failed):,} of {len(batch.clients):,}"
        raise FailedError(f"{count} failed: {wave.failed[0]}")
    return wave


def _waves(kind: _Kind, setup: Setup, peer: Peer) -> Prepared:
    """Make contexts, and see that they verify over sockets as well."""
    stage = peer.stage(setup)
    prove(stage, setup)
    waiting = kind.many - _room(kind.many) if kind.open is open_tcp else 0
    if stage.verifies:
        _refused(stage, kind)
    facts, _ = _tried(stage, kind, 1)
    if facts.version != f"TLSv{setup.version}":
        raise FailedError(f"it agreed on {facts.version}")
    if kind.many > 1:
        _, took = _tried(stage, kind, min(_TRIAL, kind.many))
        if took > _SLOWEST:
            words = f"{took / 1e6:.0f} ms a handshake are too much for a wave"
            raise SkipError(words)
    told = [way(stage)]
    if waiting:
        told.append(f"{waiting:,} of {kind.many:,} wait to be accepted")
    facts = facts._replace(over=", ".join(filter(None, told)))
    return Prepared(facts, partial(_sample, stage, kind))


def _tried(stage: Stage, kind: _Kind, count: int) -> tuple[Facts, float]:
    """Run a small wave; give what was agreed on, and a handshake's CPU ns."""
    with kind.selector() as selector:
        batch = kind.open(count)
        before = process_time_ns()
        wave = _ended(stage, batch, selector, pki.HOST)
        took = process_time_ns() - before
        try:
            return wave.facts(), took / count
        finally:
            wave.close()


def _refused(stage: Stage, kind: _Kind) -> None:
    """See that a certificate for another name is refused."""
    try:
        with kind.selector() as selector:
            _ended(stage, kind.open(1), selector, pki.WRONG_HOST).close()
    except SkipError:
        raise
    except FailedError:
        return
    raise FailedError("it took a certificate for another name")


def _sample(stage: Stage, kind: _Kind, seconds: float) -> Sample:
    """Run waves on one selector."""
    with kind.selector() as selector:
        return _many(stage, kind, selector, seconds)


def _many(
    stage: Stage, kind: _Kind, selector: BaseSelector, seconds: float
) -> Sample:
    """Run waves; making and dropping the ends counts, connecting does not."""
    budget = int(seconds * 1e9)
    wall = cpu = 0
    spent = {"client": 0, "server": 0}
    delays: list[int] = []
    while not delays or cpu < budget:
        batch = kind.open(kind.many)
        wall -= perf_counter_ns()
        cpu -= process_time_ns()
        wave = _ended(stage, batch, selector, pki.HOST)
        wave.close()
        delays += wave.delays
        for side, took in wave.spent.items():
            spent[side] += took
        del wave
        cpu += process_time_ns()
        wall += perf_counter_ns()
    return Sample(len(delays), cpu, wall, spent, delays=delays)


# ---- the list --------------------------------------------------------------

_TCP = (1, 100, 1000, 10000)
# Those of many connections have few rounds: a wave is done whole.
_ROUNDS = {1000: 5, 10000: 3}


def _scenario(
    name: str, words: str, kind: _Kind, version: str = "1.3", **more: Any
) -> Scenario:
    return Scenario(
        name,
        f"full TLS {version} handshakes {words}",
        "pairs/s",
        1,
        Setup(version),
        partial(_waves, kind),
        columns=latency.COLUMNS,
        curve=latency.CURVE,
        **more,
    )


def _tcp(count: int, version: str = "1.3") -> Scenario:
    new = version == "1.3"
    return _scenario(
        f"tcp-{count}" if new else f"tcp-{count}.tls12",
        f"over loopback TCP, {count:,} at a time, both ends of all in one "
        "thread",
        _Kind(open_tcp, count),
        version,
        core=new and count == 100,
        rounds=_ROUNDS.get(count, 0),
    )


SCENARIOS = (
    _scenario(
        "socketpair-poll",
        "over socket pairs that do not block, one after the other, both ends "
        "in one thread with poll",
        _Kind(open_pairs, 1, _poll),
    ),
    *(_tcp(count) for count in _TCP),
    _tcp(100, "1.2"),
)
