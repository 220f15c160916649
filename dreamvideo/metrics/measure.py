"""Measure a film file against its source, optionally compared with independent dreaming."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import tee
from pathlib import Path

import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import resize
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.round_trip import store_as
from dreamvideo.metrics.film_report import FilmReport, measure
from dreamvideo.metrics.pairing import Excerpt, FramePair, open_film_pair
from dreamvideo.render.dream_size import choose_dream_size, enlarge_dream
from dreamvideo.render.frames.carry import start_shot
from dreamvideo.render.frames.frame_plan import WeightedDream
from dreamvideo.render.frames.planner import make_dreamer
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.recipe import load_recorded_look
from dreamvideo.settings import DreamSettings, Look

# Each pair of frames dreamt alone costs two full dreams; this many are enough.
DEFAULT_PAIRS = 8


def measure_film(  # noqa: PLR0913  (public: one keyword per choice)
    film: Path | str,
    source: Path | str,
    *,
    start: str | None = None,
    end: str | None = None,
    fps: str | None = None,
    against_independent: bool = False,
    pairs: int = DEFAULT_PAIRS,
    dream: DreamSettings | None = None,
    independent: Callable[[int, Image], Image] | None = None,
    on_progress: OnProgress = silent,
) -> FilmReport:
    """Measure a film file against the clip that it was dreamt from.

    Each frame is compared with what the source shows at its time (``FilmPair``).

    Args:
        film: The film.
        source: The clip.
        start: ``--start`` of the render.
        end: ``--end`` of the render.
        fps: ``--fps`` of the render.
        against_independent: Whether to dream source frames alone, for comparison.
        pairs: Pairs of neighbouring frames to dream alone.
        dream: The settings for that; None: those that the film records.
        independent: ``independent(index, frame)`` gives a source frame dreamt alone, for a
            comparison without dreaming it here.
        on_progress: Called after each frame.

    Raises:
        MediaError: A file cannot be read.
        DreamVideoError: They have no frames in common.
    """
    film, source = Path(film), Path(source)
    opened = open_film_pair(film, source, Excerpt(start, end, fps))
    shown = opened.film
    recent = _Recent()
    alone = None
    if independent is not None:
        alone = _dream_recent(recent, independent)
    elif against_independent:
        settings = dream or load_recorded_look(film).dream
        make = make_alone_dreamer(settings, shown.pixel_format)
        alone = _dream_recent(recent, lambda _, frame: make(frame))
    frames = shown.frames or round(shown.duration * shown.rate)

    def report_each(stream: Iterator[FramePair]) -> Iterator[Image]:
        done = 0
        for done, pair in enumerate(stream, 1):
            yield to_float(pair.film.pixels)
            on_progress(Progress("measuring", "frame", done, max(done, frames)))
        if done < frames:
            # The file has fewer frames than it claims.
            on_progress(Progress("measuring", "frame", done, done))

    with closing(opened.pairs((shown.width, shown.height))) as stream:
        ours, theirs = tee(stream)
        sources = (to_float(pair.source.pixels) for pair in theirs if pair.source is not None)
        report = measure(
            report_each(ours),
            recent.passing(sources),
            independent=alone,
            sample=sample_frames(frames, pairs),
        )
    return replace(report, notes=tuple(opened.notes))


def sample_frames(frames: int, pairs: int) -> set[int]:
    """Return frames evenly spread over a film, without the first."""
    count = max(1, min(pairs, frames - 1))
    return {max(1, round(Fraction((2 * n + 1) * frames, 2 * count))) for n in range(count)}


class _Recent:
    """Passes frames on and keeps the last two, by number."""

    def __init__(self) -> None:
        self.frames: dict[int, Image] = {}

    def passing(self, frames: Iterator[Image]) -> Iterator[Image]:
        for index, frame in enumerate(frames):
            self.frames[index] = frame
            self.frames.pop(index - 2, None)
            yield frame


def _dream_recent(recent: _Recent, dream: Callable[[int, Image], Image]) -> Callable[[int], Image]:
    return lambda index: dream(index, recent.frames[index])


def make_alone_dreamer(settings: DreamSettings, pixel_format: str) -> Callable[[Image], Image]:
    """Return a function that dreams a frame alone, as the first of a shot.

    Args:
        settings: What to dream.
        pixel_format: The result is rounded as a file in this format would store it.
    """
    parts = (WeightedDream(make_dreamer(settings, Look(dream=settings))),)

    def dream(frame: Image) -> Image:
        size = choose_dream_size(settings.dream_size, (frame.shape[1], frame.shape[0]))
        small = resize(frame, size[::-1], "area")
        state, _ = start_shot(small, parts, np.ones(small.shape[:2], np.float32))
        dreamt = state.dream if small is frame else enlarge_dream(state.dream, small, frame)
        return to_float(store_as(to_bytes(dreamt), pixel_format))

    return dream
