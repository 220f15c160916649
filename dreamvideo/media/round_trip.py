"""(frame, pixel format of a film) -> the frame as such a film gives it back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media import ffmpeg
from dreamvideo.media.codecs import yuv_filter
from dreamvideo.media.pixel_formats import Color


def store_as(pixels: NDArray[np.uint8], pixel_format: str) -> NDArray[np.uint8]:
    """A frame, H x W x 3 RGB, through a film's pixel format and back, not compressed.

    A film in 4:2:0 has a quarter of its chroma, and a dream's fine chroma is strong: its luma is
    left in all three channels, which makes the dream a tenth stronger. Whatever is compared with
    a film's frames has to go the same way. Formats that are no YUV leave the frame as it is.
    Raises MediaError.
    """
    if not pixel_format.startswith("yuv"):
        return pixels
    height, width = pixels.shape[:2]
    there = yuv_filter(pixel_format, Color(), Fraction(1))
    back = f"scale=flags=lanczos+{ffmpeg.ACCURATE},format=rgb24"
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24")
    _, output = ffmpeg.run(
        [
            *(*raw, "-s", f"{width}x{height}", "-i", "pipe:0"),
            *("-vf", f"{there},{back}", *raw, "pipe:1"),
        ],
        subject=f"a frame as {pixel_format}",
        feed=[np.ascontiguousarray(pixels).tobytes()],
    )
    return np.frombuffer(output, np.uint8).reshape(pixels.shape)
