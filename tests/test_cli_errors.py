"""Bad input: one clear line, exit code 1 or 2, nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from media_clips import make, picture
from tiny import QUICK, Cli, contents

from dreamvideo.dream.runtime import tensorflow
from dreamvideo.media.stills import store_frame, write_still


@pytest.fixture
def desk(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with good and bad inputs."""
    for name in ("clip.mp4", "photo.png", "tone.mp3", "empty.mp4", "text.mp4"):
        shutil.copy(shelf / name, tmp_path)
    shutil.copytree(shelf / "shots", tmp_path / "shots")
    shutil.copytree(shelf / "shots", tmp_path / "gap")
    (tmp_path / "gap" / "0003.png").unlink()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("private")
    (tmp_path / "there.mp4").write_bytes(b"precious")
    (tmp_path / "there.png").write_bytes(b"precious")
    (tmp_path / "photo.mp4").write_bytes((shelf / "photo.png").read_bytes())
    (tmp_path / "broken.png").write_bytes((shelf / "photo.png").read_bytes()[:900])
    (tmp_path / "bad.toml").write_text("[dream]\nstep = 3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# (arguments, exit code, words that the line must hold)
CASES: list[tuple[str, int, Sequence[str]]] = [
    ("image gone.png", 1, ["gone.png", "no such file"]),
    ("video gone.mp4", 1, ["gone.mp4", "no such file"]),
    ("zoom gone.png", 1, ["gone.png", "no such file"]),
    ("info gone.mp4", 1, ["gone.mp4", "no such file"]),
    ("models efficientnet-lite0 --on gone.png", 1, ["gone.png", "no such file"]),
    ("video gone/%04d.png", 1, ["gone"]),
    ("video empty.mp4", 1, ["empty.mp4", "empty"]),
    ("info empty.mp4", 1, ["empty.mp4", "empty"]),
    ("image empty.mp4 -o out.png", 1, ["empty.mp4", "empty"]),
    ("video text.mp4", 1, ["text.mp4", "not a video"]),
    ("video tone.mp3", 1, ["tone.mp3", "no moving picture"]),
    ("video photo.png", 1, ["photo.png", "still", "dreamvideo image"]),
    ("video photo.mp4", 1, ["photo.mp4"]),
    ("image text.mp4 -o out.png", 1, ["text.mp4", "not an image"]),
    ("image clip.mp4 -o out.png", 1, ["clip.mp4", "not an image", "dreamvideo video"]),
    ("image broken.png -o out.png", 1, ["broken.png", "image"]),
    ("image shots -o out.png", 1, ["shots", "folder"]),
    ("video nothing", 1, ["nothing", "no pictures"]),
    ("video gap", 1, ["number 3 missing"]),
    ("video nope-%04d.png", 1, ["nope-%04d.png"]),
    ("video clip.mp4 --layers block55", 2, ["block55", "did you mean block5"]),
    ("image photo.png --layers blok5", 2, ["blok5", "did you mean block5"]),
    ("image photo.png --layers block5:much", 2, ["block5", "much"]),
    ("image photo.png --layers block5:nan", 2, ["block5", "nan"]),
    ("image photo.png --model inceptoin-v3", 2, ["did you mean inception-v3"]),
    ("models inceptoin-v3", 2, ["did you mean inception-v3"]),
    ("models --on photo.png", 2, ["--on", "NAME"]),
    ("models efficientnet-lite0 --weights w.h5", 2, ["--weights", "--on"]),
    ("image photo.png --weights clip.mp4", 2, ["--weights", "bundled"]),
    ("image photo.png --model vgg16 --weights gone.h5", 1, ["gone.h5", "--weights"]),
    ("image photo.png --preset clasic", 2, ["clasic", "classic"]),
    ("image photo.png --preset bad.toml", 2, ["bad.toml", "dream.step", "steps"]),
    ("video clip.mp4 --size 4x4", 2, ["4 x 4", "--size"]),
    ("video clip.mp4 --size big", 2, ["big", "--size"]),
    ("image photo.png -o gone/out.png", 2, ["gone", "does not exist"]),
    ("video clip.mp4 -o gone/out.mp4", 2, ["gone", "does not exist"]),
    ("zoom photo.png -o gone/out.mp4", 2, ["gone", "does not exist"]),
    ("image photo.png -o there.png", 2, ["there.png", "exists", "-y"]),
    ("video clip.mp4 -o there.mp4", 2, ["there.mp4", "exists", "-y"]),
    ("zoom photo.png -o there.mp4", 2, ["there.mp4", "exists", "-y"]),
    ("video clip.mp4 -o mine", 2, ["mine", "diary.txt"]),
    ("video clip.mp4 -o mine -y", 2, ["mine", "diary.txt"]),
    ("video clip.mp4 -o shots", 2, ["shots"]),
    ("video clip.mp4 -o out.xyz", 2, ["out.xyz", ".mp4"]),
    ("image photo.png -o out.mp4", 2, ["out.mp4", "--every"]),
    ("image photo.png -o out.xyz", 2, ["out.xyz", ".png"]),
    ("image photo.png -o nothing", 2, ["nothing"]),
    ("image photo.png --every 0", 2, ["--every 0"]),
    ("image photo.png --every -3", 2, ["--every -3"]),
    ("video clip.mp4 --start 5", 2, ["0.32", "5"]),
    ("video clip.mp4 --start 0.2 --end 0.1", 2, ["ends at 0.1", "0.2"]),
    ("video clip.mp4 --start 0.1 --end 0.1", 2, ["ends at 0.1"]),
    ("video clip.mp4 --start soon", 2, ["--start", "soon"]),
    ("video clip.mp4 --end -1", 2, ["--end", "-1"]),
    ("video clip.mp4 --fps 0", 2, ["--fps", "0"]),
    ("video clip.mp4 --fps fast", 2, ["--fps", "fast"]),
    ("zoom photo.png --fps 1/0", 2, ["--fps", "1/0"]),
    ("zoom photo.png --seconds 0", 2, ["--seconds", "greater than 0"]),
    ("zoom photo.png --seconds nan", 2, ["--seconds"]),
    ("zoom photo.png --rate -1", 2, ["--rate"]),
    ("zoom photo.png --preset pulse", 2, ["no sound", "--sound"]),
    ("zoom photo.png --strength 1/(t-1)", 2, ["strength", "at 1 s", "zero"]),
    ("zoom photo.png --rate 1/(t-t)", 2, ["--rate", "divides by zero"]),
    ("zoom photo.png --rate audio:low", 2, ["--rate", "sound"]),
    ("zoom photo.png --rate 0:1,soon:2", 2, ["--rate", "soon"]),
    ("zoom", 2, ["--from-noise"]),
    ("zoom photo.png --from-noise", 2, ["--from-noise"]),
    ("image photo.png --steps 0", 2, ["--steps", "greater than or equal to 1"]),
    ("image photo.png --octaves 99", 2, ["--octaves", "16"]),
    ("image photo.png --octave-scale 1", 2, ["--octave-scale", "greater than 1"]),
    ("image photo.png --step-size inf", 2, ["--step-size"]),
    ("image photo.png --seed -1", 2, ["--seed"]),
    ("video clip.mp4 --coherence 1.5", 2, ["--coherence", "less than or equal to 1"]),
    ("video clip.mp4 --quality 99", 2, ["--quality"]),
    ("image photo.png --steps many", 2, ["--steps", "many", "number"]),
    ("image photo.png --steps 2.5", 2, ["--steps", "integer"]),
    ("video clip.mp4 --seed p", 2, ["--seed", "one number"]),
    ("video clip.mp4 --strength 0:0,soon:1", 2, ["--strength", "soon", "time"]),
    ("image photo.png --save-preset out.txt", 2, ["out.txt", ".toml"]),
    ("image photo.png --save-preset bad.toml", 2, ["bad.toml", "exists", "-y"]),
    ("image photo.png --stepsize 1", 2, ["--stepsize", "--step-size"]),
    ("image", 2, ["photo"]),
    ("image photo.png photo.png", 2, ["photo.png", "twice"]),
    ("dream photo.png", 2, ["dream"]),
]


@pytest.mark.sample(40)
@pytest.mark.parametrize(("line", "code", "words"), CASES, ids=[case[0] for case in CASES])
def test_bad_input(cli: Cli, desk: Path, line: str, code: int, words: Sequence[str]) -> None:
    before = contents(desk)
    ended = cli(*line.split())
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("dreamvideo: ")
    assert ended.err.count("\n") == 1 and ended.err.endswith("\n")
    assert not [word for word in words if word not in ended.err], ended.err
    assert contents(desk) == before


@pytest.mark.integration
def test_a_size_too_small_for_the_network(cli: Cli, desk: Path) -> None:
    tensorflow().keras.applications.MobileNetV2(weights=None, include_top=False).save_weights(
        "m.weights.h5"
    )
    before = contents(desk)
    network = ["--model", "mobilenet-v2", "--weights", "m.weights.h5", "--size", "40x30"]
    for command, source in (("image", "photo.png"), ("video", "clip.mp4"), ("zoom", "photo.png")):
        ended = cli(command, source, *network)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "40 x 30 is too small for mobilenet-v2" in ended.err
        assert "32 pixels or more (--size)" in ended.err
    assert contents(desk) == before


def test_what_goes_wrong_midway_leaves_nothing_behind(cli: Cli, desk: Path) -> None:
    store_frame(desk / "shots" / "0005.png", np.zeros((24, 32, 3), np.uint8))
    before = contents(desk)
    ended = cli("video", "shots", *QUICK)
    assert (ended.code, ended.out) == (1, "")
    assert "0005.png: is 32 x 24, but 0000.png is 64 x 48" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    assert contents(desk) == before


def test_a_cut_off_film_is_dreamt_as_far_as_it_goes_and_said(cli: Cli, desk: Path) -> None:
    # An index at the end is lost with the end; Matroska and MPEG-TS go on without.
    whole = make(desk / "whole.mkv", *picture(2), "-g", "5", "-c:v", "mpeg4", "-q:v", "2")
    (desk / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    ended = cli("video", "cut.mkv", "-o", "out.mp4", *QUICK)
    assert ended.code == 0
    frames = int(ended.out.split(": ")[1].split()[0])
    assert 5 < frames < 50
    shutil.rmtree(desk / "shots")
    (desk / "no-index.mp4").write_bytes((desk / "clip.mp4").read_bytes()[:2000])
    ended = cli("video", "no-index.mp4", *QUICK)
    assert ended.code == 1
    assert ended.err.startswith("dreamvideo: no-index.mp4: ")
    assert not (desk / "no-index-dream.mp4").exists()


def test_a_name_with_a_line_break_still_makes_one_line(cli: Cli, desk: Path) -> None:
    for arguments in (["image", "a\nb.png"], ["image", "photo.png", "-o", "a\nb/c.png"]):
        ended = cli(*arguments)
        assert ended.err.count("\n") == 1 and r"a\nb" in ended.err


def test_a_name_that_no_disk_takes_is_one_line(cli: Cli, desk: Path) -> None:
    for command, source, ending in (("image", "photo.png", "png"), ("video", "clip.mp4", "mp4")):
        ended = cli(command, source, "-o", "n" * 300 + "." + ending, *QUICK)
        assert ended.code in (1, 2)
        assert ended.err.count("\n") == 1 and "file name too long" in ended.err.lower()
        assert "unexpected" not in ended.err


def test_a_photo_of_one_pixel_is_too_small_to_zoom(cli: Cli, desk: Path) -> None:
    write_still(desk / "dot.png", np.zeros((1, 1, 3), np.uint8))
    ended = cli("zoom", "dot.png", *QUICK)
    assert ended.code == 2 and "too small" in ended.err


@pytest.mark.integration
def test_a_name_that_cannot_be_shown_does_not_spoil_the_render(desk: Path) -> None:
    render = ["image", "photo.png", "-o", "dröm.png", *QUICK]
    command = [sys.executable, "-m", "dreamvideo", *render]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    assert done.returncode == 0
    assert done.stdout.startswith(rb"dr\xf6m.png: loss")
    assert (desk / "dröm.png").is_file()


def test_names_that_look_like_options_or_links_are_files(cli: Cli, desk: Path) -> None:
    shutil.copy("clip.mp4", "-clip.mp4")
    shutil.copy("clip.mp4", "http:clip 'q' %s.mp4")
    assert cli("video", "-o", "a.mp4", *QUICK, "--", "-clip.mp4").code == 0
    assert cli("video", "http:clip 'q' %s.mp4", *QUICK).code == 0
    assert (desk / "http:clip 'q' %s-dream.mp4").is_file()


def test_a_kept_picture_in_the_way_is_found_before_any_work(cli: Cli, desk: Path) -> None:
    (desk / "out-000002.png").write_bytes(b"precious")
    before = contents(desk)
    ended = cli("image", "photo.png", "-o", "out.png", *QUICK, "--steps", "3", "--every", "1")
    assert ended.code == 2
    assert contents(desk) == before


def test_debug_shows_where(desk: Path) -> None:
    command = [sys.executable, "-m", "dreamvideo", "image", "gone.png", "--debug"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "MediaError: gone.png" in done.stderr


def test_the_process_itself_says_one_line(desk: Path) -> None:
    """C++ libraries write to stderr while they load; nobody else is to be heard."""
    command = [sys.executable, "-m", "dreamvideo", "image", "photo.png", "--layers", "nope"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dreamvideo: efficientnet-lite0 has no layer 'nope'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "source"), [("video", "clip.mp4"), ("image", "photo.png"), ("zoom", "clip.mp4")]
)
def test_the_input_is_never_written_over(cli: Cli, desk: Path, command: str, source: str) -> None:
    before = contents(desk)
    ended = cli(command, source, "-o", f"../{desk.name}/{source}", "-y", *QUICK)
    assert ended.code == 2 and "is the input itself" in ended.err
    assert contents(desk) == before


def test_a_folder_of_pictures_is_never_written_over(cli: Cli, desk: Path) -> None:
    before = contents(desk)
    for source in ("shots", "shots/%04d.png"):
        ended = cli("video", source, "-o", "shots", "-y", *QUICK)
        assert ended.code == 2 and "is the input itself" in ended.err
    assert contents(desk) == before
