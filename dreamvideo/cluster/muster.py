"""Which workers a cluster has that compute as we do, before any work begins."""

from __future__ import annotations

import asyncio
import time

from dreamvideo.cluster.connection import connected
from dreamvideo.cluster.workers import (
    Inspected,
    Line,
    RefusedError,
    inspect,
    refusal,
    takes_gpus,
)
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.render.parallel.executor import Capacity
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.settings.machine import MachineSettings

# Seconds between looks at a cluster that has nobody.
AGAIN = 0.5


def tell(on_progress: OnProgress, words: str) -> None:
    """A line to the user that is no progress."""
    on_progress(Progress("", "", 0, None, note=words))


async def muster(
    cluster: str,
    machine: MachineSettings,
    patience: float,
    known: set[str],
    on_progress: OnProgress,
) -> Capacity:
    """What the workers of a cluster can do; for the first one it waits ``patience`` seconds.

    Those that cannot be used are told, and noted in ``known``. Raises UsageError, DreamVideoError.
    """
    async with connected(cluster) as client:
        line = Line(client)
        if "dashboard" in (await client.scheduler.identity(n_workers=0))["services"]:
            tell(on_progress, f"the cluster's dashboard: {client.dashboard_link}")
        until = time.monotonic() + patience
        waits = False
        while True:
            workers = await line.workers()
            gpus = takes_gpus(machine.device, workers)
            looks = [inspect(line, *item, gpus=gpus) for item in workers.items()]
            said = await asyncio.gather(*looks, return_exceptions=True)
            found = [worker for worker in said if isinstance(worker, Inspected)]
            refused = []
            for (address, info), why in zip(workers.items(), said, strict=True):
                if isinstance(why, RefusedError):
                    refused.append(refusal(address, info, why))
                    known.add(address)
                elif isinstance(why, BaseException):
                    raise why
            if found:
                for words in refused:
                    tell(on_progress, words)
                slots = sum(worker.slots for worker in found)
                # On a GPU a segment has the cores of its worker for what the GPU does not do.
                threads = min(w.cores // w.slots for w in found) if gpus else 1
                return Capacity(slots, max(1, threads))
            if refused:
                raise DreamVideoError(f"{cluster}: {'; '.join(refused)}")
            if workers and gpus:
                raise UsageError(
                    f"--device gpu: no worker of {cluster} offers one: start them as "
                    "dask worker … --resources GPU=1"
                )
            if time.monotonic() > until:
                raise DreamVideoError(f"{cluster}: has had no workers for {patience:g} seconds")
            if not waits:
                waits = True
                tell(on_progress, f"{cluster} has no workers: waiting for {patience:g} seconds")
            await asyncio.sleep(AGAIN)
