from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from dreaming import cat, noise
from zooms import Picture

from dreamvideo.render.zoom.statistics import ImageStatistics, match_statistics, scale_to_frame


def sharpened(image: Picture) -> Picture:
    fine = image - cv2.GaussianBlur(image, (0, 0), 1)
    return np.asarray(np.clip(image + 0.3 * fine, -1, 1), np.float32)


def softened(image: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.6), np.float32)


def harsher(image: Picture) -> Picture:
    return np.asarray(np.clip(1.3 * image, -1, 1), np.float32)


def redder(image: Picture) -> Picture:
    return np.asarray(np.clip(image + np.array([0.1, 0, -0.05]), -1, 1), np.float32)


def greyer(image: Picture) -> Picture:
    grey = image.mean(2, keepdims=True)
    return np.asarray(grey + 0.8 * (image - grey), np.float32)


FAULTS = [sharpened, softened, harsher, redder, greyer]


def distances(image: Picture, wanted: ImageStatistics) -> dict[str, float]:
    found = ImageStatistics.of(image)
    return {
        "mean": float(np.abs(found.mean - wanted.mean).max()),
        "bands": float(np.abs(np.log(found.bands / wanted.bands)).max()),
        "saturation": abs(np.log(found.saturation / wanted.saturation)),
        "fineness": abs(np.log(found.fineness / wanted.fineness)),
        "whites": abs(found.whites - wanted.whites),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_a_few_corrections_undo_what_went_wrong(fault: Callable[[Picture], Picture]) -> None:
    picture = cat(96, 128)
    wanted = ImageStatistics.of(picture)
    image = fault(picture)
    before = distances(image, wanted)
    for _ in range(20):
        image = match_statistics(image, wanted, 1.0)
    after = distances(image, wanted)
    assert after["mean"] < 0.02
    assert after["bands"] < 0.15
    assert after["saturation"] < 0.05
    assert after["fineness"] < 0.25
    assert max(before.values()) > 2 * max(after.values())


def test_a_picture_of_the_right_character_stays_as_it_is() -> None:
    picture = 0.9 * cat(96, 128)
    corrected = match_statistics(picture, ImageStatistics.of(picture), 1.0)
    assert np.abs(corrected - picture).mean() < 0.005


def test_no_pull_changes_nothing() -> None:
    assert (
        match_statistics(cat(64, 64), ImageStatistics.of(noise(64, 64)), 0.0) == cat(64, 64)
    ).all()


def test_a_correction_is_never_a_jump() -> None:
    picture = cat(96, 128)
    once = match_statistics(picture, ImageStatistics.of(0.2 * noise(96, 128)), 1.0)
    settled = picture
    for _ in range(30):
        settled = match_statistics(settled, ImageStatistics.of(0.2 * noise(96, 128)), 1.0)
    spread = [float(image.std()) for image in (picture, once, settled)]
    assert spread[0] > spread[1] > 1.5 * spread[2]


def test_only_what_counts_is_measured() -> None:
    picture = cat(96, 128)
    weight = np.zeros((96, 128), np.float32)
    weight[:, :64] = 1
    spoilt = picture.copy()
    spoilt[:, 70:] = 1
    left = ImageStatistics.of(spoilt, weight)
    assert left.mean == pytest.approx(ImageStatistics.of(picture, weight).mean, abs=0.03)
    assert left.whites < 0.2 < ImageStatistics.of(spoilt).whites
    assert (match_statistics(spoilt, left, 1.0, np.zeros_like(weight)) == spoilt).all()


def test_flat_pictures_are_held_too() -> None:
    flat = np.full((32, 48, 3), 0.3, np.float32)
    for picture, wanted in ((flat, cat(32, 48)), (cat(32, 48), flat)):
        image = match_statistics(picture, ImageStatistics.of(wanted), 1.0)
        assert np.isfinite(image).all() and np.abs(image).max() <= 1


def test_characters_mix() -> None:
    one, other = ImageStatistics.of(cat(64, 64)), ImageStatistics.of(0.3 * noise(64, 64))
    assert one.towards(other, 0) is one
    half = one.towards(other, 0.5)
    assert half.saturation == pytest.approx((one.saturation + other.saturation) / 2)
    assert one.towards(other, 1).bands == pytest.approx(other.bands)


def test_the_pull_is_the_same_in_a_second_at_any_rate() -> None:
    for anchor in (0.0, 0.3, 1.0):
        left = [(1 - scale_to_frame(anchor, 1 / rate)) ** rate for rate in (24, 25, 60)]
        assert left == pytest.approx([(1 - anchor) ** 25] * 3)


def test_a_balanced_dream_settles_softer_in_its_finest_band_alone() -> None:
    fresh = ImageStatistics.of(cat(64, 64))
    plain, balanced = fresh.make_goal(), fresh.make_goal(balanced=True)
    assert plain.fineness == 0.5 * fresh.fineness and (plain.bands == fresh.bands).all()
    assert balanced.fineness == 0.25 * fresh.fineness
    assert balanced.bands[0] == pytest.approx(0.75 * fresh.bands[0])
    assert (balanced.bands[1:] == fresh.bands[1:]).all()
