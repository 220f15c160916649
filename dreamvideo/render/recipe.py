"""Read the look that a film or picture was dreamt with from its own tags."""

from __future__ import annotations

from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.paths import escape_text
from dreamvideo.media.tags import read_all_tags
from dreamvideo.settings import Look, look_from_toml

RECIPE_TAGS = ("synopsis", "SYNOPSIS", "comment", "COMMENT")


def load_recorded_look(path: Path | str) -> Look:
    """Return how a film or picture was dreamt.

    Raises UsageError if it has no record, MediaError.
    """
    return read_recorded_look(path)[1]


def read_recorded_look(path: Path | str) -> tuple[str, Look]:
    """Return (version that dreamt it, its look), as ``load_recorded_look``."""
    tags = read_all_tags(path)
    for tag in RECIPE_TAGS:
        heading, _, recipe = tags.get(tag, "").partition("\n")
        if heading.startswith("dreamvideo "):
            return heading.split(maxsplit=1)[1], look_from_toml(recipe, str(path))
    raise UsageError(f"{escape_text(path)}: has no record of how it was dreamt")
