from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from tiny import Cli

import dreamvideo
from dreamvideo.cli.app import app
from dreamvideo.cli.completion import complete_layers
from dreamvideo.cli.entry import run
from dreamvideo.cli.options import SOUND_OPTIONS
from dreamvideo.settings import (
    CoherenceSettings,
    DreamSettings,
    OutputSettings,
    Settings,
    ZoomSettings,
)
from dreamvideo.settings.base import option_name

# What each command's look and output are made of; the others have none.
GROUPS: dict[str, tuple[type[Settings], ...]] = {
    "image": (OutputSettings, DreamSettings),
    "video": (OutputSettings, DreamSettings, CoherenceSettings),
    "zoom": (OutputSettings, DreamSettings, ZoomSettings),
    "info": (DreamSettings, CoherenceSettings),
}
# A still picture has no sound, and a zoom none of its own.
NOT_EVERYWHERE = {
    "image": {"no_audio", "audio_track", *SOUND_OPTIONS},
    "zoom": {"no_audio", "audio_track"},
    "info": set[str](),
}
SETTINGS = [
    (command, group, name)
    for command, groups in GROUPS.items()
    for group in groups
    for name in group.model_fields
    if command == "video" or name not in NOT_EVERYWHERE[command]
]
RENDERS = ("image", "video", "zoom")


def commands() -> dict[str, Any]:
    """The parser's commands by name; the first run registers them all."""
    run(["--version"])
    root: Any = typer.main.get_command(app)
    return dict(root.commands)


COMMANDS = commands()
HELP: dict[str, list[str]] = {}


def test_the_commands() -> None:
    assert {"image", "video", "zoom", "info", "models"} <= set(COMMANDS)


@pytest.mark.sample(4)
@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_the_same_by_both_names(cli: Cli, command: str) -> None:
    long, short = cli(command, "--help"), cli(command, "-h")
    assert (long.code, long.err) == (0, "")
    assert f"Usage: dreamvideo {command}" in long.out
    assert long.out == short.out


@pytest.mark.parametrize(("command", "group", "name"), SETTINGS)
def test_help_shows_every_setting_with_its_default(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, group: type[Settings], name: str
) -> None:
    # Wide enough for the longest text to stand in one line.
    monkeypatch.setenv("COLUMNS", "900")
    field = group.model_fields[name]
    if command not in HELP:
        HELP[command] = cli(command, "--help-all").out.splitlines()
    lines = HELP[command]
    option = option_name(name, field)
    begin = next(i for i, line in enumerate(lines) if option in line.split())
    shown = " ".join(lines[begin].split())
    extra = field.json_schema_extra
    derived = extra.get("none") if isinstance(extra, dict) else None
    default = derived if field.default in (None, ()) else field.default
    assert field.description is not None
    assert f"{field.description.split('`')[0].strip()}" in shown
    assert f"[default: ({default})]" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_argument_has_a_help_text(command: str) -> None:
    options = COMMANDS[command].params
    assert options
    for option in options:
        assert option.help, option.name
        assert option.help.rstrip().endswith("."), option.name


@pytest.mark.parametrize("command", RENDERS)
def test_renders_share_their_common_options(command: str) -> None:
    names = {name for option in COMMANDS[command].params for name in option.opts}
    common = "--output -o --overwrite -y --quiet --debug --preset --size --model --layers --octaves"
    more = "--octave-scale --steps --step-size --jitter --seed --weights"
    assert set(f"{common} {more}".split()) <= names


def test_the_root_lists_every_command(cli: Cli) -> None:
    for arguments in (["--help"], ["-h"], []):
        shown = cli(*arguments)
        assert shown.code == (0 if arguments else 2)
        assert shown.err == ""
        assert all(f" {command} " in shown.out for command in COMMANDS)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(cli: Cli, option: str) -> None:
    shown = cli(option)
    assert (shown.code, shown.out, shown.err) == (0, f"dreamvideo {dreamvideo.__version__}\n", "")


@pytest.mark.parametrize("command", RENDERS)
def test_help_shows_what_one_turns_first_and_help_all_the_rest(cli: Cli, command: str) -> None:
    first, everything = (cli(command, way).out for way in ("--help", "--help-all"))
    options = set(re.findall(r"(?<=[│ ])--[a-z][a-z-]+(?= )", first)) - {"--help", "--help-all"}
    assert len(options) == 12
    assert {"--output", "--preset", "--size", "--layers"} <= options
    assert f"dreamvideo {command} --help-all" in first
    assert "--step-size" in everything and "--step-size" not in first
    assert all(option in everything for option in options)


def test_help_of_a_command_a_page_and_nothing(cli: Cli) -> None:
    assert cli("help", "measure").out.split() == cli("measure", "--help").out.split()
    assert cli("help", "zoom").out.split() == cli("zoom", "--help").out.split()
    assert cli("help", "masks").out == cli("guide", "masks").out
    assert all(f" {command} " in cli("help").out for command in COMMANDS)
    wrong = cli("help", "dream")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'dream'" in wrong.err and "video" in wrong.err


AMERICAN = [
    ("image", "--keep-color", "--keep-colour", "2"),
    ("image", "--keep-color=2", "--keep-colour", ""),
    ("image", "--match-color", "--match-colour", "red"),
    ("video", "--color", "--colour", "-1"),
    ("video", "--center", "--centre", "here"),
    ("zoom", "--center", "--centre", "here"),
]


@pytest.mark.parametrize(("command", "option", "ours", "value"), AMERICAN)
def test_american_spellings_mean_the_same(
    cli: Cli, command: str, option: str, ours: str, value: str
) -> None:
    ended = cli(command, "gone.png", option, *([value] if value else []))
    assert ended.code in (1, 2)
    assert "o such option" not in ended.err
    # An invalid value is refused under the name that the guide has.
    assert ours in ended.err or "gone.png" in ended.err


COMPLETIONS = [
    ("image x.png --preset tow", "towers"),
    ("video x.mp4 --model mobile", "mobilenet-v2"),
    ("video x.mp4 --layers block1,block3_e", "block1,block3_expand"),
    ("video x.mp4 --class tabb", "tabby"),
    ("video x.mp4 --codec x26", "x264"),
]


@pytest.mark.parametrize(("words", "completed"), COMPLETIONS)
def test_values_are_completed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, completed: str
) -> None:
    monkeypatch.setenv("_DREAMVIDEO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"dreamvideo {words}")
    monkeypatch.setenv("COMP_CWORD", "4")
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 0
    assert completed in capfd.readouterr().out.splitlines()


def test_layers_of_the_chosen_network_are_completed() -> None:
    context: Any = SimpleNamespace(params={"model": "nope"})
    assert complete_layers(context, "block1") == []
    assert complete_layers(SimpleNamespace(params={}), "block1_e") == ["block1_expand"]  # type: ignore[arg-type]


def test_it_runs_as_a_module_too() -> None:
    command = [sys.executable, "-m", "dreamvideo", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"dreamvideo {dreamvideo.__version__}\n"
