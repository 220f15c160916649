"""Arrays as they are handed over <-> the integer RGB pixels that a render works on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import ArrayLike, NDArray

from dreamvideo.errors import UsageError
from dreamvideo.imaging import resize, to_grey
from dreamvideo.media.pixels import from_share, to_bytes, to_deep, to_float, to_share
from dreamvideo.media.stills import cover_hidden, open_still, to_depth
from dreamvideo.render.photo import resize_both

Pixels = NDArray[Any]
Picture = NDArray[Any] | PIL.Image.Image | Path | str
"""A picture: an array (or what NumPy makes one of), a Pillow image, or the path of a file."""

KINDS = (
    "H x W, H x W x 1, 2 (grey and alpha), 3 (RGB) or 4 (RGBA), of uint8, uint16, or floats from "
    "0 to 1"
)
# How far beyond 0 and 1 floats may lie, as resizing with a sharp kernel leaves them.
_OVERSHOOT = 1.0
_BLACK = (0, 0, 0)


@dataclass(frozen=True)
class ArrayPicture:
    """A picture that came as an array.

    Attributes:
        given: The array itself.
        pixels: H x W x 3 RGB, uint8, or uint16 where it has more depth.
        alpha: H x W of the same type; None if it has none.
    """

    given: NDArray[Any]
    pixels: Pixels
    alpha: Pixels | None

    @property
    def is_deep(self) -> bool:
        """Whether it has more than 8 bits a channel."""
        return self.pixels.dtype == np.uint16

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def restore(
        self, pixels: Pixels, alpha: Pixels | None, source: Pixels | None = None
    ) -> NDArray[Any]:
        """Return dreamt pixels in the form in which the picture came.

        Args:
            pixels: H x W x 3 RGB, of the type of ``pixels``.
            alpha: H x W, likewise; needed if the picture has an alpha channel.
            source: H x W x 3, the undreamt pixels of the same picture: where they were not changed
                a float array keeps its very values. None: all of them are new.

        Returns:
            An array with the channels and the type of the picture that came.
        """
        shape = (*pixels.shape[:2], *self.given.shape[2:])
        channels = 1 if self.given.ndim == 2 else self.given.shape[2]
        made = pixels if channels >= 3 else _to_luma(pixels)
        if channels in (2, 4):
            assert alpha is not None
            made = np.dstack([made, alpha])
        made = made.reshape(shape)
        if self.given.dtype.kind == "f":
            made = (made / np.float32(65535)).astype(self.given.dtype)
            if source is not None:
                same = (pixels == source).all(-1).reshape(shape[:2] + (1,) * (len(shape) - 2))
                made = np.where(same, self.given, made)
        return np.ascontiguousarray(made)


def read_picture(picture: Picture, name: str = "image") -> ArrayPicture:
    """Return a picture in any of the forms that ``Picture`` names.

    Args:
        picture: The picture. Of a file, the array is what it decodes to, upright and in sRGB:
            uint8 or uint16, with its alpha channel if any of it is transparent.
        name: Name of the argument, for errors.

    Raises:
        UsageError: It is no picture.
        MediaError: The file cannot be read.
    """
    if isinstance(picture, str | Path):
        still = open_still(picture)
        layers, alpha = still.pixels, still.alpha
        if alpha is not None and bool((alpha < np.iinfo(alpha.dtype).max).any()):
            layers = np.dstack([layers, alpha])
        return read_array(layers, name)
    if isinstance(picture, PIL.Image.Image):
        return read_array(_from_pillow(picture), name)
    return read_array(picture, name)


def read_array(array: ArrayLike, name: str) -> ArrayPicture:
    """Return an array as pixels to dream.

    Args:
        array: H x W, or H x W x 1 to 4, of uint8, uint16 or floats from 0 to 1.
        name: What it is, for errors: an argument, or one frame of many.

    Raises:
        UsageError: It has another shape or type, or floats that are not from 0 to 1.
    """
    try:
        given = np.asarray(array)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name}: not an array of pixels: {error}") from None
    if (
        given.dtype == object
        or given.ndim not in (2, 3)
        or (given.ndim == 3 and not 1 <= given.shape[2] <= 4)
    ):
        raise UsageError(f"{name}: {_describe(given)}: pass {KINDS}")
    if 0 in given.shape:
        raise UsageError(f"{name}: {_describe(given)} has no pixels")
    # The byte order of a file is none of the caller's concern.
    given = given.astype(given.dtype.newbyteorder("="), copy=False)
    values = _to_integers(given, name)
    layers = values.reshape(*values.shape[:2], -1)
    colours, alpha = layers, None
    if layers.shape[2] in (2, 4):
        colours, alpha = layers[..., :-1], np.ascontiguousarray(layers[..., -1])
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    pixels = cover_hidden(np.ascontiguousarray(colours), alpha, _BLACK)
    return ArrayPicture(given, pixels, alpha)


def resize_picture(picture: ArrayPicture, size: tuple[int, int]) -> ArrayPicture:
    """Return a picture at another (width, height); ``restore`` then needs no source."""
    if picture.size == size:
        return picture
    shape = (size[1], size[0], *picture.given.shape[2:])
    given = np.zeros(shape, picture.given.dtype)
    if picture.alpha is None:
        return ArrayPicture(given, resize(picture.pixels, size[::-1]), None)
    image, alpha = resize_both(to_float(picture.pixels), to_share(picture.alpha), size)
    assert alpha is not None
    pixels = to_deep(image) if picture.is_deep else to_bytes(image)
    return ArrayPicture(given, pixels, from_share(alpha, pixels.dtype))


def convert_bytes(pixels: NDArray[np.uint8], dtype: Any) -> NDArray[Any]:
    """Return 8-bit pixels as another type that pictures come in: uint8, uint16 or a float."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.asarray(pixels / np.float32(255), kind)
    return to_depth(pixels, 8 * kind.itemsize)


def read_mask(mask: ArrayLike, name: str) -> NDArray[np.float32]:
    """Return a mask as a map, H x W in [0, 1]: 1 is dreamt, 0 is left alone.

    Args:
        mask: H x W (or H x W x 1) of bool, uint8, uint16, or floats from 0 to 1.
        name: What it is, for errors.

    Raises:
        UsageError: It has another shape or type.
    """
    given = np.asarray(mask)
    if given.ndim == 3 and given.shape[2] == 1:
        given = given[..., 0]
    if given.ndim != 2 or given.size == 0:
        raise UsageError(
            f"{name}: {_describe(given)}: a mask is H x W, of bool, uint8, uint16, or floats from "
            "0 to 1"
        )
    if given.dtype == np.bool_:
        return given.astype(np.float32)
    values = _to_integers(given, name)
    return to_share(values)


def _to_integers(given: NDArray[Any], name: str) -> Pixels:
    """Return uint8 as it is, everything else as uint16."""
    if given.dtype in (np.uint8, np.uint16):
        return given
    if given.dtype.kind != "f":
        raise UsageError(f"{name}: {_describe(given)}: pass {KINDS}")
    least, most = float(given.min()), float(given.max())
    if not np.isfinite([least, most]).all():
        raise UsageError(f"{name}: it holds NaN or infinite values")
    if least < -_OVERSHOOT or most > 1 + _OVERSHOOT:
        raise UsageError(
            f"{name}: floats are from 0 to 1, but these reach from {least:g} to {most:g}"
        )
    return np.asarray(np.rint(np.clip(given.astype(np.float64), 0, 1) * 65535), np.uint16)


def _to_luma(pixels: Pixels) -> Pixels:
    grey = to_grey(pixels.astype(np.float32))
    return np.asarray(np.rint(grey), pixels.dtype)


def _from_pillow(image: PIL.Image.Image) -> NDArray[Any]:
    if image.mode in ("L", "LA", "RGB", "RGBA") or image.mode.startswith("I;16"):
        return np.asarray(image)
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _describe(given: NDArray[Any]) -> str:
    shape = " x ".join(map(str, given.shape)) or "a single value"
    return f"an array of {shape} {given.dtype}" if given.shape else f"{shape} ({given.dtype})"
