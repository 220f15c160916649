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
_FEW_PIXELS = 100
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
    ghost_film: Mean
    ghost_alone: Mean


@dataclass(frozen=True)
class Comparison:
    """The film beside independent dreaming, over the sampled ``pairs`` of neighbours.

    ``flicker`` is X = (E - E_source) / (E_independent - E_source) / contrast^2: 1 for independent
    dreaming, 0 for a dream as still as its source. It is given only where the dream is as much
    of a dream (``contrast`` 0.9 to 1.1, ``strength`` >= 0.9, ``ghosting`` <= 1, ``sharpness`` >=
    0.6, the film's ``trail`` <= 0.25); otherwise ``reason`` says what is amiss. ``error_ratio`` is plain E / E_independent. The
    rest are the film's figures over independent dreaming's: ``contrast`` of the fine detail,
    ``contrast_last`` the same in the film's last quarter, ``tint`` the deviation in the large,
    ``sharpness`` the Laplacian's variance. ``ghosting`` is the fine detail's energy on ground
    that was just uncovered, times 1 + what ``trail`` exceeds chance by: more than independent
    dreaming puts there, or what the old dream left there, lifts it above 1 (None when next to
    nothing was uncovered in the sampled frames).
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
    ghosting = _ghosting(sampled, max(0.0, (trail or 0.0) - _CHANCE))
    reason = _objection(contrast, strength, sharpness, ghosting, trail, alone > source)
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
    )


def _ratio(sampled: Sequence[Rivals], figure: Callable[[Look], float]) -> float:
    alone = float(np.mean([figure(found.alone) for found in sampled]))
    film = float(np.mean([figure(found.film) for found in sampled]))
    return film / alone if alone > 0 else math.nan


def _ghosting(sampled: Sequence[Rivals], trail: float) -> float | None:
    film = sum((found.ghost_film for found in sampled), Mean())
    alone = sum((found.ghost_alone for found in sampled), Mean())
    if film.weight < _FEW_PIXELS or alone.total <= 0:
        return None
    return film.total / alone.total * (1 + trail)


def _objection(
    contrast: float,
    strength: float,
    sharpness: float,
    ghosting: float | None,
    trail: float | None,
    livelier: bool,
) -> str | None:
    """Why flicker would mislead, or None."""
    if not livelier:
        return "dreaming each frame alone flickers no more than the source itself"
    if not CONTRAST_GATE[0] <= contrast <= CONTRAST_GATE[1]:
        return f"contrast {contrast:.2f} is outside {CONTRAST_GATE[0]} to {CONTRAST_GATE[1]}"
    if not strength >= STRENGTH_GATE:
        return f"strength {strength:.2f} is below {STRENGTH_GATE}"
    if not sharpness >= SHARPNESS_GATE:
        return f"sharpness {sharpness:.2f} is below {SHARPNESS_GATE}"
    if ghosting is not None and not ghosting <= GHOSTING_GATE:
        return f"ghosting {ghosting:.2f} is above {GHOSTING_GATE:g}"
    if trail is not None and not trail <= TRAIL_GATE:
        return f"trail {trail:.2f} is above {TRAIL_GATE}"
    return None
