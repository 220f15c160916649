"""(rates that change over time) -> the camera at each moment, and all that it did until then."""

from __future__ import annotations

import math

from dreamvideo.motion.camera import Camera, CameraPath, Similarity, travel
from dreamvideo.schedules import USUAL_RATE, TimePoint, parse_schedule


def schedule_camera(
    zoom: float | str,
    rotate: float | str,
    pan: str,
    centre: str,
    length: float,
    rate: float = USUAL_RATE,
    *,
    closed: bool = False,
) -> CameraPath:
    """The camera at each time of a film of ``length`` seconds, over and over if ``closed``.

    ``rate`` is the film's frames a second, for schedules that count frames. What changes are
    numbers or schedules, in the units of ``Camera``. Raises ScheduleError for text that is neither.
    """
    zooms, turns = parse_schedule(zoom), parse_schedule(rotate)
    pans, centres = parse_schedule(pan, 2), parse_schedule(centre, 2)

    def at(seconds: float) -> Camera:
        now = TimePoint(seconds % length if closed else seconds, length, rate)
        (growth,), (turn,) = zooms.at(now), turns.at(now)
        (right, down), (across, along) = pans.at(now), centres.at(now)
        return Camera(growth, turn, (right, down), (across, along))

    return at


class CameraTrack:
    """Where a camera has taken a picture of one size by each time since its start.

    The same time gives the same move to the last bit, in whatever order times are asked for: a
    film rendered in parts is the film rendered whole.
    """

    def __init__(self, width: int, height: int, path: CameraPath) -> None:
        self._size = width, height
        self._path = path
        # At every whole second; the rest is travelled from there.
        self._seconds = [Similarity()]

    def at(self, seconds: float) -> Similarity:
        """All that the camera did from 0 to ``seconds``."""
        whole = max(0, math.floor(seconds))
        while len(self._seconds) <= whole:
            until = len(self._seconds)
            step = travel(*self._size, self._path, until - 1, until)
            self._seconds.append(self._seconds[-1].then(step))
        if seconds <= whole:
            return self._seconds[whole]
        return self._seconds[whole].then(travel(*self._size, self._path, whole, seconds))
