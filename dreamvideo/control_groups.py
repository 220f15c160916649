"""The control groups that limit this process, as those of a container do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROCESSES, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def find_groups(
    controller: str, processes: Path = PROCESSES, groups: Path = GROUPS
) -> Iterator[tuple[int, Path]]:
    """Yield (version, folder) of every group above us, as far as they are visible from here.

    Args:
        controller: What they limit: ``memory`` or ``cpu``.
        processes: Where the kernel describes processes.
        groups: Where the kernel describes groups.
    """
    try:
        lines = (processes / "self" / "cgroup").read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        root = groups / controller if controllers else groups
        # In a container the path is the host's, and our own group is mounted as the root.
        for level in (PurePosixPath(path), *PurePosixPath(path).parents):
            yield 1 if controllers else 2, root / str(level).strip("/")
