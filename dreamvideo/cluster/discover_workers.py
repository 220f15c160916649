"""The workers of a Dask cluster: which of them can be used, and for how many segments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dreamvideo.cluster.connection import connected
from dreamvideo.cluster.environment import difference, processor, signature
from dreamvideo.cluster.worker import describe_worker
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.paths import escape_text
from dreamvideo.render.parallel.executor import Capacity

Tell = Callable[[str], None]
"""Is called with lines for the user; tells the same one only once."""

# Seconds in which the scheduler, and a worker, which may have much to import, have to answer. If
# either of them ends, that is noticed at once.
ANSWER = 60.0


class RefusedError(Exception):
    """A worker cannot be used; the message names it and says why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"worker {name} is not used: {escape_text(' '.join(why.split()))}")


@dataclass(frozen=True)
class Worker:
    """A worker that computes as this process does.

    Attributes:
        address: Its address.
        name: What messages call it.
        slots: How many segments it dreams at a time.
        cores: How many cores it may use.
        note: A line for the user, or empty.
        shared: Whether it stores frames in the job's folder itself.
        job: The future of its ``RemoteJob``, once it has all that the job needs.
    """

    address: str
    name: str
    slots: int
    cores: int
    note: str = ""
    shared: bool = False
    job: Any = None


async def count_slots(cluster: str, device: str, patience: float, tell: Tell) -> Capacity:
    """Find out how many segments the workers of a cluster can dream at a time.

    Args:
        cluster: The scheduler's address or scheduler file.
        device: Whether GPUs are wanted, as of ``--device``.
        patience: Seconds to wait for the first worker.
        tell: Is told of workers that cannot be used.

    Raises:
        UsageError: A GPU is wanted and no worker has one.
        DreamVideoError: There is no cluster, or no worker that can be used.
    """
    async with connected(cluster) as client:
        if "dashboard" in (await client.scheduler.identity(n_workers=0))["services"]:
            tell(f"the cluster's dashboard: {client.dashboard_link}")
        if not await list_workers(client):
            tell(f"{cluster} has no workers: waiting for {patience:g} seconds")
            with suppress(asyncio.TimeoutError):
                await client.wait_for_workers(1, patience)
        workers = await list_workers(client)
        gpus = uses_gpus(device, workers)
        looks = [inspect_worker(client, *item, gpus=gpus) for item in workers.items()]
        results = await asyncio.gather(*looks, return_exceptions=True)
    found = [result for result in results if isinstance(result, Worker)]
    refusals = [str(result) for result in results if isinstance(result, RefusedError)]
    if not workers:
        raise DreamVideoError(f"{cluster}: has had no workers for {patience:g} seconds")
    if not found and refusals:
        raise DreamVideoError(f"{cluster}: {'; '.join(refusals)}")
    if not found:
        raise UsageError(
            f"--device gpu: no worker of {cluster} offers one: start them as "
            "dask worker … --resources GPU=1"
        )
    for line in refusals:
        tell(line)
    # On a GPU a segment has the cores of its worker for what the GPU does not do.
    threads = min(w.cores // w.slots for w in found) if gpus else 1
    return Capacity(sum(worker.slots for worker in found), max(1, threads))


async def list_workers(client: Any) -> dict[str, dict[str, Any]]:
    """What the scheduler knows of its workers, by address. Raises DreamVideoError."""
    try:
        identity = await asyncio.wait_for(client.scheduler.identity(), ANSWER)
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
) -> Worker | None:
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
        found = await asyncio.wait_for(run_on(client, address, describe_worker), ANSWER)
    except (ImportError, AttributeError):
        why = 'its dreamvideo is missing or unlike ours (pip install -e ".[cluster]")'
        raise RefusedError(name, why) from None
    # Dask passes on whatever a worker raises, and raises what it likes where it cannot.
    except Exception as error:
        raise RefusedError(name, f"it does not answer ({error})") from error
    differs = difference(signature(), found["signature"])
    if differs:
        raise RefusedError(name, differs)
    note = ""
    if found["processor"] != processor():
        note = f"worker {name}: its processor is of another kind than this one's: last bits may "
        note += "differ"
    return Worker(address, name, slots, found["cores"], note)


async def run_on(client: Any, address: str, function: Any, *arguments: Any) -> Any:
    """Call a function on a worker, outside of its tasks. Raises what it raises."""
    return (await client.run(function, *arguments, workers=[address]))[address]
