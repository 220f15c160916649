"""Compare a film with the same frames dreamt independently: how much calmer, at what price.

A film that hardly dreams does not flicker either. So flicker counts only relative to what the same
settings do to each frame alone, and only if the dream is as strong, as sharp and as free of ghosts
as that. A film whose colour drains is not good either: that is an objection as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.metrics.frame_stats import (
    BANDS,
    FrameStats,
    Mean,
    Pair,
    measure_bands,
    measure_frame,
    measure_uncovered_energy,
    measure_warping_error,
)
from dreamvideo.metrics.reference_flow import Correspondence, Frame

CONTRAST_GATE = (0.9, 1.1)
STRENGTH_GATE = 0.9
GHOSTING_GATE = 1.0
SHARPNESS_GATE = 0.6
TRAIL_GATE = 0.25
COARSE_CHROMA_GATE = 0.9
SATURATION_GATE = (0.85, 1.15)
BRIGHTNESS_GATE = 0.02
LEAST_UNCOVERED = 0.001
"""Mean share of uncovered pixels below which ghosts and trails cannot be told from chance."""
_LEAST_SATURATION = 2 / 255
"""Least change of saturation by independent dreaming for a ratio to be meaningful."""
_CHANCE = 0.1
"""The trail that unrelated pictures show by chance."""

Ratios = tuple[float | None, ...]
_Gate = tuple[str, float | None, float, float]


@dataclass(frozen=True)
class PairStats:
    """One sampled pair of frames: the metrics of the film and of the frames dreamt alone.

    The errors are those of the pair, everything else is of its second frame, number ``index``.
    """

    index: int
    film: FrameStats
    alone: FrameStats
    bands_film: NDArray[np.float64]
    bands_alone: NDArray[np.float64]
    error_source: Mean
    error_alone: Mean
    uncovered: float
    ghost_film: Mean
    ghost_alone: Mean


@dataclass(frozen=True)
class FrameRatios:
    """One sampled frame of the film relative to the same frame dreamt alone.

    Attributes:
        index: Number of the frame.
        luma: Ratios of the dream's RMS in the ``BANDS``.
        chroma: The same for chroma.
        saturation: Ratio of what the dream adds to the source's saturation; None if dreaming alone
            adds next to nothing.
        brightness: The film's mean minus that of the frame dreamt alone.
    """

    index: int
    luma: Ratios
    chroma: Ratios
    saturation: float | None
    brightness: float


@dataclass(frozen=True)
class Comparison:
    """A film compared with independent dreaming. Ratios are the film's over independent dreaming's.

    Attributes:
        pairs: Number of pairs of neighbouring frames that were dreamt independently.
        flicker: X = (E - E_source) / (E_independent - E_source) / contrast^2: 1 for independent
            dreaming, 0 for a dream as still as its source. Given only if the dream is comparable
            (``contrast`` 0.9 to 1.1, ``strength`` >= 0.9, ``sharpness`` >= 0.6, ``ghosting`` <= 1
            and the film's ``trail`` <= 0.25).
        reason: Why ``flicker`` is not given.
        objections: Everything out of bounds, including ``reason``: also draining or growing colour
            and drifting brightness, which do not make flicker misleading.
        error_film: E over every pair of neighbours in the film, since flicker comes in bursts.
        error_source: The same for the source.
        error_independent: The source's plus what independent dreaming added in the sampled pairs,
            which hardly varies.
        error_ratio: Plain E / E_independent.
        strength: Ratio of the strength.
        contrast: Ratio of the fine detail's contrast.
        contrast_last: The same in the film's last quarter.
        tint: Ratio of the large-scale deviation.
        sharpness: Ratio of the Laplacian's variance.
        ghosting: Ratio of the fine detail's energy on ground that was just uncovered, times 1 + the
            excess of ``trail`` over chance: above 1 if there is more than independent dreaming puts
            there, or if the old dream is left there. None if less than a thousandth of the sampled
            frames was uncovered.
        ghosting_deviation: Its standard error over the sampled pairs; the gate tolerates two of
            them.
        luma: Ratios of the dream's RMS in each of the ``BANDS``.
        chroma: The same for chroma.
        coarse_chroma_last: The coarsest chroma ratio in the last quarter.
        saturation: Ratio of what the dream adds to the source's saturation; None if dreaming alone
            adds next to nothing.
        saturation_first: The same in the first quarter.
        saturation_last: The same in the last quarter.
        brightness_drift: How much brighter the film grew from its first quarter to its last,
            compared with frames dreamt alone.
        frames: Ratios of each sampled frame.
    """

    pairs: int
    flicker: float | None
    reason: str | None
    objections: tuple[str, ...]
    error_film: float
    error_source: float
    error_independent: float
    error_ratio: float
    strength: float
    contrast: float
    contrast_last: float | None
    tint: float
    sharpness: float
    ghosting: float | None
    ghosting_deviation: float | None
    luma: Ratios
    chroma: Ratios
    coarse_chroma_last: float | None
    saturation: float | None
    saturation_first: float | None
    saturation_last: float | None
    brightness_drift: float | None
    frames: tuple[FrameRatios, ...]


def measure_pair(
    index: int, now: Pair, before: Pair, alone: tuple[Frame, Frame], correspondence: Correspondence
) -> PairStats:
    """Measure a pair of neighbouring frames, as in the film and as dreamt alone.

    Args:
        index: Number of the second frame.
        now: The second frame and its source.
        before: The first frame and its source.
        alone: The two frames dreamt alone, H x W x 3 in [-1, 1].
        correspondence: From the first frame to the second.
    """
    alone_now = Pair(alone[1], now.source)
    return PairStats(
        index=index,
        film=measure_frame(now),
        alone=measure_frame(alone_now),
        bands_film=measure_bands(now),
        bands_alone=measure_bands(alone_now),
        error_source=measure_warping_error(now.source, before.source, correspondence),
        error_alone=measure_warping_error(alone[1], alone[0], correspondence),
        uncovered=float(correspondence.uncovered.mean()),
        ghost_film=measure_uncovered_energy(now, correspondence),
        ghost_alone=measure_uncovered_energy(alone_now, correspondence),
    )


def compare_with_independent(
    observed: Sequence[PairStats | None],
    error_film: Mean,
    error_source: Mean,
    trail: float | None,
) -> Comparison | None:
    """Compare the film with independent dreaming.

    Args:
        observed: One entry per frame of the film; None if its pair was not sampled.
        error_film: The film's warping error over all its pairs.
        error_source: The same for its source.
        trail: The film's trail; None if nothing was uncovered.

    Returns:
        The comparison, or None if no pair was sampled.
    """
    sampled = [found for found in observed if found is not None]
    if not sampled:
        return None
    film, source = error_film.value, error_source.value
    added = (
        sum((found.error_alone for found in sampled), Mean()).value
        - sum((found.error_source for found in sampled), Mean()).value
    )
    alone = source + added
    early = [found for found in sampled if found.index < 0.25 * len(observed)]
    late = [found for found in sampled if found.index >= 0.75 * len(observed)]
    contrast = _divide(sampled, lambda seen: seen.contrast)
    strength = _divide(sampled, lambda seen: seen.strength)
    sharpness = _divide(sampled, lambda seen: seen.sharpness)
    ghosting, deviation = _measure_ghosting(sampled, max(0.0, (trail or 0.0) - _CHANCE))
    ghosting_gate = GHOSTING_GATE + 2 * (deviation or 0.0)
    luma, chroma = _measure_band_ratios(sampled)
    coarse_last = _measure_band_ratios(late)[1][-1] if late else None
    saturation, first, last = (_measure_saturation(part) for part in (sampled, early, late))
    if saturation is None:
        # Too little to be measured in the whole film: even less tells in a quarter of it.
        first = last = None
    drift = _measure_brightness(late) - _measure_brightness(early) if early and late else None
    misleading = _object(
        ("contrast", contrast, *CONTRAST_GATE),
        ("strength", strength, STRENGTH_GATE, math.inf),
        ("sharpness", sharpness, SHARPNESS_GATE, math.inf),
        ("ghosting", ghosting, -math.inf, ghosting_gate),
        ("trail", trail, -math.inf, TRAIL_GATE),
    )
    if added <= 0:
        misleading.insert(0, "dreaming each frame alone flickers no more than the source itself")
    colour = _object(
        (f"chroma of {BANDS[-1]}", chroma[-1], COARSE_CHROMA_GATE, math.inf),
        (f"chroma of {BANDS[-1]} in the last quarter", coarse_last, COARSE_CHROMA_GATE, math.inf),
        ("saturation added", saturation, *SATURATION_GATE),
        ("saturation added in the last quarter, over the first's", _over(last, first),
         *SATURATION_GATE),
        ("brightness drift", drift, -BRIGHTNESS_GATE, BRIGHTNESS_GATE),
    )  # fmt: skip
    reason = misleading[0] if misleading else None
    return Comparison(
        pairs=len(sampled),
        flicker=None if reason else (film - source) / added / contrast**2,
        reason=reason,
        objections=(*misleading, *colour),
        error_film=film,
        error_source=source,
        error_independent=alone,
        error_ratio=film / alone if alone > 0 else math.nan,
        strength=strength,
        contrast=contrast,
        contrast_last=_divide(late, lambda seen: seen.contrast) if late else None,
        tint=_divide(sampled, lambda seen: seen.tint),
        sharpness=sharpness,
        ghosting=ghosting,
        ghosting_deviation=deviation,
        luma=luma,
        chroma=chroma,
        coarse_chroma_last=coarse_last,
        saturation=saturation,
        saturation_first=first,
        saturation_last=last,
        brightness_drift=drift,
        frames=tuple(_measure_frame_ratios(found) for found in sampled),
    )


def _divide(sampled: Sequence[PairStats], figure: Callable[[FrameStats], float]) -> float:
    alone = float(np.mean([figure(found.alone) for found in sampled]))
    film = float(np.mean([figure(found.film) for found in sampled]))
    return film / alone if alone > 0 else math.nan


def _over(figure: float | None, other: float | None) -> float | None:
    return figure / other if figure is not None and other else None


def _measure_band_ratios(sampled: Sequence[PairStats]) -> tuple[Ratios, Ratios]:
    """Return the RMS of the film's dream over that of frames dreamt alone, for luma and chroma."""
    film = np.mean([found.bands_film for found in sampled], axis=0)
    alone = np.mean([found.bands_alone for found in sampled], axis=0)
    luma, chroma = (
        tuple(math.sqrt(a / b) if b > 0 else None for a, b in zip(*kinds, strict=True))
        for kinds in zip(film, alone, strict=True)
    )
    return luma, chroma


def _measure_saturation(sampled: Sequence[PairStats]) -> float | None:
    if not sampled:
        return None
    alone = float(np.mean([found.alone.saturation for found in sampled]))
    film = float(np.mean([found.film.saturation for found in sampled]))
    return film / alone if abs(alone) >= _LEAST_SATURATION else None


def _measure_brightness(sampled: Sequence[PairStats]) -> float:
    """Return how much brighter the film is than frames dreamt alone."""
    return float(np.mean([found.film.brightness - found.alone.brightness for found in sampled]))


def _measure_frame_ratios(found: PairStats) -> FrameRatios:
    luma, chroma = _measure_band_ratios([found])
    return FrameRatios(
        found.index, luma, chroma, _measure_saturation([found]), _measure_brightness([found])
    )


def _measure_ghosting(
    sampled: Sequence[PairStats], trail: float
) -> tuple[float, float] | tuple[None, None]:
    """Return ghosting and its standard error, that of a ratio of sums over a sample."""
    film = np.array([found.ghost_film.total for found in sampled])
    alone = np.array([found.ghost_alone.total for found in sampled])
    uncovered = float(np.mean([found.uncovered for found in sampled]))
    if uncovered < LEAST_UNCOVERED or alone.sum() <= 0:
        return None, None
    ratio = float(film.sum() / alone.sum())
    spread = float(np.sqrt(((film - ratio * alone) ** 2).sum()) / alone.sum())
    return ratio * (1 + trail), spread * (1 + trail)


def _object(*gates: _Gate) -> list[str]:
    """List what is out of bounds. What could not be measured does not count against the film."""
    found = []
    for name, value, low, high in gates:
        if value is not None and not low <= value <= high:
            side, bound = ("below", low) if value < low else ("above", high)
            digits = 2 if f"{value:.2f}" != f"{bound:.2f}" else 4
            found.append(f"{name} {value:.{digits}f} is {side} {bound:.{digits}f}")
    return found
