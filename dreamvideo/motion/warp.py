"""Warp a picture along a backward flow.

Everywhere ``warp(previous, flow)[y, x] = previous[y + dy, x + dx]`` with ``dx, dy = flow[y, x]``:
the flow lies on the grid of the *current* frame, in pixels, and points to where each pixel was in
the *previous* one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import spread_channels

Interpolation = Literal["lanczos", "cubic", "linear"]
Border = Literal["replicate", "mirror", "wrap"]

_BORDERS: dict[Border, int] = {
    "replicate": cv2.BORDER_REPLICATE,
    "mirror": cv2.BORDER_REFLECT_101,
    "wrap": cv2.BORDER_WRAP,
}
_INTERPOLATIONS: dict[Interpolation, int] = {
    "lanczos": cv2.INTER_LANCZOS4,
    "cubic": cv2.INTER_CUBIC,
    "linear": cv2.INTER_LINEAR,
}
_SLOPE = np.array([[1, -8, 0, 8, -1]], np.float32) / 12
_COARSE_SIGMA = 2.5
"""Lanczos4 shifts waves longer than about 10 px too far; a slope this smooth sees only those."""


def warp(
    image: NDArray[np.float32],
    flow: NDArray[np.float32],
    *,
    interpolation: Interpolation = "lanczos",
    border: Border = "replicate",
) -> NDArray[np.float32]:
    """Warp a picture along a backward flow; the result has the flow's size.

    Zero flow returns the image bit for bit. Lanczos is the 8 x 8 kernel, corrected so that even
    hundreds of chained warps neither lag nor run ahead; it may overshoot the input's range by a few
    percent at edges.

    Args:
        image: H x W or H x W x C, any range.
        flow: h x w x 2, px.
        interpolation: The kernel.
        border: What lies outside: the edge pixel, the mirrored picture, or the picture repeated.
    """
    x, y = _positions(flow)
    if interpolation == "lanczos":
        return _lanczos(image, x, y, _BORDERS[border])
    return _remap(image, x, y, _INTERPOLATIONS[interpolation], _BORDERS[border])


def inside(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where a backward flow (H x W x 2) points within the previous frame: H x W booleans."""
    height, width = flow.shape[:2]
    x, y = _positions(flow)
    within: NDArray[np.bool_] = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return within


def _positions(flow: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = flow.shape[:2]
    columns: NDArray[np.float32] = np.arange(width, dtype=np.float32)
    rows: NDArray[np.float32] = np.arange(height, dtype=np.float32)[:, None]
    return flow[..., 0] + columns, flow[..., 1] + rows


def _remap(image: Any, x: Any, y: Any, interpolation: int, border: int) -> NDArray[np.float32]:
    moved = cv2.remap(image, x, y, interpolation, borderMode=border)
    shaped: NDArray[np.float32] = moved.reshape(*x.shape, *image.shape[2:])
    return shaped


def _lanczos(
    image: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32], border: int
) -> NDArray[np.float32]:
    """Apply OpenCV's Lanczos4 with a first-order correction of its two errors in position.

    It rounds positions to 1/32 px, so a slow move would stand still; and the kernel's centre of
    mass is off by up to 0.014 px, which adds up in chained warps with a constant step.
    """
    (x0, rest_x), (y0, rest_y) = _round_position(x), _round_position(y)
    moved = _remap(image, x0, y0, cv2.INTER_LANCZOS4, border)
    coarse = cv2.GaussianBlur(image, (0, 0), _COARSE_SIGMA, borderType=cv2.BORDER_REFLECT_101)
    for along, at, rest in ((_SLOPE, x0, rest_x), (_SLOPE.T, y0, rest_y)):
        for picture, error in ((image, rest), (coarse, -_kernel_bias(at))):
            slope = cv2.filter2D(picture, -1, along, borderType=cv2.BORDER_REFLECT_101)
            shift = _remap(slope.reshape(image.shape), x0, y0, cv2.INTER_LINEAR, border)
            shift *= _like(error, moved)
            moved += shift
    return moved


def _round_position(
    position: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    steps = np.float32(cv2.INTER_TAB_SIZE)
    nearest = np.rint(position * steps) / steps
    return nearest, position - nearest


def _kernel_bias(position: NDArray[np.float32]) -> NDArray[np.float32]:
    index = np.rint((position - np.floor(position)) * cv2.INTER_TAB_SIZE).astype(np.intp)
    return _bias_table()[index]


@cache
def _bias_table() -> NDArray[np.float32]:
    """Return the offset of the Lanczos4 kernel's centre of mass at each fraction k/32."""
    fraction = np.arange(cv2.INTER_TAB_SIZE + 1)[:, None] / cv2.INTER_TAB_SIZE
    taps = np.arange(-3, 5)
    weights = np.sinc(taps - fraction) * np.sinc((taps - fraction) / 4)
    centre = (weights * taps).sum(1) / weights.sum(1)
    table: NDArray[np.float32] = (centre - fraction[:, 0]).astype(np.float32)
    table[[0, -1]] = 0
    return table


def _like(weights: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    if image.ndim == 2:
        return weights
    return spread_channels(weights, image.shape[2]).reshape(image.shape)
