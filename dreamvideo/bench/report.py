"""A bench's report -> tables: ratios first, then what they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreamvideo.bench.farm_tables import farms
from dreamvideo.bench.profile import profiles
from dreamvideo.bench.statistics import Spread, ratio
from dreamvideo.bench.workers import BRIEF, FORMS, OURS

LABELS = {form.name: form.label for form in FORMS}
Report = dict[str, Any]
Cell = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of as many texts."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(report: Report) -> list[Table]:
    """Every table of a report, in reading order; those without rows are left out."""
    made = [
        *step_ratios(report),
        whole_ratios(report),
        *step_times(report),
        shares_of_peak(report),
        *(Table(*each) for each in profiles(report.get("steps", {}).get("profile", []), LABELS)),
        all_cores(report),
        film(report),
        *(Table(*each) for each in farms(report.get("farm", {}))),
        growth(report),
        agreement(report),
        machine(report),
    ]
    return [table for table in made if table.rows]


def markdown(report: Report) -> str:
    """The tables and notes as Markdown."""
    lines = []
    for table in tables(report):
        lines += [f"**{table.title}**", "", _row(table.heads), _row(["---"] * len(table.heads))]
        lines += [*map(_row, table.rows), ""]
    return "\n".join([*lines, *(f"- {note}" for note in report["notes"])])


def _row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def cells_of(report: Report) -> list[Cell]:
    """The cells in which ours was timed."""
    cells: list[Cell] = report.get("steps", {}).get("cells", [])
    return [cell for cell in cells if OURS.name in cell["forms"]]


def ratio_in(cell: Cell, above: str) -> Spread | None:
    """A form's time over ours in a cell; None where it was not timed."""
    forms = cell["forms"]
    if above not in forms:
        return None
    # A form that failed in the middle has fewer rounds.
    pairs = list(zip(forms[above]["rounds"], forms[OURS.name]["rounds"], strict=False))
    return ratio([a for a, _ in pairs], [b for _, b in pairs])


def best_torch(cell: Cell) -> str | None:
    """The fastest of torch's forms in a cell."""
    names = [name for name in cell["forms"] if name.startswith("torch")]
    return min(names, key=lambda name: float(cell["forms"][name]["median"]), default=None)


def by_size(report: Report) -> Iterator[tuple[str, list[Cell], list[str]]]:
    """(title, cells, forms) of every network and number of threads."""
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells_of(report):
        groups.setdefault((cell["network"], cell["threads"]), []).append(cell)
    for (network, threads), cells in groups.items():
        title = f"{network}, {threads} {'thread' if threads == 1 else 'threads'}"
        known = [name for name in LABELS if any(name in cell["forms"] for cell in cells)]
        yield title, cells, known


def step_ratios(report: Report) -> list[Table]:
    """How many times as long as ours each form's step takes."""
    made = []
    for title, cells, forms in by_size(report):
        rows = [
            (LABELS[name], *(_spread(ratio_in(cell, name)) for cell in cells))
            for name in forms
            if name != OURS.name
        ]
        best = [name and ratio_in(cell, name) for cell in cells for name in [best_torch(cell)]]
        if any(best):
            rows.append(("best PyTorch form", *(_spread(each or None) for each in best)))
        heads = ("its step / ours", *map(_size, cells))
        made.append(Table(f"{title}: how many times as long as ours", heads, tuple(rows)))
    return made


def whole_ratios(report: Report) -> Table:
    """Ratios that are not of single steps."""
    return Table(
        "Ratios of films and of all cores", ("what", "ratio", "quartiles"), tuple(_whole(report))
    )


def _whole(report: Report) -> Iterator[tuple[str, str, str]]:
    for found in report.get("cores", {}).get("steps", []):
        if "ratio" in found:
            spread = f"{found['ratio low']:.2f} to {found['ratio high']:.2f}"
            what = f"{found['network']}, all cores, steps a second: ours / best PyTorch form"
            yield what, f"{found['ratio']:.2f}", spread
    segments = report.get("cores", {}).get("film", {})
    for name, other in (
        ("engine ratio", "the same, were its steps the best PyTorch form's"),
        ("ratio", "the best PyTorch form, were steps all it had to do"),
    ):
        if name in segments:
            what = f"all cores, frames a second: our film in segments / {other}"
            yield what, f"{segments[name]:.2f}", ""
    film = report.get("film", {})
    if film:
        cost = film["coherent / independent"]
        spread = f"{cost['low']:.2f} to {cost['high']:.2f}"
        flicker = f", X {film['X']:.2f}" if film.get("X") is not None else ""
        yield f"coherent / independent film, time a frame{flicker}", f"{cost['ratio']:.2f}", spread
        memory = film["memory"]
        if memory["ratio"]:
            few, many = memory["frames"]
            yield f"peak memory, {many} / {few} frames", f"{memory['ratio']:.3f}", ""


def step_times(report: Report) -> list[Table]:
    """Milliseconds a step, and the peak memory after the largest size."""
    made = []
    for title, cells, forms in by_size(report):
        rows = [
            (
                LABELS[name],
                *(_milliseconds(cell["forms"].get(name)) for cell in cells),
                _gigabytes(cells[-1]["forms"].get(name)),
            )
            for name in forms
        ]
        heads = ("form", *map(_size, cells), "peak GB")
        made.append(Table(f"{title}: milliseconds a step (quartiles)", heads, tuple(rows)))
    return made


def shares_of_peak(report: Report) -> Table:
    """Shares of one core's peak that the forms reach with one thread."""
    peak = report.get("steps", {}).get("peak")
    work = {(f["network"], f["height"], f["width"]): f["flops"] for f in report["flops"]}
    rows = []
    for cell in cells_of(report):
        if cell["threads"] != 1 or peak is None:
            continue
        flops = work[cell["network"], cell["height"], cell["width"]]
        for name in filter(None, (OURS.name, BRIEF.name, "reference", best_torch(cell))):
            if name in cell["forms"]:
                rate = flops / (cell["forms"][name]["median"] / 1000)
                rows.append(
                    (
                        cell["network"],
                        _size(cell),
                        LABELS[name],
                        f"{flops / 1e9:.3g}",
                        f"{rate / 1e9:.3g}",
                        f"{rate / peak['flops']:.2f}",
                    )
                )
    title = "Share of one core's peak"
    if peak is not None:
        title += f" of {peak['flops'] / 1e9:.4g} GFLOP/s ({peak['method']})"
    heads = ("network", "size", "form", "GFLOP a step", "GFLOP/s", "share")
    return Table(title, heads, tuple(rows))


def all_cores(report: Report) -> Table:
    """Steps a second of all cores, and frames a second of a film by its workers."""
    found = report.get("cores", {})
    rows = [
        (each["network"], _labelled(name), f"{rate['median']:.3g}", _quartiles(rate))
        for each in found.get("steps", [])
        for name, rate in each["rates"].items()
    ]
    rows += [
        ("a film", f"dreamvideo --workers {name}", f"{rate['median']:.3g}", _quartiles(rate))
        for name, rate in found.get("film", {}).get("workers", {}).items()
    ]
    heads = ("network", "how", "steps or frames a second", "quartiles")
    title = f"All {found.get('cores', '')} cores at {_size(found) if found else ''}"
    return Table(title, heads, tuple(rows))


def film(report: Report) -> Table:
    """A film's pace, and where its time goes."""
    found = report.get("film")
    if not found:
        return Table("", (), ())
    cost = found["coherent / independent"]
    rows = [
        ("time to the first frame", f"{found['first frame']['median']:.2f} s"),
        ("frames a minute, start to end", f"{found['frames a minute']:.1f}"),
        ("frames a minute, once started", f"{found['frames a minute once begun']:.1f}"),
        ("a coherent frame", f"{cost['coherent seconds a frame']:.3g} s"),
        ("an independent frame", f"{cost['independent seconds a frame']:.3g} s"),
        ("gradient steps of full size a frame", f"{found['steps a frame']:.2f}"),
        ("peak memory", f"{found['peak memory'] / 1e9:.2f} GB"),
        *((f"share of {stage}", f"{share:.1%}") for stage, share in found["stages"].items()),
    ]
    title = f"A coherent film of {found['frames']} frames, {_size(found)}"
    return Table(title, ("what", "figure"), tuple(rows))


def growth(report: Report) -> Table:
    """k of cost ~ size^k."""
    rows = [
        (
            f"with {name}",
            f"{found['exponent']:.2f}",
            ", ".join(
                f"{n:g}: {s:.3g} s" for n, s in zip(found["sizes"], found["seconds"], strict=True)
            ),
        )
        for name, found in report.get("growth", {}).items()
    ]
    return Table("How the cost grows", ("", "exponent", "cost"), tuple(rows))


def agreement(report: Report) -> Table:
    """Whether all forms take the same step."""
    rows = [
        (each["network"], LABELS[each["form"]], f"{each['cosine']:.6f}", f"{each['distance']:.1e}")
        for each in report.get("steps", {}).get("agreement", [])
    ]
    heads = ("network", "form", "cosine", "relative distance")
    return Table("The same step as ours", heads, tuple(rows))


def machine(report: Report) -> Table:
    """What it ran on."""
    found = dict(report["machine"])
    found["memory"] = f"{found['memory'] / 2**30:.1f} GiB" if found["memory"] else ""
    found["flags"] = " ".join(found["flags"])
    found["environment"] = " ".join(f"{k}={v}" for k, v in found["environment"].items())
    found |= report.get("steps", {}).get("versions", {})
    rows = [(name, str(value)) for name, value in found.items() if value not in ("", None)]
    return Table("Machine and versions", ("", ""), tuple(rows))


def _labelled(name: str) -> str:
    form, _, way = name.partition(", ")
    return f"{LABELS[form]}, {way}"


def _quartiles(rate: dict[str, float]) -> str:
    return f"{rate['low']:.3g} to {rate['high']:.3g}"


def _spread(spread: Spread | None) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})" if spread else ""


def _milliseconds(form: dict[str, Any] | None) -> str:
    return f"{form['median']:.4g} ({form['low']:.4g} to {form['high']:.4g})" if form else ""


def _gigabytes(form: dict[str, Any] | None) -> str:
    return f"{form['memory'] / 1e9:.2f}" if form and form["memory"] else ""


def _size(cell: Cell) -> str:
    return f"{cell['width']} x {cell['height']}"
