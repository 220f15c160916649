"""Progress on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dreamvideo.render.progress import OnProgress, Progress, silent

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def progress_display(quiet: bool) -> Iterator[OnProgress]:
    """A listener for a render's progress, for as long as the block runs."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _live_bar() as listener:
            yield listener
    else:
        yield PlainLines()


class PlainLines:
    """A line at the start and the end of each stage, and every few seconds between."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._spoke = -math.inf

    def __call__(self, progress: Progress) -> None:
        """Print a line if it is time for one."""
        now = time.monotonic()
        begins = progress.stage not in self._began
        began = self._began.setdefault(progress.stage, now)
        ends = progress.done == progress.total
        if begins or ends or now - self._spoke >= SECONDS_BETWEEN_LINES:
            self._spoke = now
            print(line(progress, now - began), file=sys.stderr, flush=True)


def line(progress: Progress, elapsed: float) -> str:
    """``dreaming: 12/132 frames, 1.4 frames/s, 1:26 left, loss 1.93``."""
    of = f"/{progress.total}" if progress.total else ""
    parts = [f"{progress.stage}: {progress.done}{of} {progress.unit}s"]
    # The first report is when the clock starts, so it is not part of the pace.
    if progress.done > 1 and elapsed > 0:
        pace = (progress.done - 1) / elapsed
        parts.append(f"{pace:.3g} {progress.unit}s/s")
        if progress.total and progress.done < progress.total:
            parts.append(f"{clock((progress.total - progress.done) / pace)} left")
    if math.isfinite(progress.loss):
        parts.append(f"loss {progress.loss:.4g}")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
        console=Console(stderr=True),
    )
    with bar:
        preparing = bar.add_task("preparing", total=None, pace="", loss="")
        tasks: dict[str, TaskID] = {}

        def listen(progress: Progress) -> None:
            if progress.stage not in tasks:
                bar.update(preparing, visible=False)
                tasks[progress.stage] = bar.add_task(
                    progress.stage, total=progress.total, pace="", loss=""
                )
            task = tasks[progress.stage]
            speed = bar.tasks[task].speed
            bar.update(
                task,
                completed=progress.done,
                pace=f"{speed:.3g} {progress.unit}s/s" if speed else "",
                loss=f"loss {progress.loss:.4g}" if math.isfinite(progress.loss) else "",
            )

        yield listen
