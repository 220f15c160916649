"""A child process and its messages: spawned, listened to on a thread, ended with its parent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Any

from dreamvideo import cancel
from dreamvideo.render import processes

# Seconds that a process may take to shut down cleanly when asked.
PATIENCE = 15.0


class ChildProcess:
    """A running process that calls ``target(pipe, *arguments)``.

    ``hear`` is called with everything it sends, and then ``ended`` with its exit code (below 0:
    minus the signal that killed it), both on a thread of this object.
    """

    def __init__(
        self,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        hear: Callable[[Any], None],
        ended: Callable[[int], None],
    ) -> None:
        """Start the process.

        Args:
            target: What it runs, with a pipe as its first argument.
            arguments: The other arguments.
            hear: Called with everything it sends.
            ended: Called with its exit code.
        """
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._hear, self._ended = hear, ended
        # Not a daemon in the sense of multiprocessing: those may not have child processes.
        self.process = context.Process(target=target, args=(theirs, *arguments), daemon=False)
        with processes.start_child():
            self.process.start()
        theirs.close()
        self._thread = threading.Thread(target=self._listen, name="child-listener", daemon=True)
        self._thread.start()

    def say(self, message: Any) -> None:
        """Send a message; does nothing if the process has ended, which ``ended`` reports."""
        with suppress(OSError, ValueError):
            self._pipe.send(message)

    def ask_to_end(self) -> None:
        """Ask it to shut down cleanly, as soon as it can."""
        self.process.terminate()

    def close(self) -> None:
        """End the process, cleanly if possible, and wait for it."""
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


def set_up_child() -> None:
    """Set up a child process: it shuts down cleanly when asked, and when its parent dies.

    Must be called first.
    """
    parent = parent_process()
    assert parent is not None
    cancel.set_up_child(parent.sentinel, PATIENCE)
