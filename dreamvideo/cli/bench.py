"""``bench``: our speed compared with other frameworks, as tables, Markdown or JSON."""

from __future__ import annotations

import json
import math
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamvideo.cli.app import Debug, Quiet, app
from dreamvideo.cli.inspect import Json


class Section(str, Enum):
    """Parts of the benchmark."""

    steps = "steps"
    cores = "cores"
    film = "film"
    curve = "curve"


class Network(str, Enum):
    """Networks that the benchmark has in every framework."""

    lite0 = "efficientnet-lite0"
    inception = "inception-v3"


@app.command()
def bench(
    *,
    only: Annotated[
        list[Section] | None,
        typer.Option(
            "--only",
            help="Measure only this; may be repeated. curve: time against quality at five points, "
            "from full dream size to --fast.",
            show_default="steps, cores, film; with --full also curve",
        ),
    ] = None,
    network: Annotated[
        list[Network] | None,
        typer.Option("--network", help="Only this network; may be repeated.", show_default="all"),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            help="Only steps of this size, for example 640x360; may be repeated. Also that of the "
            "curve's films (the largest).",
            show_default="640x360, with --full also 375x225 and 1280x720; curve: 1280x720",
        ),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            "--threads",
            min=1,
            help="Only steps with this many threads; may be repeated.",
            show_default="1, and one per core",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds", min=1, help="How many interleaved rounds to time.", show_default="5"
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One size and few rounds: a minute or two.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="All sizes, more rounds, torch.compile: half an hour or more."),
    ] = False,
    clip: Annotated[
        Path | None,
        typer.Option("--clip", help="A clip to render.", show_default="a synthetic one"),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames", min=4, help="How many frames to render.", show_default="36; curve: 12"
        ),
    ] = None,
    torch_python: Annotated[
        Path | None,
        typer.Option(
            "--torch-python",
            help="A Python interpreter that has torch, to compare with.",
            show_default="this one, if it has it",
        ),
    ] = None,
    send_in: Annotated[
        bool,
        typer.Option(
            "--send-in",
            help="Print lines to send in about this machine's GPU and TensorFlow; with a GPU they "
            "are always printed.",
        ),
    ] = False,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    again: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Print the report from this JSON file; measure nothing.",
            show_default="none",
        ),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Time our step and film, interleaved with the reference and PyTorch, on this machine."""
    from dreamvideo.bench import report as reports
    from dreamvideo.bench.plan import Plan, make_full_plan, make_quick_plan
    from dreamvideo.bench.run import run

    if again is not None:
        found = _read(again)
    else:
        given = {
            "sections": only and tuple(each.value for each in dict.fromkeys(only)),
            "networks": network and tuple(each.value for each in dict.fromkeys(network)),
            "sizes": size and tuple(sorted({_size(text) for text in size})),
            "threads": threads and tuple(sorted(set(threads))),
            "rounds": rounds,
            "clip": clip,
            "frames": frames,
            "curve_frames": frames,
            "curve_size": size and max(map(_size, size), key=math.prod),
            "torch": torch_python and str(torch_python),
            "describe_gpu": send_in,
        }
        made = make_full_plan if full else make_quick_plan if quick else Plan
        plan = made(**_check_files({name: value for name, value in given.items() if value}))
        found = run(plan, lambda line: None if quiet else print(line, file=sys.stderr))
    if as_json:
        print(json.dumps(found, indent=2))
    elif as_markdown:
        print(reports.make_markdown(found))
    else:
        _show(found)


def _check_files(given: dict[str, Any]) -> dict[str, Any]:
    """Return the given options after checking that the files they name exist."""
    from dreamvideo.errors import UsageError

    for name in ("clip", "torch"):
        if name in given and not Path(given[name]).exists():
            raise UsageError(f"{given[name]}: no such file")
    return given


def _size(text: str) -> tuple[int, int]:
    """Return (height, width) of a size for the benchmark, which needs both sides."""
    from dreamvideo.errors import UsageError

    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 96):
        raise UsageError(f"--size {text}: give both sides, 96 pixels or more, for example 640x360")
    return int(height), int(width)


def _read(path: Path) -> dict[str, Any]:
    from dreamvideo.bench.run import SCHEMA
    from dreamvideo.errors import DreamVideoError

    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DreamVideoError(f"{path} is not JSON: give the output of `bench --json`") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise DreamVideoError(f"{path} is not a report of this version's `bench --json`")
    return found


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from dreamvideo.bench import gpu
    from dreamvideo.bench import report as reports

    console = Console()
    for table in reports.make_tables(found):
        shown = Table(*table.heads, title=table.title, title_justify="left")
        shown.caption, shown.caption_justify = table.caption or None, "left"
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    if "gpus" in found:
        print(f"{gpu.HEADING}:\n")
        print(*gpu.list_lines(found), sep="\n", end="\n\n")
    for note in found["notes"]:
        console.print(f"note: {note}", highlight=False, markup=False)
