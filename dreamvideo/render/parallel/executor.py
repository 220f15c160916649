"""Executor interface for the segments of a job, with shared progress and retry counts.

An executor may run processes of this machine or workers of a cluster. Which segments are left, how
often each was tried, and the overall progress are tracked in the same way for both.
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
    """How many segments an executor dreams at a time, and with how many ``threads`` each."""

    workers: int
    threads: int


class SegmentExecutor(Protocol):
    """Dreams a job's segments, anywhere; their frames end up in the job's folder."""

    def find_capacity(self, machine: MachineSettings, on_progress: OnProgress) -> Capacity:
        """Return the capacity, before any work starts. Raises DreamVideoError if there is none."""
        ...

    def render(self, job: Job, on_progress: OnProgress) -> None:
        """Dream all segments that are not complete. Raises DreamVideoError.

        However it ends, no worker is still working on the job.
        """
        ...


class ProgressTracker:
    """Tracks which segments are left, how often each was tried, and the overall progress."""

    def __init__(self, job: Job, on_progress: OnProgress, workers: str = "workers") -> None:
        """Start from the job's current state.

        Args:
            job: The job.
            on_progress: Called after each recorded progress.
            workers: What the workers are called, in the plural.
        """
        parts = list(zip(job.manifest.segments, job.segment_stores(), strict=True))
        self._job = job
        self._on_progress = on_progress
        self._called = workers
        self._done = {segment.index: part.count for segment, part in parts}
        self._complete = {segment.index for segment, part in parts if part.ending is not None}
        self._tries = dict.fromkeys(self._done, 0)
        left = [segment for segment, part in parts if part.ending is None]
        # The longest first: no other worker should have to wait for it at the end.
        self.waiting = deque(sorted(left, key=lambda segment: -(segment.count or 0)))

    @property
    def finished(self) -> bool:
        """Whether all segments are complete."""
        return len(self._complete) == len(self._done)

    def record_progress(
        self, segment: Segment, done: int, loss: float, at_work: int, *, ended: bool = False
    ) -> None:
        """Record a segment's progress and report the job's.

        Args:
            segment: The segment.
            done: Number of its frames stored.
            loss: The last objective.
            at_work: Number of workers that are dreaming right now.
            ended: Whether the segment is complete.
        """
        self._done[segment.index] = done
        if ended:
            self._complete.add(segment.index)
        count = sum(self._done.values())
        detail = f"{len(self._complete)}/{len(self._done)} segments, {at_work} {self._called}"
        total = self._job.manifest.frames
        self._on_progress(Progress("dreaming", "frame", count, total, loss, detail))

    def record_loss(self, segment: Segment, how: str, hint: str = "") -> None:
        """Record that a segment's worker was lost.

        Args:
            segment: The segment.
            how: How the worker ended.
            hint: What the user can do, for the error.

        Raises:
            DreamVideoError: It was the third time for this segment.
        """
        self._tries[segment.index] += 1
        if self._tries[segment.index] >= MAX_TRIES:
            last = segment.first + (segment.count or 1) - 1
            raise DreamVideoError(
                f"frames {segment.first} to {last}: the process that dreamt them ended "
                f"{MAX_TRIES} times ({how}){hint}"
            )
