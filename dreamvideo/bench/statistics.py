"""Medians, spreads, ratios and slopes: many timings -> the few numbers that are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """A median with the quartiles round it, in the unit of the values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one or more values."""
        low, median, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
        return cls(median, low, high)


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The ratio of two medians; its quartiles are those of the ratios round by round.

    Values stand in the order of the rounds: what disturbed a round disturbed both.
    """
    rounds = Spread.of([a / b for a, b in zip(above, below, strict=True)])
    return Spread(Spread.of(above).median / Spread.of(below).median, rounds.low, rounds.high)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """k of cost ~ size^k: the slope of a line through the logarithms, two points or more."""
    slope, _ = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope)
