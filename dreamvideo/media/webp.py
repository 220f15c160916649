"""Animated WebP: its length, which ffmpeg does not read, and films of a single picture."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import describe_os_error, escape_text, read_bytes

_FIRST_CHUNK = 12
_FRAME = b"ANMF"
_ANIMATED, _TRANSPARENT = 0x02, 0x10
# Flag of a frame: replace the canvas, without blending.
_REPLACES = 0x02
_LONGEST = (1 << 24) - 1
# Within a frame's chunk: its header, then position and size (12 bytes), then milliseconds in 3
# bytes.
_DELAY = slice(20, 23)


def is_animation(path: Path) -> bool:
    """Return whether a file is an animated WebP, by its extended header. Raises MediaError."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be read ({describe_os_error(error)})"
        ) from error
    animated = len(head) == 21 and bool(head[20] & _ANIMATED)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and animated


def frame_durations(path: Path) -> list[Fraction]:
    """Return the seconds that each frame is shown, also after damage. Raises MediaError."""
    return [Fraction(delay, 1000) for delay in _delays(read_bytes(path))]


def _delays(data: bytes) -> Iterator[int]:
    """Yield the milliseconds of each frame.

    Where a chunk's length is wrong, search for the next frame.
    """
    at = _FIRST_CHUNK
    while 0 <= at < len(data) - 8:
        if data[at : at + 4] == _FRAME:
            yield int.from_bytes(data[at : at + 23][_DELAY], "little")
        after = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        after += after % 2
        known = after == len(data) or data[after : after + 4].strip().isalnum()
        at = after if known else data.find(_FRAME, at + 4)


def make_animation(path: Path, size: tuple[int, int], length: Fraction, plays: int) -> None:
    """Turn a still WebP, as encoders write for a film of one picture, into an animation.

    Args:
        path: The file, which is rewritten.
        size: Its width and height.
        length: Seconds that the picture is shown.
        plays: How often it is shown in total, 0 forever.
    """
    chunks = dict(_chunks(read_bytes(path)))
    picture = [(name, chunks[name]) for name in (b"ALPH", b"VP8 ", b"VP8L") if name in chunks]
    # Bit 29 of the header of lossless pictures says whether they have alpha.
    lossless = chunks.get(b"VP8L", b"\0" * 5)
    clear = b"ALPH" in chunks or bool(lossless[4] & 0x10)
    extent = b"".join((side - 1).to_bytes(3, "little") for side in size)
    shown_for = min(_LONGEST, max(1, round(length * 1000))).to_bytes(3, "little")
    frame = bytes(6) + extent + shown_for + bytes([_REPLACES])
    frame += b"".join(_chunk(name, content) for name, content in picture)
    flags = bytes([_ANIMATED | (_TRANSPARENT if clear else 0), 0, 0, 0])
    content = b"WEBP" + _chunk(b"VP8X", flags + extent)
    content += _chunk(b"ANIM", bytes(4) + plays.to_bytes(2, "little"))
    path.write_bytes(_chunk(b"RIFF", content + _chunk(_FRAME, frame)))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _FIRST_CHUNK
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)
