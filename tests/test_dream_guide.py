"""A guide that a dream follows, and the channels that its source excites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dreaming import Image, cat, noise

from dreamvideo.dream import models
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.guide import LONGEST_SIDE, MOST_FEATURES, ActivationProbe, guide_features
from dreamvideo.errors import UsageError
from dreamvideo.settings import DreamSettings

NETWORK = models.load("efficientnet-lite0")
LAYER = "block5"
SETTINGS = DreamSettings(layers=LAYER, octaves=1, steps=6, guide=Path("guide.png"))


def stripes(height: int, width: int) -> Image:
    waves = 0.8 * np.sin(np.arange(width) * 0.9) * np.ones((height, 1))
    return np.asarray(waves[..., None] * [1, 0.6, -0.5], np.float32)


def fit(image: Image, guide: Image) -> float:
    """The mean cosine of every place's feature with the guide's mean feature."""
    sight = ActivationProbe(NETWORK.forward, [LAYER])
    seen, wanted = (sight(each)[LAYER].reshape(-1, 80) for each in (image, guide))
    mean = wanted.mean(0)
    lengths = np.linalg.norm(seen, axis=1) * np.linalg.norm(mean)
    return float((seen @ mean / lengths).mean())


@pytest.mark.integration
def test_a_guided_dream_comes_closer_to_its_guide_than_an_unguided_one() -> None:
    image, guide = cat(80, 96), stripes(96, 96)
    guided = Dreamer(SETTINGS, guide=guide).dream(image)
    plain = Dreamer(SETTINGS.model_copy(update={"guide": None})).dream(image)
    assert guided.losses[-1] > guided.losses[0]
    assert fit(guided.image, guide) > fit(image, guide) + 0.1
    assert fit(guided.image, guide) > fit(plain.image, guide) + 0.1


def test_different_guides_give_different_dreams() -> None:
    image, guides = noise(64, 64), (stripes(64, 64), stripes(64, 64).transpose(1, 0, 2))
    first, second = (Dreamer(SETTINGS, guide=guide).dream(image).image for guide in guides)
    assert np.abs(first - second).mean() > 0.02


def test_only_layers_without_a_mode_of_their_own_follow_the_guide() -> None:
    settings = SETTINGS.model_copy(update={"layers": f"{LAYER},block3_expand:mean"})
    alone = SETTINGS.model_copy(update={"layers": "block3_expand:mean"})
    image = noise(48, 48)
    assert np.abs(
        Dreamer(settings, guide=stripes(48, 48)).dream(image).image
        - Dreamer(alone).dream(image).image
    ).any()


def test_features_are_bounded_in_number_and_of_one_size() -> None:
    many = np.random.default_rng(0).normal(3, 9, (80, 90, 5)).astype(np.float32)
    features = guide_features(many)
    assert features.shape == (MOST_FEATURES, 5)
    assert np.abs(features).mean() == pytest.approx(1, rel=1e-4)
    np.testing.assert_array_equal(features, guide_features(many))
    few = guide_features(many[:2, :3])
    assert few.shape == (6, 5)


def test_large_pictures_are_looked_at_smaller() -> None:
    seen = ActivationProbe(NETWORK.forward, ["stem"])(noise(900, 1100))["stem"]
    assert max(seen.shape[:2]) == LONGEST_SIDE // 2


def test_a_guide_is_asked_for() -> None:
    with pytest.raises(ValueError, match="a dreamer that follows a guide needs its pixels"):
        Dreamer(SETTINGS)
    with pytest.raises(UsageError, match=r"--guide guide\.png: the picture is too small"):
        Dreamer(SETTINGS, guide=stripes(8, 96))


def test_strong_channels_are_those_that_the_source_excites() -> None:
    image = cat(80, 96)
    settings = DreamSettings(layers="block3_expand:strong", octaves=1, steps=4, step_size=0.02)
    strong = Dreamer(settings)
    weak = Dreamer(settings.model_copy(update={"layers": "block3_expand:weak"}))
    sight = ActivationProbe(NETWORK.forward, ["block3_expand"])
    means = sight(image)["block3_expand"].mean((0, 1))
    order = np.argsort(-means, kind="stable")

    def raised(dreamt: Image, channels: object) -> float:
        after = sight(dreamt)["block3_expand"].mean((0, 1))
        return float((after - means)[channels].mean())

    top, bottom = order[:48], order[-48:]
    more, other = strong.dream(image).image, weak.dream(image).image
    assert raised(more, top) > raised(other, top)
    assert raised(other, bottom) > raised(more, bottom)


def test_channels_chosen_once_stay_chosen() -> None:
    settings = DreamSettings(layers="block3_expand:strong", octaves=1, steps=2)
    dreamer = Dreamer(settings)
    first, later = cat(48, 64), noise(48, 64)
    chosen = dreamer.choose(first)
    kept = dreamer.at(chosen=chosen).dream(later).image
    np.testing.assert_array_equal(kept, dreamer.at(source=first).dream(later).image)
    assert np.abs(kept - dreamer.dream(later).image).max() > 0.01
    assert dreamer.traces == 1
