"""Carried detail keeps its sizes: pyramids, their RMS, and the way back to what is wanted."""

from __future__ import annotations

import numpy as np
import pytest
from dreaming import Image, noise
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.render.frames.band_balance import (
    Pyramid,
    count_bands,
    find_expected_share,
    find_known_share,
    measure_bands,
    raise_colour,
    renew_bands,
    restore_bands,
    scale_bands_to_full,
    sum_up_bands,
)

SIZE = (135, 240)


def detail(seed: int = 1) -> Image:
    """Noise with forms of every size."""
    random = np.random.default_rng(seed)
    total = np.zeros((*SIZE, 3), np.float32)
    for level in range(6):
        few = random.normal(0, 0.05, (SIZE[0] // 2**level + 2, SIZE[1] // 2**level + 2, 3))
        grown = np.repeat(np.repeat(few, 2**level, 0), 2**level, 1)
        total += grown[: SIZE[0], : SIZE[1]].astype(np.float32)
    return total


@given(st.integers(8, 90), st.integers(8, 90))
def test_a_pyramid_is_put_together_again(height: int, width: int) -> None:
    image = noise(height, width)
    np.testing.assert_allclose(Pyramid.of(image).merge(), image, atol=1e-5)


def test_wider_pictures_have_more_bands_for_forms_of_the_same_share() -> None:
    assert count_bands(960) == count_bands(480) + 1 == count_bands(240) + 2


def test_what_is_as_wanted_stays() -> None:
    pyramid = Pyramid.of(detail())
    found = measure_bands(pyramid)
    same = restore_bands(pyramid, found, found, np.ones(found.shape[:2], np.float32))
    np.testing.assert_allclose(same.merge(), pyramid.merge(), atol=1e-5)


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_bands_of_light_and_colour_come_back_each_by_itself(factor: float) -> None:
    wanted = measure_bands(Pyramid.of(detail()))
    pyramid = Pyramid.of(detail())
    # Colour of one band has faded, or grown.
    bands = list(pyramid.bands)
    light = bands[2].mean(-1, keepdims=True)
    bands[2] = light + factor * (bands[2] - light)
    current = Pyramid(tuple(bands), pyramid.rest).merge()
    everywhere = np.ones(wanted.shape[:2], np.float32)
    errors = []
    for _ in range(25):
        now = Pyramid.of(current)
        found = measure_bands(now)
        errors.append(float(np.abs(np.log(found[..., 5] / wanted[..., 5])).mean()))
        current = restore_bands(now, found, wanted, everywhere).merge()
    assert errors[-1] < 0.15 * errors[0]
    assert found[..., 4].mean() == pytest.approx(wanted[..., 4].mean(), rel=0.03)


def test_more_colour_is_wanted_in_all_but_the_finest_bands() -> None:
    wanted = measure_bands(Pyramid.of(detail()))
    changed = raise_colour(wanted, detail().shape[1]) / wanted
    colours = changed[0, 0, 1:-3:2]
    assert (changed[..., :-3:2] == 1).all()
    assert (changed[..., -3:] == 1).all()
    assert colours[0] == 1
    assert colours[-1] > 1
    assert (np.diff(colours) >= 0).all()


def test_nothing_is_held_where_a_dream_is_young() -> None:
    pyramid = Pyramid.of(detail())
    found = measure_bands(pyramid)
    nowhere = np.zeros(found.shape[:2], np.float32)
    kept = restore_bands(pyramid, found, 2 * found, nowhere)
    np.testing.assert_allclose(kept.merge(), pyramid.merge(), atol=1e-6)


def test_a_picture_uncovered_bit_by_bit_keeps_what_the_shot_began_with() -> None:
    wanted = measure_bands(Pyramid.of(detail()))
    everywhere = np.ones(wanted.shape[:2], np.float32)
    usual = sum_up_bands(wanted, everywhere)
    weak = 0.5 * wanted
    random = np.random.default_rng(0)
    for _ in range(200):
        aged = np.ones(wanted.shape[:2], np.float32)
        aged[random.integers(0, 2, aged.shape) > 0] = 0.9
        wanted = renew_bands(wanted, weak, aged, usual)
    count = len(usual) - 3
    np.testing.assert_allclose(sum_up_bands(wanted, everywhere)[:count], usual[:count], rtol=0.4)
    assert sum_up_bands(wanted, everywhere)[0] > 1.15 * sum_up_bands(weak, everywhere)[0]


def test_white_and_black_are_expected_to_hold_less() -> None:
    cells = measure_bands(Pyramid.of(detail()))
    whole = np.ones(SIZE, np.float32)
    grey, white = (np.full((*SIZE, 3), tone, np.float32) for tone in (0.0, 1.0))
    assert find_expected_share(grey, whole, cells) == pytest.approx(1)
    some = find_expected_share(white, whole, cells)
    assert some[..., :-3] == pytest.approx(0.58) and some[..., -3:] == pytest.approx(1)
    assert find_expected_share(grey, 0.5 * whole, cells) == pytest.approx(0.5)


def test_cells_where_next_to_nothing_is_dreamt_tell_nothing() -> None:
    measured = measure_bands(Pyramid.of(detail()))
    half = np.ones(SIZE, np.float32)
    half[:, SIZE[1] // 2 :] = 0
    grey = np.zeros((*SIZE, 3), np.float32)
    share = find_expected_share(grey, half, measured)
    known = find_known_share(share)
    assert known[:, 0].min() == 1 and known[:, -1].max() == 0
    usual = sum_up_bands(measured, known)
    full = scale_bands_to_full(measured, share, usual)
    np.testing.assert_allclose(full[:, 0], measured[:, 0], rtol=1e-5)
    np.testing.assert_allclose(full[:, -1], np.broadcast_to(usual, full[:, -1].shape), rtol=1e-5)
    assert not sum_up_bands(measured, np.zeros_like(known)).any()
