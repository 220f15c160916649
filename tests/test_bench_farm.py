"""What a film on many workers takes: the model, and a real film beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.bench import report
from dreamvideo.bench.farm import TWO_HOURS, WORKERS, farm, pace_of
from dreamvideo.bench.farm_model import LINE, StageCosts, simulate_timeline
from dreamvideo.bench.plan import Plan
from dreamvideo.bench.run import run
from dreamvideo.render.job.segments import Segment, divide_shots
from dreamvideo.render.planning.worker_count import longest_queue

PACE = StageCosts(
    dream=6.0,
    fresh=20.0,
    start=8.0,
    open=0.5,
    scan=0.02,
    join=0.3,
    encode=0.06,
    begin=2.0,
    size=6e6,
)
PARTS = divide_shots(range(100, 3000, 100), 3000, 60, 24)
TIMES = st.lists(st.floats(0.1, 100), min_size=1, max_size=40)


def test_the_whole_is_the_sum_of_its_stages() -> None:
    frames, ahead = 3000, 30 * 24
    alone = simulate_timeline(PACE, PARTS, 1)
    assert alone.dream == pytest.approx(60 * 20.5 + 6 * (frames + ahead))
    assert alone.scan == pytest.approx(60) and alone.encode == pytest.approx(180)
    assert alone.join == pytest.approx(0.3 * ahead)
    assert alone.again == pytest.approx(ahead / (frames + ahead))
    assert alone.seconds == pytest.approx(
        2 + 8 + alone.scan + alone.dream + alone.join + alone.encode
    )
    assert alone.ship == 0 and alone.idle == pytest.approx(0)
    assert alone.bottleneck == "dream"


@given(st.integers(1, 200), st.integers(1, 200))
def test_more_workers_take_no_longer_and_no_less_than_their_share(few: int, more: int) -> None:
    few, more = sorted((few, more))
    one, other = simulate_timeline(PACE, PARTS, few), simulate_timeline(PACE, PARTS, more)
    assert other.dream <= one.dream
    assert other.dream >= simulate_timeline(PACE, PARTS, 1).dream / more - 1e-6
    assert other.scan == one.scan and other.encode == one.encode
    assert 0 <= other.idle < 1


@given(TIMES, st.integers(1, 50))
def test_a_queue_is_no_shorter_than_an_even_share_or_the_longest_piece(
    costs: list[float], count: int
) -> None:
    longest = longest_queue(costs, count)
    assert longest >= max(*costs, sum(costs) / count) - 1e-6
    assert longest <= sum(costs) / count + max(costs) + 1e-6


def test_a_narrow_line_holds_up_many_workers_and_none_alone() -> None:
    shipped = (3000 + 2 * 30 * 24) * 6e6 / LINE
    many = simulate_timeline(PACE, PARTS, 1000, line=LINE)
    assert many.ship == pytest.approx(shipped)
    assert many.stages["dream"] == max(many.dream, many.ship)
    slow = simulate_timeline(PACE, PARTS, 1000, line=LINE / 100)
    assert slow.bottleneck == "ship" and slow.seconds > 10 * many.seconds
    assert simulate_timeline(PACE, PARTS, 1, line=LINE).bottleneck == "dream"


def test_work_grows_with_the_pixels_and_beginnings_do_not() -> None:
    larger = PACE.scaled(9)
    assert (larger.dream, larger.size) == (54, 54e6)
    assert (larger.start, larger.begin, larger.open) == (8, 2, 0.5)


def test_what_holds_up_a_thousand_is_not_what_holds_up_one() -> None:
    rows = farm(PACE)
    assert [row["workers"] for row in rows] == 2 * list(WORKERS)
    for one, _, many in (rows[:3], rows[3:]):
        assert one["bottleneck"] == "dream" and many["bottleneck"] != "dream"
        assert one["hours"] > TWO_HOURS * 6 / 3600 > 30 * many["hours"]
        assert one["encode"] == many["encode"]
    # Whole shots are dreamt once; parts of one are joined.
    assert rows[0]["again"] == 0 < rows[3]["again"]
    assert rows[0]["join"] == 0 < rows[3]["join"]


def test_paces_are_read_off_a_render() -> None:
    """Of one that goes by the clock: 5 s of start, 2 s a frame, 3 more for a fresh one."""
    length, now, times = 6, 5.0, []
    for number in range(2 * length):
        now += 5.0 if number % length == 0 else 2.0
        times.append(now)
    encoding = [now + 0.5 + 0.25 * n for n in range(2 * length)]
    made = {
        "frames": 2 * length,
        "times": times,
        "marks": {"dreaming": times, "encoding": encoding},
        "seconds": encoding[-1] + 1.0,
        "size": 12_000,
    }
    pace = pace_of(made, length, 1, None)
    assert (pace.dream, pace.fresh, pace.start) == pytest.approx((2, 3, 5))
    assert (pace.encode, pace.size) == pytest.approx((0.25, 1000))
    model = simulate_timeline(
        pace, (Segment(index=0, count=6), Segment(index=1, first=6, count=6)), 1
    )
    assert model.seconds == pytest.approx(made["seconds"])


@pytest.mark.slow
def test_a_real_film_takes_about_what_was_foreseen() -> None:
    plan = Plan(sections=("farm",), networks=(), film_size=(90, 160), quick=True)
    found: dict[str, Any] = json.loads(json.dumps(run(plan, lambda _: None)))
    films = found["farm"]["films"]
    assert [film["workers"] for film in films] == [1, 2]
    # Loosely: others may be at work here.
    assert all(0.3 < film["ratio"] < 3 for film in films)
    tables = report.tables(found)
    assert any("Two hours" in table.title for table in tables)
    for table in tables:
        assert all(len(row) == len(table.heads) for row in table.rows)
