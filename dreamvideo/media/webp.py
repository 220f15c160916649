"""What an animated WebP says of its own length, which ffmpeg does not read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from dreamvideo.media.paths import read_bytes

_FIRST_CHUNK = 12
_FRAME = b"ANMF"
# Of a frame's chunk: its header, then place and size (12 bytes), then milliseconds in 3 bytes.
_DELAY = slice(20, 23)


def count_and_length(path: Path) -> tuple[int, Fraction]:
    """Frames and seconds of an animation, also behind damage. Raises MediaError."""
    delays = list(_delays(read_bytes(path)))
    return len(delays), Fraction(sum(delays), 1000)


def _delays(data: bytes) -> Iterator[int]:
    """Milliseconds of each frame; where a chunk's length leads astray, the next frame is sought."""
    at = _FIRST_CHUNK
    while 0 <= at < len(data) - 8:
        if data[at : at + 4] == _FRAME:
            yield int.from_bytes(data[at : at + 23][_DELAY], "little")
        after = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        after += after % 2
        known = after == len(data) or data[after : after + 4].strip().isalnum()
        at = after if known else data.find(_FRAME, at + 4)
