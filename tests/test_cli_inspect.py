from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from media_clips import make
from tiny import QUICK, Cli

from dreamvideo.dream import models
from dreamvideo.media.probe import probe


def test_info_tells_what_is_in_a_clip(cli: Cli, shelf: Path) -> None:
    shown = cli("info", shelf / "clip.mp4", "--no-estimate")
    assert (shown.code, shown.err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines() if "pixel" not in line)
    assert rows["width"] == "64" and rows["height"] == "48"
    assert rows["rate"] == "25" and rows["frames"] == "8" and rows["duration"] == "0.32"
    assert rows["sound"] == "aac 44100 Hz mono"
    assert "render" not in rows


def test_info_estimates_the_render(cli: Cli, shelf: Path) -> None:
    shown = cli("info", shelf / "clip.mp4", "--size", "48x32", *QUICK)
    assert shown.code == 0
    last = shown.out.splitlines()[-1]
    assert last.startswith("render") and " at 48 x 32 (" in last


def test_info_for_programs(cli: Cli, shelf: Path) -> None:
    shown = cli("info", shelf / "clip.mp4", "--json", *QUICK)
    assert (shown.code, shown.err) == (0, "")
    facts = json.loads(shown.out)
    info = probe(shelf / "clip.mp4")
    assert (facts["width"], facts["height"]) == (info.width, info.height)
    assert (facts["frames"], facts["rate"], facts["duration"]) == (8, "25", 0.32)
    assert facts["sound"] == ["aac 44100 Hz mono"]
    render = facts["render"]
    assert (render["width"], render["height"], render["frames"]) == (64, 48, 8)
    assert render["seconds"] >= 8 * (render["seconds per frame"] - 0.001) > 0
    assert render["disk bytes"] > 0


@pytest.mark.parametrize("name", ["clip.gif", "shots", "shots/%04d.png"])
def test_info_takes_what_video_takes(cli: Cli, shelf: Path, name: str) -> None:
    facts = json.loads(cli("info", shelf / name, "--json", "--no-estimate").out)
    assert (facts["width"], facts["height"], facts["frames"]) == (64, 48, 8)
    assert facts["sound"] == []
    assert facts["render"] is None


def test_info_knows_no_end_of_a_stream_without_one(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    raw = make(tmp_path / "endless.h264", "-i", str(shelf / "clip.mp4"), "-an", "-c:v", "copy")
    assert probe(raw).duration == 0
    assert json.loads(cli("info", raw, "--json").out)["render"] is None


def test_models_lists_every_network(cli: Cli) -> None:
    shown = cli("models")
    listed = {line.split()[0] for line in shown.out.splitlines()[1:]}
    assert (shown.code, shown.err) == (0, "")
    assert listed == set(models.REGISTRY)
    rows = json.loads(cli("models", "--json").out)
    assert [row["model"] for row in rows if row["weights"] == "bundled"] == [models.DEFAULT_MODEL]
    for row in rows:
        assert row["layers"] == ",".join(models.find_entry(row["model"]).default_layers)


def test_models_lists_what_can_be_dreamt_in_one(cli: Cli) -> None:
    rows = json.loads(cli("models", "efficientnet-lite0", "--json").out)
    known = models.list_layers("efficientnet-lite0")
    assert [(r["layer"], r["channels"], r["stride"]) for r in rows] == [
        (layer.name, layer.channels, layer.stride) for layer in known
    ]
    terms = models.find_entry("efficientnet-lite0").default_layers
    defaults = {term.partition(":")[0] for term in terms}
    assert {r["layer"] for r in rows if r["default"]} == defaults and len(defaults) == 5
    plain = cli("models", "efficientnet-lite0").out.splitlines()
    assert [line.split()[0] for line in plain[1:]] == [layer.name for layer in known]


def test_models_shows_what_each_layer_sees(cli: Cli, shelf: Path) -> None:
    shown = cli("models", "efficientnet-lite0", "--on", shelf / "photo.png", "--json")
    assert (shown.code, shown.err) == (0, "")
    rows = {row["layer"]: row for row in json.loads(shown.out)}
    for layer in models.list_layers("efficientnet-lite0"):
        row = rows[layer.name]
        height, width = -(-48 // layer.stride), 64 // layer.stride
        assert row["shape"] == f"{height} x {width} x {layer.channels}"
        strongest = [int(channel) for channel in row["strongest"].split()]
        assert len(set(strongest)) == 5 and max(strongest) < layer.channels
    assert rows["head"]["mean"] > 0, "a ReLU's mean"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "dreamvideo", "models", "--json"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_classes_are_found_by_name(cli: Cli) -> None:
    shown = cli("models", "--classes", "tabby")
    assert shown.code == 0
    assert re.search(r"^281 +tabby", shown.out, re.MULTILINE)
    missing = cli("models", "--classes", "no such beast")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
