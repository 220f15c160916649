"""Room for a dream in pictures that are clipped: white and black give way a little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

# Black gives way by this share of what white does: shadows turn grey sooner than skies do.
SHADOWS = 0.4
# Tones are bent from this many times the room away from white or black on, which keeps their order.
KNEE = 3.0


def make_headroom(image: Image, amount: Image | float) -> Image:
    """A picture whose lightest and darkest tones leave room above and below them.

    A dream adds light and takes it away; where a sky is blown, only what takes it away could be
    seen. All three channels move by the same, so that hues stay.

    Args:
        image: H x W x 3 in [-1, 1].
        amount: How far white gives way, in the same units, 0 to 0.5; a number or H x W.

    Returns:
        H x W x 3 in [-1, 1]; ``image`` itself where ``amount`` is 0.
    """
    if not np.any(amount):
        return image
    # A number and a map of it give the same bits.
    amount = np.asarray(amount, np.float32)
    light = image.mean(-1)
    shift = _bend(-light, np.multiply(amount, SHADOWS)) - _bend(light, amount)
    moved = np.clip(image + shift[..., None], -1, 1)
    kept = np.broadcast_to(np.equal(amount, 0), light.shape)
    return np.asarray(np.where(kept[..., None], image, moved), np.float32)


def _bend(light: Image, room: Image | float) -> Image:
    """How far tones near 1 give way: 0 up to the knee, ``room`` at 1."""
    width = np.maximum(np.multiply(room, KNEE), 1e-6)
    above = np.clip((light - (1 - width)) / width, 0, 1)
    return np.asarray(room * above**2, np.float32)
