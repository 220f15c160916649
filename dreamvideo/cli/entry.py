"""The entry point: runs the app and turns every ending into one line and an exit code."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

from dreamvideo.errors import DreamVideoError

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM arrived: unwind as Ctrl-C does, so that nothing is left behind."""


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130/143 stopped."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run with these arguments; returns the exit code."""
    from dreamvideo.cli import inspect  # noqa: F401  (registers its commands)
    from dreamvideo.cli.app import app

    signal.signal(signal.SIGTERM, _terminate)
    debug = "--debug" in arguments
    try:
        code = app(args=arguments, prog_name="dreamvideo", standalone_mode=False)
    except (KeyboardInterrupt, Terminated) as stop:
        _complain("stopped; nothing was written")
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
    except Exception as error:
        if debug:
            raise
        return _explain(error)
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> int:
    if isinstance(error, DreamVideoError):
        _complain(str(error))
        return error.exit_code
    if hasattr(error, "format_message"):
        # A usage error of the parser, whose classes typer keeps to itself.
        return _usage(error)
    if isinstance(error, MemoryError):
        _complain("out of memory: choose a smaller --size")
        return 1
    if isinstance(error, BrokenPipeError):
        return 1
    name, what = type(error).__name__, " ".join(str(error).split())[:300]
    _complain(f"unexpected {name}: {what} (--debug shows where)")
    return 1


def _usage(error: Any) -> int:
    message = error.format_message()
    if message:
        _complain(" ".join(message.split()))
    return int(getattr(error, "exit_code", 2))


def _complain(message: str) -> None:
    print(f"dreamvideo: {message}", file=sys.stderr)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
