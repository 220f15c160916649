"""The bench's films, all cores and growth, at a tiny size: what is reported, not how fast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dreamvideo.bench import growth, report
from dreamvideo.bench.cores import processes
from dreamvideo.bench.film_worker import make_clip, texture
from dreamvideo.bench.plan import Plan
from dreamvideo.bench.run import run
from dreamvideo.bench.stage_timer import STAGES
from dreamvideo.media.read import open_source
from dreamvideo.motion.flow import motion_between


def test_the_synthetic_clip_pans_and_is_of_its_size(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    make_clip(str(clip), 128, 72, 3)
    with open_source(clip) as source:
        frames = [frame.pixels for frame in source]
    assert len(frames) == 3
    assert frames[0].shape == (72, 128, 3)
    first, second = (frame.astype(np.float32) / 127.5 - 1 for frame in frames[:2])
    moved = np.median(motion_between(second, first).flow, axis=(0, 1))
    # A frame 128 wide pans by a fifth of what one 640 wide does.
    assert moved == pytest.approx([2.2 / 5, 0], abs=0.15)


def test_textures_are_coloured_and_fill_their_range() -> None:
    picture = texture(40, 60, 0)
    assert picture.shape == (40, 60, 3)
    assert picture.std() > 30 and np.abs(np.diff(picture.astype(int), axis=2)).max() > 10
    assert not np.array_equal(picture, texture(40, 60, 1))


@pytest.mark.slow
def test_films_cores_and_growth_report_what_they_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "PIXELS", ((64, 96), (96, 128), (128, 160)))
    monkeypatch.setattr(growth, "MIDDLE", (96, 128))
    plan = Plan(
        sections=("cores", "film", "growth"),
        networks=("efficientnet-lite0",),
        rounds=1,
        batch_seconds=0.01,
        frames=6,
        quick=True,
        film_size=(96, 128),
    )
    found: dict[str, Any] = json.loads(json.dumps(run(plan, lambda _: None)))
    film = found["film"]
    assert film["frames"] == 6 and film["first frame"]["median"] > 0
    assert set(STAGES) < set(film["stages"])
    assert all(share >= 0 for share in film["stages"].values())
    assert film["stages"]["dream"] > 0 and film["stages"]["encode"] > 0
    assert film["steps a frame"] > 1
    assert film["memory"]["frames"] == [10, 60]
    assert film["coherent / independent"]["ratio"] > 0
    assert set(found["growth"]) == {"pixels", "steps", "octaves", "frames"}
    assert len(found["growth"]["octaves"]["sizes"]) == len(found["growth"]["octaves"]["seconds"])
    (cores,) = found["cores"]["steps"]
    for form in ("ours", "ours-bfloat16"):
        assert {f"{form}, one process", f"{form}, single threads"} <= set(cores["rates"])
    many = str(processes())
    ways = {"1", many, f"{many} --precision bfloat16"}
    assert set(found["cores"]["film"]["workers"]) == ways
    for table in report.tables(found):
        assert all(len(row) == len(table.heads) for row in table.rows)
