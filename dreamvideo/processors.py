"""Find the processors to compute on: the machine's, or fewer if this process is limited."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from dreamvideo.control_groups import GROUPS, PROCESSES, find_groups

NODES = Path("/sys/devices/system/node")
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


def choose_home(place: int, threads: int, nodes: Path = NODES) -> frozenset[int] | None:
    """Choose the processors for one of several processes of a machine with several memories (NUMA).

    Memory of another node than the processor's own is slower. So each process is kept, with its
    memory, on the processors of one node, and the nodes take as many processes as they have room
    for.

    Args:
        place: Number of the process, from 0.
        threads: How many threads each of the processes uses.
        nodes: Location of the kernel's files.

    Returns:
        Processors; None if it is better to run on all of them: the machine has one node, or is not
        known, no node has that many, or the nodes are full.
    """
    allowed = _list_allowed()
    homes = [allowed.intersection(node) for node in _list_nodes(nodes)]
    rooms = [len(home) // threads for home in homes]
    if sum(room > 0 for room in rooms) < 2 or place >= sum(rooms):
        return None
    # Filled evenly: the next process goes where the largest share of the room is left.
    taken = [0] * len(homes)
    for _ in range(place + 1):
        home = max(range(len(homes)), key=lambda n: (rooms[n] - taken[n], -n))
        taken[home] += 1
    return frozenset(homes[home])


def stay_home(processors: Collection[int] | None) -> None:
    """Keep this process on these processors, where the system supports it; None changes nothing.

    Must be called before it starts threads.
    """
    if processors and hasattr(os, "sched_setaffinity"):
        # They may have been taken from us meanwhile.
        with suppress(OSError):
            os.sched_setaffinity(0, processors)


def _count_allowed() -> int:
    return len(_list_allowed()) or os.cpu_count() or 1


def _list_allowed() -> set[int]:
    """Return the processors that this process may run on; empty if unknown."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _list_nodes(folder: Path) -> list[set[int]]:
    """Return the processors of each node, as the kernel lists them; empty if unknown."""
    found: list[set[int]] = []
    with suppress(OSError, ValueError):
        numbered = ((int(path.name[4:]), path) for path in folder.glob("node[0-9]*"))
        for _, path in sorted(numbered):
            found.append(_read_ranges((path / "cpulist").read_text("ascii")))
        return found
    return []


def _read_ranges(text: str) -> set[int]:
    """Parse numbers and ranges as in ``0-3,8,10-11``."""
    ranges = (part.partition("-") for part in text.split(",") if part.strip())
    return {
        number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)
    }


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
