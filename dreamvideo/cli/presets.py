"""``presets``: the named looks, and a sheet of a picture in each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.app import Debug, Overwrite, Quiet, app, note, say
from dreamvideo.cli.common import print_table
from dreamvideo.errors import UsageError
from dreamvideo.settings import make_look, preset_paths, read_preset
from dreamvideo.settings.presets import find_preset, user_preset_paths

WIDEST = 320


@app.command()
def presets(
    photo: Annotated[
        Path | None,
        typer.Argument(
            help="A look, to print its TOML; with --sheet, a photo or a clip to take a frame from.",
            show_default="all looks; for --sheet coloured noise",
        ),
    ] = None,
    *,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="Dream the photo in every look into one labelled picture."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", help="Size of each picture, as for `image`.", show_default=f"{WIDEST} wide"
        ),
    ] = None,
    columns: Annotated[
        int | None,
        typer.Option("--columns", min=1, max=50, help="Pictures per row.", show_default="that fit"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the named looks, your own last, or print one; --sheet shows the bundled ones."""
    if sheet is not None:
        _show(photo, sheet, size, columns, overwrite, quiet)
        return
    if photo is not None:
        _print_preset(str(photo), as_json)
        return
    names = [*preset_paths(), *user_preset_paths()]
    described = {name: make_look([name]).description for name in names}
    if as_json:
        print(json.dumps([{"preset": n, "description": d} for n, d in described.items()], indent=2))
        return
    print_table(list(described.items()))


def _print_preset(name: str, as_json: bool) -> None:
    """Print a look's own file as it is: what it does not name stays as it was."""
    path = find_preset(name)
    if path.suffix != ".toml" and path.exists():
        raise UsageError(f"{path} is no look; to see it in every look add --sheet looks.png")
    values = read_preset(name)
    print(json.dumps(values, indent=2) if as_json else path.read_text("utf-8").rstrip())


def _show(
    photo: Path | None,
    sheet: Path,
    size: str | None,
    columns: int | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    from dreamvideo.cli.display import progress_display
    from dreamvideo.gallery.preset_sheet import write_preset_sheet

    with progress_display(quiet) as listen:
        missing = write_preset_sheet(
            list(preset_paths()),
            photo,
            sheet,
            size=size,
            widest=WIDEST,
            columns=columns,
            overwrite=overwrite,
            on_progress=listen,
        )
    say(quiet, str(sheet))
    note(quiet, missing)
