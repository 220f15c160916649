"""A picture's palette as a few numbers, and matching of another picture to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.paint.oklab import Lab

Matrix = NDArray[np.float64]

# Limit the gain on colours that hardly vary: amplified to another picture's variety, their noise
# would show.
MOST_GAIN = 3.0
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Palette:
    """A picture's colours in OKLab: their mean (L, a, b), and variances (L, a, ab, b).

    ``ab`` is the covariance of a and b. Plain numbers, so that a manifest can hold it as JSON.
    """

    mean: tuple[float, float, float]
    spread: tuple[float, float, float, float]

    @classmethod
    def of(cls, lab: Lab, weight: NDArray[np.float32] | None = None) -> Palette:
        """Measure H x W x 3 in OKLab; ``weight`` (H x W) is how much each pixel counts."""
        flat = lab.reshape(-1, 3).astype(np.float64)
        counts = np.ones(len(flat)) if weight is None else weight.ravel().astype(np.float64)
        total = max(float(counts.sum()), 1e-9)
        middle = counts @ flat / total
        off = flat - middle
        varied = ((off * counts[:, None]).T @ off / total).tolist()
        light, a, b = middle.tolist()
        return cls((light, a, b), (varied[0][0], varied[1][1], varied[1][2], varied[2][2]))

    def covariance(self, correlated: bool) -> Matrix:
        """Return the 3 x 3 covariance; only a and b can be correlated, if ``correlated``."""
        light, a, ab, b = self.spread
        ab = ab if correlated else 0.0
        return np.array([[light, 0, 0], [0, a, ab], [0, ab, b]])


def match_palette(lab: Lab, own: Palette, wanted: Palette, strength: float, *, turns: bool) -> Lab:
    """Match a picture's palette to another.

    Mean and deviation are matched for L, a and b each. With ``turns`` the direction in which hues
    vary is matched too, by the linear map that moves colours least (Pitie and Kokaram, "The linear
    Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP 2007): it
    transfers a foreign palette, but would tint the whites of a picture's own.

    Args:
        lab: H x W x 3 in OKLab.
        own: Its palette.
        wanted: The palette to match.
        strength: 0 not at all, 1 fully.
        turns: Whether to match the direction of hues.
    """
    before, after = own.covariance(turns), wanted.covariance(turns)
    root, inverse = _power(before, 0.5), _power(before, -0.5)
    values, axes = np.linalg.eigh(inverse @ _power(root @ after @ root, 0.5) @ inverse)
    gain = (axes * np.clip(values, 0, MOST_GAIN)) @ axes.T
    off = (lab - np.asarray(own.mean, np.float32)) @ gain.astype(np.float32)
    moved = off + np.asarray(wanted.mean, np.float32)
    return np.asarray(lab + np.float32(strength) * (moved - lab), np.float32)


def _power(matrix: Matrix, exponent: float) -> Matrix:
    values, axes = np.linalg.eigh(matrix)
    return np.asarray((axes * np.maximum(values, LEAST_VARIANCE) ** exponent) @ axes.T)
