"""The command: python -m pyssl.bench."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pyssl.bench import report, rounds
from pyssl.bench.peers import PEERS, find_peers
from pyssl.bench.scenarios import SCENARIOS


def _positive(text: str) -> float:
    """Read a number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("a number above 0 is needed")
    return value


def _count(text: str) -> int:
    """Read a count of at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a count of 1 or more is needed")
    return value


def _parser() -> argparse.ArgumentParser:
    """Describe the options."""
    parser = argparse.ArgumentParser(
        prog="python -m pyssl.bench",
        description="Compares TLS packages on the same work in one run.",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=0.1,
        help="CPU time of a scenario, for each peer in each round (0.1)",
    )
    parser.add_argument(
        "--rounds",
        type=_count,
        default=31,
        help="rounds that count; one more warms up (31)",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        choices=[one.name for one in SCENARIOS],
        help="run this one; may be repeated (all)",
    )
    parser.add_argument(
        "--peer",
        action="append",
        choices=list(PEERS),
        help="run this one; may be repeated (all that are installed)",
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write all numbers to a file; - for standard output, without "
        "the table",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for.

    Returns:
        0, or 1 if no peer was found or one failed.
    """
    options = _parser().parse_args(argv)
    found, missing = find_peers(options.peer or list(PEERS))
    if not found:
        for name, reason in missing.items():
            print(f"{name}: {reason}", file=sys.stderr)
        return 1
    chosen = [
        one
        for one in SCENARIOS
        if options.scenario is None or one.name in options.scenario
    ]
    plan = rounds.Plan(chosen, found, options.rounds, options.seconds)
    outcome = rounds.run(plan, _progress)
    data = report.as_data(plan, outcome, missing)
    if options.json == "-":
        print(json.dumps(data, indent=1))
    else:
        print(report.as_text(data))
    if options.json not in (None, "-"):
        Path(options.json).write_text(json.dumps(data, indent=1), "utf-8")
    return 1 if outcome.failures else 0


def _progress(done: int, of: int) -> None:
    """Show on a terminal how far the run is."""
    if sys.stderr.isatty():
        end = "\n" if done == of else ""
        print(f"\rround {done} of {of}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
