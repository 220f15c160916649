"""Dreams made by hand over a clip of known truth: the measure must find what was put in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import synthetic
from numpy.typing import NDArray

from dreamvideo.errors import DreamVideoError
from dreamvideo.metrics.film_report import FilmReport, measure
from dreamvideo.metrics.frame_stats import extract_fine
from dreamvideo.metrics.reference_flow import Correspondence, make_known_correspondence
from dreamvideo.motion.warp import warp

Frame = NDArray[np.float32]
HEIGHT, WIDTH, FRAMES, LEVEL = 120, 200, 28, 0.2
FEW = 10
SAMPLE = range(1, FRAMES)


@dataclass(frozen=True)
class World:
    """A source, the truth of its motion, and dreams over it."""

    source: tuple[Frame, ...]
    correspondences: tuple[Correspondence, ...]
    dreams: Mapping[str, tuple[Frame, ...]]

    def film(self, dream: str) -> list[Frame]:
        return [s + d for s, d in zip(self.source, self.dreams[dream], strict=True)]


@cache
def _world(speed: float = 3) -> World:
    """A disc crosses a drifting background; five ways to dream of it, all equally strong.

    ``fresh``: each frame anew. ``painted``: on the surfaces. ``blended``: half of the previous
    dream is left where it was. ``dragged``: it moves along the flow, hidden or not. ``carried``:
    the same only where it could be seen.
    """
    middle = WIDTH / 2 + HEIGHT / 2 * 1j
    poses = synthetic.glide(FRAMES, -0.8 + 0.4j), synthetic.flight(FRAMES, middle - 40, speed)
    clip = synthetic.scene(HEIGHT, WIDTH, *poses, radius=28)
    paint = synthetic.scene(HEIGHT, WIDTH, *poses, radius=28, seed=8, paint=synthetic.grain)
    fresh = [LEVEL * synthetic.grain(HEIGHT, WIDTH, 100 + t) for t in range(FRAMES)]
    dreams = {name: [fresh[0]] for name in ("blended", "dragged", "carried")}
    for t in range(1, FRAMES):
        flow, visible = clip.flows[t], clip.visible[t][..., None]
        before = {name: dream[-1] for name, dream in dreams.items()}
        dreams["blended"].append(_mixed(0.5, before["blended"], fresh[t]))
        dreams["dragged"].append(_mixed(0.95, warp(before["dragged"], flow), fresh[t]))
        dreams["carried"].append(_mixed(0.95 * visible, warp(before["carried"], flow), fresh[t]))
    dreams["fresh"] = fresh
    dreams["painted"] = [np.asarray(LEVEL * f / paint.frames[0].std()) for f in paint.frames]
    return World(
        source=tuple(f * np.float32(0.5) for f in clip.frames),
        correspondences=tuple(
            make_known_correspondence(f, v) for f, v in zip(clip.flows, clip.visible, strict=True)
        ),
        dreams={name: tuple(dream) for name, dream in dreams.items()},
    )


def _mixed(share: float | NDArray[np.floating[Any]], old: Frame, new: Frame) -> Frame:
    return np.asarray(share * old + np.sqrt(1 - np.square(share)) * new, np.float32)


def _changed(change: Callable[[Frame], Frame], dream: str = "fresh") -> FilmReport:
    """The report on ``dream`` after a change to each frame of it."""
    world = _world()
    film = [s + change(d) for s, d in zip(world.source, world.dreams[dream], strict=True)]
    return _against_fresh(film)


@cache
def _measured(dream: str) -> FilmReport:
    return _against_fresh(_world().film(dream))


def _against_fresh(film: Sequence[Frame]) -> FilmReport:
    world = _world()
    alone = world.film("fresh").__getitem__
    return measure(
        film, world.source, independent=alone, sample=SAMPLE, correspondences=world.correspondences
    )


@cache
def _judged(dream: str, speed: float = 3) -> FilmReport:
    """The same over the first frames, by an estimator that has to find the motion itself."""
    world = _world(speed)
    alone = world.film("fresh").__getitem__
    return measure(
        world.film(dream)[:FEW],
        world.source[:FEW],
        independent=alone,
        sample=SAMPLE,
    )


def test_independent_dreaming_is_the_unit() -> None:
    report = _measured("fresh")
    against = report.independent
    assert against is not None
    assert against.flicker == pytest.approx(1)
    assert against.reason is None
    for figure in (against.error_ratio, against.strength, against.contrast, against.tint):
        assert figure == pytest.approx(1)
    assert against.sharpness == pytest.approx(1)
    assert against.ghosting == pytest.approx(1)
    assert against.pairs == len(SAMPLE)


def test_independent_noise_has_twice_its_variance_as_error() -> None:
    report = _measured("fresh")
    assert report.flicker is not None
    # Resampling takes a little of the moved frame's noise away.
    assert 1.8 * LEVEL**2 < report.flicker.film - report.flicker.source < 2.02 * LEVEL**2
    assert report.strength == pytest.approx(LEVEL, rel=0.02)
    expected = np.sqrt(np.mean([extract_fine(dream) ** 2 for dream in _world().dreams["fresh"]]))
    assert report.contrast == pytest.approx(float(expected), rel=0.01)


def test_a_dream_that_is_painted_on_does_not_flicker_at_any_distance() -> None:
    report = _measured("painted")
    assert report.independent is not None
    assert report.independent.flicker is not None
    assert report.independent.flicker < 0.01
    for errors in (report.flicker, report.flicker_8, report.flicker_24):
        assert errors is not None
        assert errors.film < 0.02 * LEVEL**2


def test_error_grows_with_the_distance_as_the_dream_renews_itself() -> None:
    report = _measured("carried")
    assert report.flicker is not None
    assert report.flicker_8 is not None
    assert report.flicker_24 is not None
    assert report.flicker.film < 0.4 * report.flicker_8.film
    assert report.flicker_8.film < 0.8 * report.flicker_24.film
    assert report.flicker_24.source < 0.01 * LEVEL**2


def test_a_carried_dream_is_still_and_leaves_no_trail() -> None:
    report = _measured("carried")
    assert report.trail == pytest.approx(0, abs=0.15)
    assert report.independent is not None
    assert report.independent.error_ratio < 0.1


def test_blending_leaves_half_a_trail_and_gets_no_flicker_figure() -> None:
    report = _measured("blended")
    assert report.trail == pytest.approx(0.5, abs=0.1)
    assert report.independent is not None
    assert report.independent.ghosting is not None
    assert report.independent.ghosting > 1.15
    assert report.independent.flicker is None
    assert "ghosting" in str(report.independent.reason)


def test_dragging_the_dream_over_uncovered_ground_leaves_a_trail() -> None:
    report = _measured("dragged")
    assert report.trail is not None
    assert report.trail > 0.8
    assert report.independent is not None
    assert report.independent.ghosting is not None
    assert report.independent.ghosting > 1.3


def test_dreaming_weakly_earns_nothing() -> None:
    report = _changed(lambda dream: np.asarray(dream * 0.4, np.float32), "carried")
    assert report.independent is not None
    assert report.independent.contrast == pytest.approx(0.4, abs=0.05)
    assert report.independent.flicker is None
    assert "contrast" in str(report.independent.reason)


def test_a_blurred_film_earns_nothing() -> None:
    def soft_but_loud(dream: Frame) -> Frame:
        soft = np.asarray(cv2.GaussianBlur(dream, (0, 0), 1.5), np.float32)
        return np.asarray(soft * (extract_fine(dream).std() / extract_fine(soft).std()), np.float32)

    against = _changed(soft_but_loud).independent
    assert against is not None
    assert against.contrast == pytest.approx(1, abs=0.02)
    assert against.sharpness < 0.6
    assert against.flicker is None
    assert "sharpness" in str(against.reason)


def test_tint_sees_colour_and_not_detail() -> None:
    tint = np.array([0.1, 0, -0.1], np.float32)
    report, plain = _changed(lambda dream: dream + tint), _measured("fresh")
    assert report.tint == pytest.approx(np.sqrt(2 / 3) * 0.1, rel=0.05)
    assert plain.tint < 0.1 * plain.strength
    assert report.contrast == pytest.approx(plain.contrast, rel=1e-3)


@pytest.mark.integration
def test_an_estimator_that_must_find_the_motion_comes_to_the_same() -> None:
    painted, carried, blended = (_judged(name) for name in ("painted", "carried", "blended"))
    for report in (painted, carried, blended):
        assert report.independent is not None
        assert report.flicker is not None
        assert report.flicker.source < 0.01 * LEVEL**2
    truth = _measured("carried").flicker
    assert truth is not None
    assert carried.flicker is not None
    assert carried.flicker.film == pytest.approx(truth.film, rel=0.15)
    assert painted.independent is not None
    assert painted.independent.error_ratio < 0.02
    assert blended.independent is not None
    assert blended.independent.error_ratio > 0.4


@pytest.mark.integration
def test_the_estimator_sees_trails() -> None:
    trails = {dream: _judged(dream, speed=9).trail for dream in ("blended", "dragged", "carried")}
    assert trails["blended"] == pytest.approx(0.5, abs=0.15)
    assert trails["dragged"] is not None
    assert trails["dragged"] > 0.6
    assert trails["carried"] == pytest.approx(0, abs=0.2)


def test_where_nothing_is_uncovered_there_is_no_trail_to_speak_of() -> None:
    clip = synthetic.scene(HEIGHT, WIDTH, synthetic.still(4))
    film = [f + _world().dreams["fresh"][0] for f in clip.frames]
    report = measure(film, clip.frames, independent=film.__getitem__, sample=range(4))
    assert report.trail is None
    assert report.independent is not None
    assert report.independent.ghosting is None
    assert "alone flickers no more" in str(report.independent.reason)


@pytest.mark.integration
@pytest.mark.parametrize("turn", ["mirror", "reverse"])
def test_mirrored_and_reversed_films_measure_the_same(turn: str) -> None:
    world = _world()

    def turned(frames: Sequence[Frame]) -> list[Frame]:
        if turn == "reverse":
            return list(frames[:FEW][::-1])
        return [f[:, ::-1].copy() for f in frames[:FEW]]

    straight = _judged("blended").flicker
    other = measure(turned(world.film("blended")), turned(world.source)).flicker
    assert straight is not None
    assert other is not None
    assert other.film == pytest.approx(straight.film, rel=0.1)


def test_drift_says_how_the_ends_differ() -> None:
    swell = iter(np.linspace(0.5, 1.5, FRAMES, dtype=np.float32))

    def louder(dream: Frame) -> Frame:
        gain = next(swell)
        return np.asarray(dream * gain + (gain - 1) * 0.1, np.float32)

    drift = _changed(louder).drift
    assert drift.contrast.last / drift.contrast.first == pytest.approx(1.389 / 0.611, rel=0.05)
    assert drift.brightness.last - drift.brightness.first == pytest.approx(0.0778, rel=0.1)
    steady = _measured("fresh").drift
    assert steady.contrast.last == pytest.approx(steady.contrast.first, rel=0.05)
    assert steady.brightness.last == pytest.approx(steady.brightness.first, abs=0.01)
    assert steady.strength.last == pytest.approx(steady.strength.first, rel=0.05)


def test_clipping_and_saturation_are_counted_beyond_the_source() -> None:
    world = _world()
    burnt = [np.clip(f * 8, -1, 1) for f in world.film("fresh")]
    drift = measure(burnt, world.source, correspondences=world.correspondences).drift
    share = np.mean([np.abs(f) >= 1 - 1 / 255 for f in burnt[-FRAMES // 4 :]])
    assert drift.clipped.last == pytest.approx(float(share), abs=0.01)
    assert drift.saturation.last > 0.5


def test_a_film_that_is_its_source_has_no_dream_and_the_source_s_error() -> None:
    source = _world().source
    report = measure(source, source, correspondences=_world().correspondences)
    assert report.strength == 0
    assert report.contrast == 0
    assert report.flicker is not None
    assert report.flicker.film == report.flicker.source
    assert report.flicker.ratio == 1
    assert report.independent is None


@pytest.mark.integration
def test_nothing_is_compared_across_a_cut() -> None:
    shots = [synthetic.scene(HEIGHT, WIDTH, synthetic.glide(6, 2), seed=s) for s in (20, 30, 40)]
    clip = synthetic.join(*shots)
    half: list[Frame] = [f * np.float32(0.5) for f in clip.frames]
    film: list[Frame] = [f + _world().dreams["fresh"][0] for f in half]
    asked: list[int] = []

    def alone(index: int) -> Frame:
        asked.append(index)
        return film[index]

    report = measure(film, half, independent=alone, sample=range(18))
    assert report.cuts == (6, 12)
    assert report.flicker is not None
    assert report.flicker.source < 1e-3
    assert report.flicker_8 is None
    assert {6, 12}.isdisjoint(asked[1::2])


@pytest.mark.integration
def test_memory_does_not_grow_with_the_film() -> None:
    alive: list[int] = []
    frames = 70

    class Counted(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
        def __del__(self) -> None:
            alive[-1] -= 1

    def stream() -> Iterator[Frame]:
        still = synthetic.texture(48, 64)
        for _ in range(frames):
            alive.append((alive[-1] if alive else 0) + 1)
            yield still.copy().view(Counted)

    measure(stream(), (synthetic.texture(48, 64) for _ in range(frames)))
    assert max(alive) <= 10


def test_the_report_is_plain_json() -> None:
    report = _measured("fresh")
    back = json.loads(json.dumps(report.to_json_able()))
    assert back["frames"] == FRAMES
    assert back["independent"]["flicker"] == pytest.approx(1)
    assert back["drift"]["strength"].keys() == {"first", "last"}
    assert back["cuts"] == []


def test_wide_films_are_measured_small_and_padded_ones_fit() -> None:
    clip = synthetic.scene(90, 161, synthetic.glide(2, 2))
    film = [np.pad(f, ((0, 0), (0, 1), (0, 0)), mode="edge") for f in clip.frames]
    report = measure(film, clip.frames, max_width=81)
    assert (report.width, report.height) == (81, 45)
    assert report.strength < 0.05


def test_what_does_not_belong_together_is_refused_in_one_line() -> None:
    frames = list(synthetic.scene(60, 90, synthetic.glide(3, 1)).frames)
    tall = [np.ascontiguousarray(f.transpose(1, 0, 2)) for f in frames]
    for film, source, word in (
        (frames[:2], frames, "2 frames"),
        (frames, frames[:2], "2 frames"),
        (tall, frames, "60x90"),
        ([], [], "no frames"),
    ):
        with pytest.raises(DreamVideoError, match=word) as error:
            measure(film, source)
        assert "\n" not in str(error.value)


def test_what_is_no_number_is_null_in_json() -> None:
    source = synthetic.grain(HEIGHT, WIDTH, 1) * np.float32(0.3)
    film = [source + np.float32(0.1) * synthetic.grain(HEIGHT, WIDTH, 2 + t) for t in range(4)]
    report = measure(film, [source] * 4)
    assert report.flicker is not None and report.flicker.ratio == np.inf
    back = json.loads(json.dumps(report.to_json_able(), allow_nan=False))
    assert back["flicker"]["ratio"] is None and back["flicker"]["film"] == report.flicker.film
