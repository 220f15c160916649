"""Finished frames on disk: lossless PNGs with their times, and streams of them for ffmpeg."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import escape_text, read_bytes
from dreamvideo.media.png import encode_uncompressed
from dreamvideo.media.stills import Background, flatten, load_deep

_HEADER = struct.Struct(">8sI4sIIBB")
_GREY_ALPHA, _RGB_ALPHA = 4, 6
_IVF_HEADER = struct.Struct("<4sHH4sHHIIII")


@dataclass(frozen=True)
class StoredFrame:
    """A finished frame: a lossless PNG, and its time on the source's clock in seconds."""

    path: Path
    time: Fraction


@dataclass(frozen=True)
class Kind:
    """What the stored frames of one film are: (width, height), bits per channel, alpha."""

    size: tuple[int, int]
    depth: int
    alpha: bool


def kind_of(frames: Sequence[StoredFrame]) -> Kind:
    """Read all frames' headers. Raises MediaError for a missing, broken or odd one, by name."""
    sizes: set[tuple[int, int]] = set()
    depth, alpha = 8, False
    for frame in frames:
        width, height, bits, colors = _header(frame.path)
        sizes.add((width, height))
        depth, alpha = max(depth, bits), alpha or colors in (_GREY_ALPHA, _RGB_ALPHA)
        if len(sizes) > 1:
            raise MediaError(f"{escape_text(frame.path)}: the stored frames differ in size")
    return Kind(sizes.pop(), depth, alpha)


def ivf(ticks: Sequence[int], clock: Fraction, pngs: Iterator[bytes]) -> Iterator[bytes]:
    """Yield an IVF stream of PNGs: the simplest container with exact times.

    Args:
        ticks: Times of the frames in units of ``clock``.
        clock: Seconds per tick.
        pngs: The PNG files.
    """
    yield ivf_header(clock, len(ticks))
    for tick, png in zip(ticks, pngs, strict=True):
        yield ivf_frame(tick, png)


def ivf_header(
    clock: Fraction, count: int = 0, codec: bytes = b"MPNG", size: tuple[int, int] = (16, 16)
) -> bytes:
    """Return the header of such a stream.

    Args:
        clock: Seconds per tick.
        count: Number of frames; 0 if unknown.
        codec: Four letters that name how a frame is coded.
        size: (width, height); a PNG knows its own.
    """
    rate = (clock.denominator, clock.numerator)
    return _IVF_HEADER.pack(b"DKIF", 0, _IVF_HEADER.size, codec, *size, *rate, count, 0)


def ivf_frame(tick: int, png: bytes) -> bytes:
    """Return one picture of such a stream."""
    return struct.pack("<IQ", len(png), tick) + png


def pngs(
    frames: Sequence[StoredFrame],
    kind: Kind,
    *,
    keep_alpha: bool,
    background: Background,
    pinhole: bool = False,
) -> Iterator[bytes]:
    """Yield the frames as PNG files, all opaque or all with alpha.

    Args:
        frames: The stored frames.
        kind: What they are.
        keep_alpha: Whether to keep alpha.
        background: Colour that they are composited over otherwise.
        pinhole: Whether to make one corner pixel transparent in each opaque frame of a film with
            alpha.

    Raises:
        MediaError: A frame cannot be read.
    """
    for frame in frames:
        if not kind.alpha:
            yield read_bytes(frame.path)
            continue
        pixels, alpha = load_deep(frame.path)
        if not keep_alpha:
            pixels, alpha = flatten(pixels, alpha, background), None
        elif alpha is None:
            # An encoder cannot change its format: one frame with alpha gives all of them alpha.
            alpha = np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)
        if alpha is not None and pinhole and alpha.all():
            alpha[0, 0] = 0
        yield encode_uncompressed(pixels if alpha is None else np.dstack([pixels, alpha]))


def _header(path: Path) -> tuple[int, int, int, int]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
        signature, _, _, width, height, bits, colors = _HEADER.unpack(head)
    except (OSError, struct.error) as error:
        raise MediaError(f"{escape_text(path)}: the stored frame is missing or damaged") from error
    if signature != b"\x89PNG\r\n\x1a\n":
        raise MediaError(f"{escape_text(path)}: the stored frame is damaged")
    return width, height, bits, colors
