"""The whole bench: a plan -> one report, as plain values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench import cores, farm, film, growth, steps
from dreamvideo.bench.machine import describe, has_onednn_by_default
from dreamvideo.bench.plan import Plan, Say
from dreamvideo.bench.worker_rpc import Worker, WorkerError
from dreamvideo.version import __version__

SCHEMA = 1
# Load a core above which timings are not to be trusted.
BUSY = 0.3


def run(plan: Plan, say: Say) -> dict[str, Any]:
    """Measure what the plan asks for. ``say`` hears what is being done.

    The report holds ``machine``, ``versions``, ``plan``, ``flops`` of a step, ``notes`` and one
    entry for each section.
    """
    began = time.monotonic()
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "dreamvideo": __version__,
        "machine": describe(),
        "plan": {
            "sections": plan.sections,
            "networks": plan.networks,
            "sizes": [list(size) for size in plan.sizes],
            "threads": plan.threads,
            "quick": plan.quick,
        },
        "notes": [],
    }
    lost: list[str] = []
    with materials(plan) as (weights, flops):
        report["flops"] = flops
        for name, measure in (
            ("steps", steps.measure),
            ("cores", cores.measure),
            ("film", film.measure),
            ("farm", farm.measure),
            ("growth", growth.measure),
        ):
            if name not in plan.sections:
                continue
            try:
                report[name] = measure(plan, weights, say)
            except WorkerError as error:
                # Minutes of other sections' figures are not to be lost for it.
                lost.append(f"the section {name} is left out: {error}")
    report["seconds"] = round(time.monotonic() - began, 1)
    report["machine"]["load after"] = describe()["load"]
    report["notes"] = [*lost, *notes(report, plan)]
    return report


@contextmanager
def materials(plan: Plan) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    """Weights files of the networks, for as long as the block, and how much work a step is."""
    bundled = resources.files("dreamvideo.dream.weights") / "efficientnet-lite0.npz"
    with (
        resources.as_file(bundled) as lite0,
        TemporaryDirectory(prefix="dreamvideo-bench-") as folder,
        Worker("dreamvideo.bench.reference") as reference,
    ):
        weights = {}
        for network in plan.networks:
            weights[network] = str(lite0)
            if network == "inception-v3":
                weights[network] = str(Path(folder, "inception-v3.npz"))
                reference.ask("make_weights", archive=weights[network])
        flops = [
            {
                "network": network,
                "height": height,
                "width": width,
                "flops": reference.ask(
                    "count_flops",
                    network=network,
                    weights=weights[network],
                    height=height,
                    width=width,
                ),
            }
            for network in plan.networks
            for height, width in plan.sizes
        ]
        yield weights, flops


def notes(report: dict[str, Any], plan: Plan) -> list[str]:
    """What a reader of the figures should know."""
    found = []
    if has_onednn_by_default(report["machine"]):
        found.append(
            "TensorFlow enables oneDNN by default on this processor, so the reference with its "
            "defaults is the reference with oneDNN on; elsewhere it is the one with oneDNN off"
        )
    if plan.torch is None:
        found.append(
            "PyTorch is not compared: torch is not installed (in a clone of dreamvideo, run "
            'pip install -e ".[bench]"; or name a Python that has it with --torch-python PATH)'
        )
    failures = report.get("steps", {}).get("failures", {})
    found += [f"{name} is left out: {reason}" for name, reason in failures.items()]
    load = report["machine"]["load"]
    if load is not None and load > BUSY * report["machine"]["cores"]:
        found.append(f"the machine was busy at the start (load {load}): repeat it when it is quiet")
    return found
