from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny import pixels_of

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.stills import read_still
from dreamvideo.render.zoom.start_image import make_noise, make_start_image, read_picture


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
    assert make_start_image(photo, size, seed=0).shape == (*expected, 3)


def test_a_photo_is_cropped_about_its_middle_never_stretched() -> None:
    photo = np.zeros((48, 96, 3), np.uint8)
    photo[:, 24:72] = 255
    square = make_start_image(photo, "48x48", seed=0)
    assert (square == 1).all()


def test_a_large_photo_is_no_larger_film_than_is_asked_for() -> None:
    assert make_start_image(np.zeros((700, 1400, 3), np.uint8), None, seed=0).shape == (320, 640, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (3, 1)])
def test_a_photo_of_hardly_any_pixels_has_a_ground(shape: tuple[int, int]) -> None:
    made = make_start_image(np.zeros((*shape, 3), np.uint8), None, seed=0)
    assert min(made.shape[:2]) >= 2


def test_noise_is_a_function_of_its_seed() -> None:
    one, again, other = make_noise(48, 64, 1), make_noise(48, 64, 1), make_noise(48, 64, 2)
    assert (one == again).all() and (one != other).any()
    assert one.dtype == np.float32 and 0.05 < one.std() < 0.5
    assert make_start_image(None, "64x48", seed=1).shape == (48, 64, 3)


def test_noise_is_alike_at_every_size() -> None:
    small, large = make_noise(60, 80, 1), make_noise(240, 320, 1)
    shrunk = cv2.resize(large, (80, 60), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "shots"])
def test_a_clip_s_picture_is_its_last(shelf: Path, name: str) -> None:
    assert (read_picture(shelf / name) == pixels_of(shelf / name)[-1]).all()


def test_a_picture_is_itself(shelf: Path) -> None:
    assert (read_picture(shelf / "photo.png") == read_still(shelf / "photo.png")).all()


def test_what_shows_no_picture_is_named(shelf: Path) -> None:
    with pytest.raises(MediaError, match=r"tone\.mp3"):
        read_picture(shelf / "tone.mp3")


@pytest.mark.parametrize(("at", "frame"), [("0", 0), ("3f", 3), ("0.1", 3), ("0:00.28", 7)])
def test_it_starts_from_a_frame_that_is_named(shelf: Path, at: str, frame: int) -> None:
    assert (read_picture(shelf / "clip.mp4", at=at) == pixels_of(shelf / "clip.mp4")[frame]).all()


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("clip.mp4", "9", "--at 9: the clip ends before"),
        ("clip.mp4", "soon", "--at 'soon' is not a time"),
        ("photo.png", "1", r"--at 1: .*photo\.png is a picture, which has no other frames"),
    ],
)
def test_a_frame_that_is_not_there_is_told(shelf: Path, name: str, at: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_picture(shelf / name, at=at)
