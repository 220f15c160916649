"""An image file -> what is in it: values at their own depth, alpha, colour space, EXIF, damage."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dreamvideo.errors import MediaError
from dreamvideo.media import heif, png, still_ffmpeg, tiff
from dreamvideo.media.color_profile import ColorSpace, profile_to_srgb
from dreamvideo.media.exif import is_adobe_rgb, orientation_of, read_exif
from dreamvideo.media.heif import UNSPECIFIED, MainPicture
from dreamvideo.media.light import Chromaticities
from dreamvideo.media.paths import shown
from dreamvideo.media.pillow import opened, pillow

Size = tuple[int, int]
Fits = Callable[[Size, Size, int], None]
# Above this many pixels a picture is reduced while it is decoded, where it is asked for smaller.
LARGE = 2**24
# As decoded, as floats in [-1, 1], and once more on the way from one to the other.
BYTES_A_PIXEL = 30
# Formats whose fourth channel is often only filling: all of it 0 then.
_FILLED_ALPHA = ("BMP", "DIB", "TGA", "ICO")
_MONOCHROME = ("L", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
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
# What Pillow reads in part or not at all; of the others ffmpeg is asked only where Pillow fails.
_FFMPEG_FIRST = ("heif", "jxl", "exr", "hdr", "pfm", "phm", "pam", "dpx", "jpegls")
_PPM = re.compile(
    rb"P6\s+(?:#.*\n\s*)*(\d{1,9})\s+(?:#.*\n\s*)*(\d{1,9})\s+(?:#.*\n\s*)*(\d{1,5})\s"
)
_RGB = 2
_LIGHT = ("exr", "hdr", "pfm", "phm")


class UndecodableError(Exception):
    """Pillow does not know this file, or knows it and cannot decode it."""


@dataclass
class Decoded:
    """A picture as its file holds it.

    ``values`` are H x W x 3 (or H x W, grey): uint8 or uint16 in ``space``, or float32: light.
    ``alpha`` is H x W of the same type, straight unless ``premultiplied``. ``size`` is the file's
    own (width, height), upright; ``orientation`` is still to be undone.
    """

    values: NDArray[Any]
    size: Size
    alpha: NDArray[Any] | None = None
    premultiplied: bool = False
    space: ColorSpace = field(default_factory=ColorSpace)
    exif: Image.Exif | None = None
    orientation: int = 1
    notes: list[str] = field(default_factory=list)


def kind_of(data: bytes) -> str:
    """What a file is by its first bytes: one of ffmpeg's kinds, else ``pillow``."""
    if tiff.is_tiff(data):
        return "tiff"
    if heif.is_heif(data):
        return "heif"
    if heif.is_avif(data):
        return "avif"
    return next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), "pillow")


def header_size(path: Path, head: bytes) -> Size:
    """(width, height) of an image file, upright, from its header. Raises MediaError.

    Args:
        path: The file.
        head: Its first bytes, or all of it.
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
            return _upright_size(image)
    except Exception:  # Pillow's parsers raise anything on damaged headers
        layout = tiff.layout_of(path.read_bytes()) if kind == "tiff" else None
        if layout is not None:
            return layout.size[::-1] if layout.orientation >= 5 else layout.size
    raise MediaError(f"{shown(path)}: not an image that can be read")


def decode(path: Path, data: bytes, fits: Fits, least: Size | None) -> Decoded:
    """Decode a picture.

    Args:
        path: The file.
        data: Its content.
        fits: Called with (the size decoded, the size kept, bytes a pixel while decoding); raises
            MediaError where memory does not hold that.
        least: (width, height) that is asked for; a large picture may come smaller than it is, but
            no smaller than this. None: all of it.

    Returns:
        What is in it. Raises MediaError.
    """
    kind, job = kind_of(data), _Job(path, data, fits, least)
    if kind in ("tiff", "heif"):
        return _tiff(job) if kind == "tiff" else _heif(job)
    if kind in _FFMPEG_FIRST:
        return _by_ffmpeg(job, kind)
    try:
        decoded = _by_pillow(job)
    except UndecodableError as error:
        if kind not in still_ffmpeg.DEMUXERS:
            raise MediaError(f"{shown(path)}: {error}") from None
        try:
            return _by_ffmpeg(job, kind)
        except MediaError:
            raise MediaError(f"{shown(path)}: {error}") from None
    if kind == "avif":
        return _deeper_avif(job, decoded)
    if kind == "j2k" and decoded.values.dtype == np.uint8 and _j2k_bits(data) > 8:
        return _deeper(decoded, lambda: _by_ffmpeg(job, kind))
    return decoded


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation: 5 to 8 are transposed, the others only mirrored."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


@dataclass(frozen=True)
class _Job:
    path: Path
    data: bytes
    fits: Fits
    least: Size | None

    def reduction(self, size: Size) -> int:
        """By which factor a picture of this size, upright, may be reduced; 1: not at all."""
        if self.least is None or size[0] * size[1] <= LARGE:
            return 1
        return max(1, min(size[0] // max(1, self.least[0]), size[1] // max(1, self.least[1])))

    def check(self, size: Size, bytes_a_pixel: int) -> int:
        """The reduction of a picture of this size, if memory holds it; MediaError if not."""
        factor = self.reduction(size)
        self.fits(size, _divided(size, factor), bytes_a_pixel)
        return factor

    @property
    def most_pixels(self) -> int:
        """How many pixels ffmpeg may decode: a header may declare anything."""
        lowest, highest = 1, 2**31 - 1
        while lowest < highest:
            tried = (lowest + highest + 1) // 2
            try:
                self.fits((tried, 1), (1 if self.least else tried, 1), 16)
                lowest = tried
            except MediaError:
                highest = tried - 1
        return lowest


def _divided(size: Size, factor: int) -> Size:
    return ceil(size[0] / factor), ceil(size[1] / factor)


def _by_pillow(job: _Job) -> Decoded:
    """Raises UndecodableError, MediaError."""
    try:
        return _strictly(job, job.data)
    except UndecodableError:
        pass
    data = job.data
    if data.startswith(png.SIGNATURE):
        data = png.sound_chunks(data)
        try:
            decoded = _strictly(job, data)
            decoded.notes.insert(0, f"{shown(job.path)}: a damaged block of text is left out")
            return decoded
        except UndecodableError:
            pass
    return _leniently(job, data)


def _strictly(job: _Job, data: bytes) -> Decoded:
    """A picture that is whole. Raises UndecodableError, MediaError."""
    with pillow():
        image, factor = _open(job, data)
        try:
            image.load()
        except Exception:  # Pillow's decoders raise anything on damage
            raise UndecodableError("the image is damaged") from None
        return _taken(data, image, factor)


def _leniently(job: _Job, data: bytes) -> Decoded:
    """What can be had of a picture that breaks off, with a note of how much that is."""
    with pillow(lenient=True):
        image, factor = _open(job, data)
        try:
            image.load()
        except Exception:
            raise UndecodableError("the image is damaged") from None
        decoded = _taken(data, image, factor)
    share = _share_decoded(upright(decoded.values, 1))
    if share == 0:
        raise UndecodableError("the image is damaged")
    how_much = f"the first {share:.0%} of it" if share < 1 else "some of it may be wrong"
    decoded.notes.insert(
        0, f"{shown(job.path)} is damaged: dreamt as far as it can be decoded, {how_much}"
    )
    return decoded


def _share_decoded(values: NDArray[Any]) -> float:
    """How much of a picture there is above the rows at its end that are all of one colour."""
    same = values == values[-1, -1]
    empty = same.reshape(len(values), -1).all(axis=1)[::-1]
    rows = len(empty) if empty.all() else int(np.argmin(empty))
    return 1 - rows / len(values)


def _open(job: _Job, data: bytes) -> tuple[Image.Image, int]:
    """A picture that memory holds once it is decoded, and by how much to reduce it then.

    Raises UndecodableError, MediaError.
    """
    try:
        image = opened(data)
        size = _upright_size(image)
    except Exception:  # Pillow's parsers raise anything on damaged headers
        raise UndecodableError("not an image that can be read") from None
    factor = job.reduction(size)
    if factor == 1 or image.format not in ("JPEG", "MPO"):
        return image, job.check(size, 8 if png.bits(data) == 16 else 4)
    drafted = 1 << min(3, factor.bit_length() - 1)
    image.draft(image.mode, _divided(image.size, drafted))
    small = _upright_size(image)
    factor = max(1, factor * small[0] // size[0])
    # A progressive file is held as coefficients, whole, whatever comes out of it.
    held = 6 * size[0] * size[1] if "progressive" in image.info else 0
    job.fits(small, _divided(small, factor), 4 + held // (small[0] * small[1]))
    image.info["full_size"] = size
    return image, factor


def _taken(data: bytes, image: Image.Image, factor: int) -> Decoded:
    """The values of a loaded picture, in sRGB where its profile is Pillow's to apply."""
    form, size = image.format, image.info.get("full_size") or _upright_size(image)
    exif, notes = _exif_of(image)
    profile = image.info.get("icc_profile") or None
    space = _space(data, image, exif)
    deep = _deep_values(data, image)
    if deep is not None:
        values, alpha = deep
        values, alpha = _reduced(values, alpha, factor)
    else:
        color, clear = _separated(image)
        if factor > 1:
            color, clear = _reduced_images(color, clear, factor)
        alpha = None if clear is None else np.array(clear)
        if color.mode in ("L", "RGB", "CMYK", "LAB"):
            color, said = _in_srgb(color, profile)
            notes += said
            if profile is not None:
                space = ColorSpace()
        values = _values(color)
    if alpha is not None and form in _FILLED_ALPHA and not alpha.any():
        alpha = None
    turned = 1 if form == "TIFF" or exif is None else orientation_of(exif)
    return Decoded(
        values=values,
        size=size,
        alpha=alpha,
        space=space,
        exif=exif,
        orientation=turned,
        notes=notes,
    )


def _upright_size(image: Image.Image) -> Size:
    """Its size once it is turned; of a TIFF Pillow gives that itself."""
    width, height = image.size
    if image.format == "TIFF":
        return width, height
    try:
        turned = orientation_of(image.getexif()) >= 5
    except Exception:  # a damaged block is no reason to refuse the picture
        turned = False
    return (height, width) if turned else (width, height)


def _exif_of(image: Image.Image) -> tuple[Image.Exif | None, list[str]]:
    """A picture's EXIF, and a note where it is damaged."""
    try:
        exif = image.getexif()
        # Directories are read when asked for: now, so that damage shows here.
        for tag in exif:
            exif.get(tag)
        return (exif if len(exif) else None), []
    except Exception:
        return None, ["its EXIF block is damaged and left out"]


def _space(data: bytes, image: Image.Image, exif: Image.Exif | None) -> ColorSpace:
    """What a picture says about its colours."""
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


def _separated(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A picture as one of grey, RGB, CMYK or LAB, and its transparency."""
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


def _reduced_images(
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
    """A picture of 8 bits in sRGB, or as grey, and what was done to it."""
    if profile is not None:
        converted, said = profile_to_srgb(color, profile)
        return converted, [said] if said else []
    if color.mode in ("L", "RGB"):
        return color, []
    if color.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return profile_to_srgb(color, ImageCms.ImageCmsProfile(lab).tobytes())[0], [
            "colours converted from Lab to sRGB"
        ]
    return color.convert("RGB"), ["colours converted from CMYK without a profile to sRGB"]


def _values(image: Image.Image) -> NDArray[Any]:
    """Of a picture in grey or RGB: uint8, uint16, or float32 for light."""
    values = np.array(image)
    if image.mode == "F":
        return np.asarray(values, np.float32)
    if image.mode == "I":
        values = np.maximum(values, 0)
        if values.max(initial=0) > 0xFFFF:
            values >>= 15
        return np.asarray(values, np.uint16)
    return np.asarray(values, np.uint16 if image.mode.startswith("I;16") else np.uint8)


def _reduced(
    values: NDArray[Any], alpha: NDArray[Any] | None, factor: int
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Values and alpha averaged over squares of ``factor`` pixels."""
    if factor == 1:
        return values, alpha
    size = _divided((values.shape[1], values.shape[0]), factor)
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    clear = None if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    return small, clear


def _deep_values(
    data: bytes, image: Image.Image
) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
    """The 16 bits of a PNG or PPM in colour, and its alpha, which Pillow gives as 8; else None."""
    if image.format == "PPM":
        deep = _deep_ppm(data)
        return None if deep is None or not _agree(deep, np.array(image)) else (deep, None)
    if image.format != "PNG" or png.bits(data) != 16:
        return None
    values = _by_opencv(data)
    if values is None:
        return None
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    alpha = None
    if values.ndim == 3 and values.shape[2] == 4:
        values, alpha = values[..., :3], values[..., 3]
    key = image.info.get("transparency")
    if alpha is None and isinstance(key, int | tuple):
        matches = values == np.asarray(key)
        hidden = matches.all(axis=2) if values.ndim == 3 else matches
        alpha = np.where(hidden, 0, 65535).astype(np.uint16)
    shallow = np.array(image.convert("RGB")) if not image.mode.startswith("I") else None
    if shallow is not None and not _agree(values, shallow):
        return None
    return np.ascontiguousarray(values), alpha


def _agree(deep: NDArray[Any], shallow: NDArray[Any], most: float = 1.0) -> bool:
    """Whether two readers saw the same picture, one in 16 bits and one in 8."""
    if deep.ndim == 2:
        deep = deep[..., None]
    if shallow.ndim == 2:
        shallow = shallow[..., None]
    if deep.shape[:2] != shallow.shape[:2]:
        return False
    off = np.abs(deep[..., :3] / np.float32(257) - shallow[..., :3])
    return bool(off.mean() <= most)


def _by_opencv(data: bytes) -> NDArray[Any] | None:
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _deep_ppm(data: bytes) -> NDArray[np.uint16] | None:
    """A binary PPM of more than 8 bits a channel; None for others."""
    match = _PPM.match(data)
    if match is None or (top := int(match[3])) < 256:
        return None
    width, height = int(match[1]), int(match[2])
    if len(data) - match.end() < width * height * 6:
        return None
    values = np.frombuffer(data, ">u2", width * height * 3, match.end()).reshape(height, width, 3)
    full = np.minimum(values, top).astype(np.float32) * np.float32(65535 / top)
    return np.asarray(np.rint(full), np.uint16)


def _j2k_bits(data: bytes) -> int:
    """Bits of the first channel of a JPEG 2000, from the header of its code stream."""
    at = data.find(b"\xff\x4f\xff\x51")
    return (data[at + 42] & 0x7F) + 1 if 0 <= at < len(data) - 42 else 8


def _deeper(decoded: Decoded, read: Callable[[], Decoded], most: float = 1.0) -> Decoded:
    """A picture that Pillow gave in 8 bits with the bits that it has, if both readers agree."""
    try:
        deep = read()
    except MediaError:
        return decoded
    shallow = upright(decoded.values, decoded.orientation)
    if deep.values.dtype != np.uint16 or not _agree(deep.values, shallow, most):
        return decoded
    alpha = None if decoded.alpha is None else upright(decoded.alpha, decoded.orientation)
    return replace(
        decoded,
        values=deep.values,
        alpha=alpha,
        space=decoded.space if decoded.space != ColorSpace() else deep.space,
        orientation=1,
    )


def _deeper_avif(job: _Job, decoded: Decoded) -> Decoded:
    """An AVIF with its colours' description, and its bits where they are more than 8."""
    picture = heif.main_picture(job.data)
    if picture is None:
        return decoded
    if picture.cicp is not None and picture.profile is None:
        decoded = replace(decoded, space=ColorSpace(cicp=picture.cicp))
    if picture.bits == 8 or picture.profile is not None:
        return decoded
    return _deeper(decoded, lambda: _png_picture(job, "heif", picture), most=3.0)


def _heif(job: _Job) -> Decoded:
    """Its main picture, whole, by the file's own account. Raises MediaError."""
    picture = heif.main_picture(job.data)
    if picture is None:
        raise MediaError(f"{shown(job.path)}: not an image that can be read")
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
    values = _by_opencv(coded)
    if values is None:
        return None
    values = values if values.ndim == 2 else values[..., 0]
    if values.shape != shape:
        values = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(values)


def _png_picture(job: _Job, kind: str, picture: MainPicture | None) -> Decoded:
    """A picture by way of a PNG from ffmpeg; its gamma is none of the file's own."""
    smaller, size = None, None if picture is None else picture.size
    if picture is not None and size is not None:
        # Decoded as YUV or deep RGB, then as the PNG that is read here.
        seen = size[::-1] if picture.turned else size
        factor = job.check(seen, 12)
        smaller = _divided(size, factor) if factor > 1 else None
    coded = still_ffmpeg.png_of(
        job.path, kind, picture, most_pixels=job.most_pixels, smaller=smaller
    )
    if picture is not None:
        # Of tiles it tells nothing: the file itself is asked.
        coded = png.without_colors(coded)
    try:
        decoded = _strictly(replace(job, data=coded), coded)
    except UndecodableError as error:
        raise MediaError(f"{shown(job.path)}: {error}") from None
    space = replace(decoded.space, gamma=None)
    whole = decoded.size
    if picture is not None and size is not None:
        whole = size[::-1] if picture.turned else size
    return replace(decoded, space=space, size=whole, orientation=1)


def _by_ffmpeg(job: _Job, kind: str) -> Decoded:
    """Raises MediaError."""
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
    values, alpha = _split(values)
    values, alpha = _reduced(values, alpha, factor)
    # Of these only EXR has transparency, and its colours are multiplied by it.
    return Decoded(values=values, size=size, alpha=alpha, premultiplied=alpha is not None)


def _split(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """H x W x 1 to 4 as grey (H x W) or RGB, and alpha if there is one."""
    channels = values.shape[2]
    alpha = values[..., -1] if channels in (2, 4) else None
    color = values[..., 0] if channels < 3 else values[..., :3]
    return np.ascontiguousarray(color), None if alpha is None else np.ascontiguousarray(alpha)


def _tiff(job: _Job) -> Decoded:
    """Raises MediaError."""
    layout = tiff.layout_of(job.data)
    if layout is not None and layout.is_raw:
        raise MediaError(
            f"{shown(job.path)}: is a camera's raw file; develop it into a TIFF or JPEG first"
        )
    if layout is not None and layout.is_deep:
        deep = _deep_tiff(job, layout)
        if deep is not None:
            return deep
    try:
        return _by_pillow(job)
    except UndecodableError as error:
        try:
            return _by_ffmpeg(job, "tiff")
        except MediaError:
            raise MediaError(f"{shown(job.path)}: {error}") from None


def _deep_tiff(job: _Job, layout: tiff.Layout) -> Decoded | None:
    """A TIFF of more than 8 bits; None where Pillow sees another picture, and is to be asked."""
    turned = layout.orientation >= 5
    size = layout.size[::-1] if turned else layout.size
    factor = job.check(size, layout.channels * layout.bits // 8 * 2)
    try:
        values = tiff.deep_values(job.path, job.data, layout, job.most_pixels)
    except MediaError:
        return None
    color, alpha = _split(values)
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
    # Pillow has its own trouble with planes of 16 bits and with grey; else it is the judge.
    if layout.kind == "unsigned" and not layout.planar and layout.photometric == _RGB:
        try:
            judge = _strictly(job, job.data).values
        except UndecodableError:
            judge = None
        seen = upright(color, orientation)
        straight = not decoded.premultiplied and layout.profile is None and factor == 1
        if judge is not None and straight and not _agree(seen, judge):
            return None
    decoded.values, decoded.alpha = _reduced(color, alpha, factor)
    return decoded
