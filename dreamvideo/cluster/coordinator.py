"""A render on a cluster: a chain of tasks for each segment, its frames stored as they arrive.

A chain stays in one process of one worker, which keeps the state between tasks. The next task is
submitted before the result of the last one is fetched, so that the process is never idle for long.
When a worker is lost, its segments become chains again that start from the last state that has
arrived.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import zlib
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import dask
from distributed import CancelledError

from dreamvideo.cluster.discover_workers import (
    RefusedError,
    Tell,
    Worker,
    inspect_worker,
    list_workers,
    run_on,
    uses_gpus,
)
from dreamvideo.cluster.process import STOPPING, Chunk, RemoteJob, Start, dream_chunk
from dreamvideo.cluster.staged_files import plan_staging
from dreamvideo.cluster.worker import (
    DreamPlugin,
    executor_name,
    job_key,
    join_render,
    stop_plugin,
    write_piece,
)
from dreamvideo.errors import DreamVideoError, UsageError, WeightsError
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.segment_store import SegmentStore
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.executor import ProgressTracker

# Seconds between looks at the list of workers.
TICK = 0.5
# Results that are fetched, and workers that are sent files, at a time, however many workers there
# are.
TRANSFERS = 4


@dataclass(frozen=True)
class Chain:
    """The tasks of one segment in one slot of a worker.

    ``store`` stores what arrives; None where the worker does.
    """

    segment: Segment
    worker: Worker
    slot: int
    store: SegmentStore | None


class Coordinator:
    """One render on a cluster."""

    def __init__(self, client: Any, job: Job, tracker: ProgressTracker, tell: Tell) -> None:
        """Prepare a render.

        Args:
            client: A connected client.
            job: What is rendered; its segments are settled.
            tracker: The segments that are left; is told how far they are.
            tell: Is told of workers that cannot be used.
        """
        self._client = client
        self._job = job
        self._tracker = tracker
        self._tell = tell
        # Dask's dashboard groups tasks by how their names begin.
        self._token = f"dream-{secrets.token_hex(8)}"
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._ready: dict[str, Worker] = {}
        self._chains: dict[asyncio.Task[None], Chain] = {}
        self._failed: dict[int, set[str]] = {}
        self._task_numbers = count()
        self._fetching = asyncio.Semaphore(TRANSFERS)
        self._sending = asyncio.Semaphore(TRANSFERS)
        self._stopping = False

    async def run(
        self, most: int | None, patience: float, chunk_frames: int, state_seconds: float
    ) -> None:
        """Dream all segments that are not complete. However this ends, the workers stop soon.

        Args:
            most: How many segments are dreamt at a time at most; None: as many as fit.
            patience: Seconds to wait when no worker is left.
            chunk_frames: How many frames a task dreams at most.
            state_seconds: Seconds between two states that are sent along with frames.

        Raises:
            DreamVideoError: A segment has failed, or no worker is left.
        """
        machine = self._job.manifest.machine
        self._gpus = uses_gpus(machine.device, await list_workers(self._client))
        # Processors and GPUs do not compute the same last bits: a render uses only one of them.
        machine = machine.model_copy(update={"device": "gpu" if self._gpus else "cpu"})
        manifest = self._job.manifest.model_copy(update={"machine": machine})
        self._plans = [plan_staging(manifest, shared=shared) for shared in (False, True)]
        self._limits = chunk_frames, state_seconds
        try:
            await self._run(most, patience)
        finally:
            await self._stop()

    async def _run(self, most: int | None, patience: float) -> None:
        until: float | None = None
        while not self._tracker.finished:
            self._follow_workers(await list_workers(self._client))
            self._start_chains(most)
            # One that has failed meanwhile is still looked at below.
            preparing = {
                task
                for task in self._preparing.values()
                if not task.done() or (not task.cancelled() and task.exception())
            }
            if self._ready or preparing:
                until = None
            elif until is None:
                until = time.monotonic() + patience
                self._tell(f"no worker is left: waiting for {patience:g} seconds")
            elif time.monotonic() > until:
                raise DreamVideoError(
                    f"{self._client.scheduler.address}: no worker has been left for "
                    f"{patience:g} seconds"
                )
            pause = asyncio.create_task(asyncio.sleep(TICK))
            tasks = {pause, *self._chains, *preparing}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            for task in done:
                self._chains.pop(task, None)
                task.result()

    async def _stop(self) -> None:
        """Let the workers return what they have, for a while; then let go of them."""
        self._stopping = True
        if self._chains:
            busy = list({chain.worker.address for chain in self._chains.values()})
            with suppress(OSError, asyncio.TimeoutError):
                call = self._client.run(stop_plugin, self._token, workers=busy, on_error="ignore")
                await asyncio.wait_for(call, STOPPING)
                await asyncio.wait(set(self._chains), timeout=STOPPING)
        tasks = [*self._chains, *self._preparing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # With their futures goes what the workers have of the job.
        self._ready.clear()

    def _follow_workers(self, workers: dict[str, dict[str, Any]]) -> None:
        """Prepare workers that have come, forget those that are gone."""
        for address in self._preparing.keys() - workers.keys():
            self._preparing.pop(address).cancel()
            self._ready.pop(address, None)
        for address in workers.keys() - self._preparing.keys():
            preparing = self._prepare(address, workers[address])
            self._preparing[address] = asyncio.create_task(preparing)

    async def _prepare(self, address: str, info: dict[str, Any]) -> None:
        """Give a worker what it needs: a plugin, and the files that it does not see."""
        try:
            worker = await inspect_worker(self._client, address, info, gpus=self._gpus)
            if worker is None:
                return
            if worker.note:
                self._tell(worker.note)
            async with self._sending:
                self._ready[address] = await self._send_job(worker)
        except RefusedError as refusal:
            self._tell(str(refusal))

    async def _send_job(self, worker: Worker) -> Worker:
        folder = self._job.folder.absolute()
        # The worker copies this file if it sees the folder.
        note = folder / "parts" / f"shared-{secrets.token_hex(16)}"
        copy = note.with_suffix(".copy")
        plugin = DreamPlugin(self._token, worker.slots, self._job.manifest.threads)
        files = self._plans[False].fingerprints
        try:
            note.touch()
            sees = await run_on(
                self._client, worker.address, join_render, plugin, note, copy, files
            )
            shared = sees and copy.exists()
            plan = self._plans[shared]
            job = RemoteJob(plan.manifest, folder if shared else None, *self._limits)
            key = job_key(self._token, worker.address)
            # First of all: when this is released, the worker removes all that it has of the job.
            futures = await self._client.scatter({key: job}, workers=[worker.address])
            for piece in plan.pieces():
                await run_on(self._client, worker.address, write_piece, self._token, *piece)
        except DreamVideoError:
            raise
        except Exception as error:
            raise RefusedError(worker.name, f"it cannot be prepared ({error})") from error
        finally:
            note.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
        return replace(worker, shared=shared, job=futures[key])

    def _start_chains(self, most: int | None) -> None:
        """Give free slots a segment each, rather not one that has failed on that worker before."""
        taken = {(chain.worker.address, chain.slot) for chain in self._chains.values()}
        free = [
            (slot, worker)
            for worker in self._ready.values()
            for slot in range(worker.slots)
            if (worker.address, slot) not in taken
        ]
        # Few segments are spread over many workers.
        free.sort(key=lambda place: place[0])
        for segment in list(self._tracker.waiting):
            failed = self._failed.get(segment.index, set())
            if self._ready.keys() <= failed:
                failed = set()
            place = next((place for place in free if place[1].address not in failed), None)
            if place is None or (most and len(self._chains) >= most):
                continue
            free.remove(place)
            self._tracker.waiting.remove(segment)
            slot, worker = place
            store = None if worker.shared else self._job.segment_store(segment)
            chain = Chain(segment, worker, slot, store)
            self._chains[asyncio.create_task(self._dream(chain))] = chain

    async def _dream(self, chain: Chain) -> None:
        """Dream a segment on a worker; if that fails, the segment waits again."""
        segment, store, address = chain.segment, chain.store, chain.worker.address
        kept, state = await asyncio.to_thread(store.resume) if store is not None else (0, None)
        start: Any = Start(kept, state)
        task = None
        while True:
            try:
                if task is None:
                    # A state is too large to be a part of the task.
                    start = await self._client.scatter(start, workers=[address], hash=False)
                    task = self._submit(chain, start)
                failed = await task.exception() is not None
                next_task = None if failed else self._submit(chain, None)
                # Few results are fetched at a time; the worker goes on meanwhile.
                async with self._fetching:
                    chunk: Chunk = await task
            except (UsageError, WeightsError) as error:
                raise type(error)(f"worker {address}: {error}") from None
            # Whatever else a task ends with, another worker can try.
            except Exception as error:
                self._retry(chain, error)
                return
            await asyncio.to_thread(_store, store, chunk)
            # A shared segment may have been complete before.
            done = self._job.segment_store(segment).count if chunk.ended else chunk.done
            self._tracker.record_progress(
                segment, done, chunk.loss, len(self._chains), ended=chunk.ended
            )
            if chunk.stopped and not self._stopping:
                self._retry(chain, DreamVideoError("has left the render"))
            if chunk.ended or chunk.stopped:
                return
            task = next_task

    def _submit(self, chain: Chain, start: Any) -> Any:
        """Submit the next task of a chain; ``start`` is a ``Start`` for the first."""
        with dask.annotate(executor=executor_name(self._token, chain.slot)):
            return self._client.submit(
                dream_chunk,
                chain.worker.job,
                chain.segment,
                start,
                key=f"{self._token}:{chain.segment.index}:{next(self._task_numbers)}",
                workers=[chain.worker.address],
                resources={"GPU": 1} if self._gpus else None,
                pure=False,
            )

    def _retry(self, chain: Chain, error: Exception) -> None:
        """Let the segment of a chain that has failed wait again, unless it fails too often."""
        address = chain.worker.address
        how = f"worker {address}: {error}"
        if isinstance(error, CancelledError):
            # Dask cannot make again what only that worker had.
            how = "its worker was lost"
            self._ready.pop(address, None)
        elif isinstance(error, BrokenExecutor):
            how = "killed, or crashed"
        elif not isinstance(error, DreamVideoError):
            what = " ".join(str(error).split())[:300]
            how = f"worker {address}: unexpected {type(error).__name__}: {what}"
        self._failed.setdefault(chain.segment.index, set()).add(address)
        self._tracker.waiting.appendleft(chain.segment)
        if not self._stopping:
            self._tracker.record_loss(chain.segment, how)


def _store(store: SegmentStore | None, chunk: Chunk) -> None:
    """Store what a chunk brings. Raises DreamVideoError where it is not as it was sent."""
    for method, arguments in chunk.writes:
        assert store is not None
        if method == "put":
            record, data = arguments
            if zlib.crc32(data) != record.crc or record.number != store.first + store.count:
                raise DreamVideoError(f"frame {record.number}: did not arrive as it was sent")
        getattr(store, method)(*arguments)
