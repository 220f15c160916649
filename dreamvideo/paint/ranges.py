"""Masks from a range of brightness or hue of the source: H x W in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import blur, smoothstep

Map = NDArray[np.float32]
Frame = NDArray[np.float32]

# Grain must not speckle a map: frames are first smoothed by this many frame widths.
SMOOTHING = 0.005
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
# Soft edges beyond the ends of the range: in luma (0 to 1), and in degrees.
SOFT_LIGHT, SOFT_HUE = 0.08, 15.0
# Difference of the largest and smallest channel (0 to 1) up to which a pixel has no hue, and from
# which it has one.
GREY, COLOURED = 0.08, 0.16


def match_brightness(source: Frame, low: float, high: float) -> Map:
    """Return where the source's luma (BT.709, 0 black, 1 white) is in a range: H x W in [0, 1].

    Args:
        source: H x W x 3 in [-1, 1].
        low: Least luma.
        high: Largest luma.
    """
    light = (_smooth(source) @ LUMA + 1) / 2
    beyond = np.maximum(low - light, light - high) / np.float32(SOFT_LIGHT)
    return smoothstep(1 - beyond)


def match_hue(source: Frame, low: float, high: float) -> Map:
    """Return where the source's hue is in a range: H x W in [0, 1].

    Hue is in degrees: 0 red, 120 green, 240 blue. The range goes upwards, through 0: 330 to 30 is
    red. What is nearly grey has no hue.

    Args:
        source: H x W x 3 in [-1, 1].
        low: Start of the range in degrees.
        high: End of the range in degrees.
    """
    unit = (_smooth(source) + 1) / 2
    hue = cv2.cvtColor(np.clip(unit, 0, 1), cv2.COLOR_RGB2HSV)[..., 0]
    half = ((high - low) % 360 or 360 * (high != low)) / 2
    off = np.abs((hue - low - half + 180) % 360 - 180) - half
    colour = (unit.max(-1) - unit.min(-1) - GREY) / np.float32(COLOURED - GREY)
    return smoothstep(1 - off / SOFT_HUE) * smoothstep(colour)


def _smooth(source: Frame) -> Frame:
    return blur(source, SMOOTHING * source.shape[1])
