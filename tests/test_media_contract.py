"""What every source promises, and what every sink promises, on made and on real material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from media_clips import film, make, picture, times_of, tone

from dreamvideo.errors import MediaError
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe
from dreamvideo.media.read import Frame, ReadOptions, open_source
from dreamvideo.media.stills import open_still, store_frame, write_still
from dreamvideo.media.write import StoredFrame, encode, supported_endings

BUNNY = Path(__file__).parents[1] / "samples" / "bunny.mp4"
TICK = Fraction(1, 25)
FILMS = [".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv", ".ts", ".mpg", ".ogv", ".wmv"]
ANIMATIONS = [".gif", ".webp", ".apng"]
PICTURES = [".png", ".jpg", ".tif", ".bmp", ".webp"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A second of 25 frames, 64 x 48, by ending; numbered pictures by "s/%03d" and ending."""
    folder = tmp_path_factory.mktemp("contract")

    def made(name: str) -> Path:
        path = folder / name
        if name.startswith("s"):
            (folder / name[:1]).mkdir(exist_ok=True)
            if not list((folder / "s").glob(f"*{path.suffix}")):
                with open_source(made("a.mp4")) as frames:
                    for frame in frames:
                        _store(folder / "s" / f"{frame.index:03d}{path.suffix}", frame.pixels)
            return path
        if path.exists():
            return path
        sound = [] if path.suffix in ANIMATIONS else tone(1)
        plays = ["-plays", "0"] if path.suffix == ".apng" else []
        return make(path, *picture(1), *sound, *plays)

    return made


def _store(path: Path, pixels: np.ndarray) -> None:
    if path.suffix == ".bmp":
        import cv2

        cv2.imwrite(str(path), pixels[..., ::-1])
    else:
        write_still(path, pixels)


SOURCES = [f"a{ending}" for ending in FILMS + ANIMATIONS] + [f"s/%03d{e}" for e in PICTURES]


@pytest.mark.sample(9)
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_keeps_the_promises(source: Callable[[str], Path], name: str) -> None:
    path = source(name)
    with open_source(path) as frames:
        whole = list(frames)
        assert frames.size == (frames.info.width, frames.info.height) == (64, 48)
        assert list(frames) == [], "a source is passed once"
        assert frames.missing == 0
    # Theora and WebP show (nearly) equal frames once and longer.
    assert len(whole) == 25 or (name in ("a.ogv", "a.webp") and len(whole) > 10)
    assert [f.index for f in whole] == list(range(len(whole)))
    assert whole[0].time == 0
    for frame, following in pairwise(whole):
        assert frame.time + frame.duration == following.time
    assert whole[-1].duration > 0
    for frame in whole:
        assert frame.pixels.shape == (48, 64, 3) and frame.pixels.dtype == np.uint8
        assert frame.pixels.flags.c_contiguous and frame.pixels.flags.writeable
    start, end = Fraction(1, 5), Fraction(7, 10)
    with open_source(path, ReadOptions(start=start, end=end, size=(32, 24))) as frames:
        part = list(frames)
    inside = [f for f in whole if start <= f.time < end]
    assert [f.time for f in part] == [f.time for f in inside]
    assert all(f.pixels.shape == (24, 32, 3) for f in part)
    assert part[-1].time + part[-1].duration <= end
    small = np.stack([f.pixels for f in part]).astype(float)
    blocks = np.stack([f.pixels for f in inside]).reshape(-1, 24, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - blocks).mean() < 6


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_makes_a_film(
    source: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    path = source(name)
    frames = []
    with open_source(path) as opened:
        for frame in opened:
            store_frame(tmp_path / f"{frame.index}.png", frame.pixels)
            frames.append(StoredFrame(tmp_path / f"{frame.index}.png", frame.time))
    encode(
        frames,
        tmp_path / "out.mp4",
        duration_of_last=frame.duration,
        source=path,
        rate=opened.info.rate,
    )
    out = times_of(tmp_path / "out.mp4")
    assert max(abs(a - b.time) for a, b in zip(out, frames, strict=True)) < Fraction(1, 1000)
    assert len(probe(tmp_path / "out.mp4").audio) == len(opened.info.audio)


@pytest.mark.parametrize("name", [f"a{ending}" for ending in supported_endings()] + ["shots"])
def test_every_sink_keeps_the_promises(tmp_path: Path, name: str) -> None:
    seen: list[int] = []
    # DNxHR takes no smaller ones.
    frames = film(tmp_path / "f", [n * TICK for n in range(5)], (256, 120))
    notes = encode(
        frames,
        tmp_path / name,
        duration_of_last=TICK,
        source=None,
        rate=1 / TICK,
        options=EncodeOptions(on_frame=seen.append),
    )
    assert seen in ([1, 2, 3, 4, 5], [])
    assert all("\n" not in note for note in notes)
    assert [round(float(t) * 25) for t in times_of(tmp_path / name)] == [0, 1, 2, 3, 4]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "f"])
    with pytest.raises(MediaError, match="no frame"):
        encode(
            [],
            tmp_path / name,
            duration_of_last=TICK,
            source=None,
            rate=1 / TICK,
            options=EncodeOptions(overwrite=True),
        )
    assert len(times_of(tmp_path / name)) == 5


@dataclass(frozen=True)
class Real:
    """A part of the sample clip at half its size: its frames, also as stored."""

    frames: list[Frame]
    stored: list[StoredFrame]
    rate: Fraction
    start: Fraction = Fraction(1)
    end: Fraction = Fraction(9, 5)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    folder = tmp_path_factory.mktemp("bunny")
    stored = []
    with open_source(BUNNY, ReadOptions(start=Real.start, end=Real.end, size=(256, 144))) as source:
        frames = list(source)
    for frame in frames:
        store_frame(folder / f"{frame.index}.png", frame.pixels)
        stored.append(StoredFrame(folder / f"{frame.index}.png", frame.time))
    return Real(frames, stored, source.info.rate)


@pytest.mark.sample(3)
@pytest.mark.parametrize("ending", supported_endings())
def test_a_real_clip_comes_back(real: Real, tmp_path: Path, ending: str) -> None:
    output = tmp_path / f"out{ending}"
    encode(
        real.stored,
        output,
        duration_of_last=real.frames[-1].duration,
        source=BUNNY,
        source_start=real.start,
        source_end=real.end,
        rate=real.rate,
    )
    with open_source(output) as again:
        pixels = list(again)
    assert [f.time for f in pixels] == [f.time - real.start for f in real.frames]
    pairs = zip(real.frames, pixels, strict=True)
    errors = [np.abs(a.pixels.astype(float) - b.pixels).mean() for a, b in pairs]
    assert np.mean(errors) < 4
    has_sound = ending not in (".gif", ".webp")
    assert bool(again.info.audio) == has_sound
    if has_sound:
        assert abs(float(again.info.duration) - 0.8) < 0.05


def test_a_header_that_declares_a_giant_is_refused(tmp_path: Path) -> None:
    giant = b"GIF89a" + bytes([0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0, 0]) + bytes(6)
    giant += b"," + bytes(4) + bytes([0xFF, 0xFF, 0xFF, 0xFF, 0]) + bytes([2, 2, 0x44, 1, 0]) + b";"
    (tmp_path / "giant.gif").write_bytes(giant)
    with pytest.raises(MediaError, match=r"giant\.gif"):
        probe(tmp_path / "giant.gif")
    with pytest.raises(MediaError, match=r"giant\.gif: declares 65535 x 65535 pixels"):
        open_still(tmp_path / "giant.gif", least=(32, 32))
