"""What is made of the numbers of several rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


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


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare two peers round by round.

    What disturbs a round disturbs both peers in it, so the ratio of a round
    says more than the ratio of two medians.

    Args:
        ours: A rate for each round.
        theirs: The other peer's, for the same rounds.

    Errors:
        ValueError: not one for each, or none.
    """
    if len(ours) != len(theirs):
        raise ValueError("two rates for each round are needed")
    return spread([one / other for one, other in zip(ours, theirs)])
