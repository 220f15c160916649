"""Read pictures that Pillow cannot, with ffmpeg: HEIC, JPEG XL, EXR, HDR, float TIFF, PSD."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.heif import MainPicture
from dreamvideo.media.paths import escape_text

# Demuxer by kind of file; the kind is known from its first bytes.
DEMUXERS = {
    "heif": "mov",
    "jxl": "jpegxl_pipe",
    "exr": "exr_pipe",
    "hdr": "hdr_pipe",
    "pfm": "pfm_pipe",
    "phm": "phm_pipe",
    "pam": "pam_pipe",
    "dpx": "dpx_pipe",
    "psd": "psd_pipe",
    "tiff": "tiff_pipe",
    "jpeg": "jpeg_pipe",
    "jpegls": "jpegls_pipe",
    "j2k": "j2k_pipe",
    "qoi": "qoi_pipe",
}
_CHANNELS = {"gray": 1, "ya": 2, "rgb": 3, "rgba": 4, "gbrp": 3, "gbrap": 4}
_RAW = re.compile(r"^(gray|ya|rgba|rgb|gbrap|gbrp)(f)?(\d*)(le|be)?$")
_WHOLE_PIXEL = {"rgb24": 8, "rgb48": 16, "rgba64": 16, "rgb96": 32, "rgba128": 32}
_OUTPUT = re.compile(r"Stream #0:0.*: Video: rawvideo[^,]*, (\w+)(?:\([^)]*\))?, (\d+)x(\d+)")
_INPUT = re.compile(r"Stream #0:0.*: Video: [^,]+(?:\([^)]*\))?, .*?\b(\d+)x(\d+)\b")
_GROUP = re.compile(r"Stream group #0:(\d+)\[(0x[0-9a-f]+)\].*: Tile Grid")
_MOST_LINES = 1000
_SCALE = f"scale=flags=bicubic+{ffmpeg.ACCURATE}"


def png_of(
    path: Path,
    kind: str,
    picture: MainPicture | None = None,
    *,
    most_pixels: int,
    smaller: tuple[int, int] | None = None,
    alpha: bool = False,
) -> bytes:
    """Convert a picture to PNG with its colour description, upright if the format rotates it.

    Args:
        path: The file.
        kind: One of ``DEMUXERS``.
        picture: Which picture of a HEIF or AVIF file.
        most_pixels: How many it may declare.
        smaller: (width, height) before rotation to reduce it to; None: full size.
        alpha: Of a HEIF file, its alpha as grey instead of its colours.

    Returns:
        The PNG.

    Raises:
        MediaError: It cannot be decoded; the message is ffmpeg's reason.
    """
    scale = _SCALE.replace("=", f"={smaller[0]}:{smaller[1]}:", 1) if smaller else _SCALE
    if smaller:
        scale = scale.replace("bicubic", "area")
    if picture is None:
        chosen = ["-map", "0:v:0", "-vf", scale]
    else:
        number = picture.alpha if alpha else picture.item
        tiled = picture.alpha_tiled if alpha else picture.tiled
        group = _group_of(path, kind, number or 0, most_pixels) if tiled else 0
        place = f"0:g:{group}" if tiled else f"0:i:{number}"
        chosen = ["-filter_complex", f"[{place}]{scale}[still]", "-map", "[still]"]
    if alpha:
        chosen += ["-pix_fmt", "gray" if picture is None or picture.bits == 8 else "gray16be"]
    arguments = [*_input(path, kind, most_pixels), *chosen, "-frames:v", "1"]
    _, png = _run(path, [*arguments, "-c:v", "png", "-f", "image2pipe", "pipe:1"])
    if not png:
        raise MediaError(f"{escape_text(path)}: holds no picture that can be decoded")
    return png


def values_of(path: Path, kind: str, *, most_pixels: int) -> NDArray[Any]:
    """Return a picture's stored values, neither rotated nor clipped: H x W x 1 to 4.

    Integers of 8 or 16 bits, in full range; floats of 32 bits.

    Args:
        path: The file.
        kind: One of ``DEMUXERS``.
        most_pixels: How many it may declare.

    Raises:
        MediaError: It cannot be decoded.
    """
    lines, data = _run(
        path,
        [
            *("-noautorotate", *_input(path, kind, most_pixels)),
            *("-map", "0:v:0", "-frames:v", "1", "-f", "rawvideo", "pipe:1"),
        ],
    )
    found = [match for line in lines if (match := _OUTPUT.search(line))]
    if not found or not data:
        raise MediaError(f"{escape_text(path)}: holds no picture that can be decoded")
    form, width, height = found[-1][1], int(found[-1][2]), int(found[-1][3])
    return _array(path, data, form, (height, width))


def size_of(path: Path, kind: str) -> tuple[int, int]:
    """Return (width, height) of a picture whose header only ffmpeg can read. Raises MediaError."""
    lines, _ = _run(
        path,
        [*_input(path, kind, ffmpeg.MAX_PIXELS * 4), "-map", "0:v:0", "-t", "0", "-f", "null", "-"],
    )
    for line in lines:
        if match := _INPUT.search(line):
            return int(match[1]), int(match[2])
    raise MediaError(f"{escape_text(path)}: not an image that can be read")


def _group_of(path: Path, kind: str, item: int, most_pixels: int) -> int:
    """Return the index of ffmpeg's stream group for a picture of tiles.

    Only by that index is the picture mapped whole. Raises MediaError.
    """
    lines, _ = _run(
        path,
        [*_input(path, kind, most_pixels), "-map_chapters", "-1", "-f", "ffmetadata", "pipe:1"],
    )
    found = (match for line in lines if (match := _GROUP.search(line)))
    place = next((int(match[1]) for match in found if int(match[2], 16) == item), None)
    if place is None:
        raise MediaError(f"{escape_text(path)}: holds no picture that can be decoded")
    return place


def _run(path: Path, arguments: Sequence[str]) -> tuple[list[str], bytes]:
    """Run ffmpeg to its end; return its log lines and its standard output. Raises MediaError.

    Some damage makes it complain forever: it is killed when it has said more than for any picture.
    """
    lines: list[str] = []
    running: list[ffmpeg.Process] = []

    def listen(line: str) -> None:
        if len(lines) < _MOST_LINES:
            lines.append(line)
        elif running:
            running[0].kill()

    with ffmpeg.Process(arguments, on_line=listen, detail="info") as process:
        running.append(process)
        output = process.read_all()
        if process.wait() != 0:
            if len(lines) >= _MOST_LINES:
                raise MediaError(f"{escape_text(path)}: the image is damaged")
            raise MediaError(f"{escape_text(path)}: {process.reason()}")
    return lines, output


def _input(path: Path, kind: str, most_pixels: int) -> Sequence[str]:
    limits = ["-protocol_whitelist", ffmpeg.PROTOCOLS, "-max_pixels", str(most_pixels)]
    return [*limits, "-f", DEMUXERS[kind], "-i", ffmpeg.local_url(path)]


def _array(path: Path, data: bytes, form: str, shape: tuple[int, int]) -> NDArray[Any]:
    """Convert raw video of one frame to an array, by the name of its pixel format."""
    match = _RAW.match(form)
    if match is None:
        raise MediaError(f"{escape_text(path)}: pixels of {form} are not supported; save it as PNG")
    name, is_float, digits, order = match.groups()
    bits = _WHOLE_PIXEL.get(name + digits, int(digits or 8))
    letter = "f" if is_float else "u"
    stored = np.dtype(f"{'>' if order == 'be' else '<'}{letter}{(bits + 7) // 8}")
    channels = _CHANNELS[name]
    if len(data) != stored.itemsize * channels * shape[0] * shape[1]:
        raise MediaError(f"{escape_text(path)}: the image is damaged")
    values = np.frombuffer(data, stored)
    if name in ("gbrp", "gbrap"):
        planes = values.reshape(channels, *shape)
        values = np.stack([planes[n] for n in (2, 0, 1, 3)[:channels]], axis=-1)
    else:
        values = values.reshape(*shape, channels)
    if is_float:
        return np.asarray(values, np.float32)
    if bits in (8, 16):
        return np.asarray(values, np.uint8 if bits == 8 else np.uint16)
    full = values.astype(np.float32) * np.float32(65535 / (2**bits - 1))
    return np.asarray(np.rint(full), np.uint16)
