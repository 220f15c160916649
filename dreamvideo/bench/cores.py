"""All cores: one process with a thread on each, or a process on each core; steps and films."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench import machine
from dreamvideo.bench.film import MODULE, clip_of, render
from dreamvideo.bench.plan import FILM_NETWORK, Plan, Say
from dreamvideo.bench.statistics import Spread, ratio
from dreamvideo.bench.steps import in_turn
from dreamvideo.bench.worker_rpc import Worker
from dreamvideo.bench.workers import BRIEF, COMPILE_SECONDS, OURS, TORCH, Form, Staff, staff
from dreamvideo.processors import available_processors

BEST_TORCH = TORCH[2:]
BRIEFLY = " --precision bfloat16"
# Each process holds a network and its activations.
MEMORY_EACH = 1_500_000_000


def measure(plan: Plan, weights: dict[str, str], say: Say) -> dict[str, Any]:
    """Steps a second of all cores by network, and frames a second of a film with workers."""
    networks = plan.networks
    if FILM_NETWORK in networks and not plan.full:
        networks = (FILM_NETWORK,)
    report: dict[str, Any] = {
        "height": plan.film_size[0],
        "width": plan.film_size[1],
        "cores": available_processors(),
        "steps": [together(plan, network, weights[network], say) for network in networks],
    }
    if FILM_NETWORK in plan.networks:
        film = film_in_segments(plan, say)
        report["film"] = film | beside_torch(report["steps"], film)
    return report


def together(plan: Plan, network: str, weights: str, say: Say) -> dict[str, Any]:
    """Steps a second of ours and of torch's best forms, both ways to use the cores, in turn."""
    height, width = plan.film_size
    request: dict[str, Any] = {"height": height, "width": width}
    say(f"{network}: all cores, one process or several")
    forms = (OURS, BRIEF, *BEST_TORCH)
    with ExitStack() as stack:

        def executor(threads: int) -> Staff:
            return stack.enter_context(staff(forms, threads, network, weights, plan.torch, say))

        crews = {
            "one process": [executor(available_processors())],
            "single threads": [executor(1) for _ in range(processes())],
        }
        rates: dict[str, list[float]] = {}
        for each in (staff for team in crews.values() for staff in team):
            each.ask_all("batch", limit=COMPILE_SECONDS, steps=1, **request)
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
    return int(max(1, min(available_processors(), memory // MEMORY_EACH)))


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

    ours, other = fastest(f"{OURS.name}, "), fastest("torch")
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
    """Frames a second of a film of several shots by one worker and by one for each core.

    From its first frame on: a film has more frames than this one to make up for its start.
    """
    say("all cores: a film in segments")
    height, width = plan.film_size
    rates: dict[str, list[float]] = {}
    steps = 0.0
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name, Worker(MODULE) as worker:
        folder = Path(name)
        frames, shots = 2 * plan.frames, 2 * processes()
        with clip_of(plan, folder, frames, shots) as clip:
            many = str(processes())
            # Way -> its processes and the precision of its gradients.
            ways = {name: (name, "float32") for name in ("1", many)}
            ways[f"{many}{BRIEFLY}"] = (many, "bfloat16")
            for way in in_turn(list(ways), 1 if plan.quick else 2):
                output = folder / "film.mp4"
                workers, precision = ways[way]
                size = f"{width}x{height}"
                done = render(
                    worker, clip, output, frames, size, workers=workers, precision=precision
                )
                rate = (done["frames"] - 1) / (done["seconds"] - done["times"][0])
                rates.setdefault(way, []).append(rate)
                if way == "1":
                    steps = done["pixels"] / height / width / done["frames"]
    workers_rates = {name: spread_of(values) for name, values in rates.items()}
    return {"workers": workers_rates, "steps a frame": round(steps, 3)}


def beside_torch(steps: list[dict[str, Any]], film: dict[str, Any]) -> dict[str, float]:
    """Our film, all of it, beside the time that torch's best form takes for its steps.

    ``ratio``: frames a second over those of torch if it had nothing else to do; ``engine ratio``:
    over those of the same film, were its steps as slow as torch's.
    """
    for each in steps:
        if each["network"] == FILM_NETWORK and "best torch" in each:
            torch, ours = (
                film["steps a frame"] / each["rates"][each[form]]["median"]
                for form in ("best torch", "ours")
            )
            workers = film["workers"]
            frame = 1 / max(workers[way]["median"] for way in workers if BRIEFLY not in way)
            return {
                "torch": round(1 / torch, 4),
                "ratio": round(torch / frame, 4),
                "engine ratio": round((frame - ours + torch) / frame, 4),
            }
    return {}
