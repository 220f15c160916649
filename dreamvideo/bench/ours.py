"""The worker of this package: it takes steps with the class that every render uses, and renders
films as the command does.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import dreamvideo
from dreamvideo import timers
from dreamvideo.bench.quality import Alone, keep_alone, measure_quality
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
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.recipe import load_recorded_look
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
    workers: str = "1",
    precision: str = "float32",
    overrides: dict[str, Any] | None = None,
    fast: bool = False,
) -> dict[str, Any]:
    """Render the first frames of a clip.

    Args:
        clip: The clip.
        output: The film.
        frames: Number of frames.
        size: As ``--size``.
        workers: As ``--workers``.
        precision: As ``--precision``.
        overrides: Settings of the look by group and name.
        fast: As ``--fast``.

    Returns:
        ``seconds`` in all; ``times``, seconds until each frame was dreamt; ``start``, the time of
        day; ``stages``, seconds of each stage; ``memory``, the peak in bytes; ``settled``, the size
        of the dream and the precision.
    """
    look = dreamvideo.make_look((), overrides, fast=fast)
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
    width, height = map(int, size.split("x"))
    return {
        "seconds": seconds,
        "times": times,
        "start": start,
        "stages": stages,
        "memory": peak_memory(),
        "settled": {
            "dream size": choose_dream_size(look.dream.dream_size, (width, height)),
            "precision": load_recorded_look(output).precision or "float32",
        },
    }


def render_and_judge(pairs: int, alone: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Render a film and measure its ``quality``.

    Args:
        pairs: Pairs of neighbouring frames to compare with frames dreamt alone.
        alone: Settings of these, by group and name. They are kept for the next film, so all films
            of a process must be of one clip and size.
        options: As ``render`` takes them.
    """
    made = render(**options)
    independent = _keep_alone(dreamvideo.make_look((), alone).dream)
    film, clip, end = Path(options["output"]), Path(options["clip"]), f"{options['frames']}f"
    return {**made, "quality": measure_quality(film, clip, end, pairs, independent)}


@lru_cache(maxsize=1)
def _keep_alone(dream: DreamSettings) -> Alone:
    return keep_alone(dream)


def versions() -> dict[str, str]:
    """Return the versions in use."""
    return {"dreamvideo": __version__, "tensorflow": str(tensorflow().__version__)}


def devices() -> dict[str, Any]:
    """Return the ``names`` of the GPUs that TensorFlow finds, and what it is ``built for``."""
    config = tensorflow().config
    names = []
    for gpu in config.list_physical_devices("GPU"):
        found = config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, found.get("compute_capability", ())))
        name = str(found.get("device_name", gpu.name))
        names.append(f"{name} (compute capability {capability})" if capability else name)
    build = tensorflow().sysconfig.get_build_info()
    known = {"CUDA": "cuda_version", "cuDNN": "cudnn_version"}
    return {
        "names": names,
        "built for": {name: str(build[key]) for name, key in known.items() if build.get(key)},
    }


if __name__ == "__main__":
    serve_steps(
        prepare, versions, render=render, render_and_judge=render_and_judge, devices=devices
    )
