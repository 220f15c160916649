"""The curve of time against quality, and what a user of a GPU should send in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny import Cli

from dreamvideo.bench import curve, gpu, report, run
from dreamvideo.bench.curve import BEST, DEFAULTS, POINTS, measure_curve
from dreamvideo.bench.gpu import add_gpu_programs, describe_gpus, find_driver
from dreamvideo.bench.plan import GPU_PROGRAMS, Plan, make_full_plan
from dreamvideo.bench.worker import WorkerError
from dreamvideo.settings import make_look

QUALITY = {
    "frames": 4,
    "x": 0.05,
    "contrast": 0.9,
    "luma": [0.5, 0.75, 1.0, 1.0],
    "chroma": [0.5, None, 1.0, 1.0],
}
GPUS = {"names": ["Card 9 (compute capability 8.9)"], "built for": {"CUDA": "12.5"}}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Films that take no time: each point is as long as its place, and as sharp as 8 less that."""
    asked: list[dict[str, Any]] = []

    @contextmanager
    def open_renderer(plan: Plan, *, frames: int) -> Iterator[Any]:
        def render(frames: int, **options: Any) -> dict[str, Any]:
            asked.append({"size": plan.film_size, "frames": frames, **options})
            kinds = [{n: v for n, v in options.items() if n in ("fast", "overrides")}]
            place = 5 - [dict(point) for point in POINTS.values()].index(kinds[0])
            times = [9.0 + place * n for n in range(frames)]
            settled = {"dream size": [64, 36], "precision": "float32"}
            judged = {"quality": {**QUALITY, "sharpness": place + 3.0}} if "op" in options else {}
            return {"times": times, "settled": settled, **judged}

        yield render

    monkeypatch.setattr(curve, "open_renderer", open_renderer)
    return asked


def test_points_alternate_and_each_is_judged_once(made: list[dict[str, Any]]) -> None:
    plan = Plan(rounds=4, curve_size=(36, 64), curve_frames=4)
    found = json.loads(json.dumps(measure_curve(plan, lambda _: None)))
    assert len(made) == 2 * len(POINTS)
    assert {(each["size"], each["frames"], each["precision"]) for each in made} == {
        ((36, 64), 4, "auto")
    }
    assert [("op" in each) for each in made] == [True] * 5 + [False] * 5
    # The second round starts with another point.
    assert made[5].get("overrides") is None and "fast" not in made[5]
    assert (found["height"], found["width"], found["frames"]) == (36, 64, 4)
    points = found["points"]
    assert [point["options"] for point in points] == list(POINTS)
    assert [point["seconds per frame"] for point in points] == [[n, n] for n in (5, 4, 3, 2, 1)]
    assert [point["sharpness"] for point in points] == [1, 0.875, 0.75, 0.625, 0.5]


def test_the_table_compares_with_the_defaults(made: list[dict[str, Any]]) -> None:
    found = {"curve": measure_curve(Plan(rounds=4), lambda _: None)}
    table = report.make_curve_table(found["curve"])
    assert all(len(row) == len(table.heads) for row in table.rows)
    rows = {row[0]: dict(zip(table.heads, row, strict=True)) for row in table.rows}
    assert rows[DEFAULTS]["time / defaults"] == "1"
    assert rows[BEST]["time / defaults"] == "1.25 (1.25-1.25)"
    fast = rows["--fast"]
    assert (fast["time a frame"], fast["X"], fast["sharpness"]) == ("1 s", "0.05", "0.50")
    assert (fast["luma"], fast["chroma"]) == ("0.50 0.75 1.00 1.00", "0.50 - 1.00 1.00")


def test_each_point_gives_up_more_than_the_one_before() -> None:
    looks = [
        make_look((), dict(each.get("overrides", {})), fast="fast" in each)
        for each in POINTS.values()
    ]
    sizes = [look.dream.dream_size for look in looks]
    assert sizes == ["full", "auto", "auto", "auto", "small"]
    assert [look.coherence.carried_steps for look in looks] == [None, None, 1, 1, 1]
    assert [look.coherence.flow_width for look in looks] == [576, 576, 576, 320, 320]
    assert [look.coherence.cadence for look in looks] == [1, 1, 1, 1, 2]


@pytest.mark.integration
def test_real_films_are_judged(tmp_path: Path) -> None:
    plan = Plan(sections=("curve",), rounds=2, curve_size=(96, 128), curve_frames=4)
    found = json.loads(json.dumps(run.run(plan, lambda _: None)))
    assert found["curve"]["frames"] == 4
    points = {point["options"]: point for point in found["curve"]["points"]}
    for point in points.values():
        assert point["dream size"] == [128, 96] and point["precision"] == "float32"
        assert len(point["seconds per frame"]) == 1 and point["seconds per frame"][0] > 0
        assert all(0.2 < ratio < 3 for ratio in (*point["luma"], *point["chroma"]))
        assert 0.3 < point["contrast"] < 1.7 and point["x"] < 1
    assert points[BEST]["sharpness"] == 1
    # So small a film is dreamt, and its flow estimated, at its own size either way.
    assert points[DEFAULTS]["luma"] == points[BEST]["luma"]
    sparing = "--carried-steps 1"
    assert points[sparing]["luma"] == points[f"{sparing} --flow-width 320"]["luma"]


def make_report(**more: Any) -> dict[str, Any]:
    machine = {"system": "Linux 6", "processor": "CPU", "cores": 4, "flags": [], "environment": {}}
    timings: dict[str, Any] = {
        "ours": {"milliseconds": [4.0]},
        "ours-cpu": {"milliseconds": [90.0]},
    }
    for timing in timings.values():
        timing |= {"memory": 1e9, "difference": 0.0}
    step = {"network": "n", "height": 36, "width": 64, "threads": 4, "timings": timings}
    return {
        "schema": run.SCHEMA,
        "dreamvideo": "9.9",
        "machine": {**machine, "memory": 0, "load": 0},
        "versions": {"tensorflow": "2.99"},
        "steps": [step],
        "notes": [],
        **more,
    }


def test_what_to_send_in_can_be_copied(cli: Cli, tmp_path: Path) -> None:
    lines = [
        "dreamvideo 9.9 on Linux 6, CPU, 4 cores",
        "GPU: Card 9 (compute capability 8.9); driver 560.35.03",
        "tensorflow 2.99; TensorFlow is built for CUDA 12.5",
        "step of n at 64x36, 4 threads: 4 ms; relative to it: dreamvideo --device cpu 22.50",
    ]
    found = make_report(gpus={**GPUS, "driver": "560.35.03"})
    assert gpu.list_lines(found) == lines
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(found))
    said = cli("bench", "--from", file).out
    assert gpu.HEADING in said and "\n".join(lines) in said
    assert "\n".join(["```", *lines, "```"]) in cli("bench", "--from", file, "--markdown").out
    file.write_text(json.dumps(make_report()))
    assert gpu.HEADING not in cli("bench", "--from", file).out


def test_with_a_gpu_the_step_is_also_timed_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(run, "describe_gpus", lambda: {**GPUS, "driver": None})
    monkeypatch.setitem(run.SECTIONS, "steps", lambda found, plan, log: plans.append(plan))
    found = run.run(Plan(sections=("steps",), describe_gpu=True), lambda _: None)
    assert found["gpus"]["names"] == GPUS["names"]
    assert set(GPU_PROGRAMS) < set(plans[0].programs)
    assert add_gpu_programs(plans[0]) == plans[0]
    assert "gpus" not in run.run(Plan(sections=(), describe_gpu=False), lambda _: None)
    assert not set(GPU_PROGRAMS) & {*Plan().programs, *make_full_plan().programs}


def test_a_gpu_that_cannot_be_described_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise WorkerError("ended with code -9")

    monkeypatch.setattr(run, "describe_gpus", fail)
    found = run.run(Plan(sections=(), describe_gpu=True), lambda _: None)
    assert "the GPU is not described: ended with code -9" in found["notes"]
    assert "gpus" not in found


def test_versions_of_drivers(tmp_path: Path) -> None:
    nvidia, amd = tmp_path / "nvidia", tmp_path / "amd"
    assert find_driver((nvidia, amd)) is None
    amd.write_text("6.7.0\n")
    assert find_driver((nvidia, amd)) == "6.7.0"
    nvidia.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n")
    assert find_driver((nvidia, amd)) == "535.104.05"


@pytest.mark.integration
def test_tensorflow_is_asked_for_gpus() -> None:
    found = describe_gpus()
    assert set(found) == {"names", "built for", "driver"}
    assert isinstance(found["names"], list)
