"""Parse sizes, times, rates, and weighted layers and networks; errors say what is wrong."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
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
_BYTE_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_BYTES = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([kmg]i?)?b?", re.IGNORECASE)
# 23.98, the coarsest of the usual spellings, is this far from 24000/1001.
_NTSC_TOLERANCE = Fraction(1, 5000)

_RANGE = re.compile(rf"{_WHOLE}(?:-{_WHOLE})?(?:\+{_WHOLE}(?:-{_WHOLE})?)*")
_TERM = re.compile(
    rf"(?P<layer>[^#@:]*?)\s*(?:#\s*(?P<channels>{_RANGE.pattern}))?\s*"
    rf"(?:@\s*(?P<place>{_DECIMAL}x{_DECIMAL}))?"
)
# Statistics of a layer's activations: their mean; the mean of their squares; the mean over channels
# of each one's root mean square, or of its logarithm, so that no few channels dominate; or the mean
# of the third of the channels that the source excites most, moderately or least.
PER_CHANNEL = ("rms", "log")
THIRDS = ("strong", "average", "weak")
MODES = ("mean", "l2", *PER_CHANNEL, *THIRDS)

# Far above this the loss leaves the range of float32 and the picture turns black.
LARGEST_WEIGHT = 1e6


def parse_size(text: str, width: int, height: int, option: str = "--size") -> tuple[int, int]:
    """Parse ``640x360``, ``640`` (width, shape kept), ``x360`` or ``50%`` to (width, height).

    Args:
        text: The size.
        width: Width in pixels that the size is relative to.
        height: Height in pixels that the size is relative to.
        option: Name of the option, for the error.

    Raises:
        UsageError: It is not a size, or a side is out of range.
    """
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
            f"{option} {text!r} gives {size[0]} x {size[1]}: "
            f"sides must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
    raise UsageError(f"{option} {text!r} is not a size: write 640x360, 640, x360 or 50%")


def parse_bytes(text: str) -> int:
    """Parse ``5MB`` (millions), ``800kB``, ``2MiB`` or ``70000`` to bytes; ValueError otherwise."""
    match = _BYTES.fullmatch(text.strip())
    size = int(float(match[1]) * _BYTE_UNITS[(match[2] or "").lower()]) if match else 0
    if size < 1:
        raise ValueError("write a size as 5MB, 800kB or 70000 (bytes)")
    return size


def parse_time(text: str, option: str, rate: Fraction | None = None) -> Fraction:
    """Parse ``12.5``, ``1:02:03.5`` or ``48f`` to seconds.

    Args:
        text: The time.
        option: Name of the option, for the error.
        rate: Frames per second, needed for ``48f``.

    Raises:
        UsageError: It is not a time.
    """
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
    """Parse ``25``, ``30000/1001``, or ``29.97``, which means 30000/1001, to frames per second.

    Raises UsageError.
    """
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
    """Parse ``a,b#3+7:0.5`` to (("a", 1.0), ("b#3+7", 0.5)); ValueError naming what does not parse.

    The terms are returned as ``str(Term)``, which ``parse_term`` reads.
    """
    return tuple(_weighted_term(part, text) for part in text.split(","))


def parse_classes(text: str) -> tuple[tuple[str, float], ...]:
    """Parse ``tabby cat, 1:0.5`` to (("tabby cat", 1.0), ("1", 0.5)); ValueError otherwise."""
    parsed = []
    for part in text.split(","):
        name, colon, weight = (piece.strip() for piece in part.partition(":"))
        if not name:
            raise ValueError(f"the name of a class is missing in {text!r}")
        parsed.append((name, _weight(weight, f"class {name!r}") if colon else 1.0))
    return tuple(parsed)


def parse_networks(text: str) -> tuple[tuple[str, float], ...]:
    """Parse ``lite0, nets/mine.keras:0.5`` to (("lite0", 1.0), ("nets/mine.keras", 0.5)).

    What follows the last colon of a name is its weight if it is a number, else part of the name, as
    in ``C:\\nets\\mine.keras``. Raises ValueError, naming what does not parse.
    """
    parsed = []
    for part in text.split(","):
        name, colon, tail = (piece.strip() for piece in part.rpartition(":"))
        if not colon or not _is_float(tail):
            name, tail = part.strip(), "1"
        if not name:
            raise ValueError(f"the name of a network is missing in {text!r}")
        parsed.append((name, _weight(tail, f"network {name!r}")))
    return tuple(parsed)


def is_short_for(short: str, name: str) -> bool:
    """Return whether a name begins or ends with these words: ``lite2``, ``efficientnet-lite2``."""
    return name.startswith(f"{short}-") or name.endswith(f"-{short}")


@dataclass(frozen=True)
class Term:
    """One layer to excite: ``layer#channels@place:mode``, where all but the layer is optional.

    Attributes:
        layer: Name of the layer.
        channels: (first, last) ranges; empty means all.
        place: (x, y) as fractions of the picture's sides.
        mode: One of ``MODES``, or empty.
    """

    layer: str
    channels: tuple[tuple[int, int], ...] = ()
    place: tuple[float, float] | None = None
    mode: str = ""

    def __str__(self) -> str:
        ranges = "+".join(f"{a}-{b}" if b != a else f"{a}" for a, b in self.channels)
        place = "" if self.place is None else f"@{self.place[0]:g}x{self.place[1]:g}"
        return self.layer + (ranges and f"#{ranges}") + place + (self.mode and f":{self.mode}")


def parse_term(text: str) -> Term:
    """Parse ``block8``, ``block8#42``, ``block8#3+12-20@0.5x0.5:l2``. ValueError otherwise."""
    head, *tails = (piece.strip() for piece in text.split(":"))
    match = _TERM.fullmatch(head)
    if not head:
        raise ValueError(f"a layer name is missing in {text!r}")
    if not match or not match["layer"]:
        raise ValueError(
            f"{head!r} is not a layer: write block8, channels as block8#42 or block8#3+12-20, "
            "a place as block8#42@0.5x0.5"
        )
    channels = match["channels"]
    mode = ""
    for tail in tails:
        if tail.lower() in MODES and not mode:
            mode = tail.lower()
        elif _RANGE.fullmatch(tail) and "-" in tail and channels is None:
            channels = tail
        else:
            raise ValueError(
                f"layer {match['layer']!r} cannot take {tail!r}: "
                f"write a weight, channels such as 12-20, or {', '.join(MODES)}"
            )
    ranges = tuple(_range(part) for part in channels.split("+")) if channels else ()
    return Term(match["layer"], ranges, _place(match["place"]), mode)


def _weighted_term(part: str, text: str) -> tuple[str, float]:
    name, colon, tail = (piece.strip() for piece in part.rpartition(":"))
    if not colon:
        name, tail = tail, "1"
    if not name:
        raise ValueError(f"a layer name is missing in {text!r}")
    if colon and (tail.lower() in MODES or ("-" in tail and _RANGE.fullmatch(tail))):
        return str(parse_term(part)), 1.0
    term = parse_term(name)
    return str(term), _weight(tail, f"layer {name!r}")


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _weight(text: str, whose: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST_WEIGHT:
        raise ValueError(f"the weight of {whose} is not a number within 1e6: {text!r}")
    return value


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    found = int(first), int(last or first)
    if found[0] > found[1]:
        raise ValueError(f"channels of a range must increase: {found[1]}-{found[0]}, not {text}")
    return found


def _place(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    x, y = map(float, text.split("x"))
    if max(x, y) > 1:
        raise ValueError(f"a place in a layer is two fractions, 0x0 to 1x1, not {text}")
    return x, y
