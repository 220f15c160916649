"""``python -m dreamvideo.pictures``: make the pictures of the README, the guide and the studio."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

import dreamvideo
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.pictures import curve, films, screens, stills
from dreamvideo.pictures.clone import Clone

PICTURES: Mapping[str, Callable[[Clone], None]] = {
    "presets": stills.make_preset_tiles,
    "tiles": stills.make_studio_tiles,
    "objectives": stills.make_objectives,
    "shaping": stills.make_shaping,
    "where": stills.make_where,
    "colour": stills.make_colours,
    "coherence": films.make_coherence,
    "curve": curve.make_curve,
    "bunny": films.make_bunny_gif,
    "strip": films.make_bunny_strip,
    "report": screens.make_report_screen,
    "zoom": films.make_zoom_gif,
    "loops": films.make_loops,
    # Last, because it shows the tiles and a look in use.
    "studio": screens.make_studio_screen,
}
NEED_A_BROWSER = ("report", "studio")


def make_pictures(
    only: Annotated[
        str,
        typer.Option("--only", help=f"Which ones, separated by commas: {', '.join(PICTURES)}."),
    ] = ",".join(PICTURES),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder to write into, in folders named as in the clone.",
            show_default="the clone itself",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="The clone.", show_default="where the package lies"),
    ] = None,
) -> None:
    """Make the pictures of the README, the guide and the studio from the samples."""
    try:
        chosen = parse_names(only)
        clone_root = root or Path(dreamvideo.__file__).parent.parent
        with tempfile.TemporaryDirectory(prefix="dreamvideo-pictures-") as scratch:
            _make(chosen, Clone(clone_root, output or clone_root, Path(scratch)))
    except DreamVideoError as error:
        print(f"dreamvideo.pictures: {error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def parse_names(text: str) -> list[str]:
    """Parse ``presets,bunny`` to names, in the order in which they are made. Raises UsageError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PICTURES]
    if unknown or not names:
        raise UsageError(f"--only {text!r}: choose among {', '.join(PICTURES)}")
    return [name for name in PICTURES if name in names]


def _make(names: list[str], clone: Clone) -> None:
    missing = screens.why_no_screens()
    for name in names:
        if name in NEED_A_BROWSER and missing:
            print(f"{name}: not made, {missing}", file=sys.stderr)
            continue
        print(name, flush=True)
        PICTURES[name](clone)


if __name__ == "__main__":
    typer.run(make_pictures)
