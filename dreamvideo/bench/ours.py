"""The worker that takes this package's own steps, through the door that every render uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dreamvideo.bench.step_api import LAYERS, STEP_SIZE, Climb, Image, handlers
from dreamvideo.bench.worker_rpc import serve
from dreamvideo.version import __version__


def dreamer(network: str, weights: str, precision: str = "float32", **settings: Any) -> Any:
    """A dreamer of the bench's layers; the bundled network has its own weights."""
    from dreamvideo.dream import models
    from dreamvideo.dream.dreamer import Dreamer
    from dreamvideo.settings import DreamSettings
    from dreamvideo.settings.machine import make_machine

    own = models.find_entry(network).is_bundled
    return Dreamer(
        DreamSettings(
            model=network,
            weights=None if own else Path(weights).with_suffix(".weights.h5"),
            layers=",".join(LAYERS[network]),
            step_size=STEP_SIZE,
            # The very step of the reference: nothing is done to its gradient.
            balance="none",
            detail=1.0,
            **settings,
        ),
        machine=make_machine(precision=precision),
    )


def prepare(form: str, network: str, weights: str) -> Climb:
    """The climb of a dream with one octave and jitter.

    Words after ``ours`` change that: ``bfloat16`` has gradients in it, ``still`` has no jitter,
    ``octaves-N`` so many octaves.
    """
    words = form.split("-")
    settings: dict[str, Any] = {"octaves": 1}
    if "bfloat16" in words:
        settings["precision"] = "bfloat16"
    if "still" in words:
        settings["jitter"] = 0
    if "octaves" in words:
        settings["octaves"] = int(words[-1])
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
