"""Write the report of a film as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from dreamvideo.bench.machine import describe
from dreamvideo.formatting import format_count
from dreamvideo.media.folder import place_of
from dreamvideo.media.paths import check_place, replace_atomically
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.sequence import is_sequence
from dreamvideo.metrics.pairing import Excerpt, open_film_pair
from dreamvideo.metrics.table import make_rows
from dreamvideo.render.job.manifest import list_versions
from dreamvideo.render.output_paths import check_apart
from dreamvideo.render.progress import OnProgress, silent
from dreamvideo.report.page import Line, Page, Panel, Picture, Player, Row, render_html
from dreamvideo.report.recipe import Recipe, read_recipe, read_seconds
from dreamvideo.report.review import Review, Seconds, review
from dreamvideo.settings.embed import Embed

EMBED = Embed()
WHOLE = Excerpt()
UNKNOWN_TIMES = (
    "Not known: a film does not record how long its frames took. Rendered with --report, or with "
    "--keep-job, it is."
)


def report_path(film: Path) -> Path:
    """Return ``film.report.html`` next to ``film.mp4``; likewise for a folder of frames."""
    place = place_of(film) if is_sequence(film) else film
    return place.with_name(f"{place.stem}.report.html")


def check_report(output: Path, overwrite: bool, *read: Path | None) -> None:
    """Refuse, before any work, a page that cannot or must not be written.

    Args:
        output: The page.
        overwrite: Whether to replace an existing page.
        read: Inputs, which it must not overwrite.

    Raises:
        UsageError: The page must not be written there.
    """
    check_apart(output, *read)
    check_place(output, overwrite)


def report_film(  # noqa: PLR0913  (public: one keyword per choice)
    film: Path | str,
    source: Path | str | None,
    output: Path | str | None = None,
    *,
    excerpt: Excerpt = WHOLE,
    embed: Embed = EMBED,
    seconds: Seconds = (),
    command: Sequence[str] = (),
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Path:
    """Write the report of a finished film.

    Args:
        film: The film.
        source: The clip it was dreamt from; None: report only on the film itself.
        output: The page; None: named after ``film``.
        excerpt: The part of the source that the film shows.
        embed: How films are embedded.
        seconds: Time each frame took to dream; default: from a kept job.
        command: The words of the command that has just made the film.
        overwrite: Whether to replace an existing page.
        on_progress: Called with each step of progress.

    Returns:
        The path of the page.

    Raises:
        MediaError: A file is not a film.
        UsageError: The output cannot be written.
    """
    film = Path(film)
    source = Path(source) if source is not None else None
    output = Path(output) if output is not None else report_path(film)
    check_report(output, overwrite, film, source)
    opened = open_film_pair(film, source, excerpt)
    took = seconds or read_seconds(film)
    seen = review(opened, embed=embed, seconds=took, on_progress=on_progress)
    recipe = read_recipe(seen.film, seen.source, excerpt, command)
    with replace_atomically(output) as part:
        part.write_text(render_html(_make_page(seen, recipe)), encoding="utf-8")
    return output


def _make_page(seen: Review, recipe: Recipe) -> Page:
    film, source = seen.film, seen.source
    made_from = f" Dreamt from {source.path.name}." if source is not None else ""
    figures = make_figure_rows(seen)
    if recipe.why_not:
        figures.append(("recipe", recipe.why_not))
    return Page(
        title=film.path.name,
        subtitle=f"{list_facts(film, len(seen.times))}.{made_from}",
        times=seen.times,
        seconds=find_length(seen),
        ratio=find_aspect(film),
        left=Player("source", seen.source_clip) if seen.source_clip else None,
        right=Player("film", seen.film_clip) if seen.film_clip else None,
        sound=bool(film.audio),
        cards=_make_cards(seen),
        cuts=[seen.times[cut] for cut in seen.cuts],
        panels=make_panels(seen),
        curves_note=describe_curves(seen),
        worst=[Picture(moment.still, moment.why) for moment in seen.worst],
        sheets=[("Contact sheet", [Picture(still) for still in seen.sheet])],
        rows=figures,
        recipes=list_recipes(recipe),
        machine=describe_machine(("film dreamt by", f"dreamvideo {recipe.version}"))
        if recipe.version
        else describe_machine(),
        notes=seen.notes,
    )


def make_figure_rows(seen: Review) -> list[tuple[str, str]]:
    """Return (name, value) of every metric that there is, in reading order."""
    found = make_rows(seen.figures) if seen.figures else []
    named = [("frames measured" if name == "frames" else name, value) for name, value in found]
    if seen.figures is None:
        for name in ("brightness", "saturation"):
            known = [value for value in seen.series[name] if value is not None]
            named.append((f"{name}, mean", f"{sum(known) / len(known):.3g}"))
    took = [value for value in seen.series["seconds"] if value is not None]
    if took:
        words = f"{median(took):.3g} s usually, {sum(took):.4g} s in all"
        named.append(("time a frame", words))
    return named


def list_facts(film: MediaInfo, frames: int) -> str:
    """Describe a film in one line."""
    rate = f"{format_count(float(film.rate), 'frame')} a second"
    return f"{film.width} x {film.height}, {rate}, {format_count(frames, 'frame')}, {film.codec}"


def find_length(seen: Review) -> float:
    """Return the end of the last frame, in seconds of the embedded film."""
    last = 1 / float(seen.film.rate)
    if len(seen.times) > 1:
        last = min(last, seen.times[-1] - seen.times[-2])
    return round(seen.times[-1] + last, 6)


def find_aspect(film: MediaInfo) -> float:
    """Return width over height as displayed."""
    return film.width * float(film.sample_aspect) / film.height


def describe_curves(seen: Review) -> str:
    """Describe what was measured, and at which size."""
    width, height = seen.measured
    cuts = len(seen.cuts)
    scenes = f" Dashed: where a new scene starts ({cuts})." if cuts else " No scene cut was found."
    return (
        f"Every frame was measured, at {width} x {height}; pixels count from -1 to 1.{scenes} "
        "A click goes there."
    )


def make_panels(seen: Review) -> list[Panel]:
    """Return the curves of one film."""
    series = seen.series
    took = series["seconds"]
    time = Panel(
        "Time a frame",
        "Seconds from frame to frame; the first of a run also loads the network."
        if took
        else UNKNOWN_TIMES,
        (Line("film", took),) if took else (),
        capped=True,
    )
    if seen.source is None:
        return [
            Panel("Brightness", "Mean of all pixels.", (Line("film", series["brightness"]),)),
            Panel(
                "Saturation",
                "Largest less smallest channel, mean of all pixels.",
                (Line("film", series["saturation"]),),
            ),
            time,
        ]
    own = (Line("film", series["error"]), Line("source", series["source_error"]))
    return [
        Panel(
            "Strength",
            "How far the film is from its source: root of the mean square.",
            (Line("film", series["strength"]),),
        ),
        Panel(
            "Coherence",
            "Warping error: what changes from a frame to the next apart from the source's motion. "
            "Less is calmer; the source's own is what no dream can go below by much.",
            own,
            capped=True,
        ),
        Panel(
            "Brightness",
            "The film's mean less the source's: 0 is as bright.",
            (Line("film", series["brightness"]),),
        ),
        Panel(
            "Saturation",
            "The film's less the source's: 0 is as colourful.",
            (Line("film", series["saturation"]),),
        ),
        time,
    ]


def list_recipes(recipe: Recipe, name: str = "") -> list[tuple[str, str]]:
    """Return (title, text) of everything to copy."""
    of = f" of {name}" if name else ""
    found = []
    if recipe.command:
        found.append(("The command that made it", recipe.command))
    if recipe.again:
        found.append((f"Commands that make such a film again{of}", "\n".join(recipe.again)))
    if recipe.toml:
        found.append((f"The look{of}, as a preset", recipe.toml))
    return found


def describe_machine(*before: Row) -> list[Row]:
    """Describe the machine and versions that made this page."""
    found = describe()
    rest = [
        ("processor", f"{found['processor']}, {format_count(found['cores'], 'core')}"),
        ("memory", f"{found['memory'] / 2**30:.1f} GiB"),
        ("system", found["system"]),
    ]
    return [
        *before,
        *rest,
        *((f"{k} here", v) for k, v in list_versions().items() if k != "machine"),
    ]


def _make_cards(seen: Review) -> list[Row]:
    found: list[Row] = []
    figures = seen.figures
    if figures is not None:
        found.append(("Strength", f"{figures.strength:.3g}", "0: the source itself"))
        if figures.flicker is not None:
            small = f"{figures.flicker.film:.2g} against {figures.flicker.source:.2g}"
            error = f"{figures.flicker.ratio:.3g} x source"
            found.append(("Warping error", error, small))
        if figures.trail is not None:
            found.append(("Trail", f"{figures.trail:.2g}", "0: none behind moving things"))
    took = [value for value in seen.series["seconds"] if value is not None]
    if took:
        whole = f"{sum(took):.3g} s in all"
        found.append(("Time a frame", f"{median(took):.2g} s", f"usually; {whole}"))
    found.append(("Scene cuts", str(len(seen.cuts)), "found in the measured frames"))
    return found
