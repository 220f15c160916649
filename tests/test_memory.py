"""Memory that can be had: the kernel's word, and the control groups' where they say less."""

from __future__ import annotations

import ctypes
import subprocess
import sys
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


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="glibc only"
)
@pytest.mark.parametrize(("prelude", "heaps"), [("", 5), ("share_heap()", 1)])
def test_threads_share_one_heap_and_freed_memory_is_returned(prelude: str, heaps: int) -> None:
    script = f"""
import threading
import ctypes
import subprocess
import sys
from pathlib import Path
from dreamvideo.memory import release_memory, share_heap

{prelude}
meeting = threading.Barrier(5)

def allocate():
    kept = [bytes(1 << 14) for _ in range(100)]
    meeting.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
meeting.wait()
for thread in threads:
    thread.join()

def measure():
    return int(Path("/proc/self/statm").read_text().split()[1]) >> 8

blocks = [bytearray(b"x" * (1 << 16)) for _ in range(1600)]
kept, blocks = blocks[::200], None
before = measure()
release_memory()
import ctypes, tempfile
with tempfile.NamedTemporaryFile() as file:
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(library.fopen(file.name.encode(), b"w"))
    library.malloc_info(0, stream)
    library.fclose(stream)
    print(before - measure(), Path(file.name).read_text().count("<heap "))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    returned, found = map(int, done.stdout.split())
    assert returned > 50 and found == heaps
