"""Compare two films, with their source if known: as one page, or as plain values."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamvideo.media.paths import replace_atomically
from dreamvideo.metrics.film_report import to_json
from dreamvideo.metrics.pairing import Excerpt, open_film_pair
from dreamvideo.render.progress import OnProgress, silent
from dreamvideo.report.film import (
    EMBED,
    WHOLE,
    check_report,
    describe_curves,
    describe_machine,
    find_aspect,
    find_length,
    list_facts,
    list_recipes,
    make_figure_rows,
    make_panels,
)
from dreamvideo.report.page import Line, Page, Panel, Picture, Player, Row, render_html
from dreamvideo.report.recipe import Difference, Recipe, find_differences, read_recipe, read_seconds
from dreamvideo.report.review import Review, review
from dreamvideo.report.stills import Still
from dreamvideo.settings.embed import Embed

_NONE = Embed(height=0)
_ANOTHER = 0.02


@dataclass(frozen=True)
class Comparison:
    """Two films, each compared with the source if there is one, and the second with the first."""

    one: Review
    other: Review
    between: Review | None
    recipes: tuple[Recipe, Recipe]
    differences: list[Difference]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str]:
        """Names of the two films: their file names, with the folders if these are equal."""
        a, b = self.one.film.path, self.other.film.path
        if a.name != b.name:
            return a.name, b.name
        return f"{a.absolute().parent.name}/{a.name}", f"{b.absolute().parent.name}/{b.name}"

    def to_json_able(self) -> dict[str, Any]:
        """Return all metrics as plain values; NaN becomes null."""
        films = [
            {
                "film": str(seen.film.path),
                "width": seen.film.width,
                "height": seen.film.height,
                "rate": str(seen.film.rate),
                "frames": len(seen.times),
                "measured": list(seen.measured),
                "figures": seen.figures.to_json_able() if seen.figures else None,
                "cuts": list(seen.cuts),
                "times": seen.times,
                "curves": seen.series,
                "recipe": recipe.toml or None,
            }
            for seen, recipe in zip((self.one, self.other), self.recipes, strict=True)
        ]
        between = None
        if self.between is not None:
            strengths = self.between.series["strength"]
            between = {"times": self.between.times, "strength": strengths}
        source = self.one.source
        found = {
            "source": str(source.path) if source else None,
            "films": films,
            "between": between,
            "differences": [{"setting": name, "a": a, "b": b} for name, a, b in self.differences],
            "notes": list(self.notes),
        }
        plain: dict[str, Any] = to_json(found)
        return plain


def compare_films(
    a: Path | str,
    b: Path | str,
    source: Path | str | None = None,
    *,
    excerpt: Excerpt = WHOLE,
    embed: Embed = EMBED,
    on_progress: OnProgress = silent,
) -> Comparison:
    """Measure two films of one source; without it, each on its own, and how they differ.

    Args:
        a: The first film.
        b: The second film.
        source: The clip that both were dreamt from.
        excerpt: The part of the source that they show.
        embed: How films are embedded.
        on_progress: Called with each step of progress.

    Raises:
        MediaError: A file is not a film.
        UsageError: The arguments make no sense.
    """
    paths = [Path(a), Path(b)]
    origin = Path(source) if source is not None else None
    opened = [open_film_pair(path, origin, excerpt) for path in paths]
    between = open_film_pair(paths[1], paths[0], WHOLE) if origin is None else None
    seen = [
        review(reel, embed=embed, seconds=read_seconds(path), on_progress=on_progress)
        for reel, path in zip(opened, paths, strict=True)
    ]
    apart = review(between, embed=_NONE, on_progress=on_progress) if between else None
    found = [read_recipe(reel.film, reel.source, excerpt) for reel in opened]
    notes = [
        f"{name}: {note}"
        for name, reviewed in zip("AB", seen, strict=True)
        for note in reviewed.notes
    ]
    if apart is not None:
        notes.append(
            "no source was given: strength, coherence and everything else that needs one are "
            "left out"
        )
    return Comparison(
        seen[0],
        seen[1],
        apart,
        (found[0], found[1]),
        find_differences(found[0], found[1]),
        (*notes, *_list_odd(seen[0], seen[1])),
    )


def write_comparison(found: Comparison, output: Path, *, overwrite: bool = False) -> Path:
    """Write the page of two films; returns its path.

    Args:
        found: The comparison.
        output: The page.
        overwrite: Whether to replace an existing page.

    Raises:
        UsageError: The page must not be written there.
        MediaError: The page cannot be written.
    """
    check_report(output, overwrite, found.one.film.path, found.other.film.path)
    with replace_atomically(output) as part:
        part.write_text(render_html(_make_page(found)), encoding="utf-8")
    return output


def _list_odd(one: Review, other: Review) -> list[str]:
    """List the ways in which the two films are not comparable."""
    found = []
    a, b = find_length(one), find_length(other)
    if abs(a - b) > max(1 / float(one.film.rate), 0.05):
        found.append(f"the films are of different length: A {a:.4g} s, B {b:.4g} s")
    if abs(one.film.rate / other.film.rate - 1) > 0.01:
        rates = f"A {float(one.film.rate):.4g}, B {float(other.film.rate):.4g}"
        found.append(f"the films have different rates: {rates} frames a second")
    if abs(find_aspect(one.film) / find_aspect(other.film) - 1) > _ANOTHER:
        found.append("the films have different shapes: B is shown in A's")
    return found


def _make_page(found: Comparison) -> Page:
    one, other = found.one, found.other
    a, b = found.names
    source = f" Both dreamt from {one.source.path.name}." if one.source else ""
    both = one.film_clip is not None and other.film_clip is not None
    return Page(
        title=f"A: {a} and B: {b}",
        subtitle=f"A: {list_facts(one.film, len(one.times))}. "
        f"B: {list_facts(other.film, len(other.times))}.{source}",
        times=one.times,
        seconds=max(find_length(one), find_length(other)),
        ratio=find_aspect(one.film),
        left=Player(f"A {a}", one.film_clip) if both and one.film_clip else None,
        right=Player(f"B {b}", other.film_clip) if both and other.film_clip else None,
        master="left",
        sound=bool(one.film.audio),
        cuts=[one.times[cut] for cut in one.cuts],
        panels=[*_measure_between(found), *_overlay(one, other)],
        curves_note=describe_curves(one),
        worst=[
            *(Picture(moment.still, f"A {moment.why}") for moment in one.worst),
            *(Picture(_at(found, moment.still), f"B {moment.why}") for moment in other.worst),
        ],
        sheets=[
            ("Contact sheet of A", [Picture(still) for still in one.sheet]),
            ("Contact sheet of B", [Picture(_at(found, still)) for still in other.sheet]),
        ],
        heads=("", f"A {a}", f"B {b}"),
        rows=_make_rows(one, other),
        differences=found.differences if all(r.look is not None for r in found.recipes) else None,
        recipes=[
            row
            for name, recipe in zip("AB", found.recipes, strict=True)
            for row in list_recipes(recipe, name)
        ],
        machine=describe_machine(),
        notes=[*found.notes, *_drop_sound(found.recipes)],
    )


def _at(found: Comparison, still: Still) -> Still:
    """Return a still of B with the number of the frame that A shows at its time."""
    moment = found.other.times[still.index]
    return replace(still, index=max(0, bisect_right(found.one.times, moment + 1e-4) - 1))


def _drop_sound(found: Sequence[Recipe]) -> list[str]:
    return [f"{name}: {r.why_not}" for name, r in zip("AB", found, strict=True) if r.why_not]


def _measure_between(found: Comparison) -> list[Panel]:
    if found.between is None:
        return []
    line = Line("B less A", found.between.series["strength"], found.between.times)
    return [Panel("Difference", "How far B is from A: root of the mean square.", (line,))]


def _overlay(one: Review, other: Review) -> list[Panel]:
    """Put both films' curves into the same panels."""
    made = []
    for ours, theirs in zip(make_panels(one), make_panels(other), strict=True):
        lines = tuple(
            Line(name, panel.lines[0].values, times)
            for name, panel, times in (("A", ours, None), ("B", theirs, other.times))
            if panel.lines
        )
        known = ours if ours.lines else theirs
        made.append(Panel(known.title, known.words, lines, known.capped))
    return made


def _make_rows(one: Review, other: Review) -> list[Row]:
    """Return the same metrics in two columns."""
    ours, theirs = dict(make_figure_rows(one)), dict(make_figure_rows(other))
    names = dict.fromkeys([*ours, *theirs])
    return [(name, ours.get(name, "-"), theirs.get(name, "-")) for name in names]
