"""Parameters that several commands share, and printing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamvideo.cli.options import option
from dreamvideo.errors import UsageError
from dreamvideo.settings.machine import MachineSettings, make_machine


def parse_output(name: str) -> Path:
    """Return the path of one output file. Raises UsageError for a name that names none."""
    if not name.strip():
        raise UsageError("--output is empty: give the name of a file")
    if name == "-":
        raise UsageError("--output -: only 'dreamvideo video' writes to standard output")
    if name.strip() in (".", "..", "./", "../", "/"):
        raise UsageError(f"--output {name}: is a folder; give the name of a file")
    return Path(name)


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Output file.",
        show_default="next to the input",
        parser=parse_output,
        metavar="PATH",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", "-y", help="Replace an output that exists.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing unless it fails.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        help="Size of the result: 640x360, 640 (width), x360 (height) or 50%. Less: faster.",
        show_default="the input's",
    ),
]
# Wider than any row: where nothing wraps lines, neither do we.
WIDEST_LINE = 10_000
_RESUMING = "Resuming"
Restart = Annotated[
    bool,
    typer.Option(
        "--restart",
        help="Discard the existing job and start over.",
        rich_help_panel=_RESUMING,
    ),
]
KeepJob = Annotated[
    bool,
    typer.Option(
        "--keep-job",
        help="Keep the folder OUTPUT.dreamjob, with its frames, when the film is complete.",
        rich_help_panel=_RESUMING,
    ),
]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial",
        help="Dream nothing; make a film of the frames that an interrupted or a running render has "
        "finished so far, next to the output: film.partial.mp4.",
        rich_help_panel=_RESUMING,
    ),
]


def machine_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each of these fields of ``MachineSettings``; no names: for all.

    The command is called with ``machine``, made from the options, instead.
    """
    fields = [i for i in MachineSettings.model_fields.items() if not names or i[0] in names]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for name, p in own.parameters.items() if name != "machine"]
        made = [option("machine", *item) for item in fields]

        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name, _ in fields}
            command(machine=make_machine(**given), **values)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([*kept, *made])  # type: ignore[attr-defined]
        return run

    return decorate


def print_table(rows: Sequence[Sequence[str]], heads: Sequence[str] = ()) -> None:
    """Print rows of cells as aligned columns.

    On a terminal a cell that is too long continues below itself; elsewhere a row is a line, so that
    it can be searched.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=None, show_header=bool(heads), pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=None if sys.stdout.isatty() else WIDEST_LINE, color_system=None)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def say(quiet: bool, *lines: str) -> None:
    """Print these lines, unless ``quiet``."""
    if not quiet:
        for line in lines:
            print(line)


def complain(message: str) -> None:
    """Print one line about an error to stderr, whatever is in it."""
    print(f"dreamvideo: {_make_printable(message)}", file=sys.stderr)


def _make_printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def note(quiet: bool, notes: Sequence[str]) -> None:
    """Print notes to stderr, one line each, unless ``quiet``."""
    if not quiet:
        for line in notes:
            print(f"note: {_make_printable(line)}", file=sys.stderr)
