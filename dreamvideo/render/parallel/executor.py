"""Who dreams the segments of a job, behind one small interface, and what all of them have to count.

A crew may be processes of this machine or workers of a cluster. Which segments are left, how often
one was tried, and how far the whole is, are the same for both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from dreamvideo.errors import DreamVideoError
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.settings.machine import MachineSettings

MAX_TRIES = 3


@dataclass(frozen=True)
class Capacity:
    """How many segments a crew dreams at a time, each with so many ``threads``."""

    workers: int
    threads: int


class SegmentExecutor(Protocol):
    """Dreams a job's segments, wherever it does; their frames end up in the job's folder."""

    def find_capacity(self, machine: MachineSettings, on_progress: OnProgress) -> Capacity:
        """What it can do, before any work begins. Raises DreamVideoError if that is nothing."""
        ...

    def render(self, job: Job, on_progress: OnProgress) -> None:
        """Dream all segments that are not complete. Raises DreamVideoError.

        However it ends, nobody works at the job any more.
        """
        ...


class ProgressTracker:
    """What is left of a job, what was tried, and how far it is."""

    def __init__(self, job: Job, on_progress: OnProgress, workers: str = "workers") -> None:
        """``workers`` is what the crew's members are called, in the plural."""
        parts = list(zip(job.manifest.segments, job.segment_stores(), strict=True))
        self._job = job
        self._on_progress = on_progress
        self._called = workers
        self._done = {segment.index: part.count for segment, part in parts}
        self._complete = {segment.index for segment, part in parts if part.ending is not None}
        self._tries = dict.fromkeys(self._done, 0)
        left = [segment for segment, part in parts if part.ending is None]
        # The longest first: it should not be what all others wait for.
        self.waiting = deque(sorted(left, key=lambda segment: -(segment.count or 0)))

    @property
    def finished(self) -> bool:
        """Whether all segments are complete."""
        return len(self._complete) == len(self._done)

    def record_progress(
        self, segment: Segment, done: int, loss: float, at_work: int, *, ended: bool = False
    ) -> None:
        """``done`` frames of a segment are stored; ``at_work`` members dream just now."""
        self._done[segment.index] = done
        if ended:
            self._complete.add(segment.index)
        count = sum(self._done.values())
        detail = f"{len(self._complete)}/{len(self._done)} segments, {at_work} {self._called}"
        total = self._job.manifest.frames
        self._on_progress(Progress("dreaming", "frame", count, total, loss, detail))

    def record_loss(self, segment: Segment, how: str, hint: str = "") -> None:
        """Whoever dreamt a segment is gone; DreamVideoError if it was the third one in all."""
        self._tries[segment.index] += 1
        if self._tries[segment.index] >= MAX_TRIES:
            last = segment.first + (segment.count or 1) - 1
            raise DreamVideoError(
                f"frames {segment.first} to {last}: the process that dreamt them ended "
                f"{MAX_TRIES} times ({how}){hint}"
            )
