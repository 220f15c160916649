from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from dreaming import cat
from zooms import Picture, plan

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.pixels import to_float
from dreamvideo.motion.warp import warp
from dreamvideo.render.zoom.render import dream_zoom
from dreamvideo.settings import DreamSettings, ZoomSettings

RATE = Fraction(25)


def figures(image: Picture) -> dict[str, float]:
    grey = image.mean(2)
    return {
        "Laplacian energy": float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        "contrast": float(grey.std()),
        "saturation": float((image.max(2) - image.min(2)).mean()),
    }


def clipped(image: Picture) -> float:
    return float((np.abs(image) >= 1 - 1 / 255).mean())


def detail(image: Picture) -> Picture:
    """Grey without what is coarser than a few pixels."""
    grey = image.mean(2)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 3), np.float32)


def coarse_energy(image: Picture) -> float:
    """Energy of the forms above 20 px in a picture 480 wide."""
    blurred = cv2.GaussianBlur(image.mean(2), (0, 0), 5 * image.shape[1] / 480)
    return float(blurred.var())


@pytest.mark.parametrize(
    "later",
    [
        pytest.param((40, 70), marks=pytest.mark.integration),
        pytest.param((60, 300, 1000), marks=pytest.mark.slow),
    ],
)
def test_a_zoom_holds_and_lives(later: tuple[int, ...]) -> None:
    settings = ZoomSettings(seconds=(later[-1] + 1) / 25)
    made = plan(cat(108, 192), Dreamer(DreamSettings()), settings, RATE)
    kept: dict[int, Picture] = {}
    watched = {10, *later, later[-1] - 60}
    for frame in dream_zoom(made):
        if frame.index in watched:
            kept[frame.index] = to_float(frame.pixels)
    begun = kept[10]
    for index in later:
        image = kept[index]
        for name, value in figures(image).items():
            assert value == pytest.approx(figures(begun)[name], rel=0.15), (index, name)
        assert np.abs(image.mean((0, 1)) - begun.mean((0, 1))).max() < 6 / 127.5
        assert coarse_energy(image) > 0.8 * coarse_energy(begun)
        assert clipped(image) == pytest.approx(clipped(begun), rel=0.15, abs=0.002)
    last, before = later[-1], later[-1] - 60
    flow = made.transform_to(before, last).flow(192, 108)
    moved = warp(kept[before], flow, border="mirror")
    alike = np.corrcoef(detail(moved).ravel(), detail(kept[last]).ravel())[0, 1]
    assert alike < 0.75, "it only grows: nothing new is dreamt"
