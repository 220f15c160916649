"""Dreams made at a smaller size than their output."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import glide, scene
from tiny import QUICK, Cli, pixels_of

from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.media.stills import open_still, read_still, write_still
from dreamvideo.render.dream_size import (
    choose_dream_size,
    enlarge_dream,
    enlarge_to_bytes,
    get_full_frame,
    shrink_frame,
)
from dreamvideo.render.job.disk_space import estimate_memory
from dreamvideo.settings import look_from_toml, look_to_toml, make_look

WIDE, HIGH = 128, 96


@pytest.mark.parametrize(
    ("setting", "size", "dreamt"),
    [
        ("full", (3840, 2160), (3840, 2160)),
        ("auto", (640, 360), (640, 360)),
        ("auto", (854, 480), (854, 480)),
        ("auto", (1920, 1080), (768, 432)),
        ("auto", (3840, 2160), (768, 432)),
        ("auto", (1080, 1920), (432, 768)),
        ("640", (1920, 1080), (640, 360)),
        ("50%", (1920, 1080), (960, 540)),
        ("1920", (640, 360), (640, 360)),
        ("640x1080", (1920, 1080), (640, 1080)),
        ("auto", (16384, 100), (16384, 100)),
    ],
)
def test_sizes_that_are_dreamt(
    setting: str, size: tuple[int, int], dreamt: tuple[int, int]
) -> None:
    assert choose_dream_size(setting, size) == dreamt


@pytest.mark.parametrize("wrong", ["", "large", "-3", "0x0"])
def test_what_is_no_size_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"dream.size"):
        make_look([], {"dream": {"dream_size": wrong}})


def test_a_size_that_is_too_small_names_the_option(cli: Cli, tmp_path: Path) -> None:
    write_still(tmp_path / "a.png", np.zeros((48, 64, 3), np.uint8))
    ended = cli("image", tmp_path / "a.png", "-o", tmp_path / "b.png", "--dream-size", "10%")
    assert ended.code == 2 and "--dream-size '10%'" in ended.err and "--size" not in ended.err


def test_a_look_from_before_there_was_a_dream_size_is_dreamt_in_full() -> None:
    text = look_to_toml(make_look(["fur"], {}))
    earlier = "\n".join(
        line for line in text.splitlines() if not line.startswith(("dream_size", "flow"))
    )
    look = look_from_toml(earlier, "film.mp4")
    assert (look.dream.dream_size, look.coherence.flow) == ("full", "raw")
    assert look_from_toml(text, "film.mp4").dream.dream_size == "auto"


def test_memory_is_that_of_the_small_dream() -> None:
    full, small = estimate_memory((7680, 4320)), estimate_memory((7680, 4320), (768, 432))
    assert small < full / 2 and small > 7680 * 4320 * 3 * 4 * 4


def test_the_reference_recipe_and_the_old_default_are_dreamt_in_full() -> None:
    for preset in ("classic", "plates"):
        assert make_look([preset], {}).dream.dream_size == "full"
    assert make_look([], {}).dream.dream_size == "auto"


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), factor=st.sampled_from([1.5, 2.0, 3.3]))
def test_what_a_dream_adds_arrives_at_full_size(seed: int, factor: float) -> None:
    source = scene(HIGH, WIDE, glide(1), seed=seed).frames[0]
    size = (round(WIDE / factor), round(HIGH / factor))
    small = cv2.resize(source, size, interpolation=cv2.INTER_AREA) * np.float32(0.5)
    source = source * np.float32(0.5)
    np.testing.assert_array_equal(enlarge_dream(small, small, source), source)
    brighter = enlarge_dream(small + np.float32(0.25), small, source)
    np.testing.assert_allclose(brighter, source + 0.25, atol=1e-5)
    x = np.linspace(0, 4 * np.pi, size[0], dtype=np.float32)
    wave = np.broadcast_to(0.2 * np.sin(x)[None, :, None], (*size[::-1], 3))
    added = enlarge_dream(small + wave, small, source) - source
    again = cv2.resize(added, size, interpolation=cv2.INTER_AREA)
    assert np.abs(again - wave)[:, 2:-2].max() < 0.03


def test_nothing_is_added_where_nothing_was_dreamt() -> None:
    source = scene(HIGH, WIDE, glide(1)).frames[0]
    small = np.asarray(cv2.resize(source, (64, 48), interpolation=cv2.INTER_AREA))
    dream = small.copy()
    dream[:, 40:] += 0.3
    made = enlarge_dream(dream, small, source)
    np.testing.assert_array_equal(made[:, :77], source[:, :77])
    assert (made[:, 84:] != source[:, 84:]).any(-1).mean() > 0.9
    undreamt = np.zeros((HIGH, WIDE), np.bool_)
    undreamt[:50] = True
    made = enlarge_dream(dream, small, source, undreamt)
    np.testing.assert_array_equal(made[:50], source[:50])


def test_a_shrunk_frame_keeps_its_own() -> None:
    pixels = to_bytes(scene(HIGH, WIDE, glide(1)).frames[0])
    frame = Frame(3, Fraction(1), Fraction(1, 25), pixels)
    assert shrink_frame(frame, (WIDE, HIGH)) is frame and get_full_frame(frame) is frame
    small = shrink_frame(frame, (64, 48))
    assert small.pixels.shape == (48, 64, 3) and get_full_frame(small) is frame
    assert (small.index, small.time, small.duration) == (3, Fraction(1), Fraction(1, 25))


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_still(path, to_bytes(scene(HIGH, WIDE, glide(1), seed=5).frames[0]))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    for number, frame in enumerate(scene(HIGH, WIDE, glide(6, 2 + 1j), seed=6).frames):
        write_still(folder / f"{number:04d}.png", to_bytes(frame))
    return folder


def test_a_picture_is_dreamt_small_and_written_at_its_size(
    cli: Cli, photo: Path, tmp_path: Path
) -> None:
    for name, size in (("full", "full"), ("small", "50%")):
        ended = cli("image", photo, "-o", tmp_path / f"{name}.png", "--dream-size", size, *QUICK)
        assert ended.code == 0
    source, full, small = (
        read_still(path).astype(int)
        for path in (photo, tmp_path / "full.png", tmp_path / "small.png")
    )
    assert small.shape == source.shape
    assert 0.5 < np.abs(small - source).mean() / np.abs(full - source).mean() < 2
    fine = [cv2.Laplacian(each.astype(np.float32), cv2.CV_32F).std() for each in (source, small)]
    assert fine[1] > 0.9 * fine[0]


def test_alpha_and_depth_are_those_of_the_picture(cli: Cli, tmp_path: Path) -> None:
    deep = (scene(HIGH, WIDE, glide(1)).frames[0] * 20000 + 32768).astype(np.uint16)
    alpha = np.full((HIGH, WIDE), 65535, np.uint16)
    alpha[:20] = 0
    write_still(tmp_path / "deep.png", deep, alpha=alpha)
    made = tmp_path / "made.png"
    assert cli("image", tmp_path / "deep.png", "-o", made, "--dream-size", "64", *QUICK).code == 0
    still = open_still(made)
    assert still.pixels.dtype == np.uint16 and still.alpha is not None
    np.testing.assert_array_equal(still.alpha, alpha)
    assert len(np.unique(still.pixels)) > 1000


@pytest.mark.sample(2)
@pytest.mark.parametrize("grading", [[], ["--saturation", "0"]])
@pytest.mark.parametrize("command", ["image", "video"])
def test_where_a_mask_is_black_not_a_byte_changes(
    cli: Cli, command: str, grading: list[str], photo: Path, clip: Path, tmp_path: Path
) -> None:
    mask = np.zeros((HIGH, WIDE, 3), np.uint8)
    cv2.circle(mask, (71, 43), 30, (255, 255, 255), -1)
    write_still(tmp_path / "mask.png", mask)
    source = photo if command == "image" else clip
    made = tmp_path / ("made.png" if command == "image" else "made")
    options = ["--mask", tmp_path / "mask.png", "--dream-size", "48x36", *grading, *QUICK]
    assert cli(command, source, "-o", made, *options).code == 0
    before = [read_still(photo)] if command == "image" else pixels_of(clip)
    after = [read_still(made)] if command == "image" else pixels_of(made)
    assert len(before) == len(after)
    black = ~mask.any(-1)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new[black], old[black])
        assert (new[~black] != old[~black]).any(-1).mean() > 0.5


@pytest.mark.integration
def test_a_film_is_the_same_in_one_process_or_two(cli: Cli, clip: Path, tmp_path: Path) -> None:
    for name, workers in (("one", "1"), ("two", "2")):
        ended = cli(
            "video", clip, "-o", tmp_path / name, "--dream-size", "64", "--segment-length", "3",
            "--workers", workers, *QUICK,
        )  # fmt: skip
        assert ended.code == 0, ended.err
    one, two = pixels_of(tmp_path / "one"), pixels_of(tmp_path / "two")
    assert len(one) == 6 and one[0].shape == (HIGH, WIDE, 3)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_colours_are_graded_at_full_size(cli: Cli, photo: Path, tmp_path: Path) -> None:
    made = tmp_path / "grey.png"
    ended = cli("image", photo, "-o", made, "--dream-size", "64", "--saturation", "0", *QUICK)
    assert ended.code == 0, ended.err
    pixels = read_still(made).astype(int)
    assert (pixels.max(-1) - pixels.min(-1)).max() <= 2


@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
@settings(max_examples=10, deadline=None)
def test_enlarged_bytes_are_those_of_the_enlarged_dream(
    seed: int, factor: int, masked: bool
) -> None:
    dice = np.random.default_rng(seed)
    small = dice.uniform(-1, 1, (17, 23, 3)).astype(np.float32)
    dream = np.clip(small + dice.normal(0, 0.4, small.shape), -1, 1).astype(np.float32)
    dream[:5] = small[:5]
    size = (17 * factor + 40, 23 * factor * 40)
    pixels = dice.integers(0, 256, (*size, 3), np.uint8)
    undreamt = dice.random(size) < 0.3 if masked else None
    made = enlarge_to_bytes(dream, small, pixels, undreamt)
    whole = enlarge_dream(dream, small, to_float(pixels), undreamt)
    np.testing.assert_array_equal(made, to_bytes(whole))
