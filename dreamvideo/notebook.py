"""Progress as a bar that says what it counts: below a notebook's cell, or on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from dreamvideo.render.progress import OnProgress, Progress, format_figures

# Seconds between two updates of a bar in a notebook: each is sent to the browser.
SECONDS_BETWEEN_UPDATES = 0.2


@contextmanager
def show_progress() -> Iterator[OnProgress]:
    """Show the progress of the renders in a block: pass what it gives as ``on_progress``.

    For ``dream_frames`` and ``zoom_frames``, pass it as ``on_frame``. In a notebook the bar is part
    of the cell's output, elsewhere it is drawn on stderr.

    Example:
        >>> import numpy as np
        >>> from dreamvideo import dream, show_progress
        >>> image = np.full((48, 64, 3), 128, np.uint8)
        >>> with show_progress() as listen:
        ...     dream(image, "towers", steps=1, octaves=1, on_progress=listen).shape
        (48, 64, 3)
    """
    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
        auto_refresh=not console.is_jupyter,
    )
    if console.is_jupyter:
        yield from _shown_in_cell(bar)
        return
    with bar:
        yield _Listener(bar)


def _shown_in_cell(bar: Bar) -> Iterator[OnProgress]:
    # A notebook has IPython, which nothing else here needs. Rich's own live display would need
    # widgets, which not every notebook has; updating an output works in all of them.
    handle = import_module("IPython.display").display(bar, display_id=True)
    listener = _Listener(bar)
    shown = 0.0

    def listen(progress: Progress) -> None:
        nonlocal shown
        listener(progress)
        if time.monotonic() - shown >= SECONDS_BETWEEN_UPDATES or progress.done == progress.total:
            handle.update(bar)
            shown = time.monotonic()

    try:
        yield listen
    finally:
        handle.update(bar)


class _Listener:
    """Keeps a line of a bar for each stage of a render."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._tasks: dict[str, tuple[TaskID, float, int]] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.note:
            self._bar.console.print(progress.note, markup=False, highlight=False)
        if not progress.stage:
            return
        now = time.monotonic()
        task, began, before = self._tasks.get(progress.stage, (None, now, progress.done))
        # A further call of the same render begins anew.
        if task is None or progress.done < self._bar.tasks[task].completed:
            task = self._bar.add_task(progress.stage, total=progress.total, figures="")
            began, before = now, progress.done - (0 if progress.note else 1)
        self._tasks[progress.stage] = task, began, before
        figures = format_figures(progress, now - began, before, least=SECONDS_BETWEEN_UPDATES)
        self._bar.update(task, completed=progress.done, total=progress.total, figures=figures)
