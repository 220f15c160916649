"""The parts of the carried dream: maturity, the governor, the dial."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import scene, still
from test_frames_pipeline import stored
from tiny import quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.motion.flow import Motion, no_motion
from dreamvideo.render.frames.allocation import count_steps
from dreamvideo.render.frames.carry import (
    AIM,
    CARRIED_BOUNDS,
    CarrySettings,
    measure_contrast,
    propagate,
    resolve_coherence,
    start_shot,
    update_effort,
)
from dreamvideo.render.frames.frame_plan import WeightedDream
from dreamvideo.settings import CoherenceSettings

COHERENCE = CoherenceSettings()
CARRY = resolve_coherence(COHERENCE, 12)
WHOLE = np.ones((72, 96), np.float32)


@pytest.fixture(scope="module")
def parts() -> tuple[WeightedDream]:
    return (WeightedDream(Dreamer(quick_dream("block3_expand", steps=12))),)


def test_steps_follow_what_is_missing() -> None:
    assert CARRY.steps == 2
    assert [count_steps(lacking, 12, CARRY.steps) for lacking in (0.0, 0.5, 1.0)] == [2, 6, 12]


def test_the_dial_settles_the_parts_that_are_not_set() -> None:
    dials = [
        resolve_coherence(CoherenceSettings(coherence=dial), 12) for dial in (0.2, 0.5, 0.8, 1.0)
    ]
    assert [c.gain for c in dials] == sorted(c.gain for c in dials)
    assert [c.blend for c in dials] == sorted(c.blend for c in dials)
    assert [c.steps for c in dials] == sorted((c.steps for c in dials), reverse=True)
    assert {c.every for c in dials} == {2}
    chosen = CoherenceSettings(gain=0.3, blend=0.2, carried_steps=7, refresh=5, leak=0.4)
    assert resolve_coherence(chosen, 12) == CarrySettings(
        0.3, 0.2, 0.4, steps=7, every=5, holds_bands=True
    )


def test_the_governor_turns_towards_the_wanted_contrast_within_bounds() -> None:
    effort = np.full((4, 4), 0.2, np.float32)
    ratio = np.ones((4, 4), np.float32)
    ratio[0], ratio[1] = 1.2, 0.5
    turned = update_effort(effort, ratio)
    assert turned[0] == pytest.approx(0.24) and turned[3] == pytest.approx(0.2)
    assert turned[1] == pytest.approx(0.12)
    for _ in range(50):
        turned = update_effort(turned, ratio)
    assert turned.max() == pytest.approx(CARRIED_BOUNDS[1])
    assert turned.min() == pytest.approx(CARRIED_BOUNDS[0])
    assert 0.9 < AIM <= 1


def test_contrast_is_local_and_scales_with_the_detail() -> None:
    random = np.random.default_rng(1)
    detail = random.normal(0, 0.1, (120, 320, 3)).astype(np.float32)
    detail[:, 160:] *= 3
    found = measure_contrast(detail)
    assert found[60, 240] == pytest.approx(3 * found[60, 60], rel=0.2)
    assert measure_contrast(2 * detail) == pytest.approx(2 * found, rel=0.01)


def test_what_comes_into_view_ripens_over_some_frames(parts: tuple[WeightedDream]) -> None:
    (source,) = stored(scene(72, 96, still(1)).frames)
    later = [np.asarray(source + 0.01 * turn, np.float32) for turn in range(1, 8)]
    state, _ = start_shot(source, parts, WHOLE, holds_bands=True)
    fresh = np.abs(state.detail)
    blind = no_motion(source.shape)
    trust = blind.confidence.copy()
    trust[:, :72] = 1
    half = Motion(blind.flow, trust)
    everywhere = Motion(blind.flow, np.ones_like(trust))
    strengths, maturities = [], []
    for frame, motion in zip(later, (half, *6 * [everywhere]), strict=True):
        state, _ = propagate(state, frame, motion, parts, COHERENCE, WHOLE)
        strengths.append(float(np.abs(state.detail)[8:-8, 60:-8].mean()))
        maturities.append(float(state.maturity[:, 60:].mean()))
    assert maturities == sorted(maturities) and maturities[-1] == pytest.approx(1)
    assert state.maturity.min() >= 0 and state.maturity.max() <= 1 + 1e-6
    whole = float(fresh[8:-8, 60:-8].mean())
    assert 0.2 * whole < strengths[0] < strengths[-1] < 1.4 * whole
    assert strengths[-1] > 0.6 * whole


def test_a_frame_of_which_nothing_was_carried_is_dreamt_about_as_hard(
    parts: tuple[WeightedDream],
) -> None:
    (source,) = stored(scene(72, 96, still(1)).frames)
    (other,) = stored(scene(72, 96, still(1), seed=5).frames)
    state, _ = start_shot(source, parts, WHOLE, holds_bands=True)
    fresh, _ = start_shot(other, parts, WHOLE)
    after, _ = propagate(state, other, no_motion(source.shape), parts, COHERENCE, WHOLE)
    ratio = np.abs(after.detail).mean() / np.abs(fresh.detail).mean()
    assert 0.7 < ratio < 1.3
