"""A process of our own and what it says: started fresh, heard on a thread, gone when we are."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process
from types import FrameType
from typing import Any

from dreamvideo.render.processes import signals_blocked, unblock_signals

# Seconds that a process may take to end in order once it is asked to.
PATIENCE = 15.0


class ChildProcess:
    """A running process that calls ``target(pipe, *arguments)``.

    ``hear`` is called with everything that it sends, ``ended`` with its exit code (below 0: minus
    the signal that killed it); both on a thread of this object's own, one after the other.
    """

    def __init__(
        self,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        hear: Callable[[Any], None],
        ended: Callable[[int], None],
    ) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._hear, self._ended = hear, ended
        # No daemon by multiprocessing's word: those may not have processes of their own.
        self.process = context.Process(target=target, args=(theirs, *arguments), daemon=False)
        with signals_blocked():
            self.process.start()
        theirs.close()
        self._thread = threading.Thread(target=self._listen, name="studio-child", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.is_alive()

    def say(self, message: Any) -> None:
        """Send it something; nothing happens if it is gone, as ``ended`` will tell."""
        with suppress(OSError, ValueError):
            self._pipe.send(message)

    def ask_to_end(self) -> None:
        """Let it end in order, as soon as it can."""
        self.process.terminate()

    def close(self) -> None:
        """End it, in order if it can, for certain if not; returns when it is gone."""
        self.process.terminate()
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _listen(self) -> None:
        with self._pipe:
            while True:
                try:
                    message = self._pipe.recv()
                except (EOFError, OSError):
                    break
                self._hear(message)
            self.process.join()
        self._ended(self.process.exitcode or 0)


class ChildStopped(BaseException):
    """This process was asked to end: unwind, so that nothing is left behind."""


def start_child() -> None:
    """To be called first in a child: it ends in order when asked, and when its parent is gone.

    Ctrl-C reaches all processes of a terminal: the parent decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _dismiss)
    unblock_signals()
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _dismiss(_number: int, _frame: FrameType | None) -> None:
    # Once: a second one must not meet the tidying up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise ChildStopped


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(1)
