"""Processors that may be used: the system's count, and the control groups' where it is less."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dreamvideo.processors import available_processors, choose_home


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


def build_nodes(folder: Path, *lists: str) -> Path:
    """A machine whose memories have these processors, written as the kernel writes them."""
    for number, text in enumerate(lists):
        (folder / f"node{number}").mkdir(parents=True)
        (folder / f"node{number}" / "cpulist").write_text(f"{text}\n")
    (folder / "online").write_text("0\n")
    return folder


def homes(nodes: Path, threads: int, count: int) -> list[list[int] | None]:
    found = [choose_home(place, threads, nodes) for place in range(count)]
    return [None if home is None else sorted(home) for home in found]


def test_processes_are_spread_evenly_over_the_nodes(machine: Path) -> None:
    # Hyperthreads are numbered behind all cores, as is usual.
    nodes = build_nodes(machine / "nodes", "0-1,4-5", "2-3,6-7")
    first, second = [0, 1, 4, 5], [2, 3, 6, 7]
    assert homes(nodes, 1, 4) == [first, second, first, second]
    assert homes(nodes, 2, 4) == [first, second, first, second]
    assert homes(nodes, 4, 2) == [first, second]
    # One that no node has room for runs anywhere.
    assert homes(nodes, 4, 4) == [first, second, None, None]


def test_a_node_takes_processes_by_its_size(machine: Path) -> None:
    nodes = build_nodes(machine / "nodes", "0-5", "6,7")
    small, large = [6, 7], [0, 1, 2, 3, 4, 5]
    found = homes(nodes, 1, 8)
    assert found.count(large) == 6 and found.count(small) == 2
    assert homes(nodes, 2, 4).count(large) == 3


def test_only_allowed_processors_of_a_node_count(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = build_nodes(machine / "nodes", "0-3", "4-7", "")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 4, 5}, raising=False)
    assert homes(nodes, 1, 2) == [[0, 1], [4, 5]]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {4, 5}, raising=False)
    assert homes(nodes, 1, 2) == [None, None]


@pytest.mark.parametrize("lists", [(), ("0-7",), ("0-7", ""), ("0-7", "oops")])
def test_without_several_nodes_a_process_runs_anywhere(
    machine: Path, lists: tuple[str, ...]
) -> None:
    (machine / "nodes").mkdir()
    assert homes(build_nodes(machine / "nodes", *lists), 1, 2) == [None, None]


def test_a_process_that_needs_more_than_a_node_runs_anywhere(machine: Path) -> None:
    nodes = build_nodes(machine / "nodes", "0-3", "4-7")
    assert homes(nodes, 5, 2) == [None, None]


def test_ten_nodes_are_in_numerical_order(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(192)), raising=False)
    lists = [f"{16 * n}-{16 * n + 15}" for n in range(12)]
    nodes = build_nodes(machine / "nodes", *lists)
    found = homes(nodes, 4, 48)
    assert [home and home[0] for home in found[:12]] == [16 * n for n in range(12)]
    assert all(found.count(home) == 4 for home in found)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_a_process_stays_where_it_is_told_to() -> None:
    script = (
        "import os; from dreamvideo.processors import stay_home; "
        "one = {min(os.sched_getaffinity(0))}; stay_home(None); stay_home({4095}); "
        "before = os.sched_getaffinity(0); stay_home(one); "
        "print(len(before), os.sched_getaffinity(0) == one)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(os.sched_getaffinity(0))), "True"]
