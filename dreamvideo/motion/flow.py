"""Optical flow between frames: where each pixel came from, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.motion.warp import inside, warp

Quality = Literal["fast", "medium", "fine"]

MAX_WIDTH = 640
_MIN_SIDE = 32
_REFERENCE_WIDTH = 320
_GRAIN_SIGMA = 0.7
"""Removes a quarter of the error that grain causes and costs clean pictures nothing."""


@dataclass(frozen=True)
class Motion:
    """Backward flow (H x W x 2, px, current -> previous) and confidence (H x W, in [0, 1])."""

    flow: NDArray[np.float32]
    confidence: NDArray[np.float32]


def no_motion(shape: tuple[int, ...]) -> Motion:
    """Return the motion of a first frame or a cut: nothing of the previous frame can be trusted."""
    height, width = shape[:2]
    return Motion(np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32))


def motion_between(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    *,
    quality: Quality = "fine",
    max_width: int = MAX_WIDTH,
) -> Motion:
    """Estimate the backward flow between two frames, and its confidence.

    A repeated frame has exactly zero flow and confidence 1. Safe to call from several threads, and
    the result is the same on any number of cores.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        quality: Quality of the backward flow; the forward flow, which only serves as a check, is at
            most ``medium``.
        max_width: Largest width in pixels to estimate at; the result is scaled up.
    """
    if np.array_equal(current, previous):
        return _stillness(current.shape)
    witness: Quality = "medium" if quality == "fine" else quality
    now, before = _small(current, max_width), _small(previous, max_width)
    backward, forward = _dis(now, before, quality), _dis(before, now, witness)
    return _motion(now, before, backward, forward, current.shape)


def motions_between(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    *,
    quality: Quality = "fine",
    max_width: int = MAX_WIDTH,
) -> tuple[Motion, Motion]:
    """Estimate motion in both directions: ``motion_between``, and its reverse.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        quality: Quality of both flows.
        max_width: Largest width in pixels to estimate at.
    """
    if np.array_equal(current, previous):
        return _stillness(current.shape), _stillness(current.shape)
    now, before = _small(current, max_width), _small(previous, max_width)
    backward, forward = _dis(now, before, quality), _dis(before, now, quality)
    shape = current.shape
    return (
        _motion(now, before, backward, forward, shape),
        _motion(before, now, forward, backward, shape),
    )


def chain_motions(latest: Motion, earlier: Motion) -> Motion:
    """Chain two motions: ``latest`` to a frame, and ``earlier`` from there."""
    flow = latest.flow + warp(earlier.flow, latest.flow, interpolation="linear")
    trust = latest.confidence * warp(earlier.confidence, latest.flow, interpolation="linear")
    trust[~inside(flow)] = 0
    return Motion(flow, trust)


def _stillness(shape: tuple[int, ...]) -> Motion:
    still = no_motion(shape)
    return Motion(still.flow, np.ones_like(still.confidence))


def _small(frame: NDArray[np.float32], max_width: int) -> NDArray[np.float32]:
    """Shrink a frame to the size at which flow is estimated."""
    return _resized(frame, _working_size(frame.shape, max_width))


def _motion(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    backward: NDArray[np.float32],
    forward: NDArray[np.float32],
    shape: tuple[int, ...],
) -> Motion:
    trust = estimate_confidence(current, previous, backward, forward)
    return Motion(_flow_at(backward, shape), _confidence_at(trust, shape))


def estimate(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    *,
    quality: Quality = "fine",
    max_width: int = MAX_WIDTH,
) -> NDArray[np.float32]:
    """Estimate the backward flow, H x W x 2 in pixels, current -> previous.

    Dense inverse search (Kroeger et al., ECCV 2016) on grey frames.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        quality: ``fine`` refines variationally at full scale; ``medium`` and ``fast`` are OpenCV's
            presets at about a third and a tenth of its time, and 1.7 and 2.3 times its error.
        max_width: Largest width in pixels to estimate at.
    """
    size = _working_size(current.shape, max_width)
    flow = _dis(_resized(current, size), _resized(previous, size), quality)
    return _flow_at(flow, current.shape)


def estimate_confidence(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    backward: NDArray[np.float32],
    forward: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Estimate how far ``backward`` can be trusted at each pixel: H x W, 1 = fully, 0 = not at all.

    Combines three graded checks: the forward flow leads back to the pixel (relative form of
    Sundaram, Brox and Keutzer, ECCV 2010); the warped previous frame looks the same (discounting a
    change of brightness of the whole frame); and something of the previous frame arrives there at
    all. What lies outside the previous frame has confidence 0. Blurs and thresholds are those of a
    frame 320 px wide and scale with the width.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        backward: H x W x 2, px, current -> previous.
        forward: H x W x 2, px, previous -> current.
    """
    scale = current.shape[1] / _REFERENCE_WIDTH
    back = warp(forward, backward, interpolation="linear")
    lengths = _squared(back) + _squared(backward)
    mismatch = _squared(back + backward) / (0.01 * lengths + 0.5 * scale**2)
    difference = _difference(current, warp(previous, backward, interpolation="linear"), mismatch)
    change = _blur(difference, scale) / 0.2
    doubt = np.maximum(np.minimum(mismatch / 4, 1.5) / 2 + change / 2, change)
    trust = np.minimum(np.clip(1.5 - doubt, 0, 1), np.clip((arrivals(forward) - 0.3) / 0.4, 0, 1))
    trust[~inside(backward)] = 0
    return np.clip(_blur(trust, scale), 0, 1)


def _difference(
    current: NDArray[np.float32], moved: NDArray[np.float32], mismatch: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the mean absolute difference of the channels after matching the brightness."""
    settled = mismatch < 1
    if settled.mean() > 0.1:
        (level, spread), (wanted, spread_wanted) = (
            _levels(moved, settled),
            _levels(current, settled),
        )
        gain = np.float32(np.clip(spread_wanted / max(spread, 1e-3), 0.25, 4))
        moved = (moved - np.float32(level)) * gain + np.float32(wanted)
    red, green, blue = cv2.split(cv2.absdiff(current, moved))
    result: NDArray[np.float32] = (red + green + blue) / 3
    return result


def _levels(image: NDArray[np.float32], where: NDArray[np.bool_]) -> tuple[float, float]:
    """Return mean and deviation of all values of H x W x 3 within a mask."""
    means, deviations = cv2.meanStdDev(image, mask=where.view(np.uint8))
    mean = float(means.mean())
    return mean, float(np.sqrt(max(0.0, (deviations**2 + means**2).mean() - mean**2)))


def _squared(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return squared lengths: H x W of H x W x 2."""
    x, y = vectors[..., 0], vectors[..., 1]
    length: NDArray[np.float32] = x * x + y * y
    return length


def arrivals(forward: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how many pixels of the previous frame land on each current one (bilinear)."""
    height, width = forward.shape[:2]
    # A border of one pixel collects what lands outside; further out a pixel has no effect.
    x = np.clip(forward[..., 0] + np.arange(1, width + 1, dtype=np.float32), 0, width + 0.999)
    y = np.clip(
        forward[..., 1] + np.arange(1, height + 1, dtype=np.float32)[:, None], 0, height + 0.999
    )
    left, top = x.astype(np.intp), y.astype(np.intp)
    share_x, share_y = x - left, y - top
    row = width + 2
    corner = (top * row + left).ravel()
    total = np.zeros((height + 2) * row)
    for step, share in (
        (0, (1 - share_x) * (1 - share_y)),
        (1, share_x * (1 - share_y)),
        (row, (1 - share_x) * share_y),
        (row + 1, share_x * share_y),
    ):
        total += np.bincount(corner + step, share.ravel(), total.size)
    return total.reshape(height + 2, row)[1:-1, 1:-1].astype(np.float32)


def _dis(
    current: NDArray[np.float32], previous: NDArray[np.float32], quality: Quality
) -> NDArray[np.float32]:
    # A DIS object holds buffers, so threads must not share one; creating one takes microseconds.
    if quality == "fast":
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    else:
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if quality == "fine":
        dis.setFinestScale(0)
        # Saves a fifth of the time for a thirtieth more error.
        dis.setPatchStride(4)
        dis.setVariationalRefinementAlpha(60)
        dis.setVariationalRefinementIterations(10)
    flow: NDArray[np.float32] = dis.calc(_grey(current), _grey(previous), None)
    return flow


def _grey(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = _blur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), _GRAIN_SIGMA)
    levels: NDArray[np.uint8] = np.clip(np.rint((grey + 1) * 127.5), 0, 255).astype(np.uint8)
    return levels


def _working_size(shape: tuple[int, ...], max_width: int) -> tuple[int, int]:
    """Return (width, height) to estimate at: narrow enough to be fast, large enough for DIS."""
    height, width = shape[:2]
    shrink = min(1.0, max_width / width)
    return max(_MIN_SIDE, round(width * shrink)), max(_MIN_SIDE, round(height * shrink))


def _resized(frame: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if frame.shape[1::-1] == size:
        return frame
    small: NDArray[np.float32] = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return small


def _flow_at(flow: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    height, width = shape[:2]
    if flow.shape[:2] == (height, width):
        return flow
    factors = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    wide: NDArray[np.float32] = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    return wide * factors


def _confidence_at(trust: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    wide: NDArray[np.float32] = cv2.resize(
        trust, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return wide


def _blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    blurred: NDArray[np.float32] = cv2.GaussianBlur(image, (0, 0), sigma)
    return blurred
