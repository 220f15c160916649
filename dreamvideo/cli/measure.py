"""``measure``: the metrics of a film and its source, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from dreamvideo.cli.app import Debug, app
from dreamvideo.cli.common import note, print_table
from dreamvideo.cli.inspect import Json


@app.command()
def measure(
    film: Annotated[Path, typer.Argument(help="The dreamt film.")],
    source: Annotated[Path, typer.Argument(help="The clip it was made from.")],
    *,
    against: Annotated[
        Literal["independent"] | None,
        typer.Option(
            "--against",
            help="Also dream some frames independently, with the settings that the film records, "
            "and compare: how much flicker was saved, and at what cost.",
            show_default="nothing",
        ),
    ] = None,
    pairs: Annotated[
        int, typer.Option("--pairs", min=1, help="How many pairs of frames to dream independently.")
    ] = 8,
    start: Annotated[
        str | None, typer.Option("--start", help="The render's --start.", show_default="none")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="The render's --end.", show_default="none")
    ] = None,
    fps: Annotated[
        str | None, typer.Option("--fps", help="The render's --fps.", show_default="none")
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    debug: Debug = False,
) -> None:
    """Measure how well a film's dream holds together: flicker, strength, ghosts, drift."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.metrics.measure import measure_film
    from dreamvideo.metrics.table import make_rows

    with progress_display(quiet) as listen:
        report = measure_film(
            film,
            source,
            start=start,
            end=end,
            fps=fps,
            against_independent=against == "independent",
            pairs=pairs,
            on_progress=listen,
        )
    note(False, report.notes)
    if as_json:
        print(json.dumps(report.to_json_able(), indent=2))
        return
    print_table(make_rows(report))
