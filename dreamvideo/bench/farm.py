"""A film in segments: what one and two workers take, a model of it, and what many would take.

A short film is timed stage by stage with one worker and with several. The model (``render.cost``)
then tells what another, longer film takes, which is measured too; and, from the same paces, what
two hours take on a farm.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench.farm_model import LINE, StageCosts, Timeline, simulate_timeline
from dreamvideo.bench.film import MODULE, clip_of, render
from dreamvideo.bench.plan import Plan, Say
from dreamvideo.bench.worker_rpc import Worker
from dreamvideo.processors import available_processors
from dreamvideo.render.job.segments import Segment, divide_shots
from dreamvideo.render.options import WARM_UP
from dreamvideo.render.planning.estimate import THREADS_GAIN
from dreamvideo.render.planning.worker_count import MIN_SPEEDUP, estimate_speedup

MANY = 2
# Of the film that the paces are taken from, and of the one that the model is held to.
SHORT, SHORT_QUICK = 24, 10
LONG = (5, 100)
LONG_QUICK = (3, 30)
# Two hours of cinema, its shots of ordinary length.
TWO_HOURS = 172_800
SHOT = 120
SIZE = (1920, 1080)
WORKERS = (1, 16, 1000)
# Frames of that size that are read.
FEW = 12
MINUTE = 1440
# Frames of a part, where all frames are one shot.
PART = 240


def measure(plan_: Plan, _weights: dict[str, str], say: Say) -> dict[str, Any]:
    """Paces with one worker and with two, films predicted and measured, and a farm's two hours."""
    height, width = plan_.film_size
    plan_ = replace(plan_, clip=None)
    size = f"{width}x{height}"
    short = SHORT_QUICK if plan_.quick else SHORT
    shots, frames = LONG_QUICK if plan_.quick else LONG
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name:
        folder = Path(name)
        output = folder / "film.mp4"
        paces: dict[int, StageCosts] = {}
        with clip_of(plan_, folder, short * MANY, MANY) as clip:
            for workers in (1, MANY):
                say(f"farm: paces with {workers} {'worker' if workers == 1 else 'workers'}")
                with Worker(MODULE) as worker:
                    made = render(worker, clip, output, short * MANY, size, workers=str(workers))
                paces[workers] = pace_of(made, short, workers, paces.get(1))
        films = []
        with clip_of(plan_, folder, frames, shots) as clip:
            for workers in (1, MANY):
                say(f"farm: a longer film with {workers} {'worker' if workers == 1 else 'workers'}")
                with Worker(MODULE) as worker:
                    made = render(worker, clip, output, frames, size, workers=str(workers))
                films.append(
                    compared(made, predicted(paces[workers], frames, shots, workers), workers)
                )
        say("farm: what the client does of large frames")
        large = replace(plan_, film_size=SIZE[::-1])
        with clip_of(large, folder, FEW) as clip, Worker(MODULE) as worker:
            join = worker.ask("join_seconds", width=SIZE[0], height=SIZE[1])
            scan = worker.ask("scan_seconds", clip=str(clip))
    larger = SIZE[0] * SIZE[1] / width / height
    return {
        "height": height,
        "width": width,
        "join": round(join, 4),
        "scan": round(scan, 4),
        "paces": {str(workers): vars(pace) for workers, pace in paces.items()},
        "films": films,
        "pays from": pays_from(paces[1].dream, width * height),
        "farm": farm(replace(paces[MANY].scaled(larger), join=join, scan=scan)),
    }


def pace_of(
    made: dict[str, Any], length: int, workers: int, alone: StageCosts | None
) -> StageCosts:
    """The paces of a render of as many shots of ``length`` frames as there are workers, or two.

    ``alone`` are those of one worker, where this are more: of what is done side by side, the
    beginnings cannot be told apart.
    """
    marks, times = made["marks"], made["times"]
    # Of the same worker's frames, or about: they come in turn.
    dream = median(b - a for a, b in zip(times, times[workers:], strict=False))
    scan = marks.get("looking for cuts", [])
    encoding = marks["encoding"]
    each = (encoding[-1] - encoding[0]) / max(1, len(encoding) - 1)
    ended = made["seconds"] - times[-1] - each * made["frames"]
    if alone is None:
        fresh = max(0.0, times[length] - times[length - 1] - dream)
        scanned, begin = 0.0, 0.0
    else:
        fresh = alone.fresh * dream / alone.dream
        scanned = (scan[-1] - scan[0]) / max(1, made["frames"] - 1)
        begin = scan[0]
    start = times[0] - (scan[-1] if scan else 0.0) - dream - fresh
    return StageCosts(
        dream=dream,
        fresh=fresh,
        start=max(0.0, start),
        scan=scanned,
        encode=each,
        begin=begin + max(0.0, ended),
        size=made["size"] / made["frames"],
    )


def predicted(pace: StageCosts, frames: int, shots: int, workers: int) -> Timeline:
    """What the model says of a film of shots of equal length."""
    length = -(-frames // shots)
    parts = divide_shots(range(length, frames, length), frames)
    return simulate_timeline(pace, parts, workers, scanned=workers > 1)


def compared(made: dict[str, Any], model: Timeline, workers: int) -> dict[str, Any]:
    """A measured film beside its prediction."""
    times, marks = made["times"], made["marks"]
    scan = marks.get("looking for cuts", [0.0])
    return {
        "workers": workers,
        "frames": made["frames"],
        "seconds": round(made["seconds"], 2),
        "predicted": round(model.seconds, 2),
        "ratio": round(model.seconds / made["seconds"], 3),
        "first frame": round(times[0], 2),
        "share of reading": round((scan[-1] - scan[0]) / made["seconds"], 4),
        "share of encoding": round((made["seconds"] - times[-1]) / made["seconds"], 4),
    }


def pays_from(frame: float, pixels: int) -> int | None:
    """From how many cores on a minute's film of such frames is faster in a process for each.

    ``frame``: seconds that all cores of this machine take for one. None: never, up to 64.
    """
    alone = frame * available_processors() ** THREADS_GAIN
    most = range(2, 65)
    enough = (n for n in most if estimate_speedup(MINUTE, alone, pixels, n, n) >= MIN_SPEEDUP)
    return next(enough, None)


def farm(pace: StageCosts) -> list[dict[str, Any]]:
    """Two hours on many workers of one core each, over a line to the client."""
    shots = divide_shots(range(SHOT, TWO_HOURS, SHOT), TWO_HOURS)
    take = divide_shots((), TWO_HOURS, PART, WARM_UP)
    return [
        row(name, pace, parts, workers)
        for name, parts in (("shots of 5 s", shots), ("one shot, parts of 10 s", take))
        for workers in WORKERS
    ]


def row(name: str, pace: StageCosts, parts: tuple[Segment, ...], workers: int) -> dict[str, Any]:
    """One line of the table: hours of every stage."""
    found = simulate_timeline(pace, parts, workers, line=LINE)
    hours = {stage: round(seconds / 3600, 3) for stage, seconds in found.stages.items()}
    return {
        "film": name,
        "workers": workers,
        "hours": round(found.seconds / 3600, 2),
        **hours,
        "dream": round(found.dream / 3600, 3),
        "ship": round(found.ship / 3600, 3),
        "again": round(found.again, 3),
        "idle": round(found.idle, 3),
        "bottleneck": found.bottleneck,
    }
