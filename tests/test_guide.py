"""``dreamvideo guide``: its list, its pages on a terminal and in a pipe, mistakes, the package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest
from tiny import Cli

import dreamvideo
from dreamvideo.bench.plan import Plan
from dreamvideo.bench.run import make_notes
from dreamvideo.guide import TOPICS, page_path, printable, read_page, summary, title

PACKAGE = Path(dreamvideo.__file__).parent
LONGEST_SUMMARY = 100


def test_every_page_is_a_topic_and_every_topic_a_page() -> None:
    files = {path.stem for path in (PACKAGE / "guide").glob("*.md")}
    assert files == set(TOPICS) and len(files) == len(TOPICS)


def test_the_pages_are_package_data() -> None:
    text = (PACKAGE.parent / "pyproject.toml").read_text("utf-8")
    (data,) = re.findall(r"^dreamvideo = \[(.*)\]$", text, re.MULTILINE)
    assert '"guide/*.md"' in data


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_begins_with_its_title_and_one_line_about_it(topic: str) -> None:
    head, blank, line, end = read_page(topic).split("\n")[:4]
    assert head == f"# {title(topic)}"
    assert title(topic).lower() == topic.replace("-", " ") and title(topic)[0].isupper()
    assert (blank, end) == ("", "")
    assert line == summary(topic) and line.endswith(".") and len(line) <= LONGEST_SUMMARY


def test_without_a_topic_it_lists_the_pages(cli: Cli) -> None:
    shown = cli("guide")
    assert (shown.code, shown.err) == (0, "")
    rows = [line.split(maxsplit=1) for line in shown.out.splitlines()]
    assert rows == [[topic, summary(topic)] for topic in TOPICS]


@pytest.mark.sample(3)
@pytest.mark.parametrize("topic", TOPICS)
def test_in_a_pipe_a_page_is_plain_text(cli: Cli, topic: str) -> None:
    shown = cli("guide", topic)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == printable(read_page(topic))
    assert "\x1b" not in shown.out and "![" not in shown.out and ".md)" not in shown.out
    assert cli("guide", topic.upper()).out == shown.out


def test_what_a_terminal_cannot_show_is_replaced() -> None:
    text = (
        "# A\n\n![Eyes](eyes.jpg)\n\n*Eyes,\nlarge; `*`: small.*\n\n*Loud* words.\n\n"
        "| ![one](1.gif) | ![two](2.gif) |\n\n![Last](b.jpg)\n\n"
        "See [Zooms](zooms.md#loops), [below](#b) and [Dask](https://dask.org).\n"
    )
    assert printable(text) == (
        "# A\n\n*Loud* words.\n\n| one | two |\n\n"
        "See Zooms (`dreamvideo guide zooms`), below and [Dask](https://dask.org).\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_it_is_formatted_and_commands_stay_whole() -> None:
    shown = on_terminal("guide", "masks")
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert "```" not in plain and "# Masks" not in plain
    commands = re.findall(r"^dreamvideo .*$", read_page("masks"), re.MULTILINE)
    assert max(map(len, commands)) > 80
    assert [line.rstrip() for line in plain.splitlines() if line.startswith("dreamvideo ")] == (
        commands
    )


def on_terminal(*arguments: str) -> str:
    """What a command prints on a terminal of 80 columns."""
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "dreamvideo", *arguments]
    with subprocess.Popen(command, stdout=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 65536):
                shown += piece
        except OSError:
            # Linux ends a pseudo-terminal with an error.
            pass
        assert process.wait() == 0
    os.close(master)
    return shown.decode()


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("zoms", "did you mean zooms?"),
        ("mask", "did you mean masks?"),
        ("resume", "did you mean long-renders?"),
        ("gifs", "did you mean files?"),
        ("budget", "did you mean long-renders?"),
        ("xyzzy", "choose looks, galleries, "),
        ("../looks", "did you mean looks?"),
        ("", "choose looks, galleries, "),
    ],
)
def test_an_unknown_topic_is_one_line_with_the_nearest(cli: Cli, topic: str, hint: str) -> None:
    ended = cli("guide", topic)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"dreamvideo: the guide has no page {topic!r}: {hint}")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("topic", TOPICS)
def test_the_repository_and_the_package_have_the_same_page(topic: str) -> None:
    assert page_path(topic) == PACKAGE / "guide" / f"{topic}.md"


def test_a_missing_extra_is_installed_by_a_command_that_works_in_a_clone() -> None:
    """The name on the package index may be anybody's."""
    extras = set(metadata("dreamvideo").get_all("Provides-Extra") or ())
    named = set()
    for path in PACKAGE.rglob("*.py"):
        # Cluster messages are that room's own subject.
        if path.is_relative_to(PACKAGE / "cluster"):
            continue
        text = path.read_text("utf-8")
        assert "dreamvideo[" not in text, path
        named |= set(re.findall(r'pip install -e "\.\[(\w+)\]"', text))
    assert {"studio", "bench"} <= named <= extras


def test_the_bench_says_how_torch_is_installed() -> None:
    machine: dict[str, object] = {"flags": [], "load": None, "cores": 2}
    found = make_notes(machine, Plan(torch=None))
    assert any('pip install -e ".[bench]"' in line for line in found)
