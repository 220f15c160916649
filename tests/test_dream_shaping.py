"""The shaping of a gradient, held to formulas written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from dreaming import Image, cat, noise, still

from dreamvideo.dream import models
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import layer_mean
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.shaping import PLAIN, TYPICAL, Shaping, normalise_bands, smooth
from dreamvideo.dream.step import Step
from dreamvideo.settings import DreamSettings

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
SIZES = [(40, 56), (33, 47), (16, 16)]


def gaussian(gradient: Image, sigma: float) -> Image:
    """The weighted mean of the pixels that there are, written as one matrix for each side."""

    def matrix(side: int) -> Image:
        apart = np.arange(side)[:, None] - np.arange(side)[None]
        kernel = np.exp(-0.5 * (apart / sigma) ** 2) * (np.abs(apart) <= np.ceil(3 * sigma))
        return np.asarray(kernel / kernel.sum(1, keepdims=True), np.float32)

    height, width = gradient.shape[:2]
    found = np.einsum("ij,jkc,lk->ilc", matrix(height), gradient, matrix(width))
    return np.asarray(found, np.float32)


def halved(image: Image) -> Image:
    """Every second pixel of the image blurred, nothing beyond its border (TensorFlow's SAME)."""
    height, width = image.shape[:2]
    below = [max((-(-side // 2) - 1) * 2 + 5 - side, 0) for side in (height, width)]
    before = [pad // 2 for pad in below]
    padded = np.pad(image, ((before[0], 5), (before[1], 5), (0, 0)))
    rows, columns = -(-height // 2), -(-width // 2)
    return np.asarray(
        [
            [
                np.einsum("ij,ijc->c", KERNEL, padded[2 * y : 2 * y + 5, 2 * x : 2 * x + 5])
                for x in range(columns)
            ]
            for y in range(rows)
        ],
        np.float32,
    )


def doubled(image: Image, height: int, width: int) -> Image:
    """The transpose of ``halved``, times 4: every pixel spread over 5 x 5."""
    below = [max((-(-side // 2) - 1) * 2 + 5 - side, 0) for side in (height, width)]
    top, left = (pad // 2 for pad in below)
    spread = np.zeros((height + 10, width + 10, 3), np.float32)
    for y, row in enumerate(image):
        for x, pixel in enumerate(row):
            spread[2 * y : 2 * y + 5, 2 * x : 2 * x + 5] += 4 * KERNEL[..., None] * pixel
    return spread[top : top + height, left : left + width]


def unit(band: Image) -> Image:
    return np.asarray(band / np.sqrt((band.astype(np.float64) ** 2).mean()), np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.5, 1.5, 4.0])
def test_a_smoothed_gradient_is_the_mean_of_three_blurs(
    size: tuple[int, int], sigma: float
) -> None:
    gradient = noise(*size)
    expected = np.mean([gaussian(gradient, sigma * scale) for scale in (0.5, 1, 2)], axis=0)
    found = smooth(tensorflow().constant(gradient), np.float32(sigma)).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_smoothing_by_nothing_changes_nothing_and_keeps_what_is_even() -> None:
    tf = tensorflow()
    gradient = noise(24, 32)
    np.testing.assert_allclose(smooth(tf.constant(gradient), np.float32(0)).numpy(), gradient)
    flat = np.full((24, 32, 3), 0.7, np.float32)
    np.testing.assert_allclose(smooth(tf.constant(flat), np.float32(6)).numpy(), flat, rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_every_band_of_the_pyramid_is_divided_by_its_rms(size: tuple[int, int]) -> None:
    gradient = noise(*size) * 1e-4
    bands, rest = [], gradient
    for _ in range(2):
        smaller = halved(rest)
        bands.append(rest - doubled(smaller, *rest.shape[:2]))
        rest = smaller
    expected = unit(rest)
    for band in reversed(bands):
        expected = doubled(expected, *band.shape[:2]) + unit(band)
    found = normalise_bands(tensorflow().constant(gradient), 2).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_an_empty_gradient_stays_finite_in_every_shape() -> None:
    tf = tensorflow()
    nothing = tf.zeros((20, 24, 3))
    for shaping in (Shaping(smooth=True), Shaping(levels=3), Shaping(norm="mean-abs")):
        shaped = shaping.shape(nothing, {"smooth": np.float32(2)})
        np.testing.assert_array_equal(shaped.numpy(), 0)


@pytest.mark.parametrize("norm", ["std", "mean-abs", "none"])
def test_a_step_is_divided_as_its_norm_says(norm: str) -> None:
    forward, objective = models.load("efficientnet-lite0").forward, layer_mean("block5")
    image = cat(48, 64) * 0.5
    tf = tensorflow()
    gradient = Step(forward, objective).gradient(tf.constant(image), {})[0].numpy()
    sizes = {
        "std": gradient.std(),
        "mean-abs": np.abs(gradient).mean(),
        "none": TYPICAL / gradient.size,
    }
    ascent = GradientAscent(forward, objective, step=lambda f, o: Step(f, o, Shaping(norm=norm)))
    dreamt, _ = ascent.climb(image, 0.001, still(1))
    expected = image + 0.001 * gradient / sizes[norm]
    np.testing.assert_allclose(dreamt, expected, atol=2e-5)


def test_the_length_of_a_step_without_a_norm_does_not_depend_on_the_pictures_size() -> None:
    settings = DreamSettings(layers="block5", norm="none", octaves=1, steps=1, jitter=0)
    dreamer = Dreamer(settings)
    small, large = (np.tile(cat(64, 64), (n, n, 1)) for n in (1, 2))
    moved = [float(np.abs(dreamer.dream(image).image - image).mean()) for image in (small, large)]
    assert moved[1] == pytest.approx(moved[0], rel=0.25)


def test_only_what_is_asked_for_is_compiled() -> None:
    assert PLAIN.extras == frozenset()
    assert Dreamer(DreamSettings(layers="block1")).terms == ("block1",)
    gradient = tensorflow().constant(noise(8, 8))
    assert PLAIN.shape(gradient, {}) is gradient


def test_smoothing_changes_over_time_without_a_new_compilation() -> None:
    settings = DreamSettings(layers="block3_expand", octaves=1, steps=2, jitter=4, balance="none")
    dreamer = Dreamer(settings, varying={"smooth"})
    image = cat(64, 80)
    plain = dreamer.dream(image).image
    broad = dreamer.at(settings.model_copy(update={"smooth": 3.0})).dream(image).image
    np.testing.assert_allclose(plain, Dreamer(settings).dream(image).image, atol=1e-5)

    def roughness(dreamt: Image) -> float:
        added = dreamt - image
        return float(np.abs(np.diff(added, axis=1)).mean() / np.abs(added).mean())

    assert roughness(broad) < 0.6 * roughness(plain)
    assert dreamer.traces == 1


@pytest.mark.integration
def test_a_pyramid_gives_coarse_forms_their_say() -> None:
    image = cat(96, 128)
    settings = DreamSettings(
        layers="block3_expand", octaves=1, steps=2, jitter=0, step_size=0.01, balance="none"
    )

    def coarse(dreamt: Image) -> float:
        added = dreamt - image
        return float(gaussian(added, 6).std() / added.std())

    plain = Dreamer(settings).dream(image).image
    even = Dreamer(settings.model_copy(update={"laplacian": 4})).dream(image).image
    assert coarse(even) > 1.5 * coarse(plain)
