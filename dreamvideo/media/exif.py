"""EXIF metadata of a camera (date, camera, place), prepared for the picture's dream."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin

from dreamvideo.media.pillow import pillow

ORIENTATION = int(ExifTags.Base.Orientation)
DESCRIPTION = int(ExifTags.Base.ImageDescription)
HISTORY = int(ExifTags.Base.ImageHistory)
CAMERA, PLACE = int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo)
_COLOR_SPACE, _MAKER_NOTE = int(ExifTags.Base.ColorSpace), int(ExifTags.Base.MakerNote)
_INTEROP = int(ExifTags.IFD.Interop)
_SRGB = 1
# Characters that identify texts of the same program.
_ALIKE = 20
# In a TIFF the same directory describes the file's structure, which is not kept.
_KEPT = (
    *(DESCRIPTION, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software),
    *(ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.Copyright, HISTORY),
    *(ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit),
    *(ExifTags.Base.Rating, ExifTags.Base.RatingPercent),
    *(ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor),
    *(ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject),
)
# Size of the original picture, and offsets of further directories.
_DROPPED = (
    *(ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight, _INTEROP),
    *(ExifTags.Base.CompressedBitsPerPixel, ExifTags.Base.ComponentsConfiguration),
)


def read_exif(block: bytes) -> Image.Exif | None:
    """Parse a block of EXIF; None if it is damaged or empty."""
    found = Image.Exif()
    try:
        with pillow():
            found.load(block)
        return found if len(found) else None
    except Exception:  # Pillow's parsers raise anything on damaged blocks
        return None


def keep_exif(source: Image.Exif) -> Image.Exif | None:
    """Return the part of a picture's EXIF to keep for its dream: upright, sRGB, without sizes.

    The thumbnail is dropped too: it shows the original. None if nothing is left or it is damaged.
    """
    try:
        with pillow():
            return _keep_tags(source)
    except Exception:  # Pillow's parsers raise anything on damaged blocks
        return None


def _keep_tags(source: Image.Exif) -> Image.Exif | None:
    kept, filled = Image.Exif(), 0
    for tag in map(int, _KEPT):
        if tag in source:
            kept[tag] = source[tag]
    for directory in (CAMERA, PLACE):
        entries = dict(source.get_ifd(directory))
        for tag in map(int, _DROPPED):
            entries.pop(tag, None)
        if _COLOR_SPACE in entries:
            entries[_COLOR_SPACE] = _SRGB
        if entries:
            kept.get_ifd(directory).update(entries)
        filled += len(entries)
    if not len(kept) and not filled:
        return None
    kept[ORIENTATION] = 1
    return _serializable(kept)


def is_adobe_rgb(exif: Image.Exif) -> bool:
    """Return whether a camera declares Adobe RGB, in the way of DCF."""
    with suppress(Exception):
        camera = exif.get_ifd(CAMERA)
        uncalibrated = camera.get(_COLOR_SPACE) in (2, 0xFFFF)
        return uncalibrated and str(exif.get_ifd(_INTEROP).get(1, "")).strip("\0") == "R03"
    return False


def read_orientation(exif: Image.Exif) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is invalid."""
    with suppress(Exception):
        found = int(exif.get(ORIENTATION, 1))
        return found if 1 <= found <= 8 else 1
    return 1


def with_words(exif: Image.Exif | None, words: str) -> Image.Exif:
    """Return a copy with our text as its description, or as its history if it has a description.

    A text of an earlier dream, which starts alike, is replaced.
    """
    copy = Image.Exif() if exif is None else _copy(exif)
    own = str(copy.get(DESCRIPTION, "")).strip(" \0")
    copy[HISTORY if own and own[:_ALIKE] != words[:_ALIKE] else DESCRIPTION] = words
    return copy


def without_maker_note(exif: Image.Exif) -> Image.Exif:
    """Return a copy without the camera's private block, which may exceed what a JPEG can hold."""
    copy = _copy(exif)
    copy.get_ifd(CAMERA).pop(_MAKER_NOTE, None)
    return copy


def read_directory(exif: Image.Exif) -> dict[int, Any]:
    """Return all of it as TIFF tags, with nested directories as dictionaries."""
    entries: dict[int, Any] = {tag: exif[tag] for tag in exif if tag not in (CAMERA, PLACE)}
    for directory in (CAMERA, PLACE):
        held = dict(exif.get_ifd(directory))
        if held:
            entries[directory] = held
    return entries


def tiff_directory(entries: dict[int, Any], at: int) -> bytes:
    """Encode a TIFF directory of these tags, little-endian, for the offset ``at`` in a file."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in entries.items():
        directory[tag] = value
    return directory.tobytes(at)


def exif_bytes(exif: Image.Exif) -> bytes:
    """Encode the block for files other than JPEG: a TIFF structure without a heading."""
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _copy(exif: Image.Exif) -> Image.Exif:
    copy = Image.Exif()
    copy.load(exif.tobytes())
    return copy


def _serializable(exif: Image.Exif) -> Image.Exif:
    """Return it without what cannot be written again, such as maker notes of odd types."""
    for drops in (False, True):
        if drops:
            exif.get_ifd(CAMERA).pop(_MAKER_NOTE, None)
        with suppress(Exception):
            # Directories are read on demand: find damaged ones now, not on writing.
            tried = _copy(exif)
            for directory in (CAMERA, PLACE):
                if directory in tried:
                    tried.get_ifd(directory)
            return _copy(exif)
    raise ValueError("the EXIF block cannot be written")
