"""(current frame, previous frame) -> is this another shot?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.52
_SIZE = (160, 90)
_SIGMA = 4.0
_NOISE = 4.0
"""Contrast, in grey levels, below which a frame has no structure worth comparing."""


def is_cut(
    current: NDArray[np.float32], previous: NDArray[np.float32], threshold: float = THRESHOLD
) -> bool:
    """Whether a new shot begins with ``current``; both frames H x W x 3 in [-1, 1]."""
    return cut_score(current, previous) > threshold


def cut_score(current: NDArray[np.float32], previous: NDArray[np.float32]) -> float:
    """How little of the previous frame's structure is left: 0 = all of it, about 1 = none.

    1 - normalised correlation of the two frames, made small, grey, of equal local contrast, and
    the previous one moved along its optical flow. Brightness does not enter, so that a flash, a
    fade or a change of exposure is no cut; motion is undone, so that a fast pan is none either.
    """
    now, before = _small_grey(current), _small_grey(previous)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = dis.calc(_bytes(now), _bytes(before), None)
    x = flow[..., 0] + np.arange(_SIZE[0], dtype=np.float32)
    y = flow[..., 1] + np.arange(_SIZE[1], dtype=np.float32)[:, None]
    moved = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    a, b = _structure(now), _structure(moved)
    energies = float((a * a).mean()), float((b * b).mean())
    if max(energies) < 0.05:
        return 0.0
    return 1.0 - float((a * b).mean()) / max(float(np.sqrt(energies[0] * energies[1])), 1e-6)


def _structure(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    detail = grey - cv2.GaussianBlur(grey, (0, 0), _SIGMA)
    contrast = cv2.GaussianBlur(detail * detail, (0, 0), _SIGMA)
    normal: NDArray[np.float32] = detail / np.sqrt(contrast + _NOISE**2)
    return normal


def _small_grey(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    small = cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA)
    grey: NDArray[np.float32] = (cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) + 1) * np.float32(127.5)
    return grey


def _bytes(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return levels
