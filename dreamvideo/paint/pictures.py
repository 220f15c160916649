"""Read masks from files: white or opaque is 1, black or transparent is 0."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.imaging import resize
from dreamvideo.media.paths import escape_text, readable
from dreamvideo.media.read import Frame, ReadOptions, open_source
from dreamvideo.media.sequence import is_sequence
from dreamvideo.media.stills import is_still, read_deep, to_depth

Map = NDArray[np.float32]
Size = tuple[int, int]

# Levels that compression leaves of black and white.
BLACK, WHITE = 8, 247


class StillMask:
    """One picture for all times."""

    moves = False

    def __init__(self, path: Path, size: Size) -> None:
        """Read the mask. Raises MediaError. ``size`` is the frame's (width, height)."""
        pixels, alpha = read_deep(path)
        clear = None if alpha is None else to_depth(alpha, 8)
        self._map = resize(_levels(to_depth(pixels, 8), clear), size[::-1], "linear")

    def at(self, time: Fraction) -> Map:
        """Return the map, H x W in [0, 1]."""
        return self._map


class FilmMask:
    """A mask that changes over time: a film, an animation or a sequence of pictures.

    It is read forwards; asking for an earlier time starts over, so any order gives the same maps.
    """

    moves = True

    def __init__(self, path: Path, size: Size, end: Literal["hold", "loop"]) -> None:
        """Open the mask.

        Args:
            path: The film, animation or sequence of pictures.
            size: (width, height) of the frames.
            end: What follows its end: its last frame, or its beginning.

        Raises:
            MediaError: It cannot be read.
        """
        self._path, self._size, self._loops = path, size, end == "loop"
        self._length: Fraction | None = None
        self._open = ExitStack()
        self._rewind()

    def at(self, time: Fraction) -> Map:
        """Return the map at a time in seconds, H x W in [0, 1]. Raises MediaError on damage."""
        if self._loops and self._length is not None:
            time %= self._length
        if time < self._frame.time and self._frame.index > 0:
            self._rewind()
        while time >= self._frame.time + self._frame.duration:
            following = next(self._frames, None)
            if following is None:
                self._length = self._frame.time + self._frame.duration
                return self.at(time) if self._loops else self._map
            self._show(following)
        return self._map

    def close(self) -> None:
        """Close the film."""
        self._open.close()

    def _rewind(self) -> None:
        self._open.close()
        self._frames = iter(
            self._open.enter_context(open_source(self._path, ReadOptions(keep_alpha=True)))
        )
        first = next(self._frames, None)
        if first is None:
            raise MediaError(f"{escape_text(self._path)}: the mask holds no picture")
        self._show(first)

    def _show(self, frame: Frame) -> None:
        self._frame = frame
        self._map = resize(_levels(frame.pixels, frame.alpha), self._size[::-1], "linear")


def open_mask(name: str, size: Size, end: Literal["hold", "loop"] = "hold") -> StillMask | FilmMask:
    """Open the mask in a file or folder.

    Args:
        name: The file or folder.
        size: (width, height) of the frames.
        end: What follows the end of a film: its last frame, or its beginning.

    Raises:
        MediaError: It is not a mask; the message names it.
    """
    path = Path(name)
    try:
        if is_sequence(path):
            return FilmMask(path, size, end)
        return StillMask(path, size) if is_still(readable(path)) else FilmMask(path, size, end)
    except MediaError as error:
        hint = "" if path.exists() else "; a drawn mask begins with a shape: circle 0.5x0.5 0.3"
        raise MediaError(f"--mask {error}{hint}") from None


def _levels(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Map:
    """Convert 8-bit pixels to H x W in [0, 1]: their alpha if not all opaque, else their grey."""
    clear = alpha is not None and bool((alpha < 255).any())
    grey = alpha if alpha is not None and clear else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    share = (grey.astype(np.float32) - BLACK) / np.float32(WHITE - BLACK)
    return np.asarray(np.clip(share, 0, 1), np.float32)
