"""What the workers that take gradient steps have in common.

Imports nothing but NumPy, so that it also runs in an interpreter that has only PyTorch besides.
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

from dreamvideo.bench.worker import serve

Image = NDArray[np.float32]
# (H x W x 3 in [-1, 1], number of steps) -> the image after that many steps
Ascend = Callable[[Image, int], Image]

# The reference recipe's own, in units of [-1, 1] per standard deviation of the gradient.
STEP_SIZE = 0.02
# The layers of each network whose mean activations are maximised.
LAYERS = {
    "efficientnet-lite0": ("block8_expand", "block11_expand"),
    "inception-v3": ("mixed3", "mixed5"),
    "googlenet": ("inception_3b/output", "inception_4c/output"),
}


def serve_steps(
    prepare: Callable[[str, str, Path], Ascend],
    versions: Callable[[], dict[str, str]],
    **more: Callable[..., Any],
) -> None:
    """Answer the requests of the benchmark.

    ``load`` loads a network, ``step`` takes one step from the test image and saves the result
    (.npy), ``time`` returns the seconds that a number of steps take, ``memory`` the peak memory in
    bytes.

    Args:
        prepare: (variant, network, folder with its files) -> its gradient ascent.
        versions: Returns the versions of the libraries in use.
        more: Further requests.
    """
    loaded: list[Ascend] = []

    def load(variant: str, network: str, folder: str) -> dict[str, str]:
        loaded[:] = [prepare(variant, network, Path(folder))]
        return versions()

    def step(height: int, width: int, output: str) -> None:
        np.save(output, loaded[0](make_test_image(height, width), 1))

    def time_steps(height: int, width: int, steps: int) -> float:
        image = make_test_image(height, width)
        start = time.perf_counter()
        loaded[0](image, steps)
        return time.perf_counter() - start

    serve({"load": load, "step": step, "time": time_steps, "memory": peak_memory, **more})


def make_test_image(height: int, width: int) -> Image:
    """Return noise in [-0.5, 0.5], always the same; steps from it do not reach -1 or 1."""
    random = np.random.default_rng(0)
    return random.uniform(-0.5, 0.5, (height, width, 3)).astype(np.float32)


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes; 0 if the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss includes the process that this one was forked from.
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
        if found:
            return int(found[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    usage: Any = resource.getrusage(resource.RUSAGE_SELF)
    return int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
