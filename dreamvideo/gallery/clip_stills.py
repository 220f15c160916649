"""Extract single pictures from a photograph or from a clip."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import resize
from dreamvideo.media.pixels import to_float
from dreamvideo.media.probe import probe
from dreamvideo.media.read import read_frame_at
from dreamvideo.media.stills import is_still, read_still
from dreamvideo.parsing import parse_size


@dataclass(frozen=True)
class ClipStill:
    """A picture (H x W x 3 in [-1, 1]) and when it is shown; None for a still."""

    image: Image
    time: Fraction | None = None


def extract_clip_stills(path: Path, count: int, size: str | None, widest: int) -> list[ClipStill]:
    """Extract ``count`` pictures evenly spread over a clip, or the picture of a still.

    Args:
        path: The clip or still.
        count: Number of pictures.
        size: As in ``parse_size``; None: at most ``widest``.
        widest: Largest width in pixels.

    Raises:
        MediaError: The file cannot be read.
    """
    if is_still(path):
        image = to_float(read_still(path))
        return [ClipStill(_resize(image, size, widest))]
    info = probe(path)
    times = [info.duration * Fraction(2 * n + 1, 2 * count) for n in range(count)]
    return [
        ClipStill(_resize(to_float(read_frame_at(path, time)), size, widest), time)
        for time in times
    ]


def _resize(image: Image, size: str | None, widest: int) -> Image:
    height, width = image.shape[:2]
    if size:
        width, height = parse_size(size, width, height)
    elif width > widest:
        width, height = widest, max(1, round(height * widest / width))
    return resize(image, (height, width))
