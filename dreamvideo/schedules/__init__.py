"""Values over time as text (numbers, formulas, keyframes), evaluated at a time point of a film."""

from dreamvideo.schedules.bounds import Bounds, OverTime
from dreamvideo.schedules.keys import Schedule, parse_number, parse_schedule
from dreamvideo.schedules.moment import (
    BEATS_PER_BAR,
    CLOCKS,
    SOUNDS,
    USUAL_RATE,
    ScheduleError,
    TimePoint,
    parse_time_point,
    parse_time_spec,
)

__all__ = [
    "BEATS_PER_BAR",
    "CLOCKS",
    "SOUNDS",
    "USUAL_RATE",
    "Bounds",
    "OverTime",
    "Schedule",
    "ScheduleError",
    "TimePoint",
    "parse_number",
    "parse_schedule",
    "parse_time_point",
    "parse_time_spec",
]
