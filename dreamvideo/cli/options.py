"""Command-line options made from the settings' own fields: one home for defaults and help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from dreamvideo.settings import Look, OutputSettings, Settings, make_look, make_output

# Groups of a Look, in the order in which --help shows them.
PANELS = {
    "output": "The output",
    "dream": "The dream",
    "coherence": "From frame to frame",
    "zoom": "The camera",
}


def look_options(*groups: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for every field of these groups of a ``Look``, and ``--preset``.

    The command is called with ``look``, made from presets and options, instead.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for name, p in own.parameters.items() if name != "look"]
        made = [option(group, *item) for group in groups for item in _fields(group)]

        def run(**values: Any) -> None:
            presets = values.pop("preset") or []
            overrides: dict[str, dict[str, Any]] = {}
            for group in groups:
                for name, _ in _fields(group):
                    value = values.pop(name)
                    if value is not None:
                        overrides.setdefault(group, {})[name] = value
            command(look=make_look(presets, overrides), **values)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([*kept, _preset_parameter(), *made])  # type: ignore[attr-defined]
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
    """A keyword parameter whose default, None, leaves the setting to presets and defaults."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    shown = str(extra.get("none", "none")) if field.default is None else f"{field.default}"
    made = typer.Option(
        "--" + name.replace("_", "-"),
        help=field.description,
        show_default=shown,
        rich_help_panel=PANELS[group],
    )
    kind = Annotated[_plain(field.annotation) | None, made]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _fields(group: str) -> list[tuple[str, FieldInfo]]:
    settings = Look.model_fields[group].annotation
    assert isinstance(settings, type) and issubclass(settings, Settings)
    return list(settings.model_fields.items())


def _plain(annotation: Any) -> Any:
    """``int | None`` -> ``int``; ``float | str``, what may change over time, -> ``str``."""
    if get_origin(annotation) in (Union, UnionType):
        if str in get_args(annotation):
            return str
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _preset_parameter() -> inspect.Parameter:
    made = typer.Option(
        "--preset",
        help="A named look, or a TOML file of one; several are laid over one another.",
        show_default="none",
        rich_help_panel="The look",
    )
    kind = Annotated[list[str] | None, made]
    return inspect.Parameter(
        "preset", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind
    )
