"""The colours of a picture as a few numbers, and another picture given the same colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.paint.oklab import Lab

# Colours that hardly vary are not blown up to another picture's variety: their noise would show.
MOST_GAIN = 3.0
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Palette:
    """Mean (L, a, b) and covariance (LL, La, Lb, aa, ab, bb) of a picture's colours in OKLab.

    Plain numbers, so that a manifest can hold it as JSON.
    """

    mean: tuple[float, ...]
    covariance: tuple[float, ...]

    @classmethod
    def of(cls, lab: Lab, weight: NDArray[np.float32] | None = None) -> Palette:
        """Of H x W x 3 in OKLab, where ``weight`` (H x W) says how much a pixel counts."""
        flat = lab.reshape(-1, 3).astype(np.float64)
        counts = np.ones(len(flat)) if weight is None else weight.ravel().astype(np.float64)
        total = max(float(counts.sum()), 1e-9)
        mean = counts @ flat / total
        off = flat - mean
        spread = (off * counts[:, None]).T @ off / total
        return cls(tuple(mean.tolist()), tuple(spread[np.triu_indices(3)].tolist()))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The covariance as 3 x 3."""
        matrix = np.zeros((3, 3))
        matrix[np.triu_indices(3)] = self.covariance
        return np.asarray(matrix + np.triu(matrix, 1).T)


def matched(lab: Lab, own: Palette, wanted: Palette, strength: float) -> Lab:
    """``lab``, whose palette is ``own``, given the mean and covariance ``wanted``.

    The linear map that moves colours least (Pitie and Kokaram, "The linear Monge-Kantorovitch
    linear colour mapping", CVMP 2007), by ``strength``: 0 not at all, 1 fully.
    """
    root, inverse = _root(own.matrix, 0.5), _root(own.matrix, -0.5)
    turn = inverse @ _root(root @ wanted.matrix @ root, 0.5) @ inverse
    values, axes = np.linalg.eigh(turn)
    turn = (axes * np.clip(values, 0, MOST_GAIN)) @ axes.T
    before, after = (np.asarray(each.mean, np.float32) for each in (own, wanted))
    moved = (lab - before) @ turn.T.astype(np.float32) + after
    return np.asarray(lab + np.float32(strength) * (moved - lab), np.float32)


def _root(matrix: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    values, axes = np.linalg.eigh(matrix)
    return np.asarray((axes * np.maximum(values, LEAST_VARIANCE) ** power) @ axes.T)
