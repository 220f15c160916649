"""What a clip's render reads: which frames of which file, at which size and rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from dreamvideo.media.audio import chosen_tracks
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.read import Opening, Source, open_source
from dreamvideo.media.sequence import STRICT, SeriesOptions
from dreamvideo.parsing import parse_rate, parse_size, parse_time
from dreamvideo.settings import OutputSettings

Request = Mapping[str, str | None]


@dataclass(frozen=True)
class Footage:
    """A clip, ``begin`` to ``end`` seconds, at ``size`` (width, height) and ``rate``.

    ``resampled`` says that the rate is not the clip's own.
    """

    info: MediaInfo
    begin: Fraction
    end: Fraction | None
    size: tuple[int, int]
    rate: Fraction
    resampled: bool
    wanted: OutputSettings
    series: SeriesOptions = STRICT

    @property
    def expected(self) -> int | None:
        """How many frames the container promises for the range."""
        if not self.info.duration:
            return None
        if self.info.ticks:
            times = [tick / self.rate for tick in self.info.ticks]
            end = self.info.duration if self.end is None else self.end
            return max(1, sum(self.begin <= time < end for time in times))
        until = self.info.duration if self.end is None else min(self.end, self.info.duration)
        return max(1, round((until - self.begin) * self.rate))

    def open(self, opening: Opening | None = None) -> Source:
        """One pass over all the frames, counted from 0, or over those from an opening on.

        Raises MediaError, UsageError.
        """
        return open_source(
            self.info.path,
            start=self.begin,
            end=self.end,
            size=self.size,
            fps=self.rate if self.resampled else None,
            background=self.wanted.background_color,
            deep=self.wanted.depth > 8,
            keep_alpha=True,
            opening=opening,
            series=self.series,
        )


def footage(clip: Path, request: Request, wanted: OutputSettings) -> Footage:
    """What is to be read of a clip for a request with ``start``, ``end``, ``size`` and so on.

    Raises MediaError for what is no clip, UsageError for what makes no sense.
    """
    series = series_of(request)
    info = probe(clip, series)
    start, end, size, fps = (request.get(name) for name in ("start", "end", "size", "fps"))
    rate = parse_rate(fps) if fps else info.rate
    if info.kind == "sequence":
        info = info.at_rate(rate)
    # What a look follows is the sound that is kept; where none is, it is still heard.
    info = replace(info, audio=chosen_tracks(info, wanted.audio_track))
    return Footage(
        info,
        parse_time(start, "--start", rate) if start else Fraction(0),
        parse_time(end, "--end", rate) if end else None,
        parse_size(size, info.width, info.height) if size else (info.width, info.height),
        rate,
        bool(fps),
        wanted,
        series,
    )


def series_of(request: Request) -> SeriesOptions:
    """What a request says that a folder of pictures may lack. Raises UsageError."""
    return SeriesOptions(bool(request.get("hold_gaps")), request.get("fit"))  # type: ignore[arg-type]
