"""Read and write still pictures, H x W x 3 RGB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamvideo.cancel import check
from dreamvideo.errors import MediaError
from dreamvideo.formatting import format_bytes
from dreamvideo.media.color_profile import (
    ColorSpace,
    deep_profile_to_srgb,
    profile_to_srgb,
    space_to_srgb,
)
from dreamvideo.media.endings import READ_ENDINGS, STILL_ENDINGS
from dreamvideo.media.exif import keep_exif
from dreamvideo.media.ivf import IVF_SIGNATURE
from dreamvideo.media.light import develop_light
from dreamvideo.media.magicyuv import decode_magicyuv, encode_magicyuv, fits_magicyuv
from dreamvideo.media.opencv import decode_by_opencv
from dreamvideo.media.own_light import encode_linear
from dreamvideo.media.paths import escape_text, read_bytes, readable, replace_atomically
from dreamvideo.media.pillow import opened, pillow
from dreamvideo.media.pixel_formats import Color as Tags
from dreamvideo.media.png import encode_uncompressed
from dreamvideo.media.still_decode import decode, header_size
from dreamvideo.media.still_encode import encode_still
from dreamvideo.media.still_file import BYTES_A_PIXEL, Decoded, Size, kind_of, turn_upright
from dreamvideo.memory import available_memory

__all__ = ["STILL_ENDINGS"]

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]
# Of finer steps than a screen's levels.
Background = tuple[float, float, float]

# Stored frames are compressed if that leaves less than this share of a sample of their rows.
_PAYS = 0.7
_SAMPLED_ROWS = 16
# Dreamt frames hardly compress: of what repeats itself, only runs are searched for, in a third of
# the time of level 1 and for the same size.
_PNG = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
]
_HEAD = 2**16
_KEPT_LIGHT = "read as light, which is kept: dreamt on a copy tone-mapped to sRGB"


@dataclass(frozen=True)
class Still:
    """A picture ready to be dreamt: upright, in sRGB.

    Attributes:
        pixels: H x W x 3, uint8 or uint16.
        alpha: H x W of the same type, straight.
        size: (width, height) in the file, upright.
        exif: Metadata of the camera, ready to be written again.
        notes: Notes for the user on what was done to it.
        is_light: Whether the file holds scene-linear light.
        own: H x W x 3, that light in the codes of ``own_light``, if it was requested.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None
    size: Size
    exif: Image.Exif | None = None
    notes: tuple[str, ...] = ()
    is_light: bool = False
    own: NDArray[np.uint16] | None = None


def open_still(
    path: Path | str,
    *,
    least: Size | None = None,
    most_bytes: int | None = None,
    own_light: bool = False,
) -> Still:
    """Read a picture of any kind that Pillow or ffmpeg decodes.

    Args:
        path: The file.
        least: (width, height) that is needed: a large picture may be returned smaller than it is,
            but not smaller than this, and then takes less memory. None: full size.
        most_bytes: Memory that it may take; None: half of what is free.
        own_light: Whether to return scene-linear light as well.

    Raises:
        MediaError: It is not a picture, cannot be decoded, or is too large.
    """
    path = Path(path)

    def fits(size: Size, kept: Size, taken: int) -> None:
        _check_memory(path, size, kept, taken, most_bytes)

    # Damaged floats can have any value.
    with np.errstate(all="ignore"):
        decoded = decode(path, read_bytes(path), fits, least)
        pixels, alpha, notes = _in_srgb(decoded)
        is_light = decoded.values.dtype == np.float32
        own = encode_linear(_light_of(decoded)) if own_light and is_light else None
        if own is not None:
            notes = [_KEPT_LIGHT]
    return Still(
        pixels=np.ascontiguousarray(turn_upright(pixels, decoded.orientation)),
        alpha=None
        if alpha is None
        else np.ascontiguousarray(turn_upright(alpha, decoded.orientation)),
        size=decoded.size,
        exif=None if decoded.exif is None else keep_exif(decoded.exif),
        notes=tuple(dict.fromkeys([*decoded.notes, *notes])),
        is_light=is_light,
        own=None if own is None else np.ascontiguousarray(turn_upright(own, decoded.orientation)),
    )


def read_still(path: Path | str, background: Color = (0, 0, 0)) -> Pixels:
    """Read an image file as uint8, H x W x 3 RGB, upright.

    Grey is repeated over the channels, 16 bit rounded to 8, and alpha composited over
    ``background``. Raises MediaError if it is not an image that can be read.
    """
    pixels, alpha = read_deep(Path(path))
    return np.asarray(to_depth(flatten(pixels, alpha, background), 8), np.uint8)


def read_deep(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read an image at its own depth (uint8 or uint16): H x W x 3 RGB, and H x W alpha if any."""
    still = open_still(path)
    return still.pixels, still.alpha


def still_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of an image file, upright, from its header. Raises MediaError."""
    path = readable(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise MediaError(f"{escape_text(path)}: cannot be read") from error
    try:
        return header_size(path, head)
    except MediaError:
        # Behind a damaged header there may still be a picture.
        return open_still(path, least=(1, 1)).size


def is_still(path: Path) -> bool:
    """Return whether a file is a picture by its name, and not animated; True if unreadable."""
    if path.suffix.lower() not in READ_ENDINGS or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if kind_of(head) not in ("pillow", "tiff", "avif"):
            return True
        with pillow(), opened(path) as image:
            # Multiple pages or sizes are not frames.
            moves = image.format in ("GIF", "PNG", "WEBP", "AVIF")
            return not (moves and getattr(image, "is_animated", False))
    except Exception:  # Pillow's parsers raise anything on damaged headers
        return True


def to_depth(pixels: NDArray[Any], depth: int) -> NDArray[Any]:
    """Convert integer pixels to uint8 (rounded) or uint16, for a depth of 8 or 16."""
    if pixels.dtype.itemsize * 8 == depth:
        return pixels
    if depth == 8:
        return np.asarray(np.rint(pixels / np.float32(257)), np.uint8)
    return np.asarray(pixels.astype(np.uint16) * 257, np.uint16)


def flatten(
    pixels: NDArray[Any], alpha: NDArray[Any] | None, background: Background
) -> NDArray[Any]:
    """Composite a picture over a colour.

    Args:
        pixels: H x W x 3, integers.
        alpha: H x W, straight, same depth; None: opaque.
        background: Red, green and blue, 0 .. 255.
    """
    if alpha is None:
        return pixels
    top = np.iinfo(pixels.dtype).max
    weight = alpha[..., None].astype(np.float32) / np.float32(top)
    ground = np.asarray(background, np.float32) * np.float32(top / 255)
    mixed = pixels * weight + ground * (np.float32(1) - weight)
    return np.asarray(np.rint(mixed), pixels.dtype)


def cover_hidden(
    pixels: NDArray[Any], alpha: NDArray[Any] | None, background: Background
) -> NDArray[Any]:
    """Replace the colour under full transparency, which is arbitrary.

    Args:
        pixels: H x W x 3, integers.
        alpha: H x W, of any depth; None: all is opaque.
        background: Red, green and blue, 0 .. 255.
    """
    if alpha is None:
        return pixels
    clear, opaque = pixels.dtype.type(0), pixels.dtype.type(np.iinfo(pixels.dtype).max)
    return flatten(pixels, np.where(alpha == 0, clear, opaque), background)


def write_still(
    path: Path | str,
    pixels: NDArray[Any],
    metadata: Mapping[str, str] | None = None,
    quality: int = 95,
    *,
    alpha: NDArray[Any] | None = None,
    exif: Image.Exif | None = None,
    light: Tags | None = None,
) -> None:
    """Write a picture as PNG, JPEG, WebP, TIFF, AVIF, JPEG XL or EXR, by its extension, atomically.

    Args:
        path: The file.
        pixels: H x W x 3 RGB, uint8 or, for PNG, TIFF, JPEG XL and EXR, uint16.
        metadata: Texts by name. They go into PNG text chunks, or as JSON into the EXIF block; EXR
            has no place for them.
        quality: Of JPEG, WebP, AVIF and JPEG XL, 0 to 100.
        alpha: H x W, of the same type; JPEG cannot store it.
        exif: Metadata of the camera to keep.
        light: Colour tags of pixels that go into an EXR in their own light; None: a screen's.

    Raises:
        UsageError: The extension is unknown.
        MediaError: The file cannot be written.
    """
    path = Path(path)
    data = encode_still(
        path, pixels, alpha, tags=metadata or {}, exif=exif, quality=quality, light=light
    )
    with replace_atomically(path) as part:
        part.write_bytes(data)


def store_frame(
    path: Path,
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    alpha: NDArray[np.uint8] | None = None,
    *,
    sync: bool = True,
) -> None:
    """Store a frame as PNG: lossless, fast, atomic.

    Args:
        path: The file.
        pixels: H x W x 3 RGB, uint8 or uint16.
        alpha: H x W, straight: the colours are not multiplied by it.
        sync: Without it the caller must sync several frames at once with ``paths.sync_files``.

    Raises:
        MediaError: It cannot be written.
    """
    data = png_bytes(pixels, None if alpha is None else to_depth(alpha, 8 * pixels.itemsize))
    with replace_atomically(path, sync=sync) as part:
        part.write_bytes(data)


def png_bytes(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> bytes:
    """Encode H x W x 3 RGB and H x W alpha of the same type as PNG."""
    colors = pixels[..., ::-1]
    layers = colors if alpha is None else np.dstack([colors, alpha])
    done, data = cv2.imencode(".png", np.ascontiguousarray(layers), _PNG)
    if not done:
        raise MediaError(f"a frame of {pixels.shape} {pixels.dtype} does not encode as PNG")
    return bytes(data.tobytes())


def stored_bytes(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> bytes:
    """Encode a frame that will be read back soon: fast rather than small.

    Opaque frames of 8 bits are MagicYUV, others PNGs, which are not compressed where that would
    save little: dreamt frames compress by a fifth, which takes ten times as long as writing them,
    and reading them back five times as long.
    """
    if alpha is None and fits_magicyuv(pixels):
        return encode_magicyuv(np.asarray(pixels, np.uint8))
    raw = pixels[:: max(1, len(pixels) // _SAMPLED_ROWS)]
    sampled = len(png_bytes(raw, None)) / raw.nbytes
    if sampled < _PAYS:
        return png_bytes(pixels, alpha)
    layers = pixels if alpha is None else np.dstack([pixels, alpha])
    return encode_uncompressed(layers)


def load_frame(path: Path) -> Pixels:
    """Load a frame as ``load_deep`` does, as 8-bit H x W x 3 RGB. Raises MediaError."""
    pixels, _ = load_deep(path)
    return np.asarray(to_depth(pixels, 8), np.uint8)


def load_deep(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Load a stored frame (``store_frame``, ``stored_bytes``) at its depth: colours and alpha.

    Raises MediaError, Interrupted.
    """
    check()
    data = read_bytes(path)
    decode_stored = decode_magicyuv if data.startswith(IVF_SIGNATURE) else decode_by_opencv
    layers = decode_stored(data)
    if layers is None:
        raise MediaError(f"{escape_text(path)}: the stored frame is damaged")
    alpha = np.ascontiguousarray(layers[..., 3]) if layers.shape[2] == 4 else None
    return np.ascontiguousarray(layers[..., :3]), alpha


def _check_memory(path: Path, size: Size, kept: Size, taken: int, most_bytes: int | None) -> None:
    """Refuse, before decoding, a picture that does not fit in memory together with its dream."""
    need = kept[0] * kept[1] * BYTES_A_PIXEL + taken
    # Without a limit a process takes half of what is free, as the dream does.
    free = available_memory()
    allowed = free // 2 if most_bytes is None else min(free, most_bytes)
    if need > allowed:
        why = "are allowed by --max-memory" if allowed == most_bytes else "may be taken"
        raise MediaError(
            f"{escape_text(path)}: {size[0]} x {size[1]} pixels need {format_bytes(need)} "
            f"of memory, {format_bytes(allowed)} {why}; make it smaller, or dream it at a smaller "
            "--size"
        )


def _in_srgb(decoded: Decoded) -> tuple[NDArray[Any], NDArray[Any] | None, list[str]]:
    """Return colours in sRGB, H x W x 3, alpha at the same depth, and notes on what was done."""
    values, alpha, notes = decoded.values, decoded.alpha, []
    if values.dtype == np.float32:
        light = develop_light(_light_of(decoded))
        values = np.asarray(np.rint(light.values * 65535), np.uint16)
        notes.append(f"read as light, tone-mapped to sRGB{light.words and ': '}{light.words}")
        if alpha is not None:
            alpha = np.asarray(np.rint(np.clip(alpha, 0, 1) * 65535), np.uint16)
    else:
        if decoded.premultiplied and alpha is not None:
            values = _straight(values, alpha)
        if decoded.space != ColorSpace():
            values, note = _converted(values, decoded.space)
            notes += [note] if note else []
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if alpha is not None:
        alpha = to_depth(alpha, 8 * values.dtype.itemsize)
    return values, alpha, notes


def _light_of(decoded: Decoded) -> NDArray[np.float32]:
    """Return the linear light of a picture of floats, H x W x 3, not multiplied by its alpha."""
    values = decoded.values
    if decoded.premultiplied and decoded.alpha is not None:
        values = _straight(values, decoded.alpha)
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def _converted(values: NDArray[Any], space: ColorSpace) -> tuple[NDArray[Any], str]:
    if space.profile is None:
        colors = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
        return space_to_srgb(colors, space)
    if values.dtype == np.uint16:
        deep = deep_profile_to_srgb(values, space.profile)
        if deep is not None:
            return deep
    image, note = profile_to_srgb(Image.fromarray(to_depth(values, 8)), space.profile)
    if values.dtype == np.uint8 or not note.startswith("colours"):
        return (values if not note.startswith("colours") else np.array(image)), note
    return np.array(image), f"{note}, with 8 bits a channel: its profile is a table"


def _straight(values: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Divide colours by the alpha that they are premultiplied with."""
    share = alpha.astype(np.float32)
    top = 1.0
    if values.dtype.kind != "f":
        top = np.iinfo(values.dtype).max
        share = share / np.float32(np.iinfo(alpha.dtype).max)
    if values.ndim == 3:
        share = share[..., None]
    divided = np.where(share > 0, values / np.maximum(share, 1e-6), 0)
    if values.dtype.kind == "f":
        return np.asarray(divided, np.float32)
    return np.asarray(np.rint(np.minimum(divided, top)), values.dtype)
