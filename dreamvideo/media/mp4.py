"""Read parts of an MP4 or MOV header that libav's interfaces do not provide safely."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FIRST_BOXES = (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip")
_MOST = 1 << 25
# Layout of a track's header by version: its number, and the matrix after times, layer and volume.
_TRACK_HEADERS = {0: struct.Struct(">12xI24x9i"), 1: struct.Struct(">20xI28x9i")}


def movie_box(path: Path) -> bytes:
    """Return the content of a file's ``moov`` box, which may be its last; empty if it has none."""
    with path.open("rb") as file:
        if file.read(8)[4:] not in _FIRST_BOXES:
            return b""
        return _movie_box(file)


def display_matrix(path: Path, track: int) -> tuple[int, ...] | None:
    """Return the nine numbers of the display matrix of a track, given by its own number."""
    for name, content in _boxes(movie_box(path)):
        if name == b"trak":
            for inner, header in _boxes(content):
                layout = _TRACK_HEADERS.get(header[0]) if inner == b"tkhd" and header else None
                if layout is not None and len(header) >= layout.size:
                    number, *matrix = layout.unpack_from(header)
                    if number == track:
                        return tuple(matrix)
    return None


def _movie_box(file: BinaryIO) -> bytes:
    end = file.seek(0, 2)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, start = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), 16
        if head[4:8] == b"moov":
            file.seek(at + start)
            return file.read(min((size or end) - start, _MOST))
        if size < start:
            break
        at += size
    return b""


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8:
            return
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size
