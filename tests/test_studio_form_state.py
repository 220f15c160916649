"""What the page's choices say: as a look, as a command line that parses back, as a preset."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreamvideo.cli.entry import run
from dreamvideo.errors import UsageError
from dreamvideo.formatting import format_seconds
from dreamvideo.render import image, video
from dreamvideo.render.result import RenderResult
from dreamvideo.render.zoom import render
from dreamvideo.settings import Look, look_from_toml, look_to_toml, look_values, preset_paths
from dreamvideo.studio.form_state import (
    ENDINGS,
    KINDS,
    MASK,
    SLIDERS,
    Choice,
    Kind,
    Slider,
    list_changes,
)

# Changes that are no numbers of sliders: a mask by hand, and numbers over time.
TEXTS: dict[str, str | float] = {
    MASK: "/a folder/bunny-1234abcd.png",
    "mask.feather": 0.1,
    "mask.invert": True,
    "dream.strength": "0s:1, 2s:0.5 ease",
    "dream.layers": "block3 -> 2s: block3:0.5,block5",
    "camera.rotate": "-5 * t",
    "zoom.rate": "0s:1.2, end:2",
}
Call = tuple[str, tuple[Any, ...], dict[str, Any]]
STRENGTH = next(each for each in SLIDERS if each.name == "strength")
CREATURES = next(each for each in SLIDERS if each.name == "creatures")
STEPS = next(each for each in SLIDERS if each.name == "steps")
OCTAVES = next(each for each in SLIDERS if each.name == "octaves")
ROTATE = next(each for each in SLIDERS if each.name == "rotate")
SPEED = next(each for each in SLIDERS if each.name == "rate")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What the command line calls, instead of rendering it."""
    seen: list[Call] = []

    def instead(name: str) -> Callable[..., RenderResult]:
        def call(*given: Any, **options: Any) -> RenderResult:
            seen.append((name, given, options))
            return RenderResult(Path("out"), 1, ())

        return call

    monkeypatch.setattr(image, "dream_image", instead("image"))
    monkeypatch.setattr(video, "dream_video", instead("video"))
    monkeypatch.setattr(render, "zoom", instead("zoom"))
    return seen


def positions(slider: Slider) -> st.SearchStrategy[float]:
    steps = round((slider.high - slider.low) / slider.step)
    return st.integers(0, steps).map(lambda n: slider.low + n * slider.step)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    choice = Choice(
        kind=draw(st.sampled_from(KINDS)),
        preset=draw(st.sampled_from([None, *preset_paths()])),
    )
    for slider in draw(st.lists(st.sampled_from(SLIDERS), max_size=4, unique=True)):
        choice = choice.change(slider, draw(positions(slider)))
    for key in draw(st.lists(st.sampled_from(list(TEXTS)), max_size=3, unique=True)):
        choice = choice.with_change(key, TEXTS[key])
    start = draw(st.none() | st.floats(0, 4))
    return replace(
        choice,
        start=start,
        end=None if start is None else start + draw(st.floats(0.01, 5)),
        size=draw(st.sampled_from([None, "50%", "320"])),
        fps=draw(st.sampled_from([None, "12", "30"])),
        endings={kind: draw(st.sampled_from(ENDINGS[kind])) for kind in KINDS},
        loop=draw(st.booleans()),
        journey=draw(st.sampled_from(["", "fur, towers"])),
        to=draw(st.sampled_from([None, "", "the end's.png"])),
        at=draw(st.none() | st.floats(0, 4)),
    )


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(choice=choices())
def test_the_command_line_asks_for_the_very_render(choice: Choice, calls: list[Call]) -> None:
    calls.clear()
    line = choice.command("a clip's.mp4", f"out{choice.ending}")
    assert run(shlex.split(line)[1:]) == 0
    ((name, given_, options),) = calls
    assert name == choice.kind
    source, output, look, _ = given_
    assert (str(source), str(output)) == ("a clip's.mp4", f"out{choice.ending}")
    assert look_values(look) == look_values(choice.look)
    assert options["size"] == choice.size
    if name == "video":
        at = [choice.start, choice.end]
        assert [options["start"], options["end"]] == [
            None if each is None else format_seconds(each) for each in at
        ]
        assert options["fps"] == choice.fps
    if name == "zoom":
        assert options["fps"] == (choice.fps or "25")
        assert options["loop"] == choice.loop
        arrives = choice.to and not choice.loop
        assert options["to"] == (Path("the end's.png") if arrives else None)
        assert options["at"] == (None if choice.at is None else format_seconds(choice.at))


@settings(max_examples=25, deadline=None)
@given(choices())
def test_the_preset_is_the_look(choice: Choice) -> None:
    assert look_values(look_from_toml(look_to_toml(choice.look), "a preset")) == look_values(
        choice.look
    )


def test_a_slider_that_is_moved_replaces_the_presets_number() -> None:
    choice = Choice(preset="eyes").change(STRENGTH, 0.5)
    assert choice.look.dream.strength == 0.5
    assert choice.look.dream.layers == Choice(preset="eyes").look.dream.layers
    assert choice.change(STRENGTH, None) == Choice(preset="eyes")


def test_a_slider_holds_to_its_range_and_to_whole_numbers() -> None:
    assert STRENGTH.convert(9) == 2
    assert STRENGTH.convert(0.1 + 0.2) == 0.3
    assert OCTAVES.convert(3.0) == 3 and isinstance(OCTAVES.convert(3.0), int)


def test_a_seed_keeps_all_its_digits() -> None:
    choice = Choice().change(CREATURES, CREATURES.high)
    assert choice.look.dream.creatures == 2**31 - 1
    arguments = choice.arguments("a.jpg", "b.png")
    assert arguments[arguments.index("--creatures") + 1] == "2147483647"
    assert CREATURES.is_seed and not STRENGTH.is_seed


@pytest.mark.parametrize(
    ("label", "option"),
    [("Size of creatures", "creature_size"), ("Fine detail", "detail"), ("Colour", "colour")],
)
def test_the_first_controls_of_the_picture_are_there(label: str, option: str) -> None:
    (slider,) = [each for each in SLIDERS if each.label == label]
    assert (slider.group, slider.name, slider.kinds) == ("dream", option, KINDS)
    assert slider.value_in(Look(), -1) == getattr(Look().dream, option)


def test_what_a_look_leaves_open_stands_where_it_is_derived() -> None:
    assert OCTAVES.value_in(Look(), 4.0) == 4
    assert OCTAVES.value_in(Choice().change(OCTAVES, 2).look, 4.0) == 2


def test_numbers_of_another_kind_of_render_wait_for_it() -> None:
    still = Choice(kind="image").change(SPEED, 2.0)
    assert still.look == Look()
    assert replace(still, kind="zoom").look.zoom.rate == 2.0


def test_a_number_that_changes_is_shown_as_it_begins() -> None:
    choice = Choice(kind="zoom").with_text("zoom.rate", "end:2, 0:1.2")
    assert SPEED.value_in(choice.look, 1.5) == 1.2
    assert STRENGTH.value_in(Choice(preset="breathing").look, 1) == pytest.approx(1.0)


def test_a_new_look_forgets_what_was_changed_of_the_last_one() -> None:
    choice = Choice(kind="zoom").change(STRENGTH, 0.5).change(SPEED, 2.0).with_preset("fur")
    assert choice.look.dream.strength == 1.0
    assert choice.look.zoom.rate == 2.0


def test_going_back_to_a_look_brings_its_changes_back() -> None:
    eyes = Choice(kind="zoom", preset="eyes").change(STRENGTH, 0.5).change(SPEED, 2.0)
    fur = eyes.with_preset("fur").change(STRENGTH, 1.5).change(SPEED, 3.0)
    assert fur.set_aside == {"eyes": {"dream.strength": 0.5}}
    back = fur.with_preset("eyes")
    assert back.changes == {"dream.strength": 0.5, "zoom.rate": 3.0}
    assert back.with_preset("fur").changes == {"dream.strength": 1.5, "zoom.rate": 3.0}
    # What was set back is not brought back.
    assert back.change(STRENGTH, None).with_preset(None).set_aside == {
        "fur": {"dream.strength": 1.5}
    }


def test_a_slider_reaches_the_looks_own_number() -> None:
    classic = Choice(preset="classic")
    assert classic.most(STEPS) == classic.look.dream.steps == 100
    assert Choice().most(STEPS) == STEPS.high
    assert classic.change(STEPS, 90).look.dream.steps == 90
    assert classic.change(STEPS, 900).look.dream.steps == 100
    assert Choice().change(STEPS, 90).look.dream.steps == STEPS.high


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda each: each.key)
def test_every_slider_says_what_turning_it_does(slider: Slider) -> None:
    assert slider.help
    with_low, with_high = (
        Choice(kind=slider.kinds[0]).change(slider, at).look for at in (slider.low, slider.high)
    )
    assert with_low != with_high


def test_a_schedule_is_a_change_and_its_own_number_resets_it() -> None:
    choice = Choice(kind="video").with_text("dream.strength", "0:0, 2s:1.5")
    assert choice.look.over_time == {"dream.strength": "0:0, 2s:1.5"}
    assert choice.arguments("a.mp4", "b.mp4")[2:4] == ["--strength", "0:0, 2s:1.5"]
    assert list_changes(choice) == ["Strength 0:0, 2s:1.5"]
    # A still does not change over time.
    assert replace(choice, kind="image").look == Look()
    assert choice.with_text("dream.strength", " 1 ").changes == {"dream.strength": 1}
    assert choice.with_text("dream.strength", "").changes == {}
    assert choice.change(STRENGTH, 0.5).look.over_time == {}
    for text, said in (("0:9", "--strength: values must be"), ("0:x(", "--strength")):
        with pytest.raises(UsageError, match=said):
            choice.with_text("dream.strength", text)


def test_a_mask_belongs_to_the_source_and_not_to_a_look() -> None:
    masked = Choice(preset="eyes").with_change(MASK, "/m.png").with_change("mask.invert", True)
    assert masked.with_preset("fur").changes == masked.changes
    assert masked.arguments("a.png", "b.png")[4:7] == ["--mask", "/m.png", "--invert"]
    assert "--mask" not in replace(masked, kind="zoom").arguments("a.png", "b.mp4")


def test_values_below_zero_are_no_options() -> None:
    choice = Choice(kind="zoom").change(ROTATE, -5)
    assert "--rotate=-5" in choice.arguments("a.jpg", "b.mp4")


def test_a_source_that_looks_like_an_option_is_a_file() -> None:
    assert shlex.split(Choice().command("-y.jpg", "o.png"))[2] == "./-y.jpg"


def test_an_unknown_preset_is_told() -> None:
    with pytest.raises(UsageError, match="no preset 'nothing'"):
        _ = Choice(preset="nothing").look


@pytest.mark.parametrize(
    ("source", "kind", "number", "name"),
    [
        ("a/cat.jpg", "image", 1, "cat-dream.png"),
        ("clip.MOV", "video", 2, "clip-dream-2.mp4"),
        ("cat.jpg", "zoom", 1, "cat-zoom.mp4"),
    ],
)
def test_outputs_are_named_after_their_source(
    source: str, kind: Kind, number: int, name: str
) -> None:
    assert Choice(kind=kind).output_name(source, number) == name
