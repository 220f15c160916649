"""The workers of a Dask cluster: which can be used, and what each of them needs for a job."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dreamvideo.cluster.environment import difference, processor, signature
from dreamvideo.cluster.process import RemoteJob, job_key
from dreamvideo.cluster.staged_files import files_of, plan_shared, plan_staging
from dreamvideo.cluster.worker import describe_worker, join_render, write_piece
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.paths import escape_text
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import compute_fingerprint

# Seconds in which a worker has to describe itself (it may have much to import), and the scheduler
# has to answer at all.
WORKER_ANSWER = 60.0
SCHEDULER_ANSWER = 10.0


class RefusedError(Exception):
    """A worker cannot be used; the message names it and says why."""


@dataclass(frozen=True)
class WorkerInfo:
    """A worker that computes as this process does; ``slots`` segments fit it at a time.

    ``note`` is a line for the user, or empty.
    """

    address: str
    name: str
    slots: int
    cores: int
    note: str


@dataclass(frozen=True)
class ReadyWorker:
    """A worker that has all that a job needs, until ``job`` is released.

    ``job`` is the future of its ``RemoteJob``; if the worker is ``shared`` it stores frames in the
    job's folder itself.
    """

    address: str
    slots: int
    shared: bool
    job: Any


async def list_workers(client: Any) -> dict[str, dict[str, Any]]:
    """What the scheduler knows of its workers, by address. Raises DreamVideoError."""
    try:
        identity = await asyncio.wait_for(client.scheduler.identity(), SCHEDULER_ANSWER)
    except (OSError, asyncio.TimeoutError) as error:
        raise DreamVideoError(f"{client.scheduler.address}: the scheduler is gone") from error
    return dict(identity["workers"])


def uses_gpus(device: str, workers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether only GPU slots are used: if they are asked for, or there are any."""
    return device == "gpu" or (
        device == "auto" and any(info["resources"].get("GPU") for info in workers.values())
    )


async def inspect_worker(
    client: Any, address: str, info: Mapping[str, Any], *, gpus: bool
) -> WorkerInfo | None:
    """Find out whether a worker can be used.

    Args:
        client: A connected client.
        address: The worker's.
        info: What the scheduler knows of it.
        gpus: Whether only GPUs are used.

    Returns:
        The worker, or None if it has no GPU where only those are used.

    Raises:
        RefusedError: It does not answer, or differs in what decides the bits of a frame.
    """
    slots = int(info["resources"].get("GPU", 0)) if gpus else info["nthreads"]
    if not slots:
        return None
    name = str(info.get("name", address))
    name = address if name == address else f"{escape_text(name)} ({address})"
    try:
        found = await asyncio.wait_for(_run(client, address, describe_worker), WORKER_ANSWER)
    except (ImportError, AttributeError):
        why = 'its dreamvideo is missing or unlike ours (pip install -e ".[cluster]")'
        raise _refusal(name, why) from None
    # Dask passes on whatever a worker raises, and raises what it likes where it cannot.
    except Exception as error:
        raise _refusal(name, f"it does not answer ({error})") from error
    differs = difference(signature(), found["signature"])
    if differs:
        raise _refusal(name, differs)
    note = ""
    if found["processor"] != processor():
        note = f"worker {name}: its processor is of another kind than this one's: last bits may "
        note += "differ"
    return WorkerInfo(address, name, slots, found["cores"], note)


class WorkerPreparer:
    """Gives workers what they need for a job: a plugin, and the files that they do not see."""

    def __init__(self, client: Any, job: Job, chunk_frames: int) -> None:
        """``chunk_frames`` is how many frames a task dreams at most."""
        self._client = client
        self._job = job
        self._chunk_frames = chunk_frames
        # Dask's dashboard groups tasks by how their names begin.
        self.token = f"dream-{secrets.token_hex(8)}"
        self._fingerprint_of: Callable[[Path], str] = cache(compute_fingerprint)

    async def prepare(self, worker: WorkerInfo) -> ReadyWorker:
        """Prepare a worker. Raises RefusedError, MediaError for files that cannot be read here."""
        try:
            return await self._prepare(worker)
        except DreamVideoError:
            raise
        except Exception as error:
            raise _refusal(worker.name, f"it cannot be prepared ({error})") from error

    async def _prepare(self, worker: WorkerInfo) -> ReadyWorker:
        files = files_of(self._job.manifest, self._fingerprint_of)
        home, folder = self._job.folder.absolute(), Path()
        # The worker copies this file if it sees the folder.
        text = secrets.token_hex(16)
        note = home / "parts" / f"shared-{text}"
        copy = note.with_suffix(".copy")
        try:
            note.write_text(text, "ascii")
            arguments = (self.token, note, copy, files)
            folder, sees = await _run(self._client, worker.address, join_render, *arguments)
            shared = sees and copy.exists() and copy.read_text("ascii") == text
        finally:
            note.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
        if shared:
            plan = plan_shared(self._job.manifest, folder)
        else:
            plan = plan_staging(self._job.manifest, folder, self._fingerprint_of)
        place = home if shared else folder
        job = RemoteJob(self.token, plan.manifest, place, shared, self._chunk_frames)
        key = job_key(self.token, worker.address)
        # First of all, as the worker removes all that it has of the job when this is released.
        futures = await self._client.scatter({key: job}, workers=[worker.address])
        for piece in plan.pieces():
            await _run(self._client, worker.address, write_piece, *piece)
        return ReadyWorker(worker.address, worker.slots, shared, futures[key])


def _refusal(name: str, why: str) -> RefusedError:
    return RefusedError(f"worker {name} is not used: {escape_text(' '.join(why.split()))}")


async def _run(client: Any, address: str, function: Any, *arguments: Any) -> Any:
    """Call a function on a worker, beside its tasks. Raises what it raises."""
    return (await client.run(function, *arguments, workers=[address]))[address]
