"""Convert between uint8 or uint16 pixels and float frames in [-1, 1]: the one pixel-range rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatFrame = NDArray[np.float32]
BytePixels = NDArray[np.uint8]


def to_float(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> FloatFrame:
    """Convert integer pixels of any shape, 0 .. the type's maximum, to float32 in [-1, 1]."""
    half = np.float32(np.iinfo(pixels.dtype).max / 2)
    frame = pixels.astype(np.float32)
    frame /= half
    frame -= np.float32(1)
    return frame


def to_bytes(frame: FloatFrame) -> BytePixels:
    """Convert a float frame of any shape to uint8: clipped to [-1, 1] and rounded."""
    return np.asarray(_levels(frame, 255), np.uint8)


def to_deep(frame: FloatFrame) -> NDArray[np.uint16]:
    """Convert a float frame of any shape to uint16: clipped to [-1, 1] and rounded."""
    return np.asarray(_levels(frame, 65535), np.uint16)


def to_share(levels: NDArray[Any]) -> FloatFrame:
    """Convert integers, 0 .. the type's maximum, such as alpha, to float32 in [0, 1]."""
    return np.asarray(levels / np.float32(np.iinfo(levels.dtype).max), np.float32)


def from_share(share: FloatFrame, dtype: Any) -> NDArray[Any]:
    """Convert floats in [0, 1] to integers of a type, 0 .. its maximum, rounded."""
    return np.asarray(np.rint(share * np.float32(np.iinfo(dtype).max)), dtype)


def _levels(frame: FloatFrame, top: int) -> FloatFrame:
    # In place: a copy of a large frame takes as long as the arithmetic.
    unit = np.asarray(np.clip(frame, -1, 1))
    unit += np.float32(1)
    unit *= np.float32(top / 2)
    return np.rint(unit, out=unit)
