"""What a dreaming process beside a Dask worker runs: (job, segment) -> frames, one call a frame.

It is a process of its own so that TensorFlow starts with the number of threads that the job was
begun with, a crash does not take the worker along, and its memory is not counted as the worker's.
Between calls it keeps its networks and all that the next frame needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, current_process, get_context
from pathlib import Path
from typing import Any, Literal

from dreamvideo import cancel
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job.checkpoint import Arrays, pack_checkpoint
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import Manifest
from dreamvideo.render.job.segment_store import FrameRecord, SegmentSink, SegmentStore
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.pool import use_threads
from dreamvideo.render.parallel.renderer import Renderer
from dreamvideo.render.processes import start_child


@dataclass(frozen=True)
class RemoteJob:
    """A job as one worker sees it.

    Attributes:
        token: Names the render.
        manifest: The job's manifest, with the names that its files have on the worker.
        folder: The job's own folder if ``shared``, else a folder of the worker's.
        shared: Whether the worker stores frames in the job's folder itself.
        chunk_frames: How many frames a task dreams at most.
    """

    token: str
    manifest: Manifest
    folder: Path
    shared: bool
    chunk_frames: int


def job_key(token: str, address: str) -> str:
    """The key of the ``RemoteJob`` on a worker."""
    return f"{token}:job:{address}"


@dataclass(frozen=True)
class Write:
    """A call of a method of ``SegmentStore``, to be made where the segment is stored."""

    method: Literal["put", "put_source", "put_ahead", "put_checkpoint", "finish"]
    arguments: tuple[Any, ...]

    def apply(self, part: SegmentStore) -> None:
        """Make the call. Raises MediaError."""
        getattr(part, self.method)(*self.arguments)


@dataclass(frozen=True)
class Chunk:
    """Some frames of a segment, or where a chain of them starts.

    Attributes:
        done: How many frames of the segment are done.
        loss: The objective of the last one.
        writes: What the client has to store; nothing if the worker stores the frames.
        starts_chain: Whether this is a start, and no frames.
        state: What the first frame after a start is made from; None where a shot starts.
        ended: Whether the segment is complete.
        stopped: Whether the render was stopped in the course of this.
    """

    done: int
    loss: float = float("nan")
    writes: tuple[Write, ...] = ()
    starts_chain: bool = False
    state: Arrays | None = None
    ended: bool = False
    stopped: bool = False


class BufferStore(SegmentSink):
    """A segment whose frames are kept in memory until they are taken, to be stored elsewhere."""

    def __init__(self, first: int, kept: int) -> None:
        """``kept`` frames are stored already."""
        super().__init__(first, kept)
        self._count = kept
        self._writes: list[Write] = []
        self._state: tuple[Arrays, int] | None = None

    @property
    def count(self) -> int:
        """How many frames are done."""
        return self._count

    def put(self, record: FrameRecord, data: bytes) -> None:
        """Keep the next frame."""
        self._writes.append(Write("put", (record, data)))
        self._count += 1

    def put_source(self, number: int, data: bytes) -> None:
        """Keep the source of a frame."""
        self._writes.append(Write("put_source", (number, data)))

    def put_ahead(self, number: int, data: bytes) -> None:
        """Keep a frame that was dreamt ahead."""
        self._writes.append(Write("put_ahead", (number, data)))

    def checkpoint(self, arrays: Arrays, count: int, *, now: bool = False) -> None:
        """Remember what the next frame is made from; it is packed when it is asked for."""
        self._state = arrays, count

    def finish(self, notes: tuple[str, ...] = (), missing: int = 0) -> None:
        """Say that the segment is complete."""
        self._writes.append(Write("finish", (notes, missing)))

    def take(self, *, with_state: bool = False) -> tuple[Write, ...]:
        """All writes since the last time; the last one may be a checkpoint."""
        writes, self._writes = self._writes, []
        if with_state and self._state is not None:
            arrays, count = self._state
            writes.append(Write("put_checkpoint", (count, pack_checkpoint(count, arrays))))
        return tuple(writes)


class SegmentDreamer:
    """The segments of a job, one after the other; all that they share is loaded once."""

    def __init__(self, job: RemoteJob) -> None:
        self._job = job
        self._renderer: Renderer | None = None
        self._store: BufferStore | None = None
        self._frames: Generator[tuple[int, float], None, None] | None = None

    def begin(self, segment: Segment, start: Chunk) -> None:
        """Begin a segment, or go on with it from a state. Raises DreamVideoError."""
        self.leave()
        if self._renderer is None:
            self._renderer = Renderer(Job(self._job.folder, self._job.manifest))
        if self._job.shared:
            self._frames = self._renderer.render_frames(segment)
        else:
            self._store = BufferStore(segment.first, start.done)
            self._frames = self._renderer.continue_segment(segment, self._store, start.state)

    def dream_frame(self, previous: Chunk) -> Chunk:
        """Dream the frame after ``previous``. Raises DreamVideoError."""
        assert self._frames is not None
        done, loss = next(self._frames, (-1, previous.loss))
        ended = done < 0
        return Chunk(previous.done if ended else done, loss, self.take(), ended=ended)

    def take(self, *, with_state: bool = False) -> tuple[Write, ...]:
        """What the client has to store and has not been taken."""
        return () if self._store is None else self._store.take(with_state=with_state)

    def leave(self) -> tuple[Write, ...]:
        """Leave the segment; where the worker stores it, its state is stored too."""
        if self._frames is not None:
            self._frames.close()
        self._frames = None
        return self.take(with_state=True)


_dreamer: list[SegmentDreamer] = []


def initialize_process(job: RemoteJob, alive: connection.Connection) -> None:
    """Make a new process ready to dream.

    It ends when the other end of ``alive`` is closed. SIGTERM ends it only while it dreams.
    """
    cancel.set_up_child(alive)
    use_threads(job.manifest.threads)
    _dreamer[:] = [SegmentDreamer(job)]


def call_dreamer(method: str, *arguments: Any, **options: Any) -> Any:
    """Call a method of the process's ``SegmentDreamer``."""
    try:
        return getattr(_dreamer[0], method)(*arguments, **options)
    except cancel.Interrupted:
        # To the worker, a process that was told to end is one that is lost.
        cancel.stop_at_once(1)


class ProcessLostError(Exception):
    """A dreaming process has ended before its segment was complete."""


class DreamProcess:
    """A process that dreams the segments of a job, from the worker's side."""

    def __init__(self, job: RemoteJob, initialize: Callable[..., None]) -> None:
        """Start it with ``initialize_process``, or what does the same. Raises OSError."""
        context = get_context("spawn")
        theirs, self._alive = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, context, initialize, (job, theirs))
        with _children_allowed(), start_child():
            self._pool.submit(call_dreamer, "take")
        theirs.close()

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """The result of a method of its ``SegmentDreamer``.

        Raises DreamVideoError for whatever the method raises, ProcessLostError.
        """
        try:
            return self._pool.submit(call_dreamer, method, *arguments, **options).result()
        except DreamVideoError:
            raise
        except BrokenExecutor:
            raise ProcessLostError("killed, or crashed") from None
        except Exception as error:
            what = " ".join(str(error).split())[:300]
            raise DreamVideoError(f"unexpected {type(error).__name__}: {what}") from error

    def kill(self) -> None:
        """End it at once."""
        self._alive.close()
        self._pool.shutdown(wait=False)


_starting = threading.Lock()


@contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a worker start processes: Dask's nanny makes workers daemons, which may not."""
    process = current_process()
    with _starting:
        daemon, process.daemon = process.daemon, False
        try:
            yield
        finally:
            process.daemon = daemon
