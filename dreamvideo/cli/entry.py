"""The entry point: runs the app and turns every outcome into one line and an exit code."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from typing import Any

import typer

from dreamvideo.cancel import Interrupted, end_quietly, handle_signals
from dreamvideo.cli.common import complain
from dreamvideo.cli.config import (
    NO_CONFIG,
    Defaults,
    blame_default,
    make_default_map,
    read_defaults,
    set_defaults,
)
from dreamvideo.dream.runtime import own_process
from dreamvideo.errors import DreamVideoError, UsageError, left, resuming_options

# American spellings of options, by ours.
SPELLINGS = {"color": "colour", "center": "centre", "gray": "grey"}

# Set by the shell when it completes a command.
_COMPLETING = "_DREAMVIDEO_COMPLETE"


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
        help_pages,
        inspect,
        measure,
        presets,
        report,
        studio,
        train,
        zoom,
    )
    from dreamvideo.cli.app import app

    root: Any = typer.main.get_command(app)
    commands = root.commands
    arguments, wants_all = _without(_spell(arguments, commands), help_pages.HELP_ALL)
    arguments, plain = _without(arguments, NO_CONFIG)
    if wants_all:
        arguments = [*arguments, "--help"]
    elif {"--help", "-h"} & set(arguments):
        help_pages.hide_rare_options(commands)
    # Help, versions and completions are shown whatever a file says.
    asks = {"--help", "-h", "--version", "-V"} & set(arguments) or _COMPLETING in os.environ
    asks = asks or arguments[:1] in (["help"], ["guide"])
    defaults = Defaults() if plain or asks else read_defaults(commands)
    set_defaults(defaults)
    return root(
        args=arguments,
        prog_name="dreamvideo",
        standalone_mode=False,
        default_map=make_default_map(defaults, commands),
    )


def _without(arguments: list[str], flag: str) -> tuple[list[str], bool]:
    """Return the arguments without a flag that may stand anywhere, and whether it was there."""
    return [a for a in arguments if a != flag], flag in arguments


def _spell(arguments: list[str], commands: Mapping[str, Any]) -> list[str]:
    """Return the arguments with our spelling of options whose American one was written."""
    known = {o for each in commands.values() for p in each.params for o in p.opts}
    spelled = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option.startswith("--") and option not in known:
            ours = option
            for american, british in SPELLINGS.items():
                ours = ours.replace(american, british)
            option = ours if ours in known else option
        spelled.append(f"{option}{equals}{value}")
    return spelled


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
            return _discard_output()
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
        usage = isinstance(error, UsageError)
        message = blame_default(str(error), arguments) if usage else str(error)
        _complain(message, error, arguments)
        return error.exit_code
    if hasattr(error, "format_message"):
        # A usage error of the parser, whose classes typer does not export.
        return _usage(error, arguments)
    if isinstance(error, MemoryError):
        _complain("out of memory: choose a smaller --size", error, arguments)
        return 1
    if isinstance(error, OSError) and error.filename and error.strerror:
        _complain(f"{error.filename}: {error.strerror.lower()}", error, arguments)
        return 1
    name, what = type(error).__name__, " ".join(str(error).split())[:300]
    _complain(f"unexpected {name}: {what} (--debug shows where)", error, arguments)
    return 1


def _usage(error: Any, arguments: Sequence[str]) -> int:
    message = error.format_message()
    if message:
        _complain(blame_default(" ".join(message.split()), arguments))
    return int(getattr(error, "exit_code", 2))


def _discard_output() -> int:
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
        words = [a for a in arguments if a != "--restart"]
        words += [o for o in resuming_options(error) if o not in words] if error else []
        again = shlex.join(["dreamvideo", *words])
        message = f"{message}; {kept}, resume with: {again}"
    complain(message)
