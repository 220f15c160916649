"""Run the benchmark: a plan -> its report, as plain values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench.curve import measure_curve
from dreamvideo.bench.film import measure_film, measure_processes
from dreamvideo.bench.gpu import add_gpu_programs, describe_gpus
from dreamvideo.bench.machine import describe, has_onednn_by_default
from dreamvideo.bench.plan import KNOWN_PROGRAMS, Log, Plan
from dreamvideo.bench.steps import measure_steps
from dreamvideo.bench.worker import Worker, WorkerError
from dreamvideo.processors import available_processors
from dreamvideo.version import __version__

SCHEMA = 2
# Load per core above which timings are unreliable.
BUSY = 0.3
# Memory in bytes of a process with a network and its activations.
PROCESS_MEMORY = 1_500_000_000


def run(plan: Plan, log: Log) -> dict[str, Any]:
    """Measure what the plan asks for.

    Args:
        plan: What to measure.
        log: Called with a line about what is measured next.

    Returns:
        ``machine``, ``versions``, ``notes`` and an entry for each section, as values that JSON can
        hold.
    """
    start = time.monotonic()
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "dreamvideo": __version__,
        "machine": describe(),
        "versions": {},
        "steps": [],
        "notes": [],
    }
    report["notes"] = make_notes(report["machine"], plan)
    if plan.describe_gpu:
        try:
            report["gpus"] = describe_gpus()
        except WorkerError as error:
            report["notes"].append(f"the GPU is not described: {error}")
        if report.get("gpus", {}).get("names"):
            plan = add_gpu_programs(plan)
    for section in plan.sections:
        try:
            SECTIONS[section](report, plan, log)
        except WorkerError as error:
            # Keep what has been measured so far.
            report["notes"].append(f"the section {section} is incomplete: {error}")
    report["seconds"] = round(time.monotonic() - start, 1)
    return report


def run_steps(report: dict[str, Any], plan: Plan, log: Log) -> None:
    """Compare the gradient steps of all programs."""
    with export_networks(plan.networks, log) as folder:
        for network in plan.networks:
            for threads in plan.threads:
                found, versions, failures = measure_steps(plan, network, threads, folder, log)
                report["steps"] += found
                report["versions"] |= versions
                report["notes"] += [
                    f"{KNOWN_PROGRAMS[name].label} is left out: {reason}"
                    for name, reason in failures.items()
                ]


def run_cores(report: dict[str, Any], plan: Plan, log: Log) -> None:
    """Time films in one process, and in one for each core."""
    memory = report["machine"]["memory"] or PROCESS_MEMORY
    processes = int(max(1, min(available_processors(), memory // PROCESS_MEMORY)))
    report["cores"] = measure_processes(plan, processes, log)


def run_film(report: dict[str, Any], plan: Plan, log: Log) -> None:
    """Time films, coherent and independent."""
    report["film"] = measure_film(plan, log)


def run_curve(report: dict[str, Any], plan: Plan, log: Log) -> None:
    """Time films and measure their quality from the best point to ``--fast``."""
    report["curve"] = measure_curve(plan, log)


SECTIONS = {"steps": run_steps, "cores": run_cores, "film": run_film, "curve": run_curve}


@contextmanager
def export_networks(networks: tuple[str, ...], log: Log) -> Iterator[Path]:
    """Write the files of the networks that the workers load, for the duration of the block."""
    bundled = resources.files("dreamvideo.dream.weights") / "efficientnet-lite0.npz"
    with (
        resources.as_file(bundled) as archive,
        TemporaryDirectory(prefix="dreamvideo-bench-") as folder,
    ):
        with Worker("reference") as worker:
            for network in networks:
                log(f"{network}: writing its weights for all programs")
                worker.ask("export", network=network, archive=str(archive), folder=folder)
        yield Path(folder)


def make_notes(machine: dict[str, Any], plan: Plan) -> list[str]:
    """Return what a reader of the figures should know beforehand."""
    notes = []
    if has_onednn_by_default(machine):
        notes.append(
            "TensorFlow enables oneDNN by default on this processor; on others the row with oneDNN "
            "off is what TensorFlow's recipe takes"
        )
    if plan.torch is None:
        notes.append(
            "PyTorch is not compared: torch is not installed (in a clone of dreamvideo, run "
            'pip install -e ".[bench]"; or name a Python that has it with --torch-python PATH)'
        )
    load = machine["load"]
    if load is not None and load > BUSY * machine["cores"]:
        notes.append(f"the machine was busy at the start (load {load}): repeat it when it is quiet")
    return notes
