"""Motion between two source frames, from an estimator that the renderer does not use.

A film must not be judged by the flow that it was made with: errors that both share would be
invisible, and a film flickers most where its flow fails. The renderer searches patches (DIS); here
the flow of the whole picture is found at once (TV-L1). Compared with exactly known motion it gives
what a dream adds to the error to within 20 %; another DIS with stricter visibility saw only a third
to two thirds of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import REFERENCE_WIDTH, blur, to_grey, to_levels
from dreamvideo.metrics.tvl1 import estimate_flow
from dreamvideo.motion.flow import arrivals
from dreamvideo.motion.warp import inside, warp

Frame = NDArray[np.float32]

_TOLERANCE = 0.5
_UNLIKE = 0.04
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class Correspondence:
    """From one frame to a later one, on the later one's grid (H x W).

    Attributes:
        flow: H x W x 2, px, backward.
        visible: What both frames show.
        uncovered: What something in front hid in the earlier frame, without what came in at the
            border.
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]
    uncovered: NDArray[np.bool_]


def make_known_correspondence(
    flow: NDArray[np.float32], visible: NDArray[np.bool_]
) -> Correspondence:
    """Return the correspondence for a known backward flow (H x W x 2, px) and visibility."""
    hidden = (inside(flow) & ~visible).astype(np.uint8)
    # The rim of a moving thing mixes both surfaces and belongs to neither.
    return Correspondence(flow, visible, cv2.erode(hidden, np.ones((3, 3), np.uint8)) > 0)


def estimate_correspondence(current: Frame, previous: Frame) -> Correspondence:
    """Estimate the correspondence between two source frames, H x W x 3 in [-1, 1].

    Visible is where the backward and forward flow agree: ``|wf' + wb|^2 < 0.01 (|wf'|^2 + |wb|^2) +
    0.5 px^2`` at 320 px width (Sundaram, Brox and Keutzer, ECCV 2010), without the pixels next to
    where they do not, because the rim of a moving thing mixes both surfaces. Uncovered is where
    little of the previous frame arrives and the picture resembles neither what was there before nor
    what the flow would have brought.
    """
    now, before = to_levels(to_grey(current)), to_levels(to_grey(previous))
    backward, forward = estimate_flow(now, before), estimate_flow(before, now)
    back = warp(forward, backward, interpolation="linear")
    lengths = (back**2).sum(-1) + (backward**2).sum(-1)
    bound = 0.01 * lengths + _TOLERANCE * (current.shape[1] / REFERENCE_WIDTH) ** 2
    there = inside(backward)
    agree = there & (((back + backward) ** 2).sum(-1) < bound)
    visible = cv2.erode(agree.astype(np.uint8), _CROSS) > 0
    brought = _measure_difference(current, warp(previous, backward, interpolation="linear"))
    strange = (brought > 3 * np.median(brought) + _UNLIKE) & (
        _measure_difference(current, previous) > _UNLIKE
    )
    uncovered = there & strange & (arrivals(forward) < 0.7)
    return Correspondence(backward, visible & ~uncovered, _open_mask(uncovered))


def chain_correspondences(earlier: Correspondence, latest: Correspondence) -> Correspondence:
    """Chain both: first ``earlier``, then ``latest`` (whose grid the result lies on)."""
    flow = latest.flow + warp(earlier.flow, latest.flow, interpolation="linear")
    seen = warp(earlier.visible.astype(np.float32), latest.flow, interpolation="linear") > 0.99
    visible = latest.visible & seen & inside(flow)
    return Correspondence(flow, visible, np.zeros_like(latest.visible))


def _measure_difference(current: Frame, other: Frame) -> NDArray[np.float32]:
    return blur(np.abs(current - other).mean(-1), 1)


def _open_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove what is thinner than 3 px, which errors of the flow leave along edges."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(opened > 0, np.bool_)
