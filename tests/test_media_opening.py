"""Reading from the middle of a clip gives what reading from its start gives, bit for bit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from media_clips import film, make, picture

from dreamvideo.media import read, series
from dreamvideo.media.decode import decode_frames
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.read import Frame, ReadOptions, SeekPoint, compute_checksum, open_source
from dreamvideo.media.stills import open_still
from dreamvideo.media.write import encode

# Three seconds and more: an opening is looked for a second early, and a keyframe before that.
LONG = picture(4, "25", "64x48")
B_FRAMES = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "20", "-bf", "3"]
KINDS: dict[str, tuple[str, list[str]]] = {
    "h264 with B frames": ("a.mp4", [*LONG, *B_FRAMES]),
    "h264 with open groups": ("b.mp4", [*LONG, *B_FRAMES, "-x264-params", "open-gop=1"]),
    "h264 in Matroska": ("c.mkv", [*LONG, *B_FRAMES, "-x264-params", "open-gop=1:b-pyramid=2"]),
    "h264 refreshed row by row": ("d.mkv", [*LONG, *B_FRAMES, "-x264-params", "intra-refresh=1"]),
    "h264 in a transport stream": ("e.ts", [*LONG, *B_FRAMES]),
    "h265": ("f.mp4", [*LONG, "-c:v", "libx265", "-x265-params", "keyint=20:log-level=none"]),
    "vp9": ("g.webm", [*LONG, "-c:v", "libvpx-vp9", "-g", "20", "-deadline", "realtime"]),
    "mpeg4 in AVI": ("h.avi", [*LONG, "-c:v", "mpeg4", "-g", "20", "-bf", "2"]),
    "an edit list": ("i.mov", ["-ss", "0.5", *LONG, *B_FRAMES, "-output_ts_offset", "1.3"]),
    "a late start": ("j.mp4", [*LONG, *B_FRAMES, "-vf", "setpts=PTS+3/TB", "-copyts"]),
    "interlaced": ("k.mp4", [*LONG, *B_FRAMES, "-flags", "+ildct+ilme", "-vf", "setfield=tff"]),
    "one keyframe": ("l.mp4", [*LONG, *B_FRAMES, "-g", "1000"]),
    "an animation": ("m.gif", [*picture(3, "10", "32x24")]),
}
SEEN = ("an animation", "h264 refreshed row by row")


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[Fraction]:
    """From which second on a decoder was asked for frames, each time one was."""
    asked: list[Fraction] = []

    def noted(info: Any, size: Any, begin: Fraction, *rest: Any) -> Any:
        asked.append(begin)
        return decode_frames(info, size, begin, *rest)

    monkeypatch.setattr(read, "decode_frames", noted)
    return asked


def frames_of(clip: Path, opening: SeekPoint | None = None, **how: Any) -> list[Frame]:
    with open_source(clip, ReadOptions(**how), opening=opening) as source:
        return list(source)


def opening_at(frame: Frame) -> SeekPoint:
    return SeekPoint(frame.index, frame.time, compute_checksum(frame))


def marks(frames: list[Frame]) -> list[tuple[int, Fraction, Fraction, int]]:
    return [(f.index, f.time, f.duration, compute_checksum(f)) for f in frames]


def check_openings(clip: Path, *, count: int = 4, **how: Any) -> None:
    whole = frames_of(clip, **how)
    for number in (len(whole) * n // count for n in range(count)):
        found = frames_of(clip, opening_at(whole[number]), **how)
        assert marks(found) == marks(whole[number:])


@pytest.mark.sample(4)
@pytest.mark.parametrize("kind", KINDS)
def test_from_an_opening_on_all_is_as_from_the_start(
    kind: str, tmp_path: Path, starts: list[Fraction]
) -> None:
    name, arguments = KINDS[kind]
    check_openings(make(tmp_path / name, *arguments))
    # Once for the whole, and then once for each.
    if kind not in SEEN:
        assert len(starts) == 5
        assert starts[-1] > 2


@pytest.mark.parametrize("kind", ["an edit list", "a late start", "h264 in a transport stream"])
def test_a_start_counts_from_the_first_picture(kind: str, tmp_path: Path) -> None:
    name, arguments = KINDS[kind]
    clip = make(tmp_path / name, *arguments)
    late = [frame.time for frame in frames_of(clip) if frame.time >= 2]
    assert [frame.time for frame in frames_of(clip, start=Fraction(2))] == late


def test_a_clip_whose_frames_last_as_they_like(tmp_path: Path, starts: list[Fraction]) -> None:
    lengths = [40, 1000, 33, 3500, 120] * 5
    times = [Fraction(sum(lengths[:n]), 1000) for n in range(len(lengths))]
    clip = tmp_path / "vfr.mkv"
    stored = film(tmp_path / "frames", times)
    last = Fraction(1, 25)
    encode(
        stored,
        clip,
        duration_of_last=last,
        source=None,
        rate=Fraction(25),
        options=EncodeOptions(overwrite=True),
    )
    check_openings(clip, count=7)
    assert len(starts) == 8
    # At a constant rate, what an opening shows may have begun long before it.
    check_openings(clip, count=7, fps=Fraction(12))


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "how",
    [
        {"start": Fraction(3, 2)},
        {"start": Fraction(1, 2), "end": Fraction(3)},
        {"fps": Fraction(30000, 1001)},
        {"fps": Fraction(10), "start": Fraction(1, 3), "size": (32, 24)},
        {"deep": True, "keep_alpha": True},
    ],
)
def test_whatever_else_is_asked_for(
    how: dict[str, Any], tmp_path: Path, starts: list[Fraction]
) -> None:
    check_openings(make(tmp_path / "clip.mp4", *LONG, *B_FRAMES), **how)
    assert len(starts) == 5


def test_pictures_before_an_opening_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "shots", [Fraction(n) for n in range(9)])
    whole = frames_of(tmp_path / "shots")
    names: list[str] = []

    def noted(path: Path, **options: Any) -> Any:
        names.append(path.stem)
        return open_still(path, **options)

    monkeypatch.setattr(series, "open_still", noted)
    assert marks(frames_of(tmp_path / "shots", opening_at(whole[5]))) == marks(whole[5:])
    assert names == ["000005", "000006", "000007", "000008"]


def test_an_opening_that_is_not_there_is_read_up_to(tmp_path: Path, starts: list[Fraction]) -> None:
    clip = make(tmp_path / "clip.mp4", *LONG, *B_FRAMES)
    whole = frames_of(clip)
    wrong = SeekPoint(70, whole[70].time, 12345)
    assert marks(frames_of(clip, wrong)) == marks(whole[70:])
    assert starts == [0, whole[70].time, 0]
