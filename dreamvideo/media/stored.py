"""Finished frames on disk: lossless pictures with their times, and streams of them for ffmpeg."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamvideo.errors import MediaError
from dreamvideo.media.ivf import (
    IVF_SIGNATURE,
    MAGICYUV_CODEC,
    PNG_CODEC,
    read_ivf_header,
    read_ivf_picture,
)
from dreamvideo.media.paths import escape_text, read_bytes
from dreamvideo.media.png import SIGNATURE as PNG_SIGNATURE
from dreamvideo.media.png import encode_uncompressed
from dreamvideo.media.stills import Background, flatten, load_deep

_PNG_HEADER = struct.Struct(">8sI4sIIBB")
_HEAD = 64
_GREY_ALPHA, _RGB_ALPHA = 4, 6
# Extension of stored frames: what they are, MagicYUV or PNG, is seen in the file.
STORED_ENDING = ".frame"


def name_stored_frame(number: int) -> str:
    """Return the file name of the stored frame with that number in the film."""
    return f"{number:08d}{STORED_ENDING}"


@dataclass(frozen=True)
class StoredFrame:
    """A finished frame: a lossless picture, and its time on the source's clock in seconds."""

    path: Path
    time: Fraction


@dataclass(frozen=True)
class Kind:
    """What the stored frames of one film are.

    Attributes:
        size: (width, height).
        depth: Bits per channel.
        alpha: Whether any of them has alpha.
        codec: How ffmpeg gets them, as ``ivf`` names it.
    """

    size: tuple[int, int]
    depth: int
    alpha: bool
    codec: bytes = PNG_CODEC


def kind_of(frames: Sequence[StoredFrame]) -> Kind:
    """Read all frames' headers. Raises MediaError for a missing, broken or odd one, by name."""
    kinds: set[Kind] = set()
    for frame in frames:
        kinds.add(_read_kind(frame.path))
        if len({kind.size for kind in kinds}) > 1:
            raise MediaError(f"{escape_text(frame.path)}: the stored frames differ in size")
    if len(kinds) == 1:
        return kinds.pop()
    # Of frames of several kinds, ffmpeg gets PNGs.
    depth, alpha = max(kind.depth for kind in kinds), any(kind.alpha for kind in kinds)
    return Kind(next(iter(kinds)).size, depth, alpha)


def read_packets(
    frames: Sequence[StoredFrame],
    kind: Kind,
    *,
    keep_alpha: bool,
    background: Background,
    pinhole: bool = False,
) -> Iterator[bytes]:
    """Yield the frames as ``kind.codec`` has them, all opaque or all with alpha.

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
            yield _read_packet(frame.path, kind.codec)
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


def _read_packet(path: Path, codec: bytes) -> bytes:
    """Return an opaque frame as that codec has it, from whatever it is stored as."""
    data = read_bytes(path)
    if codec == MAGICYUV_CODEC:
        try:
            return read_ivf_picture(data)
        except ValueError as error:
            raise MediaError(f"{escape_text(path)}: the stored frame is damaged") from error
    return encode_uncompressed(load_deep(path)[0]) if data.startswith(IVF_SIGNATURE) else data


def _read_kind(path: Path) -> Kind:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(IVF_SIGNATURE):
            codec, size = read_ivf_header(head)
            return Kind(size, 8, alpha=False, codec=codec)
        signature, _, _, width, height, bits, colors = _PNG_HEADER.unpack_from(head)
    except (OSError, struct.error) as error:
        raise MediaError(f"{escape_text(path)}: the stored frame is missing or damaged") from error
    if signature != PNG_SIGNATURE:
        raise MediaError(f"{escape_text(path)}: the stored frame is damaged")
    return Kind((width, height), bits, colors in (_GREY_ALPHA, _RGB_ALPHA))
