"""A look whose numbers change over time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.errors import UsageError
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import (
    CoherenceSettings,
    ColourSettings,
    DreamSettings,
    Look,
    MaskSettings,
    Region,
    Settings,
    ZoomSettings,
    look_from_values,
    look_to_toml,
    look_values,
    make_look,
)
from dreamvideo.settings.over_time import find_bounds, is_constant, is_number

SCHEDULED: dict[str, type[Settings]] = {
    "dream": DreamSettings,
    "coherence": CoherenceSettings,
    "mask": MaskSettings,
    "colour": ColourSettings,
    "zoom": ZoomSettings,
    "regions": Region,
}


def look_of(**dream: Any) -> Look:
    return make_look((), {"dream": dream})


def test_its_numbers_are_those_of_the_beginning() -> None:
    look = look_of(strength="0:0.25, 4s:1", steps="0:3, end:9", step_size="0.02")
    assert (look.dream.strength, look.dream.steps, look.dream.step_size) == (0.25, 3, 0.02)
    assert look.over_time == {"dream.strength": "0:0.25, 4s:1", "dream.steps": "0:3, end:9"}


def test_a_moment_gives_a_look_that_changes_no_more() -> None:
    look = look_of(strength="0:0, 4s:1", steps="0:3, end:9", octave_scale=1.5)
    later = look.at(TimePoint(2, 8, 25))
    assert (later.dream.strength, later.dream.steps) == (0.5, 4)
    assert isinstance(later.dream.steps, int)
    assert later.dream.octave_scale == 1.5
    assert later.at(TimePoint(4, 8, 25)) is later
    assert later.coherence is look.coherence


def test_a_look_that_does_not_change_is_itself_at_all_times() -> None:
    look = look_of(strength="0:0.5, 2s:0.5", steps="2 * 6", octaves="0:2.5, 2s:2.5")
    assert not look.over_time
    assert (look.dream.strength, look.dream.steps, look.dream.octaves) == (0.5, 12, 2)
    assert look.at(TimePoint(3, 8, 25)) is look


@given(st.floats(0, 1e4), st.floats(-1e6, 1e6))
def test_formulas_are_held_to_the_bounds(seconds: float, factor: float) -> None:
    look = look_of(strength=f"{factor:.3f} * t", octave_scale=f"{factor:.3f} * t")
    now = look.at(TimePoint(seconds, 1e4, 25)).dream
    assert 0 <= now.strength <= 3
    assert 1 < now.octave_scale <= 4
    assert Look.model_validate(look.at(TimePoint(seconds, 1e4, 25)).model_dump())


@pytest.mark.parametrize(("heard", "strength"), [(0.0, 0.2), (0.4, 0.8), (1.0, 1.7)])
def test_a_sound_is_followed(heard: float, strength: float) -> None:
    look = look_of(strength="audio:low * 1.5 + 0.2")
    assert look.sounds == {"low"}
    moment = TimePoint(1, 8, 25, {"low": heard})
    assert look.at(moment).dream.strength == pytest.approx(strength)


def test_regions_and_every_group_may_change(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        "[coherence]\nleak = '0:0, 2s:1'\n[[regions]]\nmask = 'left 0.5'\n[[regions]]\n"
        "mask_x = 'sin(t)'\nfeather = '0:0.1, 2s:0.3'\n"
    )
    look = make_look([str(path)])
    later = look.at(TimePoint(1, 8, 25))
    assert later.coherence.leak == 0.5
    assert later.regions[0] == look.regions[0]
    assert later.regions[1].feather == pytest.approx(0.2)
    assert later.regions[1].mask_x == pytest.approx(math.sin(1))


def test_a_later_preset_replaces_a_schedule_and_the_other_way_round(tmp_path: Path) -> None:
    moving, still = tmp_path / "1.toml", tmp_path / "2.toml"
    moving.write_text("[dream]\nstrength = '0:0, 2s:1'\n")
    still.write_text("[dream]\nstrength = 0.7\n")
    assert not make_look([str(moving), str(still)]).over_time
    assert make_look([str(still), str(moving)]).over_time == {"dream.strength": "0:0, 2s:1"}


def test_what_cannot_change_says_so_in_one_line() -> None:
    with pytest.raises(UsageError) as caught:
        look_of(seed="0:1, 2s:2")
    assert str(caught.value) == "--seed: stays the same for a whole film: give one number"
    assert look_of(seed=str(2**62 + 1)).dream.seed == 2**62 + 1


def test_a_formula_without_a_value_names_the_setting_and_the_time() -> None:
    look = look_of(strength="1 / (t - 2)")
    with pytest.raises(UsageError, match=r"dream\.strength: .* at 2 s: it divides by zero"):
        look.at(TimePoint(2, 8, 25))


FORMS = [
    "0:{0!r}, 2s:{1!r}",
    "start:{0!r} hold, 48f:{1!r} cubic, end-1s:{0!r}",
    "50%:{1!r} ease-in, 1:00:{0!r}",
    "{0!r} + audio:loud~0.25 * {1!r}",
    "0:{0!r} * sin(t), 2s:{1!r} if p < 0.5 else noise(t)",
]


@st.composite
def changing(draw: st.DrawFn) -> Look:
    """Any numbers of a look, each with a schedule of numbers within its bounds."""
    values: dict[str, Any] = {"regions": [{}, {}]}
    places = [(group, name) for group in SCHEDULED for name in SCHEDULED[group].model_fields]
    for group, name in draw(st.sets(st.sampled_from(places), max_size=8)):
        field, bounds = SCHEDULED[group].model_fields[name], find_bounds(SCHEDULED[group], name)
        if not is_number(field) or is_constant(field):
            continue
        low, high = bounds.low, min(bounds.high, bounds.low + 1000)
        share = st.floats(0.1, 0.9).map(lambda s: float(f"{low + s * (high - low):.4g}"))  # noqa: B023
        text = draw(st.sampled_from(FORMS)).format(draw(share), draw(share))
        row = values["regions"][1] if group == "regions" else values.setdefault(group, {})
        row[name] = text
    return look_from_values(values)


@given(changing())
def test_any_look_survives_its_own_toml_and_values(
    tmp_path_factory: pytest.TempPathFactory, look: Look
) -> None:
    path = tmp_path_factory.getbasetemp() / "schedules.toml"
    path.write_text(look_to_toml(look), "utf-8")
    assert make_look([str(path)]) == look
    assert look_from_values(look_values(look)) == look
    assert Look.model_validate_json(look.model_dump_json()) == look
    later = look.at(TimePoint(1.5, 8, 25, {"loud": 0.5}))
    assert Look.model_validate(later.model_dump()) == later


def test_a_whole_film_can_be_checked_beforehand() -> None:
    moments = [TimePoint(n / 25, 4, 25) for n in range(100)]
    look_of(strength="1 / (t - 2.01)", step_size="0:0.01, 2s:0.02").check(moments)
    with pytest.raises(UsageError, match=r"dream\.strength: .* at 2 s: it divides by zero"):
        look_of(strength="1 / (t - 2)").check(moments)
