"""Pair each film frame with what the source shows at that time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.read import Frame, ReadOptions, Source, open_source
from dreamvideo.media.sequence import SeriesOptions
from dreamvideo.parsing import parse_rate, parse_time

# Containers round times, animations to hundredths of a second.
_SLACK, _COARSE_SLACK = Fraction(1, 1000), Fraction(6, 1000)
_SHAPES_DIFFER = 0.04


@dataclass(frozen=True)
class Excerpt:
    """The part of a source that a film shows, as the render's own options."""

    start: str | None = None
    end: str | None = None
    fps: str | None = None
    fit: str | None = None

    @property
    def series(self) -> SeriesOptions:
        """How to read a folder of pictures: the film exists, so accept the folder as it is."""
        return SeriesOptions(hold_gaps=True, fit=self.fit or "crop")  # type: ignore[arg-type]

    @property
    def options(self) -> list[str]:
        """As words of a command line."""
        return [w for k, v in vars(self).items() if v is not None for w in (f"--{k}", v)]


@dataclass(frozen=True)
class FramePair:
    """A film frame and its source's at the same time; None if there is no source."""

    film: Frame
    source: Frame | None


@dataclass
class FilmPair:
    """A film and its source, if any, opened to be read in parallel once.

    ``notes`` are complete when the last pair has been read.
    """

    film: MediaInfo
    source: MediaInfo | None = None
    excerpt: Excerpt = field(default_factory=Excerpt)
    notes: list[str] = field(default_factory=list)

    @property
    def start(self) -> Fraction:
        """When the film's picture starts in its file, in seconds: possibly later than its sound."""
        return self.film.start

    @property
    def seconds(self) -> float:
        """Approximate length of the film."""
        return float(self.film.duration) or (self.film.frames or 0) / float(self.film.rate)

    def pairs(self, size: tuple[int, int]) -> Generator[FramePair, None, None]:
        """Yield both, frame by frame, at this (width, height). Raises MediaError."""
        with ExitStack() as stack:
            sequence = self.film.kind == "sequence" and self.source is not None
            fps = self.source.rate if sequence and self.source else None
            film = stack.enter_context(open_source(self.film.path, ReadOptions(size=size, fps=fps)))
            if self.source is None:
                yield from (FramePair(frame, None) for frame in film)
            else:
                source = stack.enter_context(self._open_source(size))
                yield from self._match_frames(film, source)
                self._note_damage(source)
            self._note_damage(film)

    def _open_source(self, size: tuple[int, int]) -> Source:
        assert self.source is not None
        rate = parse_rate(self.excerpt.fps) if self.excerpt.fps else None
        if rate is None and self.source.kind == "sequence":
            rate = self.film.rate
        named = rate or self.source.rate
        start, end = self.excerpt.start, self.excerpt.end
        return open_source(
            self.source.path,
            ReadOptions(
                start=parse_time(start, "--start", named) if start else None,
                end=parse_time(end, "--end", named) if end else None,
                size=size,
                fps=rate,
                series=self.excerpt.series,
            ),
        )

    def _match_frames(self, film: Source, source: Source) -> Iterator[FramePair]:
        slack = _COARSE_SLACK if self.film.kind == "animation" else _SLACK
        frames = iter(source)
        now = next(frames, None)
        if now is None:
            raise MediaError(
                f"{escape_text(source.info.path)}: no frame could be decoded in that range"
            )
        begin, count = now.time, 0
        for frame in film:
            moment = begin + frame.time
            while now is not None and moment + min(slack, now.duration / 4) >= _end(now):
                now = next(frames, None)
            if now is None:
                break
            yield FramePair(frame, now)
            count += 1
        else:
            if self.excerpt.start is None and len(list(islice(frames, 2))) == 2:
                self.notes.append(
                    "the source continues after the film ends; if the film starts later in it, "
                    "give the render's --start here too"
                )
            return
        self.notes.append(
            f"the source ends after the film's first {count} frames: what comes later is not "
            "measured or compared"
        )

    def _note_damage(self, reel: Source) -> None:
        self.notes += [f"{escape_text(reel.info.path.name)}: {line}" for line in reel.notes]


def find_source(source: Path | None, excerpt: Excerpt) -> MediaInfo | None:
    """Probe the source, if there is one. Raises MediaError."""
    return None if source is None else probe(source, excerpt.series)


def open_film_pair(film: Path, source: Path | None, excerpt: Excerpt) -> FilmPair:
    """Probe a film and its source.

    Args:
        film: The film.
        source: The source, if any.
        excerpt: The part of the source that the film shows.

    Raises:
        MediaError: A file is not a film.
        UsageError: An excerpt is given without a source.
    """
    if source is None and excerpt != Excerpt():
        raise UsageError(
            f"{' '.join(excerpt.options)}: selects a part of a source; give the source too"
        )
    found = FilmPair(probe(film), find_source(source, excerpt), excerpt)
    info, origin = found.film, found.source
    if origin is None:
        return found
    if film.exists() and source is not None and film.samefile(source):
        found.notes.append("film and source are the same file")
    shape, original = info.width / info.height, origin.width / origin.height
    if abs(shape / original - 1) > max(_SHAPES_DIFFER, 2 / min(info.width, info.height)):
        found.notes.append(
            f"film and source have different shapes ({info.width} x {info.height}, "
            f"{origin.width} x {origin.height}): the source is shown and measured in the film's"
        )
    rate = parse_rate(excerpt.fps) if excerpt.fps else origin.rate
    sequences = "sequence" in (info.kind, origin.kind)
    if not sequences and abs(info.rate / rate - 1) > Fraction(1, 100):
        found.notes.append(
            f"film and source have different rates ({float(info.rate):.4g} and "
            f"{float(rate):.4g} frames a second): each film frame is compared with what the source "
            "shows at its time"
        )
    return found


def _end(frame: Frame) -> Fraction:
    return frame.time + frame.duration
