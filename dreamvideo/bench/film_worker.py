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

from dreamvideo.bench.climbing import peak_memory
from dreamvideo.bench.stages import watched
from dreamvideo.bench.talk import serve

RATE = Fraction(25)
# Pixels a frame that the scene and the ball before it move, in a frame 640 wide.
PAN, BALL = 2.2, -3.1


def render(
    clip: str, output: str, frames: int, size: str, settings: dict[str, Any], workers: str
) -> dict[str, Any]:
    """Render the first frames of a clip.

    Seconds from the call to the first frame, between the frames (one after the first: the mean
    pace), of every stage and of the whole; pixels of all gradient steps; the peak memory in bytes.
    """
    import dreamvideo
    from dreamvideo.settings.machine import make_machine

    look = dreamvideo.make_look((), settings)
    times: list[float] = []

    def listen(progress: dreamvideo.Progress) -> None:
        if progress.stage == "dreaming":
            times.append(time.perf_counter() - began)

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
            machine=make_machine(workers=workers),
        )
        whole = time.perf_counter() - began
    return {
        "frames": made.frames,
        "seconds": whole,
        "times": times,
        "stages": clock.seconds,
        "pixels": clock.pixels,
        "memory": peak_memory(),
    }


def make_clip(path: str, width: int, height: int, frames: int) -> None:
    """Write a synthetic film: a textured scene that pans, and a ball that flies before it."""
    from dreamvideo.media.stills import store_frame
    from dreamvideo.media.write import StoredFrame, encode

    scale = width / 640
    travel = round(abs(PAN) * scale * frames) + 2
    scene, ball = texture(height, width + travel, 0), texture(height, width, 1)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    with TemporaryDirectory(prefix="dreamvideo-bench-") as folder:
        stored = []
        for index in range(frames):
            shift = np.float32(PAN * scale * index)
            frame = cv2.remap(scene, columns + shift, rows, cv2.INTER_CUBIC)
            x = (width * 0.8 + BALL * scale * index) % width
            disc = np.hypot(columns - x, rows - height * 0.55) < height * 0.18
            moved = cv2.remap(
                ball, columns - np.float32(x), rows, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
            )
            frame = np.where(disc[..., None], moved, frame)
            stored.append(StoredFrame(Path(folder, f"{index:06d}.png"), index / RATE))
            store_frame(stored[-1].path, frame)
        encode(
            stored, Path(path), duration_of_last=1 / RATE, source=None, rate=RATE, overwrite=True
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
    from dreamvideo.look.review import measure_film

    report = measure_film(film, source, against_independent=True, end=f"{frames}f", pairs=pairs)
    against: Any = report.to_json_able()["independent"]
    return {"X": against["flicker"], "strength": against["strength"]}


if __name__ == "__main__":
    serve({"render": render, "make_clip": make_clip, "flicker": flicker})
