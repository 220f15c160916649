"""Progress on stderr: a live bar on a terminal, otherwise a plain line now and then."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dreamvideo.formatting import format_clock, format_pace
from dreamvideo.render.progress import OnProgress, Progress, format_figures, silent

if TYPE_CHECKING:
    from rich.progress import Task

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
    return f"{progress.stage}: {format_figures(progress, elapsed, before)}"


# Terminals narrower than this, in columns, are shown no bar and only what matters most.
_NARROW = 76
# Columns of the longest name of a stage, with the spaces around the bar.
_STAGE = 14


def _bar_width(width: int) -> int:
    """Return the columns of the bar in a terminal of that many."""
    return max(8, min(40, width - 90))


def _describe_task(task: Task, width: int) -> str:
    """Return what a live line says: each figure with what it is.

    Args:
        task: The stage.
        width: Columns of the terminal.
    """
    fields = task.fields
    count = f"{task.completed:.0f}" + ("" if task.total is None else f"/{task.total:.0f}")
    left = ""
    if task.total is not None and task.completed < task.total and task.time_remaining is not None:
        left = f"{format_clock(task.time_remaining)} left"
    if task.total is None and not task.completed:
        return f"{format_clock(task.elapsed or 0)} passed"
    if width < _NARROW:
        return "  ".join(filter(None, [f"{count} {fields['unit']}s", left]))
    pace = f"{format_pace(task.speed)} {fields['unit']}s/s" if task.speed else ""
    passed = f"{format_clock(task.elapsed or 0)} passed"
    parts = [f"{count} {fields['unit']}s", pace, passed, left]
    room = width - _STAGE - _bar_width(width)
    for more in (fields["loss"], fields["detail"]):
        if more and len("  ".join(filter(None, [*parts, more]))) <= room:
            parts.append(more)
    return "  ".join(filter(None, parts))


@contextmanager
def _live_bar() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    console = Console(stderr=True)

    class Figures(ProgressColumn):
        """All figures of a stage in one cell."""

        def render(self, task: Task) -> Text:
            """Return the cell; the time moves on between two calls of the listener."""
            return Text(_describe_task(task, console.width), no_wrap=True, overflow="ellipsis")

    stage = TextColumn("{task.description}")
    wide = console.width >= _NARROW
    columns = [stage, BarColumn(_bar_width(console.width)), Figures()]
    bar = Bar(*(columns if wide else [stage, Figures()]), console=console)
    with bar:
        preparing = bar.add_task("preparing", total=None, unit="step", loss="", detail="")
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
                    unit=progress.unit,
                    loss="",
                    detail="",
                )
            bar.update(
                tasks[progress.stage],
                completed=progress.done,
                loss=f"loss {progress.loss:.4g}" if math.isfinite(progress.loss) else "",
                detail=progress.detail,
            )

        yield listen
