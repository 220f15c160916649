"""Source frames -> frames and how they follow from one another, made a little ahead of time."""

from __future__ import annotations

import threading
import time
from _thread import start_new_thread
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.motion.flow import Motion, motion_between, motions_between
from dreamvideo.settings import CoherenceSettings

T = TypeVar("T")
_NAME = "dreamvideo-ahead"


class _End:
    """What comes after the last item."""


END = _End()


@dataclass(frozen=True)
class TrackedFrame:
    """A source frame, its pixels in [-1, 1], and how it follows from the frame before it.

    ``onto`` is the motion to the frame before, None where a shot begins; ``back`` the motion from
    there to this one, None where it is not wanted.
    """

    frame: Frame
    source: Image
    repeats: bool = False
    onto: Motion | None = None
    back: Motion | None = None


def track_frames(
    frames: Iterable[Frame], before: Image | None, settings: CoherenceSettings
) -> Iterator[TrackedFrame]:
    """Every frame and how it follows from the one before it; ``before`` precedes the first."""
    for frame in frames:
        source = to_float(frame.pixels)
        yield _track(frame, source, before, settings)
        before = source


def track_nothing(frames: Iterable[Frame]) -> Iterator[TrackedFrame]:
    """Every frame as if it were the only one."""
    return (TrackedFrame(frame, to_float(frame.pixels)) for frame in frames)


def _track(
    frame: Frame, source: Image, before: Image | None, settings: CoherenceSettings
) -> TrackedFrame:
    if before is None:
        return TrackedFrame(frame, source)
    repeats = np.array_equal(source, before)
    if not repeats and is_cut(source, before, settings.cut_threshold):
        return TrackedFrame(frame, source)
    if settings.cadence > 1:
        return TrackedFrame(frame, source, repeats, *motions_between(source, before))
    return TrackedFrame(frame, source, repeats, motion_between(source, before))


def prefetch(items: Iterable[T], count: int) -> Generator[T, None, None]:
    """The same items in the same order, up to ``count`` of them made before they are asked for.

    They are made in a thread of their own, unless ``count`` is 0. It ends, and what makes them is
    no longer running, when the last item was taken, when making one fails (which is raised where
    that item would have come) and when this generator is closed. Who abandons it closes it.
    """
    if count < 1:
        yield from items
        return
    with _prefetch_thread(iter(items)) as maker:
        maker.ask()
        asked = 1
        while True:
            item = maker.take()
            asked -= 1
            if isinstance(item, _End):
                return
            while asked < count:
                maker.ask()
                asked += 1
            yield item


@contextmanager
def start_first(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """The same items; the first is being made from now on, in a thread of its own.

    That has ended, and nobody makes items any more, when the block has.
    """
    with _prefetch_thread(items) as maker:
        maker.ask()

        def all_of_them() -> Iterator[T]:
            item = maker.take()
            if not isinstance(item, _End):
                yield item
                yield from items

        yield all_of_them()


def is_prefetching() -> bool:
    """Whether a thread makes items still: it could not be waited for."""
    return any(thread.name == _NAME for thread in threading.enumerate())


@contextmanager
def _prefetch_thread(items: Iterator[T]) -> Iterator[_PrefetchThread[T]]:
    """A thread for as long as the block; it is waited for, even if a Ctrl-C gets in between."""
    maker = _PrefetchThread(items)
    try:
        maker.start()
        yield maker
    finally:
        try:
            maker.end()
        except BaseException:
            maker.end()
            raise


class _PrefetchThread(Generic[T]):
    """A thread that makes an item whenever one is asked for.

    Signals may raise in the main thread at any moment, also inside the locks of futures, events
    and ordinary queues, which are Python code and then stay locked for good. These queues and the
    start of a thread are not: a signal finds each either not done or done.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._alive = False
        self._items = items
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._made: SimpleQueue[tuple[T | _End, BaseException | None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; nothing is made yet."""
        begin = self._begin
        # Nothing may come between these two.
        self._alive = True
        start_new_thread(begin, ())

    def ask(self) -> None:
        """Let one more item be made."""
        self._wanted.put(True)

    def take(self) -> T | _End:
        """The next item, when it is made; raises what making it has raised."""
        item, error = self._made.get()
        if error is not None:
            raise error
        return item

    def end(self) -> None:
        """Make nothing any more; returns when nothing is being made."""
        with suppress(Empty):
            while True:
                self._wanted.get_nowait()
        self._wanted.put(False)
        while self._alive or self._thread in threading.enumerate():
            time.sleep(0.0005)

    def _begin(self) -> None:
        # In a thread of its own, as starting an ordinary one waits for an event of Python's.
        try:
            self._thread = threading.Thread(target=self._work, name=_NAME, daemon=True)
            self._thread.start()
        except BaseException as error:
            # As where the system has no thread left to give.
            self._made.put((END, error))
            self._alive = False

    def _work(self) -> None:
        try:
            while self._wanted.get():
                try:
                    self._made.put((next(self._items, END), None))
                except BaseException as error:
                    self._made.put((END, error))
        finally:
            self._alive = False
