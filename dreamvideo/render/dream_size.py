"""Dream at a smaller size than the output's, and bring the dreamt detail up to full size.

A dream's cost grows with its pixels, and its largest forms are a share of the picture at any size.
So a large frame is dreamt small, and only what the dream added is enlarged and laid over the
full-size source, which keeps its own sharpness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo import timers
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import resize
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.parsing import parse_size
from dreamvideo.settings.terms import AUTO, FULL, SMALL

Size = tuple[int, int]

# Largest dreams of frames and pictures in automatic mode, in pixels. A picture is dreamt only once.
FRAME_PIXELS = 768 * 432
STILL_PIXELS = 1024 * 576
# A reduction by less than this, in each direction, would blur more than it saves.
LEAST_REDUCTION = 1.125
# Shorter side below which a frame is not reduced: forms need room, and networks a least size.
LEAST_SIDE = 270
# Values of a picture that a processor's cache holds while several operations follow on them.
_CACHED_VALUES = 1 << 17


def choose_dream_size(setting: str, size: Size, pixels: int = FRAME_PIXELS) -> Size:
    """Return the (width, height) to dream an output of that size at.

    Args:
        setting: ``auto``, ``small``, ``full``, or a size as ``parse_size`` takes it.
        size: (width, height) of the output in pixels.
        pixels: Most pixels of the dream in automatic mode.

    Raises:
        UsageError: It is not a size.

    Example:
        >>> choose_dream_size("auto", (1920, 1080))
        (768, 432)
        >>> choose_dream_size("auto", (640, 360))
        (640, 360)
        >>> choose_dream_size("small", (640, 360))
        (480, 270)
    """
    if setting == FULL:
        return size
    width, height = size
    if setting in (AUTO, SMALL):
        reduction, least = min(size) / LEAST_SIDE, 1.0
        if setting == AUTO:
            reduction, least = min((width * height / pixels) ** 0.5, reduction), LEAST_REDUCTION
        if reduction <= least:
            return size
        return max(1, round(width / reduction)), max(1, round(height / reduction))
    wanted = parse_size(setting, width, height, option="--dream-size")
    # A dream larger than its output would be made only to be thrown away.
    return wanted if wanted[0] <= width and wanted[1] <= height else size


@dataclass(frozen=True)
class ShrunkFrame(Frame):
    """A frame at the dream's size, with the frame at full size that it was made from."""

    full: Frame | None = None


def shrink_frame(frame: Frame, size: Size) -> Frame:
    """Return a frame at the dream's size; itself if it has that size already."""
    small = resize(frame.pixels, size[::-1], "area")
    if small is frame.pixels:
        return frame
    return ShrunkFrame(frame.index, frame.time, frame.duration, small, full=frame)


def get_full_frame(frame: Frame) -> Frame:
    """Return the frame at full size that a frame was made from, or itself."""
    return frame.full if isinstance(frame, ShrunkFrame) and frame.full is not None else frame


def enlarge_dream(
    dream: Image, small: Image, source: Image, undreamt: NDArray[np.bool_] | None = None
) -> Image:
    """Lay what a small dream added over the source at full size.

    The enlarged detail is smooth, so the result has the source's sharpness and no edges of its own
    that the dream does not have. Where nothing was dreamt the source is returned unchanged.

    Args:
        dream: h x w x 3 in [-1, 1], the dream of ``small``.
        small: h x w x 3, the source at the dream's size.
        source: H x W x 3 in [-1, 1], the source at full size.
        undreamt: H x W, where the source is to stay as it is.

    Returns:
        H x W x 3 in [-1, 1].
    """
    made = np.array(source, np.float32)
    for channel, detail in enumerate(_enlarge_detail(dream, small, source.shape[:2], undreamt)):
        made[..., channel] += detail
    return np.clip(made, -1, 1, out=made)


@timers.stage("enlarge")
def enlarge_to_bytes(
    dream: Image,
    small: Image,
    pixels: NDArray[np.uint8],
    undreamt: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Do what ``enlarge_dream`` does with pixels as a file holds them, a few rows at a time.

    The result is ``to_bytes(enlarge_dream(...))``, in half the time and memory.

    Args:
        dream: h x w x 3 in [-1, 1], the dream of ``small``.
        small: h x w x 3, the source at the dream's size.
        pixels: H x W x 3, the source at full size.
        undreamt: H x W, where the source is to stay as it is.

    Returns:
        H x W x 3.
    """
    made = np.empty_like(pixels)
    rows = max(1, _CACHED_VALUES // max(1, pixels.shape[1]))
    for channel, detail in enumerate(_enlarge_detail(dream, small, pixels.shape[:2], undreamt)):
        for top in range(0, len(pixels), rows):
            band = slice(top, top + rows)
            image = to_float(pixels[band, :, channel])
            image += detail[band]
            made[band, :, channel] = to_bytes(image)
    return made


def _enlarge_detail(
    dream: Image, small: Image, size: tuple[int, ...], undreamt: NDArray[np.bool_] | None
) -> Iterator[Image]:
    """Yield what a dream added to each channel, enlarged to (height, width)."""
    height, width = size
    added = dream - small
    dreamt = (added != 0).any(-1)
    # The kernel must not carry detail into what is not dreamt.
    clear = None if dreamt.all() else resize(np.float32(dreamt), (height, width), "linear") == 0
    if undreamt is not None:
        clear = undreamt if clear is None else clear | undreamt
    for plane in np.moveaxis(added, -1, 0):
        detail = resize(np.ascontiguousarray(plane), (height, width), "cubic")
        if clear is not None:
            detail[clear] = 0
        yield detail
