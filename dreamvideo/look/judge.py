"""(two source frames) -> what moved where, as an estimator that did not render sees it.

A film must not be judged by the flow that it was made with: errors that both share would not
show. So the judge is dense inverse search with other patches, strides and refinement than the
renderer's, or, to cross-check, Farneback's polynomial expansion, refined variationally.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.motion.flow import arrivals
from dreamvideo.motion.warp import inside, warp

Frame = NDArray[np.float32]
Judge = Literal["dis", "farneback"]

_TOLERANCE = 0.25
_REFERENCE_WIDTH = 320
_UNLIKE = 0.04


@dataclass(frozen=True)
class Passage:
    """From one frame to a later one, on the later one's grid (H x W).

    ``flow`` (px) points back; ``visible`` is what both frames show; ``uncovered`` is what
    something in front hid in the earlier frame (and not what came in at the border).
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]
    uncovered: NDArray[np.bool_]


def known(flow: NDArray[np.float32], visible: NDArray[np.bool_]) -> Passage:
    """A passage whose backward flow (H x W x 2, px) and visibility (H x W) are known exactly."""
    hidden = (inside(flow) & ~visible).astype(np.uint8)
    # The rim of a moving thing mixes both surfaces and is neither's.
    return Passage(flow, visible, cv2.erode(hidden, np.ones((3, 3), np.uint8)) > 0)


def observed(current: Frame, previous: Frame, judge: Judge = "dis") -> Passage:
    """The judge's estimate between two source frames, H x W x 3 in [-1, 1].

    Visible is where the flow there and back meet: ``|wf' + wb|^2 < 0.01 (|wf'|^2 + |wb|^2) +
    0.25 px^2`` at 320 px width (Sundaram, Brox and Keutzer, ECCV 2010), less a pixel at its rim.
    Uncovered is where little of the previous frame arrives and the picture is like neither what
    stood there nor what the flow would have brought.
    """
    estimate = _dis if judge == "dis" else _farneback
    now, before = _grey(current), _grey(previous)
    backward, forward = estimate(now, before), estimate(before, now)
    back = warp(forward, backward, interpolation="linear")
    lengths = (back**2).sum(-1) + (backward**2).sum(-1)
    bound = 0.01 * lengths + _TOLERANCE * (current.shape[1] / _REFERENCE_WIDTH) ** 2
    there = inside(backward)
    agree = there & (((back + backward) ** 2).sum(-1) < bound)
    visible = cv2.erode(agree.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    brought = _unlike(current, warp(previous, backward, interpolation="linear"))
    strange = (brought > 3 * np.median(brought) + _UNLIKE) & (_unlike(current, previous) > _UNLIKE)
    uncovered = there & strange & (arrivals(forward) < 0.7)
    return Passage(backward, visible & ~uncovered, _opened(uncovered))


def onward(earlier: Passage, latest: Passage) -> Passage:
    """The passage over both: first ``earlier``, then ``latest`` (whose grid it lies on)."""
    flow = latest.flow + warp(earlier.flow, latest.flow, interpolation="linear")
    seen = warp(earlier.visible.astype(np.float32), latest.flow, interpolation="linear") > 0.99
    return Passage(flow, latest.visible & seen & inside(flow), np.zeros_like(latest.visible))


def _unlike(current: Frame, other: Frame) -> NDArray[np.float32]:
    difference = np.abs(current - other).mean(-1)
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), 1), np.float32)


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without what is thinner than 3 px, which errors of the flow leave along edges."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(opened > 0, np.bool_)


def _dis(current: NDArray[np.uint8], previous: NDArray[np.uint8]) -> NDArray[np.float32]:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(12)
    dis.setPatchStride(4)
    dis.setGradientDescentIterations(30)
    dis.setVariationalRefinementIterations(20)
    dis.setVariationalRefinementAlpha(40)
    dis.setVariationalRefinementGamma(20)
    return np.asarray(dis.calc(current, previous, None), np.float32)


def _farneback(current: NDArray[np.uint8], previous: NDArray[np.uint8]) -> NDArray[np.float32]:
    start = np.zeros((*current.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(current, previous, start, 0.5, 6, 13, 8, 5, 1.1, 0)
    refinement = cv2.VariationalRefinement.create()
    refinement.setFixedPointIterations(20)
    refinement.setSorIterations(10)
    return np.asarray(refinement.calc(current, previous, flow), np.float32)


def _grey(frame: Frame) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    levels: NDArray[np.uint8] = np.clip(np.rint((grey + 1) * 127.5), 0, 255).astype(np.uint8)
    return levels
