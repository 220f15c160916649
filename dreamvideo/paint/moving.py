"""Measure how fast each thing moves by itself, with the camera's motion removed.

Flow is trusted where there is texture: a plain sky that a pan crosses has none, and takes the value
of its surroundings.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import REFERENCE_WIDTH, blur, to_grey
from dreamvideo.motion.flow import Motion

Map = NDArray[np.float32]
Frame = NDArray[np.float32]

# Radii in frame widths: of a pixel's structure, and of the neighbourhood that stands in for it.
STRUCTURE_SIGMA = 0.004
NEIGHBOURHOOD_SIGMA = 0.015
# Squared slope of grey (in [-1, 1], per px of a frame 320 wide) at which structure has weight 1/2.
ENOUGH_STRUCTURE = 1e-3
# Weight of "it stays", which is all that is left where there is no texture.
DOUBT = 0.02
# Least confidence that counts: what was just uncovered is judged by its surroundings.
LEAST_CONFIDENCE = 0.05
# The camera's motion is fitted to every Nth pixel of a frame 320 wide, in this many rounds.
STRIDE = 8
ROUNDS = 10


def measure_own_speed(source: Frame, motion: Motion, seconds: float) -> Map:
    """Return how fast things move by themselves, in frame widths per second: H x W, 0 or more.

    Speeds are means over a small neighbourhood, weighted by texture.

    Args:
        source: The frame, H x W x 3 in [-1, 1].
        motion: Its motion since the frame before.
        seconds: Time between the two.
    """
    width = source.shape[1]
    weight = _structure(source) * np.maximum(motion.confidence, np.float32(LEAST_CONFIDENCE))
    drift = motion.flow - estimate_camera_drift(motion.flow, weight)
    pixels = np.hypot(drift[..., 0], drift[..., 1])
    sigma = max(NEIGHBOURHOOD_SIGMA * width, 0.5)
    moved = blur(weight * pixels, sigma)
    seen = blur(weight, sigma) + np.float32(DOUBT)
    return np.asarray(moved / seen / np.float32(width * seconds), np.float32)


def estimate_camera_drift(flow: NDArray[np.float32], weight: Map) -> NDArray[np.float32]:
    """Fit the flow (H x W x 2, px) that most of the picture has in common: an affine motion.

    Least squares weighted by ``weight`` (H x W) and, iteratively, by how well each pixel fits
    (Cauchy's weights), starting from the median of the half with more weight.
    """
    height, width = flow.shape[:2]
    stride = max(1, STRIDE * width // REFERENCE_WIDTH)
    rows, columns = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride]
    found = flow[rows, columns].reshape(-1, 2).astype(np.float64)
    trust = weight[rows, columns].ravel().astype(np.float64) + 1e-3
    terms = _affine(columns.ravel() / width - 0.5, rows.ravel() / width - 0.5 * height / width)
    fit = np.zeros((3, 2))
    fit[0] = np.median(found[trust >= np.median(trust)], axis=0)
    for _ in range(ROUNDS):
        miss = np.hypot(*(found - terms @ fit).T)
        typical = max(float(np.median(miss)), 0.05 * width / REFERENCE_WIDTH)
        counts = np.sqrt(trust / (1 + (miss / typical) ** 2))[:, None]
        fit = np.linalg.lstsq(counts * terms, counts * found, rcond=None)[0]
    x = np.arange(width, dtype=np.float32) / width - 0.5
    y = (np.arange(height, dtype=np.float32)[:, None] - 0.5 * height) / width
    constant, across, down = fit.astype(np.float32)
    return np.asarray(constant + x[None, :, None] * across + y[..., None] * down, np.float32)


def _affine(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(x), x, y], 1)


def _structure(source: Frame) -> Map:
    """Return how much texture there is at each pixel: 0 = none, near 1 = edges and texture."""
    scale = source.shape[1] / REFERENCE_WIDTH
    grey = blur(to_grey(source), 0.7 * max(scale, 1))
    slope = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125) ** 2
    slope += cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125) ** 2
    energy = blur(slope, max(STRUCTURE_SIGMA * source.shape[1], 0.5)) * scale**2
    return np.asarray(energy / (energy + np.float32(ENOUGH_STRUCTURE)), np.float32)
