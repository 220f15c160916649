"""Processors that may be used: the system's count, and the control groups' where it is less."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamvideo.processors import available_processors


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose kernel lets this process run on eight processors."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/app/job\n")
    return tmp_path


def limit(machine: Path, group: str, **files: str) -> None:
    folder = machine / "groups" / group
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("cpu_", "cpu.")).write_text(f"{text}\n")


def of(machine: Path) -> int:
    return available_processors(machine / "proc", machine / "groups")


def test_without_a_limit_all_count(machine: Path, tmp_path: Path) -> None:
    assert of(machine) == 8
    limit(machine, "app/job", cpu_max="max 100000")
    assert of(machine) == 8
    assert available_processors(tmp_path / "none", tmp_path / "none") == 8


@pytest.mark.parametrize("group", [".", "app", "app/job"])
@pytest.mark.parametrize(("quota", "count"), [("200000", 2), ("150000", 2), ("10000", 1)])
def test_a_group_of_the_second_version_limits(
    machine: Path, group: str, quota: str, count: int
) -> None:
    limit(machine, "app/job", cpu_max="max 100000")
    limit(machine, group, cpu_max=f"{quota} 100000")
    assert of(machine) == count


def test_a_group_of_the_first_version_limits(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("5:cpu,cpuacct:/x\n4:memory:/y\n0::/\n")
    limit(machine, "cpu", cpu_cfs_quota_us="300000", cpu_cfs_period_us="100000")
    assert of(machine) == 3
    limit(machine, "cpu", cpu_cfs_quota_us="-1")
    assert of(machine) == 8


def test_this_machine_has_one() -> None:
    assert available_processors() >= 1
