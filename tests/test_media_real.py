"""The sample clip, real footage with real sound, through what footage goes through."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from media_clips import Pixels, make, times_of

from dreamvideo.media import ffmpeg
from dreamvideo.media.probe import probe
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame, encode

BUNNY = Path(__file__).parents[1] / "samples" / "bunny.mp4"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of the bunny at a third of its size, its sound as it is."""
    folder = tmp_path_factory.mktemp("real")
    small = ["-vf", "scale=160:90", "-qp", "8", "-c:a", "copy", "-movflags", "+faststart"]
    return make(folder / "clip.mp4", "-t", "1", "-i", str(BUNNY), *small)


def frames_of(path: Path) -> list[Pixels]:
    with open_source(path) as source:
        return [frame.pixels for frame in source]


def rendered(clip: Path, to: Path, **wishes: object) -> Path:
    """The clip through the whole way, nothing dreamt."""
    stored = []
    folder = to.parent / f"frames of {to.name}"
    folder.mkdir()
    with open_source(clip) as source:
        for frame in source:
            path = folder / f"{frame.index}.png"
            store_frame(path, frame.pixels)
            stored.append(StoredFrame(path, frame.time))
    encode(
        stored,
        to,
        duration_of_last=frame.duration,
        source=clip,
        rate=source.info.rate,
        **wishes,  # type: ignore[arg-type]
    )
    return to


def sound_packets(path: Path) -> list[str]:
    """Size and checksum of every sound packet."""
    words = [*ffmpeg.input_file(path), "-map", "0:a", "-c", "copy", "-f", "framecrc", "pipe:1"]
    lines = ffmpeg.run(words, subject="sound")[1].decode().splitlines()
    return [",".join(line.split(",")[4:6]) for line in lines if not line.startswith("#")]


def likeness(some: list[Pixels], others: list[Pixels]) -> float:
    """Mean difference in levels."""
    pairs = zip(some, others, strict=True)
    return float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs]))


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_the_sound_is_copied_packet_for_packet(clip: Path, tmp_path: Path, ending: str) -> None:
    out = rendered(clip, tmp_path / f"out{ending}")
    assert sound_packets(out) == sound_packets(clip) != []
    assert likeness(frames_of(out), frames_of(clip)) < 3


def test_a_varying_rate_keeps_all_times(clip: Path, tmp_path: Path) -> None:
    some = ["-vf", "select='lt(n,7)+not(mod(n,3))'", "-fps_mode", "passthrough", "-c:a", "copy"]
    varying = make(tmp_path / "varying.mp4", "-i", str(clip), *some)
    before = times_of(varying)
    assert len(before) == 13 and len({b - a for a, b in pairwise(before)}) > 1
    for ending in (".mp4", ".mov", ".webm"):
        after = times_of(rendered(varying, tmp_path / f"out{ending}"))
        error = max(abs(a - b) for a, b in zip(before, after, strict=True))
        assert error <= (Fraction(1, 1000) if ending == ".webm" else Fraction(1, 90_000))


def test_a_telephone_held_upright(clip: Path, tmp_path: Path) -> None:
    turned = make(tmp_path / "t.mp4", "-display_rotation", "-90", "-i", str(clip), "-c", "copy")
    out = rendered(turned, tmp_path / "out.mp4")
    assert (probe(out).width, probe(out).height, probe(out).rotation) == (90, 160, 0)
    upright = [np.rot90(pixels, -1) for pixels in frames_of(clip)]
    assert likeness(frames_of(out), upright) < 3


def test_a_broadcast_in_fields(clip: Path, tmp_path: Path) -> None:
    double = ["-vf", "fps=50,tinterlace=interleave_top,fieldorder=tff", "-flags", "+ilme+ildct"]
    lossy = ["-c:v", "mpeg2video", "-q:v", "2", "-c:a", "mp2"]
    fields = make(tmp_path / "f.ts", "-i", str(clip), *double, *lossy)
    out = rendered(fields, tmp_path / "out.mp4")
    assert not probe(out).interlaced
    assert likeness(frames_of(out)[2:24], frames_of(clip)[2:24]) < 6


def test_a_download_that_broke_off(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "b.mp4"
    broken.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    with open_source(broken) as source:
        came = sum(1 for _ in source)
        assert 0 < came < 25 and abs(came + source.missing - 25) <= 1
        assert any("missing" in note for note in source.notes)
    assert len(times_of(rendered(broken, tmp_path / "out.mp4"))) == came


@pytest.mark.parametrize(
    ("name", "codec", "depth"),
    [("a.mkv", "x265", 10), ("a.mp4", "av1", 10), ("a.webm", "vp9", 8), ("a.webm", "av1", 8)],
)
def test_every_codec_is_close_to_the_source(
    clip: Path, tmp_path: Path, name: str, codec: str, depth: int
) -> None:
    out = rendered(clip, tmp_path / name, codec=codec, depth=depth)
    assert probe(out).depth == depth
    assert likeness(frames_of(out), frames_of(clip)) < 3.5
    assert abs(probe(out).duration - probe(clip).duration) < Fraction(3, 100)
