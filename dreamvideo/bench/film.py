"""Time whole films: the first frame, the pace, the stages, memory, and what coherence costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench.plan import Log, Plan
from dreamvideo.bench.steps import interleave
from dreamvideo.bench.synthetic_clip import make_clip
from dreamvideo.bench.worker import Worker

Render = Callable[..., dict[str, Any]]
# Memory is compared on films of this (height, width), so that the long one takes less than minutes.
SMALL = (144, 256)
SHORT_FILM = 10
INDEPENDENT_FRAMES, COHERENT_FRAMES = 5, 14
INDEPENDENT = {"coherence": {"coherence": 0}}


def measure_film(plan: Plan, log: Log) -> dict[str, Any]:
    """Time films of the bundled network in one process."""
    log(f"film: {plan.frames} frames")
    with open_renderer(plan) as render:
        whole = render(plan.frames)
        times = whole["times"]
        log("film: coherent and independent frames")
        paces: dict[str, list[float]] = {"coherent": [], "independent": []}
        for kind in interleave(list(paces), max(1, plan.rounds // 2)):
            if kind == "coherent":
                made = render(min(plan.frames, COHERENT_FRAMES))
            else:
                made = render(min(plan.frames, INDEPENDENT_FRAMES), overrides=INDEPENDENT)
            paces[kind].append(round(find_pace(made["times"]), 4))
    log(f"film: memory with {SHORT_FILM} and with {plan.long_film} frames")
    memory = []
    for frames in (SHORT_FILM, plan.long_film):
        with open_renderer(plan, SMALL, frames) as render:
            memory.append(render(frames)["memory"])
    height, width = plan.film_size
    return {
        "height": height,
        "width": width,
        "frames": len(times),
        "first frame": round(whole["first frame"], 2),
        "frames per minute": round(60 * len(times) / whole["seconds"], 1),
        "seconds per frame": paces,
        "stages": {
            name: round(each / whole["seconds"], 4) for name, each in whole["stages"].items()
        },
        "memory": whole["memory"],
        "memory by frames": [[SHORT_FILM, memory[0]], [plan.long_film, memory[1]]],
    }


def measure_processes(plan: Plan, processes: int, log: Log) -> dict[str, list[float]]:
    """Return frames per second of a film of several shots, by a description of how it is rendered.

    They count from the first frame on, because a longer film makes up for the start.
    """
    log(f"film: 1 and {processes} processes")
    frames, shots = 2 * plan.frames, 2 * processes
    ways = {"1 process": {}, f"{processes} processes": {"workers": str(processes)}}
    bfloat16 = {"workers": str(processes), "precision": "bfloat16"}
    ways[f"{processes} processes, --precision bfloat16"] = bfloat16
    rates: dict[str, list[float]] = {way: [] for way in ways}
    with open_renderer(plan, frames=frames, shots=shots) as render:
        for way in interleave(list(ways), max(1, plan.rounds // 2)):
            made = render(frames, **ways[way])
            times = made["times"]
            rates[way].append(round((len(times) - 1) / (made["seconds"] - times[0]), 3))
    return rates


@contextmanager
def open_renderer(
    plan: Plan,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    shots: int = 1,
) -> Iterator[Render]:
    """Start a process that renders the first frames of a clip: (frames, options) -> timings.

    ``first frame`` is measured from the start of the process.

    Args:
        plan: The clip and its size.
        size: Another (height, width), of a synthetic clip.
        frames: Number of frames of a synthetic clip.
        shots: Number of shots of a synthetic clip.
    """
    height, width = size or plan.film_size
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name:
        clip = None if size else plan.clip
        if clip is None:
            clip = Path(name, "clip.mp4")
            make_clip(clip, width, height, frames or plan.frames, shots)
        with Worker("ours") as worker:

            def render(frames: int, *, op: str = "render", **options: Any) -> dict[str, Any]:
                made: dict[str, Any] = worker.ask(
                    op,
                    clip=str(clip),
                    output=str(Path(name, "film.mp4")),
                    frames=frames,
                    size=f"{width}x{height}",
                    **options,
                )
                made["first frame"] = made["start"] + made["times"][0] - worker.start
                return made

            yield render


def find_pace(times: list[float]) -> float:
    """Return the mean seconds per frame after the first, which is always a full dream."""
    return (times[-1] - times[0]) / max(1, len(times) - 1)
