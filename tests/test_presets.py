"""The named looks: listed, shown, each unlike the others."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from synthetic import glide, scene
from tiny import Cli, contents

from dreamvideo.gallery.preset_sheet import dream_in_look, dream_in_looks
from dreamvideo.media.stills import read_still
from dreamvideo.settings import look_values, make_look, preset_paths


def test_they_are_listed_with_what_they_are(cli: Cli) -> None:
    shown = cli("presets")
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert len(lines) == len(preset_paths()) >= 14
    told = {row["preset"]: row["description"] for row in json.loads(cli("presets", "--json").out)}
    assert list(told) == list(preset_paths())
    for line, (name, description) in zip(lines, told.items(), strict=True):
        assert line.split(maxsplit=1) == [name, description]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["photo.png"], ["photo.png", "--sheet"]),
        (["photo.png", "--sheet", "photo.png", "-y"], ["photo.png", "input"]),
        (["photo.png", "--sheet", "out.mp4"], ["out.mp4", ".png"]),
        (["gone.png", "--sheet", "out.png"], ["gone.png"]),
    ],
)
def test_mistakes_are_one_line(
    cli: Cli, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], words: list[str],
) -> None:  # fmt: skip
    (tmp_path / "photo.png").write_bytes((shelf / "photo.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    said = cli("presets", *arguments)
    assert said.code in (1, 2)
    assert said.err.count("\n") == 1
    assert all(word in said.err for word in words)
    assert contents(tmp_path) == before


def test_a_sheet_shows_a_photo_in_each(
    cli: Cli, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "looks"
    folder.mkdir()
    for name, text in {
        "one": "description = '1'\n[dream]\nlayers = 'block1'\nsteps = 1\noctaves = 1\n",
        "none": "description = '2'\n[dream]\nstrength = 0.0\n",
        "away": "description = '3'\n[dream]\nmodel = 'vgg16'\nweights = 'gone.h5'\n",
    }.items():
        (folder / f"{name}.toml").write_text(text)
    found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    monkeypatch.setattr("dreamvideo.settings.presets.preset_paths", lambda: found)
    monkeypatch.setattr("dreamvideo.cli.presets.preset_paths", lambda: found)
    sheet = tmp_path / "sheet.png"
    made = cli("presets", shelf / "photo.png", "--sheet", sheet, "--columns", "3")
    assert made.code == 0
    assert len(made.notes) == 1 and made.notes[0].startswith("away: ") and "gone.h5" in made.err
    photo, pixels = read_still(shelf / "photo.png"), read_still(sheet)
    height, width = photo.shape[:2]
    assert pixels.shape[1] > 3 * width
    places = [
        left
        for left in range(pixels.shape[1] - width)
        if np.array_equal(pixels[2 : 2 + height, left : left + width], photo)
    ]
    # The photo itself, and the look that leaves it as it is; between them the one that does not.
    assert len(places) == 2


def test_every_one_of_them_dreams_something_else() -> None:
    seen = {name: make_look([name]) for name in preset_paths()}
    assert len(seen) >= 18
    for one, other in combinations(seen, 2):
        a, b = (
            {**look_values(seen[name]), "description": ""}  # what it says of itself is no picture
            for name in (one, other)
        )
        assert a != b, (one, other)
    assert len({look.description for look in seen.values()}) == len(seen)


@pytest.mark.slow
def test_no_two_of_them_make_the_same_picture() -> None:
    image = scene(96, 128, glide(1), seed=3).frames[0]
    names = [n for n in preset_paths() if make_look([n]).dream.model == "efficientnet-lite0"]
    assert len(names) >= 18
    pictures = {"default": dream_in_look(image, make_look()).astype(float)}
    for name, made in dream_in_looks(image, names):
        assert not isinstance(made, str), made
        pictures[name] = made.astype(float)
    differences = {
        (one, other): float(np.abs(pictures[one] - pictures[other]).mean())
        for one, other in combinations(pictures, 2)
    }
    closest = min(differences, key=lambda pair: differences[pair])
    assert differences[closest] > 10, (closest, differences[closest])
