"""Progress of a render as plain values: the core knows nothing about progress bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Ignore progress."""
