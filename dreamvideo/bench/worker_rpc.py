"""Requests to processes that stay up: JSON lines over a pipe, so that rounds can alternate.

Each worker keeps its own settings, threads and memory, and rests while another one works. The
only place of the bench that starts processes.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dreamvideo.cancel import wait_for_pipe
from dreamvideo.errors import DreamVideoError

PACKAGE = Path(__file__).parents[2]
Handler = Callable[..., Any]
PATIENCE = 20.0


class WorkerError(DreamVideoError):
    """A worker could not do what it was asked; its own words."""


def serve(handlers: Mapping[str, Handler]) -> None:
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
            answer = {"error": f"{type(error).__name__}: {_first_line(error)}"}
        print(json.dumps(answer), file=answers, flush=True)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:300]


class Worker:
    """A process that runs ``python -m module`` and answers requests, one at a time.

    ``environment`` is added to this process's own; None takes a variable away. Use as a context
    manager: leaving it by whatever way kills and reaps the process.
    """

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str | None] | None = None,
        python: str = sys.executable,
    ) -> None:
        self.module = module
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        try:
            self._process = subprocess.Popen(
                [python, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
                encoding="utf-8",
                env=changed_environment(environment or {}),
                start_new_session=True,
            )
        except OSError as error:
            self._said.close()
            raise WorkerError(f"{python} does not start: {error}") from error

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._said.close()

    def send(self, op: str, **arguments: Any) -> None:
        """Ask for something; ``receive`` waits for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def receive(self) -> Any:
        """The answer to what was sent. Raises WorkerError with the worker's own words,
        Interrupted.
        """
        assert self._process.stdout is not None
        # Nothing is buffered: each request has one answer.
        wait_for_pipe(self._process.stdout, selectors.EVENT_READ)
        line = self._process.stdout.readline()
        if not line:
            raise self._gone()
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["value"]

    def ask(self, op: str, *, limit: float | None = None, **arguments: Any) -> Any:
        """Send, and receive; a worker that takes more than ``limit`` seconds is ended."""
        self.send(op, **arguments)
        if limit is None:
            return self.receive()
        late = threading.Timer(limit, self._process.kill)
        late.start()
        try:
            return self.receive()
        finally:
            if late.finished.is_set():
                raise WorkerError(f"took more than {limit:g} s")
            late.cancel()

    def _gone(self) -> WorkerError:
        code = self._process.wait()
        self._said.seek(0)
        words = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return WorkerError(f"ended with code {code}: {words[-1] if words else 'without a message'}")


def changed_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """This process's environment with ``changes``, this package importable."""
    paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
    merged = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _read_lines(pipe: IO[bytes]) -> Iterator[str]:
    """Yield the lines of an unbuffered pipe. Raises Interrupted."""
    rest = b""
    while True:
        wait_for_pipe(pipe, selectors.EVENT_READ)
        data = pipe.read(1 << 16)
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
        if not data:
            break
    if rest:
        yield rest.decode("utf-8", "replace")


def lines_of(command: Sequence[str]) -> Generator[str, None, None]:
    """Run a command; what it says, line by line as it says it. Closed early, it ends the command.

    Raises WorkerError if its exit code is not 0.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        env=changed_environment({}),
        start_new_session=True,
    ) as process:
        line = ""
        try:
            assert process.stdout is not None
            for line in _read_lines(process.stdout):
                yield line
        except BaseException:
            # Politely, so that it ends what it has started itself.
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if process.returncode != 0:
        raise WorkerError(f"{command[0]} ended with code {process.returncode}: {line.strip()}")
