"""What a Dask worker is given for a render: a plugin with its processes and its files.

The client holds a key on each worker that it uses, the worker's description of the job. When it
releases that key, or is killed, Dask forgets the key, and the plugin removes itself: its processes
end and its files go.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from pathlib import Path
from typing import Any, ClassVar

from distributed import WorkerPlugin

from dreamvideo.cluster.environment import processor, signature
from dreamvideo.cluster.process import initialize_process
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job.manifest import compute_fingerprint
from dreamvideo.render.planning.worker_count import count_cores
from dreamvideo.render.processes import start_child


def job_key(token: str, address: str) -> str:
    """The key of the ``RemoteJob`` on a worker."""
    return f"{token}:job:{address}"


def executor_name(token: str, slot: int) -> str:
    """The name of the executor, a process, that a worker runs the tasks of a slot in."""
    return f"{token}:{slot}"


class DreamProcess(Executor):
    """A process that dreams, as an executor of a Dask worker; one that has died is replaced."""

    initialize: ClassVar[Callable[..., None]] = staticmethod(initialize_process)
    """What the process starts with. Tests add a dream of their own."""

    def __init__(self, folder: Path, threads: int) -> None:
        """As for ``initialize_process``. The process starts with its first task."""
        self._arguments = folder, threads
        self._make_pool()

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        """Run a task in the process."""
        with _children_allowed(), start_child():
            try:
                return self._pool.submit(function, *arguments, **options)
            except BrokenExecutor:
                if self._alive.closed:
                    raise
                self._make_pool()
                return self._pool.submit(function, *arguments, **options)

    def stop(self) -> None:
        """Let the task that runs return what it has; the process ends."""
        self._alive.close()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop the process; nothing is waited for."""
        self.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _make_pool(self) -> None:
        context = get_context("spawn")
        theirs, self._alive = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, context, self.initialize, (*self._arguments, theirs))


class DreamPlugin(WorkerPlugin):  # type: ignore[misc]
    """The dreaming processes and staged files of one render on one worker."""

    def __init__(self, token: str, slots: int, threads: int) -> None:
        """``token`` names the render, and the plugin; each slot is a process with ``threads``."""
        self.name = token
        self._slots = slots
        self._threads = threads

    def setup(self, worker: Any) -> None:
        """Make the folder, and let the processes run tasks."""
        self._worker = worker
        self._key = job_key(self.name, worker.address)
        self.folder = Path(worker.local_directory).absolute() / "dreamvideo" / self.name
        self.folder.mkdir(parents=True)
        self._processes = {
            executor_name(self.name, slot): DreamProcess(self.folder, self._threads)
            for slot in range(self._slots)
        }
        worker.executors.update(self._processes)

    def transition(self, key: str, start: str, finish: str, **_: Any) -> None:
        """Leave when the client has released the job."""
        if key == self._key and finish == "released":
            self._worker.loop.add_callback(self._worker.plugin_remove, self.name)

    def teardown(self, worker: Any) -> None:
        """End the processes and remove the folder."""
        for name, process in self._processes.items():
            worker.executors.pop(name, None)
            process.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Let all tasks return what they have."""
        for process in self._processes.values():
            process.stop()


# The client calls the following on single workers, outside of all tasks (``Client.run``).


def describe_worker() -> dict[str, Any]:
    """What decides whether this worker can be used."""
    return {"signature": signature(), "processor": processor(), "cores": count_cores()}


async def join_render(
    plugin: DreamPlugin, note: Path, copy: Path, files: dict[str, str], dask_worker: Any
) -> bool:
    """Install the plugin for a render, and see what this worker shares with the client.

    Args:
        plugin: The plugin.
        note: A file in the job's folder.
        copy: The name that it is to be copied to.
        files: The fingerprint that each file has for the client, by its absolute name.
        dask_worker: Given by Dask.

    Returns:
        Whether the worker sees the folder and all files.
    """

    def sees() -> bool:
        try:
            shutil.copyfile(note, copy)
            return all(compute_fingerprint(Path(path)) == digest for path, digest in files.items())
        except (OSError, DreamVideoError):
            return False

    await dask_worker.plugin_add(plugin, name=plugin.name, catch_errors=False)
    return await asyncio.to_thread(sees)


def write_piece(token: str, name: Path, start: int, data: bytes, dask_worker: Any) -> None:
    """Write a piece of a staged file, whose name is relative to the folder. Raises OSError."""
    path: Path = dask_worker.plugins[token].folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(start)
        file.write(data)


def stop_plugin(token: str, dask_worker: Any) -> None:
    """Let the tasks of a render return what they have."""
    plugin = dask_worker.plugins.get(token)
    if plugin is not None:
        plugin.stop()


@contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a worker start processes: Dask's nanny makes workers daemons, which may not."""
    process = current_process()
    daemon, process.daemon = process.daemon, False
    try:
        yield
    finally:
        process.daemon = daemon
