"""All cores: one process with a thread on each, or a process on each core; steps and films."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench import machine
from dreamvideo.bench.figures import Spread, ratio
from dreamvideo.bench.film import MODULE, clip_of, render
from dreamvideo.bench.plan import HEADLINE, Plan, Say
from dreamvideo.bench.staff import OURS, TORCH, Form, Staff, staff
from dreamvideo.bench.steps import in_turn
from dreamvideo.bench.talk import Worker

BEST_TORCH = TORCH[2:]
# Each process holds a network and its activations.
MEMORY_EACH = 1_500_000_000


def measure(plan: Plan, weights: dict[str, str], say: Say) -> dict[str, Any]:
    """Steps a second of all cores by network, and frames a second of a film with workers."""
    report: dict[str, Any] = {
        "height": HEADLINE[0],
        "width": HEADLINE[1],
        "cores": machine.cores(),
        "steps": [together(plan, network, weights[network], say) for network in plan.networks],
    }
    if plan.networks[0] == "efficientnet-lite0":
        report["film"] = film_in_segments(plan, say)
    return report


def together(plan: Plan, network: str, weights: str, say: Say) -> dict[str, Any]:
    """Steps a second of ours and of torch's best forms, both ways to use the cores, in turn."""
    height, width = HEADLINE
    request = {"height": height, "width": width}
    say(f"{network}: all cores, one process or several")
    forms = (OURS, *BEST_TORCH)
    with ExitStack() as stack:

        def crew(threads: int) -> Staff:
            return stack.enter_context(staff(forms, threads, network, weights, plan.torch, say))

        crews = {
            "one process": [crew(machine.cores())],
            "single threads": [crew(1) for _ in range(processes())],
        }
        rates: dict[str, list[float]] = {}
        for each in (staff for team in crews.values() for staff in team):
            each.ask_all("batch", steps=1, **request)
        ways = {
            f"{form.name}, {way}": (form, team) for form in forms for way, team in crews.items()
        }
        steps = {
            name: batch_steps(plan, form, team, request)
            for name, (form, team) in ways.items()
            if all(form.name in member.workers for member in team)
        }
        for name in in_turn(list(steps), plan.rounds):
            form, team = ways[name]
            seconds = at_once(form, team, {**request, "steps": steps[name]})
            rates.setdefault(name, []).append(len(team) * steps[name] / seconds)
    return {"network": network, "rates": {n: spread_of(r) for n, r in rates.items()}, **best(rates)}


def processes() -> int:
    """As many single-threaded processes as there are cores, and memory for."""
    memory = machine.describe()["memory"] or MEMORY_EACH
    return int(max(1, min(machine.cores(), memory // MEMORY_EACH)))


def batch_steps(plan: Plan, form: Form, team: list[Staff], request: dict[str, int]) -> int:
    """Steps that make a batch long enough to be timed."""
    seconds = at_once(form, team, {**request, "steps": 1})
    return max(2, min(24, round(plan.batch_seconds / seconds)))


def at_once(form: Form, team: list[Staff], request: dict[str, int]) -> float:
    """Seconds until every member of a team has taken its batch, all begun at once."""
    workers = [member.workers[form.name] for member in team]
    began = time.perf_counter()
    for worker in workers:
        worker.send("batch", form=form.name, **request)
    for worker in workers:
        worker.receive()
    return time.perf_counter() - began


def spread_of(rates: list[float]) -> dict[str, float]:
    """Median and quartiles of steps a second."""
    spread = Spread.of(rates)
    return {
        "median": round(spread.median, 3),
        "low": round(spread.low, 3),
        "high": round(spread.high, 3),
    }


def best(rates: dict[str, list[float]]) -> dict[str, Any]:
    """The better way of ours over the best of torch's, where there is torch."""

    def fastest(prefix: str) -> str | None:
        names = [name for name in rates if name.startswith(prefix)]
        return max(names, key=lambda name: Spread.of(rates[name]).median, default=None)

    ours, other = fastest("ours"), fastest("torch")
    if ours is None or other is None:
        return {}
    spread = ratio(rates[ours], rates[other])
    return {
        "ours": ours,
        "best torch": other,
        "ratio": round(spread.median, 3),
        "ratio low": round(spread.low, 3),
        "ratio high": round(spread.high, 3),
    }


def film_in_segments(plan: Plan, say: Say) -> dict[str, Any]:
    """Frames a second of a film dreamt by one worker and by as many as the command would take."""
    say("all cores: a film in segments")
    found: dict[str, list[float]] = {}
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name, Worker(MODULE) as worker:
        folder = Path(name)
        with clip_of(plan, folder, plan.frames) as clip:
            for workers in in_turn(["1", "auto"], 1 if plan.quick else 2):
                done = render(worker, clip, folder / "film.mp4", plan.frames, workers=workers)
                found.setdefault(workers, []).append(done["frames"] / done["seconds"])
    return {name: spread_of(rates) for name, rates in found.items()}
