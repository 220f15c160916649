"""Estimate the memory that the gradient of a picture takes, and the memory it may take."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.step import Step
from dreamvideo.memory import available_memory
from dreamvideo.settings.machine import MachineSettings

# Side in pixels of the picture at which a network's memory is estimated.
PROBE = 256
# What the estimate misses: scratch memory of the kernels, and fragmentation.
SLACK = 1.1
# Bytes of a process that has loaded TensorFlow and a network.
STARTED = 800 << 20
# Bytes per pixel that a step holds for the whole picture, tiled or not: image, gradient, update.
PICTURE = 8 * 3 * 4
# And for each network but the first: its gradient, normalised, and side by side with the others'.
FURTHER = 3 * 3 * 4
# More bytes per pixel than any network takes: if this fits, no closer estimate is needed.
AMPLE = 8000


def memory_bound(machine: MachineSettings) -> int:
    """Return the bytes that a process may take in total.

    Without ``max_memory`` it is half of the memory that is free now, rounded down to a power of
    two, so that the same command uses the same tiles although the free memory varies a little.
    """
    if machine.most_bytes is not None:
        return machine.most_bytes
    return int(2 ** ((available_memory() // 2).bit_length() - 1))


def with_memory_bound(machine: MachineSettings) -> MachineSettings:
    """Return the settings with ``max_memory`` fixed, for a job that must resume in the same way."""
    if machine.most_bytes is not None:
        return machine
    return machine.model_copy(update={"max_memory": f"{memory_bound(machine) >> 10}KiB"})


class MemoryEstimate:
    """The memory of one step's gradient, as a function of the picture's size."""

    def __init__(self, step: Step, machine: MachineSettings) -> None:
        self._step = step
        self._bound = memory_bound(machine)

    def most_pixels(self, height: int, width: int) -> int:
        """Return how many pixels of a picture of that size can be differentiated at once."""
        pixels = height * width
        free = self._bound - STARTED - pixels * (PICTURE + FURTHER * (len(self._step.parts) - 1))
        if free >= pixels * AMPLE:
            return pixels
        return max(0, int(free / self.bytes_a_pixel))

    @cached_property
    def bytes_a_pixel(self) -> float:
        """Peak bytes per pixel of the gradient, that of several networks one after another."""
        return max(map(self._measure, self._step.parts))

    def _measure(self, step: Step) -> float:
        tf = tensorflow()
        image = tf.TensorSpec([PROBE, PROBE, 3], tf.float32)
        extras = {
            name: tf.TensorSpec([side or PROBE for side in spec.shape], spec.dtype)
            for name, spec in step.extras_spec.items()
        }
        traced = tf.function(step.gradient, autograph=False)
        graph = traced.get_concrete_function(image, extras).graph
        return SLACK * _peak(graph.get_operations()) / PROBE**2


def _peak(operations: list[Any]) -> int:
    """Return the peak of live bytes when operations run in order, not counting constants."""
    left = {}
    live = peak = 0
    for operation in operations:
        if operation.type not in {"Const", "Placeholder"}:
            for output in operation.outputs:
                left[output.ref()] = len(output.consumers())
                live += _bytes(output)
        peak = max(peak, live)
        for used in operation.inputs:
            if used.ref() in left:
                left[used.ref()] -= 1
                live -= _bytes(used) if left[used.ref()] == 0 else 0
    return peak


def _bytes(tensor: Any) -> int:
    return int(tensor.shape.num_elements() or 0) * int(tensor.dtype.size)
