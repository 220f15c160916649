"""Decide how many processes a render is worth on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heapreplace
from pathlib import Path

from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.errors import UsageError
from dreamvideo.memory import available_memory
from dreamvideo.processors import available_processors
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.job.disk_space import estimate_memory
from dreamvideo.render.planning.estimate import THREADS_GAIN, average_steps
from dreamvideo.render.result import DEFAULT_MACHINE
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import Look
from dreamvideo.settings.machine import MachineSettings

# Measured in seconds of one ordinary core: until a process dreams; per pixel of a clip scanned for
# cuts; and step pixels of the bundled network per second. If all of them speed up alike, the best
# choice stays the same.
STARTUP_SECONDS = 4.0
SCAN_SECONDS = 3e-8
PIXEL_STEPS = 2.4e6
# A smaller speed-up is not worth the memory.
MIN_SPEEDUP = 1.1
# Memory of one process in bytes: TensorFlow, the network, the buffers of its gradient.
OWN_MEMORY = 1_200_000_000
GPUS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
MAX_WORKERS = 256


def count_cores(machine: MachineSettings = DEFAULT_MACHINE) -> int:
    """Return how many processors to use: as requested, or all that are available."""
    return machine.threads or available_processors()


def find_max_workers(machine: MachineSettings, look: Look, read: ClipRange) -> int:
    """Return how many processes are requested, or may at most pay off.

    Args:
        machine: Requested processes and threads.
        look: The look.
        read: The clip and its range.

    Raises:
        UsageError: The number of processes is invalid.
    """
    asked = parse_workers(machine)
    if asked is not None:
        return asked
    if machine.device == "gpu" or any(path.exists() for path in GPUS):
        # One process keeps a GPU busy.
        return 1
    width, height = read.size
    dreamt = choose_dream_size(look.dream.dream_size, read.size)
    pixels = sum(h * w for h, w in make_octave_schedule(look.dream, *dreamt[::-1]).sizes)
    steps, share = average_steps(look.coherence, look.dream.steps)
    frame = pixels * steps * share / PIXEL_STEPS
    fit = available_memory() // (OWN_MEMORY + estimate_memory(read.size, dreamt))
    most = max(1, min(count_cores(machine), fit))
    pays = estimate_speedup(read.expected or 0, frame, width * height, count_cores(machine), most)
    return most if pays >= MIN_SPEEDUP else 1


def estimate_speedup(frames: int, frame: float, pixels: int, processors: int, most: int) -> float:
    """Estimate how many times faster a film is in ``most`` processes than in one, at best.

    One core dreams a frame in ``frame`` seconds, c together only c ** ``THREADS_GAIN`` times as
    fast; several processes have to be started, and the clip has to be scanned beforehand.

    Args:
        frames: Number of frames.
        frame: Seconds per frame on one core.
        pixels: Pixels per frame.
        processors: Number of cores.
        most: Number of processes.
    """
    alone: float = frames * frame / processors**THREADS_GAIN
    each: float = frame / (processors / most) ** THREADS_GAIN
    return alone / (STARTUP_SECONDS + frames * (SCAN_SECONDS * pixels + each / most))


def choose_worker_count(most: int, machine: MachineSettings, lengths: Sequence[int]) -> int:
    """Choose how many processes to start.

    As many as requested; otherwise as many as finish first, each with its share of the cores.

    Args:
        most: Largest number of processes.
        machine: Requested processes and threads.
        lengths: Number of frames of each segment.
    """
    count = max(1, min(most, len(lengths)))
    if machine.workers != "auto":
        return count
    processors = max(most, count_cores(machine))

    def time(workers: int) -> float:
        return float(longest_queue(lengths, workers) / (processors / workers) ** THREADS_GAIN)

    return min(range(1, count + 1), key=time)


def parse_workers(machine: MachineSettings) -> int | None:
    """Return how many processes are requested; None: automatic. Raises UsageError."""
    text = machine.workers
    if text == "auto":
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_WORKERS:
        return int(text)
    raise UsageError(
        f"--workers {text}: write auto, or a number of processes from 1 to {MAX_WORKERS}"
    )


def longest_queue(costs: Sequence[float], count: int) -> float:
    """Return the load of the busiest of ``count`` workers, with the longest pieces first."""
    queues = [0.0] * min(count, max(1, len(costs)))
    heapify(queues)
    for cost in sorted(costs, reverse=True):
        heapreplace(queues, queues[0] + cost)
    return max(queues)
