"""Draw shapes as H x W maps: 1 inside, 0 outside, with an antialiased pixel in between.

Each shape is a signed distance, below 0 inside, evaluated at the pixels' positions before the mask
was moved, so that moved, rotated and scaled shapes stay as sharp as others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.settings.shapes import Point, Shape

Map = NDArray[np.float32]
Places = NDArray[np.complex128]


@dataclass(frozen=True)
class ShapePose:
    """How a mask is moved: shares of width and height, a factor, and degrees about the centre."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    turn: float = 0.0

    @property
    def is_rest(self) -> bool:
        """Whether nothing moves."""
        return self == ShapePose()

    def origins(self, width: int, height: int) -> Places:
        """Return each pixel's position before the mask was moved: height x width, x + iy, px.

        Pixels are squares: the centre of the first one is at 0.5 + 0.5i.
        """
        points = np.arange(width) + 0.5 + 1j * (np.arange(height) + 0.5)[:, None]
        middle = complex(width, height) / 2
        shift = complex(self.x * width, self.y * height)
        turned = np.exp(-1j * np.deg2rad(self.turn)) / self.scale
        return np.asarray((points - middle - shift) * turned + middle, np.complex128)


def draw_shape(shapes: Sequence[Shape], size: tuple[int, int], pose: ShapePose) -> Map:
    """Draw a mask: all terms in turn, H x W in [0, 1].

    Args:
        shapes: The terms.
        size: (width, height) of the frame.
        pose: How the mask is moved.
    """
    places = pose.origins(*size)
    total = np.zeros(places.shape, np.float32)
    for shape in shapes:
        share = _share(shape, places, size, pose.scale)
        if shape.sign == "+":
            total = np.maximum(total, share)
        else:
            total = np.minimum(total, 1 - share if shape.sign == "-" else share)
    return total


def _share(shape: Shape, places: Places, size: tuple[int, int], scale: float) -> Map:
    corners = [_at(point, size) for point in shape.points]
    if shape.kind == "all":
        return np.ones(places.shape, np.float32)
    if shape.kind == "gradient":
        begin, end = corners
        along = ((places - begin) / (end - begin)).real
        return np.asarray(np.clip(along, 0, 1), np.float32)
    if shape.kind == "circle":
        beyond = np.abs(places - corners[0]) - shape.radius * min(size)
    elif shape.kind == "ellipse":
        beyond = _ellipse(places - corners[0], corners[1])
    elif shape.kind == "rect":
        beyond = _rect(places, *corners)
    else:
        beyond = _polygon(places, corners)
    return np.asarray(np.clip(0.5 - beyond * scale, 0, 1), np.float32)


def _at(point: Point, size: tuple[int, int]) -> complex:
    return complex(point[0] * size[0], point[1] * size[1])


def _ellipse(offset: Places, radii: complex) -> NDArray[Any]:
    """Return the distance to first order: the implicit form over the length of its slope."""
    a, b = max(radii.real, 1e-3), max(radii.imag, 1e-3)
    form = np.hypot(offset.real / a, offset.imag / b)
    slope = np.hypot(offset.real / a**2, offset.imag / b**2)
    return np.asarray(np.where(slope > 0, form * (form - 1) / np.maximum(slope, 1e-12), -min(a, b)))


def _rect(places: Places, one: complex, other: complex) -> NDArray[Any]:
    middle, half = (one + other) / 2, (other - one) / 2
    x = np.abs((places - middle).real) - abs(half.real)
    y = np.abs((places - middle).imag) - abs(half.imag)
    outside = np.hypot(np.maximum(x, 0), np.maximum(y, 0))
    return np.asarray(outside + np.minimum(np.maximum(x, y), 0))


def _polygon(places: Places, corners: Sequence[complex]) -> NDArray[Any]:
    nearest = np.full(places.shape, np.inf)
    within = np.zeros(places.shape, bool)
    for begin, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        side, offset = end - begin, places - begin
        length = abs(side) ** 2
        along = np.clip((offset * side.conjugate()).real / max(length, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.abs(offset - along * side))
        crosses = (begin.imag <= places.imag) != (end.imag <= places.imag)
        left = (offset * side.conjugate()).imag * np.sign(side.imag) > 0
        within ^= crosses & left
    return np.asarray(np.where(within, -nearest, nearest))
