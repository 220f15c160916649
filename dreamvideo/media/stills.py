"""Still pictures: image file -> H x W x 3 RGB -> image file."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.paths import read_bytes, readable, replacing, shown
from dreamvideo.memory import available_memory

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]

STILL_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_EXIF_ORIENTATION = 0x0112
_EXIF_DESCRIPTION = 0x010E
# As decoded, as floats in [-1, 1], and once more on the way from one to the other.
_BYTES_A_PIXEL = 30
# Dreamt frames hardly compress, and a render waits for every one of them: runs and single bytes
# are all that is looked for, in a third of the time of level 1 and for the same size.
_FAST = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
]


def read_still(path: Path | str, background: Color = (0, 0, 0)) -> Pixels:
    """An image file as uint8, H x W x 3 RGB, the right way up.

    Grey is repeated over the channels, 16 bit rounded to 8, transparency laid over ``background``.
    Raises MediaError if it is not an image that can be read.
    """
    pixels, alpha = read_deep(Path(path))
    return to_depth(flatten(pixels, alpha, background), 8)


def read_deep(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """An image file at its own depth (uint8 or uint16): H x W x 3 RGB, and H x W alpha if any."""
    data = read_bytes(path)
    kind, orientation = _header(path, data)
    # What OpenCV's JPEG decoder has to say of damage goes to the terminal, not to us.
    decoded = None if kind in ("JPEG", "MPO") else _decoded(data)
    if decoded is None:
        decoded = _decoded_by_pillow(path, data)
    elif decoded.ndim == 3:
        decoded = decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
    pixels = _upright(_integers(path, decoded), orientation)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])
    return np.ascontiguousarray(pixels[..., :3]), None


def still_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image file, the right way up, from its header. Raises MediaError."""
    with _opened(path, readable(path)) as image:
        turned = int(image.getexif().get(_EXIF_ORIENTATION, 1)) >= 5
        return image.size[::-1] if turned else image.size


def to_depth(pixels: NDArray[Any], depth: int) -> NDArray[Any]:
    """Integer pixels as uint8 (rounded) or uint16 for a depth of 8 or 16."""
    if pixels.dtype.itemsize * 8 == depth:
        return pixels
    if depth == 8:
        return np.asarray(np.rint(pixels / np.float32(257)), np.uint8)
    return np.asarray(pixels.astype(np.uint16) * 257, np.uint16)


def flatten(pixels: NDArray[Any], alpha: NDArray[Any] | None, background: Color) -> NDArray[Any]:
    """Lay H x W x 3 pixels with straight alpha (H x W, same depth) over one colour (0..255)."""
    if alpha is None:
        return pixels
    top = np.iinfo(pixels.dtype).max
    weight = alpha[..., None].astype(np.float32) / np.float32(top)
    ground = np.asarray(background, np.float32) * np.float32(top / 255)
    mixed = pixels * weight + ground * (np.float32(1) - weight)
    return np.asarray(np.rint(mixed), pixels.dtype)


def write_still(
    path: Path | str, pixels: Pixels, metadata: Mapping[str, str] | None = None, quality: int = 95
) -> None:
    """Write H x W x 3 uint8 RGB as PNG, JPEG, WebP or TIFF by the ending, whole or not at all.

    ``metadata`` goes into PNG text chunks, or as JSON into the description of the other formats.
    Raises UsageError for another ending and MediaError if the disk refuses.
    """
    path = Path(path)
    data = _encoded(path, pixels, metadata or {}, quality)
    with replacing(path) as part:
        part.write_bytes(data)


def store_frame(
    path: Path,
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    alpha: NDArray[np.uint8] | None = None,
    *,
    sync: bool = True,
) -> None:
    """Store H x W x 3 RGB (uint8 or uint16) as PNG: lossless, fast, atomic. Raises MediaError.

    ``alpha``, H x W, is straight transparency: the colours are not multiplied by it. Without
    ``sync`` the caller brings several frames onto the disk at once with ``paths.sync_files``.
    """
    data = png_bytes(pixels, None if alpha is None else to_depth(alpha, 8 * pixels.itemsize))
    with replacing(path, sync=sync) as part:
        part.write_bytes(data)


def png_bytes(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> bytes:
    """A PNG of H x W x 3 RGB and H x W alpha of the same type."""
    colors = pixels[..., ::-1]
    layers = colors if alpha is None else np.dstack([colors, alpha])
    done, data = cv2.imencode(".png", np.ascontiguousarray(layers), _FAST)
    if not done:
        raise MediaError(f"a frame of {pixels.shape} {pixels.dtype} does not encode as PNG")
    return bytes(data.tobytes())


def load_frame(path: Path) -> Pixels:
    """The H x W x 3 RGB of a frame from ``store_frame``, in 8 bits. Raises MediaError."""
    pixels, _ = load_deep(path)
    return np.asarray(to_depth(pixels, 8), np.uint8)


def load_deep(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """A frame from ``store_frame`` as it was stored: colours and alpha. Raises MediaError."""
    layers = _decoded(read_bytes(path))
    if layers is None:
        raise MediaError(f"{shown(path)}: the stored frame is damaged")
    alpha = np.ascontiguousarray(layers[..., 3]) if layers.shape[2] == 4 else None
    return np.ascontiguousarray(layers[..., 2::-1]), alpha


def _header(path: Path, data: bytes) -> tuple[str, int]:
    """Kind of file by its content, and EXIF orientation 1..8; refuses what is no image."""
    with _opened(path, io.BytesIO(data)) as image:
        _check_memory(path, *image.size)
        return image.format or "", int(image.getexif().get(_EXIF_ORIENTATION, 1))


def _check_memory(path: Path, width: int, height: int) -> None:
    """Refuse, before it is decoded, what no memory holds as pixels and as a dream of them."""
    need, free = width * height * _BYTES_A_PIXEL, available_memory()
    if need > free:
        raise MediaError(
            f"{shown(path)}: {width} x {height} pixels need {need / 1e9:.2g} GB of memory, "
            f"{free / 1e9:.2g} are free; make it smaller"
        )


@contextmanager
def _opened(path: Path, file: Path | io.BytesIO) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                yield image
    except Image.DecompressionBombError:
        raise MediaError(f"{shown(path)}: declares more pixels than can be rendered") from None
    except MediaError:
        raise
    except Exception:  # Pillow's parsers raise anything on damaged headers
        raise MediaError(f"{shown(path)}: not an image that can be read") from None


def _decoded(data: bytes) -> NDArray[Any] | None:
    # OpenCV prints warnings of its own, as about the transparent TIFFs that it writes.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _decoded_by_pillow(path: Path, data: bytes) -> NDArray[Any]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            clear = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            return np.array(image.convert("RGBA" if clear else "RGB"))
    except Exception:
        raise MediaError(f"{shown(path)}: the image is damaged") from None


def _integers(path: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if pixels.dtype.kind == "f":
        return np.asarray(np.rint(np.clip(pixels, 0, 1) * 65535), np.uint16)
    raise MediaError(f"{shown(path)}: {pixels.dtype} pixels are not supported; save it as 16 bit")


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation: 5 to 8 are transposed, the others only mirrored."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _encoded(path: Path, pixels: Pixels, metadata: Mapping[str, str], quality: int) -> bytes:
    ending = path.suffix.lower()
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if ending == ".png":
        chunks = PngImagePlugin.PngInfo()
        for key, value in metadata.items():
            chunks.add_itxt(key, value)
        image.save(buffer, "PNG", pnginfo=chunks, compress_level=6)
        return buffer.getvalue()
    exif = Image.Exif()
    if metadata:
        exif[_EXIF_DESCRIPTION] = json.dumps(dict(metadata))
    if ending in (".jpg", ".jpeg"):
        image.save(buffer, "JPEG", quality=quality, subsampling=0, exif=exif)
    elif ending == ".webp":
        image.save(buffer, "WEBP", quality=quality, exif=exif)
    elif ending in (".tif", ".tiff"):
        image.save(buffer, "TIFF", compression="tiff_deflate", exif=exif)
    else:
        known = ", ".join(STILL_ENDINGS)
        raise UsageError(f"{shown(path)}: unknown picture ending; choose one of {known}")
    return buffer.getvalue()
