"""A Dask cluster as the executor of a render."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from dreamvideo.errors import UsageError
from dreamvideo.render.job.job import Job
from dreamvideo.render.parallel.executor import Capacity, ProgressTracker
from dreamvideo.render.planning.worker_count import parse_workers
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.settings.machine import MachineSettings


class DaskExecutor:
    """The workers of a Dask cluster, for ``dream_video``.

    Frames are checked and stored by this process, or by workers that see the job's folder.
    """

    def __init__(
        self,
        cluster: str,
        patience: float = 60.0,
        chunk_frames: int = 16,
        state_seconds: float = 30.0,
    ) -> None:
        """Name a cluster; nothing is asked of it yet.

        Args:
            cluster: A scheduler's address (``tcp://scheduler:8786``) or its scheduler file.
            patience: Seconds to wait for workers where there are none.
            chunk_frames: Frames that a worker dreams at most before they are fetched.
            state_seconds: Seconds between two states that are fetched along with a segment's
                frames; what was dreamt after the last one is lost with its worker.

        Raises:
            UsageError: Dask is not installed.
        """
        if find_spec("distributed") is None:
            raise UsageError('--cluster needs Dask: in a clone, pip install -e ".[cluster]"')
        self.cluster = cluster
        self.patience = patience
        self.chunk_frames = chunk_frames
        self.state_seconds = state_seconds
        self._most: int | None = None
        self._offer: Capacity | None = None
        self._told: set[str] = set()

    def find_capacity(self, machine: MachineSettings, on_progress: OnProgress) -> Capacity:
        """How many segments it dreams at a time, no more than ``--workers``.

        Raises UsageError, DreamVideoError if there is no cluster, or no worker that can be used.
        """
        self._most = parse_workers(machine)
        if self._offer is None:
            from dreamvideo.cluster.connection import run_async
            from dreamvideo.cluster.discover_workers import count_slots

            tell = partial(self._tell, on_progress)
            found = run_async(count_slots(self.cluster, machine.device, self.patience, tell))
            self._offer = Capacity(min(self._most or found.workers, found.workers), found.threads)
        return self._offer

    def render(self, job: Job, on_progress: OnProgress) -> None:
        """Dream all segments that are not complete. Raises DreamVideoError."""
        from dreamvideo.cluster.connection import connected, run_async
        from dreamvideo.cluster.coordinator import Coordinator

        async def render() -> None:
            async with connected(self.cluster) as client:
                tracker, tell = ProgressTracker(job, on_progress), partial(self._tell, on_progress)
                coordinator = Coordinator(client, job, tracker, tell)
                await coordinator.run(
                    self._most, self.patience, self.chunk_frames, self.state_seconds
                )

        run_async(render())

    def _tell(self, on_progress: OnProgress, line: str) -> None:
        """Tell the user a line, which is not progress, once."""
        if line not in self._told:
            self._told.add(line)
            on_progress(Progress("", "", 0, None, note=line))
