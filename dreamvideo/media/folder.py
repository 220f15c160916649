"""A film as numbered pictures in a folder: OUT/000001.png and so on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dreamvideo.cancel import check
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import picture_files
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.paths import (
    describe_os_error,
    escape_text,
    partial_path,
    replace_atomically,
    sync_files,
    sync_folder,
)
from dreamvideo.media.picture_files import load_resized
from dreamvideo.media.still_encode import encode_still
from dreamvideo.media.stills import flatten, load_deep, png_bytes, to_depth
from dreamvideo.media.stored import Kind, StoredFrame

# Bits a channel, the usual first.
FORMATS = {"png": (8, 16), "tiff": (8, 16), "jpg": (8,), "exr": (16,), "dpx": (10,)}
_ENDINGS = {
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".exr": "exr",
    ".dpx": "dpx",
}
_PATTERN = re.compile(r"%0?\d*d")
_OWN_FRAME = re.compile(r"\D*\d+\.(png|jpe?g|tiff?|exr|dpx)")
OPAQUE = {"jpg": "JPEG", "dpx": "DPX"}


def is_folder(output: Path) -> bool:
    """Return whether the name means numbered pictures.

    It has no extension, or is a pattern such as f/%04d.png.
    """
    return output.suffix == "" or _is_pattern(output)


def check_folder(output: Path, overwrite: bool) -> None:
    """Refuse a folder with anything but frames, or with frames that must stay.

    Raises UsageError.
    """
    folder = _folder(output)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{escape_text(folder)}: is a file, not a folder for frames")
    names = [entry.name for entry in folder.iterdir()]
    foreign = [name for name in names if not _OWN_FRAME.fullmatch(name)]
    if foreign:
        raise UsageError(
            f"{escape_text(folder)}: holds other files ({escape_text(Path(foreign[0]))}); choose "
            "a new folder"
        )
    if names and not overwrite:
        raise UsageError(f"{escape_text(folder)}: holds frames already; -y replaces them")


def place_of(output: Path) -> Path:
    """Return the file or folder that an output becomes, absolute: ``f`` for ``f/%04d.png``."""
    return (_folder(output) if is_folder(output) else output).absolute()


def choose_depth(output: Path, codec: str | None, asked: int | None) -> int:
    """Return the bits per channel of the pictures.

    Args:
        output: The folder or pattern.
        codec: The picture format; None: by the extension, else PNG.
        asked: What the user asks for; None: what is usual for the format.

    Raises:
        UsageError: The format is unknown.
    """
    return FORMATS[choose_format(output, codec)][0] if asked is None else asked


def check_format(
    output: Path, codec: str | None, depth: int | None, quality: int | None = None
) -> None:
    """Check that a picture format has what is requested of it.

    Args:
        output: The folder or pattern.
        codec: The picture format; None: by the extension, else PNG.
        depth: Bits per channel; None: the usual.
        quality: Of JPEG.

    Raises:
        UsageError: The format is unknown, or lacks that depth or a quality.
    """
    form, depth = choose_format(output, codec), choose_depth(output, codec, depth)
    if quality is not None and form != "jpg":
        kind = f"{form} pictures are lossless and" if form != "exr" else "exr pictures"
        raise UsageError(f"{escape_text(output)}: {kind} have no quality")
    if depth not in FORMATS[form]:
        have = " or ".join(map(str, FORMATS[form]))
        raise UsageError(f"{escape_text(output)}: {form} pictures have {have} bits, not {depth}")


def write_folder(
    frames: Sequence[StoredFrame],
    output: Path,
    kind: Kind,
    options: EncodeOptions,
    size: tuple[int, int],
) -> list[str]:
    """Write all frames, then move the folder to its name, replacing an earlier run's frames.

    PNG, TIFF and EXR keep alpha, JPEG and DPX are composited over one colour. EXR holds linear
    light.

    Args:
        frames: The stored frames.
        output: The folder or pattern.
        kind: What the stored frames are.
        options: The user's options.
        size: (width, height) to write.

    Returns:
        Notes for the user.

    Raises:
        MediaError: A frame cannot be read or written.
    """
    folder, form = _folder(output), choose_format(output, options.codec)
    depth = choose_depth(output, options.codec, options.depth)
    name = output.name if _is_pattern(output) else f"%06d.{form}"
    part = partial_path(folder)
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        if form in ("exr", "dpx"):
            picture_files.write_pictures(frames, part / name, form, kind, options, size)
        else:
            for number, frame in enumerate(frames, 1):
                check()
                with replace_atomically(part / (name % number), sync=False) as temporary:
                    if form == "png" and (depth, size) == (kind.depth, kind.size):
                        _copy(frame.path, temporary)
                    else:
                        _convert(frame.path, temporary, form, depth, options, size)
                if options.on_frame:
                    options.on_frame(number)
        sync_files(part.iterdir())
        _take_name(part, folder)
    except OSError as error:
        raise MediaError(
            f"{escape_text(output)}: cannot be written ({describe_os_error(error)})"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if not kind.alpha or form not in OPAQUE:
        return []
    return [f"transparency composited over one colour: {OPAQUE[form]} cannot store it"]


def _take_name(part: Path, folder: Path) -> None:
    """Rename ``part`` to ``folder``; an existing one is deleted only after that."""
    before = folder.with_name(f".{folder.name}.before")
    if folder.is_dir():
        shutil.rmtree(before, ignore_errors=True)
        folder.replace(before)
    try:
        part.replace(folder)
    except OSError:
        if before.is_dir():
            before.replace(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(before, ignore_errors=True)


def _copy(stored: Path, to: Path) -> None:
    """Write a stored frame compressed, as it is kept for good."""
    to.write_bytes(png_bytes(*load_deep(stored)))


def _convert(
    stored: Path, to: Path, form: str, depth: int, options: EncodeOptions, size: tuple[int, int]
) -> None:
    pixels, alpha = load_resized(stored, size)
    if form == "jpg":
        pixels, alpha = flatten(pixels, alpha, options.background), None
    if form == "tiff":
        deep = None if alpha is None else to_depth(alpha, depth)
        to.write_bytes(
            encode_still(to.with_suffix(".tif"), to_depth(pixels, depth), deep, tags={}, exif=None)
        )
        return
    layers = pixels[..., ::-1] if alpha is None else np.dstack([pixels[..., ::-1], alpha])
    flags = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 4],
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, 95 if options.quality is None else options.quality],
    }[form]
    done, data = cv2.imencode(f".{form}", np.ascontiguousarray(to_depth(layers, depth)), flags)
    if not done:
        raise MediaError(f"{escape_text(to)}: the frame does not encode as {form}")
    to.write_bytes(data.tobytes())


def _is_pattern(output: Path) -> bool:
    has_number = output.name.count("%") == 1 and _PATTERN.search(output.name) is not None
    return output.suffix.lower() in _ENDINGS and has_number


def _folder(output: Path) -> Path:
    return output.absolute().parent if _is_pattern(output) else output


def choose_format(output: Path, codec: str | None) -> str:
    """Return the format of the pictures. Raises UsageError."""
    by_name = _ENDINGS.get(output.suffix.lower())
    if output.suffix and (by_name is None or codec not in (None, by_name)):
        raise UsageError(
            f"{escape_text(output)}: numbered pictures are .png, .tif, .jpg, .exr or .dpx, "
            "and need no other codec"
        )
    form = by_name or codec or "png"
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"{escape_text(output)}: a folder holds {known}, not {form!r}")
    return form
