"""The benchmark's films at a tiny size: what is reported, not how fast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dreamvideo.bench import report, run
from dreamvideo.bench.plan import Plan
from dreamvideo.bench.synthetic_clip import make_clip, make_texture
from dreamvideo.media.read import open_source
from dreamvideo.motion.flow import motion_between

STAGES = {"decode", "flow", "dream", "warp and carry", "store", "encode"}


def test_the_synthetic_clip_pans_and_is_of_its_size(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    make_clip(clip, 128, 72, 3)
    with open_source(clip) as source:
        frames = [frame.pixels for frame in source]
    assert len(frames) == 3
    assert frames[0].shape == (72, 128, 3)
    first, second = (frame.astype(np.float32) / 127.5 - 1 for frame in frames[:2])
    moved = np.median(motion_between(second, first).flow, axis=(0, 1))
    # A frame 128 wide pans by a fifth of what one 640 wide does.
    assert moved == pytest.approx([2.2 / 5, 0], abs=0.15)


def test_textures_are_coloured_and_fill_their_range() -> None:
    picture = make_texture(40, 60, 0)
    assert picture.shape == (40, 60, 3)
    assert picture.std() > 30 and np.abs(np.diff(picture.astype(int), axis=2)).max() > 10
    assert not np.array_equal(picture, make_texture(40, 60, 1))


@pytest.mark.slow
def test_films_report_what_they_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "available_processors", lambda: 2)
    plan = Plan(sections=("cores", "film"), rounds=1, frames=6, film_size=(96, 128), long_film=20)
    found: dict[str, Any] = json.loads(json.dumps(run.run(plan, lambda _: None)))
    film = found["film"]
    assert film["frames"] == 6 and film["first frame"] > 0
    assert set(film["stages"]) == STAGES
    assert all(0 < share < 1 for share in film["stages"].values())
    assert [frames for frames, _ in film["memory by frames"]] == [10, 20]
    assert {len(paces) for paces in film["seconds per frame"].values()} == {1}
    ways = {"1 process", "2 processes", "2 processes, --precision bfloat16"}
    assert set(found["cores"]) == ways
    tables = report.make_tables(found)
    assert len(tables) == 3
    for table in tables:
        assert all(len(row) == len(table.heads) for row in table.rows)
