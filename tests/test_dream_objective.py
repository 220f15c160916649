"""Objectives of one's own: combined with the built-in ones, climbed, and refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dreaming import cat

from dreamvideo import DreamObjective, DreamVideoError, dream, dream_frames, zoom_frames
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.objectives import layer_mean, mean_of_channels
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.settings import DreamSettings

SETTINGS = DreamSettings(steps=3, octaves=1, layers="block3")


def own_mean(activations: Any) -> Any:
    return tensorflow().reduce_mean(activations["block1"])


def own_channel(activations: Any) -> Any:
    # Any name that --layers takes will do.
    return tensorflow().reduce_mean(activations["b2"][..., 5])


def climb(objective: Any) -> tuple[Any, tuple[float, ...]]:
    made = Dreamer(SETTINGS, objective=objective).dream(cat(48, 64))
    return made.image, made.losses


def test_a_callable_is_climbed_like_the_built_in_objective_of_the_same_value() -> None:
    image, losses = climb(DreamObjective(own_mean))
    expected, before = climb(layer_mean("block1"))
    assert np.allclose(losses, before, rtol=1e-5) and losses == tuple(sorted(losses))
    assert np.abs(image - expected).max() < 1e-4


def test_sums_and_multiples_are_those_of_their_parts() -> None:
    own = 2 * DreamObjective(own_mean) + own_channel - 0.5 * DreamObjective.layers("block3:0.5")
    image, losses = climb(own)
    channel = mean_of_channels("block2_expand", [5], 144)
    expected, before = climb(layer_mean("block1") * 2 + channel + layer_mean("block3") * -0.25)
    assert np.allclose(losses, before, rtol=1e-4)
    assert np.abs(image - expected).max() < 1e-3
    both = sum([DreamObjective(own_mean)] * 2)
    assert isinstance(both, DreamObjective) and [w for w, _ in (-both).parts] == [-1, -1]
    assert [w for w, _ in (own_channel + DreamObjective(own_mean) * np.float32(0.5)).parts] == [
        1,
        0.5,
    ]


def test_arrays_are_dreamt_by_it() -> None:
    image = np.rint((cat(32, 32) + 1) * 127.5).astype(np.uint8)
    quick: dict[str, Any] = {"steps": 1, "octaves": 1}
    made = dream(image, objective=own_mean, **quick)
    assert np.array_equal(made, dream(image, objective=DreamObjective(own_mean), **quick))
    assert not np.array_equal(made, dream(image, layers="block1", strength=0, **quick))
    (first, _) = dream_frames([image, image], objective=own_mean, **quick)
    assert np.array_equal(first, made)
    (start,) = zoom_frames(image, objective=own_mean, seconds=0.1, fps=10, **quick)
    assert np.array_equal(start, made)


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda a: a["blok1"], "has no layer 'blok1': did you mean"),
    (lambda a: a["block1"], "it must return a scalar tensor, not one of 1 x "),
    (lambda a: "much", "it must return a scalar tensor, not a str"),
    (lambda a: None, "it must return a scalar tensor, not a NoneType"),
    (lambda a: 3.0, "does not depend on the picture"),
]


@pytest.mark.parametrize(("value", "said"), WRONG)
def test_what_is_no_objective_is_said(value: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(DreamVideoError) as caught:
        dream(np.zeros((32, 32, 3), np.uint8), objective=value)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_cannot_be_combined_is_said() -> None:
    own = DreamObjective(own_mean)
    calls: list[Callable[[], Any]] = [
        lambda: dream(np.zeros((32, 32, 3), np.uint8), objective="block1"),  # type: ignore[arg-type]
        lambda: DreamObjective.layers("block1:x"),
        lambda: DreamObjective.classes(3),  # type: ignore[arg-type]
        lambda: own * float("nan"),
    ]
    for call in calls:
        with pytest.raises(DreamVideoError, match=r"objective|layers|classes"):
            call()
    with pytest.raises(TypeError):
        own + 3  # type: ignore[operator]
