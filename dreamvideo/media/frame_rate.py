"""Find the frame rate that time stamps keep to, though their clock is coarse or rounds them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from dreamvideo.media.demux import is_plausible


def keeps_to_rate(times: Sequence[Fraction], rate: Fraction, tick: Fraction) -> bool:
    """Return whether frames keep to a claimed rate, as far as their clock can tell.

    Some may be missing.

    Args:
        times: Times of the frames in seconds, ascending.
        rate: Frames per second.
        tick: Unit of the clock in seconds.
    """
    if len(times) < 2:
        return True
    places = [(time - times[0]) * rate for time in times]
    steps = [round(place) for place in places]
    if any(later == earlier for earlier, later in pairwise(steps)):
        return False
    if any(abs(place - step) > tick * rate for place, step in zip(places, steps, strict=True)):
        return False
    # The clock's own rate fits all times; then most frames must actually come at that rate.
    usual = sorted(later - earlier for earlier, later in pairwise(steps))[len(steps) // 2 - 1]
    return is_plausible(rate, tick) or usual == 1


def is_mostly_at(times: Sequence[Fraction], rate: Fraction) -> bool:
    """Return whether nine in ten frames follow the previous one at this rate."""
    usual = [
        abs((later - earlier) * rate - 1) < Fraction(1, 20) for earlier, later in pairwise(times)
    ]
    return 10 * sum(usual) >= 9 * len(usual) > 0


def find_constant_rate(times: Sequence[Fraction], tick: Fraction) -> Fraction | None:
    """Return the rate that all time stamps keep to within a tick, if there is one."""
    if len(times) < 2 or times[-1] == times[0]:
        return None
    measured = (len(times) - 1) / (times[-1] - times[0])
    if measured * tick > Fraction(1, 4):
        # Such a coarse clock does not show a rate.
        return None
    whole = round(measured)
    candidates = [Fraction(whole), Fraction(whole * 1000, 1001), Fraction(round(measured * 2), 2)]
    candidates.append(measured.limit_denominator(1001))

    def error(rate: Fraction) -> Fraction:
        return max(abs(t - times[0] - n / rate) for n, t in enumerate(times))

    fitting = [c for c in candidates if c and error(c) <= tick]
    return min(fitting, key=error) if fitting else None


def snap_rate(rate: Fraction, tick: Fraction) -> Fraction:
    """Return the NTSC or whole rate that a container with rounded times can only approximate."""
    ticks = 1 / (rate * tick)
    own = 1 / (max(1, round(ticks)) * tick)
    if ticks.denominator == 1 or (ticks < 4 and abs(rate / own - 1) < Fraction(1, 1000)):
        # The clock itself keeps to this rate; times would not match a rounder one.
        return own
    whole = round(rate)
    candidates = (Fraction(whole), Fraction(whole * 1000, 1001))
    return next((c for c in candidates if c and abs(rate / c - 1) < Fraction(1, 50_000)), rate)
