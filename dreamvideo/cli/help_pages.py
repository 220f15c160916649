"""``help COMMAND``, ``--help-all``, and ``config``: what can be set, and what is set already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from dreamvideo.cli.app import app
from dreamvideo.cli.common import print_table
from dreamvideo.cli.config import FILE_VARIABLE, config_path, current_defaults
from dreamvideo.errors import UsageError

HELP_ALL = "--help-all"
# The options that the short help of a command with many shows.
_FIRST = {
    "video": (
        *("output", "overwrite", "start", "end", "size", "preset", "creatures", "layers"),
        *("strength", "keep_colour", "mask", "time_budget"),
    ),
    "image": (
        *("output", "overwrite", "size", "preset", "creatures", "creature_size", "layers"),
        *("steps", "guide", "keep_colour", "mask", "every"),
    ),
    "zoom": (
        *("output", "overwrite", "size", "fps", "seconds", "preset", "creatures", "layers"),
        *("rate", "loop", "journey", "to"),
    ),
}


def hide_rare_options(commands: Mapping[str, Any]) -> None:
    """Leave only the most used options in the help of commands that have many."""
    for name, first in _FIRST.items():
        command = commands[name]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                parameter.hidden = parameter.name not in (*first, "help")
                parameter.rich_help_panel = None
        command.epilog = (
            f"These are the options to try first. All of them: dreamvideo {name} {HELP_ALL}"
        )


@app.command(name="help")
def show_help(
    context: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(help="A command, or a page of the guide.", show_default="all commands"),
    ] = None,
) -> None:
    """Show the help of a command, or a page of the guide."""
    from dreamvideo.guide import TOPICS

    root: Any = context.parent
    commands = root.command.commands
    if command is None:
        print(root.get_help())
    elif command in commands:
        hide_rare_options(commands)
        found = commands[command]
        with found.make_context(command, [], parent=root, resilient_parsing=True) as inner:
            print(found.get_help(inner))
    elif command in TOPICS:
        from dreamvideo.cli.guide import guide

        guide(command)
    else:
        raise UsageError(
            f"there is no command {command!r}: choose {', '.join(commands)}, or a page of the guide"
        )


@app.command()
def config(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show your own defaults: which options they set, and where each is written."""
    path = config_path()
    found = sorted(current_defaults(), key=lambda default: (default.command, default.option))
    if as_json:
        rows = [
            {"command": d.command or None, "option": d.option, "value": d.value, "from": d.origin}
            for d in found
        ]
        print(json.dumps({"file": None if path is None else str(path), "defaults": rows}, indent=2))
        return
    if path is None:
        print(f"no file ({FILE_VARIABLE} is empty)")
    else:
        print(f"{path}" + ("" if path.exists() else " (does not exist)"))
    if found:
        print_table(
            [
                (f"--{d.option}", _show(d.value), d.command or "all commands", d.origin)
                for d in found
            ],
            ("option", "value", "of", "from"),
        )


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
