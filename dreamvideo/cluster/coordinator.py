"""A render on a cluster: a chain of tasks for each segment, its frames stored as they arrive.

A chain stays on one worker, whose process keeps the state between tasks. Each task has the one
before it as an argument, and the next one is always submitted in advance, so that the worker need
not wait for the client. When a worker is lost, its segments become chains again that start from
the last state that has arrived.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from distributed import CancelledError

from dreamvideo.cluster.connection import connected
from dreamvideo.cluster.discover_workers import (
    ReadyWorker,
    RefusedError,
    WorkerInfo,
    WorkerPreparer,
    inspect_worker,
    list_workers,
    uses_gpus,
)
from dreamvideo.cluster.process import Chunk, ProcessLostError
from dreamvideo.cluster.worker import dream_chunk, stop_plugin
from dreamvideo.errors import DreamVideoError, UsageError, WeightsError
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.segment_store import SegmentStore
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.executor import Capacity, ProgressTracker

Tell = Callable[[str], None]
"""Is called with lines for the user; tells the same one only once."""

# Seconds between looks at the list of workers; the more there are the longer.
TICK = 0.2
WORKERS_A_SECOND = 400
# Seconds that the workers may take to return what they have when the render is stopped.
STOPPING = 10.0
# Chunks that are transferred at a time, however many workers there are.
TRANSFERS = 4
# Share of the time in which the states of segments may be transferred.
STATE_SHARE = 0.04


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
        until = time.monotonic() + patience
        while True:
            workers = await list_workers(client)
            gpus = uses_gpus(device, workers)
            looks = [inspect_worker(client, *item, gpus=gpus) for item in workers.items()]
            results = await asyncio.gather(*looks, return_exceptions=True)
            found = [result for result in results if isinstance(result, WorkerInfo)]
            refusals = [str(result) for result in results if isinstance(result, RefusedError)]
            if found:
                for line in refusals:
                    tell(line)
                # On a GPU a segment has the cores of its worker for what the GPU does not do.
                threads = min(w.cores // w.slots for w in found) if gpus else 1
                return Capacity(sum(worker.slots for worker in found), max(1, threads))
            if refusals:
                raise DreamVideoError(f"{cluster}: {'; '.join(refusals)}")
            if workers and gpus:
                raise UsageError(
                    f"--device gpu: no worker of {cluster} offers one: start them as "
                    "dask worker … --resources GPU=1"
                )
            if time.monotonic() > until:
                raise DreamVideoError(f"{cluster}: has had no workers for {patience:g} seconds")
            tell(f"{cluster} has no workers: waiting for {patience:g} seconds")
            await asyncio.sleep(TICK)


@dataclass
class Chain:
    """The tasks of one segment on one worker.

    ``part`` stores what arrives, None where the worker does; a state is asked for again after
    ``next_state`` (monotonic seconds).
    """

    segment: Segment
    worker: ReadyWorker
    part: SegmentStore | None
    next_state: float = 0.0


class Coordinator:
    """One render on a cluster."""

    def __init__(
        self, client: Any, job: Job, tracker: ProgressTracker, tell: Tell, chunk_frames: int
    ) -> None:
        """Prepare a render.

        Args:
            client: A connected client.
            job: What is rendered; its segments are settled.
            tracker: The segments that are left; is told how far they are.
            tell: Is told of workers that cannot be used.
            chunk_frames: How many frames a task dreams at most.
        """
        self._client = client
        self._job = job
        self._tracker = tracker
        self._tell = tell
        self._chunk_frames = chunk_frames
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._workers: dict[str, ReadyWorker] = {}
        self._chains: dict[asyncio.Task[None], Chain] = {}
        self._failed: dict[int, set[str]] = {}
        self._task_numbers = count()
        self._transfers = asyncio.Semaphore(TRANSFERS)
        self._staging = asyncio.Semaphore(TRANSFERS)
        self._stopping = False

    async def run(self, most: int | None, patience: float) -> None:
        """Dream all segments that are not complete. However this ends, the workers stop soon.

        Args:
            most: How many segments are dreamt at a time at most; None: as many as fit.
            patience: Seconds to wait when no worker is left.

        Raises:
            DreamVideoError: A segment has failed, or no worker is left.
        """
        machine = self._job.manifest.machine
        self._gpus = uses_gpus(machine.device, await list_workers(self._client))
        # Processors and GPUs do not compute the same last bits: a render uses only one of them.
        machine = machine.model_copy(update={"device": "gpu" if self._gpus else "cpu"})
        manifest = self._job.manifest.model_copy(update={"machine": machine})
        job = Job(self._job.folder, manifest)
        self._preparer = WorkerPreparer(self._client, job, self._chunk_frames)
        try:
            await self._run(most, patience)
        finally:
            await self._stop()

    async def _run(self, most: int | None, patience: float) -> None:
        until: float | None = None
        while not self._tracker.finished:
            workers = await list_workers(self._client)
            self._follow_workers(workers)
            self._start_chains(most)
            if self._workers or not all(task.done() for task in self._preparing.values()):
                until = None
            elif until is None:
                until = time.monotonic() + patience
                self._tell(f"no worker is left: waiting for {patience:g} seconds")
            elif time.monotonic() > until:
                raise DreamVideoError(
                    f"{self._client.scheduler.address}: no worker has been left for "
                    f"{patience:g} seconds"
                )
            tick = max(TICK, len(workers) / WORKERS_A_SECOND)
            pause = asyncio.create_task(asyncio.sleep(tick))
            await asyncio.wait({pause, *self._chains}, return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            for task in [*self._chains, *self._preparing.values()]:
                if task.done():
                    self._chains.pop(task, None)
                    task.result()

    async def _stop(self) -> None:
        """Let the workers return what they have, for a while; then let go of them."""
        self._stopping = True
        if self._chains:
            busy = list({chain.worker.address for chain in self._chains.values()})
            token = self._preparer.token
            with suppress(OSError, asyncio.TimeoutError):
                call = self._client.run(stop_plugin, token, workers=busy, on_error="ignore")
                await asyncio.wait_for(call, STOPPING)
                await asyncio.wait(set(self._chains), timeout=STOPPING)
        tasks = [*self._chains, *self._preparing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # With their futures goes what the workers have of the job.
        self._workers.clear()

    def _follow_workers(self, workers: dict[str, dict[str, Any]]) -> None:
        """Prepare workers that have come, forget those that are gone."""
        for address in self._preparing.keys() - workers.keys():
            self._preparing.pop(address).cancel()
            self._workers.pop(address, None)
        for address in workers.keys() - self._preparing.keys():
            preparing = self._prepare(address, workers[address])
            self._preparing[address] = asyncio.create_task(preparing)

    async def _prepare(self, address: str, info: dict[str, Any]) -> None:
        try:
            worker = await inspect_worker(self._client, address, info, gpus=self._gpus)
            if worker is None:
                return
            if worker.note:
                self._tell(worker.note)
            async with self._staging:
                self._workers[address] = await self._preparer.prepare(worker)
        except RefusedError as refusal:
            self._tell(str(refusal))

    def _start_chains(self, most: int | None) -> None:
        """Give free workers a segment each, rather not one that has failed there before."""
        chains = Counter(chain.worker.address for chain in self._chains.values())
        free = [w for w in self._workers.values() for _ in range(w.slots - chains[w.address])]
        for segment in list(self._tracker.waiting):
            if not free or (most and len(self._chains) >= most):
                return
            failed = self._failed.get(segment.index, set())
            fit = [w for w in free if w.address not in failed]
            if not fit and not self._workers.keys() <= failed:
                continue
            worker = min(fit or free, key=lambda worker: chains[worker.address])
            free.remove(worker)
            chains[worker.address] += 1
            self._tracker.waiting.remove(segment)
            part = None if worker.shared else self._job.segment_store(segment)
            chain = Chain(segment, worker, part)
            self._chains[asyncio.create_task(self._dream(chain))] = chain

    async def _dream(self, chain: Chain) -> None:
        """Dream a segment on a worker; if that fails, the segment waits again."""
        start = await asyncio.to_thread(_start_of, chain.part)
        task = None
        while True:
            try:
                task = task or self._submit(chain, await self._send(chain, start))
                next_task = self._submit(chain, task)
                # Only its end is waited for here: few results are transferred at a time.
                await task.exception()
                async with self._transfers:
                    began = time.monotonic()
                    chunk: Chunk = await task
            except (UsageError, WeightsError) as error:
                raise type(error)(f"worker {chain.worker.address}: {error}") from None
            # Whatever else a task ends with, another worker can try.
            except Exception as error:
                self._try_again(chain, error)
                return
            await asyncio.to_thread(_store, chain.part, chunk)
            if any(write.method == "put_checkpoint" for write in chunk.writes):
                cost = time.monotonic() - began
                chain.next_state = began + cost * len(self._chains) / STATE_SHARE
            # A shared segment may have been complete before.
            done = self._job.segment_store(chain.segment).count if chunk.ended else chunk.done
            at_work = len(self._chains)
            self._tracker.record_progress(
                chain.segment, done, chunk.loss, at_work, ended=chunk.ended
            )
            if chunk.stopped and not self._stopping:
                self._try_again(chain, ProcessLostError("its worker has left the render"))
            if chunk.ended or chunk.stopped:
                return
            task = next_task

    async def _send(self, chain: Chain, start: Chunk) -> Any:
        """A start as an argument of a task: a state is too large to be a part of the task."""
        if start.state is None:
            return start
        return await self._client.scatter(start, workers=[chain.worker.address], hash=False)

    def _submit(self, chain: Chain, previous: Any) -> Any:
        """The next task of a chain; ``previous`` is the future of the one before, or a start."""
        wants_state = chain.part is not None and time.monotonic() >= chain.next_state
        return self._client.submit(
            dream_chunk,
            chain.worker.job,
            chain.segment,
            previous,
            wants_state,
            key=f"{self._preparer.token}:{chain.segment.index}:{next(self._task_numbers)}",
            workers=[chain.worker.address],
            resources={"GPU": 1} if self._gpus else None,
            pure=False,
        )

    def _try_again(self, chain: Chain, error: Exception) -> None:
        address, segment = chain.worker.address, chain.segment
        how = str(error)
        if isinstance(error, CancelledError):
            # Dask cannot make again what only that worker had.
            how = "its worker was lost"
            self._workers.pop(address, None)
        elif isinstance(error, DreamVideoError):
            how = f"worker {address}: {error}"
        self._failed.setdefault(segment.index, set()).add(address)
        self._tracker.waiting.appendleft(segment)
        if not self._stopping:
            self._tracker.record_loss(segment, how)


def _start_of(part: SegmentStore | None) -> Chunk:
    """Where a chain starts; a worker that stores the frames itself finds that out by itself."""
    kept, state = (0, None) if part is None else part.resume()
    return Chunk(kept, starts_chain=True, state=state)


def _store(part: SegmentStore | None, chunk: Chunk) -> None:
    """Store what a chunk brings. Raises DreamVideoError where it is not as it was sent."""
    for write in chunk.writes:
        assert part is not None
        if write.method == "put":
            record, data = write.arguments
            if zlib.crc32(data) != record.crc or record.number != part.first + part.count:
                raise DreamVideoError(f"frame {record.number}: did not arrive as it was sent")
        write.apply(part)
