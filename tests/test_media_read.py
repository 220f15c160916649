from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_clips import make, picture, times_of, tone

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import probe as media_probe
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import store_frame


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make(folder / "plain.mp4", *picture(2), *tone(2), "-g", "12")
    make(folder / "ntsc.mp4", *picture(1, "30000/1001"))
    make(folder / "plain.gif", *picture(1, "20"))
    make(folder / "sound.mp3", *tone())
    varying = "select=not(mod(n\\,3))+gt(n\\,12)"
    make(folder / "varying.mp4", *picture(1), "-vf", varying, "-fps_mode", "passthrough")
    return folder


def test_a_probe_tells_what_is_in_the_file(clips: Path) -> None:
    info = probe(clips / "plain.mp4")
    assert (info.kind, info.codec, info.width, info.height) == ("video", "h264", 64, 48)
    assert (info.rate, info.duration) == (Fraction(25), Fraction(2)) and info.frames == 50
    assert [track.codec for track in info.audio] == ["aac"]


def test_a_file_is_probed_once_by_whatever_path(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = MediaInfo(Path("any"), "video", "mp4", "h264", 64, 48, Fraction(25), Fraction(2), 50)
    seen: list[Path] = []

    def tell(path: Path) -> MediaInfo:
        seen.append(path)
        return told

    monkeypatch.setattr(media_probe, "_probe_file", tell)
    monkeypatch.chdir(clips)
    copy = Path("copy.mp4")
    copy.write_bytes((clips / "plain.mp4").read_bytes())
    for path in (copy, clips / copy, clips / ".." / clips.name / copy):
        assert probe(path) == replace(told, path=path)
    assert seen == [copy]


def test_rates_are_exact(clips: Path) -> None:
    assert probe(clips / "ntsc.mp4").rate == Fraction(30000, 1001)
    expected = [n * Fraction(1001, 30000) for n in range(30)]
    assert times_of(clips / "ntsc.mp4") == expected


def test_varying_times_are_kept_frame_by_frame(clips: Path) -> None:
    numbers = [0, 3, 6, 9, 12, *range(13, 25)]
    assert times_of(clips / "varying.mp4") == [Fraction(n, 25) for n in numbers]


def test_frames_are_writable_rgb_of_the_wanted_size(clips: Path) -> None:
    with open_source(clips / "plain.mp4", ReadOptions(size=(32, 20))) as source:
        frames = list(source)
    assert source.size == (32, 20)
    assert all(f.pixels.shape == (20, 32, 3) and f.pixels.dtype == np.uint8 for f in frames)
    assert [f.index for f in frames] == list(range(50))
    assert {f.duration for f in frames} == {Fraction(1, 25)}


@pytest.mark.parametrize("name", ["plain.mp4", "plain.gif"])
def test_a_range_holds_the_very_frames_of_the_whole(clips: Path, name: str) -> None:
    with open_source(clips / name) as source:
        whole = [f for f in source if Fraction(1, 2) <= f.time < Fraction(9, 10)]
    with open_source(
        clips / name, ReadOptions(start=Fraction(1, 2), end=Fraction(9, 10))
    ) as source:
        part = list(source)
    assert [f.time for f in part] == [f.time for f in whole]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(part, whole, strict=True))
    assert part[0].index == 0


def test_resampling_shows_what_the_source_shows_at_each_tick(clips: Path) -> None:
    with open_source(clips / "plain.mp4", ReadOptions(end=Fraction(1))) as source:
        by_time = {f.time: f.pixels for f in source}
    with open_source(clips / "plain.mp4", ReadOptions(end=Fraction(1), fps=Fraction(10))) as source:
        ticks = list(source)
    assert [f.time for f in ticks] == [Fraction(n, 10) for n in range(10)]
    for frame in ticks:
        shown = max(time for time in by_time if time <= frame.time)
        assert np.array_equal(frame.pixels, by_time[shown])
    with open_source(clips / "plain.mp4", ReadOptions(fps=Fraction(60))) as source:
        assert sum(1 for _ in source) == 120


def test_an_animation_keeps_its_last_delay(tmp_path: Path) -> None:
    from PIL import Image

    shots = [Image.new("RGB", (16, 16), (n * 60, 0, 0)) for n in range(4)]
    delays = [100, 50, 300, 700]
    shots[0].save(tmp_path / "a.gif", save_all=True, append_images=shots[1:], duration=delays)
    with open_source(tmp_path / "a.gif") as source:
        assert [f.duration * 1000 for f in source] == delays


def test_leaving_early_leaves_no_process(clips: Path) -> None:
    with open_source(clips / "plain.mp4") as source:
        next(iter(source))
    children = Path(f"/proc/{__import__('os').getpid()}/task")
    kept = [(task / "children").read_text().split() for task in children.iterdir()]
    names = [Path(f"/proc/{pid}/comm").read_text() for pids in kept for pid in pids]
    assert not [name for name in names if "ffmpeg" in name]


def _shots(folder: Path, numbers: list[int], size: tuple[int, int] = (16, 12)) -> None:
    folder.mkdir(exist_ok=True)
    for n in numbers:
        store_frame(folder / f"shot{n}.png", np.full((size[1], size[0], 3), n % 256, np.uint8))


def test_a_folder_plays_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    _shots(tmp_path / "s", list(range(9_998, 10_003)))
    for path in (tmp_path / "s", tmp_path / "s" / "shot%d.png", tmp_path / "s" / "shot%04d.png"):
        with open_source(path, ReadOptions(fps=Fraction(12))) as source:
            frames = list(source)
        assert [f.pixels[0, 0, 0] for f in frames] == [n % 256 for n in range(9_998, 10_003)]
        assert [f.time for f in frames] == [Fraction(n, 12) for n in range(5)]
    assert probe(tmp_path / "s").rate == 25


def test_gaps_and_mixed_sizes_are_refused_by_name(tmp_path: Path) -> None:
    _shots(tmp_path / "gap", [1, 2, 5])
    with pytest.raises(MediaError, match=r"number 3 to 4 missing.*shot2\.png.*shot5\.png"):
        probe(tmp_path / "gap")
    _shots(tmp_path / "mixed", [1, 2])
    _shots(tmp_path / "mixed", [3], size=(20, 20))
    with pytest.raises(MediaError, match="shot3"):
        probe(tmp_path / "mixed")
    with pytest.raises(MediaError, match="no pictures"):
        (tmp_path / "none").mkdir()
        probe(tmp_path / "none")


def test_two_series_in_one_folder_are_refused(tmp_path: Path) -> None:
    _shots(tmp_path / "s", [1, 2])
    cv2.imwrite(str(tmp_path / "s" / "other1.png"), np.zeros((12, 16, 3), np.uint8))
    with pytest.raises(MediaError, match="several series"):
        probe(tmp_path / "s")


def test_bad_files_get_one_line_that_names_them(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("words, words, words\n" * 50)
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{clips / 'plain.mp4'}'\n")
    (tmp_path / "play.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{clips / 'plain.mp4'}\n")
    subprocess.run(["mkfifo", str(tmp_path / "pipe.mp4")], check=True)
    (tmp_path / "cut.mp4").write_bytes((clips / "plain.mp4").read_bytes()[:2000])
    bad = ["empty.mp4", "text.mp4", "list.mp4", "play.m3u8", "pipe.mp4", "cut.mp4", "none.mp4"]
    for path in [*(tmp_path / name for name in bad), clips / "sound.mp3"]:
        with pytest.raises(MediaError) as caught:
            probe(path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)


def test_a_still_is_sent_to_the_right_command(tmp_path: Path) -> None:
    _shots(tmp_path, [1])
    with pytest.raises(MediaError, match="dreamvideo image"):
        probe(tmp_path / "shot1.png")


@pytest.mark.parametrize(
    "name", ["-i", "-y.mp4", "concat:a.mp4", "http:a.mp4", 'a\'b "c".mp4', "a\nb.mp4", "ü#%?.mp4"]
)
def test_a_name_is_only_ever_a_name(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes((clips / "plain.mp4").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(times_of(Path(name))) == 50


def test_an_impossible_range_is_a_usage_error(clips: Path) -> None:
    with pytest.raises(UsageError, match="before it starts"):
        open_source(clips / "plain.mp4", ReadOptions(start=Fraction(1), end=Fraction(1, 2)))
    with pytest.raises(UsageError, match="lasts 2 s"):
        open_source(clips / "plain.mp4", ReadOptions(start=Fraction(9)))
