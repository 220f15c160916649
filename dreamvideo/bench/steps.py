"""Steps of every form side by side: rounds in turn, one worker at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dreamvideo.bench.plan import Plan, Say
from dreamvideo.bench.statistics import Spread
from dreamvideo.bench.step_api import picture
from dreamvideo.bench.worker_rpc import Worker, WorkerError
from dreamvideo.bench.workers import (
    BRIEF,
    COMPILE_SECONDS,
    FORMS,
    OURS,
    SLOW_TO_START,
    Staff,
    staff,
    thread_environment,
)

MOST_STEPS = 24
FEWEST_ROUNDS = 3


def measure(plan: Plan, weights: dict[str, str], say: Say) -> dict[str, Any]:
    """Cells (network, threads, size) with the milliseconds a step of each form, and the peak."""
    cells: list[dict[str, Any]] = []
    agreement: list[dict[str, Any]] = []
    profile: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    failures: dict[str, str] = {}
    peaks: list[float] = []
    forms = [form for form in FORMS if plan.forms is None or form.name in plan.forms]
    products: list[float] = []
    with Worker("dreamvideo.bench.peak", thread_environment(1)) as anvil:
        for network in plan.networks:
            for threads in plan.threads:
                say(f"{network}, {threads} {'thread' if threads == 1 else 'threads'}: loading")
                with staff(forms, threads, network, weights[network], plan.torch, say) as workers:
                    for size in plan.sizes_with(threads):
                        cells.append(
                            {
                                "network": network,
                                "threads": threads,
                                "height": size[0],
                                "width": size[1],
                                "forms": cell(plan, workers, size, say),
                            }
                        )
                        peaks += filter(None, [anvil.ask("loop")])
                        products.append(anvil.ask("product"))
                    compiled = next(filter(plan.compiles, plan.sizes))
                    if threads == plan.threads[0]:
                        say(f"{network}: do all take the same step?")
                        agreement += compared(workers, network, weights[network], compiled)
                    if threads == 1:
                        profile += profiles(
                            workers, network, next(filter(plan.compiles, plan.sizes))
                        )
                    versions |= workers.versions
                    failures |= workers.failures
    rate = max(peaks) if peaks else max(products)
    return {
        "cells": cells,
        "agreement": agreement,
        "profile": profile,
        "versions": versions,
        "failures": failures,
        "peak": {
            "flops": rate,
            "method": "loop of fused multiply-adds" if peaks else "matrix product",
            "matrix product": max(products),
        },
    }


def cell(plan: Plan, workers: Staff, size: tuple[int, int], say: Say) -> dict[str, Any]:
    """Time the forms at one size; rounds alternate between them."""
    height, width = size
    say(f"  {width} x {height}: compiling")
    wanted = [form for form in workers.forms if form != SLOW_TO_START or plan.compiles(size)]
    one = {"height": height, "width": width, "steps": 1}
    workers.ask_all("batch", wanted, limit=COMPILE_SECONDS, **one)
    first = {form: workers.ask(form, "batch", **one) for form in wanted if form in workers.workers}
    steps = {
        form: max(1, min(MOST_STEPS, round(plan.batch_seconds / answer["seconds"])))
        for form, answer in first.items()
        if answer
    }
    one_round = sum(steps[form] * first[form]["seconds"] for form in steps)
    fewest = min(plan.rounds, FEWEST_ROUNDS)
    rounds = max(fewest, min(plan.rounds, math.floor(plan.cell_seconds / one_round)))
    say(f"  {width} x {height}: {rounds} rounds of {one_round:.1f} s")
    found: dict[str, list[dict[str, float]]] = {form: [] for form in steps}
    if set(steps.values()) == {1}:
        # Single steps are so long that those that set the pace count as a round.
        found = {form: [first[form]] for form in steps}
        rounds -= 1
    for form in in_turn(list(steps), rounds):
        if form not in workers.workers:
            continue
        answer = workers.ask(form, "batch", height=height, width=width, steps=steps[form])
        if answer:
            found[form].append(answer)
    return {
        form: {
            **timed([answer["seconds"] / steps[form] * 1000 for answer in answers]),
            "cpu": round(median(a["cpu"] for a in answers) / steps[form] * 1000, 3),
            "cores": round(median(a["cpu"] / a["seconds"] for a in answers), 2),
            "memory": workers.workers[form].ask("memory"),
        }
        for form, answers in found.items()
        if form in workers.workers
    }


def in_turn(forms: list[str], rounds: int) -> Iterator[str]:
    """Every form once a round, each round beginning with another one."""
    for number in range(rounds):
        start = number % max(1, len(forms))
        yield from forms[start:] + forms[:start]


def timed(milliseconds: list[float]) -> dict[str, Any]:
    """Median, quartiles and every round's figure."""
    spread = Spread.of(milliseconds)
    return {
        "median": round(spread.median, 3),
        "low": round(spread.low, 3),
        "high": round(spread.high, 3),
        "rounds": [round(value, 3) for value in milliseconds],
    }


def profiles(workers: Staff, network: str, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Where a step of ours and of the reference goes, of those that work."""
    rows = []
    for form in ("ours", "reference"):
        if form not in workers.workers:
            continue
        place = {"network": network, "form": form, "height": size[0], "width": size[1]}
        try:
            found = workers.workers[form].ask("profile", form=form, height=size[0], width=size[1])
        except WorkerError:
            # A TensorFlow that tells it otherwise is timed all the same.
            continue
        rows.append({**place, "milliseconds": found})
    return rows


def compared(
    workers: Staff, network: str, weights: str, size: tuple[int, int]
) -> list[dict[str, Any]]:
    """How near every form's step is to ours: cosine and relative distance of what they add."""
    if OURS.name not in workers.workers:
        return []
    start = picture(*size)
    with TemporaryDirectory() as folder:
        image, output = Path(folder, "image.npy"), Path(folder, "output.npy")
        np.save(image, start)

        def added(worker: Worker, form: str) -> Any:
            if form in (OURS.name, BRIEF.name):
                # Jitter is the only thing in which others could not agree.
                form += "-still"
                worker.ask("load", form=form, network=network, weights=weights)
            worker.ask("step", form=form, image=str(image), output=str(output))
            return (np.load(output) - start).astype(np.float64).ravel()

        own = added(workers.workers[OURS.name], OURS.name)
        rows = []
        for form, worker in workers.workers.items():
            if form == OURS.name:
                continue
            other = added(worker, form)
            norms = np.linalg.norm(own) * np.linalg.norm(other)
            rows.append(
                {
                    "network": network,
                    "form": form,
                    "cosine": float(own @ other / norms),
                    "distance": float(np.linalg.norm(own - other) / np.linalg.norm(other)),
                }
            )
    return rows
