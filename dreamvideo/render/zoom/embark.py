"""(still, settings) -> a ``Voyage``, with the opening of a loop dreamt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import Move, Path, travel
from dreamvideo.render.zoom.frame import first_dream, frame_after
from dreamvideo.render.zoom.hold import Character
from dreamvideo.render.zoom.inset import FULL, LARGEST_START, covers
from dreamvideo.render.zoom.stages import Part
from dreamvideo.render.zoom.voyage import Voyage, camera_path, grown, moves_along
from dreamvideo.settings import Look, ZoomSettings

# Frames that a loop's beginning has behind it, and by how much they magnify together.
SETTLING_FRAMES = 15
SETTLING_GROWTH = 1.25
SHORTEST_LOOP = 3


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
    count = max(1, round(Fraction(settings.seconds) * rate))
    length = float(count / rate)
    path = camera_path(settings, length, rate, closed=closed)
    if closed and zooms_out(settings, rate):
        path = _reversed(path, length)
    moves = moves_along(path, [float(n / rate) for n in range(count + 1)], width, height)
    if goal is not None and grown(moves[:-1]) <= 1:
        raise UsageError("a zoom arrives at a picture by growing: --rate must be above 1")
    if closed and count < SHORTEST_LOOP:
        raise UsageError(f"a loop has {SHORTEST_LOOP} frames or more: raise --seconds or --fps")
    opening = _opening_length(moves, width, height) if closed else 0
    changing = look if look is not None and look.over_time else None
    voyage = Voyage(
        still, tuple(parts), settings, rate, moves, (), still, closed, goal=goal, look=changing
    )
    if changing is not None:
        changing.check(voyage.moment(index) for index in range(count))
    dreams = [first_dream(voyage, part)[0] for part in parts]
    characters = tuple(Character.of(dream).settled() for dream in dreams)
    voyage = replace(voyage, characters=characters, dream=dreams[0])
    if not closed:
        return voyage
    return replace(voyage, opening=_opening(voyage, _settled(voyage, path), opening))


def zooms_out(settings: ZoomSettings, rate: Fraction) -> bool:
    """Whether a closed film of these settings is made of one that zooms in, played backwards."""
    path = camera_path(settings, settings.seconds, rate, closed=True)
    return travel(2, 2, path, 0, settings.seconds).growth < 1


def _reversed(path: Path, length: float) -> Path:
    """The camera of the film played backwards."""
    return lambda seconds: path(length - seconds).backwards()


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


def _opening_length(moves: Sequence[Move], width: int, height: int) -> int:
    """Frames until the first that shows nothing but what frame 0 already did.

    Raises UsageError where what is left of the film is too short for frame 0 to emerge in.
    """
    needed = 1 / (FULL * LARGEST_START)
    for number, so_far in enumerate(accumulate(moves, Move.then), 1):
        if covers(so_far.inverse(), width, height):
            needed = so_far.growth / LARGEST_START
            if grown(moves) >= needed:
                return number
            break
    raise UsageError(
        f"a loop must grow {math.ceil(needed)} times so that its beginning can emerge, not "
        f"{grown(moves):.3g}: choose a faster --rate or more --seconds"
    )
