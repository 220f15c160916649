"""Text -> a value over time: ``1.5``, or keys ``0:1.5, 4s:1.1 ease, 100%:2``.

A key is a time and a value; between keys the value goes straight from one to the next, unless
the earlier key says ``hold`` (it stays until the next key) or ``ease`` (slow at both ends).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

Value = tuple[float, ...]

_NUMBER = r"[-+]?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:e[-+]?[0-9]{1,3})?"
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?)\s*(s|%)?")
_KEY = re.compile(rf"(?:([^:]+):)?\s*({_NUMBER}(?:x{_NUMBER})*)(?:\s+(\w+))?")

EASES: dict[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "hold": lambda share: 0.0,
    "ease": lambda share: share * share * (3 - 2 * share),
}


@dataclass(frozen=True)
class Key:
    """A value at a time: seconds, or a share of the whole where ``relative``.

    ``ease`` says how the value goes from this key to the next.
    """

    time: float
    relative: bool
    value: Value
    ease: str = "linear"

    def seconds(self, length: float) -> float:
        """When it is, in a film of ``length`` seconds."""
        return self.time * length if self.relative else self.time


@dataclass(frozen=True)
class Schedule:
    """Keys in the order in which they were written; one key is a constant."""

    keys: tuple[Key, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it never changes."""
        return all(key.value == self.keys[0].value for key in self.keys)

    @property
    def values(self) -> tuple[Value, ...]:
        """The keys' values; everything between them lies within these."""
        return tuple(key.value for key in self.keys)

    def at(self, seconds: float, length: float) -> Value:
        """The value at a time of a film of ``length`` seconds; the end values hold beyond."""
        keys = sorted(self.keys, key=lambda key: key.seconds(length))
        times = [key.seconds(length) for key in keys]
        after = bisect_right(times, seconds)
        if after in (0, len(keys)):
            return keys[max(0, after - 1)].value
        before, following = keys[after - 1], keys[after]
        passed = (seconds - times[after - 1]) / (times[after] - times[after - 1])
        share = EASES[before.ease](passed)
        pairs = zip(before.value, following.value, strict=True)
        return tuple(a + share * (b - a) for a, b in pairs)


def parse_schedule(text: str | float, parts: int = 1) -> Schedule:
    """Read a number or keys; values of several parts are written ``0.3x0.6``.

    Times are seconds (``4`` or ``4s``) or shares of the film (``50%``). Raises ValueError naming
    what does not parse.
    """
    if not isinstance(text, str):
        return Schedule((Key(0.0, False, (float(text),) * parts),))
    pieces = [piece.strip() for piece in text.lower().split(",")]
    keys = tuple(_key(piece, parts, alone=len(pieces) == 1) for piece in pieces)
    if len({(key.time, key.relative) for key in keys}) < len(keys):
        raise ValueError(f"two keys of {text!r} are at the same time")
    return Schedule(keys)


def parse_moment(text: str) -> tuple[float, bool]:
    """``4``, ``4s`` -> (4.0, False); ``50%`` -> (0.5, True): a share. ValueError otherwise."""
    match = _TIME.fullmatch(text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is not a time: write 4s or 50%")
    relative = match[2] == "%"
    return float(match[1]) / (100 if relative else 1), relative


@dataclass(frozen=True)
class OverTime:
    """Marks a setting that may change over time, and the bounds of its values."""

    ge: float
    le: float
    parts: int = 1

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def checked(self, given: float | str) -> float | str:
        """``given``, a number where it is one; ValueError if it is no schedule within bounds."""
        schedule = parse_schedule(given, self.parts)
        for number in (number for value in schedule.values for number in value):
            if not self.ge <= number <= self.le:
                raise ValueError(f"values must be from {self.ge:g} to {self.le:g}")
        if self.parts == 1 and len(schedule.keys) == 1 and schedule.keys[0].time == 0:
            return schedule.values[0][0]
        return given


def _key(piece: str, parts: int, *, alone: bool) -> Key:
    match = _KEY.fullmatch(piece)
    form = "x".join(["1.5", "0.5"][:parts])
    if not match or not (match[1] or alone):
        raise ValueError(f"{piece!r} is no value: write {form}, or keys as 0:{form}, 4s:{form}")
    time, relative = parse_moment(match[1]) if match[1] else (0.0, False)
    value = tuple(float(part) for part in match[2].split("x"))
    if len(value) != parts or not all(map(math.isfinite, value)):
        raise ValueError(f"{match[2]!r} is no value: write it as {form}")
    ease = match[3] or "linear"
    if ease not in EASES:
        raise ValueError(f"{ease!r} is no way to go on: write {', '.join(EASES)}")
    return Key(time, relative, value, ease)
