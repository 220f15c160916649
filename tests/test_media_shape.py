"""Size, orientation, pixel shape, fields and transparency, in and out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_clips import Pixels, film, make, picture, times_of

from dreamvideo.errors import UsageError
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe
from dreamvideo.media.read import Frame, ReadOptions, open_source
from dreamvideo.media.stills import read_deep, store_frame
from dreamvideo.media.write import StoredFrame, check_output, encode

TICK = Fraction(1, 25)
# Red top left, green top right, blue bottom left, white bottom right.
CORNERS: Pixels = np.zeros((32, 48, 3), np.uint8)
CORNERS[:16, :24, 0] = CORNERS[:16, 24:, 1] = CORNERS[16:, :24, 2] = 255
CORNERS[16:, 24:] = 255


def out(frames: list[StoredFrame], to: Path, **wishes: Any) -> list[str]:
    options = EncodeOptions(**wishes)
    return encode(frames, to, duration_of_last=TICK, source=None, rate=1 / TICK, options=options)


def first(path: Path, **wishes: Any) -> Frame:
    with open_source(path, ReadOptions(**wishes)) as source:
        return next(iter(source))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_delivered_upright(tmp_path: Path, degrees: int) -> None:
    store_frame(tmp_path / "c.png", CORNERS)
    flat = make(tmp_path / "flat.mp4", "-i", str(tmp_path / "c.png"), "-pix_fmt", "yuv444p")
    turned = ["-display_rotation", str(-degrees), "-i", str(flat), "-c", "copy"]
    clip = make(tmp_path / "turned.mp4", *turned)
    with open_source(clip) as source:
        frame = next(iter(source))
        assert any(f"{degrees} degrees" in note for note in source.notes)
    upright = np.rot90(CORNERS, -degrees // 90)
    assert source.size == (source.info.width, source.info.height) == upright.shape[1::-1]
    assert source.info.rotation == degrees
    assert np.abs(frame.pixels.astype(int) - upright).mean() < 10
    out([StoredFrame(tmp_path / "c.png", Fraction(0))], tmp_path / "again.mp4")
    assert probe(tmp_path / "again.mp4").rotation == 0


@pytest.mark.parametrize("size", [None, (90, 90)])
def test_pixels_that_are_not_square_keep_their_shape(
    tmp_path: Path, size: tuple[int, int] | None
) -> None:
    clip = make(tmp_path / "a.mp4", *picture(0.2, size="60x48"), "-vf", "setsar=128/117:max=200")
    info = probe(clip)
    assert info.sample_aspect == Fraction(128, 117)
    stored = film(tmp_path / "f", times_of(clip), size or (60, 48))
    encode(stored, tmp_path / "b.mp4", duration_of_last=TICK, source=clip, rate=1 / TICK)
    after = probe(tmp_path / "b.mp4")
    shape = after.sample_aspect * after.width / after.height
    assert abs(shape / (Fraction(128, 117) * 60 / 48) - 1) < Fraction(1, 10_000)
    notes = encode(stored, tmp_path / "b.gif", duration_of_last=TICK, source=clip, rate=1 / TICK)
    assert any("not square" in note for note in notes)


def combing(path: Path) -> float:
    """How far neighbouring rows of upright bars differ, mean levels."""
    with open_source(path) as source:
        rows = [np.abs(np.diff(f.pixels[..., 1].astype(int), axis=0)).mean() for f in source]
    return float(np.mean(rows[1:-1]))


def test_interlaced_film_is_deinterlaced_and_said(tmp_path: Path) -> None:
    bars = "geq=lum='128+100*sin((X+4*N)/5)':cb=128:cr=128"
    moving = ["-f", "lavfi", "-i", "color=black:size=64x48:rate=50:duration=1", "-vf"]
    weave = f"{bars},tinterlace=interleave_top,fieldorder=tff"
    lossless = ["-c:v", "ffv1"]
    fields = ["-flags", "+ilme+ildct", "-c:v", "mpeg2video", "-q:v", "2"]
    clip = make(tmp_path / "i.ts", *moving, weave, *fields)
    hidden = make(tmp_path / "h.mkv", "-i", str(clip), "-vf", "setfield=prog", *lossless)
    with open_source(clip) as source:
        assert len(list(source)) == 25
        assert any("deinterlaced" in note for note in source.notes)
    assert source.info.interlaced and not probe(hidden).interlaced
    assert combing(clip) < 0.2 * combing(hidden)


@pytest.mark.parametrize("size", [(33, 17), (16, 16), (17, 64)])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "x264"), ("a.mp4", "x265"), ("a.mkv", "av1"), ("a.webm", "vp9"), ("a.gif", None)],
)
def test_every_size_comes_out(
    tmp_path: Path, size: tuple[int, int], name: str, codec: str | None
) -> None:
    frames = film(tmp_path / "f", [n * TICK for n in range(3)], size)
    notes = out(frames, tmp_path / name, codec=codec)
    pads = codec in ("x264", "x265") and (size[0] % 2 or size[1] % 2)
    wanted = (size[0] + size[0] % 2, size[1] + size[1] % 2) if pads else size
    info = probe(tmp_path / name)
    assert (info.width, info.height) == wanted
    assert any("padded" in note for note in notes) == bool(pads)
    pixels = first(tmp_path / name).pixels
    assert np.abs(pixels[-1].astype(int) - pixels[0]).max() <= 4, "the border continues the picture"


def test_a_film_of_4096_by_2160_passes(tmp_path: Path) -> None:
    store_frame(tmp_path / "l.png", np.full((2160, 4096, 3), 90, np.uint8))
    out([StoredFrame(tmp_path / "l.png", Fraction(0))], tmp_path / "l.mp4", quality=40)
    assert first(tmp_path / "l.mp4").pixels.shape == (2160, 4096, 3)


def _clear(folder: Path) -> list[StoredFrame]:
    """Frames whose left half is opaque orange and right half clear, one of them all opaque."""
    folder.mkdir()
    frames = []
    for n in range(3):
        pixels = np.full((32, 48, 3), (200, 100, 10 * n), np.uint8)
        alpha = np.zeros((32, 48), np.uint8)
        alpha[:, :24] = 255
        path = folder / f"{n}.png"
        store_frame(path, pixels, None if n == 1 else alpha)
        frames.append(StoredFrame(path, n * TICK))
    return frames


@pytest.mark.parametrize("name", ["a.webm", "a.mkv", "a.gif", "a.webp", "shots"])
def test_transparency_is_kept_where_there_is_room(tmp_path: Path, name: str) -> None:
    codec = "vp9" if name == "a.mkv" else None
    assert not out(_clear(tmp_path / "f"), tmp_path / name, codec=codec)[1:]
    with open_source(tmp_path / name, ReadOptions(keep_alpha=True)) as source:
        frames = list(source)
        assert source.info.has_alpha
    assert len(frames) == 3
    for number in (0, 2):
        frame = frames[number]
        assert frame.alpha is not None
        assert frame.alpha[:, :22].min() >= 250 and frame.alpha[:, 26:].max() <= 5
        assert np.abs(frame.pixels[4, 4].astype(int) - (200, 100, 10 * number)).max() <= 6
    clear = 0 if frames[1].alpha is None else int((frames[1].alpha < 255).sum())
    assert clear == (1 if name == "a.gif" else 0)
    over_white = first(tmp_path / name, background=(255, 255, 255)).pixels
    assert over_white[4, 40].min() >= 253 and abs(int(over_white[4, 4, 1]) - 100) <= 6


def test_transparency_is_laid_over_a_colour_where_there_is_none(tmp_path: Path) -> None:
    notes = out(_clear(tmp_path / "f"), tmp_path / "a.mp4", background=(0, 0, 255))
    assert any("transparency" in note for note in notes)
    pixels = first(tmp_path / "a.mp4").pixels.astype(int)
    assert pixels[4, 44, 2] > 240 and pixels[4, 44, 0] < 15 and pixels[4, 4, 0] > 190


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg"])
def test_numbered_pictures_come_out_by_pattern(tmp_path: Path, ending: str) -> None:
    frames = film(tmp_path / "f", [n * TICK for n in range(12)])
    pattern = tmp_path / "shots" / f"shot_%03d{ending}"
    out(frames, pattern)
    names = sorted(p.name for p in (tmp_path / "shots").iterdir())
    assert names == [f"shot_{n:03d}{ending}" for n in range(1, 13)]
    assert len(times_of(pattern)) == len(times_of(tmp_path / "shots")) == 12
    with pytest.raises(UsageError, match="-y"):
        check_output(pattern, EncodeOptions(overwrite=False))


@pytest.mark.parametrize("codec", ["png", "tiff"])
def test_deep_pictures_come_out_deep(tmp_path: Path, codec: str) -> None:
    deep = np.arange(16 * 16 * 3, dtype=np.uint16).reshape(16, 16, 3) * 83
    store_frame(tmp_path / "d.png", deep)
    stored = [StoredFrame(tmp_path / "d.png", Fraction(0))]
    out(stored, tmp_path / "deep", codec=codec, depth=16)
    out(stored, tmp_path / "flat", codec=codec)
    ending = {"png": "png", "tiff": "tiff"}[codec]
    assert np.array_equal(read_deep(tmp_path / "deep" / f"000001.{ending}")[0], deep)
    flat = read_deep(tmp_path / "flat" / f"000001.{ending}")[0]
    assert flat.dtype == np.uint8 and np.array_equal(flat, np.rint(deep / 257).astype(np.uint8))
    frame = first(tmp_path / "deep", deep=True)
    assert frame.deep is not None and np.array_equal(frame.deep, deep)


@pytest.mark.parametrize(
    ("name", "wishes", "advice"),
    [
        ("a.mp4", {"codec": "vp8"}, "x264, x265, av1"),
        ("a.mov", {"codec": "av1"}, "x264, x265"),
        ("a.mp4", {"depth": 10}, "--codec x265 or av1"),
        ("a.gif", {"depth": 10}, "another ending"),
        ("a.mp4", {"quality": 99}, "0 is best, 51 worst"),
        ("a.gif", {"quality": 9}, "no quality"),
        ("a.mp4", {"max_size": 100}, "only GIF and WebP"),
        ("shots", {"codec": "bmp"}, "png, tiff, jpg"),
        ("shots", {"codec": "jpg", "depth": 16}, "8 bits"),
        ("s/%d.bmp", {}, "unknown extension"),
    ],
)
def test_impossible_wishes_are_refused_with_the_possible(
    tmp_path: Path, name: str, wishes: dict[str, Any], advice: str
) -> None:
    with pytest.raises(UsageError, match=advice):
        check_output(tmp_path / name, EncodeOptions(**wishes))


@pytest.mark.parametrize(("loop", "plays"), [(0, 0), (-1, 1), (3, 4)])
def test_animations_loop_as_often_as_asked(tmp_path: Path, loop: int, plays: int) -> None:
    from PIL import Image

    frames = film(tmp_path / "f", [n * TICK for n in range(3)])
    for ending in (".gif", ".webp"):
        out(frames, tmp_path / f"a{ending}", loop=loop)
        with Image.open(tmp_path / f"a{ending}") as image:
            # A GIF without the mark is shown once; with it, that many times more.
            found = image.info.get("loop", -1)
        again = {0: 0, 1: -1}.get(plays, plays - 1)
        assert found == (again if ending == ".gif" else plays)


@pytest.mark.sample(1)
@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_an_animation_is_made_to_fit(tmp_path: Path, ending: str) -> None:
    clip = make(tmp_path / "a.mp4", *picture(1.2, "25", "192x144"))
    stored = []
    with open_source(clip) as source:
        for frame in source:
            store_frame(tmp_path / f"{frame.index}.png", frame.pixels)
            stored.append(StoredFrame(tmp_path / f"{frame.index}.png", frame.time))
    out(stored, tmp_path / f"free{ending}")
    room = (tmp_path / f"free{ending}").stat().st_size // 3
    notes = out(stored, tmp_path / f"tight{ending}", max_size=room)
    size = (tmp_path / f"tight{ending}").stat().st_size
    assert room * 0.6 < size <= room
    assert any("kB" in note for note in notes)
    times = times_of(tmp_path / f"tight{ending}")
    assert len(times) == 15 and times[-1] == Fraction(28, 25)
    with pytest.raises(Exception, match="does not fit"):
        out(stored, tmp_path / f"none{ending}", max_size=200)
    assert not list(tmp_path.glob("none*"))


def test_hidden_colours_of_a_folder_stay_hidden_when_it_is_made_smaller(tmp_path: Path) -> None:
    pixels = np.full((24, 40, 3), 255, np.uint8)
    alpha = np.full((24, 40), 255, np.uint8)
    pixels[:, 21:], alpha[:, 21:] = 0, 0
    (tmp_path / "in").mkdir()
    store_frame(tmp_path / "in" / "0001.png", pixels, alpha)
    with open_source(tmp_path / "in", ReadOptions(size=(20, 12), keep_alpha=True)) as source:
        (frame,) = source
    assert frame.alpha is not None
    seen = frame.alpha > 8
    assert int((frame.alpha[seen] < 247).sum()) > 0
    assert frame.pixels[seen].min() >= 250
