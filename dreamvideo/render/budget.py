"""(what work costs here, a clip, a look, a time) -> the best of that look that the time allows.

What is given up, in this order: dreaming every frame (every second one costs the eye next to
nothing), the second of a carried frame's steps, size down to ``SMALL`` pixels a side, dreaming
every second frame (down to every fourth), size down to ``SMALLEST``, and only then the fresh
dream's own steps, each then longer. A film whose frames are dreamt one by one has its steps
before its size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dreamvideo.dream.dreamer import ladder_for
from dreamvideo.dream.models import entry
from dreamvideo.errors import UsageError
from dreamvideo.render.estimate import Cost, measure_cost, seconds_for
from dreamvideo.settings import Look

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
class Chosen:
    """(width, height), the look, the seconds that it is thought to take, and all that in words."""

    size: tuple[int, int]
    look: Look
    seconds: float
    line: str


def within(
    size: tuple[int, int],
    frames: int,
    look: Look,
    *,
    time_budget: str | None = None,
    fps_target: float | None = None,
    workers: int = 1,
) -> Chosen:
    """The best of a look for ``frames`` frames in a time, or at frames a second.

    Takes a few seconds, to measure this machine. Raises UsageError where it cannot be done.
    """
    option = "--fps-target" if time_budget is None else "--time-budget"
    budget = frames / (fps_target or 1.0) if time_budget is None else parse_budget(time_budget)
    cost = measure_cost(look, size)
    return choose(cost, size, frames, look, budget, workers=workers, option=option)


def parse_budget(text: str) -> float:
    """Seconds of ``90``, ``45s``, ``10m``, ``2h`` or ``1h30m``."""
    match = _BUDGET.fullmatch(text.strip().lower())
    hours, minutes, seconds = map(float, match.groups("0")) if match else (0.0, 0.0, 0.0)
    total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total < math.inf:
        raise UsageError(f"--time-budget {text!r} is not a time: write 45s, 10m or 1h30m")
    return total


def choose(
    cost: Cost,
    size: tuple[int, int],
    frames: int,
    look: Look,
    budget: float,
    *,
    workers: int = 1,
    option: str = "--time-budget",
) -> Chosen:
    """The first of ``rungs`` whose ``frames`` take ``budget`` seconds at most.

    More time never gives less: the rungs' order does not depend on it. Raises UsageError where
    even the last one takes longer.
    """
    least = math.inf
    for rung_size, rung in rungs(size, look):
        seconds = seconds_for(cost, rung, rung_size, frames, workers)
        if seconds <= budget * MARGIN:
            line = f"budget {spoken(budget)}: {described(rung_size, rung)}: about {spoken(seconds)}"
            return Chosen(rung_size, rung, seconds, line)
        if seconds < least:
            least, smallest = seconds, rung_size
    wide, high = smallest
    raise UsageError(
        f"{option}: {frames} frames take about {spoken(least / MARGIN)} on this machine even at "
        f"{wide}x{high}: give more time, a shorter part (--end) or fewer frames (--fps)"
    )


def rungs(size: tuple[int, int], look: Look) -> Iterator[tuple[tuple[int, int], Look]]:
    """((width, height), look) from the best to the least, as the module says."""
    sizes = list(_sizes(size, look))
    large = [each for each in sizes if min(each[0]) >= min(SMALL, *size)]
    first, then, last = _efforts(look)
    for effort in first:
        yield _fitted(sizes[0], effort)
    for each in large[1:]:
        yield _fitted(each, first[-1])
    for effort in then:
        yield _fitted(large[-1], effort)
    least = [*first, *then][-1]
    for each in sizes[len(large) :]:
        yield _fitted(each, least)
    for effort in last:
        yield _fitted(sizes[-1], effort)


def _efforts(look: Look) -> tuple[list[Look], list[Look], list[Look]]:
    """What is given up before the size, before a small size, and last."""
    if look.coherence.coherence == 0:
        return [look, *_fewer_steps(look)], [], []
    cadence = max(2, look.coherence.cadence)
    every_other = _changed(look, "coherence", cadence=cadence)
    sparing = _changed(every_other, "coherence", carried_steps=1)
    slower = [_changed(sparing, "coherence", cadence=n) for n in range(cadence + 1, SLOWEST + 1)]
    return [look, every_other, sparing], slower, _fewer_steps([sparing, *slower][-1])


def _sizes(size: tuple[int, int], look: Look) -> Iterator[tuple[tuple[int, int], float]]:
    """((width, height), the factor to it) from the size asked for down to the smallest."""
    least = max(SMALLEST, entry(look.dream.model).smallest)
    factor = 1.0
    yield size, factor
    while min(size) * (factor := factor * SHRINK) >= least:
        # Most encoders want even sides.
        yield (2 * round(size[0] * factor / 2), 2 * round(size[1] * factor / 2)), factor


def _fewer_steps(look: Look) -> list[Look]:
    """Ever fewer steps, each longer by as much as there are fewer."""
    dream = look.dream
    if "dream.step_size" in look.over_time:
        return []
    longer = {steps: min(2.0, dream.step_size * dream.steps / steps) for steps in STEPS}
    return [
        _changed(look, "dream", steps=steps, step_size=size)
        for steps, size in longer.items()
        if steps < dream.steps
    ]


def _fitted(size: tuple[tuple[int, int], float], look: Look) -> tuple[tuple[int, int], Look]:
    """At a smaller size there are as many octaves fewer as the size has gone down."""
    pixels, factor = size
    octaves = look.dream.octaves
    if octaves is None or factor == 1:
        return pixels, look
    fewer = round(math.log(1 / factor) / math.log(look.dream.octave_scale))
    return pixels, _changed(look, "dream", octaves=max(1, octaves - fewer))


def _changed(look: Look, group: str, **changed: float) -> Look:
    settings = getattr(look, group).model_copy(update=changed)
    fixed = {f"{group}.{name}" for name in changed}
    over_time = {name: text for name, text in look.over_time.items() if name not in fixed}
    return look.model_copy(update={group: settings, "over_time": over_time})


def described(size: tuple[int, int], look: Look) -> str:
    """``480x270, 3 octaves of 8 steps, cadence 2``."""
    octaves = len(ladder_for(look.dream, size[1], size[0]).sizes)
    words = [f"{size[0]}x{size[1]}", f"{octaves} octaves of {look.dream.steps} steps"]
    if look.coherence.coherence > 0:
        if look.coherence.carried_steps is not None:
            words[-1] += f", {look.coherence.carried_steps} where carried"
        words.append(f"cadence {look.coherence.cadence}")
    return ", ".join(words)


def spoken(seconds: float) -> str:
    """``45s``, ``9m``, ``2h 05m``: rounded up, as one speaks of time."""
    if seconds < 99.5:
        return f"{math.ceil(seconds)}s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"
