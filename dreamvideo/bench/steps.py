"""Time the gradient step of several programs side by side, in interleaved rounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from dreamvideo.bench.plan import KNOWN_PROGRAMS, OURS, Log, Plan
from dreamvideo.bench.step_worker import make_test_image
from dreamvideo.bench.worker import Worker, WorkerError
from dreamvideo.processors import available_processors

T = TypeVar("T")
MAX_BATCH = 24


class Programs:
    """The programs that are compared, as running workers.

    One that fails is left out from then on; ``failures`` says why.
    """

    def __init__(self, plan: Plan, network: str, threads: int, stack: ExitStack) -> None:
        """Start the programs that have a network, with so many threads; ``stack`` ends them."""
        self.failures: dict[str, str] = {}
        self._workers: dict[str, Worker] = {}
        for name in plan.list_programs(network):
            python = plan.torch if KNOWN_PROGRAMS[name].module == "pytorch" else sys.executable
            if python is None:
                continue
            environment = {**limit_threads(threads), **KNOWN_PROGRAMS[name].environment}
            try:
                worker = Worker(KNOWN_PROGRAMS[name].module, environment, python)
                self._workers[name] = stack.enter_context(worker)
            except WorkerError as error:
                self.failures[name] = str(error)

    @property
    def names(self) -> list[str]:
        """Those that have not failed."""
        return [name for name in self._workers if name not in self.failures]

    def ask(self, name: str, op: str, **arguments: Any) -> Any:
        """Send a request to one and return its answer; None after a failure."""
        return self.ask_all(op, {name: arguments}).get(name)

    def ask_all(self, op: str, arguments: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Send a request to several at the same time; return the answers by name.

        Args:
            op: The request.
            arguments: By name of the program.
        """
        answers = {}
        for step in ("send", "receive"):
            for name, given in arguments.items():
                if name in self.failures:
                    continue
                worker = self._workers[name]
                try:
                    if step == "send":
                        worker.send(op, **given)
                    else:
                        answers[name] = worker.receive()
                except WorkerError as error:
                    self.failures[name] = str(error)
        return answers


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
        programs = Programs(plan, network, threads, stack)
        given = {"network": network, "folder": str(folder)}
        load = {name: {"variant": KNOWN_PROGRAMS[name].variant, **given} for name in programs.names}
        found = programs.ask_all("load", load)
        versions = {k: v for answer in found.values() for k, v in answer.items()}
        comparisons = []
        for height, width in plan.sizes:
            log(f"{network}, {width} x {height}: comparing steps")
            place = {"network": network, "threads": threads, "height": height, "width": width}
            comparisons.append({**place, "timings": time_steps(programs, plan, height, width)})
    return comparisons, versions, programs.failures


def time_steps(
    programs: Programs, plan: Plan, height: int, width: int
) -> dict[str, dict[str, Any]]:
    """Time steps at one size, in rounds that alternate between the programs.

    Args:
        programs: The programs.
        plan: Number and length of the rounds.
        height: Height of the image.
        width: Width of the image.

    Returns:
        For each program its ``milliseconds`` per step in each round, its peak ``memory`` in bytes,
        and the relative ``difference`` between its step and ours.
    """
    size = {"height": height, "width": width}
    # The first step compiles: in all processes at the same time.
    results = take_one_step(programs, height, width)
    rounds: dict[str, list[float]] = {}
    batches = {}
    for name in programs.names:
        seconds = programs.ask(name, "time", **size, steps=1)
        if seconds is not None:
            batches[name] = max(1, min(MAX_BATCH, round(plan.batch_seconds / seconds)))
    for name in interleave(list(batches), plan.rounds):
        seconds = programs.ask(name, "time", **size, steps=batches[name])
        if seconds is not None:
            rounds.setdefault(name, []).append(round(1000 * seconds / batches[name], 3))
    memory = programs.ask_all("memory", {name: {} for name in rounds})
    ours = results.get(OURS)
    return {
        name: {
            "milliseconds": rounds[name],
            "memory": memory[name],
            "difference": None if ours is None else find_difference(ours, results[name]),
        }
        for name in programs.names
    }


def take_one_step(programs: Programs, height: int, width: int) -> dict[str, Any]:
    """Have all programs take one step; return what each adds to the image."""
    start = make_test_image(height, width)
    with TemporaryDirectory(prefix="dreamvideo-bench-") as folder:
        paths = {name: Path(folder, f"{name}.npy") for name in programs.names}
        size = {"height": height, "width": width}
        programs.ask_all("step", {name: {**size, "output": str(paths[name])} for name in paths})
        return {name: np.load(paths[name]) - start for name in programs.names}


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
