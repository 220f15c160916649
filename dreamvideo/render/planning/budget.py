"""(what work costs here, a clip, a look, a time) -> the best of that look that the time allows.

What is given up, in this order: dreaming every frame (every second one costs the eye next to
nothing), the second of a carried frame's steps, size down to ``SMALL`` pixels a side, dreaming
every second frame (down to every fourth), size down to ``SMALLEST``, and only then the fresh
dream's own steps, each then longer. A film whose frames are dreamt one by one has its steps
before its size.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.dream.models import find_entry
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.render.job.job import read_job
from dreamvideo.render.planning.estimate import Cost, estimate_seconds, measure_cost
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import Look, look_to_toml

# Shorter sides: where a picture is still worth full work, and where it is still a picture.
SMALL, SMALLEST = 270, 120
SLOWEST = 4
SHRINK = 0.85
STEPS = (8, 6, 4)
# Of a budget so much is planned for: machines are slower when they are warm.
MARGIN = 0.9
_NUMBER = r"(\d+(?:\.\d+)?)"
_BUDGET = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s?)?")


@dataclass(frozen=True)
class BudgetChoice:
    """(width, height), the look, the seconds that it is thought to take, and all that in words."""

    size: tuple[int, int]
    look: Look
    seconds: float
    line: str


def fit_budget(
    size: tuple[int, int],
    frames: int,
    look: Look,
    *,
    time_budget: str | None = None,
    fps_target: float | None = None,
    workers: int = 1,
) -> BudgetChoice:
    """The best of a look for ``frames`` frames in a time, or at frames a second.

    Takes a few seconds, to measure this machine. Raises UsageError where it cannot be done.
    """
    option = "--fps-target" if time_budget is None else "--time-budget"
    budget = frames / (fps_target or 1.0) if time_budget is None else parse_budget(time_budget)
    cost = measure_cost(look, size)
    return choose_quality(cost, size, frames, look, budget, workers=workers, option=option)


def parse_budget(text: str) -> float:
    """Seconds of ``90``, ``45s``, ``10m``, ``2h`` or ``1h30m``."""
    match = _BUDGET.fullmatch(text.strip().lower())
    hours, minutes, seconds = map(float, match.groups("0")) if match else (0.0, 0.0, 0.0)
    total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total < math.inf:
        raise UsageError(f"--time-budget {text!r} is not a time: write 45s, 10m or 1h30m")
    return total


def choose_quality(
    cost: Cost,
    size: tuple[int, int],
    frames: int,
    look: Look,
    budget: float,
    *,
    workers: int = 1,
    option: str = "--time-budget",
) -> BudgetChoice:
    """The first of ``list_quality_steps`` whose ``frames`` take ``budget`` seconds at most.

    More time never gives less: the rungs' order does not depend on it. Raises UsageError where
    even the last one takes longer.
    """
    least = math.inf
    for rung_size, rung in list_quality_steps(size, look):
        seconds = estimate_seconds(cost, rung, rung_size, frames, workers)
        if seconds <= budget * MARGIN:
            quality, time = describe_quality(rung_size, rung), format_duration(seconds)
            line = f"budget {format_duration(budget)}: {quality}: about {time}"
            return BudgetChoice(rung_size, rung, seconds, line)
        if seconds < least:
            least, smallest = seconds, rung_size
    wide, high = smallest
    raise UsageError(
        f"{option}: {frames} frames take about {format_duration(least / MARGIN)} on this machine "
        "even at "
        f"{wide}x{high}: give more time, a shorter part (--end) or fewer frames (--fps)"
    )


def list_quality_steps(size: tuple[int, int], look: Look) -> Iterator[tuple[tuple[int, int], Look]]:
    """((width, height), look) from the best to the least, as the module says."""
    sizes = list(_list_sizes(size, look))
    large = [each for each in sizes if min(each[0]) >= min(SMALL, *size)]
    first, then, last = _list_efforts(look)
    for effort in first:
        yield _fit_octaves(sizes[0], effort)
    for each in large[1:]:
        yield _fit_octaves(each, first[-1])
    for effort in then:
        yield _fit_octaves(large[-1], effort)
    least = [*first, *then][-1]
    for each in sizes[len(large) :]:
        yield _fit_octaves(each, least)
    for effort in last:
        yield _fit_octaves(sizes[-1], effort)


def _list_efforts(look: Look) -> tuple[list[Look], list[Look], list[Look]]:
    """What is given up before the size, before a small size, and last."""
    if look.coherence.coherence == 0:
        return [look, *_reduce_steps(look)], [], []
    cadence = max(2, look.coherence.cadence)
    every_other = _derive(look, "coherence", cadence=cadence)
    sparing = _derive(every_other, "coherence", carried_steps=1)
    slower = [_derive(sparing, "coherence", cadence=n) for n in range(cadence + 1, SLOWEST + 1)]
    return [look, every_other, sparing], slower, _reduce_steps([sparing, *slower][-1])


def _list_sizes(size: tuple[int, int], look: Look) -> Iterator[tuple[tuple[int, int], float]]:
    """((width, height), the factor to it) from the size asked for down to the smallest."""
    least = max(SMALLEST, find_entry(look.dream.model).smallest)
    factor = 1.0
    yield size, factor
    while min(size) * (factor := factor * SHRINK) >= least:
        # Most encoders want even sides.
        yield (2 * round(size[0] * factor / 2), 2 * round(size[1] * factor / 2)), factor


def _reduce_steps(look: Look) -> list[Look]:
    """Ever fewer steps, each longer by as much as there are fewer."""
    dream = look.dream
    if "dream.step_size" in look.over_time:
        return []
    longer = {steps: min(2.0, dream.step_size * dream.steps / steps) for steps in STEPS}
    return [
        _derive(look, "dream", steps=steps, step_size=size)
        for steps, size in longer.items()
        if steps < dream.steps
    ]


def _fit_octaves(size: tuple[tuple[int, int], float], look: Look) -> tuple[tuple[int, int], Look]:
    """At a smaller size there are as many octaves fewer as the size has gone down."""
    pixels, factor = size
    octaves = look.dream.octaves
    if octaves is None or factor == 1:
        return pixels, look
    fewer = round(math.log(1 / factor) / math.log(look.dream.octave_scale))
    return pixels, _derive(look, "dream", octaves=max(1, octaves - fewer))


def _derive(look: Look, group: str, **changed: float) -> Look:
    settings = getattr(look, group).model_copy(update=changed)
    fixed = {f"{group}.{name}" for name in changed}
    over_time = {name: text for name, text in look.over_time.items() if name not in fixed}
    return look.model_copy(update={group: settings, "over_time": over_time})


def describe_quality(size: tuple[int, int], look: Look) -> str:
    """``480x270, 3 octaves of 8 steps, cadence 2``."""
    octaves = len(make_octave_schedule(look.dream, size[1], size[0]).sizes)
    words = [f"{size[0]}x{size[1]}", f"{octaves} octaves of {look.dream.steps} steps"]
    if look.coherence.coherence > 0:
        if look.coherence.carried_steps is not None:
            words[-1] += f", {look.coherence.carried_steps} where carried"
        words.append(f"cadence {look.coherence.cadence}")
    return ", ".join(words)


def format_duration(seconds: float) -> str:
    """``45s``, ``9m``, ``2h 05m``: rounded up, as one speaks of time."""
    if seconds < 99.5:
        return f"{math.ceil(seconds)}s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"


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


NO_BUDGET = Budget()


@dataclass(frozen=True)
class BudgetPlan:
    """The look and size (``640x360``) of a render within a budget.

    ``mark`` tells one plan's question from another's; ``line`` is what the user should hear.
    """

    look: Look
    size: str | None
    mark: str | None = None
    line: str = ""


def plan_budget(
    budget: Budget, output: Path, read: ClipRange, look: Look, size: str | None, workers: int
) -> BudgetPlan:
    """What is rendered of a look: as asked without a budget, else the best that fits it.

    A job that was begun for the same is gone on with as it was planned: another measurement would
    give another plan. Raises UsageError where nothing fits.
    """
    if not budget:
        return BudgetPlan(look, size)
    asked = f"{budget.time or budget.fps} {read.size} {look_to_toml(look)}"
    mark = hashlib.sha256(asked.encode()).hexdigest()[:16]
    try:
        begun = read_job(output).manifest
    except DreamVideoError:
        begun = None
    if begun is not None and begun.asked.get("--budget") == mark:
        return BudgetPlan(begun.decoded_look, begun.request["size"], mark)
    if not read.expected:
        raise UsageError(f"{read.info.path}: does not tell its length: no time can be planned for")
    chosen = fit_budget(
        read.size,
        read.expected,
        look,
        time_budget=budget.time,
        fps_target=budget.fps,
        workers=workers,
    )
    return BudgetPlan(chosen.look, f"{chosen.size[0]}x{chosen.size[1]}", mark, chosen.line)
