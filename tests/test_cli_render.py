"""The three renders from end to end: what comes out of which input, by which name."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import times_of
from tiny import QUICK, RATE, Cli, contents, pixels_of

from dreamvideo.media import ffmpeg
from dreamvideo.media.pixels import to_float
from dreamvideo.media.probe import probe
from dreamvideo.media.stills import read_still
from dreamvideo.settings import make_look


def sound_of(film: Path) -> bytes:
    """A hash of the sound's packets, as they are."""
    arguments = [*ffmpeg.input_file(film), "-map", "0:a", "-c", "copy", "-f", "md5", "pipe:1"]
    return ffmpeg.run(arguments, subject=film.name)[1]


@pytest.fixture(scope="session")
def lossless(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quick dream of the clip as a folder of frames."""
    from dreamvideo import dream_video

    look = make_look((), {"dream": {"layers": "block1", "steps": 1, "octaves": 1}})
    folder = tmp_path_factory.mktemp("lossless") / "frames"
    assert dream_video(shelf / "clip.mp4", folder, look).frames == 8
    return folder


def close(film: Path, frames: Path, levels: float) -> bool:
    """Whether two films are of one length and differ by no more than so many levels on average."""
    pairs = list(zip(pixels_of(film), pixels_of(frames), strict=True))
    return all(np.abs(to_float(a) - to_float(b)).mean() * 127.5 < levels for a, b in pairs)


def test_a_dream_is_not_its_source(shelf: Path, lossless: Path) -> None:
    assert not close(lossless, shelf / "shots", levels=1.5)


@pytest.mark.sample(2)
@pytest.mark.parametrize(("ending", "levels"), [("mp4", 5), ("mov", 5), ("webm", 6), ("gif", 9)])
def test_a_clip_becomes_any_kind_of_film(
    cli: Cli, shelf: Path, lossless: Path, tmp_path: Path, ending: str, levels: float
) -> None:
    out = tmp_path / f"dream.{ending}"
    done = cli("video", shelf / "clip.mp4", "-o", out, *QUICK)
    assert done.code == 0
    assert done.out.startswith(f"{out}: 8 frames\n")
    assert list(contents(tmp_path)) == [out.name], "nothing but the film is left"
    info = probe(out)
    assert (info.width, info.height, info.frames) == (64, 48, 8)
    # Milliseconds in WebM; a GIF's hundredths hold 25 frames a second exactly.
    assert times_of(out) == pytest.approx([n / RATE for n in range(8)], abs=0.001)
    assert close(out, lossless, levels)


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_sound_is_carried_over_packet_for_packet(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"dream.{ending}"
    assert cli("video", shelf / "clip.mp4", "-o", out, "-q", *QUICK).code == 0
    assert sound_of(out) == sound_of(shelf / "clip.mp4")


def test_sound_that_webm_cannot_hold_is_converted_and_said(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    done = cli("video", shelf / "clip.mp4", "-o", tmp_path / "dream.webm", *QUICK)
    (note,) = done.notes
    assert all(word in note for word in ("sound", "aac", "opus"))
    assert [track.codec for track in probe(tmp_path / "dream.webm").audio] == ["opus"]


def test_a_folder_of_frames_is_numbered_and_says_what_is_lost(
    cli: Cli, shelf: Path, lossless: Path, tmp_path: Path
) -> None:
    done = cli("video", shelf / "clip.mp4", "-o", tmp_path / "frames", *QUICK)
    (note,) = done.notes
    assert note.startswith("the sound is left out")
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == [
        f"{n:06d}.png" for n in range(1, 9)
    ]
    assert contents(tmp_path / "frames") == contents(lossless)


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_the_same_command_gives_the_same_bytes(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    one, two = (tmp_path / f"{name}.{ending}" for name in ("one", "two"))
    for out in (one, two):
        assert cli("video", shelf / "clip.mp4", "-o", out, "-q", *QUICK).code == 0
    assert one.read_bytes() == two.read_bytes()


def test_another_seed_gives_another_dream(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        cli("image", shelf / "photo.png", "-o", tmp_path / f"{seed}.png", "--seed", seed, *QUICK)
    assert (read_still(tmp_path / "1.png") != read_still(tmp_path / "2.png")).any()


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        (["--start", "0.12"], 5),
        (["--end", "0.12"], 3),
        (["--start", "2f", "--end", "6f"], 4),
        (["--end", "1:00"], 8),
    ],
)
def test_a_range_of_a_clip(
    cli: Cli, shelf: Path, tmp_path: Path, options: list[str], frames: int
) -> None:
    out = tmp_path / "part.mp4"
    assert cli("video", shelf / "clip.mp4", "-o", out, *options, *QUICK).code == 0
    assert len(pixels_of(out)) == frames
    assert probe(out).audio


def test_size_and_rate_of_a_clip(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.mp4"
    options = ["--size", "50%", "--fps", "12.5"]
    assert cli("video", shelf / "clip.mp4", "-o", out, *options, *QUICK).code == 0
    info = probe(out)
    assert (info.width, info.height, info.rate, info.frames) == (32, 24, Fraction(25, 2), 4)
    assert info.audio


@pytest.mark.parametrize("name", ["shots", "shots/%04d.png"])
def test_pictures_become_a_film(cli: Cli, shelf: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "dream.mp4"
    assert cli("video", shelf / name, "-o", out, "--fps", "10", *QUICK).code == 0
    assert times_of(out) == [Fraction(n, 10) for n in range(8)]
    assert not probe(out).audio


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip.mp4", "clip-dream.mp4"),
        ("clip.gif", "clip-dream.gif"),
        ("100%.MOV", "100%-dream.mov"),
        ("clip.avi", "clip-dream.mp4"),
        ("shots", "shots-dream.mp4"),
        ("shots/%04d.png", "shots-dream.mp4"),
    ],
)
def test_a_film_is_named_after_its_source(
    cli: Cli, shelf: Path, tmp_path: Path, name: str, expected: str
) -> None:
    shutil.copytree(shelf / "shots", tmp_path / "shots")
    shutil.copy(shelf / "clip.gif", tmp_path)
    for copy in ("clip.mp4", "100%.MOV", "clip.avi"):
        shutil.copy(shelf / "clip.mp4", tmp_path / copy)
    before = contents(tmp_path)
    assert cli("video", tmp_path / name, "--end", "2f", *QUICK).code == 0
    after = contents(tmp_path)
    assert set(after) - set(before) == {expected}
    assert all(after[path] == data for path, data in before.items())


def test_a_picture_and_its_loss(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    shutil.copy(shelf / "photo.png", tmp_path)
    done = cli("image", tmp_path / "photo.png", *QUICK, "--steps", "6", "--step-size", "0.05")
    assert done.code == 0
    out = tmp_path / "photo-dream.png"
    assert done.out.startswith(f"{out}: loss ")
    first, last = (float(word) for word in done.out.split("loss ")[1].split(" to "))
    assert last > first
    assert list(contents(tmp_path)) == ["photo-dream.png", "photo.png"]
    assert read_still(out).shape == (48, 64, 3)


@pytest.mark.parametrize("ending", ["jpg", "webp", "tif"])
def test_a_picture_in_other_formats_and_sizes(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"dream.{ending}"
    assert cli("image", shelf / "photo.png", "-o", out, "--size", "x36", *QUICK).code == 0
    assert read_still(out).shape == (36, 48, 3)


def test_every_so_many_steps_as_pictures(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "dream.png"
    done = cli("image", shelf / "photo.png", "-o", out, *QUICK, "--steps", "5", "--every", "2")
    kept = ["dream-000002.png", "dream-000004.png"]
    assert list(contents(tmp_path)) == [*kept, "dream.png"]
    assert done.out.splitlines()[:2] == [str(tmp_path / name) for name in kept]
    half = tmp_path / "half.png"
    cli("image", shelf / "photo.png", "-o", half, *QUICK, "--steps", "4")
    assert (read_still(tmp_path / kept[1]) == read_still(half)).all()


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_every_so_many_steps_as_a_film_of_the_dream_growing(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"growing.{ending}"
    options = ["--steps", "6", "--every", "2"]
    assert cli("image", shelf / "photo.png", "-o", out, *QUICK, *options).code == 0
    assert list(contents(tmp_path)) == [out.name]
    frames = [to_float(frame) for frame in pixels_of(out)]
    assert len(frames) == 4, "the photo, two steps kept, the dream"
    away = [float(np.abs(frame - frames[0]).mean()) for frame in frames]
    assert away == sorted(away) and away[1] > 0


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_zoom_into_a_photo(cli: Cli, shelf: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"zoom.{ending}"
    options = ["--seconds", "0.4", "--fps", "12.5", "--rotate", "20"]
    assert cli("zoom", shelf / "photo.png", "-o", out, *options, *QUICK).code == 0
    assert list(contents(tmp_path)) == [out.name]
    assert times_of(out) == [n / Fraction(25, 2) for n in range(5)]
    first, last = pixels_of(out)[0], pixels_of(out)[-1]
    assert first.shape == (48, 64, 3)
    assert np.abs(to_float(first) - to_float(last)).mean() > 0.02


def test_a_zoom_from_noise_is_named_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--seconds", "0.2", "--fps", "10", "--size", "64x48"]
    assert cli("zoom", "--from-noise", *options, *QUICK).code == 0
    assert list(contents(tmp_path)) == ["noise-zoom.mp4"]
    assert len(pixels_of(tmp_path / "noise-zoom.mp4")) == 2


def test_a_zoom_begins_with_the_picture_s_dream(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    photo = shelf / "photo.png"
    cli("zoom", photo, "-o", tmp_path / "zoom", "--seconds", "0.1", "--fps", "10", *QUICK)
    cli("image", photo, "-o", tmp_path / "dream.png", *QUICK)
    first = read_still(tmp_path / "zoom" / "000001.png")
    assert (first == read_still(tmp_path / "dream.png")).all()


def test_a_film_says_which_look_made_it(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "dream.png"
    cli("image", shelf / "photo.png", "-o", out, *QUICK, "--seed", "77")
    assert b"seed = 77" in out.read_bytes()


@pytest.mark.parametrize("command", ["image", "video", "zoom"])
def test_what_exists_is_replaced_only_with_y(
    cli: Cli, shelf: Path, tmp_path: Path, command: str
) -> None:
    source = shelf / ("clip.mp4" if command == "video" else "photo.png")
    out = tmp_path / ("dream.png" if command == "image" else "dream.mp4")
    out.write_bytes(b"precious")
    short = ["--seconds", "0.1", "--fps", "10"] if command == "zoom" else []
    refused = cli(command, source, "-o", out, *short, *QUICK)
    assert refused.code == 2
    assert refused.err == f"dreamvideo: {out}: exists already; -y overwrites it\n"
    assert contents(tmp_path) == {out.name: b"precious"}
    assert cli(command, source, "-o", out, "-y", *short, *QUICK).code == 0
    assert list(contents(tmp_path)) == [out.name]
    assert out.stat().st_size > 100


def test_presets_and_options_reach_the_render(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[dream]\nlayers = 'block1'\nsteps = 4\noctaves = 1\n")
    photo = shelf / "photo.png"
    for name, options in (("a", []), ("b", ["--steps", "4"]), ("c", ["--steps", "2"])):
        out = tmp_path / f"{name}.png"
        assert cli("image", photo, "-o", out, "--preset", own, *options).code == 0
    a, b, c = (read_still(tmp_path / f"{name}.png") for name in "abc")
    assert (a == b).all() and (a != c).any()
