"""Sizes, times and rates as people write them -> numbers; UsageError names what does not parse."""

from __future__ import annotations

import re
from fractions import Fraction

from dreamvideo.errors import UsageError

SMALLEST_SIDE = 16
LARGEST_SIDE = 16384


def parse_size(text: str, width: int, height: int) -> tuple[int, int]:
    """(width, height) from ``640x360``, ``640`` (width, shape kept), ``x360`` or ``50%``."""
    if match := re.fullmatch(r"(\d*)x(\d*)|(\d+)|(\d+(?:\.\d+)?)%", text.strip().lower()):
        wide, high, only, percent = match.groups()
        if percent:
            scale = Fraction(percent) / 100
            size = round(width * scale), round(height * scale)
        elif only or not high:
            wide = int(only or wide or 0)
            size = wide, max(1, round(Fraction(height * wide, width)))
        elif not wide:
            size = max(1, round(Fraction(width * int(high), height))), int(high)
        else:
            size = int(wide), int(high)
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
    if re.fullmatch(r"\d+f", value) and rate:
        return int(value[:-1]) / rate
    if re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?s?", value):
        seconds = Fraction(0)
        for part in value.rstrip("s").split(":"):
            seconds = seconds * 60 + Fraction(part.rstrip("."))
        return seconds
    raise UsageError(f"{option} {text!r} is not a time: write 12.5, 1:02:03.5 or 48f (frames)")


def parse_rate(text: str) -> Fraction:
    """Frames per second from ``25``, ``30000/1001``, or ``29.97``, which means 30000/1001."""
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--fps {text!r} is not a rate: write 25 or 30000/1001") from None
    if "/" not in text:
        # 23.976, 29.97, 59.94 are how people write the NTSC rates.
        ntsc = Fraction(round(rate * Fraction(1001, 1000)) * 1000, 1001)
        if rate.denominator != 1 and abs(rate - ntsc) < Fraction(1, 200):
            rate = ntsc
    if not Fraction(1, 100) <= rate <= 1000:
        raise UsageError(f"--fps {text!r}: the rate must be 0.01 to 1000 frames per second")
    return rate
