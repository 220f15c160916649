"""Limits of animations: the frame rate that browsers play, and a maximum file size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamvideo.media.stored import StoredFrame

# Browsers slow down frames that are shown for less than 2/100 s.
_SHORTEST_DELAY = Fraction(1, 50)
_SLOWEST_RATE = 10
_NARROWEST = 48
_ROOM = 1.05


@dataclass(frozen=True)
class Attempt:
    """A rate and size to try: every ``step``-th frame, sides times ``scale``."""

    step: int = 1
    scale: float = 1.0

    def size(self, whole: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) of this attempt."""
        return max(1, round(whole[0] * self.scale)), max(1, round(whole[1] * self.scale))


def at_gif_pace(frames: Sequence[StoredFrame]) -> list[StoredFrame]:
    """Drop frames to at most 50 per second if any follow each other faster."""
    times = [frame.time for frame in frames]
    if all(later - earlier >= _SHORTEST_DELAY for earlier, later in pairwise(times)):
        return list(frames)
    ticks: dict[int, StoredFrame] = {}
    for frame in frames:
        tick = (frame.time - times[0]) // _SHORTEST_DELAY
        ticks.setdefault(tick, StoredFrame(frame.path, times[0] + tick * _SHORTEST_DELAY))
    return list(ticks.values())


def least_bytes(pixels: NDArray[np.uint8], ending: str) -> int:
    """Return a size in bytes below which no film that begins with this frame can be written.

    It is that of the frame alone, plain and at the smallest size that is tried.

    Args:
        pixels: H x W x 3, the undreamt frame: a dream only adds detail.
        ending: ``.gif`` or ``.webp``.
    """
    height, width = pixels.shape[:2]
    narrow = min(width, _NARROWEST)
    small = Image.fromarray(pixels).resize((narrow, max(1, round(height * narrow / width))))
    written = BytesIO()
    if ending == ".gif":
        small.quantize(64).save(written, "GIF")
    else:
        small.save(written, "WEBP", quality=10)
    return len(written.getvalue())


def shrink_gif(
    attempt: Attempt, got: int, wanted: int, rate: Fraction, width: int
) -> Attempt | None:
    """Return the next attempt to reach a file size; None if nothing reasonable is left.

    Frames are dropped evenly and only on the first try, as long as 10 per second remain; the rest
    is gained by reducing the size.

    Args:
        attempt: The previous attempt.
        got: Its size in bytes.
        wanted: The wanted size in bytes.
        rate: Frames per second of the whole film.
        width: Width of the whole film in pixels.
    """
    excess = got / wanted * _ROOM
    step = attempt.step
    if attempt == Attempt():
        step = max(1, min(int(excess), int(rate / _SLOWEST_RATE)))
        excess /= step
    scale = attempt.scale / max(excess, _ROOM) ** 0.5 if excess > 1 else attempt.scale
    return Attempt(step, scale) if width * scale >= _NARROWEST else None
