"""What every worker that takes steps has in common: handlers that time batches of them.

Imports nothing but NumPy, so that it runs in an interpreter that has only torch besides.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.bench.worker_rpc import Handler

Image = NDArray[np.float32]
# (H x W x 3 in [-1, 1], steps) -> the image after so many steps, back in NumPy.
Climb = Callable[[Image, int], Image]
# (form, network, weights file) -> its climb
Prepare = Callable[[str, str, str], Climb]

# The reference's own, in units of [-1, 1] per deviation of the gradient.
STEP_SIZE = 0.02
# What is dreamt: layers of every network.
LAYERS = {
    "efficientnet-lite0": ("block8_expand", "block11_expand"),
    "inception-v3": ("mixed3", "mixed5"),
}


def handlers(prepare: Prepare, versions: Callable[[], dict[str, str]]) -> dict[str, Handler]:
    """The requests of a worker that takes steps; ``form`` is one of the forms it knows.

    ``load`` makes a form ready, ``batch`` times steps of it from the same picture, ``step`` takes
    one from a picture in a file (.npy), ``profile`` tells where a step of TensorFlow's goes,
    ``memory`` is the peak so far in bytes.
    """
    climbs: dict[str, Climb] = {}

    def load(form: str, network: str, weights: str) -> dict[str, str]:
        climbs[form] = prepare(form, network, weights)
        return versions()

    def batch(form: str, height: int, width: int, steps: int) -> dict[str, float]:
        image = picture(height, width)
        wall, cpu = time.perf_counter(), time.process_time()
        climbs[form](image, steps)
        return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}

    def step(form: str, image: str, output: str) -> None:
        np.save(output, climbs[form](np.load(image), 1))

    def profile(form: str, height: int, width: int) -> dict[str, float]:
        from dreamvideo.bench.profile import profiled

        return profiled(climbs[form], height, width)

    return {
        "load": load,
        "batch": batch,
        "step": step,
        "profile": profile,
        "memory": peak_memory,
    }


def picture(height: int, width: int) -> Image:
    """Noise in [-0.5, 0.5], H x W x 3, always the same: no step reaches the clip's bounds."""
    random = np.random.default_rng(0)
    return random.uniform(-0.5, 0.5, (height, width, 3)).astype(np.float32)


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        # What a process was started from counts towards its ru_maxrss, so ask for its own.
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
        if found:
            return int(found[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    usage: Any = resource.getrusage(resource.RUSAGE_SELF)
    return int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
