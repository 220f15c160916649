"""Settings as keyword arguments of a function, by the names of the command line's options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from dreamvideo.arguments import suggest
from dreamvideo.errors import UsageError
from dreamvideo.settings.base import format_default, option_name
from dreamvideo.settings.fast import FIELD as FAST_FIELD
from dreamvideo.settings.fast import OPTION as FAST
from dreamvideo.settings.look import Look, find_group
from dreamvideo.settings.machine import MachineSettings, make_machine
from dreamvideo.settings.presets import (
    look_from_values,
    look_values,
    make_fast,
    make_look,
    merge_values,
)

Function = TypeVar("Function", bound=Callable[..., Any])
Presets = str | Path | Sequence[str | Path]

# Settings of the machine that matter for one process.
MACHINE = ("device", "precision", "max_memory", "threads")


def list_fields(*groups: str) -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield (group, name, field) of every setting in these groups of a ``Look``."""
    for group in groups:
        for name, field in find_group(group).model_fields.items():
            yield group, name, field


def take_settings(*groups: str) -> Callable[[Function], Function]:
    """Let a function that takes ``**settings`` show which: in its signature and its help.

    Args:
        groups: Groups of a ``Look`` whose settings it takes, besides those of the machine.
    """

    def decorate(function: Function) -> Function:
        own = inspect.signature(function)
        fields = [(name, field) for _, name, field in list_fields(*groups)]
        fields += [(name, MachineSettings.model_fields[name]) for name in MACHINE]
        fields.append((FAST, FAST_FIELD))
        fields = [(name, field) for name, field in fields if name not in own.parameters]
        kept = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=f"{_plain(field.annotation)} | None",
            )
            for name, field in fields
        ]
        lines = [f"    {name}: {_describe(name, field)}" for name, field in fields]
        function.__doc__ = "\n".join(
            [inspect.cleandoc(function.__doc__ or ""), "", "Settings:", *lines]
        )
        function.__signature__ = own.replace(parameters=[*kept, *made])  # type: ignore[attr-defined]
        return function

    return decorate


def make_keyword_look(
    function: str,
    groups: Sequence[str],
    preset: Presets | None,
    look: Look | None,
    settings: Mapping[str, Any],
) -> tuple[Look, MachineSettings]:
    """Return the look and the machine's settings that keyword arguments ask for.

    Args:
        function: Name of the function, for errors.
        groups: Groups of a ``Look`` whose settings it takes.
        preset: Name of a preset or a TOML file, or several: later ones override earlier ones.
        look: A look to start from instead.
        settings: Changes to it, and settings of the machine, by name; None leaves a setting alone.

    Raises:
        UsageError: A name is unknown or a value is invalid.
    """
    if preset is not None and look is not None:
        raise UsageError(f"{function}: give a preset or a look, not both")
    homes = {name: group for group, name, _ in list_fields(*groups)}
    known = (*homes, *MACHINE, FAST)
    fast = settings.get(FAST)
    if fast is not None and not isinstance(fast, bool):
        raise UsageError(f"{function}: fast must be True or False, not {fast!r}")
    changes: dict[str, dict[str, Any]] = {}
    machine: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            hint = suggest(name, known)
            raise UsageError(f"{function}: there is no argument or setting {name!r}: {hint}")
        if value is None or name == FAST:
            continue
        if name in MACHINE:
            machine[name] = value
        else:
            changes.setdefault(homes[name], {})[name] = value
    if look is not None:
        made = look
        if changes or fast:
            values = look_values(look)
            values = make_fast(values) if fast else values
            made = look_from_values(merge_values(values, changes))
    else:
        names = [preset] if isinstance(preset, str | Path) else (preset or [])
        made = make_look([str(name) for name in names], changes, fast=bool(fast))
    return made, make_machine(**machine)


def _describe(name: str, field: FieldInfo) -> str:
    option = option_name(name, field)
    other = "" if option == option_name(name) else f" (`{option}`)"
    return f"{field.description}{other} Default: {format_default(field)}."


def _plain(annotation: Any) -> str:
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"\b(?:typing|pathlib(?:\._local)?)\.", "", name).removesuffix(" | None")
