"""Time the gradient step of several programs side by side, in interleaved rounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from dreamvideo.bench.plan import OURS, PROGRAMS, Log, Plan
from dreamvideo.bench.step_worker import make_test_image
from dreamvideo.bench.worker import Worker, WorkerError
from dreamvideo.processors import available_processors

T = TypeVar("T")
MAX_BATCH = 24


class Candidate:
    """A running program. After a failed request, which ``failure`` explains, it does nothing."""

    def __init__(self, name: str, threads: int, python: str, stack: ExitStack) -> None:
        """Start the program.

        Args:
            name: One of ``PROGRAMS``.
            threads: How many it may use.
            python: The interpreter.
            stack: Ends the process.
        """
        self.name = name
        self.failure = ""
        environment = {**limit_threads(threads), **PROGRAMS[name].environment}
        try:
            worker = Worker(PROGRAMS[name].module, environment, python)
            self._worker = stack.enter_context(worker)
        except WorkerError as error:
            self.failure = str(error)

    def send(self, op: str, **arguments: Any) -> None:
        """Send a request."""
        try:
            if not self.failure:
                self._worker.send(op, **arguments)
        except WorkerError as error:
            self.failure = str(error)

    def receive(self) -> Any:
        """Return the answer to the last request; None after a failure."""
        try:
            return None if self.failure else self._worker.receive()
        except WorkerError as error:
            self.failure = str(error)
            return None

    def ask(self, op: str, **arguments: Any) -> Any:
        """Send a request and return its answer; None after a failure."""
        self.send(op, **arguments)
        return self.receive()


def measure_steps(
    plan: Plan, network: str, threads: int, folder: Path, log: Log
) -> tuple[list[dict[str, Any]], dict[str, str], dict[str, str]]:
    """Time steps of a network in all programs of the plan.

    Args:
        plan: Programs, sizes and rounds.
        network: Name of the network.
        threads: Threads of each program.
        folder: Holds the network's files (``reference.export``).
        log: Called with a line about what is measured next.

    Returns:
        A comparison for each size, versions of the libraries, and why programs are left out.
    """
    with ExitStack() as stack:
        log(f"{network}, {threads} thread{'s' if threads > 1 else ''}: loading")
        candidates = []
        for name in plan.programs:
            python = plan.torch if PROGRAMS[name].module == "pytorch" else sys.executable
            if python is not None:
                candidates.append(Candidate(name, threads, python, stack))
        for each in candidates:
            variant = PROGRAMS[each.name].variant
            each.send("load", variant=variant, network=network, folder=str(folder))
        versions = {k: v for each in candidates for k, v in (each.receive() or {}).items()}
        comparisons = []
        for height, width in plan.sizes:
            log(f"{network}, {width} x {height}: comparing steps")
            place = {"network": network, "threads": threads, "height": height, "width": width}
            timings = time_steps(candidates, plan, height, width)
            comparisons.append({**place, "timings": timings})
        failures = {each.name: each.failure for each in candidates if each.failure}
    return comparisons, versions, failures


def time_steps(
    candidates: list[Candidate], plan: Plan, height: int, width: int
) -> dict[str, dict[str, Any]]:
    """Time steps at one size, in rounds that alternate between the programs.

    Args:
        candidates: The programs.
        plan: Number and length of the rounds.
        height: Height of the image.
        width: Width of the image.

    Returns:
        For each program its ``milliseconds`` per step in each round, its peak ``memory`` in bytes,
        and the relative ``difference`` between its step and ours.
    """
    # The first step compiles: in all processes at the same time.
    results = take_one_step(candidates, height, width)
    size = {"height": height, "width": width}
    batches = {}
    for each in candidates:
        seconds = each.ask("time", **size, steps=1)
        if seconds is not None:
            batches[each] = max(1, min(MAX_BATCH, round(plan.batch_seconds / seconds)))
    rounds: dict[Candidate, list[float]] = {each: [] for each in batches}
    for each in interleave(list(batches), plan.rounds):
        seconds = each.ask("time", **size, steps=batches[each])
        if seconds is not None:
            rounds[each].append(round(1000 * seconds / batches[each], 3))
    ours = results.get(OURS)
    return {
        each.name: {
            "milliseconds": milliseconds,
            "memory": each.ask("memory"),
            "difference": None if ours is None else find_difference(ours, results[each.name]),
        }
        for each, milliseconds in rounds.items()
        if not each.failure
    }


def take_one_step(candidates: list[Candidate], height: int, width: int) -> dict[str, Any]:
    """Have all programs take one step; return what each adds to the image."""
    with TemporaryDirectory(prefix="dreamvideo-bench-") as folder:
        paths = {each: Path(folder, f"{each.name}.npy") for each in candidates}
        for each, path in paths.items():
            each.send("step", height=height, width=width, output=str(path))
        start = make_test_image(height, width)
        for each in candidates:
            each.receive()
        return {
            each.name: np.load(path) - start for each, path in paths.items() if not each.failure
        }


def find_difference(ours: Any, other: Any) -> float:
    """Return the norm of the difference of two arrays, relative to that of the second."""
    return float(np.linalg.norm(ours - other) / np.linalg.norm(other))


def interleave(items: list[T], rounds: int) -> Iterator[T]:
    """Yield every item once per round; each round starts with another one."""
    for number in range(rounds):
        start = number % max(1, len(items))
        yield from items[start:] + items[:start]


def limit_threads(count: int) -> dict[str, str | None]:
    """Return the environment that limits TensorFlow, PyTorch and NumPy to a number of threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    found: dict[str, str | None] = dict.fromkeys(names, str(count))
    # With all threads: TensorFlow's defaults, which are what its users get.
    found["TF_NUM_INTEROP_THREADS"] = "1" if count == 1 else None
    if count == available_processors():
        found["TF_NUM_INTRAOP_THREADS"] = None
    return found
