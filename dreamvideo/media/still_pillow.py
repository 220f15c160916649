"""Decode an image file with Pillow, including more than 8 bits and damaged files."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dreamvideo.errors import MediaError
from dreamvideo.media import png
from dreamvideo.media.color_profile import ColorSpace, profile_to_srgb
from dreamvideo.media.exif import is_adobe_rgb, read_orientation
from dreamvideo.media.light import Chromaticities
from dreamvideo.media.opencv import decode_by_opencv
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pillow import load, opened, pillow, silent_stderr
from dreamvideo.media.still_file import (
    LARGE,
    Decoded,
    Job,
    Size,
    UndecodableError,
    divide_size,
    downscale,
    show_same_picture,
)

# Formats whose fourth channel is often only padding, all 0.
_FILLED_ALPHA = ("BMP", "DIB", "TGA", "ICO")
_MONOCHROME = ("L", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
# Progressive formats: any decoded part of them is a picture. Of others at least this share must be
# decoded.
_MADE_TO_LOAD = ("JPEG", "MPO", "GIF")
_LEAST_SHARE = 0.25
# Pixels per byte of a file that its compression cannot exceed: LZW's longest string in a code of 12
# bits; deflate's 1032 to 1 with 1 bit a pixel.
_DENSEST = {"GIF": 4096 * 8 // 12 + 1, "PNG": 1032 * 8}
_GAP = rb"\s+(?:#.*\n\s*)*"
_PPM = re.compile(rb"P6" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})\s")


def decode_by_pillow(job: Job) -> Decoded:
    """Decode a picture, if necessary without its damaged parts.

    Raises UndecodableError, MediaError.
    """
    try:
        return decode_whole(job, job.data)
    except UndecodableError:
        pass
    data = job.data
    if data.startswith(png.SIGNATURE):
        data = png.sound_chunks(data)
        try:
            decoded = decode_whole(job, data)
            decoded.notes.insert(0, f"{escape_text(job.path)}: a damaged block of text is left out")
            return decoded
        except UndecodableError:
            pass
    return _leniently(job, data)


def decode_whole(job: Job, data: bytes) -> Decoded:
    """Decode an intact picture. Raises UndecodableError, MediaError."""
    with pillow():
        image, factor = _open(job, data)
        try:
            load(image)
        except Exception:  # Pillow's decoders raise anything on damage
            raise UndecodableError("the image is damaged") from None
        return _take_values(data, image, factor)


def _leniently(job: Job, data: bytes) -> Decoded:
    """Decode what is left of a truncated picture, with a note of how much that is."""
    with pillow(lenient=True):
        image, factor = _open(job, data)
        try:
            load(image)
        except Exception:
            raise UndecodableError("the image is damaged") from None
        decoded = _take_values(data, image, factor)
    share = _share_decoded(decoded.values)
    if share < (0.001 if image.format in _MADE_TO_LOAD else _LEAST_SHARE):
        raise UndecodableError("the image is damaged")
    how_much = f"the first {share:.0%} of it" if share < 0.995 else "some of it may be wrong"
    decoded.notes.insert(
        0, f"{escape_text(job.path)} is damaged: dreamt as far as it can be decoded, {how_much}"
    )
    return decoded


def _share_decoded(values: NDArray[Any]) -> float:
    """Return the share of a picture above the rows at its end that have one single colour."""
    same = values == values[-1, -1]
    empty = same.reshape(len(values), -1).all(axis=1)[::-1]
    rows = len(empty) if empty.all() else int(np.argmin(empty))
    return 1 - rows / len(values)


def _open(job: Job, data: bytes) -> tuple[Image.Image, int]:
    """Open a picture that fits in memory once decoded; return it and its remaining reduction.

    Raises UndecodableError, MediaError.
    """
    try:
        image = opened(data)
        size = upright_size(image)
    except Exception:  # Pillow's parsers raise anything on damaged headers
        raise UndecodableError("not an image that can be read") from None
    _check_plausible(job, image, len(data))
    factor = job.reduction(size)
    if factor == 1 or image.format not in ("JPEG", "MPO"):
        return image, job.check(size, 8 if png.bits(data) == 16 else 4)
    drafted = 1 << min(3, factor.bit_length() - 1)
    image.draft(image.mode, divide_size(image.size, drafted))
    small = upright_size(image)
    factor = max(1, factor * small[0] // size[0])
    # A progressive file is held completely as coefficients, whatever size is decoded from it.
    held = 6 * size[0] * size[1] if "progressive" in image.info else 0
    job.fits(size, divide_size(small, factor), 4 * small[0] * small[1] + held)
    image.info["full_size"] = size
    return image, factor


def _check_plausible(job: Job, image: Image.Image, length: int) -> None:
    """Refuse a large picture that a file of this length cannot hold: its header is wrong.

    Pillow allocates what is declared before it decodes anything.
    """
    width, height = image.size
    densest = _DENSEST.get(image.format or "")
    if densest is not None and width * height > max(LARGE, densest * length):
        raise MediaError(
            f"{escape_text(job.path)}: declares {width} x {height} pixels, more than its {length} "
            "bytes can hold: damaged"
        )


def _take_values(data: bytes, image: Image.Image, factor: int) -> Decoded:
    """Return the values of a loaded picture, in sRGB if Pillow can apply its profile."""
    form, size = image.format, image.info.get("full_size") or upright_size(image)
    exif, notes = _exif_of(image)
    profile = image.info.get("icc_profile") or None
    if profile is None and "icc_profile" in image.info and image.format == "PNG":
        notes.append("its colour profile cannot be used: taken for sRGB")
    space = _space(data, image, exif)
    deep = _deep_values(data, image)
    if deep is not None:
        values, alpha = deep
        values, alpha = downscale(values, alpha, factor)
    else:
        color, clear = _separate_alpha(image)
        if factor > 1:
            color, clear = _reduce_images(color, clear, factor)
        alpha = None if clear is None else np.array(clear)
        if color.mode in ("L", "RGB", "CMYK", "LAB"):
            color, added = _in_srgb(color, profile)
            notes += added
            if profile is not None:
                space = ColorSpace()
        values = _values(color)
    if alpha is not None and form in _FILLED_ALPHA and not alpha.any():
        alpha = None
    turned = 1 if form == "TIFF" or exif is None else read_orientation(exif)
    return Decoded(
        values=values,
        size=size,
        alpha=alpha,
        space=space,
        exif=exif,
        orientation=turned,
        notes=notes,
    )


def upright_size(image: Image.Image) -> Size:
    """Return its size after rotation; for a TIFF Pillow already applies it."""
    width, height = image.size
    if image.format == "TIFF":
        return width, height
    try:
        turned = read_orientation(image.getexif()) >= 5
    except Exception:  # a damaged block must not make the picture fail
        turned = False
    return (height, width) if turned else (width, height)


def _exif_of(image: Image.Image) -> tuple[Image.Exif | None, list[str]]:
    """Return a picture's EXIF, and a note if it is damaged."""
    try:
        exif = image.getexif()
        # Directories are read on demand: read them now, so that damage shows here.
        for tag in exif:
            exif.get(tag)
    except Exception:  # Pillow's parsers raise anything on damaged blocks
        exif = None
    if exif is not None and len(exif):
        return exif, []
    return None, ["its EXIF block is damaged and left out"] if image.info.get("exif") else []


def _space(data: bytes, image: Image.Image, exif: Image.Exif | None) -> ColorSpace:
    """Return what a picture says about its colours."""
    info = image.info
    if image.format == "PNG":
        cicp = png.cicp_of(data)
        profile = info.get("icc_profile") or None
        if cicp is not None or profile is not None or "srgb" in info:
            return ColorSpace(cicp=cicp, profile=None if cicp else profile)
        primaries: Chromaticities | None = None
        if len(found := info.get("chromaticity", ())) == 8 and all(found):
            primaries = tuple(zip(found[::2], found[1::2], strict=True))
        gamma = info.get("gamma") or None
        return ColorSpace(gamma=gamma, primaries=primaries)
    if profile := info.get("icc_profile"):
        return ColorSpace(profile=profile)
    return ColorSpace(is_adobe=exif is not None and is_adobe_rgb(exif))


def _separate_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return a picture as grey, RGB, CMYK or LAB, and its alpha."""
    mode = image.mode
    if mode == "1":
        return image.convert("L"), None
    if mode in ("La", "LA"):
        grey, clear = image.convert("LA").split()
        return grey, clear
    if mode in ("PA", "RGBa", "RGBA") or (
        mode in ("P", "L", "RGB") and image.has_transparency_data
    ):
        whole = image.convert("RGBA")
        return whole.convert("RGB"), whole.getchannel("A")
    if mode in _MONOCHROME or mode in ("RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("RGB"), None


def _reduce_images(
    color: Image.Image, clear: Image.Image | None, factor: int
) -> tuple[Image.Image, Image.Image | None]:
    if color.mode not in ("L", "RGB", "CMYK"):
        return color, clear
    if clear is None:
        return color.reduce(factor), None
    color.putalpha(clear)
    small = color.reduce(factor)
    return small.convert("L" if small.mode == "LA" else "RGB"), small.getchannel("A")


def _in_srgb(color: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    """Convert an 8-bit picture to sRGB, or grey; return it and notes."""
    if profile is not None:
        converted, note = profile_to_srgb(color, profile)
        return converted, [note] if note else []
    if color.mode in ("L", "RGB"):
        return color, []
    if color.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return profile_to_srgb(color, ImageCms.ImageCmsProfile(lab).tobytes())[0], [
            "colours converted from Lab to sRGB"
        ]
    return color.convert("RGB"), ["colours converted from CMYK without a profile to sRGB"]


def _values(image: Image.Image) -> NDArray[Any]:
    """Return the values of a picture in grey or RGB: uint8, uint16, or float32 for light."""
    values = np.array(image)
    if image.mode == "F":
        return np.asarray(values, np.float32)
    if image.mode == "I":
        values = np.maximum(values, 0)
        if values.max(initial=0) > 0xFFFF:
            values >>= 15
        return np.asarray(values, np.uint16)
    return np.asarray(values, np.uint16 if image.mode.startswith("I;16") else np.uint8)


def _deep_values(
    data: bytes, image: Image.Image
) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
    """Return the 16 bits of a colour PNG or PPM, and alpha, which Pillow reads as 8; else None."""
    if image.format == "PPM":
        deep = _deep_ppm(data)
        return (
            None if deep is None or not show_same_picture(deep, np.array(image)) else (deep, None)
        )
    if image.format != "PNG" or png.bits(data) != 16:
        return None
    with silent_stderr():
        values = decode_by_opencv(data)
    if values is None:
        return None
    alpha = None
    if values.ndim == 3 and values.shape[2] == 4:
        values, alpha = values[..., :3], values[..., 3]
    key = image.info.get("transparency")
    if alpha is None and isinstance(key, int | tuple):
        matches = values == np.asarray(key)
        hidden = matches.all(axis=2) if values.ndim == 3 else matches
        alpha = np.where(hidden, 0, 65535).astype(np.uint16)
    shallow = np.array(image.convert("RGB")) if not image.mode.startswith("I") else None
    if shallow is not None and not show_same_picture(values, shallow):
        return None
    return np.ascontiguousarray(values), alpha


def _deep_ppm(data: bytes) -> NDArray[np.uint16] | None:
    """Decode a binary PPM of more than 8 bits per channel; None for others."""
    match = _PPM.match(data)
    if match is None or (top := int(match[3])) < 256:
        return None
    width, height = int(match[1]), int(match[2])
    if len(data) - match.end() < width * height * 6:
        return None
    values = np.frombuffer(data, ">u2", width * height * 3, match.end()).reshape(height, width, 3)
    full = np.minimum(values, top).astype(np.float32) * np.float32(65535 / top)
    return np.asarray(np.rint(full), np.uint16)
