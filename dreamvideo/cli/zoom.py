"""``zoom``: endlessly into a dream; as a loop, a journey, or towards a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.app import app
from dreamvideo.cli.common import (
    Debug,
    KeepJob,
    Output,
    Overwrite,
    Partial,
    Quiet,
    Restart,
    machine_options,
    note,
    say,
)
from dreamvideo.cli.options import look_options, output_options
from dreamvideo.cli.report_options import Report, page_after, page_before
from dreamvideo.errors import UsageError
from dreamvideo.formatting import format_count
from dreamvideo.settings import Look, MachineSettings, OutputSettings, Stage


@app.command()
@look_options("dream", "zoom")
@machine_options("device", "precision", "max_memory", "threads")
@output_options("no_audio", "audio_track")
def zoom(
    photo: Annotated[
        Path | None,
        typer.Argument(
            help="The picture to zoom into; for a clip, a GIF or a folder, its last frame, or the "
            "one of `--at`.",
            show_default="none",
        ),
    ] = None,
    *,
    output: Output = None,
    from_noise: Annotated[
        bool, typer.Option("--from-noise", help="Start from coloured noise instead of a picture.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="A picture for the zoom to end on.", show_default="none"),
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Make the end lead into the beginning without a seam.")
    ] = False,
    journey: Annotated[
        str | None,
        typer.Option(
            "--journey",
            help="Presets to dream in sequence: fur,towers,pebbles.",
            show_default="none",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Time of the clip's frame to start from: 12.5, 1:02 or 48f.",
            show_default="the last frame",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            help="Size of the film: 640x360, 640 (width), x360 (height) or 50%.",
            show_default="the photo's shape, 640 at most",
        ),
    ] = None,
    fps: Annotated[str, typer.Option("--fps", help="Frames a second, 25 or 30000/1001.")] = "25",
    restart: Restart = False,
    keep_job: KeepJob = False,
    partial: Partial = False,
    report: Report = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    wanted: OutputSettings,
    machine: MachineSettings,
    look: Look,
) -> None:
    """Zoom endlessly into a dream, to a video or a GIF."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.render import output_paths
    from dreamvideo.render.options import RenderOptions
    from dreamvideo.render.zoom.render import partial_zoom
    from dreamvideo.render.zoom.render import zoom as render_zoom

    if from_noise == (photo is not None):
        raise UsageError("give either a PHOTO to zoom into or --from-noise")
    if journey is not None:
        names = [name.strip() for name in journey.split(",")]
        stages = tuple(Stage(look=name) for name in names)
        look = look.model_copy(update={"journey": stages})
    film = output or output_paths.default_output(photo or Path("noise.png"), "zoom", ".mp4")
    page_before(report, film, photo, to, overwrite=overwrite, partial=partial)
    with progress_display(quiet) as listen:
        if partial:
            made = partial_zoom(photo, output, on_progress=listen)
        else:
            made = render_zoom(
                photo,
                output,
                look,
                wanted,
                to=to,
                loop=loop,
                at=at,
                fps=fps,
                size=size,
                overwrite=overwrite,
                machine=machine,
                options=RenderOptions(restart, keep_job),
                on_progress=listen,
            )
        # A still picture cannot be compared with a film frame by frame.
        page = page_after(made, None, listen) if report else None
    say(
        quiet,
        f"{made.output}: {format_count(made.frames, 'frame')}",
        *([str(page)] if page else []),
    )
    note(quiet, made.notes)
