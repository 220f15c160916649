"""The numbers of a look as curves over time, which can be drawn, edited and written as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dreamvideo.errors import UsageError
from dreamvideo.schedules import Bounds, OverTime, Schedule, TimePoint, parse_schedule
from dreamvideo.schedules.editing import (
    add_key,
    ease_key,
    format_schedule,
    move_key,
    remove_key,
    sort_keys,
)
from dreamvideo.schedules.keys import Key
from dreamvideo.schedules.moment import TimeSpec
from dreamvideo.settings.camera import ZOOM_RATE
from dreamvideo.settings.derive import derive_look
from dreamvideo.settings.look import Look, find_group
from dreamvideo.settings.over_time import (
    field_at,
    find_bounds,
    find_path,
    is_constant,
    is_number,
)
from dreamvideo.settings.presets import look_values
from dreamvideo.settings.terms import ARROW, TIMELINES, Timeline, format_timeline

LAYERS = "dream.layers"
# A part of a film is sampled at so many times, and at its end.
_SAMPLES = 24
# Weights of layers that can be drawn.
_WEIGHTS = Bounds(-10.0, 10.0)


@dataclass(frozen=True)
class Curve:
    """A number over time.

    Attributes:
        key: The setting, by ``group.name``.
        part: Which part of the keyframes' values it is: the layer, for weights of layers.
        schedule: The keyframes, in the order of the film.
        written: The setting's text as it was written.
        terms: The layers, if it is the weight of one of them.
    """

    key: str
    part: int
    schedule: Schedule
    written: str
    terms: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """What its numbers may be."""
        if self.terms:
            return _WEIGHTS
        group, name = self.key.split(".")
        mark = _mark(find_group(group).model_fields[name])
        return Bounds(mark.ge, mark.le) if mark else find_bounds(find_group(group), name)

    def axis(self, usual: tuple[float, float] | None = None) -> tuple[float, float]:
        """Return the smallest and the largest number to draw.

        Args:
            usual: A range that is shown in any case; None: from 0 to twice the largest number.
        """
        values = [key.value[self.part] for key in self.schedule.keys]
        numbers = [value for value in values if isinstance(value, float)]
        most = max(map(abs, numbers), default=0.0) or 0.5
        both = self.bounds.low < 0 and not self.terms
        low, high = usual or (-2 * most if both else 0.0, 2 * most)
        return (
            max(self.bounds.low, min([low, *numbers])),
            min(self.bounds.high, max([high, *numbers])),
        )

    def value(self, moment: TimePoint) -> float:
        """Return its value at a time. Raises ScheduleError if a formula has none."""
        return self.bounds.hold(self.schedule.at(moment)[self.part])

    def with_value(self, values: Sequence[Any], value: float) -> tuple[Any, ...]:
        """Return a keyframe's values with this number in its place."""
        changed = [value if part == self.part else each for part, each in enumerate(values)]
        if self.terms:
            changed[-1] = sum(map(abs, changed[:-1]))
        return tuple(changed)

    def sample_keys(self, film: TimePoint) -> list[tuple[float, float, str, bool]]:
        """Return (seconds, value, interpolation, whether it is a plain number) of each keyframe."""
        found = []
        for key in self.schedule.keys:
            seconds = key.when.within(film)
            plain = isinstance(key.value[self.part], float)
            found.append((seconds, self.value(replace(film, seconds=seconds)), key.way, plain))
        return found

    def add(self, film: TimePoint, seconds: float, value: float | None) -> tuple[str, int]:
        """Return the text with one more keyframe, and the keyframe's index.

        Args:
            film: Length and rate of the film.
            seconds: Its time.
            value: Its value; None: what the curve has there.
        """
        moment = replace(film, seconds=seconds)
        value = self.value(moment) if value is None else value
        values = self.with_value(self.schedule.at(moment), _round(value))
        added, index = add_key(self.schedule, film, seconds, values)
        return self.format(added), index

    def move(self, film: TimePoint, index: int, seconds: float | None, value: float | None) -> str:
        """Return the text with a keyframe moved; a formula keeps its value.

        Args:
            film: Length and rate of the film.
            index: Which keyframe; raises IndexError if there is none.
            seconds: Its new time; None: its own.
            value: Its new value; None: its own.
        """
        key = self.schedule.keys[index]
        values: Sequence[Any] = key.value
        if value is not None and isinstance(values[self.part], float):
            values = self.with_value(values, _round(self.bounds.hold(value)))
        at = key.when.within(film) if seconds is None else seconds
        return self.format(move_key(self.schedule, film, index, at, values))

    def remove(self, index: int) -> str:
        """Return the text without a keyframe; empty without the last one."""
        if len(self.schedule.keys) == 1:
            return ""
        return self.format(remove_key(self.schedule, index))

    def ease(self, index: int, way: str) -> str:
        """Return the text with another interpolation after a keyframe."""
        return self.format(ease_key(self.schedule, index, way))

    def format(self, schedule: Schedule) -> str:
        """Return the setting's text with other keyframes, as the command line takes it."""
        if self.terms:
            return format_timeline(Timeline(self.terms, schedule))
        return format_schedule(schedule)


def list_curves(look: Look, groups: Iterable[str], default: Sequence[str] = ()) -> dict[str, str]:
    """Return the numbers of a look that may change over time, ``group.name`` and what it is called.

    The weight of a layer is ``dream.layers#0``.

    Args:
        look: The look.
        groups: Names of its groups to list.
        default: The layers of its network, which are dreamt if it names none.
    """
    found = {}
    for group in groups:
        for name, field in find_group(group).model_fields.items():
            mark, key = _mark(field), f"{group}.{name}"
            varies = mark.parts == 1 if mark else is_number(field) and not is_constant(field)
            if varies and _text(look, key):
                prefix = f"{group} " if group in ("camera", "mask") else ""
                words = name.removeprefix("mask_").replace("_", " ")
                found[key] = f"{prefix}{words}".capitalize()
    timeline = look.dream.layer_timeline(default) if look.dream.layers or default else None
    for number, term in enumerate(timeline.terms if timeline else ()):
        found[f"{LAYERS}#{number}"] = f"Weight of {term}"
    return found


def find_curve(
    look: Look,
    name: str,
    film: TimePoint,
    default: Sequence[str] = (),
    written: str | None = None,
) -> Curve:
    """Return a number of a look as a curve.

    Args:
        look: The look.
        name: One of ``list_curves``.
        film: Length and rate of the film.
        default: The layers of its network, which are dreamt if it names none.
        written: The text of a number, of which a look keeps only the value if all keyframes have
            the same; None: the look's.

    Raises:
        UsageError: The look has no such number.
    """
    key, _, part = name.partition("#")
    if not part:
        written = written or _text(look, key)
        return Curve(key, 0, sort_keys(parse_schedule(written), film), written)
    timeline = look.dream.layer_timeline(default)
    if timeline is None or int(part) >= len(timeline.terms):
        raise UsageError("the look has no such layer")
    written = look.dream.layers or format_timeline(timeline)
    return Curve(key, int(part), sort_keys(timeline.schedule, film), written, timeline.terms)


def cut_schedules(look: Look, film: TimePoint, seconds: float) -> Look:
    """Return the look of a part of a film: its numbers and layers change as they do there.

    They are sampled; those that follow the sound are left as they are.

    Args:
        look: The look of the whole film.
        film: Length and rate of the film, and the time at which the part begins.
        seconds: Length of the part.
    """

    def sample(schedule: Schedule, bounds: Bounds) -> Schedule:
        times = [seconds * number / _SAMPLES for number in range(_SAMPLES + 1)]
        values = [schedule.at(replace(film, seconds=film.seconds + time)) for time in times]
        return Schedule(
            tuple(
                Key(TimeSpec(seconds=round(time, 4)), tuple(map(bounds.hold, value)))
                for time, value in zip(times, values, strict=True)
            )
        )

    numbers = {}
    for name, text in look.over_time.items():
        schedule, found = parse_schedule(text), field_at(find_path(name), Look)
        numbers[name] = text
        if found is not None and not schedule.sounds:
            bounds = find_bounds(found[1], name.split(".")[-1])
            numbers[name] = format_schedule(sample(schedule, bounds))
    dream = look.dream
    for name, read in TIMELINES.items():
        text = getattr(dream, name) or ""
        if ARROW in text:
            whole = read(text)
            part = Timeline(whole.terms, sample(whole.schedule, Bounds()))
            dream = dream.model_copy(update={name: format_timeline(part)})
    return look.model_copy(update={"over_time": numbers, "dream": dream})


def freeze_at(look: Look, moment: TimePoint) -> Look:
    """Return a look as it is at a time: its layers, classes and networks as well as its numbers.

    Raises ScheduleError if a formula has no value.
    """
    for name, read in TIMELINES.items():
        text = getattr(look.dream, name) or ""
        if ARROW in text:
            weighted = read(text).at(moment)
            # A network whose layers are all silent must not dream its own.
            heard = [f"{term}:{w:.6g}" for term, w in weighted if w or "," in look.dream.model]
            at_once = ",".join(heard or [weighted[0][0]])
            look = derive_look(look, {"dream": {name: at_once}})
    return look.at(moment)


def _text(look: Look, key: str) -> str:
    """Return a setting's number or schedule as text; empty if it is derived."""
    group, name = key.split(".")
    found = look_values(look)[group].get(name, ZOOM_RATE if key == "zoom.rate" else "")
    return f"{found:.10g}" if isinstance(found, float) else str(found)


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _mark(field: Any) -> OverTime | None:
    return next((each for each in field.metadata if isinstance(each, OverTime)), None)
