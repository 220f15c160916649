"""Averages and blurs that are faster than the plain formula, compared with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.imaging import (
    average_channels,
    blur_in_proportion,
    blur_widely,
    spread_channels,
)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_channels_are_averaged_and_spread(
    height: int, width: int, channels: int, seed: int
) -> None:
    image = np.random.default_rng(seed).uniform(-1, 1, (height, width, channels))
    mean = average_channels(image.astype(np.float32))
    assert mean.shape == (height, width) and mean.dtype == np.float32
    np.testing.assert_allclose(mean, image.mean(-1), atol=1e-6)
    np.testing.assert_array_equal(spread_channels(mean, 3), np.stack([mean] * 3, -1))


@pytest.mark.parametrize("shape", [(432, 768), (270, 480, 3), (768, 432)])
@pytest.mark.parametrize("sigma", [6.0, 8.0])
def test_a_wide_blur_is_nearly_the_plain_one(shape: tuple[int, ...], sigma: float) -> None:
    """On energies of noise with a step in them, as the governor of the contrast measures them."""
    noise = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32) ** 2
    noise[: shape[0] // 2] *= 3
    plain = blur_in_proportion(noise, sigma)
    off = np.abs(blur_widely(noise, sigma) - plain)
    assert off.mean() < 0.01 * plain.mean()
    assert off.max() < 0.15 * plain.mean()


def test_a_narrow_blur_is_the_plain_one() -> None:
    noise = np.random.default_rng(2).normal(0, 1, (180, 320)).astype(np.float32)
    np.testing.assert_array_equal(blur_widely(noise, 6), blur_in_proportion(noise, 6))
