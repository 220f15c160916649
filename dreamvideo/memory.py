"""Memory: what is available to this process, and how it keeps what it has freed."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dreamvideo.control_groups import GROUPS, PROCESSES, find_groups

# (limit, usage, parts of memory.stat that the kernel reclaims on demand: cached files)
_V2 = ("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1 = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)
# Of glibc's malloc.h.
_ARENA_MAX = -8
# If the system reports nothing at all: the memory of a small machine.
_UNKNOWN = 4 << 30


def available_memory(processes: Path = PROCESSES, groups: Path = GROUPS) -> int:
    """Return the bytes that this process can still take without swapping or being killed.

    The minimum of what the kernel estimates to be available and of what each control group above us
    has left (containers, both versions). Without such files: the free pages, or half of all.
    ``processes`` and ``groups`` are the locations of the kernel's files.
    """
    return max(0, min([_machine(processes), *_left_by_groups(processes, groups)]))


def share_heap() -> None:
    """Let all threads of this process allocate from one heap; must be called before they start.

    Otherwise each has its own, and what one has freed lies idle while another takes more.
    """
    with suppress(OSError, AttributeError):
        _find_c_library().mallopt(_ARENA_MAX, 1)


def release_memory() -> None:
    """Return freed memory to the system, which the C library would keep for later."""
    with suppress(OSError, AttributeError):
        _find_c_library().malloc_trim(0)


def _find_c_library() -> ctypes.CDLL:
    """Return the C library; the system's own malloc outside of Linux has no such functions."""
    if sys.platform != "linux":
        raise OSError
    return ctypes.CDLL(None)


def _left_by_groups(processes: Path, groups: Path) -> Iterator[int]:
    for version, group in find_groups("memory", processes, groups):
        with suppress(OSError, ValueError):
            yield _left_by(group, *(_V1 if version == 1 else _V2))


def _machine(processes: Path) -> int:
    with suppress(OSError, ValueError):
        for line in (processes / "meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    for name, share in (("SC_AVPHYS_PAGES", 1), ("SC_PHYS_PAGES", 2)):
        with suppress(AttributeError, ValueError, OSError):
            return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE") // share
    return _UNKNOWN


def _left_by(group: Path, limit: str, usage: str, reclaimable: tuple[str, ...]) -> int:
    most, used = int((group / limit).read_text()), int((group / usage).read_text())
    stat = [line.split() for line in (group / "memory.stat").read_text().splitlines()]
    return most - used + sum(int(value) for name, value in stat if name in reclaimable)
