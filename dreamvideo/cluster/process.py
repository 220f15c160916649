"""What a dreaming process of a Dask worker runs: (job, segment) -> its frames, a chunk per task.

It is a process of its own so that TensorFlow starts with the number of threads that the job was
started with, a crash does not take the worker along, and its memory is not counted as the worker's.
Between tasks it keeps its networks and all that the next frame needs.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from time import monotonic
from typing import Any

from dreamvideo import cancel
from dreamvideo.render.job.checkpoint import Arrays, pack_checkpoint
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import Manifest
from dreamvideo.render.job.segment_store import FrameRecord, SegmentSink
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.pool import use_threads
from dreamvideo.render.parallel.renderer import Renderer

# A chunk is complete with the first frame after so many seconds.
CHUNK_SECONDS = 5.0
# Seconds that a process may take to return what it has when the render is stopped.
STOPPING = 10.0

Write = tuple[str, tuple[Any, ...]]
"""A method of ``SegmentStore`` and its arguments: a call to be made where the segment is stored."""


@dataclass(frozen=True)
class RemoteJob:
    """A job as a worker sees it.

    Attributes:
        manifest: The job's manifest, with the names that its files have on the worker.
        folder: The job's own folder, where the worker stores frames; None where it does not see it.
        chunk_frames: How many frames a task dreams at most.
        state_seconds: Seconds between two states that are sent along with frames.
    """

    manifest: Manifest
    folder: Path | None
    chunk_frames: int
    state_seconds: float


@dataclass(frozen=True)
class Start:
    """Where a chain of tasks starts: after ``done`` frames, with the state for the next one.

    The state is None where a shot starts. Where the worker stores the frames, it knows better.
    """

    done: int
    state: Arrays | None


@dataclass(frozen=True)
class Chunk:
    """Some frames of a segment.

    Attributes:
        done: How many frames of the segment are done.
        loss: The objective of the last one.
        writes: What the client has to store; nothing if the worker stores the frames.
        ended: Whether the segment is complete.
        stopped: Whether the render was stopped in the course of this.
    """

    done: int
    loss: float
    writes: tuple[Write, ...] = ()
    ended: bool = False
    stopped: bool = False


class BufferStore(SegmentSink):
    """A segment whose frames are kept in memory until they are taken, to be stored elsewhere."""

    # What is taken must not grow meanwhile.
    takes_any_thread = False

    def __init__(self, first: int, kept: int, state_seconds: float) -> None:
        """``kept`` frames are stored already; a state is taken every ``state_seconds``."""
        super().__init__(first, kept)
        self._count = kept
        self._writes: list[Write] = []
        self._state: tuple[int, Arrays] | None = None
        self._state_seconds = state_seconds
        self._next_state = monotonic() + state_seconds

    @property
    def count(self) -> int:
        """How many frames are done."""
        return self._count

    def put(self, record: FrameRecord, data: bytes) -> None:
        """Keep the next frame."""
        self._writes.append(("put", (record, data)))
        self._count += 1

    def put_source(self, number: int, data: bytes) -> None:
        """Keep the source of a frame."""
        self._writes.append(("put_source", (number, data)))

    def put_ahead(self, number: int, data: bytes) -> None:
        """Keep a frame that was dreamt ahead."""
        self._writes.append(("put_ahead", (number, data)))

    def checkpoint(self, arrays: Arrays, count: int, *, now: bool = False) -> None:
        """Remember what the next frame is made from; it is packed only when it is taken."""
        self._state = count, arrays

    def finish(self, notes: tuple[str, ...] = (), missing: int = 0) -> None:
        """Note that the segment is complete."""
        self._writes.append(("finish", (notes, missing)))
        self._state = None

    def take(self, *, last: bool) -> tuple[Write, ...]:
        """All writes since the last time, with a checkpoint if one is due or they are the last."""
        writes, self._writes = self._writes, []
        if self._state is not None and (last or monotonic() >= self._next_state):
            count, arrays = self._state
            writes.append(("put_checkpoint", (count, pack_checkpoint(count, arrays))))
            self._next_state = monotonic() + self._state_seconds
            self._state = None
        return tuple(writes)


class SegmentDreamer:
    """Dreams segments of a job, one after the other; all that they share is loaded once."""

    def __init__(self, job: RemoteJob) -> None:
        self._job = job
        self._renderer: Renderer | None = None
        self._store: BufferStore | None = None
        self._frames: Generator[tuple[int, float], None, None] | None = None
        self._segment: Segment | None = None
        self._last = 0, float("nan")

    def dream_chunk(self, segment: Segment, start: Start | None) -> Chunk:
        """Dream the next frames. Raises DreamVideoError."""
        if start is None and segment != self._segment:
            # The task after a segment's last one, which nobody waits for.
            return Chunk(0, float("nan"), ended=True)
        ended = stopped = False
        # The first frame is returned at once: it shows that all is well.
        frames = 1 if start else self._job.chunk_frames
        until = monotonic() + CHUNK_SECONDS
        try:
            if start is not None:
                self._start(segment, start)
            assert self._frames is not None
            while frames and not ended:
                frame = next(self._frames, None)
                ended = frame is None
                self._last = frame or self._last
                frames = frames - 1 if monotonic() < until else 0
        except cancel.Interrupted:
            stopped = True
        writes = () if self._store is None else self._store.take(last=stopped)
        return Chunk(*self._last, writes, ended=ended, stopped=stopped)

    def _start(self, segment: Segment, start: Start) -> None:
        """Start a segment, or resume it from a state."""
        if self._frames is not None:
            self._frames.close()
        self._store = None
        self._segment, self._last = segment, (start.done, float("nan"))
        if self._renderer is None:
            self._renderer = Renderer(Job(self._job.folder or Path(), self._job.manifest))
        if self._job.folder is not None:
            self._frames = self._renderer.render_frames(segment)
        else:
            self._store = BufferStore(segment.first, start.done, self._job.state_seconds)
            self._frames = self._renderer.continue_segment(segment, self._store, start.state)


_dreamer: list[SegmentDreamer] = []


def initialize_process(folder: Path, threads: int, alive: connection.Connection) -> None:
    """Make a new process ready to dream.

    Args:
        folder: Where the files are that were sent for the render.
        threads: How many TensorFlow uses.
        alive: When its other end is closed, the process stops at the next gradient step.
    """
    cancel.set_up_child(alive, STOPPING)
    os.chdir(folder)
    use_threads(threads)


def dream_chunk(job: RemoteJob, segment: Segment, start: Start | None) -> Chunk:
    """Dream the next frames of a segment: a task of Dask.

    Args:
        job: The job as this worker sees it.
        segment: The segment; all tasks of its chain run in the same process, one after the other.
        start: Where the chain starts; None: after the task before this one.

    Raises:
        DreamVideoError: The segment cannot be dreamt here.
    """
    if not _dreamer:
        _dreamer.append(SegmentDreamer(job))
    return _dreamer[0].dream_chunk(segment, start)
