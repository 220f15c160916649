"""Known colours through every way in and out; figures are mean absolute levels of 255."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import Pixels, make
from PIL import Image

from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import read_still, store_frame
from dreamvideo.media.write import StoredFrame, encode

COLORS = np.array(
    [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]],
        [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]],
        [[128, 128, 128], [200, 30, 90], [20, 140, 70], [90, 60, 210]],
    ],
    np.uint8,
)
PATCHES: Pixels = np.repeat(np.repeat(COLORS, 32, axis=0), 32, axis=1)


def centres(pixels: Pixels) -> Pixels:
    """The middle of every patch, away from the edges that chroma subsampling blurs."""
    height, width = pixels.shape[0] // 3, pixels.shape[1] // 4
    return pixels[height // 2 :: height, width // 2 :: width]


def error(pixels: Pixels) -> float:
    return float(np.abs(centres(pixels).astype(float) - COLORS).mean())


@pytest.fixture
def still(tmp_path: Path) -> Path:
    store_frame(tmp_path / "patches.png", PATCHES)
    return tmp_path / "patches.png"


def first(path: Path) -> Pixels:
    with open_source(path) as source:
        return next(iter(source)).pixels


def _tagged(still: Path, path: Path, matrix: str, levels: str, *more: str, size: str = "") -> Path:
    """The patches as lossless YUV 4:4:4 of the given matrix and range, tagged or not."""
    scale = f"scale={size + ':' if size else ''}out_color_matrix={matrix}:out_range={levels}"
    flags = "flags=accurate_rnd+full_chroma_int+full_chroma_inp+neighbor"
    chain = ",".join([f"{scale}:{flags}", "format=yuv444p", *more])
    lossless = ["-c:v", "libx264", "-qp", "0", "-frames:v", "1"]
    return make(path, "-i", str(still), "-vf", chain, *lossless)


@pytest.mark.parametrize(
    ("matrix", "tag", "levels"),
    [
        ("bt601", "smpte170m", "tv"),
        ("bt709", "bt709", "tv"),
        ("bt709", "bt709", "pc"),
        ("bt601", "bt470bg", "pc"),
        ("bt2020", "bt2020nc", "tv"),
    ],
)
def test_tagged_colours_are_read_as_tagged(
    still: Path, tmp_path: Path, matrix: str, tag: str, levels: str
) -> None:
    tags = f"setparams=colorspace={tag}:range={levels}:color_primaries=bt709:color_trc=bt709"
    clip = _tagged(still, tmp_path / "a.mkv", matrix, levels, tags)
    assert probe(clip).color.matrix == tag
    assert error(first(clip)) <= 0.7


@pytest.mark.parametrize(
    ("matrix", "size"), [("bt601", ""), ("bt709", "1280:720"), ("bt709", "1440:1080")]
)
def test_untagged_colours_are_read_as_players_do(
    still: Path, tmp_path: Path, matrix: str, size: str
) -> None:
    untag = "setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown"
    clip = _tagged(still, tmp_path / "a.mkv", matrix, "tv", untag, size=size)
    assert probe(clip).color.matrix == "unknown"
    assert error(first(clip)) <= 0.7


def test_an_animation_is_read_exactly(still: Path, tmp_path: Path) -> None:
    Image.open(still).quantize(16).save(tmp_path / "a.gif")
    assert error(first(tmp_path / "a.gif")) <= 0.5


@pytest.mark.parametrize(
    ("name", "codec", "depth", "limit"),
    [
        ("a.mp4", None, 8, 0.5),
        ("a.mov", None, 8, 0.5),
        ("a.mkv", "x265", 8, 0.5),
        ("a.mp4", "x265", 10, 0.5),
        ("a.mp4", "av1", 8, 0.7),
        ("a.webm", "av1", 10, 0.5),
        ("a.webm", None, 8, 0.7),
        ("a.webm", "vp9", 10, 0.5),
        ("a.gif", None, 8, 0.5),
        ("a.webp", None, 8, 1.5),
    ],
)
def test_colours_come_out_as_they_went_in(
    still: Path, tmp_path: Path, name: str, codec: str | None, depth: int, limit: float
) -> None:
    frames = [StoredFrame(still, Fraction(n, 25)) for n in range(3)]
    animation = name.endswith((".gif", ".webp"))
    encode(
        frames,
        tmp_path / name,
        duration_of_last=Fraction(1, 25),
        source=None,
        rate=Fraction(25),
        options=EncodeOptions(
            codec=codec,
            depth=depth,
            quality=None if name.endswith(".gif") else 100 if animation else 4,
        ),
    )
    # Equal frames make a WebP a still.
    seen = read_still(tmp_path / name) if name.endswith(".webp") else first(tmp_path / name)
    assert error(seen) <= limit
    if not animation:
        info = probe(tmp_path / name)
        assert info.depth == depth
        color = (info.color.matrix, info.color.primaries, info.color.transfer, info.color.range)
        assert color == ("bt709", "bt709", "bt709", "tv")


def test_ten_bits_are_read_as_ten_bits_and_written(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(16384, 16384 + 256 * 64, 64, dtype=np.uint16)[None], 16, axis=0)
    store_frame(tmp_path / "ramp.png", np.repeat(ramp[..., None], 3, axis=2))
    encode(
        [StoredFrame(tmp_path / "ramp.png", Fraction(0))],
        tmp_path / "a.mp4",
        duration_of_last=Fraction(1),
        source=None,
        rate=Fraction(1),
        options=EncodeOptions(codec="x265", depth=10, quality=0),
    )
    assert probe(tmp_path / "a.mp4").depth == 10
    with open_source(tmp_path / "a.mp4", ReadOptions(deep=True)) as source:
        frame = next(iter(source))
    assert frame.deep is not None
    assert len(np.unique(frame.deep[8, :, 1])) > 2 * len(np.unique(frame.pixels[8, :, 1]))
    assert np.abs(frame.deep[8, :, 1].astype(float) - ramp[8]).mean() < 65535 / 1023


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_tone_mapped_and_said(tmp_path: Path, transfer: str) -> None:
    grey = "geq=lum='X*940/255':cb=512:cr=512"
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    chain = f"format=yuv420p10le,{grey},{tags}"
    picture = ["-f", "lavfi", "-i", "color=black:size=256x16:duration=0.04"]
    make(tmp_path / "hdr.mkv", *picture, "-vf", chain, "-c:v", "libx265")
    with open_source(tmp_path / "hdr.mkv") as source:
        row = next(iter(source)).pixels[8].astype(int)
        assert any("tone-mapped" in note for note in source.notes)
    assert source.info.color.is_hdr and source.info.depth == 10
    assert (np.diff(row[:, 1]) >= -1).all() and row[0].max() <= 2
    assert row[-1].min() >= 200 and np.ptp(row, axis=1).max() <= 3


def test_a_wide_gamut_is_brought_into_the_usual_one(tmp_path: Path) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=bt709:colorspace=bt2020nc:range=tv"
    picture = ["-f", "lavfi", "-i", "color=0x80A080:size=64x64:duration=0.04"]
    chain = f"scale=out_color_matrix=bt2020:out_range=tv,format=yuv444p,{tags}"
    make(tmp_path / "wide.mkv", *picture, "-vf", chain, "-c:v", "libx264", "-qp", "0")
    with open_source(tmp_path / "wide.mkv") as source:
        red, green, blue = next(iter(source)).pixels[32, 32].astype(int)
        assert any("converted" in note for note in source.notes)
    # The same coordinates mean a stronger green among the wider primaries.
    assert green >= 160 and red < 0x80 - 10 and abs(blue - 0x80) < 12
