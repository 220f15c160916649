"""Parse a value over time: ``1.5``, ``sin(t)``, or keyframes ``0:1.5, 4s:1.1 ease, end:2``.

A keyframe is a time and a value, optionally with the interpolation to the next one: straight
(``linear``, the default), constant (``hold``), or another one of ``WAYS``. Values are numbers or
formulas; between two formulas the values cross-fade.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from dreamvideo.schedules.easing import CUBIC, KNOWN, WAYS, cubic
from dreamvideo.schedules.expressions import Expression, parse_expression
from dreamvideo.schedules.moment import ScheduleError, TimePoint, TimeSpec, parse_time_spec

Value = tuple[float, ...]
Term = float | Expression

LONGEST = 4000
# Seconds by which a frame may precede its keyframe: times in frames and percents are rounded.
EARLY = 1e-6

_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,19}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:e[-+]?[0-9]{1,2})?")
_AUDIO = re.compile(r"audio\s*:")
_EASED = re.compile(r"(.*\S)\s+([a-z][a-z-]*)")
_BETWEEN_PARTS = re.compile(r"(?<![a-z_])x(?![a-z_])")


@dataclass(frozen=True)
class Key:
    """A value at a time; ``way`` is the interpolation from this keyframe to the next."""

    when: TimeSpec
    value: tuple[Term, ...]
    way: str = "linear"

    def at(self, moment: TimePoint) -> Value:
        """Return the value at a time point; formulas depend on it."""
        return tuple(t.at(moment) if isinstance(t, Expression) else t for t in self.value)


@dataclass(frozen=True)
class Schedule:
    """Keyframes in the order they were written; a single one is a constant or a formula."""

    keys: tuple[Key, ...]

    @property
    def is_constant(self) -> bool:
        """Whether the value never changes."""
        return not self.formulas and all(key.value == self.keys[0].value for key in self.keys)

    @property
    def numbers(self) -> tuple[float, ...]:
        """All numbers of the keyframes; without formulas every value lies between these."""
        return tuple(t for key in self.keys for t in key.value if not isinstance(t, Expression))

    @property
    def formulas(self) -> tuple[Expression, ...]:
        """The formulas among the keyframes' values."""
        return tuple(t for key in self.keys for t in key.value if isinstance(t, Expression))

    @property
    def sounds(self) -> frozenset[str]:
        """What it follows of the sound: ``low``, ``low~0.3``, ``drums.low``, ``beat``."""
        return frozenset(name for formula in self.formulas for name in formula.sounds)

    def at(self, moment: TimePoint) -> Value:
        """Evaluate at a time point; before the first and after the last keyframe their values hold.

        Raises ScheduleError if a formula has no value.
        """
        if len(self.keys) == 1:
            return self.keys[0].at(moment)
        keys = sorted(self.keys, key=lambda key: key.when.within(moment))
        times = [key.when.within(moment) for key in keys]
        after = bisect_right(times, moment.seconds + EARLY)
        if after in (0, len(keys)):
            return keys[max(0, after - 1)].at(moment)
        before, following = keys[after - 1], keys[after]
        if before.way == CUBIC:
            return _follow_curve(keys, times, moment)
        passed = (moment.seconds - times[after - 1]) / (times[after] - times[after - 1])
        share = WAYS[before.way](min(max(passed, 0.0), 1.0))
        pairs = zip(before.at(moment), following.at(moment), strict=True)
        return tuple(a + share * (b - a) for a, b in pairs)


@lru_cache(maxsize=512)
def parse_schedule(text: str | float, parts: int = 1) -> Schedule:
    """Parse a number, a formula or keyframes; a value of several parts is written ``0.3x0.6``.

    Times are as in ``parse_time_spec``. Raises ScheduleError, naming what does not parse.
    """
    if not isinstance(text, str):
        return Schedule((Key(TimeSpec(), (float(text),) * parts),))
    if len(text) > LONGEST:
        raise ScheduleError(f"{text[:20]!r}... is longer than {LONGEST} characters")
    pieces = _split(text.lower(), ",", text)
    keys = tuple(_key(piece.strip(), parts, alone=len(pieces) == 1) for piece in pieces)
    if len({key.when for key in keys}) < len(keys):
        raise ScheduleError(f"two keys of {text!r} are at the same time")
    return Schedule(keys)


def parse_number(text: str) -> float | None:
    """Return the number if a text is a plain one, else None."""
    return float(text) if _NUMBER.fullmatch(text.strip().lower()) else None


def _follow_curve(keys: list[Key], times: list[float], moment: TimePoint) -> Value:
    values = [key.at(moment) for key in keys]
    # Keyframes written differently may fall on the same time in a given film: the last one counts.
    curves = [dict(zip(times, part, strict=True)) for part in zip(*values, strict=True)]
    now = min(max(moment.seconds, times[0]), times[-1])
    return tuple(cubic(list(curve.items()), now) for curve in curves)


def _key(piece: str, parts: int, *, alone: bool) -> Key:
    form = "x".join(["1.5", "0.5"][:parts])
    # Names of sounds contain a colon too; of the others the last one ends the time.
    colons = [place for place in _outside(piece, ":") if not _is_audio(piece, place)]
    time, value = (piece[: colons[-1]], piece[colons[-1] + 1 :]) if colons else ("", piece)
    if not value.strip() or (not colons and not alone):
        raise ScheduleError(
            f"{piece!r} is not a value: write {form}, or keys as 0:{form}, 4s:{form}"
        )
    when = parse_time_spec(time) if colons else TimeSpec()
    value, way = _split_easing(value.strip())
    terms = tuple(_term(part.strip(), value) for part in _parts(value, parts))
    if len(terms) != parts:
        raise ScheduleError(f"{value!r} is not a value: write it as {form}")
    return Key(when, terms, way)


def _split_easing(value: str) -> tuple[str, str]:
    """Split off the name of the interpolation after a value."""
    match = _EASED.fullmatch(value)
    if not match:
        return value, "linear"
    if match[2] in KNOWN:
        return match[1], match[2]
    try:
        parse_expression(value)
    except ScheduleError:
        try:
            parse_expression(match[1])
        except ScheduleError:
            return value, "linear"
        known = ", ".join(KNOWN)
        raise ScheduleError(f"{match[2]!r} is not an easing: write {known}") from None
    return value, "linear"


def _parts(value: str, parts: int) -> list[str]:
    if parts == 1:
        return [value]
    signs = set(_outside(value, "x"))
    places = [m.start() for m in _BETWEEN_PARTS.finditer(value) if m.start() in signs]
    edges = [-1, *places, len(value)]
    return [value[a + 1 : b] for a, b in pairwise(edges)]


def _term(part: str, value: str) -> Term:
    number = parse_number(part)
    if number is not None:
        return number
    if not part:
        raise ScheduleError(f"{value!r} is not a value")
    return parse_expression(part)


def _split(text: str, sign: str, whole: str) -> list[str]:
    edges = [-1, *_outside(text, sign), len(text)]
    pieces = [text[a + 1 : b] for a, b in pairwise(edges)]
    if not any(piece.strip() for piece in pieces):
        raise ScheduleError(f"{whole!r} is not a value: write 1.5, or keys as 0:1.5, 4s:1.5")
    return pieces


def _outside(text: str, sign: str) -> Iterator[int]:
    """Yield where a sign stands outside all brackets."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == sign and depth == 0:
            yield place


def _is_audio(piece: str, colon: int) -> bool:
    return any(match.end() - 1 == colon for match in _AUDIO.finditer(piece))
