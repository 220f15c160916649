"""The forms of a step that are timed side by side, and the workers that take them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dreamvideo.bench.plan import Say
from dreamvideo.bench.worker_rpc import Worker, WorkerError
from dreamvideo.processors import available_processors

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """One way to take a step: its name and label, the worker's module, its environment."""

    name: str
    label: str
    module: str
    environment: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_torch(self) -> bool:
        """Whether it needs torch."""
        return self.module == "torch_worker"


# Compiled anew for every size, which takes a minute or more for a large network.
SLOW_TO_START = "torch-compiled"
COMPILE_SECONDS = 240.0
OURS = Form("ours", "dreamvideo", "ours")
BRIEF = Form("ours-bfloat16", "dreamvideo --precision bfloat16", "ours")
REFERENCES = (
    Form("reference", "reference, TensorFlow's defaults", "reference", {ONEDNN: None}),
    Form("reference-onednn-off", "reference, oneDNN off", "reference", {ONEDNN: "0"}),
    Form("reference-onednn-on", "reference, oneDNN on", "reference", {ONEDNN: "1"}),
)
TORCH = (
    Form("torch-eager", "PyTorch eager", "torch_worker"),
    Form("torch-channels-last", "PyTorch channels-last", "torch_worker"),
    Form("torch-folded", "PyTorch folded, channels-last", "torch_worker"),
    Form(SLOW_TO_START, "PyTorch torch.compile", "torch_worker"),
)
FORMS = (OURS, BRIEF, *REFERENCES, *TORCH)


class Staff:
    """Workers by the name of the form that they take; ``failures`` says which could not, and why.

    A form that fails is told and left out, whatever happens to it.
    """

    def __init__(self, say: Say) -> None:
        self.workers: dict[str, Worker] = {}
        self.failures: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self._say = say

    @property
    def forms(self) -> list[str]:
        """Names of the forms that work."""
        return list(self.workers)

    def ask(self, form: str, op: str, **arguments: Any) -> Any:
        """The form's worker's answer; None, and the form is left out, if it fails."""
        try:
            return self.workers[form].ask(op, form=form, **arguments)
        except WorkerError as error:
            self.drop(form, str(error))
            return None

    def ask_all(
        self, op: str, forms: Sequence[str] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """All forms' answers (or those named), side by side: for what is not timed."""

        def work(form: str) -> tuple[str, Any]:
            return form, self.ask(form, op, **arguments)

        with ThreadPoolExecutor(available_processors()) as pool:
            found = dict(pool.map(work, self.forms if forms is None else forms))
        return {form: answer for form, answer in found.items() if form in self.workers}

    def drop(self, form: str, reason: str) -> None:
        """Leave a form out."""
        self.workers.pop(form, None)
        self.failures[form] = reason
        self._say(f"{form} is left out: {reason}")


@contextmanager
def staff(
    forms: Sequence[Form],
    threads: int,
    network: str,
    weights: str,
    torch: str | None,
    say: Say,
) -> Iterator[Staff]:
    """Workers that have loaded the network, with so many threads each, for as long as the block."""
    made = Staff(say)
    with ExitStack() as stack:
        for form in forms:
            if form.is_torch and torch is None:
                continue
            environment = {**thread_environment(threads), **form.environment}
            python = str(torch) if form.is_torch else sys.executable
            try:
                worker = Worker(f"dreamvideo.bench.{form.module}", environment, python)
            except WorkerError as error:
                made.drop(form.name, str(error))
                continue
            made.workers[form.name] = stack.enter_context(worker)
        for versions in made.ask_all("load", network=network, weights=weights).values():
            made.versions |= versions
        yield made


def thread_environment(threads: int) -> dict[str, str | None]:
    """Variables that hold TensorFlow, torch and NumPy to so many threads."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    found: dict[str, str | None] = dict.fromkeys(names, count)
    # More than one thread: what TensorFlow itself would do, which is what its users get.
    found["TF_NUM_INTEROP_THREADS"] = count if threads == 1 else None
    if threads == available_processors():
        found["TF_NUM_INTRAOP_THREADS"] = None
    return found
