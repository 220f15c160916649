"""Looks from other looks: one with something changed, a part's own, the options that make one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dreamvideo.settings.base import Settings, option_name
from dreamvideo.settings.dream import DreamSettings
from dreamvideo.settings.look import Look, Stage
from dreamvideo.settings.masks import Region
from dreamvideo.settings.presets import look_values, make_look, read_preset


def derive_look(look: Look, overrides: Mapping[str, Mapping[str, Any]]) -> Look:
    """``look`` with these settings of its groups replaced. Raises UsageError for what is none."""
    values = look_values(look)
    for group, given in overrides.items():
        values[group] = {**values.get(group, {}), **given}
    return make_look((), values)


@lru_cache(maxsize=256)
def derive_dream(part: Stage | Region, own: DreamSettings) -> DreamSettings:
    """The preset and layers of a part of a film or picture laid over the look's own dream."""
    given = dict(read_preset(part.look).get("dream", {})) if part.look is not None else {}
    if part.layers is not None:
        given["layers"] = part.layers
    return make_look((), {"dream": {**own.model_dump(exclude_none=True), **given}}).dream


def list_options(look: Look) -> list[tuple[str, str]]:
    """(option, value) of everything in which a look differs from the defaults.

    Added to a command, they make the look again, but for its parts that no option sets.
    """
    plain, values = look_values(Look()), look_values(look)
    return [
        (_option(group, name), format_option(value))
        for group, given in values.items()
        if isinstance(given, dict)
        for name, value in given.items()
        if plain.get(group, {}).get(name) != value
    ]


def _option(group: str, name: str) -> str:
    settings = Look.model_fields[group].annotation
    assert isinstance(settings, type) and issubclass(settings, Settings)
    return option_name(name, settings.model_fields[name])


def format_option(value: Any) -> str:
    """A setting's value as the command line takes it: whole numbers with all their digits."""
    return f"{value:g}" if isinstance(value, float) else str(value)
