"""The contents of a picture file before colour conversion, and helpers that its readers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamvideo.errors import MediaError
from dreamvideo.media import heif, tiff
from dreamvideo.media.color_profile import ColorSpace

Size = tuple[int, int]
# Called with (size in the file, size that is kept, additional bytes that decoding takes).
Fits = Callable[[Size, Size, int], None]
# Larger pictures are reduced while they are decoded, if a smaller size is requested.
LARGE = 2**24
# As decoded, as floats in [-1, 1], and once more during the conversion.
BYTES_A_PIXEL = 30
_SIGNATURES = {
    b"v/1\x01": "exr",
    b"#?RADIANCE": "hdr",
    b"#?RGBE": "hdr",
    b"\xff\x0a": "jxl",
    b"\0\0\0\x0cJXL \r\n\x87\n": "jxl",
    b"PF\n": "pfm",
    b"PF ": "pfm",
    b"PH\n": "phm",
    b"Ph\n": "phm",
    b"P7\n": "pam",
    b"SDPX": "dpx",
    b"XPDS": "dpx",
    b"8BPS": "psd",
    b"\xff\xd8\xff\xf7": "jpegls",
    b"\xff\xd8": "jpeg",
    b"\xff\x4f\xff\x51": "j2k",
    b"\0\0\0\x0cjP  \r\n\x87\n": "j2k",
    b"qoif": "qoi",
}


def kind_of(data: bytes) -> str:
    """Return a file's kind by its first bytes: one of ffmpeg's kinds, else ``pillow``."""
    if tiff.is_tiff(data):
        return "tiff"
    if heif.is_heif(data):
        return "heif"
    if heif.is_avif(data):
        return "avif"
    return next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), "pillow")


class UndecodableError(Exception):
    """Pillow does not know this file, or cannot decode it."""


@dataclass
class Decoded:
    """A picture as its file stores it.

    Attributes:
        values: H x W x 3 (or H x W, grey): uint8 or uint16 in ``space``, or float32 for linear
            light.
        size: The file's own (width, height), upright.
        alpha: H x W of the same type, straight unless ``premultiplied``.
        premultiplied: Whether the colours are multiplied by alpha.
        space: Description of the colours.
        exif: Metadata of the camera.
        orientation: EXIF orientation, still to be undone.
        notes: Notes for the user.
    """

    values: NDArray[Any]
    size: Size
    alpha: NDArray[Any] | None = None
    premultiplied: bool = False
    space: ColorSpace = field(default_factory=ColorSpace)
    exif: Image.Exif | None = None
    orientation: int = 1
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One picture to decode: its content, the memory check, and the requested size."""

    path: Path
    data: bytes
    fits: Fits
    least: Size | None

    def reduction(self, size: Size) -> int:
        """Return the factor by which a picture of this size, upright, may be reduced; 1: none."""
        if self.least is None or size[0] * size[1] <= LARGE:
            return 1
        return max(1, min(size[0] // max(1, self.least[0]), size[1] // max(1, self.least[1])))

    def check(self, size: Size, bytes_a_pixel: int) -> int:
        """Return the reduction of a picture of this size; MediaError if memory cannot hold it."""
        factor = self.reduction(size)
        taken = size[0] * size[1] * bytes_a_pixel if factor > 1 else 0
        self.fits(size, divide_size(size, factor), taken)
        return factor

    @property
    def most_pixels(self) -> int:
        """How many pixels ffmpeg may decode: a header may declare anything."""
        lowest, highest = 1, 2**31 - 1
        while lowest < highest:
            tried = (lowest + highest + 1) // 2
            try:
                self.fits((tried, 1), (1 if self.least else tried, 1), 16 * tried)
                lowest = tried
            except MediaError:
                highest = tried - 1
        return lowest


def divide_size(size: Size, factor: int) -> Size:
    """Return a size reduced by a factor, rounded up."""
    return ceil(size[0] / factor), ceil(size[1] / factor)


def turn_upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation: 5 to 8 are transposed, the others only mirrored."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def show_same_picture(deep: NDArray[Any], shallow: NDArray[Any], most: float = 1.0) -> bool:
    """Return whether two readers decoded the same picture, one in 16 bits and one in 8.

    Args:
        deep: H x W or H x W x C, 16 bits.
        shallow: The same in 8 bits.
        most: Largest mean difference in 8-bit levels.
    """
    if deep.ndim == 2:
        deep = deep[..., None]
    if shallow.ndim == 2:
        shallow = shallow[..., None]
    if deep.shape[:2] != shallow.shape[:2]:
        return False
    off = np.abs(deep[..., :3] / np.float32(257) - shallow[..., :3])
    return bool(off.mean() <= most)


def downscale(
    values: NDArray[Any], alpha: NDArray[Any] | None, factor: int
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Average values and alpha over squares of ``factor`` pixels.

    Args:
        values: H x W or H x W x 3.
        alpha: H x W, if any.
        factor: Side of the squares; 1 changes nothing.
    """
    if factor == 1:
        return values, alpha
    size = divide_size((values.shape[1], values.shape[0]), factor)
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    clear = None if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    return small, clear


def split_alpha(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Split H x W x 1 to 4 into grey (H x W) or RGB, and alpha if there is one."""
    channels = values.shape[2]
    alpha = values[..., -1] if channels in (2, 4) else None
    color = values[..., 0] if channels < 3 else values[..., :3]
    return np.ascontiguousarray(color), None if alpha is None else np.ascontiguousarray(alpha)
