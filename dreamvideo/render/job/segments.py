"""Divide a film into segments that can be dreamt independently: the unit of work and retry.

Dreaming is sequential within a shot and independent between shots. A segment that begins where a
shot does is dreamt exactly as in a film in one piece. One that begins inside a shot starts some
frames earlier, and the film cross-fades over these from the dream before to this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

from pydantic import Field

from dreamvideo.media.read import SeekPoint
from dreamvideo.render.options import WARM_UP
from dreamvideo.settings.base import Settings


class Segment(Settings):
    """Frames ``first`` to ``first + count - 1`` of a film, dreamt in one go.

    Attributes:
        index: Number of the segment.
        first: Number of its first frame in the film.
        count: Number of frames; None means to the end.
        warm_up: Frames before ``first`` that are dreamt too.
        time: Time of the first warm-up frame in seconds, a fraction; set where the clip can be
            opened there.
        check: Checksum of that frame.
    """

    index: int = Field(ge=0)
    first: int = Field(default=0, ge=0)
    count: int | None = Field(default=None, ge=1)
    warm_up: int = Field(default=0, ge=0)
    time: str | None = None
    check: int | None = None

    @property
    def opening(self) -> SeekPoint | None:
        """Where the clip can be opened; None: only at its start."""
        if self.time is None or self.check is None:
            return None
        return SeekPoint(self.first - self.warm_up, Fraction(self.time), self.check)


WHOLE = (Segment(index=0),)
"""The plan of a film in one piece, of any length."""


def divide_shots(
    cuts: Sequence[int], frames: int, longest: int | None = None, warm_up: int = WARM_UP
) -> tuple[Segment, ...]:
    """Divide a film into segments.

    Shots of more than ``longest`` frames are divided evenly; every segment of a shot but the first
    begins ``warm_up`` frames earlier, as far as the shot reaches.

    Args:
        cuts: Numbers of the frames that start a shot, in addition to frame 0.
        frames: Number of frames of the film.
        longest: Most frames per segment; None: no limit.
        warm_up: Frames that a segment inside a shot dreams before its own.
    """
    found: list[Segment] = []
    for begin, end in pairwise([0, *cuts, frames]):
        parts = 1 if longest is None else max(1, -(-(end - begin) // longest))
        bounds = [begin + (end - begin) * n // parts for n in range(parts + 1)]
        for first, after in pairwise(bounds):
            segment = Segment(
                index=len(found),
                first=first,
                count=after - first,
                warm_up=min(warm_up, first - begin),
            )
            found.append(segment)
    return tuple(found)


def add_seek_points(
    segments: Iterable[Segment], frames: Sequence[SeekPoint]
) -> tuple[Segment, ...]:
    """Return the segments with the positions at which a clip of these frames can be opened."""
    found = []
    for segment in segments:
        begin = frames[segment.first - segment.warm_up]
        known = {"time": str(begin.time), "check": begin.check}
        found.append(segment.model_copy(update=known if begin.index else {}))
    return tuple(found)
