"""The numbers of a look as curves: which there are, what they are at each time, and their text."""

from __future__ import annotations

import pytest

from dreamvideo.errors import UsageError
from dreamvideo.schedules import TimePoint
from dreamvideo.schedules.editing import add_key
from dreamvideo.settings import make_look
from dreamvideo.settings.curves import cut_schedules, find_curve, list_curves
from dreamvideo.settings.terms import layer_timeline

FILM = TimePoint(length=4.0, rate=25.0)


def test_every_number_that_may_change_over_time_is_a_curve() -> None:
    look = make_look([], {"dream": {"layers": "block3, block5:0.5"}})
    found = list_curves(look, ("dream", "camera", "mask", "zoom"))
    assert found["dream.strength"] == "Strength" and found["dream.step_size"] == "Step size"
    assert found["camera.zoom"] == "Camera zoom" and found["mask.mask_x"] == "Mask x"
    assert found["zoom.rate"] == "Rate" and found["zoom.rotate"] == "Rotate"
    assert found["dream.layers#1"] == "Weight of block5"
    # Numbers that hold for a whole film, texts, and what the look derives, are none.
    assert not {"dream.seed", "dream.model", "dream.octaves", "zoom.pan"} & found.keys()
    for name in found:
        curve = find_curve(look, name, FILM)
        low, high = curve.axis()
        assert low <= curve.value(FILM) <= high


def test_a_curve_has_the_values_of_its_schedule_and_keeps_its_text() -> None:
    look = make_look([], {"dream": {"strength": "end:0, 0:1"}, "zoom": {"rate": "0:1.2, 2s:2"}})
    strength = find_curve(look, "dream.strength", FILM)
    assert strength.written == "end:0, 0:1"
    assert [strength.value(TimePoint(t, 4.0)) for t in (0, 1, 4)] == [1, 0.75, 0]
    assert strength.format(strength.schedule) == "0s:1, end:0"
    assert strength.axis((0, 2)) == (0, 2) and strength.axis() == (0, 2)
    rate = find_curve(look, "zoom.rate", FILM)
    assert rate.value(TimePoint(1.0, 4.0)) == pytest.approx(1.6)
    assert find_curve(make_look(), "zoom.rate", FILM).written == "1.5"
    # Keys that have just been added do not change anything yet.
    level = find_curve(make_look(), "dream.strength", FILM, written="0s:1, 2s:1")
    assert len(level.schedule.keys) == 2


def test_the_weight_of_a_layer_is_a_curve_of_the_layers_text() -> None:
    look = make_look([], {"dream": {"layers": "block3 -> 2s: block3:0.5,block5 ease"}})
    curve = find_curve(look, "dream.layers#1", FILM)
    assert [key.value[1] for key in curve.schedule.keys] == [0, 1]
    now = curve.schedule.at(TimePoint(1.0, 4.0))
    added, index = add_key(curve.schedule, FILM, 1.0, curve.with_value(now, 0.25))
    text = curve.format(added)
    assert index == 1
    assert text.split(" -> ") == [
        "0s: block3,block5:0",
        "1s: block3:0.75,block5:0.25",
        "2s: block3:0.5,block5 ease",
    ]
    timeline = layer_timeline(text)
    assert timeline.at(TimePoint(1.0, 4.0)) == (("block3", 0.75), ("block5", 0.25))
    usual = find_curve(make_look(), "dream.layers#0", FILM, ("block7:rms", "block8:rms:0.5"))
    assert usual.written == "block7:rms,block8:rms:0.5"
    with pytest.raises(UsageError, match="no such layer"):
        find_curve(make_look(), "dream.layers#2", FILM, ("block7",))


def test_a_part_of_a_film_changes_as_it_does_in_the_whole() -> None:
    look = make_look(
        [],
        {
            "dream": {
                "strength": "0:0, end:2 ease",
                "step_size": "0.02 + 0.01 * sin(t) - 0.02 * p",
                "tv": "audio:low",
                "layers": "block3 -> 4s: block3:0,block5",
            }
        },
    )
    part = cut_schedules(look, TimePoint(1.0, 4.0, 25.0), 2.0)
    for seconds in (0.0, 0.5, 1.25, 2.0):
        there, here = TimePoint(1 + seconds, 4.0), TimePoint(seconds, 2.0)
        sound = {"low": 0.5}
        whole = look.at(TimePoint(1 + seconds, 4.0, sound=sound)).dream
        cut = part.at(TimePoint(seconds, 2.0, sound=sound)).dream
        assert cut.strength == pytest.approx(whole.strength, abs=0.002)
        assert cut.step_size == pytest.approx(whole.step_size, abs=1e-4)
        assert cut.tv == whole.tv == 0.5
        now = layer_timeline(whole.layers or "").at(there)
        then = layer_timeline(cut.layers or "").at(here)
        assert dict(then) == pytest.approx(dict(now), abs=1e-6)
    assert cut_schedules(make_look(), FILM, 2.0) == make_look()
