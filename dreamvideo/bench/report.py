"""A report of the benchmark as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from dreamvideo.bench.curve import DEFAULTS
from dreamvideo.bench.gpu import HEADING, list_lines
from dreamvideo.bench.plan import BUNDLED_NETWORK, KNOWN_PROGRAMS, OURS

Report = dict[str, Any]
STEP_CAPTION = (
    "time / ours: how many times as long as dreamvideo takes, and the quartiles of all rounds. "
    "difference: of the step's result from dreamvideo's, relative."
)
FILM_CAPTION = "Stages run in parallel, so their shares of the time can exceed 100 % together."
CURVE_HEADS = (
    *("options", "dreamt at", "precision", "time a frame", "time / defaults"),
    *("X", "contrast", "luma", "chroma", "sharpness"),
)
CURVE_CAPTION = (
    "X: flicker beyond the source's own, 0 to 1 for frames dreamt alone. contrast, luma, chroma: "
    "the dream's fine detail and its four bands from fine to coarse, relative to frames dreamt "
    "alone at full size. sharpness: deviation of the Laplacian of luma, relative to the first row."
)
Rows = Iterator[tuple[str, ...]]


@dataclass(frozen=True)
class Table:
    """A title, the column heads, rows of as many cells, and an explanation."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Ratio:
    """A ratio and its quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def make_ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Return the ratio of two medians, with the quartiles of the ratios round by round.

    Both are in the order of the rounds: a disturbance during a round affects both.
    """
    low, high = np.quantile([a / b for a, b in zip(above, below, strict=True)], (0.25, 0.75))
    return Ratio(median(above) / median(below), float(low), float(high))


def make_tables(report: Report) -> list[Table]:
    """Return all tables of a report."""
    tables = [make_step_table(comparison) for comparison in report["steps"]]
    film = report.get("film")
    if film:
        title = f"A film of {film['frames']} frames of {film['width']} x {film['height']}"
        rows = tuple(list_film_rows(report))
        tables.append(Table(title, ("measurement", "result"), rows, FILM_CAPTION))
    rates = report.get("cores", {})
    rows = tuple((way, f"{median(each):.2f}") for way, each in rates.items())
    tables.append(Table("A film of several shots", ("rendered by", "frames per second"), rows))
    if "curve" in report:
        tables.append(make_curve_table(report["curve"]))
    tables.append(Table("Machine and versions", ("name", "value"), tuple(list_machine(report))))
    return [table for table in tables if table.rows]


def make_markdown(report: Report) -> str:
    """Return the tables and notes as Markdown."""
    lines = []
    for table in make_tables(report):
        rows = [table.heads, ["---"] * len(table.heads), *table.rows]
        lines += [f"**{table.title}**", "", *map(_make_markdown_row, rows), ""]
        lines += [table.caption, ""] if table.caption else []
    if "gpus" in report:
        lines += [f"**{HEADING}**", "", "```", *list_lines(report), "```", ""]
    return "\n".join([*lines, *(f"- {note}" for note in report["notes"])])


def _make_markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def make_step_table(comparison: dict[str, Any]) -> Table:
    """Compare the steps of all programs at one size."""
    threads, timings = comparison["threads"], comparison["timings"]
    rows = []
    for name, timing in timings.items():
        relative = "1"
        if name != OURS:
            relative = str(compare_steps(timings, name)) if OURS in timings else ""
        rows.append(
            (
                KNOWN_PROGRAMS[name].label,
                relative,
                f"{median(timing['milliseconds']):.4g} ms",
                f"{timing['memory'] / 1e9:.2f} GB" if timing["memory"] else "",
                f"{timing['difference']:.1e}" if timing["difference"] else "",
            )
        )
    size = f"{comparison['width']} x {comparison['height']}"
    title = f"A gradient step: {comparison['network']}, {size}, {threads} thread"
    heads = ("program", "time / ours", "time", "memory", "difference")
    return Table(title + ("s" if threads > 1 else ""), heads, tuple(rows), STEP_CAPTION)


def compare_steps(timings: dict[str, Any], name: str) -> Ratio:
    """Return how many times as long as ours a program's step takes."""
    return make_ratio(timings[name]["milliseconds"], timings[OURS]["milliseconds"])


def list_film_rows(report: Report) -> Rows:
    """Yield (measurement, result) of a film."""
    film = report["film"]
    paces = film["seconds per frame"]
    cost = str(make_ratio(paces["coherent"], paces["independent"]))
    yield "from the start of the program to the first frame", f"{film['first frame']:.1f} s"
    yield "frames per minute, start and encoding included", f"{film['frames per minute']:.0f}"
    yield "time for a coherent frame", f"{median(paces['coherent']):.3g} s"
    yield "time for a frame dreamt independently", f"{median(paces['independent']):.3g} s"
    yield "coherent frame / independent frame", cost
    yield "peak memory", f"{film['memory'] / 1e9:.2f} GB"
    (few, before), (many, after) = film["memory by frames"]
    if before:
        yield f"peak memory of {many} small frames / of {few}", f"{after / before:.2f}"
    for stage, share in film["stages"].items():
        yield f"share of the time: {stage}", f"{share:.0%}"
    size = (BUNDLED_NETWORK, film["height"], film["width"], report["machine"]["cores"])
    for each in report["steps"]:
        timings = each["timings"]
        torch = [name for name in timings if name.startswith("torch")]
        at = (each["network"], each["height"], each["width"], each["threads"])
        if at == size and OURS in timings and torch:
            slower = min(compare_steps(timings, name).median for name in torch)
            time = 1 + film["stages"]["dream"] * (slower - 1)
            yield "the film with PyTorch's fastest step / ours (computed)", f"{time:.2f}"


def make_curve_table(curve: dict[str, Any]) -> Table:
    """Compare the points of the curve of time against quality."""
    paces = {point["options"]: point["seconds per frame"] for point in curve["points"]}
    rows = []
    for point in curve["points"]:
        name = point["options"]
        rows.append(
            (
                name,
                "x".join(map(str, point["dream size"])),
                point["precision"],
                f"{median(paces[name]):.3g} s",
                "1" if name == DEFAULTS else str(make_ratio(paces[name], paces[DEFAULTS])),
                *(_format_ratio(point[key]) for key in ("x", "contrast")),
                *(" ".join(map(_format_ratio, point[key])) for key in ("luma", "chroma")),
                _format_ratio(point["sharpness"]),
            )
        )
    title = (
        f"Time against quality: {curve['frames']} frames of {curve['width']} x {curve['height']}"
    )
    return Table(title, CURVE_HEADS, tuple(rows), CURVE_CAPTION)


def _format_ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def list_machine(report: Report) -> Rows:
    """Yield (name, value) of the machine and the versions."""
    found = dict(report["machine"])
    found["memory"] = f"{found['memory'] / 2**30:.1f} GiB" if found["memory"] else ""
    found["flags"] = " ".join(found["flags"])
    found["environment"] = " ".join(f"{k}={v}" for k, v in found["environment"].items())
    found |= report["versions"]
    yield from ((name, str(value)) for name, value in found.items() if value not in ("", None))
