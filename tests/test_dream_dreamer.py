"""The dreamer: settings become a goal, a look changes over time with one compilation."""

from __future__ import annotations

import numpy as np
import pytest
from dreaming import Image, cat, noise

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.guide import ActivationProbe
from dreamvideo.dream.models import DEFAULT_MODEL, REGISTRY, find_classifier, load
from dreamvideo.dream.objectives import (
    distance,
    layer_mean,
    recognise_classes,
    total_variation,
)
from dreamvideo.errors import UsageError
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings

SMALL = DreamSettings(layers="block3_expand", octaves=1, steps=4, jitter=4)


def test_a_look_of_layers_alone_has_nothing_else_compiled() -> None:
    dreamer = Dreamer(DreamSettings())
    assert dreamer.terms == (
        "block11_expand:rms",
        "block9_expand:rms",
        "block10_expand:rms",
        "block12_expand:rms",
        "block13_expand:rms",
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("block5#80", "layer block5 has no channel 80: they are numbered 0 to 79"),
        ("b5#1-300", "layer block5_expand has no channel 300: they are numbered 0 to 239"),
        ("b77", "efficientnet-lite0 has no layer 'b77'"),
        ("b5:12-20:strong", "strong finds its channels itself, everywhere: write b5:strong"),
        ("b5@0.5x0.5:weak", "weak finds its channels itself"),
        ("b5 -> 4s: blok8", "efficientnet-lite0 has no layer 'blok8': did you mean"),
    ],
)
def test_mistakes_in_layers_name_the_layer(layers: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Dreamer(DreamSettings(layers=layers))


def test_short_names_are_the_layers_that_they_are_short_for() -> None:
    image = noise(48, 64)
    dreams = [
        Dreamer(SMALL.model_copy(update={"layers": name})).dream(image).image
        for name in ("b3", "block3_expand")
    ]
    np.testing.assert_array_equal(dreams[0], dreams[1])
    # Block 0 has no expansion.
    assert Dreamer(SMALL.model_copy(update={"layers": "b0"})).dream(image).losses


def test_channels_that_are_raised_are_raised_more_than_others() -> None:
    image = cat(64, 80)
    sight = ActivationProbe(load("efficientnet-lite0").forward, ["block3_expand"])

    def means(pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> object:
        return sight(pixels)["block3_expand"].mean((0, 1))

    dreamer = Dreamer(SMALL.model_copy(update={"layers": "b3#20-29"}))
    change = np.asarray(means(dreamer.dream(image).image)) - np.asarray(means(image))
    others = np.delete(change, range(20, 30))
    assert change[20:30].mean() > others.mean() + 3 * others.std() / np.sqrt(10)


def test_layers_over_time_are_each_moments_own_layers_in_one_compilation() -> None:
    image = noise(64, 64)
    dreamer = Dreamer(SMALL.model_copy(update={"layers": "block3_expand -> 4s: block2,block1:0.5"}))
    for seconds, layers in ((0, "block3_expand"), (4, "block2,block1:0.5")):
        alone = Dreamer(SMALL.model_copy(update={"layers": layers}))
        there = dreamer.at(moment=TimePoint(seconds, 10))
        np.testing.assert_allclose(
            there.dream(image).image, alone.dream(image).image, atol=2e-3, err_msg=layers
        )
    between = dreamer.at(moment=TimePoint(2, 10)).dream(image).image
    assert np.abs(between - dreamer.dream(image).image).mean() > 1e-3
    assert dreamer.traces == 1


def test_a_moments_settings_hold_at_that_moment_alone() -> None:
    dreamer = Dreamer(SMALL)
    image = noise(48, 64)
    before = dreamer.dream(image).image
    settings = SMALL.model_copy(update={"steps": 2, "seed": 3, "step_size": 0.05, "octaves": 2})
    there = dreamer.at(settings)
    assert there.schedule(48, 64).total == 4
    np.testing.assert_array_equal(there.dream(image).image, Dreamer(settings).dream(image).image)
    np.testing.assert_array_equal(dreamer.dream(image).image, before)


def test_closing_steps_make_creatures_that_the_network_is_surer_of() -> None:
    network, image = load("efficientnet-lite0"), cat(96, 128)
    kernel = find_classifier(network, "efficientnet-lite0").kernel
    settings = DreamSettings(octaves=1, steps=8, jitter=8)
    vague, sure = Dreamer(settings.model_copy(update={"certainty": 0.0})), Dreamer(settings)

    def certainty(picture: Image) -> float:
        seen = network.forward(picture[None], ["head"])
        return float(recognise_classes("head", kernel).value(seen))

    assert certainty(sure.dream(image).image) > certainty(vague.dream(image).image) + 0.2
    # It is the last steps that do it, of a whole dream.
    few = settings.model_copy(update={"steps": 4})
    for before, after in (
        (vague.dream(image, steps=2), sure.dream(image, steps=2)),
        (vague.at(few).dream(image), sure.at(few).dream(image)),
    ):
        np.testing.assert_array_equal(before.image, after.image)


@pytest.mark.integration
def test_layers_of_ones_own_are_all_that_is_dreamt() -> None:
    image = cat(64, 80)
    settings = DreamSettings(layers="block11_expand", octaves=1, steps=8)
    vague = settings.model_copy(update={"certainty": 0.0})
    np.testing.assert_array_equal(
        Dreamer(settings).dream(image).image, Dreamer(vague).dream(image).image
    )


@pytest.mark.integration
def test_the_networks_own_layers_may_be_written_out() -> None:
    image = cat(64, 80)
    settings = DreamSettings(octaves=1, steps=8)
    written = settings.model_copy(
        update={"layers": ",".join(REGISTRY[DEFAULT_MODEL].default_layers)}
    )
    np.testing.assert_array_equal(
        Dreamer(settings).dream(image).image, Dreamer(written).dream(image).image
    )


@pytest.mark.integration
def test_fidelity_holds_a_dream_to_its_source() -> None:
    image = cat(64, 80)

    def distance_at(fidelity: float) -> float:
        settings = SMALL.model_copy(update={"fidelity": fidelity, "steps": 10})
        return float(np.square(Dreamer(settings).dream(image).image - image).mean())

    free, near = distance_at(0), distance_at(2)
    assert near < 0.5 * free
    # A dream that was carried is pulled to the picture that it is of, not to itself.
    dreamer = Dreamer(SMALL.model_copy(update={"fidelity": 100.0}))
    begun = np.clip(image + 0.3 * noise(64, 80), -1, 1)
    back = dreamer.at(source=image).dream(begun).image
    assert np.square(back - image).mean() < 0.8 * np.square(begun - image).mean()


def test_less_variation_is_less_variation() -> None:
    image = cat(64, 80)

    def variation(tv: float) -> float:
        dreamt = Dreamer(SMALL.model_copy(update={"tv": tv})).dream(image).image
        return float(np.abs(np.diff(dreamt, axis=1)).mean())

    assert variation(1.0) < 0.8 * variation(0.0)


def test_what_is_zero_at_first_may_grow() -> None:
    image = cat(64, 80)
    dreamer = Dreamer(SMALL, varying={"tv", "fidelity", "step_size"})
    assert dreamer.terms == ("block3_expand", "tv", "fidelity")
    settings = SMALL.model_copy(update={"tv": 1.0})
    later = dreamer.at(settings).dream(image).image
    np.testing.assert_allclose(later, Dreamer(settings).dream(image).image, atol=2e-3)
    assert dreamer.traces == 1


def test_an_objective_of_ones_own_is_climbed() -> None:
    image = cat(64, 80)
    own = layer_mean("block3_expand") - 0.02 * total_variation() - 0.02 * distance()
    dreamt = Dreamer(SMALL, objective=own).dream(image)
    assert dreamt.losses[-1] > dreamt.losses[0]
