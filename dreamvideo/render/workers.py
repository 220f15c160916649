"""Several processes for one job: each dreams whole segments; the parent counts and tries again.

Two processes of one thread dream more than one process of two. A segment's frames depend neither
on who dreams it nor on what is dreamt meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import cv2

from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job import Job
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.segments import Segment
from dreamvideo.render.work import Renderer

ATTEMPTS = 3
# Seconds that a worker may take to end its step and keep its state when it is told to stop.
STOPPING = 10.0


def render_apart(job: Job, count: int, on_progress: OnProgress) -> None:
    """Dream all segments that are not complete, in ``count`` processes.

    A segment whose process dies is tried again, three times in all. However this ends, no process
    is left. Raises DreamVideoError.
    """
    crew = _Crew(job, on_progress)
    try:
        crew.work(count)
    finally:
        crew.dismiss()


@dataclass
class _Worker:
    """A process, this end of the pipe to it, and what it is at."""

    process: Any
    pipe: Any
    segment: Segment


class _Crew:
    def __init__(self, job: Job, on_progress: OnProgress) -> None:
        parts = list(zip(job.manifest.segments, job.parts(), strict=True))
        self.job = job
        self.on_progress = on_progress
        self.done = {segment.index: len(part.records) for segment, part in parts}
        self.complete = sum(part.ending is not None for _, part in parts)
        left = [segment for segment, part in parts if part.ending is None]
        # The longest first: it should not be what all others wait for.
        self.waiting = deque(sorted(left, key=lambda segment: -(segment.count or 0)))
        self.tries = dict.fromkeys(self.done, 0)
        self.workers: list[_Worker] = []

    def work(self, count: int) -> None:
        """Start ``count`` workers and see them through."""
        for _ in range(min(count, len(self.waiting))):
            self._start(self.waiting.popleft())
        while self.workers:
            ready = connection.wait([w.pipe for w in self.workers])
            for worker in [w for w in self.workers if w.pipe in ready]:
                try:
                    self._hear(worker, worker.pipe.recv())
                except (EOFError, OSError):
                    self._lost(worker)

    def dismiss(self) -> None:
        """End all that still run: gently, so that they keep their state; then for certain."""
        try:
            for worker in self.workers:
                worker.process.terminate()
            for worker in self.workers:
                worker.process.join(STOPPING)
        finally:
            for worker in self.workers:
                worker.process.kill()
                worker.process.join()
                worker.pipe.close()

    def _start(self, segment: Segment) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(self.job.folder, theirs), name="dreamvideo-worker", daemon=True
        )
        with undisturbed():
            process.start()
            self.workers.append(_Worker(process, ours, segment))
        theirs.close()
        ours.send(segment)

    def _hear(self, worker: _Worker, said: Any) -> None:
        if isinstance(said, DreamVideoError):
            raise said
        number, done, loss, ended = said
        self.done[number] = done
        self.complete += ended
        detail = f"{self.complete}/{len(self.done)} segments, {len(self.workers)} workers"
        total = self.job.manifest.frames
        self.on_progress(
            Progress("dreaming", "frame", sum(self.done.values()), total, loss, detail)
        )
        if ended:
            self._next(worker)

    def _next(self, worker: _Worker) -> None:
        if self.waiting:
            worker.segment = self.waiting.popleft()
            worker.pipe.send(worker.segment)
        else:
            worker.pipe.send(None)
            worker.process.join()
            worker.pipe.close()
            self.workers.remove(worker)

    def _lost(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        self.workers.remove(worker)
        segment = worker.segment
        self.tries[segment.index] += 1
        if self.tries[segment.index] >= ATTEMPTS:
            last = segment.first + (segment.count or 1) - 1
            code = worker.process.exitcode or 0
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            raise DreamVideoError(
                f"frames {segment.first} to {last}: the process that dreamt them ended "
                f"{ATTEMPTS} times ({how}): fewer --workers or a smaller --size need less memory"
            )
        self._start(segment)


def _work(folder: Path, pipe: connection.Connection) -> None:
    """A worker's whole life: segments in, (number, frames done, objective, ended) out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        job = Job.at(folder)
        use_threads(job.manifest.threads)
        renderer = Renderer(job)
        while (segment := pipe.recv()) is not None:
            done, loss = 0, float("nan")

            def told(frames: int, objective: float, number: int = segment.index) -> None:
                nonlocal done, loss
                done, loss = frames, objective
                pipe.send((number, done, loss, False))

            renderer.render(segment, told)
            pipe.send((segment.index, len(job.part(segment).records), loss, True))
    except DreamVideoError as error:
        pipe.send(error)


def use_threads(count: int) -> None:
    """Let this process compute on so many threads; to be called before TensorFlow is loaded."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(count)
    cv2.setNumThreads(count)


def _die_with_parent() -> None:
    """A parent that was killed cannot dismiss us."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Start a process: signals wait, in it too, until it is ready for them.

    Ctrl-C reaches all processes of a terminal. And a child must not run the program that called
    us again, as a script without a guard would: ``__main__`` is hidden from it.
    """
    main = sys.modules["__main__"]
    has_masks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS) if has_masks else set()
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if has_masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
