"""Metrics of a pair of film and source frames, all in units of [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import blur, blur_in_proportion, measure_sharpness, to_grey
from dreamvideo.metrics.reference_flow import Correspondence, Frame
from dreamvideo.motion.warp import warp

_DETAIL_SIGMA = 4.0
_TINT_SIGMA = 20.0
_BAND_SIGMAS = (1.0, 2.5, 6.0, 15.0)
_BAND_WIDTH = 480
BANDS = ("under 1 px", "1 to 2.5 px", "2.5 to 6 px", "6 to 15 px")
"""Scales of ``measure_bands``, in pixels of a frame 480 wide, from fine to coarse."""
_CLIPPED = 1 - 1 / 255


@dataclass(frozen=True)
class FrameStats:
    """One film frame y compared with its source s; d = y - s is the dream.

    G_n is a Gaussian blur by n px at 320 px width.

    Attributes:
        strength: RMS(d).
        contrast: RMS(d - G4 d), the dream's fine detail.
        tint: RMS(G20 d), its large-scale deviation.
        sharpness: Variance of the Laplacian of grey y (Pech-Pacheco et al., ICPR 2000).
        brightness: The film's mean minus the source's.
        saturation: Mean of the largest minus the smallest channel, the film's minus the source's.
        clipped: Share of values at an end of the range, the film's minus the source's.
    """

    strength: float
    contrast: float
    tint: float
    sharpness: float
    brightness: float
    saturation: float
    clipped: float


@dataclass(frozen=True)
class Mean:
    """A running weighted mean: ``total`` over ``weight``."""

    total: float = 0.0
    weight: float = 0.0

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.weight + other.weight)

    @property
    def value(self) -> float:
        """The mean; NaN while there is no weight."""
        return self.total / self.weight if self.weight > 0 else float("nan")


@dataclass(frozen=True)
class Pair:
    """A film frame and a source frame of the same time, H x W x 3."""

    film: Frame
    source: Frame


def measure_frame(pair: Pair) -> FrameStats:
    """Measure one frame."""
    dream = pair.film - pair.source
    return FrameStats(
        strength=_measure_rms(dream),
        contrast=_measure_rms(extract_fine(dream)),
        tint=_measure_rms(blur_in_proportion(dream, _TINT_SIGMA)),
        sharpness=measure_sharpness(to_grey(pair.film)),
        brightness=float(dream.mean()),
        saturation=_measure_saturation(pair.film) - _measure_saturation(pair.source),
        clipped=_measure_clipping(pair.film) - _measure_clipping(pair.source),
    )


def measure_bands(pair: Pair) -> NDArray[np.float64]:
    """Return the energy of the dream by scale: 2 x 4, luma then chroma, each in the ``BANDS``.

    Means over the pixels of squared differences of Gaussian blurs of the dream y - s. Luma is the
    channels' mean, chroma the rest.
    """
    dream = pair.film - pair.source
    scale = dream.shape[1] / _BAND_WIDTH
    blurs = [dream, *(blur(dream, sigma * scale) for sigma in _BAND_SIGMAS)]
    energies = np.empty((2, len(BANDS)))
    for band, (finer, coarser) in enumerate(pairwise(blurs)):
        detail = finer - coarser
        luma = detail.mean(-1, keepdims=True)
        energies[:, band] = np.mean(luma**2), np.mean((detail - luma) ** 2)
    return energies


def measure_warping_error(current: Frame, previous: Frame, correspondence: Correspondence) -> Mean:
    """Return E: the mean squared difference to the previous frame warped along the source's flow.

    Over pixels visible in both frames (Lai et al., ECCV 2018, "Learning Blind Video Temporal
    Consistency", eq. 8 and 9), mean over the channels.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        correspondence: From ``previous`` to ``current``.
    """
    error = ((current - warp(previous, correspondence.flow)) ** 2).mean(-1)
    seen = correspondence.visible
    return Mean(float(error[seen].sum(dtype=np.float64)), float(seen.sum()))


def measure_uncovered_energy(pair: Pair, correspondence: Correspondence) -> Mean:
    """Return the energy of the dream's fine detail where a moving thing uncovered the ground.

    A ghost (the dream of what was there before) overlays the ground's own dream and adds to it.
    """
    energy = (extract_fine(pair.film - pair.source) ** 2).mean(-1)
    where = correspondence.uncovered
    return Mean(float(energy[where].sum(dtype=np.float64)), float(where.sum()))


def measure_trails(
    current: Pair, previous: Pair, correspondence: Correspondence
) -> tuple[Mean, Mean]:
    """Return how much of a moving thing's old dream is left on the ground that it uncovered.

    With h the dream's fine detail and U the uncovered pixels, these are the regression coefficients
    ``sum_U h_t h' / sum_U h'^2`` of this frame's detail on the previous frame's, where h' = h_(t-1)
    is either left in place (blending) or moved along the flow (dragging): 0 = no trail, 1 = all of
    it.

    Args:
        current: This frame and its source.
        previous: The frame before and its source.
        correspondence: From the frame before to this one.

    Returns:
        The coefficients for blending and for dragging.
    """
    now = extract_fine(current.film - current.source)
    before = extract_fine(previous.film - previous.source)
    where = correspondence.uncovered
    if not where.any():
        return Mean(), Mean()
    left, dragged = before[where], warp(before, correspondence.flow)[where]
    return _fit_line(now[where], left), _fit_line(now[where], dragged)


def extract_fine(dream: Frame) -> Frame:
    """Remove what is coarser than 4 px (at 320 px width) from the dream: d - G4 d."""
    return dream - blur_in_proportion(dream, _DETAIL_SIGMA)


def _fit_line(a: Frame, b: Frame) -> Mean:
    return Mean(float((a * b).sum(dtype=np.float64)), float((b * b).sum(dtype=np.float64)))


def _measure_rms(values: Frame) -> float:
    return float(np.sqrt(np.mean(values**2, dtype=np.float64)))


def _measure_saturation(frame: Frame) -> float:
    return float((frame.max(-1) - frame.min(-1)).mean())


def _measure_clipping(frame: Frame) -> float:
    ends: NDArray[np.bool_] = np.abs(frame) >= _CLIPPED
    return float(ends.mean())
