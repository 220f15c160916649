"""A whole film: time to its first frame, pace, its stages, memory, what coherence costs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench.plan import Plan, Say
from dreamvideo.bench.statistics import ratio
from dreamvideo.bench.steps import timed
from dreamvideo.bench.worker_rpc import Worker, WorkerError, lines_of

MODULE = "dreamvideo.bench.film_worker"
# Memory is compared on films of this size, so that the long one does not take minutes.
SMALL = (256, 144)
FEW, MANY, MANY_QUICK = 10, 300, 60
PAIRS = 8


def measure(plan: Plan, _weights: dict[str, str], say: Say) -> dict[str, Any]:
    """The bundled network's film of the plan's size in one process, as the command makes it."""
    height, width = plan.film_size
    size = f"{width}x{height}"
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name, Worker(MODULE) as worker:
        folder = Path(name)
        with clip_of(plan, folder, plan.frames) as clip:
            say("film: time to the first frame of the command")
            first = [
                first_frame(clip, folder, size, plan.frames) for _ in range(1 if plan.quick else 3)
            ]
            say(f"film: {plan.frames} frames, where the time goes")
            whole = render(worker, clip, folder / "film.mp4", plan.frames, size)
            report: dict[str, Any] = {
                "clip": str(plan.clip or "synthetic"),
                "height": height,
                "width": width,
                "frames": whole["frames"],
                "first frame": timed_seconds(first),
                "seconds": round(whole["seconds"], 2),
                "frames a minute": round(60 * whole["frames"] / whole["seconds"], 1),
                "frames a minute once begun": round(60 / pace(whole["times"]), 1),
                "steps a frame": round(whole["pixels"] / whole["frames"] / height / width, 3),
                "stages": shares(whole),
                "peak memory": whole["memory"],
                "times": [round(seconds, 3) for seconds in whole["times"]],
            }
            if not plan.quick:
                say("film: flicker compared with independent frames")
                report |= worker.ask(
                    "flicker",
                    film=str(folder / "film.mp4"),
                    source=str(clip),
                    frames=plan.frames,
                    pairs=PAIRS,
                )
            say("film: coherent and independent")
            report["coherent / independent"] = coherence_cost(worker, clip, folder, plan)
    say("film: memory of a short and of a long one")
    report["memory"] = memory_growth(MANY_QUICK if plan.quick else MANY)
    return report


@contextmanager
def clip_of(plan: Plan, folder: Path, frames: int, shots: int = 1) -> Iterator[Path]:
    """The plan's clip, or a synthetic one for as long as the block."""
    if plan.clip is not None:
        yield plan.clip
        return
    clip = folder / "clip.mp4"
    with Worker(MODULE) as worker:
        worker.ask(
            "make_clip",
            path=str(clip),
            width=plan.film_size[1],
            height=plan.film_size[0],
            frames=frames,
            shots=shots,
        )
    yield clip


def render(
    worker: Worker,
    clip: Path,
    output: Path,
    frames: int,
    size: str,
    *,
    settings: dict[str, Any] | None = None,
    workers: str = "1",
    precision: str = "float32",
) -> dict[str, Any]:
    """Have a film rendered (see ``film_worker.render``)."""
    found: dict[str, Any] = worker.ask(
        "render",
        clip=str(clip),
        output=str(output),
        frames=frames,
        size=size,
        settings=settings or {},
        workers=workers,
        precision=precision,
    )
    return found


def first_frame(clip: Path, folder: Path, size: str, frames: int) -> float:
    """Seconds from starting the command until it says that the first frame is dreamt."""
    command = [sys.executable, "-m", "dreamvideo", "video", str(clip), "--size", size]
    command += ["--end", f"{frames}f", "-o", str(folder / "first.mp4"), "--restart"]
    began = time.perf_counter()
    with closing(lines_of(command)) as lines:
        for line in lines:
            if line.startswith("dreaming: 1"):
                return time.perf_counter() - began
    raise WorkerError("the command did not say when its first frame was dreamt")


def timed_seconds(values: list[float]) -> dict[str, Any]:
    """Median, quartiles and every value, in seconds."""
    return timed(values)


def pace(times: list[float]) -> float:
    """Mean seconds from frame to frame, the first left out: it is dreamt in full."""
    return (times[-1] - times[0]) / (len(times) - 1)


def shares(whole: dict[str, Any]) -> dict[str, float]:
    """Every stage's share of a render's time; ``start and rest`` is what no stage has."""
    total = whole["seconds"]
    found = {stage: round(seconds / total, 4) for stage, seconds in whole["stages"].items()}
    return {**found, "start and rest": round(max(0.0, 1 - sum(found.values())), 4)}


def coherence_cost(worker: Worker, clip: Path, folder: Path, plan: Plan) -> dict[str, Any]:
    """Time a frame of the coherent film over that of the independent one, rounds in turn."""
    size = f"{plan.film_size[1]}x{plan.film_size[0]}"
    coherent, alone = [], []
    few, many = (3, 6) if plan.quick else (5, 14)
    for _ in range(1 if plan.quick else 3):
        output = folder / "part.mp4"
        found = render(worker, clip, output, few, size, settings={"coherence": {"coherence": 0}})
        alone.append(pace(found["times"]))
        coherent.append(pace(render(worker, clip, output, many, size)["times"]))
    spread = ratio(coherent, alone)
    return {
        "ratio": round(spread.median, 4),
        "low": round(spread.low, 4),
        "high": round(spread.high, 4),
        "coherent seconds a frame": round(median(coherent), 4),
        "independent seconds a frame": round(median(alone), 4),
    }


def memory_growth(many: int) -> dict[str, Any]:
    """Peak memory of a film of ``many`` frames over that of ten, each in its own process."""
    peaks = {}
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name:
        clip, output = Path(name, "clip.mp4"), Path(name, "film.mp4")
        with Worker(MODULE) as worker:
            worker.ask("make_clip", path=str(clip), width=SMALL[0], height=SMALL[1], frames=many)
        for frames in (FEW, many):
            with Worker(MODULE) as worker:
                size = f"{SMALL[0]}x{SMALL[1]}"
                peaks[frames] = render(worker, clip, output, frames, size)["memory"]
    return {
        "frames": [FEW, many],
        "bytes": [peaks[FEW], peaks[many]],
        "ratio": round(peaks[many] / peaks[FEW], 4) if peaks[FEW] else None,
    }
