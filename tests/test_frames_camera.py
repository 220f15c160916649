"""A camera over a clip: what it sees, at any time, in any order, and never black."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from synthetic import glide, scene

from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.read import Frame
from dreamvideo.motion.camera import Camera, steady
from dreamvideo.render.frames.camera import VirtualCamera, apply_camera
from dreamvideo.settings import CameraSettings

HEIGHT, WIDTH = 72, 96


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    pixels = to_bytes(scene(HEIGHT, WIDTH, glide(1), seed=3).frames[0])
    return np.maximum(pixels, 40)


def frame(seconds: Fraction) -> Frame:
    alpha = np.full((HEIGHT, WIDTH), 200, np.uint8)
    deep = picture().astype(np.uint16) * 257
    return Frame(0, seconds, Fraction(1, 25), picture(), deep, alpha)


def camera(**given: object) -> VirtualCamera:
    settings = CameraSettings.model_validate(given)
    return VirtualCamera(settings, WIDTH, HEIGHT, Fraction(1), 4.0)


def test_a_camera_that_stands_still_hands_the_frame_on() -> None:
    given = frame(Fraction(3))
    assert camera().apply(given) is given


def test_the_first_frame_is_seen_as_it_is_and_later_ones_grown() -> None:
    virtual = camera(zoom=2.0)
    first, later = virtual.apply(frame(Fraction(1))), virtual.apply(frame(Fraction(2)))
    assert np.array_equal(first.pixels, picture())
    # After a second at 2 a second the middle half fills the frame.
    middle = picture()[HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4].astype(float)
    halved = later.pixels.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean((1, 3))
    assert np.corrcoef(middle.ravel(), halved.ravel())[0, 1] > 0.97
    assert later.deep is not None and later.alpha is not None
    assert np.abs(later.deep / 257 - later.pixels).max() < 1
    assert (later.alpha == 200).all()


@pytest.mark.parametrize("border", ["mirror", "wrap", "replicate"])
def test_no_corner_is_ever_black(border: str) -> None:
    virtual = camera(zoom="0:1, 2s:0.3", rotate=50, pan="0.3x-0.2", border=border)
    for time in (Fraction(1), Fraction(9, 4), Fraction(5)):
        assert virtual.apply(frame(time)).pixels.min() > 20


def test_zooming_out_averages_rather_than_skipping_pixels() -> None:
    checks = np.indices((HEIGHT, WIDTH)).sum(0) % 2 * np.uint8(255)
    board = np.repeat(checks[..., None], 3, -1).astype(np.uint8)
    away = apply_camera(board, steady(WIDTH, HEIGHT, Camera(zoom=0.25), 1), "mirror")
    inner = away[32:40, 42:54].astype(float)
    assert abs(inner.mean() - 127.5) < 10 and inner.std() < 12


def test_a_time_shows_the_same_in_whatever_order_it_is_asked_for() -> None:
    given: dict[str, object] = {"zoom": "0:1, 2s:1.7 ease, 100%:0.8", "rotate": "0:0, 3s:40"}
    times = [Fraction(1) + Fraction(n, 24) for n in (3, 71, 25, 24, 90)]
    forwards, alone = camera(**given), [camera(**given) for _ in times]
    for time, fresh in zip(times, alone, strict=True):
        assert np.array_equal(forwards.apply(frame(time)).pixels, fresh.apply(frame(time)).pixels)
