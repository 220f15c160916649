"""Source frames -> frames and how they follow from one another, made a little ahead of time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as counting
from typing import TypeVar

import numpy as np

from dreamvideo.dream.ascent import Image
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.motion.flow import Motion, motion_between, motions_between
from dreamvideo.settings import CoherenceSettings

T = TypeVar("T")
_NAME = "dreamvideo-ahead"
_numbers = counting()


class _End:
    """What comes after the last item."""


END = _End()


@dataclass(frozen=True)
class Seen:
    """A source frame, its pixels in [-1, 1], and how it follows from the frame before it.

    ``onto`` is the motion to the frame before, None where a shot begins; ``back`` the motion from
    there to this one, None where it is not wanted.
    """

    frame: Frame
    source: Image
    repeats: bool = False
    onto: Motion | None = None
    back: Motion | None = None


def observed(
    frames: Iterable[Frame], before: Image | None, settings: CoherenceSettings
) -> Iterator[Seen]:
    """Every frame and how it follows from the one before it; ``before`` precedes the first."""
    for frame in frames:
        source = to_float(frame.pixels)
        yield _seen(frame, source, before, settings)
        before = source


def alone(frames: Iterable[Frame]) -> Iterator[Seen]:
    """Every frame as if it were the only one."""
    return (Seen(frame, to_float(frame.pixels)) for frame in frames)


def _seen(frame: Frame, source: Image, before: Image | None, settings: CoherenceSettings) -> Seen:
    if before is None:
        return Seen(frame, source)
    repeats = np.array_equal(source, before)
    if not repeats and is_cut(source, before, settings.cut_threshold):
        return Seen(frame, source)
    if settings.cadence > 1:
        return Seen(frame, source, repeats, *motions_between(source, before))
    return Seen(frame, source, repeats, motion_between(source, before))


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
    with _maker() as maker:
        waiting: deque[Future[T | _End]] = deque([maker.submit(next, made, END)])
        while True:
            item = waiting.popleft().result()
            if isinstance(item, _End):
                return
            while len(waiting) < count:
                waiting.append(maker.submit(next, made, END))
            yield item


@contextmanager
def begun(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """The same items; the first is being made from now on, in a thread of its own.

    That has ended, and nobody makes items any more, when the block has.
    """
    with _maker() as maker:
        first = maker.submit(next, items, END)

        def all_of_them() -> Iterator[T]:
            item = first.result()
            if not isinstance(item, _End):
                yield item
                yield from items

        yield all_of_them()


def at_work() -> bool:
    """Whether a thread makes items still: it could not be waited for."""
    return any(thread.name.startswith(_NAME) for thread in threading.enumerate())


@contextmanager
def _maker() -> Iterator[ThreadPoolExecutor]:
    """A thread for as long as the block; it is waited for, even if a Ctrl-C gets in between."""
    name = f"{_NAME}-{next(_numbers)}"
    maker = ThreadPoolExecutor(1, name)
    try:
        yield maker
    finally:
        try:
            _end(maker, name)
        except BaseException:
            _end(maker, name)
            raise


def _end(maker: ThreadPoolExecutor, name: str) -> None:
    maker.shutdown(wait=True, cancel_futures=True)
    # One that was just being started when a signal came is unknown to its pool.
    while any(thread.name.startswith(f"{name}_") for thread in threading.enumerate()):
        time.sleep(0.002)
