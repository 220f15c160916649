"""Defaults of one's own: which value wins, what is refused, and that none leaks anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import QUICK, Cli, contents

from dreamvideo.render.recipe import load_recorded_look


def saved(cli: Cli, tmp_path: Path, *arguments: str) -> dict[str, str]:
    """The lines of the look that a command would dream with."""
    look = tmp_path / "look.toml"
    # It ends at the input, which does not exist, after the look was saved.
    ended = cli("image", tmp_path / "gone.png", "--save-preset", look, "-y", *arguments)
    assert "gone.png" in ended.err, ended.err
    lines = [line.partition(" = ") for line in look.read_text().splitlines()]
    return {name: value for name, _, value in lines if value}


def rows(cli: Cli, *options: str) -> dict[str, tuple[object, str]]:
    shown = json.loads(cli(*options, "config", "--json").out)["defaults"]
    return {row["option"]: (row["value"], row["from"]) for row in shown}


def test_option_over_variable_over_file(
    cli: Cli, own_defaults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_defaults.write_text("steps = 3\nseed = 5\n[image]\nseed = 6\n[video]\nseed = 7\n")
    assert {k: saved(cli, tmp_path)[k] for k in ("steps", "seed")} == {"steps": "3", "seed": "6"}
    monkeypatch.setenv("DREAMVIDEO_STEPS", "4")
    assert saved(cli, tmp_path)["steps"] == "4"
    monkeypatch.setenv("DREAMVIDEO_IMAGE_STEPS", "8")
    assert saved(cli, tmp_path)["steps"] == "8"
    assert saved(cli, tmp_path, "--steps", "9")["steps"] == "9"
    assert saved(cli, tmp_path, "--no-config")["steps"] == "14"
    assert saved(cli, tmp_path, "--no-config")["seed"] == "0"


def test_a_preset_is_not_half_overridden(
    cli: Cli, own_defaults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = saved(cli, tmp_path, "--preset", "towers", "--no-config")
    own_defaults.write_text('preset = ["glass"]\nsteps = 3\ncolour = 0.5\n')
    mine = saved(cli, tmp_path)
    assert (mine["steps"], mine["colour"]) == ("3", "0.5")
    assert saved(cli, tmp_path, "--preset", "towers") == plain
    monkeypatch.setenv("DREAMVIDEO_PRESET", "towers")
    assert saved(cli, tmp_path) == plain
    assert saved(cli, tmp_path, "--steps", "2") == {**plain, "steps": "2"}
    # Without a preset nearer to the command the file's look is changed, not replaced.
    monkeypatch.delenv("DREAMVIDEO_PRESET")
    monkeypatch.setenv("DREAMVIDEO_STEPS", "5")
    assert saved(cli, tmp_path) == {**mine, "steps": "5"}


def test_options_that_are_no_part_of_a_look(
    cli: Cli, own_defaults: Path, shelf: Path, tmp_path: Path
) -> None:
    own_defaults.write_text("size = '32'\nquiet = true\n[image]\nquality = 30\noverwrite = true\n")
    out = tmp_path / "out.jpg"
    out.write_bytes(b"old")
    ended = cli("image", shelf / "photo.png", "-o", out, *QUICK)
    assert (ended.code, ended.out) == (0, "")
    shown = cli("info", out, "--no-estimate", "--no-config").out
    assert "width          32" in shown and "format         jpg" in shown
    # A quality that PNG does not have comes from here, and the message says so.
    wrong = cli("image", shelf / "photo.png", "-o", tmp_path / "out.png", *QUICK)
    assert wrong.code == 2 and "lossless" in wrong.err


def test_a_film_s_recipe_holds_the_whole_look(
    cli: Cli, own_defaults: Path, shelf: Path, tmp_path: Path
) -> None:
    own_defaults.write_text("layers = 'block1'\nsteps = 1\noctaves = 1\n")
    out = tmp_path / "out.png"
    assert cli("image", shelf / "photo.png", "-o", out).code == 0
    look = load_recorded_look(out)
    assert (look.dream.layers, look.dream.steps, look.dream.octaves) == ("block1", 1, 1)


def test_config_shows_what_is_set_and_where(
    cli: Cli, own_defaults: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_defaults.write_text("threads = 2\n[video]\nkeep-job = true\n")
    monkeypatch.setenv("DREAMVIDEO_CODEC", "x265")
    monkeypatch.setenv("DREAMVIDEO_OF_ANOTHER_PROGRAM", "1")
    assert rows(cli) == {
        "threads": ("2", str(own_defaults)),
        "codec": ("x265", "DREAMVIDEO_CODEC"),
        "keep-job": (True, f"{own_defaults} [video]"),
    }
    assert rows(cli, "--no-config") == {}
    shown = cli("config").out.splitlines()
    assert shown[0] == str(own_defaults)
    assert shown[2].split()[:3] == ["--codec", "x265", "all"]


def test_without_a_file_there_is_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("config").out == "no file (DREAMVIDEO_CONFIG is empty)\n"
    monkeypatch.delenv("DREAMVIDEO_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")
    shown = cli("config")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.endswith("config.toml (does not exist)\n") and "dreamvideo" in shown.out


WRONG = [
    ("stepps = 3", ["no command has an option 'stepps'", "did you mean steps"]),
    ("[vidoe]\nsteps = 3", ["no command 'vidoe'", "did you mean video"]),
    ("[image]\ncadence = 2", ["image has no option 'cadence'"]),
    ("steps = ", ["cannot be read", "--no-config"]),
    ("steps = 0", ["--steps", "greater than or equal to 1"]),
    ("preset = 'towrs'", ["towrs", "towers"]),
    ("every = 'often'", ["--every", "integer"]),
    ("overwrite = 'perhaps'", ["overwrite", "true or false"]),
    ("steps = [1, 2]", ["steps", "one value"]),
    ("output = 'x.png'", ["'output'"]),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_default_is_told_with_its_place(
    cli: Cli, own_defaults: Path, shelf: Path, tmp_path: Path, text: str, words: list[str]
) -> None:
    own_defaults.write_text(text)
    before = contents(tmp_path)
    ended = cli("image", shelf / "photo.png", "-o", tmp_path / "out.png")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"dreamvideo: {own_defaults}")
    assert not [word for word in words if word not in ended.err], ended.err
    assert contents(tmp_path) == before
    assert cli("--help").code == 0


def test_a_file_named_by_the_variable_must_exist(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMVIDEO_CONFIG", "gone.toml")
    ended = cli("config")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "gone.toml: cannot be read (No such file or directory)" in ended.err


def test_variables_of_other_programs_are_left_alone(
    cli: Cli, own_defaults: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FRAMES", "CLIP", "ONLY", "NAME", "ON", "SOMETHING_ELSE"):
        monkeypatch.setenv(f"DREAMVIDEO_{name}", "x")
    assert cli("presets").code == 0


def test_only_the_default_that_is_wrong_is_blamed(
    cli: Cli, own_defaults: Path, shelf: Path
) -> None:
    own_defaults.write_text('mask = "circle 0.5x0.5 0.3"\n')
    clip = shelf / "clip.mp4"
    ended = cli("video", clip, "-o", own_defaults.with_name("a.mp4"), "--mask-end", "x", *QUICK)
    assert ended.code == 2 and str(own_defaults) not in ended.err
    own_defaults.write_text('mask-end = "x"\n')
    ended = cli("video", clip, "-o", own_defaults.with_name("a.mp4"), *QUICK)
    assert ended.code == 2 and str(own_defaults) in ended.err and "--no-config" in ended.err


def test_help_is_shown_whatever_the_file_says(cli: Cli, own_defaults: Path) -> None:
    own_defaults.write_text("= broken")
    assert cli("presets").code == 2
    for command in (("help", "video"), ("guide", "configuration"), ("video", "--help")):
        assert cli(*command).code == 0
