"""Masks that are handed over as arrays: one for all frames, or one for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import UsageError
from dreamvideo.imaging import resize
from dreamvideo.media.read import Frame
from dreamvideo.paint.masks import MaskPictures
from dreamvideo.render.arrays.pixels import read_mask

Map = NDArray[np.float32]
Masks = NDArray[Any] | Iterable[NDArray[Any]]


class FrameMasks:
    """The masks of a film's frames; ``open`` gives them at the size that a planner needs."""

    def __init__(self, masks: Masks) -> None:
        """Take the masks.

        Args:
            masks: H x W for all frames, or an iterable of one H x W for each frame.

        Raises:
            UsageError: It is neither.
        """
        self._waiting: deque[tuple[Fraction, Map]] = deque()
        self._constant: Map | None = None
        if hasattr(masks, "__array__"):
            # Tensors of other libraries count as arrays.
            masks = np.asarray(masks)
        if isinstance(masks, np.ndarray) and masks.ndim == 2:
            self._constant = read_mask(masks, "masks")
        elif isinstance(masks, str) or not isinstance(masks, Iterable):
            raise UsageError(
                f"masks: an H x W array, or one for each frame, not a {type(masks).__name__}"
            )
        else:
            self._masks = iter(masks)

    def attach(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the same frames, taking one mask for each. Raises UsageError if they run out."""
        for frame in frames:
            if self._constant is None:
                given = next(self._masks, None)
                if given is None:
                    raise UsageError(
                        f"masks: there are only {frame.index}: pass one for each frame, or one "
                        "H x W array for all"
                    )
                self._waiting.append((frame.time, read_mask(given, f"mask {frame.index}")))
            yield frame

    def open(self, size: tuple[int, int]) -> MaskPictures:
        """Return the masks at a (width, height) in pixels."""
        return _SizedMasks(self._find, size)

    def _find(self, time: Fraction) -> Map:
        """Return the mask of a frame. Frames are planned in order, so earlier ones are dropped."""
        if self._constant is not None:
            return self._constant
        while self._waiting[0][0] < time:
            self._waiting.popleft()
        return self._waiting[0][1]


class _SizedMasks:
    """Masks at one size."""

    def __init__(self, find: Callable[[Fraction], Map], size: tuple[int, int]) -> None:
        self._find, self._size = find, size

    def at(self, time: Fraction) -> Map:
        """Return the map of the frame at that time, H x W in [0, 1]."""
        return resize(self._find(time), self._size[::-1], "linear")
