from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dreamvideo.schedules import OverTime, TimePoint, parse_schedule, parse_time_point
from dreamvideo.schedules.easing import KNOWN
from dreamvideo.settings import ZoomSettings

numbers = st.floats(-1000, 1000).map(lambda value: round(value, 4))


@given(numbers, st.floats(0, 100), st.floats(0.1, 100))
def test_a_number_is_the_same_at_all_times(value: float, seconds: float, length: float) -> None:
    for given_as in (value, f"{value:.4f}", f" {value:.4f} hold"):
        schedule = parse_schedule(given_as)
        assert schedule.at(TimePoint(seconds, length)) == pytest.approx((value,))
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
        ("start:1, end:5", [1, 1.5, 2, 3, 5]),
        ("0:1, end-4s:3", [1, 1.5, 2, 3, 3]),
        ("0:1, 25%+2s:3", [1, 1.5, 2, 3, 3]),
        ("0f:1, 96f:3", [1, 1.5, 2, 3, 3]),
        ("0:00:1, 0:04:3", [1, 1.5, 2, 3, 3]),
        ("0:1 ease-in-out, 4:3", [1, 1.3125, 2, 3, 3]),
        ("0:1 ease-in, 4:3", [1, 1.125, 1.5, 3, 3]),
        ("0:1 ease-out, 4:3", [1, 1.875, 2.5, 3, 3]),
        ("0:1 sine, 4:3", [1, 2 - 2**-0.5, 2, 3, 3]),
        ("0:1 cubic, 4:3", [1, 1.5, 2, 3, 3]),
        ("0:1 cubic, 2:3 cubic, 4:1", [1, 2.25, 3, 1, 1]),
    ],
)
def test_keys(text: str, expected: list[float]) -> None:
    schedule = parse_schedule(text)
    values = [schedule.at(TimePoint(seconds, 8, 24))[0] for seconds in (0, 1, 2, 4, 8)]
    assert values == pytest.approx(expected)
    assert not schedule.is_constant


def test_values_of_two_parts() -> None:
    schedule = parse_schedule("0:0.5x-0.5, 2s:1x0.5", 2)
    assert schedule.at(TimePoint(1, 2)) == pytest.approx((0.75, 0))


@given(
    st.lists(st.tuples(st.integers(0, 50), numbers), min_size=2, unique_by=lambda k: k[0]),
    st.sampled_from(KNOWN),
)
def test_no_value_lies_outside_the_keys_about_it(keys: list[tuple[int, float]], way: str) -> None:
    schedule = parse_schedule(", ".join(f"{time}s:{value:.4f} {way}" for time, value in keys))
    keys = sorted(keys)
    for (begin, low), (end, high) in pairwise(keys):
        for part in range(6):
            seconds = begin + (end - begin) * part / 5
            value = schedule.at(TimePoint(seconds, 60))[0]
            assert min(low, high) - 1e-6 <= value <= max(low, high) + 1e-6
    for time, value in keys:
        assert schedule.at(TimePoint(time, 60))[0] == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(30000, 1001)])
def test_a_key_at_a_frame_holds_from_that_frame_on(rate: Fraction) -> None:
    for number in (1, 7, 48, 1001):
        schedule = parse_schedule(f"0:0 hold, {number}f:1")
        values = [
            schedule.at(TimePoint(float(n / rate), 1e4, float(rate)))[0]
            for n in (number - 1, number)
        ]
        assert values == [0, 1]


def test_a_smooth_curve_has_no_corner() -> None:
    schedule = parse_schedule("0:0 cubic, 2s:1 cubic, 3s:3 cubic, 6s:4 cubic, 7s:0")
    curve = [schedule.at(TimePoint(n / 100, 7))[0] for n in range(701)]
    slopes = [100 * (b - a) for a, b in pairwise(curve)]
    # Straight lines turn by up to four a second here.
    assert max(abs(b - a) for a, b in pairwise(slopes)) < 0.2


def test_a_film_of_unknown_length_never_ends() -> None:
    schedule = parse_schedule("0:1, 50%:2, end:3")
    assert [schedule.at(TimePoint(seconds))[0] for seconds in (0, 1e6)] == [1, 1]
    assert parse_schedule("0:1 hold, 2s:5, end:3").at(TimePoint(9))[0] == 5


def test_keys_that_fall_together_in_a_film() -> None:
    schedule = parse_schedule("0:0 cubic, 2s:1 cubic, 50%:1 cubic, end:0")
    assert [schedule.at(TimePoint(seconds, 4))[0] for seconds in (0, 2, 4)] == [0, 1, 0]


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
        ("0:1, 100%:2, end:3", "same time"),
        ("0:1, 1:2:3:4:5", "1:2:3:4"),
        ("0:1, 2.5f:1", "2.5f"),
        ("0:1, end*2:1", "end*2"),
        ("0:1,, 2s:1", "''"),
        ("1s:", "1s:"),
    ],
)
def test_what_does_not_parse_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_schedule(text)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4", (4, False)),
        ("2.5S", (2.5, False)),
        (" 50 % ", (0.5, True)),
        ("1:02.5", (62.5, False)),
        ("end", (1, True)),
    ],
)
def test_moments(text: str, expected: tuple[float, bool]) -> None:
    assert parse_time_point(text) == expected


def test_a_setting_over_time_keeps_to_its_bounds() -> None:
    assert ZoomSettings(rate="2").rate == 2
    assert ZoomSettings(rate="0:1, 4s:2").rate == "0:1, 4s:2"
    for bad in (0, "0:1, 4s:101", "1x1"):
        with pytest.raises(ValidationError):
            ZoomSettings.model_validate({"rate": bad})
    with pytest.raises(ValueError, match="from 0 to 1"):
        OverTime(0, 1, parts=2).check("0.5x1.5")
