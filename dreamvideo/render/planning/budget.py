"""Find the best quality of a look that fits a time budget on this machine.

Quality is given up in this order: dreaming every frame (interpolating every second one is hardly
visible), the second of a carried frame's steps, the dream's size down to ``SMALL`` pixels a side,
dreaming every second frame (down to every fourth), the output's size down to that of its dream,
both down to ``SMALLEST``, and only then the fresh dream's own steps, each of which becomes longer.
A film whose frames are dreamt independently gives up steps before size.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.dream.mixture import find_largest_minimum
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.formatting import format_count, format_duration
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.job.job import read_job
from dreamvideo.render.planning.estimate import Cost, estimate_seconds, measure_cost
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import Look, look_to_toml

# Shorter sides in pixels: where a picture still deserves full work, and where it is still a
# picture.
SMALL, SMALLEST = 270, 120
SLOWEST = 4
SHRINK = 0.85
STEPS = (8, 6, 4)
# Plan for this share of a budget: machines are slower when they are warm.
MARGIN = 0.9
_NUMBER = r"(\d+(?:\.\d+)?)"
_BUDGET = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s?)?")


@dataclass(frozen=True)
class BudgetChoice:
    """A choice of quality.

    Attributes:
        size: (width, height) in pixels.
        look: The look to render.
        seconds: Estimated time.
        line: All of that as a line for the user.
    """

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
    """Choose the best quality that fits a time budget or a frame rate of rendering.

    Measures this machine, which takes a few seconds.

    Args:
        size: (width, height) in pixels.
        frames: Number of frames.
        look: The look as asked for.
        time_budget: As ``parse_budget`` takes it.
        fps_target: Frames per second to render, if there is no ``time_budget``.
        workers: Number of processes.

    Raises:
        UsageError: No quality is fast enough.
    """
    option = "--fps-target" if time_budget is None else "--time-budget"
    budget = frames / (fps_target or 1.0) if time_budget is None else parse_budget(time_budget)
    cost = measure_cost(look, size)
    return choose_quality(cost, size, frames, look, budget, workers=workers, option=option)


def parse_budget(text: str) -> float:
    """Parse ``90``, ``45s``, ``10m``, ``2h`` or ``1h30m`` to seconds. Raises UsageError."""
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
    """Return the first of ``list_quality_steps`` that takes at most ``budget`` seconds.

    More time never gives less quality, because the order of the steps does not depend on it.

    Args:
        cost: From ``measure_cost``.
        size: (width, height) in pixels.
        frames: Number of frames.
        look: The look as asked for.
        budget: Seconds.
        workers: Number of processes.
        option: Name of the option, for the error.

    Raises:
        UsageError: Even the last step takes longer.
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
    """Yield ((width, height), look) from best to worst, in the order of the module docstring."""
    sizes = list(_list_sizes(size, look))
    dreamt = choose_dream_size(look.dream.dream_size, size)
    small = [each for each in _list_sizes(dreamt, look) if min(each) >= SMALL][1:]
    first, then, last = _list_efforts(look)
    for effort in first:
        yield _fit_octaves(size, effort, dreamt)
    reached = look.dream.dream_size
    for each in small:
        reached = f"{each[0]}x{each[1]}"
        yield _fit_octaves(size, _derive(first[-1], "dream", dream_size=reached), dreamt)
    for effort in then:
        yield _fit_octaves(size, _derive(effort, "dream", dream_size=reached), dreamt)
    least = _derive([*first, *then][-1], "dream", dream_size=reached)
    for each in sizes[1:]:
        yield _fit_octaves(each, least, dreamt)
    for effort in last:
        yield _fit_octaves(sizes[-1], _derive(effort, "dream", dream_size=reached), dreamt)


def _list_efforts(look: Look) -> tuple[list[Look], list[Look], list[Look]]:
    """Return what is given up before the size, before a small size, and last."""
    if look.coherence.coherence == 0:
        return [look, *_reduce_steps(look)], [], []
    cadence = max(2, look.coherence.cadence)
    every_other = _derive(look, "coherence", cadence=cadence)
    sparing = _derive(every_other, "coherence", carried_steps=1)
    slower = [_derive(sparing, "coherence", cadence=n) for n in range(cadence + 1, SLOWEST + 1)]
    return [look, every_other, sparing], slower, _reduce_steps([sparing, *slower][-1])


def _list_sizes(size: tuple[int, int], look: Look) -> Iterator[tuple[int, int]]:
    """Yield (width, height) from the given size down to the smallest."""
    least = max(SMALLEST, find_largest_minimum(look.dream.model).smallest)
    factor = 1.0
    yield size
    while min(size) * (factor := factor * SHRINK) >= least:
        # Most encoders require even sides.
        yield 2 * round(size[0] * factor / 2), 2 * round(size[1] * factor / 2)


def _reduce_steps(look: Look) -> list[Look]:
    """Return looks with ever fewer steps, each step longer in proportion."""
    dream = look.dream
    if "dream.step_size" in look.over_time:
        return []
    longer = {steps: min(2.0, dream.step_size * dream.steps / steps) for steps in STEPS}
    return [
        _derive(look, "dream", steps=steps, step_size=size)
        for steps, size in longer.items()
        if steps < dream.steps
    ]


def _fit_octaves(
    size: tuple[int, int], look: Look, first: tuple[int, int]
) -> tuple[tuple[int, int], Look]:
    """Drop as many octaves as the dream has shrunk by.

    Args:
        size: (width, height) in pixels.
        look: The look.
        first: (width, height) of the dream as asked for.
    """
    octaves = look.dream.octaves
    shrunk = first[0] / choose_dream_size(look.dream.dream_size, size)[0]
    if octaves is None or shrunk <= 1:
        return size, look
    fewer = round(math.log(shrunk) / math.log(look.dream.octave_scale))
    return size, _derive(look, "dream", octaves=max(1, octaves - fewer))


def _derive(look: Look, group: str, **changed: float | str) -> Look:
    settings = getattr(look, group).model_copy(update=changed)
    fixed = {f"{group}.{name}" for name in changed}
    over_time = {name: text for name, text in look.over_time.items() if name not in fixed}
    return look.model_copy(update={group: settings, "over_time": over_time})


def describe_quality(size: tuple[int, int], look: Look) -> str:
    """Describe a quality: ``480x270, 3 octaves of 8 steps, cadence 2``."""
    dreamt = choose_dream_size(look.dream.dream_size, size)
    octaves = len(make_octave_schedule(look.dream, dreamt[1], dreamt[0]).sizes)
    at = "" if dreamt == size else f", dreamt at {dreamt[0]}x{dreamt[1]}"
    words = [
        f"{size[0]}x{size[1]}{at}",
        f"{format_count(octaves, 'octave')} of {format_count(look.dream.steps, 'step')}",
    ]
    if look.coherence.coherence > 0:
        if look.coherence.carried_steps is not None:
            words[-1] += f", {look.coherence.carried_steps} where carried"
        words.append(f"cadence {look.coherence.cadence}")
    return ", ".join(words)


@dataclass(frozen=True)
class Budget:
    """How long a render may take: total time (``10m``), or frames per second it must reach."""

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

    ``mark`` identifies what the plan was made for; ``line`` is a line for the user.
    """

    look: Look
    size: str | None
    mark: str | None = None
    line: str = ""


def plan_budget(
    budget: Budget, output: Path, read: ClipRange, look: Look, size: str | None, workers: int
) -> BudgetPlan:
    """Choose what to render: as asked if there is no budget, otherwise the best that fits it.

    A job that was started for the same request is resumed as it was planned, because another
    measurement would give another plan.

    Args:
        budget: The budget; may be empty.
        output: The output, which may have a job to resume.
        read: The clip and its range.
        look: The look as asked for.
        size: The size as asked for.
        workers: Number of processes.

    Raises:
        UsageError: No quality fits, or the clip's length is unknown.
    """
    if not budget:
        return BudgetPlan(look, size)
    asked = f"{budget.time or budget.fps} {read.size} {look_to_toml(look)}"
    mark = hashlib.sha256(asked.encode()).hexdigest()[:16]
    try:
        started = read_job(output).manifest
    except DreamVideoError:
        started = None
    if started is not None and started.asked.get("--budget") == mark:
        return BudgetPlan(started.decoded_look, started.request["size"], mark)
    if not read.expected:
        raise UsageError(f"{read.info.path}: its length is unknown, so no time can be planned")
    chosen = fit_budget(
        read.size,
        read.expected,
        look,
        time_budget=budget.time,
        fps_target=budget.fps,
        workers=workers,
    )
    return BudgetPlan(chosen.look, f"{chosen.size[0]}x{chosen.size[1]}", mark, chosen.line)
