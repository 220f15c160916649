"""All that is settled about a zoom before its first frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.motion.camera import Move, Path, travel
from dreamvideo.motion.paths import scheduled
from dreamvideo.render.zoom.hold import Character
from dreamvideo.render.zoom.stages import Part
from dreamvideo.schedules import Moment
from dreamvideo.settings import Look, ZoomSettings
from dreamvideo.settings.changes import dream_of


@dataclass(frozen=True)
class Voyage:
    """All that a frame of a zoom depends on besides the frame before it.

    ``moves`` lead from each frame to the next, ``characters`` are what each of ``parts`` holds
    the picture to, ``dream`` is the still's. Of a ``closed`` film ``opening`` holds the frames
    that come before the first one: they emerge again at its end. ``goal`` is the picture that it
    ends on. ``look`` is there where numbers change over time.
    """

    still: Image
    parts: tuple[Part, ...]
    settings: ZoomSettings
    rate: Fraction
    moves: tuple[Move, ...]
    characters: tuple[Character, ...]
    dream: Image
    closed: bool = False
    opening: tuple[Image, ...] = ()
    goal: Image | None = None
    look: Look | None = None

    @property
    def count(self) -> int:
        """Frames of the film."""
        return len(self.moves)

    @property
    def length(self) -> float:
        """Seconds of the film."""
        return float(self.count / self.rate)

    def moment(self, index: int) -> Moment:
        """When frame ``index`` is shown, of a closed film that of its present round."""
        number = index % self.count if self.closed else index
        return Moment(float(number / self.rate), self.length, float(self.rate))

    def settings_at(self, moment: Moment) -> ZoomSettings:
        """The camera's settings at a moment."""
        return self.settings if self.look is None else self.look.at(moment).zoom

    def dreamer_at(self, part: Part, moment: Moment) -> tuple[Dreamer, float]:
        """Who dreams a part at a moment, and the strength of the dream."""
        if self.look is None:
            return part.dreamer.at(moment=moment), part.dreamer.settings.strength
        dream = dream_of(part.stage, self.look.at(moment).dream)
        return part.dreamer.at(dream, moment), dream.strength

    @cached_property
    def travelled(self) -> tuple[Move, ...]:
        """From frame 0 to each frame, the one after the last included."""
        return tuple(accumulate(self.moves, Move.then, initial=Move()))

    @cached_property
    def goal_character(self) -> Character | None:
        """The character of the picture it ends on."""
        return None if self.goal is None else Character.of(self.goal)

    def since_start(self, index: int) -> Move:
        """From frame 0 to any frame, also of a closed film's next round."""
        rounds, rest = divmod(index, self.count)
        whole = Move()
        for _ in range(rounds):
            whole = whole.then(self.travelled[-1])
        return whole.then(self.travelled[rest])

    def onward(self, index: int, until: int) -> Move:
        """From frame ``index`` to frame ``until`` (0 to ``count``)."""
        return self.travelled[index].inverse().then(self.travelled[until])


def camera_path(
    settings: ZoomSettings, length: float, rate: Fraction, *, closed: bool = False
) -> Path:
    """The camera at each time of a film of ``length`` seconds, over and over if ``closed``."""
    rates = (settings.magnification, settings.rotate, settings.pan, settings.centre)
    return scheduled(*rates, length, float(rate), closed=closed)


def moves_along(path: Path, times: Sequence[float], width: int, height: int) -> tuple[Move, ...]:
    """What the camera does from each of ``times`` (seconds) to the next."""
    return tuple(travel(width, height, path, begin, end) for begin, end in pairwise(times))


def grown(moves: Sequence[Move]) -> float:
    """By how much all the moves together magnify."""
    return math.prod(move.growth for move in moves)
