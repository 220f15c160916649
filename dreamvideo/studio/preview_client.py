"""Client of the preview process, which is restarted if necessary."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dreamvideo.render.child_process import ChildProcess
from dreamvideo.render.processes import describe_exit
from dreamvideo.studio import preview_worker
from dreamvideo.studio.messages import Answer, Failed, Loaded, Wanted

# A request at which this many processes have died is not retried.
ATTEMPTS = 2


class Previewer:
    """Sends requests and passes answers to ``hear`` (on another thread).

    A process that dies is reported as a ``Failed`` of its current request and replaced at once, so
    that the network is loaded again when the next request comes. In the ``background`` it takes
    only the time that nothing else needs.
    """

    def __init__(self, hear: Callable[[Answer], None], *, background: bool = False) -> None:
        self._hear, self._background = hear, background
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._last: Wanted | None = None
        self._deaths = 0
        self._closed = False

    def start(self) -> None:
        """Start loading the network."""
        with self._lock:
            self._ensure()

    def ask(self, wanted: Wanted) -> None:
        """Send a request that supersedes all requests before it."""
        with self._lock:
            self._last, self._deaths = wanted, 0
            child = self._ensure()
        if child is not None:
            child.say(wanted)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed = True
            child = self._child
        if child is not None:
            child.close()

    def _ensure(self) -> ChildProcess | None:
        if self._closed:
            return None
        if self._child is None:
            self._child = ChildProcess(
                preview_worker.run_preview_worker, (self._background,), self._hear, self._on_exit
            )
        return self._child

    def _on_exit(self, code: int) -> None:
        with self._lock:
            self._child = None
            if self._closed:
                return
            last, self._deaths = self._last, self._deaths + 1
            again = self._deaths < ATTEMPTS
            child = self._ensure() if again else None
        if child is not None:
            self._hear(Loaded(yes=False))
        how = describe_exit(code)
        if last is not None and again and child is not None:
            child.say(last)
        else:
            line = f"the process that dreams previews ended ({how}); change something to try again"
            self._hear(Failed(last.ticket if last else 0, line))
