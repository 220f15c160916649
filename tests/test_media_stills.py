from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.pixels import to_bytes, to_deep, to_float
from dreamvideo.media.stills import (
    load_deep,
    load_frame,
    read_still,
    store_frame,
    stored_bytes,
    write_still,
)


def _noise(seed: int = 0, shape: tuple[int, ...] = (17, 23, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_every_byte_survives_the_way_to_float_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_bytes(to_float(levels)), levels)


def test_every_deep_level_survives_the_way_to_float_and_back() -> None:
    levels = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_deep(to_float(levels)), levels)


def test_deep_pixels_span_the_same_range() -> None:
    assert to_float(np.array([0, 65535], np.uint16)).tolist() == [-1, 1]


def test_pixels_beyond_the_range_are_clipped_and_rounded() -> None:
    frame = np.array([-3, 3, 0.999 / 127.5 - 1], np.float32)
    assert to_bytes(frame).tolist() == [0, 255, 1]


@pytest.mark.parametrize("ending", [".png", ".tiff", ".jpg", ".webp"])
def test_a_still_comes_back_as_it_was_written(tmp_path: Path, ending: str) -> None:
    smooth = cv2.resize(_noise(shape=(3, 4, 3)), (40, 30), interpolation=cv2.INTER_CUBIC)
    path = tmp_path / f"a{ending}"
    write_still(path, smooth)
    lossless = ending in (".png", ".tiff")
    difference = np.abs(read_still(path).astype(int) - smooth)
    assert difference.mean() <= (0 if lossless else 2.5)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_settings_travel_in_the_still(tmp_path: Path) -> None:
    write_still(tmp_path / "a.png", _noise(), {"dream": "größer"})
    assert Image.open(tmp_path / "a.png").info["dream"] == "größer"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(_noise()).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        image.load()
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_still(tmp_path / "a.png"), upright)


def test_transparency_is_laid_over_the_chosen_colour(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[0, 0, 3], pixels[0, 1, 3] = 255, 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_still(tmp_path / "a.png")[:, :, 0].tolist() == [[200, 100], [0, 0]]
    over_white = read_still(tmp_path / "a.png", background=(255, 255, 255))
    assert over_white[0, 1].tolist() == [227, 127, 127] and over_white[1, 1].tolist() == [255] * 3


def test_grey_deep_and_palette_pictures_become_rgb(tmp_path: Path) -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(grey).convert("RGB").quantize(8).save(tmp_path / "animated.gif")
    for name in ("grey.png", "deep.png", "palette.png", "animated.gif"):
        pixels = read_still(tmp_path / name)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, np.repeat(grey[..., None], 3, axis=2)), name


def test_what_is_no_picture_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    whole = cv2.imencode(".png", _noise())[1].tobytes()
    (tmp_path / "cut.png").write_bytes(whole[:60])
    for name in ("text.png", "empty.jpg", "cut.png", "missing.png", ""):
        with pytest.raises(MediaError) as caught:
            read_still(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png.*\.webp"):
        write_still(tmp_path / "a.xyz", _noise())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error_and_not_silence(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be written"):
        store_frame(tmp_path / "none" / "a.png", _noise())
    with pytest.raises(MediaError, match="cannot be written"):
        write_still(tmp_path / "none" / "a.png", _noise())


def test_a_stored_frame_is_lossless_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    store_frame(tmp_path / "000001.png", _noise())
    assert np.array_equal(load_frame(tmp_path / "000001.png"), _noise())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_stored_frame_is_named(tmp_path: Path) -> None:
    (tmp_path / "000001.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(MediaError, match=r"000001\.png"):
        load_frame(tmp_path / "000001.png")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("clear", [False, True])
def test_a_frame_of_noise_is_stored_in_little_more_than_its_own_bytes(
    tmp_path: Path, kind: type[np.uint8] | type[np.uint16], clear: bool
) -> None:
    dice = np.random.default_rng(0)
    most = np.iinfo(kind).max
    pixels = dice.integers(0, most, (370, 530, 3), kind, endpoint=True)
    alpha = dice.integers(0, most, (370, 530), kind, endpoint=True) if clear else None
    path = tmp_path / "a.frame"
    path.write_bytes(stored_bytes(pixels, alpha))
    raw = pixels.nbytes + (0 if alpha is None else alpha.nbytes)
    assert path.stat().st_size < 1.01 * raw
    again, clearness = load_deep(path)
    assert again.dtype == kind and np.array_equal(again, pixels)
    assert (clearness is None) == (alpha is None)
    if clearness is not None and alpha is not None:
        assert np.array_equal(clearness, alpha)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    levels=st.sampled_from([1, 2, 9, 256]),
    seed=st.integers(0, 999),
)
def test_an_opaque_frame_of_any_size_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, levels: int, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.frame"
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3), np.uint8)
    path.write_bytes(stored_bytes(pixels, None))
    again, alpha = load_deep(path)
    assert np.array_equal(again, pixels) and again.dtype == np.uint8 and alpha is None
    assert stored_bytes(pixels, None) == path.read_bytes()


def test_a_stored_frame_can_be_seen_in_a_player(tmp_path: Path) -> None:
    pixels = _noise(shape=(37, 53, 3))
    (tmp_path / "1.frame").write_bytes(stored_bytes(pixels, None))
    with av.open(str(tmp_path / "1.frame")) as film:
        (frame,) = film.decode(video=0)
    assert np.array_equal(frame.to_ndarray(format="rgb24"), pixels)


@pytest.mark.parametrize("kept", [0, 3, 30, 43, 60, -1])
def test_a_stored_frame_that_is_cut_short_is_named(tmp_path: Path, kept: int) -> None:
    whole = stored_bytes(_noise(), None)
    (tmp_path / "7.frame").write_bytes(whole[:kept])
    with pytest.raises(MediaError, match=r"7\.frame: .*(damaged|empty)"):
        load_frame(tmp_path / "7.frame")


def test_a_flat_frame_is_stored_compressed() -> None:
    flat = np.full((900, 1600, 3), 77, np.uint8)
    assert len(stored_bytes(flat, None)) < flat.nbytes / 7
    clear = np.full((900, 1600), 255, np.uint8)
    assert len(stored_bytes(flat, clear)) < flat.nbytes / 100
