"""``gallery`` and ``preview``: try a look before rendering."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.app import Debug, Overwrite, Quiet, app, note, say
from dreamvideo.cli.common import Output
from dreamvideo.cli.options import SOUND_OPTIONS, look_options, output_options
from dreamvideo.formatting import format_count
from dreamvideo.gallery import Across
from dreamvideo.settings import Look, OutputSettings

SIDE = 320


@app.command()
@look_options("dream", "mask", "colour", fast=False)
def gallery(
    picture: Annotated[Path, typer.Argument(help="A photo, or a clip to take a frame from.")],
    *,
    across: Annotated[
        Across,
        typer.Option(
            "--across",
            help="What to vary: layers, the channels of one layer, the seed of the creatures, "
            "strengths, or presets.",
        ),
    ] = "layers",
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer", help="The layer for --across channels.", show_default="the look's first"
        ),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            "--count",
            min=1,
            max=200,
            help="How many channels (the most excited ones), or how many seeds of creatures, "
            "starting from --creatures.",
        ),
    ] = 20,
    moments: Annotated[
        int, typer.Option("--moments", min=1, max=9, help="Frames of a clip to dream.")
    ] = 1,
    columns: Annotated[
        int | None,
        typer.Option("--columns", min=1, max=50, help="Pictures per row.", show_default="that fit"),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", help="Size of each picture, as for `video`.", show_default=f"{SIDE} wide"
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    look: Look,
) -> None:
    """Dream one picture in many ways: a labelled sheet (PNG), and a page with their commands."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.gallery.gallery import show_gallery

    with progress_display(quiet) as listen:
        made = show_gallery(
            picture,
            output,
            look,
            across=across,
            layer=layer,
            count=count,
            moments=moments,
            columns=columns,
            size=size,
            widest=SIDE,
            overwrite=overwrite,
            on_progress=listen,
        )
    say(quiet, *(str(path) for path in made))


@app.command()
@look_options("dream", "coherence", "mask", "colour", "camera")
@output_options(*(name for name in OutputSettings.model_fields if name not in SOUND_OPTIONS))
def preview(
    clip: Annotated[Path, typer.Argument(help="A video, an animated GIF or a folder.")],
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Where to start: 12.5, 1:02.", show_default="a third in"),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, max=60, help="How many seconds to dream.")
    ] = 3.0,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", help="The full film's size, as for `video`.", show_default="the input's"
        ),
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option("--fps", help="The full film's frames a second.", show_default="the input's"),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    wanted: OutputSettings,
    look: Look,
) -> None:
    """Dream a few seconds of a clip, small and coarse, and estimate the time for all of it."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.formatting import format_clock
    from dreamvideo.render.preview import preview as render_preview

    with progress_display(quiet) as listen:
        made, full = render_preview(
            clip,
            output,
            look,
            wanted,
            at=at,
            seconds=seconds,
            size=size,
            fps=fps,
            overwrite=overwrite,
            on_progress=listen,
        )
    say(quiet, f"{made.output}: {format_count(made.frames, 'frame')}")
    note(quiet, made.notes if wanted.model_fields_set else ())
    whole = format_count(full.frames, "frame")
    say(quiet, f"the whole clip: {whole}, about {format_clock(full.seconds)}")
