"""Estimate the disk space and memory of a render, check them and monitor them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.formatting import format_bytes
from dreamvideo.media.paths import describe_os_error, escape_text
from dreamvideo.memory import available_memory

Size = tuple[int, int]

# Dreamt frames are stored in a third to two thirds of their bytes, but noise takes them all.
STORED_SHARE = 1.01
# Size of the finished film, as a share of the stored frames.
FILM_SHARE = 0.1
# Size of the carried state in addition to the frames, in float pictures of three channels.
CHECKPOINT_PICTURES = 4
# Float pictures of three channels that are alive at once between a source frame and its dream.
WORKING_PICTURES = 16
# The same at the output's size, while a smaller dream is laid over it.
ENLARGING_PICTURES = 7
_FLOAT_PIXEL = 12
_TIGHT = 0.8
_LEAST_DISK = 16 << 20
_LEAST_MEMORY = 96 << 20


def estimate_disk_bytes(
    frames: int, width: int, height: int, passes: int = 1, *, depth: int = 8, alpha: bool = False
) -> int:
    """Estimate the bytes on disk: stored frames, the carried state and the film.

    Args:
        frames: Number of frames.
        width: Width in pixels.
        height: Height in pixels.
        passes: 2 if a backward pass follows, which stores the source frames and frames of its own.
        depth: Bits per channel.
        alpha: Whether frames have an alpha channel.
    """
    pixels = width * height
    raw = pixels * (4 if alpha else 3) * (2 if depth > 8 else 1)
    stored = frames * raw * STORED_SHARE * (3 if passes > 1 else 1)
    state = pixels * _FLOAT_PIXEL * CHECKPOINT_PICTURES
    return round(stored * (1 + FILM_SHARE) + state)


def estimate_memory(size: Size, dreamt: Size | None = None) -> int:
    """Estimate the bytes of memory for the pictures of one frame, without the network's own.

    Args:
        size: (width, height) of the output in pixels.
        dreamt: The same of the dream; None: the output's.
    """
    dreamt = dreamt or size
    small = dreamt[0] * dreamt[1] * WORKING_PICTURES
    full = 0 if dreamt == size else size[0] * size[1] * ENLARGING_PICTURES
    return (small + full) * _FLOAT_PIXEL


def check_room(folder: Path, needed_bytes: int) -> tuple[str, ...]:
    """Return notes for the user: one if the disk of ``folder`` will be nearly full.

    ``folder`` must exist. Raises MediaError, before any work, if ``needed_bytes`` cannot fit.
    """
    free = _measure_free(folder)
    need = f"needs about {format_bytes(needed_bytes)} on the disk of {escape_text(folder)}"
    if needed_bytes > free:
        raise MediaError(
            f"the render {need}, {format_bytes(free)} are free: make it smaller (--size) or "
            "shorter, "
            "or write it to another disk (-o)"
        )
    tight = needed_bytes > free * _TIGHT
    return (f"the render {need}, where {format_bytes(free)} are free",) if tight else ()


def check_memory(size: Size, dreamt: Size | None = None) -> None:
    """Raise MediaError for frames whose pictures alone exceed the available memory.

    Args:
        size: (width, height) of the output in pixels.
        dreamt: The same of the dream; None: the output's.
    """
    (width, height), free = size, available_memory()
    need = estimate_memory(size, dreamt)
    if need > free:
        raise MediaError(
            f"frames of {width} x {height} need about {format_bytes(need)} of memory, "
            f"{format_bytes(free)} "
            "are free: make them smaller (--size)"
        )


@dataclass(frozen=True)
class FreeSpaceMonitor:
    """Checks now and then whether there is still enough space.

    Attributes:
        folder: A folder on the disk to watch.
        reserve: Bytes that must stay free there, so that the current frame, the state and the film
            still fit.
        memory: Bytes of memory that must stay free.
    """

    folder: Path
    reserve: int = _LEAST_DISK
    memory: int = _LEAST_MEMORY

    def look(self) -> None:
        """Check once, in microseconds. Raises MediaError while the render can still be kept."""
        free = _measure_free(self.folder)
        if free < self.reserve:
            raise MediaError(
                f"the disk of {escape_text(self.folder)} is nearly full ({format_bytes(free)} "
                "are free, "
                f"{format_bytes(self.reserve)} are needed to continue): make room and run it again"
            )
        left = available_memory()
        if left < self.memory:
            raise MediaError(
                f"memory is nearly used up ({format_bytes(left)} are left): end other programs, "
                "or make "
                "it smaller (--size), and run it again"
            )


def estimate_reserve(width: int, height: int, *, depth: int = 8, alpha: bool = False) -> int:
    """Return the bytes that must stay free during a render: some frames, the state and a margin.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        depth: Bits per channel.
        alpha: Whether frames have an alpha channel.
    """
    return max(_LEAST_DISK, estimate_disk_bytes(4, width, height, depth=depth, alpha=alpha))


def _measure_free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise MediaError(
            f"{escape_text(folder)}: cannot be inspected ({describe_os_error(error)})"
        ) from error
