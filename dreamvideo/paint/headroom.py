"""Headroom for a dream in clipped pictures: white and black are compressed slightly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import average_channels, spread_channels

Image = NDArray[np.float32]

# Black moves by this share of what white does: shadows turn grey sooner than skies do.
SHADOWS = 0.4
# Tones are bent from this many times the headroom away from white or black, which keeps their
# order.
KNEE = 3.0


def make_headroom(image: Image, amount: Image | float) -> Image:
    """Compress the lightest and darkest tones of a picture to leave room above and below them.

    A dream both adds and removes light; where a sky is blown out, only the removal would be
    visible. All three channels move by the same amount, so that hues stay.

    Args:
        image: H x W x 3 in [-1, 1].
        amount: How far white is lowered, in the same units, 0 to 0.5; a number or H x W.

    Returns:
        H x W x 3 in [-1, 1]; ``image`` itself where ``amount`` is 0.
    """
    if not np.any(amount):
        return image
    # A number and a constant map give the same bits.
    amount = np.asarray(amount, np.float32)
    light = average_channels(image)
    shift = _bend(-light, np.multiply(amount, SHADOWS)) - _bend(light, amount)
    moved = image + spread_channels(shift)
    np.clip(moved, -1, 1, out=moved)
    kept = np.broadcast_to(np.equal(amount, 0), light.shape)
    if kept.any():
        moved[kept] = image[kept]
    return moved


def _bend(light: Image, room: Image | float) -> Image:
    """Return how far tones near 1 are lowered: 0 up to the knee, ``room`` at 1."""
    width = np.maximum(np.multiply(room, KNEE), 1e-6)
    above = np.clip((light - (1 - width)) / width, 0, 1)
    return np.asarray(room * above**2, np.float32)
