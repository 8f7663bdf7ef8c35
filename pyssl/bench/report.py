"""The outcome as plain data (for JSON), and the data as text."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from typing import Any

from pyssl.bench.peers import BASELINE
from pyssl.bench.peers.base import GROUP, Peer
from pyssl.bench.rounds import Outcome, Plan
from pyssl.bench.scenarios import Sample, Scenario
from pyssl.bench.stats import Spread, ratios, spread

# Of the JSON; goes up when a field changes its meaning or goes away.
FORMAT = 1


def as_data(
    plan: Plan, outcome: Outcome, missing: dict[str, str]
) -> dict[str, Any]:
    """Give everything that was found out, as JSON can take it.

    Args:
        plan: What was run.
        outcome: What came of it.
        missing: By peer, why it could not be run.
    """
    return {
        "format": FORMAT,
        "machine": machine(),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "baseline": BASELINE,
        "peers": [_peer(one, outcome) for one in plan.peers],
        "missing": missing,
        "failures": outcome.failures,
        "scenarios": [
            _scenario(one, outcome.samples[one.name], plan.peers)
            for one in plan.scenarios
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
        pass
    return platform.processor()


def _peer(peer: Peer, outcome: Outcome) -> dict[str, Any]:
    """Describe a peer."""
    facts = outcome.facts.get(peer.name)
    return {
        "name": peer.name,
        "versions": peer.versions(),
        "note": peer.note,
        "agreed": None if facts is None else facts._asdict(),
    }


def _scenario(
    scenario: Scenario, rows: dict[str, list[Sample]], peers: Sequence[Peer]
) -> dict[str, Any]:
    """Sum up a scenario, its rows in the order of the peers."""
    order = [one.name for one in peers]
    rates = {name: _rates(scenario, row) for name, row in rows.items()}
    return {
        "name": scenario.name,
        "title": scenario.title,
        "unit": scenario.unit,
        "peers": {
            name: {
                "rate": spread(rates[name])._asdict(),
                "wall_rate": spread(
                    _wall_rates(scenario, rows[name])
                )._asdict(),
                "cost_us": _costs(rows[name]),
                "ratio": _ratio(rates, name),
                "samples": [sample._asdict() for sample in rows[name]],
            }
            for name in order
            if name in rows
        },
    }


def _rates(scenario: Scenario, row: Sequence[Sample]) -> list[float]:
    """Give units a second of CPU time."""
    return [one.done * scenario.scale / (one.cpu_ns / 1e9) for one in row]


def _wall_rates(scenario: Scenario, row: Sequence[Sample]) -> list[float]:
    """Give units a second by the clock on the wall."""
    return [one.done * scenario.scale / (one.wall_ns / 1e9) for one in row]


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
                / sum(one.parts.values())
                for one in row
            ]
        ).median
    return found


def _ratio(
    rates: dict[str, list[float]], name: str
) -> dict[str, float] | None:
    """Compare a peer with the baseline, if that was measured."""
    if name == BASELINE or BASELINE not in rates:
        return None
    return ratios(rates[name], rates[BASELINE])._asdict()


# ---- text ------------------------------------------------------------------


def as_text(data: dict[str, Any]) -> str:
    """Lay the data out for people."""
    blocks = [_head(data)]
    blocks += [_table(one, data["baseline"]) for one in data["scenarios"]]
    blocks.append(
        "Rates and ratios go by the CPU time of the process, which other\n"
        "processes disturb less than the clock on the wall; both ends run in\n"
        "one thread. Each figure is the median of the rounds, with the least\n"
        "and the greatest behind it; ratios are taken round by round."
    )
    return "\n\n".join(blocks)


def _head(data: dict[str, Any]) -> str:
    """Say what was run, with what, on what."""
    here = data["machine"]
    load = here["load"][0]
    lines = [
        ("machine", f"{here['cpu']}, {here['cpus']} CPUs, load {load:.1f}"),
        (
            "system",
            f"{here['system']} {here['release']} {here['architecture']}",
        ),
        ("python", f"{here['implementation']} {here['python']}"),
        ("run", f"{data['rounds']} rounds after a warm-up, peers in turn"),
        ("sample", f"{data['seconds']:g} s of CPU time"),
    ]
    for peer in data["peers"]:
        text = ", ".join(f"{k} {v}" for k, v in peer["versions"].items())
        lines.append((peer["name"], text))
        agreed = peer["agreed"]
        if agreed is not None:
            lines.append(("", _agreed(agreed)))
        if peer["note"]:
            lines.append(("", f"note: {peer['note']}"))
    lines += [(name, f"left out: {why}") for name, why in _absent(data)]
    return "\n".join(f"{label:<10} {text}" for label, text in lines)


def _agreed(agreed: dict[str, str]) -> str:
    """Say what the handshakes agree on, and when it is other work."""
    group = agreed["group"]
    text = ", ".join(
        (agreed["version"], agreed["suite"], group or "group not told")
    )
    if group.casefold() not in {"", GROUP.casefold()}:
        text += f" (not {GROUP}: its handshakes are other work)"
    return text


def _absent(data: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """List the peers without figures, and why."""
    yield from data["missing"].items()
    yield from data["failures"].items()


def _table(scenario: dict[str, Any], baseline: str) -> str:
    """Lay out one scenario."""
    rows = scenario["peers"]
    parts = list(
        dict.fromkeys(part for row in rows.values() for part in row["cost_us"])
    )
    head = ["peer", scenario["unit"], "least - greatest", "by the wall"]
    head += [f"{part} us" for part in parts]
    head += [f"to {baseline}", "least - greatest"]
    table = [head]
    for name, row in rows.items():
        cells = [name, *_cells(row["rate"], _figure)]
        cells.append(_figure(row["wall_rate"]["median"]))
        cells += [f"{row['cost_us'][part]:.0f}" for part in parts]
        if row["ratio"] is None:
            cells += ["", ""]
        else:
            cells += _cells(row["ratio"], "{:.2f}".format)
        table.append(cells)
    title = f"{scenario['name']}: {scenario['title']}"
    return "\n".join([title, *_aligned(table)])


def _cells(values: dict[str, float], show: Any) -> list[str]:
    """Show a spread in two cells."""
    one = Spread(**values)
    return [show(one.median), f"{show(one.low)} - {show(one.high)}"]


def _figure(value: float) -> str:
    """Show a rate with three or more digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _aligned(table: list[list[str]]) -> Iterable[str]:
    """Set a table in columns: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        yield ("  " + "  ".join(cells)).rstrip()
