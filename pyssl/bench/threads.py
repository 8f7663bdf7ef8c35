"""The same work in several threads at a time: does it scale?

All threads share the contexts; each has connections of its own, in memory.
The work goes by the clock on the wall, for more threads take more CPU time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import NamedTuple

from pyssl.bench.peers.base import FailedError, Peer, Setup, Stage, only
from pyssl.bench.scenarios import (
    Column,
    Curve,
    Prepared,
    Sample,
    Scenario,
    handshake,
    prove,
)

# Threads that do not come to an end in so many seconds hang.
_PATIENCE = 20.0

_SIZE = 16384

# Works until it is told to stop, and gives how often it did.
Work = Callable[[threading.Event], int]


def cores() -> int:
    """Count the processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def counts(most: int) -> tuple[int, ...]:
    """List the numbers of threads: 1, 2, 4 and so on to the processors."""
    powers = {1 << power for power in range(most.bit_length())}
    return tuple(sorted({1, 2, 4, most} | powers))


def handshakes(stage: Stage) -> Work:
    """Give work that connects again and again."""

    def work(stop: threading.Event) -> int:
        count = 0
        while count == 0 or not stop.is_set():
            handshake(stage)
            count += 1
        return count

    return work


def messages(stage: Stage) -> Work:
    """Give work that writes and reads one way, over its own connection."""
    client, server = handshake(stage)
    message, buffer = bytes(_SIZE), bytearray(_SIZE)
    send, receive = client.sender(), server.receiver(buffer)

    def work(stop: threading.Event) -> int:
        count = 0
        while count == 0 or not stop.is_set():
            if send(message) != _SIZE or receive() != _SIZE:
                raise FailedError("a message was cut short")
            count += 1
        return count

    return work


class Done(NamedTuple):
    """What threads did together: a second, in all; nanoseconds."""

    rate: float
    times: int
    cpu_ns: int


def together(begin: Callable[[], Work], number: int, seconds: float) -> Done:
    """Let threads do their work at the same time.

    Args:
        begin: Gives a thread its work, before the time begins.
        number: How many threads.
        seconds: Time by the clock on the wall.

    Errors:
        FailedError: a thread failed, or does not end.
    """
    stop = threading.Event()
    start = threading.Barrier(number + 1, timeout=_PATIENCE)
    rates: list[float] = []
    done: list[int] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            work = begin()
            start.wait()
            before = perf_counter_ns()
            count = work(stop)
            took = perf_counter_ns() - before
        except threading.BrokenBarrierError:
            return  # another failed
        except Exception as e:  # noqa: BLE001 - whatever a peer raises
            errors.append(e)
            stop.set()
            start.abort()
            return
        done.append(count)
        rates.append(count / took * 1e9)

    threads = [
        threading.Thread(target=run, daemon=True) for _ in range(number)
    ]
    for one in threads:
        one.start()
    with suppress(threading.BrokenBarrierError):
        start.wait()
    cpu = process_time_ns()
    stop.wait(seconds)  # until one fails
    stop.set()
    for one in threads:
        one.join(_PATIENCE)
    cpu = process_time_ns() - cpu
    if errors:
        raise FailedError(f"in {number} threads: {errors[0]}") from errors[0]
    if len(done) < number:
        raise FailedError(f"one of {number} threads does not end")
    return Done(sum(rates), sum(done), cpu)


def _prepare(
    begin: Callable[[Stage], Work],
    numbers: Sequence[int],
    setup: Setup,
    peer: Peer,
) -> Prepared:
    """Make contexts."""
    bulk = begin is messages
    only(not (bulk and peer.handshakes_only), "the same as pyssl here")
    stage = peer.stage(setup)
    facts = prove(stage, setup)
    work = partial(_sample, partial(begin, stage), numbers)
    return Prepared(facts, work)


def _sample(
    begin: Callable[[], Work], numbers: Sequence[int], seconds: float
) -> Sample:
    """Work with each number of threads; the figure is that of the cores."""
    found = {one: together(begin, one, seconds) for one in numbers}
    best = found[cores()]
    # What was done, in the time that its rate says.
    wall = int(best.times / best.rate * 1e9)
    more = [found[one].rate for one in numbers]
    return Sample(best.times, best.cpu_ns, wall, {}, more=more)


# ---- figures ---------------------------------------------------------------


def _rate(place: int, scale: float, samples: Sequence[Sample]) -> float:
    """Give the median of what so many threads did a second."""
    return median(one.more[place] for one in samples) * scale


def _gain(place: int, samples: Sequence[Sample]) -> float:
    """Give the median of what they did, as a multiple of one thread's."""
    return median(one.more[place] / one.more[0] for one in samples)


def _columns(
    numbers: Sequence[int], unit: str, scale: float
) -> tuple[Column, ...]:
    """List a figure for each number of threads, and its ratio to one's."""
    found = []
    for place, one in enumerate(numbers):
        words = f"{one} thread{'s' * (one > 1)}"
        rate = partial(_rate, place, scale)
        found.append(Column(words, unit, False, rate))
    for place, one in enumerate(numbers[1:], 1):
        gain = partial(_gain, place)
        found.append(Column(f"{one} to 1", "x", False, gain))
    return tuple(found)


def _line(
    numbers: Sequence[int], scale: float, samples: Sequence[Sample]
) -> list[tuple[float, float]]:
    """Give what each number of threads did."""
    return [
        (float(one), _rate(place, scale, samples))
        for place, one in enumerate(numbers)
    ]


def _scenario(
    name: str,
    words: str,
    begin: Callable[[Stage], Work],
    unit: str,
    scale: float,
) -> Scenario:
    numbers = counts(cores())
    return Scenario(
        f"scaling-{name}",
        f"{words} in several threads; the figure is that of {cores()}, by "
        "the clock on the wall",
        unit,
        scale,
        Setup(),
        partial(_prepare, begin, numbers),
        wall=True,
        columns=_columns(numbers, unit, scale),
        curve=Curve("threads", partial(_line, numbers, scale)),
    )


SCENARIOS = (
    _scenario(
        "full13",
        "full TLS 1.3 handshakes through memory",
        handshakes,
        "pairs/s",
        1,
    ),
    _scenario(
        "bulk-16k",
        f"{_SIZE:,}-byte writes one way through memory, TLS 1.3,",
        messages,
        "GB/s",
        _SIZE / 1e9,
    ),
)
