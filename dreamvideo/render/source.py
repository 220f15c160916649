"""The source of a clip's render: which frames of which file, at which size and rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.media.audio import choose_tracks
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import Color, MediaInfo, probe
from dreamvideo.media.read import Frame, ReadOptions, SeekPoint, Source, open_source
from dreamvideo.media.sequence import STRICT, SeriesOptions
from dreamvideo.parsing import parse_rate, parse_size, parse_time
from dreamvideo.settings import OutputSettings


@dataclass(frozen=True)
class ClipRequest:
    """What the user asks to read: a clip, a range of it, its size and rate.

    Args:
        clip: A film, an animation, or a folder (or pattern) of pictures.
        start: Time of the first frame: ``12.5``, ``1:02`` or ``48f``; None: the clip's own.
        end: Time at which it ends, likewise.
        size: As ``parse_size`` takes it; None: the clip's own.
        fps: Frames per second to resample to; None: the clip's own.
        hold_gaps: Whether numbers missing from a folder of pictures are filled.
        fit: How pictures of mixed sizes are made one size: crop, pad or stretch.
        own_light: Whether the frames are wanted in the clip's own light as well: HDR, or linear.

    Example:
        >>> ClipRequest(Path("bunny.mp4"), end="48f", size="320").to_json()["end"]
        '48f'
    """

    clip: Path
    start: str | None = None
    end: str | None = None
    size: str | None = None
    fps: str | None = None
    hold_gaps: bool = False
    fit: str | None = None
    own_light: bool = False

    def to_json(self) -> dict[str, str | None]:
        """Return the request as a manifest stores it; the clip's path is absolute."""
        return {
            "clip": str(self.clip.absolute()),
            "start": self.start,
            "end": self.end,
            "size": self.size,
            "fps": self.fps,
            "hold_gaps": "yes" if self.hold_gaps else None,
            "fit": self.fit,
            **({"own_light": "yes"} if self.own_light else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, str | None]) -> ClipRequest:
        """Return the request that ``to_json`` wrote."""
        return cls(
            Path(values.get("clip") or ""),
            values.get("start"),
            values.get("end"),
            values.get("size"),
            values.get("fps"),
            bool(values.get("hold_gaps")),
            values.get("fit"),
            bool(values.get("own_light")),
        )

    @property
    def series(self) -> SeriesOptions:
        """What a folder of pictures may lack. Raises UsageError."""
        return SeriesOptions(self.hold_gaps, self.fit)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ClipRange:
    """A clip, from ``begin`` to ``end`` seconds, at ``size`` (width, height) and ``rate``.

    ``resampled`` is whether the rate differs from the clip's own; ``own_light`` the colour tags of
    the clip's own light, if its frames are delivered in that too.
    """

    info: MediaInfo
    begin: Fraction
    end: Fraction | None
    size: tuple[int, int]
    rate: Fraction
    resampled: bool
    wanted: OutputSettings
    series: SeriesOptions = STRICT
    own_light: Color | None = None

    @property
    def varies(self) -> bool:
        """Whether its frames have no constant rate."""
        return self.info.variable_rate and not self.resampled

    @property
    def stored_bits(self) -> int:
        """Bits per channel with which its dreamt frames are stored."""
        return 8 if self.wanted.bits == 8 and self.own_light is None else 16

    @property
    def expected(self) -> int | None:
        """Number of frames that the container promises for the range; None if unknown."""
        if not self.info.duration:
            return None
        if self.info.ticks:
            times = [tick / self.rate for tick in self.info.ticks]
            end = self.info.duration if self.end is None else self.end
            return max(1, sum(self.begin <= time < end for time in times))
        until = self.info.duration if self.end is None else min(self.end, self.info.duration)
        return max(1, round((until - self.begin) * self.rate))

    def open(self, opening: SeekPoint | None = None) -> Source:
        """Open one pass over all frames, counted from 0, or over those from a seek point on.

        Raises MediaError, UsageError.
        """
        return open_source(self.info.path, self.read_options, opening=opening)

    @property
    def read_options(self) -> ReadOptions:
        """Which frames are read, and how."""
        return ReadOptions(
            start=self.begin,
            end=self.end,
            size=self.size,
            fps=self.rate if self.resampled else None,
            background=self.wanted.background_color,
            deep=self.wanted.bits > 8,
            keep_alpha=True,
            series=self.series,
            own_light=self.own_light,
        )

    def read_first(self) -> Frame:
        """Return the first frame. Raises MediaError, UsageError."""
        with self.open() as source:
            for frame in source:
                return frame
        raise MediaError(f"{escape_text(self.info.path)}: no frame could be decoded in that range")


def open_clip_range(request: ClipRequest, wanted: OutputSettings) -> ClipRange:
    """Resolve a request: probe its clip, parse its times, size and rate.

    Args:
        request: What to read.
        wanted: The output's settings; they choose the sound track, depth and background.

    Returns:
        The range; nothing is decoded yet.

    Raises:
        MediaError: The clip cannot be read.
        UsageError: The request makes no sense.
    """
    return make_clip_range(probe(request.clip, request.series), request, wanted)


def make_clip_range(info: MediaInfo, request: ClipRequest, wanted: OutputSettings) -> ClipRange:
    """Resolve a request for a film that was probed already, as ``open_clip_range`` does."""
    start, end, size, fps = request.start, request.end, request.size, request.fps
    rate = parse_rate(fps) if fps else info.rate
    if info.kind == "sequence":
        info = info.at_rate(rate)
    # A look follows the sound track that is kept; if none is kept, it can still follow one.
    info = replace(info, audio=choose_tracks(info, wanted.audio_track))
    return ClipRange(
        info,
        parse_time(start, "--start", rate) if start else Fraction(0),
        parse_time(end, "--end", rate) if end else None,
        parse_size(size, info.width, info.height) if size else (info.width, info.height),
        rate,
        bool(fps),
        wanted,
        request.series,
        info.own_light if request.own_light else None,
    )
