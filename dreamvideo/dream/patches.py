"""Where a picture is climbed in places only: windows round them, one set for every octave.

Pure geometry. A window reaches so far beyond its place that the place's gradient is about what the
whole picture would give it, and lies so that the network's grids fall on the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.tiles import GRID

# What a window shows round its place, px of an octave: what a roll puts at its edge, and as much
# again.
GUARD = GRID
# Windows that cover more than this of an octave cost more than the octave itself.
MOST = 0.5


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a picture, ends not in it."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        """Its pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def place(self) -> tuple[slice, slice]:
        """What it is of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def meets(self, other: Box) -> bool:
        """Whether both have a pixel in common."""
        rows = min(self.bottom, other.bottom) > max(self.top, other.top)
        return rows and min(self.right, other.right) > max(self.left, other.left)

    def around(self, other: Box) -> Box:
        """The smallest box round both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


def merge_overlapping(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """The boxes, those that meet replaced by one round them, until none do."""
    done: list[Box] = []
    for each in boxes:
        box = each
        while met := next((other for other in done if other.meets(box)), None):
            done.remove(met)
            box = box.around(met)
        done.append(box)
    return tuple(done)


def find_windows(
    boxes: Sequence[Box], whole: tuple[int, int], size: tuple[int, int]
) -> tuple[Box, ...]:
    """What is to be climbed for ``boxes`` of a picture ``whole`` in its octave of ``size``.

    Sizes are (height, width). No two windows meet, and their sides are of few lengths: multiples
    of ``GRID``, or the octave's own. All of the octave where that is less work.
    """
    found = [_window(box, whole, size) for box in boxes]
    merged = merge_overlapping(found)
    while len(merged) < len(found):
        found = [_rounded(box, size) for box in merged]
        merged = merge_overlapping(found)
    if sum(box.area for box in merged) > MOST * size[0] * size[1]:
        return (Box(0, 0, *size),)
    return merged


def list_shifts(window: Box, shifts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Rolls of a window, n x 2 px, each within half of ``GRID``.

    Each lays the network's grids on the same pixels as its like of ``shifts`` in the whole octave.
    """
    half = GRID // 2
    laid = shifts + np.array([window.top, window.left], np.int32)
    return np.asarray((laid + half) % GRID - half, np.int32)


def _window(box: Box, whole: tuple[int, int], size: tuple[int, int]) -> Box:
    down, across = size[0] / whole[0], size[1] / whole[1]
    grown = Box(
        int(np.floor(box.top * down)) - GUARD,
        int(np.floor(box.left * across)) - GUARD,
        int(np.ceil(box.bottom * down)) + GUARD,
        int(np.ceil(box.right * across)) + GUARD,
    )
    return _rounded(grown, size)


def _rounded(box: Box, size: tuple[int, int]) -> Box:
    top, bottom = _side(box.top, box.bottom, size[0])
    left, right = _side(box.left, box.right, size[1])
    return Box(top, left, bottom, right)


def _side(begin: int, end: int, length: int) -> tuple[int, int]:
    """A side grown to whole steps of ``GRID`` within 0 to ``length``."""
    begin, end = max(0, begin), min(length, end)
    side = GRID * -(-(end - begin) // GRID)
    if side >= length:
        return 0, length
    begin = min(begin, length - side)
    return begin, begin + side
