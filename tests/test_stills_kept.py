"""What a still's file held besides colours in 8 bits is still there once it is dreamt."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from still_files import smooth, tiff
from tiny import QUICK, Cli, pixels_of

from dreamvideo.media.probe import probe, read_tags
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import open_still, store_frame, write_still
from dreamvideo.render.recipe import load_recorded_look

DEEP = smooth(64, 48)
RGB = (DEEP // 257).astype(np.uint8)
CLEAR = np.full((48, 64), 255, np.uint8)
CLEAR[:, :20], CLEAR[:, 20:24] = 0, 128
CAMERA, PLACE = 0x8769, 0x8825


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that no test changes."""
    folder = tmp_path_factory.mktemp("stills")
    Image.fromarray(np.dstack([RGB, CLEAR])).save(folder / "sticker.png")
    write_still(folder / "deep.png", DEEP)
    (folder / "deep.tif").write_bytes(tiff(DEEP))
    Image.fromarray(RGB).save(folder / "photo.jpg", exif=camera_data(), quality=95)
    return folder


def camera_data() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E], exif[0x010F], exif[0x0112] = "A harbour", "Camera", 6
    exif.get_ifd(CAMERA).update({0x9003: "2024:05:01 10:00:00", 0xA002: 64, 0x829D: 2.8})
    exif.get_ifd(PLACE).update({1: "N", 2: (47.0, 30.0, 0.0)})
    return exif


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.avif"])
def test_a_transparent_still_stays_transparent(
    cli: Cli, shelf: Path, tmp_path: Path, name: str
) -> None:
    done = cli("image", shelf / "sticker.png", "-o", tmp_path / name, *QUICK)
    assert (done.code, done.notes) == (0, []), done.err
    still = open_still(tmp_path / name)
    assert still.alpha is not None and np.abs(still.alpha.astype(int) - CLEAR).max() <= 2
    assert np.abs(still.pixels[:, 30:].astype(int) - RGB[:, 30:]).mean() < 40


def test_transparency_keeps_its_edge_at_another_size(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    lit = np.dstack([np.full((48, 64, 3), 250, np.uint8), CLEAR])
    Image.fromarray(lit).save(tmp_path / "lit.png")
    out, options = tmp_path / "a.png", ["--size", "32x24", "--strength", "0"]
    done = cli("image", tmp_path / "lit.png", "-o", out, *options, *QUICK)
    assert done.code == 0, done.err
    still = open_still(out)
    assert still.alpha is not None and still.alpha.shape == (24, 32)
    assert still.alpha[:, 10:12].mean() == pytest.approx(128, abs=2)
    assert still.pixels[:, 10:].min() > 240, "what is hidden does not darken what is seen"


def test_where_there_is_no_place_for_it_transparency_is_laid_over_a_colour_and_said(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    done = cli("image", shelf / "sticker.png", "-o", tmp_path / "a.jpg", *QUICK)
    assert [note for note in done.notes if "composited over one colour" in note]
    white = ["--background", "white"]
    assert cli("image", shelf / "sticker.png", "-o", tmp_path / "b.png", *white, *QUICK).code == 0
    still = open_still(tmp_path / "b.png")
    assert still.alpha is None and still.pixels[:, :16].mean() > 200


@pytest.mark.parametrize("name", ["a.gif", "a.webm"])
def test_a_growing_dream_is_transparent_too(
    cli: Cli, shelf: Path, tmp_path: Path, name: str
) -> None:
    out, grow = tmp_path / name, ["--every", "1"]
    assert cli("image", shelf / "sticker.png", "-o", out, *QUICK, "--steps", "2", *grow).code == 0
    with open_source(out, ReadOptions(keep_alpha=True)) as frames:
        for frame in frames:
            assert frame.alpha is not None
            assert np.mean((frame.alpha > 127) != (CLEAR > 127)) < 0.1


@pytest.mark.parametrize("source", ["deep.png", "deep.tif"])
@pytest.mark.parametrize(
    ("name", "options", "depth"),
    [
        ("a.png", "", 16),
        ("a.tif", "", 16),
        ("a.png", "--depth 16", 16),
        ("a.tif", "--depth 8", 8),
        ("a.webp", "", 8),
        ("a.jpg", "", 8),
    ],
)
def test_sixteen_bits_stay_sixteen_where_there_is_room(
    cli: Cli, shelf: Path, tmp_path: Path, source: str, name: str, options: str, depth: int
) -> None:
    done = cli("image", shelf / source, "-o", tmp_path / name, *options.split(), *QUICK)
    assert done.code == 0, done.err
    still = open_still(tmp_path / name)
    assert 8 * still.pixels.itemsize == depth
    if depth == 16:
        assert len(np.unique(still.pixels % 257)) > 200, "they are more than 8 bits spread out"
    said = [note for note in done.notes if "8 bits a channel" in note]
    assert bool(said) == (depth == 8 and not options)


def test_what_is_not_dreamt_keeps_all_its_bits(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out, nowhere = tmp_path / "a.png", ["--strength", "0"]
    assert cli("image", shelf / "deep.tif", "-o", out, *nowhere, *QUICK).code == 0
    assert np.array_equal(open_still(out).pixels, DEEP)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-o a.jpg --depth 16", ["jpg pictures have 8 bits, not 16", ".png"]),
        ("-o a.png --depth 10", ["png pictures have 8 or 16 bits"]),
        ("-o a.png --codec png", ["--codec is for films"]),
        ("-o a.png --quality 3", ["lossless"]),
    ],
)
def test_what_a_picture_cannot_hold_is_refused_before_any_work(
    cli: Cli, shelf: Path, tmp_path: Path, options: str, words: list[str]
) -> None:
    given = options.replace("a.", f"{tmp_path}/a.", 1).split()
    done = cli("image", shelf / "deep.png", *given, *QUICK)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert not [word for word in words if word not in done.err], done.err


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.avif"])
def test_date_camera_and_place_are_kept_upright_beside_the_recipe(
    cli: Cli, shelf: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    assert cli("image", shelf / "photo.jpg", "-o", out, "--seed", "41", *QUICK).code == 0
    with Image.open(out) as image:
        assert image.size == (48, 64)
        exif = image.getexif()
        assert (exif[0x010E], exif[0x010F]) == ("A harbour", "Camera")
        assert exif.get(0x0112, 1) == 1
        camera, place = exif.get_ifd(CAMERA), exif.get_ifd(PLACE)
    assert camera[0x9003] == "2024:05:01 10:00:00" and float(camera[0x829D]) == 2.8
    assert 0xA002 not in camera, "its size is another now"
    assert (place[1], tuple(map(float, place[2]))) == ("N", (47.0, 30.0, 0.0))
    assert load_recorded_look(out).dream.seed == 41
    recipe = cli("info", out, "--recipe")
    assert recipe.code == 0 and "seed = 41" in recipe.out
    # A dream of the dream tells of the latest one.
    again = tmp_path / f"again{out.suffix}"
    assert cli("image", out, "-o", again, "--seed", "42", *QUICK).code == 0
    assert load_recorded_look(again).dream.seed == 42


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.avif"])
def test_metadata_can_be_left_out(cli: Cli, shelf: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    assert cli("image", shelf / "photo.jpg", "-o", out, "--strip-metadata", *QUICK).code == 0
    data = out.read_bytes()
    for word in (b"Camera", b"2024:05", b"harbour", b"dreamvideo"):
        assert word not in data
    with Image.open(out) as image:
        assert not set(image.getexif()) & {0x010E, 0x010F, CAMERA, PLACE}
    assert cli("info", out, "--recipe").code == 2


def test_metadata_of_a_film_can_be_left_out(cli: Cli, tmp_path: Path) -> None:
    from media_clips import make, picture

    tags = ["-metadata", "title=Harbour", "-metadata", "location=+47.5+008.0/"]
    clip = make(tmp_path / "clip.mov", *picture(0.12), *tags)
    for name, options in (("kept.mp4", []), ("left.mp4", ["--strip-metadata"])):
        assert cli("video", clip, "-o", tmp_path / name, *options, *QUICK).code == 0
    kept, left = (read_tags(tmp_path / name) for name in ("kept.mp4", "left.mp4"))
    assert kept["title"] == "Harbour" and "synopsis" in kept
    assert not set(left) & {"title", "location", "synopsis"}


def test_a_photograph_that_breaks_off_is_dreamt_and_said(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg", quality=95)
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 2 // 3])
    done = cli("image", tmp_path / "cut.jpg", "-o", tmp_path / "a.png", *QUICK)
    assert done.code == 0
    (note,) = done.notes
    assert "cut.jpg is damaged" in note and "%" in note


def test_a_photograph_too_large_for_the_memory_given_is_one_line(cli: Cli, tmp_path: Path) -> None:
    Image.new("L", (9000, 6000), 90).save(tmp_path / "a.jpg")
    wish = ["--max-memory", "300MB"]
    done = cli("image", tmp_path / "a.jpg", "-o", tmp_path / "b.png", *wish, *QUICK)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "9000 x 6000" in done.err and "--size" in done.err
    small = cli("image", tmp_path / "a.jpg", "-o", tmp_path / "b.png", *QUICK, "--size", "60")
    assert small.code == 0, small.err
    assert open_still(tmp_path / "b.png").size == (60, 40)


def numbered(folder: Path, sizes: dict[int, tuple[int, int]]) -> Path:
    """One-coloured pictures by number and (width, height), each of another grey."""
    folder.mkdir()
    for number, (width, height) in sizes.items():
        pixels = np.full((height, width, 3), 20 * number, np.uint8)
        store_frame(folder / f"{number}.png", pixels)
    return folder


def test_a_gap_in_the_numbers_is_held(cli: Cli, tmp_path: Path) -> None:
    shots = numbered(tmp_path / "shots", dict.fromkeys((2, 3, 6), (48, 32)))
    out = tmp_path / "a.mp4"
    options = ["--hold-gaps", "--fps", "10", "--strength", "0"]
    done = cli("video", shots, "-o", out, *options, *QUICK)
    assert done.code == 0, done.err
    assert done.notes == ["2 missing numbers: the picture before is shown for their time"]
    with open_source(out) as frames:
        seen = [(frame.time, round(float(frame.pixels.mean()))) for frame in frames]
    expected = [(Fraction(0), 40), (Fraction(1, 10), 60), (Fraction(4, 10), 120)]
    assert [time for time, _ in seen] == [time for time, _ in expected]
    assert all(abs(a - b) <= 2 for (_, a), (_, b) in zip(seen, expected, strict=True))
    part = cli("video", shots, "-o", tmp_path / "b.mp4", *options, "--start", "0.1", *QUICK)
    assert part.code == 0 and ": 2 frames" in part.out


def middle(pixels: np.ndarray) -> list[int]:
    return [int(pixels[y, x, 0]) for y, x in ((24, 32), (1, 32), (24, 1))]


@pytest.mark.parametrize(
    ("fit", "wide", "tall"),
    [
        ("crop", lambda own: [own, own, own], lambda own: [own, own, own]),
        ("stretch", lambda own: [own, own, own], lambda own: [own, own, own]),
        ("pad", lambda own: [own, 255, own], lambda own: [own, own, 255]),
    ],
)
def test_mixed_sizes_are_made_one(
    cli: Cli,
    tmp_path: Path,
    fit: str,
    wide: Callable[[int], list[int]],
    tall: Callable[[int], list[int]],
) -> None:
    shots = numbered(tmp_path / "shots", {1: (64, 48), 2: (64, 48), 3: (90, 30), 4: (30, 90)})
    options = ["--fit", fit, "--background", "white", "--strength", "0"]
    done = cli("video", shots, "-o", tmp_path / "out", *options, *QUICK)
    assert done.code == 0, done.err
    (note,) = done.notes
    assert note.startswith("2 of 4 pictures are not 64 x 48 as the first")
    first, _, third, fourth = pixels_of(tmp_path / "out")
    assert first.shape == third.shape == fourth.shape == (48, 64, 3)
    assert (middle(third), middle(fourth)) == (wide(60), tall(80))
    assert probe(tmp_path / "out").frames == 4


def test_a_picture_is_cropped_about_its_middle(cli: Cli, tmp_path: Path) -> None:
    shots = numbered(tmp_path / "shots", {1: (64, 48)})
    bars = np.zeros((48, 128, 3), np.uint8)
    bars[:, 32:96] = 200
    store_frame(shots / "2.png", bars)
    done = cli("video", shots, "-o", tmp_path / "out", "--fit", "crop", "--strength", "0", *QUICK)
    assert done.code == 0, done.err
    assert pixels_of(tmp_path / "out")[1].min() == 200


def test_what_fits_no_picture_is_a_usage_error(cli: Cli, tmp_path: Path) -> None:
    shots = numbered(tmp_path / "shots", {1: (64, 48)})
    done = cli("video", shots, "-o", tmp_path / "a.mp4", "--fit", "squeeze", *QUICK)
    assert (done.code, done.err.count("\n")) == (2, 1) and "crop" in done.err
