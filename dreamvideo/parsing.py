"""What people write -> numbers: sizes, times, rates, weighted layers; errors name what is wrong."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from dreamvideo.errors import UsageError

SMALLEST_SIDE = 16
LARGEST_SIDE = 16384
# ASCII digits, and no more of them than any size, time or rate has.
_WHOLE = "[0-9]{1,9}"
_DECIMAL = rf"(?:{_WHOLE}(?:\.[0-9]{{0,9}})?|\.[0-9]{{1,9}})"
_SIZE = re.compile(rf"({_WHOLE})?x({_WHOLE})?|({_WHOLE})|({_DECIMAL})%")
_TIME = re.compile(rf"(?:{_WHOLE}:){{0,2}}{_DECIMAL}s?")
_RATE = re.compile(rf"{_DECIMAL}|{_WHOLE}/{_WHOLE}")
# 23.98, the coarsest of the usual spellings, is this far from 24000/1001.
_NTSC_TOLERANCE = Fraction(1, 5000)

# Far above it the loss leaves the range of float32 and the picture turns black.
LARGEST_WEIGHT = 1e6


def parse_size(text: str, width: int, height: int) -> tuple[int, int]:
    """(width, height) from ``640x360``, ``640`` (width, shape kept), ``x360`` or ``50%``."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match and any(match.groups()):
        wide, high, only, percent = match.groups()
        if percent:
            scale = Fraction(percent) / 100
            size = round(width * scale), round(height * scale)
        elif wide and high:
            size = int(wide), int(high)
        elif high:
            size = round(Fraction(width * int(high), height)), int(high)
        else:
            wide = int(only or wide)
            size = wide, round(Fraction(height * wide, width))
        if min(size) >= SMALLEST_SIDE and max(size) <= LARGEST_SIDE:
            return size
        raise UsageError(
            f"--size {text!r} gives {size[0]} x {size[1]}: "
            f"sides must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
    raise UsageError(f"--size {text!r} is not a size: write 640x360, 640, x360 or 50%")


def parse_time(text: str, option: str, rate: Fraction | None = None) -> Fraction:
    """Seconds from ``12.5``, ``1:02:03.5`` or ``48f`` (frames, which needs the ``rate``)."""
    value = text.strip().lower()
    if re.fullmatch(rf"{_WHOLE}f", value) and rate:
        return int(value[:-1]) / rate
    if _TIME.fullmatch(value):
        seconds = Fraction(0)
        for part in value.removesuffix("s").split(":"):
            seconds = seconds * 60 + Fraction(part)
        return seconds
    raise UsageError(f"{option} {text!r} is not a time: write 12.5, 1:02:03.5 or 48f (frames)")


def parse_rate(text: str) -> Fraction:
    """Frames per second from ``25``, ``30000/1001``, or ``29.97``, which means 30000/1001."""
    value = text.strip()
    if not _RATE.fullmatch(value) or re.search("/0+$", value):
        raise UsageError(f"--fps {text!r} is not a rate: write 25 or 30000/1001")
    rate = Fraction(value)
    if "/" not in value and rate.denominator != 1:
        # 23.976, 29.97, 59.94 are how people write the NTSC rates.
        ntsc = Fraction(round(rate * Fraction(1001, 1000)) * 1000, 1001)
        if abs(rate - ntsc) <= rate * _NTSC_TOLERANCE:
            rate = ntsc
    if not Fraction(1, 100) <= rate <= 1000:
        raise UsageError(f"--fps {text!r}: the rate must be 0.01 to 1000 frames per second")
    return rate


def parse_layers(text: str) -> tuple[tuple[str, float], ...]:
    """``a,b:0.5`` -> (("a", 1.0), ("b", 0.5)); ValueError naming what does not parse."""
    parsed = []
    for part in text.split(","):
        name, colon, weight = (piece.strip() for piece in part.partition(":"))
        if not name:
            raise ValueError(f"a layer name is missing in {text!r}")
        try:
            value = float(weight) if colon else 1.0
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST_WEIGHT:
            raise ValueError(f"the weight of layer {name!r} is no number within 1e6: {weight!r}")
        parsed.append((name, value))
    return tuple(parsed)
