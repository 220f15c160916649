"""The command that makes the README's pictures: what it makes, from which lines, where."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_clips import make, picture
from tiny import pixels_of
from typer import Typer
from typer.testing import CliRunner

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.stills import read_still
from dreamvideo.pictures.__main__ import PICTURES, make_pictures, parse_names
from dreamvideo.pictures.clone import SAMPLES, Clone
from dreamvideo.pictures.curve import (
    BOTTOM,
    DOT,
    HEIGHT,
    LEFT,
    LINE,
    RIGHT,
    TOP,
    WIDTH,
    draw_curve,
    list_ticks,
    make_curve,
)
from dreamvideo.pictures.films import LOOPS
from dreamvideo.pictures.stills import LOOK_FOLDER, PLAIN, make_preset_tiles
from dreamvideo.settings import Look, make_look, preset_paths

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *(ROOT / "dreamvideo/guide").glob("*.md"))
PROSE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BUNDLED = {n for n in preset_paths() if make_look([n]).dream.model == Look().dream.model}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A likeness of a clone with tiny samples."""
    root = tmp_path / "clone"
    (root / "samples").mkdir(parents=True)
    for photo in SAMPLES[1:]:
        make(root / "samples" / photo, *picture(1, "1", "64x48"), "-frames:v", "1", "-update", "1")
    make(root / "samples" / "bunny.mp4", *picture(6, "1", "64x48"), "-pix_fmt", "yuv420p")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Clone(root, tmp_path / "made", scratch)


def test_the_names_are_made_in_order() -> None:
    assert parse_names("zoom, presets") == ["presets", "zoom"]
    assert parse_names(",".join(PICTURES)) == list(PICTURES)
    for wrong in ("", "presets,cats"):
        with pytest.raises(UsageError, match="choose among presets, tiles"):
            parse_names(wrong)


def test_every_picture_of_the_pages_has_its_maker() -> None:
    shown = set(re.findall(r"\]\((?:\.\./)*(samples/[^)]+)\)", PROSE))
    made = {f"samples/showcase/coffee-{name}.jpg" for name in {*BUNDLED, PLAIN}}
    made |= {f"samples/loops/{name}.gif" for name in LOOPS}
    code = "".join(path.read_text("utf-8") for path in (ROOT / "dreamvideo/pictures").glob("*.py"))
    made |= set(re.findall(r'"(samples/showcase/[\w-]+\.\w+)"', code))
    made |= {f"samples/showcase/{n}.jpg" for n in re.findall(r'_sheet\(clone, "(\w+)"', code)}
    assert {path for path in shown if not path.endswith(".md")} == made


def test_the_studio_has_a_tile_of_every_look_and_of_no_other() -> None:
    tiles = {path.stem: read_still(path) for path in (ROOT / LOOK_FOLDER).glob("*.jpg")}
    assert set(tiles) == {*BUNDLED, PLAIN}
    assert {tile.shape for tile in tiles.values()} == {(144, 216, 3)}


@pytest.mark.parametrize("page", ["README.md", "dreamvideo/guide/files.md"])
def test_a_picture_is_made_by_its_documented_command(clone: Clone, page: str) -> None:
    line = "dreamvideo video samples/bunny.mp4 --end 3f --layers block1 --steps 1 -o little.gif"
    (clone.root / "README.md").touch()
    (clone.root / page).parent.mkdir(parents=True, exist_ok=True)
    (clone.root / page).write_text(f"```bash\n{line}\n```\n", "utf-8")
    clone.dream_as_promised("samples/showcase/little.gif")
    assert len(pixels_of(clone.output / "samples/showcase/little.gif")) == 3
    with pytest.raises(DreamVideoError, match=r"0 commands that end in '-o other\.gif'"):
        clone.dream_as_promised("other.gif")


@pytest.mark.integration
def test_tiles_are_of_every_look_and_those_of_gone_ones_go(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = tmp_path / "grey.toml"
    preset.write_text("description = '1'\n[dream]\nstrength = 0.0\n[colour]\nsaturation = 0.0\n")
    monkeypatch.setattr("dreamvideo.pictures.stills.preset_paths", lambda: {"grey": preset})
    monkeypatch.setattr("dreamvideo.settings.presets.preset_paths", lambda: {"grey": preset})
    gone = clone.place("samples/showcase/coffee-gone.jpg")
    gone.write_bytes(b"")
    make_preset_tiles(clone)
    grey, plain = (
        read_still(clone.output / f"samples/showcase/coffee-{name}.jpg").astype(int)
        for name in ("grey", PLAIN)
    )
    assert grey.shape == plain.shape == (48, 64, 3)
    assert np.ptp(grey, axis=2).max() < 12 < np.ptp(plain, axis=2).max()
    assert not gone.exists()


def test_a_command_that_fails_is_named(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DreamVideoError, match=r"command failed: dreamvideo image nothing\.jpg"):
        clone.dream("image", "nothing.jpg")
    assert "nothing.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--only", "cats"], "dreamvideo.pictures: --only 'cats': choose among "),
        (["--only", "zoom", "--root", "."], "dreamvideo.pictures: .: there is no samples/bunny"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(make_pictures)
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 2
    assert ended.stderr.startswith(line) and ended.stderr.count("\n") == 1


def make_curve_report() -> dict[str, Any]:
    times = {"(defaults)": [1.0, 1.2, 1.0], "--fast": [0.25]}
    points = [
        {"options": name, "dream size": [48, 27], "precision": "float32", "contrast": 0.5}
        | {"x": None, "sharpness": time[0], "seconds per frame": time}
        for name, time in times.items()
    ]
    return {"height": 72, "width": 128, "frames": 4, "points": points}


def test_the_curve_has_a_dot_for_each_point_where_it_belongs() -> None:
    drawn = draw_curve(make_curve_report())
    assert drawn.shape == (HEIGHT, WIDTH, 3) and drawn.dtype == np.uint8
    assert (drawn == 255).all(-1).mean() > 0.8
    blue = (drawn == tuple(bytes.fromhex(LINE[1:]))).all(-1)
    for panel in range(3):
        left, right = (WIDTH // 3 * panel + LEFT, WIDTH // 3 * (panel + 1) - RIGHT)
        for time, quality in ((1.0, 1.0), (0.25, 0.25)):
            x = round(left + (right - left) * time)
            share = (quality, 0.5 / 0.5, 0.0)[panel]
            y = round(BOTTOM - (BOTTOM - TOP) * share)
            # Its rim to the left, since its middle is a number.
            assert blue[y - 3 : y + 4, x - DOT + 3 : x - DOT + 7].all()


def test_the_curve_is_drawn_from_the_benchmark_s_report(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []

    def bench(arguments: list[str]) -> int:
        made.append(arguments)
        print(json.dumps(reports.pop()))
        return 0

    monkeypatch.setattr("dreamvideo.pictures.curve.run", bench)
    reports: list[dict[str, Any]] = [{"notes": ["it is incomplete"]}]
    with pytest.raises(DreamVideoError, match="it is incomplete"):
        make_curve(clone)
    reports.append({"curve": make_curve_report(), "notes": []})
    make_curve(clone)
    assert made[0][:3] == ["bench", "--only", "curve"]
    assert str(clone.sample("bunny.mp4")) in made[0]
    saved = read_still(clone.output / "samples/showcase/curve.jpg").astype(int)
    assert np.abs(saved - draw_curve(make_curve_report())).mean() < 3


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2.1, [0, 0.5, 1, 1.5, 2, 2.5]),
        (0.037, [0, 0.01, 0.02, 0.03, 0.04]),
        (33, [0, 10, 20, 30, 40]),
        (0, [0, 1]),
    ],
)
def test_axes_have_round_numbers(most: float, ticks: list[float]) -> None:
    assert list_ticks(most) == ticks


def test_pictures_are_only_made_smaller() -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    assert shrink_to_width(pixels, 30).shape == (20, 30, 3)
    assert shrink_to_width(pixels, 200) is pixels
