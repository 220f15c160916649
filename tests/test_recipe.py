"""A dream tells how it was made, and is made again from that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import QUICK, Cli, pixels_of

from dreamvideo.errors import UsageError
from dreamvideo.render.recipe import load_recorded_look
from dreamvideo.settings import make_look

CHANGING = ("--step-size", "0:0.01, 4f:0.05 ease, end:0.02 + 0.01 * sin(t)", "--seed", "7")


@pytest.mark.sample(1)
@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_a_film_is_rendered_again_from_itself(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    first, again, look = (tmp_path / name for name in ("1" + ending, "2" + ending, "look.toml"))
    assert cli("video", shelf / "clip.mp4", "-o", first, *QUICK, *CHANGING).code == 0
    told = cli("info", first, "--recipe")
    assert (told.code, told.err) == (0, "")
    look.write_text(told.out, "utf-8")
    assert cli("video", shelf / "clip.mp4", "-o", again, "--preset", look).code == 0
    assert load_recorded_look(again) == load_recorded_look(first) == make_look([str(look)])
    assert load_recorded_look(first).over_time == {"dream.step_size": CHANGING[1]}
    for one, other in zip(pixels_of(first), pixels_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_a_picture_is_dreamt_again_from_itself(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    first, again, look = (tmp_path / name for name in ("1" + ending, "2" + ending, "look.toml"))
    saved = ("--save-preset", tmp_path / "saved.toml")
    assert cli("image", shelf / "photo.png", "-o", first, *QUICK, "--seed", "3", *saved).code == 0
    look.write_text(cli("info", first, "--recipe").out, "utf-8")
    assert look.read_text("utf-8") == saved[1].read_text("utf-8")
    assert cli("image", shelf / "photo.png", "-o", again, "--preset", look).code == 0
    assert first.read_bytes() == again.read_bytes()


def test_what_was_not_dreamt_says_so(cli: Cli, shelf: Path) -> None:
    for name in ("clip.mp4", "photo.png"):
        said = cli("info", shelf / name, "--recipe")
        assert (said.code, said.out) == (2, "")
        assert said.err == f"dreamvideo: {shelf / name}: has no record of how it was dreamt\n"
    with pytest.raises(UsageError):
        load_recorded_look(shelf / "clip.mp4")


def test_a_saved_preset_is_replaced_only_if_told_so(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("precious")
    arguments = ["image", shelf / "photo.png", "-o", tmp_path / "out.png", *QUICK]
    assert cli(*arguments, "--save-preset", own).code == 2
    assert own.read_text() == "precious"
    assert not (tmp_path / "out.png").exists()
    assert cli(*arguments, "--save-preset", own, "-y").code == 0
    assert make_look([str(own)]).dream.layers == "block1"
    missing = cli(*arguments, "-y", "--save-preset", tmp_path / "gone" / "own.toml")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "gone" in missing.err
