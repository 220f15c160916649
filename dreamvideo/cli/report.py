"""``report`` and ``compare``: a page of a film beside its source, or of two films."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.app import Debug, Overwrite, Quiet, app, say
from dreamvideo.cli.report_options import EmbedHeight, EmbedSize, embed_of
from dreamvideo.errors import UsageError

Page = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The page.", show_default="FILM.report.html"),
]
Start = Annotated[
    str | None,
    typer.Option("--start", help="The render's --start.", show_default="the source's first frame"),
]
End = Annotated[
    str | None,
    typer.Option("--end", help="The render's --end.", show_default="the film's last frame"),
]
Fps = Annotated[
    str | None, typer.Option("--fps", help="The render's --fps.", show_default="the source's")
]


@app.command()
def report(
    film: Annotated[Path, typer.Argument(help="The dreamt film.")],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="The clip it was made from.", show_default="as the film's job or name says"
        ),
    ] = None,
    *,
    output: Page = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Look for no source: tell of the film alone.")
    ] = False,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    embed_height: EmbedHeight = None,
    embed_size: EmbedSize = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a page of a film: beside its source, with curves, worst moments, stills and recipe."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.report.film import report_film
    from dreamvideo.report.pairing import Excerpt
    from dreamvideo.report.recipe import source_of

    if alone and source is not None:
        raise UsageError("give a SOURCE or --alone, not both")
    excerpt = Excerpt(start, end, fps)
    if source is None and not alone:
        source, found = source_of(film)
        excerpt = excerpt if excerpt != Excerpt() else found
    with progress_display(quiet) as listen:
        made = report_film(
            film,
            source,
            output,
            excerpt=excerpt,
            embed=embed_of(embed_height, embed_size),
            overwrite=overwrite,
            on_progress=listen,
        )
    say(quiet, str(made))
