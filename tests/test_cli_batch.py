"""Many inputs of one command: where each goes, what is refused, and that failures are told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import QUICK, Cli, contents, pixels_of

from dreamvideo.cancel import TOKEN
from dreamvideo.media.probe import probe
from dreamvideo.media.stills import read_still
from dreamvideo.render.frames.planner import keep_dreamers, make_dreamer, set_dreamer_factory
from dreamvideo.settings import DreamSettings, Look


@pytest.fixture
def album(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with three pictures, one of them broken, and two clips."""
    for name in ("a.png", "c.png"):
        shutil.copy(shelf / "photo.png", tmp_path / name)
    (tmp_path / "b.png").write_bytes((shelf / "photo.png").read_bytes()[:900])
    shutil.copy(shelf / "clip.mp4", tmp_path / "one.mp4")
    shutil.copy(shelf / "clip.gif", tmp_path / "two.gif")
    (tmp_path / "has").mkdir()
    (tmp_path / "has" / "a-dream.png").write_bytes(b"precious")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_that_fails_is_told_and_the_rest_go_on(cli: Cli, album: Path) -> None:
    ended = cli("image", "a.png", "b.png", "c.png", "-o", "out", *QUICK)
    assert ended.code == 1
    assert [line.partition(":")[0] for line in ended.out.splitlines()] == [
        "out/a-dream.png",
        "out/c-dream.png",
    ]
    lines = ended.err.splitlines()
    assert {"1/3 a.png", "2/3 b.png", "3/3 c.png"} <= set(lines)
    assert len([line for line in lines if line.startswith("dreamvideo: b.png: ")]) == 1
    assert lines[-1] == "dreamvideo: 1 of 3 failed: b.png"
    assert list(contents(album / "out")) == ["a-dream.png", "c-dream.png"]


def test_each_of_many_is_what_it_would_be_alone(cli: Cli, album: Path) -> None:
    assert cli("image", "c.png", "-o", "alone.png", "-q", *QUICK).code == 0
    assert cli("image", "a.png", "c.png", "-o", "out/", "-q", *QUICK).code == 0
    assert np.array_equal(read_still(Path("out/c-dream.png")), read_still(Path("alone.png")))


def test_networks_are_loaded_once(cli: Cli, album: Path) -> None:
    made = []

    def count(*arguments: Any, **named: Any) -> Any:
        made.append(arguments)
        return before(*arguments, **named)

    before = set_dreamer_factory(count)
    assert cli("image", "a.png", "c.png", "-q", *QUICK).code == 0
    assert len(made) == 1
    # A single picture after it starts afresh.
    assert cli("image", "a.png", "-q", "-y", *QUICK).code == 0
    assert len(made) == 2


def test_dreams_that_differ_are_not_mistaken_for_each_other() -> None:
    one, two = DreamSettings(layers="block1"), DreamSettings(layers="block2")
    with keep_dreamers():
        first = make_dreamer(one, Look(dream=one))
        assert make_dreamer(one, Look(dream=one)) is first
        assert make_dreamer(two, Look(dream=two)).settings.layers == "block2"


def test_clips_become_films_in_a_folder(cli: Cli, album: Path) -> None:
    ended = cli("video", "one.mp4", "two.gif", "-o", "dreams", "--end", "2f", *QUICK)
    assert ended.code == 0, ended.err
    assert ended.out == "dreams/one-dream.mp4: 2 frames\ndreams/two-dream.gif: 2 frames\n"
    assert [probe(path).kind for path in sorted(Path("dreams").iterdir())] == ["video", "animation"]


def test_a_name_with_a_place_for_the_input_s(cli: Cli, album: Path) -> None:
    line = ["-o", "dreams/{name}.webp", "--end", "2f", "-q", *QUICK]
    assert cli("video", "one.mp4", *line).code == 0
    assert len(pixels_of(Path("dreams/one.webp"))) == 2


def test_a_slash_puts_one_picture_into_a_folder(cli: Cli, album: Path) -> None:
    ended = cli("image", "c.png", "-o", "out/", *QUICK)
    assert (ended.code, list(contents(album / "out"))) == (0, ["c-dream.png"])


def test_what_exists_is_left_as_it_is(cli: Cli, album: Path) -> None:
    ended = cli("image", "a.png", "c.png", "-o", "has", "--skip-existing", *QUICK)
    assert ended.code == 0
    assert ended.out.startswith("has/a-dream.png: exists, skipped\nhas/c-dream.png: loss ")
    assert Path("has/a-dream.png").read_bytes() == b"precious"
    alone = cli("image", "a.png", "-o", "has/a-dream.png", "--skip-existing", *QUICK)
    assert (alone.code, alone.out) == (0, "has/a-dream.png: exists, skipped\n")


def test_a_stopped_batch_says_how_to_go_on(
    cli: Cli, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamvideo.render import image

    dream = image.dream_image

    def stop_after_one(*arguments: object, **named: object) -> object:
        made = dream(*arguments, **named)  # type: ignore[arg-type]
        TOKEN.cancel()
        return made

    monkeypatch.setattr(image, "dream_image", stop_after_one)
    ended = cli("image", "a.png", "c.png", "-o", "out", *QUICK)
    assert ended.code == 143
    assert ended.err.splitlines()[-1].startswith(
        "dreamvideo: stopped before the end; 1 of 2 are done, resume with: dreamvideo image a.png "
        "c.png -o out "
    )
    assert ended.err.endswith(" --skip-existing\n")


REFUSED: list[tuple[str, Sequence[str]]] = [
    ("image a.png c.png -o out.png", ["out.png", "one file for 2", "{name}.png"]),
    ("image a.png c.png -o has", ["has/a-dream.png", "exists", "-y"]),
    ("image a.png c.png -o gone/out", ["gone/out", "does not exist"]),
    ("image a.png ./a.png -o out", ["the same output", "a-dream.png"]),
    ("image a.png one.mp4 -o {name}.xyz", ["a.xyz", ".png"]),
    ("video one.mp4 two.gif -o {name}.xyz", ["one.xyz", ".mp4"]),
    ("video one.mp4 two.gif -o -", ["--output", "folder"]),
    ("image a.png -o .", ["--output .", "folder"]),
    ("video one.mp4 -o .", ["--output .", "folder"]),
    ("zoom a.png -o .", ["--output .", "folder"]),
    ("zoom a.png -o -", ["standard output"]),
    ("image a.png -o has", ["has", "folder"]),
    ("video one.mp4 -o a.gif --max-size 1kB", ["a.gif", "1 kB", "first frame"]),
    ("video one.mp4 -o a.webp --max-size 90", ["a.webp", "90 ", "first frame"]),
    ("zoom a.png -o a.gif --max-size 1kB", ["a.gif", "1 kB", "first frame"]),
    ("image a.png -o a.gif --every 1 --max-size 1kB", ["a.gif", "1 kB", "first frame"]),
]


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_cannot_be_written_is_refused_before_any_dream(
    cli: Cli, album: Path, line: str, words: Sequence[str]
) -> None:
    before = contents(album)
    set_dreamer_factory(None)  # type: ignore[arg-type]
    ended = cli(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("dreamvideo: ") and ended.err.count("\n") == 1
    assert not [word for word in words if word not in ended.err], ended.err
    assert contents(album) == before


@pytest.mark.parametrize("command", ["image a.png", "video one.mp4", "zoom a.png"])
def test_an_empty_name_is_refused(cli: Cli, album: Path, command: str) -> None:
    ended = cli(*command.split(), "-o", "", *QUICK)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "dreamvideo: --output is empty: give the name of a file\n"


def test_a_folder_that_cannot_be_written_is_refused(
    cli: Cli, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests may run as a user who may write anywhere.
    monkeypatch.setattr("dreamvideo.media.paths.os.access", lambda _, mode: not mode & os.W_OK)
    for command in ("image a.png -o x.png", "image a.png c.png -o has/", "video one.mp4 -o x.mp4"):
        ended = cli(*command.split(), *QUICK)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "no permission to write into" in ended.err


def test_one_input_under_two_names_is_noticed(cli: Cli, album: Path) -> None:
    (album / "link.png").symlink_to("a.png")
    ended = cli("image", "a.png", "has/../a.png", "-o", "out", *QUICK)
    assert ended.code == 2 and "the same output" in ended.err
    (album / "out").symlink_to("has")
    ended = cli("image", "a.png", "c.png", "-o", "out/../has/{name}.png", *QUICK)
    assert ended.code == 0


def test_a_dry_run_leaves_no_folder(cli: Cli, album: Path) -> None:
    before = sorted(each.name for each in album.iterdir())
    ended = cli("video", "one.mp4", "two.gif", "-o", "films", "--dry-run", *QUICK)
    assert ended.code == 0, ended.err
    assert sorted(each.name for each in album.iterdir()) == before


def test_a_proxy_never_replaces_the_input(cli: Cli, album: Path) -> None:
    clip = album / "film.proxy.mp4"
    shutil.copy("one.mp4", clip)
    whole = clip.read_bytes()
    ended = cli("video", clip, "-o", "film.mov", "--proxy", "32", "-y", *QUICK)
    assert ended.code == 2 and "is the input itself" in ended.err
    assert clip.read_bytes() == whole and not Path("film.mov").exists()
