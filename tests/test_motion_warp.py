from __future__ import annotations

import cv2
import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dreamvideo.motion.warp import Border, Interpolation, inside, warp


def _blob(x: float, y: float, sigma: float, height: int = 120, width: int = 200) -> synthetic.Frame:
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    blob: synthetic.Frame = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(
        np.float32
    )
    return blob


def _place(blob: synthetic.Frame) -> complex:
    weights = np.where(blob > 0.3 * blob.max(), blob, 0)
    columns, rows = np.meshgrid(np.arange(blob.shape[1]), np.arange(blob.shape[0]))
    return complex((weights * columns).sum(), (weights * rows).sum()) / float(weights.sum())


def _even(dx: float, dy: float, height: int = 120, width: int = 200) -> NDArray[np.float32]:
    return np.full((height, width, 2), (dx, dy), np.float32)


@pytest.mark.parametrize("interpolation", ["lanczos", "cubic", "linear"])
@pytest.mark.parametrize("border", ["replicate", "mirror", "wrap"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_zero_flow_changes_nothing(
    interpolation: Interpolation, border: Border, channels: tuple[int, ...]
) -> None:
    grey = synthetic.texture(37, 53)[..., 0]
    image = np.stack([grey] * channels[0], -1) if channels else grey
    moved = warp(
        image, np.zeros((37, 53, 2), np.float32), interpolation=interpolation, border=border
    )
    assert np.array_equal(moved, image)
    assert moved.dtype == np.float32


@settings(max_examples=25, deadline=None)
@given(dx=st.integers(-6, 6), dy=st.integers(-6, 6))
def test_whole_pixels_are_fetched_from_where_the_flow_points(dx: int, dy: int) -> None:
    image = synthetic.texture(40, 60)
    moved = warp(image, _even(dx, dy, 40, 60))
    y, x = np.mgrid[8:32, 8:52]
    np.testing.assert_allclose(moved[y, x], image[y + dy, x + dx], atol=1e-6)


@pytest.mark.parametrize("border", ["replicate", "mirror", "wrap"])
def test_borders_show_what_they_say(border: Border) -> None:
    image = synthetic.texture(40, 60)
    outside = {
        "replicate": image[:, -1],
        "mirror": image[:, -4],
        "wrap": image[:, 2],
    }[border]
    moved = warp(image, _even(3, 0, 40, 60), border=border)
    np.testing.assert_allclose(moved[5:-5, -1], outside[5:-5], atol=1e-6)


@pytest.mark.sample(4)
@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("step", [0.2 + 0j, 0.01 + 0.1j, -0.05j, 0.3 - 0.25j])
def test_a_hundred_small_steps_arrive_where_geometry_says(step: complex, sigma: float) -> None:
    blob = _blob(100, 60, sigma)
    for _ in range(100):
        blob = warp(blob, _even(-step.real, -step.imag), border="mirror")
    assert abs(_place(blob) - (100 + 60j + 100 * step)) < 0.25


def test_sixty_resamplings_keep_the_detail_and_the_range() -> None:
    image = synthetic.texture(90, 160)
    start, moved = float(cv2.Laplacian(image[20:-20, 20:-20], cv2.CV_32F).std()), image
    for step in range(60):
        angle = 2.4 * step
        moved = warp(moved, _even(0.37 * np.cos(angle), 0.41 * np.sin(angle), 90, 160))
    end = float(cv2.Laplacian(moved[20:-20, 20:-20], cv2.CV_32F).std())
    assert 0.6 < end / start < 1.15
    assert np.abs(moved).max() < 1.3 * np.abs(image).max()


def test_mean_brightness_survives_chained_warps() -> None:
    image = synthetic.texture(64, 64)
    moved = image
    for _ in range(200):
        moved = warp(moved, _even(0.43, -0.29, 64, 64), border="wrap")
    np.testing.assert_allclose(moved.mean((0, 1)), image.mean((0, 1)), atol=1e-3)


def test_exact_flow_turns_the_previous_frame_into_the_current_one() -> None:
    clip = _moving_thing()
    seen = clip.visible[2]
    error = warp(clip.frames[1], clip.flows[2]) - clip.frames[2]
    unmoved = clip.frames[1] - clip.frames[2]
    assert (error[seen] ** 2).mean() < 0.01 * (unmoved[seen] ** 2).mean()


def test_a_negated_forward_flow_is_no_backward_flow() -> None:
    clip = _moving_thing()
    ahead = synthetic.scene(
        120, 200, synthetic.still(2), synthetic.flight(2, 107 + 60j, -7), radius=30
    ).flows[1]
    seen = clip.visible[2]
    right = warp(clip.frames[1], clip.flows[2]) - clip.frames[2]
    wrong = warp(clip.frames[1], -ahead) - clip.frames[2]
    assert (wrong[seen] ** 2).mean() > 20 * (right[seen] ** 2).mean()


def test_inside_knows_the_edge() -> None:
    flow = _even(0, 0, 10, 12)
    assert inside(flow).all()
    flow[..., 0], flow[..., 1] = 2, -3
    within = inside(flow)
    assert within[3:, :-2].all()
    assert not within[:3].any()
    assert not within[:, -2:].any()


def _moving_thing() -> synthetic.Clip:
    """A disc that moves 7 px a frame to the right over a background that stands still."""
    return synthetic.scene(
        120, 200, synthetic.still(3), synthetic.flight(3, 93 + 60j, 7), radius=30
    )
