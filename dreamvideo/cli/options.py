"""Command-line options derived from the settings' fields: one home for defaults and help.

Numbers of a look are parsed as text, since each may be a schedule instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from dreamvideo.cli.completion import COMPLETIONS, complete_presets
from dreamvideo.cli.config import settle_look
from dreamvideo.schedules import Bounds, OverTime
from dreamvideo.settings import (
    Look,
    OutputSettings,
    make_look,
    make_output,
    save_preset,
)
from dreamvideo.settings.base import format_default, option_name
from dreamvideo.settings.look import find_group
from dreamvideo.settings.over_time import find_bounds, is_number

# Groups of a Look, in the order in which --help shows them.
PANELS = {
    "output": "The output",
    "dream": "The dream",
    "coherence": "From frame to frame",
    "mask": "Where to dream",
    "colour": "The colours",
    "camera": "The camera",
    "zoom": "The camera",
    "machine": "The machine",
}
OVER_TIME = (
    "Numbers may change over time: `0:0, 2s:1 ease, end:0`, or a formula in t (seconds), f "
    "(frames) and p (0 to 1 of the film): `0.5 + 0.5 * sin(t)`."
)
SOUND = " They may follow the sound: `audio:low * 1.5 + 0.2`, and its beat: `1 - beat % 1`."
# What a film sounds like, and what its look listens to.
SOUND_OPTIONS = ("sound", "sound_start", "sound_fade", "stem", "bpm", "downbeat", "click")


def look_options(*groups: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for every field of these groups of a ``Look``, and its presets.

    The command is called with ``look``, made from ``--preset`` and options, instead;
    ``--save-preset`` writes it to a file first.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for name, p in own.parameters.items() if name != "look"]
        made = [option(group, *item) for group in groups for item in _fields(group)]

        homes = {name: group for group in groups for name, _ in _fields(group)}

        def run(**values: Any) -> None:
            presets, kept_as = values.pop("preset") or [], values.pop("save_preset")
            given = {name: values.pop(name) for name in homes}
            given = {name: value for name, value in given.items() if value is not None}
            presets, settled = settle_look(command.__name__, presets, given, list(homes))
            overrides: dict[str, dict[str, Any]] = {}
            for name, value in settled.items():
                overrides.setdefault(homes[name], {})[name] = value
            look = make_look(presets, overrides)
            if kept_as is not None:
                save_preset(look, kept_as, overwrite=values.get("overwrite", False))
            command(look=look, **values)

        run.__name__ = command.__name__
        run.look_parameters = frozenset({*homes, "preset"})  # type: ignore[attr-defined]
        run.__doc__ = (command.__doc__ or "") + _over_time(groups)
        run.__signature__ = inspect.Signature([*kept, *_preset_parameters(), *made])  # type: ignore[attr-defined]
        return run

    return decorate


def output_options(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for every field of ``OutputSettings`` but those ``without``.

    The command is called with ``wanted``, made from the options, instead.
    """
    fields = [item for item in OutputSettings.model_fields.items() if item[0] not in without]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for name, p in own.parameters.items() if name != "wanted"]
        made = [option("output", *item) for item in fields]

        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name, _ in fields}
            command(wanted=make_output(**given), **values)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([*kept, *made])  # type: ignore[attr-defined]
        return run

    return decorate


def option(group: str, name: str, field: FieldInfo) -> inspect.Parameter:
    """Return a keyword parameter for a field of the settings.

    Its default, None, leaves the setting to presets and defaults.

    Args:
        group: Group of a ``Look``, ``output`` or ``machine``.
        name: Name of the field.
        field: The field.
    """
    may_change = group in Look.model_fields and is_number(field)
    made = typer.Option(
        option_name(name, field),
        help=field.description,
        show_default=format_default(field),
        metavar=_measure(group, name, field),
        rich_help_panel=PANELS[group],
        autocompletion=COMPLETIONS.get(name),
    )
    plain = str if may_change else _plain(field.annotation)
    kind = Annotated[plain | None, made]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _measure(group: str, name: str, field: FieldInfo) -> str | None:
    """Return the placeholder of a look's number in the help: its bounds. None for anything else."""
    for mark in field.metadata:
        if isinstance(mark, OverTime):
            return Bounds(mark.ge, mark.le).short if mark.parts == 1 else "AxB"
    if group not in Look.model_fields or not is_number(field):
        return None
    return find_bounds(find_group(group), name).short


def _over_time(groups: tuple[str, ...]) -> str:
    """Return the part of a command's help about values over time; empty if it makes no film."""
    if len(groups) == 1:
        return ""
    return f"\n\n{OVER_TIME}" + (SOUND if {"coherence", "zoom"} & {*groups} else "")


def _fields(group: str) -> list[tuple[str, FieldInfo]]:
    return list(find_group(group).model_fields.items())


def _plain(annotation: Any) -> Any:
    """Convert ``int | None`` to ``int``, and ``float | str`` (may change over time) to ``str``."""
    if get_origin(annotation) in (Union, UnionType):
        if str in get_args(annotation):
            return str
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return annotation


def _preset_parameters() -> list[inspect.Parameter]:
    load = typer.Option(
        "--preset",
        help="A named look, bundled or your own, or its TOML file. May be repeated: later ones "
        "override earlier ones.",
        show_default="none",
        rich_help_panel="The look",
        autocompletion=complete_presets,
    )
    save = typer.Option(
        "--save-preset",
        help="Also write the look, including all options given, to this TOML file.",
        show_default="none",
        rich_help_panel="The look",
    )
    kinds = {
        "preset": Annotated[list[str] | None, load],
        "save_preset": Annotated[Path | None, save],
    }
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in kinds.items()
    ]
