"""Every command line of the README, run as it stands in a small likeness of a clone."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.metadata import metadata
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from media_clips import make, picture, tone
from tiny import QUICK

from dreamvideo.cli.entry import run
from dreamvideo.dream.models import REGISTRY
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.media.codecs import CODECS, choose_codec, holds_alpha
from dreamvideo.media.containers import supported_endings
from dreamvideo.media.probe import probe
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import STILL_ENDINGS, read_still
from dreamvideo.settings import DreamSettings, Look, OutputSettings, make_look, preset_paths

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Minutes long even on a tiny picture.
LONG_RUNS = ("--steps 2000", "dreamvideo bench")
# Ends when it is told to.
SERVERS = ("dreamvideo studio",)
RENDERS = ("image", "video", "zoom", "preview")
OTHERS = ("info", "models", "measure", "report", "compare", "gallery", "presets", "bench", "studio")
COMMANDS = (*RENDERS, *OTHERS)
# Of Dask's own commands.
DASK_OPTIONS = {"--nthreads", "--resources", "--scheduler-file"}


def blocks(language: str) -> list[str]:
    """The contents of all fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def command_lines() -> list[str]:
    lines = [line for block in blocks("(?:bash|console)") for line in block.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def dreams() -> list[Any]:
    """What a reader types after set-up: each line a test case, the long run marked slow."""
    lines = [line for line in command_lines() if line.startswith("dreamvideo ")]
    typed = [line for line in lines if not line.startswith(SERVERS)]
    marks = {t: [pytest.mark.slow] if any(long in t for long in LONG_RUNS) else [] for t in typed}
    return [pytest.param(t, id=t[11:], marks=marks[t]) for t in typed]


SET_UPS = [line for line in command_lines() if line.startswith("python3 -m venv ")]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for the samples: pictures of 80 x 76, a film as long as the real one."""
    folder = tmp_path_factory.mktemp("stand-ins")
    for photo in ("chelsea.jpg", "coffee.jpg"):
        make(folder / photo, *picture(1, "1", "80x76"), "-frames:v", "1", "-update", "1")
    make(folder / "bunny.mp4", *picture(6, "1", "80x48"), *tone(6), "-pix_fmt", "yuv420p")
    return folder


@pytest.fixture
def clone(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that looks like a clone, with tiny samples."""
    (tmp_path / "samples").mkdir()
    for sample in samples.iterdir():
        (tmp_path / "samples" / sample.name).symlink_to(sample)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(network, file name) -> a file of random weights of that network, made once."""
    folder = tmp_path_factory.mktemp("weights")

    def made(network: str, name: str) -> Path:
        path = folder / name
        if not path.exists():
            build = getattr(tensorflow().keras.applications, REGISTRY[network].keras_name)
            with warnings.catch_warnings():
                # Keras writing this format, which its own downloads still have.
                warnings.simplefilter("ignore", DeprecationWarning)
                build(include_top=False, weights=None).save(path)
        return path

    yield made


def value_of(words: list[str], *options: str) -> str | None:
    """What follows the first of these options, if it is there."""
    found = [words[place + 1] for place, word in enumerate(words) if word in options]
    return found[0] if found else None


def look_of(words: list[str]) -> DreamSettings:
    presets = [words[n + 1] for n, word in enumerate(words) if word == "--preset"]
    model = value_of(words, "--model")
    return make_look(presets, {"dream": {"model": model}} if model else None).dream


def provide(words: list[str], clone: Path, weights: Any) -> None:
    """What a reader has and a clone has not: weights, shots, a preset, the film made first."""
    named = value_of(words, "--weights")
    if named:
        network = words[2] if words[1] == "models" else look_of(words).model
        (clone / named).symlink_to(weights(network, Path(named).name))
    preset = value_of(words, "--preset") or ""
    if preset.endswith(".toml"):
        (block,) = [block for block in blocks("toml") if block.startswith(f"# {preset}\n")]
        (clone / preset).write_text(block, encoding="utf-8")
    subject = words[2] if len(words) > 2 else ""
    if words[1] in ("measure", "report"):
        assert run(["video", words[3], "-o", subject, "--steps", "1", "-q"]) == 0
    if words[1] == "compare":
        for film in words[2:4]:
            assert run(["video", words[4], "-o", film, "--steps", "1", "-q", "--end", "1"]) == 0
    if words[1] == "info" and not subject.startswith("samples/"):
        assert run(["video", "samples/bunny.mp4", "-o", subject, *QUICK, "--end", "2f"]) == 0
    if words[1] == "video" and not subject.startswith("samples/"):
        (clone / subject).parent.mkdir(parents=True, exist_ok=True)
        make(clone / subject, *picture(4, "1", "80x48"))


def check_made(path: Path) -> None:
    """The output is there, and decodes to more than one frame unless it is a picture."""
    if path.suffix.lower() in STILL_ENDINGS:
        assert min(read_still(path).shape[:2]) >= 16
        return
    with open_source(path) as source:
        assert sum(1 for _ in source) > 1


@pytest.mark.parametrize("line", dreams())
def test_a_command_line_does_what_it_names(
    line: str, clone: Path, weights: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line)
    provide(words, clone, weights)
    code = run(words[1:])
    said = capsys.readouterr()
    assert code == 0, said.err
    for path in map(Path, said.out.split()):
        if words[1] == "gallery":
            assert (clone / path).stat().st_size
    if words[1] not in RENDERS or "--dry-run" in words:
        assert said.out.strip()
        return
    output = value_of(words, "-o", "--output")
    assert output, "say in the README what is written, so that this test can look for it"
    check_made(clone / output)
    assert not [path for path in (clone / "samples").iterdir() if not path.is_symlink()]


def test_the_studio_begins_and_ends(clone: Path) -> None:
    (line,) = [line for line in command_lines() if line.startswith(SERVERS)]
    words = [sys.executable, "-m", *shlex.split(line), "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as studio:
        try:
            assert studio.stdout is not None
            said = studio.stdout.readline()
            (address,) = re.findall(r"http://127\.0\.0\.1:\d+/\S*", said)
            with urlopen(address, timeout=60) as page:
                assert b"dreamvideo" in page.read()
            studio.send_signal(signal.SIGINT)
            assert studio.wait(60) == 0
        finally:
            studio.kill()


def test_the_first_command_sets_up_and_dreams(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = [line for line in SET_UPS if " video " in line]
    make_it, install, dream = line.split(" && ")
    assert make_it == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install ."
    words = shlex.split(dream)
    assert words[0] == ".venv/bin/dreamvideo"
    assert run(words[1:]) == 0, capsys.readouterr().err
    output = value_of(words, "-o")
    assert output is not None
    assert words[-1] == output, ".ci/run takes the last word for the film"
    check_made(clone / output)
    assert probe(clone / output).audio


def test_the_test_commands_set_up_and_test() -> None:
    (line,) = [line for line in SET_UPS if line.endswith("pytest -n auto")]
    assert line.split(" && ") == [
        "python3 -m venv .venv",
        '.venv/bin/pip install -e ".[test]"',
        ".venv/bin/python -m pytest -n auto",
    ]
    assert ".venv/bin/python -m pytest -m slow" in command_lines()


def test_no_other_kind_of_command_line() -> None:
    known = ("dreamvideo ", "python3 -m venv ", ".venv/bin/python -m pytest", "pip install ")
    assert [line for line in command_lines() if not line.startswith(known)] == []


def test_what_is_installed_beside_is_an_extra() -> None:
    named = set(re.findall(r"(?:dreamvideo|\.)\[(\w+)\]", README))
    assert named == set(metadata("dreamvideo").get_all("Provides-Extra") or ())


def test_python_blocks_run(clone: Path) -> None:
    code = blocks("python")
    assert code
    for block in code:
        exec(compile(block, "README.md", "exec"), {})
    for output in re.findall(r'"([\w-]+\.(?:png|jpg|mp4|gif|webm))"', "".join(code)):
        check_made(clone / output)


def test_links_and_pictures_exist() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", README) + re.findall(r'(?:src|href)="([^"]+)"', README)
    local = [target for target in targets if not target.startswith(("http", "#"))]
    assert [target for target in local if target.startswith("samples/")]
    assert [target for target in local if not (ROOT / target).exists()] == []
    headings = {"#" + name.lower() for name in re.findall(r"^#+ (\w+)$", README, re.MULTILINE)}
    assert {target for target in targets if target.startswith("#")} <= headings


def test_every_preset_has_its_picture_or_its_place() -> None:
    for name in preset_paths():
        assert f"`{name}`: " in README


def test_the_networks_table_is_the_registry() -> None:
    rows = set(re.findall(r"^\| `([\w-]+)` \| `([\w,:.]+)` \| (.+) \|$", README, re.MULTILINE))
    assert rows == {
        (
            entry.name,
            ",".join(entry.default_layers),
            "in the package" if entry.is_bundled else "Keras",
        )
        for entry in REGISTRY.values()
    }


def test_the_formats_table_is_what_can_be_written(tmp_path: Path) -> None:
    table = README.partition("### Formats")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\.\w+)` \| (.+?) \| (.+?) \| .+ \| (.+?) \|$", table, re.MULTILINE)
    assert [row[0] for row in rows] == list(supported_endings())
    for ending, names, depths, transparency in rows:
        out = tmp_path / f"a{ending}"
        told = re.findall("`(\\w+)`", names)
        assert set(told) == {name for name, codec in CODECS.items() if ending in codec.endings}
        assert choose_codec(out, None) == CODECS[told[0]]
        deep = {name for name in told if (10, False) in CODECS[name].formats}
        missing = {name for name in told if f"but for `{name}`" in depths}
        only = set(re.findall("10 with `(\\w+)`", depths))
        assert deep == (only or (set(told) - missing if "10" in depths else set()))
        clear = {name for name in told if holds_alpha(CODECS[name], out, 8)}
        assert clear == (set(told) if transparency == "kept" else set(told) & {transparency[6:9]})


def test_the_options_table_gives_the_defaults() -> None:
    table = README.partition("## Options")[2].partition("## ")[0]
    rows = re.findall(r"^\| `--([a-z-]+)`(?:, `--[a-z-]+`)? \| (.+?) \|", table, re.MULTILINE)
    settings = [Look().dream, Look().coherence, Look().zoom, OutputSettings()]
    defaults = {key: value for group in settings for key, value in group.model_dump().items()}
    told = {name.replace("-", "_"): cell for name, cell in rows}
    assert {"steps", "coherence", "rate"} <= set(told)
    for name in told.keys() & defaults.keys():
        if defaults[name] is not None:
            assert told[name] == str(defaults[name]), name


def test_every_option_named_exists() -> None:
    shown = "".join(_help(command) for command in COMMANDS)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert {option for option in named if f"{option} " not in shown} <= {"--help", *DASK_OPTIONS}


def _help(command: str) -> str:
    with redirect_stdout(StringIO()) as said:
        run([command, "--help"])
    return said.getvalue()
