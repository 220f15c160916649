"""Disk and memory: refused before a render begins, said when tight, stopped before it is full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from dreamvideo.errors import MediaError
from dreamvideo.formatting import format_bytes
from dreamvideo.media.stills import stored_bytes
from dreamvideo.render.job import disk_space
from dreamvideo.render.job.disk_space import (
    FreeSpaceMonitor,
    check_memory,
    check_room,
    estimate_disk_bytes,
    estimate_reserve,
)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let every disk have so many bytes free."""

    def holds(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**15, 0, free))

    return holds


def test_an_incompressible_film_fits_into_what_was_asked_for() -> None:
    noise = np.random.default_rng(0).normal(128, 40, (180, 320, 3)).clip(0, 255).astype(np.uint8)
    stored = 20 * len(stored_bytes(noise, None))
    assert stored < estimate_disk_bytes(20, 320, 180) < 2 * stored


def test_what_is_needed_grows_with_what_is_stored() -> None:
    once = estimate_disk_bytes(100, 320, 180)
    assert 1.8 * once < estimate_disk_bytes(200, 320, 180) < 2 * once
    assert estimate_disk_bytes(100, 320, 180, 2) > 2.7 * once
    assert estimate_disk_bytes(100, 320, 180, depth=10) > 1.8 * once
    assert estimate_disk_bytes(100, 320, 180, alpha=True) > 1.2 * once


def test_what_cannot_fit_is_refused_in_one_line(
    tmp_path: Path, disk: Callable[[int], None]
) -> None:
    disk(3 * 10**9)
    with pytest.raises(MediaError) as caught:
        check_room(tmp_path, 12 * 10**9)
    line = str(caught.value)
    assert "needs about 12 GB" in line and str(tmp_path) in line and "3 GB are free" in line
    assert "--size" in line and "-o" in line and "\n" not in line


def test_tight_is_said_and_roomy_is_not(tmp_path: Path, disk: Callable[[int], None]) -> None:
    disk(3 * 10**9)
    assert check_room(tmp_path, 10**9) == ()
    (note,) = check_room(tmp_path, 29 * 10**8)
    assert "2.9 GB" in note and "3 GB are free" in note


def test_a_watch_stops_while_there_is_still_room(
    tmp_path: Path, disk: Callable[[int], None]
) -> None:
    watch = FreeSpaceMonitor(tmp_path, estimate_reserve(320, 180))
    disk(watch.reserve)
    watch.look()
    disk(watch.reserve - 1)
    with pytest.raises(MediaError, match=r"nearly full .* are free.*run it again"):
        watch.look()


def test_the_reserve_holds_some_frames_of_any_size() -> None:
    assert estimate_reserve(64, 48) >= 16 << 20
    assert estimate_reserve(7680, 4320) > 4 * 3 * 7680 * 4320 * 0.8


def test_a_watch_stops_before_memory_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FreeSpaceMonitor(tmp_path).look()
    monkeypatch.setattr(disk_space, "available_memory", lambda: 50 << 20)
    with pytest.raises(MediaError, match=r"memory is nearly used up \(52.4 MB are left\)"):
        FreeSpaceMonitor(tmp_path).look()


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    watch = FreeSpaceMonitor(tmp_path / "job")
    with pytest.raises(MediaError, match=r"job: cannot be inspected \(no such file"):
        watch.look()


def test_frames_that_no_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "available_memory", lambda: 2 * 10**9)
    check_memory((1920, 1080))
    with pytest.raises(MediaError, match=r"8192 x 8192 need about 12.9 GB of memory, 2 GB are"):
        check_memory((8192, 8192))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (12, "12 bytes"),
        (1500, "1.5 kB"),
        (999_999, "1000 kB"),
        (350_400_000, "350 MB"),
        (3 * 10**9, "3 GB"),
        (12_345_000_000_000, "12345 GB"),
    ],
)
def test_bytes_in_words(size: int, words: str) -> None:
    assert format_bytes(size) == words
