"""Source frames -> dreamt frames, the dream carried along each shot."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.read import Frame
from dreamvideo.motion.flow import Motion
from dreamvideo.render.ahead import Seen, alone, observed, read_ahead
from dreamvideo.render.cadence import Cue, backwards, between, grouped
from dreamvideo.render.carry import NotFiniteError, State, begin, proceed, settled
from dreamvideo.render.direction import Direction, Dreams, Part, target_map
from dreamvideo.settings import CoherenceSettings


@dataclass(frozen=True)
class Dreamt:
    """One finished frame: pixels uint8 H x W x 3 RGB, its presentation time in seconds.

    ``state`` is what a later run goes on from after this frame (``dream_clip``), None where it
    cannot: it must then go on from an earlier one. ``frame`` is the source frame, ``again``
    whether a first dream of it held what is no number and it was dreamt anew from the source.
    """

    index: int
    time: Fraction
    pixels: NDArray[np.uint8]
    loss: float
    starts_shot: bool
    state: State | None = None
    frame: Frame | None = None
    again: bool = False


Direct = Callable[[Frame, Image, Motion | None, State | None], Direction]
"""(frame, its pixels in [-1, 1], its motion since the frame before, what the last dreamt frame
left) -> what it is to become. Where a shot begins there is no motion; where nothing has been
dreamt yet, no state."""


def dream_clip(
    frames: Iterable[Frame],
    dreamer: Dreams,
    settings: CoherenceSettings,
    *,
    state: State | None = None,
    direct: Direct | None = None,
    follow: bool = True,
    ahead: int = 0,
) -> Generator[Dreamt, None, None]:
    """Dream a stream of frames, in constant memory.

    Each shot starts a fresh dream; with ``coherence`` 0 each frame does. ``state`` is that of the
    frame before the first one: the frames are then those of a film that was not interrupted.
    ``direct`` tells what each frame is to become, a pure function; without it each is a full dream
    of ``dreamer`` with ``settings``, whose ``cadence`` and ``cut_threshold`` hold throughout.
    Where neither carries a dream nor asks for motion, ``follow`` need not be.
    Up to ``ahead`` source frames are decoded, and their motion is estimated, in a thread of their
    own while another is dreamt: the film is the same, but if it is not used up, the generator must
    be closed (``contextlib.closing``) before the source is.
    """
    always = Direction(settings)
    if settings.coherence == 0 and (direct is None or not follow):
        observations = alone(frames)
    else:
        before = None if state is None else state.source
        observations = observed(frames, before, settings)

    def told(seen: Seen) -> tuple[Seen, Direction]:
        if direct is None:
            return seen, always
        return seen, direct(seen.frame, seen.source, seen.onto, state)

    with closing(read_ahead(observations, ahead)) as stream:
        for group in grouped(map(told, stream), settings.cadence):
            last = state
            *others, key = group
            state, loss, again = _dreamt(key, state, dreamer)
            if others and last is not None:
                yield from _between(last, state, group)
            seen, pixels = key.seen.frame, _delivered(state.dream, key)
            yield Dreamt(seen.index, seen.time, pixels, loss, key.starts_shot, state, seen, again)


def _dreamt(cue: Cue, state: State | None, dreamer: Dreams) -> tuple[State, float, bool]:
    """What a frame leaves, its objective, and whether it had to be dreamt a second time."""
    source, direction = cue.seen.source, cue.direction
    parts = direction.parts or (Part(dreamer),)
    target = target_map(direction, source.shape)
    carried = state is not None and cue.since is not None
    holds_bands = direction.coherence.hold == "bands"
    try:
        if state is None or cue.since is None:
            return *begin(source, parts, target, holds_bands=holds_bands), False
        if settled(state, source, target) and not direction.changing:
            return state, math.nan, False
        made = proceed(state, source, cue.since, parts, direction.coherence, target)
        return *made, False
    except NotFiniteError:
        if not carried:
            raise _lost(cue) from None
    try:
        return *begin(source, parts, target, holds_bands=holds_bands), True
    except NotFiniteError:
        raise _lost(cue) from None


def _lost(cue: Cue) -> DreamVideoError:
    return DreamVideoError(
        f"frame {cue.seen.frame.index}: its dream holds what is no number, from the source too: "
        "choose a smaller --step-size, or --precision float32"
    )


def _between(before: State, after: State, group: list[Cue]) -> Iterator[Dreamt]:
    whole = max(1, group[-1].at)
    for cue, back in zip(group[:-1], backwards(group), strict=False):
        target = target_map(cue.direction, cue.seen.source.shape)
        dream = between(before, after, cue, back, cue.at / whole, target)
        frame = cue.seen.frame
        yield Dreamt(frame.index, frame.time, _delivered(dream, cue), math.nan, False, None, frame)


def _delivered(dream: Image, cue: Cue) -> NDArray[np.uint8]:
    finish = cue.direction.finish
    return to_bytes(dream if finish is None else finish(dream, cue.seen.source))
