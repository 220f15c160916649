"""Cameras whose rates change over time, and the transform they accumulate."""

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
    """Return the camera at each time of a film.

    Zoom, rotate, pan and centre are numbers or schedules, in the units of ``Camera``.

    Args:
        zoom: Factor per second.
        rotate: Degrees per second.
        pan: Frame widths and heights per second.
        centre: Fractions of the frame.
        length: Length of the film in seconds.
        rate: Frames per second, for schedules that count frames.
        closed: Whether the film repeats.

    Raises:
        ScheduleError: A text is neither a number nor a schedule.
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
    """The accumulated transform of a camera at each time, for one picture size.

    The same time gives the same transform to the last bit, in whatever order times are requested: a
    film rendered in segments equals the film rendered whole.
    """

    def __init__(self, width: int, height: int, path: CameraPath) -> None:
        """Start at time 0.

        Args:
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
            path: The camera at each time.
        """
        self._size = width, height
        self._path = path
        # The transform at every whole second; the rest is integrated from there.
        self._seconds = [Similarity()]

    def at(self, seconds: float) -> Similarity:
        """Return the transform from 0 to ``seconds``."""
        whole = max(0, math.floor(seconds))
        while len(self._seconds) <= whole:
            until = len(self._seconds)
            step = travel(*self._size, self._path, until - 1, until)
            self._seconds.append(self._seconds[-1].then(step))
        if seconds <= whole:
            return self._seconds[whole]
        return self._seconds[whole].then(travel(*self._size, self._path, whole, seconds))
