"""Base class of all settings, and error messages for invalid ones."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo


class Settings(BaseModel):
    """A frozen group of settings that rejects unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def validate(parse: Callable[[str], object], text: str | None) -> str | None:
    """Return ``text`` if it is None or ``parse`` accepts it."""
    if text is not None:
        parse(text)
    return text


def join_lines(error: ValidationError, group: type[Settings], style: str) -> str:
    """Format the first error; settings are named ``dream.steps`` or, as options, ``--steps``.

    Args:
        error: The validation error.
        group: The settings that were validated.
        style: ``--`` to name options.
    """
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        where = ".".join(str(part) for part in first["loc"])
        return f"there is no setting {where!r}{_near(group, first['loc'])}"
    where = name_option(first["loc"], group, style)
    message = first["msg"].removeprefix("Value error, ")
    if not where:
        return message
    text = f"{where}: {message[0].lower()}{message[1:]}"
    # Some messages name what was given themselves.
    given = repr(first["input"])
    named = isinstance(first["input"], str) and given in message
    return text if named else f"{text}, not {given}"


def name_option(where: tuple[int | str, ...], group: type[Settings], style: str) -> str:
    """Return a setting's name: ``dream.steps``, or its option if ``style`` is ``--``.

    Args:
        where: Place of the setting.
        group: The settings that have it.
        style: ``--`` to name its option.
    """
    if style != "--" or not where:
        return ".".join(str(part) for part in where)
    names = [str(part) for part in where if isinstance(part, str)]
    inner = _inside(group, where[:-1])
    field = inner.model_fields.get(names[-1]) if hasattr(inner, "model_fields") else None
    return option_name(names[-1], field)


def option_name(name: str, field: FieldInfo | None = None) -> str:
    """Return ``--step-size`` for the field ``step_size``, unless the field defines another name."""
    extra = None if field is None else field.json_schema_extra
    given = extra.get("option") if isinstance(extra, dict) else None
    return str(given) if given else "--" + name.replace("_", "-")


def format_default(field: FieldInfo) -> str:
    """Return a field's default as help shows it; of None, what that stands for."""
    if field.default is not None and field.default != ():
        return f"{field.default}"
    extra = field.json_schema_extra
    return str(extra.get("none", "none")) if isinstance(extra, dict) else "none"


def _near(group: Any, where: tuple[int | str, ...]) -> str:
    fields = _inside(group, where[:-1]).model_fields
    near = get_close_matches(str(where[-1]), fields, n=2)
    return f": did you mean {' or '.join(near)}?" if near else ""


def _inside(group: Any, where: tuple[int | str, ...]) -> Any:
    for part in where:
        if isinstance(part, str):
            kind = group.model_fields[part].annotation
            group = next(iter(get_args(kind)), kind)
    return group
