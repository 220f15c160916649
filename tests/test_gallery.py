"""Look before you render: the gallery's sheet, its page and its commands; the preview."""

from __future__ import annotations

import base64
import re
import shlex
from fractions import Fraction
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from tiny import QUICK, Cli

from dreamvideo.dream import models
from dreamvideo.errors import UsageError
from dreamvideo.gallery.clip_stills import extract_clip_stills
from dreamvideo.gallery.variations import (
    STEP_SIZES,
    STRENGTHS,
    draw_creature_seeds,
    list_variations,
)
from dreamvideo.media.probe import probe
from dreamvideo.media.stills import read_still
from dreamvideo.render.preview import extract_excerpt
from dreamvideo.settings import Look, make_look, preset_paths
from dreamvideo.settings.derive import derive_look, list_options

MODEL = "efficientnet-lite0"


def commands(page: str) -> list[str]:
    return [unescape(found) for found in re.findall(r"<button>(.*?)</button>", page)]


def test_a_gallery_is_a_sheet_and_a_page_that_needs_nothing_else(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    made = cli("gallery", shelf / "photo.png", "--across", "strengths", "-o", sheet, *QUICK)
    assert (made.code, made.out.split()) == (0, [str(sheet), str(sheet.with_suffix(".html"))])
    page = sheet.with_suffix(".html").read_text("utf-8")
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == len(STRENGTHS) * len(STEP_SIZES)
    assert all(base64.b64decode(picture).startswith(b"\xff\xd8") for picture in pictures)
    assert not re.search(r"https?://|src=\"(?!data:)|<link|@import", page)
    pixels = read_still(sheet)
    assert pixels.shape[1] > 3 * 64 and pixels.std() > 10


@pytest.mark.integration
def test_the_command_under_a_tile_makes_that_tile(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    strong = ("--layers", "block3_expand", "--steps", 8, "--octaves", 1)
    cli("gallery", shelf / "photo.png", "--across", "strengths", "-o", sheet, *strong)
    page = sheet.with_suffix(".html").read_text("utf-8")
    words = shlex.split(commands(page)[-1])
    assert words[:3] == ["dreamvideo", "image", str(shelf / "photo.png")]
    again = tmp_path / "again.png"
    assert cli(*words[1:], "-o", again).code == 0
    wanted = read_still(again).astype(float)
    off = []
    for number, data in enumerate(re.findall(r"base64,([^\"]+)", page)):
        shown = tmp_path / f"{number}.jpg"
        shown.write_bytes(base64.b64decode(data))
        off.append(float(np.abs(read_still(shown) - wanted).mean()))
    # But for the page's JPEG the tile is the picture; the others are other dreams.
    assert int(np.argmin(off)) == len(off) - 1 and off[-1] < 0.7 * sorted(off)[1]


@pytest.mark.integration
def test_a_clip_is_shown_at_several_moments(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "clip.png"
    line = ("gallery", shelf / "clip.mp4", "--across", "channels", "--layer", "block3_expand")
    made = cli(*line, "--count", 2, "--moments", 3, "--steps", 1, "-o", sheet)
    assert made.code == 0, made.err
    found = commands(sheet.with_suffix(".html").read_text("utf-8"))
    assert len(found) == 6 and all(line.startswith("dreamvideo video ") for line in found)
    assert all("block3_expand#" in line for line in found)


@pytest.mark.integration
def test_creatures_are_shown_by_their_seeds(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "creatures.png"
    line = ("gallery", shelf / "photo.png", "--across", "creatures", "--count", 3, "-o", sheet)
    made = cli(*line, "--steps", 2, "--octaves", 1, "--creatures", 41)
    assert made.code == 0, made.err
    page = sheet.with_suffix(".html").read_text("utf-8")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == [
        "--creatures 41", "--creatures 42", "--creatures 43",
    ]  # fmt: skip
    ready = [shlex.split(found) for found in commands(page)]
    assert [words[-2:] for words in ready] == [["--creatures", str(n)] for n in (41, 42, 43)]
    assert all(words.count("--creatures") == 1 and "--steps" in words for words in ready)
    assert len(set(re.findall(r"base64,([^\"]+)", page))) == 3


def test_creatures_begin_with_the_first_seed_and_keep_their_digits() -> None:
    assert draw_creature_seeds(Look(), 4) == [1, 2, 3, 4]
    last = make_look([], {"dream": {"creatures": 2**31 - 2}})
    (before, largest) = draw_creature_seeds(last, 2)
    ways = list_variations("creatures", MODEL, numbers=[before, largest])
    assert ways[1].options == ("--creatures", "2147483647")
    assert ways[1].of(Look()).dream.creatures == 2**31 - 1
    with pytest.raises(UsageError, match="--creatures"):
        draw_creature_seeds(last, 3)


def test_moments_are_spread_over_the_clip_and_differ(shelf: Path) -> None:
    moments = extract_clip_stills(shelf / "clip.mp4", 3, None, 320)
    info = probe(shelf / "clip.mp4")
    assert [moment.time for moment in moments] == [
        info.duration * Fraction(n, 6) for n in (1, 3, 5)
    ]
    assert len({moment.image.tobytes() for moment in moments}) == 3
    (still,) = extract_clip_stills(shelf / "photo.png", 3, "32", 320)
    assert still.time is None and still.image.shape == (24, 32, 3)


def test_layers_of_every_network_are_shown_shallow_to_deep() -> None:
    names = [way.label for way in list_variations("layers", MODEL)]
    order = [layer.name for layer in models.list_layers(MODEL)]
    assert 12 <= len(names) <= 24
    assert names == sorted(names, key=order.index)
    assert not [name for name in names if name.endswith("_depthwise")]


def test_presets_of_the_network_are_shown() -> None:
    names = {way.label for way in list_variations("presets", MODEL)}
    assert "towers" in names and "classic" not in names
    assert names <= set(preset_paths())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--across", "layers", "--layer", "block5"], "--layer is for --across channels"),
        (["-o", "sheet.jpg"], "a gallery ends in .png"),
        (["--across", "channels", "--layer", "mixed3"], "mixed3"),
    ],
)
def test_what_makes_no_sense_is_said(
    cli: Cli, shelf: Path, arguments: list[str], complaint: str
) -> None:
    made = cli("gallery", shelf / "photo.png", *arguments)
    assert made.code == 2 and complaint in made.err and made.err.count("\n") == 1


def test_a_look_is_told_in_options_and_made_again_from_them() -> None:
    look = make_look(["towers"], {"dream": {"steps": 7}, "coherence": {"coherence": 0.5}})
    found = dict(list_options(look))
    assert found["--steps"] == "7" and found["--coherence"] == "0.5"
    assert list_options(Look()) == []
    assert derive_look(look, {"dream": {"steps": 9}}).dream.steps == 9


def test_a_preview_is_small_short_and_tells_of_the_whole(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    film = tmp_path / "look.mp4"
    made = cli("preview", shelf / "clip.mp4", "--seconds", "0.2", "-o", film, *QUICK)
    assert made.code == 0, made.err
    first, last = made.out.splitlines()
    info = probe(film)
    assert first == f"{film}: {info.frames} frames" and info.rate == 12
    assert (info.width, info.height) == (64, 48) and info.duration < Fraction(27, 100)
    assert last.startswith("the whole clip: 8 frames, about ")


def test_a_preview_lies_within_the_clip(shelf: Path) -> None:
    info = probe(shelf / "clip.mp4")
    assert extract_excerpt(info, None, Fraction(1, 10)) == (
        info.duration / 3,
        info.duration / 3 + Fraction(1, 10),
    )
    begin, end = extract_excerpt(info, None, Fraction(9))
    assert begin == 0 and end >= info.duration
    assert extract_excerpt(info, Fraction(1, 5), Fraction(1)) == (Fraction(1, 5), Fraction(6, 5))
