"""Every command of the README and the guide, run as it stands in a small copy of a clone.

The commands of a page run in order, in one folder: each may use the samples and what earlier ones
have made. Names in capitals are the reader's own files, as the README says.
"""

from __future__ import annotations

import re
import shlex
import shutil
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
from network_files import caffe_weights, write_caffemodel

from dreamvideo.cli.entry import SPELLINGS, run
from dreamvideo.dream.models import REGISTRY
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.guide import TOPICS, page_path, summary
from dreamvideo.media.codecs import CODECS, choose_codec, holds_alpha
from dreamvideo.media.containers import supported_endings
from dreamvideo.media.formats_table import formats_table
from dreamvideo.media.probe import probe
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import STILL_ENDINGS, read_still
from dreamvideo.settings import DreamSettings, Look, OutputSettings, make_look, preset_paths

ROOT = Path(__file__).resolve().parent.parent
PATHS = {"README": ROOT / "README.md", **{topic: page_path(topic) for topic in TOPICS}}
PAGES = {name: path.read_text(encoding="utf-8") for name, path in PATHS.items()}
README, EVERYTHING = PAGES["README"], "\n".join(PAGES.values())
LONGEST_README = 300
# Minutes long even on a tiny picture.
LONG_RUNS = ("--steps 2000", "dreamvideo bench")
# Runs until it is stopped.
SERVERS = ("dreamvideo studio",)
RENDERS = ("image", "video", "zoom", "preview")
OTHERS = ("info", "models", "measure", "report", "compare", "gallery", "presets", "bench", "studio")
COMMANDS = (*RENDERS, *OTHERS, "train", "config", "guide", "help")
# Of Dask's own commands.
FOREIGN_OPTIONS = {"--nthreads", "--resources", "--scheduler-file"}
# Added to a command, where a later option wins: what takes longest is done small.
SMALL = {
    "zoom": ["--size", "64x36", "--fps", "5"],
    "gallery": ["--size", "48", "--count", "2", "--moments", "1"],
    "presets": ["--size", "48"],
}
# A file of the reader's own: PHONE.mov, SHOTS/%04d.png.
READERS_FILE = re.compile(r"[A-Z][A-Z0-9_]+(?:\.\w+|/[\w%.]+)")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, contents) of all fenced blocks of a page, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def command_lines(page: str) -> list[str]:
    lines = [line for kind, block in blocks(page) if kind == "bash" for line in block.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


ALL_LINES = [line for page in PAGES.values() for line in command_lines(page)]
SET_UPS = [line for line in ALL_LINES if line.startswith("python3 -m venv ")]
LONG_LINES = [line for line in ALL_LINES if any(long in line for long in LONG_RUNS)]


def is_typed(line: str) -> bool:
    """Whether a line is one that a reader types after set-up, and waits for."""
    return line.startswith("dreamvideo ") and not line.startswith(SERVERS)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for the samples: pictures of 80 x 76, a film as long as the real one."""
    folder = tmp_path_factory.mktemp("stand-ins")
    for photo in ("chelsea.jpg", "coffee.jpg"):
        make(folder / photo, *picture(1, "1", "80x76"), "-frames:v", "1", "-update", "1")
    make(folder / "bunny.mp4", *picture(6, "1", "80x48"), *tone(6), "-pix_fmt", "yuv420p")
    # Music is small, and beats cannot be found in a tone.
    shutil.copy(ROOT / "samples" / "song.ogg", folder)
    return folder


@pytest.fixture
def clone(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that looks like a clone, with tiny samples."""
    (tmp_path / "samples").mkdir()
    for sample in samples.iterdir():
        (tmp_path / "samples" / sample.name).symlink_to(sample)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
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
    """Make the reader's own files that a command names."""
    if words[1] == "train":
        folder = clone / words[2]
        folder.mkdir(exist_ok=True)
        make(folder / "%d.png", *picture(4, "1", "64x64"), "-frames:v", "4")
    for name in filter(READERS_FILE.fullmatch, words):
        path = clone / name
        if path.exists() or path.is_symlink():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == value_of(words, "--weights"):
            path.symlink_to(weights(look_of(words).model, path.name))
        elif path.suffix == ".keras":
            make_own_network(path)
        elif path.suffix == ".caffemodel":
            write_caffemodel(caffe_weights(), path)
        else:
            make(path, *picture(4, "1", "80x48"))


def make_own_network(path: Path) -> None:
    """Save a model as a reader might have made it."""
    keras = tensorflow().keras
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    ).save(path)


def check_made(path: Path) -> None:
    """The output is there, and decodes to more than one frame unless it is a picture."""
    if path.suffix.lower() in STILL_ENDINGS:
        assert min(read_still(path).shape[:2]) >= 16
        return
    with open_source(path) as source:
        assert sum(1 for _ in source) > 1


def check_command(line: str, clone: Path, weights: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command of a page; it does what it says."""
    words = shlex.split(line)
    provide(words, clone, weights)
    code = run([*words[1:], *SMALL.get(words[1], [])])
    said = capsys.readouterr()
    assert code == 0, f"{line}: {said.err}"
    if words[1] in ("gallery", "report"):
        assert all((clone / path).stat().st_size for path in said.out.split()), line
    if words[1] not in RENDERS or "--dry-run" in words:
        assert said.out.strip(), line
        return
    output = value_of(words, "-o", "--output")
    if output is not None and (output.endswith("/") or "{name}" in output):
        for made in (
            (clone / output).parent.iterdir() if "{" in output else (clone / output).iterdir()
        ):
            check_made(made)
        return
    assert output, f"{line}: name the output, so that this test can look for it"
    check_made(clone / output)
    assert not [path for path in (clone / "samples").iterdir() if not path.is_symlink()], line


def save_preset_shown(block: str, clone: Path) -> None:
    """Save a preset as the page asks to: its first line is its name."""
    name = block.partition("\n")[0].removeprefix("# ")
    assert name.endswith(".toml")
    (clone / name).write_text(block, encoding="utf-8")


@pytest.mark.integration
@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_from_top_to_bottom(
    name: str, clone: Path, weights: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for language, block in blocks(PAGES[name]):
        if language == "toml":
            save_preset_shown(block, clone)
        elif language == "python":
            exec(compile(block, f"{name}.md", "exec"), {})
            for output in re.findall(r'"([\w-]+\.(?:png|jpg|mp4|gif|webm))"', block):
                check_made(clone / output)
        elif language == "bash":
            for line in block.splitlines():
                if is_typed(line) and line not in LONG_LINES:
                    check_command(line, clone, weights, capsys)
        else:
            others = {("clusters", "sh"), ("clusters", "py"), ("pipes", "sh")}
            assert (name, language) in others, "who runs it?"


@pytest.mark.slow
@pytest.mark.parametrize("line", LONG_LINES)
def test_a_long_command_does_what_it_says(
    line: str, clone: Path, weights: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    check_command(line, clone, weights, capsys)


def test_the_readers_own_files_are_known_by_their_capitals() -> None:
    assert READERS_FILE.fullmatch("CLIP.mov") and READERS_FILE.fullmatch("SHOTS/%04d.png")
    assert "capitals, such as `CLIP.mov`" in " ".join(README.split())


@pytest.mark.integration
def test_the_studio_begins_and_ends(clone: Path) -> None:
    (line,) = [line for line in ALL_LINES if line.startswith(SERVERS)]
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


@pytest.mark.integration
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
    assert ".venv/bin/python -m pytest -n auto -m integration" in command_lines(README)
    assert ".venv/bin/python -m pytest -m slow" in command_lines(README)


@pytest.mark.parametrize("name", PAGES)
def test_no_other_kind_of_command_line(name: str) -> None:
    known = ("dreamvideo ", "python3 -m venv ", ".venv/bin/python -m pytest", "pip install -e ")
    assert [line for line in command_lines(PAGES[name]) if not line.startswith(known)] == []


def test_test_files_named_by_the_pages_exist() -> None:
    named = set(re.findall(r"pytest [^`\n]*?(tests/\w+\.py)", EVERYTHING))
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_extras_are_installed_from_a_clone() -> None:
    named = set(re.findall(r"(?:dreamvideo|\.)\[(\w+)\]", EVERYTHING))
    assert named == set(metadata("dreamvideo").get_all("Provides-Extra") or ())
    assert "dreamvideo[" not in EVERYTHING


def test_the_readme_is_a_front_door() -> None:
    assert len(README.splitlines()) <= LONGEST_README
    recipes = README.partition("## Thirteen recipes")[2].partition("\n## ")[0]
    assert len(command_lines(recipes)) == 13
    assert "2.5 GB" in README


def test_the_readme_lists_the_pages_of_the_guide_in_their_order() -> None:
    rows = re.findall(r"^\| \[([\w-]+)\]\((\S+)\) \| (.+) \|$", README, re.MULTILINE)
    assert rows == [(t, f"dreamvideo/guide/{t}.md", summary(t)) for t in TOPICS]


def anchors(page: str) -> set[str]:
    """What GitHub makes of a page's headings."""
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_and_pictures_exist(name: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", PAGES[name])
    by_path = {path.resolve(): PAGES[page] for page, path in PATHS.items()}
    for target in targets:
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        path = (PATHS[name].parent / file).resolve() if file else PATHS[name].resolve()
        assert path.exists(), target
        assert not anchor or anchor in anchors(by_path[path]), target


def test_every_preset_has_its_picture_or_its_place() -> None:
    for name in preset_paths():
        assert f"`{name}`: " in PAGES["looks"]


def test_the_networks_table_is_the_registry() -> None:
    table = PAGES["networks"]
    rows = set(re.findall(r"^\| `([\w-]+)` \| `([\w,:.]+)` \| (.+) \|$", table, re.MULTILINE))
    said = {"bundled": "in the package", "Keras, on first use": "Keras", "random": "random"}
    assert rows == {
        (
            entry.name,
            ",".join(entry.default_layers),
            said.get(entry.weights, f"`{entry.weights}`"),
        )
        for entry in REGISTRY.values()
    }


def test_the_formats_table_is_what_can_be_written(tmp_path: Path) -> None:
    """The page has the table that the registry of codecs and containers makes."""
    table = formats_table()
    assert table in PAGES["files"].partition("## Formats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\.\w+)` \| (.+?) \| (.+?) \| .+ \| (.+?) \|$", table, re.MULTILINE)
    assert [row[0] for row in rows] == list(supported_endings())
    for ending, names, depths, transparency in rows:
        out = tmp_path / f"a{ending}"
        told = whole_names(names)
        assert set(told) == {name for name, codec in CODECS.items() if ending in codec.endings}
        assert choose_codec(out, None) == CODECS[told[0]]
        for part in depths.split("; "):
            bits, _, with_names = part.partition(" with ")
            for name in whole_names(with_names) or told:
                stored = {depth for depth, _ in CODECS[name].formats}
                assert stored == set(map(int, bits.split(", ")))
        clear = {name for name in told if holds_alpha(CODECS[name], out, min(CODECS[name].depths))}
        kept = set(whole_names(transparency))
        assert clear == (set(told) if transparency == "kept" else kept)


def whole_names(cell: str) -> list[str]:
    """Codecs named in a cell of the table: `prores-lt`, `-hq`."""
    names: list[str] = []
    for name in re.findall("`([\\w-]+)`", cell):
        names.append(f"{names[-1].split('-')[0]}{name}" if name.startswith("-") else name)
    return names


def test_the_options_table_gives_the_defaults() -> None:
    table = PAGES["options"].partition("## ")[0]
    rows = re.findall(r"^\| `--([a-z-]+)`(?:, `--[a-z-]+`)? \| (.+?) \|", table, re.MULTILINE)
    settings = [Look().dream, Look().coherence, Look().zoom, OutputSettings()]
    defaults = {key: value for group in settings for key, value in group.model_dump().items()}
    told = {name.replace("-", "_"): cell for name, cell in rows}
    assert {"steps", "coherence", "rate"} <= set(told)
    for name in told.keys() & defaults.keys():
        if defaults[name] is not None:
            assert told[name] == str(defaults[name]), name


def test_every_option_named_exists() -> None:
    shown = "".join(_help(*command) for command in ((), *((each,) for each in COMMANDS)))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", EVERYTHING))
    for american, ours in SPELLINGS.items():
        named = {option.replace(american, ours) for option in named}
    unknown = {option for option in named if f"{option} " not in shown}
    assert unknown <= {"--help", "--help-all", *FOREIGN_OPTIONS}


def _help(*command: str) -> str:
    with redirect_stdout(StringIO()) as said:
        run([*command, "--help-all"])
    return said.getvalue()
