"""Times and sizes as text for people."""

from __future__ import annotations

import math


def format_clock(seconds: float) -> str:
    """Format seconds as ``2:03``, or ``1:02:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_duration(seconds: float) -> str:
    """Format a duration, rounded up: ``45s``, ``9m``, ``2h 05m``."""
    if seconds < 99.5:
        return f"{math.ceil(seconds)}s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"


def format_seconds(seconds: float) -> str:
    """Format seconds as the options that take a time read them: ``2.5``."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def format_count(number: float, thing: str) -> str:
    """Format a number of things: ``1 frame``, ``132 frames``, ``23.98 frames``."""
    text = str(number) if isinstance(number, int) else f"{number:.4g}"
    return f"{text} {thing}" if number == 1 else f"{text} {thing}s"


def format_bytes(size: float) -> str:
    """Format a number of bytes: ``3 GB``, ``350 MB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            value = size / unit
            return f"{value:.3g} {name}" if value < 999.5 else f"{value:.0f} {name}"
    return format_count(round(size), "byte")


def format_pace(pace: float) -> str:
    """Format how many are done in a second, in three digits but never as a power: ``2110``."""
    return f"{pace:.0f}" if pace >= 99.5 else f"{pace:.3g}"
