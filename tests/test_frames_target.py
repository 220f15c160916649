"""How much is dreamt where and when, by whom, and what is made of it at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import glide, noisy, scene, still
from test_frames_pipeline import HEIGHT, WIDTH, same, stored
from tiny import dreamt, frames_of, quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import Dream
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.flow import Motion
from dreamvideo.render.frames.carry import State
from dreamvideo.render.frames.frame_plan import FramePlan, Target, WeightedDream, make_target_map
from dreamvideo.render.frames.pipeline import DreamedFrame, dream_clip
from dreamvideo.settings import CoherenceSettings, DreamSettings

COHERENCE = CoherenceSettings()
Pictures = list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def dreamer() -> Dreamer:
    return Dreamer(quick_dream("block3_expand", steps=6))


def moving(count: int) -> Pictures:
    return stored(noisy(scene(HEIGHT, WIDTH, glide(count, 1)), 0.01).frames)


def aimed(
    sources: Pictures, dreamer: Dreamer, target: Callable[[int], Target]
) -> list[DreamedFrame]:
    """The clip with a target for each frame."""

    def direct(frame: Frame, *_: object) -> FramePlan:
        return FramePlan(COHERENCE, target(frame.index))

    return list(dream_clip(frames_of(sources), dreamer, COHERENCE, direct=direct))


def strengths(frames: list[DreamedFrame], sources: Pictures) -> list[float]:
    added = (to_float(f.pixels) - s for f, s in zip(frames, sources, strict=True))
    return [float(np.sqrt((each**2).mean())) for each in added]


def left_half() -> Image:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[:, : WIDTH // 2] = 1
    return mask


class Sleeper:
    """Must never be asked to dream."""

    settings = DreamSettings()

    def dream(self, image: Image, **_: Any) -> Dream:
        raise AssertionError("dreamt where nothing was to be dreamt")


@pytest.mark.parametrize("target", [1.0, np.ones((HEIGHT, WIDTH), np.float32)])
def test_a_target_of_one_everywhere_is_a_dream_without_a_target(
    dreamer: Dreamer, target: Target
) -> None:
    sources = moving(3)
    assert same(aimed(sources, dreamer, lambda _: target), dreamt(sources, dreamer))


def test_a_target_of_nought_is_the_source_and_costs_no_dreaming() -> None:
    sources = moving(3)

    def direct(frame: Frame, *_: object) -> FramePlan:
        return FramePlan(COHERENCE, 0.0)

    for frame, source in zip(
        dream_clip(frames_of(sources), Sleeper(), COHERENCE, direct=direct), sources, strict=True
    ):
        assert (frame.pixels == to_bytes(source)).all()


def test_what_is_masked_is_untouched_to_the_byte_and_the_rest_is_dreamt(dreamer: Dreamer) -> None:
    sources, mask = moving(4), left_half()
    frames = aimed(sources, dreamer, lambda _: mask)
    whole = dreamt(sources, dreamer)
    for frame, full, source in zip(frames, whole, sources, strict=True):
        given = to_bytes(source)
        assert (frame.pixels[mask == 0] == given[mask == 0]).all()
        inner = (slice(None), slice(0, WIDTH // 2 - 12))
        ours, theirs = (
            np.abs(pixels[inner].astype(float) - given[inner]).mean()
            for pixels in (frame.pixels, full.pixels)
        )
        assert 0.7 * theirs < ours < 1.4 * theirs


def test_where_a_mask_moves_off_the_dream_is_gone_at_once_and_elsewhere_it_grows(
    dreamer: Dreamer,
) -> None:
    sources, mask = stored(noisy(scene(HEIGHT, WIDTH, still(6)), 0.01).frames), left_half()
    frames = aimed(sources, dreamer, lambda index: mask if index < 2 else 1 - mask)
    for frame, source in zip(frames[2:], sources[2:], strict=True):
        assert (frame.pixels[mask == 1] == to_bytes(source)[mask == 1]).all()
    grown = [
        float(np.abs(to_float(f.pixels) - s)[mask == 0].mean())
        for f, s in zip(frames, sources, strict=True)
    ]
    assert grown[1] == 0 < grown[2] and grown[-1] > 0.6 * grown[2]
    full = aimed(sources[:1], dreamer, lambda _: 1 - mask)[0]
    fresh = float(np.abs(to_float(full.pixels) - sources[0])[mask == 0].mean())
    assert 0.7 * fresh < grown[-1] < 1.4 * fresh


def test_a_dream_fades_out_and_in_with_its_strength(dreamer: Dreamer) -> None:
    sources = moving(21)
    fade = [abs(10 - index) / 10 for index in range(21)]
    found = strengths(aimed(sources, dreamer, lambda index: fade[index]), sources)
    assert found[10] == 0
    assert found[:11] == sorted(found[:11], reverse=True) and found[10:] == sorted(found[10:])
    for index, share in enumerate(fade):
        assert found[index] == pytest.approx(found[0] * share**0.85, rel=0.3, abs=0.01)


@pytest.mark.integration
def test_a_dream_that_grows_very_slowly_grows_nonetheless(dreamer: Dreamer) -> None:
    sources = stored(scene(HEIGHT, WIDTH, glide(40, 0.2)).frames)
    found = strengths(aimed(sources, dreamer, lambda index: index / 200), sources)
    fresh = strengths(aimed(sources[:1], dreamer, lambda _: 0.2), sources[:1])[0]
    assert 0.5 * fresh < found[-1] < 1.5 * fresh


def test_more_than_a_whole_dream_is_stronger(dreamer: Dreamer) -> None:
    sources = moving(8)
    plain, double = (
        strengths(aimed(sources, dreamer, lambda _, t=t: t), sources)  # type: ignore[misc]
        for t in (1.0, 2.0)
    )
    for one, two in zip(plain, double, strict=True):
        assert 1.3 * one < two < 2.5 * one


def test_each_part_dreams_its_own_share(dreamer: Dreamer) -> None:
    other = Dreamer(quick_dream("block1_expand", steps=4))
    sources, mask = moving(3), left_half()

    def direct(frame: Frame, *_: object) -> FramePlan:
        return FramePlan(
            COHERENCE, parts=(WeightedDream(dreamer, mask), WeightedDream(other, 1 - mask))
        )

    both = list(dream_clip(frames_of(sources), dreamer, COHERENCE, direct=direct))
    edges = (slice(None, WIDTH // 2 - 14), slice(WIDTH // 2 + 14, None))
    for part, where in zip((dreamer, other), edges, strict=True):
        alone = part.dream(sources[0]).image - sources[0]
        mine = to_float(both[0].pixels) - sources[0]
        rest = (other if part is dreamer else dreamer).dream(sources[0]).image - sources[0]
        likeness, unlikeness = (
            np.corrcoef(mine[:, where].ravel(), dream[:, where].ravel())[0, 1]
            for dream in (alone, rest)
        )
        assert likeness > 0.7 > unlikeness
    assert both[-1].state is not None and both[-1].state.maturity.mean() > 0.9


def test_what_is_finished_is_delivered_but_not_carried_on(dreamer: Dreamer) -> None:
    sources = moving(3)

    def direct(frame: Frame, *_: object) -> FramePlan:
        return FramePlan(COHERENCE, finish=lambda dream, given: -dream)

    plain = dreamt(sources, dreamer)
    negative = dream_clip(frames_of(sources), dreamer, COHERENCE, direct=direct)
    for one, other in zip(plain, negative, strict=True):
        assert (other.pixels == 255 - one.pixels).all()


def test_a_repeated_frame_dreams_on_only_where_its_direction_changes(dreamer: Dreamer) -> None:
    (source,) = stored(scene(HEIGHT, WIDTH, still(1)).frames)

    def film(target: Callable[[int], Target], changing: bool = False) -> list[DreamedFrame]:
        def direct(frame: Frame, *_: object) -> FramePlan:
            return FramePlan(COHERENCE, target(frame.index), changing=changing)

        return list(dream_clip(frames_of([source] * 2), dreamer, COHERENCE, direct=direct))

    for target, changing, stays in (
        (0.5, False, True),
        (left_half(), False, True),
        (0.5, True, False),
    ):
        one, two = film(lambda _, t=target: t, changing)  # type: ignore[misc]
        assert (one.pixels == two.pixels).all() == stays
    one, two = film(lambda index: 1 - 0.5 * index)
    assert strengths([two], [source])[0] < 0.7 * strengths([one], [source])[0]


def test_a_direction_may_follow_the_motion_and_what_is_left_of_the_dream(dreamer: Dreamer) -> None:
    asked: list[tuple[Motion | None, State | None]] = []

    def direct(
        frame: Frame, source: Image, motion: Motion | None, state: State | None
    ) -> FramePlan:
        asked.append((motion, state))
        return FramePlan(COHERENCE, 1.0 if motion is None else 0.0)

    other = stored(scene(HEIGHT, WIDTH, still(1), seed=40).frames)
    sources = moving(2) + other
    film = list(dream_clip(frames_of(sources), dreamer, COHERENCE, direct=direct))
    assert [motion is None for motion, _ in asked] == [True, False, True]
    assert asked[0][1] is None and asked[1][1] is film[0].state and asked[2][1] is film[1].state
    untouched = [bool((f.pixels == to_bytes(s)).all()) for f, s in zip(film, sources, strict=True)]
    assert untouched == [False, True, False]


def test_a_target_is_held_within_what_can_be_dreamt() -> None:
    wild = make_target_map(FramePlan(COHERENCE, np.array([[-1, 9]])), (4, 2, 3))
    assert wild.tolist() == [[0, 3]] * 4 and wild.dtype == np.float32
