from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import Cli, pixels_of
from zooms import Picture, Restless, Sleeper, part, soft

from dreamvideo.dream.octaves import Dream
from dreamvideo.errors import UsageError
from dreamvideo.media.stills import read_still
from dreamvideo.render.zoom.prepare import prepare_zoom
from dreamvideo.render.zoom.render import dream_zoom
from dreamvideo.render.zoom.stages import find_stage_starts, make_stage_dreamers, stage_weights
from dreamvideo.settings import (
    DreamSettings,
    Look,
    Stage,
    ZoomSettings,
    look_to_toml,
    make_look,
    preset_paths,
)
from dreamvideo.settings.derive import derive_dream

QUICK = ("--steps", "1", "--octaves", "1", "--size", "64x48", "--fps", "10", "--seconds", "0.6")
JOURNEY = """
[dream]
layers = "block1"
steps = 1
octaves = 1

[[journey]]

[[journey]]
layers = "block2"
at = "50%"
fade = 0.2
"""


def test_stages_are_spread_evenly_unless_they_say_when() -> None:
    assert find_stage_starts([Stage(), Stage(), Stage()], 9) == (0, 3, 6)
    assert find_stage_starts([Stage(), Stage(at="2s"), Stage(at="50%")], 8) == (0, 2, 4)
    assert find_stage_starts([Stage(at="0")], 8) == (0,)


@pytest.mark.parametrize("times", [("1s", None), (None, "9s"), (None, "4s", "2s")])
def test_stages_follow_one_another_within_the_film(times: tuple[str | None, ...]) -> None:
    with pytest.raises(UsageError, match="journey"):
        find_stage_starts([Stage(at=time) for time in times], 8)


@given(st.floats(0, 9), st.floats(0, 6), st.booleans())
def test_shares_sum_to_one(seconds: float, fade: float, closed: bool) -> None:
    parts = [part(Sleeper(), begins, fade) for begins in (0.0, 3.0, 6.0)]
    found = stage_weights(parts, seconds, 9.0, closed)
    assert sum(found) == pytest.approx(1)
    assert min(found) >= -1e-9


def test_one_stage_takes_over_from_the_other() -> None:
    parts = [part(Sleeper()), part(Sleeper(), 4.0, 2.0)]
    first = [stage_weights(parts, seconds, 8.0, False)[0] for seconds in (0, 2.9, 3.5, 4, 5.1, 8)]
    assert first[:2] == [1, 1] and first[4:] == [0, 0]
    assert 0.5 < first[2] < 1 and first[3] == pytest.approx(0.5)


def test_a_loop_returns_to_its_first_stage() -> None:
    parts = [part(Sleeper(), 0.0, 2.0), part(Sleeper(), 4.0, 2.0)]
    first = [stage_weights(parts, seconds, 8.0, True)[0] for seconds in (0, 1, 2, 6, 7, 7.999)]
    assert first == pytest.approx([0.5, 1, 1, 0, 0, 0.5], abs=0.01)


def test_each_part_works_in_its_time_and_both_in_between() -> None:
    one, other = Sleeper(), Sleeper()
    settings = ZoomSettings(seconds=4)
    parts = [part(one), part(other, 2.0, 1.0)]
    list(dream_zoom(prepare_zoom(soft(), parts, settings, Fraction(10))))
    fresh = 1
    assert len(one.work) - fresh < 27 and len(other.work) - fresh < 27
    assert len(one.work) + len(other.work) - 2 * fresh > 39 + 5
    total = sum(float(work.mean()) for work in [*one.work[1:], *other.work[1:]])
    alone = Sleeper()
    list(dream_zoom(prepare_zoom(soft(), [part(alone)], settings, Fraction(10))))
    assert total == pytest.approx(sum(float(work.mean()) for work in alone.work[1:]), rel=0.02)


def test_the_picture_takes_on_the_new_stage_s_character() -> None:
    class Red(Restless):
        def dream(self, image: Picture, *, frame: int = 0, **how: Any) -> Dream:
            made = super().dream(image, frame=frame, **how)
            tinted = np.clip(made.image + np.array([0.4, -0.2, -0.2]), -1, 1)
            return Dream(np.asarray(tinted, np.float32), made.losses)

    parts = [part(Restless()), part(Red(), 1.0, 0.5)]
    film = list(dream_zoom(prepare_zoom(soft(), parts, ZoomSettings(seconds=3), Fraction(10))))
    red = [float(frame.pixels[..., 0].mean()) for frame in film]
    assert abs(red[5] - red[1]) < 10
    assert red[-1] - red[1] > 30


def test_a_stage_lays_its_preset_over_the_look() -> None:
    own = DreamSettings(steps=5, step_size=0.01, seed=7)
    assert derive_dream(Stage(), own) == own
    fur = derive_dream(Stage(look="fur"), own)
    assert (fur.layers, fur.seed) == ("block10:l2", 7)
    assert derive_dream(Stage(look="fur", layers="block5"), own).layers == "block5"
    with pytest.raises(UsageError, match="no preset 'furr': choose fur"):
        derive_dream(Stage(look="furr"), own)
    with pytest.raises(UsageError, match="no preset ''"):
        derive_dream(Stage(look=""), own)


def test_a_dream_that_comes_back_is_loaded_once() -> None:
    look = Look(dream=DreamSettings(steps=1), journey=(Stage(), Stage(layers="block5"), Stage()))
    first, second, third = make_stage_dreamers(look, 96, 128)
    assert first.dreamer is third.dreamer is not second.dreamer


def test_a_journey_in_toml(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    preset = tmp_path / "journey.toml"
    preset.write_text(JOURNEY, "utf-8")
    look = make_look([str(preset)])
    assert look.journey == (Stage(), Stage(layers="block2", at="50%", fade=0.2))
    preset.write_text(look_to_toml(look), "utf-8")
    assert make_look([str(preset)]) == look
    out = tmp_path / "out.mp4"
    ended = cli("zoom", shelf / "photo.png", "--preset", preset, "-o", out, *QUICK)
    assert ended.code == 0
    assert len(pixels_of(out)) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[journey]]\nlok = 'fur'\n", "there is no setting 'journey.0.lok': did you mean look"),
        ("[[journey]]\nat = 'soon'\n", "journey.0.at: 'soon' is not a time"),
        ("[[journey]]\nlayers = ','\n", "journey.0.layers: a layer name is missing"),
        ("journey = 'fur'\n", "journey: "),
    ],
)
def test_mistakes_in_a_journey_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    preset = tmp_path / "journey.toml"
    preset.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        make_look([str(preset)])
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.integration
def test_the_command_travels_by_the_names_of_presets(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    photo, out = shelf / "photo.png", tmp_path / "out.gif"
    assert {"towers", "fur"} <= set(preset_paths())
    ended = cli("zoom", photo, "--journey", "towers, fur", "-o", out, *QUICK)
    assert ended.code == 0
    assert len(pixels_of(out)) == 6
    wrong = cli("zoom", photo, "--journey", "towers,furr", "-o", tmp_path / "no.gif", *QUICK)
    assert wrong.code == 2 and "no preset 'furr': choose fur" in wrong.err


def test_the_command_starts_from_a_clip_s_end_and_arrives(
    cli: Cli, shelf: Path, tmp_path: Path
) -> None:
    out = tmp_path / "frames"
    options = ("--to", shelf / "photo.png", "--rate", "9", "--layers", "block1", *QUICK)
    assert cli("zoom", shelf / "clip.mp4", "-o", out, *options).code == 0
    film = pixels_of(out)
    goal = read_still(shelf / "photo.png").astype(int)
    assert np.abs(film[-1] - goal).max() <= 1
