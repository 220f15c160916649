"""A film's time code: the clock of the recording, as editors count it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from dreamvideo.media import demux, webp
from dreamvideo.media.paths import readable

_CODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)")
_DAY = 24 * 60


def read_time_code(path: Path | str) -> str | None:
    """Return the time code of a film's first frame, such as 01:00:00:00. Raises MediaError."""
    path = readable(Path(path))
    if webp.is_animation(path):
        return None
    with demux.opened(path) as container:
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    # Matroska's names of tags are in capitals.
    named = ((key.lower(), value) for each in tags for key, value in each.items())
    return next((value for key, value in named if key == "timecode" and value), None)


def shift_time_code(code: str, count: int, rate: Fraction) -> str | None:
    """Return the time code of a later frame.

    Args:
        code: That of the first frame; ``;`` before its frames means that numbers are dropped, so
            that 29.97 frames a second keep to the clock.
        count: How many frames later.
        rate: Frames per second.

    Returns:
        The time code; None if ``code`` is not one.

    Example:
        >>> shift_time_code("01:00:00:20", 10, Fraction(25))
        '01:00:01:05'
        >>> shift_time_code("00:00:59;29", 1, Fraction(30_000, 1001))
        '00:01:00;02'
    """
    found = _CODE.fullmatch(code)
    if found is None or round(rate) < 1:
        return None
    hours, minutes, seconds, frames = (int(found[place]) for place in (1, 2, 3, 5))
    a_second = round(rate)
    # In each minute but every tenth, the first numbers are left out.
    drops = found[4] != ":" and rate.denominator == 1001 and a_second % 30 == 0
    mark, dropped = (found[4], a_second // 15) if drops else (":", 0)
    a_minute, ten_minutes = 60 * a_second - dropped, 600 * a_second - 9 * dropped
    minute = 60 * hours + minutes
    number = (60 * minute + seconds) * a_second + frames - dropped * (minute - minute // 10)
    tens, rest = divmod((number + count) % (_DAY // 10 * ten_minutes), ten_minutes)
    counted = 600 * a_second * tens + rest + dropped * (max(0, rest - dropped) // a_minute)
    whole, frame = divmod(counted, a_second)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{frame:02d}"
