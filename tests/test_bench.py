"""The bench: honest arithmetic, workers that answer, the same step in every framework."""

from __future__ import annotations

import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import Cli

from dreamvideo.bench import peak, report
from dreamvideo.bench.machine import describe, has_onednn_by_default
from dreamvideo.bench.plan import Plan, full_plan, quick_plan
from dreamvideo.bench.profile import KINDS, kind_of
from dreamvideo.bench.run import SCHEMA, run
from dreamvideo.bench.stage_timer import STAGES, Clock, watched
from dreamvideo.bench.statistics import Spread, exponent, ratio
from dreamvideo.bench.steps import in_turn
from dreamvideo.bench.worker_rpc import Worker, WorkerError, lines_of

HEIGHT, WIDTH = 96, 128
PEAK = "dreamvideo.bench.peak"
Report = dict[str, Any]


TORCH = ("torch-eager", "torch-channels-last", "torch-folded")


@pytest.fixture(scope="module")
def measured() -> Report:
    """One round of one tiny cell: ours beside the reference, and torch's forms where there."""
    plan = Plan(
        sections=("steps",),
        networks=("efficientnet-lite0",),
        sizes=((HEIGHT, WIDTH),),
        threads=(1,),
        rounds=1,
        batch_seconds=0.01,
        forms=("ours", "ours-bfloat16", "reference", *TORCH),
    )
    found = run(plan, lambda _: None)
    loaded: Report = json.loads(json.dumps(found))
    return loaded


def test_the_report_says_what_was_measured_on_what(measured: Report) -> None:
    assert measured["schema"] == SCHEMA
    assert measured["machine"]["cores"] >= 1 and measured["machine"]["processor"]
    assert {"tensorflow", "keras", "dreamvideo"} <= set(measured["steps"]["versions"])
    (cell,) = measured["steps"]["cells"]
    assert (cell["height"], cell["width"], cell["threads"]) == (HEIGHT, WIDTH, 1)
    for form in cell["forms"].values():
        assert 0 < form["low"] <= form["median"] <= form["high"]
        assert len(form["rounds"]) == 1
        assert form["memory"] >= 0
    assert measured["steps"]["peak"]["flops"] >= 1e8


def test_every_framework_takes_the_same_step(measured: Report) -> None:
    others = {"ours-bfloat16", "reference"}
    if find_spec("torch"):
        others |= set(TORCH)
    seen = measured["steps"]["agreement"]
    assert {each["form"] for each in seen} == others
    for each in seen:
        assert each["cosine"] > 0.999
        assert each["distance"] < 0.05


def test_a_step_goes_into_its_convolutions_above_all(measured: Report) -> None:
    found = measured["steps"]["profile"]
    assert [each["form"] for each in found] == ["ours", "reference"]
    for each in found:
        spent = each["milliseconds"]
        assert min(spent.values()) >= 0
        assert max(spent, key=spent.__getitem__).startswith("convolutions")
    (table,) = [each for each in report.tables(measured) if "goes" in each.title]
    assert len(table.heads) == 3 and len(table.rows) == len(KINDS)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("_MklNativeFusedConv2D", "convolutions and what is fused into them"),
        ("_MklDepthwiseConv2dNativeBackpropInput", "convolutions and what is fused into them"),
        ("Relu6Grad", "gradients of ReLUs"),
        ("_MklNativeMaxPoolGrad", "pooling"),
        ("AddV2", "arithmetic, norms included"),
        ("StridedSliceGrad", "the rest"),
    ],
)
def test_operations_are_told_apart(operation: str, kind: str) -> None:
    assert kind_of(operation) == kind


def test_without_torch_it_says_so(measured: Report) -> None:
    said = any("torch is not installed" in note for note in measured["notes"])
    assert said == (find_spec("torch") is None)


def test_the_work_of_a_step_is_that_of_its_convolutions(measured: Report) -> None:
    # The bundled network up to block 11, multiply-adds by hand: (out pixels, kernel, in, out).
    (found,) = measured["flops"]
    half, quarter, eighth, sixteenth = ((HEIGHT >> n) * (WIDTH >> n) for n in (1, 2, 3, 4))
    stem = half * 9 * 3 * 32
    block0 = half * (9 * 32 + 32 * 16)
    block1 = half * 16 * 96 + quarter * (9 * 96 + 96 * 24)
    block2 = quarter * (24 * 144 + 9 * 144 + 144 * 24)
    block3 = quarter * 24 * 144 + eighth * (25 * 144 + 144 * 40)
    block4 = eighth * (40 * 240 + 25 * 240 + 240 * 40)
    block5 = eighth * 40 * 240 + sixteenth * (9 * 240 + 240 * 80)
    same = sixteenth * 2 * (80 * 480 + 9 * 480 + 480 * 80)
    block8 = sixteenth * (80 * 480 + 25 * 480 + 480 * 112)
    longer = sixteenth * 2 * (112 * 672 + 25 * 672 + 672 * 112)
    block11 = sixteenth * 112 * 672
    total = stem + block0 + block1 + block2 + block3 + block4 + block5 + same + block8 + longer
    assert found["flops"] == 4 * (total + block11)


def test_a_report_can_be_shown_again(measured: Report, tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(measured))
    shown = cli("bench", "--from", file)
    assert (shown.code, shown.err) == (0, "")
    assert "TensorFlow's defaults" in shown.out
    assert json.loads(cli("bench", "--from", file, "--json").out) == measured
    lines = cli("bench", "--from", file, "--markdown").out.splitlines()
    assert any(line.startswith("| reference, TensorFlow's defaults |") for line in lines)
    file.write_text("[1, 2]")
    assert cli("bench", "--from", file).code == 1
    assert cli("bench", "--from", tmp_path / "none.json").code == 1


def test_a_section_that_fails_is_told_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise WorkerError("ended with code -9")

    monkeypatch.setattr("dreamvideo.bench.film.measure", fails)
    monkeypatch.setattr("dreamvideo.bench.growth.measure", lambda *_: {"fine": True})
    found = run(Plan(sections=("film", "growth"), networks=(), torch="python"), lambda _: None)
    assert found["growth"] == {"fine": True}
    assert "film" not in found
    assert any("film is left out: ended with code -9" in note for note in found["notes"])


@pytest.mark.parametrize(
    "wrong",
    [
        ["--size", "640"],
        ["--size", "64x64"],
        ["--torch-python", "no/such/python"],
        ["--clip", "no/such/clip.mp4"],
        ["--only", "everything"],
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
    found = ratio(above, below)
    assert math.isclose(found.median, Spread.of(above).median / Spread.of(below).median)
    quotients = [a / b for a, b in pairs]
    slack = 1e-9 * max(quotients)
    assert min(quotients) - slack <= found.low <= found.high <= max(quotients) + slack
    doubled = ratio([2 * a for a in above], below)
    assert math.isclose(doubled.median, 2 * found.median)


@given(st.floats(-2, 3), st.floats(0.1, 10))
def test_the_exponent_of_a_power_is_found(power: float, factor: float) -> None:
    sizes = [1.0, 2.0, 5.0, 11.0]
    assert exponent(sizes, [factor * n**power for n in sizes]) == pytest.approx(power, abs=1e-6)


def test_rounds_alternate_and_none_is_always_first() -> None:
    turns = list(in_turn(["a", "b", "c"], 4))
    rounds = [turns[n : n + 3] for n in range(0, 12, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert {each[0] for each in rounds} == {"a", "b", "c"}


def test_a_worker_answers_refuses_and_is_gone_with_its_block() -> None:
    with Worker(PEAK, {"OPENBLAS_NUM_THREADS": "1"}) as worker:
        assert worker.ask("product") > 1e8
        with pytest.raises(WorkerError, match="KeyError"):
            worker.ask("nonsense")
        assert worker.ask("product") > 1e8
        process = worker._process
    assert process.poll() is not None


def test_a_worker_that_cannot_start_says_why() -> None:
    with Worker("dreamvideo.bench.no_such_module") as worker, pytest.raises(WorkerError) as caught:
        worker.ask("load")
    assert "no_such_module" in str(caught.value)
    with pytest.raises(WorkerError, match="does not start"):
        Worker(PEAK, python="/no/such/python")


def test_a_worker_that_takes_too_long_is_ended() -> None:
    with Worker(PEAK) as worker:
        with pytest.raises(WorkerError, match="more than"):
            worker.ask("product", limit=0.01)
        with pytest.raises(WorkerError):
            worker.ask("product")
    with Worker(PEAK) as worker:
        assert worker.ask("product", limit=60) > 1e8


def test_a_worker_sees_the_environment_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    show = "import os; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'unset'))"
    assert list(lines_of([sys.executable, "-c", show])) == ["1"]
    with pytest.raises(WorkerError, match="code 3"):
        list(lines_of([sys.executable, "-c", "raise SystemExit(3)"]))


def test_the_peak_is_that_of_the_loop_where_it_can_be_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    assert peak.loop_rate() is None
    assert peak.product_rate() > 1e8


def test_every_stage_of_a_render_is_found_and_let_go_again() -> None:
    from dreamvideo.render.frames import carry
    from dreamvideo.render.job import segment_store

    before = carry.propagate, segment_store.write_atomically
    with watched() as clock:
        assert set(clock.seconds) == set(STAGES)
        assert carry.propagate is not before[0] and segment_store.write_atomically is not before[1]
    assert (carry.propagate, segment_store.write_atomically) == before


def test_a_stage_counts_its_own_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("dreamvideo.bench.stage_timer.time.perf_counter", lambda: now[0])
    clock = Clock()

    def flow() -> int:
        now[0] += 2
        return 5

    def carry() -> int:
        now[0] += 1
        found: int = clock.watching("flow", flow)()
        return found + 1

    assert clock.watching("warp and carry", carry)() == 6
    assert (clock.seconds["warp and carry"], clock.seconds["flow"]) == (1, 2)


def test_only_a_full_plan_times_everything_with_everything() -> None:
    plan, everything = Plan(threads=(1, 2)), full_plan(threads=(1, 2))
    assert plan.sizes_with(1) == everything.sizes_with(2) == plan.sizes
    assert plan.sizes_with(2) == ((360, 640),)
    assert [plan.compiles(size) for size in plan.sizes] == [False, True, False]
    assert all(everything.compiles(size) for size in plan.sizes)
    assert Plan(sizes=((96, 128),)).compiles((96, 128))


def test_quick_is_one_size_and_what_is_asked_for_wins() -> None:
    assert len(quick_plan().sizes) == 1
    assert quick_plan(sizes=((225, 375),)).sizes == ((225, 375),)


def test_the_machine_tells_what_tensorflow_goes_by() -> None:
    found = describe()
    assert isinstance(found["flags"], list)
    assert has_onednn_by_default({"flags": ["avx2", "avx512_vnni"]})
    assert not has_onednn_by_default({"flags": ["avx2", "fma"]})


def test_the_best_of_torch_is_set_beside_ours() -> None:
    forms = {
        "ours": timing(10.0),
        "torch-eager": timing(30.0),
        "torch-folded": timing(20.0),
        "torch-compiled": timing(15.0),
    }
    cell = {"network": "n", "threads": 1, "height": 2, "width": 3, "forms": forms}
    found = report.step_ratios({"steps": {"cells": [cell]}})[0]
    shown = {name: text.split()[0] for name, text in found.rows}
    assert shown["PyTorch eager"] == "3.00"
    assert shown["best PyTorch form"] == shown["PyTorch torch.compile"] == "1.50"


def timing(milliseconds: float) -> dict[str, Any]:
    return {"median": milliseconds, "rounds": [milliseconds], "memory": 0}
