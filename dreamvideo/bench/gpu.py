"""What a GPU did, as lines to send in: this project has no GPU to time its own way of using one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from dreamvideo.bench.plan import GPU_PROGRAMS, KNOWN_PROGRAMS, OURS, Plan
from dreamvideo.bench.worker import Worker

# The drivers' own notes of their versions.
DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/sys/module/amdgpu/version"))
HEADING = (
    "What to send in about TensorFlow and the GPU of this machine, as an issue of the project, "
    "whose authors have no GPU to time it on"
)
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")


def describe_gpus() -> dict[str, Any]:
    """Return the ``names`` of the GPUs that TensorFlow finds, the ``driver``'s version, and what
    TensorFlow was ``built for``. Raises WorkerError.
    """
    with Worker("ours") as worker:
        found: dict[str, Any] = worker.ask("devices")
    return {**found, "driver": find_driver()}


def find_driver(files: Sequence[Path] = DRIVERS) -> str | None:
    """Return the version of a GPU's driver from its file; None if it has none."""
    for path in files:
        if path.is_file() and (found := _VERSION.search(path.read_text("utf-8", "replace"))):
            return found[0]
    return None


def add_gpu_programs(plan: Plan) -> Plan:
    """Return a plan that also times our step in float16, and on the processor."""
    more = [name for name in GPU_PROGRAMS if name not in plan.programs]
    return replace(plan, programs=(*plan.programs, *more))


def list_lines(report: dict[str, Any]) -> list[str]:
    """Return what a user of a GPU should send in, from a report that has ``gpus``."""
    gpus, machine, versions = report["gpus"], report["machine"], report["versions"]
    names = ", ".join(gpus["names"]) or "none found by TensorFlow"
    libraries = ", ".join(f"{name} {value}" for name, value in sorted(versions.items()))
    built = ", ".join(f"{name} {value}" for name, value in gpus["built for"].items())
    return [
        f"dreamvideo {report['dreamvideo']} on {machine['system']}, {machine['processor']}, "
        f"{machine['cores']} cores",
        f"GPU: {names}; driver {gpus['driver'] or 'unknown'}",
        f"{libraries or 'no versions'}; TensorFlow is built for {built or 'processors only'}",
        *_list_ratios(report),
    ]


def _list_ratios(report: dict[str, Any]) -> Iterator[str]:
    for each in report["steps"]:
        timings = {name: median(t["milliseconds"]) for name, t in each["timings"].items()}
        if OURS not in timings:
            continue
        ratios = "; ".join(
            f"{KNOWN_PROGRAMS[name].label} {time / timings[OURS]:.2f}"
            for name, time in timings.items()
            if name != OURS
        )
        yield (
            f"step of {each['network']} at {each['width']}x{each['height']}, {each['threads']} "
            f"threads: {timings[OURS]:.3g} ms; relative to it: {ratios or 'nothing'}"
        )
    if film := report.get("film"):
        paces = {name: median(each) for name, each in film["seconds per frame"].items()}
        ratio = paces["coherent"] / paces["independent"]
        yield (
            f"film of {film['width']}x{film['height']}: first frame {film['first frame']:.1f} s, "
            f"then {paces['coherent']:.3g} s a frame, {ratio:.2f} of a frame alone; "
            f"dream {film['stages']['dream']:.0%} of the time; {film['memory'] / 1e9:.2f} GB"
        )
    if curve := report.get("curve"):
        times = ", ".join(
            f"{point['options']} {median(point['seconds per frame']):.3g}"
            for point in curve["points"]
        )
        yield f"curve at {curve['width']}x{curve['height']}, seconds a frame: {times}"
