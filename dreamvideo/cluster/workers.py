"""The workers of a cluster, as they come and go: checked, told apart by what they share with us."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dreamvideo.cluster.baggage import Baggage, at_the_same_place, files_of, shipped
from dreamvideo.cluster.signature import difference, processor, signature
from dreamvideo.cluster.station import open_station
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.paths import escape_text
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import compute_fingerprint

# Seconds in which a worker has to tell what it is like; it may have much to import.
ANSWER = 60.0
# Pieces of files and frames that are on their way at a time, over all workers.
ON_THE_WAY = 4


class RefusedError(Exception):
    """A worker cannot be used; the words say why."""


@dataclass(frozen=True)
class Inspected:
    """A worker that is as we are. ``folder`` is its own, ``slots`` segments fit it at a time."""

    address: str
    slots: int
    cores: int
    folder: str
    note: str = ""


class Line:
    """The way to all stations, for one render."""

    def __init__(self, client: Any) -> None:
        self.client = client
        # Dask's own display groups tasks by how their names begin.
        self.token = f"dream-{secrets.token_hex(8)}"
        # Of a file that every worker is asked for.
        self.digest = cache(compute_fingerprint)
        self._way = asyncio.Semaphore(ON_THE_WAY)

    async def workers(self) -> dict[str, dict[str, Any]]:
        """What the scheduler tells of its workers, by address. Raises DreamVideoError."""
        try:
            return dict((await self.client.scheduler.identity())["workers"])
        except OSError as error:
            raise DreamVideoError(
                f"{self.client.scheduler.address}: the scheduler is gone"
            ) from error

    async def ask(self, address: str, do: str, **values: Any) -> dict[str, Any] | None:
        """A station's answer; None where it did not answer. Raises RefusedError."""
        call = {"op": "dreamvideo", "do": do, "token": self.token, **values}
        try:
            said = await self.client.scheduler.broadcast(
                msg=call, workers=[address], on_error="ignore"
            )
        except OSError:
            return None
        answer = said.get(address)
        if not isinstance(answer, dict):
            return None
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer

    async def carry(self, address: str, do: str, **values: Any) -> dict[str, Any] | None:
        """``ask`` for what is large: a few at a time, so that they fit the scheduler's memory."""
        async with self._way:
            return await self.ask(address, do, **values)


def takes_gpus(device: str, workers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether only GPU slots are used: where they are wanted, or there are any."""
    return device == "gpu" or (
        device == "auto" and any(info["resources"].get("GPU") for info in workers.values())
    )


async def inspect(
    line: Line, address: str, info: Mapping[str, Any], *, gpus: bool
) -> Inspected | None:
    """A worker, if it computes as we do; None for one without a GPU where those are wanted.

    Raises RefusedError.
    """
    slots = int(info["resources"].get("GPU", 0)) if gpus else info["nthreads"]
    if not slots:
        return None
    call = line.client.run(open_station, workers=[address], on_error="return")
    try:
        found = (await asyncio.wait_for(call, ANSWER)).get(address)
    # Dask hands on whatever a worker may raise, and raises on what it cannot.
    except Exception as error:
        found = error
    if isinstance(found, ModuleNotFoundError | ImportError | AttributeError):
        raise RefusedError("it has no dreamvideo like ours (pip install 'dreamvideo[cluster]')")
    if not isinstance(found, dict):
        raise RefusedError(" ".join(f"it does not answer ({found})".split()))
    differs = difference(signature(), found["signature"])
    if differs:
        raise RefusedError(differs)
    note = ""
    if found["processor"] != processor():
        note = "its processor is of another kind than this one's: last bits may differ"
    return Inspected(address, slots, found["cores"], found["folder"], note)


@dataclass(frozen=True)
class Joined:
    """A worker that has all that a job needs. ``shares``: it sees the job's folder itself."""

    worker: Inspected
    shares: bool
    baggage: Baggage


async def equip(line: Line, worker: Inspected, job: Job) -> Joined:
    """Give a worker what it does not see of what the job reads. Raises RefusedError, MediaError."""
    folder = f"{worker.folder}/{line.token}"
    shares = await _shares(line, worker, job, files_of(job.manifest, line.digest))
    if shares:
        baggage = at_the_same_place(job.manifest, folder)
    else:
        baggage = shipped(job.manifest, folder, line.digest)
    parcels = {parcel.digest: parcel for parcel in baggage.parcels}
    lacking = await line.ask(worker.address, "lacks", digests=list(parcels))
    for content in (lacking or {}).get("lacks", []):
        for name, start, data in parcels[content].pieces():
            await line.carry(
                worker.address, "stow", digest=content, name=name, start=start, data=data
            )
        await line.ask(worker.address, "seal", digest=content)
    return Joined(worker, shares, baggage)


async def _shares(line: Line, worker: Inspected, job: Job, files: dict[str, str]) -> bool:
    """Whether what either writes into the job's folder can be read by the other."""
    text = secrets.token_hex(16)
    note = job.folder.absolute() / "parts" / f"shared-{text}"
    theirs = Path(f"{note}.{line.token}")
    try:
        note.write_text(text, "ascii")
        said = await line.ask(worker.address, "sees", note=str(note), text=text, files=files)
        return bool(said and said["sees"]) and theirs.read_text("ascii") == text
    except OSError:
        return False
    finally:
        note.unlink(missing_ok=True)
        theirs.unlink(missing_ok=True)


def refusal(address: str, info: Mapping[str, Any], why: object) -> str:
    """One line that names a worker and what is wrong with it."""
    name = str(info.get("name", address))
    named = address if name == address else f"{escape_text(name)} ({address})"
    return f"worker {named} is not used: {escape_text(str(why))}"
