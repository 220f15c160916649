"""Source frames -> dreamt frames, the dream carried along each shot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.ascent import Image
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.motion.flow import motion_between
from dreamvideo.render.carry import State, begin, proceed, settled
from dreamvideo.render.direction import Direct, Direction, Dreams, Part, target_map
from dreamvideo.settings import CoherenceSettings


@dataclass(frozen=True)
class Dreamt:
    """One finished frame: pixels uint8 H x W x 3 RGB, its presentation time in seconds.

    ``state`` is what a later run goes on from after this frame (``dream_clip``), None where it
    cannot: it must then go on from an earlier one. ``frame`` is the source frame.
    """

    index: int
    time: Fraction
    pixels: NDArray[np.uint8]
    loss: float
    starts_shot: bool
    state: State | None = None
    frame: Frame | None = None


def dream_clip(
    frames: Iterable[Frame],
    dreamer: Dreams,
    settings: CoherenceSettings,
    *,
    state: State | None = None,
    direct: Direct | None = None,
) -> Iterator[Dreamt]:
    """Dream a stream of frames, one at a time, in constant memory.

    Each shot starts a fresh dream; with ``coherence`` 0 each frame does. ``state`` is that of the
    frame before the first one: the frames are then those of a film that was not interrupted.
    ``direct`` tells what each frame is to become; without it each is a full dream of ``dreamer``
    with ``settings``.
    """
    always = Direction(settings)
    for frame in frames:
        source = to_float(frame.pixels)
        direction = direct(frame, source) if direct else always
        starts = _starts_shot(source, state, direction.coherence)
        state, loss = _next(source, None if starts else state, direction, dreamer)
        pixels = _delivered(state.dream, source, direction)
        yield Dreamt(frame.index, frame.time, pixels, loss, starts, state, frame)


def _starts_shot(source: Image, state: State | None, settings: CoherenceSettings) -> bool:
    if state is None or settings.coherence == 0:
        return True
    if np.array_equal(source, state.source):
        return False
    return is_cut(source, state.source, settings.cut_threshold)


def _next(
    source: Image, state: State | None, direction: Direction, dreamer: Dreams
) -> tuple[State, float]:
    parts = direction.parts or (Part(dreamer),)
    if state is None:
        return begin(source, parts, target_map(direction, source.shape, None))
    motion = motion_between(source, state.source)
    target = target_map(direction, source.shape, motion)
    if settled(state, source, target) and not direction.changing:
        return state, float("nan")
    return proceed(state, source, motion, parts, direction.coherence, target)


def _delivered(dream: Image, source: Image, direction: Direction) -> NDArray[np.uint8]:
    finish = direction.finish
    return to_bytes(dream if finish is None else finish(dream, source))
