"""Optical flow by TV-L1, a method that shares nothing with the renderer's.

Zach, Pock and Bischof, "A Duality Based Approach for Realtime TV-L1 Optical Flow" (DAGM 2007), with
the parameters of Sánchez, Meinhardt-Llopis and Facciolo (IPOL 2013) and a median filter after each
warp (Sun, Roth and Black, CVPR 2010). Unlike these, the frames' brightness is matched at every
warp, so that a flash or a change of exposure does not move anything. OpenCV has TV-L1 only in its
contrib wheel, which cannot be installed together with the ordinary one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import blur

Picture = NDArray[np.float32]

_GRAIN_SIGMA = 0.7
_ZOOM = 0.5
_ANTIALIAS_SIGMA = 0.6 * (1 / _ZOOM**2 - 1) ** 0.5
_LEAST_SIDE = 10
_WARPS = 5
_ITERATIONS = 30
_DATA_WEIGHT = 0.15
_TIGHTNESS = 0.3
_TIME_STEP = 0.25
_MEDIAN = 5
# A frame without structure has no contrast to match.
_LEAST_CONTRAST = 1.0
_SLOPE = np.array([[-0.5, 0, 0.5]], np.float32)


def estimate_flow(current: Picture, previous: Picture) -> Picture:
    """Estimate the backward flow (H x W x 2, px) between two grey pictures.

    Both are float32, H x W, in 0 to 255.
    """
    flow: Picture | None = None
    pyramid = zip(_build_pyramid(current), _build_pyramid(previous), strict=True)
    for now, before in reversed(list(pyramid)):
        start = (
            np.zeros((2, *now.shape), np.float32) if flow is None else _upsample(flow, now.shape)
        )
        flow = _refine(now, before, start)
    assert flow is not None
    return np.ascontiguousarray(np.moveaxis(flow, 0, -1))


def _build_pyramid(grey: Picture) -> list[Picture]:
    levels = [blur(grey, _GRAIN_SIGMA)]
    while min(levels[-1].shape) * _ZOOM >= _LEAST_SIDE:
        height, width = (round(side * _ZOOM) for side in levels[-1].shape)
        smooth = blur(levels[-1], _ANTIALIAS_SIGMA)
        small = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
        levels.append(np.asarray(small, np.float32))
    return levels


def _upsample(flow: Picture, shape: tuple[int, ...]) -> Picture:
    height, width = shape
    factors = width / flow.shape[2], height / flow.shape[1]
    return np.stack(
        [
            cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR) * np.float32(factor)
            for part, factor in zip(flow, factors, strict=True)
        ]
    )


def _refine(current: Picture, previous: Picture, flow: Picture) -> Picture:
    """Improve a flow, 2 x H x W, at one level of the pyramid."""
    height, width = current.shape
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    layers = (
        previous,
        cv2.filter2D(previous, -1, _SLOPE, borderType=cv2.BORDER_REPLICATE),
        cv2.filter2D(previous, -1, _SLOPE.T, borderType=cv2.BORDER_REPLICATE),
    )
    dual = np.zeros((2, 2, height, width), np.float32)
    for _ in range(_WARPS):
        at_x, at_y = x + flow[0], y + flow[1]
        moved, *slopes = (
            cv2.remap(layer, at_x, at_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            for layer in layers
        )
        seen = (at_x >= 0) & (at_x <= width - 1) & (at_y >= 0) & (at_y <= height - 1)
        gain, lift = _match_brightness(current, moved, seen)
        slope = np.stack(slopes) * gain
        rest = moved * gain + lift - current - (slope * flow).sum(0)
        flow = _minimise(flow, dual, slope, rest)
        flow = np.stack([cv2.medianBlur(part, _MEDIAN) for part in flow])
    return flow


def _match_brightness(
    current: Picture, moved: Picture, seen: NDArray[np.bool_]
) -> tuple[np.float32, np.float32]:
    """Return gain and lift that give ``moved`` the mean and deviation of ``current`` where seen."""
    if not seen.any():
        return np.float32(1), np.float32(0)
    now, then = current[seen], moved[seen]
    spread = max(float(then.std()), _LEAST_CONTRAST)
    gain = np.float32(max(float(now.std()), _LEAST_CONTRAST) / spread)
    return gain, np.float32(now.mean() - gain * then.mean())


def _minimise(flow: Picture, dual: Picture, slope: Picture, rest: Picture) -> Picture:
    """Alternate between the data term and the dual of the total variation; ``dual`` is updated.

    The data term's residual is ``rest + slope . flow``.
    """
    bound = np.float32(_DATA_WEIGHT * _TIGHTNESS)
    rate = np.float32(_TIME_STEP / _TIGHTNESS)
    flow, along_x, along_y = flow.copy(), dual[:, 0], dual[:, 1]
    pull = slope / -((slope**2).sum(0) + np.float32(1e-6))
    limit = bound * np.abs(slope)
    slope_x, slope_y = np.zeros_like(flow), np.zeros_like(flow)
    step, length = np.empty_like(flow), np.empty_like(flow)
    # In place throughout: at these sizes, allocating arrays takes longer than filling them.
    for _ in range(_ITERATIONS):
        np.multiply(slope, flow, out=step)
        residual = step[0] + step[1]
        residual += rest
        np.multiply(pull, residual, out=step)
        np.clip(step, -limit, limit, out=step)
        flow += step
        np.add(along_x, along_y, out=step)
        step[:, :, 1:] -= along_x[:, :, :-1]
        step[:, 1:] -= along_y[:, :-1]
        step *= _TIGHTNESS
        flow += step
        np.subtract(flow[:, :, 1:], flow[:, :, :-1], out=slope_x[:, :, :-1])
        np.subtract(flow[:, 1:], flow[:, :-1], out=slope_y[:, :-1])
        for part in range(2):
            cv2.magnitude(slope_x[part], slope_y[part], length[part])
        length *= rate
        length += 1
        for toward, gradient in ((along_x, slope_x), (along_y, slope_y)):
            np.multiply(gradient, rate, out=step)
            np.add(toward, step, out=toward)
            np.divide(toward, length, out=toward)
    return flow
