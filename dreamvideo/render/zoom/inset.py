"""A picture that emerges from the middle of a zoom until it is the whole of it.

What a zoom arrives at is there long before, as small as the camera says: the Droste effect. So a
loop closes, or a zoom ends on a photo, without a fade in which two pictures are seen at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.motion.camera import Similarity
from dreamvideo.motion.warp import warp

Mask = NDArray[np.float32]

# The picture counts in full within this share of its half width and height, not at all beyond
# the second.
FULL, GONE = 0.7, 0.95
# It emerges where it is this large, and is all there when it has grown by the second number.
SMALLEST, EMERGED = 0.05, 0.12
# A loop's beginning is no larger than this, as a share of the frame, where it starts to emerge.
LARGEST_START = 0.15
# A picture that is to fill the frame in the end spreads beyond its own edges, mirrored, from when
# it is this large.
SPREADS = 0.6
SPREAD = 0.6


@dataclass(frozen=True)
class Inset:
    """``picture`` (H x W x 3) as it is placed in a frame, and how much it counts (H x W)."""

    picture: Image
    mask: Mask

    def over(self, image: Image) -> Image:
        """``image`` with the inset laid over it."""
        share = self.mask[..., None]
        laid: Image = image + share * (self.picture - image)
        return laid


def make_emerging_inset(
    picture: Image, transform: Similarity, smallest: float, *, spreads: bool
) -> Inset | None:
    """A picture as it lies in a frame that ``transform`` will bring to where it is the whole.

    ``smallest`` is its size, as a share of the frame's, up to which it is not seen at all: None.
    """
    size = 1 / transform.growth
    shown = float(smoothstep((size - smallest) / min(EMERGED, (1 - smallest) / 2)))
    if shown <= 0:
        return None
    wider = 1.0
    if spreads:
        wider += SPREAD * float(smoothstep((size - SPREADS) / (1 - SPREADS)))
    height, width = picture.shape[:2]
    mask = np.float32(shown) * mask_inside(transform, width, height, wider)
    return Inset(place_picture(picture, transform), mask)


def place_picture(picture: Image, transform: Similarity) -> Image:
    """``picture`` sampled through ``transform``, low-passed as far as that shrinks it."""
    height, width = picture.shape[:2]
    if transform.growth > 1:
        sigma = 0.45 * (transform.growth**2 - 1) ** 0.5
        if sigma > 0.2:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    return warp(picture, transform.inverse().flow(width, height), border="mirror")


def mask_inside(transform: Similarity, width: int, height: int, wider: float = 1.0) -> Mask:
    """How far each pixel belongs to the picture that ``transform`` makes the whole: 1 inside."""
    reach = measure_reach(transform, width, height)
    return smoothstep((GONE * wider - reach) / ((GONE - FULL) * wider))


def covers_frame(transform: Similarity, width: int, height: int) -> bool:
    """Whether a picture that was the whole, and has grown since, counts in full everywhere."""
    points = np.array([[0, width - 1]]) + 1j * np.array([[0], [height - 1]])
    # A reach is convex: the largest one is that of a corner.
    return (
        float(_measure_reach(transform.turn * points + transform.shift, width, height).max())
        <= FULL
    )


def measure_reach(transform: Similarity, width: int, height: int) -> Mask:
    """How far out in the picture each pixel lies: 0 its centre, 1 its nearest edge."""
    return _measure_reach(transform.goals(width, height), width, height)


def _measure_reach(goals: NDArray[np.complex128], width: int, height: int) -> Mask:
    across = np.abs(goals.real - (width - 1) / 2) / (width / 2)
    down = np.abs(goals.imag - (height - 1) / 2) / (height / 2)
    return np.maximum(across, down).astype(np.float32)


def smoothstep(share: float | Mask) -> Mask:
    """0 below 0, 1 above 1, ``3 x^2 - 2 x^3`` between."""
    within_range = np.clip(share, 0, 1)
    return np.asarray(within_range**2 * (3 - 2 * within_range), np.float32)
