"""Two SSLs under every schedule: cuts, retries, ends, lack of memory.

    scenario = Scenario(contexts, prove)
    cut(scenario, 7)         # at most 7 bytes a read and a write
    split(scenario, 3)       # a retry at every 3rd byte of each stream
    retried(scenario, 1)     # a retry at each operation of each end
    ended(scenario, 1)       # the end of the stream at each byte
    starved(scenario)        # each allocation of the core fails once

Unlike `tests.core.raw` this drives the objects, so that callbacks answer what
the core asks. What an end does is a generator: it makes its calls, and gives
the outcome of each that has not done its work.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import pyssl as p
from pyssl._ffi import lib
from tests.api.links import (
    HOST,
    Outcome,
    PyBio,
    PyLink,
    SockLink,
    make_ends,
    outcome,
    reasons,
)
from tests.core.raw import UNEXPECTED_EOF, Schedule

Turns = Iterator[Outcome]
Pair = tuple[p.SSL_CTX, p.SSL_CTX]
AGAIN = (p.SSL_ERROR_WANT_READ, p.SSL_ERROR_WANT_WRITE)
SIDES = ("client", "server")
OURS = {p.ERR_R_INTERNAL_ERROR, p.ERR_R_MALLOC_FAILURE}
PING, PONG = b"from the client", b"from the server"


# ---- what an end does -------------------------------------------------------


def until(ssl: p.SSL, call: Callable[[], int]) -> Turns:
    """Call again and again until it is done."""
    while True:
        ret = call()
        if ret > 0:
            return
        yield outcome(ssl, ret)


def shake(ssl: p.SSL) -> Turns:
    """Complete the handshake."""
    return until(ssl, lambda: p.SSL_do_handshake(ssl))


def say(ssl: p.SSL, data: bytes) -> Turns:
    """Write data."""
    return until(ssl, lambda: p.SSL_write(ssl, data))


def hear(ssl: p.SSL, data: bytes) -> Turns:
    """Read these data."""
    got, buf = b"", bytearray(len(data))
    while got != data:
        ret = p.SSL_read(ssl, buf)
        if ret > 0:
            got += buf[:ret]
            assert data.startswith(got)
        else:
            yield outcome(ssl, ret)


def greet(ssl: p.SSL) -> Turns:
    """What a client does: handshake, a word and an answer."""
    yield from shake(ssl)
    yield from say(ssl, PING)
    yield from hear(ssl, PONG)


def answer(ssl: p.SSL) -> Turns:
    """What a server does."""
    yield from shake(ssl)
    yield from hear(ssl, PING)
    yield from say(ssl, PONG)


@dataclass
class Scenario:
    """What is done under every schedule.

    Attributes:
        pair: contexts of client and server; they serve every run.
        prove: asserts that a run of (client, server) has done its work.
        ready: prepares a run of (client, server).
        client, server: what they do.
        host: name that the client sends and verifies.
        waits: codes of SSL_get_error, besides 2 and 3, to call again at.
        least: how many allocations a run needs at the least.
    """

    pair: Pair
    prove: Callable[[p.SSL, p.SSL], None]
    ready: Callable[[p.SSL, p.SSL], None] = lambda client, server: None
    client: Callable[[p.SSL], Turns] = greet
    server: Callable[[p.SSL], Turns] = answer
    host: Optional[str] = HOST
    waits: tuple[int, ...] = ()
    least: int = 50

    def ends(self) -> tuple[p.SSL, p.SSL]:
        """Make both ends of a run."""
        made = make_ends(*self.pair, host=self.host)
        self.ready(*made)
        return made


# ---- the schedules' BIO -----------------------------------------------------


class CutBio(PyBio):
    """A Python BIO with a schedule.

    Args:
        how: the schedule.
        hold: bytes of the stream before each of which a read is asked to
            come again.
    """

    def __init__(self, how: Schedule, hold: int = 0) -> None:
        self.how, self.hold = how, hold
        self.taken = 0
        super().__init__()

    def _read(self, b: p.BIO, n: int) -> Union[bytes, int]:
        p.BIO_clear_retry_flags(b)
        end = self.how.eof_at
        if end is not None and self.taken == end:
            self.ended = True
            self.incoming.clear()
        elif self.how.retries() or (self.hold and self.hold == self.taken):
            self.hold = 0
            p.BIO_set_retry_read(b)
            return -1
        for stop in (end, self.hold or None):
            if stop is not None and stop > self.taken:
                n = min(n, stop - self.taken)
        found = super()._read(b, min(n, self.how.read_max))
        if isinstance(found, bytes):
            self.taken += len(found)
        return found

    def _write(self, b: p.BIO, view: memoryview) -> int:
        if self._again(b):
            return -1
        return super()._write(b, view[: self.how.write_max])

    def _ctrl(self, b: p.BIO, cmd: int, larg: int, parg: object) -> int:
        if cmd == p.BIO_CTRL_FLUSH and self._again(b):
            return -1
        return super()._ctrl(b, cmd, larg, parg)

    def _again(self, b: p.BIO) -> bool:
        p.BIO_clear_retry_flags(b)
        if not self.how.retries():
            return False
        p.BIO_set_retry_write(b)
        return True


class CutLink(PyLink):
    """Two SSLs on Python BIOs with schedules."""

    def __init__(
        self, ends: tuple[p.SSL, p.SSL], client: CutBio, server: CutBio
    ) -> None:
        self.client, self.server = ends
        self.client_py, self.server_py = self.cuts = client, server
        for ssl, py in zip(ends, self.cuts):
            p.SSL_set_bio(ssl, py.bio, py.bio)


# ---- a run ------------------------------------------------------------------


@dataclass
class End:
    """How far one end of a run has come.

    Attributes:
        ssl: the SSL.
        turns: what it does.
        done: it has done all of it.
        faults: entries of the queue, if it has failed.
        raised: what it raised, if anything.
    """

    ssl: p.SSL
    turns: Turns
    done: bool = False
    faults: list[int] = field(default_factory=list)
    raised: Optional[MemoryError] = None

    @property
    def over(self) -> bool:
        return self.done or bool(self.faults) or self.raised is not None

    def turn(self, waits: tuple[int, ...]) -> None:
        """Let it go on once; a failure has an entry that says why."""
        try:
            got = next(self.turns, None)
        except MemoryError as e:
            self.raised = e
            p.ERR_clear_error()
            return
        if got is None:
            self.done = True
        elif got[1] not in (*AGAIN, *waits):
            code, why = got[1], reasons()
            assert code == p.SSL_ERROR_SSL, (got, why)
            self.faults = [reason for _, reason in why]
            assert self.faults, "a failure without a reason"


class Run:
    """One run of a scenario over a link."""

    def __init__(self, scenario: Scenario, link: Any) -> None:
        self.scenario, self.link = scenario, link
        self.client = End(link.client, scenario.client(link.client))
        self.server = End(link.server, scenario.server(link.server))
        self.ends = self.client, self.server

    def go(self, patience: int, most: int = 200_000) -> Run:
        """Let both go on in turn until both are done, or nothing happens.

        Args:
            patience: rounds without a byte until nothing more will happen.
        """
        idle = 0
        for _ in range(most):
            before = self._progress()
            for end in self.ends:
                if not end.over:
                    end.turn(self.scenario.waits)
                self.link.move()
            if all(end.over for end in self.ends):
                return self
            idle = idle + 1 if before == self._progress() else 0
            if idle == patience:
                return self
        raise AssertionError("it goes on for ever")

    def _progress(self) -> list[int]:
        cuts: tuple[CutBio, ...] = getattr(self.link, "cuts", ())
        return [n for cut in cuts for n in (cut.taken, len(cut.incoming))]

    def completed(self, *where: object) -> Run:
        """All of it works."""
        for end in self.ends:
            assert end.done, (*where, end, reasons())
        assert reasons() == [], where
        self.scenario.prove(self.client.ssl, self.server.ssl)
        return self


def _cut_run(
    scenario: Scenario,
    side: str = "client",
    how: Optional[Schedule] = None,
    hold: int = 0,
    other: Optional[Schedule] = None,
) -> tuple[Run, CutBio]:
    """Run with a schedule at one end; gives the run and that end's BIO."""
    mine = CutBio(how or Schedule(), hold)
    theirs = CutBio(other or Schedule())
    both = (mine, theirs) if side == "client" else (theirs, mine)
    link = CutLink(scenario.ends(), *both)
    return Run(scenario, link).go(6), mine


# ---- the schedules ----------------------------------------------------------


def cut(scenario: Scenario, step: int) -> None:
    """Cut reads, writes, and both with retries at every second call."""
    for make in (
        lambda: Schedule(read_max=step),
        lambda: Schedule(write_max=step),
        lambda: Schedule(step, step, retry_at=0),
    ):
        run, _ = _cut_run(scenario, "client", make(), 0, make())
        run.completed(step)


def split(scenario: Scenario, stride: int) -> None:
    """Let each end wait once within the stream, at each byte of it."""
    for side in SIDES:
        run, py = _cut_run(scenario, side)
        run.completed(side)
        assert py.taken > 100
        for at in range(1, py.taken, stride):
            _cut_run(scenario, side, hold=at)[0].completed(side, at)


def retried(scenario: Scenario, stride: int) -> None:
    """Let each operation of each end be asked to come again."""
    for side in SIDES:
        counted = Schedule()
        _cut_run(scenario, side, counted)[0].completed(side)
        assert counted.count > 5
        for at in range(1, counted.count + 1, stride):
            how = Schedule(retry_at=at)
            _cut_run(scenario, side, how)[0].completed(side, at)


def ended(scenario: Scenario, stride: int) -> None:
    """Let the stream to each end be over at each byte: 294, and dead.

    What is signed must be of one length each time, so no ECDSA.
    """
    for side in SIDES:
        run, py = _cut_run(scenario, side)
        run.completed(side)
        for at in range(0, py.taken, stride):
            run, _ = _cut_run(scenario, side, Schedule(eof_at=at))
            end = getattr(run, side)
            assert end.faults == [UNEXPECTED_EOF], (side, at, end)
            dead(end.ssl)


def dead(ssl: p.SSL) -> None:
    """Each call fails at once, and says no more (HS-22, HS-23, RW-33)."""
    for call in (
        p.SSL_do_handshake,
        lambda it: p.SSL_read(it, bytearray(9)),
        lambda it: p.SSL_write(it, b"x"),
    ):
        assert outcome(ssl, call(ssl)) == (-1, p.SSL_ERROR_SYSCALL)
        assert reasons() == []


# ---- lack of memory ---------------------------------------------------------


def complete(scenario: Scenario) -> None:
    """Run undisturbed."""
    with SockLink(*scenario.ends(), blocking=False) as link:
        Run(scenario, link).go(50).completed()


def live(scenario: Scenario) -> int:
    """What the core holds once no connection is left but its contexts."""
    for ctx in scenario.pair:
        p.SSL_CTX_flush_sessions(ctx, 0)
    lib.pys_test_forget_certs()
    reasons()
    gc.collect()
    return int(lib.pys_test_n_live())


def _starve(scenario: Scenario, n: int) -> bool:
    """Run with a failing n-th allocation; False if there is no n-th.

    Sockets, so that what is on its way needs no memory of ours.
    """
    with SockLink(*scenario.ends(), blocking=False) as link:
        run = Run(scenario, link)
        lib.pys_test_fail_alloc(n)
        try:
            run.go(50)
            for end in run.ends:
                if end.faults:
                    dead(end.ssl)
                elif end.raised:
                    _goes_on(end.ssl)
        finally:
            seen = lib.pys_test_n_alloc()
            lib.pys_test_fail_alloc(0)
        if seen < n:
            run.completed()
        # Who had no memory says that, and does not blame the peer.
        failed = [end for end in run.ends if end.over and not end.done]
        assert not failed or any(
            end.raised or OURS.intersection(end.faults) for end in failed
        ), (n, failed)
        return bool(seen >= n)


def _goes_on(ssl: p.SSL) -> None:
    """Whatever raised, later calls end: with success, or with a reason."""
    for call in (
        p.SSL_do_handshake,
        lambda it: p.SSL_write(it, b"x"),
        lambda it: p.SSL_read(it, bytearray(9)),
    ):
        ret, code = outcome(ssl, call(ssl))
        assert ret == 1 or code in (1, 2, 3, 5, 9), (ret, code)
        assert (code == p.SSL_ERROR_SSL) == bool(reasons())


def starved(scenario: Scenario) -> None:
    """Let each allocation of the core fail once.

    Nobody crashes, who fails says why, nothing leaks, and the contexts are
    as good as new.
    """
    for _ in range(3):
        complete(scenario)
    gc.collect()
    gc.freeze()  # or each of the many collections looks at everything
    try:
        before = live(scenario)
        n = 1
        while _starve(scenario, n):
            complete(scenario)
            assert live(scenario) == before, n
            n += 1
            assert n < 2000
    finally:
        gc.unfreeze()
    assert n > scenario.least
