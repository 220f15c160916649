from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamvideo.motion.flow import (
    Motion,
    Quality,
    chain_motions,
    estimate,
    motion_between,
    motions_between,
    no_motion,
)

HEIGHT, WIDTH = 180, 320
MIDDLE = 160 + 90j


def _clip(
    velocity: complex, drift: complex = -1.3 + 0.6j, *, zoom: float = 1.0, scale: int = 1
) -> synthetic.Clip:
    """A turning disc that moves over a background that drifts (px a frame at 320 wide)."""
    middle, velocity, drift = MIDDLE * scale, velocity * scale, drift * scale
    return synthetic.scene(
        HEIGHT * scale,
        WIDTH * scale,
        synthetic.glide(2, drift, zoom=zoom, about=middle),
        synthetic.flight(2, middle - velocity, velocity, degrees=1),
        radius=36 * scale,
    )


def _motion(clip: synthetic.Clip, t: int = 1) -> Motion:
    return motion_between(clip.frames[t], clip.frames[t - 1])


def _errors(flow: np.ndarray, clip: synthetic.Clip) -> np.ndarray:
    """End-point errors in px over what is visible in both frames."""
    errors: np.ndarray = np.linalg.norm(flow - clip.flows[1], axis=-1)[clip.visible[1]]
    return errors


@pytest.mark.parametrize(("velocity", "zoom"), [(2, 1.0), (8 + 3j, 1.0), (20, 1.0), (-4, 1.03)])
def test_fine_flow_is_within_a_tenth_of_a_pixel(velocity: complex, zoom: float) -> None:
    clip = _clip(velocity, zoom=zoom)
    errors = _errors(estimate(clip.frames[1], clip.frames[0]), clip)
    assert np.median(errors) < 0.1
    assert errors.mean() < 0.3


@pytest.mark.parametrize(("quality", "bound"), [("fast", 0.3), ("medium", 0.15), ("fine", 0.06)])
def test_each_quality_keeps_its_bound(quality: Quality, bound: float) -> None:
    clip = _clip(5)
    flow = estimate(clip.frames[1], clip.frames[0], quality=quality)
    assert np.median(_errors(flow, clip)) < bound


@pytest.mark.integration
def test_wide_frames_are_estimated_small_and_scaled_up() -> None:
    clip = _clip(5, scale=3)
    flow = estimate(clip.frames[1], clip.frames[0])
    assert flow.shape == (HEIGHT * 3, WIDTH * 3, 2)
    assert np.median(_errors(flow, clip)) < 0.2


def test_the_flow_points_backward() -> None:
    clip = _clip(6, drift=0)
    flow = estimate(clip.frames[1], clip.frames[0])
    np.testing.assert_allclose(np.median(flow[80:100, 150:170], (0, 1)), [-6, 0], atol=0.5)


@pytest.mark.parametrize("light", [(0.6, 0.0), (1.0, 0.4), (1.3, -0.1)])
def test_a_change_of_light_neither_bends_the_flow_nor_costs_trust(
    light: tuple[float, float],
) -> None:
    clip = synthetic.relit(_clip(5), lambda t: light if t else (1.0, 0.0))
    motion = _motion(clip)
    assert np.median(_errors(motion.flow, clip)) < 0.15
    assert motion.confidence[clip.visible[1]].mean() > 0.95


def test_grain_costs_little() -> None:
    clip = synthetic.noisy(_clip(5), 0.06)
    motion = _motion(clip)
    assert np.median(_errors(motion.flow, clip)) < 0.2
    assert motion.confidence[clip.visible[1]].mean() > 0.9


def test_a_repeated_frame_does_not_move_and_is_fully_trusted() -> None:
    frame = synthetic.texture(HEIGHT, WIDTH)
    motion = motion_between(frame, frame.copy())
    assert not motion.flow.any()
    assert (motion.confidence == 1).all()


@pytest.mark.parametrize("velocity", [10, -14 + 6j, 20])
def test_what_was_hidden_is_not_trusted_and_what_was_seen_is(velocity: complex) -> None:
    clip = _clip(velocity)
    motion = _motion(clip)
    hidden = ~clip.visible[1]
    hidden[:25] = hidden[-25:] = False
    hidden[:, :25] = hidden[:, -25:] = False
    core = cv2.erode(hidden.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert core.sum() > 100
    assert motion.confidence[core].mean() < 0.35
    assert motion.confidence[clip.visible[1]].mean() > 0.97


def test_ground_that_comes_in_at_the_edge_is_not_trusted() -> None:
    clip = synthetic.scene(HEIGHT, WIDTH, synthetic.glide(2, 12))
    motion = _motion(clip)
    assert motion.confidence[:, :9].mean() < 0.1
    assert motion.confidence[:, 20:-20].mean() > 0.97


def test_nothing_is_trusted_across_a_change_of_scene() -> None:
    first, second = (synthetic.texture(HEIGHT, WIDTH, seed) for seed in (3, 4))
    assert motion_between(second, first).confidence.mean() < 0.3
    nothing = no_motion(first.shape)
    assert nothing.flow.shape == (HEIGHT, WIDTH, 2)
    assert not nothing.confidence.any()
    assert not nothing.flow.any()


def test_mirrored_and_reversed_clips_move_alike() -> None:
    clip = _clip(6)
    flow = estimate(clip.frames[1], clip.frames[0])
    mirrored = estimate(clip.frames[1][:, ::-1].copy(), clip.frames[0][:, ::-1].copy())
    difference = np.linalg.norm(mirrored[:, ::-1] * np.array([-1, 1], np.float32) - flow, axis=-1)
    assert np.median(difference[clip.visible[1]]) < 0.1


@pytest.mark.integration
def test_threads_do_not_disturb_each_other() -> None:
    clips = [_clip(v) for v in (2, 5, 9, -4)]
    alone = [_motion(clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(_motion, clips))
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a.flow, b.flow)
        assert np.array_equal(a.confidence, b.confidence)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size_has_a_motion(height: int, width: int) -> None:
    a, b = synthetic.texture(height, width), synthetic.texture(height, width, 1)
    motion = motion_between(a, b)
    assert motion.flow.shape == (height, width, 2)
    assert motion.confidence.shape == (height, width)
    assert np.isfinite(motion.flow).all()
    assert motion.confidence.min() >= 0
    assert motion.confidence.max() <= 1


def test_both_ways_are_as_good_as_one_way() -> None:
    now, before = _clip(8).frames[1], _clip(8).frames[0]
    onto, back = motions_between(now, before)
    for both, one in ((onto, motion_between(now, before)), (back, motion_between(before, now))):
        # What is filled depends on the other way's flow, which is less fine for one way.
        assert np.abs(both.flow - one.flow).mean() < 0.02
        assert np.abs(both.confidence - one.confidence).mean() < 0.03
    still = motions_between(now, now)
    assert all((motion.confidence == 1).all() and not motion.flow.any() for motion in still)


def test_chained_motions_lead_where_both_lead_and_trust_what_both_trust() -> None:
    clip = synthetic.scene(HEIGHT, WIDTH, synthetic.glide(3, 5 - 2j, zoom=1.02, about=MIDDLE))
    steps = [
        Motion(flow, seen.astype(np.float32))
        for flow, seen in zip(clip.flows[1:], clip.visible[1:], strict=True)
    ]
    whole = chain_motions(steps[1], steps[0])
    points = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1)
    left = (points + whole.flow)[..., 0] < 0
    assert left.any() and not whole.confidence[left].any()
    inner = whole.confidence > 0.99
    assert inner.mean() > 0.85
    poses = synthetic.glide(3, 5 - 2j, zoom=1.02, about=MIDDLE)
    at = points[..., 0] + 1j * points[..., 1]
    origin = (poses[2].turn * at + poses[2].shift - poses[0].shift) / poses[0].turn
    error = np.abs(whole.flow[..., 0] + 1j * whole.flow[..., 1] - (origin - at))
    assert error[inner].max() < 0.05
    nothing = chain_motions(steps[1], no_motion((HEIGHT, WIDTH)))
    assert not nothing.confidence.any()


def _blank(frame: np.ndarray, amount: np.ndarray, tone: float, seed: int) -> np.ndarray:
    """Fade a frame to a tone with a little grain, by an amount in [0, 1] (H x W)."""
    noise = np.random.default_rng(seed).normal(0, 0.02, frame.shape)
    return np.asarray(frame + amount[..., None] * (tone + noise - frame), np.float32)


@pytest.mark.parametrize("velocity", [5 + 4j, 9 - 6j])
def test_what_has_no_texture_moves_with_its_surroundings(velocity: complex) -> None:
    clip = synthetic.scene(HEIGHT, WIDTH, synthetic.glide(2, velocity), seed=4)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for t in (0, 1):
        there = (abs(x - 160 - t * velocity.real) < 110) & (abs(y - 90 - t * velocity.imag) < 90)
        # Out of focus: without an outline that could be followed.
        soft = cv2.GaussianBlur(there.astype(np.float32), (0, 0), 14)
        frames.append(_blank(clip.frames[t], soft, 0.2, t))
    inner = (abs(x - 160) < 66) & (abs(y - 90) < 54)
    raw, filled = (
        np.linalg.norm(
            motion_between(frames[1], frames[0], fill=fill).flow - clip.flows[1], axis=-1
        )
        for fill in (False, True)
    )
    assert np.median(raw[inner]) > 1.2
    assert np.median(filled[inner]) < 0.5 and np.percentile(filled[inner], 90) < 1


def test_a_blank_wall_does_not_follow_what_moves_in_front_of_it() -> None:
    clip = synthetic.scene(
        HEIGHT, WIDTH, synthetic.glide(2), synthetic.flight(2, MIDDLE, 6), radius=36
    )
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    wall = (abs(x - 160) < 120) & (abs(y - 90) < 70)
    apart = [np.hypot(x - 160 - 6 * t, y - 90) > 37 for t in (0, 1)]
    tone = 0.8
    before, now = (_blank(clip.frames[t], wall & apart[t], tone, 0) for t in (0, 1))
    flow = motion_between(now, before).flow
    beside = wall & (np.hypot(x - 163, y - 90) > 60)
    assert np.percentile(np.linalg.norm(flow[beside], axis=-1), 95) < 0.8


def test_texture_keeps_its_own_flow() -> None:
    clip = _clip(8 + 3j)
    raw, filled = (
        motion_between(clip.frames[1], clip.frames[0], fill=fill).flow for fill in (False, True)
    )
    assert _errors(filled, clip).mean() < _errors(raw, clip).mean() + 0.04
    np.testing.assert_array_equal(raw, estimate(clip.frames[1], clip.frames[0]))


_HASHED = """
import hashlib, sys
sys.path.insert(0, {tests!r})
import synthetic
from dreamvideo.motion.flow import motion_between
made = hashlib.sha256()
for height, width in ((96, 128), (180, 320)):
    clip = synthetic.scene(height, width, synthetic.glide(2, 3 + 2j), seed=3)
    motion = motion_between(clip.frames[1], clip.frames[0])
    made.update(motion.flow.tobytes() + motion.confidence.tobytes())
print(made.hexdigest())
"""


def test_flow_does_not_depend_on_the_threads_of_the_algebra_library() -> None:
    code = _HASHED.format(tests=str(Path(__file__).parent))
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(hashes) == 1


def test_a_tall_picture_has_no_more_cells_than_a_wide_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    resized = cv2.resize

    def watch(picture: np.ndarray, size: tuple[int, int], **options: int) -> np.ndarray:
        sizes.append(size)
        return np.asarray(resized(picture, size, **options))

    monkeypatch.setattr(cv2, "resize", watch)
    for height, width in ((180, 320), (900, 60)):
        clip = synthetic.scene(height, width, synthetic.glide(2, 1 + 2j), seed=3)
        motion_between(clip.frames[1], clip.frames[0])
    cells = [wide * high for wide, high in sizes if wide < 50]
    assert cells and max(cells) < 1000
