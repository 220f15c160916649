"""``measure``: the film's figures beside its source's, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dreamvideo.cli.app import Debug, app
from dreamvideo.cli.inspect import Json

if TYPE_CHECKING:
    from dreamvideo.look.metrics import Drift, FilmReport


@app.command()
def measure(
    film: Annotated[Path, typer.Argument(help="The dreamt film.")],
    source: Annotated[Path, typer.Argument(help="The clip it was made from.")],
    *,
    against: Annotated[
        Literal["independent"] | None,
        typer.Option(
            "--against",
            help="Dream some frames alone, with the settings that the film records, "
            "and compare: how much flicker was saved, at what price.",
            show_default="nothing",
        ),
    ] = None,
    pairs: Annotated[
        int, typer.Option("--pairs", min=1, help="How many pairs of frames to dream alone.")
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
    debug: Debug = False,
) -> None:
    """Measure how well a film's dream holds together: flicker, strength, ghosts, drift."""
    from dreamvideo.look.review import measure_film

    report = measure_film(
        film,
        source,
        start=start,
        end=end,
        fps=fps,
        against_independent=against == "independent",
        pairs=pairs,
    )
    if as_json:
        print(json.dumps(report.to_json_able(), indent=2))
        return
    for name, value in rows(report):
        print(f"{name:<32} {value}")


def rows(report: FilmReport) -> list[tuple[str, str]]:
    """(name, value) of every figure, in reading order."""
    found = [
        ("frames", f"{report.frames} at {report.width} x {report.height}"),
        ("scene cuts at frames", ", ".join(map(str, report.cuts)) or "none"),
    ]
    for name, errors in (
        ("warping error", report.flicker),
        ("warping error, 8 frames apart", report.flicker_8),
        ("warping error, 24 frames apart", report.flicker_24),
    ):
        if errors is not None:
            found.append(
                (name, f"{errors.film:.3g}, {errors.ratio:.3g} x the source's {errors.source:.3g}")
            )
    found += [
        ("strength", f"{report.strength:.3g}"),
        ("contrast of the detail", f"{report.contrast:.3g}"),
        ("deviation in the large", f"{report.tint:.3g}"),
        ("sharpness", f"{report.sharpness:.3g}"),
        (
            "trail behind moving things",
            "none seen" if report.trail is None else f"{report.trail:.3g}",
        ),
    ]
    drifts = report.drift
    for name in ("strength", "contrast", "brightness", "saturation", "clipped"):
        drift: Drift = getattr(drifts, name)
        found.append((f"{name}, first to last quarter", f"{drift.first:.3g} to {drift.last:.3g}"))
    return found + _against(report)


def _against(report: FilmReport) -> list[tuple[str, str]]:
    seen = report.independent
    if seen is None:
        return []
    flicker = f"{seen.flicker:.3g}" if seen.flicker is not None else f"not given: {seen.reason}"
    found = [
        ("beside independent dreaming", f"{seen.pairs} pairs of frames"),
        ("flicker X", flicker),
        ("warping error", f"{seen.error_ratio:.3g} of {seen.error_independent:.3g}"),
    ]
    for name in ("strength", "contrast", "contrast_last", "tint", "sharpness", "ghosting"):
        value = getattr(seen, name)
        if value is not None:
            found.append((f"{name.replace('_last', ', last quarter')} ratio", f"{value:.3g}"))
    return found
