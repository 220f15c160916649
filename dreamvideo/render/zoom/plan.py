"""Everything about a zoom that is settled before its first frame."""

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
from dreamvideo.render.frames.planner import SoundSource
from dreamvideo.render.zoom.stages import StageDreamer
from dreamvideo.render.zoom.statistics import ImageStatistics
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import Look, ZoomSettings
from dreamvideo.settings.derive import derive_dream


@dataclass(frozen=True)
class ZoomPlan:
    """Everything that a frame of a zoom depends on, except the frame before it.

    Attributes:
        still: H x W x 3 in [-1, 1], the picture the zoom starts from.
        parts: Dreamers of the stages.
        settings: The camera's settings.
        rate: Frames per second.
        moves: Camera moves from each frame to the next.
        statistics: What each of ``parts`` holds the picture to.
        dream: H x W x 3 in [-1, 1], the dream of the still.
        closed: Whether the film is a loop.
        opening: Of a loop, the frames before the first emitted one; they emerge again at its end.
        goal: The picture that the film ends on.
        look: The look, where its values change over time.
        sound: The sound that it follows.
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
    sound: SoundSource | None = None

    @property
    def count(self) -> int:
        """Number of frames of the film."""
        return len(self.moves)

    @property
    def length(self) -> float:
        """Length of the film in seconds."""
        return float(self.count / self.rate)

    def moment(self, index: int) -> TimePoint:
        """Return when frame ``index`` is shown; in a loop, within its current round."""
        number = index % self.count if self.closed else index
        seconds = float(number / self.rate)
        heard = {} if self.sound is None else self.sound.at(seconds)
        return TimePoint(seconds, self.length, float(self.rate), heard)

    def settings_at(self, moment: TimePoint) -> ZoomSettings:
        """Return the camera's settings at a time point."""
        return self.settings if self.look is None else self.look.at(moment).zoom

    def dreamer_at(self, part: StageDreamer, moment: TimePoint) -> tuple[Dreamer, float]:
        """Return the dreamer of a stage at a time point, and the strength of its dream."""
        if self.look is None:
            return part.dreamer.at(moment=moment), part.dreamer.settings.strength
        dream = derive_dream(part.stage, self.look.at(moment).dream)
        return part.dreamer.at(dream, moment), dream.strength

    @cached_property
    def cumulative_transforms(self) -> tuple[Similarity, ...]:
        """From frame 0 to each frame, including the one after the last."""
        return tuple(accumulate(self.moves, Similarity.then, initial=Similarity()))

    @cached_property
    def goal_statistics(self) -> ImageStatistics | None:
        """Statistics of the picture that the film ends on."""
        return None if self.goal is None else ImageStatistics.of(self.goal)

    def since_start(self, index: int) -> Similarity:
        """Return the transform from frame 0 to any frame, also in the next round of a loop."""
        rounds, rest = divmod(index, self.count)
        whole = Similarity()
        for _ in range(rounds):
            whole = whole.then(self.cumulative_transforms[-1])
        return whole.then(self.cumulative_transforms[rest])

    def transform_to(self, index: int, until: int) -> Similarity:
        """Return the transform from frame ``index`` to frame ``until`` (0 to ``count``)."""
        return self.cumulative_transforms[index].inverse().then(self.cumulative_transforms[until])


def make_camera_path(
    settings: ZoomSettings, length: float, rate: Fraction, *, closed: bool = False
) -> CameraPath:
    """Return the camera at each time of a film.

    Args:
        settings: The zoom's settings.
        length: Length in seconds.
        rate: Frames per second.
        closed: Whether the film repeats.
    """
    rates = (settings.magnification, settings.rotate, settings.pan, settings.centre)
    return schedule_camera(*rates, length, float(rate), closed=closed)


def list_moves(
    path: CameraPath, times: Sequence[float], width: int, height: int
) -> tuple[Similarity, ...]:
    """Return the camera's moves from each time to the next.

    Args:
        path: The camera at each time.
        times: Times in seconds.
        width: Width in pixels.
        height: Height in pixels.
    """
    return tuple(travel(width, height, path, begin, end) for begin, end in pairwise(times))


def total_growth(moves: Sequence[Similarity]) -> float:
    """Return the magnification of all moves together."""
    return math.prod(move.growth for move in moves)
