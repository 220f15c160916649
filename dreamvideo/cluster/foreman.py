"""One render on a cluster: segments out as tasks of Dask, frames in as they are dreamt.

Dask chooses the worker of each segment. A worker that is lost costs what of its segments has not
arrived; its segments are tasks again, that go on from there.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import count
from typing import Any

from dreamvideo.cluster.connection import connected
from dreamvideo.cluster.flight import FailedError, Flight
from dreamvideo.cluster.muster import tell
from dreamvideo.cluster.station import STOPPING, dream
from dreamvideo.cluster.wire import Message
from dreamvideo.cluster.workers import (
    Joined,
    Line,
    RefusedError,
    equip,
    inspect,
    refusal,
    takes_gpus,
)
from dreamvideo.errors import DreamVideoError, UsageError, WeightsError
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.executor import ProgressTracker
from dreamvideo.render.progress import OnProgress

# Seconds between looks at the cluster, and at one worker; the more there are the rarer.
TICK = 0.2
ASKS_A_SECOND = 400
# Bytes that are taken at a time.
MOST = 16 << 20
# A worker that has not answered for so many seconds is given up.
DEAF = 60.0


async def render(
    cluster: str,
    job: Job,
    most: int | None,
    patience: float,
    known: set[str],
    on_progress: OnProgress,
) -> None:
    """Dream all segments of a job that are not complete, ``most`` at a time.

    ``known`` are workers of whom nothing needs to be said any more. However this ends, the
    cluster's workers stop soon. Raises DreamVideoError.
    """
    async with connected(cluster) as client:
        foreman = _Foreman(client, job, most, known, on_progress)
        try:
            await foreman.work(patience)
        finally:
            await foreman.dismiss()


class _Foreman:
    def __init__(
        self,
        client: Any,
        job: Job,
        most: int | None,
        known: set[str],
        on_progress: OnProgress,
    ) -> None:
        self.client = client
        self.line = Line(client)
        self.job = job
        self.most = most
        self.known = known
        self.on_progress = on_progress
        self.tally = ProgressTracker(job, on_progress)
        self.gpus = False
        self.joined: dict[str, Joined] = {}
        self.flights: dict[str, Flight] = {}
        self.attending: dict[str, asyncio.Task[None]] = {}
        self.failed: dict[int, set[str]] = {}
        self.chores: set[asyncio.Task[None]] = set()
        self.numbers = count()
        self.stopping = False

    async def work(self, patience: float) -> None:
        """See all segments through."""
        until: float | None = None
        self.gpus = takes_gpus(self.job.manifest.machine.device, await self.line.workers())
        while not self.tally.finished:
            workers = await self.line.workers()
            for address in self.attending.keys() - workers.keys():
                self._lost(address, "its worker was lost")
            for address in workers.keys() - self.attending.keys():
                attend = self._attend(address, workers[address])
                self.attending[address] = asyncio.create_task(attend)
            for task in self.attending.values():
                if task.done():
                    task.result()
            self._see_to_tasks()
            self._submit()
            if self.joined or any(not task.done() for task in self.attending.values()):
                until = None
            elif until is None:
                until = time.monotonic() + patience
                tell(self.on_progress, f"no worker is left: waiting for {patience:g} seconds")
            elif time.monotonic() > until:
                raise DreamVideoError(
                    f"{self.client.scheduler.address}: no worker has been left for "
                    f"{patience:g} seconds"
                )
            await asyncio.sleep(max(TICK, len(workers) / ASKS_A_SECOND))

    async def dismiss(self) -> None:
        """Let the workers end what they are at and tell its state, then forget us."""
        self.stopping = True
        with suppress(DreamVideoError, RefusedError):
            busy = [f for f in self.flights.items() if f[1].address is not None]
            await asyncio.gather(
                *(self.line.ask(flight.address or "", "stop", key=key) for key, flight in busy)
            )
            until = time.monotonic() + STOPPING
            while time.monotonic() < until and any(key in self.flights for key, _ in busy):
                await asyncio.sleep(TICK / 2)
        for task in self.attending.values():
            task.cancel()
        await asyncio.gather(*self.attending.values(), return_exceptions=True)
        futures = [flight.future for flight in self.flights.values()]
        with suppress(OSError, DreamVideoError, RefusedError):
            await self.client.cancel(futures)
            await asyncio.gather(*(self.line.ask(a, "leave") for a in self.joined))

    async def _attend(self, address: str, info: dict[str, Any]) -> None:
        """One worker, from its first day to its last."""
        try:
            worker = await inspect(self.line, address, info, gpus=self.gpus)
            if worker is None:
                return
            joined = await equip(self.line, worker, self.job)
            if worker.note and address not in self.known:
                self.known.add(address)
                tell(self.on_progress, f"worker {address}: {worker.note}")
        except RefusedError as error:
            if address not in self.known:
                self.known.add(address)
                tell(self.on_progress, refusal(address, info, error))
            return
        self.joined[address] = joined
        heard = time.monotonic()
        while True:
            try:
                report = await self.line.ask(address, "report")
            except RefusedError:
                report = None
            if report is not None:
                heard = time.monotonic()
                for key, state in report["desks"].items():
                    await self._see_to(joined, key, *state)
            elif time.monotonic() - heard > DEAF:
                self._lost(address, "its worker does not answer")
                return
            await asyncio.sleep(max(TICK, len(self.joined) / ASKS_A_SECOND))

    async def _see_to(
        self, joined: Joined, key: str, ordered: bool, waiting: int, complete: bool
    ) -> None:
        """A desk of a worker: give it its order, take what was said."""
        address = joined.worker.address
        flight = self.flights.get(key)
        if flight is None or flight.address not in (None, address):
            await self.line.ask(address, "forget", key=key)
        elif flight.address is None:
            await self._order(joined, key, flight)
        elif ordered and (waiting or complete):
            await self._take(address, key, flight)

    async def _order(self, joined: Joined, key: str, flight: Flight) -> None:
        address = joined.worker.address
        folder = f"{joined.worker.folder}/{self.line.token}"
        kept, data = flight.begin(address, joined.shares)
        state = ""
        if data:
            digest, name = f"state-{next(self.numbers)}", "state.npz"
            for start in range(0, len(data), MOST):
                stow = {"digest": digest, "name": name, "start": start}
                await self.line.carry(address, "stow", **stow, data=data[start : start + MOST])
            await self.line.ask(address, "seal", digest=digest)
            state = f"{folder}/{digest}/{name}"
        manifest = joined.baggage.manifest
        # A farm of both would make a film of two kinds of last bits.
        machine = manifest.machine.model_copy(update={"device": "gpu" if self.gpus else "cpu"})
        manifest = manifest.model_copy(update={"machine": machine})
        place = str(self.job.folder.absolute()) if joined.shares else folder
        values = {"manifest": manifest.model_dump(mode="json"), "folder": place}
        orders = {
            "job": Message("job", values).packed(),
            "segment": flight.order(joined.shares, kept, state),
        }
        await self.line.ask(address, "give", key=key, **orders)

    async def _take(self, address: str, key: str, flight: Flight) -> None:
        while True:
            ask = {"key": key, "offset": flight.offset}
            said = await self.line.carry(address, "take", **ask, most=MOST)
            if not said or self.flights.get(key) is not flight:
                return
            try:
                for _ in flight.take(said["data"]):
                    at_work = sum(f.address is not None for f in self.flights.values())
                    how_far = (flight.segment, flight.done, flight.loss, at_work)
                    self.tally.record_progress(*how_far, ended=flight.ended)
            except FailedError as failed:
                why = f"worker {address}: {failed}"
                if isinstance(failed.error, UsageError | WeightsError):
                    raise type(failed.error)(why) from None
                self._again(key, why)
                return
            if flight.ended:
                # That it has arrived lets the task end.
                await self.line.ask(address, "take", key=key, offset=flight.offset, most=0)
                self.flights.pop(key, None)
                return
            if said["over"]:
                self._again(key, said["how"])
            if said["over"] or len(said["data"]) < MOST:
                return

    def _submit(self) -> None:
        slots = sum(joined.worker.slots for joined in self.joined.values())
        most = min(slots, self.most or slots)
        while self.tally.waiting and len(self.flights) < most:
            segment = self.tally.waiting.popleft()
            key = f"{self.line.token}:segment-{segment.index}-{next(self.numbers)}"
            # Rather not where it failed before.
            joined = frozenset(self.joined)
            workers = joined - self.failed.get(segment.index, set()) or joined
            future = self.client.submit(
                dream,
                key,
                key=key,
                workers=list(workers),
                resources={"GPU": 1} if self.gpus else None,
                pure=False,
            )
            self.flights[key] = Flight(self.job, segment, future, workers)

    def _see_to_tasks(self) -> None:
        """Tasks that Dask itself gave up, or that nobody is left for."""
        for key, flight in list(self.flights.items()):
            status = flight.future.status
            if status in ("error", "cancelled", "lost") or (
                status == "finished" and not flight.ended
            ):
                self._again(key, f"its task {status}")
            elif flight.address is None and not flight.workers & self.joined.keys():
                self._requeue(key)

    def _lost(self, address: str, how: str) -> None:
        self.joined.pop(address, None)
        task = self.attending.pop(address, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        for key, flight in list(self.flights.items()):
            if flight.address == address:
                self._again(key, how)

    def _again(self, key: str, how: str) -> None:
        """A segment's worker, or the process there, is gone: it is to be tried again."""
        flight = self.flights[key]
        self.failed.setdefault(flight.segment.index, set()).add(flight.address or "")
        segment = self._requeue(key)
        if not self.stopping:
            self.tally.record_loss(segment, how)

    def _requeue(self, key: str) -> Segment:
        flight = self.flights.pop(key)
        self._call_off([flight.future])
        self.tally.waiting.appendleft(flight.segment)
        return flight.segment

    def _call_off(self, futures: list[Any]) -> None:
        async def cancel() -> None:
            # Where the scheduler is gone there is nothing to call off.
            with suppress(OSError):
                await self.client.cancel(futures)

        task = asyncio.create_task(cancel())
        self.chores.add(task)
        task.add_done_callback(self.chores.discard)
