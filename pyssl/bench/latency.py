"""What is made of the delays of many connections."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Optional

from pyssl.bench.scenarios import Column, Curve, Sample

# The percentiles that are told as figures.
_TOLD = (50.0, 99.0, 99.9)

# Points of a curve for each tenth part that is left above it.
_STEPS = 8


def percentile(ordered: Sequence[int], share: float) -> Optional[int]:
    """Give a percentile by the nearest rank.

    Args:
        ordered: Values, the least first.
        share: The percentile, from 0 to 100.

    Returns:
        The least value that so many percent do not exceed; None if there
        are too few values to tell: less than one lies above.
    """
    above = 1 - share / 100
    # A little less, for 1 - 0.999 is not quite 0.001.
    if not ordered or len(ordered) * above < 1 - 1e-9:
        return None
    rank = math.ceil(len(ordered) * share / 100 - 1e-9)
    return ordered[max(rank, 1) - 1]


def _ordered(samples: Iterable[Sample]) -> list[int]:
    """Put all delays of samples in order."""
    return sorted(delay for one in samples for delay in one.delays)


def _microseconds(share: float, samples: Sequence[Sample]) -> Optional[float]:
    """Give a percentile of all delays, in us."""
    found = percentile(_ordered(samples), share)
    return None if found is None else found / 1e3


def curve(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Give percentiles and delays in us, closer to each other to the top.

    The greatest delay ends it, at the percentile of one in so many.
    """
    ordered = _ordered(samples)
    if not ordered:
        return []
    found = []
    last = math.log10(len(ordered)) * _STEPS
    for step in range(math.floor(last) + 1):
        share = 100 * (1 - 10 ** (-step / _STEPS))
        value = percentile(ordered, share)
        if value is not None:
            found.append((share, value / 1e3))
    found.append((100 * (1 - 1 / len(ordered)), ordered[-1] / 1e3))
    return found


COLUMNS = tuple(
    Column(f"p{share:g}", "us", True, partial(_microseconds, share))
    for share in _TOLD
)
CURVE = Curve("latency", curve)
