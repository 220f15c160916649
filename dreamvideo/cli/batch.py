"""Many inputs of one command: an output for each, checked before any work, then one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.common import complain, parse_output, say
from dreamvideo.errors import DreamVideoError, UsageError, leave, left

NAME = "{name}"
SKIP = "--skip-existing"
SkipExisting = Annotated[
    bool,
    typer.Option(SKIP, help="Leave outputs that exist as they are, and dream only the others."),
]
Outputs = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="Output file; for several inputs a folder, or a name with {name} in it, which is the "
        "input's own without its extension: dreams/{name}.webm.",
        metavar="PATH",
        show_default="next to the input",
    ),
]


@dataclass(frozen=True)
class Task:
    """An input and what it becomes."""

    source: Path
    output: Path


@dataclass(frozen=True)
class Batch:
    """All inputs of a command, and how it deals with them.

    Attributes:
        tasks: Inputs and outputs.
        many: Whether they were given as several, so that one that fails does not stop the others.
        skip_existing: Whether to leave out those whose output exists.
        quiet: Whether to print errors only.
        dry: Whether nothing is going to be dreamt.
    """

    tasks: Sequence[Task]
    many: bool
    skip_existing: bool
    quiet: bool
    dry: bool = False


def is_batch(inputs: Sequence[Path], output: str | None) -> bool:
    """Return whether inputs get files named after them: there are several, or a ``{name}``."""
    return len(inputs) > 1 or (output is not None and NAME in output)


def plan_tasks(
    inputs: Sequence[Path], output: str | None, default: Callable[[Path], Path]
) -> list[Task]:
    """Give every input an output.

    Args:
        inputs: The inputs.
        output: As given: a file for one input; a folder, or a name with ``{name}`` in it, for
            several; None: next to each input.
        default: Names the output next to an input.

    Raises:
        UsageError: The output names nothing, or one file for several inputs.
    """
    if output is None:
        return _apart([Task(source, default(source)) for source in inputs])
    if NAME in output:
        return _apart(
            [
                Task(source, parse_output(output.replace(NAME, source.stem or "input")))
                for source in inputs
            ]
        )
    if len(inputs) == 1:
        return [Task(inputs[0], parse_output(output))]
    if not output.strip() or output == "-":
        raise UsageError(f"--output {output!r}: give a folder for {len(inputs)} inputs")
    folder = Path(output)
    if folder.suffix and not folder.is_dir():
        raise UsageError(
            f"{folder}: is one file for {len(inputs)} inputs; give a folder, or a name with "
            f"{NAME} in it: dreams/{NAME}{folder.suffix}"
        )
    return _apart([Task(source, folder / default(source).name) for source in inputs])


def _apart(tasks: list[Task]) -> list[Task]:
    """Return the tasks, unless two of them would write the same file. Raises UsageError."""
    made: dict[Path, Path] = {}
    for task in tasks:
        before = made.setdefault(task.output.resolve(), task.source)
        if before is not task.source:
            both = f"{before} and {task.source} give"
            if before == task.source:
                both = f"{before} is given twice, for"
            raise UsageError(f"{both} the same output, {task.output}")
    return tasks


def run_batch(batch: Batch, check: Callable[[Task], None], dream: Callable[[Task], None]) -> None:
    """Dream one input after another, with networks loaded once.

    An input that fails is reported, and the rest are dreamt all the same.

    Args:
        batch: The inputs.
        check: Raises UsageError for an output that cannot or must not be written; called for all
            outputs before the first dream.
        dream: Dreams one input.

    Raises:
        UsageError: An output cannot be written; nothing was dreamt.
        DreamVideoError: Inputs failed; for several the message lists them.
        Interrupted: This process was asked to stop; the error says how many are done.
    """
    tasks = list(batch.tasks)
    if batch.skip_existing:
        for task in batch.tasks:
            if task.output.exists():
                say(batch.quiet, f"{task.output}: exists, skipped")
                tasks.remove(task)
    if not batch.many:
        for task in tasks:
            dream(task)
        return
    from dreamvideo.render.frames.planner import keep_dreamers

    replaces = any(task.output.exists() for task in tasks)
    _check_all(tasks, check, batch.dry)
    failed: list[Task] = []
    with keep_dreamers():
        for number, task in enumerate(tasks, 1):
            if not batch.quiet:
                print(f"{number}/{len(tasks)} {task.source}", file=sys.stderr, flush=True)
            try:
                dream(task)
            except DreamVideoError as error:
                failed.append(task)
                complain(f"{error}; {left(error)}" if left(error) else str(error))
            except BaseException as error:
                done = f"{number - 1 - len(failed)} of {len(tasks)} are done"
                # What is to be replaced exists, dreamt or not.
                skip = [] if replaces else [SKIP]
                leave(error, f"{done}, {left(error)}" if left(error) else done, *skip)
                raise
    if failed:
        names = ", ".join(str(task.source) for task in failed)
        raise DreamVideoError(f"{len(failed)} of {len(tasks)} failed: {names}")


def _check_all(tasks: Sequence[Task], check: Callable[[Task], None], dry: bool) -> None:
    """Check all outputs; a folder for them is made, and stays only if all can be written.

    Args:
        tasks: The inputs and outputs.
        check: Raises UsageError for an output that cannot or must not be written.
        dry: Whether nothing is going to be dreamt, so that no folder stays.
    """
    made: list[Path] = []
    try:
        for folder in dict.fromkeys(task.output.absolute().parent for task in tasks):
            if not folder.exists() and folder.parent.is_dir():
                with suppress(OSError):
                    folder.mkdir()
                    made.append(folder)
        for task in tasks:
            check(task)
    except BaseException:
        dry = True
        raise
    finally:
        for folder in made if dry else ():
            with suppress(OSError):
                folder.rmdir()
