"""A process that dreams segments beside a Dask worker: orders on stdin, messages on stdout.

It is a process of its own, so that TensorFlow begins with the threads that the job was begun
with, can be stopped within a step, and is no part of the memory that Dask holds its worker to.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import IO

from dreamvideo.cluster.wire import Message, read
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job.checkpoint import Arrays, load_checkpoint
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import Manifest
from dreamvideo.render.job.segment_store import FrameRecord, SegmentSink
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.pool import use_threads
from dreamvideo.render.parallel.renderer import Renderer


class Sent(SegmentSink):
    """A segment whose frames go to whoever reads the stream."""

    def __init__(self, out: IO[bytes], first: int, kept: int) -> None:
        """``kept`` frames are there already, at the other end."""
        super().__init__(first, kept)
        self._out = out
        self._count = kept

    @property
    def count(self) -> int:
        """How many frames were sent, now or earlier."""
        return self._count

    def put(self, record: FrameRecord, data: bytes) -> None:
        """Send the next frame."""
        say(self._out, Message("frame", {"record": record.line()}, data))
        self._count += 1

    def put_source(self, number: int, data: bytes) -> None:
        """Send the source of a frame."""
        say(self._out, Message("source", {"number": number}, data))

    def put_ahead(self, number: int, data: bytes) -> None:
        """Send a frame that was dreamt ahead."""
        say(self._out, Message("ahead", {"number": number}, data))

    def put_checkpoint(self, count: int, data: bytes) -> None:
        """Send what the next frame is made from."""
        say(self._out, Message("checkpoint", {"count": count}, data))

    def finish(self, notes: tuple[str, ...] = (), missing: int = 0) -> None:
        """Send that the segment is complete."""
        say(self._out, Message("ended", {"notes": notes, "missing": missing}))


def run() -> None:
    """``main`` as a process, which ends at once when it is told to."""
    try:
        main()
    except SystemExit as leave:
        # The thread that listens must not be met by the interpreter's own end.
        os._exit(leave.code if isinstance(leave.code, int) else 1)


def main() -> None:
    """Dream what is ordered, a job's segments, until there are no more orders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    out = os.fdopen(os.dup(1), "wb", 0)
    # What a library prints must not get among the messages.
    os.dup2(2, 1)
    orders: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    job = orders.get()
    renderer: Renderer | None = None
    while True:
        order = orders.get()
        try:
            renderer = renderer or _renderer(job)
            _dream(renderer, order, out)
        except DreamVideoError as error:
            say(out, Message("error", {"what": type(error).__name__, "text": str(error)}))
        except Exception as error:
            # Whoever keeps the worker's log can look there.
            traceback.print_exc()
            text = f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            say(out, Message("error", {"what": "DreamVideoError", "text": text}))


def say(out: IO[bytes], message: Message) -> None:
    """Write a message whole; it waits as long as nobody takes it."""
    left = memoryview(message.packed())
    # Half a message would spoil those that are said on leaving.
    _speaking[:] = [True]
    while left:
        left = left[out.write(left) :]
    _speaking.clear()
    if _told_to_leave:
        raise SystemExit(_told_to_leave.pop())


def _renderer(order: Message) -> Renderer:
    manifest = Manifest.model_validate(order.values["manifest"])
    use_threads(manifest.threads)
    return Renderer(Job(Path(order.values["folder"]), manifest))


def _dream(renderer: Renderer, order: Message, out: IO[bytes]) -> None:
    segment = Segment.model_validate(order.values["segment"])
    if order.values["shared"]:

        def told(done: int, loss: float) -> None:
            say(out, Message("told", {"done": done, "loss": loss}))

        renderer.render(segment, told)
        say(out, Message("ended", {}))
        return
    arrays: Arrays | None = None
    if order.values["state"]:
        _, arrays = load_checkpoint(Path(order.values["state"]))
    sent = Sent(out, segment.first, order.values["kept"])
    renderer.continue_segment(segment, sent, arrays, lambda _done, _loss: None)


def _listen(orders: queue.SimpleQueue[Message]) -> None:
    while (order := read(sys.stdin.buffer)) is not None:
        orders.put(order)
    # The worker is gone, or done with us; nobody would take what is still dreamt.
    os._exit(0)


_speaking: list[bool] = []
_told_to_leave: list[int] = []


def _leave(number: int, _frame: FrameType | None) -> None:
    if not _speaking:
        raise SystemExit(128 + number)
    _told_to_leave.append(128 + number)


if __name__ == "__main__":
    run()
