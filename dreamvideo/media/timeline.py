"""Turn time stamps that restart or jump into one continuous clock."""

from __future__ import annotations

from fractions import Fraction

# Broadcast and disc streams have clocks that wrap and recordings one after another; a larger gap is
# such a leap (ffmpeg, which copies the sound, has the same limit).
LEAP = Fraction(10)
# Reordered or rounded stamps go back by less than this.
_BACK = Fraction(1, 10)


class Timeline:
    """Maps time stamps, given in presentation order, to one clock.

    Where stamps restart, or leap ahead in a stream whose clock may do so, the next frame follows
    the previous one at its pace.
    """

    def __init__(self, origin: Fraction, interval: Fraction, *, leaps: bool) -> None:
        """Start a clock.

        Args:
            origin: The time stamp that becomes 0.
            interval: The usual pace in seconds.
            leaps: Whether the container's clock may leap ahead without meaning it.
        """
        self._offset = -origin
        self._interval = interval
        self._leaps = leaps
        self._last: Fraction | None = None
        self.is_broken = False

    def place(self, stamp: Fraction) -> Fraction:
        """Return when a frame with this time stamp is shown, in seconds."""
        if self._last is not None:
            ahead = stamp - self._last
            if ahead < -max(_BACK, self._interval) or (self._leaps and ahead > LEAP):
                self._offset += self._last + self._interval - stamp
                self.is_broken = True
            elif ahead > 0:
                self._interval = ahead
        self._last = stamp
        return stamp + self._offset
