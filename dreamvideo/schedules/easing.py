"""Interpolation of a value from one keyframe to the next."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

Point = tuple[float, float]

# Share of the time between two keyframes -> share of the difference.
WAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "hold": lambda share: 0.0,
    "ease": lambda share: share * share * (3 - 2 * share),
    "ease-in-out": lambda share: share * share * (3 - 2 * share),
    "ease-in": lambda share: share * share,
    "ease-out": lambda share: share * (2 - share),
    "sine": lambda share: (1 - math.cos(math.pi * share)) / 2,
}
CUBIC = "cubic"
KNOWN = (*WAYS, CUBIC)


def cubic(points: Sequence[Point], time: float) -> float:
    """Evaluate a smooth curve through all ``points`` (time, value, in order) at a time.

    The time lies between the ends. Hermite segments with the slopes of Fritsch and Butland (1984):
    the curve stays between the values of the two neighbouring keyframes, and is level at a turning
    point.
    """
    index = bisect_right(points, (time, math.inf)) - 1
    (begin, low), (end, high) = points[index], points[index + 1]
    width = end - begin
    share = (time - begin) / width
    leave, arrive = _slope(points, index), _slope(points, index + 1)
    bend = share * share * (3 - 2 * share)
    curve = share * (1 - share) * width * ((1 - share) * leave - share * arrive)
    return low + bend * (high - low) + curve


def _slope(points: Sequence[Point], index: int) -> float:
    """Return the slope at a keyframe: a weighted harmonic mean of the chords on both sides.

    At an end it is that end's chord; where the chords have different signs it is 0.
    """
    if index in (0, len(points) - 1):
        return _chord(points, min(index, len(points) - 2))
    before, after = _chord(points, index - 1), _chord(points, index)
    if before * after <= 0:
        return 0.0
    left, right = (points[index + n][0] - points[index + n - 1][0] for n in (0, 1))
    return 3 * (left + right) / ((2 * right + left) / before + (right + 2 * left) / after)


def _chord(points: Sequence[Point], index: int) -> float:
    (begin, low), (end, high) = points[index], points[index + 1]
    return (high - low) / (end - begin)
