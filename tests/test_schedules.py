from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dreamvideo.schedules import Moment, OverTime, parse_moment, parse_schedule
from dreamvideo.settings import ZoomSettings

numbers = st.floats(-1000, 1000).map(lambda value: round(value, 4))


@given(numbers, st.floats(0, 100), st.floats(0.1, 100))
def test_a_number_is_the_same_at_all_times(value: float, seconds: float, length: float) -> None:
    for given_as in (value, f"{value:.4f}", f" {value:.4f} hold"):
        schedule = parse_schedule(given_as)
        assert schedule.at(Moment(seconds, length)) == pytest.approx((value,))
        assert schedule.is_constant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:1, 4s:3", [1, 1.5, 2, 3, 3]),
        ("0:1, 50%:3", [1, 1.5, 2, 3, 3]),
        ("4s:3, 0:1", [1, 1.5, 2, 3, 3]),
        ("0:1 hold, 4s:3", [1, 1, 1, 3, 3]),
        ("0:1 ease, 4:3", [1, 1.3125, 2, 3, 3]),
        ("2s:1, 100%:4", [1, 1, 1, 2, 4]),
        ("1s:1, 3s:3 hold, 100% : 5", [1, 1, 2, 3, 5]),
    ],
)
def test_keys(text: str, expected: list[float]) -> None:
    schedule = parse_schedule(text)
    values = [schedule.at(Moment(seconds, 8))[0] for seconds in (0, 1, 2, 4, 8)]
    assert values == pytest.approx(expected)
    assert not schedule.is_constant


def test_values_of_two_parts() -> None:
    schedule = parse_schedule("0:0.5x-0.5, 2s:1x0.5", 2)
    assert schedule.at(Moment(1, 2)) == pytest.approx((0.75, 0))


@given(st.lists(st.tuples(st.integers(0, 50), numbers), min_size=2, unique_by=lambda k: k[0]))
def test_no_value_lies_outside_its_keys(keys: list[tuple[int, float]]) -> None:
    schedule = parse_schedule(", ".join(f"{time}s:{value:.4f} ease" for time, value in keys))
    low, high = min(schedule.numbers), max(schedule.numbers)
    for seconds in range(60):
        assert low - 1e-9 <= schedule.at(Moment(seconds, 60))[0] <= high + 1e-9


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("fast", "fast"),
        ("1, 2", "'1'"),
        ("0:1, 4s", "4s"),
        ("0:1, soon:2", "soon"),
        ("0:1 slowly, 4s:2", "slowly"),
        ("0:1, 0s:2", "same time"),
        ("0:1x2", "1x2"),
        ("-1s:2, 4s:1", "-1s"),
        ("0:nan", "nan"),
        ("1e999", "1e999"),
    ],
)
def test_what_does_not_parse_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_schedule(text)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"), [("4", (4, False)), ("2.5S", (2.5, False)), (" 50 % ", (0.5, True))]
)
def test_moments(text: str, expected: tuple[float, bool]) -> None:
    assert parse_moment(text) == expected


def test_a_setting_over_time_keeps_to_its_bounds() -> None:
    assert ZoomSettings(rate="2").rate == 2
    assert ZoomSettings(rate="0:1, 4s:2").rate == "0:1, 4s:2"
    for bad in (0, "0:1, 4s:101", "1x1"):
        with pytest.raises(ValidationError):
            ZoomSettings.model_validate({"rate": bad})
    with pytest.raises(ValueError, match="from 0 to 1"):
        OverTime(0, 1, parts=2).checked("0.5x1.5")
