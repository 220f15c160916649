"""Stages of a render: each counts its own time, on every thread, and only while recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import contents, quick_dream

from dreamvideo import Look, dream_video, timers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only the test moves: its time in seconds."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def test_a_stage_counts_its_own_time_only(clock: list[float]) -> None:
    @timers.stage("flow")
    def flow() -> int:
        clock[0] += 2
        return 5

    with timers.record() as seconds:
        for _ in range(2):
            with timers.stage("carry"):
                clock[0] += 1
                assert flow() == 5
    flow()
    assert seconds == {"carry": 2, "flow": 4}


def test_items_are_timed_while_they_are_made(clock: list[float]) -> None:
    def make(count: int) -> Iterator[int]:
        for number in range(count):
            clock[0] += 1
            yield number

    with timers.record() as seconds:
        for _ in timers.each("decode", make(3)):
            clock[0] += 10
    assert seconds == {"decode": 3}
    items = make(3)
    assert timers.each("decode", items) is items


def test_a_stage_ends_with_an_error_and_counts_on_every_thread(clock: list[float]) -> None:
    def fail() -> None:
        with pytest.raises(KeyError), timers.stage("store"):
            clock[0] += 1
            raise KeyError

    with timers.record() as seconds:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        fail()
    assert seconds == {"store": 2}


def test_every_stage_of_a_render_is_recorded_and_changes_nothing(
    shelf: Path, tmp_path: Path
) -> None:
    look = Look(dream=quick_dream(steps=1))
    with timers.record() as seconds:
        dream_video(shelf / "clip.mp4", tmp_path / "recorded", look, end="3f")
    dream_video(shelf / "clip.mp4", tmp_path / "plain", look, end="3f")
    assert set(seconds) == {"decode", "flow", "dream", "warp and carry", "store", "encode"}
    assert min(seconds.values()) > 0
    assert contents(tmp_path / "recorded") == contents(tmp_path / "plain")
