"""Decode an image file with Pillow, or with ffmpeg if Pillow cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.media import heif, png, still_ffmpeg, tiff
from dreamvideo.media.color_profile import ColorSpace
from dreamvideo.media.exif import read_exif
from dreamvideo.media.heif import UNSPECIFIED, MainPicture
from dreamvideo.media.opencv import decode_by_opencv
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pillow import opened, pillow, silent_stderr
from dreamvideo.media.still_file import (
    Decoded,
    Fits,
    Job,
    Size,
    UndecodableError,
    divide_size,
    downscale,
    kind_of,
    show_same_picture,
    split_alpha,
    turn_upright,
)
from dreamvideo.media.still_pillow import decode_by_pillow, decode_whole, upright_size

# Formats that Pillow reads partly or not at all; for others ffmpeg is used only if Pillow fails.
_FFMPEG_FIRST = ("heif", "jxl", "exr", "hdr", "pfm", "phm", "pam", "dpx", "jpegls")
_LIGHT = ("exr", "hdr", "pfm", "phm")
_RGB = 2


def header_size(path: Path, head: bytes) -> Size:
    """Return (width, height) of an image file, upright, from its header.

    Args:
        path: The file.
        head: Its first bytes, or all of it.

    Raises:
        MediaError: It is not an image that can be read.
    """
    kind = kind_of(head)
    if kind == "heif":
        picture = heif.main_picture(head)
        if picture is not None and picture.size is not None:
            return picture.size[::-1] if picture.turned else picture.size
    if kind in _FFMPEG_FIRST:
        return still_ffmpeg.size_of(path, kind)
    try:
        with pillow(), opened(path) as image:
            return upright_size(image)
    except Exception:  # Pillow's parsers raise anything on damaged headers
        layout = tiff.layout_of(path.read_bytes()) if kind == "tiff" else None
        if layout is not None:
            return layout.size[::-1] if layout.orientation >= 5 else layout.size
    raise MediaError(f"{escape_text(path)}: not an image that can be read")


def decode(path: Path, data: bytes, fits: Fits, least: Size | None) -> Decoded:
    """Decode a picture.

    Args:
        path: The file.
        data: Its content.
        fits: Raises MediaError if a picture does not fit in memory.
        least: (width, height) that is needed; a large picture may be returned smaller than it is,
            but not smaller than this. None: full size.

    Raises:
        MediaError: It cannot be decoded.
    """
    kind, job = kind_of(data), Job(path, data, fits, least)
    if kind in ("tiff", "heif"):
        return _tiff(job) if kind == "tiff" else _heif(job)
    if kind in _FFMPEG_FIRST:
        return _by_ffmpeg(job, kind)
    try:
        decoded = decode_by_pillow(job)
    except UndecodableError as error:
        if kind not in still_ffmpeg.DEMUXERS:
            raise MediaError(f"{escape_text(path)}: {error}") from None
        try:
            return _by_ffmpeg(job, kind)
        except MediaError:
            raise MediaError(f"{escape_text(path)}: {error}") from None
    if kind == "avif":
        return _deeper_avif(job, decoded)
    if kind == "j2k" and decoded.values.dtype == np.uint8 and _j2k_bits(data) > 8:
        return _deeper(decoded, lambda: _by_ffmpeg(job, kind))
    return decoded


def _j2k_bits(data: bytes) -> int:
    """Return the bits of the first channel of a JPEG 2000, from the header of its code stream."""
    at = data.find(b"\xff\x4f\xff\x51")
    return (data[at + 42] & 0x7F) + 1 if 0 <= at < len(data) - 42 else 8


def _deeper(decoded: Decoded, read: Callable[[], Decoded], most: float = 1.0) -> Decoded:
    """Return a picture that Pillow read in 8 bits at its full depth, if both readers agree."""
    try:
        deep = read()
    except MediaError:
        return decoded
    shallow = turn_upright(decoded.values, decoded.orientation)
    if deep.values.dtype != np.uint16 or not show_same_picture(deep.values, shallow, most):
        return decoded
    alpha = None if decoded.alpha is None else turn_upright(decoded.alpha, decoded.orientation)
    return replace(
        decoded,
        values=deep.values,
        alpha=alpha,
        space=decoded.space if decoded.space != ColorSpace() else deep.space,
        orientation=1,
    )


def _deeper_avif(job: Job, decoded: Decoded) -> Decoded:
    """Return an AVIF with its colours' description, and its bits if they are more than 8."""
    picture = heif.main_picture(job.data)
    if picture is None:
        return decoded
    if picture.cicp is not None and picture.profile is None:
        decoded = replace(decoded, space=ColorSpace(cicp=picture.cicp))
    if picture.bits == 8 or picture.profile is not None:
        return decoded
    return _deeper(decoded, lambda: _png_picture(job, "heif", picture), most=3.0)


def _heif(job: Job) -> Decoded:
    """Decode a file's main picture, according to its own metadata. Raises MediaError."""
    picture = heif.main_picture(job.data)
    if picture is None:
        raise MediaError(f"{escape_text(job.path)}: not an image that can be read")
    decoded = _png_picture(job, "heif", picture)
    space = decoded.space
    if picture.profile is not None:
        space = ColorSpace(profile=picture.profile)
    elif picture.cicp is not None and picture.cicp.transfer != UNSPECIFIED:
        space = ColorSpace(cicp=picture.cicp)
    exif = None if picture.exif is None else read_exif(picture.exif)
    alpha = None
    if picture.alpha is not None:
        coded = still_ffmpeg.png_of(
            job.path, "heif", picture, most_pixels=job.most_pixels, alpha=True
        )
        alpha = _alpha_of(coded, decoded.values.shape[:2])
    return replace(decoded, space=space, exif=exif, alpha=alpha)


def _alpha_of(coded: bytes, shape: tuple[int, ...]) -> NDArray[Any] | None:
    with pillow(), silent_stderr():
        values = decode_by_opencv(coded)
    if values is None:
        return None
    values = values if values.ndim == 2 else values[..., 0]
    if values.shape != shape:
        values = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(values)


def _png_picture(job: Job, kind: str, picture: MainPicture | None) -> Decoded:
    """Decode a picture via a PNG from ffmpeg, whose gamma is not the file's own."""
    smaller, size = None, None if picture is None else picture.size
    if picture is not None and size is not None:
        # Decoded as YUV or deep RGB, then as the PNG that is read here.
        seen = size[::-1] if picture.turned else size
        factor = job.check(seen, 12)
        smaller = divide_size(size, factor) if factor > 1 else None
    coded = still_ffmpeg.png_of(
        job.path, kind, picture, most_pixels=job.most_pixels, smaller=smaller
    )
    if picture is not None:
        # ffmpeg does not report the colours of tiles, so they are taken from the file itself.
        coded = png.without_colors(coded)
    try:
        decoded = decode_whole(replace(job, data=coded), coded)
    except UndecodableError as error:
        raise MediaError(f"{escape_text(job.path)}: {error}") from None
    space = replace(decoded.space, gamma=None)
    whole = decoded.size
    if picture is not None and size is not None:
        whole = size[::-1] if picture.turned else size
    return replace(decoded, space=space, size=whole, orientation=1)


def _by_ffmpeg(job: Job, kind: str) -> Decoded:
    """Decode with ffmpeg. Raises MediaError."""
    if kind not in _LIGHT:
        decoded = _png_picture(job, kind, None)
        if kind == "jxl":
            blocks = (content for name, content in heif.boxes(job.data) if name == b"Exif")
            block = next(blocks, None)
            found = None if block is None else heif.exif_of(block)
            decoded = replace(decoded, exif=None if found is None else read_exif(found))
        return decoded
    values = still_ffmpeg.values_of(job.path, kind, most_pixels=job.most_pixels)
    size = (values.shape[1], values.shape[0])
    factor = job.check(size, 0)
    values, alpha = split_alpha(values)
    values, alpha = downscale(values, alpha, factor)
    # Of these only EXR has alpha, and its colours are premultiplied by it.
    return Decoded(values=values, size=size, alpha=alpha, premultiplied=alpha is not None)


def _tiff(job: Job) -> Decoded:
    """Decode a TIFF. Raises MediaError."""
    layout = tiff.layout_of(job.data)
    if layout is not None and layout.is_raw:
        raise MediaError(
            f"{escape_text(job.path)}: is a camera's raw file; develop it into a TIFF or JPEG first"
        )
    if layout is not None and layout.is_deep:
        deep = _deep_tiff(job, layout)
        if deep is not None:
            return deep
    try:
        return decode_by_pillow(job)
    except UndecodableError as error:
        try:
            return _by_ffmpeg(job, "tiff")
        except MediaError:
            raise MediaError(f"{escape_text(job.path)}: {error}") from None


def _deep_tiff(job: Job, layout: tiff.Layout) -> Decoded | None:
    """Decode a TIFF of more than 8 bits; None if Pillow sees a different picture.

    Pillow must then decode it.
    """
    turned = layout.orientation >= 5
    size = layout.size[::-1] if turned else layout.size
    factor = job.check(size, layout.channels * layout.bits // 8 * 2)
    try:
        values = tiff.deep_values(job.path, job.data, layout, job.most_pixels)
    except MediaError:
        return None
    color, alpha = split_alpha(values)
    if not layout.has_alpha:
        alpha = None
    exif = read_exif(job.data)
    orientation = layout.orientation if 1 <= layout.orientation <= 8 else 1
    decoded = Decoded(
        values=color,
        size=size,
        alpha=alpha,
        premultiplied=layout.premultiplied and alpha is not None,
        space=ColorSpace(profile=layout.profile),
        exif=exif,
        orientation=orientation,
    )
    # Check the result against Pillow, except for 16-bit planes and grey, which it gets wrong.
    if layout.kind == "unsigned" and not layout.planar and layout.photometric == _RGB:
        try:
            judge = decode_whole(job, job.data).values
        except UndecodableError:
            judge = None
        seen = turn_upright(color, orientation)
        straight = not decoded.premultiplied and layout.profile is None and factor == 1
        if judge is not None and straight and not show_same_picture(seen, judge):
            return None
    decoded.values, decoded.alpha = downscale(color, alpha, factor)
    return decoded
