"""When every picture and sound is presented, through every container."""

from __future__ import annotations

import functools
import re
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import film, make, picture, times_of, tone

from dreamvideo.media import ffmpeg
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe, read_tags
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame, encode

NTSC = Fraction(30000, 1001)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("timing")


def flash_and_click(path: Path, late: float = 0) -> Path:
    """White for the second frame of every half second, a click in the sound at that very time.

    ``late`` seconds is the picture behind the sound, or with a minus the sound behind the picture.
    """
    if path.exists():
        return path
    white = "color=black:size=64x48:rate=50:duration=2"
    blink = "geq=lum='if(eq(mod(N,25),1),255,0)':cb=128:cr=128"
    click = "aevalsrc='if(lt(mod(t-0.02,0.5),0.01),0.9*sin(5000*t),0)':d=2:s=48000"
    inputs = ["-itsoffset", str(max(0, late)), "-f", "lavfi", "-i", white]
    inputs += ["-itsoffset", str(max(0, -late)), "-f", "lavfi", "-i", click]
    codec = ["-c:a", "libopus" if path.suffix == ".webm" else "aac", "-b:a", "192k"]
    return make(path, *inputs, "-vf", blink, "-g", "30", "-bf", "0", *codec)


def flashes(path: Path) -> list[float]:
    """Seconds on the container's clock at which the picture is white."""
    with open_source(path) as source:
        start = float(source.info.start)
        return [float(f.time) + start for f in source if f.pixels.mean() > 128]


def clicks(path: Path) -> list[float]:
    """Seconds on the container's clock at which the sound sets in."""
    sound = ["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "8000"]
    arguments = [*ffmpeg.input_file(path), *sound, "-f", "f32le", "pipe:1"]
    samples = np.frombuffer(ffmpeg.run(arguments, subject="sound")[1], np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.2) / 8000
    return [float(t) for n, t in enumerate(loud) if n == 0 or t - loud[n - 1] > 0.1]


def dreamt(
    source: Path, to: Path, start: Fraction | None = None, end: Fraction | None = None
) -> Path:
    """The source rendered unchanged, as the renderer would go about it."""
    frames, duration = decoded(source, start, end)
    encode(
        frames,
        to,
        duration_of_last=duration,
        source=source,
        source_start=start or Fraction(0),
        source_end=end,
        rate=probe(source).rate,
    )
    return to


@functools.cache
def decoded(
    source: Path, start: Fraction | None, end: Fraction | None
) -> tuple[list[StoredFrame], Fraction]:
    """The frames of a range, stored, and how long the last one is shown."""
    folder = Path(tempfile.mkdtemp(prefix=f"{source.name}.", dir=source.parent))
    stored = []
    with open_source(source, ReadOptions(start=start, end=end)) as frames:
        for frame in frames:
            store_frame(folder / f"{frame.index}.png", frame.pixels)
            stored.append(StoredFrame(folder / f"{frame.index}.png", frame.time))
    return stored, frame.duration


@pytest.mark.sample(2)
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("late", [0.42, -0.42])
def test_sound_and_picture_stay_together(folder: Path, ending: str, late: float) -> None:
    source = flash_and_click(folder / f"click{late}.mp4", late)
    out = dreamt(source, folder / f"out{late}{ending}")
    assert len(times_of(out)) == 100
    assert np.allclose(flashes(out), flashes(source), atol=0.0011)
    assert np.allclose(clicks(out), clicks(source), atol=0.002)


@pytest.mark.sample(2)
@pytest.mark.parametrize("ending", [".mov", ".mkv", ".webm", ".avi", ".ts", ".flv"])
def test_sound_and_picture_of_every_container_stay_together(folder: Path, ending: str) -> None:
    source = flash_and_click(folder / f"from{ending}")
    out = dreamt(source, folder / f"from{ending}.mp4")
    assert len(times_of(out)) == 100
    before, after = np.array(flashes(source)), np.array(flashes(out))
    assert np.allclose(after - clicks(out), before - clicks(source), atol=0.003)


@pytest.mark.sample(2)
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("late", [0, 0.42])
def test_a_range_keeps_sound_and_picture_together(folder: Path, ending: str, late: float) -> None:
    source = flash_and_click(folder / f"cut{late}.mp4", late)
    start, end = Fraction(7, 10), Fraction(8, 5)
    out = dreamt(source, folder / f"range{late}{ending}", start, end)
    lag = np.array(clicks(source)) - (late + 0.7)
    seen = [t for t in lag if 0 <= t < 0.9]
    assert len(times_of(out)) == 45
    assert abs(float(probe(out).duration) - 0.9) < 0.05
    assert np.allclose(clicks(out), seen, atol=0.002)
    expected = [t - late - 0.7 for t in flashes(source) if late + 0.7 <= t < late + 1.6]
    assert np.allclose(flashes(out), expected, atol=0.0011)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(12)])
def test_a_cut_between_frames_moves_the_picture_by_less_than_a_frame(
    folder: Path, ending: str, rate: Fraction
) -> None:
    clip = folder / f"between{rate.numerator}.mp4"
    if not clip.exists():
        make(clip, *picture(1, str(rate)), *tone(1))
    start = Fraction(507, 1000)
    with open_source(clip, ReadOptions(start=start)) as source:
        late = next(iter(source)).time - start
    out = dreamt(clip, folder / f"between{rate.numerator}{ending}.out{ending}", start)
    assert 0 < late < 1 / rate
    assert abs(probe(out).first_time - late) <= Fraction(1, 1000)
    assert probe(out).rate == rate


def test_an_edit_list_is_followed(folder: Path) -> None:
    """Copying from between key frames makes MP4 hide the frames before the cut."""
    whole = make(folder / "whole.mp4", *picture(2), *tone(2), "-g", "25", "-bf", "2")
    cut = make(folder / "cut.mp4", "-ss", "1.4", "-i", str(whole), "-c", "copy")
    with open_source(whole) as source:
        tail = [f for f in source if f.time >= Fraction(7, 5)]
    with open_source(cut) as source:
        frames = list(source)
        assert source.missing == 0 and source.notes == []
    assert len(frames) == len(tail) == 15
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, tail, strict=True))
    assert len(times_of(dreamt(cut, folder / "edited.mp4"))) == 15


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "25", "60", "12", "15/2"])
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi", ".ts", ".webm"])
def test_rates_are_known_exactly(folder: Path, rate: str, ending: str) -> None:
    clip = make(folder / f"r{ending}", *picture(2, rate))
    if ending == ".ts" and rate == "15/2":
        return  # MPEG-2 has no such rate
    assert probe(clip).rate == Fraction(rate)


def test_times_of_a_varying_rate_survive_two_generations(folder: Path) -> None:
    times = [Fraction(n, 1000) for n in (0, 17, 99, 100, 400, 433, 2000)]
    frames = film(folder / "v", times)
    encode(frames, folder / "v.mkv", duration_of_last=Fraction(1, 3), source=None, rate=None)
    again = dreamt(folder / "v.mkv", folder / "again.mp4")
    assert max(abs(a - b) for a, b in zip(times_of(again), times, strict=True)) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "x265"), ("a.mp4", "av1"), ("a.mkv", "x265"), ("a.webm", "av1"), ("a.mkv", "vp9")],
)
@pytest.mark.parametrize("rate", [None, NTSC])
def test_every_codec_keeps_times_and_the_end(
    tmp_path: Path, name: str, codec: str, rate: Fraction | None
) -> None:
    uneven = [Fraction(n, 600) for n in (0, 20, 77, 160, 181, 900, 913)]
    times = [n / rate for n in range(20)] if rate else uneven
    last = 1 / rate if rate else Fraction(1, 2)
    encode(
        film(tmp_path / "f", times),
        tmp_path / name,
        duration_of_last=last,
        source=None,
        rate=rate,
        options=EncodeOptions(codec=codec),
    )
    errors = [abs(a - b) for a, b in zip(times_of(tmp_path / name), times, strict=True)]
    assert max(errors) <= (Fraction(1, 90_000) if name == "a.mp4" else Fraction(1, 1000))
    assert abs(probe(tmp_path / name).duration - times[-1] - last) <= Fraction(1, 50)


def test_a_truncated_source_still_gives_its_sound(folder: Path) -> None:
    whole = make(folder / "t.mp4", *picture(2), *tone(2), "-movflags", "+faststart")
    cut = folder / "t-cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    out = dreamt(cut, folder / "t-out.mp4")
    assert len(times_of(out)) == len(times_of(cut)) > 10
    assert abs(float(probe(out).duration) - len(times_of(cut)) / 25) < 0.2


def subtitles(path: Path) -> list[tuple[float, float, str]]:
    """(start, end, words) of the first subtitle track."""
    words = ["-copyts", *ffmpeg.input_file(path), "-map", "0:s:0", "-f", "srt", "pipe:1"]
    written = ffmpeg.run(words, subject="subtitles")[1].decode()
    pattern = r"(\d+):(\d+):(\d+),(\d+) --> (\d+):(\d+):(\d+),(\d+)\n(.*?)\n"
    found = re.findall(pattern, written)
    times = [[int(n) for n in entry[:8]] for entry in found]
    return [
        (t[1] * 60 + t[2] + t[3] / 1000, t[5] * 60 + t[6] + t[7] / 1000, entry[8])
        for t, entry in zip(times, found, strict=True)
    ]


@pytest.mark.parametrize("origin", [".mkv", ".mp4"])
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
def test_subtitles_and_chapters_are_cut_with_the_range(
    folder: Path, origin: str, ending: str
) -> None:
    lines = [(0.2, 0.8, "gone"), (1.2, 1.6, "first"), (1.8, 2.2, "second"), (2.7, 2.9, "after")]
    text = "".join(
        f"{n}\n00:00:0{a:.3f} --> 00:00:0{b:.3f}\n{words}\n\n".replace(".", ",")
        for n, (a, b, words) in enumerate(lines, 1)
    )
    (folder / "cut.srt").write_text(text)
    marks = "".join(
        f"[CHAPTER]\nTIMEBASE=1/10\nSTART={n * 10}\nEND={n * 10 + 10}\ntitle=c{n}\n"
        for n in range(3)
    )
    (folder / "cut.txt").write_text(f";FFMETADATA1\n{marks}")
    titles = ["-i", str(folder / "cut.srt"), "-i", str(folder / "cut.txt")]
    kind = ["-c:s", "mov_text"] if origin == ".mp4" else []
    clip = make(folder / f"titled{origin}", *picture(3), *titles, "-map_metadata", "2", *kind)
    out = dreamt(clip, folder / f"of{origin}{ending}", Fraction(11, 10), Fraction(5, 2))
    kept = subtitles(out)
    assert [words for _, _, words in kept] == ["first", "second"]
    for (start, end, _), (before, until, _) in zip(kept, lines[1:3], strict=True):
        assert abs(start - (before - 1.1)) < 0.002 and abs(end - (until - 1.1)) < 0.002
    assert probe(out).chapters == 2


def test_a_size_that_changes_midway_is_brought_to_the_first(folder: Path) -> None:
    for n, size in enumerate(("64x48", "96x72")):
        codec = ["-c:v", "mpeg2video", "-q:v", "2", "-output_ts_offset", str(n * 0.4)]
        make(folder / f"size{n}.ts", *picture(0.4, size=size), *codec)
    whole = folder / "size.ts"
    whole.write_bytes(b"".join((folder / f"size{n}.ts").read_bytes() for n in range(2)))
    with open_source(whole) as source:
        shapes = [frame.pixels.shape for frame in source]
    assert set(shapes) == {(48, 64, 3)} and len(shapes) > 10


def test_a_cut_range_needs_no_decoding_from_the_start(folder: Path) -> None:
    clip = make(folder / "long.mp4", *picture(20), "-g", "25")
    with open_source(clip, ReadOptions(start=Fraction(18), end=Fraction(181, 10))) as source:
        assert [f.time for f in source] == [Fraction(n, 25) for n in (450, 451, 452)]


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_tags_travel_and_new_ones_join_them(folder: Path, ending: str) -> None:
    own = ["-metadata", "title=Ein = Film; #1", "-metadata", "comment=mine"]
    clip = make(folder / "tagged.mp4", *picture(0.2), *own)
    settings = 'dreamvideo\n[dream]\nlayers = "a,b:0.5"\\\n;x\n'
    notes = encode(
        film(folder / "t", times_of(clip)),
        folder / f"tags{ending}",
        duration_of_last=Fraction(1, 25),
        source=clip,
        rate=Fraction(25),
        options=EncodeOptions(metadata={"synopsis": settings}),
    )
    tags = {key.lower(): value for key, value in read_tags(folder / f"tags{ending}").items()}
    assert tags["title"] == "Ein = Film; #1"
    assert (tags["comment"] == "mine") != any("comment is replaced" in note for note in notes)
    assert settings in (tags.get("synopsis"), tags.get("comment"))


@pytest.mark.parametrize("seconds", [0.3, 3.0])
@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_no_stream_is_cut_to_the_shortest(folder: Path, seconds: float, ending: str) -> None:
    inputs = [*picture(1), *tone(seconds), *tone(0.5, 600), *_maps(3)]
    clip = make(folder / f"{seconds}.mp4", *inputs)
    out = dreamt(clip, folder / f"uneven{seconds}{ending}")
    assert len(times_of(out)) == 25
    assert len(probe(out).audio) == 2
    assert abs(float(probe(out).duration) - max(1, seconds)) < 0.06


def _maps(count: int) -> list[str]:
    return [word for n in range(count) for word in ("-map", str(n))]


def test_surround_sound_goes_into_webm(folder: Path) -> None:
    layout = "aevalsrc=0.1*sin(440*t)|0|0|0|0.1*sin(220*t)|0:channel_layout=5.1(side):d=1"
    sound = ["-f", "lavfi", "-i", layout, "-c:a", "ac3"]
    clip = make(folder / "surround.mkv", *picture(1), *sound)
    out = dreamt(clip, folder / "surround.webm")
    assert [t.codec for t in probe(out).audio] == ["opus"]
    assert probe(out).audio[0].channels.startswith("5.1")
