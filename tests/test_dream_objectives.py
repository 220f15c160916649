"""Objectives: the algebra, what each is, and that three steps raise it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from dreaming import Image, cat, noise, still

from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.guide import ActivationProbe, channel_shares, guide_features
from dreamvideo.dream.objectives import (
    Objective,
    chosen_name,
    distance,
    dream_class,
    gate,
    guide_name,
    layer_l2,
    layer_mean,
    match_guide,
    mean_of_channels,
    pick_strongest,
    place_map,
    place_name,
    recognise_classes,
    total_variation,
    weigh_place,
    weigh_terms,
    weighted_layers,
)
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.step import Step

NETWORK = models.load("efficientnet-lite0")
SHALLOW, DEEP = layer_mean("block3_expand"), layer_mean("block5_expand")
WIDE, EXPANDED, NARROW = 144, 240, 80
KERNEL = models.find_classifier(NETWORK, "efficientnet-lite0").kernel
TABBY = KERNEL[:, 281]
ACTIVATIONS = {
    "block3_expand": np.full((1, 2, 2, 3), 2.0, np.float32),
    "block5_expand": np.asarray([[[[1.0, 2.0], [3.0, 6.0]]]], np.float32),
}


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        (SHALLOW, 2),
        (DEEP, 3),
        (SHALLOW + DEEP, 5),
        (SHALLOW - DEEP, -1),
        (-DEEP, -3),
        (SHALLOW * 0.5, 1),
        (0.5 * SHALLOW, 1),
        (2 * (SHALLOW + DEEP) - DEEP * 3, 1),
        (weighted_layers([("block3_expand", 1.5), ("block5_expand", -1)]), 0),
        (layer_l2("block5_expand"), 12.5),
        (mean_of_channels("block5_expand", [1], 2), 4),
        (mean_of_channels("block5_expand", [0, 1], 2), 3),
        (mean_of_channels("block5_expand", [0], 2, mode="l2"), 5),
    ],
)
def test_objectives_add_and_scale(objective: Objective, value: float) -> None:
    assert float(objective.value(ACTIVATIONS)) == pytest.approx(value)


def test_a_sum_needs_what_all_its_parts_need() -> None:
    assert (SHALLOW - 2 * DEEP).layers == {"block3_expand", "block5_expand"}
    assert SHALLOW.layers == {"block3_expand"}
    whole = SHALLOW + match_guide("block5", NARROW) - total_variation() * 0.5 - distance()
    assert whole.layers == {"block3_expand", "block5", "image", "source"}
    assert whole.extras == {("guide:block5", (None, NARROW)), ("source", (None, None, 3))}


def test_weights_of_a_climb_are_the_weights_of_its_parts() -> None:
    both = weigh_terms([SHALLOW, DEEP])
    for weights in ([1.0, 0.0], [0.25, -2.0]):
        told = {**ACTIVATIONS, "weights": np.asarray(weights, np.float32)}
        expected = weights[0] * 2 + weights[1] * 3
        assert float(both.value(told)) == pytest.approx(expected)


def test_a_place_is_a_spot_of_the_picture() -> None:
    spot = place_map((0.25, 0.75), 81, 121)[..., 0]
    assert spot.argmax() == 60 * 121 + 30
    assert spot.mean() == pytest.approx(1, rel=1e-4)
    assert 20 < spot.max() < 200


def test_the_variation_is_the_mean_difference_of_neighbours() -> None:
    image = noise(20, 30)
    found = float(total_variation().value({"image": tensorflow().constant(image[None])}))
    differences = [np.abs(np.diff(image, axis=axis)).mean() for axis in (0, 1)]
    assert found == pytest.approx(40 * sum(differences), rel=0.02)


def test_a_guided_place_follows_the_feature_with_the_largest_dot_product() -> None:
    random = np.random.default_rng(0)
    seen = random.normal(size=(1, 5, 7, 6)).astype(np.float32)
    features = random.normal(size=(11, 6)).astype(np.float32)
    expected = (seen.reshape(-1, 6) @ features.T).max(1).mean() / 6
    told = {"block5": tensorflow().constant(seen), "guide:block5": features}
    assert float(match_guide("block5", 6).value(told)) == pytest.approx(expected, rel=1e-5)


def test_what_is_recognised_is_how_far_the_entropy_is_below_that_of_a_guess() -> None:
    random = np.random.default_rng(0)
    seen = random.normal(size=(1, 5, 7, 6)).astype(np.float32)
    kernel = random.normal(size=(6, 11)).astype(np.float32)
    entropies = []
    for y in range(0, 5, 2):
        for x in range(0, 7, 2):
            around = seen[0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean((0, 1))
            logits = np.exp(around @ kernel)
            shares = logits / logits.sum()
            entropies.append(-(shares * np.log(shares)).sum())
    objective = recognise_classes("head", kernel)
    told = {"head": tensorflow().constant(seen)}
    assert float(objective.value(told)) == pytest.approx(np.log(11) - np.mean(entropies), rel=1e-5)
    assert float(objective.value({"head": 0 * told["head"]})) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("opened", [0.0, 1.0])
def test_a_gated_objective_pulls_like_the_one_behind_it_and_leaves_the_value(
    opened: float,
) -> None:
    tf = tensorflow()
    seen = tf.constant(np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3))

    def advance(value: Any, wanted: Sequence[str]) -> dict[str, Any]:
        return dict.fromkeys(wanted, tf.sin(value))

    plain = layer_l2("block7")
    gated = gate(plain, "block5", advance)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(seen)
        pulled = gated.value({"block5": seen, "gate": tf.constant(opened)})
        reached = plain.value(advance(seen, ["block7"]))
    assert float(pulled) == 0 < float(reached)
    expected = opened * tape.gradient(reached, seen).numpy()
    np.testing.assert_allclose(tape.gradient(pulled, seen).numpy(), expected, rtol=1e-6)


@cache
def seen_in(layer: str) -> Image:
    return ActivationProbe(NETWORK.forward, [layer])(noise(96, 96, seed=3))[layer]


def extras_of(objective: Objective, height: int, width: int) -> Mapping[str, Any]:
    """What any objective may ask for, for a picture of that size."""
    every = {
        place_name((0.5, 0.4)): place_map((0.5, 0.4), height, width),
        chosen_name("block5_expand", "weak"): channel_shares(seen_in("block5_expand"), "weak"),
        guide_name("block5"): guide_features(seen_in("block5")),
        "source": noise(height, width),
        "weights": np.asarray([1, -0.5], np.float32),
    }
    return {name: every[name] for name, _ in objective.extras}


OBJECTIVES = {
    "shallow": SHALLOW,
    "deep": DEEP,
    "less": -DEEP,
    "sum": SHALLOW + DEEP,
    "difference": DEEP - 0.5 * SHALLOW,
    "weighted": weighted_layers([("block3_expand", 1.0), ("block5_expand", 0.5)]),
    "squares": layer_l2("block5_expand"),
    "channel": mean_of_channels("block5_expand", [4], EXPANDED),
    "channels": mean_of_channels("block5_expand", range(12, 21), EXPANDED),
    "squares of channels": mean_of_channels("block5_expand", [3, 4], EXPANDED, mode="l2"),
    "neuron": weigh_place("block5_expand", [4], EXPANDED, (0.5, 0.4)),
    "weakest": pick_strongest("block5_expand", "weak", EXPANDED),
    "class": dream_class("head", TABBY),
    "no such class": -dream_class("head", TABBY),
    "guide": match_guide("block5", NARROW),
    "not the guide": -match_guide("block5", NARROW),
    "variation": total_variation(),
    "calm": -total_variation(),
    "near": -distance(),
    "far": distance(),
    "weighed": weigh_terms([DEEP, SHALLOW]),
    "all": DEEP + 0.1 * dream_class("head", TABBY) - 0.01 * total_variation() - 0.01 * distance(),
}


@pytest.mark.sample(6)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_three_steps_raise_every_objective(objective: Objective) -> None:
    ascent = GradientAscent(NETWORK.forward, objective)
    extras = extras_of(objective, 64, 80)
    _, losses = ascent.climb(cat(64, 80) * 0.8, 0.01, still(4), extras=extras)
    assert losses[0] < losses[1] < losses[2] < losses[3]


def test_a_neuron_stays_at_its_place_however_the_picture_is_rolled() -> None:
    objective = weigh_place("block3_expand", range(WIDE), WIDE, (0.25, 0.5))
    ascent = GradientAscent(NETWORK.forward, objective)
    image = cat(96, 128)
    extras = {place_name((0.25, 0.5)): place_map((0.25, 0.5), 96, 128)}
    shifts = np.asarray([[20, 30], [-17, 40], [0, -25], [31, 7]], np.int32)
    moved = np.abs(ascent.climb(image, 0.01, shifts, extras=extras)[0] - image).sum(-1)
    column = int(np.average(np.arange(128), weights=moved.sum(0)))
    row = int(np.average(np.arange(96), weights=moved.sum(1)))
    assert abs(column - 32) < 8 and abs(row - 48) < 8
    assert moved[:, 90:].max() < 1e-4 * moved.max()


def test_a_place_is_asked_for_in_the_same_words_by_step_and_objective() -> None:
    objective = weigh_place("block5", [1], NARROW, (0.5, 0.5)) - distance()
    spec = Step(NETWORK.forward, objective).extras_spec
    assert {name: tuple(each.shape) for name, each in spec.items()} == {
        "place:0.5x0.5": (None, None, 1),
        "source": (None, None, 3),
    }


def test_thirds_of_the_channels_share_them_out() -> None:
    seen = seen_in("block5_expand")
    order = np.argsort(-seen.mean((0, 1)), kind="stable")
    thirds = [channel_shares(seen, third) for third in ("strong", "average", "weak")]
    np.testing.assert_allclose([third.sum() for third in thirds], 1, rtol=1e-5)
    assert [int((third > 0).sum()) for third in thirds] == [80, 80, 80]
    assert (np.sum(thirds, 0) > 0).all()
    assert thirds[0][order[0]] > 0 and thirds[2][order[-1]] > 0
