"""Memory of idle connections: each peer in a process of its own.

    python -m pyssl.bench.memory PEER SECONDS SETUP

prints what it found as JSON. What is counted is the resident memory of the
whole process, so that a library's own allocator is seen too; a few pairs
come first, for what is allocated once.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter, perf_counter_ns, process_time_ns
from typing import NamedTuple

from pyssl.bench.peers.base import FailedError, Setup, SkipError

_FIRST = 64
_PAIRS = 1000
_LEAST = 100
_PATIENCE = 120.0


class Held(NamedTuple):
    """What was held, and what it took: bytes a pair."""

    pairs: int
    cpu_ns: int
    wall_ns: int
    size: float


def in_process(peer: str, setup: Setup, seconds: float) -> Held:
    """Measure a peer in another process.

    Args:
        peer: A key of PEERS.
        setup: What the connections are.
        seconds: After that no more pairs are made than are needed.

    Errors:
        FailedError: the process failed.
        SkipError: the system does not tell.
    """
    if not os.path.exists("/proc/self/statm"):
        raise SkipError("the system has no /proc/self/statm")
    command = [sys.executable, "-m", __name__, peer, str(seconds)]
    try:
        done = subprocess.run(
            [*command, json.dumps(setup)],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"not done in {_PATIENCE:g} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise FailedError(lines[-1])
    return Held(*json.loads(done.stdout))


def resident() -> int:
    """Give the resident memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(argv: Sequence[str]) -> None:
    """Hold connections of the peer, and print what they take."""
    from pyssl.bench.peers import find_peers
    from pyssl.bench.scenarios import handshake

    name, seconds, setup = argv
    found, missing = find_peers([name])
    if not found:
        raise ImportError(missing[name])
    stage = found[0].stage(Setup(*json.loads(setup)))
    held = [handshake(stage) for _ in range(_FIRST)]
    gc.collect()
    before, until = resident(), perf_counter() + float(seconds)
    wall, cpu = perf_counter_ns(), process_time_ns()
    for count in range(_PAIRS):
        if count >= _LEAST and perf_counter() > until:
            break
        held.append(handshake(stage))
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    gc.collect()
    pairs = len(held) - _FIRST
    size = (resident() - before) / pairs
    print(json.dumps(Held(pairs, cpu, wall, size)))


if __name__ == "__main__":
    main(sys.argv[1:])
