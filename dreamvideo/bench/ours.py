"""The worker that takes this package's own steps, through the class that every render uses."""

from __future__ import annotations

from pathlib import Path

from dreamvideo.bench.step_worker import LAYERS, STEP_SIZE, Ascend, Image, serve_steps
from dreamvideo.dream import models
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.settings import DreamSettings
from dreamvideo.settings.machine import make_machine
from dreamvideo.version import __version__


def prepare(precision: str, network: str, folder: Path) -> Ascend:
    """Return gradient ascent that takes exactly the reference's step, at a precision."""
    bundled = models.find_entry(network).is_bundled
    settings = DreamSettings(
        model=network,
        weights=None if bundled else folder / f"{network}.weights.h5",
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


def versions() -> dict[str, str]:
    """Return the versions in use."""
    return {"dreamvideo": __version__, "tensorflow": str(tensorflow().__version__)}


if __name__ == "__main__":
    serve_steps(prepare, versions)
