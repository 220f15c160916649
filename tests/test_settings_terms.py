"""What is raised, as people write it: layers, classes, and how they go over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamvideo.parsing import Term, parse_classes, parse_layers, parse_term
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings
from dreamvideo.settings.terms import class_timeline, layer_timeline

ranges = st.tuples(st.integers(0, 999), st.integers(0, 99)).map(lambda r: (r[0], r[0] + r[1]))
shares = st.integers(0, 100).map(lambda n: n / 100)
terms = st.builds(
    Term,
    st.sampled_from(["block8_expand", "mixed5", "b11", "conv2d_7"]),
    st.lists(ranges, max_size=3).map(tuple),
    st.none() | st.tuples(shares, shares),
    st.sampled_from(["", "mean", "l2", "strong", "average", "weak"]),
)


@given(terms)
def test_a_term_is_read_back_from_what_it_writes(term: Term) -> None:
    assert parse_term(str(term)) == term


@given(st.lists(st.tuples(terms, st.floats(-100, 100)), min_size=1, max_size=4))
def test_weighted_terms_are_a_list_of_layers(pairs: list[tuple[Term, float]]) -> None:
    text = ", ".join(f"{term}:{weight!r}" for term, weight in pairs)
    assert parse_layers(text) == tuple((str(term), weight) for term, weight in pairs)


@pytest.mark.parametrize(
    ("text", "term", "weight"),
    [
        ("mixed5#42", "mixed5#42", 1),
        ("b11:12-20", "b11#12-20", 1),
        ("b11:12-20:0.5", "b11#12-20", 0.5),
        ("b11:3+12-20:-2", "b11#3+12-20", -2),
        ("b11:-5", "b11", -5),
        ("b11:strong", "b11:strong", 1),
        ("b11 # 3 @ .5x.25 : L2 : 2", "b11#3@0.5x0.25:l2", 2),
        ("b11:12-20:strong", "b11#12-20:strong", 1),
    ],
)
def test_ways_to_write_a_term(text: str, term: str, weight: float) -> None:
    assert parse_layers(text) == ((term, weight),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a#", "'a#' is not a layer: write block8, channels as block8#42"),
        ("a#x", "is not a layer"),
        ("#3", "is not a layer"),
        ("a:20-12", "channels of a range must increase: 12-20, not 20-12"),
        ("a@2x0", "a place in a layer is two fractions, 0x0 to 1x1, not 2x0"),
        ("a@0.5", "is not a layer"),
        ("a:1:2", "layer 'a' cannot take '1'"),
        ("a:l2:weak", "layer 'a' cannot take 'weak'"),
        ("a#3:12-20", "layer 'a' cannot take '12-20'"),
        ("a:loud", "the weight of layer 'a' is not a number within 1e6: 'loud'"),
    ],
)
def test_what_is_no_term_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_layers(text)


def test_classes_are_names_or_numbers_with_weights() -> None:
    assert parse_classes("tabby cat, 1:0.5") == (("tabby cat", 1), ("1", 0.5))
    for text in ("", "tabby,", ":2", "tabby:much"):
        with pytest.raises(ValueError, match="class"):
            parse_classes(text)


def at(text: str, seconds: float, length: float = 10) -> dict[str, float]:
    return dict(layer_timeline(text).at(TimePoint(seconds, length)))


def test_layers_fade_into_one_another() -> None:
    text = "0: block5 -> 4s: block8,block11#12-20:0.5 ease -> 90%: block2"
    assert layer_timeline(text).terms == ("block5", "block8", "block11#12-20", "block2")
    assert at(text, 0) == {"block5": 1, "block8": 0, "block11#12-20": 0, "block2": 0}
    assert at(text, 1) == {"block5": 0.75, "block8": 0.25, "block11#12-20": 0.125, "block2": 0}
    assert at(text, 4) == {"block5": 0, "block8": 1, "block11#12-20": 0.5, "block2": 0}
    # A quarter of the way in time, and less of it as it begins slowly.
    share = 0.25**2 * (3 - 2 * 0.25)
    assert at(text, 5.25)["block2"] == pytest.approx(share)
    assert at(text, 9.5) == {"block5": 0, "block8": 0, "block11#12-20": 0, "block2": 1}


@given(
    st.lists(st.floats(-4, 4), min_size=3, max_size=3),
    st.lists(st.floats(-4, 4), min_size=3, max_size=3),
    st.floats(0, 1),
)
def test_the_sum_of_the_weights_sizes_goes_straight(
    first: list[float], last: list[float], share: float
) -> None:
    def layers(weights: list[float]) -> str:
        return ",".join(f"{name}:{weight!r}" for name, weight in zip("abc", weights, strict=True))

    found = at(f"{layers(first)} -> end: {layers(last)}", 10 * share)
    total = sum(map(abs, found.values()))
    straight = (1 - share) * sum(map(abs, first)) + share * sum(map(abs, last))
    assert total == pytest.approx(straight, abs=1e-6) or total < 1e-8


def test_keys_take_every_kind_of_time() -> None:
    assert at("a:1 -> 1:02.5: a:2", 70, 100) == {"a": 2}
    assert at("a -> 24f: a:2", 1, 100) == {"a": 2}
    assert at("a hold -> end-2s: a:2", 7.9) == {"a": 1}
    assert dict(class_timeline("tabby -> 4s: 281:0.5").at(TimePoint(4))) == {"tabby": 0, "281": 0.5}


def test_a_list_without_arrows_holds_for_all_times() -> None:
    assert at("a,b:-0.5,a", 3) == {"a": 2, "b": -0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a -> b", "'b' has no time"),
        ("a -> 4q: b", "'4q: b' has no time"),
        ("a -> 4s:", "a layer name is missing"),
        ("a -> 0: b", "two keys of 'a -> 0: b' are at the same time"),
        ("a -> 4s: b:2 wobble", "the weight of layer 'b' is not a number"),
    ],
)
def test_what_is_no_timeline(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer_timeline(text)


def test_settings_know_what_they_raise() -> None:
    own = ("a", "b")
    assert DreamSettings().list_weighted_layers(own) == (("a", 1), ("b", 1))
    assert DreamSettings(classes="tabby").list_weighted_layers(own) == ()
    assert DreamSettings(classes="tabby", layers="c").list_weighted_layers(own) == (("c", 1),)
    keyed = DreamSettings(layers="c -> 4s: d")
    assert keyed.list_weighted_layers(own) == (("c", 1), ("d", 0))
    assert keyed.list_weighted_layers(own, TimePoint(4)) == (("c", 0), ("d", 1))
