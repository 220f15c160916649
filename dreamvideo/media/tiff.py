"""Read TIFF files of more than 8 bits or of floats, which Pillow cannot represent."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, TiffImagePlugin

from dreamvideo.errors import MediaError
from dreamvideo.media import still_ffmpeg
from dreamvideo.media.opencv import decode_by_opencv
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pillow import pillow, silent_stderr

_BIG = 43
_REDUCED = 254
_SUB_DIRECTORIES, _TILE_WIDTH, _SAMPLE_FORMAT, _EXTRA = 330, 322, 339, 338
_DNG_VERSION, _PROFILE = 50706, 34675
_SIGNED, _FLOAT = 2, 3
_ASSOCIATED, _UNASSOCIATED = 1, 2
_GREY_OR_RGB = (0, 1, 2)
_SENSOR = 32803


@dataclass(frozen=True)
class Layout:
    """How a TIFF's first picture is stored.

    Attributes:
        size: (width, height) as stored.
        bits: Bits per sample.
        kind: Kind of samples: unsigned, signed or float.
        channels: Samples per pixel.
        photometric: Photometric interpretation.
        planar: Whether channels are stored separately.
        tiled: Whether it is stored in tiles.
        premultiplied: Whether colours are multiplied by alpha.
        has_alpha: Whether it has alpha.
        orientation: EXIF orientation.
        is_raw: Whether it is a camera's raw file, of which only small previews could be shown.
        profile: ICC profile.
    """

    size: tuple[int, int]
    bits: int
    kind: str
    channels: int
    photometric: int
    planar: bool
    tiled: bool
    premultiplied: bool
    has_alpha: bool
    orientation: int
    is_raw: bool
    profile: bytes | None = None

    @property
    def is_deep(self) -> bool:
        """Whether Pillow would lose some of it, or cannot read it at all."""
        more = self.bits > 8 or self.kind == "float"
        return more and self.photometric in _GREY_OR_RGB


def is_tiff(data: bytes) -> bool:
    """Return whether the first bytes are a TIFF's."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def layout_of(data: bytes) -> Layout | None:
    """Return how the first picture is stored; None if that cannot be read."""
    try:
        with pillow():
            file = io.BytesIO(data)
            header = file.read(16 if _BIG in data[2:4] else 8)
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            return _layout(data, tags)
    except Exception:  # Pillow's parsers raise anything on damaged directories
        return None


def _layout(data: bytes, tags: TiffImagePlugin.ImageFileDirectory_v2) -> Layout:
    base = ExifTags.Base
    channels = int(tags.get(base.SamplesPerPixel, 1))
    forms = _numbers(tags.get(_SAMPLE_FORMAT, 1))
    extra = _numbers(tags.get(_EXTRA, ()))
    photometric = int(tags.get(base.PhotometricInterpretation, 1))
    colors = 3 if photometric == 2 else 1
    alpha = extra[0] if extra and channels > colors else 0
    previews = bool(int(tags.get(_REDUCED, 0)) & 1) and _SUB_DIRECTORIES in tags
    return Layout(
        size=(int(tags[base.ImageWidth]), int(tags[base.ImageLength])),
        bits=max(_numbers(tags.get(base.BitsPerSample, 1))),
        kind={_SIGNED: "signed", _FLOAT: "float"}.get(forms[0], "unsigned"),
        channels=channels,
        photometric=photometric,
        planar=int(tags.get(base.PlanarConfiguration, 1)) == 2 and channels > 1,
        tiled=_TILE_WIDTH in tags,
        premultiplied=alpha == _ASSOCIATED,
        has_alpha=alpha in (_ASSOCIATED, _UNASSOCIATED),
        orientation=int(tags.get(base.Orientation, 1)),
        is_raw=previews or _DNG_VERSION in tags or photometric == _SENSOR or data[8:10] == b"CR",
        profile=bytes(tags[_PROFILE]) if _PROFILE in tags else None,
    )


def deep_values(path: Path, data: bytes, layout: Layout, most_pixels: int) -> NDArray[Any]:
    """Return the stored values, not rotated: H x W x channels, uint16 or float32.

    Integers have full range whatever their bits.

    Args:
        path: The file.
        data: Its content.
        layout: How it is stored.
        most_pixels: How many it may declare.

    Raises:
        MediaError: It is damaged or not supported.
    """
    by_ffmpeg = not layout.tiled and (layout.planar or layout.bits <= 16)
    if layout.kind == "float":
        by_ffmpeg = not layout.tiled and (layout.planar or layout.bits == 16)
    if by_ffmpeg:
        values = still_ffmpeg.values_of(path, "tiff", most_pixels=most_pixels)
        if layout.kind == "float" and values.dtype == np.uint16:
            # ffmpeg does not support half floats and returns their bits unchanged.
            values = values.view(np.float16).astype(np.float32)
        elif layout.kind == "signed":
            values = values.view(np.int16)
    else:
        # OpenCV reads tiles and wide samples, but may rotate pictures: give it an upright one.
        with pillow(), silent_stderr():
            read = decode_by_opencv(_upright_file(data))
        if read is None:
            raise MediaError(f"{escape_text(path)}: the image is damaged")
        values = read
    if values.ndim == 2:
        values = values[..., None]
    if values.shape[1::-1] != layout.size:
        raise MediaError(f"{escape_text(path)}: the image is damaged")
    values = _full_range(path, values, layout)
    return values[..., :1] if layout.channels == 1 else values


def _full_range(path: Path, values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    if values.dtype.kind == "f":
        return np.asarray(values, np.float32)
    if values.dtype == np.uint16:
        return values
    if values.dtype in (np.uint32, np.int32, np.int16):
        top = np.iinfo(values.dtype).max
        scaled = np.maximum(values, 0).astype(np.float64) * (65535 / top)
        return np.asarray(np.rint(scaled), np.uint16)
    words = f"{layout.kind} samples of {layout.bits} bits"
    raise MediaError(f"{escape_text(path)}: {words} are not supported; save it with 16 bits")


def _upright_file(data: bytes) -> bytes:
    """Return the file with its first picture's orientation declared as upright."""
    order = "<" if data[:2] == b"II" else ">"
    big = _BIG in data[2:4]
    changed = bytearray(data)
    with_count, entry, number = ("Q", 20, "Q") if big else ("H", 12, "I")
    try:
        at = struct.unpack_from(order + number, data, 8 if big else 4)[0]
        count = struct.unpack_from(order + with_count, data, at)[0]
        at += struct.calcsize(order + with_count)
        for place in range(at, min(at + count * entry, len(data) - entry), entry):
            if struct.unpack_from(order + "H", data, place)[0] == ExifTags.Base.Orientation:
                struct.pack_into(order + "H", changed, place + (12 if big else 8), 1)
    except struct.error:
        pass
    return bytes(changed)


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
