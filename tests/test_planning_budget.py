"""A time for a film: the best that fits, and never less for more time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import quick_dream

from dreamvideo.errors import UsageError
from dreamvideo.formatting import format_duration
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.planning import budget as budgets
from dreamvideo.render.planning.budget import (
    choose_quality,
    fit_budget,
    list_quality_steps,
    parse_budget,
)
from dreamvideo.render.planning.estimate import Cost, estimate_seconds
from dreamvideo.settings import CoherenceSettings, DreamSettings, Look

COST = Cost(step=4e-7, whole=4e-7, flow=3e-7, rest=3e-7, enlarging=1e-7)
SIZE = (1280, 720)
ALONE = Look(coherence=CoherenceSettings(coherence=0))
LOOKS = (Look(), ALONE, Look(dream=DreamSettings(octaves=6, steps=20)))

costs = st.builds(Cost, *[st.floats(1e-9, 1e-4)] * 4)


def position(size: tuple[int, int], look: Look, found: tuple[tuple[int, int], Look]) -> int:
    return list(list_quality_steps(size, look)).index(found)


@pytest.mark.parametrize("look", LOOKS)
def test_with_time_enough_nothing_is_given_up(look: Look) -> None:
    chosen = choose_quality(COST, SIZE, 100, look, 1e6)
    assert (chosen.size, chosen.look) == (SIZE, look)
    assert "1280x720" in chosen.line


@settings(deadline=None)
@given(costs, st.integers(1, 10_000), st.sampled_from(LOOKS), st.floats(1, 1e7), st.floats(1, 100))
def test_it_keeps_to_the_time_and_more_time_never_gives_less(
    cost: Cost, frames: int, look: Look, time: float, factor: float
) -> None:
    def chosen(seconds: float) -> int | None:
        try:
            found = choose_quality(cost, SIZE, frames, look, seconds)
        except UsageError:
            return None
        assert found.seconds == estimate_seconds(cost, found.look, found.size, frames) <= seconds
        return position(SIZE, look, (found.size, found.look))

    short, long = chosen(time), chosen(time * factor)
    assert short is None or (long is not None and long <= short)


@pytest.mark.parametrize("look", LOOKS)
def test_each_rung_is_quicker_than_the_one_before(look: Look) -> None:
    times = [
        estimate_seconds(COST, rung, size, 1000) for size, rung in list_quality_steps(SIZE, look)
    ]
    assert times == sorted(times, reverse=True) and len(set(times)) == len(times) > 8


def test_what_is_given_up_comes_in_the_order_that_is_promised() -> None:
    found = list(list_quality_steps(SIZE, Look()))
    assert [(size, rung.coherence.cadence) for size, rung in found[:3]] == [
        (SIZE, 1),
        (SIZE, 2),
        (SIZE, 2),
    ]
    assert found[2][1].coherence.carried_steps == 1
    cadences = [rung.coherence.cadence for _, rung in found]
    assert cadences == sorted(cadences) and cadences[-1] == 4
    widths = [size[0] for size, _ in found]
    assert widths == sorted(widths, reverse=True) and widths[-1] < 300
    last = [rung.dream for size, rung in found[-3:]]
    assert [dream.steps for dream in last] == [8, 6, 4]
    for dream in last:
        assert dream.steps * dream.step_size == pytest.approx(14 * 0.018)


def test_frames_dreamt_alone_lose_steps_before_size() -> None:
    found = list(list_quality_steps(SIZE, ALONE))
    assert [(size, rung.dream.steps) for size, rung in found[:4]] == [
        (SIZE, 14),
        (SIZE, 8),
        (SIZE, 6),
        (SIZE, 4),
    ]
    assert {rung.coherence.cadence for _, rung in found} == {1}


def test_octaves_go_down_with_the_size() -> None:
    octaves = {
        choose_dream_size(rung.dream.dream_size, size)[0]: rung.dream.octaves
        for size, rung in list_quality_steps(SIZE, LOOKS[2])
    }
    assert octaves[768] == 6 and octaves[min(octaves)] == 1


@pytest.mark.parametrize("setting", ["auto", "full", "50%"])
@pytest.mark.parametrize("size", [(1920, 1080), SIZE, (640, 360), (480, 270)])
def test_the_size_of_the_dream_is_given_up_before_that_of_the_output(
    setting: str, size: tuple[int, int]
) -> None:
    look = Look(dream=DreamSettings(dream_size=setting))
    found = list(list_quality_steps(size, look))
    dreamt = [choose_dream_size(rung.dream.dream_size, full) for full, rung in found]
    assert dreamt == sorted(dreamt, reverse=True)
    first = choose_dream_size(setting, size)
    at_full_size = [dream for (full, _), dream in zip(found, dreamt, strict=True) if full == size]
    # Below 270 lines the dream takes its output with it.
    assert at_full_size[-1][1] >= min(270, first[1])
    assert at_full_size[-1][1] < 270 / 0.8 or first[1] < 270 / 0.8
    assert at_full_size[0] == first and len(at_full_size) > 3
    assert found[-1][0] < (300, 200)


def test_a_dream_of_another_size_is_said() -> None:
    look = Look(dream=DreamSettings(dream_size="full"))
    chosen = choose_quality(COST, (1920, 1080), 100, look, 150)
    assert chosen.size == (1920, 1080) and ", dreamt at " in chosen.line


def test_what_is_fixed_no_longer_changes_over_time() -> None:
    scheduled = Look(over_time={"coherence.carried_steps": "0:2, 1s:8", "dream.tv": "0:0, 1s:1"})
    assert [set(rung.over_time) for _, rung in list_quality_steps(SIZE, scheduled)][2] == {
        "dream.tv"
    }


def test_what_is_impossible_is_said_with_what_it_would_take() -> None:
    with pytest.raises(
        UsageError, match=r"--fps-target: 5000 frames take about .* even at 2\d\dx1"
    ):
        choose_quality(COST, SIZE, 5000, Look(), 1.0, option="--fps-target")


def test_workers_give_more_for_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    one, eight = (choose_quality(COST, SIZE, 1000, Look(), 300, workers=n) for n in (1, 8))
    at = [position(SIZE, Look(), (c.size, c.look)) for c in (one, eight)]
    assert at[1] < at[0]


def test_the_line_says_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Any] = []

    def measure(look: Look, size: tuple[int, int]) -> Cost:
        measured.append((look, size))
        return COST

    monkeypatch.setattr(budgets, "measure_cost", measure)
    chosen = fit_budget((640, 360), 500, Look(), time_budget="160s")
    assert measured == [(Look(), (640, 360))]
    assert chosen.line == "budget 3m: 640x360, 6 octaves of 14 steps, cadence 2: about 3m"
    quick = fit_budget((640, 360), 500, Look(), fps_target=500 / 160)
    assert quick == choose_quality(COST, (640, 360), 500, Look(), 160)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("45s", 45), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1H 2m 3.5s", 3723.5)],
)
def test_budgets_are_written_as_one_speaks(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3m", "0", "1.2.3s", "5x", "h"])
def test_what_is_no_time_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_budget(text)


def test_times_are_spoken_as_one_speaks() -> None:
    assert [format_duration(s) for s in (3.2, 99, 120, 3590, 7260)] == [
        "4s",
        "99s",
        "2m",
        "1h 00m",
        "2h 01m",
    ]


def test_a_shallow_look_has_a_budget_too() -> None:
    shallow = Look(dream=quick_dream(steps=2))
    assert choose_quality(COST, (64, 48), 8, shallow, 60).size == (64, 48)
