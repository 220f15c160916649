"""A clip's render within a time: planned once, and held to when it is gone on with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.render.budget import within
from dreamvideo.render.footage import Footage
from dreamvideo.render.job import read_job
from dreamvideo.settings import Look, look_to_toml


@dataclass(frozen=True)
class Budget:
    """How long a film may take: in all (``10m``), or frames a second that it must reach."""

    time: str | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.time is not None and self.fps is not None:
            raise UsageError("give --time-budget or --fps-target, not both")

    def __bool__(self) -> bool:
        return self.time is not None or self.fps is not None


UNBOUND = Budget()


@dataclass(frozen=True)
class Planned:
    """The look and size (``640x360``) of a render within a budget.

    ``mark`` tells one plan's question from another's; ``line`` is what the user should hear.
    """

    look: Look
    size: str | None
    mark: str | None = None
    line: str = ""


def planned(
    budget: Budget, output: Path, read: Footage, look: Look, size: str | None, workers: int
) -> Planned:
    """What is rendered of a look: as asked without a budget, else the best that fits it.

    A job that was begun for the same is gone on with as it was planned: another measurement would
    give another plan. Raises UsageError where nothing fits.
    """
    if not budget:
        return Planned(look, size)
    asked = f"{budget.time or budget.fps} {read.size} {look_to_toml(look)}"
    mark = hashlib.sha256(asked.encode()).hexdigest()[:16]
    try:
        begun = read_job(output).manifest
    except DreamVideoError:
        begun = None
    if begun is not None and begun.asked.get("--budget") == mark:
        return Planned(begun.decoded_look, begun.request["size"], mark)
    if not read.expected:
        raise UsageError(f"{read.info.path}: does not tell its length: no time can be planned for")
    chosen = within(
        read.size,
        read.expected,
        look,
        time_budget=budget.time,
        fps_target=budget.fps,
        workers=workers,
    )
    return Planned(chosen.look, f"{chosen.size[0]}x{chosen.size[1]}", mark, chosen.line)
