"""Local process pool: each process dreams whole segments; the parent counts and retries.

Two processes with one thread each dream faster than one process with two. A segment's frames depend
neither on which process dreams it nor on what else is being dreamt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import cv2

from dreamvideo import cancel
from dreamvideo.dream.runtime import own_process, settle_threads
from dreamvideo.errors import DreamVideoError
from dreamvideo.processors import choose_home, stay_home
from dreamvideo.render.frames.planner import (
    DreamerFactory,
    dreamer_factory,
    set_dreamer_factory,
)
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.executor import Capacity, ProgressTracker
from dreamvideo.render.parallel.renderer import Renderer
from dreamvideo.render.planning.worker_count import count_cores
from dreamvideo.render.processes import describe_exit, start_child
from dreamvideo.render.progress import OnProgress
from dreamvideo.settings.machine import MachineSettings

# Seconds that a worker may take to finish its step and save its state when it is told to stop.
STOPPING = 10.0


@dataclass
class _Worker:
    """A process, this end of its pipe, its current segment, and its place among the processes."""

    process: Any
    pipe: Any
    segment: Segment
    place: int


class LocalPool:
    """Executor that uses processes of this machine."""

    def __init__(self, count: int) -> None:
        """Use up to ``count`` processes at a time."""
        self.count = count

    def find_capacity(self, machine: MachineSettings, on_progress: OnProgress) -> Capacity:
        """Divide the cores of this machine among the processes."""
        return Capacity(self.count, max(1, count_cores(machine) // self.count))

    def render(self, job: Job, on_progress: OnProgress) -> None:
        """Dream all segments that are not complete.

        A segment whose process dies is retried, up to three tries in all. However this ends, no
        process is left running. Raises DreamVideoError.
        """
        run = _PoolRun(job, ProgressTracker(job, on_progress))
        try:
            run.work(self.count)
        finally:
            run.stop()


class _PoolRun:
    def __init__(self, job: Job, tracker: ProgressTracker) -> None:
        self.job = job
        self.tracker = tracker
        self.workers: list[_Worker] = []

    def work(self, count: int) -> None:
        """Start ``count`` workers and run until all segments are complete."""
        for _ in range(min(count, len(self.tracker.waiting))):
            self._start(self.tracker.waiting.popleft())
        while self.workers:
            cancel.check()
            ready = connection.wait([w.pipe for w in self.workers], cancel.TICK)
            for worker in [w for w in self.workers if w.pipe in ready]:
                try:
                    self._handle_message(worker, worker.pipe.recv())
                except (EOFError, OSError):
                    self._lost(worker)

    def stop(self) -> None:
        """Stop all workers: by a signal, so that they save their state, then by killing them."""
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
        # A process that takes the place of a lost one takes its home too.
        place = min(set(range(len(self.workers) + 1)) - {worker.place for worker in self.workers})
        process = context.Process(
            target=_run_worker,
            args=(self.job.folder, theirs, dreamer_factory(), place),
            name="dreamvideo-worker",
            daemon=True,
        )
        with start_child():
            process.start()
            self.workers.append(_Worker(process, ours, segment, place))
        theirs.close()
        ours.send(segment)

    def _handle_message(self, worker: _Worker, message: Any) -> None:
        if isinstance(message, DreamVideoError):
            raise message
        done, loss, ended = message
        self.tracker.record_progress(worker.segment, done, loss, len(self.workers), ended=ended)
        if ended:
            self._next(worker)

    def _next(self, worker: _Worker) -> None:
        if self.tracker.waiting:
            worker.segment = self.tracker.waiting.popleft()
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
        hint = ": fewer --workers or a smaller --size need less memory"
        self.tracker.record_loss(worker.segment, describe_exit(worker.process.exitcode or 0), hint)
        self._start(worker.segment)


def _run_worker(
    folder: Path, pipe: connection.Connection, factory: DreamerFactory, place: int
) -> None:
    """Run a worker: segments in, (frames done, objective, ended) out.

    Asked to stop, it saves its state first.

    Args:
        folder: The job's folder.
        pipe: The pipe to the process that started it.
        factory: Makes its dreamers.
        place: Its number among the processes at work.
    """
    parent = parent_process()
    assert parent is not None
    cancel.set_up_child(parent.sentinel)
    set_dreamer_factory(factory)
    try:
        job = Job.at(folder)
        own_process()
        stay_home(choose_home(place, job.manifest.threads))
        use_threads(job.manifest.threads)
        renderer = Renderer(job)
        while (segment := cancel.wait_for_message(pipe)) is not None:
            loss = float("nan")

            def on_frame(frames: int, objective: float) -> None:
                nonlocal loss
                loss = objective
                pipe.send((frames, loss, False))

            renderer.render(segment, on_frame)
            pipe.send((job.segment_store(segment).count, loss, True))
    except DreamVideoError as error:
        pipe.send(error)


def use_threads(count: int) -> None:
    """Limit this process to that many threads; must be called before TensorFlow is loaded."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(count)
    settle_threads(count)
    cv2.setNumThreads(count)
