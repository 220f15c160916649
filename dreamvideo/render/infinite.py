"""A still -> the frames of an endless zoom into its dream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.octaves import resize
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.motion.camera import Camera, camera_flow
from dreamvideo.motion.warp import warp
from dreamvideo.parsing import parse_size
from dreamvideo.render.carry import as_stored, blurred
from dreamvideo.render.clip import Dreamt
from dreamvideo.settings import ZoomSettings

# A slow pull of what is larger than this towards the first frame's mean colour: without it
# colours wander off within seconds.
TETHER = 0.05
TETHER_SIGMA = 20.0
# A zoom's size where none is asked for: the photo's own shape, no wider or higher than this.
MOST_WIDTH = 640
NOISE_SIZE = (640, 360)
# Octaves a second that a still camera is taken to move.
SLOWEST = 0.1
NOISE_OCTAVES = 6
NOISE_DEVIATION = 0.18


@dataclass(frozen=True)
class Anchor:
    """Mean and deviation of each channel of the first frame, which later frames are held to."""

    mean: Image
    deviation: Image

    @classmethod
    def of(cls, image: Image) -> Anchor:
        """Measured on H x W x 3."""
        return cls(image.mean((0, 1)), image.std((0, 1)))

    def hold(self, image: Image, pull: float) -> Image:
        """``image`` with its colours pulled back: all of the way at 1, not at all at 0."""
        mean, deviation = image.mean((0, 1)), image.std((0, 1))
        scale = 1 + pull * (self.deviation / np.maximum(deviation, 1e-3) - 1)
        shifted = mean + pull * (self.mean - mean)
        held = (image - mean) * scale + shifted
        held -= TETHER * min(1.0, 5 * pull) * (blurred(held, TETHER_SIGMA) - self.mean)
        return np.asarray(np.clip(held, -1, 1), np.float32)


def dream_zoom(
    still: Image, dreamer: Dreamer, settings: ZoomSettings, rate: Fraction
) -> Iterator[Dreamt]:
    """Dream ``still`` (H x W x 3 in [-1, 1]), then each frame from the last one moved nearer.

    ``rate`` is frames per second; the camera moves the same in a second whatever it is.
    """
    height, width = still.shape[:2]
    camera = Camera(zoom=settings.rate, rotate=settings.rotate)
    flow = camera_flow(width, height, camera, 1 / rate)
    count = max(1, round(Fraction(settings.seconds) * rate))
    dreamt = dreamer.dream(still)
    image = as_stored(dreamt.image)
    anchor = Anchor.of(image)
    steps, step_scale = effort(dreamer, settings, rate)
    scale = np.full((height, width), step_scale, np.float32)
    yield Dreamt(0, Fraction(0), to_bytes(image), dreamt.losses[-1], True)
    for index in range(1, count):
        start = anchor.hold(warp(image, flow, border="mirror"), settings.anchor)
        dreamt = dreamer.dream(start, steps=steps, step_scale=scale, frame=index)
        image = as_stored(dreamt.image)
        yield Dreamt(index, index / rate, to_bytes(image), dreamt.losses[-1], False)


def effort(dreamer: Dreamer, settings: ZoomSettings, rate: Fraction) -> tuple[int, float]:
    """Steps an octave in each frame, and the factor on their size.

    ``growth`` fresh dreams are spread over the frames in which the picture grows (or shrinks) by
    one octave, so that a film looks the same at any frame rate. Turning alone counts as slow
    growth: a picture that does not grow still lives.
    """
    octaves_per_second = abs(np.log(settings.rate)) / np.log(dreamer.settings.octave_scale)
    speed = max(float(octaves_per_second), SLOWEST)
    work = settings.growth * dreamer.settings.steps * speed / float(rate)
    steps = max(1, int(np.ceil(work)))
    return steps, work / steps


def ground(photo: NDArray[np.uint8] | None, size: str | None, seed: int) -> Image:
    """What a zoom starts from, at the film's size: a photo (H x W x 3 RGB), else noise.

    ``size`` is as in ``parse_size``; a photo is cropped about its middle to that shape. Sides are
    even, as most encoders want them.
    """
    if photo is None:
        width, height = parse_size(size, *NOISE_SIZE) if size else NOISE_SIZE
        return noise(height // 2 * 2, width // 2 * 2, seed)
    high, wide = photo.shape[:2]
    scale = min(1.0, MOST_WIDTH / max(high, wide))
    width, height = (
        parse_size(size, wide, high) if size else (round(wide * scale), round(high * scale))
    )
    width, height = width // 2 * 2, height // 2 * 2
    crop_wide = min(wide, round(high * width / height))
    crop_high = min(high, round(wide * height / width))
    top, left = (high - crop_high) // 2, (wide - crop_wide) // 2
    cropped = to_float(photo[top : top + crop_high, left : left + crop_wide])
    return resize(cropped, (height, width))


def noise(height: int, width: int, seed: int) -> Image:
    """Soft coloured noise, H x W x 3 in [-1, 1], alike at every size: a ground for dreams."""
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(NOISE_OCTAVES):
        cells = 2 ** (octave + 2)
        rng = np.random.default_rng((seed, octave))
        columns = max(2, round(cells * width / height))
        coarse = rng.normal(0, 1, (cells, columns, 3)).astype(np.float32)
        total += resize(coarse, (height, width)) / (1 + octave / 2)
    scaled = total * (NOISE_DEVIATION / max(float(total.std()), 1e-6))
    return np.asarray(np.clip(scaled, -1, 1), np.float32)
