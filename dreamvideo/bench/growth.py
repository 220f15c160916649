"""How cost grows: k of cost ~ size^k for pixels, frames, octaves and steps."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench.film import MODULE, clip_of, render
from dreamvideo.bench.plan import FILM_NETWORK, Plan, Say
from dreamvideo.bench.statistics import exponent
from dreamvideo.bench.worker_rpc import Worker
from dreamvideo.bench.workers import thread_environment

PIXELS = ((180, 320), (255, 453), (360, 640), (509, 905), (720, 1280))
MIDDLE = (360, 640)
STEPS = (2, 4, 8, 16)
OCTAVES = (1, 2, 3, 4, 5)


def measure(plan: Plan, weights: dict[str, str], say: Say) -> dict[str, Any]:
    """Exponents with the costs that they were fitted to: one thread, the bundled network."""
    rounds = 2 if plan.quick else 5
    sizes = PIXELS[:3] if plan.quick else PIXELS
    with Worker("dreamvideo.bench.ours", thread_environment(1)) as worker:
        archive = weights.get(FILM_NETWORK, "")

        def seconds(form: str, size: tuple[int, int], steps: int) -> list[float]:
            asked: dict[str, Any] = {
                "form": form,
                "height": size[0],
                "width": size[1],
                "steps": steps,
            }
            return [worker.ask("batch", **asked)["seconds"] for _ in range(rounds)]

        forms = {count: f"ours-octaves-{count}" for count in OCTAVES}
        for form in forms.values():
            worker.ask("load", form=form, network=FILM_NETWORK, weights=archive)
            worker.ask("batch", form=form, height=180, width=320, steps=1)
        say("growth: pixels")
        pixels = {size[0] * size[1]: seconds(forms[1], size, 2) for size in sizes}
        say("growth: steps")
        steps = {count: seconds(forms[1], PIXELS[0], count) for count in STEPS}
        say("growth: octaves")
        octaves = {count: seconds(form, MIDDLE, 2) for count, form in forms.items()}
    say("growth: frames")
    return {
        "pixels": fitted(pixels),
        "steps": fitted(steps),
        "octaves": fitted(octaves),
        "frames": fitted(frames_of(plan)),
    }


def frames_of(plan: Plan) -> dict[int, list[float]]:
    """Frames after the first -> seconds since it, of one film."""
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name, Worker(MODULE) as worker:
        folder = Path(name)
        with clip_of(plan, folder, plan.frames) as clip:
            times = render(worker, clip, folder / "film.mp4", plan.frames, "320x180")["times"]
    since = {count: [at - times[0]] for count, at in enumerate(times[1:], 1)}
    kept = [count for count in (2, 4, 8, 16, 32) if count in since]
    return {count: since[count] for count in [*kept, len(since)]}


def fitted(costs: dict[int, list[float]]) -> dict[str, Any]:
    """The exponent, and what it was fitted to: sizes, median seconds."""
    seconds = [median(values) for values in costs.values()]
    return {
        "exponent": round(exponent(list(costs), seconds), 3),
        "sizes": list(costs),
        "seconds": [round(value, 5) for value in seconds],
    }
