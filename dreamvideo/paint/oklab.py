"""Convert frames in [-1, 1] to OKLab and back, into the gamut of a screen.

Björn Ottosson, "A perceptual color space for image processing" (2020): L is lightness (0 black, 1
white), a goes from green to red and b from blue to yellow. Light adds up in linear space, so the
frames' transfer curve (sRGB's) is undone first.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]
Lab = NDArray[np.float32]

# Linear sRGB -> cone responses, their cube roots -> L, a, b.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_BACK_CONES, _BACK_LAB = np.linalg.inv(_CONES), np.linalg.inv(_LAB)
# Bisection steps that find the chroma a lightness can have: to 1/1000 of the wanted chroma.
_HALVINGS = 10
# Tolerance for rounding in colours that just fit; a larger one would be visible in dark areas.
_SLACK = 3e-6


def to_oklab(image: Frame) -> Lab:
    """Convert frames of any shape (..., 3) in [-1, 1] to (..., 3) L, a, b."""
    unit = np.clip((image + 1) / 2, 0, 1)
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(_multiply(linear, _CONES))
    return _multiply(cones, _LAB)


def from_oklab(lab: Lab) -> Frame:
    """Convert (..., 3) L, a, b to a frame in [-1, 1].

    A colour outside the gamut keeps its lightness and hue and loses as much chroma as needed:
    clipping its channels instead would change the lightness.
    """
    lab = np.stack([np.clip(lab[..., 0], 0, 1), lab[..., 1], lab[..., 2]], -1)
    linear = _linear(lab)
    beyond = ((linear < -_SLACK) | (linear > 1 + _SLACK)).any(-1)
    if beyond.any():
        linear[beyond] = _linear(_fit(lab[beyond]))
    unit = np.clip(linear, 0, 1)
    curved = np.where(unit <= 0.0031308, unit * 12.92, 1.055 * unit ** (1 / 2.4) - 0.055)
    return np.asarray(curved * 2 - 1, np.float32)


def chroma(lab: Lab) -> NDArray[np.float32]:
    """Return the chroma of each pixel, the length of (a, b); 0 = grey."""
    return np.hypot(lab[..., 1], lab[..., 2])


def _fit(lab: Lab) -> Lab:
    """Scale the chroma of N x 3 by the largest factor that fits the gamut, by bisection."""
    low, high = np.zeros(len(lab), np.float32), np.ones(len(lab), np.float32)
    for _ in range(_HALVINGS):
        middle = np.asarray((low + high) / 2, np.float32)
        linear = _linear(_fade(lab, middle))
        fits = ((linear >= -_SLACK) & (linear <= 1 + _SLACK)).all(-1)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return _fade(lab, low)


def _fade(lab: Lab, share: NDArray[np.float32]) -> Lab:
    return np.stack([lab[:, 0], lab[:, 1] * share, lab[:, 2] * share], -1)


def _linear(lab: Lab) -> NDArray[np.float32]:
    return _multiply(_multiply(lab, _BACK_LAB) ** 3, _BACK_CONES)


def _multiply(values: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Multiply each (..., 3) value by the matrix."""
    flat = np.ascontiguousarray(values.reshape(-1, 1, 3), np.float32)
    mixed: NDArray[np.float32] = cv2.transform(flat, matrix)
    return mixed.reshape(values.shape)
