"""The entry point: runs the app and turns every outcome into one line and an exit code."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import Any

from dreamvideo.cancel import Interrupted, end_quietly, handle_signals
from dreamvideo.dream.runtime import own_process
from dreamvideo.errors import DreamVideoError, left


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 usage, 3 damaged, 130/143 stopped."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A file name that the terminal cannot show must not make a finished render fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    # Before and after the command there is nothing to clean up.
    end_quietly()
    own_process()
    try:
        code = run(sys.argv[1:])
    except Exception:
        # Requested by --debug.
        traceback.print_exc()
        code = 1
    sys.exit(code)


def dispatch(arguments: list[str]) -> Any:
    """Parse the arguments and run their command; return its exit code, if it has one."""
    # Imported for the commands that they register.
    from dreamvideo.cli import (  # noqa: F401
        bench,
        gallery,
        guide,
        inspect,
        measure,
        presets,
        report,
        studio,
        zoom,
    )
    from dreamvideo.cli.app import app

    return app(args=arguments, prog_name="dreamvideo", standalone_mode=False)


def run(arguments: list[str], command: Callable[[list[str]], Any] = dispatch) -> int:
    """Run with these arguments and return the exit code.

    Args:
        arguments: The command line without the program's name.
        command: What runs it.
    """
    with handle_signals() as token:
        try:
            code = command(arguments)
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        except BrokenPipeError:
            return _nobody_listens()
        except (Exception, Interrupted) as error:
            # What fails while a stopped command is tidied up is no other end.
            if token.cancelled:
                _complain("stopped before the end", error, arguments)
                return token.exit_code
            if "--debug" in arguments:
                raise
            return _explain(error, arguments)


def _explain(error: BaseException, arguments: list[str]) -> int:
    if isinstance(error, DreamVideoError):
        _complain(str(error), error, arguments)
        return error.exit_code
    if hasattr(error, "format_message"):
        # A usage error of the parser, whose classes typer does not export.
        return _usage(error)
    if isinstance(error, MemoryError):
        _complain("out of memory: choose a smaller --size", error, arguments)
        return 1
    if isinstance(error, OSError) and error.filename and error.strerror:
        _complain(f"{error.filename}: {error.strerror.lower()}", error, arguments)
        return 1
    name, what = type(error).__name__, " ".join(str(error).split())[:300]
    _complain(f"unexpected {name}: {what} (--debug shows where)", error, arguments)
    return 1


def _usage(error: Any) -> int:
    message = error.format_message()
    if message:
        _complain(" ".join(message.split()))
    return int(getattr(error, "exit_code", 2))


def _nobody_listens() -> int:
    """Discard output after its reader has gone; otherwise Python would complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _complain(
    message: str, error: BaseException | None = None, arguments: Sequence[str] = ()
) -> None:
    """Print one line; if ``error`` has left a job, with the command that resumes it."""
    kept = left(error) if error is not None else ""
    if kept:
        # A restarted render must not restart again.
        again = shlex.join(["dreamvideo", *(a for a in arguments if a != "--restart")])
        message = f"{message}; {kept}, resume with: {again}"
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    print(f"dreamvideo: {line}", file=sys.stderr)
