"""Formulas: what they may hold, what they give, and that nothing else gets through."""

from __future__ import annotations

import ast
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.schedules import ScheduleError, TimePoint, parse_schedule
from dreamvideo.schedules.expressions import FUNCTIONS, Expression, noise, parse_expression

NOW = TimePoint(3.0, 12.0, 24.0, {"low": 0.5, "onset": 1.0, "low~0.3": 0.25})


def value(text: str, moment: TimePoint = NOW) -> float:
    return parse_schedule(text).at(moment)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t", 3),
        ("f", 72),
        ("p", 0.25),
        ("0.5 + 0.2 * sin(2 * pi * t / 4)", 0.3),
        ("cos(0) + tan(0) + abs(-2) - -1", 4),
        ("min(t, 2, 5) + max(t, 2)", 5),
        ("floor(t / 2) + ceil(t / 2)", 3),
        ("sqrt(t + 1) + exp(0) + log(1) + pow(2, t)", 11),
        ("2 ** t % 5 + t // 2", 4),
        ("clamp(t, 0, 1)", 1),
        ("1 if t < 2 else 5", 5),
        ("(t >= 3) + (t != 3) + (f == 72)", 2),
        ("T * 1E-1", 0.3),
        ("audio:low * 1.5 + 0.2", 0.95),
        ("audio:onset - audio : low", 0.5),
        ("audio:low~0.3 * 4", 1),
        ("audio:high", 0),
        ("audio:onset~2", 1),
    ],
)
def test_values(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("0:t, 4s:0", TimePoint(2), 1.0),
        ("0:max(0, 1), 4s: clamp(t, 0, 9) * 2 hold", TimePoint(4), 8.0),
        ("1:02.5:0.4, 2:02.5:0.6", TimePoint(92.5), 0.5),
        ("0:audio:low, 2s:audio:low * 2", TimePoint(1, sound={"low": 0.5}), 0.75),
        ("1:00:audio:low~0.5 ease, 1:02:1", TimePoint(61, sound={"low": 0.5}), 0.75),
    ],
)
def test_formulas_at_keys(text: str, moment: TimePoint, expected: float) -> None:
    assert value(text, moment) == pytest.approx(expected)


def test_what_never_changes_is_a_number() -> None:
    assert parse_expression("2 * pi / 4") == math.pi / 2
    assert parse_schedule("0:1/3, 2s:1/3").is_constant
    assert not parse_schedule("t * 0").is_constant


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("__import__('os')", "not a value"),
        ("t.real", "not a value"),
        ("(t).__class__", "not a value"),
        ("[t][0]", "not a value"),
        ("lambda t", "not a value"),
        ("(t for t in t)", "not a value"),
        ("max(*t, 1)", "not a value"),
        ("max(t, key=t)", "not a value"),
        ("(x:=1)", "not a value"),
        ("t and 1", "not a value"),
        ("0 < t < 1", "not a value"),
        ("...", "not a value"),
        ("'t'", "not a value"),
        ("1j", "not a value"),
        ("0x10", "not a value"),
        ("1_000", "not a value"),
        ("t ^ 2", "powers are written **"),
        ("open(1)", "there is no function 'open'"),
        ("sin", "not a value"),
        ("sin()", "takes 1 numbers"),
        ("noise(1, 2, 3)", "takes 1 or 2 numbers"),
        ("audio:bass", "there is no sound 'bass'"),
        ("audio:low~99", "60 s at most"),
        ("1e999", "too large"),
        ("9**9**9", "too large"),
        ("t ** 99 ** 99", "too large"),
        ("(((" * 90 + "1" + ")))" * 90, "longer than"),
        ("-" * 400 + "t", "nested too deeply"),
        ("1 +" * 166 + "t", "nested too deeply"),
    ],
)
def test_all_else_is_refused_in_one_line(text: str, named: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        value(text)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / (t - 3)", "divides by zero"),
        ("t % 0", "divides by zero"),
        ("log(3 - t)", "root or logarithm"),
        ("sqrt(-t)", "root or logarithm"),
        ("(-t) ** 0.5", "root or logarithm"),
        ("exp(t * 1000)", "too large"),
        ("t * 1e308 * 10", "too large"),
        ("floor(t * 1e308 * 10)", "too large"),
    ],
)
def test_where_it_has_no_value_the_time_is_named(text: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=r"has no value at 3 s: ") as caught:
        value(text)
    assert reason in str(caught.value)


@given(st.text("tfpaudiolwnsehx0123456789.+-*/%(),<>=!~:_ \"'[]{}\\\n", max_size=60) | st.text())
def test_any_text_gives_a_number_or_one_line(text: str) -> None:
    try:
        assert math.isfinite(value(text))
    except ScheduleError as error:
        assert "\n" not in str(error)


numbers = st.floats(0, 99).map(lambda number: f"{number:.3f}")
leaves = numbers | st.sampled_from(["t", "f", "p", "pi", "audio:low", "audio:onset~0.2"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", "%", "//", "**", "<", "<=", ">", ">=", "==", "!="])
    one = st.sampled_from([name for name, (_, fewest, _) in FUNCTIONS.items() if fewest == 1])
    return (
        st.tuples(inner, signs, inner).map(lambda parts: f"({' '.join(parts)})")
        | st.tuples(one, inner).map(lambda parts: f"{parts[0]}({parts[1]})")
        | st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})")
        | st.tuples(inner, inner).map(lambda p: f"max({p[0]}, -{p[1]})")
    )


@given(st.recursive(leaves, grown, max_leaves=8), st.floats(0, 12))
def test_a_formula_gives_what_python_would(text: str, seconds: float) -> None:
    moment = TimePoint(seconds, 12, 24, NOW.sound)
    names = {
        **{name: function for name, (function, _, _) in FUNCTIONS.items()},
        **{"t": seconds, "f": moment.frame, "p": seconds / 12, "pi": math.pi},
        **{"low": 0.5, "onset": 1.0},
    }
    python = text.replace("audio:low", "low").replace("audio:onset~0.2", "onset")
    assert len(ast.dump(ast.parse(python))) > 0
    try:
        expected = float(eval(python, {"__builtins__": {}}, names))
    except (ArithmeticError, ValueError, TypeError):
        # TypeError: a complex number.
        expected = math.nan
    formula = parse_schedule(text) if math.isfinite(expected) else None
    if formula is not None:
        assert formula.at(moment)[0] == pytest.approx(expected)


def test_noise_is_smooth_repeatable_and_keeps_within_its_bounds() -> None:
    curve = [noise(n / 50) for n in range(5000)]
    assert -1 <= min(curve) < -0.8 and 0.8 < max(curve) <= 1
    assert max(abs(a - b) for a, b in pairwise(curve)) < 0.08
    assert curve == [noise(n / 50) for n in range(5000)]
    assert abs(sum(noise(n) * noise(n, 1) for n in range(2000))) / 2000 < 0.05
    assert noise(-1e300) == noise(-1e300, 0.5)


def test_formulas_are_equal_by_what_was_written() -> None:
    assert parse_expression("t+1") == parse_expression(" T+1 ")
    assert isinstance(parse_expression("t"), Expression)
