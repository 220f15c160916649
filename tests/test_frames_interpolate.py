"""Not every frame is dreamt: what lies between is carried from both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import flight, glide, join, noisy, scene, still
from test_frames_pipeline import HEIGHT, WIDTH, boiling, same, stored
from tiny import RATE, dreamt, frames_of, quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import Dream
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.render.frames.frame_plan import FramePlan
from dreamvideo.render.frames.pipeline import DreamedFrame, dream_clip
from dreamvideo.settings import CoherenceSettings, DreamSettings

Pictures = list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def dreamer() -> Dreamer:
    return Dreamer(quick_dream("block3_expand", steps=6))


@dataclass
class Counting:
    """A dreamer that remembers how often it was asked for whole frames."""

    dreamer: Dreamer
    calls: list[int | None] = field(default_factory=list)

    @property
    def settings(self) -> DreamSettings:
        return self.dreamer.settings

    def dream(self, image: Image, **how: Any) -> Dream:
        if not how.get("within"):
            self.calls.append(how.get("steps"))
        return self.dreamer.dream(image, **how)


def moving(count: int, seed: int = 0) -> Pictures:
    return stored(noisy(scene(HEIGHT, WIDTH, glide(count, 1.5), seed=seed), 0.01).frames)


def keys(frames: list[DreamedFrame]) -> list[int]:
    return [frame.index for frame in frames if frame.state is not None]


def test_every_so_many_th_frame_is_dreamt_and_all_come_in_order(dreamer: Dreamer) -> None:
    sources, counting = moving(9), Counting(dreamer)
    film = list(dream_clip(frames_of(sources), counting, CoherenceSettings(cadence=3)))
    assert [frame.index for frame in film] == list(range(9))
    assert [frame.time for frame in film] == [n / RATE for n in range(9)]
    assert keys(film) == [0, 3, 6, 8] and len(counting.calls) == 4
    assert [n for n, frame in enumerate(film) if np.isnan(frame.loss)] == [1, 2, 4, 5, 7]
    assert [frame.frame.index for frame in film if frame.frame] == list(range(9))


def test_a_group_ends_before_a_cut(dreamer: Dreamer) -> None:
    film = dreamt(moving(6) + moving(4, seed=40), dreamer, cadence=4)
    assert keys(film) == [0, 4, 5, 6, 9]
    assert [frame.index for frame in film if frame.starts_shot] == [0, 6]
    assert same(film[6:], dreamt(moving(4, seed=40), dreamer, cadence=4))


def test_a_frame_that_shows_much_that_is_new_is_dreamt_itself(dreamer: Dreamer) -> None:
    fast = stored(scene(HEIGHT, WIDTH, glide(5, 34)).frames)
    assert keys(dreamt(fast, dreamer, cadence=4, cut_threshold=2)) == [0, 1, 2, 3, 4]


@pytest.mark.integration
def test_between_it_neither_boils_nor_fades(dreamer: Dreamer) -> None:
    clip = noisy(scene(HEIGHT, WIDTH, glide(13, 1.5)), 0.01)
    sources = stored(clip.frames)
    every, third = (dreamt(sources, dreamer, cadence=cadence) for cadence in (1, 3))
    calm = boiling(every, sources, clip.flows)
    assert boiling(third, sources, clip.flows) < 1.25 * calm
    strengths = [float((to_float(f.pixels) - s).std()) for f, s in zip(third, sources, strict=True)]
    for index in range(1, 12):
        around = (strengths[index - 1] + strengths[index + 1]) / 2
        assert strengths[index] > 0.85 * around


def test_what_was_uncovered_between_takes_its_dream_from_the_frame_after(dreamer: Dreamer) -> None:
    thing = flight(3, 30 + 36j, 10)
    sources = stored(scene(HEIGHT, WIDTH, still(3), thing, radius=14).frames)
    film = dreamt(sources, dreamer, cadence=2)
    assert keys(film) == [0, 2]
    left = np.zeros((HEIGHT, WIDTH), bool)
    left[30:42, 19:23] = True
    added = [to_float(f.pixels) - s for f, s in zip(film, sources, strict=True)]
    following, before = (
        np.corrcoef(added[1][left].ravel(), added[n][left].ravel())[0, 1] for n in (2, 0)
    )
    assert following > 0.8 > before


def test_a_film_goes_on_from_a_group_s_end_as_if_it_had_not_stopped(dreamer: Dreamer) -> None:
    sources, settings = moving(8), CoherenceSettings(cadence=3)
    whole = list(dream_clip(frames_of(sources), dreamer, settings))
    rest = dream_clip(frames_of(sources)[4:], dreamer, settings, state=whole[3].state)
    assert same(whole[4:], list(rest))


def test_a_held_frame_holds_its_dream_and_does_not_pile_up(dreamer: Dreamer) -> None:
    a, b, c = moving(3)
    asked: list[int] = []

    def source() -> Iterator[Frame]:
        for frame in frames_of([a] * 6 + [b] * 20 + [c] * 6):
            asked.append(frame.index)
            yield frame

    film = []
    for frame in dream_clip(source(), dreamer, CoherenceSettings(cadence=2)):
        assert len(asked) - frame.index <= 4
        film.append(frame)
    for held in (film[:6], film[6:26], film[26:]):
        assert same(held[1:], held[:-1])
    assert (film[6].pixels != film[26].pixels).any()


def test_between_too_nothing_is_dreamt_where_nothing_is_to_be(dreamer: Dreamer) -> None:
    sources = moving(5)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[20:50, 30:70] = 1

    def direct(frame: Frame, *_: object) -> FramePlan:
        return FramePlan(CoherenceSettings(), mask if frame.index != 2 else 0.0)

    film = dream_clip(frames_of(sources), dreamer, CoherenceSettings(cadence=4), direct=direct)
    for frame, source in zip(film, sources, strict=True):
        off = mask == 0 if frame.index != 2 else mask >= 0
        assert (frame.pixels[off] == to_bytes(source)[off]).all()
        assert (frame.pixels != to_bytes(source)).any() == (frame.index != 2)


def test_whatever_the_shots_every_frame_comes_once(dreamer: Dreamer) -> None:
    one, other = scene(HEIGHT, WIDTH, glide(1)), scene(HEIGHT, WIDTH, glide(2, 1), seed=40)
    sources = stored(join(one, other).frames)
    for order in ([0], [0, 1], [0, 1, 0, 2], [1, 2, 1, 2, 1, 2, 0, 0]):
        film = dreamt([sources[n] for n in order], dreamer, cadence=3)
        assert [frame.index for frame in film] == list(range(len(order)))
        assert film[-1].state is not None
