"""The parts of drawings: inline SVG, coloured by the page's style."""

from __future__ import annotations

from html import escape

# Of all drawings, in pixels.
WIDTH = 800


def svg(height: int, parts: list[str], words: str) -> str:
    """Frame a drawing."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(words)}">'
        + "".join(parts)
        + "</svg>"
    )


def text(x: float, y: float, words: str, more: str = "") -> str:
    """Write words; more: further attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    """Fill a box with a colour of the style."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
        f'height="{height:.1f}" rx="2" fill="var(--{fill})"/>'
    )


def whisker(low: float, high: float, y: float) -> str:
    """Draw an interval."""
    ends = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 4:.1f}" y2="{y + 4:.1f}"/>'
        for x in (low, high)
    )
    return (
        f'<g stroke="var(--ink)" stroke-width="1.2"><line x1="{low:.1f}" '
        f'x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>{ends}</g>'
    )
