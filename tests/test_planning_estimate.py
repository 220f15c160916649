"""What a render is thought to take, from what work was measured to cost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from tiny import quick_dream

from dreamvideo.media.probe import probe
from dreamvideo.render.job.disk_space import estimate_disk_bytes
from dreamvideo.render.planning import estimate
from dreamvideo.render.planning.estimate import (
    Cost,
    estimate_clip,
    estimate_gain,
    estimate_seconds,
    estimate_seconds_per_frame,
    measure_cost,
)
from dreamvideo.settings import CoherenceSettings, DreamSettings, Look

COST = Cost(step=4e-7, whole=4e-7, flow=3e-7, rest=3e-7)
SIZE = (640, 360)
ALONE = CoherenceSettings(coherence=0)


def carried(**settings: float) -> Look:
    return Look(coherence=CoherenceSettings.model_validate(settings))


@pytest.fixture
def known_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "measure_cost", lambda look, size: COST)


@pytest.mark.usefixtures("known_cost")
def test_an_estimate_grows_with_frames_and_pixels(shelf: Path) -> None:
    info = probe(shelf / "clip.mp4")
    base = estimate_clip(info, SIZE, Look())
    assert base.frames == 8
    assert base.seconds > 8 * base.seconds_per_frame
    long = estimate_clip(replace(info, duration=info.duration * 100), SIZE, Look())
    assert long.frames == 800
    assert long.seconds - base.seconds == pytest.approx(792 * base.seconds_per_frame)
    assert long.disk_bytes == estimate_disk_bytes(800, *SIZE)
    assert estimate_clip(info, SIZE, Look(), Fraction(50)).frames == 16
    large = estimate_clip(info, (1280, 720), Look(dream=DreamSettings(dream_size="full")))
    small = estimate_clip(info, (1280, 720), Look())
    assert large.disk_bytes == small.disk_bytes == pytest.approx(4 * base.disk_bytes)
    assert base.disk_bytes == estimate_disk_bytes(8, *SIZE)
    assert base.seconds_per_frame < small.seconds_per_frame < large.seconds_per_frame
    assert 2 * base.seconds_per_frame < large.seconds_per_frame < 4.2 * base.seconds_per_frame
    twice = estimate_clip(info, SIZE, carried(passes=2))
    assert twice.seconds > base.seconds
    assert twice.disk_bytes == estimate_disk_bytes(8, *SIZE, 2) > base.disk_bytes
    clear = estimate_clip(replace(info, has_alpha=True), SIZE, Look())
    assert clear.disk_bytes == estimate_disk_bytes(8, *SIZE, alpha=True) > base.disk_bytes


def test_what_is_dreamt_less_takes_less() -> None:
    plain = estimate_seconds_per_frame(COST, Look(), SIZE)
    order = [
        Look(coherence=CoherenceSettings(coherence=0)),
        Look(dream=DreamSettings(steps=40)),
        Look(),
        carried(cadence=2),
        carried(cadence=4),
        Look(dream=DreamSettings(strength=0)),
    ]
    times = [estimate_seconds_per_frame(COST, look, SIZE) for look in order]
    assert times == sorted(times, reverse=True) and len(set(times)) == len(times)
    regions = Look.model_validate({"regions": [{"mask": "circle 0.5x0.5 0.3", "layers": "block5"}]})
    assert estimate_seconds_per_frame(COST, regions, SIZE) > 1.3 * plain
    scheduled = Look(dream=DreamSettings(strength=0), over_time={"dream.strength": "0:0, 1s:1"})
    assert estimate_seconds_per_frame(COST, scheduled, SIZE) == plain


def test_processes_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert (
        estimate_gain(1) == 1
        and 1.3 < estimate_gain(2) < 2
        and estimate_gain(8) == estimate_gain(2)
    )
    one, two = (estimate_seconds(COST, Look(), SIZE, 100, workers) for workers in (1, 2))
    assert two == pytest.approx(one / estimate_gain(2))


def test_this_machine_can_be_measured() -> None:
    cost = measure_cost(Look(dream=quick_dream()), (64, 48))
    assert min(cost.step, cost.whole, cost.flow, cost.rest) > 0


def test_whole_dreams_count_with_their_closing_steps() -> None:
    dearer = replace(COST, whole=2 * COST.step)
    whole = estimate_seconds_per_frame(COST, Look(coherence=ALONE), SIZE)
    more = estimate_seconds_per_frame(dearer, Look(coherence=ALONE), SIZE) - whole
    assert more > 0.4 * whole
    carried_frames = [estimate_seconds_per_frame(cost, Look(), SIZE) for cost in (COST, dearer)]
    assert carried_frames[0] == carried_frames[1]
    first = [estimate_seconds(cost, Look(), SIZE, 100) for cost in (COST, dearer)]
    assert first[1] - first[0] == pytest.approx(more)


def test_large_frames_are_measured_small(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def remember(height: int, width: int, seed: int) -> object:
        sizes.append((height, width))
        raise KeyboardInterrupt

    monkeypatch.setattr(estimate, "make_noise", remember)
    with pytest.raises(KeyboardInterrupt):
        measure_cost(Look(dream=quick_dream()), (2560, 1440))
    assert sizes == [(360, 640)]


def test_flow_in_smaller_frames_costs_less() -> None:
    large = (1280, 720)
    seconds = [
        estimate_seconds_per_frame(COST, Look(coherence=CoherenceSettings(flow_width=width)), large)
        for width in (320, 640, 1280, 2560)
    ]
    assert seconds == sorted(seconds) and seconds[0] < seconds[1] < seconds[2] == seconds[3]
