"""Read a sequence of pictures as the frames of a film: gaps held, all of one size."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.imaging import resize
from dreamvideo.media.decode import DecodeReport, Size, Timed
from dreamvideo.media.own_light import screen_codes
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.stills import Color, Still, open_still

_DONE = {"crop": "cropped to it", "pad": "padded to it", "stretch": "stretched to it"}


def read_series(
    info: MediaInfo,
    size: Size,
    since: Fraction,
    background: Color,
    report: DecodeReport,
    *,
    own_light: bool = False,
) -> Timed:
    """Decode the pictures from a time on.

    Args:
        info: What ``probe`` found, at the wanted rate.
        size: (width, height) of the frames.
        since: Seconds; pictures that start earlier are left out.
        background: Colour of the borders of a padded picture.
        report: Gets a note of everything that is done to the pictures.
        own_light: Whether to put each picture in its own light above that of a screen.

    Yields:
        (time in seconds, H x W x 3 RGB or x 4 with straight alpha, uint8 or uint16).

    Raises:
        MediaError: A picture, which is named, cannot be read.
    """
    if info.fit is not None and info.odd_sizes:
        count = f"{info.odd_sizes} of {len(info.files)} pictures are"
        _note(report, f"{count} not {info.width} x {info.height} as the first: {_DONE[info.fit]}")
    if info.held:
        _note(report, f"{info.held} missing numbers: the picture before is shown for their time")
    first = bisect_left(info.ticks, since * info.rate)
    for tick, file in zip(info.ticks[first:], info.files[first:], strict=True):
        least = size if info.fit is None else None
        still = open_still(file, least=least, own_light=own_light)
        for line in still.notes:
            _note(report, line)
        screen = _frame(info, file, still, size, background)
        if not own_light:
            yield tick / info.rate, screen
            continue
        if still.own is None:
            raise MediaError(f"{escape_text(file)}: holds no light, as the first picture does")
        lit = replace(still, pixels=still.own)
        ground = screen_codes(background, info.color)
        yield tick / info.rate, np.concatenate([_frame(info, file, lit, size, ground), screen])


def _note(report: DecodeReport, line: str) -> None:
    if line not in report.notes:
        report.notes.append(line)


def _frame(
    info: MediaInfo, file: Path, still: Still, size: Size, background: Color | NDArray[np.uint16]
) -> NDArray[Any]:
    layers = still.pixels if still.alpha is None else np.dstack([still.pixels, still.alpha])
    if still.size == (info.width, info.height) or info.fit == "stretch":
        return _resize(layers, size[::-1])
    if info.fit is None:
        raise MediaError(f"{escape_text(file)}: its size has changed since the start")
    if info.fit == "crop":
        return _resize(_crop(layers, (info.width, info.height)), size[::-1])
    return _pad(layers, (info.width, info.height), size, background)


def _resize(layers: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resize to (height, width); hidden colours do not bleed into visible ones."""
    plain, top = resize(layers, size, "lanczos"), np.iinfo(layers.dtype).max
    if layers.shape[2] < 4 or layers.shape[:2] == size or (layers[..., 3] == top).all():
        return plain
    alpha = np.asarray(layers[..., 3] / top, np.float32)
    weighed = resize(np.asarray(layers[..., :3] * alpha[..., None], np.float32), size, "lanczos")
    share = resize(alpha, size, "lanczos")[..., None]
    colours = np.where(share > 1e-3, weighed / np.maximum(share, 1e-3), plain[..., :3])
    plain[..., :3] = np.clip(np.rint(colours), 0, top)
    return plain


def _crop(layers: NDArray[Any], shape: Size) -> NDArray[Any]:
    """Crop the centre of a picture to the shape of (width, height)."""
    high, wide = layers.shape[:2]
    width = max(1, min(wide, round(high * shape[0] / shape[1])))
    height = max(1, min(high, round(wide * shape[1] / shape[0])))
    left, top = (wide - width) // 2, (high - height) // 2
    return layers[top : top + height, left : left + width]


def _pad(
    layers: NDArray[Any], shape: Size, size: Size, background: Color | NDArray[np.uint16]
) -> NDArray[Any]:
    """Centre a whole picture in a frame of ``size``, which represents one of ``shape``."""
    high, wide = layers.shape[:2]
    scale = min(shape[0] / wide, shape[1] / high)
    width = max(1, min(size[0], round(wide * scale * size[0] / shape[0])))
    height = max(1, min(size[1], round(high * scale * size[1] / shape[1])))
    top_level = np.iinfo(layers.dtype).max
    levels = list(background)
    if isinstance(background, tuple):
        levels = [level * top_level // 255 for level in background]
    border = [*levels, top_level]
    frame = np.empty((size[1], size[0], layers.shape[2]), layers.dtype)
    frame[:] = border[: layers.shape[2]]
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    frame[top : top + height, left : left + width] = _resize(layers, (height, width))
    return frame
