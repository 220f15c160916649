"""``measure`` beside the truth: photographs with grain, moved by a known camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import Clip, glide, grain, ramp, scene
from truth import HEIGHT, WIDTH, moving_camera, photo, still_camera

from dreamvideo.metrics.film_report import measure
from dreamvideo.metrics.frame_stats import BANDS, Pair, measure_bands
from dreamvideo.metrics.independent_baseline import Comparison
from dreamvideo.metrics.reference_flow import (
    Correspondence,
    estimate_correspondence,
    make_known_correspondence,
)
from dreamvideo.metrics.tvl1 import estimate_flow
from dreamvideo.motion.flow import motion_between
from dreamvideo.motion.warp import warp

Frame = NDArray[np.float32]
FRAMES = slice(8, 14)
LEVEL = 0.12


@cache
def carried(make: Callable[[int], Clip]) -> tuple[tuple[Frame, ...], list[Frame], list[Frame]]:
    """(source, film, frames dreamt alone) of a dream carried by the renderer's own flow."""
    source = make(24).frames[FRAMES]
    fresh = [LEVEL * grain(HEIGHT, WIDTH, 100 + t) for t in range(len(source))]
    dreams = fresh[:1]
    for (before, now), new in zip(pairwise(source), fresh[1:], strict=True):
        motion = motion_between(now, before)
        kept = 0.97 * motion.confidence[..., None]
        moved = warp(dreams[-1], motion.flow)
        dreams.append(np.asarray(kept * moved + np.sqrt(1 - kept**2) * new, np.float32))
    film = [s + d for s, d in zip(source, dreams, strict=True)]
    return source, film, [s + d for s, d in zip(source, fresh, strict=True)]


def compared(
    make: Callable[[int], Clip], correspondences: list[Correspondence] | None = None
) -> Comparison:
    source, film, alone = carried(make)
    report = measure(
        film,
        source,
        independent=alone.__getitem__,
        sample=range(1, len(source)),
        correspondences=correspondences,
    )
    assert report.independent is not None
    return report.independent


def added(found: Comparison) -> float:
    """Flicker before it is weighed against what the dream lost."""
    source = found.error_source
    return (found.error_film - source) / (found.error_independent - source)


@pytest.mark.sample(1)
@pytest.mark.parametrize("make", [moving_camera, still_camera])
def test_flicker_is_what_the_truth_says(make: Callable[[int], Clip]) -> None:
    clip = make(24)
    truth = [
        make_known_correspondence(flow, visible)
        for flow, visible in zip(clip.flows[FRAMES], clip.visible[FRAMES], strict=True)
    ]
    exact, estimated = (added(compared(make, known)) for known in (truth, None))
    assert estimated == pytest.approx(exact, rel=0.25)


def test_the_flow_is_found_to_a_fraction_of_a_pixel() -> None:
    clip = scene(HEIGHT, WIDTH, glide(2, 7.3 - 2.6j, zoom=1.01, degrees=0.5), paint=photo)
    found = estimate_correspondence(clip.frames[1], clip.frames[0])
    error = np.hypot(*np.moveaxis(found.flow - clip.flows[1], -1, 0))
    assert np.median(error) < 0.1
    assert np.mean(error < 1) > 0.95
    assert found.visible[clip.visible[1]].mean() > 0.95


def test_a_change_of_exposure_moves_nothing() -> None:
    still = scene(HEIGHT, WIDTH, glide(2), paint=photo)
    before, now = ((f.mean(-1) + 1) * np.float32(127.5) for f in ramp(still, 1.0, 0.8).frames)
    assert np.abs(estimate_flow(now, before)).max() < 0.1


def test_pictures_without_structure_and_tiny_ones_do_not_move() -> None:
    flat = np.full((40, 60), 90, np.float32)
    assert np.abs(estimate_flow(flat, flat + 30)).max() < 0.01
    tiny = np.arange(12, dtype=np.float32).reshape(3, 4) * 20
    assert estimate_flow(tiny, tiny).shape == (3, 4, 2)
    assert np.abs(estimate_flow(tiny, tiny)).max() < 0.01


@pytest.mark.integration
def test_flicker_in_one_moment_counts_though_no_frame_there_was_dreamt_alone() -> None:
    source, film, alone = carried(still_camera)
    burst = [*film[:3], alone[3], *film[4:]]
    found = []
    for frames in (film, burst):
        report = measure(frames, source, independent=alone.__getitem__, sample=[1])
        assert report.independent is not None
        found.append(report.independent.error_film)
    assert found[1] > 3 * found[0]


def dreamt(change: Callable[[Frame, float], Frame]) -> Comparison:
    """A still clip whose dream is ``change(dream alone, share of the film)``."""
    frames = 12
    random = np.random.default_rng(5)
    source = [np.zeros((90, 160, 3), np.float32)] * frames
    dreams = []
    for _ in range(frames):
        fine = grain(90, 160, int(random.integers(1 << 30)))
        noise = random.standard_normal((90, 160, 3)).astype(np.float32)
        coarse = blur(noise, 3) - blur(noise, 4)
        dreams.append(np.asarray(0.1 * fine + 0.06 * coarse / coarse.std(), np.float32))
    film = [
        np.asarray(change(dream, t / (frames - 1)), np.float32) for t, dream in enumerate(dreams)
    ]
    nothing = np.zeros((90, 160), bool)
    still = Correspondence(np.zeros((90, 160, 2), np.float32), ~nothing, nothing)
    report = measure(
        film,
        source,
        independent=dreams.__getitem__,
        sample=range(1, frames),
        correspondences=[still] * frames,
    )
    assert report.independent is not None
    return report.independent


def blur(image: Frame, sigma: float) -> Frame:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def split(dream: Frame) -> tuple[Frame, Frame]:
    luma = dream.mean(-1, keepdims=True)
    return luma, dream - luma


def drained(dream: Frame, share: float) -> Frame:
    """Its coarse chroma, from 2 to 5 px (6 to 15 at 480 wide), falls to about 70 %."""
    _, chroma = split(dream)
    return np.asarray(dream - 0.5 * blur(chroma, 2), np.float32)


def paling(dream: Frame, share: float) -> Frame:
    luma, chroma = split(dream)
    return np.asarray(luma + chroma * (1.1 - 0.3 * share), np.float32)


def brightening(dream: Frame, share: float) -> Frame:
    return np.asarray(dream + 0.05 * share, np.float32)


def test_a_dream_like_the_one_alone_meets_no_objection() -> None:
    same = dreamt(lambda dream, share: dream)
    assert same.objections == ()
    assert same.luma == same.chroma == pytest.approx([1.0] * len(BANDS))
    assert same.saturation == same.saturation_last == pytest.approx(1)
    assert [frame.index for frame in same.frames] == list(range(1, 12))


def test_drained_colour_is_objected_to() -> None:
    found = dreamt(drained)
    assert found.chroma[3] == pytest.approx(0.7, abs=0.05)
    assert found.luma == pytest.approx([1.0] * len(BANDS))
    assert any(o.startswith("chroma of 6 to 15 px 0.") for o in found.objections)
    # It does not make flicker misleading.
    assert "chroma" not in str(found.reason)


def test_saturation_that_drifts_is_objected_to() -> None:
    found = dreamt(paling)
    assert found.saturation_first is not None and found.saturation_last is not None
    assert found.saturation == pytest.approx(0.94, abs=0.03)
    assert found.saturation_first == pytest.approx(1.07, abs=0.02)
    assert found.saturation_last == pytest.approx(0.83, abs=0.02)
    assert [o for o in found.objections if "saturation" in o] == [
        f"saturation added in the last quarter, over the first's "
        f"{found.saturation_last / found.saturation_first:.2f} is below 0.85"
    ]
    first, *_, last = found.frames
    assert first.saturation == pytest.approx(1.07, abs=0.02)
    assert last.saturation == pytest.approx(0.8, abs=0.02)


def test_brightness_that_drifts_is_objected_to() -> None:
    found = dreamt(brightening)
    assert found.brightness_drift == pytest.approx(0.05 * 9 / 11, abs=0.005)
    assert [o for o in found.objections if "brightness" in o] == [
        "brightness drift 0.04 is above 0.02"
    ]


@pytest.mark.parametrize(("wavelength", "band"), [(3, 0), (8, 1), (20, 2), (50, 3)])
@pytest.mark.parametrize("kind", [0, 1])
def test_each_band_holds_its_own_scale(wavelength: float, band: int, kind: int) -> None:
    wave = np.sin(2 * np.pi * np.arange(480, dtype=np.float32) / wavelength)
    colour = np.array([[1, 1, 1], [1, 0, -1]][kind], np.float32)
    film = np.asarray(0.2 * np.broadcast_to(wave[:, None] * colour, (270, 480, 3)), np.float32)
    energies = measure_bands(Pair(film, np.zeros_like(film)))
    assert energies[1 - kind].max() < 1e-9
    assert int(energies[kind].argmax()) == band


def test_a_figure_just_outside_its_bound_is_told_apart_from_it() -> None:
    found = dreamt(lambda dream, share: np.asarray(dream * 0.8975, np.float32))
    assert found.reason == "contrast 0.8975 is below 0.9000"
