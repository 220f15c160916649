"""Start child processes out of reach of signals, and describe how they ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from dreamvideo.cancel import signals_held


def describe_exit(code: int) -> str:
    """Describe an exit code; below 0 it is minus the signal that killed the process."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def start_child() -> Iterator[None]:
    """Wrap the start of a child process, whose first call is ``cancel.set_up_child``.

    Also hides ``__main__`` from the child, which must not run the program that called us again, as
    a script without a main guard would.
    """
    main = sys.modules["__main__"]
    with signals_held():
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
