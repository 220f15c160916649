from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import film, make, picture, times_of, tone

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import load_frame, png_bytes, stored_bytes
from dreamvideo.media.write import StoredFrame, check_output, encode, supported_endings

NTSC = Fraction(30000, 1001)
RESOLUTION = {".mkv": 0.0011, ".webm": 0.0011, ".webp": 0.0011, ".gif": 0.0051}


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose picture starts late, with two sound tracks, subtitles, chapters and a title."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nhello\n")
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={n}00\nEND={n + 5}00\ntitle=c{n}\n" for n in (0, 5)
    )
    (folder / "m.txt").write_text(f";FFMETADATA1\ntitle=Big Film\n{chapters}")
    inputs = ["-itsoffset", "0.3", *picture(1.5, "30000/1001"), *tone(2), *tone(1.2, 600)]
    inputs += ["-i", str(folder / "s.srt"), "-i", str(folder / "m.txt")]
    maps = ["-map", "0:v", "-map", "1", "-map", "2", "-map", "3", "-map_metadata", "4"]
    tags = ["a:0", "eng", "a:1", "fra", "s:0", "deu", "v:0", "ita"]
    for stream, language in zip(tags[::2], tags[1::2], strict=True):
        maps += [f"-metadata:s:{stream}", f"language={language}"]
    return make(folder / "rich.mp4", *inputs, *maps, "-c:s", "mov_text")


def size_for(ending: str) -> tuple[int, int]:
    """A small size; DNxHR takes none that is smaller."""
    return (256, 120) if ending == ".mxf" else (48, 32)


@pytest.mark.parametrize("ending", supported_endings())
def test_a_constant_rate_comes_back(tmp_path: Path, ending: str) -> None:
    times = [n / NTSC for n in range(31)]
    output = tmp_path / f"a{ending}"
    frames = film(tmp_path / "f", times, size_for(ending))
    encode(frames, output, duration_of_last=1 / NTSC, source=None, rate=NTSC)
    error = max(abs(a - b) for a, b in zip(times_of(output), times, strict=True))
    assert error <= RESOLUTION.get(ending, 0)
    if ending == ".webp":
        return  # claims neither a rate nor a duration
    if ending != ".gif":
        assert probe(output).rate == NTSC
    assert abs(probe(output).duration - 31 / NTSC) < Fraction(1, 100)
    assert sorted(p.name for p in tmp_path.iterdir()) == [output.name, "f"]


@pytest.mark.parametrize("ending", supported_endings())
def test_every_frame_keeps_its_own_time(tmp_path: Path, ending: str) -> None:
    times = [Fraction(n, 600) for n in (0, 20, 77, 160, 161 + 20, 900, 913)]
    output = tmp_path / f"a{ending}"
    last = Fraction(1, 2)
    frames = film(tmp_path / "f", times, size_for(ending))
    if ending == ".mxf":
        with pytest.raises(UsageError, match="not a rate that varies"):
            encode(frames, output, duration_of_last=last, source=None, rate=None)
        return
    encode(frames, output, duration_of_last=last, source=None, rate=None)
    error = max(abs(a - b) for a, b in zip(times_of(output), times, strict=True))
    assert error <= RESOLUTION.get(ending, 0.00001)
    if ending not in (".gif", ".webp"):
        assert abs(probe(output).duration - times[-1] - last) <= Fraction(1, 50)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_everything_beside_the_picture_is_kept(source: Path, tmp_path: Path, ending: str) -> None:
    times = times_of(source)
    output = tmp_path / f"a{ending}"
    notes = encode(
        film(tmp_path / "f", times), output, duration_of_last=1 / NTSC, source=source, rate=NTSC
    )
    before, after = probe(source), probe(output)
    assert len(times_of(output)) == len(times)
    assert [t.language for t in after.audio] == ["eng", "fra"]
    assert (after.subtitles, after.chapters, after.language) == (1, 2, "ita")
    assert abs(after.start - before.start) <= Fraction(1, 1000)
    assert abs(after.duration - before.duration) <= Fraction(3, 100)
    copied = [t.codec for t in after.audio] == [t.codec for t in before.audio]
    assert copied == (ending != ".webm") and any("converted" in n for n in notes) == (
        ending in (".mkv", ".webm")
    )


def test_colour_is_tagged(tmp_path: Path) -> None:
    encode(
        film(tmp_path / "f", [Fraction(0)]),
        tmp_path / "a.mp4",
        duration_of_last=Fraction(1),
        source=None,
        rate=Fraction(1),
    )
    color = probe(tmp_path / "a.mp4").color
    assert {color.matrix, color.primaries, color.transfer} == {"bt709"} and color.range == "tv"


def test_a_range_cuts_the_sound_with_the_picture(source: Path, tmp_path: Path) -> None:
    start, end = Fraction(1, 2), Fraction(1)
    with open_source(source, ReadOptions(start=start, end=end)) as clip:
        times = [f.time for f in clip]
    encode(
        film(tmp_path / "f", times),
        tmp_path / "a.mp4",
        duration_of_last=1 / NTSC,
        source=source,
        source_start=start,
        source_end=end,
        rate=NTSC,
    )
    info = probe(tmp_path / "a.mp4")
    assert abs(info.duration - Fraction(1, 2)) < Fraction(4, 100)
    assert abs(info.start - (times[0] - start)) < Fraction(3, 100)


def test_a_gif_is_not_faster_than_browsers_play(tmp_path: Path) -> None:
    times = [Fraction(n, 60) for n in range(60)]
    output = tmp_path / "a.gif"
    encode(
        film(tmp_path / "f", times),
        output,
        duration_of_last=Fraction(1, 60),
        source=None,
        rate=Fraction(60),
    )
    assert times_of(output) == [Fraction(n, 50) for n in range(50)]


def test_a_folder_holds_the_frames_untouched(tmp_path: Path) -> None:
    frames = film(tmp_path / "f", [Fraction(n, 25) for n in range(3)])
    for _ in range(2):
        encode(
            frames[:2],
            tmp_path / "out",
            duration_of_last=Fraction(1, 25),
            source=None,
            rate=None,
            options=EncodeOptions(overwrite=True),
        )
        names = sorted(p.name for p in (tmp_path / "out").iterdir())
        assert names == ["000001.png", "000002.png"]
        encode(
            frames,
            tmp_path / "out",
            duration_of_last=Fraction(1, 25),
            source=None,
            rate=None,
            options=EncodeOptions(overwrite=True),
        )
    copied = load_frame(tmp_path / "out" / "000003.png")
    assert np.array_equal(copied, load_frame(frames[2].path))


def test_odd_sizes_encode(tmp_path: Path) -> None:
    for ending in supported_endings():
        size = (257, 121) if ending == ".mxf" else (33, 17)
        frames = film(tmp_path / "f", [Fraction(0), Fraction(1, 25)], size=size)
        output = tmp_path / f"a{ending}"
        encode(frames, output, duration_of_last=Fraction(1, 25), source=None, rate=Fraction(25))
        assert len(times_of(output)) == 2


def test_a_broken_frame_leaves_no_output(tmp_path: Path) -> None:
    frames = film(tmp_path / "f", [Fraction(n, 25) for n in range(5)])
    frames[3].path.write_bytes(b"broken")
    missing = [*frames[:3], StoredFrame(tmp_path / "none.png", Fraction(3, 25))]
    for bad in (frames, missing):
        with pytest.raises(MediaError) as caught:
            encode(
                bad,
                tmp_path / "a.mp4",
                duration_of_last=Fraction(1, 25),
                source=None,
                rate=Fraction(25),
            )
        assert "\n" not in str(caught.value)
        assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_outputs_that_must_not_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("mine")
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").touch()
    refused = {
        "a.mp4": "-y",
        "none/a.mp4": "does not exist",
        "a.xyz": r"\.mp4.*\.gif",
        "holiday": "holds other files",
    }
    for name, hint in refused.items():
        with pytest.raises(UsageError, match=hint):
            check_output(tmp_path / name, EncodeOptions(overwrite=False))
    check_output(tmp_path / "a.mp4", EncodeOptions(overwrite=True))
    with pytest.raises(UsageError, match="holds other files"):
        check_output(tmp_path / "holiday", EncodeOptions(overwrite=True))


def test_strange_names_are_written_as_they_are(tmp_path: Path) -> None:
    frames = film(tmp_path / "it's\na folder", [Fraction(0), Fraction(1, 3), Fraction(1, 2)])
    output = tmp_path / "-y 'ü' %03d\n.mp4"
    encode(frames, output, duration_of_last=Fraction(1), source=None, rate=None)
    assert len(times_of(output)) == 3


@pytest.mark.parametrize("depth", [8, 10])
def test_frames_stored_as_they_are_make_the_same_film(tmp_path: Path, depth: int) -> None:
    kind = np.uint8 if depth == 8 else np.uint16
    films = []
    # The frames of the last film are stored in two ways.
    for name, forms in (
        ("png", [png_bytes]),
        ("fast", [stored_bytes]),
        ("mixed", [stored_bytes, png_bytes]),
    ):
        folder = tmp_path / name
        folder.mkdir()
        frames = []
        dice = np.random.default_rng(0)
        for number in range(3):
            pixels = dice.integers(0, np.iinfo(kind).max, (32, 48, 3), kind)
            path = folder / f"{number}.png"
            path.write_bytes(forms[number % len(forms)](pixels, None))
            frames.append(StoredFrame(path, Fraction(number, 25)))
        options = EncodeOptions(codec="x265" if depth == 10 else None, depth=depth)
        output = folder / "a.mp4"
        last = Fraction(1, 25)
        encode(frames, output, duration_of_last=last, source=None, rate=None, options=options)
        films.append(output.read_bytes())
        if depth == 8:
            encode(frames, folder / "out", duration_of_last=last, source=None, rate=None)
            films.append(b"".join(p.read_bytes() for p in sorted((folder / "out").iterdir())))
        encode(frames, folder / "a.gif", duration_of_last=last, source=None, rate=None)
        films.append((folder / "a.gif").read_bytes())
    kinds = len(films) // 3
    assert films[:kinds] == films[kinds : 2 * kinds] == films[2 * kinds :]
