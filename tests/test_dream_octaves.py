"""The octave ladder: sizes, random shifts, and detail that survives from rung to rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest
from dreaming import Image, noise
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent, OnStep, OnTile
from dreamvideo.dream.objectives import layer_mean
from dreamvideo.dream.octaves import (
    OctaveSchedule,
    StepMap,
    StepProgress,
    count_octaves,
    draw_jitter,
    dream,
    list_octave_sizes,
)
from dreamvideo.dream.patches import Box
from dreamvideo.imaging import resize

SIDES = st.integers(16, 1500)


@pytest.fixture(scope="module")
def ascent() -> GradientAscent:
    return GradientAscent(models.load("efficientnet-lite0").forward, layer_mean("block3_expand"))


class Brightening:
    """Stands in for an ascent: every step adds its size to every pixel."""

    def climb(
        self,
        image: Image,
        step_size: float | Image,
        shifts: NDArray[np.int32],
        on_step: OnStep | None = None,
        *,
        even: bool = False,
        within: Box | None = None,
        extras: Mapping[str, NDArray[Any]] | None = None,
        on_tile: OnTile | None = None,
    ) -> tuple[Image, list[float]]:
        steps = np.asarray(step_size, np.float32)
        for _ in shifts:
            image = image + (steps if steps.ndim == 0 else steps[..., None])
        return image, [float(image.mean())] * len(shifts)


def test_sizes_go_from_coarse_to_the_picture_itself() -> None:
    assert list_octave_sizes(360, 640, 3, 1.4) == ((184, 327), (257, 457), (360, 640))


@given(SIDES, SIDES, st.integers(1, 8), st.floats(1.1, 2.5), st.integers(1, 100))
def test_sizes_grow_and_respect_the_smallest(
    height: int, width: int, octaves: int, scale: float, smallest: int
) -> None:
    sizes = list_octave_sizes(height, width, octaves, scale, smallest)
    assert sizes[-1] == (height, width)
    assert 1 <= len(sizes) <= octaves
    assert list(sizes) == sorted(sizes)
    assert all(min(size) >= smallest for size in sizes[:-1])


@given(SIDES, SIDES, st.floats(1.1, 2.5))
def test_automatic_octaves_reach_creatures_and_no_further(
    height: int, width: int, scale: float
) -> None:
    octaves = count_octaves(height, width, scale)
    assert 1 <= octaves <= 8
    coarsest = min(height, width) / scale ** (octaves - 1)
    if 1 < octaves < 8:
        assert 130 / scale <= coarsest <= 130 * scale


@given(st.integers(0, 2**32), st.integers(0, 10**6), st.integers(0, 7), st.integers(0, 64))
def test_shifts_depend_on_seed_frame_and_octave_alone(
    seed: int, frame: int, octave: int, jitter: int
) -> None:
    shifts = draw_jitter(seed, frame, octave, 12, jitter)
    assert shifts.shape == (12, 2)
    assert np.abs(shifts).max() <= jitter
    np.testing.assert_array_equal(shifts, draw_jitter(seed, frame, octave, 12, jitter))
    np.testing.assert_array_equal(shifts[:5], draw_jitter(seed, frame, octave, 5, jitter))


def test_shifts_differ_by_seed_frame_and_octave() -> None:
    several = {
        draw_jitter(seed, frame, octave, 8, 32).tobytes()
        for seed in range(3)
        for frame in range(3)
        for octave in range(3)
    }
    assert len(several) == 27
    assert set(draw_jitter(0, 0, 0, 400, 2).ravel()) == {-2, -1, 0, 1, 2}


def test_resize_keeps_what_has_the_size_and_the_mean_of_the_rest() -> None:
    image = noise(60, 90)
    np.testing.assert_array_equal(resize(image, (60, 90)), image)
    np.testing.assert_allclose(resize(image, (30, 45)).mean(), image.mean(), atol=1e-5)
    flat = np.full((20, 30, 3), 0.25, np.float32)
    np.testing.assert_allclose(resize(flat, (31, 47)), 0.25, atol=1e-6)


def test_one_octave_is_a_plain_climb(ascent: GradientAscent) -> None:
    image = noise(48, 64)
    dreamt = dream(ascent, image, OctaveSchedule(((48, 64),), 4, 0.03, 8, seed=7), frame=5)
    expected, losses = ascent.climb(image, 0.03, draw_jitter(7, 5, 0, 4, 8))
    np.testing.assert_array_equal(dreamt.image, expected)
    assert list(dreamt.losses) == losses


def test_no_steps_give_the_base_back_to_the_bit(ascent: GradientAscent) -> None:
    image = noise(72, 96)
    ladder = OctaveSchedule(list_octave_sizes(72, 96, 3, 1.4), 0, 0.03, 8, seed=7)
    np.testing.assert_array_equal(dream(ascent, image, ladder).image, image)


def test_where_nothing_may_be_dreamt_nothing_is(ascent: GradientAscent) -> None:
    image = noise(72, 96)
    ladder = OctaveSchedule(list_octave_sizes(72, 96, 3, 1.4), 3, 0.03, 8, seed=7)
    still = dream(ascent, image, ladder, where=StepMap(np.zeros((72, 96), np.float32)))
    np.testing.assert_array_equal(still.image, image)
    half = np.zeros((72, 96), np.float32)
    half[:, 48:] = 1
    dreamt = dream(ascent, image, ladder, where=StepMap(half)).image
    # Some pixels of the seam are shared by the coarser octaves.
    np.testing.assert_array_equal(dreamt[:, :36], image[:, :36])
    assert np.abs(dreamt[:, 60:] - image[:, 60:]).mean() > 0.02


def test_every_octaves_addition_reaches_the_picture() -> None:
    image = noise(72, 96) * 0.1
    ladder = OctaveSchedule(list_octave_sizes(72, 96, 3, 1.4), 2, 0.05, 0, seed=0)
    dreamt = dream(cast(GradientAscent, Brightening()), image, ladder)
    np.testing.assert_allclose(dreamt.image, image + 3 * 2 * 0.05, atol=1e-5)
    assert len(dreamt.losses) == ladder.total == 6


def test_coarse_dreams_leave_the_base_as_sharp_as_it_was() -> None:
    image = (np.random.default_rng(0).choice([-0.5, 0.5], (72, 96, 3))).astype(np.float32)
    scale = np.linspace(0, 1, 96, dtype=np.float32)[None].repeat(72, 0)
    ladder = OctaveSchedule(list_octave_sizes(72, 96, 3, 1.4), 1, 0.05, 0, seed=0)
    added = (
        dream(cast(GradientAscent, Brightening()), image, ladder, where=StepMap(scale)).image
        - image
    )
    # What was added is as smooth as the map: nothing of the base's checks is in it.
    np.testing.assert_allclose(added[..., 0], 3 * 0.05 * scale, atol=5e-3)


def test_every_step_is_shown_at_full_size(ascent: GradientAscent) -> None:
    seen: list[StepProgress] = []
    pictures: list[Image] = []

    def look(at: StepProgress) -> None:
        seen.append(at)
        pictures.append(at.image())

    image = noise(72, 96)
    ladder = OctaveSchedule(list_octave_sizes(72, 96, 2, 1.4), 3, 0.03, 8, seed=7)
    dreamt = dream(ascent, image, ladder, on_step=look)
    assert [at.done for at in seen] == list(range(1, ladder.total + 1))
    assert [at.loss for at in seen] == list(dreamt.losses)
    assert all(picture.shape == image.shape for picture in pictures)
    assert all(np.abs(picture).max() <= 1 for picture in pictures)
    np.testing.assert_array_equal(pictures[-1], dreamt.image)
    quiet = dream(ascent, image, ladder)
    np.testing.assert_array_equal(quiet.image, dreamt.image)


def test_frames_are_rolled_differently_and_repeatably(ascent: GradientAscent) -> None:
    image = noise(48, 64)
    ladder = OctaveSchedule(((48, 64),), 2, 0.03, 8, seed=7)
    third, fourth, again = (dream(ascent, image, ladder, frame=at).image for at in (3, 4, 3))
    np.testing.assert_array_equal(third, again)
    assert not np.array_equal(third, fourth)


def test_a_ladder_leans_towards_coarse_octaves_and_does_the_same_work() -> None:
    sizes = list_octave_sizes(216, 288, 5, 1.3)
    even, leaning = (
        OctaveSchedule(sizes, 4, 0.02, 8, seed=0, coarse_bias=bias) for bias in (0.0, 0.6)
    )
    assert [steps for steps, _ in leaning.octave_steps] == [steps for steps, _ in even.octave_steps]
    longer = [
        one / other
        for (_, one), (_, other) in zip(leaning.octave_steps, even.octave_steps, strict=True)
    ]
    assert longer == pytest.approx([1.6, 1.3, 1, 0.7, 0.4])
    assert OctaveSchedule(((48, 64),), 4, 0.02, 8, seed=0, coarse_bias=0.6).octave_steps == (
        (4, 0.02),
    )
