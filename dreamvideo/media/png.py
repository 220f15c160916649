"""The chunks of a PNG: what Pillow does not report, and repair of damaged files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.heif import UNSPECIFIED, Cicp

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_KEPT_CHUNKS = (b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"eXIf")


def bits(data: bytes) -> int:
    """Return the bits per channel of a PNG; 0 if it is not one."""
    return data[24] if data.startswith(SIGNATURE) and len(data) > 24 else 0


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield (kind, whole chunk, whether its checksum is right), until the file ends."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        whole = data[at : at + 12 + length]
        yield kind, whole, zlib.crc32(whole[4:-4]).to_bytes(4, "big") == whole[-4:]
        at += 12 + length


def cicp_of(data: bytes) -> Cicp | None:
    """Return the code points of a PNG's colours; None if it has none."""
    for kind, whole, _ in chunks(data):
        if kind == b"cICP" and len(whole) == 16:
            found = Cicp(whole[8], whole[9])
            return found if found.transfer != UNSPECIFIED else None
        if kind == b"IDAT":
            return None
    return None


def sound_chunks(data: bytes) -> bytes:
    """Return a PNG with what its picture needs and the intact optional chunks, without texts."""
    return SIGNATURE + b"".join(
        whole
        for kind, whole, sound in chunks(data)
        if kind in _NEEDED_CHUNKS or (kind in _KEPT_CHUNKS and sound)
    )


def chunk(kind: bytes, content: bytes) -> bytes:
    """Encode one chunk, with its length and checksum."""
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + zlib.crc32(checked).to_bytes(4, "big")


def encode_uncompressed(layers: NDArray[Any]) -> bytes:
    """Encode H x W x 3 or 4, uint8 or uint16, as a PNG that is not compressed."""
    height, width, channels = layers.shape
    # A byte before each row says that it is not filtered.
    rows = np.zeros((height, 1 + width * channels * layers.itemsize), np.uint8)
    big_endian = layers if layers.itemsize == 1 else layers.astype(">u2")
    rows[:, 1:] = np.ascontiguousarray(big_endian).reshape(height, -1).view(np.uint8)
    kind = 6 if channels == 4 else 2
    header = struct.pack(">IIBBBBB", width, height, 8 * layers.itemsize, kind, 0, 0, 0)
    data = zlib.compress(rows.data, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_chunks(data: bytes, chunks: bytes) -> bytes:
    """Insert chunks right behind a PNG's header."""
    end_of_header = len(SIGNATURE) + 25
    return data[:end_of_header] + chunks + data[end_of_header:]


def without_colors(data: bytes) -> bytes:
    """Return a PNG whose only description of colours is its code points."""
    dropped = (b"iCCP", b"gAMA", b"cHRM", b"sRGB")
    return SIGNATURE + b"".join(whole for kind, whole, _ in chunks(data) if kind not in dropped)
