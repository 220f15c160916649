"""The worker of this package: it takes steps with the class that every render uses, and renders
films as the command does.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import dreamvideo
from dreamvideo import timers
from dreamvideo.bench.step_worker import (
    LAYERS,
    STEP_SIZE,
    Ascend,
    Image,
    peak_memory,
    serve_steps,
)
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.settings import DreamSettings
from dreamvideo.settings.machine import make_machine
from dreamvideo.version import __version__


def prepare(precision: str, network: str, folder: Path) -> Ascend:
    """Return gradient ascent that takes exactly the reference's step, at a precision."""
    read = folder / f"{network}.caffemodel"
    made = folder / f"{network}.weights.h5"
    settings = DreamSettings(
        model=str(read) if read.exists() else network,
        weights=made if made.exists() else None,
        layers=",".join(LAYERS[network]),
        step_size=STEP_SIZE,
        octaves=1,
        jitter=0,
        balance="none",
        detail=1.0,
    )
    dreamer = Dreamer(settings, machine=make_machine(precision=precision))

    def ascend(image: Image, steps: int) -> Image:
        return dreamer.dream(image, steps=steps).image

    return ascend


def render(
    clip: str,
    output: str,
    frames: int,
    size: str,
    coherence: float | None = None,
    workers: str = "1",
    precision: str = "float32",
) -> dict[str, Any]:
    """Render the first frames of a clip.

    Args:
        clip: The clip.
        output: The film.
        frames: Number of frames.
        size: As ``--size``.
        coherence: As ``--coherence``.
        workers: As ``--workers``.
        precision: As ``--precision``.

    Returns:
        ``seconds`` in all; ``times``, seconds until each frame was dreamt; ``start``, the time of
        day; ``stages``, seconds of each stage; ``memory``, the peak in bytes.
    """
    look = dreamvideo.make_look(
        (), {} if coherence is None else {"coherence": {"coherence": coherence}}
    )
    times: list[float] = []
    done = 0

    def on_progress(progress: dreamvideo.Progress) -> None:
        nonlocal done
        # Tiles, and the end of a segment, are reported too.
        if progress.stage == "dreaming" and progress.done > done:
            done = progress.done
            times.append(time.time() - start)

    with timers.record() as stages:
        start = time.time()
        dreamvideo.dream_video(
            clip,
            output,
            look,
            end=f"{frames}f",
            size=size,
            overwrite=True,
            on_progress=on_progress,
            machine=make_machine(workers=workers, precision=precision),
        )
        seconds = time.time() - start
    return {
        "seconds": seconds,
        "times": times,
        "start": start,
        "stages": stages,
        "memory": peak_memory(),
    }


def versions() -> dict[str, str]:
    """Return the versions in use."""
    return {"dreamvideo": __version__, "tensorflow": str(tensorflow().__version__)}


if __name__ == "__main__":
    serve_steps(prepare, versions, render=render)
