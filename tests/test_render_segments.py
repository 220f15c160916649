from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.errors import UsageError
from dreamvideo.render import worth
from dreamvideo.render.segments import Segment, plan
from dreamvideo.settings.machine import MachineSettings

FRAMES = 500
CUTS = st.sets(st.integers(1, FRAMES - 1), max_size=30).map(sorted)


@given(CUTS, st.none() | st.integers(1, 600), st.integers(0, 50))
def test_a_plan_covers_every_frame_once_and_in_order(
    cuts: list[int], longest: int | None, warm_up: int
) -> None:
    made = plan(cuts, FRAMES, longest, warm_up)
    assert [segment.index for segment in made] == list(range(len(made)))
    numbers = [n for s in made for n in range(s.first, s.first + (s.count or 0))]
    assert numbers == list(range(FRAMES))


@given(CUTS, st.none() | st.integers(1, 600), st.integers(0, 50))
def test_a_plan_keeps_to_shots_and_warms_up_within_them(
    cuts: list[int], longest: int | None, warm_up: int
) -> None:
    made = plan(cuts, FRAMES, longest, warm_up)
    begins = {0, *cuts}
    assert begins <= {segment.first for segment in made}
    for segment in made:
        shot = max(begin for begin in begins if begin <= segment.first)
        assert segment.warm_up == min(warm_up, segment.first - shot)
        if longest is not None:
            assert segment.count is not None and segment.count <= longest


@given(CUTS)
def test_without_a_length_shots_are_whole(cuts: list[int]) -> None:
    made = plan(cuts, FRAMES)
    assert [segment.count for segment in made] == [b - a for a, b in pairwise([0, *cuts, FRAMES])]
    assert not any(segment.warm_up for segment in made)


def test_a_long_shot_is_divided_evenly() -> None:
    assert plan([100], 110, 40, 12) == (
        Segment(index=0, first=0, count=33),
        Segment(index=1, first=33, count=33, warm_up=12),
        Segment(index=2, first=66, count=34, warm_up=12),
        Segment(index=3, first=100, count=10),
    )


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 16))
def test_the_longest_queue_is_no_shorter_than_an_even_share(lengths: list[int], count: int) -> None:
    longest = worth.longest_queue(lengths, count)
    assert max(*lengths, sum(lengths) / count) <= longest <= sum(lengths)


@pytest.mark.parametrize(
    ("lengths", "workers"),
    [([50, 50], 2), ([90, 10], 1), ([100], 1), ([40, 30, 30], 2), ([25] * 4, 4)],
)
def test_auto_starts_as_many_as_pay(lengths: list[int], workers: int) -> None:
    most = max(2, workers)
    assert worth.sensible_workers(most, MachineSettings(), lengths) == workers
    assert worth.sensible_workers(2, MachineSettings(workers="2"), lengths) == min(2, len(lengths))


def test_several_processes_pay_where_there_are_cores_and_work_for_them() -> None:
    # A second a frame; nothing of what a process costs can be made up for in a moment.
    assert worth.pay_off(1, 1.0, 640 * 360, 2, 2) < 1
    assert worth.pay_off(1000, 1.0, 640 * 360, 1, 1) < 1
    paid = [worth.pay_off(1000, 1.0, 640 * 360, n, n) for n in (2, 4, 8, 16)]
    assert 1.4 < paid[0] < 1.6 and paid == sorted(paid)
    # A network that is as fast as its clip is read gains nothing by it.
    assert worth.pay_off(100_000, 640 * 360 * worth.SCAN, 640 * 360, 8, 8) < 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "", "1000", "\u0662"])
def test_a_number_of_workers_is_a_number(text: str) -> None:
    with pytest.raises(UsageError, match="--workers"):
        worth.most_workers(MachineSettings(workers=text), None, None)  # type: ignore[arg-type]
