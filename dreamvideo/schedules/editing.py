"""Edit keyframes: format them as text, add, move and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dreamvideo.schedules.expressions import Expression
from dreamvideo.schedules.keys import EARLY, Key, Schedule, Term
from dreamvideo.schedules.moment import TimePoint, TimeSpec, format_time_spec

# Seconds that neighbouring keyframes keep apart, and the digits of a time that is set.
APART, DIGITS = 0.001, 3


def format_schedule(schedule: Schedule) -> str:
    """Format a schedule as ``parse_schedule`` reads it: ``0s:1.5, 4s:1.1 ease, end:2``.

    A single keyframe holds for all times, so only its value is written.
    """
    if len(schedule.keys) == 1:
        return _format_value(schedule.keys[0].value)
    return ", ".join(
        f"{format_time_spec(key.when)}:{_format_value(key.value)}{format_way(key)}"
        for key in schedule.keys
    )


def format_way(key: Key) -> str:
    """Format the interpolation after a keyframe, with a space before it; empty if linear."""
    return "" if key.way == "linear" else f" {key.way}"


def sort_keys(schedule: Schedule, film: TimePoint) -> Schedule:
    """Return the schedule with its keyframes in the order of a film of that length and rate."""
    return Schedule(tuple(sorted(schedule.keys, key=lambda key: key.when.within(film))))


def add_key(
    schedule: Schedule, film: TimePoint, seconds: float, value: Sequence[Term]
) -> tuple[Schedule, int]:
    """Return the schedule with one more keyframe, and its index.

    A keyframe that is there already at that time gets the value.

    Args:
        schedule: Keyframes in the order of the film.
        film: Length and rate of the film.
        seconds: Time of the keyframe.
        value: Its value.
    """
    seconds = round(min(max(seconds, 0.0), film.length), DIGITS)
    keys = list(schedule.keys)
    times = [key.when.within(film) for key in keys]
    for index, time in enumerate(times):
        if abs(time - seconds) < APART:
            keys[index] = replace(keys[index], value=tuple(value))
            return Schedule(tuple(keys)), index
    index = sum(time < seconds for time in times)
    # The curve goes on as it did.
    way = keys[index - 1].way if index else "linear"
    keys.insert(index, Key(TimeSpec(seconds=seconds), tuple(value), way))
    return Schedule(tuple(keys)), index


def move_key(
    schedule: Schedule, film: TimePoint, index: int, seconds: float, value: Sequence[Term]
) -> Schedule:
    """Return the schedule with a keyframe moved, but not past its neighbours.

    A time that was written as a share or in frames stays so unless it changes.

    Args:
        schedule: Keyframes in the order of the film.
        film: Length and rate of the film.
        index: Which keyframe.
        seconds: Its new time.
        value: Its new value.
    """
    keys = list(schedule.keys)
    times = [key.when.within(film) for key in keys]
    low = times[index - 1] + APART if index else 0.0
    high = times[index + 1] - APART if index + 1 < len(keys) else film.length
    when = keys[index].when
    if abs(seconds - times[index]) > EARLY:
        when = TimeSpec(seconds=round(max(low, min(seconds, high)), DIGITS))
    keys[index] = replace(keys[index], when=when, value=tuple(value))
    return Schedule(tuple(keys))


def remove_key(schedule: Schedule, index: int) -> Schedule:
    """Return the schedule without a keyframe; the last one that is left stays."""
    keys = schedule.keys
    return Schedule(keys[:index] + keys[index + 1 :]) if len(keys) > 1 else schedule


def ease_key(schedule: Schedule, index: int, way: str) -> Schedule:
    """Return the schedule with another interpolation after a keyframe."""
    keys = list(schedule.keys)
    keys[index] = replace(keys[index], way=way)
    return Schedule(tuple(keys))


def _format_value(value: Sequence[Term]) -> str:
    return "x".join(t.text if isinstance(t, Expression) else f"{t:.10g}" for t in value)
