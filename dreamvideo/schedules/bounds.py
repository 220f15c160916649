"""Bounds of a setting, enforced at every time point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, GetCoreSchemaHandler

from dreamvideo.schedules.keys import Schedule, parse_schedule
from dreamvideo.schedules.moment import ScheduleError, TimePoint

# How close a value may come to a bound that it must not reach.
NEAREST = 1e-6
# Larger bounds are not worth mentioning.
LARGEST = 1e12


@dataclass(frozen=True)
class Bounds:
    """From ``low`` to ``high``; with ``above`` or ``below`` the bound itself is excluded."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def check(self, schedule: Schedule) -> None:
        """Raise ScheduleError if a keyframe's number is out of bounds.

        Formulas are clamped instead.
        """
        for number in schedule.numbers:
            if not self.low <= number <= self.high or (
                (self.above and number == self.low) or (self.below and number == self.high)
            ):
                raise ScheduleError(f"values must be {self}")

    def hold(self, value: float) -> float:
        """Clamp a value to the bounds."""
        low = self.low + NEAREST * max(1.0, abs(self.low)) if self.above else self.low
        high = self.high - NEAREST * max(1.0, abs(self.high)) if self.below else self.high
        return min(max(value, low), high)

    @property
    def short(self) -> str:
        """``0..3``; ``>0..2`` or ``0..<1`` with a bound excluded, ``>=1`` with only one bound."""
        above, below = ">" if self.above else "", "<" if self.below else ""
        if math.isinf(self.low):
            return "any" if self.high >= LARGEST else f"{below or '<='}{self.high:g}"
        if self.high >= LARGEST:
            return f"{above or '>='}{self.low:g}"
        return f"{above}{self.low:g}..{below}{self.high:g}"

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"{'above' if self.above else 'at least'} {self.low:g}"
        if math.isinf(self.low):
            return f"{'below' if self.below else 'at most'} {self.high:g}"
        low = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        return f"{low} {'and below' if self.below else 'to'} {self.high:g}"


@dataclass(frozen=True)
class OverTime:
    """Marks a setting that is kept as it was written, number or schedule, with its bounds."""

    ge: float
    le: float
    parts: int = 1

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self.check).__get_pydantic_core_schema__(source, handler)

    def check(self, given: float | str | None) -> float | str | None:
        """Return ``given``, as a number if it is one. Raises ScheduleError if it is not valid."""
        if given is None:
            return None
        schedule = parse_schedule(given, self.parts)
        Bounds(self.ge, self.le).check(schedule)
        if schedule.sounds:
            raise ScheduleError("a camera cannot follow the sound")
        schedule.at(TimePoint())
        if self.parts == 1 and len(schedule.keys) == 1 and not schedule.formulas:
            return schedule.numbers[0]
        return given
