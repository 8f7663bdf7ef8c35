"""The outcome as plain data (for JSON), and the data as text."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from pyssl import versions
from pyssl.bench import pki, rounds
from pyssl.bench.peers import BASELINE
from pyssl.bench.peers.base import Peer, Setup
from pyssl.bench.rounds import Outcome, Plan
from pyssl.bench.scenarios import Column, Sample, Scenario
from pyssl.bench.stats import Spread, interval, ratios, spread, winner

# Of the JSON; goes up when a field changes its meaning or goes away.
FORMAT = 2

# A change of the median beyond this is told, if the intervals agree.
NOTABLE = 0.03


def as_data(
    plan: Plan, outcome: Outcome, missing: dict[str, str]
) -> dict[str, Any]:
    """Give everything that was found out, as JSON can take it.

    Args:
        plan: What was run.
        outcome: What came of it.
        missing: By peer, why it could not be run at all.
    """
    return {
        "format": FORMAT,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "pyssl": versions(),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "baseline": BASELINE,
        "host": pki.HOST,
        "peers": [
            {"name": one.name, "versions": one.versions(), "note": one.note}
            for one in plan.peers
        ],
        "missing": missing,
        "scenarios": [
            _scenario(one, outcome, plan.peers) for one in plan.scenarios
        ],
    }


def machine() -> dict[str, Any]:
    """Describe the machine and the interpreter."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "load": list(os.getloadavg()),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }


def _cpu() -> str:
    """Give the model of the processor, "" if the system does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except OSError:
        return platform.processor()
    return platform.processor()


def _scenario(
    scenario: Scenario, outcome: Outcome, peers: Sequence[Peer]
) -> dict[str, Any]:
    """Sum up a scenario, its rows in the order of the peers."""
    name = scenario.name
    samples = outcome.samples[name]
    figures = {
        one: [_figure_of(scenario, sample) for sample in row]
        for one, row in samples.items()
    }
    order = [one.name for one in peers if one.name in samples]
    worth = {
        one: [1 / value if scenario.less else value for value in figures[one]]
        for one in order
    }
    facts = outcome.facts[name]
    columns = {
        column.name: _column(column, {one: samples[one] for one in order})
        for column in scenario.columns
    }
    rows = {}
    for one in order:
        told = facts.get(one)
        rows[one] = {
            "figure": spread(figures[one])._asdict(),
            "interval": interval(figures[one])._asdict(),
            "wall": spread(
                [_wall_of(scenario, sample) for sample in samples[one]]
            )._asdict(),
            "cost_us": _costs(samples[one]),
            "ahead": _ahead(worth, one),
            "lead": _lead(worth, one),
            "limit": _share(samples, one),
            "agreed": None if told is None else told._asdict(),
            "columns": {key: row[one] for key, row in columns.items()},
            "curve": scenario.curve.of(samples[one]) if scenario.curve else [],
            "samples": [_plain(sample) for sample in samples[one]],
        }
    limits = {
        one: {
            "figure": spread(figures[one])._asdict(),
            "cost_us": _costs(samples[one]),
        }
        for one in figures
        if one.startswith(rounds.LIMIT)
    }
    return {
        "name": name,
        "title": scenario.title,
        "unit": scenario.unit,
        "less": scenario.less,
        "by_wall": scenario.wall,
        "columns": [
            {"name": one.name, "unit": one.unit, "less": one.less}
            for one in scenario.columns
        ],
        "curve": scenario.curve.kind if scenario.curve else None,
        "setup": scenario.setup._asdict(),
        "winner": winner(
            {k: v for k, v in worth.items() if rounds.MARK not in k}
        ),
        "peers": rows,
        "limits": limits,
        "skipped": outcome.skipped[name],
        "failures": outcome.failures[name],
    }


def _plain(sample: Sample) -> dict[str, Any]:
    """Give a sample without its delays, which may be very many."""
    found = sample._asdict()
    del found["delays"]
    return {**found, "more": list(sample.more)}


def _column(
    column: Column, samples: dict[str, list[Sample]]
) -> dict[str, dict[str, Any]]:
    """Sum up a further figure: for each peer, all its rounds, the ratio."""
    rounds_of = {
        name: [column.of([one]) for one in row]
        for name, row in samples.items()
    }
    told = {
        name: [one for one in values if one]
        for name, values in rounds_of.items()
    }
    worth = {
        name: [1 / one if column.less else one for one in values]
        for name, values in told.items()
        if len(values) == len(rounds_of[name])  # each round tells it
    }
    return {
        name: {
            "figure": column.of(row),
            "interval": interval(told[name])._asdict()
            if name in worth
            else None,
            "ahead": _ahead(worth, name) if name in worth else None,
        }
        for name, row in samples.items()
    }


def _figure_of(scenario: Scenario, sample: Sample) -> float:
    """Give units a second of CPU time or by the wall's clock, or the size."""
    if scenario.wall:
        return _wall_of(scenario, sample)
    if scenario.less:
        return max(sample.size * scenario.scale, 1e-9)
    return sample.done * scenario.scale / (max(sample.cpu_ns, 1) / 1e9)


def _wall_of(scenario: Scenario, sample: Sample) -> float:
    """Give units a second by the clock on the wall, or the size."""
    if scenario.less:
        return sample.size * scenario.scale
    return sample.done * scenario.scale / (max(sample.wall_ns, 1) / 1e9)


def _costs(row: Sequence[Sample]) -> dict[str, float]:
    """Share the CPU time of an operation between its parts, in us.

    The parts are measured by the clock on the wall, which is read faster,
    and whose disturbances fall on all parts alike.
    """
    found: dict[str, float] = {}
    for part in row[0].parts:
        found[part] = spread(
            [
                one.cpu_ns
                / 1e3
                / one.done
                * one.parts[part]
                / max(sum(one.parts.values()), 1)
                for one in row
            ]
        ).median
    return found


def _ahead(worth: dict[str, list[float]], name: str) -> Optional[Any]:
    """Say how many times the baseline is ahead of a peer."""
    if name == BASELINE or BASELINE not in worth:
        return None
    if len(worth[BASELINE]) != len(worth[name]):
        return None
    return interval(ratios(worth[BASELINE], worth[name]))._asdict()


def _lead(worth: dict[str, list[float]], name: str) -> Optional[Any]:
    """Say how many times one of ours is ahead of the best of the others."""
    others = [one for one in worth if not one.startswith(BASELINE)]
    if not name.startswith(BASELINE) or not others:
        return None
    best = max(others, key=lambda one: spread(worth[one]).median)
    if len(worth[best]) != len(worth[name]):
        return None
    found = interval(ratios(worth[name], worth[best]))
    return {"over": best, **found._asdict()}


def _share(
    samples: dict[str, list[Sample]],
    name: str,
) -> Optional[Any]:
    """Say what share of our CPU time the primitives are, in all and a side."""
    which = rounds.limit_of(name)
    if which is None or which not in samples:
        return None
    least, ours = samples[which], samples[name]
    if len(least) != len(ours):
        return None
    found = {
        "all": spread(
            [
                one.cpu_ns / one.done / max(two.cpu_ns / two.done, 1)
                for one, two in zip(least, ours)
            ]
        ).median
    }
    limit, spent = _costs(least), _costs(ours)
    for side in spent:
        if side in limit and spent[side] > 0:
            found[side] = limit[side] / spent[side]
    return found


# ---- text ------------------------------------------------------------------


def as_text(data: dict[str, Any]) -> str:
    """Lay the data out for people."""
    blocks = [_head(data)]
    blocks += [_table(one, data["baseline"]) for one in data["scenarios"]]
    blocks.append(
        "Figures go by the CPU time of the process, which other processes\n"
        "disturb less than the clock on the wall; both ends run in one\n"
        "thread, if nothing else is said. Each is the median of the rounds,\n"
        "with the least and the greatest behind it. Latencies go by the\n"
        "clock on the wall; percentiles are of all rounds together.\n"
        f"'{data['baseline']} is' says how many times {data['baseline']} is "
        "ahead: the\nmedian of the ratios of the rounds, with the 95 % "
        "interval of its\nbootstrap. 'limit' is the share of the time that "
        "is the\nprimitives'."
    )
    return "\n\n".join(blocks)


def _head(data: dict[str, Any]) -> str:
    """Say what was run, with what, on what."""
    here, made = data["machine"], data["pyssl"]
    load = here["load"][0]
    lines = [
        ("machine", f"{here['cpu']}, {here['cpus']} CPUs, load {load:.1f}"),
        (
            "system",
            f"{here['system']} {here['release']} {here['architecture']}",
        ),
        ("python", f"{here['implementation']} {here['python']}"),
        ("libcrypto", f"{made['libcrypto']}, {made['linked']}"),
        ("primitives", made["primitives"]),
        ("it uses", ", ".join(made["cpu"]) or "no feature that it told"),
        ("run", f"{data['rounds']} rounds after a warm-up, peers in turn"),
        ("sample", f"{data['seconds']:g} s of CPU time"),
    ]
    for peer in data["peers"]:
        text = ", ".join(f"{k} {v}" for k, v in peer["versions"].items())
        lines.append((peer["name"], text))
        if peer["note"]:
            lines.append(("", f"note: {peer['note']}"))
    lines += [
        (name, f"left out: {why}") for name, why in data["missing"].items()
    ]
    width = max(16, *(len(label) for label, _ in lines))
    return "\n".join(f"{label:<{width}} {text}" for label, text in lines)


def _table(scenario: dict[str, Any], baseline: str) -> str:
    """Lay out one scenario."""
    rows = scenario["peers"]
    parts = list(
        dict.fromkeys(part for row in rows.values() for part in row["cost_us"])
    )
    head = ["peer", scenario["unit"], "least - greatest"]
    head += [f"{part} us" for part in parts]
    columns = scenario.get("columns", [])
    head += [f"{one['name']} {one['unit']}" for one in columns]
    head += [f"{baseline} is", "95 %", "limit", "agreed on"]
    table = [head]
    for name, row in rows.items():
        cells = [name, *_cells(row["figure"], figure)]
        cells += [f"{row['cost_us'][part]:.0f}" for part in parts]
        cells += further(scenario, row)
        if row["ahead"] is None:
            cells += ["", ""]
        else:
            cells += _cells(row["ahead"], "{:.2f} x".format)
        share = row["limit"]
        cells.append("" if share is None else f"{share['all']:.0%}")
        cells.append(agreed(row["agreed"], scenario["setup"]))
        table.append(cells)
    for name, row in scenario["limits"].items():
        cells = [f"({name})", *_cells(row["figure"], figure)]
        cells += [f"{row['cost_us'].get(part, 0):.0f}" for part in parts]
        table.append([*cells, *[""] * len(columns), "", "", "", ""])
    title = f"{scenario['name']}: {scenario['title']}"
    return "\n".join([title, *_aligned(table), *_remarks(scenario)])


def further(scenario: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """Show the further figures of a row; "-" for one that is not known."""
    found = []
    for one in scenario.get("columns", []):
        value = row["columns"][one["name"]]["figure"]
        found.append("-" if value is None else figure(value))
    return found


def _remarks(scenario: dict[str, Any]) -> Iterable[str]:
    """Say who is ahead, and who has no part."""
    if scenario["winner"] is not None:
        yield f"  ahead of all: {scenario['winner']}"
    elif len(scenario["peers"]) > 1:
        yield "  ahead of all: nobody beyond doubt"
    yield from (f"  {line}" for line in leads(scenario))
    for reason in dict.fromkeys(scenario["skipped"].values()):
        names = [
            one for one, why in scenario["skipped"].items() if why == reason
        ]
        yield f"  without {', '.join(names)}: {reason}"
    for name, why in scenario["failures"].items():
        yield f"  FAILED {name}: {why}"


def leads(scenario: dict[str, Any]) -> Iterable[str]:
    """Say how far each of ours is ahead of the best of the others."""
    for name, row in scenario["peers"].items():
        lead = row["lead"]
        if lead is not None:
            span = f"{lead['low']:.2f} - {lead['high']:.2f}"
            times, over = f"{lead['median']:.2f} x", lead["over"]
            words = f"is {times} as fast as {over}"
            if scenario["less"]:
                words = f"is smaller by {times} than {over}"
            yield f"{name} {words}, the best of the others ({span})"


def agreed(facts: Optional[dict[str, Any]], setup: dict[str, Any]) -> str:
    """Say what a handshake agreed on, and when it is other work."""
    if facts is None:
        return ""
    words = [facts["suite"] or "suite not told"]
    group = facts["group"]
    wish = Setup(**setup).group
    names = {"secp256r1": "P-256"}
    if group and names.get(group, group).casefold() != wish.casefold():
        words.append(f"{group}, not {wish}")
    if facts.get("over"):
        words.append(facts["over"])
    return ", ".join(words)


def _cells(values: dict[str, float], show: Any) -> list[str]:
    """Show a spread in two cells."""
    one = Spread(**values)
    return [show(one.median), f"{show(one.low)} - {show(one.high)}"]


def figure(value: float) -> str:
    """Show a figure with three or more digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _aligned(table: list[list[str]]) -> Iterable[str]:
    """Set a table in columns: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:-1], widths[1:-1])]
        yield ("  " + "  ".join([*cells, row[-1]])).rstrip()


# ---- regressions -----------------------------------------------------------


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Say where the baseline differs from an older run, worst first.

    What is compared is how far it is ahead of each peer that both runs
    have, which depends on the machine the least; a run with itself alone is
    compared by its figures. A change counts if the intervals of both runs
    are apart and the medians by more than 3 %.

    Errors:
        ValueError: the old run is of another format.
    """
    if old.get("format") != FORMAT:
        raise ValueError(f"format {old.get('format')}, not {FORMAT}")
    name = new["baseline"]
    before = {one["name"]: one for one in old["scenarios"]}
    found: list[tuple[float, str]] = []
    for scenario in new["scenarios"]:
        past = before.get(scenario["name"])
        if past is None:
            continue
        for view in _views(scenario):
            for against, change in _changes(past, view, name):
                word = "slower" if change < 0 else "faster"
                if view.less:
                    word = "larger" if change < 0 else "smaller"
                text = (
                    f"{scenario['name']}: {view.of}{name} is "
                    f"{abs(change):.0%} {word} than before, {against}"
                )
                found.append((change, text))
    return [text for _, text in sorted(found)]


class _View(NamedTuple):
    """A figure of a scenario.

    Attributes:
        column: Its name; "" for the scenario's own.
        less: The smaller, the better.
        rows: What it is, for each peer.
    """

    column: str
    less: bool
    rows: dict[str, Any]

    @property
    def of(self) -> str:
        """Say what of a peer it is."""
        return f"{self.column} of " if self.column else ""


def _views(scenario: dict[str, Any]) -> Iterable[_View]:
    """Give the figures of a scenario; those an older run lacks are left."""
    yield _View("", scenario["less"], scenario["peers"])
    for one in scenario.get("columns", []):
        name = one["name"]
        rows = {
            peer: row["columns"][name]
            for peer, row in scenario["peers"].items()
        }
        yield _View(name, one["less"], rows)


def _changes(
    past: dict[str, Any], now: _View, name: str
) -> Iterable[tuple[str, float]]:
    """Give notable changes of a figure: against whom, how much."""
    before = next(
        (one.rows for one in _views(past) if one.column == now.column), {}
    )
    for against, (one, two) in _pairs(before, now, name).items():
        change = two["median"] / one["median"] - 1
        apart = two["high"] < one["low"] or two["low"] > one["high"]
        if apart and abs(change) > NOTABLE:
            yield against, change


def _pairs(
    past: dict[str, Any], now: _View, name: str
) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """Give what to compare: old and new intervals, greater is better."""
    found = {}
    for peer, row in now.rows.items():
        other = past.get(peer)
        if other and row["ahead"] and other["ahead"]:
            found[f"against {peer}"] = (other["ahead"], row["ahead"])
    one, two = past.get(name), now.rows.get(name)
    if not found and one and two and one["interval"] and two["interval"]:
        pair = (_better(one, now.less), _better(two, now.less))
        found["by its figure alone"] = pair
    return found


def _better(row: dict[str, Any], less: bool) -> dict[str, float]:
    """Give the interval of a figure so that greater is better."""
    values: dict[str, float] = row["interval"]
    if not less:
        return values
    return {
        "median": 1 / values["median"],
        "low": 1 / values["high"],
        "high": 1 / values["low"],
    }
