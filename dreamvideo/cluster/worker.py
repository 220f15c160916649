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
from dataclasses import dataclass, replace
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
)
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.fingerprint import fingerprint
from dreamvideo.render.segments import Segment
from dreamvideo.render.worth import cores


@dataclass(frozen=True)
class ChunkLimit:
    """A chunk is complete with so many frames, or with the first one after so many seconds."""

    frames: int = 16
    seconds: float = 5.0


def job_key(token: str, address: str) -> str:
    """The key that a worker's description of a job has on it, as long as the client wants it."""
    return f"{token}:job:{address}"


def dream_chunk(
    token: str,
    job: RemoteJob,
    segment: Segment,
    previous: Chunk,
    limit: ChunkLimit,
    with_state: bool,
) -> Chunk:
    """Dream the next frames of a segment: a task of Dask.

    Args:
        token: Which render it is for.
        job: The job as this worker sees it.
        segment: The segment; all tasks of its chain run on the same worker.
        previous: The result of the task before this one, or where the chain starts.
        limit: How much to dream.
        with_state: Whether the client wants a checkpoint after the last frame.

    Raises:
        DreamVideoError: The segment cannot be dreamt here.
        ProcessLostError: The process that dreamt it has ended.
    """
    plugin: DreamPlugin = get_worker().plugins[token]
    return plugin.dream_chunk(job, segment, previous, limit, with_state=with_state)


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
        self,
        job: RemoteJob,
        segment: Segment,
        previous: Chunk,
        limit: ChunkLimit,
        *,
        with_state: bool,
    ) -> Chunk:
        """As the task of that name."""
        process = self._process(job, segment, previous)
        if process is None or previous.ended or previous.stopped:
            return replace(previous, writes=(), stopped=not previous.ended)
        try:
            if previous.starts_chain:
                process.call("begin", segment, previous)
            chunk = self._dream_chunk(process, previous, limit, with_state=with_state)
        except ProcessLostError:
            del self._busy[segment.index]
            raise
        except DreamVideoError:
            self._idle.append(self._busy.pop(segment.index))
            raise
        if chunk.ended:
            self._idle.append(self._busy.pop(segment.index))
        return chunk

    def _dream_chunk(
        self, process: DreamProcess, previous: Chunk, limit: ChunkLimit, *, with_state: bool
    ) -> Chunk:
        until = time.monotonic() + limit.seconds
        writes: list[Write] = []
        done, loss = previous.done, previous.loss
        # The first frame is returned at once: it shows that all is well.
        frames = 1 if previous.starts_chain else limit.frames
        for number in count(1):
            if self._stopping:
                return Chunk(done, loss, (*writes, *process.call("leave")), stopped=True)
            frame: Chunk = process.call("dream_frame")
            writes.extend(frame.writes)
            if frame.ended:
                return Chunk(done, loss, tuple(writes), ended=True)
            done, loss = frame.done, frame.loss
            if number >= frames or time.monotonic() >= until:
                break
        return Chunk(done, loss, (*writes, *process.call("take", with_state=with_state)))

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


# The client calls the following on single workers, beside all tasks (``Client.run``).


def describe_worker() -> dict[str, Any]:
    """What decides whether this worker can be used."""
    return {"signature": signature(), "processor": processor(), "cores": cores()}


async def install_plugin(token: str, dask_worker: Any) -> Path:
    """Install the plugin for a render; where it keeps its files."""
    plugin = DreamPlugin(token)
    await dask_worker.plugin_add(plugin, name=token, catch_errors=False)
    return plugin.folder


async def is_visible(note: Path, text: str, answer: Path, files: dict[str, str]) -> bool:
    """Whether this worker shares a folder and files with the client.

    Args:
        note: A file in the client's folder.
        text: What it has to contain.
        answer: A file that the client looks for in the same folder.
        files: The fingerprint that each file has for the client, by its absolute path.
    """

    def look() -> bool:
        try:
            if note.read_text("ascii") != text:
                return False
            answer.write_text(text, "ascii")
            return all(fingerprint(Path(path)) == digest for path, digest in files.items())
        except (OSError, DreamVideoError):
            return False

    return await asyncio.to_thread(look)


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
