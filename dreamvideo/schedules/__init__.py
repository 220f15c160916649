"""Values over time: numbers, formulas and keys as people write them, read at a moment of a film."""

from dreamvideo.schedules.bounds import Bounds, OverTime
from dreamvideo.schedules.keys import Schedule, parse_number, parse_schedule
from dreamvideo.schedules.moment import (
    SOUNDS,
    USUAL_RATE,
    Moment,
    ScheduleError,
    parse_moment,
    parse_when,
)

__all__ = [
    "SOUNDS",
    "USUAL_RATE",
    "Bounds",
    "Moment",
    "OverTime",
    "Schedule",
    "ScheduleError",
    "parse_moment",
    "parse_number",
    "parse_schedule",
    "parse_when",
]
