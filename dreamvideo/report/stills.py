"""Choose the few frames that a page shows: evenly spread ones, and the worst ones."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import encode_jpeg, shrink_to_width

Pixels = NDArray[np.uint8]

SHEET = 24
WIDTH = 320
QUALITY = 82


@dataclass(frozen=True)
class Still:
    """Frame number ``index`` as a JPEG."""

    index: int
    jpeg: bytes


@dataclass(frozen=True, order=True)
class SheetFrame:
    """A frame that stands out by ``badness``, and why, in words."""

    badness: float
    index: int
    why: str = field(compare=False)
    still: Still = field(compare=False)


@dataclass
class Sheet:
    """At most ``count`` stills, evenly spread over any number of frames."""

    count: int = SHEET
    _every: int = 1
    _kept: list[Still] = field(default_factory=list)

    def watch(self, index: int, pixels: Pixels) -> None:
        """Offer a frame."""
        if index % self._every:
            return
        self._kept.append(Still(index, encode_still(pixels)))
        if len(self._kept) >= 4 * self.count:
            self._every *= 2
            self._kept = self._kept[::2]

    @property
    def stills(self) -> list[Still]:
        """The stills to show."""
        places = np.linspace(0, len(self._kept) - 1, min(self.count, len(self._kept)))
        return [self._kept[round(place)] for place in places]


@dataclass
class WorstFrames:
    """The ``count`` frames with the highest badness, no two closer than ``apart`` frames."""

    count: int
    apart: int
    _found: list[SheetFrame] = field(default_factory=list)

    def watch(self, badness: float, index: int, why: str, pixels: Pixels) -> None:
        """Offer a frame.

        Args:
            badness: How much it stands out.
            index: Number of the frame.
            why: The reason, as a caption.
            pixels: H x W x 3 RGB.
        """
        near = [m for m in self._found if abs(m.index - index) < self.apart]
        if near:
            if badness <= max(near).badness:
                return
            self._found = [m for m in self._found if m not in near]
        elif len(self._found) >= 2 * self.count and badness <= min(self._found).badness:
            return
        moment = SheetFrame(badness, index, why, Still(index, encode_still(pixels)))
        self._found = heapq.nlargest(2 * self.count, [*self._found, moment])

    @property
    def moments(self) -> list[SheetFrame]:
        """The worst frames, worst first."""
        return sorted(self._found, reverse=True)[: self.count]


def encode_still(pixels: Pixels) -> bytes:
    """Encode H x W x 3 RGB as a JPEG, at most ``WIDTH`` wide."""
    return encode_jpeg(shrink_to_width(pixels, WIDTH), QUALITY)
