"""``dreamvideo measure`` from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny import Cli

BUNNY = Path(__file__).parents[1] / "samples" / "bunny.mp4"
RANGE = ("--start", "1", "--end", "1.2")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


def render(cli: Cli, out: Path, *options: str) -> Path:
    if not out.exists():
        cheap = ("--size", "160", "--octaves", "2", "--steps", "4", "--workers", "1")
        done = cli("video", BUNNY, "-o", out, *RANGE, *cheap, *options)
        assert done.code == 0, done.err
    return out


@pytest.mark.integration
def test_a_film_of_frames_dreamt_alone_is_what_they_are(cli: Cli, films: Path) -> None:
    alone = render(cli, films / "alone.mp4", "--coherence", "0", "--quality", "1")
    asked = ("--against", "independent", "--pairs", "4", "--json")
    done = cli("measure", alone, BUNNY, *RANGE, *asked)
    assert done.code == 0, done.err
    found = json.loads(done.out)["independent"]
    # The film is 4:2:0, and so the frames that it is compared with must be.
    assert found["contrast"] == pytest.approx(1, abs=0.03)
    assert found["strength"] == pytest.approx(1, abs=0.03)
    assert found["luma"] == pytest.approx([1] * 4, abs=0.05)
    assert found["chroma"] == pytest.approx([1] * 4, abs=0.08)
    assert found["saturation"] == pytest.approx(1, abs=0.08)
    assert found["flicker"] == pytest.approx(1, abs=0.1)
    assert found["objections"] == []
    assert len(found["frames"]) == found["pairs"] >= 3


def test_the_table_has_bands_frames_and_objections(cli: Cli, films: Path) -> None:
    grey = render(cli, films / "grey.mp4", "--coherence", "0", "--saturation", "0")
    done = cli("measure", grey, BUNNY, *RANGE, "--against", "independent", "--pairs", "2")
    assert done.code == 0, done.err
    rows = [re.split(r"\s{2,}", line, maxsplit=1) for line in done.out.splitlines()]
    names, values = [row[0] for row in rows], [row[1] for row in rows]
    for name in ("luma ratios, at 480 wide", "chroma ratios, at 480 wide"):
        assert "under 1 px" in values[names.index(name)]
    assert sum(name.startswith("frame ") for name in names) == 2
    objections = [value for name, value in zip(names, values, strict=True) if name == "objection"]
    assert any(objection.startswith("saturation added") for objection in objections)
