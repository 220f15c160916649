"""What an animated WebP says of its own length, which ffmpeg does not read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import os_words, read_bytes, shown

_FIRST_CHUNK = 12
_FRAME = b"ANMF"
_ANIMATED = 0x02
# Of a frame's chunk: its header, then place and size (12 bytes), then milliseconds in 3 bytes.
_DELAY = slice(20, 23)


def is_animation(path: Path) -> bool:
    """Whether a file is a WebP of several frames, by its extended header. Raises MediaError."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError as error:
        raise MediaError(f"{shown(path)}: cannot be read ({os_words(error)})") from error
    animated = len(head) == 21 and bool(head[20] & _ANIMATED)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and animated


def frame_durations(path: Path) -> list[Fraction]:
    """Seconds that each frame of an animation is shown, also behind damage. Raises MediaError."""
    return [Fraction(delay, 1000) for delay in _delays(read_bytes(path))]


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
