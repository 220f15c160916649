"""The worker that takes this package's own steps, through the door that every render uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dreamvideo.bench.climbing import LAYERS, STEP_SIZE, Climb, Image, handlers
from dreamvideo.bench.talk import serve
from dreamvideo.version import __version__


def dreamer(network: str, weights: str, precision: str = "float32", **settings: Any) -> Any:
    """A dreamer of the bench's layers; the bundled network has its own weights."""
    from dreamvideo.dream import models
    from dreamvideo.dream.dreamer import Dreamer
    from dreamvideo.settings import DreamSettings
    from dreamvideo.settings.machine import make_machine

    own = models.entry(network).is_bundled
    return Dreamer(
        DreamSettings(
            model=network,
            weights=None if own else Path(weights).with_suffix(".weights.h5"),
            layers=",".join(LAYERS[network]),
            step_size=STEP_SIZE,
            **settings,
        ),
        machine=make_machine(precision=precision),
    )


def prepare(form: str, network: str, weights: str) -> Climb:
    """The climb of a dream with one octave and jitter.

    Or, for ``ours-still``, without jitter; for ``ours-bfloat16``, with gradients in that; for
    ``ours-octaves-N``, with so many octaves.
    """
    settings: dict[str, Any] = {"octaves": 1}
    if form == "ours-bfloat16":
        settings["precision"] = "bfloat16"
    elif form == "ours-still":
        settings["jitter"] = 0
    elif form.startswith("ours-octaves-"):
        settings["octaves"] = int(form.rpartition("-")[2])
    dreams = dreamer(network, weights, **settings)

    def climb(image: Image, steps: int) -> Image:
        climbed: Image = dreams.dream(image, steps=steps).image
        return climbed

    return climb


def versions() -> dict[str, str]:
    """What computes."""
    from dreamvideo.dream.runtime import tensorflow

    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset")
    return {
        "dreamvideo": __version__,
        "tensorflow": str(tensorflow().__version__),
        "oneDNN in ours": onednn,
    }


if __name__ == "__main__":
    serve(handlers(prepare, versions))
