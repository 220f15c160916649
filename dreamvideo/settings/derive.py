"""Derive looks from other looks: with changes, for a stage or region, and as options."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dreamvideo.settings.base import option_name
from dreamvideo.settings.dream import DreamSettings
from dreamvideo.settings.look import Look, Stage, find_group
from dreamvideo.settings.masks import Region
from dreamvideo.settings.presets import look_values, make_look, read_preset


def derive_look(look: Look, overrides: Mapping[str, Mapping[str, Any]]) -> Look:
    """Return ``look`` with these settings of its groups replaced. Raises UsageError if invalid."""
    values = look_values(look)
    for group, given in overrides.items():
        values[group] = {**values.get(group, {}), **given}
    return make_look((), values)


@lru_cache(maxsize=256)
def derive_dream(part: Stage | Region, own: DreamSettings) -> DreamSettings:
    """Return the dream of a stage or region: its preset and layers merged into the look's own."""
    given = dict(read_preset(part.look).get("dream", {})) if part.look is not None else {}
    if part.layers is not None:
        given["layers"] = part.layers
    return make_look((), {"dream": {**own.model_dump(exclude_none=True), **given}}).dream


def list_options(look: Look) -> list[tuple[str, str]]:
    """Return (option, value) of every setting in which a look differs from the defaults.

    Added to a command they reproduce the look, except for the tables that no option sets.
    """
    plain, values = look_values(Look()), look_values(look)
    return [
        (_option(group, name), format_option(value))
        for group, given in values.items()
        if isinstance(given, dict)
        for name, value in given.items()
        if plain.get(group, {}).get(name) != value
    ]


def format_setting(key: str, value: Any) -> list[str]:
    """Return the command line's arguments that set ``group.name`` to a value."""
    option, text = _option(*key.split(".")), format_option(value)
    if value is True:
        return [option]
    # A negative value must not be taken for an option.
    return [f"{option}={text}"] if text.startswith("-") else [option, text]


def _option(group: str, name: str) -> str:
    return option_name(name, find_group(group).model_fields[name])


def format_option(value: Any) -> str:
    """Format a setting's value for the command line: whole numbers keep all their digits."""
    return f"{value:g}" if isinstance(value, float) else str(value)
