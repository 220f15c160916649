"""What every group of settings is, and how a mistake in one is told."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError


class Settings(BaseModel):
    """A frozen group of settings that refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def checked(parse: Callable[[str], object], text: str | None) -> str | None:
    """``text`` if it is None or ``parse`` takes it."""
    if text is not None:
        parse(text)
    return text


def one_line(error: ValidationError, group: type[Settings], style: str) -> str:
    """The first complaint; settings are named ``dream.steps`` or, as options, ``--steps``."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting {where!r}{_near(group, first['loc'])}"
    if style == "--":
        where = "--" + where.rpartition(".")[2].replace("_", "-")
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}, not {first['input']!r}"


def _near(group: Any, where: tuple[int | str, ...]) -> str:
    for part in where[:-1]:
        if isinstance(part, str):
            kind = group.model_fields[part].annotation
            group = next(iter(get_args(kind)), kind)
    near = get_close_matches(str(where[-1]), group.model_fields, n=2)
    return f": did you mean {' or '.join(near)}?" if near else ""
