"""How many processes a render is worth: (machine, look, clip, segments) -> a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dreamvideo.dream.dreamer import ladder_for
from dreamvideo.errors import UsageError
from dreamvideo.memory import available_memory
from dreamvideo.processors import available_processors
from dreamvideo.render.carry import settle
from dreamvideo.render.cost import longest_queue
from dreamvideo.render.estimate import THREADS_GAIN
from dreamvideo.render.footage import Footage
from dreamvideo.render.made import DEFAULT_MACHINE
from dreamvideo.render.resources import working_memory
from dreamvideo.settings import Look
from dreamvideo.settings.machine import MachineSettings

# Measured, in seconds of one ordinary core: until a process dreams; a pixel of a clip that is read
# for its cuts; and how many pixels of the bundled network's steps it does in one second. Where all
# of it is faster alike, what is best stays the same.
START = 4.0
SCAN = 3e-8
PIXEL_STEPS = 2.4e6
# Less is not worth the memory.
LEAST_GAIN = 1.1
# A process by itself: TensorFlow, the network, its gradient's buffers.
OWN_MEMORY = 1_200_000_000
GPUS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
MOST = 256


def cores(machine: MachineSettings = DEFAULT_MACHINE) -> int:
    """How many processors may be used: those that are asked for, or all that there are."""
    return machine.threads or available_processors()


def most_workers(machine: MachineSettings, look: Look, read: Footage) -> int:
    """How many processes are asked for, or may at most pay. Raises UsageError."""
    asked = asked_workers(machine)
    if asked is not None:
        return asked
    if machine.device == "gpu" or any(path.exists() for path in GPUS):
        # A GPU is busy with one of them.
        return 1
    width, height = read.size
    pixels = sum(h * w for h, w in ladder_for(look.dream, height, width).sizes)
    steps = settle(look.coherence, look.dream.steps).steps
    frame = pixels * steps / PIXEL_STEPS
    fit = available_memory() // (OWN_MEMORY + working_memory(width, height))
    most = max(1, min(cores(machine), fit))
    pays = pay_off(read.expected or 0, frame, width * height, cores(machine), most)
    return most if pays >= LEAST_GAIN else 1


def pay_off(frames: int, frame: float, pixels: int, processors: int, most: int) -> float:
    """How many times as fast a film is in ``most`` processes as in one, at best.

    One core dreams a frame in ``frame`` seconds, c together only c ** ``THREADS_GAIN`` times as
    fast; several processes must be started, and the clip's ``pixels`` a frame be read beforehand.
    """
    alone: float = frames * frame / processors**THREADS_GAIN
    each: float = frame / (processors / most) ** THREADS_GAIN
    return alone / (START + frames * (SCAN * pixels + each / most))


def sensible_workers(most: int, machine: MachineSettings, lengths: Sequence[int]) -> int:
    """How many of ``most`` processes to start for segments of these lengths.

    As many as are asked for; else as many as are soonest done, each with its share of the cores.
    """
    count = max(1, min(most, len(lengths)))
    if machine.workers != "auto":
        return count
    processors = max(most, cores(machine))

    def time(workers: int) -> float:
        return float(longest_queue(lengths, workers) / (processors / workers) ** THREADS_GAIN)

    return min(range(1, count + 1), key=time)


def asked_workers(machine: MachineSettings) -> int | None:
    """How many processes are asked for; None: as many as pay. Raises UsageError."""
    text = machine.workers
    if text == "auto":
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST:
        return int(text)
    raise UsageError(f"--workers {text}: write auto, or a number of processes from 1 to {MOST}")
