"""Memory of connections and contexts: each peer in a process of its own.

    python -m pyssl.bench.memory PEER SECONDS SETUP
    python -m pyssl.bench.memory PEER COUNT FILE

print what they found as JSON: of idle pairs, and of so many contexts that
trust a file. What is counted is the resident memory of the whole process, so
that a library's own allocator is seen too. A few pairs come first, for what
is allocated once; before contexts comes nothing, for what they share, such
as a store of certificates, is part of what they take.
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

from pyssl.bench.peers.base import FailedError, Peer, Setup, SkipError

_FIRST = 64
_PAIRS = 1000
_LEAST = 100
_PATIENCE = 120.0


class Held(NamedTuple):
    """What was held, and what it took: bytes for each."""

    done: int
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
    return _measured(peer, str(seconds), json.dumps(setup))


def contexts_in_process(peer: str, count: int, path: str) -> Held:
    """Measure a peer's contexts in another process.

    Args:
        peer: A key of PEERS.
        count: Contexts that are held at a time.
        path: The file of certificates that each trusts.

    Errors:
        FailedError: the process failed.
        SkipError: the system does not tell.
    """
    return _measured(peer, str(count), path)


def _measured(*words: str) -> Held:
    """Run this module as a process."""
    if not os.path.exists("/proc/self/statm"):
        raise SkipError("the system has no /proc/self/statm")
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, *words],
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
    """Hold connections or contexts of the peer; print what they take."""
    from pyssl.bench.peers import find_peers

    name, number, what = argv
    found, missing = find_peers([name])
    if not found:
        raise ImportError(missing[name])
    found[0].versions()  # loads all of the package
    if what.startswith("["):
        setup = Setup(*json.loads(what))
        held = _pairs(found[0], setup, float(number))
    else:
        held = _contexts(found[0], int(number), what)
    print(json.dumps(held))


def _pairs(peer: Peer, setup: Setup, seconds: float) -> Held:
    """Hold idle connections."""
    from pyssl.bench.scenarios import handshake

    stage = peer.stage(setup)
    held = [handshake(stage) for _ in range(_FIRST)]
    gc.collect()
    before, until = resident(), perf_counter() + seconds
    wall, cpu = perf_counter_ns(), process_time_ns()
    for count in range(_PAIRS):
        if count >= _LEAST and perf_counter() > until:
            break
        held.append(handshake(stage))
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    gc.collect()
    pairs = len(held) - _FIRST
    return Held(pairs, cpu, wall, (resident() - before) / pairs)


def _contexts(peer: Peer, count: int, path: str) -> Held:
    """Hold contexts; all that came with the first is counted."""
    gc.collect()
    before = resident()
    wall, cpu = perf_counter_ns(), process_time_ns()
    held = [peer.trust(path) for _ in range(count)]
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    gc.collect()
    return Held(count, cpu, wall, (resident() - before) / len(held))


if __name__ == "__main__":
    main(sys.argv[1:])
