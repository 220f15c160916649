"""Match the statistics of a picture to wanted ones.

A zoom burns out or turns to mush because every frame is made from the last one: the slightest bias
grows without bound. So each frame's statistics are set to those of the first frame, separately for
each scale of detail (after Heeger and Bergen, "Pyramid-Based Texture Analysis/Synthesis", SIGGRAPH
1995). What the zoom coarsens and what the dream adds then balance, and no colour, scale or
highlight can take over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import blur

Numbers = NDArray[np.float32]

# Rows: grey, orange to blue, magenta to green; orthonormal.
OPPONENT = np.array(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]],
    np.float32,
)
# The pyramid ends at about this height in pixels.
COARSEST = 10
# The finest detail of a fresh dream is partly the network's own lattice, which no moving picture
# keeps: zooms settle near this share of its Laplacian's variance.
SETTLED = 0.5
# The same for a dream whose gradient is balanced, and for the deviation of its finest band: fine
# detail that has grown on top of itself frame after frame is mostly dots.
SETTLED_BALANCED, SETTLED_FINEST = 0.25, 0.75
# A frame's correction is bounded by these factors, so that nothing jumps.
MOST_GAIN = 1.3
MOST_COARSE_GAIN = 1.1
COARSE_PULL = 0.3
MOST_SHARPER = 0.08
MOST_SATURATED = 0.05
# Highlights and shadows are compressed beyond this level, so that as many values as in the first
# frame reach an end of the range.
KNEE = 0.5
CLIPPED = 1 - 1 / 255
LEAST_CLIPPED = 2e-4
# If less of the picture than this can be measured, nothing is corrected.
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of a picture in [-1, 1], in the opponent colours.

    Attributes:
        mean: (3,), mean of the residual.
        bands: scales x 3, standard deviations from fine to coarse.
        coarse: (3,), standard deviation of the residual.
        saturation: Mean of the largest minus the smallest channel.
        fineness: Variance of the grey Laplacian.
        whites: Share of values clipped at white.
        blacks: Share of values clipped at black.
    """

    mean: Numbers
    bands: Numbers
    coarse: Numbers
    saturation: float
    fineness: float
    whites: float
    blacks: float

    @classmethod
    def of(cls, image: Image, weight: Numbers | None = None) -> ImageStatistics:
        """Measure an H x W x 3 picture; ``weight`` (H x W, 0 to 1) is how much a pixel counts."""
        weights = _make_weights(image, weight)
        bands, coarse = _split(image @ OPPONENT.T)
        counted = image if weight is None else image[weight > weight.max() / 2]
        return cls(
            mean=_measure_mean(coarse, weights[-1]),
            bands=np.stack(
                [_measure_deviation(b, w) for b, w in zip(bands, weights, strict=False)]
            ),
            coarse=_measure_deviation(coarse, weights[-1]),
            saturation=_measure_saturation(image, weights[0]),
            fineness=_measure_fineness(image, weights[0]),
            whites=float((counted >= CLIPPED).mean()),
            blacks=float((counted <= -CLIPPED).mean()),
        )

    def make_goal(self, *, balanced: bool = False) -> ImageStatistics:
        """Return the statistics to hold a zoom to that starts with these.

        ``balanced`` is whether the gradients of its dream are: such a dream is soft.
        """
        if not balanced:
            return replace(self, fineness=SETTLED * self.fineness)
        bands = self.bands.copy()
        bands[0] *= SETTLED_FINEST
        return replace(self, bands=bands, fineness=SETTLED_BALANCED * self.fineness)

    def towards(self, other: ImageStatistics, share: float) -> ImageStatistics:
        """Interpolate from these statistics (``share`` 0) to ``other`` (1)."""
        if share <= 0:
            return self
        mixed: dict[str, Any] = {}
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            mixed[field.name] = mine + share * (theirs - mine)
        return ImageStatistics(**mixed)


def match_statistics(
    image: Image, wanted: ImageStatistics, pull: float, weight: Numbers | None = None
) -> Image:
    """Pull the statistics of a picture towards ``wanted``.

    Args:
        image: H x W x 3 in [-1, 1].
        wanted: The statistics to reach.
        pull: How far: 0 not at all, 1 fully.
        weight: H x W, which pixels to measure; all are corrected.
    """
    if pull <= 0 or (weight is not None and float(weight.mean()) < LEAST_SHARE):
        return image
    weights = _make_weights(image, weight)
    bands, coarse = _split(image @ OPPONENT.T)
    for index, band in enumerate(bands):
        gain = wanted.bands[index] / np.maximum(_measure_deviation(band, weights[index]), 1e-4)
        bands[index] = band * _bound(gain**pull, MOST_GAIN)
    mean, deviation = _measure_mean(coarse, weights[-1]), _measure_deviation(coarse, weights[-1])
    gain = (wanted.coarse / np.maximum(deviation, 1e-4)) ** (pull * COARSE_PULL)
    coarse = (coarse - mean) * _bound(gain, MOST_COARSE_GAIN) + mean + pull * (wanted.mean - mean)
    result = _refine(_join(bands, coarse) @ OPPONENT, wanted, pull, weights[0])
    counted = result[::2, ::2] if weight is None else result[weight > weight.max() / 2]
    whites = _bend(counted, wanted.whites, pull)
    blacks = _bend(-counted, wanted.blacks, pull)
    bent = np.where(result > KNEE, KNEE + (result - KNEE) * whites, result)
    bent = np.where(bent < -KNEE, -KNEE + (bent + KNEE) * blacks, bent)
    return np.asarray(np.clip(bent, -1, 1), np.float32)


def scale_to_frame(anchor: float, seconds: float) -> float:
    """Convert a pull per 1/25 s to that of a frame that lasts ``seconds``."""
    return 1.0 - float((1 - anchor) ** (25 * seconds))


def _refine(image: Image, wanted: ImageStatistics, pull: float, weight: Numbers) -> Image:
    """Correct fineness and saturation, which the bands alone leave slightly off."""
    seen = np.clip(image, -1, 1)
    sharper = math.sqrt(wanted.fineness / max(_measure_fineness(seen, weight), 1e-8)) ** pull - 1
    saturated = (wanted.saturation / max(_measure_saturation(seen, weight), 1e-4)) ** pull - 1
    fine = image - blur(image, 1)
    image = image + np.float32(np.clip(sharper, -MOST_SHARPER, MOST_SHARPER)) * fine
    grey = image.mean(2, keepdims=True)
    scale = np.float32(1 + np.clip(saturated, -MOST_SATURATED, MOST_SATURATED))
    return np.asarray(grey + (image - grey) * scale, np.float32)


def _bend(values: NDArray[Any], share: float, pull: float) -> float:
    """Return the slope above the knee that leaves ``share`` of the values clipped."""
    reached = float(np.quantile(values, 1 - max(share, LEAST_CLIPPED)))
    if reached < KNEE + 0.05:
        return 1.0
    steepest = 1.6 if share > LEAST_CLIPPED else 1.0
    slope = min(max((CLIPPED - KNEE) / (reached - KNEE), 0.4), steepest)
    return float(slope**pull)


def _split(image: Numbers) -> tuple[list[Numbers], Numbers]:
    """Build a Laplacian pyramid: bands from fine to coarse, and the residual."""
    bands = []
    for _ in range(_measure_levels(image)):
        smaller = cv2.pyrDown(image)
        bands.append(image - cv2.pyrUp(smaller, dstsize=image.shape[1::-1]))
        image = smaller
    return bands, image


def _join(bands: list[Numbers], coarse: Numbers) -> Numbers:
    for band in bands[::-1]:
        coarse = cv2.pyrUp(coarse, dstsize=band.shape[1::-1]) + band
    return coarse


def _measure_levels(image: Numbers) -> int:
    return max(1, int(math.log2(max(2, min(image.shape[:2]) / COARSEST))))


def _make_weights(image: Numbers, weight: Numbers | None) -> list[Numbers]:
    """Return the weight of each pixel at each level of the pyramid, including the residual."""
    current = np.ones(image.shape[:2], np.float32) if weight is None else weight
    weights = [current]
    for _ in range(_measure_levels(image)):
        current = cv2.pyrDown(current)
        weights.append(current)
    return weights


def _measure_mean(band: Numbers, weight: Numbers) -> Numbers:
    mean: Numbers = np.einsum("hwc,hw->c", band, weight) / max(float(weight.sum()), 1e-6)
    return mean.astype(np.float32)


def _measure_deviation(band: Numbers, weight: Numbers) -> Numbers:
    return np.asarray(
        np.sqrt(_measure_mean((band - _measure_mean(band, weight)) ** 2, weight)), np.float32
    )


def _measure_saturation(image: Image, weight: Numbers) -> float:
    return float(np.average(image.max(2) - image.min(2), weights=weight))


def _measure_fineness(image: Image, weight: Numbers) -> float:
    laplacian = cv2.Laplacian(image.mean(2), cv2.CV_32F)
    return float(
        np.average((laplacian - np.average(laplacian, weights=weight)) ** 2, weights=weight)
    )


def _bound(gain: NDArray[Any], most: float) -> Numbers:
    return np.asarray(np.clip(gain, 1 / most, most), np.float32)
