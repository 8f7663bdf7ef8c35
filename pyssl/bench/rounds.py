"""The order of a run: every peer in every round, each round begun by another.

What else the machine does changes from second to second. In one round all
peers see much the same of it, the more so the shorter the samples are: many
short rounds say more than a few long ones. The limit has its turn as well.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

from pyssl.bench import limit
from pyssl.bench.peers import BASELINE
from pyssl.bench.peers.base import Facts, FailedError, Peer, SkipError
from pyssl.bench.scenarios import Prepared, Sample, Scenario

# Names of the rows that are not a peer's: chains remembered or not, and a
# socket without TLS.
LIMIT = "limit"
LIMIT_FULL = "limit-forgetful"
LIMIT_SOCKET = "limit-socket"

# Stands before the libcrypto in names of another build of ours.
MARK = "+"


class Plan(NamedTuple):
    """What is to be run; seconds of CPU time for each sample."""

    scenarios: Sequence[Scenario]
    peers: Sequence[Peer]
    rounds: int
    seconds: float


class Outcome(NamedTuple):
    """What came of it; all by scenario, then by peer.

    Attributes:
        facts: What a handshake agreed on.
        samples: A sample for each round, of peers and limits.
        skipped: Why a peer has no part in it.
        failures: Why it was left out.
    """

    facts: dict[str, dict[str, Facts]]
    samples: dict[str, dict[str, list[Sample]]]
    skipped: dict[str, dict[str, str]]
    failures: dict[str, dict[str, str]]


class Step(NamedTuple):
    """How far a run is, before something is done."""

    scenario: str
    peer: str
    done: int
    of: int


def run(plan: Plan, progress: Callable[[Step], None]) -> Outcome:
    """Run a plan, a scenario at a time, each after a round that warms up.

    A peer that fails is left out of the scenario; the others go on.

    Args:
        plan: The plan.
        progress: Told before each sample how far the run is.
    """
    outcome = Outcome({}, {}, {}, {})
    total = sum(_turns(plan, one) for one in plan.scenarios)
    spent = 0
    for scenario in plan.scenarios:
        for kept in outcome:
            kept[scenario.name] = {}
        _run(plan, scenario, outcome, _Teller(progress, spent, total))
        spent += _turns(plan, scenario)
    return outcome


class _Teller(NamedTuple):
    """Tells of the steps of a scenario."""

    progress: Callable[[Step], None]
    before: int
    of: int

    def tell(self, scenario: str, peer: str, done: int) -> None:
        """Tell of a step; done: turns of the scenario that are over."""
        self.progress(Step(scenario, peer, self.before + done, self.of))


def _rounds(plan: Plan, scenario: Scenario) -> int:
    """Count the rounds that a scenario has."""
    return min(plan.rounds, scenario.rounds or plan.rounds)


def _turns(plan: Plan, scenario: Scenario) -> int:
    """Count what a scenario does: the warm-up and its rounds."""
    return (_rounds(plan, scenario) + 1) * len(plan.peers)


def _run(
    plan: Plan,
    scenario: Scenario,
    outcome: Outcome,
    teller: _Teller,
) -> None:
    """Run one scenario."""
    rows = outcome.samples[scenario.name]
    ready = _ready(plan, scenario, outcome)
    chances: dict[str, Any] = limits(scenario) if ready else {}
    for peer in plan.peers:
        if peer.name in ready:
            chances.update(peer.limits())
    for number in range(_rounds(plan, scenario) + 1):
        for turn, name in enumerate(_order(list(ready), number)):
            done = number * len(plan.peers) + turn
            teller.tell(scenario.name, name, done)
            if name in outcome.failures[scenario.name]:
                continue
            gc.collect()  # the garbage of the one before
            try:
                sample = ready[name].run(plan.seconds)
            except Exception as e:  # noqa: BLE001 - whatever a peer raises
                outcome.failures[scenario.name][name] = _words(e)
                rows.pop(name, None)
                continue
            if number > 0:
                rows.setdefault(name, []).append(sample)
        for name, one in list(chances.items()):
            try:
                found = one.sample()
            except Exception as e:  # noqa: BLE001 - a line less, no more
                outcome.failures[scenario.name][name] = _words(e)
                rows.pop(name, None)
                del chances[name]
                continue
            if found is not None and number > 0:
                rows.setdefault(name, []).append(found)


def _ready(
    plan: Plan, scenario: Scenario, outcome: Outcome
) -> dict[str, Prepared]:
    """Prepare the peers that can do the work."""
    found: dict[str, Prepared] = {}
    for peer in plan.peers:
        try:
            one = peer.prepare(scenario)
        except SkipError as e:
            outcome.skipped[scenario.name][peer.name] = str(e)
        except Exception as e:  # noqa: BLE001 - whatever a peer raises
            outcome.failures[scenario.name][peer.name] = _words(e)
        else:
            found[peer.name] = one
            if one.facts is not None:
                outcome.facts[scenario.name][peer.name] = one.facts
    return found


def _words(e: Exception) -> str:
    """Put a failure into words."""
    return str(e) if isinstance(e, FailedError) else repr(e)


def limits(scenario: Scenario) -> dict[str, limit.Line]:
    """Make the limits of a scenario."""
    setup = scenario.setup
    if scenario.wall:
        return {}  # it is measured in one thread
    if scenario.ways:
        steps = limit.of_messages(setup, scenario.size)
        lines: dict[str, limit.Line] = {}
        lines[LIMIT] = limit.Limit(setup, steps, scenario.ways)
        if scenario.wire:
            lines[LIMIT_SOCKET] = limit.RawSocket(scenario.wire)
        return lines
    if scenario.unit != "pairs/s":
        return {}
    steps = limit.of_handshake(setup, remembered=True)
    found: dict[str, limit.Line] = {LIMIT: limit.Limit(setup, steps)}
    if not setup.resumed:
        steps = limit.of_handshake(setup, remembered=False)
        found[LIMIT_FULL] = limit.Limit(setup, steps)
    return found


def _order(names: list[str], number: int) -> list[str]:
    """Let each round be begun by another peer."""
    first = number % max(len(names), 1)
    return names[first:] + names[:first]


def limit_of(peer: str) -> Optional[str]:
    """Name the limit that stands beside a peer: ours alone have one."""
    if not peer.startswith(BASELINE):
        return None
    return LIMIT + peer[len(BASELINE) :]
