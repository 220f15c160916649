"""``video`` with ``-`` as input or output: what cannot be combined with it, what is said."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dreamvideo.cli.batch import NAME
from dreamvideo.cli.common import note, parse_output
from dreamvideo.errors import DamagedError, UsageError
from dreamvideo.formatting import format_count

if TYPE_CHECKING:
    from dreamvideo.render.progress import OnProgress
    from dreamvideo.render.result import RenderResult

PIPE = "-"


def is_piped(clips: Sequence[Path], output: str | None) -> bool:
    """Return whether a clip comes from standard input, or a single one goes to standard output."""
    return PIPE in map(str, clips) or (output == PIPE and len(clips) == 1)


def refuse_with_pipes(clips: Sequence[Path], given: Mapping[str, object]) -> None:
    """Refuse what a pipe cannot do.

    Args:
        clips: The inputs.
        given: Values, by option, of what needs a whole file, or one that stays.

    Raises:
        UsageError: There are several inputs, or one of the options is given.
    """
    if len(clips) > 1:
        raise UsageError("standard input (-) cannot be one of several inputs")
    for option, value in given.items():
        if value not in (None, False):
            raise UsageError(f"{option} needs a whole file: name files instead of -")


def name_piped_output(output: str | None) -> Path | str:
    """Return where a pipe's dream goes: standard output if nothing else is named.

    Raises UsageError for a name that names no file.
    """
    if output is None or output == PIPE:
        return PIPE
    if NAME in output:
        raise UsageError(f"--output: {NAME} needs a named file; standard input has no name")
    return parse_output(output)


def run_piped(
    dream: Callable[[OnProgress], RenderResult], clip: Path, *, quiet: bool, strict: bool
) -> None:
    """Dream through pipes; what is said goes to stderr if standard output holds the film.

    Args:
        dream: Called with the listener for its progress.
        clip: The input, for the error.
        quiet: Whether to print nothing unless it fails.
        strict: Whether missing frames are an error.

    Raises:
        DreamVideoError: It fails; frames of a damaged file are missing.
    """
    from dreamvideo.cli.display import progress_display

    with progress_display(quiet) as listen:
        made = dream(listen)
    piped = str(made.output) == PIPE
    if not quiet:
        name = "standard output" if piped else str(made.output)
        print(
            f"{name}: {format_count(made.frames, 'frame')}",
            file=sys.stderr if piped else sys.stdout,
        )
    note(quiet, made.notes)
    check_missing(strict, clip, made)


def check_missing(strict: bool, clip: Path, made: RenderResult) -> None:
    """Raise DamagedError, if ``strict``, for a damaged clip of which frames are missing."""
    if strict and made.missing:
        raise DamagedError(
            f"{clip}: {made.missing} frames are missing; {made.output} is the dream of the other "
            f"{made.frames}"
        )
