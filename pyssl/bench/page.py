"""The outcome as one page that stands alone: no script, no other file.

Plots are inline SVG: for each scenario a bar a peer, as a multiple of what
pyssl does, with the interval of the ratio; costs of both sides stacked;
curves where a scenario has one.
"""

from __future__ import annotations

from html import escape
from statistics import median
from typing import Any

from pyssl.bench.curves import plotted
from pyssl.bench.drawing import WIDTH, rect, svg, text, whisker
from pyssl.bench.report import agreed, figure, further, leads

# Drawn in pixels.
_LEFT, _RIGHT, _ROW, _BAR = 170, 190, 30, 18

_STYLE = """
:root { --ink: #1c2430; --soft: #657080; --line: #dde2e8; --back: #ffffff;
  --panel: #f6f8fa; --ours: #1766b5; --theirs: #9aa7b5; --client: #3f8fd2;
  --server: #e0a33a; --limit: #2e7d4f; --bad: #b3261e;
  --line1: #c2571a; --line2: #2e7d4f; --line3: #8a5bb0; --line4: #b3872a;
  --line5: #b5467c; --line6: #4f7d86; --line7: #7a6a58; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaef;
  --soft: #9aa5b1; --line: #323a44; --back: #14181d; --panel: #1c2128;
  --ours: #57a5ee; --theirs: #66727f; --client: #57a5ee;
  --server: #e0a33a; --limit: #5dbb83; --bad: #ff8a80;
  --line1: #f08a4b; --line2: #5dbb83; --line3: #b995dd; --line4: #d9b45c;
  --line5: #e583b1; --line6: #86b6c0; --line7: #b3a48f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1000px; padding: 28px 24px 60px;
  color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 40px 0 2px; }
h3 { font-size: 14px; margin: 20px 0 0; color: var(--soft);
  font-weight: 600; }
p { margin: 4px 0; }
.soft { color: var(--soft); }
.verdict { font-weight: 600; }
.bad { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr;
  gap: 2px 18px; background: var(--panel); padding: 14px 18px;
  border-radius: 8px; margin: 18px 0; font-size: 13.5px; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin-top: 8px;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 12px; text-align: right;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
th:first-child, td:first-child, th:last-child, td:last-child {
  text-align: left; }
tr.ours td { font-weight: 600; }
tr.limit td { color: var(--limit); }
svg { max-width: 100%; height: auto; display: block; margin-top: 6px; }
svg text { font: 13px system-ui, "DejaVu Sans", sans-serif;
  fill: var(--ink); }
svg .soft { fill: var(--soft); }
svg .num { font-size: 12px; paint-order: stroke; stroke: var(--back);
  stroke-width: 4px; }
nav a { color: var(--ours); margin-right: 14px; white-space: nowrap;
  display: inline-block; }
details { margin-top: 8px; } summary { cursor: pointer;
  color: var(--soft); font-size: 13px; }
"""


def as_html(data: dict[str, Any]) -> str:
    """Give the page.

    Args:
        data: What `report.as_data` gives, or a file of it held.
    """
    scenarios = [one for one in data["scenarios"] if one["peers"]]
    links = "".join(
        f'<a href="#{escape(one["name"])}">{escape(one["name"])}</a>'
        for one in scenarios
    )
    run = f"{data['rounds']} rounds of {data['seconds']:g} s CPU time"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            "<title>pyssl benchmark</title>",
            f"<style>{_STYLE}</style></head><body>",
            "<h1>pyssl benchmark</h1>",
            f'<p class="soft">{escape(data["time"])} · {run} a peer</p>',
            _machine(data),
            f"<nav>{links}</nav>",
            *(_scenario(one, data["baseline"]) for one in scenarios),
            _notes(data["baseline"]),
            "</body></html>",
            "",
        ]
    )


def _machine(data: dict[str, Any]) -> str:
    """Say what it ran on, and with what."""
    here, made = data["machine"], data["pyssl"]
    load = f"{here['cpus']} CPUs, load {here['load'][0]:.1f}"
    system = f"{here['system']} {here['release']} {here['architecture']}"
    uses = ", ".join(made["cpu"]) or "nothing that it told"
    lines = [
        ("machine", f"{here['cpu']}, {load}; {system}"),
        ("python", f"{here['implementation']} {here['python']}"),
        ("libcrypto", f"{made['libcrypto']}, {made['linked']}; uses {uses}"),
        ("primitives", made["primitives"]),
    ]
    for peer in data["peers"]:
        words = ", ".join(f"{k} {v}" for k, v in peer["versions"].items())
        note = f" - {peer['note']}" if peer["note"] else ""
        lines.append((peer["name"], words + note))
    lines += [
        (name, f"left out: {why}") for name, why in data["missing"].items()
    ]
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>"
        for name, words in lines
    )
    return f"<dl>{rows}</dl>"


def _scenario(scenario: dict[str, Any], baseline: str) -> str:
    """Lay out a scenario: words, plots, numbers."""
    name = escape(scenario["name"])
    blocks = [
        f'<section id="{name}"><h2>{name}</h2>',
        f'<p class="soft">{escape(scenario["title"])}</p>',
        f'<p class="verdict">{escape(_verdict(scenario))}</p>',
        *(f"<p>{escape(line)}.</p>" for line in leads(scenario)),
        _bars(scenario, baseline),
    ]
    if any(len(row["cost_us"]) > 1 for row in scenario["peers"].values()):
        blocks.append("<h3>CPU time of an operation, µs</h3>")
        blocks.append(_costs(scenario))
    blocks += plotted(scenario, baseline)
    blocks.append(_numbers(scenario, baseline))
    for one, why in scenario["failures"].items():
        blocks.append(
            f'<p class="bad">{escape(one)} failed: {escape(why)}</p>'
        )
    if scenario["skipped"]:
        words = "; ".join(
            f"{one}: {why}" for one, why in scenario["skipped"].items()
        )
        blocks.append(
            f"<details><summary>not taking part: "
            f"{len(scenario['skipped'])}</summary>"
            f'<p class="soft">{escape(words)}</p></details>'
        )
    return "\n".join([*blocks, "</section>"])


def _verdict(scenario: dict[str, Any]) -> str:
    """Say who is ahead, if that is beyond doubt."""
    if len(scenario["peers"]) < 2:
        return ""
    if scenario["winner"] is None:
        return "Nobody is ahead of all others beyond doubt."
    return f"Ahead of all others: {scenario['winner']}."


def _bars(scenario: dict[str, Any], baseline: str) -> str:
    """Draw the figures, the best first, relative to the baseline's."""
    rows = sorted(
        scenario["peers"].items(),
        key=lambda one: one[1]["figure"]["median"],
        reverse=not scenario["less"],
    )
    most = max(row["interval"]["high"] for _, row in rows)
    scale = (WIDTH - _LEFT - _RIGHT) / most
    base = scenario["peers"].get(baseline)
    parts = []
    height = len(rows) * _ROW + 8
    if base is not None:
        x = _LEFT + base["figure"]["median"] * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" '
            'stroke="var(--ours)" stroke-dasharray="3 4" opacity="0.6"/>'
        )
    for number, (name, row) in enumerate(rows):
        y = number * _ROW + 6
        ours = name.startswith(baseline)
        value = row["figure"]["median"]
        low, high = row["interval"]["low"], row["interval"]["high"]
        parts += [
            text(_LEFT - 10, y + 14, name, 'text-anchor="end"'),
            rect(_LEFT, y, value * scale, _BAR, "ours" if ours else "theirs"),
            whisker(_LEFT + low * scale, _LEFT + high * scale, y + _BAR / 2),
            text(
                _LEFT + high * scale + 8,
                y + 14,
                _label(scenario, row, base),
                'class="num"',
            ),
        ]
    words = f"{scenario['name']} in {scenario['unit']}, bars for each peer"
    return svg(height, parts, words)


def _label(scenario: dict[str, Any], row: Any, base: Any) -> str:
    """Put a figure beside a bar, and what multiple of ours it is."""
    value = row["figure"]["median"]
    words = f"{figure(value)} {scenario['unit']}"
    if base is not None and row is not base:
        words += f" · {value / base['figure']['median']:.2f} x"
    return words


def _costs(scenario: dict[str, Any]) -> str:
    """Draw what client and server take, and what of it is the limit."""
    rows = [
        (name, row["cost_us"])
        for name, row in scenario["peers"].items()
        if len(row["cost_us"]) > 1
    ]
    rows += [
        (name, row["cost_us"]) for name, row in scenario["limits"].items()
    ]
    # One that is very slow would leave no room for the others.
    usual = median(sum(cost.values()) for _, cost in rows)
    most = min(max(sum(cost.values()) for _, cost in rows), usual * 4)
    scale = (WIDTH - _LEFT - _RIGHT) / most
    parts = []
    for number, (name, cost) in enumerate(rows):
        y = number * _ROW + 6
        x = float(_LEFT)
        total = sum(cost.values())
        shrink = min(1.0, most / total)
        parts.append(text(_LEFT - 10, y + 14, name, 'text-anchor="end"'))
        for side in ("client", "server"):
            width = cost.get(side, 0.0) * scale * shrink
            parts.append(rect(x, y, width, _BAR, side))
            x += width
        words = " + ".join(figure(value) for value in cost.values())
        if shrink < 1:
            words += " (bar cut)"
        parts.append(text(x + 8, y + 14, words, 'class="num"'))
    y = len(rows) * _ROW + 10
    for number, side in enumerate(("client", "server")):
        x = _LEFT + number * 90
        parts.append(rect(x, y, 12, 12, side))
        parts.append(text(x + 18, y + 11, side, 'class="soft num"'))
    return svg(y + 22, parts, f"{scenario['name']}: cost of each side")


def _numbers(scenario: dict[str, Any], baseline: str) -> str:
    """Give the numbers as a table."""
    head = ["peer", scenario["unit"], "least - greatest"]
    columns = scenario.get("columns", [])
    head += [f"{one['name']} {one['unit']}" for one in columns]
    head += [f"{baseline} is", "95 %", "limit", "agreed on"]
    rows = []
    for name, row in scenario["peers"].items():
        value, share = row["figure"], row["limit"]
        cells = [
            name,
            figure(value["median"]),
            f"{figure(value['low'])} - {figure(value['high'])}",
            *further(scenario, row),
            *_ahead(row["ahead"]),
            "" if share is None else f"{share['all']:.0%}",
            agreed(row["agreed"], scenario["setup"]),
        ]
        rows.append(("ours" if name == baseline else "", cells))
    for name, row in scenario["limits"].items():
        value = row["figure"]
        cells = [name, figure(value["median"])]
        cells.append(f"{figure(value['low'])} - {figure(value['high'])}")
        cells += [""] * (len(columns) + 4)
        rows.append(("limit", cells))
    body = "".join(
        f'<tr class="{kind}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for kind, cells in rows
    )
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _ahead(ahead: Any) -> list[str]:
    """Say how many times the baseline is ahead."""
    if ahead is None:
        return ["", ""]
    span = f"{ahead['low']:.2f} - {ahead['high']:.2f}"
    return [f"{ahead['median']:.2f} x", span]


def _notes(baseline: str) -> str:
    """Say how to read it."""
    return (
        '<section><h2>How to read this</h2><p class="soft">Figures go by '
        "the CPU time of the process; client and server run in one thread, "
        "if nothing else is said. Each is the median of the rounds; the "
        "whiskers are the 95 % interval of its bootstrap. Latencies go by "
        "the clock on the wall; their percentiles and curves are of all "
        f"rounds together. “{escape(baseline)} is” is the median "
        "of the ratios taken round by round, with their interval: above 1, "
        f"{escape(baseline)} is ahead. Nobody is called ahead while an "
        "interval reaches 1. The limit is the sum of the primitives "
        "that the protocol cannot do without, measured in the same rounds; "
        "its share is of our own CPU time. Peers choose suites by their own "
        "defaults, and what they chose stands in the table.</p></section>"
    )
