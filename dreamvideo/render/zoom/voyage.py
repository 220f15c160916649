"""(everything that is settled, frame n) -> frame n + 1 of an endless zoom.

A frame is a function of the ``Voyage`` and of the frame before it as its file holds it, so a zoom
goes on exactly from any stored frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import Camera, Move, Path, travel
from dreamvideo.motion.warp import inside, warp
from dreamvideo.render.carry import as_stored, blurred
from dreamvideo.render.zoom.beyond import extended
from dreamvideo.render.zoom.hold import Character, held, per_frame
from dreamvideo.render.zoom.inset import FULL, SMALLEST, Inset, covers, emerging, smoothstep, within
from dreamvideo.render.zoom.stages import Part, shares
from dreamvideo.schedules import parse_schedule
from dreamvideo.settings import ZoomSettings

# Octaves a second that a still camera is taken to move.
SLOWEST = 0.1
# Octaves that travel by a frame's width counts as.
TRAVEL = 2.0
# How much more is dreamt in ground that is new at the edge, and how far from it (px at 320 wide).
FRESH = 5.0
FRESH_SIGMA = 5.0
# A loop's beginning is no larger than this, as a share of the frame, where it starts to emerge.
LARGEST_START = 0.15
# Seconds of zooming that a loop's beginning has behind it.
SETTLING = 0.6


@dataclass(frozen=True)
class Voyage:
    """All that a frame of a zoom depends on besides the frame before it.

    ``moves`` lead from each frame to the next, ``characters`` are what each of ``parts`` holds
    the picture to, ``dream`` is the still's. Of a ``closed`` film ``opening`` holds the frames
    that come before the first one: they emerge again at its end. ``goal`` is the picture that it
    ends on.
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

    @property
    def count(self) -> int:
        """Frames of the film."""
        return len(self.moves)

    @property
    def length(self) -> float:
        """Seconds of the film."""
        return float(self.count / self.rate)

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


def camera_path(settings: ZoomSettings, length: float, *, closed: bool = False) -> Path:
    """The camera at each time of a film of ``length`` seconds, over and over if ``closed``."""
    rate, rotate = parse_schedule(settings.rate), parse_schedule(settings.rotate)
    pan, centre = parse_schedule(settings.pan, 2), parse_schedule(settings.centre, 2)

    def at(seconds: float) -> Camera:
        now = seconds % length if closed else seconds
        (zoom,), (turn,) = rate.at(now, length), rotate.at(now, length)
        (right, down), (across, along) = pan.at(now, length), centre.at(now, length)
        return Camera(zoom, turn, (right, down), (across, along))

    return at


def embark(
    still: Image,
    parts: Sequence[Part],
    settings: ZoomSettings,
    rate: Fraction,
    *,
    closed: bool = False,
    goal: Image | None = None,
) -> Voyage:
    """Settle everything about a zoom from ``still`` (H x W x 3 in [-1, 1]).

    ``rate`` is frames per second. A ``closed`` film leads into its own beginning; one with a
    ``goal`` (of the same size) ends on that picture. Raises UsageError where it grows too little.
    """
    height, width = still.shape[:2]
    count = max(1, round(Fraction(settings.seconds) * rate))
    length = float(count / rate)
    path = camera_path(settings, length, closed=closed)
    times = [float(index / rate) for index in range(count + 1)]
    moves = _moves(path, times, width, height)
    if closed and _grown(moves) < 1:
        moves = _moves(lambda seconds: path(length - seconds).backwards(), times, width, height)
    if goal is not None and _grown(moves[:-1]) <= 1:
        raise UsageError("a zoom arrives at a picture by growing: --rate must be above 1")
    opening = _opening_length(moves, width, height) if closed else 0
    dreams = [as_stored(part.dreamer.dream(still).image) for part in parts]
    characters = tuple(Character.of(dream).settled() for dream in dreams)
    voyage = Voyage(
        still, tuple(parts), settings, rate, moves, characters, dreams[0], closed, goal=goal
    )
    return replace(voyage, opening=_opening(voyage, dreams[0], opening)) if closed else voyage


def zooms_out(settings: ZoomSettings) -> bool:
    """Whether a closed film of these settings is made of one that zooms in, played backwards."""
    path = camera_path(settings, settings.seconds, closed=True)
    return travel(2, 2, path, 0, settings.seconds).growth < 1


def begin(voyage: Voyage) -> tuple[Image, float]:
    """The first frame, as it is stored, and its objective: the still's dream."""
    if voyage.closed:
        return frame_after(voyage, len(voyage.opening) - 1, voyage.opening[-1])
    dreamt = voyage.parts[0].dreamer.dream(voyage.still)
    return as_stored(dreamt.image), dreamt.losses[-1]


def following(voyage: Voyage, number: int, image: Image) -> tuple[Image, float]:
    """Frame ``number + 1`` of the film, as it is stored, from ``number``, and its objective."""
    return frame_after(voyage, number + len(voyage.opening), image)


def frame_after(voyage: Voyage, index: int, image: Image) -> tuple[Image, float]:
    """Frame ``index + 1``, counted from where the camera starts, from frame ``index``."""
    height, width = image.shape[:2]
    settings = voyage.settings
    move = voyage.moves[index % voyage.count]
    flow = move.flow(width, height)
    start = warp(image, flow, border=settings.border)
    if settings.border == "mirror":
        start = extended(start, flow, voyage.dream, voyage.since_start(index + 1))
    inset = inset_of(voyage, index + 1)
    free = np.ones((height, width), np.float32) if inset is None else 1 - inset.mask
    work = free * _freshness(flow)
    seconds = float(((index + 1) % voyage.count if voyage.closed else index + 1) / voyage.rate)
    weights = shares(voyage.parts, seconds, voyage.length, voyage.closed)
    dream, loss = start if inset is None else inset.over(start), math.nan
    for part, share in zip(voyage.parts, weights, strict=True):
        if share > 0:
            steps, scale = effort(part, settings, move, image.shape[:2], voyage.rate)
            dreamt = part.dreamer.dream(
                dream, steps=steps, step_scale=scale * share * work, frame=index + 1
            )
            dream, loss = dreamt.image, dreamt.losses[-1]
    wanted = _wanted(voyage, weights, index + 1)
    pull = per_frame(settings.anchor, float(1 / voyage.rate))
    dream = held(dream, wanted, pull, None if inset is None else free)
    return dithered(dream if inset is None else inset.over(dream), index + 1), loss


def dithered(image: Image, index: int) -> Image:
    """``image`` as frame ``index``'s file holds it, rounded up or down at random.

    What is rounded to the nearest level again and again does not move at all where it is soft and
    the camera slow.
    """
    random = np.random.default_rng(index).random(image.shape, np.float32) - np.float32(0.5)
    return as_stored(image + random / np.float32(127.5))


def effort(
    part: Part, settings: ZoomSettings, move: Move, size: tuple[int, ...], rate: Fraction
) -> tuple[int, float]:
    """Steps an octave in a frame, and the factor on their size.

    ``growth`` fresh dreams are spread over the frames in which the picture grows (or shrinks) by
    one octave, so that a film looks the same at any frame rate. Travel over a picture of ``size``
    (height, width) counts as well, and any camera as a slow one: what stands still lives too.
    """
    dream = part.dreamer.settings
    octaves = abs(math.log(move.growth)) / math.log(dream.octave_scale)
    middle = complex(size[1] - 1, size[0] - 1) / 2
    octaves += TRAVEL * abs(move.turn * middle + move.shift - middle) / size[1]
    work = settings.growth * dream.steps * max(octaves, SLOWEST / float(rate))
    steps = max(1, math.ceil(work))
    return steps, work / steps


def inset_of(voyage: Voyage, index: int) -> Inset | None:
    """What emerges in frame ``index``: the film's own beginning, or the picture it ends on."""
    if voyage.goal is not None:
        last = voyage.count - 1
        smallest = max(SMALLEST, 1 / voyage.onward(0, last).growth)
        return emerging(voyage.goal, voyage.onward(index, last), smallest, spreads=True)
    if not voyage.opening:
        return None
    count = voyage.count
    if index < count:
        onward = voyage.onward(index, count)
        smallest = max(SMALLEST, 1 / voyage.onward(len(voyage.opening), count).growth)
        return emerging(voyage.opening[0], onward, smallest, spreads=False)
    since = index - count
    height, width = voyage.still.shape[:2]
    return Inset(voyage.opening[since], within(voyage.travelled[since].inverse(), width, height))


def _wanted(voyage: Voyage, weights: Sequence[float], index: int) -> Character:
    wanted, total = voyage.characters[0], weights[0]
    for character, weight in zip(voyage.characters[1:], weights[1:], strict=True):
        total += weight
        wanted = wanted.towards(character, weight / max(total, 1e-9))
    if voyage.goal_character is None:
        return wanted
    size = 1 / voyage.onward(index, voyage.count - 1).growth
    return wanted.towards(voyage.goal_character, float(smoothstep(size / 0.8)))


def _opening(voyage: Voyage, dream: Image, length: int) -> tuple[Image, ...]:
    """The first frames of a closed film, which come before its emitted ones.

    They begin some way into the zoom: a fresh dream is finer than all that follows it.
    """
    settling = min(voyage.count, math.ceil(SETTLING * voyage.rate))
    for index in range(voyage.count - settling, voyage.count):
        dream = frame_after(voyage, index, dream)[0]
    frames = [dream]
    for index in range(length - 1):
        frames.append(frame_after(voyage, index, frames[-1])[0])
    return tuple(frames)


def _opening_length(moves: Sequence[Move], width: int, height: int) -> int:
    """Frames until the first that shows nothing but what frame 0 already did.

    Raises UsageError where what is left of the film is too short for frame 0 to emerge in.
    """
    travelled = accumulate(moves, Move.then)
    least = 1 / (FULL * LARGEST_START)
    for number, so_far in enumerate(travelled, 1):
        if covers(so_far.inverse(), width, height):
            total = _grown(moves)
            if total * LARGEST_START >= so_far.growth:
                return number
            break
    raise UsageError(
        f"a loop must grow about {least:.0f} times so that its beginning can emerge, not "
        f"{_grown(moves):.3g}: choose a faster --rate or more --seconds"
    )


def _moves(path: Path, times: Sequence[float], width: int, height: int) -> tuple[Move, ...]:
    return tuple(travel(width, height, path, begin, end) for begin, end in pairwise(times))


def _grown(moves: Sequence[Move]) -> float:
    return math.prod(move.growth for move in moves)


def _freshness(flow: Image) -> Image:
    """1, and more where the ground is new."""
    outside = ~inside(flow)
    if not outside.any():
        return np.ones(flow.shape[:2], np.float32)
    near = np.clip(2 * blurred(outside.astype(np.float32), FRESH_SIGMA), 0, 1)
    return np.asarray(1 + (FRESH - 1) * near, np.float32)
