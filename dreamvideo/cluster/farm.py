"""A Dask cluster as a crew: which of its workers can dream, and a render by them."""

from __future__ import annotations

from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any

from dreamvideo.errors import UsageError
from dreamvideo.render.job.job import Job
from dreamvideo.render.parallel.executor import Capacity
from dreamvideo.render.planning.worker_count import parse_workers
from dreamvideo.render.progress import OnProgress
from dreamvideo.settings.machine import MachineSettings


class Farm:
    """The workers of a Dask cluster: a crew for ``dream_video``.

    What is dreamt is checked, shipped where need be, and stored by the process that asks for it.
    """

    def __init__(self, cluster: str, patience: float = 60.0) -> None:
        """``cluster`` is a scheduler's address (``tcp://scheduler:8786``) or its scheduler file.

        ``patience`` seconds it waits for workers where there are none. Raises UsageError without
        the library that this needs.
        """
        if find_spec("distributed") is None:
            raise UsageError("--cluster needs Dask: pip install 'dreamvideo[cluster]'")
        self.cluster = cluster
        self.patience = patience
        self._most: int | None = None
        self._offer: Capacity | None = None
        # Workers that were complained of are not complained of again.
        self._known: set[str] = set()

    def find_capacity(self, machine: MachineSettings, on_progress: OnProgress) -> Capacity:
        """How many segments it dreams at a time, no more than ``--workers``.

        Raises UsageError, DreamVideoError if there is no cluster, or no worker that can be used.
        """
        self._most = parse_workers(machine)
        if self._offer is None:
            from dreamvideo.cluster.connection import converse
            from dreamvideo.cluster.muster import muster

            def talk() -> Coroutine[Any, Any, Capacity]:
                return muster(self.cluster, machine, self.patience, self._known, on_progress)

            found = converse(talk)
            self._offer = Capacity(min(self._most or found.workers, found.workers), found.threads)
        return self._offer

    def render(self, job: Job, on_progress: OnProgress) -> None:
        """Dream all segments that are not complete. Raises DreamVideoError."""
        from dreamvideo.cluster.connection import converse
        from dreamvideo.cluster.foreman import render

        def talk() -> Coroutine[Any, Any, None]:
            return render(self.cluster, job, self._most, self.patience, self._known, on_progress)

        converse(talk)
