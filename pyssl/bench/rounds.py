"""The order of a run: every peer in every round, each round begun by another.

What else the machine does changes from second to second. In one round all
peers see much the same of it, the more so the shorter the samples are: many
short rounds say more than a few long ones.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyssl.bench.peers.base import Facts, FailedError, Peer
from pyssl.bench.scenarios import Sample, Scenario, prove


class Plan(NamedTuple):
    """What is to be run; seconds of CPU time for each sample."""

    scenarios: Sequence[Scenario]
    peers: Sequence[Peer]
    rounds: int
    seconds: float


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        facts: By peer: what a handshake agreed on.
        samples: By scenario, then peer: a sample for each round.
        failures: By peer: why it was left out, and since which scenario.
    """

    facts: dict[str, Facts]
    samples: dict[str, dict[str, list[Sample]]]
    failures: dict[str, str]


def run(plan: Plan, progress: Callable[[int, int], None]) -> Outcome:
    """Run a plan, after a round that does not count.

    A peer that fails is left out from then on; the others go on.

    Args:
        plan: The plan.
        progress: Told the rounds that are over, and how many there are.
    """
    outcome = Outcome({}, {one.name: {} for one in plan.scenarios}, {})
    peers = [one for one in plan.peers if _proven(one, outcome)]
    for number in range(plan.rounds + 1):
        for scenario in plan.scenarios:
            rows = outcome.samples[scenario.name]
            for peer in _order(peers, number):
                if peer.name in outcome.failures:
                    continue
                try:
                    sample = _measure(plan, scenario, peer)
                except FailedError as e:
                    outcome.failures[peer.name] = f"{scenario.name}: {e}"
                    rows.pop(peer.name, None)
                    continue
                if number > 0:
                    rows.setdefault(peer.name, []).append(sample)
        progress(number, plan.rounds)
    return outcome


def _order(peers: list[Peer], number: int) -> list[Peer]:
    """Let each round be begun by another peer."""
    first = number % max(len(peers), 1)
    return peers[first:] + peers[:first]


def _proven(peer: Peer, outcome: Outcome) -> bool:
    """Try a peer before it is measured."""
    try:
        outcome.facts[peer.name] = prove(peer)
    except FailedError as e:
        outcome.failures[peer.name] = str(e)
        return False
    return True


def _measure(plan: Plan, scenario: Scenario, peer: Peer) -> Sample:
    """Take one sample, with the garbage of the one before gone."""
    gc.collect()
    return scenario.run(peer, plan.seconds)
