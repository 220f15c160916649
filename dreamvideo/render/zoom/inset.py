"""A picture that emerges from the middle of a zoom until it fills the frame.

The target of a zoom is visible long before it is reached, as small as the camera makes it: the
Droste effect. So a loop closes, or a zoom ends on a photo, without a cross-fade that shows two
pictures at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import blur, smoothstep
from dreamvideo.motion.camera import Similarity
from dreamvideo.motion.warp import warp

Mask = NDArray[np.float32]

# The picture has full weight within the first share of its half width and height, none beyond the
# second.
FULL, GONE = 0.7, 0.95
# It starts to emerge at the first size and is fully visible when it has grown by the second number.
SMALLEST, EMERGED = 0.05, 0.12
# The start of a loop is at most this large, as a share of the frame, when it starts to emerge.
LARGEST_START = 0.15
# A picture that fills the frame in the end spreads beyond its own edges, mirrored, from this size
# on.
SPREADS = 0.6
SPREAD = 0.6


@dataclass(frozen=True)
class Inset:
    """``picture`` (H x W x 3) placed in a frame, and its weight ``mask`` (H x W)."""

    picture: Image
    mask: Mask

    def over(self, image: Image) -> Image:
        """Return ``image`` with the inset composited over it."""
        share = self.mask[..., None]
        laid: Image = image + share * (self.picture - image)
        return laid


def make_emerging_inset(
    picture: Image, transform: Similarity, smallest: float, *, spreads: bool
) -> Inset | None:
    """Place a picture in a frame that is on its way to that picture.

    Args:
        picture: H x W x 3.
        transform: From this frame to the one that the picture fills.
        smallest: Size, as a share of the frame, below which the picture is invisible.
        spreads: Whether it spreads beyond its own edges.

    Returns:
        The inset, or None while it is invisible.
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
    """Sample ``picture`` through ``transform``, low-passed where that shrinks it."""
    height, width = picture.shape[:2]
    if transform.growth > 1:
        sigma = 0.45 * (transform.growth**2 - 1) ** 0.5
        if sigma > 0.2:
            picture = blur(picture, sigma)
    return warp(picture, transform.inverse().flow(width, height), border="mirror")


def mask_inside(transform: Similarity, width: int, height: int, wider: float = 1.0) -> Mask:
    """Return the weight of a picture in each pixel of a frame, H x W: 1 inside, 0 outside.

    Args:
        transform: From the frame to the one that the picture fills.
        width: Width in pixels.
        height: Height in pixels.
        wider: How far the picture spreads beyond its edges, as a factor.
    """
    reach = measure_reach(transform, width, height)
    return smoothstep((GONE * wider - reach) / ((GONE - FULL) * wider))


def covers_frame(transform: Similarity, width: int, height: int) -> bool:
    """Return whether a picture that has grown beyond the frame has full weight everywhere.

    Args:
        transform: From the frame to the one that the picture filled.
        width: Width in pixels.
        height: Height in pixels.
    """
    points = np.array([[0, width - 1]]) + 1j * np.array([[0], [height - 1]])
    # The distance is convex: its maximum is at a corner.
    return (
        float(_measure_reach(transform.turn * points + transform.shift, width, height).max())
        <= FULL
    )


def measure_reach(transform: Similarity, width: int, height: int) -> Mask:
    """Return each pixel's distance from a picture's centre: 0 there, 1 at its nearest edge.

    Args:
        transform: From the frame to the one that the picture fills.
        width: Width in pixels.
        height: Height in pixels.
    """
    return _measure_reach(transform.goals(width, height), width, height)


def _measure_reach(goals: NDArray[np.complex128], width: int, height: int) -> Mask:
    across = np.abs(goals.real - (width - 1) / 2) / (width / 2)
    down = np.abs(goals.imag - (height - 1) / 2) / (height / 2)
    return np.maximum(across, down).astype(np.float32)
