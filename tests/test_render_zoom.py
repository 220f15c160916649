from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import cv2
import numpy as np
import pytest
from synthetic import texture
from tiny import quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.octaves import Dream
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.motion.camera import Camera, camera_flow
from dreamvideo.motion.warp import warp
from dreamvideo.render.infinite import dream_zoom, ground, noise
from dreamvideo.settings import ZoomSettings

HEIGHT, WIDTH = 96, 128
RATES = [Fraction(24), Fraction(25), Fraction(60), Fraction(30000, 1001)]


class Sleeper:
    """A dreamer that sees pictures and leaves them as they are."""

    settings = quick_dream()

    def dream(self, image: Any, **_: Any) -> Dream:
        return Dream(image, (0.0,))


def soft() -> Any:
    """A picture that survives many resamplings."""
    return cv2.GaussianBlur(texture(HEIGHT, WIDTH, 3), (0, 0), 4)


@pytest.mark.xfail(
    strict=True,
    reason="each frame is rounded to 8 bits before it moves on: what is soft moves by less than "
    "half a level a frame and sticks, the more so the higher the rate",
)
@pytest.mark.parametrize("rate", RATES)
def test_a_second_of_zoom_is_the_same_move_at_any_rate(rate: Fraction) -> None:
    picture = soft()
    settings = ZoomSettings(seconds=1.5, rate=1.4, rotate=20, anchor=0)
    film = dream_zoom(picture, cast(Dreamer, Sleeper()), settings, rate)
    after = next(frame for frame in film if frame.time >= 1)
    camera = Camera(zoom=1.4, rotate=20)
    expected = warp(picture, camera_flow(WIDTH, HEIGHT, camera, after.time), border="mirror")
    middle = (slice(24, -24), slice(32, -32))
    error = np.abs(to_float(after.pixels) - expected)[middle].mean()
    assert error < 0.04 * np.abs(picture - expected)[middle].mean()


@pytest.mark.parametrize("rate", RATES)
def test_a_zoom_is_as_long_as_asked(rate: Fraction) -> None:
    settings = ZoomSettings(seconds=0.5)
    film = list(dream_zoom(soft(), cast(Dreamer, Sleeper()), settings, rate))
    assert abs(len(film) / rate - Fraction(1, 2)) <= 1 / rate / 2
    assert [frame.time for frame in film] == [n / rate for n in range(len(film))]
    assert [frame.index for frame in film] == list(range(len(film)))


def test_the_first_frame_is_the_picture_s_dream() -> None:
    dreamer = Dreamer(quick_dream())
    picture = to_float(to_bytes(texture(HEIGHT, WIDTH, 3)))
    film = dream_zoom(picture, dreamer, ZoomSettings(seconds=0.1), Fraction(25))
    assert (next(film).pixels == to_bytes(dreamer.dream(picture).image)).all()


def test_every_frame_is_dreamt_and_the_same_twice() -> None:
    dreamer = Dreamer(quick_dream())
    picture = soft()
    settings = ZoomSettings(seconds=0.2, rate=2)
    runs = [
        [frame.pixels for frame in dream_zoom(picture, dreamer, settings, Fraction(25))]
        for _ in range(2)
    ]
    assert all((a == b).all() for a, b in zip(*runs, strict=True))
    sleeping = dream_zoom(to_float(runs[0][0]), cast(Dreamer, Sleeper()), settings, Fraction(25))
    for awake, asleep in zip(runs[0][1:], list(sleeping)[1:], strict=True):
        assert np.abs(to_float(awake) - to_float(asleep.pixels)).mean() > 0.001


def test_the_anchor_keeps_colours_from_drifting() -> None:
    class Reddening(Sleeper):
        def dream(self, image: Any, **_: Any) -> Dream:
            return Dream(np.clip(image + np.array([0.05, 0, 0], np.float32), -1, 1), (0.0,))

    drifts = []
    for anchor in (0.0, 0.2):
        settings = ZoomSettings(seconds=0.6, anchor=anchor)
        film = list(dream_zoom(soft(), cast(Dreamer, Reddening()), settings, Fraction(25)))
        red = [float(to_float(frame.pixels)[..., 0].mean()) for frame in (film[0], film[-1])]
        drifts.append(red[1] - red[0])
    assert drifts[1] < 0.5 * drifts[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (None, (48, 64)),
        ("32x32", (32, 32)),
        ("x24", (24, 32)),
        ("50%", (24, 32)),
        ("33x25", (24, 32)),
    ],
)
def test_the_ground_has_the_films_even_size(size: str | None, expected: tuple[int, int]) -> None:
    photo = np.zeros((48, 64, 3), np.uint8)
    assert ground(photo, size, seed=0).shape == (*expected, 3)


def test_a_photo_is_cropped_about_its_middle_never_stretched() -> None:
    photo = np.zeros((48, 96, 3), np.uint8)
    photo[:, 24:72] = 255
    square = ground(photo, "48x48", seed=0)
    assert (square == 1).all()


def test_a_large_photo_is_no_larger_film_than_is_asked_for() -> None:
    assert ground(np.zeros((700, 1400, 3), np.uint8), None, seed=0).shape == (320, 640, 3)


def test_noise_is_a_function_of_its_seed() -> None:
    one, again, other = noise(48, 64, 1), noise(48, 64, 1), noise(48, 64, 2)
    assert (one == again).all() and (one != other).any()
    assert one.dtype == np.float32 and 0.05 < one.std() < 0.5
    assert ground(None, "64x48", seed=1).shape == (48, 64, 3)


def test_noise_is_alike_at_every_size() -> None:
    small, large = noise(60, 80, 1), noise(240, 320, 1)
    shrunk = cv2.resize(large, (80, 60), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.9
