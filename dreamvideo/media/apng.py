"""Read the frame delays of an animated PNG as exact fractions, which libav rounds."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

from dreamvideo.media.paths import read_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
# Within a frame's control chunk: the delay's two numbers, after six of order, size and position.
_DELAY = struct.Struct(">20xHH")


def frame_durations(path: Path) -> list[Fraction]:
    """Return the seconds that each frame is shown, as far as chunks are intact.

    Raises MediaError.
    """
    data = read_bytes(path)
    durations: list[Fraction] = []
    at = len(_SIGNATURE)
    while at + _CHUNK.size <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        content = at + _CHUNK.size
        if kind == b"fcTL" and content + _DELAY.size <= len(data):
            above, below = _DELAY.unpack_from(data, content)
            # A denominator of 0 means hundredths.
            durations.append(Fraction(above, below or 100))
        at = content + length + 4
    return durations
