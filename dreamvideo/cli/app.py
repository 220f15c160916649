"""The commands: they parse, call the render and print; nothing is decided here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.options import look_options, output_options
from dreamvideo.errors import DamagedError
from dreamvideo.settings import Look, OutputSettings

app = typer.Typer(
    name="dreamvideo",
    help="DeepDream for moving pictures: dream clips, stills, zooms and GIFs.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="What to write.", show_default="beside the input"),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", "-y", help="Replace an output that exists.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless it fails.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        help="Size of the result: 640x360, 640 (width), x360 (height) or 50%. Less: faster.",
        show_default="the input's",
    ),
]


def _version(asked: bool) -> None:
    if asked:
        from dreamvideo.version import __version__

        print(f"dreamvideo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """DeepDream for moving pictures."""


@app.command()
@look_options("dream")
@output_options()
def image(
    photo: Annotated[Path, typer.Argument(help="The picture to dream.")],
    *,
    output: Output = None,
    size: Size = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every",
            help="Keep the picture at each so many steps: as files, or, if the output ends in "
            ".mp4, .webm, .mov or .gif, as a film of the dream growing.",
            show_default="only the last",
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    wanted: OutputSettings,
    look: Look,
) -> None:
    """Dream a picture; the loss is shown as it climbs."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.render.api import dream_image

    with progress_display(quiet) as listen:
        made = dream_image(
            photo,
            output,
            look,
            wanted,
            size=size,
            every=every,
            overwrite=overwrite,
            on_progress=listen,
        )
    for path in made.kept:
        say(quiet, str(path))
    say(quiet, f"{made.output}: loss {made.losses[0]:.4g} to {made.losses[-1]:.4g}")
    note(quiet, made.notes)


@app.command()
@look_options("dream", "coherence")
@output_options()
def video(
    clip: Annotated[
        Path,
        typer.Argument(
            help="A video, an animated GIF, a folder of pictures, or a pattern: shots/%04d.png."
        ),
    ],
    *,
    output: Output = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", help="Where to begin: 12.5, 1:02:03.5 or 48f.", show_default="first frame"
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", help="Where to end, in the same forms.", show_default="last frame"),
    ] = None,
    size: Size = None,
    fps: Annotated[
        str | None,
        typer.Option(
            "--fps",
            help="Frames a second to resample to, as 12 or 30000/1001; for pictures, their rate.",
            show_default="the input's; 25 for pictures",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="End with exit code 3 if frames of a damaged input are missing."
        ),
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    wanted: OutputSettings,
    look: Look,
) -> None:
    """Dream a clip into .mp4, .webm, .mov, .mkv, .gif or a folder of frames, sound kept."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.render.api import dream_video

    with progress_display(quiet) as listen:
        made = dream_video(
            clip,
            output,
            look,
            wanted,
            start=start,
            end=end,
            size=size,
            fps=fps,
            overwrite=overwrite,
            on_progress=listen,
        )
    say(quiet, f"{made.output}: {made.frames} frames")
    note(quiet, made.notes)
    if strict and made.missing:
        raise DamagedError(
            f"{clip}: {made.missing} frames are missing; {made.output} is the dream of the other "
            f"{made.frames}"
        )


def say(quiet: bool, *lines: str) -> None:
    """Print what the user should hear, unless ``quiet``."""
    if not quiet:
        for line in lines:
            print(line)


def note(quiet: bool, notes: Sequence[str]) -> None:
    """What changed on the way besides the dream, one line each, apart from the results."""
    if not quiet:
        for line in notes:
            print(f"note: {line}", file=sys.stderr)
