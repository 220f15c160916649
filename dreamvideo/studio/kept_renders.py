"""The list of renders as a hidden file of its folder: a restart finds the queue as it was."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import replace_atomically
from dreamvideo.studio.render_job import JobState
from dreamvideo.studio.render_worker import Order

NAME = ".dreamvideo-studio.json"


@dataclass(frozen=True)
class KeptRender:
    """One render: its order, the command line that does the same, and how it stood."""

    order: Order
    command: str
    state: JobState
    line: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptRenders:
    """All renders, the queue first, and the files that were taken off the list."""

    renders: tuple[KeptRender, ...] = ()
    hidden: tuple[str, ...] = ()


_FORM = TypeAdapter(KeptRenders)


def read_renders(folder: Path) -> KeptRenders:
    """Read the list of a folder; empty if there is none that can be read."""
    try:
        kept = _FORM.validate_json((folder / NAME).read_bytes())
    except (OSError, ValidationError):
        return KeptRenders()
    # Whatever the file says, nothing outside the folder is written or deleted.
    renders = [
        replace(each, order=replace(each.order, output=folder / each.order.output.name))
        for each in kept.renders
        if each.order.output.name
    ]
    return replace(kept, renders=tuple(renders))


def write_renders(folder: Path, kept: KeptRenders) -> None:
    """Write the list, or delete it if it is empty; what cannot be written stays as it was."""
    path = folder / NAME
    with suppress(MediaError, OSError):
        if kept == KeptRenders():
            path.unlink(missing_ok=True)
            return
        with replace_atomically(path, sync=False) as part:
            part.write_bytes(_FORM.dump_json(kept, indent=1))
