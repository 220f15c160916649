"""The sample clip, real footage with real sound, through what footage goes through."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_clips import Pixels, make, times_of

from dreamvideo.media import ffmpeg
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import EncodeOptions, StoredFrame, encode

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


def rendered(clip: Path, to: Path, **wishes: Any) -> Path:
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
        options=EncodeOptions(**wishes),
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


def test_a_trim_that_hides_frames(clip: Path, tmp_path: Path) -> None:
    """Phones and editors trim without encoding: an edit list hides what comes before."""
    trimmed = make(tmp_path / "t.mp4", "-ss", "0.42", "-i", str(clip), "-c", "copy")
    tail = frames_of(clip)[11:]
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(trimmed), tail, strict=True))
    out = rendered(trimmed, tmp_path / "out.mp4")
    assert likeness(frames_of(out), tail) < 3
    assert abs(probe(out).start - probe(trimmed).start) < Fraction(1, 1000)


def test_a_graded_film_in_hdr(clip: Path, tmp_path: Path) -> None:
    usual = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    linear = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt2020:t=smpte2084:m=bt2020nc:r=tv"
    bright = ["-vf", f"{usual},{linear},format=yuv420p10le", "-c:v", "libx265"]
    hdr = make(tmp_path / "hdr.mkv", "-i", str(clip), *bright, "-crf", "4", "-frames:v", "5")
    with open_source(hdr) as source:
        assert source.info.color.is_hdr and source.info.depth == 10
        seen = [frame.pixels for frame in source]
        assert any("tone-mapped from HDR (PQ)" in note for note in source.notes)
    # What was no brighter than paper is darkened by the curve, but keeps its order and colours.
    pairs = list(zip(seen, frames_of(clip), strict=False))
    assert min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs) > 0.97
    color = probe(rendered(hdr, tmp_path / "out.mp4")).color
    assert (color.matrix, color.primaries, color.transfer) == ("bt709", "bt709", "bt709")


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_an_odd_size_of_odd_pixels(clip: Path, tmp_path: Path, ending: str) -> None:
    shape = ["-vf", "scale=159:89,setsar=4/3,format=yuv444p", "-qp", "0", "-c:a", "copy"]
    odd = make(tmp_path / "odd.mp4", "-i", str(clip), *shape)
    out = rendered(odd, tmp_path / f"out{ending}")
    info = probe(out)
    assert (info.width, info.height) == ((160, 90) if ending == ".mp4" else (159, 89))
    assert abs(info.sample_aspect - Fraction(4, 3)) < Fraction(1, 1000)
    inside = [pixels[:89, :159] for pixels in frames_of(out)]
    assert likeness(inside, frames_of(odd)) < 4


@pytest.mark.parametrize("rate", [Fraction(25, 2), Fraction(60), Fraction(30000, 1001)])
def test_another_rate_shows_what_is_there_at_each_tick(clip: Path, rate: Fraction) -> None:
    whole = frames_of(clip)
    with open_source(clip, ReadOptions(fps=rate)) as source:
        frames = list(source)
    assert [frame.time for frame in frames] == [n / rate for n in range(len(frames))]
    assert abs(frames[-1].time + frames[-1].duration - len(whole) * Fraction(1, 25)) < 1 / rate
    for frame in frames:
        assert np.array_equal(frame.pixels, whole[int(frame.time * 25)])


def test_a_figure_cut_out_of_a_film(clip: Path, tmp_path: Path) -> None:
    """A round window of the film over nothing, through every output that can hold it."""
    rows, columns = np.mgrid[:90, :160]
    window = np.where((rows - 45) ** 2 + (columns - 80) ** 2 < 40**2, 255, 0).astype(np.uint8)
    stored = []
    for number, pixels in enumerate(frames_of(clip)[:4]):
        path = tmp_path / f"{number}.png"
        store_frame(path, pixels, window)
        stored.append(StoredFrame(path, Fraction(number, 25)))
    for name in ("a.gif", "a.webp", "a.webm", "a"):
        out = tmp_path / name
        encode(stored, out, duration_of_last=Fraction(1, 25), source=None, rate=Fraction(25))
        with open_source(out, ReadOptions(keep_alpha=True)) as source:
            masks = [frame.alpha for frame in source]
        assert len(masks) == 4
        for mask in masks:
            assert mask is not None and np.mean((mask > 127) != (window > 127)) < 0.01
