"""The balanced gradient, octaves by the size of creatures, their seed, and headroom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dreaming import Image, cat, noise
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.dream.dreamer import Dreamer, make_octave_schedule
from dreamvideo.dream.objectives import creature_shares, creatures_name, layer_channels
from dreamvideo.dream.octaves import CREATURE_SIDE, OctaveSchedule, count_octaves_for_size
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.shaping import (
    COLOUR,
    COLOUR_BANDS,
    LIGHT_BANDS,
    Shaping,
    balance_bands,
)
from dreamvideo.errors import UsageError
from dreamvideo.paint.headroom import SHADOWS, make_headroom
from dreamvideo.settings import DreamSettings, look_to_toml, make_look

SMALL = DreamSettings(layers="block3_expand", octaves=1, steps=4, jitter=4)
SIDES = st.integers(17, 5000)


def balanced(gradient: Image, colour: float = 1.0) -> Image:
    tf = tensorflow()
    found = balance_bands(tf.constant(gradient), tf.constant(colour, tf.float32))
    return np.asarray(found.numpy(), np.float32)


def light_and_colour(image: Image) -> tuple[Image, Image]:
    light = image.mean(-1, keepdims=True)
    return light, image - light


def wave(period: int, colour: bool, side: int = 256) -> Image:
    """A grating of light, or of red against green, as bright as the cosine of its place."""
    grating = np.cos(2 * np.pi * np.arange(side) / period)
    axis = np.array([1, -1, 0] if colour else [1, 1, 1])
    return np.asarray(np.broadcast_to(grating[:, None], (side, side))[..., None] * axis, np.float32)


def test_light_and_colour_of_each_size_have_their_weight_however_strong_they_came() -> None:
    gradient = noise(192, 256)
    found = balanced(gradient)
    # As strong as the weights together, whatever the strength of the gradient and its channels.
    louder = gradient * np.float32(1000)
    np.testing.assert_allclose(balanced(louder), found, atol=1e-3)
    light, colour = light_and_colour(found)
    tinted = gradient + np.float32(5) * light_and_colour(gradient)[1]
    tinted_light, tinted_colour = light_and_colour(balanced(tinted))
    assert tinted_light.std() == pytest.approx(light.std(), rel=1e-3)
    assert tinted_colour.std() == pytest.approx(colour.std(), rel=1e-3)


def test_white_noise_comes_out_with_the_energies_of_the_weights() -> None:
    light, colour = light_and_colour(balanced(noise(512, 512)))
    # Neighbouring bands overlap, which adds to their sum.
    for found, bands in ((light, LIGHT_BANDS), (colour, COLOUR_BANDS)):
        alone = np.sqrt(np.sum(np.square(bands)))
        assert 0.9 * alone < np.sqrt(np.square(found).mean()) < 1.8 * alone


@pytest.mark.parametrize("colour", [False, True])
def test_fine_waves_lose_against_coarse_ones(colour: bool) -> None:
    fine, coarse = wave(2, colour), wave(16, colour)
    found = balanced(fine + coarse)
    share = [float((found * each).sum() / (each * each).sum()) for each in (fine, coarse)]
    assert share[0] < (0.35 if colour else 0.85) * share[1]


def test_no_colour_leaves_light_and_more_colours_more() -> None:
    gradient = noise(96, 128)
    assert np.abs(light_and_colour(balanced(gradient, 0.0))[1]).max() < 1e-5
    once, twice = (light_and_colour(balanced(gradient, amount))[1] for amount in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, atol=1e-4)


def test_coarse_forms_stay_where_they_are() -> None:
    """Halving and doubling agree on where a pixel's centre is, also for odd sides."""
    for height, width in ((160, 160), (161, 159)):
        y, x = np.mgrid[:height, :width]
        spot = np.exp(-((y - height / 2) ** 2 + (x - width / 2) ** 2) / (2 * 12.0**2))
        found = balanced(np.repeat(spot[..., None], 3, -1).astype(np.float32)).mean(-1)
        peak = np.clip(found, 0.5 * found.max(), None) - 0.5 * found.max()
        centre = (peak * y).sum() / peak.sum(), (peak * x).sum() / peak.sum()
        assert centre == pytest.approx((height / 2, width / 2), abs=0.75)


def test_an_empty_gradient_stays_empty() -> None:
    assert not balanced(np.zeros((40, 56, 3), np.float32)).any()


def test_only_a_balance_asks_for_the_colour() -> None:
    assert Shaping(opponent=True).extras == frozenset([(COLOUR, ())])
    assert Shaping(opponent=True, levels=3).extras == frozenset()


def test_colour_changes_over_time_without_a_new_compilation() -> None:
    dreamer, image = Dreamer(SMALL), cat(64, 80)
    grey, rich = (
        dreamer.at(SMALL.model_copy(update={"colour": amount})).dream(image).image - image
        for amount in (0.0, 2.0)
    )
    assert dreamer.traces == 1
    assert light_and_colour(grey)[1].std() < 0.3 * light_and_colour(rich)[1].std()


@given(SIDES, SIDES, st.floats(1.1, 2.5), st.floats(0.05, 1))
def test_the_largest_forms_are_the_same_share_of_every_picture(
    height: int, width: int, scale: float, size: float
) -> None:
    octaves, ratio = count_octaves_for_size(height, width, scale, size)
    coarsest = min(height, width) / ratio ** (octaves - 1)
    if min(height, width) * size <= CREATURE_SIDE:
        assert octaves == 1
    elif octaves < 16:
        assert coarsest * size == pytest.approx(CREATURE_SIDE, rel=1e-6)
    assert 1 <= octaves <= 16


def test_more_pixels_add_octaves_and_leave_the_coarsest() -> None:
    sizes = [make_octave_schedule(DreamSettings(), 9 * n, 16 * n).sizes for n in (30, 60, 120)]
    assert len({each[0] for each in sizes}) == 1
    assert [len(each) for each in sizes] == sorted({len(each) for each in sizes})


def test_fine_octaves_take_fewer_steps_and_a_carried_dream_shares_its_work_alike() -> None:
    sizes = tuple((n, n) for n in (40, 50, 60, 70, 80, 90, 100, 110))
    full = OctaveSchedule(sizes, 14, 0.025, 32, seed=0, detail=0.6)
    assert [steps for steps, _ in full.octave_steps] == [14, 14, 14, 14, 8, 5, 3, 2]
    assert {size for _, size in full.octave_steps} == {0.025}
    few = OctaveSchedule(sizes, 3, 0.025, 32, seed=0, detail=0.6, full=14)
    assert [steps for steps, _ in few.octave_steps] == [3, 3, 3, 3, 2, 1, 1, 1]
    for (steps, size), (wanted, whole) in zip(few.octave_steps, full.octave_steps, strict=True):
        assert steps * size == pytest.approx(3 / 14 * wanted * whole)
    flat = OctaveSchedule(sizes, 5, 0.025, 32, seed=0)
    assert flat.total == 5 * len(sizes) and set(flat.octave_steps) == {(5, 0.025)}


@pytest.mark.parametrize("mode", ["rms", "log"])
def test_a_channels_pull_falls_as_it_is_raised(mode: str) -> None:
    tf = tensorflow()
    seen = tf.constant(np.array([1.0, 4.0], np.float32).reshape(1, 1, 1, 2))
    told = {"layer": seen, creatures_name("layer"): tf.constant([0.5, 0.5])}
    with tf.GradientTape() as tape:
        tape.watch(seen)
        value = layer_channels("layer", mode, 2).value(told)
    expected = {"rms": 2.5, "log": np.log(16) / 2}[mode]
    assert float(value) == pytest.approx(expected, rel=0.01)
    weak, strong = tape.gradient(value, seen).numpy().ravel()
    assert weak == pytest.approx({"rms": 0.5, "log": 1.0}[mode], rel=0.02)
    assert strong == pytest.approx({"rms": 0.5, "log": 0.25}[mode], rel=0.02)


def test_a_seed_of_creatures_takes_a_quarter_of_the_channels() -> None:
    even = creature_shares("block3_expand", 144, 0)
    np.testing.assert_array_equal(even, np.full(144, np.float32(1 / 144)))
    several = [creature_shares("block3_expand", 144, seed) for seed in range(1, 5)]
    for share in several:
        assert (share > 0).sum() == 36 and share.sum() == pytest.approx(1)
    assert len({share.tobytes() for share in several}) == 4
    np.testing.assert_array_equal(several[0], creature_shares("block3_expand", 144, 1))
    assert not np.array_equal(several[0], creature_shares("block4_expand", 144, 1))


@pytest.mark.sample(1)
@pytest.mark.parametrize("layers", ["block3_expand:rms", "block3_expand:l2", "block3_expand"])
def test_other_creatures_are_another_dream(layers: str) -> None:
    image, settings = cat(64, 80), SMALL.model_copy(update={"layers": layers})
    dreams = [
        Dreamer(settings.model_copy(update={"creatures": seed})).dream(image).image
        for seed in (0, 1, 2, 1)
    ]
    np.testing.assert_array_equal(dreams[1], dreams[3])
    for one, other in ((0, 1), (1, 2)):
        assert np.abs(dreams[one] - dreams[other]).mean() > 0.005


def test_channels_are_compared_in_a_whole_layer_only() -> None:
    with pytest.raises(UsageError, match="rms compares the channels of a whole layer: write b5"):
        Dreamer(DreamSettings(layers="b5#1@0.5x0.5:rms"))


def test_white_and_black_give_way_and_what_lies_between_does_not() -> None:
    grey = np.linspace(-1, 1, 201, dtype=np.float32)
    ramp = np.repeat(grey[None, :, None], 3, -1)
    found = make_headroom(ramp, 0.2)[0, :, 0]
    assert found[-1] == pytest.approx(0.8) and found[0] == pytest.approx(-1 + 0.2 * SHADOWS)
    assert (np.diff(found) > 0).all(), "the order of tones stays"
    middle = np.abs(grey) <= 0.4
    np.testing.assert_array_equal(found[middle], grey[middle])


@given(st.floats(0, 0.5))
def test_headroom_stays_in_range_and_none_changes_nothing(amount: float) -> None:
    image = noise(16, 20) * np.float32(3)
    image = np.clip(image, -1, 1)
    found = make_headroom(image, amount)
    assert np.abs(found).max() <= 1
    assert amount or found is image
    mask = np.zeros((16, 20), np.float32)
    mask[:, 10:] = amount
    np.testing.assert_array_equal(make_headroom(image, mask)[:, :10], image[:, :10])


EARLIER = """description = ""

[dream]
model = "efficientnet-lite0"
octave_scale = 1.4
steps = 12
step_size = 0.025
jitter = 32
smooth = 0.0
laplacian = 0
norm = "std"
tv = 0.0
fidelity = 0.0
strength = 1.0
seed = 0

[coherence]
coherence = 0.8
refresh = 1
cadence = 1
passes = 1
leak = 0.1
cut_threshold = 0.52
"""


def test_a_whole_look_from_before_there_was_a_balance_renders_as_before(tmp_path: Path) -> None:
    path = tmp_path / "earlier.toml"
    path.write_text(EARLIER, "utf-8")
    plates = make_look(["plates"]).model_copy(update={"description": ""})
    assert make_look([str(path)]) == plates
    # A part of a look goes over today's defaults, and so does a whole one of today.
    path.write_text("[dream]\nsteps = 12\n", "utf-8")
    assert make_look([str(path)]).dream == DreamSettings(steps=12)
    today = look_to_toml(make_look())
    path.write_text(today, "utf-8")
    assert make_look([str(path)]) == make_look()
    # One that did not know of certainty had none.
    path.write_text(today.replace("certainty = 1.0\n", ""), "utf-8")
    assert make_look([str(path)]).dream == DreamSettings(certainty=0)
