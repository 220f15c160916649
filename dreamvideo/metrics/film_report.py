"""Measure a film against its source: flicker, strength, ghosts and drift.

Everything streams: memory does not grow with the film, except for a few numbers per frame.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np

from dreamvideo.errors import DreamVideoError
from dreamvideo.imaging import resize
from dreamvideo.metrics.frame_stats import (
    FrameStats,
    Mean,
    Pair,
    measure_frame,
    measure_trails,
    measure_warping_error,
)
from dreamvideo.metrics.independent_baseline import (
    LEAST_UNCOVERED,
    Comparison,
    PairStats,
    compare_with_independent,
    measure_pair,
)
from dreamvideo.metrics.reference_flow import (
    Correspondence,
    Frame,
    chain_correspondences,
    estimate_correspondence,
)
from dreamvideo.motion.cuts import is_cut

MAX_WIDTH = 640
DISTANCES = (8, 24)
_ANCHOR_EVERY = 8
EVERY_TENTH = range(5, sys.maxsize, 10)


@dataclass(frozen=True)
class Errors:
    """Warping errors E (mean squares, [-1, 1] units) of the film and of its own source."""

    film: float
    source: float
    ratio: float


@dataclass(frozen=True)
class Drift:
    """Mean of a metric over the first and over the last quarter of the film."""

    first: float
    last: float


@dataclass(frozen=True)
class Drifts:
    """Metrics that must not drift, see ``FrameStats``. The last three are film minus source."""

    strength: Drift
    contrast: Drift
    brightness: Drift
    saturation: Drift
    clipped: Drift


@dataclass(frozen=True)
class FilmReport:
    """The metrics; None where the film is too short or has nothing to measure them on.

    Attributes:
        frames: Number of frames.
        width: Width at which it was measured, in pixels.
        height: Height at which it was measured, in pixels.
        cuts: Indices of frames that start a new shot.
        flicker: Warping errors between neighbouring frames.
        flicker_8: The same between frames 8 apart.
        flicker_24: The same between frames 24 apart.
        strength: Mean of ``FrameStats.strength`` over all frames.
        contrast: Mean of ``FrameStats.contrast`` over all frames.
        tint: Mean of ``FrameStats.tint`` over all frames.
        sharpness: Mean of ``FrameStats.sharpness`` over all frames.
        trail: How much of a moving thing's old dream stays on the ground behind it.
        drift: Drift of metrics over the film.
        independent: Comparison with frames dreamt independently.
        notes: What to know about how film and source were paired.
    """

    frames: int
    width: int
    height: int
    cuts: tuple[int, ...]
    flicker: Errors | None
    flicker_8: Errors | None
    flicker_24: Errors | None
    strength: float
    contrast: float
    tint: float
    sharpness: float
    trail: float | None
    drift: Drifts
    independent: Comparison | None
    notes: tuple[str, ...] = ()

    def to_json_able(self) -> dict[str, Any]:
        """Return the report as plain dictionaries, lists, numbers and None."""
        plain: dict[str, Any] = to_json(asdict(self))
        return plain


def to_json(value: Any) -> Any:
    """Convert nested plain values for JSON: a float that is NaN or infinite becomes None."""
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def measure(
    film: Iterable[Frame],
    source: Iterable[Frame],
    *,
    independent: Callable[[int], Frame] | None = None,
    sample: Container[int] = EVERY_TENTH,
    correspondences: Iterable[Correspondence] | None = None,
    max_width: int = MAX_WIDTH,
    on_frame: Callable[[Observation], None] | None = None,
) -> FilmReport:
    """Measure a dreamt film against its source, frame by frame.

    Both are streams of float32 H x W x 3 RGB in [-1, 1], of equal length and aspect ratio.

    Args:
        film: Frames of the film.
        source: Frames of the source.
        independent: ``independent(t)`` dreams source frame t alone, with the film's settings;
            called for t - 1 and t for every t in ``sample`` that does not start a shot.
        sample: Frames to compare with independent ones.
        correspondences: One per frame (the first is ignored); replaces the estimate where the true
            motion is known.
        max_width: Wider pictures are measured at this width, in pixels.
        on_frame: Called with what was measured of every frame in turn.

    Raises:
        DreamVideoError: Film and source do not belong together.
    """
    pairs = _measure_pairs(film, source, max_width)
    seen = []
    for observation in _track(pairs, independent, sample, correspondences):
        seen.append(observation)
        if on_frame is not None:
            on_frame(observation)
    if not seen:
        raise DreamVideoError("nothing to measure: the film has no frames")
    stats = [o.stats for o in seen]
    height, width = seen[0].size
    trail = _measure_trail(seen)
    neighbours = [o.errors[1] for o in seen if 1 in o.errors]
    return FilmReport(
        frames=len(seen),
        width=width,
        height=height,
        cuts=tuple(t for t, o in enumerate(seen) if o.cut),
        flicker=_measure_errors(o.errors.get(1) for o in seen),
        flicker_8=_measure_errors(o.errors.get(8) for o in seen),
        flicker_24=_measure_errors(o.errors.get(24) for o in seen),
        strength=_average(frame.strength for frame in stats),
        contrast=_average(frame.contrast for frame in stats),
        tint=_average(frame.tint for frame in stats),
        sharpness=_average(frame.sharpness for frame in stats),
        trail=trail,
        drift=_measure_drifts(stats),
        independent=compare_with_independent(
            [o.pair_stats for o in seen],
            sum((film for film, _ in neighbours), Mean()),
            sum((source for _, source in neighbours), Mean()),
            trail,
        ),
    )


@dataclass(frozen=True)
class Observation:
    """What was measured at one frame.

    ``errors`` are the (film's, source's) warping errors by distance; ``cut`` is whether the frame
    starts a new shot, in which case there are no errors.
    """

    size: tuple[int, int]
    stats: FrameStats
    cut: bool
    errors: dict[int, tuple[Mean, Mean]]
    uncovered: float
    trails: tuple[Mean, Mean]
    pair_stats: PairStats | None


@dataclass(frozen=True)
class _Anchor:
    """A past frame and the correspondence from it to the current one."""

    index: int
    pair: Pair
    correspondence: Correspondence


def _track(
    pairs: Iterable[Pair],
    independent: Callable[[int], Frame] | None,
    sample: Container[int],
    correspondences: Iterable[Correspondence] | None,
) -> Iterator[Observation]:
    previous: Pair | None = None
    anchors: list[_Anchor] = []
    known = chain(correspondences or (), repeat(None))
    for index, (pair, truth) in enumerate(zip(pairs, known, strict=False)):
        cut = previous is not None and is_cut(pair.source, previous.source)
        pair_stats, errors, uncovered, trail = None, {}, 0.0, (Mean(), Mean())
        if previous is None or cut:
            anchors = []
        else:
            correspondence = truth or estimate_correspondence(pair.source, previous.source)
            anchors = _advance(anchors, correspondence, index)
            errors = {1: _read_both(pair, previous, correspondence)}
            errors |= {
                index - a.index: _read_both(pair, a.pair, a.correspondence)
                for a in anchors
                if index - a.index in DISTANCES
            }
            uncovered = float(correspondence.uncovered.mean())
            trail = measure_trails(pair, previous, correspondence)
            if independent is not None and index in sample:
                first, second = (
                    resize(independent(t), pair.film.shape[:2], "area") for t in (index - 1, index)
                )
                pair_stats = measure_pair(index, pair, previous, (first, second), correspondence)
        yield Observation(
            pair.film.shape[:2], measure_frame(pair), cut, errors, uncovered, trail, pair_stats
        )
        if index % _ANCHOR_EVERY == 0:
            anchors.append(_Anchor(index, pair, _here(pair)))
        previous = pair


def _advance(anchors: list[_Anchor], correspondence: Correspondence, index: int) -> list[_Anchor]:
    return [
        _Anchor(a.index, a.pair, chain_correspondences(a.correspondence, correspondence))
        for a in anchors
        if index - a.index <= max(DISTANCES)
    ]


def _read_both(now: Pair, before: Pair, correspondence: Correspondence) -> tuple[Mean, Mean]:
    return (
        measure_warping_error(now.film, before.film, correspondence),
        measure_warping_error(now.source, before.source, correspondence),
    )


def _here(pair: Pair) -> Correspondence:
    height, width = pair.film.shape[:2]
    nothing = np.zeros((height, width), bool)
    return Correspondence(np.zeros((height, width, 2), np.float32), ~nothing, nothing)


def _measure_pairs(
    film: Iterable[Frame], source: Iterable[Frame], max_width: int
) -> Iterator[Pair]:
    films, sources = iter(film), iter(source)
    for count in range(sys.maxsize):
        a, b = next(films, None), next(sources, None)
        if a is None and b is None:
            return
        if a is None or b is None:
            shorter, longer = ("film", "source") if a is None else ("source", "film")
            raise DreamVideoError(
                f"the {shorter} ends after {count} frames but the {longer} continues: "
                "compare a film with the clip it was made from, "
                "with the render's --start, --end and --fps"
            )
        yield _measure_pair(a, b, max_width)


def _measure_pair(film: Frame, source: Frame, max_width: int) -> Pair:
    height, width = film.shape[:2]
    # Encoders pad odd sizes by a line that the source need not have.
    if abs(width / height / (source.shape[1] / source.shape[0]) - 1) > 2 / min(width, height):
        raise DreamVideoError(
            f"the film is {width}x{height} but its source {source.shape[1]}x{source.shape[0]}: "
            "compare a film with the clip it was made from"
        )
    shrink = min(1.0, max_width / width)
    shape = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    return Pair(resize(film, shape, "area"), resize(source, shape, "area"))


def _measure_errors(found: Iterable[tuple[Mean, Mean] | None]) -> Errors | None:
    both = [pair for pair in found if pair is not None]
    film = sum((pair[0] for pair in both), Mean())
    source = sum((pair[1] for pair in both), Mean())
    if not film.weight:
        return None
    ratio = film.value / source.value if source.value > 0 else math.inf
    return Errors(film.value, source.value, ratio)


def _measure_trail(seen: list[Observation]) -> float | None:
    if _average(o.uncovered for o in seen) < LEAST_UNCOVERED:
        return None
    left, dragged = (sum((o.trails[kind] for o in seen), Mean()) for kind in (0, 1))
    return max(left.value, dragged.value) if left.weight and dragged.weight else None


def _measure_drifts(stats: list[FrameStats]) -> Drifts:
    quarter = max(1, len(stats) // 4)

    def drift(figure: Callable[[FrameStats], float]) -> Drift:
        return Drift(
            _average(map(figure, stats[:quarter])), _average(map(figure, stats[-quarter:]))
        )

    return Drifts(
        strength=drift(lambda seen: seen.strength),
        contrast=drift(lambda seen: seen.contrast),
        brightness=drift(lambda seen: seen.brightness),
        saturation=drift(lambda seen: seen.saturation),
        clipped=drift(lambda seen: seen.clipped),
    )


def _average(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
