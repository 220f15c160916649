"""Keyframes that are edited: each edit is the text that a person would have written."""

from __future__ import annotations

import pytest

from dreamvideo.schedules import TimePoint, parse_schedule, parse_time_spec
from dreamvideo.schedules.editing import (
    add_key,
    ease_key,
    format_schedule,
    move_key,
    remove_key,
    sort_keys,
)
from dreamvideo.schedules.moment import format_time_spec

FILM = TimePoint(length=8.0, rate=25.0)
TEXT = "0s:0, 2s:1 ease, end-1s:0.25 cubic, end:2"


@pytest.mark.parametrize(
    ("written", "formatted"),
    [
        ("4", "4s"),
        ("1:02.5", "62.5s"),
        ("48f", "48f"),
        ("50%", "50%"),
        ("33.25%+4f", "33.25%+4f"),
        ("start", "0s"),
        ("end", "end"),
        ("end-2s", "end-2s"),
        ("start - 3f", "start-3f"),
    ],
)
def test_times_are_written_as_they_are_read(written: str, formatted: str) -> None:
    assert format_time_spec(parse_time_spec(written)) == formatted
    assert parse_time_spec(formatted) == parse_time_spec(written)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "0.018",
        "-3",
        "0s:1, 48f:1e-07",
        "0.5 + 0.4 * sin(t)",
        "0s:p * 2 hold, 50%:audio:low~0.3",
    ],
)
def test_a_schedule_is_written_as_it_is_read(text: str) -> None:
    assert parse_schedule(format_schedule(parse_schedule(text))) == parse_schedule(text)


def test_keys_are_added_on_the_curve_and_in_order() -> None:
    first, index = add_key(parse_schedule("1"), FILM, 2.0, (0.5,))
    assert (format_schedule(first), index) == ("0s:1, 2s:0.5", 1)
    between, index = add_key(parse_schedule(TEXT), FILM, 3.00049, (0.7,))
    # The new key eases on as the one before it did.
    assert index == 2
    assert format_schedule(between) == "0s:0, 2s:1 ease, 3s:0.7 ease, end-1s:0.25 cubic, end:2"
    same, index = add_key(first, FILM, 2.0, (0.75,))
    assert (format_schedule(same), index) == ("0s:1, 2s:0.75", 1)


def test_a_key_moves_between_its_neighbours_only() -> None:
    schedule = parse_schedule(TEXT)
    assert format_schedule(move_key(schedule, FILM, 1, 3.25, (0.5,))) == TEXT.replace(
        "2s:1", "3.25s:0.5"
    )
    assert move_key(schedule, FILM, 1, 20, (1.0,)).keys[1].when.seconds == 6.999
    assert move_key(schedule, FILM, 1, -20, (1.0,)).keys[1].when.seconds == 0.001
    # A time that does not change stays as it was written.
    assert format_schedule(move_key(schedule, FILM, 3, 8.0, (3.0,))) == TEXT.replace(
        "end:2", "end:3"
    )


def test_keys_are_eased_and_removed() -> None:
    schedule = parse_schedule(TEXT)
    assert format_schedule(ease_key(schedule, 0, "hold")) == TEXT.replace("0s:0", "0s:0 hold")
    two = remove_key(remove_key(schedule, 1), 1)
    assert format_schedule(two) == "0s:0, end:2"
    # A single key holds for all times.
    assert format_schedule(remove_key(two, 0)) == "2"
    assert remove_key(remove_key(two, 0), 0) == remove_key(two, 0)


def test_keys_are_sorted_as_they_fall_in_the_film() -> None:
    assert format_schedule(sort_keys(parse_schedule("end:2, 50%:1, 2s:0"), FILM)) == (
        "2s:0, 50%:1, end:2"
    )
