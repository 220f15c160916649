"""Source frames -> dreamt frames, the dream carried along each shot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.motion.flow import motion_between
from dreamvideo.render.carry import State, begin, proceed, settle
from dreamvideo.settings import CoherenceSettings


@dataclass(frozen=True)
class Dreamt:
    """One finished frame: pixels uint8 H x W x 3 RGB, its presentation time in seconds.

    ``state`` is what a later run goes on from after this frame (``dream_clip``), None where it
    cannot: it must then go on from an earlier one.
    """

    index: int
    time: Fraction
    pixels: NDArray[np.uint8]
    loss: float
    starts_shot: bool
    state: State | None = None


def dream_clip(
    frames: Iterable[Frame],
    dreamer: Dreamer,
    settings: CoherenceSettings,
    *,
    state: State | None = None,
) -> Iterator[Dreamt]:
    """Dream a stream of frames, one at a time, in constant memory.

    Each shot starts a fresh dream; with ``coherence`` 0 each frame does. ``state`` is that of the
    frame before the first one: the frames are then those of a film that was not interrupted.
    """
    carry = settle(settings, dreamer.settings.steps)
    for frame in frames:
        source = to_float(frame.pixels)
        if state is None or settings.coherence == 0:
            starts = True
        elif np.array_equal(source, state.source):
            starts = False
        else:
            starts = is_cut(source, state.source, settings.cut_threshold)
        if starts or state is None:
            state, loss = begin(source, dreamer)
        else:
            motion = motion_between(source, state.source)
            state, loss = proceed(state, source, motion, dreamer, carry)
        yield Dreamt(frame.index, frame.time, to_bytes(state.dream), loss, starts, state)
