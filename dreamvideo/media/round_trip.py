"""Convert a frame to a film's pixel format and back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media import ffmpeg
from dreamvideo.media.codecs import yuv_filter
from dreamvideo.media.pixel_formats import Color


def store_as(pixels: NDArray[np.uint8], pixel_format: str) -> NDArray[np.uint8]:
    """Convert a frame, H x W x 3 RGB, to a film's pixel format and back, without compression.

    A film in 4:2:0 has a quarter of its chroma, and a dream's fine chroma is strong: its luma
    remains in all three channels, which makes the dream a tenth stronger. Anything compared with a
    film's frames has to go through the same conversion. Formats other than YUV leave the frame
    unchanged. Raises MediaError.
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
