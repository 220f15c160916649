"""Memory that can be had: the kernel's word, and the control groups' where they say less."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamvideo.memory import available_memory

MB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine of 8 GB with 4 GB to spare, as its kernel shows it."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(
        "MemTotal:        8388608 kB\nMemFree:           12345 kB\nMemAvailable:    4194304 kB\n"
    )
    return tmp_path


def group(folder: Path, limit: str, usage: str, stat: str, values: tuple[object, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip((limit, usage, "memory.stat"), (*values[:2], stat), strict=True):
        (folder / name).write_text(f"{value}\n")


def of(machine: Path) -> int:
    return available_memory(machine / "proc", machine / "groups")


def test_what_the_kernel_says_is_available(machine: Path) -> None:
    assert of(machine) == 4096 * MB


@pytest.mark.parametrize("path", ["/", "/app", "/app/job"])
def test_a_group_of_the_second_version_limits(machine: Path, path: str) -> None:
    (machine / "proc/self/cgroup").write_text("0::/app/job\n")
    names = ("memory.max", "memory.current", "anon 5\ninactive_file 62914560\nactive_file 41943040")
    group(machine / "groups/app/job", *names, values=("max", 900 * MB))
    group(machine / "groups" / path.strip("/"), *names, values=(1000 * MB, 700 * MB))
    assert of(machine) == 400 * MB


def test_a_group_of_the_first_version_limits(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file 0")
    group(machine / "groups/memory", *names, values=(512 * MB, 500 * MB))
    assert of(machine) == 12 * MB


def test_a_limit_that_is_none_and_one_that_is_passed(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("4:memory:/\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file 0")
    group(machine / "groups/memory", *names, values=(9223372036854771712, 500 * MB))
    assert of(machine) == 4096 * MB
    group(machine / "groups/memory", *names, values=(400 * MB, 500 * MB))
    assert of(machine) == 0


def test_a_system_without_these_files_still_has_memory(tmp_path: Path) -> None:
    assert of(tmp_path) > 64 * MB
    assert available_memory() > 64 * MB
