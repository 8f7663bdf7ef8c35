"""Prints what became of the interop matrix: peers by scenarios."""

from __future__ import annotations

import collections
import os
import re

from tests.peer.peers import PEERS
from tests.peer.peers.cases import SCENARIOS

RAN = re.compile(
    r"test_interop\[(?P<peer>.+?)-1\.[23]-.*-"
    rf"(?P<scenario>{'|'.join(SCENARIOS)})-(?P<role>client|server)\]"
)
OUTCOMES = ("passed", "skipped", "failed")

Counts = dict[tuple[str, str], collections.Counter[str]]


def counts(stats: dict[str, list[object]]) -> Counts:
    """Count outcomes for each peer and scenario.

    Args:
        stats: The reports of pytest, by outcome.
    """
    found: Counts = collections.defaultdict(collections.Counter)
    for outcome in (*OUTCOMES, "error"):
        for report in stats.get(outcome, []):
            match = RAN.search(getattr(report, "nodeid", ""))
            if match is not None:
                name = "failed" if outcome == "error" else outcome
                found[match["peer"], match["scenario"]][name] += 1
    return found


def lines(found: Counts) -> list[str]:
    """Draw the table: passed/skipped/failed in each place."""
    drawn = [f"{'':17}" + "".join(f"{name:>15}" for name in SCENARIOS)]
    for peer in PEERS:
        row = [found.get((peer.name, name)) for name in SCENARIOS]
        if not any(row):
            drawn.append(f"{peer.name:17}  {peer.absent() or 'not run'}")
            continue
        cells = (
            "/".join(str((cell or {}).get(name, 0)) for name in OUTCOMES)
            for cell in row
        )
        drawn.append(f"{peer.name:17}" + "".join(f"{c:>15}" for c in cells))
    return drawn


def versions(found: Counts) -> list[str]:
    """Tell which version of each peer took part."""
    there = {peer for peer, _ in found}
    told = []
    for peer in PEERS:
        if peer.name in there:
            told.append(f"{peer.name:17}  {peer.version()}")
            peer.stop()
    return told


def show(reporter) -> None:
    """Print table and versions, if INTEROP says that it is wanted."""
    found = counts(reporter.stats)
    if not found or "INTEROP" not in os.environ:
        return
    reporter.section("interop: passed/skipped/failed")
    for line in [*lines(found), "", *versions(found)]:
        reporter.write_line(line)
