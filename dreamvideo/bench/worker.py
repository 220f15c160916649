"""Worker processes that answer requests: JSON lines over a pipe.

Each program being compared runs in a process of its own, with its own environment, threads and
memory, and waits while another one is timed.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from dreamvideo.cancel import kill_session, wait_for_pipe
from dreamvideo.errors import DreamVideoError

PACKAGE = Path(__file__).parents[2]


class WorkerError(DreamVideoError):
    """A worker failed; the message is its own."""


def serve(handlers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer requests ``{"op": name, ...arguments}`` from standard input until it ends.

    An answer is ``{"value": ...}`` or ``{"error": line}``. What libraries print goes to standard
    error.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": handlers[request.pop("op")](**request)}
        except Exception as error:
            message = str(error).strip().partition("\n")[0][:300]
            answer = {"error": f"{type(error).__name__}: {message}"}
        print(json.dumps(answer), file=answers, flush=True)


class Worker(AbstractContextManager["Worker"]):
    """A process that runs ``python -m module`` and answers one request at a time.

    It started at ``start`` (``time.time``). As a context manager it ends the process.
    """

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str | None] | None = None,
        python: str = sys.executable,
    ) -> None:
        """Start the process.

        Args:
            module: Its name within this package; it calls ``serve``.
            environment: Changes to this process's environment; None removes a variable.
            python: The interpreter.

        Raises:
            WorkerError: The interpreter does not start.
        """
        paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
        merged = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            **(environment or {}),
        }
        self.start = time.time()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        try:
            self.process = subprocess.Popen(
                [python, "-m", f"dreamvideo.bench.{module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
                env={name: value for name, value in merged.items() if value is not None},
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise WorkerError(f"{python} does not start: {error}") from error

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            # Processes of its own are in its session, and could still write to folders that go.
            kill_session(self.process.pid)
        self.process.kill()
        with suppress(BrokenPipeError):
            self.process.communicate()
        self._log.close()

    def ask(self, op: str, **arguments: Any) -> Any:
        """Send a request and return its answer. Raises WorkerError."""
        self.send(op, **arguments)
        return self.receive()

    def send(self, op: str, **arguments: Any) -> None:
        """Send a request; ``receive`` returns the answer. Raises WorkerError."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._exit_error() from None

    def receive(self) -> Any:
        """Wait for the answer to the last request. Raises WorkerError, Interrupted."""
        assert self.process.stdout is not None
        # Nothing is buffered: each request has one answer.
        wait_for_pipe(self.process.stdout, selectors.EVENT_READ)
        line = self.process.stdout.readline()
        if not line:
            raise self._exit_error()
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["value"]

    def _exit_error(self) -> WorkerError:
        code = self.process.wait()
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return WorkerError(f"ended with code {code}: {lines[-1] if lines else 'without a message'}")
