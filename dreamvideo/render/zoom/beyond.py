"""What lies beyond the edges: the first dream, folded out over the whole plane.

A thin strip mirrored at the edge, frame after frame, would draw one line of the picture out into
endless stripes. Here each strip shows another part of the first dream, and they fit together: a
camera that zooms out sees it mirrored in its distance from the middle, one that pans sees it as
tiles, mirrored side to side.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.ascent import Image
from dreamvideo.motion.camera import Move
from dreamvideo.motion.warp import inside, warp

# Zooming out, the picture is mirrored between its edge and this share of the way to its middle.
DEPTH = 0.6
# Old ground gives way to new within about this many pixels.
FEATHER = 1.5


def extended(image: Image, flow: NDArray[np.float32], dream: Image, until: Move) -> Image:
    """``image`` (H x W x 3), moved by ``flow``, with what lies beyond where its ground is new.

    ``until`` is all that the camera did since it showed ``dream``.
    """
    outside = ~inside(flow)
    if not outside.any():
        return image
    new = cv2.GaussianBlur(outside.astype(np.float32), (0, 0), FEATHER)
    share = np.clip(2 * new, 0, 1)[..., None]
    filled: Image = image + share * (ground_beyond(dream, until) - image)
    return filled


def ground_beyond(dream: Image, until: Move) -> Image:
    """The folded ``dream`` as a camera sees it that has done ``until``: H x W x 3."""
    height, width = dream.shape[:2]
    middle = complex((width - 1) / 2, (height - 1) / 2)
    points = np.arange(width) + 1j * np.arange(height)[:, None] - middle
    reach = np.maximum(np.abs(points.real) / (width / 2), np.abs(points.imag) / (height / 2))
    turned = points * abs(until.turn) / until.turn
    if until.growth < 1:
        travelled = np.log(np.maximum(reach, 0.1)) - math.log(until.growth)
        turned *= (1 - _to_and_fro(travelled, DEPTH)) / np.maximum(reach, 0.1)
    # Where the middle of the first view went, undone at the present scale: how far it panned.
    panned = middle - (until.turn * middle + until.shift)
    goals = turned + middle + panned * abs(until.turn) / until.turn
    across, down = _to_and_fro(goals.real, width - 1), _to_and_fro(goals.imag, height - 1)
    rows: NDArray[np.int64] = np.arange(height)[:, None]
    flow = np.stack([across - np.arange(width), down - rows], -1).astype(np.float32)
    return warp(dream, flow, border="mirror")


def _to_and_fro(value: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """From 0 to ``most`` and back, again and again: mirrored tiles."""
    return np.asarray(most - np.abs(np.mod(value, 2 * most) - most))
