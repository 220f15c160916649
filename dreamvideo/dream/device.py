"""Where the gradient is computed."""

from __future__ import annotations

from dataclasses import dataclass

from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError


@dataclass(frozen=True)
class Device:
    """A device by TensorFlow's name; ``is_gpu`` where a step compiled by XLA pays."""

    name: str
    is_gpu: bool


def choose_device(choice: str) -> Device:
    """The device meant by ``auto``, ``cpu`` or ``gpu``; UsageError where there is none such."""
    gpus = tensorflow().config.list_physical_devices("GPU")
    if choice == "gpu" and not gpus:
        raise UsageError(
            "--device gpu: TensorFlow finds no GPU here, only the CPU: leave --device out, or "
            "install TensorFlow for GPUs (pip install 'tensorflow[and-cuda]')"
        )
    is_gpu = bool(gpus) and choice != "cpu"
    return Device("/GPU:0" if is_gpu else "/CPU:0", is_gpu)
