"""Code opaque 8-bit frames losslessly as MagicYUV, with FFmpeg's own encoder.

Median prediction and a Huffman code for each channel. A dreamt 1080p frame takes a quarter of the
time of the fastest PNG, half of the time to read back, and three fifths of the bytes (measured
beside QOI, Huffyuv and several levels and filters of PNG).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.ivf import MAGICYUV_CODEC, MAX_SIDE, ivf_picture, read_ivf_picture

_NAME, _FORMAT = "magicyuv", "gbrp"


def fits_magicyuv(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bool:
    """Return whether H x W x 3 can be coded: 8 bits, and no side too long for the file's header."""
    return pixels.dtype == np.uint8 and max(pixels.shape[:2]) <= MAX_SIDE


def encode_magicyuv(pixels: NDArray[np.uint8]) -> bytes:
    """Encode H x W x 3 RGB as a file that ffmpeg opens. Equal pixels are equal bytes."""
    height, width = pixels.shape[:2]
    encoder = _open_codec("w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, _FORMAT
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"pred": "median"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = frame.reformat(format=_FORMAT)
    frame.pts = 0
    (packet,) = [*encoder.encode(frame), *encoder.encode(None)]
    return ivf_picture(bytes(packet), MAGICYUV_CODEC, (width, height))


def decode_magicyuv(data: bytes) -> NDArray[np.uint8] | None:
    """Decode such a file to H x W x 3 RGB; None if it is damaged."""
    decoder = _open_codec("r")
    try:
        packet = av.Packet(read_ivf_picture(data))
        frames = [*decoder.decode(packet), *decoder.decode(None)]
    except (av.FFmpegError, ValueError):
        return None
    return np.asarray(frames[0].to_ndarray(format="rgb24")) if frames else None


def _open_codec(mode: Literal["r", "w"]) -> av.VideoCodecContext:
    opened = av.CodecContext.create(_NAME, mode)
    assert isinstance(opened, av.VideoCodecContext)
    # A frame is coded in one piece whatever the machine, and a render uses its other cores itself.
    opened.thread_count = 1
    return opened
