"""What runs inside a Dask worker: it keeps the dreaming processes and passes on what they say.

Dask says which worker dreams which segment; everything else is asked for by the client, at a
worker's own address, through the scheduler. Nothing is sent that was not asked for, so that
neither a worker nor the scheduler ever holds more than a few frames.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

from distributed import get_worker

from dreamvideo.cluster.desk import Desk, Hand
from dreamvideo.cluster.signature import processor, signature
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.paths import describe_os_error
from dreamvideo.render.job.manifest import compute_fingerprint
from dreamvideo.render.planning.worker_count import count_cores

# Seconds after which a client that asks for nothing is taken to be gone.
ABANDONED = 60.0
# And after which no process waits for its next segment.
IDLE = 10.0
# Seconds that a process may take to end its step and tell its state when it is told to stop.
STOPPING = 10.0

_stations: dict[str, Station] = {}


def open_station(dask_worker: Any) -> dict[str, Any]:
    """Make a worker ready to be asked; what it is like."""
    if dask_worker.address not in _stations:
        station = Station(dask_worker)
        _stations[dask_worker.address] = station
        dask_worker.handlers["dreamvideo"] = station.answer
        station.watch = asyncio.get_running_loop().create_task(station.look_after())
    return {
        "signature": signature(),
        "processor": processor(),
        "cores": count_cores(),
        "folder": str(_stations[dask_worker.address].folder),
    }


def dream(key: str) -> None:
    """A segment as a task of Dask: it lasts until the client has taken all that was said."""
    _stations[get_worker().address].dream(key)


class Station:
    """One worker's desks, processes and shipped files.

    What belongs to one render bears its ``token``, which every key begins with.
    """

    def __init__(self, worker: Any) -> None:
        self.folder = Path(worker.local_directory).absolute() / "dreamvideo"
        self.watch: asyncio.Task[None] | None = None
        self._worker = worker
        self._desks: dict[str, Desk] = {}
        self._idle: dict[str, list[Hand]] = {}
        self._asked: dict[str, float] = {}

    async def answer(self, do: str, token: str, **values: Any) -> dict[str, Any]:
        """What the client asks for; an ``error`` in words where that fails."""
        self._asked[token] = time.monotonic()
        try:
            return await getattr(self, f"_{do}")(token, **values) or {}
        except OSError as error:
            return {"error": describe_os_error(error)}
        except DreamVideoError as error:
            return {"error": str(error)}

    def dream(self, key: str) -> None:
        """See one segment through, in a thread of the worker."""
        token = key.partition(":")[0]
        self._asked.setdefault(token, time.monotonic())
        desk = self._desks[key] = Desk(key)
        try:
            order = desk.order()
            if order is None:
                return
            idle = self._idle.setdefault(token, [])
            hand = idle.pop() if idle else Hand(order[0])
            if desk.see_through(hand, order[1]):
                self._idle.setdefault(token, []).append(hand)
            desk.wait_until_taken()
        finally:
            del self._desks[key]

    async def look_after(self) -> None:
        """Let nobody work for a client that is gone, as long as the worker is there."""
        try:
            while True:
                await asyncio.sleep(1)
                now = time.monotonic()
                for token, asked in list(self._asked.items()):
                    if now - asked > IDLE:
                        self._dismiss(token)
                    if now - asked > ABANDONED:
                        await self._leave(token)
                for token in self._idle.keys() - self._asked.keys():
                    await self._leave(token)
                for key in [key for key in self._desks if not self._wanted(key)]:
                    self._drop(key)
        finally:
            for token in list(self._asked):
                await self._leave(token)

    async def _report(self, token: str) -> dict[str, Any]:
        """Its desks: whether they wait for an order, how many bytes there are to take."""
        return {
            "desks": {
                key: [desk.ordered, desk.waiting, desk.complete]
                for key, desk in list(self._desks.items())
                if key.startswith(token)
            }
        }

    async def _give(self, token: str, key: str, job: bytes, segment: bytes) -> None:
        """A segment's order."""
        if key in self._desks:
            self._desks[key].give(job, segment)

    async def _take(self, token: str, key: str, offset: int, most: int) -> dict[str, Any]:
        """What was said from ``offset`` on; what was said before it is forgotten.

        ``over``: there will be nothing more.
        """
        desk = self._desks.get(key)
        if desk is None:
            return {}
        over, how = desk.complete, desk.how
        data = desk.take(offset, most)
        return {"data": data, "over": over and len(data) == desk.waiting, "how": how}

    async def _stop(self, token: str, key: str) -> None:
        """End a segment's process; what it still says can be taken."""
        if key in self._desks:
            self._desks[key].stop(STOPPING)

    async def _forget(self, token: str, key: str) -> None:
        """End a segment's process, whatever it still has to say."""
        self._drop(key)

    async def _sees(self, token: str, note: str, text: str, files: dict[str, str]) -> Any:
        """Whether this worker shares a folder and files with the client: by their contents."""

        def look() -> bool:
            mine = Path(f"{note}.{token}")
            try:
                if Path(note).read_text("ascii") != text:
                    return False
                mine.write_text(text, "ascii")
                return all(
                    compute_fingerprint(Path(path)) == digest for path, digest in files.items()
                )
            except (OSError, DreamVideoError):
                return False

        return {"sees": await asyncio.to_thread(look)}

    async def _lacks(self, token: str, digests: list[str]) -> dict[str, Any]:
        """Which of these files were not shipped yet."""
        folder = self.folder / token
        folder.mkdir(parents=True, exist_ok=True)
        return {"lacks": [digest for digest in digests if not (folder / digest).exists()]}

    async def _stow(self, token: str, digest: str, name: str, start: int, data: bytes) -> None:
        """A piece of a shipped file."""
        folder = self.folder / token / f"{Path(digest).name}.part"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / Path(name).name).open("ab") as file:
            file.truncate(start)
            file.write(data)

    async def _seal(self, token: str, digest: str) -> None:
        """A shipped file, or folder of pictures, is whole."""
        folder = self.folder / token
        (folder / f"{digest}.part").rename(folder / digest)

    async def _leave(self, token: str) -> None:
        """A render is over, or its client gone: nothing of it stays."""
        for key in [key for key in self._desks if key.startswith(token)]:
            self._drop(key)
        self._dismiss(token)
        self._asked.pop(token, None)
        shutil.rmtree(self.folder / token, ignore_errors=True)

    def _dismiss(self, token: str) -> None:
        for hand in self._idle.pop(token, []):
            hand.dismiss()

    def _drop(self, key: str) -> None:
        if key in self._desks:
            self._desks[key].drop(STOPPING)

    def _wanted(self, key: str) -> bool:
        """Whether the scheduler, who knows when a client is gone, still wants a task's result."""
        task = self._worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")
