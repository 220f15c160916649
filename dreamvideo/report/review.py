"""Measure a film and its source, and sample stills and previews, in one pass, constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from dreamvideo.errors import DreamVideoError
from dreamvideo.formatting import format_bytes
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixels import to_float
from dreamvideo.media.preview_encoder import Proxy, plays_everywhere
from dreamvideo.media.probe import MediaInfo
from dreamvideo.metrics.film_report import FilmReport, Observation, measure
from dreamvideo.metrics.frame_stats import FrameStats, Pair, measure_frame
from dreamvideo.metrics.pairing import FilmPair, FramePair
from dreamvideo.metrics.reference_flow import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.report.stills import Sheet, SheetFrame, Still, WorstFrames
from dreamvideo.settings.embed import Embed

# Wide enough to see flicker; estimating motion takes most of the time, per pixel.
MEASURED_WIDTH = 240
# Bits per second below which a film is not worth watching.
_LEAST_RATE = 60_000
_OVERSHOOT = 1.15
_SLOW = 2.0
# How many of each kind of worst frame are listed.
_LISTED = {"coherence": 4, "leap": 2, "brightness": 1, "saturation": 1, "slow": 1}
# Smaller deviations would not be seen.
_SEEN = {"coherence": 1e-5, "leap": 0.005, "brightness": 0.02, "saturation": 0.02, "slow": 0.0}
# Sources become lighter and darker by themselves.
_LEAP_ALONE = 0.05

Series = dict[str, list[float | None]]
Seconds = Sequence[float | None]


@dataclass(frozen=True)
class Clip:
    """An MP4 to play in the page; ``proxy`` says how it differs from the file, or is empty."""

    data: bytes
    proxy: str = ""


@dataclass(frozen=True)
class Review:
    """Everything about a film; ``times`` and ``series`` have one value per frame.

    ``times`` are seconds in the embedded film. ``series``: see ``FrameStats`` for strength,
    brightness and saturation (of the film alone if there is no source); ``error`` and
    ``source_error`` are warping errors, None where a shot starts; ``seconds`` is the time a frame
    took to dream.
    """

    film: MediaInfo
    source: MediaInfo | None
    measured: tuple[int, int]
    times: list[float]
    series: Series
    cuts: tuple[int, ...]
    figures: FilmReport | None
    sheet: list[Still]
    worst: list[SheetFrame]
    film_clip: Clip | None
    source_clip: Clip | None
    notes: tuple[str, ...]


def review(
    reels: FilmPair,
    *,
    embed: Embed,
    seconds: Seconds = (),
    on_progress: OnProgress = silent,
) -> Review:
    """Measure and sample every frame of a film.

    Args:
        reels: The film and its source.
        embed: How films are embedded.
        seconds: Time each frame took to dream.
        on_progress: Called after each frame.

    Raises:
        MediaError: A file cannot be read.
        DreamVideoError: The film has no frames.
    """
    with TemporaryDirectory(prefix="dreamvideo-report-") as folder, ExitStack() as stack:
        collector = _ReviewCollector(reels, embed, Path(folder), seconds, on_progress)
        pairs = collector.read_pairs(stack)
        if reels.source is None:
            figures = None
            collector.measure_without_source(pairs)
        else:
            a, b = tee(pairs)
            figures = measure(
                (to_float(pair.film.pixels) for pair in a),
                (to_float(pair.source.pixels) for pair in b if pair.source is not None),
                max_width=MEASURED_WIDTH,
                on_frame=collector.record,
            )
        stack.close()
        return collector.review(figures)


@dataclass
class _ReviewCollector:
    """Passes frames on to the preview encoders, the contact sheet and the list of worst frames."""

    reels: FilmPair
    embed: Embed
    folder: Path
    seconds: Seconds
    on_progress: OnProgress
    times: list[float] = field(default_factory=list)
    series: Series = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measured: tuple[int, int] = (0, 0)
    sheet: Sheet = field(default_factory=Sheet)

    def __post_init__(self) -> None:
        apart = max(2, round(self.reels.film.rate / 2))
        self.worst = {kind: WorstFrames(count, apart) for kind, count in _LISTED.items()}
        self.typical = median([s for s in self.seconds if s is not None] or [0.0])
        rate = self.embed.most_bytes * 8 / self.reels.seconds if self.reels.seconds else None
        self.embedded = self.embed.height > 0 and (rate is None or rate >= _LEAST_RATE)
        if self.embed.height > 0 and not self.embedded:
            self.notes.append(
                "the film is too long to be played in a page at "
                f"{format_bytes(self.embed.most_bytes)}: this one has only "
                "figures and stills; --embed-size allows more"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) at which both are read."""
        film = self.reels.film
        wide = float(film.width * film.sample_aspect)
        if self.embedded:
            height = min(film.height, self.embed.height)
        else:
            height = round(film.height * min(1.0, MEASURED_WIDTH / wide))
        return max(2, round(wide * height / film.height)), max(2, height)

    @property
    def as_it_is(self) -> bool:
        """Whether the film's own file is embedded in the page."""
        info = self.reels.film
        return (
            plays_everywhere(info)
            and info.sample_aspect == 1
            and info.path.stat().st_size <= self.embed.most_bytes
        )

    def read_pairs(self, stack: ExitStack) -> Iterator[FramePair]:
        """Yield all pairs, passing each to the preview encoders."""
        total = self.reels.film.frames
        begin = self.reels.start
        film = None if self.as_it_is else self._proxy(stack, "film", sound=True)
        source = self._proxy(stack, "source") if self.reels.source else None
        for pair in self.reels.pairs(self.size):
            index, time = len(self.times), pair.film.time + begin
            self.times.append(round(float(time), 6))
            self.pixels = pair.film.pixels
            self.sheet.watch(index, self.pixels)
            if film is not None:
                film.add(self.pixels, time)
            if source is not None and pair.source is not None:
                source.add(pair.source.pixels, time)
            yield pair
            self.on_progress(Progress("measuring", "frame", index + 1, total))

    def record(self, seen: Observation) -> None:
        """Record what ``measure`` found at the frame that has just passed."""
        errors = seen.errors.get(1)
        error = _value(errors[0].value) if errors else None
        own = _value(errors[1].value) if errors else None
        self.measured = seen.size[1], seen.size[0]
        strengths = self.series.get("strength", [])
        before = None if seen.cut or not strengths else strengths[-1]
        self._append_values(seen.stats, seen.cut, error, own)
        index = len(self.times) - 1
        if error is not None and own is not None:
            times = f", {error / own:.3g} x the source's" if own > 0 else ""
            self._watch("coherence", error - own, f"flickers: warping error {error:.2g}{times}")
        now = seen.stats.strength
        if before is not None:
            self._watch("leap", abs(now - before), f"strength jumps from {before:.3g} to {now:.3g}")
        for kind, words in (("brightness", "brighter darker"), ("saturation", "more less")):
            off = getattr(seen.stats, kind)
            word = words.split()[0 if off > 0 else 1]
            coloured = " colourful" if kind == "saturation" else ""
            self._watch(kind, abs(off), f"{word}{coloured} than the source by {abs(off):.3g}")
        self._watch_pace(index)

    def measure_without_source(self, pairs: Iterator[FramePair]) -> None:
        """Measure a film without a source."""
        before: Frame | None = None
        for pair in pairs:
            now = to_float(pair.film.pixels)
            cut = before is not None and is_cut(now, before)
            bright = self.series.get("brightness", [])
            last = bright[-1] if bright and not cut else None
            seen = measure_frame(Pair(now, np.zeros_like(now)))
            self._append_values(seen, cut, None, None)
            if last is not None and abs(seen.brightness - last) > _LEAP_ALONE:
                words = f"brightness jumps from {last:.3g} to {seen.brightness:.3g}"
                self._watch("leap", abs(seen.brightness - last), words)
            self._watch_pace(len(self.times) - 1)
            self.measured = now.shape[1], now.shape[0]
            before = now
        if before is None:
            raise DreamVideoError(f"{escape_text(self.reels.film.path)}: no frame could be decoded")

    def review(self, figures: FilmReport | None) -> Review:
        """Return everything recorded, after the last frame and when the previews are complete."""
        # A film that was reduced to a maximum size lacks some of the frames that were dreamt.
        known = len(self.seconds) == len(self.times) and any(s is not None for s in self.seconds)
        self.series["seconds"] = list(self.seconds) if known else []
        worst = [moment for kind in self.worst.values() for moment in kind.moments]
        film, source = self._clip("film"), self._clip("source")
        if self.reels.source is None or film is None:
            source = None
        return Review(
            self.reels.film,
            self.reels.source,
            self.measured,
            self.times,
            self.series,
            tuple(self.cuts),
            figures,
            self.sheet.stills,
            worst,
            film,
            source,
            tuple(dict.fromkeys([*self.reels.notes, *self.notes])),
        )

    def _append_values(
        self, seen: FrameStats, cut: bool, error: float | None, own: float | None
    ) -> None:
        values = {"brightness": seen.brightness, "saturation": seen.saturation}
        found: dict[str, float | None] = {**values}
        if self.reels.source is not None:
            found |= {"strength": seen.strength, "error": error, "source_error": own}
        for name, value in found.items():
            rounded = None if value is None else float(f"{value:.5g}")
            self.series.setdefault(name, []).append(rounded)
        if cut:
            self.cuts.append(len(self.times) - 1)

    def _watch(self, kind: str, badness: float, why: str) -> None:
        if badness > _SEEN[kind]:
            self.worst[kind].watch(badness, len(self.times) - 1, why, self.pixels)

    def _watch_pace(self, index: int) -> None:
        # The first one loads the network.
        took = self.seconds[index] if 0 < index < len(self.seconds) else None
        if took is not None and took > _SLOW * self.typical > 0:
            why = f"took {took:.2g} s, {took / self.typical:.2g} x the usual {self.typical:.2g} s"
            self._watch("slow", took, why)

    def _proxy(self, stack: ExitStack, name: str, *, sound: bool = False) -> Proxy | None:
        if not self.embedded:
            return None
        film = self.reels.film
        heard = film.path if sound and film.audio else None
        path = self.folder / f"{name}.mp4"
        most = self.embed.most_bytes
        return stack.enter_context(
            Proxy(path, seconds=self.reels.seconds, most_bytes=most, sound_of=heard)
        )

    def _clip(self, name: str) -> Clip | None:
        if not self.embedded:
            return None
        if name == "film" and self.as_it_is:
            return Clip(self.reels.film.path.read_bytes())
        path = self.folder / f"{name}.mp4"
        if not path.exists():
            return None
        if path.stat().st_size > _OVERSHOOT * self.embed.most_bytes:
            self.notes.append(f"the {name} cannot be made small enough to be played in the page")
            return None
        return Clip(path.read_bytes(), f"{self.size[0]} x {self.size[1]}, compressed again")


def _value(found: float) -> float | None:
    return found if np.isfinite(found) else None
