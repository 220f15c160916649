"""A time point of a film, and times as people write them: ``2s``, ``48f``, ``50%``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dreamvideo.errors import UsageError

SOUNDS = ("loud", "low", "mid", "high", "onset")
# The music's clock: beats and bars so far, and the tempo. Without any music it runs at 120.
CLOCKS = ("beat", "bar", "bpm")
BEATS_PER_BAR = 4
USUAL_BPM = 120.0
# Frames per second to assume where no film is known yet.
USUAL_RATE = 25.0

_DECIMAL = r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_SHARE = re.compile(rf"(start|end|{_DECIMAL}\s*%)\s*(?:([+-])\s*(\S.*))?")
_CLOCK = re.compile(rf"((?:[0-9]{{1,9}}:){{0,2}}){_DECIMAL}\s*s?")
_FRAMES = re.compile(r"([0-9]{1,9})\s*f")


class ScheduleError(UsageError, ValueError):
    """Text that is not a value over time, or that has no value at some time."""


@dataclass(frozen=True)
class TimePoint:
    """The time at which a value is evaluated.

    Attributes:
        seconds: Seconds since the film's first frame.
        length: Length of the film in seconds; infinite if unknown.
        rate: Frames per second.
        sound: Sound levels at that time: each of ``SOUNDS`` in 0 .. 1, those of a stem as
            ``drums.low``, and ``CLOCKS``.
    """

    seconds: float = 0.0
    length: float = math.inf
    rate: float = USUAL_RATE
    sound: Mapping[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Position in the film, 0 .. 1."""
        return self.seconds / self.length if self.length > 0 else 0.0

    def clock(self, name: str) -> float:
        """Return one of ``CLOCKS``: the music's or, without any, one that starts with the film."""
        if name in self.sound:
            return self.sound[name]
        beats = self.seconds * USUAL_BPM / 60
        return {"beat": beats, "bar": beats / BEATS_PER_BAR, "bpm": USUAL_BPM}[name]

    @property
    def frame(self) -> float:
        """Number of the frame; whole for the times of frames."""
        return round(self.seconds * self.rate, 6)


@dataclass(frozen=True)
class TimeSpec:
    """A point in time: a share of the film, plus seconds and frames."""

    share: float = 0.0
    seconds: float = 0.0
    frames: int = 0

    def within(self, moment: TimePoint) -> float:
        """Convert to seconds since the start of the film of ``moment``."""
        # 0 times an infinite length would be NaN, not 0.
        begins = self.share * moment.length if self.share else 0.0
        return begins + self.seconds + self.frames / moment.rate


def parse_time_spec(text: str) -> TimeSpec:
    """Parse ``2s`` or ``2``, ``1:02.5``, ``48f``, ``50%``, ``start``, ``end``, ``end-2s``.

    Raises ScheduleError, naming what is not a time.
    """
    value = text.strip().lower()
    share = _SHARE.fullmatch(value)
    if share:
        named = {"start": 0.0, "end": 1.0}.get(share[1])
        part = float(share[1].rstrip("% ")) / 100 if named is None else named
        after = _offset(share[3], text) if share[3] else TimeSpec()
        sign = -1 if share[2] == "-" else 1
        return TimeSpec(part, sign * after.seconds, sign * after.frames)
    return _offset(value, text)


def format_time_spec(when: TimeSpec) -> str:
    """Format a time as ``parse_time_spec`` reads it: ``4s``, ``48f``, ``50%``, ``end-2s``."""
    offset = f"{abs(when.frames)}f" if when.frames else f"{_short(abs(when.seconds))}s"
    ahead = min(when.frames, when.seconds) < 0
    if not when.share and not ahead:
        return offset
    share = {0.0: "start", 1.0: "end"}.get(when.share, f"{_short(100 * when.share)}%")
    return share + (f"{'-' if ahead else '+'}{offset}" if when.frames or when.seconds else "")


def parse_time_point(text: str) -> tuple[float, bool]:
    """Parse ``4`` or ``4s`` to (4.0, False), and ``50%`` to (0.5, True), a share.

    Raises ScheduleError for anything else.
    """
    when = parse_time_spec(text)
    if when.frames or (when.share and when.seconds):
        raise ScheduleError(f"{text!r} is neither seconds nor a share: write 4s or 50%")
    return (when.share, True) if when.share else (when.seconds, False)


def _short(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _offset(value: str, text: str) -> TimeSpec:
    frames = _FRAMES.fullmatch(value)
    if frames:
        return TimeSpec(frames=int(frames[1]))
    if not _CLOCK.fullmatch(value):
        raise ScheduleError(f"{text.strip()!r} is not a time: write 4s, 1:02.5, 48f, 50% or end")
    seconds = 0.0
    for part in value.rstrip("s ").split(":"):
        seconds = seconds * 60 + float(part)
    return TimeSpec(seconds=seconds)
