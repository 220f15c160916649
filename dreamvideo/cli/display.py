"""Progress on stderr: a live bar on a terminal, otherwise a plain line now and then."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dreamvideo.formatting import format_clock
from dreamvideo.render.progress import OnProgress, Progress, silent

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def progress_display(quiet: bool) -> Iterator[OnProgress]:
    """Give a listener for a render's progress for the duration of the block."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _live_bar() as listener:
            yield listener
    else:
        yield PlainLines()


class PlainLines:
    """Prints a line at the start and the end of each stage, and every few seconds in between."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[float, int]] = {}
        self._spoke = -math.inf

    def __call__(self, progress: Progress) -> None:
        """Print a line if one is due."""
        now = time.monotonic()
        begins = progress.stage not in self._began
        began, before = self._began.setdefault(progress.stage, (now, progress.done))
        ends = progress.done == progress.total
        if progress.note:
            print(progress.note, file=sys.stderr, flush=True)
        elif begins or ends or now - self._spoke >= SECONDS_BETWEEN_LINES:
            self._spoke = now
            print(format_line(progress, now - began, before), file=sys.stderr, flush=True)


def format_line(progress: Progress, elapsed: float, before: int = 1) -> str:
    """Format progress: ``dreaming: 12/132 frames, 1.4 frames/s, 1:26 left, loss 1.93``.

    Args:
        progress: The progress.
        elapsed: Seconds since the clock started.
        before: Number done when the clock started.
    """
    of = f"/{progress.total}" if progress.total else ""
    parts = [f"{progress.stage}: {progress.done}{of} {progress.unit}s"]
    if progress.detail:
        parts.append(progress.detail)
    if progress.done > before and elapsed > 0:
        pace = (progress.done - before) / elapsed
        parts.append(f"{pace:.3g} {progress.unit}s/s")
        if progress.total and progress.done < progress.total:
            parts.append(f"{format_clock((progress.total - progress.done) / pace)} left")
    if math.isfinite(progress.loss):
        parts.append(f"loss {progress.loss:.4g}")
    return ", ".join(parts)


@contextmanager
def _live_bar() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[detail]}"),
        console=Console(stderr=True),
    )
    with bar:
        preparing = bar.add_task("preparing", total=None, pace="", loss="", detail="")
        tasks: dict[str, TaskID] = {}

        def listen(progress: Progress) -> None:
            if progress.note:
                bar.console.print(progress.note, markup=False, highlight=False)
            if not progress.stage:
                return
            if progress.stage not in tasks:
                bar.update(preparing, visible=False)
                tasks[progress.stage] = bar.add_task(
                    progress.stage,
                    total=progress.total,
                    # What an earlier run has done must not count towards this run's pace.
                    completed=progress.done if progress.note else 0,
                    pace="",
                    loss="",
                    detail="",
                )
            task = tasks[progress.stage]
            speed = bar.tasks[task].speed
            bar.update(
                task,
                completed=progress.done,
                pace=f"{speed:.3g} {progress.unit}s/s" if speed else "",
                loss=f"loss {progress.loss:.4g}" if math.isfinite(progress.loss) else "",
                detail=progress.detail,
            )

        yield listen
