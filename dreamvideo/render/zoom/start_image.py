"""The start of a zoom: a photo, a clip's frame or noise, at the film's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.imaging import resize
from dreamvideo.media.pixels import to_float
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import Color, is_still, read_still
from dreamvideo.parsing import parse_size, parse_time

# A zoom's default size: the photo's own shape, at most this wide or high.
MOST_WIDTH = 640
NOISE_SIZE = (640, 360)
NOISE_OCTAVES = 6
NOISE_DEVIATION = 0.33


def read_picture(
    path: Path, background: Color = (0, 0, 0), at: str | None = None
) -> NDArray[np.uint8]:
    """Read a picture, or a frame of a clip, a GIF or a folder: uint8 H x W x 3 RGB.

    Args:
        path: The picture or clip.
        background: Colour that transparent areas are composited over.
        at: Time of a clip's frame, as in ``parse_time``; None: the last one.

    Raises:
        UsageError: There is no frame at that time.
        MediaError: It cannot be read.
    """
    if is_still(path):
        if at is not None:
            raise UsageError(f"--at {at}: {path} is a picture, which has no other frames")
        return read_still(path, background)
    if at is not None:
        info = probe(path)
        start = parse_time(at, "--at", info.rate)
        if info.duration is not None and start >= info.duration:
            raise UsageError(f"--at {at}: the clip ends before, at {float(info.duration):g} s")
    else:
        start = None
    last = None
    with open_source(path, ReadOptions(start=start, background=background)) as source:
        for frame in source:
            last = frame.pixels
            if at is not None:
                break
    if last is None and at is not None:
        # The last frame was shown before that time, and still is.
        return read_picture(path, background)
    if last is None:
        raise MediaError(f"{path}: no frame could be decoded")
    return last


def make_start_image(photo: NDArray[np.uint8] | None, size: str | None, seed: int) -> Image:
    """Return the picture a zoom starts from at the film's size, H x W x 3 in [-1, 1].

    Sides are even, as most encoders require.

    Args:
        photo: H x W x 3 RGB, cropped about its centre to the film's shape; None: noise.
        size: As in ``parse_size``; None: the default size.
        seed: Seed of the noise.
    """
    if photo is None:
        width, height = parse_size(size, *NOISE_SIZE) if size else NOISE_SIZE
        return make_noise(height // 2 * 2, width // 2 * 2, seed)
    high, wide = photo.shape[:2]
    scale = min(1.0, MOST_WIDTH / max(high, wide))
    width, height = (
        parse_size(size, wide, high) if size else (round(wide * scale), round(high * scale))
    )
    return fit_to_size(photo, max(2, width // 2 * 2), max(2, height // 2 * 2))


def fit_to_size(photo: NDArray[np.uint8], width: int, height: int) -> Image:
    """Crop the centre of a photo to a shape and resample it, H x W x 3 in [-1, 1].

    Args:
        photo: H x W x 3 RGB.
        width: Width in pixels.
        height: Height in pixels.
    """
    high, wide = photo.shape[:2]
    crop_wide = max(1, min(wide, round(high * width / height)))
    crop_high = max(1, min(high, round(wide * height / width)))
    top, left = (high - crop_high) // 2, (wide - crop_wide) // 2
    cropped = to_float(photo[top : top + crop_high, left : left + crop_wide])
    return resize(cropped, (height, width))


def make_noise(height: int, width: int, seed: int) -> Image:
    """Return soft coloured noise, H x W x 3 in [-1, 1], that looks alike at every size.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        seed: Seed of the random numbers.
    """
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(NOISE_OCTAVES):
        cells = 2 ** (octave + 2)
        rng = np.random.default_rng((seed, octave))
        columns = max(2, round(cells * width / height))
        coarse = rng.normal(0, 1, (cells, columns, 3)).astype(np.float32)
        total += resize(coarse, (height, width)) / (1 + octave)
    scaled = total * (NOISE_DEVIATION / max(float(total.std()), 1e-6))
    return np.asarray(np.tanh(scaled), np.float32)
