"""How far a render is, as plain values: the core knows nothing of progress bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` (None: unknown) ``unit`` of a stage; ``loss`` is the objective.

    ``detail`` says more about the stage at this moment; ``note`` is a line to be shown by itself;
    without a stage it is all that there is.
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
    """A listener that does nothing."""
