"""Classes of ImageNet by name, and a dream that comes to be one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dreaming import Image, cat, noise

from dreamvideo.dream import lite0, models
from dreamvideo.dream.classes import find_class_number, find_classes, read_class_names
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings


def logits(image: Image) -> Image:
    return np.asarray(lite0.class_logits(tensorflow().constant(image[None]))[0])


def rank(image: Image, number: int) -> int:
    return int((logits(image) > logits(image)[number]).sum())


def test_names_are_in_the_order_of_the_classifier() -> None:
    assert len(read_class_names()) == 1000
    best = [read_class_names()[n][0] for n in np.argsort(-logits(cat(224, 224)))[:4]]
    assert set(best) == {"Egyptian cat", "tiger cat", "tabby", "lynx"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tabby cat", 281),
        ("Tabby", 281),
        ("tiger-cat", 282),
        ("GOLDFISH", 1),
        (" 340 ", 340),
        ("maillot", 638),
        ("missile", 657),
        ("toilet paper", 999),
    ],
)
def test_classes_go_by_any_of_their_names(text: str, number: int) -> None:
    assert find_class_number(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("goldfsh", "there is no class 'goldfsh': did you mean goldfish"),
        ("golden retriver", "did you mean golden retriever?"),
        ("cat", "did you mean tabby, tiger cat, Persian cat, Siamese cat?"),
        ("xqzzk", "`dreamvideo models --classes WORD` finds names"),
        ("1000", "--class 1000: classes are numbered 0 to 999"),
        ("crane", r"'crane' names several classes: write 134 \(.*\) or 517"),
    ],
)
def test_what_is_no_class_has_near_names(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_class_number(text)


def test_classes_are_found_by_a_word_or_something_like_it() -> None:
    assert [n for n, _ in find_classes("tabby")] == [281]
    assert find_classes("cat")[0] == (281, "tabby, tabby cat")
    assert (84, "peacock") in find_classes("peacok")
    assert find_classes("xqzzk") == []


@pytest.mark.integration
def test_a_dream_of_a_class_climbs_to_the_top() -> None:
    image = noise(96, 96, seed=2) * 0.5
    dreamer = Dreamer(DreamSettings(classes="goldfish", octaves=1, steps=14, jitter=4))
    dreamt = dreamer.dream(image)
    assert dreamer.terms == ("class goldfish",)
    assert rank(image, 1) > 20 and rank(dreamt.image, 1) == 0
    assert logits(dreamt.image)[1] > logits(image)[1] + 5
    assert dreamt.losses[-1] > dreamt.losses[0]


def test_classes_cross_fade_without_a_new_compilation() -> None:
    settings = DreamSettings(classes="goldfish -> 4s: 281", octaves=1, steps=6, step_size=0.03)
    dreamer = Dreamer(settings)
    image = noise(64, 64, seed=2) * 0.5
    first, last = (
        logits(dreamer.at(moment=TimePoint(seconds)).dream(image).image) for seconds in (0, 4)
    )
    assert first[1] > last[1] + 3
    assert last[281] > first[281] + 3
    assert dreamer.traces == 1


def test_several_classes_are_weighed_and_go_with_layers() -> None:
    settings = DreamSettings(classes="tabby cat:2, goldfish:-0.5", layers="b3", octaves=1)
    dreamer = Dreamer(settings.model_copy(update={"steps": 5}))
    assert dreamer.terms == ("b3", "class tabby cat", "class goldfish")
    image = noise(64, 64, seed=2) * 0.5
    change = logits(dreamer.dream(image).image) - logits(image)
    assert change[281] > 2 and change[281] > change[1] + 2


def test_the_classes_of_places() -> None:
    names = read_class_names(365)
    assert len(names) == 365
    assert (names[0], names[61], names[364]) == (
        ("airfield",),
        ("indoor booth", "booth/indoor"),
        ("zen garden",),
    )
    assert find_class_number("Bowling_alley", 365) == 64
    assert find_class_number("booth/indoor", 365) == find_class_number("indoor booth", 365) == 61
    assert find_class_number("364", 365) == 364
    assert (66, "bridge") in find_classes("bridge", 365)
    with pytest.raises(UsageError, match="did you mean bridge"):
        find_class_number("brige", 365)
    with pytest.raises(UsageError, match="numbered 0 to 364"):
        find_class_number("365", 365)


def test_the_classes_of_the_first_places() -> None:
    names = read_class_names(205)
    assert len(names) == 205 == len({name for row in names for name in row[:1]})
    # Letter by letter, in each of them the places with a kind last.
    assert names[:3] == (("abbey",), ("airport terminal",), ("alley",))
    assert names[13:15] == (
        ("outdoor apartment building", "apartment building/outdoor"),
        ("badlands",),
    )
    assert names[204] == ("yard",)
    initials = [row[-1][0] for row in names]
    assert initials == sorted(initials)
    for initial in set(initials):
        letter = [row for row in names if row[-1].startswith(initial)]
        kinds = [len(row) > 1 for row in letter]
        assert kinds == sorted(kinds)
        for kind in (False, True):
            same = [row[-1] for row in letter if (len(row) > 1) is kind]
            assert same == sorted(same)
    assert find_class_number("airport terminal", 205) == 1
    assert find_class_number("204", 205) == find_class_number("Yard", 205) == 204
    with pytest.raises(UsageError, match="there is no class 'goldfish'"):
        find_class_number("goldfish", 205)
    with pytest.raises(UsageError, match="numbered 0 to 204"):
        find_class_number("205", 205)


def test_networks_without_such_a_classifier_say_so_before_they_are_loaded() -> None:
    with pytest.raises(UsageError, match=r"vgg16 has no classifier .*: --class takes effic"):
        Dreamer(DreamSettings(model="vgg16", classes="tabby"))


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_keras_network_dreams_the_classes_of_its_file(tmp_path: Path) -> None:
    tf = tensorflow()
    tf.keras.utils.set_random_seed(1)
    whole = tf.keras.applications.MobileNetV2(weights=None, classes=10)
    path = tmp_path / "mobilenet.keras"
    whole.save(path)
    found = models.load("mobilenet-v2", path, classify=True)
    kernel = models.find_classifier(found, "mobilenet-v2").kernel
    np.testing.assert_array_equal(kernel, whole.layers[-1].get_weights()[0])
    settings = DreamSettings(model="mobilenet-v2", weights=path, classes="3", octaves=1, jitter=0)
    image = noise(64, 64)
    losses = Dreamer(settings.model_copy(update={"steps": 1})).dream(image).losses
    seen = tf.reduce_mean(found.forward(image[None], ["out_relu"])["out_relu"], (0, 1, 2))
    assert losses[0] == pytest.approx(0.03 * float(seen.numpy() @ kernel[:, 3]), rel=1e-3)
    with pytest.raises(UsageError, match="--class 281: these weights know only classes 0 to 9"):
        Dreamer(settings.model_copy(update={"classes": "tabby"}))


def test_every_classifier_follows_a_layer_of_its_network() -> None:
    for entry in models.REGISTRY.values():
        if entry.features and entry.name in ("efficientnet-lite0", "mobilenet-v2"):
            assert entry.features == models.list_layers(entry.name)[-1].name
