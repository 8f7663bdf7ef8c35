"""Handshakes over socket pairs that block, an end in a thread each.

The server's thread waits for sockets and tells when a handshake was
complete; the next begins after that. Each thread's CPU time is a side's.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import NamedTuple, Optional

from pyssl.bench import latency, pki
from pyssl.bench.peers.base import (
    Facts,
    FailedError,
    Peer,
    Setup,
    Stage,
)
from pyssl.bench.peers.wires import Wire, over, way
from pyssl.bench.scenarios import Prepared, Sample, Scenario, prove

# A handshake that takes longer, in seconds, has stalled.
_PATIENCE = 10.0


class _Ended(NamedTuple):
    """What the server says: when it was complete, or why it was not."""

    at: int
    error: Optional[Exception] = None


class Ends:
    """A client in this thread and a server in another.

    Attributes:
        server_ns: The server's CPU time, once it has ended.
    """

    def __init__(self, stage: Stage) -> None:
        self.server_ns = 0
        self._stage = stage
        self._inbox: SimpleQueue[Optional[socket.socket]] = SimpleQueue()
        self._outbox: SimpleQueue[_Ended] = SimpleQueue()
        self._wire: Optional[Wire] = None
        self._turn = 0
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._serve, self._watch)
        ]
        for one in self._threads:
            one.start()

    def end(self) -> None:
        """Let the threads end.

        Errors:
            FailedError: the server does not.
        """
        self._over.set()
        self._inbox.put(None)
        for one in self._threads:
            one.join(_PATIENCE)
        if any(one.is_alive() for one in self._threads):
            raise FailedError("the server does not end")

    def shake(
        self, host: str, told: Callable[[Wire], None] = lambda _: None
    ) -> int:
        """Connect a client to the server.

        Args:
            host: What the certificate must be for.
            told: Gets the client before it is closed.

        Returns:
            The nanoseconds until both ends were complete.

        Errors:
            FailedError: it failed, or stalled.
        """
        mine, theirs = socket.socketpair()
        self._turn += 1
        self._inbox.put(theirs)
        began = perf_counter_ns()
        wire = problem = None
        try:
            wire = self._wire = over(self._stage, mine, host)
            _whole(wire)
        except Exception as e:  # noqa: BLE001 - whatever a peer raises
            problem = e
            _shut(wire)
            mine.close()
        now = perf_counter_ns()
        try:
            said = self._outbox.get(timeout=_PATIENCE)
        except Empty:
            said = _Ended(0, FailedError("the server says nothing"))
        self._wire = None
        if problem is None and wire is not None and said.error is None:
            told(wire)
        _shut(wire)
        if problem is not None:
            raise FailedError(str(problem)) from problem
        if said.error is not None:
            raise FailedError(str(said.error)) from said.error
        return max(now, said.at) - began

    def _serve(self) -> None:
        """Be the server of each socket that comes."""
        while True:
            sock = self._inbox.get()
            if sock is None:
                self.server_ns = thread_time_ns()
                return
            wire, said = None, None
            try:
                wire = over(self._stage, sock, None)
                _whole(wire)
            except Exception as e:  # noqa: BLE001 - whatever a peer raises
                said = _Ended(0, e)
            self._outbox.put(said or _Ended(perf_counter_ns()))
            sock.close()
            _shut(wire)

    def _watch(self) -> None:
        """Wake both ends if nothing goes on: neither can by itself."""
        seen = 0
        while not self._over.wait(_PATIENCE):
            wire = self._wire
            if wire is not None and self._turn == seen:
                with suppress(OSError):
                    socket.socket.shutdown(wire.sock, socket.SHUT_RDWR)
            seen = self._turn


def _whole(wire: Wire) -> None:
    """Do a handshake that blocks."""
    if wire.shake() != 0:
        raise FailedError("it returned before its end")


def _shut(wire: Optional[Wire]) -> None:
    """Close an end, if there is one."""
    if wire is not None:
        wire.close()


def _facts(stage: Stage, host: str) -> Facts:
    """Tell what one handshake agrees on."""
    ends = Ends(stage)
    found: list[Facts] = []
    try:
        ends.shake(host, lambda wire: found.append(wire.facts()))
    finally:
        ends.end()
    return found[0]


def _prepare(setup: Setup, peer: Peer) -> Prepared:
    """Make contexts, and see that they verify over sockets as well."""
    stage = peer.stage(setup)
    facts = prove(stage, setup)
    if stage.verifies:
        try:
            _facts(stage, pki.WRONG_HOST)
        except FailedError:
            pass  # as it must
        else:
            raise FailedError("it took a certificate for another name")
    facts = _facts(stage, pki.HOST)
    if facts.version != f"TLSv{setup.version}":
        raise FailedError(f"it agreed on {facts.version}")
    facts = facts._replace(over=way(stage))
    return Prepared(facts, partial(_sample, stage))


def _sample(stage: Stage, seconds: float) -> Sample:
    """Connect again and again."""
    delays: list[int] = []
    ends = Ends(stage)
    until = process_time_ns() + int(seconds * 1e9)
    wall, cpu = perf_counter_ns(), process_time_ns()
    mine = thread_time_ns()
    try:
        while not delays or process_time_ns() < until:
            delays.append(ends.shake(pki.HOST))
    finally:
        mine = thread_time_ns() - mine
        cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
        ends.end()
    parts = {"client": mine, "server": ends.server_ns}
    return Sample(len(delays), cpu, wall, parts, delays=delays)


SCENARIOS = (
    Scenario(
        "socketpair-threads",
        "full TLS 1.3 handshakes over socket pairs that block, one after the "
        "other, an end in a thread each",
        "pairs/s",
        1,
        Setup(),
        _prepare,
        columns=latency.COLUMNS,
        curve=latency.CURVE,
    ),
)
