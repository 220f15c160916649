"""Source frames -> frames and how they follow from one another, made a little ahead of time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dreamvideo.dream.ascent import Image
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import cut_score
from dreamvideo.motion.flow import Motion, motion_between, motions_between

T = TypeVar("T")


class _End:
    """What comes after the last item."""


END = _End()


@dataclass(frozen=True)
class Seen:
    """A source frame, its pixels in [-1, 1], and how it follows from the frame before it.

    ``change`` is the cut's score (infinite where there is no frame before, 0 where it is the same
    again); ``onto`` is the motion to the frame before, None where there is none, ``back`` from
    there to this one, None where it is not wanted.
    """

    frame: Frame
    source: Image
    change: float
    repeats: bool = False
    onto: Motion | None = None
    back: Motion | None = None


def observed(frames: Iterable[Frame], before: Image | None, *, both_ways: bool) -> Iterator[Seen]:
    """Every frame and how it follows from the one before it; ``before`` precedes the first."""
    for frame in frames:
        source = to_float(frame.pixels)
        yield _seen(frame, source, before, both_ways)
        before = source


def alone(frames: Iterable[Frame]) -> Iterator[Seen]:
    """Every frame as if it were the only one."""
    return (Seen(frame, to_float(frame.pixels), math.inf) for frame in frames)


def _seen(frame: Frame, source: Image, before: Image | None, both_ways: bool) -> Seen:
    if before is None:
        return Seen(frame, source, math.inf)
    repeats = np.array_equal(source, before)
    change = 0.0 if repeats else cut_score(source, before)
    if both_ways:
        return Seen(frame, source, change, repeats, *motions_between(source, before))
    return Seen(frame, source, change, repeats, motion_between(source, before))


def read_ahead(items: Iterable[T], count: int) -> Generator[T, None, None]:
    """The same items in the same order, up to ``count`` of them made before they are asked for.

    They are made in a thread of their own, unless ``count`` is 0. It ends, and what makes them is
    no longer running, when the last item was taken, when making one fails (which is raised where
    that item would have come) and when this generator is closed. Who abandons it closes it.
    """
    if count < 1:
        yield from items
        return
    made = iter(items)
    maker = ThreadPoolExecutor(1, "ahead")
    waiting: deque[Future[T | _End]] = deque([maker.submit(next, made, END)])
    try:
        while True:
            item = waiting.popleft().result()
            if isinstance(item, _End):
                return
            while len(waiting) < count:
                waiting.append(maker.submit(next, made, END))
            yield item
    finally:
        maker.shutdown(wait=True, cancel_futures=True)
