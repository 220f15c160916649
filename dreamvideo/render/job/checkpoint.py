"""Serialise the state that a segment's next frame is made from, exactly and compactly.

Much of the carried state fits in fewer bytes than it occupies in memory: source frames are 8-bit
pixels, and maps often have the same value everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.pixels import to_bytes, to_float

Arrays = Mapping[str, NDArray[Any]]

_COUNT = "count of frames"
# Suffixes of an array's name that tell how it is stored: as 8-bit pixels, or as a single value and
# its shape.
_PIXELS, _VALUE, _SHAPE = " as pixels", " everywhere", " has the shape"


def pack_checkpoint(count: int, arrays: Arrays) -> bytes:
    """Return the bytes of a checkpoint: the state after the first ``count`` frames."""
    members: dict[str, Any] = {_COUNT: np.array(count)}
    for name, array in arrays.items():
        members |= _check_small(name, np.asarray(array, order="C"))
    buffer = io.BytesIO()
    np.savez(buffer, **members)
    return buffer.getvalue()


def load_checkpoint(path: Path) -> tuple[int, Arrays | None]:
    """Return (frame count, state for the next frame); (0, None) if the file is damaged."""
    # zipfile verifies every member's checksum, and raises all kinds of errors on damage.
    with suppress(Exception), np.load(path, allow_pickle=False) as stored:
        members = {name: stored[name] for name in stored.files}
        count = int(members.pop(_COUNT))
        return count, dict(
            _read_whole(name, members) for name in members if not name.endswith(_SHAPE)
        )
    return 0, None


def _check_small(name: str, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return an array under names that tell how it is stored. Bits are compared: 0 is not -0."""
    bits = _to_bits(array)
    if array.ndim > 1 and array.size and (bits == bits.flat[0]).all():
        return {name + _VALUE: array.reshape(-1)[:1], name + _SHAPE: np.array(array.shape)}
    # Most arrays that are not pixels are recognised from a few of their rows.
    if array.ndim > 1 and _are_pixels(array[::64]) and _are_pixels(array):
        return {name + _PIXELS: to_bytes(array)}
    return {name: array}


def _are_pixels(array: NDArray[Any]) -> bool:
    """Return whether the values are exactly those of an 8-bit file."""
    if array.dtype != np.float32 or not np.isfinite(array).all():
        return False
    return np.array_equal(_to_bits(to_float(to_bytes(array))), _to_bits(array))


def _read_whole(name: str, members: Mapping[str, NDArray[Any]]) -> tuple[str, NDArray[Any]]:
    array = members[name]
    if name.endswith(_PIXELS):
        return name.removesuffix(_PIXELS), to_float(array)
    if name.endswith(_VALUE):
        name = name.removesuffix(_VALUE)
        return name, np.full(tuple(members[name + _SHAPE]), array[0])
    return name, array


def _to_bits(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(f"u{array.itemsize}")
