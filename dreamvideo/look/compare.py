"""(film, the same frames dreamt alone) -> how much stiller, and at what price.

A film that hardly dreams does not flicker either. So flicker counts only next to what the same
settings do to each frame alone, and only while the dream is as strong, as sharp and as free of
ghosts as that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dreamvideo.look.figures import Look, Mean, Pair, look, uncovered_energy, warping_error
from dreamvideo.look.judge import Frame, Passage

CONTRAST_GATE = (0.9, 1.1)
STRENGTH_GATE = 0.9
GHOSTING_GATE = 1.0
SHARPNESS_GATE = 0.6
TRAIL_GATE = 0.25
LEAST_UNCOVERED = 0.001
"""Share of the pixels, on average, below which ghosts and trails cannot be told from chance."""
_CHANCE = 0.1
"""A trail that pictures with nothing in common show by chance."""


@dataclass(frozen=True)
class Rivals:
    """One sampled pair of frames: the film's figures and those of the frames dreamt alone."""

    index: int
    film: Look
    alone: Look
    error_film: Mean
    error_source: Mean
    error_alone: Mean
    uncovered: float
    ghost_film: Mean
    ghost_alone: Mean


@dataclass(frozen=True)
class Comparison:
    """The film beside independent dreaming, over the sampled ``pairs`` of neighbours.

    ``flicker`` is X = (E - E_source) / (E_independent - E_source) / contrast^2: 1 for independent
    dreaming, 0 for a dream as still as its source. It is given only where the dream is as much
    of a dream (``contrast`` 0.9 to 1.1, ``strength`` >= 0.9, ``sharpness`` >= 0.6, ``ghosting``
    <= 1 and the film's ``trail`` <= 0.25); otherwise ``reason`` says what is amiss.

    ``error_ratio`` is plain E / E_independent. The rest are the film's figures over independent
    dreaming's: ``contrast`` of the fine detail, ``contrast_last`` the same in the film's last
    quarter, ``tint`` the deviation in the large, ``sharpness`` the Laplacian's variance.
    ``ghosting`` is the fine detail's energy on ground that was just uncovered, times 1 + what
    ``trail`` exceeds chance by: more than independent dreaming puts there, or what the old dream
    left there, lifts it above 1. It is None where less than a thousandth of the sampled frames
    was uncovered. ``ghosting_deviation`` is its standard error over the sampled pairs; the gate
    lets two of them pass.
    """

    pairs: int
    flicker: float | None
    reason: str | None
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


def rivals(
    index: int, now: Pair, before: Pair, alone: tuple[Frame, Frame], passage: Passage
) -> Rivals:
    """Figures of film frames index - 1 and index beside ``alone``, the same two dreamt alone."""
    alone_now = Pair(alone[1], now.source)
    return Rivals(
        index=index,
        film=look(now),
        alone=look(alone_now),
        error_film=warping_error(now.film, before.film, passage),
        error_source=warping_error(now.source, before.source, passage),
        error_alone=warping_error(alone[1], alone[0], passage),
        uncovered=float(passage.uncovered.mean()),
        ghost_film=uncovered_energy(now, passage),
        ghost_alone=uncovered_energy(alone_now, passage),
    )


def compared(observed: Sequence[Rivals | None], trail: float | None) -> Comparison | None:
    """The comparison over a film's frames and its ``trail``; None where no pair was sampled."""
    sampled = [found for found in observed if found is not None]
    if not sampled:
        return None
    film = sum((found.error_film for found in sampled), Mean()).value
    source = sum((found.error_source for found in sampled), Mean()).value
    alone = sum((found.error_alone for found in sampled), Mean()).value
    late = [found for found in sampled if found.index >= 0.75 * len(observed)]
    contrast = _ratio(sampled, lambda seen: seen.contrast)
    strength = _ratio(sampled, lambda seen: seen.strength)
    sharpness = _ratio(sampled, lambda seen: seen.sharpness)
    ghosting, deviation = _ghosting(sampled, max(0.0, (trail or 0.0) - _CHANCE))
    ghosting_gate = GHOSTING_GATE + 2 * (deviation or 0.0)
    gates: tuple[tuple[str, float | None, float, float], ...] = (
        ("contrast", contrast, *CONTRAST_GATE),
        ("strength", strength, STRENGTH_GATE, math.inf),
        ("sharpness", sharpness, SHARPNESS_GATE, math.inf),
        ("ghosting", ghosting, -math.inf, ghosting_gate),
        ("trail", trail, -math.inf, TRAIL_GATE),
    )
    reason = _objection(gates, alone > source)
    return Comparison(
        pairs=len(sampled),
        flicker=None if reason else (film - source) / (alone - source) / contrast**2,
        reason=reason,
        error_film=film,
        error_source=source,
        error_independent=alone,
        error_ratio=film / alone if alone > 0 else math.nan,
        strength=strength,
        contrast=contrast,
        contrast_last=_ratio(late, lambda seen: seen.contrast) if late else None,
        tint=_ratio(sampled, lambda seen: seen.tint),
        sharpness=sharpness,
        ghosting=ghosting,
        ghosting_deviation=deviation,
    )


def _ratio(sampled: Sequence[Rivals], figure: Callable[[Look], float]) -> float:
    alone = float(np.mean([figure(found.alone) for found in sampled]))
    film = float(np.mean([figure(found.film) for found in sampled]))
    return film / alone if alone > 0 else math.nan


def _ghosting(sampled: Sequence[Rivals], trail: float) -> tuple[float, float] | tuple[None, None]:
    """Ghosting and its standard error, that of a ratio of sums over a sample."""
    film = np.array([found.ghost_film.total for found in sampled])
    alone = np.array([found.ghost_alone.total for found in sampled])
    uncovered = float(np.mean([found.uncovered for found in sampled]))
    if uncovered < LEAST_UNCOVERED or alone.sum() <= 0:
        return None, None
    ratio = float(film.sum() / alone.sum())
    spread = float(np.sqrt(((film - ratio * alone) ** 2).sum()) / alone.sum())
    return ratio * (1 + trail), spread * (1 + trail)


def _objection(
    gates: Sequence[tuple[str, float | None, float, float]], livelier: bool
) -> str | None:
    """Why flicker would mislead, or None. What could not be measured is not held against it."""
    if not livelier:
        return "dreaming each frame alone flickers no more than the source itself"
    for name, value, low, high in gates:
        if value is not None and not low <= value <= high:
            side, bound = ("below", low) if value < low else ("above", high)
            return f"{name} {value:.2f} is {side} {bound:.2f}"
    return None
