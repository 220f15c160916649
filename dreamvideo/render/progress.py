"""How far a render is, as plain values: the core knows nothing of progress bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` (None: unknown) ``unit`` of a stage; ``loss`` is the objective."""

    stage: str
    unit: str
    done: int
    total: int | None
    loss: float = float("nan")


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A listener that does nothing."""
