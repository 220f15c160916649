from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from tiny import quick_dream

from dreamvideo.media.probe import probe
from dreamvideo.render import estimate
from dreamvideo.render.estimate import estimate_clip
from dreamvideo.settings import Look


@pytest.fixture
def even_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every measured piece of work takes a second."""

    def one_second(work: object) -> float:
        assert callable(work)
        work()
        return 1.0

    monkeypatch.setattr(estimate, "_seconds", one_second)


@pytest.mark.usefixtures("even_clock")
def test_an_estimate_grows_with_frames_steps_and_pixels(shelf: Path) -> None:
    info = probe(shelf / "clip.mp4")
    look = Look(dream=quick_dream(steps=10))
    base = estimate_clip(info, (64, 48), look)
    assert base.frames == 8
    assert base.seconds > 8 * base.seconds_per_frame
    long = estimate_clip(replace(info, duration=info.duration * 100), (64, 48), look)
    assert long.frames == 800
    assert long.seconds - base.seconds == pytest.approx(792 * base.seconds_per_frame)
    assert long.disk_bytes == 100 * base.disk_bytes
    assert estimate_clip(info, (64, 48), look, Fraction(50)).frames == 16
    more = Look(dream=quick_dream(steps=40))
    assert estimate_clip(info, (64, 48), more).seconds_per_frame > 2 * base.seconds_per_frame


@pytest.mark.usefixtures("even_clock")
def test_large_frames_are_measured_small_and_scaled(shelf: Path) -> None:
    info = probe(shelf / "clip.mp4")
    look = Look(dream=quick_dream(steps=2))
    small, large = (estimate_clip(info, size, look) for size in ((640, 360), (1280, 720)))
    assert 2 * small.seconds_per_frame < large.seconds_per_frame <= 4 * small.seconds_per_frame
    assert large.disk_bytes == 4 * small.disk_bytes
