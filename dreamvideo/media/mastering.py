"""What an HDR film says of the display it was mastered on, and of its brightest light."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import escape_text
from dreamvideo.media.png import chunk

# As ffmpeg's filter showinfo prints it: red, green, blue and white, then nits.
_DISPLAY = re.compile(
    r"Mastering display metadata: has_primaries:1 has_luminance:1 (r\(.*\)) "
    r"min_luminance=([\d.]+), max_luminance=([\d.]+)"
)
_LEVELS = re.compile(r"Content light level metadata: MaxCLL=(\d+), MaxFALL=(\d+)")
_NUMBER = re.compile(r"\d+\.\d+")
# Units of a PNG: chromaticities in 0.00002, light in 0.0001 nits.
_CHROMATICITY, _NITS = 50_000, 10_000
# What a chunk can hold; Matroska keeps any number.
_MOST = 2**32 - 1


def read_mastering(path: Path, stream: int) -> bytes:
    """Return it as chunks of a PNG, which ffmpeg passes on to every encoder and container.

    Args:
        path: The film.
        stream: The picture's number among all streams.

    Returns:
        The chunks mDCV and cLLI, or those of them that the film has.

    Raises:
        MediaError: It cannot be decoded.
    """
    lines, _ = ffmpeg.run(
        [
            *(*ffmpeg.input_file(path), "-map", f"0:{stream}", "-frames:v", "1"),
            *("-vf", "showinfo=checksum=0", "-f", "null", "-"),
        ],
        subject=f"{escape_text(path)}: its first frame cannot be decoded",
    )
    log = "\n".join(lines)
    made = b""
    if display := _DISPLAY.search(log):
        places = [
            min(65_535, round(float(each) * _CHROMATICITY)) for each in _NUMBER.findall(display[1])
        ]
        most, least = (min(_MOST, round(float(display[n]) * _NITS)) for n in (3, 2))
        made += chunk(b"mDCV", struct.pack(">8H2I", *places, most, least))
    if levels := _LEVELS.search(log):
        light = (min(_MOST, int(each) * _NITS) for each in levels.groups())
        made += chunk(b"cLLI", struct.pack(">2I", *light))
    return made
