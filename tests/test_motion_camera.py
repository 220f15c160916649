from __future__ import annotations

import cmath
import math
from fractions import Fraction

import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import Camera, camera_flow
from dreamvideo.motion.warp import warp

WIDTH, HEIGHT = 160, 90
CENTRE = complex(WIDTH - 1, HEIGHT - 1) / 2
cameras = st.builds(
    Camera,
    zoom=st.floats(0.5, 2),
    rotate=st.floats(-90, 90),
    pan=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    centre=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)


def _carried_back(point: complex, camera: Camera, dt: Fraction) -> complex:
    """Where the flow, taken between its grid points, says that ``point`` was."""
    flow = camera_flow(WIDTH, HEIGHT, camera, dt).astype(np.float64)
    field = flow[..., 0] + 1j * flow[..., 1]
    across, down = field[0, 1] - field[0, 0], field[1, 0] - field[0, 0]
    return point + complex(field[0, 0] + point.real * across + point.imag * down)


def test_no_move_is_exactly_zero() -> None:
    assert not camera_flow(WIDTH, HEIGHT, Camera(), Fraction(1, 25)).any()


def test_zooming_in_fetches_from_nearer_the_centre() -> None:
    flow = camera_flow(WIDTH, HEIGHT, Camera(zoom=2), Fraction(1))
    np.testing.assert_allclose(flow[0, 0], [(WIDTH - 1) / 4, (HEIGHT - 1) / 4], rtol=1e-6)
    np.testing.assert_allclose(flow[-1, -1], [-(WIDTH - 1) / 4, -(HEIGHT - 1) / 4], rtol=1e-6)


def test_a_quarter_turn_is_clockwise() -> None:
    image = np.zeros((9, 9), np.float32)
    image[0, 4] = 1
    turned = warp(image, camera_flow(9, 9, Camera(rotate=90), Fraction(1)))
    assert turned[4, 8] == turned.max() > 0.99


def test_a_camera_that_travels_right_and_down_shows_what_lay_there() -> None:
    flow = camera_flow(WIDTH, HEIGHT, Camera(pan=(0.1, 0.2)), Fraction(1, 2))
    np.testing.assert_allclose(flow, np.broadcast_to([8, 9], flow.shape), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(camera=cameras, rate=st.sampled_from([24, 25, 30, 60]))
def test_a_second_is_the_same_move_at_any_frame_rate(camera: Camera, rate: int) -> None:
    point = 30 + 70j
    for _ in range(rate):
        point = _carried_back(point, camera, Fraction(1, rate))
    assert abs(point - _carried_back(30 + 70j, camera, Fraction(1))) < 0.02


@settings(max_examples=30, deadline=None)
@given(camera=cameras)
def test_the_centre_stays_put_without_a_pan(camera: Camera) -> None:
    still = Camera(camera.zoom, camera.rotate, centre=camera.centre)
    centre = complex((WIDTH - 1) * camera.centre[0], (HEIGHT - 1) * camera.centre[1])
    assert abs(_carried_back(centre, still, Fraction(1, 25)) - centre) < 1e-3


@pytest.mark.parametrize(
    ("zoom", "degrees", "sigma"),
    [
        (1.02, 0.0, 1.2),
        (1.002, 0.0, 2.0),
        (1.002, 0.0, 4.0),
        (1.0, 0.5, 2.0),
        (1.0, 0.02, 2.0),
        (1.01, 0.3, 1.5),
        (0.995, -0.4, 5.0),
    ],
)
def test_a_mark_is_where_geometry_says_after_a_hundred_frames(
    zoom: float, degrees: float, sigma: float
) -> None:
    frames, end = 100, 18 - 11j
    rate = complex(math.log(zoom), math.radians(degrees))
    start = CENTRE + end * cmath.exp(-rate * frames)
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    away = (columns - start.real) ** 2 + (rows - start.imag) ** 2
    picture = np.exp(-away / (2 * sigma**2)).astype(np.float32)
    flow = camera_flow(WIDTH, HEIGHT, Camera(zoom**25, degrees * 25), Fraction(1, 25))
    for _ in range(frames):
        picture = warp(picture, flow, border="mirror")
    weights = np.where(picture > 0.5 * picture.max(), picture, 0)
    place = complex((weights * columns).sum(), (weights * rows).sum()) / float(weights.sum())
    assert abs(place - CENTRE - end) < 0.3


def test_a_mirrored_border_shows_picture_when_zooming_out() -> None:
    image = np.abs(synthetic.texture(HEIGHT, WIDTH)) + 0.1
    flow = camera_flow(WIDTH, HEIGHT, Camera(zoom=0.8), Fraction(1))
    assert warp(image.astype(np.float32), flow, border="mirror").min() > 0


@pytest.mark.parametrize("zoom", [0.0, -1.0, math.nan, math.inf])
def test_impossible_rates_are_refused_in_one_line(zoom: float) -> None:
    with pytest.raises(UsageError) as error:
        Camera(zoom=zoom)
    assert "\n" not in str(error.value)
