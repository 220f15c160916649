"""Read a frame of a picture or film for a preview, small and as JPEG."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.imaging import encode_jpeg, resize
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import is_still, read_still

# Dreaming this many pixels takes two or three seconds on two cores.
MOST_PIXELS = 576 * 384
JPEG_QUALITY = 90


def read_frame(path: Path, at: float) -> NDArray[np.uint8]:
    """Read a picture, or a film's frame at ``at`` seconds: H x W x 3 RGB. Raises MediaError."""
    if is_still(path):
        try:
            return read_still(path)
        except MediaError:
            # A film with a picture's extension.
            pass
    # The last frame may start a moment before the reported end of the clip.
    for start in (Fraction(at).limit_denominator(10_000), Fraction(at) * Fraction(9, 10), 0):
        with suppress(UsageError), open_source(path, ReadOptions(start=Fraction(start))) as source:
            for frame in source:
                return frame.pixels
    raise MediaError(f"{path}: no frame could be decoded")


def read_newest(folder: Path) -> bytes:
    """Return the newest picture of a folder, small, as JPEG; empty if there is none."""
    with suppress(OSError, ValueError, MediaError):
        path = max(folder.glob("*.png"), key=lambda each: each.stat().st_mtime)
        return encode_jpeg(shrink(read_still(path)), JPEG_QUALITY)
    return b""


def shrink(pixels: NDArray[np.uint8], most: int = MOST_PIXELS) -> NDArray[np.uint8]:
    """Shrink a picture to at most the size of a preview, or to ``most`` pixels in all."""
    height, width = pixels.shape[:2]
    scale = min(1.0, (most / (height * width)) ** 0.5)
    if scale == 1:
        return pixels
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return to_bytes(resize(to_float(pixels), size))
