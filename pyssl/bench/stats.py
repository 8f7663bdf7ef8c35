"""What is made of the numbers of several rounds."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

# Resamplings of the bootstrap, and how much of them an interval holds.
_DRAWS = 1000
_INSIDE = 0.95


class Spread(NamedTuple):
    """A median, and the least and greatest value seen."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Give median and range.

    Errors:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values")
    return Spread(statistics.median(values), min(values), max(values))


def interval(values: Sequence[float]) -> Spread:
    """Give the median with the 95 % interval of its bootstrap.

    The rounds are drawn again, with repetition, and the medians of the
    draws are sorted. The draws are the same each time.

    Errors:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values")
    draw = random.Random(len(values))  # noqa: S311 - nobody guesses here
    n = len(values)
    medians = sorted(
        statistics.median(draw.choices(values, k=n)) for _ in range(_DRAWS)
    )
    edge = int(_DRAWS * (1 - _INSIDE) / 2)
    return Spread(
        statistics.median(values), medians[edge], medians[_DRAWS - 1 - edge]
    )


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Compare two peers round by round.

    What disturbs a round disturbs both peers in it, so the ratio of a round
    says more than the ratio of two medians.

    Args:
        ours: A figure for each round.
        theirs: The other peer's, for the same rounds.

    Errors:
        ValueError: not one for each.
    """
    if len(ours) != len(theirs):
        raise ValueError("two figures for each round are needed")
    return [one / other for one, other in zip(ours, theirs)]


def winner(figures: Mapping[str, Sequence[float]]) -> Optional[str]:
    """Name the peer that is ahead of each other beyond doubt.

    Args:
        figures: By peer, one a round; the greater, the better.

    Returns:
        Its name; None if the interval of its ratio to some other reaches 1,
        or there is no other, or fewer than three rounds.
    """
    if len(figures) < 2:
        return None
    best = max(figures, key=lambda one: statistics.median(figures[one]))
    if len(figures[best]) < 3:
        return None
    for name, theirs in figures.items():
        if name == best:
            continue
        if interval(ratios(figures[best], theirs)).low <= 1:
            return None
    return best
