"""What runs inside a Dask worker: the task that dreams a chunk, and the plugin it needs for that.

The client holds a key on each worker that it uses, the worker's description of the job. When it
lets go of that key, or is killed, Dask releases it, and the plugin removes itself: its processes
end and its files go.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from distributed import WorkerPlugin, get_worker

from dreamvideo.cluster.environment import processor, signature
from dreamvideo.cluster.process import (
    Chunk,
    DreamProcess,
    ProcessLostError,
    RemoteJob,
    Write,
    initialize_process,
    job_key,
)
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job.manifest import compute_fingerprint
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.planning.worker_count import count_cores

# A chunk is complete with the first frame after so many seconds.
CHUNK_SECONDS = 5.0


def dream_chunk(job: RemoteJob, segment: Segment, previous: Chunk, with_state: bool) -> Chunk:
    """Dream the next frames of a segment: a task of Dask.

    Args:
        job: The job as this worker sees it.
        segment: The segment; all tasks of its chain run on the same worker.
        previous: The result of the task before this one, or where the chain starts.
        with_state: Whether the client wants a checkpoint after the last frame.

    Raises:
        DreamVideoError: The segment cannot be dreamt here.
        ProcessLostError: The process that dreamt it has ended.
    """
    plugin: DreamPlugin = get_worker().plugins[job.token]
    return plugin.dream_chunk(job, segment, previous, with_state)


class DreamPlugin(WorkerPlugin):  # type: ignore[misc]
    """The dreaming processes and staged files of one render on one worker."""

    initialize_process: ClassVar[Callable[..., None]] = staticmethod(initialize_process)
    """What each process starts with. Tests add a dream of their own."""

    def __init__(self, token: str) -> None:
        """``token`` names the render, and the plugin."""
        self.name = token
        self.folder = Path()
        self._idle: list[DreamProcess] = []
        self._busy: dict[int, DreamProcess] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def setup(self, worker: Any) -> None:
        """Make the folder."""
        self._worker = worker
        self._key = job_key(self.name, worker.address)
        self.folder = Path(worker.local_directory).absolute() / "dreamvideo" / self.name
        self.folder.mkdir(parents=True)

    def transition(self, key: str, start: str, finish: str, **_: Any) -> None:
        """Leave when the client has let go of the job."""
        if key == self._key and finish == "released":
            self._worker.loop.add_callback(self._worker.plugin_remove, self.name)

    def teardown(self, worker: Any) -> None:
        """End the processes and remove the folder."""
        with self._lock:
            self._stopping = True
            for process in [*self._idle, *self._busy.values()]:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Let the tasks return after the frame that they are at, with its state."""
        self._stopping = True

    def dream_chunk(
        self, job: RemoteJob, segment: Segment, previous: Chunk, with_state: bool
    ) -> Chunk:
        """As the task of that name."""
        process = self._process(job, segment, previous)
        if process is None or previous.ended or previous.stopped:
            return replace(previous, writes=(), stopped=not previous.ended)
        try:
            if previous.starts_chain:
                process.call("begin", segment, previous)
            # The first frame is returned at once: it shows that all is well.
            frames = 1 if previous.starts_chain else job.chunk_frames
            chunk = self._dream_frames(process, previous, frames, with_state)
        except (ProcessLostError, DreamVideoError) as error:
            self._leave(segment, process, lost=isinstance(error, ProcessLostError))
            raise
        if chunk.ended:
            self._leave(segment, process)
        return chunk

    def _dream_frames(
        self, process: DreamProcess, previous: Chunk, frames: int, with_state: bool
    ) -> Chunk:
        until = time.monotonic() + CHUNK_SECONDS
        chunk = Chunk(previous.done, previous.loss)
        writes: list[Write] = []
        for number in count(1):
            if self._stopping:
                return replace(chunk, writes=(*writes, *process.call("leave")), stopped=True)
            chunk = process.call("dream_frame", chunk)
            writes.extend(chunk.writes)
            if chunk.ended or number >= frames or time.monotonic() >= until:
                break
        if with_state and not chunk.ended:
            writes.extend(process.call("take", with_state=True))
        return replace(chunk, writes=tuple(writes))

    def _process(self, job: RemoteJob, segment: Segment, previous: Chunk) -> DreamProcess | None:
        """The process that is at a segment, or a free one; None where the render is stopped."""
        with self._lock:
            if self._stopping or not previous.starts_chain:
                return self._busy.get(segment.index)
            if segment.index in self._busy:
                # Of a chain that the client has given up.
                self._busy.pop(segment.index).kill()
            process = self._idle.pop() if self._idle else DreamProcess(job, self.initialize_process)
            self._busy[segment.index] = process
            return process

    def _leave(self, segment: Segment, process: DreamProcess, *, lost: bool = False) -> None:
        """A process is no longer at a segment, unless another one is there already."""
        with self._lock:
            if self._busy.get(segment.index) is process:
                del self._busy[segment.index]
                if not lost:
                    self._idle.append(process)


# The client calls the following on single workers, beside all tasks (``Client.run``).


def describe_worker() -> dict[str, Any]:
    """What decides whether this worker can be used."""
    return {"signature": signature(), "processor": processor(), "cores": count_cores()}


async def join_render(
    token: str, note: Path, copy: Path, files: dict[str, str], dask_worker: Any
) -> tuple[Path, bool]:
    """Install the plugin for a render, and see what this worker shares with the client.

    Args:
        token: Names the render.
        note: A file in the job's folder.
        copy: The name that it is to be copied to.
        files: The fingerprint that each file has for the client, by its absolute name.
        dask_worker: Given by Dask.

    Returns:
        Where the plugin keeps its files, and whether the worker sees the folder and all files.
    """

    def sees() -> bool:
        try:
            shutil.copyfile(note, copy)
            return all(compute_fingerprint(Path(path)) == digest for path, digest in files.items())
        except (OSError, DreamVideoError):
            return False

    shared = await asyncio.to_thread(sees)
    plugin = DreamPlugin(token)
    await dask_worker.plugin_add(plugin, name=token, catch_errors=False)
    return plugin.folder, shared


def write_piece(path: Path, start: int, data: bytes) -> None:
    """Write a piece of a staged file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(start)
        file.write(data)


def stop_plugin(token: str, dask_worker: Any) -> None:
    """Let the tasks of a render return soon, with what they have."""
    plugin = dask_worker.plugins.get(token)
    if plugin is not None:
        plugin.stop()
