"""What a film's pixel format does to a frame, beside a film that was really written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe
from dreamvideo.media.read import open_source
from dreamvideo.media.round_trip import store_as
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame, encode


def coloured_noise(height: int, width: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(3)
    return np.clip(random.normal(128, 30, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "size"), [("film.mp4", (48, 64)), ("film.webm", (48, 64)), ("film.webm", (45, 63))]
)
def test_a_frame_comes_back_as_from_a_film(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    pixels = coloured_noise(*size)
    store_frame(tmp_path / "0.png", pixels)
    frames = [StoredFrame(tmp_path / "0.png", Fraction(0))]
    film = tmp_path / name
    encode(
        frames,
        film,
        duration_of_last=Fraction(1, 25),
        source=None,
        rate=Fraction(25),
        options=EncodeOptions(quality=0),
    )
    with open_source(film) as source:
        written = next(iter(source)).pixels.astype(int)
    expected = store_as(pixels, probe(film).pixel_format).astype(int)
    assert np.abs(written - pixels).mean() > 10
    assert np.abs(written - expected).mean() < 1


def test_fine_chroma_is_lost_and_its_luma_stays() -> None:
    pixels = coloured_noise(64, 64)
    stored = store_as(pixels, "yuv420p").astype(float)
    chroma = stored - stored.mean(-1, keepdims=True)
    before = pixels - pixels.mean(-1, keepdims=True)
    assert chroma.std() < 0.6 * before.std()
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(stored @ luma - pixels @ luma).mean() < 1.5


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgra", "pal8", "gbrp"])
def test_what_is_no_yuv_stays_as_it_is(pixel_format: str) -> None:
    pixels = coloured_noise(8, 8)
    assert store_as(pixels, pixel_format) is pixels
