"""Track how each source frame follows from the one before, and prefetch in a thread."""

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

from dreamvideo import timers
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.cuts import is_cut
from dreamvideo.motion.flow import Motion, motion_between, motions_between
from dreamvideo.settings import CoherenceSettings

T = TypeVar("T")
_NAME = "dreamvideo-prefetch"


class _End:
    """Marks the end of the items."""


END = _End()


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
    fill = settings.flow == "filled"
    if settings.cadence > 1:
        return TrackedFrame(frame, source, repeats, *motions_between(source, before, fill=fill))
    return TrackedFrame(frame, source, repeats, motion_between(source, before, fill=fill))


def prefetch(items: Iterable[T], count: int) -> Generator[T, None, None]:
    """Yield the same items in the same order, with up to ``count`` of them produced in advance.

    They are produced in a separate thread, unless ``count`` is 0. The thread ends, and production
    has stopped, when the last item was taken, when producing one fails (the error is raised in
    place of that item) or when this generator is closed. A caller that abandons it must close it.
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
    """Start producing the first item in a separate thread, and give the same items.

    When the block ends the thread has ended and no further items are produced.
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
    """Return whether a prefetch thread is still running because it could not be waited for."""
    return any(thread.name == _NAME for thread in threading.enumerate())


@contextmanager
def _prefetch_thread(items: Iterator[T]) -> Iterator[_PrefetchThread[T]]:
    """Run a thread for the duration of the block and wait for it, even through a Ctrl-C."""
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
    """A thread that produces an item on request.

    Signals may raise in the main thread at any moment, including inside the locks of futures,
    events and ordinary queues, which are Python code and would then stay locked for good.
    ``SimpleQueue`` and the start of a raw thread are not: a signal finds each either not done or
    done.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._alive = False
        self._items = items
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._made: SimpleQueue[tuple[T | _End, BaseException | None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it produces nothing yet."""
        begin = self._begin
        # Nothing may come between these two.
        self._alive = True
        start_new_thread(begin, ())

    def ask(self) -> None:
        """Request one more item."""
        self._wanted.put(True)

    def take(self) -> T | _End:
        """Return the next item once it is produced; raise the error if producing it failed."""
        item, error = self._made.get()
        if error is not None:
            raise error
        return item

    def end(self) -> None:
        """Stop producing; return once nothing is being produced."""
        with suppress(Empty):
            while True:
                self._wanted.get_nowait()
        self._wanted.put(False)
        while self._alive or self._thread in threading.enumerate():
            time.sleep(0.0005)

    def _begin(self) -> None:
        # Runs in a raw thread, because starting an ordinary one waits for an event of Python's.
        try:
            self._thread = threading.Thread(target=self._work, name=_NAME, daemon=True)
            self._thread.start()
        except BaseException as error:
            # For example, the system has no thread left.
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
