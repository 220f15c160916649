"""Available memory: the machine's, or less if a control group limits this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
# (limit, usage, parts of memory.stat that the kernel reclaims on demand: cached files)
_V2 = ("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1 = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)
# If the system reports nothing at all: the memory of a small machine.
_UNKNOWN = 4 << 30


def available_memory(process: Path = Path("/proc"), groups: Path = _GROUPS) -> int:
    """Return the bytes that this process can still take without swapping or being killed.

    The minimum of what the kernel estimates to be available and of what each control group above us
    has left (containers, both versions). Without such files: the free pages, or half of all.
    ``process`` and ``groups`` are the locations of the kernel's files.
    """
    return max(0, min([_machine(process), *_left_by_groups(process, groups)]))


def _machine(process: Path) -> int:
    with suppress(OSError, ValueError):
        for line in (process / "meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    for name, share in (("SC_AVPHYS_PAGES", 1), ("SC_PHYS_PAGES", 2)):
        with suppress(AttributeError, ValueError, OSError):
            return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE") // share
    return _UNKNOWN


def _left_by_groups(process: Path, groups: Path) -> Iterator[int]:
    try:
        memberships = (process / "self" / "cgroup").read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for membership in memberships:
        _, controllers, path = [*membership.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        root = groups / "memory" if controllers else groups
        # In a container the path is the host's, and our own group is mounted as the root.
        for level in (PurePosixPath(path), *PurePosixPath(path).parents):
            with suppress(OSError, ValueError):
                yield _left_by(root / str(level).strip("/"), *(_V1 if controllers else _V2))


def _left_by(group: Path, limit: str, usage: str, reclaimable: tuple[str, ...]) -> int:
    most, used = int((group / limit).read_text()), int((group / usage).read_text())
    stat = [line.split() for line in (group / "memory.stat").read_text().splitlines()]
    return most - used + sum(int(value) for name, value in stat if name in reclaimable)
