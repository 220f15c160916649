"""(scene cuts, frames) -> parts of a film that can be dreamt apart: the unit of work and retry.

Dreaming is sequential within a shot and independent between shots. A part that begins where a
shot does is dreamt exactly as in a film in one piece; one that begins inside a shot starts some
frames earlier, over which the film goes over from the dream before to this one's.
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
    """Frames ``first`` to ``first + count - 1`` (``count`` None: to the end) of a film.

    They are dreamt in one go, and ``warm_up`` frames before them too. ``time`` (s, a fraction) and
    ``check`` are those of the first of them all, where the clip may be opened at it.
    """

    index: int = Field(ge=0)
    first: int = Field(default=0, ge=0)
    count: int | None = Field(default=None, ge=1)
    warm_up: int = Field(default=0, ge=0)
    time: str | None = None
    check: int | None = None

    @property
    def opening(self) -> SeekPoint | None:
        """Where the clip may be opened; None: at its start alone."""
        if self.time is None or self.check is None:
            return None
        return SeekPoint(self.first - self.warm_up, Fraction(self.time), self.check)


WHOLE = (Segment(index=0),)
"""The plan of a film in one piece, however long it is."""


def divide_shots(
    cuts: Sequence[int], frames: int, longest: int | None = None, warm_up: int = WARM_UP
) -> tuple[Segment, ...]:
    """Segments of a film of ``frames`` frames whose shots begin at frame 0 and at ``cuts``.

    Shots of more than ``longest`` frames are divided evenly; every part of one but the first
    begins ``warm_up`` frames earlier, as far as the shot does.
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
    """The same segments, which know where of a clip of these frames they begin."""
    found = []
    for segment in segments:
        begin = frames[segment.first - segment.warm_up]
        known = {"time": str(begin.time), "check": begin.check}
        found.append(segment.model_copy(update=known if begin.index else {}))
    return tuple(found)
