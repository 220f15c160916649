"""Choose the device on which gradients are computed."""

from __future__ import annotations

from dataclasses import dataclass

from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError


@dataclass(frozen=True)
class Device:
    """A device by TensorFlow's name; ``is_gpu`` if compiling a step with XLA pays off."""

    name: str
    is_gpu: bool


def choose_device(choice: str) -> Device:
    """Return the device for ``auto``, ``cpu`` or ``gpu``. Raises UsageError if there is none."""
    gpus = tensorflow().config.list_physical_devices("GPU")
    if choice == "gpu" and not gpus:
        raise UsageError(
            "--device gpu: TensorFlow finds no GPU here, only the CPU: leave --device out, or "
            "install TensorFlow for GPUs (pip install 'tensorflow[and-cuda]')"
        )
    is_gpu = bool(gpus) and choice != "cpu"
    return Device("/GPU:0" if is_gpu else "/CPU:0", is_gpu)
