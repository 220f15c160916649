"""The compiled step against the recipe's formulas, on InceptionV3 with weights the test saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from dreaming import Image, cat, noise, reference_climb, still

from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import layer_mean, weighted_layers
from dreamvideo.dream.octaves import draw_jitter
from dreamvideo.dream.runtime import tensorflow

LAYERS = ("mixed3", "mixed5")
RANGE = 2.0
# Keras's own way with NumPy 2, of no interest here.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@dataclass(frozen=True)
class Reference:
    """The classic loss of a Keras model, written out, and the same network as we load it."""

    loss_of: Callable[[Any], Any]
    ascent: GradientAscent


def mostly_positive(kernel: Any) -> Any:
    raised = kernel + 0.95 * np.abs(kernel)
    return 1.5 * raised / raised.sum((0, 1, 2), keepdims=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """InceptionV3 whose random kernels keep every unit away from its ReLU's kink.

    A unit that rounding puts on the kink's other side bends the path from there on, so that two
    correct climbs would part for good.
    """
    tf = tensorflow()
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.applications.InceptionV3(include_top=False, weights=None)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            layer.kernel.assign(mostly_positive(layer.kernel.numpy()))
    path = tmp_path_factory.mktemp("reference") / "inception.weights.h5"
    model.save_weights(path)
    cut = tf.keras.Model(model.input, [model.get_layer(name).output for name in LAYERS])

    def loss_of(pixels: Any) -> Any:
        mixed3, mixed5 = cut(pixels, training=False)
        return tf.reduce_mean(mixed3) + tf.reduce_mean(mixed5)

    network = models.load("inception-v3", path)
    ascent = GradientAscent(network.forward, weighted_layers((name, 1.0) for name in LAYERS))
    return Reference(loss_of, ascent)


@pytest.mark.integration
@pytest.mark.parametrize("jitter", [0, 12])
def test_ten_classic_steps_follow_the_recipe(reference: Reference, jitter: int) -> None:
    image = cat(75, 80)
    shifts = draw_jitter(seed=4, frame=0, octave=0, steps=10, jitter=jitter)
    expected, expected_losses = reference_climb(reference.loss_of, image, 0.01, shifts)
    dreamt, losses = reference.ascent.climb(image, 0.01, shifts)
    assert np.abs(dreamt - expected).max() < 1e-3 * RANGE
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert losses[-1] > 1.05 * losses[0]


def test_one_trace_serves_every_size_and_step() -> None:
    network = models.load("efficientnet-lite0")
    ascent = GradientAscent(network.forward, layer_mean("block5"))
    for height, width in [(48, 64), (64, 48), (33, 97)]:
        ascent.climb(noise(height, width), 0.01, still(2))
    ascent.climb(noise(48, 64), np.full((48, 64), 0.02, np.float32), still(1))
    assert ascent.traces == 1


@pytest.fixture(scope="module")
def shallow() -> GradientAscent:
    return GradientAscent(models.load("efficientnet-lite0").forward, layer_mean("block3_expand"))


def test_pixels_of_step_zero_are_untouched_to_the_bit(shallow: GradientAscent) -> None:
    image = noise(40, 56)
    steps = np.zeros((40, 56), np.float32)
    steps[:, 28:] = 0.03
    dreamt, _ = shallow.climb(image, steps, draw_jitter(1, 0, 0, 4, 16))
    np.testing.assert_array_equal(dreamt[:, :28], image[:, :28])
    assert np.abs(dreamt[:, 28:] - image[:, 28:]).mean() > 0.01


def test_a_map_of_one_step_is_that_step(shallow: GradientAscent) -> None:
    image, shifts = noise(40, 56), draw_jitter(1, 0, 0, 3, 16)
    plain, _ = shallow.climb(image, 0.03, shifts)
    mapped, _ = shallow.climb(image, np.full((40, 56), 0.03, np.float32), shifts)
    np.testing.assert_array_equal(plain, mapped)


def test_same_steps_give_the_same_picture(shallow: GradientAscent) -> None:
    shifts = draw_jitter(1, 0, 0, 3, 16)
    first, second = (shallow.climb(noise(40, 56), 0.03, shifts)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_pause_between_steps_changes_nothing(shallow: GradientAscent) -> None:
    shifts = draw_jitter(1, 0, 0, 4, 16)
    whole, losses = shallow.climb(noise(40, 56), 0.03, shifts)
    half, early = shallow.climb(noise(40, 56), 0.03, shifts[:2])
    rest, late = shallow.climb(half, 0.03, shifts[2:])
    np.testing.assert_array_equal(rest, whole)
    assert early + late == losses


def test_each_step_is_shown_with_its_loss_and_picture(shallow: GradientAscent) -> None:
    seen: list[tuple[int, float, Image]] = []
    dreamt, losses = shallow.climb(noise(40, 56), 0.03, still(3), lambda *at: seen.append(at))
    assert [index for index, _, _ in seen] == [0, 1, 2]
    assert [loss for _, loss, _ in seen] == losses
    np.testing.assert_array_equal(seen[-1][2], dreamt)


def test_dream_stays_in_range_and_in_float32(shallow: GradientAscent) -> None:
    dreamt, _ = shallow.climb(noise(40, 56), 0.5, still(3))
    assert dreamt.dtype == np.float32
    assert dreamt.min() == -1
    assert dreamt.max() == 1


def test_no_steps_change_nothing(shallow: GradientAscent) -> None:
    image = noise(40, 56)
    dreamt, losses = shallow.climb(image, 0.03, still(0))
    np.testing.assert_array_equal(dreamt, image)
    assert losses == []


def test_an_unfeeling_picture_stays_finite() -> None:
    tf = tensorflow()
    ascent = GradientAscent(
        lambda image, wanted: {"flat": tf.zeros_like(image) * image}, layer_mean("flat")
    )
    dreamt, _ = ascent.climb(noise(24, 24), 0.03, still(2))
    np.testing.assert_array_equal(dreamt, noise(24, 24))


def test_an_even_step_is_divided_by_what_is_round_about(shallow: GradientAscent) -> None:
    # One half flat, where the gradient is weak, and one half full of contrast.
    picture = cat(96, 192) * np.linspace(0.02, 0.9, 192, dtype=np.float32)[None, :, None]
    plain, even = (
        shallow.climb(picture, 1e-3, still(1), even=even)[0] - picture for even in (False, True)
    )
    where = np.abs(plain) > 1e-5
    ratio = (even[where] / plain[where]).astype(np.float64)
    assert ratio.max() < 1.01 and ratio.min() > 0.05
    assert (ratio < 0.95).mean() > 0.05 and (ratio > 0.99).mean() > 0.2
    # By its definition: the larger of the deviations of the whole and of 32 px round about.
    gradient = plain / 1e-3
    row, column = np.unravel_index(np.argmax(np.abs(gradient).max(-1)), gradient.shape[:2])
    near = gradient[max(0, row - 16) : row + 16, max(0, column - 16) : column + 16]
    expected = 1 / max(1.0, float(np.sqrt((near**2).mean())))
    found = even[row, column] / plain[row, column]
    assert found == pytest.approx(np.full(3, expected), rel=0.35)
