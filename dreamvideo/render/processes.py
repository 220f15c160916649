"""Start child processes out of reach of signals, and describe how they ended."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def unblock_signals() -> None:
    """Unblock signals in a process that was started under ``signals_blocked``."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def describe_exit(code: int) -> str:
    """Describe an exit code; below 0 it is minus the signal that killed the process."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block signals while a process is started; they wait, in it too, until it is ready.

    Ctrl-C reaches all processes of a terminal. Also hides ``__main__`` from the child, which must
    not run the program that called us again, as a script without a main guard would.
    """
    main = sys.modules["__main__"]
    has_masks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS) if has_masks else set()
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if has_masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
