"""Defaults of one's own: a file of options, and ``DREAMVIDEO_*`` variables.

What is nearer to the command wins: an option over a variable over the file. A preset is a whole
look, so one that is named sets aside the look of what is further away.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dreamvideo.errors import UsageError
from dreamvideo.settings.fast import IMPLIED
from dreamvideo.settings.fast import OPTION as FAST

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PREFIX = "DREAMVIDEO_"
FILE_VARIABLE = "DREAMVIDEO_CONFIG"
NO_CONFIG = "--no-config"
# What belongs to one call of a command.
_NOT_DEFAULTS = frozenset(
    {
        *("help", "version", "no-config", "debug"),
        *("output", "save-preset", "partial", "restart", "dry-run", "name", "on"),
    }
)
# Its options mean other things than those of the same names elsewhere.
_BY_TABLE_ONLY = frozenset({"bench", "train"})


@dataclass(frozen=True)
class Default:
    """The value of an option that a variable or the file sets, and where that is written."""

    command: str
    option: str
    value: Any
    origin: str


@dataclass
class Level:
    """All defaults from one place: by command and by parameter."""

    values: dict[str, dict[str, Default]] = field(default_factory=dict)

    def add(self, command: str, parameter: str, default: Default) -> None:
        """Set a default; an earlier one of the same parameter is replaced."""
        self.values.setdefault(command, {})[parameter] = default


@dataclass(frozen=True)
class Defaults:
    """The file's defaults and those of variables."""

    levels: tuple[Level, ...] = ()

    def of(self, command: str) -> list[dict[str, Default]]:
        """Return the defaults of a command by parameter, from the least to the most important."""
        return [level.values.get(command, {}) for level in self.levels]

    def __iter__(self) -> Iterator[Default]:
        """Iterate over all defaults that are in force, each once."""
        merged = {
            (default.command, default.option): default
            for level in self.levels
            for values in level.values.values()
            for default in values.values()
        }
        yield from merged.values()


# Set for the duration of one command line.
_current = [Defaults()]


def current_defaults() -> Defaults:
    """Return the defaults of the command line that runs."""
    return _current[0]


def set_defaults(defaults: Defaults) -> None:
    """Set the defaults of the command line that is about to run."""
    _current[0] = defaults


def config_path() -> Path | None:
    """Return where the file of defaults is expected; None if there is to be none."""
    named = os.environ.get(FILE_VARIABLE)
    if named is not None:
        return Path(named) if named else None
    from platformdirs import user_config_path

    return user_config_path("dreamvideo") / "config.toml"


def read_defaults(commands: Mapping[str, Any]) -> Defaults:
    """Read the file and the variables.

    Args:
        commands: The parser's commands by name.

    Raises:
        UsageError: The file cannot be read, or sets what no command has.
    """
    path = config_path()
    levels = [] if path is None else [_read_file(path, commands)]
    return Defaults((*levels, _read_variables(commands)))


def make_default_map(defaults: Defaults, commands: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the values that the parser takes for options that are not given.

    Those of a look are not among them: they depend on which presets are named (``settle_look``).
    """
    made: dict[str, dict[str, Any]] = {}
    for name, command in commands.items():
        look: frozenset[str] = getattr(command.callback, "look_parameters", frozenset())
        for level in defaults.of(name):
            for parameter, default in level.items():
                if parameter not in look:
                    made.setdefault(name, {})[parameter] = default.value
    return made


def _options(command: Any) -> dict[str, Any]:
    """Return a command's parameters by the names of their options, without dashes."""
    named = {}
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--") and option[2:] not in _NOT_DEFAULTS:
                named[option[2:]] = parameter
    return named


def _read_file(path: Path, commands: Mapping[str, Any]) -> Level:
    level = Level()
    if not path.exists() and FILE_VARIABLE not in os.environ:
        return level
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{path}: cannot be read ({reason}); {NO_CONFIG} goes without it"
        ) from None
    # What is set for one command stands over what is set for all, wherever it is written.
    for key, value in values.items():
        if not isinstance(value, dict):
            _set(level, commands, (None, key), value, str(path))
    for key, value in values.items():
        if isinstance(value, dict):
            if key not in commands:
                raise UsageError(f"{path}: there is no command {key!r}{_near(key, commands)}")
            for name, inner in value.items():
                _set(level, commands, (key, name), inner, f"{path} [{key}]")
    return level


def _read_variables(commands: Mapping[str, Any]) -> Level:
    level = Level()
    named = {name.upper().replace("-", "_"): name for name in commands}
    given = {n: v for n, v in os.environ.items() if n.startswith(PREFIX) and n != FILE_VARIABLE}
    # Those of all commands first: those of one command replace them.
    for variable in sorted(given, key=lambda name: (_command_of(name, named) is not None, name)):
        command = _command_of(variable, named)
        rest = variable.removeprefix(PREFIX)
        if command is not None:
            rest = rest.partition("_")[2]
        name = rest.lower().replace("_", "-")
        # Variables of other programs may begin alike.
        own = (each for key, each in commands.items() if key not in _BY_TABLE_ONLY)
        if command is not None or any(name in _options(each) for each in own):
            _set(level, commands, (command, name), given[variable], variable)
    return level


def _command_of(variable: str, named: Mapping[str, str]) -> str | None:
    first, _, rest = variable.removeprefix(PREFIX).partition("_")
    return named.get(first) if rest else None


def _set(
    level: Level,
    commands: Mapping[str, Any],
    place: tuple[str | None, str],
    value: Any,
    origin: str,
) -> None:
    """Set an option of one command, or of all that have it. Raises UsageError if none has."""
    command, key = place
    name = key.replace("_", "-")
    among = [command] if command else [each for each in commands if each not in _BY_TABLE_ONLY]
    found = False
    for each in among:
        options = _options(commands[each])
        if name not in options:
            continue
        found = True
        parameter = options[name]
        default = Default(command or "", name, _plain(parameter, name, value, origin), origin)
        level.add(each, parameter.name, default)
    if not found:
        known = {option for each in among for option in _options(commands[each])}
        where = f"{command} has no option" if command else "no command has an option"
        raise UsageError(f"{origin}: {where} {key!r}{_near(name, known)}")


def _plain(parameter: Any, name: str, value: Any, origin: str) -> Any:
    """Return a value as the parser takes it: lists for what may be repeated, text or a flag."""
    if getattr(parameter, "is_flag", False):
        word = str(value).strip().lower()
        if word not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
            raise UsageError(f"{origin}: {name} is on or off: write true or false, not {value!r}")
        on = word in ("true", "1", "yes", "on")
        return on if f"--{name}" in parameter.opts else not on
    if getattr(parameter, "multiple", False):
        listed = value if isinstance(value, list) else str(value).split(",")
        return [str(item).strip() for item in listed]
    if isinstance(value, list | dict):
        raise UsageError(f"{origin}: {name} is one value, not {value!r}")
    return str(value)


def _near(name: str, known: Sequence[str] | Mapping[str, Any] | set[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""


def settle_look(
    command: str, presets: Sequence[str], given: Mapping[str, Any], names: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Return the presets and values of a look: those of the command line over the defaults.

    ``--fast`` sets aside what it implies where that is set further away.

    Args:
        command: Name of the command.
        presets: The presets named on the command line.
        given: The values given on the command line, by parameter.
        names: The parameters of the command's look.

    Returns:
        The presets in their order, and the values by parameter.

    Raises:
        UsageError: A default is invalid; the message says where it is written.
    """
    levels = [
        {name: default.value for name, default in level.items() if name in (*names, "preset")}
        for level in current_defaults().of(command)
    ]
    chosen: list[str] = []
    values: dict[str, Any] = {}
    levels.append({**given, "preset": presets} if presets else {**given})
    is_fast = next((level[FAST] for level in reversed(levels) if FAST in level), False)
    for level in levels:
        if "preset" in level:
            # Whether to be fast is no part of what a preset replaces.
            chosen, values = level["preset"], {n: values[n] for n in (FAST,) if n in values}
        if is_fast and level.get(FAST):
            values = {name: value for name, value in values.items() if name not in IMPLIED}
        values |= {name: value for name, value in level.items() if name != "preset"}
    return [*chosen], values


def blame_default(message: str, arguments: Sequence[str]) -> str:
    """Return a message about an option, with the place of its value if that is not the command."""
    for default in current_defaults():
        option = f"--{default.option}"
        given = any(a == option or a.startswith(f"{option}=") for a in arguments)
        elsewhere = default.command and default.command not in arguments
        names_option = re.search(re.escape(option) + r"(?![\w-])", message) is not None
        named = names_option or (default.option == "preset" and "preset" in message)
        if named and not given and not elsewhere:
            return f"{default.origin}: {message}; {NO_CONFIG} goes without it"
    return message
