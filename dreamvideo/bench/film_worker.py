"""The worker that renders films as the command does, and watches where the time goes."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.bench.stage_timer import watched
from dreamvideo.bench.step_api import peak_memory
from dreamvideo.bench.worker_rpc import serve
from dreamvideo.media.film_encode import EncodeOptions

RATE = Fraction(25)
# Pixels a frame that the scene and the ball before it move, in a frame 640 wide.
PAN, BALL = 2.2, -3.1


def render(
    clip: str,
    output: str,
    frames: int,
    size: str,
    settings: dict[str, Any],
    workers: str,
    precision: str,
) -> dict[str, Any]:
    """Render the first frames of a clip.

    Seconds from the call to every frame that is dreamt (``times``) and to every word of progress
    by its stage (``marks``), of every stage and of the whole; pixels of all gradient steps; the
    peak memory in bytes; ``size`` of all frames as they are stored, in bytes.
    """
    import dreamvideo
    from dreamvideo.render.job.job import Job, job_folder
    from dreamvideo.settings.machine import make_machine

    look = dreamvideo.make_look((), settings)
    marks: dict[str, list[float]] = {}
    stored = [0]

    def listen(progress: dreamvideo.Progress) -> None:
        marks.setdefault(progress.stage, []).append(time.perf_counter() - began)
        if progress.stage == "encoding" and not stored[0]:
            parts = Job.at(job_folder(Path(output))).segment_stores()
            stored[0] = sum(record.size for part in parts for record in part.records)

    with watched() as clock:
        began = time.perf_counter()
        made = dreamvideo.dream_video(
            clip,
            output,
            look,
            end=f"{frames}f",
            size=size,
            overwrite=True,
            on_progress=listen,
            machine=make_machine(workers=workers, precision=precision),
        )
        whole = time.perf_counter() - began
    return {
        "frames": made.frames,
        "seconds": whole,
        "times": marks.get("dreaming", []),
        "marks": marks,
        "size": stored[0],
        "stages": clock.seconds,
        "pixels": clock.pixels,
        "memory": peak_memory(),
    }


def make_clip(path: str, width: int, height: int, frames: int, shots: int = 1) -> None:
    """Write a synthetic film: a textured scene that pans, and a ball that flies before it.

    In each of ``shots`` of equal length it is another scene.
    """
    from dreamvideo.media.stills import store_frame
    from dreamvideo.media.write import StoredFrame, encode

    scale = width / 640
    length = -(-frames // shots)
    travel = round(abs(PAN) * scale * length) + 2
    scenes = [texture(height, width + travel, 2 * shot) for shot in range(shots)]
    ball = texture(height, width, 1)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    with TemporaryDirectory(prefix="dreamvideo-bench-") as folder:
        stored = []
        for number in range(frames):
            shot, index = divmod(number, length)
            shift = np.float32(PAN * scale * index)
            frame = cv2.remap(scenes[shot], columns + shift, rows, cv2.INTER_CUBIC)
            x = (width * 0.8 + BALL * scale * index) % width
            disc = np.hypot(columns - x, rows - height * 0.55) < height * 0.18
            moved = cv2.remap(
                ball, columns - np.float32(x), rows, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
            )
            frame = np.where(disc[..., None], moved, frame)
            stored.append(StoredFrame(Path(folder, f"{number:06d}.png"), number / RATE))
            store_frame(stored[-1].path, frame)
        encode(
            stored,
            Path(path),
            duration_of_last=1 / RATE,
            source=None,
            rate=RATE,
            options=EncodeOptions(overwrite=True),
        )


def texture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Coloured noise of many sizes, H x W x 3: coarse forms strong, fine ones weak."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for side in (4, 8, 16, 32, 64, 128):
        coarse = random.normal(0, side**0.5, (height // side + 2, width // side + 2, 3))
        total += cv2.resize(
            coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
    total = (total - total.mean()) / total.std()
    return np.asarray(np.clip(128 + 48 * total, 0, 255), np.uint8)


def flicker(film: str, source: str, frames: int, pairs: int) -> dict[str, Any]:
    """X: the film's warping error beyond its source's, as a share of independent dreaming's."""
    from dreamvideo.metrics.measure import measure_film

    report = measure_film(film, source, against_independent=True, end=f"{frames}f", pairs=pairs)
    against: Any = report.to_json_able()["independent"]
    return {"X": against["flicker"], "strength": against["strength"]}


def scan_seconds(clip: str) -> float:
    """Seconds a frame to read a clip for its cuts, its beginning left out."""
    import dreamvideo
    from dreamvideo.render.parallel.shots import scan_clip
    from dreamvideo.render.source import ClipRequest, open_clip_range
    from dreamvideo.settings import make_output

    times: list[float] = []
    look = dreamvideo.make_look(())
    read = open_clip_range(ClipRequest(Path(clip)), make_output())
    scan_clip(read, look, 1, lambda _: times.append(time.perf_counter()))
    return (times[-1] - times[0]) / (len(times) - 1)


def join_seconds(width: int, height: int) -> float:
    """Seconds that a frame at a joint takes: both dreams read, one made of them, that stored."""
    from dreamvideo.media.stills import store_frame
    from dreamvideo.media.write import StoredFrame
    from dreamvideo.processors import available_processors
    from dreamvideo.render.job.segment_store import ahead_path
    from dreamvideo.render.job.segments import Segment
    from dreamvideo.render.parallel.crossfade import join_segments, make_ahead_png

    count = 4
    part = Segment(index=1, first=count, count=1, warm_up=count)
    with TemporaryDirectory(prefix="dreamvideo-bench-") as name:
        folder = Path(name)
        for each in ("ahead", "joined"):
            (folder / each).mkdir()
        frames = [StoredFrame(folder / f"{n}.png", n / RATE) for n in range(count + 1)]
        for number, frame in enumerate(frames):
            store_frame(frame.path, texture(height, width, number))
            ahead = make_ahead_png(texture(height, width, 90 + number), texture(height, width, 99))
            ahead_path(folder, 1, number).write_bytes(ahead)
        began = time.perf_counter()
        join_segments(folder, [part], frames, available_processors(), lambda _: None)
        return (time.perf_counter() - began) / count


if __name__ == "__main__":
    serve(
        {
            "render": render,
            "make_clip": make_clip,
            "flicker": flicker,
            "join_seconds": join_seconds,
            "scan_seconds": scan_seconds,
        }
    )
