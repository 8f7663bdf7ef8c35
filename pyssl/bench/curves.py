"""Curves of a scenario, a line for each peer: latencies, threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from pyssl.bench.drawing import WIDTH, svg, text
from pyssl.bench.report import figure

# In pixels: what is left free, and how far labels are apart.
_LEFT, _RIGHT, _TOP, _HEIGHT, _BOTTOM, _APART = 70, 150, 12, 300, 44, 16

# Colours of others than ours, in the style of the page.
_COLOURS = 7

# Percentiles that are marked.
_NINES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)

Points = Sequence[Sequence[float]]


class _Axis(NamedTuple):
    """An axis: where a value stands from 0 to 1, and what it is marked at."""

    words: str
    place: Callable[[float], float]
    marks: list[tuple[float, str]]


def plotted(scenario: dict[str, Any], baseline: str) -> list[str]:
    """Give the curve of a scenario as parts of a page; none if it has none."""
    lines = {
        name: row["curve"]
        for name, row in scenario["peers"].items()
        if row.get("curve")
    }
    if not lines:
        return []
    if scenario["curve"] == "latency":
        title = "Latency of a handshake by percentile"
        axes = _percentiles(lines), _durations(lines)
    else:
        title = f"{scenario['unit']} by the number of threads"
        axes = _threads(lines), _figures(lines, scenario["unit"])
    words = f"{scenario['name']}: {title}"
    return [f"<h3>{title}</h3>", _plot(lines, *axes, baseline, words)]


# ---- axes ------------------------------------------------------------------


def _values(lines: dict[str, Points], which: int) -> list[float]:
    """Give one coordinate of all points."""
    return [point[which] for line in lines.values() for point in line]


def _percentiles(lines: dict[str, Points]) -> _Axis:
    """Make an axis that gives each further nine the same room."""
    most = max(*_values(lines, 0), 90.0)
    whole = -math.log10(1 - most / 100)

    def place(value: float) -> float:
        return -math.log10(1 - value / 100) / whole

    marks = [(one, f"{one:g} %") for one in _NINES if one <= most]
    return _Axis("percentile", place, marks)


def _durations(lines: dict[str, Points]) -> _Axis:
    """Make an axis of microseconds, each factor with the same room."""
    values = _values(lines, 1)
    low, high = math.log10(min(values)), math.log10(max(values))
    low, high = low - 0.05, max(high, low + 0.3) + 0.05

    def place(value: float) -> float:
        return (math.log10(value) - low) / (high - low)

    marks = []
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0**power
            if low <= math.log10(value) <= high:
                marks.append((value, _duration(value)))
    return _Axis("latency", place, marks)


def _duration(value: float) -> str:
    """Write microseconds."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} µs"


def _threads(lines: dict[str, Points]) -> _Axis:
    """Make an axis that gives each doubling the same room."""
    numbers = sorted(set(_values(lines, 0)))
    whole = max(math.log2(numbers[-1]), 1.0)
    marks = [(one, f"{one:g}") for one in numbers]
    return _Axis("threads", lambda value: math.log2(value) / whole, marks)


def _figures(lines: dict[str, Points], unit: str) -> _Axis:
    """Make an axis of figures, from nothing."""
    most = max(_values(lines, 1)) * 1.05
    step = 10.0 ** math.floor(math.log10(most / 2))
    step *= max(one for one in (1, 2, 5) if one * step * 2 <= most)
    marks = [
        (number * step, figure(number * step) if number else "0")
        for number in range(int(most / step) + 1)
    ]
    return _Axis(unit, lambda value: value / most, marks)


# ---- the drawing -----------------------------------------------------------


def _plot(
    lines: dict[str, Points], x: _Axis, y: _Axis, baseline: str, words: str
) -> str:
    """Draw axes, lines and their names."""
    wide = WIDTH - _LEFT - _RIGHT

    def at(one: float, other: float) -> tuple[float, float]:
        return (
            _LEFT + x.place(one) * wide,
            _TOP + (1 - y.place(other)) * _HEIGHT,
        )

    foot = _TOP + _HEIGHT
    parts = []
    for value, label in y.marks:
        level = _TOP + (1 - y.place(value)) * _HEIGHT
        parts.append(_rule(_LEFT, level, _LEFT + wide, level))
        right = 'text-anchor="end" class="soft num"'
        parts.append(text(_LEFT - 8, level + 4, label, right))
    middle = 'text-anchor="middle" class="soft num"'
    for value, label in x.marks:
        across = _LEFT + x.place(value) * wide
        parts.append(_rule(across, _TOP, across, foot))
        parts.append(text(across, foot + 18, label, middle))
    parts.append(text(_LEFT + wide / 2, foot + 36, x.words, middle))
    ends = []
    for name, (colour, more) in _colours(lines, baseline).items():
        points = [at(one, other) for one, other in lines[name]]
        drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(
            f'<polyline points="{drawn}" fill="none" '
            f'stroke="var(--{colour})" {more}/>'
        )
        ends.append((points[-1], name, colour))
    parts += _names(ends, _LEFT + wide + 22)
    return svg(_TOP + _HEIGHT + _BOTTOM, parts, words)


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    """Draw a line of the grid."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        'stroke="var(--line)"/>'
    )


def _colours(
    names: Iterable[str], baseline: str
) -> dict[str, tuple[str, str]]:
    """Give each line its colour and form; ours are drawn last."""
    ours: dict[str, tuple[str, str]] = {}
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        if name.startswith(baseline):
            dashes = "" if name == baseline else ' stroke-dasharray="5 4"'
            ours[name] = ("ours", f'stroke-width="2.6"{dashes}')
        else:
            number = len(found) % _COLOURS + 1
            found[name] = (f"line{number}", 'stroke-width="1.6"')
    return {**found, **ours}


def _names(
    ends: list[tuple[tuple[float, float], str, str]], x: float
) -> list[str]:
    """Write names beside the ends of lines, none over another."""
    ordered = sorted(ends, key=lambda one: one[0][1])
    levels: list[float] = []
    for (_, y), _, _ in ordered:
        levels.append(max([y, *(one + _APART for one in levels[-1:])]))
    excess = max(0.0, levels[-1] - (_TOP + _HEIGHT))
    for place in reversed(range(len(levels))):
        below = levels[place + 1] - _APART if place + 1 < len(levels) else None
        if below is None:
            levels[place] -= excess
        else:
            levels[place] = min(levels[place], below)
    parts = []
    for level, ((end, y), name, colour) in zip(levels, ordered):
        parts.append(
            f'<line x1="{end + 2:.1f}" y1="{y:.1f}" x2="{x - 4:.1f}" '
            f'y2="{level:.1f}" stroke="var(--{colour})" opacity="0.5"/>'
        )
        style = f'class="num" style="fill: var(--{colour})"'
        parts.append(text(x, level + 4, name, style))
    return parts
