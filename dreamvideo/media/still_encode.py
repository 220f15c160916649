"""Encode pixels, alpha, EXIF and tags as PNG, JPEG, WebP, TIFF, AVIF, JPEG XL or EXR."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, features

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import ffmpeg, heif, png
from dreamvideo.media.endings import STILL_ENDINGS
from dreamvideo.media.exif import (
    exif_bytes,
    read_directory,
    tiff_directory,
    with_words,
    without_maker_note,
)
from dreamvideo.media.exr import encode_exr
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color as Tags

DEEP_ENDINGS = (".png", ".tif", ".tiff", ".jxl")
_JPEG_ENDINGS = (".jpg", ".jpeg")
LOSSY_ENDINGS = (*_JPEG_ENDINGS, ".webp", ".avif", ".jxl")
LIGHT_ENDINGS = (".exr",)
# The most that a JPEG segment can hold, without its own heading.
_JPEG_EXIF = 65_533 - 8
# Of 0 to 9. Of what repeats itself only runs are searched for: of a dreamt picture that leaves as
# many bytes in half the time. zlib's own level, 6, takes six times as long for 3 % less.
_PNG_LEVEL = 3
_PNG_DEEP = [
    *(cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
]
_JXL_STREAM = b"\xff\x0a"
# Values of TIFF tags.
_DEFLATE, _HORIZONTAL, _RGB, _CHUNKY, _UNASSOCIATED = 8, 2, 2, 1, 2


def holds_alpha(path: Path) -> bool:
    """Return whether a picture with this extension can have alpha."""
    return path.suffix.lower() not in _JPEG_ENDINGS


def holds_depth(path: Path) -> bool:
    """Return whether a picture with this extension can have 16 bits per channel."""
    return path.suffix.lower() in DEEP_ENDINGS


def encode_still(
    path: Path,
    pixels: NDArray[Any],
    alpha: NDArray[Any] | None,
    *,
    tags: Mapping[str, str],
    exif: Image.Exif | None,
    quality: int = 95,
    light: Tags | None = None,
) -> bytes:
    """Encode a picture in the format of the path's extension.

    Args:
        path: Only its name counts.
        pixels: H x W x 3 RGB, uint8 or, for PNG, TIFF, JPEG XL and EXR, uint16.
        alpha: H x W of the same type, straight, or None.
        tags: Texts by name: chunks of a PNG, else JSON in the EXIF block.
        exif: Metadata of the camera.
        quality: Of JPEG, WebP, AVIF and JPEG XL, 0 to 100.
        light: Colour tags of pixels that go into an EXR in their own light; None: a screen's.

    Returns:
        The file's content.

    Raises:
        UsageError: The extension is unknown.
        MediaError: The picture cannot be encoded.
    """
    ending = path.suffix.lower()
    if ending not in STILL_ENDINGS:
        known = ", ".join(STILL_ENDINGS)
        raise UsageError(f"{escape_text(path)}: unknown picture extension; choose one of {known}")
    if ending == ".avif" and not features.check("avif"):
        raise UsageError(
            f"{escape_text(path)}: this Pillow cannot write AVIF; choose .png or .webp"
        )
    if ending in LIGHT_ENDINGS:
        clear = None if alpha is None else to_sixteen_bits(alpha)
        return encode_exr(path, to_sixteen_bits(pixels), clear, light)
    layers = pixels if alpha is None else np.dstack([pixels, alpha])
    layers = np.ascontiguousarray(layers)
    if ending == ".png":
        return _png(layers, tags, exif)
    if tags:
        exif = with_words(exif, json.dumps(dict(tags)))
    if ending in (".tif", ".tiff"):
        return _tiff(layers, exif)
    if ending == ".jxl":
        return _jpeg_xl(path, _png(layers, {}, None), exif, quality)
    return _by_pillow(path, layers, exif, quality)


def _by_pillow(path: Path, layers: NDArray[Any], exif: Image.Exif | None, quality: int) -> bytes:
    buffer, image, ending = io.BytesIO(), Image.fromarray(layers), path.suffix.lower()
    options: dict[str, Any] = {} if exif is None else {"exif": exif}
    if ending in _JPEG_ENDINGS:
        if exif is not None and len(exif.tobytes()) > _JPEG_EXIF:
            options["exif"] = without_maker_note(exif)
        if exif is not None and len(options["exif"].tobytes()) > _JPEG_EXIF:
            raise MediaError(
                f"{escape_text(path)}: JPEG cannot hold so much camera data; --strip-metadata "
                "leaves it "
                "out, and .png has room for it"
            )
        image.save(buffer, "JPEG", quality=quality, subsampling=0, **options)
    elif ending == ".webp":
        image.save(buffer, "WEBP", quality=quality, **options)
    else:
        image.save(buffer, "AVIF", quality=quality, subsampling="4:4:4", **options)
    return buffer.getvalue()


def _png(layers: NDArray[Any], tags: Mapping[str, str], exif: Image.Exif | None) -> bytes:
    texts = PngImagePlugin.PngInfo()
    for key, value in tags.items():
        texts.add_itxt(key, value)
    if layers.dtype == np.uint8:
        buffer = io.BytesIO()
        options: dict[str, Any] = {"compress_level": _PNG_LEVEL, "compress_type": zlib.Z_RLE}
        if exif is not None:
            options["exif"] = exif
        Image.fromarray(layers).save(buffer, "PNG", pnginfo=texts, **options)
        return buffer.getvalue()
    order = [2, 1, 0, 3][: layers.shape[2]]
    done, data = cv2.imencode(".png", layers[..., order], _PNG_DEEP)
    if not done:
        raise MediaError(f"a picture of {layers.shape} {layers.dtype} does not encode as PNG")
    chunks = b"".join(png.chunk(kind, content) for kind, content, *_ in texts.chunks)
    if exif is not None:
        chunks += png.chunk(b"eXIf", exif_bytes(exif))
    return png.with_chunks(data.tobytes(), chunks)


def _jpeg_xl(path: Path, picture: bytes, exif: Image.Exif | None, quality: int) -> bytes:
    """Encode a PNG as JPEG XL, in boxes of which one holds the EXIF block. Raises MediaError."""
    # The scale of libjxl's own tools, on which 90 is about a distance of 1, just visible.
    distance = 0.0 if quality == 100 else 0.1 + (100 - max(quality, 30)) * 0.09
    distance += max(0, 30 - quality) * 0.6
    _, stream = ffmpeg.run(
        [
            *("-f", "png_pipe", "-i", "pipe:0", "-frames:v", "1", "-c:v", "libjxl"),
            *("-distance", f"{min(distance, 15):.3f}", "-effort", "7"),
            *("-f", "image2pipe", "pipe:1"),
        ],
        subject=f"{escape_text(path)}: encoding failed",
        feed=[picture],
    )
    if exif is None:
        return stream
    # libjxl leaves the boxes out where nothing needs them.
    held = [(b"jxlc", stream)] if stream.startswith(_JXL_STREAM) else list(heif.boxes(stream))[2:]
    found = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl ")]
    place = next(n for n, (kind, _) in enumerate(held) if kind in (b"jxlc", b"jxlp"))
    held.insert(place, (b"Exif", bytes(4) + exif_bytes(exif)))
    return b"".join(
        struct.pack(">I4s", 8 + len(content), kind) + content for kind, content in [*found, *held]
    )


def to_sixteen_bits(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Return integers of 8 or 16 bits as 16."""
    if values.dtype == np.uint16:
        return values
    return np.asarray(values.astype(np.uint16) * 257, np.uint16)


def _tiff(layers: NDArray[Any], exif: Image.Exif | None) -> bytes:
    """Encode a TIFF as one deflated strip: Pillow writes neither 16 bits nor a GPS directory."""
    height, width, channels = layers.shape
    bits = 8 * layers.itemsize
    differences = layers.astype(f"<u{layers.itemsize}")
    differences[:, 1:] -= layers[:, :-1]
    strip = zlib.compress(differences.tobytes(), 6)
    tags: dict[int, Any] = {} if exif is None else read_directory(exif)
    tags |= {
        256: width,
        257: height,
        258: (bits,) * channels,
        259: _DEFLATE,
        262: _RGB,
        # Counted from the end of the directory.
        273: 0,
        277: channels,
        278: height,
        279: len(strip),
        284: _CHUNKY,
        317: _HORIZONTAL,
    }
    if channels == 4:
        tags[338] = _UNASSOCIATED
    return struct.pack("<2sHI", b"II", 42, 8) + tiff_directory(tags, 8) + strip
