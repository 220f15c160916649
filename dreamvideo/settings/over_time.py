"""Numbers of a look that change over time: which ones may, their bounds and their values.

A look holds plain numbers; the text of one that changes is kept next to them, under its name:
``dream.step_size``, ``regions.0.feather``. The plain number is its value at the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dreamvideo.schedules import (
    Bounds,
    OverTime,
    Schedule,
    ScheduleError,
    TimePoint,
    parse_number,
    parse_schedule,
)
from dreamvideo.settings.base import Settings

Place = tuple[str | int, ...]
_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,19}\s*")


def is_number(field: FieldInfo) -> bool:
    """Return whether a setting is a single number (or None)."""
    return bool(_kinds(field) & {int, float}) and not any(
        isinstance(mark, OverTime) for mark in field.metadata
    )


def is_constant(field: FieldInfo) -> bool:
    """Return whether a number must stay the same for a whole film."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("constant"))


@lru_cache(maxsize=512)
def find_bounds(group: type[Settings], name: str) -> Bounds:
    """Return the bounds of a numeric setting."""
    given = {
        kind: float(getattr(mark, kind))
        for mark in group.model_fields[name].metadata
        for kind in ("ge", "gt", "le", "lt")
        if getattr(mark, kind, None) is not None
    }
    low, high = given.get("gt", given.get("ge")), given.get("lt", given.get("le"))
    return Bounds(
        float("-inf") if low is None else low,
        float("inf") if high is None else high,
        "gt" in given,
        "lt" in given,
    )


def extract_schedules(
    values: Mapping[str, Any], group: type[Settings]
) -> tuple[dict[str, Any], dict[Place, str]]:
    """Return nested settings with a number for each schedule, and the schedules' texts by place.

    Raises SettingError for an invalid schedule; other errors are left for validation.
    """
    numbers, texts = dict(values), {}
    for place, field, settings in _numbers(values, group, ()):
        text = _get(values, place)
        if not isinstance(text, str):
            continue
        number, changes = _begin(place, text, field, settings)
        numbers = _replace(numbers, place, number)
        if changes:
            texts[place] = text
    return numbers, texts


class SettingError(ScheduleError):
    """An invalid schedule of the setting at ``place``."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{find_name(place)}: {reason}")
        self.place = place
        self.reason = reason


def find_name(place: Place) -> str:
    """Return the name of a place: ``dream.step_size``."""
    return ".".join(map(str, place))


@lru_cache(maxsize=512)
def find_path(name: str) -> Place:
    """Return the place of a name."""
    return tuple(int(part) if part.isdecimal() else part for part in name.split("."))


def number_at(
    name: str, text: str, field: FieldInfo, settings: type[Settings], moment: TimePoint
) -> float:
    """Evaluate a setting at a time point, clamped to its bounds; whole numbers are rounded.

    Args:
        name: Name of the field.
        text: Its schedule.
        field: The field.
        settings: The settings that have it.
        moment: The time point.

    Raises:
        ScheduleError: A formula has no value.
    """
    (value,) = parse_schedule(text).at(moment)
    held = find_bounds(settings, name).hold(value)
    return round(held) if int in _kinds(field) else held


def parse_checked_schedule(
    place: Place, text: str, field: FieldInfo, settings: type[Settings]
) -> Schedule:
    """Parse the schedule of a setting.

    Args:
        place: Place of the setting.
        text: The schedule.
        field: The field.
        settings: The settings that have it.

    Raises:
        SettingError: The setting cannot have that schedule.
    """
    try:
        schedule = parse_schedule(text)
        if is_constant(field) and not schedule.is_constant:
            raise ScheduleError("stays the same for a whole film: give one number")
        find_bounds(settings, str(place[-1])).check(schedule)
    except ScheduleError as error:
        raise SettingError(place, f"{error}") from None
    return schedule


@lru_cache(maxsize=512)
def field_at(place: Place, group: type[Settings]) -> tuple[FieldInfo, type[Settings]] | None:
    """Return the field at a place, and the settings that have it; None if there is none."""
    for part in place[:-1]:
        if isinstance(part, int):
            continue
        field = group.model_fields.get(part)
        inner = None if field is None else _settings_in(field.annotation)
        if inner is None:
            return None
        group = inner
    field = group.model_fields.get(str(place[-1]))
    return None if field is None or not is_number(field) else (field, group)


def _begin(
    place: Place, text: str, field: FieldInfo, settings: type[Settings]
) -> tuple[float | int, bool]:
    """Return the number at the start, and whether it changes."""
    plain = parse_number(text)
    if plain is not None:
        return (int(text) if _WHOLE.fullmatch(text) else plain), False
    schedule = parse_checked_schedule(place, text, field, settings)
    try:
        begin = number_at(str(place[-1]), text, field, settings, TimePoint())
    except ScheduleError as error:
        raise SettingError(place, f"{error}") from None
    return begin, not schedule.is_constant


def _numbers(
    values: Any, group: type[Settings], place: Place
) -> Iterator[tuple[Place, FieldInfo, type[Settings]]]:
    """Yield all numeric settings that are given."""
    if not isinstance(values, Mapping):
        return
    for name, given in values.items():
        field = group.model_fields.get(name)
        inner = None if field is None else _settings_in(field.annotation)
        if field is not None and is_number(field):
            yield (*place, name), field, group
        elif inner is not None and isinstance(given, Sequence):
            for index, row in enumerate(given):
                yield from _numbers(row, inner, (*place, name, index))
        elif inner is not None:
            yield from _numbers(given, inner, (*place, name))


def _get(values: Any, place: Place) -> Any:
    for part in place:
        values = values[part]
    return values


def _replace(values: Any, place: Place, number: float) -> Any:
    if not place:
        return number
    first, *rest = place
    changed = _replace(values[first], tuple(rest), number)
    if isinstance(values, Mapping):
        return {**values, first: changed}
    return [changed if index == first else row for index, row in enumerate(values)]


def _kinds(field: FieldInfo) -> set[Any]:
    kind = field.annotation
    return set(get_args(kind)) if get_origin(kind) in (Union, UnionType) else {kind}


def _settings_in(annotation: Any) -> type[Settings] | None:
    """Return the group of settings that a field holds, or holds a list of."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Settings):
            return kind
    return None
