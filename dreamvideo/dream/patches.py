"""Windows around the parts of a picture that are dreamt, one set per octave. Pure geometry.

A window extends far enough beyond its box that the gradient in the box is about the same as in the
whole picture, and is aligned so that the network's grids fall on the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.tiles import GRID

# What a window shows around its box, in pixels of an octave: what a roll puts at its edge, and as
# much again.
GUARD = GRID
# Windows that cover more than this share of an octave cost more than the octave itself.
MOST = 0.5


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a picture, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def place(self) -> tuple[slice, slice]:
        """Index of the box in an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def meets(self, other: Box) -> bool:
        """Return whether both share a pixel."""
        rows = min(self.bottom, other.bottom) > max(self.top, other.top)
        return rows and min(self.right, other.right) > max(self.left, other.left)

    def around(self, other: Box) -> Box:
        """Return the smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


def merge_overlapping(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Replace boxes that overlap by one around them, until none do."""
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
    """Return the windows to compute for ``boxes`` of a picture, in one octave.

    No two windows overlap, and their sides have few different lengths: multiples of ``GRID``, or
    the octave's own. If that is less work, the only window is the whole octave.

    Args:
        boxes: Boxes in the picture.
        whole: (height, width) of the picture.
        size: (height, width) of the octave.
    """
    found = [_window(box, whole, size) for box in boxes]
    merged = merge_overlapping(found)
    while len(merged) < len(found):
        found = [_round_box(box, size) for box in merged]
        merged = merge_overlapping(found)
    if sum(box.area for box in merged) > MOST * size[0] * size[1]:
        return (Box(0, 0, *size),)
    return merged


def list_shifts(window: Box, shifts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the rolls of a window, n x 2 px, each within half of ``GRID``.

    Each aligns the network's grids with the same pixels as its counterpart in ``shifts`` does in
    the whole octave.
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
    return _round_box(grown, size)


def _round_box(box: Box, size: tuple[int, int]) -> Box:
    top, bottom = _side(box.top, box.bottom, size[0])
    left, right = _side(box.left, box.right, size[1])
    return Box(top, left, bottom, right)


def _side(begin: int, end: int, length: int) -> tuple[int, int]:
    """Extend a side to a multiple of ``GRID`` within 0 to ``length``."""
    begin, end = max(0, begin), min(length, end)
    side = GRID * -(-(end - begin) // GRID)
    if side >= length:
        return 0, length
    begin = min(begin, length - side)
    return begin, begin + side
