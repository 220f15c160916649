"""How many processes a render is worth: (machine, look, clip, segments) -> a number."""

from __future__ import annotations

import os
from collections.abc import Sequence
from heapq import heapreplace
from pathlib import Path

from dreamvideo.dream.dreamer import ladder_for
from dreamvideo.errors import UsageError
from dreamvideo.memory import available_memory
from dreamvideo.render.carry import settle
from dreamvideo.render.footage import Footage
from dreamvideo.render.made import DEFAULT_MACHINE
from dreamvideo.render.resources import working_memory
from dreamvideo.settings import Look
from dreamvideo.settings.machine import MachineSettings

# A process takes seconds to start and its clip has to be read beforehand, so a film must take
# this long before more than one pays; guessed from what one ordinary core does of the bundled
# network's steps, in pixels a second.
LONG_ENOUGH = 60.0
PIXEL_STEPS = 2.5e6
# Divided less evenly than this, the longest segment alone takes most of what is gained.
LEAST_GAIN = 1.5
# A process by itself: TensorFlow, the network, its gradient's buffers.
OWN_MEMORY = 1_200_000_000
GPUS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
MOST = 256


def cores(machine: MachineSettings = DEFAULT_MACHINE) -> int:
    """How many processors may be used: those that are asked for, or all that there are."""
    if machine.threads is not None:
        return machine.threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    if (read.expected or 0) * pixels * steps < LONG_ENOUGH * PIXEL_STEPS:
        return 1
    fit = available_memory() // (OWN_MEMORY + working_memory(width, height))
    return max(1, min(cores(machine), fit))


def sensible_workers(most: int, machine: MachineSettings, lengths: Sequence[int]) -> int:
    """How many of ``most`` processes to start for segments of these lengths."""
    count = max(1, min(most, len(lengths)))
    even = sum(lengths) >= LEAST_GAIN * longest_queue(lengths, count)
    return count if machine.workers != "auto" or even else 1


def longest_queue(lengths: Sequence[int], count: int) -> int:
    """How many frames the busiest of ``count`` workers dreams, the longest segments going first."""
    queues = [0] * count
    for length in sorted(lengths, reverse=True):
        heapreplace(queues, queues[0] + length)
    return max(queues)


def asked_workers(machine: MachineSettings) -> int | None:
    """How many processes are asked for; None: as many as pay. Raises UsageError."""
    text = machine.workers
    if text == "auto":
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST:
        return int(text)
    raise UsageError(f"--workers {text}: write auto, or a number of processes from 1 to {MOST}")
