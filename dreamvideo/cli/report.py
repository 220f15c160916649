"""``report`` and ``compare``: a page about a film and its source, or about two films."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamvideo.cli.app import Debug, Overwrite, Quiet, app, say
from dreamvideo.cli.report_options import EmbedHeight, EmbedSize, make_embed
from dreamvideo.errors import UsageError
from dreamvideo.settings.embed import Embed

if TYPE_CHECKING:
    from dreamvideo.metrics.pairing import Excerpt

Page = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The page to write.", show_default="FILM.report.html"),
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


def default_report_output(
    film: Path,
    source: Path | None,
    alone: bool,
    start: str | None,
    end: str | None,
    fps: str | None,
) -> tuple[Path | None, Excerpt]:
    """Return a film's source and the part of it to show, as given or as recorded.

    Args:
        film: The film.
        source: The source as given.
        alone: Whether to report without a source.
        start: As given.
        end: As given.
        fps: As given.

    Raises:
        UsageError: Both a source and ``alone`` are given.
    """
    from dreamvideo.metrics.pairing import Excerpt
    from dreamvideo.report.recipe import find_recorded_source

    if alone and source is not None:
        raise UsageError("give a SOURCE or --alone, not both")
    given = Excerpt(start, end, fps)
    if alone or source is not None:
        return source, given
    source, found = find_recorded_source(film)
    return source, found if given == Excerpt() else given


@app.command()
def report(
    film: Annotated[Path, typer.Argument(help="The dreamt film.")],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="The clip it was made from.", show_default="from the film's job or name"
        ),
    ] = None,
    *,
    output: Page = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Report on the film without a source.")
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
    """Make a page about a film and its source, with curves, worst moments, stills and recipe."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.report.film import report_film

    source, excerpt = default_report_output(film, source, alone, start, end, fps)
    with progress_display(quiet) as listen:
        made = report_film(
            film,
            source,
            output,
            excerpt=excerpt,
            embed=make_embed(embed_height, embed_size),
            overwrite=overwrite,
            on_progress=listen,
        )
    say(quiet, str(made))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A film.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another film of the same source.", metavar="B")],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="The clip that both were made from.", show_default="from A's job or name"
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page to write.", show_default="A-B.compare.html"),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Compare the two films without a source.")
    ] = False,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON; write a page only if --output is given."),
    ] = False,
    embed_height: EmbedHeight = None,
    embed_size: EmbedSize = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare two films of one source side by side, with the figures and curves of both."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.report.compare import compare_films, write_comparison
    from dreamvideo.report.film import check_report

    source, excerpt = default_report_output(a, source, alone, start, end, fps)
    if output is None and not as_json:
        output = a.with_name(f"{a.stem}-{b.stem}.compare.html")
    if output is not None:
        check_report(output, overwrite, a, b, source)
    embed = Embed(height=0) if output is None else make_embed(embed_height, embed_size)
    with progress_display(quiet or as_json) as listen:
        compared = compare_films(a, b, source, excerpt=excerpt, embed=embed, on_progress=listen)
    if output is not None:
        write_comparison(compared, output, overwrite=overwrite)
    if as_json:
        print(json.dumps(compared.to_json_able(), indent=2))
    elif output is not None:
        say(quiet, str(output))
