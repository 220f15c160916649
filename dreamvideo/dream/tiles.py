"""Divide a large picture into overlapping tiles whose gradients are blended. Pure geometry.

A tile's gradient is wrong near its edges, where the network sees nothing beyond. There its weight
is 0, then it rises until its neighbour has faded out. All tiles of a picture have the same shape,
and are aligned so that the network's grids of ever coarser layers fall on the same pixels as they
would in the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# No layer that can be dreamt has a coarser grid, in pixels.
GRID = 32
# Width that has no weight at an edge inside the picture, and width of the cross-fade, in pixels.
GUARD, FADE = 64, 64
OVERLAP = 2 * GUARD + FADE
# Borders rotate among three positions from step to step, so that none is dreamt in.
WANDER = GRID
SMALLEST = 2 * (OVERLAP + 2 * WANDER)


@dataclass(frozen=True)
class Span:
    """One tile along one axis: its first pixel, and the weight of each of its pixels."""

    start: int
    weights: Array

    @property
    def places(self) -> NDArray[np.intp]:
        """The pixels it covers."""
        return np.arange(self.start, self.start + len(self.weights))


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture."""

    rows: Span
    columns: Span

    @property
    def weights(self) -> Array:
        """The weight of the tile, h x w x 1; those of all tiles sum to 1 everywhere."""
        return self.rows.weights[:, None, None] * self.columns.weights[:, None]


def tile_shape(height: int, width: int, most: int) -> tuple[int, int]:
    """Return (height, width) of the tiles of a picture.

    The whole picture if it fits; a side is never less than ``SMALLEST`` or the picture's.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        most: Approximate limit of the pixels of a tile.
    """
    if height * width <= most:
        return height, width
    side = max(SMALLEST, math.isqrt(max(0, most)))
    if height <= side:
        return height, _length(width, max(SMALLEST, most // height))
    if width <= side:
        return _length(height, max(SMALLEST, most // width)), width
    return _length(height, side), _length(width, side)


def tiles(size: tuple[int, int], shape: tuple[int, int], turn: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a picture.

    Args:
        size: (height, width) of the picture.
        shape: (height, width) of each tile.
        turn: Number of the step, which moves the borders between tiles.
    """
    for rows in spans(size[0], shape[0], turn):
        for columns in spans(size[1], shape[1], turn):
            yield Tile(rows, columns)


def spans(length: int, tile: int, turn: int = 0) -> list[Span]:
    """Return the tiles along one axis.

    Args:
        length: Length of the axis in pixels.
        tile: Length of each tile in pixels, equal to ``length`` modulo ``GRID``.
        turn: Number of the step, which moves the borders between tiles.
    """
    count = _count(length, tile)
    starts = [0]
    for index in range(1, count):
        even = index * (length - tile) / max(1, count - 1)
        place = GRID * round(even / GRID)
        if index < count - 1:
            place += WANDER * (turn % 3 - 1)
        starts.append(place)
    ramps = [_ramp(start, tile, length) for start in starts]
    total = reduce(np.add, ramps)
    return [
        Span(start, (ramp / total)[start : start + tile].astype(np.float32))
        for start, ramp in zip(starts, ramps, strict=True)
    ]


def _count(length: int, tile: int) -> int:
    if tile >= length:
        return 1
    # Rounding to the grid separates two neighbours by up to a grid step, moving borders by another.
    advance = tile - OVERLAP - GRID - WANDER
    return 1 + math.ceil((length - tile) / advance)


def _length(length: int, most: int) -> int:
    """Return the length of a tile, at most ``most`` px, that covers an axis with least overlap."""
    if length <= most:
        return length
    first = most - (most - length) % GRID
    count = _count(length, first)
    shorter = first
    while shorter - GRID >= SMALLEST and _count(length, shorter - GRID) == count:
        shorter -= GRID
    return shorter


def _ramp(start: int, tile: int, length: int) -> NDArray[np.float64]:
    """Return weights along the axis: 0 in the guard, rising over the fade, 1 at picture edges."""
    places = np.arange(length) + 0.5
    from_begin = np.inf if start == 0 else places - start
    from_end = np.inf if start + tile >= length else start + tile - places
    inside = np.minimum(from_begin, from_end) * np.ones(length)
    return np.clip((inside - GUARD) / FADE, 0, 1)
