"""Detect cuts: (current frame, previous frame) -> whether a new shot starts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import blur, to_grey, to_levels
from dreamvideo.motion.warp import inside, warp

THRESHOLD = 0.52
_SIZE = (160, 90)
_GRAIN_SIGMA = 1.0
_SIGMA = 4.0
_NOISE = 3.0
"""Grey levels: contrast that counts as structure, well above grain at this size."""
_FLAT = 0.05
_PLAIN_CUT_CONTRAST = 32.0


def is_cut(
    current: NDArray[np.float32], previous: NDArray[np.float32], threshold: float = THRESHOLD
) -> bool:
    """Return whether ``current`` starts a new shot.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        threshold: The ``cut_score`` above which it does.
    """
    return cut_score(current, previous, enough=threshold) > threshold


def cut_score(
    current: NDArray[np.float32], previous: NDArray[np.float32], enough: float = 0.0
) -> float:
    """Return how little of the previous frame's structure is left: 0 = all of it, about 1 = none.

    The score is 1 - normalised correlation of the two frames, made small, grey and of equal local
    contrast, with the previous one warped along the optical flow. Brightness is ignored, so a
    flash, a fade or a change of exposure is not a cut; motion is undone, so a fast pan is not one
    either. Next to a frame without structure (black, white) the other one's contrast decides: a
    fade from black is gradual, a new shot is not.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        enough: A score of this or less need not be refined any further.
    """
    now, before = _small_grey(current), _small_grey(previous)
    a, b = _structure(now), _structure(before)
    if min(float((a * a).mean()), float((b * b).mean())) < _FLAT:
        return min(1.0, max(float(now.std()), float(before.std())) / _PLAIN_CUT_CONTRAST)
    score = _mismatch(now, before, a, None)
    return score if score <= enough else min(score, _mismatch(now, before, a, _shift(a, b)))


def _mismatch(
    now: NDArray[np.float32],
    before: NDArray[np.float32],
    structure: NDArray[np.float32],
    start: NDArray[np.float32] | None,
) -> float:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = dis.calc(_bytes(now), _bytes(before), start)
    seen = inside(flow)
    if seen.mean() < 0.5:
        return 1.0
    a = structure[seen]
    b = _structure(warp(before, flow, interpolation="linear"))[seen]
    return 1.0 - float((a * b).mean()) / max(float(np.sqrt((a * a).mean() * (b * b).mean())), 1e-6)


def _shift(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one shift for the whole frame as a flow: the starting point for a whip pan."""
    window = cv2.createHanningWindow(_SIZE, cv2.CV_32F)
    # OpenCV applies the window to its inputs in place.
    (dx, dy), _ = cv2.phaseCorrelate(a.copy(), b.copy(), window)
    return np.full((*a.shape, 2), (dx, dy), np.float32)


def _structure(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    detail = grey - blur(grey, _SIGMA)
    contrast = blur(detail * detail, _SIGMA)
    normal: NDArray[np.float32] = detail / np.sqrt(contrast + _NOISE**2)
    return normal


def _small_grey(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    small = cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA)
    return blur(to_levels(to_grey(small)), _GRAIN_SIGMA)


def _bytes(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return levels
