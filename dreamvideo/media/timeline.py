"""Time stamps that restart or jump -> one continuous clock."""

from __future__ import annotations

from fractions import Fraction

# Broadcast and disc streams have clocks that wrap and recordings one behind the other; a gap above
# this is such a leap (ffmpeg, which carries the sound over, has the same limit).
LEAP = Fraction(10)
# Reordered or rounded stamps go back by less.
_BACK = Fraction(1, 10)


class Timeline:
    """Places time stamps, given in the order of presentation, on one clock.

    Where stamps begin anew, or leap ahead in a stream whose clock may do so, the next frame follows
    the one before it at the pace of that one.
    """

    def __init__(self, origin: Fraction, interval: Fraction, *, leaps: bool) -> None:
        """``origin`` becomes 0; ``interval`` seconds is the usual pace.

        ``leaps`` says that the container's clock may leap ahead without meaning it.
        """
        self._offset = -origin
        self._interval = interval
        self._leaps = leaps
        self._last: Fraction | None = None
        self.is_broken = False

    def place(self, stamp: Fraction) -> Fraction:
        """When a frame with this time stamp is shown, seconds."""
        if self._last is not None:
            ahead = stamp - self._last
            if ahead < -max(_BACK, self._interval) or (self._leaps and ahead > LEAP):
                self._offset += self._last + self._interval - stamp
                self.is_broken = True
            elif ahead > 0:
                self._interval = ahead
        self._last = stamp
        return stamp + self._offset
