"""Prepare a ``ZoomPlan`` from a still and settings, and dream the opening of a loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import CameraPath
from dreamvideo.render.frames.planner import SoundSource
from dreamvideo.render.zoom.loop_rate import SHORTEST_LOOP, measure_opening, plan_moves
from dreamvideo.render.zoom.plan import ZoomPlan, list_moves, total_growth
from dreamvideo.render.zoom.stages import StageDreamer
from dreamvideo.render.zoom.statistics import ImageStatistics
from dreamvideo.render.zoom.step import dream_first_frame, dream_next_frame
from dreamvideo.settings import Look, ZoomSettings

# Frames that precede the start of a loop, and their total magnification.
SETTLING_FRAMES = 15
SETTLING_GROWTH = 1.25


def prepare_zoom(
    still: Image,
    parts: Sequence[StageDreamer],
    settings: ZoomSettings,
    rate: Fraction,
    *,
    closed: bool = False,
    goal: Image | None = None,
    look: Look | None = None,
    sound: SoundSource | None = None,
) -> ZoomPlan:
    """Plan a zoom.

    Args:
        still: H x W x 3 in [-1, 1], the picture it starts from.
        parts: Dreamers of the stages.
        settings: The camera's settings.
        rate: Frames per second.
        closed: Whether the film leads back into its own beginning.
        goal: A picture of the same size that the film ends on.
        look: The look that ``settings`` belong to; needed where its values change.
        sound: The sound that it follows.

    Raises:
        UsageError: The film grows too little, or has too few frames.
    """
    height, width = still.shape[:2]
    path, moves = plan_moves(settings, rate, width, height, closed=closed)
    count = len(moves)
    if goal is not None and total_growth(moves[:-1]) <= 1:
        raise UsageError("a zoom arrives at a picture by growing: --rate must be above 1")
    if closed and count < SHORTEST_LOOP:
        raise UsageError(f"a loop has {SHORTEST_LOOP} frames or more: raise --seconds or --fps")
    opening = measure_opening(moves, width, height) if closed else 0
    changing = look if look is not None and look.over_time else None
    plan = ZoomPlan(
        *(still, tuple(parts), settings, rate, moves, (), still, closed),
        goal=goal,
        look=changing,
        sound=sound,
    )
    if changing is not None:
        changing.check(plan.moment(index) for index in range(count))
    dreams = [dream_first_frame(plan, part)[0] for part in parts]
    statistics = tuple(
        ImageStatistics.of(dream).make_goal(balanced=part.is_balanced)
        for part, dream in zip(parts, dreams, strict=True)
    )
    plan = replace(plan, statistics=statistics, dream=dreams[0])
    if not closed:
        return plan
    return replace(plan, opening=_dream_opening(plan, _settle_dream(plan, path), opening))


def _settle_dream(plan: ZoomPlan, path: CameraPath) -> Image:
    """Return the dream some frames later: a fresh one is finer than everything that follows it.

    The camera is slow meanwhile, so that the picture is still in view, but each frame dreams as
    much as any other.
    """
    height, width = plan.still.shape[:2]
    speed = abs(math.log(path(0).zoom))
    longest = SETTLING_FRAMES / float(plan.rate)
    seconds = min(longest, math.log(SETTLING_GROWTH) / max(speed, 1e-6))
    times = [seconds * n / SETTLING_FRAMES for n in range(SETTLING_FRAMES + 1)]
    growth = plan.settings.growth * longest / seconds
    slow = replace(
        plan,
        settings=plan.settings.model_copy(update={"growth": growth}),
        look=None,
        moves=list_moves(path, times, width, height),
        closed=False,
    )
    image = plan.dream
    for index in range(SETTLING_FRAMES):
        image = dream_next_frame(slow, index, image)[0]
    return image


def _dream_opening(plan: ZoomPlan, first: Image, length: int) -> tuple[Image, ...]:
    """Dream the first frames of a closed film, which come before its emitted ones."""
    frames = [first]
    for index in range(length - 1):
        frames.append(dream_next_frame(plan, index, frames[-1])[0])
    return tuple(frames)
