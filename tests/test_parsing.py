from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.errors import UsageError
from dreamvideo.formatting import format_bytes, format_count
from dreamvideo.parsing import LARGEST_SIDE, SMALLEST_SIDE, parse_rate, parse_size, parse_time

sides = st.integers(SMALLEST_SIDE, LARGEST_SIDE)


@given(sides, sides, st.integers(1, 5000), st.integers(1, 5000))
def test_a_size_of_two_sides_is_taken_as_it_is(w: int, h: int, width: int, height: int) -> None:
    assert parse_size(f"{w}x{h}", width, height) == (w, h)


@given(sides)
def test_one_side_keeps_the_shape(side: int) -> None:
    assert parse_size(str(side), 500, 500) == (side, side)
    assert parse_size(f"{side}x", 500, 500) == (side, side)
    assert parse_size(f"x{side}", 500, 500) == (side, side)


@pytest.mark.parametrize(
    ("text", "size"),
    [("640", (640, 360)), ("x360", (640, 360)), ("50%", (960, 540)), ("12.5%", (240, 135))],
)
def test_sizes_of_a_full_hd_film(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text, 1920, 1080) == size
    assert parse_size(f" {text.upper()} ", 1920, 1080) == size


@given(st.text(max_size=12))
def test_any_other_text_is_refused_by_name_as_a_size(text: str) -> None:
    try:
        size = parse_size(text, 640, 360)
    except UsageError as error:
        assert str(error).startswith(f"--size {text!r}")
    else:
        assert min(size) >= SMALLEST_SIDE and max(size) <= LARGEST_SIDE


@pytest.mark.parametrize("text", ["", "x", "%", "640*360", "-640", "640x360x3", "1e3", "9" * 5000])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text, 640, 360)


@pytest.mark.parametrize("text", ["0", "0x0", "15x360", "640x99999", "1%", "100000%"])
def test_sizes_out_of_bounds_say_what_they_would_give(text: str) -> None:
    with pytest.raises(UsageError, match=r"gives \d+ x \d+: sides must be 16 to 16384"):
        parse_size(text, 640, 360)


milliseconds = st.integers(0, 999)
minutes = st.integers(0, 59)


@given(st.integers(0, 99), minutes, minutes, milliseconds)
def test_clock_times(h: int, m: int, s: int, ms: int) -> None:
    seconds = h * 3600 + m * 60 + s + Fraction(ms, 1000)
    assert parse_time(f"{h}:{m:02}:{s:02}.{ms:03}", "--start") == seconds
    assert parse_time(f"{h * 60 + m}:{s:02}.{ms:03}s", "--start") == seconds
    assert parse_time(f"{h * 3600 + m * 60 + s}.{ms:03}", "--start") == seconds


@given(st.integers(0, 10**8), st.sampled_from([Fraction(25), Fraction(30000, 1001)]))
def test_frame_counts_are_exact_times(frames: int, rate: Fraction) -> None:
    assert parse_time(f"{frames}f", "--end", rate) * rate == frames


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "soon", "1e3", "5ss", ":", "1..5", "f", "٣"])
def test_what_is_no_time_names_its_option(text: str) -> None:
    with pytest.raises(UsageError, match=f"--end {text!r} is not a time"):
        parse_time(text, "--end", Fraction(25))


def test_frames_without_a_rate_are_no_time() -> None:
    with pytest.raises(UsageError, match="--start '48f' is not a time"):
        parse_time("48f", "--start")


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        ("25.0", Fraction(25)),
        ("12.5", Fraction(25, 2)),
        ("0.5", Fraction(1, 2)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("29.970", Fraction(30000, 1001)),
        ("47.952", Fraction(48000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("1.002", Fraction(501, 500)),
    ],
)
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@given(st.integers(1, 1000))
def test_whole_rates_are_what_they_say(rate: int) -> None:
    assert parse_rate(str(rate)) == rate


@given(st.integers(1, 120))
def test_every_ntsc_rate_is_known_by_two_decimals(whole: int) -> None:
    exact = Fraction(whole * 1000, 1001)
    assert parse_rate(f"{float(exact):.3f}") == exact


@given(st.fractions(Fraction(1, 100), 1000, max_denominator=2000))
def test_ratios_are_taken_as_they_are(rate: Fraction) -> None:
    assert parse_rate(f"{rate.numerator}/{rate.denominator}") == rate


@pytest.mark.parametrize("text", ["", "fast", "nan", "1/0", "25/000", "-25", "1e9", "2 5", "1_0"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(UsageError, match=f"--fps {text!r} is not a rate"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["0", "0.001", "1001", "999999/1"])
def test_rates_out_of_bounds(text: str) -> None:
    with pytest.raises(UsageError, match=r"--fps .*: the rate must be 0\.01 to 1000"):
        parse_rate(text)


def test_one_thing_is_singular() -> None:
    counts = [format_count(number, "frame") for number in (0, 1, 132, 1.0, 23.976)]
    assert counts == ["0 frames", "1 frame", "132 frames", "1 frame", "23.98 frames"]
    assert [format_bytes(size) for size in (1, 2, 1500)] == ["1 byte", "2 bytes", "1.5 kB"]
