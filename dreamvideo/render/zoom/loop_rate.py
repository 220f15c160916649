"""Plan the camera moves of a zoom, and find the slowest rate at which a loop closes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate

from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import CameraPath, Similarity, travel
from dreamvideo.render.zoom.inset import FULL, LARGEST_START, covers_frame
from dreamvideo.render.zoom.plan import list_moves, make_camera_path, total_growth
from dreamvideo.settings import ZoomSettings

SHORTEST_LOOP = 3
# Automatic rates have two decimals and lie between these; a faster one cannot be followed.
SLOWEST, FASTEST = 1.01, 4.0
# A loop that does not close at the fastest rate in this many seconds never does.
LONGEST = 64.0


def plan_moves(
    settings: ZoomSettings, rate: Fraction, width: int, height: int, *, closed: bool = False
) -> tuple[CameraPath, tuple[Similarity, ...]]:
    """Return the camera of a film, and its moves from frame to frame.

    A closed film that zooms out is made as one that zooms in, and played backwards.

    Args:
        settings: The zoom's settings.
        rate: Frames per second.
        width: Width of the film in pixels.
        height: Height of the film in pixels.
        closed: Whether the film is a loop.
    """
    count = max(1, round(Fraction(settings.seconds) * rate))
    length = float(count / rate)
    path = make_camera_path(settings, length, rate, closed=closed)
    if closed and is_zooming_out(settings, rate):
        path = _reverse_path(path, length)
    return path, list_moves(path, [float(n / rate) for n in range(count + 1)], width, height)


def is_zooming_out(settings: ZoomSettings, rate: Fraction) -> bool:
    """Return whether a closed film of these settings is one that zooms in, played backwards."""
    path = make_camera_path(settings, settings.seconds, rate, closed=True)
    return travel(2, 2, path, 0, settings.seconds).growth < 1


def measure_opening(moves: Sequence[Similarity], width: int, height: int) -> int:
    """Return the number of frames until one shows only what frame 0 already showed.

    Args:
        moves: The camera's moves from frame to frame.
        width: Width in pixels.
        height: Height in pixels.

    Raises:
        UsageError: The rest of the film is too short for frame 0 to emerge in.
    """
    needed = 1 / (FULL * LARGEST_START)
    for number, so_far in enumerate(accumulate(moves, Similarity.then), 1):
        if covers_frame(so_far.inverse(), width, height):
            needed = so_far.growth / LARGEST_START
            if total_growth(moves) >= needed:
                return number
            break
    raise UsageError(
        f"a loop must grow {math.ceil(needed)} times so that its beginning can emerge, not "
        f"{total_growth(moves):.3g}: choose a faster --rate or more --seconds"
    )


def choose_rate(settings: ZoomSettings, rate: Fraction, width: int, height: int) -> float:
    """Find the slowest magnification per second at which a loop closes.

    Args:
        settings: The zoom's settings, without a ``rate``.
        rate: Frames per second.
        width: Width of the film in pixels.
        height: Height of the film in pixels.

    Returns:
        The magnification, with two decimals.

    Raises:
        UsageError: It would be too fast to follow, or there is none.
    """

    def closes(percent: int, seconds: float = settings.seconds) -> bool:
        asked = settings.model_copy(update={"rate": percent / 100, "seconds": seconds})
        moves = plan_moves(asked, rate, width, height, closed=True)[1]
        try:
            return len(moves) >= SHORTEST_LOOP and measure_opening(moves, width, height) > 0
        except UsageError:
            return False

    slow, fast = round(100 * SLOWEST), round(100 * FASTEST)
    if closes(fast):
        return _find_least(closes, slow, fast) / 100
    long = settings.seconds
    while long < LONGEST and not closes(fast, long):
        long *= 2
    if not closes(fast, long):
        raise UsageError(
            "a loop must stay near its beginning: use less --pan, or a --centre further in"
        )
    least = _find_least(lambda n: closes(fast, n / 10), 1, math.ceil(10 * long)) / 10
    raise UsageError(
        f"a loop must last {least:g} seconds or more so that its beginning can emerge: raise "
        f"--seconds, now {settings.seconds:g}, or give a --rate above {FASTEST:g}"
    )


def _find_least(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Find the least number from which a condition holds, as it does at ``high``."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _reverse_path(path: CameraPath, length: float) -> CameraPath:
    """Return the camera of the film played backwards."""
    return lambda seconds: path(length - seconds).backwards()
