"""Looks from presets (TOML files of a part of a look) and options; looks as TOML."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dreamvideo.arguments import check_arguments
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.parsing import is_short_for
from dreamvideo.settings.base import join_lines, name_option
from dreamvideo.settings.dream import DreamSettings
from dreamvideo.settings.fast import FAST, FAST_PRECISION
from dreamvideo.settings.look import Look
from dreamvideo.settings.over_time import SettingError, extract_schedules, find_name, find_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PRESET_NAME = re.compile(r"\w[\w-]{0,59}")
Overrides = Mapping[str, Mapping[str, Any]]

# The fields that every whole look wrote before 0.2, when looks had no balance and the defaults were
# those of this preset.
EARLIER_DEFAULTS = "plates"
_EARLIER_FIELDS = {
    *("model", "octave_scale", "steps", "step_size", "jitter", "smooth", "laplacian", "norm"),
    *("tv", "fidelity", "seed"),
}

# Settings that make sense for one network only.
OF_A_NETWORK = ("layers", "weights", "input_range")


def make_look(
    presets: Sequence[str] = (), overrides: Overrides | None = None, *, fast: bool = False
) -> Look:
    """Return a look: the defaults, then each preset in turn, then ``fast``, then ``overrides``.

    Changing the network drops what was chosen for another one: its layers, weights and
    input range.

    Args:
        presets: Names of bundled presets, or TOML files.
        overrides: Settings by group and name; schedules are given as text.
        fast: Whether to trade quality for time, as ``--fast``.

    Raises:
        UsageError: A preset does not exist or a value is invalid.

    Example:
        >>> from dreamvideo import make_look
        >>> make_look(["classic"], {"dream": {"octaves": 3}}).dream.octaves
        3
    """
    check_arguments(make_look, locals())
    values: dict[str, Any] = {}
    look = Look()
    for name in presets:
        values = merge_values(values, read_preset(name))
        look = _validate(values, f"preset {name!r}: ")
    if fast:
        values = make_fast(values)
        look = _validate(values, "")
    return _validate(merge_values(values, overrides), "") if overrides else look


def make_fast(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings of a look with what ``--fast`` implies laid over them."""
    return merge_values(values, {**FAST, "precision": FAST_PRECISION})


def look_from_toml(text: str, origin: str) -> Look:
    """Parse a preset's text to a look. Raises UsageError, naming ``origin``, if it is invalid."""
    try:
        values = _from_toml(text)
    except ValueError as error:
        raise UsageError(f"{origin}: its settings cannot be read: {error}") from None
    return _validate(complete_earlier(values), f"{origin}: ")


def merge_toml(look: Look, text: str, origin: str) -> Look:
    """Return a look with the settings of a preset's text laid over it.

    Args:
        look: The look.
        text: TOML as in a preset's file.
        origin: Where the text comes from, for errors.

    Raises:
        UsageError: The text is no TOML, or a setting is invalid.
    """
    try:
        values = _from_toml(text)
    except ValueError as error:
        raise UsageError(f"{origin}: its settings cannot be read: {error}") from None
    return _validate(merge_values(look_values(look), values), f"{origin}: ")


def complete_earlier(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a preset; a whole look from before 0.2 gets the defaults of that time.

    What such a look does not name did not exist, or was derived, so it must not follow today's
    defaults: a still is the same pixels as it was then.
    """
    dream = values.get("dream")
    if not isinstance(dream, Mapping) or not dream.keys() >= _EARLIER_FIELDS:
        return dict(values)
    if "balance" in dream:
        # Written by an early 0.2.
        added: dict[str, Any] = {"dream": {"certainty": 0}}
        if "dream_size" not in dream:
            added = {"dream": {"certainty": 0, "dream_size": "full"}, "coherence": {"flow": "raw"}}
        return merge_values(added, values)
    path = preset_paths()[EARLIER_DEFAULTS]
    earlier = _from_toml(path.read_text(encoding="utf-8"))
    del earlier["description"]
    return merge_values(earlier, values)


def read_preset(name: str) -> dict[str, Any]:
    """Read a bundled preset, a TOML file or one of the user's as nested dictionaries.

    Raises UsageError.
    """
    bundled = preset_paths()
    path = find_preset(name)
    if not path.is_file() and path.suffix == ".toml":
        raise UsageError(f"{path}: no such preset file; `--preset` also takes {', '.join(bundled)}")
    if not path.is_file():
        known = [*bundled, *user_preset_paths()]
        near = get_close_matches(name, known, n=1) or [", ".join(known)]
        raise UsageError(f"no preset {name!r}: choose {near[0]}, or give a TOML file's path")
    try:
        return complete_earlier(_from_toml(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"preset {path} cannot be read: {error}") from None


def preset_paths() -> dict[str, Path]:
    """Return the paths of bundled presets by name."""
    folder = Path(str(resources.files("dreamvideo") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_preset(name: str) -> Path:
    """Return the file of a preset by name or path; it need not exist.

    A bundled preset comes first, then a file of that path, then one in the user's folder.
    """
    path = preset_paths().get(name, Path(name))
    return path if path.is_file() else user_preset_paths().get(name, path)


def user_preset_folder() -> Path:
    """Return the folder of the user's own presets, which need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "dreamvideo" / "presets"


def user_preset_paths() -> dict[str, Path]:
    """Return the paths of the user's own presets by name."""
    try:
        return {path.stem: path for path in sorted(user_preset_folder().glob("*.toml"))}
    except (OSError, RuntimeError):
        # A system without a home folder.
        return {}


def describe_presets(names: Iterable[str]) -> dict[str, str]:
    """Return the name and description of every one of these presets that can be read."""
    found = {}
    for name in names:
        with suppress(DreamVideoError):
            found[name] = make_look([name]).description
    return found


def save_user_preset(look: Look, name: str) -> Path:
    """Save a look among the user's own presets, where ``--preset NAME`` finds it.

    Args:
        look: The look.
        name: A new name: letters, digits, ``-`` and ``_``.

    Returns:
        The file.

    Raises:
        UsageError: The name cannot be used, or is that of another preset.
        DreamVideoError: The file cannot be written.
    """
    if not _PRESET_NAME.fullmatch(name):
        raise UsageError(f"{name!r}: a preset's name is letters, digits, - and _, at most 60")
    if name in preset_paths() or name in user_preset_paths():
        raise UsageError(f"there is a preset {name!r} already: give another name")
    path = user_preset_folder() / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DreamVideoError(f"{path.parent}: cannot be written ({error.strerror})") from None
    save_preset(look, path)
    return path


def look_to_toml(look: Look) -> str:
    """Return the whole look as a preset file; values that are derived are not written."""
    groups = look_values(look)
    plain = [name for name in ("description", "precision") if name in groups]
    lines = [f"{name} = {_toml_value(groups.pop(name))}" for name in plain]
    tables = {name: groups.pop(name) for name in ("journey", "regions")}
    for group, fields in groups.items():
        lines += ["", f"[{group}]", *(f"{key} = {_toml_value(v)}" for key, v in fields.items())]
    for name, rows in tables.items():
        for row in rows:
            lines += ["", f"[[{name}]]", *(f"{key} = {_toml_value(v)}" for key, v in row.items())]
    return "\n".join(lines) + "\n"


def save_preset(look: Look, path: Path, *, overwrite: bool = False) -> None:
    """Write a look as a preset file, atomically.

    Args:
        look: The look.
        path: The file, which ends in .toml.
        overwrite: Whether to replace an existing file.

    Raises:
        UsageError: The name is wrong, or the file exists.
        DreamVideoError: The file cannot be written.
    """
    if path.suffix.lower() != ".toml":
        raise UsageError(f"{path}: a preset's name ends in .toml")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists: give another name, or -y to replace it")
    part = path.with_name(f"{path.stem}.part.toml")
    try:
        part.write_text(look_to_toml(look), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise DreamVideoError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def look_values(look: Look) -> dict[str, Any]:
    """Return a look as nested plain values, schedules as text, without values that are derived."""
    values = look.model_dump(mode="json", exclude_none=True)
    for name, text in values.pop("over_time").items():
        *groups, last = find_path(name)
        inner: Any = values
        for part in groups:
            inner = inner[part]
        inner[last] = text
    return values


def look_from_values(values: Mapping[str, Any]) -> Look:
    """Return the look of nested plain values. Raises UsageError, naming the option, if invalid."""
    return _validate(values, "")


def merge_values(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with others laid over them.

    Changing the network drops what was chosen for another one: its layers, weights and
    input range.
    """
    merged = dict(values)
    for group, fields in given.items():
        before = merged.get(group, {})
        if not isinstance(fields, Mapping):
            merged[group] = fields
            continue
        if group == "dream" and "model" in fields:
            known = before.get("model", DreamSettings().model)
            if fields["model"] != known and not is_short_for(fields["model"], known):
                before = {k: v for k, v in before.items() if k not in OF_A_NETWORK}
        merged[group] = {**before, **fields}
    return merged


def _validate(values: Mapping[str, Any], origin: str) -> Look:
    style = "." if origin else "--"
    try:
        numbers, texts = extract_schedules(values, Look)
        changing = {find_name(place): text for place, text in texts.items()}
        if changing:
            numbers["over_time"] = {**numbers.get("over_time", {}), **changing}
        return Look.model_validate(numbers)
    except SettingError as error:
        raise UsageError(
            f"{origin}{name_option(error.place, Look, style)}: {error.reason}"
        ) from None
    except ValidationError as error:
        raise UsageError(origin + join_lines(error, Look, style)) from None


def _from_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises ValueError for invalid text."""
    return dict(tomllib.loads(text))


def _toml_value(value: Any) -> str:
    # TOML writes strings and numbers like JSON, except for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
