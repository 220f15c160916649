"""Track how each source frame follows from the one before; threads that work ahead and behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dreamvideo import timers
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.motion.flow import Motion, motion_between, motions_between
from dreamvideo.settings import CoherenceSettings

T = TypeVar("T")
R = TypeVar("R")
_NAME = "dreamvideo-prefetch"
_NAME_BEHIND = "dreamvideo-finish"


class _End:
    """Marks the end of the items."""


_END = _End()


@dataclass(frozen=True)
class TrackedFrame:
    """A source frame and its motion relative to the frame before it.

    Attributes:
        frame: The source frame.
        source: Its pixels, H x W x 3 in [-1, 1].
        repeats: Whether it equals the frame before.
        onto: Motion to the frame before; None where a shot starts.
        back: Motion from there to this one; None where it is not needed.
    """

    frame: Frame
    source: Image
    repeats: bool = False
    onto: Motion | None = None
    back: Motion | None = None


def track_frames(
    frames: Iterable[Frame], before: Image | None, settings: CoherenceSettings
) -> Iterator[TrackedFrame]:
    """Yield every frame with its motion.

    Args:
        frames: Source frames.
        before: H x W x 3 in [-1, 1], the frame before the first; None: the first starts a shot.
        settings: Cut threshold, cadence and flow.
    """
    for frame in frames:
        source = to_float(frame.pixels)
        with timers.stage("flow"):
            tracked = _track(frame, source, before, settings)
        yield tracked
        before = source


def track_nothing(frames: Iterable[Frame]) -> Iterator[TrackedFrame]:
    """Yield every frame as if it were the only one."""
    return (TrackedFrame(frame, to_float(frame.pixels)) for frame in frames)


def _track(
    frame: Frame, source: Image, before: Image | None, settings: CoherenceSettings
) -> TrackedFrame:
    if before is None:
        return TrackedFrame(frame, source)
    repeats = np.array_equal(source, before)
    if not repeats and is_cut(source, before, settings.cut_threshold):
        return TrackedFrame(frame, source)
    fill, width = settings.flow == "filled", settings.flow_width
    if settings.cadence > 1:
        both = motions_between(source, before, max_width=width, fill=fill)
        return TrackedFrame(frame, source, repeats, *both)
    onto = motion_between(source, before, max_width=width, fill=fill)
    return TrackedFrame(frame, source, repeats, onto)


def prefetch(items: Iterable[T], count: int) -> Generator[T, None, None]:
    """Yield the same items in the same order, with up to ``count`` of them produced in advance.

    They are produced in a separate thread, unless ``count`` is 0. The thread ends, and production
    has stopped, when the last item was taken, when producing one fails (the error is raised in
    place of that item) or when this generator is closed. A caller that abandons it must close it.
    """
    if count < 1:
        yield from items
        return
    source = iter(items)
    pool = ThreadPoolExecutor(1, _NAME)
    try:
        waiting = deque([pool.submit(next, source, _END)])
        while not isinstance(item := waiting.popleft().result(), _End):
            while len(waiting) < count:
                waiting.append(pool.submit(next, source, _END))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def start_first(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Start producing the first item in a separate thread, and give the same items.

    When the block ends the thread has ended and no further items are produced.
    """
    with ThreadPoolExecutor(1, _NAME) as pool:
        first = pool.submit(next, items, _END)

        def all_of_them() -> Iterator[T]:
            item = first.result()
            if not isinstance(item, _End):
                yield item
                yield from items

        yield all_of_them()


def work_behind(
    work: Callable[[T], R], items: Iterable[T], *, threaded: bool = True
) -> Generator[R, None, None]:
    """Yield ``work(item)`` for every item in order, worked on while the next item is produced.

    The first result is given before that, so that a caller sees early that all is well. At most one
    item waits: work on it starts when the result of the item before has been taken. An error of the
    work is raised in place of its result. When this generator ends, in whatever way, its thread has
    ended too, and work that was under way is done. A caller that abandons it must close it.

    Args:
        work: What to do with each item.
        items: The items, produced in the calling thread.
        threaded: Whether to work in a separate thread; otherwise in the calling one.
    """
    if not threaded:
        yield from map(work, items)
        return
    rest = iter(items)
    # Leaving the block waits for the work.
    with ThreadPoolExecutor(1, _NAME_BEHIND) as pool:
        for first in rest:
            yield pool.submit(work, first).result()
            break
        before: Future[R] | None = None
        for item in rest:
            if before is not None:
                yield before.result()
            before = pool.submit(work, item)
        if before is not None:
            yield before.result()
