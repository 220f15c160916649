"""The entry point: runs the app and turns every outcome into one line and an exit code."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import Any

from dreamvideo.dream.runtime import own_process
from dreamvideo.errors import DreamVideoError, left

# Seconds that a stopped command may take to clean up before another signal interrupts even that.
UNWINDING = 5.0


class Stopped(BaseException):
    """SIGINT or SIGTERM arrived: unwind, so that nothing is left behind."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 usage, 3 damaged, 130/143 stopped."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A file name that the terminal cannot show must not make a finished render fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Before and after the command there is nothing to clean up: avoid Python's traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    own_process()
    try:
        code = run(sys.argv[1:])
    except Exception:
        # Requested by --debug.
        traceback.print_exc()
        code = 1
    ahead = sys.modules.get("dreamvideo.render.frames.tracking")
    if ahead is not None and ahead.is_prefetching():
        # A prefetch thread that could not be waited for would crash in the interpreter's shutdown.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run with these arguments and return the exit code."""
    with _signals_unwind() as stopper:
        try:
            code = _ended(arguments)
            stopper.armed = False
        except Stopped as stop:
            # While the exception is held, no further signal raises; once it is released, one would.
            stopper.armed = False
            _complain("stopped before the end", stop, arguments)
            code = stop.exit_code
        return code


def _ended(arguments: list[str]) -> int:
    """Return the command's exit code, or raise Stopped."""
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_listens()
    except Exception as error:
        stop = _stop_before(error)
        if stop is not None:
            raise stop from None
        if "--debug" in arguments:
            raise
        return _explain(error, arguments)
    return code if isinstance(code, int) else 0


def _stop_before(error: BaseException) -> Stopped | None:
    """Return the signal that was being handled when ``error`` was raised."""
    before = error.__context__
    while before is not None and not isinstance(before, Stopped):
        before = before.__context__
    return before


def _dispatch(arguments: list[str]) -> Any:
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


@contextmanager
def _signals_unwind() -> Iterator[_Stopper]:
    """Turn signals that would end the process into an exception.

    SIGINT too, because the parser swallows KeyboardInterrupt. Ignored signals stay ignored, as in a
    job that a shell runs in the background.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {n: how for n, how in before.items() if how is not signal.SIG_IGN}
    stopper = _Stopper()
    for number in before:
        signal.signal(number, stopper)
    try:
        yield stopper
    finally:
        stopper.armed = False
        for number, how in before.items():
            signal.signal(number, how)


class _Stopper:
    """Signal handler: the first signal raises ``Stopped``, later ones do not disturb its unwinding.

    A later one does raise if unwinding takes too long, or if the exception was swallowed.
    """

    def __init__(self) -> None:
        self.armed = True
        self._raised: Callable[[], Stopped | None] = lambda: None
        self._until = 0.0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.armed and (self._raised() is None or time.monotonic() > self._until):
            raise self._new(number)

    def _new(self, number: int) -> Stopped:
        # Created here, because a frame that raises its own exception would keep it alive.
        stop = Stopped(number)
        self._raised, self._until = weakref.ref(stop), time.monotonic() + UNWINDING
        return stop


def _explain(error: Exception, arguments: list[str]) -> int:
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
