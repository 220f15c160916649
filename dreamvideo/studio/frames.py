"""(a picture or film, a time) -> the frame that is shown there, small, and as a JPEG."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.octaves import resize
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import is_still, read_still

# A dream of this many pixels takes two or three seconds on two cores.
MOST_PIXELS = 576 * 384


def read_frame(path: Path, at: float) -> NDArray[np.uint8]:
    """A picture, or what a film shows at ``at`` seconds: H x W x 3 RGB. Raises MediaError."""
    if is_still(path):
        try:
            return read_still(path)
        except MediaError:
            # A film by a picture's name.
            pass
    # The last frame may begin a moment before the time that the clip is said to end.
    for start in (Fraction(at).limit_denominator(10_000), Fraction(at) * Fraction(9, 10), 0):
        with suppress(UsageError), open_source(path, start=Fraction(start)) as source:
            for frame in source:
                return frame.pixels
    raise MediaError(f"{path}: no frame could be decoded")


def shrink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture no larger than one that is dreamt for a preview."""
    height, width = pixels.shape[:2]
    scale = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
    if scale == 1:
        return pixels
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return to_bytes(resize(to_float(pixels), size))


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """H x W x 3 RGB as a JPEG."""
    done, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not done:
        raise MediaError("a preview could not be written as JPEG")
    return data.tobytes()
