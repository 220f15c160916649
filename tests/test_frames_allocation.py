"""What is climbed of a carried frame: where the picture was uncovered, and only there."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from synthetic import flight, noisy, scene, still
from test_frames_pipeline import stored
from tiny import frames_of, quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import Dream
from dreamvideo.dream.patches import Box, find_windows, list_shifts, merge_overlapping
from dreamvideo.media.pixels import to_float
from dreamvideo.motion.flow import Motion
from dreamvideo.render.frames.allocation import (
    NOTABLE,
    allocate_steps,
    covers_most,
    find_boxes,
    is_rising,
    make_mask,
)
from dreamvideo.render.frames.carry import propagate, resolve_coherence, start_shot
from dreamvideo.render.frames.frame_plan import WeightedDream
from dreamvideo.render.frames.pipeline import dream_clip
from dreamvideo.settings import CoherenceSettings, DreamSettings

SIZE = (180, 320)
COHERENCE = CoherenceSettings(refresh=3)


def lacking(*places: tuple[slice, slice], amount: float = 1.0) -> Image:
    missing = np.zeros(SIZE, np.float32)
    for place in places:
        missing[place] = amount
    return missing


CORNER = np.s_[0:40, 0:48]
SPOT = np.s_[96:120, 200:232]


@pytest.fixture(scope="module")
def dreamer() -> Dreamer:
    settings = quick_dream("block3_expand", steps=6)
    return Dreamer(settings.model_copy(update={"step_size": 0.025}))


@dataclass
class Noting:
    """A dreamer that notes what it is asked to do."""

    dreamer: Dreamer
    calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def settings(self) -> DreamSettings:
        return self.dreamer.settings

    def dream(self, image: Image, **how: Any) -> Dream:
        self.calls.append(how)
        return self.dreamer.dream(image, **how)


def test_boxes_lie_round_what_is_missing_and_do_not_meet() -> None:
    found = find_boxes(lacking(CORNER, SPOT))
    assert len(found) == 2 and merge_overlapping(found) == found
    covered = make_mask(found, SIZE)
    assert (covered[CORNER] == 1).all() and (covered[SPOT] > 0.8).all()
    assert 0.05 < (covered > 0).mean() < 0.12
    assert covered[30, 150] == 0 and np.abs(np.diff(covered, axis=0)).max() < 0.25


def test_what_is_hardly_missing_has_no_box() -> None:
    assert find_boxes(lacking(SPOT, amount=0.9 * NOTABLE)) == ()
    assert (
        find_boxes(lacking(np.s_[96:104, 200:208])) == find_boxes(np.zeros(SIZE, np.float32)) == ()
    )


def test_the_whole_is_climbed_where_boxes_are_no_saving() -> None:
    assert not covers_most(find_boxes(lacking(SPOT)), SIZE)
    assert covers_most(find_boxes(lacking(np.s_[:, 0:140])), SIZE)
    work = np.full(SIZE, 0.1, np.float32)
    (only,) = allocate_steps(
        lacking(np.s_[:, 0:140]), find_boxes(lacking(np.s_[:, 0:140])), work, 12, 2
    )
    assert only.within == () and only.steps == round(12 * 140 / 320)


def test_between_full_frames_steps_go_to_boxes_alone() -> None:
    missing = lacking(SPOT)
    (only,) = allocate_steps(missing, find_boxes(missing), None, 12, 2)
    assert only.within == find_boxes(missing) and 2 < only.steps < 12
    assert (only.work[SPOT] > 0.3).all() and only.work[
        make_mask(find_boxes(missing), SIZE) == 0
    ].max() == 0
    assert list(allocate_steps(np.zeros(SIZE, np.float32), (), None, 12, 2)) == []


def test_on_a_full_frame_boxes_get_what_else_they_need() -> None:
    missing, work = lacking(SPOT), np.full(SIZE, 0.1, np.float32)
    whole, more = allocate_steps(missing, find_boxes(missing), work, 12, 2)
    assert (whole.within, whole.steps) == ((), 2) and more.within == find_boxes(missing)
    assert (whole.grown + more.grown <= missing).all() and whole.work.min() == np.float32(0.1)


def test_a_rising_target_is_known_from_one_that_moves() -> None:
    whole = np.ones(SIZE, np.float32)
    half = lacking(np.s_[:, 0:160])
    assert is_rising(whole, 0.98 * whole) and not is_rising(0.98 * whole, whole)
    assert not is_rising(whole, whole) and not is_rising(half, np.roll(half, 1, axis=1))


@pytest.mark.parametrize("size", [SIZE, (129, 229), (360, 640)])
def test_windows_of_an_octave_are_of_few_shapes_and_hold_their_box(size: tuple[int, int]) -> None:
    shapes = set()
    for top in range(0, 140, 7):
        box = Box(top, 2 * top, top + 24, 2 * top + 30)
        (window,) = find_windows([box], SIZE, size)
        down, across = size[0] / SIZE[0], size[1] / SIZE[1]
        assert window.top <= box.top * down and window.bottom >= box.bottom * down
        assert window.left <= box.left * across and window.right >= box.right * across
        assert window.top >= 0 and window.bottom <= size[0] and window.right <= size[1]
        shapes.add((window.bottom - window.top, window.right - window.left))
    assert len(shapes) <= 6
    assert find_windows([Box(0, 0, 150, 250)], SIZE, size) == (Box(0, 0, *size),)


def test_rolls_of_a_window_keep_to_the_grids_of_the_whole() -> None:
    shifts = np.array([[31, -32], [5, 0]], np.int32)
    found = list_shifts(Box(20, 75, 84, 171), shifts)
    assert (np.abs(found) <= 16).all()
    assert ((found - shifts - [20, 75]) % 32 == 0).all()


def test_in_a_window_a_place_is_dreamt_as_hard_as_in_the_whole(dreamer: Dreamer) -> None:
    (source,) = stored(scene(*SIZE, still(1)).frames)
    box = Box(60, 120, 116, 200)
    inside = make_mask([box], SIZE)
    dreamt = dreamer.dream(source).image
    start = np.where(inside[..., None] > 0, source, dreamt)
    whole, part = (
        dreamer.dream(start, steps=2, step_scale=inside, even=True, within=within).image - start
        for within in ((), [box])
    )
    core = np.s_[70:106, 130:190]
    assert part[core].std() == pytest.approx(whole[core].std(), rel=0.1)
    assert np.abs(part[inside == 0]).max() < 1e-4
    # No seam: where the steps fade out, the picture is no rougher than they are strong.
    rim = (inside > 0) & (inside < 0.5)
    rough = [np.abs(np.diff(each, axis=1))[rim[:, 1:]].mean() for each in (whole, part)]
    assert rough[1] == pytest.approx(rough[0], rel=0.25)
    assert dreamer.traces == 1


def test_what_is_carried_stays_as_it_is_between_full_frames(dreamer: Dreamer) -> None:
    (source,) = stored(scene(*SIZE, still(1)).frames)
    other = np.asarray(source + np.float32(2 / 255), np.float32)
    target, noting = np.ones(SIZE, np.float32), Noting(dreamer)
    state, _ = start_shot(source, [WeightedDream(noting)], target, holds_bands=True)
    trust = 1 - lacking(SPOT)
    motion = Motion(np.zeros((*SIZE, 2), np.float32), trust)
    noting.calls.clear()
    after, _ = propagate(state, other, motion, [WeightedDream(noting)], COHERENCE, target)
    (call,) = noting.calls
    places = make_mask(call["within"], SIZE) > 0
    assert places[SPOT].all() and places.mean() < 0.1
    # But for what balancing the bands moves.
    moved = after.detail - state.detail
    assert np.abs(moved[~places]).max() < 0.02 < np.abs(moved[SPOT]).max()
    assert int(after.waited) == 1 and int(state.waited) == 0
    assert after.maturity[SPOT].min() > 0.25 and after.maturity[~places].min() == 1


def test_every_so_many_th_frame_is_climbed_whole(dreamer: Dreamer) -> None:
    sources, noting = stored(noisy(scene(72, 96, still(10)), 0.01).frames), Noting(dreamer)
    list(dream_clip(frames_of(sources), noting, CoherenceSettings(refresh=4)))
    assert len(noting.calls) == 3 and not any(call.get("within") for call in noting.calls)


@pytest.mark.integration
@pytest.mark.parametrize("every", [2, 3])
def test_the_film_does_not_pulse_with_the_full_frames(dreamer: Dreamer, every: int) -> None:
    """Changes of the dream at full frames are no larger than between them."""
    sources = stored(noisy(scene(72, 96, still(25)), 0.01).frames)
    film = list(dream_clip(frames_of(sources), dreamer, CoherenceSettings(refresh=every)))
    added = [to_float(f.pixels) - s for f, s in zip(film, sources, strict=True)]
    changes = [float(np.abs(b - a).mean()) for a, b in pairwise(added)]
    by_phase = [np.mean(changes[phase + 6 :: every]) for phase in range(every)]
    assert max(by_phase) < 1.2 * min(by_phase)


def test_steps_go_where_a_thing_has_moved_away(dreamer: Dreamer) -> None:
    clip = scene(*SIZE, still(2), flight(2, 60 + 90j, 20), radius=20)
    sources, noting = stored(clip.frames), Noting(dreamer)
    list(dream_clip(frames_of(sources), noting, COHERENCE))
    within = noting.calls[-1]["within"]
    assert within and make_mask(within, SIZE)[~clip.visible[1]].mean() > 0.8


def test_dreaming_less_often_refreshes_no_less_than_every_second_dream() -> None:
    found = [
        resolve_coherence(CoherenceSettings(cadence=n, refresh=3), 12).every for n in (1, 2, 3, 4)
    ]
    assert found == [3, 2, 2, 2]
    assert resolve_coherence(CoherenceSettings(cadence=4, refresh=1), 12).every == 1


def test_every_second_frame_is_refreshed_unless_asked_otherwise() -> None:
    found = [resolve_coherence(CoherenceSettings(cadence=n), 12).every for n in (1, 2, 3, 4)]
    assert found == [2, 1, 1, 1]
