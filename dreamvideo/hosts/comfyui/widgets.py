"""Settings as ComfyUI's inputs: type, default, bounds, step and tooltip from their own fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from dreamvideo.settings.base import format_default
from dreamvideo.settings.keywords import list_fields
from dreamvideo.settings.look import find_group
from dreamvideo.settings.over_time import find_bounds, is_number

Input = tuple[Any, dict[str, Any]]

# ComfyUI's number widgets hold no more than these, and seeds are whole numbers of 64 bits.
LARGEST = 10_000.0
LARGEST_WHOLE = 2**63 - 1
# Steps of the numbers' widgets, as a share of a power of ten below their default.
_LEAST_STEP = 0.001


def make_inputs(names: tuple[str, ...], *groups: str) -> dict[str, Input]:
    """Return ComfyUI's inputs for settings of these names, in that order.

    Args:
        names: Names of settings.
        groups: Groups of a ``Look`` that have them.
    """
    fields = {name: (group, field) for group, name, field in list_fields(*groups)}
    return {name: _make_input(name, *fields[name]) for name in names}


def read_changes(inputs: Mapping[str, Input], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings whose widgets do not stand at their default.

    A widget always has a value; one at its default leaves what the look says.
    """
    return {
        name: values[name]
        for name, (_, options) in inputs.items()
        if name in values and values[name] != options["default"]
    }


def _make_input(name: str, group: str, field: FieldInfo) -> Input:
    options: dict[str, Any] = {"default": field.default, "tooltip": _make_tooltip(field)}
    kind = field.annotation
    if get_origin(kind) is Literal:
        return list(get_args(kind)), options
    if kind is bool:
        return "BOOLEAN", options
    if not is_number(field):
        # What may be a schedule is text, even if it usually is a number.
        options["default"] = "" if field.default is None else str(field.default)
        return "STRING", options
    bounds = find_bounds(find_group(group), name)
    whole = int in (kind, *get_args(kind))
    # No widget is empty: the number below the least one means that it was not set.
    unset = field.default is None
    least = bounds.low if math.isfinite(bounds.low) else -LARGEST
    most = min(bounds.high, LARGEST_WHOLE if whole else LARGEST)
    if whole:
        least = int(least) + int(bounds.above)
        options |= {"min": least - int(unset), "max": int(most) - int(bounds.below), "step": 1}
        if unset:
            options["default"] = options["min"]
        return "INT", options
    step = _choose_step(field.default or 1.0)
    options |= {
        "min": least + (step if bounds.above else 0.0),
        "max": most - (step if bounds.below else 0.0),
        "step": step,
        "round": False,
    }
    if unset:
        options |= {"min": -1.0, "default": -1.0}
    return "FLOAT", options


def _choose_step(default: float) -> float:
    """Return a step that is fine at the default: 0.05 for 1, 0.001 for 0.018."""
    size: float = 10.0 ** math.floor(math.log10(abs(default) or 1.0))
    return max(_LEAST_STEP, size / 20)


def _make_tooltip(field: FieldInfo) -> str:
    text = (field.description or "").replace("`", "")
    if field.default is not None:
        return text
    return f"{text} At its least value, or empty: {format_default(field)}."
