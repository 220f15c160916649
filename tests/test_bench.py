"""The benchmark: honest arithmetic, workers that answer, the same step in every program."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import Cli

from dreamvideo.bench import report, run
from dreamvideo.bench.machine import describe, has_onednn_by_default
from dreamvideo.bench.plan import PROGRAMS, Plan, make_full_plan, make_quick_plan
from dreamvideo.bench.steps import interleave
from dreamvideo.bench.worker import Worker, WorkerError

HEIGHT, WIDTH = 96, 128
Report = dict[str, Any]
TORCH = {"torch-eager", "torch-folded"}


@pytest.fixture(scope="module")
def measured() -> Report:
    """One round of a tiny size: ours, the reference, and PyTorch where it is installed."""
    plan = Plan(
        sections=("steps",),
        networks=("efficientnet-lite0",),
        sizes=((HEIGHT, WIDTH),),
        threads=(1,),
        rounds=1,
        batch_seconds=0.01,
        programs=("ours", "ours-bfloat16", "reference", *sorted(TORCH)),
    )
    found = run.run(plan, lambda _: None)
    loaded: Report = json.loads(json.dumps(found))
    return loaded


def test_the_report_says_what_was_measured_on_what(measured: Report) -> None:
    assert measured["schema"] == run.SCHEMA
    assert measured["machine"]["cores"] >= 1 and measured["machine"]["processor"]
    assert {"tensorflow", "keras", "dreamvideo"} <= set(measured["versions"])
    (found,) = measured["steps"]
    assert (found["height"], found["width"], found["threads"]) == (HEIGHT, WIDTH, 1)
    for timing in found["timings"].values():
        (milliseconds,) = timing["milliseconds"]
        assert milliseconds > 0
        assert timing["memory"] >= 0


def test_every_program_takes_the_same_step(measured: Report) -> None:
    (found,) = measured["steps"]
    expected = {"ours", "ours-bfloat16", "reference"} | (TORCH if find_spec("torch") else set())
    assert set(found["timings"]) == expected
    # Less than this is a cosine of more than 0.999.
    assert all(timing["difference"] < 0.04 for timing in found["timings"].values())
    assert found["timings"]["ours"]["difference"] == 0


@pytest.mark.integration
@pytest.mark.skipif(find_spec("torch") is None, reason="the extra bench is not installed")
def test_inception_v3_is_the_same_network_in_pytorch(tmp_path: Path) -> None:
    with Worker("reference") as reference, Worker("pytorch", {"OMP_NUM_THREADS": "1"}) as torch:
        network: dict[str, Any] = {"network": "inception-v3"}
        reference.ask("export", archive="", folder=str(tmp_path), **network)
        results = []
        for worker, variant in ((reference, ""), (torch, "eager"), (torch, "folded")):
            worker.ask("load", variant=variant, folder=str(tmp_path), **network)
            path = tmp_path / "step.npy"
            worker.ask("step", height=HEIGHT, width=WIDTH, output=str(path))
            results.append(np.load(path))
    for result in results[1:]:
        assert np.abs(result - results[0]).max() < 1e-3


@pytest.mark.integration
def test_googlenet_is_the_same_network_in_pytorch() -> None:
    plan = Plan(
        sections=("steps",),
        networks=("googlenet",),
        sizes=((HEIGHT, WIDTH),),
        threads=(1,),
        rounds=1,
        batch_seconds=0.01,
        programs=("ours", "reference", *sorted(TORCH)),
    )
    (found,) = run.run(plan, lambda _: None)["steps"]
    # Keras, the reference's, has no such network.
    assert set(found["timings"]) == {"ours"} | (TORCH if find_spec("torch") else set())
    # Less than this is a cosine of more than 0.999: by rounding, a pool may choose otherwise.
    assert all(timing["difference"] < 0.04 for timing in found["timings"].values())
    folded = [timing for name, timing in found["timings"].items() if name.endswith("-folded")]
    assert all(timing["difference"] < 1e-3 for timing in folded)


def test_without_torch_it_says_so(measured: Report) -> None:
    said = any("torch is not installed" in note for note in measured["notes"])
    assert said == (find_spec("torch") is None)


def test_a_report_can_be_shown_again(measured: Report, tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(measured))
    shown = cli("bench", "--from", file)
    assert (shown.code, shown.err) == (0, "")
    assert "TensorFlow's recipe" in shown.out
    assert json.loads(cli("bench", "--from", file, "--json").out) == measured
    lines = cli("bench", "--from", file, "--markdown").out.splitlines()
    assert any(line.startswith("| TensorFlow's recipe |") for line in lines)
    file.write_text("[1, 2]")
    assert cli("bench", "--from", file).code == 1
    assert cli("bench", "--from", tmp_path / "none.json").code == 1


def test_a_section_that_fails_is_told_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise WorkerError("ended with code -9")

    monkeypatch.setattr(run, "measure_film", fails)
    monkeypatch.setattr(run, "measure_processes", lambda *_: {"fine": True})
    found = run.run(Plan(sections=("film", "cores"), torch="python"), lambda _: None)
    assert found["cores"] == {"fine": True}
    assert "film" not in found
    assert any("film is incomplete: ended with code -9" in note for note in found["notes"])


@pytest.mark.integration
def test_a_program_that_fails_is_told_and_leaves_the_others(tmp_path: Path) -> None:
    plan = Plan(
        sections=("steps",),
        networks=("efficientnet-lite0",),
        sizes=((HEIGHT, WIDTH),),
        threads=(1,),
        programs=("ours", "torch-eager"),
        rounds=1,
        batch_seconds=0.01,
        torch=str(tmp_path / "none"),
    )
    found = run.run(plan, lambda _: None)
    assert set(found["steps"][0]["timings"]) == {"ours"}
    assert any("PyTorch, eager is left out" in note for note in found["notes"])
    assert [row[1] for row in report.make_step_table(found["steps"][0]).rows] == ["1"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--size", "640"],
        ["--size", "64x64"],
        ["--torch-python", "no/such/python"],
        ["--clip", "no/such/clip.mp4"],
        ["--only", "everything"],
        ["--only", "farm"],
        ["--threads", "0"],
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(cli: Cli, wrong: list[str]) -> None:
    ended = cli("bench", *wrong)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1


positive = st.floats(0.01, 1000)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=9))
def test_ratios_are_of_medians_and_spread_round_by_round(pairs: list[tuple[float, float]]) -> None:
    above, below = zip(*pairs, strict=True)
    found = report.make_ratio(above, below)
    assert math.isclose(found.median, float(np.median(above) / np.median(below)))
    quotients = [a / b for a, b in pairs]
    slack = 1e-9 * max(quotients)
    assert min(quotients) - slack <= found.low <= found.high <= max(quotients) + slack
    doubled = report.make_ratio([2 * a for a in above], below)
    assert math.isclose(doubled.median, 2 * found.median)


def test_rounds_alternate_and_none_is_always_first() -> None:
    turns = list(interleave(["a", "b", "c"], 4))
    rounds = [turns[n : n + 3] for n in range(0, 12, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert {each[0] for each in rounds} == {"a", "b", "c"}


def test_a_worker_answers_refuses_and_is_gone_with_its_block() -> None:
    with Worker("reference") as worker:
        assert worker.ask("memory") >= 0
        with pytest.raises(WorkerError, match="KeyError"):
            worker.ask("nonsense")
        assert worker.ask("memory") >= 0
        process = worker.process
    assert process.poll() is not None


def test_a_worker_that_cannot_start_says_why() -> None:
    with Worker("no_such_module") as worker, pytest.raises(WorkerError) as caught:
        worker.ask("load")
    assert "no_such_module" in str(caught.value)
    with pytest.raises(WorkerError, match="does not start"):
        Worker("reference", python="/no/such/python")


def test_a_worker_sees_the_environment_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho oneDNN ${TF_ENABLE_ONEDNN_OPTS-unset} >&2\nexit 3\n")
    program.chmod(0o755)
    given: list[tuple[dict[str, str | None], str]] = [
        ({}, "1"),
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0"),
        ({"TF_ENABLE_ONEDNN_OPTS": None}, "unset"),
    ]
    for changes, seen in given:
        said = pytest.raises(WorkerError, match=f"code 3: oneDNN {seen}")
        with Worker("ours", changes, str(program)) as worker, said:
            worker.receive()


def test_only_a_full_plan_compiles_and_times_every_size() -> None:
    plan, everything = Plan(), make_full_plan()
    assert plan.sizes == ((360, 640),) and len(everything.sizes) == 3
    assert "torch-compiled" not in plan.programs and set(everything.programs) == set(PROGRAMS)
    assert everything.rounds > plan.rounds
    assert Plan(sizes=((96, 128),)).sizes == ((96, 128),)


def test_quick_is_one_network_and_what_is_asked_for_wins() -> None:
    assert len(make_quick_plan().networks) == 1
    assert make_quick_plan(sizes=((225, 375),)).sizes == ((225, 375),)


def test_the_machine_tells_what_tensorflow_goes_by() -> None:
    found = describe()
    assert isinstance(found["flags"], list)
    assert has_onednn_by_default({"flags": ["avx2", "avx512_vnni"]})
    assert not has_onednn_by_default({"flags": ["avx2", "fma"]})


def test_times_are_multiples_of_ours() -> None:
    timings = {"ours": timing(10.0), "torch-eager": timing(30.0), "torch-folded": timing(20.0)}
    found = {"network": "n", "threads": 1, "height": 2, "width": 3, "timings": timings}
    shown = {row[0]: row[1].split()[0] for row in report.make_step_table(found).rows}
    assert shown["PyTorch, eager"] == "3.00"
    assert shown["PyTorch, norms folded, channels last"] == "2.00"
    assert shown["dreamvideo"] == "1"


def test_a_film_with_another_step_is_computed_from_the_share_of_the_dream() -> None:
    timings = {"ours": timing(10.0), "torch-eager": timing(40.0), "torch-folded": timing(20.0)}
    size = {"height": 2, "width": 3}
    steps = {"network": "efficientnet-lite0", "threads": 4, "timings": timings, **size}
    film = {
        **size,
        "first frame": 5.0,
        "frames per minute": 60.0,
        "seconds per frame": {"coherent": [1.0], "independent": [4.0]},
        "memory": 1e9,
        "memory by frames": [[10, 1e9], [300, 1.1e9]],
        "stages": {"dream": 0.5, "flow": 0.25},
    }
    found = {"film": film, "steps": [steps], "machine": {"cores": 4}}
    rows = {row[0]: row[1] for row in report.list_film_rows(found)}
    assert rows["coherent frame / independent frame"].startswith("0.25 ")
    assert rows["the film with PyTorch's fastest step / ours (computed)"] == "1.50"
    assert rows["peak memory of 300 small frames / of 10"] == "1.10"


def timing(milliseconds: float) -> dict[str, Any]:
    return {"milliseconds": [milliseconds], "memory": 0, "difference": 0.0}
