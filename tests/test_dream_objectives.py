"""Objectives: the algebra, and that three steps raise each."""

from __future__ import annotations

import numpy as np
import pytest
from dreaming import cat, still

from dreamvideo.dream import models
from dreamvideo.dream.ascent import Ascent
from dreamvideo.dream.objectives import Objective, layer_mean, weighted_layers

SHALLOW, DEEP = layer_mean("block3_expand"), layer_mean("block5_expand")
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
    ],
)
def test_objectives_add_and_scale(objective: Objective, value: float) -> None:
    assert float(objective.value(ACTIVATIONS)) == pytest.approx(value)


def test_a_sum_needs_the_layers_of_all_its_parts() -> None:
    assert (SHALLOW - 2 * DEEP).layers == {"block3_expand", "block5_expand"}
    assert SHALLOW.layers == {"block3_expand"}


@pytest.mark.parametrize(
    "objective",
    [
        SHALLOW,
        DEEP,
        -DEEP,
        SHALLOW + DEEP,
        DEEP - 0.5 * SHALLOW,
        weighted_layers([("block3_expand", 1.0), ("block5_expand", 0.5)]),
    ],
    ids=["shallow", "deep", "less", "sum", "difference", "weighted"],
)
def test_three_steps_raise_every_objective(objective: Objective) -> None:
    ascent = Ascent(models.load("efficientnet-lite0").forward, objective)
    _, losses = ascent.climb(cat(64, 80), 0.01, still(4))
    assert losses[0] < losses[1] < losses[2] < losses[3]
