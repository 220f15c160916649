"""The workers of a Dask cluster: which can be used, and what each of them needs for a job."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamvideo.cluster.environment import difference, processor, signature
from dreamvideo.cluster.process import RemoteJob
from dreamvideo.cluster.staged_files import (
    FingerprintOf,
    files_of,
    plan_shared,
    plan_staging,
)
from dreamvideo.cluster.worker import (
    describe_worker,
    install_plugin,
    is_visible,
    job_key,
    write_piece,
)
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.paths import shown
from dreamvideo.render.job import Job

# Seconds in which a worker has to describe itself; it may have much to import.
ANSWER = 60.0
# And the scheduler has to answer at all.
SCHEDULER_ANSWER = 10.0


class RefusedError(Exception):
    """A worker cannot be used; the message says why."""


@dataclass(frozen=True)
class WorkerInfo:
    """A worker that computes as this process does; ``slots`` segments fit it at a time."""

    address: str
    slots: int
    cores: int
    note: str = ""


@dataclass(frozen=True)
class ReadyWorker:
    """A worker that has all that a job needs.

    Attributes:
        address: The worker's.
        slots: How many segments fit it at a time.
        shared: Whether it stores frames in the job's folder itself.
        job: The future of its description of the job. What it has of the job stays as long as this.
    """

    address: str
    slots: int
    shared: bool
    job: Any


async def list_workers(client: Any) -> dict[str, dict[str, Any]]:
    """What the scheduler knows of its workers, by address. Raises DreamVideoError."""
    try:
        identity = await asyncio.wait_for(client.scheduler.identity(), SCHEDULER_ANSWER)
        return dict(identity["workers"])
    except (OSError, asyncio.TimeoutError) as error:
        raise DreamVideoError(f"{client.scheduler.address}: the scheduler is gone") from error


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
    try:
        found = await asyncio.wait_for(_run(client, address, describe_worker), ANSWER)
    except (ImportError, AttributeError):
        words = "it has no dreamvideo like ours (pip install 'dreamvideo[cluster]')"
        raise RefusedError(words) from None
    # Dask passes on whatever a worker raises, and raises what it likes where it cannot.
    except Exception as error:
        raise RefusedError(" ".join(f"it does not answer ({error})".split())) from error
    differs = difference(signature(), found["signature"])
    if differs:
        raise RefusedError(differs)
    note = ""
    if found["processor"] != processor():
        note = "its processor is of another kind than this one's: last bits may differ"
    return WorkerInfo(address, slots, found["cores"], note)


async def prepare_worker(
    client: Any, token: str, worker: WorkerInfo, job: Job, fingerprint_of: FingerprintOf
) -> ReadyWorker:
    """Give a worker what it needs for a job: a plugin, and the files that it does not see.

    Args:
        client: A connected client.
        token: Names the render.
        worker: One that can be used.
        job: The job, on this machine.
        fingerprint_of: The fingerprint of a file, remembered from one worker to the next.

    Raises:
        MediaError: A file cannot be read here.
        RefusedError: The worker cannot be prepared.
    """
    try:
        folder: Path = await _run(client, worker.address, install_plugin, token)
        shared = await _sees(client, worker, job, files_of(job.manifest, fingerprint_of))
        if shared:
            plan = plan_shared(job.manifest, folder)
        else:
            plan = plan_staging(job.manifest, folder, fingerprint_of)
        for path, start, data in plan.pieces():
            await _run(client, worker.address, write_piece, path, start, data)
        place = job.folder.absolute() if shared else folder
        key = job_key(token, worker.address)
        described = {key: RemoteJob(plan.manifest, place, shared)}
        futures = await client.scatter(described, workers=[worker.address])
    except DreamVideoError:
        raise
    except Exception as error:
        words = " ".join(f"it cannot be prepared ({error})".split())
        raise RefusedError(words) from error
    return ReadyWorker(worker.address, worker.slots, shared, futures[key])


def refusal(address: str, info: Mapping[str, Any], why: object) -> str:
    """One line that names a worker and what is wrong with it."""
    name = str(info.get("name", address))
    named = address if name == address else f"{shown(name)} ({address})"
    return f"worker {named} is not used: {shown(str(why))}"


async def _sees(client: Any, worker: WorkerInfo, job: Job, files: dict[str, str]) -> bool:
    """Whether what either writes into the job's folder can be read by the other."""
    text = secrets.token_hex(16)
    note = job.folder.absolute() / "parts" / f"shared-{text}"
    answer = note.with_name(f"{note.name}.answer")
    try:
        note.write_text(text, "ascii")
        sees = await _run(client, worker.address, is_visible, note, text, answer, files)
        return sees and answer.read_text("ascii") == text
    except OSError:
        return False
    finally:
        note.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)


async def _run(client: Any, address: str, function: Any, *arguments: Any) -> Any:
    """Call a function on a worker, beside its tasks. Raises what it raises."""
    return (await client.run(function, *arguments, workers=[address]))[address]
