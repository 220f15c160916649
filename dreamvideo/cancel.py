"""Stop work on request: a signal only sets a token, and work looks at it where it can stop.

Everything that may take long calls ``check``: each frame, each gradient step, each wait for another
process. It raises ``Interrupted`` once the process was asked to stop, always from a place that
expects it, so nothing is ever torn between two lines that belong together. This is the only module
that installs signal handlers or ends a process without unwinding.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any, NoReturn

# Seconds between looks at the token while something else is waited for.
TICK = 0.1
# A further signal this many seconds after the first stops the process at once. Earlier ones belong
# to the first: a key pressed twice, or a terminal and a supervisor that both pass on a Ctrl-C.
GRACE = 1.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)
# Also sent when the terminal is closed.
_OF_TERMINALS = ("SIGHUP", "SIGBREAK")
ENDING_A_SESSION = (*_STOPPING, *(getattr(signal, n) for n in _OF_TERMINALS if hasattr(signal, n)))
_SHOW_CURSOR = b"\x1b[?25h\n"


class Interrupted(SystemExit):
    """This process was asked to stop: unwind, so that nothing is left behind."""


class CancelToken:
    """Whether work is to stop.

    Example:
        >>> token = CancelToken()
        >>> token.check()
        >>> token.cancel()
        >>> token.cancelled
        True
    """

    def __init__(self) -> None:
        self._number: int | None = None

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """Exit code of a process that stops for this, by the shells' convention."""
        return 0 if self._number is None else 128 + self._number

    def cancel(self, number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Ask for work to stop, on behalf of a signal; the first one decides the exit code.

        It can be a signal's handler itself.
        """
        if self._number is None:
            self._number = number

    def check(self) -> None:
        """Raise Interrupted if work is to stop."""
        if self._number is not None:
            raise Interrupted(self.exit_code)

    def reset(self) -> None:
        """Forget that work was to stop."""
        self._number = None


TOKEN = CancelToken()
"""The token of this process: signals are sent to a process as a whole."""

check = TOKEN.check


@contextmanager
def handle_signals(
    token: CancelToken = TOKEN, numbers: Collection[int] = _STOPPING
) -> Iterator[CancelToken]:
    """Let signals cancel a token for the duration of the block; a second one stops the process.

    Ignored signals stay ignored, as in a job that a shell runs in the background. The second signal
    is noticed by a thread, so it also ends a process that is busy in a library.

    Args:
        token: The token; it is reset when the block ends.
        numbers: The signals.
    """
    handled = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    with _second_signal_stops(handled):
        before = {number: signal.signal(number, token.cancel) for number in handled}
        try:
            yield token
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            token.reset()


def end_quietly() -> None:
    """Let Ctrl-C end this process without a traceback while no signals are handled."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def set_up_child(parent: Any, patience: float = 0) -> None:
    """Set up a child process; must be called first.

    SIGTERM cancels its work, and it ends with its parent. Ctrl-C, which reaches all processes of a
    terminal, is for the parent to handle.

    Args:
        parent: Becomes ready when the parent ends: its sentinel, or a pipe that it holds.
        patience: Seconds that the process may then take to unwind.
    """

    def follow() -> None:
        from multiprocessing import connection

        connection.wait([parent])
        TOKEN.cancel()
        time.sleep(patience)
        stop_at_once(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, TOKEN.cancel)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    threading.Thread(target=follow, name="parent", daemon=True).start()


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold signals back while a child process is started; they wait, in it too, until it is ready.

    Until ``set_up_child`` has run there, Ctrl-C would end it with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # Its first start unblocks these signals (before Python 3.12).
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait_for_message(pipe: Any) -> Any:
    """Return the next message of a pipe. Raises Interrupted, EOFError."""
    while not pipe.poll(TICK):
        check()
    return pipe.recv()


def wait_for_pipe(pipe: IO[Any], event: int) -> None:
    """Wait until another program's pipe can be read or written. Raises Interrupted.

    Args:
        pipe: The pipe.
        event: ``selectors.EVENT_READ`` or ``EVENT_WRITE``.
    """
    check()
    # Windows cannot wait for such pipes; there Ctrl-C ends the other program too.
    if sys.platform != "win32":
        with selectors.PollSelector() as waiting:
            waiting.register(pipe, event)
            while not waiting.select(TICK):
                check()


def kill_session(leader: int) -> None:
    """Kill all processes of the session that the process ``leader`` began, if it still runs."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)


def stop_at_once(code: int, message: str = "") -> NoReturn:
    """End this process without unwinding. What is on disk is as after a power cut: complete.

    A process that has something to say owns the terminal, and shows its cursor again.
    """
    with suppress(Exception):
        # Written past Python's buffer, whose lock another thread may hold.
        error = sys.stderr.fileno()
        if message and os.isatty(error):
            os.write(error, _SHOW_CURSOR)
        os.write(error, message.encode())
    os._exit(code)


@contextmanager
def _second_signal_stops(numbers: Collection[int]) -> Iterator[None]:
    receiver, sender = socket.socketpair()
    sender.setblocking(False)

    def listen() -> None:
        first = None
        while data := receiver.recv(1):
            if data[0] not in numbers:
                continue
            now = time.monotonic()
            if first is None:
                first = now
            elif now - first >= GRACE:
                stop_at_once(128 + data[0], "dreamvideo: stopped at once\n")

    thread = threading.Thread(target=listen, name="signals", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sender.close()
        thread.join()
        receiver.close()
