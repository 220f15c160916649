"""(still, settings) -> a ``Voyage``, with the opening of a loop dreamt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import Path
from dreamvideo.render.zoom.closing import SHORTEST_LOOP, opening_length, plan_moves
from dreamvideo.render.zoom.frame import first_dream, frame_after
from dreamvideo.render.zoom.hold import Character
from dreamvideo.render.zoom.stages import Part
from dreamvideo.render.zoom.voyage import Voyage, grown, moves_along
from dreamvideo.settings import Look, ZoomSettings

# Frames that a loop's beginning has behind it, and by how much they magnify together.
SETTLING_FRAMES = 15
SETTLING_GROWTH = 1.25


def embark(
    still: Image,
    parts: Sequence[Part],
    settings: ZoomSettings,
    rate: Fraction,
    *,
    closed: bool = False,
    goal: Image | None = None,
    look: Look | None = None,
) -> Voyage:
    """Settle everything about a zoom from ``still`` (H x W x 3 in [-1, 1]).

    ``rate`` is frames per second. A ``closed`` film leads into its own beginning; one with a
    ``goal`` (of the same size) ends on that picture. ``look`` is the one that ``settings`` are of,
    needed where its numbers change. Raises UsageError where it grows too little.
    """
    height, width = still.shape[:2]
    path, moves = plan_moves(settings, rate, width, height, closed=closed)
    count = len(moves)
    if goal is not None and grown(moves[:-1]) <= 1:
        raise UsageError("a zoom arrives at a picture by growing: --rate must be above 1")
    if closed and count < SHORTEST_LOOP:
        raise UsageError(f"a loop has {SHORTEST_LOOP} frames or more: raise --seconds or --fps")
    opening = opening_length(moves, width, height) if closed else 0
    changing = look if look is not None and look.over_time else None
    voyage = Voyage(
        still, tuple(parts), settings, rate, moves, (), still, closed, goal=goal, look=changing
    )
    if changing is not None:
        changing.check(voyage.moment(index) for index in range(count))
    dreams = [first_dream(voyage, part)[0] for part in parts]
    characters = tuple(
        Character.of(dream).settled(balanced=part.is_balanced)
        for part, dream in zip(parts, dreams, strict=True)
    )
    voyage = replace(voyage, characters=characters, dream=dreams[0])
    if not closed:
        return voyage
    return replace(voyage, opening=_opening(voyage, _settled(voyage, path), opening))


def _settled(voyage: Voyage, path: Path) -> Image:
    """The dream some frames later: a fresh one is finer than all that follows it.

    The camera is slow meanwhile, so that the picture is still there, but each frame dreams as much
    as any other.
    """
    height, width = voyage.still.shape[:2]
    speed = abs(math.log(path(0).zoom))
    longest = SETTLING_FRAMES / float(voyage.rate)
    seconds = min(longest, math.log(SETTLING_GROWTH) / max(speed, 1e-6))
    times = [seconds * n / SETTLING_FRAMES for n in range(SETTLING_FRAMES + 1)]
    growth = voyage.settings.growth * longest / seconds
    slow = replace(
        voyage,
        settings=voyage.settings.model_copy(update={"growth": growth}),
        look=None,
        moves=moves_along(path, times, width, height),
        closed=False,
    )
    image = voyage.dream
    for index in range(SETTLING_FRAMES):
        image = frame_after(slow, index, image)[0]
    return image


def _opening(voyage: Voyage, first: Image, length: int) -> tuple[Image, ...]:
    """The first frames of a closed film, which come before its emitted ones."""
    frames = [first]
    for index in range(length - 1):
        frames.append(frame_after(voyage, index, frames[-1])[0])
    return tuple(frames)
