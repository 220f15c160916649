"""All that is settled about a zoom before its first frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.motion.camera import CameraPath, Similarity, travel
from dreamvideo.motion.camera_schedule import schedule_camera
from dreamvideo.render.zoom.stages import StageDreamer
from dreamvideo.render.zoom.statistics import ImageStatistics
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import Look, ZoomSettings
from dreamvideo.settings.derive import derive_dream


@dataclass(frozen=True)
class ZoomPlan:
    """All that a frame of a zoom depends on besides the frame before it.

    ``moves`` lead from each frame to the next, ``statistics`` are what each of ``parts`` holds
    the picture to, ``dream`` is the still's. Of a ``closed`` film ``opening`` holds the frames
    that come before the first one: they emerge again at its end. ``goal`` is the picture that it
    ends on. ``look`` is there where numbers change over time.
    """

    still: Image
    parts: tuple[StageDreamer, ...]
    settings: ZoomSettings
    rate: Fraction
    moves: tuple[Similarity, ...]
    statistics: tuple[ImageStatistics, ...]
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

    def moment(self, index: int) -> TimePoint:
        """When frame ``index`` is shown, of a closed film that of its present round."""
        number = index % self.count if self.closed else index
        return TimePoint(float(number / self.rate), self.length, float(self.rate))

    def settings_at(self, moment: TimePoint) -> ZoomSettings:
        """The camera's settings at a moment."""
        return self.settings if self.look is None else self.look.at(moment).zoom

    def dreamer_at(self, part: StageDreamer, moment: TimePoint) -> tuple[Dreamer, float]:
        """Who dreams a part at a moment, and the strength of the dream."""
        if self.look is None:
            return part.dreamer.at(moment=moment), part.dreamer.settings.strength
        dream = derive_dream(part.stage, self.look.at(moment).dream)
        return part.dreamer.at(dream, moment), dream.strength

    @cached_property
    def cumulative_transforms(self) -> tuple[Similarity, ...]:
        """From frame 0 to each frame, the one after the last included."""
        return tuple(accumulate(self.moves, Similarity.then, initial=Similarity()))

    @cached_property
    def goal_statistics(self) -> ImageStatistics | None:
        """The character of the picture it ends on."""
        return None if self.goal is None else ImageStatistics.of(self.goal)

    def since_start(self, index: int) -> Similarity:
        """From frame 0 to any frame, also of a closed film's next round."""
        rounds, rest = divmod(index, self.count)
        whole = Similarity()
        for _ in range(rounds):
            whole = whole.then(self.cumulative_transforms[-1])
        return whole.then(self.cumulative_transforms[rest])

    def transform_to(self, index: int, until: int) -> Similarity:
        """From frame ``index`` to frame ``until`` (0 to ``count``)."""
        return self.cumulative_transforms[index].inverse().then(self.cumulative_transforms[until])


def make_camera_path(
    settings: ZoomSettings, length: float, rate: Fraction, *, closed: bool = False
) -> CameraPath:
    """The camera at each time of a film of ``length`` seconds, over and over if ``closed``."""
    rates = (settings.magnification, settings.rotate, settings.pan, settings.centre)
    return schedule_camera(*rates, length, float(rate), closed=closed)


def list_moves(
    path: CameraPath, times: Sequence[float], width: int, height: int
) -> tuple[Similarity, ...]:
    """What the camera does from each of ``times`` (seconds) to the next."""
    return tuple(travel(width, height, path, begin, end) for begin, end in pairwise(times))


def total_growth(moves: Sequence[Similarity]) -> float:
    """By how much all the moves together magnify."""
    return math.prod(move.growth for move in moves)
