"""The carried dream on clips of which everything is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import glide, join, noisy, scene, still
from tiny import RATE, dreamt, frames_of, quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import Dream
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.motion.warp import warp
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render.frames.pipeline import DreamedFrame, dream_clip
from dreamvideo.settings import CoherenceSettings

HEIGHT, WIDTH = 72, 96


@pytest.fixture(scope="module")
def dreamer() -> Dreamer:
    return Dreamer(quick_dream("block3_expand", steps=6))


def stored(pictures: tuple[NDArray[np.float32], ...]) -> list[NDArray[np.float32]]:
    """Pictures as a source of eight bits delivers them."""
    return [to_float(to_bytes(picture)) for picture in pictures]


def boiling(
    frames: list[DreamedFrame],
    sources: list[NDArray[np.float32]],
    flows: tuple[NDArray[np.float32], ...],
) -> float:
    """Mean change of what was dreamt from frame to frame, along the true motion."""
    added = [to_float(f.pixels) - s for f, s in zip(frames, sources, strict=True)]
    inside = slice(8, -8)
    changes = [
        np.abs(now - warp(before, flow))[inside, inside].mean()
        for before, now, flow in zip(added, added[1:], flows[1:], strict=False)
    ]
    return float(np.mean(changes))


def same(one: list[DreamedFrame], other: list[DreamedFrame]) -> bool:
    return all((a.pixels == b.pixels).all() for a, b in zip(one, other, strict=True))


def alone(dreamer: Dreamer, source: Image) -> Dream:
    """A picture as it is dreamt by itself."""
    return dreamer.dream(make_headroom(source, dreamer.settings.headroom))


def test_without_coherence_each_frame_is_dreamt_as_a_picture(dreamer: Dreamer) -> None:
    sources = stored(scene(HEIGHT, WIDTH, glide(3, 2)).frames)
    for source, frame in zip(sources, dreamt(sources, dreamer, coherence=0), strict=True):
        assert (frame.pixels == to_bytes(alone(dreamer, source).image)).all()


def test_a_first_frame_is_dreamt_as_a_picture(dreamer: Dreamer) -> None:
    sources = stored(scene(HEIGHT, WIDTH, glide(2, 2)).frames)
    first, second = dreamt(sources, dreamer)
    assert (first.pixels == to_bytes(alone(dreamer, sources[0]).image)).all()
    assert (second.pixels != to_bytes(alone(dreamer, sources[1]).image)).any()
    assert (first.starts_shot, second.starts_shot) == (True, False)


def test_after_a_hard_cut_a_shot_is_as_if_it_stood_alone(dreamer: Dreamer) -> None:
    one = scene(HEIGHT, WIDTH, glide(3, 1.5), seed=1)
    other = scene(HEIGHT, WIDTH, glide(3, -2j), seed=40)
    both = stored(join(one, other).frames)
    frames = dreamt(both, dreamer)
    assert [frame.starts_shot for frame in frames] == [n in (0, 3) for n in range(6)]
    assert same(frames[3:], dreamt(both[3:], dreamer))
    assert same(frames[:3], dreamt(both[:3], dreamer))


def test_no_cut_is_found_where_the_threshold_forbids_it(dreamer: Dreamer) -> None:
    cut = join(scene(HEIGHT, WIDTH, still(1)), scene(HEIGHT, WIDTH, still(1), seed=40))
    frames = dreamt(stored(cut.frames), dreamer, cut_threshold=2)
    assert [frame.starts_shot for frame in frames] == [True, False]


def test_a_repeated_frame_repeats_its_dream(dreamer: Dreamer) -> None:
    a, b, c = stored(scene(HEIGHT, WIDTH, glide(3, 2)).frames)
    held = dreamt([a, a, b, b, b, c], dreamer)
    assert same([held[0], held[2], held[2], held[5]], [held[1], held[3], held[4], held[5]])
    assert same([held[0], held[2], held[5]], dreamt([a, b, c], dreamer))
    assert (held[1].pixels != held[2].pixels).any()
    assert [frame.time for frame in held] == [n / RATE for n in range(6)]


@pytest.mark.parametrize("velocity", [0, 2.5 + 1j])
def test_a_coherent_dream_boils_less(dreamer: Dreamer, velocity: complex) -> None:
    clip = noisy(scene(HEIGHT, WIDTH, glide(6, velocity)), 0.02)
    sources = stored(clip.frames)
    levels = [
        boiling(dreamt(sources, dreamer, coherence=level), sources, clip.flows)
        for level in (0, 0.8)
    ]
    assert levels[1] < 0.6 * levels[0]


def test_a_coherent_dream_does_not_fade(dreamer: Dreamer) -> None:
    sources = stored(noisy(scene(HEIGHT, WIDTH, glide(10, 1)), 0.01).frames)
    frames = dreamt(sources, dreamer)
    strengths = [
        float((to_float(f.pixels) - s).std()) for f, s in zip(frames, sources, strict=True)
    ]
    assert 0.6 * strengths[0] < strengths[-1] < 1.5 * strengths[0]


def test_uncovered_parts_are_dreamt_too(dreamer: Dreamer) -> None:
    """Where a thing has moved away, there is nothing to carry: new dream grows at once."""
    background, thing = still(2), glide(2, 24, about=-36 - 36j)
    clip = scene(HEIGHT, WIDTH, background, thing, radius=14)
    sources = stored(clip.frames)
    last = to_float(dreamt(sources, dreamer)[-1].pixels) - sources[-1]
    uncovered = ~clip.visible[1]
    assert 100 < uncovered.sum() < uncovered.size / 2
    fresh = alone(dreamer, sources[-1]).image - sources[-1]
    assert np.abs(last)[uncovered].mean() > 0.4 * np.abs(fresh)[uncovered].mean()


def test_twice_the_same_clip_is_twice_the_same_dream(dreamer: Dreamer) -> None:
    sources = stored(scene(HEIGHT, WIDTH, glide(4, 1 + 1j)).frames)
    once = dreamt(sources, dreamer)
    assert same(once, dreamt(sources, dreamer))
    again = Dreamer(dreamer.settings)
    assert same(once, dreamt(sources, again))


def test_the_step_is_compiled_once_for_a_whole_clip() -> None:
    dreamer = Dreamer(quick_dream(steps=2).model_copy(update={"octaves": 2}))
    dreamt(stored(scene(HEIGHT, WIDTH, glide(4, 2)).frames), dreamer)
    assert dreamer.traces == 1


def test_frames_are_dreamt_as_they_come() -> None:
    """Nothing is read ahead: what a stream of any length holds in memory does not grow."""
    asked = []

    def source() -> object:
        for frame in frames_of(stored(scene(HEIGHT, WIDTH, glide(4, 2)).frames)):
            asked.append(frame.index)
            yield frame

    stream = dream_clip(source(), Dreamer(quick_dream(steps=1)), CoherenceSettings())  # type: ignore[arg-type]
    for index, frame in enumerate(stream):
        assert frame.index == index and asked == list(range(index + 1))


def test_the_objective_is_reported_and_rises_over_the_source(dreamer: Dreamer) -> None:
    source = stored(scene(HEIGHT, WIDTH, still(1)).frames)[0]
    dream = alone(dreamer, source)
    (frame,) = dreamt([source], dreamer)
    assert math.isfinite(frame.loss)
    assert frame.loss == dream.losses[-1] > dream.losses[0]


def test_an_empty_clip_is_an_empty_dream(dreamer: Dreamer) -> None:
    assert dreamt([], dreamer) == []


class Failing:
    """A dreamer whose dreams of some calls hold what is no number."""

    def __init__(self, bad: set[int]) -> None:
        self.settings = quick_dream(steps=2)
        self._bad, self._calls = bad, -1

    def dream(self, image: Any, **_: Any) -> Dream:
        self._calls += 1
        made = np.clip(image + np.float32(0.1), -1, 1)
        if self._calls in self._bad:
            made[3, 4, 1] = np.nan
        return Dream(made, (0.0,))


def test_a_dream_that_is_no_number_is_dreamt_again_from_the_source() -> None:
    frames = frames_of(list(scene(48, 64, glide(4, 1)).frames))
    film = list(dream_clip(frames, Failing({2}), CoherenceSettings()))
    assert [frame.again for frame in film] == [False, False, True, False]
    fresh = list(dream_clip(frames[2:3], Failing(set()), CoherenceSettings()))
    assert np.array_equal(film[2].pixels, fresh[0].pixels)
    assert film[3].state is not None and np.isfinite(film[3].state.dream).all()


def test_a_source_that_cannot_be_dreamt_at_all_ends_in_one_line() -> None:
    frames = frames_of(list(scene(48, 64, glide(3, 1)).frames))
    film = dream_clip(frames, Failing({1, 2}), CoherenceSettings())
    next(film)
    with pytest.raises(DreamVideoError, match=r"frame 1: .*--step-size"):
        next(film)
