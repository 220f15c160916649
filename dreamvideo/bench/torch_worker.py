"""The worker that takes steps in PyTorch: eager, channels-last, folded, compiled."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.bench.step_api import STEP_SIZE, Climb, Image, handlers
from dreamvideo.bench.torch_networks import NETWORKS, Convolutions
from dreamvideo.bench.worker_rpc import serve

# form -> (batch norms folded, channels-last, compiled)
FORMS = {
    "torch-eager": (False, False, False),
    "torch-channels-last": (False, True, False),
    "torch-folded": (True, True, False),
    "torch-compiled": (True, True, True),
}


def prepare(form: str, network: str, weights: str) -> Climb:
    """The climb of a form."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    folded, channels_last, compiled = FORMS[form]
    loss = NETWORKS[network](
        Convolutions(Path(weights), folded=folded, channels_last=channels_last)
    )
    step = compiled_step(loss) if compiled else eager_step(loss)
    memory = torch.channels_last if channels_last else torch.contiguous_format

    def climb(image: Image, steps: int) -> Image:
        x = torch.tensor(image.transpose(2, 0, 1)[None]).contiguous(memory_format=memory)
        for _ in range(steps):
            x = step(x)
        return np.asarray(x[0].numpy().transpose(1, 2, 0))

    return climb


def eager_step(loss: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One step, operation by operation."""
    import torch

    def step(x: Any) -> Any:
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(x), x)
        with torch.no_grad():
            return torch.clamp(x + gradient / (gradient.std() + 1e-8) * STEP_SIZE, -1, 1)

    return step


def compiled_step(loss: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One step, forward, gradient and update, as one compiled function for each size.

    The fastest of the forms that were tried: compiling the loss alone and differentiating it
    outside is slower, and so is one function for all sizes.
    """
    import torch

    gradient_of = torch.func.grad(loss)

    def step(x: Any) -> Any:
        gradient = gradient_of(x)
        return torch.clamp(x + gradient / (gradient.std() + 1e-8) * STEP_SIZE, -1, 1)

    compiled: Callable[[Any], Any] = torch.compile(step, dynamic=False)
    return compiled


def versions() -> dict[str, str]:
    """What computes."""
    import torch

    return {"torch": str(torch.__version__), "python of torch": platform.python_version()}


if __name__ == "__main__":
    serve(handlers(prepare, versions))
