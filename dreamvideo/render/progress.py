"""Progress of a render as plain values and as text: the core knows nothing of progress bars."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dreamvideo.formatting import format_clock, format_pace


@dataclass(frozen=True)
class Progress:
    """Progress of a stage.

    Attributes:
        stage: Name of the stage; empty if there is only a ``note``.
        unit: What is counted.
        done: How many are done.
        total: How many there are; None: unknown.
        loss: The objective.
        detail: More about the stage at this moment.
        note: A line to show by itself.
    """

    stage: str
    unit: str
    done: int
    total: int | None
    loss: float = float("nan")
    detail: str = ""
    note: str = ""

    @property
    def share(self) -> float:
        """The part of the stage that is done, 0 .. 1; 0 if that is unknown."""
        return self.done / self.total if self.total else 0.0

    def __str__(self) -> str:
        """Its position in a few words: ``Dreaming: frame 12 of 132``."""
        of = f" of {self.total}" if self.total else ""
        return f"{self.stage.capitalize()}: {self.unit} {self.done}{of}"

    def seconds_left(self, elapsed: float, before: int) -> float | None:
        """Estimate the time left of the stage; None if unknown.

        Args:
            elapsed: Seconds since the clock started.
            before: Number done when the clock started.
        """
        if not self.total or self.done <= before:
            return None
        return (self.total - self.done) * elapsed / (self.done - before)


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Ignore progress."""


def say(on_progress: OnProgress, line: str) -> None:
    """Report a line by itself; nothing if it is empty."""
    if line:
        on_progress(Progress("", "frame", 0, None, note=line))


def format_figures(progress: Progress, elapsed: float, before: int, *, least: float = 0.0) -> str:
    """Format how far a stage is: ``12/132 frames, 1.4 frames/s, 1:26 left, loss 1.93``.

    Args:
        progress: The progress.
        elapsed: Seconds since the clock started.
        before: Number done when the clock started.
        least: Seconds after which a pace is shown.
    """
    of = f"/{progress.total}" if progress.total else ""
    parts = [f"{progress.done}{of} {progress.unit}s"]
    if progress.detail:
        parts.append(progress.detail)
    if progress.done > before and elapsed > least:
        pace = (progress.done - before) / elapsed
        parts.append(f"{format_pace(pace)} {progress.unit}s/s")
        left = progress.seconds_left(elapsed, before)
        if left:
            parts.append(f"{format_clock(left)} left")
    if math.isfinite(progress.loss):
        parts.append(f"loss {progress.loss:.4g}")
    return ", ".join(parts)
