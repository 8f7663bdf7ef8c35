"""The command: python -m pyssl.bench."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Optional

from pyssl.bench import beside, page, progress, report, rounds
from pyssl.bench.catalog import SCENARIOS
from pyssl.bench.peers import PEERS, find_peers
from pyssl.bench.peers.base import FailedError
from pyssl.bench.scenarios import Scenario


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


def _named(text: str) -> list[Scenario]:
    """Read a pattern of scenarios."""
    found = [one for one in SCENARIOS if fnmatchcase(one.name, text)]
    if not found:
        raise argparse.ArgumentTypeError(
            f"no scenario is called {text}; --list names them"
        )
    return found


def _peers(text: str) -> list[str]:
    """Read a pattern of peers."""
    found = [name for name in PEERS if fnmatchcase(name, text)]
    if not found:
        raise argparse.ArgumentTypeError(
            f"no peer is called {text}; there are {', '.join(PEERS)}"
        )
    return found


def _parser() -> argparse.ArgumentParser:
    """Describe the options."""
    parser = argparse.ArgumentParser(
        prog="python -m pyssl.bench",
        description="Compares TLS packages on the same work in one run.",
    )
    add = parser.add_argument
    add(
        "--seconds",
        type=_positive,
        default=0.05,
        help="CPU time of a scenario, for each peer in each round (0.05)",
    )
    add(
        "--rounds",
        type=_count,
        default=15,
        help="rounds that count; one more warms up (15)",
    )
    add(
        "--scenario",
        action="append",
        type=_named,
        metavar="PATTERN",
        help="run these, as 'full13*'; may be repeated (a core set)",
    )
    add(
        "--peer",
        action="append",
        type=_peers,
        metavar="PATTERN",
        help="run these; may be repeated (all that are installed)",
    )
    add(
        "--beside",
        action="append",
        default=[],
        metavar="FOLDER",
        help="run another build of pyssl in the same rounds: an environment "
        "that has it, or a folder that holds the package; may be repeated",
    )
    add("--list", action="store_true", help="name scenarios and peers")
    add(
        "--json",
        metavar="FILE",
        help="write all numbers to a file; - for standard output, without "
        "the table",
    )
    add("--html", metavar="FILE", help="write a page with plots")
    add(
        "--compare",
        metavar="FILE",
        help="say what changed since a run whose --json is there",
    )
    add(
        "--strict",
        action="store_true",
        help="fail if a peer fails, or pyssl fell behind the run compared",
    )
    return parser


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run what the command line asks for.

    Returns:
        0; 1 if no peer was found, and with --strict also if one failed or
        pyssl fell behind; 2 for an older run that cannot be read, or
        another build that does not run.
    """
    options = _parser().parse_args(argv)
    if options.list:
        print(_listed())
        return 0
    try:
        old = _older(options.compare)
    except (OSError, ValueError) as e:
        print(f"{options.compare}: {e}", file=sys.stderr)
        return 2
    wanted = [name for some in options.peer or [list(PEERS)] for name in some]
    found, missing = find_peers(wanted)
    if not found:
        for name, reason in missing.items():
            print(f"{name}: {reason}", file=sys.stderr)
        return 1
    names = {one.name for some in options.scenario or [] for one in some}
    chosen = [one for one in SCENARIOS if one.name in names]
    if options.scenario is None:
        chosen = [one for one in SCENARIOS if one.core]
    try:
        with beside.opened(options.beside, wanted) as others:
            peers = [*found, *others]
            plan = rounds.Plan(chosen, peers, options.rounds, options.seconds)
            with progress.shown() as tell:
                outcome = rounds.run(plan, tell)
    except FailedError as e:
        print(e, file=sys.stderr)
        return 2
    data = report.as_data(plan, outcome, missing)
    return _finish(options, data, old)


def _finish(
    options: argparse.Namespace,
    data: dict[str, Any],
    old: Optional[dict[str, Any]],
) -> int:
    """Write what was found, and give the exit code."""
    if options.json == "-":
        print(json.dumps(data, indent=1))
    else:
        print(report.as_text(data))
    if options.json not in (None, "-"):
        Path(options.json).write_text(json.dumps(data, indent=1), "utf-8")
    if options.html is not None:
        Path(options.html).write_text(page.as_html(data), "utf-8")
    bad = any(one["failures"] for one in data["scenarios"])
    if old is not None:
        changes = report.compare(old, data)
        out = sys.stderr if options.json == "-" else sys.stdout
        print(f"\nsince {options.compare}:", file=out)
        for line in changes or ["nothing changed beyond doubt"]:
            print(f"  {line}", file=out)
        words = (" slower ", " larger ")
        bad |= any(word in line for line in changes for word in words)
    return int(bad and options.strict)


def _older(path: Optional[str]) -> Optional[dict[str, Any]]:
    """Read an older run.

    Errors:
        OSError, ValueError: it cannot be read, or is something else.
    """
    if path is None:
        return None
    data = json.loads(Path(path).read_text("utf-8"))
    if not isinstance(data, dict) or data.get("format") != report.FORMAT:
        raise ValueError(f"not a run of format {report.FORMAT}")
    return data


def _listed() -> str:
    """Name scenarios and peers."""
    lines = ["scenarios (* run by default):"]
    lines += [
        f"  {'*' if one.core else ' '} {one.name:<18} {one.title}"
        for one in SCENARIOS
    ]
    found, missing = find_peers(PEERS)
    lines.append("peers:")
    lines += [f"    {one.name:<18} {one.note}".rstrip() for one in found]
    lines += [f"    {name:<18} missing: {e}" for name, e in missing.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
