"""Count the processors to compute on: the machine's, or fewer if this process is limited."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dreamvideo.control_groups import GROUPS, PROCESSES, find_groups

PROCESSOR = Path("/proc/cpuinfo")


def read_processor_flags(info: Path = PROCESSOR) -> frozenset[str]:
    """Return the processor's features by the kernel's names; empty where it does not list them."""
    with suppress(OSError):
        found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", info.read_text("utf-8"), re.MULTILINE)
        if found:
            return frozenset(found[1].split())
    return frozenset()


def available_processors(processes: Path = PROCESSES, groups: Path = GROUPS) -> int:
    """Return how many processors this process may use at a time.

    The minimum of those that it may run on and of what each control group above us may use of them
    (``docker run --cpus 2``), rounded up. ``processes`` and ``groups`` are the locations of the
    kernel's files.
    """
    return max(1, min([_count_allowed(), *_quotas(processes, groups)]))


def _count_allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(processes: Path, groups: Path) -> Iterator[int]:
    for version, group in find_groups("cpu", processes, groups):
        with suppress(OSError, ValueError):
            if version == 1:
                quota = int((group / "cpu.cfs_quota_us").read_text())
                period = int((group / "cpu.cfs_period_us").read_text())
            else:
                quota, period = map(int, (group / "cpu.max").read_text().split())
            if quota > 0 and period > 0:
                yield math.ceil(quota / period)
